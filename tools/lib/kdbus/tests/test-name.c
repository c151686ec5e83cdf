// SPDX-License-Identifier: GPL-2.0-only
/* Well-known names */
#include <stdio.h>

#include "kl.h"

static struct kdb_conn *a, *b;

static void open_pair(void)
{
	kl_bus();
	a = kl_open();
	b = kl_open();
}

static void close_pair(void)
{
	kl_close(a);
	kl_close(b);
}

static char *too_long(void)
{
	static char name[300];

	memset(name, 'a', 299);
	memcpy(name, "a.", 2);
	return name;
}

KL_TEST(owning)
{
	uint64_t id;

	open_pair();
	kl_fails(ESRCH, kdb_name_owner(a, NAME_A, &id));
	kl_fails(ESRCH, kdb_name_release(a, NAME_A));
	kl_ok(kdb_name_acquire(a, NAME_A, 0));
	kl_fails(EALREADY, kdb_name_acquire(a, NAME_A, 0));
	kl_fails(EEXIST, kdb_name_acquire(b, NAME_A, 0));
	kl_fails(EADDRINUSE, kdb_name_release(b, NAME_A));
	kl_ok(kdb_name_owner(b, NAME_A, &id));
	kt_check(id == kdb_id(a), "owner");
	kt_check_ret(kdb_name_acquire(b, NAME_A, KDBUS_NAME_QUEUE), 1, "queue");
	kl_ok(kdb_name_release(a, NAME_A));
	kl_ok(kdb_name_owner(b, NAME_A, &id));
	kt_check(id == kdb_id(b), "the next owner");
	kl_ok(kdb_name_release(b, NAME_A));
	kl_ok(kdb_name_acquire(a, NAME_A, KDBUS_NAME_ALLOW_REPLACEMENT));
	kl_ok(kdb_name_acquire(b, NAME_A, KDBUS_NAME_REPLACE_EXISTING));
	kt_check(kl_used(a) == 0 && kl_used(b) == 0, "not freed");
	close_pair();
}

KL_TEST(bad_names)
{
	static const char *const names[] = { "", "a", "a..b", ".a.b", "a.1" };
	struct kdb_conn *monitor;
	uint64_t id;
	size_t i;

	open_pair();
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		kl_fails(EINVAL, kdb_name_acquire(a, names[i], 0));
		kl_fails(EINVAL, kdb_name_release(a, names[i]));
		kl_fails(EINVAL, kdb_name_owner(a, names[i], &id));
	}
	kl_fails(EINVAL, kdb_name_acquire(a, too_long(), 0));
	kl_fails(EINVAL, kdb_name_release(a, too_long()));
	kl_fails(EINVAL, kdb_name_owner(a, too_long(), &id));
	kl_fails(EINVAL, kdb_name_acquire(a, NAME_A, KDBUS_NAME_IN_QUEUE));
	monitor = kl_open_with(KDB_OPEN_MONITOR, POOL);
	kl_fails(EOPNOTSUPP, kdb_name_acquire(monitor, NAME_A, 0));
	kl_fails(EOPNOTSUPP, kdb_name_release(monitor, NAME_A));
	kl_close(monitor);
	close_pair();
}

static int as_user(void *arg)
{
	struct kdb_conn *c = kl_open();

	(void)arg;
	kl_fails(EPERM, kdb_name_acquire(c, NAME_A, 0));
	kl_close(c);
	return 0;
}

KL_TEST(limits)
{
	char name[64];
	int i;

	open_pair();
	kt_run_as(1000, 1000, as_user, NULL);
	for (i = 0; i < 64; i++) {
		snprintf(name, sizeof(name), "com.example.n%d", i);
		kl_ok(kdb_name_acquire(a, name, 0));
	}
	kl_fails(E2BIG, kdb_name_acquire(a, NAME_A, 0));
	close_pair();
}

KL_TEST(lists)
{
	struct kdb_name_entry entry;
	struct kdb_names *names, *more[200];
	unsigned int i, n = 0;

	open_pair();
	kl_ok(kdb_name_acquire(a, NAME_A, KDBUS_NAME_ALLOW_REPLACEMENT));
	kl_ok(kdb_name_acquire(a, NAME_B, 0));
	kt_check_ret(kdb_name_acquire(b, NAME_B, KDBUS_NAME_QUEUE), 1, "queue");
	kl_ok(kdb_names_list(b, KDBUS_NAME_LIST_NAMES | KDBUS_NAME_LIST_QUEUED |
			     KDBUS_NAME_LIST_UNIQUE, &names));
	for (i = 0; i < 2; i++) {
		kt_check_ret(kdb_names_next(names, &entry), 1, "first");
		kt_check(entry.id == kdb_id(a) && !strcmp(entry.name, NAME_A) &&
			 entry.flags == KDBUS_NAME_ALLOW_REPLACEMENT &&
			 entry.conn_flags == 0, "first");
		kt_check_ret(kdb_names_next(names, &entry), 1, "second");
		kt_check(entry.id == kdb_id(a) && !strcmp(entry.name, NAME_B),
			 "second");
		kt_check_ret(kdb_names_next(names, &entry), 1, "third");
		kt_check(entry.id == kdb_id(b) && !strcmp(entry.name, NAME_B) &&
			 (entry.flags & KDBUS_NAME_IN_QUEUE), "third");
		kt_check_ret(kdb_names_next(names, &entry), 0, "end");
	}
	kdb_names_release(names);
	kdb_names_release(NULL);
	kl_ok(kdb_names_list(b, KDBUS_NAME_LIST_UNIQUE, &names));
	kt_check_ret(kdb_names_next(names, &entry), 1, "a connection");
	kt_check(!entry.name && entry.id == kdb_id(a), "without its name");
	kdb_names_release(names);
	kl_fails(EINVAL, kdb_names_list(b, 1 << 4, &names));
	kt_check(kl_used(b) == 0, "not freed");
	kl_close(b);

	b = kl_open_with(0, 4096);
	while (n < 200 && kdb_names_list(b, KDBUS_NAME_LIST_NAMES,
					 &more[n]) == 0)
		n++;
	kl_fails(ENOBUFS, kdb_names_list(b, KDBUS_NAME_LIST_NAMES, &names));
	while (n-- > 0)
		kdb_names_release(more[n]);
	close_pair();
}

/*
 * Watches
 */

static struct change {
	char name[64];
	u64 old_id, new_id;
	void *arg;
} changes[16];
static unsigned int n_changes;

static int changed(struct kdb_conn *conn, const char *name, uint64_t old_id,
		   uint64_t new_id, void *arg)
{
	struct change *c = &changes[n_changes++ % ARRAY_SIZE(changes)];

	kt_check(conn == b, "connection");
	snprintf(c->name, sizeof(c->name), "%s", name);
	c->old_id = old_id;
	c->new_id = new_id;
	c->arg = arg;
	return arg == &changes ? -EDOM : 0;
}

static void process_all(void)
{
	int r;

	while ((r = kdb_process(b)) > 0)
		;
	kt_check_ret(r, 0, "process");
}

static void check_change(unsigned int i, const char *name, u64 old_id,
			 u64 new_id, void *arg)
{
	struct change *c = &changes[i];

	kt_check(!strcmp(c->name, name) && c->old_id == old_id &&
		 c->new_id == new_id && c->arg == arg,
		 "change %u: %s, from %llu to %llu", i, c->name, c->old_id,
		 c->new_id);
}

static int unhandled(struct kdb_conn *conn, struct kdb_view *view,
		     struct kdb_msg *reply, void *arg)
{
	struct kdb_notice notice;

	(void)conn;
	(void)reply;
	kl_ok(kdb_view_notice(view, &notice));
	kt_check(notice.type == KDBUS_ITEM_NAME_REMOVE &&
		 !strcmp(notice.name, NAME_B), "another notice");
	++*(unsigned int *)arg;
	/* there is nobody to answer */
	return KDB_REPLY;
}

KL_TEST(watching)
{
	uint64_t all, one, second;
	unsigned int others = 0;
	struct kdb_conn *c;
	u64 id;

	open_pair();
	id = kdb_id(a);
	kdb_set_handler(b, unhandled, &others);
	kl_ok(kdb_name_watch(b, NAME_A, changed, &all, &one));
	kl_ok(kdb_name_acquire(a, NAME_A, KDBUS_NAME_ALLOW_REPLACEMENT));
	kl_ok(kdb_name_acquire(a, NAME_B, 0));
	c = kl_open();
	kl_ok(kdb_name_acquire(c, NAME_A, KDBUS_NAME_REPLACE_EXISTING));
	kl_close(c);
	process_all();
	kt_check(n_changes == 3, "%u changes", n_changes);
	check_change(0, NAME_A, 0, id, &all);
	check_change(1, NAME_A, id, id + 2, &all);
	check_change(2, NAME_A, id + 2, 0, &all);

	/* each watch is told, and what one returns does not keep others from it */
	n_changes = 0;
	kl_ok(kdb_name_watch(b, NULL, changed, &changes, &all));
	kl_ok(kdb_name_watch(b, NAME_A, changed, NULL, &second));
	kl_ok(kdb_name_acquire(a, NAME_A, 0));
	kl_ok(kdb_wait(b, kdb_deadline(LONG_NS)));
	kt_check_ret(kdb_process(b), -EDOM, "what it returned");
	kt_check(n_changes == 3 && changes[2].arg == NULL, "%u are told",
		 n_changes);

	kl_ok(kdb_unwatch(b, all));
	kl_fails(ENOENT, kdb_unwatch(b, all));
	kl_ok(kdb_unwatch(b, one));
	/* this one is told of by no match any more */
	kl_ok(kdb_name_release(a, NAME_B));
	kl_ok(kdb_name_release(a, NAME_A));
	process_all();
	kt_check(n_changes == 4 && others == 0, "%u changes, %u others",
		 n_changes, others);
	kl_ok(kdb_unwatch(b, second));
	close_pair();
}

static int once(struct kdb_conn *conn, const char *name, uint64_t old_id,
		uint64_t new_id, void *arg)
{
	uint64_t *cookies = arg;

	(void)name;
	(void)old_id;
	(void)new_id;
	n_changes++;
	/* itself, and the one after it */
	kl_ok(kdb_unwatch(conn, cookies[0]));
	kl_ok(kdb_unwatch(conn, cookies[1]));
	return 0;
}

KL_TEST(unwatching_from_within)
{
	unsigned int others = 0;
	uint64_t cookies[2];

	open_pair();
	kdb_set_handler(b, unhandled, &others);
	kl_ok(kdb_name_watch(b, NULL, once, cookies, &cookies[0]));
	kl_ok(kdb_name_watch(b, NULL, once, cookies, &cookies[1]));
	kl_ok(kdb_name_acquire(a, NAME_B, 0));
	kl_ok(kdb_name_release(a, NAME_B));
	process_all();
	kt_check(n_changes == 1, "told %u times", n_changes);
	/* what was on the way goes to the handler */
	kt_check(others == 1, "%u others", others);
	kl_fails(ENOENT, kdb_unwatch(b, cookies[0]));
	close_pair();
}

KL_TEST(bad_watches)
{
	struct kdb_conn *activator;
	unsigned int i;
	int r = 0;

	open_pair();
	kl_fails(ENAMETOOLONG, kdb_name_watch(b, too_long(), changed, NULL,
					      NULL));
	for (i = 0; i < 100 && r == 0; i++)
		r = kdb_name_watch(b, NULL, changed, NULL, NULL);
	/* three matches each, of 256 */
	kt_check(i == 86, "%u watches", i - 1);
	kl_fails(EMFILE, kdb_name_watch(b, NULL, changed, NULL, NULL));
	kl_ok(kdb_open_path(&activator, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ACTIVATOR, .holds = NAME_A)));
	kl_fails(EOPNOTSUPP, kdb_name_watch(activator, NULL, changed, NULL,
					    NULL));
	kl_close(activator);
	close_pair();
}

KT_SUITE("lib-name")
{
	kl_test(owning);
	kl_test(bad_names);
	kl_test(limits);
	kl_test(lists);
	kl_test(watching);
	kl_test(unwatching_from_within);
	kl_test(bad_watches);
}
