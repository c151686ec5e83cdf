// SPDX-License-Identifier: GPL-2.0-only
/* New calls, that make sense more often than not. */

#include <string.h>

#include "fuzz.h"

u64 rng = 1;

/* xorshift64* */
u32 rnd(u32 below)
{
	rng ^= rng >> 12;
	rng ^= rng << 25;
	rng ^= rng >> 27;
	return below ? ((rng * 0x2545f4914f6cdd1dULL) >> 33) % below : 0;
}

static u64 pick(const u64 *values, unsigned int n)
{
	return values[rnd(n)];
}

static u64 odd_value(void)
{
	static const u64 values[] = {
		0, 1, 7, 8, 15, 16, 17, 23, 24, 25, 40, 63, 64, 127, 128, 255,
		256, 257, 4095, 4096, 4097, 8191, 8192, 8193, 32768, 65536,
		1ULL << 20, 1ULL << 21, (1ULL << 21) + 1, 0x7fffffff,
		0x80000000, 0xffffffff, 1ULL << 32, 1ULL << 48, ~0ULL >> 1,
		1ULL << 63, ~0ULL - 7, ~0ULL - 4095, ~0ULL - 1, ~0ULL,
	};

	return pick(values, ARRAY_SIZE(values));
}

static u64 some_bits(u64 mask)
{
	u64 bits = 0;
	unsigned int i;

	if (chance(25))
		return 0;
	if (chance(15))
		return mask;
	for (i = 0; i < 64; i++)
		if (mask >> i & 1 && chance(30))
			bits |= 1ULL << i;
	return bits;
}

static struct word word(u8 kind, u64 value)
{
	return (struct word){ kind, value };
}

static struct word literal(u64 value)
{
	return word(W_LITERAL, value);
}

static struct word some_dst(void)
{
	if (chance(15))
		return literal(KDBUS_DST_ID_BROADCAST);
	if (chance(20))
		return literal(KDBUS_DST_ID_NAME);
	return word(W_ID, 1 + rnd(N_SLOTS - 1));
}

static struct word some_time(void)
{
	if (chance(35))
		return literal(rnd(8));		/* or the cookie it answers */
	if (chance(5))
		return literal(odd_value());
	/* most waits are to end before the program is ended */
	return word(W_SOON, chance(90) ? rnd(20) * 1000000ULL : odd_value());
}

static u64 some_length(void)
{
	static const u64 lengths[] = {
		0, 1, 7, 8, 16, 64, 100, 4095, 4096, 4097, 8192, 20000, 65536,
		500000, 2097152,
	};

	/* long ones take long to copy */
	return chance(95) ? pick(lengths, ARRAY_SIZE(lengths) - (chance(90) ? 3 : 0)) :
			    odd_value();
}

static struct word some_address(void)
{
	static const u64 offsets[] = {
		0, 1, 8, 4000, 4096, 0x3ff000, 0x3fff00, 0x3ffff8, 0x400000,
	};

	if (chance(10))
		return literal(0);
	if (chance(5))
		return literal(odd_value());
	if (chance(8))
		return word(W_STALL, pick(offsets, 5));
	if (chance(5))
		return word(W_POOL, 1 + rnd(N_SLOTS - 1));
	return word(W_ADDR, pick(offsets, ARRAY_SIZE(offsets)));
}

static struct word some_id(void)
{
	static const u64 ids[] = { 0, 1, 2, 3, ~0ULL };

	if (chance(30))
		return literal(pick(ids, ARRAY_SIZE(ids)));
	return word(W_ID, rnd(N_SLOTS));
}

static struct word some_cookie(void)
{
	return chance(8) ? word(W_LAP, rnd(8)) : literal(rnd(8));
}

static struct word some_mask(u64 mask)
{
	/* in a loop: different ones that have a bit in common */
	if (chance(8))
		return word(W_LAP, 1ULL << 63);
	return literal(chance(20) ? ~0ULL : some_bits(mask));
}

static u64 some_pool(void)
{
	static const u64 sizes[] = {
		4096, 8192, 16384, 65536, 65536, 65536, 1ULL << 20, 1ULL << 24,
	};

	return chance(95) ? pick(sizes, ARRAY_SIZE(sizes)) : odd_value();
}

static u64 some_payload(void)
{
	return chance(90) ? KDBUS_PAYLOAD_DBUS : rnd(3);
}

static u64 some_uid(void)
{
	static const u64 uids[] = { 0, 1000, 1000, 65534, 0xffffffff, 1ULL << 32 };

	return pick(uids, ARRAY_SIZE(uids));
}

static u64 some_priority(void)
{
	return chance(70) ? 0 : (u64)-3 + rnd(7);
}

static u64 some_flags(u64 mask)
{
	if (chance(3))
		return 1ULL << rnd(64);
	if (chance(2))
		return KDBUS_FLAG_KERNEL;
	return some_bits(mask);
}

struct word gen_word(const struct field *f)
{
	if (chance(3))
		return literal(odd_value());

	switch (f->kind) {
	case F_SIZE:
		return word(W_SIZE, 0);
	case F_FLAGS:
		return literal(some_flags(f->mask));
	case F_ID:
		return some_id();
	case F_DST:
		return some_dst();
	case F_COOKIE:
		return some_cookie();
	case F_PRIORITY:
		return literal(some_priority());
	case F_OFFSET:
		return word(chance(75) ? W_OFFSET : W_OLD,
			    1 + rnd(N_SLOTS - 1));
	case F_PAYLOAD:
		return literal(some_payload());
	case F_TIMEOUT:
		return some_time();
	case F_POOL:
		return literal(some_pool());
	case F_SMALL:
		return literal(rnd(f->mask));
	case F_LEN:
		return literal(some_length());
	case F_ADDR:
		return some_address();
	case F_FD:
		return word(W_FD, rnd(N_SLOTS));
	case F_BITS:
		return some_mask(f->mask);
	case F_UID:
		return literal(some_uid());
	case F_STALL:
		return literal(rnd(STALL_PAYLOAD + 3));
	}
	return literal(0);
}

/* ------------------------------------------------------------------------ */

static void some_string(struct item *item)
{
	static const char *const strings[] = {
		"a.b", "a.b", "a.b.c", "c.d", "a.*", "c.d.*", "0-x", "0-y",
		"1000-x", "0-e1", "e2", "1000-e3", "x", "", ".a", "a..b", "a",
		"a.b/c", "../x", "a.1", "*", "-.-", "a.b.",
	};
	static const u16 lengths[] = { 63, 64, 255, 256, 300, 4096 };

	item->has_str = true;
	strcpy(item->str, strings[rnd(chance(70) ? 12 : ARRAY_SIZE(strings))]);
	if (chance(5))
		item->length = lengths[rnd(ARRAY_SIZE(lengths))];
	item->no_nul = chance(2);
}

static unsigned int list_length(const struct item_info *info)
{
	if (!info->list)
		return info->n;
	if (chance(5))
		return rnd(N_ITEM_WORDS + 1);
	/* for bloom filters one word is what the bus wants */
	return info->n + (chance(20) ? rnd(4) : 0U);
}

void gen_item(struct item *item, const struct item_info *info)
{
	unsigned int i, last = info->n - 1;

	memset(item, 0, sizeof(*item));
	item->type = info->type;
	item->repeat = 1;
	if (chance(2))
		item->repeat = 2 + rnd(200);
	if (chance(2))
		item->delta = (s32)rnd(64) - 32;
	item->n = list_length(info);
	for (i = 0; i < item->n; i++)
		item->words[i] = gen_word(&info->fields[i < last ? i : last]);
	if (info->str && chance(95))
		some_string(item);
}

const struct item_info *gen_item_for(const struct op_info *op)
{
	const char *p = op->items;
	unsigned int n = 1;

	if (!p || chance(4))
		return &item_infos[rnd(n_item_infos)];
	for (; *p; p++)
		n += *p == ' ';
	n = rnd(n);
	for (p = op->items; n; p++)
		n -= *p == ' ';
	return item_info_named(p, strcspn(p, " "));
}

/* ------------------------------------------------------------------------ */

/* what a slot holds before call @at, were all calls to succeed */
static void find_slots(u8 *kinds, const struct prog *p, unsigned int at,
		       unsigned int proc)
{
	unsigned int i;

	memset(kinds, S_NONE, N_SLOTS);
	if (!proc)
		kinds[0] = S_OWNER;
	for (i = 0; i < at && i < p->n; i++) {
		const struct call *c = &p->calls[i];
		const struct op_info *op = &ops[c->op];

		if (proc_of(c->thread) != proc)
			continue;
		if (op->makes)
			kinds[c->slot] = op->makes;
		else if (op->kind == O_CLOSE)
			kinds[c->slot] = S_NONE;
	}
}

static u8 some_slot(const u8 *kinds, u8 kind)
{
	unsigned int i, n = rnd(N_SLOTS);

	if (chance(4))
		return n;
	for (i = 0; i < N_SLOTS; i++, n = (n + 1) % N_SLOTS)
		if (kinds[n] == kind && (n || kind))
			return n;
	return 1 + rnd(N_SLOTS - 1);
}

static bool fits(const u8 *kinds, u8 kind)
{
	return kind == S_NONE || memchr(kinds, kind, N_SLOTS);
}

static unsigned int some_op(const u8 *kinds)
{
	unsigned int i, sum = 0, at;

	for (i = 0; i < n_ops; i++)
		sum += ops[i].weight;
	do {
		at = rnd(sum);
		for (i = 0; at >= ops[i].weight; i++)
			at -= ops[i].weight;
	} while (!fits(kinds, ops[i].on) && chance(97));
	return i;
}

static unsigned int item_count(const struct op_info *op)
{
	if (!op->items)
		return chance(3);
	return chance(70) ? 1 + rnd(2) : rnd(N_ITEMS + 1);
}

static void fill_call(struct call *c)
{
	const struct op_info *op = &ops[c->op];
	unsigned int i;

	c->n_words = op->n;
	for (i = 0; i < op->n; i++)
		c->words[i] = gen_word(&op->fields[i]);
	if (op->kind != O_IOCTL)
		return;
	if (chance(6))
		c->place = rnd(N_PLACES);
	if (chance(10))
		c->fail = 1 + rnd(chance(80) ? 12 : 60);
	c->n_items = item_count(op);
	for (i = 0; i < c->n_items; i++)
		gen_item(&c->items[i], gen_item_for(op));
	/* a name needs its item, and other receivers none */
	if (op->nr == KDBUS_CMD_MSG_SEND && c->words[4].kind == W_LITERAL &&
	    !c->words[4].value && c->n_items && chance(90))
		gen_item(&c->items[0], item_info(KDBUS_ITEM_DST_NAME));
}

void gen_call(struct call *c, const struct prog *p, unsigned int at)
{
	u8 kinds[N_SLOTS];

	memset(c, 0, sizeof(*c));
	c->thread = chance(60) ? 0 : rnd(N_THREADS);
	find_slots(kinds, p, at, proc_of(c->thread));
	c->op = some_op(kinds);
	c->slot = some_slot(kinds, ops[c->op].on);
	fill_call(c);
}

void gen_move(struct call *c, const struct prog *p, unsigned int at)
{
	do
		gen_call(c, p, at);
	while (!ops[c->op].moves);
}

unsigned int op_of(unsigned long nr, u8 kind)
{
	unsigned int i;

	for (i = 0; i < n_ops; i++)
		if (ops[i].kind == kind && ops[i].nr == nr)
			return i;
	return 0;
}

/* a connection in @slot, as most of what follows needs one */
static void add_conn(struct prog *p, u8 thread, u8 slot)
{
	struct call *open = &p->calls[p->n++];
	struct call *hello = &p->calls[p->n++];

	open->thread = thread;
	hello->thread = thread;
	open->slot = slot;
	hello->slot = slot;
	open->op = op_of(0, O_OPEN_BUS);
	open->n_words = 1;
	hello->op = op_of(KDBUS_CMD_HELLO, O_IOCTL);
	fill_call(hello);
	hello->words[6] = literal(65536);
	if (chance(70)) {
		hello->words[1] = literal(chance(80));
		hello->n_items = 0;
		hello->fail = 0;
		hello->place = P_PLAIN;
	}
}

void prog_generate(struct prog *p)
{
	unsigned int n;

	memset(p, 0, sizeof(*p));
	p->ordered = chance(70);
	for (n = rnd(4); n; n--)
		add_conn(p, chance(70) ? 0 : T_USER + rnd(2), n);
	for (n = 3 + rnd(14); n; n--) {
		gen_call(&p->calls[p->n], p, p->n);
		p->n++;
	}
}
