// SPDX-License-Identifier: GPL-2.0-only
/* ENDPOINT_MAKE and ENDPOINT_UPDATE */

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-util.h"

#define OWNER	20210
#define GROUP	20211
#define USER	20212

static struct bus bus, ep;

static int try_blob(struct blob *b)
{
	int fd = open_endpoint(&bus);
	int ret = kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, b);

	close(fd);
	return ret;
}

static int try_name(const char *name)
{
	struct blob b;

	make_init(&b, 0);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
	return try_blob(&b);
}

/* ------------------------------------------------------------------------ */
/* ENDPOINT_MAKE, in the order of its table */

static int without_privilege(void *arg)
{
	int fd = open_endpoint(&bus);
	struct blob b;

	(void)arg;
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, NULL), -EPERM,
		     "no argument");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, b.raw + 4), -EPERM,
		     "unaligned");
	make_init(&b, ~0ULL);
	b.make.kernel_flags = 7;
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, &b), -EPERM,
		     "flags");
	kt_check(b.make.kernel_flags == 7, "the argument was looked at");
	make_init(&b, 0);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "good");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, &b), -EPERM, "good");
	/* the handle is as good as before */
	kt_check_ret(hello(fd, 0, 4096), 0, "HELLO");
	close(fd);
	return 0;
}

static int with_privilege(void *arg)
{
	(void)arg;
	kt_check_ret(try_name("good"), 0, "privileged");
	return 0;
}

START_TEST(privilege)
{
	struct subject s = plain_user(USER);

	bus_of(&bus, OWNER);
	user_run(USER, without_privilege, NULL);
	user_run(OWNER, with_privilege, NULL);
	s.capable = true;
	subject_run(&s, with_privilege, NULL);
	s = plain_user(0);
	subject_run(&s, without_privilege, NULL);
	/* the file system uid, which is the effective one */
	s = plain_user(USER);
	s.euid = OWNER;
	subject_run(&s, with_privilege, NULL);
	s = plain_user(OWNER);
	s.euid = USER;
	subject_run(&s, without_privilege, NULL);
}
END_TEST

static void check_pointers(int fd, unsigned long nr)
{
	struct blob b;
	unsigned int i;

	blob_init(&b, 24);
	for (i = 1; i < 8; i++)
		kt_check_ret(kt_cmd(fd, nr, b.raw + i), -EFAULT, "offset %u",
			     i);
	kt_check_ret(kt_cmd(fd, nr, NULL), -EFAULT, "NULL");
	kt_check_ret(kt_cmd(fd, nr, kt_unmapped()), -EFAULT, "unmapped");
	b.size = 48;
	kt_check_ret(kt_cmd(fd, nr, kt_guard_copy(&b, 40)), -EFAULT,
		     "the end is missing");
	b.size = 0;
	kt_check_ret(kt_cmd(fd, nr, &b), -EINVAL, "size 0");
	b.size = 23;
	kt_check_ret(kt_cmd(fd, nr, &b), -EINVAL, "size 23");
	b.size = 32769;
	kt_check_ret(kt_cmd(fd, nr, &b), -EMSGSIZE, "size 32769");
	b.size = ~0ULL;
	kt_check_ret(kt_cmd(fd, nr, &b), -EMSGSIZE, "size -1");
}

static void check_flags(int fd, unsigned long nr, u64 mask)
{
	struct kdbus_cmd_update *cmd;
	struct blob b;
	int bit;

	for (bit = 0; bit < 64; bit++) {
		if (mask & (1ULL << bit))
			continue;
		blob_init(&b, 24);
		/* not to be looked at any more */
		blob_add(&b, KDBUS_ITEM_MAKE_NAME, "a", 1);
		cmd = (void *)&b;
		cmd->flags = 1ULL << bit;
		cmd->kernel_flags = 0x1234;
		kt_check_ret(kt_cmd(fd, nr, &b), -EINVAL, "bit %d", bit);
		kt_check(cmd->kernel_flags == (mask | KDBUS_FLAG_KERNEL),
			 "kernel_flags %#llx", cmd->kernel_flags);
	}
}

START_TEST(make_prelude)
{
	int fd;

	bus_of(&bus, OWNER);
	fd = open_endpoint(&bus);
	check_pointers(fd, KDBUS_CMD_ENDPOINT_MAKE);
	check_flags(fd, KDBUS_CMD_ENDPOINT_MAKE, 3);
	/* and the handle still does */
	kt_check_ret(hello(fd, 0, 4096), 0, "HELLO");
}
END_TEST

/*
 * n: a good name, b: "bus", t: taken, l: too long, y: bad syntax, p: a group,
 * a: a grant, w: a wildcard group, x: a name that is none, 0: malformed grant,
 * m: bloom parameters, i: ignored
 */
static void add_item(struct blob *b, char c)
{
	char text[80];

	memset(text, 'a', sizeof(text));
	text[64] = '\0';
	if (c == 'n')
		bus_name(text, sizeof(text));
	if (c == 'b' || c == 't' || c == 'y')
		strcpy(text, c == 'b' ? "bus" : c == 't' ? "taken" : "-a");
	if (strchr("nbtly", c))
		blob_add_str(b, KDBUS_ITEM_MAKE_NAME, text);
	else if (strchr("pwx", c))
		blob_add_str(b, KDBUS_ITEM_NAME, c == 'p' ? "foo.bar" :
			     c == 'w' ? "foo.bar.*" : "foo");
	else if (c == 'a')
		policy_access(b, KDBUS_POLICY_ACCESS_WORLD, OWN, 0);
	else if (c == '0')
		blob_add(b, KDBUS_ITEM_POLICY_ACCESS, NULL, 23);
	else if (c == 'm')
		make_add_bloom(b, 7, 0);
	else
		blob_add(b, KT_ITEM_IGNORED, NULL, 11);
}

START_TEST(make_items)
{
	static const struct {
		const char *items;
		int err;
	} rows[] = {
		{ "n" }, { "in" }, { "nm" }, { "mn" }, { "npa" }, { "pan" },
		{ "np" }, { "npawa" }, { "wan" }, { "pnaw" }, { "npaa" },
		{ "npia" },
		{ "l", ENAMETOOLONG }, { "y", EINVAL }, { "0", EINVAL },
		{ "n0", EINVAL }, { "nnl", ENAMETOOLONG }, { "0l", EINVAL },
		{ "l0", ENAMETOOLONG }, { "nny", EINVAL },
		{ "", EBADMSG }, { "i", EBADMSG }, { "pa", EBADMSG },
		{ "a", EBADMSG }, { "x", EBADMSG }, { "pp", EBADMSG },
		{ "nn", EEXIST }, { "ann", EEXIST }, { "bb", EEXIST },
		{ "nan", EEXIST },
		{ "b", EEXIST }, { "t", EEXIST }, { "ta", EEXIST },
		{ "xb", EEXIST }, { "tpp", EEXIST },
		{ "an", EINVAL }, { "na", EINVAL }, { "nx", EINVAL },
		{ "napa", EINVAL }, { "npax", EINVAL }, { "nxpp", EINVAL },
		{ "npp", EEXIST }, { "npawap", EEXIST }, { "wnw", EEXIST },
	};
	struct blob b;
	const char *c;
	size_t i;

	bus_of(&bus, OWNER);
	kt_assert_ret(ep_try_make(&ep, &bus, 0, "taken", NO_POLICY), 0,
		      "ENDPOINT_MAKE");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		make_init(&b, 0);
		for (c = rows[i].items; *c; c++)
			add_item(&b, *c);
		kt_check_ret(try_blob(&b), -rows[i].err, "items \"%s\"",
			     rows[i].items);
	}
	kt_check(path_exists(bus.path) && path_exists(ep.path),
		 "a refused one took the node");
}
END_TEST

/* a refused one leaves no node and no claim on the name */
START_TEST(refused_leaves_nothing)
{
	struct bus other;

	bus_of(&bus, OWNER);
	kt_check_ret(ep_try_make(&other, &bus, 0, "again", "a.b a.b"),
		     -EEXIST, "name twice");
	kt_check(!path_exists(other.path), "a node is left");
	kt_check_ret(ep_try_make(&ep, &bus, 0, "again", "a.b"), 0, "again");
	kt_check(path_exists(ep.path), "no node");
	kt_check_ret(ep_try_make(&other, &bus, 0, "again", "a.b"), -EEXIST,
		     "taken");
	bus_close(&ep);
	kt_check(!path_exists(ep.path), "the node stays");
	kt_check_ret(ep_try_make(&ep, &bus, 0, "again", "a.b"), 0, "reuse");
}
END_TEST

static void check_size(int fd, unsigned long nr, bool make)
{
	struct blob b;
	u64 size;

	for (size = 32766; size <= 32769; size++) {
		blob_init(&b, 24);
		if (make) {
			char name[64];

			bus_name(name, sizeof(name));
			blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
			fd = open_endpoint(&bus);
		}
		policy_text(&b, "foo.bar w:o");
		blob_fill_to(&b, size);
		kt_check_ret(kt_cmd(fd, nr, &b), size > 32768 ? -EMSGSIZE : 0,
			     "size %llu", size);
		if (make)
			close(fd);
	}
	blob_init(&b, 24);
	kt_check_ret(kt_cmd(make ? open_endpoint(&bus) : fd, nr, &b),
		     make ? -EBADMSG : 0, "size 24");
}

START_TEST(sizes)
{
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	check_size(0, KDBUS_CMD_ENDPOINT_MAKE, true);
	check_size(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, false);
}
END_TEST

START_TEST(names)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = {
		{ "a" }, { "20210-x" }, { "0-x" }, { "ep.name" }, { "x-y_z" },
		{ "_" }, { "9" }, { "Bus" }, { "bus1" }, { "__" }, { "a..b" },
		{ "", EINVAL }, { "-", EINVAL }, { ".", EINVAL },
		{ "..", EINVAL }, { "-a", EINVAL }, { "a-", EINVAL },
		{ ".a", EINVAL }, { "a.", EINVAL }, { "a/b", EINVAL },
		{ "a b", EINVAL }, { "a!b", EINVAL }, { "\xe4", EINVAL },
		{ "bus", EEXIST },
	};
	char name[100];
	size_t i;

	bus_of(&bus, OWNER);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check_ret(try_name(rows[i].name), -rows[i].err, "\"%s\"",
			     rows[i].name);
	for (i = 60; i < 70; i++) {
		memset(name, 'a', i);
		name[i] = '\0';
		kt_check_ret(try_name(name), i > 63 ? -ENAMETOOLONG : 0,
			     "%zu bytes", i);
	}
}
END_TEST

struct node {
	u64 flags;
	bool is_group;
	mode_t mode;
	uid_t uid;
	gid_t gid;
};

static int check_node(void *arg)
{
	struct node *n = arg;
	struct stat st;

	kt_assert_ret(ep_try_make(&ep, &bus, n->flags, "node", NO_POLICY), 0,
		      "flags %llu", n->flags);
	kt_assert(!stat(ep.path, &st), "stat: %m");
	kt_check(S_ISCHR(st.st_mode) && (st.st_mode & 07777) == n->mode,
		 "flags %llu: mode %o", n->flags, st.st_mode);
	kt_check(st.st_uid == n->uid &&
		 st.st_gid == (n->is_group ? n->gid : 0),
		 "flags %llu as %u:%u: node of %u:%u", n->flags, n->uid,
		 n->gid, st.st_uid, st.st_gid);
	bus_close(&ep);
	return 0;
}

/* the node belongs to whom makes it, not to the owner of the bus */
START_TEST(nodes)
{
	static const struct node modes[] = {
		{ 0, false, 0600 }, { 1, true, 0660 }, { 2, false, 0666 },
		{ 3, false, 0666 },
	};
	static const struct subject makers[] = {
		{ "owner", OWNER, OWNER, OWNER, GROUP },
		{ "split", USER, OWNER, 7, GROUP },
		{ "capable", USER, USER, 8, 8, .capable = true },
		{ "root", 0, 0, 0, 0, .capable = true },
	};
	size_t i, j;

	bus_of(&bus, OWNER);
	for (i = 0; i < ARRAY_SIZE(makers); i++) {
		for (j = 0; j < ARRAY_SIZE(modes); j++) {
			struct node n = modes[j];

			n.uid = makers[i].euid;
			n.gid = makers[i].egid;
			subject_run(&makers[i], check_node, &n);
		}
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* ENDPOINT_UPDATE */

START_TEST(update_prelude)
{
	struct kdbus_cmd_update *cmd;
	struct blob b;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	check_pointers(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE);
	check_flags(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, 0);
	policy_update_init(&b, "foo.bar w:o");
	cmd = (void *)&b;
	cmd->kernel_flags = 77;
	kt_check_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), 0, "ok");
	kt_check(cmd->kernel_flags == KDBUS_FLAG_KERNEL, "kernel_flags %#llx",
		 cmd->kernel_flags);
	/* read-only memory cannot take kernel_flags */
	kt_check_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE,
			    kt_half_ro(&b, b.size, 16)), -EFAULT, "read-only");
}
END_TEST

START_TEST(update_items)
{
	static const struct {
		const char *items;
		int err;
	} rows[] = {
		{ "" }, { "p" }, { "pa" }, { "wa" }, { "pawa" }, { "i" },
		{ "n" }, { "nnb" }, { "mm" }, { "ipia" },
		{ "a", EINVAL }, { "x", EINVAL }, { "px", EINVAL },
		{ "0", EINVAL }, { "p0", EINVAL }, { "y", EINVAL },
		{ "l", ENAMETOOLONG }, { "pp", EEXIST }, { "pawap", EEXIST },
		{ "ww", EEXIST },
	};
	struct blob b;
	const char *c;
	size_t i;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		policy_update_init(&b, NO_POLICY);
		for (c = rows[i].items; *c; c++)
			add_item(&b, *c);
		kt_check_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b),
			     -rows[i].err, "items \"%s\"", rows[i].items);
	}
}
END_TEST

KT_SUITE("endpoint")
{
	kt_test(privilege);
	kt_test(make_prelude);
	kt_test(make_items);
	kt_test(refused_leaves_nothing);
	kt_test(sizes);
	kt_test(names);
	kt_test(nodes);
	kt_test(update_prelude);
	kt_test(update_items);
}
