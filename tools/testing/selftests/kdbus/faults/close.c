// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults while something ends. That cannot fail; what may be missing are
 * notifications, as for receivers without room.
 */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fault-util.h"

#define NAME	"fault.name"
#define QUEUED	3

/* connections that stay; the one that ends is apart */
enum { STAYS, ACT };

static struct fault_world w;
static struct conn gone;

static int close_call(struct fault_world *w)
{
	return close(w->fd) ? -errno : 0;
}

static int byebye_call(struct fault_world *w)
{
	return kt_cmd(w->fd, KDBUS_CMD_BYEBYE, NULL);
}

/* with its mapping gone: its descriptor is what ends it */
static void open_gone(struct fault_world *w, u64 flags)
{
	memset(&gone, 0, sizeof(gone));
	kt_become(FAULT_OWNER);
	if (flags & ACTIVATOR)
		activator_open(&gone, &w->bus, 0, NAME, FAULT_POOL);
	else
		kt_assert_ret(conn_try_open(&gone, &w->bus, flags, FAULT_POOL),
			      0, "HELLO");
	kt_become(0);
	munmap(gone.pool, gone.pool_size);
	w->fd = gone.fd;
}

static void check_gone(struct fault_world *w)
{
	kt_check_ret(info_id(&w->watch, gone.id), -ENXIO, "it is there");
}

static void take_over(struct fault_world *w)
{
	kt_check(name_owner(&w->watch, NAME, NULL) == w->c[STAYS].id,
		 "who waited is not the owner");
	kt_check_ret(name_release(&w->c[STAYS], NAME), 0, "NAME_RELEASE");
}

/* messages with files, requests in both directions, matches, a name */
static void busy_before(struct fault_world *w)
{
	static const int fds[] = { 0, 1, 2 };
	struct blob b;
	u64 i;

	open_gone(w, KDBUS_HELLO_ACCEPT_FD);
	match_all(&gone);
	kt_check_ret(name_acquire(&gone, NAME, 0), 0, "NAME_ACQUIRE");
	kt_check_ret(name_acquire(&w->c[STAYS], NAME, QUEUE), 0, "QUEUE");
	for (i = 1; i <= QUEUED; i++) {
		request_init(&b, gone.id, NULL, i, NEVER);
		msg_fds(&b, fds, ARRAY_SIZE(fds));
		kt_check_ret(conn_send(&w->c[STAYS], &b), 0, "request");
		kt_check_ret(request(&gone, gone.id, i, NEVER), 0, "to itself");
	}
}

static void busy_after(struct fault_world *w, bool fault)
{
	unsigned int n = conn_drain(&w->c[STAYS]);

	check_gone(w);
	kt_check(n == QUEUED || (fault && n < QUEUED), "told %u times", n);
	take_over(w);
}

static void idle_before(struct fault_world *w)
{
	open_gone(w, 0);
	match_casts(&gone);
	kt_check_ret(name_acquire(&gone, NAME, 0), 0, "NAME_ACQUIRE");
	kt_check_ret(name_acquire(&w->c[STAYS], NAME, QUEUE), 0, "QUEUE");
}

static void idle_after(struct fault_world *w, bool fault)
{
	(void)fault;
	check_gone(w);
	take_over(w);
	kt_check(!close(w->fd), "close: %m");
}

/* name and messages go to the activator; what memory is short for is thrown away */
static void served_before(struct fault_world *w)
{
	u64 i;

	kt_become(FAULT_OWNER);
	activator_open(&w->c[ACT], &w->bus, 0, NAME, FAULT_POOL);
	kt_become(0);
	open_gone(w, 0);
	kt_check_ret(name_acquire(&gone, NAME, 0), 0, "NAME_ACQUIRE");
	for (i = 1; i <= QUEUED; i++)
		kt_check_ret(request_name(&w->c[STAYS], NAME, i, NEVER), 0,
			     "request %llu", i);
}

static void served_after(struct fault_world *w, bool fault)
{
	u64 id = name_owner(&w->watch, NAME, NULL);
	unsigned int moved = fault_drop(&w->c[ACT]), told;

	check_gone(w);
	kt_check(id == w->c[ACT].id, "owner %llu", id);
	kt_check(moved == QUEUED || (fault && moved < QUEUED), "%u moved",
		 moved);
	told = conn_drain(&w->c[STAYS]);
	kt_check(told == QUEUED || (fault && told < QUEUED), "told %u times",
		 told);
	fault_close(w, ACT);
}

static void activator_before(struct fault_world *w)
{
	open_gone(w, ACTIVATOR);
	kt_check_ret(request_name(&w->c[STAYS], NAME, 1, NEVER), 0, "request");
}

static void monitor_before(struct fault_world *w)
{
	open_gone(w, MONITOR);
	kt_check_ret(conn_send_bytes(&w->c[STAYS], w->c[STAYS].id, 1, NULL, 0),
		     0, "a message");
}

static void told_after(struct fault_world *w, bool fault)
{
	unsigned int n = conn_drain(&w->c[STAYS]);

	check_gone(w);
	kt_check(n == 1 || (fault && !n), "%u messages", n);
	kt_check(!name_owner(&w->watch, NAME, NULL), "there is an owner");
}

START_TEST(connections)
{
	static const struct fault_scene scenes[] = {
		{ .name = "close with messages", .quiet = true,
		  .before = busy_before, .call = close_call,
		  .after = busy_after },
		{ .name = "BYEBYE", .quiet = true, .before = idle_before,
		  .call = byebye_call, .after = idle_after },
		{ .name = "close, back to an activator", .quiet = true,
		  .before = served_before, .call = close_call,
		  .after = served_after },
		{ .name = "close of an activator", .quiet = true,
		  .before = activator_before, .call = close_call,
		  .after = told_after },
		{ .name = "close of a monitor", .quiet = true,
		  .before = monitor_before, .call = close_call,
		  .after = told_after },
	};

	fault_world(&w);
	fault_open(&w, STAYS, FAULT_OWNER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Buses, endpoints, domains, with somebody connected */

static struct bus tree;
static struct conn peers[3];

static void connect_peers(const struct bus *ep)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		conn_open(&peers[i], ep, FAULT_POOL);
		match_all(&peers[i]);
	}
}

static void use_peers(void)
{
	u64 id = peers[1].id;

	kt_check_ret(name_acquire(&peers[0], NAME, 0), 0, "NAME_ACQUIRE");
	kt_check_ret(name_acquire(&peers[1], NAME, QUEUE), 0, "QUEUE");
	kt_check_ret(request(&peers[0], id, 1, NEVER), 0, "request");
	kt_check_ret(cast(&peers[0], 2), 0, "broadcast");
}

static void check_tree(const char *path)
{
	unsigned int i;

	kt_check(!path_exists(path), "%s is there", path);
	for (i = 0; i < ARRAY_SIZE(peers); i++) {
		kt_check(fd_poll(peers[i].fd, 0) == (POLLERR | POLLHUP),
			 "connection %u is alive", i);
		conn_close(&peers[i]);
	}
}

static void bus_before(struct fault_world *w)
{
	bus_make(&tree, 0);
	connect_peers(&tree);
	use_peers();
	w->fd = tree.fd;
}

static void bus_after(struct fault_world *w, bool fault)
{
	(void)fault;
	(void)w;
	check_tree(tree.dir);
}

static void ep_before(struct fault_world *w)
{
	kt_assert_ret(ep_try_make(&tree, &w->bus, 0, "faulty", NAME " w:o"), 0,
		      "ENDPOINT_MAKE");
	connect_peers(&tree);
	/* what policy lets them do here */
	kt_check_ret(name_acquire(&peers[0], NAME, 0), 0, "NAME_ACQUIRE");
	kt_check_ret(name_acquire(&peers[1], NAME, QUEUE), 0, "QUEUE");
	kt_check_ret(send_id(&peers[1], peers[0].id), 0, "message");
	w->fd = tree.fd;
}

static void ep_after(struct fault_world *w, bool fault)
{
	(void)fault;
	(void)w;
	check_tree(tree.path);
}

static void domain_before(struct fault_world *w)
{
	static struct blob b;
	char path[128];

	w->fd = open_control();
	make_init(&b, 0);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "fault");
	kt_assert_ret(kt_cmd(w->fd, KDBUS_CMD_DOMAIN_MAKE, &b), 0,
		      "DOMAIN_MAKE");
	snprintf(path, sizeof(path), "/dev/%s/domain/fault/control", kt_module);
	tree.fd = open(path, O_RDWR | O_CLOEXEC);
	kt_assert(tree.fd >= 0, "%s: %m", path);
	kt_assert_ret(bus_try_make(tree.fd, 0, "0-bus"), 0, "BUS_MAKE");
	snprintf(tree.path, sizeof(tree.path), "/dev/%s/domain/fault/0-bus/bus",
		 kt_module);
	connect_peers(&tree);
	use_peers();
}

static void domain_after(struct fault_world *w, bool fault)
{
	(void)fault;
	char path[128];

	(void)w;
	snprintf(path, sizeof(path), "/dev/%s/domain/fault", kt_module);
	check_tree(path);
	bus_close(&tree);
}

START_TEST(trees)
{
	static const struct fault_scene scenes[] = {
		{ .name = "close of a bus", .quiet = true,
		  .before = bus_before, .call = close_call,
		  .after = bus_after },
		{ .name = "close of an endpoint", .quiet = true,
		  .before = ep_before, .call = close_call,
		  .after = ep_after },
		{ .name = "close of a domain", .quiet = true,
		  .before = domain_before, .call = close_call,
		  .after = domain_after },
	};

	fault_world(&w);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

KT_SUITE_LATE("fault-close")
{
	kt_test_slow(connections, 180);
	kt_test_slow(trees, 180);
}
