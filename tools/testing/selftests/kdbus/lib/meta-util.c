// SPDX-License-Identifier: GPL-2.0-only
/* Metadata, reading it, commands about it: see meta-util.h */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "meta-util.h"

#define POOL	(256 * KIB)

const u64 meta_types[N_ATTACH] = {
	KDBUS_ITEM_TIMESTAMP, KDBUS_ITEM_CREDS, KDBUS_ITEM_AUXGROUPS,
	KDBUS_ITEM_NAME, KDBUS_ITEM_TID_COMM, KDBUS_ITEM_PID_COMM,
	KDBUS_ITEM_EXE, KDBUS_ITEM_CMDLINE, KDBUS_ITEM_CGROUP,
	KDBUS_ITEM_CAPS, KDBUS_ITEM_SECLABEL, KDBUS_ITEM_AUDIT,
	KDBUS_ITEM_CONN_NAME,
};

/* ------------------------------------------------------------------------ */
/* Items */

static bool is_meta(u64 type)
{
	return type >= _KDBUS_ITEM_ATTACH_BASE &&
	       type < _KDBUS_ITEM_POLICY_BASE;
}

/* all items from @at on; metadata comes last and its padding is zero */
static void collect(struct meta *m, const void *start, size_t at, u64 size)
{
	m->n = 0;
	while (at < size) {
		const struct kdbus_item *i = start + at;

		kt_assert(size - at >= HDR && i->size >= HDR &&
			  i->size <= size - at,
			  "item of size %llu at %zu of %llu", i->size, at,
			  size);
		at += i->size;
		if (is_meta(i->type)) {
			kt_assert(m->n < ARRAY_SIZE(m->items), "many items");
			m->items[m->n++] = i;
			kt_check(ALIGN8(at) > size ||
				 kt_zero(start + at, ALIGN8(at) - at),
				 "padding of item %#llx is not zero", i->type);
		} else {
			kt_check(m->n == 0, "item %#llx behind metadata",
				 i->type);
		}
		at = ALIGN8(at);
	}
}

void meta_of_msg(struct meta *m, const struct kdbus_msg *msg)
{
	kt_check(msg->size % 8 == 0, "message size %llu", msg->size);
	collect(m, msg, sizeof(*msg), msg->size);
}

void meta_of_info(struct meta *m, const struct kdbus_info *info)
{
	collect(m, info, sizeof(*info), info->size);
}

const struct kdbus_item *meta_find(const struct meta *m, u64 type,
				   unsigned int nth)
{
	unsigned int i;

	for (i = 0; i < m->n; i++)
		if (m->items[i]->type == type && !nth--)
			return m->items[i];
	return NULL;
}

u64 meta_bits(const struct meta *m)
{
	unsigned int i, bit;
	u64 bits = 0;

	for (i = 0; i < m->n; i++) {
		u64 type = m->items[i]->type;

		for (bit = 0; bit < N_ATTACH; bit++)
			if (meta_types[bit] == type)
				break;
		if (!kt_check(bit < N_ATTACH, "item of type %#llx", type))
			continue;
		kt_check(!(bits & 1ULL << bit) || type == KDBUS_ITEM_NAME,
			 "item of type %#llx twice", type);
		bits |= 1ULL << bit;
	}
	return bits;
}

void meta_expect_bits(const struct meta *m, u64 bits, const char *what)
{
	u64 is = meta_bits(m);

	kt_check(is == bits, "%s: kinds %#llx instead of %#llx", what, is,
		 bits);
}

void meta_expect_names(const struct meta *m, const char *const *names,
		       const u64 *flags)
{
	const struct kdbus_item *i;
	unsigned int n;

	for (n = 0; names[n]; n++) {
		i = meta_find(m, KDBUS_ITEM_NAME, n);
		if (!kt_check(i, "no name %s, number %u", names[n], n))
			return;
		kt_check(i->size == HDR + 8 + strlen(names[n]) + 1 &&
			 !strcmp(i->name.name, names[n]),
			 "name %u: size %llu, \"%s\" instead of \"%s\"", n,
			 i->size, i->name.name, names[n]);
		kt_check(i->name.flags == flags[n], "%s: flags %#llx, not %#llx",
			 names[n], i->name.flags, flags[n]);
	}
	i = meta_find(m, KDBUS_ITEM_NAME, n);
	if (i)
		kt_check(false, "further name %s", i->name.name);
}

void meta_expect_str(const struct meta *m, u64 type, const char *str)
{
	const struct kdbus_item *i = meta_find(m, type, 0);

	if (!str) {
		kt_check(!i, "item of type %#llx", type);
		return;
	}
	if (!kt_check(i, "no item of type %#llx", type))
		return;
	kt_check(i->size == HDR + strlen(str) + 1 && !strcmp(i->str, str),
		 "item of type %#llx: size %llu, \"%.*s\" instead of \"%s\"",
		 type, i->size, (int)(i->size - HDR), i->str, str);
}

const struct kdbus_creds *meta_creds(const struct meta *m)
{
	const struct kdbus_item *i = meta_find(m, KDBUS_ITEM_CREDS, 0);

	kt_assert(i && i->size == HDR + 40, "no credentials");
	return &i->creds;
}

const struct kdbus_timestamp *meta_stamp(const struct meta *m)
{
	const struct kdbus_item *i = meta_find(m, KDBUS_ITEM_TIMESTAMP, 0);

	kt_assert(i && i->size == HDR + 24, "no timestamp");
	return &i->timestamp;
}

const struct kdbus_msg *meta_recv(struct conn *c, u64 cookie, struct meta *m)
{
	const struct kdbus_msg *msg = conn_recv_msg(c, NULL);

	kt_check(msg->cookie == cookie, "cookie %llu, not %llu", msg->cookie,
		 cookie);
	meta_of_msg(m, msg);
	return msg;
}

void meta_recv_bits(struct conn *c, u64 cookie, u64 bits)
{
	const struct kdbus_msg *msg;
	char what[64];
	struct meta m;

	msg = meta_recv(c, cookie, &m);
	snprintf(what, sizeof(what), "message %llu to %llu",
		 (unsigned long long)cookie, (unsigned long long)c->id);
	meta_expect_bits(&m, bits, what);
	kt_check_ret(conn_free(c, (const u8 *)msg - c->pool), 0, "FREE");
}

/* ------------------------------------------------------------------------ */
/* HELLO, CONN_UPDATE */

int conn_try_hello(struct conn *c, const struct bus *bus, int fd,
		   struct blob *b)
{
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = fd >= 0 ? fd : open_endpoint(bus);
	ret = kt_cmd(c->fd, KDBUS_CMD_HELLO, b);
	if (ret) {
		if (fd < 0)
			close(c->fd);
		c->fd = -1;
		return ret;
	}
	c->hello = b->hello;
	c->id = b->hello.id;
	c->pool_size = b->hello.pool_size;
	c->pool = mmap(NULL, c->pool_size, PROT_READ, MAP_PRIVATE, c->fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of a pool: %m");
	return 0;
}

void conn_hello(struct conn *c, const struct bus *bus, struct blob *b)
{
	kt_assert_ret(conn_try_hello(c, bus, -1, b), 0, "HELLO");
}

void meta_open(struct conn *c, const struct bus *bus, u64 mask,
	       const char *name)
{
	struct blob b;

	hello_init(&b, 0, POOL);
	b.hello.attach_flags = mask;
	if (name)
		blob_add_str(&b, KDBUS_ITEM_CONN_NAME, name);
	conn_hello(c, bus, &b);
}

void meta_special(struct conn *c, const struct bus *bus, u64 flags, u64 mask,
		  const char *name)
{
	struct blob b;

	hello_init(&b, flags, POOL);
	b.hello.attach_flags = mask;
	if (name)
		blob_add_str(&b, KDBUS_ITEM_NAME, name);
	conn_hello(c, bus, &b);
}

void meta_recv_bare(struct conn *c, u64 cookie)
{
	const struct kdbus_msg *msg;
	struct meta m;

	msg = meta_recv(c, cookie, &m);
	meta_expect_bits(&m, 0, "a bare message");
	kt_check(msg->size == sizeof(*msg) + 32 &&
		 msg->items[0].type == KDBUS_ITEM_PAYLOAD_OFF &&
		 ((const u8 *)msg)[msg->items[0].vec.offset] == 'x',
		 "payload, message of size %llu", msg->size);
	kt_check_ret(conn_free(c, (const u8 *)msg - c->pool), 0, "FREE");
}

void meta_dirty(struct conn *from, struct conn *to)
{
	static u8 bytes[32 * 1024];
	u64 off[3];
	int i;

	memset(bytes, 0xa5, sizeof(bytes));
	for (i = 0; i < 3; i++) {
		kt_assert_ret(conn_send_bytes(from, to->id, i, bytes,
					      sizeof(bytes)), 0, "send");
		conn_recv_msg(to, &off[i]);
	}
	for (i = 0; i < 3; i++)
		kt_assert_ret(conn_free(to, off[i]), 0, "FREE");
}

void send_ok(struct conn *from, struct conn *to, u64 cookie)
{
	kt_assert_ret(conn_send_bytes(from, to->id, cookie, NULL, 0), 0,
		      "message %llu", cookie);
}

void update_init(struct blob *b, u64 flags)
{
	blob_init(b, sizeof(struct kdbus_cmd_update));
	((struct kdbus_cmd_update *)b)->flags = flags;
}

void update_add_mask(struct blob *b, u64 mask)
{
	blob_add(b, KDBUS_ITEM_ATTACH_FLAGS, &mask, sizeof(mask));
}

int update(struct conn *c, struct blob *b)
{
	return kt_cmd(c->fd, KDBUS_CMD_CONN_UPDATE, b);
}

void update_mask(struct conn *c, u64 mask)
{
	struct blob b;

	update_init(&b, 0);
	update_add_mask(&b, mask);
	kt_assert_ret(update(c, &b), 0, "CONN_UPDATE to %#llx", mask);
}

/* ------------------------------------------------------------------------ */
/* CONN_INFO, BUS_CREATOR_INFO */

void info_init(struct blob *b, u64 id, const char *name, u64 flags)
{
	struct kdbus_cmd_info *cmd = (void *)b;

	blob_init(b, sizeof(*cmd));
	cmd->id = id;
	cmd->flags = flags;
	cmd->offset = 12345;
	if (name)
		blob_add_str(b, KDBUS_ITEM_NAME, name);
}

int info_cmd(struct conn *c, unsigned long nr, struct blob *b,
	     const struct kdbus_info **info)
{
	const struct kdbus_cmd_info *cmd = (void *)b;
	int ret = kt_cmd(c->fd, nr, b);

	if (ret || !info)
		return ret;
	kt_assert(cmd->offset % 8 == 0 && cmd->offset < c->pool_size,
		  "offset %llu", cmd->offset);
	*info = (const void *)(c->pool + cmd->offset);
	kt_assert((*info)->size >= sizeof(**info) &&
		  (*info)->size <= c->pool_size - cmd->offset,
		  "info of size %llu", (*info)->size);
	return 0;
}

int conn_info(struct conn *c, u64 id, const char *name, u64 flags,
	      const struct kdbus_info **info)
{
	struct blob b;

	info_init(&b, id, name, flags);
	return info_cmd(c, KDBUS_CMD_CONN_INFO, &b, info);
}

const struct kdbus_info *conn_info_meta(struct conn *c, u64 id, u64 flags,
					struct meta *m)
{
	const struct kdbus_info *info;

	kt_assert_ret(conn_info(c, id, NULL, flags, &info), 0,
		      "CONN_INFO of %llu, flags %#llx", id, flags);
	kt_check(info->id == id, "info about %llu, not %llu", info->id, id);
	meta_of_info(m, info);
	return info;
}

const struct kdbus_info *creator_info_meta(struct conn *c, u64 flags,
					   struct meta *m)
{
	const struct kdbus_info *info;
	struct blob b;

	info_init(&b, 0, NULL, flags);
	kt_assert_ret(info_cmd(c, KDBUS_CMD_BUS_CREATOR_INFO, &b, &info), 0,
		      "BUS_CREATOR_INFO, flags %#llx", flags);
	meta_of_info(m, info);
	return info;
}

int info_free(struct conn *c, const struct kdbus_info *info)
{
	return conn_free(c, (const u8 *)info - c->pool);
}

int endpoint_make(struct bus *ep, const struct bus *bus, const char *name,
		  u64 access)
{
	struct kdbus_policy_access p = {
		.type = KDBUS_POLICY_ACCESS_WORLD, .access = access,
	};
	struct blob b;

	*ep = *bus;
	bus_name(ep->name, sizeof(ep->name));
	kt_assert(snprintf(ep->path, sizeof(ep->path), "%s/%s", bus->dir,
			   ep->name) < (int)sizeof(ep->path),
		  "test bug: path");
	make_init(&b, KDBUS_MAKE_ACCESS_WORLD);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, ep->name);
	if (name) {
		blob_add_str(&b, KDBUS_ITEM_NAME, name);
		blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, &p, sizeof(p));
	}
	ep->fd = open_endpoint(bus);
	return kt_cmd(ep->fd, KDBUS_CMD_ENDPOINT_MAKE, &b);
}
