// SPDX-License-Identifier: GPL-2.0-only
/* Faults while a connection changes its mask, its policy or its matches */

#include "fault-util.h"
#include "meta-util.h"

#define NAME	"fault.name"

/* connections: who asks, another, a user without privileges */
enum { ASKS, OTHER, USER, SPARE };

static struct fault_world w;

#define CAN	.errs = CAN_MEM | CAN_FAULT

static void mask_before(struct fault_world *w)
{
	update_init(&w->cmd, 0);
	update_add_mask(&w->cmd, KDBUS_ATTACH_CREDS);
}

static int update_call(struct fault_world *w)
{
	return update(&w->c[ASKS], &w->cmd);
}

static bool is_told(struct fault_world *w)
{
	struct conn *c = &w->c[ASKS];
	bool told;
	u64 off;

	kt_check_ret(conn_send_bytes(c, c->id, 1, NULL, 0), 0, "to oneself");
	told = item_find(conn_recv_msg(c, &off), KDBUS_ITEM_CREDS, 0);
	kt_check_ret(conn_free(c, off), 0, "FREE");
	return told;
}

static void mask_still(struct fault_world *w)
{
	kt_check(!is_told(w), "the mask changed");
}

static void mask_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(is_told(w), "the mask did not change");
	update_mask(&w->c[ASKS], 0);
}

static void policy_before(struct fault_world *w)
{
	policy_update_init(&w->cmd, "b.c u1001:o u5:t g6:s u7:t w:s");
}

static int policy_call(struct fault_world *w)
{
	return update(&w->c[OTHER], &w->cmd);
}

static void may_own(struct fault_world *w, const char *yes, const char *no)
{
	kt_check_ret(name_acquire(&w->c[USER], no, 0), -EPERM, "%s", no);
	kt_check_ret(name_acquire(&w->c[USER], yes, 0), 0, "%s", yes);
	kt_check_ret(name_release(&w->c[USER], yes), 0, "%s", yes);
}

static void policy_still(struct fault_world *w)
{
	may_own(w, NAME, "b.c");
}

static void policy_after(struct fault_world *w, bool fault)
{
	(void)fault;
	may_own(w, "b.c", NAME);
	kt_check_ret(conn_update(&w->c[OTHER], NAME " u1001:o"), 0, "back");
	policy_still(w);
}

START_TEST(updates)
{
	static const struct fault_scene scenes[] = {
		{ .name = "CONN_UPDATE mask", CAN, .before = mask_before,
		  .call = update_call, .still = mask_still,
		  .after = mask_after },
		{ .name = "CONN_UPDATE policy", CAN, .before = policy_before,
		  .call = policy_call, .still = policy_still,
		  .after = policy_after },
	};

	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	fault_open(&w, USER, FAULT_OTHER, 0, 0);
	holder_open(&w.c[OTHER], &w.bus, NAME " u1001:o");
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Matches */

static void match_before(struct fault_world *w)
{
	match_init(&w->cmd, 5, 0);
	rule_bit(&w->cmd, 2 * KT_BLOOM_SIZE, 9);
	rule_id(&w->cmd, w->c[OTHER].id);
}

static int add_call(struct fault_world *w)
{
	return match_add(&w->c[ASKS], &w->cmd);
}

static int remove_call(struct fault_world *w)
{
	return match_remove(&w->c[ASKS], 5);
}

static void hears_bits(struct fault_world *w, bool three, bool nine)
{
	kt_check(hears_bit(&w->c[OTHER], &w->c[ASKS], 3) == three, "bit 3");
	kt_check(hears_bit(&w->c[OTHER], &w->c[ASKS], 9) == nine, "bit 9");
}

static void hears_none(struct fault_world *w)
{
	hears_bits(w, false, false);
}

static void hears_old(struct fault_world *w)
{
	hears_bits(w, true, false);
}

static void hears_new(struct fault_world *w)
{
	hears_bits(w, false, true);
}

static void add_after(struct fault_world *w, bool fault)
{
	(void)fault;
	hears_new(w);
	kt_check_ret(remove_call(w), 0, "MATCH_REMOVE");
	kt_check_ret(remove_call(w), -ENOENT, "there was one");
}

static void replacing_before(struct fault_world *w)
{
	struct blob b;

	match_init(&b, 5, 0);
	rule_bit(&b, KT_BLOOM_SIZE, 3);
	kt_check_ret(match_add(&w->c[ASKS], &b), 0, "MATCH_ADD");
	match_before(w);
	((struct kdbus_cmd_match *)&w->cmd)->flags = KDBUS_MATCH_REPLACE;
}

static void remove_before(struct fault_world *w)
{
	match_before(w);
	kt_check_ret(add_call(w), 0, "MATCH_ADD");
}

static void remove_after(struct fault_world *w, bool fault)
{
	(void)fault;
	hears_none(w);
}

START_TEST(matches)
{
	static const struct fault_scene scenes[] = {
		{ .name = "MATCH_ADD", CAN, .before = match_before,
		  .call = add_call, .still = hears_none, .after = add_after },
		{ .name = "MATCH_ADD replace", CAN,
		  .before = replacing_before, .call = add_call,
		  .still = hears_old, .after = add_after },
		{ .name = "MATCH_REMOVE", CAN, .before = remove_before,
		  .call = remove_call, .still = hears_new,
		  .after = remove_after },
	};

	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	fault_open(&w, OTHER, FAULT_OWNER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The first matches of a bus: it has no place for them yet */

static struct bus fresh;
static struct conn casts;

static void fresh_before(struct fault_world *w)
{
	memset(&w->c[SPARE], 0, sizeof(w->c[SPARE]));
	bus_of(&fresh, FAULT_OWNER);
	conn_open(&w->c[SPARE], &fresh, FAULT_POOL);
	conn_open(&casts, &fresh, FAULT_POOL);
}

static void fresh_mask_before(struct fault_world *w)
{
	fresh_before(w);
	match_init(&w->cmd, 5, 0);
	rule_bit(&w->cmd, KT_BLOOM_SIZE, 3);
}

static void fresh_split_before(struct fault_world *w)
{
	fresh_before(w);
	match_init(&w->cmd, 5, 0);
	rule_bit(&w->cmd, 2 * KT_BLOOM_SIZE, 3);
}

static int fresh_call(struct fault_world *w)
{
	return match_add(&w->c[SPARE], &w->cmd);
}

static void fresh_still(struct fault_world *w)
{
	kt_check_ret(match_remove(&w->c[SPARE], 5), -ENOENT, "there is one");
}

static void fresh_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(hears_bit(&casts, &w->c[SPARE], 3), "bit 3");
	kt_check(!hears_bit(&casts, &w->c[SPARE], 9), "bit 9");
	conn_close(&casts);
	fault_close(w, SPARE);
	bus_close(&fresh);
}

START_TEST(first_matches)
{
	static const struct fault_scene scenes[] = {
		{ .name = "MATCH_ADD of the first mask", CAN,
		  .before = fresh_mask_before, .call = fresh_call,
		  .still = fresh_still, .after = fresh_after },
		{ .name = "MATCH_ADD of the first masks by generation", CAN,
		  .before = fresh_split_before, .call = fresh_call,
		  .still = fresh_still, .after = fresh_after },
	};

	fault_world(&w);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

KT_SUITE_LATE("fault-name")
{
	kt_test_slow(updates, 180);
	kt_test_slow(matches, 180);
	kt_test_slow(first_matches, 180);
}
