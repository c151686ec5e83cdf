/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What those share that run a program: memory between the processes, and what
 * each process has. state.c owns it.
 */
#ifndef KDBUS_FUZZ_EXEC_H
#define KDBUS_FUZZ_EXEC_H

#include <semaphore.h>
#include <stdatomic.h>

#include "fuzz.h"

#define AREA_SIZE	(64UL << 10)	/* of one argument */
#define BUS_FD		900		/* out of the way of what is closed */

/* between all processes */
struct shared {
	struct result result;
	struct prog prog;
	bool alone;		/* one thread makes all calls */
	int order;
	sem_t go[N_THREADS];
	sem_t ready;
	u64 id[N_PROCS][N_SLOTS];
	atomic_int tid[N_THREADS];
	atomic_bool done[N_CALLS];
};

struct slot {
	int fd;
	u8 *pool;
	size_t pool_size;
	u64 offset;
};

struct thread {
	unsigned int number;
	int fail_nth;
	u8 *area, *constant;
	u64 text[AREA_SIZE / 8];	/* an argument in the making */
};

extern struct shared *shared;

/* of one process */
extern struct slot slots[N_SLOTS];
extern struct thread threads[N_THREADS];
extern u8 *buffer;		/* payload; nothing is behind it */
extern u8 *scratch;		/* arguments of all threads at once */

/* state.c */
void die(const char *what) __attribute__((__noreturn__));
void note_map(void *p, size_t size);
void unmap_all(void);

/* args.c: the argument of an ioctl; returns its bytes, and where it is */
u64 value_of(const struct thread *t, const struct word *w, size_t size);
size_t build(struct thread *t, const struct call *c);
void *place(struct thread *t, const struct call *c, size_t size);

/* calls.c: returns an errno */
int run_call(struct thread *t, const struct call *c, bool *failed);

#endif /* KDBUS_FUZZ_EXEC_H */
