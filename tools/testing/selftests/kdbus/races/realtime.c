// SPDX-License-Identifier: GPL-2.0-only
/*
 * Several threads at once: a connection ends in a task of real-time priority, while
 * on the same processor another task ends a reply which that connection owes. With
 * PREEMPT_RT this happens at any moment, spinlocks held or not; and as the other task
 * does not run before the first one sleeps, that must not go round until the other
 * has done what it was at.
 */

#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "race-world.h"

#define REPLIERS	8
#define PRIO		50		/* real-time, of the task that leaves */
#define START_NS	100000ULL	/* from being told to leaving */
#define SPIN_NS		5000000000ULL	/* of processor time: a hang */
/*
 * Rounds in which one left at the right time. With PREEMPT_RT, a module in which a
 * moment of this kind is wrong hung after some hundreds.
 */
#define ENOUGH		1500
#define ENOUGH_ELSE	50
#define MOST		6		/* times as many rounds */

#define RUNTIME		"/proc/sys/kernel/sched_rt_runtime_us"
/* since Linux 6.12 */
#define FAIR_SERVER	"/sys/kernel/debug/sched/fair_server/cpu0/runtime"

/* ------------------------------------------------------------------------ */
/* Real-time tasks, which nothing keeps from running for ever */

static int last_cpu;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	kt_assert(!sched_setaffinity(0, sizeof(set), &set), "affinity: %m");
}

static bool set_priority(pid_t tid, int prio)
{
	const struct sched_param param = { .sched_priority = prio };

	return !sched_setscheduler(tid, prio ? SCHED_FIFO : SCHED_OTHER, &param);
}

static void need_realtime(void)
{
	if (!set_priority(0, 1))
		kt_skip("no real-time scheduling here: %m");
	kt_assert(set_priority(0, 0), "SCHED_OTHER: %m");
	last_cpu = sysconf(_SC_NPROCESSORS_ONLN) - 1;
}

static unsigned int enough(void)
{
	struct utsname u;

	kt_assert(!uname(&u), "uname: %m");
	return strstr(u.version, "PREEMPT_RT") ? ENOUGH : ENOUGH_ELSE;
}

static struct limit {
	const char *path, *none;
	char was[32];
} limits[] = {
	{ RUNTIME, "-1", "" },
	{ FAIR_SERVER, "0", "" },
};

static void lift_limits(void)
{
	struct limit *l;

	for (l = limits; l < limits + ARRAY_SIZE(limits); l++)
		if (kt_read_file(l->path, l->was, sizeof(l->was)) > 0)
			kt_assert(kt_write_file(l->path, l->none), "%s: %m",
				  l->path);
}

static void restore_limits(void)
{
	struct limit *l;

	for (l = limits; l < limits + ARRAY_SIZE(limits); l++)
		if (*l->was)
			kt_check(kt_write_file(l->path, l->was), "%s: %m",
				 l->path);
}

static u64 cpu_time(clockid_t clock)
{
	struct timespec ts;

	kt_assert(!clock_gettime(clock, &ts), "time of a thread: %m");
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

static void sem_wait_for(sem_t *sem)
{
	while (sem_wait(sem))
		;
}

/* ------------------------------------------------------------------------ */
/* Who leaves, and who looks whether that ends */

static struct conn repliers[REPLIERS];

static struct leaver {
	sem_t go, done;
	pid_t tid;
	clockid_t clock;
	unsigned int who;	/* drops a request at the moment */
	unsigned int left;
	u64 begun;		/* when */
	u64 cpu;		/* time of the processor before */
	bool busy, hangs;
	int ret;
} leaver;

static void sleep_ns(u64 ns)
{
	const struct timespec ts = { .tv_nsec = ns };

	clock_nanosleep(CLOCK_MONOTONIC, 0, &ts, NULL);
}

static void *leave_again(void *arg)
{
	struct leaver *l = arg;

	kt_assert(set_priority(0, PRIO), "SCHED_FIFO: %m");
	kt_assert(!pthread_getcpuclockid(pthread_self(), &l->clock), "clock");
	l->tid = kt_tid();
	sem_post(&l->done);
	for (;;) {
		sem_wait_for(&l->go);
		if (stop)
			return NULL;
		sleep_ns(START_NS);
		l->begun = now_ns();
		l->left = __atomic_load_n(&l->who, __ATOMIC_SEQ_CST);
		l->cpu = cpu_time(l->clock);
		__atomic_store_n(&l->busy, true, __ATOMIC_SEQ_CST);
		l->ret = conn_byebye(&repliers[l->left]);
		__atomic_store_n(&l->busy, false, __ATOMIC_SEQ_CST);
		sem_post(&l->done);
	}
}

/* lets the others run when it hangs: then the test ends, and fails */
static void *look_after(void *arg)
{
	struct leaver *l = arg;

	pin(last_cpu);
	kt_assert(set_priority(0, PRIO + 1), "SCHED_FIFO: %m");
	while (!__atomic_load_n(&stop, __ATOMIC_SEQ_CST)) {
		usleep(10000);
		if (!__atomic_load_n(&l->busy, __ATOMIC_SEQ_CST) ||
		    cpu_time(l->clock) - l->cpu < SPIN_NS)
			continue;
		l->hangs = true;
		kt_assert(set_priority(l->tid, 0), "SCHED_OTHER: %m");
		return NULL;
	}
	return NULL;
}

/* ------------------------------------------------------------------------ */
/* Who drops requests, which ends what is owed */

/* from telling who leaves to the first request, so as to meet it */
static u64 lead = START_NS, span = START_NS;

static void adapt(u64 start, u64 end)
{
	if (leaver.begun < start) {
		lead -= lead / 8;
	} else if (leaver.begun > end) {
		lead += lead < 20 * START_NS ? lead / 8 + 8 : 0;
		span = end - start;
	}
}

/* returns whether one left meanwhile */
static bool drop_requests(void)
{
	u64 start, end;
	unsigned int i;

	start = now_ns() + lead + kt_rand(&rnd) % span;
	__atomic_store_n(&leaver.who, 0, __ATOMIC_SEQ_CST);
	sem_post(&leaver.go);
	while (now_ns() < start)
		;
	start = now_ns();
	for (i = 0; i < REPLIERS; i++) {
		__atomic_store_n(&leaver.who, i, __ATOMIC_SEQ_CST);
		kt_check_ret(conn_recv_flags(&repliers[i], KDBUS_RECV_DROP,
					     NULL), 0, "DROP");
	}
	end = now_ns();
	sem_wait_for(&leaver.done);
	adapt(start, end);
	return leaver.begun >= start && leaver.begun <= end && !leaver.ret;
}

static bool one_round(void)
{
	struct conn *left;
	unsigned int i;
	bool met;

	for (i = 0; i < REPLIERS; i++)
		kt_assert_ret(request(&a, repliers[i].id, i + 1, NEVER), 0,
			      "request");
	met = drop_requests();
	for (i = 0; i < REPLIERS; i++)
		expect_note(&a, KDBUS_ITEM_REPLY_DEAD, i + 1);
	expect_empty(&a);
	left = &repliers[leaver.left];
	if (leaver.ret) {
		/* the request was still there */
		kt_check_ret(leaver.ret, -EBUSY, "BYEBYE");
	} else {
		conn_close(left);
		conn_open(left, &bus, RACE_POOL);
	}
	return met;
}

START_TEST(replier_of_high_priority)
{
	unsigned int rounds, met = 0, want = enough(), i;
	pthread_t threads[2];

	need_realtime();
	race_world();
	for (i = 0; i < REPLIERS; i++)
		conn_open(&repliers[i], &bus, RACE_POOL);
	sem_init(&leaver.go, 0, 0);
	sem_init(&leaver.done, 0, 0);
	pin(0);
	threads[0] = kt_thread(leave_again, &leaver);
	sem_wait_for(&leaver.done);
	threads[1] = kt_thread(look_after, &leaver);
	lift_limits();
	for (rounds = 0; met < want && rounds < MOST * want; rounds++) {
		met += one_round();
		if (leaver.hangs || kt->failures)
			break;
	}
	restore_limits();
	kt_check(!leaver.hangs, "round %u: BYEBYE does not end", rounds);
	kt_check(met > 0 || leaver.hangs, "never met");
	kt_note("%u rounds, met %u times", rounds, met);
	__atomic_store_n(&stop, true, __ATOMIC_SEQ_CST);
	sem_post(&leaver.go);
	for (i = 0; i < ARRAY_SIZE(threads); i++)
		kt_join(threads[i]);
}
END_TEST

KT_SUITE_LATE("race-realtime")
{
	kt_test_slow(replier_of_high_priority, 180);
}
