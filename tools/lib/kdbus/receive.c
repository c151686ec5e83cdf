// SPDX-License-Identifier: LGPL-2.1-or-later
/* Commands that receive. */
#include <errno.h>

#include "priv.h"

/* If the kernel can, it frees what was parked with the same command. */
static int receive_command(struct kdb_conn *conn, struct kdbus_cmd_recv *recv)
{
	bool frees = conn->parked != KDBUS_OFFSET_NONE;
	int r;

	if (frees) {
		recv->flags |= KDBUS_RECV_EXT_FREE;
		recv->offset = conn->parked;
	}
	r = kdbi_ioctl(conn->fd, KDBUS_CMD_MSG_RECV, recv);
	if (frees && (r == 0 || recv->offset == KDBUS_OFFSET_NONE))
		conn->parked = KDBUS_OFFSET_NONE;
	return r;
}

static int receive_view(struct kdb_conn *conn, struct kdb_view **ret,
			struct kdbus_cmd_recv *recv)
{
	struct kdb_view *view = kdbi_view_get(conn);
	int r;

	if (!view)
		return -ENOMEM;
	r = receive_command(conn, recv);
	if (r < 0) {
		kdbi_view_forget(view);
		return r;
	}
	kdbi_view_show(view, recv->offset, !(recv->flags & KDBUS_RECV_PEEK));
	*ret = view;
	return 0;
}

int kdbi_recv(struct kdb_conn *conn, struct kdb_view **view, uint64_t flags)
{
	struct kdbus_cmd_recv recv = { .flags = flags };

	return receive_view(conn, view, &recv);
}

KDB_API int kdb_recv(struct kdb_conn *conn, struct kdb_view **view)
{
	return kdbi_recv(conn, view, 0);
}

KDB_API int kdb_recv_wait(struct kdb_conn *conn, struct kdb_view **view,
			  uint64_t deadline)
{
	int r;

	if (deadline == KDB_NO_DEADLINE &&
	    (conn->features & KDB_FEATURE_TURN))
		return kdbi_recv(conn, view, KDBUS_RECV_EXT_WAIT);
	for (;;) {
		r = kdbi_recv(conn, view, 0);
		if (r != -EAGAIN)
			return r;
		r = kdbi_wait(conn, deadline);
		if (r < 0)
			return r;
	}
}

KDB_API int kdb_recv_priority(struct kdb_conn *conn, struct kdb_view **view,
			      int64_t priority)
{
	struct kdbus_cmd_recv recv = {
		.flags		= KDBUS_RECV_USE_PRIORITY,
		.priority	= priority,
	};

	return receive_view(conn, view, &recv);
}

KDB_API int kdb_peek(struct kdb_conn *conn, struct kdb_view **view)
{
	return kdbi_recv(conn, view, KDBUS_RECV_PEEK);
}

KDB_API int kdb_drop(struct kdb_conn *conn)
{
	struct kdbus_cmd_recv recv = { .flags = KDBUS_RECV_DROP };

	return receive_command(conn, &recv);
}
