// SPDX-License-Identifier: GPL-2.0-only
/*
 * What was reached: places in the module, as kcov tells them, pairs of places one
 * after the other, and how calls ended.
 *
 * The descriptors are opened once. Threads of later processes inherit them, and
 * what the kernel writes lies in memory that all share.
 */
#include <fcntl.h>
#include <linux/kcov.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "fuzz.h"

#define BITS		(1U << 20)

bool cover_there;

static int files[N_THREADS];
static unsigned long *areas[N_THREADS];
static u8 seen[BITS / 8];
static u32 results[N_CALLS];
static unsigned int n_results, total;

static bool open_one(unsigned int thread)
{
	int fd = open("/sys/kernel/debug/kcov", O_RDWR | O_CLOEXEC);
	void *p;

	if (fd < 0 || ioctl(fd, KCOV_INIT_TRACE, COVER_WORDS))
		return false;
	p = mmap(NULL, COVER_WORDS * sizeof(unsigned long),
		 PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	files[thread] = fd;
	areas[thread] = p;
	return p != MAP_FAILED;
}

void cover_init(void)
{
	unsigned int i;

	for (i = 0; i < N_THREADS; i++)
		if (!open_one(i))
			return;
	cover_there = true;
}

void cover_start(unsigned int thread)
{
	if (cover_there)
		ioctl(files[thread], KCOV_ENABLE, KCOV_TRACE_PC);
}

void cover_reset(void)
{
	unsigned int i;

	for (i = 0; cover_there && i < N_THREADS; i++)
		areas[i][0] = 0;
	n_results = 0;
}

static u32 hash(u64 x)
{
	x *= 0x9e3779b97f4a7c15ULL;
	x ^= x >> 29;
	x *= 0xbf58476d1ce4e5b9ULL;
	return (x >> 32) % BITS;
}

void cover_result(unsigned int op, int err, bool failed)
{
	results[n_results++] = hash(1 + (op << 16 | (u32)err << 1 | failed));
}

static unsigned int count(u32 bit)
{
	if (seen[bit / 8] >> bit % 8 & 1)
		return 0;
	seen[bit / 8] |= 1 << bit % 8;
	total++;
	return 1;
}

unsigned int cover_new(void)
{
	unsigned int i, new = 0;
	unsigned long j, n;

	for (i = 0; i < n_results; i++)
		new += count(results[i]);

	for (i = 0; cover_there && i < N_THREADS; i++) {
		u64 before = 0;

		n = areas[i][0];
		if (n >= COVER_WORDS)
			n = COVER_WORDS - 1;
		for (j = 1; j <= n; j++) {
			new += count(hash(areas[i][j]));
			new += count(hash(areas[i][j] ^ before << 1));
			before = areas[i][j];
		}
	}
	return new;
}

unsigned int cover_total(void)
{
	return total;
}
