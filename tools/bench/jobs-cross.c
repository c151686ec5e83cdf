// SPDX-License-Identifier: GPL-2.0
/*
 * Where a memory file beats a copy. The client makes up the payload before it
 * sends, with "again" once and for all. The server maps what is a file,
 * with "read" reads a byte of each page, and answers with 64 bytes.
 */
#include <err.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kdbus.h"

enum {
	MEMFD	= 1 << 0,
	AGAIN	= 1 << 1,
	READ	= 1 << 2,
};

static struct conn self;
static struct letter letter;
static int again = -1;

static void make_bus(struct pair *pair)
{
	(void)pair;
	bus_make();
}

static void be_server(struct pair *pair)
{
	bus_connect(&self, POOL_SIZE, KDBUS_HELLO_ACCEPT_FD, 0);
	letter_vec(&letter, pair->out, 64);
	*pair->server = self.id;
}

static void be_client(struct pair *pair)
{
	bus_connect(&self, POOL_SIZE, KDBUS_HELLO_ACCEPT_FD, 0);
	if (pair->way->variant & MEMFD)
		again = memfd_sealed(pair->out, pair->size);
}

static void read_pages(const struct pair *pair, const volatile uint8_t *data,
		       size_t size)
{
	size_t pos;

	if (!(pair->way->variant & READ))
		return;
	for (pos = 0; pos < size; pos += 4096)
		(void)data[pos];
}

/* Eight bytes at a time, as a program that makes up its payload. */
static void write_payload(void *data, size_t size)
{
	static uint64_t value;
	volatile uint64_t *word = data;
	size_t i;

	value++;
	for (i = 0; i < size / 8; i++)
		word[i] = value;
}

static void serve(struct pair *pair)
{
	const struct kdbus_item *item;
	const struct kdbus_msg *msg;
	uint64_t offset;
	void *data;

	kdbus_wait(&self);
	offset = kdbus_recv(&self);
	msg = kdbus_msg_at(&self, offset);
	if (!(pair->way->variant & MEMFD)) {
		item = item_of(msg, KDBUS_ITEM_PAYLOAD_OFF);
		read_pages(pair, (const uint8_t *)msg + item->vec.offset,
			   item->vec.size);
	} else {
		item = item_of(msg, KDBUS_ITEM_PAYLOAD_MEMFD);
		data = mmap(NULL, item->memfd.size, PROT_READ, MAP_SHARED,
			    item->memfd.fd, 0);
		if (data == MAP_FAILED)
			err(1, "mmap of a memfd");
		read_pages(pair, data, item->memfd.size);
		munmap(data, item->memfd.size);
		close(item->memfd.fd);
	}
	letter.msg.dst_id = msg->src_id;
	kdbus_send(&self, &letter);
	kdbus_free(&self, offset);
}

/* Written: to map it and take a fault for each page costs more. */
static int memfd_new(struct pair *pair)
{
	write_payload(pair->out, pair->size);
	return memfd_sealed(pair->out, pair->size);
}

static void call(struct pair *pair)
{
	int variant = pair->way->variant, fd = -1;
	uint64_t offset;

	if (!(variant & MEMFD)) {
		if (!(variant & AGAIN))
			write_payload(pair->out, pair->size);
		letter_vec(&letter, pair->out, pair->size);
	} else {
		fd = variant & AGAIN ? again : memfd_new(pair);
		letter_memfd(&letter, fd, pair->size);
	}
	letter.msg.dst_id = *pair->server;
	kdbus_send(&self, &letter);
	if (fd >= 0 && fd != again)
		close(fd);
	kdbus_wait(&self);
	offset = kdbus_recv(&self);
	kdbus_free(&self, offset);
}

#define WAY(_name, _variant) {						\
	.name = _name, .variant = _variant, .prepare = make_bus,	\
	.server = be_server, .serve = serve,				\
	.client = be_client, .call = call }

static const struct way ways[] = {
	WAY("kdbus.cross.copy-new", 0),
	WAY("kdbus.cross.memfd-new", MEMFD),
	WAY("kdbus.cross.copy-again", AGAIN),
	WAY("kdbus.cross.memfd-again", MEMFD | AGAIN),
	WAY("kdbus.cross.copy-again-read", AGAIN | READ),
	WAY("kdbus.cross.memfd-again-read", MEMFD | AGAIN | READ),
};

static void cross(void)
{
	size_t size;
	unsigned int i;

	puts("payload one way, answer of 64 bytes");
	for (i = 0; i < ARRAY_SIZE(ways); i++) {
		for (size = 16 * KIB; size <= MIB; size *= 2) {
			struct pair pair;
			pid_t server = pair_open(&pair, &ways[i], size);

			result(pair_measure(&pair), "%s.%zu", ways[i].name,
			       size);
			pair_close(&pair, server);
			close(self.fd);
		}
	}
}

const struct job cross_jobs[] = {
	{ "kdbus.cross", cross },
	{ 0 }
};
