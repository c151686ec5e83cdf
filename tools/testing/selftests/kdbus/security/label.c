// SPDX-License-Identifier: GPL-2.0-only
/*
 * Labels of whatever security module the kernel runs, and audit ids
 *
 * Meant to run several times, with different modules on the command line.
 */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(64 * KIB)
#define USER	20461

/* what check adds: profiles without limits, compiled */
#define PROFILE		"kdbus-test"
#define ODD_PROFILE	"kdbus-test, with (odd) = name"
#define PROFILE_FILE	"/lib/kdbus-test.apparmor"
#define SECURITYFS	"/sys/kernel/security"

static struct bus bus;
static struct conn c;

static void prepare(u64 mask)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	meta_open(&c, &bus, mask, NULL);
}

/* AppArmor shows a mode behind the label, and nobody else has spaces there */
static bool own_label(char *label, size_t size)
{
	if (kt_read_file("/proc/self/attr/current", label, size) <= 0)
		return false;
	label[strcspn(label, "\n")] = 0;
	if (strchr(label, '('))
		label[strcspn(label, " ")] = 0;
	return label[0];
}

static void check_label(const struct meta *m, const char *what)
{
	char label[4096];

	if (own_label(label, sizeof(label)))
		meta_expect_str(m, KDBUS_ITEM_SECLABEL, label);
	else
		kt_check(!meta_find(m, KDBUS_ITEM_SECLABEL, 0),
			 "%s: a label, though there is none", what);
}

static void send_to_self(struct meta *m, u64 cookie)
{
	send_ok(&c, &c, cookie);
	meta_recv(&c, cookie, m);
}

START_TEST(as_the_module_says)
{
	char label[4096] = "none";
	struct meta m;

	own_label(label, sizeof(label));
	kt_note("label: %s", label);
	prepare(SECLABEL);
	send_to_self(&m, 1);
	check_label(&m, "message");
	conn_info_meta(&c, c.id, 0, &m);
	check_label(&m, "CONN_INFO");
	creator_info_meta(&c, 0, &m);
	check_label(&m, "BUS_CREATOR_INFO");
}
END_TEST

static void load_profile(void)
{
	static char profile[64 * KIB];
	int n, fd;

	n = kt_read_file(PROFILE_FILE, profile, sizeof(profile));
	if (n <= 0)
		kt_skip("no " PROFILE_FILE);
	mount("securityfs", SECURITYFS, "securityfs", 0, NULL);
	fd = open(SECURITYFS "/apparmor/.replace", O_WRONLY);
	if (fd < 0)
		kt_skip("AppArmor does not run");
	kt_assert(write(fd, profile, n) == n, "load profile: %m");
	close(fd);
}

/* the next message has the new label, what was recorded has the old one */
START_TEST(changes)
{
	char label[4096];
	struct meta m;

	load_profile();
	prepare(SECLABEL);
	send_to_self(&m, 1);
	check_label(&m, "before");
	kt_assert(kt_write_file("/proc/self/attr/current",
				"changeprofile " PROFILE), "changeprofile");
	kt_assert(own_label(label, sizeof(label)) && !strcmp(label, PROFILE),
		  "label is %s", label);
	send_to_self(&m, 2);
	meta_expect_str(&m, KDBUS_ITEM_SECLABEL, PROFILE);
	conn_info_meta(&c, c.id, 0, &m);
	meta_expect_str(&m, KDBUS_ITEM_SECLABEL, "unconfined");
	meta_open(&c, &bus, SECLABEL, NULL);
	conn_info_meta(&c, c.id, 0, &m);
	meta_expect_str(&m, KDBUS_ITEM_SECLABEL, PROFILE);
}
END_TEST

/* a label is whatever the module says, to the last byte */
START_TEST(odd)
{
	struct meta m;

	load_profile();
	prepare(SECLABEL);
	kt_assert(kt_write_file("/proc/self/attr/current",
				"changeprofile " ODD_PROFILE), "changeprofile");
	send_to_self(&m, 1);
	meta_expect_str(&m, KDBUS_ITEM_SECLABEL, ODD_PROFILE);
}
END_TEST

static void check_audit(u32 session, u32 uid, const char *what)
{
	const struct kdbus_item *item;
	static u64 cookie;
	struct meta m;

	send_to_self(&m, ++cookie);
	item = meta_find(&m, KDBUS_ITEM_AUDIT, 0);
	kt_assert(item, "%s: no AUDIT item", what);
	kt_check(item->size == HDR + 16, "%s: size %llu", what, item->size);
	kt_check(item->audit.sessionid == session, "%s: session %llu, not %u",
		 what, item->audit.sessionid, session);
	kt_check(item->audit.loginuid == uid, "%s: login uid %llu, not %u",
		 what, item->audit.loginuid, uid);
}

/* a login gives a uid and a session, and both stay with what it starts */
START_TEST(audit_login)
{
	u32 session;

	if (read_number("/proc/self/loginuid", 0) != ~0U)
		kt_skip("no audit, or there was a login");
	prepare(AUDIT);
	check_audit(~0U, ~0U, "before");
	kt_assert(kt_write_file("/proc/self/loginuid", "20461"), "login: %m");
	session = read_number("/proc/self/sessionid", ~0U);
	kt_check(session != ~0U, "no session");
	check_audit(session, USER, "after");
	kt_become(USER + 1);
	check_audit(session, USER, "as somebody else");
	kt_become(0);
	kt_assert(kt_write_file("/proc/self/loginuid", "20463"), "login: %m");
	kt_check(read_number("/proc/self/sessionid", 0) != session, "session");
	check_audit(read_number("/proc/self/sessionid", 0), USER + 2, "again");
}
END_TEST

KT_SUITE("label")
{
	kt_test(as_the_module_says);
	kt_test(changes);
	kt_test(odd);
	kt_test(audit_login);
}
