// SPDX-License-Identifier: GPL-2.0-only
/*
 * Senders whose payload never comes hold space in the pool of the receiver.
 * They do not get more of it than senders who are done.
 */
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "policy-util.h"
#include "slow-util.h"

#define POOL	(256 * KIB)
#define WANT	(SLOW_LEN + 72 + 32)	/* of each slow message */
#define FIT	(POOL / 2 / WANT)	/* of one user */
#define OWNER	20091			/* of the bus, so may send */
#define USER	20092			/* of the receiver */
#define OTHER	20093			/* whom the policy lets send */

static struct bus bus;
static struct conn root, owner, second, receiver, other, holder;
static u8 bytes[POOL];

static void prepare(void)
{
	struct slow_mem probe;

	slow_mem_init(&probe);		/* may skip */
	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&owner, &bus, KT_PAGE);
	conn_open(&second, &bus, KT_PAGE);
	kt_become(OTHER);
	conn_open(&other, &bus, KT_PAGE);
	kt_become(USER);
	conn_open(&receiver, &bus, POOL);
	kt_become(0);
	conn_open(&root, &bus, KT_PAGE);
	holder_open(&holder, &bus, "a.receiver u%u:o u%u:t u%u:t", USER, OWNER, OTHER);
	kt_assert_ret(name_acquire(&receiver, "a.receiver", 0), 0, "name");
}

/* a process with @n sends that do not end */
struct stuck {
	struct conn *c;
	unsigned int n;
	int ready[2];
	pid_t pid;
};

static int stuck_fn(void *arg)
{
	static struct slow_send s[FIT];
	struct stuck *stuck = arg;
	unsigned int i;

	for (i = 0; i < stuck->n; i++)
		slow_send_to(&s[i], stuck->c, receiver.id, NULL);
	if (write(stuck->ready[1], "x", 1) != 1)
		return 1;
	for (;;)
		pause();
}

static void stuck_start(struct stuck *stuck, struct conn *c, unsigned int n)
{
	char x;

	stuck->c = c;
	stuck->n = n;
	kt_assert(!pipe(stuck->ready), "pipe: %m");
	stuck->pid = kt_fork_as(0, 0, stuck_fn, stuck);
	close(stuck->ready[1]);
	kt_assert(read(stuck->ready[0], &x, 1) == 1, "senders not ready");
	close(stuck->ready[0]);
}

static void stuck_kill(struct stuck *stuck)
{
	kill(stuck->pid, SIGKILL);
	kt_check(kt_wait(stuck->pid) == 128 + SIGKILL, "was not killed");
}

static int sends(struct conn *c, size_t want)
{
	return conn_send_want(c, receiver.id, bytes, want);
}

static void take_all(unsigned int want)
{
	unsigned int n = conn_drain(&receiver);

	kt_check(n == want, "%u messages, not %u", n, want);
	kt_check(pool_used(&receiver) == 0, "%llu bytes are left in use",
		 pool_used(&receiver));
}

/* what is on its way counts like what is there */
START_TEST(no_more_than_the_share)
{
	size_t rest = POOL / 2 - FIT * WANT;
	struct stuck stuck;

	prepare();
	stuck_start(&stuck, &owner, FIT);
	kt_check(pool_used(&receiver) == FIT * WANT, "%llu bytes in use",
		 pool_used(&receiver));
	kt_check_ret(sends(&owner, WANT), -ENOBUFS, "more than the share");
	kt_check_ret(sends(&second, WANT), -ENOBUFS,
		     "by another connection of the user");
	kt_check_ret(sends(&owner, rest + 8), -ENOBUFS, "8 bytes too many");
	kt_check_ret(sends(&second, rest & ~7UL), 0, "the rest of the share");
	kt_check_ret(sends(&owner, 104 + 8), -ENOBUFS, "the least there is");
	stuck_kill(&stuck);
	take_all(1);
}
END_TEST

/* page not there, so the claim alone refuses it: memory is not looked at */
START_TEST(refused_before_reading)
{
	struct slow_mem mem;
	struct stuck stuck;

	prepare();
	stuck_start(&stuck, &owner, FIT);
	slow_mem_init(&mem);
	kt_check_ret(conn_send_bytes(&second, receiver.id, 1, mem.area,
				     SLOW_LEN), -ENOBUFS, "one more slow one");
	stuck_kill(&stuck);
	take_all(0);
}
END_TEST

START_TEST(others_get_through)
{
	struct stuck stuck;
	int i;

	prepare();
	stuck_start(&stuck, &owner, FIT);
	for (i = 0; i < 20; i++) {
		kt_check_ret(sends(&other, 16 * KIB), 0, "another user");
		kt_check_ret(sends(&root, 16 * KIB), 0, "capable");
		kt_check_ret(sends(&receiver, 16 * KIB), 0, "the receiver");
		kt_check(conn_drain(&receiver) == 3, "round %d", i);
	}
	/* half of what is left, as if the slow messages had come */
	kt_check_ret(sends(&other, ((POOL - FIT * WANT) / 2 & ~7UL) + 8),
		     -EXFULL, "more than half of the rest");
	kt_check_ret(sends(&other, (POOL - FIT * WANT) / 2 & ~7UL), 0,
		     "half of the rest");
	stuck_kill(&stuck);
	take_all(1);
}
END_TEST

/* two users each with a share of their own */
START_TEST(two_slow_users)
{
	struct stuck one, two;

	prepare();
	stuck_start(&one, &owner, FIT);
	stuck_start(&two, &other, FIT / 2);
	kt_check_ret(sends(&owner, WANT), -ENOBUFS, "the first user");
	kt_check_ret(sends(&other, WANT * 2), -ENOBUFS, "the second user");
	kt_check_ret(sends(&root, 8 * KIB), 0, "capable");
	stuck_kill(&one);
	kt_check_ret(sends(&other, WANT), 0, "the second, there is more left");
	kt_check_ret(sends(&owner, WANT), 0, "the first again");
	stuck_kill(&two);
	take_all(3);
}
END_TEST

/* all comes back, every time */
START_TEST(killed_gives_back)
{
	struct stuck stuck;
	int i;

	prepare();
	for (i = 0; i < 10; i++) {
		stuck_start(&stuck, i & 1 ? &second : &owner, FIT);
		stuck_kill(&stuck);
		take_all(0);
	}
	for (i = 0; i < (int)FIT; i++)
		kt_check_ret(sends(&owner, WANT), 0, "message %d", i);
	kt_check_ret(sends(&owner, WANT), -ENOBUFS, "more than the share");
	take_all(FIT);
	conn_check_pool_empty(&root, &receiver);
}
END_TEST

/* the connection is closed by all who have it: the process that died last */
START_TEST(sender_closed_and_killed)
{
	struct stuck stuck;
	u64 id;

	prepare();
	stuck_start(&stuck, &owner, FIT);
	id = owner.id;
	conn_close(&owner);
	kt_check_ret(conn_send_bytes(&root, id, 1, "x", 1), 0,
		     "to the one whose descriptor another process has");
	stuck_kill(&stuck);
	kt_check_ret(conn_send_bytes(&root, id, 1, "x", 1), -ENXIO,
		     "to the one that is gone");
	kt_check_ret(sends(&second, WANT * 2), 0, "the user again");
	take_all(1);
}
END_TEST

/* who has left holds the space no longer than the send runs */
START_TEST(sender_leaves)
{
	static struct slow_send s;

	prepare();
	slow_send_to(&s, &owner, receiver.id, NULL);
	kt_check_ret(conn_byebye(&owner), 0, "BYEBYE");
	kt_check_ret(slow_send_end(&s), -ECONNRESET, "the slow send");
	take_all(0);
}
END_TEST

KT_SUITE("slow_share")
{
	kt_test(no_more_than_the_share);
	kt_test(refused_before_reading);
	kt_test(others_get_through);
	kt_test(two_slow_users);
	kt_test(killed_gives_back);
	kt_test(sender_closed_and_killed);
	kt_test(sender_leaves);
}
