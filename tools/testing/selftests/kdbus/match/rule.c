// SPDX-License-Identifier: GPL-2.0-only
/* Which broadcasts and notifications a rule lets through */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"
#include "pair.h"

static bool hears(unsigned int bit)
{
	return hears_bit(&a, &b, bit);
}

enum {
	CAST	= 1 << 0,	/* a user broadcast of the sender */
	ID_ADD	= 1 << 1,
	ID_REM	= 1 << 2,
	N_ADD	= 1 << 3,
	N_CHG	= 1 << 4,
	N_REM	= 1 << 5,
	ALL	= 0x3f,
	NOTES	= ALL & ~CAST,
};

enum id { ZERO, XANY, FIRST, SECOND, SENDER, OTHER };

struct rule {
	u64 type;
	enum id id, id2;
	const char *name;
};

static const struct rule_row {
	struct rule rules[3];
	unsigned int want;
} rule_rows[] = {
	{ { { 0 } }, ALL },
	{ { { KT_ITEM_IGNORED } }, ALL },
	/* of connections */
	{ { { KDBUS_ITEM_ID, XANY } }, CAST },
	{ { { KDBUS_ITEM_ID, SENDER } }, CAST },
	{ { { KDBUS_ITEM_ID, OTHER } }, 0 },
	{ { { KDBUS_ITEM_ID, ZERO } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "sender.name" } }, CAST },
	{ { { KDBUS_ITEM_NAME, .name = "sender.nam" } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "sender.name2" } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "nobody.name" } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "waits.for" } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "sender.name" },
	    { KDBUS_ITEM_ID, SENDER } }, CAST },
	{ { { KDBUS_ITEM_NAME, .name = "sender.name" },
	    { KDBUS_ITEM_NAME, .name = "sender.second" } }, CAST },
	{ { { KDBUS_ITEM_NAME, .name = "sender.name" },
	    { KDBUS_ITEM_NAME, .name = "waits.for" } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "sender.name" },
	    { KDBUS_ITEM_ID, OTHER } }, 0 },
	{ { { KDBUS_ITEM_ID, SENDER }, { KDBUS_ITEM_ID, XANY } }, CAST },
	{ { { KDBUS_ITEM_ID, SENDER }, { KDBUS_ITEM_ID, OTHER } }, 0 },
	/* of the kernel, about ids */
	{ { { KDBUS_ITEM_ID_ADD, XANY } }, ID_ADD },
	{ { { KDBUS_ITEM_ID_ADD, FIRST } }, ID_ADD },
	{ { { KDBUS_ITEM_ID_ADD, SECOND } }, 0 },
	{ { { KDBUS_ITEM_ID_ADD, ZERO } }, 0 },
	{ { { KDBUS_ITEM_ID_REMOVE, XANY } }, ID_REM },
	{ { { KDBUS_ITEM_ID_REMOVE, FIRST } }, ID_REM },
	{ { { KDBUS_ITEM_ID_REMOVE, SECOND } }, 0 },
	{ { { KDBUS_ITEM_ID_ADD, FIRST }, { KDBUS_ITEM_ID_ADD, XANY } },
	  ID_ADD },
	{ { { KDBUS_ITEM_ID_ADD, FIRST }, { KDBUS_ITEM_ID_ADD, SECOND } }, 0 },
	/* and names */
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY } }, N_ADD },
	{ { { KDBUS_ITEM_NAME_ADD, ZERO, XANY } }, N_ADD },
	{ { { KDBUS_ITEM_NAME_ADD, ZERO, FIRST } }, N_ADD },
	{ { { KDBUS_ITEM_NAME_ADD, ZERO, SECOND } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, FIRST, FIRST } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, ZERO } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, ZERO, ZERO } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY, "the.name" } }, N_ADD },
	{ { { KDBUS_ITEM_NAME_ADD, ZERO, FIRST, "the.name" } }, N_ADD },
	{ { { KDBUS_ITEM_NAME_ADD, ZERO, SECOND, "the.name" } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY, "the.nam" } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY, "the.name2" } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY, "" } }, 0 },
	{ { { KDBUS_ITEM_NAME_CHANGE, XANY, XANY } }, N_CHG },
	{ { { KDBUS_ITEM_NAME_CHANGE, FIRST, SECOND } }, N_CHG },
	{ { { KDBUS_ITEM_NAME_CHANGE, FIRST, XANY } }, N_CHG },
	{ { { KDBUS_ITEM_NAME_CHANGE, XANY, SECOND } }, N_CHG },
	{ { { KDBUS_ITEM_NAME_CHANGE, SECOND, FIRST } }, 0 },
	{ { { KDBUS_ITEM_NAME_CHANGE, FIRST, FIRST } }, 0 },
	{ { { KDBUS_ITEM_NAME_CHANGE, ZERO, ZERO } }, 0 },
	{ { { KDBUS_ITEM_NAME_CHANGE, ZERO, ZERO, "the.name" } }, 0 },
	{ { { KDBUS_ITEM_NAME_CHANGE, FIRST, SECOND, "the.name" } }, N_CHG },
	{ { { KDBUS_ITEM_NAME_CHANGE, XANY, XANY, "no.name" } }, 0 },
	{ { { KDBUS_ITEM_NAME_REMOVE, XANY, XANY } }, N_REM },
	{ { { KDBUS_ITEM_NAME_REMOVE, SECOND, ZERO } }, N_REM },
	{ { { KDBUS_ITEM_NAME_REMOVE, XANY, ZERO } }, N_REM },
	{ { { KDBUS_ITEM_NAME_REMOVE, FIRST, ZERO } }, 0 },
	{ { { KDBUS_ITEM_NAME_REMOVE, SECOND, SECOND } }, 0 },
	{ { { KDBUS_ITEM_NAME_REMOVE, SECOND, ZERO, "the.name" } }, N_REM },
	{ { { KDBUS_ITEM_NAME_REMOVE, SECOND, ZERO, "" } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY },
	    { KDBUS_ITEM_NAME_ADD, XANY, XANY, "the.name" } }, N_ADD },
	/* kinds do not mix */
	{ { { KDBUS_ITEM_ID, XANY }, { KDBUS_ITEM_ID_ADD, XANY } }, 0 },
	{ { { KDBUS_ITEM_ID_ADD, XANY }, { KDBUS_ITEM_ID_REMOVE, XANY } }, 0 },
	{ { { KDBUS_ITEM_NAME_ADD, XANY, XANY },
	    { KDBUS_ITEM_NAME_REMOVE, XANY, XANY } }, 0 },
	{ { { KDBUS_ITEM_NAME, .name = "the.name" },
	    { KDBUS_ITEM_NAME_ADD, XANY, XANY, "the.name" } }, 0 },
	{ { { KDBUS_ITEM_BLOOM_MASK }, { KDBUS_ITEM_ID_ADD, XANY } }, 0 },
	{ { { KDBUS_ITEM_BLOOM_MASK } }, CAST },
	{ { { KDBUS_ITEM_BLOOM_MASK }, { KDBUS_ITEM_ID, OTHER } }, 0 },
	{ { { KDBUS_ITEM_BLOOM_MASK }, { KT_ITEM_IGNORED },
	    { KDBUS_ITEM_NAME, .name = "sender.second" } }, CAST },
};

static u64 the_id(enum id id, u64 first, u64 second)
{
	switch (id) {
	case ZERO:
		return 0;
	case XANY:
		return ANY;
	case FIRST:
		return first;
	case SECOND:
		return second;
	case SENDER:
		return a.id;
	default:
		return b.id;
	}
}

static void add_rule(struct blob *m, const struct rule *r, u64 first,
		     u64 second)
{
	u64 one = the_id(r->id, first, second);
	u64 two = the_id(r->id2, first, second);

	switch (r->type) {
	case KDBUS_ITEM_ID:
		rule_id(m, one);
		break;
	case KDBUS_ITEM_NAME:
		rule_name(m, r->name);
		break;
	case KDBUS_ITEM_BLOOM_MASK:
		blob_add(m, r->type, NULL, KT_BLOOM_SIZE);
		break;
	case KDBUS_ITEM_ID_ADD:
	case KDBUS_ITEM_ID_REMOVE:
		rule_id_change(m, r->type, one);
		break;
	case KT_ITEM_IGNORED:
		blob_add(m, r->type, NULL, 5);
		break;
	default:
		rule_name_change(m, r->type, one, two, r->name);
	}
}

static unsigned int kind(const struct kdbus_msg *m)
{
	if (m->src_id == a.id)
		return CAST;
	switch (m->items[0].type) {
	case KDBUS_ITEM_ID_ADD:
		return ID_ADD;
	case KDBUS_ITEM_ID_REMOVE:
		return ID_REM;
	case KDBUS_ITEM_NAME_ADD:
		return N_ADD;
	case KDBUS_ITEM_NAME_CHANGE:
		return N_CHG;
	case KDBUS_ITEM_NAME_REMOVE:
		return N_REM;
	default:
		return 1 << 31;
	}
}

static unsigned int received(struct conn *c)
{
	unsigned int got = 0;
	u64 off;

	while (!conn_recv(c, &off)) {
		unsigned int k = kind(conn_msg(c, off));

		kt_check(!(got & k), "kind %#x came twice", k);
		got |= k;
		kt_assert_ret(conn_free(c, off), 0, "free");
	}
	return got;
}

static void try_rules(const struct rule_row *r, struct conn *second)
{
	struct conn first;
	unsigned int got;
	struct blob m;
	int i;

	/* the next one will be the first */
	conn_open(&first, &bus, 4096);
	match_init(&m, 1, 0);
	for (i = 0; i < 3 && r->rules[i].type; i++)
		add_rule(&m, &r->rules[i], first.id + 1, second->id);
	conn_close(&first);
	kt_assert_ret(match_add(&b, &m), 0, "row %zu", r - rule_rows);

	conn_open(&first, &bus, 4096);
	kt_assert_ret(name_acquire(&first, "the.name", ALLOW), 0, "acquire");
	kt_assert_ret(name_acquire(second, "the.name", REPLACE), 0, "replace");
	kt_assert_ret(name_release(second, "the.name"), 0, "release");
	conn_close(&first);
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	got = received(&b);
	kt_check(got == r->want, "row %zu: got %#x, expected %#x",
		 r - rule_rows, got, r->want);
	kt_assert_ret(match_remove(&b, 1), 0, "remove");
}

START_TEST(rules)
{
	struct conn second, other;
	size_t i;

	pair_open();
	conn_open(&second, &bus, 4096);
	conn_open(&other, &bus, 4096);
	kt_assert_ret(name_acquire(&a, "sender.name", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&a, "sender.second", ALLOW), 0, "acquire");
	kt_assert_ret(name_acquire(&other, "waits.for", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&a, "waits.for", QUEUE), 0, "wait");
	for (i = 0; i < ARRAY_SIZE(rule_rows); i++)
		try_rules(&rule_rows[i], &second);
}
END_TEST

/* a name is looked at when something is sent */
START_TEST(name_comes_and_goes)
{
	struct blob m;

	pair_open();
	match_init(&m, 1, 0);
	rule_name(&m, "some.name");
	kt_assert_ret(match_add(&b, &m), 0, "add");
	kt_check(!hears(0), "without the name");
	kt_assert_ret(name_acquire(&a, "some.name", 0), 0, "acquire");
	kt_check(hears(0), "with the name");
	kt_assert_ret(name_release(&a, "some.name"), 0, "release");
	kt_check(!hears(0), "after release");
	kt_assert_ret(name_acquire(&b, "some.name", 0), 0, "acquire");
	kt_check(!hears(0), "another one has it");
	kt_assert_ret(name_acquire(&a, "some.name", QUEUE), 0, "wait");
	kt_check(!hears(0), "while it waits");
	kt_assert_ret(name_release(&b, "some.name"), 0, "release");
	kt_check(hears(0), "when it was promoted");
}
END_TEST

START_TEST(long_names)
{
	char name[300];
	struct blob m;

	pair_open();
	memset(name, 'a', sizeof(name));
	name[100] = '.';
	name[255] = '\0';
	match_init(&m, 1, 0);
	rule_name(&m, name);
	kt_check_ret(match_add(&b, &m), 0, "255 bytes");
	kt_assert_ret(name_acquire(&a, name, 0), 0, "acquire");
	kt_check(hears(0), "not heard");
	name[254] = '\0';
	match_init(&m, 1, KDBUS_MATCH_REPLACE);
	rule_name(&m, name);
	kt_check_ret(match_add(&b, &m), 0, "254 bytes");
	kt_check(!hears(0), "heard by a shorter name");
	name[254] = 'a';
	name[255] = 'a';
	name[256] = '\0';
	match_init(&m, 2, 0);
	rule_name(&m, name);
	kt_check_ret(match_add(&b, &m), -ENAMETOOLONG, "256 bytes");
}
END_TEST

KT_SUITE("rule")
{
	kt_test(rules);
	kt_test(name_comes_and_goes);
	kt_test(long_names);
}
