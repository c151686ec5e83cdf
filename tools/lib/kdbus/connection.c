// SPDX-License-Identifier: LGPL-2.1-or-later
/* What a connection is, and its end. How it begins is in open.c. */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "priv.h"

int kdbi_ioctl(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

int kdbi_free(struct kdb_conn *conn, uint64_t offset)
{
	struct kdbus_cmd_free arg = { .offset = offset };

	return kdbi_ioctl(conn->fd, KDBUS_CMD_FREE, &arg);
}

uint64_t kdbi_now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

KDB_API uint64_t kdb_deadline(uint64_t ns)
{
	uint64_t now = kdbi_now();

	return ns < KDB_NO_DEADLINE - now ? now + ns : KDB_NO_DEADLINE;
}

KDB_API int kdb_close(struct kdb_conn *conn)
{
	int held;

	if (!conn)
		return 0;
	held = kdbi_views_end(conn);
	kdbi_watches_end(conn);
	kdb_msg_free(conn->reply);
	if (conn->pool)
		munmap((void *)conn->pool, conn->pool_size);
	if (conn->fd >= 0)
		close(conn->fd);
	free(conn);
	return held;
}

KDB_API int kdb_bye(struct kdb_conn *conn)
{
	return kdbi_ioctl(conn->fd, KDBUS_CMD_BYEBYE, NULL);
}

KDB_API int kdb_fd(const struct kdb_conn *conn)
{
	return conn->fd;
}

KDB_API int kdb_events(const struct kdb_conn *conn)
{
	(void)conn;
	return POLLIN;
}

KDB_API uint64_t kdb_id(const struct kdb_conn *conn)
{
	return conn->id;
}

KDB_API const uint8_t *kdb_bus_id(const struct kdb_conn *conn)
{
	return conn->bus_id;
}

KDB_API const struct kdbus_bloom_parameter *
kdb_bloom(const struct kdb_conn *conn)
{
	return &conn->bloom;
}

KDB_API unsigned int kdb_features(const struct kdb_conn *conn)
{
	return conn->features;
}

KDB_API void kdb_set_file_size(struct kdb_conn *conn, size_t size)
{
	conn->file_size = size;
}

static int connection_update(struct kdb_conn *conn, uint64_t flags,
			     uint64_t type, uint64_t attach)
{
	struct kdbi_cmd cmd;
	struct kdbus_cmd_update *update;
	int r;

	kdbi_cmd_init(&cmd, sizeof(*update));
	update = cmd.buf;
	update->flags = flags;
	kdbi_cmd_add(&cmd, type, &attach, sizeof(attach));
	r = kdbi_cmd_run(&cmd, conn->fd, KDBUS_CMD_CONN_UPDATE);
	kdbi_cmd_free(&cmd);
	return r;
}

KDB_API int kdb_set_attach(struct kdb_conn *conn, uint64_t attach)
{
	return connection_update(conn, 0, KDBUS_ITEM_ATTACH_FLAGS, attach);
}

KDB_API int kdb_set_attach_send(struct kdb_conn *conn, uint64_t attach)
{
	if (!(conn->features & KDB_FEATURE_ATTACH))
		return -EOPNOTSUPP;
	return connection_update(conn, KDBUS_EXT_ATTACH,
				 KDBUS_ITEM_ATTACH_FLAGS_SEND, attach);
}

static KDB_COLD int connection_poll_until(struct pollfd *pollfd, uint64_t end)
{
	uint64_t now = kdbi_now(), ns = end > now ? end - now : 0;
	struct timespec ts = {
		.tv_sec		= ns / 1000000000,
		.tv_nsec	= ns % 1000000000,
	};

	return ppoll(pollfd, 1, &ts, NULL);
}

/* Waits for a message, or the end of the connection: the next command tells. */
int kdbi_wait(const struct kdb_conn *conn, uint64_t deadline)
{
	struct pollfd pollfd = { .fd = conn->fd, .events = POLLIN };
	int r;

	if (deadline == KDB_NO_DEADLINE)
		r = poll(&pollfd, 1, -1);
	else
		r = connection_poll_until(&pollfd, deadline);
	if (r < 0)
		return -errno;
	return r > 0 ? 0 : -ETIMEDOUT;
}

KDB_API int kdb_wait(struct kdb_conn *conn, uint64_t deadline)
{
	uint64_t timeout = kdb_timeout(conn);
	int r;

	if (timeout > deadline)
		return kdbi_wait(conn, deadline);
	r = kdbi_wait(conn, timeout);
	return r == -ETIMEDOUT && timeout != KDB_NO_DEADLINE ? 0 : r;
}
