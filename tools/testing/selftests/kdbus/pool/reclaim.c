// SPDX-License-Identifier: GPL-2.0-only
/*
 * No allocation that may reclaim memory, and so wait for a cgroup at its limit or
 * for a slow disk, happens while other users wait for a lock. Lockdep sees both.
 */

#include <stdio.h>

#include "fault-util.h"
#include "trace-util.h"

#define RECLAIM		" fs_reclaim"
#define NAME		"some.name"
#define ACTIVE		"act.name"
#define USER		20541
#define POOL		(64 * KIB)
#define MONITORS	18	/* more than there is room for at first */

static struct bus bus, ep;
static struct conn a, b, act, stranger, holder, monitors[MONITORS];

static void greet(void)
{
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
}

static void greet_as_new_user(void)
{
	user_open(&stranger, &bus, USER);
}

static void add_matches(void)
{
	match_all(&a);
	match_all(&b);
}

static void broadcast(void)
{
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
}

static void own(void)
{
	kt_assert_ret(name_acquire(&a, NAME, ALLOW), 0, "acquire");
	kt_assert_ret(name_acquire(&a, NAME "2", 0), 0, "acquire");
}

static void wait_for_it(void)
{
	kt_assert_ret(name_acquire(&b, NAME, QUEUE | ALLOW), 0, "queue");
}

static void let_go(void)
{
	kt_assert_ret(name_release(&a, NAME), 0, "release");
}

static void replace(void)
{
	kt_assert_ret(name_acquire(&a, NAME, REPLACE), 0, "replace");
}

static void list(void)
{
	u64 off;

	kt_assert_ret(name_list(&a, KDBUS_NAME_LIST_NAMES, &off), 0, "list");
	kt_assert_ret(conn_free(&a, off), 0, "free");
}

static void ask(void)
{
	kt_assert_ret(info_id(&a, b.id), 0, "CONN_INFO");
}

static void activate(void)
{
	activator_open(&act, &bus, 0, ACTIVE, POOL);
	kt_assert_ret(send_name(&a, ACTIVE, 1), 0, "send");
}

static void take_over(void)
{
	kt_assert_ret(name_acquire(&b, ACTIVE, 0), 0, "take over");
}

static void hand_back(void)
{
	kt_assert_ret(name_release(&b, ACTIVE), 0, "hand back");
}

static void hold(void)
{
	holder_open(&holder, &bus, "held.name w:o u%d:t", USER);
}

static void hold_more(void)
{
	kt_assert_ret(conn_update(&holder, "held.name w:s g5:o"), 0,
		      "CONN_UPDATE");
}

static void make_endpoint(void)
{
	ep_make(&ep, &bus, "some.name w:t");
}

static void update_endpoint(void)
{
	ep_set(&ep, "some.name w:s other.name u%d:o", USER);
}

static void watch(void)
{
	unsigned int i;

	for (i = 0; i < MONITORS; i++)
		kt_assert_ret(conn_try_open(&monitors[i], &bus, MONITOR, POOL),
			      0, "HELLO of monitor %u", i);
}

static void send_watched(void)
{
	unsigned int i;

	kt_assert_ret(send_id(&a, b.id), 0, "send");
	for (i = 0; i < MONITORS; i++)
		kt_assert_ret(conn_recv(&monitors[i], NULL), 0, "monitor %u",
			      i);
}

static void leave(void)
{
	unsigned int i;

	for (i = 0; i < MONITORS; i++)
		conn_close(&monitors[i]);
	bus_close(&ep);
	conn_close(&holder);
	conn_close(&act);
	conn_drain(&a);
	kt_assert_ret(conn_byebye(&a), 0, "BYEBYE");
	conn_close(&a);
	conn_close(&b);
	conn_close(&stranger);
}

static const struct {
	const char *name;
	void (*fn)(void);
} steps[] = {
	{ "HELLO", greet },
	{ "HELLO of a new user", greet_as_new_user },
	{ "MATCH_ADD", add_matches },
	{ "a broadcast", broadcast },
	{ "NAME_ACQUIRE", own },
	{ "waiting for a name", wait_for_it },
	{ "NAME_RELEASE", let_go },
	{ "replacing an owner", replace },
	{ "NAME_LIST", list },
	{ "CONN_INFO", ask },
	{ "HELLO of an activator", activate },
	{ "taking over from it", take_over },
	{ "handing back to it", hand_back },
	{ "HELLO of a policy holder", hold },
	{ "an update of its policy", hold_more },
	{ "ENDPOINT_MAKE", make_endpoint },
	{ "ENDPOINT_UPDATE", update_endpoint },
	{ "HELLO of monitors", watch },
	{ "a message to monitors", send_watched },
	{ "leaving", leave },
};

/* a bus on which there have been matches: their index comes with the first one */
static void prepare(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	match_all(&a);
	conn_close(&a);
}

static void trace_lock(const char *lock)
{
	char filter[256];

	snprintf(filter, sizeof(filter),
		 "comm ~ \"kdbus-test*\" && (name == \"%s\" || name == \"fs_reclaim\")",
		 lock);
	trace_start(NULL, 0);
	trace_everybody();
	trace_locks(filter);
}

static void check_lock(const char *lock)
{
	unsigned int i, n, all = 0, most;
	char taken[64];

	prepare();
	snprintf(taken, sizeof(taken), " %s", lock);
	trace_lock(lock);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		trace_count(NULL);
		steps[i].fn();
		all += trace_under(NULL, taken, &most);
		n = trace_under(lock, RECLAIM, &most);
		kt_check(!n, "%s: %u events of memory to reclaim under %s",
			 steps[i].name, n, lock);
	}
	trace_stop();
	kt_check(all > 0, "%s was not seen", lock);
}

START_TEST(of_a_bus)
{
	check_lock("&bus->lock");
}
END_TEST

START_TEST(of_its_events)
{
	check_lock("&bus->flush");
}
END_TEST

START_TEST(of_policies)
{
	check_lock("&db->lock");
}
END_TEST

START_TEST(of_users)
{
	check_lock("&users->lock");
}
END_TEST

START_TEST(of_pages)
{
	check_lock("&pages->lock");
}
END_TEST

/*
 * Memory that is there at once is taken under locks as well; so from each allocation
 * on, there is none.
 */
START_TEST(of_a_bus_in_need)
{
	unsigned int n, i, faults = 0, seen, most;
	bool fault = true;
	int file;

	fault_need();
	file = fault_file();
	prepare();
	greet();
	watch();
	trace_lock("&bus->lock");
	if (!fault_flood(true))
		kt_skip("FAULT_ONCE is set");
	for (n = 1; fault; n++) {
		trace_count(NULL);
		fault_arm(file, n);
		send_id(&a, b.id);
		fault = fault_disarm(file);
		faults += fault;
		seen = trace_under("&bus->lock", RECLAIM, &most);
		kt_check(!seen, "fault %u: %u events of memory to reclaim", n,
			 seen);
		conn_drain(&b);
		for (i = 0; i < MONITORS; i++)
			conn_drain(&monitors[i]);
	}
	fault_flood(false);
	trace_stop();
	kt_note("%u faults", faults);
	kt_check(faults > 0, "no fault was injected");
}
END_TEST

KT_SUITE("reclaim")
{
	kt_test_slow(of_a_bus, 180);
	kt_test_slow(of_a_bus_in_need, 180);
	kt_test_slow(of_its_events, 180);
	kt_test_slow(of_policies, 180);
	kt_test_slow(of_users, 180);
	kt_test_slow(of_pages, 180);
}
