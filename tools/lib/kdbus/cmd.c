// SPDX-License-Identifier: LGPL-2.1-or-later
/* Arguments of commands that are not on the way of a message. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"

/* Begins with @fixed zero bytes, which are the caller's to fill. */
void kdbi_cmd_init(struct kdbi_cmd *cmd, size_t fixed)
{
	cmd->buf = cmd->small;
	cmd->room = sizeof(cmd->small);
	cmd->size = fixed;
	cmd->error = 0;
	memset(cmd->small, 0, fixed);
}

static void *cmd_grow(struct kdbi_cmd *cmd, size_t more)
{
	size_t room = 2 * (cmd->size + more);
	void *buf;

	if (cmd->error)
		return NULL;
	if (cmd->size + more > cmd->room) {
		buf = malloc(room);
		if (!buf) {
			cmd->error = -ENOMEM;
			return NULL;
		}
		memcpy(buf, cmd->buf, cmd->size);
		kdbi_cmd_free(cmd);
		cmd->buf = buf;
		cmd->room = room;
	}
	cmd->size += more;
	return (uint8_t *)cmd->buf + cmd->size - more;
}

/* A NULL for @data only makes room. */
void kdbi_cmd_add(struct kdbi_cmd *cmd, uint64_t type, const void *data,
		  size_t size)
{
	struct kdbus_item *item;

	/* no command takes more: do not let sizes overflow */
	if (size > 1U << 20) {
		cmd->error = cmd->error ?: -EMSGSIZE;
		return;
	}
	item = cmd_grow(cmd, ITEM_SPACE(size));
	if (!item)
		return;
	memset(item, 0, ITEM_SPACE(size));
	item->size = ITEM_HEADER + size;
	item->type = type;
	if (data)
		memcpy(item->data, data, size);
}

/* Items that another command is made of as well. */
void kdbi_cmd_append(struct kdbi_cmd *cmd, const void *items, size_t size)
{
	void *to = cmd_grow(cmd, size);

	if (to)
		memcpy(to, items, size);
}

void kdbi_cmd_string(struct kdbi_cmd *cmd, uint64_t type, const char *str)
{
	kdbi_cmd_add(cmd, type, str, strlen(str) + 1);
}

/* All structures that have items begin with their size. */
int kdbi_cmd_run(struct kdbi_cmd *cmd, int fd, unsigned long nr)
{
	if (cmd->error)
		return cmd->error;
	*(uint64_t *)cmd->buf = cmd->size;
	return kdbi_ioctl(fd, nr, cmd->buf);
}

void kdbi_cmd_free(struct kdbi_cmd *cmd)
{
	if (cmd->buf != cmd->small)
		free(cmd->buf);
	cmd->buf = cmd->small;
}
