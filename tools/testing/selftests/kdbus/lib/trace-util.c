// SPDX-License-Identifier: GPL-2.0-only
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "trace-util.h"

#define TRACING	"/sys/kernel/tracing"
#define MOST	8
#define THREADS	64

static const char *const *names;
static unsigned int n_names;
static bool with_locks;

static void put(const char *path, const char *text)
{
	if (!kt_write_file(path, text))
		kt_skip("no tracing: cannot write \"%s\" to %s", text, path);
}

static void clear(void)
{
	close(open(TRACING "/trace", O_WRONLY | O_TRUNC));
}

static void enable(const char *name, const char *on)
{
	char path[256];

	snprintf(path, sizeof(path), TRACING "/events/%s%s/enable",
		 strchr(name, '/') ? "" : "kdbus_test/", name);
	if (*on == '1')
		put(path, on);
	else
		kt_write_file(path, on);
}

static void add_probe(const char *name)
{
	char text[128];

	if (strchr(name, '/'))
		return;
	snprintf(text, sizeof(text), "p:kdbus_test/%s %s", name, name);
	put(TRACING "/kprobe_events", text);
}

bool trace_knows(const char *name)
{
	FILE *f = fopen("/proc/kallsyms", "re");
	char line[512], symbol[256], type;
	bool found = false;

	while (f && !found && fgets(line, sizeof(line), f))
		found = sscanf(line, "%*x %c %255s", &type, symbol) == 2 &&
			(type == 't' || type == 'T') && !strcmp(symbol, name);
	if (f)
		fclose(f);
	return found;
}

void trace_start(const char *const *list, unsigned int n)
{
	unsigned int i;
	char pid[32];

	kt_assert(n <= MOST, "too many");
	names = list;
	n_names = n;
	snprintf(pid, sizeof(pid), "%d", getpid());
	put(TRACING "/set_event_pid", pid);
	for (i = 0; i < n; i++) {
		add_probe(names[i]);
		enable(names[i], "1");
	}
	clear();
}

void trace_also(pid_t tid)
{
	char pid[32];

	/* adds one, as the file is not truncated */
	snprintf(pid, sizeof(pid), "%d", tid);
	put(TRACING "/set_event_pid", pid);
}

void trace_everybody(void)
{
	close(open(TRACING "/set_event_pid", O_WRONLY | O_TRUNC));
}

static void filter_locks(const char *filter)
{
	static const char acquire[] = TRACING "/events/lock/lock_acquire/filter";
	static const char release[] = TRACING "/events/lock/lock_release/filter";

	if (access(acquire, W_OK))
		kt_skip("no lockdep, so no events of locks");
	put(acquire, filter);
	put(release, filter);
}

void trace_locks(const char *filter)
{
	filter_locks(filter);
	enable("lock/lock_acquire", "1");
	enable("lock/lock_release", "1");
	with_locks = true;
}

/* "comm-123  [001] ....." */
static int thread_of(const char *line)
{
	const char *at = strstr(line, " [");

	while (at && at > line && *at != '-')
		at--;
	return at ? atoi(at + 1) : 0;
}

/* "[001] d.h1. 12.345:" is not in its name, even though in its time */
static bool in_interrupt(const char *line)
{
	const char *at = strstr(line, "] ");

	return at && strlen(at) > 4 && strchr("hHszZ", at[4]);
}

struct held {
	int tid;
	unsigned int depth, seen;
};

static struct held *held_by(struct held *threads, int tid)
{
	unsigned int i;

	for (i = 0; i < THREADS && threads[i].tid && threads[i].tid != tid; i++)
		;
	kt_assert(i < THREADS, "too many threads");
	threads[i].tid = tid;
	return &threads[i];
}

unsigned int trace_under(const char *lock, const char *text,
			 unsigned int *most)
{
	struct held threads[THREADS] = {}, *t;
	FILE *f = fopen(TRACING "/trace", "re");
	unsigned int all = 0;
	char line[512];

	kt_assert(f, "trace: %m");
	*most = 0;
	while (fgets(line, sizeof(line), f)) {
		if (*line == '#' || in_interrupt(line))
			continue;
		t = held_by(threads, thread_of(line));
		if (!lock) {
			all += !!strstr(line, text);
		} else if (strstr(line, ": lock_acquire: ") && strstr(line, lock)) {
			t->depth++;
		} else if (strstr(line, ": lock_release: ") &&
			   strstr(line, lock)) {
			/* may have been taken before */
			t->depth -= t->depth > 0;
			t->seen = 0;
		} else if (t->depth && strstr(line, text)) {
			all++;
			if (++t->seen > *most)
				*most = t->seen;
		}
	}
	fclose(f);
	return all;
}

void trace_on(bool on)
{
	static int fd = -1;

	if (fd < 0)
		fd = open(TRACING "/tracing_on", O_WRONLY | O_CLOEXEC);
	if (write(fd, on ? "1" : "0", 1) != 1)
		kt_skip("no tracing: cannot write to " TRACING "/tracing_on");
}

void trace_count(unsigned int *counts)
{
	FILE *f = fopen(TRACING "/trace", "re");
	char line[512], what[MOST][64];
	unsigned int i;

	kt_assert(f, "trace: %m");
	for (i = 0; i < n_names; i++) {
		const char *slash = strchr(names[i], '/');

		snprintf(what[i], sizeof(what[i]), ": %s: ",
			 slash ? slash + 1 : names[i]);
		counts[i] = 0;
	}
	while (fgets(line, sizeof(line), f))
		for (i = 0; i < n_names; i++)
			counts[i] += !!strstr(line, what[i]);
	fclose(f);
	clear();
}

void trace_stop(void)
{
	unsigned int i;

	for (i = 0; i < n_names; i++)
		enable(names[i], "0");
	if (with_locks) {
		enable("lock/lock_acquire", "0");
		enable("lock/lock_release", "0");
		filter_locks("0");
	}
	/* truncating removes all probes */
	close(open(TRACING "/kprobe_events", O_WRONLY | O_TRUNC));
	kt_write_file(TRACING "/set_event_pid", "");
	clear();
}
