// SPDX-License-Identifier: GPL-2.0-only
/*
 * Custom endpoints let only ordinary connections in, and lead to no other door:
 * not even the owner of the bus and root are more than that behind them.
 */

#include <string.h>
#include <unistd.h>

#include "meta-util.h"
#include "policy-util.h"

#define POOL	(64 * KIB)
#define OWNER	20290
#define USER	20291
#define NAME	"foo.bar"

static struct bus bus, closed, wide, nested;
static const struct bus *at;

/* one endpoint grants nothing, one grants everybody the only name there is */
static void prepare(void)
{
	bus_of(&bus, OWNER);
	ep_make(&closed, &bus, NO_POLICY);
	ep_make(&wide, &bus, NAME " w:o");
}

static const struct subject owner = {
	"owner", OWNER, OWNER, OWNER, OWNER,
};

static const struct subject capable = {
	"capable", USER, USER, USER, USER, .capable = true,
};

static const struct subject root = { "root", 0, 0, 0, 0, .capable = true };

static const struct subject *const privileged[] = { &owner, &capable, &root };

/* HELLO with these flags and items, on a fresh handle */
static int hello_at(u64 flags, u64 type, const void *data, size_t len)
{
	int fd = open_endpoint(at), ret;
	struct blob h;

	hello_init(&h, flags, POOL);
	if (len)
		blob_add(&h, type, data, len);
	ret = kt_cmd(fd, KDBUS_CMD_HELLO, &h);
	if (ret)
		kt_check_ret(hello(fd, 0, POOL), 0,
			     "the handle cannot be used any more");
	close(fd);
	return ret;
}

static const struct kdbus_creds creds = { .uid = 1, .gid = 2 };

static const struct {
	const char *what;
	u64 flags, type;
	const void *data;
	size_t len;
} rows[] = {
	{ "MONITOR", MONITOR },
	{ "ACTIVATOR", ACTIVATOR, KDBUS_ITEM_NAME, NAME, sizeof(NAME) },
	{ "POLICY_HOLDER", HOLDER, KDBUS_ITEM_NAME, NAME, sizeof(NAME) },
	{ "CREDS", 0, KDBUS_ITEM_CREDS, &creds, sizeof(creds) },
	{ "SECLABEL", 0, KDBUS_ITEM_SECLABEL, "label", sizeof("label") },
};

/* all of these work, or none does */
static int try_all(void *arg)
{
	const char *who = arg;
	int want = at == &bus ? 0 : -EPERM;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check_ret(hello_at(rows[i].flags, rows[i].type, rows[i].data,
				      rows[i].len), want,
			     "%s of %s, %s", rows[i].what, who,
			     want ? "custom endpoint" : "bus");
	return 0;
}

static void try_everywhere(int (*fn)(void *arg))
{
	static const struct bus *const doors[] = { &bus, &closed, &wide };
	size_t i, j;

	prepare();
	for (i = 0; i < ARRAY_SIZE(privileged); i++)
		for (j = 0; j < ARRAY_SIZE(doors); j++) {
			at = doors[j];
			subject_run(privileged[i], fn,
				    (void *)privileged[i]->what);
		}
}

START_TEST(only_ordinary_connections)
{
	try_everywhere(try_all);
}
END_TEST

static int try_endpoint(void *arg)
{
	const char *who = arg;
	int want = at == &bus ? 0 : -EPERM, fd;
	struct blob b;

	kt_check_ret(ep_try_make(&nested, at, 0, "nested", NO_POLICY), want,
		     "ENDPOINT_MAKE of %s", who);
	kt_check(path_exists(nested.path) == !want, "node of %s", who);
	if (!want) {
		bus_close(&nested);
		return 0;
	}

	/* the argument is not looked at; the handle is as good as before */
	fd = open_endpoint(at);
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, NULL), -EPERM,
		     "no argument");
	make_init(&b, ~0ULL);
	b.make.kernel_flags = 7;
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, &b), -EPERM, "flags");
	kt_check(b.make.kernel_flags == 7, "the argument was looked at");
	kt_check_ret(hello(fd, 0, POOL), 0, "HELLO");
	close(fd);
	return 0;
}

START_TEST(no_endpoints)
{
	try_everywhere(try_endpoint);
}
END_TEST

/* what was refused holds no name, no policy, and sees nothing */
START_TEST(refused_leaves_nothing)
{
	struct conn out, user, c;

	prepare();
	conn_open(&out, &bus, POOL);
	match_all(&out);
	user_open(&user, &bus, USER);
	conn_drain(&out);
	kt_check_ret(holder_try_open(&c, &wide, ACTIVATOR, NAME), -EPERM,
		     "activator");
	kt_check_ret(holder_try_open(&c, &wide, HOLDER, NAME " w:o"), -EPERM,
		     "policy holder");
	kt_check_ret(holder_try_open(&c, &closed, MONITOR, NO_POLICY), -EPERM,
		     "monitor");
	kt_check(!name_owner(&out, NAME, NULL), "the activator has the name");
	kt_check(!can_own(&user, NAME), "the policy counts");
	kt_check(conn_drain(&out) == 0, "others were told of it");
	/* and its place is free */
	holder_open(&c, &bus, NAME " w:o");
	kt_check(can_own(&user, NAME), "granted");
}
END_TEST

/* what an ordinary one may do is what the policy of the endpoint says */
START_TEST(no_exception_for_the_owner)
{
	struct conn in, out, other;

	prepare();
	conn_open(&out, &bus, POOL);
	kt_assert_ret(name_acquire(&out, "other.name", 0), 0, "acquire");
	user_open(&in, &closed, OWNER);
	user_open(&other, &closed, OWNER);
	match_all(&in);
	conn_drain(&in);
	kt_check_ret(name_acquire(&in, NAME, 0), -EPERM, "own");
	check_send(&in, &out, -ENOENT, "talk by id");
	kt_check_ret(send_name(&in, "other.name", 1), -ENOENT, "talk by name");
	check_send(&in, &other, -ENOENT, "to a peer on the endpoint");
	check_send(&in, &in, -ENOENT, "to itself");
	kt_check_ret(info_id(&in, out.id), -ENOENT, "CONN_INFO by id");
	kt_check_ret(info_name(&in, "other.name"), -ENOENT,
		     "CONN_INFO by name");
	kt_check_ret(info_id(&in, in.id), -ENOENT, "CONN_INFO of itself");
	kt_check(!list_count(&in, KDBUS_NAME_LIST_NAMES, out.id, "other.name"),
		 "NAME_LIST");
	kt_check(!hears(&out, &in), "a broadcast of the owner");
	kt_assert_ret(name_release(&out, "other.name"), 0, "release");
	expect_empty(&in);
}
END_TEST

KT_SUITE("ep-ordinary")
{
	kt_test(only_ordinary_connections);
	kt_test(no_endpoints);
	kt_test(refused_leaves_nothing);
	kt_test(no_exception_for_the_owner);
}
