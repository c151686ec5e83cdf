// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 16: policy upload */

#include <grp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sd-util.h"

#define ALICE	20251
#define BOB	20252
#define GROUP	20253
#define HOLDER	(KDBUS_HELLO_POLICY_HOLDER | KDBUS_HELLO_ACCEPT_FD)

#define U	KDBUS_POLICY_ACCESS_USER
#define G	KDBUS_POLICY_ACCESS_GROUP
#define W	KDBUS_POLICY_ACCESS_WORLD
#define SEE	KDBUS_POLICY_SEE
#define TALK	KDBUS_POLICY_TALK
#define OWN	KDBUS_POLICY_OWN

static struct bus bus;
static struct conn s, alice, bob, member, unit;

static void connect_as(struct conn *c, uid_t uid, gid_t group)
{
	kt_assert(!setgroups(group ? 1 : 0, &group), "setgroups: %m");
	kt_become(uid);
	sd_connect(c, &bus, SD_SYSTEM);
	kt_become(0);
}

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&s, &bus, SD_SYSTEM);
	connect_as(&alice, ALICE, 0);
	connect_as(&bob, BOB, 0);
	connect_as(&member, BOB + 10, GROUP);
}

/* what the library's name rules grant to alice, bob, and one of the group */
static const struct {
	struct sd_grant grants[3];
	unsigned int n;
	int level[3];		/* -1: nothing */
} rows[] = {
	/* V217: without AllowWorld there is WORLD with SEE */
	{ { { W, 0, SEE } }, 1, { SEE, SEE, SEE } },
	{ { { W, 0, TALK } }, 1, { TALK, TALK, TALK } },
	{ { { W, 0, OWN } }, 1, { OWN, OWN, OWN } },
	{ { { U, ALICE, OWN }, { W, 0, SEE } }, 2, { OWN, SEE, SEE } },
	{ { { U, ALICE, TALK }, { W, 0, SEE } }, 2, { TALK, SEE, SEE } },
	{ { { G, GROUP, TALK }, { W, 0, SEE } }, 2, { SEE, SEE, TALK } },
	{ { { G, GROUP, OWN }, { U, ALICE, TALK }, { W, 0, SEE } }, 3,
	  { TALK, SEE, OWN } },
	{ { { U, BOB, SEE }, { G, GROUP, OWN }, { W, 0, TALK } }, 3,
	  { TALK, TALK, OWN } },
	{ { { U, BOB, TALK }, { U, ALICE, OWN }, { W, 0, SEE } }, 3,
	  { OWN, TALK, SEE } },
};

/* the level that this connection has; nobody but s owns the name */
static int level_of(struct conn *c, uid_t uid)
{
	int level = SEE, ret;

	kt_become(uid);
	ret = sd_send_call(c, SD_NO_REPLY, 1, 0, SD_NAME);
	if (!ret)
		level = TALK;
	else
		kt_check_ret(ret, -EPERM, "call by %u", uid);
	ret = sd_request_name(c, SD_NAME, QUEUE);
	if (!ret)
		level = OWN;
	else
		kt_check_ret(ret, -EPERM, "request by %u", uid);
	if (!ret)
		kt_check_ret(sd_release_name(c, SD_NAME), 0, "release");
	kt_become(0);
	conn_drain(&s);
	return level;
}

static void check_levels(size_t i, const int *want)
{
	const int got[3] = {
		level_of(&alice, ALICE), level_of(&bob, BOB),
		level_of(&member, BOB + 10),
	};
	int j;

	for (j = 0; j < 3; j++)
		kt_check(got[j] == want[j], "row %zu, user %d: %d, not %d", i,
			 j, got[j], want[j]);
}

START_TEST(levels)
{
	static const int nothing[3] = { SEE, SEE, SEE };
	size_t i;

	prepare();
	kt_check_ret(sd_request_name(&s, SD_NAME, 0), 1, "name");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		kt_assert_ret(sd_try_busname(&unit, &bus, HOLDER, SD_NAME,
					     rows[i].grants, rows[i].n), 0,
			      "row %zu", i);
		check_levels(i, rows[i].level);
		/* closing the descriptor removes it */
		close(unit.fd);
		check_levels(i, nothing);
	}
}
END_TEST

/* the same with Activating=yes: while it waits, and when it is taken over */
START_TEST(activator_policy)
{
	static const struct sd_grant grants[] = {
		{ U, ALICE, OWN }, { W, 0, TALK },
	};

	prepare();
	kt_assert_ret(sd_try_busname(&unit, &bus, KDBUS_HELLO_ACTIVATOR |
				     KDBUS_HELLO_ACCEPT_FD, SD_NAME, grants,
				     2), 0, "activator");
	kt_become(BOB);
	kt_check_ret(sd_request_name(&bob, SD_NAME, 0), -EPERM, "bob");
	kt_check_ret(sd_send_call(&bob, 0, 1, 0, SD_NAME), 0, "bob calls");
	kt_become(0);
	kt_become(ALICE);
	kt_check_ret(sd_request_name(&alice, SD_NAME, 0), 1, "alice");
	expect_msg(&alice, 1, 0);
	kt_check_ret(sd_send_return(&alice, 2, 1, bob.id), 0, "answer");
	kt_become(0);
	expect_msg(&bob, 2, 1);
	/* two units with one name */
	kt_check_ret(sd_try_busname(&unit, &bus, HOLDER, SD_NAME, grants, 2),
		     -EEXIST, "another unit");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* BusPolicy= */

static int endpoint_try_make(struct bus *e, const char *name)
{
	struct blob b;

	*e = bus;
	e->fd = sd_open(&bus);
	snprintf(e->path, sizeof(e->path), "%s/%s", bus.dir, name);
	make_init(&b, KDBUS_MAKE_ACCESS_WORLD);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
	return kt_cmd(e->fd, KDBUS_CMD_ENDPOINT_MAKE, &b);
}

/* names of units outside the rules of the kernel make the start fail */
START_TEST(unit_names)
{
	static const struct {
		const char *name;
		int err;
	} names[] = {
		{ "calc.service" }, { "my-calc_2.service" },
		{ "calc@1.service", EINVAL }, { "calc:1.service", EINVAL },
		{ "calc\\x2d.service", EINVAL }, { "bus", EEXIST },
		{ "calc.service", EEXIST },
	};
	struct bus e;
	struct stat st;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		kt_check_ret(endpoint_try_make(&e, names[i].name),
			     -names[i].err, "%s", names[i].name);
		if (!names[i].err)
			kt_check(!stat(e.path, &st) &&
				 (st.st_mode & 0777) == 0666, "mode");
	}
}
END_TEST

/*
 * The endpoint's node is bind-mounted as "bus" in a directory that hides the
 * directory of the bus
 */
static void hide_bus(const struct bus *e)
{
	char dir[] = "/tmp/kdbus-sd-XXXXXX", node[64];

	if (unshare(CLONE_NEWNS))
		kt_skip("unshare: %m");
	kt_assert(!mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) &&
		  mkdtemp(dir) && !mount("tmpfs", dir, "tmpfs", 0, NULL),
		  "private directory: %m");
	kt_assert(!chmod(dir, 0755), "chmod: %m");
	snprintf(node, sizeof(node), "%s/bus", dir);
	kt_assert(!mknod(node, S_IFREG | 0600, 0), "mknod: %m");
	kt_assert(!mount(e->path, node, NULL, MS_BIND, NULL), "node: %m");
	kt_assert(!mount(dir, bus.dir, NULL, MS_BIND | MS_REC, NULL),
		  "bus: %m");
}

static int service(void *arg)
{
	struct conn c;

	hide_bus(arg);
	kt_become(SD_SERVICE);
	sd_connect(&c, &bus, SD_SYSTEM);
	kt_check_ret(sd_request_name(&c, SD_NAME, 0), 1, "its name");
	kt_check_ret(sd_request_name(&c, "com.example.Other", 0), -EPERM,
		     "another name");
	kt_check_ret(sd_send_call(&c, 0, 1, s.id, NULL), -ENOENT,
		     "something that is hidden");
	wait_readable(&c);
	expect_msg(&c, 7, 0);
	kt_check_ret(sd_send_return(&c, 8, 7, s.id), 0, "answer");
	return 0;
}

/*
 * ENDPOINT_MAKE by PID 1, no policy items; ENDPOINT_UPDATE by the child that
 * becomes the service, with the descriptor it inherited
 */
START_TEST(bus_policy)
{
	static const struct sd_grant own[] = {
		{ U, SD_SERVICE, OWN }, { W, 0, TALK },
	};
	const struct sd_rule r = { .notes = true, .arg0 = SD_NAME,
				   .name = DRIVER };
	struct bus e, other;
	struct conn c;
	pid_t pid;

	prepare();
	kt_assert_ret(sd_try_busname(&unit, &bus, HOLDER, SD_NAME, own, 2), 0,
		      "policy of the bus");
	kt_assert_ret(endpoint_try_make(&e, "calc.service"), 0,
		      "ENDPOINT_MAKE");
	other = bus;
	memcpy(other.path, e.path, sizeof(other.path));
	sd_connect(&c, &other, SD_SYSTEM);
	kt_check_ret(sd_request_name(&c, SD_NAME, 0), -EPERM, "no policy yet");
	kt_check(!kt_wait(sd_exec("grant", e.fd, NULL)), "ENDPOINT_UPDATE");
	kt_check_ret(sd_request_name(&c, SD_NAME, 0), -EPERM,
		     "root is not that user");
	kt_assert_ret(sd_add_match(&s, 1, &r), 0, "rule");
	pid = kt_fork_as(0, 0, service, &e);
	wait_readable(&s);
	conn_drain(&s);
	kt_check_ret(sd_send_call(&s, 0, 7, 0, SD_NAME), 0, "call");
	wait_readable(&s);
	expect_msg(&s, 8, 7);
	kt_check(kt_wait(pid) == 0, "service");
	/* PID 1 keeps the descriptor while the service lives */
	close(e.fd);
	kt_check_ret(conn_recv(&c, NULL), -ECONNRESET, "endpoint is gone");
	kt_check(!path_exists(e.path), "%s is still there", e.path);
}
END_TEST

/* several names; uid 0 if the unit sets none; and a restart of the unit */
START_TEST(bus_policy_root)
{
	static const char * const names[] = { SD_NAME, "com.example.Two" };
	const struct kdbus_policy_access p = {
		.type = U, .id = 0, .access = OWN,
	};
	struct bus e, other;
	struct conn c;
	struct blob b;
	size_t i;

	prepare();
	for (i = 0; i < 2; i++) {
		kt_assert_ret(endpoint_try_make(&e, "calc.service"), 0,
			      "ENDPOINT_MAKE");
		other = bus;
		memcpy(other.path, e.path, sizeof(other.path));
		sd_connect(&c, &other, SD_SYSTEM);
		kt_check_ret(sd_request_name(&c, names[i], 0), -EPERM,
			     "no policy yet");
		blob_init(&b, sizeof(struct kdbus_cmd_update));
		blob_add_str(&b, KDBUS_ITEM_NAME, names[0]);
		blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, &p, sizeof(p));
		blob_add_str(&b, KDBUS_ITEM_NAME, names[1]);
		blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, &p, sizeof(p));
		kt_check_ret(kt_cmd(e.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), 0,
			     "ENDPOINT_UPDATE");
		kt_check_ret(sd_request_name(&c, names[0], 0), 1, "first");
		kt_check_ret(sd_request_name(&c, names[1], 0), 1, "second");
		close(e.fd);
		kt_check_ret(conn_recv(&c, NULL), -ECONNRESET, "stopped");
		conn_close(&c);
	}
}
END_TEST

KT_SUITE("sd-policy")
{
	kt_test(levels);
	kt_test(activator_policy);
	kt_test(unit_names);
	kt_test(bus_policy);
	kt_test(bus_policy_root);
}
