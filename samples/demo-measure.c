// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <math.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kdbus-demo.h"

#define MAX_SIZE	(4 * MIB)
#define REPEATS		5
#define MAX_ROUNDS	4096
/* least time for one repeat of one way */
#define BUDGET_NS	30000000.0

/* A payload carries a number this often, so that no page of it can be stale. */
#define STAMP_STEP	4096

/* number in a payload that is sealed and sent again and again */
#define SEALED		0x5ea1ed

enum way {
	KDBUS_VEC,
	KDBUS_MEMFD,
	UNIX_SEQPACKET,
	UNIX_STREAM,
	UNIX_FD,
};

static const char *const way_names[] = {
	[KDBUS_VEC]		= "vec",
	[KDBUS_MEMFD]		= "memfd",
	[UNIX_SEQPACKET]	= "SEQPACKET",
	[UNIX_STREAM]		= "STREAM",
	[UNIX_FD]		= "SCM_RIGHTS",
};

/* one of the two processes */
struct end {
	struct kdb_conn *conn;
	struct kdb_msg *msg;
	struct shared *shared;
	__u64 other;
	int control;
	int seqpacket;
	int stream;
	__u8 *out;
	__u8 *in;
	int memfd;
};

/* what the service is told to answer; no rounds: the end */
struct order {
	enum way way;
	size_t size;
	unsigned int rounds;
};

/* what an end has used */
struct usage {
	long switches;
	__s64 copied;
};

struct result {
	double us;
	double switches;
	double copied;
	unsigned long messages;
};

static bool in_memfd(enum way way)
{
	return way == KDBUS_MEMFD || way == UNIX_FD;
}

static void put_stamps(__u8 *data, size_t size, __u64 number)
{
	size_t pos;

	for (pos = 0; pos < size; pos += STAMP_STEP)
		memcpy(data + pos, &number, sizeof(number));
	memcpy(data + size - sizeof(number), &number, sizeof(number));
}

static void check_stamps(const struct end *end, const __u8 *data,
			 size_t size, __u64 number)
{
	bool right;
	size_t pos;

	right = memcmp(data + size - sizeof(number), &number,
		       sizeof(number)) == 0;
	for (pos = 0; pos < size; pos += STAMP_STEP)
		right &= memcmp(data + pos, &number, sizeof(number)) == 0;
	if (!right)
		atomic_fetch_add(&end->shared->wrong, 1);
}

static int errno_of(ssize_t n)
{
	return n < 0 ? -errno : 0;
}

static void send_fd(int sock, int fd, __u64 number)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control = { 0 };
	struct iovec iov = { .iov_base = &number, .iov_len = sizeof(number) };
	struct msghdr msg = {
		.msg_iov	= &iov,
		.msg_iovlen	= 1,
		.msg_control	= control.buf,
		.msg_controllen	= sizeof(control.buf),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(int));
	must(errno_of(sendmsg(sock, &msg, 0)), "sendmsg");
}

static int recv_fd(int sock, __u64 *number)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} control;
	struct iovec iov = { .iov_base = number, .iov_len = sizeof(*number) };
	struct msghdr msg = {
		.msg_iov	= &iov,
		.msg_iovlen	= 1,
		.msg_control	= control.buf,
		.msg_controllen	= sizeof(control.buf),
	};
	int fd;

	must(errno_of(recvmsg(sock, &msg, MSG_CMSG_CLOEXEC)), "recvmsg");
	if (!CMSG_FIRSTHDR(&msg))
		errx(1, "recvmsg: no descriptor came");
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(int));
	return fd;
}

static void send_stream(int sock, const __u8 *data, size_t size)
{
	ssize_t n;

	for (; size > 0; data += n, size -= n) {
		n = send(sock, data, size, 0);
		must(errno_of(n), "send");
	}
}

static void recv_stream(int sock, __u8 *data, size_t size)
{
	ssize_t n;

	for (; size > 0; data += n, size -= n) {
		n = recv(sock, data, size, 0);
		must(n ? errno_of(n) : -EPIPE, "recv");
	}
}

static void send_kdbus(struct end *end, const struct order *o, __u64 number)
{
	struct kdb_msg *msg = end->msg;

	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, end->other);
	must(kdb_msg_set_cookie(msg, number), "cookie");
	if (o->way == KDBUS_MEMFD)
		must(kdb_msg_put_file(msg, end->memfd, o->size), "payload");
	else
		must(kdb_msg_put(msg, end->out, o->size), "payload");
	must(kdb_send(msg), "send");
}

static void send_one(struct end *end, const struct order *o, __u64 number)
{
	if (!in_memfd(o->way))
		put_stamps(end->out, o->size, number);

	switch (o->way) {
	case KDBUS_VEC:
	case KDBUS_MEMFD:
		send_kdbus(end, o, number);
		break;
	case UNIX_SEQPACKET:
		must(errno_of(send(end->seqpacket, end->out, o->size, 0)),
		     "send");
		break;
	case UNIX_STREAM:
		send_stream(end->stream, end->out, o->size);
		break;
	case UNIX_FD:
		send_fd(end->seqpacket, end->memfd, number);
		break;
	}
}

static void recv_kdbus(struct end *end, const struct order *o, __u64 number)
{
	struct kdb_view *view = next_message(end->conn);
	const void *data;
	size_t size;

	must(kdb_view_data(view, &data, &size), "payload");
	if (kdb_view_header(view)->cookie != number || size != o->size)
		errx(1, "not the message that was expected");
	check_stamps(end, data, size, in_memfd(o->way) ? SEALED : number);
	must(kdb_view_release(view), "release");
}

static void recv_mapped(struct end *end, const struct order *o,
			__u64 expected)
{
	__u64 number = 0;
	__u8 *data;
	int fd;

	fd = recv_fd(end->seqpacket, &number);
	if (number != expected)
		errx(1, "not the message that was expected");

	data = mmap(NULL, o->size, PROT_READ, MAP_PRIVATE, fd, 0);
	if (data == MAP_FAILED)
		err(1, "mmap");
	check_stamps(end, data, o->size, SEALED);
	munmap(data, o->size);
	close(fd);
}

static void recv_one(struct end *end, const struct order *o, __u64 number)
{
	ssize_t n;

	switch (o->way) {
	case KDBUS_VEC:
	case KDBUS_MEMFD:
		recv_kdbus(end, o, number);
		break;
	case UNIX_SEQPACKET:
		n = recv(end->seqpacket, end->in, o->size, 0);
		must(errno_of(n), "recv");
		if ((size_t)n != o->size)
			errx(1, "recv: short message");
		check_stamps(end, end->in, o->size, number);
		break;
	case UNIX_STREAM:
		recv_stream(end->stream, end->in, o->size);
		check_stamps(end, end->in, o->size, number);
		break;
	case UNIX_FD:
		recv_mapped(end, o, number);
		break;
	}
	atomic_fetch_add(&end->shared->measured, 1);
}

static struct usage usage_now(const struct end *end)
{
	struct kdb_usage usage;
	struct rusage ru;

	getrusage(RUSAGE_SELF, &ru);
	must(kdb_get_usage(end->conn, &usage), "fdinfo");
	return (struct usage) {
		.switches	= ru.ru_nvcsw + ru.ru_nivcsw,
		.copied		= usage.copied,
	};
}

static struct usage usage_since(const struct end *end,
				const struct usage *before)
{
	struct usage now = usage_now(end);

	now.switches -= before->switches;
	now.copied -= before->copied;
	return now;
}

/* Filled and sealed once, before any clock runs; there is only one size. */
static void prepare(struct end *end, const struct order *o)
{
	void *data;

	if (!in_memfd(o->way) || end->memfd >= 0)
		return;

	end->memfd = must(kdb_file_make(o->size, &data), "memory file");
	put_stamps(data, o->size, SEALED);
	must(kdb_file_seal(end->memfd, data, o->size), "memory file");
}

/*
 * Both ends on one processor: they take turns anyway, and how soon another
 * processor wakes up is not what is to be measured.
 */
static void pin(void)
{
	cpu_set_t all, one;
	int cpu = 0;

	if (sched_getaffinity(0, sizeof(all), &all) < 0)
		err(1, "sched_getaffinity");
	while (!CPU_ISSET(cpu, &all))
		cpu++;
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	if (sched_setaffinity(0, sizeof(one), &one) < 0)
		err(1, "sched_setaffinity");
}

static __u8 *buffer(void)
{
	__u8 *buf = malloc(MAX_SIZE);

	if (!buf)
		err(1, "malloc");
	/* have the pages before anything is measured */
	memset(buf, 1, MAX_SIZE);
	return buf;
}

static void end_init(struct end *end, struct kdb_conn *conn,
		     struct shared *shared, const struct sockets *sockets,
		     enum role role)
{
	int i = role == SERVICE ? 0 : 1;

	*end = (struct end) {
		.conn		= conn,
		.shared		= shared,
		.other		= shared->id[i ? SERVICE : CLIENT_A],
		.control	= sockets->control[i],
		.seqpacket	= sockets->seqpacket[i],
		.stream		= sockets->stream[i],
		.out		= buffer(),
		.in		= buffer(),
		.memfd		= -1,
	};
	must(kdb_msg_new(conn, &end->msg), "message");
	pin();
}

void measure_open(struct sockets *sockets)
{
	int r = 0;

	r |= socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets->control);
	r |= socketpair(AF_UNIX, SOCK_SEQPACKET, 0, sockets->seqpacket);
	r |= socketpair(AF_UNIX, SOCK_STREAM, 0, sockets->stream);
	if (r)
		err(1, "socketpair");
}

/* Answers what client A asks for, until it has had enough. */
void measure_serve(struct kdb_conn *conn, struct shared *shared,
		   const struct sockets *sockets)
{
	struct usage usage;
	struct order order;
	unsigned int i;
	struct end end;

	end_init(&end, conn, shared, sockets, SERVICE);
	while (recv(end.control, &order, sizeof(order), 0) == sizeof(order) &&
	       order.rounds > 0) {
		prepare(&end, &order);
		usage = usage_now(&end);
		/* ready */
		must(errno_of(send(end.control, "", 1, 0)), "send");

		for (i = 1; i <= order.rounds; i++) {
			recv_one(&end, &order, i);
			send_one(&end, &order, ~(__u64)i);
		}

		usage = usage_since(&end, &usage);
		must(errno_of(send(end.control, &usage, sizeof(usage), 0)),
		     "send");
	}
}

static double now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e9 + ts.tv_nsec;
}

/* Does what @order says, adds to @result, returns nanoseconds per round. */
static double run(struct end *end, const struct order *order,
		  struct result *result)
{
	struct usage mine, theirs;
	double start, ns;
	unsigned int i;
	char ready;

	prepare(end, order);
	must(errno_of(send(end->control, order, sizeof(*order), 0)), "send");
	must(errno_of(recv(end->control, &ready, 1, 0)), "recv");

	mine = usage_now(end);
	start = now_ns();
	for (i = 1; i <= order->rounds; i++) {
		send_one(end, order, i);
		recv_one(end, order, ~(__u64)i);
	}
	ns = now_ns() - start;
	mine = usage_since(end, &mine);

	if (recv(end->control, &theirs, sizeof(theirs), 0) != sizeof(theirs))
		errx(1, "the service is gone");
	result->switches += mine.switches + theirs.switches;
	result->copied += mine.copied + theirs.copied;
	result->messages += 2UL * order->rounds;
	return ns / order->rounds;
}

/* How many rounds the budget asks for; finding out warms everything up. */
static unsigned int rounds_for(struct end *end, struct order order)
{
	struct result ignored = { 0 };
	double ns;

	for (order.rounds = 1; order.rounds < MAX_ROUNDS; order.rounds *= 2) {
		ns = run(end, &order, &ignored) * order.rounds;
		if (ns >= BUDGET_NS)
			break;
	}
	return order.rounds;
}

static void print_size(size_t size)
{
	if (size >= MIB)
		printf("%4zu MiB", size / MIB);
	else if (size >= KIB)
		printf("%4zu KiB", size / KIB);
	else
		printf("%6zu B", size);
}

static double min(double a, double b)
{
	return a < b ? a : b;
}

/*
 * The two take turns, so that a disturbance of the machine hits both, and the
 * best of all turns counts: what disturbs only ever adds.
 */
static void compare(struct end *end, size_t size, enum way kdbus, enum way sock)
{
	struct order orders[] = {
		{ .way = kdbus, .size = size },
		{ .way = sock, .size = size },
	};
	struct result r[] = { { .us = INFINITY }, { .us = INFINITY } };
	int i, rep;

	for (i = 0; i < 2; i++)
		orders[i].rounds = rounds_for(end, orders[i]);
	for (rep = 0; rep < REPEATS; rep++)
		for (i = 0; i < 2; i++)
			r[i].us = min(r[i].us,
				      run(end, &orders[i], &r[i]) / 2000);

	print_size(size);
	printf("  %-5s %9.0f %9.2f %9.1f   %-10s %9.2f %9.1f  %8.2f\n",
	       way_names[kdbus], r[0].copied / r[0].messages,
	       r[0].switches / r[0].messages, r[0].us,
	       way_names[sock], r[1].switches / r[1].messages,
	       r[1].us, r[0].us / r[1].us);
	fflush(stdout);
}

/* A message must fit in the buffer of its socket, with some bookkeeping. */
static enum way socket_way(const struct end *end, size_t size)
{
	socklen_t len = sizeof(int);
	int buf = 0;

	getsockopt(end->seqpacket, SOL_SOCKET, SO_SNDBUF, &buf, &len);
	return size + 1024 > (size_t)buf ? UNIX_STREAM : UNIX_SEQPACKET;
}

/* Has the service answer, every way and size, and prints what it takes. */
void measure(struct kdb_conn *conn, struct shared *shared,
	     const struct sockets *sockets)
{
	static const size_t sizes[] = { 64, 8 * KIB, 64 * KIB, 512 * KIB };
	const struct order end_order = { .rounds = 0 };
	struct end end;
	size_t i;

	end_init(&end, conn, shared, sockets, CLIENT_A);

	printf("%9s %s   %s   kdbus to\n", "",
	       "------------- kdbus ---------------",
	       "---------- AF_UNIX -----------");
	printf("    size  %-5s %9s %9s %9s   %-10s %9s %9s   AF_UNIX\n", "kind",
	       "copied", "switches", "time us", "kind", "switches", "time us");
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		compare(&end, sizes[i], KDBUS_VEC, socket_way(&end, sizes[i]));
	compare(&end, MAX_SIZE, KDBUS_MEMFD, UNIX_STREAM);
	compare(&end, MAX_SIZE, KDBUS_MEMFD, UNIX_FD);

	must(errno_of(send(end.control, &end_order, sizeof(end_order), 0)),
	     "send");
}
