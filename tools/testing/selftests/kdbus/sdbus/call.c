// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 9: calls, replies, timeouts */

#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "sd-util.h"

static struct bus bus;
static struct conn a, b;	/* a calls b */
static struct call call;

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, SD_PLAIN);
	kt_assert_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
}

/* 25 s if @deadline is 0 */
static void sync_init(u32 cookie, u64 deadline)
{
	static struct sd_msg h;

	memset(&call, 0, sizeof(call));
	call.c = &a;
	sd_call(&h, 0, cookie, SD_NAME);
	sd_end(&h, 0);
	sd_msg_init(&call.m, &h, 0, SD_NAME);
	call.m.size = ALIGN8(call.m.size);
	call.m.msg.flags |= KDBUS_MSG_FLAGS_SYNC_REPLY;
	if (deadline)
		call.m.msg.timeout_ns = deadline;
}

static void sync_start(u32 cookie, u64 deadline)
{
	sync_init(cookie, deadline);
	call_run(&call);
}

static void check_reply(u64 off, u32 cookie, u32 cookie_reply)
{
	const struct kdbus_msg *m = conn_msg(&a, off);
	struct sd_msg h;
	u8 buf[256];

	sd_return(&h, cookie, cookie_reply, a.id);
	sd_end(&h, 0);
	kt_check(m->flags == 0 && m->cookie_reply == cookie_reply,
		 "flags %#llx, reply to %llu", m->flags, m->cookie_reply);
	kt_check(m->dst_id == a.id && m->src_id == b.id, "ids");
	kt_check(sd_read(&a, m, buf, sizeof(buf)) == h.size &&
		 !memcmp(buf, h.raw, h.size), "bytes of the reply");
	kt_check_ret(conn_free(&a, off), 0, "FREE of the reply");
}

/* a call waits for a message with the cookie; a replier sets both */
START_TEST(asynchronous)
{
	u64 off;
	u32 i;

	prepare();
	for (i = 1; i < 5; i++)
		kt_check_ret(sd_send_call(&a, 0, i, 0, SD_NAME), 0, "call");
	for (i = 1; i < 5; i++)
		expect_msg(&b, i, 0);
	/* in whatever order */
	for (i = 4; i; i--) {
		kt_check_ret(sd_send_return(&b, i + 50, i, a.id), 0, "reply");
		wait_readable(&a);
		kt_assert_ret(conn_recv(&a, &off), 0, "MSG_RECV");
		check_reply(off, i + 50, i);
	}
	kt_check(pool_used(&a) == 0 && pool_used(&b) == 0, "leak");
}
END_TEST

/* with SYNC_REPLY: from offset_reply, freed like a received message */
START_TEST(synchronous)
{
	u32 i;

	prepare();
	for (i = 1; i < 4; i++) {
		sync_start(i, 0);
		expect_msg(&b, i, 0);
		kt_check_ret(sd_send_return(&b, i + 50, i, a.id), 0, "reply");
		kt_assert_ret(call_end(&call), 0, "call");
		expect_empty(&a);
		check_reply(call.m.msg.offset_reply, i + 50, i);
	}
	kt_check(pool_used(&a) == 0, "leak");
}
END_TEST

/*
 * V217: "no timeout" overflows to a deadline 1000 ns in the past, and such a
 * call fails at once
 */
START_TEST(deadline_past)
{
	prepare();
	sync_init(1, now_ns() - 1000);
	call_run_now(&call);
	kt_check_ret(call_end(&call), -ETIMEDOUT, "synchronous");
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "it was sent");
	/* and an answer is a message like any other, that is not expected */
	kt_check_ret(sd_send_return(&b, 5, 1, a.id), 0, "late reply");
	expect_msg(&a, 5, 1);
}
END_TEST

/* never early: a deadline of a coarse clock, 100 ms */
START_TEST(deadline)
{
	u64 end;

	prepare();
	end = in_ms(100);
	sync_start(1, end);
	kt_check_ret(call_end(&call), -ETIMEDOUT, "synchronous");
	kt_check(call.end >= end, "%llu ns early", end - call.end);
	kt_check(call.m.msg.timeout_ns == end, "the message changed");
}
END_TEST

/* REC: ~0 for none */
START_TEST(no_deadline)
{
	prepare();
	sync_start(1, NEVER);
	kt_check_ret(sd_send_return(&b, 2, 1, a.id), 0, "reply");
	kt_check_ret(call_end(&call), 0, "call");
	check_reply(call.m.msg.offset_reply, 2, 1);
}
END_TEST

static unsigned int signals;

static void on_signal(int sig)
{
	(void)sig;
	__atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

static void interrupt(int flags)
{
	const struct sigaction sa = {
		.sa_handler = on_signal, .sa_flags = flags,
	};

	signals = 0;
	kt_assert(!sigaction(SIGUSR1, &sa, NULL), "sigaction: %m");
	kt_assert(!syscall(SYS_tgkill, getpid(), call.tid, SIGUSR1),
		  "tgkill: %m");
	while (!__atomic_load_n(&signals, __ATOMIC_SEQ_CST))
		sched_yield();
}

/*
 * EINTR is treated as sent; the caller then looks into its queue, where the
 * kernel does not put the reply
 */
START_TEST(interrupted)
{
	prepare();
	sync_start(1, 0);
	interrupt(0);
	kt_check_ret(call_end(&call), -EINTR, "call");
	expect_msg(&b, 1, 0);
	kt_check_ret(sd_send_return(&b, 2, 1, a.id), 0, "reply");
	expect_empty(&a);
	kt_check(!(fd_poll(a.fd, 0) & 1), "it can be read");
}
END_TEST

/* only handlers that restart system calls are safe; these are */
START_TEST(restarted)
{
	prepare();
	sync_start(1, 0);
	interrupt(SA_RESTART);
	kt_wait_asleep(call.tid);
	expect_msg(&b, 1, 0);
	expect_empty(&b);
	kt_check_ret(sd_send_return(&b, 2, 1, a.id), 0, "reply");
	kt_check_ret(call_end(&call), 0, "call");
	check_reply(call.m.msg.offset_reply, 2, 1);
}
END_TEST

/* EPIPE: the peer died; V217 gives its connection up, which is alive */
START_TEST(peer_dies)
{
	prepare();
	sync_start(1, 0);
	conn_close(&b);
	kt_check_ret(call_end(&call), -EPIPE, "call");
	expect_empty(&a);
	sd_connect(&b, &bus, SD_PLAIN);
	kt_check_ret(sd_send_call(&a, 0, 2, b.id, NULL), 0, "still alive");
	expect_msg(&b, 2, 0);
	/* an asynchronous one: only a notification */
	conn_close(&b);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
}
END_TEST

/* error replies and replies that nobody asked for go the same way */
START_TEST(error_reply)
{
	struct sd_msg h;
	struct blob m;

	prepare();
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	expect_msg(&b, 1, 0);
	sd_begin(&h, 3, SD_NO_REPLY, 2);
	sd_field_u(&h, 5, 1);
	sd_field(&h, 6, 's', ":1.1");
	sd_field(&h, 4, 's', "org.freedesktop.DBus.Error.UnknownObject");
	sd_end(&h, 0);
	sd_msg_init(&m, &h, a.id, NULL);
	kt_check(m.msg.cookie_reply == 1, "test bug");
	kt_check_ret(sd_send(&b, &m), 0, "error");
	sd_expect(&a, &h, b.id, a.id);
	/* answered once: no timeout, no second notice */
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

KT_SUITE("sd-call")
{
	kt_test(asynchronous);
	kt_test(synchronous);
	kt_test(deadline_past);
	kt_test(deadline);
	kt_test(no_deadline);
	kt_test(interrupted);
	kt_test(restarted);
	kt_test(peer_dies);
	kt_test(error_reply);
}
