// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-activate - a service that runs only while it is asked
 *
 *   kdbus-activate manage BUS	make /dev/kdbus/BUS, hold the name, and start the service
 *				whenever there are messages for it
 *   kdbus-activate run BUS	the service: answers, and leaves after a second without work
 *
 * Messages for the name wait at its activator while nobody owns it: none is lost, and
 * they arrive in their order. Ask with 'kdbus-ask BUS org.example.Lazy TEXT'.
 */
#include <poll.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

#define NAME	"org.example.Lazy"
#define IDLE_NS	1000000000ULL

static void start(const char *self, const char *bus)
{
	pid_t pid = fork();
	int status;

	if (pid == 0) {
		execlp(self, self, "run", bus, NULL);
		err(1, "%s", self);
	}
	/* not again and again */
	if (pid < 0 || waitpid(pid, &status, 0) < 0 || status != 0)
		errx(1, "%s: the service failed", self);
}

static void manage(const char *self, const char *bus)
{
	struct pollfd fd = { .events = POLLIN };
	struct kdb_conn *conn;

	make_bus(bus);
	must(kdb_open_bus(&conn, NULL, bus, NULL,
			  KDB_OPTIONS(.flags = KDB_OPEN_ACTIVATOR, .holds = NAME)),
	     NAME);
	fd.fd = kdb_fd(conn);
	/* while the service runs, the messages are with it */
	for (;;)
		if (poll(&fd, 1, -1) > 0)
			start(self, bus);
}

static int answer(struct kdb_conn *conn, struct kdb_view *view,
		  struct kdb_msg *reply, void *arg)
{
	const void *data;
	size_t size;

	(void)conn;
	(void)arg;
	must(kdb_view_data(view, &data, &size), "payload");
	must(kdb_msg_put(reply, data, size), "payload");
	return KDB_REPLY;
}

static void run(const char *bus)
{
	struct kdb_conn *conn = connect_to(bus);
	int r;

	printf("starts\n");
	fflush(stdout);
	kdb_set_handler(conn, answer, NULL);
	must(kdb_name_acquire(conn, NAME, 0), NAME);
	do {
		while (must(kdb_process(conn), "request") > 0)
			;
		r = kdb_wait(conn, kdb_deadline(IDLE_NS));
		if (r == -ETIMEDOUT)
			/* fails if a message has come just now */
			r = kdb_bye(conn) == -EBUSY ? 0 : -ETIMEDOUT;
	} while (r != -ETIMEDOUT);
	printf("ends\n");
	kdb_close(conn);
}

int main(int argc, char **argv)
{
	if (argc == 3 && strcmp(argv[1], "manage") == 0)
		manage(argv[0], argv[2]);
	else if (argc == 3 && strcmp(argv[1], "run") == 0)
		run(argv[2]);
	else
		errx(2, "usage: kdbus-activate manage BUS | run BUS");
	return 0;
}
