/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The demonstration: a service and two clients, each a process of its own.
 * kdbus-demo.c lets them talk and shows what each said; demo-measure.c has
 * client A and the service send the same over kdbus and over sockets, and
 * measures.
 */
#ifndef KDBUS_DEMO_H
#define KDBUS_DEMO_H

#include <stdatomic.h>
#include <stdbool.h>
#include <sys/types.h>

#include <kdbus/kdbus.h>

#define KIB		1024UL
#define MIB		(1024UL * 1024UL)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define POOL_SIZE	(8 * MIB)

/* how long to wait for a message before it counts as lost */
#define PATIENCE_NS	20000000000ULL

enum role {
	SERVICE,
	CLIENT_A,
	CLIENT_B,
	N_ROLES
};

/**
 * struct seen - a message as its receiver found it
 * @src:	Sender, from its header, as all but the last three
 * @dst:	Receiver
 * @cookie:	Cookie
 * @cookie_reply: Cookie of the request it answers, 0 if it is none
 * @size:	Bytes of payload
 * @memfd:	Payload came as a memory file
 * @right:	Every byte was right
 */
struct seen {
	__u64 src;
	__u64 dst;
	__u64 cookie;
	__u64 cookie_reply;
	__u64 size;
	bool memfd;
	bool right;
};

/**
 * struct shared - what the processes tell each other outside of the bus
 * @id:		Ids of the connections
 * @pid:	Processes
 * @fd:		Descriptors of the connections, in these processes
 * @sent:	Messages sent in the conversation
 * @n_seen:	Messages received there
 * @measured:	Messages sent and received while measuring
 * @wrong:	Messages with wrong content, everywhere
 * @seen:	The conversation
 */
struct shared {
	__u64 id[N_ROLES];
	pid_t pid[N_ROLES];
	int fd[N_ROLES];
	atomic_uint sent;
	atomic_uint n_seen;
	atomic_ulong measured;
	atomic_uint wrong;
	struct seen seen[64];
};

/**
 * struct sockets - socket pairs between service and client A, in this order
 * @control:	What to do next
 * @seqpacket:	For messages that fit
 * @stream:	For others
 */
struct sockets {
	int control[2];
	int seqpacket[2];
	int stream[2];
};

/* Ends the process with a message if @r is a negative errno. */
int must(int r, const char *what);

/* Waits for a message, with poll(), and receives it. */
struct kdb_view *next_message(struct kdb_conn *conn);

void measure_open(struct sockets *sockets);
void measure_serve(struct kdb_conn *conn, struct shared *shared,
		   const struct sockets *sockets);
void measure(struct kdb_conn *conn, struct shared *shared,
	     const struct sockets *sockets);

#endif
