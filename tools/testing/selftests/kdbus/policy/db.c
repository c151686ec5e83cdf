// SPDX-License-Identifier: GPL-2.0-only
/* Policy entries: who a grant is for, which entry decides */

#include <unistd.h>

#include "policy-util.h"

#define OWNER	20200
#define A	20201
#define B	20202
#define GA	20301
#define GB	20302
#define NONE	-1

/* the digits of these users and groups in policies */
#define UA	"u20201"
#define UB	"u20202"
#define TGA	"g20301"
#define TGB	"g20302"

enum { IS_A, IS_B, IS_SPLIT, IS_EGID, IS_AUX, IS_AUX2, IS_ROOT, N };

static const struct subject who[N] = {
	[IS_A] = { "user A, group A", A, A, GA, GA },
	[IS_B] = { "user B, group B", B, B, GB, GB },
	[IS_SPLIT] = { "real user A, effective B", A, B, GB, GB },
	[IS_EGID] = { "user B, real group B, effective A", B, B, GB, GA },
	[IS_AUX] = { "user B, group A besides", B, B, GB, GB, { GA }, 1 },
	[IS_AUX2] = { "user B, other groups", B, B, 7, 7, { 8, GA }, 2 },
	[IS_ROOT] = { "user 0", 0, 0, 0, 0 },
};

struct world {
	struct bus bus, ep;
	struct conn target, subject[N];
};

static struct world w;

static struct subject with_cap(const struct subject *s)
{
	struct subject t = *s;

	t.capable = true;
	return t;
}

/* @custom: subjects are on a custom endpoint, and the bus does not refuse */
static void prepare(bool custom)
{
	int i;

	bus_of(&w.bus, OWNER);
	ep_make(&w.ep, &w.bus, NO_POLICY);
	conn_open(&w.target, &w.bus, 64 * KIB);
	for (i = 0; i < N; i++) {
		struct subject s = with_cap(&who[i]);

		subject_open(&w.subject[i], custom ? &w.ep : &w.bus,
			     custom ? &s : &who[i]);
	}
}

/* the highest level at which the endpoint lets it at @name of the target */
static int level_on_ep(int i, const char *name)
{
	struct conn *c = &w.subject[i];
	bool see, talk, own;
	int ret;

	ret = name_release(c, name);
	see = ret == -EADDRINUSE;
	kt_check(see || ret == -ENOENT, "%s: NAME_RELEASE of %s: %s",
		 who[i].what, name, kt_err(ret));
	ret = send_name(c, name, 1);
	talk = !ret;
	kt_check(talk || ret == -ENOENT, "%s: MSG_SEND to %s: %s",
		 who[i].what, name, kt_err(ret));
	ret = name_acquire(c, name, 0);
	own = ret == -EEXIST;
	kt_check(own || ret == -EPERM, "%s: NAME_ACQUIRE of %s: %s",
		 who[i].what, name, kt_err(ret));
	kt_check(conn_drain(&w.target) == talk, "messages");
	kt_check(own <= talk && talk <= see, "%s, %s: own %d, talk %d, see %d",
		 who[i].what, name, own, talk, see);
	return see + talk + own - 1;
}

/* the same for the bus, where everything is to be seen */
static int level_on_bus(int i, const char *name)
{
	struct conn *c = &w.subject[i];
	bool talk, own;
	int ret;

	kt_check_ret(name_release(c, name), -EADDRINUSE, "release of %s",
		     name);
	ret = send_name(c, name, 1);
	talk = !ret;
	kt_check(talk || ret == -EPERM, "%s: MSG_SEND to %s: %s",
		 who[i].what, name, kt_err(ret));
	ret = name_acquire(c, name, 0);
	own = ret == -EEXIST;
	kt_check(own || ret == -EPERM, "%s: NAME_ACQUIRE of %s: %s",
		 who[i].what, name, kt_err(ret));
	kt_check(conn_drain(&w.target) == talk, "messages");
	kt_check(own <= talk, "%s, %s: own without talk", who[i].what, name);
	return talk + own;
}

struct row {
	const char *policy, *name;
	int level[N];
};

#define ALL(l)	{ l, l, l, l, l, l, l }

/* -1 none, 0 see, 1 talk, 2 own */
static const struct row subjects[] = {
	{ "foo.bar " UA ":o", "foo.bar", { 2, -1, 2, -1, -1, -1, -1 } },
	{ "foo.bar " UA ":t", "foo.bar", { 1, -1, 1, -1, -1, -1, -1 } },
	{ "foo.bar " UA ":s", "foo.bar", { 0, -1, 0, -1, -1, -1, -1 } },
	{ "foo.bar " UB ":o", "foo.bar", { -1, 2, -1, 2, 2, 2, -1 } },
	{ "foo.bar u0:o", "foo.bar", { -1, -1, -1, -1, -1, -1, 2 } },
	{ "foo.bar u20203:o", "foo.bar", ALL(-1) },
	/* groups: real and supplementary, not the effective one */
	{ "foo.bar " TGA ":o", "foo.bar", { 2, -1, -1, -1, 2, 2, -1 } },
	{ "foo.bar " TGA ":t", "foo.bar", { 1, -1, -1, -1, 1, 1, -1 } },
	{ "foo.bar " TGA ":s", "foo.bar", { 0, -1, -1, -1, 0, 0, -1 } },
	{ "foo.bar " TGB ":o", "foo.bar", { -1, 2, 2, 2, 2, -1, -1 } },
	{ "foo.bar g8:o", "foo.bar", { -1, -1, -1, -1, -1, 2, -1 } },
	{ "foo.bar g7:o", "foo.bar", { -1, -1, -1, -1, -1, 2, -1 } },
	{ "foo.bar g0:o", "foo.bar", { -1, -1, -1, -1, -1, -1, 2 } },
	/* a uid is no gid */
	{ "foo.bar g20201:o u20301:o", "foo.bar", ALL(-1) },
	{ "foo.bar w:o", "foo.bar", ALL(2) },
	{ "foo.bar w:t", "foo.bar", ALL(1) },
	{ "foo.bar w:s", "foo.bar", ALL(0) },
	/* the id of the world does not matter */
	{ "foo.bar w12345:t", "foo.bar", ALL(1) },
	/* the best of several grants, in any order */
	{ "foo.bar w:s " UA ":o", "foo.bar", { 2, 0, 2, 0, 0, 0, 0 } },
	{ "foo.bar " UA ":o w:s", "foo.bar", { 2, 0, 2, 0, 0, 0, 0 } },
	{ "foo.bar " UA ":s " UA ":o", "foo.bar",
	  { 2, -1, 2, -1, -1, -1, -1 } },
	{ "foo.bar " UA ":o " UA ":s", "foo.bar",
	  { 2, -1, 2, -1, -1, -1, -1 } },
	{ "foo.bar " UB ":t " TGA ":o", "foo.bar",
	  { 2, 1, -1, 1, 2, 2, -1 } },
	{ "foo.bar w:t w:t w:s", "foo.bar", ALL(1) },
	/* a name without grants */
	{ "foo.bar", "foo.bar", ALL(-1) },
	{ NO_POLICY, "foo.bar", ALL(-1) },
};

static const struct row entries[] = {
	{ "foo.bar.* w:o", "foo.bar.x", ALL(2) },
	{ "foo.bar.* w:s", "foo.bar.x", ALL(0) },
	{ "foo.bar.* w:o", "foo.bar.y-y", ALL(2) },
	{ "foo.bar.* w:o", "foo.bar", ALL(-1) },
	{ "foo.bar.* w:o", "foo.bar.x.y", ALL(-1) },
	{ "foo.bar.* w:o", "foo.barx", ALL(-1) },
	{ "foo.bar.* w:o", "foo.barx.x", ALL(-1) },
	{ "foo.bar.* w:o", "fo.bar.x", ALL(-1) },
	{ "foo.bar.* w:o", "bar.x", ALL(-1) },
	{ "foo.* w:o", "foo.bar", ALL(2) },
	{ "foo.* w:o", "foo.bar.x", ALL(-1) },
	{ "foo.* w:o foo.bar.* w:t", "foo.bar.x", ALL(1) },
	{ "foo.* w:t foo.bar.* w:o", "foo.bar", ALL(1) },
	{ "foo.bar w:o", "foo.bar.x", ALL(-1) },
	{ "foo.bar w:o", "foo.baR", ALL(-1) },
	/* side by side */
	{ "foo.bar w:t foo.bar.* w:o", "foo.bar", ALL(1) },
	{ "foo.bar w:t foo.bar.* w:o", "foo.bar.x", ALL(2) },
	{ "foo.bar.* w:o foo.bar w:t", "foo.bar", ALL(1) },
	{ "foo.bar foo.bar.* w:o", "foo.bar.x", ALL(2) },
	{ "foo.bar w:o foo.bar.*", "foo.bar.x", ALL(-1) },
	/* the exact entry decides alone */
	{ "foo.bar.x w:t foo.bar.* w:o", "foo.bar.x", ALL(1) },
	{ "foo.bar.* w:o foo.bar.x w:t", "foo.bar.x", ALL(1) },
	{ "foo.bar.x w:o foo.bar.* w:t", "foo.bar.x", ALL(2) },
	{ "foo.bar.x foo.bar.* w:o", "foo.bar.x", ALL(-1) },
	{ "foo.bar.* w:o foo.bar.x", "foo.bar.x", ALL(-1) },
	{ "foo.bar.x foo.bar.* w:o", "foo.bar.y", ALL(2) },
	{ "foo.bar.x " UA ":o foo.bar.* w:o", "foo.bar.x",
	  { 2, -1, 2, -1, -1, -1, -1 } },
	{ "foo.bar.x " UA ":s foo.bar.* " UB ":o", "foo.bar.x",
	  { 0, -1, 0, -1, -1, -1, -1 } },
	/* grants belong to the name before them */
	{ "a.b w:o foo.bar " UA ":t", "foo.bar",
	  { 1, -1, 1, -1, -1, -1, -1 } },
	{ "foo.bar " UA ":t a.b w:o", "foo.bar",
	  { 1, -1, 1, -1, -1, -1, -1 } },
	{ "a.b foo.bar c.d w:o", "foo.bar", ALL(-1) },
};

static void check_level(const struct row *row, int i, int level)
{
	kt_check(level == row->level[i], "%s, \"%s\", %s: level %d, not %d",
		 row->name, row->policy, who[i].what, level, row->level[i]);
}

static void check_on_ep(const struct row *rows, size_t n)
{
	size_t r;
	int i;

	prepare(true);
	for (r = 0; r < n; r++) {
		ep_set(&w.ep, "%s", rows[r].policy);
		kt_assert_ret(name_acquire(&w.target, rows[r].name, 0), 0,
			      "%s", rows[r].name);
		for (i = 0; i < N; i++)
			check_level(&rows[r], i,
				    level_on_ep(i, rows[r].name));
		name_release(&w.target, rows[r].name);
	}
}

static void check_on_bus(const struct row *rows, size_t n)
{
	struct conn h[4];
	unsigned int used;
	size_t r;
	int i;

	prepare(false);
	for (r = 0; r < n; r++) {
		used = holders_open(h, 4, &w.bus, rows[r].policy);
		kt_assert_ret(name_acquire(&w.target, rows[r].name, 0), 0,
			      "%s", rows[r].name);
		for (i = 0; i < N; i++) {
			int level = level_on_bus(i, rows[r].name);

			if (!level && rows[r].level[i] == NONE)
				level = NONE;
			/* whoever has the uid may talk anyway */
			if (i == IS_ROOT && level == 1 &&
			    rows[r].level[i] < 1)
				level = rows[r].level[i];
			check_level(&rows[r], i, level);
		}
		name_release(&w.target, rows[r].name);
		while (used)
			conn_close(&h[--used]);
	}
}

START_TEST(subjects_on_endpoint)
{
	check_on_ep(subjects, ARRAY_SIZE(subjects));
}
END_TEST

START_TEST(subjects_on_bus)
{
	check_on_bus(subjects, ARRAY_SIZE(subjects));
}
END_TEST

START_TEST(entries_on_endpoint)
{
	check_on_ep(entries, ARRAY_SIZE(entries));
}
END_TEST

START_TEST(entries_on_bus)
{
	check_on_bus(entries, ARRAY_SIZE(entries));
}
END_TEST

/* who calls later, and as whom it lives on, does not matter */
START_TEST(credentials_of_hello)
{
	struct conn h, a, b;

	bus_of(&w.bus, OWNER);
	holder_open(&h, &w.bus, "foo.bar " UA ":o");
	user_open(&a, &w.bus, A);
	kt_become(B);
	kt_check_ret(name_acquire(&a, "foo.bar", 0), 0, "A's, used by B");
	kt_check_ret(name_release(&a, "foo.bar"), 0, "release");
	conn_open(&b, &w.bus, 64 * KIB);
	kt_become(A);
	kt_check_ret(name_acquire(&b, "foo.bar", 0), -EPERM, "B's, used by A");
	kt_become(0);
	kt_check_ret(name_acquire(&b, "foo.bar", 0), -EPERM,
		     "B's, used by root");
	kt_check_ret(name_acquire(&a, "foo.bar", 0), 0, "A's, used by root");
}
END_TEST

/* opened by one, HELLO by another */
START_TEST(credentials_not_of_open)
{
	struct conn h, c = { 0 };

	bus_of(&w.bus, OWNER);
	holder_open(&h, &w.bus, "foo.bar " UA ":o");
	kt_become(A);
	c.fd = open_endpoint(&w.bus);
	kt_become(B);
	kt_assert_ret(hello(c.fd, 0, 4096), 0, "HELLO");
	kt_become(0);
	kt_check_ret(name_acquire(&c, "foo.bar", 0), -EPERM, "opened by A");
	close(c.fd);
	kt_become(B);
	c.fd = open_endpoint(&w.bus);
	kt_become(A);
	kt_assert_ret(hello(c.fd, 0, 4096), 0, "HELLO");
	kt_become(0);
	kt_check_ret(name_acquire(&c, "foo.bar", 0), 0, "HELLO by A");
}
END_TEST

/* items of other types do not end a group */
START_TEST(other_items)
{
	struct blob b;

	prepare(true);
	policy_update_init(&b, NO_POLICY);
	blob_add(&b, KT_ITEM_IGNORED, NULL, 5);
	policy_text(&b, "foo.bar");
	blob_add(&b, KT_ITEM_IGNORED, NULL, 30);
	policy_text(&b, UA ":o");
	blob_add_str(&b, KDBUS_ITEM_DST_NAME, "other.name");
	policy_text(&b, UB ":s");
	kt_assert_ret(kt_cmd(w.ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), 0,
		      "update");
	kt_assert_ret(name_acquire(&w.target, "foo.bar", 0), 0, "acquire");
	kt_check(level_on_ep(IS_A, "foo.bar") == OWN, "user A");
	kt_check(level_on_ep(IS_B, "foo.bar") == SEE, "user B");
	kt_check(level_on_ep(IS_ROOT, "foo.bar") == NONE, "root");
}
END_TEST

KT_SUITE("policy-db")
{
	kt_test(subjects_on_endpoint);
	kt_test(subjects_on_bus);
	kt_test(entries_on_endpoint);
	kt_test(entries_on_bus);
	kt_test(credentials_of_hello);
	kt_test(credentials_not_of_open);
	kt_test(other_items);
}
