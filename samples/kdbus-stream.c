// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-stream - many gigabytes through the bus, and through what else there is
 *
 *   kdbus-stream BUS GIGABYTES
 *
 * A sealed file is sent again and again, then as much through a pipe and a socket.
 */
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

#define CHUNK	1048576
#define WINDOW	8	/* between two answers: the queue is not endless */
static uint64_t sum;	/* of what is sent: 0 */

static void add(const uint64_t *words, size_t size)
{
	for (size /= sizeof(*words); size > 0; size--)
		sum += *words++;
}

static int take(struct kdb_conn *conn, struct kdb_view *view, struct kdb_msg *reply,
		void *left)
{
	const void *data;
	size_t size;

	(void)reply;
	must(kdb_view_data(view, &data, &size), "payload");
	add(data, size);
	if (--*(unsigned long *)left == 0)
		kdb_stop(conn);
	return kdb_view_header(view)->flags & KDBUS_MSG_FLAGS_EXPECT_REPLY ?
	       KDB_REPLY : KDB_DONE;
}

static void by_bus(const char *bus, unsigned long n)
{
	struct kdb_conn *from = connect_to(bus), *to = connect_to(bus);
	struct kdb_view *view;
	struct kdb_msg *msg;
	unsigned long i;
	void *data;
	int fd;

	kdb_set_handler(to, take, &n);
	if (fork() == 0)
		exit(must(kdb_serve(to), "serve") || sum);
	fd = must(kdb_file_make(CHUNK, &data), "memory file");
	must(kdb_file_seal(fd, data, CHUNK), "memory file");
	must(kdb_msg_new(from, &msg), "message");
	kdb_msg_to_id(msg, kdb_id(to));
	must(kdb_msg_put_file(msg, fd, CHUNK), "payload");
	for (i = 1; i <= n; show_progress("kdbus", i++, n))
		if (i % WINDOW && i < n) {
			must(kdb_send(msg), "send");
		} else {
			must(kdb_call(msg, KDB_NO_DEADLINE, &view), "call");
			kdb_view_release(view);
		}
	wait(NULL);
}

static void by_files(const char *how, int in, int out, unsigned long n)
{
	static uint64_t chunk[CHUNK / sizeof(uint64_t)];
	unsigned long i;

	if (fork() == 0) {
		close(out);
		for (ssize_t r; (r = read(in, chunk, CHUNK)) > 0;)
			add(chunk, r);
		exit(sum != 0);
	}
	for (i = 1; i <= n; show_progress(how, i++, n))
		if (write(out, chunk, CHUNK) != CHUNK)
			err(1, "%s", how);
	close(out);
	wait(NULL);
}

int main(int argc, char **argv)
{
	unsigned long n = argc == 3 ? strtoul(argv[2], NULL, 0) << 10 : 0;
	int fds[4];

	if (!n)
		errx(2, "usage: kdbus-stream BUS GIGABYTES");
	make_bus(argv[1]);
	by_bus(argv[1], n);
	if (pipe(fds) || socketpair(AF_UNIX, SOCK_STREAM, 0, fds + 2))
		err(1, "pipe and socket");
	by_files("pipe", fds[0], fds[1], n);
	by_files("AF_UNIX", fds[2], fds[3], n);
	return 0;
}
