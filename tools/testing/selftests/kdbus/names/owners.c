// SPDX-License-Identifier: GPL-2.0-only
/*
 * Owners of a name that come and go: who sends to the name neither fails as long
 * as there is a next one, nor sends for ever.
 */
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include "act-world.h"
#include "slow-util.h"

#define TRIES	64		/* more than anybody should need */

/* ------------------------------------------------------------------------ */
/* Two who replace each other whenever the sender is about to be done */

static struct slow_send slow;

/* the sender has begun to read once more */
static bool reads(void)
{
	struct pollfd p = { .fd = slow.mem.uffd, .events = POLLIN };
	u64 end = kt_now_ms() + 20000;

	while (!__atomic_load_n(&slow.done, __ATOMIC_SEQ_CST)) {
		if (poll(&p, 1, 1) == 1)
			return slow_mem_wait(&slow.mem) == 0;
		kt_assert(kt_now_ms() < end, "the sender is stuck");
	}
	return false;
}

/* lets it read all, and forget it, but for the last page */
static void let_read(void)
{
	unsigned int page;

	for (page = 0; page < SLOW_PAGES - 1; page++) {
		slow_mem_fill(&slow.mem, page);
		kt_assert(slow_mem_wait(&slow.mem) == page + 1, "page");
	}
	kt_assert(!madvise(slow.mem.area, (SLOW_PAGES - 1) * KT_PAGE,
			   MADV_DONTNEED), "madvise: %m");
}

static void let_finish(void)
{
	slow_mem_fill(&slow.mem, SLOW_PAGES - 1);
}

/* the page that it read last must not be there either */
static void forget_last(void)
{
	kt_assert(!madvise(slow.mem.area + (SLOW_PAGES - 1) * KT_PAGE, KT_PAGE,
			   MADV_DONTNEED), "madvise: %m");
}

static void slow_world(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	conn_open(&s, &bus, POOL);
	conn_open(&t, &bus, POOL);
	kt_assert_ret(name_acquire(&s, NAME, ALLOW), 0, "acquire");
}

static void replace(int i)
{
	kt_assert_ret(name_acquire(i % 2 ? &s : &t, NAME, ALLOW | REPLACE), 0,
		      "replace %d", i);
}

/* as long as the sender begins again, at most so often */
static void accomplices(int max)
{
	int i;

	for (i = 0; i < max; i++) {
		let_read();
		replace(i);
		let_finish();
		if (!reads())
			break;
		forget_last();
	}
	kt_check(i < TRIES, "still sending after %d replacements", i);
}

/* which may still be waiting for something to read */
static int end_sending(void)
{
	if (__atomic_load_n(&slow.done, __ATOMIC_SEQ_CST)) {
		kt_join(slow.thread);
		return slow.ret;
	}
	return slow_send_end(&slow);
}

static void check_got(struct conn *c)
{
	const struct kdbus_msg *m;
	u64 off;

	m = conn_recv_msg(c, &off);
	kt_check(m->cookie == 1 &&
		 slow_mem_filled(item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 0)->
				 vec.offset + (const u8 *)m),
		 "not the message that was sent");
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

START_TEST(replaced_all_the_time)
{
	u64 is;

	slow_world();
	slow_send_to(&slow, &a, KDBUS_DST_ID_NAME, NAME);
	accomplices(TRIES);
	kt_check_ret(end_sending(), 0, "the send");
	is = name_owner(&a, NAME, NULL);
	check_got(is == s.id ? &s : &t);
	expect_empty(is == s.id ? &t : &s);
	kt_check(!pool_used(&s) && !pool_used(&t), "pools");
}
END_TEST

/* the same for a request, which is owed by who has it in the end */
START_TEST(request_to_replaced)
{
	struct conn *is;

	slow_world();
	request_init(&slow.m, KDBUS_DST_ID_NAME, NAME, 1, NEVER);
	slow_send_start(&slow, &a);
	accomplices(TRIES);
	kt_check_ret(end_sending(), 0, "the send");
	is = name_owner(&a, NAME, NULL) == s.id ? &s : &t;
	check_got(is);
	conn_close(is == &s ? &t : &s);
	expect_empty(&a);
	kt_check_ret(reply(is, a.id, 1), 0, "reply");
	expect_msg(&a, 1001, 1);
}
END_TEST

static void on_signal(int nr)
{
	(void)nr;
}

/* whoever has begun again stops at a signal, not only at the last one */
START_TEST(signal_ends_it)
{
	struct sigaction sa = { .sa_handler = on_signal };

	slow_world();
	kt_assert(!sigaction(SIGUSR1, &sa, NULL), "sigaction: %m");
	slow_send_to(&slow, &a, KDBUS_DST_ID_NAME, NAME);
	accomplices(2);
	let_read();
	replace(2);
	kt_assert(!pthread_kill(slow.thread, SIGUSR1), "pthread_kill");
	let_finish();
	kt_check(!reads(), "it goes on");
	kt_check_ret(end_sending(), -EINTR, "the send");
	expect_empty(&s);
	expect_empty(&t);
	kt_check(!pool_used(&s) && !pool_used(&t), "pools");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* An owner that disconnects */

#define ROUNDS	10

/* the calling thread, on the first processor; ahead of all if not 0 */
static void run_on_one(int priority)
{
	struct sched_param param = { .sched_priority = priority };
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(0, &set);
	kt_assert(!sched_setaffinity(0, sizeof(set), &set), "affinity: %m");
	if (priority && sched_setscheduler(0, SCHED_FIFO, &param))
		kt_skip("no SCHED_FIFO: %m");
}

static bool polls;
static pid_t poller;

/*
 * Who polls an owner is woken when the queue has ended and the name is not gone
 * yet, and where the kernel can be preempted this runs at once.
 */
static void *send_at_the_end(void *arg)
{
	struct pollfd p = { .fd = *(int *)arg };

	run_on_one(50);
	poller = kt_tid();
	__atomic_store_n(&polls, true, __ATOMIC_SEQ_CST);
	kt_assert(poll(&p, 1, 20000) == 1, "poll: %m");
	return (void *)(intptr_t)request_name(&a, NAME, 1, NEVER);
}

/* what a request says that is sent while @s disconnects */
static int send_while_leaving(void)
{
	pthread_t thread;
	void *ret;

	__atomic_store_n(&polls, false, __ATOMIC_SEQ_CST);
	thread = kt_thread(send_at_the_end, &s.fd);
	while (!__atomic_load_n(&polls, __ATOMIC_SEQ_CST))
		sched_yield();
	kt_wait_asleep(poller);
	kt_check_ret(conn_byebye(&s), 0, "BYEBYE");
	kt_assert(!pthread_join(thread, &ret), "join");
	conn_close(&s);
	return (intptr_t)ret;
}

static void leaving_world(bool activator)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	if (activator)
		activator_open(&act, &bus, 0, NAME, POOL);
	run_on_one(0);
}

START_TEST(activator_is_next)
{
	int i;

	leaving_world(true);
	for (i = 0; i < ROUNDS && !kt->failures; i++) {
		conn_open(&s, &bus, POOL);
		take(&s);
		kt_check_ret(send_while_leaving(), 0, "round %d", i);
		check_owner(act.id);
		kt_check_ret(drop(&act), 0, "not at the activator");
		expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	}
}
END_TEST

START_TEST(waiter_is_next)
{
	int i;

	leaving_world(false);
	for (i = 0; i < ROUNDS && !kt->failures; i++) {
		conn_open(&s, &bus, POOL);
		conn_open(&t, &bus, POOL);
		take(&s);
		kt_assert_ret(name_acquire(&t, NAME, QUEUE), 0, "wait");
		kt_check_ret(send_while_leaving(), 0, "round %d", i);
		expect_msg(&t, 1, 0);
		kt_check_ret(reply(&t, a.id, 1), 0, "reply");
		expect_msg(&a, 1001, 1);
		conn_close(&t);
	}
}
END_TEST

/* the name is gone, and that is what is said */
START_TEST(nobody_is_next)
{
	int i;

	leaving_world(false);
	for (i = 0; i < ROUNDS && !kt->failures; i++) {
		conn_open(&s, &bus, POOL);
		take(&s);
		kt_check_ret(send_while_leaving(), -ESRCH, "round %d", i);
		expect_empty(&a);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Exit on idle: a service serves, leaves, and is activated again */

#define EXIT_MS	1000
#define EXITS	10

static bool over;
static unsigned int exits;

static void serve(struct conn *c)
{
	u64 off;

	while (!conn_recv(c, &off)) {
		const struct kdbus_msg *m = conn_msg(c, off);

		kt_check_ret(reply(c, m->src_id, m->cookie), 0, "reply");
		kt_check_ret(conn_free(c, off), 0, "FREE");
	}
}

static void *service(void *arg)
{
	struct conn c;

	(void)arg;
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		if (!(fd_poll(act.fd, 20) & POLLIN))
			continue;
		conn_open(&c, &bus, POOL);
		kt_check_ret(name_acquire(&c, NAME, 0), 0, "take over");
		serve(&c);
		/* busy again: another round */
		while (exits % 2 && conn_byebye(&c) == -EBUSY)
			serve(&c);
		conn_close(&c);
		__atomic_add_fetch(&exits, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/*
 * Closing without looking loses what was read, and what comes later goes back:
 * each call gets an answer.
 */
START_TEST(exit_on_idle)
{
	u64 end = kt_now_ms() + EXIT_MS;
	unsigned int n = 0;
	pthread_t thread;

	act_world(0);
	thread = kt_thread(service, NULL);
	while (kt_go_on(end, __atomic_load_n(&exits, __ATOMIC_SEQ_CST) >
			     EXITS) && !kt->failures) {
		n++;
		kt_check_ret(request_name(&a, NAME, n, NEVER), 0, "call %u", n);
		wait_readable(&a);
		expect_msg(&a, 1000 + n, n);
	}
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	kt_join(thread);
	kt_note("%u calls, %u exits", n, exits);
}
END_TEST

KT_SUITE("owners")
{
	kt_test(replaced_all_the_time);
	kt_test(request_to_replaced);
	kt_test(signal_ends_it);
	kt_test(activator_is_next);
	kt_test(waiter_is_next);
	kt_test(nobody_is_next);
	kt_test(exit_on_idle);
}
