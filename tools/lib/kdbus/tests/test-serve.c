// SPDX-License-Identifier: GPL-2.0-only
/* Services: handlers, and who gets what */
#include <fcntl.h>
#include <signal.h>
#include <sys/time.h>

#include "kl.h"

static struct kdb_conn *a, *b;
static struct kdb_msg *msg;
static struct kl_server server;

static void open_pair(void)
{
	kl_bus();
	a = kl_open();
	b = kl_open();
	msg = kl_msg_to(a, b, "text");
}

static void close_pair(void)
{
	kdb_msg_free(msg);
	kl_close(a);
	kl_close(b);
}

KL_TEST(process)
{
	unsigned int count = 0;

	open_pair();
	kt_check_ret(kdb_process(b), 0, "nothing to do");
	/* without a handler, it is gone */
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_process(b), 1, "no handler");
	kt_check(kl_used(b) == 0, "not released");
	kdb_set_handler(b, kl_echo, &count);
	kl_ok(kdb_send(msg));
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_process(b), 1, "process");
	kt_check(count == 1, "more than one");
	kl_got(a, "text");
	kt_check_ret(kdb_process(b), 1, "process");
	kt_check_ret(kdb_process(b), 0, "process");
	kl_got(a, "text");
	kt_check(kl_used(b) == 0, "not released");
	kl_close(a);
	kdb_msg_free(msg);
	/* who has asked is gone: nothing happens */
	a = kl_open();
	msg = kl_msg_to(a, b, "text");
	kl_ok(kdb_send(msg));
	kdb_msg_free(msg);
	kl_close(a);
	kt_check_ret(kdb_process(b), 1, "process");
	kt_check(kl_used(b) == 0, "not released");
	kl_close(b);
}

static struct kdb_view *held;
static int verdict;

static int decide(struct kdb_conn *conn, struct kdb_view *view,
		  struct kdb_msg *reply, void *arg)
{
	(void)reply;
	(void)arg;
	if (kl_is(view, "stop"))
		kdb_stop(conn);
	kl_fails(EBUSY, kdb_process(conn));
	kl_fails(EBUSY, kdb_serve(conn));
	if (verdict == KDB_HOLD)
		held = view;
	return verdict;
}

KL_TEST(verdicts)
{
	struct kdb_msg *reply;

	open_pair();
	kdb_set_handler(b, decide, NULL);
	verdict = KDB_DONE;
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_process(b), 1, "done");
	kt_check(kl_used(b) == 0, "not released");
	verdict = -EDOM;
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_process(b), -EDOM, "an error");
	kt_check(kl_used(b) == 0, "not released");
	verdict = KDB_HOLD;
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_process(b), 1, "held");
	kt_check(kl_is(held, "text"), "held");
	reply = kl_msg(b);
	kl_ok(kdb_msg_put(reply, "later", 5));
	kl_ok(kdb_reply(held, reply));
	kl_ok(kdb_view_release(held));
	kl_got(a, "later");
	kdb_msg_free(reply);

	verdict = -EDOM;
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_serve(b), -EDOM, "serve");
	verdict = KDB_HOLD;
	kl_send(a, b, "stop");
	kl_ok(kdb_serve(b));
	kt_check(kl_is(held, "stop"), "held");
	kl_ok(kdb_view_release(held));
	kt_check(kl_used(b) == 0, "not released");
	close_pair();
}

/* Ten clients at a time, one of which leaves without its answer */
static void *ask(void *arg)
{
	struct kdb_conn *conn = kl_open();
	struct kdb_msg *call = kl_msg_to(conn, server.conn, "ask");
	struct kdb_view *answer;
	unsigned int i;

	(void)arg;
	for (i = 0; i < 50; i++) {
		kl_ok(kdb_call(call, kdb_deadline(LONG_NS), &answer));
		kt_check(kl_is(answer, "ask"), "answer");
		kl_ok(kdb_view_release(answer));
	}
	kl_ok(kdb_send(call));
	kdb_msg_free(call);
	kl_close(conn);
	return NULL;
}

KL_TEST(serve)
{
	pthread_t threads[10];
	unsigned int i, count = 0;

	kl_bus();
	a = kl_open();
	kl_serve(&server, kl_echo, &count);
	for (i = 0; i < 10; i++)
		threads[i] = kt_thread(ask, NULL);
	for (i = 0; i < 10; i++)
		kt_join(threads[i]);
	kl_serve_end(&server, a);
	kt_check(count == 511, "%u messages", count);
	kl_got(a, "stop");
	kl_close(a);
}

static void nothing(int sig)
{
	(void)sig;
}

KL_TEST(interrupted)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval timer = { .it_interval.tv_usec = 20000,
				   .it_value.tv_usec = 20000 };
	unsigned int count = 0;

	open_pair();
	kdb_set_handler(b, kl_echo, &count);
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	kl_fails(EINTR, kdb_serve(b));
	/* also after an answer, which is sent */
	kl_ok(kdb_send(msg));
	kl_fails(EINTR, kdb_serve(b));
	kt_check(count == 1, "%u messages", count);
	kl_got(a, "text");
	close_pair();
}

KL_TEST(end_of_the_bus)
{
	open_pair();
	kdb_set_handler(b, kl_echo, NULL);
	bus_close(&bus);
	kt_check_ret(kdb_serve(b), -ECONNRESET, "serve");
	kt_check_ret(kdb_process(b), -ECONNRESET, "process");
	kt_check_ret(kdb_send(msg), -ECONNRESET, "send");
	close_pair();
}

/* A service that calls another one itself, in both ways, while it answers */
static unsigned int n_ended;

static int ended(struct kdb_conn *conn, int error, struct kdb_view *view,
		 void *arg)
{
	struct kdb_msg *reply = kl_msg(conn);
	struct kdb_view *request = arg;

	kt_check(!error && kl_is(view, "back"), "the answer");
	kl_ok(kdb_msg_put(reply, "forwarded", 9));
	kl_ok(kdb_reply(request, reply));
	kl_ok(kdb_view_release(request));
	kdb_msg_free(reply);
	n_ended++;
	return KDB_DONE;
}

static int forward(struct kdb_conn *conn, struct kdb_view *view,
		   struct kdb_msg *reply, void *arg)
{
	struct kl_server *back = arg;
	struct kdb_view *answer;
	struct kdb_msg *call;
	int r = KDB_HOLD;

	if (kl_is(view, "stop")) {
		kdb_stop(conn);
		return KDB_DONE;
	}
	call = kl_msg_to(conn, back->conn, "back");
	if (kl_is(view, "sync")) {
		kl_ok(kdb_call(call, kdb_deadline(LONG_NS), &answer));
		kl_ok(kdb_view_release(answer));
		kl_ok(kdb_msg_put(reply, "forwarded", 9));
		r = KDB_REPLY;
	} else {
		kl_ok(kdb_call_async(call, kdb_deadline(LONG_NS), ended, view,
				     NULL));
	}
	kdb_msg_free(call);
	return r;
}

KL_TEST(forwarding)
{
	struct kl_server back;
	struct kdb_view *answer;
	unsigned int i;

	kl_bus();
	a = kl_open();
	kl_serve(&back, kl_echo, NULL);
	kl_serve(&server, forward, &back);
	for (i = 0; i < 20; i++) {
		msg = kl_msg_to(a, server.conn, i % 3 ? "async" : "sync");
		kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
		kt_check(kl_is(answer, "forwarded"), "answer %u", i);
		kl_ok(kdb_view_release(answer));
		kdb_msg_free(msg);
	}
	kl_serve_end(&server, a);
	kt_check(n_ended == 13, "%u asynchronous ones", n_ended);
	kl_serve_end(&back, a);
	kl_got(a, "stop");
	kl_close(a);
}

/* Descriptors of a request are closed, and payload of it can be the answer. */
static int echo_file(struct kdb_conn *conn, struct kdb_view *view,
		     struct kdb_msg *reply, void *arg)
{
	const void *data;
	size_t size;

	if (kl_is(view, "stop")) {
		kdb_stop(conn);
		return KDB_DONE;
	}
	(void)arg;
	kl_ok(kdb_view_data(view, &data, &size));
	kl_ok(kdb_msg_put(reply, data, size));
	return KDB_REPLY;
}

KL_TEST(files)
{
	struct kdb_view *answer;
	unsigned int fds, i;
	const void *data;
	int fd, null;
	size_t size;

	kl_bus();
	a = kl_open();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	fd = kt_memfd(10000, KT_SEALS, 5);
	kl_serve(&server, echo_file, NULL);
	msg = kl_msg(a);
	kdb_msg_to_id(msg, kdb_id(server.conn));
	kl_ok(kdb_msg_put_file(msg, fd, 10000));
	kl_ok(kdb_msg_put_fds(msg, &null, 1));
	fds = kt_count_fds();
	for (i = 0; i < 10; i++) {
		kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
		kl_ok(kdb_view_data(answer, &data, &size));
		kt_check(size == 10000 && kt_filled(data, size, 5), "answer");
		kl_ok(kdb_view_release(answer));
	}
	kl_serve_end(&server, a);
	/* that has closed its connection */
	kt_check(kt_count_fds() == fds - 1, "descriptors leak");
	kdb_msg_free(msg);
	kl_close(a);
}

KL_TEST(notices)
{
	struct kdb_notice notice;
	struct kdb_view *view;

	open_pair();
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kl_fails(ENOMSG, kdb_view_notice(view, &notice));
	kl_ok(kdb_view_release(view));
	kl_ok(kdb_name_watch(b, NULL, NULL, NULL, NULL));
	kl_ok(kdb_name_acquire(a, NAME_A, KDBUS_NAME_ALLOW_REPLACEMENT));
	view = kl_recv(b);
	kl_ok(kdb_view_notice(view, &notice));
	kt_check(notice.type == KDBUS_ITEM_NAME_ADD &&
		 !strcmp(notice.name, NAME_A) && notice.old_id == 0 &&
		 notice.new_id == kdb_id(a) &&
		 notice.new_flags == KDBUS_NAME_ALLOW_REPLACEMENT, "notice");
	kl_fails(EINVAL, kdb_reply(view, msg));
	kl_ok(kdb_view_release(view));
	close_pair();
}

/* What belongs to somebody else is not taken for one's own. */
KL_TEST(monitors)
{
	struct kdb_conn *monitor;
	struct kdb_notice notice;
	unsigned int count = 0;
	struct kdb_view *view;

	open_pair();
	monitor = kl_open_with(KDB_OPEN_MONITOR, POOL);
	kdb_set_handler(monitor, kl_echo, &count);
	kl_ok(kdb_send(msg));
	kt_check_ret(kdb_process(monitor), 1, "process");
	kt_check(count == 1, "not handled");
	kt_check_ret(kdb_process(monitor), 0, "process");
	kl_ok(kdb_call_async(msg, kdb_deadline(SHORT_NS), ended, NULL, NULL));
	kl_ok(kdb_wait(a, kdb_deadline(LONG_NS)));
	kl_ok(kdb_recv_wait(monitor, &view, kdb_deadline(LONG_NS)));
	kl_ok(kdb_view_release(view));
	kl_ok(kdb_recv_wait(monitor, &view, kdb_deadline(LONG_NS)));
	kl_ok(kdb_view_notice(view, &notice));
	kt_check(notice.type == KDBUS_ITEM_REPLY_TIMEOUT &&
		 notice.cookie == kdb_msg_cookie(msg), "notice");
	kl_ok(kdb_view_release(view));
	kdb_msg_free(msg);
	msg = kl_msg_to(monitor, b, "x");
	kl_fails(EOPNOTSUPP, kdb_send(msg));
	kl_close(monitor);
	close_pair();
}

KT_SUITE("lib-serve")
{
	kl_test(process);
	kl_test(verdicts);
	kl_test(serve);
	kl_test(interrupted);
	kl_test(end_of_the_bus);
	kl_test(forwarding);
	kl_test(files);
	kl_test(notices);
	kl_test(monitors);
}
