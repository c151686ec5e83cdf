// SPDX-License-Identifier: GPL-2.0
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/mm.h>

#include "bus.h"
#include "cmd.h"
#include "connect.h"
#include "endpoint.h"
#include "item.h"
#include "meta.h"

#define KDBUS_HELLO_NAMED	(KDBUS_HELLO_ACTIVATOR |		\
				 KDBUS_HELLO_POLICY_HOLDER)
#define KDBUS_HELLO_SPECIAL	(KDBUS_HELLO_NAMED | KDBUS_HELLO_MONITOR)

static int hello_check_flags(const struct kdbus_hello *h)
{
	u64 special = h->flags & KDBUS_HELLO_SPECIAL;

	if (hweight64(special) > 1)
		return -EINVAL;
	return special && !h->trusted ? -EPERM : 0;
}

static int hello_take_name(struct kdbus_hello *h, const char *name)
{
	if (!(h->flags & KDBUS_HELLO_NAMED) || h->name ||
	    !kdbus_name_is_valid(name, true))
		return -EINVAL;

	h->name = name;
	return 0;
}

static int hello_take_claim(const struct kdbus_hello *h,
			    const struct kdbus_item **claim,
			    const struct kdbus_item *item)
{
	if (!h->trusted)
		return -EPERM;

	*claim = item;
	return 0;
}

static int hello_take_conn_name(struct kdbus_hello *h, const char *name)
{
	if (h->conn_name)
		return -EINVAL;

	h->conn_name = name;
	return 0;
}

static int hello_take_allowed(struct kdbus_hello *h, const struct kdbus_item *item)
{
	if (!(h->flags & KDBUS_EXT_ATTACH))
		return 0;
	if (kdbus_item_payload(item) != sizeof(item->data64[0]))
		return -EINVAL;

	h->allowed = item->data64[0];
	return kdbus_attach_mask(&h->allowed);
}

static int hello_take_item(struct kdbus_hello *h, const struct kdbus_item *item)
{
	switch (item->type) {
	case KDBUS_ITEM_NAME:
		return hello_take_name(h, item->str);
	case KDBUS_ITEM_CREDS:
		return hello_take_claim(h, &h->creds, item);
	case KDBUS_ITEM_SECLABEL:
		return hello_take_claim(h, &h->label, item);
	case KDBUS_ITEM_CONN_NAME:
		return hello_take_conn_name(h, item->str);
	case KDBUS_ITEM_ATTACH_FLAGS_SEND:
		return hello_take_allowed(h, item);
	default:
		return 0;
	}
}

static int hello_take_items(struct kdbus_hello *h, const struct kdbus_cmd *cmd)
{
	const struct kdbus_item *item;
	int r;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		r = hello_take_item(h, item);
		if (r < 0)
			return r;
	}

	return h->flags & KDBUS_HELLO_NAMED && !h->name ? -EINVAL : 0;
}

/**
 * kdbus_hello_name() - which name a connection is for
 * @cmd:	KDBUS_CMD_HELLO of an activator or a policy holder, checked
 *
 * Return: The name, or NULL, which does not happen for these.
 */
const char *kdbus_hello_name(const struct kdbus_cmd *cmd)
{
	const struct kdbus_item *item;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd))
		if (item->type == KDBUS_ITEM_NAME)
			return item->str;

	return NULL;
}

/**
 * kdbus_hello_answer() - say what a bus demands
 * @cmd:	KDBUS_CMD_HELLO
 * @required:	KDBUS_ATTACH_* that every connection must allow
 *
 * Only for a caller that knows KDBUS_EXT_ATTACH.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or -EFAULT.
 */
int kdbus_hello_answer(const struct kdbus_cmd *cmd, u64 required)
{
	const struct kdbus_cmd_hello *hello = cmd->data;
	const struct kdbus_item *item;
	size_t at;
	int r;

	if (!(hello->flags & KDBUS_EXT_ATTACH))
		return 0;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		if (item->type != KDBUS_ITEM_ATTACH_FLAGS_SEND)
			continue;

		at = (void *)item->data64 - cmd->data;
		*(u64 *)(cmd->data + at) = required | KDBUS_FLAG_KERNEL;
		r = kdbus_cmd_store(cmd, at, sizeof(u64));
		if (r < 0)
			return r;
	}

	return 0;
}

static int hello_check_required(const struct kdbus_hello *h,
				const struct kdbus_cmd *cmd, u64 required)
{
	int r;

	if (!(required & ~h->allowed))
		return 0;

	r = kdbus_hello_answer(cmd, required);
	return r < 0 ? r : -ECONNREFUSED;
}

static int hello_take_policy(struct kdbus_hello *h, const struct kdbus_cmd *cmd)
{
	if (!(h->flags & KDBUS_HELLO_NAMED))
		return 0;

	return kdbus_policy_upload_init(&h->policy, kdbus_cmd_items(cmd),
					kdbus_cmd_items_len(cmd), 1,
					h->flags & KDBUS_HELLO_POLICY_HOLDER);
}

/**
 * kdbus_hello_init() - check what HELLO says
 * @h:		What it says, uninitialised
 * @ep:		The endpoint it is said to
 * @cmd:	KDBUS_CMD_HELLO, kept until kdbus_hello_release()
 *
 * Documentation/kdbus.txt, section 8.2.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0, or a negative errno; then nothing has to be released.
 */
int kdbus_hello_init(struct kdbus_hello *h, const struct kdbus_ep *ep,
		     const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_hello *hello = cmd->data;
	int r;

	*h = (struct kdbus_hello){
		.flags		= hello->flags,
		.pool_size	= hello->pool_size,
		.wanted		= hello->attach_flags,
		.allowed	= _KDBUS_ATTACH_ALL,
		.capable	= ns_capable_noaudit(&init_user_ns,
						     CAP_IPC_OWNER),
	};
	h->privileged = h->capable || uid_eq(current_fsuid(), ep->bus->uid);
	/* may see or claim more than the policy of an endpoint grants */
	h->trusted = h->privileged && !ep->custom;

	if (h->pool_size == 0 || !PAGE_ALIGNED(h->pool_size))
		return -EFAULT;

	r = hello_check_flags(h);
	if (r == 0)
		r = hello_take_items(h, cmd);
	if (r == 0)
		r = hello_check_required(h, cmd, ep->bus->attach_required);
	if (r == 0)
		r = hello_take_policy(h, cmd);
	return r;
}

/**
 * kdbus_hello_release() - free what was not taken over
 * @h:		What HELLO said
 *
 * Context: May sleep.
 */
void kdbus_hello_release(struct kdbus_hello *h)
{
	kdbus_policy_upload_release(&h->policy);
}
