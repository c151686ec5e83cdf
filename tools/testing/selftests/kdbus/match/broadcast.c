// SPDX-License-Identifier: GPL-2.0-only
/* Who receives a broadcast, and what it costs */

#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(256 * KIB)
#define OWNER	20081
#define USER_A	20082
#define USER_B	20083
#define N	4		/* receivers */

static struct bus bus;
static struct conn a, r[N];

static void prepare(void)
{
	int i;

	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	for (i = 0; i < N; i++)
		conn_open(&r[i], &bus, POOL);
}

static void all_match(void)
{
	int i;

	for (i = 0; i < N; i++)
		match_all(&r[i]);
}

START_TEST(only_who_matches)
{
	prepare();
	match_all(&r[1]);
	match_all(&r[3]);
	kt_check_ret(cast(&a, 5), 0, "broadcast");
	expect_cast(&r[1], a.id, 5);
	expect_cast(&r[3], a.id, 5);
	expect_empty(&r[1]);
	expect_empty(&r[3]);
	expect_empty(&r[0]);
	expect_empty(&r[2]);
}
END_TEST

START_TEST(not_to_the_sender)
{
	prepare();
	match_all(&a);
	all_match();
	kt_check_ret(cast(&a, 5), 0, "broadcast");
	expect_empty(&a);
	expect_cast(&r[0], a.id, 5);
	kt_check_ret(cast(&r[0], 6), 0, "broadcast of another");
	expect_cast(&a, r[0].id, 6);
	expect_empty(&r[0]);
}
END_TEST

START_TEST(in_order)
{
	int i, j;

	prepare();
	all_match();
	for (i = 0; i < 200; i++) {
		kt_assert_ret(cast(&a, i), 0, "broadcast");
		kt_assert_ret(conn_send_bytes(&a, r[i % N].id, 1000 + i, "x",
					      1), 0, "unicast");
	}
	for (i = 0; i < 200; i++) {
		for (j = 0; j < N; j++)
			expect_cast(&r[j], a.id, i);
		expect_msg(&r[i % N], 1000 + i, 0);
	}
}
END_TEST

/* header, items and bytes are those of a unicast, without the filter */
START_TEST(layout)
{
	const struct kdbus_msg *m;
	struct blob b;
	u64 off;

	prepare();
	match_all(&r[0]);
	msg_init(&b, KDBUS_DST_ID_BROADCAST, 9);
	b.msg.priority = -7;
	b.msg.flags = NOAUTO;
	b.msg.kernel_flags = 0x77;
	msg_vec(&b, "hello", 5);
	msg_bloom(&b, KT_BLOOM_SIZE);
	msg_vec(&b, "you", 3);
	kt_check_ret(conn_send(&a, &b), 0, "broadcast");
	m = conn_recv_msg(&r[0], &off);
	kt_check(m->size == 72 + 64, "size %llu", m->size);
	kt_check(m->flags == NOAUTO && m->kernel_flags == 0 &&
		 m->priority == -7 && m->dst_id == ~0ULL &&
		 m->src_id == a.id && m->cookie == 9 && m->cookie_reply == 0 &&
		 m->payload_type == KDBUS_PAYLOAD_DBUS, "header");
	kt_check(m->items[0].type == KDBUS_ITEM_PAYLOAD_OFF &&
		 m->items[0].vec.size == 5 &&
		 m->items[0].vec.offset == m->size, "first item");
	kt_check(!memcmp((u8 *)m + m->size, "helloyou", 8), "bytes");
}
END_TEST

START_TEST(memfd_is_shared)
{
	int fd = kt_memfd(5000, KT_SEALS, 8), i;
	struct stat st, got;
	struct blob b;

	prepare();
	all_match();
	cast_init(&b, 1);
	msg_memfd(&b, fd, 5000);
	kt_check_ret(conn_send(&a, &b), 0, "broadcast");
	kt_assert(!fstat(fd, &st), "fstat: %m");
	close(fd);
	for (i = 0; i < N; i++) {
		const struct kdbus_msg *m = conn_recv_msg(&r[i], NULL);
		u8 bytes[5000];

		kt_assert(m->size == 104 &&
			  m->items[0].type == KDBUS_ITEM_PAYLOAD_MEMFD,
			  "receiver %d: no memfd", i);
		fd = m->items[0].memfd.fd;
		kt_assert(!fstat(fd, &got), "receiver %d: fstat: %m", i);
		kt_check(got.st_ino == st.st_ino && got.st_dev == st.st_dev,
			 "receiver %d: another file", i);
		kt_check(pread(fd, bytes, 5000, 0) == 5000 &&
			 kt_filled(bytes, 5000, 8), "receiver %d: bytes", i);
		kt_check(lseek(fd, 0, SEEK_CUR) == i * 10,
			 "receiver %d: another open file", i);
		kt_assert(lseek(fd, 10, SEEK_CUR) >= 0, "lseek: %m");
		kt_check(fcntl(fd, F_GETFD) == FD_CLOEXEC,
			 "receiver %d: not close-on-exec", i);
	}
}
END_TEST

START_TEST(no_fds)
{
	struct blob b;
	int fd = 0;

	prepare();
	all_match();
	cast_init(&b, 1);
	msg_fds(&b, &fd, 1);
	kt_check_ret(conn_send(&a, &b), -ENOTUNIQ, "after the filter");
	msg_init(&b, KDBUS_DST_ID_BROADCAST, 1);
	msg_fds(&b, &fd, 1);
	kt_check_ret(conn_send(&a, &b), -ENOTUNIQ, "without a filter");
	fd = 0x7ffffff0;
	cast_init(&b, 1);
	msg_fds(&b, &fd, 1);
	kt_check_ret(conn_send(&a, &b), -ENOTUNIQ, "not open");
	msg_fds(&b, &fd, 1);
	kt_check_ret(conn_send(&a, &b), -ENOTUNIQ, "two");
	expect_empty(&r[0]);
}
END_TEST

#define SNAP	20000

struct scribbler {
	u8 *where;
	volatile bool stop;
};

static void *scribbles(void *arg)
{
	struct scribbler *s = arg;
	u8 x = 0;

	while (!s->stop)
		memset(s->where, x++, SNAP);
	return NULL;
}

/* all see the same, whatever the sender does to its memory meanwhile */
START_TEST(snapshot)
{
	struct scribbler s = { .where = calloc(1, SNAP) };
	unsigned int torn = 0;
	pthread_t thread;
	int i, round;

	prepare();
	all_match();
	thread = kt_thread(scribbles, &s);
	for (round = 0; round < 500; round++) {
		const u8 *first = NULL;
		struct blob b;
		u64 off[N];

		cast_init(&b, round);
		msg_vec(&b, s.where, SNAP);
		kt_assert_ret(conn_send(&a, &b), 0, "broadcast");
		for (i = 0; i < N; i++) {
			const u8 *p = (u8 *)conn_recv_msg(&r[i], &off[i]);

			first = first ?: p;
			kt_assert(!memcmp(first + 104, p + 104, SNAP),
				  "round %d: receiver %d sees other bytes",
				  round, i);
		}
		torn += first[104] != first[104 + SNAP - 1];
		for (i = 0; i < N; i++)
			kt_assert_ret(conn_free(&r[i], off[i]), 0, "free");
	}
	s.stop = true;
	kt_join(thread);
	kt_note("%u of 500 payloads changed while they were read", torn);
}
END_TEST

START_TEST(unreadable)
{
	struct blob b;
	int i;

	prepare();
	all_match();
	cast_init(&b, 1);
	msg_vec(&b, "fine", 4);
	msg_vec(&b, kt_noread(KT_PAGE), 8);
	kt_check_ret(conn_send(&a, &b), 0, "unreadable payload");
	cast_init(&b, 2);
	msg_vec(&b, (u8 *)kt_guard(16) + 8, 16);
	kt_check_ret(conn_send(&a, &b), 0, "half of it readable");
	for (i = 0; i < N; i++)
		expect_empty(&r[i]);
	kt_check_ret(cast(&a, 3), 0, "next");
	for (i = 0; i < N; i++) {
		expect_cast(&r[i], a.id, 3);
		conn_check_pool_empty(&a, &r[i]);
	}
}
END_TEST

START_TEST(full_receiver)
{
	static u8 bytes[1000];
	struct conn tiny;
	struct blob b;
	unsigned int n;
	int i;

	prepare();
	conn_open(&tiny, &bus, 4096);
	match_all(&r[0]);
	match_all(&tiny);
	match_all(&r[1]);
	for (i = 0; i < 20; i++) {
		cast_init(&b, i);
		msg_vec(&b, bytes, sizeof(bytes));
		kt_check_ret(conn_send(&a, &b), 0, "broadcast %d", i);
	}
	for (i = 0; i < 20; i++) {
		expect_cast(&r[0], a.id, i);
		expect_cast(&r[1], a.id, i);
	}
	n = conn_drain(&tiny);
	/* 1104 bytes each; the third would take more than half of the rest */
	kt_check(n == 2, "%u messages in the small pool", n);
	kt_check_ret(cast(&a, 99), 0, "later");
	expect_cast(&tiny, a.id, 99);
}
END_TEST

/* the limits of messages hold for broadcasts */
START_TEST(message_limit)
{
	unsigned int n;
	int i;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(USER_A);
	conn_open(&a, &bus, POOL);
	conn_open(&r[0], &bus, POOL);
	match_all(&r[0]);
	for (i = 0; i < 300; i++)
		kt_assert_ret(cast(&a, i), 0, "broadcast %d", i);
	n = conn_drain(&r[0]);
	kt_check(n == 32 || n == 33, "%u messages", n);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Policy: in the database is no more than who may own the names */

static const struct pol_row {
	uid_t from, to;
	bool from_name, to_name;
	bool want;
} pol_rows[] = {
	{ 0, USER_A, false, false, true },
	{ 0, USER_A, false, true, true },
	{ OWNER, USER_A, false, true, true },
	{ OWNER, 0, false, true, true },
	{ USER_A, USER_A, false, false, true },
	{ USER_A, USER_A, false, true, true },
	{ USER_A, USER_A, true, true, true },
	{ USER_A, USER_B, false, false, false },
	{ USER_A, USER_B, false, true, false },
	{ USER_A, USER_B, true, false, true },
	{ USER_A, USER_B, true, true, false },
	{ USER_A, 0, false, false, false },
	{ USER_A, 0, true, false, true },
	{ USER_A, OWNER, false, false, false },
	{ USER_A, OWNER, true, false, true },
	{ USER_A, OWNER, true, true, false },
};

static void try_policy(const struct pol_row *p)
{
	struct conn from, to, holder[2];
	unsigned int n;

	holder_open(&holder[0], &bus, "a.sender u%u:o", p->from);
	holder_open(&holder[1], &bus, "a.receiver u%u:o", p->to);
	kt_become(p->from);
	conn_open(&from, &bus, POOL);
	kt_become(p->to);
	conn_open(&to, &bus, POOL);
	match_all(&to);
	kt_become(0);
	if (p->from_name)
		kt_assert_ret(name_acquire(&from, "a.sender", 0), 0, "name");
	if (p->to_name)
		kt_assert_ret(name_acquire(&to, "a.receiver", 0), 0, "name");
	conn_drain(&to);
	kt_become(p->from);
	kt_check_ret(cast(&from, 1), 0, "row %zu", p - pol_rows);
	kt_become(0);
	n = conn_drain(&to);
	kt_check(n == p->want, "row %zu: %u messages", p - pol_rows, n);
	conn_close(&from);
	conn_close(&to);
	conn_close(&holder[0]);
	conn_close(&holder[1]);
}

START_TEST(policy)
{
	size_t i;

	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(0);
	for (i = 0; i < ARRAY_SIZE(pol_rows); i++)
		try_policy(&pol_rows[i]);
}
END_TEST

/* those of another bus do not hear it */
START_TEST(other_bus)
{
	struct conn other;
	struct bus two;

	prepare();
	bus_make(&two, 0);
	conn_open(&other, &two, POOL);
	match_all(&other);
	kt_check_ret(cast(&a, 1), 0, "broadcast");
	expect_empty(&other);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Who does not match does not notice */

struct sleeper {
	struct conn c;
	pid_t tid;
	u64 slept;		/* times it gave up the processor until then */
	short revents;
};

static void *sleeps(void *arg)
{
	struct sleeper *s = arg;
	struct pollfd p = { .fd = s->c.fd, .events = POLLIN };

	__atomic_store_n(&s->tid, kt_tid(), __ATOMIC_SEQ_CST);
	poll(&p, 1, 20000);
	s->revents = p.revents;
	return NULL;
}

static void sleeper_start(struct sleeper *s, pthread_t *thread,
			  unsigned int bit)
{
	struct blob m;

	conn_open(&s->c, &bus, POOL);
	match_init(&m, 1, 0);
	rule_bit(&m, KT_BLOOM_SIZE, bit);
	kt_assert_ret(match_add(&s->c, &m), 0, "MATCH_ADD");
	*thread = kt_thread(sleeps, s);
	while (!__atomic_load_n(&s->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	kt_wait_asleep(s->tid);
}

static void cast_bit(unsigned int bit, u64 cookie)
{
	struct blob m;

	cast_init(&m, cookie);
	cast_set(&m, bit);
	kt_assert_ret(conn_send(&a, &m), 0, "broadcast");
}

/* they sleep on until the one broadcast that is for them */
START_TEST(not_woken)
{
	static struct sleeper s[8];
	pthread_t threads[8];
	int i;

	prepare();
	for (i = 0; i < 8; i++)
		sleeper_start(&s[i], &threads[i], i);
	/* so that they are asleep, not about to be */
	usleep(200000);
	for (i = 0; i < 8; i++)
		s[i].slept = kt_times_slept(s[i].tid);
	match_all(&r[0]);
	for (i = 0; i < 100; i++)
		cast_bit(100 + i, i);
	kt_check(conn_drain(&r[0]) == 100, "not all were sent");
	for (i = 0; i < 8; i++) {
		kt_check(kt_times_slept(s[i].tid) == s[i].slept,
			 "sleeper %d was woken", i);
		cast_bit(i, 1000 + i);
	}
	for (i = 0; i < 8; i++) {
		kt_join(threads[i]);
		kt_check(s[i].revents == POLLIN, "poll: %#x", s[i].revents);
		expect_cast(&s[i].c, a.id, 1000 + i);
		expect_empty(&s[i].c);
	}
}
END_TEST

#define CROWD	2000
#define ROUNDS	500

static u64 time_casts(struct conn *matching, int n)
{
	u64 sum = 0, start;
	int i, j;

	for (i = 0; i < ROUNDS; i++) {
		start = now_ns();
		cast_bit(300, i);
		sum += now_ns() - start;
		for (j = 0; j < n; j++)
			kt_assert_ret(conn_recv_flags(&matching[j],
						      KDBUS_RECV_DROP, NULL),
				      0, "receiver %d", j);
	}
	return sum;
}

/* only printed: what 2,000 connections that do not match add to 10 that do */
START_TEST(cost)
{
	static struct conn matching[10], crowd[CROWD];
	u64 few, many;
	struct blob m;
	int i;

	allow_fds(CROWD + 200);
	prepare();
	for (i = 0; i < 10; i++) {
		conn_open(&matching[i], &bus, 4096);
		match_init(&m, 1, 0);
		rule_bit(&m, KT_BLOOM_SIZE, 300);
		kt_assert_ret(match_add(&matching[i], &m), 0, "MATCH_ADD");
	}
	time_casts(matching, 10);
	few = time_casts(matching, 10);
	for (i = 0; i < CROWD; i++) {
		conn_open(&crowd[i], &bus, 4096);
		match_init(&m, 1, 0);
		rule_bit(&m, KT_BLOOM_SIZE, i % 300);
		kt_assert_ret(match_add(&crowd[i], &m), 0, "MATCH_ADD");
	}
	many = time_casts(matching, 10);
	kt_note("%llu ns a broadcast to 10, %llu ns beside %d others: %llu%%",
		few / ROUNDS, many / ROUNDS, CROWD, many * 100 / few);
	for (i = 0; i < CROWD; i++)
		expect_empty(&crowd[i]);
}
END_TEST

KT_SUITE("broadcast")
{
	kt_test(only_who_matches);
	kt_test(not_to_the_sender);
	kt_test(in_order);
	kt_test(layout);
	kt_test(memfd_is_shared);
	kt_test(no_fds);
	kt_test(snapshot);
	kt_test(unreadable);
	kt_test(full_receiver);
	kt_test(message_limit);
	kt_test(policy);
	kt_test(other_bus);
	kt_test(not_woken);
	kt_test_slow(cost, 120);
}
