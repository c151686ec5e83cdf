// SPDX-License-Identifier: GPL-2.0-only
/* What is to be told about a task: see meta-util.h */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "meta-util.h"

struct facts *facts_new(void)
{
	struct facts *f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE,
			       MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	kt_assert(f != MAP_FAILED, "mmap of facts: %m");
	return f;
}

/* what there is before the name may contain anything but a second ')' */
u64 stat_field(unsigned int n)
{
	char buf[2048];
	char *p;

	kt_assert(kt_read_file("/proc/self/stat", buf, sizeof(buf)) > 0,
		  "cannot read /proc/self/stat");
	p = strrchr(buf, ')');
	for (n -= 2; p && n; n--)
		p = strchr(p + 1, ' ');
	kt_assert(p, "/proc/self/stat is short");
	return strtoull(p, NULL, 10);
}

u64 read_number(const char *path, u64 otherwise)
{
	char buf[64];

	if (kt_read_file(path, buf, sizeof(buf)) <= 0)
		return otherwise;
	return strtoull(buf, NULL, 10);
}

/* without what is not printed; empty if there is no such file */
static void read_line(const char *path, char *buf, size_t size)
{
	int n = kt_read_file(path, buf, size);

	if (n < 0)
		n = 0;
	buf[n] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
}

static void find_creds(struct facts *f)
{
	f->creds.uid = getuid();
	f->creds.gid = getgid();
	f->creds.pid = getpid();
	f->creds.tid = kt_tid();
	f->creds.starttime = stat_field(22) *
			     (1000000000ULL / sysconf(_SC_CLK_TCK));
}

static void find_groups(struct facts *f)
{
	static gid_t groups[MAX_GROUPS];
	int i, n = getgroups(MAX_GROUPS, groups);

	kt_assert(n >= 0, "getgroups: %m");
	for (i = 0; i < n; i++)
		f->groups[i] = groups[i];
	f->n_groups = n;
}

static void find_cmdline(struct facts *f)
{
	u64 start = stat_field(48), end = stat_field(49);

	kt_assert(start && start <= end, "no argument area");
	f->cmdline_len = end - start;
	if (f->cmdline_len > sizeof(f->cmdline))
		f->cmdline_len = sizeof(f->cmdline);
	memcpy(f->cmdline, (void *)(uintptr_t)start, f->cmdline_len);
}

/* since 6.7 the kernel does not say where one without a controller is */
bool kernel_tells_cgroup(void)
{
	unsigned int major, minor;
	struct utsname u;

	return !uname(&u) && sscanf(u.release, "%u.%u", &major, &minor) == 2 &&
	       major * 100 + minor < 607;
}

/* in the lowest hierarchy of the old kind, or the unified one */
static void find_cgroup(struct facts *f)
{
	unsigned int best = 0, id;
	char buf[8192];
	char *line, *path;

	f->cgroup[0] = '\0';
	if (kt_read_file("/proc/thread-self/cgroup", buf, sizeof(buf)) <= 0)
		return;
	for (line = strtok(buf, "\n"); line; line = strtok(NULL, "\n")) {
		id = strtoul(line, &path, 10);
		path = strchr(path + 1, ':');
		kt_assert(path, "/proc/thread-self/cgroup");
		if (!f->cgroup[0] || (id && (!best || id < best))) {
			snprintf(f->cgroup, sizeof(f->cgroup), "%s", path + 1);
			best = id;
		}
	}
}

static void find_caps(struct facts *f)
{
	static const char *const sets[] = {
		"CapInh:", "CapPrm:", "CapEff:", "CapBnd:",
	};
	static char buf[MIB];	/* lists all groups */
	unsigned int i;

	f->caps[0] = read_number("/proc/sys/kernel/cap_last_cap", 0);
	kt_assert(f->caps[0], "no cap_last_cap");
	kt_assert(kt_read_file("/proc/thread-self/status", buf,
			       sizeof(buf)) > 0, "no status");
	for (i = 0; i < 4; i++) {
		const char *p = strstr(buf, sets[i]);
		u64 v;

		kt_assert(p, "no %s in status", sets[i]);
		v = strtoull(p + 7, NULL, 16);
		f->caps[1 + 2 * i] = v;
		f->caps[2 + 2 * i] = v >> 32;
	}
}

void facts_now(struct facts *f)
{
	ssize_t n;

	find_creds(f);
	find_groups(f);
	memset(f->tid_comm, 0, sizeof(f->tid_comm));
	prctl(PR_GET_NAME, f->tid_comm);
	read_line("/proc/self/comm", f->pid_comm, sizeof(f->pid_comm));
	n = readlink("/proc/self/exe", f->exe, sizeof(f->exe) - 1);
	f->exe[n < 0 ? 0 : n] = '\0';
	find_cmdline(f);
	find_cgroup(f);
	find_caps(f);
	read_line("/proc/thread-self/attr/current", f->label,
		  sizeof(f->label));
	f->has_audit = !access("/proc/self/loginuid", F_OK);
	f->audit.sessionid = read_number("/proc/self/sessionid", 4294967295);
	f->audit.loginuid = read_number("/proc/self/loginuid", 4294967295);
}

u64 facts_bits(const struct facts *f)
{
	u64 bits = CREDS | AUXGROUPS | TID_COMM | PID_COMM | CAPS;

	if (f->exe[0])
		bits |= EXE;
	if (f->cmdline_len)
		bits |= CMDLINE;
	if (f->cgroup[0])
		bits |= CGROUP;
	if (f->label[0])
		bits |= SECLABEL;
	if (f->has_audit)
		bits |= AUDIT;
	return bits;
}

/* payload of a kind; with @n < 0 a string */
static const void *payload(const struct facts *f, u64 bit, ssize_t *n)
{
	*n = -1;
	switch (bit) {
	case CREDS:
		*n = sizeof(f->creds);
		return &f->creds;
	case AUXGROUPS:
		*n = f->n_groups * sizeof(f->groups[0]);
		return f->groups;
	case TID_COMM:
		return f->tid_comm;
	case PID_COMM:
		return f->pid_comm;
	case EXE:
		return f->exe;
	case CMDLINE:
		*n = f->cmdline_len;
		return f->cmdline;
	case CGROUP:
		return f->cgroup;
	case CAPS:
		*n = sizeof(f->caps);
		return f->caps;
	case SECLABEL:
		return f->label;
	default:
		*n = sizeof(f->audit);
		return &f->audit;
	}
}

/*
 * /proc has the start in clock ticks since boot, suspension included, and both
 * clocks are read one after the other.
 */
static void check_starttime(const struct facts *f, u64 is, const char *what)
{
	u64 tick = 1000000000ULL / sysconf(_SC_CLK_TCK);
	struct timespec boot, mono;
	__s64 slept, diff;

	clock_gettime(CLOCK_MONOTONIC, &mono);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	slept = (boot.tv_sec - mono.tv_sec) * 1000000000LL + boot.tv_nsec -
		mono.tv_nsec;
	diff = is - f->creds.starttime;
	/* with time between the two calls, or a clock that slept since */
	kt_check(diff > -(__s64)tick - slept && diff < 2 * (__s64)tick,
		 "%s: start at %llu instead of about %llu", what, is,
		 f->creds.starttime);
}

static void check_creds(const struct facts *f, const struct kdbus_creds *c,
			const char *what)
{
	kt_check(c->uid == f->creds.uid && c->gid == f->creds.gid,
		 "%s: uid %llu, gid %llu instead of %llu, %llu", what, c->uid,
		 c->gid, f->creds.uid, f->creds.gid);
	kt_check(c->pid == f->creds.pid && c->tid == f->creds.tid,
		 "%s: pid %llu, tid %llu instead of %llu, %llu", what, c->pid,
		 c->tid, f->creds.pid, f->creds.tid);
	check_starttime(f, c->starttime, what);
}

static void check_one(const struct facts *f, const struct meta *m, u64 bit,
		      const char *what)
{
	u64 type = meta_types[__builtin_ctzll(bit)];
	const struct kdbus_item *i = meta_find(m, type, 0);
	const void *p;
	ssize_t n;
	bool str;

	if (!kt_check(i, "%s: no item of type %#llx", what, type))
		return;
	p = payload(f, bit, &n);
	str = n < 0;
	if (str)
		n = strlen(p) + 1;
	if (!kt_check(i->size == (u64)(HDR + n),
		      "%s: type %#llx: size %llu instead of %zu", what, type,
		      i->size, HDR + n))
		return;
	if (bit == CREDS)
		check_creds(f, &i->creds, what);
	else if (str)
		kt_check(!memcmp(i->data, p, n),
			 "%s: type %#llx: \"%.*s\" instead of \"%s\"", what,
			 type, (int)n, i->str, (const char *)p);
	else
		kt_check(!memcmp(i->data, p, n), "%s: type %#llx: wrong bytes",
			 what, type);
}

void facts_check(const struct facts *f, const struct meta *m, u64 bits,
		 const char *what)
{
	unsigned int i;

	bits &= facts_bits(f);
	for (i = 0; i < N_ATTACH; i++)
		if (bits & 1ULL << i)
			check_one(f, m, 1ULL << i, what);
}

void facts_expect(const struct facts *f, const struct meta *m, u64 bits,
		  u64 more, const char *what)
{
	meta_expect_bits(m, (bits & facts_bits(f)) | more, what);
	facts_check(f, m, bits, what);
}

void facts_recv(const struct facts *f, struct conn *c, u64 cookie, u64 bits,
		u64 more)
{
	const struct kdbus_msg *msg;
	char what[64];
	struct meta m;

	msg = meta_recv(c, cookie, &m);
	snprintf(what, sizeof(what), "message %llu to %llu",
		 (unsigned long long)cookie, (unsigned long long)c->id);
	facts_expect(f, &m, bits, more, what);
	kt_check_ret(conn_free(c, (const u8 *)msg - c->pool), 0, "FREE");
}
