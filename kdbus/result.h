/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_RESULT_H
#define __KDBUS_RESULT_H

/**
 * DOC: Results in the pool
 *
 * Commands that return more than fits into their argument write it into a slice
 * of the caller's pool and return the offset. The caller frees the slice.
 * Special connections that have no command for that keep one result, until the
 * next one takes its place.
 *
 * Locks: the mutex of the bus guards the result that is kept.
 */

#include <linux/types.h>

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_slice;

int kdbus_result_return(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
			struct kdbus_slice *slice, size_t member);

#endif
