// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs programs, in two processes that stay as long as programs end by
 * themselves. Between programs all that was opened is closed.
 */

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define BUFFER_SIZE	(4UL << 20)	/* of payload; nothing is behind it */
#define AREA_SIZE	(64UL << 10)	/* of one argument */
#define PAGE		4096UL
#define UID		1000
#define LIMIT_S		2		/* of a program */
#define KICK_NS		60000000	/* of a call, unless it goes on */
#define TURN_NS		2000000ULL	/* of a call, when order counts */
#define MOST_POOL	(16UL << 20)
#define MOST_MAPS	N_CALLS
#define BUS_FD		900		/* out of the way of what is closed */

const char *module = "kdbus";

/* between all processes */
struct shared {
	struct result result;
	struct prog prog;
	bool alone;		/* one thread makes all calls */
	int order;
	sem_t go[N_THREADS];
	sem_t ready;
	u64 id[N_PROCS][N_SLOTS];
	atomic_int tid[N_THREADS];
	atomic_bool done[N_CALLS];
};

struct slot {
	int fd;
	u8 *pool;
	size_t pool_size;
	u64 offset;
};

/* of one process */
static struct shared *shared;
static struct slot slots[N_SLOTS];
static u8 *buffer;
static u8 *scratch;		/* arguments of all threads at once */
static struct {
	void *p;
	size_t size;
} maps[MOST_MAPS];
static unsigned int n_maps;
static int first_fd;		/* all before it stay open */

struct thread {
	unsigned int number;
	int fail_nth;
	u8 *area, *constant;
	u64 text[AREA_SIZE / 8];	/* an argument in the making */
};

static struct thread threads[N_THREADS];

const struct result *result;

static void die(const char *what)
{
	perror(what);
	exit(2);
}

void exec_broken(const char *fmt, ...)
{
	char text[sizeof(shared->result.broken)];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	if (!shared->result.broken[0])
		strcpy(shared->result.broken, text);
}

static u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* the page behind it is not to be touched */
static void *map(size_t size, int flags)
{
	u8 *p;

	size = (size + PAGE - 1) & ~(PAGE - 1);
	p = mmap(NULL, size + PAGE, PROT_READ | PROT_WRITE,
		 MAP_ANONYMOUS | flags, -1, 0);
	if (p == MAP_FAILED || mprotect(p + size, PAGE, PROT_NONE))
		die("mmap");
	return p;
}

static void kicked(int sig)
{
	(void)sig;
}

void exec_init(void)
{
	struct sigaction sa = { .sa_handler = kicked };
	unsigned int i;

	shared = map(sizeof(*shared), MAP_SHARED);
	result = &shared->result;
	buffer = map(BUFFER_SIZE, MAP_PRIVATE);
	for (i = 0; i < 2 * PAGE; i++)
		buffer[i] = i * 7;
	scratch = map(AREA_SIZE, MAP_PRIVATE);
	for (i = 0; i < N_THREADS; i++) {
		threads[i].number = i;
		threads[i].area = map(AREA_SIZE, MAP_PRIVATE);
		threads[i].constant = map(AREA_SIZE, MAP_PRIVATE);
	}
	sigaction(SIGUSR1, &sa, NULL);
}

/* ------------------------------------------------------------------------ */
/* Arguments */

static u64 id_of(const struct thread *t, u64 slot)
{
	unsigned int proc = proc_of(t->number);

	return shared->id[proc][slot % N_SLOTS] ?:
	       shared->id[!proc][slot % N_SLOTS];
}

static u64 value_of(const struct thread *t, const struct word *w, size_t size)
{
	switch (w->kind) {
	case W_SIZE:
		return size;
	case W_ID:
		return id_of(t, w->value);
	case W_ADDR:
		return (uintptr_t)buffer + w->value;
	case W_FD:
		/* the rest of the word is padding */
		return (u32)slots[w->value % N_SLOTS].fd;
	case W_OFFSET:
		return slots[w->value % N_SLOTS].offset;
	case W_SOON:
		return now() + w->value;
	}
	return w->value;
}

static size_t str_size(const struct item *item)
{
	size_t n = strlen(item->str);

	if (!item->has_str)
		return 0;
	if (item->length > n)
		n = item->length;
	return n + !item->no_nul;
}

static size_t payload_size(const struct item *item)
{
	const struct item_info *info = item_info(item->type);

	return item->n * (info && info->half ? 4 : 8) + str_size(item);
}

/* fills what @p has room for */
static void put_payload(const struct thread *t, u8 *p, const struct item *item)
{
	const struct item_info *info = item_info(item->type);
	size_t size = info && info->half ? 4 : 8, n = strlen(item->str);
	unsigned int i;

	for (i = 0; i < item->n; i++, p += size) {
		u64 value = value_of(t, &item->words[i], 0);

		memcpy(p, &value, size);
	}
	if (!item->has_str)
		return;
	memcpy(p, item->str, n);
	if (item->length > n)
		memset(p + n, 'x', item->length - n);
}

static size_t build(struct thread *t, const struct call *c)
{
	size_t at = c->n_words * 8, end = at;
	unsigned int i, j;

	for (i = 0; i < c->n_items; i++) {
		const struct item *item = &c->items[i];
		size_t size = 16 + payload_size(item);

		for (j = 0; j < item->repeat; j++) {
			if (at + size + 8 > AREA_SIZE)
				break;
			memset(&t->text[at / 8], 0, size + 8);
			t->text[at / 8] = size + item->delta;
			t->text[at / 8 + 1] = item->type;
			put_payload(t, (u8 *)&t->text[at / 8 + 2], item);
			end = at + size + item->delta;
			at += (size + item->delta + 7) & ~7UL;
			if (at >= AREA_SIZE)
				at = AREA_SIZE - 8;
		}
	}
	if (end > AREA_SIZE)
		end = AREA_SIZE;
	for (i = 0; i < c->n_words; i++)
		t->text[i] = value_of(t, &c->words[i], end);
	return end;
}

static void *place(struct thread *t, const struct call *c, size_t size)
{
	size_t room = (size + 7) & ~7UL;
	u8 *p = t->area;

	switch (c->place) {
	case P_NULL:
		return NULL;
	case P_GUARD:
		p = t->area + AREA_SIZE - room;
		break;
	case P_CUT:
		p = t->area + AREA_SIZE - room + 8;
		size = room < 8 ? 0 : room - 8;
		break;
	case P_ODD:
		p = t->area + 4;
		if (size > AREA_SIZE - 4)
			size = AREA_SIZE - 4;
		break;
	case P_CONST:
		p = t->constant;
		mprotect(p, AREA_SIZE, PROT_READ | PROT_WRITE);
		break;
	case P_SHARED:
		p = scratch;
	}
	memcpy(p, t->text, size);
	if (c->place == P_CONST)
		mprotect(p, AREA_SIZE, PROT_READ);
	return p;
}

/* ------------------------------------------------------------------------ */
/* Faults */

static void set_fail(struct thread *t, unsigned int n)
{
	char text[16];
	int len = snprintf(text, sizeof(text), "%u", n);

	if (t->fail_nth >= 0 && pwrite(t->fail_nth, text, len, 0) != len)
		exec_broken("cannot write to fail-nth: %s", strerror(errno));
}

/* reading and writing can be what fails, too */
static bool end_fail(struct thread *t)
{
	char text[16] = "";

	if (t->fail_nth < 0)
		return false;
	if (pread(t->fail_nth, text, sizeof(text) - 1, 0) > 0 && !atoi(text))
		return true;
	while (pwrite(t->fail_nth, "0", 1, 0) != 1 && errno != EINVAL)
		;
	return false;
}

/* ------------------------------------------------------------------------ */
/* Calls; each returns an errno */

static int do_open(struct thread *t, const struct call *c)
{
	static const char *const endpoints[] = { "bus", "0-e1", "e2", "1000-e3" };
	u64 which = value_of(t, &c->words[0], 0);
	struct slot *s = &slots[c->slot];
	char path[128];

	if (ops[c->op].kind == O_OPEN_CONTROL)
		snprintf(path, sizeof(path), which ? "/dev/%s/domain/x/control" :
			 "/dev/%s/control", module);
	else
		snprintf(path, sizeof(path), "/dev/%s/0-fuzz/%s", module,
			 endpoints[which % ARRAY_SIZE(endpoints)]);
	*s = (struct slot){ .fd = -1 };
	s->fd = open(path, O_RDWR | O_CLOEXEC |
		     (which & 2 ? O_NONBLOCK : 0));
	return s->fd < 0 ? errno : 0;
}

static void note_map(void *p, size_t size)
{
	static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

	pthread_mutex_lock(&lock);
	maps[n_maps].p = p;
	maps[n_maps++].size = size;
	pthread_mutex_unlock(&lock);
}

static bool is_device(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode);
}

static int do_mmap(struct thread *t, const struct call *c)
{
	struct slot *s = &slots[c->slot];
	u64 size = value_of(t, &c->words[0], 0);
	int prot = value_of(t, &c->words[1], 0) & (PROT_READ | PROT_WRITE);
	u8 *p;

	p = mmap(NULL, size, prot, MAP_SHARED, s->fd, 0);
	if (p == MAP_FAILED)
		return errno;
	note_map(p, size);
	/* else another thread may have put another file there */
	if (shared->alone && is_device(s->fd) &&
	    !mprotect(p, size, PROT_READ | PROT_WRITE))
		exec_broken("a pool can be made writable");
	if (prot != PROT_READ || size > MOST_POOL)
		return 0;
	s->pool = p;
	s->pool_size = size;
	return 0;
}

static int do_memfd(struct thread *t, const struct call *c)
{
	struct slot *s = &slots[c->slot];

	*s = (struct slot){ .fd = -1 };
	s->fd = memfd_create("fuzz", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (s->fd < 0)
		return errno;
	if (ftruncate(s->fd, value_of(t, &c->words[0], 0) % (8UL << 20)) ||
	    fcntl(s->fd, F_ADD_SEALS, value_of(t, &c->words[1], 0) & 0xf))
		return errno;
	return 0;
}

static int do_pipe(const struct call *c)
{
	unsigned int next = c->slot % (N_SLOTS - 1) + 1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC))
		return errno;
	slots[c->slot] = (struct slot){ .fd = fds[0] };
	slots[next] = (struct slot){ .fd = fds[1] };
	return 0;
}

static int do_poll(struct thread *t, const struct call *c)
{
	struct pollfd p = { slots[c->slot].fd, POLLIN | POLLOUT, 0 };
	int r = poll(&p, 1, value_of(t, &c->words[0], 0) & 3);

	return r < 0 ? errno : 0;
}

static int do_kick(struct thread *t, const struct call *c)
{
	u64 whom = value_of(t, &c->words[0], 0) % N_THREADS;
	int tid = shared->tid[whom];

	return !tid || syscall(SYS_tkill, tid, SIGUSR1) ? ESRCH : 0;
}

static int do_scribble(struct thread *t, const struct call *c)
{
	u64 i, rounds = value_of(t, &c->words[0], 0) % 4000;

	for (i = 0; i < rounds; i++)
		((volatile u64 *)scratch)[rnd(32)] = rnd(2) ? rnd(300) : ~0ULL;
	return 0;
}

static void note_offset(const struct call *c, struct slot *s, u64 offset)
{
	s->offset = offset;
	if (!shared->alone || !s->pool)
		return;
	switch (ops[c->op].nr) {
	case KDBUS_CMD_MSG_SEND:
	case KDBUS_CMD_MSG_RECV:
		pool_check_msg(s->pool, s->pool_size, offset);
		break;
	case KDBUS_CMD_NAME_LIST:
		pool_check_list(s->pool, s->pool_size, offset);
		break;
	default:
		pool_check_info(s->pool, s->pool_size, offset);
	}
}

/* @offset is written only if it means something */
static bool tells_offset(const struct call *c, const u64 *arg)
{
	switch (ops[c->op].nr) {
	case KDBUS_CMD_MSG_SEND:
		return arg[8] != KDBUS_OFFSET_NONE &&
		       arg[1] & (KDBUS_MSG_FLAGS_SYNC_REPLY |
				 KDBUS_MSG_EXT_RECV);
	case KDBUS_CMD_MSG_RECV:
		return !(arg[0] & KDBUS_RECV_DROP);
	}
	return ops[c->op].offset;
}

static void note_success(struct thread *t, const struct call *c, u64 *arg)
{
	const struct op_info *op = &ops[c->op];
	struct slot *s = &slots[c->slot];

	if (op->nr == KDBUS_CMD_HELLO && c->n_words > op->id)
		shared->id[proc_of(t->number)][c->slot] = arg[op->id];
	if (op->offset && c->n_words > op->offset && tells_offset(c, arg))
		note_offset(c, s, arg[op->offset]);
}

static int do_ioctl(struct thread *t, const struct call *c, bool *failed)
{
	size_t size = build(t, c);
	u64 *arg = place(t, c, size);
	int r, err;

	if (c->fail)
		set_fail(t, c->fail);
	r = ioctl(slots[c->slot].fd, ops[c->op].nr, arg);
	err = r < 0 ? errno : 0;
	if (c->fail)
		*failed = end_fail(t);

	if (r > 0)
		exec_broken("%s returned %d", ops[c->op].name, r);
	if (err > 133)
		exec_broken("%s ended with errno %d", ops[c->op].name, err);
	if (!err && (c->place == P_PLAIN || c->place == P_GUARD))
		note_success(t, c, arg);
	return err;
}

static int run_call(struct thread *t, const struct call *c, bool *failed)
{
	struct slot *s = &slots[c->slot];

	switch (ops[c->op].kind) {
	case O_OPEN_CONTROL:
	case O_OPEN_BUS:
		return do_open(t, c);
	case O_CLOSE:
		return close(s->fd) ? errno : 0;
	case O_DUP:
		slots[value_of(t, &c->words[0], 0) % N_SLOTS] =
			(struct slot){ .fd = dup(s->fd) };
		return 0;
	case O_MMAP:
		return do_mmap(t, c);
	case O_POLL:
		return do_poll(t, c);
	case O_MEMFD:
		return do_memfd(t, c);
	case O_PIPE:
		return do_pipe(c);
	case O_KICK:
		return do_kick(t, c);
	case O_SCRIBBLE:
		return do_scribble(t, c);
	}
	return do_ioctl(t, c, failed);
}

/* ------------------------------------------------------------------------ */
/* Threads and processes */

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
	while (n_maps) {
		n_maps--;
		munmap(maps[n_maps].p, maps[n_maps].size);
	}
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
