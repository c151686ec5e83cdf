/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_ITEM_H
#define __KDBUS_ITEM_H

/**
 * DOC: Items
 *
 * A list of items is what follows the fixed part of a command: records of a
 * 16-byte header and at least one byte of payload, each beginning at a
 * multiple of 8. kdbus_items_check() establishes, once and on the kernel's
 * own copy, that every item lies within the list and that its payload has the
 * shape its type asks for. Code that walks the list afterwards relies on that
 * and checks meaning only.
 *
 * Pure functions: no locks, any context.
 */

#include <linux/align.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

#define KDBUS_ALIGN8(x)		ALIGN((x), 8)
#define KDBUS_ITEM_HEADER_SIZE	offsetof(struct kdbus_item, data)

/* bytes of an item with a payload of @_s bytes, and with its padding */
#define KDBUS_ITEM_SIZE(_s)	(KDBUS_ITEM_HEADER_SIZE + (_s))
#define KDBUS_ITEM_PADDED(_s)	KDBUS_ALIGN8(KDBUS_ITEM_SIZE(_s))

static inline size_t kdbus_item_payload(const struct kdbus_item *item)
{
	return item->size - KDBUS_ITEM_HEADER_SIZE;
}

static inline const struct kdbus_item *
kdbus_item_next(const struct kdbus_item *item)
{
	return (const void *)item + KDBUS_ALIGN8(item->size);
}

/* walk a list that kdbus_items_check() has passed; @_i must not be @_items */
#define kdbus_items_foreach(_i, _items, _len)				\
	for ((_i) = (_items);						\
	     (const u8 *)(_i) < (const u8 *)(_items) + (_len);		\
	     (_i) = kdbus_item_next(_i))

int kdbus_items_check(const struct kdbus_item *items, size_t len);

/**
 * DOC: Identifiers
 *
 * Two syntaxes are in use: *system names* for what appears in the file system
 * (domains, buses, endpoints) and for the name a connection gives itself, and
 * *well-known names*, which connections own on a bus. Both are ASCII only,
 * whatever the locale of the caller.
 *
 * Pure functions: no locks, any context.
 */

int kdbus_sysname_check(const char *name);
bool kdbus_name_is_valid(const char *name, bool allow_wildcard);
bool kdbus_match_name_is_valid(const char *name);

#endif
