// SPDX-License-Identifier: GPL-2.0
/* What single commands of kdbus cost, to a process that talks to itself. */
#include <err.h>
#include <stdio.h>
#include <string.h>

#include "kdbus.h"

/* As many messages as may wait in a queue before anybody is counted. */
#define BURST	16

struct step {
	double send, recv, free;
};

/* One burst: sent, received, freed. */
static struct step burst(const struct conn *from, const struct conn *to,
			 struct letter *letter)
{
	uint64_t t[4], offsets[BURST];
	unsigned int i;

	t[0] = now();
	for (i = 0; i < BURST; i++)
		kdbus_send(from, letter);
	t[1] = now();
	for (i = 0; i < BURST; i++)
		offsets[i] = kdbus_recv(to);
	t[2] = now();
	for (i = 0; i < BURST; i++)
		kdbus_free(to, offsets[i]);
	t[3] = now();

	return (struct step){
		.send = (double)(t[1] - t[0]) / BURST,
		.recv = (double)(t[2] - t[1]) / BURST,
		.free = (double)(t[3] - t[2]) / BURST,
	};
}

static void commands(void)
{
	unsigned int n = 8 * options->batches, i;
	double send[n], recv[n], free[n];
	struct conn from, to;
	struct letter letter;
	uint8_t data[64];

	bus_make();
	bus_connect(&from, POOL_SIZE, 0, 0);
	bus_connect(&to, POOL_SIZE, 0, 0);
	memset(data, 1, sizeof(data));
	letter_vec(&letter, data, sizeof(data));
	letter.msg.dst_id = to.id;

	puts("64 bytes by id; send, receive, free");
	for (i = 0; i < n; i++) {
		struct step s = burst(&from, &to, &letter);

		send[i] = s.send;
		recv[i] = s.recv;
		free[i] = s.free;
	}
	result(median(send, n), "kdbus.send");
	result(median(recv, n), "kdbus.recv");
	result(median(free, n), "kdbus.free");
}

static void come_and_go(void *arg)
{
	struct conn *conn = arg;

	bus_connect(conn, POOL_SIZE, 0, 0);
	bus_leave(conn);
}

static void open_and_close(void)
{
	unsigned int n = 2 * options->batches, i, j;
	double open[n], close[n];
	struct conn conns[BURST];
	uint64_t t[3];

	bus_make();
	puts("open, HELLO, mmap; then munmap, close");
	if (options->forever)
		forever(come_and_go, conns);
	for (i = 0; i < n; i++) {
		t[0] = now();
		for (j = 0; j < BURST; j++)
			bus_connect(&conns[j], POOL_SIZE, 0, 0);
		t[1] = now();
		for (j = 0; j < BURST; j++)
			bus_leave(&conns[j]);
		t[2] = now();
		open[i] = (double)(t[1] - t[0]) / BURST;
		close[i] = (double)(t[2] - t[1]) / BURST;
	}
	result(median(open, n), "kdbus.open");
	result(median(close, n), "kdbus.close");
}

const struct job kdbus_jobs[] = {
	{ "kdbus.send", commands },
	{ "kdbus.open", open_and_close },
	{ 0 }
};
