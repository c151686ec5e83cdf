// SPDX-License-Identifier: GPL-2.0-only
/* Calls; each returns an errno. */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec.h"

#define MOST_POOL	(16UL << 20)

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

static bool is_device(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode);
}

/* a mapping is never longer than its pool */
static bool is_whole(int fd, size_t size)
{
	u8 *p = mmap(NULL, size + PAGE, PROT_READ, MAP_SHARED, fd, 0);

	if (p == MAP_FAILED)
		return errno == EFAULT;
	munmap(p, size + PAGE);
	return false;
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
	if (!note_map(p, size)) {
		munmap(p, size);
		return EMFILE;
	}
	/* else another thread may have put another file there */
	if (shared->alone && is_device(s->fd) &&
	    !mprotect(p, size, PROT_READ | PROT_WRITE))
		exec_broken("a pool can be made writable");
	if (prot != PROT_READ || size > MOST_POOL)
		return 0;
	s->pool = p;
	s->pool_size = size;
	s->whole = is_whole(s->fd, size);
	return 0;
}

static int do_unmap(const struct call *c)
{
	struct slot *s = &slots[c->slot];
	u8 *pool = s->pool;

	s->pool = NULL;
	unmap(pool);
	return 0;
}

/* the kernel has to find the same in these pages when they are read again */
static int do_dontneed(struct thread *t, const struct call *c)
{
	const struct slot *s = &slots[c->slot];
	u64 at = value_of(t, &c->words[0], 0) & ~(PAGE - 1);
	u64 size = value_of(t, &c->words[1], 0);

	if (!s->pool || at >= s->pool_size)
		return ENXIO;
	if (size > s->pool_size - at)
		size = s->pool_size - at;
	return madvise(s->pool + at, size, MADV_DONTNEED) ? errno : 0;
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

/* by chance no longer than that; spinning, as sleeping takes much longer */
static int do_pause(struct thread *t, const struct call *c)
{
	u64 us = value_of(t, &c->words[0], 0) % 20000;
	u64 end = now() + rnd(us) * 1000ULL;

	while (now() < end)
		;
	return 0;
}

/* only the privileged come back from there */
int set_idle(struct thread *t, bool idle)
{
	struct sched_param param = { 0 };

	if (proc_of(t->number))
		return EPERM;
	t->idle = idle;
	return sched_setscheduler(0, idle ? SCHED_IDLE : SCHED_OTHER, &param) ?
	       errno : 0;
}

/* of this thread only, until the program ends */
static int do_fsuid(struct thread *t, const struct call *c)
{
	t->other_fsuid = true;
	syscall(SYS_setfsuid, (u32)value_of(t, &c->words[0], 0));
	return 0;
}

static void note_offset(const struct call *c, struct slot *s, u64 offset)
{
	s->offset = offset;
	s->offsets[s->n_offsets++ % N_OFFSETS] = offset;
	/* what lies behind a shorter mapping cannot be looked at */
	if (!shared->alone || !s->pool || !s->whole)
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

int run_call(struct thread *t, const struct call *c, bool *failed)
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
	case O_UNMAP:
		return do_unmap(c);
	case O_DONTNEED:
		return do_dontneed(t, c);
	case O_FILL:
		return stall_fill(t, value_of(t, &c->words[0], 0),
				  value_of(t, &c->words[1], 0),
				  !value_of(t, &c->words[2], 0));
	case O_UNFILL:
		return stall_unfill(t, value_of(t, &c->words[0], 0),
				    value_of(t, &c->words[1], 0));
	case O_PAUSE:
		return do_pause(t, c);
	case O_AGAIN:
		return 0;	/* exec.c */
	case O_FSUID:
		return do_fsuid(t, c);
	case O_IDLE:
		return set_idle(t, value_of(t, &c->words[0], 0));
	}
	return do_ioctl(t, c, failed);
}
