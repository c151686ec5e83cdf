// SPDX-License-Identifier: GPL-2.0
/* Instead of dbus-*.c where there are no libraries to build these with. */
#include "bench.h"

const struct way dbus_ways[] = {
	{ 0 }
};
