// SPDX-License-Identifier: GPL-2.0-only
/* Metadata while everything it is about changes */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "meta-util.h"

#define THREADS		4
#define MESSAGES	150
#define KIDS		4

static struct bus bus;
static struct conn a, b, c;	/* a sends to b; c hears broadcasts */
static struct facts *facts;
static unsigned int running;
static bool stop;

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, "sender");
	meta_open(&b, &bus, mask, NULL);
	meta_open(&c, &bus, mask & ~EXE, NULL);
	match_all(&c);
	facts = facts_new();
	facts_now(facts);
}

/* full queues and pools are no failure */
static void send_some(u64 dst, u64 cookie)
{
	int ret, i;

	for (i = 0; i < MESSAGES; i++) {
		ret = conn_send_bytes(&a, dst, cookie, NULL, 0);
		while (ret == -EXFULL || ret == -ENOBUFS) {
			sched_yield();
			ret = conn_send_bytes(&a, dst, cookie, NULL, 0);
		}
		kt_check_ret(ret, 0, "send");
		if (i % 8 == 0)
			kt_check_ret(cast(&a, cookie), 0, "broadcast");
	}
}

static void *sender_fn(void *arg)
{
	char name[16];

	(void)arg;
	snprintf(name, sizeof(name), "t%d", kt_tid());
	prctl(PR_SET_NAME, name);
	send_some(b.id, kt_tid());
	__atomic_sub_fetch(&running, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

/* the cookie says which thread it was */
static void check_message(struct conn *to, u64 off)
{
	const struct kdbus_msg *msg = conn_msg(to, off);
	const struct kdbus_item *i;
	struct meta m;
	char name[16];

	meta_of_msg(&m, msg);
	meta_bits(&m);
	snprintf(name, sizeof(name), "t%llu", msg->cookie);
	if (meta_find(&m, KDBUS_ITEM_TID_COMM, 0))
		meta_expect_str(&m, KDBUS_ITEM_TID_COMM, name);
	i = meta_find(&m, KDBUS_ITEM_CREDS, 0);
	if (i)
		kt_check(i->creds.tid == msg->cookie &&
			 i->creds.pid == (u64)getpid(),
			 "thread %llu of %llu told to be %llu", msg->cookie,
			 (u64)getpid(), i->creds.tid);
	facts_check(facts, &m, meta_bits(&m) & ~(CREDS | TID_COMM), "message");
	kt_check_ret(conn_free(to, off), 0, "FREE");
}

static unsigned int take_all(struct conn *to)
{
	unsigned int n = 0;
	u64 off;

	while (!conn_recv(to, &off)) {
		check_message(to, off);
		n++;
	}
	return n;
}

static unsigned int run_senders(void)
{
	pthread_t t[THREADS];
	unsigned int n = 0;
	int i;

	running = THREADS;
	for (i = 0; i < THREADS; i++)
		t[i] = kt_thread(sender_fn, NULL);
	while (__atomic_load_n(&running, __ATOMIC_SEQ_CST)) {
		n += take_all(&b);
		take_all(&c);
		sched_yield();
	}
	for (i = 0; i < THREADS; i++)
		kt_join(t[i]);
	take_all(&c);
	return n + take_all(&b);
}

START_TEST(threads)
{
	unsigned int n;

	prepare(TASK);
	n = run_senders();
	kt_check(n == THREADS * MESSAGES, "%u messages", n);
}
END_TEST

static void *flip_masks(void *arg)
{
	u32 state = kt_seed;
	struct blob u;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		u64 send = kt_rand(&state) & ALL;

		update_mask(&b, kt_rand(&state));
		update_mask(&c, kt_rand(&state));
		update_init(&u, KDBUS_EXT_ATTACH);
		blob_add(&u, KDBUS_ITEM_ATTACH_FLAGS_SEND, &send, sizeof(send));
		kt_check_ret(update(&a, &u), 0, "CONN_UPDATE");
	}
	return arg;
}

/* a size that was reckoned with one mask does not meet another */
START_TEST(masks)
{
	unsigned int n;
	pthread_t t;

	prepare(0);
	t = kt_thread(flip_masks, NULL);
	n = run_senders();
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_check(n == THREADS * MESSAGES, "%u messages", n);
}
END_TEST

/* an update about one mask that takes its time */
static void *flip_wanted(void *arg)
{
	static struct blob u;
	u64 n = 0;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		update_init(&u, 0);
		update_add_mask(&u, n++ & ALL);
		while (u.size < 32000)
			blob_add(&u, KT_ITEM_IGNORED, NULL, 1);
		kt_check_ret(update(&a, &u), 0, "CONN_UPDATE");
	}
	return arg;
}

/* does not undo one about the other that comes meanwhile */
START_TEST(masks_apart)
{
	const struct kdbus_info *info;
	u64 masks[] = { CREDS, CAPS }, end;
	struct blob u;
	struct meta m;
	pthread_t t;
	int i;

	if (!kt_parallel())
		kt_skip("one processor");
	prepare(0);
	t = kt_thread(flip_wanted, NULL);
	end = kt_now_ms() + 2000;
	for (i = 0; kt_now_ms() < end; i++) {
		u64 send = masks[i & 1];

		update_init(&u, KDBUS_EXT_ATTACH);
		blob_add(&u, KDBUS_ITEM_ATTACH_FLAGS_SEND, &send, sizeof(send));
		kt_check_ret(update(&a, &u), 0, "CONN_UPDATE");
		/* give a slow one time to end */
		kt_check_ret(conn_send_bytes(&b, b.id, 1, NULL, 0), 0, "send");
		conn_drain(&b);
		info = conn_info_meta(&b, a.id, 0, &m);
		if (!kt_check(meta_bits(&m) == send,
			      "round %d: kinds %#llx instead of %#llx", i,
			      meta_bits(&m), send))
			break;
		kt_check_ret(info_free(&b, info), 0, "FREE");
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
}
END_TEST

static void *flip_names(void *arg)
{
	static const char *const names[] = { "a.a", "a.much.longer.name" };
	int i;

	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
		kt_check_ret(name_acquire(&a, names[i & 1], 0), 0, "acquire");
		kt_check_ret(conn_info(&a, b.id, NULL, ALL, NULL), 0, "info");
		kt_check_ret(name_release(&a, names[i & 1]), 0, "release");
		/* what was asked for is not freed one by one */
		if (i % 64 == 63)
			sched_yield();
		if (pool_used(&a) > 128 * KIB)
			break;
	}
	return arg;
}

START_TEST(names)
{
	unsigned int n;
	pthread_t t;

	prepare(NAMES | CREDS | CONN_NAME);
	t = kt_thread(flip_names, NULL);
	n = run_senders();
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_check(n == THREADS * MESSAGES, "%u messages", n);
}
END_TEST

static int kid_fn(void *arg)
{
	uid_t uid = 20271 + (uid_t)(uintptr_t)arg;

	kt_assert(!setresuid(uid, uid, uid), "setresuid: %m");
	send_some(b.id, uid);
	return 0;
}

/* processes of different users on one connection */
START_TEST(processes)
{
	const struct kdbus_item *i;
	unsigned int n = 0;
	pid_t pids[KIDS];
	struct meta m;
	u64 off;
	int k;

	prepare(CREDS | TID_COMM);
	for (k = 0; k < KIDS; k++)
		pids[k] = kt_fork_as(0, 0, kid_fn, (void *)(uintptr_t)k);
	while (n < KIDS * MESSAGES) {
		conn_drain(&c);
		wait_readable(&b);
		if (conn_recv(&b, &off))
			continue;
		meta_of_msg(&m, conn_msg(&b, off));
		i = meta_find(&m, KDBUS_ITEM_CREDS, 0);
		k = conn_msg(&b, off)->cookie - 20271;
		kt_assert(i && k >= 0 && k < KIDS, "cookie or credentials");
		kt_check(i->creds.uid == 20271 + (u64)k &&
			 i->creds.pid == (u64)pids[k],
			 "kid %d: uid %llu, pid %llu", k, i->creds.uid,
			 i->creds.pid);
		kt_check_ret(conn_free(&b, off), 0, "FREE");
		n++;
	}
	for (k = 0; k < KIDS; k++)
		kt_check(kt_wait(pids[k]) == 0, "kid %d", k);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Arguments in memory that somebody is in no hurry to fill */

static int slow_page(u8 **page)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		kt_skip("this kernel refuses userfaultfd: %s",
			strerrorname_np(errno));
	*page = mmap(NULL, KT_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kt_assert(*page != MAP_FAILED, "mmap: %m");
	reg.range.start = PTR64(*page);
	reg.range.len = KT_PAGE;
	kt_assert(!ioctl(fd, UFFDIO_API, &api) &&
		  !ioctl(fd, UFFDIO_REGISTER, &reg), "userfaultfd: %m");
	return fd;
}

static void fill_page(int fd, u8 *page)
{
	static u8 bytes[KT_PAGE] __attribute__((__aligned__(4096)));
	struct uffdio_copy copy = {
		.dst = PTR64(page), .src = PTR64(bytes), .len = KT_PAGE,
	};

	memset(bytes, 's', sizeof(bytes));
	kt_assert(!ioctl(fd, UFFDIO_COPY, &copy), "UFFDIO_COPY: %m");
}

static void *slow_sender(void *arg)
{
	send_ok(&a, &b, 1);
	return arg;
}

static void others_go_on(void)
{
	struct bus other;
	struct conn d;

	update_mask(&c, CREDS);
	meta_open(&d, &bus, 0, NULL);
	send_ok(&d, &c, 2);
	kt_check_ret(cast(&d, 3), 0, "broadcast");
	kt_check(conn_drain(&c) >= 2, "messages");
	/* the connection that waits, and the one it waits to reach */
	send_ok(&a, &c, 4);
	send_ok(&c, &a, 5);
	kt_check_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	kt_check_ret(conn_info(&d, a.id, NULL, ALL, NULL), 0, "CONN_INFO");
	kt_check_ret(conn_info(&b, b.id, NULL, ALL, NULL), 0, "CONN_INFO");
	update_mask(&a, 0);
	conn_close(&d);
	bus_make(&other, 0);
}

static int waits[2], goes[2];	/* pipes: it waits; it may go on */

static int slow_child(void *arg)
{
	struct pollfd p = { .events = POLLIN };
	pthread_t t;
	u8 *page;
	char x;

	(void)arg;
	p.fd = slow_page(&page);
	set_args(page, 100);
	t = kt_thread(slow_sender, NULL);
	kt_assert(poll(&p, 1, 20000) == 1, "nobody reads the arguments");
	kt_assert(write(waits[1], "x", 1) == 1, "write: %m");
	kt_assert(read(goes[0], &x, 1) == 1, "read: %m");
	fill_page(p.fd, page);
	kt_join(t);
	return 0;
}

/* nobody has to wait with the sender: neither its bus nor its receiver */
START_TEST(slow_arguments)
{
	const struct kdbus_item *i;
	struct meta m;
	pid_t pid;
	char x;

	prepare(CMDLINE);
	kt_assert(!pipe2(waits, O_CLOEXEC) && !pipe2(goes, O_CLOEXEC),
		  "pipe: %m");
	pid = kt_fork_as(0, 0, slow_child, NULL);
	close(waits[1]);
	if (read(waits[0], &x, 1) != 1) {
		kt_wait(pid);
		kt_assert(kt->skipped, "the sender is gone");
		_exit(0);
	}
	others_go_on();
	expect_empty(&b);
	kt_assert(write(goes[1], "x", 1) == 1, "write: %m");
	kt_check(kt_wait(pid) == 0, "sender");
	meta_recv(&b, 1, &m);
	i = meta_find(&m, KDBUS_ITEM_CMDLINE, 0);
	kt_check(i && i->size == HDR + 100 && i->str[99] == 's',
		 "the arguments are not there");
}
END_TEST

KT_SUITE_LATE("meta-race")
{
	kt_test(threads);
	kt_test(masks);
	kt_test(masks_apart);
	kt_test(names);
	kt_test(processes);
	kt_test(slow_arguments);
}
