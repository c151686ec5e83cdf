// SPDX-License-Identifier: GPL-2.0-only
/* CONN_UPDATE */

#include <string.h>
#include <unistd.h>

#include "meta-util.h"

#define NAME	"foo.bar"
#define OTHER	"foo.baz"
#define USER	20241
#define MAX	32768
#define MASK	KDBUS_EXT_ATTACH

static struct bus bus;
static struct conn a, b, hold, act, mon;

static void prepare(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, "sender");
	meta_open(&b, &bus, 0, NULL);
	meta_special(&hold, &bus, HOLDER, 0, NAME);
	meta_special(&act, &bus, ACT, 0, "act.ivator");
	meta_special(&mon, &bus, MON, 0, NULL);
}

static void add_access(struct blob *c, u64 type, u64 access, u64 id)
{
	struct kdbus_policy_access p = {
		.type = type, .access = access, .id = id,
	};

	blob_add(c, KDBUS_ITEM_POLICY_ACCESS, &p, sizeof(p));
}

/* m: mask, n: NAME, N: another, p: access, x: of no use, i: ignored, l: long */
static void add_items(struct blob *c, const char *items)
{
	for (; *items; items++) {
		if (*items == 'm')
			update_add_mask(c, CREDS);
		else if (*items == 'n')
			blob_add_str(c, KDBUS_ITEM_NAME, NAME);
		else if (*items == 'N')
			blob_add_str(c, KDBUS_ITEM_NAME, OTHER);
		else if (*items == 'w')
			blob_add_str(c, KDBUS_ITEM_NAME, "foo.*");
		else if (*items == 'b')
			blob_add_str(c, KDBUS_ITEM_NAME, "no name");
		else if (*items == 't')
			blob_add_str(c, KDBUS_ITEM_NAME, "taken.name");
		else if (*items == 'p')
			add_access(c, KDBUS_POLICY_ACCESS_WORLD,
				   KDBUS_POLICY_OWN, 0);
		else if (*items == '0')
			add_access(c, 0, KDBUS_POLICY_OWN, 0);
		else if (*items == '4')
			add_access(c, 4, KDBUS_POLICY_OWN, 0);
		else if (*items == '3')
			add_access(c, KDBUS_POLICY_ACCESS_WORLD, 3, 0);
		else if (*items == 'u')
			add_access(c, KDBUS_POLICY_ACCESS_USER,
				   KDBUS_POLICY_OWN, ~0ULL);
		else
			blob_add(c, KT_ITEM_IGNORED, NULL, 5);
	}
}

START_TEST(who_may_what)
{
	static const struct {
		const char *items;
		int ordinary, holder;
	} rows[] = {
		{ "", 0, 0 },
		{ "i", 0, 0 },
		{ "m", 0, EOPNOTSUPP },
		{ "mmm", 0, EOPNOTSUPP },
		{ "im", 0, EOPNOTSUPP },
		{ "n", EOPNOTSUPP, 0 },
		{ "p", EOPNOTSUPP, EINVAL },
		{ "np", EOPNOTSUPP, 0 },
		{ "nppp", EOPNOTSUPP, 0 },
		{ "nipi", EOPNOTSUPP, 0 },
		{ "wp", EOPNOTSUPP, 0 },
		{ "N", EOPNOTSUPP, 0 },
		{ "mn", EOPNOTSUPP, EOPNOTSUPP },
		{ "nm", EOPNOTSUPP, EOPNOTSUPP },
		{ "npm", EOPNOTSUPP, EOPNOTSUPP },
		{ "pm", EOPNOTSUPP, EOPNOTSUPP },
		{ "nn", EOPNOTSUPP, E2BIG },
		{ "nN", EOPNOTSUPP, E2BIG },
		{ "npNp", EOPNOTSUPP, E2BIG },
		{ "pn", EOPNOTSUPP, EINVAL },
		{ "b", EOPNOTSUPP, EINVAL },
		{ "bp", EOPNOTSUPP, EINVAL },
		{ "n0", EOPNOTSUPP, EINVAL },
		{ "n4", EOPNOTSUPP, EINVAL },
		{ "n3", EOPNOTSUPP, EINVAL },
		{ "nu", EOPNOTSUPP, EINVAL },
		{ "t", EOPNOTSUPP, EEXIST },
		{ "tp", EOPNOTSUPP, EEXIST },
	};
	struct conn taken;
	struct blob c;
	size_t i;

	prepare();
	meta_special(&taken, &bus, HOLDER, 0, "taken.name");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		update_init(&c, 0);
		add_items(&c, rows[i].items);
		kt_check_ret(update(&a, &c), -rows[i].ordinary,
			     "ordinary, \"%s\"", rows[i].items);
		kt_check_ret(update(&mon, &c), -rows[i].ordinary,
			     "monitor, \"%s\"", rows[i].items);
		kt_check_ret(update(&hold, &c), -rows[i].holder,
			     "policy holder, \"%s\"", rows[i].items);
		kt_check_ret(update(&act, &c), -EOPNOTSUPP,
			     "activator, \"%s\"", rows[i].items);
	}
}
END_TEST

START_TEST(arguments)
{
	struct blob c;

	prepare();
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_CONN_UPDATE, NULL), -EOPNOTSUPP,
		     "activator, NULL");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_UPDATE, NULL), -EFAULT,
		     "NULL");
	kt_check_ret(kt_cmd(hold.fd, KDBUS_CMD_CONN_UPDATE, kt_unmapped()),
		     -EFAULT, "unmapped");
	update_init(&c, 0);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_UPDATE, c.raw + 4), -EFAULT,
		     "unaligned");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_UPDATE,
			    kt_guard_copy(&c, 24)), 0, "at an end");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_UPDATE,
			    kt_half_ro(&c, 24, 16)), -EFAULT,
		     "read-only kernel_flags");
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_CONN_UPDATE, NULL),
		     -ENOTTY, "before HELLO");
	kt_assert_ret(conn_byebye(&a), 0, "BYEBYE");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_UPDATE, NULL), -ECONNRESET,
		     "after BYEBYE");
	bus_close(&bus);
	kt_check_ret(update(&b, &c), -ECONNRESET, "dead bus");
	kt_check_ret(update(&act, &c), -ECONNRESET, "dead bus, activator");
}
END_TEST

START_TEST(size)
{
	static const struct {
		u64 size;
		int err;
	} rows[] = {
		{ 0, EINVAL }, { 23, EINVAL }, { 24, 0 }, { 25, EINVAL },
		{ 40, EINVAL }, { 41, 0 }, { MAX - 1, 0 }, { MAX, 0 },
		{ MAX + 1, EMSGSIZE }, { 1ULL << 32 | 24, EMSGSIZE },
		{ ~0ULL, EMSGSIZE },
	};
	struct kdbus_cmd_update *cmd;
	struct blob c;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		update_init(&c, 0);
		cmd = (void *)&c;
		cmd->size = rows[i].size;
		cmd->items[0].type = KT_ITEM_IGNORED;
		cmd->items[0].size = rows[i].size - 24;
		kt_check_ret(update(&a, &c), -rows[i].err, "size %llu",
			     rows[i].size);
		kt_check_ret(update(&hold, &c), -rows[i].err,
			     "policy holder, size %llu", rows[i].size);
	}
}
END_TEST

START_TEST(flags)
{
	struct kdbus_cmd_update *cmd;
	struct blob c;
	int bit;

	prepare();
	for (bit = -1; bit < 64; bit++) {
		u64 f = bit < 0 ? 0 : 1ULL << bit;
		bool ok = !(f & ~(u64)MASK);

		update_init(&c, f);
		update_add_mask(&c, CREDS);
		cmd = (void *)&c;
		cmd->kernel_flags = 0x1234;
		kt_check_ret(update(&a, &c), ok ? 0 : -EINVAL, "bit %d", bit);
		kt_check(cmd->kernel_flags == (MASK | KDBUS_FLAG_KERNEL),
			 "bit %d: kernel_flags %#llx", bit, cmd->kernel_flags);
		kt_check(cmd->flags == f, "bit %d: flags %#llx", bit,
			 cmd->flags);
		update_init(&c, f);
		kt_check_ret(update(&hold, &c), ok ? 0 : -EINVAL,
			     "policy holder, bit %d", bit);
	}
}
END_TEST

START_TEST(malformed_items)
{
	static const struct {
		u64 type;
		size_t len;
	} rows[] = {
		{ KDBUS_ITEM_ATTACH_FLAGS, 1 }, { KDBUS_ITEM_ATTACH_FLAGS, 4 },
		{ KDBUS_ITEM_ATTACH_FLAGS, 7 }, { KDBUS_ITEM_ATTACH_FLAGS, 9 },
		{ KDBUS_ITEM_ATTACH_FLAGS, 16 },
		{ KDBUS_ITEM_POLICY_ACCESS, 23 },
		{ KDBUS_ITEM_POLICY_ACCESS, 25 },
		{ KDBUS_ITEM_POLICY_ACCESS, 32 },
		{ KDBUS_ITEM_NAME, 2 }, { KT_ITEM_IGNORED, 0 },
		{ KDBUS_ITEM_ATTACH_FLAGS, 0 }, { KDBUS_ITEM_TIMESTAMP, 23 },
	};
	struct blob c;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		update_init(&c, 0);
		blob_add(&c, rows[i].type, NULL, rows[i].len);
		kt_check_ret(update(&b, &c), -EINVAL, "row %zu", i);
		kt_check_ret(update(&hold, &c), -EINVAL, "holder, row %zu", i);
		/* form comes before what may be there */
		update_init(&c, 0);
		update_add_mask(&c, CREDS);
		blob_add_str(&c, KDBUS_ITEM_NAME, NAME);
		blob_add(&c, rows[i].type, NULL, rows[i].len);
		kt_check_ret(update(&b, &c), -EINVAL, "last, row %zu", i);
		kt_check_ret(update(&hold, &c), -EINVAL,
			     "holder, last, row %zu", i);
	}
	send_ok(&a, &b, 1);
	meta_recv_bits(&b, 1, 0);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Effect of masks */

START_TEST(last_mask_counts)
{
	struct blob c;

	prepare();
	update_init(&c, 0);
	update_add_mask(&c, CREDS);
	update_add_mask(&c, ~0ULL);
	blob_add(&c, KT_ITEM_IGNORED, NULL, 8);
	update_add_mask(&c, CONN_NAME | STAMP | 1ULL << 40);
	kt_check_ret(update(&b, &c), 0, "update");
	send_ok(&a, &b, 1);
	meta_recv_bits(&b, 1, CONN_NAME | STAMP);
	update_init(&c, 0);
	kt_check_ret(update(&b, &c), 0, "update without items");
	send_ok(&a, &b, 2);
	meta_recv_bits(&b, 2, CONN_NAME | STAMP);
	update_mask(&b, 0);
	send_ok(&a, &b, 3);
	meta_recv_bits(&b, 3, 0);
}
END_TEST

/* an update that fails changes nothing */
START_TEST(failed_mask)
{
	struct blob c;

	prepare();
	update_mask(&b, STAMP);
	update_init(&c, 0);
	add_items(&c, "mn");
	kt_check_ret(update(&b, &c), -EOPNOTSUPP, "with a name");
	update_init(&c, 1);
	add_items(&c, "m");
	kt_check_ret(update(&b, &c), -EINVAL, "with a flag");
	send_ok(&a, &b, 1);
	meta_recv_bits(&b, 1, STAMP);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Effect of policies */

static int may_own(const char *name)
{
	struct conn u;
	int ret;

	kt_become(USER);
	meta_open(&u, &bus, 0, NULL);
	ret = name_acquire(&u, name, 0);
	conn_close(&u);
	kt_become(0);
	return ret;
}

static int set_policy(const char *items)
{
	struct blob c;

	update_init(&c, 0);
	add_items(&c, items);
	return update(&hold, &c);
}

START_TEST(policy)
{
	prepare();
	kt_check_ret(may_own(NAME), -EPERM, "nothing granted");
	kt_check_ret(set_policy("np"), 0, "grant");
	kt_check_ret(may_own(NAME), 0, "granted");
	/* failure keeps it, and so does an update about nothing */
	kt_check_ret(set_policy("n0"), -EINVAL, "bad grant");
	kt_check_ret(set_policy("nN"), -E2BIG, "two names");
	kt_check_ret(set_policy("b"), -EINVAL, "bad name");
	kt_check_ret(set_policy(""), 0, "nothing");
	kt_check_ret(set_policy("i"), 0, "something else");
	kt_check_ret(may_own(NAME), 0, "still granted");
	/* another name replaces the first */
	kt_check_ret(set_policy("Np"), 0, "other name");
	kt_check_ret(may_own(OTHER), 0, "granted");
	kt_check_ret(may_own(NAME), -EPERM, "no more");
	kt_check_ret(set_policy("wp"), 0, "wildcard");
	kt_check_ret(may_own(OTHER), 0, "foo.*");
	kt_check_ret(may_own("foo.a.b"), -EPERM, "two elements");
	kt_check_ret(set_policy("n"), 0, "no grant");
	kt_check_ret(may_own(NAME), -EPERM, "no more");
	kt_check_ret(set_policy("np"), 0, "grant");
	conn_close(&hold);
	kt_check_ret(may_own(NAME), -EPERM, "holder gone");
}
END_TEST

/* the descriptor is the permission */
START_TEST(unprivileged_update)
{
	int ret;

	prepare();
	kt_become(USER);
	ret = set_policy("np");
	kt_become(0);
	kt_check_ret(ret, 0, "update by another user");
	kt_check_ret(may_own(NAME), 0, "granted");
}
END_TEST

KT_SUITE("conn-update")
{
	kt_test(who_may_what);
	kt_test(arguments);
	kt_test(size);
	kt_test(flags);
	kt_test(malformed_items);
	kt_test(last_mask_counts);
	kt_test(failed_mask);
	kt_test(policy);
	kt_test(unprivileged_update);
}
