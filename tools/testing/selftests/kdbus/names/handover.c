// SPDX-License-Identifier: GPL-2.0-only
/* Hand-over: messages wait at the activator, move to the service, and back */

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "act-world.h"

#define FDS	KDBUS_HELLO_ACCEPT_FD

static struct call call;

START_TEST(take_over_moves_all)
{
	u64 flags;

	act_world(0);
	kt_assert_ret(conn_send_bytes(&a, s.id, 99, "x", 1), 0, "before");
	send_n(1, 40);
	take(&s);
	kt_check(name_owner(&a, NAME, &flags) == s.id && flags == 0,
		 "flags %#llx", flags);
	kt_check_ret(drop(&act), -EAGAIN, "left behind");
	kt_check(pool_used(&act) == 0, "pool of the activator");
	send_n(41, 1);
	expect_msg(&s, 99, 0);
	expect_n(&s, 1, 41);
	kt_check(pool_used(&s) == 0, "pool of the service");
}
END_TEST

static void send_prio(u64 cookie, __s64 prio)
{
	struct blob m;

	msg_init(&m, 0, cookie);
	m.msg.priority = prio;
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	kt_assert_ret(conn_send(&a, &m), 0, "send");
}

START_TEST(priorities_move)
{
	static const u64 order[] = { 3, 5, 2, 1, 4 };
	size_t i;

	act_world(0);
	send_prio(1, 5);
	send_prio(2, 0);
	send_prio(3, -7);
	send_prio(4, 5);
	send_prio(5, -7);
	take(&s);
	for (i = 0; i < ARRAY_SIZE(order); i++) {
		struct kdbus_cmd_recv r = {
			.flags = KDBUS_RECV_USE_PRIORITY, .priority = 100,
		};

		kt_assert_ret(kt_cmd(s.fd, KDBUS_CMD_MSG_RECV, &r), 0, "RECV");
		kt_check(conn_msg(&s, r.offset)->cookie == order[i],
			 "%zu: cookie %llu", i,
			 conn_msg(&s, r.offset)->cookie);
	}
	expect_empty(&s);
}
END_TEST

static void send_files(int p[2])
{
	static u8 bytes[1000];
	int memfd = kt_memfd(5000, KT_SEALS, 9);
	struct blob m;

	kt_fill(bytes, sizeof(bytes), 4);
	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	msg_init(&m, 0, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&m, bytes, sizeof(bytes));
	msg_memfd(&m, memfd, 5000);
	blob_add(&m, KDBUS_ITEM_FDS, p, 2 * sizeof(int));
	kt_assert_ret(conn_send(&a, &m), 0, "send files");
	close(memfd);
}

START_TEST(files_move)
{
	const struct kdbus_item *f, *i, *v;
	const struct kdbus_msg *m;
	char c = 0;
	int p[2];
	u8 *map;

	act_world(FDS);
	conn_close(&s);
	kt_assert_ret(conn_try_open(&s, &bus, FDS, POOL), 0, "ACCEPT_FD");
	send_files(p);
	take(&s);
	m = conn_recv_msg(&s, NULL);
	v = item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 0);
	i = item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	f = item_find(m, KDBUS_ITEM_FDS, 0);
	kt_assert(v && i && f, "items are missing");
	kt_check(kt_filled((const u8 *)m + v->vec.offset, 1000, 4), "payload");
	kt_check(write(f->fds[1], "y", 1) == 1 && read(p[0], &c, 1) == 1 &&
		 c == 'y', "pipe: %m");
	map = mmap(NULL, 5000, PROT_READ, MAP_SHARED, i->memfd.fd, 0);
	kt_assert(map != MAP_FAILED, "mmap: %m");
	kt_check(kt_filled(map, 5000, 9), "memfd");
}
END_TEST

START_TEST(files_refused)
{
	int p[2];
	struct blob m;

	act_world(0);
	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	msg_init(&m, 0, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	blob_add(&m, KDBUS_ITEM_FDS, p, sizeof(p));
	kt_check_ret(conn_send(&a, &m), -ECOMM, "no ACCEPT_FD");
	kt_check_ret(drop(&act), -EAGAIN, "queue");
}
END_TEST

START_TEST(requests_move)
{
	act_world(0);
	kt_assert_ret(request_name(&a, NAME, 1, NEVER), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 2, in_ms(100)), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 3, NEVER), 0, "request");
	take(&s);
	kt_check_ret(reply(&s, a.id, 1), 0, "reply of the new owner");
	expect_msg(&a, 1001, 1);
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 2);
	conn_close(&act);
	expect_empty(&a);
	kt_check(conn_drain(&s) == 3, "requests");
	conn_close(&s);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 3);
	expect_empty(&a);
}
END_TEST

static void start_call(u64 deadline)
{
	call_init(&call, &a, 0, 7, deadline);
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	call_run(&call);
}

START_TEST(sync_request_moves)
{
	act_world(0);
	start_call(in_ms(20000));
	take(&s);
	expect_msg(&s, 7, 0);
	kt_check(!call.done, "it returned");
	kt_check_ret(reply(&s, a.id, 7), 0, "reply");
	kt_check_ret(call_end(&call), 0, "synchronous request");
	start_call(in_ms(20000));
	release(&s);
	kt_check(!call.done, "it returned");
	take(&t);
	expect_msg(&t, 7, 0);
	conn_close(&t);
	kt_check_ret(call_end(&call), -EPIPE, "synchronous request");
	expect_empty(&a);
}
END_TEST

/* only unread ones for the name come back */
START_TEST(hand_back)
{
	act_world(0);
	kt_assert_ret(name_acquire(&s, "other.name", 0), 0, "acquire");
	take(&s);
	kt_assert_ret(request_name(&a, NAME, 1, NEVER), 0, "request");
	kt_assert_ret(request_name(&a, NAME, 2, NEVER), 0, "request");
	kt_assert_ret(conn_send_bytes(&a, s.id, 3, "x", 1), 0, "by id");
	kt_assert_ret(send_name(&a, "other.name", 4), 0, "other name");
	kt_assert_ret(send_name(&a, NAME, 5), 0, "message");
	expect_msg(&s, 1, 0);
	release(&s);
	check_owner(act.id);
	expect_msg(&s, 3, 0);
	expect_msg(&s, 4, 0);
	expect_empty(&s);
	/* the request that was read is still owed by the old owner */
	kt_check_ret(reply(&s, a.id, 1), 0, "reply");
	expect_msg(&a, 1001, 1);
	conn_close(&s);
	expect_empty(&a);
	take(&t);
	expect_msg(&t, 2, 0);
	expect_msg(&t, 5, 0);
	expect_empty(&t);
	conn_close(&t);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
	expect_empty(&a);
}
END_TEST

/* what was sent to an earlier registration of the name is not concerned */
START_TEST(hand_back_registration)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&s, &bus, POOL);
	take(&s);
	send_n(1, 1);
	release(&s);
	take(&s);
	send_n(2, 1);
	activator_open(&act, &bus, 0, NAME, POOL);
	check_owner(s.id);
	release(&s);
	check_owner(act.id);
	expect_n(&s, 1, 1);
	kt_check_ret(drop(&act), 0, "the second");
	kt_check_ret(drop(&act), -EAGAIN, "nothing else");
}
END_TEST

/*
 * Who is replaced keeps what it has, and gives it up when it lets go of the
 * name another time: then there are newer messages that have been received.
 */
START_TEST(left_behind)
{
	act_world(0);
	kt_assert_ret(name_acquire(&s, NAME, ALLOW | QUEUE), 0, "acquire");
	send_n(1, 2);
	kt_assert_ret(name_acquire(&t, NAME, REPLACE), 0, "replace");
	send_n(3, 1);
	expect_n(&t, 3, 1);
	release(&t);
	check_owner(s.id);
	kt_check_ret(drop(&act), -EAGAIN, "at the activator");
	expect_empty(&t);
	release(&s);
	check_owner(act.id);
	expect_empty(&s);
	take(&t);
	expect_n(&t, 1, 2);
}
END_TEST

/* cookies from 1 on; requests if @flags is EXPECT */
static void send_large(int n, size_t size, u64 flags)
{
	static u8 bytes[2000];
	struct blob m;
	int i;

	for (i = 1; i <= n; i++) {
		msg_init(&m, 0, i);
		m.msg.flags = flags;
		m.msg.timeout_ns = flags ? NEVER : 0;
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
		msg_vec(&m, bytes, size);
		kt_assert_ret(conn_send(&a, &m), 0, "send");
	}
}

/* what does not fit waits at the activator, or goes to the next */
START_TEST(taker_too_small)
{
	struct conn small;

	act_world(0);
	conn_open(&small, &bus, KT_PAGE);
	send_large(3, 1500, 0);
	kt_assert_ret(request_name(&a, NAME, 4, NEVER), 0, "request");
	kt_check_ret(name_acquire(&small, NAME, QUEUE | REPLACE), 0,
		     "too small");
	check_owner(small.id);
	kt_check(fdinfo(&act, "queued:") == 2, "%llu wait",
		 fdinfo(&act, "queued:"));
	kt_check(fdinfo(&small, "queued:") == 2, "%llu moved",
		 fdinfo(&small, "queued:"));
	conn_close(&small);
	check_owner(act.id);
	expect_empty(&a);
	take(&s);
	expect_n(&s, 1, 4);
	kt_check_ret(reply(&s, a.id, 4), 0, "reply");
	expect_msg(&a, 1004, 4);
}
END_TEST

/* two of 1500 fit, although one takes more than half of what is left then */
START_TEST(no_half_rule)
{
	struct conn small;

	act_world(0);
	conn_open(&small, &bus, KT_PAGE);
	send_large(2, 1800, 0);
	kt_check_ret(name_acquire(&small, NAME, 0), 0, "just fits");
	expect_n(&small, 1, 2);
}
END_TEST

/* the activator has no room: the messages stay with who still reads them */
START_TEST(hand_back_too_small)
{
	act_world(0);
	conn_close(&act);
	activator_open(&act, &bus, 0, NAME, KT_PAGE);
	take(&s);
	send_large(3, 1500, 0);
	release(&s);
	check_owner(act.id);
	kt_check_ret(drop(&act), -EAGAIN, "at the activator");
	expect_n(&s, 1, 3);
	/* it is an activator as before */
	send_n(4, 1);
	take(&t);
	expect_n(&t, 4, 1);
}
END_TEST

/* the owner dies, and the activator has no room for all of its requests */
START_TEST(no_room_for_the_dead)
{
	struct conn mon;
	int i;

	act_world(0);
	conn_close(&act);
	activator_open(&act, &bus, 0, NAME, KT_PAGE);
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       POOL), 0, "a monitor");
	take(&s);
	send_large(3, 1500, EXPECT);
	conn_close(&s);
	check_owner(act.id);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 3);
	expect_empty(&a);
	kt_check(conn_drain(&mon) == 4, "the monitor");
	take(&t);
	expect_n(&t, 1, 2);
	for (i = 1; i <= 2; i++) {
		kt_check_ret(reply(&t, a.id, i), 0, "reply");
		expect_msg(&a, 1000 + i, i);
	}
}
END_TEST

/* for ever back and forth: nothing is lost, the order is kept */
START_TEST(to_and_fro)
{
	int i;

	act_world(0);
	for (i = 0; i < 50; i++) {
		send_n(3 * i, 1);
		take(&s);
		send_n(3 * i + 1, 1);
		release(&s);
		send_n(3 * i + 2, 1);
	}
	take(&t);
	expect_n(&t, 0, 150);
	kt_check(pool_used(&s) == 0 && pool_used(&act) == 0, "pools");
}
END_TEST

KT_SUITE("handover")
{
	kt_test(take_over_moves_all);
	kt_test(priorities_move);
	kt_test(files_move);
	kt_test(files_refused);
	kt_test(requests_move);
	kt_test(sync_request_moves);
	kt_test(hand_back);
	kt_test(hand_back_registration);
	kt_test(left_behind);
	kt_test(taker_too_small);
	kt_test(no_half_rule);
	kt_test(hand_back_too_small);
	kt_test(no_room_for_the_dead);
	kt_test(to_and_fro);
}
