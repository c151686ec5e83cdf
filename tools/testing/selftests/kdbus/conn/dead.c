// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is dead does not count any more, though others still refer to it: who
 * sends to a connection and cannot read what it sends, or keeps a handle open.
 */

#include <sys/syscall.h>
#include <unistd.h>

#include "cast.h"
#include "slow-util.h"

#define POOL	(64 * KIB)
#define USER	20171		/* who counts */
#define MOST	256		/* connections of a user */
#define BUSES	16		/* of a user */

static struct bus bus;
static struct conn sender, conns[MOST];
static struct slow_send slow;

/* only this thread: another one cannot be told while its memory is slow */
static void become(uid_t uid)
{
	kt_assert(!syscall(SYS_setresuid, 0, 0, 0), "setresuid(0): %m");
	kt_assert(!syscall(SYS_setresuid, uid, uid, 0), "setresuid(%u): %m",
		  uid);
}

/* a sender, and a user with all the connections a user may have */
static void prepare(bool matches)
{
	struct slow_mem probe;
	struct blob m;
	int i;

	slow_mem_init(&probe);		/* may skip */
	/* only what is sent, or each would hear of all others */
	match_init(&m, 1, 0);
	rule_bit(&m, KT_BLOOM_SIZE, 1);
	allow_fds(2 * MOST);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&sender, &bus, POOL);
	become(USER);
	for (i = 0; i < MOST; i++) {
		conn_open(&conns[i], &bus, POOL);
		if (matches)
			kt_assert_ret(match_add(&conns[i], &m), 0, "MATCH_ADD");
	}
	become(0);
}

static int one_more(void)
{
	struct conn c;
	int ret;

	become(USER);
	ret = conn_try_open(&c, &bus, 0, KT_PAGE);
	become(0);
	if (!ret)
		conn_close(&c);
	return ret;
}

/* all of them leave, and as many come */
static void check_replaced(const char *what)
{
	int i, ret = 0;

	kt_check_ret(one_more(), -EMFILE, "%s: one too many", what);
	for (i = 0; i < MOST; i++)
		conn_close(&conns[i]);
	become(USER);
	for (i = 0; i < MOST && !ret; i++)
		ret = conn_try_open(&conns[i], &bus, 0, KT_PAGE);
	become(0);
	kt_check_ret(ret, 0, "%s: connection %d, none was open before", what, i);
	kt_check_ret(one_more(), -EMFILE, "%s: one too many again", what);
}

START_TEST(connection_sent_to)
{
	prepare(false);
	slow_send_to(&slow, &sender, conns[7].id, NULL);
	check_replaced("unicast");
	slow_send_end(&slow);
}
END_TEST

START_TEST(connections_cast_to)
{
	prepare(true);
	cast_init(&slow.m, 1);
	cast_set(&slow.m, 1);
	slow_send_start(&slow, &sender);
	check_replaced("broadcast");
	kt_check_ret(slow_send_end(&slow), 0, "broadcast");
}
END_TEST

/* a handle may be kept after the end of its connection */
START_TEST(connection_said_byebye)
{
	int i;

	prepare(false);
	kt_check_ret(one_more(), -EMFILE, "one too many");
	for (i = 0; i < 3; i++)
		kt_check_ret(conn_byebye(&conns[i]), 0, "BYEBYE");
	for (i = 0; i < 3; i++) {
		become(USER);
		kt_check_ret(conn_try_open(&conns[MOST - 1 - i], &bus, 0,
					   KT_PAGE), 0, "after BYEBYE");
		become(0);
	}
	kt_check_ret(one_more(), -EMFILE, "one too many again");
	/* it does not end twice */
	close(conns[0].fd);
	kt_check_ret(one_more(), -EMFILE, "a handle without one was closed");
}
END_TEST

/* so it may when its bus has ended */
START_TEST(connections_on_dead_bus)
{
	prepare(false);
	bus_close(&bus);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_check_ret(one_more(), 0, "connection, the bus of all others is gone");
}
END_TEST

static int fill_up(int *fds)
{
	char name[64];
	int i, ret = 0;

	become(USER);
	for (i = 0; i < BUSES && !ret; i++) {
		fds[i] = open_control();
		bus_name(name, sizeof(name));
		ret = bus_try_make(fds[i], KDBUS_MAKE_ACCESS_WORLD, name);
	}
	become(0);
	return ret;
}

/* others hold what they have opened, with and without a connection */
START_TEST(buses)
{
	int fds[BUSES], held[BUSES], i;
	struct bus b[BUSES];

	become(USER);
	for (i = 0; i < BUSES; i++)
		bus_make(&b[i], KDBUS_MAKE_ACCESS_WORLD);
	become(0);
	for (i = 0; i < BUSES; i++) {
		held[i] = open_endpoint(&b[i]);
		if (i % 2)
			kt_assert_ret(hello(held[i], 0, KT_PAGE), 0, "HELLO");
	}
	kt_check_ret(fill_up(fds), -EMFILE, "a bus too many");
	for (i = 0; i < BUSES; i++)
		bus_close(&b[i]);
	kt_check_ret(fill_up(fds), 0, "a bus, there was none before");

	/* they do not end twice */
	for (i = 0; i < BUSES; i++)
		close(held[i]);
	become(USER);
	bus_name(b[0].name, sizeof(b[0].name));
	kt_check_ret(bus_try_make(open_control(), 0, b[0].name), -EMFILE,
		     "a bus too many again");
	become(0);
}
END_TEST

KT_SUITE("dead")
{
	kt_test(connection_sent_to);
	kt_test(connections_cast_to);
	kt_test(connection_said_byebye);
	kt_test(connections_on_dead_bus);
	kt_test(buses);
}
