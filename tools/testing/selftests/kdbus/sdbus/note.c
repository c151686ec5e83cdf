// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 10: notifications */

#include <unistd.h>

#include "sd-util.h"

#define ADD	KDBUS_ITEM_NAME_ADD
#define CHANGE	KDBUS_ITEM_NAME_CHANGE
#define REMOVE	KDBUS_ITEM_NAME_REMOVE
#define ACT	KDBUS_NAME_ACTIVATOR
#define BUSNAME	(KDBUS_HELLO_ACTIVATOR | KDBUS_HELLO_ACCEPT_FD)

static struct bus bus;
static struct conn s, t, w, act;

static void prepare(void)
{
	const struct sd_rule all = { .notes = true };

	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&s, &bus, SD_PLAIN);
	sd_connect(&t, &bus, SD_PLAIN);
	sd_connect(&w, &bus, SD_PLAIN);
	kt_assert_ret(sd_add_match(&w, 1, &all), 0, "MATCH_ADD");
}

static void acquire(struct conn *c, u64 flags, int want)
{
	kt_check_ret(sd_request_name(c, SD_NAME, flags), want, "request");
}

static void release(struct conn *c)
{
	kt_check_ret(sd_release_name(c, SD_NAME), 0, "release");
}

static void expect(u64 type, u64 old_id, u64 old, u64 new_id, u64 new)
{
	expect_name_note(&w, type, old_id, old, new_id, new, SD_NAME);
}

/*
 * An id whose flags contain ACTIVATOR counts as "": registration of an
 * activator is invisible, taking over an acquisition, handing back a loss
 */
START_TEST(activator_flags)
{
	prepare();
	sd_activator(&act, &bus, SD_NAME);
	expect(ADD, 0, 0, act.id, ACT);
	expect_id_note(&w, KDBUS_ITEM_ID_ADD, act.id, BUSNAME);
	acquire(&s, 3, 1);
	expect(CHANGE, act.id, ACT, s.id, 3);
	acquire(&t, 1, 1);
	expect(CHANGE, s.id, 3, t.id, 1);
	release(&t);
	expect(CHANGE, t.id, 1, act.id, ACT);
	acquire(&s, 0, 1);
	expect(CHANGE, act.id, ACT, s.id, 0);
	conn_close(&s);
	expect(CHANGE, s.id, 0, act.id, ACT);
	expect_id_note(&w, KDBUS_ITEM_ID_REMOVE, s.id, 1);
	close(act.fd);
	expect(REMOVE, act.id, ACT, 0, 0);
	expect_id_note(&w, KDBUS_ITEM_ID_REMOVE, act.id, BUSNAME);
	expect_empty(&w);
}
END_TEST

/* one that waits is not shown as owner, and none that is shown waits */
START_TEST(queue_flags)
{
	prepare();
	acquire(&s, 6, 1);
	expect(ADD, 0, 0, s.id, 6);
	acquire(&t, 4, 0);
	expect_empty(&w);
	release(&s);
	expect(CHANGE, s.id, 6, t.id, 4);
	acquire(&s, 4, 0);
	kt_check_ret(sd_release_name(&s, SD_NAME), 0, "stop waiting");
	expect_empty(&w);
	release(&t);
	expect(REMOVE, t.id, 4, 0, 0);
	/* replaced, and waiting again */
	acquire(&s, 6, 1);
	expect(ADD, 0, 0, s.id, 6);
	acquire(&t, 1, 1);
	expect(CHANGE, s.id, 6, t.id, 1);
	conn_close(&t);
	expect(CHANGE, t.id, 1, s.id, 6);
	expect_id_note(&w, KDBUS_ITEM_ID_REMOVE, t.id, 1);
	expect_empty(&w);
}
END_TEST

/* reply cookie = cookie_reply of the header, destination = the own id */
START_TEST(reply_notes)
{
	struct sd_msg h;
	struct blob m;
	u64 now;

	prepare();
	sd_call(&h, 0, 11, ":1.2");
	sd_end(&h, 0);
	sd_msg_init(&m, &h, t.id, NULL);
	now = now_ns();
	m.msg.timeout_ns = now - 1000;
	kt_check_ret(sd_send(&s, &m), 0, "call, deadline in the past");
	expect_note(&s, KDBUS_ITEM_REPLY_TIMEOUT, 11);
	m.msg.cookie = 12;
	m.msg.timeout_ns = now + SD_TIMEOUT;
	kt_check_ret(sd_send(&s, &m), 0, "call");
	expect_empty(&s);
	conn_close(&t);
	expect_note(&s, KDBUS_ITEM_REPLY_DEAD, 12);
	expect_empty(&s);
	/* no rule is needed for these, and no rule shows those of others */
	expect_id_note(&w, KDBUS_ITEM_ID_REMOVE, t.id, 1);
	expect_empty(&w);
}
END_TEST

/* NameOwnerChanged of own names: the owner hears it, too */
START_TEST(own_names)
{
	prepare();
	acquire(&w, 0, 1);
	expect(ADD, 0, 0, w.id, 0);
	release(&w);
	expect(REMOVE, w.id, 0, 0, 0);
	expect_empty(&w);
}
END_TEST

/* V217 never frees what it translated: 100000 of them fill a pool, not less */
START_TEST(slices)
{
	u64 used, off;
	int i;

	prepare();
	kt_check(pool_used(&w) == 0, "used %llu", pool_used(&w));
	for (i = 0; i < 20; i++) {
		acquire(&s, 0, 1);
		release(&s);
		kt_assert_ret(conn_recv(&w, &off), 0, "NAME_ADD");
		kt_assert_ret(conn_recv(&w, &off), 0, "NAME_REMOVE");
	}
	used = pool_used(&w);
	kt_check(used >= 40 * 72 && used <= 40 * (SD_POOL / 100000),
		 "%llu bytes for 40", used);
}
END_TEST

/* freed as any other, right after it was read */
START_TEST(freed)
{
	prepare();
	acquire(&s, 0, 1);
	expect(ADD, 0, 0, s.id, 0);
	kt_check(pool_used(&w) == 0, "used %llu", pool_used(&w));
}
END_TEST

KT_SUITE("sd-note")
{
	kt_test(activator_flags);
	kt_test(queue_flags);
	kt_test(reply_notes);
	kt_test(own_names);
	kt_test(slices);
	kt_test(freed);
}
