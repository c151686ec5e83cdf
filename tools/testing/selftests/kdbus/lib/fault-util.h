/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Make each allocation and each access to user memory of one system call fail
 * in turn, with the fault injection of the kernel (CONFIG_FAILSLAB,
 * CONFIG_FAIL_PAGE_ALLOC, CONFIG_FAULT_INJECTION_USERCOPY).
 */
#ifndef KDBUS_TEST_FAULT_UTIL_H
#define KDBUS_TEST_FAULT_UTIL_H

#include "policy-util.h"

#define FAULT_POOL	(64 * KIB)
#define FAULT_OWNER	1000	/* of the bus, and who sends: has a quota */
#define FAULT_OTHER	1001	/* who receives */
#define FAULT_CONNS	6

/* how a call may fail */
#define CAN_MEM		1U	/* ENOMEM */
#define CAN_FAULT	2U	/* EFAULT */
#define CAN_BUFS	4U	/* ENOBUFS */

struct fault_world {
	struct bus bus;
	struct conn watch;	/* lists names, hears of who comes and goes */
	struct conn c[FAULT_CONNS];	/* those that have a pool are open */
	struct blob cmd;
	int fd;
	u64 off;
	void *map;
	void *data;		/* of the test */
};

struct fault_scene {
	const char *name;
	unsigned int errs;	/* CAN_...; 0: each fault can be done without */
	bool quiet;		/* there may be nothing that can fail */
	bool single;		/* not also with all allocations that follow */
	void (*before)(struct fault_world *w);
	/* one system call: 0 or -ERRNO */
	int (*call)(struct fault_world *w);
	/* after a failure, beside what is compared anyway */
	void (*still)(struct fault_world *w);
	/*
	 * It failed with EFAULT but was done, as documented: true if so; that
	 * is undone, and ready to be called again.
	 */
	bool (*half)(struct fault_world *w);
	/*
	 * It succeeded: check that and undo it. @fault: although there was a
	 * fault, so something that may be lost can be missing.
	 */
	void (*after)(struct fault_world *w, bool fault);
};

/* ends the test if there is no fault injection; before who runs changes */
void fault_need(void);
/* also needs a bus of @FAULT_OWNER, and someone who watches */
void fault_world(struct fault_world *w);
void fault_open(struct fault_world *w, unsigned int i, uid_t uid, u64 flags,
		u64 attach);
void fault_close(struct fault_world *w, unsigned int i);
void fault_run(struct fault_world *w, const struct fault_scene *s);
void fault_run_all(struct fault_world *w, const struct fault_scene *s,
		   unsigned int n);
/* the bus ends, and can be made again under its name */
void fault_end(struct fault_world *w);

/* of the calling thread: fail the @n th time; 0 is never */
int fault_file(void);
void fault_arm(int file, unsigned int n);
bool fault_disarm(int file);	/* was there a fault? */
/*
 * Of the main thread: all allocations that follow fail, too. False, and it is
 * off, if FAULT_ONCE is in the environment.
 */
bool fault_flood(bool on);
bool fault_explains(unsigned int errs, int ret);

/* what there is, to be the same again later */
struct fault_snap {
	unsigned int fds;
	int lowest;		/* number that is free: others can be reserved */
	struct {
		u64 used, queued, arrivals;
	} c[FAULT_CONNS + 1];
	size_t size;
	u8 names[4096];
};

void fault_snap(struct fault_world *w, struct fault_snap *s);
/* @all: not only what is in use; the rest is for messages */
void fault_compare(struct fault_world *w, const struct fault_snap *s, bool all,
		   const char *name, unsigned int n, const char *when);

void fault_close_files(const struct kdbus_msg *m);
/* receive the next message, close its files, free it: its cookie */
u64 fault_take(struct conn *c);
/* throw all messages away: how many there were */
unsigned int fault_drop(struct conn *c);

#endif /* KDBUS_TEST_FAULT_UTIL_H */
