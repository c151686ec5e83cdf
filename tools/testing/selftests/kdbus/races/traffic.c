// SPDX-License-Identifier: GPL-2.0-only
/* Many senders at a time */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL		(64 * KIB)
#define RACE_MS		2500

#define SENDERS		4
#define PER_SENDER	400
#define MAX_BYTES	6000

struct traffic {
	struct bus bus;
	struct conn receiver;
	struct conn senders[SENDERS];
	u32 seen[SENDERS * PER_SENDER];
	unsigned int received;
};

struct source {
	struct traffic *t;
	int who;
};

static u32 message_seed(u64 cookie)
{
	return cookie * 2654435761U + 1;
}

static size_t message_size(u64 cookie)
{
	return 1 + message_seed(cookie) % MAX_BYTES;
}

static void *sends(void *arg)
{
	struct source *s = arg;
	struct traffic *t = s->t;
	u8 bytes[MAX_BYTES];
	int i, ret;

	for (i = 0; i < PER_SENDER; i++) {
		u64 cookie = s->who * PER_SENDER + i;
		size_t size = message_size(cookie);

		kt_fill(bytes, size, message_seed(cookie));
		do {
			ret = conn_send_bytes(&t->senders[s->who],
					      t->receiver.id, cookie, bytes,
					      size);
			if (ret == -EXFULL || ret == -ENOBUFS)
				sched_yield();
		} while (ret == -EXFULL || ret == -ENOBUFS);
		/* what was sent may be changed at once */
		memset(bytes, 0, size);
		kt_assert_ret(ret, 0, "send %llu", cookie);
	}
	return NULL;
}

static u64 check_message(struct traffic *t, u64 off)
{
	const struct kdbus_msg *m = conn_msg(&t->receiver, off);
	u64 cookie = m->cookie;
	size_t size = message_size(cookie);
	int who = cookie / PER_SENDER;

	kt_assert(who < SENDERS, "cookie %llu", cookie);
	kt_assert(m->size == 104 && m->items[0].type == KDBUS_ITEM_PAYLOAD_OFF &&
		  m->items[0].vec.size == size && m->items[0].vec.offset == 104,
		  "message %llu: wrong header", cookie);
	kt_assert(m->src_id == t->senders[who].id,
		  "message %llu comes from %llu", cookie, m->src_id);
	kt_assert(kt_filled((u8 *)m + 104, size, message_seed(cookie)),
		  "message %llu: wrong bytes", cookie);
	kt_assert(!__atomic_fetch_add(&t->seen[cookie], 1, __ATOMIC_SEQ_CST),
		  "message %llu came twice", cookie);
	return cookie;
}

static void traffic_start(struct traffic *t, u64 pool, pthread_t *threads,
			  struct source *sources)
{
	int i;

	memset(t, 0, sizeof(*t));
	bus_make(&t->bus, 0);
	conn_open(&t->receiver, &t->bus, pool);
	for (i = 0; i < SENDERS; i++)
		conn_open(&t->senders[i], &t->bus, 4096);
	for (i = 0; i < SENDERS; i++) {
		sources[i].t = t;
		sources[i].who = i;
		threads[i] = kt_thread(sends, &sources[i]);
	}
}

static void check_order(u64 cookie, int *next)
{
	int who = cookie / PER_SENDER, nr = cookie % PER_SENDER;

	kt_assert(nr == next[who], "sender %d: message %d instead of %d", who,
		  nr, next[who]);
	next[who]++;
}

static void run_traffic(u64 pool, bool hold)
{
	static struct traffic t;
	struct source sources[SENDERS];
	pthread_t threads[SENDERS];
	int i, next[SENDERS] = { 0 };
	u64 off, held = ~0ULL;
	unsigned int n = 0;

	traffic_start(&t, pool, threads, sources);
	while (n < SENDERS * PER_SENDER) {
		int ret = conn_recv(&t.receiver, &off);

		if (ret == -EAGAIN) {
			struct pollfd p = {
				.fd = t.receiver.fd, .events = POLLIN,
			};

			kt_assert(poll(&p, 1, -1) == 1, "poll: %m");
			continue;
		}
		kt_assert_ret(ret, 0, "recv");
		check_order(check_message(&t, off), next);
		if (hold && held != ~0ULL)
			kt_assert_ret(conn_free(&t.receiver, held), 0, "free");
		if (hold)
			held = off;
		else
			kt_assert_ret(conn_free(&t.receiver, off), 0, "free");
		n++;
	}
	for (i = 0; i < SENDERS; i++)
		kt_join(threads[i]);
	if (hold)
		kt_assert_ret(conn_free(&t.receiver, held), 0, "free");
	kt_check_ret(conn_recv(&t.receiver, &off), -EAGAIN, "one more");
	conn_check_pool_empty(&t.senders[0], &t.receiver);
}

START_TEST(many_senders)
{
	run_traffic(1 * MIB, false);
}
END_TEST

/* the pool is always about full */
START_TEST(many_senders_small_pool)
{
	run_traffic(32 * KIB, true);
}
END_TEST

static void *receives(void *arg)
{
	struct traffic *t = arg;
	u64 off;

	for (;;) {
		int ret = conn_recv(&t->receiver, &off);

		if (!ret) {
			check_message(t, off);
			kt_assert_ret(conn_free(&t->receiver, off), 0, "free");
			__atomic_add_fetch(&t->received, 1, __ATOMIC_SEQ_CST);
			continue;
		}
		kt_assert_ret(ret, -EAGAIN, "recv");
		if (__atomic_load_n(&t->received, __ATOMIC_SEQ_CST) ==
		    SENDERS * PER_SENDER)
			return NULL;
		sched_yield();
	}
}

/* several threads receive: each message goes to one of them */
START_TEST(many_receivers)
{
	static struct traffic t;
	struct source sources[SENDERS];
	pthread_t threads[SENDERS], receivers[3];
	int i;

	traffic_start(&t, 256 * KIB, threads, sources);
	for (i = 0; i < 3; i++)
		receivers[i] = kt_thread(receives, &t);
	for (i = 0; i < SENDERS; i++)
		kt_join(threads[i]);
	for (i = 0; i < 3; i++)
		kt_join(receivers[i]);
	conn_check_pool_empty(&t.senders[0], &t.receiver);
}
END_TEST

struct crowd {
	struct bus bus;
	u64 ids[4][400];
	int who;
};

static void *hellos(void *arg)
{
	struct crowd *c = arg;
	int who = __atomic_fetch_add(&c->who, 1, __ATOMIC_SEQ_CST), i;

	for (i = 0; i < 100; i++) {
		struct conn conn;

		conn_open(&conn, &c->bus, 4096);
		c->ids[who][i] = conn.id;
		if (i & 1)
			kt_assert_ret(conn_byebye(&conn), 0, "BYEBYE");
		conn_close(&conn);
	}
	return NULL;
}

/* connections come and go; no id is given twice */
START_TEST(hello_storm)
{
	static struct crowd c;
	static u8 seen[401];
	pthread_t threads[4];
	int i, j;

	bus_make(&c.bus, 0);
	for (i = 0; i < 4; i++)
		threads[i] = kt_thread(hellos, &c);
	for (i = 0; i < 4; i++)
		kt_join(threads[i]);
	for (i = 0; i < 4; i++) {
		for (j = 0; j < 100; j++) {
			u64 id = c.ids[i][j];

			kt_assert(id >= 1 && id <= 400, "id %llu", id);
			kt_check(!seen[id]++, "id %llu was given twice", id);
		}
	}
}
END_TEST

struct limited {
	struct bus bus;
	struct conn receiver;
	int accepted;
};

static void *sends_until_refused(void *arg)
{
	struct limited *l = arg;
	struct conn c;
	int ret;

	conn_open(&c, &l->bus, 4096);
	while (!(ret = conn_send_bytes(&c, l->receiver.id, 1, "x", 1)))
		__atomic_add_fetch(&l->accepted, 1, __ATOMIC_SEQ_CST);
	kt_assert_ret(ret, -ENOBUFS, "last send");
	conn_close(&c);
	return NULL;
}

/* the quota of a user holds however many threads use it */
START_TEST(user_quota)
{
	struct limited l;
	pthread_t threads[4];
	int round, i;

	bus_make(&l.bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(20073);
	conn_open(&l.receiver, &l.bus, POOL);
	for (round = 0; round < 30; round++) {
		l.accepted = 0;
		for (i = 0; i < 4; i++)
			threads[i] = kt_thread(sends_until_refused, &l);
		for (i = 0; i < 4; i++)
			kt_join(threads[i]);
		kt_check(l.accepted == 32 || l.accepted == 33,
			 "round %d: %d messages accepted", round, l.accepted);
		kt_check((int)conn_drain(&l.receiver) == l.accepted,
			 "round %d: not all arrived", round);
	}
}
END_TEST

KT_SUITE_LATE("traffic")
{
	kt_test_slow(many_senders, 120);
	kt_test_slow(many_senders_small_pool, 120);
	kt_test_slow(many_receivers, 120);
	kt_test(hello_storm);
	kt_test(user_quota);
}
