// SPDX-License-Identifier: GPL-2.0-only
/* Many policies, under which the driver and a model decide the same */

#include <string.h>

#include "policy-compare.h"
#include "policy-util.h"

#define ALL_MS	2500

/* ------------------------------------------------------------------------ */
/* The table: each kind of grant in each kind of place */

enum { ON_BUS, ON_BOTH, ON_EP, N_WHERE };
enum { EXACT, WILD, EXACT_DENIES, EXACT_BESIDE_WILD, N_SHAPES };

#define N_LISTS		16

static void grant_row(struct m_entry *e, int row)
{
	static const struct {
		int type;
		unsigned int id;
	} kinds[] = {
		{ M_USER, A }, { M_USER, B }, { M_GROUP, GA },
		{ M_GROUP, GB }, { M_WORLD, 4711 },
	};

	e->there = true;
	if (row)
		grant(e, kinds[(row - 1) / 3].type, (row - 1) % 3,
		      kinds[(row - 1) / 3].id);
}

static void fill_db(struct m_db *db, int row, int shape)
{
	struct m_entry *e = db->entries;

	memset(db, 0, sizeof(*db));
	if (shape == EXACT || shape == EXACT_BESIDE_WILD)
		grant_row(&e[0], row);
	if (shape == EXACT_DENIES)
		grant_row(&e[0], 0);
	if (shape == WILD || shape == EXACT_DENIES)
		grant_row(&e[4], row);
	if (shape == EXACT_BESIDE_WILD)
		grant(&e[4], M_WORLD, OWN, 0);
	/* and the other names differ */
	grant_row(&e[3], (row + 5) % N_LISTS);
	grant_row(&e[5], (row * 3 + shape) % N_LISTS);
}

/* peers that own one name, two, none; on both kinds of endpoints */
static const int places[][M_NAMES] = {
	{ 0, 0, 10, NOBODY },
	{ 9, 1, 3, 9 },
	{ NOBODY, 13, 8, 6 },
};

static void walk(int place, int first, void (*check)(void))
{
	int row, shape, where;

	third = place;
	peers_open();
	place_names(places[place]);
	for (row = 0; row < N_LISTS; row++) {
		for (shape = 0; shape < N_SHAPES; shape++) {
			for (where = first; where < N_WHERE; where++) {
				open_db(&bus_db);
				open_db(&ep_db);
				if (where != ON_EP)
					fill_db(&bus_db, row, shape);
				if (where != ON_BUS)
					fill_db(&ep_db, row, shape);
				upload();
				check();
			}
		}
	}
	kt_check(decisions > 1000, "only %u decisions", decisions);
}

START_TEST(own)
{
	walk(0, ON_BUS, compare_own);
}
END_TEST

START_TEST(own_taken)
{
	walk(2, ON_BUS, compare_own);
}
END_TEST

START_TEST(talk_to_two_names)
{
	walk(0, ON_BUS, compare_talk);
}
END_TEST

START_TEST(talk_custom)
{
	walk(1, ON_BUS, compare_talk);
}
END_TEST

START_TEST(see)
{
	/* the bus has no say in this */
	walk(0, ON_EP, compare_see);
}
END_TEST

START_TEST(broadcast)
{
	walk(0, ON_BUS, compare_cast);
}
END_TEST

START_TEST(broadcast_custom)
{
	walk(1, ON_BUS, compare_cast);
}
END_TEST

START_TEST(broadcast_single)
{
	walk(2, ON_BUS, compare_cast);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Anything else */

static void random_db(struct m_db *db, u32 *rnd)
{
	static const unsigned int ids[] = { A, B, 0, OWNER, GA, GB, 9, 20263 };
	int i;

	memset(db, 0, sizeof(*db));
	for (i = 0; i < M_ENTRIES; i++) {
		int n = kt_rand(rnd) % (M_GRANTS + 1);

		db->entries[i].there = kt_rand(rnd) % 3;
		while (db->entries[i].there && n--)
			grant(&db->entries[i], "uuuggw"[kt_rand(rnd) % 6],
			      kt_rand(rnd) % 3,
			      ids[kt_rand(rnd) % ARRAY_SIZE(ids)]);
	}
}

START_TEST(anything)
{
	u64 end = kt_now_ms() + ALL_MS;
	u32 rnd = kt_seed;
	int owners[M_NAMES], i;

	peers_open();
	while (kt_now_ms() < end && !kt->failures) {
		for (i = 0; i < M_NAMES; i++)
			owners[i] = (int)(kt_rand(&rnd) % (N + 1)) - 1;
		place_names(owners);
		random_db(&bus_db, &rnd);
		random_db(&ep_db, &rnd);
		upload();
		compare_own();
		compare_talk();
		compare_cast();
		compare_see();
	}
	kt_check(decisions > 1000, "only %u decisions", decisions);
}
END_TEST

KT_SUITE("policy-model")
{
	kt_test(own);
	kt_test(own_taken);
	kt_test(talk_to_two_names);
	kt_test(talk_custom);
	kt_test(see);
	kt_test(broadcast);
	kt_test(broadcast_custom);
	kt_test(broadcast_single);
	kt_test(anything);
}
