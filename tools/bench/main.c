// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-bench - measure and print, see bench.h
 *
 *   kdbus-bench [-m MODULE] [-u UID] [-w MICROSECONDS] [-b MICROSECONDS]
 *               [-n BATCHES] [-1] [-l] [NAME...]
 *
 *   -m	name of the module (kdbus)
 *   -u	become this user: a privileged one is spared some checks
 *   -w	how long to call before it is measured (70000)
 *   -b	how long a batch of calls is to last (1000)
 *   -n	of how many batches the median is taken (31)
 *   -1	stay on one processor, but for what is about two
 *   -l	call the one NAME until killed
 *
 * NAME is the begin of a name of a measurement; all of them by default.
 */
#include <err.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define NOT_OFFERED	77

static struct options opts = {
	.module		= "kdbus",
	.warm_ns	= 70000000,
	.batch_ns	= 1000000,
	.batches	= 31,
};
const struct options *const options = &opts;

static const size_t sizes[] = {
	64, 8 * KIB, 64 * KIB, 512 * KIB, 2 * MIB, 4 * MIB
};

static char **wanted;

long must_be(long r, const char *what)
{
	if (r < 0)
		err(1, "%s", what);
	return r;
}

void not_offered(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	putchar('\n');
	fflush(stdout);
	_exit(NOT_OFFERED);
}

void result(double ns, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vprintf(fmt, args);
	va_end(args);
	printf(" %.1f\n", ns);
	fflush(stdout);
}

void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	must(sched_setaffinity(0, sizeof(set), &set));
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

double median(double *values, unsigned int n)
{
	qsort(values, n, sizeof(*values), compare);
	return n % 2 ? values[n / 2] : (values[n / 2 - 1] + values[n / 2]) / 2;
}

static double batch(void (*fn)(void *), void *arg, unsigned int rounds)
{
	uint64_t begin = now();
	unsigned int i;

	for (i = 0; i < rounds; i++)
		fn(arg);
	return (double)(now() - begin) / rounds;
}

/* For tools/bench/profile, which takes the entry of @fn as begin of a round. */
void forever(void (*fn)(void *), void *arg)
{
	printf("# round at %#lx\n", (unsigned long)fn);
	fflush(stdout);
	for (;;)
		fn(arg);
}

/*
 * In its first tens of milliseconds two processes that wake each other up cost the
 * scheduler some 1,300 instructions per wake-up less than ever after: measured is
 * what lasts. A batch is shorter than the time between two ticks of the kernel's
 * clock where calls are, so that the median is that of batches without one.
 */
double measure(void (*fn)(void *), void *arg)
{
	uint64_t end = now() + opts.warm_ns;
	double values[opts.batches], once;
	unsigned int i, rounds;

	if (opts.forever)
		forever(fn, arg);
	do {
		once = batch(fn, arg, 8);
	} while (now() < end);
	rounds = opts.batch_ns / once < 1 ? 1 : opts.batch_ns / once;
	for (i = 0; i < opts.batches; i++)
		values[i] = batch(fn, arg, rounds);
	return median(values, opts.batches);
}

static bool is_wanted(const char *name)
{
	char **w;

	if (!*wanted)
		return true;
	for (w = wanted; *w; w++)
		if (strncmp(name, *w, strlen(*w)) == 0)
			return true;
	return false;
}

/* Runs @fn in a process. */
static void separately(const char *name, void (*fn)(const void *), const void *arg)
{
	pid_t pid;
	int status;

	fflush(stdout);
	pid = must(fork());
	if (pid == 0) {
		/* before what a result() prints, if there is none */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		fn(arg);
		_exit(0);
	}

	must(waitpid(pid, &status, 0));
	if (WIFEXITED(status) && WEXITSTATUS(status) == NOT_OFFERED)
		return;
	if (status)
		printf("# %s: failed, status %#x\n", name, status);
}

struct way_and_size {
	const struct way *way;
	size_t size;
	const char *name;
};

static void run_pair(const void *arg)
{
	const struct way_and_size *was = arg;
	struct pair pair;
	pid_t server;

	printf("# %s: ", was->name);
	server = pair_open(&pair, was->way, was->size);
	printf("%zu bytes and back\n", was->size);
	if (opts.forever)
		forever((void (*)(void *))pair.way->call, &pair);
	result(pair_measure(&pair), "%s", was->name);
	pair_close(&pair, server);
}

static void run_way(const struct way *way)
{
	char name[128];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		struct way_and_size was = { way, sizes[i], name };

		snprintf(name, sizeof(name), "%s.%zu", way->name, sizes[i]);
		if (sizes[i] <= way->max && is_wanted(name))
			separately(name, run_pair, &was);
	}
}

static void run_job(const void *arg)
{
	const struct job *job = arg;

	printf("# %s: ", job->name);
	job->run();
}

static void run_ways(const struct way *way)
{
	for (; way->name; way++)
		run_way(way);
}

static void run_jobs(const struct job *job)
{
	for (; job->name; job++)
		if (is_wanted(job->name))
			separately(job->name, run_job, job);
}

int main(int argc, char **argv)
{
	int c;

	while ((c = getopt(argc, argv, "m:u:w:b:n:1l")) >= 0) {
		switch (c) {
		case 'm':
			opts.module = optarg;
			break;
		case 'u':
			must(setgid(atoi(optarg)));
			must(setuid(atoi(optarg)));
			break;
		case 'w':
			opts.warm_ns = 1000ULL * atoi(optarg);
			break;
		case 'b':
			opts.batch_ns = 1000ULL * atoi(optarg);
			break;
		case 'n':
			opts.batches = atoi(optarg);
			break;
		case '1':
			run_on(0);
			break;
		case 'l':
			opts.forever = true;
			break;
		default:
			return 2;
		}
	}
	if (opts.batches < 1)
		errx(2, "-n takes a number");
	wanted = argv + optind;

	run_ways(unix_ways);
	run_ways(binder_ways);
	if (!dbus_ways->name)
		puts("# D-Bus: not offered: built without its libraries");
	run_ways(dbus_ways);
	run_ways(kdbus_ways);
	run_ways(lib_ways);
	run_jobs(kdbus_jobs);
	run_jobs(scale_jobs);
	run_jobs(cross_jobs);
	run_jobs(pairs_jobs);
	return 0;
}
