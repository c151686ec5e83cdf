// SPDX-License-Identifier: GPL-2.0-only
/* KDBUS_HELLO_EXT_RESERVE: all memory of a pool from the beginning */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <unistd.h>

#include "call.h"
#include "memcg-util.h"

#define FLAG	KDBUS_HELLO_EXT_RESERVE
#define POOL	(8 * MIB)
#define CHUNK	(1 * MIB)
#define SLACK	((long long)(BATCH + RESERVE))

static char dir[128];
static struct bus bus;
static struct conn a, b;
static u8 chunk[CHUNK];

static long long usage(void)
{
	return memcg_get(dir, "memory.current", NULL);
}

static void set_limit(long long more)
{
	memcg_put_number(dir, "memory.max", usage() + more);
}

static void enter(const char *group)
{
	memcg_put(group, "cgroup.procs", "0");
}

static void start(void)
{
	memcg_need();
	snprintf(dir, sizeof(dir), CGROUPS "/kdbus-%d-reserve", getpid());
	kt_assert(!mkdir(dir, 0755), "mkdir %s: %m", dir);
	memset(chunk, 0x77, sizeof(chunk));
	bus_make(&bus, 0);
	conn_open(&a, &bus, 64 * KIB);
}

static void end(void)
{
	kt_check(memcg_get(dir, "memory.events", "oom_kill ") == 0, "killed");
	enter(CGROUPS);
	rmdir(dir);
}

/* the group pays for the pool, and for nothing else */
static int open_there(struct conn *c, u64 flags, u64 pool)
{
	int ret;

	enter(dir);
	ret = conn_try_open(c, &bus, flags, pool);
	enter(CGROUPS);
	return ret;
}

static unsigned int send_chunks(void)
{
	unsigned int n = 0;

	while (n < POOL / CHUNK - 1 &&
	       !conn_send_want(&a, b.id, chunk, CHUNK))
		n++;
	return n;
}

START_TEST(charged)
{
	long long before, after;

	start();
	before = usage();
	kt_assert_ret(open_there(&b, FLAG, POOL), 0, "HELLO");
	after = usage();
	kt_check(after - before >= (long long)POOL &&
		 after - before <= (long long)POOL + SLACK,
		 "charged %lld for a pool of %lu", after - before, POOL);
	kt_check(fdinfo(&b, "pool-resident:") == POOL, "resident");
	kt_check(!(b.hello.bus_flags & FLAG), "flags of the bus");
	conn_close(&b);
	kt_check(memcg_falls_to(dir, before + SLACK), "%lld stay", usage() - before);
	end();
}
END_TEST

/* in place of those that come at the limit, and are refused */
START_TEST(at_the_limit)
{
	start();
	kt_assert_ret(open_there(&b, 0, POOL), 0, "HELLO");
	set_limit(64 * KIB);
	kt_check(send_chunks() < 2, "there is no limit");
	conn_close(&b);
	kt_assert_ret(open_there(&b, FLAG, POOL), -ENOMEM, "HELLO");
	set_limit(POOL + SLACK);
	kt_assert_ret(open_there(&b, FLAG, POOL), 0, "HELLO");
	set_limit(64 * KIB);
	kt_check(send_chunks() == POOL / CHUNK - 1, "refused");
	kt_check(conn_drain(&b) == POOL / CHUNK - 1, "messages");
	end();
}
END_TEST

START_TEST(stays)
{
	struct conn c;

	start();
	conn_open(&c, &bus, POOL);
	kt_assert_ret(open_there(&b, FLAG, POOL), 0, "HELLO");
	kt_check(send_chunks() == POOL / CHUNK - 1, "refused");
	kt_check(conn_drain(&b) == POOL / CHUNK - 1, "messages");
	kt_assert_ret(conn_send_want(&a, c.id, chunk, CHUNK), 0, "send");
	kt_check(conn_drain(&c) == 1, "message");
	/* the other pool shows that it is about time */
	while (fdinfo(&c, "pool-resident:") > 64 * KIB)
		usleep(20000);
	usleep(2000000);
	kt_check(fdinfo(&b, "pool-resident:") == POOL, "%llu are left",
		 fdinfo(&b, "pool-resident:"));
	end();
}
END_TEST

/* the same handle, with less */
START_TEST(not_enough)
{
	long long before;
	int fd;

	start();
	before = usage();
	set_limit(CHUNK + SLACK);
	fd = open_endpoint(&bus);
	enter(dir);
	kt_check_ret(hello(fd, FLAG, 4 * POOL), -ENOMEM, "HELLO");
	kt_check(memcg_falls_to(dir, before + SLACK), "%lld stay", usage() - before);
	kt_check_ret(hello(fd, FLAG, CHUNK), 0, "HELLO");
	close(fd);
	end();
}
END_TEST

static void on_alarm(int nr)
{
	(void)nr;
}

START_TEST(interrupted)
{
	struct sigaction sa = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = {};
	long long before;
	int fd, ret;

	start();
	before = usage();
	fd = open_endpoint(&bus);
	kt_assert(!sigaction(SIGALRM, &sa, NULL), "sigaction: %m");
	enter(dir);
	kt_assert(!setitimer(ITIMER_REAL, &often, NULL), "setitimer: %m");
	ret = hello(fd, FLAG, 256 * MIB);
	kt_assert(!setitimer(ITIMER_REAL, &never, NULL), "setitimer: %m");
	kt_check_ret(ret, -EINTR, "HELLO");
	kt_check(memcg_falls_to(dir, before + SLACK), "%lld stay", usage() - before);
	kt_check_ret(hello(fd, FLAG, CHUNK), 0, "HELLO");
	close(fd);
	end();
}
END_TEST

KT_SUITE("reserve")
{
	kt_test(charged);
	kt_test(at_the_limit);
	kt_test(stays);
	kt_test(not_enough);
	kt_test(interrupted);
}
