// SPDX-License-Identifier: GPL-2.0-only
/* Domains: making them, what is in them, how they end */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cast.h"

#define USER	20121

struct domain {
	int fd;			/* its owner */
	char name[64];
	char dir[4096];
	char control[4128];
};

static int try_make(int control, u64 flags, const char *name)
{
	struct blob b;

	make_init(&b, flags);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
	return kt_cmd(control, KDBUS_CMD_DOMAIN_MAKE, &b);
}

static int open_in(const struct domain *d)
{
	int fd = open(d->control, O_RDWR | O_CLOEXEC);

	kt_assert(fd >= 0, "open %s: %m", d->control);
	return fd;
}

/* in the initial domain if @parent is NULL */
static int domain_try_make(struct domain *d, const struct domain *parent,
			   u64 flags, const char *name)
{
	char top[64];

	snprintf(top, sizeof(top), "/dev/%s", kt_module);
	d->fd = parent ? open_in(parent) : open_control();
	snprintf(d->name, sizeof(d->name), "%s", name);
	kt_assert(snprintf(d->dir, sizeof(d->dir), "%s/domain/%s",
			   parent ? parent->dir : top, name) <
		  (int)sizeof(d->dir), "too deep");
	snprintf(d->control, sizeof(d->control), "%s/control", d->dir);
	return try_make(d->fd, flags, name);
}

static void domain_make(struct domain *d, const struct domain *parent,
			u64 flags)
{
	char name[64];

	bus_name(name, sizeof(name));
	kt_assert_ret(domain_try_make(d, parent, flags, name), 0,
		      "DOMAIN_MAKE");
}

static int bus_in(struct bus *bus, const struct domain *d, const char *name)
{
	bus->fd = open_in(d);
	snprintf(bus->name, sizeof(bus->name), "%s", name);
	kt_assert(snprintf(bus->dir, sizeof(bus->dir), "%s/%s", d->dir, name) <
		  (int)sizeof(bus->dir), "test bug: path");
	snprintf(bus->path, sizeof(bus->path), "%s/bus", bus->dir);
	return bus_try_make(bus->fd, KDBUS_MAKE_ACCESS_WORLD, name);
}

static unsigned int mode_of(const char *path)
{
	struct stat st;

	kt_assert(!stat(path, &st), "%s: %m", path);
	kt_check(st.st_uid == 0 && st.st_gid == 0, "%s: owner", path);
	return st.st_mode;
}

START_TEST(modes)
{
	static const unsigned int modes[] = { 0600, 0600, 0666, 0666 };
	struct domain d;
	u64 flags;

	for (flags = 0; flags < 4; flags++) {
		domain_make(&d, NULL, flags);
		kt_check(mode_of(d.control) == (S_IFCHR | modes[flags]),
			 "flags %llu: mode %o", flags, mode_of(d.control));
		close(d.fd);
		kt_check(!path_exists(d.control) && !path_exists(d.dir),
			 "flags %llu: node is left", flags);
	}
}
END_TEST

START_TEST(refused)
{
	struct domain d;
	char long_name[80];
	struct blob b;
	int fd;

	domain_make(&d, NULL, 0);
	fd = open_control();
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, kt_unmapped()), -EFAULT,
		     "nothing there");
	make_init(&b, 0);
	b.size = 23;
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, &b), -EINVAL, "small");
	b.size = 32769;
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, &b), -EMSGSIZE,
		     "large");
	kt_check_ret(try_make(fd, 4, "x"), -EINVAL, "flags");
	make_init(&b, 0);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, &b), -EBADMSG,
		     "no name");
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "one");
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "two");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, &b), -EEXIST,
		     "two names");
	kt_check_ret(try_make(fd, 0, "-x"), -EINVAL, "bad name");
	memset(long_name, 'x', sizeof(long_name));
	long_name[64] = '\0';
	kt_check_ret(try_make(fd, 0, long_name), -ENAMETOOLONG, "64 bytes");
	kt_check_ret(try_make(fd, 0, d.name), -EEXIST, "taken");
	long_name[63] = '\0';
	kt_check_ret(try_make(fd, 0, long_name), 0, "63 bytes");
	kt_check_ret(try_make(fd, 0, "again"), -EBADFD, "owner");
	close(fd);
}
END_TEST

START_TEST(permission)
{
	int fd = open_control();

	kt_become(USER);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, NULL), -EPERM,
		     "before the argument");
	kt_check_ret(try_make(fd, 0, "dom"), -EPERM, "user");
	kt_become(0);
	kt_check_ret(try_make(fd, 0, "dom"), 0, "root, on the same handle");
	close(fd);
}
END_TEST

START_TEST(states)
{
	struct domain d;
	struct bus bus;
	int fd;

	domain_make(&d, NULL, 0);
	kt_check_ret(try_make(d.fd, 0, "x"), -EBADFD, "DOMAIN_MAKE of an owner");
	kt_check_ret(bus_try_make(d.fd, 0, "0-x"), -EBADFD,
		     "BUS_MAKE of an owner");
	kt_check_ret(kt_cmd(d.fd, 0x1234, NULL), -EBADFD, "any other");
	bus_make(&bus, 0);
	kt_check_ret(try_make(bus.fd, 0, "x"), -EBADFD, "of a bus owner");
	fd = open_endpoint(&bus);
	kt_check_ret(try_make(fd, 0, "x"), -ENOTTY, "of an endpoint");
	kt_assert_ret(hello(fd, 0, 4096), 0, "HELLO");
	kt_check_ret(try_make(fd, 0, "x"), -ENOTTY, "of a connection");
}
END_TEST

/* same names and ids, nothing in common */
START_TEST(isolated)
{
	struct bus one, two, host;
	struct domain d, e;
	struct conn a, b, c;

	domain_make(&d, NULL, 0);
	domain_make(&e, &d, 0);
	kt_assert_ret(bus_in(&one, &d, "0-same"), 0, "BUS_MAKE");
	kt_assert_ret(bus_in(&two, &e, "0-same"), 0, "BUS_MAKE");
	bus_make(&host, 0);
	conn_open(&a, &one, 16384);
	conn_open(&b, &two, 16384);
	kt_check(a.id == 1 && b.id == 1, "ids %llu, %llu", a.id, b.id);
	match_all(&b);
	conn_open(&c, &one, 16384);
	kt_check_ret(conn_send_bytes(&b, c.id, 1, "x", 1), -ENXIO, "reached");
	kt_assert_ret(cast(&a, 1), 0, "broadcast");
	expect_empty(&b);
	kt_check_ret(bus_in(&host, &d, "0-same"), -EEXIST, "taken");
}
END_TEST

START_TEST(limits_of_its_own)
{
	struct bus in[17];
	struct domain d;
	char name[64];
	int i;

	domain_make(&d, NULL, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(USER);
	for (i = 0; i < 17; i++) {
		snprintf(name, sizeof(name), "%u-b%d", USER, i);
		kt_check_ret(bus_in(&in[i], &d, name), i < 16 ? 0 : -EMFILE,
			     "bus %d", i + 1);
	}
	bus_make(&in[16], 0);
}
END_TEST

/* 0: the top, 1: the middle, 2: the lowest closes first */
static void try_teardown(int first)
{
	struct domain d[3];
	struct bus bus[3];
	struct conn c[3];
	int i, fds[3];

	for (i = 0; i < 3; i++) {
		domain_make(&d[i], i ? &d[i - 1] : NULL, 0);
		kt_assert_ret(bus_in(&bus[i], &d[i], "0-b"), 0, "BUS_MAKE");
		conn_open(&c[i], &bus[i], 4096);
		fds[i] = open_in(&d[i]);
	}
	close(d[first].fd);
	for (i = 0; i < 3; i++) {
		bool dead = i >= first;

		kt_check(path_exists(d[i].control) == !dead &&
			 path_exists(bus[i].path) == !dead,
			 "closed %d: nodes of domain %d", first, i);
		kt_check_ret(conn_recv(&c[i], NULL),
			     dead ? -ECONNRESET : -EAGAIN, "closed %d: recv %d",
			     first, i);
		kt_check_ret(try_make(fds[i], 0, "late"),
			     dead ? -ESHUTDOWN : 0, "closed %d: make in %d",
			     first, i);
		if (dead)
			kt_check_ret(bus_try_make(fds[i], 0, "0-late"),
				     -ESHUTDOWN, "closed %d: bus in %d",
				     first, i);
	}
	for (i = 0; i < 3; i++) {
		close(fds[i]);
		close(bus[i].fd);
		conn_close(&c[i]);
		if (i != first)
			close(d[i].fd);
	}
	kt_check(!path_exists(d[0].dir), "closed %d: directory", first);
}

START_TEST(teardown)
{
	int i, j;

	for (i = 0; i < 5; i++)
		for (j = 0; j < 3; j++)
			try_teardown(j);
}
END_TEST

#define DEEPEST	600

/* until the path gets too long; then all of it goes */
START_TEST(deep)
{
	static struct domain d[DEEPEST];
	int round, n, ret, depth = 0;

	allow_fds(DEEPEST + 100);
	for (round = 0; round < 3; round++) {
		for (n = 0, ret = 0; n < DEEPEST && !ret; n++)
			ret = domain_try_make(&d[n], n ? &d[n - 1] : NULL, 0,
					      n ? "d" : "deep");
		kt_check_ret(ret, -ENAMETOOLONG, "depth %d", n);
		kt_check(!path_exists(d[n - 1].dir), "refused, but there");
		kt_check(!round || n == depth, "depth %d, then %d", depth, n);
		depth = n;
		close(d[n - 1].fd);
		/* the top first */
		for (n = 0; n < depth - 1; n++) {
			close(d[n].fd);
			kt_check(!path_exists(d[0].dir), "nodes are left");
		}
	}
	kt_note("%d domains in each other", depth - 1);
	kt_check(depth > 3, "depth %d", depth);
}
END_TEST

struct container {
	struct domain d;
	int up[2], down[2];
	char bus[64];
};

static int inside(void *arg)
{
	struct container *k = arg;
	char top[64], x;
	struct conn c;
	struct bus bus;

	snprintf(top, sizeof(top), "/dev/%s", kt_module);
	kt_assert(!unshare(CLONE_NEWNS), "unshare: %m");
	kt_assert(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
		  "private: %m");
	kt_assert(!mount(k->d.dir, top, NULL, MS_BIND, NULL), "bind: %m");
	bus.fd = open_control();
	snprintf(bus.name, sizeof(bus.name), "0-container");
	bus_paths(&bus);
	kt_assert_ret(bus_try_make(bus.fd, 0, bus.name), 0, "BUS_MAKE");
	conn_open(&c, &bus, 4096);
	kt_check(c.id == 1, "id %llu", c.id);
	snprintf(bus.dir, sizeof(bus.dir), "%s/%s", top, k->bus);
	kt_check(!path_exists(bus.dir), "sees the bus of the host");
	kt_assert(write(k->up[1], "x", 1) == 1, "write: %m");
	kt_assert(read(k->down[0], &x, 1) == 1, "read: %m");
	expect_msg(&c, 42, 0);
	return 0;
}

START_TEST(mount_namespace)
{
	struct container k;
	struct bus host, bus;
	struct conn c;
	pid_t pid;
	char x;

	domain_make(&k.d, NULL, 0);
	bus_make(&host, 0);
	strcpy(k.bus, host.name);
	kt_assert(!pipe(k.up) && !pipe(k.down), "pipe: %m");
	pid = kt_fork_as(0, 0, inside, &k);
	close(k.up[1]);
	kt_assert(read(k.up[0], &x, 1) == 1, "the container failed");
	snprintf(bus.path, sizeof(bus.path), "%.120s/0-container/bus",
		 k.d.dir);
	snprintf(bus.name, sizeof(bus.name), "0-container");
	kt_check(path_exists(bus.path), "the host does not see %s", bus.path);
	conn_open(&c, &bus, 4096);
	kt_check_ret(conn_send_bytes(&c, 1, 42, "x", 1), 0, "send");
	kt_assert(write(k.down[1], "x", 1) == 1, "write: %m");
	kt_check(kt_wait(pid) == 0, "the container failed");
	kt_check_ret(conn_recv(&c, NULL), -ECONNRESET, "the bus lives on");
	kt_check(!path_exists(bus.path), "the node is left");
}
END_TEST

KT_SUITE("domain")
{
	kt_test(modes);
	kt_test(refused);
	kt_test(permission);
	kt_test(states);
	kt_test(isolated);
	kt_test(limits_of_its_own);
	kt_test(teardown);
	kt_test(deep);
	kt_test(mount_namespace);
}
