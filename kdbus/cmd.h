/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_CMD_H
#define __KDBUS_CMD_H

/**
 * DOC: Commands
 *
 * An ioctl is a row in a table, &struct kdbus_cmd_row, and what all ioctls
 * have in common is done here, once, from what the row says: the argument is
 * read in one bounded copy, its flags are negotiated, its items are checked
 * and those the command asks for are looked up. A handler sees only the
 * kernel's copy, &struct kdbus_cmd, and hands results back with
 * kdbus_cmd_store(). Nothing else reads or writes the structures of user
 * space; payload is the only other user memory the module touches.
 *
 * User space may change its memory at any time. The size is therefore read
 * first, and put back into the copy afterwards: what was checked is what is
 * used.
 *
 * A &struct kdbus_cmd lives on the stack of the ioctl and belongs to it: no
 * locks.
 */

#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_handle;

/* items a row can ask for */
#define KDBUS_CMD_MAX_RULES	2

/* arguments up to this size need no allocation */
#define KDBUS_CMD_INLINE_SIZE	384

/**
 * struct kdbus_item_rule - an item that a command takes at most once
 * @type:	KDBUS_ITEM_*, 0 ends the list of rules
 * @duplicate:	Error if it is there twice
 * @missing:	Error if it is not there, 0 if it is optional
 */
struct kdbus_item_rule {
	u64 type;
	int duplicate;
	int missing;
};

/**
 * struct kdbus_cmd_row - everything generic about one ioctl
 * @ioctl:		Its full number
 * @states:		Bit mask of the handle states it is legal in
 * @kinds:		Bit mask of the kinds of connection it is legal for; the
 *			handle looks at it when connected
 * @dead:		Legal on a dead connection too
 * @sized:		The argument begins with its size and has items
 * @flags_last:		Negotiate flags after the items and @check
 * @size:		Bytes in the fixed part; 0 if there is no argument
 * @max_size:		Bytes at most, with items
 * @too_small:		Error for less than @size bytes
 * @flags:		Flags that may be set
 * @flags_offset:	Where the flags are
 * @kernel_flags_offset: Where the supported flags go; 0 for nowhere
 * @rules:		Items to look up
 * @prepare:		Called before the argument is looked at, or NULL
 * @check:		Called after items were checked, or NULL
 * @run:		The handler, if the state of the handle may change
 * @run_conn:		The handler, if the command is one of a connection
 */
struct kdbus_cmd_row {
	unsigned int ioctl;
	unsigned int states;
	unsigned int kinds;
	bool dead;
	bool sized;
	bool flags_last;
	u16 size;
	u16 flags_offset;
	u16 kernel_flags_offset;
	u32 max_size;
	int too_small;
	u64 flags;
	struct kdbus_item_rule rules[KDBUS_CMD_MAX_RULES + 1];
	int (*prepare)(struct kdbus_handle *handle);
	int (*check)(const struct kdbus_cmd *cmd);
	int (*run)(struct kdbus_handle *handle, struct kdbus_cmd *cmd);
	int (*run_conn)(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
};

/**
 * struct kdbus_cmd - one command being executed
 * @row:	What command it is
 * @uarg:	Its argument in user space
 * @size:	Bytes in the copy
 * @data:	The copy, NULL if the command has no argument
 * @found:	The items that the rules of the row ask for, NULL if absent
 * @buf:	Holds a small copy
 */
struct kdbus_cmd {
	const struct kdbus_cmd_row *row;
	void __user *uarg;
	size_t size;
	void *data;
	const struct kdbus_item *found[KDBUS_CMD_MAX_RULES];
	u64 buf[KDBUS_CMD_INLINE_SIZE / sizeof(u64)];
};

static inline const struct kdbus_item *
kdbus_cmd_items(const struct kdbus_cmd *cmd)
{
	return cmd->data + cmd->row->size;
}

static inline size_t kdbus_cmd_items_len(const struct kdbus_cmd *cmd)
{
	return cmd->size - cmd->row->size;
}

int kdbus_cmd_read(struct kdbus_cmd *cmd, const struct kdbus_cmd_row *row,
		   void __user *uarg);
void kdbus_cmd_release(struct kdbus_cmd *cmd);
int kdbus_cmd_store(const struct kdbus_cmd *cmd, size_t offset, size_t size);

#endif
