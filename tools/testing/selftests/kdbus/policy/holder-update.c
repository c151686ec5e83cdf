// SPDX-License-Identifier: GPL-2.0-only
/* CONN_UPDATE of policies, by whom and in whose numbers */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(64 * KIB)
#define OWNER	20250
#define USER	20251
#define NAME	"foo.bar"

static struct bus bus;
static struct conn user, h;

static void prepare(const char *policy)
{
	bus_of(&bus, OWNER);
	user_open(&user, &bus, USER);
	holder_open(&h, &bus, "%s", policy);
}

START_TEST(prelude)
{
	struct kdbus_cmd_update *cmd;
	struct blob b;
	u64 size;
	int bit;

	prepare(NAME " w:o");
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, NULL), -EFAULT,
		     "NULL");
	policy_update_init(&b, NAME);
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, b.raw + 4), -EFAULT,
		     "unaligned");
	cmd = (void *)&b;
	for (bit = 0; bit < 64; bit++) {
		/* that one is an extension, of which others know */
		if (1ULL << bit == KDBUS_EXT_ATTACH)
			continue;
		cmd->flags = 1ULL << bit;
		kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -EINVAL,
			     "flag %d", bit);
	}
	for (size = 22; size < 24; size++) {
		blob_init(&b, size);
		kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -EINVAL,
			     "size %llu", size);
	}
	for (size = 32767; size <= 32769; size++) {
		policy_update_init(&b, NAME " w:o");
		blob_fill_to(&b, size);
		kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b),
			     size > 32768 ? -EMSGSIZE : 0, "size %llu", size);
	}
	policy_update_init(&b, NAME);
	blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, NULL, 23);
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -EINVAL,
		     "malformed grant");
	kt_check(can_own(&user, NAME), "it is as it was");
}
END_TEST

static const struct {
	const char *policy;
	int err;
	bool own;	/* NAME, after an update from NAME w:o */
} updates[] = {
	{ NO_POLICY, 0, true },
	{ NAME, 0, false },
	{ NAME " w:o", 0, true },
	{ NAME " w:t", 0, false },
	{ NAME " u20251:o", 0, true },
	{ NAME " u0:o w:t", 0, false },
	{ "other.name w:o", 0, false },
	{ "foo.* w:o", 0, true },
	{ "foo.*", 0, false },
	{ "foo.bar.* w:o", 0, false },
	{ NAME " other.name", E2BIG, true },
	{ NAME " " NAME, E2BIG, true },
	{ "other.name w:o " NAME " w:t", E2BIG, true },
	{ "w:t", EINVAL, true },
	{ "w:t " NAME, EINVAL, true },
	{ "foo", EINVAL, true },
	{ "*", EINVAL, true },
	{ NAME " -:o", EINVAL, true },
	{ NAME " w:t u4294967295:t", EINVAL, true },
	{ "taken.name w:o", EEXIST, true },
	{ "taken.* w:o", EEXIST, true },
	{ "idle.name", EEXIST, true },
};

/* all of it or nothing */
START_TEST(replaces)
{
	struct conn taken, wild, act;
	size_t i;

	prepare(NAME " w:o");
	holder_open(&taken, &bus, "taken.name");
	holder_open(&wild, &bus, "taken.*");
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, "idle.name"), 0,
		      "activator");
	for (i = 0; i < ARRAY_SIZE(updates); i++) {
		kt_assert_ret(conn_update(&h, NAME " w:o"), 0, "reset");
		kt_check_ret(conn_update(&h, "%s", updates[i].policy),
			     -updates[i].err, "\"%s\"", updates[i].policy);
		kt_check(can_own(&user, NAME) == updates[i].own,
			 "\"%s\": may %sown", updates[i].policy,
			 updates[i].own ? "not " : "");
		kt_check(!can_own(&user, "taken.name") &&
			 !can_own(&user, "idle.name"),
			 "\"%s\" changed another's", updates[i].policy);
	}
}
END_TEST

/* the name it had is free, the one it has is not */
START_TEST(name_changes)
{
	struct conn second, third;

	prepare(NAME " w:o");
	kt_assert_ret(conn_update(&h, "new.name w:o"), 0, "update");
	kt_check(can_own(&user, "new.name") && !can_own(&user, NAME),
		 "wrong name");
	kt_check_ret(holder_try_open(&third, &bus, HOLDER, "new.name"),
		     -EEXIST, "taken");
	holder_open(&second, &bus, NAME " w:o");
	kt_check(can_own(&user, NAME), "second");
	kt_check_ret(conn_update(&h, NAME " w:t"), -EEXIST, "back");
	kt_check(can_own(&user, "new.name") && can_own(&user, NAME),
		 "as before");
	conn_close(&h);
	kt_check(!can_own(&user, "new.name") && can_own(&user, NAME),
		 "first closed");
	conn_close(&second);
	kt_check(!can_own(&user, NAME), "second closed");
}
END_TEST

/* what each type of connection may have in the command */
START_TEST(types)
{
	static const u64 all = ~0ULL;
	struct conn mon, act;
	struct blob b;

	prepare(NAME);
	kt_assert_ret(holder_try_open(&mon, &bus, MONITOR, NO_POLICY), 0,
		      "monitor");
	kt_assert_ret(holder_try_open(&act, &bus, ACTIVATOR, "idle.name"), 0,
		      "activator");
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_CONN_UPDATE, NULL), -EOPNOTSUPP,
		     "activator");
	kt_check_ret(conn_update(&act, "idle.name w:o"), -EOPNOTSUPP,
		     "activator");
	kt_check_ret(conn_update(&user, NO_POLICY), 0, "ordinary, nothing");
	kt_check_ret(conn_update(&user, "a.b"), -EOPNOTSUPP, "ordinary");
	kt_check_ret(conn_update(&user, "w:o"), -EOPNOTSUPP, "ordinary");
	kt_check_ret(conn_update(&mon, NO_POLICY), 0, "monitor, nothing");
	kt_check_ret(conn_update(&mon, "a.b"), -EOPNOTSUPP, "monitor");
	kt_check_ret(conn_update(&mon, "w:o"), -EOPNOTSUPP, "monitor");
	/* syntax first */
	kt_check_ret(conn_update(&user, "-:o"), -EOPNOTSUPP, "bad grant");
	policy_update_init(&b, NO_POLICY);
	blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, NULL, 8);
	kt_check_ret(kt_cmd(user.fd, KDBUS_CMD_CONN_UPDATE, &b), -EINVAL,
		     "malformed");
	/* attach flags and policies do not go together */
	policy_update_init(&b, NO_POLICY);
	blob_add(&b, KDBUS_ITEM_ATTACH_FLAGS, &all, 8);
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -EOPNOTSUPP,
		     "holder, attach flags");
	kt_check_ret(kt_cmd(mon.fd, KDBUS_CMD_CONN_UPDATE, &b), 0,
		     "monitor, attach flags");
	policy_text(&b, NAME " w:o");
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -EOPNOTSUPP,
		     "holder, both");
	kt_check_ret(kt_cmd(user.fd, KDBUS_CMD_CONN_UPDATE, &b), -EOPNOTSUPP,
		     "ordinary, both");
	policy_update_init(&b, NAME " w:o");
	blob_add(&b, KDBUS_ITEM_ATTACH_FLAGS, &all, 8);
	kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -EOPNOTSUPP,
		     "holder, both");
	kt_check(!can_own(&user, NAME), "a refused update had an effect");
}
END_TEST

/* permission comes from holding the descriptor */
static int update_child(void *arg)
{
	(void)arg;
	kt_check_ret(conn_update(&h, NAME " w:o"), 0, "update");
	return 0;
}

START_TEST(inherited)
{
	prepare(NAME);
	kt_check(!can_own(&user, NAME), "before");
	kt_run_as(USER, USER, update_child, NULL);
	kt_check(can_own(&user, NAME), "after");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* User namespaces: 0..9 are 30000..30009 outside */

#define MAPPED	30000

static void unshare_mapped(void)
{
	int go[2], done[2];
	char path[64], c;
	pid_t pid, me = getpid();

	kt_assert(!pipe2(go, O_CLOEXEC) && !pipe2(done, O_CLOEXEC),
		  "pipe: %m");
	/* one that stays outside, with the right to map anything */
	pid = fork();
	kt_assert(pid >= 0, "fork: %m");
	if (!pid) {
		bool ok = read(go[0], &c, 1) == 1;

		snprintf(path, sizeof(path), "/proc/%d/uid_map", me);
		ok = ok && kt_write_file(path, "0 30000 10\n");
		snprintf(path, sizeof(path), "/proc/%d/gid_map", me);
		ok = ok && kt_write_file(path, "0 30000 10\n");
		_exit(!ok);
	}
	if (unshare(CLONE_NEWUSER)) {
		int err = errno;

		close(go[1]);
		kt_wait(pid);
		kt_skip("no user namespace: %s", strerror(err));
	}
	kt_assert(write(go[1], "", 1) == 1, "write: %m");
	kt_assert(!kt_wait(pid), "the maps cannot be written");
	close(done[0]);
	close(done[1]);
}

static const struct {
	const char *grant;
	int err;
	bool user3, user4;	/* 30003:30003 and 30004:30004 may own */
} mapped[] = {
	{ "u3:o", 0, true, false }, { "u4:o", 0, false, true },
	{ "g3:o", 0, true, false }, { "w:o", 0, true, true },
	{ "u0:o", 0, false, false }, { "g9:o", 0, false, false },
	{ "w99999:o", 0, true, true },
	{ "u10:o", EINVAL }, { "g10:o", EINVAL }, { "u30003:o", EINVAL },
	{ "g30003:o", EINVAL }, { "u65534:o", EINVAL },
	{ "u3:o u11:o", EINVAL }, { "w:o g77:s", EINVAL },
};

static bool owns(struct conn *c, const char *name)
{
	int ret = name_acquire(c, name, 0);

	if (!ret)
		kt_check_ret(name_release(c, name), 0, "release");
	return !ret;
}

static struct conn user3, user4, in3;
static struct bus ep;

static int mapped_fn(void *arg)
{
	size_t i;

	(void)arg;
	unshare_mapped();
	for (i = 0; i < ARRAY_SIZE(mapped); i++) {
		int err = mapped[i].err;

		kt_assert_ret(conn_update(&h, NAME), 0, "reset");
		ep_set(&ep, NAME);
		kt_check_ret(conn_update(&h, NAME " %s", mapped[i].grant),
			     -err, "holder: %s", mapped[i].grant);
		kt_check_ret(ep_update(&ep, NAME " %s", mapped[i].grant),
			     -err, "endpoint: %s", mapped[i].grant);
		kt_check(owns(&user3, NAME) == mapped[i].user3,
			 "%s: user 3", mapped[i].grant);
		kt_check(owns(&user4, NAME) == mapped[i].user4,
			 "%s: user 4", mapped[i].grant);
		kt_check(owns(&in3, NAME) == mapped[i].user3,
			 "%s: user 3 on the endpoint", mapped[i].grant);
	}
	return 0;
}

START_TEST(ids_of_the_uploader)
{
	prepare(NAME);
	ep_make(&ep, &bus, NAME);
	user_open(&user3, &bus, MAPPED + 3);
	user_open(&user4, &bus, MAPPED + 4);
	user_open(&in3, &ep, MAPPED + 3);
	kt_run_as(0, 0, mapped_fn, NULL);
}
END_TEST

/* root in there is nobody special, even if it looks like the owner */
static int inside_fn(void *arg)
{
	struct conn c;

	(void)arg;
	unshare_mapped();
	kt_assert(!setresgid(0, 0, 0) && !setresuid(0, 0, 0), "setres*id: %m");
	kt_check_ret(holder_try_open(&c, &bus, HOLDER, "a.b"), -EPERM,
		     "policy holder");
	kt_check_ret(holder_try_open(&c, &bus, ACTIVATOR, "a.b"), -EPERM,
		     "activator");
	kt_check_ret(ep_try_make(&ep, &bus, 0, "name", NO_POLICY), -EPERM,
		     "endpoint");
	conn_open(&c, &bus, POOL);
	kt_check_ret(name_acquire(&c, NAME, 0), -EPERM, "own");
	kt_check_ret(send_id(&c, user.id), -EPERM, "talk");
	return 0;
}

START_TEST(root_of_a_namespace)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	user_open(&user, &bus, USER);
	kt_run_as(0, 0, inside_fn, NULL);
}
END_TEST

/* and the owner of the bus is the owner from in there as well */
static int owner_inside_fn(void *arg)
{
	struct conn c;

	(void)arg;
	unshare_mapped();
	kt_assert(!setresgid(5, 5, 5) && !setresuid(5, 5, 5), "setres*id: %m");
	kt_check_ret(holder_try_open(&c, &bus, HOLDER, "a.b u3:o"), 0,
		     "policy holder");
	kt_check(owns(&user3, "a.b") && !owns(&user4, "a.b"), "user 3 only");
	return 0;
}

START_TEST(owner_in_a_namespace)
{
	bus_of(&bus, MAPPED + 5);
	user_open(&user3, &bus, MAPPED + 3);
	user_open(&user4, &bus, MAPPED + 4);
	kt_run_as(0, 0, owner_inside_fn, NULL);
}
END_TEST

KT_SUITE("holder-update")
{
	kt_test(prelude);
	kt_test(replaces);
	kt_test(name_changes);
	kt_test(types);
	kt_test(inherited);
	kt_test(ids_of_the_uploader);
	kt_test(root_of_a_namespace);
	kt_test(owner_in_a_namespace);
}
