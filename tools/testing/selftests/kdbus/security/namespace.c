// SPDX-License-Identifier: GPL-2.0-only
/* Metadata does not cross pid and user namespaces */

#include <grp.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "ns-world.h"

#define NAME	"foo.bar"

/* ------------------------------------------------------------------------ */
/* Messages */

START_TEST(sender_elsewhere)
{
	size_t i;

	ns_world(ALL);
	for_each_ns(i) {
		ns_send(both[i], &a, b.id, 1);
		meta_recv_bare(&b, 1);
		send_x(&b, 2);
		expect_all(&b, 2);
	}
}
END_TEST

START_TEST(receiver_elsewhere)
{
	struct conn in;
	size_t i;

	ns_world(ALL);
	for_each_ns(i) {
		ns_conn_open(&in, &bus, both[i], 0, ALL, NULL);
		send_x(&in, 1);
		meta_recv_bare(&in, 1);
		/* another such namespace is still another */
		ns_send(both[i], &a, in.id, 2);
		meta_recv_bare(&in, 2);
		send_x(&b, 3);
		expect_all(&b, 3);
	}
}
END_TEST

static int inside_fn(void *arg)
{
	struct conn in;

	(void)arg;
	meta_open(&in, &bus, ALL, NULL);
	facts_now(facts);
	send_x(&in, 1);
	expect_all(&in, 1);
	send_x(&b, 2);
	meta_recv_bare(&b, 2);
	match_all(&in);
	match_all(&b);
	conn_drain(&b);
	kt_assert_ret(cast(&a, 3), 0, "broadcast");
	expect_all(&in, 3);
	meta_recv_bits(&b, 3, 0);
	kt_assert_ret(match_remove(&b, 0), 0, "MATCH_REMOVE");
	return 0;
}

/* in one and the same: with the numbers that are used there */
START_TEST(both_inside)
{
	static const int as[] = { -1, 0, 7 };
	struct meta m;
	size_t i, j;

	ns_world(ALL);
	kt_assert(!setgroups(2, (gid_t[]) { 5, 6 }), "setgroups: %m");
	if (facts->has_audit)
		kt_assert(kt_write_file("/proc/self/loginuid", "0"),
			  "loginuid: %m");
	for_each_ns(i) {
		for (j = 0; j < ARRAY_SIZE(as); j++) {
			kt_assert(!ns_run(both[i], as[j], inside_fn, NULL),
				  "child failed");
			kt_check(!(both[i] & PID) || facts->creds.pid == 1,
				 "test bug: pid %llu", facts->creds.pid);
			kt_check(!(both[i] & USR) || as[j] < 0 ||
				 facts->creds.uid == (u64)as[j],
				 "test bug: uid %llu", facts->creds.uid);
			conn_drain(&b);
		}
	}
	/* ids that have no mapping: nothing else knows them */
	kt_check(facts->groups[0] ==
		 read_number("/proc/sys/kernel/overflowgid", 65534),
		 "test bug: group %llu", facts->groups[0]);
	facts_now(facts);
	send_x(&b, 9);
	meta_recv(&b, 9, &m);
	facts_expect(facts, &m, TASK, STAMP | NAMES | CONN_NAME, "outside");
}
END_TEST

/* also if it is but one kind, known from another message */
START_TEST(each_kind)
{
	size_t i;
	int bit;

	ns_world(0);
	for_each_ns(i) {
		for (bit = 0; bit < N_ATTACH; bit++) {
			u64 mask = 1ULL << bit;

			update_mask(&b, mask);
			send_x(&b, 1);
			facts_recv(facts, &b, 1, mask, mask & ~TASK);
			ns_send(both[i], &a, b.id, 2);
			meta_recv_bare(&b, 2);
			send_x(&b, 3);
			facts_recv(facts, &b, 3, mask, mask & ~TASK);
		}
	}
}
END_TEST

static int map_late(void *arg)
{
	struct conn in;

	(void)arg;
	meta_open(&in, &bus, CREDS | AUXGROUPS | AUDIT, NULL);
	facts_now(facts);
	send_x(&in, 1);
	facts_recv(facts, &in, 1, TASK & (CREDS | AUXGROUPS | AUDIT), 0);
	kt_check(facts->creds.uid != 7, "test bug");
	kt_assert(kt_write_file("/proc/self/uid_map", "7 0 1"), "uid_map: %m");
	kt_assert(kt_write_file("/proc/self/setgroups", "deny"),
		  "setgroups: %m");
	kt_assert(kt_write_file("/proc/self/gid_map", "8 0 1"), "gid_map: %m");
	facts_now(facts);
	kt_check(facts->creds.uid == 7 && facts->creds.gid == 8, "test bug");
	send_x(&in, 2);
	facts_recv(facts, &in, 2, TASK & (CREDS | AUXGROUPS | AUDIT), 0);
	return 0;
}

/* the numbers are those of the moment even when nobody changed identity */
START_TEST(mapped_late)
{
	ns_world(0);
	kt_assert(!setgroups(1, (gid_t[]) { 0 }), "setgroups: %m");
	kt_assert(!ns_run(USR, -1, map_late, NULL), "child");
}
END_TEST

/* other namespaces do not matter */
START_TEST(other_namespaces)
{
	unsigned long ns = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC;
	struct meta m;

	ns_world(ALL);
	ns_send(ns, &a, b.id, 1);
	meta_recv(&b, 1, &m);
	meta_expect_bits(&m, facts_bits(facts) | STAMP | NAMES | CONN_NAME,
			 "other namespaces");
	facts_check(facts, &m, TASK & ~CREDS, "other namespaces");
}
END_TEST

/* the namespace of future children is not that of the task */
START_TEST(namespace_for_children)
{
	ns_world(ALL);
	if (unshare(CLONE_NEWPID))
		kt_skip("no pid namespaces: %m");
	send_x(&b, 1);
	expect_all(&b, 1);
	meta_open(&b, &bus, ALL, NULL);
	send_x(&b, 2);
	expect_all(&b, 2);
}
END_TEST

/* that of open counts, not that of HELLO, nor of who receives */
START_TEST(hello_elsewhere)
{
	struct conn c;
	struct blob h;
	size_t i;

	ns_world(ALL);
	hello_init(&h, 0, POOL);
	h.hello.attach_flags = ALL;
	for_each_ns(i) {
		ns_hello(&c, &bus, both[i], &h);
		send_x(&c, 1);
		expect_all(&c, 1);
		ns_send(both[i], &a, c.id, 2);
		meta_recv_bare(&c, 2);
	}
}
END_TEST

/* one message, decided for each receiver */
START_TEST(monitors_and_broadcasts)
{
	struct conn in, mon, mon_in;
	size_t i;

	ns_world(ALL);
	meta_special(&mon, &bus, MON, ALL, NULL);
	for_each_ns(i) {
		ns_conn_open(&in, &bus, both[i], 0, ALL, NULL);
		ns_conn_open(&mon_in, &bus, both[i], MON, ALL, NULL);
		send_x(&b, 1);
		expect_all(&b, 1);
		expect_all(&mon, 1);
		meta_recv_bare(&mon_in, 1);
		send_x(&in, 2);
		meta_recv_bare(&in, 2);
		expect_all(&mon, 2);
		meta_recv_bare(&mon_in, 2);
		ns_send(both[i], &a, b.id, 3);
		meta_recv_bare(&b, 3);
		meta_recv_bare(&mon, 3);
		match_all(&in);
		match_all(&b);
		conn_drain(&b);
		kt_assert_ret(cast(&a, 4), 0, "broadcast");
		meta_recv_bits(&in, 4, 0);
		expect_all(&b, 4);
		kt_assert_ret(match_remove(&b, 0), 0, "MATCH_REMOVE");
		conn_close(&in);
		conn_close(&mon_in);
		conn_drain(&mon);
		conn_drain(&b);
	}
}
END_TEST

static int reply_fn(void *arg)
{
	(void)arg;
	return -reply(&a, b.id, 6);
}

START_TEST(sync_replies)
{
	const struct kdbus_msg *msg;
	struct call call;
	struct conn in;
	struct meta m;

	ns_world(ALL);
	call_start(&call, &b, a.id, 6, NEVER);
	conn_drain(&a);
	kt_check_ret(-ns_run(PID, -1, reply_fn, NULL), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	msg = conn_msg(&b, call.m.msg.offset_reply);
	kt_check(msg->size == sizeof(*msg), "size %llu", msg->size);
	ns_conn_open(&in, &bus, USR, 0, ALL, NULL);
	call_start(&call, &in, a.id, 7, NEVER);
	meta_recv(&a, 7, &m);
	facts_expect(facts, &m, TASK & ~CREDS & ~TID_COMM,
		     CREDS | TID_COMM | STAMP | CONN_NAME, "request");
	kt_assert_ret(reply(&a, in.id, 7), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	msg = conn_msg(&in, call.m.msg.offset_reply);
	kt_check(msg->size == sizeof(*msg), "size %llu", msg->size);
}
END_TEST

/* what moves is decided for each of its receivers, and nothing comes back */
START_TEST(activator)
{
	struct conn act;
	struct meta m;

	ns_world(ALL);
	ns_conn_open(&act, &bus, PID, ACT, ALL, NAME);
	kt_assert_ret(send_name(&a, NAME, 1), 0, "send");
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
	meta_recv(&b, 1, &m);
	meta_expect_bits(&m, 0, "waited in another namespace");
	kt_assert_ret(send_name(&a, NAME, 2), 0, "send");
	kt_assert_ret(name_release(&b, NAME), 0, "release");
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
	meta_recv(&b, 2, &m);
	meta_expect_bits(&m, 0, "was in another namespace meanwhile");
}
END_TEST

/* not what the sender's view of the tree is */
START_TEST(cgroup_namespace)
{
	char dir[64], procs[96], pid[16];
	struct meta m;

	ns_world(CGROUP);
	if (strcmp(facts->cgroup, "/"))
		kt_skip("not in the group at the top");
	snprintf(dir, sizeof(dir), "/sys/fs/cgroup/kt-%d", getpid());
	snprintf(procs, sizeof(procs), "%s/cgroup.procs", dir);
	snprintf(pid, sizeof(pid), "%d", getpid());
	if (mkdir(dir, 0755))
		kt_skip("no control group can be made: %m");
	kt_assert(kt_write_file(procs, pid), "cgroup.procs: %m");
	facts_now(facts);
	ns_send(CLONE_NEWCGROUP, &a, b.id, 1);
	kt_assert(kt_write_file("/sys/fs/cgroup/cgroup.procs", pid),
		  "cgroup.procs: %m");
	rmdir(dir);
	meta_recv(&b, 1, &m);
	meta_expect_str(&m, KDBUS_ITEM_CGROUP, facts->cgroup);
	if (strcmp(facts->cgroup, strrchr(dir, '/')))
		kt_skip("there is a hierarchy of the old kind");
}
END_TEST

KT_SUITE("namespace")
{
	kt_test(sender_elsewhere);
	kt_test(receiver_elsewhere);
	kt_test(both_inside);
	kt_test(each_kind);
	kt_test(mapped_late);
	kt_test(other_namespaces);
	kt_test(namespace_for_children);
	kt_test(hello_elsewhere);
	kt_test(monitors_and_broadcasts);
	kt_test(sync_replies);
	kt_test(activator);
	kt_test(cgroup_namespace);
}
