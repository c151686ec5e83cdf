// SPDX-License-Identifier: LGPL-2.1-or-later
/* Well-known names. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

static int name_command(struct kdb_conn *conn, unsigned long nr,
			const char *name, uint64_t *flags)
{
	struct kdbus_cmd_name *arg;
	struct kdbi_cmd cmd;
	int r;

	/* the kernel calls a longer one too big a message */
	if (strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
		return -EINVAL;
	kdbi_cmd_init(&cmd, sizeof(*arg));
	arg = cmd.buf;
	arg->flags = *flags;
	kdbi_cmd_string(&cmd, KDBUS_ITEM_NAME, name);
	r = kdbi_cmd_run(&cmd, conn->fd, nr);
	arg = cmd.buf;
	*flags = arg->flags;
	kdbi_cmd_free(&cmd);
	return r;
}

KDB_API int kdb_name_acquire(struct kdb_conn *conn, const char *name,
			     uint64_t flags)
{
	int r = name_command(conn, KDBUS_CMD_NAME_ACQUIRE, name, &flags);

	return r ?: !!(flags & KDBUS_NAME_IN_QUEUE);
}

KDB_API int kdb_name_release(struct kdb_conn *conn, const char *name)
{
	uint64_t flags = 0;

	return name_command(conn, KDBUS_CMD_NAME_RELEASE, name, &flags);
}

KDB_API int kdb_name_owner(struct kdb_conn *conn, const char *name,
			   uint64_t *id)
{
	const struct kdbus_info *info;
	struct kdbus_cmd_info *arg;
	struct kdbi_cmd cmd;
	int r;

	if (strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
		return -EINVAL;
	kdbi_cmd_init(&cmd, sizeof(*arg));
	kdbi_cmd_string(&cmd, KDBUS_ITEM_NAME, name);
	r = kdbi_cmd_run(&cmd, conn->fd, KDBUS_CMD_CONN_INFO);
	arg = cmd.buf;
	if (r == 0) {
		info = (const void *)(conn->pool + arg->offset);
		*id = info->id;
		/* activators and policy holders cannot */
		kdbi_free(conn, arg->offset);
	}
	kdbi_cmd_free(&cmd);
	return r;
}

struct kdb_names {
	struct kdb_conn *conn;
	uint64_t offset;
	const struct kdbus_name_list *list;
	const struct kdbus_name_info *next;
};

KDB_API int kdb_names_list(struct kdb_conn *conn, uint64_t flags,
			   struct kdb_names **ret)
{
	struct kdbus_cmd_name_list arg = { .flags = flags };
	struct kdb_names *names = calloc(1, sizeof(*names));
	int r;

	if (!names)
		return -ENOMEM;
	r = kdbi_ioctl(conn->fd, KDBUS_CMD_NAME_LIST, &arg);
	if (r < 0) {
		free(names);
		return r;
	}
	names->conn = conn;
	names->offset = arg.offset;
	names->list = (const void *)(conn->pool + arg.offset);
	names->next = names->list->names;
	*ret = names;
	return 0;
}

KDB_API int kdb_names_next(struct kdb_names *names,
			   struct kdb_name_entry *entry)
{
	const struct kdbus_name_info *info = names->next;
	const uint8_t *end = (const uint8_t *)names->list + names->list->size;
	const struct kdbus_item *item;

	if ((const uint8_t *)info >= end) {
		names->next = names->list->names;
		return 0;
	}
	*entry = (struct kdb_name_entry){
		.id		= info->owner_id,
		.flags		= info->flags,
		.conn_flags	= info->conn_flags,
	};
	kdbi_for_each_item(item, info->items, (const uint8_t *)info + info->size)
		if (item->type == KDBUS_ITEM_NAME)
			entry->name = item->str;
	names->next = (const void *)((const uint8_t *)info +
				     ALIGN8(info->size));
	return 1;
}

KDB_API void kdb_names_release(struct kdb_names *names)
{
	if (!names)
		return;
	kdbi_free(names->conn, names->offset);
	free(names);
}

/*
 * Watches
 *
 * One that ends while its function runs is only marked: whoever walks along the list
 * has it in hand.
 */

static int name_match(struct kdb_conn *conn, uint64_t cookie, uint64_t type,
		      const char *name)
{
	struct kdbus_cmd_match *arg;
	struct kdbi_cmd cmd;
	int r;

	kdbi_cmd_init(&cmd, sizeof(*arg));
	arg = cmd.buf;
	arg->cookie = cookie;
	kdbi_cmd_name_change(&cmd, type, name, KDBUS_MATCH_ID_ANY,
			     KDBUS_MATCH_ID_ANY);
	r = kdbi_cmd_run(&cmd, conn->fd, KDBUS_CMD_MATCH_ADD);
	kdbi_cmd_free(&cmd);
	return r;
}

KDB_API int kdb_name_watch(struct kdb_conn *conn, const char *name,
			   kdb_name_fn fn, void *arg, uint64_t *cookie)
{
	struct kdbi_watch *watch, **end;
	size_t len;
	uint64_t type;
	int r;

	name = name ?: "";
	len = strnlen(name, NAME_MAX_LEN + 1);
	if (len > NAME_MAX_LEN)
		return -ENAMETOOLONG;
	watch = malloc(sizeof(*watch) + len + 1);
	if (!watch)
		return -ENOMEM;
	*watch = (struct kdbi_watch){ .cookie = ++conn->match, .fn = fn,
				      .arg = arg };
	memcpy(watch->name, name, len + 1);
	for (type = KDBUS_ITEM_NAME_ADD; type <= KDBUS_ITEM_NAME_CHANGE; type++) {
		r = name_match(conn, watch->cookie, type, name);
		if (r < 0) {
			kdb_match_remove(conn, watch->cookie);
			free(watch);
			return r;
		}
	}
	end = &conn->watches;
	while (*end)
		end = &(*end)->next;
	*end = watch;
	if (cookie)
		*cookie = watch->cookie;
	return 0;
}

static void name_sweep(struct kdb_conn *conn)
{
	struct kdbi_watch **at = &conn->watches, *watch;

	while ((watch = *at)) {
		if (watch->fn) {
			at = &watch->next;
			continue;
		}
		*at = watch->next;
		free(watch);
	}
}

KDB_API int kdb_unwatch(struct kdb_conn *conn, uint64_t cookie)
{
	struct kdbi_watch *watch = conn->watches;

	while (watch && (watch->cookie != cookie || !watch->fn))
		watch = watch->next;
	if (!watch)
		return -ENOENT;
	watch->fn = NULL;
	kdb_match_remove(conn, cookie);
	if (!conn->handling)
		name_sweep(conn);
	return 0;
}

/* Returns 1 if it was news for somebody, 0 if for nobody. */
int kdbi_watch_notice(struct kdb_conn *conn, const struct kdb_notice *notice)
{
	struct kdbi_watch *watch;
	int r = 0, s;

	for (watch = conn->watches; watch; watch = watch->next) {
		if (!watch->fn ||
		    (watch->name[0] && strcmp(watch->name, notice->name)))
			continue;
		s = watch->fn(conn, notice->name, notice->old_id,
			      notice->new_id, watch->arg);
		if (r >= 0)
			r = s < 0 ? s : 1;
	}
	name_sweep(conn);
	return r;
}

void kdbi_watches_end(struct kdb_conn *conn)
{
	struct kdbi_watch *watch, *next;

	for (watch = conn->watches; watch; watch = next) {
		next = watch->next;
		free(watch);
	}
}
