// SPDX-License-Identifier: GPL-2.0
/*
 * Calls by the library, as a program makes them: for each call the message is made
 * anew, and a service is a handler.
 *
 * kdbus.lib.call      what kdbus.call does
 * kdbus.lib.ext.call  what kdbus.ext.call does
 */
#include <err.h>
#include <errno.h>
#include <string.h>

#include <kdbus/kdbus.h>

#include "kdbus.h"

static struct kdb_conn *self;
static struct kdb_msg *msg;
static uint64_t server, deadline;

static void check(int r, const char *what)
{
	if (r < 0) {
		errno = -r;
		err(1, "%s", what);
	}
}

static void make_bus(struct pair *pair)
{
	(void)pair;
	bus_make();
}

static void join(struct pair *pair)
{
	check(kdb_open_path(&self, bus_path,
			    KDB_OPTIONS(.flags = pair->way->variant,
					.pool_size = POOL_SIZE)), "open");
}

static void look(struct kdb_view *view)
{
	const void *data;
	size_t size;

	check(kdb_view_data(view, &data, &size), "payload");
	touch(data, size);
}

static int answer(struct kdb_conn *conn, struct kdb_view *view,
		  struct kdb_msg *reply, void *arg)
{
	struct pair *pair = arg;

	(void)conn;
	look(view);
	check(kdb_msg_put(reply, pair->out, pair->size), "put");
	return KDB_REPLY;
}

static void be_server(struct pair *pair)
{
	join(pair);
	kdb_set_handler(self, answer, pair);
	*pair->server = kdb_id(self);
}

static void serve(struct pair *pair)
{
	(void)pair;
	check(kdb_serve(self), "serve");
}

static void be_client(struct pair *pair)
{
	join(pair);
	check(kdb_msg_new(self, &msg), "message");
	server = *pair->server;
	deadline = kdb_deadline(3600 * 1000000000ULL);
	if (!pair->way->variant && !(kdb_features(self) & KDB_FEATURE_TURN))
		not_offered("not offered: the kernel does not know the flags");
}

static void call(struct pair *pair)
{
	struct kdb_view *view;

	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, server);
	check(kdb_msg_put(msg, pair->out, pair->size), "put");
	check(kdb_call(msg, deadline, &view), "call");
	look(view);
	check(kdb_view_release(view), "release");
}

#define WAY(_name, _max, _variant) {					\
	.name = _name, .max = _max, .variant = _variant,		\
	.prepare = make_bus, .server = be_server, .serve = serve,	\
	.client = be_client, .call = call }

const struct way lib_ways[] = {
	WAY("kdbus.lib.call", 2 * MIB, KDB_OPEN_V1),
	WAY("kdbus.lib.ext.call", 2 * MIB, 0),
	{ 0 }
};
