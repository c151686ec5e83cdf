// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md sections 3, 4 and 6: connecting, messages, their items */

#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sd-util.h"

#define FDS	KDBUS_HELLO_ACCEPT_FD
#define PART	(512 * KIB)

static struct bus bus;
static struct conn a, b;

static void prepare(u64 attach)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, attach);
	sd_connect(&b, &bus, attach);
}

/* ------------------------------------------------------------------------ */
/* 3: connecting */

/* w of 7.1 */
static u64 hash_bytes(u64 m)
{
	u64 log = 63 - __builtin_clzll(m);

	return (log + 7) / 8;
}

/* given up if bits 32 to 63 of bus_flags, or if the bloom does not suit */
static void check_results(const struct conn *c, u64 flags, u64 make)
{
	const struct kdbus_cmd_hello *h = &c->hello;
	u64 bits = h->bloom.size * 8;

	kt_check(!(h->bus_flags >> 32) && h->bus_flags == make,
		 "bus_flags %#llx", h->bus_flags);
	kt_check(h->bloom.size == SD_BLOOM && h->bloom.n_hash == SD_HASHES,
		 "bloom %llu, %llu", h->bloom.size, h->bloom.n_hash);
	kt_check(hash_bytes(bits) * h->bloom.n_hash <= 64 &&
		 !(bits & (bits - 1)), "bloom does not suit");
	kt_check(h->id && !kt_zero(h->id128, 16), "ids");
	kt_check(h->flags == flags, "flags %#llx", h->flags);
}

static const struct {
	u64 flags, attach;
	const char *name;
} kinds[] = {
	{ FDS, SD_PLAIN, "sd-user-my_2dapp" },
	{ FDS, SD_PLAIN, "sd-user" },
	{ FDS, SD_PLAIN, "sd" },
	{ FDS, SD_PLAIN, "sd_2dproxy" },
	{ 0, SD_PLAIN, "sd_2dproxy" },
	{ FDS, SD_SYSTEM, "sd-system" },
	/* 15 bytes of which all are escaped */
	{ FDS, SD_SYSTEM,
	  "sd-system-_2d_2d_2d_2d_2d_2d_2d_2d_2d_2d_2d_2d_2d_2d_c3" },
	{ FDS, SD_SYSTEM, "_" },
	{ FDS, SD_SYSTEM, "_30a" },
	{ FDS | KDBUS_HELLO_MONITOR, SD_MONITOR, "sd-busctl" },
	{ FDS, SD_PID1, "sd-system-systemd" },
	/* creds and unit for an application, plus NAMES */
	{ FDS, SD_PLAIN | KDBUS_ATTACH_CREDS | KDBUS_ATTACH_CGROUP, "sd-x" },
};

/* HELLO of every kind; CONN_NAME is what the others are told */
START_TEST(hello_kinds)
{
	static const u64 makes[] = { 0, KDBUS_MAKE_ACCESS_WORLD };
	const struct kdbus_item *item;
	struct conn c;
	size_t i;
	u64 off;

	for (i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct sd_hello h = {
			.flags = kinds[i].flags, .attach = kinds[i].attach,
			.conn_name = kinds[i].name,
		};

		sd_bus_make(&bus, makes[i % 2]);
		kt_assert_ret(sd_try_connect(&c, &bus, &h), 0, "%s",
			      kinds[i].name);
		check_results(&c, h.flags, makes[i % 2]);
		kt_check(c.hello.attach_flags == h.attach, "attach flags");
		kt_assert_ret(sd_info(&c, c.id, NULL, KDBUS_ATTACH_CONN_NAME,
				      &off), 0, "CONN_INFO");
		item = sd_info_item(sd_info_at(&c, off),
				    KDBUS_ITEM_CONN_NAME, 0);
		kt_check(item && !strcmp(item->str, kinds[i].name),
			 "CONN_NAME %s", item ? item->str : "none");
		conn_close(&c);
		bus_close(&bus);
	}
}
END_TEST

/* extensions of the interface do not show in what bits 32 to 63 are */
START_TEST(no_high_bits)
{
	struct conn c;
	struct blob m;

	bus.fd = open_control();
	bus_name(bus.name, sizeof(bus.name));
	bus_paths(&bus);
	make_init(&m, KDBUS_EXT_ATTACH);
	make_add_bloom(&m, SD_BLOOM, SD_HASHES);
	blob_add_str(&m, KDBUS_ITEM_MAKE_NAME, bus.name);
	kt_assert_ret(kt_cmd(bus.fd, KDBUS_CMD_BUS_MAKE, &m), 0,
		      "BUS_MAKE with an extension");
	sd_connect(&c, &bus, SD_PLAIN);
	check_results(&c, FDS, 0);
}
END_TEST

/* all of the pool, shared, read-only, at 0; and nothing else will do */
START_TEST(mapping)
{
	void *p;

	prepare(SD_PLAIN);
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	p = mmap(NULL, SD_POOL, PROT_READ, MAP_SHARED, b.fd, 0);
	kt_assert(p != MAP_FAILED, "mapping again: %m");
	kt_check(!memcmp(p, b.pool, KT_PAGE) &&
		 !memcmp((u8 *)p + SD_POOL - KT_PAGE,
			 b.pool + SD_POOL - KT_PAGE, KT_PAGE),
		 "the mappings differ");
	kt_check(mprotect(p, SD_POOL, PROT_READ | PROT_WRITE) < 0,
		 "it can be written");
}
END_TEST

/* POLLIN when there is something, POLLOUT always; try close */
START_TEST(poll_and_close)
{
	const struct kdbus_msg *m;
	u64 off;

	prepare(SD_PLAIN);
	kt_check(fd_poll(b.fd, 0) == (POLLOUT | POLLWRNORM), "idle");
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	kt_check(fd_poll(b.fd, 0) == (POLLIN | POLLRDNORM | POLLOUT |
				      POLLWRNORM), "with a message");
	/* only while the library's queue is empty, but the kernel's is not */
	kt_check_ret(conn_byebye(&b), -EBUSY, "BYEBYE");
	m = conn_recv_msg(&b, &off);
	kt_check(m->cookie == 1, "cookie %llu", m->cookie);
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "nothing more");
	kt_check_ret(conn_free(&b, off), 0, "FREE");
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	/* closing only drops the descriptor */
	kt_check_ret(sd_send_call(&b, 0, 1, a.id, NULL), -ECONNRESET, "gone");
	sd_connect(&b, &bus, SD_PLAIN);
	kt_check_ret(sd_send_call(&a, 0, 2, b.id, NULL), 0, "call");
	conn_close(&b);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* 4.1: the kernel header */

static const struct {
	u8 type, flags;
	bool by_name;
	u64 want;
	int err_cast;
} headers[] = {
	{ 1, 0, true, EXPECT, ENOTUNIQ },
	{ 1, 0, false, EXPECT, ENOTUNIQ },
	{ 1, SD_NO_REPLY, true, 0, 0 },
	{ 1, SD_NO_START, false, EXPECT | NOAUTO, ENOTUNIQ },
	{ 1, SD_NO_START, true, EXPECT | NOAUTO, ENOTUNIQ },
	{ 1, SD_NO_START | SD_NO_REPLY, true, NOAUTO, 0 },
	{ 1, 4, true, EXPECT, ENOTUNIQ },
	{ 4, SD_NO_REPLY, false, 0, 0 },
	/* V217: a forwarded signal that lacks the flag is a request */
	{ 4, 0, false, EXPECT, ENOTUNIQ },
};

static void check_header(size_t i, long long priority)
{
	u64 dst = headers[i].by_name ? 0 : b.id, off, deadline;
	const struct kdbus_msg *m;
	struct sd_msg h;
	struct blob blob;

	sd_begin(&h, headers[i].type, headers[i].flags, 0xfffffffe);
	sd_field(&h, 1, 'o', "/com/example/Calc");
	sd_field(&h, 2, 's', "com.example.Calc1");
	sd_field(&h, 3, 's', "Add");
	sd_end(&h, 0);
	sd_msg_init(&blob, &h, dst, headers[i].by_name ? SD_NAME : NULL);
	blob.msg.priority = priority;
	deadline = blob.msg.timeout_ns;
	kt_check(blob.msg.flags == headers[i].want, "row %zu", i);
	kt_assert_ret(sd_send(&a, &blob), 0, "row %zu", i);
	m = conn_recv_msg(&b, &off);
	kt_check(m->flags == headers[i].want, "row %zu: flags %#llx", i,
		 m->flags);
	kt_check(m->priority == priority, "priority %lld", m->priority);
	kt_check(m->dst_id == dst && m->src_id == a.id, "row %zu: ids", i);
	kt_check(m->cookie == 0xfffffffe, "cookie %#llx", m->cookie);
	kt_check(m->payload_type == KDBUS_PAYLOAD_DBUS, "payload type");
	kt_check(m->timeout_ns == deadline, "row %zu: deadline", i);
	kt_check_ret(conn_free(&b, off), 0, "FREE");
	/* the same as broadcast */
	sd_msg_init(&blob, &h, KDBUS_DST_ID_BROADCAST, NULL);
	msg_bloom(&blob, SD_BLOOM);
	kt_check_ret(sd_send(&a, &blob), -headers[i].err_cast,
		     "row %zu as broadcast", i);
}

START_TEST(kernel_header)
{
	size_t i;

	prepare(SD_PLAIN);
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	for (i = 0; i < ARRAY_SIZE(headers); i++) {
		check_header(i, 0);
		check_header(i, -5);
		check_header(i, 7);
	}
	/* only ":1." marks a unique name */
	kt_check_ret(sd_send_call(&a, 0, 9, 0, ":2.5"), -EINVAL, ":2.5");
	expect_empty(&a);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* 4.2, 4.3 and 6: items */

static const u8 worked_body[25] = {
	0x68, 0x69, 0, 0, 7, 0, 0, 0, 0x6b, 0, 0, 0, 0, 0, 0, 0,
	0xfe, 0xff, 0xff, 0xff, 0, 0x69, 2, 0x0f, 3,
};

static const u8 worked_end[12] = {
	0, 0x67, 0x1c, 0x2e, 0x4c, 0x6b, 0x82, 0,
};

/* section 6, byte for byte */
START_TEST(worked_message)
{
	const struct kdbus_item *i;
	const struct kdbus_msg *m;
	struct blob blob;
	struct sd_msg h;
	u8 buf[256];
	u64 off;

	prepare(0);
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	sd_call(&h, 0, 1, SD_NAME);
	sd_field(&h, 8, 'g', "sua{sv}");
	sd_end(&h, sizeof(worked_body));
	kt_assert(h.size == 152 && h.raw[12] == 135 && h.raw[4] == 25 &&
		  !memcmp(h.raw + 0x90, worked_end, 8),
		  "test bug: this is not the header of section 6");
	sd_msg_init(&blob, &h, 0, SD_NAME);
	msg_vec(&blob, worked_body, sizeof(worked_body));
	kt_check_ret(sd_send(&a, &blob), 0, "MSG_SEND");
	kt_check(blob.size == 176, "test bug: size %llu", blob.size);
	m = conn_recv_msg(&b, &off);
	kt_assert(m->size == 176, "size %llu", m->size);
	i = m->items;
	kt_check(i->type == KDBUS_ITEM_DST_NAME && i->size == 33 &&
		 !strcmp(i->str, SD_NAME), "DST_NAME");
	i = item_next(m, i);
	kt_check(i->type == KDBUS_ITEM_PAYLOAD_OFF && i->size == 32 &&
		 i->vec.size == 152 && i->vec.offset == 176, "first part");
	i = item_next(m, i);
	kt_check(i->type == KDBUS_ITEM_PAYLOAD_OFF && i->size == 32 &&
		 i->vec.size == 25 && i->vec.offset == 328, "second part");
	kt_check(!item_next(m, i), "another item");
	kt_check(m->flags == EXPECT && m->cookie == 1 && m->dst_id == 0 &&
		 m->src_id == a.id, "header");
	kt_check(sd_read(&b, m, buf, sizeof(buf)) == 177 &&
		 !memcmp(buf, h.raw, 152) &&
		 !memcmp(buf + 152, worked_body, 25), "bytes");
}
END_TEST

/* a message of all kinds of parts; a memfd of @odd bytes more than 512 KiB */
static size_t build_parts(struct blob *blob, struct sd_msg *h, const u8 *body,
			  unsigned int pad, int fd)
{
	static const u8 rest[PART];
	size_t size = PART + 8 + 3 + pad + PART;

	sd_call(h, 0, 77, SD_NAME);
	sd_field(h, 8, 'g', "ayayay");
	sd_field_u(h, 9, 1);
	sd_end(h, size);
	sd_msg_init(blob, h, 0, SD_NAME);
	msg_memfd(blob, fd, PART + 8);
	msg_vec(blob, body, 3);
	msg_vec_at(blob, 0, pad);
	msg_vec(blob, rest, PART);
	return h->size + size;
}

static void check_parts(const struct sd_msg *h, const u8 *body,
			unsigned int pad, size_t want)
{
	const struct kdbus_item *item;
	const struct kdbus_msg *m;
	u8 *buf = malloc(want + 1);
	u64 off;

	m = conn_recv_msg(&b, &off);
	kt_check(sd_read(&b, m, buf, want + 1) == want, "length");
	kt_check(!memcmp(buf, h->raw, h->size) &&
		 kt_filled(buf + h->size, PART + 8, 5) &&
		 !memcmp(buf + h->size + PART + 8, body, 3) &&
		 kt_zero(buf + h->size + PART + 11, pad + PART), "bytes");
	item = item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 2);
	kt_check(item && item->vec.offset == ~0ULL && item->vec.size == pad,
		 "the padding is no NUL vec");
	/* 3 and pad bytes: the last one is at 3 + pad of the stored bytes */
	item = item_find(m, KDBUS_ITEM_PAYLOAD_OFF, 3);
	kt_check(item && item->vec.offset % 8 == (3 + pad) % 8,
		 "padding %u: offset %llu", pad, item->vec.offset);
	item = item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	kt_check(item && fcntl(item->memfd.fd, F_GETFD) == FD_CLOEXEC &&
		 !close(item->memfd.fd), "memfd");
	item = item_find(m, KDBUS_ITEM_FDS, 0);
	kt_check(item && item->size == 20 && !close(item->fds[0]), "FDS");
	kt_check_ret(conn_free(&b, off), 0, "FREE");
	free(buf);
}

/* vec, NUL vec of 1 to 7 bytes, memfd, then FDS; the size ends unpadded */
START_TEST(parts)
{
	int memfd = kt_memfd(PART + 8, KT_SEALS, 5);
	struct blob blob;
	struct sd_msg h;
	unsigned int pad;
	size_t want;

	prepare(SD_PLAIN);
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	for (pad = 1; pad < 8; pad++) {
		want = build_parts(&blob, &h, (const u8 *)"ab", pad, memfd);
		msg_fds(&blob, (int []) { memfd }, 1);
		kt_check_ret(sd_send(&a, &blob), 0, "padding %u", pad);
		kt_check(blob.size % 8 == 4, "test bug: not unpadded");
		check_parts(&h, (const u8 *)"ab", pad, want);
	}
}
END_TEST

/* DST_NAME tells the destination, else dst_id does: 0 never comes without */
START_TEST(destination)
{
	const struct sd_rule all = { 0 };
	struct sd_msg h;
	char text[24];

	prepare(0);
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	kt_check_ret(sd_add_match(&b, 1, &all), 0, "match");
	sd_unique(text, b.id);
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "by id");
	sd_call(&h, 0, 1, text);
	sd_end(&h, 0);
	sd_expect(&b, &h, a.id, b.id);
	kt_check_ret(sd_send_call(&a, 0, 2, 0, SD_NAME), 0, "by name");
	sd_call(&h, 0, 2, SD_NAME);
	sd_end(&h, 0);
	sd_expect(&b, &h, a.id, 0);
	kt_check_ret(sd_send_signal(&a, 3, NULL), 0, "broadcast");
	sd_signal(&h, 3);
	sd_end(&h, 0);
	sd_expect(&b, &h, a.id, KDBUS_DST_ID_BROADCAST);
}
END_TEST

/* an object that is sent again: the same items are used */
START_TEST(sent_twice)
{
	struct blob blob, was;
	struct conn c;
	struct sd_msg h;

	prepare(SD_SYSTEM);
	sd_connect(&c, &bus, SD_SYSTEM);
	sd_call(&h, SD_NO_REPLY, 5, ":1.0");
	sd_end(&h, 0);
	sd_msg_init(&blob, &h, b.id, NULL);
	kt_check_ret(sd_send(&a, &blob), 0, "first");
	was = blob;
	blob.msg.dst_id = c.id;
	kt_check_ret(conn_send(&a, &blob), 0, "second");
	blob.msg.dst_id = b.id;
	was.msg.kernel_flags = blob.msg.kernel_flags;
	kt_check(!memcmp(&blob, &was, blob.size), "the message changed");
	sd_expect(&b, &h, a.id, b.id);
	sd_expect(&c, &h, a.id, c.id);
}
END_TEST

/* never in broadcasts: FDS; and a broadcast's limit of 2 MiB is all vecs */
START_TEST(broadcast_limits)
{
	static u8 big[2 * MIB];
	static const int bad[] = { 0, 1 };
	struct blob blob;
	struct sd_msg h;
	size_t i;

	prepare(SD_PLAIN);
	sd_signal(&h, 1);
	sd_end(&h, sizeof(big));
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		sd_msg_init(&blob, &h, KDBUS_DST_ID_BROADCAST, NULL);
		msg_vec(&blob, big, sizeof(big) - h.size + bad[i]);
		msg_bloom(&blob, SD_BLOOM);
		kt_check_ret(sd_send(&a, &blob), bad[i] ? -EMSGSIZE : 0,
			     "%d bytes above 2 MiB", bad[i]);
	}
	sd_msg_init(&blob, &h, KDBUS_DST_ID_BROADCAST, NULL);
	msg_bloom(&blob, SD_BLOOM);
	msg_fds(&blob, (int []) { 0 }, 1);
	kt_check_ret(sd_send(&a, &blob), -ENOTUNIQ, "descriptor");
}
END_TEST

KT_SUITE("sd-bus")
{
	kt_test(hello_kinds);
	kt_test(no_high_bits);
	kt_test(mapping);
	kt_test(poll_and_close);
	kt_test(kernel_header);
	kt_test(worked_message);
	kt_test(parts);
	kt_test(destination);
	kt_test(sent_twice);
	kt_test(broadcast_limits);
}
