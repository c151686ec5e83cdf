// SPDX-License-Identifier: GPL-2.0-only
/* Metadata is that of the moment: what changes shows in the next message */

#include <fcntl.h>
#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta-util.h"

#define USER	20211
#define GROUP	20212

static struct bus bus;
static struct conn a, b;	/* a sends */
static struct facts *facts;
static u64 cookie;

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, NULL);
	meta_open(&b, &bus, mask, NULL);
	facts = facts_new();
}

static void compare(u64 bits)
{
	facts_now(facts);
	send_ok(&a, &b, ++cookie);
	facts_recv(facts, &b, cookie, bits, 0);
}

START_TEST(identity)
{
	prepare(TASK);
	compare(TASK);
	kt_assert(!setgroups(2, (gid_t[]) { 7, 8 }), "setgroups: %m");
	compare(TASK);
	kt_assert(!setresgid(GROUP, -1, -1), "setresgid: %m");
	compare(TASK);
	kt_assert(!setgroups(0, NULL), "setgroups: %m");
	compare(TASK);
	kt_assert(!setresuid(USER, 0, 0), "setresuid: %m");
	compare(TASK);
	kt_drop_caps();
	compare(TASK);
	kt_assert(!setresuid(USER, USER, USER), "setresuid: %m");
	/* neither is this root's connection any more, nor is it the owner's */
	compare(TASK);
}
END_TEST

START_TEST(comm)
{
	prepare(TID_COMM | PID_COMM);
	compare(TID_COMM | PID_COMM);
	prctl(PR_SET_NAME, "first");
	compare(TID_COMM | PID_COMM);
	prctl(PR_SET_NAME, "the second");
	compare(TID_COMM | PID_COMM);
	kt_assert(kt_write_file("/proc/self/comm", "from outside"), "comm: %m");
	compare(TID_COMM | PID_COMM);
}
END_TEST

/* as a program does that shows its state in ps */
START_TEST(args_overwritten)
{
	char *args;

	prepare(CMDLINE);
	compare(CMDLINE);
	args = (char *)(uintptr_t)stat_field(48);
	args[0] ^= 0x20;
	compare(CMDLINE);
	memset(args, 'x', stat_field(49) - stat_field(48));
	compare(CMDLINE);
}
END_TEST

static void expect_names(const char *const *names, const u64 *flags)
{
	struct meta m;

	send_ok(&a, &b, ++cookie);
	meta_recv(&b, cookie, &m);
	meta_expect_names(&m, names, flags);
}

START_TEST(names)
{
	const char *const none[] = { NULL };
	const char *const one[] = { "foo.bar", NULL };
	const char *const two[] = { "foo.bar", "foo.baz", NULL };
	const u64 flags[] = { ALLOW, 0 };
	struct conn c, act;

	prepare(NAMES);
	meta_open(&c, &bus, 0, NULL);
	expect_names(none, flags);
	kt_assert_ret(name_acquire(&a, "foo.bar", ALLOW), 0, "acquire");
	expect_names(one, flags);
	kt_assert_ret(name_acquire(&a, "foo.baz", 0), 0, "acquire");
	expect_names(two, flags);
	kt_assert_ret(name_release(&a, "foo.baz"), 0, "release");
	expect_names(one, flags);
	kt_assert_ret(name_acquire(&c, "foo.bar", REPLACE), 0, "replace");
	expect_names(none, flags);
	kt_assert_ret(name_release(&c, "foo.bar"), 0, "release");
	/* taken over from an activator, and given back */
	activator_open(&act, &bus, 0, "foo.bar", 65536);
	expect_names(none, flags);
	kt_assert_ret(name_acquire(&a, "foo.bar", ALLOW), 0, "acquire");
	expect_names(one, flags);
	kt_assert_ret(name_release(&a, "foo.bar"), 0, "release");
	expect_names(none, flags);
}
END_TEST

static void *thread_fn(void *arg)
{
	prctl(PR_SET_NAME, arg);
	compare(TASK);
	return NULL;
}

static int child_fn(void *arg)
{
	(void)arg;
	compare(TASK);
	return 0;
}

/* the connection is one, the senders are many */
START_TEST(many_senders)
{
	int i;

	prepare(TASK);
	for (i = 0; i < 3; i++) {
		compare(TASK);
		kt_join(kt_thread(thread_fn, i & 1 ? "odd" : "even"));
		kt_run_as(0, 0, child_fn, NULL);
		kt_run_as(USER + i, GROUP, child_fn, NULL);
	}
}
END_TEST

static int child_mask(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "a child");
	*(char *)(uintptr_t)stat_field(48) ^= 0x20;
	facts_now(facts);
	send_ok(&a, &b, 78);
	return 0;
}

/* whatever is remembered of one sender is not told about another */
START_TEST(each_kind_of_many)
{
	char *const argv[] = { "quite", "other", "arguments", NULL };
	struct prog p = { .argv = argv, .facts = facts_new() };
	char path[64];
	int bit;

	prepare(0);
	snprintf(path, sizeof(path), "/tmp/kt-%d", getpid());
	prog_copy(path);
	p.path = path;
	for (bit = 0; bit < N_ATTACH; bit++) {
		u64 mask = 1ULL << bit & TASK;

		if (!mask)
			continue;
		update_mask(&b, mask);
		compare(mask);
		prog_run(&p, &a, b.id, 77);
		facts_recv(p.facts, &b, 77, mask, 0);
		compare(mask);
		kt_run_as(USER, GROUP, child_mask, &mask);
		facts_recv(facts, &b, 78, mask, 0);
		compare(mask);
	}
	unlink(path);
}
END_TEST

static void *unshare_fn(void *arg)
{
	kt_assert(!unshare(CLONE_FS), "unshare: %m");
	kt_assert(!chroot(arg), "chroot: %m");
	send_ok(&a, &b, 2);
	return NULL;
}

/* the root directory of the thread that sends */
START_TEST(root_directory)
{
	int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	char dir[64], exe[4096];
	struct meta m;
	ssize_t n;

	prepare(EXE);
	kt_assert(proc >= 0, "/proc: %m");
	snprintf(dir, sizeof(dir), "/tmp/kt-%d", getpid());
	kt_assert(!mkdir(dir, 0755), "mkdir: %m");
	compare(EXE);
	kt_join(kt_thread(unshare_fn, dir));
	compare(EXE);
	kt_assert(!chroot(dir), "chroot: %m");
	n = readlinkat(proc, "self/exe", exe, sizeof(exe) - 1);
	kt_assert(n > 0, "readlink: %m");
	exe[n] = '\0';
	send_ok(&a, &b, 3);
	kt_assert(!fchdir(proc) && !chroot(".."), "back: %m");
	rmdir(dir);
	meta_recv(&b, 2, &m);
	meta_expect_str(&m, KDBUS_ITEM_EXE, exe);
	meta_recv(&b, 3, &m);
	meta_expect_str(&m, KDBUS_ITEM_EXE, exe);
}
END_TEST

START_TEST(exec)
{
	struct prog p = { .facts = facts_new() };
	char path[64];

	prepare(TASK);
	snprintf(path, sizeof(path), "/tmp/kt-%d", getpid());
	prog_copy(path);
	p.path = path;
	compare(TASK);
	prog_run(&p, &a, b.id, 7);
	unlink(path);
	kt_check(strcmp(p.facts->exe, facts->exe), "test bug");
	kt_check(strcmp(p.facts->tid_comm, facts->tid_comm), "test bug");
	facts_recv(p.facts, &b, 7, TASK, 0);
	compare(TASK);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Control groups */

static void move_to(const char *dir)
{
	char path[128], pid[16];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", getpid());
	kt_assert(kt_write_file(path, pid), "%s: %m", path);
}

/* in a new group of the unified hierarchy */
static void compare_group(const char *want)
{
	const char *top = "/sys/fs/cgroup";
	char dir[96], name[32];
	struct meta m;

	snprintf(name, sizeof(name), "/kt-%d", getpid());
	snprintf(dir, sizeof(dir), "%s%s", top, name);
	if (mkdir(dir, 0755))
		kt_skip("no control group can be made: %m");
	move_to(dir);
	facts_now(facts);
	send_ok(&a, &b, 7);
	meta_recv(&b, 7, &m);
	move_to(top);
	rmdir(dir);
	facts_expect(facts, &m, CGROUP, 0, "in the group");
	meta_expect_str(&m, KDBUS_ITEM_CGROUP, want ?: name);
	compare(CGROUP);
}

static bool only_unified(void)
{
	char buf[1024];

	return kt_read_file("/proc/self/cgroup", buf, sizeof(buf)) > 0 &&
	       !strcmp(buf, "0::/\n");
}

START_TEST(cgroup)
{
	prepare(CGROUP);
	compare(CGROUP);
	if (!only_unified())
		kt_skip("there is more than the unified hierarchy");
	compare_group(NULL);
}
END_TEST

/*
 * Where there is one of the old kind, that is the one. It stays empty, as with
 * groups in it, it might live on.
 */
START_TEST(cgroup_legacy)
{
	char top[64];

	prepare(CGROUP);
	if (!only_unified())
		kt_skip("there is more than the unified hierarchy");
	compare(CGROUP);
	snprintf(top, sizeof(top), "/tmp/kt-%d", getpid());
	kt_assert(!mkdir(top, 0755), "mkdir: %m");
	if (mount("none", top, "cgroup", 0,
		  kernel_tells_cgroup() ? "none,name=kt" : "freezer")) {
		rmdir(top);
		kt_skip("no hierarchy of the old kind: %s",
			strerrorname_np(errno));
	}
	compare_group("/");
	umount(top);
	rmdir(top);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Senders that are gone */

static int leave_fn(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "a mayfly");
	facts_now(facts);
	send_ok(&a, &b, 1);
	return 0;
}

START_TEST(sender_gone)
{
	prepare(TASK);
	kt_run_as(USER, GROUP, leave_fn, NULL);
	facts_recv(facts, &b, 1, TASK, 0);
	kt_run_as(USER, GROUP, leave_fn, NULL);
	conn_close(&a);
	facts_recv(facts, &b, 1, TASK, 0);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* A program is replaced while one of its threads sends */

#define ROUNDS	20
#define BURST	60

static struct race {
	unsigned int sent;
	unsigned int until;
	struct prog prog;
	char path[64];
} *race;

static void *burst_fn(void *arg)
{
	int i;

	for (i = 0; i < BURST; i++) {
		kt_check_ret(conn_send_bytes(&a, b.id, 1, NULL, 0), 0,
			     "message %d of a burst", i);
		__atomic_add_fetch(&race->sent, 1, __ATOMIC_SEQ_CST);
	}
	for (;;)
		pause();
	return arg;
}

static void *replace_fn(void *arg)
{
	while (__atomic_load_n(&race->sent, __ATOMIC_SEQ_CST) < race->until)
		sched_yield();
	prog_exec(&race->prog, &a, b.id, 2);
	return arg;
}

/* either thread may be the one that exec ends */
static int race_fn(void *leader_sends)
{
	kt_thread(leader_sends ? replace_fn : burst_fn, NULL);
	if (leader_sends)
		burst_fn(NULL);
	replace_fn(NULL);
	return 0;
}

static void check_round(pid_t pid)
{
	const struct kdbus_msg *msg;
	struct meta m;
	u64 off, last;

	do {
		msg = conn_recv_msg(&b, &off);
		last = msg->cookie;
		meta_of_msg(&m, msg);
		meta_expect_bits(&m, (facts_bits(facts) & TASK) | STAMP,
				 "message");
		facts_check(facts, &m, AUXGROUPS | CAPS | CGROUP | AUDIT |
			    SECLABEL, "message");
		meta_expect_str(&m, KDBUS_ITEM_EXE,
				last == 2 ? race->path : facts->exe);
		kt_check(meta_creds(&m)->pid == (u64)pid, "pid %llu",
			 meta_creds(&m)->pid);
		kt_check_ret(conn_free(&b, off), 0, "FREE");
	} while (last != 2);
	expect_empty(&b);
}

START_TEST(racing_exec)
{
	u32 state = kt_seed;
	int i, status;
	pid_t pid;

	prepare(TASK | STAMP);
	facts_now(facts);
	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	kt_assert(race != MAP_FAILED, "mmap: %m");
	snprintf(race->path, sizeof(race->path), "/tmp/kt-%d", getpid());
	prog_copy(race->path);
	race->prog.path = race->path;
	for (i = 0; i < ROUNDS; i++) {
		race->sent = 0;
		race->until = kt_rand(&state) % (BURST / 2);
		pid = kt_fork_as(0, 0, race_fn, i & 1 ? race : NULL);
		status = kt_wait(pid);
		kt_assert(status == 0, "round %d: status %d", i, status);
		check_round(pid);
	}
	unlink(race->path);
}
END_TEST

KT_SUITE("meta-fresh")
{
	kt_test(identity);
	kt_test(comm);
	kt_test(args_overwritten);
	kt_test(names);
	kt_test(many_senders);
	kt_test(each_kind_of_many);
	kt_test(root_directory);
	kt_test(exec);
	kt_test(cgroup);
	kt_test(cgroup_legacy);
	kt_test(sender_gone);
	kt_test(racing_exec);
}
