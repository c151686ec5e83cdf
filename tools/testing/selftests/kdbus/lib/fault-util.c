// SPDX-License-Identifier: GPL-2.0-only
/* Faults at each place in turn: see fault-util.h */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "fault-util.h"
#include "meta-util.h"

#define MOST_FAULTS	3000

static int nth_file = -1;
/*
 * Of the main thread: once a fault was injected, all further allocations fail,
 * but no further accesses to user memory. Fails who tries a second time.
 */
static int flood_file = -1;
static bool flood;

/* ------------------------------------------------------------------------ */
/* Injection */

int fault_file(void)
{
	int fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);

	kt_assert(fd >= 0, "fail-nth: %m");
	return fd;
}

void fault_arm(int file, unsigned int n)
{
	char buf[16];
	int len = snprintf(buf, sizeof(buf), "%u", n);

	if (flood && n)
		kt_assert(pwrite(flood_file, "1", 1, 0) == 1,
			  "make-it-fail: %m");
	kt_assert(pwrite(file, buf, len, 0) == len, "fail-nth: %m");
}

/* reading and writing count themselves, and may be what fails */
bool fault_disarm(int file)
{
	char buf[16] = "";
	ssize_t n = pread(file, buf, sizeof(buf) - 1, 0);

	while (flood && pwrite(flood_file, "0", 1, 0) != 1)
		;
	if (n > 0 && atoi(buf) == 0)
		return true;
	while (pwrite(file, "0", 1, 0) != 1)
		;
	return false;
}

static void need_knob(const char *dir, const char *knob, const char *value)
{
	char path[96];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", dir, knob);
	if (!kt_write_file(path, value))
		kt_skip("no fault injection in this kernel, or no debugfs: %s",
			path);
}

bool fault_flood(bool on)
{
	static const char * const dirs[] = { "failslab", "fail_page_alloc" };
	unsigned int i;

	/* the kernel traces the stack when vmalloc() fails */
	if (on && getenv("FAULT_ONCE"))
		return false;
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		need_knob(dirs[i], "task-filter", "Y");
		need_knob(dirs[i], "times", on ? "1000000000" : "1");
		need_knob(dirs[i], "interval", "1");
		need_knob(dirs[i], "space", "0");
		need_knob(dirs[i], "probability", on ? "100" : "0");
	}
	flood = on;
	return true;
}

void fault_need(void)
{
	static const char * const dirs[] = {
		"failslab", "fail_page_alloc", "fail_usercopy",
	};
	/* 2: stack traces of all faults in the kernel log */
	const char *verbose = getenv("FAULT_VERBOSE") ?: "0";
	unsigned int i;

	if (access("/proc/thread-self/fail-nth", W_OK))
		kt_skip("no fault injection in this kernel: no fail-nth");
	for (i = 0; i < ARRAY_SIZE(dirs); i++) {
		need_knob(dirs[i], "probability", "0");
		need_knob(dirs[i], "verbose", verbose);
	}
	need_knob("failslab", "ignore-gfp-wait", "N");
	need_knob("fail_page_alloc", "ignore-gfp-wait", "N");
	need_knob("fail_page_alloc", "ignore-gfp-highmem", "N");
	need_knob("fail_page_alloc", "min-order", "0");
	fault_flood(false);
	nth_file = fault_file();
	flood_file = open("/proc/thread-self/make-it-fail", O_RDWR | O_CLOEXEC);
	kt_assert(flood_file >= 0, "make-it-fail: %m");
}

bool fault_explains(unsigned int errs, int ret)
{
	return (ret == -ENOMEM && errs & CAN_MEM) ||
	       (ret == -EFAULT && errs & CAN_FAULT) ||
	       (ret == -ENOBUFS && errs & CAN_BUFS);
}

/* ------------------------------------------------------------------------ */
/* What there is */

static void snap_names(struct fault_world *w, struct fault_snap *s)
{
	const struct kdbus_name_list *l;
	u64 off;

	kt_assert_ret(name_list(&w->watch, KT_MASK_NAME_LIST, &off), 0,
		      "NAME_LIST");
	l = (const void *)(w->watch.pool + off);
	kt_assert(l->size <= sizeof(s->names), "list of %llu", l->size);
	s->size = l->size;
	memcpy(s->names, l, l->size);
	kt_assert_ret(conn_free(&w->watch, off), 0, "FREE");
}

static void snap_conn(struct fault_snap *s, unsigned int i,
		      const struct conn *c)
{
	if (!c->pool)
		return;
	s->c[i].used = fdinfo(c, "pool-used:");
	s->c[i].queued = fdinfo(c, "queued:");
	s->c[i].arrivals = fdinfo(c, "arrivals:");
}

void fault_snap(struct fault_world *w, struct fault_snap *s)
{
	unsigned int i;

	memset(s, 0, sizeof(*s));
	if (w->watch.pool)
		snap_names(w, s);
	for (i = 0; i < FAULT_CONNS; i++)
		snap_conn(s, i, &w->c[i]);
	snap_conn(s, FAULT_CONNS, &w->watch);
	s->fds = kt_count_fds();
	s->lowest = dup(STDOUT_FILENO);
	kt_assert(s->lowest >= 0, "dup: %m");
	close(s->lowest);
}

void fault_compare(struct fault_world *w, const struct fault_snap *s, bool all,
		   const char *name, unsigned int n, const char *when)
{
	static struct fault_snap now;
	unsigned int i;

	fault_snap(w, &now);
	kt_check(now.fds == s->fds && now.lowest == s->lowest,
		 "%s, fault %u, %s: %u descriptors, %d is free, not %u, %d",
		 name, n, when, now.fds, now.lowest, s->fds, s->lowest);
	for (i = 0; i <= FAULT_CONNS; i++) {
		kt_check(now.c[i].used == s->c[i].used &&
			 now.c[i].queued == s->c[i].queued,
			 "%s, fault %u, %s: connection %u: %llu bytes in %llu messages, not %llu in %llu",
			 name, n, when, i, now.c[i].used, now.c[i].queued,
			 s->c[i].used, s->c[i].queued);
		kt_check(!all || now.c[i].arrivals == s->c[i].arrivals,
			 "%s, fault %u, %s: connection %u: %llu more came",
			 name, n, when, i,
			 now.c[i].arrivals - s->c[i].arrivals);
	}
	if (all)
		kt_check(now.size == s->size &&
			 !memcmp(now.names, s->names, s->size),
			 "%s, fault %u, %s: connections and names changed",
			 name, n, when);
}

/* ------------------------------------------------------------------------ */
/* The world */

void fault_open(struct fault_world *w, unsigned int i, uid_t uid, u64 flags,
		u64 attach)
{
	struct conn *c = &w->c[i];

	memset(c, 0, sizeof(*c));
	kt_become(uid);
	kt_assert_ret(conn_try_open(c, &w->bus, flags, FAULT_POOL), 0, "HELLO");
	kt_become(0);
	if (attach)
		update_mask(c, attach);
}

void fault_close(struct fault_world *w, unsigned int i)
{
	conn_close(&w->c[i]);
	memset(&w->c[i], 0, sizeof(w->c[i]));
}

/* all notifications, but no broadcasts, which would bring files along */
static void match_notes(struct conn *c)
{
	static const u64 types[] = {
		KDBUS_ITEM_NAME_ADD, KDBUS_ITEM_NAME_REMOVE,
		KDBUS_ITEM_NAME_CHANGE,
	};
	struct blob b;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(types); i++) {
		match_init(&b, 0, 0);
		rule_name_change(&b, types[i], ANY, ANY, NULL);
		kt_assert_ret(match_add(c, &b), 0, "MATCH_ADD");
	}
	for (i = 0; i < 2; i++) {
		match_init(&b, 0, 0);
		rule_id_change(&b, i ? KDBUS_ITEM_ID_ADD : KDBUS_ITEM_ID_REMOVE,
			       ANY);
		kt_assert_ret(match_add(c, &b), 0, "MATCH_ADD");
	}
}

void fault_world(struct fault_world *w)
{
	memset(w, 0, sizeof(*w));
	w->fd = -1;
	fault_need();
	bus_of(&w->bus, FAULT_OWNER);
	/* credentials changed, or will: keep what is in /proc/self readable */
	kt_assert(!prctl(PR_SET_DUMPABLE, 1), "PR_SET_DUMPABLE: %m");
	conn_open(&w->watch, &w->bus, FAULT_POOL);
	match_notes(&w->watch);
}

void fault_end(struct fault_world *w)
{
	unsigned int i;
	int control;

	for (i = 0; i < FAULT_CONNS; i++)
		if (w->c[i].pool)
			fault_close(w, i);
	conn_close(&w->watch);
	memset(&w->watch, 0, sizeof(w->watch));
	bus_close(&w->bus);
	kt_check(!path_exists(w->bus.path), "%s is still there", w->bus.path);
	control = open_control();
	kt_become(FAULT_OWNER);
	kt_check_ret(bus_try_make(control, 0, w->bus.name), 0,
		     "the bus made again");
	kt_become(0);
	close(control);
}

void fault_close_files(const struct kdbus_msg *m)
{
	const struct kdbus_item *item;
	size_t i;

	for_each_item(item, m) {
		if (item->type == KDBUS_ITEM_PAYLOAD_MEMFD)
			kt_check(!close(item->memfd.fd), "memory file: %m");
		if (item->type != KDBUS_ITEM_FDS)
			continue;
		for (i = 0; i < (item->size - HDR) / sizeof(int); i++)
			kt_check(!close(item->fds[i]), "descriptor: %m");
	}
}

u64 fault_take(struct conn *c)
{
	const struct kdbus_msg *m;
	u64 off, cookie;

	m = conn_recv_msg(c, &off);
	fault_close_files(m);
	cookie = m->cookie;
	kt_assert_ret(conn_free(c, off), 0, "FREE");
	return cookie;
}

unsigned int fault_drop(struct conn *c)
{
	unsigned int n = 0;

	while (!conn_recv_flags(c, KDBUS_RECV_DROP, NULL))
		n++;
	return n;
}

/* ------------------------------------------------------------------------ */
/* Running */

struct round {
	const struct fault_scene *s;
	unsigned int n;
	struct fault_snap start, ready;
	unsigned int faults, failures;
};

static void failed(struct fault_world *w, struct round *r, int ret, bool fault)
{
	const struct fault_scene *s = r->s;

	r->failures++;
	kt_check(fault, "%s fails without a fault: %s", s->name, kt_err(ret));
	kt_check(fault_explains(s->errs, ret), "%s, fault %u: %s (%d)",
		 s->name, r->n, kt_err(ret), ret);
	if (!(ret == -EFAULT && s->half && s->half(w))) {
		fault_compare(w, &r->ready, true, s->name, r->n, "failed");
		if (s->still)
			s->still(w);
	}
	kt_assert_ret(s->call(w), 0, "%s, again after fault %u", s->name,
		      r->n);
}

static void drain_watch(struct fault_world *w)
{
	if (w->watch.pool)
		conn_drain(&w->watch);
}

/* was there a fault? */
static bool one_round(struct fault_world *w, struct round *r)
{
	const struct fault_scene *s = r->s;
	bool fault;
	int ret;

	fault_snap(w, &r->start);
	if (s->before)
		s->before(w);
	fault_snap(w, &r->ready);
	fault_arm(nth_file, r->n);
	ret = s->call(w);
	fault = fault_disarm(nth_file) && r->n;
	r->faults += fault;
	if (ret)
		failed(w, r, ret, fault);
	if (s->after)
		s->after(w, fault && !ret);
	drain_watch(w);
	fault_compare(w, &r->start, false, s->name, r->n, "undone");
	return fault;
}

/* what the call needs is there: stack, code, pages */
static void __attribute__((__noinline__)) warm_stack(void)
{
	volatile u8 stack[256 * 1024];
	size_t i;

	for (i = 0; i < sizeof(stack); i += 512)
		stack[i] = 1;
}

static void run(struct fault_world *w, const struct fault_scene *s,
		const char *how)
{
	static struct round r;

	memset(&r, 0, sizeof(r));
	r.s = s;
	/* first without a fault */
	one_round(w, &r);
	for (r.n = 1; one_round(w, &r); r.n++)
		kt_assert(r.n < MOST_FAULTS, "%s never ends", s->name);
	kt_note("%s%s: %u faults, %u failures", s->name, how, r.faults,
		r.failures);
	kt_check(r.faults || s->quiet, "%s: no fault was injected", s->name);
	kt_check(r.failures || !s->errs, "%s: no fault did harm", s->name);
}

void fault_run(struct fault_world *w, const struct fault_scene *s)
{
	warm_stack();
	drain_watch(w);
	run(w, s, "");
	if (s->single) {
		/*
		 * What slabs have left moves the numbers: one pass may step
		 * over a fault.
		 */
		run(w, s, ", once more");
	} else if (fault_flood(true)) {
		run(w, s, ", and all that follow");
		fault_flood(false);
	}
}

void fault_run_all(struct fault_world *w, const struct fault_scene *s,
		   unsigned int n)
{
	for (; n > 0; n--, s++)
		fault_run(w, s);
}
