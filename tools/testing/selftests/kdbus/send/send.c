// SPDX-License-Identifier: GPL-2.0-only
/* MSG_SEND: what is refused, and in which order */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(64 * KIB)

static struct bus bus;
static struct conn a, b;
static u8 bytes[KT_VEC_MAX_SIZE + 8];

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
}

enum dst { PEER, SELF, NAME, CAST, NONE };

static u64 dst_id(enum dst d)
{
	switch (d) {
	case PEER:
		return b.id;
	case SELF:
		return a.id;
	case NAME:
		return KDBUS_DST_ID_NAME;
	case CAST:
		return KDBUS_DST_ID_BROADCAST;
	default:
		return 4711;
	}
}

/*
 * v: vec, u: unreadable vec, V: vec that is too large, n: DST_NAME,
 * N: DST_NAME with a bad name, i: ignored item, b: BLOOM_FILTER,
 * e: one without data, d: one of wrong size, o: one of odd size,
 * m: memfd that is no open descriptor
 */
static void add_items(struct blob *m, const char *items)
{
	for (; *items; items++) {
		switch (*items) {
		case 'v':
			msg_vec(m, bytes, 16);
			break;
		case 'u':
			msg_vec(m, kt_noread(KT_PAGE), 16);
			break;
		case 'V':
			msg_vec(m, bytes, KT_VEC_MAX_SIZE + 1);
			break;
		case 'n':
			blob_add_str(m, KDBUS_ITEM_DST_NAME, "foo.bar");
			break;
		case 'N':
			blob_add_str(m, KDBUS_ITEM_DST_NAME, "foo");
			break;
		case 'i':
			blob_add(m, KT_ITEM_IGNORED, NULL, 5);
			break;
		case 'b':
			msg_bloom(m, KT_BLOOM_SIZE);
			break;
		case 'e':
			msg_bloom(m, 0);
			break;
		case 'd':
			msg_bloom(m, KT_BLOOM_SIZE + 8);
			break;
		case 'o':
			msg_bloom(m, KT_BLOOM_SIZE + 4);
			break;
		case 'm':
			msg_memfd(m, 0x7ffffff0, 8);
			break;
		default:
			kt_assert(0, "test bug: item %c", *items);
		}
	}
}

#define EXPECT	KDBUS_MSG_FLAGS_EXPECT_REPLY
#define SYNC	KDBUS_MSG_FLAGS_SYNC_REPLY
#define NOAUTO	KDBUS_MSG_FLAGS_NO_AUTO_START
#define LATER	(~0ULL - 1)		/* a deadline */

static const struct row {
	enum dst dst;
	const char *items;
	int err;
	u64 flags;
	u64 timeout;		/* or cookie_reply */
	bool kernel;		/* payload type 0 */
	int src;		/* 1: own id, 2: that of another, 3: nonsense */
} rows[] = {
	/* nothing wrong */
	{ .dst = PEER, .items = "" },
	{ .dst = PEER, .items = "v" },
	{ .dst = PEER, .items = "ivi" },
	{ .dst = SELF, .items = "v" },
	{ .dst = PEER, .items = "v", .src = 1 },
	{ .dst = PEER, .items = "v", .flags = NOAUTO },
	{ .dst = PEER, .items = "v", .timeout = 99 },
	/* payload type */
	{ PEER, "v", EINVAL, .kernel = true },
	{ CAST, "b", EINVAL, .kernel = true },
	{ NAME, "", EINVAL, .kernel = true },
	{ PEER, "m", EINVAL, .kernel = true },
	/* replies */
	{ PEER, "v", EINVAL, .flags = EXPECT },
	{ PEER, "v", EINVAL, .flags = EXPECT | SYNC },
	{ PEER, "v", EINVAL, .flags = SYNC },
	{ PEER, "v", EINVAL, .flags = SYNC, .timeout = LATER },
	{ PEER, "nn", EINVAL, .flags = SYNC },
	{ NONE, "v", EINVAL, .flags = EXPECT },
	{ CAST, "b", EINVAL, .flags = EXPECT },
	{ CAST, "b", ENOTUNIQ, .flags = EXPECT, .timeout = LATER },
	{ CAST, "b", ENOTUNIQ, .flags = EXPECT | SYNC, .timeout = LATER },
	{ CAST, "bb", ENOTUNIQ, .flags = EXPECT, .timeout = LATER },
	{ CAST, "b", EINVAL, .flags = SYNC, .timeout = LATER },
	/* payload */
	{ PEER, "V", EMSGSIZE },
	{ PEER, "vV", EMSGSIZE },
	{ PEER, "m", EBADF },
	{ PEER, "vm", EBADF },
	{ PEER, "mV", EBADF },
	{ PEER, "Vm", EMSGSIZE },
	{ NONE, "V", EMSGSIZE },
	{ NONE, "m", EBADF },
	{ CAST, "m", EBADF },
	{ CAST, "mb", EBADF },
	{ CAST, "bV", EMSGSIZE },
	{ PEER, "u", EFAULT },
	{ PEER, "vu", EFAULT },
	{ NONE, "u", ENXIO },
	/* bloom filters */
	{ PEER, "b", EBADMSG },
	{ PEER, "d", EBADMSG },
	{ PEER, "o", EBADMSG },
	{ PEER, "bb", EBADMSG },
	{ NAME, "nb", EBADMSG },
	{ NAME, "b", EBADMSG },
	{ NONE, "b", EBADMSG },
	{ CAST, "bb", EEXIST },
	{ CAST, "bd", EEXIST },
	{ CAST, "bo", EEXIST },
	{ CAST, "e", EDOM },
	{ CAST, "d", EDOM },
	{ CAST, "o", EFAULT },
	{ CAST, "db", EDOM },
	/* names */
	{ PEER, "N", EINVAL },
	{ NAME, "N", EINVAL },
	{ CAST, "bN", EINVAL },
	{ NAME, "nn", EEXIST },
	{ PEER, "nn", EEXIST },
	{ NAME, "nN", EEXIST },
	{ NAME, "Nn", EINVAL },
	{ CAST, "bnn", EEXIST },
	{ NAME, "n", ESRCH },
	{ NAME, "vnv", ESRCH },
	{ NAME, "n", ESRCH, .flags = NOAUTO },
	{ PEER, "n", ESRCH },
	{ SELF, "n", ESRCH },
	{ NONE, "n", ESRCH },
	{ NAME, "un", ESRCH },
	/* destination */
	{ NAME, "", EDESTADDRREQ },
	{ NAME, "v", EDESTADDRREQ },
	{ NAME, "v", EDESTADDRREQ, .src = 2 },
	{ CAST, "bn", EBADMSG },
	{ CAST, "n", EBADMSG },
	{ CAST, "", EBADMSG },
	{ CAST, "v", EBADMSG },
	{ CAST, "", EBADMSG, .timeout = 1 },
	{ CAST, "b", ENOTUNIQ, .timeout = 1 },
	{ CAST, "b", ENOTUNIQ, .timeout = 1, .src = 2 },
	/* source */
	{ PEER, "v", EINVAL, .src = 2 },
	{ PEER, "v", EINVAL, .src = 3 },
	{ NONE, "v", EINVAL, .src = 2 },
	{ NAME, "n", EINVAL, .src = 2 },
	{ CAST, "b", EINVAL, .src = 2 },
	/* broadcasts succeed, nobody listens */
	{ .dst = CAST, .items = "b" },
	{ .dst = CAST, .items = "vb" },
	{ .dst = CAST, .items = "bi" },
	{ .dst = CAST, .items = "b", .flags = NOAUTO },
	{ .dst = CAST, .items = "ub" },
	{ .dst = CAST, .items = "b", .src = 1 },
	/* nobody there */
	{ NONE, "", ENXIO },
	{ NONE, "v", ENXIO },
};

static void try_row(const struct row *r)
{
	struct conn *to = r->dst == SELF ? &a : &b;
	/* a flag that is not there yet fails before all that matters here */
	int err = r->flags & ~KT_MASK_MSG_SEND ? EINVAL : r->err;
	unsigned int want = !err && r->dst != CAST, n;
	struct blob m;

	msg_init(&m, dst_id(r->dst), 1);
	m.msg.flags = r->flags;
	m.msg.timeout_ns = r->timeout;
	if (r->kernel)
		m.msg.payload_type = KDBUS_PAYLOAD_KERNEL;
	m.msg.src_id = r->src == 1 ? a.id : r->src == 2 ? b.id :
		       r->src == 3 ? ~0ULL : 0;
	add_items(&m, r->items);
	kt_check_ret(conn_send(&a, &m), -err,
		     "row %zu: destination %d, items \"%s\", flags %#llx, timeout %#llx, src %d",
		     r - rows, r->dst, r->items, r->flags, r->timeout, r->src);
	n = conn_drain(to);
	kt_check(n == want, "row %zu: %u messages arrived", r - rows, n);
	kt_check_ret(conn_recv(to == &a ? &b : &a, NULL), -EAGAIN,
		     "row %zu: the other one got it", r - rows);
}

START_TEST(checks)
{
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		try_row(&rows[i]);
	conn_check_pool_empty(&a, &b);
	conn_check_pool_empty(&a, &a);
}
END_TEST

START_TEST(payload_types)
{
	static const u64 types[] = {
		1, 2, KDBUS_PAYLOAD_DBUS, 1ULL << 32, 1ULL << 63, ~0ULL,
	};
	struct blob m;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		u64 off;

		msg_init(&m, b.id, 1);
		m.msg.payload_type = types[i];
		kt_check_ret(conn_send(&a, &m), 0, "type %#llx", types[i]);
		kt_check(conn_recv_msg(&b, &off)->payload_type == types[i],
			 "type %#llx changed", types[i]);
	}
}
END_TEST

START_TEST(unknown_ids)
{
	struct conn gone, left;
	size_t i;

	prepare();
	conn_open(&gone, &bus, POOL);
	conn_close(&gone);
	conn_open(&left, &bus, POOL);
	kt_assert_ret(conn_byebye(&left), 0, "BYEBYE");
	{
		const u64 ids[] = {
			gone.id, left.id, left.id + 1, left.id + 2, 1000,
			1ULL << 31, 1ULL << 32, (1ULL << 32) + b.id,
			(1ULL << 63) + b.id, 1ULL << 63, ~0ULL - 1,
		};

		for (i = 0; i < ARRAY_SIZE(ids); i++)
			kt_check_ret(conn_send_bytes(&a, ids[i], 1, bytes, 8),
				     -ENXIO, "id %#llx", ids[i]);
	}
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "somebody else got it");
}
END_TEST

/* connections of another bus are out of reach, whatever their ids */
START_TEST(other_bus)
{
	struct conn c, d;
	struct bus two;
	int i;

	prepare();
	bus_make(&two, 0);
	for (i = 0; i < 3; i++)
		conn_open(&c, &two, POOL);
	conn_open(&d, &two, POOL);
	kt_check_ret(conn_send_bytes(&a, d.id, 1, "x", 1), -ENXIO,
		     "id of another bus");
	kt_check_ret(conn_send_bytes(&c, d.id, 1, "x", 1), 0, "same bus");
	kt_check(conn_drain(&d) == 1, "not there");
	kt_check_ret(conn_recv(&a, NULL), -EAGAIN, "stray");
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "stray");
}
END_TEST

START_TEST(to_itself)
{
	const struct kdbus_msg *m;
	u64 off;

	prepare();
	kt_check_ret(conn_send_bytes(&a, a.id, 3, "me", 2), 0, "send");
	m = conn_recv_msg(&a, &off);
	kt_check(m->src_id == a.id && m->dst_id == a.id && m->cookie == 3,
		 "header");
	kt_check(!memcmp((u8 *)m + 104, "me", 2), "bytes");
	kt_check_ret(conn_free(&a, off), 0, "free");
}
END_TEST

START_TEST(dst_names)
{
	static const struct {
		const char *name;
		int err;
	} names[] = {
		{ "a.b", ESRCH }, { "foo.bar.baz", ESRCH }, { "_.-", ESRCH },
		{ "A-b.C_d9", ESRCH }, { "-a.-b", ESRCH }, { "a1.b2", ESRCH },
		{ "", EINVAL }, { ".", EINVAL }, { "a", EINVAL },
		{ "a.", EINVAL }, { ".a", EINVAL }, { ".a.b", EINVAL },
		{ "a.b.", EINVAL }, { "a..b", EINVAL }, { "1a.b", EINVAL },
		{ "a.1b", EINVAL }, { "a.b.2", EINVAL }, { "a b.c", EINVAL },
		{ "a/b.c", EINVAL }, { "a.b*", EINVAL }, { "a.*", EINVAL },
		{ "*", EINVAL }, { "*.a", EINVAL }, { ":1.1", EINVAL },
		{ "\xe4.b", EINVAL }, { "a.\xc3\xa4", EINVAL },
		{ "a.b\n", EINVAL },
	};
	struct blob m;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		msg_init(&m, KDBUS_DST_ID_NAME, 1);
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, names[i].name);
		kt_check_ret(conn_send(&a, &m), -names[i].err, "name \"%s\"",
			     names[i].name);
	}
}
END_TEST

START_TEST(dst_name_length)
{
	static const struct {
		size_t len;
		int err;
	} lens[] = { { 254, ESRCH }, { 255, ESRCH }, { 256, EINVAL },
		     { 257, EINVAL }, { 4000, EINVAL } };
	char name[4001];
	struct blob m;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(lens); i++) {
		memset(name, 'a', lens[i].len);
		name[100] = '.';
		name[lens[i].len] = '\0';
		msg_init(&m, KDBUS_DST_ID_NAME, 1);
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, name);
		kt_check_ret(conn_send(&a, &m), -lens[i].err, "%zu bytes",
			     lens[i].len);
	}
}
END_TEST

/* every byte within a name */
START_TEST(dst_name_bytes)
{
	char name[] = "a?a.aa";
	struct blob m;
	int c;

	prepare();
	for (c = 1; c < 256; c++) {
		bool good = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			    (c >= '0' && c <= '9') || c == '_' || c == '-' ||
			    c == '.';

		name[1] = c;
		msg_init(&m, KDBUS_DST_ID_NAME, 1);
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, name);
		kt_check_ret(conn_send(&a, &m), good ? -ESRCH : -EINVAL,
			     "byte %#x", c);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Limits */

static int try_items(unsigned int n, u64 type, const void *data, size_t len,
		     u64 last)
{
	struct blob m;

	msg_init(&m, b.id, 1);
	while (n-- > 1)
		blob_add(&m, type, data, len);
	blob_add(&m, last, data, len);
	return conn_send(&a, &m);
}

START_TEST(item_limit)
{
	struct kdbus_vec v = { .size = 3, .address = PTR64(bytes) };

	prepare();
	kt_check_ret(try_items(127, 1, &v, 16, 1), 0, "127 vecs");
	kt_check_ret(try_items(128, 1, &v, 16, 1), 0, "128 vecs");
	kt_check_ret(try_items(129, 1, &v, 16, 1), -E2BIG, "129 vecs");
	kt_check_ret(try_items(200, 1, &v, 16, 1), -E2BIG, "200 vecs");
	kt_check_ret(try_items(128, KT_ITEM_IGNORED, NULL, 8, KT_ITEM_IGNORED),
		     0, "128 ignored items");
	kt_check_ret(try_items(129, KT_ITEM_IGNORED, NULL, 8, KT_ITEM_IGNORED),
		     -E2BIG, "129 ignored items");
	kt_check_ret(try_items(338, KT_ITEM_IGNORED, NULL, 8, KT_ITEM_IGNORED),
		     -E2BIG, "as many items as fit");
	/* the count comes before the type, the walk before the count */
	kt_check_ret(try_items(129, KT_ITEM_IGNORED, NULL, 8,
			       KDBUS_ITEM_BLOOM_FILTER), -E2BIG,
		     "129th is a bloom filter");
	kt_check_ret(try_items(128, KT_ITEM_IGNORED, NULL, 8,
			       KDBUS_ITEM_BLOOM_FILTER), -EBADMSG,
		     "128th is a bloom filter");
	kt_check_ret(try_items(129, KDBUS_ITEM_BLOOM_FILTER, NULL, 8,
			       KDBUS_ITEM_BLOOM_FILTER), -EBADMSG,
		     "the first is a bloom filter");
	kt_check_ret(try_items(129, KT_ITEM_IGNORED, NULL, 8, KDBUS_ITEM_CREDS),
		     -EINVAL, "129th is malformed");
	kt_check(conn_drain(&b) == 3, "wrong number of messages");
}
END_TEST

/* a kernel of 32 bits refuses what it has no number for, before it adds up */
static int vec_errno(const u64 *size, int err)
{
	int j;

	for (j = 0; j < 3; j++)
		if (size[j] >> 32 && kt_kernel_is_32bit())
			return EINVAL;
	return err;
}

START_TEST(vec_limit)
{
	static const struct {
		u64 size[3];
		bool nul[3];
		int err;
	} rows[] = {
		{ { KT_VEC_MAX_SIZE }, { 0 }, 0 },
		{ { KT_VEC_MAX_SIZE + 1 }, { 0 }, EMSGSIZE },
		{ { KT_VEC_MAX_SIZE }, { 1 }, 0 },
		{ { KT_VEC_MAX_SIZE + 1 }, { 1 }, EMSGSIZE },
		{ { KT_VEC_MAX_SIZE - 1, 1 }, { 0 }, 0 },
		{ { KT_VEC_MAX_SIZE - 1, 2 }, { 0 }, EMSGSIZE },
		{ { KT_VEC_MAX_SIZE, 1 }, { 0 }, EMSGSIZE },
		{ { 1, KT_VEC_MAX_SIZE }, { 0 }, EMSGSIZE },
		{ { 1, KT_VEC_MAX_SIZE - 1 }, { 0, 1 }, 0 },
		{ { 1, KT_VEC_MAX_SIZE }, { 0, 1 }, EMSGSIZE },
		{ { KT_VEC_MAX_SIZE, 1 }, { 1, 1 }, EMSGSIZE },
		{ { 1 << 20, 1 << 19, 1 << 19 }, { 1, 0, 1 }, 0 },
		{ { 1 << 20, 1 << 20, 1 }, { 1, 0, 0 }, EMSGSIZE },
		{ { 1ULL << 32 }, { 0 }, EMSGSIZE },
		{ { (1ULL << 32) + 8 }, { 1 }, EMSGSIZE },
		{ { 1ULL << 63 }, { 0 }, EMSGSIZE },
		{ { ~0ULL }, { 0 }, EMSGSIZE },
		{ { ~0ULL }, { 1 }, EMSGSIZE },
		{ { -8ULL }, { 1 }, EMSGSIZE },
		/* sums that overflow */
		{ { 8, ~0ULL }, { 0 }, EMSGSIZE },
		{ { 8, -8ULL }, { 0 }, EMSGSIZE },
		{ { 8, -7ULL }, { 0, 1 }, EMSGSIZE },
		{ { KT_VEC_MAX_SIZE, -(u64)KT_VEC_MAX_SIZE }, { 1, 1 },
		  EMSGSIZE },
		{ { KT_VEC_MAX_SIZE, -(u64)KT_VEC_MAX_SIZE, 8 }, { 1, 1 },
		  EMSGSIZE },
	};
	struct conn big;
	struct blob m;
	size_t i;
	int j;

	prepare();
	conn_open(&big, &bus, 8 * MIB);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		msg_init(&m, big.id, 1);
		for (j = 0; j < 3 && rows[i].size[j]; j++)
			msg_vec(&m, rows[i].nul[j] ? NULL : bytes,
				rows[i].size[j]);
		kt_check_ret(conn_send(&a, &m),
			     -vec_errno(rows[i].size, rows[i].err),
			     "row %zu: vecs of %#llx, %#llx, %#llx", i,
			     rows[i].size[0], rows[i].size[1],
			     rows[i].size[2]);
		kt_check(conn_drain(&big) == !rows[i].err,
			 "row %zu: wrong number of messages", i);
	}
	conn_check_pool_empty(&a, &big);
}
END_TEST

/* the same memory may be sent several times, also read-only memory */
START_TEST(vec_sources)
{
	u8 *ro = mmap(NULL, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		      0);
	u8 *end = kt_guard(5000);
	const struct kdbus_msg *m;
	struct blob s;
	u64 off;

	prepare();
	kt_assert(ro != MAP_FAILED, "mmap: %m");
	kt_fill(end, 5000, 4);
	msg_init(&s, b.id, 1);
	msg_vec(&s, ro, 5000);		/* never touched */
	msg_vec(&s, end, 5000);
	msg_vec(&s, end, 5000);
	msg_vec(&s, b.pool, 64);	/* even the receiver's pool */
	msg_vec(&s, end + 4999, 1);
	kt_check_ret(conn_send(&a, &s), 0, "send");
	m = conn_recv_msg(&b, &off);
	kt_check(kt_zero((u8 *)m + m->size, 5000), "untouched memory");
	kt_check(kt_filled((u8 *)m + m->size + 5000, 5000, 4), "first copy");
	kt_check(kt_filled((u8 *)m + m->size + 10000, 5000, 4), "second copy");
	kt_check(*((u8 *)m + m->size + 15064) == end[4999], "last byte");
}
END_TEST

/* failures do not change what comes after them */
START_TEST(refused_then_accepted)
{
	int i;

	prepare();
	for (i = 0; i < 50; i++) {
		kt_check_ret(conn_send_bytes(&a, 4711, i, bytes, 100), -ENXIO,
			     "unknown id");
		kt_check_ret(conn_send_bytes(&a, b.id, i, bytes, 100), 0,
			     "send %d", i);
	}
	for (i = 0; i < 50; i++)
		kt_check(conn_recv_msg(&b, NULL)->cookie == (u64)i,
			 "message %d", i);
}
END_TEST

KT_SUITE("send")
{
	kt_test(checks);
	kt_test(payload_types);
	kt_test(unknown_ids);
	kt_test(other_bus);
	kt_test(to_itself);
	kt_test(dst_names);
	kt_test(dst_name_length);
	kt_test(dst_name_bytes);
	kt_test(item_limit);
	kt_test(vec_limit);
	kt_test(vec_sources);
	kt_test(refused_then_accepted);
}
