// SPDX-License-Identifier: GPL-2.0-only
/* Notifications, messages, and users who cause either: room for each */

#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"
#include "wait-util.h"

#define POOL	(64 * KIB)
#define OWNER	20371		/* of the bus, so may talk to everybody */
#define NOISY	20372		/* comes and goes */
#define QUIET	20373
#define STORM	150		/* times, of two notifications */
#define UNCOUNTED	240		/* notifications that count for nobody */
#define SHARE	16		/* and those of a user beyond */
#define MOST	256		/* messages in a queue, notifications of requests */
#define LONG	250		/* name */

static struct bus bus;
static struct conn r, owner;	/* r hears of connections and names */

static void prepare(void)
{
	bus_of(&bus, OWNER);
	conn_open(&r, &bus, POOL);
	user_open(&owner, &bus, OWNER);
	match_all(&r);
}

static void storm(uid_t uid, int n)
{
	struct conn c;

	kt_become(uid);
	while (n-- > 0) {
		conn_open(&c, &bus, KT_PAGE);
		conn_close(&c);
	}
	kt_become(0);
}

static void close_as(uid_t uid, struct conn *c)
{
	kt_become(uid);
	conn_close(c);
	kt_become(0);
}

static bool is_id_note(const struct kdbus_msg *m, u64 type, u64 id)
{
	return m->src_id == KDBUS_SRC_ID_KERNEL && m->items[0].type == type &&
	       m->items[0].id_change.id == id;
}

/* receives everything; how many ID_REMOVE of @id there are among it */
static unsigned int removals(u64 id, unsigned int *all)
{
	unsigned int n = 0;
	u64 off;

	for (*all = 0; !conn_recv(&r, &off); ++*all) {
		n += is_id_note(conn_msg(&r, off), KDBUS_ITEM_ID_REMOVE, id);
		kt_assert_ret(conn_free(&r, off), 0, "free");
	}
	return n;
}

/* who comes and goes neither keeps messages out, nor news of others */
START_TEST(storm_of_a_user)
{
	unsigned int all, i;
	struct conn quiet;

	prepare();
	user_open(&quiet, &bus, QUIET);
	for (i = 0; i < 2; i++) {
		conn_drain(&r);
		storm(NOISY, STORM);
		kt_become(OWNER);
		kt_check_ret(conn_send_bytes(&owner, r.id, 1, "x", 1), 0,
			     "a message");
		kt_become(0);
		close_as(QUIET, &quiet);
		kt_check(fdinfo(&r, "lost:") ==
			 (i + 1) * (2 * STORM - UNCOUNTED - SHARE), "%llu lost",
			 fdinfo(&r, "lost:"));
		kt_check(removals(quiet.id, &all) == 1, "nobody left");
		kt_check(all == UNCOUNTED + SHARE + 2, "%u messages", all);
		user_open(&quiet, &bus, QUIET);
	}
	kt_check(pool_used(&r) == 0, "pool in use");
}
END_TEST

/* several of them, together */
START_TEST(storms_of_several)
{
	struct conn quiet;
	unsigned int all, i;

	prepare();
	user_open(&quiet, &bus, QUIET);
	conn_drain(&r);
	storm(NOISY, UNCOUNTED / 2);
	for (i = 0; i < 5; i++)
		storm(NOISY + 100 + i, SHARE);
	close_as(QUIET, &quiet);
	kt_check(removals(quiet.id, &all) == 1, "nobody left");
	kt_check(all == UNCOUNTED + 5 * SHARE + 1, "%u notifications", all);
}
END_TEST

/* names count likewise, for who takes them and who lets go of them */
START_TEST(storm_of_names)
{
	struct conn holder, noisy, quiet;
	unsigned int all, n;
	int i;

	prepare();
	holder_open(&holder, &bus, "a.name w:o");
	user_open(&noisy, &bus, NOISY);
	user_open(&quiet, &bus, QUIET);
	kt_assert_ret(name_acquire(&quiet, "a.name", ALLOW | QUEUE), 0,
		      "acquire");
	conn_drain(&r);
	for (i = 0; i < STORM; i++) {
		/* from the other, and back: both by the noisy one */
		kt_assert_ret(name_acquire(&noisy, "a.name", REPLACE), 0,
			      "replace");
		kt_assert_ret(name_release(&noisy, "a.name"), 0, "release");
	}
	close_as(QUIET, &quiet);
	n = removals(quiet.id, &all);
	/* the name goes before its owner */
	kt_check(n == 1 && all == UNCOUNTED + SHARE + 2, "%u, %u notifications", n,
		 all);
}
END_TEST

static void fill_queue(struct conn *from)
{
	int i;

	for (i = 0; i < MOST; i++)
		kt_assert_ret(conn_send_bytes(from, r.id, 1, "x", 1), 0,
			      "message %d", i);
}

/* what becomes of one's own requests */
START_TEST(replies)
{
	struct conn peer, late, root;
	unsigned int i;

	prepare();
	conn_open(&root, &bus, POOL);
	conn_open(&peer, &bus, POOL);
	conn_open(&late, &bus, POOL);
	kt_assert_ret(request(&r, peer.id, 7, NEVER), 0, "request");
	conn_drain(&r);
	fill_queue(&root);
	storm(NOISY, STORM);
	conn_close(&peer);
	kt_assert_ret(request(&r, late.id, 8, 1), 0, "request");
	/* behind all that came before */
	for (i = 0; i < MOST + UNCOUNTED + SHARE; i++)
		kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_DROP, NULL), 0,
			      "recv %u", i);
	expect_note(&r, KDBUS_ITEM_REPLY_DEAD, 7);
	/* peer, of root */
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, peer.id, 0);
	expect_note(&r, KDBUS_ITEM_REPLY_TIMEOUT, 8);
	expect_empty(&r);
}
END_TEST

/* who asks on and on without receiving loses what it did not read */
START_TEST(replies_are_bounded)
{
	struct conn peer;
	unsigned int i, j;

	prepare();
	for (i = 0; i < 3; i++) {
		conn_open(&peer, &bus, POOL);
		for (j = 0; j < 100; j++)
			kt_assert_ret(request(&r, peer.id, j, NEVER), 0,
				      "request");
		conn_close(&peer);
	}
	kt_check(fdinfo(&r, "lost:") == 300 - MOST, "%llu lost",
		 fdinfo(&r, "lost:"));
}
END_TEST

/* of @r, by itself, so that 88 bytes are left */
static const size_t sizes[] = { 32768, 16384, 8192, 4096, 2048, 1024, 512, 160,
				120, 72, 72 };
static u8 bytes[POOL];

static void send_size(size_t size)
{
	int ret = size > sizeof(struct kdbus_msg) ?
		  conn_send_want(&r, r.id, bytes, size) :
		  conn_send_bytes(&r, r.id, 1, NULL, 0);

	kt_assert_ret(ret, 0, "%zu bytes", size);
}

/* neither takes room in the pool from the other before it is received */
START_TEST(pool)
{
	struct conn quiet;
	size_t i;

	prepare();
	conn_drain(&r);
	storm(NOISY, STORM);
	kt_check(pool_used(&r) == 0, "%llu bytes in use", pool_used(&r));
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		send_size(sizes[i]);
	user_open(&quiet, &bus, QUIET);
	kt_check(conn_drain(&r) == UNCOUNTED + SHARE + ARRAY_SIZE(sizes) + 1,
		 "wrong number");
	kt_check(pool_used(&r) == 0, "pool in use");
}
END_TEST

/* if messages take all there is, a notification waits until one was received */
START_TEST(pool_full_of_messages)
{
	struct conn quiet;
	unsigned int i, j;
	u64 off;

	prepare();
	conn_drain(&r);
	for (i = 0; i < 3; i++) {
		user_open(&quiet, &bus, QUIET);
		for (j = 0; j < ARRAY_SIZE(sizes); j++)
			send_size(sizes[j]);
		if (i == 1)
			kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_PEEK,
						      &off), 0, "peek");
		kt_check(conn_recv_msg(&r, &off)->src_id == r.id, "no message");
		kt_assert_ret(conn_free(&r, off), 0, "free");
		expect_id_note(&r, KDBUS_ITEM_ID_ADD, quiet.id, 0);
		conn_drain(&r);
		kt_check(pool_used(&r) == 0, "pool in use");
	}
	kt_check(fdinfo(&r, "lost:") == 0, "lost");
}
END_TEST

START_TEST(peek)
{
	struct conn quiet;
	u64 off, off2;

	prepare();
	conn_drain(&r);
	user_open(&quiet, &bus, QUIET);
	kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_PEEK, &off), 0, "peek");
	kt_check(is_id_note(conn_msg(&r, off), KDBUS_ITEM_ID_ADD, quiet.id),
		 "something else");
	kt_check_ret(conn_free(&r, off), -EINVAL, "free");
	kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_PEEK, &off2), 0, "peek");
	kt_check(off == off2, "it moved");
	expect_id_note(&r, KDBUS_ITEM_ID_ADD, quiet.id, 0);
	expect_empty(&r);
	conn_close(&quiet);
	kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_PEEK, &off2), 0, "peek");
	kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check(pool_used(&r) == 0, "pool in use");
}
END_TEST

/* a receiver that frees nothing misses it, is told how many, and goes on */
START_TEST(no_room_to_receive)
{
	struct conn quiet;
	size_t i;
	u64 off;

	prepare();
	conn_drain(&r);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		send_size(sizes[i]);
		conn_recv_msg(&r, &off);
	}
	user_open(&quiet, &bus, QUIET);
	kt_check_ret(conn_recv(&r, NULL), -EAGAIN, "recv");
	kt_check(fdinfo(&r, "lost:") == 1, "%llu lost", fdinfo(&r, "lost:"));
	kt_check(!(fd_poll(r.fd, 0) & POLLIN), "readable");
	kt_assert_ret(conn_free(&r, off), 0, "free");
	user_open(&quiet, &bus, QUIET);
	expect_id_note(&r, KDBUS_ITEM_ID_ADD, quiet.id, 0);
}
END_TEST

/* @n of the same sizes, and less urgent than notifications */
static void fill_pool_later(size_t n)
{
	const size_t least = sizeof(struct kdbus_msg);
	struct blob m;
	size_t i;

	for (i = 0; i < n; i++) {
		msg_init(&m, r.id, 1);
		m.msg.priority = 5;
		if (sizes[i] > least)
			msg_vec(&m, bytes, sizes[i] - least - 32);
		kt_assert_ret(conn_send(&r, &m), 0, "%zu bytes", sizes[i]);
	}
}

static void take_later(void)
{
	u64 off;

	kt_check(conn_recv_msg(&r, &off)->priority == 5, "a wrong message");
	kt_assert_ret(conn_free(&r, off), 0, "free");
}

/* nor is it lost if they are not urgent enough to be received before it */
START_TEST(pool_full_of_others)
{
	static const u64 flags[] = { URGENT, URGENT | PEEK };
	struct kdbus_cmd_recv recv;
	struct conn quiet;
	size_t i;

	prepare();
	conn_drain(&r);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		user_open(&quiet, &bus, QUIET);
		fill_pool_later(ARRAY_SIZE(sizes));
		kt_check_ret(recv_now(&r, &recv, flags[i], 0), -ENOMSG,
			     "no room");
		kt_check_ret(recv_now(&r, &recv, flags[i], 0), -ENOMSG,
			     "no room");
		kt_check(fd_poll(r.fd, 0) & POLLIN, "no POLLIN");
		kt_check(fdinfo(&r, "lost:") == 0, "%llu lost",
			 fdinfo(&r, "lost:"));
		take_later();
		kt_assert_ret(recv_now(&r, &recv, flags[i], 0), 0, "room");
		kt_check(is_id_note(conn_msg(&r, recv.offset),
				    KDBUS_ITEM_ID_ADD, quiet.id),
			 "something else");
		if (!(flags[i] & PEEK))
			kt_assert_ret(conn_free(&r, recv.offset), 0, "free");
		conn_close(&quiet);
		conn_drain(&r);
		kt_check(pool_used(&r) == 0, "pool in use");
	}
}
END_TEST

/* a task that waits for it sleeps, until there is room or something else */
START_TEST(wait_for_room)
{
	static struct waiter w[2];
	struct kdbus_cmd_recv recv[2];
	struct conn quiet;
	size_t i;

	prepare();
	conn_drain(&r);
	user_open(&quiet, &bus, QUIET);
	fill_pool_later(ARRAY_SIZE(sizes));
	for (i = 0; i < ARRAY_SIZE(w); i++)
		recv_start(&w[i], &r, &recv[i], WAIT | URGENT | PEEK, 0);
	for (i = 0; i < ARRAY_SIZE(w); i++)
		wait_check_asleep(&w[i]);
	storm(NOISY, 3);
	for (i = 0; i < ARRAY_SIZE(w); i++)
		wait_check_asleep(&w[i]);
	kt_check(fdinfo(&r, "lost:") == 0, "lost");
	take_later();
	for (i = 0; i < ARRAY_SIZE(w); i++) {
		kt_assert_ret(wait_end(&w[i]), 0, "there is room");
		kt_check(is_id_note(conn_msg(&r, recv[i].offset),
				    KDBUS_ITEM_ID_ADD, quiet.id),
			 "something else");
	}
	kt_check(fdinfo(&r, "lost:") == 0, "lost");
}
END_TEST

/* a message for which there is room is received before it, by the one that waits */
START_TEST(message_finds_room)
{
	char name[LONG + 1] = "a.";
	struct kdbus_cmd_recv recv;
	static struct waiter w;

	memset(name + 2, 'n', LONG - 2);

	prepare();
	conn_drain(&r);
	/* room for a short message, but not for one with a long name */
	fill_pool_later(ARRAY_SIZE(sizes) - 2);
	kt_assert_ret(name_acquire(&owner, name, 0), 0, "acquire");
	recv_start(&w, &r, &recv, WAIT | URGENT, 0);
	wait_check_asleep(&w);
	kt_assert_ret(conn_send_bytes(&r, r.id, 7, NULL, 0), 0, "send");
	kt_assert_ret(wait_end(&w), 0, "a message");
	kt_check(conn_msg(&r, recv.offset)->cookie == 7, "something else");
	kt_assert_ret(conn_free(&r, recv.offset), 0, "free");
	take_later();
	kt_assert_ret(recv_now(&r, &recv, URGENT, 0), 0, "room");
	kt_check(conn_msg(&r, recv.offset)->items[0].type ==
		 KDBUS_ITEM_NAME_ADD, "not the notification");
	kt_check(fdinfo(&r, "lost:") == 0, "lost");
}
END_TEST

KT_SUITE("notify-room")
{
	kt_test(storm_of_a_user);
	kt_test(storms_of_several);
	kt_test(storm_of_names);
	kt_test(replies);
	kt_test(replies_are_bounded);
	kt_test(pool);
	kt_test(pool_full_of_messages);
	kt_test(peek);
	kt_test(no_room_to_receive);
	kt_test(pool_full_of_others);
	kt_test(wait_for_room);
	kt_test(message_finds_room);
}
