// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 15: activation, and what PID 1 expects of it */

#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "sd-util.h"

#define USER	20241
#define BUSNAME	(KDBUS_HELLO_ACTIVATOR | KDBUS_HELLO_ACCEPT_FD)

static struct bus bus;
static struct conn a, s, act;	/* a client, the service, its unit */
static int ep;

/* PID 1 waits through epoll, asking for EPOLLIN only */
static void watch(int fd)
{
	struct epoll_event e = { .events = EPOLLIN };

	ep = epoll_create1(EPOLL_CLOEXEC);
	kt_assert(ep >= 0, "epoll_create1: %m");
	kt_assert(!epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e), "epoll_ctl: %m");
}

/* while it does not watch it asks for nothing; errors are told nevertheless */
static void rewatch(u32 events)
{
	struct epoll_event e = { .events = events };

	kt_assert(!epoll_ctl(ep, EPOLL_CTL_MOD, act.fd, &e), "epoll_ctl: %m");
}

static void expect_events(u32 want, const char *when)
{
	struct epoll_event e = { .events = 0 };
	int n = epoll_wait(ep, &e, 1, 0);

	kt_assert(n >= 0, "epoll_wait: %m");
	kt_check((n ? e.events : 0) == want, "%s: events %#x, not %#x", when,
		 n ? e.events : 0, want);
}

static void prepare(void)
{
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&s, &bus, SD_PLAIN);
	sd_activator(&act, &bus, SD_NAME);
	watch(act.fd);
}

static int call(u32 cookie)
{
	return sd_send_call(&a, 0, cookie, 0, SD_NAME);
}

static void start_service(void)
{
	kt_assert_ret(sd_request_name(&s, SD_NAME, 0), 1, "service");
}

/* a healthy activator never reports anything but EPOLLIN */
START_TEST(healthy)
{
	prepare();
	expect_events(0, "idle");
	kt_check_ret(call(1), 0, "call");
	expect_events(EPOLLIN, "a message");
	expect_events(EPOLLIN, "level-triggered");
	rewatch(0);
	expect_events(0, "not watched");
	start_service();
	rewatch(EPOLLIN);
	expect_events(0, "taken over");
	kt_check_ret(call(2), 0, "call");
	expect_events(0, "a message for the service");
	conn_drain(&s);
	kt_check_ret(sd_release_name(&s, SD_NAME), 0, "release");
	expect_events(0, "handed back with nothing");
	kt_check_ret(call(3), 0, "call");
	expect_events(EPOLLIN, "a message again");
	conn_close(&a);
	expect_events(EPOLLIN, "the caller is gone");
}
END_TEST

/* an activator beside an owner, and one that is never used */
START_TEST(healthy_behind_owner)
{
	prepare();
	close(act.fd);
	start_service();
	sd_activator(&act, &bus, SD_NAME);
	watch(act.fd);
	kt_check_ret(call(1), 0, "call");
	expect_events(0, "the service has it");
	conn_close(&s);
	expect_events(EPOLLIN, "the service died without reading");
}
END_TEST

START_TEST(policy_holder_healthy)
{
	static const struct sd_grant talk = {
		KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_TALK,
	};

	prepare();
	close(act.fd);
	kt_assert_ret(sd_try_busname(&act, &bus, KDBUS_HELLO_POLICY_HOLDER |
				     KDBUS_HELLO_ACCEPT_FD, SD_NAME, &talk, 1),
		      0, "policy holder");
	watch(act.fd);
	kt_check_ret(call(1), -ESRCH, "it activates nothing");
	start_service();
	kt_check_ret(call(2), 0, "call");
	conn_close(&s);
	expect_events(0, "never");
}
END_TEST

/* when the bus dies it says so: the unit fails */
START_TEST(bus_dies)
{
	prepare();
	bus_close(&bus);
	expect_events(EPOLLERR | EPOLLHUP, "the bus is gone");
}
END_TEST

/* queued messages move to the service, in order, as calls to be answered */
START_TEST(take_over)
{
	struct sd_msg h;
	u32 i;

	prepare();
	for (i = 1; i < 20; i++)
		kt_check_ret(call(i), 0, "call");
	start_service();
	for (i = 1; i < 20; i++) {
		sd_call(&h, 0, i, SD_NAME);
		sd_end(&h, 0);
		sd_expect(&s, &h, a.id, 0);
		kt_check_ret(sd_send_return(&s, i + 100, i, a.id), 0, "reply");
		expect_msg(&a, i + 100, i);
	}
	expect_empty(&s);
	conn_close(&s);
	expect_empty(&a);
}
END_TEST

/* what comes is what the activator asked for: 0x1fff */
START_TEST(metadata_of_unit)
{
	const struct kdbus_msg *m;

	prepare();
	kt_check_ret(call(1), 0, "call");
	start_service();
	m = conn_recv_msg(&s, NULL);
	kt_check(item_find(m, KDBUS_ITEM_CREDS, 0) &&
		 item_find(m, KDBUS_ITEM_TIMESTAMP, 0) &&
		 item_find(m, KDBUS_ITEM_CAPS, 0), "metadata");
	kt_check_ret(call(2), 0, "call");
	m = conn_recv_msg(&s, NULL);
	kt_check(!item_find(m, KDBUS_ITEM_CREDS, 0), "the service's own mask");
}
END_TEST

/* stopped or failed: back with messages, and the service starts again */
START_TEST(hand_back)
{
	struct conn next;

	prepare();
	kt_check_ret(call(1), 0, "call");
	start_service();
	kt_check_ret(call(2), 0, "call");
	kt_check_ret(call(3), 0, "call");
	expect_msg(&s, 1, 0);
	expect_events(0, "running");
	/* it crashes with two unread; the caller of the first is told */
	conn_close(&s);
	expect_events(EPOLLIN, "again");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	sd_connect(&next, &bus, SD_PLAIN);
	kt_check_ret(sd_request_name(&next, SD_NAME, 0), 1, "restart");
	expect_events(0, "running again");
	expect_msg(&next, 2, 0);
	expect_msg(&next, 3, 0);
	expect_empty(&next);
	kt_check_ret(sd_send_return(&next, 9, 3, a.id), 0, "reply");
	expect_msg(&a, 9, 3);
	expect_empty(&a);
}
END_TEST

/* a release with messages, the service lives on */
START_TEST(hand_back_release)
{
	prepare();
	start_service();
	kt_check_ret(call(1), 0, "call");
	kt_check_ret(sd_send_call(&a, 0, 2, s.id, NULL), 0, "by id");
	kt_check_ret(sd_release_name(&s, SD_NAME), 0, "release");
	expect_events(EPOLLIN, "the one by name");
	expect_msg(&s, 2, 0);
	expect_empty(&s);
}
END_TEST

/* a stop of the unit is pending: MSG_RECV with DROP on the activator */
START_TEST(drop)
{
	struct kdbus_cmd_recv r = { .flags = KDBUS_RECV_DROP };

	prepare();
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MSG_RECV, &r), -EAGAIN,
		     "nothing there");
	kt_check_ret(call(1), 0, "call");
	kt_check_ret(sd_send_call(&a, SD_NO_REPLY, 2, 0, SD_NAME), 0, "call");
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MSG_RECV, &r), 0, "DROP");
	kt_check(r.offset == 0, "offset %llu", r.offset);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	expect_events(EPOLLIN, "one is left");
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MSG_RECV, &r), 0, "DROP");
	expect_events(0, "dropped");
	expect_empty(&a);
	start_service();
	expect_empty(&s);
	/* PID 1 never reads */
	r.flags = 0;
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MSG_RECV, &r), -EOPNOTSUPP,
		     "MSG_RECV");
}
END_TEST

/* the start limit is hit: the unit fails, its descriptor is closed */
START_TEST(start_limit)
{
	prepare();
	kt_check_ret(call(1), 0, "call");
	close(act.fd);
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	kt_check_ret(call(2), -ESRCH, "call");
	/* and the unit may be started again */
	sd_activator(&act, &bus, SD_NAME);
	kt_check_ret(call(3), 0, "call");
}
END_TEST

/* a blocking call waits for the service, even for the one after a crash */
START_TEST(blocking_call)
{
	struct call wait;
	struct conn next;

	prepare();
	call_init(&wait, &a, 0, 1, NEVER);
	blob_add_str(&wait.m, KDBUS_ITEM_DST_NAME, SD_NAME);
	call_run(&wait);
	expect_events(EPOLLIN, "a message");
	start_service();
	conn_close(&s);
	expect_events(EPOLLIN, "back");
	sd_connect(&next, &bus, SD_PLAIN);
	kt_check_ret(sd_request_name(&next, SD_NAME, 0), 1, "restart");
	expect_msg(&next, 1, 0);
	kt_check_ret(sd_send_return(&next, 2, 1, a.id), 0, "reply");
	kt_check_ret(call_end(&wait), 0, "call");
	expect_empty(&a);
}
END_TEST

/* deadlines go on, wherever the call is moved */
START_TEST(deadlines_move)
{
	prepare();
	kt_check_ret(request_name(&a, SD_NAME, 1, in_ms(100)), 0, "waits");
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 1);
	kt_check_ret(request_name(&a, SD_NAME, 2, in_ms(200)), 0, "moved");
	start_service();
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 2);
	kt_check_ret(request_name(&a, SD_NAME, 3, in_ms(200)), 0, "back");
	conn_close(&s);
	expect_note(&a, KDBUS_ITEM_REPLY_TIMEOUT, 3);
	expect_empty(&a);
}
END_TEST

/* re-execution of PID 1: it drops, and waits, with the old descriptor */
START_TEST(survives_exec)
{
	struct kdbus_cmd_recv r = { .flags = KDBUS_RECV_DROP };
	pid_t pid;

	prepare();
	kt_check_ret(call(1), 0, "call");
	kt_check(!kt_wait(sd_exec("poll", act.fd, NULL)), "poll");
	kt_check(!kt_wait(sd_exec("drop", act.fd, NULL)), "drop");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 1);
	kt_check_ret(kt_cmd(act.fd, KDBUS_CMD_MSG_RECV, &r), -EAGAIN,
		     "dropped");
	/* the new one alone holds it */
	pid = sd_exec("poll", act.fd, NULL);
	close(act.fd);
	kt_check_ret(call(2), 0, "call");
	kt_check(!kt_wait(pid), "EPOLLIN after exec");
	expect_note(&a, KDBUS_ITEM_REPLY_DEAD, 2);
	kt_check_ret(call(3), -ESRCH, "nobody holds it");
}
END_TEST

/* with user or group policy HELLO runs in a child */
static int hello_in_child(void *arg)
{
	const struct kdbus_policy_access p[3] = {
		{ KDBUS_POLICY_ACCESS_GROUP, KDBUS_POLICY_TALK, USER + 1 },
		{ KDBUS_POLICY_ACCESS_USER, KDBUS_POLICY_OWN, USER },
		{ KDBUS_POLICY_ACCESS_WORLD, KDBUS_POLICY_SEE, 0 },
	};
	struct blob b;
	int i;

	hello_init(&b, BUSNAME, SD_POOL);
	b.hello.attach_flags = SD_PID1;
	blob_add_str(&b, KDBUS_ITEM_NAME, SD_NAME);
	for (i = 0; i < 3; i++)
		blob_add(&b, KDBUS_ITEM_POLICY_ACCESS, &p[i], sizeof(p[i]));
	kt_check_ret(kt_cmd(*(int *)arg, KDBUS_CMD_HELLO, &b), 0, "HELLO");
	return 0;
}

START_TEST(hello_by_child)
{
	struct conn u;
	int fd;

	prepare();
	close(act.fd);
	fd = sd_open(&bus);
	kt_run_as(0, 0, hello_in_child, &fd);
	watch(fd);
	expect_events(0, "idle");
	kt_check_ret(call(1), 0, "call");
	expect_events(EPOLLIN, "a message");
	kt_become(USER);
	sd_connect(&u, &bus, SD_PLAIN);
	kt_check_ret(sd_request_name(&u, SD_NAME, 0), 1, "as that user");
	kt_become(0);
	expect_msg(&u, 1, 0);
	expect_events(0, "taken over");
	conn_close(&u);
	close(fd);
	kt_check_ret(call(2), -ESRCH, "the parent held it");
}
END_TEST

KT_SUITE("sd-pid1")
{
	kt_test(healthy);
	kt_test(healthy_behind_owner);
	kt_test(policy_holder_healthy);
	kt_test(bus_dies);
	kt_test(take_over);
	kt_test(metadata_of_unit);
	kt_test(hand_back);
	kt_test(hand_back_release);
	kt_test(drop);
	kt_test(start_limit);
	kt_test(blocking_call);
	kt_test(deadlines_move);
	kt_test(survives_exec);
	kt_test(hello_by_child);
}
