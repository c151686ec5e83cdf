// SPDX-License-Identifier: GPL-2.0-only
/* In which order receivers, and a monitor, see what several senders send */

#include <poll.h>
#include <sched.h>
#include <stdlib.h>

#include "meta-util.h"

#define SENDERS		6
#define RECEIVERS	5
#define MONITOR		RECEIVERS	/* sees what all of them see */
#define MOST		40000	/* messages of one sender */
#define BEHIND		200	/* so far may a receiver be behind a sender */
#define TO_ALL		0xff

struct sent {
	u64 before, after;	/* the common counter */
	u64 seq;		/* number that receivers are told */
	u8 to;
};

struct receiver {
	struct conn c;
	u64 *log;		/* cookies */
	u64 n;
	pthread_t thread;
};

static struct bus bus;
static struct receiver receivers[RECEIVERS + 1];
static struct conn senders[SENDERS];
static struct sent (*sent)[MOST];
static u64 n_sent[SENDERS], n_for[RECEIVERS + 1], counter, finished, the_end;

static u64 tick(void)
{
	return __atomic_add_fetch(&counter, 1, __ATOMIC_SEQ_CST);
}

static void throttle(u64 total)
{
	int i;

	for (i = 0; i <= MONITOR; i++)
		while (__atomic_load_n(&n_for[i], __ATOMIC_SEQ_CST) >
		       __atomic_load_n(&receivers[i].n, __ATOMIC_SEQ_CST) +
		       total)
			sched_yield();
}

static bool is_for(u8 to, int who)
{
	return to == TO_ALL || to == who || who == MONITOR;
}

static void count_for(u8 to)
{
	int i;

	for (i = 0; i <= MONITOR; i++)
		if (is_for(to, i))
			__atomic_add_fetch(&n_for[i], 1, __ATOMIC_SEQ_CST);
}

static void send_one(u64 who, u64 nr, u8 to)
{
	struct sent *s = &sent[who][nr];
	u64 cookie = who * MOST + nr;
	int ret;

	s->to = to;
	count_for(to);
	s->before = tick();
	if (to == TO_ALL)
		ret = cast(&senders[who], cookie);
	else
		ret = conn_send_bytes(&senders[who], receivers[to].c.id,
				      cookie, &cookie, 8);
	s->after = tick();
	kt_assert_ret(ret, 0, "sender %llu, message %llu", who, nr);
}

static void *sends(void *arg)
{
	u64 who = (uintptr_t)arg, nr;
	u32 rnd = kt_seed * 31 + who + 1;

	for (nr = 0; nr < MOST && kt_now_ms() < the_end; nr++) {
		u32 x = kt_rand(&rnd);

		throttle(BEHIND);
		/* even ones mostly broadcast, odd ones mostly do not */
		send_one(who, nr, x % 8 < (who & 1 ? 1 : 6) ? TO_ALL :
			 x / 8 % RECEIVERS);
	}
	n_sent[who] = nr;
	__atomic_add_fetch(&finished, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static bool all_there(int who)
{
	return __atomic_load_n(&finished, __ATOMIC_SEQ_CST) == SENDERS &&
	       receivers[who].n >= n_for[who];
}

/* numbers rise, and all who get a message are told the same one */
static void log_one(struct receiver *r, const struct kdbus_msg *msg, u64 *last)
{
	u64 cookie = msg->cookie, seq, none = 0;
	struct meta m;

	meta_of_msg(&m, msg);
	seq = meta_stamp(&m)->seqnum;
	kt_assert(seq > *last, "receiver %zd: number %llu after %llu",
		  r - receivers, seq, *last);
	*last = seq;
	if (!__atomic_compare_exchange_n(&sent[cookie / MOST][cookie % MOST].seq,
					 &none, seq, false, __ATOMIC_SEQ_CST,
					 __ATOMIC_SEQ_CST))
		kt_assert(none == seq, "receiver %zd: number %llu, not %llu",
			  r - receivers, seq, none);
	r->log[r->n] = cookie;
}

static void *receives(void *arg)
{
	struct receiver *r = arg;
	struct pollfd p = { .fd = r->c.fd, .events = POLLIN };
	u64 off, last = 0, give_up = the_end + 20000;

	while (!all_there(r - receivers)) {
		kt_assert(kt_now_ms() < give_up, "messages are missing");
		/* wakes up to see whether all has ended */
		if (poll(&p, 1, 50) != 1)
			continue;
		while (!conn_recv(&r->c, &off)) {
			log_one(r, conn_msg(&r->c, off), &last);
			kt_assert_ret(conn_free(&r->c, off), 0, "free");
			__atomic_add_fetch(&r->n, 1, __ATOMIC_SEQ_CST);
		}
	}
	return NULL;
}

/* each message once, and those of one sender in the order it sent them */
static void check_per_sender(int who)
{
	u64 next[SENDERS] = { 0 }, i, s;

	for (i = 0; i < receivers[who].n; i++) {
		u64 nr = receivers[who].log[i] % MOST;

		s = receivers[who].log[i] / MOST;
		while (next[s] < nr && !is_for(sent[s][next[s]].to, who))
			next[s]++;
		kt_assert(next[s] == nr,
			  "receiver %d, sender %llu: %llu instead of %llu", who,
			  s, nr, next[s]);
		next[s]++;
	}
	kt_check(receivers[who].n == n_for[who], "receiver %d: %llu of %llu",
		 who, receivers[who].n, n_for[who]);
}

/* what was sent before something else was begun comes first */
static void check_time(int who)
{
	u64 newest = 0, i;

	for (i = 0; i < receivers[who].n; i++) {
		u64 cookie = receivers[who].log[i];
		const struct sent *s = &sent[cookie / MOST][cookie % MOST];

		kt_assert(s->after > newest,
			  "seed %u, receiver %d: message %llu of %llu came too late",
			  kt_seed, who, cookie % MOST, cookie / MOST);
		if (s->before > newest)
			newest = s->before;
	}
}

static u64 next_cast(const struct receiver *r, u64 *at)
{
	while (*at < r->n) {
		u64 cookie = r->log[(*at)++];

		if (sent[cookie / MOST][cookie % MOST].to == TO_ALL)
			return cookie;
	}
	return ~0ULL;
}

/* the broadcasts come in one order */
static u64 check_casts(int one, int two)
{
	u64 i = 0, j = 0, n = 0, x, y;

	do {
		x = next_cast(&receivers[one], &i);
		y = next_cast(&receivers[two], &j);
		kt_assert(x == y, "seed %u, broadcast %llu: receivers %d and %d disagree",
			  kt_seed, n, one, two);
		n++;
	} while (x != ~0ULL);
	return n - 1;
}

static void open_receiver(struct conn *c, u64 flags)
{
	struct blob b;

	hello_init(&b, flags, 4 * MIB);
	b.hello.attach_flags = STAMP;
	conn_hello(c, &bus, &b);
}

static void start(pthread_t *threads)
{
	u64 i;

	bus_make(&bus, 0);
	sent = calloc(SENDERS, sizeof(*sent));
	kt_assert(sent, "no memory");
	for (i = 0; i < SENDERS; i++)
		conn_open(&senders[i], &bus, 4096);
	for (i = 0; i <= MONITOR; i++) {
		open_receiver(&receivers[i].c, i == MONITOR ? MON : 0);
		receivers[i].log = calloc(SENDERS * MOST, sizeof(u64));
		kt_assert(receivers[i].log, "no memory");
	}
	for (i = 0; i <= MONITOR; i++) {
		struct blob m;

		match_init(&m, 1, 0);
		rule_id(&m, ANY);
		kt_assert_ret(match_add(&receivers[i].c, &m), 0, "MATCH_ADD");
	}
	the_end = kt_now_ms() + 5000;
	for (i = 0; i <= MONITOR; i++)
		receivers[i].thread = kt_thread(receives, &receivers[i]);
	for (i = 0; i < SENDERS; i++)
		threads[i] = kt_thread(sends, (void *)(uintptr_t)i);
}

START_TEST(stress)
{
	pthread_t threads[SENDERS];
	u64 casts = 0, n = 0;
	int i;

	start(threads);
	for (i = 0; i < SENDERS; i++)
		kt_join(threads[i]);
	for (i = 0; i <= MONITOR; i++)
		kt_join(receivers[i].thread);
	for (i = 0; i <= MONITOR; i++) {
		expect_empty(&receivers[i].c);
		check_per_sender(i);
		check_time(i);
		casts = check_casts(0, i);
		n += receivers[i].n;
	}
	kt_note("%llu broadcasts, %llu messages received", casts, n);
	kt_check(casts > 100 && n > RECEIVERS * casts, "too few");
}
END_TEST

KT_SUITE("order")
{
	kt_test_slow(stress, 120);
}
