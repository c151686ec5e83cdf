// SPDX-License-Identifier: GPL-2.0-only
/* BUS_CREATOR_INFO */

#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "meta-util.h"

#define NAME	"foo.bar"
#define USER	20231
#define GROUP	20232
#define MAX	312

static struct bus bus;
static struct conn a;		/* asks */
static struct facts *facts;

static void prepare(u64 flags)
{
	facts = facts_new();
	facts_now(facts);
	bus_make(&bus, flags);
	meta_open(&a, &bus, 0, "asker");
}

static int ask(struct conn *c, struct blob *b)
{
	return info_cmd(c, KDBUS_CMD_BUS_CREATOR_INFO, b, NULL);
}

static int ask_plain(struct conn *c)
{
	struct blob b;

	info_init(&b, 0, NULL, 0);
	return ask(c, &b);
}

START_TEST(pointer)
{
	struct kdbus_cmd_info *cmd;
	struct blob c;

	prepare(0);
	info_init(&c, 0, NULL, 0);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_BUS_CREATOR_INFO, NULL), -EFAULT,
		     "NULL");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_BUS_CREATOR_INFO, kt_unmapped()),
		     -EFAULT, "unmapped");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_BUS_CREATOR_INFO, c.raw + 4),
		     -EFAULT, "unaligned");
	cmd = kt_guard_copy(&c, sizeof(*cmd));
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_BUS_CREATOR_INFO, cmd), 0,
		     "at an end");
	meta_open(&a, &bus, 0, NULL);
	cmd = kt_half_ro(&c, sizeof(*cmd), 16);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_BUS_CREATOR_INFO, cmd), -EFAULT,
		     "read-only from kernel_flags on");
	cmd = kt_half_ro(&c, sizeof(*cmd), 32);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_BUS_CREATOR_INFO, cmd), -EFAULT,
		     "read-only offset");
	kt_check(pool_used(&a) == 0, "the result was left in the pool");
}
END_TEST

START_TEST(size)
{
	static const struct {
		u64 size;
		int err;
	} rows[] = {
		{ 0, EINVAL }, { 39, EINVAL }, { 40, 0 }, { 41, EINVAL },
		{ 56, EINVAL }, { 57, 0 }, { MAX - 1, 0 }, { MAX, 0 },
		{ MAX + 1, EMSGSIZE }, { 1ULL << 32 | 40, EMSGSIZE },
		{ ~0ULL, EMSGSIZE },
	};
	struct kdbus_cmd_info *cmd;
	struct blob c;
	size_t i;

	prepare(0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		info_init(&c, 0, NULL, 0);
		cmd = (void *)&c;
		cmd->size = rows[i].size;
		cmd->items[0].type = KT_ITEM_IGNORED;
		cmd->items[0].size = rows[i].size - 40;
		kt_check_ret(ask(&a, &c), -rows[i].err, "size %llu",
			     rows[i].size);
	}
}
END_TEST

START_TEST(flags)
{
	const struct kdbus_info *info;
	struct kdbus_cmd_info *cmd;
	struct blob c;
	struct meta m;
	int bit;

	prepare(0);
	for (bit = -1; bit < 64; bit++) {
		info_init(&c, 77, NULL, bit < 0 ? ALL : 1ULL << bit);
		cmd = (void *)&c;
		cmd->kernel_flags = 0x1234;
		kt_check_ret(info_cmd(&a, KDBUS_CMD_BUS_CREATOR_INFO, &c,
				      &info), bit < 13 ? 0 : -EINVAL,
			     "bit %d", bit);
		kt_check(cmd->kernel_flags == (ALL | KDBUS_FLAG_KERNEL),
			 "bit %d: kernel_flags %#llx", bit, cmd->kernel_flags);
		kt_check(cmd->id == 77, "bit %d: id %llu", bit, cmd->id);
		if (bit >= 13) {
			kt_check(cmd->offset == 12345, "offset was written");
			continue;
		}
		meta_of_info(&m, info);
		facts_expect(facts, &m, RECORD, 0, "whatever the flags");
		kt_check_ret(info_free(&a, info), 0, "FREE");
	}
}
END_TEST

/* they are checked for form and ignored, as is the id */
START_TEST(items_and_id)
{
	struct blob c;

	prepare(0);
	info_init(&c, 0, NAME, 0);
	kt_check_ret(ask(&a, &c), 0, "name that is free");
	info_init(&c, 9999, "no name", 0);
	kt_check_ret(ask(&a, &c), 0, "bad name, id that is free");
	info_init(&c, ~0ULL, NAME, 0);
	blob_add_str(&c, KDBUS_ITEM_NAME, NAME);
	kt_check_ret(ask(&a, &c), 0, "two names");
	info_init(&c, 0, NULL, 0);
	blob_add(&c, KDBUS_ITEM_NAME, "abc", 3);
	kt_check_ret(ask(&a, &c), -EINVAL, "no NUL");
	info_init(&c, 0, NULL, 0);
	blob_add(&c, KDBUS_ITEM_AUDIT, NULL, 15);
	kt_check_ret(ask(&a, &c), -EINVAL, "short AUDIT");
}
END_TEST

START_TEST(bus_flags)
{
	const struct kdbus_info *first = NULL, *info;
	struct bus buses[4];
	struct conn c[4];
	struct meta m;
	u64 f;

	for (f = 0; f < 4; f++) {
		bus_make(&buses[f], f);
		meta_open(&c[f], &buses[f], 0, NULL);
		info = creator_info_meta(&c[f], 0, &m);
		kt_check(info->flags == f, "flags %#llx, not %#llx",
			 info->flags, f);
		first = first ?: info;
		/* ids of a domain rise by one */
		kt_check(info->id && info->id == first->id + f, "id %llu",
			 info->id);
	}
	meta_open(&a, &buses[1], 0, NULL);
	kt_check(creator_info_meta(&a, 0, &m)->id == first->id + 1, "id");
}
END_TEST

START_TEST(order)
{
	static const u64 want[] = {
		CREDS, TID_COMM, PID_COMM, EXE, CMDLINE, CAPS, CGROUP, AUDIT,
		SECLABEL,
	};
	unsigned int n = 0;
	struct meta m;
	size_t i;

	prepare(0);
	creator_info_meta(&a, 0, &m);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		if (!(want[i] & facts_bits(facts)))
			continue;
		kt_assert(n < m.n, "only %u items", m.n);
		kt_check(m.items[n]->type ==
			 meta_types[__builtin_ctzll(want[i])],
			 "item %u: type %#llx", n, m.items[n]->type);
		n++;
	}
	kt_check(n == m.n, "%u items", m.n);
}
END_TEST

static void *make_fn(void *arg)
{
	struct blob b;

	(void)arg;
	prctl(PR_SET_NAME, "a maker");
	kt_assert(!setgroups(1, (gid_t[]) { GROUP }), "setgroups: %m");
	facts_now(facts);
	make_std(&b, KDBUS_MAKE_ACCESS_WORLD, bus.name);
	kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &b), 0, "BUS_MAKE");
	return NULL;
}

static int make_child(void *arg)
{
	kt_become_split(USER, 0);
	kt_join(kt_thread(make_fn, arg));
	return 0;
}

/* not of who opened the control node, and as it was then */
START_TEST(recorded_at_make)
{
	struct conn u;
	struct meta m;

	facts = facts_new();
	bus.fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	kt_run_as(0, 0, make_child, NULL);
	meta_open(&a, &bus, 0, NULL);
	creator_info_meta(&a, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "creator");
	kt_check(meta_creds(&m)->uid == USER, "uid %llu", meta_creds(&m)->uid);
	kt_check(meta_creds(&m)->pid != (u64)getpid(), "pid");
	kt_become(USER + 1);
	meta_open(&u, &bus, 0, NULL);
	creator_info_meta(&u, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "asked by another user");
}
END_TEST

START_TEST(connection_types)
{
	static const u64 flags[] = { 0, ACT, HOLDER, MON };
	struct conn c;
	struct meta m;
	size_t i;
	u64 used;
	int n;

	prepare(0);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		meta_special(&c, &bus, flags[i], 0,
			     flags[i] & (ACT | HOLDER) ? NAME : NULL);
		creator_info_meta(&c, 0, &m);
		facts_expect(facts, &m, RECORD, 0, "creator");
		used = pool_used(&c);
		for (n = 0; n < 50; n++)
			kt_assert_ret(ask_plain(&c), 0, "again");
		if (flags[i] & (ACT | HOLDER))
			kt_check(pool_used(&c) == used, "%llu, then %llu",
				 used, pool_used(&c));
		else
			kt_check(pool_used(&c) == 51 * used, "%llu, then %llu",
				 used, pool_used(&c));
		conn_close(&c);
	}
}
END_TEST

START_TEST(pool_full)
{
	const struct kdbus_info *info;
	struct meta m;
	struct conn c;
	int n = 1, ret;
	u64 used;

	prepare(0);
	conn_open(&c, &bus, KT_PAGE);
	info = creator_info_meta(&c, 0, &m);
	used = pool_used(&c);
	for (; !(ret = ask_plain(&c)); n++)
		;
	kt_check_ret(ret, -ENOBUFS, "full");
	kt_check((u64)n == KT_PAGE / used, "%d of %llu fit", n, used);
	kt_check_ret(info_free(&c, info), 0, "FREE");
	kt_check_ret(info_free(&c, info), -ENXIO, "FREE again");
	kt_check_ret(ask_plain(&c), 0, "after FREE");
	kt_check_ret(ask_plain(&c), -ENOBUFS, "full again");
}
END_TEST

/* what a custom endpoint hides is connections and names */
START_TEST(custom_endpoint)
{
	struct bus ep;
	struct conn c;
	struct meta m;

	prepare(0);
	kt_assert_ret(endpoint_make(&ep, &bus, NULL, 0), 0, "ENDPOINT_MAKE");
	meta_open(&c, &ep, 0, NULL);
	kt_check_ret(conn_info(&c, c.id, NULL, 0, NULL), -ENOENT, "CONN_INFO");
	creator_info_meta(&c, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "creator");
}
END_TEST

START_TEST(not_connected)
{
	prepare(0);
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_BUS_CREATOR_INFO,
			    NULL), -ENOTTY, "before HELLO");
	kt_assert_ret(conn_byebye(&a), 0, "BYEBYE");
	kt_check_ret(ask_plain(&a), -ECONNRESET, "after BYEBYE");
	meta_open(&a, &bus, 0, NULL);
	bus_close(&bus);
	kt_check_ret(ask_plain(&a), -ECONNRESET, "dead bus");
}
END_TEST

KT_SUITE("creator-info")
{
	kt_test(pointer);
	kt_test(size);
	kt_test(flags);
	kt_test(items_and_id);
	kt_test(bus_flags);
	kt_test(order);
	kt_test(recorded_at_make);
	kt_test(connection_types);
	kt_test(pool_full);
	kt_test(custom_endpoint);
	kt_test(not_connected);
}
