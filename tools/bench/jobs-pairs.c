// SPDX-License-Identifier: GPL-2.0
/*
 * Whether a pair of processes is slowed down by another one on another processor,
 * that has nothing to do with it but the bus. Sockets, which share nothing at all,
 * are there to show what the machine itself does.
 */
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kdbus.h"

#define ALTERNATIONS	15

/* Another pair; runs when it is told to continue. */
static pid_t start_other(const struct way *way)
{
	struct pair pair;
	pid_t pid;

	pid = must(fork());
	if (pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run_on(1);
		pair_open(&pair, way, 64);
		raise(SIGSTOP);
		for (;;)
			way->call(&pair);
	}
	must(waitpid(pid, NULL, WUNTRACED));
	return pid;
}

static double once(struct pair *pair)
{
	uint64_t end = now() + 50000000, begin = now();
	unsigned int n = 0;

	while (now() < end) {
		pair->way->call(pair);
		n++;
	}
	return (double)(now() - begin) / n;
}

/* Alternating, as what else the host does may change while this runs. */
static void disturb(const struct way *way, const char *name)
{
	double alone[ALTERNATIONS], both[ALTERNATIONS];
	struct pair pair;
	pid_t server, other;
	unsigned int i;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		not_offered("not offered: needs two processors");
	puts("a pair alone, and beside another one on the other processor");
	other = start_other(way);
	run_on(0);
	server = pair_open(&pair, way, 64);
	once(&pair);
	for (i = 0; i < ALTERNATIONS; i++) {
		alone[i] = once(&pair);
		must(kill(other, SIGCONT));
		usleep(1000);
		both[i] = once(&pair);
		must(kill(other, SIGSTOP));
		must(waitpid(other, NULL, WUNTRACED));
	}
	result(median(alone, ALTERNATIONS), "%s.alone", name);
	result(median(both, ALTERNATIONS), "%s.beside", name);
	kill(other, SIGKILL);
	waitpid(other, NULL, 0);
	pair_close(&pair, server);
}

static const struct way *find(const struct way *way, const char *name)
{
	while (way->name && strcmp(way->name, name) != 0)
		way++;
	return way;
}

static void unix_pairs(void)
{
	disturb(find(unix_ways, "unix.call"), "unix.pairs");
}

static void kdbus_pairs(void)
{
	/* both on the same */
	bus_make();
	disturb(find(kdbus_ways, "kdbus.call"), "kdbus.pairs");
}

const struct job pairs_jobs[] = {
	{ "unix.pairs", unix_pairs },
	{ "kdbus.pairs", kdbus_pairs },
	{ 0 }
};
