// SPDX-License-Identifier: GPL-2.0-only
/*
 * What matches of one user cost others: how many there may be, and how many of
 * them a broadcast looks at. Counted with probes on the module.
 */

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysinfo.h>
#include <unistd.h>

#include "pair.h"
#include "policy-util.h"
#include "trace-util.h"
#include "wait-util.h"

#define OWNER		20300
#define USER		20301
#define OTHER		20302
#define PER_CONN	256
#define LIMIT		16384
#define LIMIT_BYTES	(16 * MIB)
#define CONNS		(LIMIT / PER_CONN)

static struct conn c[CONNS + 1], other;

static int add_long(struct conn *conn, u64 cookie, u64 flags)
{
	struct blob m;

	match_init(&m, cookie, flags);
	/* kept as it is: one mask of many generations */
	blob_add(&m, KDBUS_ITEM_BLOOM_MASK, NULL,
		 (32 * KIB - 128) / KT_BLOOM_SIZE * KT_BLOOM_SIZE);
	return match_add(conn, &m);
}

static int add_short(struct conn *conn, u64 cookie)
{
	struct blob m;

	match_init(&m, cookie, 0);
	rule_id(&m, 4711);
	return match_add(conn, &m);
}

START_TEST(limit_of_bytes)
{
	unsigned int n, most = LIMIT_BYTES / (31 * KIB);
	int ret = 0;

	bus_of(&bus, OWNER);
	user_open(&other, &bus, OTHER);
	for (n = 0; n <= most && !ret; n += !ret) {
		if (n % PER_CONN == 0)
			user_open(&c[n / PER_CONN], &bus, USER);
		ret = add_long(&c[n / PER_CONN], n, 0);
	}
	kt_check_ret(ret, -ENOBUFS, "%u long matches", n);
	kt_check(n > most / 2, "%u are refused", n);
	kt_check_ret(add_long(&other, 1, 0), 0, "of another user");
	kt_check_ret(match_remove(&other, 1), 0, "remove");
	/* what is refused changes nothing; what is replaced makes room */
	kt_check_ret(add_long(&c[0], 7, KDBUS_MATCH_REPLACE), 0, "replace");
	kt_check_ret(match_remove(&c[0], 8), 0, "remove");
	kt_check_ret(add_long(&c[0], 9999, KDBUS_MATCH_REPLACE), 0,
		     "replace nothing");
	kt_check_ret(add_long(&c[1], 9999, KDBUS_MATCH_REPLACE), -ENOBUFS,
		     "replace nothing");
	kt_check_ret(match_remove(&c[1], 9999), -ENOENT, "it was added");
	kt_check_ret(match_remove(&c[0], 7), 0, "remove");
	kt_check_ret(add_long(&c[1], 9999, 0), 0, "in its place");
	kt_check_ret(add_long(&c[1], 9998, 0), -ENOBUFS, "full again");
	/* matches count no longer than their connection is there */
	kt_check_ret(conn_byebye(&c[0]), 0, "BYEBYE");
	kt_check_ret(add_long(&c[1], 9998, 0), 0, "after BYEBYE");
}
END_TEST

START_TEST(limit_of_number)
{
	unsigned int i, n;

	allow_fds(CONNS + 200);
	bus_of(&bus, OWNER);
	user_open(&other, &bus, OTHER);
	for (i = 0; i < CONNS; i++) {
		user_open(&c[i], &bus, USER);
		for (n = 0; n < PER_CONN; n++)
			kt_assert_ret(add_short(&c[i], n), 0, "match %u of %u",
				      n, i);
	}
	user_open(&c[CONNS], &bus, USER);
	kt_check_ret(add_short(&c[CONNS], 1), -EMFILE, "one more");
	kt_check_ret(add_short(&other, 1), 0, "of another user");
	kt_check_ret(match_remove(&c[5], 3), 0, "remove");
	kt_check_ret(add_short(&c[CONNS], 1), 0, "in its place");
	kt_check_ret(add_short(&c[CONNS], 2), -EMFILE, "full again");
	conn_close(&c[9]);
	for (n = 0; n < PER_CONN - 1; n++)
		kt_assert_ret(add_short(&c[CONNS], 10 + n), 0, "after close");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* What a broadcast looks at */

#define BAD	16		/* connections, each with as many as it may have */
#define BITS	(KT_BLOOM_SIZE * 8)
#define COMMON	20		/* bits that every broadcast has */

/* a mask is compared; one was in the way */
static const char *const probes[] = {
	"kdbus_match_rules_pass", "kdbus_match_move",
};

/* everybody's bits, as far as they are chosen, and one that nobody has */
static void bad_mask(struct blob *m, u32 *rnd)
{
	u8 mask[KT_BLOOM_SIZE] = { 1 };
	unsigned int i, bit;

	for (i = 0; i < 10; i++) {
		bit = kt_rand(rnd) % COMMON;
		mask[bit / 8] |= 1 << bit % 8;
	}
	bit = COMMON + kt_rand(rnd) % (BITS - COMMON);
	mask[bit / 8] |= 1 << bit % 8;
	blob_add(m, KDBUS_ITEM_BLOOM_MASK, mask, sizeof(mask));
}

static void bad_any(struct blob *m, u32 *rnd)
{
	bad_mask(m, rnd);
}

static void bad_sender(struct blob *m, u32 *rnd)
{
	rule_id(m, a.id);
	bad_mask(m, rnd);
}

static void bad_name(struct blob *m, u32 *rnd)
{
	rule_name(m, "good.name");
	rule_name(m, "nobodys.name");
	(void)rnd;
}

static void bad_generations(struct blob *m, u32 *rnd)
{
	u8 mask[2][KT_BLOOM_SIZE] = { { 1 }, { 0 } };
	unsigned int bit = COMMON + kt_rand(rnd) % (BITS - COMMON);

	mask[0][bit / 8] |= 1 << bit % 8;
	blob_add(m, KDBUS_ITEM_BLOOM_MASK, mask, sizeof(mask));
}

static void bad_matches(void (*add)(struct blob *m, u32 *rnd))
{
	unsigned int i, n;
	u32 rnd = kt_seed;
	struct blob m;

	for (i = 0; i < BAD; i++) {
		user_open(&c[i], &bus, USER);
		for (n = 0; n < PER_CONN; n++) {
			match_init(&m, n, 0);
			add(&m, &rnd);
			kt_assert_ret(match_add(&c[i], &m), 0, "MATCH_ADD");
		}
	}
}

static void send_common(void)
{
	unsigned int bit;
	struct blob m;

	cast_init(&m, 1);
	for (bit = 0; bit < COMMON; bit++)
		cast_set(&m, bit);
	kt_assert_ret(conn_send(&a, &m), 0, "broadcast");
	kt_check(conn_drain(&b) == 1, "it did not come");
}

static void check_cost(void (*add)(struct blob *m, u32 *rnd), const char *what)
{
	unsigned int counts[ARRAY_SIZE(probes)], round, sum = 0;

	allow_fds(CONNS);
	bus_of(&bus, OWNER);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	kt_assert_ret(name_acquire(&a, "good.name", 0), 0, "acquire");
	match_casts(&b);
	send_common();
	bad_matches(add);
	/* what is in the way is so once or twice */
	send_common();
	send_common();
	trace_start(probes, ARRAY_SIZE(probes));
	trace_count(counts);
	for (round = 0; round < 10; round++)
		send_common();
	trace_count(counts);
	trace_stop();
	for (round = 0; round < ARRAY_SIZE(probes); round++)
		sum += counts[round];
	kt_note("%s: %u of %u looked at in 10 broadcasts", what, sum,
		BAD * PER_CONN);
	/* a few matches each time are not worth a change */
	kt_check(sum <= 10 * 70, "%s: %u matches looked at by 10 broadcasts",
		 what, sum);
}

START_TEST(masks)
{
	check_cost(bad_any, "masks");
}
END_TEST

START_TEST(masks_and_sender)
{
	check_cost(bad_sender, "masks and sender");
}
END_TEST

START_TEST(several_names)
{
	check_cost(bad_name, "several names");
}
END_TEST

START_TEST(several_generations)
{
	check_cost(bad_generations, "several generations");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* A user who decides which bits are rare */

#define LARGE		(4 * KIB)	/* bytes of a filter */
#define RARE		5		/* the bit */
#define EFFORT		131072U		/* KDBUS_MATCH_VISIT_EFFORT */

static void large_bus(void)
{
	struct blob m;

	kt_become(OWNER);
	bus.fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_init(&m, KDBUS_MAKE_ACCESS_WORLD);
	make_add_bloom(&m, LARGE, 1);
	blob_add_str(&m, KDBUS_ITEM_MAKE_NAME, bus.name);
	kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &m), 0, "BUS_MAKE");
	kt_become(0);
}

static void add_all_bits(struct conn *conn, u64 cookie)
{
	static u8 mask[LARGE];
	struct blob m;

	memset(mask, 0xff, sizeof(mask));
	match_init(&m, cookie, 0);
	blob_add(&m, KDBUS_ITEM_BLOOM_MASK, mask, sizeof(mask));
	kt_assert_ret(match_add(conn, &m), 0, "MATCH_ADD");
}

/* with this bit and no other, or with all others */
static void cast_large(struct conn *conn, bool others)
{
	struct blob m;

	msg_init(&m, KDBUS_DST_ID_BROADCAST, 1);
	msg_bloom(&m, LARGE);
	if (others)
		memset(m.raw + sizeof(m.msg) + HDR + 8, 0xff, LARGE);
	m.raw[sizeof(m.msg) + HDR + 8 + RARE / 8] ^= 1 << RARE % 8;
	kt_assert_ret(conn_send(conn, &m), 0, "broadcast");
}

/* all matches wait under the one bit that the sender's broadcasts have */
START_TEST(rare_on_purpose)
{
	static const char *const moves[] = { "kdbus_match_move" };
	unsigned int i, count, sum = 0;
	unsigned int most = EFFORT / (8 * LARGE) + 1;

	large_bus();
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	match_casts(&b);
	user_open(&c[0], &bus, USER);
	add_all_bits(&c[0], 0);
	cast_large(&c[0], true);
	for (i = 1; i < PER_CONN; i++)
		add_all_bits(&c[0], i);
	conn_drain(&b);
	trace_start(moves, 1);
	trace_count(&count);
	for (i = 0; i < 3; i++) {
		cast_large(&a, false);
		trace_count(&count);
		kt_check(count <= most, "%u matches are filed anew", count);
		sum += count;
		kt_check(conn_drain(&b) == 1, "it did not come");
	}
	trace_stop();
	kt_check(sum > 0, "nothing is in the way");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* What was removed */

#define BURST		2000	/* matches of 64 KiB, as the kernel rounds */
#define MOST_LEFT	(6 * LIMIT_BYTES)

static u64 free_memory(void)
{
	struct sysinfo info;

	kt_assert(!sysinfo(&info), "sysinfo: %m");
	return (u64)info.freeram * info.mem_unit;
}

/*
 * A task of this policy that neither sleeps nor lets others run is faster than
 * what frees removed matches. It waits when as much is left as may count.
 */
START_TEST(removed_faster_than_freed)
{
	struct sched_param param = { .sched_priority = 1 };
	u64 before, least = ~0ULL, now;
	unsigned int i;

	one_processor();
	bus_of(&bus, OWNER);
	user_open(&c[0], &bus, USER);
	kt_assert_ret(add_long(&c[0], 1, 0), 0, "MATCH_ADD");
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		kt_skip("no SCHED_FIFO: %m");
	before = free_memory();
	for (i = 0; i < BURST; i++) {
		kt_assert_ret(add_long(&c[0], 1, KDBUS_MATCH_REPLACE), 0,
			      "MATCH_ADD");
		now = free_memory();
		least = now < least ? now : least;
	}
	kt_note("%llu MiB at most", (before - least) / MIB);
	kt_check(before - least < MOST_LEFT, "%llu MiB are left of matches",
		 (before - least) / MIB);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* What waits meanwhile */

#define NAMES		60	/* that the sender owns */
#define REPEATED	100	/* rules with the last of them */

static bool stop;
static unsigned int n_casts;

static void *casts(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		kt_assert_ret(cast(&a, 1), 0, "broadcast");
		__atomic_add_fetch(&n_casts, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

static const char *long_name(int i)
{
	static char name[200];

	memset(name, 'x', sizeof(name) - 1);
	name[1] = '.';
	sprintf(name + sizeof(name) - 3, "%02d", i);
	return name;
}

/*
 * Tasks of this policy run at once, wherever a broadcast is at that moment that
 * others send. So they sleep only if a lock is held that they want.
 */
START_TEST(nobody_waits)
{
	struct sched_param param = { .sched_priority = 1 };
	unsigned int i, n, waited = 0;
	struct blob m;
	pthread_t t;
	u64 slept;

	one_processor();
	bus_of(&bus, OWNER);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	for (i = 0; i < NAMES; i++)
		kt_assert_ret(name_acquire(&a, long_name(i), 0), 0, "acquire");
	user_open(&c[0], &bus, USER);
	for (i = 0; i < 10; i++) {
		match_init(&m, i, 0);
		for (n = 0; n < REPEATED; n++)
			rule_name(&m, long_name(NAMES - 1));
		rule_bit(&m, KT_BLOOM_SIZE, 0);
		kt_assert_ret(match_add(&c[0], &m), 0, "MATCH_ADD");
	}
	t = kt_thread(casts, NULL);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		kt_skip("no SCHED_FIFO: %m");
	for (i = 0; i < 30; i++) {
		usleep(500);
		slept = kt_times_slept(kt_tid());
		kt_assert_ret(name_acquire(&b, "some.name", 0), 0, "acquire");
		kt_assert_ret(name_release(&b, "some.name"), 0, "release");
		waited += kt_times_slept(kt_tid()) != slept;
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_note("%u broadcasts meanwhile", n_casts);
	kt_check(waited < 3, "it waited %u times of %u", waited, i);
}
END_TEST

KT_SUITE("match-cost")
{
	kt_test(limit_of_bytes);
	kt_test_slow(limit_of_number, 120);
	kt_test(masks);
	kt_test(masks_and_sender);
	kt_test(several_names);
	kt_test(several_generations);
	kt_test(rare_on_purpose);
	kt_test(removed_faster_than_freed);
	kt_test(nobody_waits);
}
