// SPDX-License-Identifier: LGPL-2.1-or-later
/* Buses, domains and endpoints. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "priv.h"

static int make_open_control(const char *domain)
{
	char path[PATH_MAX];
	int n, fd;

	n = snprintf(path, sizeof(path), "%s/control", domain ?: KDB_DOMAIN);
	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	return fd < 0 ? -errno : fd;
}

static void make_init(struct kdbi_cmd *cmd, uint64_t flags)
{
	struct kdbus_cmd_make *make;

	kdbi_cmd_init(cmd, sizeof(*make));
	make = cmd->buf;
	make->flags = flags;
}

/* Returns @fd, or closes it. */
static int make_run(struct kdbi_cmd *cmd, int fd, unsigned long nr)
{
	const struct kdbus_cmd_make *make = cmd->buf;
	int r = fd;

	if (fd >= 0) {
		r = kdbi_cmd_run(cmd, fd, nr);
		if (r == -EINVAL && (make->flags & KDBUS_EXT_ATTACH) &&
		    !(make->kernel_flags & KDBUS_EXT_ATTACH))
			r = -EOPNOTSUPP;
		if (r < 0)
			close(fd);
		else
			r = fd;
	}
	kdbi_cmd_free(cmd);
	return r;
}

KDB_API int kdb_bus_make(const char *domain, const char *name,
			 const struct kdb_bus_options *options)
{
	struct kdb_bus_options o = { 0 };
	struct kdbi_cmd cmd;

	if (options) {
		if (options->size > sizeof(o) ||
		    options->size < offsetof(struct kdb_bus_options, bloom))
			return -EINVAL;
		memcpy(&o, options, options->size);
	}
	if (!o.bloom.size && !o.bloom.n_hash)
		o.bloom = (struct kdbus_bloom_parameter){ 64, 8 };
	make_init(&cmd, o.flags);
	kdbi_cmd_add(&cmd, KDBUS_ITEM_BLOOM_PARAMETER, &o.bloom,
		     sizeof(o.bloom));
	kdbi_cmd_string(&cmd, KDBUS_ITEM_MAKE_NAME, name);
	if (o.flags & KDBUS_EXT_ATTACH) {
		kdbi_cmd_add(&cmd, KDBUS_ITEM_ATTACH_FLAGS_REQUIRED,
			     &o.attach_required, sizeof(o.attach_required));
		kdbi_cmd_add(&cmd, KDBUS_ITEM_ATTACH_FLAGS_OWNER,
			     &o.attach_owner, sizeof(o.attach_owner));
	}
	return make_run(&cmd, make_open_control(domain), KDBUS_CMD_BUS_MAKE);
}

KDB_API int kdb_domain_make(const char *parent, const char *name,
			    uint64_t flags)
{
	struct kdbi_cmd cmd;

	make_init(&cmd, flags);
	kdbi_cmd_string(&cmd, KDBUS_ITEM_MAKE_NAME, name);
	return make_run(&cmd, make_open_control(parent), KDBUS_CMD_DOMAIN_MAKE);
}

KDB_API int kdb_endpoint_make(const char *path, const char *name,
			      uint64_t flags, const struct kdb_policy *policy)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY);
	struct kdbi_cmd cmd;

	if (fd < 0)
		return -errno;
	make_init(&cmd, flags);
	kdbi_cmd_string(&cmd, KDBUS_ITEM_MAKE_NAME, name);
	kdbi_cmd_policy(&cmd, policy);
	return make_run(&cmd, fd, KDBUS_CMD_ENDPOINT_MAKE);
}

KDB_API int kdb_endpoint_update(int fd, const struct kdb_policy *policy)
{
	struct kdbi_cmd cmd;
	int r;

	kdbi_cmd_init(&cmd, sizeof(struct kdbus_cmd_update));
	kdbi_cmd_policy(&cmd, policy);
	r = kdbi_cmd_run(&cmd, fd, KDBUS_CMD_ENDPOINT_UPDATE);
	kdbi_cmd_free(&cmd);
	return r;
}
