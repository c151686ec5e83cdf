// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for a reply that fails, or does not get to them */

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include "sync-util.h"

static struct call call;

static int reply_vec(const void *p, size_t n)
{
	struct blob r;

	reply_init(&r, a.id, 7);
	msg_vec(&r, p, n);
	return conn_send(&b, &r);
}

/* its own fault: the waiter waits on */
START_TEST(replier_own_fault)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	struct blob r;

	pair_open();
	call_start(&call, &a, b.id, 7, in_ms(LONG));
	reply_init(&r, a.id, 7);
	blob_add(&r, KDBUS_ITEM_FDS, &null, sizeof(null));
	kt_check_ret(conn_send(&b, &r), -ECOMM, "files are not accepted");
	kt_check_ret(reply_vec(kt_noread(KT_PAGE), 8), -EFAULT, "unreadable");
	kt_check(pool_used(&a) == 0, "pool");
	kt_check(!call.done, "the waiter did not wait on");
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	end_replied(&call, 7);
	expect_empty(&a);
}
END_TEST

/* no room: both get the error, and that was it */
START_TEST(no_room)
{
	static const struct {
		size_t size;
		int err;
	} rows[] = { { 3000, EXFULL }, { 8192, ENOBUFS } };
	static u8 big[8192];
	size_t i;

	pair_open_as(0, KT_PAGE);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		call_start(&call, &a, b.id, 7, in_ms(LONG));
		kt_check_ret(reply_vec(big, rows[i].size), -rows[i].err,
			     "reply of %zu bytes", rows[i].size);
		end_failed(&call, rows[i].err);
		kt_check(pool_used(&a) == 0, "pool");
		expect_empty(&a);
		kt_check_ret(reply(&b, a.id, 7), 0, "a message");
		expect_msg(&a, 1007, 7);
	}
	conn_close(&b);
	expect_empty(&a);
}
END_TEST

/* the result cannot be stored: an error, and the pool is as before */
START_TEST(offset_not_writable)
{
	pair_open();
	call_init(&call, &a, b.id, 7, in_ms(LONG));
	call.msg = kt_half_ro(&call.m, 72, 64);
	call_run(&call);
	kt_check_ret(reply(&b, a.id, 7), 0, "reply");
	kt_check_ret(call_end(&call), -EFAULT, "offset_reply not writable");
	kt_check(pool_used(&a) == 0, "%llu bytes of the pool are lost",
		 pool_used(&a));
	expect_empty(&a);
}
END_TEST

/* and no descriptor appears out of nowhere */
START_TEST(offset_not_writable_files)
{
	unsigned int before;
	int p[2];

	pair_open_as(KDBUS_HELLO_ACCEPT_FD, POOL);
	before = kt_count_fds();
	call_init(&call, &a, b.id, 7, in_ms(LONG));
	call.msg = kt_half_ro(&call.m, 72, 64);
	call_run(&call);
	close(reply_with_files(p));
	kt_check_ret(call_end(&call), -EFAULT, "offset_reply not writable");
	kt_check(pool_used(&a) == 0, "pool");
	kt_check(kt_count_fds() == before + 2, "descriptors were installed");
	close(p[1]);
	kt_check(fd_poll(p[0], 10000) & POLLHUP, "the files are still held");
}
END_TEST

/* replies do not care for what the queue holds */
START_TEST(pending_limit)
{
	int i;

	pair_open();
	for (i = 0; i < 128; i++)
		kt_assert_ret(request(&a, b.id, i, NEVER), 0, "request");
	call_init(&call, &a, b.id, 7, NEVER);
	call_run_now(&call);
	end_failed(&call, EMLINK);
	kt_check_ret(reply(&b, a.id, 1), 0, "reply");
	for (i = 0; i < 2; i++) {
		call.m.msg.timeout_ns = in_ms(200);
		call_run_now(&call);
		end_failed(&call, ETIMEDOUT);
	}
}
END_TEST

KT_SUITE("sync")
{
	kt_test(replier_own_fault);
	kt_test(no_room);
	kt_test(offset_not_writable);
	kt_test(offset_not_writable_files);
	kt_test(pending_limit);
}
