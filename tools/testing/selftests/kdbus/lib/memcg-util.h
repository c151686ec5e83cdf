/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory controller: what the tests of who pays share */
#ifndef KDBUS_TEST_MEMCG_UTIL_H
#define KDBUS_TEST_MEMCG_UTIL_H

#include "util.h"

#define CGROUPS	"/sys/fs/cgroup"

/* charges are made in batches per processor, and pages may be kept back */
#define BATCH	(640 * KIB)
#define RESERVE	(256 * KIB)

/* ends the test if there is none; groups made from now on have it */
void memcg_need(void);

/* a file of the group @dir; @key is what precedes the number, or NULL */
void memcg_put(const char *dir, const char *file, const char *text);
void memcg_put_number(const char *dir, const char *file, u64 value);
long long memcg_get(const char *dir, const char *file, const char *key);
/* until its usage is at most @max, or for ten seconds */
bool memcg_falls_to(const char *dir, long long max);

#endif /* KDBUS_TEST_MEMCG_UTIL_H */
