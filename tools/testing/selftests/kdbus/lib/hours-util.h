/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Deadlines of hours and days, where time travels: User-mode Linux with
 * time-travel=inf-cpu. There an idle machine is at its next timer at once, and
 * computing takes no time. So what is late is late because of a wrong timer,
 * and a timer that is missing ends the test by its own limit.
 */
#ifndef KDBUS_TEST_HOURS_UTIL_H
#define KDBUS_TEST_HOURS_UTIL_H

#include "pair.h"		/* @a asks, @b answers */

#define TIMEOUT		KDBUS_ITEM_REPLY_TIMEOUT
#define DEAD		KDBUS_ITEM_REPLY_DEAD
#define MS		1000000ULL
#define SECOND		(1000 * MS)
#define MINUTE		(60 * SECOND)
#define HOUR		(60 * MINUTE)
#define DAY		(24 * HOUR)
#define YEAR		(365 * DAY)
/* a reading of the clock costs some ns, and there are a few of them */
#define LATE		(10 * MS)
/* libcheck's own limit, in seconds, is in the same time */
#define LIMIT		(30 * 24 * 3600)

/* ends the test where time does not travel */
void hours_open(void);
/* instead of a return: libcheck cannot count the microseconds that this took */
void leave(void);

void until(u64 ns);
void silent_until(u64 ns);	/* and @a hears nothing */
void check_at(u64 now, u64 deadline, const char *what);

void ask(u64 cookie, u64 deadline);
/* the next thing that @a hears, at this very time */
void note_at(u64 deadline, u64 type, u64 cookie);

void start_call(struct call *c, u64 cookie, u64 deadline);
void run_call(struct call *c);	/* as it is */
void end_at(struct call *c, int err, u64 when, const char *what);

#endif /* KDBUS_TEST_HOURS_UTIL_H */
