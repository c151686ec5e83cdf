// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads at once: an answer waits for the broadcasts of others, and
 * meanwhile whoever gives it, or owes it now, is gone
 */
#include <poll.h>
#include <unistd.h>

#include "cast.h"
#include "policy-util.h"
#include "race-world.h"
#include "slow-util.h"
#include "wait-util.h"

#define USER_S	20311
#define USER_T	20312
#define LISTENERS	100

static struct conn act, mon, listeners[LISTENERS];
static pthread_t busy[2];

static void *casts(void *arg)
{
	struct conn c;
	u64 n = 0;

	conn_open(&c, &bus, KT_PAGE);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		kt_assert_ret(cast(&c, ++n), 0, "broadcast");
	conn_close(&c);
	return arg;
}

static void *listens(void *arg)
{
	unsigned int i;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		for (i = 0; i < LISTENERS; i++)
			conn_drain(&listeners[i]);
	return arg;
}

/* what is queued together with a monitor's copy waits for broadcasts */
static void prepare(void)
{
	unsigned int i;

	race_world();
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR,
				      NAME " u%u:o u%u:o", USER_S, USER_T), 0,
		      "activator");
	kt_assert_ret(special_try_open(&mon, &bus, MONITOR, NULL, 16 * KIB), 0,
		      "a monitor");
	for (i = 0; i < LISTENERS; i++) {
		conn_open(&listeners[i], &bus, 32 * KIB);
		match_casts(&listeners[i]);
	}
	busy[0] = kt_thread(casts, NULL);
	busy[1] = kt_thread(listens, NULL);
}

static void finish(unsigned int rounds)
{
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(busy[0]);
	kt_join(busy[1]);
	kt_note("%u rounds", rounds);
}

static void open_as(uid_t uid, struct conn *c, const struct bus *where)
{
	kt_become(uid);
	conn_open(c, where, RACE_POOL);
	kt_become(0);
}

static void pause_a_little(void)
{
	u64 end = now_ns() + kt_rand(&rnd) % 2000000;

	while (now_ns() < end)
		;
}

/* ------------------------------------------------------------------------ */
/* An answer is refused while the one that owes it now leaves */

static struct conn asks, old, new;

static void use_up_share(struct conn *c)
{
	unsigned int n = 0;

	while (!conn_send_bytes(c, asks.id, 1, "x", 1))
		kt_assert(++n < 100, "no limit for one user");
}

static void refused_round(void)
{
	struct slow_send slow;

	open_as(USER_S, &asks, &bus);
	open_as(USER_S, &old, &bus);
	open_as(USER_T, &new, &bus);
	kt_assert_ret(name_acquire(&old, NAME, 0), 0, "acquire");
	kt_assert_ret(request_name(&asks, NAME, 7, NEVER), 0, "request");
	use_up_share(&old);
	reply_init(&slow.m, asks.id, 7);
	slow_send_start(&slow, &old);
	kt_assert_ret(name_release(&old, NAME), 0, "release");
	kt_assert_ret(name_acquire(&new, NAME, 0), 0, "acquire");
	expect_msg(&new, 7, 0);
	slow_mem_fill(&slow.mem, 0);
	slow_mem_fill(&slow.mem, 1);
	slow_mem_fill(&slow.mem, 2);
	slow_mem_fill(&slow.mem, 3);
	pause_a_little();
	conn_close(&new);
	kt_join(slow.thread);
	kt_check_ret(slow.ret, -ENOBUFS, "answer");
	conn_close(&old);
	conn_close(&asks);
	close(slow.mem.uffd);
	conn_drain(&mon);
}

START_TEST(refused_and_moved)
{
	u64 end;
	unsigned int rounds = 0;

	prepare();
	end = kt_now_ms() + RACE_MS;
	for (; kt_go_on(end, rounds >= 5) && !kt->failures; rounds++)
		refused_round();
	finish(rounds);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* An answer to a call that was interrupted is given by one that dies */

static void *answers(void *arg)
{
	int ret = reply(&old, asks.id, 7);

	kt_check(!ret || ret == -ECONNRESET || ret == -ENXIO ||
		 ret == -EPERM, "answer: %s", kt_err(ret));
	return arg;
}

static void given_round(void)
{
	struct call call;
	struct bus ep;
	pthread_t t;

	open_as(USER_S, &asks, &bus);
	ep_make(&ep, &bus, NAME " w:o");
	open_as(USER_S, &old, &ep);
	kt_assert_ret(name_acquire(&old, NAME, 0), 0, "acquire");
	call_init(&call, &asks, KDBUS_DST_ID_NAME, 7, NEVER);
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	call_run(&call);
	wait_readable(&old);
	kt_wait_asleep(call.tid);
	hit_thread(call.thread);
	kt_assert_ret(call_end(&call), -EINTR, "call");
	t = kt_thread(answers, NULL);
	pause_a_little();
	close(ep.fd);
	kt_join(t);
	conn_close(&asks);
	while (!conn_recv_flags(&act, KDBUS_RECV_DROP, NULL))
		;
	conn_close(&old);
	conn_drain(&mon);
}

START_TEST(given_and_dead)
{
	u64 end;
	unsigned int rounds = 0;

	on_signal(0);
	prepare();
	end = kt_now_ms() + RACE_MS;
	for (; kt_go_on(end, rounds >= 5) && !kt->failures; rounds++)
		given_round();
	finish(rounds);
}
END_TEST

KT_SUITE_LATE("race-answer")
{
	kt_test(refused_and_moved);
	kt_test(given_and_dead);
}
