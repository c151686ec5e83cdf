// SPDX-License-Identifier: GPL-2.0-only
/* Faults while names change hands, and while one asks */

#include "fault-util.h"

#define NAME	"fault.name"

/* connections: who asks, another, an activator, one with a small pool */
enum { ASKS, OTHER, ACT, SMALL };

static struct fault_world w;

#define CAN	.errs = CAN_MEM | CAN_FAULT

static void open_two(void)
{
	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	fault_open(&w, OTHER, FAULT_OWNER, 0, 0);
}

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

	open_two();
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
	kt_check(fdinfo(act, "queued:") == MOVES, "not all wait");
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
	kt_check(fdinfo(&w->c[ASKS], "queued:") == MOVES, "did not move");
}

/* all went back, or none; the name went in any case */
static void back_after(struct fault_world *w, bool fault)
{
	u64 here = fdinfo(&w->c[ASKS], "queued:");
	u64 there = fdinfo(&w->c[ACT], "queued:"), id = owner(w);

	if (here) {
		kt_check(fault, "nothing moved");
		kt_check(here == MOVES && !there && id == w->c[ACT].id,
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

static void send_size(struct conn *c, u64 cookie, size_t size)
{
	static u8 bytes[6000];
	struct blob m;

	msg_init(&m, 0, cookie);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	msg_vec(&m, bytes, size);
	kt_check_ret(conn_send(c, &m), 0, "message %llu", cookie);
}

/*
 * Two wait at the activator, one fits, and is received. The other will need a
 * page that the pool has not got yet.
 */
static void follow_before(struct fault_world *w)
{
	kt_become(FAULT_OWNER);
	activator_open(&w->c[ACT], &w->bus, 0, NAME, FAULT_POOL);
	conn_open(&w->c[SMALL], &w->bus, 2 * KT_PAGE);
	kt_become(0);
	send_size(&w->c[OTHER], 1, 3000);
	send_size(&w->c[OTHER], 2, 6000);
	kt_check_ret(name_acquire(&w->c[SMALL], NAME, 0), 0, "NAME_ACQUIRE");
	kt_check_ret(conn_recv(&w->c[SMALL], &w->off), 0, "MSG_RECV");
	kt_check(fdinfo(&w->c[ACT], "queued:") == 1, "not one waits");
}

static int follow_call(struct fault_world *w)
{
	return conn_free(&w->c[SMALL], w->off);
}

/* the other follows, if not at once then when there is memory again */
static void follow_after(struct fault_world *w, bool fault)
{
	(void)fault;
	wait_readable(&w->c[SMALL]);
	kt_check(fault_take(&w->c[SMALL]) == 2, "not the second");
	kt_check(!fdinfo(&w->c[ACT], "queued:"), "it still waits");
	fault_close(w, SMALL);
	fault_close(w, ACT);
}

START_TEST(activator)
{
	static const struct fault_scene scenes[] = {
		{ .name = "NAME_ACQUIRE from an activator", CAN,
		  .before = act_before, .call = acquire_call,
		  .still = act_still, .after = act_after },
		{ .name = "NAME_RELEASE to an activator", CAN,
		  .before = back_before, .call = release_call,
		  .still = owned, .after = back_after },
		{ .name = "FREE, and what waits follows", .errs = CAN_FAULT,
		  .before = follow_before, .call = follow_call,
		  .after = follow_after },
	};

	open_two();
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

	open_two();
	kt_check_ret(name_acquire(&w.c[OTHER], NAME, 0), 0, "NAME_ACQUIRE");
	fault_run_all(&w, scenes, ARRAY_SIZE(scenes));
	fault_end(&w);
}
END_TEST

KT_SUITE_LATE("fault-name")
{
	kt_test_slow(names, 180);
	kt_test_slow(activator, 180);
	kt_test_slow(questions, 180);
}
