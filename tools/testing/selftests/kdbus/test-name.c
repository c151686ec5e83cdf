// SPDX-License-Identifier: GPL-2.0-only
/* NAME_ACQUIRE, NAME_RELEASE, and sending to names */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "call.h"
#include "suites.h"

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

static const struct {
	const char *name;
	bool valid;
} syntax[] = {
	{ "a.b", true }, { "foo.bla.blaz", true }, { "A.Z", true },
	{ "_.-", true }, { "a1.b2", true }, { "-a.-b", true },
	{ "_1._2", true }, { "-.-", true }, { "a.b.c.d.e.f.g.h", true },
	{ "a-b.c_d", true }, { "a-1.b-2", true },
	{ "" }, { "a" }, { "." }, { ".." }, { ".a.b" }, { "a.b." },
	{ "a..b" }, { "a." }, { ".a" }, { "1.a" }, { "a.1" }, { "a.1b" },
	{ "1a.b" }, { "a.b.2" }, { "a.*" }, { "*" }, { "a.b.*" }, { "*.a" },
	{ "a.b*" }, { "a.b c" }, { "a.b/c" }, { "a.b:c" }, { ":1.1" },
	{ "a.b\n" }, { "a.\xc3\xa4" }, { "a.\xe4" }, { "\xff.a" },
	{ "a.b@" }, { "a.[b" }, { "a.`b" }, { "a.{b" }, { "a,b.c" },
};

START_TEST(name_syntax)
{
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(syntax); i++) {
		const char *name = syntax[i].name;
		int want = syntax[i].valid ? 0 : -EINVAL;

		kt_check_ret(name_acquire(&c[0], name, 0), want,
			     "acquire \"%s\"", name);
		kt_check_ret(send_name(&c[1], name, 1), want, "send to \"%s\"",
			     name);
		kt_check_ret(name_release(&c[0], name), want,
			     "release \"%s\"", name);
		kt_check_ret(name_release(&c[0], name), want ?: -ESRCH,
			     "release \"%s\" again", name);
	}
}
END_TEST

/* all bytes, in the middle of an element */
START_TEST(name_bytes)
{
	int b;

	prepare();
	for (b = 1; b < 256; b++) {
		char name[] = "a.bxb";
		bool ok = (b >= 'a' && b <= 'z') || (b >= 'A' && b <= 'Z') ||
			  (b >= '0' && b <= '9') || b == '_' || b == '-' ||
			  b == '.';

		name[3] = b;
		kt_check_ret(name_acquire(&c[0], name, 0), ok ? 0 : -EINVAL,
			     "byte %#x", b);
		if (ok)
			name_release(&c[0], name);
	}
}
END_TEST

static void long_name(char *name, size_t len)
{
	memset(name, 'x', len);
	name[len / 2] = '.';
	name[len] = '\0';
}

START_TEST(name_length)
{
	char name[300];
	int i;

	prepare();
	for (i = 3; i < 260; i++) {
		long_name(name, i);
		kt_check_ret(name_acquire(&c[0], name, 0),
			     i > 255 ? -EMSGSIZE : 0, "length %d", i);
		kt_check_ret(name_release(&c[0], name),
			     i > 255 ? -EMSGSIZE : 0, "length %d", i);
	}
	long_name(name, 255);
	kt_check_ret(name_acquire(&c[0], name, 0), 0, "255");
	kt_check_ret(send_name(&c[1], name, 1), 0, "send");
	kt_check(conn_drain(&c[0]) == 1, "message");
	long_name(name, 256);
	kt_check_ret(send_name(&c[1], name, 1), -EINVAL, "send, too long");
}
END_TEST

static const unsigned long both[] = {
	KDBUS_CMD_NAME_ACQUIRE, KDBUS_CMD_NAME_RELEASE,
};

START_TEST(bad_structure)
{
	struct blob b;
	size_t i;

	prepare();
	for (i = 0; i < 2; i++) {
		blob_init(&b, 24);
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL, "no item");
		b.size = 23;
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL, "23");
		b.size = 0;
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL, "0");
		b.size = 297;
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EMSGSIZE, "297");
		blob_init(&b, 24);
		blob_add_str(&b, KDBUS_ITEM_NAME, NAME);
		blob_add_str(&b, KDBUS_ITEM_NAME, NAME);
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL, "twice");
		blob_init(&b, 24);
		blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, "foo");
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL,
			     "other item");
		blob_init(&b, 24);
		blob_add(&b, KDBUS_ITEM_NAME, "a.b", 3);
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL, "no NUL");
		blob_init(&b, 24);
		blob_add(&b, KDBUS_ITEM_NAME, "a.b\0c", 6);
		kt_check_ret(kt_cmd(c[0].fd, both[i], &b), -EINVAL, "two NUL");
		kt_check_ret(kt_cmd(c[0].fd, both[i], b.raw + 4), -EFAULT,
			     "unaligned");
		kt_check_ret(kt_cmd(c[0].fd, both[i], kt_unmapped()), -EFAULT,
			     "unmapped");
		kt_check_ret(kt_cmd(open_endpoint(&bus), both[i], NULL),
			     -ENOTTY, "not connected");
	}
}
END_TEST

/* unknown items do not matter */
START_TEST(other_items)
{
	struct blob b;

	prepare();
	blob_init(&b, 24);
	blob_add(&b, KT_ITEM_IGNORED, NULL, 9);
	blob_add_str(&b, KDBUS_ITEM_NAME, NAME);
	blob_add(&b, KT_ITEM_IGNORED, NULL, 1);
	kt_check_ret(kt_cmd(c[0].fd, KDBUS_CMD_NAME_ACQUIRE, &b), 0, "acquire");
	check_owner(0);
	kt_check_ret(kt_cmd(c[0].fd, KDBUS_CMD_NAME_RELEASE, &b), 0, "release");
	check_owner(NOBODY);
}
END_TEST

/* what comes back in the structure, whether it worked or not */
static void check_flags(unsigned long nr, u64 flags, u64 mask, int want)
{
	struct kdbus_cmd_name *cmd;
	struct blob b;

	blob_init(&b, 24);
	blob_add_str(&b, KDBUS_ITEM_NAME, NAME);
	cmd = (void *)&b;
	cmd->flags = flags;
	cmd->kernel_flags = 0x1234;
	kt_check_ret(kt_cmd(c[0].fd, nr, &b), want, "flags %#llx", flags);
	kt_check(cmd->kernel_flags == (mask | KDBUS_FLAG_KERNEL),
		 "kernel_flags %#llx", cmd->kernel_flags);
	kt_check(cmd->flags == flags, "flags %#llx became %#llx", flags,
		 cmd->flags);
	if (!want && nr == KDBUS_CMD_NAME_ACQUIRE)
		release(0);
}

START_TEST(flags)
{
	int bit;

	prepare();
	for (bit = 0; bit < 64; bit++) {
		check_flags(KDBUS_CMD_NAME_ACQUIRE, 1ULL << bit, 7,
			    bit < 3 ? 0 : -EINVAL);
		check_flags(KDBUS_CMD_NAME_RELEASE, 1ULL << bit, 0, -EINVAL);
	}
	check_flags(KDBUS_CMD_NAME_ACQUIRE, 7, 7, 0);
	check_flags(KDBUS_CMD_NAME_ACQUIRE, 0, 7, 0);
	check_flags(KDBUS_CMD_NAME_RELEASE, 0, 0, -ESRCH);
}
END_TEST

START_TEST(release_errors)
{
	prepare();
	kt_check_ret(name_release(&c[0], NAME), -ESRCH, "nobody has it");
	own(0, 0);
	kt_check_ret(name_release(&c[1], NAME), -EADDRINUSE, "another has it");
	check_owner(0);
	release(0);
	kt_check_ret(name_release(&c[0], NAME), -ESRCH, "twice");
}
END_TEST

START_TEST(already)
{
	u64 f, flags;

	prepare();
	own(0, 0);
	for (f = 0; f < 8; f++)
		kt_check_ret(name_acquire(&c[0], NAME, f), -EALREADY,
			     "flags %#llx", f);
	kt_check(name_owner(&c[1], NAME, &flags) == c[0].id && flags == 0,
		 "flags became %#llx", flags);
	kt_check_ret(name_acquire(&c[1], NAME, REPLACE), -EEXIST,
		     "it does not allow that");
	release(0);
	check_owner(NOBODY);
}
END_TEST

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

static void nth_name(char *name, int n)
{
	sprintf(name, "test.n%d", n);
}

START_TEST(name_limit)
{
	char name[32];
	int i;

	prepare();
	kt_assert_ret(name_acquire(&c[1], "b.queue", 0), 0, "acquire");
	kt_assert_ret(name_acquire(&c[0], "b.queue", QUEUE), 0, "wait");
	for (i = 0; i < 64; i++) {
		nth_name(name, i);
		kt_assert_ret(name_acquire(&c[0], name, 0), 0, "name %d", i);
	}
	kt_check_ret(name_acquire(&c[0], "a.b", 0), -E2BIG, "name 65");
	kt_check_ret(name_acquire(&c[0], name, 0), -E2BIG, "one of its own");
	kt_check_ret(name_acquire(&c[0], "b.queue", QUEUE), -E2BIG, "waiting");
	kt_check(name_owner(&c[1], "a.b", NULL) == 0, "it got it");
	kt_assert_ret(name_acquire(&c[1], "a.b", 0), 0, "another connection");
	kt_assert_ret(name_release(&c[0], name), 0, "release");
	kt_check_ret(name_acquire(&c[0], name, 0), 0, "name 64 again");
	/* a waiter may exceed the limit */
	kt_check_ret(name_release(&c[1], "b.queue"), 0, "release");
	kt_check(name_owner(&c[1], "b.queue", NULL) == c[0].id, "promotion");
	kt_assert_ret(name_release(&c[0], name), 0, "release, 64 left");
	kt_check_ret(name_acquire(&c[0], name, 0), -E2BIG, "65 again");
	conn_close(&c[0]);
	for (i = 0; i < 64; i++) {
		nth_name(name, i);
		kt_check(!name_owner(&c[1], name, NULL), "%s", name);
	}
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

void suite_names(void)
{
	kt_suite("name");
	kt_test(name_syntax);
	kt_test(name_bytes);
	kt_test(name_length);
	kt_test(bad_structure);
	kt_test(other_items);
	kt_test(flags);
	kt_test(release_errors);
	kt_test(already);
	kt_test(replacement);
	kt_test(replaced_goes_last);
	kt_test(queue_order);
	kt_test(one_place);
	kt_test(waiter_replaces);
	kt_test(release_while_waiting);
	kt_test(death);
	kt_test(name_limit);
	kt_test(unprivileged);
	kt_test(own_bus_of_user);
	kt_test(per_bus);
	kt_test(routing);
	kt_test(messages_stay);
	kt_test(received_layout);
	kt_test(request_by_name);
	kt_test(reply_by_name);
}
