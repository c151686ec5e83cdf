// SPDX-License-Identifier: GPL-2.0-only
/* What happens on a bus while a sender is in the middle of a message */

#include <poll.h>
#include <unistd.h>

#include "policy-util.h"
#include "slow-util.h"

#define POOL	(256 * KIB)
#define OWNER	20101
#define USER_A	20102
#define USER_B	20103

static struct bus bus;
static struct conn sender, receiver, third, holder;
static struct slow_send slow;

static void prepare(void)
{
	bus_make(&bus, 0);
	conn_open(&sender, &bus, POOL);
	conn_open(&receiver, &bus, POOL);
	conn_open(&third, &bus, POOL);
}

static void expect_slow(struct conn *c)
{
	const struct kdbus_msg *m;
	u64 off;

	m = conn_recv_msg(c, &off);
	kt_check(m->src_id == sender.id && m->cookie == 1 &&
		 slow_mem_filled(c->pool + off + m->size),
		 "not the message that was sent");
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

/* ------------------------------------------------------------------------ */
/* Broadcasts */

static void *casts(void *arg)
{
	struct conn *from = arg;
	struct conn *to[2] = { &receiver, from == &third ? &sender : &third };
	int i, j;

	for (i = 0; i < 5; i++) {
		kt_check_ret(cast(from, 100 + i), 0, "broadcast");
		for (j = 0; j < 2; j++)
			expect_cast(to[j], from->id, 100 + i);
	}
	return NULL;
}

static void *comes_and_goes(void *arg)
{
	struct conn c;
	struct blob b;

	(void)arg;
	conn_open(&c, &bus, POOL);
	match_all(&c);
	match_init(&b, 5, KDBUS_MATCH_REPLACE);
	kt_check_ret(match_add(&receiver, &b), 0, "MATCH_ADD");
	kt_check_ret(match_remove(&receiver, 5), 0, "MATCH_REMOVE");
	conn_close(&c);
	/* they hear of it */
	kt_check(conn_drain(&receiver) == 2, "ID_ADD and ID_REMOVE");
	kt_check(conn_drain(&third) == 2, "ID_ADD and ID_REMOVE");
	kt_check(conn_drain(&sender) == 2, "ID_ADD and ID_REMOVE");
	return NULL;
}

static void all_match(void)
{
	match_all(&sender);
	match_all(&receiver);
	match_all(&third);
}

START_TEST(broadcasts_meanwhile)
{
	prepare();
	all_match();
	slow_send_to(&slow, &sender, receiver.id, NULL);
	must_return(casts, &third, "a broadcast");
	must_return(casts, &sender, "a broadcast of the slow one");
	must_return(comes_and_goes, NULL, "HELLO and close");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&receiver);
	expect_empty(&receiver);
}
END_TEST

/* the slow one is a broadcast itself */
START_TEST(slow_broadcast)
{
	prepare();
	all_match();
	cast_init(&slow.m, 1);
	slow_send_start(&slow, &sender);
	must_return(casts, &third, "a broadcast");
	must_return(casts, &sender, "another broadcast of the slow one");
	must_return(comes_and_goes, NULL, "HELLO and close");
	expect_empty(&receiver);
	kt_check_ret(slow_send_end(&slow), 0, "the slow broadcast");
	expect_slow(&receiver);
	expect_slow(&third);
	expect_empty(&sender);
}
END_TEST

static void *closes(void *arg)
{
	struct conn *c = arg;

	close(c->fd);
	return NULL;
}

START_TEST(slow_broadcast_and_close)
{
	prepare();
	all_match();
	cast_init(&slow.m, 1);
	slow_send_start(&slow, &sender);
	must_return(closes, &third, "close of a receiver");
	kt_check(conn_drain(&receiver) == 1, "ID_REMOVE");
	kt_check_ret(slow_send_end(&slow), 0, "the slow broadcast");
	expect_slow(&receiver);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Ends of either, and of the bus */

static void *byebye(void *arg)
{
	kt_check_ret(conn_byebye(arg), 0, "BYEBYE");
	return NULL;
}

static void *byebye_twice(void *arg)
{
	byebye(arg);
	kt_check_ret(conn_byebye(arg), -EALREADY, "second BYEBYE");
	return NULL;
}

START_TEST(sender_leaves)
{
	prepare();
	match_all(&third);
	slow_send_to(&slow, &sender, receiver.id, NULL);
	must_return(byebye_twice, &sender, "BYEBYE of the sender");
	expect_id_note(&third, KDBUS_ITEM_ID_REMOVE, sender.id, 0);
	kt_check_ret(slow_send_end(&slow), -ECONNRESET, "the slow send");
	expect_empty(&receiver);
	kt_check(!pool_used(&receiver), "%llu bytes in use",
		 pool_used(&receiver));
}
END_TEST

/* and is told that nobody got it, or will */
START_TEST(sender_of_broadcast_leaves)
{
	prepare();
	match_all(&receiver);
	cast_init(&slow.m, 1);
	slow_send_start(&slow, &sender);
	must_return(byebye, &sender, "BYEBYE of the sender");
	expect_id_note(&receiver, KDBUS_ITEM_ID_REMOVE, sender.id, 0);
	kt_check_ret(slow_send_end(&slow), -ECONNRESET, "the slow broadcast");
	expect_empty(&receiver);
}
END_TEST

/* the call has the file open: it ends like any other */
START_TEST(sender_closes)
{
	prepare();
	match_all(&third);
	slow_send_to(&slow, &sender, receiver.id, NULL);
	must_return(closes, &sender, "close of the sender");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&receiver);
	expect_id_note(&third, KDBUS_ITEM_ID_REMOVE, sender.id, 0);
}
END_TEST

static void *closes_bus(void *arg)
{
	(void)arg;
	bus_close(&bus);
	kt_check(!path_exists(bus.path), "the node is still there");
	return NULL;
}

static void check_bus_dies(void)
{
	must_return(closes_bus, NULL, "close of the bus");
	kt_check_ret(conn_recv(&receiver, NULL), -ECONNRESET, "receiver");
	kt_check_ret(conn_recv(&sender, NULL), -ECONNRESET, "sender");
	kt_check(fd_poll(receiver.fd, 0) == (POLLERR | POLLHUP), "poll");
}

START_TEST(bus_dies)
{
	prepare();
	slow_send_to(&slow, &sender, receiver.id, NULL);
	check_bus_dies();
	kt_check_ret(slow_send_end(&slow), -ECONNRESET, "the slow send");
}
END_TEST

START_TEST(bus_dies_by_name)
{
	int ret;

	prepare();
	kt_assert_ret(name_acquire(&receiver, "a.name", 0), 0, "name");
	slow_send_to(&slow, &sender, 0, "a.name");
	check_bus_dies();
	ret = slow_send_end(&slow);
	kt_check(ret == -ECONNRESET || ret == -ESRCH, "the slow send: %s",
		 kt_err(ret));
}
END_TEST

START_TEST(bus_dies_in_broadcast)
{
	int ret;

	prepare();
	all_match();
	cast_init(&slow.m, 1);
	slow_send_start(&slow, &sender);
	check_bus_dies();
	ret = slow_send_end(&slow);
	kt_check_ret(ret, -ECONNRESET, "the slow broadcast");
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Questions and policy */

static u64 info(struct conn *c, unsigned long nr, u64 id, u64 flags)
{
	struct kdbus_cmd_info cmd = {
		.size = sizeof(cmd), .flags = flags, .id = id,
	};
	const struct kdbus_info *got;
	u64 of;

	kt_assert_ret(kt_cmd(c->fd, nr, &cmd), 0, "info about %llu", id);
	got = (const void *)(c->pool + cmd.offset);
	of = got->id;
	kt_check_ret(conn_free(c, cmd.offset), 0, "FREE");
	return of;
}

static void *asks(void *arg)
{
	static struct conn *const who[] = { &third, &receiver, &sender };
	u64 ids[] = { third.id, receiver.id, sender.id };
	u64 off;
	int i, j;

	(void)arg;
	for (i = 0; i < 3; i++) {
		for (j = 0; j < 3; j++)
			kt_check(info(who[i], KDBUS_CMD_CONN_INFO, ids[j],
				      _KDBUS_ATTACH_ALL) == ids[j],
				 "about another");
		info(who[i], KDBUS_CMD_BUS_CREATOR_INFO, 0, 0);
		kt_check_ret(name_list(who[i], 0xf, &off), 0, "NAME_LIST");
		kt_check_ret(conn_free(who[i], off), 0, "FREE");
	}
	return NULL;
}

START_TEST(questions_meanwhile)
{
	prepare();
	kt_assert_ret(name_acquire(&receiver, "a.name", 0), 0, "name");
	slow_send_to(&slow, &sender, 0, "a.name");
	must_return(asks, NULL, "a question");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&receiver);
}
END_TEST

/* USER_A may talk to the name of USER_B, until the holder says otherwise */
static void prepare_policy(void)
{
	kt_become(OWNER);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(USER_A);
	conn_open(&sender, &bus, POOL);
	kt_become(USER_B);
	conn_open(&receiver, &bus, POOL);
	kt_become(0);
	holder_open(&holder, &bus, "a.name u%u:o u%u:t", USER_B, USER_A);
	kt_assert_ret(name_acquire(&receiver, "a.name", 0), 0, "name");
}

static void *denies(void *arg)
{
	struct blob b;

	(void)arg;
	blob_init(&b, sizeof(struct kdbus_cmd_update));
	blob_add_str(&b, KDBUS_ITEM_NAME, "a.name");
	kt_check_ret(kt_cmd(holder.fd, KDBUS_CMD_CONN_UPDATE, &b), 0,
		     "CONN_UPDATE");
	kt_check_ret(send_name(&sender, "a.name", 5), -EPERM,
		     "another message of the slow one");
	return NULL;
}

static void *closes_holder(void *arg)
{
	conn_close(&holder);
	kt_check_ret(send_name(&sender, "a.name", 5), -EPERM,
		     "another message of the slow one");
	return arg;
}

static void check_policy_changes(void *(*fn)(void *arg), const char *what)
{
	int ret;

	prepare_policy();
	slow_send_to(&slow, &sender, 0, "a.name");
	must_return(fn, NULL, what);
	ret = slow_send_end(&slow);
	/* it was allowed when it was asked for */
	kt_check(!ret || ret == -EPERM, "the slow send: %s", kt_err(ret));
	if (!ret)
		expect_slow(&receiver);
	expect_empty(&receiver);
	kt_check(!pool_used(&receiver), "%llu bytes in use",
		 pool_used(&receiver));
}

START_TEST(policy_changes)
{
	check_policy_changes(denies, "a change of policy");
}
END_TEST

START_TEST(policy_vanishes)
{
	check_policy_changes(closes_holder, "close of a policy holder");
}
END_TEST

static void *endpoint_policy(void *arg)
{
	struct blob b;
	int fd = open_endpoint(&bus);

	(void)arg;
	make_init(&b, 0);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "an-endpoint");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_MAKE, &b), 0,
		     "ENDPOINT_MAKE");
	blob_init(&b, sizeof(struct kdbus_cmd_update));
	blob_add_str(&b, KDBUS_ITEM_NAME, "a.name");
	kt_check_ret(kt_cmd(fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), 0,
		     "ENDPOINT_UPDATE");
	close(fd);
	return NULL;
}

START_TEST(endpoints_meanwhile)
{
	prepare();
	slow_send_to(&slow, &sender, receiver.id, NULL);
	must_return(endpoint_policy, NULL, "a custom endpoint");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&receiver);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Slow answers, and who looks on */

static void start_slow_answer(struct call *call, u64 deadline)
{
	prepare();
	call_start(call, &receiver, sender.id, 7, deadline);
	kt_check_ret(conn_recv(&sender, NULL), 0, "recv of the request");
	reply_init(&slow.m, receiver.id, 7);
	slow.m.msg.cookie = 1;
	slow_send_start(&slow, &sender);
}

START_TEST(slow_answer)
{
	struct call call;

	start_slow_answer(&call, NEVER);
	kt_check_ret(slow_send_end(&slow), 0, "the slow answer");
	kt_check_ret(call_end(&call), 0, "the request");
	kt_check(slow_mem_filled(receiver.pool + call.m.msg.offset_reply + 104),
		 "wrong bytes");
}
END_TEST

/* an answer that is too late is a message, however far it was */
static void too_late(void)
{
	kt_check_ret(slow_send_end(&slow), 0, "the slow answer");
	expect_slow(&receiver);
	expect_empty(&receiver);
	kt_check(!pool_used(&receiver), "%llu bytes in use",
		 pool_used(&receiver));
}

START_TEST(slow_answer_and_deadline)
{
	struct call call;

	start_slow_answer(&call, in_ms(500));
	kt_check_ret(call_end(&call), -ETIMEDOUT, "the request");
	too_late();
}
END_TEST

static void *cancels(void *arg)
{
	struct call *call = arg;

	kt_check_ret(cancel(&receiver, 7), 0, "MSG_CANCEL");
	kt_check_ret(call_end(call), -ECANCELED, "the request");
	return NULL;
}

START_TEST(slow_answer_and_cancel)
{
	struct call call;

	start_slow_answer(&call, NEVER);
	must_return(cancels, &call, "MSG_CANCEL");
	too_late();
}
END_TEST

/* it has left: that is the end of nobody else */
static void answer_to_the_gone(struct call *call, void *(*leave)(void *arg),
			       int call_ret)
{
	must_return(leave, &receiver, "end of the requester");
	if (call)
		kt_check_ret(call_end(call), call_ret, "the request");
	kt_check_ret(slow_send_end(&slow), -ENXIO, "the slow answer");
	kt_check_ret(conn_send_bytes(&sender, third.id, 2, "x", 1), 0,
		     "its next message");
	expect_msg(&third, 2, 0);
}

START_TEST(slow_answer_and_byebye)
{
	struct call call;

	start_slow_answer(&call, NEVER);
	answer_to_the_gone(&call, byebye, -ECONNRESET);
}
END_TEST

/* the same, by one that may not talk to it otherwise */
static void start_slow_async(void)
{
	kt_become(USER_A);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(USER_B);
	conn_open(&sender, &bus, POOL);
	kt_become(0);
	conn_open(&receiver, &bus, POOL);
	kt_become(USER_B);
	conn_open(&third, &bus, POOL);
	kt_become(0);
	kt_assert_ret(request(&receiver, sender.id, 7, NEVER), 0, "request");
	expect_msg(&sender, 7, 0);
	reply_init(&slow.m, receiver.id, 7);
	slow_send_start(&slow, &sender);
}

START_TEST(slow_async_and_byebye)
{
	start_slow_async();
	answer_to_the_gone(NULL, byebye, 0);
}
END_TEST

START_TEST(slow_async_and_close)
{
	start_slow_async();
	answer_to_the_gone(NULL, closes, 0);
}
END_TEST

static struct conn monitor;

static void *watched(void *arg)
{
	(void)arg;
	kt_check_ret(conn_send_bytes(&third, receiver.id, 9, "x", 1), 0,
		     "send by another");
	expect_msg(&receiver, 9, 0);
	expect_msg(&monitor, 9, 0);
	return NULL;
}

START_TEST(monitor_meanwhile)
{
	prepare();
	kt_assert_ret(conn_try_open(&monitor, &bus, KDBUS_HELLO_MONITOR, POOL),
		      0, "monitor");
	slow_send_to(&slow, &sender, receiver.id, NULL);
	must_return(watched, NULL, "a monitor");
	expect_empty(&monitor);
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&receiver);
	expect_slow(&monitor);
}
END_TEST

START_TEST(monitor_closes)
{
	prepare();
	kt_assert_ret(conn_try_open(&monitor, &bus, KDBUS_HELLO_MONITOR, POOL),
		      0, "monitor");
	slow_send_to(&slow, &sender, receiver.id, NULL);
	must_return(closes, &monitor, "close of a monitor");
	kt_check_ret(slow_send_end(&slow), 0, "the slow send");
	expect_slow(&receiver);
}
END_TEST

KT_SUITE("slow_others")
{
	kt_test(broadcasts_meanwhile);
	kt_test(slow_broadcast);
	kt_test(slow_broadcast_and_close);
	kt_test(sender_leaves);
	kt_test(sender_of_broadcast_leaves);
	kt_test(sender_closes);
	kt_test(bus_dies);
	kt_test(bus_dies_by_name);
	kt_test(bus_dies_in_broadcast);
	kt_test(questions_meanwhile);
	kt_test(policy_changes);
	kt_test(policy_vanishes);
	kt_test(endpoints_meanwhile);
	kt_test(slow_answer);
	kt_test(slow_answer_and_deadline);
	kt_test(slow_answer_and_cancel);
	kt_test(slow_answer_and_byebye);
	kt_test(slow_async_and_byebye);
	kt_test(slow_async_and_close);
	kt_test(monitor_meanwhile);
	kt_test(monitor_closes);
}
