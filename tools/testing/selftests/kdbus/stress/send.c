// SPDX-License-Identifier: GPL-2.0-only
/* Stress: messages, and which errors they may have; see stress.h */

#include <string.h>
#include <unistd.h>

#include "stress.h"

#define MAX_LEN		5000

static struct st_rec *new_rec(struct st_worker *w, struct st_slot *s, u32 *nr)
{
	struct st_rec *r;

	*nr = __atomic_fetch_add(&st->n_recs, 1, __ATOMIC_SEQ_CST);
	if (*nr >= ST_RECS) {
		__atomic_store_n(&st->n_recs, ST_RECS, __ATOMIC_SEQ_CST);
		__atomic_store_n(&st->stop, 1, __ATOMIC_SEQ_CST);
		return NULL;
	}
	r = &st->recs[*nr];
	r->src = s->c.id;
	r->worker = w->nr;
	r->seed = kt_rand(&w->rand);
	r->ret = 1;
	return r;
}

static void add_parts(struct st_rec *r, struct blob *m, u64 *head, u8 *bytes,
		      int *fd)
{
	head[0] = m->msg.cookie;
	head[1] = r->seed;
	head[2] = r->src;
	head[3] = r->parts;
	msg_vec(m, head, 32);
	if (r->parts & ST_BYTES) {
		kt_fill(bytes, r->len, r->seed);
		msg_vec(m, bytes, r->len);
	}
	if (r->parts & ST_NUL)
		msg_vec_at(m, 0, r->len);
	if (r->parts & ST_MEMFD) {
		*fd = kt_memfd(r->len, KT_SEALS, r->seed);
		msg_memfd(m, *fd, r->len);
	}
	if (r->parts & ST_FDS) {
		int fds[2];

		if (*fd < 0)
			*fd = kt_memfd(r->len, KT_SEALS, r->seed);
		fds[0] = *fd;
		fds[1] = *fd;
		msg_fds(m, fds, 2);
	}
}

static void choose_parts(struct st_worker *w, struct st_rec *r)
{
	u32 x = st_below(w, 100);

	r->len = 1 + st_below(w, x < 70 ? 300 : MAX_LEN);
	r->parts = x & 1 ? ST_BYTES : 0;
	if (x % 7 == 0)
		r->parts |= ST_NUL;
	if (x % 13 == 0)
		r->parts |= ST_MEMFD;
	if (x % 17 == 0 && r->kind != ST_CAST)
		r->parts |= ST_FDS;
	r->prio = x % 5 ? 0 : (int)st_below(w, ST_PRIOS) - 1;
}

static struct st_inc *inc_of(u64 id)
{
	return id && id < ST_CONNS ? &st->incs[id] : NULL;
}

/* policy lets this sender talk to that connection whatever the database says */
static bool always_may(const struct st_rec *r)
{
	const struct st_inc *to = inc_of(r->dst);

	return !st->who[r->worker].uid ||
	       (to && r->dst && !r->name && to->uid_nr ==
		r->worker / ST_THREADS);
}

static bool is_owed(const struct st_rec *r)
{
	const struct st_rec *q = r->to ? &st->recs[r->to - 1] : NULL;

	/* the first answer, in time, to who has only one request of it */
	return q && q->kind == ST_REQUEST && !q->replied_ns && !q->dropped &&
	       now_ns() < q->deadline;
}

/* a destination that was there all the time */
static bool stayed(const struct st_rec *r)
{
	const struct st_inc *to = inc_of(r->dst);

	return r->dst && !r->name && to &&
	       !__atomic_load_n(&to->closing, __ATOMIC_SEQ_CST);
}

static bool legal(const struct st_rec *r, u64 flags)
{
	const struct st_inc *to = inc_of(r->dst);

	switch (-r->ret) {
	case 0:
		return true;
	case ENOBUFS:
	case EXFULL:
		return r->kind != ST_CAST;
	case EPERM:
		return r->kind != ST_CAST && !always_may(r) && !is_owed(r);
	case ENXIO:
		return r->kind != ST_CAST && !stayed(r);
	case ESRCH:
		return r->name && !st_activated(r);
	case EREMCHG:
		return r->name && r->dst;
	case EADDRNOTAVAIL:
		return flags & NOAUTO && st_activated(r);
	case ECOMM:
		return r->parts & ST_FDS && (r->name || (to && !to->fds));
	case ETOOMANYREFS:
		return r->parts & (ST_FDS | ST_MEMFD) &&
		       st->who[r->worker].uid;
	case EMLINK:
		return r->kind == ST_REQUEST || r->kind == ST_SYNC;
	case ETIMEDOUT:
		return r->kind == ST_SYNC && now_ns() >= r->deadline;
	case EPIPE:
		return r->kind == ST_SYNC &&
		       (r->name || r->dropped || !stayed(r));
	case ECANCELED:
		return r->kind == ST_SYNC &&
		       __atomic_load_n(&r->cancelled, __ATOMIC_SEQ_CST);
	default:
		return false;
	}
}

/* ------------------------------------------------------------------------ */
/* Broadcasts: who must get it, and who must not */

static void look_around(struct st_pub *was)
{
	unsigned int i;

	for (i = 0; i < ST_SLOTS; i++) {
		was[i].ver = __atomic_load_n(&st->pub[i].ver, __ATOMIC_SEQ_CST);
		was[i].id = __atomic_load_n(&st->pub[i].id, __ATOMIC_SEQ_CST);
		was[i].bits = __atomic_load_n(&st->pub[i].bits,
					      __ATOMIC_SEQ_CST);
	}
}

static void judge_cast(struct st_rec *r, u32 bits, const struct st_pub *was)
{
	struct st_pub now[ST_SLOTS];
	unsigned int i;

	look_around(now);
	for (i = 0; i < ST_SLOTS; i++) {
		bool told = !st->who[r->worker].uid || r->worker / ST_THREADS ==
			    i / ST_OWN / ST_THREADS;

		if (was[i].id == r->src) {
			r->never |= 1U << i;
			continue;
		}
		if (was[i].ver & 1 || was[i].ver != now[i].ver)
			continue;
		if (!was[i].id || !(was[i].bits & bits))
			r->never |= 1U << i;
		else if (told)
			r->must |= 1U << i;
	}
}

static u32 add_filter(struct st_worker *w, struct blob *m)
{
	u32 bits = 1U << st_below(w, ST_BITS) | 1U << st_below(w, ST_BITS);
	struct kdbus_item *item;

	item = blob_add(m, KDBUS_ITEM_BLOOM_FILTER, NULL, 8 + KT_BLOOM_SIZE);
	item->data64[1] = bits;
	return bits;
}

/* ------------------------------------------------------------------------ */

static void choose_dst(struct st_worker *w, struct st_rec *r, bool by_name,
		       u32 to)
{
	u64 id = __atomic_load_n(&st->pub[st_below(w, ST_SLOTS)].id,
				 __ATOMIC_SEQ_CST);

	r->to = to;
	if (to) {
		r->dst = st->recs[to - 1].src;
	} else if (r->kind == ST_CAST) {
		r->dst = KDBUS_DST_ID_BROADCAST;
	} else if (by_name) {
		r->name = 1 + st_below(w, ST_NAMES);
		/* sometimes only if that one still owns it */
		r->dst = st_below(w, 8) ? 0 : id;
	} else {
		r->dst = id ?: w->slots[0].c.id;
	}
}

static u64 choose_flags(struct st_worker *w, struct st_rec *r, struct blob *m)
{
	u64 ms;

	if (r->name && !st_below(w, 4))
		m->msg.flags |= NOAUTO;
	if (r->kind == ST_REQUEST || r->kind == ST_SYNC) {
		ms = 1 + st_below(w, st_below(w, 2) ? 10 : ST_LONGEST);
		m->msg.flags |= r->kind == ST_SYNC ? SYNC : EXPECT;
		m->msg.timeout_ns = in_ms(ms);
		r->deadline = m->msg.timeout_ns;
	}
	if (r->to)
		m->msg.cookie_reply = r->to;
	m->msg.priority = r->prio;
	return m->msg.flags;
}

static void announce(struct st_worker *w, struct st_slot *s, u64 cookie)
{
	pthread_mutex_lock(&w->lock);
	w->sync_fd = s->c.fd;
	w->sync = cookie;
	pthread_mutex_unlock(&w->lock);
}

static void account(struct st_rec *r, u32 nr, u64 flags)
{
	static const char *const what[] = {
		"send", "request", "synchronous request", "reply", "broadcast",
	};

	if (!r->ret && r->to)
		__atomic_store_n(&st->recs[r->to - 1].replied_ns, now_ns(),
				 __ATOMIC_SEQ_CST);
	__atomic_add_fetch(r->ret ? &st->failed[r->kind] : &st->done[r->kind],
			   1, __ATOMIC_RELAXED);
	st_trace(what[r->kind], nr + 1, r->dst, r->ret);
	st_check(legal(r, flags),
		 "%s %u of user %u to %llu, name %u, as answer to %u: %s",
		 what[r->kind], nr + 1, st->who[r->worker].uid, r->dst,
		 r->name, r->to, kt_err(r->ret));
}

void st_send(struct st_worker *w, struct st_slot *s, enum st_kind kind,
	     bool by_name, u32 answer_to)
{
	static __thread u8 bytes[MAX_LEN];
	static __thread struct blob m;
	struct st_pub was[ST_SLOTS];
	struct st_rec *r;
	u64 head[4], flags;
	u32 nr, bits = 0;
	int fd = -1, ret;

	r = new_rec(w, s, &nr);
	if (!r)
		return;
	r->kind = kind;
	choose_parts(w, r);
	choose_dst(w, r, by_name, answer_to);
	msg_init(&m, r->dst, nr + 1);
	flags = choose_flags(w, r, &m);
	add_parts(r, &m, head, bytes, &fd);
	if (r->name)
		blob_add_str(&m, KDBUS_ITEM_DST_NAME, st_names[r->name - 1]);
	if (kind == ST_CAST) {
		bits = add_filter(w, &m);
		look_around(was);
	}
	if (kind == ST_SYNC)
		announce(w, s, nr + 1);
	r->start = st_tick();
	ret = conn_send(&s->c, &m);
	if (kind == ST_SYNC)
		announce(w, s, 0);
	if (kind == ST_CAST)
		judge_cast(r, bits, was);
	r->ret = ret;
	__atomic_store_n(&r->end, st_tick(), __ATOMIC_SEQ_CST);
	/* the bytes may be changed as soon as the call is over */
	memset(bytes, 0xee, r->len);
	if (fd >= 0)
		close(fd);
	account(r, nr, flags);
	if (kind == ST_SYNC && !ret)
		st_answered(s, r, m.msg.offset_reply);
}
