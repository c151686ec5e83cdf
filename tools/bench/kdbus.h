/* SPDX-License-Identifier: GPL-2.0 */
/* What the measurements of kdbus share. Functions end the process on errors. */
#ifndef BENCH_KDBUS_H
#define BENCH_KDBUS_H

#include <poll.h>
#include <sys/ioctl.h>

#include "bench.h"

/* enough for the largest message while another one is still there */
#define POOL_SIZE	(8 * MIB)

#define ITEM_SIZE(s)	(offsetof(struct kdbus_item, data) + (s))
#define ITEM_SPACE(s)	((ITEM_SIZE(s) + 7) & ~7UL)

/* every filter on a bus of ours has as many bytes as sd-bus has it */
#define BLOOM_SIZE	64

struct conn {
	int fd;
	uint64_t id;
	const uint8_t *pool;
	size_t pool_size;
};

/**
 * struct letter - a message with one item of payload, and perhaps a second item,
 *		   made once
 * @msg:	The header
 * @size:	Of the item
 * @type:	Of the item
 * @vec:	Payload as bytes
 * @memfd:	Payload as a file
 * @second:	A second item, if the size in @msg says so
 */
struct letter {
	struct kdbus_msg msg;
	uint64_t size;
	uint64_t type;
	union {
		struct kdbus_vec vec;
		struct kdbus_memfd memfd;
	};
	struct {
		uint64_t size;
		uint64_t type;
		union {
			uint64_t offset;
			char name[64];
			struct {
				uint64_t generation;
				uint64_t bits[BLOOM_SIZE / 8];
			} filter;
		};
	} second;
};

struct received {
	uint64_t src;
	uint64_t cookie;
	uint64_t offset;
};

/* node of the bus that bus_make() has made */
extern char bus_path[];

void bus_make(void);
void bus_connect(struct conn *conn, size_t pool_size, uint64_t flags,
		 uint64_t attach);
void bus_leave(struct conn *conn);

void letter_vec(struct letter *letter, const void *data, size_t size);
void letter_memfd(struct letter *letter, int fd, size_t size);
void letter_second(struct letter *letter, uint64_t type, size_t size);
void letter_free(struct letter *letter, uint64_t offset);
int memfd_sealed(const void *data, size_t size);

static inline void kdbus_send(const struct conn *conn, struct letter *letter)
{
	must(ioctl(conn->fd, KDBUS_CMD_MSG_SEND, &letter->msg));
}

static inline void kdbus_wait(const struct conn *conn)
{
	struct pollfd pollfd = { .fd = conn->fd, .events = POLLIN };

	must(poll(&pollfd, 1, -1));
}

static inline uint64_t kdbus_recv(const struct conn *conn)
{
	struct kdbus_cmd_recv recv = { 0 };

	must(ioctl(conn->fd, KDBUS_CMD_MSG_RECV, &recv));
	return recv.offset;
}

static inline void kdbus_free(const struct conn *conn, uint64_t offset)
{
	struct kdbus_cmd_free arg = { .offset = offset };

	must(ioctl(conn->fd, KDBUS_CMD_FREE, &arg));
}

static inline const struct kdbus_msg *kdbus_msg_at(const struct conn *conn,
						   uint64_t offset)
{
	return (const struct kdbus_msg *)(conn->pool + offset);
}

/* The first item of the type, which has to be there. */
const struct kdbus_item *item_of(const struct kdbus_msg *msg, uint64_t type);

#endif
