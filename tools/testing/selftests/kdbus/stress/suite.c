// SPDX-License-Identifier: GPL-2.0-only
/*
 * Everything at random, from many threads, compared with a model: see stress.h
 *
 * STRESS_SEED	what the random numbers start from (default: option -s)
 * STRESS_TIME	seconds of each test (3)
 */
#include "stress.h"

/* send, by name, request, call, broadcast, receive, drop, match, acquire,
 * release, info, list, reopen, endpoint, cancel, free
 */
static const struct st_profile profiles[] = {
	{ "everything", 1 * MIB, true,
	  { 30, 15, 8, 4, 20, 40, 2, 10, 4, 4, 4, 3, 3, 1, 3, 4 } },
	{ "calls", 1 * MIB, false,
	  { 4, 4, 25, 20, 2, 40, 5, 2, 2, 2, 1, 1, 2, 0, 15, 2 } },
	{ "names", 1 * MIB, true,
	  { 5, 50, 10, 4, 5, 30, 2, 2, 25, 20, 4, 4, 4, 0, 2, 2 } },
	{ "broadcasts", 2 * MIB, false,
	  { 5, 2, 2, 1, 50, 50, 1, 30, 2, 2, 1, 1, 4, 1, 1, 2 } },
	{ "small_pools", 32 * KIB, false,
	  { 40, 10, 10, 6, 20, 20, 2, 6, 3, 3, 4, 4, 2, 0, 3, 6 } },
};

START_TEST(everything)
{
	st_run(&profiles[0]);
}
END_TEST

START_TEST(calls)
{
	st_run(&profiles[1]);
}
END_TEST

START_TEST(names)
{
	st_run(&profiles[2]);
}
END_TEST

START_TEST(broadcasts)
{
	st_run(&profiles[3]);
}
END_TEST

START_TEST(small_pools)
{
	st_run(&profiles[4]);
}
END_TEST

KT_SUITE_LATE("stress")
{
	kt_test_slow(everything, 900);
	kt_test_slow(calls, 900);
	kt_test_slow(names, 900);
	kt_test_slow(broadcasts, 900);
	kt_test_slow(small_pools, 900);
}
