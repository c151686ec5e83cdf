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
#include <unistd.h>

#include "suites.h"
#include "util.h"

#define POOL		(64 * KIB)
#define RACE_MS		2500

/* ------------------------------------------------------------------------ */
/* A duel: in each round, all threads do their part at the same time */

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
	return kt_now_ms() < d->end && !kt->failures;
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

/* ------------------------------------------------------------------------ */
/* Traffic */

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

/* ------------------------------------------------------------------------ */
/* The caller's memory changes during the call */

struct flipper {
	volatile u64 *where;
	const u64 *values;
	unsigned int n;
	volatile bool stop;
	pthread_t thread;
};

static void *flips(void *arg)
{
	struct flipper *f = arg;
	u32 rnd = kt_seed;

	while (!f->stop) {
		volatile u32 delay;

		*f->where = f->values[kt_rand(&rnd) % f->n];
		for (delay = kt_rand(&rnd) % 64; delay; delay--)
			;
	}
	return NULL;
}

static void flip_start(struct flipper *f, void *where, const u64 *values,
		       unsigned int n)
{
	f->where = where;
	f->values = values;
	f->n = n;
	f->stop = false;
	f->thread = kt_thread(flips, f);
}

static void flip_stop(struct flipper *f)
{
	f->stop = true;
	kt_join(f->thread);
}

static bool one_of(int ret, const int *errs, size_t n)
{
	while (n--)
		if (ret == -errs[n])
			return true;
	return false;
}

/* sizes that are right, too small, too large, and beyond the memory */
START_TEST(size_flips_send)
{
	static const u64 sizes[] = {
		72, 104, 136, 0, 71, 8192, 8193, 144, 1ULL << 32, -8ULL, ~0ULL,
	};
	static const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT };
	unsigned int hits[3] = { 0 };
	u64 end, off;
	struct flipper f;
	struct bus bus;
	struct conn c;
	struct blob b, *m;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	msg_vec(&b, "0123456789", 10);
	msg_vec(&b, "abcdefghij", 10);
	m = kt_guard_copy(&b, b.size);
	flip_start(&f, m, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int ret = kt_cmd(c.fd, KDBUS_CMD_MSG_SEND, m);
		const struct kdbus_msg *got;
		unsigned int n;

		kt_assert(one_of(ret, errs, 4), "send: %s", kt_err(ret));
		if (ret)
			continue;
		got = conn_recv_msg(&c, &off);
		n = (got->size - 72) / 32;
		kt_assert(n <= 2 && got->size == 72 + n * 32, "size %llu",
			  got->size);
		kt_assert(!memcmp((u8 *)got + got->size,
				  "0123456789abcdefghij", n * 10), "bytes");
		hits[n]++;
		kt_assert_ret(conn_free(&c, off), 0, "free");
	}
	flip_stop(&f);
	conn_check_pool_empty(&c, &c);
	kt_check(hits[0] && hits[1] && hits[2], "messages of %u, %u, %u vecs",
		 hits[0], hits[1], hits[2]);
}
END_TEST

START_TEST(size_flips_make)
{
	static const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT, EBADMSG };
	struct blob b, *m;
	struct flipper f;
	struct bus bus;
	u64 end, sizes[8];

	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_std(&b, 0, bus.name);
	sizes[0] = sizes[1] = b.size;
	sizes[2] = 24;
	sizes[3] = 56;		/* the bloom parameters only */
	sizes[4] = b.size + 8;
	sizes[5] = 32768;
	sizes[6] = -8ULL;
	sizes[7] = 0;
	m = kt_guard_copy(&b, b.size);
	flip_start(&f, m, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int fd = open_control();
		int ret = kt_cmd(fd, KDBUS_CMD_BUS_MAKE, m);

		kt_assert(one_of(ret, errs, 5), "BUS_MAKE: %s", kt_err(ret));
		kt_check(path_exists(bus.path) == !ret, "node after %s",
			 kt_err(ret));
		close(fd);
	}
	flip_stop(&f);
}
END_TEST

START_TEST(size_flips_hello)
{
	static const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT };
	struct blob b, *m;
	struct flipper f;
	struct bus bus;
	u64 end, sizes[7];

	bus_make(&bus, 0);
	hello_init(&b, 0, POOL);
	blob_add_str(&b, KDBUS_ITEM_CONN_NAME, "flipped");
	sizes[0] = sizes[1] = b.size;
	sizes[2] = 88;
	sizes[3] = 96;
	sizes[4] = 32768;
	sizes[5] = ~0ULL;
	sizes[6] = 87;
	m = kt_guard_copy(&b, b.size);
	flip_start(&f, m, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int fd = open_endpoint(&bus);
		int ret = kt_cmd(fd, KDBUS_CMD_HELLO, m);

		kt_assert(one_of(ret, errs, 4), "HELLO: %s", kt_err(ret));
		close(fd);
	}
	flip_stop(&f);
}
END_TEST

/* any 64-bit word of a message changes */
START_TEST(words_flip_send)
{
	static const int errs[] = {
		0, EMSGSIZE, EINVAL, EFAULT, ENXIO, EBADF, EBADMSG, ESRCH,
		EDESTADDRREQ, ENOTUNIQ, EEXIST, EXFULL, ENOBUFS, E2BIG,
		EMEDIUMTYPE, ETXTBSY, ECOMM, EOPNOTSUPP, EMFILE,
	};
	u64 values[16] = {
		0, 1, 2, 3, 8, 15, 16, 17, 24, 32, 40, 72, 4096, -8ULL, -16ULL,
		~0ULL,
	};
	u32 rnd = kt_seed, words;
	struct blob b, *m;
	struct bus bus;
	struct conn c;
	u64 off;
	int round, i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	msg_vec(&b, "0123456789", 10);
	msg_vec_at(&b, 0, 20);
	msg_vec(&b, "abcdefghij", 10);
	words = b.size / 8;
	m = kt_guard(b.size);
	for (round = 0; round < 100; round++) {
		struct flipper f;
		u32 word = kt_rand(&rnd) % words;

		/* one whose flags ask to wait for an answer would wait */
		if (word == 1)
			continue;
		memcpy(m, &b, b.size);
		flip_start(&f, (u64 *)m + word, values, ARRAY_SIZE(values));
		for (i = 0; i < 100; i++) {
			const struct kdbus_msg *got;
			const struct kdbus_item *item;
			int ret = kt_cmd(c.fd, KDBUS_CMD_MSG_SEND, m);

			kt_assert(one_of(ret, errs, ARRAY_SIZE(errs)),
				  "word %u: %s", word, kt_err(ret));
			if (conn_recv(&c, &off))
				continue;
			got = conn_msg(&c, off);
			kt_assert(got->src_id == c.id, "source %llu",
				  got->src_id);
			for_each_item(item, got)
				kt_assert(item->size == 32 &&
					  (item->vec.offset == ~0ULL ||
					   item->vec.offset < POOL),
					  "word %u: malformed message", word);
			kt_assert_ret(conn_free(&c, off), 0, "free");
		}
		flip_stop(&f);
	}
	conn_drain(&c);
	conn_check_pool_empty(&c, &c);
}
END_TEST

struct swapper {
	int where, one, two;
	volatile bool stop;
};

static void *swaps_fds(void *arg)
{
	struct swapper *s = arg;

	while (!s->stop) {
		dup2(s->one, s->where);
		dup2(s->two, s->where);
		close(s->where);
	}
	return NULL;
}

/* the descriptor of a memfd becomes something else during the call */
START_TEST(memfd_swapped)
{
	static const int errs[] = { 0, EBADF, EMEDIUMTYPE };
	struct swapper s = { .where = 200 };
	unsigned int ok = 0;
	pthread_t thread;
	struct bus bus;
	struct conn c;
	struct blob m;
	int p[2];
	u64 end, off;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	kt_assert(!pipe(p), "pipe: %m");
	s.one = kt_memfd(1000, KT_SEALS, 3);
	s.two = p[0];
	thread = kt_thread(swaps_fds, &s);
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int ret, fd;

		msg_init(&m, c.id, 1);
		msg_memfd(&m, s.where, 1000);
		ret = conn_send(&c, &m);
		kt_assert(one_of(ret, errs, 3), "send: %s", kt_err(ret));
		if (ret)
			continue;
		fd = conn_recv_msg(&c, &off)->items[0].memfd.fd;
		kt_assert(fcntl(fd, F_GET_SEALS) == KT_SEALS,
			  "what arrived is not the sealed file");
		close(fd);
		kt_assert_ret(conn_free(&c, off), 0, "free");
		ok++;
	}
	s.stop = true;
	kt_join(thread);
	kt_check(ok, "never hit the memfd");
}
END_TEST

struct unmapper {
	u8 *where;
	volatile bool stop;
};

static void *unmaps(void *arg)
{
	struct unmapper *u = arg;

	while (!u->stop) {
		madvise(u->where, 16 * KT_PAGE, MADV_DONTNEED);
		mprotect(u->where + 8 * KT_PAGE, KT_PAGE, PROT_NONE);
		mprotect(u->where + 8 * KT_PAGE, KT_PAGE,
			 PROT_READ | PROT_WRITE);
	}
	return NULL;
}

/* the payload's memory comes and goes; either it is there or EFAULT */
START_TEST(payload_unmapped)
{
	unsigned int ok = 0, bad = 0;
	struct unmapper u = { .stop = false };
	pthread_t thread;
	struct bus bus;
	struct conn c;
	u64 end, off;

	bus_make(&bus, 0);
	conn_open(&c, &bus, 256 * KIB);
	u.where = mmap(NULL, 16 * KT_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kt_assert(u.where != MAP_FAILED, "mmap: %m");
	thread = kt_thread(unmaps, &u);
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int ret = conn_send_bytes(&c, c.id, 1, u.where, 16 * KT_PAGE);

		kt_assert(!ret || ret == -EFAULT, "send: %s", kt_err(ret));
		ok += !ret;
		bad += !!ret;
		if (ret)
			continue;
		conn_recv_msg(&c, &off);
		kt_assert(kt_zero(c.pool + off + 104, 16 * KT_PAGE),
			  "bytes that were never there");
		kt_assert_ret(conn_free(&c, off), 0, "free");
	}
	u.stop = true;
	kt_join(thread);
	kt_note("%u sent, %u failed", ok, bad);
	kt_check(ok, "never succeeded");
	conn_check_pool_empty(&c, &c);
}
END_TEST

struct reader {
	const volatile u8 *pool;
	size_t size;
	int fd;			/* map it anew each time, or -1 */
	volatile bool stop;
	u8 sum;
};

static void *reads(void *arg)
{
	struct reader *r = arg;
	size_t i;

	while (!r->stop) {
		const volatile u8 *p = r->pool;

		if (r->fd >= 0)
			p = mmap(NULL, r->size, PROT_READ, MAP_SHARED, r->fd,
				 0);
		kt_assert(p != MAP_FAILED, "mmap: %m");
		for (i = 0; i < r->size; i += KT_PAGE)
			r->sum += p[i];
		if (r->fd >= 0)
			munmap((void *)p, r->size);
	}
	return NULL;
}

/* pages are filled, freed and given back while others look at them */
START_TEST(mapping_read_while_freed)
{
	enum { SIZE = 400 * 1024 };
	static u8 bytes[SIZE];
	struct reader r[2];
	pthread_t threads[2];
	struct bus bus;
	struct conn c;
	u64 end, off;
	u32 seed = 1;
	int i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, 2 * MIB);
	for (i = 0; i < 2; i++) {
		r[i].pool = c.pool;
		r[i].size = c.pool_size;
		r[i].fd = i ? c.fd : -1;
		r[i].stop = false;
		threads[i] = kt_thread(reads, &r[i]);
	}
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end; seed++) {
		kt_fill(bytes, 4096, seed);
		kt_assert_ret(conn_send_bytes(&c, c.id, seed, bytes, SIZE), 0,
			      "send");
		conn_recv_msg(&c, &off);
		kt_assert(!memcmp(c.pool + off + 104, bytes, SIZE),
			  "message %u: wrong bytes", seed);
		kt_assert_ret(conn_free(&c, off), 0, "free");
	}
	for (i = 0; i < 2; i++)
		r[i].stop = true;
	for (i = 0; i < 2; i++)
		kt_join(threads[i]);
}
END_TEST

void suite_race(void)
{
	kt_suite("race");
	kt_test(make_same_name);
	kt_test(make_on_one_handle);
	kt_test(hello_on_one_handle);
	kt_test(byebye_once);
	kt_test(free_once);
	kt_test(receive_once);
	kt_test(send_or_byebye);
	kt_test(receive_or_byebye);
	kt_test(bus_dies_under_all);
	kt_test(send_or_close);
	kt_test(bus_limit);
	kt_test(connection_limit);
	kt_test_slow(many_senders, 120);
	kt_test_slow(many_senders_small_pool, 120);
	kt_test_slow(many_receivers, 120);
	kt_test(hello_storm);
	kt_test(user_quota);
	kt_test(size_flips_send);
	kt_test(size_flips_make);
	kt_test(size_flips_hello);
	kt_test(words_flip_send);
	kt_test(memfd_swapped);
	kt_test(payload_unmapped);
	kt_test(mapping_read_while_freed);
}
