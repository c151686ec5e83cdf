// SPDX-License-Identifier: LGPL-2.1-or-later
/* Matches. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

/* A mask for all strings, put behind the other conditions when it is added. */
struct kdb_match {
	struct kdb_conn *conn;
	struct kdbi_cmd cmd;
	bool has_mask;
	uint64_t mask[];
};

KDB_API void kdb_match_reset(struct kdb_match *match)
{
	kdbi_cmd_free(&match->cmd);
	kdbi_cmd_init(&match->cmd, sizeof(struct kdbus_cmd_match));
	match->has_mask = false;
	memset(match->mask, 0, match->conn->bloom.size);
}

KDB_API int kdb_match_new(struct kdb_conn *conn, struct kdb_match **ret)
{
	struct kdb_match *match = malloc(sizeof(*match) + conn->bloom.size);

	if (!match)
		return -ENOMEM;
	match->conn = conn;
	kdbi_cmd_init(&match->cmd, 0);
	kdb_match_reset(match);
	*ret = match;
	return 0;
}

KDB_API void kdb_match_free(struct kdb_match *match)
{
	if (!match)
		return;
	kdbi_cmd_free(&match->cmd);
	free(match);
}

KDB_API int kdb_match_string(struct kdb_match *match, const char *string)
{
	if (!kdbi_bloom_usable(&match->conn->bloom))
		return -EOPNOTSUPP;
	kdbi_bloom_add(match->mask, &match->conn->bloom, string);
	match->has_mask = true;
	return 0;
}

KDB_API void kdb_match_from_id(struct kdb_match *match, uint64_t id)
{
	kdbi_cmd_add(&match->cmd, KDBUS_ITEM_ID, &id, sizeof(id));
}

KDB_API int kdb_match_from_name(struct kdb_match *match, const char *name)
{
	size_t len = strnlen(name, NAME_MAX_LEN + 1);

	if (!len || len > NAME_MAX_LEN)
		return -EINVAL;
	kdbi_cmd_string(&match->cmd, KDBUS_ITEM_NAME, name);
	return 0;
}

/* No name, as none is longer than nothing, is for all of them. */
void kdbi_cmd_name_change(struct kdbi_cmd *cmd, uint64_t type, const char *name,
			  uint64_t old_id, uint64_t new_id)
{
	struct {
		struct kdbus_notify_name_change change;
		char name[NAME_MAX_LEN + 1];
	} rule = {
		.change.old_id.id = old_id,
		.change.new_id.id = new_id,
	};
	size_t len = strlen(name);

	memcpy(rule.name, name, len + 1);
	kdbi_cmd_add(cmd, type, &rule,
		     sizeof(rule.change) + (len ? len + 1 : 0));
}

KDB_API int kdb_match_on_name(struct kdb_match *match, uint64_t type,
			      const char *name, uint64_t old_id,
			      uint64_t new_id)
{
	name = name ?: "";
	if (type < KDBUS_ITEM_NAME_ADD || type > KDBUS_ITEM_NAME_CHANGE ||
	    strnlen(name, NAME_MAX_LEN + 1) > NAME_MAX_LEN)
		return -EINVAL;
	kdbi_cmd_name_change(&match->cmd, type, name, old_id, new_id);
	return 0;
}

KDB_API int kdb_match_on_id(struct kdb_match *match, uint64_t type, uint64_t id)
{
	const struct kdbus_notify_id_change change = { .id = id };

	if (type != KDBUS_ITEM_ID_ADD && type != KDBUS_ITEM_ID_REMOVE)
		return -EINVAL;
	kdbi_cmd_add(&match->cmd, type, &change, sizeof(change));
	return 0;
}

static int match_add(struct kdb_match *match, uint64_t cookie, uint64_t flags)
{
	struct kdbi_cmd *cmd = &match->cmd;
	size_t size = cmd->size;
	struct kdbus_cmd_match *arg;
	int r;

	if (match->has_mask)
		kdbi_cmd_add(cmd, KDBUS_ITEM_BLOOM_MASK, match->mask,
			     match->conn->bloom.size);
	arg = cmd->buf;
	arg->cookie = cookie;
	arg->flags = flags;
	r = kdbi_cmd_run(cmd, match->conn->fd, KDBUS_CMD_MATCH_ADD);
	/* it can be added again, with more strings */
	cmd->size = size;
	return r;
}

KDB_API int kdb_match_add(struct kdb_match *match, uint64_t *cookie)
{
	uint64_t number = cookie ? *cookie : 0;
	bool fresh = number == 0;
	int r;

	if (fresh)
		number = match->conn->match + 1;
	r = match_add(match, number, 0);
	if (r < 0 || !fresh)
		return r;

	match->conn->match = number;
	if (cookie)
		*cookie = number;
	return 0;
}

KDB_API int kdb_match_replace(struct kdb_match *match, uint64_t cookie)
{
	return match_add(match, cookie, KDBUS_MATCH_REPLACE);
}

KDB_API int kdb_match_remove(struct kdb_conn *conn, uint64_t cookie)
{
	struct kdbus_cmd_match arg = { .size = sizeof(arg), .cookie = cookie };

	return kdbi_ioctl(conn->fd, KDBUS_CMD_MATCH_REMOVE, &arg);
}
