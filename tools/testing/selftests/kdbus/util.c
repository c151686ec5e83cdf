// SPDX-License-Identifier: GPL-2.0-only
/* What all test files share: see util.h */

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <linux/capability.h>

#include "util.h"

struct kt_shared *kt;
const char *kt_module = "kdbus";
u32 kt_seed = 1;

/* ------------------------------------------------------------------------ */
/* Reporting */

/* one write() a line, so that children and threads do not mix theirs */
static void say(const char *file, int line, const char *fmt, va_list ap)
{
	char buf[1024];
	int n = 0, m;

	if (file)
		n = snprintf(buf, sizeof(buf), "# %s:%d: ", file, line);
	else
		n = snprintf(buf, sizeof(buf), "# ");
	m = vsnprintf(buf + n, sizeof(buf) - n - 1, fmt, ap);
	n += m;
	if (n > (int)sizeof(buf) - 2)
		n = sizeof(buf) - 2;
	buf[n++] = '\n';
	if (write(STDOUT_FILENO, buf, n) != n)
		_exit(1);
}

#define MAX_SHOWN	20

static unsigned int count_failure(void)
{
	return __atomic_add_fetch(&kt->failures, 1, __ATOMIC_SEQ_CST);
}

void kt_fail_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (count_failure() > MAX_SHOWN)
		return;
	va_start(ap, fmt);
	say(file, line, fmt, ap);
	va_end(ap);
}

void kt_die_at(const char *file, int line, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	count_failure();
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (getpid() == kt->pid)
		ck_abort_msg("%s:%d: %s", file, line, buf);
	kt_fail_at(file, line, "%s", buf);
	_exit(1);
}

void kt_skip(const char *fmt, ...)
{
	va_list ap;

	kt->skipped = true;
	va_start(ap, fmt);
	vsnprintf(kt->reason, sizeof(kt->reason), fmt, ap);
	va_end(ap);
	_exit(0);
}

void kt_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(NULL, 0, fmt, ap);
	va_end(ap);
}

const char *kt_err(int ret)
{
	const char *name;

	if (ret == 0)
		return "0";
	name = ret < 0 ? strerrorname_np(-ret) : NULL;
	return name ?: "?";
}

bool kt_ret_at(const char *file, int line, int ret, int want,
	       const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	if (ret == want)
		return true;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	kt_fail_at(file, line, "%s: got %s (%d), expected %s", buf,
		   kt_err(ret), ret, kt_err(want));
	return false;
}

/* ------------------------------------------------------------------------ */
/* Processes, threads, time, chance */

static void become(uid_t uid, gid_t gid)
{
	if (!uid && !gid)
		return;
	kt_assert(!setgroups(0, NULL), "setgroups: %m");
	kt_assert(!setresgid(gid, gid, gid), "setresgid(%u): %m", gid);
	kt_assert(!setresuid(uid, uid, uid), "setresuid(%u): %m", uid);
}

pid_t kt_fork_as(uid_t uid, gid_t gid, int (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	kt_assert(pid >= 0, "fork: %m");
	if (pid)
		return pid;
	become(uid, gid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	_exit(fn(arg));
}

int kt_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		kt_assert(errno == EINTR, "waitpid: %m");
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

void kt_run_as(uid_t uid, gid_t gid, int (*fn)(void *arg), void *arg)
{
	int status = kt_wait(kt_fork_as(uid, gid, fn, arg));

	kt_assert(status == 0, "child as uid %u ended with status %d", uid,
		  status);
}

void kt_drop_caps(void)
{
	struct __user_cap_header_struct h = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct d[2];

	memset(d, 0, sizeof(d));
	kt_assert(!syscall(SYS_capset, &h, d), "capset: %m");
}

void kt_become_split(uid_t real, uid_t effective)
{
	/* with a saved uid of 0 there is a way back */
	kt_assert(!setresuid(0, 0, 0), "setresuid(0): %m");
	kt_assert(!setresuid(real, effective, 0), "setresuid(%u, %u): %m",
		  real, effective);
}

void kt_become(uid_t uid)
{
	kt_become_split(uid, uid);
}

pthread_t kt_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t t;
	int err = pthread_create(&t, NULL, fn, arg);

	kt_assert(!err, "pthread_create: %s", strerror(err));
	return t;
}

void kt_join(pthread_t t)
{
	int err = pthread_join(t, NULL);

	kt_assert(!err, "pthread_join: %s", strerror(err));
}

pid_t kt_tid(void)
{
	return syscall(SYS_gettid);
}

void kt_wait_asleep(pid_t tid)
{
	u64 end = kt_now_ms() + 20000;
	char path[64], buf[512];
	const char *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	do {
		kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0,
			  "cannot read %s", path);
		state = strrchr(buf, ')');
		if (state && state[2] == 'S')
			return;
		sched_yield();
	} while (kt_now_ms() < end);
	kt_assert(0, "thread %d does not go to sleep", tid);
}

u64 kt_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

u32 kt_rand(u32 *state)
{
	u32 x = *state ?: 0x9e3779b9;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

static u8 fill_byte(u32 seed, size_t i)
{
	return seed * 131 + i * 7 + (i >> 8) * 13 + 1;
}

void kt_fill(void *p, size_t n, u32 seed)
{
	u8 *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		b[i] = fill_byte(seed, i);
}

bool kt_filled(const void *p, size_t n, u32 seed)
{
	const u8 *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (b[i] != fill_byte(seed, i))
			return false;
	return true;
}

bool kt_zero(const void *p, size_t n)
{
	const u8 *b = p;

	while (n--)
		if (*b++)
			return false;
	return true;
}

/* ------------------------------------------------------------------------ */
/* Memory and files */

static void *map_anon(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	kt_assert(p != MAP_FAILED, "mmap of %zu bytes: %m", n);
	return p;
}

void *kt_guard(size_t n)
{
	size_t room = (n + KT_PAGE - 1) & ~(KT_PAGE - 1);
	u8 *p = map_anon(room + KT_PAGE, PROT_READ | PROT_WRITE);

	kt_assert(!mprotect(p + room, KT_PAGE, PROT_NONE), "mprotect: %m");
	return p + room - n;
}

void *kt_guard_copy(const void *p, size_t n)
{
	return memcpy(kt_guard(n), p, n);
}

void *kt_half_ro(const void *p, size_t n, size_t rw)
{
	u8 *pages = map_anon(2 * KT_PAGE, PROT_READ | PROT_WRITE);
	u8 *at = pages + KT_PAGE - rw;

	memcpy(at, p, n);
	kt_assert(!mprotect(pages + KT_PAGE, KT_PAGE, PROT_READ),
		  "mprotect: %m");
	return at;
}

void *kt_unmapped(void)
{
	void *p = map_anon(KT_PAGE, PROT_NONE);

	/* nothing else in this process maps memory meanwhile */
	munmap(p, KT_PAGE);
	return p;
}

void *kt_noread(size_t n)
{
	return map_anon(n, PROT_NONE);
}

int kt_memfd(u64 size, unsigned int seals, u32 seed)
{
	int fd = memfd_create("kdbus-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	kt_assert(fd >= 0, "memfd_create: %m");
	kt_assert(!ftruncate(fd, size), "ftruncate: %m");
	if (size && seed) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		kt_assert(p != MAP_FAILED, "mmap of a memfd: %m");
		kt_fill(p, size, seed);
		munmap(p, size);
	}
	if (seals)
		kt_assert(!fcntl(fd, F_ADD_SEALS, seals), "F_ADD_SEALS: %m");
	return fd;
}

int kt_read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, sum = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + sum, size - 1 - sum)) > 0)
		sum += n;
	close(fd);
	if (n < 0)
		return -EIO;
	buf[sum] = '\0';
	return sum;
}

bool kt_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

/* ------------------------------------------------------------------------ */
/* Command structures with items */

void blob_init(struct blob *b, size_t fixed)
{
	memset(b, 0, fixed);
	b->size = fixed;
}

struct kdbus_item *blob_add(struct blob *b, u64 type, const void *data,
			    size_t len)
{
	size_t at = ALIGN8(b->size), end = ALIGN8(at + HDR + len);
	struct kdbus_item *item = (struct kdbus_item *)(b->raw + at);

	kt_assert(end <= sizeof(b->raw), "test bug: blob too small");
	memset(b->raw + at, 0, end - at);
	item->size = HDR + len;
	item->type = type;
	if (data)
		memcpy(item->data, data, len);
	b->size = end;
	return item;
}

struct kdbus_item *blob_add_str(struct blob *b, u64 type, const char *str)
{
	return blob_add(b, type, str, strlen(str) + 1);
}

void blob_fill_to(struct blob *b, size_t size)
{
	size_t at = ALIGN8(b->size);

	kt_assert(size > at + HDR, "test bug: no room for a filling item");
	blob_add(b, KT_ITEM_IGNORED, NULL, size - at - HDR);
	b->size = size;
}

/* ------------------------------------------------------------------------ */
/* Commands */

int kt_cmd(int fd, unsigned long nr, const void *arg)
{
	int ret = ioctl(fd, nr, arg);

	if (ret < 0)
		return -errno;
	kt_check(ret == 0, "ioctl %#lx returned %d", nr, ret);
	return 0;
}

int open_control(void)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s/control", kt_module);
	fd = open(path, O_RDWR | O_CLOEXEC);
	kt_assert(fd >= 0, "open %s: %m", path);
	return fd;
}

void bus_name(char *name, size_t size)
{
	static unsigned int count;

	/* fsuid equals euid unless a test says otherwise */
	snprintf(name, size, "%u-t%d-%llx-%u", geteuid(), getpid(),
		 (unsigned long long)kt_now_ms() & 0xfffff,
		 __atomic_add_fetch(&count, 1, __ATOMIC_SEQ_CST));
}

void bus_paths(struct bus *bus)
{
	snprintf(bus->dir, sizeof(bus->dir), "/dev/%s/%s", kt_module,
		 bus->name);
	snprintf(bus->path, sizeof(bus->path), "%s/bus", bus->dir);
}

void make_init(struct blob *b, u64 flags)
{
	blob_init(b, sizeof(b->make));
	b->make.flags = flags;
}

void make_add_bloom(struct blob *b, u64 size, u64 n_hash)
{
	struct kdbus_bloom_parameter p = { .size = size, .n_hash = n_hash };

	blob_add(b, KDBUS_ITEM_BLOOM_PARAMETER, &p, sizeof(p));
}

void make_std(struct blob *b, u64 flags, const char *name)
{
	make_init(b, flags);
	make_add_bloom(b, KT_BLOOM_SIZE, KT_BLOOM_HASH);
	blob_add_str(b, KDBUS_ITEM_MAKE_NAME, name);
}

int bus_try_make(int control, u64 flags, const char *name)
{
	struct blob b;

	make_std(&b, flags, name);
	return kt_cmd(control, KDBUS_CMD_BUS_MAKE, &b);
}

void bus_make(struct bus *bus, u64 flags)
{
	bus->fd = open_control();
	bus_name(bus->name, sizeof(bus->name));
	bus_paths(bus);
	kt_assert_ret(bus_try_make(bus->fd, flags, bus->name), 0,
		      "BUS_MAKE of %s", bus->name);
}

void bus_close(struct bus *bus)
{
	close(bus->fd);
	bus->fd = -1;
}

bool path_exists(const char *path)
{
	struct stat st;

	return !lstat(path, &st);
}

int open_endpoint(const struct bus *bus)
{
	int fd = open(bus->path, O_RDWR | O_CLOEXEC);

	kt_assert(fd >= 0, "open %s: %m", bus->path);
	return fd;
}

void hello_init(struct blob *b, u64 flags, u64 pool_size)
{
	blob_init(b, sizeof(b->hello));
	b->hello.flags = flags;
	b->hello.pool_size = pool_size;
}

int hello(int fd, u64 flags, u64 pool_size)
{
	struct blob b;

	hello_init(&b, flags, pool_size);
	return kt_cmd(fd, KDBUS_CMD_HELLO, &b);
}

int conn_try_open(struct conn *c, const struct bus *bus, u64 flags,
		  u64 pool_size)
{
	struct blob b;
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = open_endpoint(bus);
	hello_init(&b, flags, pool_size);
	ret = kt_cmd(c->fd, KDBUS_CMD_HELLO, &b);
	if (ret) {
		close(c->fd);
		c->fd = -1;
		return ret;
	}
	c->hello = b.hello;
	c->id = b.hello.id;
	c->pool_size = pool_size;
	c->pool = mmap(NULL, pool_size, PROT_READ, MAP_PRIVATE, c->fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of a pool of %llu bytes: %m",
		  pool_size);
	return 0;
}

void conn_open(struct conn *c, const struct bus *bus, u64 pool_size)
{
	kt_assert_ret(conn_try_open(c, bus, 0, pool_size), 0, "HELLO on %s",
		      bus->name);
}

void conn_close(struct conn *c)
{
	munmap(c->pool, c->pool_size);
	close(c->fd);
	c->fd = -1;
}

int conn_byebye(struct conn *c)
{
	return kt_cmd(c->fd, KDBUS_CMD_BYEBYE, NULL);
}

void msg_init(struct blob *b, u64 dst, u64 cookie)
{
	blob_init(b, sizeof(b->msg));
	b->msg.dst_id = dst;
	b->msg.cookie = cookie;
	b->msg.payload_type = KDBUS_PAYLOAD_DBUS;
}

struct kdbus_item *msg_vec_at(struct blob *b, u64 address, u64 size)
{
	struct kdbus_vec v = { .size = size, .address = address };

	return blob_add(b, KDBUS_ITEM_PAYLOAD_VEC, &v, sizeof(v));
}

struct kdbus_item *msg_vec(struct blob *b, const void *p, u64 size)
{
	return msg_vec_at(b, PTR64(p), size);
}

struct kdbus_item *msg_memfd(struct blob *b, int fd, u64 size)
{
	struct kdbus_memfd m = { .size = size, .fd = fd, .__pad = 0x5a5a5a5a };

	return blob_add(b, KDBUS_ITEM_PAYLOAD_MEMFD, &m, sizeof(m));
}

void msg_bloom(struct blob *b, size_t data_size)
{
	blob_add(b, KDBUS_ITEM_BLOOM_FILTER, NULL, 8 + data_size);
}

int conn_send(struct conn *c, struct blob *b)
{
	return kt_cmd(c->fd, KDBUS_CMD_MSG_SEND, b);
}

int conn_send_bytes(struct conn *c, u64 dst, u64 cookie, const void *p,
		    size_t n)
{
	struct blob b;

	msg_init(&b, dst, cookie);
	if (n)
		msg_vec(&b, p, n);
	return conn_send(c, &b);
}

int conn_send_want(struct conn *c, u64 dst, const void *p, size_t want)
{
	/* header, one item, bytes */
	return conn_send_bytes(c, dst, want, p, want - 72 - 32);
}

int conn_recv_flags(struct conn *c, u64 flags, u64 *offset)
{
	struct kdbus_cmd_recv r = { .flags = flags };
	int ret = kt_cmd(c->fd, KDBUS_CMD_MSG_RECV, &r);

	if (!ret && offset)
		*offset = r.offset;
	return ret;
}

int conn_recv(struct conn *c, u64 *offset)
{
	return conn_recv_flags(c, 0, offset);
}

const struct kdbus_msg *conn_msg(const struct conn *c, u64 offset)
{
	const struct kdbus_msg *m = (const void *)(c->pool + offset);

	kt_assert(!(offset & 7), "offset %llu is not aligned", offset);
	kt_assert(offset < c->pool_size &&
		  sizeof(*m) <= c->pool_size - offset,
		  "offset %llu is not in the pool", offset);
	kt_assert(m->size >= sizeof(*m) && m->size <= c->pool_size - offset,
		  "message size %llu", m->size);
	return m;
}

const struct kdbus_msg *conn_recv_msg(struct conn *c, u64 *offset)
{
	u64 off = ~0ULL;

	kt_assert_ret(conn_recv(c, &off), 0, "MSG_RECV");
	if (offset)
		*offset = off;
	return conn_msg(c, off);
}

int conn_free(struct conn *c, u64 offset)
{
	struct kdbus_cmd_free f = { .offset = offset };

	return kt_cmd(c->fd, KDBUS_CMD_FREE, &f);
}

unsigned int conn_drain(struct conn *c)
{
	unsigned int n = 0;
	u64 off;

	for (;;) {
		int ret = conn_recv(c, &off);

		if (ret == -EAGAIN)
			return n;
		kt_assert_ret(ret, 0, "MSG_RECV while draining");
		kt_assert_ret(conn_free(c, off), 0, "FREE while draining");
		n++;
	}
}

void conn_check_pool_empty(struct conn *sender, struct conn *c)
{
	size_t most = KT_VEC_MAX_SIZE + 104, have = c->pool_size, half;
	void *p = calloc(1, most);
	unsigned int n = 1;

	/* as many of the largest messages as it takes to get to the last half */
	for (; have / 2 > most; have -= most, n++)
		kt_check_ret(conn_send_want(sender, c->id, p, most), 0,
			     "2 MiB into a pool that should be empty");
	half = have / 2 & ~7UL;
	kt_check_ret(conn_send_want(sender, c->id, p, half), 0,
		     "half of a pool that should be empty");
	kt_check_ret(conn_send_want(sender, c->id, p, half), -EXFULL,
		     "more than half of what is left");
	kt_check(conn_drain(c) == n, "a stray message was queued");
	free(p);
}

int fd_poll(int fd, int timeout_ms)
{
	struct pollfd p = {
		.fd = fd,
		.events = POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM |
			  POLLPRI | POLLRDBAND | POLLWRBAND,
	};
	int n = poll(&p, 1, timeout_ms);

	kt_assert(n >= 0, "poll: %m");
	return n ? p.revents : 0;
}

const struct kdbus_item *item_first(const struct kdbus_msg *m)
{
	return m->size > sizeof(*m) ? m->items : NULL;
}

const struct kdbus_item *item_next(const struct kdbus_msg *m,
				   const struct kdbus_item *item)
{
	size_t at = (const u8 *)item - (const u8 *)m;

	kt_assert(item->size >= HDR && item->size <= m->size - at,
		  "received item of size %llu at %zu of %llu", item->size, at,
		  m->size);
	at += ALIGN8(item->size);
	if (at >= m->size)
		return NULL;
	return (const void *)((const u8 *)m + at);
}

const struct kdbus_item *item_find(const struct kdbus_msg *m, u64 type,
				   unsigned int nth)
{
	const struct kdbus_item *item;

	for_each_item(item, m)
		if (item->type == type && !nth--)
			return item;
	return NULL;
}

const struct kt_cmd kt_cmds[] = {
	{
		.name = "BUS_MAKE", .nr = KDBUS_CMD_BUS_MAKE, .on = KT_CONTROL,
		.min = 24, .max = KT_MAKE_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_MAKE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "HELLO", .nr = KDBUS_CMD_HELLO, .on = KT_ENDPOINT,
		.min = 88, .max = KT_HELLO_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_HELLO, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "MSG_SEND", .nr = KDBUS_CMD_MSG_SEND,
		.on = KT_CONNECTED,
		.min = 72, .max = KT_MSG_MAX_SIZE, .too_small = EMSGSIZE,
		.mask = KT_MASK_MSG_SEND, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "MSG_RECV", .nr = KDBUS_CMD_MSG_RECV,
		.on = KT_CONNECTED, .min = 32,
		.mask = KT_MASK_MSG_RECV, .flags = 0, .kernel_flags = 8,
	},
	{
		.name = "FREE", .nr = KDBUS_CMD_FREE, .on = KT_CONNECTED,
		.min = 24,
		.mask = KT_MASK_FREE, .flags = 8, .kernel_flags = 16,
	},
};

const unsigned int kt_n_cmds = ARRAY_SIZE(kt_cmds);
