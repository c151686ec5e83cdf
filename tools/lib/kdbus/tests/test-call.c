// SPDX-License-Identifier: GPL-2.0-only
/* Calls that wait, and calls that do not */
#include <signal.h>
#include <stdio.h>

#include "kl.h"

static struct kl_server server;
static struct kdb_conn *client;
static struct kdb_msg *msg;

static void open_client(void)
{
	client = kl_open();
	msg = kl_msg(client);
}

static void close_client(void)
{
	kdb_msg_free(msg);
	kl_close(client);
}

static void to(const struct kdb_conn *conn, const char *text)
{
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(conn));
	kl_ok(kdb_msg_put(msg, text, strlen(text)));
}

KL_TEST(calls)
{
	unsigned int count = 0, before, i;
	struct kdb_view *answer;
	char text[8];

	kl_bus();
	open_client();
	kl_serve(&server, kl_echo, &count);
	for (i = 0; i < 100; i++) {
		snprintf(text, sizeof(text), "%u", i);
		to(server.conn, text);
		kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
		kt_check(kl_is(answer, text), "answer %u", i);
		kt_check(kdb_view_header(answer)->cookie_reply ==
			 kdb_msg_cookie(msg), "cookie");
		kl_ok(kdb_view_release(answer));
	}
	kl_ok(kdb_name_acquire(client, NAME_A, 0));
	before = kl_ioctls;
	kl_ok(kdb_call(msg, KDB_NO_DEADLINE, &answer));
	kl_ok(kdb_view_release(answer));
	kt_check(kl_ioctls > before, "no ioctl was seen");
	kt_check(kl_used(client) == 0, "not freed");
	kl_serve_end(&server, client);
	kt_check(count == 102, "%u messages were handled", count);
	kl_got(client, "stop");
	close_client();
}

/* Each call and each request takes as many commands as it should. */
KL_TEST(commands)
{
	unsigned int i, before;
	struct kdb_view *answer;

	kl_bus();
	open_client();
	kl_serve(&server, kl_echo, NULL);
	to(server.conn, "text");
	kl_ok(kdb_call(msg, KDB_NO_DEADLINE, &answer));
	kl_ok(kdb_view_release(answer));
	before = kl_ioctls;
	for (i = 0; i < 20; i++) {
		kl_ok(kdb_call(msg, KDB_NO_DEADLINE, &answer));
		kl_ok(kdb_view_release(answer));
	}
	/*
	 * With turns: one on either side. Without: two here, and three there. When the
	 * counter is read the server may be about to make the last ones.
	 */
	before = kl_ioctls - before;
	kt_check(before <= (how ? 5 : 2) * 20 + 1, "%u commands", before);
	kl_serve_end(&server, client);
	kl_got(client, "stop");
	close_client();
}

static int throw_away(struct kdb_conn *conn, struct kdb_view *view,
		      struct kdb_msg *reply, void *arg)
{
	(void)reply;
	(void)arg;
	if (kl_is(view, "stop"))
		kdb_stop(conn);
	return KDB_DONE;
}

KL_TEST(failures)
{
	struct kdb_view *answer, *view = NULL;
	struct kdb_conn *silent;
	u64 ns = SHORT_NS;

	kl_bus();
	open_client();
	silent = kl_open();
	to(silent, "call");
	kl_fails(EINVAL, kdb_call(msg, 0, &answer));
	kl_fails(ETIMEDOUT, kdb_call(msg, 1, &answer));
	/* it is sent, unless the deadline is over by then, and once */
	do {
		kl_fails(ETIMEDOUT, kdb_call(msg, kdb_deadline(ns), &answer));
		ns *= 2;
	} while (kdb_peek(silent, &view) == -EAGAIN && ns < LONG_NS);
	kl_ok(kdb_view_release(view));
	kl_got(silent, "call");
	kt_check_ret(kdb_recv(silent, &view), -EAGAIN, "it was sent twice");
	kl_close(silent);
	kl_fails(ENXIO, kdb_call(msg, KDB_NO_DEADLINE, &answer));

	kl_serve(&server, throw_away, NULL);
	to(server.conn, "lost");
	kl_fails(ETIMEDOUT, kdb_call(msg, kdb_deadline(50 * SHORT_NS), &answer));
	kl_serve_end(&server, client);
	close_client();
}

struct waiter {
	struct kdb_conn *peer;
	pid_t tid;
	u64 cookie;
	void (*then)(struct waiter *waiter);
	bool running;
	pthread_t thread;
};

static void *when_asleep(void *arg)
{
	struct waiter *waiter = arg;

	kt_wait_asleep(waiter->tid);
	waiter->then(waiter);
	return NULL;
}

/* Has something happen when the caller waits. */
static u64 meanwhile(struct waiter *waiter)
{
	if (waiter->running)
		kt_join(waiter->thread);
	waiter->running = true;
	waiter->tid = kt_tid();
	waiter->thread = kt_thread(when_asleep, waiter);
	return kdb_deadline(LONG_NS);
}

static void drop(struct waiter *waiter)
{
	kl_ok(kdb_drop(waiter->peer));
}

static void leave(struct waiter *waiter)
{
	kl_close(waiter->peer);
}

static void cancel(struct waiter *waiter)
{
	kl_fails(ENOENT, kdb_cancel(client, waiter->cookie + 1));
	kl_ok(kdb_cancel(client, waiter->cookie));
}

KL_TEST(no_answer)
{
	struct waiter waiter = { .then = drop };
	struct kdb_view *answer;

	kl_bus();
	open_client();
	waiter.peer = kl_open();
	to(waiter.peer, "call");
	kl_fails(EPIPE, kdb_call(msg, meanwhile(&waiter), &answer));
	kt_join(waiter.thread);
	waiter.running = false;
	waiter.then = cancel;
	waiter.cookie = kdb_cookie(client);
	kl_ok(kdb_msg_set_cookie(msg, waiter.cookie));
	kl_fails(ECANCELED, kdb_call(msg, meanwhile(&waiter), &answer));
	kt_check(kdb_msg_cookie(msg) == waiter.cookie, "number");
	kl_fails(ENOENT, kdb_cancel(client, waiter.cookie));
	kt_join(waiter.thread);
	waiter.running = false;
	waiter.then = leave;
	kl_fails(EPIPE, kdb_call(msg, meanwhile(&waiter), &answer));
	kt_join(waiter.thread);
	close_client();
}

static void nothing(int sig)
{
	(void)sig;
}

static pthread_t calling;

static void interrupt(struct waiter *waiter)
{
	(void)waiter;
	pthread_kill(calling, SIGUSR1);
}

static void answer_it(struct waiter *waiter)
{
	struct kdb_view *view = kl_recv(waiter->peer), *more;
	struct kdb_msg *reply = kl_msg(waiter->peer);

	kl_ok(kdb_msg_put(reply, "answer", 6));
	kl_ok(kdb_reply(view, reply));
	kl_ok(kdb_view_release(view));
	kt_check_ret(kdb_recv(waiter->peer, &more), -EAGAIN,
		     "it was sent again");
	kdb_msg_free(reply);
}

/* The same message goes on waiting, and is not sent twice. */
KL_TEST(interrupted)
{
	struct sigaction action = { .sa_handler = nothing };
	struct waiter waiter = { .then = interrupt };
	struct kdb_view *answer;
	u64 cookie;

	kl_bus();
	open_client();
	waiter.peer = kl_open();
	calling = pthread_self();
	sigaction(SIGUSR1, &action, NULL);
	to(waiter.peer, "call");
	kl_fails(EINTR, kdb_call(msg, meanwhile(&waiter), &answer));
	cookie = kdb_msg_cookie(msg);
	kl_fails(EINTR, kdb_call(msg, meanwhile(&waiter), &answer));
	kt_join(waiter.thread);
	waiter.running = false;
	waiter.then = answer_it;
	kl_ok(kdb_call(msg, meanwhile(&waiter), &answer));
	kt_check(kl_is(answer, "answer") && kdb_msg_cookie(msg) == cookie,
		 "it is another call");
	kl_ok(kdb_view_release(answer));
	/* and the next call is a new one */
	kl_ok(kdb_call(msg, meanwhile(&waiter), &answer));
	kt_check(kdb_msg_cookie(msg) != cookie, "it is the same call");
	kl_ok(kdb_view_release(answer));

	/* one that restarts is not noticed */
	kt_join(waiter.thread);
	waiter.running = false;
	action.sa_flags = SA_RESTART;
	sigaction(SIGUSR1, &action, NULL);
	waiter.then = interrupt;
	cookie = kdb_msg_cookie(msg);
	meanwhile(&waiter);
	kl_fails(ETIMEDOUT, kdb_call(msg, kdb_deadline(100 * SHORT_NS),
				     &answer));
	kt_join(waiter.thread);
	kl_ok(kdb_drop(waiter.peer));
	kl_close(waiter.peer);
	close_client();
}

static int large_answer(struct kdb_conn *conn, struct kdb_view *view,
			struct kdb_msg *reply, void *arg)
{
	static char big[3000];
	static int fd;

	(void)arg;
	if (kl_is(view, "stop"))
		kdb_stop(conn);
	if (kl_is(view, "fds"))
		kl_ok(kdb_msg_put_fds(reply, &fd, 1));
	else
		kl_ok(kdb_msg_put(reply, big, kl_is(view, "huge") ? 3000 :
				  1900));
	return KDB_REPLY;
}

KL_TEST(no_room_for_the_answer)
{
	struct kdb_view *answer, *held;

	kl_bus();
	client = kl_open_with(KDB_OPEN_FDS, 4096);
	msg = kl_msg(client);
	kl_serve(&server, large_answer, NULL);
	to(server.conn, "big");
	kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &held));
	kl_fails(EXFULL, kdb_call(msg, kdb_deadline(LONG_NS), &answer));
	to(server.conn, "huge");
	kl_fails(ENOBUFS, kdb_call(msg, kdb_deadline(LONG_NS), &answer));
	kl_ok(kdb_view_release(held));
	to(server.conn, "fds");
	if (kl_no_descriptors(true)) {
		kl_fails(EMFILE, kdb_call(msg, kdb_deadline(LONG_NS), &answer));
		kl_no_descriptors(false);
	}
	kl_ok(kdb_call(msg, kdb_deadline(LONG_NS), &answer));
	kt_check(kdb_view_fds(answer) == 1, "a descriptor");
	kl_ok(kdb_view_release(answer));
	kl_serve_end(&server, client);
	kdb_msg_free(msg);
	kl_close(client);
}

/*
 * Asynchronous
 */

struct ended {
	unsigned int n;
	int error;
	char text[32];
	struct kdb_view *held;
	int verdict;
};

static int ended(struct kdb_conn *conn, int error, struct kdb_view *view,
		 void *arg)
{
	struct ended *e = arg;
	const void *data;
	size_t size;

	kt_check(conn == client, "another connection");
	e->n++;
	e->error = error;
	e->text[0] = '\0';
	if (view) {
		kl_ok(kdb_view_data(view, &data, &size));
		snprintf(e->text, sizeof(e->text), "%.*s", (int)size,
			 (const char *)data);
	}
	if (e->verdict == KDB_HOLD)
		e->held = view;
	kl_fails(EBUSY, kdb_process(conn));
	return e->verdict;
}

static void process_one(void)
{
	kl_ok(kdb_wait(client, kdb_deadline(LONG_NS)));
	kt_check_ret(kdb_process(client), 1, "process");
}

KL_TEST(async)
{
	struct ended e = { 0 };
	uint64_t cookie;

	kl_bus();
	open_client();
	kl_serve(&server, kl_echo, NULL);
	to(server.conn, "one");
	kl_ok(kdb_call_async(msg, kdb_deadline(LONG_NS), ended, &e, &cookie));
	kt_check(cookie == kdb_msg_cookie(msg), "cookie");
	kt_check(kdb_pending(client) == 1, "pending");
	kt_check(kdb_timeout(client) > kdb_deadline(LONG_NS / 2) &&
		 kdb_timeout(client) != KDB_NO_DEADLINE, "timeout");
	process_one();
	kt_check(e.n == 1 && !e.error && !strcmp(e.text, "one"), "answer");
	kt_check(kdb_pending(client) == 0 &&
		 kdb_timeout(client) == KDB_NO_DEADLINE, "no more");
	/* the call is over */
	kl_fails(ENOENT, kdb_forget(client, cookie));

	e.verdict = KDB_HOLD;
	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &e, NULL));
	kt_check(kdb_timeout(client) == KDB_NO_DEADLINE, "timeout");
	process_one();
	kt_check(e.held && kl_is(e.held, "one"), "held");
	kl_ok(kdb_view_release(e.held));
	e.verdict = -EDOM;
	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &e, NULL));
	kl_ok(kdb_wait(client, kdb_deadline(LONG_NS)));
	kt_check_ret(kdb_process(client), -EDOM, "what it returns");
	kt_check(e.n == 3 && kl_used(client) == 0, "not freed");
	kl_serve_end(&server, client);
	kl_got(client, "stop");
	close_client();
}

KL_TEST(async_failures)
{
	struct ended e = { 0 }, f = { 0 };
	struct kdb_conn *silent;
	uint64_t cookie;

	kl_bus();
	open_client();
	silent = kl_open();
	to(silent, "call");
	kl_fails(EINVAL, kdb_call_async(msg, 0, ended, &e, NULL));
	kl_ok(kdb_msg_set_cookie(msg, 500));
	kl_ok(kdb_call_async(msg, kdb_deadline(SHORT_NS), ended, &e, &cookie));
	kt_check(cookie == 500, "number");
	kl_ok(kdb_msg_set_cookie(msg, 500));
	kl_fails(EEXIST, kdb_call_async(msg, KDB_NO_DEADLINE, ended, &f, NULL));
	kdb_msg_reset(msg);
	to(silent, "call");
	process_one();
	kt_check(e.n == 1 && e.error == -ETIMEDOUT, "timed out");

	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &e, NULL));
	kl_ok(kdb_drop(silent));
	kl_ok(kdb_drop(silent));
	process_one();
	kt_check(e.n == 2 && e.error == -EPIPE, "dropped");

	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &e, NULL));
	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &f, &cookie));
	kl_ok(kdb_forget(client, cookie));
	kl_fails(ENOENT, kdb_forget(client, cookie));
	kt_check(kdb_pending(client) == 1, "pending");
	kl_close(silent);
	process_one();
	process_one();
	kt_check(e.n == 3 && e.error == -EPIPE && f.n == 0, "dead");
	kt_check_ret(kdb_process(client), 0, "nothing is left");
	kl_fails(ENXIO, kdb_call_async(msg, KDB_NO_DEADLINE, ended, &f, NULL));
	kt_check(kdb_pending(client) == 0, "a call that was not sent");
	close_client();
}

static int not_wanted(struct kdb_conn *conn, struct kdb_view *view,
		      struct kdb_msg *reply, void *arg)
{
	(void)conn;
	(void)view;
	(void)reply;
	++*(unsigned int *)arg;
	return KDB_DONE;
}

/* Only who was called can answer a call to an id. */
KL_TEST(forged)
{
	unsigned int others = 0;
	struct kdb_conn *silent, *forger;
	struct kdb_msg *forged;
	struct ended e = { 0 };
	struct waiter waiter = { 0 };
	struct kdb_view *fake;
	uint64_t cookie;

	kl_bus();
	open_client();
	silent = kl_open();
	forger = kl_open();
	kdb_set_handler(client, not_wanted, &others);
	to(silent, "call");
	kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &e, &cookie));
	/* the client sends the forger something with the same number to answer */
	kdb_msg_reset(msg);
	to(forger, "x");
	kl_ok(kdb_msg_set_cookie(msg, cookie));
	kl_ok(kdb_send(msg));
	fake = kl_recv(forger);
	forged = kl_msg(forger);
	kl_ok(kdb_reply(fake, forged));
	kl_ok(kdb_view_release(fake));
	process_one();
	kt_check(others == 1 && e.n == 0, "it was taken for the answer");
	waiter.peer = silent;
	answer_it(&waiter);
	process_one();
	kt_check(e.n == 1 && !strcmp(e.text, "answer"), "the answer");
	kdb_msg_free(forged);
	kl_close(silent);
	kl_close(forger);
	close_client();
}

/* As many calls as the kernel keeps, all answered, in any order */
KL_TEST(many)
{
	struct kdb_msg *reply;
	struct kdb_view *calls[8];
	struct ended e[128] = { 0 };
	struct kdb_conn *peers[8];
	unsigned int i;
	char text[8];

	kl_bus();
	open_client();
	for (i = 0; i < 8; i++)
		peers[i] = kl_open();
	for (i = 0; i < 128; i++) {
		to(peers[i % 8], "call");
		kl_ok(kdb_call_async(msg, KDB_NO_DEADLINE, ended, &e[i], NULL));
	}
	kl_fails(EMLINK, kdb_call_async(msg, KDB_NO_DEADLINE, ended, NULL,
					NULL));
	kl_fails(EMLINK, kdb_call(msg, KDB_NO_DEADLINE, &calls[0]));
	/* messages that want no answer can be sent, whatever their number */
	to(peers[0], "plain");
	kl_ok(kdb_send(msg));
	for (i = 0; i < 8; i++)
		calls[i] = kl_recv(peers[i]);
	kl_ok(kdb_view_release(calls[0]));
	kl_close(peers[0]);
	for (i = 1; i < 8; i++) {
		reply = kl_msg(peers[i]);
		snprintf(text, sizeof(text), "%u", i);
		kl_ok(kdb_msg_put(reply, text, 1));
		kl_ok(kdb_reply(calls[i], reply));
		kl_ok(kdb_view_release(calls[i]));
		kdb_msg_free(reply);
		kl_close(peers[i]);
	}
	while (kdb_process(client) > 0)
		;
	kt_check(kdb_pending(client) == 0, "%u are pending",
		 kdb_pending(client));
	for (i = 0; i < 128; i++)
		kt_check(e[i].n == 1 && (i < 8 && i > 0 ?
			 e[i].text[0] == '0' + (int)i : e[i].error == -EPIPE),
			 "call %u: %u times, %d, '%s'", i, e[i].n, e[i].error,
			 e[i].text);
	close_client();
}

/* The kernel's news of a deadline is lost, and the library finds out itself. */
KL_TEST(lost_notice)
{
	struct kdb_names *lists[64];
	struct kdb_view *held[64];
	struct ended e = { 0 };
	struct kdb_usage usage;
	unsigned int i, n = 0, l = 0;

	kl_bus();
	client = kl_open_with(0, 4096);
	msg = kl_msg(client);
	/* what was received and not released leaves no room */
	kdb_msg_to_id(msg, kdb_id(client));
	while (kdb_send(msg) == 0)
		held[n++] = kl_recv(client);
	while (kdb_names_list(client, KDBUS_NAME_LIST_UNIQUE, &lists[l]) == 0)
		l++;
	kt_check(n > 10, "%u messages filled the pool", n);
	server.conn = kl_open();
	to(server.conn, "call");
	kl_ok(kdb_call_async(msg, kdb_deadline(SHORT_NS), ended, &e, NULL));
	for (i = 0; i < 10 && !e.n; i++) {
		kl_ok(kdb_wait(client, kdb_deadline(LONG_NS)));
		kt_check(kdb_process(client) >= 0, "process");
	}
	kt_check(e.n == 1 && e.error == -ETIMEDOUT, "%u times, %d", e.n,
		 e.error);
	kl_ok(kdb_get_usage(client, &usage));
	kt_check(usage.lost == 1, "the notice was not lost");
	while (n-- > 0)
		kl_ok(kdb_view_release(held[n]));
	while (l-- > 0)
		kdb_names_release(lists[l]);
	kl_close(server.conn);
	close_client();
}

KT_SUITE("lib-call")
{
	kl_test(calls);
	kl_test(commands);
	kl_test(failures);
	kl_test(no_answer);
	kl_test(interrupted);
	kl_test(no_room_for_the_answer);
	kl_test(async);
	kl_test(async_failures);
	kl_test(forged);
	kl_test(many);
	kl_test(lost_notice);
}
