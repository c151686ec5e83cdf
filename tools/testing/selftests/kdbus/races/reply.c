// SPDX-License-Identifier: GPL-2.0-only
/* Several threads at once: requests and their ends */

#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "race-world.h"

#define USER	20101

/* ------------------------------------------------------------------------ */
/* Each asynchronous request ends once */

#define BATCH	16

/* without privileges: what is no reply is refused */
static void *answer_all(void *arg)
{
	u32 state = kt_seed ^ 0x55;
	u64 off;
	int ret;

	(void)arg;
	kt_drop_caps();
	for (;;) {
		ret = conn_recv(&b, &off);
		if (ret && ret != -EAGAIN)
			return NULL;
		if (ret) {
			if (__atomic_load_n(&b.fd, __ATOMIC_SEQ_CST) < 0)
				return NULL;
			sched_yield();
			continue;
		}
		kt_spin(&state, 3000);
		ret = reply(&b, a.id, conn_msg(&b, off)->cookie);
		if (ret != -EPERM && ret != -ECONNRESET && ret != -EBADF)
			kt_check_ret(ret, 0, "reply");
		if (!ret || ret == -EPERM)
			conn_free(&b, off);
	}
}

static u64 note_outcome(u64 off)
{
	const struct kdbus_msg *m = conn_msg(&a, off);

	if (m->src_id == KDBUS_SRC_ID_KERNEL)
		kt_check(is_note(m, KDBUS_ITEM_REPLY_TIMEOUT) ||
			 is_note(m, KDBUS_ITEM_REPLY_DEAD), "notification");
	return m->cookie_reply;
}

static void collect(const bool *sent)
{
	unsigned int seen[BATCH] = { 0 }, i, left = 0;
	u64 off, cookie;

	for (i = 0; i < BATCH; i++)
		left += sent[i];
	while (left--) {
		wait_readable(&a);
		kt_assert_ret(conn_recv(&a, &off), 0, "RECV");
		cookie = note_outcome(off);
		kt_assert(cookie >= 1 && cookie <= BATCH, "cookie %llu",
			  cookie);
		seen[cookie - 1]++;
		kt_check_ret(conn_free(&a, off), 0, "FREE");
	}
	expect_empty(&a);
	for (i = 0; i < BATCH; i++)
		kt_check(seen[i] == sent[i], "request %u: %u outcomes", i,
			 seen[i]);
}

START_TEST(async_ends_once)
{
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int rounds = 0;
	pthread_t t;
	int i;

	race_world();
	while (kt_go_on(end, rounds >= 5)) {
		bool sent[BATCH];

		kt_become(USER);
		conn_open(&b, &bus, RACE_POOL);
		kt_become(0);
		t = kt_thread(answer_all, NULL);
		for (i = 0; i < BATCH; i++) {
			u64 us = kt_rand(&rnd) % 300;

			sent[i] = !request(&a, b.id, i + 1,
					   i & 1 ? NEVER :
					   now_ns() + us * 1000);
			kt_check(sent[i], "request %d", i);
		}
		kt_spin(&rnd, 100000);
		close(b.fd);
		__atomic_store_n(&b.fd, -1, __ATOMIC_SEQ_CST);
		kt_join(t);
		munmap(b.pool, b.pool_size);
		collect(sent);
		rounds++;
	}
	kt_check(rounds >= 5, "only %u rounds", rounds);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* So does each synchronous one */

static struct call call;
static unsigned int interrupted;

static void on_signal(int nr)
{
	(void)nr;
}

/* resumes until it ends otherwise */
static void *ask_and_resume(void *arg)
{
	(void)arg;
	do {
		call.ret = kt_cmd(a.fd, KDBUS_CMD_MSG_SEND, &call.m);
		interrupted += call.ret == -EINTR;
	} while (call.ret == -EINTR);
	__atomic_store_n(&call.done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

struct answer {
	bool sent;
	bool given;	/* has begun to answer */
	bool done;
	int ret;
	u32 rnd;
};

/* Messages that an answer may leave when its call ended without it */
struct leftover {
	unsigned int least, most;
};

/* false if the deadline was over before the request was sent */
static bool wait_request(void)
{
	bool done;
	u64 off;

	do {
		done = __atomic_load_n(&call.done, __ATOMIC_SEQ_CST);
		if (conn_recv(&b, &off) == 0) {
			conn_free(&b, off);
			return true;
		}
		sched_yield();
	} while (!done);
	return false;
}

static void *answer_one(void *arg)
{
	struct answer *answer = arg;

	answer->sent = wait_request();
	if (!answer->sent)
		return NULL;
	kt_spin(&answer->rnd, 300000);
	__atomic_store_n(&answer->given, true, __ATOMIC_SEQ_CST);
	answer->ret = reply(&b, a.id, 7);
	__atomic_store_n(&answer->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/*
 * An answer that was kept for the interrupted call is thrown away when the call
 * is cancelled; one that comes later is a message.
 */
static void cancel_call(struct answer *answer, struct leftover *left)
{
	bool done = __atomic_load_n(&answer->done, __ATOMIC_SEQ_CST);
	int ret = cancel(&a, 7);

	if (ret) {
		kt_check_ret(ret, -ENOENT, "cancel");
		return;
	}
	if (done)
		*left = (struct leftover){ 0, 0 };
	else if (__atomic_load_n(&answer->given, __ATOMIC_SEQ_CST))
		left->least = 0;
}

/* signals are only for those with time enough to resume */
static void sync_round(bool hits)
{
	u64 deadline = hits ? in_ms(60000) : now_ns() + kt_rand(&rnd) % 2000000;
	struct answer answer = { .rnd = kt_rand(&rnd) };
	struct leftover left = { 1, 1 };
	unsigned int messages;
	pthread_t t1, t2;

	call_init(&call, &a, b.id, 7, deadline);
	t1 = kt_thread(answer_one, &answer);
	t2 = kt_thread(ask_and_resume, NULL);
	while (!__atomic_load_n(&call.done, __ATOMIC_SEQ_CST)) {
		kt_spin(&rnd, 5000);
		if (hits && kt_rand(&rnd) % 4 == 0)
			pthread_kill(t2, SIGUSR1);
		if (kt_rand(&rnd) % 256 == 0)
			cancel_call(&answer, &left);
	}
	kt_join(t2);
	kt_join(t1);
	/* if the wait ended while it was written, it is a message */
	kt_check_ret(answer.ret, 0, "reply");
	messages = conn_drain(&a);
	if (call.ret) {
		kt_check(call.ret == -ECANCELED ||
			 (call.ret == -ETIMEDOUT && !hits), "result %s",
			 kt_err(call.ret));
		if (!answer.sent)
			left = (struct leftover){ 0, 0 };
		kt_check(messages >= left.least && messages <= left.most,
			 "%s, late reply: %u messages", kt_err(call.ret),
			 messages);
	} else {
		kt_check(conn_msg(&a, call.m.msg.offset_reply)->cookie_reply ==
			 7, "reply");
		kt_check_ret(conn_free(&a, call.m.msg.offset_reply), 0, "FREE");
		kt_check(messages == 0, "reply twice");
	}
	expect_empty(&b);
	kt_check(pool_used(&a) == 0 && pool_used(&b) == 0, "pools");
}

START_TEST(sync_ends_once)
{
	struct sigaction sa = { .sa_handler = on_signal };
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int rounds = 0;

	race_world();
	conn_open(&b, &bus, RACE_POOL);
	kt_assert(!sigaction(SIGUSR1, &sa, NULL), "sigaction: %m");
	/* signals do not come at odd moments where nothing runs beside */
	while (kt_go_on(end, rounds >= 5 && (interrupted || !kt_parallel())))
		sync_round(rounds++ & 1);
	kt_check(rounds >= 5, "only %u rounds", rounds);
	kt_check(interrupted > 0 || !kt_parallel(), "never interrupted");
	kt_note("%u rounds, interrupted %u times", rounds, interrupted);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* An answer that does not fit leaves the request as it was */

#define VAIN	64

static void *answer_in_vain(void *arg)
{
	unsigned int i;
	u64 off;

	(void)arg;
	kt_drop_caps();
	for (i = 0; i < VAIN; i++) {
		while (conn_recv(&b, &off) == -EAGAIN)
			;
		kt_check_ret(reply(&b, a.id, conn_msg(&b, off)->cookie),
			     -ENOBUFS, "answer %u", i);
		conn_free(&b, off);
	}
	return NULL;
}

static void use_up_share(void)
{
	unsigned int n = 0;

	while (!conn_send_bytes(&b, a.id, 1, "x", 1))
		kt_assert(++n < 2 * VAIN, "no limit for one user");
}

static void ask_in_vain(u64 cookie)
{
	int ret;

	/* the share of @a is used up, too, when @b does not keep pace */
	while ((ret = request(&a, b.id, cookie, in_ms(60000))) == -ENOBUFS)
		sched_yield();
	kt_check_ret(ret, 0, "request %llu", cookie);
}

START_TEST(answer_put_back)
{
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int i, rounds = 0;
	pthread_t t;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(USER);
	conn_open(&a, &bus, RACE_POOL);
	while (kt_go_on(end, rounds >= 5)) {
		conn_open(&b, &bus, RACE_POOL);
		use_up_share();
		t = kt_thread(answer_in_vain, NULL);
		for (i = 0; i < VAIN; i++)
			ask_in_vain(i + 1);
		kt_join(t);
		conn_drain(&a);
		conn_close(&b);
		for (i = 0; i < VAIN; i++)
			expect_note(&a, KDBUS_ITEM_REPLY_DEAD, i + 1);
		expect_empty(&a);
		rounds++;
	}
	kt_check(rounds >= 5, "only %u rounds", rounds);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Whoever answers may, even if the requester is about to leave */

#define LAST	7	/* cookie */

static void *answer_who_leaves(void *arg)
{
	u32 state = kt_seed ^ 0x77;
	u64 off, cookie;
	int ret;

	(void)arg;
	kt_drop_caps();
	do {
		wait_readable(&b);
		kt_assert_ret(conn_recv(&b, &off), 0, "RECV");
		kt_spin(&state, 30000);
		cookie = conn_msg(&b, off)->cookie;
		ret = reply(&b, conn_msg(&b, off)->src_id, cookie);
		if (ret != -ENXIO)
			kt_check_ret(ret, 0, "answer");
		conn_free(&b, off);
	} while (cookie != LAST);
	return NULL;
}

/* what it holds has to be waited for by who leaves */
static void *keep_bus_busy(void *arg)
{
	struct conn *c = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		name_acquire(c, NAME, 0);
		name_release(c, NAME);
	}
	return NULL;
}

START_TEST(requester_leaves)
{
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int rounds = 0;
	pthread_t busy, t;
	struct conn c;

	race_world();
	kt_become(USER);
	conn_open(&b, &bus, RACE_POOL);
	kt_become(0);
	busy = kt_thread(keep_bus_busy, &a);
	t = kt_thread(answer_who_leaves, NULL);
	while (kt_go_on(end, rounds >= 5)) {
		conn_open(&c, &bus, RACE_POOL);
		kt_check_ret(request(&c, b.id, 1, NEVER), 0, "request");
		kt_spin(&rnd, 30000);
		conn_close(&c);
		rounds++;
	}
	kt_check_ret(request(&a, b.id, LAST, NEVER), 0, "last request");
	kt_join(t);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(busy);
	kt_check(rounds >= 5, "only %u rounds", rounds);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The end of the bus ends everything */

static struct conn all[4];

static void *do_all(void *arg)
{
	struct conn *c = arg;
	u32 state = kt_seed + c->id;
	struct blob *m = malloc(sizeof(*m));
	int ret;

	do {
		struct conn *to = &all[kt_rand(&state) % ARRAY_SIZE(all)];

		request_init(m, to->id, NULL, 7, in_ms(2));
		if (kt_rand(&state) & 1)
			m->msg.flags = SYNC;
		ret = conn_send(c, m);
		if (!ret && m->msg.flags == SYNC)
			conn_free(c, m->msg.offset_reply);
		if (kt_rand(&state) & 1)
			name_acquire(c, NAME, kt_rand(&state) & 7);
		reply(c, to->id, 7);
		ret = conn_recv_flags(c, KDBUS_RECV_DROP, NULL);
		name_release(c, NAME);
	} while (ret != -ECONNRESET);
	free(m);
	return NULL;
}

START_TEST(bus_dies)
{
	u64 end = kt_now_ms() + RACE_MS, until;
	unsigned int rounds = 0;
	pthread_t t[ARRAY_SIZE(all)];
	size_t i;

	rnd = kt_seed;
	while (kt_go_on(end, rounds >= 5)) {
		bus_make(&bus, 0);
		for (i = 0; i < ARRAY_SIZE(all); i++)
			conn_open(&all[i], &bus, RACE_POOL);
		for (i = 0; i < ARRAY_SIZE(all); i++)
			t[i] = kt_thread(do_all, &all[i]);
		until = in_ms(kt_rand(&rnd) % 20);
		while (now_ns() < until)
			sched_yield();
		bus_close(&bus);
		for (i = 0; i < ARRAY_SIZE(all); i++)
			kt_join(t[i]);
		for (i = 0; i < ARRAY_SIZE(all); i++)
			conn_close(&all[i]);
		rounds++;
	}
	kt_check(rounds >= 5, "only %u rounds", rounds);
}
END_TEST

KT_SUITE_LATE("race-reply")
{
	kt_test(async_ends_once);
	kt_test(sync_ends_once);
	kt_test(answer_put_back);
	kt_test(requester_leaves);
	kt_test(bus_dies);
}
