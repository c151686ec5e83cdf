// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the tests. Each one is a process that libcheck forks, kills when it
 * takes too long, and whose children and threads die with it.
 */
#include <fcntl.h>
#include <fnmatch.h>
#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

struct entry {
	char name[96];		/* suite/test */
	const TTest *test;
	unsigned int timeout;
};

#define KSFT_SKIP	4	/* exit status, as in kselftest.h */

static struct entry entries[2048];
static unsigned int n_entries;
static const char *suite_name;

void kt_add(const TTest *test, unsigned int timeout)
{
	struct entry *e = &entries[n_entries++];

	if (n_entries > ARRAY_SIZE(entries))
		abort();
	snprintf(e->name, sizeof(e->name), "%s/%s", suite_name, test->name);
	e->test = test;
	e->timeout = timeout;
}

/* The linker gathers what KT_SUITE() put there, and names both ends. */
extern const struct kt_suite *const __start_kt_suites[];
extern const struct kt_suite *const __stop_kt_suites[];

static int compare_suites(const void *p, const void *q)
{
	const struct kt_suite *a = *(const struct kt_suite * const *)p;
	const struct kt_suite *b = *(const struct kt_suite * const *)q;

	if (a->late != b->late)
		return a->late - b->late;
	return strcmp(a->file, b->file);
}

static void register_all(void)
{
	size_t i, n = __stop_kt_suites - __start_kt_suites;
	const struct kt_suite *suites[n];

	memcpy(suites, __start_kt_suites, sizeof(suites));
	qsort(suites, n, sizeof(*suites), compare_suites);
	for (i = 0; i < n; i++) {
		suite_name = suites[i]->name;
		suites[i]->add_tests();
	}
}

static bool wanted(const struct entry *e, char **patterns, int n)
{
	int i;

	for (i = 0; i < n; i++)
		if (strstr(e->name, patterns[i]) ||
		    !fnmatch(patterns[i], e->name, 0))
			return true;
	return !n;
}

/* a line in the kernel log, to know whose a warning there is */
static void mark(const char *name)
{
	int fd = open("/dev/kmsg", O_WRONLY | O_CLOEXEC);
	char line[160];
	int n;

	if (fd < 0)
		return;
	/* no dprintf(), which seeks, and kmsg cannot */
	n = snprintf(line, sizeof(line), "%s-test: start %s\n", kt_module,
		     name);
	if (write(fd, line, n) != n)
		printf("# cannot write to /dev/kmsg\n");
	close(fd);
}

static const char *current;

static void before(void)
{
	kt->pid = getpid();
	mark(current);
}

static void after(void)
{
	if (kt->failures)
		ck_abort_msg("%u checks failed, see above", kt->failures);
}

static void print_failure(SRunner *sr)
{
	TestResult **results = srunner_failures(sr);
	int i;

	for (i = 0; i < srunner_ntests_failed(sr); i++)
		printf("# %s (after %s:%d)\n", tr_msg(results[i]),
		       tr_lfile(results[i]) ?: "?", tr_lno(results[i]));
	free(results);
}

/* 1: passed, 0: failed, -1: skipped */
static int run(const struct entry *e, unsigned int number)
{
	TCase *tc = tcase_create(e->test->name);
	Suite *s = suite_create(e->name);
	u64 start = kt_now_ms();
	SRunner *sr;
	int result;

	memset(kt, 0, sizeof(*kt));
	current = e->name;
	tcase_set_timeout(tc, e->timeout);
	tcase_add_checked_fixture(tc, before, after);
	tcase_add_test(tc, e->test);
	suite_add_tcase(s, tc);
	sr = srunner_create(s);
	srunner_set_fork_status(sr, CK_FORK);
	fflush(NULL);
	srunner_run_all(sr, CK_SILENT);

	if (kt->skipped && !kt->failures)
		result = -1;
	else
		result = !srunner_ntests_failed(sr) && !kt->failures;
	if (!result)
		print_failure(sr);
	if (kt_now_ms() - start > 10000)
		printf("# took %llu ms\n", kt_now_ms() - start);
	printf("%s %u %s%s%s\n", result ? "ok" : "not ok", number, e->name,
	       result < 0 ? " # SKIP " : "", result < 0 ? kt->reason : "");
	fflush(stdout);
	srunner_free(sr);
	return result;
}

static int run_all(char **patterns, int n)
{
	unsigned int i, number = 0, passed = 0, failed = 0, skipped = 0;

	for (i = 0; i < n_entries; i++)
		number += wanted(&entries[i], patterns, n);
	printf("TAP version 13\n1..%u\n# seed %u\n", number, kt_seed);
	number = 0;
	for (i = 0; i < n_entries; i++) {
		int result;

		if (!wanted(&entries[i], patterns, n))
			continue;
		result = run(&entries[i], ++number);
		passed += result > 0;
		failed += result == 0;
		skipped += result < 0;
	}
	printf("# Totals: pass:%u fail:%u xfail:0 xpass:0 skip:%u error:0\n",
	       passed, failed, skipped);
	printf("%u passed, %u failed", passed, failed);
	if (skipped)
		printf(", %u skipped", skipped);
	printf("\n");
	if (!failed && !passed && skipped)
		return KSFT_SKIP;
	return failed || !passed;
}

static bool have_driver(void)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	return path_exists(path);
}

static void load_driver(void)
{
	pid_t pid = fork();

	if (!pid) {
		/* what it says would stand before the version of TAP */
		freopen("/dev/null", "w", stderr);
		execlp("modprobe", "modprobe", "-q", kt_module, NULL);
		_exit(127);
	}
	if (pid > 0)
		kt_wait(pid);
}

/* what is missing for any test at all, or NULL */
static const char *missing(void)
{
	if (geteuid())
		return "only root makes all that the tests need";
	if (!have_driver())
		load_driver();
	return have_driver() ? NULL : "no control node in /dev, no such module";
}

static void usage(FILE *out, const char *name)
{
	fprintf(out, "usage: %s [-l] [-m MODULE] [-s SEED] [-t PATTERN]...\n"
		"  -l  list the tests\n"
		"  -m  name of the module, and of its directory in /dev\n"
		"  -s  seed of everything random (default: the clock)\n"
		"  -t  only tests whose SUITE/NAME contains or matches this\n"
		"exit status: 0, 1 when a test failed, 4 when all were skipped\n",
		name);
}

static int list_all(char **patterns, int n)
{
	unsigned int i;

	for (i = 0; i < n_entries; i++)
		if (wanted(&entries[i], patterns, n))
			puts(entries[i].name);
	return 0;
}

int main(int argc, char **argv)
{
	const char *reason;
	char *patterns[64];
	int opt, n = 0;
	bool list = false;

	kt_seed = time(NULL);
	while ((opt = getopt(argc, argv, "hlm:s:t:")) != -1) {
		switch (opt) {
		case 'h':
			usage(stdout, argv[0]);
			return 0;
		case 'l':
			list = true;
			break;
		case 'm':
			kt_module = optarg;
			break;
		case 's':
			kt_seed = strtoul(optarg, NULL, 0);
			break;
		case 't':
			if (n < (int)ARRAY_SIZE(patterns))
				patterns[n++] = optarg;
			break;
		default:
			usage(stderr, argv[0]);
			return 2;
		}
	}
	if (optind != argc) {
		usage(stderr, argv[0]);
		return 2;
	}

	signal(SIGPIPE, SIG_IGN);
	kt = mmap(NULL, sizeof(*kt), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (kt == MAP_FAILED) {
		perror("mmap");
		return 2;
	}
	register_all();
	if (list)
		return list_all(patterns, n);
	reason = missing();
	if (reason) {
		printf("TAP version 13\n1..0 # SKIP %s\n", reason);
		return KSFT_SKIP;
	}
	return run_all(patterns, n);
}
