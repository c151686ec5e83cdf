// SPDX-License-Identifier: GPL-2.0-only
/* What connections on a custom endpoint may own and reach */

#include <string.h>
#include <unistd.h>

#include "ep-world.h"

#define USER	20231
#define NAMES	KDBUS_NAME_LIST_NAMES

static int owner_on_ep(void *arg)
{
	struct conn c, same;

	(void)arg;
	conn_open(&c, &ep, POOL);
	conn_open(&same, &ep, POOL);
	kt_check_ret(name_acquire(&c, "b.c", 0), -EPERM, "own");
	kt_check_ret(send_id(&c, same.id), -ENOENT, "talk to same user");
	kt_check_ret(send_id(&c, c.id), -ENOENT, "talk to oneself");
	kt_check_ret(send_id(&c, out.id), -ENOENT, "talk by id");
	kt_check_ret(send_name(&c, "a.one", 1), -ENOENT, "talk by name");
	kt_check_ret(request(&c, out.id, 1, NEVER), -ENOENT, "request");
	kt_check_ret(name_release(&c, "a.one"), -ENOENT, "release");
	kt_check_ret(info_name(&c, "a.one"), -ENOENT, "info by name");
	kt_check_ret(info_id(&c, out.id), -ENOENT, "info by id");
	kt_check_ret(info_id(&c, c.id), -ENOENT, "info about oneself");
	kt_check(!list_count(&c, NAMES, out.id, "a.one"), "list");
	match_casts(&c);
	kt_check(!hears(&out, &c), "broadcast");
	return 0;
}

/* without entries nothing goes, whoever it is */
START_TEST(empty_denies)
{
	struct subject s = plain_user(USER);

	ep_world(NO_POLICY);
	user_run(OWNER, owner_on_ep, NULL);
	user_run(USER, owner_on_ep, NULL);
	user_run(0, owner_on_ep, NULL);
	s.capable = true;
	subject_run(&s, owner_on_ep, NULL);
	owner_on_ep(NULL);
	kt_check(conn_drain(&out) == 0, "messages");
	/* others reach those inside as ever */
	check_send(&out, &in, 0, "from outside");
}
END_TEST

/* what comes before the policy */
START_TEST(errors_before_policy)
{
	struct blob m;

	ep_world(NO_POLICY);
	kt_check_ret(send_id(&in, 9999), -ENXIO, "no such id");
	kt_check_ret(send_name(&in, "no.body", 1), -ESRCH, "no such name");
	msg_init(&m, mute.id, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, "a.one");
	kt_check_ret(conn_send(&in, &m), -EREMCHG, "another's");
	kt_check_ret(info_id(&in, 9999), -ENXIO, "info: no such id");
	/* but names are looked at first */
	kt_check_ret(info_name(&in, "no.body"), -ENOENT, "info by name");
	kt_check_ret(name_release(&in, "no.body"), -ENOENT, "release");
	ep_set(&ep, "no.body w:s");
	kt_check_ret(info_name(&in, "no.body"), -ESRCH, "info by name");
	kt_check_ret(name_release(&in, "no.body"), -ESRCH, "release");
}
END_TEST

START_TEST(own)
{
	struct conn user;

	ep_world("b.c w:o b.d w:t");
	user_open(&user, &ep, USER);
	kt_check_ret(name_acquire(&in, "b.d", 0), -EPERM, "talk only");
	kt_check_ret(name_acquire(&in, "b.e", 0), -EPERM, "not mentioned");
	kt_check_ret(name_acquire(&user, "b.c", 0), -EPERM, "the bus denies");
	kt_check_ret(name_acquire(&in, "b.c", 0), 0, "granted");
	kt_check_ret(name_acquire(&in, "b.c", 0), -EALREADY, "again");
	ep_set(&ep, NO_POLICY);
	kt_check_ret(name_acquire(&in, "b.c", 0), -EPERM, "policy first");
	/* denied: whether it is queued for or taken, too */
	kt_check_ret(name_acquire(&in, "a.one", QUEUE), -EPERM, "queue");
	kt_check_ret(name_acquire(&in, "a.one", REPLACE), -EPERM, "replace");
}
END_TEST

/* owning needs both, and the endpoint is not asked for the other's sake */
START_TEST(both_databases)
{
	struct conn user, h;

	ep_world("a.one w:o b.c w:o");
	user_open(&user, &ep, USER);
	check_send(&user, &out, -EPERM, "the bus denies");
	holder_open(&h, &bus, "a.one u%u:t", USER);
	check_send(&user, &out, 0, "both grant");
	ep_set(&ep, "b.c w:o");
	check_send(&user, &out, -ENOENT, "the endpoint denies");
	conn_close(&h);
	check_send(&user, &out, -ENOENT, "both deny");
	holder_open(&h, &bus, "b.c u%u:o", USER);
	kt_check_ret(name_acquire(&user, "b.c", 0), 0, "both grant");
	kt_check_ret(name_release(&user, "b.c"), 0, "release");
	ep_set(&ep, "b.c w:t");
	kt_check_ret(name_acquire(&user, "b.c", 0), -EPERM, "endpoint denies");
}
END_TEST

/* any name of the receiver will do, whichever it is addressed by */
START_TEST(most_permissive_name)
{
	ep_world("a.one a.two w:t");
	check_send(&in, &out, 0, "by id");
	kt_check_ret(send_name(&in, "a.one", 1), 0, "by the other name");
	kt_check(conn_drain(&out) == 1, "no message");
	kt_check_ret(name_release(&out, "a.two"), 0, "release");
	kt_check_ret(send_name(&in, "a.one", 1), -ENOENT, "name gone");
	check_send(&in, &out, -ENOENT, "name gone");
	check_send(&in, &mute, -ENOENT, "no name at all");
	/* to wait for a name is not to own it */
	kt_check_ret(name_acquire(&mute, "a.two", 0), 0, "acquire");
	kt_check_ret(name_acquire(&out, "a.two", QUEUE), 0, "wait");
	check_send(&in, &out, -ENOENT, "waits");
	check_send(&in, &mute, 0, "owns");
}
END_TEST

/* an answer that is owed needs no policy; only that one, only once */
START_TEST(replies)
{
	struct blob m;

	ep_world(NO_POLICY);
	kt_assert_ret(request(&mute, in.id, 7, NEVER), 0, "request");
	conn_drain(&in);
	kt_check_ret(reply(&in, mute.id, 8), -ENOENT, "wrong cookie");
	kt_check_ret(reply(&in, out.id, 7), -ENOENT, "wrong receiver");
	request_init(&m, mute.id, NULL, 7, NEVER);
	kt_check_ret(conn_send(&in, &m), -ENOENT, "a request is no reply");
	kt_check_ret(reply(&in, mute.id, 7), 0, "reply");
	kt_check_ret(reply(&in, mute.id, 7), -ENOENT, "twice");
	expect_msg(&mute, 1007, 7);
	expect_empty(&mute);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Changes */

START_TEST(update_replaces)
{
	ep_world("a.one w:t");
	check_send(&in, &out, 0, "before");
	kt_check_ret(ep_update(&ep, "a.one w:s"), 0, "update");
	check_send(&in, &out, -ENOENT, "less");
	kt_check_ret(info_id(&in, out.id), 0, "less, but visible");
	kt_check_ret(ep_update(&ep, "a.two w:t"), 0, "update");
	check_send(&in, &out, 0, "the other name");
	kt_check_ret(info_name(&in, "a.one"), -ENOENT, "the old entry is gone");
	kt_check_ret(ep_update(&ep, NO_POLICY), 0, "update");
	check_send(&in, &out, -ENOENT, "cleared");
	kt_check_ret(info_id(&in, out.id), -ENOENT, "cleared");
	kt_check_ret(ep_update(&ep, "a.* w:t"), 0, "update");
	check_send(&in, &out, 0, "wildcard");
	kt_check_ret(ep_update(&ep, "a.* w:t a.one a.two"), 0, "update");
	check_send(&in, &out, -ENOENT, "more specific entries");
}
END_TEST

START_TEST(failed_update)
{
	static const struct {
		const char *policy;
		int err;
	} rows[] = {
		{ "a.two w:t a.two", EEXIST }, { "a.two w:t b", EINVAL },
		{ "w:t", EINVAL }, { "a.two -:o", EINVAL },
		{ "a.one a.two w:t -:s", EINVAL },
		{ "a.one a.one w:t", EEXIST },
		{ "a.two u4294967295:t", EINVAL },
	};
	size_t i;

	ep_world("a.one w:t");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		kt_check_ret(ep_update(&ep, "%s", rows[i].policy),
			     -rows[i].err, "\"%s\"", rows[i].policy);
		check_send(&in, &out, 0, "after a refused update");
		kt_check_ret(info_name(&in, "a.two"), -ENOENT, "a.two");
		kt_check_ret(info_name(&in, "a.one"), 0, "a.one");
	}
}
END_TEST

/* a pair that has talked is not remembered when a name goes, in any way */
START_TEST(names_lost)
{
	struct conn taker;

	ep_world("a.three w:t");
	conn_open(&taker, &bus, POOL);
	kt_assert_ret(name_acquire(&mute, "a.three", ALLOW), 0, "acquire");
	check_send(&in, &mute, 0, "owner");
	kt_assert_ret(name_acquire(&taker, "a.three", REPLACE), 0, "replace");
	check_send(&in, &mute, -ENOENT, "replaced");
	check_send(&in, &taker, 0, "the new owner");
	kt_assert_ret(name_acquire(&mute, "a.three", QUEUE), 0, "wait");
	conn_close(&taker);
	check_send(&in, &mute, 0, "promoted");
	kt_assert_ret(name_release(&mute, "a.three"), 0, "release");
	check_send(&in, &mute, -ENOENT, "released");
}
END_TEST

START_TEST(names_handed_over)
{
	struct conn act;

	ep_world("a.three w:t");
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, "a.three"), 0,
		      "activator");
	kt_check_ret(send_name(&in, "a.three", 1), 0, "to the activator");
	kt_assert_ret(name_acquire(&mute, "a.three", 0), 0, "take over");
	kt_check(conn_drain(&mute) == 1, "the message came along");
	check_send(&in, &mute, 0, "implementor");
	kt_assert_ret(name_release(&mute, "a.three"), 0, "hand back");
	check_send(&in, &mute, -ENOENT, "handed back");
	kt_check_ret(send_name(&in, "a.three", 1), 0, "to the activator");
	ep_set(&ep, "a.three w:s");
	kt_check_ret(send_name(&in, "a.three", 1), -ENOENT, "see only");
}
END_TEST

/* two endpoints, two policies */
START_TEST(per_endpoint)
{
	struct conn in2;
	struct bus ep2;

	ep_world("a.one w:t");
	ep_make(&ep2, &bus, "a.one w:s b.c w:o");
	conn_open(&in2, &ep2, POOL);
	check_send(&in, &out, 0, "first");
	check_send(&in2, &out, -ENOENT, "second");
	kt_check_ret(name_acquire(&in, "b.c", 0), -EPERM, "first");
	kt_check_ret(name_acquire(&in2, "b.c", 0), 0, "second");
	/* that of the receiver does not matter */
	check_send(&out, &in2, 0, "to the second");
	ep_set(&ep, "b.c w:t");
	check_send(&in, &in2, 0, "from one to the other");
	ep_set(&ep2, NO_POLICY);
	check_send(&in, &in2, 0, "from one to the other");
	check_send(&in2, &in, -ENOENT, "and back");
	bus_close(&ep2);
	check_send(&in, &out, -ENOENT, "after the other died");
	ep_set(&ep, "a.one w:t");
	check_send(&in, &out, 0, "after the other died");
}
END_TEST

KT_SUITE("ep-policy")
{
	kt_test(empty_denies);
	kt_test(errors_before_policy);
	kt_test(own);
	kt_test(both_databases);
	kt_test(most_permissive_name);
	kt_test(replies);
	kt_test(update_replaces);
	kt_test(failed_update);
	kt_test(names_lost);
	kt_test(names_handed_over);
	kt_test(per_endpoint);
}
