// SPDX-License-Identifier: GPL-2.0-only
/* CONN_INFO: what it tells */

#include <grp.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(256 * KIB)
#define NAME	"foo.bar"
#define USER	20221
#define GROUP	20222

static struct bus bus;
static struct conn a, b;	/* a asks about b */
static struct facts *facts;

static void prepare(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&a, &bus, 0, NULL);
	meta_open(&b, &bus, 0, "asked");
	facts = facts_new();
	facts_now(facts);
}

START_TEST(layout)
{
	static const u64 want[] = {
		CREDS, TID_COMM, PID_COMM, EXE, CMDLINE, CAPS, CGROUP, AUDIT,
		SECLABEL, NAMES, NAMES, CONN_NAME,
	};
	const struct kdbus_info *inf;
	unsigned int n = 0;
	struct meta m;
	size_t i;

	prepare();
	kt_assert_ret(name_acquire(&b, NAME, ALLOW), 0, "acquire");
	kt_assert_ret(name_acquire(&b, "a.a", 0), 0, "acquire");
	inf = conn_info_meta(&a, b.id, ALL, &m);
	kt_check(inf->flags == 0, "flags %#llx", inf->flags);
	facts_expect(facts, &m, RECORD, NAMES | CONN_NAME, "info");
	for (i = 0; i < ARRAY_SIZE(want); i++) {
		u64 type = meta_types[__builtin_ctzll(want[i])];

		if ((want[i] & TASK) && !(want[i] & facts_bits(facts)))
			continue;
		kt_assert(n < m.n, "only %u items", m.n);
		kt_check(m.items[n]->type == type, "item %u: type %#llx", n,
			 m.items[n]->type);
		n++;
	}
	kt_check(n == m.n, "%u items", m.n);
	meta_expect_names(&m, (const char *[]) { NAME, "a.a", NULL },
			  (u64[]) { ALLOW, 0 });
	meta_expect_str(&m, KDBUS_ITEM_CONN_NAME, "asked");
}
END_TEST

/* flags select what is about the connection, the rest is always there */
START_TEST(flags_select)
{
	struct meta m;
	u32 state = kt_seed;
	int i;

	prepare();
	kt_assert_ret(name_acquire(&b, NAME, 0), 0, "acquire");
	for (i = 0; i < 60; i++) {
		u64 f = i < 13 ? 1ULL << i : i == 13 ? 0 : kt_rand(&state);
		const struct kdbus_info *inf;

		f &= ALL;
		inf = conn_info_meta(&a, b.id, f, &m);
		facts_expect(facts, &m, RECORD, f & (NAMES | CONN_NAME),
			     "info");
		kt_check_ret(info_free(&a, inf), 0, "FREE");
		inf = conn_info_meta(&a, a.id, f, &m);
		facts_expect(facts, &m, RECORD, 0, "about itself");
		kt_check_ret(info_free(&a, inf), 0, "FREE");
	}
	kt_check(pool_used(&a) == 0, "pool");
}
END_TEST

static void check_about(struct conn *from, struct conn *to, u64 flags,
			const char *name)
{
	const struct kdbus_info *inf;
	struct meta m;

	inf = conn_info_meta(from, to->id, NAMES, &m);
	kt_check(inf->flags == flags, "flags %#llx", inf->flags);
	facts_expect(facts, &m, RECORD, flags == ACT ? NAMES : 0, "by id");
	if (!name)
		return;
	kt_assert_ret(conn_info(from, 0, name, 0, &inf), 0, "by name");
	kt_check(inf->id == to->id && inf->flags == flags,
		 "%s: id %llu, flags %#llx", name, inf->id, inf->flags);
	meta_of_info(&m, inf);
	facts_expect(facts, &m, RECORD, 0, "by name");
}

/* everybody may ask about everybody */
START_TEST(connection_types)
{
	static const u64 flags[] = { 0, KDBUS_HELLO_ACCEPT_FD, ACT, HOLDER,
		MON, MON | KDBUS_HELLO_ACCEPT_FD };
	static const char *const names[] = { NULL, NULL, NAME, "a.hold", NULL,
		NULL };
	struct conn c[ARRAY_SIZE(flags)];
	size_t i, j;

	prepare();
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		meta_special(&c[i], &bus, flags[i], 0, names[i]);
	for (i = 0; i < ARRAY_SIZE(flags); i++)
		for (j = 0; j < ARRAY_SIZE(flags); j++)
			check_about(&c[i], &c[j], flags[j],
				    flags[j] == ACT ? NAME : NULL);
	kt_check_ret(conn_info(&a, 0, "a.hold", 0, NULL), -ESRCH,
		     "held, not owned");
}
END_TEST

/* who cannot free has one result, which the next one replaces */
START_TEST(who_cannot_free)
{
	struct conn act;
	u64 used;
	int i;

	prepare();
	meta_special(&act, &bus, ACT, 0, NAME);
	kt_assert_ret(conn_info(&act, b.id, NULL, 0, NULL), 0, "first");
	used = pool_used(&act);
	for (i = 0; i < 300; i++)
		kt_assert_ret(conn_info(&act, b.id, NULL, 0, NULL), 0,
			      "number %d", i);
	kt_check(pool_used(&act) == used, "%llu bytes, then %llu", used,
		 pool_used(&act));
}
END_TEST

/* by name: the owner, be it an activator, never who waits */
START_TEST(owner)
{
	const struct kdbus_info *i;
	struct conn act;

	prepare();
	meta_special(&act, &bus, ACT, 0, NAME);
	kt_assert_ret(conn_info(&a, 0, NAME, 0, &i), 0, "by name");
	kt_check(i->id == act.id, "%llu", i->id);
	kt_assert_ret(name_acquire(&a, NAME, 0), 0, "acquire");
	kt_assert_ret(name_acquire(&b, NAME, QUEUE), 0, "queue");
	kt_assert_ret(conn_info(&a, 0, NAME, 0, &i), 0, "by name");
	kt_check(i->id == a.id, "%llu", i->id);
	kt_assert_ret(name_release(&a, NAME), 0, "release");
	kt_assert_ret(conn_info(&a, 0, NAME, 0, &i), 0, "by name");
	kt_check(i->id == b.id, "%llu", i->id);
}
END_TEST

/* names are those of now */
START_TEST(names_now)
{
	struct meta m;

	prepare();
	conn_info_meta(&a, b.id, NAMES, &m);
	facts_expect(facts, &m, RECORD, 0, "none");
	kt_assert_ret(name_acquire(&a, NAME, ALLOW), 0, "acquire");
	kt_assert_ret(name_acquire(&b, NAME, QUEUE), 0, "queue");
	conn_info_meta(&a, b.id, NAMES, &m);
	facts_expect(facts, &m, RECORD, 0, "waiting");
	kt_assert_ret(name_release(&a, NAME), 0, "release");
	conn_info_meta(&a, b.id, NAMES, &m);
	meta_expect_names(&m, (const char *[]) { NAME, NULL },
			  (u64[]) { QUEUE });
}
END_TEST

static int open_fn(void *arg)
{
	(void)arg;
	prctl(PR_SET_NAME, "opener");
	facts_now(facts);
	return open_endpoint(&bus);
}

static void *hello_thread(void *arg)
{
	struct blob h;

	prctl(PR_SET_NAME, "greeter");
	hello_init(&h, 0, POOL);
	kt_assert_ret(conn_try_hello(&b, &bus, *(int *)arg, &h), 0, "HELLO");
	return NULL;
}

/* what is told is who opened the node, not who said HELLO or holds it now */
START_TEST(recorded_at_open)
{
	struct meta m;
	int fd;

	prepare();
	fd = ns_run(0, -1, open_fn, NULL);
	kt_assert(!setgroups(1, (gid_t[]) { GROUP }), "setgroups: %m");
	kt_assert(!setresgid(GROUP, GROUP, GROUP), "setresgid: %m");
	kt_become(USER);
	kt_join(kt_thread(hello_thread, &fd));
	conn_info_meta(&a, b.id, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "open by a child");
	kt_check(meta_creds(&m)->uid == 0, "uid %llu", meta_creds(&m)->uid);
	kt_become(0);
	conn_info_meta(&a, b.id, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "later");
}
END_TEST

static void *thread_fn(void *arg)
{
	prctl(PR_SET_NAME, "a thread");
	facts_now(facts);
	meta_open(arg, &bus, 0, NULL);
	return NULL;
}

/* also by a thread that is no more */
START_TEST(recorded_of_thread)
{
	struct conn c;
	struct meta m;

	prepare();
	kt_join(kt_thread(thread_fn, &c));
	kt_check(facts->creds.tid != facts->creds.pid, "test bug");
	conn_info_meta(&a, c.id, 0, &m);
	facts_expect(facts, &m, RECORD, 0, "thread");
}
END_TEST

/* the asker need not be anybody, and the mask of the asked has no say */
START_TEST(unprivileged)
{
	struct conn u;
	struct meta m;

	prepare();
	kt_become(USER);
	meta_open(&u, &bus, 0, NULL);
	conn_info_meta(&u, b.id, ALL, &m);
	facts_expect(facts, &m, RECORD, CONN_NAME, "info");
	kt_check_ret(conn_send_bytes(&u, b.id, 1, NULL, 0), -EPERM,
		     "and it may not talk to it");
}
END_TEST

KT_SUITE("info-result")
{
	kt_test(layout);
	kt_test(flags_select);
	kt_test(connection_types);
	kt_test(who_cannot_free);
	kt_test(owner);
	kt_test(names_now);
	kt_test(recorded_at_open);
	kt_test(recorded_of_thread);
	kt_test(unprivileged);
}
