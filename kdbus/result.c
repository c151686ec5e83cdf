// SPDX-License-Identifier: GPL-2.0
#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "pool.h"
#include "result.h"

static bool can_free(const struct kdbus_conn *conn)
{
	return kdbus_conn_kind(conn) & (KDBUS_CONN_ORDINARY |
					KDBUS_CONN_MONITOR);
}

static void keep(struct kdbus_conn *conn, struct kdbus_slice *slice)
{
	mutex_lock(&conn->bus->lock);
	swap(conn->result, slice);
	mutex_unlock(&conn->bus->lock);

	kdbus_slice_free(slice);
}

/**
 * kdbus_result_return() - return a slice of the caller's pool
 * @conn:	The caller
 * @cmd:	The command
 * @slice:	The result, given away
 * @member:	Where in the argument its offset goes, a u64
 *
 * Documentation/kdbus.txt, section 9.2.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or -EFAULT; then the slice is gone.
 */
int kdbus_result_return(struct kdbus_conn *conn, struct kdbus_cmd *cmd,
			struct kdbus_slice *slice, size_t member)
{
	int r;

	*(u64 *)(cmd->data + member) = slice->offset;
	r = kdbus_cmd_store(cmd, member, sizeof(u64));
	if (r < 0)
		kdbus_slice_free(slice);
	else if (can_free(conn))
		kdbus_slice_publish(slice);
	else
		keep(conn, slice);
	return r;
}
