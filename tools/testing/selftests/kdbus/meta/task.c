// SPDX-License-Identifier: GPL-2.0-only
/* Metadata of messages: what is told about the sending task */

#include <fcntl.h>
#include <grp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

#include "meta-util.h"

#define USER	20201
#define GROUP	20202

static struct bus bus;
static struct conn a, b;	/* a sends */
static struct facts *facts;

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, NULL);
	meta_open(&b, &bus, mask, NULL);
	facts = facts_new();
}

/* this thread sends now: what it is, is what is told */
static void compare(u64 cookie, u64 bits)
{
	facts_now(facts);
	send_ok(&a, &b, cookie);
	facts_recv(facts, &b, cookie, bits, 0);
}

/* the same with one kind, whose payload must have @n bytes */
static void compare_size(u64 cookie, u64 bit, size_t n)
{
	struct meta m;

	facts_now(facts);
	send_ok(&a, &b, cookie);
	meta_recv(&b, cookie, &m);
	facts_expect(facts, &m, bit, 0, "message");
	if (m.n)
		kt_check(m.items[0]->size == HDR + n, "size %llu, not %zu",
			 m.items[0]->size, HDR + n);
	kt_check(m.n == 1, "%u items", m.n);
	conn_free(&b, (const u8 *)m.items[0] - b.pool -
		      sizeof(struct kdbus_msg));
}

/* ------------------------------------------------------------------------ */
/* Identity */

/* in a thread: its own name and id, the start of the process */
static void *thread_fn(void *arg)
{
	prctl(PR_SET_NAME, arg);
	compare(2, TASK);
	return NULL;
}

START_TEST(threads)
{
	struct kdbus_creds first;
	struct meta m;

	prepare(TASK);
	prctl(PR_SET_NAME, "the leader");
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	first = *meta_creds(&m);
	kt_check(first.pid == (u64)getpid() && first.tid == (u64)getpid(),
		 "pid %llu, tid %llu", first.pid, first.tid);
	kt_join(kt_thread(thread_fn, "one thread"));
	kt_check(facts->creds.tid != facts->creds.pid &&
		 !strcmp(facts->tid_comm, "one thread") &&
		 !strcmp(facts->pid_comm, "the leader"), "test bug");
	kt_join(kt_thread(thread_fn, ""));
}
END_TEST

static void *start_fn(void *arg)
{
	send_ok(&a, &b, 2);
	return arg;
}

/* to the nanosecond, whoever of the process sends */
START_TEST(starttime)
{
	struct kdbus_creds first, second;
	struct meta m;

	prepare(CREDS);
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	first = *meta_creds(&m);
	kt_join(kt_thread(start_fn, NULL));
	meta_recv(&b, 2, &m);
	second = *meta_creds(&m);
	kt_check(first.starttime == second.starttime, "%llu and %llu",
		 first.starttime, second.starttime);
	kt_check(first.starttime && first.starttime < now_ns(), "%llu",
		 first.starttime);
}
END_TEST

static int child_fn(void *arg)
{
	(void)arg;
	compare(2, TASK);
	return 0;
}

START_TEST(another_process)
{
	u64 parent;

	prepare(TASK);
	compare(1, TASK);
	parent = facts->creds.pid;
	kt_run_as(0, 0, child_fn, NULL);
	kt_check(facts->creds.pid != parent, "test bug");
	kt_run_as(USER, GROUP, child_fn, NULL);
	kt_check(facts->creds.uid == USER && facts->creds.gid == GROUP,
		 "test bug");
}
END_TEST

/* the real ones, not the effective, saved or file system ones */
START_TEST(real_ids)
{
	const struct kdbus_creds *c;
	struct meta m;

	prepare(CREDS);
	kt_assert(!setresgid(GROUP, GROUP + 1, GROUP + 2), "setresgid: %m");
	kt_assert(!setresuid(USER, 0, USER + 2), "setresuid: %m");
	compare(1, CREDS);
	send_ok(&a, &b, 2);
	meta_recv(&b, 2, &m);
	c = meta_creds(&m);
	kt_check(c->uid == USER && c->gid == GROUP, "uid %llu, gid %llu",
		 c->uid, c->gid);
	kt_assert(!setresuid(-1, USER + 1, -1), "setresuid: %m");
	compare(3, CREDS);
}
END_TEST

START_TEST(large_ids)
{
	prepare(CREDS | AUXGROUPS);
	kt_assert(!setgroups(1, (gid_t[]) { 0xfffffffe }), "setgroups: %m");
	kt_assert(!setresgid(0xfffffffd, 0, 0), "setresgid: %m");
	kt_assert(!setresuid(0x80000000, 0, 0), "setresuid: %m");
	compare(1, CREDS | AUXGROUPS);
	kt_check(facts->creds.uid == 0x80000000 &&
		 facts->groups[0] == 0xfffffffe, "test bug");
}
END_TEST

START_TEST(groups)
{
	static const size_t counts[] = { 0, 1, 2, 3, 31, 32, 33, 1000, 0 };
	static gid_t list[1000];
	size_t i;

	prepare(AUXGROUPS);
	for (i = 0; i < ARRAY_SIZE(list); i++)
		list[i] = 100000 - 7 * i;
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		kt_assert(!setgroups(counts[i], list), "setgroups: %m");
		compare_size(i, AUXGROUPS, 8 * counts[i]);
	}
}
END_TEST

/* as many as a task can have */
START_TEST(groups_many)
{
	static gid_t list[MAX_GROUPS];
	struct blob h;
	int i;

	prepare(0);
	hello_init(&h, 0, 4 * MIB);
	h.hello.attach_flags = AUXGROUPS;
	conn_hello(&b, &bus, &h);
	for (i = 0; i < MAX_GROUPS; i++)
		list[i] = i + 1000;
	kt_assert(!setgroups(MAX_GROUPS, list), "setgroups: %m");
	compare_size(1, AUXGROUPS, 8 * MAX_GROUPS);
}
END_TEST

START_TEST(comm)
{
	static const char *const names[] = {
		"x", "", "fifteen bytes..", "more than fifteen bytes", "a b)c",
		"\xff\x80\x01", "1234567", "12345678", "123456789",
	};
	size_t i, n;

	prepare(0);
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		n = strlen(names[i]);
		if (n > 15)
			n = 15;
		prctl(PR_SET_NAME, names[i]);
		update_mask(&b, TID_COMM);
		compare_size(i, TID_COMM, n + 1);
		update_mask(&b, PID_COMM);
		compare_size(i, PID_COMM, n + 1);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Rights */

static void set_caps(u64 inh, u64 prm, u64 eff)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	d[0].inheritable = inh;
	d[1].inheritable = inh >> 32;
	d[0].permitted = prm;
	d[1].permitted = prm >> 32;
	d[0].effective = eff;
	d[1].effective = eff >> 32;
	kt_assert(!syscall(SYS_capset, &h, d), "capset: %m");
}

START_TEST(caps)
{
	u64 all;

	prepare(CAPS);
	compare_size(1, CAPS, 36);
	kt_assert(facts->caps[0] < 63, "last_cap %u", facts->caps[0]);
	all = (1ULL << (facts->caps[0] + 1)) - 1;
	/* four sets that all differ, in both words */
	kt_assert(!prctl(PR_CAPBSET_DROP, 1, 0, 0, 0), "CAPBSET_DROP: %m");
	kt_assert(!prctl(PR_CAPBSET_DROP, 33, 0, 0, 0), "CAPBSET_DROP: %m");
	set_caps(1ULL << 35 | 1ULL << 5, all & ~(1ULL << 2 | 1ULL << 34),
		 1ULL << 36 | 1ULL << 6);
	compare_size(2, CAPS, 36);
	kt_check(facts->caps[2] == 1 << 3 && facts->caps[1] == 1 << 5 &&
		 facts->caps[5] == 1 << 6 && facts->caps[6] == 1 << 4,
		 "test bug");
	kt_check(!(facts->caps[7] & 1 << 1) && !(facts->caps[8] & 1 << 1),
		 "test bug");
	set_caps(0, 0, 0);
	compare_size(3, CAPS, 36);
}
END_TEST

/* nothing about capabilities that do not exist */
START_TEST(caps_above_last)
{
	const struct kdbus_item *i;
	struct meta m;
	u64 set;
	int n;

	prepare(CAPS);
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	i = meta_find(&m, KDBUS_ITEM_CAPS, 0);
	kt_assert(i && i->size == HDR + 36, "no capabilities");
	kt_check(i->caps.last_cap ==
		 read_number("/proc/sys/kernel/cap_last_cap", 0),
		 "last_cap %u", i->caps.last_cap);
	for (n = 0; n < 4; n++) {
		memcpy(&set, &i->caps.caps[2 * n], 8);
		kt_check(!(set >> (i->caps.last_cap + 1)), "set %d: %#llx", n,
			 set);
	}
}
END_TEST

START_TEST(audit)
{
	static const char *const uids[] = { "0", "20201", "4294967294" };
	size_t i;

	prepare(AUDIT);
	facts_now(facts);
	if (!facts->has_audit)
		kt_skip("this kernel has no audit");
	compare_size(0, AUDIT, 16);
	for (i = 0; i < ARRAY_SIZE(uids); i++) {
		u64 was = facts->audit.sessionid;

		kt_assert(kt_write_file("/proc/self/loginuid", uids[i]),
			  "loginuid: %m");
		compare_size(i, AUDIT, 16);
		kt_check(facts->audit.loginuid == strtoull(uids[i], NULL, 10) &&
			 facts->audit.sessionid != was, "test bug");
	}
}
END_TEST

START_TEST(label)
{
	prepare(SECLABEL);
	compare(1, SECLABEL);
	facts_now(facts);
	if (!facts->label[0])
		kt_skip("this kernel has no labels; there was no item");
	if (!kt_write_file("/proc/self/attr/current", "kt-Label"))
		kt_skip("this task cannot get another label: %m");
	compare_size(2, SECLABEL, strlen("kt-Label") + 1);
	kt_check(!strcmp(facts->label, "kt-Label"), "test bug");
}
END_TEST

START_TEST(cgroup)
{
	prepare(CGROUP);
	facts_now(facts);
	if (!facts->cgroup[0])
		kt_skip("this kernel has no control groups");
	compare_size(1, CGROUP, strlen(facts->cgroup) + 1);
	kt_check(facts->cgroup[0] == '/', "test bug");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Arguments */

START_TEST(args)
{
	static const size_t sizes[] = {
		1, 2, 7, 8, 9, 4095, 4096, 4097, 4104, 8192, 100000,
	};
	static u8 bytes[100000];
	size_t i;

	prepare(CMDLINE);
	for (i = 0; i < sizeof(bytes); i++)
		bytes[i] = i % 17 ? 'a' + i % 23 : 0;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t n = sizes[i] > 4096 ? 4096 : sizes[i];

		/* behind the area nothing can be read */
		set_args(kt_guard_copy(bytes, sizes[i]), sizes[i]);
		compare_size(i, CMDLINE, n);
	}
}
END_TEST

START_TEST(args_empty)
{
	prepare(CMDLINE | CREDS);
	facts_now(facts);
	set_args((void *)(uintptr_t)stat_field(48), 0);
	facts_now(facts);
	kt_check(!facts->cmdline_len, "test bug");
	send_ok(&a, &b, 1);
	facts_recv(facts, &b, 1, CREDS, 0);
}
END_TEST

/* nothing to read there: everything else is told */
START_TEST(args_gone)
{
	u8 *p = mmap(NULL, 4 * KT_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	prepare(TASK);
	facts_now(facts);
	kt_assert(p != MAP_FAILED, "mmap: %m");
	set_args(p, 2 * KT_PAGE);
	munmap(p, 4 * KT_PAGE);
	send_ok(&a, &b, 1);
	facts_recv(facts, &b, 1, TASK & ~CMDLINE, 0);
}
END_TEST

/* half of it can be read: that half, or nothing, but no stale bytes */
START_TEST(args_half_gone)
{
	u8 *p = mmap(NULL, 2 * KT_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	const struct kdbus_item *i;
	struct meta m;

	prepare(TASK);
	facts_now(facts);
	kt_assert(p != MAP_FAILED, "mmap: %m");
	memset(p, 'y', KT_PAGE);
	set_args(p + KT_PAGE / 2, KT_PAGE);
	munmap(p + KT_PAGE, KT_PAGE);
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	facts_check(facts, &m, TASK & ~CMDLINE, "message");
	i = meta_find(&m, KDBUS_ITEM_CMDLINE, 0);
	kt_check(!i || (i->size == HDR + KT_PAGE / 2 &&
			!memcmp(i->data, p + KT_PAGE / 2, KT_PAGE / 2)),
		 "item of size %llu", i ? i->size : 0);
}
END_TEST

/* arguments of a program, as many as one likes */
START_TEST(args_of_program)
{
	static char one[3000], two[5000];
	char *const none[] = { "", NULL };
	char *const many[] = { "a", "", "", "b c", "", NULL };
	char *const lots[] = { "prog", one, two, "end", NULL };
	struct prog p = { .facts = facts_new() };

	prepare(TASK);
	memset(one, '1', sizeof(one) - 1);
	memset(two, '2', sizeof(two) - 1);
	p.argv = none;
	prog_run(&p, &a, b.id, 1);
	kt_check(p.facts->cmdline_len == 1, "test bug");
	facts_recv(p.facts, &b, 1, TASK, 0);
	p.argv = many;
	prog_run(&p, &a, b.id, 2);
	kt_check(p.facts->cmdline_len == 9, "test bug");
	facts_recv(p.facts, &b, 2, TASK, 0);
	p.argv = lots;
	prog_run(&p, &a, b.id, 3);
	kt_check(p.facts->cmdline[4095] == '2', "test bug");
	facts_recv(p.facts, &b, 3, TASK, 0);
}
END_TEST

KT_SUITE("meta-task")
{
	kt_test(threads);
	kt_test(starttime);
	kt_test(another_process);
	kt_test(real_ids);
	kt_test(large_ids);
	kt_test(groups);
	kt_test(groups_many);
	kt_test(comm);
	kt_test(caps);
	kt_test(caps_above_last);
	kt_test(audit);
	kt_test(label);
	kt_test(cgroup);
	kt_test(args);
	kt_test(args_empty);
	kt_test(args_gone);
	kt_test(args_half_gone);
	kt_test(args_of_program);
}
