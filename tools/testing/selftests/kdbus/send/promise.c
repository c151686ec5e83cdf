// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the design promises about the cost of a message, counted: a number that
 * does not depend on how fast the machine is, or what else it does.
 */

#include <poll.h>
#include <sched.h>
#include <unistd.h>

#include "trace-util.h"
#include "wait-util.h"

#define POOL	(1 * MIB)
#define CALLS	200

static struct bus bus;
static struct conn client, service;
static struct blob ask, answer;
static u8 bytes[100000];
static size_t answer_size;
static u64 last = NONE;		/* answer, not freed yet */
static pid_t service_tid;

/* ------------------------------------------------------------------------ */
/* Order among tasks */

/*
 * On one processor, tasks of this policy run until they sleep: what happens, and
 * in which order, is no matter of chance. One of a higher priority would run while
 * it is being woken up, and with PREEMPT_RT sleep again for the lock of the wait
 * queue.
 */
static void in_order(void)
{
	struct sched_param param = { .sched_priority = 1 };

	one_processor();
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		kt_skip("no SCHED_FIFO: %m");
}

static u64 copied(const struct conn *c)
{
	return fdinfo(c, "copied:");
}

/* ------------------------------------------------------------------------ */
/* Calls, as version 1 has them and with the extended commands */

static void init_answer(u64 offset)
{
	const struct kdbus_msg *req = conn_msg(&service, offset);

	msg_init(&answer, req->src_id, 1);
	answer.msg.cookie_reply = req->cookie;
	msg_vec(&answer, bytes, answer_size);
}

static void serve_v1(void)
{
	struct pollfd p = { .fd = service.fd, .events = POLLIN };
	u64 off;

	for (;;) {
		poll(&p, 1, -1);
		if (conn_recv(&service, &off))
			return;
		init_answer(off);
		kt_assert_ret(conn_send(&service, &answer), 0, "answer");
		kt_assert_ret(conn_free(&service, off), 0, "FREE");
	}
}

static void serve_ext(void)
{
	u64 off;

	if (conn_recv_flags(&service, WAIT, &off))
		return;
	while (off != NONE) {
		init_answer(off);
		answer.msg.flags = TURN_RECV;
		turn_free(&answer, off);
		kt_assert_ret(conn_send(&service, &answer), 0, "answer");
		off = answer.msg.offset_reply;
	}
}

static void init_ask(u64 cookie)
{
	msg_init(&ask, service.id, cookie);
	ask.msg.flags = SYNC;
	ask.msg.timeout_ns = NEVER;
}

static void call_v1(void)
{
	kt_assert_ret(conn_send(&client, &ask), 0, "call");
	kt_assert_ret(conn_free(&client, ask.msg.offset_reply), 0, "FREE");
}

static void call_ext(void)
{
	if (last != NONE)
		turn_free(&ask, last);
	kt_assert_ret(conn_send(&client, &ask), 0, "call");
	last = ask.msg.offset_reply;
}

static const struct way {
	const char *name;
	void (*serve)(void);
	void (*call)(void);
	unsigned int syscalls;	/* of both */
} ways[] = {
	/* SEND, FREE; poll, RECV, SEND, FREE */
	{ "version 1", serve_v1, call_v1, 6 },
	/* SEND; SEND */
	{ "extended", serve_ext, call_ext, 2 },
};

static void *serve(void *arg)
{
	const struct way *way = arg;

	__atomic_store_n(&service_tid, kt_tid(), __ATOMIC_SEQ_CST);
	way->serve();
	return NULL;
}

static void do_calls(const struct way *way, size_t size, unsigned int n)
{
	unsigned int i;

	for (i = 1; i <= n; i++) {
		init_ask(i);
		msg_vec(&ask, bytes, size);
		way->call();
	}
}

/* everything that happens once has happened */
static void start(const struct way *way)
{
	in_order();
	bus_make(&bus, 0);
	conn_open(&client, &bus, POOL);
	conn_open(&service, &bus, POOL);
	answer_size = 8;
	kt_thread(serve, (void *)way);
	while (!__atomic_load_n(&service_tid, __ATOMIC_SEQ_CST))
		sched_yield();
	kt_wait_asleep(service_tid);
	do_calls(way, 8, 3);
	kt_wait_asleep(service_tid);
}

#define IN_BOTH_WAYS(_fn)						\
	START_TEST(_fn##_v1)						\
	{								\
		_fn(&ways[0]);						\
	}								\
	END_TEST							\
	START_TEST(_fn##_ext)						\
	{								\
		_fn(&ways[1]);						\
	}								\
	END_TEST

static void two_context_switches(const struct way *way)
{
	u64 c, s;

	start(way);
	c = kt_times_slept(getpid());
	s = kt_times_slept(service_tid);
	do_calls(way, 8, CALLS);
	c = kt_times_slept(getpid()) - c;
	kt_wait_asleep(service_tid);
	s = kt_times_slept(service_tid) - s;
	kt_check(c == CALLS, "%s: the client slept %llu times in %u calls",
		 way->name, c, CALLS);
	kt_check(s == CALLS, "%s: the service slept %llu times in %u calls",
		 way->name, s, CALLS);
}
IN_BOTH_WAYS(two_context_switches)

static void two_copies(const struct way *way)
{
	static const struct {
		size_t there, back;
	} rows[] = {
		{ 8, 8 }, { 1, 4097 }, { 4096, 1 }, { 100000, 13 },
		{ 31, 100000 },
	};
	size_t i;
	u64 c, s;

	start(way);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		answer_size = rows[i].back;
		c = copied(&client);
		s = copied(&service);
		do_calls(way, rows[i].there, 10);
		c = copied(&client) - c;
		s = copied(&service) - s;
		kt_check(s == 10 * rows[i].there,
			 "%s: 10 * %zu bytes there: %llu copied", way->name,
			 rows[i].there, s);
		kt_check(c == 10 * rows[i].back,
			 "%s: 10 * %zu bytes back: %llu copied", way->name,
			 rows[i].back, c);
	}
}
IN_BOTH_WAYS(two_copies)

static void no_copy_of_memfd(const struct way *way)
{
	int fd = kt_memfd(1 * MIB, KT_SEALS, 1);
	u64 c, s;
	int i;

	start(way);
	c = copied(&client);
	s = copied(&service);
	for (i = 0; i < 10; i++) {
		init_ask(i + 1);
		msg_memfd(&ask, fd, 1 * MIB);
		way->call();
	}
	kt_check(copied(&service) == s, "%s: %llu bytes were copied", way->name,
		 copied(&service) - s);
	kt_check(copied(&client) - c == 10 * answer_size,
		 "%s: %llu bytes of answers were copied", way->name,
		 copied(&client) - c);
}
IN_BOTH_WAYS(no_copy_of_memfd)

static void two_validations(const struct way *way)
{
	static const char *const probes[] = {
		"kdbus_items_check", "kdbus_message_init",
	};
	unsigned int counts[2];
	size_t i;

	start(way);
	trace_start(probes, ARRAY_SIZE(probes));
	trace_also(service_tid);
	trace_count(counts);
	do_calls(way, 8, CALLS);
	trace_count(counts);
	trace_stop();
	for (i = 0; i < ARRAY_SIZE(probes); i++)
		kt_check(counts[i] == 2 * CALLS,
			 "%s: %s ran %u times in %u calls", way->name,
			 probes[i], counts[i], CALLS);
}
IN_BOTH_WAYS(two_validations)

static void system_calls(const struct way *way)
{
	static const char *const events[] = { "raw_syscalls/sys_enter" };
	unsigned int count;

	start(way);
	trace_start(events, 1);
	trace_also(service_tid);
	trace_on(false);
	trace_count(&count);
	trace_on(true);
	do_calls(way, 8, CALLS);
	trace_on(false);
	trace_count(&count);
	trace_on(true);
	trace_stop();
	/* and the one that ends counting */
	kt_check(count == way->syscalls * CALLS + 1,
		 "%s: %u system calls in %u calls, not %u", way->name,
		 count - 1, CALLS, way->syscalls * CALLS);
}
IN_BOTH_WAYS(system_calls)

/* ------------------------------------------------------------------------ */
/* Who is woken up by a broadcast */

#define LISTENERS	12
#define BITS		3

static struct listener {
	struct conn c;
	unsigned int bit;
	bool polls;		/* or waits in MSG_RECV */
	pid_t tid;
	u64 got, slept;
} listeners[LISTENERS];

static void *listen_on(void *arg)
{
	struct listener *l = arg;
	struct pollfd p = { .fd = l->c.fd, .events = POLLIN };
	u64 off;

	__atomic_store_n(&l->tid, kt_tid(), __ATOMIC_SEQ_CST);
	for (;;) {
		if (l->polls)
			poll(&p, 1, -1);
		if (conn_recv_flags(&l->c, l->polls ? 0 : WAIT, &off))
			return NULL;
		l->got++;
		conn_free(&l->c, off);
	}
}

static void listener_start(struct listener *l, unsigned int i)
{
	struct blob rule;

	l->bit = i % BITS;
	l->polls = i & 1;
	conn_open(&l->c, &bus, POOL);
	match_init(&rule, 1, 0);
	rule_bit(&rule, KT_BLOOM_SIZE, l->bit);
	kt_assert_ret(match_add(&l->c, &rule), 0, "MATCH_ADD");
	kt_thread(listen_on, l);
	while (!__atomic_load_n(&l->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	kt_wait_asleep(l->tid);
}

/* @bits: of the filter */
static void cast_bits(u8 bits)
{
	struct listener *l;
	unsigned int bit;
	u64 c;

	for (l = listeners; l < listeners + LISTENERS; l++) {
		kt_wait_asleep(l->tid);
		l->slept = kt_times_slept(l->tid);
		l->got = 0;
	}
	cast_init(&ask, 1);
	for (bit = 0; bits >> bit; bit++)
		if (bits >> bit & 1)
			cast_set(&ask, bit);
	msg_vec(&ask, bytes, 1000);
	c = kt_times_slept(getpid());
	kt_assert_ret(conn_send(&client, &ask), 0, "broadcast");
	kt_check(kt_times_slept(getpid()) == c, "the sender slept");
	for (l = listeners; l < listeners + LISTENERS; l++) {
		u64 want = bits >> l->bit & 1;

		kt_wait_asleep(l->tid);
		kt_check(l->got == want, "bits %#x: bit %u got %llu", bits,
			 l->bit, l->got);
		kt_check(kt_times_slept(l->tid) - l->slept == want,
			 "bits %#x: bit %u was woken up %llu times", bits,
			 l->bit, kt_times_slept(l->tid) - l->slept);
	}
}

START_TEST(broadcast_wakes_receivers)
{
	unsigned int i;
	u8 bits;

	in_order();
	bus_make(&bus, 0);
	conn_open(&client, &bus, POOL);
	for (i = 0; i < LISTENERS; i++)
		listener_start(&listeners[i], i);
	for (bits = 0; bits < 1 << (BITS + 1); bits++)
		cast_bits(bits);
}
END_TEST

KT_SUITE("promise")
{
	kt_test(two_context_switches_v1);
	kt_test(two_context_switches_ext);
	kt_test(two_copies_v1);
	kt_test(two_copies_ext);
	kt_test(no_copy_of_memfd_v1);
	kt_test(no_copy_of_memfd_ext);
	kt_test(two_validations_v1);
	kt_test(two_validations_ext);
	kt_test(system_calls_v1);
	kt_test(system_calls_ext);
	kt_test(broadcast_wakes_receivers);
}
