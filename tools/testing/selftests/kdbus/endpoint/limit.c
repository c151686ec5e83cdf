// SPDX-License-Identifier: GPL-2.0-only
/* How many custom endpoints a user may have, and what one more costs */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"
#include "trace-util.h"

#define POOL	(64 * KIB)
#define OWNER	20295
#define LIMIT	256

static struct bus bus, bus2, eps[LIMIT + 1];

static int make_on(const struct bus *on, unsigned int i)
{
	char name[16];

	snprintf(name, sizeof(name), "ep%u", i);
	return ep_try_make(&eps[i], on, 0, name, "foo.bar w:o");
}

static void make_must(const struct bus *on, unsigned int i)
{
	int ret = make_on(on, i);

	kt_assert_ret(ret, 0, "endpoint %u", i);
}

static void check_refused(const struct bus *on)
{
	int ret = make_on(on, LIMIT);

	kt_check_ret(ret, -EMFILE, "one more");
	kt_check(!path_exists(eps[LIMIT].path), "its node is there");
	if (!ret)
		bus_close(&eps[LIMIT]);
}

/* the bus is the user's own, or there would be no endpoints */
static int limit_fn(void *arg)
{
	unsigned int i;

	(void)arg;
	for (i = 0; i < LIMIT; i++)
		make_must(i % 2 ? &bus2 : &bus, i);
	check_refused(&bus);
	check_refused(&bus2);
	return 0;
}

static int again_fn(void *arg)
{
	bus_close(&eps[7]);
	make_must(arg, 7);
	check_refused(&bus);
	return 0;
}

/* what was refused has taken neither a name nor a place */
static int refused_fn(void *arg)
{
	(void)arg;
	bus_close(&eps[0]);
	kt_check_ret(ep_try_make(&eps[0], &bus, 0, "bus", NO_POLICY), -EEXIST,
		     "the name is taken");
	kt_check_ret(ep_try_make(&eps[0], &bus, 0, "new", "a.b a.b"), -EEXIST,
		     "a policy that is none");
	make_must(&bus, 0);
	check_refused(&bus);
	return 0;
}

static void prepare(void)
{
	allow_fds(LIMIT + 200);
	bus_of(&bus, OWNER);
	bus_of(&bus2, OWNER);
	user_run(OWNER, limit_fn, NULL);
}

START_TEST(limit_of_a_user)
{
	prepare();
	user_run(OWNER, again_fn, &bus2);
	user_run(OWNER, refused_fn, NULL);
}
END_TEST

static int more_fn(void *arg)
{
	struct bus *ep = arg;

	kt_check_ret(ep_try_make(ep, &bus, 0, "more", NO_POLICY), 0,
		     "ENDPOINT_MAKE");
	return 0;
}

static int full_fn(void *arg)
{
	check_refused(arg);
	return 0;
}

/* who is capable is neither limited nor counted */
START_TEST(not_for_the_capable)
{
	struct subject s = plain_user(OWNER);
	struct bus ep;

	prepare();
	s.capable = true;
	subject_run(&s, more_fn, &ep);
	user_run(OWNER, full_fn, &bus);
	bus_close(&ep);
	user_run(OWNER, again_fn, &bus);
}
END_TEST

static int owner_makes(void *arg)
{
	(void)arg;
	kt_check_ret(make_on(&bus2, 0), 0, "a dead one counts");
	return 0;
}

/*
 * The end of an endpoint counts, not that of what refers to it: handles of its
 * maker, and of others, to what is dead.
 */
START_TEST(the_dead_do_not_count)
{
	int fd;

	prepare();
	fd = open_endpoint(&eps[0]);
	bus_close(&bus);
	eps[0].fd = -1;
	user_run(OWNER, owner_makes, NULL);
	kt_check_ret(hello(fd, 0, POOL), -ESHUTDOWN, "HELLO");
	close(fd);
}
END_TEST

/* ------------------------------------------------------------------------ */

/* how often the module compares names while an endpoint is made and ends */
static unsigned int compares(void)
{
	unsigned int count;

	trace_count(&count);
	kt_assert_ret(make_on(&bus, LIMIT), 0, "ENDPOINT_MAKE");
	bus_close(&eps[LIMIT]);
	trace_count(&count);
	return count;
}

/* 200 names in a red-black tree: at most 2 * log2(201) comparisons */
#define DEPTH	15

START_TEST(cost_of_one_more)
{
	static const char *const probes[] = { "node_compare" };
	unsigned int few, many, i;

	allow_fds(LIMIT + 200);
	bus_of(&bus, OWNER);
	trace_start(probes, 1);
	make_must(&bus, 0);
	few = compares();
	for (i = 1; i < 200; i++)
		make_must(&bus, i);
	many = compares();
	trace_stop();
	kt_note("%u names compared beside one, %u beside 200", few, many);
	/* the bus' own endpoint is there as well */
	kt_check(few >= 1, "no comparison was seen");
	kt_check(many <= DEPTH, "%u names compared, %u beside one", many, few);
}
END_TEST

KT_SUITE("ep-limit")
{
	kt_test(limit_of_a_user);
	kt_test(not_for_the_capable);
	kt_test(the_dead_do_not_count);
	kt_test(cost_of_one_more);
}
