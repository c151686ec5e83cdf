// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs programs, in two processes that stay as long as programs end by
 * themselves. Between programs all that was opened is closed.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exec.h"

#define UID		1000
#define LIMIT_S		2		/* of a program */
#define KICK_NS		60000000	/* of a call, unless it goes on */
#define TURN_NS		2000000ULL	/* of a call, when order counts */

static int first_fd;		/* all before it stay open */

static void wait_turn(unsigned int at)
{
	u64 end = now() + TURN_NS;

	while (at && !shared->done[at - 1] && now() < end)
		sched_yield();
}

static void run_calls(struct thread *t)
{
	const struct prog *p = &shared->prog;
	unsigned int i;

	shared->tid[t->number] = syscall(SYS_gettid);
	for (i = 0; i < p->n; i++) {
		const struct call *c = &p->calls[i];
		bool failed = false;

		if (c->thread != t->number)
			continue;
		if (p->ordered)
			wait_turn(i);
		shared->result.err[i] = run_call(t, c, &failed);
		shared->result.failed[i] = failed;
		shared->done[i] = true;
	}
	shared->tid[t->number] = 0;
}

static void make_bus(void)
{
	struct {
		struct kdbus_cmd_make cmd;
		u64 bloom_size, bloom_type, bloom[2];
		u64 name_size, name_type;
		char name[8];
	} make = {
		.cmd.size = sizeof(make) - 1,
		.cmd.flags = KDBUS_MAKE_ACCESS_WORLD,
		.bloom_size = 32,
		.bloom_type = KDBUS_ITEM_BLOOM_PARAMETER,
		.bloom = { 8, 1 },
		.name_size = 16 + sizeof("0-fuzz"),
		.name_type = KDBUS_ITEM_MAKE_NAME,
		.name = "0-fuzz",
	};
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/dev/%s/control", module);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		die(path);
	if (ioctl(fd, KDBUS_CMD_BUS_MAKE, &make))
		die("BUS_MAKE");
	slots[0] = (struct slot){ .fd = fcntl(fd, F_DUPFD_CLOEXEC, BUS_FD) };
	close(fd);
}

/* The bus stays until a program closes it: making one takes long. */
static void prepare(unsigned int proc)
{
	unsigned int i;

	for (i = !proc; i < N_SLOTS; i++)
		slots[i] = (struct slot){ .fd = -1 };
	if (!proc && fcntl(BUS_FD, F_GETFD) < 0)
		make_bus();
}

static void clean(void)
{
	unmap_all();
	close_range(first_fd, BUS_FD - 1, 0);
	close_range(BUS_FD + 1, ~0U, 0);
	if (slots[0].fd != BUS_FD)
		close(BUS_FD);
}

/* what a thread is told to do */
enum { RUN, PREPARE, CLEAN };

static void serve(struct thread *t)
{
	for (;;) {
		while (sem_wait(&shared->go[t->number]))
			;
		switch (shared->order) {
		case RUN:
			run_calls(t);
			break;
		case PREPARE:
			prepare(proc_of(t->number));
			break;
		case CLEAN:
			clean();
			break;
		}
		sem_post(&shared->ready);
	}
}

static void open_fail_nth(struct thread *t)
{
	t->fail_nth = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
}

static void *run_thread(void *arg)
{
	struct thread *t = arg;

	open_fail_nth(t);
	cover_start(t->number);
	sem_post(&shared->ready);
	serve(t);
	return NULL;
}

static void become_user(void)
{
	if (setgroups(0, NULL) || setresgid(UID, UID, UID) ||
	    setresuid(UID, UID, UID))
		die("setresuid");
}

static void run_process(unsigned int proc)
{
	struct thread *t = &threads[proc ? N_THREADS - 1 : 0];
	pthread_t handle;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_fail_nth(t);
	for (i = 1; !proc && i < N_THREADS - 1; i++) {
		if (pthread_create(&handle, NULL, run_thread, &threads[i]))
			die("pthread_create");
		while (sem_wait(&shared->ready))
			;
	}
	first_fd = dup(0);
	close(first_fd);
	if (proc)
		become_user();
	cover_start(t->number);
	sem_post(&shared->ready);
	serve(t);
}

/* ------------------------------------------------------------------------ */
/* The fuzzer itself: tells them what to do */

static pid_t pids[N_PROCS];

/* who waits for what does not come is woken by a signal */
static void kick_all(void)
{
	unsigned int i;

	for (i = 0; i < N_THREADS; i++)
		if (shared->tid[i])
			syscall(SYS_tkill, shared->tid[i], SIGUSR1);
}

/* false if it takes too long */
static bool wait_ready(unsigned int n)
{
	u64 end = now() + LIMIT_S * 1000000000ULL;
	struct timespec limit;

	while (n && now() < end) {
		clock_gettime(CLOCK_REALTIME, &limit);
		limit.tv_nsec += KICK_NS;
		if (limit.tv_nsec >= 1000000000) {
			limit.tv_sec++;
			limit.tv_nsec -= 1000000000;
		}
		if (!sem_timedwait(&shared->ready, &limit))
			n--;
		else
			kick_all();
	}
	return !n;
}

static void start_processes(void)
{
	unsigned int i;

	sem_init(&shared->ready, 1, 0);
	for (i = 0; i < N_THREADS; i++)
		sem_init(&shared->go[i], 1, 0);
	for (i = 0; i < N_PROCS; i++) {
		pids[i] = fork();
		if (pids[i] < 0)
			die("fork");
		if (!pids[i])
			run_process(i);
		if (!wait_ready(1))
			die("process does not start");
	}
}

/* a page fault between asking for a failure and the call can be what fails */
static bool fault_explains(void)
{
	const struct prog *p = &shared->prog;
	unsigned int i;

	for (i = 0; i < p->n; i++)
		if (shared->result.err[i] < 0 && p->calls[i].fail)
			return true;
	return false;
}

void exec_exit(void)
{
	unsigned int i;

	for (i = 0; i < N_PROCS && pids[i]; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], NULL, 0);
	}
}

static void end_processes(void)
{
	bool explained = fault_explains();
	unsigned int i;
	int status;

	for (i = 0; i < N_PROCS; i++) {
		kill(pids[i], SIGKILL);
		waitpid(pids[i], &status, 0);
		if (!explained &&
		    (WIFEXITED(status) || WTERMSIG(status) != SIGKILL))
			exec_broken("process %u ended with status %x", i, status);
		pids[i] = 0;
	}
}

/* have threads do something; a bit each */
static bool order(int what, unsigned int whom)
{
	unsigned int i;

	shared->order = what;
	for (i = 0; i < N_THREADS; i++)
		if (whom >> i & 1)
			sem_post(&shared->go[i]);
	return wait_ready(__builtin_popcount(whom));
}

bool exec_prog(const struct prog *p)
{
	unsigned int firsts = 1 | 1 << (N_THREADS - 1), whom = 0, i;

	for (i = 0; i < N_CALLS; i++) {
		shared->done[i] = false;
		shared->result.err[i] = -1;
		shared->result.failed[i] = false;
	}
	memset(shared->id, 0, sizeof(shared->id));
	shared->result.broken[0] = 0;
	shared->prog = *p;
	shared->alone = true;
	for (i = 0; i < p->n; i++) {
		whom |= 1 << p->calls[i].thread;
		shared->alone &= p->calls[i].place != P_SHARED;
	}
	shared->alone &= whom == 1;
	if (!(whom & 1 << (N_THREADS - 1)))
		firsts = 1;

	if (!pids[0])
		start_processes();
	if (order(PREPARE, firsts) && order(RUN, whom) && order(CLEAN, firsts))
		return true;
	end_processes();
	return false;
}
