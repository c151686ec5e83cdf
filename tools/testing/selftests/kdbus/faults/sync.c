// SPDX-License-Identifier: GPL-2.0-only
/* Faults on both sides of a synchronous request */

#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "fault-util.h"

enum { FROM, TO };

#define COOKIE	7
#define CAN	(CAN_MEM | CAN_FAULT | CAN_BUFS)

static struct fault_world w;
static u8 payload[5000];
static int memfd;

/* as it was before, after each round */
static struct fault_snap start;

static void check_start(const char *name, unsigned int n)
{
	fault_compare(&w, &start, false, name, n, "undone");
}

static void open_both(void)
{
	fault_world(&w);
	fault_open(&w, FROM, FAULT_OWNER, KDBUS_HELLO_ACCEPT_FD, ~0ULL);
	fault_open(&w, TO, FAULT_OTHER, KDBUS_HELLO_ACCEPT_FD, ~0ULL);
	memfd = kt_memfd(5000, KT_SEALS, 0);
	kt_fill(payload, sizeof(payload), 1);
}

static void add_payload(struct blob *b)
{
	static const int fds[] = { 0, 1 };

	msg_vec(b, payload, sizeof(payload));
	msg_memfd(b, memfd, 5000);
	msg_fds(b, fds, ARRAY_SIZE(fds));
}

static int answer(void)
{
	static struct blob b;

	reply_init(&b, w.c[FROM].id, COOKIE);
	add_payload(&b);
	return conn_send(&w.c[TO], &b);
}

/* close the files of an answer, free it */
static void take_answer(u64 offset)
{
	const struct kdbus_msg *m = conn_msg(&w.c[FROM], offset);

	kt_check(m->cookie_reply == COOKIE, "reply to %llu", m->cookie_reply);
	kt_assert(item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 0), "no memory file");
	kt_assert(item_find(m, KDBUS_ITEM_FDS, 0), "no descriptors");
	fault_close_files(m);
	kt_check_ret(conn_free(&w.c[FROM], offset), 0, "FREE");
}

/* ------------------------------------------------------------------------ */
/* Who asks has the fault: on the way in, or when the answer is there */

struct asker {
	struct blob m;
	unsigned int n;
	int ready, ret;
	bool fault;
};

static void *ask(void *arg)
{
	struct asker *a = arg;
	int file = fault_file();
	u64 one = 1;

	fault_arm(file, a->n);
	a->ret = conn_send(&w.c[FROM], &a->m);
	a->fault = fault_disarm(file) && a->n;
	close(file);
	kt_check(write(a->ready, &one, sizeof(one)) == sizeof(one),
		 "eventfd: %m");
	return NULL;
}

/* does the request come, or does the call fail before? */
static bool comes(struct asker *a)
{
	struct pollfd p[2] = {
		{ .fd = w.c[TO].fd, .events = POLLIN },
		{ .fd = a->ready, .events = POLLIN },
	};

	kt_assert(poll(p, 2, 20000) > 0, "neither request nor failure");
	return p[0].revents & POLLIN;
}

/* true if it failed */
static bool ask_once(struct asker *a)
{
	pthread_t t;
	bool came;
	u64 ready;

	msg_init(&a->m, w.c[TO].id, COOKIE);
	a->m.msg.flags = SYNC;
	a->m.msg.timeout_ns = in_ms(3600000);
	add_payload(&a->m);
	t = kt_thread(ask, a);
	came = comes(a);
	if (came) {
		kt_check(fault_take(&w.c[TO]) == COOKIE, "another request");
		kt_check_ret(answer(), 0, "fault %u: the answer", a->n);
	}
	kt_join(t);
	kt_check(read(a->ready, &ready, sizeof(ready)) == sizeof(ready),
		 "eventfd: %m");
	if (!a->ret)
		take_answer(a->m.msg.offset_reply);
	kt_check(!a->ret || (a->fault &&
			     fault_explains(came ? CAN_MEM | CAN_FAULT : CAN,
					    a->ret)),
		 "fault %u, %s: %s", a->n, came ? "answered" : "not sent",
		 kt_err(a->ret));
	return a->ret;
}

START_TEST(asker)
{
	static struct asker a;
	unsigned int failures = 0;

	open_both();
	a.ready = eventfd(0, EFD_CLOEXEC);
	kt_assert(a.ready >= 0, "eventfd: %m");
	kt_assert(!ask_once(&a), "without a fault: %s", kt_err(a.ret));
	fault_snap(&w, &start);
	do {
		a.n++;
		failures += ask_once(&a);
		check_start("a synchronous request", a.n);
	} while (a.fault);
	kt_note("a synchronous request: %u faults, %u failures", a.n - 1,
		failures);
	kt_check(failures, "no fault did harm");
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Who answers has the fault */

static bool answer_once(int file, unsigned int n, unsigned int *failures)
{
	static struct call call;
	int ret, again;
	bool fault;

	call_start(&call, &w.c[FROM], w.c[TO].id, COOKIE, in_ms(3600000));
	kt_check(fault_take(&w.c[TO]) == COOKIE, "another request");
	fault_arm(file, n);
	ret = answer();
	fault = fault_disarm(file) && n;
	if (!ret) {
		kt_check_ret(call_end(&call), 0, "fault %u: answered", n);
		take_answer(call.m.msg.offset_reply);
		return fault;
	}

	++*failures;
	kt_check(fault && fault_explains(CAN, ret), "fault %u: %s", n,
		 kt_err(ret));
	/* to answer is all that policy lets it do */
	again = answer();
	if (again) {
		kt_check_ret(again, -EPERM, "fault %u: again", n);
		kt_check(ret != -EFAULT, "fault %u: EFAULT ends it", n);
		kt_check_ret(call_end(&call), ret, "fault %u: who asked", n);
	} else {
		kt_check_ret(call_end(&call), 0, "fault %u: again", n);
		take_answer(call.m.msg.offset_reply);
	}
	return fault;
}

static void answer_all(int file, const char *how)
{
	unsigned int n, failures = 0;

	answer_once(file, 0, &failures);
	kt_assert(!failures, "fails without a fault");
	fault_snap(&w, &start);
	for (n = 1; answer_once(file, n, &failures); n++)
		check_start("a synchronous answer", n);
	kt_note("a synchronous answer%s: %u faults, %u failures", how, n - 1,
		failures);
	kt_check(failures, "no fault did harm");
}

START_TEST(answerer)
{
	int file;

	open_both();
	file = fault_file();
	answer_all(file, "");
	if (fault_flood(true))
		answer_all(file, ", and all that follow");
	fault_flood(false);
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Who cancels */

static struct call waiting;

static void cancel_before(struct fault_world *w)
{
	call_start(&waiting, &w->c[FROM], w->c[TO].id, COOKIE, NEVER);
	kt_check(fault_take(&w->c[TO]) == COOKIE, "another request");
}

static int cancel_call(struct fault_world *w)
{
	return cancel(&w->c[FROM], COOKIE);
}

static void cancel_still(struct fault_world *w)
{
	(void)w;
	kt_check(!__atomic_load_n(&waiting.done, __ATOMIC_SEQ_CST),
		 "it does not wait any more");
}

static void cancel_after(struct fault_world *w, bool fault)
{
	(void)w;
	(void)fault;
	kt_check_ret(call_end(&waiting), -ECANCELED, "the request");
}

START_TEST(canceller)
{
	static const struct fault_scene s = {
		.name = "MSG_CANCEL", .errs = CAN_MEM | CAN_FAULT,
		.before = cancel_before, .call = cancel_call,
		.still = cancel_still, .after = cancel_after,
	};

	open_both();
	fault_run(&w, &s);
	fault_end(&w);
}
END_TEST

KT_SUITE_LATE("fault-sync")
{
	kt_test_slow(asker, 180);
	kt_test_slow(answerer, 180);
	kt_test_slow(canceller, 180);
}
