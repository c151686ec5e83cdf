// SPDX-License-Identifier: GPL-2.0-only
/* Metadata of messages: which items there are, and where */

#include <string.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(256 * KIB)

static struct bus bus;
static struct conn a, b;	/* a sends */
static struct facts *facts;

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, "sender");
	meta_open(&b, &bus, mask, NULL);
	facts = facts_new();
	facts_now(facts);
}

START_TEST(each_alone)
{
	int bit;

	prepare(0);
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	for (bit = 0; bit < N_ATTACH; bit++) {
		u64 mask = 1ULL << bit;

		update_mask(&b, mask);
		send_ok(&a, &b, bit);
		facts_recv(facts, &b, bit, mask, mask & ~TASK);
	}
	kt_check(pool_used(&b) == 0, "pool");
}
END_TEST

START_TEST(all_together)
{
	prepare(ALL);
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	meta_dirty(&a, &b);
	send_ok(&a, &b, 1);
	facts_recv(facts, &b, 1, TASK, ALL & ~TASK);
}
END_TEST

/* any set of kinds */
START_TEST(random_masks)
{
	u32 state = kt_seed;
	int i;

	prepare(0);
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	for (i = 0; i < 200; i++) {
		u64 mask = kt_rand(&state) & ALL;

		update_mask(&b, mask);
		send_ok(&a, &b, i);
		facts_recv(facts, &b, i, mask, mask & ~TASK);
	}
}
END_TEST

START_TEST(none_asked)
{
	const struct kdbus_msg *m;

	prepare(0);
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	send_ok(&a, &b, 1);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->size == sizeof(*m), "size %llu", m->size);
}
END_TEST

START_TEST(unknown_bits)
{
	static const u64 masks[] = {
		~ALL, 1ULL << 13, 1ULL << 31, 1ULL << 32, 1ULL << 63,
		~0ULL, ~ALL | CREDS, (1ULL << 63) | STAMP, ~CREDS,
	};
	struct conn c;
	size_t i;

	prepare(0);
	for (i = 0; i < ARRAY_SIZE(masks); i++) {
		u64 more = masks[i] & (STAMP | CONN_NAME);

		meta_open(&c, &bus, masks[i], NULL);
		send_ok(&a, &c, i);
		facts_recv(facts, &c, i, masks[i] & TASK, more);
		conn_close(&c);
		update_mask(&b, masks[i]);
		send_ok(&a, &b, i);
		facts_recv(facts, &b, i, masks[i] & TASK, more);
	}
}
END_TEST

START_TEST(order)
{
	static const u64 want[] = {
		STAMP, CREDS, AUXGROUPS, NAMES, NAMES, TID_COMM, PID_COMM, EXE,
		CMDLINE, CAPS, CGROUP, AUDIT, SECLABEL, CONN_NAME,
	};
	unsigned int n = 0;
	struct meta m;
	size_t i;

	prepare(ALL);
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&a, "foo.baz", 0), 0, "acquire");
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		u64 type = meta_types[__builtin_ctzll(want[i])];

		if ((want[i] & TASK) && !(want[i] & facts_bits(facts)))
			continue;
		kt_assert(n < m.n, "only %u items", m.n);
		kt_check(m.items[n]->type == type,
			 "item %u: type %#llx, not %#llx", n,
			 m.items[n]->type, type);
		n++;
	}
	kt_check(n == m.n, "%u items instead of %u", m.n, n);
}
END_TEST

START_TEST(behind_the_rest)
{
	static const u64 want[] = {
		KDBUS_ITEM_DST_NAME, KDBUS_ITEM_PAYLOAD_OFF,
		KDBUS_ITEM_PAYLOAD_MEMFD, KDBUS_ITEM_FDS,
	};
	const struct kdbus_item *it;
	const struct kdbus_msg *msg;
	static u8 bytes[100];
	struct blob h, s;
	struct meta m;
	int fd = 0;
	size_t i;

	prepare(0);
	hello_init(&h, KDBUS_HELLO_ACCEPT_FD, POOL);
	h.hello.attach_flags = ALL;
	conn_hello(&b, &bus, &h);
	kt_assert_ret(name_acquire(&b, "foo.bar", 0), 0, "acquire");
	kt_fill(bytes, sizeof(bytes), 3);
	msg_init(&s, 0, 7);
	msg_fds(&s, &fd, 1);
	msg_vec(&s, bytes, sizeof(bytes));
	msg_memfd(&s, kt_memfd(10, KT_SEALS, 1), 10);
	blob_add_str(&s, KDBUS_ITEM_DST_NAME, "foo.bar");
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	msg = meta_recv(&b, 7, &m);
	facts_expect(facts, &m, ALL, STAMP | CONN_NAME, "message");
	it = item_first(msg);
	for (i = 0; i < ARRAY_SIZE(want) && it; i++) {
		kt_check(it->type == want[i], "item %zu: type %#llx", i,
			 it->type);
		it = item_next(msg, it);
	}
	kt_check(it == m.items[0], "metadata comes %s", it ? "later" : "never");
	kt_check(kt_filled((const u8 *)msg + ALIGN8(msg->size), 100, 3),
		 "payload");
}
END_TEST

START_TEST(to_itself)
{
	prepare(0);
	update_mask(&a, ALL);
	send_ok(&a, &a, 1);
	facts_recv(facts, &a, 1, ALL, STAMP | CONN_NAME);
}
END_TEST

/* a notification has no sender to tell about */
START_TEST(notifications)
{
	struct conn c;

	prepare(ALL);
	match_all(&b);
	meta_open(&c, &bus, ALL, NULL);
	expect_id_note(&b, KDBUS_ITEM_ID_ADD, c.id, 0);
	kt_assert_ret(name_acquire(&c, "foo.bar", 0), 0, "acquire");
	expect_name_note(&b, KDBUS_ITEM_NAME_ADD, 0, 0, c.id, 0, "foo.bar");
	kt_assert_ret(request(&b, c.id, 5, NEVER), 0, "request");
	conn_close(&c);
	expect_name_note(&b, KDBUS_ITEM_NAME_REMOVE, c.id, 0, 0, 0, "foo.bar");
	expect_note(&b, KDBUS_ITEM_REPLY_DEAD, 5);
	expect_id_note(&b, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	expect_empty(&b);
}
END_TEST

KT_SUITE("metadata")
{
	kt_test(each_alone);
	kt_test(all_together);
	kt_test(random_masks);
	kt_test(none_asked);
	kt_test(unknown_bits);
	kt_test(order);
	kt_test(behind_the_rest);
	kt_test(to_itself);
	kt_test(notifications);
}
