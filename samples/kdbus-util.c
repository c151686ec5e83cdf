// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kdbus-util.h"

static int command(int fd, unsigned long cmd, void *arg)
{
	return ioctl(fd, cmd, arg) < 0 ? -errno : 0;
}

/* Returns where the next item goes. */
static __u64 *put_item(__u64 *at, __u64 type, const void *payload, size_t size)
{
	at[0] = ITEM_SIZE(size);
	at[1] = type;
	memcpy(at + 2, payload, size);
	return at + ITEM_SPACE(size) / sizeof(*at);
}

int bus_make(const char *control, const char *name, __u64 flags)
{
	const struct kdbus_bloom_parameter bloom = { .size = 64, .n_hash = 1 };
	__u64 buf[64] = { 0 };
	struct kdbus_cmd_make *make = (void *)buf;
	__u64 *end = buf + sizeof(*make) / sizeof(*buf);
	int fd, r;

	if (strlen(name) > 128)
		return -ENAMETOOLONG;

	end = put_item(end, KDBUS_ITEM_BLOOM_PARAMETER, &bloom, sizeof(bloom));
	end = put_item(end, KDBUS_ITEM_MAKE_NAME, name, strlen(name) + 1);
	make->size = (end - buf) * sizeof(*buf);
	make->flags = flags;

	fd = open(control, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return -errno;

	r = command(fd, KDBUS_CMD_BUS_MAKE, make);
	if (r < 0) {
		close(fd);
		return r;
	}

	return fd;
}

static int map_pool(struct peer *peer)
{
	void *pool = mmap(NULL, peer->pool_size, PROT_READ, MAP_SHARED,
			  peer->fd, 0);

	if (pool == MAP_FAILED)
		return -errno;

	peer->pool = pool;
	return 0;
}

int peer_connect(struct peer *peer, const char *path, size_t pool_size,
		 __u64 flags)
{
	struct kdbus_cmd_hello hello = {
		.size		= sizeof(hello),
		.flags		= flags,
		.pool_size	= pool_size,
	};
	int r;

	*peer = (struct peer){ .pool_size = pool_size };
	peer->fd = open(path, O_RDWR | O_CLOEXEC);
	if (peer->fd < 0)
		return -errno;

	r = command(peer->fd, KDBUS_CMD_HELLO, &hello);
	if (r == 0)
		r = map_pool(peer);
	if (r < 0) {
		close(peer->fd);
		return r;
	}

	peer->id = hello.id;
	return 0;
}

void peer_disconnect(struct peer *peer)
{
	munmap((void *)peer->pool, peer->pool_size);
	close(peer->fd);
}

/* Both kinds of payload are 16 bytes long, and so is the buffer for either. */
static int send_item(const struct peer *peer, const struct envelope *to,
		     __u64 type, const void *payload)
{
	__u64 buf[(sizeof(struct kdbus_msg) + ITEM_SPACE(16)) / 8] = { 0 };
	struct kdbus_msg *msg = (void *)buf;

	msg->size = sizeof(buf);
	msg->dst_id = to->dst_id;
	msg->payload_type = KDBUS_PAYLOAD_DBUS;
	msg->cookie = to->cookie;
	msg->cookie_reply = to->cookie_reply;
	put_item(buf + sizeof(*msg) / sizeof(*buf), type, payload, 16);

	return command(peer->fd, KDBUS_CMD_MSG_SEND, msg);
}

int peer_send(const struct peer *peer, const struct envelope *to,
	      const void *data, size_t size)
{
	const struct kdbus_vec vec = {
		.size		= size,
		.address	= (uintptr_t)data,
	};

	return send_item(peer, to, KDBUS_ITEM_PAYLOAD_VEC, &vec);
}

int peer_send_memfd(const struct peer *peer, const struct envelope *to,
		    int fd, size_t size)
{
	const struct kdbus_memfd memfd = { .size = size, .fd = fd };

	return send_item(peer, to, KDBUS_ITEM_PAYLOAD_MEMFD, &memfd);
}

int peer_wait(const struct peer *peer, int ms)
{
	struct pollfd pollfd = { .fd = peer->fd, .events = POLLIN };
	int r = poll(&pollfd, 1, ms);

	if (r < 0)
		return -errno;
	if (r == 0)
		return -ETIMEDOUT;
	return pollfd.revents & POLLIN ? 0 : -ECONNRESET;
}

static int recv_with(const struct peer *peer, const struct kdbus_msg **msg,
		     __u64 flags)
{
	struct kdbus_cmd_recv recv = { .flags = flags };
	int r = command(peer->fd, KDBUS_CMD_MSG_RECV, &recv);

	*msg = r < 0 ? NULL : (const void *)(peer->pool + recv.offset);
	return r;
}

int peer_recv(const struct peer *peer, const struct kdbus_msg **msg)
{
	return recv_with(peer, msg, 0);
}

int peer_free(const struct peer *peer, const struct kdbus_msg *msg)
{
	struct kdbus_cmd_free arg = {
		.offset = (const __u8 *)msg - peer->pool,
	};

	return command(peer->fd, KDBUS_CMD_FREE, &arg);
}

int peer_recv_first(const struct peer *peer, const struct kdbus_msg **msg)
{
	return recv_with(peer, msg, KDBUS_RECV_EXT_WAIT);
}

int peer_answer(const struct peer *peer, const struct kdbus_msg **msg,
		const void *data, size_t size)
{
	struct {
		struct kdbus_msg msg;
		struct {
			__u64 size, type;
			struct kdbus_vec is;
		} vec;
		struct {
			__u64 size, type;
			__u64 is;
		} free;
	} answer = {
		.msg = {
			.size		= sizeof(answer),
			.flags		= KDBUS_MSG_EXT_FREE |
					  KDBUS_MSG_EXT_RECV,
			.dst_id		= (*msg)->src_id,
			.payload_type	= KDBUS_PAYLOAD_DBUS,
			.cookie		= (*msg)->cookie,
			.cookie_reply	= (*msg)->cookie,
		},
		.vec = {
			.size		= sizeof(answer.vec),
			.type		= KDBUS_ITEM_PAYLOAD_VEC,
			.is		= { size, { (uintptr_t)data } },
		},
		.free = {
			.size		= sizeof(answer.free),
			.type		= KDBUS_ITEM_FREE,
			.is		= (const __u8 *)*msg - peer->pool,
		},
	};
	int r = command(peer->fd, KDBUS_CMD_MSG_SEND, &answer);

	if (r < 0)
		return r;

	*msg = NULL;
	if (answer.msg.offset_reply == KDBUS_OFFSET_NONE)
		return -EINTR;
	*msg = (const void *)(peer->pool + answer.msg.offset_reply);
	return 0;
}

static int open_memfd(struct payload *payload, const struct kdbus_memfd *memfd)
{
	void *data = mmap(NULL, memfd->size, PROT_READ, MAP_PRIVATE, memfd->fd,
			  0);

	if (data == MAP_FAILED)
		return -errno;

	payload->data = data;
	payload->size = memfd->size;
	payload->fd = memfd->fd;
	return 0;
}

static const struct kdbus_item *next_item(const struct kdbus_item *item)
{
	return (const void *)((const __u8 *)item + ((item->size + 7) & ~7ULL));
}

int payload_open(struct payload *payload, const struct kdbus_msg *msg)
{
	const void *end = (const __u8 *)msg + msg->size;
	const struct kdbus_item *item;

	*payload = (struct payload){ .fd = -1 };
	for (item = msg->items; (const void *)item < end;
	     item = next_item(item)) {
		switch (item->type) {
		case KDBUS_ITEM_PAYLOAD_OFF:
			payload->size = item->vec.size;
			if (item->vec.offset != ~0ULL)
				payload->data = (const __u8 *)msg +
						item->vec.offset;
			return 0;
		case KDBUS_ITEM_PAYLOAD_MEMFD:
			return open_memfd(payload, &item->memfd);
		}
	}

	return -ENODATA;
}

void payload_close(struct payload *payload)
{
	if (payload->fd < 0)
		return;

	munmap((void *)payload->data, payload->size);
	close(payload->fd);
}

static int fill_and_seal(int fd, const void *data, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(fd, (const __u8 *)data + done, size - done);
		if (n < 0)
			return -errno;
		done += n;
	}

	return fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW |
		     F_SEAL_WRITE | F_SEAL_SEAL) < 0 ? -errno : 0;
}

int memfd_sealed(const void *data, size_t size)
{
	int fd, r;

	fd = memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0)
		return -errno;

	r = fill_and_seal(fd, data, size);
	if (r < 0) {
		close(fd);
		return r;
	}

	return fd;
}

__s64 fdinfo_number(int pid, int fd, const char *key)
{
	size_t len = strlen(key);
	char path[64], line[128];
	__s64 value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "re");
	if (!f)
		return -1;

	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			value = strtoll(line + len + 1, NULL, 10);
	fclose(f);
	return value;
}
