// SPDX-License-Identifier: GPL-2.0-only
/* CONN_INFO: what is refused */

#include <string.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(256 * KIB)
#define NAME	"foo.bar"
#define MAX	312

static struct bus bus;
static struct conn a, b;	/* a asks about b */
static struct facts *facts;

static void prepare(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, NULL);
	meta_open(&b, &bus, 0, "asked");
	facts = facts_new();
	facts_now(facts);
}

static int info(struct conn *c, struct blob *b)
{
	return info_cmd(c, KDBUS_CMD_CONN_INFO, b, NULL);
}

static int by_name(struct conn *c, const char *name)
{
	return conn_info(c, 0, name, 0, NULL);
}

static int by_id(struct conn *c, u64 id)
{
	return conn_info(c, id, NULL, 0, NULL);
}

/* ------------------------------------------------------------------------ */
/* Errors */

START_TEST(pointer)
{
	struct kdbus_cmd_info *cmd;
	struct blob c;

	prepare();
	info_init(&c, b.id, NULL, 0);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, NULL), -EFAULT, "NULL");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, kt_unmapped()), -EFAULT,
		     "unmapped");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, kt_noread(64)), -EFAULT,
		     "unreadable");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, c.raw + 4), -EFAULT,
		     "unaligned");
	/* nothing behind the structure is needed */
	cmd = kt_guard_copy(&c, sizeof(*cmd));
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, cmd), 0, "at an end");
	/* kernel_flags, at 16, and the offset, at 32, are written */
	cmd = kt_half_ro(&c, sizeof(*cmd), 16);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, cmd), -EFAULT,
		     "read-only from kernel_flags on");
	conn_open(&a, &bus, POOL);
	cmd = kt_half_ro(&c, sizeof(*cmd), 32);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_CONN_INFO, cmd), -EFAULT,
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
		{ 0, EINVAL }, { 8, EINVAL }, { 39, EINVAL }, { 40, 0 },
		{ 41, EINVAL }, { 56, EINVAL }, { 57, 0 }, { 64, 0 },
		{ MAX - 1, 0 }, { MAX, 0 }, { MAX + 1, EMSGSIZE },
		{ 32768, EMSGSIZE }, { 1ULL << 32 | 40, EMSGSIZE },
		{ ~0ULL, EMSGSIZE },
	};
	struct kdbus_cmd_info *cmd;
	struct blob c;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		info_init(&c, b.id, NULL, 0);
		cmd = (void *)&c;
		cmd->size = rows[i].size;
		cmd->items[0].type = KT_ITEM_IGNORED;
		cmd->items[0].size = rows[i].size - 40;
		kt_check_ret(info(&a, &c), -rows[i].err, "size %llu",
			     rows[i].size);
	}
}
END_TEST

START_TEST(flags)
{
	struct kdbus_cmd_info *cmd;
	struct blob c, was;
	int bit;

	prepare();
	for (bit = -1; bit < 64; bit++) {
		info_init(&c, b.id, NULL, bit < 0 ? ALL : 1ULL << bit);
		cmd = (void *)&c;
		cmd->kernel_flags = 0x1234;
		was = c;
		kt_check_ret(info(&a, &c), bit < 13 ? 0 : -EINVAL, "bit %d",
			     bit);
		kt_check(cmd->kernel_flags == (ALL | KDBUS_FLAG_KERNEL),
			 "bit %d: kernel_flags %#llx", bit, cmd->kernel_flags);
		if (bit < 13)
			((struct kdbus_cmd_info *)&was)->offset = cmd->offset;
		((struct kdbus_cmd_info *)&was)->kernel_flags =
			cmd->kernel_flags;
		kt_check(!memcmp(&c, &was, 40),
			 "bit %d: something else was written", bit);
	}
	/* flags come before what the items say */
	info_init(&c, 0, NULL, 1ULL << 13);
	kt_check_ret(info(&a, &c), -EINVAL, "no item");
	kt_check(((struct kdbus_cmd_info *)&c)->kernel_flags ==
		 (ALL | KDBUS_FLAG_KERNEL), "kernel_flags");
}
END_TEST

START_TEST(items)
{
	struct kdbus_cmd_info *cmd;
	struct blob c;
	u64 id;

	prepare();
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "acquire");
	for (id = 0; id <= b.id; id += b.id) {
		/* malformed ones matter with an id as well */
		info_init(&c, id, NULL, 0);
		cmd = (void *)&c;
		blob_add(&c, KDBUS_ITEM_NAME, NAME, strlen(NAME));
		kt_check_ret(info(&a, &c), -EINVAL, "no NUL, id %llu", id);
		info_init(&c, id, NULL, 0);
		blob_add(&c, KDBUS_ITEM_NAME, NAME "\0x", strlen(NAME) + 3);
		kt_check_ret(info(&a, &c), -EINVAL, "two NUL, id %llu", id);
		info_init(&c, id, NAME, 0);
		blob_add(&c, KDBUS_ITEM_CREDS, NULL, 39);
		kt_check_ret(info(&a, &c), -EINVAL, "short CREDS, id %llu", id);
		info_init(&c, id, NAME, 0);
		blob_add_str(&c, KDBUS_ITEM_CONN_NAME, "no good!");
		kt_check_ret(info(&a, &c), -EINVAL, "CONN_NAME, id %llu", id);
		info_init(&c, id, NAME, 0);
		cmd->items[0].size = HDR;
		kt_check_ret(info(&a, &c), -EINVAL, "empty item, id %llu", id);
		/* the number of names matters without one only */
		info_init(&c, id, NULL, 0);
		kt_check_ret(info(&a, &c), id ? 0 : -EINVAL, "none, %llu", id);
		info_init(&c, id, NAME, 0);
		blob_add_str(&c, KDBUS_ITEM_NAME, NAME);
		kt_check_ret(info(&a, &c), id ? 0 : -EINVAL, "two, %llu", id);
		info_init(&c, id, "no name", 0);
		kt_check_ret(info(&a, &c), id ? 0 : -EINVAL, "bad, %llu", id);
		info_init(&c, id, "not.there", 0);
		kt_check_ret(info(&a, &c), id ? 0 : -ESRCH, "free, %llu", id);
		info_init(&c, id, NAME, 0);
		blob_add(&c, KT_ITEM_IGNORED, NULL, 3);
		kt_check_ret(info(&a, &c), 0, "unknown item, id %llu", id);
	}
}
END_TEST

START_TEST(name_errors)
{
	static const char *const bad[] = {
		"", "a", "a.*", "*", "a..b", ".a.b", "a.b.", "a.1", ":1.1",
		"a.b c", "a.\xe4",
	};
	char name[258];
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		kt_check_ret(by_name(&a, bad[i]), -EINVAL, "\"%s\"", bad[i]);
	kt_check_ret(by_name(&a, NAME), -ESRCH, "free");
	for (i = 238; i <= 256; i++) {
		memset(name, 'n', i);
		name[1] = '.';
		name[i] = '\0';
		if (i < 256) {
			kt_check_ret(by_name(&a, name), -ESRCH, "%zu", i);
			kt_assert_ret(name_acquire(&b, name, 0), 0, "acquire");
		}
		kt_check_ret(by_name(&a, name), i < 256 ? 0 : -EMSGSIZE,
			     "length %zu", i);
	}
}
END_TEST

START_TEST(unknown_ids)
{
	struct conn c;

	prepare();
	kt_check_ret(by_id(&a, b.id + 1), -ENXIO, "next id");
	kt_check_ret(by_id(&a, ~0ULL), -ENXIO, "~0");
	kt_check_ret(by_id(&a, 1ULL << 32 | b.id), -ENXIO, "beyond 32 bits");
	meta_open(&c, &bus, 0, NULL);
	kt_check_ret(by_id(&a, c.id), 0, "alive");
	kt_assert_ret(conn_byebye(&c), 0, "BYEBYE");
	kt_check_ret(by_id(&a, c.id), -ENXIO, "after BYEBYE");
	kt_check_ret(by_id(&c, a.id), -ECONNRESET, "asking after BYEBYE");
	conn_close(&c);
	kt_check_ret(by_id(&a, c.id), -ENXIO, "closed");
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_CONN_INFO, NULL),
		     -ENOTTY, "before HELLO");
	bus_close(&bus);
	kt_check_ret(by_id(&a, b.id), -ECONNRESET, "dead bus");
}
END_TEST

/* not all of the pool is taken: then there is no half rule */
START_TEST(pool_full)
{
	const struct kdbus_info *i;
	unsigned int n;
	u64 used;
	struct conn c;
	int ret;

	prepare();
	conn_open(&c, &bus, KT_PAGE);
	kt_assert_ret(conn_info(&c, b.id, NULL, 0, &i), 0, "first");
	used = pool_used(&c);
	kt_check(used == ALIGN8(i->size), "%llu bytes for %llu", used, i->size);
	for (n = 1; !(ret = by_id(&c, b.id)); n++)
		;
	kt_check_ret(ret, -ENOBUFS, "full");
	kt_check(n == KT_PAGE / used, "%u fit, not %llu", n, KT_PAGE / used);
	kt_check_ret(info_free(&c, i), 0, "FREE");
	kt_check_ret(info_free(&c, i), -ENXIO, "FREE again");
	kt_check_ret(by_id(&c, b.id), 0, "after FREE");
	kt_check_ret(by_id(&c, b.id), -ENOBUFS, "full again");
	/* errors of the lookup come first */
	kt_check_ret(by_id(&c, 9999), -ENXIO, "no such id");
	kt_check_ret(by_name(&c, NAME), -ESRCH, "no such name");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Custom endpoints show what their policy shows */

START_TEST(custom_endpoint)
{
	struct bus ep;
	struct conn c, own;
	struct meta m;

	prepare();
	kt_assert_ret(endpoint_make(&ep, &bus, NAME, KDBUS_POLICY_SEE), 0,
		      "ENDPOINT_MAKE");
	meta_open(&c, &ep, 0, NULL);
	kt_assert_ret(name_acquire(&a, "hidden.name", 0), 0, "acquire");
	kt_check_ret(by_name(&c, "hidden.name"), -ENOENT, "hidden");
	kt_check_ret(by_name(&c, "not.there"), -ENOENT, "hidden and free");
	kt_check_ret(by_name(&c, NAME), -ESRCH, "visible and free");
	kt_check_ret(by_name(&c, "bad"), -EINVAL, "bad");
	kt_check_ret(by_id(&c, 9999), -ENXIO, "no id");
	kt_check_ret(by_id(&c, b.id), -ENOENT, "without name");
	kt_check_ret(by_id(&c, a.id), -ENOENT, "with a hidden name");
	kt_check_ret(by_id(&c, c.id), -ENOENT, "itself");
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "acquire");
	kt_check_ret(by_name(&c, NAME), 0, "visible");
	conn_info_meta(&c, b.id, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "visible, by id");
	kt_check_ret(by_id(&a, c.id), 0, "from outside");
	/* an endpoint without policy shows nothing */
	kt_assert_ret(endpoint_make(&ep, &bus, NULL, 0), 0, "ENDPOINT_MAKE");
	meta_open(&own, &ep, 0, NULL);
	kt_check_ret(by_name(&own, NAME), -ENOENT, "by name");
	kt_check_ret(by_id(&own, b.id), -ENOENT, "by id");
}
END_TEST

KT_SUITE("conn-info")
{
	kt_test(pointer);
	kt_test(size);
	kt_test(flags);
	kt_test(items);
	kt_test(name_errors);
	kt_test(unknown_ids);
	kt_test(pool_full);
	kt_test(custom_endpoint);
}
