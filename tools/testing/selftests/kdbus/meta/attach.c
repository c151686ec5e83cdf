// SPDX-License-Identifier: GPL-2.0-only
/* KDBUS_EXT_ATTACH: the flag, its items, and what is refused */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(64 * KIB)
#define EXT	((u64)KDBUS_EXT_ATTACH)
#define SEND	KDBUS_ITEM_ATTACH_FLAGS_SEND
#define REQ	KDBUS_ITEM_ATTACH_FLAGS_REQUIRED
#define OWN	KDBUS_ITEM_ATTACH_FLAGS_OWNER
#define NAME	"foo.bar"

static struct bus bus;
static struct conn c;

static void add_mask(struct blob *b, u64 type, u64 mask)
{
	blob_add(b, type, &mask, sizeof(mask));
}

static int try_bus(struct blob *b)
{
	int ret;

	bus.fd = open_control();
	ret = kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, b);
	if (ret)
		close(bus.fd);
	return ret;
}

static void bus_init(struct blob *b, u64 flags)
{
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_std(b, flags, bus.name);
}

/* a bus that demands @req */
static void prepare(u64 req)
{
	struct blob b;

	bus_init(&b, EXT | KDBUS_MAKE_ACCESS_WORLD);
	if (req)
		add_mask(&b, REQ, req);
	kt_assert_ret(try_bus(&b), 0, "BUS_MAKE, demanding %#llx", req);
}

/* HELLO, with the flag, that offers @send */
static void offer_init(struct blob *h, u64 flags, u64 send)
{
	hello_init(h, EXT | flags, POOL);
	if (flags & (ACT | HOLDER))
		blob_add_str(h, KDBUS_ITEM_NAME, NAME);
	add_mask(h, SEND, send);
}

static int try_offer(u64 flags, u64 send)
{
	struct blob h;
	int ret;

	offer_init(&h, flags, send);
	ret = conn_try_hello(&c, &bus, -1, &h);
	if (!ret)
		conn_close(&c);
	return ret;
}

static u64 *payload(struct blob *b, u64 type, unsigned int nth)
{
	struct kdbus_item *i = b->hello.items;

	for (;;) {
		kt_assert((u8 *)i < b->raw + b->size, "test bug: no item");
		if (i->type == type && !nth--)
			return &i->id;
		i = (void *)((u8 *)i + ALIGN8(i->size));
	}
}

/* ------------------------------------------------------------------------ */
/* The flag */

static u64 known_flags(int fd, unsigned long nr, size_t fixed)
{
	struct blob b;

	blob_init(&b, fixed);
	b.make.flags = KDBUS_FLAG_KERNEL;
	kt_check_ret(kt_cmd(fd, nr, &b), -EINVAL, "command %#lx", nr);
	return b.make.kernel_flags;
}

START_TEST(announced)
{
	static const struct {
		unsigned long nr;
		size_t fixed;
		enum { CTL, EP, CONN } on;
		u64 known;
	} rows[] = {
		{ KDBUS_CMD_BUS_MAKE, 24, CTL, EXT | 3 },
		{ KDBUS_CMD_DOMAIN_MAKE, 24, CTL, 3 },
		{ KDBUS_CMD_ENDPOINT_MAKE, 24, EP, 3 },
		{ KDBUS_CMD_HELLO, 88, EP,
		  EXT | KDBUS_HELLO_EXT_RESERVE | 0xf },
		{ KDBUS_CMD_CONN_UPDATE, 24, CONN, EXT },
		{ KDBUS_CMD_NAME_ACQUIRE, 24, CONN, 7 },
		{ KDBUS_CMD_NAME_RELEASE, 24, CONN, 0 },
		{ KDBUS_CMD_MSG_SEND, 72, CONN, 7 },
		{ KDBUS_CMD_CONN_INFO, 40, CONN, 0x1fff },
		{ KDBUS_CMD_BUS_CREATOR_INFO, 40, CONN, 0x1fff },
	};
	size_t i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		int fd = rows[i].on == CTL ? open_control() :
			 rows[i].on == EP ? open_endpoint(&bus) : c.fd;
		u64 known;

		if (rows[i].nr == KDBUS_CMD_MSG_SEND)
			continue;	/* looks at other things first */
		known = known_flags(fd, rows[i].nr, rows[i].fixed);
		kt_check(known == (rows[i].known | KDBUS_FLAG_KERNEL),
			 "command %#lx: %#llx", rows[i].nr, known);
	}
}
END_TEST

START_TEST(not_shown)
{
	const struct kdbus_info *info;
	struct kdbus_name_list *l;
	struct conn r, on;
	struct meta m;
	struct blob h;
	u64 off;

	prepare(0);
	conn_open(&r, &bus, POOL);
	match_all(&r);
	offer_init(&h, KDBUS_HELLO_ACCEPT_FD, ALL);
	conn_hello(&on, &bus, &h);
	kt_check(on.hello.bus_flags == KDBUS_MAKE_ACCESS_WORLD,
		 "bus_flags %#llx", on.hello.bus_flags);
	kt_check(on.hello.flags == (EXT | KDBUS_HELLO_ACCEPT_FD),
		 "flags became %#llx", on.hello.flags);
	expect_id_note(&r, KDBUS_ITEM_ID_ADD, on.id, KDBUS_HELLO_ACCEPT_FD);
	info = conn_info_meta(&r, on.id, 0, &m);
	kt_check(info->flags == KDBUS_HELLO_ACCEPT_FD, "CONN_INFO: %#llx",
		 info->flags);
	info = creator_info_meta(&r, 0, &m);
	kt_check(info->flags == KDBUS_MAKE_ACCESS_WORLD,
		 "BUS_CREATOR_INFO: %#llx", info->flags);
	conn_close(&r);
	kt_assert_ret(name_list(&on, KDBUS_NAME_LIST_UNIQUE, &off), 0, "list");
	l = (void *)(on.pool + off);
	kt_check(l->names[0].conn_flags == KDBUS_HELLO_ACCEPT_FD,
		 "NAME_LIST: %#llx", l->names[0].conn_flags);
	conn_open(&r, &bus, POOL);
	match_all(&r);
	conn_close(&on);
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, on.id, KDBUS_HELLO_ACCEPT_FD);
}
END_TEST

/* a program of version 1 may use what it likes as an unknown item */
START_TEST(ignored_without_flag)
{
	static const u64 types[] = { SEND, REQ, OWN };
	struct conn a, b;
	struct meta m;
	struct blob x;
	size_t i;

	bus_init(&x, KDBUS_MAKE_ACCESS_WORLD);
	for (i = 0; i < 3; i++) {
		add_mask(&x, types[i], CREDS);
		blob_add(&x, types[i], NULL, 7);
		add_mask(&x, types[i], 1ULL << 20);
	}
	kt_assert_ret(try_bus(&x), 0, "BUS_MAKE");
	/* nothing was demanded, nothing is hidden */
	kt_check_ret(try_offer(0, 0), 0, "HELLO");
	hello_init(&x, 0, POOL);
	for (i = 0; i < 3; i++) {
		blob_add(&x, types[i], NULL, 9);
		add_mask(&x, types[i], 0);
		add_mask(&x, types[i], 1ULL << 20);
	}
	blob_add_str(&x, KDBUS_ITEM_CONN_NAME, "old");
	conn_hello(&a, &bus, &x);
	kt_check(*payload(&x, SEND, 1) == 0 &&
		 *payload(&x, SEND, 2) == 1ULL << 20, "payload was written");
	meta_open(&b, &bus, ALL, NULL);
	send_ok(&a, &b, 1);
	meta_recv(&b, 1, &m);
	kt_check((meta_bits(&m) & (STAMP | CREDS | CONN_NAME)) ==
		 (STAMP | CREDS | CONN_NAME), "kinds %#llx", meta_bits(&m));
	creator_info_meta(&b, 0, &m);
	kt_check(meta_bits(&m) & CREDS, "creator hidden");
	update_init(&x, 0);
	for (i = 0; i < 3; i++) {
		blob_add(&x, types[i], NULL, 4);
		add_mask(&x, types[i], 0);
	}
	kt_check_ret(update(&a, &x), 0, "CONN_UPDATE");
	send_ok(&a, &b, 2);
	meta_recv(&b, 2, &m);
	kt_check(meta_bits(&m) & CREDS, "CONN_UPDATE had an effect");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* BUS_MAKE */

START_TEST(make_errors)
{
	static const struct {
		u64 type[3];
		u64 mask[3];
		int err;
	} rows[] = {
		{ { 0 }, { 0 }, 0 },
		{ { REQ }, { 0 }, 0 },
		{ { REQ }, { ALL }, 0 },
		{ { REQ }, { ~0ULL }, 0 },
		{ { OWN }, { 0 }, 0 },
		{ { OWN }, { ~0ULL }, 0 },
		{ { OWN, REQ }, { CREDS, CREDS }, 0 },
		{ { REQ, OWN }, { CREDS, 0 }, 0 },
		{ { REQ }, { ALL + 1 }, EINVAL },
		{ { OWN }, { ALL + 1 }, EINVAL },
		{ { REQ }, { 1ULL << 63 }, EINVAL },
		{ { OWN }, { ~1ULL }, EINVAL },
		{ { REQ, OWN }, { ALL, 1ULL << 32 }, EINVAL },
		{ { REQ, OWN }, { 1ULL << 13, ALL }, EINVAL },
		{ { REQ, REQ }, { CREDS, CREDS }, EEXIST },
		{ { OWN, OWN }, { 0, 0 }, EEXIST },
		{ { REQ, OWN, REQ }, { 0, 0, 0 }, EEXIST },
		{ { OWN, REQ, OWN }, { 0, 0, 0 }, EEXIST },
		{ { SEND }, { CREDS }, 0 },
	};
	struct blob b, plain;
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		bus_init(&b, EXT);
		plain = b;
		for (j = 0; j < 3 && rows[i].type[j]; j++)
			add_mask(&b, rows[i].type[j], rows[i].mask[j]);
		kt_check_ret(try_bus(&b), -rows[i].err, "row %zu", i);
		if (!rows[i].err) {
			bus_close(&bus);
			continue;
		}
		kt_check(!path_exists(bus.dir), "row %zu: bus", i);
		plain.make.flags = 0;
		kt_check_ret(try_bus(&plain), 0, "row %zu, then plain", i);
		bus_close(&bus);
	}
}
END_TEST

START_TEST(payload_sizes)
{
	static const size_t bad[] = { 1, 4, 7, 9, 16 };
	struct blob b;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		bus_init(&b, EXT);
		blob_add(&b, REQ, NULL, bad[i]);
		kt_check_ret(try_bus(&b), -EINVAL, "REQUIRED, %zu", bad[i]);
		bus_init(&b, EXT);
		blob_add(&b, OWN, NULL, bad[i]);
		kt_check_ret(try_bus(&b), -EINVAL, "OWNER, %zu", bad[i]);
	}
	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		struct conn d;

		hello_init(&b, EXT, POOL);
		blob_add(&b, SEND, NULL, bad[i]);
		kt_check_ret(conn_try_hello(&d, &bus, -1, &b), -EINVAL,
			     "HELLO, %zu", bad[i]);
		update_init(&b, EXT);
		blob_add(&b, SEND, NULL, bad[i]);
		kt_check_ret(update(&c, &b), -EINVAL, "CONN_UPDATE, %zu",
			     bad[i]);
	}
}
END_TEST

/* every bit: known, unknown, all at once */
START_TEST(mask_bits)
{
	struct blob u;
	int bit;

	bus_make(&bus, 0);
	for (bit = 0; bit < 64; bit++) {
		int want = bit < 13 ? 0 : -EINVAL;
		struct conn d;

		kt_check_ret(try_offer(0, 1ULL << bit), want, "HELLO, bit %d",
			     bit);
		conn_open(&d, &bus, POOL);
		update_init(&u, EXT);
		add_mask(&u, SEND, 1ULL << bit);
		kt_check_ret(update(&d, &u), want, "update, bit %d", bit);
		update_init(&u, EXT);
		add_mask(&u, SEND, ~(1ULL << bit));
		kt_check_ret(update(&d, &u), -EINVAL, "all but bit %d", bit);
		conn_close(&d);
	}
	kt_check_ret(try_offer(0, ~0ULL), 0, "HELLO, ~0");
	kt_check_ret(try_offer(0, 0), 0, "HELLO, 0");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* HELLO */

START_TEST(refused)
{
	static const struct {
		u64 req, send;
		int err;
	} rows[] = {
		{ 0, 0, 0 }, { 0, ALL, 0 }, { CREDS, CREDS, 0 },
		{ CREDS, 0, ECONNREFUSED }, { CREDS, STAMP, ECONNREFUSED },
		{ CREDS, ALL, 0 }, { CREDS, ~0ULL, 0 },
		{ CREDS, ALL & ~CREDS, ECONNREFUSED },
		{ CREDS | CAPS, CREDS, ECONNREFUSED },
		{ CREDS | CAPS, CREDS | CAPS | EXE, 0 },
		{ ALL, 0, ECONNREFUSED }, { ALL, ALL, 0 }, { ALL, ~0ULL, 0 },
		{ ALL, ALL & ~STAMP, ECONNREFUSED },
		{ ALL, ALL & ~CONN_NAME, ECONNREFUSED },
		{ ~0ULL, ALL, 0 }, { ~0ULL, ~0ULL, 0 },
		{ ~0ULL, CREDS, ECONNREFUSED },
		{ CREDS, 1ULL << 13, EINVAL },
	};
	static const u64 flags[] = { 0, ACT, HOLDER, MON };
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		prepare(rows[i].req);
		for (j = 0; j < ARRAY_SIZE(flags); j++)
			kt_check_ret(try_offer(flags[j], rows[i].send),
				     -rows[i].err,
				     "%#llx of %#llx, flags %#llx",
				     rows[i].send, rows[i].req, flags[j]);
		bus_close(&bus);
	}
}
END_TEST

/* all is offered by who does not say otherwise, knowing about it or not */
START_TEST(offered_by_default)
{
	struct blob h;

	prepare(ALL);
	meta_open(&c, &bus, 0, NULL);
	hello_init(&h, EXT, POOL);
	conn_hello(&c, &bus, &h);
	/* without the flag the item is not looked at */
	hello_init(&h, 0, POOL);
	add_mask(&h, SEND, 0);
	conn_hello(&c, &bus, &h);
	kt_check(*payload(&h, SEND, 0) == 0, "payload was written");
	/* what receivers ask for has nothing to do with it */
	offer_init(&h, 0, ALL);
	h.hello.attach_flags = 0;
	conn_hello(&c, &bus, &h);
}
END_TEST

START_TEST(demand_is_told)
{
	const u64 req = CREDS | NAMES;
	struct blob h, u;
	struct conn d;
	int fd;

	prepare(req);
	fd = open_endpoint(&bus);
	offer_init(&h, 0, CREDS);
	kt_check_ret(conn_try_hello(&d, &bus, fd, &h), -ECONNREFUSED, "HELLO");
	kt_check(*payload(&h, SEND, 0) == (req | KDBUS_FLAG_KERNEL),
		 "refused: %#llx", *payload(&h, SEND, 0));
	/* which is not acceptable as it is */
	h.hello.attach_flags = ALL;
	kt_check_ret(conn_try_hello(&d, &bus, fd, &h), -EINVAL, "HELLO again");
	kt_check(*payload(&h, SEND, 0) == (req | KDBUS_FLAG_KERNEL),
		 "EINVAL: %#llx", *payload(&h, SEND, 0));
	/* and the handle can be used */
	*payload(&h, SEND, 0) &= ~KDBUS_FLAG_KERNEL;
	kt_check_ret(conn_try_hello(&d, &bus, fd, &h), 0, "HELLO, more");
	kt_check(*payload(&h, SEND, 0) == (req | KDBUS_FLAG_KERNEL),
		 "success: %#llx", *payload(&h, SEND, 0));
	/* of other errors nothing but kernel_flags is the result */
	offer_init(&h, 0, 0);
	h.hello.pool_size = 1;
	kt_check_ret(conn_try_hello(&d, &bus, -1, &h), -EFAULT, "pool size");
	kt_check(*payload(&h, SEND, 0) == 0, "EFAULT: %#llx",
		 *payload(&h, SEND, 0));
	update_init(&u, EXT);
	add_mask(&u, SEND, ALL);
	meta_open(&d, &bus, 0, NULL);
	kt_check_ret(update(&d, &u), 0, "CONN_UPDATE");
	prepare(0);
	offer_init(&h, 0, CREDS);
	conn_hello(&d, &bus, &h);
	kt_check(*payload(&h, SEND, 0) == KDBUS_FLAG_KERNEL,
		 "nothing demanded: %#llx", *payload(&h, SEND, 0));
}
END_TEST

START_TEST(last_counts)
{
	struct blob h, u;
	struct conn d;

	prepare(CREDS);
	offer_init(&h, 0, ALL);
	add_mask(&h, SEND, 0);
	kt_check_ret(conn_try_hello(&d, &bus, -1, &h), -ECONNREFUSED,
		     "HELLO, all and nothing");
	kt_check(*payload(&h, SEND, 1) == (CREDS | KDBUS_FLAG_KERNEL),
		 "%#llx", *payload(&h, SEND, 1));
	offer_init(&h, 0, 0);
	add_mask(&h, SEND, CREDS);
	kt_check_ret(conn_try_hello(&d, &bus, -1, &h), 0,
		     "HELLO, nothing and enough");
	update_init(&u, EXT);
	add_mask(&u, SEND, CREDS);
	add_mask(&u, SEND, 0);
	kt_check_ret(update(&d, &u), -EINVAL, "update to nothing");
	update_init(&u, EXT);
	add_mask(&u, SEND, 0);
	add_mask(&u, SEND, CREDS);
	kt_check_ret(update(&d, &u), 0, "update to enough");
}
END_TEST

/* what is demanded is told in memory that cannot be written: it was done */
START_TEST(demand_cannot_be_told)
{
	struct blob h;
	int fd;

	prepare(CREDS);
	offer_init(&h, 0, ALL);
	fd = open_endpoint(&bus);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO,
			    kt_half_ro(&h, h.hello.size, sizeof(h.hello))),
		     -EFAULT, "HELLO, items read-only");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_BYEBYE, NULL), 0, "BYEBYE");
	close(fd);
}
END_TEST

KT_SUITE("attach")
{
	kt_test(announced);
	kt_test(not_shown);
	kt_test(ignored_without_flag);
	kt_test(make_errors);
	kt_test(payload_sizes);
	kt_test(mask_bits);
	kt_test(refused);
	kt_test(offered_by_default);
	kt_test(demand_is_told);
	kt_test(last_counts);
	kt_test(demand_cannot_be_told);
}
