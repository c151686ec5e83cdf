// SPDX-License-Identifier: GPL-2.0-only
/*
 * What waits at a receiver is charged to the memory cgroup it was in at HELLO, and
 * to no other: not that of the sender, of the owner of the bus, or of another
 * receiver. memcg.c has limits, and what happens there.
 */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cast.h"
#include "memcg-util.h"

#define POOL	(32 * MIB)
#define CHUNK	(1 * MIB)
#define CHUNKS	8

#define SLACK	((long long)(BATCH + RESERVE))

enum { OWNER, SENDER, FIRST, SECOND, N };

static const char *const who[N] = { "owner", "sender", "first", "second" };
static char dirs[N][128];
static struct bus bus;
static struct conn conns[N];
static u8 chunk[CHUNK];

static void enter(const char *dir)
{
	char path[sizeof(dirs) + 32];

	snprintf(path, sizeof(path), "%s/cgroup.procs", dir);
	kt_assert(kt_write_file(path, "0"), "enter %s: %m", dir);
}

static long long usage(unsigned int i)
{
	char path[sizeof(dirs) + 32], buf[64];

	snprintf(path, sizeof(path), "%s/memory.current", dirs[i]);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "no %s", path);
	return strtoll(buf, NULL, 10);
}

static void prepare(void)
{
	unsigned int i;

	memcg_need();
	/* no memory comes and goes but what the test is about */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	memset(chunk, 0x77, sizeof(chunk));
	for (i = 0; i < N; i++) {
		snprintf(dirs[i], sizeof(dirs[i]), CGROUPS "/kdbus-%d-%s",
			 getpid(), who[i]);
		kt_assert(!mkdir(dirs[i], 0755), "mkdir %s: %m", dirs[i]);
		enter(dirs[i]);
		if (i == OWNER)
			bus_make(&bus, 0);
		else
			conn_open(&conns[i], &bus, POOL);
	}
	for (i = FIRST; i <= SECOND; i++)
		match_all(&conns[i]);
	conn_drain(&conns[FIRST]);
	/* what is only needed once */
	enter(dirs[SENDER]);
	kt_assert_ret(conn_send_want(&conns[SENDER], conns[FIRST].id, chunk,
				     CHUNK), 0, "first chunk");
	kt_assert_ret(conn_send_want(&conns[SENDER], conns[SECOND].id, chunk,
				     CHUNK), 0, "first chunk");
}

static void done(void)
{
	unsigned int i;

	for (i = SENDER; i < N; i++)
		conn_close(&conns[i]);
	bus_close(&bus);
	enter(CGROUPS);
	for (i = 0; i < N; i++)
		rmdir(dirs[i]);
}

static void send_chunks(u64 dst, int fd)
{
	struct blob m;
	int i;

	for (i = 0; i < CHUNKS; i++) {
		if (dst == KDBUS_DST_ID_BROADCAST)
			cast_init(&m, i);
		else
			msg_init(&m, dst, i);
		if (fd < 0)
			msg_vec(&m, chunk, CHUNK - 512);
		else
			msg_memfd(&m, fd, CHUNK);
		kt_assert_ret(conn_send(&conns[SENDER], &m), 0, "chunk %d", i);
	}
}

/* send, and see who pays: @want is what the receivers are charged */
static void check_charges(const char *what, u64 dst, int fd,
			  const long long *want)
{
	long long was[N], more;
	unsigned int i;

	for (i = 0; i < N; i++)
		was[i] = usage(i);
	send_chunks(dst, fd);
	for (i = 0; i < N; i++) {
		more = usage(i) - was[i];
		kt_note("%s: %s %+lld KiB", what, who[i], more / 1024);
		kt_check(llabs(more - want[i]) <= SLACK,
			 "%s: the %s was charged %lld, not %lld", what, who[i],
			 more, want[i]);
	}
}

static const long long all = CHUNKS * CHUNK;

START_TEST(unicast)
{
	const long long first[N] = { [FIRST] = all };
	const long long second[N] = { [SECOND] = all };

	prepare();
	check_charges("to the first", conns[FIRST].id, -1, first);
	check_charges("to the second", conns[SECOND].id, -1, second);
	done();
}
END_TEST

/* each has its own copy */
START_TEST(broadcast)
{
	const long long both[N] = { [FIRST] = all, [SECOND] = all };

	prepare();
	check_charges("broadcast", KDBUS_DST_ID_BROADCAST, -1, both);
	done();
}
END_TEST

/* nobody: whoever made it has paid */
START_TEST(memory_file)
{
	static const long long none[N];
	int fd;

	prepare();
	fd = kt_memfd(CHUNK, KT_SEALS, 1);
	check_charges("memory file", conns[FIRST].id, fd, none);
	check_charges("memory file, broadcast", KDBUS_DST_ID_BROADCAST, fd,
		      none);
	done();
	close(fd);
}
END_TEST

KT_SUITE("payer")
{
	kt_test(unicast);
	kt_test(broadcast);
	kt_test(memory_file);
}
