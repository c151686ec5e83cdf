// SPDX-License-Identifier: GPL-2.0-only
/* Buses, connections, messages: the wrappers that tests use */

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
#include "util.h"

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

	/*
	 * fsuid equals euid unless a test says otherwise. All names of one
	 * process have one length.
	 */
	snprintf(name, size, "%u-t%d-%05llx-%06u", geteuid(), getpid(),
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
		.name = "BUS_MAKE", .nr = KDBUS_CMD_BUS_MAKE,
		.on = KT_CONTROL,
		.min = 24, .max = KT_MAKE_MAX_SIZE,
		.too_small = EINVAL, .no_items = EBADMSG,
		.mask = KT_MASK_BUS_MAKE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "DOMAIN_MAKE", .nr = KDBUS_CMD_DOMAIN_MAKE,
		.on = KT_CONTROL,
		.min = 24, .max = KT_MAKE_MAX_SIZE,
		.too_small = EINVAL, .no_items = EBADMSG,
		.mask = KT_MASK_MAKE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "ENDPOINT_MAKE", .nr = KDBUS_CMD_ENDPOINT_MAKE,
		.on = KT_ENDPOINT,
		.min = 24, .max = KT_MAKE_MAX_SIZE,
		.too_small = EINVAL, .no_items = EBADMSG,
		.mask = KT_MASK_MAKE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "ENDPOINT_UPDATE", .nr = KDBUS_CMD_ENDPOINT_UPDATE,
		.on = KT_ENDPOINT_OWNER,
		.min = 24, .max = KT_UPDATE_MAX_SIZE, .too_small = EINVAL,
		.mask = 0, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "HELLO", .nr = KDBUS_CMD_HELLO,
		.on = KT_ENDPOINT,
		.min = 88, .max = KT_HELLO_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_HELLO, .flags = 8, .kernel_flags = 16,
		.results = KT_WORD(32) | KT_WORD(40) | KT_WORD(56) |
			   KT_WORD(64) | KT_WORD(72) | KT_WORD(80),
	},
	{
		.name = "MSG_SEND", .nr = KDBUS_CMD_MSG_SEND,
		.on = KT_CONNECTED,
		.min = 72, .max = KT_MSG_MAX_SIZE, .too_small = EMSGSIZE,
		.items_first = true,
		.mask = KT_MASK_MSG_SEND, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "MSG_RECV", .nr = KDBUS_CMD_MSG_RECV,
		.on = KT_CONNECTED,
		.min = 32,
		.mask = KT_MASK_MSG_RECV, .flags = 0, .kernel_flags = 8,
		.results = KT_WORD(24),
	},
	{
		.name = "MSG_CANCEL", .nr = KDBUS_CMD_MSG_CANCEL,
		.on = KT_CONNECTED,
		.min = 16,
		.mask = 0, .flags = 8, .kernel_flags = 0,
	},
	{
		.name = "FREE", .nr = KDBUS_CMD_FREE,
		.on = KT_CONNECTED,
		.min = 24,
		.mask = KT_MASK_FREE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "NAME_ACQUIRE", .nr = KDBUS_CMD_NAME_ACQUIRE,
		.on = KT_CONNECTED,
		.min = 24, .max = KT_NAME_MAX_SIZE,
		.too_small = EINVAL, .no_items = EINVAL,
		.mask = KT_MASK_NAME_ACQUIRE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "NAME_RELEASE", .nr = KDBUS_CMD_NAME_RELEASE,
		.on = KT_CONNECTED,
		.min = 24, .max = KT_NAME_MAX_SIZE,
		.too_small = EINVAL, .no_items = EINVAL,
		.mask = 0, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "NAME_LIST", .nr = KDBUS_CMD_NAME_LIST,
		.on = KT_CONNECTED,
		.min = 24,
		.mask = KT_MASK_NAME_LIST, .flags = 0, .kernel_flags = 8,
		.results = KT_WORD(16),
	},
	{
		.name = "CONN_INFO", .nr = KDBUS_CMD_CONN_INFO,
		.on = KT_CONNECTED,
		.min = 40, .max = KT_INFO_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_INFO, .flags = 8, .kernel_flags = 16,
		.results = KT_WORD(32),
	},
	{
		.name = "BUS_CREATOR_INFO", .nr = KDBUS_CMD_BUS_CREATOR_INFO,
		.on = KT_CONNECTED,
		.min = 40, .max = KT_INFO_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_INFO, .flags = 8, .kernel_flags = 16,
		.results = KT_WORD(32),
	},
	{
		.name = "CONN_UPDATE", .nr = KDBUS_CMD_CONN_UPDATE,
		.on = KT_CONNECTED,
		.min = 24, .max = KT_UPDATE_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_CONN_UPDATE, .flags = 8, .kernel_flags = 16,
	},
	{
		.name = "MATCH_ADD", .nr = KDBUS_CMD_MATCH_ADD,
		.on = KT_CONNECTED,
		.min = 32, .max = KT_MATCH_MAX_SIZE, .too_small = EINVAL,
		.mask = KT_MASK_MATCH_ADD, .flags = 16, .kernel_flags = 24,
	},
	{
		.name = "MATCH_REMOVE", .nr = KDBUS_CMD_MATCH_REMOVE,
		.on = KT_CONNECTED,
		.min = 32, .max = 32, .too_small = EINVAL,
		.mask = 0, .flags = 16, .kernel_flags = 24,
	},
};

const unsigned int kt_n_cmds = ARRAY_SIZE(kt_cmds);
