// SPDX-License-Identifier: GPL-2.0-only
/* What an open file is at the moment, and which commands it takes then */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(64 * KIB)

/* the commands, each with an argument that would be fine where it belongs */
enum { C_MAKE, C_HELLO, C_BYEBYE, C_SEND, C_RECV, C_FREE, C_UNKNOWN, C_N };

static const char * const names[C_N] = {
	"BUS_MAKE", "HELLO", "BYEBYE", "MSG_SEND", "MSG_RECV", "FREE",
	"an unknown command",
};

static int command(int fd, int which)
{
	struct kdbus_cmd_recv r = { .flags = 0 };
	struct kdbus_cmd_free f = { .offset = 0 };
	char name[64];
	struct blob b;

	switch (which) {
	case C_MAKE:
		bus_name(name, sizeof(name));
		return bus_try_make(fd, 0, name);
	case C_HELLO:
		return hello(fd, 0, POOL);
	case C_BYEBYE:
		return kt_cmd(fd, KDBUS_CMD_BYEBYE, NULL);
	case C_SEND:
		msg_init(&b, 1, 1);
		return kt_cmd(fd, KDBUS_CMD_MSG_SEND, &b);
	case C_RECV:
		return kt_cmd(fd, KDBUS_CMD_MSG_RECV, &r);
	case C_FREE:
		return kt_cmd(fd, KDBUS_CMD_FREE, &f);
	default:
		return kt_cmd(fd, _IO(KDBUS_IOCTL_MAGIC, 0xee), NULL);
	}
}

/* all commands but those whose bit is in @but give @want */
static void check_all(int fd, unsigned int but, int want, const char *what)
{
	int i;

	for (i = 0; i < C_N; i++)
		if (!(but & (1U << i)))
			kt_check_ret(command(fd, i), want, "%s on %s",
				     names[i], what);
}

START_TEST(control_states)
{
	char name[64];
	int fd = open_control();

	check_all(fd, 1U << C_MAKE, -ENOTTY, "a control handle");
	bus_name(name, sizeof(name));
	kt_check_ret(bus_try_make(fd, 0, name), 0, "BUS_MAKE");
	check_all(fd, 0, -EBADFD, "a bus owner");
}
END_TEST

START_TEST(endpoint_states)
{
	struct bus bus;
	int fd;

	bus_make(&bus, 0);
	fd = open_endpoint(&bus);
	check_all(fd, 1U << C_HELLO, -ENOTTY, "an endpoint handle");
	kt_check_ret(command(fd, C_HELLO), 0, "HELLO");
	kt_check_ret(command(fd, C_MAKE), -ENOTTY, "BUS_MAKE when connected");
	kt_check_ret(command(fd, C_HELLO), -ENOTTY, "HELLO when connected");
	kt_check_ret(command(fd, C_UNKNOWN), -ENOTTY,
		     "unknown command when connected");
	kt_check_ret(command(fd, C_RECV), -EAGAIN, "RECV when connected");
	kt_check_ret(command(fd, C_FREE), -ENXIO, "FREE when connected");
	kt_check_ret(command(fd, C_SEND), 0, "SEND to itself");
	kt_check_ret(command(fd, C_BYEBYE), -EBUSY, "BYEBYE, one message");
}
END_TEST

START_TEST(unused_handles_close)
{
	struct bus bus;
	struct conn c;
	int i;

	bus_make(&bus, 0);
	for (i = 0; i < 20; i++) {
		close(open_control());
		close(open_endpoint(&bus));
	}
	conn_open(&c, &bus, POOL);
	kt_check(c.id == 1, "closing unused handles took ids: %llu", c.id);
}
END_TEST

/* a failed BUS_MAKE leaves a handle that can still become a bus owner */
START_TEST(make_retry)
{
	char name[64];
	struct blob b;
	int fd = open_control();

	bus_name(name, sizeof(name));
	make_init(&b, 0);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_BUS_MAKE, &b), -EBADMSG, "no items");
	make_std(&b, 4, name);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_BUS_MAKE, &b), -EINVAL, "flags");
	kt_check_ret(bus_try_make(fd, 0, "nouid"), -EINVAL, "name");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_BUS_MAKE, NULL), -EFAULT, "NULL");
	check_all(fd, 1U << C_MAKE, -ENOTTY, "a control handle, retried");
	kt_check_ret(bus_try_make(fd, 0, name), 0, "at last");
}
END_TEST

START_TEST(hello_retry)
{
	struct bus bus;
	int fd;

	bus_make(&bus, 0);
	fd = open_endpoint(&bus);
	kt_check_ret(hello(fd, 0, 0), -EFAULT, "pool size 0");
	kt_check_ret(hello(fd, 1ULL << 40, POOL), -EINVAL, "flags");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO, NULL), -EFAULT, "NULL");
	check_all(fd, 1U << C_HELLO, -ENOTTY, "an endpoint handle, retried");
	kt_check_ret(hello(fd, 0, POOL), 0, "at last");
}
END_TEST

/* arguments are not looked at where the command does not belong */
START_TEST(state_before_argument)
{
	void *bad = (void *)(kt_unmapped() + 1);
	struct bus bus;
	struct conn c;
	unsigned int i;
	int control = open_control(), ep;

	bus_make(&bus, 0);
	ep = open_endpoint(&bus);
	conn_open(&c, &bus, POOL);
	conn_byebye(&c);
	for (i = 0; i < kt_n_cmds; i++) {
		const struct kt_cmd *cmd = &kt_cmds[i];

		kt_check_ret(kt_cmd(bus.fd, cmd->nr, bad), -EBADFD,
			     "%s on a bus owner", cmd->name);
		kt_check_ret(kt_cmd(c.fd, cmd->nr, bad), -ECONNRESET,
			     "%s when disconnected", cmd->name);
		if (cmd->on != KT_CONTROL)
			kt_check_ret(kt_cmd(control, cmd->nr, bad), -ENOTTY,
				     "%s on a control handle", cmd->name);
		if (cmd->on != KT_ENDPOINT)
			kt_check_ret(kt_cmd(ep, cmd->nr, bad), -ENOTTY,
				     "%s on an endpoint", cmd->name);
	}
}
END_TEST

START_TEST(disconnected_by_byebye)
{
	struct bus bus;
	struct conn c;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	kt_check_ret(conn_byebye(&c), 0, "BYEBYE");
	check_all(c.fd, 1U << C_BYEBYE, -ECONNRESET, "a connection after BYEBYE");
	kt_check_ret(conn_byebye(&c), -EALREADY, "second BYEBYE");
}
END_TEST

START_TEST(bus_dies)
{
	struct bus bus;
	struct conn c;
	int ep;

	bus_make(&bus, 0);
	ep = open_endpoint(&bus);
	conn_open(&c, &bus, POOL);
	bus_close(&bus);
	kt_check(open(bus.path, O_RDWR) < 0 && errno == ENOENT,
		 "open of a dead endpoint: %m");
	check_all(c.fd, 1U << C_BYEBYE, -ECONNRESET,
		  "a connection whose bus is dead");
	kt_check_ret(conn_byebye(&c), -EALREADY, "BYEBYE, dead bus");
	check_all(ep, 1U << C_HELLO, -ENOTTY, "an endpoint handle, dead bus");
	kt_check_ret(hello(ep, 0, POOL), -ESHUTDOWN, "HELLO, dead bus");
	kt_check_ret(hello(ep, 0, POOL), -ESHUTDOWN, "HELLO again, dead bus");
	kt_check_ret(hello(ep, 0, 0), -EFAULT, "bad pool size comes first");
}
END_TEST

START_TEST(duplicated_owner)
{
	struct bus bus;
	int fd;

	bus_make(&bus, 0);
	fd = dup(bus.fd);
	close(bus.fd);
	kt_check(path_exists(bus.path), "bus died though a dup is open");
	kt_check_ret(command(fd, C_MAKE), -EBADFD, "BUS_MAKE on the dup");
	close(fd);
	kt_check(!path_exists(bus.path), "bus lives after the last close");
}
END_TEST

START_TEST(duplicated_connection)
{
	struct bus bus;
	struct conn a, b;
	u64 off;
	int fd;

	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	fd = dup(b.fd);
	close(b.fd);
	b.fd = fd;
	kt_check_ret(conn_send_bytes(&a, b.id, 7, "x", 1), 0, "send");
	kt_check(conn_recv_msg(&b, &off)->cookie == 7, "cookie");
	kt_check_ret(conn_free(&b, off), 0, "free");
	close(fd);
	kt_check_ret(conn_send_bytes(&a, b.id, 8, "x", 1), -ENXIO,
		     "send after the last close");
}
END_TEST

static int child_uses(void *arg)
{
	struct conn *c = arg;
	u64 off;

	kt_check(conn_recv_msg(c, &off)->cookie == 5, "cookie in the child");
	kt_check_ret(conn_free(c, off), 0, "free in the child");
	kt_check_ret(conn_send_bytes(c, c->id, 6, "y", 1), 0,
		     "send in the child");
	return 0;
}

/* a connection belongs to the descriptor, not to the process */
START_TEST(inherited_connection)
{
	struct bus bus;
	struct conn c;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	kt_check_ret(conn_send_bytes(&c, c.id, 5, "x", 1), 0, "send");
	kt_run_as(0, 0, child_uses, &c);
	kt_check(conn_recv_msg(&c, NULL)->cookie == 6, "cookie");
}
END_TEST

static int child_makes_and_hellos(void *arg)
{
	int *fds = arg;
	char name[64];

	bus_name(name, sizeof(name));
	kt_check_ret(bus_try_make(fds[0], 0, name), 0, "BUS_MAKE in child");
	kt_check_ret(hello(fds[1], 0, POOL), 0, "HELLO in child");
	return 0;
}

START_TEST(transformed_by_child)
{
	struct bus bus;
	int fds[2];
	void *p;

	bus_make(&bus, 0);
	fds[0] = open_control();
	fds[1] = open_endpoint(&bus);
	kt_run_as(0, 0, child_makes_and_hellos, fds);
	check_all(fds[0], 0, -EBADFD, "a handle a child made a bus with");
	kt_check_ret(command(fds[1], C_HELLO), -ENOTTY, "HELLO after child's");
	kt_check_ret(command(fds[1], C_RECV), -EAGAIN, "RECV after child's");
	p = mmap(NULL, POOL, PROT_READ, MAP_SHARED, fds[1], 0);
	kt_check(p != MAP_FAILED, "mmap after child's HELLO: %m");
}
END_TEST

struct holder {
	struct bus bus;
	struct conn c;
	int ready[2], go[2];
};

static int child_holds(void *arg)
{
	struct holder *h = arg;
	char x;

	close(h->go[1]);
	if (write(h->ready[1], "x", 1) != 1)
		return 1;
	/* ends when the parent closes its end */
	return read(h->go[0], &x, 1) == 0 ? 0 : 1;
}

/* the last reference counts, in whichever process it is */
START_TEST(child_holds_last_reference)
{
	struct holder h;
	struct conn other;
	pid_t pid;
	char x;

	bus_make(&h.bus, 0);
	conn_open(&h.c, &h.bus, POOL);
	kt_assert(!pipe(h.ready) && !pipe(h.go), "pipe: %m");
	pid = kt_fork_as(0, 0, child_holds, &h);
	kt_assert(read(h.ready[0], &x, 1) == 1, "child not ready");
	close(h.c.fd);
	conn_open(&other, &h.bus, POOL);
	kt_check_ret(conn_send_bytes(&other, h.c.id, 1, "x", 1), 0,
		     "send to a connection only a child holds");
	close(h.bus.fd);
	kt_check(path_exists(h.bus.path), "bus died though a child holds it");
	close(h.go[1]);
	kt_check(kt_wait(pid) == 0, "child failed");
	kt_check(!path_exists(h.bus.path), "bus outlives its last holder");
	kt_check_ret(conn_send_bytes(&other, h.c.id, 1, "x", 1), -ECONNRESET,
		     "send on the dead bus");
}
END_TEST

static int child_sleeps(void *arg)
{
	struct holder *h = arg;

	bus_make(&h->bus, 0);
	conn_open(&h->c, &h->bus, POOL);
	if (write(h->ready[1], h->bus.name, sizeof(h->bus.name)) < 0)
		return 1;
	for (;;)
		pause();
}

START_TEST(killed_owner)
{
	struct holder h;
	pid_t pid;

	kt_assert(!pipe(h.ready), "pipe: %m");
	pid = kt_fork_as(0, 0, child_sleeps, &h);
	kt_assert(read(h.ready[0], h.bus.name, sizeof(h.bus.name)) > 0,
		  "child not ready");
	bus_paths(&h.bus);
	kt_check(path_exists(h.bus.path), "no %s", h.bus.path);
	kill(pid, SIGKILL);
	kt_check(kt_wait(pid) == 128 + SIGKILL, "child was not killed");
	kt_check(!path_exists(h.bus.dir), "bus outlives its killed owner");
}
END_TEST

/* numbers that differ from a command in one field are no commands */
START_TEST(ioctl_numbers)
{
	static const unsigned long wrong[] = {
		_IO(0x95, 0x00), _IOR(0x95, 0x00, struct kdbus_cmd_make),
		_IOWR(0x95, 0x00, struct kdbus_cmd_make),
		_IOW(0x95, 0x00, u64), _IOW(0x94, 0x00, struct kdbus_cmd_make),
		_IOW(0x95, 0x01, struct kdbus_cmd_make),
		_IO(0x95, 0x30), _IOW(0x95, 0x30, struct kdbus_cmd_hello),
		_IOR(0x95, 0x30, struct kdbus_cmd_hello),
		_IOWR(0x95, 0x30, u64), _IOWR(0x95, 0x2f, struct kdbus_cmd_hello),
		_IOR(0x95, 0x31, u64), _IOW(0x95, 0x31, u64),
		_IO(0x95, 0x32), _IO(0x95, 0x40),
		_IOW(0x95, 0x40, struct kdbus_msg),
		_IOWR(0x95, 0x40, struct kdbus_cmd_hello),
		_IOW(0x95, 0x41, struct kdbus_cmd_recv),
		_IOWR(0x95, 0x41, struct kdbus_cmd_free),
		_IOWR(0x95, 0x43, struct kdbus_cmd_free),
		_IOR(0x95, 0x43, struct kdbus_cmd_free),
		_IOW(0x95, 0x43, struct kdbus_cmd_recv),
		_IOW(0x95, 0x44, struct kdbus_cmd_free),
		_IOW(0xd5, 0x43, struct kdbus_cmd_free),
		_IO(0x95, 0xff), 0, ~0U,
	};
	struct bus bus;
	struct conn c;
	struct blob b;
	int control = open_control(), ep;
	size_t i;

	bus_make(&bus, 0);
	ep = open_endpoint(&bus);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		kt_check_ret(kt_cmd(control, wrong[i], &b), -ENOTTY,
			     "%#lx on control", wrong[i]);
		kt_check_ret(kt_cmd(ep, wrong[i], &b), -ENOTTY,
			     "%#lx on an endpoint", wrong[i]);
		kt_check_ret(kt_cmd(c.fd, wrong[i], &b), -ENOTTY,
			     "%#lx on a connection", wrong[i]);
	}
	kt_check_ret(conn_recv(&c, NULL), -EAGAIN, "nothing was sent");
}
END_TEST

/* every number of the magic that is no command of this interface */
START_TEST(ioctl_all_unused)
{
	static const u8 used[] = {
		0x00, 0x10, 0x20, 0x30, 0x31, 0x40, 0x41, 0x42, 0x43, 0x50,
		0x51, 0x52, 0x60, 0x61, 0x62, 0x71, 0x80, 0x81,
	};
	struct bus bus;
	struct conn c;
	struct blob b;
	unsigned int nr;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	for (nr = 0; nr < 256; nr++) {
		if (memchr(used, nr, sizeof(used)))
			continue;
		kt_check_ret(kt_cmd(c.fd, _IO(0x95, nr), &b), -ENOTTY,
			     "_IO %#x", nr);
		kt_check_ret(kt_cmd(c.fd, _IOWR(0x95, nr, struct kdbus_msg),
				    &b), -ENOTTY, "_IOWR %#x", nr);
	}
}
END_TEST

START_TEST(file_operations)
{
	char buf[16] = "";
	struct bus bus;
	struct conn c;
	struct {
		const char *name;
		int fd;
	} h[4];
	unsigned int i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	h[0].name = "control";
	h[0].fd = open_control();
	h[1].name = "bus owner";
	h[1].fd = bus.fd;
	h[2].name = "endpoint";
	h[2].fd = open_endpoint(&bus);
	h[3].name = "connection";
	h[3].fd = c.fd;
	for (i = 0; i < ARRAY_SIZE(h); i++) {
		int fd = h[i].fd;

		kt_check(read(fd, buf, 16) < 0 && errno == EINVAL,
			 "read of %s: %m", h[i].name);
		kt_check(write(fd, buf, 16) < 0 && errno == EINVAL,
			 "write to %s: %m", h[i].name);
		kt_check(lseek(fd, 100, SEEK_SET) == 0, "SEEK_SET on %s",
			 h[i].name);
		kt_check(lseek(fd, 100, SEEK_CUR) == 0, "SEEK_CUR on %s",
			 h[i].name);
		kt_check(lseek(fd, 0, SEEK_END) == 0, "SEEK_END on %s",
			 h[i].name);
	}
}
END_TEST

START_TEST(splice_refused)
{
	struct bus bus;
	struct conn c;
	int p[2];

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	kt_assert(!pipe(p), "pipe: %m");
	kt_assert(write(p[1], "x", 1) == 1, "write: %m");
	kt_check(splice(c.fd, NULL, p[1], NULL, 1, 0) < 0 && errno == EINVAL,
		 "splice from a connection: %m");
	kt_check(splice(p[0], NULL, c.fd, NULL, 1, 0) < 0 && errno == EINVAL,
		 "splice to a connection: %m");
}
END_TEST

KT_SUITE("handle")
{
	kt_test(control_states);
	kt_test(endpoint_states);
	kt_test(unused_handles_close);
	kt_test(make_retry);
	kt_test(hello_retry);
	kt_test(state_before_argument);
	kt_test(disconnected_by_byebye);
	kt_test(bus_dies);
	kt_test(duplicated_owner);
	kt_test(duplicated_connection);
	kt_test(inherited_connection);
	kt_test(transformed_by_child);
	kt_test(child_holds_last_reference);
	kt_test(killed_owner);
	kt_test(ioctl_numbers);
	kt_test(ioctl_all_unused);
	kt_test(file_operations);
	kt_test(splice_refused);
}
