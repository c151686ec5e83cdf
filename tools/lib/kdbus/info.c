// SPDX-License-Identifier: LGPL-2.1-or-later
/* What is known about connections and the bus. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

struct kdb_info {
	struct kdb_conn *conn;
	uint64_t offset;
	const struct kdbus_info *info;
	struct kdb_meta meta;
};

static int info_ask(struct kdb_conn *conn, unsigned long nr, uint64_t id,
		    const char *name, uint64_t attach, struct kdb_info **ret)
{
	struct kdb_info *info = calloc(1, sizeof(*info));
	struct kdbus_cmd_info *arg;
	struct kdbi_cmd cmd;
	int r;

	if (!info)
		return -ENOMEM;
	kdbi_cmd_init(&cmd, sizeof(*arg));
	if (name)
		kdbi_cmd_string(&cmd, KDBUS_ITEM_NAME, name);
	arg = cmd.buf;
	arg->id = id;
	arg->flags = attach;
	r = kdbi_cmd_run(&cmd, conn->fd, nr);
	arg = cmd.buf;
	info->conn = conn;
	info->offset = arg->offset;
	kdbi_cmd_free(&cmd);
	if (r < 0) {
		free(info);
		return r;
	}
	info->info = (const void *)(conn->pool + info->offset);
	kdbi_meta_parse(&info->meta, info->info->items,
			(const uint8_t *)info->info + info->info->size);
	*ret = info;
	return 0;
}

KDB_API int kdb_info_of_id(struct kdb_conn *conn, uint64_t id, uint64_t attach,
			   struct kdb_info **info)
{
	/* to the kernel, this is a question about a name */
	if (!id)
		return -ENXIO;
	return info_ask(conn, KDBUS_CMD_CONN_INFO, id, NULL, attach, info);
}

KDB_API int kdb_info_of_name(struct kdb_conn *conn, const char *name,
			     uint64_t attach, struct kdb_info **info)
{
	if (strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
		return -EINVAL;
	return info_ask(conn, KDBUS_CMD_CONN_INFO, 0, name, attach, info);
}

KDB_API int kdb_info_of_bus(struct kdb_conn *conn, struct kdb_info **info)
{
	return info_ask(conn, KDBUS_CMD_BUS_CREATOR_INFO, 0, NULL,
			_KDBUS_ATTACH_ALL, info);
}

KDB_API uint64_t kdb_info_id(const struct kdb_info *info)
{
	return info->info->id;
}

KDB_API uint64_t kdb_info_flags(const struct kdb_info *info)
{
	return info->info->flags;
}

KDB_API const struct kdb_meta *kdb_info_meta(const struct kdb_info *info)
{
	return &info->meta;
}

KDB_API void kdb_info_release(struct kdb_info *info)
{
	if (!info)
		return;
	/* an activator cannot, and has it taken away by the next command */
	kdbi_free(info->conn, info->offset);
	free(info);
}
