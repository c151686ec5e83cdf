// SPDX-License-Identifier: GPL-2.0-only
/* MSG_SEND that also frees and receives */

#include <fcntl.h>
#include <string.h>

#include "pair.h"
#include "wait-util.h"

static struct blob m;
static struct waiter waiter;

/* a vec of @size bytes in @got */
static const u8 *payload(const struct kdbus_msg *got, unsigned int nth,
			 u64 size)
{
	const struct kdbus_item *item;

	item = item_find(got, KDBUS_ITEM_PAYLOAD_OFF, nth);
	kt_assert(item && item->vec.size == size, "payload");
	return (const u8 *)got + item->vec.offset;
}

START_TEST(frees)
{
	u64 held, kept;

	pair_open();
	held = hold_one(&b, &a, 50);
	kept = hold_one(&b, &a, 51);
	msg_init(&m, b.id, 1);
	turn_free(&m, held);
	kt_check_ret(conn_send(&a, &m), 0, "send and free");
	kt_check(m.msg.offset_reply == 0, "offset_reply %llu",
		 m.msg.offset_reply);
	kt_check_ret(conn_free(&a, held), -ENXIO, "FREE again");
	kt_check_ret(conn_send(&a, &m), -ENXIO, "sent again");
	take_at(&a, kept, 51);
	kt_check(pool_used(&a) == 0, "pool");
	expect_msg(&b, 1, 0);
	expect_empty(&b);
}
END_TEST

/* what is freed is free after the message was read from it */
START_TEST(frees_its_payload)
{
	static u8 bytes[20000];
	const struct kdbus_msg *got;
	u64 held, off;
	int i;

	pair_open();
	kt_fill(bytes, sizeof(bytes), 9);
	kt_assert_ret(conn_send_bytes(&b, a.id, 50, bytes, sizeof(bytes)), 0,
		      "send");
	got = conn_recv_msg(&a, &held);
	/* there and back, over and over */
	for (i = 0; i < 10; i++) {
		struct conn *from = i & 1 ? &b : &a, *to = i & 1 ? &a : &b;

		msg_init(&m, to->id, i);
		msg_vec(&m, payload(got, 0, sizeof(bytes)), sizeof(bytes));
		turn_free(&m, held);
		kt_assert_ret(conn_send(from, &m), 0, "send, round %d", i);
		kt_check(pool_used(from) == 0, "round %d: not freed", i);
		got = conn_recv_msg(to, &off);
		kt_check(kt_filled(payload(got, 0, sizeof(bytes)),
				   sizeof(bytes), 9), "round %d: bytes", i);
		held = off;
	}
}
END_TEST

/* not even a message to itself takes its place */
START_TEST(frees_after_sending)
{
	static u8 bytes[20000], other[9000];
	const struct kdbus_msg *got;
	u64 held;

	pair_open();
	kt_fill(bytes, sizeof(bytes), 9);
	kt_assert_ret(conn_send_bytes(&b, a.id, 50, bytes, sizeof(bytes)), 0,
		      "send");
	got = conn_recv_msg(&a, &held);
	turn_init(&m, a.id, 1);
	msg_vec(&m, other, sizeof(other));
	msg_vec(&m, payload(got, 0, sizeof(bytes)), 10000);
	turn_free(&m, held);
	kt_assert_ret(conn_send(&a, &m), 0, "turn");
	got = conn_msg(&a, m.msg.offset_reply);
	kt_check(!memcmp(payload(got, 1, 10000), bytes, 10000), "bytes");
	take_at(&a, m.msg.offset_reply, 1);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* the oldest, however urgent others are */
START_TEST(receives)
{
	struct kdbus_msg *sent = &m.msg;
	int i;

	pair_open();
	for (i = 0; i < 4; i++)
		send_prio(&b, &a, i, -i);
	for (i = 0; i < 4; i++) {
		turn_init(&m, b.id, 100 + i);
		if (i)
			sent->cookie_reply = 7;
		kt_check_ret(conn_send(&a, &m), 0, "turn");
		take_at(&a, sent->offset_reply, i);
		expect_msg(&b, 100 + i, i ? 7 : 0);
	}
	expect_empty(&a);
	expect_empty(&b);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

START_TEST(waits)
{
	int i;

	pair_open();
	for (i = 0; i < 2; i++) {
		/* this makes no difference */
		if (i)
			kt_assert(!fcntl(a.fd, F_SETFL, O_RDWR | O_NONBLOCK),
				  "O_NONBLOCK: %m");
		turn_init(&m, b.id, 1);
		turn_free(&m, hold_one(&b, &a, 50));
		wait_send(&waiter, &a, &m);
		kt_check(pool_used(&a) == 0, "it frees when it wakes up");
		expect_msg(&b, 1, 0);
		send_one(&b, &a, 2);
		kt_assert_ret(wait_end(&waiter), 0, "turn");
		take_at(&a, m.msg.offset_reply, 2);
	}
	expect_empty(&a);
	expect_empty(&b);
}
END_TEST

START_TEST(to_itself)
{
	pair_open();
	turn_init(&m, a.id, 1);
	kt_check_ret(conn_send(&a, &m), 0, "turn");
	take_at(&a, m.msg.offset_reply, 1);
	expect_empty(&a);
}
END_TEST

/* neither flags nor item */
START_TEST(receivers_see_nothing)
{
	const struct kdbus_msg *got;
	struct conn mon, *to[2] = { &b, &mon };
	int i;

	pair_open();
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       POOL), 0, "HELLO of a monitor");
	turn_init(&m, b.id, 1);
	turn_free(&m, hold_one(&b, &a, 50));
	conn_drain(&mon);
	m.msg.flags |= EXPECT;
	m.msg.timeout_ns = NEVER;
	send_one(&b, &a, 2);
	kt_check_ret(conn_send(&a, &m), 0, "turn");
	for (i = 0; i < 2; i++) {
		got = conn_recv_msg(to[i], NULL);
		/* the monitor sees what was sent to the waiter first */
		if (got->cookie == 2)
			got = conn_recv_msg(to[i], NULL);
		kt_check(got->cookie == 1 && got->flags == EXPECT,
			 "%s: cookie %llu, flags %#llx", i ? "monitor" : "b",
			 got->cookie, got->flags);
		kt_check(!item_find(got, KDBUS_ITEM_FREE, 0), "the item");
		kt_check(got->timeout_ns == NEVER, "timeout %llu",
			 got->timeout_ns);
	}
}
END_TEST

START_TEST(broadcast)
{
	pair_open();
	match_all(&b);
	cast_init(&m, 1);
	m.msg.flags |= TURN_RECV;
	turn_free(&m, hold_one(&b, &a, 50));
	wait_send(&waiter, &a, &m);
	kt_check(conn_recv_msg(&b, NULL)->flags == 0, "flags");
	expect_empty(&b);
	send_one(&b, &a, 2);
	kt_assert_ret(wait_end(&waiter), 0, "turn");
	take_at(&a, m.msg.offset_reply, 2);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* a broadcast nobody hears was sent all the same */
START_TEST(broadcast_to_nobody)
{
	pair_open();
	send_one(&b, &a, 2);
	cast_init(&m, 1);
	m.msg.flags |= TURN_RECV;
	kt_check_ret(conn_send(&a, &m), 0, "turn");
	take_at(&a, m.msg.offset_reply, 2);
}
END_TEST

KT_SUITE("turn")
{
	kt_test(frees);
	kt_test(frees_its_payload);
	kt_test(frees_after_sending);
	kt_test(receives);
	kt_test(waits);
	kt_test(to_itself);
	kt_test(receivers_see_nothing);
	kt_test(broadcast);
	kt_test(broadcast_to_nobody);
}
