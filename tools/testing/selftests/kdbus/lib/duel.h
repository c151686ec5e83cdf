/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Threads that do something at the same moment, again and again for a bounded
 * time; whoever wins, what comes out must be one of the outcomes that the rules
 * allow.
 */
#ifndef KDBUS_TEST_DUEL_H
#define KDBUS_TEST_DUEL_H

#include "cast.h"

#define POOL		(64 * KIB)
#define RACE_MS		2500

#define MAX_FIGHTERS	4

struct duel {
	pthread_barrier_t barrier;
	pthread_t threads[MAX_FIGHTERS];
	int n;
	int (*fight)(struct duel *d, int who);
	int ret[MAX_FIGHTERS];
	bool over;
	unsigned int rounds;
	u64 end;

	/* what they fight about */
	struct bus bus;
	struct conn a, b;
	int fd[MAX_FIGHTERS];
	char name[MAX_FIGHTERS][64];
	u64 offset;
};

struct duel *duel_start(int n, int (*fight)(struct duel *d, int who));
bool duel_on(struct duel *d);		/* another round? */
void duel_round(struct duel *d);
void duel_end(struct duel *d);

int fight_make(struct duel *d, int who);	/* a bus of that name, on fd */
int fight_hello(struct duel *d, int who);	/* on fd */

/* exactly one 0, all others one of two errors; returns the winner */
int check_one_wins(const struct duel *d, int err, int or);

#endif /* KDBUS_TEST_DUEL_H */
