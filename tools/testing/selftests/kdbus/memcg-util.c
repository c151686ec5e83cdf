// SPDX-License-Identifier: GPL-2.0-only
/* The memory controller: see memcg-util.h */

#include <string.h>
#include <sys/vfs.h>

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
