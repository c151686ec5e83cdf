// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads at once. Each test runs for a bounded time; whoever wins,
 * what came out must be one of the outcomes that the rules allow.
 */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cast.h"
#include "suites.h"

#define POOL		(64 * KIB)
#define RACE_MS		2500

#define MAX_FIGHTERS	4

struct duel {
	pthread_barrier_t barrier;
	pthread_t threads[MAX_FIGHTERS];
	int n;
	int (*fight)(struct duel *d, int who);
	int ret[MAX_FIGHTERS];
	bool over;
	unsigned int rounds;
	u64 end;

	/* what they fight about */
	struct bus bus;
	struct conn a, b;
	int fd[MAX_FIGHTERS];
	char name[MAX_FIGHTERS][64];
	u64 offset;
};

struct fighter {
	struct duel *duel;
	int who;
};

static void *fighter(void *arg)
{
	struct fighter *f = arg;
	struct duel *d = f->duel;
	int who = f->who;
	u32 rnd = kt_seed + who * 7919;

	free(f);
	for (;;) {
		volatile u32 delay;

		pthread_barrier_wait(&d->barrier);
		if (d->over)
			return NULL;
		/* so that not always the same one is a little earlier */
		for (delay = kt_rand(&rnd) % 2000; delay; delay--)
			;
		d->ret[who] = d->fight(d, who);
		pthread_barrier_wait(&d->barrier);
	}
}

static struct duel *duel_start(int n, int (*fight)(struct duel *d, int who))
{
	struct duel *d = calloc(1, sizeof(*d));
	int i;

	d->n = n;
	d->fight = fight;
	d->end = kt_now_ms() + RACE_MS;
	pthread_barrier_init(&d->barrier, NULL, n + 1);
	for (i = 0; i < n; i++) {
		struct fighter *f = malloc(sizeof(*f));

		f->duel = d;
		f->who = i;
		d->threads[i] = kt_thread(fighter, f);
	}
	return d;
}

static bool duel_on(struct duel *d)
{
	return kt_go_on(d->end, d->rounds >= 5);
}

static void duel_round(struct duel *d)
{
	d->rounds++;
	pthread_barrier_wait(&d->barrier);
	pthread_barrier_wait(&d->barrier);
}

static void duel_end(struct duel *d)
{
	int i;

	d->over = true;
	pthread_barrier_wait(&d->barrier);
	for (i = 0; i < d->n; i++)
		kt_join(d->threads[i]);
	kt_check(d->rounds >= 5, "only %u rounds", d->rounds);
}

static int count_ret(const struct duel *d, int ret)
{
	int i, n = 0;

	for (i = 0; i < d->n; i++)
		n += d->ret[i] == ret;
	return n;
}

/* exactly one 0, all others one of two errors; returns the winner */
static int check_one_wins(const struct duel *d, int err, int or)
{
	int i, winner = 0;

	for (i = 0; i < d->n; i++)
		if (!d->ret[i])
			winner = i;
	kt_check(count_ret(d, 0) == 1 &&
		 count_ret(d, -err) + (or == err ? 0 : count_ret(d, -or)) ==
			 d->n - 1,
		 "round %u: results %s, %s, %s, %s of %d", d->rounds,
		 kt_err(d->ret[0]), kt_err(d->ret[1]), kt_err(d->ret[2]),
		 kt_err(d->ret[3]), d->n);
	return winner;
}

static int fight_make(struct duel *d, int who)
{
	return bus_try_make(d->fd[who], 0, d->name[who]);
}

START_TEST(make_same_name)
{
	struct duel *d = duel_start(2, fight_make);
	int i, winner;

	while (duel_on(d)) {
		for (i = 0; i < 2; i++) {
			d->fd[i] = open_control();
			if (!i)
				bus_name(d->name[0], 64);
			strcpy(d->name[1], d->name[0]);
		}
		duel_round(d);
		winner = check_one_wins(d, EEXIST, EEXIST);
		strcpy(d->bus.name, d->name[0]);
		bus_paths(&d->bus);
		kt_check(path_exists(d->bus.path), "no node");
		close(d->fd[!winner]);
		kt_check(path_exists(d->bus.path), "the loser took the node");
		close(d->fd[winner]);
		kt_check(!path_exists(d->bus.dir), "the node stays");
	}
	duel_end(d);
}
END_TEST

START_TEST(make_on_one_handle)
{
	struct duel *d = duel_start(2, fight_make);
	int i, winner;

	while (duel_on(d)) {
		d->fd[0] = d->fd[1] = open_control();
		for (i = 0; i < 2; i++)
			bus_name(d->name[i], 64);
		duel_round(d);
		winner = check_one_wins(d, EBADFD, EBADFD);
		for (i = 0; i < 2; i++) {
			strcpy(d->bus.name, d->name[i]);
			bus_paths(&d->bus);
			kt_check(path_exists(d->bus.path) == (i == winner),
				 "node of the %s", i == winner ? "winner" :
				 "loser");
		}
		close(d->fd[0]);
	}
	duel_end(d);
}
END_TEST

static int fight_hello(struct duel *d, int who)
{
	return hello(d->fd[who], 0, POOL);
}

START_TEST(hello_on_one_handle)
{
	struct duel *d = duel_start(3, fight_hello);
	u64 off;

	bus_make(&d->bus, 0);
	while (duel_on(d)) {
		struct conn c;

		c.fd = d->fd[0] = d->fd[1] = d->fd[2] = open_endpoint(&d->bus);
		duel_round(d);
		check_one_wins(d, EBADFD, ENOTTY);
		kt_check_ret(conn_recv(&c, &off), -EAGAIN, "the connection");
		kt_check_ret(conn_byebye(&c), 0, "BYEBYE");
		close(c.fd);
	}
	duel_end(d);
}
END_TEST

/* HELLO, and a match as soon as the connection is there */
static int fight_match(struct duel *d, int who)
{
	struct conn c = { .fd = d->fd[who] };
	static struct blob b;
	int ret;

	if (!who)
		return hello(c.fd, 0, POOL);
	match_init(&b, 1, 0);
	rule_id_change(&b, KDBUS_ITEM_ID_ADD, ANY);
	do {
		ret = match_add(&c, &b);
	} while (ret == -ENOTTY);
	return ret;
}

START_TEST(not_told_of_itself)
{
	struct duel *d = duel_start(2, fight_match);
	unsigned int told = 0;

	bus_make(&d->bus, 0);
	while (duel_on(d)) {
		struct conn c = { .fd = open_endpoint(&d->bus) };
		u64 off;

		d->fd[0] = d->fd[1] = c.fd;
		duel_round(d);
		kt_check(!d->ret[0] && !d->ret[1], "HELLO: %s, MATCH_ADD: %s",
			 kt_err(d->ret[0]), kt_err(d->ret[1]));
		told += !conn_recv(&c, &off);
		close(c.fd);
	}
	kt_check(!told, "%u of %u connections got their own ID_ADD", told,
		 d->rounds);
	duel_end(d);
}
END_TEST

static int fight_byebye(struct duel *d, int who)
{
	(void)who;
	return conn_byebye(&d->b);
}

START_TEST(byebye_once)
{
	struct duel *d = duel_start(4, fight_byebye);

	bus_make(&d->bus, 0);
	while (duel_on(d)) {
		conn_open(&d->b, &d->bus, POOL);
		duel_round(d);
		check_one_wins(d, EALREADY, EALREADY);
		conn_close(&d->b);
	}
	duel_end(d);
}
END_TEST

static int fight_free(struct duel *d, int who)
{
	(void)who;
	return conn_free(&d->b, d->offset);
}

START_TEST(free_once)
{
	struct duel *d = duel_start(3, fight_free);

	bus_make(&d->bus, 0);
	conn_open(&d->b, &d->bus, POOL);
	while (duel_on(d)) {
		kt_assert_ret(conn_send_bytes(&d->b, d->b.id, 1, "x", 1), 0,
			      "send");
		conn_recv_msg(&d->b, &d->offset);
		duel_round(d);
		check_one_wins(d, ENXIO, ENXIO);
	}
	conn_check_pool_empty(&d->b, &d->b);
	duel_end(d);
}
END_TEST

static int fight_recv(struct duel *d, int who)
{
	u64 off;
	int ret = conn_recv_flags(&d->b, who == 2 ? KDBUS_RECV_DROP : 0, &off);

	if (!ret && who != 2)
		d->offset = off;
	return ret;
}

/* one message, two that receive and one that drops */
START_TEST(receive_once)
{
	struct duel *d = duel_start(3, fight_recv);

	bus_make(&d->bus, 0);
	conn_open(&d->b, &d->bus, POOL);
	while (duel_on(d)) {
		kt_assert_ret(conn_send_bytes(&d->b, d->b.id, 1, "x", 1), 0,
			      "send");
		duel_round(d);
		if (check_one_wins(d, EAGAIN, EAGAIN) != 2)
			kt_check_ret(conn_free(&d->b, d->offset), 0, "free");
	}
	conn_check_pool_empty(&d->b, &d->b);
	duel_end(d);
}
END_TEST

static int fight_send_byebye(struct duel *d, int who)
{
	if (who)
		return conn_byebye(&d->b);
	return conn_send_bytes(&d->a, d->b.id, d->rounds, "x", 1);
}

/* a message that was accepted keeps the receiver from leaving */
START_TEST(send_or_byebye)
{
	struct duel *d = duel_start(2, fight_send_byebye);
	unsigned int sent = 0, left = 0;

	bus_make(&d->bus, 0);
	conn_open(&d->a, &d->bus, POOL);
	while (duel_on(d)) {
		conn_open(&d->b, &d->bus, 4096);
		duel_round(d);
		if (!d->ret[0]) {
			kt_check_ret(d->ret[1], -EBUSY, "BYEBYE, message sent");
			kt_check(conn_recv_msg(&d->b, NULL)->cookie ==
				 d->rounds, "message");
			sent++;
		} else {
			kt_check(d->ret[0] == -ENXIO ||
				 d->ret[0] == -ECONNRESET, "send: %s",
				 kt_err(d->ret[0]));
			kt_check_ret(d->ret[1], 0, "BYEBYE, nothing sent");
			left++;
		}
		conn_close(&d->b);
	}
	kt_note("send won %u times, BYEBYE %u", sent, left);
	duel_end(d);
}
END_TEST

static int fight_recv_byebye(struct duel *d, int who)
{
	return who ? conn_byebye(&d->b) : conn_recv(&d->b, &d->offset);
}

/* with a message queued, BYEBYE can only win after it was received */
START_TEST(receive_or_byebye)
{
	struct duel *d = duel_start(2, fight_recv_byebye);

	bus_make(&d->bus, 0);
	conn_open(&d->a, &d->bus, POOL);
	while (duel_on(d)) {
		conn_open(&d->b, &d->bus, 4096);
		kt_assert_ret(conn_send_bytes(&d->a, d->b.id, 1, "x", 1), 0,
			      "send");
		duel_round(d);
		kt_check_ret(d->ret[0], 0, "recv");
		kt_check(!d->ret[1] || d->ret[1] == -EBUSY, "BYEBYE: %s",
			 kt_err(d->ret[1]));
		conn_close(&d->b);
	}
	duel_end(d);
}
END_TEST

static int fight_bus_death(struct duel *d, int who)
{
	switch (who) {
	case 0:
		return close(d->bus.fd) ? -errno : 0;
	case 1:
		return conn_send_bytes(&d->a, d->b.id, 1, "x", 1);
	case 2:
		return hello(d->fd[2], 0, 4096);
	default:
		return conn_byebye(&d->a);
	}
}

START_TEST(bus_dies_under_all)
{
	struct duel *d = duel_start(4, fight_bus_death);

	while (duel_on(d)) {
		bus_make(&d->bus, 0);
		conn_open(&d->a, &d->bus, 4096);
		conn_open(&d->b, &d->bus, 4096);
		d->fd[2] = open_endpoint(&d->bus);
		duel_round(d);
		kt_check(!path_exists(d->bus.dir), "the node stays");
		kt_check(!d->ret[1] || d->ret[1] == -ENXIO ||
			 d->ret[1] == -ECONNRESET, "send: %s",
			 kt_err(d->ret[1]));
		kt_check(!d->ret[2] || d->ret[2] == -ESHUTDOWN, "HELLO: %s",
			 kt_err(d->ret[2]));
		kt_check(!d->ret[3] || d->ret[3] == -EALREADY, "BYEBYE: %s",
			 kt_err(d->ret[3]));
		/* a connection that came late is dead as well */
		kt_check_ret(hello(d->fd[2], 0, 4096), d->ret[2] ? -ESHUTDOWN :
			     -ECONNRESET, "HELLO after the end");
		kt_check_ret(conn_recv(&d->b, NULL), -ECONNRESET, "recv");
		kt_check_ret(conn_byebye(&d->a), -EALREADY, "BYEBYE");
		close(d->fd[2]);
		conn_close(&d->a);
		conn_close(&d->b);
	}
	duel_end(d);
}
END_TEST

static int fight_close_send(struct duel *d, int who)
{
	if (who)
		return close(d->b.fd) ? -errno : 0;
	return conn_send_bytes(&d->a, d->b.id, 1, "x", 1);
}

START_TEST(send_or_close)
{
	struct duel *d = duel_start(2, fight_close_send);

	bus_make(&d->bus, 0);
	conn_open(&d->a, &d->bus, POOL);
	while (duel_on(d)) {
		conn_open(&d->b, &d->bus, 4096);
		duel_round(d);
		kt_check(!d->ret[0] || d->ret[0] == -ENXIO ||
			 d->ret[0] == -ECONNRESET, "send: %s",
			 kt_err(d->ret[0]));
		kt_check_ret(conn_send_bytes(&d->a, d->b.id, 1, "x", 1),
			     -ENXIO, "send after close");
		munmap(d->b.pool, d->b.pool_size);
	}
	duel_end(d);
}
END_TEST

/* one more bus, one more connection: for two there is no room */
START_TEST(bus_limit)
{
	struct duel *d = duel_start(2, fight_make);
	char name[64];
	int i, winner;

	kt_become(20071);
	for (i = 0; i < 15; i++) {
		bus_name(name, sizeof(name));
		kt_assert_ret(bus_try_make(open_control(), 0, name), 0,
			      "bus %d", i);
	}
	while (duel_on(d)) {
		for (i = 0; i < 2; i++) {
			d->fd[i] = open_control();
			bus_name(d->name[i], 64);
		}
		duel_round(d);
		winner = check_one_wins(d, EMFILE, EMFILE);
		strcpy(d->bus.name, d->name[!winner]);
		bus_paths(&d->bus);
		kt_check(!path_exists(d->bus.dir), "node of the loser");
		close(d->fd[0]);
		close(d->fd[1]);
	}
	duel_end(d);
}
END_TEST

START_TEST(connection_limit)
{
	struct duel *d;
	int i;

	d = duel_start(2, fight_hello);
	bus_make(&d->bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(20072);
	for (i = 0; i < 255; i++)
		kt_assert_ret(hello(open_endpoint(&d->bus), 0, 4096), 0,
			      "connection %d", i);
	d->end = kt_now_ms() + RACE_MS;
	while (duel_on(d)) {
		for (i = 0; i < 2; i++)
			d->fd[i] = open_endpoint(&d->bus);
		duel_round(d);
		check_one_wins(d, EMFILE, EMFILE);
		close(d->fd[0]);
		close(d->fd[1]);
	}
	duel_end(d);
}
END_TEST

static int send_half(struct duel *d, int who)
{
	static u8 bytes[POOL];

	(void)who;
	return conn_send_want(&d->a, d->b.id, bytes, POOL / 2);
}

/* what one leaves is not enough for the other, wherever that one is by then */
START_TEST(half_of_a_pool)
{
	struct duel *d = duel_start(2, send_half);

	bus_make(&d->bus, 0);
	conn_open(&d->a, &d->bus, POOL);
	d->end = kt_now_ms() + RACE_MS;
	while (duel_on(d)) {
		conn_open(&d->b, &d->bus, POOL);
		duel_round(d);
		check_one_wins(d, EXFULL, EXFULL);
		conn_close(&d->b);
	}
	duel_end(d);
	kt_note("%u rounds", d->rounds);
}
END_TEST

/* as who has no privilege, 100 descriptors in flight */
static void start_files(struct duel *d)
{
	struct rlimit lim = { .rlim_cur = 100, .rlim_max = 100 };

	bus_make(&d->bus, 0);
	conn_open(&d->a, &d->bus, POOL);
	kt_assert_ret(conn_try_open(&d->b, &d->bus, KDBUS_HELLO_ACCEPT_FD,
				    POOL), 0, "HELLO");
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");
}

static int send_files(struct duel *d, unsigned int n)
{
	int fds[60] = { 0 };
	struct blob m;

	msg_init(&m, d->b.id, 1);
	msg_fds(&m, fds, n);
	return conn_send(&d->a, &m);
}

static int send_60(struct duel *d, int who)
{
	(void)who;
	return send_files(d, 60);
}

static int send_50(struct duel *d, int who)
{
	(void)who;
	return send_files(d, 50);
}

static unsigned int drop_all(struct conn *c)
{
	unsigned int n = 0;

	while (!conn_recv_flags(c, KDBUS_RECV_DROP, NULL))
		n++;
	return n;
}

/* two that do not fit together: one of them */
START_TEST(files_limit)
{
	struct duel *d;

	kt_drop_caps();
	d = duel_start(2, send_60);
	start_files(d);
	while (duel_on(d)) {
		duel_round(d);
		check_one_wins(d, ETOOMANYREFS, ETOOMANYREFS);
		kt_check(drop_all(&d->b) == 1, "messages");
	}
	duel_end(d);
	kt_note("%u rounds", d->rounds);
}
END_TEST

/* two that just fit: both, as none is counted twice on its way */
START_TEST(files_fit)
{
	struct duel *d;

	kt_drop_caps();
	d = duel_start(2, send_50);
	start_files(d);
	while (duel_on(d)) {
		duel_round(d);
		kt_check(!d->ret[0] && !d->ret[1], "%s and %s",
			 kt_err(d->ret[0]), kt_err(d->ret[1]));
		kt_check(drop_all(&d->b) == 2, "messages");
	}
	duel_end(d);
	kt_note("%u rounds", d->rounds);
}
END_TEST

void suite_race(void)
{
	kt_suite("race");
	kt_test(make_same_name);
	kt_test(make_on_one_handle);
	kt_test(hello_on_one_handle);
	kt_test(not_told_of_itself);
	kt_test(byebye_once);
	kt_test(free_once);
	kt_test(receive_once);
	kt_test(send_or_byebye);
	kt_test(receive_or_byebye);
	kt_test(bus_dies_under_all);
	kt_test(send_or_close);
	kt_test(bus_limit);
	kt_test(connection_limit);
	kt_test(half_of_a_pool);
	kt_test(files_limit);
	kt_test(files_fit);
}
