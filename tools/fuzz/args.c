// SPDX-License-Identifier: GPL-2.0-only
/* Arguments: words and items as bytes, put where the call wants them. */

#include <string.h>
#include <sys/mman.h>

#include "exec.h"

static u64 id_of(const struct thread *t, u64 slot)
{
	unsigned int proc = proc_of(t->number), i;
	u64 id = shared->id[proc][slot % N_SLOTS];

	for (i = 0; !id && i < N_PROCS; i++)
		id = shared->id[i][slot % N_SLOTS];
	return id;
}

/* which one follows from the lap: a loop frees them in an order of its own */
static u64 old_offset(const struct thread *t, const struct slot *s)
{
	unsigned int n = s->n_offsets < N_OFFSETS ? s->n_offsets : N_OFFSETS;

	return n ? s->offsets[(t->lap * 37 + 11) % n] : 0;
}

static u64 in_pool(const struct slot *s)
{
	return s->pool ? (uintptr_t)s->pool + s->offset : 0;
}

u64 value_of(const struct thread *t, const struct word *w, size_t size)
{
	switch (w->kind) {
	case W_SIZE:
		return size;
	case W_ID:
		return id_of(t, w->value);
	case W_ADDR:
		return (uintptr_t)buffer + w->value;
	case W_FD:
		/* the rest of the word is padding */
		return (u32)slots[w->value % N_SLOTS].fd;
	case W_OFFSET:
		return slots[w->value % N_SLOTS].offset;
	case W_SOON:
		return now() + w->value;
	case W_OLD:
		return old_offset(t, &slots[w->value % N_SLOTS]);
	case W_LAP:
		return w->value + t->lap;
	case W_POOL:
		return in_pool(&slots[w->value % N_SLOTS]);
	case W_STALL:
		return (uintptr_t)stall_address(t, w->value);
	}
	return w->value;
}

static size_t str_size(const struct item *item)
{
	size_t n = strlen(item->str);

	if (!item->has_str)
		return 0;
	if (item->length > n)
		n = item->length;
	return n + !item->no_nul;
}

static size_t payload_size(const struct item *item)
{
	const struct item_info *info = item_info(item->type);

	return item->n * (info && info->half ? 4 : 8) + str_size(item);
}

/* fills what @p has room for */
static void put_payload(const struct thread *t, u8 *p, const struct item *item)
{
	const struct item_info *info = item_info(item->type);
	size_t size = info && info->half ? 4 : 8, n = strlen(item->str);
	unsigned int i;

	for (i = 0; i < item->n; i++, p += size) {
		u64 value = value_of(t, &item->words[i], 0);

		memcpy(p, &value, size);
	}
	if (!item->has_str)
		return;
	memcpy(p, item->str, n);
	if (item->length > n)
		memset(p + n, 'x', item->length - n);
}

size_t build(struct thread *t, const struct call *c)
{
	size_t at = c->n_words * 8, end = at;
	unsigned int i, j;

	for (i = 0; i < c->n_items; i++) {
		const struct item *item = &c->items[i];
		size_t size = 16 + payload_size(item);

		for (j = 0; j < item->repeat; j++) {
			if (at + size + 8 > AREA_SIZE)
				break;
			memset(&t->text[at / 8], 0, size + 8);
			t->text[at / 8] = size + item->delta;
			t->text[at / 8 + 1] = item->type;
			put_payload(t, (u8 *)&t->text[at / 8 + 2], item);
			end = at + size + item->delta;
			at += (size + item->delta + 7) & ~7UL;
			if (at >= AREA_SIZE)
				at = AREA_SIZE - 8;
		}
	}
	if (end > AREA_SIZE)
		end = AREA_SIZE;
	for (i = 0; i < c->n_words; i++)
		t->text[i] = value_of(t, &c->words[i], end);
	return end;
}

void *place(struct thread *t, const struct call *c, size_t size)
{
	size_t room = (size + 7) & ~7UL;
	u8 *p = t->area;

	switch (c->place) {
	case P_NULL:
		return NULL;
	case P_GUARD:
		p = t->area + AREA_SIZE - room;
		break;
	case P_CUT:
		p = t->area + AREA_SIZE - room + 8;
		size = room < 8 ? 0 : room - 8;
		break;
	case P_ODD:
		p = t->area + 4;
		if (size > AREA_SIZE - 4)
			size = AREA_SIZE - 4;
		break;
	case P_CONST:
		p = t->constant;
		mprotect(p, AREA_SIZE, PROT_READ | PROT_WRITE);
		break;
	case P_SHARED:
		p = scratch;
		break;
	case P_STALL:
		return stall_argument(t, size);
	}
	memcpy(p, t->text, size);
	if (c->place == P_CONST)
		mprotect(p, AREA_SIZE, PROT_READ);
	return p;
}
