// SPDX-License-Identifier: GPL-2.0-only
/* Receiving, releasing, what is known of a sender */
#include <signal.h>
#include <sys/time.h>

#include "kl.h"

static struct kdb_conn *a, *b;

static void open_pair(void)
{
	kl_bus();
	a = kl_open_fds();
	b = kl_open_fds();
}

static void close_pair(void)
{
	kl_close(a);
	kl_close(b);
}

KL_TEST(in_order)
{
	struct kdb_view *view;

	open_pair();
	kl_fails(EAGAIN, kdb_recv(b, &view));
	kl_send(a, b, "1");
	kl_send(a, b, "2");
	kl_ok(kdb_recv_wait(b, &view, 1));
	kt_check(kl_is(view, "1"), "the first");
	kl_ok(kdb_view_release(view));
	kl_ok(kdb_recv_wait(b, &view, KDB_NO_DEADLINE));
	kt_check(kl_is(view, "2"), "the second");
	kl_ok(kdb_view_release(view));
	kl_fails(ETIMEDOUT, kdb_recv_wait(b, &view, 1));
	kl_fails(ETIMEDOUT, kdb_recv_wait(b, &view, kdb_deadline(SHORT_NS)));
	kl_fails(ETIMEDOUT, kdb_wait(b, kdb_deadline(SHORT_NS)));
	close_pair();
}

static void *send_later(void *arg)
{
	kt_wait_asleep(*(pid_t *)arg);
	kl_send(a, b, "late");
	return NULL;
}

static void check_waits(u64 deadline)
{
	pid_t tid = kt_tid();
	struct kdb_view *view;
	pthread_t thread = kt_thread(send_later, &tid);

	kl_ok(kdb_recv_wait(b, &view, deadline));
	kt_join(thread);
	kt_check(kl_is(view, "late"), "another message");
	kl_ok(kdb_view_release(view));
}

KL_TEST(waiting)
{
	open_pair();
	check_waits(KDB_NO_DEADLINE);
	check_waits(kdb_deadline(LONG_NS));
	close_pair();
}

static void nothing(int sig)
{
	(void)sig;
}

/* from now on there is a signal now and then, which does not restart anything */
static void interrupts(void)
{
	struct sigaction action = { .sa_handler = nothing };
	struct itimerval timer = { .it_interval.tv_usec = 20000,
				   .it_value.tv_usec = 20000 };

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

KL_TEST(interrupted)
{
	struct kdb_view *view;

	open_pair();
	interrupts();
	kl_fails(EINTR, kdb_recv_wait(b, &view, KDB_NO_DEADLINE));
	kl_fails(EINTR, kdb_recv_wait(b, &view, kdb_deadline(LONG_NS)));
	kl_fails(EINTR, kdb_wait(b, KDB_NO_DEADLINE));
	close_pair();
}

static void send_urgent(int64_t priority, const char *text)
{
	struct kdb_msg *msg = kl_msg_to(a, b, text);

	kdb_msg_set_priority(msg, priority);
	kl_ok(kdb_send(msg));
	kdb_msg_free(msg);
}

KL_TEST(by_priority)
{
	struct kdb_view *view;

	open_pair();
	kl_fails(EAGAIN, kdb_recv_priority(b, &view, 0));
	send_urgent(3, "three");
	send_urgent(1, "one");
	kl_fails(ENOMSG, kdb_recv_priority(b, &view, 0));
	kl_ok(kdb_recv_priority(b, &view, 2));
	kt_check(kl_is(view, "one"), "the most urgent");
	kl_ok(kdb_view_release(view));
	kl_got(b, "three");
	close_pair();
}

KL_TEST(peek_and_drop)
{
	struct kdb_view *view, *answer;
	int fds[2], file = kt_memfd(4096, KT_SEALS, 1);
	struct kdb_msg *msg;
	const void *data;
	unsigned int n;
	size_t size;
	u8 buf[4096];

	open_pair();
	kt_assert(!pipe(fds), "pipe: %m");
	msg = kl_msg(a);
	kdb_msg_to_id(msg, kdb_id(b));
	kl_ok(kdb_msg_put_file(msg, file, 4096));
	kl_ok(kdb_msg_put_fds(msg, fds, 1));
	kl_ok(kdb_send(msg));
	n = kt_count_fds();
	kl_ok(kdb_peek(b, &view));
	kt_check(kt_count_fds() == n, "descriptors were received");
	kl_fails(EBADF, kdb_view_data(view, &data, &size));
	kl_fails(EBADF, kdb_view_copy(view, buf, sizeof(buf)));
	kl_fails(EBADF, kdb_view_fd(view, 0));
	kl_fails(EBADF, kdb_view_take_fd(view, 0));
	kl_fails(EBADF, kdb_view_take_file(view, 0));
	kl_ok(kdb_view_release(view));
	/* it is still there */
	view = kl_recv(b);
	kl_ok(kdb_view_copy(view, buf, sizeof(buf)));
	kt_check(kt_filled(buf, 4096, 1), "content");
	kl_ok(kdb_view_release(view));
	kt_check(kt_count_fds() == n, "descriptors leak");

	kl_send(a, b, "dropped");
	kl_send(a, b, "stays");
	kl_ok(kdb_drop(b));
	kl_got(b, "stays");
	kl_fails(EAGAIN, kdb_drop(b));
	kl_fails(EAGAIN, kdb_peek(b, &answer));
	kt_check(kl_used(b) == 0, "not freed");
	kdb_msg_free(msg);
	close_pair();
}

KL_TEST(released_twice)
{
	struct kdb_view *view, *later[3];
	unsigned int i;

	open_pair();
	kl_ok(kdb_view_release(NULL));
	for (i = 0; i < 4; i++)
		kl_send(a, b, (char[]){ "0123"[i], 0 });
	view = kl_recv(b);
	kl_ok(kdb_view_release(view));
	kl_fails(EALREADY, kdb_view_release(view));
	for (i = 0; i < 3; i++) {
		later[i] = kl_recv(b);
		kt_check(later[i] != view, "it is used again at once");
	}
	kl_fails(EALREADY, kdb_view_release(view));
	for (i = 0; i < 3; i++) {
		kt_check(kl_is(later[i], (char[]){ "123"[i], 0 }), "message %u has gone", i);
		kl_ok(kdb_view_release(later[i]));
	}
	kt_check(kl_used(b) == 0, "not freed");
	close_pair();
}

/* What one command frees for another is not kept from anybody for long. */
KL_TEST(room)
{
	struct kdb_usage usage;
	struct kdb_view *view;
	char big[POOL / 8];
	unsigned int i;
	struct kdb_msg *msg;

	open_pair();
	memset(big, 1, sizeof(big));
	msg = kl_msg(a);
	kdb_msg_to_id(msg, kdb_id(b));
	kl_ok(kdb_msg_put(msg, big, sizeof(big)));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kl_ok(kdb_view_release(view));
	kl_ok(kdb_get_usage(b, &usage));
	kt_check(usage.pool_used == 0, "a large message was not freed");
	for (i = 0; i < 10; i++)
		kl_send(a, b, "x");
	for (i = 0; i < 10; i++)
		kl_got(b, "x");
	kl_ok(kdb_get_usage(b, &usage));
	kt_check(usage.pool_used < 200, "%llu bytes of small ones",
		 (u64)usage.pool_used);
	kt_check(kl_used(b) == 0, "not freed");
	kdb_msg_free(msg);
	close_pair();
}

KL_TEST(system_calls)
{
	unsigned int before;
	struct kdb_view *view;

	open_pair();
	kl_send(a, b, "x");
	kl_send(a, b, "x");
	before = kl_ioctls;
	kl_ok(kdb_recv(b, &view));
	kl_ok(kdb_view_release(view));
	kl_ok(kdb_recv(b, &view));
	kl_ok(kdb_view_release(view));
	kt_check(kl_ioctls - before == (how ? 4 : 2), "%u ioctls",
		 kl_ioctls - before);
	close_pair();
}

KL_TEST(no_descriptors_left)
{
	struct kdb_view *view;
	struct kdb_msg *msg;
	int fd = 0;

	open_pair();
	msg = kl_msg_to(a, b, "x");
	kl_ok(kdb_msg_put_fds(msg, &fd, 1));
	kl_ok(kdb_send(msg));
	if (kl_no_descriptors(true)) {
		kl_fails(EMFILE, kdb_recv(b, &view));
		kl_fails(EMFILE, kdb_process(b));
		kl_no_descriptors(false);
	}
	kl_got(b, "x");
	kdb_msg_free(msg);
	close_pair();
}

KL_TEST(metadata)
{
	const struct kdb_meta *meta;
	struct kdb_view *view;
	uint64_t flags = 0;

	kl_bus();
	kl_ok(kdb_open_path(&a, bus.path, KDB_OPTIONS(.flags = how,
						      .name = "its_name")));
	kl_ok(kdb_open_path(&b, bus.path, KDB_OPTIONS(.flags = how,
				.attach = _KDBUS_ATTACH_ALL)));
	kl_ok(kdb_name_acquire(a, NAME_A, 0));
	kl_ok(kdb_name_acquire(a, NAME_B, KDBUS_NAME_ALLOW_REPLACEMENT));
	kl_send(a, b, "x");
	view = kl_recv(b);
	meta = kdb_view_meta(view);
	kt_check(meta == kdb_view_meta(view), "looked at again");
	/* AppArmor and auditing are not everywhere */
	kt_check((meta->have | KDBUS_ATTACH_SECLABEL | KDBUS_ATTACH_AUDIT) ==
		 _KDBUS_ATTACH_ALL, "have %llx", (u64)meta->have);
	kt_check(meta->creds->uid == 0 && meta->creds->pid == (u64)getpid() &&
		 meta->creds->tid == (u64)kt_tid(), "creds");
	kt_check(meta->timestamp->seqnum > 0 &&
		 meta->timestamp->monotonic_ns <= kdb_deadline(0), "timestamp");
	kt_check(strlen(meta->tid_comm) && strlen(meta->pid_comm) &&
		 meta->exe[0] == '/' && meta->cgroup[0] == '/', "strings");
	kt_check(strstr(meta->cmdline, kl_valgrind() ? "valgrind" :
			"kdbus-lib-test") &&
		 meta->cmdline_size > strlen(meta->cmdline) + 1, "cmdline");
	kt_check(meta->caps->last_cap >= 31 && meta->caps_words == 2, "caps");
	kt_check(!strcmp(meta->conn_name, "its_name"), "name");
	kt_check(meta->n_names == 2, "names: %zu", meta->n_names);
	kt_check(!strcmp(kdb_meta_name(meta, 0, NULL), NAME_A) &&
		 !strcmp(kdb_meta_name(meta, 1, &flags), NAME_B) &&
		 flags == KDBUS_NAME_ALLOW_REPLACEMENT &&
		 !kdb_meta_name(meta, 2, NULL), "names");
	kt_check(kl_is(view, "x"), "payload");
	kl_ok(kdb_view_release(view));

	kl_ok(kdb_set_attach(b, KDBUS_ATTACH_CREDS));
	kl_send(a, b, "x");
	view = kl_recv(b);
	meta = kdb_view_meta(view);
	kt_check(meta->have == KDBUS_ATTACH_CREDS && meta->creds &&
		 !meta->exe && !meta->n_names &&
		 !kdb_meta_name(meta, 0, NULL), "creds only");
	kl_ok(kdb_view_release(view));
	close_pair();
}

KL_TEST(claims)
{
	const struct kdbus_creds creds = { .uid = 1, .gid = 2, .pid = 3,
					   .tid = 4, .starttime = 5 };
	const struct kdb_meta *meta;
	struct kdb_view *view;

	kl_bus();
	kl_ok(kdb_open_path(&a, bus.path, KDB_OPTIONS(.flags = how,
			.creds = &creds, .seclabel = "a label")));
	kl_ok(kdb_open_path(&b, bus.path, KDB_OPTIONS(.flags = how,
			.attach = _KDBUS_ATTACH_ALL)));
	kl_send(a, b, "x");
	view = kl_recv(b);
	meta = kdb_view_meta(view);
	kt_check(meta->have == (KDBUS_ATTACH_CREDS | KDBUS_ATTACH_SECLABEL) &&
		 !memcmp(meta->creds, &creds, sizeof(creds)) &&
		 !strcmp(meta->seclabel, "a label"), "claims");
	kl_ok(kdb_view_release(view));
	close_pair();
}

KL_TEST(what_senders_allow)
{
	struct kdb_view *view;

	kl_bus();
	kl_ok(kdb_open_path(&a, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ATTACH_SEND,
			.attach_send = KDBUS_ATTACH_CREDS)));
	kl_ok(kdb_open_path(&b, bus.path, KDB_OPTIONS(
			.attach = _KDBUS_ATTACH_ALL)));
	kl_send(a, b, "x");
	view = kl_recv(b);
	kt_check(kdb_view_meta(view)->have == KDBUS_ATTACH_CREDS, "at first");
	kl_ok(kdb_view_release(view));
	kl_ok(kdb_set_attach_send(a, 0));
	kl_send(a, b, "x");
	view = kl_recv(b);
	kt_check(kdb_view_meta(view)->have == 0, "then");
	kl_ok(kdb_view_release(view));
	close_pair();
}

KT_SUITE("lib-receive")
{
	kl_test(in_order);
	kl_test(waiting);
	kl_test(interrupted);
	kl_test(by_priority);
	kl_test(peek_and_drop);
	kl_test(released_twice);
	kl_test(room);
	kl_test(system_calls);
	kl_test(no_descriptors_left);
	kl_test(metadata);
	kl_test(claims);
	kl_test(what_senders_allow);
}
