// SPDX-License-Identifier: GPL-2.0-only
/* What all commands have in common: pointers, sizes, flags, kernel_flags */

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd-shot.h"

#define POOL		(64 * KIB)
#define GARBAGE		0xa5a5a5a5a5a5a5a5ULL

static void check_kernel_flags(struct shot *s, const void *arg,
			       const char *what)
{
	u64 got;

	if (!s->cmd->kernel_flags)
		return;
	got = get64(arg, s->cmd->kernel_flags);
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

static void do_success(struct shot *s)
{
	void *arg = kt_guard_copy(&s->good, s->len);

	kt_check_ret(shot_fire(s, arg), 0, "%s at the end of a page", s->cmd->name);
	check_kernel_flags(s, arg, "success");
}

START_TEST(success_writes_kernel_flags)
{
	shot_each(do_success);
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
		kt_check_ret(shot_fire(s, arg), -EFAULT, "%s: %s", s->cmd->name,
			     what);
		check_untouched(s, arg, &s->good, what);
	}
	shot_check_good(s, "unaligned");
}

START_TEST(unaligned)
{
	shot_each(do_unaligned);
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
		kt_check_ret(shot_fire(s, (void *)rows[i].at), -EFAULT, "%s: %s",
			     s->cmd->name, rows[i].name);
	shot_check_good(s, "bad pointer");
}

START_TEST(bad_pointers)
{
	shot_each(do_bad_pointer);
}
END_TEST

/* the first bytes are there, the rest is not */
static void do_crossing(struct shot *s)
{
	size_t n;

	for (n = 8; n < s->len; n += 8)
		kt_check_ret(shot_fire(s, kt_guard_copy(&s->good, n)), -EFAULT,
			     "%s: only %zu of %zu bytes", s->cmd->name, n,
			     s->len);
	shot_check_good(s, "half unmapped");
}

START_TEST(crosses_into_unmapped_page)
{
	shot_each(do_crossing);
}
END_TEST

/* kernel_flags cannot be stored: no effect, even if it is just that */
static void do_read_only(struct shot *s)
{
	size_t rw = s->cmd->kernel_flags;
	void *arg = kt_half_ro(&s->good, s->len, rw);

	if (!rw) {
		/* nothing to store */
		kt_check_ret(shot_fire(s, arg), 0, "%s: read-only",
			     s->cmd->name);
		return;
	}
	kt_check_ret(shot_fire(s, arg), -EFAULT, "%s: kernel_flags read-only",
		     s->cmd->name);
	arg = kt_half_ro(&s->good, s->len, 0);
	kt_check_ret(shot_fire(s, arg), -EFAULT, "%s: read-only", s->cmd->name);
	shot_check_good(s, "read-only");
}

START_TEST(kernel_flags_not_writable)
{
	shot_each(do_read_only);
}
END_TEST

/* what comes after kernel_flags: results that are written, and all the rest */
static void do_rest_read_only(struct shot *s)
{
	size_t rw = s->cmd->kernel_flags + 8;
	void *arg;
	int ret;

	if (!s->cmd->kernel_flags || rw == s->len)
		return;
	arg = kt_half_ro(&s->good, s->len, rw);
	ret = shot_fire(s, arg);
	check_kernel_flags(s, arg, "rest read-only");
	if (!s->cmd->results) {
		kt_check_ret(ret, 0, "%s: rest read-only", s->cmd->name);
		return;
	}
	kt_check_ret(ret, -EFAULT, "%s: results not writable", s->cmd->name);
	if (s->cmd->nr != KDBUS_CMD_HELLO) {
		shot_check_good(s, "results not writable");
		return;
	}
	kt_check_ret(hello(s->fd, 0, POOL), -ENOTTY,
		     "HELLO: it is a connection nevertheless");
	kt_check_ret(kt_cmd(s->fd, KDBUS_CMD_BYEBYE, NULL), 0,
		     "HELLO: the connection works");
}

START_TEST(results_not_writable)
{
	shot_each(do_rest_read_only);
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
	kt_check_ret(shot_fire(s, arg), -err, "%s: %s", s->cmd->name, what);
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
	shot_check_good(s, "bad size");
}

START_TEST(sizes_out_of_bounds)
{
	shot_each(do_bad_sizes);
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

		if (sizes[i] <= s->len || sizes[i] > s->cmd->max)
			continue;
		put64(arg, 0, sizes[i]);
		kt_check_ret(shot_fire(s, arg), -EFAULT, "%s: size %zu, there %zu",
			     s->cmd->name, sizes[i], s->len);
	}
	shot_check_good(s, "size beyond memory");
}

START_TEST(size_beyond_memory)
{
	shot_each(do_size_beyond_memory);
}
END_TEST

static void do_min_size(struct shot *s)
{
	struct blob *arg;

	if (!s->cmd->max)
		return;
	arg = kt_guard_copy(&s->good, s->cmd->min);
	arg->size = s->cmd->min;
	kt_check_ret(shot_fire(s, arg), -s->cmd->no_items, "%s: minimal size",
		     s->cmd->name);
	check_kernel_flags(s, arg, "minimal size");
}

START_TEST(size_minimal)
{
	shot_each(do_min_size);
}
END_TEST

/* MATCH_REMOVE has a size and no room for items */
static bool has_items(const struct shot *s)
{
	return s->cmd->max > s->cmd->min;
}

static void do_max_size(struct shot *s)
{
	void *arg;

	if (!has_items(s))
		return;
	blob_fill_to(&s->good, s->cmd->max);
	arg = kt_guard_copy(&s->good, s->cmd->max);
	kt_check_ret(shot_fire(s, arg), 0, "%s: maximal size", s->cmd->name);
	check_kernel_flags(s, arg, "maximal size");
}

START_TEST(size_maximal)
{
	shot_each(do_max_size);
}
END_TEST

/* a size that is no multiple of 8 */
static void do_odd_size(struct shot *s)
{
	size_t size = s->len + 16 + 8 + 3;

	if (!has_items(s))
		return;
	blob_fill_to(&s->good, size);
	kt_check_ret(shot_fire(s, &s->good), 0, "%s: size %zu", s->cmd->name, size);
}

START_TEST(size_odd)
{
	shot_each(do_odd_size);
}
END_TEST

/*
 * Programs written for version 1 probe with a bit that was unknown then, 32 for
 * instance: that has to stay unknown, whatever extensions there are.
 */
static void do_probe(struct shot *s)
{
	struct blob *arg;
	int bit;

	for (bit = 16; bit < 48; bit++) {
		arg = kt_guard_copy(&s->good, s->len);
		put64(arg, s->cmd->flags, 1ULL << bit);
		kt_check_ret(shot_fire(s, arg), -EINVAL, "%s: flag bit %d",
			     s->cmd->name, bit);
		if (!s->cmd->kernel_flags)
			continue;
		kt_check(!(get64(arg, s->cmd->kernel_flags) & 1ULL << bit),
			 "%s: bit %d is announced", s->cmd->name, bit);
	}
	shot_check_good(s, "probed");
}

START_TEST(probed_as_by_version_1)
{
	shot_each(do_probe);
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
		kt_check_ret(shot_fire(s, arg), -EINVAL, "%s: %s", s->cmd->name,
			     what);
		check_kernel_flags(s, arg, what);
		put64(arg, s->cmd->kernel_flags, 0);
		put64(arg, s->cmd->flags, flag | s->cmd->mask);
		kt_check_ret(shot_fire(s, arg), -EINVAL, "%s: all and %s",
			     s->cmd->name, what);
		check_kernel_flags(s, arg, what);
		munmap((void *)((uintptr_t)arg & ~(KT_PAGE - 1)), 2 * KT_PAGE);
	}
	shot_check_good(s, "unknown flags");
}

START_TEST(flags_unknown)
{
	shot_each(do_unknown_flags);
}
END_TEST

/* the call may fail for other reasons, but not before the negotiation */
static void do_known_flag(struct shot *s, int bit)
{
	char what[32];

	snprintf(what, sizeof(what), "known flag bit %d", bit);
	put64(&s->good, s->cmd->flags, 1ULL << bit);
	shot_fire(s, &s->good);
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
			shot_load(s, &kt_cmds[i]);
			do_known_flag(s, bit);
			shot_unload(s);
		}
	}
}
END_TEST

/* whatever is in kernel_flags when the call is made is ignored */
static void do_ignored_input(struct shot *s)
{
	if (!s->cmd->kernel_flags)
		return;
	put64(&s->good, s->cmd->kernel_flags, ~0ULL);
	kt_check_ret(shot_fire(s, &s->good), 0, "%s: kernel_flags all ones",
		     s->cmd->name);
	check_kernel_flags(s, &s->good, "all ones");
}

START_TEST(kernel_flags_input_ignored)
{
	shot_each(do_ignored_input);
}
END_TEST

/* a check that comes after the negotiation fails */
static void do_late_failure(struct shot *s)
{
	if (!s->late_err)
		return;
	kt_check_ret(shot_fire(s, &s->late), -s->late_err, "%s: late failure",
		     s->cmd->name);
	check_kernel_flags(s, &s->late, "late failure");
	shot_check_good(s, "late failure");
}

START_TEST(kernel_flags_on_late_failure)
{
	shot_each(do_late_failure);
}
END_TEST

/*
 * Bad items: the negotiation comes first, except for MSG_SEND. Bad flags and
 * bad items fail alike; kernel_flags shows what was judged first.
 */
static void do_bad_items(struct shot *s)
{
	struct blob arg;

	if (!has_items(s))
		return;
	memcpy(&arg, &s->good, s->len);
	blob_add(&arg, KT_ITEM_IGNORED, NULL, 8)->size = 15;
	kt_check_ret(shot_fire(s, &arg), -EINVAL, "%s: bad item", s->cmd->name);
	if (s->cmd->items_first)
		kt_check(get64(&arg, s->cmd->kernel_flags) == GARBAGE,
			 "%s: bad item: kernel_flags was written",
			 s->cmd->name);
	else
		check_kernel_flags(s, &arg, "bad item");
	shot_check_good(s, "bad item");
}

START_TEST(kernel_flags_and_bad_items)
{
	shot_each(do_bad_items);
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

static bool may_write(const struct kt_cmd *cmd, size_t at)
{
	/* 0 means there are none, and nobody's are at the very start */
	if (at && at == cmd->kernel_flags)
		return true;
	return at / 8 < 32 && cmd->results & KT_WORD(at);
}

/* kernel_flags and results, and nothing else */
static void do_nothing_else_written(struct shot *s)
{
	struct blob arg;
	size_t i;

	memcpy(&arg, &s->good, s->len);
	kt_check_ret(shot_fire(s, &arg), 0, "%s", s->cmd->name);
	for (i = 0; i < s->len; i += 8)
		if (!may_write(s->cmd, i))
			kt_check(get64(&arg, i) == get64(&s->good, i),
				 "%s: member at %zu was written",
				 s->cmd->name, i);
}

START_TEST(nothing_else_written)
{
	shot_each(do_nothing_else_written);
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

KT_SUITE("cmd")
{
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
	kt_test(probed_as_by_version_1);
	kt_test(flags_known);
	kt_test(kernel_flags_input_ignored);
	kt_test(kernel_flags_on_late_failure);
	kt_test(kernel_flags_and_bad_items);
	kt_test(flags_before_items);
	kt_test(send_items_before_flags);
	kt_test(nothing_else_written);
	kt_test(byebye_ignores_argument);
}
