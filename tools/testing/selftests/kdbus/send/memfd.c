// SPDX-License-Identifier: GPL-2.0-only
/* Payload in memory files */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <linux/magic.h>

#include "pair.h"

#define SIZE	10000

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE	0x0010
#endif

static int send_memfd(int fd, u64 size)
{
	struct blob m;

	msg_init(&m, b.id, 1);
	msg_memfd(&m, fd, size);
	return conn_send(&a, &m);
}

/* the descriptor in the nth memfd item */
static int nth_fd(const struct kdbus_msg *m, unsigned int n)
{
	const struct kdbus_item *i = item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, n);

	kt_assert(i, "no memfd %u", n);
	kt_assert(i->size == 32, "memfd item of size %llu", i->size);
	return i->memfd.fd;
}

static bool is_open(int fd)
{
	return fcntl(fd, F_GETFD) >= 0;
}

static int lowest_fd(void)
{
	int fd = fcntl(0, F_DUPFD, 0);

	kt_assert(fd >= 0, "F_DUPFD: %m");
	close(fd);
	return fd;
}

static bool holds(int fd, size_t size, u32 seed)
{
	void *p = mmap(NULL, size, PROT_READ, MAP_SHARED, fd, 0);
	bool ok;

	kt_assert(p != MAP_FAILED, "mmap of a received memfd: %m");
	ok = kt_filled(p, size, seed);
	munmap(p, size);
	return ok;
}

/* all combinations of seals */
START_TEST(seals)
{
	unsigned int seals;

	pair_open();
	for (seals = 0; seals < 32; seals++) {
		int fd = kt_memfd(SIZE, seals, 1);
		bool good = (seals & KT_SEALS) == KT_SEALS;

		kt_check_ret(send_memfd(fd, SIZE), good ? 0 : -ETXTBSY,
			     "seals %#x", seals);
		kt_check(conn_drain(&b) == good, "seals %#x: messages", seals);
		close(fd);
	}
	conn_check_pool_empty(&a, &b);
}
END_TEST

START_TEST(without_sealing)
{
	int fd;

	pair_open();
	fd = memfd_create("x", MFD_CLOEXEC);
	kt_assert(fd >= 0 && !ftruncate(fd, SIZE), "memfd: %m");
	kt_check_ret(send_memfd(fd, SIZE), -ETXTBSY,
		     "memfd without permission to seal");
}
END_TEST

/* a place on tmpfs; if there is none yet, one is mounted */
static int tmpfs_file(void)
{
	static const char * const dirs[] = { "/tmp", "/dev/shm", "/run" };
	char path[64];
	struct statfs fs;
	size_t i;
	int fd;

	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		if (statfs(dirs[i], &fs) || fs.f_type != TMPFS_MAGIC)
			continue;
		snprintf(path, sizeof(path), "%s/kdbus-test-XXXXXX", dirs[i]);
		fd = mkostemp(path, O_CLOEXEC);
		if (fd >= 0) {
			unlink(path);
			return fd;
		}
	}
	strcpy(path, "/tmp/kdbus-test-XXXXXX");
	mkdir("/tmp", 01777);
	kt_assert(mkdtemp(path), "mkdtemp: %m");
	kt_assert(!mount("tmpfs", path, "tmpfs", 0, ""), "mount tmpfs: %m");
	strcat(path, "/x");
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	unlink(path);
	*strrchr(path, '/') = '\0';
	umount2(path, MNT_DETACH);
	rmdir(path);
	kt_assert(fd >= 0, "cannot create a file on tmpfs");
	return fd;
}

START_TEST(tmpfs)
{
	int fd;

	pair_open();
	fd = tmpfs_file();
	kt_assert(!ftruncate(fd, SIZE), "ftruncate: %m");
	kt_check_ret(send_memfd(fd, SIZE), -ETXTBSY, "a file on tmpfs");
}
END_TEST

START_TEST(other_files)
{
	int p[2], s[2];

	pair_open();
	kt_assert(!pipe(p), "pipe: %m");
	kt_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, s), "socketpair: %m");
	{
		struct {
			const char *name;
			int fd;
		} files[] = {
			{ "pipe, reading end", p[0] },
			{ "pipe, writing end", p[1] },
			{ "socket", s[0] },
			{ "/dev/null", open("/dev/null", O_RDWR) },
			{ "/proc/self/stat", open("/proc/self/stat", O_RDONLY) },
			{ "directory", open("/proc", O_RDONLY | O_DIRECTORY) },
			{ "eventfd", eventfd(0, 0) },
			{ "control", open_control() },
			{ "bus owner", bus.fd },
			{ "own connection", a.fd },
			{ "receiver's connection", b.fd },
		};
		size_t i;

		for (i = 0; i < ARRAY_SIZE(files); i++) {
			kt_assert(files[i].fd >= 0, "%s: %m", files[i].name);
			kt_check_ret(send_memfd(files[i].fd, 1), -EMEDIUMTYPE,
				     "%s", files[i].name);
		}
	}
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "queued");
}
END_TEST

START_TEST(descriptors)
{
	char path[64];
	int fd, o_path, read_only, closed, empty;

	pair_open();
	fd = kt_memfd(SIZE, KT_SEALS, 1);
	empty = kt_memfd(0, KT_SEALS, 0);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	o_path = open(path, O_PATH | O_CLOEXEC);
	read_only = open(path, O_RDONLY | O_CLOEXEC);
	kt_assert(o_path >= 0 && read_only >= 0, "open %s: %m", path);
	closed = fcntl(fd, F_DUPFD, 500);	/* no number for what arrives */
	close(closed);
	{
		const struct {
			const char *name;
			int fd;
			u64 size;
			int err;
		} rows[] = {
			{ "whole file", fd, SIZE, 0 },
			{ "read-only", read_only, SIZE, 0 },
			{ "part of the file", fd, 1, 0 },
			{ "all but a byte", fd, SIZE - 1, 0 },
			{ "-1", -1, SIZE, EBADF },
			{ "-2", -2, SIZE, EBADF },
			{ "closed", closed, SIZE, EBADF },
			{ "far too large", 0x7fffffff, SIZE, EBADF },
			{ "O_PATH", o_path, SIZE, EBADF },
			{ "size 0", fd, 0, EINVAL },
			{ "size 0, -1", -1, 0, EINVAL },
			{ "a byte more", fd, SIZE + 1, EBADF },
			{ "up to the page", fd, 12288, EBADF },
			{ "4 GiB more", fd, (1ULL << 32) + 1, EBADF },
			{ "2^63", fd, 1ULL << 63, EBADF },
			{ "2^64 - 1", fd, ~0ULL, EBADF },
			{ "empty file", empty, 1, EBADF },
		};
		size_t i;

		for (i = 0; i < ARRAY_SIZE(rows); i++) {
			kt_check_ret(send_memfd(rows[i].fd, rows[i].size),
				     -rows[i].err, "%s", rows[i].name);
			kt_check(conn_drain(&b) == !rows[i].err,
				 "%s: wrong number of messages", rows[i].name);
		}
	}
	conn_check_pool_empty(&a, &b);
}
END_TEST

/* what arrives: a new number, the same file */
START_TEST(received)
{
	const struct kdbus_msg *m;
	struct stat was, is;
	int fd, lowest, got;
	u64 off;

	pair_open();
	fd = kt_memfd(SIZE, KT_SEALS, 5);
	kt_assert(!fstat(fd, &was), "fstat: %m");
	kt_assert_ret(send_memfd(fd, SIZE - 7), 0, "send");
	close(fd);
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "peek");
	m = conn_msg(&b, off);
	kt_check(nth_fd(m, 0) == -1, "peek shows fd %d", nth_fd(m, 0));
	lowest = lowest_fd();
	m = conn_recv_msg(&b, &off);
	got = nth_fd(m, 0);
	kt_check(got == lowest, "fd %d, the lowest free one is %d", got,
		 lowest);
	kt_check(m->items[0].memfd.size == SIZE - 7, "size %llu",
		 m->items[0].memfd.size);
	kt_check(fcntl(got, F_GETFD) == FD_CLOEXEC, "F_GETFD says %d",
		 fcntl(got, F_GETFD));
	kt_assert(!fstat(got, &is), "fstat: %m");
	kt_check(is.st_ino == was.st_ino && is.st_dev == was.st_dev &&
		 is.st_size == SIZE, "another file");
	kt_check(fcntl(got, F_GET_SEALS) == KT_SEALS, "seals changed");
	kt_check(holds(got, SIZE, 5), "wrong content");
	/* the slice does not hold the descriptor */
	kt_check_ret(conn_free(&b, off), 0, "free");
	kt_check(is_open(got), "FREE closed the descriptor");
}
END_TEST

/* gaps in the numbers are filled from below, in item order */
START_TEST(numbers)
{
	const struct kdbus_msg *m;
	int fd[4], spare[5], want[4], i;
	struct blob s;
	u64 off;

	pair_open();
	for (i = 0; i < 5; i++)
		spare[i] = dup(0);
	for (i = 0; i < 4; i++)
		fd[i] = kt_memfd(100 + i, KT_SEALS, i + 1);
	msg_init(&s, b.id, 1);
	for (i = 0; i < 4; i++) {
		msg_memfd(&s, fd[i], 100 + i);
		msg_vec(&s, "x", 1);
	}
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	close(spare[1]);
	close(spare[3]);
	want[0] = spare[1];
	want[1] = spare[3];
	want[2] = fd[3] + 1;
	want[3] = fd[3] + 2;
	m = conn_recv_msg(&b, &off);
	for (i = 0; i < 4; i++) {
		kt_check(nth_fd(m, i) == want[i], "memfd %d is %d, not %d", i,
			 nth_fd(m, i), want[i]);
		kt_check(holds(nth_fd(m, i), 100 + i, i + 1),
			 "memfd %d: wrong content", i);
	}
}
END_TEST

/* one file any number of times, and as many as there may be items */
START_TEST(many)
{
	const struct kdbus_msg *m;
	struct blob s;
	int fd, i, first;
	u64 off;

	pair_open();
	fd = kt_memfd(SIZE, KT_SEALS, 5);
	msg_init(&s, b.id, 1);
	for (i = 0; i < KT_MSG_MAX_ITEMS; i++)
		msg_memfd(&s, fd, i + 1);
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	msg_memfd(&s, fd, 1);
	kt_check_ret(conn_send(&a, &s), -E2BIG, "129 memfds");
	first = lowest_fd();
	m = conn_recv_msg(&b, &off);
	for (i = 0; i < KT_MSG_MAX_ITEMS; i++) {
		kt_check(nth_fd(m, i) == first + i, "memfd %d is %d", i,
			 nth_fd(m, i));
		kt_check(m->items && is_open(nth_fd(m, i)),
			 "memfd %d is not open", i);
	}
}
END_TEST

/* the second of two is bad: nothing happens with the first */
START_TEST(one_bad)
{
	struct blob s;
	int good, bad, before = lowest_fd(), i;

	pair_open();
	good = kt_memfd(SIZE, KT_SEALS, 5);
	bad = kt_memfd(SIZE, 0, 5);
	for (i = 0; i < 100; i++) {
		msg_init(&s, b.id, 1);
		msg_memfd(&s, good, SIZE);
		msg_memfd(&s, bad, SIZE);
		kt_assert_ret(conn_send(&a, &s), -ETXTBSY, "send");
	}
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "queued");
	kt_check(lowest_fd() == before + 5, "descriptors were opened");
}
END_TEST

/* room for exactly @n descriptors more */
static void limit_fds(int n)
{
	struct rlimit rl;
	int fd;

	kt_assert(!getrlimit(RLIMIT_NOFILE, &rl), "getrlimit: %m");
	while ((fd = lowest_fd()) < 60)
		kt_assert(dup(0) == fd, "dup: %m");
	rl.rlim_cur = fd + n;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &rl), "setrlimit: %m");
}

START_TEST(no_room_for_descriptors)
{
	const struct kdbus_msg *m;
	struct blob s;
	int fd, first, i;
	u64 peek, again, off;

	pair_open();
	fd = kt_memfd(SIZE, KT_SEALS, 5);
	msg_init(&s, b.id, 7);
	for (i = 0; i < 3; i++)
		msg_memfd(&s, fd, SIZE);
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	kt_assert_ret(conn_send_bytes(&a, b.id, 8, "x", 1), 0, "send");
	kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &peek), 0, "peek");

	limit_fds(2);
	first = lowest_fd();
	for (i = 0; i < 3; i++) {
		kt_check_ret(conn_recv(&b, &off), -EMFILE, "three, room for 2");
		kt_check(lowest_fd() == first && !is_open(first + 1),
			 "descriptors were installed though it failed");
		kt_assert_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &again), 0,
			      "peek after EMFILE");
		kt_check(again == peek, "the message moved");
		m = conn_msg(&b, again);
		kt_check(m->cookie == 7 && nth_fd(m, 0) == -1 &&
			 nth_fd(m, 1) == -1 && nth_fd(m, 2) == -1,
			 "the message changed");
	}
	kt_check_ret(conn_free(&b, peek), -EINVAL, "it is not public");
	kt_check(fd_poll(b.fd, 0) & 1, "no POLLIN after EMFILE");
	kt_check_ret(conn_byebye(&b), -EBUSY, "it is still queued");

	close(first - 1);
	m = conn_recv_msg(&b, &off);
	kt_check(off == peek && m->cookie == 7, "another message");
	kt_check(nth_fd(m, 0) == first - 1 && nth_fd(m, 1) == first &&
		 nth_fd(m, 2) == first + 1, "numbers %d, %d, %d",
		 nth_fd(m, 0), nth_fd(m, 1), nth_fd(m, 2));
	kt_check(conn_recv_msg(&b, &off)->cookie == 8, "the next message");
}
END_TEST

/* without descriptors to install, their limit does not matter */
START_TEST(peek_and_drop_need_no_room)
{
	int fd;

	pair_open();
	fd = kt_memfd(SIZE, KT_SEALS, 5);
	kt_assert_ret(send_memfd(fd, SIZE), 0, "send");
	limit_fds(0);
	kt_check_ret(conn_recv(&b, NULL), -EMFILE, "recv");
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, NULL), 0, "peek");
	kt_check_ret(send_memfd(fd, SIZE), 0, "send, table full");
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "nothing left");
}
END_TEST

static int child_receives(void *arg)
{
	const struct kdbus_msg *m;
	u64 off;

	(void)arg;
	close(lowest_fd() - 1);
	m = conn_recv_msg(&b, &off);
	kt_check(holds(nth_fd(m, 0), SIZE, 5), "content in the child");
	return 0;
}

/* descriptors go to the process that calls MSG_RECV */
START_TEST(installed_in_the_caller)
{
	int fd, before;

	pair_open();
	fd = kt_memfd(SIZE, KT_SEALS, 5);
	kt_assert_ret(send_memfd(fd, SIZE), 0, "send");
	before = lowest_fd();
	kt_run_as(0, 0, child_receives, NULL);
	kt_check(lowest_fd() == before, "descriptor in the wrong process");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Files of messages that nobody received go away. Their size tells. */

#define BIG	(48 * MIB)

static long shmem_kib(void)
{
	char buf[8192], *line;

	kt_assert(kt_read_file("/proc/meminfo", buf, sizeof(buf)) > 0,
		  "cannot read /proc/meminfo");
	line = strstr(buf, "\nShmem:");
	kt_assert(line, "no Shmem in /proc/meminfo");
	return strtol(line + 7, NULL, 10);
}

static void send_big(void)
{
	int fd = memfd_create("big", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	kt_assert(fd >= 0 && !ftruncate(fd, BIG), "memfd: %m");
	kt_assert(!fallocate(fd, 0, 0, BIG), "fallocate: %m");
	kt_assert(!fcntl(fd, F_ADD_SEALS, KT_SEALS), "seal: %m");
	kt_assert_ret(send_memfd(fd, BIG), 0, "send");
	close(fd);
}

/* wait until at least @by KiB less than @was are in use */
static bool released(long was)
{
	u64 end = kt_now_ms() + 5000;

	do {
		if (shmem_kib() < was - (long)BIG / 1024 * 3 / 4)
			return true;
		usleep(10000);
	} while (kt_now_ms() < end);
	return false;
}

START_TEST(released_by_drop)
{
	long with;

	pair_open();
	send_big();
	with = shmem_kib();
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check(released(with), "DROP keeps the file");
}
END_TEST

START_TEST(released_by_close)
{
	long with;

	pair_open();
	send_big();
	with = shmem_kib();
	conn_close(&b);
	kt_check(released(with), "close keeps the file");
}
END_TEST

START_TEST(released_by_bus)
{
	long with;

	pair_open();
	send_big();
	with = shmem_kib();
	bus_close(&bus);
	kt_check(released(with), "the dead bus keeps the file");
}
END_TEST

START_TEST(released_by_receiver)
{
	const struct kdbus_msg *m;
	long with;
	u64 off;

	pair_open();
	send_big();
	with = shmem_kib();
	m = conn_recv_msg(&b, &off);
	close(nth_fd(m, 0));
	/* the slice with the number is not freed */
	kt_check(released(with), "a received message keeps the file");
}
END_TEST

START_TEST(refused_keeps_nothing)
{
	struct blob s;
	long with;
	int fd;

	pair_open();
	fd = memfd_create("big", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	kt_assert(fd >= 0 && !ftruncate(fd, BIG), "memfd: %m");
	kt_assert(!fallocate(fd, 0, 0, BIG), "fallocate: %m");
	kt_assert(!fcntl(fd, F_ADD_SEALS, KT_SEALS), "seal: %m");
	msg_init(&s, b.id, 1);
	msg_memfd(&s, fd, BIG);
	msg_vec(&s, kt_noread(4096), 4096);
	kt_check_ret(conn_send(&a, &s), -EFAULT, "unreadable payload");
	s.msg.dst_id = 4711;
	kt_check_ret(conn_send(&a, &s), -ENXIO, "unknown id");
	with = shmem_kib();
	close(fd);
	kt_check(released(with), "a refused message keeps the file");
}
END_TEST

KT_SUITE("memfd")
{
	kt_test(seals);
	kt_test(without_sealing);
	kt_test(tmpfs);
	kt_test(other_files);
	kt_test(descriptors);
	kt_test(received);
	kt_test(numbers);
	kt_test(many);
	kt_test(one_bad);
	kt_test(no_room_for_descriptors);
	kt_test(peek_and_drop_need_no_room);
	kt_test(installed_in_the_caller);
	kt_test(released_by_drop);
	kt_test(released_by_close);
	kt_test(released_by_bus);
	kt_test(released_by_receiver);
	kt_test(refused_keeps_nothing);
}
