// SPDX-License-Identifier: GPL-2.0-only
/* Descriptors that a receiver does not take are nobody else's burden */

#include <sys/resource.h>
#include <unistd.h>

#include "policy-util.h"

#define POOL	(256 * KIB)
#define SERVICE	20361		/* owns the bus, so may send to everybody */
#define LAZY	20362		/* takes nothing */
#define BUSY	20363
#define LIMIT	100U		/* descriptors */

static struct bus bus;
static struct conn service, lazy, lazy2, busy;

static void open_as(uid_t uid, struct conn *c)
{
	kt_become(uid);
	kt_assert_ret(conn_try_open(c, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO as uid %u", uid);
	kt_become(0);
}

static void prepare(void)
{
	struct rlimit lim = { .rlim_cur = LIMIT, .rlim_max = LIMIT };

	bus_of(&bus, SERVICE);
	open_as(SERVICE, &service);
	open_as(LAZY, &lazy);
	open_as(LAZY, &lazy2);
	open_as(BUSY, &busy);
	kt_assert(!setrlimit(RLIMIT_NOFILE, &lim), "setrlimit: %m");
	kt_become(SERVICE);
}

static int send_fds(struct conn *to, unsigned int n)
{
	int fds[LIMIT] = { 0 };
	struct blob m;

	msg_init(&m, to->id, n);
	msg_fds(&m, fds, n);
	return conn_send(&service, &m);
}

static int send_memfds(u64 dst, unsigned int n, int fd)
{
	struct blob m;

	msg_init(&m, dst, n);
	if (dst == KDBUS_DST_ID_BROADCAST)
		msg_bloom(&m, KT_BLOOM_SIZE);
	while (n--)
		msg_memfd(&m, fd, 10);
	return conn_send(&service, &m);
}

/* nothing more for one user, all there is for others */
static void check_full(struct conn *full, struct conn *other)
{
	kt_check_ret(send_fds(full, 1), -ETOOMANYREFS, "beyond the limit");
	kt_check_ret(send_fds(other, LIMIT / 2), 0, "another user");
	kt_check_ret(send_fds(other, LIMIT / 2), 0, "another user, again");
	kt_check_ret(send_fds(other, 1), -ETOOMANYREFS, "beyond its limit");
	while (!conn_recv_flags(other, KDBUS_RECV_DROP, NULL))
		;
}

/* a privileged user may pass the limit, and counts nevertheless */
START_TEST(privileged)
{
	int fd = kt_memfd(10, KT_SEALS, 1);

	prepare();
	kt_check_ret(send_memfds(busy.id, LIMIT + 1, fd), -ETOOMANYREFS,
		     "at once");
	kt_check_ret(send_fds(&busy, LIMIT), 0, "all of it");
	kt_check_ret(send_fds(&busy, 5), -ETOOMANYREFS, "beyond the limit");
	kt_become(0);
	kt_check_ret(send_fds(&busy, 5), 0, "beyond the limit, privileged");
	kt_check_ret(conn_recv_flags(&busy, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check_ret(send_memfds(busy.id, LIMIT + 1, fd), 0,
		     "at once, privileged");
	kt_become(SERVICE);
	kt_check_ret(send_fds(&busy, 5), -ETOOMANYREFS, "they count");
}
END_TEST

START_TEST(by_receiving_user)
{
	int i;

	prepare();
	kt_check_ret(send_fds(&lazy, 60), 0, "60");
	kt_check_ret(send_fds(&lazy2, 41), -ETOOMANYREFS, "101");
	kt_check_ret(send_fds(&lazy2, 40), 0, "100");
	for (i = 0; i < 3; i++)
		check_full(&lazy2, &busy);
	kt_check_ret(conn_recv_flags(&lazy, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check_ret(send_fds(&lazy2, 61), -ETOOMANYREFS, "61 of 60");
	kt_check_ret(send_fds(&lazy2, 60), 0, "60 again");
	conn_close(&lazy2);
	kt_check_ret(send_fds(&lazy, LIMIT), 0, "all of it");
}
END_TEST

/* a few each connection gets in any case */
START_TEST(by_connection)
{
	int fd = kt_memfd(10, KT_SEALS, 1);

	prepare();
	kt_check_ret(send_fds(&lazy, LIMIT), 0, "all of it");
	kt_check_ret(send_fds(&lazy2, 5), -ETOOMANYREFS, "5 to another");
	kt_check_ret(send_fds(&lazy2, 2), 0, "2 to another");
	kt_check_ret(send_memfds(lazy2.id, 2, fd), 0, "and 2 memory files");
	kt_check_ret(send_fds(&lazy2, 1), -ETOOMANYREFS, "5 to another");
	kt_check_ret(send_fds(&lazy, 1), -ETOOMANYREFS, "to the first");
	kt_check_ret(conn_recv_flags(&lazy2, KDBUS_RECV_DROP, NULL), 0, "drop");
	kt_check_ret(send_fds(&lazy2, 3), -ETOOMANYREFS, "3 to another");
	kt_check_ret(send_fds(&lazy2, 2), 0, "2 to another");
}
END_TEST

static int answer_fds(struct conn *to, u64 cookie, unsigned int n)
{
	int fds[LIMIT] = { 0 };
	struct blob m;

	reply_init(&m, to->id, cookie);
	msg_fds(&m, fds, n);
	return conn_send(&service, &m);
}

/* as a service does that hands something out */
START_TEST(answers)
{
	unsigned int i, n = LIMIT / 10;

	prepare();
	for (i = 1; i <= n + 1; i++)
		kt_assert_ret(request(&service, service.id, i, NEVER), 0,
			      "request");
	for (i = 1; i <= n; i++)
		kt_check_ret(answer_fds(&service, i, 10), 0, "answer %u", i);
	kt_check_ret(answer_fds(&service, i, 1), -ETOOMANYREFS, "answer");
	check_full(&service, &busy);
}
END_TEST

static struct call call;

static void call_service(struct conn *who, unsigned int n, int want)
{
	int ret;

	call_start(&call, who, service.id, 7, NEVER);
	ret = answer_fds(who, 7, n);
	if (!kt_check_ret(ret, want, "%u in an answer", n) || ret)
		kt_check_ret(reply(&service, who->id, 7), 0, "without any");
	kt_check_ret(call_end(&call), 0, "call");
}

START_TEST(answer_to_a_sleeper)
{
	struct conn holder;

	prepare();
	kt_become(0);
	holder_open(&holder, &bus, "a.service u%u:o w:t", SERVICE);
	kt_assert_ret(name_acquire(&service, "a.service", 0), 0, "name");
	kt_become(SERVICE);
	kt_check_ret(send_fds(&lazy, LIMIT), 0, "all of it");
	call_service(&busy, 60, 0);
	call_service(&lazy2, 5, -ETOOMANYREFS);
	/* each connection of that user takes a few */
	call_service(&lazy2, 2, 0);
}
END_TEST

/* it misses what others get */
START_TEST(broadcasts)
{
	int fd = kt_memfd(10, KT_SEALS, 1);

	prepare();
	match_casts(&lazy2);
	match_casts(&busy);
	kt_check_ret(send_memfds(lazy.id, LIMIT, fd), 0, "all of it");
	kt_check_ret(send_memfds(KDBUS_DST_ID_BROADCAST, 50, fd), 0,
		     "broadcast");
	kt_check(fdinfo(&lazy2, "lost:") == 1, "not lost");
	expect_empty(&lazy2);
	kt_check_ret(conn_recv_flags(&busy, KDBUS_RECV_DROP, NULL), 0,
		     "the broadcast");
	while (!conn_recv_flags(&lazy, KDBUS_RECV_DROP, NULL))
		;
	kt_check_ret(send_memfds(KDBUS_DST_ID_BROADCAST, 50, fd), 0,
		     "broadcast");
	kt_check_ret(conn_recv_flags(&lazy2, KDBUS_RECV_DROP, NULL), 0,
		     "the next");
}
END_TEST

/* its owner gets descriptors by other ways, too */
START_TEST(monitors)
{
	struct conn mon;
	int i;

	prepare();
	kt_become(0);
	kt_assert_ret(special_try_open(&mon, &bus, KDBUS_HELLO_MONITOR |
				       KDBUS_HELLO_ACCEPT_FD, NULL, POOL), 0,
		      "HELLO of a monitor");
	kt_become(SERVICE);
	for (i = 0; i < 5; i++) {
		kt_check_ret(send_fds(&busy, 50), 0, "message %d", i);
		kt_check_ret(conn_recv_flags(&busy, KDBUS_RECV_DROP, NULL), 0,
			     "message %d", i);
	}
	kt_check(fdinfo(&mon, "queued:") == 2, "%llu copies",
		 fdinfo(&mon, "queued:"));
	kt_check(fdinfo(&mon, "lost:") == 3, "%llu lost",
		 fdinfo(&mon, "lost:"));
	/* of the monitor's user, or of anybody */
	kt_check_ret(send_fds(&lazy, LIMIT), 0, "all of it");
	kt_check_ret(send_fds(&service, LIMIT), 0, "all of it");
}
END_TEST

KT_SUITE("flight")
{
	kt_test(privileged);
	kt_test(by_receiving_user);
	kt_test(by_connection);
	kt_test(answers);
	kt_test(answer_to_a_sleeper);
	kt_test(broadcasts);
	kt_test(monitors);
}
