// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 14: monitors */

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sd-util.h"

static struct bus bus;
static struct conn a, b, mon;

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, SD_PLAIN);
	sd_monitor(&mon, &bus);
}

/* a call, its answer, and a signal of a; one of b */
static void traffic(void)
{
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	kt_check_ret(sd_send_return(&b, 2, 1, a.id), 0, "reply");
	kt_check_ret(sd_send_signal(&a, 3, NULL), 0, "signal");
	kt_check_ret(sd_send_signal(&b, 4, NULL), 0, "signal");
}

static void expect_cookies(const u32 *cookies)
{
	const struct kdbus_msg *m;
	u64 off;

	for (; *cookies; cookies++) {
		m = conn_recv_msg(&mon, &off);
		kt_check(m->cookie == *cookies, "cookie %llu, not %u",
			 m->cookie, *cookies);
		kt_check_ret(conn_free(&mon, off), 0, "FREE");
	}
	expect_empty(&mon);
}

/* all unicasts anyway; without any rule no broadcast */
START_TEST(no_rule)
{
	prepare();
	traffic();
	expect_cookies((u32 []) { 1, 2, 0 });
}
END_TEST

/* sender='X' for each name given restricts only broadcasts */
START_TEST(sender_rules)
{
	struct sd_rule r = { 0 };

	prepare();
	kt_check_ret(sd_request_name(&a, SD_NAME, 0), 1, "name");
	r.sender = b.id;
	kt_check_ret(sd_add_match(&mon, 1, &r), 0, "unique name");
	traffic();
	expect_cookies((u32 []) { 1, 2, 4, 0 });
	r = (struct sd_rule) { .name = SD_NAME };
	kt_check_ret(sd_add_match(&mon, 2, &r), 0, "well-known name");
	traffic();
	expect_cookies((u32 []) { 1, 2, 3, 4, 0 });
	kt_check_ret(sd_remove_match(&mon, 1), 0, "remove");
	traffic();
	expect_cookies((u32 []) { 1, 2, 3, 0 });
	/* no notification fits these */
	kt_check_ret(sd_release_name(&a, SD_NAME), 0, "release");
	expect_empty(&mon);
}
END_TEST

/* the empty rule: all broadcasts and notifications, too */
START_TEST(empty_rule)
{
	const struct sd_rule r = { .notes = true };

	prepare();
	kt_check_ret(sd_add_match(&mon, 1, &r), 0, "rule");
	traffic();
	expect_cookies((u32 []) { 1, 2, 3, 4, 0 });
	kt_check_ret(sd_request_name(&a, SD_NAME, 0), 1, "name");
	expect_name_note(&mon, KDBUS_ITEM_NAME_ADD, 0, 0, a.id, 0, SD_NAME);
	conn_close(&b);
	expect_id_note(&mon, KDBUS_ITEM_ID_REMOVE, b.id,
		       KDBUS_HELLO_ACCEPT_FD);
	expect_empty(&mon);
}
END_TEST

/* it gets what is sent as it is sent, and with all metadata but AUXGROUPS */
START_TEST(copies)
{
	const struct kdbus_msg *m;
	struct sd_msg h;

	prepare();
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	kt_check_ret(sd_send_call(&a, 0, 1, 0, SD_NAME), 0, "call");
	m = conn_recv_msg(&mon, NULL);
	kt_check(m->dst_id == 0 && m->src_id == a.id && m->flags == EXPECT,
		 "header");
	kt_check(item_find(m, KDBUS_ITEM_DST_NAME, 0) &&
		 !strcmp(item_find(m, KDBUS_ITEM_DST_NAME, 0)->str, SD_NAME),
		 "DST_NAME");
	kt_check(item_find(m, KDBUS_ITEM_CREDS, 0) &&
		 item_find(m, KDBUS_ITEM_TIMESTAMP, 0) &&
		 item_find(m, KDBUS_ITEM_EXE, 0) &&
		 !item_find(m, KDBUS_ITEM_AUXGROUPS, 0), "metadata");
	/* the receiver's is what the receiver asked for */
	m = conn_recv_msg(&b, NULL);
	kt_check(!item_find(m, KDBUS_ITEM_CREDS, 0), "metadata of b");
	kt_check_ret(sd_send_call(&a, 0, 2, b.id, NULL), 0, "call");
	sd_call(&h, 0, 2, ":1.2");
	sd_end(&h, 0);
	sd_expect(&mon, &h, a.id, b.id);
}
END_TEST

/* NUL vecs, memfd parts, descriptors, which it must close */
START_TEST(parts)
{
	int fd = kt_memfd(4096, KT_SEALS, 3);
	const struct kdbus_item *item;
	const struct kdbus_msg *m;
	static u8 buf[8192];
	struct blob blob;
	struct sd_msg h;

	prepare();
	sd_call(&h, 0, 1, ":1.2");
	sd_end(&h, 4096 + 4 + 4);
	sd_msg_init(&blob, &h, b.id, NULL);
	msg_memfd(&blob, fd, 4096);
	msg_vec(&blob, "abc", 4);
	msg_vec_at(&blob, 0, 4);
	msg_fds(&blob, &fd, 1);
	kt_check_ret(sd_send(&a, &blob), 0, "send");
	m = conn_recv_msg(&mon, NULL);
	kt_check(sd_read(&mon, m, buf, sizeof(buf)) == h.size + 4104 &&
		 kt_filled(buf + h.size, 4096, 3) &&
		 !memcmp(buf + h.size + 4096, "abc\0\0\0\0", 8), "bytes");
	item = item_find(m, KDBUS_ITEM_FDS, 0);
	kt_check(item && fcntl(item->fds[0], F_GETFD) == FD_CLOEXEC,
		 "descriptor");
}
END_TEST

/* replies of synchronous calls, and reply notifications meant for others */
START_TEST(meant_for_others)
{
	const struct kdbus_msg *m;
	struct call call;
	u64 off;

	prepare();
	call_start(&call, &a, b.id, 1, NEVER);
	expect_cookies((u32 []) { 1, 0 });
	kt_check_ret(sd_send_return(&b, 2, 1, a.id), 0, "reply");
	kt_check_ret(call_end(&call), 0, "call");
	expect_cookies((u32 []) { 2, 0 });
	kt_check_ret(sd_send_call(&a, 0, 3, b.id, NULL), 0, "call");
	m = conn_recv_msg(&mon, &off);
	kt_check(m->cookie == 3 && m->dst_id == b.id, "copy of the call");
	kt_check_ret(conn_free(&mon, off), 0, "FREE");
	conn_close(&b);
	m = conn_recv_msg(&mon, &off);
	kt_check(is_note(m, KDBUS_ITEM_REPLY_DEAD) && m->dst_id == a.id &&
		 m->cookie_reply == 3, "notification for a");
	kt_check_ret(conn_free(&mon, off), 0, "FREE");
	expect_empty(&mon);
}
END_TEST

START_TEST(cannot_send)
{
	prepare();
	kt_check_ret(sd_send_call(&mon, 0, 1, a.id, NULL), -EOPNOTSUPP,
		     "call");
	kt_check_ret(sd_send_signal(&mon, 1, NULL), -EOPNOTSUPP, "signal");
	kt_check_ret(sd_request_name(&mon, SD_NAME, 0), -EOPNOTSUPP, "name");
	kt_check_ret(conn_byebye(&mon), -EOPNOTSUPP, "BYEBYE");
	kt_check_ret(sd_send_call(&a, 0, 1, mon.id, NULL), -ENXIO, "to it");
}
END_TEST

KT_SUITE("sd-monitor")
{
	kt_test(no_rule);
	kt_test(sender_rules);
	kt_test(empty_rule);
	kt_test(copies);
	kt_test(parts);
	kt_test(meant_for_others);
	kt_test(cannot_send);
}
