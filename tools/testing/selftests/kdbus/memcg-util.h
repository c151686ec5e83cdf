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

#endif /* KDBUS_TEST_MEMCG_UTIL_H */
