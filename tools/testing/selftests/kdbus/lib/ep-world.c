// SPDX-License-Identifier: GPL-2.0-only
/* On either side of a custom endpoint: see ep-world.h */

#include "ep-world.h"

struct bus ep;
struct conn in, out, mute;

void ep_world(const char *policy)
{
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, "%s", policy);
	conn_open(&in, &ep, POOL);
	conn_open(&out, &bus, POOL);
	conn_open(&mute, &bus, POOL);
	kt_assert_ret(name_acquire(&out, "a.one", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&out, "a.two", 0), 0, "acquire");
}
