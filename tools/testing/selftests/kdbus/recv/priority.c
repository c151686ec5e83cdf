// SPDX-License-Identifier: GPL-2.0-only
/* MSG_RECV by priority */

#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "cast.h"

#define POOL	(256 * KIB)
#define FIFO	0
#define PRIO	KDBUS_RECV_USE_PRIORITY
#define PEEK	KDBUS_RECV_PEEK
#define DROP	KDBUS_RECV_DROP
#define LOWEST	INT64_MAX
#define HIGHEST	INT64_MIN

static struct bus bus;
static struct conn a, b;

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	kt_assert_ret(conn_try_open(&b, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO");
}

static void send_prio(int64_t prio, u64 cookie)
{
	struct blob m;

	msg_init(&m, b.id, cookie);
	m.msg.priority = prio;
	kt_assert_ret(conn_send(&a, &m), 0, "send");
}

static int recv_prio(u64 flags, int64_t prio, u64 *off)
{
	struct kdbus_cmd_recv r = { .flags = flags, .priority = prio };
	int ret = kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r);

	*off = r.offset;
	return ret;
}

struct step {
	u64 flags;
	int64_t prio;
	int want;		/* which message, from 1, or -errno */
};

static const struct row {
	int64_t sent[6];
	int n;
	struct step steps[8];
} rows[] = {
	/* the most urgent first, equal ones in order */
	{ { 0, 0, 0 }, 3, { { PRIO, 0, 1 }, { PRIO, 0, 2 }, { PRIO, 0, 3 },
			    { PRIO, 0, -EAGAIN } } },
	{ { 3, 1, 2 }, 3, { { PRIO, 9, 2 }, { PRIO, 9, 3 }, { PRIO, 9, 1 } } },
	{ { 1, -1, 1, -1 }, 4, { { PRIO, 1, 2 }, { PRIO, 1, 4 },
				 { PRIO, 1, 1 }, { PRIO, 1, 3 } } },
	{ { 0, LOWEST, HIGHEST, -1 }, 4,
	  { { PRIO, LOWEST, 3 }, { PRIO, LOWEST, 4 }, { PRIO, LOWEST, 1 },
	    { PRIO, LOWEST, 2 }, { PRIO, LOWEST, -EAGAIN } } },
	/* the order of receipt is not that of priorities */
	{ { 3, 1, 2 }, 3, { { FIFO, 0, 1 }, { FIFO, -99, 2 }, { FIFO, 9, 3 },
			    { FIFO, 0, -EAGAIN } } },
	/* the threshold */
	{ { 5 }, 1, { { PRIO, 4, -ENOMSG }, { PRIO, -5, -ENOMSG },
		      { PRIO, 0, -ENOMSG }, { PRIO, HIGHEST, -ENOMSG },
		      { PRIO, 5, 1 }, { PRIO, 5, -EAGAIN } } },
	{ { -5 }, 1, { { PRIO, -6, -ENOMSG }, { PRIO, -5, 1 } } },
	{ { HIGHEST }, 1, { { PRIO, HIGHEST, 1 } } },
	{ { LOWEST }, 1, { { PRIO, LOWEST - 1, -ENOMSG },
			   { PRIO, LOWEST, 1 } } },
	{ { 10, 5, 7 }, 3, { { PRIO, 6, 2 }, { PRIO, 6, -ENOMSG },
			     { PRIO, 7, 3 }, { PRIO, 9, -ENOMSG },
			     { FIFO, 0, 1 }, { PRIO, 10, -EAGAIN } } },
	/* both ways, mixed */
	{ { 3, 1, 2, 1, 3, 2 }, 6,
	  { { FIFO, 0, 1 }, { PRIO, 9, 2 }, { FIFO, 0, 3 }, { PRIO, 9, 4 },
	    { PRIO, 9, 6 }, { FIFO, 0, 5 }, { FIFO, 0, -EAGAIN } } },
	{ { 1, 1, 0, 1 }, 4, { { PRIO, 1, 3 }, { FIFO, 0, 1 },
			       { PRIO, 1, 2 }, { PRIO, 1, 4 } } },
	/* peek and drop select the same way */
	{ { 2, 1 }, 2, { { PRIO | PEEK, 9, 2 }, { PEEK, 0, 1 },
			 { PRIO | PEEK, 9, 2 }, { PRIO | PEEK, 0, -ENOMSG },
			 { PRIO, 9, 2 }, { PRIO, 9, 1 } } },
	{ { 2, 1, 0 }, 3, { { PRIO | DROP, 9, 3 }, { DROP, 9, 1 },
			    { PRIO | DROP, 0, -ENOMSG }, { FIFO, 0, 2 } } },
	{ { 2, 1, 0 }, 3, { { PRIO | DROP | PEEK, 9, 3 },
			    { PRIO, 9, 2 }, { PRIO, 9, 1 } } },
	{ { 0 }, 0, { { PRIO, 0, -EAGAIN }, { PRIO | PEEK, 0, -EAGAIN },
		      { PRIO | DROP, 0, -EAGAIN } } },
};

static void try_step(const struct row *r, int i)
{
	const struct step *s = &r->steps[i];
	u64 off;
	int ret = recv_prio(s->flags, s->prio, &off);

	kt_check_ret(ret, s->want < 0 ? s->want : 0, "row %zu, step %d",
		     r - rows, i);
	if (ret)
		return;
	if (s->flags & DROP) {
		kt_check(off == 0, "offset %llu of a drop", off);
		return;
	}
	kt_check((int)conn_msg(&b, off)->cookie == s->want,
		 "row %zu, step %d: message %llu, expected %d", r - rows, i,
		 conn_msg(&b, off)->cookie, s->want);
	if (!(s->flags & PEEK))
		kt_assert_ret(conn_free(&b, off), 0, "free");
}

START_TEST(selection)
{
	size_t i;
	int j;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		for (j = 0; j < rows[i].n; j++)
			send_prio(rows[i].sent[j], j + 1);
		for (j = 0; j < 8 && rows[i].steps[j].want; j++)
			try_step(&rows[i], j);
		kt_check(conn_drain(&b) == 0, "row %zu: some are left", i);
	}
}
END_TEST

/* against a model: an array of what is queued */
START_TEST(random_order)
{
	static struct {
		int64_t prio;
		u64 cookie;
	} q[200];
	u32 rnd = kt_seed;
	int n = 0, i, best, round;
	u64 off, cookie = 0;

	prepare();
	for (round = 0; round < 5000; round++) {
		bool by_prio = kt_rand(&rnd) & 1;

		if (n < 100 && kt_rand(&rnd) % 5 < 3) {
			q[n].prio = (int)(kt_rand(&rnd) % 7) - 3;
			q[n].cookie = ++cookie;
			send_prio(q[n].prio, cookie);
			n++;
			continue;
		}
		if (!n)
			continue;
		for (best = 0, i = 1; by_prio && i < n; i++)
			if (q[i].prio < q[best].prio)
				best = i;
		kt_assert_ret(recv_prio(by_prio ? PRIO : FIFO, 3, &off), 0,
			      "recv");
		kt_assert(conn_msg(&b, off)->cookie == q[best].cookie,
			  "seed %u, round %d: %llu, not %llu", kt_seed, round,
			  conn_msg(&b, off)->cookie, q[best].cookie);
		kt_assert_ret(conn_free(&b, off), 0, "free");
		memmove(&q[best], &q[best + 1], (--n - best) * sizeof(q[0]));
	}
	kt_check((int)conn_drain(&b) == n, "%d should be left", n);
}
END_TEST

/* what cannot be received is still at its place, in both orders */
START_TEST(failed_receive)
{
	struct rlimit r;
	struct blob m;
	u64 off;
	int fd = 0;

	prepare();
	send_prio(1, 1);
	msg_init(&m, b.id, 2);
	m.msg.priority = 1;
	msg_fds(&m, &fd, 1);
	kt_assert_ret(conn_send(&a, &m), 0, "send");
	send_prio(1, 3);
	kt_assert_ret(recv_prio(PRIO, 1, &off), 0, "first");
	kt_assert(!getrlimit(RLIMIT_NOFILE, &r), "getrlimit: %m");
	r.rlim_cur = 0;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &r), "setrlimit: %m");
	kt_check_ret(recv_prio(PRIO, 1, &off), -EMFILE, "by priority");
	kt_check_ret(recv_prio(FIFO, 1, &off), -EMFILE, "in order");
	kt_check_ret(recv_prio(PRIO, 0, &off), -ENOMSG, "more urgent");
	send_prio(1, 4);
	r.rlim_cur = 1024;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &r), "setrlimit: %m");
	kt_assert_ret(recv_prio(PRIO | PEEK, 1, &off), 0, "peek");
	kt_check(conn_msg(&b, off)->cookie == 2, "place by priority");
	expect_msg(&b, 2, 0);
	expect_msg(&b, 3, 0);
	expect_msg(&b, 4, 0);
}
END_TEST

KT_SUITE("priority")
{
	kt_test(selection);
	kt_test(random_order);
	kt_test(failed_receive);
}
