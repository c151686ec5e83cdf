// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-echo - the smallest service and its client
 *
 *   kdbus-echo serve BUS	make /dev/kdbus/BUS and answer what comes there
 *   kdbus-echo ask BUS ID TEXT	send TEXT to connection ID, print the answer
 *
 * BUS begins with the uid of its maker: 1000-echo. The service has no name to
 * find it by, so it prints its id.
 */
#include "sample.h"

/* Prints a message. */
static void show(struct kdb_view *view, const void **data, size_t *size)
{
	must(kdb_view_data(view, data, size), "payload");
	printf("%llu: %.*s\n", kdb_view_header(view)->src_id, (int)*size,
	       *size ? (const char *)*data : "");
	fflush(stdout);
}

/* The answer is what was asked: it is copied before the question is freed. */
static int echo(struct kdb_conn *conn, struct kdb_view *view,
		struct kdb_msg *reply, void *arg)
{
	const void *data;
	size_t size;

	(void)conn;
	(void)arg;
	show(view, &data, &size);
	must(kdb_msg_put(reply, data, size), "payload");
	return KDB_REPLY;
}

static void serve(const char *bus)
{
	struct kdb_conn *conn;

	make_bus(bus);
	conn = connect_to(bus);
	printf("id %llu\n", (unsigned long long)kdb_id(conn));
	fflush(stdout);

	kdb_set_handler(conn, echo, NULL);
	must(kdb_serve(conn), "serve");
}

static void ask(const char *bus, uint64_t id, const char *text)
{
	struct kdb_conn *conn;
	struct kdb_view *view;
	struct kdb_msg *msg;
	const void *data;
	size_t size;

	conn = connect_to(bus);
	must(kdb_msg_new(conn, &msg), "message");
	kdb_msg_to_id(msg, id);
	must(kdb_msg_put(msg, text, strlen(text)), "payload");
	must(kdb_call(msg, kdb_deadline(PATIENCE_NS), &view), "call");
	show(view, &data, &size);
	kdb_view_release(view);
	kdb_msg_free(msg);
	kdb_close(conn);
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
