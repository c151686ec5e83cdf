// SPDX-License-Identifier: GPL-2.0-only
/* Threads that do something at the same moment: see duel.h */

#include <stdlib.h>

#include "duel.h"

struct fighter {
	struct duel *duel;
	int who;
};

static void *fighter(void *arg)
{
	struct fighter *f = arg;
	struct duel *d = f->duel;
	int who = f->who;
	u32 rnd = kt_seed + who * 7919;

	free(f);
	for (;;) {
		volatile u32 delay;

		pthread_barrier_wait(&d->barrier);
		if (d->over)
			return NULL;
		/* so that not always the same one is a little earlier */
		for (delay = kt_rand(&rnd) % 2000; delay; delay--)
			;
		d->ret[who] = d->fight(d, who);
		pthread_barrier_wait(&d->barrier);
	}
}

struct duel *duel_start(int n, int (*fight)(struct duel *d, int who))
{
	struct duel *d = calloc(1, sizeof(*d));
	int i;

	d->n = n;
	d->fight = fight;
	d->end = kt_now_ms() + RACE_MS;
	pthread_barrier_init(&d->barrier, NULL, n + 1);
	for (i = 0; i < n; i++) {
		struct fighter *f = malloc(sizeof(*f));

		f->duel = d;
		f->who = i;
		d->threads[i] = kt_thread(fighter, f);
	}
	return d;
}

bool duel_on(struct duel *d)
{
	return kt_go_on(d->end, d->rounds >= 5);
}

void duel_round(struct duel *d)
{
	d->rounds++;
	pthread_barrier_wait(&d->barrier);
	pthread_barrier_wait(&d->barrier);
}

void duel_end(struct duel *d)
{
	int i;

	d->over = true;
	pthread_barrier_wait(&d->barrier);
	for (i = 0; i < d->n; i++)
		kt_join(d->threads[i]);
	kt_check(d->rounds >= 5, "only %u rounds", d->rounds);
}

static int count_ret(const struct duel *d, int ret)
{
	int i, n = 0;

	for (i = 0; i < d->n; i++)
		n += d->ret[i] == ret;
	return n;
}

int check_one_wins(const struct duel *d, int err, int or)
{
	int i, winner = 0;

	for (i = 0; i < d->n; i++)
		if (!d->ret[i])
			winner = i;
	kt_check(count_ret(d, 0) == 1 &&
		 count_ret(d, -err) + (or == err ? 0 : count_ret(d, -or)) ==
			 d->n - 1,
		 "round %u: results %s, %s, %s, %s of %d", d->rounds,
		 kt_err(d->ret[0]), kt_err(d->ret[1]), kt_err(d->ret[2]),
		 kt_err(d->ret[3]), d->n);
	return winner;
}

int fight_make(struct duel *d, int who)
{
	return bus_try_make(d->fd[who], 0, d->name[who]);
}

int fight_hello(struct duel *d, int who)
{
	return hello(d->fd[who], 0, POOL);
}
