// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-echo - the smallest service and its client
 *
 *   kdbus-echo serve BUS	make /dev/kdbus/BUS and answer what comes there
 *   kdbus-echo ask BUS ID TEXT	send TEXT to connection ID, print the answer
 *
 * BUS begins with the uid of who makes it: 1000-echo. The service has no name to
 * find it by, so it prints its id.
 */
#include <err.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kdbus-util.h"

#define POOL_SIZE	MIB

static int must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
	return r;
}

static void connect_to(struct peer *peer, const char *bus)
{
	char path[128];

	snprintf(path, sizeof(path), "/dev/kdbus/%s/bus", bus);
	must(peer_connect(peer, path, POOL_SIZE, 0), path);
}

/* Prints a message. */
static void show(const struct kdbus_msg *msg, struct payload *payload)
{
	must(payload_open(payload, msg), "payload");
	printf("%llu: %.*s\n", msg->src_id, (int)payload->size,
	       payload->data ? (const char *)payload->data : "");
	fflush(stdout);
}

static void serve(const char *bus)
{
	const struct kdbus_msg *msg, *next;
	struct payload payload;
	struct peer peer;
	int r;

	must(bus_make("/dev/kdbus/control", bus, KDBUS_MAKE_ACCESS_WORLD), bus);
	connect_to(&peer, bus);
	printf("id %llu\n", peer.id);
	fflush(stdout);

	/* one system call for each request, which answers the one before */
	r = peer_recv_first(&peer, &msg);
	while (r == 0) {
		show(msg, &payload);
		next = msg;
		r = peer_answer(&peer, &next, payload.data, payload.size);
		payload_close(&payload);
		if (r < 0 && r != -EINTR) {
			/* whoever asked is gone */
			must(peer_free(&peer, msg), "FREE");
			r = peer_recv_first(&peer, &next);
		}
		msg = next;
	}
	must(r, "MSG_SEND");
}

static void ask(const char *bus, __u64 id, const char *text)
{
	const struct envelope to = { .dst_id = id, .cookie = 1 };
	const struct kdbus_msg *msg;
	struct payload payload;
	struct peer peer;

	connect_to(&peer, bus);
	must(peer_send(&peer, &to, text, strlen(text)), "MSG_SEND");
	must(peer_wait(&peer, -1), "poll");
	must(peer_recv(&peer, &msg), "MSG_RECV");
	show(msg, &payload);
	payload_close(&payload);
	must(peer_free(&peer, msg), "FREE");
	peer_disconnect(&peer);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "serve") == 0)
		serve(argv[2]);
	else if (argc == 5 && strcmp(argv[1], "ask") == 0)
		ask(argv[2], strtoull(argv[3], NULL, 0), argv[4]);
	else
		errx(2, "usage: kdbus-echo serve BUS | ask BUS ID TEXT");
	return 0;
}
