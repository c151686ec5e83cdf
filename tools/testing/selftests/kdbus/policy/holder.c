// SPDX-License-Identifier: GPL-2.0-only
/* Policy holders, and activators with a policy */

#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(64 * KIB)
#define OWNER	20240
#define USER	20241
#define NAME	"foo.bar"

/* user: may own NAME if the policy of the bus says so; owner, root: may */
static struct bus bus;
static struct conn user, root;

static void prepare(void)
{
	bus_of(&bus, OWNER);
	user_open(&user, &bus, USER);
	conn_open(&root, &bus, POOL);
}

/* ------------------------------------------------------------------------ */
/* HELLO */

static int who_may(void *arg)
{
	int want = *(int *)arg;
	struct conn h;
	int ret;

	ret = holder_try_open(&h, &bus, HOLDER, NAME);
	kt_check_ret(ret, want, "policy holder");
	if (!ret)
		conn_close(&h);
	ret = holder_try_open(&h, &bus, ACTIVATOR, NAME " w:o");
	kt_check_ret(ret, want, "activator");
	if (!ret)
		conn_close(&h);
	/* before the name is looked at, after the combination */
	kt_check_ret(holder_try_open(&h, &bus, HOLDER, NO_POLICY),
		     want ?: -EINVAL, "no name");
	kt_check_ret(holder_try_open(&h, &bus, HOLDER | ACTIVATOR, NAME),
		     -EINVAL, "both");
	kt_check_ret(holder_try_open(&h, &bus, HOLDER | MONITOR, NAME),
		     -EINVAL, "and monitor");
	/* ignored on an ordinary connection */
	ret = holder_try_open(&h, &bus, 0, "w:o -:o u0:t");
	kt_check_ret(ret, 0, "grants, ordinary");
	if (!ret)
		conn_close(&h);
	kt_check_ret(holder_try_open(&h, &bus, 0, NAME " w:o"), -EINVAL,
		     "name, ordinary");
	return 0;
}

START_TEST(privilege)
{
	struct subject s = plain_user(USER);
	int ok = 0, eperm = -EPERM;

	bus_of(&bus, OWNER);
	user_run(USER, who_may, &eperm);
	user_run(0, who_may, &eperm);
	user_run(OWNER, who_may, &ok);
	s.capable = true;
	subject_run(&s, who_may, &ok);
	s = plain_user(USER);
	s.euid = OWNER;
	subject_run(&s, who_may, &ok);
	s = plain_user(OWNER);
	s.euid = USER;
	subject_run(&s, who_may, &eperm);
}
END_TEST

static const struct {
	const char *policy;
	int holder, activator;
} hellos[] = {
	{ "a.b" }, { "a.b w:o" }, { "a.b w:s u5:t g7:o" },
	{ "a.b w:o w:o" }, { "a.b -:o", EINVAL, EINVAL },
	{ "a.*", 0, EINVAL }, { "a.b.* w:o", 0, EINVAL },
	{ "a.*.b", EINVAL, EINVAL }, { "*", EINVAL, EINVAL },
	{ ".*", EINVAL, EINVAL }, { "a", EINVAL, EINVAL },
	{ "a.1b", EINVAL, EINVAL }, { "a.b c.d", EINVAL, EINVAL },
	{ "a.b a.b", EINVAL, EINVAL }, { "a.b w:o c.d w:o", EINVAL, EINVAL },
	{ "w:o", EINVAL, EINVAL }, { "w:o a.b", EINVAL, EINVAL },
	{ "w:o a.b w:o", EINVAL, EINVAL }, { NO_POLICY, EINVAL, EINVAL },
	{ "a.b u4294967295:o", EINVAL, EINVAL },
	{ "a.b g4294967295:o", EINVAL, EINVAL },
};

START_TEST(hello_items)
{
	struct conn h;
	size_t i;
	int ret;

	prepare();
	for (i = 0; i < ARRAY_SIZE(hellos); i++) {
		ret = holder_try_open(&h, &bus, HOLDER, "%s",
				      hellos[i].policy);
		kt_check_ret(ret, -hellos[i].holder, "holder: \"%s\"",
			     hellos[i].policy);
		if (!ret)
			conn_close(&h);
		ret = holder_try_open(&h, &bus, ACTIVATOR, "%s",
				      hellos[i].policy);
		kt_check_ret(ret, -hellos[i].activator, "activator: \"%s\"",
			     hellos[i].policy);
		if (!ret)
			conn_close(&h);
	}
	kt_check(!name_owner(&root, "a.b", NULL), "an activator is left");
}
END_TEST

/* one entry for a name, over all owners */
START_TEST(one_entry_per_name)
{
	static const u64 types[] = { HOLDER, ACTIVATOR };
	struct conn first, second, third, wild;
	int i, j;

	prepare();
	for (i = 0; i < 2; i++) {
		kt_assert_ret(holder_try_open(&first, &bus, types[i], NAME), 0,
			      "first");
		for (j = 0; j < 2; j++)
			kt_check_ret(holder_try_open(&second, &bus, types[j],
						     NAME " w:o"), -EEXIST,
				     "type %d beside %d", j, i);
		/* the wildcard is another name, as are others */
		holder_open(&wild, &bus, NAME ".*");
		holder_open(&second, &bus, NAME ".x");
		kt_check_ret(holder_try_open(&third, &bus, HOLDER, NAME ".*"),
			     -EEXIST, "wildcard twice");
		conn_close(&second);
		conn_close(&wild);
		conn_close(&first);
		holder_open(&first, &bus, NAME);
		conn_close(&first);
	}
}
END_TEST

/* and none on another bus, or for an endpoint */
START_TEST(entries_elsewhere)
{
	struct bus bus2, ep;
	struct conn h, h2;

	prepare();
	bus_of(&bus2, OWNER);
	holder_open(&h, &bus, NAME);
	holder_open(&h2, &bus2, NAME);
	ep_make(&ep, &bus, NAME " w:o");
	kt_check(!can_own(&user, NAME), "the policy of an endpoint");
}
END_TEST

static const struct {
	const char *name;
	unsigned long nr;
} refused[] = {
	{ "MSG_SEND", KDBUS_CMD_MSG_SEND },
	{ "MSG_CANCEL", KDBUS_CMD_MSG_CANCEL },
	{ "MSG_RECV", KDBUS_CMD_MSG_RECV },
	{ "FREE", KDBUS_CMD_FREE },
	{ "NAME_ACQUIRE", KDBUS_CMD_NAME_ACQUIRE },
	{ "NAME_RELEASE", KDBUS_CMD_NAME_RELEASE },
	{ "MATCH_ADD", KDBUS_CMD_MATCH_ADD },
	{ "MATCH_REMOVE", KDBUS_CMD_MATCH_REMOVE },
	{ "BYEBYE", KDBUS_CMD_BYEBYE },
};

START_TEST(commands)
{
	struct kdbus_cmd_info info = { .size = sizeof(info) };
	struct conn h;
	size_t i;
	u64 off;

	prepare();
	holder_open(&h, &bus, NAME " w:o");
	for (i = 0; i < ARRAY_SIZE(refused); i++)
		kt_check_ret(kt_cmd(h.fd, refused[i].nr, NULL), -EOPNOTSUPP,
			     "%s", refused[i].name);
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_HELLO, NULL), -ENOTTY, "HELLO");
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_ENDPOINT_MAKE, NULL), -ENOTTY,
		     "ENDPOINT_MAKE");
	kt_check_ret(name_list(&h, KDBUS_NAME_LIST_UNIQUE, &off), 0,
		     "NAME_LIST");
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_BUS_CREATOR_INFO, &info), 0,
		     "BUS_CREATOR_INFO");
	info.id = h.id;
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_INFO, &info), 0,
		     "CONN_INFO");
	kt_check_ret(conn_update(&h, NO_POLICY), 0, "CONN_UPDATE");
	bus_close(&bus);
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, NULL), -ECONNRESET,
		     "disconnected");
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_BYEBYE, NULL), -EOPNOTSUPP,
		     "BYEBYE");
}
END_TEST

/* it holds the policy, not the name, and is no peer */
START_TEST(no_peer)
{
	struct conn h;

	prepare();
	match_all(&root);
	holder_open(&h, &bus, NAME " w:o");
	expect_id_note(&root, KDBUS_ITEM_ID_ADD, h.id, HOLDER);
	expect_empty(&root);
	kt_check(!name_owner(&root, NAME, NULL), "it owns the name");
	conn_drain(&root);
	kt_check_ret(send_name(&root, NAME, 1), -ESRCH, "by name");
	kt_check_ret(send_id(&root, h.id), -ENXIO, "by id");
	kt_check_ret(info_id(&root, h.id), 0, "CONN_INFO");
	kt_check(list_count(&root, KDBUS_NAME_LIST_UNIQUE |
			    KDBUS_NAME_LIST_NAMES, h.id, NULL) == 1, "list");
	kt_check_ret(cast(&root, 1), 0, "broadcast");
	kt_check(!(fd_poll(h.fd, 0) & POLLIN), "it received something");
	conn_close(&h);
	expect_id_note(&root, KDBUS_ITEM_ID_REMOVE, h.id, HOLDER);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* The entries and their life */

START_TEST(effect)
{
	struct conn h, act;

	prepare();
	kt_check(!can_own(&user, NAME), "no policy");
	holder_open(&h, &bus, NAME " u%u:o", USER);
	kt_check(can_own(&user, NAME), "holder grants");
	conn_close(&h);
	kt_check(!can_own(&user, NAME), "holder closed");
	holder_open(&h, &bus, NAME);
	kt_check(!can_own(&user, NAME), "no grants");
	conn_close(&h);
	holder_open(&h, &bus, "foo.* w:o");
	kt_check(can_own(&user, NAME), "wildcard");
	holder_open(&act, &bus, NAME " u0:o");
	kt_check(!can_own(&user, NAME), "something more specific");
	conn_close(&act);
	kt_check(can_own(&user, NAME), "wildcard again");
	conn_close(&h);
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, NAME " w:t"), 0,
		      "activator");
	kt_check(!can_own(&user, NAME), "activator: talk");
	kt_check_ret(send_name(&user, NAME, 1), 0, "talk to the activator");
	conn_close(&act);
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, NAME " w:o"), 0,
		      "activator");
	kt_check(can_own(&user, NAME), "activator: own");
	conn_close(&act);
	kt_check(!can_own(&user, NAME), "activator closed");
	/* an activator always leaves an entry that denies */
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, NAME), 0,
		      "activator");
	holder_open(&h, &bus, "foo.* w:o");
	kt_check(!can_own(&user, NAME), "activator without grants");
}
END_TEST

/* immediately, for pairs that have talked before, too */
START_TEST(talk_changes)
{
	struct conn h;

	prepare();
	kt_assert_ret(name_acquire(&root, NAME, 0), 0, "acquire");
	check_send(&user, &root, -EPERM, "no policy");
	holder_open(&h, &bus, NAME " w:t");
	check_send(&user, &root, 0, "granted");
	kt_assert_ret(conn_update(&h, NAME " w:s"), 0, "update");
	check_send(&user, &root, -EPERM, "taken away");
	kt_assert_ret(conn_update(&h, NAME " u%u:t", USER), 0, "update");
	check_send(&user, &root, 0, "granted");
	kt_assert_ret(conn_update(&h, "other.name w:o"), 0, "update");
	check_send(&user, &root, -EPERM, "other name");
	kt_assert_ret(conn_update(&h, "foo.* w:t"), 0, "update");
	check_send(&user, &root, 0, "wildcard");
	conn_close(&h);
	check_send(&user, &root, -EPERM, "closed");
	holder_open(&h, &bus, NAME " w:t");
	kt_assert_ret(name_release(&root, NAME), 0, "release");
	check_send(&user, &root, -EPERM, "not its name any more");
}
END_TEST

START_TEST(closed_with_the_last)
{
	struct conn h, again;
	int fd;

	prepare();
	holder_open(&h, &bus, NAME " w:o");
	fd = fcntl(h.fd, F_DUPFD_CLOEXEC, 0);
	/* the mapping does not count */
	close(h.fd);
	kt_check(can_own(&user, NAME), "there is a duplicate");
	kt_check_ret(holder_try_open(&again, &bus, HOLDER, NAME), -EEXIST,
		     "there is a duplicate");
	close(fd);
	kt_check(!can_own(&user, NAME), "closed");
	holder_open(&again, &bus, NAME);
}
END_TEST

/* again and again, with nothing in between */
START_TEST(gone_before_close_returns)
{
	struct conn h;
	int i;

	prepare();
	for (i = 0; i < 200; i++) {
		kt_assert_ret(holder_try_open(&h, &bus,
					      i % 3 ? HOLDER : ACTIVATOR,
					      NAME " w:%c", "sto"[i % 3]), 0,
			      "round %d", i);
		conn_close(&h);
	}
	kt_check(!can_own(&user, NAME), "closed");
}
END_TEST

/* the pool is refused after the policy was taken: nothing may stay */
static int try_pool(u64 flags, u64 pool_size)
{
	int fd = open_endpoint(&bus), ret;
	struct blob b;

	hello_init(&b, flags, pool_size);
	policy_text(&b, NAME " w:o");
	ret = kt_cmd(fd, KDBUS_CMD_HELLO, &b);
	/* after a failure the handle stays open */
	if (!ret)
		close(fd);
	return ret;
}

START_TEST(failed_hello)
{
	static const u64 flags[] = { HOLDER, ACTIVATOR };
	static const u64 sizes[] = { 1ULL << 62, 1ULL << 63, -4096ULL };
	unsigned int failed = 0;
	struct conn h;
	size_t i;
	int j;

	prepare();
	for (j = 0; j < 2; j++) {
		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			failed += !!try_pool(flags[j], sizes[i]);
			kt_check(!can_own(&user, NAME),
				 "size %#llx: entry left", sizes[i]);
		}
		kt_check_ret(try_pool(flags[j], 0), -EFAULT, "no pool");
		kt_check(!can_own(&user, NAME), "entry left");
		holder_open(&h, &bus, NAME);
		conn_close(&h);
	}
	if (!failed)
		kt_skip("pools of any size are possible");
}
END_TEST

/* the same handle may try again with what was refused */
START_TEST(hello_again)
{
	struct conn h;
	struct blob b;
	int fd;

	prepare();
	holder_open(&h, &bus, NAME);
	fd = open_endpoint(&bus);
	hello_init(&b, HOLDER, 4096);
	policy_text(&b, NAME " w:o");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &b), -EEXIST, "taken");
	conn_close(&h);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_HELLO, &b), 0, "free");
	kt_check(can_own(&user, NAME), "granted");
	close(fd);
}
END_TEST

KT_SUITE("holder")
{
	kt_test(privilege);
	kt_test(hello_items);
	kt_test(one_entry_per_name);
	kt_test(entries_elsewhere);
	kt_test(commands);
	kt_test(no_peer);
	kt_test(effect);
	kt_test(talk_changes);
	kt_test(closed_with_the_last);
	kt_test(gone_before_close_returns);
	kt_test(failed_hello);
	kt_test(hello_again);
}
