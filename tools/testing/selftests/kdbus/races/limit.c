// SPDX-License-Identifier: GPL-2.0-only
/* Several threads at once: at a limit */

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "duel.h"

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

static void check_both_win(const struct duel *d)
{
	kt_check(!d->ret[0] && !d->ret[1], "round %u: %s, %s", d->rounds,
		 kt_err(d->ret[0]), kt_err(d->ret[1]));
}

/* both send to a new pool each time; if @err is not 0, one fails with it */
static void fill_pools(struct duel *d, int err)
{
	d->end = kt_now_ms() + RACE_MS;
	while (duel_on(d)) {
		conn_open(&d->b, &d->bus, POOL);
		duel_round(d);
		if (err)
			check_one_wins(d, err, err);
		else
			check_both_win(d);
		conn_close(&d->b);
	}
	duel_end(d);
	kt_note("%u rounds", d->rounds);
}

/* sender and receiver are different users */
static void start_limited(struct duel *d)
{
	kt_become(20073);
	bus_make(&d->bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&d->a, &d->bus, POOL);
	kt_become(20074);
}

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
	fill_pools(d, EXFULL);
}
END_TEST

static int send_third(struct duel *d, int who)
{
	static u8 bytes[POOL];

	(void)who;
	return conn_send_want(&d->a, d->b.id, bytes, POOL * 3 / 10);
}

static int send_quarter(struct duel *d, int who)
{
	static u8 bytes[POOL];

	(void)who;
	return conn_send_want(&d->a, d->b.id, bytes, POOL * 24 / 100);
}

/* which is not to say that what fits together is refused */
START_TEST(quarters_for_one_user)
{
	struct duel *d = duel_start(2, send_quarter);

	start_limited(d);
	fill_pools(d, 0);
}
END_TEST

/* a user may take half of it, be it with two messages at once */
START_TEST(half_for_one_user)
{
	struct duel *d = duel_start(2, send_third);

	start_limited(d);
	conn_open(&d->b, &d->bus, POOL);
	kt_check_ret(send_third(d, 0), 0, "alone");
	kt_check_ret(send_third(d, 0), -ENOBUFS, "more than half");
	conn_close(&d->b);
	fill_pools(d, ENOBUFS);
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
		check_both_win(d);
		kt_check(drop_all(&d->b) == 2, "messages");
	}
	duel_end(d);
	kt_note("%u rounds", d->rounds);
}
END_TEST

KT_SUITE_LATE("race-limit")
{
	kt_test(bus_limit);
	kt_test(connection_limit);
	kt_test(half_of_a_pool);
	kt_test(half_for_one_user);
	kt_test(quarters_for_one_user);
	kt_test(files_limit);
	kt_test(files_fit);
}
