// SPDX-License-Identifier: GPL-2.0-only
/* Several threads at once: who makes, connects, receives, frees and leaves */

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "duel.h"

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
			kt_check_ret(d->ret[0], -ENXIO, "send");
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
		kt_check(!d->ret[0] || d->ret[0] == -ENXIO, "send: %s",
			 kt_err(d->ret[0]));
		kt_check_ret(conn_send_bytes(&d->a, d->b.id, 1, "x", 1),
			     -ENXIO, "send after close");
		munmap(d->b.pool, d->b.pool_size);
	}
	duel_end(d);
}
END_TEST

KT_SUITE_LATE("race")
{
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
}
