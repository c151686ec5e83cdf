// SPDX-License-Identifier: GPL-2.0-only
/* Matches, broadcasts and descriptors: see cast.h */

#include <string.h>
#include <sys/resource.h>

#include "cast.h"

void match_init(struct blob *b, u64 cookie, u64 flags)
{
	struct kdbus_cmd_match *m = (void *)b;

	blob_init(b, sizeof(*m));
	m->cookie = cookie;
	m->flags = flags;
}

int match_add(struct conn *c, struct blob *b)
{
	return kt_cmd(c->fd, KDBUS_CMD_MATCH_ADD, b);
}

int match_remove(struct conn *c, u64 cookie)
{
	struct blob b;

	match_init(&b, cookie, 0);
	return kt_cmd(c->fd, KDBUS_CMD_MATCH_REMOVE, &b);
}

void match_all(struct conn *c)
{
	struct blob b;

	match_init(&b, 0, 0);
	kt_assert_ret(match_add(c, &b), 0, "MATCH_ADD without rules");
}

void rule_id(struct blob *b, u64 id)
{
	blob_add(b, KDBUS_ITEM_ID, &id, sizeof(id));
}

void rule_name(struct blob *b, const char *name)
{
	blob_add_str(b, KDBUS_ITEM_NAME, name);
}

void rule_bit(struct blob *b, size_t size, unsigned int bit)
{
	struct kdbus_item *item;

	item = blob_add(b, KDBUS_ITEM_BLOOM_MASK, NULL, size);
	item->data64[bit / 64] |= 1ULL << bit % 64;
}

void rule_id_change(struct blob *b, u64 type, u64 id)
{
	/* flags of a rule are not looked at */
	struct kdbus_notify_id_change c = { .id = id, .flags = 0x5a5a };

	blob_add(b, type, &c, sizeof(c));
}

void rule_name_change(struct blob *b, u64 type, u64 old_id, u64 new_id,
		      const char *name)
{
	size_t len = name ? strlen(name) + 1 : 0;
	struct kdbus_item *item;

	item = blob_add(b, type, NULL, 32 + len);
	item->name_change.old_id.id = old_id;
	item->name_change.old_id.flags = 0x1234;
	item->name_change.new_id.id = new_id;
	item->name_change.new_id.flags = ~0ULL;
	if (name)
		memcpy(item->data + 32, name, len);
}

void cast_init(struct blob *b, u64 cookie)
{
	msg_init(b, KDBUS_DST_ID_BROADCAST, cookie);
	msg_bloom(b, KT_BLOOM_SIZE);
}

void cast_set(struct blob *b, unsigned int bit)
{
	struct kdbus_item *filter = (void *)(b->raw + sizeof(b->msg));

	filter->data64[1 + bit / 64] |= 1ULL << bit % 64;
}

int cast(struct conn *c, u64 cookie)
{
	struct blob b;

	cast_init(&b, cookie);
	return conn_send(c, &b);
}

void expect_cast(struct conn *c, u64 from, u64 cookie)
{
	const struct kdbus_msg *m;
	u64 off;

	m = conn_recv_msg(c, &off);
	kt_check(m->src_id == from && m->dst_id == KDBUS_DST_ID_BROADCAST,
		 "from %llu to %#llx, not a broadcast of %llu", m->src_id,
		 m->dst_id, from);
	kt_check(m->cookie == cookie, "cookie %llu, not %llu", m->cookie,
		 cookie);
	kt_check(!item_find(m, KDBUS_ITEM_BLOOM_FILTER, 0),
		 "the filter was delivered");
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

static void check_note_header(const struct kdbus_msg *m, u64 size)
{
	kt_assert(m->size == size, "size %llu instead of %llu, source %llu",
		  m->size, size, m->src_id);
	kt_check(m->flags == 0 && m->kernel_flags == 0, "flags %#llx, %#llx",
		 m->flags, m->kernel_flags);
	kt_check(m->priority == 0, "priority %lld", m->priority);
	kt_check(m->dst_id == KDBUS_DST_ID_BROADCAST && m->src_id == 0,
		 "from %llu to %#llx", m->src_id, m->dst_id);
	kt_check(m->payload_type == KDBUS_PAYLOAD_KERNEL, "payload type %#llx",
		 m->payload_type);
	kt_check(m->cookie == 0 && m->cookie_reply == 0, "cookies %llu, %llu",
		 m->cookie, m->cookie_reply);
}

static void expect_item(struct conn *c, const struct kdbus_item *want)
{
	const struct kdbus_msg *m;
	u64 off;

	m = conn_recv_msg(c, &off);
	check_note_header(m, sizeof(*m) + want->size);
	kt_check(m->items[0].type == want->type,
		 "type %#llx instead of %#llx", m->items[0].type, want->type);
	kt_check(!memcmp(m->items, want, want->size),
		 "item of type %#llx: wrong bytes", want->type);
	kt_check_ret(conn_free(c, off), 0, "FREE of a notification");
}

void expect_id_note(struct conn *c, u64 type, u64 id, u64 flags)
{
	const u64 want[4] = { 32, type, id, flags };

	expect_item(c, (const void *)want);
}

void expect_name_note(struct conn *c, u64 type, u64 old_id, u64 old_flags,
		      u64 new_id, u64 new_flags, const char *name)
{
	u64 want[6 + 32] = { 16 + ALIGN8(32 + strlen(name) + 1), type,
			     old_id, old_flags, new_id, new_flags };

	kt_assert(strlen(name) < 256, "test bug: long name");
	strcpy((char *)&want[6], name);
	expect_item(c, (const void *)want);
}

void msg_fds(struct blob *b, const int *fds, unsigned int n)
{
	blob_add(b, KDBUS_ITEM_FDS, fds, n * sizeof(*fds));
}

void allow_fds(unsigned int n)
{
	struct rlimit r;

	kt_assert(!getrlimit(RLIMIT_NOFILE, &r), "getrlimit: %m");
	if (r.rlim_cur < n)
		r.rlim_cur = n;
	if (r.rlim_max < n)
		r.rlim_max = n;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &r), "setrlimit: %m");
}

bool hears_bit(struct conn *from, struct conn *to, unsigned int bit)
{
	unsigned int n;
	struct blob m;

	cast_init(&m, bit);
	cast_set(&m, bit);
	kt_assert_ret(conn_send(from, &m), 0, "broadcast");
	n = conn_drain(to);
	kt_check(n <= 1, "bit %u: broadcast came %u times", bit, n);
	return n;
}
