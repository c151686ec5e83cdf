// SPDX-License-Identifier: GPL-2.0-only
/* Memory of those who run programs; see exec.h. */

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "exec.h"

#define BUFFER_SIZE	(4UL << 20)
#define MOST_MAPS	64

const char *module = "kdbus";
const struct result *result;

struct shared *shared;
struct slot slots[N_SLOTS];
struct thread threads[N_THREADS];
u8 *buffer, *scratch;

static struct {
	void *p;
	size_t size;
} maps[MOST_MAPS];
static unsigned int n_maps;

void die(const char *what)
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

u64 now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* the page behind it is not to be touched */
void *map(size_t size, int flags)
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
	stall_init();
}

static pthread_mutex_t maps_lock = PTHREAD_MUTEX_INITIALIZER;

bool note_map(void *p, size_t size)
{
	bool room;

	pthread_mutex_lock(&maps_lock);
	room = n_maps < MOST_MAPS;
	if (room) {
		maps[n_maps].p = p;
		maps[n_maps++].size = size;
	}
	pthread_mutex_unlock(&maps_lock);
	return room;
}

void unmap(void *p)
{
	unsigned int i;

	pthread_mutex_lock(&maps_lock);
	for (i = 0; i < n_maps; i++)
		if (maps[i].p == p)
			break;
	if (i < n_maps) {
		munmap(p, maps[i].size);
		maps[i] = maps[--n_maps];
	}
	pthread_mutex_unlock(&maps_lock);
}

void unmap_all(void)
{
	while (n_maps) {
		n_maps--;
		munmap(maps[n_maps].p, maps[n_maps].size);
	}
}
