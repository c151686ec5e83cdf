// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-broadcast - news by topic
 *
 *   kdbus-broadcast tell BUS		make /dev/kdbus/BUS; broadcast each line of the
 *					input, the first word of which is its topic
 *   kdbus-broadcast hear BUS TOPIC [N]	print what is said about TOPIC, N times
 *
 * A match is a bloom filter: the kernel does not wake a listener for other topics,
 * but for a few whose hashes happen to be the same. So the listener compares.
 */
#include "sample.h"

static const char *topic;
static unsigned long left;

static int hear_one(struct kdb_conn *conn, struct kdb_view *view,
		    struct kdb_msg *reply, void *arg)
{
	size_t size, len = strlen(topic);
	const void *data;

	(void)reply;
	(void)arg;
	must(kdb_view_data(view, &data, &size), "payload");
	if (size <= len || memcmp(data, topic, len) || ((char *)data)[len] != ' ')
		return KDB_DONE;

	printf("%.*s\n", (int)(size - len - 1), (const char *)data + len + 1);
	fflush(stdout);
	if (--left == 0)
		kdb_stop(conn);
	return KDB_DONE;
}

static void hear(const char *bus)
{
	struct kdb_conn *conn = connect_to(bus);
	struct kdb_match *match;

	must(kdb_match_new(conn, &match), "match");
	must(kdb_match_string(match, topic), topic);
	must(kdb_match_add(match, NULL), topic);
	kdb_match_free(match);

	kdb_set_handler(conn, hear_one, NULL);
	must(kdb_serve(conn), "serve");
	kdb_close(conn);
}

static void tell_one(struct kdb_msg *msg, char *line)
{
	char *end = strchr(line, ' ');

	if (!end)
		return;
	kdb_msg_reset(msg);
	must(kdb_msg_to_all(msg), "broadcast");
	*end = 0;
	must(kdb_msg_tell(msg, line), line);
	*end = ' ';
	must(kdb_msg_put(msg, line, strlen(line)), "payload");
	/* nobody need listen, and nobody is waited for */
	must(kdb_send(msg), "send");
}

static void tell(const char *bus)
{
	struct kdb_conn *conn;
	struct kdb_msg *msg;
	char *line = NULL;
	size_t size = 0;

	make_bus(bus);
	conn = connect_to(bus);
	must(kdb_msg_new(conn, &msg), "message");
	while (getline(&line, &size, stdin) > 0) {
		line[strcspn(line, "\n")] = 0;
		tell_one(msg, line);
	}
	free(line);
	kdb_msg_free(msg);
	kdb_close(conn);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "tell") == 0) {
		tell(argv[2]);
	} else if ((argc == 4 || argc == 5) && strcmp(argv[1], "hear") == 0) {
		topic = argv[3];
		left = argc == 5 ? strtoul(argv[4], NULL, 0) : 0;
		hear(argv[2]);
	} else {
		errx(2, "usage: kdbus-broadcast tell BUS | hear BUS TOPIC [N]");
	}
	return 0;
}
