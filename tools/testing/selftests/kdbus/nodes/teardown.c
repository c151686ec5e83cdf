// SPDX-License-Identifier: GPL-2.0-only
/* Things go away in every order */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(64 * KIB)

enum { OWNER, CONN_A, CONN_B, MAPPING, ENDPOINT, N_THINGS };

static const char * const names[N_THINGS] = {
	"owner", "A", "B", "mapping", "endpoint",
};

struct world {
	struct bus bus;
	struct conn a, b;
	int ep;
	u64 held;		/* a message B received */
	bool gone[N_THINGS];
	char history[128];
};

static u8 bytes[5000];

static void create(struct world *w)
{
	struct blob m;
	int fd;

	memset(w, 0, sizeof(*w));
	bus_make(&w->bus, 0);
	conn_open(&w->a, &w->bus, POOL);
	conn_open(&w->b, &w->bus, POOL);
	w->ep = open_endpoint(&w->bus);
	kt_fill(bytes, sizeof(bytes), 21);
	kt_assert_ret(conn_send_bytes(&w->a, w->b.id, 1, bytes,
				      sizeof(bytes)), 0, "send");
	conn_recv_msg(&w->b, &w->held);
	/* and some that nobody will receive, with a file */
	fd = kt_memfd(100, KT_SEALS, 1);
	msg_init(&m, w->b.id, 2);
	msg_memfd(&m, fd, 100);
	kt_assert_ret(conn_send(&w->a, &m), 0, "send");
	close(fd);
	kt_assert_ret(conn_send_bytes(&w->b, w->a.id, 3, "x", 1), 0, "send");
}

static void destroy(struct world *w, int what)
{
	switch (what) {
	case OWNER:
		close(w->bus.fd);
		break;
	case CONN_A:
		close(w->a.fd);
		break;
	case CONN_B:
		close(w->b.fd);
		break;
	case MAPPING:
		munmap(w->b.pool, POOL);
		break;
	default:
		kt_check_ret(hello(w->ep, 0, POOL),
			     w->gone[OWNER] ? -ESHUTDOWN : 0,
			     "after%s: HELLO", w->history);
		close(w->ep);
	}
	w->gone[what] = true;
	strcat(w->history, " ");
	strcat(w->history, names[what]);
}

static void check_mapping(struct world *w)
{
	const struct kdbus_msg *m = (void *)(w->b.pool + w->held);

	kt_check(m->cookie == 1 && !memcmp((u8 *)m + m->size, bytes,
					   sizeof(bytes)),
		 "after%s: the mapping changed", w->history);
}

static void check(struct world *w)
{
	int want = w->gone[OWNER] ? -ECONNRESET : w->gone[CONN_B] ? -ENXIO : 0;

	kt_check(path_exists(w->bus.path) == !w->gone[OWNER],
		 "after%s: wrong node", w->history);
	if (!w->gone[CONN_A])
		kt_check_ret(conn_send_bytes(&w->a, w->b.id, 9, "x", 1), want,
			     "after%s: send", w->history);
	if (!w->gone[CONN_B]) {
		u64 off;

		kt_check(!!(fd_poll(w->b.fd, 0) & POLLHUP) == w->gone[OWNER],
			 "after%s: poll", w->history);
		kt_check_ret(conn_recv_flags(&w->b, KDBUS_RECV_PEEK, &off),
			     w->gone[OWNER] ? -ECONNRESET : 0,
			     "after%s: peek", w->history);
	}
	if (!w->gone[MAPPING])
		check_mapping(w);
}

static void permute(int *order, int n)
{
	struct world w;
	int i;

	if (n < N_THINGS) {
		for (i = n; i < N_THINGS; i++) {
			int swap = order[n];

			order[n] = order[i];
			order[i] = swap;
			permute(order, n + 1);
			order[i] = order[n];
			order[n] = swap;
		}
		return;
	}
	create(&w);
	check(&w);
	for (i = 0; i < N_THINGS; i++) {
		destroy(&w, order[i]);
		check(&w);
	}
	munmap(w.a.pool, POOL);
}

START_TEST(every_order)
{
	int order[N_THINGS] = { 0, 1, 2, 3, 4 };

	permute(order, 0);
}
END_TEST

/* neither other buses nor their connections notice */
START_TEST(other_bus_stays)
{
	struct bus one, two;
	struct conn a, b, c;

	bus_make(&one, 0);
	bus_make(&two, 0);
	conn_open(&a, &one, POOL);
	conn_open(&b, &two, POOL);
	conn_open(&c, &two, POOL);
	bus_close(&one);
	kt_check(path_exists(two.path), "the other bus went, too");
	kt_check_ret(conn_send_bytes(&b, c.id, 1, "x", 1), 0, "send");
	kt_check(conn_drain(&c) == 1, "message");
}
END_TEST

START_TEST(many_connections)
{
	enum { N = 100 };
	struct conn c[N];
	struct bus bus;
	int i, round;

	for (round = 0; round < 3; round++) {
		bus_make(&bus, 0);
		for (i = 0; i < N; i++) {
			conn_open(&c[i], &bus, 4096);
			kt_assert_ret(conn_send_bytes(&c[i], c[i / 2].id, i,
						      "x", 1), 0, "send %d", i);
		}
		if (round)
			bus_close(&bus);
		for (i = 0; i < N; i++)
			conn_close(&c[round == 2 ? N - 1 - i : i]);
		if (!round)
			bus_close(&bus);
		kt_check(!path_exists(bus.dir), "%s stays", bus.dir);
	}
}
END_TEST

/* a bus of the same name is another bus */
START_TEST(name_taken_again)
{
	struct bus bus, again;
	struct conn a, b;
	int ep;

	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	ep = open_endpoint(&bus);
	again = bus;
	bus_close(&bus);
	again.fd = open_control();
	kt_assert_ret(bus_try_make(again.fd, 0, again.name), 0, "BUS_MAKE");
	conn_open(&b, &again, POOL);
	kt_check(b.id == 1, "first id is %llu", b.id);
	kt_check(memcmp(a.hello.id128, b.hello.id128, 16), "same uuid");
	kt_check_ret(hello(ep, 0, POOL), -ESHUTDOWN, "HELLO on the old node");
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), -ECONNRESET,
		     "old connection");
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "stray message");
	kt_check(fd_poll(b.fd, 0) == (POLLOUT | POLLWRNORM), "poll");
}
END_TEST

struct family {
	struct bus bus;
	int ready[2];
};

static int connects_and_waits(void *arg)
{
	struct family *f = arg;
	struct conn c[4];
	int i;

	for (i = 0; i < 4; i++) {
		conn_open(&c[i], &f->bus, POOL);
		kt_assert_ret(conn_send_bytes(&c[i], c[0].id, i, bytes, 1000),
			      0, "send");
	}
	if (write(f->ready[1], "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

/* processes with connections, mappings and messages are killed */
START_TEST(killed_peers)
{
	struct family f;
	struct conn c;
	pid_t pids[4];
	u64 id;
	int i;
	char x;

	bus_make(&f.bus, 0);
	kt_assert(!pipe(f.ready), "pipe: %m");
	for (i = 0; i < 4; i++) {
		pids[i] = kt_fork_as(0, 0, connects_and_waits, &f);
		kt_assert(read(f.ready[0], &x, 1) == 1, "child not ready");
	}
	conn_open(&c, &f.bus, POOL);
	for (id = 1; id <= 16; id++)
		kt_check_ret(conn_send_bytes(&c, id, 1, "x", 1), 0,
			     "send to %llu", id);
	kill(pids[0], SIGKILL);
	kill(pids[1], SIGKILL);
	kt_wait(pids[0]);
	kt_wait(pids[1]);
	for (id = 1; id <= 16; id++)
		kt_check_ret(conn_send_bytes(&c, id, 1, "x", 1),
			     id <= 8 ? -ENXIO : 0, "send to %llu", id);
	bus_close(&f.bus);
	kill(pids[2], SIGKILL);
	kill(pids[3], SIGKILL);
	kt_check(kt_wait(pids[2]) == 128 + SIGKILL, "child");
	kt_check(kt_wait(pids[3]) == 128 + SIGKILL, "child");
	kt_check(!path_exists(f.bus.dir), "%s stays", f.bus.dir);
}
END_TEST

/* exec closes what is close-on-exec, as all handles here are */
START_TEST(closed_by_exec)
{
	struct family f;
	struct conn c;
	int ep;
	pid_t pid;
	char x;

	bus_make(&f.bus, 0);
	ep = open_endpoint(&f.bus);
	kt_assert(!pipe(f.ready), "pipe: %m");
	pid = fork();
	kt_assert(pid >= 0, "fork: %m");
	if (!pid) {
		static char name[] = "/proc/self/exe", list[] = "-l";
		char *argv[] = { name, list, NULL };

		if (hello(ep, 0, POOL))
			_exit(1);
		close(STDOUT_FILENO);
		if (write(f.ready[1], "x", 1) != 1)
			_exit(1);
		execv(name, argv);
		_exit(1);
	}
	close(ep);
	kt_assert(read(f.ready[0], &x, 1) == 1, "child not ready");
	kt_wait(pid);
	conn_open(&c, &f.bus, POOL);
	kt_check_ret(conn_send_bytes(&c, 1, 1, "x", 1), -ENXIO,
		     "connection of a process that did exec");
}
END_TEST

START_TEST(again_and_again)
{
	struct world w;
	int i, j;

	for (i = 0; i < 100; i++) {
		create(&w);
		for (j = 0; j < N_THINGS; j++)
			destroy(&w, (i + j) % N_THINGS);
		munmap(w.a.pool, POOL);
	}
}
END_TEST

KT_SUITE("teardown")
{
	kt_test_slow(every_order, 120);
	kt_test(other_bus_stays);
	kt_test(many_connections);
	kt_test(name_taken_again);
	kt_test(killed_peers);
	kt_test(closed_by_exec);
	kt_test(again_and_again);
}
