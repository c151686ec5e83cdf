// SPDX-License-Identifier: GPL-2.0-only
/*
 * A sender whose memory is slow. Its payload lies in pages that a handler of
 * ours fills when it likes; until then, nobody else may have to wait.
 */
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "slow-util.h"

#define POOL	(256 * KIB)

struct slow {
	struct slow_mem mem;
	struct bus bus;
	struct conn victim, other, sender;
	pthread_t thread;
	int ret;
	bool done;
};

static void *slow_send(void *arg)
{
	struct slow *s = arg;

	s->ret = conn_send_bytes(&s->sender, s->victim.id, 1, s->mem.area, SLOW_LEN);
	__atomic_store_n(&s->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* when this returns, the sender is in the middle of its send */
static void slow_start(struct slow *s)
{
	memset(s, 0, sizeof(*s));
	slow_mem_init(&s->mem);
	bus_make(&s->bus, 0);
	conn_open(&s->victim, &s->bus, POOL);
	conn_open(&s->other, &s->bus, POOL);
	conn_open(&s->sender, &s->bus, POOL);
	s->thread = kt_thread(slow_send, s);
	kt_check(slow_mem_wait(&s->mem) == 0, "not the first page");
}

static void slow_finish(struct slow *s, unsigned int from)
{
	unsigned int page;

	for (page = from; page < SLOW_PAGES; page++)
		slow_mem_fill(&s->mem, page);
	kt_join(s->thread);
}

static void check_still_slow(struct slow *s)
{
	kt_check(!__atomic_load_n(&s->done, __ATOMIC_SEQ_CST),
		 "the slow sender is through, this proves nothing");
}

static void check_slow_message(struct slow *s)
{
	const struct kdbus_msg *m = conn_recv_msg(&s->victim, NULL);

	kt_check(m->src_id == s->sender.id && m->cookie == 1, "header");
	kt_check(slow_mem_filled((const u8 *)m + m->size), "wrong bytes");
}

START_TEST(others_proceed)
{
	struct slow s;
	u64 off, id;
	int i;

	slow_start(&s);
	kt_check_ret(conn_recv(&s.victim, &off), -EAGAIN, "recv");
	kt_check(fd_poll(s.victim.fd, 0) == (POLLOUT | POLLWRNORM), "poll");
	for (i = 0; i < 5; i++) {
		kt_check_ret(conn_send_bytes(&s.other, s.victim.id, 50 + i,
					     "quick", 5), 0, "send by another");
		kt_check(fd_poll(s.victim.fd, 0) & POLLIN, "POLLIN");
		kt_check(conn_recv_msg(&s.victim, &off)->cookie == 50ULL + i,
			 "recv of another's message");
		kt_check_ret(conn_free(&s.victim, off), 0, "free");
	}
	/* the receiver sends, the sender receives */
	kt_check_ret(conn_send_bytes(&s.victim, s.sender.id, 9, "x", 1), 0,
		     "send to the slow one");
	kt_check(conn_recv_msg(&s.sender, NULL)->cookie == 9, "its recv");
	/* and the slow one's connection serves other threads as well */
	kt_check_ret(conn_send_bytes(&s.sender, s.victim.id, 60, "x", 1), 0,
		     "another send of the slow one's connection");
	kt_check(conn_recv_msg(&s.victim, &off)->cookie == 60, "recv");
	id = s.other.id;
	conn_close(&s.other);
	conn_open(&s.other, &s.bus, POOL);
	kt_check(s.other.id > id, "HELLO and close on the bus");
	check_still_slow(&s);

	slow_finish(&s, 0);
	kt_check_ret(s.ret, 0, "the slow send");
	check_slow_message(&s);
}
END_TEST

/* what is copied page by page may stop at each of them */
START_TEST(every_page_slow)
{
	struct slow s;
	unsigned int page;
	u64 off;

	slow_start(&s);
	for (page = 0; page < SLOW_PAGES; page++) {
		if (page)
			kt_check(slow_mem_wait(&s.mem) == page,
				 "fault at another page");
		kt_check_ret(conn_send_bytes(&s.other, s.victim.id, page, "x",
					     1), 0, "send by another");
		conn_recv_msg(&s.victim, &off);
		kt_check_ret(conn_free(&s.victim, off), 0, "free");
		check_still_slow(&s);
		slow_mem_fill(&s.mem, page);
	}
	kt_join(s.thread);
	kt_check_ret(s.ret, 0, "the slow send");
	check_slow_message(&s);
}
END_TEST

/* space that the slow message needs is taken, not lost and not given twice */
START_TEST(space_is_reserved)
{
	static u8 big[POOL];
	struct slow s;
	u64 off;
	int ret;

	slow_start(&s);
	ret = conn_send_want(&s.other, s.victim.id, big, POOL / 2);
	kt_check(!ret || ret == -EXFULL, "half of the pool: %s", kt_err(ret));
	if (!ret) {
		conn_recv_msg(&s.victim, &off);
		kt_check_ret(conn_free(&s.victim, off), 0, "free");
	}
	slow_finish(&s, 0);
	kt_check_ret(s.ret, 0, "the slow send");
	check_slow_message(&s);
}
END_TEST

static void *does_byebye(void *arg)
{
	struct slow *s = arg;

	return (void *)(intptr_t)conn_byebye(&s->victim);
}

START_TEST(receiver_leaves)
{
	struct slow s;
	int ret;

	slow_start(&s);
	ret = (intptr_t)must_return(does_byebye, &s, "BYEBYE");
	kt_check_ret(ret, 0, "BYEBYE of the receiver");
	check_still_slow(&s);
	slow_finish(&s, 0);
	kt_check_ret(s.ret, -ENXIO, "slow send");
	kt_check_ret(conn_send_bytes(&s.other, s.sender.id, 1, "x", 1), 0,
		     "send on the bus");
}
END_TEST

static void *closes_receiver(void *arg)
{
	struct slow *s = arg;

	close(s->victim.fd);
	return NULL;
}

START_TEST(receiver_closes)
{
	struct slow s;

	slow_start(&s);
	must_return(closes_receiver, &s, "close");
	kt_check_ret(conn_send_bytes(&s.other, s.victim.id, 1, "x", 1), -ENXIO,
		     "send to the closed one");
	check_still_slow(&s);
	slow_finish(&s, 0);
	kt_check_ret(s.ret, -ENXIO, "slow send");
}
END_TEST

/* the sender's process is killed in the middle of it */
static int killed_sender(void *arg)
{
	struct slow *s = arg;

	slow_mem_init(&s->mem);
	s->thread = kt_thread(slow_send, s);
	slow_mem_wait(&s->mem);
	if (write(s->ret, "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

START_TEST(sender_killed)
{
	static struct slow s;
	int p[2];
	pid_t pid;
	char x;

	slow_mem_init(&s.mem);		/* may skip */
	close(s.mem.uffd);
	bus_make(&s.bus, 0);
	conn_open(&s.victim, &s.bus, POOL);
	conn_open(&s.other, &s.bus, POOL);
	conn_open(&s.sender, &s.bus, POOL);
	kt_assert(!pipe(p), "pipe: %m");
	s.ret = p[1];
	pid = kt_fork_as(0, 0, killed_sender, &s);
	kt_assert(read(p[0], &x, 1) == 1, "child not ready");
	kill(pid, SIGKILL);
	kt_check(kt_wait(pid) == 128 + SIGKILL, "child was not killed");
	kt_check_ret(conn_recv(&s.victim, NULL), -EAGAIN, "half a message");
	conn_check_pool_empty(&s.other, &s.victim);
	kt_check_ret(conn_byebye(&s.victim), 0, "BYEBYE");
}
END_TEST

/* the memory turns out to be missing after all */
START_TEST(sender_faults_late)
{
	struct uffdio_range range = { .len = SLOW_LEN };
	struct slow s;
	int i;

	slow_start(&s);
	range.start = PTR64(s.mem.area);
	slow_mem_fill(&s.mem, 0);
	kt_check(slow_mem_wait(&s.mem) == 1, "second page");
	kt_assert(!munmap(s.mem.area + KT_PAGE, SLOW_LEN - KT_PAGE), "munmap: %m");
	kt_assert(!ioctl(s.mem.uffd, UFFDIO_WAKE, &range), "UFFDIO_WAKE: %m");
	kt_join(s.thread);
	kt_check_ret(s.ret, -EFAULT, "the slow send");
	kt_check_ret(conn_recv(&s.victim, NULL), -EAGAIN, "half a message");
	for (i = 0; i < 3; i++)
		conn_check_pool_empty(&s.other, &s.victim);
}
END_TEST

KT_SUITE("slow")
{
	kt_test(others_proceed);
	kt_test(every_page_slow);
	kt_test(space_is_reserved);
	kt_test(receiver_leaves);
	kt_test(receiver_closes);
	kt_test(sender_killed);
	kt_test(sender_faults_late);
}
