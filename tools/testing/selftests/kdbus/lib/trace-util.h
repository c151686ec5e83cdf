/* SPDX-License-Identifier: GPL-2.0-only */
/* Counting what the kernel does in the name of this process, with tracefs */
#ifndef KDBUS_TEST_TRACE_UTIL_H
#define KDBUS_TEST_TRACE_UTIL_H

#include "util.h"

/*
 * From now on, count calls of these functions, or these events if there is a
 * slash in the name ("kmem/kmalloc"). Skips the test if there is no tracing.
 */
void trace_start(const char *const *names, unsigned int n);
/* whether the kernel has this function, in this version of it */
bool trace_knows(const char *name);
void trace_also(pid_t tid);	/* what this thread does, too */
void trace_everybody(void);	/* what other processes and the kernel do, too */
/*
 * Also see locks being taken and given back, once tracing has started: those that
 * the filter of events selects, as 'name == "&bus->lock"'. Skips the test if there
 * is no lockdep, which knows their names.
 */
void trace_locks(const char *filter);
/*
 * How often a text was seen in the name of a thread that had the lock, or of any
 * if @lock is NULL: in all, and at most at a time. To be asked before
 * trace_count().
 */
unsigned int trace_under(const char *lock, const char *text,
			 unsigned int *most);
/* from the end of this call, or until it begins, which is a system call */
void trace_on(bool on);
/* how often each was seen since the last time */
void trace_count(unsigned int *counts);
void trace_stop(void);

#endif /* KDBUS_TEST_TRACE_UTIL_H */
