// SPDX-License-Identifier: GPL-2.0-only
/* Broadcasts, matches, filters */
#include <stdio.h>
#include <stdlib.h>

#include "kl.h"

static struct kdb_conn *a, *b;
static struct kdb_match *match;
static struct kdb_msg *msg;

static void open_pair(void)
{
	kl_bus();
	a = kl_open_fds();
	b = kl_open();
	msg = kl_msg(a);
	kl_ok(kdb_match_new(b, &match));
}

static void close_pair(void)
{
	kdb_msg_free(msg);
	kdb_match_free(match);
	kl_close(a);
	kl_close(b);
}

static void tell(const char *one, const char *two)
{
	kdb_msg_reset(msg);
	kl_ok(kdb_msg_to_all(msg));
	kl_ok(kdb_msg_tell(msg, one));
	if (two)
		kl_ok(kdb_msg_tell(msg, two));
	kl_ok(kdb_msg_put(msg, one, strlen(one)));
	kl_ok(kdb_send(msg));
}

KL_TEST(broadcasts)
{
	uint64_t cookie = 0, other = 0;
	struct kdb_view *view;

	open_pair();
	kdb_match_free(NULL);
	tell("member:One", NULL);
	kl_fails(EAGAIN, kdb_recv(b, &view));
	kl_ok(kdb_match_string(match, "member:One"));
	kl_ok(kdb_match_add(match, &cookie));
	kt_check(cookie == 1, "cookie %llu", (u64)cookie);
	tell("member:Two", "path:/x");
	tell("member:One", "path:/x");
	tell("path:/x", "member:One");
	kl_got(b, "member:One");
	kl_got(b, "path:/x");
	kl_fails(EAGAIN, kdb_recv(b, &view));

	/* a second string: both have to be told */
	kl_ok(kdb_match_string(match, "path:/x"));
	kl_ok(kdb_match_replace(match, cookie));
	tell("member:One", NULL);
	tell("member:One", "path:/x");
	kl_got(b, "member:One");
	kl_fails(EAGAIN, kdb_recv(b, &view));
	/* one more with that number: either */
	kdb_match_reset(match);
	kl_ok(kdb_match_string(match, "member:Two"));
	kl_ok(kdb_match_add(match, &cookie));
	kl_ok(kdb_match_add(match, &other));
	kt_check(cookie == 1 && other == 2, "cookies");
	kl_ok(kdb_match_remove(b, other));
	tell("member:Two", NULL);
	kl_got(b, "member:Two");
	kl_ok(kdb_match_remove(b, cookie));
	kl_fails(ENOENT, kdb_match_remove(b, cookie));
	tell("member:Two", NULL);
	kl_fails(EAGAIN, kdb_recv(b, &view));
	close_pair();
}

KL_TEST(senders)
{
	uint64_t cookie = 0;
	struct kdb_conn *c;
	struct kdb_view *view;
	struct kdb_msg *other;
	char name[300];

	open_pair();
	c = kl_open();
	other = kl_msg(c);
	kl_ok(kdb_msg_to_all(other));
	kdb_match_from_id(match, kdb_id(a));
	kl_ok(kdb_match_add(match, &cookie));
	kl_ok(kdb_send(other));
	tell("x", NULL);
	kl_got(b, "x");
	kl_fails(EAGAIN, kdb_recv(b, &view));
	kl_ok(kdb_match_remove(b, cookie));
	kdb_match_reset(match);
	kl_ok(kdb_match_from_name(match, NAME_A));
	cookie = 0;
	kl_ok(kdb_match_add(match, &cookie));
	tell("x", NULL);
	kl_ok(kdb_name_acquire(a, NAME_A, 0));
	kl_ok(kdb_send(other));
	tell("y", NULL);
	kl_got(b, "y");
	kl_fails(EAGAIN, kdb_recv(b, &view));

	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	kl_fails(EINVAL, kdb_match_from_name(match, name));
	kl_fails(EINVAL, kdb_match_from_name(match, ""));
	kdb_match_reset(match);
	kl_ok(kdb_match_from_name(match, "a b"));
	kl_fails(EINVAL, kdb_match_add(match, &cookie));
	kdb_msg_free(other);
	kl_close(c);
	close_pair();
}

KL_TEST(notices)
{
	struct kdb_notice notice;
	struct kdb_view *view;
	uint64_t cookie = 0;
	struct kdb_conn *c;
	char name[300];
	u64 id;

	open_pair();
	kl_ok(kdb_match_on_id(match, KDBUS_ITEM_ID_ADD, KDBUS_MATCH_ID_ANY));
	kl_ok(kdb_match_add(match, &cookie));
	kdb_match_reset(match);
	kl_ok(kdb_match_on_id(match, KDBUS_ITEM_ID_REMOVE, kdb_id(b) + 1));
	kl_ok(kdb_match_add(match, &cookie));
	kdb_match_reset(match);
	kl_ok(kdb_match_on_name(match, KDBUS_ITEM_NAME_REMOVE, NAME_A,
				KDBUS_MATCH_ID_ANY, 0));
	kl_ok(kdb_match_add(match, &cookie));
	c = kl_open_fds();
	id = kdb_id(c);
	kl_ok(kdb_name_acquire(c, NAME_A, 0));
	kl_ok(kdb_name_acquire(c, NAME_B, 0));
	kl_close(c);
	view = kl_recv(b);
	kl_ok(kdb_view_notice(view, &notice));
	kt_check(notice.type == KDBUS_ITEM_ID_ADD && notice.new_id == id &&
		 notice.new_flags == KDBUS_HELLO_ACCEPT_FD && !notice.name,
		 "came");
	kl_ok(kdb_view_release(view));
	view = kl_recv(b);
	kl_ok(kdb_view_notice(view, &notice));
	kt_check(notice.type == KDBUS_ITEM_NAME_REMOVE &&
		 notice.old_id == id && !notice.new_id &&
		 !strcmp(notice.name, NAME_A), "let go");
	kl_ok(kdb_view_release(view));
	view = kl_recv(b);
	kl_ok(kdb_view_notice(view, &notice));
	kt_check(notice.type == KDBUS_ITEM_ID_REMOVE && notice.old_id == id &&
		 notice.old_flags == KDBUS_HELLO_ACCEPT_FD, "left");
	kl_ok(kdb_view_release(view));
	kl_fails(EAGAIN, kdb_recv(b, &view));

	memset(name, 'a', sizeof(name));
	name[256] = '\0';
	kl_fails(EINVAL, kdb_match_on_id(match, KDBUS_ITEM_NAME_ADD, 0));
	kl_fails(EINVAL, kdb_match_on_name(match, KDBUS_ITEM_ID_ADD, NULL, 0,
					   0));
	kl_fails(EINVAL, kdb_match_on_name(match, KDBUS_ITEM_NAME_ADD, name, 0,
					   0));
	close_pair();
}

KL_TEST(limits)
{
	struct kdb_conn *activator;
	struct kdb_match *other;
	uint64_t cookie = 0;
	unsigned int i;

	open_pair();
	for (i = 0; i < 2000; i++)
		kdb_match_from_id(match, i);
	kl_fails(EMSGSIZE, kdb_match_add(match, &cookie));
	kt_check(cookie == 0, "a number was used");
	kdb_match_reset(match);
	for (i = 0; i < 256; i++)
		kl_ok(kdb_match_add(match, &cookie));
	kl_fails(EMFILE, kdb_match_add(match, &cookie));
	kl_ok(kdb_match_replace(match, cookie));
	kl_ok(kdb_open_path(&activator, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ACTIVATOR, .holds = NAME_A)));
	kl_ok(kdb_match_new(activator, &other));
	kl_fails(EOPNOTSUPP, kdb_match_add(other, &cookie));
	kl_fails(EOPNOTSUPP, kdb_match_remove(activator, cookie));
	kdb_match_free(other);
	kl_close(activator);
	close_pair();
}

/* The worked example of how sd-bus makes filters */
static const char *const told[] = {
	"message-type:signal", "interface:com.example.Calc1", "member:Changed",
	"path:/com/example/Calc", "path-slash-prefix:/com/example/Calc",
	"path-slash-prefix:/com/example", "path-slash-prefix:/com",
	"arg0:com.example.foo", "arg0-dot-prefix:com.example",
	"arg0-dot-prefix:com",
};

static const char *const wanted[] = {
	"message-type:signal", "interface:com.example.Calc1", "member:Changed",
	"path-slash-prefix:/com/example", "arg0:com.example.foo",
};

static const u8 filter[64] = {
	0x48, 0x08, 0x01, 0x30, 0x20, 0x00, 0x05, 0x80,
	0x90, 0x40, 0x00, 0x04, 0x40, 0x50, 0x12, 0x13,
	0x10, 0x05, 0x00, 0x00, 0x04, 0x10, 0x81, 0x11,
	0x10, 0x40, 0x09, 0x20, 0x90, 0x14, 0x80, 0x08,
	0x00, 0x00, 0x88, 0x1a, 0x40, 0x22, 0x20, 0x25,
	0x00, 0x00, 0x20, 0x08, 0x00, 0x00, 0x00, 0x82,
	0x30, 0x0c, 0x00, 0x81, 0x08, 0x02, 0x04, 0x38,
	0x08, 0x10, 0x40, 0x40, 0x01, 0x18, 0x00, 0x00,
};

static const u8 mask[64] = {
	0x00, 0x08, 0x01, 0x10, 0x00, 0x00, 0x00, 0x80,
	0x90, 0x40, 0x00, 0x00, 0x40, 0x50, 0x10, 0x00,
	0x10, 0x05, 0x00, 0x00, 0x00, 0x00, 0x00, 0x10,
	0x00, 0x40, 0x08, 0x00, 0x00, 0x00, 0x00, 0x08,
	0x00, 0x00, 0x88, 0x00, 0x40, 0x00, 0x20, 0x25,
	0x00, 0x00, 0x20, 0x00, 0x00, 0x00, 0x00, 0x82,
	0x10, 0x04, 0x00, 0x81, 0x08, 0x02, 0x04, 0x08,
	0x00, 0x00, 0x00, 0x00, 0x00, 0x18, 0x00, 0x00,
};

START_TEST(sd_bus)
{
	const struct kdbus_item *item;
	char domain[64], name[64];
	uint64_t cookie = 0;
	unsigned int i;
	int fd;

	snprintf(domain, sizeof(domain), "/dev/%s", kt_module);
	bus_name(name, sizeof(name));
	fd = kdb_bus_make(domain, name, NULL);
	kl_ok(kdb_open_bus(&a, domain, name, NULL, NULL));
	kl_ok(kdb_msg_new(a, &msg));
	kl_ok(kdb_msg_to_all(msg));
	for (i = 0; i < ARRAY_SIZE(told); i++)
		kl_ok(kdb_msg_tell(msg, told[i]));
	kl_ok(kdb_send(msg));
	item = kl_arg.msg.items;
	kt_check(item->type == KDBUS_ITEM_BLOOM_FILTER && item->size == 88 &&
		 item->bloom_filter.generation == 0 &&
		 !memcmp(item->bloom_filter.data, filter, 64), "filter");
	kl_ok(kdb_match_new(a, &match));
	for (i = 0; i < ARRAY_SIZE(wanted); i++)
		kl_ok(kdb_match_string(match, wanted[i]));
	kl_ok(kdb_match_add(match, &cookie));
	item = kl_arg.match.items;
	kt_check(item->type == KDBUS_ITEM_BLOOM_MASK && item->size == 80 &&
		 !memcmp(item->data, mask, 64), "mask");
	kt_check(cookie == 1, "number %llu", (unsigned long long)cookie);
	kl_ok(kdb_match_add(match, NULL));
	kt_check(kl_arg.match.cookie == 2, "number %llu",
		 (unsigned long long)kl_arg.match.cookie);
	kl_ok(kdb_match_add(match, &cookie));
	kt_check(cookie == 1 && kl_arg.match.cookie == 1, "another number");
	kdb_match_free(match);
	kdb_msg_free(msg);
	kl_close(a);
	close(fd);
}
END_TEST

/* Filters of other shapes: what is told is found, and little else is */
static void shape(u64 size, u64 n_hash)
{
	struct kdb_bus_options options = {
		.size = sizeof(options), .bloom = { size, n_hash },
	};
	char domain[64], name[64], text[32];
	struct kdb_view *view;
	uint64_t cookie = 0;
	unsigned int i, n = 0;
	int fd;

	snprintf(domain, sizeof(domain), "/dev/%s", kt_module);
	bus_name(name, sizeof(name));
	fd = kdb_bus_make(domain, name, &options);
	kl_ok(kdb_open_bus(&a, domain, name, NULL, NULL));
	kl_ok(kdb_open_bus(&b, domain, name, NULL, NULL));
	kl_ok(kdb_msg_new(a, &msg));
	kl_ok(kdb_match_new(b, &match));
	kl_ok(kdb_match_string(match, "text:7"));
	kl_ok(kdb_match_add(match, &cookie));
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "text:%u", i);
		tell(text, "another");
	}
	while (kdb_recv(b, &view) == 0) {
		n += kl_is(view, "text:7");
		kl_ok(kdb_view_release(view));
	}
	kt_check(n == 1, "filters of %llu, %llu functions: %u", size, n_hash,
		 n);
	close_pair();
	close(fd);
}

START_TEST(shapes)
{
	shape(8, 1);
	shape(8, 64);
	shape(24, 8);
	shape(64, 32);
	shape(4096, 1);
	shape(4096, 32);
}
END_TEST

START_TEST(too_many_functions)
{
	struct kdb_bus_options options = {
		.size = sizeof(options), .bloom = { 64, 33 },
	};
	char domain[64], name[64];
	uint64_t cookie = 0;
	int fd;

	snprintf(domain, sizeof(domain), "/dev/%s", kt_module);
	bus_name(name, sizeof(name));
	fd = kdb_bus_make(domain, name, &options);
	kl_ok(kdb_open_bus(&a, domain, name, NULL, NULL));
	kl_ok(kdb_msg_new(a, &msg));
	kl_ok(kdb_msg_to_all(msg));
	kl_fails(EOPNOTSUPP, kdb_msg_tell(msg, "x"));
	kl_ok(kdb_match_new(a, &match));
	kl_fails(EOPNOTSUPP, kdb_match_string(match, "x"));
	/* others of its conditions work */
	kl_ok(kdb_match_add(match, &cookie));
	kdb_match_free(match);
	kdb_msg_free(msg);
	kl_close(a);
	close(fd);
}
END_TEST

KT_SUITE("lib-match")
{
	kl_test(broadcasts);
	kl_test(senders);
	kl_test(notices);
	kl_test(limits);
	kt_test(sd_bus);
	kt_test(shapes);
	kt_test(too_many_functions);
}
