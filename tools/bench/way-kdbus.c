// SPDX-License-Identifier: GPL-2.0
/*
 * Calls over kdbus. Both sides prepare their message once. The receiver walks the
 * items to its payload, as it has to, and frees the slice when it has answered.
 *
 * kdbus.call          a synchronous call: the client has SYNC_REPLY, then FREE; the
 *                     server poll, RECV, SEND, FREE. Six system calls
 * kdbus.plain.call    request and answer are ordinary messages: SEND, poll, RECV,
 *                     FREE on either side, eight system calls
 * kdbus.request.call  the same with EXPECT_REPLY: the kernel keeps track of the
 *                     reply and its deadline
 * kdbus.ext.call      the extended calls: one on either side, which frees what was
 *                     received before. The service's answers and then receives
 */
#include <err.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kdbus.h"

enum {
	PLAIN		= 0,
	REQUEST		= 1 << 0,
	SYNC		= 1 << 1,
	WITH_CREDS	= 1 << 2,
	WITH_ALL	= 1 << 3,
	MEMFD		= 1 << 4,
	READ		= 1 << 5,
};

static struct conn self;
static struct letter letter;

static void make_bus(struct pair *pair)
{
	(void)pair;
	bus_make();
}

static void join(struct pair *pair)
{
	int variant = pair->way->variant;
	uint64_t attach = 0;

	if (variant & WITH_CREDS)
		attach = KDBUS_ATTACH_CREDS;
	if (variant & WITH_ALL)
		attach = _KDBUS_ATTACH_ALL;

	bus_connect(&self, POOL_SIZE,
		    variant & MEMFD ? KDBUS_HELLO_ACCEPT_FD : 0, attach);
	if (variant & MEMFD)
		letter_memfd(&letter, memfd_sealed(pair->out, pair->size),
			     pair->size);
	else
		letter_vec(&letter, pair->out, pair->size);
}

static void be_server(struct pair *pair)
{
	join(pair);
	*pair->server = self.id;
}

static void be_client(struct pair *pair)
{
	int variant = pair->way->variant;

	join(pair);
	letter.msg.dst_id = *pair->server;
	if (variant & (REQUEST | SYNC)) {
		letter.msg.flags = KDBUS_MSG_FLAGS_EXPECT_REPLY;
		letter.msg.timeout_ns = now() + 3600 * 1000000000ULL;
	}
	if (variant & SYNC)
		letter.msg.flags |= KDBUS_MSG_FLAGS_SYNC_REPLY;
}

static void look(struct pair *pair, const struct kdbus_msg *msg)
{
	const struct kdbus_item *item;
	void *data;

	if (!(pair->way->variant & MEMFD)) {
		item = item_of(msg, KDBUS_ITEM_PAYLOAD_OFF);
		touch((const uint8_t *)msg + item->vec.offset, item->vec.size);
		return;
	}

	item = item_of(msg, KDBUS_ITEM_PAYLOAD_MEMFD);
	data = mmap(NULL, item->memfd.size, PROT_READ, MAP_PRIVATE,
		    item->memfd.fd, 0);
	if (data == MAP_FAILED)
		err(1, "mmap of a memfd");
	if (pair->way->variant & READ)
		touch(data, item->memfd.size);
	munmap(data, item->memfd.size);
	close(item->memfd.fd);
}

static void serve(struct pair *pair)
{
	const struct kdbus_msg *msg;
	uint64_t offset;

	kdbus_wait(&self);
	offset = kdbus_recv(&self);
	msg = kdbus_msg_at(&self, offset);
	look(pair, msg);
	letter.msg.dst_id = msg->src_id;
	letter.msg.cookie_reply = msg->cookie;
	kdbus_send(&self, &letter);
	kdbus_free(&self, offset);
}

/* the answer to one request is sent by the call that waits for the next */
static void serve_ext(struct pair *pair)
{
	struct kdbus_cmd_recv recv = { .flags = KDBUS_RECV_EXT_WAIT };
	const struct kdbus_msg *msg;
	static uint64_t offset = KDBUS_OFFSET_NONE;

	if (offset == KDBUS_OFFSET_NONE) {
		if (ioctl(self.fd, KDBUS_CMD_MSG_RECV, &recv) < 0)
			not_offered("not offered: the kernel does not know the flags");
		offset = recv.offset;
	}
	msg = kdbus_msg_at(&self, offset);
	look(pair, msg);
	letter.msg.dst_id = msg->src_id;
	letter.msg.cookie_reply = msg->cookie;
	letter_free(&letter, offset);
	letter.msg.flags |= KDBUS_MSG_EXT_RECV;
	kdbus_send(&self, &letter);
	offset = letter.msg.offset_reply;
}

static void call_ext(struct pair *pair)
{
	uint64_t deadline = letter.msg.timeout_ns;

	letter.msg.cookie++;
	kdbus_send(&self, &letter);
	look(pair, kdbus_msg_at(&self, letter.msg.offset_reply));
	letter_free(&letter, letter.msg.offset_reply);
	letter.msg.timeout_ns = deadline;
}

static void call(struct pair *pair)
{
	uint64_t offset;

	letter.msg.cookie++;
	kdbus_send(&self, &letter);
	kdbus_wait(&self);
	offset = kdbus_recv(&self);
	look(pair, kdbus_msg_at(&self, offset));
	kdbus_free(&self, offset);
}

static void call_sync(struct pair *pair)
{
	uint64_t deadline = letter.msg.timeout_ns, offset;

	letter.msg.cookie++;
	kdbus_send(&self, &letter);
	/* the same memory is the deadline and where the reply is */
	offset = letter.msg.offset_reply;
	letter.msg.timeout_ns = deadline;
	look(pair, kdbus_msg_at(&self, offset));
	kdbus_free(&self, offset);
}

#define WAY2(_name, _max, _variant, _serve, _call) {			\
	.name = _name, .max = _max, .variant = _variant,		\
	.prepare = make_bus, .server = be_server, .serve = _serve,	\
	.client = be_client, .call = _call }
#define WAY(_name, _max, _variant, _call)				\
	WAY2(_name, _max, _variant, serve, _call)

const struct way kdbus_ways[] = {
	WAY("kdbus.call", 2 * MIB, SYNC, call_sync),
	WAY2("kdbus.ext.call", 2 * MIB, SYNC, serve_ext, call_ext),
	WAY("kdbus.plain.call", 64, PLAIN, call),
	WAY("kdbus.request.call", 64, REQUEST, call),
	WAY("kdbus.creds.call", 64, SYNC | WITH_CREDS, call_sync),
	WAY("kdbus.allmeta.call", 64, SYNC | WITH_ALL, call_sync),
	WAY("kdbus.memfd.call", 4 * MIB, SYNC | MEMFD, call_sync),
	WAY("kdbus.memfd-read.call", 4 * MIB, SYNC | MEMFD | READ, call_sync),
	{ 0 }
};
