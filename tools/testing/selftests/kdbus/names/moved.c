// SPDX-License-Identifier: GPL-2.0-only
/* What a message is to the service that it moves to: no more than if sent there */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "act-world.h"
#include "ns-world.h"

#define FDS	KDBUS_HELLO_ACCEPT_FD

/* ------------------------------------------------------------------------ */
/* Bytes */

static void send_bytes(u64 cookie, size_t size, int fill)
{
	static u8 bytes[2000];
	struct blob m;

	memset(bytes, fill, sizeof(bytes));
	msg_init(&m, 0, cookie);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&m, bytes, size);
	kt_assert_ret(conn_send(&a, &m), 0, "send %zu bytes", size);
}

/* what lies behind a message in the first pool stays there */
START_TEST(padding_stays)
{
	const struct kdbus_item *v;
	const struct kdbus_msg *m;
	size_t size, i;
	u64 off;

	act_world(0);
	for (size = 1; size <= 8; size++) {
		for (i = 0; i < 3; i++)
			send_bytes(i, 1500, 0xa5);
		while (!drop(&act))
			;
		send_bytes(9, size, 'x');
		take(&s);
		m = conn_recv_msg(&s, &off);
		v = item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 0);
		kt_assert(v && v->vec.size == size, "payload");
		for (i = 0; i < size; i++)
			kt_check(((u8 *)m + v->vec.offset)[i] == 'x',
				 "%zu: byte %zu of the payload", size, i);
		kt_check(kt_zero((u8 *)m + v->vec.offset + size, 8 - size),
			 "%zu bytes: something came along behind them", size);
		kt_check_ret(conn_free(&s, off), 0, "FREE");
		release(&s);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Descriptors */

static void send_pipe(u64 cookie, u64 flags, int p[2])
{
	struct blob m;

	kt_assert(!pipe2(p, O_CLOEXEC | O_NONBLOCK), "pipe: %m");
	msg_init(&m, 0, cookie);
	m.msg.flags = flags;
	m.msg.timeout_ns = flags ? NEVER : 0;
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	blob_add(&m, KDBUS_ITEM_FDS, &p[1], sizeof(int));
	kt_assert_ret(conn_send(&a, &m), 0, "send a pipe");
	close(p[1]);
}

/* nobody has the other end */
static void check_closed(int fd)
{
	char c;

	kt_check(read(fd, &c, 1) == 0, "somebody has the descriptor: %m");
	close(fd);
}

static void send_memfd(u64 cookie)
{
	int memfd = kt_memfd(5000, KT_SEALS, 9);
	struct blob m;

	msg_init(&m, 0, cookie);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_memfd(&m, memfd, 5000);
	kt_assert_ret(conn_send(&a, &m), 0, "send a memfd");
	close(memfd);
}

/* the activator takes descriptors, the service does not */
START_TEST(descriptors_not_accepted)
{
	unsigned int fds;
	int p[2][2];

	act_world(FDS);
	send_n(1, 1);
	send_pipe(2, 0, p[0]);
	send_n(3, 1);
	send_pipe(4, EXPECT, p[1]);
	send_memfd(5);
	fds = kt_count_fds();
	take(&s);
	check_owner(s.id);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 4);
	expect_empty(&a);
	kt_check(fdinfo(&s, "lost:") == 2, "%llu lost", fdinfo(&s, "lost:"));
	expect_msg(&s, 1, 0);
	expect_msg(&s, 3, 0);
	kt_check(kt_count_fds() == fds, "descriptors were installed");
	check_closed(p[0][0]);
	check_closed(p[1][0]);
	/* memory files need no permission */
	kt_check(item_find(conn_recv_msg(&s, NULL), KDBUS_ITEM_PAYLOAD_MEMFD,
			   0)->memfd.fd > 2, "memfd");
	expect_empty(&s);
	kt_check(pool_used(&act) == 0, "pool of the activator");
}
END_TEST

/* a caller who sleeps is told as well */
START_TEST(descriptors_of_a_call)
{
	static struct call call;
	int p[2];

	act_world(FDS);
	kt_assert(!pipe2(p, O_CLOEXEC | O_NONBLOCK), "pipe: %m");
	call_init(&call, &a, 0, 7, in_ms(20000));
	blob_add_str(&call.m, KDBUS_ITEM_DST_NAME, NAME);
	blob_add(&call.m, KDBUS_ITEM_FDS, &p[1], sizeof(int));
	call_run(&call);
	take(&s);
	kt_check_ret(call_end(&call), -EPIPE, "synchronous request");
	close(p[1]);
	check_closed(p[0]);
	expect_empty(&s);
}
END_TEST

/* an activator installs nothing: what goes back waits for who accepts it */
START_TEST(descriptors_go_back)
{
	const struct kdbus_item *f;
	int p[2];

	act_world(0);
	conn_close(&s);
	kt_assert_ret(conn_try_open(&s, &bus, FDS, POOL), 0, "ACCEPT_FD");
	take(&s);
	send_pipe(1, 0, p);
	release(&s);
	check_owner(act.id);
	take(&s);
	f = item_find(conn_recv_msg(&s, NULL), KDBUS_ITEM_FDS, 0);
	kt_assert(f && f->fds[0] > 2, "no descriptor");
	kt_check(write(f->fds[0], "y", 1) == 1, "write: %m");
	close(f->fds[0]);
	close(p[0]);
	expect_empty(&s);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Metadata: of a sender in other namespaces there is none */

static bool contains(const u8 *p, size_t n, const char *what)
{
	return memmem(p, n, what, strlen(what));
}

/* the message tells nothing, and its memory neither */
static void recv_nothing(struct conn *c, const char *secret)
{
	const struct kdbus_msg *msg;
	struct meta m;
	u64 off;

	msg = meta_recv(c, 1, &m);
	off = (const u8 *)msg - c->pool;
	meta_expect_bits(&m, 0, "moved to another namespace");
	kt_check(msg->size == sizeof(*msg) + HDR + ALIGN8(sizeof(NAME)),
		 "size %llu", msg->size);
	kt_check(!contains(c->pool, c->pool_size, secret),
		 "the pool tells who sent it");
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

START_TEST(metadata_stays_outside)
{
	struct conn in;
	struct meta m;
	size_t i;

	ns_world(ALL);
	meta_special(&act, &bus, ACT, ALL, NAME);
	for_each_ns(i) {
		ns_conn_open(&in, &bus, both[i], 0, ALL, NULL);
		kt_assert_ret(send_name(&a, NAME, 1), 0, "send");
		kt_assert_ret(name_acquire(&in, NAME, 0), 0, "take over");
		recv_nothing(&in, facts->exe);
		conn_close(&in);
		/* as before, where nothing is hidden */
		kt_assert_ret(send_name(&a, NAME, 1), 0, "send");
		kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
		meta_recv(&b, 1, &m);
		facts_expect(facts, &m, TASK, STAMP | NAMES | CONN_NAME,
			     "the same namespaces");
		kt_assert_ret(name_release(&b, NAME), 0, "release");
	}
}
END_TEST

/* an activator, and root who sends to it: returns the descriptor */
static int inside_fn(void *arg)
{
	struct conn in;

	(void)arg;
	meta_special(&in, &bus, ACT, ALL, NAME);
	kt_assert_ret(send_name(&a, NAME, 1), 0, "send");
	return in.fd;
}

/* who is root there is not root here */
START_TEST(metadata_stays_inside)
{
	size_t i;
	int fd;

	ns_world(ALL);
	for_each_ns(i) {
		fd = ns_run(both[i], 0, inside_fn, NULL);
		kt_assert(fd > 2 && fcntl(fd, F_GETFD) >= 0, "child: %d", fd);
		kt_assert_ret(name_acquire(&b, NAME, 0), 0, "take over");
		recv_nothing(&b, facts->exe);
		kt_assert_ret(name_release(&b, NAME), 0, "release");
		close(fd);
	}
}
END_TEST

KT_SUITE("moved")
{
	kt_test(padding_stays);
	kt_test(descriptors_not_accepted);
	kt_test(descriptors_of_a_call);
	kt_test(descriptors_go_back);
	kt_test(metadata_stays_outside);
	kt_test(metadata_stays_inside);
}
