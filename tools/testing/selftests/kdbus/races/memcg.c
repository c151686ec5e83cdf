// SPDX-License-Identifier: GPL-2.0-only
/* Several threads at once: at a pool whose owner has no more memory */

#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "memcg-util.h"
#include "race-world.h"

static char dir[128];

/* a handle is shared over fork(), and who says HELLO pays */
static int pay(void *arg)
{
	memcg_put(dir, "cgroup.procs", "0");
	return hello(*(int *)arg, 0, POOL) != 0;
}

static void open_paid(void)
{
	unsigned int i;

	memcg_need();
	snprintf(dir, sizeof(dir), CGROUPS "/kdbus-%d-race", getpid());
	kt_assert(!mkdir(dir, 0755), "mkdir %s: %m", dir);
	race_world();
	b.fd = open_endpoint(&bus);
	kt_run_as(0, 0, pay, &b.fd);
	b.id = a.id + 1;
	b.pool_size = POOL;
	b.pool = mmap(NULL, POOL, PROT_READ, MAP_PRIVATE, b.fd, 0);
	kt_assert(b.pool != MAP_FAILED, "mmap: %m");
	/* all pages are there */
	for (i = 0; i < POOL; i += KT_PAGE)
		(void)*(volatile u8 *)(b.pool + i);
}

static void *send_to_paid(void *arg)
{
	unsigned int *refused = arg;
	int ret;

	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		ret = conn_send_bytes(&a, b.id, 1, NULL, 0);
		kt_check(!ret || ret == -ENOBUFS || ret == -EXFULL,
			 "send: %s", kt_err(ret));
		*refused += ret == -ENOBUFS;
	}
	return NULL;
}

/* what was found before there was no memory need not be there after that */
START_TEST(no_slice_left)
{
	unsigned int refused = 0, got = 0;
	u64 end = kt_now_ms() + RACE_MS;
	pthread_t t;

	open_paid();
	kt_assert_ret(conn_send_bytes(&a, b.id, 1, NULL, 0), 0, "send");
	memcg_put(dir, "memory.max", "0");
	t = kt_thread(send_to_paid, &refused);
	while (kt_go_on(end, refused && got))
		got += conn_drain(&b);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	kt_join(t);
	kt_note("%u received, %u refused", got, refused);
	memcg_put(dir, "memory.max", "max");
	conn_drain(&b);
	kt_check(pool_used(&b) == 0, "pool");
	conn_check_pool_empty(&a, &b);
	conn_close(&b);
	rmdir(dir);
}
END_TEST

KT_SUITE_LATE("memcg-race")
{
	kt_test(no_slice_left);
}
