// SPDX-License-Identifier: GPL-2.0-only
/* Who may talk to whom as long as there is no policy */

#include <unistd.h>

#include "util.h"

#define POOL	(16 * KIB)
#define OWNER	20061
#define USER_A	20062
#define USER_B	20063

enum { ROOT, OWN, A1, A2, B1, N };

static const struct {
	const char *name;
	uid_t uid;
} who[N] = {
	{ "root", 0 }, { "the bus owner", OWNER }, { "user A", USER_A },
	{ "user A, second connection", USER_A }, { "user B", USER_B },
};

static struct bus bus;
static struct conn conns[N];

static void prepare(uid_t uid)
{
	int i;

	kt_become(uid);
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	for (i = 0; i < N; i++) {
		kt_become(0);
		kt_become(who[i].uid);
		conn_open(&conns[i], &bus, POOL);
	}
	kt_become(0);
}

static int send_as(uid_t uid, struct conn *from, u64 dst)
{
	int ret;

	kt_become(uid);
	ret = conn_send_bytes(from, dst, 1, "hello", 5);
	kt_become(0);
	return ret;
}

static void check_matrix(uid_t owner)
{
	int i, j;

	for (i = 0; i < N; i++) {
		for (j = 0; j < N; j++) {
			bool may = !who[i].uid || who[i].uid == owner ||
				   who[i].uid == who[j].uid;

			kt_check_ret(send_as(who[i].uid, &conns[i],
					     conns[j].id), may ? 0 : -EPERM,
				     "%s to %s", who[i].name, who[j].name);
			kt_check(conn_drain(&conns[j]) == may,
				 "%s to %s: wrong number of messages",
				 who[i].name, who[j].name);
		}
	}
}

START_TEST(bus_of_root)
{
	prepare(0);
	check_matrix(0);
}
END_TEST

START_TEST(bus_of_user)
{
	prepare(OWNER);
	check_matrix(OWNER);
}
END_TEST

/* what is wrong with the message or the destination comes first */
START_TEST(errors_before_policy)
{
	struct conn *from;
	struct blob m;

	prepare(0);
	from = &conns[A1];
	kt_become(USER_A);
	kt_check_ret(conn_send_bytes(from, 999, 1, "x", 1), -ENXIO,
		     "unknown id");
	msg_init(&m, KDBUS_DST_ID_NAME, 1);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, "no.body");
	kt_check_ret(conn_send(from, &m), -ESRCH, "unknown name");
	msg_init(&m, conns[B1].id, 1);
	m.msg.src_id = conns[B1].id;
	kt_check_ret(conn_send(from, &m), -EINVAL, "wrong source");
	msg_init(&m, conns[B1].id, 1);
	msg_bloom(&m, KT_BLOOM_SIZE);
	kt_check_ret(conn_send(from, &m), -EBADMSG, "bloom filter");
}
END_TEST

/* the payload is not even looked at, and there may not be room for it */
START_TEST(policy_before_delivery)
{
	static u8 big[POOL];
	struct conn *from;
	struct blob m;

	prepare(0);
	from = &conns[A1];
	kt_become(USER_A);
	msg_init(&m, conns[B1].id, 1);
	msg_vec(&m, kt_noread(4096), 4096);
	kt_check_ret(conn_send(from, &m), -EPERM, "unreadable payload");
	kt_check_ret(conn_send_bytes(from, conns[B1].id, 1, big, sizeof(big)),
		     -EPERM, "too large for the pool");
}
END_TEST

START_TEST(refused_leaves_nothing)
{
	static u8 big[POOL / 2 - 104];
	int i;

	prepare(0);
	kt_become(USER_A);
	for (i = 0; i < 50; i++)
		kt_assert_ret(conn_send_bytes(&conns[A1], conns[B1].id, 1, big,
					      sizeof(big)), -EPERM,
			      "round %d", i);
	kt_become(0);
	kt_check_ret(conn_recv(&conns[B1], NULL), -EAGAIN, "queued");
	conn_check_pool_empty(&conns[ROOT], &conns[B1]);
}
END_TEST

/* who said HELLO counts, whoever has the connection now */
START_TEST(privilege_of_hello)
{
	prepare(OWNER);
	kt_check_ret(send_as(0, &conns[A1], conns[B1].id), -EPERM,
		     "user A's connection, used by root");
	kt_check_ret(send_as(OWNER, &conns[A1], conns[B1].id), -EPERM,
		     "user A's connection, used by the bus owner");
	kt_check_ret(send_as(USER_B, &conns[A1], conns[B1].id), -EPERM,
		     "user A's connection, used by user B");
	kt_check_ret(send_as(USER_B, &conns[A1], conns[A2].id), 0,
		     "user A's connection, used by user B, to user A");
	kt_check_ret(send_as(USER_A, &conns[ROOT], conns[A1].id), 0,
		     "root's connection, used by user A");
	kt_check_ret(send_as(USER_A, &conns[OWN], conns[B1].id), 0,
		     "the bus owner's connection, used by user A");
	kt_drop_caps();
	kt_check_ret(conn_send_bytes(&conns[ROOT], conns[A1].id, 1, "x", 1),
		     0, "root's connection without capabilities");
	kt_check_ret(conn_send_bytes(&conns[A1], conns[B1].id, 1, "x", 1),
		     -EPERM, "user A's connection without capabilities");
}
END_TEST

/* uid 0 alone is nothing: it had no capability when it said HELLO */
START_TEST(root_without_capabilities)
{
	struct conn weak;

	prepare(OWNER);
	kt_drop_caps();
	conn_open(&weak, &bus, POOL);
	kt_check_ret(conn_send_bytes(&weak, conns[A1].id, 1, "x", 1), -EPERM,
		     "to user A");
	kt_check_ret(conn_send_bytes(&weak, conns[OWN].id, 1, "x", 1), -EPERM,
		     "to the bus owner");
	kt_check_ret(conn_send_bytes(&weak, conns[ROOT].id, 1, "x", 1), 0,
		     "to root");
}
END_TEST

/* the sender's file system uid against the receiver's real uid */
START_TEST(real_and_effective_uid)
{
	struct conn split;

	prepare(0);
	kt_become_split(USER_A, USER_B);
	conn_open(&split, &bus, POOL);
	kt_become(0);
	kt_check_ret(send_as(USER_A, &conns[A1], split.id), 0,
		     "user A to real A, effective B");
	kt_check_ret(send_as(USER_B, &conns[B1], split.id), -EPERM,
		     "user B to real A, effective B");
	kt_check_ret(send_as(USER_B, &split, conns[B1].id), 0,
		     "real A, effective B to user B");
	kt_check_ret(send_as(USER_B, &split, conns[A1].id), -EPERM,
		     "real A, effective B to user A");
}
END_TEST

KT_SUITE("policy")
{
	kt_test(bus_of_root);
	kt_test(bus_of_user);
	kt_test(errors_before_policy);
	kt_test(policy_before_delivery);
	kt_test(refused_leaves_nothing);
	kt_test(privilege_of_hello);
	kt_test(root_without_capabilities);
	kt_test(real_and_effective_uid);
}
