// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory that stalls: whatever reads or writes a page of it waits until the page
 * is filled. A thread in each process is told of such accesses, by a userfaultfd,
 * and fills what nobody has filled for too long, or what nobody is left to fill.
 */

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <linux/userfaultfd.h>

#include "exec.h"

#define SIZE		(N_THREADS * STALL_PAGES * PAGE)
#define POLL_MS		2
#define BEFORE		64	/* bytes of an argument in its first page */
#define ALL		(1U << STALL_PAGES)

static u8 *stalls;		/* STALL_PAGES for each thread */
static u8 *contents;		/* what they are filled with */
static int wakes[N_PROCS];	/* eventfds: another process wants to fill some */
static int uffd = -1;		/* of this process */
static unsigned int self;

static size_t page_at(unsigned int thread, unsigned int page)
{
	return (thread * STALL_PAGES + page) * PAGE;
}

void stall_init(void)
{
	unsigned int i;

	stalls = map(SIZE, MAP_PRIVATE);
	contents = map(SIZE, MAP_PRIVATE);
	for (i = 0; i < SIZE; i++)
		contents[i] = i * 11;
	for (i = 0; i < N_PROCS; i++) {
		wakes[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		if (wakes[i] < 0)
			die("eventfd");
	}
}

/* without it, such memory is there at once */
void stall_open(void)
{
	struct uffdio_api api = {
		.api = UFFD_API,
		.features = UFFD_FEATURE_THREAD_ID,
	};
	struct uffdio_register reg = {
		.range = { (uintptr_t)stalls, SIZE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC | O_NONBLOCK);
	if (uffd < 0) {
		printf("# no userfaultfd: nothing stalls\n");
		return;
	}
	if (ioctl(uffd, UFFDIO_API, &api) ||
	    ioctl(uffd, UFFDIO_REGISTER, &reg))
		die("userfaultfd");
}

/* that nobody reads anything of it any more is up to the caller */
void stall_reset(void)
{
	unsigned int i, j;

	madvise(stalls, SIZE, MADV_DONTNEED);
	for (i = 0; i < N_THREADS; i++)
		for (j = 0; proc_of(i) == self && j < STALL_PAGES; j++)
			shared->since[i][j] = 0;
}

static void fill(unsigned int thread, unsigned int page)
{
	size_t at = page_at(thread, page);
	struct uffdio_copy copy = {
		.dst = (uintptr_t)stalls + at,
		.src = (uintptr_t)contents + at,
		.len = PAGE,
	};

	/* most pages nobody has waited for; some are there already */
	ioctl(uffd, UFFDIO_COPY, &copy);
}

/* a task that waits for the page does so no longer, as far as order goes */
static void note_filled(unsigned int thread, unsigned int page, bool await)
{
	if (!atomic_exchange(&shared->since[thread][page], 0))
		return;
	/* so that others see it asleep, or wait for it as if it began now */
	if (shared->begun[thread])
		shared->begun[thread] = await ? now() : 1;
	shared->stuck[shared->current[thread]] = false;
}

static u32 pages_meant(u64 page)
{
	return page < STALL_PAGES ? 1U << page : ALL - 1;
}

int stall_fill(const struct thread *t, u64 thread, u64 page, bool await)
{
	u32 pages = pages_meant(page);
	u64 one = 1;
	unsigned int i;

	thread %= N_THREADS;
	for (i = 0; i < STALL_PAGES; i++) {
		if (!(pages >> i & 1))
			continue;
		note_filled(thread, i, await);
		if (proc_of(thread) == proc_of(t->number))
			fill(thread, i);
	}
	if (proc_of(thread) == proc_of(t->number))
		return 0;
	shared->fill[thread] |= pages;
	return write(wakes[proc_of(thread)], &one, sizeof(one)) < 0 ? errno : 0;
}

int stall_unfill(const struct thread *t, u64 thread, u64 page)
{
	thread %= N_THREADS;
	if (proc_of(thread) != proc_of(t->number))
		return EXDEV;
	if (page >= STALL_PAGES)
		return madvise(stalls + page_at(thread, 0), STALL_PAGES * PAGE,
			       MADV_DONTNEED) ? errno : 0;
	return madvise(stalls + page_at(thread, page), PAGE,
		       MADV_DONTNEED) ? errno : 0;
}

void *stall_address(const struct thread *t, u64 at)
{
	return stalls + page_at(t->number, 0) + at % (STALL_PAYLOAD * PAGE);
}

/* most of it is in the second page, and is waited for once more */
void *stall_argument(const struct thread *t, size_t size)
{
	size_t start = page_at(t->number, STALL_PAYLOAD);

	madvise(stalls + start, (STALL_PAGES - STALL_PAYLOAD) * PAGE,
		MADV_DONTNEED);
	start += PAGE - BEFORE;
	memcpy(contents + start, t->text, size);
	return stalls + start;
}

/* ------------------------------------------------------------------------ */
/* The thread that is told */

static void note_fault(const struct uffd_msg *msg)
{
	size_t at = msg->arg.pagefault.address - (uintptr_t)stalls;
	unsigned int page = at / PAGE, i;
	u64 zero = 0;

	if (msg->event != UFFD_EVENT_PAGEFAULT || at >= SIZE)
		return;
	/* one that was interrupted comes again */
	atomic_compare_exchange_strong(&shared->since[page / STALL_PAGES]
				       [page % STALL_PAGES], &zero, now());
	for (i = 0; i < N_THREADS; i++)
		if (shared->tid[i] == (int)msg->arg.pagefault.feat.ptid)
			shared->stuck[shared->current[i]] = true;
}

static void fill_for_others(void)
{
	unsigned int i, j, pages;
	u64 count;

	if (read(wakes[self], &count, sizeof(count)) < 0)
		return;
	for (i = 0; i < N_THREADS; i++) {
		if (proc_of(i) != self)
			continue;
		pages = atomic_exchange(&shared->fill[i], 0);
		for (j = 0; j < STALL_PAGES; j++)
			if (pages >> j & 1)
				fill(i, j);
	}
}

static bool nobody_goes_on(void)
{
	int i, stuck = 0;

	for (i = 0; i < N_THREADS; i++)
		stuck += shared->tid[i] && shared->stuck[shared->current[i]];
	return stuck >= shared->running;
}

/* returns whether there are some that are not overdue */
static bool fill_overdue(void)
{
	bool all = nobody_goes_on(), left = false;
	unsigned int i, j;

	for (i = 0; i < N_THREADS; i++) {
		if (proc_of(i) != self)
			continue;
		for (j = 0; j < STALL_PAGES; j++) {
			u64 since = shared->since[i][j];

			if (!since)
				continue;
			if (!all && now() - since < STALL_LONGEST_NS) {
				left = true;
				continue;
			}
			note_filled(i, j, false);
			fill(i, j);
		}
	}
	return left;
}

static void *run_filler(void *arg)
{
	struct pollfd fds[] = {
		{ .fd = uffd, .events = POLLIN },
		{ .fd = wakes[self], .events = POLLIN },
	};
	struct uffd_msg msg;
	bool left = false;

	for (;;) {
		poll(fds, ARRAY_SIZE(fds), left ? POLL_MS : -1);
		while (read(uffd, &msg, sizeof(msg)) == sizeof(msg))
			note_fault(&msg);
		fill_for_others();
		left = fill_overdue();
	}
	return arg;
}

void stall_start(unsigned int proc)
{
	pthread_t handle;

	self = proc;
	if (uffd >= 0 && pthread_create(&handle, NULL, run_filler, NULL))
		die("pthread_create");
}
