/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_WRITER_H
#define __KDBUS_WRITER_H

/**
 * DOC: Writing items into a slice
 *
 * What precedes the payload of a message, its header and items, goes straight
 * into the pages of the slice, without an allocation and with a look-up for each
 * run of pages, not for each field. Padding is written as zeros.
 *
 * A writer lives on the stack of one function: no locks. The slice belongs to
 * the caller.
 */

#include <linux/types.h>

struct kdbus_slice;

/**
 * struct kdbus_writer - a place in a slice, being written to
 * @slice:	The slice
 * @pos:	The place, relative to the slice
 * @to:		Where that is in memory
 * @left:	Bytes from there on that lie side by side
 */
struct kdbus_writer {
	struct kdbus_slice *slice;
	size_t pos;
	u8 *to;
	size_t left;
};

void kdbus_writer_init(struct kdbus_writer *w, struct kdbus_slice *slice);
void kdbus_writer_add(struct kdbus_writer *w, const void *src, size_t size);
size_t kdbus_writer_add_item(struct kdbus_writer *w, u64 type,
			     const void *payload, size_t size);

#endif
