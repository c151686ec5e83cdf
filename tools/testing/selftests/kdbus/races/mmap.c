// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reading a mapping whose pages another thread gives up all the time: they come
 * back, for the kernel as for user space. On Linux 6.14 and later, what gives up
 * 2 MiB also frees the page table of them.
 */

#include <fcntl.h>
#include <linux/futex.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "race-world.h"

#define TABLE		(2 * MIB)	/* what one page table maps */
#define BIG_POOL	(2 * TABLE)
#define LEN		(512 * KIB)	/* bytes that are read at a time */
#define ROUNDS		100		/* or as many as two seconds allow */
#define GIVE_UPS	(10000 * ROUNDS)

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

static u8 bytes[LEN], got[LEN];
static const u8 *there;		/* the same bytes, in the pool of @b */

/* of whatever carries bytes: in here, out there */
static int carrier[2];

static int whole(ssize_t n)
{
	if (n < 0)
		return -errno;
	return n == LEN ? 0 : -ENODATA;
}

static int read_back(ssize_t n)
{
	int ret = whole(n);

	return n > 0 ? whole(read(carrier[0], got, LEN)) ?: ret : ret;
}

static int by_message(void)
{
	const struct kdbus_item *item;
	const struct kdbus_msg *m;
	u64 off;
	int ret;

	ret = conn_send_bytes(&b, a.id, 1, there, LEN);
	if (ret < 0)
		return ret;
	m = conn_recv_msg(&a, &off);
	item = item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 0);
	kt_assert(item && item->vec.size == LEN, "payload");
	memcpy(got, (const u8 *)m + item->vec.offset, LEN);
	return conn_free(&a, off);
}

static int by_write(void)
{
	return read_back(write(carrier[1], there, LEN));
}

static int by_vmsplice(void)
{
	struct iovec iov = { (void *)there, LEN };

	return read_back(vmsplice(carrier[1], &iov, 1, 0));
}

static int by_file(void)
{
	ssize_t n = pwrite(carrier[1], there, LEN, 0);

	if (n == LEN)
		n = pread(carrier[1], got, LEN, 0);
	return whole(n);
}

static int by_other_process(void)
{
	struct iovec to = { got, LEN }, from = { (void *)there, LEN };
	ssize_t n = process_vm_readv(getpid(), &to, 1, &from, 1, 0);

	return whole(n);
}

static int by_debugger(void)
{
	ssize_t n = pread64(carrier[0], got, LEN, (uintptr_t)there);

	return whole(n);
}

static int by_populate(void)
{
	u8 *from = b.pool + ((there - b.pool) & ~(KT_PAGE - 1));

	if (madvise(from, there + LEN - from, MADV_POPULATE_READ) < 0)
		return -errno;
	memcpy(got, there, LEN);
	return 0;
}

static int by_futex(void)
{
	u32 value;

	memcpy(got, there, LEN);
	memcpy(&value, got, sizeof(value));
	/* does not wait, as the kernel reads another value */
	if (!syscall(SYS_futex, there, FUTEX_WAIT_PRIVATE, value + 1, NULL,
		     NULL, 0))
		return -ENODATA;
	return errno == EAGAIN ? 0 : -errno;
}

static void *give_up(void *arg)
{
	unsigned int i;

	for (i = 0; i < GIVE_UPS; i++) {
		if (__atomic_load_n(&stop, __ATOMIC_SEQ_CST))
			break;
		kt_assert(!madvise(b.pool, BIG_POOL, MADV_DONTNEED),
			  "MADV_DONTNEED: %m");
	}
	return arg;
}

/* the pool of @b is mapped by page tables that map nothing else */
static void prepare(void)
{
	const struct kdbus_item *item;
	u8 *area, *map;
	u64 off;

	bus_make(&bus, 0);
	conn_open(&a, &bus, BIG_POOL);
	conn_open(&b, &bus, BIG_POOL);
	area = mmap(NULL, BIG_POOL + TABLE, PROT_NONE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	kt_assert(area != MAP_FAILED, "mmap: %m");
	area += -(uintptr_t)area & (TABLE - 1);
	map = mmap(area, BIG_POOL, PROT_READ, MAP_SHARED | MAP_FIXED, b.fd, 0);
	kt_assert(map != MAP_FAILED, "mmap: %m");
	munmap(b.pool, BIG_POOL);
	b.pool = map;

	kt_fill(bytes, sizeof(bytes), 5);
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, bytes, LEN), 0, "send");
	item = item_find(conn_recv_msg(&b, &off), KDBUS_ITEM_PAYLOAD_OFF, 0);
	kt_assert(item && item->vec.size == LEN, "payload");
	there = map + off + item->vec.offset;
}

static void check_access(int (*access)(void))
{
	unsigned int i, failed = 0, differ = 0;
	u64 end = kt_now_ms() + 2000;
	pthread_t t;
	int r, last = 0;

	t = kt_thread(give_up, NULL);
	for (i = 0; i < ROUNDS && (i == 0 || kt_now_ms() < end); i++) {
		r = access();
		failed += r < 0;
		last = r < 0 ? r : last;
		differ += !r && memcmp(got, bytes, LEN);
	}
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_check(!failed, "%u of %u failed, the last one with %s", failed,
		 i, kt_err(last));
	kt_check(!differ, "%u of %u read something else", differ, i);
}

START_TEST(message)
{
	prepare();
	check_access(by_message);
}
END_TEST

static void open_pipe(void)
{
	kt_assert(!pipe2(carrier, O_CLOEXEC | O_NONBLOCK), "pipe: %m");
	kt_assert(fcntl(carrier[1], F_SETPIPE_SZ, 2 * LEN) > 0, "pipe: %m");
}

START_TEST(pipe_write)
{
	prepare();
	open_pipe();
	check_access(by_write);
}
END_TEST

START_TEST(pipe_splice)
{
	prepare();
	open_pipe();
	check_access(by_vmsplice);
}
END_TEST

START_TEST(socket_write)
{
	int size = 2 * LEN;

	prepare();
	kt_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0,
			      carrier), "socketpair: %m");
	kt_assert(!setsockopt(carrier[1], SOL_SOCKET, SO_SNDBUFFORCE, &size,
			      sizeof(size)), "SO_SNDBUFFORCE: %m");
	check_access(by_write);
}
END_TEST

START_TEST(file_write)
{
	prepare();
	carrier[1] = memfd_create("file", MFD_CLOEXEC);
	kt_assert(carrier[1] >= 0, "memfd_create: %m");
	check_access(by_file);
}
END_TEST

START_TEST(vm_readv)
{
	prepare();
	if (by_other_process() == -ENOSYS)
		kt_skip("the kernel has no process_vm_readv()");
	check_access(by_other_process);
}
END_TEST

START_TEST(proc_mem)
{
	prepare();
	carrier[0] = open("/proc/self/mem", O_RDONLY | O_CLOEXEC);
	kt_assert(carrier[0] >= 0, "open /proc/self/mem: %m");
	check_access(by_debugger);
}
END_TEST

START_TEST(populate)
{
	prepare();
	check_access(by_populate);
}
END_TEST

START_TEST(futex)
{
	prepare();
	check_access(by_futex);
}
END_TEST

KT_SUITE_LATE("mmap-race")
{
	kt_test(message);
	kt_test(pipe_write);
	kt_test(pipe_splice);
	kt_test(socket_write);
	kt_test(file_write);
	kt_test(vm_readv);
	kt_test(proc_mem);
	kt_test(populate);
	kt_test(futex);
}
