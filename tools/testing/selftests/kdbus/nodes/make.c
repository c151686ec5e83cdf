// SPDX-License-Identifier: GPL-2.0-only
/* BUS_MAKE: names, bloom parameters, limits */

#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

#include "util.h"

#define MAX_BUSES	16

static int try_blob(struct blob *b)
{
	int fd = open_control();
	int ret = kt_cmd(fd, KDBUS_CMD_BUS_MAKE, b);

	close(fd);
	return ret;
}

static int try_name(const char *name)
{
	struct blob b;

	make_std(&b, 0, name);
	return try_blob(&b);
}

/* entries in the directory of the domain */
static unsigned int count_nodes(void)
{
	char path[128];
	unsigned int n = 0;
	DIR *dir;

	snprintf(path, sizeof(path), "/dev/%s", kt_module);
	dir = opendir(path);
	kt_assert(dir, "opendir %s: %m", path);
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

/* n: own name, x: name with a foreign prefix, b: bloom, 0: bad bloom */
START_TEST(mandatory_items)
{
	static const struct {
		const char *items;
		int err;
	} rows[] = {
		{ "nb", 0 }, { "bn", 0 },
		{ "", EBADMSG }, { "n", EBADMSG }, { "b", EBADMSG },
		{ "nnb", EEXIST }, { "nbn", EEXIST }, { "bnn", EEXIST },
		{ "nbb", EEXIST }, { "bbn", EEXIST },
		{ "nn", EEXIST }, { "bb", EEXIST }, { "n0", EINVAL },
		{ "0n", EINVAL }, { "nb0", EEXIST }, { "n00", EEXIST },
		{ "0", EBADMSG }, { "x", EBADMSG }, { "xb", EINVAL },
		{ "xxb", EEXIST }, { "xbb", EEXIST }, { "xn", EEXIST },
	};
	unsigned int before = count_nodes();
	char name[64];
	struct blob b;
	const char *c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		make_init(&b, 0);
		bus_name(name, sizeof(name));
		for (c = rows[i].items; *c; c++) {
			if (*c == 'n')
				blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
			else if (*c == 'x')
				blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "9-x");
			else
				make_add_bloom(&b, *c == 'b' ? 8 : 0, 1);
		}
		kt_check_ret(try_blob(&b), -rows[i].err, "items \"%s\"",
			     rows[i].items);
	}
	kt_check(count_nodes() == before, "nodes are left");
}
END_TEST

START_TEST(bloom_parameters)
{
	static const struct {
		u64 size, n_hash;
		int err;
	} rows[] = {
		{ 8, 1, 0 }, { 16, 1, 0 }, { 24, 8, 0 }, { 4088, 1, 0 },
		{ 4096, 1, 0 }, { 4096, ~0ULL, 0 }, { 64, 1ULL << 32, 0 },
		{ 0, 1, EINVAL }, { 1, 1, EINVAL }, { 4, 1, EINVAL },
		{ 7, 1, EINVAL }, { 9, 1, EINVAL }, { 12, 1, EINVAL },
		{ 4095, 1, EINVAL }, { 4097, 1, EINVAL }, { 4104, 1, EINVAL },
		{ 8192, 1, EINVAL }, { (1ULL << 32) + 8, 1, EINVAL },
		{ 1ULL << 63, 1, EINVAL }, { -8ULL, 1, EINVAL },
		{ ~0ULL, 1, EINVAL }, { 8, 0, EINVAL }, { 4096, 0, EINVAL },
		{ 0, 0, EINVAL },
	};
	char name[64];
	struct blob b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		make_init(&b, 0);
		make_add_bloom(&b, rows[i].size, rows[i].n_hash);
		bus_name(name, sizeof(name));
		blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
		kt_check_ret(try_blob(&b), -rows[i].err,
			     "bloom size %llu, n_hash %llu", rows[i].size,
			     rows[i].n_hash);
	}
}
END_TEST

START_TEST(prefix_root)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = {
		{ "0-t", 0 }, { "0-0-t", 0 }, { "0-9", 0 }, { "0-_", 0 },
		{ "0--t", 0 }, { "0-.t", 0 },
		{ "0", EINVAL }, { "0-", EINVAL }, { "0_t", EINVAL },
		{ "0t", EINVAL }, { "0.t", EINVAL }, { "00-t", EINVAL },
		{ "01-t", EINVAL }, { "1-t", EINVAL }, { "t", EINVAL },
		{ "-t", EINVAL }, { "-0-t", EINVAL }, { "00", EINVAL },
		{ "1000-t", EINVAL }, { "t0-t", EINVAL },
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check_ret(try_name(rows[i].name), -rows[i].err, "name %s",
			     rows[i].name);
}
END_TEST

static int prefix_other(void *arg)
{
	static const struct {
		const char *name;
		int err;
	} rows[] = {
		{ "20011-t", 0 }, { "20011-20011-t", 0 },
		{ "2-t", EINVAL }, { "20-t", EINVAL }, { "2001-t", EINVAL },
		{ "20010-t", EINVAL }, { "20012-t", EINVAL },
		{ "200110-t", EINVAL }, { "2001l-t", EINVAL },
		{ "0-t", EINVAL }, { "020011-t", EINVAL },
		{ "20011t", EINVAL }, { "20011", EINVAL },
		{ "20011-", EINVAL }, { "20011_t", EINVAL },
	};
	size_t i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check_ret(try_name(rows[i].name), -rows[i].err,
			     "name %s as 20011", rows[i].name);
	return 0;
}

START_TEST(prefix_user)
{
	kt_run_as(20011, 20011, prefix_other, NULL);
}
END_TEST

/* the file system uid and gid count, not the effective ones */
START_TEST(prefix_fsuid)
{
	struct bus bus = { .name = "20012-fs" };
	struct stat st;

	setfsgid(20013);
	setfsuid(20012);
	bus_paths(&bus);
	kt_check_ret(try_name("0-fs"), -EINVAL, "0-fs with fsuid 20012");
	bus.fd = open_control();
	kt_assert_ret(bus_try_make(bus.fd, KDBUS_MAKE_ACCESS_GROUP, bus.name),
		      0, "20012-fs with fsuid 20012");
	kt_assert(!stat(bus.path, &st), "stat: %m");
	kt_check(st.st_uid == 20012 && st.st_gid == 20013,
		 "node belongs to %u:%u", st.st_uid, st.st_gid);
}
END_TEST

static bool name_byte(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/* every byte inside and at the end */
START_TEST(name_bytes)
{
	char name[] = "0-a?a";
	int c;

	for (c = 1; c < 256; c++) {
		bool inside = name_byte(c) || c == '-' || c == '.';

		name[3] = c;
		name[4] = 'a';
		kt_check_ret(try_name(name), inside ? 0 : -EINVAL,
			     "byte %#x inside", c);
		name[3] = 'a';
		name[4] = c;
		kt_check_ret(try_name(name), name_byte(c) ? 0 : -EINVAL,
			     "byte %#x at the end", c);
	}
}
END_TEST

START_TEST(name_length)
{
	static const struct {
		size_t len;
		int err;
	} rows[] = {
		{ 3, 0 }, { 62, 0 }, { 63, 0 }, { 64, ENAMETOOLONG },
		{ 65, ENAMETOOLONG }, { 255, ENAMETOOLONG },
		{ 1000, ENAMETOOLONG },
	};
	char name[1001];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		memset(name, 'a', rows[i].len);
		memcpy(name, "0-", 2);
		name[rows[i].len] = '\0';
		kt_check_ret(try_name(name), -rows[i].err, "%zu bytes",
			     rows[i].len);
	}
}
END_TEST

START_TEST(name_taken)
{
	struct bus bus;
	struct blob b;
	int fd;

	bus_make(&bus, 0);
	kt_check_ret(try_name(bus.name), -EEXIST, "same name");
	kt_check(path_exists(bus.path), "the first bus lost its node");
	make_init(&b, 0);
	make_add_bloom(&b, 12, 1);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, bus.name);
	kt_check_ret(try_blob(&b), -EINVAL, "bad bloom comes first");

	/* the handle that lost can be used again */
	fd = open_control();
	kt_check_ret(bus_try_make(fd, 0, bus.name), -EEXIST, "same name");
	bus_close(&bus);
	kt_check_ret(bus_try_make(fd, 0, bus.name), 0, "after close");
	kt_check(path_exists(bus.path), "no node");
}
END_TEST

/* names that differ, though not by much */
START_TEST(name_distinct)
{
	static const char * const names[] = {
		"0-name", "0-Name", "0-name1", "0-nam", "0-name.", "0-name_",
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		int fd = open_control();

		kt_check_ret(bus_try_make(fd, 0, names[i]),
			     names[i][6] == '.' ? -EINVAL : 0, "%s", names[i]);
	}
}
END_TEST

START_TEST(refused_leaves_no_node)
{
	static const char * const names[] = { "1-t", "0-a/b", "t" };
	unsigned int before;
	struct bus bus;
	struct blob b;
	size_t i;

	bus_make(&bus, 0);
	before = count_nodes();
	for (i = 0; i < ARRAY_SIZE(names); i++)
		kt_check_ret(try_name(names[i]), -EINVAL, "%s", names[i]);
	make_std(&b, 8, "0-t");
	kt_check_ret(try_blob(&b), -EINVAL, "flags");
	kt_check_ret(try_name(bus.name), -EEXIST, "taken");
	kt_check(count_nodes() == before, "nodes are left");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The limit per user */

static int fill_up(int *fds)
{
	char name[64];
	int i;

	for (i = 0; i < MAX_BUSES; i++) {
		fds[i] = open_control();
		bus_name(name, sizeof(name));
		if (!kt_check_ret(bus_try_make(fds[i], 0, name), 0,
				  "bus %d of uid %u", i + 1, geteuid()))
			return 1;
	}
	return 0;
}

static int limit_fn(void *arg)
{
	unsigned int before;
	struct bus bus;
	int fds[MAX_BUSES], fd, i;
	char first[64];

	(void)arg;
	bus_make(&bus, 0);
	strcpy(first, bus.name);
	/* refused calls are not charged */
	for (i = 0; i < 2 * MAX_BUSES; i++)
		kt_check_ret(try_name(first), -EEXIST, "taken");
	bus_close(&bus);
	/* nor are buses of the past */
	for (i = 0; i < 2 * MAX_BUSES; i++)
		kt_check_ret(try_name(first), 0, "bus %d of many, closed", i);

	if (fill_up(fds))
		return 1;
	before = count_nodes();
	fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	for (i = 0; i < 3; i++)
		kt_check_ret(bus_try_make(fd, 0, bus.name), -EMFILE,
			     "bus 17 of uid %u", geteuid());
	kt_check(count_nodes() == before, "a node of the refused bus is left");
	kt_check_ret(bus_try_make(fd, 0, "nonsense"), -EINVAL,
		     "bad name before the limit");
	close(fds[7]);
	kt_check_ret(bus_try_make(fd, 0, bus.name), 0, "after closing one");
	kt_check_ret(try_name(first), -EMFILE, "full again");
	return 0;
}

START_TEST(limit_user)
{
	kt_run_as(20021, 20021, limit_fn, NULL);
}
END_TEST

static int limit_root_fn(void *arg)
{
	kt_drop_caps();
	return limit_fn(arg);
}

/* it is the capability that counts, not the uid */
START_TEST(limit_root_without_capability)
{
	kt_run_as(0, 0, limit_root_fn, NULL);
}
END_TEST

static int one_more_fn(void *arg)
{
	char name[64];

	(void)arg;
	bus_name(name, sizeof(name));
	return -try_name(name);
}

static int full_fn(void *arg)
{
	int fds[MAX_BUSES], *pipes = arg;
	char x;

	if (fill_up(fds))
		return 1;
	if (write(pipes[1], "x", 1) != 1)
		return 1;
	return read(pipes[2], &x, 1) == 1 ? 0 : 1;
}

/* one user at the limit does not bother another */
START_TEST(limit_is_per_user)
{
	int pipes[4];
	pid_t pid;
	char x;

	kt_assert(!pipe(pipes) && !pipe(pipes + 2), "pipe: %m");
	pid = kt_fork_as(20022, 20022, full_fn, pipes);
	kt_assert(read(pipes[0], &x, 1) == 1, "child not ready");
	kt_check_ret(-kt_wait(kt_fork_as(20022, 1, one_more_fn, NULL)),
		     -EMFILE, "same uid, another process");
	kt_check_ret(-kt_wait(kt_fork_as(20023, 20022, one_more_fn, NULL)), 0,
		     "another uid");
	kt_check_ret(one_more_fn(NULL), 0, "root");
	kt_assert(write(pipes[3], "x", 1) == 1, "write: %m");
	kt_check(!kt_wait(pid), "child failed");
}
END_TEST

START_TEST(limit_not_for_capable)
{
	enum { N = 40 };
	char name[64];
	int i;

	for (i = 0; i < N; i++) {
		bus_name(name, sizeof(name));
		kt_check_ret(bus_try_make(open_control(), 0, name), 0,
			     "bus %d of root", i + 1);
	}
}
END_TEST

KT_SUITE("make")
{
	kt_test(mandatory_items);
	kt_test(bloom_parameters);
	kt_test(prefix_root);
	kt_test(prefix_user);
	kt_test(prefix_fsuid);
	kt_test(name_bytes);
	kt_test(name_length);
	kt_test(name_taken);
	kt_test(name_distinct);
	kt_test(refused_leaves_no_node);
	kt_test(limit_user);
	kt_test(limit_root_without_capability);
	kt_test(limit_is_per_user);
	kt_test(limit_not_for_capable);
}
