// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slow sender addresses a name, which changes hands before the payload is
 * there. The change does not wait, and the message goes to the new owner or
 * nowhere, never to the old one.
 */
#include <poll.h>
#include <unistd.h>

#include "slow-util.h"

#define POOL	(256 * KIB)
#define NAME	"the.name"

enum who { NOBODY, OLD, NEW };

static struct bus bus;
static struct conn sender, old, new, activator;
static struct slow_send slow;

static void own(void)
{
	kt_assert_ret(name_acquire(&old, NAME, ALLOW), 0, "the old owner");
}

static void own_and_queue(void)
{
	own();
	kt_assert_ret(name_acquire(&new, NAME, QUEUE), 0, "who waits");
}

static void activate(void)
{
	activator_open(&activator, &bus, 0, NAME, POOL);
}

static void activate_and_own(void)
{
	activate();
	own();
}

static void *release(void *arg)
{
	(void)arg;
	kt_check_ret(name_release(&old, NAME), 0, "NAME_RELEASE");
	return NULL;
}

static void *acquire(void *arg)
{
	(void)arg;
	kt_check_ret(name_acquire(&new, NAME, 0), 0, "NAME_ACQUIRE");
	return NULL;
}

static void *change(void *arg)
{
	release(arg);
	return acquire(arg);
}

static void *change_and_back(void *arg)
{
	release(arg);
	acquire(arg);
	kt_check_ret(name_release(&new, NAME), 0, "NAME_RELEASE");
	kt_check_ret(name_acquire(&old, NAME, 0), 0, "NAME_ACQUIRE");
	return NULL;
}

static void *replace(void *arg)
{
	(void)arg;
	kt_check_ret(name_acquire(&new, NAME, REPLACE), 0, "replace");
	return NULL;
}

static void *leave(void *arg)
{
	(void)arg;
	kt_check_ret(conn_byebye(&old), 0, "BYEBYE");
	return NULL;
}

static void *close_old(void *arg)
{
	(void)arg;
	close(old.fd);
	return NULL;
}

static void *replace_and_leave(void *arg)
{
	replace(arg);
	return leave(arg);
}

static void *close_and_acquire(void *arg)
{
	close_old(arg);
	return acquire(arg);
}

static void *release_and_close_activator(void *arg)
{
	release(arg);
	conn_close(&activator);
	return NULL;
}

static const struct row {
	const char *what;
	void (*before)(void);
	void *(*during)(void *arg);
	bool by_id;		/* and only if it still is the old one */
	u64 flags;
	int ret;
	enum who gets;
	bool old_gone;
} rows[] = {
	{ "released", own, release, false, 0, ESRCH, NOBODY, false },
	{ "released, acquired by another", own, change, false, 0, 0, NEW,
	  false },
	{ "released, acquired by another, for one", own, change, true, 0,
	  EREMCHG, NOBODY, false },
	{ "there and back again", own, change_and_back, false, 0, 0, OLD,
	  false },
	{ "there and back again, for one", own, change_and_back, true, 0, 0,
	  OLD, false },
	{ "replaced", own, replace, false, 0, 0, NEW, false },
	{ "replaced, for one", own, replace, true, 0, EREMCHG, NOBODY, false },
	{ "released to who waits", own_and_queue, release, false, 0, 0, NEW,
	  false },
	{ "replaced, then leaves", own, replace_and_leave, false, 0, 0, NEW,
	  true },
	{ "owner leaves", own, leave, false, 0, ESRCH, NOBODY, true },
	{ "owner leaves, another waits", own_and_queue, leave, false, 0, 0,
	  NEW, true },
	{ "owner closes", own, close_old, false, 0, ESRCH, NOBODY, true },
	{ "owner closes, another waits", own_and_queue, close_old, false, 0, 0,
	  NEW, true },
	{ "owner closes, another comes", own, close_and_acquire, false, 0, 0,
	  NEW, true },
	{ "owner closes, for one", own, close_and_acquire, true, 0, EREMCHG,
	  NOBODY, true },
	{ "activated", activate, acquire, false, 0, 0, NEW, false },
	{ "implementor changes", activate_and_own, change, false, 0,
	  0, NEW, false },
	{ "implementor is replaced", activate_and_own, replace, false, 0, 0,
	  NEW, false },
	{ "handed back, no activation", activate_and_own, release, false,
	  NOAUTO, EADDRNOTAVAIL, NOBODY, false },
	{ "handed back, activator dies", activate_and_own,
	  release_and_close_activator, false, 0, ESRCH, NOBODY, false },
};

static void expect_slow(struct conn *c, bool want, const char *what,
			const char *who)
{
	const struct kdbus_msg *m;
	u64 off;
	int ret = conn_recv(c, &off);

	if (!kt_check_ret(ret, want ? 0 : -EAGAIN, "%s: recv of the %s", what,
			  who) || ret)
		goto out;
	m = conn_msg(c, off);
	kt_check(m->src_id == sender.id && m->cookie == 1 &&
		 slow_mem_filled(c->pool + off + m->size),
		 "%s: not the message that was sent", what);
	kt_check_ret(conn_free(c, off), 0, "FREE");
out:
	kt_check_ret(conn_recv(c, NULL), -EAGAIN, "%s: the %s has more", what,
		     who);
	kt_check(!pool_used(c), "%s: the %s: %llu bytes in use", what, who,
		 pool_used(c));
}

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&sender, &bus, POOL);
	conn_open(&old, &bus, POOL);
	conn_open(&new, &bus, POOL);
}

static void try_row(const struct row *r)
{
	enum who gets = r->gets;
	int ret;

	prepare();
	r->before();
	msg_init(&slow.m, r->by_id ? old.id : KDBUS_DST_ID_NAME, 1);
	slow.m.msg.flags = r->flags;
	blob_add_str(&slow.m, KDBUS_ITEM_DST_NAME, NAME);
	slow_send_start(&slow, &sender);
	must_return(r->during, NULL, r->what);
	ret = slow_send_end(&slow);
	kt_check_ret(ret, -r->ret, "%s: the slow send", r->what);
	if (!r->old_gone)
		expect_slow(&old, gets == OLD, r->what, "old owner");
	expect_slow(&new, gets == NEW, r->what, "new owner");
	close(slow.mem.uffd);
	bus_close(&bus);
}

START_TEST(name_moves_on)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(rows); i++)
		try_row(&rows[i]);
}
END_TEST

/* what arrives at the activator after all is there for the next implementor */
START_TEST(handed_back)
{
	prepare();
	activate_and_own();
	slow_send_to(&slow, &sender, KDBUS_DST_ID_NAME, NAME);
	must_return(release, NULL, "hand-back to the activator");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	kt_check(fd_poll(activator.fd, 0) & POLLIN, "activator not woken");
	kt_check(!pool_used(&old), "the old owner holds space");
	kt_check_ret(name_acquire(&new, NAME, 0), 0, "next implementor");
	expect_slow(&new, true, "handed back", "next implementor");
	kt_check(!pool_used(&activator), "the activator holds space");
}
END_TEST

/* a request is owed by who has received it, and by nobody else */
START_TEST(request_moves_on)
{
	prepare();
	own();
	request_init(&slow.m, KDBUS_DST_ID_NAME, NAME, 1, NEVER);
	slow_send_start(&slow, &sender);
	must_return(replace, NULL, "replacement of the owner");
	kt_check_ret(slow_send_end(&slow), 0, "the slow request");
	kt_check_ret(conn_byebye(&old), 0, "BYEBYE of the old owner");
	expect_empty(&sender);
	expect_slow(&new, true, "request", "new owner");
	expect_empty(&sender);
	conn_close(&new);
	expect_note(&sender, KDBUS_ITEM_REPLY_DEAD, 1);
}
END_TEST

/* payload that cannot be read is in no message, wherever that goes */
START_TEST(faults_and_moves_on)
{
	struct conn monitor;

	prepare();
	own_and_queue();
	kt_assert_ret(conn_try_open(&monitor, &bus, KDBUS_HELLO_MONITOR, POOL),
		      0, "a monitor");
	slow_send_to(&slow, &sender, KDBUS_DST_ID_NAME, NAME);
	must_return(leave, NULL, "BYEBYE of the owner");
	kt_check_ret(slow_send_fault(&slow), -EFAULT, "the slow send");
	expect_empty(&new);
	expect_empty(&monitor);
}
END_TEST

static void *other_names(void *arg)
{
	u64 off, flags;
	int i;

	(void)arg;
	for (i = 0; i < 5; i++) {
		kt_check_ret(name_acquire(&new, "an.other", ALLOW), 0,
			     "NAME_ACQUIRE");
		kt_check_ret(name_acquire(&old, "an.other", REPLACE), 0,
			     "replace");
		kt_check_ret(name_acquire(&new, "an.other", QUEUE), 0, "queue");
		kt_check_ret(name_release(&old, "an.other"), 0, "NAME_RELEASE");
		kt_check(name_owner(&sender, "an.other", &flags) == new.id,
			 "NAME_LIST: not the owner");
		kt_check_ret(name_list(&old, KDBUS_NAME_LIST_UNIQUE, &off), 0,
			     "NAME_LIST");
		kt_check_ret(conn_free(&old, off), 0, "FREE");
		kt_check_ret(send_name(&old, "an.other", i), 0,
			     "send to the other name");
		expect_msg(&new, i, 0);
		kt_check_ret(send_name(&new, NAME, i), 0,
			     "send to the same name");
		expect_msg(&old, i, 0);
		kt_check_ret(name_release(&new, "an.other"), 0, "NAME_RELEASE");
	}
	return NULL;
}

START_TEST(other_names_meanwhile)
{
	prepare();
	own();
	slow_send_to(&slow, &sender, KDBUS_DST_ID_NAME, NAME);
	must_return(other_names, NULL, "another name");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&old, true, "other names", "owner");
}
END_TEST

KT_SUITE("slow_names")
{
	kt_test(name_moves_on);
	kt_test(handed_back);
	kt_test(request_moves_on);
	kt_test(faults_and_moves_on);
	kt_test(other_names_meanwhile);
}
