// SPDX-License-Identifier: GPL-2.0-only
/* What all commands have in common: pointers, sizes, flags, kernel_flags */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "suites.h"
#include "util.h"

#define POOL		(64 * KIB)
#define GARBAGE		0xa5a5a5a5a5a5a5a5ULL

/*
 * One command about to be issued: a handle and an argument with which it
 * succeeds. Whatever the test does to the argument first, a refused call must
 * leave a state in which the untouched argument still succeeds.
 */
struct shot {
	const struct kt_cmd *cmd;
	struct bus bus;
	struct conn conn;
	int fd;
	size_t len;
	struct blob good;
};

static void put64(void *p, size_t at, u64 value)
{
	memcpy((u8 *)p + at, &value, 8);
}

static u64 get64(const void *p, size_t at)
{
	u64 value;

	memcpy(&value, (const u8 *)p + at, 8);
	return value;
}

static void load_bus_make(struct shot *s)
{
	char name[64];

	s->fd = open_control();
	bus_name(name, sizeof(name));
	make_std(&s->good, 0, name);
}

static void load_send(struct shot *s)
{
	conn_open(&s->conn, &s->bus, POOL);
	s->fd = s->conn.fd;
	msg_init(&s->good, s->conn.id, 1);
	msg_vec(&s->good, "hello", 5);
}

static void load_recv(struct shot *s)
{
	conn_open(&s->conn, &s->bus, POOL);
	s->fd = s->conn.fd;
	kt_assert_ret(conn_send_bytes(&s->conn, s->conn.id, 1, "x", 1), 0,
		      "send");
	memset(&s->good, 0, sizeof(struct kdbus_cmd_recv));
}

static void load_free(struct shot *s)
{
	struct kdbus_cmd_free f = { .offset = 0 };

	load_recv(s);
	conn_recv_msg(&s->conn, (u64 *)&f.offset);
	memcpy(&s->good, &f, sizeof(f));
}

static void load(struct shot *s, const struct kt_cmd *cmd)
{
	s->cmd = cmd;
	s->conn.pool = NULL;
	if (cmd->nr == KDBUS_CMD_BUS_MAKE) {
		load_bus_make(s);
	} else if (cmd->nr == KDBUS_CMD_HELLO) {
		s->fd = open_endpoint(&s->bus);
		hello_init(&s->good, 0, POOL);
	} else if (cmd->nr == KDBUS_CMD_MSG_SEND) {
		load_send(s);
	} else if (cmd->nr == KDBUS_CMD_MSG_RECV) {
		load_recv(s);
	} else {
		load_free(s);
	}
	s->len = cmd->max ? s->good.size : cmd->min;
	put64(&s->good, cmd->kernel_flags, GARBAGE);
}

static void unload(struct shot *s)
{
	if (s->conn.pool)
		conn_close(&s->conn);
	else
		close(s->fd);
}

static int fire(struct shot *s, const void *arg)
{
	return kt_cmd(s->fd, s->cmd->nr, arg);
}

/* the refused call had no effect: the good one succeeds, and only that */
static void check_still_good(struct shot *s, const char *what)
{
	const char *name = s->cmd->name;

	if (s->cmd->nr == KDBUS_CMD_MSG_SEND)
		kt_check_ret(conn_recv(&s->conn, NULL), -EAGAIN,
			     "%s: %s queued a message all the same", name,
			     what);
	kt_check_ret(fire(s, &s->good), 0, "%s: afterwards (%s)", name, what);
	if (s->cmd->nr == KDBUS_CMD_MSG_SEND)
		kt_check(conn_drain(&s->conn) == 1, "%s: stray messages (%s)",
			 name, what);
}

static void check_kernel_flags(struct shot *s, const void *arg,
			       const char *what)
{
	u64 got = get64(arg, s->cmd->kernel_flags);

	kt_check(got == (s->cmd->mask | KDBUS_FLAG_KERNEL),
		 "%s: %s: kernel_flags %#llx, expected %#llx", s->cmd->name,
		 what, got, s->cmd->mask | KDBUS_FLAG_KERNEL);
}

static void check_untouched(struct shot *s, const void *arg, const void *was,
			    const char *what)
{
	kt_check(!memcmp(arg, was, s->len), "%s: %s: argument was written to",
		 s->cmd->name, what);
}

static void for_each_cmd(void (*fn)(struct shot *s))
{
	struct shot *s = calloc(1, sizeof(*s));
	unsigned int i;

	bus_make(&s->bus, 0);
	for (i = 0; i < kt_n_cmds; i++) {
		load(s, &kt_cmds[i]);
		fn(s);
		unload(s);
	}
	free(s);
}

static void do_success(struct shot *s)
{
	void *arg = kt_guard_copy(&s->good, s->len);

	kt_check_ret(fire(s, arg), 0, "%s at the end of a page", s->cmd->name);
	check_kernel_flags(s, arg, "success");
}

START_TEST(success_writes_kernel_flags)
{
	for_each_cmd(do_success);
}
END_TEST

static void do_unaligned(struct shot *s)
{
	u64 room[sizeof(s->good) / 8 + 1];
	char what[32];
	int i;

	for (i = 1; i < 8; i++) {
		u8 *arg = (u8 *)room + i;

		snprintf(what, sizeof(what), "pointer + %d", i);
		memcpy(arg, &s->good, s->len);
		kt_check_ret(fire(s, arg), -EFAULT, "%s: %s", s->cmd->name,
			     what);
		check_untouched(s, arg, &s->good, what);
	}
	check_still_good(s, "unaligned");
}

START_TEST(unaligned)
{
	for_each_cmd(do_unaligned);
}
END_TEST

static void do_bad_pointer(struct shot *s)
{
	const struct {
		const char *name;
		uintptr_t at;
	} rows[] = {
		{ "NULL", 0 },
		{ "8", 8 },
		{ "unmapped", (uintptr_t)kt_unmapped() },
		{ "PROT_NONE", (uintptr_t)kt_noread(KT_PAGE) },
		{ "last 8 bytes", -8UL },
		{ "last page", -4096UL },
		{ "lowest kernel half", (uintptr_t)1 << (8 * sizeof(long) - 1) },
#if ULONG_MAX > 0xffffffffUL
		{ "direct map", 0xffff888000000000UL },
		{ "top of user half", 0x00007ffffffff000UL },
		{ "not canonical", 0x0100000000000000UL },
#endif
	};
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check_ret(fire(s, (void *)rows[i].at), -EFAULT, "%s: %s",
			     s->cmd->name, rows[i].name);
	check_still_good(s, "bad pointer");
}

START_TEST(bad_pointers)
{
	for_each_cmd(do_bad_pointer);
}
END_TEST

/* the first bytes are there, the rest is not */
static void do_crossing(struct shot *s)
{
	size_t n;

	for (n = 8; n < s->len; n += 8)
		kt_check_ret(fire(s, kt_guard_copy(&s->good, n)), -EFAULT,
			     "%s: only %zu of %zu bytes", s->cmd->name, n,
			     s->len);
	check_still_good(s, "half unmapped");
}

START_TEST(crosses_into_unmapped_page)
{
	for_each_cmd(do_crossing);
}
END_TEST

/* kernel_flags cannot be stored: no effect, even if it is just that */
static void do_read_only(struct shot *s)
{
	size_t rw = s->cmd->kernel_flags;
	void *arg = kt_half_ro(&s->good, s->len, rw);

	kt_check_ret(fire(s, arg), -EFAULT, "%s: kernel_flags read-only",
		     s->cmd->name);
	arg = kt_half_ro(&s->good, s->len, 0);
	kt_check_ret(fire(s, arg), -EFAULT, "%s: read-only", s->cmd->name);
	check_still_good(s, "read-only");
}

START_TEST(kernel_flags_not_writable)
{
	for_each_cmd(do_read_only);
}
END_TEST

/* commands that return nothing but kernel_flags write nothing else */
static void do_rest_read_only(struct shot *s)
{
	void *arg = kt_half_ro(&s->good, s->len, s->cmd->kernel_flags + 8);
	int ret;

	if (s->cmd->kernel_flags + 8 == s->len)
		return;
	ret = fire(s, arg);
	check_kernel_flags(s, arg, "rest read-only");
	if (s->cmd->nr == KDBUS_CMD_HELLO) {
		kt_check_ret(ret, -EFAULT, "HELLO: results not writable");
		kt_check_ret(hello(s->fd, 0, POOL), -ENOTTY,
			     "HELLO: it is a connection nevertheless");
		kt_check_ret(kt_cmd(s->fd, KDBUS_CMD_BYEBYE, NULL), 0,
			     "HELLO: the connection works");
	} else if (s->cmd->nr == KDBUS_CMD_MSG_RECV) {
		kt_check_ret(ret, -EFAULT, "MSG_RECV: offset not writable");
		check_still_good(s, "offset not writable");
	} else {
		kt_check_ret(ret, 0, "%s: rest read-only", s->cmd->name);
	}
}

START_TEST(results_not_writable)
{
	for_each_cmd(do_rest_read_only);
}
END_TEST

static void try_size(struct shot *s, u64 size, int err)
{
	struct blob *arg = kt_guard_copy(&s->good, s->len);
	struct blob *was = malloc(s->len);
	char what[48];

	snprintf(what, sizeof(what), "size %#llx", size);
	put64(arg, 0, size);
	memcpy(was, arg, s->len);
	kt_check_ret(fire(s, arg), -err, "%s: %s", s->cmd->name, what);
	check_untouched(s, arg, was, what);
	free(was);
}

static void do_bad_sizes(struct shot *s)
{
	size_t min = s->cmd->min, max = s->cmd->max;
	const u64 small[] = { 0, 1, 7, 8, 15, 16, min - 8, min - 1 };
	const u64 big[] = {
		max + 1, max + 7, max + 8, 65536, 1 << 20, INT_MAX,
		1ULL << 31, UINT_MAX, 1ULL << 32, (1ULL << 32) + min,
		(1ULL << 32) + s->len, LLONG_MAX, 1ULL << 63,
		(1ULL << 63) + s->len, -4096ULL, -16ULL, -8ULL, -7ULL, -1ULL,
	};
	size_t i;

	if (!max)
		return;
	for (i = 0; i < ARRAY_SIZE(small); i++)
		try_size(s, small[i], s->cmd->too_small);
	for (i = 0; i < ARRAY_SIZE(big); i++)
		try_size(s, big[i], EMSGSIZE);
	check_still_good(s, "bad size");
}

START_TEST(sizes_out_of_bounds)
{
	for_each_cmd(do_bad_sizes);
}
END_TEST

/* a legal size, but the memory ends before */
static void do_size_beyond_memory(struct shot *s)
{
	const size_t sizes[] = { s->len + 8, s->len + 1, s->cmd->max };
	size_t i;

	if (!s->cmd->max)
		return;
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u8 *arg = kt_guard_copy(&s->good, s->len);

		put64(arg, 0, sizes[i]);
		kt_check_ret(fire(s, arg), -EFAULT, "%s: size %zu, there %zu",
			     s->cmd->name, sizes[i], s->len);
	}
	check_still_good(s, "size beyond memory");
}

START_TEST(size_beyond_memory)
{
	for_each_cmd(do_size_beyond_memory);
}
END_TEST

static void do_min_size(struct shot *s)
{
	struct blob *arg;
	int want = s->cmd->nr == KDBUS_CMD_BUS_MAKE ? -EBADMSG : 0;

	if (!s->cmd->max)
		return;
	arg = kt_guard_copy(&s->good, s->cmd->min);
	arg->size = s->cmd->min;
	kt_check_ret(fire(s, arg), want, "%s: minimal size", s->cmd->name);
	check_kernel_flags(s, arg, "minimal size");
}

START_TEST(size_minimal)
{
	for_each_cmd(do_min_size);
}
END_TEST

static void do_max_size(struct shot *s)
{
	void *arg;

	if (!s->cmd->max)
		return;
	blob_fill_to(&s->good, s->cmd->max);
	arg = kt_guard_copy(&s->good, s->cmd->max);
	kt_check_ret(fire(s, arg), 0, "%s: maximal size", s->cmd->name);
	check_kernel_flags(s, arg, "maximal size");
}

START_TEST(size_maximal)
{
	for_each_cmd(do_max_size);
}
END_TEST

/* a size that is no multiple of 8 */
static void do_odd_size(struct shot *s)
{
	size_t size = s->len + 16 + 8 + 3;

	if (!s->cmd->max)
		return;
	blob_fill_to(&s->good, size);
	kt_check_ret(fire(s, &s->good), 0, "%s: size %zu", s->cmd->name, size);
}

START_TEST(size_odd)
{
	for_each_cmd(do_odd_size);
}
END_TEST

static void do_unknown_flags(struct shot *s)
{
	char what[32];
	int bit;

	for (bit = 0; bit < 64; bit++) {
		u64 flag = 1ULL << bit;
		struct blob *arg;

		if (s->cmd->mask & flag)
			continue;
		snprintf(what, sizeof(what), "flag bit %d", bit);
		arg = kt_guard_copy(&s->good, s->len);
		put64(arg, s->cmd->flags, flag);
		kt_check_ret(fire(s, arg), -EINVAL, "%s: %s", s->cmd->name,
			     what);
		check_kernel_flags(s, arg, what);
		put64(arg, s->cmd->kernel_flags, 0);
		put64(arg, s->cmd->flags, flag | s->cmd->mask);
		kt_check_ret(fire(s, arg), -EINVAL, "%s: all and %s",
			     s->cmd->name, what);
		check_kernel_flags(s, arg, what);
		munmap((void *)((uintptr_t)arg & ~(KT_PAGE - 1)), 2 * KT_PAGE);
	}
	check_still_good(s, "unknown flags");
}

START_TEST(flags_unknown)
{
	for_each_cmd(do_unknown_flags);
}
END_TEST

/* the call may fail for other reasons, but not before the negotiation */
static void do_known_flag(struct shot *s, int bit)
{
	char what[32];

	snprintf(what, sizeof(what), "known flag bit %d", bit);
	put64(&s->good, s->cmd->flags, 1ULL << bit);
	fire(s, &s->good);
	check_kernel_flags(s, &s->good, what);
}

START_TEST(flags_known)
{
	struct shot *s = calloc(1, sizeof(*s));
	unsigned int i;
	int bit;

	bus_make(&s->bus, 0);
	for (i = 0; i < kt_n_cmds; i++) {
		for (bit = 0; bit < 64; bit++) {
			if (!(kt_cmds[i].mask & (1ULL << bit)))
				continue;
			load(s, &kt_cmds[i]);
			do_known_flag(s, bit);
			unload(s);
		}
	}
}
END_TEST

/* whatever is in kernel_flags when the call is made is ignored */
static void do_ignored_input(struct shot *s)
{
	put64(&s->good, s->cmd->kernel_flags, ~0ULL);
	kt_check_ret(fire(s, &s->good), 0, "%s: kernel_flags all ones",
		     s->cmd->name);
	check_kernel_flags(s, &s->good, "all ones");
}

START_TEST(kernel_flags_input_ignored)
{
	for_each_cmd(do_ignored_input);
}
END_TEST

/* a check that comes after the negotiation fails */
static void do_late_failure(struct shot *s)
{
	struct blob arg;
	int want;

	memcpy(&arg, &s->good, s->len);
	if (s->cmd->nr == KDBUS_CMD_BUS_MAKE) {
		make_std(&arg, 0, "no-uid");
		want = -EINVAL;
	} else if (s->cmd->nr == KDBUS_CMD_HELLO) {
		arg.hello.pool_size = 17;
		want = -EFAULT;
	} else if (s->cmd->nr == KDBUS_CMD_MSG_SEND) {
		arg.msg.dst_id = 1 << 20;
		want = -ENXIO;
	} else if (s->cmd->nr == KDBUS_CMD_MSG_RECV) {
		put64(&arg, offsetof(struct kdbus_cmd_recv, offset), 8);
		want = -EINVAL;
	} else {
		put64(&arg, 0, 4);
		want = -ENXIO;
	}
	kt_check_ret(fire(s, &arg), want, "%s: late failure", s->cmd->name);
	check_kernel_flags(s, &arg, "late failure");
	check_still_good(s, "late failure");
}

START_TEST(kernel_flags_on_late_failure)
{
	for_each_cmd(do_late_failure);
}
END_TEST

/*
 * Bad items: the negotiation comes first, except for MSG_SEND. Bad flags and
 * bad items fail alike; kernel_flags shows what was judged first.
 */
static void do_bad_items(struct shot *s)
{
	struct blob arg;

	if (!s->cmd->max)
		return;
	memcpy(&arg, &s->good, s->len);
	blob_add(&arg, KT_ITEM_IGNORED, NULL, 8)->size = 15;
	kt_check_ret(fire(s, &arg), -EINVAL, "%s: bad item", s->cmd->name);
	if (s->cmd->nr == KDBUS_CMD_MSG_SEND)
		kt_check(get64(&arg, s->cmd->kernel_flags) == GARBAGE,
			 "MSG_SEND: bad item: kernel_flags was written");
	else
		check_kernel_flags(s, &arg, "bad item");
	check_still_good(s, "bad item");
}

START_TEST(kernel_flags_and_bad_items)
{
	for_each_cmd(do_bad_items);
}
END_TEST

START_TEST(flags_before_items)
{
	struct blob b;

	/* ENAMETOOLONG and EBADMSG of the items lose against the flags */
	make_init(&b, 1 << 7);
	kt_check_ret(kt_cmd(open_control(), KDBUS_CMD_BUS_MAKE, &b), -EINVAL,
		     "BUS_MAKE: bad flags, no items");
	make_init(&b, 1 << 7);
	blob_add(&b, KDBUS_ITEM_MAKE_NAME, NULL, 100);
	kt_check_ret(kt_cmd(open_control(), KDBUS_CMD_BUS_MAKE, &b), -EINVAL,
		     "BUS_MAKE: bad flags, name too long");
}
END_TEST

START_TEST(send_items_before_flags)
{
	struct bus bus;
	struct conn c;
	struct blob b;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	b.msg.flags = 1ULL << 40;
	b.msg.kernel_flags = GARBAGE;
	msg_memfd(&b, -1, 1);
	kt_check_ret(conn_send(&c, &b), -EBADF, "bad flags, memfd -1");
	kt_check(b.msg.kernel_flags == GARBAGE, "kernel_flags was written");
	msg_init(&b, c.id, 1);
	b.msg.flags = 1ULL << 40;
	b.msg.payload_type = KDBUS_PAYLOAD_KERNEL;
	b.msg.kernel_flags = GARBAGE;
	kt_check_ret(conn_send(&c, &b), -EINVAL, "bad flags and type");
	kt_check(b.msg.kernel_flags == GARBAGE,
		 "payload_type is judged before the negotiation");
}
END_TEST

/* MSG_SEND writes nothing but kernel_flags back, neither do the others */
static void do_nothing_else_written(struct shot *s)
{
	struct blob arg;
	size_t i;

	if (s->cmd->nr == KDBUS_CMD_HELLO || s->cmd->nr == KDBUS_CMD_MSG_RECV)
		return;
	memcpy(&arg, &s->good, s->len);
	kt_check_ret(fire(s, &arg), 0, "%s", s->cmd->name);
	for (i = 0; i < s->len; i += 8)
		if (i != s->cmd->kernel_flags)
			kt_check(get64(&arg, i) == get64(&s->good, i),
				 "%s: member at %zu was written",
				 s->cmd->name, i);
}

START_TEST(nothing_else_written)
{
	for_each_cmd(do_nothing_else_written);
}
END_TEST

START_TEST(byebye_ignores_argument)
{
	static const uintptr_t args[] = { 0, 1, 4096, -1 };
	struct bus bus;
	struct conn c;
	size_t i;

	bus_make(&bus, 0);
	for (i = 0; i < ARRAY_SIZE(args); i++) {
		conn_open(&c, &bus, POOL);
		kt_check_ret(kt_cmd(c.fd, KDBUS_CMD_BYEBYE, (void *)args[i]),
			     0, "argument %#lx", (unsigned long)args[i]);
		conn_close(&c);
	}
}
END_TEST

void suite_cmd(void)
{
	kt_suite("cmd");
	kt_test(success_writes_kernel_flags);
	kt_test(unaligned);
	kt_test(bad_pointers);
	kt_test(crosses_into_unmapped_page);
	kt_test(kernel_flags_not_writable);
	kt_test(results_not_writable);
	kt_test(sizes_out_of_bounds);
	kt_test(size_beyond_memory);
	kt_test(size_minimal);
	kt_test(size_maximal);
	kt_test(size_odd);
	kt_test(flags_unknown);
	kt_test(flags_known);
	kt_test(kernel_flags_input_ignored);
	kt_test(kernel_flags_on_late_failure);
	kt_test(kernel_flags_and_bad_items);
	kt_test(flags_before_items);
	kt_test(send_items_before_flags);
	kt_test(nothing_else_written);
	kt_test(byebye_ignores_argument);
}
