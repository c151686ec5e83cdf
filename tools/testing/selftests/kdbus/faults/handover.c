// SPDX-License-Identifier: GPL-2.0-only
/*
 * No memory while messages move between an activator and a service: nobody's call
 * fails for that, and messages that cannot move wait where they are.
 */

#include <unistd.h>

#include "fault-util.h"

#define NAME	"fault.name"
#define FEW	1
#define MANY	5
#define SIZE	1000	/* bytes; each has a part in a page that is not there yet */

/* connections: who asks, who serves, the activator */
enum { ASKS, SERVES, ACT };

static struct fault_world w;
static unsigned int n;		/* messages that wait */
static unsigned int failed;	/* calls */
static unsigned int stayed;	/* calls that left messages where they were */

static u64 queued(struct fault_world *w, unsigned int who)
{
	return fdinfo(&w->c[who], "queued:");
}

static void check_owner(struct fault_world *w, unsigned int who)
{
	u64 flags = 0, id = name_owner(&w->watch, NAME, &flags);

	kt_check(id == w->c[who].id, "owner is %llu, not %llu", id,
		 w->c[who].id);
	kt_check(!(flags & KDBUS_NAME_ACTIVATOR) == (who != ACT),
		 "flags %#llx of the owner", flags);
}

static int acquire_call(struct fault_world *w)
{
	return name_acquire(&w->c[SERVES], NAME, 0);
}

static int release_call(struct fault_world *w)
{
	return name_release(&w->c[SERVES], NAME);
}

/* requests wait at the activator, and a service has come */
static void waiting_before(struct fault_world *w)
{
	static const u8 bytes[SIZE];
	struct blob m;
	u64 i;

	kt_become(FAULT_OWNER);
	activator_open(&w->c[ACT], &w->bus, 0, NAME, FAULT_POOL);
	kt_become(0);
	for (i = 1; i <= n; i++) {
		request_init(&m, 0, NAME, i, NEVER);
		msg_vec(&m, bytes, sizeof(bytes));
		kt_check_ret(conn_send(&w->c[ASKS], &m), 0, "request %llu", i);
	}
	fault_open(w, SERVES, FAULT_OWNER, 0, 0);
	kt_check(queued(w, ACT) == n, "not all wait");
}

static void served_before(struct fault_world *w)
{
	waiting_before(w);
	kt_check_ret(acquire_call(w), 0, "NAME_ACQUIRE");
	kt_check(queued(w, SERVES) == n, "not all moved");
}

static void still_owned(struct fault_world *w, unsigned int who)
{
	failed++;
	check_owner(w, who);
	kt_check(queued(w, who) == n, "%llu of %u are left", queued(w, who), n);
}

static void waiting_still(struct fault_world *w)
{
	still_owned(w, ACT);
}

static void served_still(struct fault_world *w)
{
	still_owned(w, SERVES);
}

/*
 * Nobody receives: what has stayed comes by itself. On its way it is nowhere, and for
 * a moment in both places.
 */
static void wait_moved(struct fault_world *w)
{
	u64 end = kt_now_ms() + 20000;

	while ((queued(w, SERVES) < n || queued(w, ACT)) && kt_now_ms() < end)
		usleep(1000);
	kt_check(queued(w, ACT) == 0 && queued(w, SERVES) == n,
		 "%llu have not followed, %llu of %u have", queued(w, ACT),
		 queued(w, SERVES), n);
}

/* all are there, in order, and can be answered */
static void answer_all(struct fault_world *w)
{
	u64 i;

	for (i = 1; i <= n; i++) {
		kt_check(fault_take(&w->c[SERVES]) == i, "not number %llu", i);
		kt_check_ret(reply(&w->c[SERVES], w->c[ASKS].id, i), 0,
			     "reply %llu", i);
		kt_check(fault_take(&w->c[ASKS]) == i + 1000, "reply %llu", i);
	}
}

/* the activator has its name, and does what it is for */
static void activate_again(struct fault_world *w)
{
	check_owner(w, ACT);
	kt_check_ret(send_name(&w->c[ASKS], NAME, 1), 0, "to the activator");
	kt_check(queued(w, ACT) == 1, "it does not wait");
	kt_check_ret(acquire_call(w), 0, "NAME_ACQUIRE, again");
	kt_check(fault_take(&w->c[SERVES]) == 1, "it did not move");
	fault_close(w, SERVES);
	check_owner(w, ACT);
	fault_close(w, ACT);
	kt_check(!name_owner(&w->watch, NAME, NULL), "there is an owner");
}

static void waiting_after(struct fault_world *w, bool fault)
{
	u64 here = queued(w, SERVES);

	check_owner(w, SERVES);
	kt_check(fault || here == n, "%llu of %u moved", here, n);
	stayed += here < n;
	wait_moved(w);
	answer_all(w);
	kt_check_ret(release_call(w), 0, "NAME_RELEASE");
	activate_again(w);
}

/* all or none went back; what did not is still the service's to receive */
static void served_after(struct fault_world *w, bool fault)
{
	u64 here = queued(w, SERVES), there = queued(w, ACT);

	check_owner(w, ACT);
	kt_check(fault || !here, "not all went back");
	kt_check(here + there == n && !(here && there),
		 "%llu went back, %llu have not, of %u", there, here, n);
	stayed += !!here;
	if (there)
		kt_check_ret(acquire_call(w), 0, "NAME_ACQUIRE, once more");
	answer_all(w);
	if (there)
		kt_check_ret(release_call(w), 0, "NAME_RELEASE, once more");
	activate_again(w);
}

/* returns how many calls failed */
static unsigned int run_with(const struct fault_scene *s, unsigned int messages)
{
	n = messages;
	failed = 0;
	fault_run(&w, s);
	return failed;
}

/*
 * A call may fail for want of what it needs itself, and that is as much with many
 * messages as with few; but for pages of slabs, which come at any time.
 */
static void check_scene(const struct fault_scene *s)
{
	unsigned int few, many;

	fault_world(&w);
	fault_open(&w, ASKS, FAULT_OWNER, 0, 0);
	stayed = 0;
	few = run_with(s, FEW);
	many = run_with(s, MANY);
	kt_note("%u failures with few messages, %u with many; messages stayed %u times",
		few, many, stayed);
	kt_check(many < few + MANY - FEW,
		 "%s fails %u times with %u messages, %u with %u", s->name,
		 few, FEW, many, MANY);
	kt_check(stayed > 0, "%s: all messages moved each time", s->name);
	fault_end(&w);
}

START_TEST(to_service)
{
	static const struct fault_scene scene = {
		.name = "NAME_ACQUIRE, messages wait",
		.errs = CAN_MEM | CAN_FAULT, .before = waiting_before,
		.call = acquire_call, .still = waiting_still,
		.after = waiting_after,
	};

	check_scene(&scene);
}
END_TEST

START_TEST(to_activator)
{
	static const struct fault_scene scene = {
		.name = "NAME_RELEASE, messages wait",
		.errs = CAN_MEM | CAN_FAULT, .before = served_before,
		.call = release_call, .still = served_still,
		.after = served_after,
	};

	check_scene(&scene);
}
END_TEST

KT_SUITE_LATE("fault-handover")
{
	kt_test_slow(to_service, 300);
	kt_test_slow(to_activator, 300);
}
