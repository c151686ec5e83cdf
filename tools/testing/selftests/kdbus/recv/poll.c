// SPDX-License-Identifier: GPL-2.0-only
/* poll() */

#include <poll.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <unistd.h>

#include "pair.h"

#define DEAD	(POLLERR | POLLHUP)
#define IDLE	(POLLOUT | POLLWRNORM)
#define FULL	(POLLIN | POLLRDNORM | POLLOUT | POLLWRNORM)

static void check_poll(int fd, int want, const char *what)
{
	int got = fd_poll(fd, 0);

	kt_check(got == want, "%s: %#x, expected %#x", what, got, want);
}

START_TEST(states)
{
	int ep;

	pair_open();
	ep = open_endpoint(&bus);
	check_poll(open_control(), DEAD, "control");
	check_poll(bus.fd, DEAD, "bus owner");
	check_poll(ep, DEAD, "endpoint");
	check_poll(b.fd, IDLE, "connection");
	kt_assert_ret(hello(ep, 0, POOL), 0, "HELLO");
	check_poll(ep, IDLE, "endpoint after HELLO");
	kt_assert_ret(conn_byebye(&b), 0, "BYEBYE");
	check_poll(b.fd, DEAD, "after BYEBYE");
	bus_close(&bus);
	check_poll(a.fd, DEAD, "bus is dead");
	check_poll(ep, DEAD, "bus is dead, another");
}
END_TEST

START_TEST(messages)
{
	u64 off;

	pair_open();
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	check_poll(a.fd, IDLE, "sender");
	check_poll(b.fd, FULL, "one message");
	check_poll(b.fd, FULL, "one message, again");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "peek");
	check_poll(b.fd, FULL, "after a peek");
	kt_assert_ret(conn_send_bytes(&a, b.id, 2, "x", 1), 0, "send");
	conn_recv_msg(&b, &off);
	check_poll(b.fd, FULL, "one of two received");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, &off), 0, "drop");
	check_poll(b.fd, IDLE, "all gone");
	kt_assert_ret(conn_send_bytes(&a, b.id, 3, kt_noread(4096), 1),
		      -EFAULT, "send");
	check_poll(b.fd, IDLE, "a refused message");
}
END_TEST

START_TEST(dead_with_messages)
{
	pair_open();
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	bus_close(&bus);
	check_poll(b.fd, DEAD, "dead, one message");
	kt_check_ret(conn_recv(&b, NULL), -ECONNRESET, "recv");
}
END_TEST

START_TEST(full_receiver_is_no_matter)
{
	static u8 big[POOL];

	pair_open();
	while (!conn_send_want(&a, b.id, big, 4096))
		;
	check_poll(a.fd, IDLE, "sender, receiver full");
	check_poll(b.fd, FULL, "full receiver");
}
END_TEST

/* it is the descriptor that is waited for, whatever it has become */
START_TEST(epoll_before_hello)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	int ep = epoll_create1(EPOLL_CLOEXEC);
	struct blob hi;
	int fd;

	pair_open();
	fd = open_endpoint(&bus);
	kt_assert(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl: %m");
	kt_check(epoll_wait(ep, &got, 1, 0) == 1 && got.events == DEAD,
		 "before HELLO");
	hello_init(&hi, 0, POOL);
	kt_assert_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &hi), 0, "HELLO");
	kt_check(epoll_wait(ep, &got, 1, 0) == 0, "an empty queue");
	kt_assert_ret(conn_send_bytes(&a, hi.hello.id, 1, "x", 1), 0, "send");
	kt_check(epoll_wait(ep, &got, 1, 0) == 1 && got.events == EPOLLIN,
		 "a message");
	bus_close(&bus);
	kt_check(epoll_wait(ep, &got, 1, 0) == 1 && got.events == DEAD,
		 "the end of the bus");
}
END_TEST

struct edge {
	pid_t tid;
	int ep, n;
	struct epoll_event got;
};

static void *waits_for_edge(void *arg)
{
	struct edge *e = arg;

	__atomic_store_n(&e->tid, kt_tid(), __ATOMIC_SEQ_CST);
	e->n = epoll_wait(e->ep, &e->got, 1, 30000);
	return NULL;
}

/* a descriptor that is waited for, of which the edge was seen before HELLO */
static pthread_t edge_start(struct edge *e, int fd)
{
	struct epoll_event ev = { .events = EPOLLIN | EPOLLET };
	pthread_t t;

	*e = (struct edge) { .ep = epoll_create1(EPOLL_CLOEXEC) };
	kt_assert(!epoll_ctl(e->ep, EPOLL_CTL_ADD, fd, &ev), "epoll_ctl: %m");
	kt_check(epoll_wait(e->ep, &e->got, 1, 0) == 1 &&
		 e->got.events == DEAD, "before HELLO");
	t = kt_thread(waits_for_edge, e);
	while (!__atomic_load_n(&e->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	kt_wait_asleep(e->tid);
	return t;
}

/*
 * A message may come while HELLO runs, and be asked for before the handle is a
 * connection. So HELLO has those look again who wait for messages.
 */
START_TEST(edge_before_hello)
{
	struct edge e;
	struct blob hi;
	pthread_t t;
	u64 slept, end;
	int fd;

	pair_open();
	fd = open_endpoint(&bus);
	t = edge_start(&e, fd);
	slept = kt_times_slept(e.tid);
	hello_init(&hi, 0, POOL);
	kt_assert_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &hi), 0, "HELLO");
	end = kt_now_ms() + 10000;
	while (kt_times_slept(e.tid) == slept && kt_now_ms() < end)
		usleep(100);
	kt_check(kt_times_slept(e.tid) == slept + 1,
		 "HELLO made it look %llu times", kt_times_slept(e.tid) - slept);
	kt_assert_ret(conn_send_bytes(&a, hi.hello.id, 1, "x", 1), 0, "send");
	kt_join(t);
	kt_check(e.n == 1 && e.got.events == EPOLLIN, "a message: %d", e.n);
	close(e.ep);
}
END_TEST

struct early {
	u64 dst;
	int ret;
};

static void *sends_early(void *arg)
{
	u64 end = kt_now_ms() + 20000;
	struct early *s = arg;

	do {
		s->ret = conn_send_bytes(&a, s->dst, 1, "x", 1);
	} while (s->ret == -ENXIO && kt_now_ms() < end);
	return NULL;
}

/* a message from the very moment on at which the connection is there */
START_TEST(edge_while_hello)
{
	struct early s = { 0 };
	struct edge e;
	pthread_t t, u;
	int fd, i;

	pair_open();
	if (!kt_parallel())
		kt_note("one processor: they hardly meet");
	for (i = 0; i < 100; i++) {
		fd = open_endpoint(&bus);
		t = edge_start(&e, fd);
		s.dst = b.id + 1 + i;
		u = kt_thread(sends_early, &s);
		kt_assert_ret(hello(fd, 0, POOL), 0, "HELLO");
		kt_join(u);
		kt_assert_ret(s.ret, 0, "send to %llu", s.dst);
		kt_join(t);
		kt_assert(e.n == 1 && e.got.events == EPOLLIN,
			  "round %d: the edge was lost", i);
		close(e.ep);
		close(fd);
	}
}
END_TEST

START_TEST(other_interfaces)
{
	struct epoll_event ev = { .events = EPOLLIN }, got;
	struct timeval tv = { 0 };
	fd_set r, w;
	int ep = epoll_create1(EPOLL_CLOEXEC), i;

	pair_open();
	kt_assert(!epoll_ctl(ep, EPOLL_CTL_ADD, b.fd, &ev), "epoll_ctl: %m");
	kt_check(epoll_wait(ep, &got, 1, 0) == 0, "epoll, empty queue");
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	for (i = 0; i < 2; i++)
		kt_check(epoll_wait(ep, &got, 1, 0) == 1 &&
			 got.events == EPOLLIN, "epoll is level-triggered");
	FD_ZERO(&r);
	FD_ZERO(&w);
	FD_SET(b.fd, &r);
	FD_SET(b.fd, &w);
	kt_check(select(b.fd + 1, &r, &w, NULL, &tv) == 2, "select");
	conn_drain(&b);
	kt_check(epoll_wait(ep, &got, 1, 0) == 0, "epoll, empty again");

	ev.events = EPOLLIN | EPOLLET;
	kt_assert(!epoll_ctl(ep, EPOLL_CTL_MOD, b.fd, &ev), "epoll_ctl: %m");
	for (i = 0; i < 3; i++) {
		kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
		kt_check(epoll_wait(ep, &got, 1, 0) == 1,
			 "message %d made no edge", i);
	}
	kt_assert_ret(conn_byebye(&a), 0, "BYEBYE");
	bus_close(&bus);
	kt_check(epoll_wait(ep, &got, 1, 0) == 1 && got.events & EPOLLHUP,
		 "death made no edge");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* A thread that sleeps in poll() is woken */

struct waiter {
	pthread_t thread;
	pid_t tid;
	int fd;
	short events;
	int revents;
	u64 woken_ms;
};

static void *waits(void *arg)
{
	struct waiter *w = arg;
	struct pollfd p = { .fd = w->fd, .events = w->events };
	int n;

	__atomic_store_n(&w->tid, kt_tid(), __ATOMIC_SEQ_CST);
	n = poll(&p, 1, 30000);
	w->revents = n == 1 ? p.revents : 0;
	w->woken_ms = kt_now_ms();
	return NULL;
}

static void start(struct waiter *w, int fd, short events)
{
	pid_t tid;

	w->fd = fd;
	w->events = events;
	w->tid = 0;
	w->thread = kt_thread(waits, w);
	while (!(tid = __atomic_load_n(&w->tid, __ATOMIC_SEQ_CST)))
		sched_yield();
	kt_wait_asleep(tid);
}

static void finish(struct waiter *w, int want, const char *what)
{
	kt_join(w->thread);
	kt_check(w->revents == want, "%s: revents %#x, expected %#x", what,
		 w->revents, want);
}

START_TEST(woken_by_message)
{
	struct waiter w;
	int i;

	pair_open();
	for (i = 0; i < 20; i++) {
		start(&w, b.fd, POLLIN);
		kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
		finish(&w, POLLIN, "message");
		conn_drain(&b);
	}
}
END_TEST

START_TEST(all_are_woken)
{
	enum { N = 5 };
	struct waiter w[N];
	int i;

	pair_open();
	for (i = 0; i < N; i++)
		start(&w[i], b.fd, POLLIN);
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	for (i = 0; i < N; i++)
		finish(&w[i], POLLIN, "message");
}
END_TEST

START_TEST(woken_by_byebye)
{
	struct waiter w;

	pair_open();
	start(&w, b.fd, POLLIN);
	kt_assert_ret(conn_byebye(&b), 0, "BYEBYE");
	finish(&w, DEAD, "BYEBYE");
}
END_TEST

START_TEST(woken_by_bus_death)
{
	struct waiter v, w;

	pair_open();
	start(&v, a.fd, POLLIN);
	start(&w, b.fd, 0);
	bus_close(&bus);
	finish(&v, DEAD, "bus died, waiting for POLLIN");
	finish(&w, DEAD, "bus died, waiting for nothing");
}
END_TEST

/* closing another reference is no death, and does not disturb the waiter */
START_TEST(close_of_a_dup)
{
	struct waiter w;

	pair_open();
	close(dup(b.fd));
	start(&w, b.fd, POLLIN);
	close(dup(b.fd));
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	finish(&w, POLLIN, "message after close of a dup");
}
END_TEST

/*
 * The descriptor is closed under the poll. The file lives until that returns,
 * though what poll() then says is about a number that is no descriptor.
 */
START_TEST(close_while_polling)
{
	struct waiter w;
	int fd;

	pair_open();
	fd = dup(b.fd);
	close(b.fd);
	start(&w, fd, POLLIN);
	close(fd);
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0,
		      "send to a connection that is only polled");
	finish(&w, POLLNVAL, "message after close");
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), -ENXIO,
		     "send after poll returned");
}
END_TEST

KT_SUITE("poll")
{
	kt_test(states);
	kt_test(messages);
	kt_test(dead_with_messages);
	kt_test(full_receiver_is_no_matter);
	kt_test(epoll_before_hello);
	kt_test(edge_before_hello);
	kt_test(edge_while_hello);
	kt_test(other_interfaces);
	kt_test(woken_by_message);
	kt_test(all_are_woken);
	kt_test(woken_by_byebye);
	kt_test(woken_by_bus_death);
	kt_test(close_of_a_dup);
	kt_test(close_while_polling);
}
