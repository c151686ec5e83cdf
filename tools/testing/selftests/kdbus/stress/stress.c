// SPDX-License-Identifier: GPL-2.0-only
/* Stress: the world, who works in it, and how it ends; see stress.h */

#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "meta-util.h"
#include "stress.h"

#define SHARED_POOL	(8 * MIB)	/* of who looks on */

const char *const st_names[ST_NAMES] = {
	"com.example.One", "com.example.Two", "com.example.Activated",
	"com.example.Steady",
};
static const uid_t uids[ST_USERS] = { 0, 1000, 1001 };

struct st_world *st;
struct bus st_bus;
__thread struct st_worker *st_me;

/* those who are there all the time */
static struct conn monitor, activators[ST_NAMES - ST_ACTIVATED];
static struct conn holders[ST_ACTIVATED];
static u64 monitor_lost;
static u32 watching;

/* ------------------------------------------------------------------------ */
/* What is told when something is wrong */

void st_trace(const char *what, u64 a, u64 b, int ret)
{
	if (st_me)
		st_me->trace[st_me->n_trace++ % ST_TRACE] = (struct st_trace){
			.what = what, .tick = st_tick(), .a = a, .b = b,
			.ret = ret,
		};
}

static void tell_trace(const struct st_worker *w)
{
	unsigned int i;

	for (i = 0; i < ST_TRACE; i++) {
		const struct st_trace *t =
			&w->trace[(w->n_trace + i) % ST_TRACE];

		if (t->what)
			kt_note("  worker %u at %llu: %s %#llx %#llx: %s",
				w->nr, t->tick, t->what, t->a, t->b,
				kt_err(t->ret));
	}
}

static unsigned int seconds(void)
{
	const char *s = getenv("STRESS_TIME");

	return s ? strtoul(s, NULL, 0) : 3;
}

void st_bad(const char *file, int line, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	kt_fail_at(file, line, "%s", buf);
	__atomic_store_n(&st->stop, 1, __ATOMIC_SEQ_CST);
	if (__atomic_exchange_n(&st->told, 1, __ATOMIC_SEQ_CST))
		return;
	kt_note("to repeat: STRESS_SEED=%u STRESS_TIME=%u kdbus-test -t stress/%s",
		st->seed, seconds(), st->profile->name);
	if (st_me)
		tell_trace(st_me);
}

/* ------------------------------------------------------------------------ */
/* Workers */

/* all workers and the process that started them */
static void barrier(unsigned int nr)
{
	__atomic_add_fetch(&st->at_barrier[nr], 1, __ATOMIC_SEQ_CST);
	while (__atomic_load_n(&st->at_barrier[nr], __ATOMIC_SEQ_CST) <=
	       ST_WORKERS && !kt->failures)
		usleep(1000);
}

static void work(struct st_worker *w)
{
	u64 end = kt_now_ms() + seconds() * 1000;

	while (!__atomic_load_n(&st->stop, __ATOMIC_SEQ_CST) &&
	       kt_now_ms() < end)
		st_op(w);
	__atomic_store_n(&st->stop, 1, __ATOMIC_SEQ_CST);
}

/* requests of a connection of which nothing has been heard */
static u64 unheard(const struct st_slot *s)
{
	u64 n = 0;
	u32 i;

	for (i = 0; i < st->n_recs; i++) {
		const struct st_rec *r = &st->recs[i];

		n += r->src == s->c.id && r->kind == ST_REQUEST && !r->ret &&
		     !r->answers && !r->timeouts && !r->deaths;
	}
	return n;
}

/* nothing is sent any more: what is still to come? */
static void settle(struct st_slot *s)
{
	u64 end = kt_now_ms() + 20000;

	do {
		usleep(ST_LONGEST * 1000 / 4);
		st_drain(s);
		st->incs[s->c.id].lost = fdinfo(&s->c, "lost:");
	} while (unheard(s) > st->incs[s->c.id].lost && kt_now_ms() < end &&
		 !kt->failures);
}

static void check_pools(struct st_worker *w)
{
	unsigned int i;

	for (i = 0; i < ST_OWN; i++) {
		struct conn *c = &w->slots[i].c;

		/* a request that timed out may have arrived just now */
		st_drain(&w->slots[i]);
		update_mask(c, 0);
		st_check(!pool_used(c), "pool of %llu: %llu bytes are used",
			 c->id, pool_used(c));
		conn_check_pool_empty(&w->slots[!i].c, c);
		st_check(fdinfo(c, "queued:") == 0, "queued");
	}
}

static void *worker(void *arg)
{
	struct st_worker *w = arg;
	unsigned int i;

	st_me = w;
	w->rand = st->seed * 7919 + w->nr * 104729 + 1;
	st->who[w->nr] = (struct st_who){
		.pid = getpid(), .tid = kt_tid(), .uid = uids[w->user],
	};
	for (i = 0; i < ST_OWN; i++) {
		w->slots[i].nr = w->nr * ST_OWN + i;
		st_open(w, &w->slots[i]);
	}
	barrier(0);
	work(w);
	barrier(1);
	for (i = 0; i < ST_OWN; i++)
		settle(&w->slots[i]);
	barrier(2);
	/* meanwhile the monitor ends */
	barrier(3);
	if (!kt->failures)
		check_pools(w);
	barrier(4);
	for (i = 0; i < ST_OWN; i++)
		conn_close(&w->slots[i].c);
	return NULL;
}

static int user(void *arg)
{
	unsigned int nr = (uintptr_t)arg, i, was;
	struct st_worker *w = calloc(ST_THREADS, sizeof(*w));
	pthread_t t[ST_THREADS];

	was = kt_count_fds();
	for (i = 0; i < ST_THREADS; i++) {
		w[i].user = nr;
		w[i].nr = nr * ST_THREADS + i;
		w[i].peer = &w[(i + 1) % ST_THREADS];
		pthread_mutex_init(&w[i].lock, NULL);
	}
	for (i = 0; i < ST_THREADS; i++)
		t[i] = kt_thread(worker, &w[i]);
	for (i = 0; i < ST_THREADS; i++)
		kt_join(t[i]);
	if (!kt->failures)
		kt_check(kt_count_fds() == was,
			 "user %u has %u descriptors instead of %u", uids[nr],
			 kt_count_fds(), was);
	return 0;
}

/* ------------------------------------------------------------------------ */
/* Those who look on, and who decides what is allowed */

static void watch_one(u64 off)
{
	const struct kdbus_msg *m = conn_msg(&monitor, off);
	u32 cookie = m->src_id ? st_look(m, true) : 0;

	if (cookie)
		__atomic_add_fetch(&st->recs[cookie - 1].seen, 1,
				   __ATOMIC_SEQ_CST);
	st_check(!conn_free(&monitor, off), "FREE by the monitor");
}

static void *watch(void *arg)
{
	u64 off;
	int ret;

	(void)arg;
	while (st->profile->watched) {
		bool last = !__atomic_load_n(&watching, __ATOMIC_SEQ_CST);

		while (!(ret = conn_recv(&monitor, &off)))
			watch_one(off);
		st_check(ret == -EAGAIN, "the monitor: %s", kt_err(ret));
		if (last)
			break;
		usleep(500);
	}
	return NULL;
}

static void *rule(void *arg)
{
	static const char *const what[] = { "w:o", "w:o", "w:t", "w:s", "" };
	u32 rand = st->seed + 99;

	(void)arg;
	while (!__atomic_load_n(&st->stop, __ATOMIC_SEQ_CST) && !kt->failures) {
		unsigned int n = kt_rand(&rand) % ST_ACTIVATED;

		kt_check_ret(conn_update(&holders[n], "%s %s", st_names[n],
					 what[kt_rand(&rand) % 5]), 0,
			     "CONN_UPDATE of a policy");
		st_check(!(fd_poll(activators[n].fd, 0) & (POLLERR | POLLHUP)),
			 "activator %u is dead", n);
		usleep(2000);
	}
	return NULL;
}

static void open_activator(struct conn *c, const char *name)
{
	struct blob b;

	hello_init(&b, KDBUS_HELLO_ACTIVATOR | KDBUS_HELLO_ACCEPT_FD,
		   SHARED_POOL);
	b.hello.attach_flags = ST_WANTED;
	blob_add_str(&b, KDBUS_ITEM_NAME, name);
	policy_access(&b, KDBUS_POLICY_ACCESS_WORLD, OWN, 0);
	conn_hello(c, &st_bus, &b);
}

static void open_observers(void)
{
	unsigned int i;
	struct blob b;

	hello_init(&b, KDBUS_HELLO_MONITOR | KDBUS_HELLO_ACCEPT_FD,
		   SHARED_POOL);
	b.hello.attach_flags = ST_WANTED;
	if (st->profile->watched)
		conn_hello(&monitor, &st_bus, &b);
	for (i = 0; i < ST_ACTIVATED; i++)
		holder_open(&holders[i], &st_bus, "%s w:o", st_names[i]);
	for (; i < ST_NAMES; i++)
		open_activator(&activators[i - ST_ACTIVATED], st_names[i]);
}

/* what nobody fetched */
static void empty_activator(struct conn *activator)
{
	u64 off;

	while (!conn_recv_flags(activator, KDBUS_RECV_PEEK, &off)) {
		u32 cookie = st_look(conn_msg(activator, off), false);

		if (!cookie)
			return;
		st_check(!st->recs[cookie - 1].got++,
			 "message %u was received, and is at the activator",
			 cookie);
		st_check(!conn_recv_flags(activator, KDBUS_RECV_DROP, NULL),
			 "DROP by the activator");
	}
	st_check(!pool_used(activator), "pool of the activator");
}

static void close_observers(void)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(activators); i++)
		conn_close(&activators[i]);
	for (i = 0; i < ARRAY_SIZE(holders); i++)
		conn_close(&holders[i]);
}

static void close_monitor(pthread_t thread)
{
	__atomic_store_n(&watching, 0, __ATOMIC_SEQ_CST);
	kt_join(thread);
	if (!st->profile->watched)
		return;
	monitor_lost = fdinfo(&monitor, "lost:");
	st_check(!pool_used(&monitor), "pool of the monitor");
	conn_close(&monitor);
}

/* ------------------------------------------------------------------------ */

static void make_world(const struct st_profile *profile)
{
	const char *seed = getenv("STRESS_SEED");

	st = mmap(NULL, sizeof(*st), PROT_READ | PROT_WRITE,
		  MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	kt_assert(st != MAP_FAILED, "mmap of %zu bytes: %m", sizeof(*st));
	st->profile = profile;
	st->seed = seed ? strtoul(seed, NULL, 0) : kt_seed;
	bus_make(&st_bus, KDBUS_MAKE_ACCESS_WORLD);
	open_observers();
	watching = 1;
}

static void tell_numbers(void)
{
	u64 failed = 0;
	unsigned int i;

	for (i = 0; i < ST_N_KINDS; i++)
		failed += st->failed[i];
	kt_note("STRESS_SEED=%u STRESS_TIME=%u: %llu operations, %llu messages received",
		st->seed, seconds(), st->ops, st->received);
	kt_note("sent %llu, %llu requests, %llu calls, %llu replies, %llu broadcasts; %llu refused or failed; the monitor lost %llu",
		st->done[ST_MESSAGE], st->done[ST_REQUEST], st->done[ST_SYNC],
		st->done[ST_REPLY], st->done[ST_CAST], failed, monitor_lost);
}

void st_run(const struct st_profile *profile)
{
	unsigned int i, fds = kt_count_fds();
	pthread_t watcher, ruler;
	pid_t pids[ST_USERS];

	make_world(profile);
	for (i = 0; i < ST_USERS; i++)
		pids[i] = kt_fork_as(uids[i], uids[i], user,
				     (void *)(uintptr_t)i);
	watcher = kt_thread(watch, NULL);
	ruler = kt_thread(rule, NULL);
	barrier(0);
	barrier(1);
	kt_join(ruler);
	barrier(2);
	close_monitor(watcher);
	for (i = 0; i < ARRAY_SIZE(activators) && !kt->failures; i++)
		empty_activator(&activators[i]);
	barrier(3);
	barrier(4);
	for (i = 0; i < ST_USERS; i++)
		kt_check(!kt_wait(pids[i]), "user %u ended badly", uids[i]);
	if (!kt->failures)
		st_verdict(profile->watched, monitor_lost);
	close_observers();
	bus_close(&st_bus);
	kt_check(kt_count_fds() == fds, "%u descriptors instead of %u",
		 kt_count_fds(), fds);
	kt_check(!path_exists(st_bus.path), "the bus is still there");
	tell_numbers();
	kt_check(st->received > 0, "nothing was received");
}
