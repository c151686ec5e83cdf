// SPDX-License-Identifier: GPL-2.0-only
/* The uids of a user namespace are one user to limits, quotas and budgets */

#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "ns-world.h"
#include "policy-util.h"

#undef POOL
#define POOL	(256 * KIB)
#define USER	20351		/* owns namespaces */
#define PEER	20352		/* owns the bus and the receiver */
#define FIRST	300000U		/* what uid 0 of a namespace is outside */
#define COUNT	1000
#define FREE	16		/* messages that count for nobody */
#define SHARE	16		/* and those of a user beyond */
#define CONNS	256
#define BUSES	16

/* shared with processes in namespaces, as descriptors are */
static struct world {
	struct bus bus;
	struct conn c[300];
	unsigned int n;
	uid_t uid[4];		/* inside: who opens connections, in turn */
	unsigned int n_uids;
	unsigned int want;	/* how many of them */
	int ret;
} *w;

static struct conn receiver, holder;

static void prepare(void)
{
	w = mmap(NULL, sizeof(*w), PROT_READ | PROT_WRITE,
		 MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kt_assert(w != MAP_FAILED, "mmap: %m");
	allow_fds(1000);
	bus_of(&w->bus, PEER);
}

/* everybody may talk to it */
static void open_receiver(void)
{
	holder_open(&holder, &w->bus, "a.receiver u%u:o w:t", PEER);
	kt_become(PEER);
	kt_assert_ret(conn_try_open(&receiver, &w->bus, KDBUS_HELLO_ACCEPT_FD,
				    POOL), 0, "receiver");
	kt_assert_ret(name_acquire(&receiver, "a.receiver", 0), 0, "name");
	kt_become(0);
}

static void write_map(pid_t pid, const char *file, unsigned int first)
{
	char path[64], line[64];

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, file);
	snprintf(line, sizeof(line), "0 %u %u", first, COUNT);
	kt_assert(kt_write_file(path, line), "%s: %m", path);
}

static void enter(uid_t owner, const int *up, const int *down)
{
	char x = 'x';

	kt_assert(!setresgid(owner, owner, owner) &&
		  !setresuid(owner, owner, owner), "setresuid: %m");
	kt_assert(!unshare(CLONE_NEWUSER), "unshare: %m");
	kt_assert(write(up[1], &x, 1) == 1 && read(down[0], &x, 1) == 1,
		  "pipe: %m");
	kt_assert(!setresgid(0, 0, 0) && !setresuid(0, 0, 0),
		  "setresuid: %m");
}

/* as root of a new namespace of @owner, that has the uids from @first on */
static void run_below(uid_t owner, unsigned int first, int (*fn)(void *arg))
{
	int up[2], down[2];
	char x = 'x';
	pid_t pid;

	kt_assert(!pipe(up) && !pipe(down), "pipe: %m");
	pid = syscall(SYS_clone, CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);
	kt_assert(pid >= 0, "clone: %m");
	if (!pid) {
		enter(owner, up, down);
		_exit(fn(NULL));
	}
	kt_assert(read(up[0], &x, 1) == 1, "pipe: %m");
	write_map(pid, "uid_map", first);
	write_map(pid, "gid_map", first);
	kt_assert(write(down[1], &x, 1) == 1, "pipe: %m");
	kt_assert(!kt_wait(pid), "child in a namespace of uid %u", owner);
	close(up[0]);
	close(up[1]);
	close(down[0]);
	close(down[1]);
}

static void as_inside(uid_t uid)
{
	kt_assert(!seteuid(0) && !seteuid(uid), "seteuid(%u): %m", uid);
}

static int open_conns(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0, w->ret = 0; i < w->want && !w->ret; i++) {
		as_inside(w->uid[i % w->n_uids]);
		w->ret = conn_try_open(&w->c[w->n], &w->bus, 0, KT_PAGE);
		w->n += !w->ret;
	}
	return 0;
}

/* @n connections of uids 1, 2 and 3 of a namespace in turn */
static void open_below(uid_t owner, unsigned int first, unsigned int n)
{
	w->n_uids = 3;
	w->uid[0] = 1;
	w->uid[1] = 2;
	w->uid[2] = 3;
	w->want = n;
	run_below(owner, first, open_conns);
}

/* how many messages the receiver takes from it */
static unsigned int fill(struct conn *from)
{
	unsigned int n = 0;
	int ret;

	while (!(ret = conn_send_bytes(from, receiver.id, 1, "x", 1)))
		kt_assert(++n < 1000, "no limit");
	kt_check_ret(ret, -ENOBUFS, "message %u", n + 1);
	return n;
}

/* what each of the first three takes, the first also those that are free */
static void check_shares(unsigned int second, unsigned int third)
{
	unsigned int n[3], i;

	for (i = 0; i < 3; i++)
		n[i] = fill(&w->c[i]);
	kt_check(n[0] == FREE + SHARE, "first: %u messages", n[0]);
	kt_check(n[1] == second, "second: %u messages, not %u", n[1], second);
	kt_check(n[2] == third, "third: %u messages, not %u", n[2], third);
}

START_TEST(messages)
{
	struct conn outside;

	prepare();
	open_receiver();
	open_below(USER, FIRST, 3);
	check_shares(0, 0);
	user_open(&outside, &w->bus, USER);
	kt_check(fill(&outside) == 0, "the owner has a share beside them");
	user_open(&outside, &w->bus, USER + 100);
	kt_check(fill(&outside) == SHARE, "another user has not");
}
END_TEST

/* each namespace of a user has three uids for three connections */
START_TEST(several_namespaces)
{
	prepare();
	open_receiver();
	open_below(USER, FIRST, 1);
	open_below(USER, FIRST + COUNT, 1);
	open_below(USER + 100, FIRST + 2 * COUNT, 1);
	check_shares(0, SHARE);
}
END_TEST

static int open_nested(void *arg)
{
	(void)arg;
	w->n_uids = 1;
	w->want = 1;
	as_inside(5);
	w->uid[0] = 0;
	kt_assert(!ns_run(USR, 0, open_conns, NULL), "nested");
	as_inside(6);
	kt_assert(!ns_run(USR, 0, open_conns, NULL), "nested");
	as_inside(0);
	w->uid[0] = 7;
	return open_conns(NULL);
}

START_TEST(nested)
{
	prepare();
	open_receiver();
	run_below(USER, FIRST, open_nested);
	check_shares(0, 0);
}
END_TEST

/* root makes them for others, which are several */
START_TEST(namespaces_of_root)
{
	prepare();
	open_receiver();
	open_below(0, FIRST, 2);
	open_below(0, FIRST + COUNT, 1);
	check_shares(0, SHARE);
}
END_TEST

START_TEST(connections)
{
	struct conn outside;

	prepare();
	open_below(USER, FIRST, CONNS + 1);
	kt_check_ret(w->ret, -EMFILE, "connection %u", w->n + 1);
	kt_check(w->n == CONNS, "%u connections", w->n);
	kt_become(USER);
	kt_check_ret(conn_try_open(&outside, &w->bus, 0, KT_PAGE), -EMFILE,
		     "the owner, outside");
	kt_become(0);
	user_open(&outside, &w->bus, FIRST + 1);
	close(w->c[7].fd);
	user_open(&outside, &w->bus, USER);
}
END_TEST

static int make_buses(void *arg)
{
	unsigned int i;
	char name[64];

	(void)arg;
	for (w->n = 0, w->ret = 0; !w->ret && w->n < BUSES + 1; w->n++) {
		i = 1 + w->n % 3;
		as_inside(i);
		snprintf(name, sizeof(name), "%u-kt-%d-%u", FIRST + i,
			 getpid(), w->n);
		w->ret = bus_try_make(open_control(), 0, name);
	}
	return 0;
}

START_TEST(buses)
{
	prepare();
	run_below(USER, FIRST, make_buses);
	kt_check(w->n == BUSES + 1 && w->ret == -EMFILE, "%u buses, then %s",
		 w->n - 1, kt_err(w->ret));
}
END_TEST

static int send_fds(struct conn *from, unsigned int n)
{
	int fds[100] = { 0 };
	struct blob m;

	msg_init(&m, receiver.id, 1);
	msg_fds(&m, fds, n);
	return conn_send(from, &m);
}

START_TEST(descriptors)
{
	struct rlimit lim = { .rlim_cur = 100, .rlim_max = 1000 };

	prepare();
	open_receiver();
	open_below(USER, FIRST, 3);
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");
	kt_drop_caps();
	kt_check_ret(send_fds(&w->c[0], 60), 0, "60");
	kt_check_ret(send_fds(&w->c[1], 41), -ETOOMANYREFS, "101");
	kt_check_ret(send_fds(&w->c[2], 40), 0, "100");
}
END_TEST

static int own_bus(void *arg)
{
	char name[64];

	(void)arg;
	as_inside(1);
	snprintf(name, sizeof(name), "%u-kt-%d", FIRST + 1, getpid());
	snprintf(w->bus.name, sizeof(w->bus.name), "%s", name);
	w->bus.fd = open_control();
	kt_assert_ret(bus_try_make(w->bus.fd, KDBUS_MAKE_ACCESS_WORLD, name),
		      0, "BUS_MAKE inside");
	bus_paths(&w->bus);
	w->n_uids = 3;
	w->uid[0] = 1;
	w->uid[1] = 2;
	w->uid[2] = 3;
	w->want = 3;
	open_conns(NULL);
	/* and one of a namespace inside, with the same uid */
	as_inside(2);
	w->n_uids = 1;
	w->uid[0] = 0;
	w->want = 1;
	kt_assert(!ns_run(USR, 0, open_conns, NULL), "nested");
	return 0;
}

/* on a bus of its own, a container has users */
START_TEST(bus_of_a_container)
{
	struct conn extra;

	prepare();
	run_below(0, FIRST, own_bus);
	kt_assert_ret(w->ret, 0, "HELLO inside");
	kt_assert(w->n == 4, "%u connections", w->n);
	holder_open(&holder, &w->bus, "a.receiver u%u:o w:t", PEER);
	user_open(&receiver, &w->bus, PEER);
	kt_assert_ret(name_acquire(&receiver, "a.receiver", 0), 0, "name");
	check_shares(SHARE, SHARE);
	kt_check(fill(&w->c[3]) == 0, "the namespace has a share of its own");
	user_open(&extra, &w->bus, USER);
	kt_check(fill(&extra) == SHARE, "who comes from outside");
}
END_TEST

KT_SUITE("claimant")
{
	kt_test(messages);
	kt_test(several_namespaces);
	kt_test(nested);
	kt_test(namespaces_of_root);
	kt_test(connections);
	kt_test(buses);
	kt_test(descriptors);
	kt_test(bus_of_a_container);
}
