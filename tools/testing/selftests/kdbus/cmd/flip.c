// SPDX-License-Identifier: GPL-2.0-only
/* Memory that changes while a command reads it */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cmd-shot.h"

#define POOL		(64 * KIB)
#define RACE_MS		2500

struct flipper {
	volatile u64 *where;
	const u64 *values;
	unsigned int n;
	volatile bool stop;
	pthread_t thread;
};

static void *flips(void *arg)
{
	struct flipper *f = arg;
	u32 rnd = kt_seed;

	while (!f->stop) {
		volatile u32 delay;

		*f->where = f->values[kt_rand(&rnd) % f->n];
		for (delay = kt_rand(&rnd) % 64; delay; delay--)
			;
	}
	return NULL;
}

static void flip_start(struct flipper *f, void *where, const u64 *values,
		       unsigned int n)
{
	f->where = where;
	f->values = values;
	f->n = n;
	f->stop = false;
	f->thread = kt_thread(flips, f);
}

static void flip_stop(struct flipper *f)
{
	f->stop = true;
	kt_join(f->thread);
}

static bool one_of(int ret, const int *errs, size_t n)
{
	while (n--)
		if (ret == -errs[n])
			return true;
	return false;
}

/* sizes that are right, too small, too large, and beyond the memory */
START_TEST(size_flips_send)
{
	static const u64 sizes[] = {
		72, 104, 136, 0, 71, 8192, 8193, 144, 1ULL << 32, -8ULL, ~0ULL,
	};
	static const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT };
	unsigned int hits[3] = { 0 };
	u64 end, off;
	struct flipper f;
	struct bus bus;
	struct conn c;
	struct blob b, *m;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	msg_vec(&b, "0123456789", 10);
	msg_vec(&b, "abcdefghij", 10);
	m = kt_guard_copy(&b, b.size);
	flip_start(&f, m, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int ret = kt_cmd(c.fd, KDBUS_CMD_MSG_SEND, m);
		const struct kdbus_msg *got;
		unsigned int n;

		kt_assert(one_of(ret, errs, 4), "send: %s", kt_err(ret));
		if (ret)
			continue;
		got = conn_recv_msg(&c, &off);
		n = (got->size - 72) / 32;
		kt_assert(n <= 2 && got->size == 72 + n * 32, "size %llu",
			  got->size);
		kt_assert(!memcmp((u8 *)got + got->size,
				  "0123456789abcdefghij", n * 10), "bytes");
		hits[n]++;
		kt_assert_ret(conn_free(&c, off), 0, "free");
	}
	flip_stop(&f);
	conn_check_pool_empty(&c, &c);
	kt_check(hits[0] && hits[1] && hits[2], "messages of %u, %u, %u vecs",
		 hits[0], hits[1], hits[2]);
}
END_TEST

START_TEST(size_flips_make)
{
	static const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT, EBADMSG };
	struct blob b, *m;
	struct flipper f;
	struct bus bus;
	u64 end, sizes[8];

	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_std(&b, 0, bus.name);
	sizes[0] = sizes[1] = b.size;
	sizes[2] = 24;
	sizes[3] = 56;		/* the bloom parameters only */
	sizes[4] = b.size + 8;
	sizes[5] = 32768;
	sizes[6] = -8ULL;
	sizes[7] = 0;
	m = kt_guard_copy(&b, b.size);
	flip_start(&f, m, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int fd = open_control();
		int ret = kt_cmd(fd, KDBUS_CMD_BUS_MAKE, m);

		kt_assert(one_of(ret, errs, 5), "BUS_MAKE: %s", kt_err(ret));
		kt_check(path_exists(bus.path) == !ret, "node after %s",
			 kt_err(ret));
		close(fd);
	}
	flip_stop(&f);
}
END_TEST

START_TEST(size_flips_hello)
{
	static const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT };
	struct blob b, *m;
	struct flipper f;
	struct bus bus;
	u64 end, sizes[7];

	bus_make(&bus, 0);
	hello_init(&b, 0, POOL);
	blob_add_str(&b, KDBUS_ITEM_CONN_NAME, "flipped");
	sizes[0] = sizes[1] = b.size;
	sizes[2] = 88;
	sizes[3] = 96;
	sizes[4] = 32768;
	sizes[5] = ~0ULL;
	sizes[6] = 87;
	m = kt_guard_copy(&b, b.size);
	flip_start(&f, m, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end;) {
		int fd = open_endpoint(&bus);
		int ret = kt_cmd(fd, KDBUS_CMD_HELLO, m);

		kt_assert(one_of(ret, errs, 4), "HELLO: %s", kt_err(ret));
		close(fd);
	}
	flip_stop(&f);
}
END_TEST

#define EACH_MS		250

/* as above for the argument of any command, whose effect is undone each time */
static void flip_size(struct shot *s, const struct kt_cmd *cmd)
{
	const int errs[] = { 0, EMSGSIZE, EINVAL, EFAULT, cmd->no_items };
	unsigned int ok = 0, bad = 0;
	u64 end, sizes[11];
	struct flipper f;
	void *arg = NULL;

	shot_load(s, cmd);
	sizes[0] = sizes[1] = sizes[2] = s->len;
	sizes[3] = cmd->min;
	sizes[4] = s->len + 8;
	sizes[5] = cmd->max;
	sizes[6] = cmd->max + 8;
	sizes[7] = cmd->min - 1;
	sizes[8] = 0;
	sizes[9] = (1ULL << 32) + s->len;
	sizes[10] = -8ULL;
	arg = kt_guard_copy(&s->good, s->len);
	shot_unload(s);
	flip_start(&f, arg, sizes, ARRAY_SIZE(sizes));
	for (end = kt_now_ms() + EACH_MS; kt_go_on(end, ok && bad);) {
		int ret;

		shot_load(s, cmd);
		kt_assert(s->len == sizes[0], "test bug: %zu bytes", s->len);
		/* all but the size, which is being written */
		memcpy((u8 *)arg + 8, (u8 *)&s->good + 8, s->len - 8);
		ret = shot_fire(s, arg);
		kt_assert(one_of(ret, errs, ARRAY_SIZE(errs)), "%s: %s",
			  cmd->name, kt_err(ret));
		ok += !ret;
		bad += ret == -EMSGSIZE;
		shot_unload(s);
	}
	flip_stop(&f);
	kt_check(ok && bad, "%s: %u succeeded, %u had a bad size", cmd->name,
		 ok, bad);
}

START_TEST(size_flips_each)
{
	struct shot *s = calloc(1, sizeof(*s));
	unsigned int i;

	bus_make(&s->bus, 0);
	for (i = 0; i < kt_n_cmds; i++)
		if (kt_cmds[i].max)
			flip_size(s, &kt_cmds[i]);
}
END_TEST

/* any 64-bit word of a message changes */
START_TEST(words_flip_send)
{
	static const int errs[] = {
		0, EMSGSIZE, EINVAL, EFAULT, ENXIO, EBADF, EBADMSG, ESRCH,
		EDESTADDRREQ, ENOTUNIQ, EEXIST, EXFULL, ENOBUFS, E2BIG,
		EMEDIUMTYPE, ETXTBSY, ECOMM, EOPNOTSUPP, EMFILE,
	};
	u64 values[16] = {
		0, 1, 2, 3, 8, 15, 16, 17, 24, 32, 40, 72, 4096, -8ULL, -16ULL,
		~0ULL,
	};
	u32 rnd = kt_seed, words;
	struct blob b, *m;
	struct bus bus;
	struct conn c;
	u64 off;
	int round, i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	msg_init(&b, c.id, 1);
	msg_vec(&b, "0123456789", 10);
	msg_vec_at(&b, 0, 20);
	msg_vec(&b, "abcdefghij", 10);
	words = b.size / 8;
	m = kt_guard(b.size);
	for (round = 0; round < 100; round++) {
		struct flipper f;
		u32 word = kt_rand(&rnd) % words;

		/* one whose flags ask to wait for an answer would wait */
		if (word == 1)
			continue;
		memcpy(m, &b, b.size);
		flip_start(&f, (u64 *)m + word, values, ARRAY_SIZE(values));
		for (i = 0; i < 100; i++) {
			const struct kdbus_msg *got;
			const struct kdbus_item *item;
			int ret = kt_cmd(c.fd, KDBUS_CMD_MSG_SEND, m);

			kt_assert(one_of(ret, errs, ARRAY_SIZE(errs)),
				  "word %u: %s", word, kt_err(ret));
			if (conn_recv(&c, &off))
				continue;
			got = conn_msg(&c, off);
			kt_assert(got->src_id == c.id, "source %llu",
				  got->src_id);
			for_each_item(item, got)
				kt_assert(item->size == 32 &&
					  (item->vec.offset == ~0ULL ||
					   item->vec.offset < POOL),
					  "word %u: malformed message", word);
			kt_assert_ret(conn_free(&c, off), 0, "free");
		}
		flip_stop(&f);
	}
	conn_drain(&c);
	conn_check_pool_empty(&c, &c);
}
END_TEST

struct swapper {
	int where, one, two;
	volatile bool stop;
};

static void *swaps_fds(void *arg)
{
	struct swapper *s = arg;

	while (!s->stop) {
		dup2(s->one, s->where);
		dup2(s->two, s->where);
		close(s->where);
	}
	return NULL;
}

/* the descriptor of a memfd becomes something else during the call */
START_TEST(memfd_swapped)
{
	static const int errs[] = { 0, EBADF, EMEDIUMTYPE };
	struct swapper s = { .where = 200 };
	unsigned int ok = 0;
	pthread_t thread;
	struct bus bus;
	struct conn c;
	struct blob m;
	int p[2];
	u64 end, off;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	kt_assert(!pipe(p), "pipe: %m");
	s.one = kt_memfd(1000, KT_SEALS, 3);
	s.two = p[0];
	thread = kt_thread(swaps_fds, &s);
	for (end = kt_now_ms() + RACE_MS; kt_go_on(end, ok);) {
		int ret, fd;

		msg_init(&m, c.id, 1);
		msg_memfd(&m, s.where, 1000);
		ret = conn_send(&c, &m);
		kt_assert(one_of(ret, errs, 3), "send: %s", kt_err(ret));
		if (ret)
			continue;
		fd = conn_recv_msg(&c, &off)->items[0].memfd.fd;
		kt_assert(fcntl(fd, F_GET_SEALS) == KT_SEALS,
			  "what arrived is not the sealed file");
		close(fd);
		kt_assert_ret(conn_free(&c, off), 0, "free");
		ok++;
	}
	s.stop = true;
	kt_join(thread);
	kt_check(ok, "never hit the memfd");
}
END_TEST

struct unmapper {
	u8 *where;
	volatile bool stop;
};

static void *unmaps(void *arg)
{
	struct unmapper *u = arg;

	while (!u->stop) {
		madvise(u->where, 16 * KT_PAGE, MADV_DONTNEED);
		mprotect(u->where + 8 * KT_PAGE, KT_PAGE, PROT_NONE);
		mprotect(u->where + 8 * KT_PAGE, KT_PAGE,
			 PROT_READ | PROT_WRITE);
	}
	return NULL;
}

/* the payload's memory comes and goes; either it is there or EFAULT */
START_TEST(payload_unmapped)
{
	unsigned int ok = 0, bad = 0;
	struct unmapper u = { .stop = false };
	pthread_t thread;
	struct bus bus;
	struct conn c;
	u64 end, off;

	bus_make(&bus, 0);
	conn_open(&c, &bus, 256 * KIB);
	u.where = mmap(NULL, 16 * KT_PAGE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	kt_assert(u.where != MAP_FAILED, "mmap: %m");
	thread = kt_thread(unmaps, &u);
	for (end = kt_now_ms() + RACE_MS; kt_go_on(end, ok);) {
		int ret = conn_send_bytes(&c, c.id, 1, u.where, 16 * KT_PAGE);

		kt_assert(!ret || ret == -EFAULT, "send: %s", kt_err(ret));
		ok += !ret;
		bad += !!ret;
		if (ret)
			continue;
		conn_recv_msg(&c, &off);
		kt_assert(kt_zero(c.pool + off + 104, 16 * KT_PAGE),
			  "bytes that were never there");
		kt_assert_ret(conn_free(&c, off), 0, "free");
	}
	u.stop = true;
	kt_join(thread);
	kt_note("%u sent, %u failed", ok, bad);
	kt_check(ok, "never succeeded");
	conn_check_pool_empty(&c, &c);
}
END_TEST

struct reader {
	const volatile u8 *pool;
	size_t size;
	int fd;			/* map it anew each time, or -1 */
	volatile bool stop;
	u8 sum;
};

static void *reads(void *arg)
{
	struct reader *r = arg;
	size_t i;

	while (!r->stop) {
		const volatile u8 *p = r->pool;

		if (r->fd >= 0)
			p = mmap(NULL, r->size, PROT_READ, MAP_SHARED, r->fd,
				 0);
		kt_assert(p != MAP_FAILED, "mmap: %m");
		for (i = 0; i < r->size; i += KT_PAGE)
			r->sum += p[i];
		if (r->fd >= 0)
			munmap((void *)p, r->size);
	}
	return NULL;
}

/* pages are filled, freed and given back while others look at them */
START_TEST(mapping_read_while_freed)
{
	enum { SIZE = 400 * 1024 };
	static u8 bytes[SIZE];
	struct reader r[2];
	pthread_t threads[2];
	struct bus bus;
	struct conn c;
	u64 end, off;
	u32 seed = 1;
	int i;

	bus_make(&bus, 0);
	conn_open(&c, &bus, 2 * MIB);
	for (i = 0; i < 2; i++) {
		r[i].pool = c.pool;
		r[i].size = c.pool_size;
		r[i].fd = i ? c.fd : -1;
		r[i].stop = false;
		threads[i] = kt_thread(reads, &r[i]);
	}
	for (end = kt_now_ms() + RACE_MS; kt_now_ms() < end; seed++) {
		kt_fill(bytes, 4096, seed);
		kt_assert_ret(conn_send_bytes(&c, c.id, seed, bytes, SIZE), 0,
			      "send");
		conn_recv_msg(&c, &off);
		kt_assert(!memcmp(c.pool + off + 104, bytes, SIZE),
			  "message %u: wrong bytes", seed);
		kt_assert_ret(conn_free(&c, off), 0, "free");
	}
	for (i = 0; i < 2; i++)
		r[i].stop = true;
	for (i = 0; i < 2; i++)
		kt_join(threads[i]);
}
END_TEST

KT_SUITE("flip")
{
	kt_test(size_flips_send);
	kt_test(size_flips_make);
	kt_test(size_flips_hello);
	kt_test_slow(size_flips_each, 300);
	kt_test(words_flip_send);
	kt_test(memfd_swapped);
	kt_test(payload_unmapped);
	kt_test(mapping_read_while_freed);
}
