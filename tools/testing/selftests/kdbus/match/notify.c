// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel tells about connections and names */

#include <string.h>
#include <unistd.h>

#include "cast.h"

#define POOL	(64 * KIB)
#define USER	20091

static struct bus bus;
static struct conn a, b, r;

/* r hears everything */
static void prepare(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	conn_open(&a, &bus, POOL);
	conn_open(&b, &bus, POOL);
	conn_open(&r, &bus, POOL);
	match_all(&r);
}

/* it is there when HELLO and close return */
START_TEST(ids)
{
	struct conn c;
	int i;

	prepare();
	for (i = 0; i < 20; i++) {
		u64 flags = i & 1 ? KDBUS_HELLO_ACCEPT_FD : 0;

		kt_assert_ret(conn_try_open(&c, &bus, flags, 4096), 0,
			      "HELLO");
		expect_id_note(&r, KDBUS_ITEM_ID_ADD, c.id, flags);
		expect_empty(&r);
		if (i & 2)
			kt_assert_ret(conn_byebye(&c), 0, "BYEBYE");
		else
			conn_close(&c);
		expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, c.id, flags);
		expect_empty(&r);
		if (i & 2)
			conn_close(&c);
		expect_empty(&r);
	}
}
END_TEST

START_TEST(ids_of_special_connections)
{
	struct conn mon, act;

	prepare();
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR, NULL,
				       4096), 0, "HELLO of a monitor");
	expect_id_note(&r, KDBUS_ITEM_ID_ADD, mon.id, KDBUS_HELLO_MONITOR);
	activator_open(&act, &bus, 0, "some.service", 4096);
	expect_name_note(&r, KDBUS_ITEM_NAME_ADD, 0, 0, act.id,
			 KDBUS_NAME_ACTIVATOR, "some.service");
	expect_id_note(&r, KDBUS_ITEM_ID_ADD, act.id, KDBUS_HELLO_ACTIVATOR);
	expect_empty(&r);
	conn_close(&mon);
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, mon.id, KDBUS_HELLO_MONITOR);
	conn_close(&act);
	expect_name_note(&r, KDBUS_ITEM_NAME_REMOVE, act.id,
			 KDBUS_NAME_ACTIVATOR, 0, 0, "some.service");
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, act.id,
		       KDBUS_HELLO_ACTIVATOR);
	expect_empty(&r);
}
END_TEST

/* a HELLO that fails tells nothing */
START_TEST(failed_hello)
{
	struct conn c;

	prepare();
	kt_check_ret(conn_try_open(&c, &bus, 0, 4095), -EFAULT, "pool size");
	kt_check_ret(conn_try_open(&c, &bus, 1ULL << 40, 4096), -EINVAL,
		     "flags");
	expect_empty(&r);
}
END_TEST

/* not about oneself */
START_TEST(own_id)
{
	struct conn c;

	prepare();
	conn_open(&c, &bus, POOL);
	match_all(&c);
	expect_empty(&c);
	conn_drain(&r);
	conn_close(&c);
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	expect_empty(&r);
}
END_TEST

START_TEST(names)
{
	prepare();
	kt_assert_ret(name_acquire(&a, "foo.bla.blaz", ALLOW), 0, "acquire");
	expect_name_note(&r, KDBUS_ITEM_NAME_ADD, 0, 0, a.id, ALLOW,
			 "foo.bla.blaz");
	expect_empty(&r);
	kt_assert_ret(name_acquire(&b, "foo.bla.blaz", REPLACE), 0, "replace");
	expect_name_note(&r, KDBUS_ITEM_NAME_CHANGE, a.id, ALLOW, b.id, REPLACE,
			 "foo.bla.blaz");
	expect_empty(&r);
	kt_assert_ret(name_release(&b, "foo.bla.blaz"), 0, "release");
	expect_name_note(&r, KDBUS_ITEM_NAME_REMOVE, b.id, REPLACE, 0, 0,
			 "foo.bla.blaz");
	expect_empty(&r);
}
END_TEST

/* the size of the item is a multiple of 8, the tail is zero */
START_TEST(name_lengths)
{
	char name[256];
	size_t n;

	prepare();
	for (n = 3; n <= 255; n += n < 40 ? 1 : 43) {
		memset(name, 'x', n);
		name[1] = '.';
		name[n] = '\0';
		kt_assert_ret(name_acquire(&a, name, 0), 0, "acquire");
		expect_name_note(&r, KDBUS_ITEM_NAME_ADD, 0, 0, a.id, 0, name);
		kt_assert_ret(name_release(&a, name), 0, "release");
		expect_name_note(&r, KDBUS_ITEM_NAME_REMOVE, a.id, 0, 0, 0,
				 name);
	}
	expect_empty(&r);
}
END_TEST

/* to wait for a name, or no longer, is nobody's business */
START_TEST(name_queue)
{
	prepare();
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	expect_name_note(&r, KDBUS_ITEM_NAME_ADD, 0, 0, a.id, 0, "foo.bar");
	kt_assert_ret(name_acquire(&b, "foo.bar", QUEUE), 0, "wait");
	expect_empty(&r);
	kt_assert_ret(name_release(&b, "foo.bar"), 0, "do not wait");
	expect_empty(&r);
	kt_assert_ret(name_acquire(&b, "foo.bar", QUEUE), 0, "wait again");
	expect_empty(&r);
	kt_check_ret(name_acquire(&r, "foo.bar", 0), -EEXIST, "taken");
	expect_empty(&r);
	kt_assert_ret(name_release(&a, "foo.bar"), 0, "release");
	expect_name_note(&r, KDBUS_ITEM_NAME_CHANGE, a.id, 0, b.id, QUEUE,
			 "foo.bar");
	expect_empty(&r);
}
END_TEST

START_TEST(own_name)
{
	prepare();
	kt_assert_ret(name_acquire(&r, "my.name", 0), 0, "acquire");
	expect_name_note(&r, KDBUS_ITEM_NAME_ADD, 0, 0, r.id, 0, "my.name");
	kt_assert_ret(name_release(&r, "my.name"), 0, "release");
	expect_name_note(&r, KDBUS_ITEM_NAME_REMOVE, r.id, 0, 0, 0, "my.name");
	expect_empty(&r);
}
END_TEST

/* names, REPLY_DEAD, ID_REMOVE */
static void try_disconnect(bool received)
{
	struct conn c;

	conn_open(&c, &bus, POOL);
	kt_assert_ret(name_acquire(&c, "a.one", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&c, "a.two", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&b, "a.two", QUEUE), 0, "wait");
	kt_assert_ret(request(&r, c.id, 55, NEVER), 0, "request");
	if (received)
		expect_msg(&c, 55, 0);
	conn_drain(&r);
	conn_close(&c);
	{
		u64 off;
		const struct kdbus_msg *m;

		/* the names come in any order */
		kt_assert_ret(conn_recv_flags(&r, KDBUS_RECV_PEEK, &off), 0,
			      "peek");
		m = conn_msg(&r, off);
		if (m->items[0].type == KDBUS_ITEM_NAME_REMOVE) {
			expect_name_note(&r, KDBUS_ITEM_NAME_REMOVE, c.id, 0,
					 0, 0, "a.one");
			expect_name_note(&r, KDBUS_ITEM_NAME_CHANGE, c.id, 0,
					 b.id, QUEUE, "a.two");
		} else {
			expect_name_note(&r, KDBUS_ITEM_NAME_CHANGE, c.id, 0,
					 b.id, QUEUE, "a.two");
			expect_name_note(&r, KDBUS_ITEM_NAME_REMOVE, c.id, 0,
					 0, 0, "a.one");
		}
	}
	expect_note(&r, KDBUS_ITEM_REPLY_DEAD, 55);
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	expect_empty(&r);
	kt_assert_ret(name_release(&b, "a.two"), 0, "release");
	conn_drain(&r);
}

START_TEST(disconnect_order)
{
	prepare();
	try_disconnect(false);
	try_disconnect(true);
}
END_TEST

/* several listeners, each gets all of it in order */
START_TEST(several_listeners)
{
	struct conn l[5], c;
	int i;

	prepare();
	for (i = 0; i < 5; i++) {
		conn_open(&l[i], &bus, POOL);
		match_all(&l[i]);
	}
	for (i = 0; i < 5; i++)
		conn_drain(&l[i]);
	conn_open(&c, &bus, 4096);
	kt_assert_ret(name_acquire(&c, "foo.bar", 0), 0, "acquire");
	conn_close(&c);
	for (i = 0; i < 5; i++) {
		expect_id_note(&l[i], KDBUS_ITEM_ID_ADD, c.id, 0);
		expect_name_note(&l[i], KDBUS_ITEM_NAME_ADD, 0, 0, c.id, 0,
				 "foo.bar");
		expect_name_note(&l[i], KDBUS_ITEM_NAME_REMOVE, c.id, 0, 0, 0,
				 "foo.bar");
		expect_id_note(&l[i], KDBUS_ITEM_ID_REMOVE, c.id, 0);
		expect_empty(&l[i]);
	}
}
END_TEST

static void user_comes(struct conn *c)
{
	kt_become(USER);
	conn_open(c, &bus, 4096);
	kt_become(0);
}

/* a queue that is full of root's messages takes notifications nevertheless */
START_TEST(queue_is_full)
{
	struct conn c;
	int i;

	prepare();
	for (i = 0; i < 257; i++)
		kt_assert_ret(conn_send_bytes(&a, r.id, i, NULL, 0), 0,
			      "message %d", i);
	user_comes(&c);
	kt_check(conn_drain(&r) == 258, "the notification is lost");
	kt_become(USER);
	conn_close(&c);
	kt_become(0);
	expect_id_note(&r, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	expect_empty(&r);
}
END_TEST

/* there is room when it is received: what came before was freed */
START_TEST(pool_is_full)
{
	static const size_t sizes[] = { 2048, 1024, 512, 256, 128 };
	static u8 bytes[2048];
	struct conn tiny, c;
	size_t i;

	prepare();
	conn_open(&tiny, &bus, 4096);
	match_all(&tiny);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		kt_assert_ret(conn_send_want(&a, tiny.id, bytes, sizes[i]), 0,
			      "%zu bytes", sizes[i]);
	conn_open(&c, &bus, 4096);
	kt_check(conn_drain(&tiny) == ARRAY_SIZE(sizes) + 1,
		 "the notification is lost");
	conn_close(&c);
	expect_id_note(&tiny, KDBUS_ITEM_ID_REMOVE, c.id, 0);
	expect_empty(&tiny);
}
END_TEST

/* there are as many as a queue takes: nobody's quota applies */
START_TEST(no_user_quota)
{
	struct conn c;
	int i;

	prepare();
	for (i = 0; i < 40; i++) {
		user_comes(&c);
		kt_become(USER);
		conn_close(&c);
		kt_become(0);
	}
	kt_check(conn_drain(&r) == 80, "some were lost");
}
END_TEST

/* a bus that dies says nothing and leaves nothing behind */
START_TEST(bus_dies)
{
	prepare();
	kt_assert_ret(name_acquire(&a, "foo.bar", 0), 0, "acquire");
	bus_close(&bus);
	kt_check_ret(conn_recv(&r, NULL), -ECONNRESET, "recv");
	conn_close(&a);
	conn_close(&b);
	kt_check_ret(conn_recv(&r, NULL), -ECONNRESET, "recv");
}
END_TEST

#define CROWD	600

static void *wait_for_note(void *arg)
{
	int *ret = arg;
	u64 off;

	*ret = conn_recv_flags(&r, KDBUS_RECV_EXT_WAIT, &off);
	return NULL;
}

/* those who are about to go are not told who went before them */
START_TEST(end_is_not_told)
{
	static struct conn crowd[CROWD];
	u64 begin, took;
	pthread_t t;
	int i, ret;

	allow_fds(CROWD + 100);
	bus_make(&bus, 0);
	for (i = 0; i < CROWD; i++) {
		conn_open(&crowd[i], &bus, KT_PAGE);
		match_all(&crowd[i]);
	}
	conn_open(&r, &bus, POOL);
	match_all(&r);
	t = kt_thread(wait_for_note, &ret);
	usleep(200000);
	begin = now_ns();
	bus_close(&bus);
	took = now_ns() - begin;
	kt_join(t);
	kt_check_ret(ret, -ECONNRESET, "the one who waits for a message");
	kt_note("the end of %d connections took %llu us", CROWD, took / 1000);
}
END_TEST

KT_SUITE("notify")
{
	kt_test(ids);
	kt_test(ids_of_special_connections);
	kt_test(failed_hello);
	kt_test(own_id);
	kt_test(names);
	kt_test(name_lengths);
	kt_test(name_queue);
	kt_test(own_name);
	kt_test(disconnect_order);
	kt_test(several_listeners);
	kt_test(queue_is_full);
	kt_test(pool_is_full);
	kt_test(no_user_quota);
	kt_test(bus_dies);
	kt_test_slow(end_is_not_told, 180);
}
