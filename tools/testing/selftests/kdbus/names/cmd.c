// SPDX-License-Identifier: GPL-2.0-only
/* NAME_ACQUIRE and NAME_RELEASE: what they take, what they refuse, how many */

#include <stdio.h>
#include <string.h>

#include "pair.h"

#define NAME	"foo.bar"

/* NAME, of @a */
static void own(void)
{
	u64 f = 0;

	kt_check_ret(name_cmd(&a, KDBUS_CMD_NAME_ACQUIRE, NAME, &f), 0,
		     "acquire");
	kt_check(f == 0, "flags %#llx", f);
}

static void release(void)
{
	kt_check_ret(name_release(&a, NAME), 0, "release");
}

static void check_owner(u64 want)
{
	u64 id = name_owner(&b, NAME, NULL);

	kt_check(id == want, "owner is %llu, not %llu", id, want);
}

static const struct {
	const char *name;
	bool valid;
} syntax[] = {
	{ "a.b", true }, { "foo.bla.blaz", true }, { "A.Z", true },
	{ "_.-", true }, { "a1.b2", true }, { "-a.-b", true },
	{ "_1._2", true }, { "-.-", true }, { "a.b.c.d.e.f.g.h", true },
	{ "a-b.c_d", true }, { "a-1.b-2", true },
	{ "" }, { "a" }, { "." }, { ".." }, { ".a.b" }, { "a.b." },
	{ "a..b" }, { "a." }, { ".a" }, { "1.a" }, { "a.1" }, { "a.1b" },
	{ "1a.b" }, { "a.b.2" }, { "a.*" }, { "*" }, { "a.b.*" }, { "*.a" },
	{ "a.b*" }, { "a.b c" }, { "a.b/c" }, { "a.b:c" }, { ":1.1" },
	{ "a.b\n" }, { "a.\xc3\xa4" }, { "a.\xe4" }, { "\xff.a" },
	{ "a.b@" }, { "a.[b" }, { "a.`b" }, { "a.{b" }, { "a,b.c" },
};

START_TEST(name_syntax)
{
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(syntax); i++) {
		const char *name = syntax[i].name;
		int want = syntax[i].valid ? 0 : -EINVAL;

		kt_check_ret(name_acquire(&a, name, 0), want,
			     "acquire \"%s\"", name);
		kt_check_ret(send_name(&b, name, 1), want, "send to \"%s\"",
			     name);
		kt_check_ret(name_release(&a, name), want,
			     "release \"%s\"", name);
		kt_check_ret(name_release(&a, name), want ?: -ESRCH,
			     "release \"%s\" again", name);
	}
}
END_TEST

/* all bytes, in the middle of an element */
START_TEST(name_bytes)
{
	int byte;

	pair_open();
	for (byte = 1; byte < 256; byte++) {
		char name[] = "a.bxb";
		bool ok = (byte >= 'a' && byte <= 'z') ||
			  (byte >= 'A' && byte <= 'Z') ||
			  (byte >= '0' && byte <= '9') ||
			  byte == '_' || byte == '-' || byte == '.';

		name[3] = byte;
		kt_check_ret(name_acquire(&a, name, 0), ok ? 0 : -EINVAL,
			     "byte %#x", byte);
		if (ok)
			name_release(&a, name);
	}
}
END_TEST

static void long_name(char *name, size_t len)
{
	memset(name, 'x', len);
	name[len / 2] = '.';
	name[len] = '\0';
}

START_TEST(name_length)
{
	char name[300];
	int i;

	pair_open();
	for (i = 3; i < 260; i++) {
		long_name(name, i);
		kt_check_ret(name_acquire(&a, name, 0),
			     i > 255 ? -EMSGSIZE : 0, "length %d", i);
		kt_check_ret(name_release(&a, name),
			     i > 255 ? -EMSGSIZE : 0, "length %d", i);
	}
	long_name(name, 255);
	kt_check_ret(name_acquire(&a, name, 0), 0, "255");
	kt_check_ret(send_name(&b, name, 1), 0, "send");
	kt_check(conn_drain(&a) == 1, "message");
	long_name(name, 256);
	kt_check_ret(send_name(&b, name, 1), -EINVAL, "send, too long");
}
END_TEST

static const unsigned long both[] = {
	KDBUS_CMD_NAME_ACQUIRE, KDBUS_CMD_NAME_RELEASE,
};

START_TEST(bad_structure)
{
	struct blob n;
	size_t i;

	pair_open();
	for (i = 0; i < 2; i++) {
		blob_init(&n, 24);
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL, "no item");
		n.size = 23;
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL, "23");
		n.size = 0;
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL, "0");
		n.size = 297;
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EMSGSIZE, "297");
		blob_init(&n, 24);
		blob_add_str(&n, KDBUS_ITEM_NAME, NAME);
		blob_add_str(&n, KDBUS_ITEM_NAME, NAME);
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL, "twice");
		blob_init(&n, 24);
		blob_add_str(&n, KDBUS_ITEM_MAKE_NAME, "foo");
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL,
			     "other item");
		blob_init(&n, 24);
		blob_add(&n, KDBUS_ITEM_NAME, "a.b", 3);
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL, "no NUL");
		blob_init(&n, 24);
		blob_add(&n, KDBUS_ITEM_NAME, "a.b\0c", 6);
		kt_check_ret(kt_cmd(a.fd, both[i], &n), -EINVAL, "two NUL");
		kt_check_ret(kt_cmd(a.fd, both[i], n.raw + 4), -EFAULT,
			     "unaligned");
		kt_check_ret(kt_cmd(a.fd, both[i], kt_unmapped()), -EFAULT,
			     "unmapped");
		kt_check_ret(kt_cmd(open_endpoint(&bus), both[i], NULL),
			     -ENOTTY, "not connected");
	}
}
END_TEST

/* unknown items do not matter */
START_TEST(other_items)
{
	struct blob n;

	pair_open();
	blob_init(&n, 24);
	blob_add(&n, KT_ITEM_IGNORED, NULL, 9);
	blob_add_str(&n, KDBUS_ITEM_NAME, NAME);
	blob_add(&n, KT_ITEM_IGNORED, NULL, 1);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_NAME_ACQUIRE, &n), 0, "acquire");
	check_owner(a.id);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_NAME_RELEASE, &n), 0, "release");
	check_owner(0);
}
END_TEST

/* what comes back in the structure, whether it worked or not */
static void check_flags(unsigned long nr, u64 flags, u64 mask, int want)
{
	struct kdbus_cmd_name *cmd;
	struct blob n;

	blob_init(&n, 24);
	blob_add_str(&n, KDBUS_ITEM_NAME, NAME);
	cmd = (void *)&n;
	cmd->flags = flags;
	cmd->kernel_flags = 0x1234;
	kt_check_ret(kt_cmd(a.fd, nr, &n), want, "flags %#llx", flags);
	kt_check(cmd->kernel_flags == (mask | KDBUS_FLAG_KERNEL),
		 "kernel_flags %#llx", cmd->kernel_flags);
	kt_check(cmd->flags == flags, "flags %#llx became %#llx", flags,
		 cmd->flags);
	if (!want && nr == KDBUS_CMD_NAME_ACQUIRE)
		release();
}

START_TEST(flags)
{
	int bit;

	pair_open();
	for (bit = 0; bit < 64; bit++) {
		check_flags(KDBUS_CMD_NAME_ACQUIRE, 1ULL << bit, 7,
			    bit < 3 ? 0 : -EINVAL);
		check_flags(KDBUS_CMD_NAME_RELEASE, 1ULL << bit, 0, -EINVAL);
	}
	check_flags(KDBUS_CMD_NAME_ACQUIRE, 7, 7, 0);
	check_flags(KDBUS_CMD_NAME_ACQUIRE, 0, 7, 0);
	check_flags(KDBUS_CMD_NAME_RELEASE, 0, 0, -ESRCH);
}
END_TEST

START_TEST(release_errors)
{
	pair_open();
	kt_check_ret(name_release(&a, NAME), -ESRCH, "nobody has it");
	own();
	kt_check_ret(name_release(&b, NAME), -EADDRINUSE, "another has it");
	check_owner(a.id);
	release();
	kt_check_ret(name_release(&a, NAME), -ESRCH, "twice");
}
END_TEST

START_TEST(already)
{
	u64 f, flags;

	pair_open();
	own();
	for (f = 0; f < 8; f++)
		kt_check_ret(name_acquire(&a, NAME, f), -EALREADY,
			     "flags %#llx", f);
	kt_check(name_owner(&b, NAME, &flags) == a.id && flags == 0,
		 "flags became %#llx", flags);
	kt_check_ret(name_acquire(&b, NAME, REPLACE), -EEXIST,
		     "it does not allow that");
	release();
	check_owner(0);
}
END_TEST

static void nth_name(char *name, int n)
{
	sprintf(name, "test.n%d", n);
}

START_TEST(name_limit)
{
	char name[32];
	int i;

	pair_open();
	kt_assert_ret(name_acquire(&b, "b.queue", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&a, "b.queue", QUEUE), 0, "wait");
	for (i = 0; i < 64; i++) {
		nth_name(name, i);
		kt_assert_ret(name_acquire(&a, name, 0), 0, "name %d", i);
	}
	kt_check_ret(name_acquire(&a, "a.b", 0), -E2BIG, "name 65");
	kt_check_ret(name_acquire(&a, name, 0), -E2BIG, "one of its own");
	kt_check_ret(name_acquire(&a, "b.queue", QUEUE), -E2BIG, "waiting");
	kt_check(name_owner(&b, "a.b", NULL) == 0, "it got it");
	kt_assert_ret(name_acquire(&b, "a.b", 0), 0, "another connection");
	kt_assert_ret(name_release(&a, name), 0, "release");
	kt_check_ret(name_acquire(&a, name, 0), 0, "name 64 again");
	/* nor does a waiter exceed the limit */
	kt_check_ret(name_release(&b, "b.queue"), 0, "release");
	kt_check(name_owner(&b, "b.queue", NULL) == 0, "promotion");
	kt_assert_ret(name_release(&a, name), 0, "release, 63 left");
	kt_check_ret(name_acquire(&a, name, 0), 0, "64 again");
	conn_close(&a);
	for (i = 0; i < 64; i++) {
		nth_name(name, i);
		kt_check(!name_owner(&b, name, NULL), "%s", name);
	}
}
END_TEST

KT_SUITE("name")
{
	kt_test(name_syntax);
	kt_test(name_bytes);
	kt_test(name_length);
	kt_test(bad_structure);
	kt_test(other_items);
	kt_test(flags);
	kt_test(release_errors);
	kt_test(already);
	kt_test(name_limit);
}
