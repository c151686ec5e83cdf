// SPDX-License-Identifier: GPL-2.0-only
/*
 * Many matches and broadcasts at random: who receives what is what a model says,
 * wherever the kernel has filed a match in the meantime. Most matches accept
 * nothing of what is sent, so that they are filed anew over and over.
 */

#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"
#include "pair.h"

#define CONNS	16
#define RULES	24
#define WORDS	2
#define BLOCKS	2
#define ROUNDS	250

/* a sender has its own idea of which bits are common */
static struct sender {
	struct conn c;
	u64 often[WORDS], seldom[WORDS];
	bool owns[2];
} senders[2];

static const char *const names[2] = { "foo.first", "foo.second" };

static struct model {
	u64 id;			/* ANY for any */
	int name;		/* -1 for any */
	unsigned int blocks;
	u64 mask[BLOCKS][WORDS];
} models[CONNS][RULES];

static struct conn conns[CONNS];
static u32 rnd;

/* so many at random, some perhaps twice */
static u64 some_bits(unsigned int n)
{
	u64 bits = 0;

	while (n--)
		bits |= 1ULL << kt_rand(&rnd) % 64;
	return bits;
}

/* what somebody sends often, and mostly three bits that are something else */
static void random_mask(u64 *mask)
{
	const struct sender *s = &senders[kt_rand(&rnd) % 2];
	unsigned int w, n;

	for (w = 0; w < WORDS; w++)
		mask[w] = some_bits(30) & s->often[w];
	for (n = 0; n < 3 && kt_rand(&rnd) % 32; n++)
		mask[kt_rand(&rnd) % WORDS] |= some_bits(1);
}

static void random_model(struct model *m)
{
	unsigned int i;

	memset(m, 0, sizeof(*m));
	m->id = kt_rand(&rnd) % 4 ? ANY : senders[kt_rand(&rnd) % 2].c.id;
	m->name = kt_rand(&rnd) % 4 ? -1 : (int)(kt_rand(&rnd) % 2);
	m->blocks = 1 + kt_rand(&rnd) % BLOCKS;
	for (i = 0; i < m->blocks; i++)
		random_mask(m->mask[i]);
}

static void add(unsigned int c, unsigned int r)
{
	struct model *m = &models[c][r];
	struct blob b;

	random_model(m);
	match_init(&b, r, KDBUS_MATCH_REPLACE);
	if (m->id != ANY)
		rule_id(&b, m->id);
	if (m->name >= 0)
		rule_name(&b, names[m->name]);
	blob_add(&b, KDBUS_ITEM_BLOOM_MASK, m->mask,
		 m->blocks * sizeof(m->mask[0]));
	kt_assert_ret(match_add(&conns[c], &b), 0, "MATCH_ADD");
}

static bool accepts(const struct model *m, const struct sender *s,
		    const u64 *filter, u64 generation)
{
	u64 block = generation < m->blocks ? generation : m->blocks - 1;
	unsigned int w;

	if (m->id != ANY && m->id != s->c.id)
		return false;
	if (m->name >= 0 && !s->owns[m->name])
		return false;
	for (w = 0; w < WORDS; w++)
		if (m->mask[block][w] & ~filter[w])
			return false;
	return true;
}

static void random_filter(const struct sender *s, u64 *filter)
{
	unsigned int w;

	for (w = 0; w < WORDS; w++)
		filter[w] = s->often[w] | (some_bits(30) & s->seldom[w]);
	if (kt_rand(&rnd) % 4 == 0)
		filter[kt_rand(&rnd) % WORDS] &= ~some_bits(2);
}

static unsigned int one_broadcast(int round)
{
	struct sender *s = &senders[round % 2];
	u64 filter[WORDS], generation = kt_rand(&rnd) % (BLOCKS + 1);
	unsigned int c, r, n = 0, got;
	struct kdbus_item *item;
	struct blob m;

	random_filter(s, filter);
	msg_init(&m, KDBUS_DST_ID_BROADCAST, round);
	item = blob_add(&m, KDBUS_ITEM_BLOOM_FILTER, NULL, 8 + sizeof(filter));
	item->data64[0] = generation;
	memcpy(&item->data64[1], filter, sizeof(filter));
	kt_assert_ret(conn_send(&s->c, &m), 0, "broadcast");

	for (c = 0; c < CONNS; c++) {
		bool want = false;

		for (r = 0; r < RULES; r++)
			want |= accepts(&models[c][r], s, filter, generation);
		got = conn_drain(&conns[c]);
		kt_check(got == want,
			 "round %d, seed %u: connection %u received %u of %d",
			 round, kt_seed, c, got, want);
		n += want;
	}

	return n;
}

static void change_something(void)
{
	struct sender *s = &senders[kt_rand(&rnd) % 2];
	unsigned int name = kt_rand(&rnd) % 2;

	add(kt_rand(&rnd) % CONNS, kt_rand(&rnd) % RULES);
	if (s->owns[name]) {
		kt_assert_ret(name_release(&s->c, names[name]), 0, "release");
		s->owns[name] = false;
	} else if (!senders[0].owns[name] && !senders[1].owns[name]) {
		kt_assert_ret(name_acquire(&s->c, names[name], 0), 0,
			      "acquire");
		s->owns[name] = true;
	}
}

static void prepare(void)
{
	unsigned int i, r, w;
	struct blob m;

	rnd = kt_seed;
	bus.fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_init(&m, 0);
	make_add_bloom(&m, sizeof(u64) * WORDS, 1);
	blob_add_str(&m, KDBUS_ITEM_MAKE_NAME, bus.name);
	kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &m), 0, "BUS_MAKE");
	for (i = 0; i < 2; i++) {
		conn_open(&senders[i].c, &bus, POOL);
		for (w = 0; w < WORDS; w++) {
			senders[i].often[w] = some_bits(15);
			senders[i].seldom[w] = some_bits(15);
		}
	}
	for (i = 0; i < CONNS; i++) {
		conn_open(&conns[i], &bus, POOL);
		for (r = 0; r < RULES; r++)
			add(i, r);
	}
}

START_TEST(as_the_model_says)
{
	unsigned int n = 0;
	int i;

	prepare();
	for (i = 0; i < ROUNDS; i++) {
		n += one_broadcast(i);
		if (i % 3 == 0)
			change_something();
	}
	kt_check(n > ROUNDS / 4 && n < ROUNDS * CONNS,
		 "%u received of %u broadcasts", n, ROUNDS);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Replaced while somebody sends */

static bool stop;

/* one that is in the way, so that the others are filed anew */
static void add_hopeless(struct conn *c, u64 cookie)
{
	struct blob m;

	match_init(&m, cookie, KDBUS_MATCH_REPLACE);
	rule_bit(&m, KT_BLOOM_SIZE, 0);
	rule_bit(&m, KT_BLOOM_SIZE, 2 + cookie % 50);
	kt_assert_ret(match_add(c, &m), 0, "MATCH_ADD");
}

static void *replaces(void *arg)
{
	struct blob m;
	u64 i;

	(void)arg;
	for (i = 0; !__atomic_load_n(&stop, __ATOMIC_SEQ_CST); i++) {
		match_init(&m, 1, KDBUS_MATCH_REPLACE);
		rule_bit(&m, KT_BLOOM_SIZE, i % 2);
		kt_assert_ret(match_add(&b, &m), 0, "MATCH_ADD");
		add_hopeless(&b, 2 + i % 200);
	}
	return NULL;
}

/* there is always one of the two, so nothing is missed, and nothing comes twice */
START_TEST(replaced_meanwhile)
{
	pthread_t t;
	struct blob m;
	unsigned int n;
	int i;

	pair_open();
	match_init(&m, 1, 0);
	rule_bit(&m, KT_BLOOM_SIZE, 0);
	kt_assert_ret(match_add(&b, &m), 0, "MATCH_ADD");
	t = kt_thread(replaces, NULL);
	for (i = 0; i < 1000; i++) {
		cast_init(&m, i);
		cast_set(&m, 0);
		cast_set(&m, 1);
		kt_assert_ret(conn_send(&a, &m), 0, "broadcast");
		n = conn_drain(&b);
		kt_check(n == 1, "broadcast %d came %u times", i, n);
		if (i % 8 == 0)
			sched_yield();
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
}
END_TEST

KT_SUITE("match-model")
{
	kt_test(as_the_model_says);
	kt_test(replaced_meanwhile);
}
