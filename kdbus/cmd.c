// SPDX-License-Identifier: GPL-2.0
#include <linux/align.h>
#include <linux/fault-inject-usercopy.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "compat/uaccess.h"
#include "cmd.h"
#include "item.h"
#include "memcg.h"

static int cmd_read_size(struct kdbus_cmd *cmd)
{
	u64 size;

	if (!cmd->row->sized) {
		cmd->size = cmd->row->size;
		return 0;
	}

	if (get_user(size, (u64 __user *)cmd->uarg))
		return -EFAULT;
	if (size < cmd->row->size)
		return cmd->row->too_small;
	if (size > cmd->row->max_size)
		return -EMSGSIZE;

	cmd->size = size;
	return 0;
}

static int cmd_read_small(struct kdbus_cmd *cmd)
{
	/* it fits, as the caller has found out */
	if (kdbus_copy_from_user(cmd->buf, cmd->uarg, cmd->size))
		return -EFAULT;
	return 0;
}

static int cmd_read_large(struct kdbus_cmd *cmd)
{
	cmd->data = kvmalloc(cmd->size, KDBUS_GFP_CALLER);
	if (!cmd->data)
		return -ENOMEM;

	return copy_from_user(cmd->data, cmd->uarg, cmd->size) ? -EFAULT : 0;
}

static int cmd_read_copy(struct kdbus_cmd *cmd)
{
	int r;

	if (cmd->size > sizeof(cmd->buf)) {
		r = cmd_read_large(cmd);
	} else {
		cmd->data = cmd->buf;
		r = cmd_read_small(cmd);
	}
	if (r < 0)
		return r;

	/* this is the size that was checked, whatever is in memory by now */
	if (cmd->row->sized)
		*(u64 *)cmd->data = cmd->size;
	return 0;
}

static int cmd_negotiate_flags(struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_row *row = cmd->row;
	u64 flags = *(u64 *)(cmd->data + row->flags_offset);
	u64 *kernel_flags;

	if (row->kernel_flags_offset) {
		kernel_flags = cmd->data + row->kernel_flags_offset;
		*kernel_flags = row->flags | KDBUS_FLAG_KERNEL;
		if (kdbus_cmd_store(cmd, row->kernel_flags_offset,
				    sizeof(*kernel_flags)))
			return -EFAULT;
	}

	return flags & ~row->flags ? -EINVAL : 0;
}

static int cmd_check_items(const struct kdbus_cmd *cmd)
{
	int r;

	if (cmd->row->sized) {
		r = kdbus_items_check(kdbus_cmd_items(cmd),
				      kdbus_cmd_items_len(cmd));
		if (r < 0)
			return r;
	}

	return cmd->row->check ? cmd->row->check(cmd) : 0;
}

static int cmd_find_items(struct kdbus_cmd *cmd)
{
	const struct kdbus_item_rule *rule, *rules = cmd->row->rules;
	const struct kdbus_item *item;

	if (!rules->type)
		return 0;

	kdbus_items_foreach(item, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		for (rule = rules; rule->type; rule++) {
			if (rule->type != item->type)
				continue;
			if (cmd->found[rule - rules])
				return rule->duplicate;
			cmd->found[rule - rules] = item;
		}
	}

	for (rule = rules; rule->type; rule++)
		if (rule->missing && !cmd->found[rule - rules])
			return rule->missing;

	return 0;
}

static int cmd_read_and_check(struct kdbus_cmd *cmd)
{
	int r;

	r = cmd_read_size(cmd);
	if (r < 0)
		return r;

	r = cmd_read_copy(cmd);
	if (r < 0)
		return r;

	if (!cmd->row->flags_last) {
		r = cmd_negotiate_flags(cmd);
		if (r < 0)
			return r;
	}

	r = cmd_check_items(cmd);
	if (r < 0)
		return r;

	if (cmd->row->flags_last) {
		r = cmd_negotiate_flags(cmd);
		if (r < 0)
			return r;
	}

	return cmd_find_items(cmd);
}

/**
 * kdbus_cmd_read() - read and check the argument of a command
 * @cmd:	The command, uninitialised
 * @row:	What the argument has to look like
 * @uarg:	Where it is
 *
 * Must be followed by kdbus_cmd_release() if, and only if, it succeeds.
 * Documentation/kdbus.txt, section 4.
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0, -EFAULT, -EMSGSIZE, -EINVAL, -ENOMEM, or what the items are
 * refused with.
 */
int kdbus_cmd_read(struct kdbus_cmd *cmd, const struct kdbus_cmd_row *row,
		   void __user *uarg)
{
	int r;

	cmd->row = row;
	cmd->uarg = uarg;
	cmd->size = 0;
	cmd->data = NULL;
	memset(cmd->found, 0, sizeof(cmd->found));

	if (!row->size)
		return 0;
	if (!IS_ALIGNED((unsigned long)uarg, 8))
		return -EFAULT;

	r = cmd_read_and_check(cmd);
	if (r < 0)
		kdbus_cmd_release(cmd);
	return r;
}

/**
 * kdbus_cmd_release() - free what reading a command has allocated
 * @cmd:	The command
 *
 * Context: May sleep.
 */
void kdbus_cmd_release(struct kdbus_cmd *cmd)
{
	if (cmd->data != cmd->buf)
		kvfree(cmd->data);
}

/**
 * kdbus_cmd_store() - write a part of the copy back to user space
 * @cmd:	The command
 * @offset:	Where the part begins
 * @size:	Bytes in it; as @offset, a multiple of 8
 *
 * Context: May sleep; no locks may be held, user memory is accessed.
 *
 * Return: 0 or -EFAULT.
 */
int kdbus_cmd_store(const struct kdbus_cmd *cmd, size_t offset, size_t size)
{
	const u64 *from = cmd->data + offset;
	u64 __user *to = cmd->uarg + offset;
	size_t i;

	if (should_fail_usercopy() || !user_write_access_begin(to, size))
		return -EFAULT;
	for (i = 0; i < size / sizeof(*to); i++)
		unsafe_put_user(from[i], &to[i], fault);
	user_write_access_end();
	return 0;

fault:
	user_write_access_end();
	return -EFAULT;
}
