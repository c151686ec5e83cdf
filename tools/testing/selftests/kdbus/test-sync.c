// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for their reply */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "call.h"
#include "suites.h"

#define POOL	(64 * KIB)
#define LONG	20000		/* ms; nobody waits that long */

static struct bus bus;
static struct conn a, b;	/* a asks, b answers */
static struct call call, call2;

static void prepare_flags(u64 flags, u64 pool)
{
	bus_make(&bus, 0);
	kt_assert_ret(conn_try_open(&a, &bus, flags, pool), 0, "HELLO");
	conn_open(&b, &bus, POOL);
}

static void prepare(void)
{
	prepare_flags(0, POOL);
}

static u64 reply_offset(const struct call *c)
{
	return c->msg->offset_reply;
}

/* @call ended well: what it got, which is then freed */
static void check_replied(struct call *c, u64 cookie_reply)
{
	const struct kdbus_msg *m;

	kt_assert_ret(c->ret, 0, "synchronous request");
	m = conn_msg(c->c, reply_offset(c));
	kt_check(m->cookie_reply == cookie_reply, "reply to %llu",
		 m->cookie_reply);
	kt_check(m->cookie == 1000 + cookie_reply, "cookie %llu", m->cookie);
	kt_check_ret(conn_free(c->c, reply_offset(c)), 0, "FREE");
	kt_check_ret(conn_free(c->c, reply_offset(c)), -ENXIO, "FREE again");
}

static void end_replied(struct call *c, u64 cookie_reply)
{
	call_end(c);
	check_replied(c, cookie_reply);
}

/* it ended with @err and changed nothing but kernel_flags */
static void end_failed(struct call *c, int err)
{
	struct blob *was = malloc(sizeof(*was));

	*was = c->m;
	kt_check_ret(call_end(c), -err, "synchronous request");
	was->msg.kernel_flags = c->m.msg.kernel_flags;
	kt_check(!memcmp(was->raw, c->m.raw, c->m.size),
		 "the message was changed");
	kt_check(c->m.msg.kernel_flags ==
		 (KT_MASK_MSG_SEND | KDBUS_FLAG_KERNEL), "kernel_flags %#llx",
		 c->m.msg.kernel_flags);
	free(was);
}

START_TEST(reply_layout)
{
	static u8 bytes[100];
	const struct kdbus_item *i;
	const struct kdbus_msg *m;
	struct blob r;

	prepare();
	kt_fill(bytes, sizeof(bytes), 3);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	reply_init(&r, a.id, 7);
	r.msg.priority = -5;
	msg_vec(&r, bytes, sizeof(bytes));
	kt_check_ret(conn_send(&b, &r), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	m = conn_msg(&a, reply_offset(&call));
	kt_check(m->size == 72 + 32, "size %llu", m->size);
	kt_check(m->flags == 0 && m->kernel_flags == 0 && m->priority == -5,
		 "flags %#llx, %#llx, priority %lld", m->flags,
		 m->kernel_flags, m->priority);
	kt_check(m->src_id == b.id && m->dst_id == a.id, "from %llu to %llu",
		 m->src_id, m->dst_id);
	kt_check(m->payload_type == KDBUS_PAYLOAD_DBUS, "payload type");
	kt_check(m->cookie == 1007 && m->cookie_reply == 7,
		 "cookies %llu, %llu", m->cookie, m->cookie_reply);
	i = item_first(m);
	kt_assert(i && i->type == KDBUS_ITEM_PAYLOAD_OFF && i->size == 32,
		  "no payload");
	kt_check(i->vec.size == sizeof(bytes) && i->vec.offset == m->size,
		 "payload of %llu at %llu", i->vec.size, i->vec.offset);
	kt_check(kt_filled((const u8 *)m + i->vec.offset, sizeof(bytes), 3),
		 "bytes");
	kt_check_ret(conn_free(&a, reply_offset(&call)), 0, "FREE");
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* the receiver sees an ordinary request */
START_TEST(request_layout)
{
	u64 deadline = in_ms(LONG);
	const struct kdbus_msg *m;

	prepare();
	call_start(&call, &a, b.id, 7, deadline);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->flags == SYNC && m->timeout_ns == deadline,
		 "flags %#llx, timeout %llu", m->flags, m->timeout_ns);
	kt_check(m->cookie == 7 && m->src_id == a.id, "cookie %llu",
		 m->cookie);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&b);
}
END_TEST

/* the queue never sees the reply, and poll does not */
START_TEST(not_in_queue)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check(!(fd_poll(a.fd, 0) & POLLIN), "POLLIN");
	expect_empty(&a);
	call_end(&call);
	kt_check(!(fd_poll(a.fd, 0) & POLLIN), "POLLIN");
	expect_empty(&a);
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE with a reply not freed");
}
END_TEST

/* what is in the queue neither disturbs nor is disturbed */
START_TEST(beside_queue)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	kt_check_ret(conn_send_bytes(&b, a.id, 1, "x", 1), 0, "message");
	kt_check_ret(reply(&b, a.id, 8), 0, "wrong cookie");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check_ret(reply(&b, a.id, 7), 0, "second reply, a message");
	end_replied(&call, 7);
	expect_msg(&a, 1, 0);
	expect_msg(&a, 1008, 8);
	expect_msg(&a, 1007, 7);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

static void check_pipe(int rd, int wr)
{
	char c = 0;

	kt_check(write(wr, "y", 1) == 1, "write: %m");
	kt_check(read(rd, &c, 1) == 1 && c == 'y', "read: %m");
}

static int count_open(void)
{
	int fd, n = 0;

	for (fd = 0; fd < 1000; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

static void check_cloexec(int fd)
{
	kt_check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "descriptor %d", fd);
}

/* returns the memfd: to close it makes its number free for the waiter */
static int reply_with_files(int p[2])
{
	int memfd = kt_memfd(5000, KT_SEALS, 9);
	struct blob r;

	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	reply_init(&r, a.id, 7);
	msg_memfd(&r, memfd, 5000);
	blob_add(&r, KDBUS_ITEM_FDS, p, 2 * sizeof(int));
	kt_check_ret(conn_send(&b, &r), 0, "reply with files");
	return memfd;
}

/* as found in the reply in the pool of @a */
static void check_files(u64 offset)
{
	const struct kdbus_msg *m = conn_msg(&a, offset);
	const struct kdbus_item *f = item_find(m, KDBUS_ITEM_FDS, 0);
	const struct kdbus_item *i = item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	u8 *p;

	kt_assert(f && f->size == HDR + 8, "no FDS item");
	kt_assert(i && i->memfd.size == 5000 && i->memfd.__pad == 0,
		  "no memfd item");
	check_cloexec(f->fds[0]);
	check_cloexec(f->fds[1]);
	check_cloexec(i->memfd.fd);
	kt_check(f->fds[0] < f->fds[1] && f->fds[1] < i->memfd.fd,
		 "order %d, %d, %d", f->fds[0], f->fds[1], i->memfd.fd);
	check_pipe(f->fds[0], f->fds[1]);
	p = mmap(NULL, 5000, PROT_READ, MAP_SHARED, i->memfd.fd, 0);
	kt_assert(p != MAP_FAILED, "mmap of the memfd: %m");
	kt_check(kt_filled(p, 5000, 9), "content of the memfd");
}

START_TEST(files_in_reply)
{
	int p[2];

	prepare_flags(KDBUS_HELLO_ACCEPT_FD, POOL);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	reply_with_files(p);
	close(p[0]);
	close(p[1]);
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	check_files(reply_offset(&call));
}
END_TEST

static int child_asks(void *arg)
{
	int ret;

	(void)arg;
	call_init(&call, &a, b.id, 7, in_ms(LONG));
	ret = kt_cmd(a.fd, KDBUS_CMD_MSG_SEND, &call.m);
	kt_assert_ret(ret, 0, "synchronous request in a child");
	check_files(call.m.msg.offset_reply);
	return 0;
}

/* they are installed where the request waits, and nowhere else */
START_TEST(files_in_waiter)
{
	int p[2], open_before;
	pid_t pid;

	prepare_flags(KDBUS_HELLO_ACCEPT_FD, POOL);
	pid = kt_fork_as(0, 0, child_asks, NULL);
	wait_readable(&b);
	open_before = count_open();
	close(reply_with_files(p));
	kt_check(kt_wait(pid) == 0, "child");
	close(p[0]);
	close(p[1]);
	kt_check(count_open() == open_before, "%d descriptors, before %d",
		 count_open(), open_before);
}
END_TEST

/* no room for descriptors: an error, and nothing is left in the pool */
START_TEST(no_room_for_files)
{
	struct rlimit old, lim;
	int p[2], next;

	prepare_flags(KDBUS_HELLO_ACCEPT_FD, POOL);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	/* one is free, three are wanted */
	kt_assert(!getrlimit(RLIMIT_NOFILE, &old), "getrlimit: %m");
	next = dup(0);
	close(next);
	lim = old;
	lim.rlim_cur = next + 3;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");
	close(reply_with_files(p));
	end_failed(&call, EMFILE);
	kt_assert(!setrlimit(RLIMIT_NOFILE, &old), "setrlimit: %m");
	kt_check(dup(0) == next, "descriptors were installed");
	kt_check(pool_used(&a) == 0, "%llu bytes of the pool are lost",
		 pool_used(&a));
	expect_empty(&a);
}
END_TEST

START_TEST(deadline)
{
	u64 when[] = { in_ms(30), in_ms(31), in_ms(60), in_ms(1), 1, 2, 0 };
	size_t i;

	prepare();
	when[ARRAY_SIZE(when) - 1] = now_ns();
	for (i = 0; i < ARRAY_SIZE(when); i++) {
		call_init(&call, &a, b.id, i, when[i]);
		call_run_now(&call);
		end_failed(&call, ETIMEDOUT);
		kt_check(call.end >= when[i], "%llu ns early",
			 when[i] - call.end);
		kt_check(conn_recv_msg(&b, NULL)->cookie == i, "request");
	}
	expect_empty(&a);
	conn_close(&b);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

START_TEST(deadline_far)
{
	static const u64 far[] = {
		NEVER, NEVER - 1, 1ULL << 63, (1ULL << 63) - 1, 1ULL << 62,
	};
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		call_start(&call, &a, b.id, 7, far[i]);
		kt_check_ret(reply(&b, a.id, 7), 0, "reply");
		end_replied(&call, 7);
	}
}
END_TEST

/* then a reply is a message */
START_TEST(late_reply)
{
	prepare();
	call_init(&call, &a, b.id, 7, 1);
	call_run_now(&call);
	end_failed(&call, ETIMEDOUT);
	kt_check_ret(reply(&b, a.id, 7), 0, "late reply");
	expect_msg(&a, 1007, 7);
	expect_empty(&a);
}
END_TEST

START_TEST(receiver_dies)
{
	int read;

	prepare();
	for (read = 0; read < 2; read++) {
		call_start(&call, &a, b.id, 7, in_ms(LONG));
		if (read)
			conn_drain(&b);
		conn_close(&b);
		end_failed(&call, EPIPE);
		expect_empty(&a);
		conn_open(&b, &bus, POOL);
	}
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	conn_drain(&b);
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE of the receiver");
	end_failed(&call, EPIPE);
	expect_empty(&a);
}
END_TEST

START_TEST(receiver_drops)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	end_failed(&call, EPIPE);
	expect_empty(&a);
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
}
END_TEST

START_TEST(own_byebye)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 8, NEVER);
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE while waiting");
	end_failed(&call, ECONNRESET);
	end_failed(&call2, ECONNRESET);
	kt_check_ret(reply(&b, a.id, 7), -ENXIO, "reply");
	kt_check(conn_drain(&b) == 2, "the requests stay");
}
END_TEST

START_TEST(bus_dies)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &b, b.id, 7, in_ms(LONG));
	bus_close(&bus);
	end_failed(&call, ECONNRESET);
	end_failed(&call2, ECONNRESET);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* MSG_CANCEL */

START_TEST(cancel_errors)
{
	struct kdbus_cmd_cancel cmd = { .cookie = 7 };
	struct conn special;
	u64 bit;

	prepare();
	kt_check_ret(cancel(&a, 7), -ENOENT, "nothing to cancel");
	kt_check_ret(request(&a, b.id, 7, in_ms(LONG)), 0, "request");
	kt_check_ret(cancel(&a, 7), -ENOENT, "asynchronous");
	call_start(&call, &a, b.id, 8, in_ms(LONG));
	cmd.cookie = 8;
	for (bit = 1; bit; bit <<= 1) {
		cmd.flags = bit;
		kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, &cmd), -EINVAL,
			     "flags %#llx", bit);
	}
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, (u8 *)&cmd + 4),
		     -EFAULT, "unaligned");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, kt_unmapped()),
		     -EFAULT, "unmapped");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, NULL), -EFAULT, "NULL");
	kt_check_ret(cancel(&a, 9), -ENOENT, "wrong cookie");
	kt_check_ret(cancel(&b, 8), -ENOENT, "that of another");
	kt_check_ret(reply(&b, a.id, 8), 0, "it still waits");
	end_replied(&call, 8);
	kt_check_ret(cancel(&a, 8), -ENOENT, "over");
	kt_assert_ret(special_try_open(&special, &bus, KDBUS_HELLO_MONITOR,
				       NULL, POOL), 0, "HELLO of a monitor");
	kt_check_ret(kt_cmd(special.fd, KDBUS_CMD_MSG_CANCEL, NULL),
		     -EOPNOTSUPP, "monitor");
	activator_open(&special, &bus, 0, "a.b", POOL);
	kt_check_ret(kt_cmd(special.fd, KDBUS_CMD_MSG_CANCEL, NULL),
		     -EOPNOTSUPP, "activator");
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_MSG_CANCEL, &cmd),
		     -ENOTTY, "not connected");
	bus_close(&bus);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, NULL), -ECONNRESET,
		     "disconnected");
}
END_TEST

START_TEST(cancel_one)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 8, in_ms(LONG));
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_failed(&call, ECANCELED);
	kt_check_ret(cancel(&a, 7), -ENOENT, "again");
	kt_check_ret(reply(&b, a.id, 8), 0, "the other waits");
	end_replied(&call2, 8);
	kt_check(conn_drain(&b) == 2, "the requests stay");
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* to the same receiver and to another; asynchronous ones stay */
START_TEST(cancel_all_of_cookie)
{
	static struct call call3;
	struct conn other;

	prepare();
	conn_open(&other, &bus, POOL);
	kt_check_ret(request(&a, b.id, 7, NEVER), 0, "request");
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 7, in_ms(LONG));
	call_start(&call3, &a, other.id, 7, NEVER);
	kt_check_ret(request(&a, b.id, 7, NEVER), 0, "request");
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_failed(&call, ECANCELED);
	end_failed(&call2, ECANCELED);
	end_failed(&call3, ECANCELED);
	kt_check(conn_drain(&b) == 4, "the requests stay");
	conn_close(&b);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_empty(&a);
}
END_TEST

/* two that wait with one cookie are two requests */
START_TEST(same_cookie)
{
	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 7, in_ms(LONG));
	kt_check(conn_drain(&b) == 2, "two requests");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply to the second");
	end_replied(&call2, 7);
	kt_check(!call.done, "the first got it as well");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply to the first");
	end_replied(&call, 7);
	expect_empty(&a);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Signals */

static unsigned int signals;

static void on_signal(int nr)
{
	(void)nr;
	__atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

static void handle_signal(int flags)
{
	struct sigaction sa = { .sa_handler = on_signal, .sa_flags = flags };

	kt_assert(!sigaction(SIGUSR1, &sa, NULL), "sigaction: %m");
}

static void hit(struct call *c)
{
	unsigned int was = __atomic_load_n(&signals, __ATOMIC_SEQ_CST);

	kt_assert(!pthread_kill(c->thread, SIGUSR1), "pthread_kill");
	while (__atomic_load_n(&signals, __ATOMIC_SEQ_CST) == was)
		sched_yield();
}

static void start_interrupted(u64 deadline)
{
	handle_signal(0);
	call_start(&call, &a, b.id, 7, deadline);
	hit(&call);
	end_failed(&call, EINTR);
}

START_TEST(signal_restart)
{
	int i;

	prepare();
	handle_signal(SA_RESTART);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	for (i = 0; i < 50; i++) {
		hit(&call);
		kt_wait_asleep(call.tid);
	}
	kt_check(!call.done, "the call returned");
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

START_TEST(signal_restart_deadline)
{
	u64 deadline = in_ms(200);

	prepare();
	handle_signal(SA_RESTART);
	call_start(&call, &a, b.id, 7, deadline);
	hit(&call);
	hit(&call);
	end_failed(&call, ETIMEDOUT);
	kt_check(call.end >= deadline, "early");
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	expect_empty(&a);
}
END_TEST

/* the restarted call is ended by whatever would have ended it before */
START_TEST(signal_restart_end)
{
	prepare();
	handle_signal(SA_RESTART);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	hit(&call);
	kt_wait_asleep(call.tid);
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_failed(&call, ECANCELED);
	call_start(&call, &a, b.id, 8, in_ms(LONG));
	hit(&call);
	kt_wait_asleep(call.tid);
	conn_close(&b);
	end_failed(&call, EPIPE);
	expect_empty(&a);
}
END_TEST

START_TEST(signal_then_resume)
{
	int i;

	prepare();
	start_interrupted(in_ms(LONG));
	for (i = 0; i < 3; i++) {
		call_run(&call);
		hit(&call);
		end_failed(&call, EINTR);
	}
	call_run(&call);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

/* a reply that comes meanwhile waits as well */
START_TEST(signal_then_reply)
{
	prepare();
	start_interrupted(in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	kt_check(!(fd_poll(a.fd, 0) & POLLIN), "POLLIN");
	expect_empty(&a);
	call_run_now(&call);
	end_replied(&call, 7);
	kt_check(conn_drain(&b) == 1, "the request was sent again");
	/* that was the reply; the next one is a message */
	kt_check_ret(reply(&b, a.id, 7), 0, "second reply");
	expect_msg(&a, 1007, 7);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

START_TEST(signal_then_files)
{
	int p[2];

	prepare_flags(KDBUS_HELLO_ACCEPT_FD, POOL);
	start_interrupted(in_ms(LONG));
	reply_with_files(p);
	call_run_now(&call);
	kt_assert_ret(call_end(&call), 0, "resumed");
	check_files(reply_offset(&call));
}
END_TEST

/* another cookie or receiver is another request */
START_TEST(signal_then_other)
{
	struct conn other;

	prepare();
	conn_open(&other, &bus, POOL);
	start_interrupted(in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	call_start(&call2, &a, b.id, 8, in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 8), 0, "reply");
	end_replied(&call2, 8);
	call_start(&call2, &a, other.id, 7, in_ms(LONG));
	kt_check_ret(reply(&other, a.id, 7), 0, "reply");
	end_replied(&call2, 7);
	kt_check_ret(request(&a, b.id, 7, NEVER), 0, "asynchronous");
	kt_check(conn_drain(&b) == 3, "requests");
	call_run_now(&call);
	end_replied(&call, 7);
	expect_empty(&b);
	expect_empty(&a);
}
END_TEST

START_TEST(signal_then_nothing)
{
	prepare();
	start_interrupted(in_ms(200));
	kt_check_ret(request(&a, b.id, 9, in_ms(300)), 0, "request");
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 9);
	expect_empty(&a);
	kt_check(conn_drain(&b) == 2, "requests");
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
	conn_close(&b);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* the reply nobody came back for is thrown away */
START_TEST(signal_then_reply_for_nobody)
{
	u64 end = in_ms(20000);

	prepare();
	start_interrupted(in_ms(300));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply while interrupted");
	kt_check(pool_used(&a) != 0, "it is not kept");
	while (pool_used(&a) && now_ns() < end)
		sched_yield();
	kt_check(pool_used(&a) == 0, "it is kept for ever");
	expect_empty(&a);
}
END_TEST

START_TEST(signal_then_death)
{
	prepare();
	start_interrupted(in_ms(LONG));
	conn_close(&b);
	expect_empty(&a);
	call_run_now(&call);
	end_failed(&call, ENXIO);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The replier fails */

static int reply_vec(const void *p, size_t n)
{
	struct blob r;

	reply_init(&r, a.id, 7);
	msg_vec(&r, p, n);
	return conn_send(&b, &r);
}

/* its own fault: the waiter waits on */
START_TEST(replier_own_fault)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct blob r;

	prepare();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	reply_init(&r, a.id, 7);
	blob_add(&r, KDBUS_ITEM_FDS, &null, sizeof(null));
	kt_check_ret(conn_send(&b, &r), -ECOMM, "files are not accepted");
	kt_check_ret(reply_vec(kt_noread(KT_PAGE), 8), -EFAULT, "unreadable");
	kt_check(pool_used(&a) == 0, "pool");
	kt_check(!call.done, "the waiter did not wait on");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&a);
}
END_TEST

/* no room: both get the error, and that was it */
START_TEST(no_room)
{
	static const struct {
		size_t size;
		int err;
	} rows[] = { { 3000, EXFULL }, { 8192, ENOBUFS } };
	static u8 big[8192];
	size_t i;

	prepare_flags(0, KT_PAGE);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		call_start(&call, &a, b.id, 7, in_ms(LONG));
		kt_check_ret(reply_vec(big, rows[i].size), -rows[i].err,
			     "reply of %zu bytes", rows[i].size);
		end_failed(&call, rows[i].err);
		kt_check(pool_used(&a) == 0, "pool");
		expect_empty(&a);
		kt_check_ret(reply(&b, a.id, 7), 0, "a message");
		expect_msg(&a, 1007, 7);
	}
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* the result cannot be stored: an error, and the pool is as before */
START_TEST(offset_not_writable)
{
	prepare();
	call_init(&call, &a, b.id, 7, in_ms(LONG));
	call.msg = kt_half_ro(&call.m, 72, 64);
	call_run(&call);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check_ret(call_end(&call), -EFAULT, "offset_reply not writable");
	kt_check(pool_used(&a) == 0, "%llu bytes of the pool are lost",
		 pool_used(&a));
	expect_empty(&a);
}
END_TEST

/* and no descriptor appears out of nowhere */
START_TEST(offset_not_writable_files)
{
	int p[2], before;

	prepare_flags(KDBUS_HELLO_ACCEPT_FD, POOL);
	before = count_open();
	call_init(&call, &a, b.id, 7, in_ms(LONG));
	call.msg = kt_half_ro(&call.m, 72, 64);
	call_run(&call);
	close(reply_with_files(p));
	kt_check_ret(call_end(&call), -EFAULT, "offset_reply not writable");
	kt_check(pool_used(&a) == 0, "pool");
	kt_check(count_open() == before + 2, "descriptors were installed");
	close(p[1]);
	kt_check(fd_poll(p[0], 10000) & POLLHUP, "the files are still held");
}
END_TEST

/* replies do not care for what the queue holds */
START_TEST(pending_limit)
{
	int i;

	prepare();
	for (i = 0; i < 128; i++)
		kt_assert_ret(request(&a, b.id, i, NEVER), 0, "request");
	call_init(&call, &a, b.id, 7, 1);
	call_run_now(&call);
	end_failed(&call, EMLINK);
	kt_check_ret(reply(&b, a.id, 1), 0, "reply");
	call_run_now(&call);
	end_failed(&call, ETIMEDOUT);
	call_run_now(&call);
	end_failed(&call, ETIMEDOUT);
}
END_TEST

void suite_sync(void)
{
	kt_suite("sync");
	kt_test(reply_layout);
	kt_test(request_layout);
	kt_test(not_in_queue);
	kt_test(beside_queue);
	kt_test(files_in_reply);
	kt_test(files_in_waiter);
	kt_test(no_room_for_files);
	kt_test(deadline);
	kt_test(deadline_far);
	kt_test(late_reply);
	kt_test(receiver_dies);
	kt_test(receiver_drops);
	kt_test(own_byebye);
	kt_test(bus_dies);
	kt_test(cancel_errors);
	kt_test(cancel_one);
	kt_test(cancel_all_of_cookie);
	kt_test(same_cookie);
	kt_test(signal_restart);
	kt_test(signal_restart_deadline);
	kt_test(signal_restart_end);
	kt_test(signal_then_resume);
	kt_test(signal_then_reply);
	kt_test(signal_then_files);
	kt_test(signal_then_other);
	kt_test(signal_then_nothing);
	kt_test(signal_then_reply_for_nobody);
	kt_test(signal_then_death);
	kt_test(replier_own_fault);
	kt_test(no_room);
	kt_test(offset_not_writable);
	kt_test(offset_not_writable_files);
	kt_test(pending_limit);
}
