// SPDX-License-Identifier: GPL-2.0-only
/*
 * What others wait for when pages of a pool come and go: neither for page tables
 * nor for what is not there. Counted with probes and with the events of lockdep.
 */

#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "pair.h"
#include "trace-util.h"

#define BIG_POOL	(128 * MIB)
#define STEP		(256 * KIB)	/* an entry in the table of pages each */
#define ENTRIES		(BIG_POOL / STEP)
#define MOST_LOOKS	200
#define CHUNK		(1 * MIB)
#define CHUNKS		6		/* more than a pool keeps at leisure */
#define KEEP		(64 * KIB)	/* what it keeps */
#define TABLE		(2 * MIB)	/* what one page table maps */

/* what a look into the table of pages shows by, under the lock of slices */
#define SLICES		"&slices->lock"
#define PAGES		"&pages->lock"
#define LOOK		" read rcu_read_lock"

/* what searching page tables, and memory that may be reclaimed, show by */
#define MAPPINGS	"&mapping->i_mmap_rwsem"
#define RECLAIM		"fs_reclaim"

static u8 bytes[CHUNK];

static void prepare(void)
{
	pair_open();
	conn_close(&b);
	conn_open(&b, &bus, BIG_POOL);
}

static void look_at(u64 step)
{
	u64 i;

	for (i = 0; i < BIG_POOL; i += step)
		kt_check(!*(volatile u8 *)(b.pool + i), "byte %llu", i);
}

static void wait_trimmed(u64 max)
{
	u64 end = kt_now_ms() + 20000;

	while (fdinfo(&b, "pool-resident:") > max && kt_now_ms() < end)
		usleep(20000);
	kt_assert(fdinfo(&b, "pool-resident:") <= max,
		  "pages are not given back");
}

/* more than a pool keeps comes, and goes again */
static void come_and_go(u64 stay)
{
	u64 off[CHUNKS];
	unsigned int i;

	for (i = 0; i < CHUNKS; i++) {
		kt_assert_ret(conn_send_want(&a, b.id, bytes, CHUNK), 0,
			      "send");
		conn_recv_msg(&b, &off[i]);
	}
	for (i = 0; i < CHUNKS; i++)
		kt_assert_ret(conn_free(&b, off[i]), 0, "free");
	wait_trimmed(stay);
}

/* in the name of @who */
static void trace_two(const char *who, const char *lock, const char *other)
{
	char filter[256];

	snprintf(filter, sizeof(filter),
		 "comm ~ \"%s*\" && (name == \"%s\" || name == \"%s\")", who,
		 lock, other);
	trace_start(NULL, 0);
	trace_everybody();
	trace_locks(filter);
}

static void trace_looks(void)
{
	trace_two("kworker", SLICES, "rcu_read_lock");
}

static unsigned int count_looks(u64 stay, unsigned int *most)
{
	unsigned int n;

	trace_looks();
	come_and_go(stay);
	n = trace_under(SLICES, LOOK, most);
	trace_stop();
	kt_check(n > 0, "nothing was counted");
	return n;
}

/* what was there once does not count */
START_TEST(empty_entries)
{
	unsigned int n, most;

	prepare();
	look_at(STEP);
	wait_trimmed(KEEP);
	n = count_looks(KEEP, &most);
	kt_note("%u looks at %lu entries", n, ENTRIES);
	kt_check(n < ENTRIES, "%u looks for the pages of %u messages", n,
		 CHUNKS);
}
END_TEST

/* nor do many free slices make a difference to others */
START_TEST(many_slices)
{
	static u64 small[ENTRIES], rest[ENTRIES];
	unsigned int i, n, most;

	prepare();
	for (i = 0; i < ENTRIES; i++) {
		kt_assert_ret(conn_send_want(&a, b.id, bytes, 256), 0, "send");
		kt_assert_ret(conn_send_want(&a, b.id, bytes, 2 * KT_PAGE), 0,
			      "send");
		conn_recv_msg(&b, &small[i]);
		conn_recv_msg(&b, &rest[i]);
	}
	for (i = 0; i < ENTRIES; i++)
		kt_assert_ret(conn_free(&b, rest[i]), 0, "free");
	n = count_looks(2 * ENTRIES * KT_PAGE + KEEP, &most);
	kt_note("%u looks at %lu slices, at most %u at a time", n, ENTRIES,
		most);
	kt_check(most < MOST_LOOKS, "%u looks at a time", most);
}
END_TEST

/* how often something was done under a lock; it was not for nothing */
static unsigned int count_under(const char *lock, const char *other)
{
	unsigned int n, all, most;
	char taken[64];

	snprintf(taken, sizeof(taken), " %s", other);
	all = trace_under(NULL, taken, &most);
	n = trace_under(lock, taken, &most);
	trace_stop();
	kt_check(all > 0, "no %s was seen", other);
	return n;
}

/* page tables are searched for pages that go while no sender waits */
START_TEST(unmapped_without_a_lock)
{
	unsigned int n;

	prepare();
	trace_two("kworker", PAGES, MAPPINGS);
	look_at(STEP);
	wait_trimmed(KEEP);
	n = count_under(PAGES, MAPPINGS);
	kt_check(!n, "unmapped %u times under the lock of the pages", n);
}
END_TEST

/* and they are allocated likewise, which may mean to reclaim memory */
START_TEST(mapped_without_a_lock)
{
	unsigned int n;

	prepare();
	trace_two("kdbus-test", PAGES, RECLAIM);
	look_at(TABLE);
	n = count_under(PAGES, RECLAIM);
	kt_check(!n, "%u allocations that may reclaim under the lock of the pages",
		 n);
}
END_TEST

/* however much there is, a spinlock is held for a bounded number of steps */
START_TEST(bounded_steps)
{
	unsigned int under, most;

	prepare();
	trace_looks();
	look_at(STEP);
	wait_trimmed(KEEP);
	under = trace_under(SLICES, LOOK, &most);
	trace_stop();
	kt_note("%u looks, at most %u at a time", under, most);
	kt_check(under > 0, "nothing was counted");
	kt_check(most < MOST_LOOKS, "%u looks at a time", most);
}
END_TEST

KT_SUITE("trim-cost")
{
	kt_test(empty_entries);
	kt_test(many_slices);
	kt_test(unmapped_without_a_lock);
	kt_test(mapped_without_a_lock);
	kt_test(bounded_steps);
}
