/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the samples share: a thin layer over the commands, nothing hidden but
 * the packing of items. Functions return 0 or a negative errno unless they say
 * otherwise.
 */
#ifndef KDBUS_UTIL_H
#define KDBUS_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/kdbus.h>

#define KIB		1024UL
#define MIB		(1024UL * 1024UL)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/* bytes of an item with a payload of @s bytes, without and with padding */
#define ITEM_SIZE(s)	(offsetof(struct kdbus_item, data) + (s))
#define ITEM_SPACE(s)	((ITEM_SIZE(s) + 7) & ~7UL)

/**
 * struct peer - a connection
 * @fd:		Its descriptor
 * @id:		Its id on the bus
 * @pool:	Its receive pool, mapped
 * @pool_size:	Bytes in the pool
 */
struct peer {
	int fd;
	__u64 id;
	const __u8 *pool;
	size_t pool_size;
};

/**
 * struct payload - payload of a received message that has one part
 * @data:	The bytes, NULL if they are all zeros
 * @size:	How many
 * @fd:		The file they are in, mapped at @data; or -1
 */
struct payload {
	const __u8 *data;
	size_t size;
	int fd;
};

/* Returns the descriptor that the bus lives as long as. */
int bus_make(const char *control, const char *name, __u64 flags);

int peer_connect(struct peer *peer, const char *path, size_t pool_size,
		 __u64 flags);
void peer_disconnect(struct peer *peer);

/* Identifies a message, and the one it answers if that is not 0. */
struct envelope {
	__u64 dst_id;
	__u64 cookie;
	__u64 cookie_reply;
};

int peer_send(const struct peer *peer, const struct envelope *to,
	      const void *data, size_t size);
int peer_send_memfd(const struct peer *peer, const struct envelope *to,
		    int fd, size_t size);

/* -ETIMEDOUT if nothing comes in @ms milliseconds. */
int peer_wait(const struct peer *peer, int ms);
/* The oldest message; it stays in the pool until peer_free(). */
int peer_recv(const struct peer *peer, const struct kdbus_msg **msg);
int peer_free(const struct peer *peer, const struct kdbus_msg *msg);

/*
 * The same in one command each, for a service: the oldest message, once there is
 * one; answer @msg, free it, and wait for the next, which @msg is then. -EINTR if a
 * signal came; @msg is NULL then, and the answer was sent. -EINVAL if the kernel
 * does not offer it.
 */
int peer_recv_first(const struct peer *peer, const struct kdbus_msg **msg);
int peer_answer(const struct peer *peer, const struct kdbus_msg **msg,
		const void *data, size_t size);

/* To be followed by payload_close(). */
int payload_open(struct payload *payload, const struct kdbus_msg *msg);
void payload_close(struct payload *payload);

/* Returns a sealed memory file that holds @data. */
int memfd_sealed(const void *data, size_t size);

/* A line of /proc/PID/fdinfo/FD as a number, or -1. */
__s64 fdinfo_number(int pid, int fd, const char *key);

#endif
