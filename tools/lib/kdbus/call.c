// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Calls. An asynchronous one takes a slot until it has ended; the kernel has as many
 * as there are slots. A slot whose call nobody waits for any more stays taken until
 * the kernel has said how the call has ended.
 */
#include <errno.h>

#include "priv.h"

/* A message that says that a call is over may be lost: see kdb_timeout(). */
#define GRACE_NS	1000000000ULL

/* The slot of a call, or NULL. Numbers are given out so that the first look hits. */
struct kdbi_slot *kdbi_slot_find(struct kdb_conn *conn, uint64_t cookie)
{
	struct kdbi_slot *slot = &conn->slots[cookie % MAX_PENDING];
	unsigned int i;

	if (!conn->pending || !cookie)
		return NULL;
	if (slot->cookie == cookie)
		return slot;
	for (i = 0; i < MAX_PENDING; i++)
		if (conn->slots[i].cookie == cookie)
			return &conn->slots[i];
	return NULL;
}

static struct kdbi_slot *call_free_slot(struct kdb_conn *conn, uint64_t cookie)
{
	while (conn->slots[cookie % MAX_PENDING].cookie)
		cookie++;
	return &conn->slots[cookie % MAX_PENDING];
}

KDB_API unsigned int kdb_pending(const struct kdb_conn *conn)
{
	unsigned int i, n = 0;

	for (i = 0; conn->pending && i < MAX_PENDING; i++)
		n += conn->slots[i].cookie && conn->slots[i].fn;
	return n;
}

static uint64_t call_late_at(const struct kdbi_slot *slot)
{
	if (!slot->cookie || slot->deadline > KDB_NO_DEADLINE - GRACE_NS)
		return KDB_NO_DEADLINE;
	return slot->deadline + GRACE_NS;
}

static const struct kdbi_slot *call_first_late(const struct kdb_conn *conn)
{
	const struct kdbi_slot *first = conn->slots;
	unsigned int i;

	for (i = 1; i < MAX_PENDING; i++)
		if (call_late_at(&conn->slots[i]) < call_late_at(first))
			first = &conn->slots[i];
	return first;
}

KDB_API uint64_t kdb_timeout(const struct kdb_conn *conn)
{
	if (!conn->pending)
		return KDB_NO_DEADLINE;
	return call_late_at(call_first_late(conn));
}

/* A call whose end the kernel should have told, or NULL. */
struct kdbi_slot *kdbi_slot_late(struct kdb_conn *conn)
{
	const struct kdbi_slot *slot;

	if (!conn->pending)
		return NULL;
	slot = call_first_late(conn);
	if (call_late_at(slot) == KDB_NO_DEADLINE ||
	    call_late_at(slot) > kdbi_now())
		return NULL;
	return &conn->slots[slot - conn->slots];
}

/* The kernel knows a call by its number if it is made again. */
static KDB_COLD int call_failed(struct kdb_msg *msg, int error)
{
	if (error == -EINTR || msg->again) {
		msg->again = error == -EINTR;
		msg->chosen = msg->again;
	}
	return error;
}

KDB_API int kdb_call(struct kdb_msg *msg, uint64_t deadline,
		     struct kdb_view **answer)
{
	struct kdb_view *view = kdbi_view_get(msg->conn);
	int r;

	if (!view)
		return -ENOMEM;
	r = kdbi_msg_send(msg, KDBUS_MSG_FLAGS_EXPECT_REPLY |
			  KDBUS_MSG_FLAGS_SYNC_REPLY, deadline,
			  msg->conn->parked);
	if (r < 0) {
		kdbi_view_forget(view);
		return call_failed(msg, r);
	}
	kdbi_msg_sent(msg);
	msg->again = false;
	kdbi_view_show(view, msg->h.offset_reply, true);
	*answer = view;
	return 0;
}

KDB_API int kdb_cancel(const struct kdb_conn *conn, uint64_t cookie)
{
	struct kdbus_cmd_cancel cancel = { .cookie = cookie };

	return kdbi_ioctl(conn->fd, KDBUS_CMD_MSG_CANCEL, &cancel);
}

KDB_API int kdb_call_async(struct kdb_msg *msg, uint64_t deadline,
			   kdb_answer_fn fn, void *arg, uint64_t *cookie)
{
	struct kdb_conn *conn = msg->conn;
	struct kdbi_slot *slot;
	int r;

	if (conn->pending == MAX_PENDING)
		return -EMLINK;
	if (!msg->chosen) {
		do
			msg->h.cookie = kdb_cookie(conn);
		while (conn->slots[msg->h.cookie % MAX_PENDING].cookie);
		msg->chosen = true;
	} else if (kdbi_slot_find(conn, msg->h.cookie)) {
		return -EEXIST;
	}
	r = kdbi_msg_send(msg, KDBUS_MSG_FLAGS_EXPECT_REPLY, deadline,
			  conn->parked);
	msg->chosen = false;
	if (r < 0)
		return r;
	kdbi_msg_sent(msg);
	slot = call_free_slot(conn, msg->h.cookie);
	*slot = (struct kdbi_slot){
		.cookie		= msg->h.cookie,
		.dst		= msg->h.dst_id,
		.deadline	= deadline,
		.fn		= fn,
		.arg		= arg,
	};
	conn->pending++;
	if (cookie)
		*cookie = slot->cookie;
	return 0;
}

KDB_API int kdb_forget(struct kdb_conn *conn, uint64_t cookie)
{
	struct kdbi_slot *slot = kdbi_slot_find(conn, cookie);

	if (!slot || !slot->fn)
		return -ENOENT;
	slot->fn = NULL;
	return 0;
}
