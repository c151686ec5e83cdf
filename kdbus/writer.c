// SPDX-License-Identifier: GPL-2.0
#include <linux/string.h>

#include "item.h"
#include "pool.h"
#include "writer.h"

/**
 * kdbus_writer_init() - begin at the start of a slice
 * @w:		The writer
 * @slice:	The slice
 */
void kdbus_writer_init(struct kdbus_writer *w, struct kdbus_slice *slice)
{
	w->slice = slice;
	w->pos = 0;
	w->used = 0;
}

/**
 * kdbus_writer_flush() - put everything into the slice
 * @w:		The writer
 */
void kdbus_writer_flush(struct kdbus_writer *w)
{
	kdbus_slice_write(w->slice, w->pos, w->buf, w->used);
	w->pos += w->used;
	w->used = 0;
}

/**
 * kdbus_writer_add() - write bytes
 * @w:		The writer
 * @src:	The bytes
 * @size:	How many, at most what is left in the slice
 */
void kdbus_writer_add(struct kdbus_writer *w, const void *src, size_t size)
{
	if (size > sizeof(w->buf) - w->used)
		kdbus_writer_flush(w);

	if (size > sizeof(w->buf)) {
		kdbus_slice_write(w->slice, w->pos, src, size);
		w->pos += size;
		return;
	}

	memcpy(w->buf + w->used, src, size);
	w->used += size;
}

/**
 * kdbus_writer_add_item() - write an item and its padding
 * @w:		The writer
 * @type:	KDBUS_ITEM_*
 * @payload:	Its payload
 * @size:	Bytes in the payload
 *
 * Return: Where in the slice the payload is.
 */
size_t kdbus_writer_add_item(struct kdbus_writer *w, u64 type,
			     const void *payload, size_t size)
{
	static const u8 zeros[8];
	u64 header[2] = { KDBUS_ITEM_SIZE(size), type };
	size_t at;

	kdbus_writer_add(w, header, sizeof(header));
	at = w->pos + w->used;
	kdbus_writer_add(w, payload, size);
	kdbus_writer_add(w, zeros, KDBUS_ALIGN8(size) - size);
	return at;
}
