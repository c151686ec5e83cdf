// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 2: buses, nodes, containers, addresses */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sd-util.h"

#define USER	20211

static struct bus bus;

static struct stat stat_of(const char *path)
{
	struct stat st;

	kt_assert(!stat(path, &st), "stat %s: %m", path);
	return st;
}

static void check_node(const struct bus *b, uid_t uid, mode_t mode)
{
	struct stat st = stat_of(b->path);

	kt_check(S_ISCHR(st.st_mode) && (st.st_mode & 0777) == mode,
		 "%s: mode %o", b->path, st.st_mode);
	kt_check(st.st_uid == uid, "%s: uid %u", b->path, st.st_uid);
}

static void system_bus_make(void)
{
	int ret = sd_bus_try_make(&bus, KDBUS_MAKE_ACCESS_WORLD, "0-system");

	if (ret == -EEXIST)
		kt_skip("there is a system bus already");
	kt_assert_ret(ret, 0, "system bus");
}

/* "0-system" with ACCESS_WORLD, "<uid>-user" with 0; errors are not fatal */
START_TEST(buses)
{
	struct bus user, twice;
	char name[64], path[512];
	struct conn c;

	system_bus_make();
	snprintf(path, sizeof(path), "/dev/%s/0-system/bus", kt_module);
	kt_check(!strcmp(path, bus.path), "%s", bus.path);
	check_node(&bus, 0, 0666);
	kt_check_ret(sd_bus_try_make(&twice, KDBUS_MAKE_ACCESS_WORLD,
				     "0-system"), -EEXIST, "a second one");
	close(twice.fd);
	check_node(&bus, 0, 0666);
	kt_become(USER);
	snprintf(name, sizeof(name), "%u-user", USER);
	kt_assert_ret(sd_bus_try_make(&user, 0, name), 0, "user bus");
	check_node(&user, USER, 0600);
	kt_check_ret(sd_bus_try_make(&twice, 0, "0-user"), -EINVAL,
		     "the bus of another user");
	close(twice.fd);
	sd_connect(&c, &user, SD_PLAIN);
	sd_connect(&c, &bus, SD_SYSTEM);
	kt_become(USER + 1);
	kt_check(open(user.path, O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 &&
		 errno == EACCES, "open of the bus of another user: %m");
	kt_become(0);
	bus_close(&user);
	kt_check(!path_exists(user.path), "%s outlived its maker", user.path);
}
END_TEST

/* "is kdbus here": control node, /dev/kdbus, /sys/bus/kdbus */
START_TEST(presence)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/%s", kt_module);
	kt_check(S_ISDIR(stat_of(path).st_mode), "%s", path);
	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	kt_check(S_ISCHR(stat_of(path).st_mode), "%s", path);
	snprintf(path, sizeof(path), "/sys/bus/%s", kt_module);
	kt_check(path_exists(path), "%s is missing", path);
}
END_TEST

/* is this character major in /proc/devices, as "kdbus" or "kdbus/..."? */
static bool is_ours(unsigned int want)
{
	FILE *f = fopen("/proc/devices", "re");
	size_t len = strlen(kt_module);
	bool found = false;
	char line[128], name[64];
	unsigned int major;

	kt_assert(f, "/proc/devices: %m");
	while (fgets(line, sizeof(line), f) && strncmp(line, "Block", 5))
		if (sscanf(line, "%u %63s", &major, name) == 2 &&
		    !strncmp(name, kt_module, len) &&
		    (!name[len] || name[len] == '/'))
			found |= major == want;
	fclose(f);
	return found;
}

/* the device policy of services goes by /proc/devices */
START_TEST(device_policy)
{
	char path[128];

	sd_bus_make(&bus, 0);
	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	kt_check(is_ours(major(stat_of(path).st_rdev)), "control node");
	kt_check(is_ours(major(stat_of(bus.path).st_rdev)), "endpoint node");
}
END_TEST

/* the descriptor survives re-execution of the manager, and so does the bus */
START_TEST(bus_survives_exec)
{
	struct conn a, b;
	int input;
	pid_t pid;

	sd_bus_make(&bus, 0);
	sd_connect(&a, &bus, SD_SYSTEM);
	pid = sd_exec("wait", bus.fd, &input);
	close(bus.fd);
	kt_assert(path_exists(bus.path), "the bus is gone");
	sd_connect(&b, &bus, SD_SYSTEM);
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	expect_msg(&b, 1, 0);
	/* the last one to hold it goes */
	close(input);
	kt_check(kt_wait(pid) == 0, "the manager failed");
	kt_check(!path_exists(bus.path), "%s is still there", bus.path);
	kt_check_ret(conn_recv(&b, NULL), -ECONNRESET, "a connection");
}
END_TEST

static void private_mounts(void)
{
	if (unshare(CLONE_NEWNS))
		kt_skip("unshare: %m");
	kt_assert(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
		  "mount: %m");
}

static void bind_mount(const char *from, const char *to)
{
	kt_assert(!mount(from, to, NULL, MS_BIND | MS_REC, NULL),
		  "bind %s on %s: %m", from, to);
}

/* private /dev: /dev/kdbus is bind-mounted into it, buses made later too */
START_TEST(private_dev)
{
	char dir[] = "/tmp/kdbus-sd-XXXXXX", dev[64], from[64];
	struct bus inside, later;
	struct conn c;

	sd_bus_make(&bus, 0);
	private_mounts();
	kt_assert(mkdtemp(dir), "mkdtemp: %m");
	kt_assert(!mount("tmpfs", dir, "tmpfs", 0, NULL), "tmpfs: %m");
	snprintf(dev, sizeof(dev), "%s/%s", dir, kt_module);
	kt_assert(!mkdir(dev, 0755), "mkdir: %m");
	snprintf(from, sizeof(from), "/dev/%s", kt_module);
	bind_mount(from, dev);
	inside = bus;
	snprintf(inside.path, sizeof(inside.path), "%s/%s/bus", dev, bus.name);
	sd_connect(&c, &inside, SD_PLAIN);
	sd_bus_make(&later, 0);
	snprintf(inside.path, sizeof(inside.path), "%s/%s/bus", dev,
		 later.name);
	sd_connect(&c, &inside, SD_PLAIN);
	umount2(dev, MNT_DETACH);
	umount2(dir, MNT_DETACH);
	rmdir(dir);
}
END_TEST

/* DOMAIN_MAKE "machine-<name>" with ACCESS_WORLD */
static int machine_make(const char *name)
{
	int fd = open_control();
	struct blob b;

	make_init(&b, KDBUS_MAKE_ACCESS_WORLD);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
	kt_assert_ret(kt_cmd(fd, KDBUS_CMD_DOMAIN_MAKE, &b), 0, "DOMAIN_MAKE");
	return fd;
}

/*
 * PID 1 has made /dev/kdbus/domain, 0700; the domain of the machine is then
 * mounted on the container's /dev/kdbus, where its PID 1 makes "0-system"
 */
START_TEST(container)
{
	char dir[64], sub[128], path[160], name[64];
	struct conn host, guest;
	struct bus inner;
	int machine;

	system_bus_make();
	sd_connect(&host, &bus, SD_SYSTEM);
	snprintf(dir, sizeof(dir), "/dev/%s/domain", kt_module);
	if (mkdir(dir, 0700))
		kt_skip("mkdir %s: %m", dir);
	snprintf(name, sizeof(name), "machine-t%d", getpid());
	machine = machine_make(name);
	kt_check((stat_of(dir).st_mode & 07777) == 0700, "mode of %s", dir);
	snprintf(sub, sizeof(sub), "%s/%s", dir, name);
	snprintf(path, sizeof(path), "%s/control", sub);
	kt_check((stat_of(path).st_mode & 0777) == 0666, "mode of %s", path);
	private_mounts();
	snprintf(path, sizeof(path), "/dev/%s", kt_module);
	bind_mount(sub, path);
	kt_assert_ret(sd_bus_try_make(&inner, KDBUS_MAKE_ACCESS_WORLD,
				      "0-system"), 0, "bus of the guest");
	sd_connect(&guest, &inner, SD_SYSTEM);
	kt_check(memcmp(guest.hello.id128, host.hello.id128, 16),
		 "the guest is on the bus of the host");
	kt_check_ret(sd_request_name(&host, SD_NAME, 0), 1, "host");
	kt_check_ret(sd_request_name(&guest, SD_NAME, 0), 1, "guest");
	/* the machine goes, with all that is in it */
	close(machine);
	kt_check_ret(conn_recv(&guest, NULL), -ECONNRESET, "guest");
	kt_check_ret(conn_recv(&host, NULL), -EAGAIN, "host");
	umount2(path, MNT_DETACH);
	kt_check(!path_exists(sub), "%s is still there", sub);
	kt_check(!rmdir(dir), "rmdir %s: %m", dir);
}
END_TEST

static void send_fd(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = "", byte = 0;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(fd));
	kt_assert(sendmsg(sock, &m, 0) == 1, "sendmsg: %m");
}

static int recv_fd(int sock)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { &byte, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	kt_assert(recvmsg(sock, &m, MSG_CMSG_CLOEXEC) == 1 &&
		  CMSG_FIRSTHDR(&m), "recvmsg: %m");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&m)), sizeof(fd));
	return fd;
}

static int open_and_pass(void *arg)
{
	send_fd(*(int *)arg, sd_open(&bus));
	return 0;
}

/*
 * x-container-kernel: a helper opens the node and passes the descriptor back,
 * HELLO happens outside: the record is that of the helper
 */
START_TEST(opened_by_helper)
{
	const struct sd_hello h = {
		.flags = KDBUS_HELLO_ACCEPT_FD, .attach = SD_PLAIN,
	};
	const struct kdbus_item *item;
	struct conn c, other;
	int s[2], fd;
	pid_t pid;
	u64 off;

	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s),
		  "socketpair: %m");
	pid = kt_fork_as(USER, USER, open_and_pass, &s[1]);
	fd = recv_fd(s[0]);
	kt_check(kt_wait(pid) == 0, "helper");
	kt_assert_ret(sd_hello_fd(&c, fd, &h), 0, "HELLO");
	sd_connect(&other, &bus, SD_PLAIN);
	kt_assert_ret(sd_info(&other, c.id, NULL, KDBUS_ATTACH_CREDS, &off),
		      0, "CONN_INFO");
	item = sd_info_item(sd_info_at(&other, off), KDBUS_ITEM_CREDS, 0);
	kt_assert(item, "no CREDS");
	kt_check(item->creds.pid == (u64)pid && item->creds.uid == USER,
		 "pid %llu, uid %llu", item->creds.pid, item->creds.uid);
	/* policy goes by who said HELLO */
	kt_check_ret(sd_request_name(&c, SD_NAME, 0), 1, "name");
	kt_check_ret(sd_send_call(&c, 0, 1, other.id, NULL), 0, "call");
}
END_TEST

static int open_in_container(void *arg)
{
	pid_t pid;

	if (unshare(CLONE_NEWPID))
		return 77;
	/* its parent's pid is 0, which is not what kt_fork_as() expects */
	pid = fork();
	if (!pid)
		_exit(open_and_pass(arg));
	return kt_wait(pid);
}

/* the helper enters the pid namespace, too: nothing is told across */
START_TEST(opened_in_container)
{
	const struct sd_hello h = {
		.flags = KDBUS_HELLO_ACCEPT_FD, .attach = SD_SYSTEM,
	};
	const struct kdbus_item *item;
	const struct kdbus_msg *m;
	struct conn c, other;
	int s[2], fd, status;
	u64 off;

	sd_bus_make(&bus, 0);
	kt_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, s),
		  "socketpair: %m");
	status = kt_wait(kt_fork_as(0, 0, open_in_container, &s[1]));
	if (status == 77)
		kt_skip("no pid namespaces here");
	kt_assert(!status, "helper: %d", status);
	fd = recv_fd(s[0]);
	kt_assert_ret(sd_hello_fd(&c, fd, &h), 0, "HELLO");
	sd_connect(&other, &bus, SD_SYSTEM);
	kt_assert_ret(sd_info(&other, c.id, NULL, KDBUS_ATTACH_CREDS, &off),
		      0, "CONN_INFO");
	kt_check(sd_info_at(&other, off)->size == sizeof(struct kdbus_info),
		 "CONN_INFO tells about the container");
	kt_check_ret(sd_send_call(&other, 0, 1, c.id, NULL), 0, "call");
	m = conn_recv_msg(&c, NULL);
	for_each_item(item, m)
		kt_check(item->type < _KDBUS_ITEM_ATTACH_BASE, "item %#llx",
			 item->type);
	kt_check_ret(sd_send_return(&c, 2, 1, other.id), 0, "answer");
	expect_msg(&other, 2, 1);
}
END_TEST

/* the last address that connects wins: a node that is not there, or refuses */
START_TEST(next_address)
{
	struct bus missing;
	struct conn c;
	int fd;

	sd_bus_make(&bus, 0);
	missing = bus;
	strcat(missing.path, "x");
	kt_check(open(missing.path, O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 &&
		 errno == ENOENT, "no such node: %m");
	kt_become(USER);
	kt_check(open(bus.path, O_RDWR | O_NOCTTY | O_CLOEXEC) < 0 &&
		 errno == EACCES, "not for this user: %m");
	kt_become(0);
	fd = sd_open(&bus);
	bus_close(&bus);
	kt_check_ret(sd_hello_fd(&c, fd, &(struct sd_hello) { 0 }),
		     -ESHUTDOWN, "it died between open and HELLO");
}
END_TEST

KT_SUITE("sd-node")
{
	kt_test(buses);
	kt_test(presence);
	kt_test(device_policy);
	kt_test(bus_survives_exec);
	kt_test(private_dev);
	kt_test(container);
	kt_test(opened_by_helper);
	kt_test(opened_in_container);
	kt_test(next_address);
}
