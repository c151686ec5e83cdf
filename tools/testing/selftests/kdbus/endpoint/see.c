// SPDX-License-Identifier: GPL-2.0-only
/* What connections on a custom endpoint see and hear */

#include <string.h>
#include <unistd.h>

#include "ep-world.h"

#define USER	20236
#define UNIQUE	KDBUS_NAME_LIST_UNIQUE
#define NAMES	KDBUS_NAME_LIST_NAMES
#define ACTS	KDBUS_NAME_LIST_ACTIVATORS
#define QUEUED	KDBUS_NAME_LIST_QUEUED

static void check_names(u64 flags, bool one, bool two, bool unique)
{
	kt_check(list_count(&in, flags, out.id, "a.one") == one,
		 "flags %#llx: a.one", flags);
	kt_check(list_count(&in, flags, out.id, "a.two") == two,
		 "flags %#llx: a.two", flags);
	kt_check(list_count(&in, flags, out.id, NULL) == unique,
		 "flags %#llx: unique record", flags);
}

START_TEST(name_list_filter)
{
	static const char * const policies[] = {
		NO_POLICY, "a.one w:s", "a.two w:t", "a.* w:o",
		"a.* w:s a.one", "x.y w:o",
	};
	size_t i;

	ep_world(NO_POLICY);
	for (i = 0; i < ARRAY_SIZE(policies); i++) {
		bool one = i == 1 || i == 3, two = i >= 2 && i <= 4;

		ep_set(&ep, "%s", policies[i]);
		check_names(0, false, false, false);
		check_names(NAMES, one, two, false);
		check_names(UNIQUE, false, false, true);
		/* all names hidden: a record nevertheless */
		check_names(UNIQUE | NAMES, one, two, !one && !two);
		kt_check(list_count(&in, UNIQUE, in.id, NULL) == 1, "self");
		kt_check(list_count(&in, UNIQUE | NAMES, mute.id, NULL) == 1,
			 "one without names");
		kt_check(list_count(&out, NAMES, out.id, "a.one") == 1,
			 "from outside");
	}
}
END_TEST

START_TEST(name_list_others)
{
	struct conn act, idle, h;

	ep_world("idle.one w:s");
	kt_assert_ret(name_acquire(&mute, "a.one", QUEUE), 0, "wait");
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, "a.two"), 0, "1");
	kt_assert_ret(holder_try_open(&idle, &bus, ACTIVATOR, "idle.one"), 0,
		      "2");
	holder_open(&h, &bus, "held.name");
	kt_check(!list_count(&in, QUEUED, mute.id, "a.one"), "waiter");
	kt_check(list_count(&in, QUEUED | UNIQUE, mute.id, NULL) == 1,
		 "waiter, unique");
	kt_check(!list_count(&in, ACTS, act.id, "a.two"), "activator");
	kt_check(list_count(&in, ACTS, idle.id, "idle.one") == 1, "idle");
	kt_check(list_count(&in, UNIQUE, h.id, NULL) == 1, "holder");
	ep_set(&ep, "a.* w:s");
	kt_check(list_count(&in, QUEUED, mute.id, "a.one") == 1, "waiter");
	kt_check(!list_count(&in, QUEUED | UNIQUE, mute.id, NULL), "unique");
	kt_check(list_count(&in, ACTS, act.id, "a.two") == 1, "activator");
	kt_check(!list_count(&in, ACTS, idle.id, "idle.one"), "idle");
	kt_check(list_count(&in, ACTS | UNIQUE, idle.id, NULL) == 1,
		 "an activator whose name is hidden");
}
END_TEST

START_TEST(conn_info)
{
	struct conn h, mon, act;

	ep_world("a.two w:s act.name w:s");
	holder_open(&h, &bus, "a.two w:o");
	kt_assert_ret(holder_try_open(&mon, &bus, MONITOR, NO_POLICY), 0,
		      "monitor");
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, "act.name"), 0,
		      "activator");
	kt_check_ret(info_name(&in, "a.one"), -ENOENT, "hidden name");
	kt_check_ret(info_name(&in, "a.two"), 0, "visible name");
	kt_check_ret(info_id(&in, out.id), 0, "owns a visible name");
	kt_check_ret(info_id(&in, mute.id), -ENOENT, "owns no name");
	kt_check_ret(info_id(&in, in.id), -ENOENT, "oneself");
	/* governing a name is not owning it */
	kt_check_ret(info_id(&in, h.id), -ENOENT, "policy holder");
	kt_check_ret(info_id(&in, mon.id), -ENOENT, "monitor");
	kt_check_ret(info_id(&in, act.id), 0, "activator");
	kt_check_ret(info_name(&in, "act.name"), 0, "activator by name");
	ep_set(&ep, "me.self w:o");
	kt_check_ret(info_id(&in, out.id), -ENOENT, "hidden now");
	kt_check_ret(info_id(&in, act.id), -ENOENT, "hidden now");
	kt_check_ret(name_acquire(&in, "me.self", 0), 0, "acquire");
	kt_check_ret(info_id(&in, in.id), 0, "oneself, with a name");
	kt_check_ret(info_id(&out, in.id), 0, "from outside");
	kt_check_ret(info_id(&out, mute.id), 0, "from outside");
	kt_check_ret(info_name(&out, "act.name"), 0, "from outside");
}
END_TEST

START_TEST(creator_info_is_free)
{
	struct kdbus_cmd_info cmd = { .size = sizeof(cmd) };

	ep_world(NO_POLICY);
	kt_check_ret(kt_cmd(in.fd, KDBUS_CMD_BUS_CREATOR_INFO, &cmd), 0,
		     "no policy applies");
}
END_TEST

START_TEST(release)
{
	struct conn other;

	ep_world("b.own w:o a.one w:o");
	conn_open(&other, &ep, POOL);
	kt_assert_ret(name_acquire(&in, "b.own", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&in, "a.one", QUEUE), 0, "wait");
	kt_check_ret(name_release(&other, "b.own"), -EADDRINUSE, "visible");
	ep_set(&ep, NO_POLICY);
	kt_check_ret(name_release(&other, "b.own"), -ENOENT, "hidden");
	kt_check_ret(name_release(&in, "a.two"), -ENOENT, "hidden");
	/* but what is one's own can always be let go */
	kt_check_ret(name_release(&in, "a.one"), 0, "waiter");
	kt_check_ret(name_release(&in, "a.one"), -ENOENT, "no more");
	kt_check_ret(name_release(&in, "b.own"), 0, "owner");
	kt_check_ret(name_release(&in, "b.own"), -ENOENT, "no more");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Notifications and broadcasts */

START_TEST(notifications)
{
	struct conn c, inside;

	ep_world("seen.name w:s");
	match_all(&in);
	conn_open(&c, &bus, POOL);
	expect_id_note(&in, KDBUS_ITEM_ID_ADD, c.id, 0);
	kt_assert_ret(name_acquire(&c, "seen.name", ALLOW), 0, "acquire");
	expect_name_note(&in, KDBUS_ITEM_NAME_ADD, 0, 0, c.id, ALLOW,
			 "seen.name");
	kt_assert_ret(name_acquire(&c, "hidden.name", ALLOW), 0, "acquire");
	expect_empty(&in);
	kt_assert_ret(name_acquire(&out, "hidden.name", REPLACE), 0, "take");
	expect_empty(&in);
	kt_assert_ret(name_acquire(&out, "seen.name", REPLACE), 0, "take");
	expect_name_note(&in, KDBUS_ITEM_NAME_CHANGE, c.id, ALLOW, out.id,
			 REPLACE, "seen.name");
	kt_assert_ret(name_release(&out, "hidden.name"), 0, "release");
	expect_empty(&in);
	/* what it may see is decided when it happens */
	ep_set(&ep, "hidden.name w:s");
	kt_assert_ret(name_release(&out, "seen.name"), 0, "release");
	expect_empty(&in);
	kt_assert_ret(name_acquire(&c, "hidden.name", 0), 0, "acquire");
	expect_name_note(&in, KDBUS_ITEM_NAME_ADD, 0, 0, c.id, 0,
			 "hidden.name");
	conn_close(&c);
	expect_name_note(&in, KDBUS_ITEM_NAME_REMOVE, c.id, 0, 0, 0,
			 "hidden.name");
	expect_id_note(&in, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	conn_open(&inside, &ep, POOL);
	expect_id_note(&in, KDBUS_ITEM_ID_ADD, inside.id, 0);
	expect_empty(&in);
}
END_TEST

/* to oneself as well */
START_TEST(own_notification)
{
	struct conn user, h;

	ep_world("b.c u0:o");
	match_all(&in);
	user_open(&user, &ep, USER);
	match_all(&user);
	holder_open(&h, &bus, "b.c w:o");
	conn_drain(&in);
	conn_drain(&user);
	kt_assert_ret(name_acquire(&in, "b.c", 0), 0, "acquire");
	expect_name_note(&in, KDBUS_ITEM_NAME_ADD, 0, 0, in.id, 0, "b.c");
	expect_empty(&user);
	ep_set(&ep, "b.c w:o");
	kt_assert_ret(name_release(&in, "b.c"), 0, "release");
	kt_assert_ret(name_acquire(&user, "b.c", 0), 0, "acquire");
	kt_check(conn_drain(&user) == 2, "user: removed, added");
	ep_set(&ep, NO_POLICY);
	kt_assert_ret(name_release(&user, "b.c"), 0, "release");
	kt_check(conn_drain(&user) == 0, "hidden from its owner");
}
END_TEST

START_TEST(reply_notifications)
{
	ep_world("a.one w:t");
	kt_assert_ret(request(&in, out.id, 3, NEVER), 0, "request");
	ep_set(&ep, NO_POLICY);
	conn_close(&out);
	expect_note(&in, KDBUS_ITEM_REPLY_DEAD, 3);
}
END_TEST

/* both: someone may talk to the receiver, who sees a name of the sender */
START_TEST(broadcasts)
{
	ep_world("me.self w:o");
	match_casts(&in);
	match_casts(&mute);
	kt_check(!hears(&out, &in), "no name, sees no name");
	ep_set(&ep, "me.self w:o a.one w:s");
	kt_check(!hears(&out, &in), "a receiver without a name");
	kt_assert_ret(name_acquire(&in, "me.self", 0), 0, "acquire");
	kt_check(hears(&out, &in), "both");
	kt_check(!hears(&mute, &in), "a sender without a name");
	ep_set(&ep, "me.self w:t a.two w:s");
	kt_check(hears(&out, &in), "talk, see");
	ep_set(&ep, "me.self w:s a.two w:s");
	kt_check(!hears(&out, &in), "see, see");
	ep_set(&ep, "me.self w:t a.three w:s");
	kt_check(!hears(&out, &in), "another name");
	/* the sender's endpoint does not matter */
	kt_check(hears(&in, &mute), "to the outside");
	ep_set(&ep, NO_POLICY);
	kt_check(hears(&in, &mute), "to the outside, denied everything");
}
END_TEST

/* TALK is for the sender's credentials, SEE for the receiver's */
START_TEST(broadcast_subjects)
{
	struct conn plain, h;

	ep_world("me.self w:o");
	match_casts(&in);
	kt_assert_ret(name_acquire(&in, "me.self", 0), 0, "acquire");
	user_open(&plain, &bus, USER);
	holder_open(&h, &bus, "p.q w:o");
	kt_assert_ret(name_acquire(&plain, "p.q", 0), 0, "acquire");
	ep_set(&ep, "me.self u%u:t p.q u0:s", USER);
	kt_check(!hears(&plain, &in), "the bus denies");
	conn_close(&h);
	holder_open(&h, &bus, "me.self u%u:t", USER);
	kt_check(hears(&plain, &in), "granted");
	ep_set(&ep, "me.self u0:t p.q w:s");
	kt_check(!hears(&plain, &in), "talk for another");
	ep_set(&ep, "me.self w:t p.q u%u:s", USER);
	kt_check(!hears(&plain, &in), "see for another");
	ep_set(&ep, "me.self w:t p.q u0:s");
	kt_check(hears(&plain, &in), "granted");
}
END_TEST

KT_SUITE("ep-see")
{
	kt_test(name_list_filter);
	kt_test(name_list_others);
	kt_test(conn_info);
	kt_test(creator_info_is_free);
	kt_test(release);
	kt_test(notifications);
	kt_test(own_notification);
	kt_test(reply_notifications);
	kt_test(broadcasts);
	kt_test(broadcast_subjects);
}
