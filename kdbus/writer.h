/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_WRITER_H
#define __KDBUS_WRITER_H

/**
 * DOC: Writing items into a slice
 *
 * What precedes the payload of a message, its header and items, is put together
 * in a small buffer and goes into the slice piece by piece, without an
 * allocation and without a page look-up for every field. Padding is written as
 * zeros.
 *
 * A writer lives on the stack of one function: no locks. The slice belongs to
 * the caller.
 */

#include <linux/types.h>

struct kdbus_slice;

/**
 * struct kdbus_writer - a place in a slice, being written to
 * @slice:	The slice
 * @pos:	Where in the slice @buf begins
 * @used:	Bytes in @buf
 * @buf:	Not yet in the slice
 */
struct kdbus_writer {
	struct kdbus_slice *slice;
	size_t pos;
	size_t used;
	u8 buf[256] __aligned(8);
};

void kdbus_writer_init(struct kdbus_writer *w, struct kdbus_slice *slice);
void kdbus_writer_add(struct kdbus_writer *w, const void *src, size_t size);
size_t kdbus_writer_add_item(struct kdbus_writer *w, u64 type,
			     const void *payload, size_t size);
void kdbus_writer_flush(struct kdbus_writer *w);

#endif
