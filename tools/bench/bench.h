/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kdbus-bench: what an operation costs, one line "NAME NANOSECONDS" each. In a
 * machine whose clock counts instructions a nanosecond is an instruction.
 *
 * Each measurement is a process of its own: what one breaks or leaves behind
 * does not reach the next.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <time.h>

#include <linux/kdbus.h>

#define KIB		1024UL
#define MIB		(1024UL * 1024UL)
#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

/**
 * struct pair - two processes that talk
 * @way:	How
 * @size:	Bytes of a request and of the answer to it
 * @out:	What to send, @size bytes, in both processes
 * @in:		Where to receive, where the kernel wants to be told
 * @shared:	A page that both see
 * @server:	In the page: what the client has to know of the server
 */
struct pair {
	const struct way *way;
	size_t size;
	uint8_t *out;
	uint8_t *in;
	union {
		void *shared;
		uint64_t *server;
	};
};

/**
 * struct way - a way to talk
 * @name:	Name of the measurement; the size is appended to it
 * @max:	Longest size there is, or that says something
 * @variant:	For the functions
 * @prepare:	Before there are two processes
 * @server:	Begins to serve, in the child
 * @serve:	Waits for a request and answers it
 * @client:	Gets ready to ask, when the server is
 * @call:	Asks, and waits for the answer
 *
 * Nobody looks at a payload but at its first and last byte, see touch(). What is
 * sent is what had been put there before the first call.
 */
struct way {
	const char *name;
	size_t max;
	int variant;
	void (*prepare)(struct pair *pair);
	void (*server)(struct pair *pair);
	void (*serve)(struct pair *pair);
	void (*client)(struct pair *pair);
	void (*call)(struct pair *pair);
};

/**
 * struct job - a measurement that is not one of a pair
 * @name:	Begin of its names
 * @run:	Measures and says result()
 */
struct job {
	const char *name;
	void (*run)(void);
};

/* What was asked for on the command line. */
struct options {
	const char *module;
	uint64_t warm_ns;
	uint64_t batch_ns;
	unsigned int batches;
	bool forever;
};

extern const struct options *const options;

extern const struct way unix_ways[], binder_ways[], dbus_ways[], kdbus_ways[];
extern const struct way lib_ways[];
extern const struct job kdbus_jobs[], scale_jobs[], cross_jobs[], pairs_jobs[];

/* Ends the process with a message if @r is negative, as errno says. */
#define must(r) must_be((r), #r)
long must_be(long r, const char *what);

/* Ends the process: the measurement is not possible here. */
__attribute__((noreturn, format(printf, 1, 2)))
void not_offered(const char *fmt, ...);

__attribute__((format(printf, 2, 3)))
void result(double ns, const char *fmt, ...);

static inline uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* All receivers do this, so that none gets away without having the bytes. */
static inline void touch(const volatile uint8_t *data, size_t size)
{
	(void)data[0];
	(void)data[size - 1];
}

/* From now on, the process and its children. */
void run_on(unsigned int cpu);

double median(double *values, unsigned int n);

/* What a call of @fn costs: the median of batches of calls. */
__attribute__((noreturn))
void forever(void (*fn)(void *), void *arg);
double measure(void (*fn)(void *), void *arg);

/*
 * Starts the server; to be followed by calls. Returns the pid of the server, which
 * dies with the caller.
 */
pid_t pair_open(struct pair *pair, const struct way *way, size_t size);
void pair_close(struct pair *pair, pid_t server);
double pair_measure(struct pair *pair);

#endif
