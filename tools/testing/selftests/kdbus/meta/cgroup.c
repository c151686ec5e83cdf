// SPDX-License-Identifier: GPL-2.0-only
/* Paths of control groups, in the unified and in legacy hierarchies */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL		(64 * KIB)
#define UNIFIED		"/sys/fs/cgroup"
#define LEGACY		"/tmp/kdbus-legacy"
#define LEGACY2		"/tmp/kdbus-legacy2"

/* a hierarchy of the old kind, as mount options and in /proc/self/cgroup */
struct legacy {
	const char *options;
	const char *listed;
};

static const struct legacy named[2] = {
	{ "none,name=kdbus-one", ":name=kdbus-one:" },
	{ "none,name=kdbus-two", ":name=kdbus-two:" },
};

/* only these two controllers are of no use to the unified one */
static const struct legacy controlled[2] = {
	{ "freezer", ":freezer:" },
	{ "net_cls", ":net_cls:" },
};

static struct bus bus;
static struct conn c;

static void prepare(void)
{
	bus_make(&bus, 0);
	meta_open(&c, &bus, CGROUP, NULL);
}

static void check_path(const char *path)
{
	static u64 cookie;
	struct meta m;

	send_ok(&c, &c, ++cookie);
	meta_recv(&c, cookie, &m);
	meta_expect_str(&m, KDBUS_ITEM_CGROUP, path);
	meta_open(&c, &bus, CGROUP, NULL);
	conn_info_meta(&c, c.id, 0, &m);
	meta_expect_str(&m, KDBUS_ITEM_CGROUP, path);
}

/* returns whether it worked */
static bool enter(const char *root, const char *path)
{
	char procs[256], pid[32];

	snprintf(procs, sizeof(procs), "%s%s", root, path);
	mkdir(procs, 0755);
	snprintf(procs, sizeof(procs), "%s%s/cgroup.procs", root, path);
	snprintf(pid, sizeof(pid), "%d", getpid());
	return kt_write_file(procs, pid);
}

static void leave(const char *root, const char *path)
{
	char dir[256];

	enter(root, "");
	snprintf(dir, sizeof(dir), "%s%s", root, path);
	kt_check(!rmdir(dir), "remove %s: %m", dir);
}

START_TEST(unified)
{
	prepare();
	check_path("/");
	if (!enter(UNIFIED, "/kdbus-a"))
		kt_skip("no unified hierarchy at " UNIFIED);
	check_path("/kdbus-a");
	kt_assert(enter(UNIFIED, "/kdbus-b"), "move");
	check_path("/kdbus-b");
	kt_assert(enter(UNIFIED, "/kdbus-a"), "move back");
	check_path("/kdbus-a");
	leave(UNIFIED, "/kdbus-a");
	check_path("/");
	rmdir(UNIFIED "/kdbus-b");
}
END_TEST

static bool mount_legacy(const char *dir, const struct legacy *l)
{
	mkdir(dir, 0755);
	return !mount("cgroup", dir, "cgroup", 0, l->options);
}

static bool is_listed(const struct legacy *l)
{
	char list[4096];

	return kt_read_file("/proc/self/cgroup", list, sizeof(list)) > 0 &&
	       strstr(list, l->listed);
}

static bool vanishes(const struct legacy *l)
{
	int i;

	for (i = 0; i < 50 && is_listed(l); i++)
		usleep(20000);
	return !is_listed(l);
}

/* a hierarchy that is unmounted while a removed group lingers stays for good */
static void umount_legacy(const char *dir, const struct legacy *l)
{
	int i;

	for (i = 0; i < 10; i++) {
		kt_assert(!umount(dir), "umount %s: %m", dir);
		if (vanishes(l))
			break;
		kt_assert(mount_legacy(dir, l), "mount %s: %m", dir);
	}
	kt_check(i < 10, "%s stays", l->options);
	rmdir(dir);
}

/* the first legacy hierarchy counts */
static void check_legacy(const struct legacy *l)
{
	prepare();
	if (!mount_legacy(LEGACY, &l[0]))
		kt_skip("no legacy hierarchy %s here: %m", l[0].options);
	check_path("/");
	kt_assert(enter(UNIFIED, "/kdbus-a"), "unified hierarchy");
	check_path("/");
	kt_assert(enter(LEGACY, "/one"), "first hierarchy");
	check_path("/one");
	if (!mount_legacy(LEGACY2, &l[1])) {
		leave(LEGACY, "/one");
		umount_legacy(LEGACY, &l[0]);
		kt_skip("no legacy hierarchy %s here", l[1].options);
	}
	check_path("/one");
	kt_assert(enter(LEGACY2, "/two"), "second hierarchy");
	check_path("/one");
	kt_assert(enter(UNIFIED, ""), "unified hierarchy");
	check_path("/one");
	kt_assert(!rename(LEGACY "/one", LEGACY "/other"), "rename: %m");
	check_path("/other");
	leave(LEGACY, "/other");
	check_path("/");
	leave(LEGACY2, "/two");
	umount_legacy(LEGACY2, &l[1]);
	umount_legacy(LEGACY, &l[0]);
	rmdir(UNIFIED "/kdbus-a");
}

START_TEST(legacy)
{
	check_legacy(controlled);
}
END_TEST

/* one without a controller counts where the kernel tells of them */
START_TEST(legacy_named)
{
	if (kernel_tells_cgroup()) {
		check_legacy(named);
		return;
	}
	prepare();
	if (!mount_legacy(LEGACY, &named[0]))
		kt_skip("no legacy hierarchy %s here: %m", named[0].options);
	kt_assert(enter(UNIFIED, "/kdbus-a"), "unified hierarchy");
	check_path("/kdbus-a");
	kt_assert(enter(LEGACY, "/one"), "first hierarchy");
	check_path("/kdbus-a");
	kt_assert(enter(UNIFIED, "/kdbus-b"), "move");
	check_path("/kdbus-b");
	leave(LEGACY, "/one");
	umount_legacy(LEGACY, &named[0]);
	leave(UNIFIED, "/kdbus-b");
	rmdir(UNIFIED "/kdbus-a");
}
END_TEST

static void make_deep(char *path, size_t size, unsigned int n)
{
	char dir[5000];
	size_t len = 0;

	path[0] = 0;
	while (n--) {
		len += snprintf(path + len, size - len, "/%0200u", n);
		snprintf(dir, sizeof(dir), UNIFIED "%s", path);
		kt_assert(!mkdir(dir, 0755), "mkdir: %m");
	}
}

static void remove_deep(char *path)
{
	char dir[5000];

	while (*path) {
		snprintf(dir, sizeof(dir), UNIFIED "%s", path);
		rmdir(dir);
		*strrchr(path, '/') = 0;
	}
}

static void enter_deep(const char *path)
{
	char pid[32];

	snprintf(pid, sizeof(pid), "%d", getpid());
	kt_assert(!chdir(UNIFIED), "chdir: %m");
	/* step by step: the path is longer than one may pass */
	while (*path) {
		char name[256];
		size_t n = strcspn(path + 1, "/");

		snprintf(name, sizeof(name), "%.*s", (int)n, path + 1);
		kt_assert(!chdir(name), "chdir: %m");
		path += 1 + n;
	}
	kt_assert(kt_write_file("cgroup.procs", pid), "enter: %m");
}

/* a long path is told, and nothing fails */
START_TEST(long_path)
{
	char path[4096];

	prepare();
	if (access(UNIFIED "/cgroup.procs", W_OK))
		kt_skip("no unified hierarchy at " UNIFIED);
	make_deep(path, sizeof(path), 15);
	enter_deep(path);
	check_path(path);
	enter(UNIFIED, "");
	kt_assert(!chdir("/"), "chdir: %m");
	remove_deep(path);
}
END_TEST

KT_SUITE("cgroup")
{
	kt_test(unified);
	kt_test(legacy);
	kt_test(legacy_named);
	kt_test(long_path);
}
