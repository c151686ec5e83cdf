// SPDX-License-Identifier: LGPL-2.1-or-later
/* Policies: lists of items that are made once and passed to several commands. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

struct kdb_policy {
	struct kdbi_cmd items;
	bool has_name;
};

KDB_API int kdb_policy_new(struct kdb_policy **ret)
{
	struct kdb_policy *policy = malloc(sizeof(*policy));

	if (!policy)
		return -ENOMEM;
	kdbi_cmd_init(&policy->items, 0);
	policy->has_name = false;
	*ret = policy;
	return 0;
}

KDB_API void kdb_policy_free(struct kdb_policy *policy)
{
	if (!policy)
		return;
	kdbi_cmd_free(&policy->items);
	free(policy);
}

/* One that could not grow can be added to again. */
static int policy_result(struct kdb_policy *policy)
{
	int r = policy->items.error;

	policy->items.error = 0;
	return r;
}

KDB_API int kdb_policy_name(struct kdb_policy *policy, const char *name)
{
	size_t len = strnlen(name, NAME_MAX_LEN + 1);

	if (!len || len > NAME_MAX_LEN)
		return -EINVAL;
	kdbi_cmd_string(&policy->items, KDBUS_ITEM_NAME, name);
	if (!policy->items.error)
		policy->has_name = true;
	return policy_result(policy);
}

KDB_API int kdb_policy_grant(struct kdb_policy *policy, uint64_t who,
			     uint64_t id, uint64_t access)
{
	const struct kdbus_policy_access grant = {
		.type	= who,
		.access	= access,
		.id	= id,
	};

	if (!policy->has_name || who < KDBUS_POLICY_ACCESS_USER ||
	    who > KDBUS_POLICY_ACCESS_WORLD || access > KDBUS_POLICY_OWN)
		return -EINVAL;
	kdbi_cmd_add(&policy->items, KDBUS_ITEM_POLICY_ACCESS, &grant,
		     sizeof(grant));
	return policy_result(policy);
}

void kdbi_cmd_policy(struct kdbi_cmd *cmd, const struct kdb_policy *policy)
{
	if (policy)
		kdbi_cmd_append(cmd, policy->items.buf, policy->items.size);
}

KDB_API int kdb_policy_update(struct kdb_conn *conn,
			      const struct kdb_policy *policy)
{
	struct kdbi_cmd cmd;
	int r;

	kdbi_cmd_init(&cmd, sizeof(struct kdbus_cmd_update));
	kdbi_cmd_policy(&cmd, policy);
	r = kdbi_cmd_run(&cmd, conn->fd, KDBUS_CMD_CONN_UPDATE);
	kdbi_cmd_free(&cmd);
	return r;
}
