// SPDX-License-Identifier: GPL-2.0-only
/* Whose memory a message is */

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memcg-util.h"

#define POOL	(32 * MIB)
#define CHUNK	(1 * MIB)
#define TOTAL	(8 * MIB)

static char dirs[2][128];	/* of the receiver, of the sender */
enum { RECEIVER, SENDER };

static long long usage(int who)
{
	return memcg_get(dirs[who], "memory.current", NULL);
}

static void remove_groups(void)
{
	rmdir(dirs[RECEIVER]);
	rmdir(dirs[SENDER]);
}

static void prepare_groups(void)
{
	int i;

	memcg_need();
	for (i = 0; i < 2; i++) {
		snprintf(dirs[i], sizeof(dirs[i]), CGROUPS "/kdbus-%d-%s",
			 getpid(), i == RECEIVER ? "receiver" : "sender");
		kt_assert(!mkdir(dirs[i], 0755), "mkdir %s: %m", dirs[i]);
	}
}

/*
 * A process in a cgroup of its own that does what it is told, one letter at a
 * time, and sleeps in between.
 */
struct peer {
	int who;
	pid_t pid;
	int in[2], out[2];
	struct bus *bus;
	u64 dst;
	u64 pool;
};

struct answer {
	int ret;
	u64 id;
	u64 count;
	u64 ms;
};

static u8 chunk[CHUNK];
static struct conn conn;
static u64 held[256];
static unsigned int n_held;

static int obey(struct peer *p, char order, struct answer *a)
{
	u64 start = kt_now_ms();

	switch (order) {
	case 'h':		/* connect */
		a->ret = conn_try_open(&conn, p->bus, 0, p->pool);
		a->id = conn.id;
		break;
	case 's':		/* send one chunk */
		a->ret = conn_send_want(&conn, p->dst, chunk, CHUNK);
		break;
	case 'f':		/* send until it fails */
		do {
			start = kt_now_ms();
			a->ret = conn_send_want(&conn, p->dst, chunk, CHUNK);
		} while (!a->ret && ++a->count < 1000);
		break;
	case 'r':		/* receive all, and keep it */
		while (!(a->ret = conn_recv(&conn, &held[n_held])))
			n_held++;
		a->count = n_held;
		break;
	case 'd':		/* free all that was kept */
		a->ret = 0;
		while (n_held && !a->ret)
			a->ret = conn_free(&conn, held[--n_held]);
		break;
	default:
		return 1;
	}
	a->ms = kt_now_ms() - start;
	return 0;
}

static int peer_fn(void *arg)
{
	struct peer *p = arg;
	char order;

	close(p->in[1]);
	memcg_put(dirs[p->who], "cgroup.procs", "0");
	/* no memory comes and goes but what the test is about */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	if (p->who == SENDER)
		memset(chunk, 0x77, sizeof(chunk));
	for (;;) {
		struct answer a = { 0 };

		if (read(p->in[0], &order, 1) != 1)
			return 0;
		if (order == 'q')
			return 0;
		if (order == 'D' && read(p->in[0], &p->dst, 8) == 8)
			continue;
		if (obey(p, order, &a) ||
		    write(p->out[1], &a, sizeof(a)) != sizeof(a))
			return 1;
	}
}

static struct answer order(struct peer *p, char what)
{
	struct answer a;

	kt_assert(write(p->in[1], &what, 1) == 1, "write to the %s: %m",
		  p->who == SENDER ? "sender" : "receiver");
	kt_assert(read(p->out[0], &a, sizeof(a)) == sizeof(a),
		  "the %s is gone", p->who == SENDER ? "sender" : "receiver");
	return a;
}

static void peer_start(struct peer *p, int who, struct bus *bus, u64 pool)
{
	memset(p, 0, sizeof(*p));
	p->who = who;
	p->bus = bus;
	p->pool = pool;
	kt_assert(!pipe2(p->in, O_CLOEXEC) && !pipe2(p->out, O_CLOEXEC),
		  "pipe: %m");
	p->pid = kt_fork_as(0, 0, peer_fn, p);
	close(p->in[0]);
	close(p->out[1]);
}

static void peer_end(struct peer *p)
{
	char quit = 'q';

	/* closing is not enough: peers that came later have it as well */
	kt_assert(write(p->in[1], &quit, 1) == 1, "write: %m");
	kt_check(kt_wait(p->pid) == 0, "the %s failed",
		 p->who == SENDER ? "sender" : "receiver");
}

struct pair {
	struct bus bus;
	struct peer receiver, sender;
};

static void pair_start(struct pair *p, u64 pool)
{
	struct answer a;
	char d = 'D';

	prepare_groups();
	bus_make(&p->bus, 0);
	peer_start(&p->receiver, RECEIVER, &p->bus, pool);
	peer_start(&p->sender, SENDER, &p->bus, 64 * KIB);
	a = order(&p->receiver, 'h');
	kt_assert_ret(a.ret, 0, "HELLO of the receiver");
	kt_assert(write(p->sender.in[1], &d, 1) == 1 &&
		  write(p->sender.in[1], &a.id, 8) == 8, "write: %m");
	kt_assert_ret(order(&p->sender, 'h').ret, 0, "HELLO of the sender");
}

static void pair_end(struct pair *p)
{
	peer_end(&p->sender);
	peer_end(&p->receiver);
	bus_close(&p->bus);
	remove_groups();
}

static void check_no_kill(int who)
{
	kt_check(memcg_get(dirs[who], "memory.events", "oom_kill ") == 0,
		 "somebody was killed in the group of the %s",
		 who == SENDER ? "sender" : "receiver");
}

/* usage() when it has been the same for two seconds */
static long long settled(int who)
{
	u64 now, since = kt_now_ms(), end = since + 20000;
	long long was = usage(who), is;

	while ((now = kt_now_ms()) < end && now - since < 2000) {
		usleep(20000);
		is = usage(who);
		if (is != was)
			since = now;
		was = is;
	}
	return was;
}

START_TEST(receiver_pays)
{
	long long r0, s0, r1, s1;
	struct answer a;
	struct pair p;
	unsigned int i;

	pair_start(&p, POOL);
	r0 = settled(RECEIVER);
	/* whatever is only needed once has been there once */
	kt_assert_ret(order(&p.sender, 's').ret, 0, "first chunk");
	kt_assert(order(&p.receiver, 'r').count == 1, "first chunk");
	kt_assert_ret(order(&p.receiver, 'd').ret, 0, "first chunk");
	r1 = settled(RECEIVER);
	kt_check(r1 - r0 <= (long long)(RESERVE + BATCH),
		 "after one chunk, usage is %lld more", r1 - r0);

	r0 = r1;
	s0 = usage(SENDER);
	for (i = 0; i < TOTAL / CHUNK; i++)
		kt_assert_ret(order(&p.sender, 's').ret, 0, "chunk %u", i);
	r1 = usage(RECEIVER);
	s1 = usage(SENDER);
	kt_note("queued: receiver %+lld, sender %+lld KiB", (r1 - r0) / 1024,
		(s1 - s0) / 1024);
	kt_check(r1 - r0 >= (long long)(TOTAL - BATCH - RESERVE),
		 "the receiver was charged %lld of %lu bytes", r1 - r0, TOTAL);
	kt_check(r1 - r0 <= (long long)(TOTAL + BATCH + RESERVE),
		 "the receiver was charged %lld for %lu bytes", r1 - r0, TOTAL);
	kt_check(s1 - s0 <= (long long)BATCH, "the sender was charged %lld",
		 s1 - s0);

	/* received or not makes no difference, freed does */
	a = order(&p.receiver, 'r');
	kt_assert(a.count == TOTAL / CHUNK, "%llu messages arrived", a.count);
	kt_check(usage(RECEIVER) - r0 >= (long long)(TOTAL - BATCH - RESERVE),
		 "received, usage is %lld more", usage(RECEIVER) - r0);
	kt_assert_ret(order(&p.receiver, 'd').ret, 0, "free");
	r1 = settled(RECEIVER);
	kt_note("freed: receiver %+lld KiB", (r1 - r0) / 1024);
	kt_check(r1 - r0 <= (long long)(RESERVE + BATCH),
		 "freed, but usage is still %lld more", r1 - r0);
	check_no_kill(RECEIVER);
	check_no_kill(SENDER);
	pair_end(&p);
}
END_TEST

/* a pool without messages costs nothing, whatever its size */
START_TEST(empty_pool_is_free)
{
	struct pair p;
	struct peer more[8];
	long long before;
	int i;

	pair_start(&p, POOL);
	before = usage(RECEIVER);
	for (i = 0; i < 8; i++) {
		peer_start(&more[i], RECEIVER, &p.bus, 512 * MIB);
		kt_assert_ret(order(&more[i], 'h').ret, 0, "HELLO");
	}
	/* eight processes have other needs, but not of this size */
	kt_check(usage(RECEIVER) - before < (long long)(40 * MIB),
		 "eight pools of 512 MiB take %lld bytes",
		 usage(RECEIVER) - before);
	for (i = 0; i < 8; i++)
		peer_end(&more[i]);
	pair_end(&p);
}
END_TEST

/* what a receiver at its limit costs the sender: a prompt refusal */
START_TEST(receiver_at_its_limit)
{
	const u64 room = 8 * MIB;
	struct answer a;
	struct pair p;
	u64 first;
	int i;

	pair_start(&p, 128 * MIB);
	memcg_put_number(dirs[RECEIVER], "memory.max", usage(RECEIVER) + room);
	a = order(&p.sender, 'f');
	first = a.count;
	kt_note("%llu chunks of 1 MiB in 8 MiB, refused after %llu ms",
		a.count, a.ms);
	kt_check_ret(a.ret, -ENOBUFS, "receiver at memory.max");
	kt_check(a.ms < 5000, "the refusal took %llu ms", a.ms);
	kt_check(first >= 4, "%llu chunks fit into 8 MiB", first);
	/*
	 * A refused chunk leaves pages behind, and processors keep charges in
	 * stock: one more may fit after a refusal, but never more than the room.
	 */
	for (i = 0; i < 20; i++) {
		a = order(&p.sender, 's');
		first += a.ret == 0;
		kt_check(a.ret == 0 || a.ret == -ENOBUFS, "again, %d: got %d",
			 i, a.ret);
		kt_check(a.ms < 5000, "the refusal took %llu ms", a.ms);
	}
	kt_check_ret(a.ret, -ENOBUFS, "after %llu chunks", first);
	kt_check(first <= 9, "%llu chunks fit into 8 MiB", first);
	check_no_kill(RECEIVER);
	check_no_kill(SENDER);

	/* the receiver itself may need a page, so that it is let off first */
	memcg_put(dirs[RECEIVER], "memory.max", "max");
	kt_check_ret(order(&p.sender, 's').ret, 0, "limit lifted");
	a = order(&p.receiver, 'r');
	kt_check_ret(a.ret, -EAGAIN, "recv");
	kt_check(a.count == first + 1, "%llu of %llu chunks arrived", a.count,
		 first + 1);
	kt_check_ret(order(&p.receiver, 'd').ret, 0, "free");
	check_no_kill(RECEIVER);
	check_no_kill(SENDER);
	pair_end(&p);
}
END_TEST

/* a sender at its own limit can still send what it has */
START_TEST(sender_at_its_limit)
{
	struct pair p;
	unsigned int i;

	pair_start(&p, POOL);
	kt_assert_ret(order(&p.sender, 's').ret, 0, "first chunk");
	memcg_put_number(dirs[SENDER], "memory.max", usage(SENDER) + 1 * MIB);
	for (i = 0; i < TOTAL / CHUNK; i++)
		kt_check_ret(order(&p.sender, 's').ret, 0, "chunk %u", i);
	check_no_kill(SENDER);
	memcg_put(dirs[SENDER], "memory.max", "max");
	kt_check(order(&p.receiver, 'r').count == TOTAL / CHUNK + 1,
		 "not all arrived");
	pair_end(&p);
}
END_TEST

/* death of the receiver gives everything back, also unreceived messages */
/* the room between memory.high and memory.max is kept for what others send */
START_TEST(receiver_above_high)
{
	long long reclaims;
	struct pair p;
	unsigned int i;

	pair_start(&p, POOL);
	memcg_put_number(dirs[RECEIVER], "memory.high", 1 * MIB);
	memcg_put_number(dirs[RECEIVER], "memory.max", 4 * TOTAL);
	memcg_put_number(dirs[SENDER], "memory.high", 4 * TOTAL);
	reclaims = memcg_get(dirs[SENDER], "memory.events", "high ");
	for (i = 0; i < TOTAL / CHUNK; i++)
		kt_assert_ret(order(&p.sender, 's').ret, 0, "chunk %u", i);
	kt_check(usage(RECEIVER) >= (long long)(TOTAL - BATCH), "usage %lld",
		 usage(RECEIVER));
	/* nor does the sender pay by being slowed down */
	kt_check(memcg_get(dirs[SENDER], "memory.events", "high ") == reclaims,
		 "the sender was made to reclaim");
	kt_check(memcg_get(dirs[RECEIVER], "memory.events", "max ") == 0,
		 "the receiver was at its limit");
	peer_end(&p.receiver);
	peer_end(&p.sender);
	bus_close(&p.bus);
	remove_groups();
}
END_TEST

START_TEST(killed_receiver)
{
	struct pair p;
	unsigned int i;

	pair_start(&p, POOL);
	for (i = 0; i < TOTAL / CHUNK; i++)
		kt_assert_ret(order(&p.sender, 's').ret, 0, "chunk %u", i);
	kt_check(usage(RECEIVER) >= (long long)(TOTAL - BATCH), "usage %lld",
		 usage(RECEIVER));
	kill(p.receiver.pid, SIGKILL);
	kt_check(kt_wait(p.receiver.pid) == 128 + SIGKILL, "receiver");
	kt_check(memcg_falls_to(dirs[RECEIVER], 2 * MIB), "usage is still %lld",
		 usage(RECEIVER));
	kt_check_ret(order(&p.sender, 's').ret, -ENXIO, "send to the dead");
	peer_end(&p.sender);
	bus_close(&p.bus);
	remove_groups();
}
END_TEST

KT_SUITE("memcg")
{
	kt_test(receiver_pays);
	kt_test(empty_pool_is_free);
	kt_test(receiver_at_its_limit);
	kt_test(sender_at_its_limit);
	kt_test(receiver_above_high);
	kt_test(killed_receiver);
}
