// SPDX-License-Identifier: GPL-2.0-only
/* MSG_RECV: order, peek, drop */

#include <string.h>
#include <unistd.h>

#include "pair.h"

#define PEEK	KDBUS_RECV_PEEK
#define DROP	KDBUS_RECV_DROP

static void send_n(u64 first, int n)
{
	int i;

	for (i = 0; i < n; i++)
		kt_assert_ret(conn_send_bytes(&a, b.id, first + i, "x", 1), 0,
			      "send %d", i);
}

START_TEST(empty_queue)
{
	static const u64 flags[] = { 0, PEEK, DROP, PEEK | DROP };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		struct kdbus_cmd_recv r = { .flags = flags[i] };

		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -EAGAIN,
			     "flags %llu", flags[i]);
		kt_check(r.offset == 0, "offset was written");
	}
}
END_TEST

START_TEST(offset_must_be_zero)
{
	static const u64 offsets[] = { 1, 8, 4096, 1ULL << 32, ~0ULL };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct kdbus_cmd_recv r = { .offset = offsets[i] };

		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -EINVAL,
			     "offset %#llx, empty queue", offsets[i]);
		kt_check(r.offset == offsets[i], "offset was written");
	}
	send_n(1, 1);
	for (i = 0; i < ARRAY_SIZE(offsets); i++) {
		struct kdbus_cmd_recv r = { .offset = offsets[i] };

		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -EINVAL,
			     "offset %#llx", offsets[i]);
		r.flags = DROP;
		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -EINVAL,
			     "offset %#llx, drop", offsets[i]);
	}
	kt_check(conn_drain(&b) == 1, "it is still there");
}
END_TEST

START_TEST(unknown_flags)
{
	u64 off;

	pair_open();
	send_n(5, 1);
	kt_check_ret(conn_recv_flags(&b, 8, &off), -EINVAL, "flag 8");
	kt_check_ret(conn_recv_flags(&b, 8 | DROP, &off), -EINVAL,
		     "flag 8 and DROP");
	kt_check(conn_recv_msg(&b, &off)->cookie == 5, "the message");
}
END_TEST

START_TEST(fifo)
{
	enum { N = 500 };
	u64 off;
	int i;

	pair_open();
	send_n(1000, N);
	for (i = 0; i < N; i++)
		kt_check(conn_recv_msg(&b, &off)->cookie == 1000ULL + i,
			 "message %d is %llu", i, conn_msg(&b, off)->cookie);
	kt_check_ret(conn_recv(&b, &off), -EAGAIN, "no more");
}
END_TEST

/* without USE_PRIORITY, it does not matter how urgent a message is */
START_TEST(fifo_ignores_priority)
{
	static const __s64 priorities[] = {
		5, -5, 0, 0x7fffffffffffffffLL, -0x7fffffffffffffffLL - 1, 1,
	};
	struct blob m;
	size_t i;
	u64 off;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(priorities); i++) {
		msg_init(&m, b.id, i);
		m.msg.priority = priorities[i];
		kt_assert_ret(conn_send(&a, &m), 0, "send");
	}
	for (i = 0; i < ARRAY_SIZE(priorities); i++) {
		/* nor does the priority of the command */
		struct kdbus_cmd_recv r = { .priority = -100 };

		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), 0,
			     "recv %zu", i);
		off = r.offset;
		kt_check(r.priority == -100, "priority was written");
		kt_check(conn_msg(&b, off)->cookie == i &&
			 conn_msg(&b, off)->priority == priorities[i],
			 "message %zu is %llu", i, conn_msg(&b, off)->cookie);
	}
}
END_TEST

START_TEST(peek)
{
	u64 first, off;
	int i;

	pair_open();
	send_n(1, 2);
	kt_check_ret(conn_recv_flags(&b, PEEK, &first), 0, "peek");
	for (i = 0; i < 3; i++) {
		kt_check_ret(conn_recv_flags(&b, PEEK, &off), 0, "peek");
		kt_check(off == first, "peek %d moved", i);
		send_n(10 + i, 1);
	}
	kt_check(conn_msg(&b, first)->cookie == 1, "wrong message");
	kt_check(conn_recv_msg(&b, &off)->cookie == 1 && off == first,
		 "recv after peek");
	kt_check_ret(conn_recv_flags(&b, PEEK, &off), 0, "peek at the next");
	kt_check(off != first && conn_msg(&b, off)->cookie == 2,
		 "peek after recv");
	kt_check_ret(conn_free(&b, first), 0, "free the first");
	kt_check(conn_drain(&b) == 4, "wrong number");
}
END_TEST

START_TEST(drop)
{
	static const u64 flags[] = { DROP, DROP | PEEK };
	struct kdbus_cmd_recv r;
	size_t i;
	u64 off;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		send_n(1, 3);
		memset(&r, 0, sizeof(r));
		r.flags = flags[i];
		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), 0, "drop");
		kt_check(r.offset == 0, "offset %llu", r.offset);
		r.offset = 0;
		kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), 0, "drop");
		kt_check(r.offset == 0, "offset %llu", r.offset);
		kt_check(conn_recv_msg(&b, &off)->cookie == 3,
			 "the wrong one was dropped");
		kt_check_ret(conn_free(&b, off), 0, "free");
		kt_check_ret(conn_recv_flags(&b, flags[i], &off), -EAGAIN,
			     "nothing left");
	}
	conn_check_pool_empty(&a, &b);
}
END_TEST

START_TEST(mixed)
{
	u64 cookie = 1, off;
	u32 rnd = kt_seed;
	int i, queued = 0, sent = 0;

	pair_open();
	for (i = 0; i < 2000; i++) {
		switch (kt_rand(&rnd) % 5) {
		case 0:
		case 1:
			if (queued > 100)
				break;
			send_n(1 + sent++, 1);
			queued++;
			break;
		case 2:
			kt_assert_ret(conn_recv_flags(&b, DROP, NULL),
				      queued ? 0 : -EAGAIN, "drop");
			cookie += queued > 0;
			queued -= queued > 0;
			break;
		case 3:
			if (!queued)
				break;
			kt_assert(conn_recv_msg(&b, &off)->cookie == cookie,
				  "recv: %llu instead of %llu",
				  conn_msg(&b, off)->cookie, cookie);
			kt_assert_ret(conn_free(&b, off), 0, "free");
			cookie++;
			queued--;
			break;
		default:
			kt_assert_ret(conn_recv_flags(&b, PEEK, &off),
				      queued ? 0 : -EAGAIN, "peek");
			if (queued)
				kt_assert(conn_msg(&b, off)->cookie == cookie,
					  "peek: %llu instead of %llu",
					  conn_msg(&b, off)->cookie, cookie);
		}
	}
	kt_check((int)conn_drain(&b) == queued, "wrong number at the end");
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* messages of those who left are still there, and in order */
START_TEST(senders_come_and_go)
{
	struct conn c;
	int i;

	pair_open();
	for (i = 0; i < 20; i++) {
		conn_open(&c, &bus, 4096);
		kt_assert_ret(conn_send_bytes(&c, b.id, c.id, "x", 1), 0,
			      "send");
		conn_close(&c);
	}
	for (i = 0; i < 20; i++) {
		const struct kdbus_msg *m = conn_recv_msg(&b, NULL);

		kt_check(m->src_id == m->cookie && m->src_id == b.id + 1 + i,
			 "message %d of %llu", i, m->src_id);
	}
}
END_TEST

/* what is held stays as it is while others come and go */
START_TEST(held_messages_stay)
{
	u64 held, off;
	int i;

	pair_open();
	send_n(77, 1);
	conn_recv_msg(&b, &held);
	for (i = 0; i < 300; i++) {
		send_n(i, 1);
		conn_recv_msg(&b, &off);
		kt_assert_ret(conn_free(&b, off), 0, "free");
	}
	kt_check(conn_msg(&b, held)->cookie == 77, "overwritten");
}
END_TEST

KT_SUITE("recv")
{
	kt_test(empty_queue);
	kt_test(offset_must_be_zero);
	kt_test(unknown_flags);
	kt_test(fifo);
	kt_test(fifo_ignores_priority);
	kt_test(peek);
	kt_test(drop);
	kt_test(mixed);
	kt_test(senders_come_and_go);
	kt_test(held_messages_stay);
}
