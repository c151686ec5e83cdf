// SPDX-License-Identifier: GPL-2.0-only
/* Several threads at once: while a message is put into several queues */

#include <poll.h>
#include <sched.h>

#include "meta-util.h"
#include "race-world.h"

#define OTHERS	200

static struct conn others[OTHERS];

static void *drain_others(void *arg)
{
	unsigned int i;

	(void)arg;
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		for (i = 0; i < OTHERS; i++)
			conn_drain(&others[i]);
	return NULL;
}

static void hear_all(struct conn *c)
{
	struct blob m;

	match_init(&m, 1, 0);
	rule_id(&m, ANY);
	kt_assert_ret(match_add(c, &m), 0, "MATCH_ADD");
}

/* ------------------------------------------------------------------------ */
/* A requester leaves while it, and monitors, are told that the replier left */

#define BATCH		8
#define TELLING_MS	20	/* may take so long */

static void *close_one(void *arg)
{
	conn_close(arg);
	return NULL;
}

static void wait_us(u32 us)
{
	u64 end = now_ns() + us * 1000ULL;

	while (now_ns() < end)
		;
}

static void both_leave(void)
{
	struct conn asks, owes;
	pthread_t t;
	int i;

	conn_open(&asks, &bus, RACE_POOL);
	conn_open(&owes, &bus, RACE_POOL);
	for (i = 1; i <= BATCH; i++)
		kt_assert_ret(request(&asks, owes.id, i, NEVER), 0, "request");
	t = kt_thread(close_one, &owes);
	wait_us(kt_rand(&rnd) % (TELLING_MS * 1000));
	conn_close(&asks);
	kt_join(t);
	for (i = 0; i < OTHERS; i++)
		conn_drain(&others[i]);
}

START_TEST(both_ends_leave)
{
	u64 end = kt_now_ms() + RACE_MS;
	unsigned int rounds = 0, i;

	race_world();
	for (i = 0; i < OTHERS; i++)
		kt_assert_ret(special_try_open(&others[i], &bus, MON, NULL,
					       16 * KIB), 0, "a monitor");
	for (; kt_go_on(end, rounds >= 5); rounds++)
		both_leave();
	kt_note("%u rounds", rounds);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Broadcasts to many, and messages to one of them */

static void *broadcasts(void *arg)
{
	struct conn c;
	u64 n = 0;

	(void)arg;
	conn_open(&c, &bus, KT_PAGE);
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		kt_assert_ret(cast(&c, ++n), 0, "broadcast");
	conn_close(&c);
	return NULL;
}

static void open_many(void)
{
	unsigned int i;

	race_world();
	/* half of them are before @b, wherever one begins */
	for (i = 0; i < OTHERS; i++) {
		if (i == OTHERS / 2) {
			meta_open(&b, &bus, STAMP, NULL);
			hear_all(&b);
		}
		conn_open(&others[i], &bus, 32 * KIB);
		hear_all(&others[i]);
	}
}

static void start_many(pthread_t *t)
{
	t[0] = kt_thread(drain_others, NULL);
	t[1] = kt_thread(broadcasts, NULL);
	t[2] = kt_thread(broadcasts, NULL);
}

static void stop_many(pthread_t *t)
{
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t[0]);
	kt_join(t[1]);
	kt_join(t[2]);
}

/* receives until that message is there, which has been sent; returns its number */
static u64 find_message(u64 cookie, u64 flags, u64 last)
{
	struct kdbus_cmd_recv cmd = { .flags = flags };
	const struct kdbus_msg *msg;
	struct meta m;
	bool found;
	u64 seq;

	do {
		kt_assert_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &cmd), 0,
			      "RECV after %llu was sent", cookie);
		msg = conn_msg(&b, cmd.offset);
		meta_of_msg(&m, msg);
		seq = meta_stamp(&m)->seqnum;
		kt_check(seq > last, "number %llu after %llu", seq, last);
		last = seq;
		found = msg->src_id == a.id && msg->cookie == cookie;
		kt_check_ret(conn_free(&b, cmd.offset), 0, "FREE");
		cmd.offset = 0;
	} while (!found);
	return seq;
}

static void send_and_find(u64 flags)
{
	u64 end = kt_now_ms() + RACE_MS, n = 0, last = 0;
	pthread_t t[3];

	start_many(t);
	while (kt_go_on(end, n >= 100)) {
		kt_assert_ret(conn_send_bytes(&a, b.id, ++n, "x", 1), 0,
			      "send");
		kt_check(fd_poll(b.fd, 0) & POLLIN, "no POLLIN after %llu", n);
		kt_check_ret(conn_recv_flags(&b, flags | KDBUS_RECV_PEEK, NULL),
			     0, "PEEK after %llu", n);
		last = find_message(n, flags, last);
	}
	stop_many(t);
	kt_note("%llu messages", n);
}

/* a message that has been sent can be received, whoever else is sending */
START_TEST(sent_is_there)
{
	open_many();
	send_and_find(0);
}
END_TEST

/* so can an urgent one, and numbers rise, if a less urgent one waits all along */
START_TEST(urgent_is_there)
{
	struct blob m;

	open_many();
	msg_init(&m, b.id, 1);
	m.msg.priority = 1;
	kt_assert_ret(conn_send(&a, &m), 0, "send");
	send_and_find(KDBUS_RECV_USE_PRIORITY);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* A request is thrown away while an answer to it is being refused */

static struct conn asks, owes;

/* no more messages of this user; those of the kernel still find room */
static void fill_asks(void)
{
	int i, ret = 0;

	conn_drain(&asks);
	for (i = 0; i < 40 && ret == 0; i++)
		ret = conn_send_bytes(&owes, asks.id, 1, "x", 1);
	kt_assert_ret(ret, -ENOBUFS, "fill");
}

static void *refused_answer(void *arg)
{
	kt_check_ret(reply(&owes, asks.id, *(u64 *)arg), -ENOBUFS, "reply");
	return NULL;
}

START_TEST(refused_and_dropped)
{
	u64 end = kt_now_ms() + RACE_MS, n = 0, was;
	struct conn mon;
	pthread_t t[3], r;

	open_many();
	kt_assert_ret(special_try_open(&mon, &bus, MON, NULL, 16 * KIB), 0,
		      "a monitor");
	kt_become(1000);
	conn_open(&asks, &bus, RACE_POOL);
	conn_open(&owes, &bus, RACE_POOL);
	kt_become(0);
	start_many(t);
	for (; kt_go_on(end, n >= 100) && !kt->failures; conn_drain(&mon)) {
		if (n++ % 100 == 0)
			fill_asks();
		kt_assert_ret(request(&asks, owes.id, n, NEVER), 0, "request");
		was = fdinfo(&asks, "arrivals:");
		r = kt_thread(refused_answer, &n);
		wait_us(kt_rand(&rnd) % (TELLING_MS * 1000));
		kt_check_ret(conn_recv_flags(&owes, KDBUS_RECV_DROP, NULL), 0,
			     "DROP");
		kt_join(r);
		kt_check(fdinfo(&asks, "arrivals:") == was + 1,
			 "%llu: nobody tells the requester", n);
	}
	stop_many(t);
	kt_note("%llu requests", n);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* A thread looks at notifications, another receives them */

static void *come_and_go(void *arg)
{
	struct conn c;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		conn_open(&c, &bus, KT_PAGE);
		conn_close(&c);
		/* until they are received: none gets lost */
		while (fdinfo(arg, "queued:") > 8 &&
		       !__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
			sched_yield();
	}
	return NULL;
}

static void *look_at(void *arg)
{
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
		conn_recv_flags(arg, KDBUS_RECV_PEEK, NULL);
	return NULL;
}

/* twice the id, and one more if it is about the end */
static u64 next_end(struct conn *c)
{
	const struct kdbus_msg *msg;
	u64 offset, end;

	if (conn_recv_flags(c, 0, &offset) < 0)
		return 0;
	msg = conn_msg(c, offset);
	end = msg->items[0].id_change.id * 2 +
	      (msg->items[0].type == KDBUS_ITEM_ID_REMOVE);
	kt_check_ret(conn_free(c, offset), 0, "FREE");
	return end;
}

/* what is only looked at keeps its place */
START_TEST(looked_at_by_others)
{
	u64 end, last = 0, n = 0;
	pthread_t t[3];

	race_world();
	end = kt_now_ms() + RACE_MS;
	match_all(&a);
	t[0] = kt_thread(come_and_go, &a);
	t[1] = kt_thread(look_at, &a);
	t[2] = kt_thread(look_at, &a);
	while (kt_go_on(end, n >= 100) && !kt->failures) {
		u64 now = next_end(&a);

		if (now == 0)
			continue;
		kt_check(now > last, "%llu after %llu", now, last);
		last = now;
		n++;
	}
	stop_many(t);
	kt_note("%llu notifications", n);
}
END_TEST

KT_SUITE_LATE("race-several")
{
	kt_test(both_ends_leave);
	kt_test(sent_is_there);
	kt_test(urgent_is_there);
	kt_test(refused_and_dropped);
	kt_test(looked_at_by_others);
}
