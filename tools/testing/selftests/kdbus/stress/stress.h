/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Everything at random, by many threads of several users, and a model of what
 * each of them may see
 *
 * stress.c		the world, who works in it, and how it ends
 * op.c		what is done at random
 * send.c	messages, and which errors they may have
 * recv.c	what arrives is compared with what was sent
 * model.c	after the end: did everything arrive that had to?
 *
 * All time in the model is a counter that each event advances.
 */
#ifndef KDBUS_TEST_STRESS_H
#define KDBUS_TEST_STRESS_H

#include "policy-util.h"

#define ST_USERS	3	/* a process each */
#define ST_THREADS	2	/* of each */
#define ST_WORKERS	(ST_USERS * ST_THREADS)
#define ST_OWN		2	/* connections of each thread */
#define ST_SLOTS	(ST_WORKERS * ST_OWN)
#define ST_NAMES	4
#define ST_ACTIVATED	2	/* from this one on, they have activators */
#define ST_STEADY	3	/* nobody is replaced as its owner, or waits */
#define ST_BITS		8	/* of bloom filters */
#define ST_PRIOS	3	/* -1, 0, 1 */
#define ST_HELD		4	/* slices kept for a while */
#define ST_OWED		4	/* requests answered later */
#define ST_TRACE	12
#define ST_LONGEST	100	/* ms, deadline of a request */
#define ST_RECS		(1U << 20)
#define ST_CONNS	(1U << 18)

#define ST_WANTED	(KDBUS_ATTACH_TIMESTAMP | KDBUS_ATTACH_CREDS | \
			 KDBUS_ATTACH_NAMES | KDBUS_ATTACH_CONN_NAME)

extern const char *const st_names[ST_NAMES];

enum st_kind {
	ST_MESSAGE, ST_REQUEST, ST_SYNC, ST_REPLY, ST_CAST, ST_N_KINDS,
};

/* of a message, in this order, behind the head */
#define ST_BYTES	1U
#define ST_NUL		2U
#define ST_MEMFD	4U
#define ST_FDS		8U

/* a message that somebody sends; its cookie is its number plus 1 */
struct st_rec {
	u64 start, end;		/* of MSG_SEND */
	u64 deadline;
	u64 replied_ns;		/* since when the answer has been accepted */
	u64 seq;		/* as the first receiver was told */
	u64 src, dst;
	u32 to;			/* cookie of the request */
	u32 seed, len;
	int ret;
	u32 got;		/* how often it was received */
	u32 got_by;		/* slots, of broadcasts */
	u32 must, never;	/* slots */
	u32 seen;		/* by the monitor */
	u32 timeouts, deaths, answers;
	int8_t prio;
	u8 worker, kind, parts;
	u8 name;		/* plus 1 */
	u8 dropped, cancelled;
};

enum st_how { ST_ALIVE, ST_BYEBYE, ST_CLOSED };

/* a connection, by its id */
struct st_inc {
	u8 worker, slot, uid_nr, fds;
	u8 closing;		/* has begun to end */
	u8 end;
	u8 names;		/* it ever tried to own */
	u64 opened, closed;
	u64 lost;		/* as fdinfo says */
	u64 missing;
};

/* what is known of a connection from outside; @ver is odd while it changes */
struct st_pub {
	u64 ver, id;
	u32 bits;
};

struct st_profile {
	const char *name;
	u64 pool;
	bool watched;		/* by a monitor */
	u8 weight[16];		/* by enum st_op */
};

struct st_who {
	pid_t pid, tid;
	uid_t uid;
};

struct st_world {
	const struct st_profile *profile;
	u32 seed;
	u64 tick;
	u32 n_recs;
	u32 stop, told;
	u32 at_barrier[8];
	u64 death[ST_NAMES];	/* of a connection that had the name */
	struct st_pub pub[ST_SLOTS];
	struct st_who who[ST_WORKERS];
	u64 done[ST_N_KINDS], failed[ST_N_KINDS], received, ops;
	struct st_inc incs[ST_CONNS];
	struct st_rec recs[ST_RECS];
};

/*
 * What was sent to the steady name may have waited at its activator. It is in
 * order with what its own sender sent, others may have passed it.
 */
struct st_from {
	u64 id;			/* of the sender */
	u64 started[ST_PRIOS];
};

struct st_slot {
	struct conn c;
	unsigned int nr;
	bool open;
	u64 held[ST_HELD];
	u32 owed[ST_OWED];
	/* by priority: what was received lets nothing older come later */
	u64 started[ST_PRIOS], seq[ST_PRIOS], urgent[ST_PRIOS];
	struct st_from from[ST_SLOTS];	/* by the slot of the sender */
};

struct st_trace {
	const char *what;
	u64 tick, a, b;
	int ret;
};

struct st_worker {
	unsigned int nr, user;
	u32 rand;
	struct st_slot slots[ST_OWN];
	struct st_worker *peer;	/* another thread of the process */
	pthread_mutex_t lock;	/* its descriptors stay */
	int sync_fd;
	u32 sync;		/* cookie of its synchronous request */
	struct st_trace trace[ST_TRACE];
	unsigned int n_trace;
};

extern struct st_world *st;
extern struct bus st_bus;
extern __thread struct st_worker *st_me;

static inline u64 st_tick(void)
{
	return __atomic_add_fetch(&st->tick, 1, __ATOMIC_SEQ_CST);
}

static inline u32 st_below(struct st_worker *w, u32 n)
{
	return kt_rand(&w->rand) % n;
}

static inline bool st_activated(const struct st_rec *r)
{
	return r->name > ST_ACTIVATED;
}

static inline unsigned int st_prio(const struct st_rec *r)
{
	return r->prio + 1;
}

void st_trace(const char *what, u64 a, u64 b, int ret);
void st_bad(const char *file, int line, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));

#define st_check(cond, ...) ({						\
	bool __ok = !!(cond);						\
	if (!__ok)							\
		st_bad(__FILE__, __LINE__, __VA_ARGS__);		\
	__ok;								\
})

/* op.c */
enum st_op {
	ST_OP_SEND, ST_OP_NAME_SEND, ST_OP_REQUEST, ST_OP_SYNC, ST_OP_CAST,
	ST_OP_RECV, ST_OP_DROP, ST_OP_MATCH, ST_OP_ACQUIRE, ST_OP_RELEASE,
	ST_OP_INFO, ST_OP_LIST, ST_OP_REOPEN, ST_OP_ENDPOINT, ST_OP_CANCEL,
	ST_OP_FREE, ST_N_OPS,
};
void st_op(struct st_worker *w);
void st_open(struct st_worker *w, struct st_slot *s);
void st_close(struct st_slot *s, bool byebye);

/* send.c */
void st_send(struct st_worker *w, struct st_slot *s, enum st_kind kind,
	     bool by_name, u32 answer_to);

/* recv.c */
int st_recv(struct st_slot *s, u64 flags, int64_t priority);
void st_answered(struct st_slot *s, const struct st_rec *request, u64 off);
int st_drop(struct st_slot *s);
void st_release(struct st_slot *s, u64 off);	/* look again, and free */
void st_drain(struct st_slot *s);
/* by somebody who is not one of the workers */
u32 st_look(const struct kdbus_msg *m, bool files);

/* model.c */
void st_verdict(bool watched, u64 monitor_lost);

void st_run(const struct st_profile *profile);

#endif /* KDBUS_TEST_STRESS_H */
