// SPDX-License-Identifier: GPL-2.0-only
/*
 * What gathering metadata makes the kernel do: nothing that nobody asked for,
 * and nothing again that did not change. Counted with probes on functions of
 * the kernel that do the work.
 */

#include "meta-util.h"
#include "trace-util.h"

#define POOL		(64 * KIB)
#define ROUNDS		50

/* what the work of each kind shows by */
enum { PATH, GROUP, LABEL, COMM, N_PROBES };

static const char *probes[N_PROBES] = {
	[PATH] = "d_path",
	[GROUP] = "kernfs_path_from_node",
	[LABEL] = "security_secid_to_secctx",
	[COMM] = "__get_task_comm",
};

static const u64 masks[N_PROBES] = {
	[PATH] = EXE,
	[GROUP] = CGROUP,
	[LABEL] = SECLABEL,
	[COMM] = TID_COMM | PID_COMM,
};

static unsigned int n_probes = N_PROBES;

static struct bus bus;
static struct conn from, to;

static void prepare(void)
{
	bus_make(&bus, 0);
	meta_open(&from, &bus, 0, NULL);
	meta_open(&to, &bus, 0, NULL);
	if (trace_knows("security_lsmprop_to_secctx"))
		probes[LABEL] = "security_lsmprop_to_secctx";
	if (!trace_knows(probes[COMM])) {
		kt_note("this kernel copies names of threads in line");
		n_probes = COMM;
	}
	trace_start(probes, n_probes);
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
	trace_count(counts);
	send_rounds(ROUNDS);
	trace_count(counts);
	for (i = 0; i < n_probes; i++)
		kt_check(!counts[i], "%s ran %u times for nobody",
			 probes[i], counts[i]);

	for (j = 0; j < n_probes; j++) {
		update_mask(&to, masks[j]);
		trace_count(counts);
		send_rounds(1);
		trace_count(counts);
		for (i = 0; i < n_probes; i++) {
			/* asking whether a name still holds is a look as well */
			if (i <= j && i != j)
				continue;
			kt_check(!counts[i] == (i != j), "%s ran %u times for %s",
				 probes[i], counts[i],
				 probes[j]);
		}
	}
	trace_stop();
}
END_TEST

START_TEST(not_twice)
{
	unsigned int counts[N_PROBES], i;

	prepare();
	update_mask(&to, ALL);
	send_rounds(1);
	trace_count(counts);
	send_rounds(ROUNDS);
	trace_count(counts);
	/* names of threads are compared; paths age in a second */
	for (i = 0; i < COMM; i++)
		kt_check(counts[i] < ROUNDS / 10, "%s ran %u times",
			 probes[i], counts[i]);
	trace_stop();
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
	trace_count(counts);
	kt_check_ret(cast(&from, 1), 0, "broadcast");
	trace_count(counts);
	for (i = 0; i < COMM; i++)
		kt_check(counts[i] == 1, "%s ran %u times", probes[i],
			 counts[i]);
	if (n_probes > COMM)
		kt_check(counts[COMM] == 2, "%s ran %u times", probes[COMM],
			 counts[COMM]);
	for (i = 0; i < ARRAY_SIZE(others); i++)
		kt_check(conn_drain(&others[i]) > 0, "receiver %u", i);
	trace_stop();
}
END_TEST

KT_SUITE("meta-cost")
{
	kt_test(only_what_is_asked_for);
	kt_test(not_twice);
	kt_test(once_for_all_receivers);
}
