// SPDX-License-Identifier: GPL-2.0-only
/* Metadata of messages: the path of the sender's program */

#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "meta-util.h"

static struct bus bus;
static struct conn a, b;	/* a sends */
static char base[64];
static struct prog prog;

static void prepare(void)
{
	bus_make(&bus, 0);
	meta_open(&a, &bus, 0, NULL);
	meta_open(&b, &bus, TASK, NULL);
	snprintf(base, sizeof(base), "/tmp/kt-%d", getpid());
	kt_assert(!mkdir(base, 0755), "mkdir %s: %m", base);
	prog.facts = facts_new();
}

static void expect_exe(u64 cookie, const char *exe)
{
	struct meta m;

	meta_recv(&b, cookie, &m);
	facts_expect(prog.facts, &m, exe ? TASK : TASK & ~EXE, 0, "program");
	meta_expect_str(&m, KDBUS_ITEM_EXE, exe);
}

START_TEST(plain)
{
	char path[128];

	prepare();
	snprintf(path, sizeof(path), "%s/a prog\xff)", base);
	prog_copy(path);
	prog.path = path;
	prog_run(&prog, &a, b.id, 1);
	unlink(path);
	rmdir(base);
	expect_exe(1, path);
}
END_TEST

START_TEST(deleted)
{
	char path[128], want[160];

	prepare();
	snprintf(path, sizeof(path), "%s/prog", base);
	snprintf(want, sizeof(want), "%s (deleted)", path);
	prog_copy(path);
	prog.path = path;
	prog.unlink = path;
	prog_run(&prog, &a, b.id, 1);
	rmdir(base);
	expect_exe(1, want);
}
END_TEST

/* relative to the sender's root directory, not to the receiver's */
START_TEST(in_chroot)
{
	char path[128];
	struct meta m;

	prepare();
	snprintf(path, sizeof(path), "%s/prog", base);
	prog_copy(path);
	prog.path = path;
	prog.chroot = base;
	prog_run(&prog, &a, b.id, 1);
	unlink(path);
	rmdir(base);
	meta_recv(&b, 1, &m);
	facts_check(prog.facts, &m, TASK & ~EXE, "program");
	meta_expect_str(&m, KDBUS_ITEM_EXE, "/prog");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Paths that change between two messages */

static void run_change(const char *path, const char *then, const char *first,
		       const char *second)
{
	struct meta m;

	prog.path = path;
	prog.then = then;
	prog_run(&prog, &a, b.id, 1);
	meta_recv(&b, 1, &m);
	meta_expect_str(&m, KDBUS_ITEM_EXE, first);
	meta_recv(&b, 2, &m);
	meta_expect_str(&m, KDBUS_ITEM_EXE, second ?: prog.facts->exe);
}

static void check_change(const char *path, const char *then, const char *want)
{
	run_change(path, then, path, want);
	kt_check(strcmp(path, prog.facts->exe), "test bug: nothing changed");
}

START_TEST(renamed)
{
	char path[128], to[128], then[300];

	prepare();
	snprintf(path, sizeof(path), "%s/prog", base);
	snprintf(to, sizeof(to), "%s/another", base);
	snprintf(then, sizeof(then), "rename %s %s", path, to);
	prog_copy(path);
	check_change(path, then, to);
	unlink(to);
	rmdir(base);
}
END_TEST

START_TEST(directory_renamed)
{
	char path[128], to[128], then[300];

	prepare();
	snprintf(path, sizeof(path), "%s/prog", base);
	snprintf(then, sizeof(then), "rename %s %s-2", base, base);
	snprintf(to, sizeof(to), "%s-2/prog", base);
	prog_copy(path);
	check_change(path, then, to);
	unlink(to);
	*strrchr(to, '/') = '\0';
	rmdir(to);
}
END_TEST

/* a root directory, then another of the same mount */
START_TEST(root_changed)
{
	char path[128], then[300];

	prepare();
	snprintf(path, sizeof(path), "%s/prog", base);
	snprintf(then, sizeof(then), "chroot %s", strrchr(base, '/'));
	prog_copy(path);
	prog.chroot = "/tmp";
	/* there is no /proc to look at */
	prog.facts = NULL;
	run_change(path, then, path + strlen("/tmp"), "/prog");
	unlink(path);
	rmdir(base);
}
END_TEST

START_TEST(unlinked)
{
	char path[128], to[160], then[300];

	prepare();
	snprintf(path, sizeof(path), "%s/prog", base);
	snprintf(then, sizeof(then), "unlink %s", path);
	snprintf(to, sizeof(to), "%s (deleted)", path);
	prog_copy(path);
	check_change(path, then, to);
	rmdir(base);
}
END_TEST

static void private_mounts(void)
{
	kt_assert(!unshare(CLONE_NEWNS) &&
		  !mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL),
		  "mount namespace: %m");
	kt_assert(!mount("none", base, "tmpfs", 0, NULL), "mount: %m");
}

/* no name changes, only what is mounted where */
START_TEST(mount_moved)
{
	char path[128], from[96], to[128], then[300];

	prepare();
	private_mounts();
	snprintf(from, sizeof(from), "%s/from", base);
	snprintf(to, sizeof(to), "%s/to", base);
	kt_assert(!mkdir(from, 0755) && !mkdir(to, 0755), "mkdir: %m");
	kt_assert(!mount("none", from, "tmpfs", 0, NULL), "mount: %m");
	snprintf(path, sizeof(path), "%s/prog", from);
	snprintf(then, sizeof(then), "move %s %s", from, to);
	prog_copy(path);
	strcat(to, "/prog");
	check_change(path, then, to);
	umount2(base, MNT_DETACH);
	rmdir(base);
}
END_TEST

START_TEST(mount_detached)
{
	char path[128], then[300];

	prepare();
	private_mounts();
	snprintf(path, sizeof(path), "%s/prog", base);
	snprintf(then, sizeof(then), "detach %s", base);
	prog_copy(path);
	check_change(path, then, NULL);
	rmdir(base);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Long paths: a chain of directories, made and removed step by step */

#define STEP	200

static unsigned int depth;

/* enters directories until a file name of at most 255 bytes makes @len */
static void enter_deep(char *path, size_t len)
{
	size_t at = strlen(base);

	kt_assert(!chdir(base), "chdir: %m");
	strcpy(path, base);
	for (depth = 0; len - at > 256; depth++) {
		char name[STEP + 1];

		memset(name, 'd', STEP);
		name[STEP] = '\0';
		kt_assert(!mkdir(name, 0755) && !chdir(name),
			  "directory %u: %m", depth);
		path[at] = '/';
		strcpy(path + at + 1, name);
		at += STEP + 1;
	}
	path[at] = '/';
	memset(path + at + 1, 'f', len - at - 1);
	path[len] = '\0';
}

static void leave_deep(const char *file)
{
	char name[STEP + 1];

	memset(name, 'd', STEP);
	name[STEP] = '\0';
	unlink(file);
	while (depth--)
		kt_assert(!chdir("..") && !rmdir(name), "leave: %m");
	rmdir(base);
}

static void check_deep(size_t len, bool fits)
{
	static char path[8192];
	const char *file;

	prepare();
	enter_deep(path, len);
	file = strrchr(path, '/') + 1;
	prog_copy(file);
	prog.path = file;
	prog_run(&prog, &a, b.id, 1);
	leave_deep(file);
	/* by now the path is another, or none */
	if (fits)
		strcpy(prog.facts->exe, path);
	expect_exe(1, fits ? path : NULL);
}

START_TEST(long_path)
{
	check_deep(3000, true);
}
END_TEST

START_TEST(longest_path)
{
	check_deep(4095, true);
}
END_TEST

/* is left out, and the message is sent */
START_TEST(path_too_long)
{
	check_deep(4096, false);
}
END_TEST

START_TEST(path_much_too_long)
{
	check_deep(8000, false);
}
END_TEST

KT_SUITE("meta-exe")
{
	kt_test(plain);
	kt_test(deleted);
	kt_test(in_chroot);
	kt_test(renamed);
	kt_test(directory_renamed);
	kt_test(root_changed);
	kt_test(unlinked);
	kt_test(mount_moved);
	kt_test(mount_detached);
	kt_test(long_path);
	kt_test(longest_path);
	kt_test(path_too_long);
	kt_test(path_much_too_long);
}
