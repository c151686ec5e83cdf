// SPDX-License-Identifier: GPL-2.0
/*
 * Pipes and AF_UNIX sockets. The server answers with what it received, from the
 * same memory.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <unistd.h>

#include "bench.h"

/* what to do besides */
enum {
	SEQPACKET	= 0,
	STREAM		= 1 << 0,
	CREDS		= 1 << 1,
	POLL		= 1 << 2,
};

/* to read and to write, of the client and of the server */
static int client_fds[2], server_fds[2];
static int fds[2];

static void open_pipes(struct pair *pair)
{
	int to[2], from[2];

	must(pipe(to));
	must(pipe(from));
	if (pair->size > 64 * KIB) {
		must(fcntl(to[0], F_SETPIPE_SZ, (int)MIB));
		must(fcntl(from[0], F_SETPIPE_SZ, (int)MIB));
	}
	client_fds[0] = from[0];
	client_fds[1] = to[1];
	server_fds[0] = to[0];
	server_fds[1] = from[1];
}

static void open_sockets(struct pair *pair)
{
	int variant = pair->way->variant, on = 1, room = 4 * MIB, s[2], i;

	must(socketpair(AF_UNIX, variant & STREAM ? SOCK_STREAM : SOCK_SEQPACKET,
			0, s));
	for (i = 0; i < 2; i++) {
		must(setsockopt(s[i], SOL_SOCKET, SO_SNDBUF, &room,
				sizeof(room)));
		if (variant & CREDS)
			must(setsockopt(s[i], SOL_SOCKET, SO_PASSCRED, &on,
					sizeof(on)));
	}
	client_fds[0] = client_fds[1] = s[0];
	server_fds[0] = server_fds[1] = s[1];
}

static void be_server(struct pair *pair)
{
	(void)pair;
	fds[0] = server_fds[0];
	fds[1] = server_fds[1];
}

static void be_client(struct pair *pair)
{
	(void)pair;
	fds[0] = client_fds[0];
	fds[1] = client_fds[1];
}

static void read_all(struct pair *pair)
{
	size_t done;

	for (done = 0; done < pair->size;)
		done += must(read(fds[0], pair->in + done, pair->size - done));
	touch(pair->in, pair->size);
}

static void write_all(struct pair *pair, const uint8_t *data)
{
	size_t done;

	for (done = 0; done < pair->size;)
		done += must(write(fds[1], data + done, pair->size - done));
}

static void serve_bytes(struct pair *pair)
{
	read_all(pair);
	write_all(pair, pair->in);
}

static void call_bytes(struct pair *pair)
{
	write_all(pair, pair->out);
	read_all(pair);
}

static void recv_packet(struct pair *pair)
{
	char control[CMSG_SPACE(sizeof(struct ucred))];
	struct iovec iov = { pair->in, pair->size };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	struct pollfd pollfd = { .fd = fds[0], .events = POLLIN };
	int variant = pair->way->variant;

	if (variant & POLL)
		must(poll(&pollfd, 1, -1));
	if (!(variant & CREDS)) {
		must(recv(fds[0], pair->in, pair->size, 0));
	} else {
		msg.msg_control = control;
		msg.msg_controllen = sizeof(control);
		must(recvmsg(fds[0], &msg, 0));
		must(CMSG_FIRSTHDR(&msg) ? 0 : -1);
	}
	touch(pair->in, pair->size);
}

static void serve_packet(struct pair *pair)
{
	recv_packet(pair);
	must(send(fds[1], pair->in, pair->size, 0));
}

static void call_packet(struct pair *pair)
{
	must(send(fds[1], pair->out, pair->size, 0));
	recv_packet(pair);
}

#define BYTES(_name, _max, _open, _variant) {				\
	.name = _name, .max = _max, .variant = _variant, .prepare = _open,		\
	.server = be_server, .serve = serve_bytes,			\
	.client = be_client, .call = call_bytes }
#define PACKET(_name, _max, _variant) {					\
	.name = _name, .max = _max, .variant = _variant, .prepare = open_sockets,	\
	.server = be_server, .serve = serve_packet,			\
	.client = be_client, .call = call_packet }

/* The longest packet is 17 fragments of 32 KiB. */
const struct way unix_ways[] = {
	BYTES("pipe.call", 2 * MIB, open_pipes, 0),
	PACKET("unix.call", 512 * KIB, SEQPACKET),
	PACKET("unix.creds.call", 512 * KIB, CREDS),
	PACKET("unix.poll.call", 8 * KIB, POLL),
	PACKET("unix.poll-creds.call", 64, POLL | CREDS),
	BYTES("unix.stream.call", 2 * MIB, open_sockets, STREAM),
	{ 0 }
};
