// SPDX-License-Identifier: GPL-2.0-only
/* Several threads at once: names */

#include <poll.h>

#include "race-world.h"

static void *fight_for_name(void *arg)
{
	u32 state = kt_seed + 31 * (uintptr_t)arg;
	struct conn c;
	int ret;

	conn_open(&c, &bus, KT_PAGE);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		ret = name_acquire(&c, NAME, kt_rand(&state) & 7);
		kt_check(!ret || ret == -EEXIST || ret == -EALREADY,
			 "acquire: %s", kt_err(ret));
		kt_spin(&state, 2000);
		if (kt_rand(&state) % 4 == 0) {
			conn_close(&c);
			conn_open(&c, &bus, KT_PAGE);
			continue;
		}
		ret = name_release(&c, NAME);
		kt_check(!ret || ret == -EADDRINUSE || ret == -ESRCH,
			 "release: %s", kt_err(ret));
	}
	conn_close(&c);
	return NULL;
}

START_TEST(acquire_release_death)
{
	u64 end = kt_now_ms() + RACE_MS;
	pthread_t t[3];
	size_t i;
	int ret;

	race_world();
	for (i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = kt_thread(fight_for_name, (void *)(i + 1));
	while (kt_now_ms() < end) {
		ret = send_name(&a, NAME, 1);
		kt_check(!ret || ret == -ESRCH || ret == -ENOBUFS ||
			 ret == -EXFULL,
			 "send: %s", kt_err(ret));
		/* one owner at most: checked inside */
		name_owner(&a, NAME, NULL);
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		kt_join(t[i]);
	kt_check(name_owner(&a, NAME, NULL) == 0, "somebody still has it");
	kt_check_ret(name_acquire(&a, NAME, 0), 0, "acquire");
}
END_TEST

static unsigned int successors;

/* each waits for the name, and the one before leaves */
static void *succeed(void *arg)
{
	struct conn old, next;

	(void)arg;
	conn_open(&old, &bus, KT_PAGE);
	kt_check_ret(name_acquire(&old, NAME, 0), 0, "acquire");
	__atomic_store_n(&successors, 1, __ATOMIC_SEQ_CST);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		conn_open(&next, &bus, KT_PAGE);
		kt_check_ret(name_acquire(&next, NAME, QUEUE), 0, "wait");
		conn_close(&old);
		old = next;
		__atomic_add_fetch(&successors, 1, __ATOMIC_SEQ_CST);
	}
	conn_close(&old);
	return NULL;
}

/* the name exists all the time, and so has an owner in each list */
START_TEST(listed_while_owners_leave)
{
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int lists = 0, without = 0;
	pthread_t t;

	race_world();
	t = kt_thread(succeed, NULL);
	while (!__atomic_load_n(&successors, __ATOMIC_SEQ_CST))
		kt_spin(&rnd, 100);
	for (; kt_now_ms() < end; lists++)
		without += !name_owner(&a, NAME, NULL);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_check(!without, "%u of %u lists lack the name; %u owners", without,
		 lists, successors);
}
END_TEST

#define SENDERS	2
#define SENDS	250

static void *send_to_name(void *arg)
{
	u32 state = kt_seed + (uintptr_t)arg;
	struct conn c;
	int i;

	conn_open(&c, &bus, KT_PAGE);
	for (i = 0; i < SENDS; i++) {
		kt_check_ret(send_name(&c, NAME, (uintptr_t)arg * 1000 + i), 0,
			     "send %d", i);
		kt_spin(&state, 3000);
	}
	conn_close(&c);
	return NULL;
}

/* nothing is left where it does not belong, and all comes in order */
static void handover_round(struct conn *s, struct conn *last)
{
	u64 next[SENDERS] = { 0 }, off, who;
	pthread_t t[SENDERS];
	size_t i;

	for (i = 0; i < SENDERS; i++)
		t[i] = kt_thread(send_to_name, (void *)i);
	for (i = 0; i < 60; i++) {
		kt_check_ret(name_acquire(s, NAME, 0), 0, "take over");
		kt_spin(&rnd, 3000);
		kt_check_ret(name_release(s, NAME), 0, "hand back");
		kt_spin(&rnd, 3000);
	}
	for (i = 0; i < SENDERS; i++)
		kt_join(t[i]);
	expect_empty(s);
	kt_check_ret(name_acquire(last, NAME, 0), 0, "take over at last");
	for (i = 0; i < SENDERS * SENDS; i++) {
		const struct kdbus_msg *m = conn_recv_msg(last, &off);

		who = m->cookie / 1000;
		kt_check(m->cookie % 1000 == next[who], "%llu, not %llu",
			 m->cookie, next[who]);
		next[who] = m->cookie % 1000 + 1;
		conn_free(last, off);
	}
	expect_empty(last);
	kt_check_ret(name_release(last, NAME), 0, "release");
}

/* how many messages have been sent */
static unsigned int hand_over_and_send(void)
{
	u64 end = kt_now_ms() + RACE_MS;
	struct conn act, s, last;
	unsigned int rounds = 0;

	conn_open(&s, &bus, RACE_POOL);
	conn_open(&last, &bus, RACE_POOL);
	activator_open(&act, &bus, 0, NAME, RACE_POOL);
	for (; kt_now_ms() < end && !kt->failures; rounds++)
		handover_round(&s, &last);
	kt_note("%u rounds", rounds);
	kt_check(pool_used(&act) == 0 && pool_used(&s) == 0 &&
		 pool_used(&last) == 0, "pools");
	return rounds * SENDERS * SENDS;
}

START_TEST(handover_while_sending)
{
	race_world();
	hand_over_and_send();
}
END_TEST

static struct conn watchers[8];

static void *watch(void *arg)
{
	unsigned int i, *seen = arg;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		for (i = 0; i < ARRAY_SIZE(watchers); i++)
			seen[i] += conn_drain(&watchers[i]);
	return NULL;
}

/* a message and its copies are queued one by one; the name stays meanwhile */
START_TEST(handover_while_watched)
{
	unsigned int seen[ARRAY_SIZE(watchers)] = { 0 }, sent, i;
	pthread_t t;

	race_world();
	for (i = 0; i < ARRAY_SIZE(watchers); i++)
		kt_assert_ret(special_try_open(&watchers[i], &bus,
					       KDBUS_HELLO_MONITOR, NULL,
					       RACE_POOL), 0, "a monitor");
	t = kt_thread(watch, seen);
	sent = hand_over_and_send();
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	for (i = 0; i < ARRAY_SIZE(watchers); i++) {
		seen[i] += conn_drain(&watchers[i]);
		seen[i] += fdinfo(&watchers[i], "lost:");
		kt_check(seen[i] == sent, "monitor %u: %u messages of %u", i,
			 seen[i], sent);
	}
}
END_TEST

#define REQUESTS	100

static void *request_by_name(void *arg)
{
	int i;

	for (i = 0; i < REQUESTS; i++) {
		kt_check_ret(request_name(&a, NAME, i + 1, NEVER), 0,
			     "request %d", i);
		kt_spin(arg, 3000);
	}
	return NULL;
}

static void handover_requests_round(struct conn *s, struct conn *last)
{
	u32 state = kt_rand(&rnd);
	pthread_t t = kt_thread(request_by_name, &state);
	int i;

	for (i = 0; i < 60; i++) {
		kt_check_ret(name_acquire(s, NAME, 0), 0, "take over");
		kt_spin(&rnd, 3000);
		kt_check_ret(name_release(s, NAME), 0, "hand back");
		kt_spin(&rnd, 3000);
	}
	kt_join(t);
	kt_check_ret(name_acquire(last, NAME, 0), 0, "take over at last");
	for (i = 1; i <= REQUESTS; i++) {
		expect_msg(last, i, 0);
		kt_check_ret(reply(last, a.id, i), 0, "reply");
		expect_msg(&a, 1000 + i, i);
	}
	expect_empty(last);
}

/* each request is moved with what is owed for it, or not at all */
START_TEST(handover_of_requests)
{
	u64 end = kt_now_ms() + RACE_MS;
	struct conn act, s, last;
	unsigned int rounds = 0;

	race_world();
	activator_open(&act, &bus, 0, NAME, RACE_POOL);
	for (; kt_now_ms() < end && !kt->failures; rounds++) {
		conn_open(&s, &bus, RACE_POOL);
		conn_open(&last, &bus, RACE_POOL);
		handover_requests_round(&s, &last);
		conn_close(&s);
		conn_close(&last);
		/* nothing is owed any more */
		expect_empty(&a);
	}
	kt_note("%u rounds", rounds);
	conn_close(&act);
	expect_empty(&a);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Messages are on the move, and come back */

#define LATE_MS	3000

static void *take_and_release(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		kt_check_ret(name_acquire(arg, NAME, 0), 0, "acquire");
		kt_check_ret(name_release(arg, NAME), 0, "release");
	}
	return NULL;
}

static bool is_readable(int fd, int timeout_ms)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	return poll(&p, 1, timeout_ms) == 1;
}

/* who looks at the wrong moment and goes to sleep is woken */
START_TEST(partial_handover_wakes)
{
	u64 end = kt_now_ms() + RACE_MS, start, took = 0;
	static u8 bytes[1000];
	unsigned int rounds = 0;
	struct conn act, s;
	struct blob m;
	pthread_t t;
	int i;

	race_world();
	conn_open(&s, &bus, RACE_POOL / 2);
	activator_open(&act, &bus, 0, NAME, RACE_POOL);
	msg_init(&m, 0, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&m, bytes, sizeof(bytes));
	/* more than half of what there is */
	for (i = 0; i < 150; i++)
		kt_assert_ret(conn_send(&a, &m), 0, "send");
	t = kt_thread(take_and_release, &s);
	for (; kt_go_on(end, rounds >= 1000) && took < LATE_MS; rounds++) {
		start = kt_now_ms();
		kt_check(is_readable(act.fd, LATE_MS), "poll() says nothing");
		took = kt_now_ms() - start;
	}
	kt_check(took < LATE_MS, "round %u: not woken", rounds);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_note("%u rounds", rounds);
}
END_TEST

KT_SUITE_LATE("race-name")
{
	kt_test(acquire_release_death);
	kt_test(listed_while_owners_leave);
	kt_test(handover_while_sending);
	kt_test(handover_while_watched);
	kt_test(handover_of_requests);
	kt_test(partial_handover_wakes);
}
