// SPDX-License-Identifier: GPL-2.0
#include <linux/mm.h>
#include <linux/string.h>

#include "../item.h"
#include "pool.h"

/* a page is enough for most, and farther is not looked */
static void cursor_open_window(struct kdbus_cursor *w)
{
	w->left = min_t(size_t, w->slice->size - w->pos, PAGE_SIZE);
	w->to = kdbus_slice_window(w->slice, w->pos, &w->left);
}

/**
 * kdbus_cursor_init() - begin at the start of a slice
 * @w:		The writer
 * @slice:	The slice
 */
void kdbus_cursor_init(struct kdbus_cursor *w, struct kdbus_slice *slice)
{
	w->slice = slice;
	w->pos = 0;
	cursor_open_window(w);
}

/**
 * kdbus_cursor_add() - write bytes
 * @w:		The writer
 * @src:	The bytes
 * @size:	How many, at most what is left in the slice
 */
void kdbus_cursor_add(struct kdbus_cursor *w, const void *src, size_t size)
{
	size_t n;

	for (; size > 0; src += n, size -= n) {
		if (w->left == 0)
			cursor_open_window(w);
		n = min(size, w->left);
		memcpy(w->to, src, n);
		w->to += n;
		w->pos += n;
		w->left -= n;
	}
}

/**
 * kdbus_cursor_add_item() - write an item and its padding
 * @w:		The writer
 * @type:	KDBUS_ITEM_*
 * @payload:	Its payload
 * @size:	Bytes in the payload
 *
 * Return: Where in the slice the payload is.
 */
size_t kdbus_cursor_add_item(struct kdbus_cursor *w, u64 type,
			     const void *payload, size_t size)
{
	static const u8 zeros[8];
	u64 header[2] = { KDBUS_ITEM_SIZE(size), type };
	size_t at;

	kdbus_cursor_add(w, header, sizeof(header));
	at = w->pos;
	kdbus_cursor_add(w, payload, size);
	kdbus_cursor_add(w, zeros, KDBUS_ALIGN8(size) - size);
	return at;
}
