/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_HRTIMER_H
#define __KDBUS_COMPAT_HRTIMER_H

#include <linux/hrtimer.h>
#include <linux/version.h>

/* 6.13 added hrtimer_setup(), 6.15 removed hrtimer_init() */
static inline void
kdbus_hrtimer_setup(struct hrtimer *timer,
		    enum hrtimer_restart (*function)(struct hrtimer *),
		    clockid_t clock, enum hrtimer_mode mode)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
	hrtimer_init(timer, clock, mode);
	timer->function = function;
#else
	hrtimer_setup(timer, function, clock, mode);
#endif
}

#endif
