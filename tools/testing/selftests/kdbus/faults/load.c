// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults while the module is loaded: it is unloaded first, and loaded with one
 * allocation failing, over and over. What the kernel allocates itself before it
 * calls the module fails as well, but for the most part of it, which is much. It
 * leaks some, as the names of slab caches that it could not make.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "fault-util.h"

#define FOREVER		100000
#define LATEST		280	/* more than there are from its first one on */

/* where vm-run's guest has it from */
static int open_module(void)
{
	char path[256];
	int fd;

	if (kt_read_file("/vm-run/module", path, sizeof(path)) <= 0)
		kt_skip("no /vm-run/module: which file the module is of is not known");
	path[strcspn(path, "\n")] = '\0';
	fd = open(path, O_RDONLY | O_CLOEXEC);
	kt_assert(fd >= 0, "%s: %m", path);
	return fd;
}

static void need_no_kmemleak(void)
{
	if (path_exists("/sys/kernel/debug/kmemleak") &&
	    !kt_booted_with("kmemleak=off"))
		kt_skip("kmemleak would report what the kernel leaks: no kmemleak=off");
}

static int load(int fd)
{
	return syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
}

static void unload(void)
{
	kt_assert(!syscall(SYS_delete_module, kt_module, O_NONBLOCK),
		  "delete_module: %m");
}

static void check_gone(unsigned int n)
{
	static const char * const places[] = {
		"/dev/%s", "/sys/module/%s", "/sys/bus/%s",
		"/sys/devices/virtual/%s", "/sys/kernel/slab/%s_slice",
	};
	char path[96];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		snprintf(path, sizeof(path), places[i], kt_module);
		kt_check(!path_exists(path), "fault %u: %s is there", n, path);
	}
}

/* how many of the calls that can fail there are while it is loaded */
static unsigned int count_faults(int file, int fd)
{
	char left[32];
	ssize_t len;

	fault_arm(file, FOREVER);
	kt_assert_ret(load(fd), 0, "finit_module");
	len = pread(file, left, sizeof(left) - 1, 0);
	kt_assert(len > 0, "fail-nth: %m");
	left[len] = '\0';
	fault_disarm(file);
	return FOREVER - strtoul(left, NULL, 10);
}

static int fail_load(int file, int fd, unsigned int n)
{
	int ret;

	fault_arm(file, n);
	ret = load(fd);
	fault_disarm(file);
	if (ret == 0) {
		unload();
		return 0;
	}
	kt_check_ret(ret, -ENOMEM, "fault %u", n);
	check_gone(n);
	return 1;
}

START_TEST(load_and_fail)
{
	unsigned int n, first, total, refused = 0;
	int fd = open_module(), file;

	fault_need();
	need_no_kmemleak();
	file = fault_file();
	unload();
	total = count_faults(file, fd);
	unload();
	first = total > LATEST ? total - LATEST : 1;
	/*
	 * What slabs have left decides how many pages they need, so from load to
	 * load the numbers move, and one may step over a fault: not both ways.
	 */
	for (n = first; n <= total; n++)
		refused += fail_load(file, fd, n);
	for (n = total; n >= first; n--)
		refused += fail_load(file, fd, n);
	kt_assert_ret(load(fd), 0, "finit_module");
	kt_note("%u of %u faults, twice: %u times refused", total - first + 1,
		total, refused);
	kt_check(refused > 40, "only %u faults were felt", refused);
}
END_TEST

KT_SUITE_LATE("fault-load")
{
	kt_test_slow(load_and_fail, 300);
}
