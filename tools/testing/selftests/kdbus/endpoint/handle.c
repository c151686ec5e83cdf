// SPDX-License-Identifier: GPL-2.0-only
/* Custom endpoints: the descriptor that made one, and others to its node */

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(64 * KIB)
#define OWNER	20215
#define USER	20216

static struct bus bus, ep;

/* whoever has the descriptor may use it */
static int update_fn(void *arg)
{
	(void)arg;
	kt_check_ret(ep_update(&ep, "foo.bar w:o"), 0, "update");
	return 0;
}

START_TEST(update_needs_no_privilege)
{
	struct conn c;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	conn_open(&c, &ep, POOL);
	kt_check_ret(name_acquire(&c, "foo.bar", 0), -EPERM, "before");
	user_run(USER, update_fn, NULL);
	kt_check_ret(name_acquire(&c, "foo.bar", 0), 0, "after");
}
END_TEST

static const unsigned long others[] = {
	KDBUS_CMD_BUS_MAKE, KDBUS_CMD_DOMAIN_MAKE, KDBUS_CMD_ENDPOINT_MAKE,
	KDBUS_CMD_HELLO, KDBUS_CMD_BYEBYE, KDBUS_CMD_MSG_SEND,
	KDBUS_CMD_MSG_RECV, KDBUS_CMD_MSG_CANCEL, KDBUS_CMD_FREE,
	KDBUS_CMD_NAME_ACQUIRE, KDBUS_CMD_NAME_RELEASE, KDBUS_CMD_NAME_LIST,
	KDBUS_CMD_CONN_INFO, KDBUS_CMD_CONN_UPDATE,
	KDBUS_CMD_BUS_CREATOR_INFO, KDBUS_CMD_MATCH_ADD,
	KDBUS_CMD_MATCH_REMOVE, 0x9599, 0x40189572, 0xc0189571, 0x40209571,
};

START_TEST(owner_state)
{
	struct blob b;
	size_t i;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		kt_check_ret(kt_cmd(ep.fd, others[i], NULL), -ENOTTY,
			     "command %#lx", others[i]);
		hello_init(&b, 0, 4096);
		kt_check_ret(kt_cmd(ep.fd, others[i], &b), -ENOTTY,
			     "command %#lx", others[i]);
	}
	kt_check(fd_poll(ep.fd, 0) == (POLLERR | POLLHUP), "poll: %#x",
		 fd_poll(ep.fd, 0));
	kt_check_ret(ep_update(&ep, "foo.bar"), 0, "update");
}
END_TEST

START_TEST(update_elsewhere)
{
	struct conn c, h;
	struct blob b;
	int fd;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	conn_open(&c, &ep, POOL);
	holder_open(&h, &bus, "foo.bar");
	policy_update_init(&b, "foo.bar");
	fd = open_control();
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), -ENOTTY,
		     "control");
	kt_check_ret(kt_cmd(bus.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), -EBADFD,
		     "bus owner");
	fd = open_endpoint(&ep);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), -ENOTTY,
		     "not connected");
	kt_check_ret(kt_cmd(c.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), -ENOTTY,
		     "connected");
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), -ENOTTY,
		     "policy holder");
	kt_check_ret(conn_byebye(&c), 0, "BYEBYE");
	kt_check_ret(kt_cmd(c.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b),
		     -ECONNRESET, "disconnected");
}
END_TEST

/* the other endpoints of a bus are no business of it, nor their end */
START_TEST(another_one_ends)
{
	struct conn a, b;
	struct bus ep2;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	ep_make(&ep2, &bus, "foo.bar w:o");
	bus_close(&ep);
	kt_check(path_exists(ep2.path), "died with the other");
	conn_open(&a, &ep2, POOL);
	conn_open(&b, &bus, POOL);
	kt_check_ret(name_acquire(&a, "foo.bar", 0), 0, "its own policy");
	kt_check_ret(send_name(&b, "foo.bar", 1), 0, "the same bus");
	kt_check(conn_drain(&a) == 1, "no message");
}
END_TEST

/* names are unique on a bus, not beyond */
START_TEST(same_name_elsewhere)
{
	struct bus bus2, ep2;

	bus_of(&bus, OWNER);
	bus_of(&bus2, OWNER);
	kt_check_ret(ep_try_make(&ep, &bus, 0, "name", NO_POLICY), 0, "1");
	kt_check_ret(ep_try_make(&ep2, &bus2, 0, "name", NO_POLICY), 0, "2");
	bus_close(&ep);
	kt_check(path_exists(ep2.path), "closed the wrong one");
}
END_TEST

START_TEST(unconnected_handles)
{
	struct blob b;
	int fd[2], i;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	fd[0] = open_endpoint(&ep);
	fd[1] = open_endpoint(&bus);
	bus_close(&ep);
	kt_check_ret(hello(fd[0], 0, 4096), -ESHUTDOWN, "HELLO");
	bus_close(&bus);
	for (i = 0; i < 2; i++)
		kt_check_ret(hello(fd[i], 0, 4096), -ESHUTDOWN, "HELLO");
	hello_init(&b, HOLDER, 4096);
	policy_text(&b, "foo.bar w:o");
	kt_check_ret(kt_cmd(fd[1], KDBUS_CMD_HELLO, &b), -ESHUTDOWN,
		     "HELLO of a policy holder");
	make_init(&b, 0);
	kt_check_ret(kt_cmd(fd[1], KDBUS_CMD_ENDPOINT_MAKE, &b), -EBADMSG,
		     "no name, dead bus");
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "another");
	kt_check_ret(kt_cmd(fd[1], KDBUS_CMD_ENDPOINT_MAKE, &b), -ESHUTDOWN,
		     "ENDPOINT_MAKE on a dead bus");
	make_init(&b, 0);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "bus");
	policy_text(&b, "w:o");
	kt_check_ret(kt_cmd(fd[1], KDBUS_CMD_ENDPOINT_MAKE, &b), -ESHUTDOWN,
		     "taken name, bad policy, dead bus");
}
END_TEST

/* the last reference counts, wherever it is */
static int child_fn(void *arg)
{
	char c;

	return read(*(int *)arg, &c, 1) != 0;
}

START_TEST(last_close)
{
	struct conn c;
	int fd, pipes[2];
	pid_t pid;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	conn_open(&c, &ep, POOL);
	fd = fcntl(ep.fd, F_DUPFD_CLOEXEC, 0);
	bus_close(&ep);
	kt_check(path_exists(ep.path), "there is a duplicate");
	kt_check_ret(conn_recv(&c, NULL), -EAGAIN, "it lives");
	kt_assert(!pipe2(pipes, O_CLOEXEC), "pipe: %m");
	/* the child has the descriptor, and ends when the pipe does */
	pid = fork();
	kt_assert(pid >= 0, "fork: %m");
	if (!pid) {
		close(pipes[1]);
		_exit(child_fn(pipes));
	}
	close(fd);
	kt_check(path_exists(ep.path), "there is a child");
	kt_check_ret(conn_recv(&c, NULL), -EAGAIN, "it lives");
	close(pipes[1]);
	kt_check(kt_wait(pid) == 0, "child");
	kt_check(!path_exists(ep.path), "the node stays");
	kt_check_ret(conn_recv(&c, NULL), -ECONNRESET, "it is dead");
}
END_TEST

KT_SUITE("ep-handle")
{
	kt_test(update_needs_no_privilege);
	kt_test(owner_state);
	kt_test(update_elsewhere);
	kt_test(another_one_ends);
	kt_test(same_name_elsewhere);
	kt_test(unconnected_handles);
	kt_test(last_close);
}
