/* SPDX-License-Identifier: GPL-2.0-only */
/* Races of requests and names: what the tests of them begin with */
#ifndef KDBUS_TEST_RACE_WORLD_H
#define KDBUS_TEST_RACE_WORLD_H

#include "pair.h"

#define RACE_POOL	(256 * KIB)
#define RACE_MS		3000
#define NAME		"foo.bar"

extern u32 rnd;		/* of the main thread */
extern bool stop;	/* for the others */

void race_world(void);	/* a bus for everybody, and @a */

#endif /* KDBUS_TEST_RACE_WORLD_H */
