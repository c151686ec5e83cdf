// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 9: each errno that v217 tells apart */

#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sd-util.h"

#define USER_A	20221
#define USER_B	20222

static struct bus bus;
static struct conn a, b;

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, SD_PLAIN);
}

static int send_type(u8 type, u64 dst, const char *name)
{
	struct sd_msg h;
	struct blob m;

	if (type == 1)
		sd_call(&h, 0, 1, SD_NAME);
	else if (type == 2)
		sd_return(&h, 1, 77, dst);
	else
		sd_signal(&h, 1);
	sd_end(&h, 0);
	sd_msg_init(&m, &h, dst, name);
	return sd_send(&a, &m);
}

/* ENXIO, ESRCH: ServiceUnknown for calls, other types are dropped */
START_TEST(no_receiver)
{
	static const u8 types[] = { 1, 2, 4 };
	struct conn act;
	size_t i;

	prepare();
	sd_activator(&act, &bus, "com.example.Act");
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		kt_check_ret(send_type(types[i], 4711, NULL), -ENXIO,
			     "type %u by id", types[i]);
		kt_check_ret(send_type(types[i], 0, SD_NAME), -ESRCH,
			     "type %u by name", types[i]);
		kt_check_ret(send_type(types[i], act.id, NULL), -ENXIO,
			     "type %u by the id of an activator", types[i]);
	}
	kt_check_ret(send_type(1, 0, DRIVER), -ESRCH,
		     "nobody owns the driver's name");
	conn_close(&b);
	kt_check_ret(send_type(1, b.id, NULL), -ENXIO, "one that has gone");
	expect_empty(&a);
}
END_TEST

/* EADDRNOTAVAIL: only activatable, and auto start was off */
START_TEST(no_auto_start)
{
	struct conn act;

	prepare();
	sd_activator(&act, &bus, SD_NAME);
	kt_check_ret(sd_send_call(&a, SD_NO_START, 1, 0, SD_NAME),
		     -EADDRNOTAVAIL, "call");
	kt_check_ret(sd_send_call(&a, SD_NO_START | SD_NO_REPLY, 1, 0,
				  SD_NAME), -EADDRNOTAVAIL, "no reply");
	kt_check(sd_epoll(act.fd) == 0, "the service would start");
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "service");
	kt_check_ret(sd_send_call(&a, SD_NO_START, 2, 0, SD_NAME), 0,
		     "it runs");
	expect_msg(&b, 2, 0);
}
END_TEST

/* ECONNRESET: the own connection is dead */
START_TEST(own_end)
{
	prepare();
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	bus_close(&bus);
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), -ECONNRESET, "send");
	kt_check_ret(send_type(4, KDBUS_DST_ID_BROADCAST, NULL), -ECONNRESET,
		     "signal");
	kt_check_ret(conn_recv(&b, NULL), -ECONNRESET, "receive");
	kt_check(fd_poll(a.fd, 0) == (POLLERR | POLLHUP), "poll");
}
END_TEST

/* EPERM: no policy lets one user talk to another */
START_TEST(permission)
{
	struct conn u, v;

	prepare();
	kt_become(USER_B);
	sd_connect(&v, &bus, SD_SYSTEM);
	kt_become(0);
	kt_become(USER_A);
	sd_connect(&u, &bus, SD_SYSTEM);
	kt_check_ret(sd_send_call(&u, 0, 1, v.id, NULL), -EPERM, "call");
	kt_check_ret(sd_send_return(&u, 1, 5, v.id), -EPERM, "reply to none");
	kt_check_ret(sd_request_name(&u, SD_NAME, 0), -EPERM, "name");
	kt_become(0);
	/* an expected reply may pass */
	kt_check_ret(sd_send_call(&a, 0, 5, u.id, NULL), 0, "call of root");
	kt_become(USER_A);
	kt_check_ret(sd_send_return(&u, 6, 5, a.id), 0, "reply");
	kt_check_ret(sd_send_return(&u, 7, 5, a.id), -EPERM, "once");
}
END_TEST

/* ENOENT: no policy of a custom endpoint does */
START_TEST(hidden)
{
	struct bus custom = { 0 };
	struct conn c;
	struct blob m;
	u64 off;

	prepare();
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "name");
	custom.fd = sd_open(&bus);
	make_init(&m, KDBUS_MAKE_ACCESS_WORLD);
	blob_add_str(&m, KDBUS_ITEM_MAKE_NAME, "x.service");
	kt_assert_ret(kt_cmd(custom.fd, KDBUS_CMD_ENDPOINT_MAKE, &m), 0,
		      "ENDPOINT_MAKE");
	snprintf(custom.path, sizeof(custom.path), "%s/x.service", bus.dir);
	sd_connect(&c, &custom, SD_PLAIN);
	kt_check_ret(sd_send_call(&c, 0, 1, 0, SD_NAME), -ENOENT, "by name");
	kt_check_ret(sd_send_call(&c, 0, 1, b.id, NULL), -ENOENT, "by id");
	kt_check_ret(sd_info(&c, 0, SD_NAME, 0, &off), -ENOENT, "look-up");
}
END_TEST

/* ENOBUFS: a user has put enough into a queue; EMLINK: 128 unanswered calls */
START_TEST(queue_limits)
{
	struct conn u, v;
	int i, ret = 0;

	prepare();
	for (i = 0; i < 128; i++)
		kt_assert_ret(sd_send_call(&a, 0, i + 1, b.id, NULL), 0,
			      "call %d", i);
	kt_check_ret(sd_send_call(&a, 0, 129, b.id, NULL), -EMLINK, "129");
	kt_check_ret(sd_send_call(&a, SD_NO_REPLY, 129, b.id, NULL), 0,
		     "without reply");
	kt_become(USER_A);
	sd_connect(&u, &bus, SD_PLAIN);
	sd_connect(&v, &bus, SD_PLAIN);
	for (i = 0; !ret && i < 100; i++)
		ret = sd_send_call(&u, SD_NO_REPLY, i + 1, v.id, NULL);
	kt_check_ret(ret, -ENOBUFS, "message %d", i);
	kt_check(i - 1 == 32 || i - 1 == 33, "%d messages fit", i - 1);
	kt_check(conn_drain(&v) == (unsigned int)i - 1, "messages");
	kt_check_ret(sd_send_call(&u, 0, 1, v.id, NULL), 0, "room again");
}
END_TEST

/* EXFULL: more than half of what is left of 16 MiB */
START_TEST(pool_limit)
{
	static u8 big[2 * MIB];
	struct sd_msg h;
	struct blob m;
	int i;

	prepare();
	sd_call(&h, SD_NO_REPLY, 1, SD_NAME);
	sd_end(&h, sizeof(big) - 512);
	sd_msg_init(&m, &h, b.id, NULL);
	msg_vec(&m, big, sizeof(big) - 512);
	/* with all that belongs to it a bit less than 2 MiB */
	for (i = 0; i < 7; i++)
		kt_check_ret(sd_send(&a, &m), 0, "message %d", i);
	kt_check_ret(sd_send(&a, &m), -EXFULL, "message 7");
	kt_check_ret(sd_send_call(&a, 0, 2, b.id, NULL), 0, "a small one");
	kt_check(conn_drain(&b) == 8, "messages");
	kt_check_ret(sd_send(&a, &m), 0, "room again");
}
END_TEST

/* E2BIG, EMSGSIZE: too many or too large parts */
START_TEST(too_big)
{
	static u8 big[512 * KIB];
	struct sd_msg h;
	struct blob m;
	int i;

	prepare();
	sd_call(&h, SD_NO_REPLY, 1, SD_NAME);
	sd_end(&h, 128);
	sd_msg_init(&m, &h, b.id, NULL);
	for (i = 0; i < 127; i++)
		msg_vec(&m, big, 1);
	kt_check_ret(sd_send(&a, &m), 0, "128 items");
	msg_vec(&m, big, 1);
	kt_check_ret(sd_send(&a, &m), -E2BIG, "129 items");
	/* many parts just below 512 KiB run into the limit of 2 MiB */
	sd_msg_init(&m, &h, b.id, NULL);
	for (i = 0; i < 3; i++)
		msg_vec(&m, big, sizeof(big) - 1);
	kt_check_ret(sd_send(&a, &m), 0, "3 parts");
	msg_vec(&m, big, sizeof(big) - 1);
	kt_check_ret(sd_send(&a, &m), -EMSGSIZE, "4 parts");
}
END_TEST

/* MSG_RECV: EAGAIN is "nothing there", ENOMSG that of priorities */
START_TEST(receive_errors)
{
	struct kdbus_cmd_recv r = {
		.flags = KDBUS_RECV_USE_PRIORITY, .priority = -1,
	};

	prepare();
	kt_check_ret(conn_recv(&b, NULL), -EAGAIN, "nothing there");
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -EAGAIN,
		     "nothing there, priority");
	kt_check_ret(sd_send_call(&a, 0, 1, b.id, NULL), 0, "call");
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), -ENOMSG,
		     "nothing as urgent");
	r.priority = 0;
	kt_check_ret(kt_cmd(b.fd, KDBUS_CMD_MSG_RECV, &r), 0, "as urgent");
}
END_TEST

KT_SUITE("sd-error")
{
	kt_test(no_receiver);
	kt_test(no_auto_start);
	kt_test(own_end);
	kt_test(permission);
	kt_test(hidden);
	kt_test(queue_limits);
	kt_test(pool_limit);
	kt_test(too_big);
	kt_test(receive_errors);
}
