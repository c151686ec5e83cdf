// SPDX-License-Identifier: GPL-2.0-only
/* Is what the kernel put into a pool what the interface says it is? */

#include <string.h>

#include "fuzz.h"

static bool lies_within(const char *what, u64 offset, u64 size, u64 least,
			u64 room)
{
	if (offset % 8 || offset > room || size < least || size > room - offset) {
		exec_broken("%s at %llx has size %llx", what,
			    (unsigned long long)offset, (unsigned long long)size);
		return false;
	}
	return true;
}

static void check_items(const char *what, const u8 *start, u64 size)
{
	u64 at = 0;

	while (at < size) {
		const struct kdbus_item *item = (const void *)(start + at);

		if (size - at < 16 || item->size < 16 || item->size > size - at) {
			exec_broken("%s: item at %llx is broken", what,
				    (unsigned long long)at);
			return;
		}
		if (!item->type)
			exec_broken("%s: item without a type", what);
		at += (item->size + 7) & ~7ULL;
	}
}

static bool has_size(const u8 *pool, size_t size, u64 offset, const char *what,
		     u64 least, u64 *found)
{
	if (!lies_within(what, offset, least, least, size))
		return false;
	memcpy(found, pool + offset, sizeof(*found));
	return lies_within(what, offset, *found, least, size);
}

static void check_payload(const struct kdbus_msg *msg, u64 room)
{
	u64 at;

	for (at = sizeof(*msg); at < msg->size;) {
		const struct kdbus_item *item = (const void *)((u8 *)msg + at);

		if (item->size < 16)
			return;
		if (item->type == KDBUS_ITEM_PAYLOAD_OFF &&
		    item->vec.offset != ~0ULL &&
		    (item->vec.offset < msg->size || item->vec.offset > room ||
		     item->vec.size > room - item->vec.offset))
			exec_broken("payload at %llx, %llx bytes",
				    (unsigned long long)item->vec.offset,
				    (unsigned long long)item->vec.size);
		if (item->type == KDBUS_ITEM_PAYLOAD_VEC)
			exec_broken("a vec reached the receiver");
		at += (item->size + 7) & ~7ULL;
	}
}

void pool_check_msg(const u8 *pool, size_t size, u64 offset)
{
	const struct kdbus_msg *msg = (const void *)(pool + offset);
	u64 found;

	if (!has_size(pool, size, offset, "message", sizeof(*msg), &found))
		return;
	check_items("message", (const u8 *)msg->items, found - sizeof(*msg));
	check_payload(msg, size - offset);
}

void pool_check_info(const u8 *pool, size_t size, u64 offset)
{
	const struct kdbus_info *info = (const void *)(pool + offset);
	u64 found;

	if (has_size(pool, size, offset, "info", sizeof(*info), &found))
		check_items("info", (const u8 *)info->items,
			    found - sizeof(*info));
}

void pool_check_list(const u8 *pool, size_t size, u64 offset)
{
	const struct kdbus_name_info *info;
	u64 found, at;

	if (!has_size(pool, size, offset, "name list", 8, &found))
		return;
	for (at = 8; at < found; at += (info->size + 7) & ~7ULL) {
		info = (const void *)(pool + offset + at);
		if (!lies_within("name", at, info->size, sizeof(*info), found))
			return;
		check_items("name", (const u8 *)info->items,
			    info->size - sizeof(*info));
	}
}
