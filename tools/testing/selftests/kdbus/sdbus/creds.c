// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 12: credentials, in messages and CONN_INFO */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "sd-util.h"

#define USER	20231

static struct bus bus;
static struct conn a, b;

/* a sender with one name, and who asks for this of messages */
static void prepare(u64 attach)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, attach);
}

/* where items come from: a message or CONN_INFO */
struct source {
	const struct kdbus_msg *m;
	const struct kdbus_info *i;
	u64 off;
};

static const struct kdbus_item *get(const struct source *s, u64 type,
				    unsigned int nth)
{
	return s->m ? item_find(s->m, type, nth) : sd_info_item(s->i, type,
								nth);
}

static void from_message(struct source *s)
{
	s->i = NULL;
	kt_assert_ret(sd_send_call(&a, SD_NO_REPLY, 1, b.id, NULL), 0, "send");
	s->m = conn_recv_msg(&b, &s->off);
}

static void from_info(struct source *s, u64 flags)
{
	s->m = NULL;
	kt_assert_ret(sd_info(&b, a.id, NULL, flags, &s->off), 0, "CONN_INFO");
	s->i = sd_info_at(&b, s->off);
}

static void done(struct source *s)
{
	kt_check_ret(conn_free(&b, s->off), 0, "FREE");
}

/* what each flag brings; @maybe: not on every system, not for everybody */
static const struct {
	u64 flag, item;
	bool maybe;
} kinds[] = {
	{ KDBUS_ATTACH_TIMESTAMP, KDBUS_ITEM_TIMESTAMP },
	{ KDBUS_ATTACH_CREDS, KDBUS_ITEM_CREDS },
	{ KDBUS_ATTACH_AUXGROUPS, KDBUS_ITEM_AUXGROUPS },
	{ KDBUS_ATTACH_NAMES, KDBUS_ITEM_NAME },
	{ KDBUS_ATTACH_TID_COMM, KDBUS_ITEM_TID_COMM },
	{ KDBUS_ATTACH_PID_COMM, KDBUS_ITEM_PID_COMM },
	{ KDBUS_ATTACH_EXE, KDBUS_ITEM_EXE },
	{ KDBUS_ATTACH_CMDLINE, KDBUS_ITEM_CMDLINE },
	{ KDBUS_ATTACH_CGROUP, KDBUS_ITEM_CGROUP, true },
	{ KDBUS_ATTACH_CAPS, KDBUS_ITEM_CAPS },
	{ KDBUS_ATTACH_SECLABEL, KDBUS_ITEM_SECLABEL, true },
	{ KDBUS_ATTACH_AUDIT, KDBUS_ITEM_AUDIT, true },
	{ KDBUS_ATTACH_CONN_NAME, KDBUS_ITEM_CONN_NAME },
};

static void check_attach(u64 attach)
{
	struct source s;
	struct conn c;
	size_t i;

	sd_connect(&c, &bus, attach);
	kt_assert_ret(sd_send_call(&a, SD_NO_REPLY, 1, c.id, NULL), 0, "send");
	s = (struct source) { .m = conn_recv_msg(&c, NULL) };
	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		bool there = get(&s, kinds[i].item, 0);
		bool asked = attach & kinds[i].flag;

		if (!asked || !kinds[i].maybe)
			kt_check(there == asked, "mask %#llx: item %#llx",
				 attach, kinds[i].item);
	}
	conn_close(&c);
}

/* the masks of the programs, and each single flag with NAMES */
START_TEST(attach_masks)
{
	static const u64 masks[] = { SD_PLAIN, SD_SYSTEM, SD_MONITOR,
				     SD_PID1, 0 };
	size_t i;

	prepare(0);
	kt_assert_ret(sd_request_name(&a, SD_NAME, 0), 1, "name");
	for (i = 0; i < ARRAY_SIZE(masks); i++)
		check_attach(masks[i]);
	for (i = 0; i < ARRAY_SIZE(kinds); i++)
		check_attach(kinds[i].flag | SD_PLAIN);
}
END_TEST

static void check_string(const struct source *s, u64 type, const char *want)
{
	const struct kdbus_item *item = get(s, type, 0);

	if (!kt_check(item, "no item %#llx", type))
		return;
	kt_check(strnlen(item->str, item->size - HDR) + 1 == item->size - HDR,
		 "item %#llx: not a string with its NUL", type);
	if (want)
		kt_check(!strcmp(item->str, want), "item %#llx: \"%s\"", type,
			 item->str);
}

/* in ns; the kernel tells others in ticks, cut off */
static void check_start(u64 start)
{
	u64 tick = 1000000000ULL / sysconf(_SC_CLK_TCK), want;
	char buf[1024], *p;
	int i;

	kt_assert(kt_read_file("/proc/self/stat", buf, sizeof(buf)) > 0,
		  "/proc/self/stat");
	p = strrchr(buf, ')');
	for (i = 2; p && i < 22; i++)
		p = strchr(p + 1, ' ');
	kt_assert(p, "/proc/self/stat: %s", buf);
	want = strtoull(p, NULL, 10) * tick;
	kt_check(start + tick >= want && start <= want + 2 * tick,
		 "starttime %llu, not %llu", start, want);
}

static void check_process(const struct source *s)
{
	char comm[64] = "", exe[512] = "", cmdline[4097];
	const struct kdbus_item *item;
	int n;

	kt_assert(kt_read_file("/proc/self/comm", comm, sizeof(comm)) > 0 &&
		  readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0,
		  "/proc/self: %m");
	comm[strcspn(comm, "\n")] = '\0';
	check_string(s, KDBUS_ITEM_PID_COMM, comm);
	check_string(s, KDBUS_ITEM_TID_COMM, comm);
	check_string(s, KDBUS_ITEM_EXE, exe);
	n = kt_read_file("/proc/self/cmdline", cmdline, sizeof(cmdline));
	item = get(s, KDBUS_ITEM_CMDLINE, 0);
	kt_check(item && n > 0 && item->size - HDR == (u64)n &&
		 !memcmp(item->str, cmdline, n), "CMDLINE");
	item = get(s, KDBUS_ITEM_CREDS, 0);
	kt_assert(item && item->size == 56, "CREDS");
	kt_check(item->creds.uid == 0 && item->creds.gid == 0, "uid, gid");
	kt_check(item->creds.pid == (u64)getpid() &&
		 item->creds.tid == (u64)kt_tid(), "pid %llu, tid %llu",
		 item->creds.pid, item->creds.tid);
	check_start(item->creds.starttime);
}

/* CREDS, COMM, EXE, CMDLINE: alike in messages and in CONN_INFO */
START_TEST(process)
{
	struct source s;

	prepare(SD_MONITOR);
	from_message(&s);
	check_process(&s);
	check_string(&s, KDBUS_ITEM_CONN_NAME, "sd-user");
	done(&s);
	from_info(&s, SD_MONITOR);
	check_process(&s);
	check_string(&s, KDBUS_ITEM_CONN_NAME, "sd-user");
	done(&s);
}
END_TEST

static void check_names(struct source *s, unsigned int n, const char *name)
{
	const struct kdbus_item *item = get(s, KDBUS_ITEM_NAME, 0);

	kt_check(!get(s, KDBUS_ITEM_NAME, n), "too many names");
	if (n && kt_check(get(s, KDBUS_ITEM_NAME, n - 1), "too few names"))
		kt_check(item->size == HDR + 8 + strlen(name) + 1 &&
			 !strcmp(item->name.name, name), "struct kdbus_name");
	done(s);
}

/* no NAME item although requested means "owns none" */
START_TEST(names)
{
	struct source s;
	unsigned int n;

	prepare(SD_PLAIN);
	for (n = 0; n < 3; n++) {
		if (n)
			sd_request_name(&a, n == 1 ? SD_NAME : "a.bcd", 0);
		from_message(&s);
		check_names(&s, n, SD_NAME);
		from_info(&s, SD_PLAIN);
		check_names(&s, n, SD_NAME);
	}
}
END_TEST

/* what /proc/self/status says */
static u64 proc_caps(const char *set)
{
	char buf[4096], *line;

	kt_assert(kt_read_file("/proc/self/status", buf, sizeof(buf)) > 0,
		  "/proc/self/status");
	line = strstr(buf, set);
	kt_assert(line, "no %s", set);
	return strtoull(line + strlen(set), NULL, 16);
}

static void check_caps(const struct source *s, const u64 *want)
{
	const struct kdbus_item *item = get(s, KDBUS_ITEM_CAPS, 0);
	unsigned int set, cap, size;
	const u8 *bytes;

	kt_assert(item && item->size == 52, "CAPS: size %llu",
		  item ? item->size : 0);
	size = (item->size - 20) / 4;
	for (set = 0; set < 4; set++) {
		bytes = item->data + 4 + set * size;
		for (cap = 0; cap < size * 8; cap++)
			kt_check(!(bytes[cap / 8] & 1 << cap % 8) ==
				 !(want[set] & 1ULL << cap),
				 "set %u, capability %u", set, cap);
	}
}

/* inheritable, permitted, effective, bounding; a little-endian view */
START_TEST(capabilities)
{
	struct source s;
	u64 full[4], none[4];

	prepare(SD_SYSTEM);
	full[0] = proc_caps("CapInh:");
	full[1] = proc_caps("CapPrm:");
	full[2] = proc_caps("CapEff:");
	full[3] = proc_caps("CapBnd:");
	kt_check(full[2] & 1 << 21, "root without CAP_SYS_ADMIN?");
	from_message(&s);
	check_caps(&s, full);
	done(&s);
	/* messages show what is now, CONN_INFO what was when it opened */
	kt_drop_caps();
	memcpy(none, full, sizeof(none));
	memset(none, 0, 3 * sizeof(none[0]));
	from_message(&s);
	check_caps(&s, none);
	done(&s);
	from_info(&s, SD_SYSTEM);
	check_caps(&s, full);
	done(&s);
}
END_TEST

static int as_user(void *arg)
{
	const u64 id = *(u64 *)arg;

	sd_connect(&a, &bus, SD_SYSTEM);
	kt_check_ret(sd_info(&a, id, NULL, KDBUS_ATTACH_CREDS, (u64 []) { 0 }),
		     0, "CONN_INFO of root");
	/* until the other side has looked */
	kt_check_ret(sd_request_name(&a, SD_NAME, 0), 1, "name");
	wait_readable(&a);
	return 0;
}

/* the access check of services: effective capabilities of a look-up */
START_TEST(unprivileged)
{
	static const struct sd_grant own = { KDBUS_POLICY_ACCESS_USER, USER,
					     KDBUS_POLICY_OWN };
	const struct sd_rule r = { .notes = true, .arg0 = SD_NAME,
				   .name = DRIVER };
	const struct kdbus_item *item;
	struct conn holder;
	struct source s;
	pid_t pid;

	prepare(SD_SYSTEM);
	kt_assert_ret(sd_try_busname(&holder, &bus, KDBUS_HELLO_POLICY_HOLDER,
				     SD_NAME, &own, 1), 0, "policy holder");
	kt_assert_ret(sd_add_match(&b, 1, &r), 0, "rule");
	pid = kt_fork_as(USER, USER + 1, as_user, &b.id);
	wait_readable(&b);
	conn_drain(&b);
	kt_assert_ret(sd_info(&b, 0, SD_NAME, KDBUS_ATTACH_CAPS, &s.off), 0,
		      "CONN_INFO");
	s.m = NULL;
	s.i = sd_info_at(&b, s.off);
	item = get(&s, KDBUS_ITEM_CREDS, 0);
	kt_check(item && item->creds.uid == USER &&
		 item->creds.gid == USER + 1 && item->creds.pid == (u64)pid,
		 "CREDS");
	item = get(&s, KDBUS_ITEM_CAPS, 0);
	kt_check(item && item->size == 52 && kt_zero(item->data + 4, 24),
		 "capabilities of a user");
	kt_check_ret(sd_send_call(&b, SD_NO_REPLY, 1, s.i->id, NULL), 0, "end");
	kt_check(kt_wait(pid) == 0, "child");
}
END_TEST

/* the path is one of those in /proc/self/cgroup */
START_TEST(cgroup)
{
	const struct kdbus_item *item;
	char buf[4096], line[512];
	struct source s;

	prepare(KDBUS_ATTACH_CGROUP | SD_PLAIN);
	if (kt_read_file("/proc/self/cgroup", buf, sizeof(buf) - 1) <= 0)
		kt_skip("no cgroups here");
	from_message(&s);
	check_string(&s, KDBUS_ITEM_CGROUP, NULL);
	item = get(&s, KDBUS_ITEM_CGROUP, 0);
	kt_assert(item && item->str[0] == '/', "no CGROUP");
	snprintf(line, sizeof(line), ":%s\n", item->str);
	kt_check(strstr(buf, line), "%s is not in %s", item->str, buf);
	done(&s);
	from_info(&s, KDBUS_ATTACH_CGROUP);
	check_string(&s, KDBUS_ITEM_CGROUP, NULL);
}
END_TEST

static u64 proc_number(const char *path)
{
	char buf[64] = "";

	if (kt_read_file(path, buf, sizeof(buf) - 1) <= 0)
		kt_skip("no %s", path);
	return strtoul(buf, NULL, 10);
}

/* session id, login uid as 32-bit values */
START_TEST(audit)
{
	u64 uid = proc_number("/proc/self/loginuid");
	u64 session = proc_number("/proc/self/sessionid");
	const struct kdbus_item *item;
	struct source s;

	prepare(KDBUS_ATTACH_AUDIT | SD_PLAIN);
	from_message(&s);
	item = get(&s, KDBUS_ITEM_AUDIT, 0);
	kt_assert(item && item->size == 32, "no AUDIT");
	kt_check(item->audit.sessionid == session &&
		 item->audit.loginuid == uid, "session %llu, uid %llu",
		 item->audit.sessionid, item->audit.loginuid);
}
END_TEST

/* SECLABEL: a C string, the NUL is relied on */
START_TEST(label)
{
	char attr[256] = "";
	struct source s;
	int n;

	n = kt_read_file("/proc/self/attr/current", attr, sizeof(attr) - 1);
	if (n <= 0)
		kt_skip("no security label here");
	prepare(KDBUS_ATTACH_SECLABEL | SD_PLAIN);
	from_message(&s);
	check_string(&s, KDBUS_ITEM_SECLABEL, NULL);
	done(&s);
	from_info(&s, KDBUS_ATTACH_SECLABEL);
	check_string(&s, KDBUS_ITEM_SECLABEL, NULL);
}
END_TEST

KT_SUITE("sd-creds")
{
	kt_test(attach_masks);
	kt_test(process);
	kt_test(names);
	kt_test(capabilities);
	kt_test(unprivileged);
	kt_test(cgroup);
	kt_test(audit);
	kt_test(label);
}
