// SPDX-License-Identifier: GPL-2.0-only
/* Faults while something is made: nodes, handles, connections, mappings */

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/fsuid.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fault-util.h"

#define NAME	"fault.name"
#define FAULT_STRANGER	1002	/* has no connection */

static struct fault_world w;

static int run_cmd(struct fault_world *w, unsigned long nr)
{
	return kt_cmd(w->fd, nr, &w->cmd);
}

static void close_fd(struct fault_world *w)
{
	kt_check(!close(w->fd), "close: %m");
	w->fd = -1;
}

/* ------------------------------------------------------------------------ */
/* Buses and domains */

static struct bus other;

static void make_before(struct fault_world *w)
{
	w->fd = open_control();
	if (!other.name[0])
		bus_name(other.name, sizeof(other.name));
	make_std(&w->cmd, KDBUS_MAKE_ACCESS_WORLD, other.name);
}

static int bus_call(struct fault_world *w)
{
	return run_cmd(w, KDBUS_CMD_BUS_MAKE);
}

static void bus_still(struct fault_world *w)
{
	(void)w;
	bus_paths(&other);
	kt_check(!path_exists(other.dir), "%s is there", other.dir);
}

static bool has_node(const char *path, mode_t mode, uid_t uid)
{
	struct stat st;

	if (lstat(path, &st)) {
		kt_check(false, "%s: %m", path);
		return false;
	}
	kt_check(st.st_mode == (S_IFCHR | mode) && st.st_uid == uid,
		 "%s: mode %#o of %u", path, st.st_mode, st.st_uid);
	return true;
}

static void bus_after(struct fault_world *w, bool fault)
{
	(void)fault;
	struct conn c;

	bus_paths(&other);
	if (has_node(other.path, 0666, FAULT_OWNER)) {
		conn_open(&c, &other, FAULT_POOL);
		conn_close(&c);
	}
	close_fd(w);
	bus_still(w);
}

static void domain_before(struct fault_world *w)
{
	w->fd = open_control();
	make_init(&w->cmd, 0);
	blob_add_str(&w->cmd, KDBUS_ITEM_MAKE_NAME, "fault");
}

static int domain_call(struct fault_world *w)
{
	return run_cmd(w, KDBUS_CMD_DOMAIN_MAKE);
}

static void domain_path(char *path, size_t size, const char *node)
{
	snprintf(path, size, "/dev/%s/domain/fault%s", kt_module, node);
}

static void domain_still(struct fault_world *w)
{
	char path[128];

	(void)w;
	domain_path(path, sizeof(path), "");
	kt_check(!path_exists(path), "%s is there", path);
}

static void domain_after(struct fault_world *w, bool fault)
{
	(void)fault;
	char path[128];
	int fd;

	domain_path(path, sizeof(path), "/control");
	if (has_node(path, 0600, 0)) {
		fd = open(path, O_RDWR | O_CLOEXEC);
		kt_assert(fd >= 0, "%s: %m", path);
		kt_check_ret(bus_try_make(fd, 0, "0-bus"), 0, "a bus in it");
		close(fd);
	}
	close_fd(w);
	domain_still(w);
}

START_TEST(bus)
{
	static const struct fault_scene s = {
		.name = "BUS_MAKE", .single = true, .errs = CAN_MEM | CAN_FAULT,
		.before = make_before, .call = bus_call,
		.still = bus_still, .after = bus_after,
	};

	fault_need();
	/* counted: 16 that are left behind would be noticed */
	kt_become(FAULT_OWNER);
	fault_run(&w, &s);
}
END_TEST

START_TEST(domain)
{
	static const struct fault_scene s = {
		.name = "DOMAIN_MAKE", .errs = CAN_MEM | CAN_FAULT,
		.before = domain_before, .call = domain_call,
		.still = domain_still, .after = domain_after,
	};

	fault_need();
	fault_run(&w, &s);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Endpoints */

static struct bus ep;

static void ep_before(struct fault_world *w)
{
	w->fd = open_endpoint(&w->bus);
	ep_paths(&ep, &w->bus, "faulty");
	make_init(&w->cmd, KDBUS_MAKE_ACCESS_WORLD);
	blob_add_str(&w->cmd, KDBUS_ITEM_MAKE_NAME, "faulty");
	policy_text(&w->cmd, "a.b w:o c.d u1000:t c.d.* g5:s w:s " NAME " w:o");
}

static int ep_call(struct fault_world *w)
{
	return run_cmd(w, KDBUS_CMD_ENDPOINT_MAKE);
}

static void ep_still(struct fault_world *w)
{
	(void)w;
	kt_check(!path_exists(ep.path), "%s is there", ep.path);
}

/* who may own NAME is asked on the endpoint */
static void check_owns(const struct bus *ep, int want, const char *when)
{
	struct conn c;

	kt_become(FAULT_OWNER);
	conn_open(&c, ep, FAULT_POOL);
	kt_check_ret(name_acquire(&c, NAME, 0), want, "%s", when);
	conn_close(&c);
	kt_become(0);
}

static void ep_after(struct fault_world *w, bool fault)
{
	(void)fault;
	if (has_node(ep.path, 0666, 0))
		check_owns(&ep, 0, "the policy was made");
	close_fd(w);
	ep_still(w);
}

/* a user that has made nothing yet pays for it */
static void ep_stranger_before(struct fault_world *w)
{
	ep_before(w);
	setfsuid(FAULT_STRANGER);
}

static void ep_stranger_after(struct fault_world *w, bool fault)
{
	(void)fault;
	setfsuid(0);
	if (has_node(ep.path, 0666, FAULT_STRANGER))
		check_owns(&ep, 0, "the policy was made");
	close_fd(w);
	ep_still(w);
}

static void update_before(struct fault_world *w)
{
	ep_before(w);
	kt_assert_ret(run_cmd(w, KDBUS_CMD_ENDPOINT_MAKE), 0, "ENDPOINT_MAKE");
	policy_update_init(&w->cmd, "a.b w:o x.y u1:t u2:s g3:o x.y.* w:t");
}

static int update_call(struct fault_world *w)
{
	return run_cmd(w, KDBUS_CMD_ENDPOINT_UPDATE);
}

static void update_still(struct fault_world *w)
{
	(void)w;
	check_owns(&ep, 0, "the old policy");
}

static void update_after(struct fault_world *w, bool fault)
{
	(void)fault;
	check_owns(&ep, -EPERM, "the new policy");
	close_fd(w);
}

static int open_call(struct fault_world *w)
{
	w->fd = open(w->bus.path, O_RDWR | O_CLOEXEC);
	return w->fd < 0 ? -errno : 0;
}

static void open_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check_ret(hello(w->fd, 0, FAULT_POOL), 0, "HELLO on it");
	close_fd(w);
}

START_TEST(endpoint)
{
	static const struct fault_scene scenes[] = {
		{ .name = "ENDPOINT_MAKE", .errs = CAN_MEM | CAN_FAULT,
		  .before = ep_before, .call = ep_call, .still = ep_still,
		  .after = ep_after },
		{ .name = "ENDPOINT_MAKE of another user",
		  .errs = CAN_MEM | CAN_FAULT, .before = ep_stranger_before,
		  .call = ep_call, .still = ep_still,
		  .after = ep_stranger_after },
		{ .name = "ENDPOINT_UPDATE", .errs = CAN_MEM | CAN_FAULT,
		  .before = update_before, .call = update_call,
		  .still = update_still, .after = update_after },
		{ .name = "open", .errs = CAN_MEM | CAN_FAULT,
		  .call = open_call, .after = open_after },
	};

	fault_world(&w);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Connections */

static void hello_start(struct fault_world *w, u64 flags)
{
	w->fd = open_endpoint(&w->bus);
	hello_init(&w->cmd, flags, FAULT_POOL);
}

static void ordinary_before(struct fault_world *w)
{
	hello_start(w, KDBUS_HELLO_ACCEPT_FD);
	blob_add_str(&w->cmd, KDBUS_ITEM_CONN_NAME, "faulty");
}

static void reserve_before(struct fault_world *w)
{
	hello_start(w, KDBUS_HELLO_EXT_RESERVE);
}

static void monitor_before(struct fault_world *w)
{
	hello_start(w, MONITOR);
}

static void activator_before(struct fault_world *w)
{
	hello_start(w, ACTIVATOR);
	policy_text(&w->cmd, NAME " u1001:o w:t");
}

static void holder_before(struct fault_world *w)
{
	hello_start(w, HOLDER);
	policy_text(&w->cmd, NAME " u1001:o w:t");
}

static void fake_before(struct fault_world *w)
{
	struct kdbus_creds c = { .uid = 5, .gid = 6 };

	hello_start(w, 0);
	blob_add(&w->cmd, KDBUS_ITEM_CREDS, &c, sizeof(c));
	blob_add_str(&w->cmd, KDBUS_ITEM_SECLABEL, "label");
}

/* a user about whom nothing is known: the last one may still be */
static void as_stranger(struct fault_world *w, u64 flags)
{
	static uid_t uid = FAULT_STRANGER;

	setfsuid(0);
	hello_start(w, flags);
	setfsuid(++uid);
}

/* not even where its notifications count */
static void stranger_before(struct fault_world *w)
{
	as_stranger(w, 0);
}

static void spy_before(struct fault_world *w)
{
	as_stranger(w, MONITOR);
}

static void user_before(struct fault_world *w)
{
	kt_become(FAULT_OTHER);
	hello_start(w, 0);
}

static int hello_call(struct fault_world *w)
{
	return run_cmd(w, KDBUS_CMD_HELLO);
}

/* the one thing that is not undone: its result cannot be written */
static bool hello_half(struct fault_world *w,
		       void (*before)(struct fault_world *w))
{
	if (fd_poll(w->fd, 0) & POLLHUP)
		return false;
	close_fd(w);
	before(w);
	return true;
}

#define HALF(kind)							\
static bool kind##_half(struct fault_world *w)				\
{									\
	return hello_half(w, kind##_before);				\
}
HALF(ordinary)
HALF(reserve)
HALF(monitor)
HALF(activator)
HALF(holder)
HALF(fake)
HALF(stranger)
HALF(spy)
HALF(user)

/* c[0] is another user: does policy let it have the name? */
static void named_still(struct fault_world *w)
{
	kt_check_ret(name_acquire(&w->c[0], NAME, 0), -EPERM, "no policy");
}

static void hello_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_become(0);
	kt_check(list_count(&w->watch, KDBUS_NAME_LIST_UNIQUE,
			    w->cmd.hello.id, NULL) == 1 ||
		 w->cmd.hello.flags & (ACTIVATOR | HOLDER | MONITOR),
		 "%llu is not listed", w->cmd.hello.id);
	close_fd(w);
}

static void named_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check_ret(name_acquire(&w->c[0], NAME, 0), 0, "policy lets it");
	kt_check_ret(name_release(&w->c[0], NAME), 0, "NAME_RELEASE");
	kt_check(name_owner(&w->watch, NAME, NULL) ==
		 (w->cmd.hello.flags & ACTIVATOR ? w->cmd.hello.id : 0),
		 "not the owner");
	close_fd(w);
}

static void count_users(struct fault_world *w)
{
	static int fds[300];
	unsigned int n = 0, i;
	int ret;

	kt_become(FAULT_OTHER);
	do {
		fds[n] = open_endpoint(&w->bus);
		ret = hello(fds[n++], 0, 4096);
	} while (!ret && n < ARRAY_SIZE(fds));
	kt_check_ret(ret, -EMFILE, "the last one");
	/* one is open already */
	kt_check(n == 256, "%u connections of a user", n);
	for (i = 0; i < n; i++)
		close(fds[i]);
	kt_become(0);
}

START_TEST(connection)
{
#define KIND(kind, then...)						\
	{ .name = "HELLO " #kind, .errs = CAN_MEM | CAN_FAULT,		\
	  .before = kind##_before, .call = hello_call,			\
	  .half = kind##_half, then }
	static const struct fault_scene scenes[] = {
		KIND(ordinary, .after = hello_after),
		KIND(reserve, .after = hello_after),
		KIND(monitor, .after = hello_after),
		KIND(activator, .still = named_still, .after = named_after),
		KIND(holder, .still = named_still, .after = named_after),
		KIND(fake, .after = hello_after),
		KIND(user, .single = true, .after = hello_after),
		KIND(stranger, .after = hello_after),
		KIND(spy, .after = hello_after),
	};

	allow_fds(512);
	fault_world(&w);
	fault_open(&w, 0, FAULT_OTHER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	count_users(&w);
	fault_end(&w);
}
END_TEST

static struct bus lonely;

static void lonely_before(struct fault_world *w)
{
	w->fd = open_endpoint(&lonely);
	hello_init(&w->cmd, 0, FAULT_POOL);
}
HALF(lonely)

static void lonely_after(struct fault_world *w, bool fault)
{
	(void)fault;
	close_fd(w);
}

/* the first pool there is needs a place for its file */
START_TEST(first_pool)
{
	static const struct fault_scene s = KIND(lonely, .single = true,
						 .after = lonely_after);

	fault_need();
	bus_of(&lonely, FAULT_OWNER);
	fault_run(&w, &s);
	bus_close(&lonely);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Mappings */

static int mmap_call(struct fault_world *w)
{
	w->map = mmap(NULL, FAULT_POOL, PROT_READ, MAP_SHARED, w->c[0].fd, 0);
	return w->map == MAP_FAILED ? -errno : 0;
}

static void mmap_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(*(volatile u8 *)w->map == 0, "not a zero");
	munmap(w->map, FAULT_POOL);
}

static sigjmp_buf escape;

static void on_sigbus(int sig)
{
	(void)sig;
	siglongjmp(escape, 1);
}

static void touch_before(struct fault_world *w)
{
	fault_open(w, 1, FAULT_OTHER, 0, 0);
}

/* not a system call, but a fault of another kind */
static int touch_call(struct fault_world *w)
{
	if (sigsetjmp(escape, 0))
		return -EFAULT;
	(void)*(volatile u8 *)(w->c[1].pool + KT_PAGE);
	return 0;
}

static void touch_after(struct fault_world *w, bool fault)
{
	/* tries again if it was not the limit of the memory cgroup */
	(void)fault;
	kt_check(!w->c[1].pool[KT_PAGE], "not a zero");
	fault_close(w, 1);
}

static void poll_before(struct fault_world *w)
{
	kt_check_ret(conn_send_bytes(&w->c[0], w->c[0].id, 1, NULL, 0), 0,
		     "send");
}

static int poll_call(struct fault_world *w)
{
	struct pollfd p = { .fd = w->c[0].fd, .events = POLLIN };
	int ret = poll(&p, 1, 0);

	return ret < 0 ? -errno : ret == 1 && p.revents == POLLIN ? 0 : -EIO;
}

static void poll_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(fault_take(&w->c[0]) == 1, "another message");
}

START_TEST(mapping)
{
	static const struct fault_scene scenes[] = {
		{ .name = "mmap", .errs = CAN_MEM, .call = mmap_call,
		  .after = mmap_after },
		{ .name = "first touch", .single = true,
		  .before = touch_before, .call = touch_call,
		  .after = touch_after },
		{ .name = "poll", .errs = CAN_MEM | CAN_FAULT,
		  .before = poll_before, .call = poll_call,
		  .after = poll_after },
	};
	struct sigaction sa = {
		.sa_handler = on_sigbus, .sa_flags = SA_NODEFER,
	};

	fault_world(&w);
	kt_assert(!sigaction(SIGBUS, &sa, NULL), "sigaction: %m");
	fault_open(&w, 0, FAULT_OWNER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

KT_SUITE_LATE("fault-make")
{
	kt_test_slow(bus, 180);
	kt_test_slow(domain, 180);
	kt_test_slow(endpoint, 180);
	kt_test_slow(first_pool, 180);
	kt_test_slow(connection, 180);
	kt_test_slow(mapping, 180);
}
