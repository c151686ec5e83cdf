// SPDX-License-Identifier: GPL-2.0-only
/* Programs like others. */

#include <string.h>

#include "fuzz.h"

static void insert(struct prog *p, unsigned int at, const struct call *c)
{
	if (p->n == N_CALLS)
		return;
	memmove(&p->calls[at + 1], &p->calls[at],
		(p->n - at) * sizeof(p->calls[0]));
	p->calls[at] = *c;
	p->n++;
}

static void drop(struct prog *p, unsigned int at)
{
	if (p->n == 1)
		return;
	p->n--;
	memmove(&p->calls[at], &p->calls[at + 1],
		(p->n - at) * sizeof(p->calls[0]));
}

static void change_word(struct word *w, const struct field *f)
{
	static const struct field any = { F_FLAGS, ~0ULL };

	switch (rnd(5)) {
	case 0:
		w->value ^= 1ULL << rnd(64);
		break;
	case 1:
		w->value += rnd(2) ? 1 : -1;
		break;
	case 2:
		w->value += (rnd(2) ? 8 : -8) * (u64)(1 + rnd(4));
		break;
	default:
		*w = gen_word(f ?: &any);
	}
	/* slots, by which others are meant */
	if (is_slot_word(w->kind) && w->value >= N_SLOTS)
		w->value %= N_SLOTS;
}

static void change_item(struct call *c)
{
	const struct op_info *op = &ops[c->op];
	unsigned int at = rnd(c->n_items);
	struct item *item = &c->items[at];
	const struct item_info *info = item_info(item->type);

	switch (rnd(8)) {
	case 0:		/* gone */
		c->n_items--;
		memmove(item, item + 1, (c->n_items - at) * sizeof(*item));
		break;
	case 1:
		item->type = item_infos[rnd(n_item_infos)].type;
		break;
	case 2:
		item->delta = (s32)rnd(40) - 20;
		break;
	case 3:
		item->repeat = 1 + rnd(chance(70) ? 3 : 260);
		break;
	case 4:
		gen_item(item, gen_item_for(op));
		break;
	case 5:
		if (item->n < N_ITEM_WORDS)
			item->words[item->n++] = item->words[0];
		break;
	default:
		if (item->n && info && info->n) {
			unsigned int i = rnd(item->n), last = info->n - 1;

			change_word(&item->words[i],
				    &info->fields[i < last ? i : last]);
		} else {
			gen_item(item, gen_item_for(op));
		}
	}
}

static void change_call(struct call *c)
{
	const struct op_info *op = &ops[c->op];
	unsigned int i;

	switch (rnd(10)) {
	case 0:
		c->thread = rnd(N_THREADS);
		break;
	case 1:
		c->slot = rnd(N_SLOTS);
		break;
	case 2:
		c->place = chance(50) ? P_PLAIN : rnd(N_PLACES);
		break;
	case 3:
		c->fail = chance(30) ? 0 : 1 + rnd(40);
		break;
	case 4:
		if (op->kind == O_IOCTL && c->n_items < N_ITEMS)
			gen_item(&c->items[c->n_items++], gen_item_for(op));
		break;
	case 5:
	case 6:
		if (c->n_items) {
			change_item(c);
			break;
		}
		/* fall through */
	default:
		if (!c->n_words)
			break;
		i = rnd(c->n_words);
		change_word(&c->words[i], i < op->n ? &op->fields[i] : NULL);
	}
}

static struct word *address_of_payload(struct call *c)
{
	unsigned int i;

	for (i = 0; i < c->n_items; i++)
		if (c->items[i].type == KDBUS_ITEM_PAYLOAD_VEC &&
		    c->items[i].n > 1)
			return &c->items[i].words[1];
	return NULL;
}

/* returns the page it stalls at */
static unsigned int stall_call(struct call *c)
{
	struct word *address = address_of_payload(c);

	if (!address || chance(20)) {
		c->place = P_STALL;
		return STALL_PAYLOAD + rnd(2);
	}
	address->kind = W_STALL;
	address->value = 0;
	return 0;
}

/* a call stalls, and others happen before it goes on */
static void stall(struct prog *p, unsigned int at)
{
	struct call *c = &p->calls[at], more;
	unsigned int thread, page, n;

	if (ops[c->op].kind != O_IOCTL)
		return;
	page = stall_call(c);
	if (!proc_of(c->thread))
		c->thread = 1;
	thread = c->thread;
	for (n = rnd(5); n; n--) {
		gen_move(&more, p, at + 1);
		if (more.thread == thread)
			more.thread = proc_of(thread) ? 0 : 2;
		insert(p, ++at, &more);
	}
	memset(&more, 0, sizeof(more));
	more.op = op_of(0, O_FILL);
	more.n_words = 2;
	more.words[0].value = thread;
	more.words[1].value = page;
	insert(p, at + 1, &more);
}

/* some calls of a thread, many times */
static void repeat(struct prog *p, unsigned int at)
{
	struct call c = {
		.thread = p->calls[at].thread,
		.op = op_of(0, O_AGAIN),
		.n_words = 3,
	};

	c.words[0].value = 1 + rnd(3);
	c.words[1].value = 2 + rnd(chance(85) ? 20 : 200);
	c.words[2].value = rnd(2);
	insert(p, at + 1, &c);
}

static void change(struct prog *p, const struct prog *other)
{
	unsigned int at = rnd(p->n), n, from;
	struct call c;

	switch (rnd(14)) {
	case 0:
		drop(p, at);
		break;
	case 1:
		insert(p, at, &p->calls[rnd(p->n)]);
		break;
	case 2:
		c = p->calls[at];
		from = rnd(p->n);
		p->calls[at] = p->calls[from];
		p->calls[from] = c;
		break;
	case 3:		/* some of another program */
		from = rnd(other->n);
		for (n = 1 + rnd(6); n && from < other->n; n--)
			insert(p, at++, &other->calls[from++]);
		break;
	case 4:
		p->ordered = !p->ordered;
		break;
	case 5:
	case 6:
	case 7:
		at = rnd(p->n + 1);
		gen_call(&c, p, at);
		insert(p, at, &c);
		break;
	case 8:
		stall(p, at);
		break;
	case 9:
		repeat(p, at);
		break;
	default:
		change_call(&p->calls[at]);
	}
}

void prog_mutate(struct prog *p, const struct prog *other)
{
	do
		change(p, other);
	while (chance(60));
}
