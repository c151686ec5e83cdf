// SPDX-License-Identifier: GPL-2.0
/* What many connections, matches and names cost. */
#include <err.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kdbus.h"

#define CONNS		1000
#define IDLE		10000
/* names a connection may own */
#define NAMES_EACH	64
/* what may wait in the queue of a receiver */
#define BURST		8
#define N_HASH		8

static struct conn *connect_many(unsigned int n)
{
	struct conn *conns = calloc(n, sizeof(*conns));
	unsigned int i;

	for (i = 0; i < n; i++)
		bus_connect(&conns[i], 64 * KIB, 0, 0);
	return conns;
}

/* A filter in which @n words out of a stream of them, seeded, are put. */
static void bloom_add(uint64_t *filter, unsigned int seed, unsigned int n)
{
	unsigned int i, bit;

	for (i = 0; i < n * N_HASH; i++) {
		seed = seed * 1103515245 + 12345;
		bit = (seed >> 16) % (BLOOM_SIZE * 8);
		filter[bit / 64] |= 1ULL << bit % 64;
	}
}

static void match_add(const struct conn *conn, const uint64_t *mask)
{
	struct {
		struct kdbus_cmd_match cmd;
		uint64_t size, type;
		uint64_t mask[BLOOM_SIZE / 8];
	} add = {
		.cmd.size	= sizeof(add),
		.cmd.cookie	= 1,
		.size		= ITEM_SIZE(BLOOM_SIZE),
		.type		= KDBUS_ITEM_BLOOM_MASK,
	};

	memcpy(add.mask, mask, BLOOM_SIZE);
	must(ioctl(conn->fd, KDBUS_CMD_MATCH_ADD, &add.cmd));
}

static void broadcast_init(struct letter *letter, const void *data, size_t size)
{
	letter_vec(letter, data, size);
	letter->msg.dst_id = KDBUS_DST_ID_BROADCAST;
	letter_second(letter, KDBUS_ITEM_BLOOM_FILTER,
		      sizeof(letter->second.filter));
	/* of a signal: its interface, member, path, what sd-bus adds to these */
	bloom_add(letter->second.filter.bits, 1, 5);
}

static unsigned int drain(const struct conn *conn)
{
	struct pollfd pollfd = { .fd = conn->fd, .events = POLLIN };
	unsigned int n;

	for (n = 0; must(poll(&pollfd, 1, 0)); n++)
		kdbus_free(conn, kdbus_recv(conn));
	return n;
}

/* Every one of @n bursts has to reach @matching of the connections, and no other. */
static void broadcast(unsigned int matching)
{
	unsigned int n = options->batches, i, j, want;
	uint64_t wanted[BLOOM_SIZE / 8] = { 0 };
	struct letter letter;
	double values[n];
	uint8_t data[64];
	struct conn *conns;
	uint64_t begin;

	bus_make();
	/* the first one sends */
	conns = connect_many(CONNS);
	memset(data, 1, sizeof(data));
	broadcast_init(&letter, data, sizeof(data));
	bloom_add(wanted, 1, 1);
	/* every other one subscribed to something of its own */
	for (i = 1; i < CONNS; i++) {
		uint64_t mask[BLOOM_SIZE / 8] = { 0 };

		bloom_add(mask, 1000 + i, 1);
		match_add(&conns[i], i <= matching ? wanted : mask);
	}

	printf("to %u, of which %u match\n", CONNS, matching);
	for (i = 0; i < n; i++) {
		begin = now();
		for (j = 0; j < BURST; j++)
			kdbus_send(&conns[0], &letter);
		values[i] = (double)(now() - begin) / BURST;
		/* a look at all of them takes long */
		for (j = 1; j < (i ? matching + 1 : CONNS); j++) {
			want = j <= matching ? BURST : 0;
			if (drain(&conns[j]) != want)
				errx(1, "broadcast: wrong receivers");
		}
	}
	result(median(values, n), "kdbus.broadcast.%u.%u", CONNS, matching);
}

static void broadcast_0(void)
{
	broadcast(0);
}

static void broadcast_10(void)
{
	broadcast(10);
}

struct talk {
	const struct conn *from, *to;
	struct letter *letter;
};

static void send_recv_free(void *arg)
{
	const struct talk *talk = arg;

	kdbus_send(talk->from, talk->letter);
	kdbus_free(talk->to, kdbus_recv(talk->to));
}

static void among_conns(void)
{
	static const unsigned int counts[] = { 10, 1000, 10000 };
	struct letter letter;
	uint8_t data[64];
	unsigned int have = 2, i;
	struct conn from, to, other;
	struct talk talk = { &from, &to, &letter };

	bus_make();
	bus_connect(&from, 64 * KIB, 0, 0);
	memset(data, 1, sizeof(data));
	letter_vec(&letter, data, sizeof(data));
	puts("send, receive, free, 64 bytes by id among so many connections");
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		for (; have < counts[i]; have++)
			bus_connect(&other, 64 * KIB, 0, 0);
		/* one in the middle of them, and not the same one again */
		bus_connect(&to, 64 * KIB, 0, 0);
		letter.msg.dst_id = to.id;
		result(measure(send_recv_free, &talk), "kdbus.scale.conn.%u",
		       counts[i]);
	}
}

static void name_acquire(const struct conn *conn, const char *name)
{
	struct {
		struct kdbus_cmd_name cmd;
		uint64_t size, type;
		char name[64];
	} acquire = {
		.size	= ITEM_SIZE(strlen(name) + 1),
		.type	= KDBUS_ITEM_NAME,
	};

	strcpy(acquire.name, name);
	acquire.cmd.size = offsetof(typeof(acquire), size) + acquire.size;
	must(ioctl(conn->fd, KDBUS_CMD_NAME_ACQUIRE, &acquire.cmd));
}

static void address(struct letter *letter, const char *name, const void *data,
		    size_t size)
{
	letter_vec(letter, data, size);
	letter->msg.dst_id = KDBUS_DST_ID_NAME;
	letter_second(letter, KDBUS_ITEM_DST_NAME, strlen(name) + 1);
	strcpy(letter->second.name, name);
}

static void among_names(void)
{
	static const unsigned int counts[] = { 10, 100, 1000, 10000 };
	struct letter letter;
	uint8_t data[64];
	unsigned int have = 0, i;
	struct conn from, to;
	struct talk talk = { &from, &to, &letter };
	char name[64];

	bus_make();
	bus_connect(&from, 64 * KIB, 0, 0);
	memset(data, 1, sizeof(data));
	puts("send, receive, free, 64 bytes by name among so many names");
	for (i = 0; i < ARRAY_SIZE(counts); i++) {
		for (; have < counts[i]; have++) {
			if (have % NAMES_EACH == 0 || have == (i ? counts[i - 1] : 0))
				bus_connect(&to, 64 * KIB, 0, 0);
			snprintf(name, sizeof(name), "org.example.Service%05u",
				 have);
			name_acquire(&to, name);
		}
		/* the last one, whose owner is the last one as well */
		address(&letter, name, data, sizeof(data));
		result(measure(send_recv_free, &talk), "kdbus.scale.names.%u",
		       counts[i]);
	}
}

/* Of /proc/meminfo, in bytes. */
static double meminfo(const char *key)
{
	size_t len = strlen(key);
	double value = -1;
	char line[128];
	FILE *f = fopen("/proc/meminfo", "re");

	while (f && fgets(line, sizeof(line), f))
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			value = atof(line + len + 1) * 1024;
	if (f)
		fclose(f);
	if (value < 0)
		errx(1, "no %s in /proc/meminfo", key);
	return value;
}

/*
 * All that is not free any more, with the descriptor, the inode and the mapping;
 * what the list of connections takes here is touched before.
 */
static void memory(void)
{
	struct conn *conns = calloc(IDLE, sizeof(*conns));
	double free, slab;
	unsigned int i;

	bus_make();
	/* makes room in the table of descriptors */
	must(dup2(0, IDLE + 16));
	for (i = 0; i < IDLE; i++)
		conns[i].fd = -1;
	bus_connect(&conns[0], 64 * KIB, 0, 0);

	puts("bytes of the kernel's memory, not time");
	free = meminfo("MemFree");
	slab = meminfo("Slab");
	for (i = 1; i < IDLE; i++)
		bus_connect(&conns[i], 64 * KIB, 0, 0);
	result((free - meminfo("MemFree")) / (IDLE - 1),
	       "kdbus.memory.conn.%u", IDLE);
	result((meminfo("Slab") - slab) / (IDLE - 1),
	       "kdbus.memory.conn-slab.%u", IDLE);
}

const struct job scale_jobs[] = {
	{ "kdbus.broadcast.1000.0", broadcast_0 },
	{ "kdbus.broadcast.1000.10", broadcast_10 },
	{ "kdbus.scale.conn", among_conns },
	{ "kdbus.scale.names", among_names },
	{ "kdbus.memory", memory },
	{ 0 }
};
