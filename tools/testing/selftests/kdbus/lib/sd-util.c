// SPDX-License-Identifier: GPL-2.0-only
/* What sd-bus of systemd v217 does with a bus: see sd-util.h */

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "sd-util.h"

int sd_bus_try_make(struct bus *bus, u64 flags, const char *name)
{
	struct blob b;

	bus->fd = open_control();
	if (name)
		snprintf(bus->name, sizeof(bus->name), "%s", name);
	else
		bus_name(bus->name, sizeof(bus->name));
	bus_paths(bus);
	make_init(&b, flags);
	make_add_bloom(&b, SD_BLOOM, SD_HASHES);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, bus->name);
	return kt_cmd(bus->fd, KDBUS_CMD_BUS_MAKE, &b);
}

void sd_bus_make(struct bus *bus, u64 flags)
{
	kt_assert_ret(sd_bus_try_make(bus, flags, NULL), 0, "BUS_MAKE");
}

int sd_open(const struct bus *bus)
{
	int fd = open(bus->path, O_RDWR | O_NOCTTY | O_CLOEXEC);

	kt_assert(fd >= 0, "open %s: %m", bus->path);
	return fd;
}

int sd_hello_fd(struct conn *c, int fd, const struct sd_hello *h)
{
	struct blob b;
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = fd;
	hello_init(&b, h->flags, SD_POOL);
	b.hello.attach_flags = h->attach;
	blob_add_str(&b, KDBUS_ITEM_CONN_NAME, h->conn_name ?: "sd-user");
	if (h->creds)
		blob_add(&b, KDBUS_ITEM_CREDS, h->creds, sizeof(*h->creds));
	if (h->label)
		blob_add_str(&b, KDBUS_ITEM_SECLABEL, h->label);
	ret = kt_cmd(fd, KDBUS_CMD_HELLO, &b);
	if (ret)
		return ret;
	c->hello = b.hello;
	c->id = b.hello.id;
	c->pool_size = SD_POOL;
	c->pool = mmap(NULL, SD_POOL, PROT_READ, MAP_SHARED, fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of the whole pool: %m");
	return 0;
}

int sd_try_connect(struct conn *c, const struct bus *bus,
		   const struct sd_hello *h)
{
	int fd = sd_open(bus), ret = sd_hello_fd(c, fd, h);

	if (ret)
		close(fd);
	return ret;
}

void sd_connect(struct conn *c, const struct bus *bus, u64 attach)
{
	const struct sd_hello h = {
		.flags = KDBUS_HELLO_ACCEPT_FD, .attach = attach,
	};

	kt_assert_ret(sd_try_connect(c, bus, &h), 0, "HELLO");
}

void sd_monitor(struct conn *c, const struct bus *bus)
{
	const struct sd_hello h = {
		.flags = KDBUS_HELLO_MONITOR | KDBUS_HELLO_ACCEPT_FD,
		.attach = SD_MONITOR,
	};

	kt_assert_ret(sd_try_connect(c, bus, &h), 0, "HELLO of a monitor");
}

int sd_try_busname(struct conn *c, const struct bus *bus, u64 flags,
		   const char *name, const struct sd_grant *grants,
		   unsigned int n)
{
	unsigned int i;
	struct blob b;
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = sd_open(bus);
	hello_init(&b, flags, SD_POOL);
	b.hello.attach_flags = SD_PID1;
	blob_add_str(&b, KDBUS_ITEM_NAME, name);
	for (i = 0; i < n; i++) {
		const struct kdbus_policy_access p = {
			.type = grants[i].type, .id = grants[i].id,
			.access = grants[i].access,
		};

		blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, &p, sizeof(p));
	}
	ret = kt_cmd(c->fd, KDBUS_CMD_HELLO, &b);
	if (ret)
		close(c->fd);
	c->id = b.hello.id;
	return ret;
}

void sd_activator(struct conn *c, const struct bus *bus, const char *name)
{
	static const struct sd_grant talk = {
		KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_TALK,
	};

	kt_assert_ret(sd_try_busname(c, bus, KDBUS_HELLO_ACTIVATOR |
				     KDBUS_HELLO_ACCEPT_FD, name, &talk, 1),
		      0, "HELLO of an activator");
}

/* ------------------------------------------------------------------------ */
/* Messages */

void sd_begin(struct sd_msg *h, u8 type, u8 flags, u32 cookie)
{
	memset(h, 0, sizeof(*h));
	h->raw[0] = __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__ ? 'l' : 'B';
	h->raw[1] = type;
	h->raw[2] = flags;
	h->raw[3] = 2;
	memcpy(h->raw + 8, &cookie, 4);
	h->size = 16;
}

static void field_bytes(struct sd_msg *h, u8 code, char type, const void *p,
			size_t n)
{
	size_t at = ALIGN8(h->size), end = at + 8 + n + 2;

	kt_assert(end - 16 + h->n + 1 <= 255 && h->n < sizeof(h->ends),
		  "test bug: too many fields");
	h->raw[at] = code;
	memcpy(h->raw + at + 8, p, n);
	h->raw[end - 1] = type;
	h->ends[h->n++] = end - 16;
	h->size = end;
}

void sd_field(struct sd_msg *h, u8 code, char type, const char *value)
{
	field_bytes(h, code, type, value, strlen(value) + 1);
}

void sd_field_u(struct sd_msg *h, u8 code, u32 value)
{
	field_bytes(h, code, 'u', &value, 4);
}

void sd_end(struct sd_msg *h, u32 body)
{
	u32 fields;

	memcpy(h->raw + h->size, h->ends, h->n);
	fields = h->size + h->n - 16;
	memcpy(h->raw + 4, &body, 4);
	memcpy(h->raw + 12, &fields, 4);
	h->size = ALIGN8(h->size + h->n);
}

void sd_unique(char *text, u64 id)
{
	sprintf(text, ":1.%llu", id);
}

void sd_call(struct sd_msg *h, u8 flags, u32 cookie, const char *dst)
{
	sd_begin(h, 1, flags, cookie);
	sd_field(h, 1, 'o', "/com/example/Calc");
	sd_field(h, 3, 's', "Add");
	sd_field(h, 2, 's', "com.example.Calc1");
	sd_field(h, 6, 's', dst);
}

void sd_return(struct sd_msg *h, u32 cookie, u32 cookie_reply, u64 dst)
{
	char text[24];

	sd_unique(text, dst);
	sd_begin(h, 2, SD_NO_REPLY, cookie);
	sd_field_u(h, 5, cookie_reply);
	sd_field(h, 6, 's', text);
}

void sd_signal(struct sd_msg *h, u32 cookie)
{
	sd_begin(h, 4, SD_NO_REPLY, cookie);
	sd_field(h, 1, 'o', "/com/example/Calc");
	sd_field(h, 2, 's', "com.example.Calc1");
	sd_field(h, 3, 's', "Changed");
}

static u32 header_u32(const void *raw, size_t at)
{
	u32 v;

	memcpy(&v, (const u8 *)raw + at, 4);
	return v;
}

static u64 deadline(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec + SD_TIMEOUT;
}

void sd_msg_init(struct blob *b, const struct sd_msg *h, u64 dst,
		 const char *name)
{
	msg_init(b, name ? 0 : dst, header_u32(h->raw, 8));
	if (!(h->raw[2] & SD_NO_REPLY)) {
		b->msg.flags |= EXPECT;
		b->msg.timeout_ns = deadline();
	} else if (h->raw[1] == 2 || h->raw[1] == 3) {
		b->msg.cookie_reply = header_u32(h->raw, 16 + 8);
	}
	if (h->raw[2] & SD_NO_START)
		b->msg.flags |= NOAUTO;
	if (name)
		blob_add_str(b, KDBUS_ITEM_DST_NAME, name);
	msg_vec(b, h->raw, h->size);
}

int sd_send(struct conn *c, struct blob *b)
{
	size_t at = sizeof(b->msg), end = at;

	for (; at < b->size; at = ALIGN8(end)) {
		end = at + ((struct kdbus_item *)(b->raw + at))->size;
		kt_assert(end > at, "test bug: empty item");
	}
	b->size = end;
	return conn_send(c, b);
}

int sd_send_call(struct conn *c, u8 flags, u32 cookie, u64 dst,
		 const char *name)
{
	struct sd_msg h;
	struct blob b;
	char text[24];

	sd_unique(text, dst);
	sd_call(&h, flags, cookie, name ?: text);
	sd_end(&h, 0);
	sd_msg_init(&b, &h, dst, name);
	return sd_send(c, &b);
}

int sd_send_return(struct conn *c, u32 cookie, u32 cookie_reply, u64 dst)
{
	struct sd_msg h;
	struct blob b;

	sd_return(&h, cookie, cookie_reply, dst);
	sd_end(&h, 0);
	sd_msg_init(&b, &h, dst, NULL);
	return sd_send(c, &b);
}

int sd_send_signal(struct conn *c, u32 cookie, const u8 *filter)
{
	struct kdbus_item *item;
	struct sd_msg h;
	struct blob b;

	sd_signal(&h, cookie);
	sd_end(&h, 0);
	sd_msg_init(&b, &h, KDBUS_DST_ID_BROADCAST, NULL);
	item = blob_add(&b, KDBUS_ITEM_BLOOM_FILTER, NULL, 8 + SD_BLOOM);
	if (filter)
		memcpy(item->data + 8, filter, SD_BLOOM);
	return sd_send(c, &b);
}

static size_t read_part(const struct kdbus_msg *m,
			const struct kdbus_item *item, u8 *to)
{
	void *p;

	if (item->type == KDBUS_ITEM_PAYLOAD_MEMFD) {
		p = mmap(NULL, item->memfd.size, PROT_READ, MAP_PRIVATE,
			 item->memfd.fd, 0);
		kt_assert(p != MAP_FAILED, "mmap of a received memfd: %m");
		memcpy(to, p, item->memfd.size);
		munmap(p, item->memfd.size);
		return item->memfd.size;
	}
	if (item->vec.offset == ~0ULL)
		memset(to, 0, item->vec.size);
	else
		memcpy(to, (const u8 *)m + item->vec.offset, item->vec.size);
	return item->vec.size;
}

size_t sd_read(const struct conn *c, const struct kdbus_msg *m, u8 *buf,
	       size_t size)
{
	const struct kdbus_item *item, *first = NULL;
	size_t n = 0, want;

	(void)c;
	for_each_item(item, m) {
		if (item->type != KDBUS_ITEM_PAYLOAD_OFF &&
		    item->type != KDBUS_ITEM_PAYLOAD_MEMFD)
			continue;
		kt_assert(item->size == 32 && item->vec.size <= size - n,
			  "part of %llu bytes", item->vec.size);
		first = first ?: item;
		n += read_part(m, item, buf + n);
	}
	if (!kt_check(first && first->type == KDBUS_ITEM_PAYLOAD_OFF &&
		      first->vec.offset != ~0ULL && first->vec.size >= 16,
		      "the first part has no header"))
		return 0;
	want = 16 + ALIGN8(header_u32(buf, 12));
	kt_check(first->vec.size >= want, "the first part lacks fields");
	want += header_u32(buf, 4);
	kt_check(n == want, "%zu bytes instead of %zu", n, want);
	kt_check(m->payload_type == KDBUS_PAYLOAD_DBUS, "payload type %#llx",
		 m->payload_type);
	kt_check(m->cookie == header_u32(buf, 8), "cookies differ");
	return n;
}

void sd_expect(struct conn *c, const struct sd_msg *h, u64 src, u64 dst)
{
	const struct kdbus_msg *m;
	static u8 buf[4096];
	u64 off;

	m = conn_recv_msg(c, &off);
	kt_check(m->src_id == src && m->dst_id == dst, "from %llu to %#llx",
		 m->src_id, m->dst_id);
	kt_check(sd_read(c, m, buf, sizeof(buf)) >= h->size &&
		 !memcmp(buf, h->raw, h->size), "another message");
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

/* ------------------------------------------------------------------------ */
/* Match rules */

static int add_note(struct conn *c, u64 cookie, u64 type, u64 old_id,
		    u64 new_id, const char *name)
{
	size_t len = name ? strlen(name) + 1 : 0;
	struct kdbus_item *item;
	struct blob b;

	match_init(&b, cookie, 0);
	item = blob_add(&b, type, NULL, 32 + len);
	item->name_change.old_id.id = old_id;
	item->name_change.new_id.id = new_id;
	if (name)
		memcpy(item->data + 32, name, len);
	kt_check(item->size == 48 + len, "test bug: item size");
	return match_add(c, &b);
}

static int add_id_note(struct conn *c, u64 cookie, u64 type, u64 id)
{
	const struct kdbus_notify_id_change n = { .id = id };
	struct blob b;

	match_init(&b, cookie, 0);
	blob_add(&b, type, &n, sizeof(n));
	return match_add(c, &b);
}

static int add_notes(struct conn *c, u64 cookie, const struct sd_rule *r)
{
	u64 old = r->arg1 ?: ANY, new = r->arg2 ?: ANY, id = r->arg0_id ?: ANY;
	int ret = 0;

	if (!r->arg0_id && !r->arg1)
		ret = add_note(c, cookie, KDBUS_ITEM_NAME_ADD, ANY, new,
			       r->arg0);
	if (!ret && !r->arg0_id && !r->arg2)
		ret = add_note(c, cookie, KDBUS_ITEM_NAME_REMOVE, old, ANY,
			       r->arg0);
	if (!ret && !r->arg0_id)
		ret = add_note(c, cookie, KDBUS_ITEM_NAME_CHANGE, old, new,
			       r->arg0);
	if (!ret && !r->arg0 && !r->arg1)
		ret = add_id_note(c, cookie, KDBUS_ITEM_ID_ADD, id);
	if (!ret && !r->arg0 && !r->arg2)
		ret = add_id_note(c, cookie, KDBUS_ITEM_ID_REMOVE, id);
	return ret;
}

int sd_add_match(struct conn *c, u64 cookie, const struct sd_rule *r)
{
	struct blob b;
	int ret;

	match_init(&b, cookie, 0);
	if (r->sender)
		rule_id(&b, r->sender);
	if (r->mask)
		blob_add(&b, KDBUS_ITEM_BLOOM_MASK, r->mask, SD_BLOOM);
	if (r->name)
		rule_name(&b, r->name);
	ret = match_add(c, &b);
	if (!ret && r->notes)
		ret = add_notes(c, cookie, r);
	if (ret)
		sd_remove_match(c, cookie);
	return ret;
}

int sd_remove_match(struct conn *c, u64 cookie)
{
	return match_remove(c, cookie);
}
