// SPDX-License-Identifier: GPL-2.0-only
/* Faults while names, matches and policies change, and while one asks */

#include <string.h>
#include <unistd.h>

#include "fault-util.h"
#include "suites.h"

#define NAME	"fault.name"

/* connections: who asks, another, an activator, a user without privileges */
enum { ASKS, OTHER, ACT, USER };

static struct fault_world w;

#define CAN	.errs = CAN_MEM | CAN_FAULT

static u64 owner(struct fault_world *w)
{
	return name_owner(&w->watch, NAME, NULL);
}

static int acquire_call(struct fault_world *w)
{
	return name_acquire(&w->c[ASKS], NAME, REPLACE | QUEUE);
}

static int release_call(struct fault_world *w)
{
	return name_release(&w->c[ASKS], NAME);
}

static void owned(struct fault_world *w)
{
	kt_check(owner(w) == w->c[ASKS].id, "owner %llu", owner(w));
}

static void new_after(struct fault_world *w, bool fault)
{
	(void)fault;
	owned(w);
	kt_check_ret(release_call(w), 0, "NAME_RELEASE");
}

static void replace_before(struct fault_world *w)
{
	kt_check_ret(name_acquire(&w->c[OTHER], NAME, ALLOW | QUEUE), 0,
		     "the other one");
}

static void replace_after(struct fault_world *w, bool fault)
{
	u64 flags = 0;

	(void)fault;
	owned(w);
	kt_check(list_count(&w->watch, KDBUS_NAME_LIST_QUEUED, w->c[OTHER].id,
			    NAME) == 1, "does not wait");
	kt_check_ret(release_call(w), 0, "NAME_RELEASE");
	kt_check(name_owner(&w->watch, NAME, &flags) == w->c[OTHER].id,
		 "who waited is not the owner");
	kt_check_ret(name_release(&w->c[OTHER], NAME), 0, "NAME_RELEASE");
}

static void queue_before(struct fault_world *w)
{
	kt_check_ret(name_acquire(&w->c[OTHER], NAME, 0), 0, "the other one");
}

static void queue_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(owner(w) == w->c[OTHER].id, "owner %llu", owner(w));
	kt_check_ret(name_release(&w->c[OTHER], NAME), 0, "NAME_RELEASE");
	new_after(w, false);
}

/* another waits */
static void give_before(struct fault_world *w)
{
	kt_check_ret(acquire_call(w), 0, "NAME_ACQUIRE");
	kt_check_ret(name_acquire(&w->c[OTHER], NAME, QUEUE), 0, "QUEUE");
}

static void give_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check(owner(w) == w->c[OTHER].id, "owner %llu", owner(w));
	kt_check_ret(name_release(&w->c[OTHER], NAME), 0, "NAME_RELEASE");
}

START_TEST(names)
{
	static const struct fault_scene scenes[] = {
		{ .name = "NAME_ACQUIRE new", CAN, .call = acquire_call,
		  .after = new_after },
		{ .name = "NAME_ACQUIRE replace", CAN,
		  .before = replace_before, .call = acquire_call,
		  .after = replace_after },
		{ .name = "NAME_ACQUIRE queue", CAN, .before = queue_before,
		  .call = acquire_call, .after = queue_after },
		{ .name = "NAME_RELEASE to who waits", CAN,
		  .before = give_before, .call = release_call,
		  .after = give_after },
	};

	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	fault_open(&w, OTHER, FAULT_OWNER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* An activator, and messages that move */

#define MOVES	3

static void act_before(struct fault_world *w)
{
	struct conn *act = &w->c[ACT];
	u64 i;

	kt_become(FAULT_OWNER);
	activator_open(act, &w->bus, 0, NAME, FAULT_POOL);
	kt_become(0);
	for (i = 1; i <= MOVES; i++)
		kt_check_ret(request_name(&w->c[OTHER], NAME, i, NEVER), 0,
			     "request %llu", i);
	kt_check(fault_info(act, "queued:") == MOVES, "not all wait");
}

static void act_still(struct fault_world *w)
{
	kt_check(owner(w) == w->c[ACT].id, "owner %llu", owner(w));
}

/* they moved, in order, and can be answered */
static void take_moved(struct fault_world *w)
{
	u64 i;

	for (i = 1; i <= MOVES; i++) {
		kt_check(fault_take(&w->c[ASKS]) == i, "not number %llu", i);
		kt_check_ret(reply(&w->c[ASKS], w->c[OTHER].id, i), 0,
			     "reply %llu", i);
		kt_check(fault_take(&w->c[OTHER]) == i + 1000, "reply %llu", i);
	}
}

static void act_after(struct fault_world *w, bool fault)
{
	(void)fault;
	owned(w);
	take_moved(w);
	kt_check_ret(release_call(w), 0, "NAME_RELEASE");
	act_still(w);
	fault_close(w, ACT);
}

static void back_before(struct fault_world *w)
{
	act_before(w);
	kt_check_ret(acquire_call(w), 0, "NAME_ACQUIRE");
	kt_check(fault_info(&w->c[ASKS], "queued:") == MOVES, "did not move");
}

/* all went back, or none and the name is gone */
static void back_after(struct fault_world *w, bool fault)
{
	u64 here = fault_info(&w->c[ASKS], "queued:");
	u64 there = fault_info(&w->c[ACT], "queued:"), id = owner(w);

	if (here) {
		kt_check(fault, "nothing moved");
		kt_check(here == MOVES && !there && !id,
			 "%llu here, %llu there, owner %llu", here, there, id);
		take_moved(w);
	} else {
		kt_check(there == MOVES && id == w->c[ACT].id,
			 "%llu there, owner %llu", there, id);
		kt_check(fault_drop(&w->c[ACT]) == MOVES, "not all there");
		kt_check(conn_drain(&w->c[OTHER]) == MOVES, "REPLY_DEAD");
	}
	fault_close(w, ACT);
}

START_TEST(activator)
{
	static const struct fault_scene scenes[] = {
		{ .name = "NAME_ACQUIRE from an activator",
		  .errs = CAN_MEM | CAN_FAULT | CAN_BUFS,
		  .before = act_before, .call = acquire_call,
		  .still = act_still, .after = act_after },
		{ .name = "NAME_RELEASE to an activator", CAN,
		  .before = back_before, .call = release_call,
		  .still = owned, .after = back_after },
	};

	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	fault_open(&w, OTHER, FAULT_OWNER, 0, 0);
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Questions */

static int list_call(struct fault_world *w)
{
	return name_list(&w->c[ASKS], KT_MASK_NAME_LIST, &w->off);
}

static void id_before(struct fault_world *w)
{
	struct kdbus_cmd_info *cmd = (void *)&w->cmd;

	blob_init(&w->cmd, sizeof(*cmd));
	cmd->flags = KT_MASK_INFO;
	cmd->id = w->c[OTHER].id;
}

static void name_before(struct fault_world *w)
{
	struct kdbus_cmd_info *cmd = (void *)&w->cmd;

	id_before(w);
	cmd->id = 0;
	blob_add_str(&w->cmd, KDBUS_ITEM_NAME, NAME);
	w->cmd.size = sizeof(*cmd) + HDR + sizeof(NAME);
}

static int info(struct fault_world *w, unsigned long nr)
{
	const struct kdbus_cmd_info *cmd = (void *)&w->cmd;
	int ret = kt_cmd(w->c[ASKS].fd, nr, &w->cmd);

	w->off = cmd->offset;
	return ret;
}

static int info_call(struct fault_world *w)
{
	return info(w, KDBUS_CMD_CONN_INFO);
}

static int creator_call(struct fault_world *w)
{
	return info(w, KDBUS_CMD_BUS_CREATOR_INFO);
}

static void free_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check_ret(conn_free(&w->c[ASKS], w->off), 0, "FREE");
}

START_TEST(questions)
{
#define ASK	.errs = CAN_MEM | CAN_FAULT | CAN_BUFS, .after = free_after
	static const struct fault_scene scenes[] = {
		{ .name = "NAME_LIST", ASK, .call = list_call },
		{ .name = "CONN_INFO of an id", ASK, .before = id_before,
		  .call = info_call },
		{ .name = "CONN_INFO of a name", ASK, .before = name_before,
		  .call = info_call },
		{ .name = "BUS_CREATOR_INFO", ASK, .before = id_before,
		  .call = creator_call },
	};

	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	fault_open(&w, OTHER, FAULT_OWNER, 0, 0);
	kt_check_ret(name_acquire(&w.c[OTHER], NAME, 0), 0, "NAME_ACQUIRE");
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Updates */

static void mask_init(struct blob *b, u64 mask)
{
	blob_init(b, sizeof(struct kdbus_cmd_update));
	blob_add(b, KDBUS_ITEM_ATTACH_FLAGS, &mask, sizeof(mask));
}

static void mask_before(struct fault_world *w)
{
	mask_init(&w->cmd, KDBUS_ATTACH_CREDS);
}

static int update_call(struct fault_world *w)
{
	return kt_cmd(w->c[ASKS].fd, KDBUS_CMD_CONN_UPDATE, &w->cmd);
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
	struct blob b;

	(void)fault;
	kt_check(is_told(w), "the mask did not change");
	mask_init(&b, 0);
	kt_check_ret(kt_cmd(w->c[ASKS].fd, KDBUS_CMD_CONN_UPDATE, &b), 0,
		     "back");
}

static void policy_before(struct fault_world *w)
{
	policy_update_init(&w->cmd, "b.c u1001:o u5:t g6:s u7:t w:s");
}

static int policy_call(struct fault_world *w)
{
	return kt_cmd(w->c[OTHER].fd, KDBUS_CMD_CONN_UPDATE, &w->cmd);
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

void suite_fault_name(void)
{
	kt_suite("fault-name");
	kt_test_slow(names, 180);
	kt_test_slow(activator, 180);
	kt_test_slow(questions, 180);
	kt_test_slow(updates, 180);
	kt_test_slow(matches, 180);
}
