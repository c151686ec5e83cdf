// SPDX-License-Identifier: GPL-2.0-only
/* Races of requests and names: see race-world.h */

#include "race-world.h"

u32 rnd;
bool stop;

void race_world(void)
{
	rnd = kt_seed;
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, RACE_POOL);
}
