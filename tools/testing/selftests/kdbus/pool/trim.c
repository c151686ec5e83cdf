// SPDX-License-Identifier: GPL-2.0-only
/* The pool gives memory back, and rests when there is none to give */

#include <stdio.h>
#include <unistd.h>

#include "cast.h"
#include "pair.h"

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

/*
 * A pool dies while its memory is given back and somebody has written a message
 * into it, who has others to write first.
 */
#define BIG		(1 * MIB)
#define LISTENERS	4
#define BIG_MS		1500

static void *cast_big(void *arg)
{
	static u8 bytes[BIG];
	struct blob m;

	cast_init(&m, 1);
	msg_vec(&m, bytes, BIG);
	kt_assert_ret(conn_send(&a, &m), 0, "broadcast");
	return arg;
}

START_TEST(closed_meanwhile)
{
	u64 i, end = kt_now_ms() + BIG_MS;
	struct conn listener[LISTENERS];
	unsigned int rounds = 0;
	pthread_t t;

	pair_open();
	for (i = 0; i < LISTENERS; i++) {
		conn_open(&listener[i], &bus, 4 * BIG);
		match_all(&listener[i]);
	}
	while (kt_go_on(end, rounds >= 10)) {
		conn_close(&b);
		conn_open(&b, &bus, 32 * MIB);
		/* of those who listen, the last is the first to get it */
		match_all(&b);
		t = kt_thread(cast_big, NULL);
		/* what was only looked at is given back at once, if it is much */
		for (i = b.pool_size - 6 * MIB; i < b.pool_size; i += KT_PAGE)
			(void)*(volatile u8 *)(b.pool + i);
		conn_close(&b);
		kt_join(t);
		conn_open(&b, &bus, POOL);
		for (i = 0; i < LISTENERS; i++)
			conn_drain(&listener[i]);
		rounds++;
	}
	kt_note("%u pools", rounds);
}
END_TEST

KT_SUITE("trim")
{
	kt_test(scattered);
	kt_test(looked_at);
	kt_test(closed_meanwhile);
}
