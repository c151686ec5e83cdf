// SPDX-License-Identifier: GPL-2.0-only
/* BYEBYE */

#include <sys/mman.h>
#include <unistd.h>

#include "pair.h"

START_TEST(empty)
{
	pair_open();
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), -ENXIO,
		     "send to the departed");
	kt_check_ret(conn_byebye(&b), -EALREADY, "again");
	kt_check_ret(conn_send_bytes(&b, a.id, 1, "x", 1), -ECONNRESET,
		     "send by the departed");
	kt_check_ret(conn_recv(&a, NULL), -EAGAIN, "it came all the same");
}
END_TEST

START_TEST(queued_message_prevents)
{
	u64 off;

	pair_open();
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	kt_check_ret(conn_byebye(&b), -EBUSY, "one message");
	kt_check_ret(conn_byebye(&b), -EBUSY, "one message, again");
	/* no side effect */
	kt_check_ret(conn_send_bytes(&a, b.id, 2, "y", 1), 0, "send");
	kt_check_ret(conn_send_bytes(&b, a.id, 3, "z", 1), 0, "send back");
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_PEEK, &off), 0, "peek");
	kt_check_ret(conn_byebye(&b), -EBUSY, "a message was peeked at");
	kt_check(conn_recv_msg(&b, &off)->cookie == 1, "first message");
	kt_check_ret(conn_byebye(&b), -EBUSY, "one is left");
	kt_check_ret(conn_recv_flags(&b, KDBUS_RECV_DROP, NULL), 0, "drop");
	/* a slice that is not freed does not matter */
	kt_check_ret(conn_byebye(&b), 0, "all received or dropped");
}
END_TEST

START_TEST(sent_messages_stay)
{
	const struct kdbus_msg *m;

	pair_open();
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), 0, "send");
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE of the sender");
	close(a.fd);
	m = conn_recv_msg(&b, NULL);
	kt_check(m->cookie == 1 && m->src_id == a.id, "message changed");
}
END_TEST

START_TEST(own_message_prevents)
{
	pair_open();
	kt_check_ret(conn_send_bytes(&a, a.id, 1, "x", 1), 0, "send");
	kt_check_ret(conn_byebye(&a), -EBUSY, "message to itself");
	kt_check(conn_drain(&a) == 1, "lost");
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE");
}
END_TEST

/* a refused send does not count as a message */
START_TEST(refused_message_does_not_prevent)
{
	struct blob m;

	pair_open();
	msg_init(&m, b.id, 1);
	msg_vec(&m, kt_noread(4096), 4096);
	kt_check_ret(conn_send(&a, &m), -EFAULT, "unreadable payload");
	kt_check_ret(conn_byebye(&b), 0, "BYEBYE");
}
END_TEST

START_TEST(close_with_messages)
{
	int i;

	pair_open();
	for (i = 0; i < 10; i++)
		kt_check_ret(conn_send_bytes(&a, b.id, i, "x", 1), 0, "send");
	conn_close(&b);
	kt_check_ret(conn_send_bytes(&a, b.id, 1, "x", 1), -ENXIO, "gone");
	kt_check_ret(conn_byebye(&a), 0, "BYEBYE of the other");
}
END_TEST

KT_SUITE("byebye")
{
	kt_test(empty);
	kt_test(queued_message_prevents);
	kt_test(sent_messages_stay);
	kt_test(own_message_prevents);
	kt_test(refused_message_does_not_prevent);
	kt_test(close_with_messages);
}
