// SPDX-License-Identifier: GPL-2.0-only
/* Commands that wait: see wait-util.h */

#include <sched.h>
#include <signal.h>

#include "wait-util.h"

static void *run(void *arg)
{
	struct waiter *w = arg;

	__atomic_store_n(&w->tid, kt_tid(), __ATOMIC_SEQ_CST);
	w->ret = kt_cmd(w->c->fd, w->nr, w->arg);
	__atomic_store_n(&w->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start(struct waiter *w, struct conn *c, unsigned long nr, void *arg)
{
	*w = (struct waiter) { .c = c, .nr = nr, .arg = arg };
	w->thread = kt_thread(run, w);
	while (!__atomic_load_n(&w->tid, __ATOMIC_SEQ_CST))
		sched_yield();
	wait_check_asleep(w);
}

void wait_send(struct waiter *w, struct conn *c, struct blob *m)
{
	start(w, c, KDBUS_CMD_MSG_SEND, m);
}

void wait_recv(struct waiter *w, struct conn *c, struct kdbus_cmd_recv *recv)
{
	start(w, c, KDBUS_CMD_MSG_RECV, recv);
}

static void recv_init(struct kdbus_cmd_recv *recv, u64 flags, u64 offset)
{
	*recv = (struct kdbus_cmd_recv) { .flags = flags, .offset = offset };
}

void recv_start(struct waiter *w, struct conn *c, struct kdbus_cmd_recv *recv,
		u64 flags, u64 offset)
{
	recv_init(recv, flags, offset);
	wait_recv(w, c, recv);
}

int recv_now(struct conn *c, struct kdbus_cmd_recv *recv, u64 flags,
	     u64 offset)
{
	recv_init(recv, flags, offset);
	return kt_cmd(c->fd, KDBUS_CMD_MSG_RECV, recv);
}

bool wait_is_done(const struct waiter *w)
{
	return __atomic_load_n(&w->done, __ATOMIC_SEQ_CST);
}

void wait_check_asleep(struct waiter *w)
{
	kt_wait_asleep(w->tid);
	kt_check(!wait_is_done(w), "it does not wait: %s", kt_err(w->ret));
}

int wait_end(struct waiter *w)
{
	kt_join(w->thread);
	return w->ret;
}

/* ------------------------------------------------------------------------ */

static unsigned int signals;

static void handler(int nr)
{
	(void)nr;
	__atomic_add_fetch(&signals, 1, __ATOMIC_SEQ_CST);
}

void on_signal(int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	kt_assert(!sigaction(SIGUSR1, &sa, NULL), "sigaction: %m");
}

void hit_thread(pthread_t thread)
{
	unsigned int was = __atomic_load_n(&signals, __ATOMIC_SEQ_CST);

	kt_assert(!pthread_kill(thread, SIGUSR1), "pthread_kill");
	while (__atomic_load_n(&signals, __ATOMIC_SEQ_CST) == was)
		sched_yield();
}

void wait_hit(struct waiter *w)
{
	hit_thread(w->thread);
}

void wait_restarts(struct waiter *w)
{
	int i;

	for (i = 0; i < 20; i++) {
		wait_hit(w);
		wait_check_asleep(w);
	}
}

/* ------------------------------------------------------------------------ */

void one_processor(void)
{
	cpu_set_t all, one;
	int i = 0;

	kt_assert(!sched_getaffinity(0, sizeof(all), &all), "affinity: %m");
	while (!CPU_ISSET(i, &all))
		i++;
	CPU_ZERO(&one);
	CPU_SET(i, &one);
	kt_assert(!sched_setaffinity(0, sizeof(one), &one), "affinity: %m");
}

void send_one(struct conn *from, const struct conn *to, u64 cookie)
{
	kt_assert_ret(conn_send_bytes(from, to->id, cookie, "x", 1), 0, "send");
}

void send_prio(struct conn *from, const struct conn *to, u64 cookie,
	       __s64 priority)
{
	struct blob m;

	msg_init(&m, to->id, cookie);
	m.msg.priority = priority;
	kt_assert_ret(conn_send(from, &m), 0, "send");
}

void turn_init(struct blob *m, u64 dst, u64 cookie)
{
	msg_init(m, dst, cookie);
	m->msg.flags = TURN_RECV;
}

void turn_free(struct blob *m, u64 offset)
{
	m->msg.flags |= TURN_FREE;
	blob_add(m, KDBUS_ITEM_FREE, &offset, sizeof(offset));
}

u64 hold_one(struct conn *from, struct conn *c, u64 cookie)
{
	u64 off;

	send_one(from, c, cookie);
	kt_assert(conn_recv_msg(c, &off)->cookie == cookie, "another message");
	return off;
}

void take_at(struct conn *c, u64 offset, u64 cookie)
{
	kt_check(conn_msg(c, offset)->cookie == cookie, "cookie %llu, not %llu",
		 conn_msg(c, offset)->cookie, cookie);
	kt_check_ret(conn_free(c, offset), 0, "FREE");
}
