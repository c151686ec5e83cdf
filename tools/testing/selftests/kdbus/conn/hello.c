// SPDX-License-Identifier: GPL-2.0-only
/* HELLO: results, pool sizes, items, the limit per user */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL		(16 * KIB)
#define MAX_CONNS	256

static int try_blob(const struct bus *bus, struct blob *b)
{
	int fd = open_endpoint(bus);
	int ret = kt_cmd(fd, KDBUS_CMD_HELLO, b);

	close(fd);
	return ret;
}

START_TEST(results)
{
	static const u64 flags[] = { 0, 1, 2, 3 };
	static const struct kdbus_bloom_parameter blooms[] = {
		{ .size = 8, .n_hash = 1 },
		{ .size = 4096, .n_hash = 77 },
		{ .size = 64, .n_hash = 0x1234567890abcdefULL },
	};
	size_t i, j;

	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		for (j = 0; j < ARRAY_SIZE(blooms); j++) {
			struct kdbus_cmd_hello *h;
			struct bus bus;
			struct blob b;

			bus.fd = open_control();
			bus_name(bus.name, sizeof(bus.name));
			bus_paths(&bus);
			make_init(&b, flags[i]);
			make_add_bloom(&b, blooms[j].size, blooms[j].n_hash);
			blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, bus.name);
			kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &b),
				      0, "BUS_MAKE");
			/* what is only returned is not looked at */
			memset(&b, 0xff, sizeof(b.hello));
			h = &b.hello;
			h->size = sizeof(*h);
			h->flags = KDBUS_HELLO_ACCEPT_FD;
			h->pool_size = POOL;
			h->attach_flags = 0;
			kt_assert_ret(try_blob(&bus, &b), 0, "HELLO");
			kt_check(h->bus_flags == flags[i], "bus_flags %#llx",
				 h->bus_flags);
			kt_check(!memcmp(&h->bloom, &blooms[j],
					 sizeof(h->bloom)),
				 "bloom is %llu, %llu", h->bloom.size,
				 h->bloom.n_hash);
			kt_check(h->id == 1, "id %llu", h->id);
			kt_check(h->size == sizeof(*h) &&
				 h->flags == KDBUS_HELLO_ACCEPT_FD &&
				 h->pool_size == POOL && !h->attach_flags,
				 "an input member changed");
			close(bus.fd);
		}
	}
}
END_TEST

START_TEST(results_only_on_success)
{
	struct blob b, was;
	struct bus bus;

	bus_make(&bus, 0);
	hello_init(&b, 0, 17);
	memset(&b.hello.bloom, 0xee, 32);
	b.hello.id = b.hello.bus_flags = 0xdeadbeef;
	was = b;
	was.hello.kernel_flags = KT_MASK_HELLO | KDBUS_FLAG_KERNEL;
	kt_check_ret(try_blob(&bus, &b), -EFAULT, "pool size 17");
	kt_check(!memcmp(&b, &was, sizeof(b.hello)),
		 "results written though HELLO failed");
}
END_TEST

START_TEST(ids)
{
	struct bus bus[2];
	struct conn c;
	u64 id, i;
	int j;

	for (j = 0; j < 2; j++)
		bus_make(&bus[j], 0);
	/* from 1, each bus on its own, never used again */
	for (id = 1; id <= 10; id++) {
		for (j = 0; j < 2; j++) {
			conn_open(&c, &bus[j], POOL);
			kt_check(c.id == id, "id %llu, expected %llu", c.id,
				 id);
			conn_close(&c);
		}
	}
	/* refusals that come early do not take one */
	for (i = 0; i < 5; i++) {
		struct blob b;

		hello_init(&b, 0, 0);
		kt_check_ret(try_blob(&bus[0], &b), -EFAULT, "pool size 0");
		hello_init(&b, 1ULL << 20, POOL);
		kt_check_ret(try_blob(&bus[0], &b), -EINVAL, "flags");
	}
	conn_open(&c, &bus[0], POOL);
	kt_check(c.id == id, "id %llu, expected %llu", c.id, id);
}
END_TEST

START_TEST(bus_uuid)
{
	struct bus a, b;
	struct conn a1, a2, b1;
	u8 *u = a1.hello.id128;

	bus_make(&a, 0);
	bus_make(&b, 0);
	conn_open(&a1, &a, POOL);
	conn_open(&a2, &a, POOL);
	conn_open(&b1, &b, POOL);
	kt_check(!memcmp(u, a2.hello.id128, 16),
		 "two connections see two ids of one bus");
	kt_check(memcmp(u, b1.hello.id128, 16), "two buses have one id");
	kt_check((u[6] & 0xf0) == 0x40, "not version 4: %#x", u[6]);
	kt_check((u[8] & 0xc0) == 0x80, "not the DCE variant: %#x", u[8]);
	kt_check(!kt_zero(u, 6) && !kt_zero(u + 9, 7), "not random");
}
END_TEST

START_TEST(pool_sizes)
{
	static const struct {
		u64 size;
		int err;
	} rows[] = {
		{ 4096, 0 }, { 8192, 0 }, { 12288, 0 }, { 7 * 4096, 0 },
		{ 1 << 20, 0 }, { 16 << 20, 0 }, { 1 << 30, 0 },
		{ 0, EFAULT }, { 1, EFAULT }, { 8, EFAULT }, { 2048, EFAULT },
		{ 4095, EFAULT }, { 4097, EFAULT }, { 4104, EFAULT },
		{ 12288 + 2048, EFAULT }, { (1ULL << 32) + 1, EFAULT },
		{ (1ULL << 63) + 8, EFAULT }, { ~0ULL, EFAULT },
		{ -8ULL, EFAULT }, { -4095ULL, EFAULT },
	};
	struct bus bus;
	struct blob b;
	size_t i;

	bus_make(&bus, 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		hello_init(&b, 0, rows[i].size);
		kt_check_ret(try_blob(&bus, &b), -rows[i].err,
			     "pool size %#llx", rows[i].size);
	}
}
END_TEST

/* may be too much, but if so it says so, and the handle is as before */
START_TEST(pool_sizes_absurd)
{
	static const u64 sizes[] = {
		1ULL << 40, 1ULL << 43, 1ULL << 44, 1ULL << 46, 1ULL << 52,
		1ULL << 62, (1ULL << 63) - 4096, 1ULL << 63,
		(1ULL << 63) + 4096, -8192ULL, -4096ULL,
	};
	struct bus bus;
	struct blob b;
	size_t i;

	bus_make(&bus, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		int fd = open_endpoint(&bus);
		int ret;

		hello_init(&b, 0, sizes[i]);
		ret = kt_cmd(fd, KDBUS_CMD_HELLO, &b);
		kt_check(ret == 0 || ret == -ENOMEM || ret == -EINVAL ||
			 ret == -EFBIG, "pool size %#llx: %s", sizes[i],
			 kt_err(ret));
		if (ret)
			kt_check_ret(hello(fd, 0, POOL), 0,
				     "HELLO after a refused one");
		close(fd);
	}
}
END_TEST

/* a pool of more than 4 GiB is not cut down, and takes no memory */
START_TEST(pool_beyond_32_bits)
{
	u64 size = (1ULL << 32) + 4096;
	static char payload[64 * KIB];
	struct bus bus;
	struct conn c;
	struct blob b;
	u64 off;
	int i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	kt_fill(payload, sizeof(payload), 3);
	for (i = 0; i < 4; i++) {
		int fd = open_endpoint(&bus);
		struct conn big = { .fd = fd };

		hello_init(&b, 0, size);
		if (kt_kernel_is_32bit()) {
			kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &b), -EINVAL,
				     "HELLO, no address space");
			continue;
		}
		kt_assert_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &b), 0, "HELLO");
		kt_check_ret(conn_send_bytes(&c, b.hello.id, 1, payload,
					     sizeof(payload)), 0,
			     "64 KiB to a pool of 4 GiB and 4 KiB");
		kt_check_ret(conn_recv(&big, &off), 0, "recv");
		kt_check(off < size, "offset %#llx", off);
	}
}
END_TEST

START_TEST(attach_flags_any)
{
	struct bus bus;
	struct blob b;
	int bit;

	bus_make(&bus, 0);
	for (bit = 0; bit < 64; bit++) {
		hello_init(&b, 0, POOL);
		b.hello.attach_flags = 1ULL << bit;
		kt_check_ret(try_blob(&bus, &b), 0, "attach flag bit %d", bit);
	}
	hello_init(&b, 0, POOL);
	b.hello.attach_flags = ~0ULL;
	kt_check_ret(try_blob(&bus, &b), 0, "all attach flags");
}
END_TEST

/* n: NAME, c: CONN_NAME, r: CREDS, s: SECLABEL, i: ignored */
static int items_fn(void *arg)
{
	static const struct {
		const char *items;
		int root, user;
	} rows[] = {
		{ "c", 0, 0 }, { "i", 0, 0 }, { "ic", 0, 0 },
		{ "n", EINVAL, EINVAL }, { "nn", EINVAL, EINVAL },
		{ "cn", EINVAL, EINVAL }, { "nc", EINVAL, EINVAL },
		{ "cc", EINVAL, EINVAL }, { "cic", EINVAL, EINVAL },
		{ "r", 0, EPERM }, { "s", 0, EPERM }, { "rs", 0, EPERM },
		{ "rr", 0, EPERM }, { "ss", 0, EPERM }, { "cr", 0, EPERM },
		{ "nr", EINVAL, EINVAL }, { "rn", EINVAL, EPERM },
		{ "ccr", EINVAL, EINVAL }, { "crc", EINVAL, EPERM },
	};
	struct bus *bus = arg;
	bool root = geteuid() == 0;
	struct blob b;
	const char *c;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		hello_init(&b, 0, POOL);
		for (c = rows[i].items; *c; c++) {
			if (*c == 'n')
				blob_add_str(&b, KDBUS_ITEM_NAME, "foo.bar");
			else if (*c == 'c')
				blob_add_str(&b, KDBUS_ITEM_CONN_NAME, "me");
			else if (*c == 'r')
				blob_add(&b, KDBUS_ITEM_CREDS, NULL, 40);
			else if (*c == 's')
				blob_add_str(&b, KDBUS_ITEM_SECLABEL, "x");
			else
				blob_add(&b, KT_ITEM_IGNORED, NULL, 3);
		}
		kt_check_ret(try_blob(bus, &b),
			     -(root ? rows[i].root : rows[i].user),
			     "items \"%s\" as uid %u", rows[i].items,
			     geteuid());
		if (i % 2)
			continue;
		b.hello.pool_size = 0;
		kt_check_ret(try_blob(bus, &b), -EFAULT,
			     "items \"%s\", pool size 0", rows[i].items);
	}
	return 0;
}

START_TEST(items_privileged)
{
	struct bus bus;

	bus_make(&bus, 0);
	items_fn(&bus);
}
END_TEST

START_TEST(items_unprivileged)
{
	struct bus bus;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_run_as(20031, 20031, items_fn, &bus);
}
END_TEST

static bool name_byte(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
	       (c >= '0' && c <= '9') || c == '_';
}

/* every byte as first, inner, last and only one */
START_TEST(conn_name_bytes)
{
	struct bus bus;
	int c, at;

	bus_make(&bus, 0);
	for (c = 1; c < 256; c++) {
		for (at = 0; at < 4; at++) {
			char name[4] = "aaa";
			bool good = name_byte(c);
			struct blob b;

			if (at < 3)
				name[at] = c;
			else
				sprintf(name, "%c", c);
			if (at == 1 && (c == '-' || c == '.'))
				good = true;
			hello_init(&b, 0, POOL);
			blob_add_str(&b, KDBUS_ITEM_CONN_NAME, name);
			kt_check_ret(try_blob(&bus, &b), good ? 0 : -EINVAL,
				     "byte %#x, position %d", c, at);
		}
	}
}
END_TEST

START_TEST(special_flags_combined)
{
	static const u64 bad[] = {
		KDBUS_HELLO_MONITOR | KDBUS_HELLO_ACTIVATOR,
		KDBUS_HELLO_MONITOR | KDBUS_HELLO_POLICY_HOLDER,
		KDBUS_HELLO_ACTIVATOR | KDBUS_HELLO_POLICY_HOLDER,
		KDBUS_HELLO_MONITOR | KDBUS_HELLO_ACTIVATOR |
			KDBUS_HELLO_POLICY_HOLDER,
		0xfULL,
	};
	struct bus bus;
	struct blob b;
	size_t i;

	bus_make(&bus, 0);
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		hello_init(&b, bad[i], POOL);
		kt_check_ret(try_blob(&bus, &b), -EINVAL, "flags %#llx",
			     bad[i]);
		if (bad[i] & ~KT_MASK_HELLO)
			continue;
		hello_init(&b, bad[i], 0);
		kt_check_ret(try_blob(&bus, &b), -EFAULT,
			     "flags %#llx, pool size 0", bad[i]);
	}
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The limit per user */

static int connect_one(struct bus *bus)
{
	int fd = open_endpoint(bus);
	int ret = hello(fd, 0, 4096);

	if (!ret)
		return fd;
	close(fd);
	return ret;
}

static int limit_fn(void *arg)
{
	struct bus *bus = arg;
	int fds[MAX_CONNS], i;

	/* neither refused nor past connections count */
	for (i = 0; i < 20; i++) {
		int fd = open_endpoint(bus);

		kt_check_ret(hello(fd, 0, 0), -EFAULT, "pool size 0");
		kt_check_ret(hello(fd, 0, 4096), 0, "HELLO");
		close(fd);
	}
	for (i = 0; i < MAX_CONNS; i++) {
		fds[i] = connect_one(bus);
		kt_assert(fds[i] >= 0, "connection %d of uid %u: %s", i + 1,
			  geteuid(), kt_err(fds[i]));
	}
	for (i = 0; i < 3; i++)
		kt_check_ret(connect_one(bus), -EMFILE, "connection 257");
	close(fds[100]);
	fds[100] = connect_one(bus);
	kt_check(fds[100] >= 0, "after closing one: %s", kt_err(fds[100]));
	kt_check_ret(connect_one(bus), -EMFILE, "full again");
	kt_check_ret(kt_cmd(fds[7], KDBUS_CMD_BYEBYE, NULL), 0, "BYEBYE");
	fds[100] = connect_one(bus);
	kt_check(fds[100] >= 0, "after BYEBYE: %s", kt_err(fds[100]));
	close(fds[7]);
	kt_check_ret(connect_one(bus), -EMFILE, "after BYEBYE and close");
	return 0;
}

START_TEST(limit_user)
{
	struct bus bus;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_run_as(20032, 20032, limit_fn, &bus);
}
END_TEST

/* the budget belongs to the user, on all buses of the domain together */
static int limit_two_buses_fn(void *arg)
{
	struct bus *bus = arg;
	int i, fd;

	for (i = 0; i < MAX_CONNS; i++) {
		fd = connect_one(&bus[i & 1]);
		kt_assert(fd >= 0, "connection %d: %s", i + 1, kt_err(fd));
	}
	kt_check_ret(connect_one(&bus[0]), -EMFILE, "257th, first bus");
	kt_check_ret(connect_one(&bus[1]), -EMFILE, "257th, second bus");
	return 0;
}

START_TEST(limit_spans_buses)
{
	struct bus bus[2];

	bus_make(&bus[0], KDBUS_MAKE_ACCESS_WORLD);
	bus_make(&bus[1], KDBUS_MAKE_ACCESS_WORLD);
	kt_run_as(20033, 20033, limit_two_buses_fn, bus);
}
END_TEST

static int owner_fn(void *arg)
{
	struct bus bus;
	int i;

	(void)arg;
	bus_make(&bus, 0);
	for (i = 0; i < MAX_CONNS + 10; i++) {
		int fd = connect_one(&bus);

		kt_assert(fd >= 0, "connection %d of the bus owner: %s", i + 1,
			  kt_err(fd));
	}
	return 0;
}

START_TEST(limit_not_for_bus_owner)
{
	kt_run_as(20034, 20034, owner_fn, NULL);
}
END_TEST

START_TEST(limit_not_for_capable)
{
	owner_fn(NULL);
}
END_TEST

KT_SUITE("hello")
{
	kt_test(results);
	kt_test(results_only_on_success);
	kt_test(ids);
	kt_test(bus_uuid);
	kt_test(pool_sizes);
	kt_test(pool_sizes_absurd);
	kt_test(pool_beyond_32_bits);
	kt_test(attach_flags_any);
	kt_test(items_privileged);
	kt_test(items_unprivileged);
	kt_test(conn_name_bytes);
	kt_test(special_flags_combined);
	kt_test(limit_user);
	kt_test(limit_spans_buses);
	kt_test(limit_not_for_bus_owner);
	kt_test(limit_not_for_capable);
}
