// SPDX-License-Identifier: GPL-2.0-only
/* Device nodes: where they are, whose they are, when they come and go */

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "util.h"

#define OWNER_UID	20001
#define OWNER_GID	20002

static void check_node(const char *path, mode_t mode, uid_t uid, gid_t gid,
		       const char *what)
{
	struct stat st;

	if (!kt_check(!lstat(path, &st), "%s: no node %s", what, path))
		return;
	kt_check(S_ISCHR(st.st_mode), "%s: %s is no character device", what,
		 path);
	kt_check((st.st_mode & 07777) == mode, "%s: %s has mode %o, not %o",
		 what, path, st.st_mode & 07777, mode);
	kt_check(st.st_uid == uid && st.st_gid == gid,
		 "%s: %s belongs to %u:%u, not %u:%u", what, path, st.st_uid,
		 st.st_gid, uid, gid);
}

static void check_dir(const char *path)
{
	struct stat st;

	if (!kt_check(!lstat(path, &st), "no directory %s", path))
		return;
	kt_check(S_ISDIR(st.st_mode), "%s is no directory", path);
	kt_check((st.st_mode & 07777) == 0755, "%s has mode %o", path,
		 st.st_mode & 07777);
	kt_check(!st.st_uid && !st.st_gid, "%s belongs to %u:%u", path,
		 st.st_uid, st.st_gid);
}

START_TEST(control_node)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/%s", kt_module);
	check_dir(path);
	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	check_node(path, 0666, 0, 0, "control");
}
END_TEST

START_TEST(proc_devices)
{
	char buf[8192], want[64], path[128], *line, *save = NULL;
	unsigned int major = 0, n = 0;
	bool chars = false;
	struct stat st;

	kt_assert(kt_read_file("/proc/devices", buf, sizeof(buf)) > 0,
		  "cannot read /proc/devices");
	for (line = strtok_r(buf, "\n", &save); line;
	     line = strtok_r(NULL, "\n", &save)) {
		unsigned int number;

		if (!strncmp(line, "Character", 9))
			chars = true;
		else if (!strncmp(line, "Block", 5))
			chars = false;
		else if (chars && sscanf(line, "%u %63s", &number, want) == 2 &&
			 !strcmp(want, kt_module)) {
			major = number;
			n++;
		}
	}
	kt_assert(n == 1, "%u character majors are named %s", n, kt_module);
	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	kt_assert(!stat(path, &st), "stat %s: %m", path);
	kt_check(major(st.st_rdev) == major,
		 "control has major %u, /proc/devices says %u",
		 major(st.st_rdev), major);
}
END_TEST

/* the device behind a node, with its number and uevent, in sysfs */
static void check_sysfs(const char *device, const char *node,
			const char *type)
{
	char path[320], buf[1024], want[320];
	struct stat st;

	kt_assert(!stat(node, &st), "stat %s: %m", node);
	snprintf(path, sizeof(path), "/sys/devices/virtual/%s/%s/dev",
		 kt_module, device);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "cannot read %s",
		  path);
	snprintf(want, sizeof(want), "%u:%u\n", major(st.st_rdev),
		 minor(st.st_rdev));
	kt_check(!strcmp(buf, want), "%s: %s, the node is %s", path, buf, want);

	snprintf(path, sizeof(path), "/sys/devices/virtual/%s/%s/uevent",
		 kt_module, device);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "cannot read %s",
		  path);
	snprintf(want, sizeof(want), "DEVNAME=%s\n", node + strlen("/dev/"));
	kt_check(strstr(buf, want), "%s: no %s in %s", path, want, buf);
	snprintf(want, sizeof(want), "DEVTYPE=%s\n", type);
	kt_check(strstr(buf, want), "%s: no %s in %s", path, want, buf);

	snprintf(path, sizeof(path), "/sys/bus/%s/devices/%s", kt_module,
		 device);
	kt_check(path_exists(path), "no %s", path);
}

START_TEST(sysfs)
{
	char device[192], node[128], path[256];
	struct bus bus;

	snprintf(path, sizeof(path), "/sys/bus/%s", kt_module);
	kt_check(path_exists(path), "no %s", path);
	snprintf(device, sizeof(device), "%s!control", kt_module);
	snprintf(node, sizeof(node), "/dev/%s/control", kt_module);
	check_sysfs(device, node, "control");

	bus_make(&bus, 0);
	snprintf(device, sizeof(device), "%s!%s!bus", kt_module, bus.name);
	check_sysfs(device, bus.path, "endpoint");
	bus_close(&bus);
	snprintf(path, sizeof(path), "/sys/devices/virtual/%s/%s", kt_module,
		 device);
	kt_check(!path_exists(path), "%s outlives its bus", path);
}
END_TEST

static const struct {
	u64 flags;
	mode_t mode;
	bool group;
	const char *name;
} modes[] = {
	{ 0, 0600, false, "no flag" },
	{ KDBUS_MAKE_ACCESS_GROUP, 0660, true, "GROUP" },
	{ KDBUS_MAKE_ACCESS_WORLD, 0666, false, "WORLD" },
	{ KDBUS_MAKE_ACCESS_GROUP | KDBUS_MAKE_ACCESS_WORLD, 0666, false,
	  "GROUP and WORLD" },
};

static int check_modes(void *arg)
{
	gid_t gid = getegid();
	size_t i;

	(void)arg;
	for (i = 0; i < ARRAY_SIZE(modes); i++) {
		struct bus bus;

		bus_make(&bus, modes[i].flags);
		check_dir(bus.dir);
		check_node(bus.path, modes[i].mode, geteuid(),
			   modes[i].group ? gid : 0, modes[i].name);
		bus_close(&bus);
	}
	return 0;
}

START_TEST(bus_modes_root)
{
	check_modes(NULL);
}
END_TEST

START_TEST(bus_modes_user)
{
	kt_run_as(OWNER_UID, OWNER_GID, check_modes, NULL);
}
END_TEST

START_TEST(node_follows_command)
{
	struct bus bus;
	int i;

	for (i = 0; i < 50; i++) {
		bus.fd = open_control();
		bus_name(bus.name, sizeof(bus.name));
		bus_paths(&bus);
		kt_check(!path_exists(bus.dir), "%s exists already", bus.dir);
		kt_assert_ret(bus_try_make(bus.fd, 0, bus.name), 0,
			      "BUS_MAKE");
		kt_check(path_exists(bus.path), "no %s after BUS_MAKE",
			 bus.path);
		close(bus.fd);
		kt_check(!path_exists(bus.path), "%s after close", bus.path);
		kt_check(!path_exists(bus.dir), "%s after close", bus.dir);
	}
}
END_TEST

START_TEST(name_reusable_after_close)
{
	char name[64];
	int i;

	bus_name(name, sizeof(name));
	for (i = 0; i < 20; i++) {
		int fd = open_control();

		kt_check_ret(bus_try_make(fd, 0, name), 0, "round %d", i);
		close(fd);
	}
}
END_TEST

START_TEST(open_modes)
{
	static const int how[] = { O_RDONLY, O_WRONLY, O_RDWR,
				   O_RDONLY | O_NONBLOCK };
	char name[64], path[128];
	struct bus bus;
	size_t i;

	/* commands work whatever the mode of the descriptor */
	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	bus_make(&bus, 0);
	for (i = 0; i < ARRAY_SIZE(how); i++) {
		int fd = open(path, how[i] | O_CLOEXEC);
		int ep = open(bus.path, how[i] | O_CLOEXEC);

		kt_assert(fd >= 0 && ep >= 0, "open with %#x: %m", how[i]);
		bus_name(name, sizeof(name));
		kt_check_ret(bus_try_make(fd, 0, name), 0,
			     "BUS_MAKE, opened with %#x", how[i]);
		kt_check_ret(hello(ep, 0, 16 * KIB), 0,
			     "HELLO, opened with %#x", how[i]);
		close(fd);
		close(ep);
	}
}
END_TEST

static int open_as_other(void *arg)
{
	struct bus *bus = arg;
	int fd = open(bus->path, O_RDWR | O_CLOEXEC);

	return fd < 0 ? errno : 0;
}

START_TEST(access_by_mode)
{
	static const struct {
		u64 flags;
		gid_t gid;
		int err;
	} rows[] = {
		{ 0, 20005, EACCES },
		{ 0, 0, EACCES },
		{ KDBUS_MAKE_ACCESS_GROUP, 20005, EACCES },
		{ KDBUS_MAKE_ACCESS_GROUP, 0, 0 },
		{ KDBUS_MAKE_ACCESS_WORLD, 20005, 0 },
	};
	struct bus bus;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int ret;

		bus_make(&bus, rows[i].flags);
		ret = kt_wait(kt_fork_as(20004, rows[i].gid, open_as_other,
					 &bus));
		kt_check_ret(-ret, -rows[i].err, "flags %llu, gid %u",
			     rows[i].flags, rows[i].gid);
		bus_close(&bus);
	}
}
END_TEST

START_TEST(chmod_by_user)
{
	struct bus bus;

	bus_make(&bus, 0);
	kt_check(!chmod(bus.path, 0640), "chmod: %m");
	kt_check(!chown(bus.path, 20001, 20002), "chown: %m");
	check_node(bus.path, 0640, 20001, 20002, "after chmod and chown");
	bus_close(&bus);
	kt_check(!path_exists(bus.dir), "%s stays", bus.dir);
}
END_TEST

/* minors are used again: far more buses than fit at a time come and go */
START_TEST(minors_distinct)
{
	enum { N = 40 };
	struct bus bus[N];
	struct stat st[N];
	int i, j;

	for (i = 0; i < N; i++) {
		bus_make(&bus[i], 0);
		kt_assert(!stat(bus[i].path, &st[i]), "stat: %m");
		for (j = 0; j < i; j++)
			kt_check(st[i].st_rdev != st[j].st_rdev,
				 "two nodes share a number");
	}
	for (i = 0; i < N; i++) {
		bus_close(&bus[i]);
		for (j = i + 1; j < N; j++)
			kt_check(path_exists(bus[j].path),
				 "bus %d went with bus %d", j, i);
	}
}
END_TEST

KT_SUITE("node")
{
	kt_test(control_node);
	kt_test(proc_devices);
	kt_test(sysfs);
	kt_test(bus_modes_root);
	kt_test(bus_modes_user);
	kt_test(node_follows_command);
	kt_test(name_reusable_after_close);
	kt_test(open_modes);
	kt_test(access_by_mode);
	kt_test(chmod_by_user);
	kt_test(minors_distinct);
}
