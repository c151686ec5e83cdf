// SPDX-License-Identifier: GPL-2.0-only
/* The pool gives memory back, and rests when there is none to give */

#include <stdio.h>
#include <unistd.h>

#include "pair.h"
#include "suites.h"

/* more pages than are given back at leisure */
#define PAGES	2000
#define SMALL	200UL

static u64 small[PAGES], rest[PAGES];

/* each page of a part of the pool of @b has something small in it */
static void scatter(void)
{
	static u8 bytes[KT_PAGE];
	int i;

	for (i = 0; i < PAGES; i++) {
		kt_assert_ret(conn_send_want(&a, b.id, bytes, SMALL), 0,
			      "send");
		kt_assert_ret(conn_send_want(&a, b.id, bytes, KT_PAGE - SMALL),
			      0, "send");
		conn_recv_msg(&b, &small[i]);
		conn_recv_msg(&b, &rest[i]);
	}
	for (i = 0; i < PAGES; i++)
		kt_assert_ret(conn_free(&b, rest[i]), 0, "free");
}

/* what the kernel has worked so far, in 1/100 s */
static unsigned long long worked(void)
{
	unsigned long long user, nice, sys, idle, iowait, irq, softirq;
	char buf[4096];

	kt_assert(kt_read_file("/proc/stat", buf, sizeof(buf)) > 0 &&
		  sscanf(buf, "cpu %llu %llu %llu %llu %llu %llu %llu", &user,
			 &nice, &sys, &idle, &iowait, &irq, &softirq) == 7,
		  "/proc/stat: %m");
	return sys;
}

/* in the quietest of some seconds, as others may have something to do */
static unsigned long long least_work(void)
{
	unsigned long long before, least = ~0ULL;
	int i;

	for (i = 0; i < 5; i++) {
		before = worked();
		sleep(1);
		before = worked() - before;
		if (before < least)
			least = before;
	}
	return least;
}

static bool falls_to(u64 bytes)
{
	u64 end = kt_now_ms() + 10000;

	while (fdinfo(&b, "pool-resident:") > bytes) {
		if (kt_now_ms() > end)
			return false;
		usleep(20000);
	}
	return true;
}

/* pages of which only a part is free cannot be given back */
START_TEST(scattered)
{
	unsigned long long work;
	int i;

	pair_open();
	conn_close(&b);
	conn_open(&b, &bus, 32 * MIB);
	scatter();
	work = least_work();
	kt_check(fdinfo(&b, "pool-resident:") >= PAGES * KT_PAGE, "resident");
	kt_check(work < 50, "%llu %% of a processor, for nothing", work);
	for (i = 0; i < PAGES; i++)
		kt_assert_ret(conn_free(&b, small[i]), 0, "free");
	kt_check(falls_to(64 * KIB), "%llu bytes stay",
		 fdinfo(&b, "pool-resident:"));
}
END_TEST

/* what was only looked at is not needed, either */
START_TEST(looked_at)
{
	u64 i;

	pair_open();
	conn_close(&b);
	conn_open(&b, &bus, 32 * MIB);
	for (i = 0; i < b.pool_size; i += KT_PAGE)
		kt_check(!*(volatile u8 *)(b.pool + i), "byte %llu", i);
	kt_check(falls_to(64 * KIB), "%llu bytes stay",
		 fdinfo(&b, "pool-resident:"));
}
END_TEST

void suite_trim(void)
{
	kt_suite("trim");
	kt_test(scattered);
	kt_test(looked_at);
}
