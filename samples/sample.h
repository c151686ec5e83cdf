/* SPDX-License-Identifier: GPL-2.0 */
/* What the samples share: they end with a reason when something fails. */
#ifndef KDBUS_SAMPLE_H
#define KDBUS_SAMPLE_H

#include <err.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <kdbus/kdbus.h>

#define PATIENCE_NS	25000000000ULL

static inline int must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
	return r;
}

/* A bus for everybody, which lives as long as the program. */
static inline void make_bus(const char *bus)
{
	const struct kdb_bus_options options = {
		.size	= sizeof(options),
		.flags	= KDBUS_MAKE_ACCESS_WORLD,
	};

	must(kdb_bus_make(NULL, bus, &options), bus);
}

/* BUS, or "user": what DBUS_SESSION_BUS_ADDRESS says, or the bus of the user. */
static inline struct kdb_conn *connect_to(const char *bus)
{
	struct kdb_conn *conn;

	if (strcmp(bus, "user") == 0)
		must(kdb_open_user(&conn, NULL), "DBUS_SESSION_BUS_ADDRESS");
	else
		must(kdb_open_bus(&conn, NULL, bus, NULL, NULL), bus);
	return conn;
}

/* A message to NAME that says TEXT, which has to stay. */
static inline struct kdb_msg *message_to(struct kdb_conn *conn, const char *name,
					 const char *text)
{
	struct kdb_msg *msg;

	must(kdb_msg_new(conn, &msg), "message");
	must(kdb_msg_to_name(msg, name), name);
	must(kdb_msg_put(msg, text, strlen(text)), "payload");
	return msg;
}

static inline void print_payload(struct kdb_view *view)
{
	const void *data;
	size_t size;

	must(kdb_view_data(view, &data, &size), "payload");
	printf("%.*s\n", (int)size, size ? (const char *)data : "");
	fflush(stdout);
}

/* Mebibytes so far, and how many a second; begins with the first. */
static inline void show_progress(const char *how, unsigned long i, unsigned long n)
{
	static struct timespec begin;
	struct timespec now;
	double s;

	clock_gettime(CLOCK_MONOTONIC, &now);
	if (i <= 8)
		begin = now;
	s = now.tv_sec - begin.tv_sec + (now.tv_nsec - begin.tv_nsec) / 1e9;
	if (i == n || i % 128 == 0)
		fprintf(stderr, "\r%-8s %3lu %% %8.0f MiB/s%s", how, i * 100 / n,
			s > 0 ? i / s : 0, i == n ? "\n" : "");
}

#endif
