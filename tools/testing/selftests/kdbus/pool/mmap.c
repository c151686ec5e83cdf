// SPDX-License-Identifier: GPL-2.0-only
/* Mapping a pool */

#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(64 * KIB)

static struct bus bus;
static struct conn a, b;
static u8 bytes[POOL];

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	kt_fill(bytes, sizeof(bytes), 9);
}

static u64 deliver(void)
{
	u64 off;

	kt_assert_ret(conn_send_want(&a, b.id, bytes, 10000), 0, "send");
	conn_recv_msg(&b, &off);
	return off;
}

static bool intact(const u8 *pool, u64 off)
{
	const struct kdbus_msg *m = (const void *)(pool + off);

	return m->size == 104 && m->cookie == 10000 &&
	       !memcmp(pool + off + 104, bytes, 10000 - 104);
}

/* 0 or -errno; unmaps again */
static int try_map(int fd, size_t len, int prot, int flags, off_t offset)
{
	void *p = mmap(NULL, len, prot, flags, fd, offset);

	if (p == MAP_FAILED)
		return -errno;
	munmap(p, len);
	return 0;
}

START_TEST(only_connections)
{
	struct {
		const char *name;
		int fd;
	} h[3];
	size_t i;

	prepare();
	h[0].name = "control";
	h[0].fd = open_control();
	h[1].name = "bus owner";
	h[1].fd = bus.fd;
	h[2].name = "endpoint";
	h[2].fd = open_endpoint(&bus);
	for (i = 0; i < ARRAY_SIZE(h); i++) {
		kt_check_ret(try_map(h[i].fd, 4096, PROT_READ, MAP_SHARED, 0),
			     -EPERM, "%s, shared", h[i].name);
		kt_check_ret(try_map(h[i].fd, 4096, PROT_READ, MAP_PRIVATE, 0),
			     -EPERM, "%s, private", h[i].name);
		kt_check_ret(try_map(h[i].fd, 4096, PROT_READ | PROT_WRITE,
				     MAP_SHARED, 0), -EPERM, "%s, writable",
			     h[i].name);
	}
}
END_TEST

START_TEST(protections)
{
	static const struct {
		int prot, flags, err;
	} rows[] = {
		{ PROT_READ, MAP_SHARED, 0 },
		{ PROT_READ, MAP_PRIVATE, 0 },
		{ PROT_READ, MAP_SHARED | MAP_POPULATE, 0 },
		{ PROT_READ, MAP_PRIVATE | MAP_POPULATE, 0 },
		{ PROT_NONE, MAP_SHARED, 0 },
		{ PROT_WRITE, MAP_SHARED, EPERM },
		{ PROT_WRITE, MAP_PRIVATE, EPERM },
		{ PROT_READ | PROT_WRITE, MAP_SHARED, EPERM },
		{ PROT_READ | PROT_WRITE, MAP_PRIVATE, EPERM },
	};
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		kt_check_ret(try_map(b.fd, POOL, rows[i].prot, rows[i].flags,
				     0), -rows[i].err, "prot %d, flags %#x",
			     rows[i].prot, rows[i].flags);
	/* too long and writable: the upper row */
	kt_check_ret(try_map(b.fd, 2 * POOL, PROT_WRITE, MAP_SHARED, 0),
		     -EPERM, "writable and too long");
}
END_TEST

START_TEST(lengths)
{
	static const struct {
		size_t len;
		int err;
	} rows[] = {
		{ 1, 0 }, { 4096, 0 }, { 5000, 0 }, { POOL - 4096, 0 },
		{ POOL - 1, 0 }, { POOL, 0 },
		{ POOL + 1, EFAULT }, { POOL + 4096, EFAULT },
		{ 2 * POOL, EFAULT }, { 1 << 30, EFAULT },
	};
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		kt_check_ret(try_map(b.fd, rows[i].len, PROT_READ, MAP_SHARED,
				     0), -rows[i].err, "length %zu, shared",
			     rows[i].len);
		kt_check_ret(try_map(b.fd, rows[i].len, PROT_READ, MAP_PRIVATE,
				     0), -rows[i].err, "length %zu, private",
			     rows[i].len);
	}
}
END_TEST

START_TEST(never_writable)
{
	static const int flags[] = { MAP_SHARED, MAP_PRIVATE };
	size_t i;
	u64 off;

	prepare();
	off = deliver();
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		u8 *p = mmap(NULL, POOL, PROT_READ, flags[i], b.fd, 0);
		int fd = open("/proc/self/mem", O_RDWR | O_CLOEXEC);

		kt_assert(p != MAP_FAILED, "mmap: %m");
		kt_check(mprotect(p, POOL, PROT_READ | PROT_WRITE) < 0 &&
			 errno == EACCES, "mprotect, flags %#x: %m", flags[i]);
		kt_check(mprotect(p, 4096, PROT_WRITE) < 0 && errno == EACCES,
			 "mprotect of a page, flags %#x: %m", flags[i]);
		kt_assert(fd >= 0, "open /proc/self/mem: %m");
		kt_check(pwrite(fd, "evil", 4, (off_t)(uintptr_t)(p + off)) < 0,
			 "a debugger's write succeeds, flags %#x", flags[i]);
		kt_check(intact(p, off) && intact(b.pool, off),
			 "the message changed");
		close(fd);
		/* punching holes is a way of writing, too */
		kt_check(madvise(p, POOL, MADV_REMOVE) < 0,
			 "MADV_REMOVE succeeds, flags %#x", flags[i]);
		kt_check(intact(p, off) && intact(b.pool, off),
			 "the message was removed");
		munmap(p, POOL);
	}
}
END_TEST

START_TEST(protect_none_and_back)
{
	u64 off;
	u8 *p;

	prepare();
	off = deliver();
	p = mmap(NULL, POOL, PROT_NONE, MAP_SHARED, b.fd, 0);
	kt_assert(p != MAP_FAILED, "mmap: %m");
	kt_assert(!mprotect(p, POOL, PROT_READ), "mprotect: %m");
	kt_check(intact(p, off), "wrong content");
	kt_check(mprotect(p, POOL, PROT_READ | PROT_WRITE) < 0, "writable");
}
END_TEST

START_TEST(several_mappings)
{
	const u8 *before, *after, *private;
	u64 off;

	prepare();
	before = mmap(NULL, POOL, PROT_READ, MAP_SHARED, b.fd, 0);
	private = mmap(NULL, POOL, PROT_READ, MAP_PRIVATE, b.fd, 0);
	kt_assert(before != MAP_FAILED && private != MAP_FAILED, "mmap: %m");
	/* pages are there before the messages are */
	kt_check(kt_zero(before, POOL) && kt_zero(private, POOL),
		 "fresh pool is not zero");
	off = deliver();
	after = mmap(NULL, POOL, PROT_READ, MAP_SHARED, b.fd, 0);
	kt_assert(after != MAP_FAILED, "mmap: %m");
	kt_check(intact(before, off), "mapped before, shared");
	kt_check(intact(private, off), "mapped before, private");
	kt_check(intact(after, off), "mapped after");
	kt_check(intact(b.pool, off), "first mapping");
	munmap((void *)before, POOL);
	kt_check(intact(after, off), "one less");
	kt_assert_ret(conn_free(&b, off), 0, "free");
	off = deliver();
	kt_check(intact(after, off) && intact(private, off), "next message");
}
END_TEST

START_TEST(with_offset)
{
	const u8 *p, *whole;
	u64 off;

	prepare();
	off = deliver();
	whole = b.pool;
	p = mmap(NULL, POOL - 8192, PROT_READ, MAP_SHARED, b.fd, 8192);
	kt_assert(p != MAP_FAILED, "mmap at offset 8192: %m");
	kt_check(!memcmp(p, whole + 8192, POOL - 8192), "content differs");
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, b.fd, off & ~4095ULL);
	kt_assert(p != MAP_FAILED, "mmap of one page: %m");
	kt_check(!memcmp(p, whole + (off & ~4095ULL), 4096),
		 "one page differs");
	kt_check_ret(try_map(b.fd, 4096, PROT_READ, MAP_SHARED, 100), -EINVAL,
		     "unaligned offset");
}
END_TEST

static sigjmp_buf back;
static volatile sig_atomic_t got;

static void on_fault(int sig)
{
	got = sig;
	siglongjmp(back, 1);
}

static int touch(const volatile u8 *p)
{
	got = 0;
	if (!sigsetjmp(back, 1))
		(void)*p;
	return got;
}

START_TEST(beyond_the_end)
{
	struct sigaction sa = { .sa_handler = on_fault };
	const u8 *p;

	prepare();
	sigaction(SIGBUS, &sa, NULL);
	sigaction(SIGSEGV, &sa, NULL);
	p = mmap(NULL, POOL, PROT_READ, MAP_SHARED, b.fd, POOL / 2);
	kt_assert(p != MAP_FAILED, "length and offset beyond the end: %m");
	kt_check(touch(p) == 0, "first page: signal %d", got);
	kt_check(touch(p + POOL / 2 - 1) == 0, "last page: signal %d", got);
	kt_check(touch(p + POOL / 2) == SIGBUS, "beyond: signal %d", got);
	kt_check(touch(p + POOL - 1) == SIGBUS, "far beyond: signal %d", got);
	p = mmap(NULL, 4096, PROT_READ, MAP_SHARED, b.fd, 16 * POOL);
	if (p != MAP_FAILED)
		kt_check(touch(p) == SIGBUS, "offset beyond: signal %d", got);
	/* writing is a fault as well, and not a fatal one for the kernel */
	got = 0;
	if (!sigsetjmp(back, 1))
		*(volatile u8 *)b.pool = 1;
	kt_check(got == SIGSEGV, "write: signal %d", got);
}
END_TEST

START_TEST(outlives_close)
{
	u64 off;

	prepare();
	off = deliver();
	close(b.fd);
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), -ENXIO,
		     "the mapping keeps the connection alive");
	kt_check(intact(b.pool, off), "content after close");
	bus_close(&bus);
	close(a.fd);
	kt_check(intact(b.pool, off), "content after the bus");
	munmap(b.pool, POOL);
}
END_TEST

START_TEST(outlives_byebye_and_bus)
{
	const u8 *p;
	u64 off;

	prepare();
	off = deliver();
	kt_assert_ret(conn_byebye(&b), 0, "BYEBYE");
	kt_check(intact(b.pool, off), "content after BYEBYE");
	p = mmap(NULL, POOL, PROT_READ, MAP_PRIVATE, b.fd, 0);
	kt_assert(p != MAP_FAILED, "mmap after BYEBYE: %m");
	kt_check(intact(p, off), "mapped after BYEBYE");
	bus_close(&bus);
	p = mmap(NULL, POOL, PROT_READ, MAP_SHARED, b.fd, 0);
	kt_assert(p != MAP_FAILED, "mmap after the bus died: %m");
	kt_check(intact(p, off), "mapped after the bus died");
	kt_check_ret(try_map(b.fd, 2 * POOL, PROT_READ, MAP_SHARED, 0),
		     -EFAULT, "too long, dead");
	kt_check_ret(try_map(b.fd, POOL, PROT_WRITE, MAP_SHARED, 0), -EPERM,
		     "writable, dead");
}
END_TEST

static int child_maps(void *arg)
{
	u64 off = *(u64 *)arg;
	const u8 *p = mmap(NULL, POOL, PROT_READ, MAP_SHARED, b.fd, 0);

	kt_assert(p != MAP_FAILED, "mmap: %m");
	kt_check(intact(p, off), "own mapping");
	kt_check(intact(b.pool, off), "inherited mapping");
	close(b.fd);
	return 0;
}

START_TEST(by_child)
{
	u64 off;

	prepare();
	off = deliver();
	kt_run_as(0, 0, child_maps, &off);
	kt_run_as(20041, 20041, child_maps, &off);
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0,
		     "connection after the child");
}
END_TEST

/* mapping a large pool costs nothing until there is something in it */
START_TEST(sparse)
{
	struct conn c;
	u64 off;

	prepare();
	conn_open(&c, &bus, 512 * MIB);
	kt_assert_ret(conn_send_want(&a, c.id, bytes, 10000), 0, "send");
	conn_recv_msg(&c, &off);
	kt_check(intact(c.pool, off), "content");
	kt_check(c.pool[511 * MIB] == 0, "the far end");
}
END_TEST

/* what is there is mapped with its neighbours, up to where a mapping ends */
START_TEST(around)
{
	enum { n = 8 };
	unsigned char mapped[n];
	unsigned int i;
	u8 *map;

	prepare();
	for (i = 0; i < POOL / KT_PAGE; i++)
		kt_check(b.pool[i * KT_PAGE] == 0, "page %u", i);
	map = mmap(NULL, n * KT_PAGE, PROT_READ, MAP_SHARED, b.fd, 0);
	kt_assert(map != MAP_FAILED, "mmap: %m");
	/* the file has no pages but those that are mapped */
	kt_assert(!mincore(map, n * KT_PAGE, mapped), "mincore: %m");
	kt_check(!(mapped[1] & 1), "mapped before");
	kt_check(map[0] == 0, "page 0");
	kt_assert(!mincore(map, n * KT_PAGE, mapped), "mincore: %m");
	for (i = 0; i < n; i++)
		kt_check(mapped[i] & 1, "page %u is not mapped", i);
	munmap(map, n * KT_PAGE);
}
END_TEST

KT_SUITE("mmap")
{
	kt_test(only_connections);
	kt_test(protections);
	kt_test(lengths);
	kt_test(never_writable);
	kt_test(protect_none_and_back);
	kt_test(several_mappings);
	kt_test(with_offset);
	kt_test(beyond_the_end);
	kt_test(outlives_close);
	kt_test(outlives_byebye_and_bus);
	kt_test(by_child);
	kt_test(sparse);
	kt_test(around);
}
