// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 11: names */

#include <string.h>
#include <unistd.h>

#include "sd-util.h"

#define REPLACING	(REPLACE | ALLOW)	/* of the manager: 3 */

static struct bus bus;
static struct conn a, b, c;

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, SD_PLAIN);
	sd_connect(&c, &bus, SD_PLAIN);
}

/* owner 1, waiting 0, EALREADY, EEXIST */
START_TEST(request_results)
{
	prepare();
	kt_check_ret(sd_request_name(&a, SD_NAME, ALLOW), 1, "free");
	kt_check_ret(sd_request_name(&a, SD_NAME, ALLOW), -EALREADY, "again");
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), -EEXIST, "owned");
	kt_check_ret(sd_request_name(&b, SD_NAME, QUEUE), 0, "waiting");
	kt_check_ret(sd_request_name(&b, SD_NAME, QUEUE), 0, "still waiting");
	kt_check_ret(sd_request_name(&c, SD_NAME, REPLACE), 1, "replaced");
	kt_check_ret(sd_request_name(&a, SD_NAME, REPLACE), -EEXIST,
		     "not allowed");
	kt_check_ret(sd_request_name(&a, SD_NAME, REPLACE | QUEUE), 0,
		     "waiting");
	kt_check_ret(sd_request_name(&a, "nodot", 0), -EINVAL, "bad name");
}
END_TEST

START_TEST(release_results)
{
	prepare();
	kt_check_ret(sd_release_name(&a, SD_NAME), -ESRCH, "nobody has it");
	kt_check_ret(sd_request_name(&a, SD_NAME, 0), 1, "request");
	kt_check_ret(sd_release_name(&b, SD_NAME), -EADDRINUSE, "of another");
	kt_check_ret(sd_request_name(&b, SD_NAME, QUEUE), 0, "wait");
	kt_check_ret(sd_release_name(&b, SD_NAME), 0, "stop waiting");
	kt_check_ret(sd_release_name(&a, SD_NAME), 0, "release");
	kt_check_ret(sd_release_name(&a, SD_NAME), -ESRCH, "again");
}
END_TEST

/* letters, digits, _, -; two elements or more; 255 bytes */
START_TEST(grammar)
{
	char name[256];
	u64 off;

	prepare();
	memset(name, 'x', 255);
	name[255] = '\0';
	name[3] = '.';
	kt_check_ret(sd_request_name(&a, name, 0), 1, "255 bytes");
	kt_check_ret(sd_info(&b, 0, name, 0, &off), 0, "look-up");
	kt_check_ret(sd_send_call(&b, SD_NO_REPLY, 1, a.id, NULL), 0, "call");
	kt_check_ret(sd_request_name(&a, "a-1.B_2", 0), 1, "all characters");
	kt_check_ret(sd_release_name(&a, name), 0, "release");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Lists, as the library goes through them */

struct list {
	unsigned int n_ids, n_names;
	u64 ids[32];
	const char *names[32];
	u64 owners[32];
	u64 off;
};

static void get_list(struct conn *by, u64 flags, struct list *l)
{
	const struct kdbus_name_info *i;
	const struct kdbus_name_list *n;
	u64 at = 8, last = 0;

	memset(l, 0, sizeof(*l));
	kt_assert_ret(name_list(by, flags, &l->off), 0, "NAME_LIST");
	n = (const void *)(by->pool + l->off);
	for (; at < n->size; at += ALIGN8(i->size)) {
		i = (const void *)((const u8 *)n + at);
		kt_assert(i->size >= 32 && i->size <= n->size - at, "record");
		if (i->owner_id != last)
			l->ids[l->n_ids++] = i->owner_id;
		last = i->owner_id;
		if (i->size == 32)
			continue;
		kt_check(i->items[0].type == KDBUS_ITEM_NAME, "item");
		l->owners[l->n_names] = i->owner_id;
		l->names[l->n_names++] = i->items[0].str;
	}
	kt_check(at == n->size, "records end at %llu of %llu", at, n->size);
}

static unsigned int has_id(const struct list *l, u64 id)
{
	unsigned int i, n = 0;

	for (i = 0; i < l->n_ids; i++)
		n += l->ids[i] == id;
	return n;
}

static u64 owner_in(const struct list *l, const char *name)
{
	unsigned int i;
	u64 id = 0;

	for (i = 0; i < l->n_names; i++) {
		if (strcmp(l->names[i], name))
			continue;
		kt_check(!id, "%s is listed twice", name);
		id = l->owners[i];
	}
	return id;
}

static void check_lists(const u64 *ids, size_t n)
{
	struct list l;
	size_t i;

	get_list(&a, KDBUS_NAME_LIST_UNIQUE | KDBUS_NAME_LIST_NAMES, &l);
	for (i = 0; i < n; i++)
		kt_check(has_id(&l, ids[i]) == 1, "%llu is listed %u times",
			 ids[i], has_id(&l, ids[i]));
	kt_check(l.n_ids == n, "%u ids, not %zu", l.n_ids, n);
	kt_check(l.n_names == 6, "%u names", l.n_names);
	kt_check(owner_in(&l, "a.two") == a.id &&
		 owner_in(&l, "b.two") == b.id &&
		 owner_in(&l, "com.act.two") == c.id, "owners");
	kt_check(!owner_in(&l, "com.act.one"), "only activatable");
	kt_check_ret(conn_free(&a, l.off), 0, "FREE");
	get_list(&a, KDBUS_NAME_LIST_ACTIVATORS, &l);
	kt_check(l.n_names == 2 && owner_in(&l, "com.act.one") &&
		 owner_in(&l, "com.act.two"), "activatable names");
	kt_check_ret(conn_free(&a, l.off), 0, "FREE");
	kt_check(pool_used(&a) == 0, "leak");
}

/* records of one connection are adjacent, or it would be shown twice */
START_TEST(lists)
{
	struct conn one, two, holder, mon;

	prepare();
	sd_activator(&one, &bus, "com.act.one");
	kt_check_ret(sd_request_name(&a, "a.one", 0), 1, "name");
	kt_check_ret(sd_request_name(&b, "b.one", 0), 1, "name");
	kt_check_ret(sd_request_name(&a, "a.two", 0), 1, "name");
	sd_activator(&two, &bus, "com.act.two");
	kt_check_ret(sd_request_name(&b, "b.two", 0), 1, "name");
	kt_check_ret(sd_request_name(&c, "com.act.two", 0), 1, "name");
	kt_check_ret(sd_request_name(&a, "a.three", 0), 1, "name");
	kt_check_ret(sd_request_name(&c, "a.three", QUEUE), 0, "waits");
	sd_monitor(&mon, &bus);
	kt_assert_ret(sd_try_busname(&holder, &bus, KDBUS_HELLO_POLICY_HOLDER |
				     KDBUS_HELLO_ACCEPT_FD, "com.holder.x",
				     NULL, 0), 0, "policy holder");
	check_lists((u64 []) { a.id, b.id, c.id, mon.id, holder.id }, 5);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Look-ups */

static void check_info(u64 id, const char *name, u64 want_id, u64 want_flags)
{
	const struct kdbus_info *i;
	u64 off;

	kt_assert_ret(sd_info(&a, id, name, 0, &off), 0, "CONN_INFO");
	i = sd_info_at(&a, off);
	kt_check(i->id == want_id, "id %llu, not %llu", i->id, want_id);
	kt_check(i->flags == want_flags, "flags %#llx, not %#llx", i->flags,
		 want_flags);
	kt_check_ret(conn_free(&a, off), 0, "FREE");
}

/* by :1.N and by name; ACTIVATOR in the flags: as if it were not there */
START_TEST(look_up)
{
	const u64 act_flags = KDBUS_HELLO_ACTIVATOR | KDBUS_HELLO_ACCEPT_FD;
	struct conn act;
	u64 off;

	prepare();
	kt_check_ret(sd_info(&a, 0, SD_NAME, 0, &off), -ESRCH, "name");
	kt_check_ret(sd_info(&a, 4711, NULL, 0, &off), -ENXIO, "id");
	kt_check_ret(sd_info(&a, 0, DRIVER, 0, &off), -ESRCH, "driver");
	sd_activator(&act, &bus, SD_NAME);
	check_info(0, SD_NAME, act.id, act_flags);
	check_info(act.id, NULL, act.id, act_flags);
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "service");
	check_info(0, SD_NAME, b.id, KDBUS_HELLO_ACCEPT_FD);
	check_info(b.id, NULL, b.id, KDBUS_HELLO_ACCEPT_FD);
	check_info(act.id, NULL, act.id, act_flags);
	conn_close(&b);
	check_info(0, SD_NAME, act.id, act_flags);
	kt_check_ret(sd_info(&a, b.id, NULL, 0, &off), -ENXIO, "gone");
}
END_TEST

/* peer tracking: a rule with arg0, then a look-up */
START_TEST(peer_tracking)
{
	const struct sd_rule r = { .arg0 = SD_NAME, .notes = true,
				   .name = DRIVER };
	u64 off;

	prepare();
	kt_check_ret(sd_add_match(&a, 1, &r), 0, "rule");
	kt_check_ret(sd_info(&a, 0, SD_NAME, 0, &off), -ESRCH, "look-up");
	kt_check_ret(sd_request_name(&b, "com.example.Other", 0), 1, "other");
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	expect_name_note(&a, KDBUS_ITEM_NAME_ADD, 0, 0, b.id, 0, SD_NAME);
	check_info(0, SD_NAME, b.id, KDBUS_HELLO_ACCEPT_FD);
	conn_close(&b);
	expect_name_note(&a, KDBUS_ITEM_NAME_REMOVE, b.id, 0, 0, 0, SD_NAME);
	kt_check_ret(sd_info(&a, 0, SD_NAME, 0, &off), -ESRCH, "look-up");
	expect_empty(&a);
}
END_TEST

/* the manager owns its name with flags 3: re-execution can take it over */
START_TEST(manager)
{
	const char *name = "org.freedesktop.systemd1";

	prepare();
	kt_check_ret(sd_request_name(&a, name, REPLACING), 1, "manager");
	kt_check_ret(sd_request_name(&b, name, REPLACING), 1, "after exec");
	check_info(0, name, b.id, KDBUS_HELLO_ACCEPT_FD);
	conn_close(&b);
	kt_check_ret(sd_request_name(&c, name, REPLACING), 1, "once more");
}
END_TEST

/* the owner of the bus: size 40, flags 0 */
START_TEST(bus_owner)
{
	const struct kdbus_item *item;
	const struct kdbus_info *i;
	u64 off;

	prepare();
	kt_assert_ret(sd_creator(&b, &off), 0, "BUS_CREATOR_INFO");
	i = sd_info_at(&b, off);
	kt_check(i->flags == KDBUS_MAKE_ACCESS_WORLD && i->id, "id, flags");
	item = sd_info_item(i, KDBUS_ITEM_CREDS, 0);
	kt_assert(item && item->size == 56, "no CREDS");
	kt_check(item->creds.uid == 0 && item->creds.gid == 0 &&
		 item->creds.pid == (u64)getpid(), "uid %llu, pid %llu",
		 item->creds.uid, item->creds.pid);
	kt_check_ret(conn_free(&b, off), 0, "FREE");
}
END_TEST

KT_SUITE("sd-name")
{
	kt_test(request_results);
	kt_test(release_results);
	kt_test(grammar);
	kt_test(lists);
	kt_test(look_up);
	kt_test(peer_tracking);
	kt_test(manager);
	kt_test(bus_owner);
}
