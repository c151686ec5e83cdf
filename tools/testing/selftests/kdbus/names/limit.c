// SPDX-License-Identifier: GPL-2.0-only
/* Limits of names hold for names that come, and for who is made to wait */

#include <stdio.h>

#include "act-world.h"

#define MAX_NAMES	64
#define MAX_WAITS	256
#define OWNERS		(MAX_WAITS / MAX_NAMES)

static const char *numbered(unsigned int i)
{
	static char name[32];

	snprintf(name, sizeof(name), "name.n%u", i);
	return name;
}

/* @n names from number @first on */
static void own(struct conn *c, unsigned int first, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		kt_assert_ret(name_acquire(c, numbered(first + i), 0), 0,
			      "name %u", first + i);
}

/* how many names @c owns, or waits for */
static unsigned int count(struct conn *c, u64 flags)
{
	const struct kdbus_name_info *info;
	const struct kdbus_name_list *list;
	unsigned int n = 0;
	u64 off, at;

	kt_assert_ret(name_list(&b, flags, &off), 0, "NAME_LIST");
	list = (void *)(b.pool + off);
	for (at = sizeof(*list); at < list->size; at += ALIGN8(info->size)) {
		info = (void *)((u8 *)list + at);
		n += info->owner_id == c->id;
	}
	kt_check_ret(conn_free(&b, off), 0, "FREE");
	return n;
}

static void world(bool activator)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, 1 * MIB);
	conn_open(&s, &bus, POOL);
	conn_open(&t, &bus, POOL);
	if (activator)
		activator_open(&act, &bus, 0, NAME, POOL);
}

/* who waits for as much as it may loses its name for good when replaced */
START_TEST(replaced)
{
	struct conn owners[OWNERS];
	unsigned int i;

	world(false);
	kt_assert_ret(name_acquire(&t, NAME, ALLOW | QUEUE), 0, "own");
	for (i = 0; i < OWNERS; i++) {
		conn_open(&owners[i], &bus, POOL);
		own(&owners[i], i * MAX_NAMES, MAX_NAMES);
	}
	for (i = 0; i < MAX_WAITS - 1; i++)
		kt_assert_ret(name_acquire(&t, numbered(i), QUEUE), 0, "wait");
	/* one more is not too many */
	kt_check_ret(name_acquire(&s, NAME, REPLACE | ALLOW), 0, "replace");
	kt_check(count(&t, KDBUS_NAME_LIST_QUEUED) == MAX_WAITS, "%u waits",
		 count(&t, KDBUS_NAME_LIST_QUEUED));
	kt_check_ret(name_acquire(&t, NAME, REPLACE | QUEUE), 0, "get it back");
	kt_check_ret(name_acquire(&t, NAME, REPLACE | QUEUE), -EALREADY,
		     "own it");
	kt_check_ret(name_release(&t, NAME), 0, "release");
	kt_check_ret(name_acquire(&t, NAME, ALLOW | QUEUE), 0, "own again");
	kt_assert_ret(name_acquire(&t, numbered(i), QUEUE), 0, "wait");
	/* another is */
	kt_check_ret(name_acquire(&s, NAME, REPLACE), 0, "replace");
	kt_check(name_owner(&a, NAME, NULL) == s.id, "not replaced");
	kt_check(count(&t, KDBUS_NAME_LIST_QUEUED) == MAX_WAITS, "%u waits",
		 count(&t, KDBUS_NAME_LIST_QUEUED));
	kt_check_ret(name_release(&t, NAME), -EADDRINUSE, "it waits");
	/* and who asks for it is told */
	kt_check_ret(name_acquire(&t, NAME, QUEUE), -E2BIG, "wait");
	kt_check_ret(name_release(&s, NAME), 0, "release");
	check_owner(0);
}
END_TEST

/* who owns as much as it may when its turn comes is passed over for good */
START_TEST(waiter)
{
	struct conn next;

	world(false);
	conn_open(&next, &bus, POOL);
	take(&s);
	kt_assert_ret(name_acquire(&t, NAME, QUEUE), 0, "wait");
	own(&t, 0, MAX_NAMES);
	kt_assert_ret(name_acquire(&next, NAME, QUEUE), 0, "wait");
	release(&s);
	check_owner(next.id);
	kt_check(count(&t, KDBUS_NAME_LIST_NAMES) == MAX_NAMES, "%u names",
		 count(&t, KDBUS_NAME_LIST_NAMES));
	kt_check(count(&t, KDBUS_NAME_LIST_QUEUED) == 0, "it waits");
	/* with room for one, it gets one */
	kt_assert_ret(name_release(&t, numbered(0)), 0, "release");
	kt_assert_ret(name_acquire(&t, NAME, QUEUE), 0, "wait");
	conn_close(&next);
	check_owner(t.id);
	kt_check(count(&t, KDBUS_NAME_LIST_NAMES) == MAX_NAMES, "%u names",
		 count(&t, KDBUS_NAME_LIST_NAMES));
}
END_TEST

/* then an activator has it, or nobody */
START_TEST(last_waiter)
{
	int i;

	for (i = 0; i < 2; i++) {
		world(i);
		take(&s);
		kt_assert_ret(name_acquire(&t, NAME, QUEUE), 0, "wait");
		own(&t, 0, MAX_NAMES);
		if (i)
			release(&s);
		else
			conn_close(&s);
		check_owner(i ? act.id : 0);
		kt_check(count(&t, KDBUS_NAME_LIST_NAMES) == MAX_NAMES,
			 "%u names", count(&t, KDBUS_NAME_LIST_NAMES));
		kt_check(count(&t, KDBUS_NAME_LIST_QUEUED) == 0, "it waits");
		kt_assert_ret(name_release(&t, numbered(0)), 0, "release");
		take(&t);
		check_owner(t.id);
		bus_close(&bus);
	}
}
END_TEST

KT_SUITE("name-limit")
{
	kt_test(replaced);
	kt_test(waiter);
	kt_test(last_waiter);
}
