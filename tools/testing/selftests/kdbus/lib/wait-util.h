/* SPDX-License-Identifier: GPL-2.0-only */
/* Commands that wait, in threads; the extended calls */
#ifndef KDBUS_TEST_WAIT_UTIL_H
#define KDBUS_TEST_WAIT_UTIL_H

#include "cast.h"

#define TURN_RECV	KDBUS_MSG_EXT_RECV
#define TURN_FREE	KDBUS_MSG_EXT_FREE
#define WAIT		KDBUS_RECV_EXT_WAIT
#define FREE		KDBUS_RECV_EXT_FREE
#define PEEK		KDBUS_RECV_PEEK
#define DROP		KDBUS_RECV_DROP
#define URGENT		KDBUS_RECV_USE_PRIORITY
#define NONE		KDBUS_OFFSET_NONE

struct waiter {
	struct conn *c;
	unsigned long nr;
	void *arg;
	int ret;
	pid_t tid;
	pthread_t thread;
	bool done;
};

/* a command in a thread, until that sleeps */
void wait_send(struct waiter *w, struct conn *c, struct blob *m);
void wait_recv(struct waiter *w, struct conn *c, struct kdbus_cmd_recv *recv);
/* the same, with nothing else in @recv */
void recv_start(struct waiter *w, struct conn *c, struct kdbus_cmd_recv *recv,
		u64 flags, u64 offset);
void wait_check_asleep(struct waiter *w);
bool wait_is_done(const struct waiter *w);
int wait_end(struct waiter *w);

void on_signal(int flags);		/* SIGUSR1, with these flags */
/* send it, until the handler has run */
void hit_thread(pthread_t thread);
void wait_hit(struct waiter *w);
/* over and over, and it waits on each time */
void wait_restarts(struct waiter *w);

void one_processor(void);		/* for this thread and its own */

/* MSG_RECV with nothing else in @recv */
int recv_now(struct conn *c, struct kdbus_cmd_recv *recv, u64 flags,
	     u64 offset);
void send_one(struct conn *from, const struct conn *to, u64 cookie);
void send_prio(struct conn *from, const struct conn *to, u64 cookie,
	       __s64 priority);
/* a message that also receives */
void turn_init(struct blob *m, u64 dst, u64 cookie);
/* free @offset when @m was sent */
void turn_free(struct blob *m, u64 offset);
/* @c receives a message of @from and keeps it: where it is */
u64 hold_one(struct conn *from, struct conn *c, u64 cookie);
/* what is at @offset has @cookie; it is freed */
void take_at(struct conn *c, u64 offset, u64 cookie);

#endif /* KDBUS_TEST_WAIT_UTIL_H */
