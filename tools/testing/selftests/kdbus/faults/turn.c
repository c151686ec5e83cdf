// SPDX-License-Identifier: GPL-2.0-only
/* Faults in commands that also free and receive */

#include <signal.h>
#include <sys/time.h>
#include <unistd.h>

#include "fault-util.h"
#include "wait-util.h"

enum { FROM, TO };

static struct fault_world w;
static struct kdbus_cmd_recv recv_cmd;
static u8 payload[5000];

static u64 arrivals(void)
{
	return fdinfo(&w.c[TO], "arrivals:");
}

/* ------------------------------------------------------------------------ */

static void recv_before(struct fault_world *w)
{
	w->off = hold_one(&w->c[FROM], &w->c[TO], 50);
	kt_assert_ret(conn_send_bytes(&w->c[FROM], w->c[TO].id, 1, payload,
				      sizeof(payload)), 0, "send");
	recv_cmd = (struct kdbus_cmd_recv) {
		.flags = FREE | WAIT, .offset = w->off,
	};
}

static int recv_call(struct fault_world *w)
{
	return kt_cmd(w->c[TO].fd, KDBUS_CMD_MSG_RECV, &recv_cmd);
}

/* freed or not, it says so, and can be repeated */
static bool recv_half(struct fault_world *w)
{
	if (recv_cmd.offset == w->off)
		return false;
	kt_check(recv_cmd.offset == NONE, "offset %#llx", recv_cmd.offset);
	kt_check_ret(conn_free(&w->c[TO], w->off), -ENXIO, "not freed");
	kt_check(fdinfo(&w->c[TO], "queued:") == 1, "received");
	return true;
}

static void recv_after(struct fault_world *w, bool fault)
{
	(void)fault;
	kt_check_ret(conn_free(&w->c[TO], w->off), -ENXIO, "not freed");
	take_at(&w->c[TO], recv_cmd.offset, 1);
}

START_TEST(receiving)
{
	static const struct fault_scene s = {
		.name = "MSG_RECV that frees", .errs = CAN_FAULT,
		.before = recv_before, .call = recv_call, .half = recv_half,
		.after = recv_after,
	};

	fault_world(&w);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_open(&w, TO, FAULT_OTHER, 0, 0);
	fault_run(&w, &s);
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */

static u64 arrived;

static void turn_before(struct fault_world *w)
{
	w->off = hold_one(&w->c[TO], &w->c[FROM], 50);
	send_one(&w->c[TO], &w->c[FROM], 1);
	turn_init(&w->cmd, w->c[TO].id, 7);
	msg_vec(&w->cmd, payload, sizeof(payload));
	turn_free(&w->cmd, w->off);
	arrived = arrivals();
}

static int turn_call(struct fault_world *w)
{
	w->cmd.msg.cookie_reply = 0;
	return conn_send(&w->c[FROM], &w->cmd);
}

static void turn_still(struct fault_world *w)
{
	kt_check(conn_msg(&w->c[FROM], w->off)->cookie == 50, "freed");
	kt_check(w->cmd.msg.offset_reply == 0, "offset %#llx",
		 w->cmd.msg.offset_reply);
}

/* what was received cannot be told: it is still there */
static void turn_after(struct fault_world *w, bool fault)
{
	u64 off = w->cmd.msg.offset_reply;

	kt_check(arrivals() == arrived + 1, "sent %llu times",
		 arrivals() - arrived);
	kt_check_ret(conn_free(&w->c[FROM], w->off), -ENXIO, "not freed");
	if (fault && off == NONE)
		kt_check(fault_take(&w->c[FROM]) == 1, "received and lost");
	else
		take_at(&w->c[FROM], off, 1);
	kt_check(fault_take(&w->c[TO]) == 7, "another message");
}

START_TEST(turn)
{
	static const struct fault_scene s = {
		.name = "MSG_SEND that frees and receives",
		.errs = CAN_MEM | CAN_FAULT | CAN_BUFS,
		.before = turn_before, .call = turn_call, .still = turn_still,
		.after = turn_after,
	};

	fault_world(&w);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	fault_open(&w, TO, FAULT_OWNER, 0, 0);
	fault_run(&w, &s);
	fault_end(&w);
}
END_TEST

/* ------------------------------------------------------------------------ */

static void on_alarm(int sig)
{
	(void)sig;
}

/*
 * One that waits for a notification for which there is room, but no memory, is
 * still reached by signals.
 */
START_TEST(waiting)
{
	const struct sigaction wakes = { .sa_handler = on_alarm };
	struct itimerval soon = { .it_value.tv_usec = 200000 };
	struct kdbus_cmd_recv recv = { .flags = WAIT | URGENT };
	unsigned int n = 1;
	int file, ret;

	fault_world(&w);
	fault_open(&w, TO, FAULT_OTHER, 0, 0);
	match_all(&w.c[TO]);
	send_prio(&w.c[TO], &w.c[TO], 1, 5);
	fault_open(&w, FROM, FAULT_OWNER, 0, 0);
	if (!fault_flood(true))
		kt_skip("FAULT_ONCE is set");
	kt_assert(!sigaction(SIGALRM, &wakes, NULL), "sigaction: %m");
	file = fault_file();
	/* the first faults are of reading the command */
	do {
		kt_assert(!setitimer(ITIMER_REAL, &soon, NULL), "setitimer: %m");
		fault_arm(file, n++);
		ret = kt_cmd(w.c[TO].fd, KDBUS_CMD_MSG_RECV, &recv);
		fault_disarm(file);
	} while (ret == -EFAULT);
	fault_flood(false);
	kt_check_ret(ret, -EINTR, "RECV");
	kt_check(fdinfo(&w.c[TO], "lost:") == 0, "lost");
	kt_assert_ret(recv_now(&w.c[TO], &recv, URGENT, 0), 0, "memory");
	close(file);
	fault_end(&w);
}
END_TEST

KT_SUITE_LATE("fault-turn")
{
	kt_test_slow(receiving, 180);
	kt_test_slow(turn, 180);
	kt_test_slow(waiting, 30);
}
