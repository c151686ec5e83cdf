// SPDX-License-Identifier: GPL-2.0-only
/* The memory controller: see memcg-util.h */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "memcg-util.h"

void memcg_need(void)
{
	char buf[512];
	struct statfs fs;

	if (statfs(CGROUPS, &fs) || fs.f_type != CGROUP2_SUPER_MAGIC)
		kt_skip("no cgroup2 at " CGROUPS);
	if (kt_read_file(CGROUPS "/cgroup.controllers", buf, sizeof(buf)) < 0 ||
	    !strstr(buf, "memory"))
		kt_skip("no memory controller in " CGROUPS);
	kt_assert(kt_write_file(CGROUPS "/cgroup.subtree_control", "+memory"),
		  "enable the memory controller: %m");
}

void memcg_put(const char *dir, const char *file, const char *text)
{
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	kt_assert(kt_write_file(path, text), "write %s to %s: %m", text, path);
}

void memcg_put_number(const char *dir, const char *file, u64 value)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", value);
	memcg_put(dir, file, text);
}

long long memcg_get(const char *dir, const char *file, const char *key)
{
	char path[256], buf[4096], *at = buf;

	snprintf(path, sizeof(path), "%s/%s", dir, file);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "cannot read %s",
		  path);
	if (key) {
		at = strstr(buf, key);
		kt_assert(at, "no %s in %s", key, path);
		at += strlen(key);
	}
	return strtoll(at, NULL, 10);
}

bool memcg_falls_to(const char *dir, long long max)
{
	u64 end = kt_now_ms() + 10000;

	while (memcg_get(dir, "memory.current", NULL) > max) {
		if (kt_now_ms() > end)
			return false;
		usleep(20000);
	}
	return true;
}
