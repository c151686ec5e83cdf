// SPDX-License-Identifier: GPL-2.0-only
/*
 * Policies that change while they are asked. Each test runs for a bounded time;
 * only what one of the policies allows may come out.
 */

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(64 * KIB)
#define OWNER	20270
#define USER	20271
#define RACE_MS	2000
#define MAX	6

/*
 * in: on the endpoint, of root; user: on the bus, of nobody special; out: on
 * the bus, of root, owns "a.one", "a.two" and "a.three"
 */
static struct bus bus, ep;
static struct conn in, user, out;

static bool stop;
static pthread_t threads[MAX];
static unsigned int n_threads, done[MAX];

static bool on(void)
{
	return !__atomic_load_n(&stop, __ATOMIC_SEQ_CST) && !kt->failures;
}

struct work {
	void (*fn)(void);
	unsigned int *done;
};

static void *work_thread(void *arg)
{
	struct work *w = arg;

	while (on()) {
		w->fn();
		__atomic_add_fetch(w->done, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* until the time is over and each has been round a few times */
static bool busy(u64 end)
{
	unsigned int i;

	if (kt->failures)
		return false;
	if (kt_now_ms() < end)
		return true;
	for (i = 0; i < n_threads; i++)
		if (__atomic_load_n(&done[i], __ATOMIC_SEQ_CST) < 5)
			return true;
	return false;
}

static void run(void (*updater)(void), void (*const *fns)(void))
{
	static struct work w[MAX];
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int i, rounds = 0;

	stop = false;
	for (n_threads = 0; fns[n_threads]; n_threads++) {
		w[n_threads].fn = fns[n_threads];
		w[n_threads].done = &done[n_threads];
		done[n_threads] = 0;
	}
	for (i = 0; i < n_threads; i++)
		threads[i] = kt_thread(work_thread, &w[i]);
	for (; busy(end); rounds++)
		updater();
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < n_threads; i++)
		kt_join(threads[i]);
	kt_check(rounds >= 5, "only %u rounds", rounds);
}

#define RUN(updater, ...) do {						\
	static void (*const __fns[])(void) = { __VA_ARGS__, NULL };	\
									\
	run(updater, __fns);						\
} while (0)

static void prepare(const char *policy)
{
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, "%s", policy);
	conn_open(&in, &ep, POOL);
	conn_open(&out, &bus, POOL);
	user_open(&user, &bus, USER);
	kt_assert_ret(name_acquire(&out, "a.one", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&out, "a.two", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&out, "a.three", 0), 0, "acquire");
}

/* a message to @out that arrives if it was sent; nobody else sends to it */
static int send_and_drop(struct conn *from)
{
	int ret = send_id(from, out.id);

	kt_check_ret(conn_recv_flags(&out, KDBUS_RECV_DROP, NULL),
		     ret ? -EAGAIN : 0, "after %s", kt_err(ret));
	return ret;
}

/* ------------------------------------------------------------------------ */
/* Two policies that agree: the swap is not to be noticed */

static void swap_ep(void)
{
	ep_set(&ep, "a.one w:t");
	ep_set(&ep, "a.two w:t");
}

static void must_send(void)
{
	kt_check_ret(send_and_drop(&in), 0, "send");
}

static void must_be_seen(void)
{
	kt_check_ret(info_id(&in, out.id), 0, "CONN_INFO");
}

static void must_hide(void)
{
	u64 flags = KDBUS_NAME_LIST_NAMES | KDBUS_NAME_LIST_UNIQUE;

	kt_check(!list_count(&in, flags, out.id, "a.three"), "listed");
	kt_check_ret(info_name(&in, "a.three"), -ENOENT, "CONN_INFO");
	kt_check_ret(name_release(&in, "a.three"), -ENOENT, "release");
	kt_check_ret(name_acquire(&in, "a.one", 0), -EPERM, "acquire");
}

START_TEST(swap_on_endpoint)
{
	prepare("a.one w:t");
	RUN(swap_ep, must_send, must_be_seen, must_hide);
}
END_TEST

static struct conn holder;

static void swap_bus(void)
{
	kt_check_ret(conn_update(&holder, "a.one w:t"), 0, "update");
	kt_check_ret(conn_update(&holder, "a.two w:t"), 0, "update");
	/* a refused one is none */
	kt_check_ret(conn_update(&holder, "a.two -:t"), -EINVAL, "update");
}

static void user_must_send(void)
{
	kt_check_ret(send_and_drop(&user), 0, "send");
}

static void user_must_not_own(void)
{
	kt_check_ret(name_acquire(&user, "a.one", 0), -EPERM, "a.one");
	kt_check_ret(name_acquire(&user, "a.two", 0), -EPERM, "a.two");
}

START_TEST(swap_on_bus)
{
	prepare(NO_POLICY);
	holder_open(&holder, &bus, "a.one w:t");
	RUN(swap_bus, user_must_send, user_must_not_own);
}
END_TEST

static void swap_cast(void)
{
	ep_set(&ep, "in.one w:t a.one w:s");
	ep_set(&ep, "a.two w:s in.two w:t");
}

static void must_be_heard(void)
{
	kt_check(hears(&out, &in), "a broadcast got lost");
}

START_TEST(swap_broadcast)
{
	prepare("in.* w:o");
	match_casts(&in);
	kt_assert_ret(name_acquire(&in, "in.one", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&in, "in.two", 0), 0, "acquire");
	ep_set(&ep, "in.one w:t a.one w:s");
	RUN(swap_cast, must_be_heard);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Two policies that do not: either answer, and the new one at once */

static struct conn probe;

static void toggle_ep(void)
{
	ep_set(&ep, "a.one w:t in.* w:o");
	kt_check_ret(info_name(&probe, "a.one"), 0, "granted");
	ep_set(&ep, NO_POLICY);
	kt_check_ret(info_name(&probe, "a.one"), -ENOENT, "cleared");
	kt_check_ret(send_id(&probe, out.id), -ENOENT, "cleared");
	kt_check_ret(name_acquire(&probe, "in.three", 0), -EPERM, "cleared");
}

static void either(int ret, int err, const char *what)
{
	kt_check(!ret || ret == -err, "%s: %s", what, kt_err(ret));
}

static void may_send(void)
{
	either(send_and_drop(&in), ENOENT, "send");
}

static void may_own(void)
{
	int ret = name_acquire(&in, "in.one", 0);

	either(ret, EPERM, "acquire");
	if (!ret)
		kt_check_ret(name_release(&in, "in.one"), 0, "release");
}

static void may_see(void)
{
	unsigned int n;

	either(info_id(&in, out.id), ENOENT, "CONN_INFO");
	either(info_name(&in, "a.one"), ENOENT, "CONN_INFO");
	n = list_count(&in, KDBUS_NAME_LIST_NAMES, out.id, "a.one");
	kt_check(n <= 1, "listed %u times", n);
	n += list_count(&in, KDBUS_NAME_LIST_NAMES, out.id, "a.two");
	kt_check(n <= 1, "a name that is never shown");
}

START_TEST(toggle_endpoint)
{
	prepare(NO_POLICY);
	conn_open(&probe, &ep, POOL);
	RUN(toggle_ep, may_send, may_own, may_see);
}
END_TEST

/* an entry more specific comes and goes with its owner */
static void toggle_exact(void)
{
	struct conn h;

	holder_open(&h, &bus, "a.one u0:o");
	kt_check_ret(name_acquire(&probe, "a.one", 0), -EPERM, "exact");
	conn_close(&h);
	kt_check_ret(name_acquire(&probe, "a.one", 0), -EEXIST, "wildcard");
}

static void may_talk(void)
{
	either(send_and_drop(&user), EPERM, "send");
}

static void may_not_own(void)
{
	int ret = name_acquire(&user, "a.one", 0);

	kt_check(ret == -EPERM || ret == -EEXIST, "acquire: %s", kt_err(ret));
}

START_TEST(toggle_specific)
{
	prepare(NO_POLICY);
	user_open(&probe, &bus, USER);
	kt_assert_ret(name_release(&out, "a.two"), 0, "release");
	kt_assert_ret(name_release(&out, "a.three"), 0, "release");
	holder_open(&holder, &bus, "a.* w:o");
	RUN(toggle_exact, may_talk, may_not_own);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Owners of entries against each other, and against their end */

static unsigned int held;

static void hold(void)
{
	struct conn h;
	int ret;

	ret = holder_try_open(&h, &bus, HOLDER, "a.one w:t");
	either(ret, EEXIST, "HELLO");
	if (ret)
		return;
	kt_check(__atomic_add_fetch(&held, 1, __ATOMIC_SEQ_CST) == 1,
		 "two entries for a name");
	__atomic_sub_fetch(&held, 1, __ATOMIC_SEQ_CST);
	conn_close(&h);
}

START_TEST(one_holder)
{
	prepare(NO_POLICY);
	held = 0;
	RUN(hold, hold, hold, may_talk);
	kt_check_ret(send_and_drop(&user), -EPERM, "an entry is left");
}
END_TEST

/* the updates of one holder: the last one counts, and all of it */
static void update_a(void)
{
	kt_check_ret(conn_update(&holder, "a.one w:t"), 0, "update");
}

static void update_b(void)
{
	kt_check_ret(conn_update(&holder, "a.two w:t"), 0, "update");
}

START_TEST(two_updaters)
{
	struct conn h;

	prepare(NO_POLICY);
	holder_open(&holder, &bus, "a.one w:t");
	RUN(update_a, update_b, user_must_send);
	update_a();
	kt_check_ret(holder_try_open(&h, &bus, HOLDER, "a.one"), -EEXIST,
		     "has it");
	holder_open(&h, &bus, "a.two");
	conn_close(&holder);
	kt_check_ret(send_and_drop(&user), -EPERM, "an entry is left");
}
END_TEST

/* an endpoint comes and goes under those who use it */
static struct {
	struct bus ep;
	struct conn c;
} mortal;

static int use_it(void *arg)
{
	struct conn *c = &mortal.c;
	int i, ret = 0;
	u64 off;

	(void)arg;
	for (i = 0; i < 200 && ret != -ECONNRESET; i++) {
		switch (i % 5) {
		case 0:
			ret = send_id(c, out.id);
			break;
		case 1:
			ret = name_acquire(c, "in.one", 0);
			break;
		case 2:
			ret = name_list(c, KDBUS_NAME_LIST_NAMES, &off);
			break;
		case 3:
			ret = cast(c, 1);
			break;
		case 4:
			ret = name_release(c, "in.one");
			break;
		}
		kt_check(!ret || ret == -ENOENT || ret == -EPERM ||
			 ret == -ECONNRESET || ret == -ENOBUFS ||
			 ret == -ESRCH, "step %d: %s", i, kt_err(ret));
	}
	return ret;
}

static int end_it(void *arg)
{
	(void)arg;
	ep_update(&mortal.ep, NO_POLICY);
	ep_update(&mortal.ep, "a.one w:t");
	bus_close(&mortal.ep);
	return 0;
}

START_TEST(endpoint_ends)
{
	u64 end = kt_now_ms() + RACE_MS;
	int ret[2];

	prepare(NO_POLICY);
	while (kt_now_ms() < end && !kt->failures) {
		ep_make(&mortal.ep, &bus, "a.one w:t in.one w:o");
		conn_open(&mortal.c, &mortal.ep, POOL);
		pair_run(use_it, end_it, NULL, ret);
		kt_check_ret(conn_recv(&mortal.c, NULL), -ECONNRESET, "alive");
		kt_check_ret(send_name(&out, "in.one", 1), -ESRCH, "in.one");
		conn_drain(&out);
		conn_close(&mortal.c);
	}
}
END_TEST

/* a special and an ordinary one on a handle: nothing of the loser stays */
static struct {
	int fd;
	u64 type;
	const char *name;
} handle;

static int hello_special(void *arg)
{
	struct blob b;
	int i;

	(void)arg;
	hello_init(&b, handle.type, 4096);
	policy_text(&b, "%s w:t", handle.name);
	/* so that it takes a while */
	for (i = 0; i < 700; i++)
		policy_access(&b, KDBUS_POLICY_ACCESS_USER, SEE, i);
	return kt_cmd(handle.fd, KDBUS_CMD_HELLO, &b);
}

static int hello_plain(void *arg)
{
	(void)arg;
	return hello(handle.fd, 0, 4096);
}

/* @loser, @winner: what a message of the user to the name then gives */
static void race_special(int loser, int winner)
{
	u64 end = kt_now_ms() + RACE_MS;
	int ret[2], lost;

	while (kt_now_ms() < end && !kt->failures) {
		handle.fd = open_endpoint(&bus);
		pair_run(hello_special, hello_plain, NULL, ret);
		lost = ret[0] ? ret[0] : ret[1];
		kt_check(!ret[0] != !ret[1] &&
			 (lost == -EBADFD || lost == -ENOTTY),
			 "results %s, %s", kt_err(ret[0]), kt_err(ret[1]));
		kt_check_ret(send_name(&user, handle.name, 1),
			     ret[0] ? loser : winner, "HELLO gave %s",
			     kt_err(ret[0]));
		close(handle.fd);
		kt_check_ret(send_name(&user, handle.name, 1), loser,
			     "HELLO gave %s, closed", kt_err(ret[0]));
		conn_drain(&out);
	}
}

START_TEST(losing_holder)
{
	prepare(NO_POLICY);
	handle.type = HOLDER;
	handle.name = "a.one";
	race_special(-EPERM, 0);
}
END_TEST

START_TEST(losing_activator)
{
	prepare(NO_POLICY);
	handle.type = ACTIVATOR;
	handle.name = "idle.name";
	race_special(-ESRCH, 0);
}
END_TEST

KT_SUITE_LATE("policy-race")
{
	kt_test(swap_on_endpoint);
	kt_test(swap_on_bus);
	kt_test(swap_broadcast);
	kt_test(toggle_endpoint);
	kt_test(toggle_specific);
	kt_test(one_holder);
	kt_test(two_updaters);
	kt_test(endpoint_ends);
	kt_test(losing_holder);
	kt_test(losing_activator);
}
