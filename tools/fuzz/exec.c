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
#define NS_UIDS		"0 100000 65536"	/* of the user namespace */
#define LIMIT_S		2		/* of a program */
#define START_LIMIT_S	120		/* of a process, on a busy host */
#define KICK_NS		60000000	/* of a call, unless it goes on */
#define TURN_NS		2000000ULL	/* of a call, when order counts */
#define LONG_NS		250000000ULL	/* so long that it depends on others */
#define REPEAT_NS	200000000ULL	/* nothing is repeated after that */
#define MOST_LAPS	512		/* of one loop */
#define MOST_STEPS	4000		/* of a thread */

static int first_fd;		/* all before it stay open */

/* on a busy machine time alone does not tell */
static bool is_asleep(pid_t tid)
{
	char path[32], text[64], *end;
	int fd, n;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)tid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return true;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = 0;
	end = strrchr(text, ')');
	return !end || strncmp(end, ") S", 3) == 0;
}

/* asleep, reading memory that stalls, or told to go on later */
static bool is_blocked(unsigned int thread)
{
	u64 begun = shared->begun[thread], since = now() - begun;

	if (!begun)
		return false;
	if (shared->stuck[shared->current[thread]] || since >= LONG_NS)
		return true;
	return since >= TURN_NS && is_asleep(shared->tid[thread]);
}

/* does a call of another thread, further down, have to wait for this one? */
static bool is_awaited(unsigned int at)
{
	const struct call *c = &shared->prog.calls[at];

	if (shared->done[at] || is_blocked(c->thread))
		return false;
	return ops[c->op].kind != O_AGAIN || !c->words[2].value;
}

/* not only yielding: an idle thread runs while nobody else does */
static void wait_a_moment(unsigned int *times)
{
	static const struct timespec moment = { 0, 50000 };

	if (++*times % 64)
		sched_yield();
	else
		nanosleep(&moment, NULL);
}

static void wait_turn(unsigned int at)
{
	unsigned int i, times = 0;

	for (i = 0; i < at; i++)
		if (shared->prog.calls[i].thread !=
		    shared->prog.calls[at].thread)
			while (is_awaited(i))
				wait_a_moment(&times);
}

/* how many calls to go back by, or 0 */
static unsigned int steps_back(struct thread *t, unsigned int at)
{
	const struct call *c = &shared->prog.calls[at];
	u64 back = value_of(t, &c->words[0], 0);
	u64 times = value_of(t, &c->words[1], 0);
	unsigned int i;

	t->lap = ++t->laps[at];
	if (back > N_CALLS || t->lap >= times || t->lap >= MOST_LAPS ||
	    t->steps >= MOST_STEPS || now() >= shared->end) {
		t->lap = 0;
		t->laps[at] = 0;
		return 0;
	}
	for (i = at; i && back; i--)
		back -= shared->prog.calls[i - 1].thread == t->number;
	return at - i;
}

static void make_calls(struct thread *t)
{
	const struct prog *p = &shared->prog;
	unsigned int i, back;

	for (i = 0; i < p->n; i++) {
		const struct call *c = &p->calls[i];
		bool failed = false;

		if (c->thread != t->number)
			continue;
		if (p->ordered)
			wait_turn(i);
		if (ops[c->op].kind == O_AGAIN) {
			back = steps_back(t, i);
			if (back) {
				i -= back + 1;
				continue;
			}
		}
		shared->current[t->number] = i;
		shared->begun[t->number] = now();
		/* it may not return when it is made again */
		shared->result.err[i] = -1;
		shared->result.err[i] = run_call(t, c, &failed);
		shared->result.failed[i] = failed;
		shared->begun[t->number] = 0;
		shared->stuck[i] = false;
		shared->done[i] = true;
		t->steps++;
	}
}

static void run_calls(struct thread *t)
{
	t->lap = 0;
	t->steps = 0;
	memset(t->laps, 0, sizeof(t->laps));
	shared->tid[t->number] = syscall(SYS_gettid);
	make_calls(t);
	shared->tid[t->number] = 0;
	if (t->other_fsuid)
		syscall(SYS_setfsuid, proc_of(t->number) == 1 ? UID : 0);
	t->other_fsuid = false;
	if (t->idle)
		set_idle(t, false);
	shared->running--;
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
	stall_reset();
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

static void write_map(pid_t pid, const char *what)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, what);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, NS_UIDS, strlen(NS_UIDS)) < 0)
		die(path);
	close(fd);
}

/* only a process outside can map all these; it ends when it has done so */
static void enter_namespace(void)
{
	pid_t self = getpid(), helper;
	int go[2], status;
	char c = 0;

	if (pipe(go))
		die("pipe");
	helper = fork();
	if (helper < 0)
		die("fork");
	if (!helper) {
		if (read(go[0], &c, 1) != 1)
			die("read");
		write_map(self, "uid_map");
		write_map(self, "gid_map");
		_exit(0);
	}
	if (unshare(CLONE_NEWUSER))
		die("unshare");
	if (write(go[1], &c, 1) != 1)
		die("write");
	if (waitpid(helper, &status, 0) != helper || status)
		die("the maps of the user namespace");
	close(go[0]);
	close(go[1]);
	if (setgroups(0, NULL) || setresgid(0, 0, 0) || setresuid(0, 0, 0))
		die("setresuid");
}

static void run_process(unsigned int proc)
{
	struct thread *t = &threads[first_of(proc)];
	pthread_t handle;
	unsigned int i;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	open_fail_nth(t);
	stall_open();
	if (first_of(proc) == T_NAMESPACE)
		enter_namespace();
	stall_start(proc);
	for (i = 1; !proc && i < T_USER; i++) {
		if (pthread_create(&handle, NULL, run_thread, &threads[i]))
			die("pthread_create");
		while (sem_wait(&shared->ready))
			;
	}
	first_fd = dup(0);
	close(first_fd);
	if (first_of(proc) == T_USER)
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
static bool wait_ready(unsigned int n, unsigned int seconds)
{
	u64 end = now() + seconds * 1000000000ULL;
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
		/* it does nothing yet: only the host can be slow */
		if (!wait_ready(1, START_LIMIT_S))
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
	return wait_ready(__builtin_popcount(whom), LIMIT_S);
}

bool exec_prog(const struct prog *p)
{
	unsigned int firsts = 1, whom = 0, i;

	for (i = 0; i < N_CALLS; i++) {
		shared->done[i] = false;
		shared->stuck[i] = false;
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
		firsts |= 1 << first_of(proc_of(p->calls[i].thread));
	}
	shared->alone &= whom == 1;
	for (i = 0; i < N_THREADS; i++) {
		shared->current[i] = 0;
		shared->begun[i] = 0;
		shared->fill[i] = 0;
	}
	shared->running = __builtin_popcount(whom);
	shared->end = now() + REPEAT_NS;

	if (!pids[0])
		start_processes();
	if (order(PREPARE, firsts) && order(RUN, whom) && order(CLEAN, firsts))
		return true;
	end_processes();
	return false;
}
