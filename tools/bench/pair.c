// SPDX-License-Identifier: GPL-2.0
/* Two processes, one of which asks and the other answers. */
#include <err.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static void *pages(size_t size, int how)
{
	void *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       how | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		err(1, "mmap");
	return p;
}

__attribute__((noreturn))
static void serve(struct pair *pair, int ready)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* not a copy that the first writer still has to make */
	memset(pair->out, 2, pair->size);
	memset(pair->in, 0, pair->size);
	pair->way->server(pair);
	must(write(ready, "", 1));
	for (;;)
		pair->way->serve(pair);
}

pid_t pair_open(struct pair *pair, const struct way *way, size_t size)
{
	int ready[2];
	pid_t pid;
	char c;

	*pair = (struct pair){
		.way	= way,
		.size	= size,
		.out	= pages(size, MAP_PRIVATE),
		.in	= pages(size, MAP_PRIVATE),
		.shared	= pages(4096, MAP_SHARED),
	};
	if (way->prepare)
		way->prepare(pair);

	must(pipe(ready));
	pid = must(fork());
	if (pid == 0)
		serve(pair, ready[1]);

	close(ready[1]);
	if (read(ready[0], &c, 1) != 1)
		errx(1, "%s: no server", way->name);
	close(ready[0]);

	memset(pair->out, 1, size);
	memset(pair->in, 0, size);
	if (way->client)
		way->client(pair);
	return pid;
}

void pair_close(struct pair *pair, pid_t server)
{
	must(kill(server, SIGKILL));
	must(waitpid(server, NULL, 0));
	munmap(pair->out, pair->size);
	munmap(pair->in, pair->size);
	munmap(pair->shared, 4096);
}

static void call(void *arg)
{
	struct pair *pair = arg;

	pair->way->call(pair);
}

double pair_measure(struct pair *pair)
{
	return measure(call, pair);
}
