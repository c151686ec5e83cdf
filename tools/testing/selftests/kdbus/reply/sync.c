// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for their reply, and how they end; MSG_CANCEL */

#include <fcntl.h>
#include <poll.h>
#include <sys/resource.h>
#include <unistd.h>

#include "sync-util.h"

static struct call call, call2;

START_TEST(reply_layout)
{
	static u8 bytes[100];
	const struct kdbus_item *i;
	const struct kdbus_msg *m;
	struct blob r;

	pair_open();
	kt_fill(bytes, sizeof(bytes), 3);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	reply_init(&r, a.id, 7);
	r.msg.priority = -5;
	msg_vec(&r, bytes, sizeof(bytes));
	kt_check_ret(conn_send(&b, &r), 0, "reply");
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	m = conn_msg(&a, reply_offset(&call));
	kt_check(m->size == 72 + 32, "size %llu", m->size);
	kt_check(m->flags == 0 && m->kernel_flags == 0 && m->priority == -5,
		 "flags %#llx, %#llx, priority %lld", m->flags,
		 m->kernel_flags, m->priority);
	kt_check(m->src_id == b.id && m->dst_id == a.id, "from %llu to %llu",
		 m->src_id, m->dst_id);
	kt_check(m->payload_type == KDBUS_PAYLOAD_DBUS, "payload type");
	kt_check(m->cookie == 1007 && m->cookie_reply == 7,
		 "cookies %llu, %llu", m->cookie, m->cookie_reply);
	i = item_first(m);
	kt_assert(i && i->type == KDBUS_ITEM_PAYLOAD_OFF && i->size == 32,
		  "no payload");
	kt_check(i->vec.size == sizeof(bytes) && i->vec.offset == m->size,
		 "payload of %llu at %llu", i->vec.size, i->vec.offset);
	kt_check(kt_filled((const u8 *)m + i->vec.offset, sizeof(bytes), 3),
		 "bytes");
	kt_check_ret(conn_free(&a, reply_offset(&call)), 0, "FREE");
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* the receiver sees an ordinary request */
START_TEST(request_layout)
{
	u64 deadline = in_ms(LONG);
	const struct kdbus_msg *m;

	pair_open();
	call_start(&call, &a, b.id, 7, deadline);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->flags == SYNC && m->timeout_ns == deadline,
		 "flags %#llx, timeout %llu", m->flags, m->timeout_ns);
	kt_check(m->cookie == 7 && m->src_id == a.id, "cookie %llu",
		 m->cookie);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&b);
}
END_TEST

/* the queue never sees the reply, and poll does not */
START_TEST(not_in_queue)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check(!(fd_poll(a.fd, 0) & POLLIN), "POLLIN");
	expect_empty(&a);
	call_end(&call);
	kt_check(!(fd_poll(a.fd, 0) & POLLIN), "POLLIN");
	expect_empty(&a);
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE with a reply not freed");
}
END_TEST

/* what is in the queue neither disturbs nor is disturbed */
START_TEST(beside_queue)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	kt_check_ret(conn_send_bytes(&b, a.id, 1, "x", 1), 0, "message");
	kt_check_ret(reply(&b, a.id, 8), 0, "wrong cookie");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check_ret(reply(&b, a.id, 7), 0, "second reply, a message");
	end_replied(&call, 7);
	expect_msg(&a, 1, 0);
	expect_msg(&a, 1008, 8);
	expect_msg(&a, 1007, 7);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

START_TEST(files_in_reply)
{
	int p[2];

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	reply_with_files(p);
	close(p[0]);
	close(p[1]);
	kt_assert_ret(call_end(&call), 0, "synchronous request");
	check_files(reply_offset(&call));
}
END_TEST

static int child_asks(void *arg)
{
	int ret;

	(void)arg;
	call_init(&call, &a, b.id, 7, in_ms(LONG));
	ret = kt_cmd(a.fd, KDBUS_CMD_MSG_SEND, &call.m);
	kt_assert_ret(ret, 0, "synchronous request in a child");
	check_files(call.m.msg.offset_reply);
	return 0;
}

/* they are installed where the request waits, and nowhere else */
START_TEST(files_in_waiter)
{
	unsigned int open_before;
	int p[2];
	pid_t pid;

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	pid = kt_fork_as(0, 0, child_asks, NULL);
	wait_readable(&b);
	open_before = kt_count_fds();
	close(reply_with_files(p));
	kt_check(kt_wait(pid) == 0, "child");
	close(p[0]);
	close(p[1]);
	kt_check(kt_count_fds() == open_before, "%u descriptors, before %u",
		 kt_count_fds(), open_before);
}
END_TEST

/* no room for descriptors: an error, and nothing is left in the pool */
START_TEST(no_room_for_files)
{
	struct rlimit old, lim;
	int p[2], next;

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	/* one is free, three are wanted */
	kt_assert(!getrlimit(RLIMIT_NOFILE, &old), "getrlimit: %m");
	next = dup(0);
	close(next);
	lim = old;
	lim.rlim_cur = next + 3;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");
	close(reply_with_files(p));
	end_failed(&call, EMFILE);
	kt_assert(!setrlimit(RLIMIT_NOFILE, &old), "setrlimit: %m");
	kt_check(dup(0) == next, "descriptors were installed");
	kt_check(pool_used(&a) == 0, "%llu bytes of the pool are lost",
		 pool_used(&a));
	expect_empty(&a);
}
END_TEST

START_TEST(deadline)
{
	u64 when, ms;

	pair_open();
	/* on a busy machine it may be over before the request is sent */
	for (ms = 1; ms < LONG; ms *= 2) {
		when = in_ms(ms);
		call_init(&call, &a, b.id, ms, when);
		call_run_now(&call);
		end_failed(&call, ETIMEDOUT);
		kt_check(call.end >= when, "%llu ns early", when - call.end);
		if (conn_drain(&b) == 1 && ms > 50)
			break;
	}
	kt_check(ms < LONG, "the request is never sent");
	expect_empty(&a);
	conn_close(&b);
	expect_empty(&a);
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

/* what would be over before it is sent is not sent */
START_TEST(deadline_past)
{
	u64 when[] = { 1, 2, 1000000, now_ns() };
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(when); i++) {
		call_init(&call, &a, b.id, i, when[i]);
		call_run_now(&call);
		end_failed(&call, ETIMEDOUT);
	}
	expect_empty(&b);
	expect_empty(&a);
}
END_TEST

START_TEST(deadline_far)
{
	static const u64 far[] = {
		NEVER, NEVER - 1, 1ULL << 63, (1ULL << 63) - 1, 1ULL << 62,
	};
	size_t i;

	pair_open();
	for (i = 0; i < ARRAY_SIZE(far); i++) {
		call_start(&call, &a, b.id, 7, far[i]);
		kt_check_ret(reply(&b, a.id, 7), 0, "reply");
		end_replied(&call, 7);
	}
}
END_TEST

/* then a reply is a message */
START_TEST(late_reply)
{
	pair_open();
	call_init(&call, &a, b.id, 7, in_ms(100));
	call_run_now(&call);
	end_failed(&call, ETIMEDOUT);
	kt_check_ret(reply(&b, a.id, 7), 0, "late reply");
	expect_msg(&a, 1007, 7);
	expect_empty(&a);
}
END_TEST

START_TEST(receiver_dies)
{
	int read;

	pair_open();
	for (read = 0; read < 2; read++) {
		call_start(&call, &a, b.id, 7, in_ms(LONG));
		if (read)
			conn_drain(&b);
		conn_close(&b);
		end_failed(&call, EPIPE);
		expect_empty(&a);
		conn_open(&b, &bus, POOL);
	}
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	conn_drain(&b);
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE of the receiver");
	end_failed(&call, EPIPE);
	expect_empty(&a);
}
END_TEST

START_TEST(receiver_drops)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	end_failed(&call, EPIPE);
	expect_empty(&a);
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
}
END_TEST

START_TEST(own_byebye)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 8, NEVER);
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE while waiting");
	end_failed(&call, ECONNRESET);
	end_failed(&call2, ECONNRESET);
	kt_check_ret(reply(&b, a.id, 7), -ENXIO, "reply");
	kt_check(conn_drain(&b) == 2, "the requests stay");
}
END_TEST

START_TEST(bus_dies)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &b, b.id, 7, in_ms(LONG));
	bus_close(&bus);
	end_failed(&call, ECONNRESET);
	end_failed(&call2, ECONNRESET);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* MSG_CANCEL */

START_TEST(cancel_errors)
{
	struct kdbus_cmd_cancel cmd = { .cookie = 7 };
	struct conn special;
	u64 bit;

	pair_open();
	kt_check_ret(cancel(&a, 7), -ENOENT, "nothing to cancel");
	kt_check_ret(request(&a, b.id, 7, in_ms(LONG)), 0, "request");
	kt_check_ret(cancel(&a, 7), -ENOENT, "asynchronous");
	call_start(&call, &a, b.id, 8, in_ms(LONG));
	cmd.cookie = 8;
	for (bit = 1; bit; bit <<= 1) {
		cmd.flags = bit;
		kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, &cmd), -EINVAL,
			     "flags %#llx", bit);
	}
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, (u8 *)&cmd + 4),
		     -EFAULT, "unaligned");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, kt_unmapped()),
		     -EFAULT, "unmapped");
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, NULL), -EFAULT, "NULL");
	kt_check_ret(cancel(&a, 9), -ENOENT, "wrong cookie");
	kt_check_ret(cancel(&b, 8), -ENOENT, "that of another");
	kt_check_ret(reply(&b, a.id, 8), 0, "it still waits");
	end_replied(&call, 8);
	kt_check_ret(cancel(&a, 8), -ENOENT, "over");
	kt_assert_ret(special_try_open(&special, &bus, KDBUS_HELLO_MONITOR,
				       NULL, POOL), 0, "HELLO of a monitor");
	kt_check_ret(kt_cmd(special.fd, KDBUS_CMD_MSG_CANCEL, NULL),
		     -EOPNOTSUPP, "monitor");
	activator_open(&special, &bus, 0, "a.b", POOL);
	kt_check_ret(kt_cmd(special.fd, KDBUS_CMD_MSG_CANCEL, NULL),
		     -EOPNOTSUPP, "activator");
	kt_check_ret(kt_cmd(open_endpoint(&bus), KDBUS_CMD_MSG_CANCEL, &cmd),
		     -ENOTTY, "not connected");
	bus_close(&bus);
	kt_check_ret(kt_cmd(a.fd, KDBUS_CMD_MSG_CANCEL, NULL), -ECONNRESET,
		     "disconnected");
}
END_TEST

START_TEST(cancel_one)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 8, in_ms(LONG));
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_failed(&call, ECANCELED);
	kt_check_ret(cancel(&a, 7), -ENOENT, "again");
	kt_check_ret(reply(&b, a.id, 8), 0, "the other waits");
	end_replied(&call2, 8);
	kt_check(conn_drain(&b) == 2, "the requests stay");
	kt_check_ret(reply(&b, a.id, 7), 0, "a message");
	expect_msg(&a, 1007, 7);
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* to the same receiver and to another; asynchronous ones stay */
START_TEST(cancel_all_of_cookie)
{
	static struct call call3;
	struct conn other;

	pair_open();
	conn_open(&other, &bus, POOL);
	kt_check_ret(request(&a, b.id, 7, NEVER), 0, "request");
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 7, in_ms(LONG));
	call_start(&call3, &a, other.id, 7, NEVER);
	kt_check_ret(request(&a, b.id, 7, NEVER), 0, "request");
	kt_check_ret(cancel(&a, 7), 0, "cancel");
	end_failed(&call, ECANCELED);
	end_failed(&call2, ECANCELED);
	end_failed(&call3, ECANCELED);
	kt_check(conn_drain(&b) == 4, "the requests stay");
	conn_close(&b);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 7);
	expect_empty(&a);
}
END_TEST

/* two that wait with one cookie are two requests */
START_TEST(same_cookie)
{
	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	call_start(&call2, &a, b.id, 7, in_ms(LONG));
	kt_check(conn_drain(&b) == 2, "two requests");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply to the second");
	end_replied(&call2, 7);
	kt_check(!call.done, "the first got it as well");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply to the first");
	end_replied(&call, 7);
	expect_empty(&a);
}
END_TEST

KT_SUITE("sync")
{
	kt_test(reply_layout);
	kt_test(request_layout);
	kt_test(not_in_queue);
	kt_test(beside_queue);
	kt_test(files_in_reply);
	kt_test(files_in_waiter);
	kt_test(no_room_for_files);
	kt_test(deadline);
	kt_test(deadline_past);
	kt_test(deadline_far);
	kt_test(late_reply);
	kt_test(receiver_dies);
	kt_test(receiver_drops);
	kt_test(own_byebye);
	kt_test(bus_dies);
	kt_test(cancel_errors);
	kt_test(cancel_one);
	kt_test(cancel_all_of_cookie);
	kt_test(same_cookie);
}
