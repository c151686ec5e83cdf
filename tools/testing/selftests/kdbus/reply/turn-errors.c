// SPDX-License-Identifier: GPL-2.0-only
/* MSG_SEND that also frees and receives, and is refused: then it does neither */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "pair.h"
#include "wait-util.h"

#define BOTH	(TURN_RECV | TURN_FREE)

static struct blob m;

START_TEST(announced)
{
	struct kdbus_cmd_recv r = { .flags = 1ULL << 34 };

	pair_open();
	msg_init(&m, b.id, 1);
	kt_check_ret(conn_send(&a, &m), 0, "plain");
	kt_check((m.msg.kernel_flags & BOTH) == BOTH, "MSG_SEND: %#llx",
		 m.msg.kernel_flags);
	m.msg.flags = 1ULL << 34;
	m.msg.kernel_flags = 0;
	kt_check_ret(conn_send(&a, &m), -EINVAL, "a flag nobody knows");
	kt_check((m.msg.kernel_flags & BOTH) == BOTH, "refused: %#llx",
		 m.msg.kernel_flags);
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -EINVAL,
		     "a flag nobody knows");
	kt_check((r.kernel_flags & (WAIT | FREE)) == (WAIT | FREE),
		 "MSG_RECV: %#llx", r.kernel_flags);
	expect_msg(&b, 1, 0);
	expect_empty(&b);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Refused */

/* what @a holds, and what waits for it */
struct have {
	u64 held, queued, used;
};

static void have_init(struct have *h)
{
	h->held = hold_one(&b, &a, 50);
	send_one(&b, &a, 51);
	kt_assert_ret(conn_recv_flags(&a, PEEK, &h->queued), 0, "PEEK");
	h->used = pool_used(&a);
}

/* nothing was sent, freed or received, nor @m changed */
static void check_refused(const struct have *h, int want, const char *what)
{
	static struct blob was;
	u64 off = 0;

	was = m;
	kt_check_ret(conn_send(&a, &m), want, "%s", what);
	was.msg.kernel_flags = m.msg.kernel_flags;
	kt_check(!memcmp(&was, &m, m.size), "%s: the message was changed",
		 what);
	expect_empty(&b);
	kt_check(pool_used(&a) == h->used, "%s: %llu bytes, not %llu", what,
		 pool_used(&a), h->used);
	kt_check(!conn_recv_flags(&a, PEEK, &off) && off == h->queued,
		 "%s: received", what);
	kt_check(conn_msg(&a, h->held)->cookie == 50, "%s: freed", what);
}

static void refused_item(const struct have *h, size_t payload)
{
	u64 offset[2] = { h->held, 0 };
	char what[64];

	turn_init(&m, b.id, 1);
	m.msg.flags = TURN_FREE;
	blob_add(&m, KDBUS_ITEM_FREE, offset, payload);
	snprintf(what, sizeof(what), "payload of %zu bytes", payload);
	check_refused(h, -EINVAL, what);
	m.msg.flags = BOTH;
	check_refused(h, -EINVAL, what);
}

START_TEST(refused_items)
{
	static const size_t sizes[] = { 0, 1, 4, 7, 9, 12, 16 };
	struct have h;
	size_t i;

	pair_open();
	have_init(&h);
	turn_init(&m, b.id, 1);
	m.msg.flags = TURN_FREE;
	check_refused(&h, -EINVAL, "no item");
	m.msg.flags = BOTH;
	check_refused(&h, -EINVAL, "no item");
	turn_free(&m, h.held);
	turn_free(&m, h.held);
	check_refused(&h, -EEXIST, "two items");
	m.msg.flags = TURN_FREE;
	check_refused(&h, -EEXIST, "two items");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		refused_item(&h, sizes[i]);
}
END_TEST

START_TEST(refused_offsets)
{
	struct have h;
	size_t i;

	pair_open();
	have_init(&h);
	{
		const struct {
			u64 offset;
			int want;
		} rows[] = {
			{ h.queued, -EINVAL },
			{ h.held + 8, -ENXIO }, { h.held + 1, -ENXIO },
			{ POOL - 8, -ENXIO }, { POOL, -ENXIO },
			{ 1ULL << 32 | h.held, -ENXIO }, { NONE, -ENXIO },
		};

		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			turn_init(&m, b.id, 1);
			turn_free(&m, rows[i].offset);
			check_refused(&h, rows[i].want, "offset");
			m.msg.flags = TURN_FREE;
			check_refused(&h, rows[i].want, "offset");
		}
	}
	/* what was free before */
	kt_check_ret(conn_free(&a, h.held), 0, "FREE");
	turn_init(&m, b.id, 1);
	turn_free(&m, h.held);
	kt_check_ret(conn_send(&a, &m), -ENXIO, "it is free");
	expect_empty(&b);
}
END_TEST

/* one place for two answers */
START_TEST(refused_sync)
{
	struct have h;

	pair_open();
	have_init(&h);
	turn_init(&m, b.id, 1);
	m.msg.flags = SYNC | TURN_RECV;
	m.msg.timeout_ns = NEVER;
	check_refused(&h, -EINVAL, "both wait");
	turn_free(&m, h.held);
	check_refused(&h, -EINVAL, "both wait, and free");
	m.msg.dst_id = 77777;
	check_refused(&h, -EINVAL, "both wait, nobody there");
}
END_TEST

START_TEST(ignored_without_flag)
{
	static const size_t sizes[] = { 1, 7, 8, 9, 16, 100 };
	const struct kdbus_msg *got;
	u8 junk[100];
	u64 held, off;
	size_t i;

	pair_open();
	held = hold_one(&b, &a, 50);
	memset(junk, 0xff, sizeof(junk));
	memcpy(junk, &held, sizeof(held));
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		msg_init(&m, b.id, i);
		blob_add(&m, KDBUS_ITEM_FREE, junk, sizes[i]);
		blob_add(&m, KDBUS_ITEM_FREE, junk, sizes[i]);
		kt_check_ret(conn_send(&a, &m), 0, "%zu bytes", sizes[i]);
		got = conn_recv_msg(&b, &off);
		kt_check(got->size == sizeof(*got), "size %llu", got->size);
	}
	take_at(&a, held, 50);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Not sent: nothing else happens */

static void bad_dst(void)
{
	m.msg.dst_id = 77777;
}

static void bad_name(void)
{
	m.msg.dst_id = KDBUS_DST_ID_NAME;
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, "not.there");
}

static void bad_memory(void)
{
	msg_vec(&m, kt_noread(KT_PAGE), 8);
}

static void bad_size(void)
{
	msg_vec(&m, &m, KT_VEC_MAX_SIZE + 1);
}

static void bad_room(void)
{
	static u8 big[2 * POOL];

	msg_vec(&m, big, sizeof(big));
}

static void bad_files(void)
{
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	blob_add(&m, KDBUS_ITEM_FDS, &null, sizeof(null));
}

static void bad_deadline(void)
{
	m.msg.flags |= EXPECT;
}

START_TEST(not_sent)
{
	static const struct {
		void (*spoil)(void);
		int want;
	} rows[] = {
		{ bad_dst, -ENXIO }, { bad_name, -ESRCH },
		{ bad_memory, -EFAULT }, { bad_size, -EMSGSIZE },
		{ bad_room, -ENOBUFS }, { bad_files, -ECOMM },
		{ bad_deadline, -EINVAL },
	};
	struct have h;
	size_t i;

	pair_open();
	have_init(&h);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		turn_init(&m, b.id, 1);
		turn_free(&m, h.held);
		rows[i].spoil();
		check_refused(&h, rows[i].want, "not sent");
	}
	turn_init(&m, b.id, 1);
	turn_free(&m, h.held);
	kt_check_ret(conn_send(&a, &m), 0, "it was not spoiled");
	kt_check(m.msg.offset_reply == h.queued, "received at %llu",
		 m.msg.offset_reply);
	kt_check_ret(conn_free(&a, h.held), -ENXIO, "it is free");
	expect_msg(&b, 1, 0);
	expect_empty(&b);
}
END_TEST

KT_SUITE("turn-errors")
{
	kt_test(announced);
	kt_test(refused_items);
	kt_test(refused_offsets);
	kt_test(refused_sync);
	kt_test(ignored_without_flag);
	kt_test(not_sent);
}
