/* SPDX-License-Identifier: GPL-2.0-only */
/* Requests, replies and names: what the tests of these share */
#ifndef KDBUS_TEST_CALL_H
#define KDBUS_TEST_CALL_H

#include "util.h"

#define EXPECT		KDBUS_MSG_FLAGS_EXPECT_REPLY
#define SYNC		(KDBUS_MSG_FLAGS_SYNC_REPLY | EXPECT)
#define NOAUTO		KDBUS_MSG_FLAGS_NO_AUTO_START
#define NEVER		(~0ULL)		/* a deadline */

#define REPLACE		KDBUS_NAME_REPLACE_EXISTING
#define ALLOW		KDBUS_NAME_ALLOW_REPLACEMENT
#define QUEUE		KDBUS_NAME_QUEUE
#define IN_QUEUE	KDBUS_NAME_IN_QUEUE

u64 now_ns(void);
u64 in_ms(u64 ms);	/* a deadline */

/* asynchronous requests; without a name if @name is NULL */
void request_init(struct blob *m, u64 dst, const char *name, u64 cookie,
		  u64 deadline);
int request(struct conn *c, u64 dst, u64 cookie, u64 deadline);
int request_name(struct conn *c, const char *name, u64 cookie, u64 deadline);
void reply_init(struct blob *m, u64 dst, u64 cookie_reply);
int reply(struct conn *c, u64 dst, u64 cookie_reply);
int reply_as(uid_t uid, struct conn *c, u64 dst, u64 cookie_reply);
int send_name(struct conn *c, const char *name, u64 cookie);

bool is_note(const struct kdbus_msg *m, u64 type);
/* the next message comes within 20 s and is exactly this; it is freed */
void expect_note(struct conn *c, u64 type, u64 cookie);
/* the next message is there and has these cookies; it is freed */
void expect_msg(struct conn *c, u64 cookie, u64 cookie_reply);
void expect_empty(struct conn *c);
void wait_readable(struct conn *c);
u64 fdinfo(const struct conn *c, const char *key);	/* as "queued:" */
u64 pool_used(const struct conn *c);

/* a synchronous request in a thread */
struct call {
	struct conn *c;
	struct blob m;
	struct kdbus_msg *msg;	/* what is sent: &m.msg unless set before */
	int ret;
	u64 end;		/* when it returned */
	pid_t tid;
	pthread_t thread;
	bool done;
};

void call_init(struct call *call, struct conn *c, u64 dst, u64 cookie,
	       u64 deadline);
void call_run(struct call *call);	/* until it sleeps */
void call_run_now(struct call *call);	/* do not wait for that */
void call_start(struct call *call, struct conn *c, u64 dst, u64 cookie,
		u64 deadline);
int call_end(struct call *call);
int cancel(struct conn *c, u64 cookie);

int name_cmd(struct conn *c, unsigned long nr, const char *name, u64 *flags);
int name_acquire(struct conn *c, const char *name, u64 flags);
int name_release(struct conn *c, const char *name);
/* who owns it: 0 for nobody */
u64 name_owner(struct conn *c, const char *name, u64 *flags);
int name_list(struct conn *c, u64 flags, u64 *offset);

int special_try_open(struct conn *c, const struct bus *bus, u64 flags,
		     const char *name, u64 pool_size);
void activator_open(struct conn *c, const struct bus *bus, u64 flags,
		    const char *name, u64 pool_size);

#endif /* KDBUS_TEST_CALL_H */
