// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer, within the guest. Starts from the programs of the corpus, changes
 * them, and keeps those that reach something new.
 *
 * Lines on stdout that start with "+" are a program that was kept, with ">" the
 * one about to be run: whoever reads the last of them knows what it was when the
 * kernel is gone. "tools/fuzz/run" reads them.
 */
#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MOST_KEPT	20000

static char **corpus;
static unsigned int n_corpus, n_patterns;	/* these come first */
static char text[TEXT_MAX];
static unsigned long runs, killed;
static bool trace = true;

static void usage(FILE *out, const char *name)
{
	fprintf(out, "usage: %s [-m MODULE] [-s SEED] [-t SECONDS] [-p PATTERNS] [-c CORPUS] [-k]\n"
		"       %s [-m MODULE] [-n TIMES] -r FILE\n"
		"  -c  file of programs to start from\n"
		"  -k  run those of the corpus once, tell which are worth keeping\n"
		"  -m  name of the module, and of its directory in /dev\n"
		"  -n  how often (1)\n"
		"  -p  file of programs that are worth keeping whatever they reach:\n"
		"      what they are about depends on who comes first\n"
		"  -r  run the programs of a file, tell how each call ended\n"
		"  -s  seed (the clock)\n"
		"  -t  how long (60)\n", name, name);
}

static void write_knob(const char *dir, const char *knob, const char *value)
{
	char path[96];
	FILE *f;

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", dir, knob);
	f = fopen(path, "w");
	if (f) {
		fputs(value, f);
		fclose(f);
	}
}

/* faults are for the call that asks for them, and silent */
static void faults_init(void)
{
	static const char *const dirs[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		write_knob(dirs[i], "probability", "0");
		write_knob(dirs[i], "verbose", "0");
		write_knob(dirs[i], "ignore-gfp-wait", "N");
		write_knob(dirs[i], "ignore-gfp-highmem", "N");
		write_knob(dirs[i], "min-order", "0");
	}
}

/* ------------------------------------------------------------------------ */

static void print_marked(char mark, const char *p)
{
	while (*p) {
		const char *end = strchrnul(p, '\n');

		printf("%c%.*s\n", mark, (int)(end - p), p);
		p = end + !!*end;
	}
	printf("%c\n", mark);
}

/* how each call ended, as comments */
static void print_results(const struct prog *p)
{
	unsigned int i;

	for (i = 0; i < p->n; i++) {
		const struct call *c = &p->calls[i];

		printf("# %u %s s%u: ", c->thread, ops[c->op].name, c->slot);
		if (result->err[i] < 0)
			printf("did not return\n");
		else
			printf("%s%s\n", result->err[i] ?
			       strerrorname_np(result->err[i]) ?: "?" : "ok",
			       result->failed[i] ? ", with a fault" : "");
	}
}

/* Run; false if something is wrong: then all of it was printed. */
static bool run(const struct prog *p)
{
	bool ended;
	unsigned int i;

	prog_print(p, text, sizeof(text));
	if (trace) {
		print_marked('>', text);
		fflush(stdout);
	}
	cover_reset();
	ended = exec_prog(p);
	runs++;
	killed += !ended;
	for (i = 0; i < p->n; i++)
		if (result->err[i] >= 0)
			cover_result(p->calls[i].op, result->err[i],
				     result->failed[i]);

	if (watch_complaint())
		printf("# FOUND: the kernel complains\n");
	else if (result->broken[0])
		printf("# FOUND: %s\n", result->broken);
	else if (!watch_idle())
		printf("# FOUND: the module stays in use\n");
	else
		return true;
	print_results(p);
	print_marked('!', text);
	fflush(stdout);
	return false;
}

static void keep(const struct prog *p)
{
	if (n_corpus == MOST_KEPT)
		return;
	prog_print(p, text, sizeof(text));
	corpus[n_corpus++] = strdup(text);
}

static void keep_if_new(const struct prog *p, bool tell)
{
	if (!cover_new())
		return;
	keep(p);
	if (tell)
		print_marked('+', text);
}

/* ------------------------------------------------------------------------ */

static char *read_file(const char *path)
{
	FILE *f = fopen(path, "r");
	size_t used = 0, size = 0;
	char *buf = NULL;

	if (!f) {
		perror(path);
		exit(2);
	}
	do {
		size += 1 << 20;
		buf = realloc(buf, size + 1);
		used += fread(buf + used, 1, size - used, f);
	} while (used == size);
	fclose(f);
	buf[used] = 0;
	return buf;
}

/*
 * Programs end with an empty line. Calls @each with those that can be read; false
 * ends it.
 */
static bool for_each_prog(const char *path, bool (*each)(const struct prog *p))
{
	char *buf = read_file(path), *at = buf, *end;
	static struct prog p;
	bool ok = true;
	unsigned int bad;

	while (ok && *at) {
		end = strstr(at, "\n\n");
		if (end)
			end[1] = 0;
		if (*at != '\n') {
			bad = prog_parse(&p, at);
			if (bad) {
				printf("# %s: cannot read line %u of this:\n%s\n",
				       path, bad, at);
				ok = false;
			} else {
				ok = each(&p);
			}
		}
		at = end ? end + 2 : at + strlen(at);
	}
	free(buf);
	return ok;
}

static bool start_from(const struct prog *p)
{
	if (!run(p))
		return false;
	keep_if_new(p, !trace);
	return true;
}

static bool pattern(const struct prog *p)
{
	if (!run(p))
		return false;
	cover_new();
	keep(p);
	n_patterns = n_corpus;
	return true;
}

static unsigned int times = 1;

static bool repeat(const struct prog *p)
{
	u64 start = now();
	unsigned int i;

	for (i = 0; i < times; i++)
		if (!run(p))
			return false;
	print_results(p);
	printf("# %llu us each time\n", (unsigned long long)(now() - start) /
	       1000 / (times ?: 1));
	printf("\n");
	return true;
}

/* ------------------------------------------------------------------------ */

static time_t clock_s(void)
{
	return now() / 1000000000;
}

static void report(time_t since)
{
	time_t s = clock_s() - since;

	printf("# %ld s: %lu runs, %lu killed, %u kept, %u seen\n", (long)s, runs,
	       killed, n_corpus, cover_total());
	fflush(stdout);
}

/* newer ones more often: what they led to was not looked at so long */
static const char *some_kept(void)
{
	unsigned int at = rnd(n_corpus);

	if (n_patterns && chance(15))
		at = rnd(n_patterns);
	else if (chance(30) && n_corpus > 20)
		at = n_corpus - 1 - rnd(n_corpus / 5);
	return corpus[at];
}

static void next(struct prog *p)
{
	static struct prog other;

	if (!n_corpus || chance(4)) {
		prog_generate(p);
		return;
	}
	/* which thread is first differs from one time to the next */
	if (n_patterns && chance(5)) {
		prog_parse(p, corpus[rnd(n_patterns)]);
		return;
	}
	prog_parse(p, some_kept());
	prog_parse(&other, some_kept());
	prog_mutate(p, &other);
}

static bool fuzz(unsigned int seconds)
{
	time_t start = clock_s(), told = start;
	static struct prog p;

	while (clock_s() - start < seconds) {
		next(&p);
		if (!run(&p))
			return false;
		keep_if_new(&p, true);
		if (clock_s() - told >= 60) {
			told = clock_s();
			report(start);
		}
	}
	report(start);
	return true;
}

int main(int argc, char **argv)
{
	const char *start = NULL, *repro = NULL, *patterns = NULL;
	unsigned int seconds = 60;
	bool keep_only = false, ok = true;
	int opt;

	rng = time(NULL);
	while ((opt = getopt(argc, argv, "hc:km:n:p:r:s:t:")) != -1) {
		switch (opt) {
		case 'h': usage(stdout, argv[0]); return 0;
		case 'c': start = optarg; break;
		case 'k': keep_only = true; break;
		case 'm': module = optarg; break;
		case 'n': times = atoi(optarg); break;
		case 'p': patterns = optarg; break;
		case 'r': repro = optarg; break;
		case 's': rng = strtoull(optarg, NULL, 0); break;
		case 't': seconds = atoi(optarg); break;
		default: usage(stderr, argv[0]); return 2;
		}
	}
	printf("# seed %llu\n", (unsigned long long)rng);
	rng = rng * 0x9e3779b97f4a7c15ULL ?: 1;
	trace = !keep_only;

	corpus = calloc(MOST_KEPT, sizeof(*corpus));
	faults_init();
	cover_init();
	watch_init();
	exec_init();
	atexit(exec_exit);
	if (repro)
		return !for_each_prog(repro, repeat);
	if (!cover_there)
		printf("# no kcov: nothing tells what was reached\n");
	if (patterns)
		ok = for_each_prog(patterns, pattern);
	if (ok && start)
		ok = for_each_prog(start, start_from);
	printf("# corpus: %lu programs, %u kept, %u seen\n", runs, n_corpus,
	       cover_total());
	if (keep_only)
		printf("%lu passed, %u failed\n", runs - !ok, !ok);
	else if (ok)
		ok = fuzz(seconds);
	return !ok;
}
