// SPDX-License-Identifier: GPL-2.0-only
/* What asking a policy costs: not one allocation */

#include "policy-util.h"
#include "trace-util.h"

#define USER_A	20471
#define USER_B	20472
#define ROUNDS	20
#define ENTRIES	50

static const char *const events[] = {
	"kmem/kmalloc", "kmem/kmem_cache_alloc",
};

#define N_EVENTS	ARRAY_SIZE(events)

static struct bus bus, ep;
static struct conn holders[ENTRIES + 1], from, inside, same, other;

static void prepare(void)
{
	unsigned int i;

	bus_of(&bus, 0);
	user_open(&from, &bus, USER_A);
	user_open(&same, &bus, USER_A);
	user_open(&other, &bus, USER_B);
	for (i = 0; i < ENTRIES; i++)
		holder_open(&holders[i], &bus, "entry.number%u w:s", i);
	holder_open(&holders[i], &bus, "some.name.* u%u:o u%u:t g1:t g2:t",
		    USER_B, USER_A);
	kt_assert_ret(name_acquire(&other, "some.name.here", 0), 0, "name");
	ep_make(&ep, &bus, "some.name.here w:t a.b w:o");
	user_open(&inside, &ep, USER_A);
}

/* two at a time: what one message takes is kept for the next */
static void sends(struct conn *c, struct conn *to, unsigned int n)
{
	while (n--) {
		kt_check_ret(send_id(c, to->id), 0, "send");
		kt_check_ret(send_id(c, to->id), 0, "send another one");
		conn_drain(to);
	}
}

/* events of some messages, after the first one */
static unsigned int cost(struct conn *c, struct conn *to)
{
	unsigned int counts[N_EVENTS], i, sum = 0;

	sends(c, to, 1);
	trace_count(counts);
	sends(c, to, ROUNDS);
	trace_count(counts);
	for (i = 0; i < N_EVENTS; i++)
		sum += counts[i];
	return sum;
}

START_TEST(nothing_is_allocated)
{
	unsigned int plain, bus_db, both;

	prepare();
	trace_start(events, N_EVENTS);
	plain = cost(&from, &same);
	bus_db = cost(&from, &other);
	both = cost(&inside, &other);
	trace_stop();
	kt_check(plain >= ROUNDS, "only %u allocations are seen", plain);
	/* the kernel may allocate something for itself now and then */
	kt_check(bus_db < plain + ROUNDS / 2, "%u allocations without a policy, %u with it",
		 plain, bus_db);
	kt_check(both < plain + ROUNDS / 2, "%u allocations without a policy, %u with two",
		 plain, both);
}
END_TEST

KT_SUITE("policy-cost")
{
	kt_test(nothing_is_allocated);
}
