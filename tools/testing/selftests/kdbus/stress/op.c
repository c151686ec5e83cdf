// SPDX-License-Identifier: GPL-2.0-only
/* Stress: what is done at random; see stress.h */

#include <sched.h>
#include <stdio.h>
#include <string.h>

#include "meta-util.h"
#include "stress.h"

/* ------------------------------------------------------------------------ */
/* Connections */

static void pub_begin(unsigned int slot)
{
	__atomic_add_fetch(&st->pub[slot].ver, 1, __ATOMIC_SEQ_CST);
}

static void pub_end(unsigned int slot, u64 id, u32 bits)
{
	__atomic_store_n(&st->pub[slot].id, id, __ATOMIC_SEQ_CST);
	__atomic_store_n(&st->pub[slot].bits, bits, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&st->pub[slot].ver, 1, __ATOMIC_SEQ_CST);
}

static void announce_inc(struct st_worker *w, struct st_slot *s, bool fds)
{
	struct st_inc *inc;

	kt_assert(s->c.id < ST_CONNS, "too many connections");
	inc = &st->incs[s->c.id];
	inc->worker = w->nr;
	inc->slot = s->nr;
	inc->uid_nr = w->user;
	inc->fds = fds;
	inc->opened = st_tick();
}

void st_open(struct st_worker *w, struct st_slot *s)
{
	bool fds = st_below(w, 3);
	struct blob b;
	char name[32];

	memset(s->started, 0, sizeof(s->started));
	memset(s->seq, 0, sizeof(s->seq));
	memset(s->urgent, 0, sizeof(s->urgent));
	memset(s->from, 0, sizeof(s->from));
	memset(s->held, 0xff, sizeof(s->held));
	memset(s->owed, 0, sizeof(s->owed));
	hello_init(&b, fds ? KDBUS_HELLO_ACCEPT_FD : 0, st->profile->pool);
	b.hello.attach_flags = ST_WANTED;
	snprintf(name, sizeof(name), "worker-%u", w->nr);
	blob_add_str(&b, KDBUS_ITEM_CONN_NAME, name);
	pub_begin(s->nr);
	conn_hello(&s->c, &st_bus, &b);
	announce_inc(w, s, fds);
	pub_end(s->nr, s->c.id, 0);
	s->open = true;
	st_trace("HELLO", s->c.id, fds, 0);
}

/* nobody else may use the descriptor when it goes away */
static void shut(struct st_slot *s)
{
	pthread_mutex_lock(&st_me->lock);
	conn_close(&s->c);
	pthread_mutex_unlock(&st_me->lock);
	s->open = false;
}

void st_close(struct st_slot *s, bool byebye)
{
	struct st_inc *inc = &st->incs[s->c.id];
	unsigned int i;
	int ret;

	/* who finds nothing changed has sent before @closed */
	pub_begin(s->nr);
	inc->closed = st_tick();
	__atomic_store_n(&inc->closing, 1, __ATOMIC_SEQ_CST);
	do {
		st_drain(s);
		ret = byebye ? conn_byebye(&s->c) : -EBUSY;
		st_trace("BYEBYE", s->c.id, byebye, ret);
		st_check(!ret || ret == -EBUSY, "BYEBYE: %s", kt_err(ret));
	} while (byebye && ret);
	inc->lost = fdinfo(&s->c, "lost:");
	inc->end = byebye ? ST_BYEBYE : ST_CLOSED;
	if (byebye)
		st_check(conn_recv(&s->c, NULL) == -ECONNRESET,
			 "MSG_RECV after BYEBYE");
	shut(s);
	if (!byebye)
		for (i = 0; i < ST_NAMES; i++)
			if (inc->names & 1U << i)
				__atomic_store_n(&st->death[i], st_tick(),
						 __ATOMIC_SEQ_CST);
	pub_end(s->nr, 0, 0);
}

static void op_reopen(struct st_worker *w, struct st_slot *s)
{
	st_close(s, st_below(w, 2));
	st_open(w, s);
}

/* ------------------------------------------------------------------------ */
/* Matches and names */

static void op_match(struct st_worker *w, struct st_slot *s)
{
	unsigned int bit = st_below(w, ST_BITS);
	u32 bits = st->pub[s->nr].bits;
	bool on = bits & 1U << bit;
	struct blob b;
	int ret;

	pub_begin(s->nr);
	if (on) {
		ret = match_remove(&s->c, bit + 1);
	} else {
		match_init(&b, bit + 1, 0);
		rule_bit(&b, KT_BLOOM_SIZE, bit);
		ret = match_add(&s->c, &b);
	}
	pub_end(s->nr, s->c.id, bits ^ 1U << bit);
	st_trace(on ? "MATCH_REMOVE" : "MATCH_ADD", bit, 0, ret);
	st_check(!ret, "match: %s", kt_err(ret));
}

static void op_acquire(struct st_worker *w, struct st_slot *s)
{
	unsigned int n = st_below(w, ST_NAMES);
	u64 flags = st_below(w, 8);
	int ret;

	if (n == ST_STEADY)
		flags &= REPLACE;
	__atomic_or_fetch(&st->incs[s->c.id].names, 1U << n, __ATOMIC_SEQ_CST);
	ret = name_acquire(&s->c, st_names[n], flags);
	st_trace("NAME_ACQUIRE", n, flags, ret);
	st_check(!ret || ret == -EALREADY || ret == -EEXIST ||
		 (ret == -EPERM && st->who[w->nr].uid) ||
		 (ret == -ENOBUFS && n >= ST_ACTIVATED),
		 "NAME_ACQUIRE of %s: %s", st_names[n], kt_err(ret));
}

static void op_release(struct st_worker *w, struct st_slot *s)
{
	unsigned int n = st_below(w, ST_NAMES);
	int ret = name_release(&s->c, st_names[n]);

	st_trace("NAME_RELEASE", n, 0, ret);
	st_check(!ret || ret == -EADDRINUSE ||
		 (ret == -ESRCH && n < ST_ACTIVATED),
		 "NAME_RELEASE of %s: %s", st_names[n], kt_err(ret));
	if (!ret)
		st_check(st->incs[s->c.id].names & 1U << n,
			 "%s was somebody else's", st_names[n]);
}

/* ------------------------------------------------------------------------ */
/* Questions */

static void check_info(const struct kdbus_info *info, u64 id,
		       const struct st_inc *inc)
{
	const struct kdbus_creds *creds;
	struct meta m;

	meta_of_info(&m, info);
	creds = meta_creds(&m);
	st_check(info->id == id, "CONN_INFO: %llu, not %llu", info->id, id);
	st_check(creds && creds->uid == st->who[inc->worker].uid &&
		 creds->pid == (u64)st->who[inc->worker].pid,
		 "CONN_INFO of %llu: credentials", id);
}

static void op_info(struct st_worker *w, struct st_slot *s)
{
	u64 id = __atomic_load_n(&st->pub[st_below(w, ST_SLOTS)].id,
				 __ATOMIC_SEQ_CST);
	const struct kdbus_info *info;
	const char *name = st_below(w, 3) ? NULL : st_names[st_below(w, 2)];
	int ret;

	if (!id)
		return;
	ret = conn_info(&s->c, name ? 0 : id, name, KDBUS_ATTACH_NAMES, &info);
	st_trace("CONN_INFO", id, !!name, ret);
	st_check(!ret || ret == -ENOBUFS || (name && ret == -ESRCH) ||
		 (!name && ret == -ENXIO && st->incs[id].closing),
		 "CONN_INFO of %llu: %s", id, kt_err(ret));
	if (ret)
		return;
	check_info(info, name ? info->id : id, &st->incs[info->id]);
	st_check(!info_free(&s->c, info), "FREE of an info");
}

static void op_list(struct st_worker *w, struct st_slot *s)
{
	const struct kdbus_name_list *l;
	u64 off, at;
	int ret = name_list(&s->c, 1 + st_below(w, 15), &off);

	st_trace("NAME_LIST", 0, 0, ret);
	st_check(!ret || ret == -ENOBUFS, "NAME_LIST: %s", kt_err(ret));
	if (ret)
		return;
	l = (const void *)(s->c.pool + off);
	for (at = 8; at < l->size;) {
		const struct kdbus_name_info *i =
			(const void *)((const u8 *)l + at);

		if (!st_check(i->size >= 32 && i->size <= l->size - at,
			      "NAME_LIST: record of size %llu", i->size))
			break;
		st_check(i->owner_id && i->owner_id < ST_CONNS,
			 "NAME_LIST: owner %llu", i->owner_id);
		at += ALIGN8(i->size);
	}
	st_check(!conn_free(&s->c, off), "FREE of a list");
}

static void op_free(struct st_worker *w, struct st_slot *s)
{
	u64 *held = &s->held[st_below(w, ST_HELD)];
	u64 off = st_below(w, st->profile->pool) & ~7U;
	unsigned int i;
	int ret;

	if (*held != ~0ULL && st_below(w, 2)) {
		off = *held;
		*held = ~0ULL;
		st_release(s, off);
		return;
	}
	for (i = 0; i < ST_HELD; i++)
		if (off == s->held[i])
			return;
	ret = conn_free(&s->c, off);
	st_trace("FREE of nothing", off, 0, ret);
	st_check(ret == -ENXIO || ret == -EINVAL, "FREE of nothing: %s",
		 kt_err(ret));
}

/* ------------------------------------------------------------------------ */

static void use_endpoint(struct st_slot *s, struct bus *ep, bool close_first)
{
	struct conn c;

	conn_open(&c, ep, 16 * KIB);
	st_check(conn_send_bytes(&c, s->c.id, 1, "x", 1) == -ENOENT,
		 "an endpoint without policy lets through");
	st_check(conn_recv(&c, NULL) == -EAGAIN, "MSG_RECV at an endpoint");
	if (close_first)
		conn_close(&c);
	bus_close(ep);
	if (close_first)
		return;
	st_check(conn_recv(&c, NULL) == -ECONNRESET,
		 "MSG_RECV after the endpoint");
	conn_close(&c);
}

static void op_endpoint(struct st_worker *w, struct st_slot *s)
{
	struct bus ep;
	char name[64];
	int ret;

	bus_name(name, sizeof(name));
	ret = ep_try_make(&ep, &st_bus, KDBUS_MAKE_ACCESS_WORLD, name,
			  NO_POLICY);
	st_trace("ENDPOINT_MAKE", 0, 0, ret);
	if (st->who[w->nr].uid)
		st_check(ret == -EPERM, "ENDPOINT_MAKE: %s", kt_err(ret));
	else
		st_check(!ret, "ENDPOINT_MAKE: %s", kt_err(ret));
	if (!ret)
		use_endpoint(s, &ep, st_below(w, 2));
}

/* what the other thread of the process is waiting for */
static void op_cancel(struct st_worker *w, struct st_slot *s)
{
	struct st_worker *p = w->peer;
	struct conn c = { 0 };
	int ret = 0;

	(void)s;
	pthread_mutex_lock(&p->lock);
	if (p->sync) {
		c.fd = p->sync_fd;
		__atomic_store_n(&st->recs[p->sync - 1].cancelled, 1,
				 __ATOMIC_SEQ_CST);
		ret = cancel(&c, p->sync);
		st_trace("MSG_CANCEL", p->sync, 0, ret);
	}
	pthread_mutex_unlock(&p->lock);
	st_check(!ret || ret == -ENOENT, "MSG_CANCEL: %s", kt_err(ret));
}

static void pay_debts(struct st_worker *w, struct st_slot *s)
{
	u32 *owed = &s->owed[st_below(w, ST_OWED)], cookie = *owed;

	*owed = 0;
	if (cookie)
		st_send(w, s, ST_REPLY, false, cookie);
}

static void op_recv(struct st_worker *w, struct st_slot *s)
{
	unsigned int i, n = 1 + st_below(w, 16);

	for (i = 0; i < n; i++) {
		bool urgent = !st_below(w, 4);

		if (st_recv(s, urgent ? KDBUS_RECV_USE_PRIORITY : 0,
			    urgent ? (int)st_below(w, 3) - 1 : 0) == -EAGAIN)
			break;
	}
	pay_debts(w, s);
}

static void op_send(struct st_worker *w, struct st_slot *s)
{
	st_send(w, s, ST_MESSAGE, false, 0);
}

static void op_name_send(struct st_worker *w, struct st_slot *s)
{
	st_send(w, s, ST_MESSAGE, true, 0);
}

static void op_request(struct st_worker *w, struct st_slot *s)
{
	st_send(w, s, ST_REQUEST, st_below(w, 2), 0);
}

static void op_sync(struct st_worker *w, struct st_slot *s)
{
	st_send(w, s, ST_SYNC, st_below(w, 2), 0);
}

static void op_cast(struct st_worker *w, struct st_slot *s)
{
	st_send(w, s, ST_CAST, false, 0);
}

static void op_drop(struct st_worker *w, struct st_slot *s)
{
	(void)w;
	st_drop(s);
}

static void (*const ops[ST_N_OPS])(struct st_worker *w, struct st_slot *s) = {
	[ST_OP_SEND]		= op_send,
	[ST_OP_NAME_SEND]	= op_name_send,
	[ST_OP_REQUEST]		= op_request,
	[ST_OP_SYNC]		= op_sync,
	[ST_OP_CAST]		= op_cast,
	[ST_OP_RECV]		= op_recv,
	[ST_OP_DROP]		= op_drop,
	[ST_OP_MATCH]		= op_match,
	[ST_OP_ACQUIRE]		= op_acquire,
	[ST_OP_RELEASE]		= op_release,
	[ST_OP_INFO]		= op_info,
	[ST_OP_LIST]		= op_list,
	[ST_OP_REOPEN]		= op_reopen,
	[ST_OP_ENDPOINT]	= op_endpoint,
	[ST_OP_CANCEL]		= op_cancel,
	[ST_OP_FREE]		= op_free,
};

void st_op(struct st_worker *w)
{
	struct st_slot *s = &w->slots[st_below(w, ST_OWN)];
	const u8 *weight = st->profile->weight;
	unsigned int i, x, sum = 0;

	for (i = 0; i < ST_N_OPS; i++)
		sum += weight[i];
	x = st_below(w, sum);
	for (i = 0; x >= weight[i]; i++)
		x -= weight[i];
	ops[i](w, s);
	__atomic_add_fetch(&st->ops, 1, __ATOMIC_RELAXED);
	if (!st_below(w, 8))
		sched_yield();
}
