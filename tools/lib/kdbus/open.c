// SPDX-License-Identifier: LGPL-2.1-or-later
/* How a connection begins. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "priv.h"

#define POOL_SIZE	(16UL << 20)
/* as many views as most ever have */
#define N_VIEWS		4

/* What the program knows of struct kdb_options, and defaults for the rest. */
static int open_options(struct kdb_options *o, const struct kdb_options *given)
{
	memset(o, 0, sizeof(*o));
	if (given) {
		if (given->size > sizeof(*o) ||
		    given->size < offsetof(struct kdb_options, attach))
			return -EINVAL;
		memcpy(o, given, given->size);
	}
	if (o->flags & ~(uint64_t)(2 * KDB_OPEN_V1 - 1))
		return -EINVAL;
	if (!o->pool_size)
		o->pool_size = POOL_SIZE;
	return 0;
}

static uint64_t open_hello_flags(uint64_t flags)
{
	static const uint64_t map[][2] = {
		{ KDB_OPEN_FDS, KDBUS_HELLO_ACCEPT_FD },
		{ KDB_OPEN_MONITOR, KDBUS_HELLO_MONITOR },
		{ KDB_OPEN_ACTIVATOR, KDBUS_HELLO_ACTIVATOR },
		{ KDB_OPEN_POLICY_HOLDER, KDBUS_HELLO_POLICY_HOLDER },
		{ KDB_OPEN_RESERVE, KDBUS_HELLO_EXT_RESERVE },
		{ KDB_OPEN_ATTACH_SEND, KDBUS_EXT_ATTACH },
	};
	uint64_t hello = 0;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(map); i++)
		if (flags & map[i][0])
			hello |= map[i][1];
	return hello;
}

static void open_items(struct kdbi_cmd *cmd, const struct kdb_options *o)
{
	if (o->name)
		kdbi_cmd_string(cmd, KDBUS_ITEM_CONN_NAME, o->name);
	if (o->flags & KDB_OPEN_ATTACH_SEND)
		kdbi_cmd_add(cmd, KDBUS_ITEM_ATTACH_FLAGS_SEND,
			     &o->attach_send, sizeof(o->attach_send));
	/* a policy begins with its name */
	if (o->policy)
		kdbi_cmd_policy(cmd, o->policy);
	else if (o->holds)
		kdbi_cmd_string(cmd, KDBUS_ITEM_NAME, o->holds);
	if (o->creds)
		kdbi_cmd_add(cmd, KDBUS_ITEM_CREDS, o->creds, sizeof(*o->creds));
	if (o->seclabel)
		kdbi_cmd_string(cmd, KDBUS_ITEM_SECLABEL, o->seclabel);
}

static int open_hello(struct kdb_conn *conn, const struct kdb_options *o)
{
	struct kdbus_cmd_hello *hello;
	struct kdbi_cmd cmd;
	uint64_t flags = open_hello_flags(o->flags);
	int r;

	kdbi_cmd_init(&cmd, sizeof(*hello));
	open_items(&cmd, o);
	hello = cmd.buf;
	hello->flags = flags;
	hello->attach_flags = o->attach;
	hello->pool_size = o->pool_size;
	r = kdbi_cmd_run(&cmd, conn->fd, KDBUS_CMD_HELLO);
	hello = cmd.buf;
	if (r == -EINVAL && (flags & ~hello->kernel_flags))
		r = -EOPNOTSUPP;
	/* the kernel calls the size of a pool wrong by this */
	if (r == -EFAULT)
		r = -EINVAL;
	if (!r) {
		if ((hello->kernel_flags & KDBUS_EXT_ATTACH) &&
		    !(o->flags & KDB_OPEN_V1))
			conn->features |= KDB_FEATURE_ATTACH;
		conn->id = hello->id;
		conn->bloom = hello->bloom;
		memcpy(conn->bus_id, hello->id128, sizeof(conn->bus_id));
	}
	kdbi_cmd_free(&cmd);
	return r;
}

static void open_map(struct kdb_conn *conn, const struct kdb_options *o)
{
	void *pool = mmap(NULL, o->pool_size, PROT_READ, MAP_SHARED, conn->fd,
			  0);

	if (pool == MAP_FAILED)
		return;
	conn->pool = pool;
	conn->pool_size = o->pool_size;
}

/* Both commands fail, and tell what the kernel knows. */
static void open_probe(struct kdb_conn *conn)
{
	struct kdbus_cmd_recv recv = { .flags = KDBUS_FLAG_KERNEL };
	struct kdbus_msg msg = {
		.size		= sizeof(msg),
		.flags		= KDBUS_FLAG_KERNEL,
		.payload_type	= KDB_PAYLOAD_BYTES,
	};
	uint64_t all = KDBUS_MSG_EXT_RECV | KDBUS_MSG_EXT_FREE;

	kdbi_ioctl(conn->fd, KDBUS_CMD_MSG_SEND, &msg);
	if ((msg.kernel_flags & all) != all)
		return;
	all = KDBUS_RECV_EXT_WAIT | KDBUS_RECV_EXT_FREE;
	kdbi_ioctl(conn->fd, KDBUS_CMD_MSG_RECV, &recv);
	if ((recv.kernel_flags & all) != all)
		return;
	conn->features |= KDB_FEATURE_TURN;
	conn->park_max = conn->pool_size / 16;
	if (conn->park_max > PARK_MAX)
		conn->park_max = PARK_MAX;
}

/* What can be allocated before there is a connection to be lost. */
static struct kdb_conn *open_alloc(void)
{
	struct kdb_conn *conn = calloc(1, sizeof(*conn));
	struct kdb_view *views[N_VIEWS];
	unsigned int i;
	bool ok;

	if (!conn)
		return NULL;
	conn->fd = -1;
	conn->parked = KDBUS_OFFSET_NONE;
	conn->idle_end = &conn->idle;
	conn->file_size = MSG_MAX_VECS;
	ok = !kdb_msg_new(conn, &conn->reply);
	for (i = 0; i < N_VIEWS; i++) {
		views[i] = kdbi_view_get(conn);
		ok = ok && views[i];
	}
	for (i = 0; i < N_VIEWS; i++)
		if (views[i])
			kdbi_view_forget(views[i]);
	if (!ok) {
		kdb_close(conn);
		return NULL;
	}
	return conn;
}

KDB_API int kdb_open_fd(struct kdb_conn **ret, int fd,
			const struct kdb_options *options)
{
	struct kdb_options o;
	struct kdb_conn *conn;
	int r;

	r = open_options(&o, options);
	if (r < 0)
		return r;
	conn = open_alloc();
	if (!conn)
		return -ENOMEM;
	conn->fd = fd;
	r = open_hello(conn, &o);
	if (r == 0)
		open_map(conn, &o);
	if (r == 0 && !conn->pool)
		r = -ENOMEM;
	if (r < 0) {
		/* it stays the caller's */
		conn->fd = -1;
		kdb_close(conn);
		return r;
	}
	if (!(o.flags & (KDB_OPEN_MONITOR | KDB_OPEN_ACTIVATOR |
			 KDB_OPEN_POLICY_HOLDER | KDB_OPEN_V1)))
		open_probe(conn);
	*ret = conn;
	return 0;
}

KDB_API int kdb_open_path(struct kdb_conn **conn, const char *path,
			  const struct kdb_options *options)
{
	int fd = open(path, O_RDWR | O_CLOEXEC | O_NOCTTY), r;

	if (fd < 0)
		return -errno;
	r = kdb_open_fd(conn, fd, options);
	if (r < 0)
		close(fd);
	return r;
}

static bool open_is_file_name(const char *name)
{
	return *name && !strchr(name, '/') && strcmp(name, ".") &&
	       strcmp(name, "..");
}

KDB_API int kdb_open_bus(struct kdb_conn **conn, const char *domain,
			 const char *bus, const char *endpoint,
			 const struct kdb_options *options)
{
	char path[PATH_MAX];
	int n;

	if (!endpoint)
		endpoint = "bus";
	if (!open_is_file_name(bus) || !open_is_file_name(endpoint))
		return -EINVAL;
	n = snprintf(path, sizeof(path), "%s/%s/%s", domain ?: KDB_DOMAIN, bus,
		     endpoint);
	if (n >= (int)sizeof(path))
		return -ENAMETOOLONG;
	return kdb_open_path(conn, path, options);
}
