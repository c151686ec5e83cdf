// SPDX-License-Identifier: GPL-2.0
/*
 * Binder: the server is the context manager. On either side one ioctl() per turn
 * frees the buffer of before, sends, and waits.
 */
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include <linux/android/binder.h>

#include "bench.h"

/* as much as binder gives to a process */
#define ROOM	(4 * MIB)

/* What is written: free a buffer, then a transaction or a reply. */
struct turn {
	uint32_t free;
	binder_uintptr_t buffer;
	uint32_t send;
	struct binder_transaction_data data;
} __attribute__((packed));

static int fd;
static binder_uintptr_t to_free;

static void may_open(struct pair *pair)
{
	int probe = open("/dev/binder", O_RDWR | O_CLOEXEC);

	(void)pair;
	if (probe < 0)
		not_offered("not offered: /dev/binder: %s", strerror(errno));
	/* it counts for the process that opened it */
	fd = probe;
}

static void open_binder(void)
{
	void *map;

	fd = must(open("/dev/binder", O_RDWR | O_CLOEXEC));
	map = mmap(NULL, ROOM, PROT_READ, MAP_PRIVATE | MAP_NORESERVE, fd, 0);
	if (map == MAP_FAILED)
		err(1, "mmap of binder");
}

/*
 * Writes @size bytes and waits for a message; @wanted is BR_TRANSACTION or
 * BR_REPLY. With neither it is an error to get anything but small talk.
 */
static void talk(const void *write, size_t size, uint32_t wanted)
{
	struct binder_transaction_data data;
	uint8_t in[512], *at;
	struct binder_write_read bwr = {
		.write_buffer	= (uintptr_t)write,
		.write_size	= size,
		.read_buffer	= (uintptr_t)in,
		.read_size	= sizeof(in),
	};
	uint32_t what;

	for (;;) {
		bwr.read_consumed = 0;
		must(ioctl(fd, BINDER_WRITE_READ, &bwr));
		for (at = in; at < in + bwr.read_consumed;) {
			memcpy(&what, at, sizeof(what));
			at += sizeof(what);
			if (what == wanted) {
				memcpy(&data, at, sizeof(data));
				touch((void *)(uintptr_t)data.data.ptr.buffer,
				      data.data_size);
				to_free = data.data.ptr.buffer;
				return;
			}
			if (what != BR_NOOP && what != BR_TRANSACTION_COMPLETE &&
			    what != BR_SPAWN_LOOPER)
				errx(1, "binder says %#x", what);
		}
	}
}

static void turn(struct pair *pair, uint32_t send, uint32_t wanted)
{
	struct turn turn = {
		.free		= BC_FREE_BUFFER,
		.buffer		= to_free,
		.send		= send,
		.data.data_size	= pair->size,
		.data.data.ptr.buffer = (uintptr_t)pair->out,
	};
	size_t skip = to_free ? 0 : offsetof(struct turn, send);

	talk((uint8_t *)&turn + skip, sizeof(turn) - skip, wanted);
}

static void be_server(struct pair *pair)
{
	uint32_t loop = BC_ENTER_LOOPER;
	struct binder_write_read bwr = {
		.write_buffer	= (uintptr_t)&loop,
		.write_size	= sizeof(loop),
	};

	(void)pair;
	open_binder();
	must(ioctl(fd, BINDER_SET_CONTEXT_MGR, 0));
	must(ioctl(fd, BINDER_WRITE_READ, &bwr));
}

static void serve(struct pair *pair)
{
	/* only the first time is there nobody to answer */
	if (!to_free)
		talk(NULL, 0, BR_TRANSACTION);
	else
		turn(pair, BC_REPLY, BR_TRANSACTION);
}

static void be_client(struct pair *pair)
{
	(void)pair;
	open_binder();
}

static void call(struct pair *pair)
{
	turn(pair, BC_TRANSACTION, BR_REPLY);
}

const struct way binder_ways[] = {
	{
		.name = "binder.call", .max = 2 * MIB,
		.prepare = may_open,
		.server = be_server, .serve = serve,
		.client = be_client, .call = call,
	},
	{ 0 }
};
