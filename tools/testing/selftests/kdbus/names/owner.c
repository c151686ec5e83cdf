// SPDX-License-Identifier: GPL-2.0-only
/* Who owns a name and who comes next; sending to names */

#include <stdio.h>
#include <string.h>

#include "call.h"

#define POOL	(64 * KIB)
#define NAME	"foo.bar"
#define USER	20081
#define N	6

static struct bus bus;
static struct conn c[N];

static void prepare(void)
{
	int i;

	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	for (i = 0; i < N; i++)
		conn_open(&c[i], &bus, POOL);
}

/* an acquire of NAME that works: with what flags it returns */
static void acquire(int who, u64 flags, u64 returned)
{
	u64 f = flags;

	kt_check_ret(name_cmd(&c[who], KDBUS_CMD_NAME_ACQUIRE, NAME, &f), 0,
		     "connection %d, flags %#llx", who, flags);
	kt_check(f == (flags | returned), "connection %d: flags %#llx", who,
		 f);
}

static void own(int who, u64 flags)
{
	acquire(who, flags, 0);
}

static void wait_for(int who, u64 flags)
{
	acquire(who, flags | QUEUE, IN_QUEUE);
}

static void release(int who)
{
	kt_check_ret(name_release(&c[who], NAME), 0, "release by %d", who);
}

#define NOBODY	-1

static void check_owner(int who)
{
	u64 id = name_owner(&c[0], NAME, NULL);
	u64 want = who == NOBODY ? 0 : c[who].id;

	kt_check(id == want, "owner is %llu, not %llu", id, want);
}

static void die(int who)
{
	conn_close(&c[who]);
}

/* all flags of an owner against all flags of another */
static void check_pair(u64 has, u64 wants)
{
	bool replace = (has & ALLOW) && (wants & REPLACE), back;
	u64 flags;

	own(1, has);
	if (replace) {
		own(2, wants);
	} else if (wants & QUEUE) {
		wait_for(2, wants);
	} else {
		kt_check_ret(name_acquire(&c[2], NAME, wants), -EEXIST,
			     "%#llx against %#llx", wants, has);
	}
	kt_check(name_owner(&c[0], NAME, &flags) == c[replace ? 2 : 1].id &&
		 flags == (replace ? wants : has),
		 "%#llx against %#llx: wrong owner or flags", wants, has);
	/* when it is over, who comes next? */
	release(replace ? 2 : 1);
	back = replace ? has & QUEUE : wants & QUEUE;
	check_owner(!back ? NOBODY : replace ? 1 : 2);
	if (back)
		release(replace ? 1 : 2);
	check_owner(NOBODY);
}

START_TEST(replacement)
{
	u64 has, wants;

	prepare();
	for (has = 0; has < 8; has++)
		for (wants = 0; wants < 8; wants++)
			check_pair(has, wants);
}
END_TEST

/* one that is replaced goes to the end of the queue, with its flags */
START_TEST(replaced_goes_last)
{
	u64 flags;

	prepare();
	own(1, ALLOW | QUEUE);
	wait_for(2, 0);
	wait_for(3, ALLOW);
	own(4, REPLACE);
	release(4);
	check_owner(2);
	release(2);
	check_owner(3);
	release(3);
	kt_check(name_owner(&c[0], NAME, &flags) == c[1].id &&
		 flags == (ALLOW | QUEUE), "flags %#llx", flags);
	own(5, REPLACE);
	check_owner(5);
}
END_TEST

START_TEST(queue_order)
{
	int i;

	prepare();
	own(0, 0);
	for (i = 1; i < N; i++)
		wait_for(i, 0);
	for (i = 0; i < N; i++) {
		check_owner(i);
		release(i);
	}
	check_owner(NOBODY);
}
END_TEST

/* however often it asks */
START_TEST(one_place)
{
	u64 flags;
	int i;

	prepare();
	own(0, 0);
	for (i = 0; i < 3; i++) {
		wait_for(1, 0);
		wait_for(2, 0);
	}
	wait_for(1, ALLOW);
	release(0);
	check_owner(1);
	release(1);
	check_owner(2);
	release(2);
	check_owner(NOBODY);
	/* nor twice after a release in between */
	own(0, 0);
	wait_for(1, 0);
	release(1);
	kt_check_ret(name_release(&c[1], NAME), -EADDRINUSE, "waits no more");
	wait_for(2, 0);
	wait_for(1, 0);
	release(0);
	check_owner(2);
	release(2);
	kt_check(name_owner(&c[0], NAME, &flags) == c[1].id && flags == QUEUE,
		 "flags %#llx", flags);
}
END_TEST

/* a waiter that replaces the owner does not wait for itself */
START_TEST(waiter_replaces)
{
	prepare();
	own(0, ALLOW);
	wait_for(1, 0);
	own(1, REPLACE);
	check_owner(1);
	release(1);
	check_owner(NOBODY);
	own(0, ALLOW | QUEUE);
	wait_for(1, 0);
	own(1, REPLACE);
	release(1);
	check_owner(0);
	release(0);
	check_owner(NOBODY);
}
END_TEST

START_TEST(release_while_waiting)
{
	prepare();
	own(0, 0);
	wait_for(1, 0);
	wait_for(2, 0);
	release(1);
	kt_check_ret(name_release(&c[1], NAME), -EADDRINUSE, "again");
	release(0);
	check_owner(2);
	release(2);
	check_owner(NOBODY);
}
END_TEST

START_TEST(death)
{
	prepare();
	own(5, 0);
	wait_for(4, 0);
	wait_for(3, 0);
	wait_for(2, 0);
	wait_for(1, 0);
	die(4);
	die(2);
	check_owner(5);
	die(5);
	check_owner(3);
	kt_check_ret(conn_byebye(&c[3]), 0, "BYEBYE");
	check_owner(1);
	die(1);
	check_owner(NOBODY);
	own(0, 0);
}
END_TEST

/* only the creator of the bus and root may own, without policy */
START_TEST(unprivileged)
{
	struct conn u;

	prepare();
	kt_become(USER);
	conn_open(&u, &bus, POOL);
	kt_check_ret(name_acquire(&u, NAME, 0), -EPERM, "free name");
	kt_check_ret(name_acquire(&u, "foo", 0), -EINVAL, "bad name");
	kt_become(0);
	own(0, ALLOW);
	kt_become(USER);
	kt_check_ret(name_acquire(&u, NAME, REPLACE), -EPERM, "replace");
	kt_check_ret(name_acquire(&u, NAME, QUEUE), -EPERM, "queue");
	kt_check_ret(name_release(&u, NAME), -EADDRINUSE, "release");
	kt_check_ret(name_release(&u, "a.b"), -ESRCH, "release");
	kt_become(0);
	check_owner(0);
}
END_TEST

START_TEST(own_bus_of_user)
{
	struct bus mine;
	struct conn u;

	kt_become(USER);
	bus_make(&mine, 0);
	conn_open(&u, &mine, POOL);
	kt_check_ret(name_acquire(&u, NAME, 0), 0, "creator of the bus");
	kt_check_ret(name_release(&u, NAME), 0, "release");
}
END_TEST

/* two buses have nothing to do with each other */
START_TEST(per_bus)
{
	struct bus other;
	struct conn o;

	prepare();
	bus_make(&other, 0);
	conn_open(&o, &other, POOL);
	own(0, 0);
	kt_check_ret(name_release(&o, NAME), -ESRCH, "release");
	kt_check_ret(name_acquire(&o, NAME, 0), 0, "acquire");
	kt_check_ret(send_name(&o, NAME, 1), 0, "send");
	kt_check(conn_drain(&o) == 1, "message");
	expect_empty(&c[0]);
	bus_close(&other);
	kt_check_ret(name_acquire(&o, "a.b", 0), -ECONNRESET, "dead");
	kt_check_ret(name_release(&o, NAME), -ECONNRESET, "dead");
	check_owner(0);
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Sending to names */

static int send_both(u64 dst, const char *name)
{
	struct blob m;

	msg_init(&m, dst, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, name);
	return conn_send(&c[0], &m);
}

START_TEST(routing)
{
	prepare();
	kt_check_ret(send_both(0, NAME), -ESRCH, "no such name");
	kt_check_ret(send_both(c[1].id, NAME), -ESRCH, "no such name, id");
	own(1, ALLOW);
	wait_for(3, 0);
	kt_check_ret(send_both(0, NAME), 0, "name");
	expect_msg(&c[1], 1, 0);
	kt_check_ret(send_both(c[1].id, NAME), 0, "name and id");
	expect_msg(&c[1], 1, 0);
	kt_check_ret(send_both(c[2].id, NAME), -EREMCHG, "another id");
	kt_check_ret(send_both(c[3].id, NAME), -EREMCHG, "id of a waiter");
	kt_check_ret(send_both(9999, NAME), -EREMCHG, "no such id");
	kt_check_ret(send_both(0, "foo.baz"), -ESRCH, "other name");
	kt_check_ret(send_both(0, "foo"), -EINVAL, "no name");
	own(2, REPLACE);
	kt_check_ret(send_both(0, NAME), 0, "name");
	kt_check_ret(send_both(c[1].id, NAME), -EREMCHG, "old owner");
	expect_msg(&c[2], 1, 0);
	die(2);
	kt_check_ret(send_both(0, NAME), 0, "name");
	expect_msg(&c[3], 1, 0);
	release(3);
	kt_check_ret(send_both(0, NAME), -ESRCH, "no such name any more");
	expect_empty(&c[1]);
	expect_empty(&c[3]);
}
END_TEST

/* messages stay where they are when the name goes elsewhere */
START_TEST(messages_stay)
{
	prepare();
	own(1, ALLOW);
	kt_check_ret(send_both(0, NAME), 0, "name");
	own(2, REPLACE);
	expect_empty(&c[2]);
	expect_msg(&c[1], 1, 0);
	kt_check_ret(send_both(0, NAME), 0, "name");
	wait_for(3, 0);
	release(2);
	check_owner(3);
	expect_empty(&c[3]);
	expect_msg(&c[2], 1, 0);
}
END_TEST

START_TEST(received_layout)
{
	static u8 bytes[50];
	const struct kdbus_item *i;
	const struct kdbus_msg *m;
	struct blob b;
	int with_id;

	prepare();
	kt_fill(bytes, sizeof(bytes), 5);
	own(1, 0);
	for (with_id = 0; with_id < 2; with_id++) {
		u64 dst = with_id ? c[1].id : 0;

		msg_init(&b, dst, 1);
		msg_vec(&b, bytes, sizeof(bytes));
		blob_add_str(&b, KDBUS_ITEM_DST_NAME, NAME);
		kt_check_ret(conn_send(&c[0], &b), 0, "send");
		m = conn_recv_msg(&c[1], NULL);
		kt_check(m->size == 72 + 24 + 32, "size %llu", m->size);
		kt_check(m->dst_id == dst, "dst_id %llu", m->dst_id);
		i = item_first(m);
		kt_assert(i && i->type == KDBUS_ITEM_DST_NAME,
			  "first item is no DST_NAME");
		kt_check(i->size == HDR + sizeof(NAME) &&
			 !strcmp(i->str, NAME), "DST_NAME of size %llu",
			 i->size);
		i = item_next(m, i);
		kt_assert(i && i->type == KDBUS_ITEM_PAYLOAD_OFF,
			  "second item is no payload");
		kt_check(i->vec.offset == m->size &&
			 kt_filled((const u8 *)m + m->size, 50, 5), "payload");
	}
}
END_TEST

/* a request by name is answered by id */
START_TEST(request_by_name)
{
	prepare();
	own(1, 0);
	kt_check_ret(request_name(&c[0], NAME, 7, NEVER), 0, "request");
	kt_check_ret(request_name(&c[0], NAME, 8, NEVER), 0, "request");
	expect_msg(&c[1], 7, 0);
	/* the owner lives on: it still owes the answer */
	release(1);
	kt_check_ret(reply(&c[1], c[0].id, 7), 0, "reply");
	expect_msg(&c[0], 1007, 7);
	expect_empty(&c[0]);
	die(1);
	expect_note(&c[0], KDBUS_ITEM_REPLY_DEAD, 8);
	expect_empty(&c[0]);
}
END_TEST

/* and a reply may go to a name */
START_TEST(reply_by_name)
{
	struct blob m;

	prepare();
	own(0, 0);
	kt_check_ret(request(&c[0], c[1].id, 7, NEVER), 0, "request");
	reply_init(&m, KDBUS_DST_ID_NAME, 7);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, NAME);
	kt_check_ret(conn_send(&c[1], &m), 0, "reply");
	expect_msg(&c[0], 1007, 7);
	die(1);
	expect_empty(&c[0]);
}
END_TEST

/* limits do not hold for names that come back to who has lost them */
#define HEIRS		32
#define EACH		64

static const char *long_name(int heir, int i)
{
	static char name[256];

	memset(name, 'x', 200);
	sprintf(name + 200, ".n%d_%d", heir, i);
	return name;
}

/* how many ns its close takes, per name */
static u64 time_heritage(int heirs)
{
	struct conn rich, heir[HEIRS];
	int i, j;
	u64 t;

	conn_open(&rich, &bus, POOL);
	for (i = 0; i < heirs; i++) {
		conn_open(&heir[i], &bus, KT_PAGE);
		for (j = 0; j < EACH; j++) {
			kt_assert_ret(name_acquire(&rich, long_name(i, j),
						   QUEUE | ALLOW), 0, "own");
			kt_assert_ret(name_acquire(&heir[i], long_name(i, j),
						   REPLACE), 0, "replace");
		}
	}
	for (i = 0; i < heirs; i++)
		conn_close(&heir[i]);
	kt_check(name_owner(&c[0], long_name(0, 0), NULL) == rich.id, "owner");
	t = now_ns();
	conn_close(&rich);
	t = now_ns() - t;
	kt_note("close with %d names: %llu us", heirs * EACH, t / 1000);
	return t / (heirs * EACH);
}

/* the registry is not held for longer and longer */
START_TEST(many_names_at_once)
{
	unsigned int tries = 0;
	u64 few, many;

	bus_make(&bus, 0);
	conn_open(&c[0], &bus, 4 * MIB);
	few = time_heritage(HEIRS / 16);
	/* the machine may have other things to do, but not each time */
	do {
		many = time_heritage(HEIRS);
	} while (many >= 4 * few && ++tries < 5);
	kt_check(many < 4 * few, "%llu ns for each of many names, %llu of few",
		 many, few);
}
END_TEST

KT_SUITE("name")
{
	kt_test(replacement);
	kt_test(replaced_goes_last);
	kt_test(queue_order);
	kt_test(one_place);
	kt_test(waiter_replaces);
	kt_test(release_while_waiting);
	kt_test(death);
	kt_test(unprivileged);
	kt_test(own_bus_of_user);
	kt_test(per_bus);
	kt_test(routing);
	kt_test(messages_stay);
	kt_test(received_layout);
	kt_test(request_by_name);
	kt_test(reply_by_name);
	kt_test(many_names_at_once);
}
