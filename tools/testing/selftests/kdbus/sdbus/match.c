// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md sections 7 and 8: bloom filters, match rules */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sd-util.h"

static struct bus bus;
static struct conn a, b, w;	/* w watches */

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, SD_PLAIN);
	sd_connect(&w, &bus, SD_PLAIN);
}

/* ------------------------------------------------------------------------ */
/* 7.4: the worked example */

static const struct {
	const char *string;
	bool in_mask;
	unsigned short bits[SD_HASHES];
} strings[] = {
	{ "message-type:signal", true,
	  { 388, 108, 102, 383, 132, 138, 312, 309 } },
	{ "interface:com.example.Calc1", true,
	  { 78, 279, 491, 11, 341, 28, 434, 275 } },
	{ "member:Changed", true,
	  { 211, 251, 71, 415, 188, 443, 314, 317 } },
	{ "path:/com/example/Calc", false,
	  { 48, 283, 284, 183, 172, 6, 231, 247 } },
	{ "path-slash-prefix:/com/example/Calc", false,
	  { 221, 124, 480, 478, 136, 121, 50, 37 } },
	{ "path-slash-prefix:/com/example", true,
	  { 68, 377, 294, 11, 419, 116, 408, 16 } },
	{ "path-slash-prefix:/com", false,
	  { 234, 184, 236, 460, 451, 196, 281, 301 } },
	{ "arg0:com.example.foo", true,
	  { 110, 206, 63, 443, 425, 394, 492, 136 } },
	{ "arg0-dot-prefix:com.example", false,
	  { 444, 395, 120, 228, 29, 445, 90, 162 } },
	{ "arg0-dot-prefix:com", false,
	  { 3, 176, 389, 208, 113, 297, 347, 470 } },
};

/* bytes, in words as the specification prints them */
static const u32 worked_filter[16] = {
	0x48080130, 0x20000580, 0x90400004, 0x40501213,
	0x10050000, 0x04108111, 0x10400920, 0x90148008,
	0x0000881a, 0x40222025, 0x00002008, 0x00000082,
	0x300c0081, 0x08020438, 0x08104040, 0x01180000,
};

static const u32 worked_mask[16] = {
	0x00080110, 0x00000080, 0x90400000, 0x40501000,
	0x10050000, 0x00000010, 0x00400800, 0x00000008,
	0x00008800, 0x40002025, 0x00002000, 0x00000082,
	0x10040081, 0x08020408, 0x00000000, 0x00180000,
};

static u8 filter[SD_BLOOM], mask[SD_BLOOM];

static void to_bytes(const u32 *words, u8 *bytes)
{
	int i;

	for (i = 0; i < SD_BLOOM; i++)
		bytes[i] = words[i / 4] >> (24 - i % 4 * 8);
}

/* bit b is bit b mod 64 of 64-bit word b / 64, native byte order */
static void set_bit(u8 *bytes, unsigned int bit)
{
	u64 word;

	memcpy(&word, bytes + bit / 64 * 8, 8);
	word |= 1ULL << bit % 64;
	memcpy(bytes + bit / 64 * 8, &word, 8);
}

static void add_string(u8 *bytes, size_t i)
{
	int j;

	for (j = 0; j < SD_HASHES; j++)
		set_bit(bytes, strings[i].bits[j]);
}

static void make_worked(void)
{
	u8 bytes[SD_BLOOM];
	size_t i;

	memset(filter, 0, sizeof(filter));
	memset(mask, 0, sizeof(mask));
	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		add_string(filter, i);
		if (strings[i].in_mask)
			add_string(mask, i);
	}
	if (__BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__)
		return;
	to_bytes(worked_filter, bytes);
	kt_assert(!memcmp(bytes, filter, sizeof(bytes)), "test bug: filter");
	to_bytes(worked_mask, bytes);
	kt_assert(!memcmp(bytes, mask, sizeof(bytes)), "test bug: mask");
}

static bool is_subset(const u8 *m, const u8 *f)
{
	int i;

	for (i = 0; i < SD_BLOOM; i++)
		if (m[i] & ~f[i])
			return false;
	return true;
}

/* a signal of a with this filter; does w, with this mask, hear it? */
static void check_mask(const u8 *m, const u8 *f, bool want, const char *what)
{
	const struct sd_rule r = { .mask = m };
	unsigned int n;

	kt_assert_ret(sd_add_match(&w, 1, &r), 0, "%s: MATCH_ADD", what);
	kt_check_ret(sd_send_signal(&a, 9, f), 0, "%s: signal", what);
	n = conn_drain(&w);
	kt_check(n == want, "%s: heard %u times", what, n);
	kt_check_ret(sd_remove_match(&w, 1), 0, "%s: MATCH_REMOVE", what);
}

START_TEST(worked_match)
{
	u8 one[SD_BLOOM];
	size_t i;

	prepare();
	make_worked();
	check_mask(mask, filter, true, "the worked rule");
	check_mask(filter, filter, true, "all strings");
	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		memset(one, 0, sizeof(one));
		add_string(one, i);
		check_mask(one, filter, true, strings[i].string);
	}
}
END_TEST

/* signals that lack one of the strings */
START_TEST(worked_non_match)
{
	u8 lacks[SD_BLOOM];
	size_t i, j;

	prepare();
	make_worked();
	check_mask(filter, mask, false, "rule and signal exchanged");
	for (i = 0; i < ARRAY_SIZE(strings); i++) {
		memset(lacks, 0, sizeof(lacks));
		for (j = 0; j < ARRAY_SIZE(strings); j++)
			if (j != i)
				add_string(lacks, j);
		kt_check(is_subset(mask, lacks) == !strings[i].in_mask,
			 "test bug: %s", strings[i].string);
		check_mask(mask, lacks, !strings[i].in_mask,
			   strings[i].string);
	}
	/* and each bit of the mask counts */
	for (i = 0; i < SD_BLOOM * 8; i++) {
		if (!(mask[i / 8] & 1 << i % 8))
			continue;
		memcpy(lacks, filter, sizeof(lacks));
		lacks[i / 8] &= ~(1 << i % 8);
		check_mask(mask, lacks, false, "one bit less");
	}
}
END_TEST

/* the item of the filter: 88 bytes, of the size that HELLO told */
START_TEST(filter_item)
{
	struct kdbus_item *item;
	struct sd_msg h;
	struct blob m;

	prepare();
	kt_check(w.hello.bloom.size == SD_BLOOM, "bloom size");
	sd_signal(&h, 1);
	sd_end(&h, 0);
	sd_msg_init(&m, &h, KDBUS_DST_ID_BROADCAST, NULL);
	item = blob_add(&m, KDBUS_ITEM_BLOOM_FILTER, NULL, 8 + SD_BLOOM);
	kt_check(item->size == 88, "test bug");
	kt_check_ret(sd_send(&a, &m), 0, "88");
	sd_msg_init(&m, &h, KDBUS_DST_ID_BROADCAST, NULL);
	blob_add(&m, KDBUS_ITEM_BLOOM_FILTER, NULL, SD_BLOOM);
	kt_check_ret(sd_send(&a, &m), -EDOM, "80");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* 8: rules */

/* ID, BLOOM_MASK, NAME, in this order; all of those that are there count */
START_TEST(three_items)
{
	unsigned int i;

	prepare();
	make_worked();
	kt_check_ret(sd_request_name(&a, SD_NAME, 0), 1, "name");
	kt_check_ret(sd_request_name(&b, "com.example.Other", 0), 1, "name");
	for (i = 0; i < 27; i++) {
		unsigned int id = i % 3, bits = i / 3 % 3, name = i / 9;
		bool want = id != 2 && bits != 2 && name != 2;
		const struct sd_rule r = {
			.sender = id ? id == 1 ? a.id : b.id : 0,
			.mask = bits ? bits == 1 ? mask : filter : NULL,
			.name = name ? name == 1 ? SD_NAME :
				"com.example.Other" : NULL,
		};

		kt_assert_ret(sd_add_match(&w, i + 1, &r), 0, "rule %u", i);
		kt_check_ret(sd_send_signal(&a, 7, mask), 0, "signal");
		kt_check(conn_drain(&w) == want, "rule %u", i);
		kt_check_ret(sd_remove_match(&w, i + 1), 0, "remove %u", i);
	}
}
END_TEST

/* NAME: also the driver's, and any name that is valid */
START_TEST(sender_names)
{
	char name[256];
	struct sd_rule r = { .name = DRIVER };

	prepare();
	kt_check_ret(sd_add_match(&w, 1, &r), 0, DRIVER);
	kt_check_ret(sd_send_signal(&a, 1, NULL), 0, "signal");
	expect_empty(&w);
	memset(name, 'n', 255);
	name[100] = '.';
	name[255] = '\0';
	r.name = name;
	kt_check_ret(sd_add_match(&w, 2, &r), 0, "255 bytes");
	kt_check_ret(sd_request_name(&a, name, 0), 1, "255 bytes");
	kt_check_ret(sd_send_signal(&a, 2, NULL), 0, "signal");
	expect_cast(&w, a.id, 2);
}
END_TEST

/* six entries: all broadcasts, all notifications, each of them once */
START_TEST(empty_rule)
{
	const struct sd_rule r = { .notes = true };
	struct conn c;

	prepare();
	kt_check_ret(sd_add_match(&w, 1, &r), 0, "MATCH_ADD");
	kt_check_ret(sd_send_signal(&a, 1, NULL), 0, "signal");
	expect_cast(&w, a.id, 1);
	expect_empty(&w);
	kt_check_ret(sd_request_name(&a, SD_NAME, 2), 1, "name");
	expect_name_note(&w, KDBUS_ITEM_NAME_ADD, 0, 0, a.id, 2, SD_NAME);
	kt_check_ret(sd_request_name(&b, SD_NAME, 1), 1, "replace");
	expect_name_note(&w, KDBUS_ITEM_NAME_CHANGE, a.id, 2, b.id, 1,
			 SD_NAME);
	kt_check_ret(sd_release_name(&b, SD_NAME), 0, "release");
	expect_name_note(&w, KDBUS_ITEM_NAME_REMOVE, b.id, 1, 0, 0, SD_NAME);
	sd_connect(&c, &bus, SD_PLAIN);
	expect_id_note(&w, KDBUS_ITEM_ID_ADD, c.id, 1);
	conn_close(&c);
	expect_id_note(&w, KDBUS_ITEM_ID_REMOVE, c.id, 1);
	expect_empty(&w);
	/* one MATCH_REMOVE, and all of it is gone */
	kt_check_ret(sd_remove_match(&w, 1), 0, "MATCH_REMOVE");
	kt_check_ret(sd_request_name(&a, SD_NAME, 2), 1, "name");
	kt_check_ret(sd_send_signal(&a, 2, NULL), 0, "signal");
	expect_empty(&w);
	kt_check_ret(sd_remove_match(&w, 1), -ENOENT, "MATCH_REMOVE again");
}
END_TEST

/* 42 of 6 entries fit in 256; if one entry fails all of the rule goes */
START_TEST(forty_two)
{
	const struct sd_rule r = { .notes = true }, single = { 0 };
	u64 cookie;

	prepare();
	for (cookie = 1; cookie <= 42; cookie++)
		kt_assert_ret(sd_add_match(&w, cookie, &r), 0, "rule %llu",
			      cookie);
	kt_check_ret(sd_add_match(&w, 43, &r), -EMFILE, "rule 43");
	kt_check_ret(sd_remove_match(&w, 43), -ENOENT, "left over");
	for (cookie = 43; cookie <= 46; cookie++)
		kt_check_ret(sd_add_match(&w, cookie, &single), 0,
			     "entry 253 to 256");
	kt_check_ret(sd_add_match(&w, 47, &single), -EMFILE, "entry 257");
	kt_check_ret(sd_send_signal(&a, 1, NULL), 0, "signal");
	kt_check(conn_drain(&w) == 1, "not once");
	kt_check_ret(sd_remove_match(&w, 7), 0, "MATCH_REMOVE");
	kt_check_ret(sd_add_match(&w, 48, &r), 0, "in its place");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* 8, notifications: the entries for NameOwnerChanged */

enum { ADD = 1, CHANGE = 2, REMOVE = 4, COME = 8, GO = 16 };

static unsigned int what_came(void)
{
	unsigned int came = 0, bit;
	const struct kdbus_msg *m;
	u64 off;

	while (!conn_recv(&w, &off)) {
		m = conn_msg(&w, off);
		switch (m->items[0].type) {
		case KDBUS_ITEM_NAME_ADD:
			bit = ADD;
			break;
		case KDBUS_ITEM_NAME_CHANGE:
			bit = CHANGE;
			break;
		case KDBUS_ITEM_NAME_REMOVE:
			bit = REMOVE;
			break;
		default:
			bit = m->items[0].type == KDBUS_ITEM_ID_ADD ? COME : GO;
		}
		kt_check(!(came & bit), "%#x came twice", bit);
		came |= bit;
		kt_check_ret(conn_free(&w, off), 0, "FREE");
	}
	return came;
}

/* a gets the name, b takes it over, and drops it; x comes and goes */
static unsigned int play(u64 *last_id)
{
	struct conn x;

	kt_assert_ret(sd_request_name(&a, SD_NAME, 2), 1, "acquire");
	kt_assert_ret(sd_request_name(&b, SD_NAME, 1), 1, "replace");
	kt_assert_ret(sd_release_name(&b, SD_NAME), 0, "release");
	sd_connect(&x, &bus, SD_PLAIN);
	conn_close(&x);
	*last_id = x.id;
	return what_came();
}

/* what the kernel has to let through: exact but for arguments of ids */
static unsigned int wanted(const struct sd_rule *r, u64 x)
{
	bool name = !r->arg0_id && (!r->arg0 || !strcmp(r->arg0, SD_NAME));
	bool id = !r->arg0 && (!r->arg0_id || r->arg0_id == x);
	unsigned int want = 0;

	if (name && !r->arg1 && (!r->arg2 || r->arg2 == a.id))
		want |= ADD;
	if (name && (!r->arg1 || r->arg1 == a.id) &&
	    (!r->arg2 || r->arg2 == b.id))
		want |= CHANGE;
	if (name && !r->arg2 && (!r->arg1 || r->arg1 == b.id))
		want |= REMOVE;
	if (id && !r->arg1)
		want |= COME;
	if (id && !r->arg2)
		want |= GO;
	return want;
}

START_TEST(name_owner_changed)
{
	u64 cookie = 1, last;
	unsigned int i, came;

	prepare();
	make_worked();
	sd_connect(&w, &bus, SD_PLAIN);
	last = w.id;
	for (i = 0; i < 5 * 3 * 3; i++) {
		const u64 ids[] = { 0, a.id, b.id };
		unsigned int arg0 = i % 5;
		struct sd_rule r = {
			.mask = mask, .name = DRIVER, .notes = true,
			.arg1 = ids[i / 5 % 3], .arg2 = ids[i / 15],
		};

		if (arg0 > 2 && (r.arg1 || r.arg2))
			continue;	/* another id: no entries */
		if (arg0 == 1 || arg0 == 2)
			r.arg0 = arg0 == 1 ? SD_NAME : "com.example.Calx";
		else if (arg0)
			r.arg0_id = arg0 == 3 ? last + 1 : a.id;
		kt_assert_ret(sd_add_match(&w, cookie, &r), 0, "rule %u", i);
		came = play(&last);
		kt_check(came == wanted(&r, last), "rule %u: %#x came, not %#x",
			 i, came, wanted(&r, last));
		kt_assert_ret(sd_remove_match(&w, cookie++), 0, "remove");
		kt_check(play(&last) == 0, "rule %u: not removed", i);
	}
}
END_TEST

/* taking over from an activator is a change: NAME_ADD alone misses it */
START_TEST(change_is_needed)
{
	const struct sd_rule r = { .notes = true, .arg0 = SD_NAME,
				   .mask = mask };
	struct conn act;
	struct blob m;

	prepare();
	make_worked();
	sd_activator(&act, &bus, SD_NAME);
	kt_check_ret(sd_add_match(&w, 1, &r), 0, "rule");
	match_init(&m, 1, 0);
	rule_name_change(&m, KDBUS_ITEM_NAME_ADD, ANY, ANY, SD_NAME);
	kt_check_ret(match_add(&b, &m), 0, "NAME_ADD alone");
	kt_check_ret(sd_request_name(&a, SD_NAME, 0), 1, "take over");
	expect_name_note(&w, KDBUS_ITEM_NAME_CHANGE, act.id,
			 KDBUS_NAME_ACTIVATOR, a.id, 0, SD_NAME);
	expect_empty(&w);
	expect_empty(&b);
}
END_TEST

KT_SUITE("sd-match")
{
	kt_test(worked_match);
	kt_test(worked_non_match);
	kt_test(filter_item);
	kt_test(three_items);
	kt_test(sender_names);
	kt_test(empty_rule);
	kt_test(forty_two);
	kt_test(name_owner_changed);
	kt_test(change_is_needed);
}
