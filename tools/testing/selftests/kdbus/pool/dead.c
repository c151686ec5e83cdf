// SPDX-License-Identifier: GPL-2.0-only
/*
 * The memory of a pool goes with its handle and the last mapping, whatever a
 * sender is doing.
 */

#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cast.h"
#include "memcg-util.h"
#include "policy-util.h"
#include "slow-util.h"

#define POOL	(32 * MIB)
#define CHUNK	(1 * MIB)
#define CHUNKS	8
#define ALL	((long long)(CHUNKS * CHUNK))
#define SLACK	((long long)(BATCH + RESERVE))

static struct bus bus;
static struct conn sender, receiver;
static struct slow_send slow;
static char dir[128];
static u8 chunk[CHUNK];

static void enter(const char *group)
{
	char path[sizeof(dir) + 32];

	snprintf(path, sizeof(path), "%s/cgroup.procs", group);
	kt_assert(kt_write_file(path, "0"), "enter %s: %m", group);
}

static long long usage(void)
{
	char path[sizeof(dir) + 32], buf[64];

	snprintf(path, sizeof(path), "%s/memory.current", dir);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "no %s", path);
	return strtoll(buf, NULL, 10);
}

static void prepare(void)
{
	struct slow_mem probe;

	slow_mem_init(&probe);		/* may skip */
	memcg_need();
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	kt_fill(chunk, sizeof(chunk), 5);
	snprintf(dir, sizeof(dir), CGROUPS "/kdbus-%d", getpid());
	kt_assert(!mkdir(dir, 0755), "mkdir %s: %m", dir);
	bus_make(&bus, 0);
	conn_open(&sender, &bus, POOL);
}

static void done(void)
{
	conn_close(&sender);
	bus_close(&bus);
	rmdir(dir);
}

/* half of it is received and not freed, half is waiting */
static u64 fill_receiver(void)
{
	u64 off = 0;
	int i;

	for (i = 0; i < CHUNKS; i++)
		kt_assert_ret(conn_send_want(&sender, receiver.id, chunk,
					     CHUNK), 0, "chunk %d", i);
	for (i = 0; i < CHUNKS / 2; i++)
		conn_recv_msg(&receiver, &off);
	kt_check(usage() > ALL - SLACK, "%lld bytes charged", usage());
	return off;
}

static void check_gone(const char *what)
{
	slow_send_check_stuck(&slow);
	kt_note("%s: %lld KiB charged", what, usage() / 1024);
	kt_check(usage() < SLACK, "%s: %lld bytes are still charged", what,
		 usage());
}

static void check_failed(int ret)
{
	kt_check(ret == -ECONNRESET || ret == -ENXIO, "the slow send: %s",
		 kt_err(ret));
}

START_TEST(closed)
{
	prepare();
	enter(dir);
	conn_open(&receiver, &bus, POOL);
	enter(CGROUPS);
	fill_receiver();
	slow_send_to(&slow, &sender, receiver.id, NULL);
	conn_close(&receiver);
	check_gone("closed");
	check_failed(slow_send_end(&slow));
	done();
}
END_TEST

/* the sender finds out at any page, and has not written to any after that */
START_TEST(closed_in_the_middle)
{
	unsigned int page, i;

	for (page = 1; page < SLOW_PAGES; page++) {
		prepare();
		enter(dir);
		conn_open(&receiver, &bus, POOL);
		enter(CGROUPS);
		fill_receiver();
		slow_send_to(&slow, &sender, receiver.id, NULL);
		for (i = 0; i < page; i++) {
			slow_mem_fill(&slow.mem, i);
			kt_check(slow_mem_wait(&slow.mem) == i + 1, "page");
		}
		conn_close(&receiver);
		check_gone("closed in the middle");
		for (i = page; i < SLOW_PAGES; i++)
			slow_mem_fill(&slow.mem, i);
		kt_join(slow.thread);
		check_failed(slow.ret);
		done();
	}
}
END_TEST

/* what was received is there as long as it is mapped */
START_TEST(mapped)
{
	const struct kdbus_msg *m;
	u64 off;

	prepare();
	enter(dir);
	conn_open(&receiver, &bus, POOL);
	enter(CGROUPS);
	off = fill_receiver();
	slow_send_to(&slow, &sender, receiver.id, NULL);
	close(receiver.fd);
	m = (const void *)(receiver.pool + off);
	kt_check(!memcmp(receiver.pool + off + m->size, chunk,
			 CHUNK - m->size), "the mapping changed");
	munmap(receiver.pool, POOL);
	check_gone("not mapped any more");
	check_failed(slow_send_end(&slow));
	done();
}
END_TEST

static int caller(void *arg)
{
	struct blob m;

	enter(dir);
	conn_open(&receiver, &bus, POOL);
	fill_receiver();
	msg_init(&m, sender.id, 9);
	m.msg.flags = KDBUS_MSG_FLAGS_EXPECT_REPLY |
		      KDBUS_MSG_FLAGS_SYNC_REPLY;
	m.msg.timeout_ns = NEVER;
	kt_check(!arg, "no argument");
	conn_send(&receiver, &m);
	return 0;
}

/* an answer is written to the pool of the caller, too */
START_TEST(answered)
{
	struct pollfd p = { .events = POLLIN };
	const struct kdbus_msg *m;
	pid_t pid;
	u64 off;

	prepare();
	pid = kt_fork_as(0, 0, caller, NULL);
	p.fd = sender.fd;
	kt_assert(poll(&p, 1, 20000) == 1, "no request");
	m = conn_recv_msg(&sender, &off);
	msg_init(&slow.m, m->src_id, 10);
	slow.m.msg.cookie_reply = m->cookie;
	slow_send_start(&slow, &sender);
	kill(pid, SIGKILL);
	kt_wait(pid);
	check_gone("killed");
	check_failed(slow_send_end(&slow));
	done();
}
END_TEST

/* the end of a bus leaves the handle, the mapping and what is there */
START_TEST(bus_ended)
{
	const struct kdbus_msg *m;
	u8 *again;
	u64 off;

	prepare();
	enter(dir);
	conn_open(&receiver, &bus, POOL);
	enter(CGROUPS);
	off = fill_receiver();
	slow_send_to(&slow, &sender, receiver.id, NULL);
	bus_close(&bus);
	munmap(receiver.pool, POOL);
	again = mmap(NULL, POOL, PROT_READ, MAP_SHARED, receiver.fd, 0);
	kt_assert(again != MAP_FAILED, "mmap: %m");
	m = (const void *)(again + off);
	kt_check(!memcmp(again + off + m->size, chunk, CHUNK - m->size),
		 "the pool changed");
	munmap(again, POOL);
	close(receiver.fd);
	check_gone("closed on a dead bus");
	kt_check_ret(slow_send_end(&slow), -ECONNRESET, "the slow send");
	conn_close(&sender);
	rmdir(dir);
}
END_TEST

#define EPS	48
#define ENTRIES	480

/* a policy of about 40 KiB of memory */
static void many_entries(char *text, size_t size)
{
	size_t at = 0;
	int i;

	for (i = 0; i < ENTRIES; i++)
		at += snprintf(text + at, size - at, "a.n%03d w:s ", i);
	kt_assert(at < size, "%zu characters", at);
}

/* nor does a handle that others keep hold the policy of an endpoint */
START_TEST(endpoint_ended)
{
	static struct bus eps[EPS];
	static char text[8192];
	int held[EPS], i;
	long long full;
	u64 end;

	prepare();
	many_entries(text, sizeof(text));
	enter(dir);
	for (i = 0; i < EPS; i++)
		ep_make(&eps[i], &bus, "%s", text);
	enter(CGROUPS);
	for (i = 0; i < EPS; i++)
		held[i] = open_endpoint(&eps[i]);
	full = usage();
	kt_check(full > SLACK + 512 * 1024LL, "only %lld bytes", full);
	for (i = 0; i < EPS; i++)
		close(eps[i].fd);
	/* policy is read under RCU, and freed later */
	end = kt_now_ms() + 20000;
	while (usage() > SLACK && kt_now_ms() < end)
		usleep(1000);
	kt_note("%lld KiB charged, of %lld", usage() / 1024, full / 1024);
	kt_check(usage() <= SLACK, "%lld bytes are still charged", usage());
	for (i = 0; i < EPS; i++) {
		kt_check_ret(hello(held[i], 0, KT_PAGE), -ESHUTDOWN, "HELLO");
		close(held[i]);
	}
	done();
}
END_TEST

/* ------------------------------------------------------------------------ */
/* Payload that is not in memory, but comes at once */

#define COLD	(300 * KIB)

static u8 *cold;

static void cold_init(void)
{
	int fd = kt_memfd(COLD, 0, 7);

	cold = mmap(NULL, COLD, PROT_READ, MAP_SHARED, fd, 0);
	kt_assert(cold != MAP_FAILED, "mmap: %m");
	close(fd);
}

static int cold_send(struct conn *c, u64 dst, size_t at, size_t len)
{
	struct blob m;

	kt_assert(!madvise(cold, COLD, MADV_DONTNEED), "madvise: %m");
	msg_init(&m, dst, 1);
	msg_vec(&m, cold + at, len);
	return conn_send(c, &m);
}

START_TEST(cold_payload)
{
	static const struct {
		size_t at, len;
	} rows[] = {
		{ 0, 1 }, { 0, 63 }, { 0, 64 }, { 0, 65 }, { 0, 4096 },
		{ 1, 4096 }, { 4095, 1 }, { 4095, 2 }, { 4095, 66 },
		{ 4095, 4098 }, { 4032, 64 }, { 4033, 64 }, { 4031, 66 },
		{ 0, COLD }, { 7, COLD - 7 }, { 4090, COLD - 4100 },
	};
	const struct kdbus_msg *m;
	u64 off, copied, before;
	size_t i;

	bus_make(&bus, 0);
	conn_open(&sender, &bus, POOL);
	conn_open(&receiver, &bus, POOL);
	cold_init();
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		before = fdinfo(&receiver, "copied:");
		kt_assert_ret(cold_send(&sender, receiver.id, rows[i].at,
					rows[i].len), 0, "send, row %zu", i);
		m = conn_recv_msg(&receiver, &off);
		kt_check(!memcmp((u8 *)m + m->size, cold + rows[i].at,
				 rows[i].len), "row %zu: other bytes", i);
		copied = fdinfo(&receiver, "copied:") - before;
		kt_check(copied == rows[i].len, "row %zu: %llu bytes copied",
			 i, copied);
		kt_assert_ret(conn_free(&receiver, off), 0, "FREE");
	}
}
END_TEST

static bool over;
static u64 target;

static void *sends_cold(void *arg)
{
	int ret;

	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		ret = cold_send(arg, __atomic_load_n(&target, __ATOMIC_SEQ_CST),
				1, COLD - 1);
		kt_check(!ret || ret == -ENXIO || ret == -ECONNRESET ||
			 ret == -ENOBUFS || ret == -EXFULL, "send: %s",
			 kt_err(ret));
	}
	return NULL;
}

/* receivers come and go while two threads write to them */
START_TEST(cold_senders)
{
	struct pollfd p = { .events = POLLIN };
	pthread_t t[2];
	unsigned int i;

	bus_make(&bus, 0);
	conn_open(&sender, &bus, POOL);
	conn_open(&receiver, &bus, POOL);
	cold_init();
	target = receiver.id;
	for (i = 0; i < ARRAY_SIZE(t); i++)
		t[i] = kt_thread(sends_cold, &sender);
	for (i = 0; i < 50; i++) {
		p.fd = receiver.fd;
		kt_assert(poll(&p, 1, 20000) == 1, "round %u: no message", i);
		conn_close(&receiver);
		conn_open(&receiver, &bus, i % 2 ? POOL : POOL / 16);
		__atomic_store_n(&target, receiver.id, __ATOMIC_SEQ_CST);
	}
	__atomic_store_n(&over, true, __ATOMIC_SEQ_CST);
	for (i = 0; i < ARRAY_SIZE(t); i++)
		kt_join(t[i]);
}
END_TEST

KT_SUITE("dead")
{
	kt_test(closed);
	kt_test(closed_in_the_middle);
	kt_test(mapped);
	kt_test(answered);
	kt_test(bus_ended);
	kt_test(endpoint_ended);
	kt_test(cold_payload);
	kt_test(cold_senders);
}
