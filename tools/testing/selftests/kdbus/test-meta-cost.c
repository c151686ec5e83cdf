// SPDX-License-Identifier: GPL-2.0-only
/*
 * What gathering metadata makes the kernel do: nothing that nobody asked for,
 * and nothing again that did not change. Counted with probes on functions of
 * the kernel that do the work.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta-util.h"
#include "suites.h"

#define POOL		(64 * KIB)
#define TRACING		"/sys/kernel/tracing"
#define GROUP		TRACING "/events/kdbus_test"
#define ROUNDS		50

/* what the work of each kind shows by */
static const struct {
	const char *function;
	u64 mask;
} probes[] = {
	{ "d_path", EXE },
	{ "kernfs_path_from_node", CGROUP },
	{ "security_secid_to_secctx", SECLABEL },
	{ "__get_task_comm", TID_COMM | PID_COMM },
};

#define N_PROBES	ARRAY_SIZE(probes)

static struct bus bus;
static struct conn from, to;

static void put(const char *path, const char *fmt, const char *arg)
{
	char text[128];

	snprintf(text, sizeof(text), fmt, arg);
	if (!kt_write_file(path, text))
		kt_skip("no probes: cannot write to %s", path);
}

static void probes_init(void)
{
	char pid[32];
	unsigned int i;

	for (i = 0; i < N_PROBES; i++) {
		char text[128];

		snprintf(text, sizeof(text), "p:kdbus_test/%s %s",
			 probes[i].function, probes[i].function);
		put(TRACING "/kprobe_events", "%s", text);
	}
	snprintf(pid, sizeof(pid), "%d", getpid());
	put(TRACING "/set_event_pid", "%s", pid);
	put(GROUP "/enable", "%s", "1");
}

static void probes_exit(void)
{
	kt_write_file(GROUP "/enable", "0");
	/* truncating removes all probes */
	close(open(TRACING "/kprobe_events", O_WRONLY | O_TRUNC));
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC));
}

/* how often each function ran since the last time */
static void probes_count(unsigned int *counts)
{
	FILE *f = fopen(TRACING "/trace", "re");
	char line[512], what[64];
	unsigned int i;

	kt_assert(f, "trace: %m");
	memset(counts, 0, N_PROBES * sizeof(*counts));
	while (fgets(line, sizeof(line), f)) {
		for (i = 0; i < N_PROBES; i++) {
			snprintf(what, sizeof(what), ": %s: (",
				 probes[i].function);
			counts[i] += !!strstr(line, what);
		}
	}
	fclose(f);
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC));
}

static void prepare(void)
{
	bus_make(&bus, 0);
	meta_open(&from, &bus, 0, NULL);
	meta_open(&to, &bus, 0, NULL);
	probes_init();
}

static void send_rounds(unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++) {
		send_ok(&from, &to, 1);
		conn_drain(&to);
	}
}

START_TEST(only_what_is_asked_for)
{
	unsigned int counts[N_PROBES], i, j;

	prepare();
	probes_count(counts);
	send_rounds(ROUNDS);
	probes_count(counts);
	for (i = 0; i < N_PROBES; i++)
		kt_check(!counts[i], "%s ran %u times for nobody",
			 probes[i].function, counts[i]);

	for (j = 0; j < N_PROBES; j++) {
		update_mask(&to, probes[j].mask);
		probes_count(counts);
		send_rounds(1);
		probes_count(counts);
		for (i = 0; i < N_PROBES; i++) {
			/* asking whether a name still holds is a look as well */
			if (i <= j && i != j)
				continue;
			kt_check(!counts[i] == (i != j), "%s ran %u times for %s",
				 probes[i].function, counts[i],
				 probes[j].function);
		}
	}
	probes_exit();
}
END_TEST

START_TEST(not_twice)
{
	unsigned int counts[N_PROBES], i;

	prepare();
	update_mask(&to, ALL);
	send_rounds(1);
	probes_count(counts);
	send_rounds(ROUNDS);
	probes_count(counts);
	/* names of threads are compared; paths age in a second */
	for (i = 0; i < N_PROBES - 1; i++)
		kt_check(counts[i] < ROUNDS / 10, "%s ran %u times",
			 probes[i].function, counts[i]);
	probes_exit();
}
END_TEST

/* one task is looked at once, however many are told */
START_TEST(once_for_all_receivers)
{
	unsigned int counts[N_PROBES], i;
	struct conn others[20];

	prepare();
	for (i = 0; i < ARRAY_SIZE(others); i++) {
		meta_open(&others[i], &bus, i % 2 ? ALL : EXE | CGROUP, NULL);
		match_all(&others[i]);
	}
	probes_count(counts);
	kt_check_ret(cast(&from, 1), 0, "broadcast");
	probes_count(counts);
	for (i = 0; i < N_PROBES - 1; i++)
		kt_check(counts[i] == 1, "%s ran %u times", probes[i].function,
			 counts[i]);
	kt_check(counts[i] == 2, "%s ran %u times", probes[i].function,
		 counts[i]);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		kt_check(conn_drain(&others[i]) > 0, "receiver %u", i);
	probes_exit();
}
END_TEST

void suite_meta_cost(void)
{
	kt_suite("meta-cost");
	kt_test(only_what_is_asked_for);
	kt_test(not_twice);
	kt_test(once_for_all_receivers);
}
