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
#define PAGE		4096UL
#define N_OFFSETS	64		/* that a slot remembers */

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
	atomic_bool stuck[N_CALLS];	/* it reads memory that stalls */
	atomic_uint current[N_THREADS];	/* the call it makes */
	_Atomic u64 begun[N_THREADS];	/* when, or 0: it makes none */
	atomic_int running;		/* threads that are not at the end */
	u64 end;			/* when to repeat nothing any more */
	/* since when somebody waits for a page, or 0 */
	_Atomic u64 since[N_THREADS][STALL_PAGES];
	atomic_uint fill[N_THREADS];	/* pages, for another process to fill */
};

struct slot {
	int fd;
	u8 *pool;
	size_t pool_size;	/* that are mapped */
	bool whole;		/* these are all */
	u64 offset;
	u64 offsets[N_OFFSETS];
	unsigned int n_offsets;
};

struct thread {
	unsigned int number;
	int fail_nth;
	unsigned int lap, steps;
	u16 laps[N_CALLS];
	bool other_fsuid, idle;
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
void *map(size_t size, int flags);
/* False if there are too many of them. */
bool note_map(void *p, size_t size);
void unmap(void *p);
void unmap_all(void);

/* stall.c */
void stall_init(void);			/* before there are processes */
void stall_open(void);			/* of a process, while it may do so */
void stall_start(unsigned int proc);	/* its thread that waits for faults */
void stall_reset(void);
void *stall_address(const struct thread *t, u64 at);
void *stall_argument(const struct thread *t, size_t size);
int stall_fill(const struct thread *t, u64 thread, u64 page, bool await);
int stall_unfill(const struct thread *t, u64 thread, u64 page);

/* args.c: the argument of an ioctl; returns its bytes, and where it is */
u64 value_of(const struct thread *t, const struct word *w, size_t size);
size_t build(struct thread *t, const struct call *c);
void *place(struct thread *t, const struct call *c, size_t size);

/* calls.c: return an errno */
int set_idle(struct thread *t, bool idle);
int run_call(struct thread *t, const struct call *c, bool *failed);

#endif /* KDBUS_FUZZ_EXEC_H */
