// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors in messages */

#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cast.h"

#define POOL	(256 * KIB)

static struct bus bus;
static struct conn a, b;	/* only b takes descriptors */

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	kt_assert_ret(conn_try_open(&b, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO");
}

static int send_fds(u64 dst, const int *fds, unsigned int n)
{
	struct blob m;

	msg_init(&m, dst, n);
	msg_fds(&m, fds, n);
	return conn_send(&a, &m);
}

static int send_fd(int fd)
{
	return send_fds(b.id, &fd, 1);
}

static void check_accepted(int fd, const char *what)
{
	struct stat st, got;
	const struct kdbus_msg *m;
	u64 off;

	kt_assert(fd >= 0, "%s: %m", what);
	if (!kt_check_ret(send_fd(fd), 0, "%s", what))
		return;
	m = conn_recv_msg(&b, &off);
	kt_assert(m->items[0].type == KDBUS_ITEM_FDS &&
		  m->items[0].size == HDR + 4, "%s: no descriptor", what);
	kt_check(!fstat(fd, &st) && !fstat(m->items[0].fds[0], &got) &&
		 st.st_ino == got.st_ino, "%s: another file", what);
	close(m->items[0].fds[0]);
	kt_assert_ret(conn_free(&b, off), 0, "free");
}

static void check_refused(int fd, const char *what)
{
	kt_assert(fd >= 0, "%s: %m", what);
	kt_check_ret(send_fd(fd), -EOPNOTSUPP, "%s", what);
	expect_empty(&b);
}

START_TEST(accepted)
{
	char path[200];
	int p[2], fd;

	prepare();
	kt_assert(!pipe(p), "pipe: %m");
	check_accepted(p[0], "read end of a pipe");
	check_accepted(p[1], "write end of a pipe");
	check_accepted(open("/dev/null", O_RDONLY), "/dev/null");
	check_accepted(open("/", O_RDONLY | O_DIRECTORY), "a directory");
	check_accepted(open("/proc/self/status", O_RDONLY), "a file of proc");
	check_accepted(eventfd(0, 0), "an eventfd");
	check_accepted(epoll_create1(0), "an epoll set");
	fd = open("/dev/loop-control", O_RDWR);
	if (fd < 0)
		fd = open("/dev/uinput", O_RDWR);
	if (fd < 0)
		fd = open("/dev/cpu_dma_latency", O_RDWR);
	if (fd >= 0)
		check_accepted(fd, "another misc device");
	else
		kt_note("no misc device to send");
	check_accepted(kt_memfd(10, 0, 1), "a memfd");
	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	check_accepted(open(path, O_PATH), "O_PATH of a control node");
	check_accepted(open(bus.path, O_PATH), "O_PATH of an endpoint");
	p[0] = socket(AF_INET, SOCK_DGRAM, 0);
	if (p[0] >= 0)
		check_accepted(p[0], "an internet socket");
}
END_TEST

static int binder_open(const char *path)
{
	return open(path, O_RDWR | O_CLOEXEC);
}

/* its nodes have a file system of their own, or any place, number and name */
static void check_binder(void)
{
	char dir[64], path[96];
	struct stat st;
	int fd;

	fd = open("/lib/binder_linux.ko", O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && syscall(SYS_finit_module, fd, "", 0))
		kt_assert(errno == EEXIST, "load binder_linux: %m");
	close(fd);
	snprintf(dir, sizeof(dir), "/tmp/kt-binder-%d", getpid());
	kt_assert(!mkdir(dir, 0755), "mkdir: %m");
	if (!mount("binder", dir, "binder", 0, NULL)) {
		snprintf(path, sizeof(path), "%s/binder", dir);
		check_refused(binder_open(path), "binder, in binderfs");
		umount2(dir, MNT_DETACH);
	} else {
		kt_note("no binderfs: %s", strerror(errno));
	}
	if (!stat("/dev/binder", &st)) {
		check_refused(binder_open("/dev/binder"), "binder");
		snprintf(path, sizeof(path), "%s/tty", dir);
		kt_assert(!mknod(path, S_IFCHR | 0600, st.st_rdev),
			  "mknod: %m");
		check_refused(binder_open(path), "binder, by another name");
		unlink(path);
	} else {
		kt_note("no binder device: %s", strerror(errno));
	}
	rmdir(dir);
}

START_TEST(refused)
{
	static const struct {
		int type;
		const char *name;
	} types[] = {
		{ SOCK_STREAM, "a stream socket" },
		{ SOCK_DGRAM, "a datagram socket" },
		{ SOCK_SEQPACKET, "a packet socket" },
	};
	struct conn gone, mon;
	char params[128] = { 0 };
	size_t i;
	int p[2];

	prepare();
	check_refused(open_control(), "a control handle");
	check_refused(bus.fd, "a bus owner");
	check_refused(open_endpoint(&bus), "an endpoint handle");
	check_refused(a.fd, "the sender");
	check_refused(b.fd, "the receiver");
	conn_open(&gone, &bus, 4096);
	kt_assert_ret(conn_byebye(&gone), 0, "BYEBYE");
	check_refused(gone.fd, "a connection that left");
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       POOL), 0, "HELLO of a monitor");
	check_refused(mon.fd, "a monitor");
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		kt_assert(!socketpair(AF_UNIX, types[i].type, 0, p),
			  "socketpair: %m");
		check_refused(p[0], types[i].name);
	}
	check_refused(socket(AF_UNIX, SOCK_STREAM, 0), "an unbound socket");
	p[0] = syscall(SYS_io_uring_setup, 4, params);
	if (p[0] >= 0)
		check_refused(p[0], "an io_uring");
	else
		kt_note("no io_uring: %s", strerror(errno));
	check_binder();
}
END_TEST

START_TEST(errors)
{
	int fds[254], i;
	struct blob m;

	prepare();
	for (i = 0; i < 254; i++)
		fds[i] = 0;
	kt_check_ret(send_fds(b.id, fds, 254), -EMFILE, "254");
	fds[0] = -1;
	kt_check_ret(send_fds(b.id, fds, 254), -EMFILE, "254, one negative");
	kt_check_ret(send_fds(b.id, fds, 3), -EBADF, "negative");
	fds[0] = 0;
	fds[2] = 0x7ffffff0;
	kt_check_ret(send_fds(b.id, fds, 3), -EBADF, "not open");
	kt_check_ret(send_fds(b.id, fds, 2), 0, "without it");
	fds[1] = a.fd;
	kt_check_ret(send_fds(b.id, fds, 3), -EOPNOTSUPP, "refused first");
	fds[1] = 0x7ffffff0;
	fds[2] = a.fd;
	kt_check_ret(send_fds(b.id, fds, 3), -EBADF, "not open first");
	msg_init(&m, b.id, 1);
	msg_fds(&m, fds, 1);
	msg_fds(&m, fds, 1);
	kt_check_ret(conn_send(&a, &m), -EEXIST, "two items");
	msg_init(&m, b.id, 1);
	blob_add(&m, KDBUS_ITEM_FDS, NULL, 6);
	kt_check_ret(conn_send(&a, &m), -EINVAL, "one and a half");
	kt_check_ret(send_fds(4711, fds, 1), -ENXIO, "no such receiver");
	kt_check_ret(send_fds(a.id, fds, 1), -ECOMM, "does not take any");
	kt_check(conn_drain(&b) == 1, "wrong number of messages");
}
END_TEST

static unsigned int open_fds(void)
{
	unsigned int n = 0;
	int fd;

	for (fd = 0; fd < 2048; fd++)
		n += fcntl(fd, F_GETFD) >= 0;
	return n;
}

/* the lowest free ones */
static void next_fds(int *fds, unsigned int n)
{
	unsigned int i;

	for (i = 0; i < n; i++)
		fds[i] = dup(0);
	for (i = 0; i < n; i++)
		close(fds[i]);
}

START_TEST(as_many_as_possible)
{
	const struct kdbus_msg *m;
	int fds[253], want[253], i;

	allow_fds(2048);
	prepare();
	for (i = 0; i < 253; i++)
		fds[i] = 0;
	kt_assert_ret(send_fds(b.id, fds, 253), 0, "253");
	next_fds(want, 253);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->items[0].size == HDR + 253 * 4, "size %llu",
		 m->items[0].size);
	kt_check(!memcmp(m->items[0].fds, want, sizeof(want)),
		 "not the lowest numbers");
}
END_TEST

/* those of the item first, then the memfds, whatever the order of items */
START_TEST(numbers)
{
	int fds[3], want[5], holes[4], memfd[2], i;
	const struct kdbus_msg *m;
	struct stat st[2];
	struct blob s;
	u64 off;

	prepare();
	for (i = 0; i < 3; i++)
		fds[i] = i;
	memfd[0] = kt_memfd(100, KT_SEALS, 1);
	memfd[1] = kt_memfd(200, KT_SEALS, 2);
	msg_init(&s, b.id, 1);
	msg_memfd(&s, memfd[0], 100);
	msg_fds(&s, fds, 3);
	msg_memfd(&s, memfd[1], 200);
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	for (i = 0; i < 4; i++)
		holes[i] = dup(0);
	close(holes[0]);
	close(holes[2]);
	next_fds(want, 5);
	m = conn_recv_msg(&b, &off);
	kt_assert(m->items[0].type == KDBUS_ITEM_PAYLOAD_MEMFD, "layout");
	kt_check(m->items[0].memfd.fd == want[3], "first memfd is %d, not %d",
		 m->items[0].memfd.fd, want[3]);
	kt_check(item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 1)->memfd.fd ==
		 want[4], "second memfd");
	kt_check(!memcmp(item_find(m, KDBUS_ITEM_FDS, 0)->fds, want, 12),
		 "descriptors are not %d, %d, %d", want[0], want[1], want[2]);
	for (i = 0; i < 5; i++)
		kt_check(fcntl(want[i], F_GETFD) == FD_CLOEXEC,
			 "%d is not close-on-exec", want[i]);
	kt_check(!fstat(want[4], &st[0]) && !fstat(memfd[1], &st[1]) &&
		 st[0].st_ino == st[1].st_ino, "another memfd");
	/* nobody looks for numbers in the pool: FREE closes nothing */
	kt_check_ret(conn_free(&b, off), 0, "free");
	kt_check(fcntl(want[0], F_GETFD) == FD_CLOEXEC, "closed by FREE");
}
END_TEST

START_TEST(peek)
{
	const struct kdbus_msg *m;
	unsigned int before;
	struct blob s;
	int i, fd = 0;
	u64 off;

	prepare();
	msg_init(&s, b.id, 1);
	msg_memfd(&s, kt_memfd(100, KT_SEALS, 1), 100);
	msg_fds(&s, &fd, 1);
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	before = open_fds();
	for (i = 0; i < 3; i++) {
		kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0,
			      "peek");
		m = conn_msg(&b, off);
		kt_check(m->items[0].memfd.fd == -1, "memfd %d",
			 m->items[0].memfd.fd);
		kt_check(item_find(m, KDBUS_ITEM_FDS, 0)->fds[0] == -1,
			 "descriptor");
		kt_check(open_fds() == before, "something was installed");
	}
	kt_assert_ret(conn_recv(&b, &off), 0, "recv");
	kt_check(open_fds() == before + 2, "not installed");
}
END_TEST

static void limit_fds(unsigned int n)
{
	struct rlimit r;

	kt_assert(!getrlimit(RLIMIT_NOFILE, &r), "getrlimit: %m");
	r.rlim_cur = n;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &r), "setrlimit: %m");
}

/* all or none, and the message stays where it is */
START_TEST(no_room)
{
	int fds[3] = { 0, 1, 2 }, want[4], i;
	const struct kdbus_msg *m;
	unsigned int before;
	u64 off, off2;

	prepare();
	kt_assert_ret(send_fds(b.id, fds, 3), 0, "send");
	kt_assert_ret(conn_send_bytes(&a, b.id, 77, "x", 1), 0, "send");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "peek");
	next_fds(want, 4);
	before = open_fds();
	for (i = 0; i < 3; i++) {
		limit_fds(want[i]);
		kt_check_ret(conn_recv(&b, NULL), -EMFILE, "room for %d", i);
		kt_check(open_fds() == before, "%d are left", i);
		kt_check(fd_poll(b.fd, 0) & POLLIN, "room for %d: gone", i);
		kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off2), 0,
			      "peek");
		kt_check(off == off2, "it moved");
	}
	limit_fds(want[2] + 1);
	m = conn_recv_msg(&b, &off2);
	kt_check(off == off2, "it moved at last");
	kt_check(!memcmp(m->items[0].fds, want, 12), "numbers");
	expect_msg(&b, 77, 0);
}
END_TEST

static void check_eof(int fd, const char *when)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };

	kt_assert(poll(&p, 1, 20000) == 1, "%s: somebody holds the pipe", when);
	kt_check(p.revents == POLLHUP, "%s: poll %#x", when, p.revents);
	close(fd);
}

/* a message with the write end, which nobody else has */
static int send_pipe(u64 dst, int want)
{
	int p[2];

	kt_assert(!pipe(p), "pipe: %m");
	kt_check_ret(send_fds(dst, &p[1], 1), want, "send");
	close(p[1]);
	if (!want) {
		struct pollfd f = { .fd = p[0], .events = POLLIN };

		kt_check(poll(&f, 1, 0) == 0, "the message does not hold it");
	}
	return p[0];
}

START_TEST(released)
{
	struct conn c;
	int fd;

	prepare();
	check_eof(send_pipe(a.id, -ECOMM), "ECOMM");
	check_eof(send_pipe(4711, -ENXIO), "ENXIO");
	fd = send_pipe(b.id, 0);
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	check_eof(fd, "drop");
	kt_assert_ret(conn_try_open(&c, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO");
	fd = send_pipe(c.id, 0);
	kt_check_ret(conn_byebye(&c), -EBUSY, "BYEBYE with a message");
	conn_close(&c);
	check_eof(fd, "close");
	fd = send_pipe(b.id, 0);
	bus_close(&bus);
	check_eof(fd, "death of the bus");
}
END_TEST

/* the sender's end: the message keeps the file, not the number */
START_TEST(sender_closes)
{
	const struct kdbus_msg *m;
	int p[2], n;
	char x;

	prepare();
	kt_assert(!pipe(p), "pipe: %m");
	n = p[1];
	kt_assert_ret(send_fd(n), 0, "send");
	kt_assert(dup2(0, n) == n, "dup2: %m");
	m = conn_recv_msg(&b, NULL);
	kt_check(write(m->items[0].fds[0], "y", 1) == 1, "write: %m");
	kt_check(read(p[0], &x, 1) == 1 && x == 'y', "read: %m");
}
END_TEST

/* who waits for an answer has nothing to do with what it sent any more */
START_TEST(caller_lets_go)
{
	static struct call call;
	const struct kdbus_msg *m;
	int p[2];

	prepare();
	kt_assert(!pipe(p), "pipe: %m");
	call_init(&call, &a, b.id, 1, NEVER);
	msg_fds(&call.m, &p[1], 1);
	call_run(&call);
	close(p[1]);
	m = conn_recv_msg(&b, NULL);
	close(item_find(m, KDBUS_ITEM_FDS, 0)->fds[0]);
	check_eof(p[0], "received and closed");
	kt_assert_ret(reply(&b, a.id, 1), 0, "reply");
	kt_check_ret(call_end(&call), 0, "call");
}
END_TEST

KT_SUITE("fds")
{
	kt_test(accepted);
	kt_test(refused);
	kt_test(errors);
	kt_test(as_many_as_possible);
	kt_test(numbers);
	kt_test(peek);
	kt_test(no_room);
	kt_test(released);
	kt_test(sender_closes);
	kt_test(caller_lets_go);
}
