// SPDX-License-Identifier: GPL-2.0-only
/* Stress: what arrives is compared with what was sent; see stress.h */

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "fault-util.h"
#include "stress.h"

/* ------------------------------------------------------------------------ */
/* Payload */

static bool file_is(int fd, const struct st_rec *r)
{
	void *p = mmap(NULL, r->len, PROT_READ, MAP_SHARED, fd, 0);
	bool good = p != MAP_FAILED && kt_filled(p, r->len, r->seed);

	if (p != MAP_FAILED)
		munmap(p, r->len);
	return good;
}

static const struct kdbus_item *check_vec(const struct kdbus_msg *m,
					  const struct kdbus_item *i,
					  u64 size, const u8 **at)
{
	if (!st_check(i && i->type == KDBUS_ITEM_PAYLOAD_OFF &&
		      i->vec.size == size, "message %llu: no vec of %llu bytes",
		      m->cookie, size))
		return NULL;
	*at = i->vec.offset == ~0ULL ? NULL : (const u8 *)m + i->vec.offset;
	return i;
}

static const struct kdbus_item *next(const struct kdbus_msg *m,
				     const struct kdbus_item *i)
{
	return i ? item_next(m, i) : NULL;
}

static void check_file(const struct kdbus_msg *m, const struct st_rec *r,
		       int fd, bool files)
{
	if (!files) {
		st_check(fd == -1, "message %llu: descriptor %d", m->cookie,
			 fd);
		return;
	}
	st_check(fd >= 0 && file_is(fd, r), "message %llu: file %d is wrong",
		 m->cookie, fd);
}

static const struct kdbus_item *check_files(const struct kdbus_msg *m,
					    const struct kdbus_item *i,
					    const struct st_rec *r, bool files)
{
	int n;

	if (r->parts & ST_MEMFD) {
		if (!st_check(i && i->type == KDBUS_ITEM_PAYLOAD_MEMFD &&
			      i->memfd.size == r->len,
			      "message %llu: no memory file", m->cookie))
			return NULL;
		check_file(m, r, i->memfd.fd, files);
		i = next(m, i);
	}
	if (r->parts & ST_FDS) {
		if (!st_check(i && i->type == KDBUS_ITEM_FDS &&
			      i->size == HDR + 2 * sizeof(int),
			      "message %llu: no descriptors", m->cookie))
			return NULL;
		for (n = 0; n < 2; n++)
			check_file(m, r, i->fds[n], files);
		i = next(m, i);
	}
	return i;
}

/* what is behind the payload */
static const struct kdbus_item *check_payload(const struct kdbus_msg *m,
					      const struct st_rec *r,
					      bool files)
{
	u64 head[4] = { m->cookie, r->seed, r->src, r->parts };
	const struct kdbus_item *i = item_first(m);
	const u8 *at;

	if (r->name) {
		st_check(i && i->type == KDBUS_ITEM_DST_NAME &&
			 !strcmp(i->str, st_names[r->name - 1]),
			 "message %llu: it was sent to a name", m->cookie);
		i = next(m, i);
	}
	i = check_vec(m, i, sizeof(head), &at);
	if (!i)
		return NULL;
	st_check(at && !memcmp(at, head, sizeof(head)),
		 "message %llu: head is wrong", m->cookie);
	i = next(m, i);
	if (r->parts & ST_BYTES) {
		i = check_vec(m, i, r->len, &at);
		st_check(i && at && kt_filled(at, r->len, r->seed),
			 "message %llu: bytes are wrong", m->cookie);
		i = next(m, i);
	}
	if (r->parts & ST_NUL) {
		i = check_vec(m, i, r->len, &at);
		st_check(i && !at, "message %llu: zeros are stored", m->cookie);
		i = next(m, i);
	}
	return check_files(m, i, r, files);
}

/* ------------------------------------------------------------------------ */
/* Who sent it */

static void check_creds(const struct kdbus_msg *m, const struct st_rec *r,
			const struct kdbus_item *i)
{
	const struct st_who *who = &st->who[r->worker];
	const struct kdbus_creds *c = &i->creds;

	st_check(c->uid == who->uid && c->gid == who->uid &&
		 c->pid == (u64)who->pid && c->tid == (u64)who->tid,
		 "message %llu is of uid %llu, gid %llu, pid %llu, tid %llu, not of uid %u, pid %d, tid %d",
		 m->cookie, c->uid, c->gid, c->pid, c->tid, who->uid,
		 who->pid, who->tid);
}

static void check_name(const struct kdbus_msg *m, const struct st_rec *r,
		       const struct kdbus_item *i)
{
	unsigned int n;

	for (n = 0; n < ST_NAMES; n++)
		if (!strcmp(i->name.name, st_names[n]))
			break;
	st_check(n < ST_NAMES && st->incs[r->src].names & 1U << n,
		 "message %llu: the sender never had the name %s", m->cookie,
		 i->name.name);
}

/* the number of the message, the same for all who get it */
static u64 check_seq(const struct kdbus_msg *m, struct st_rec *r,
		     const struct kdbus_item *i)
{
	u64 seq = i->timestamp.seqnum, was = 0;

	if (!__atomic_compare_exchange_n(&r->seq, &was, seq, false,
					 __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))
		st_check(was == seq, "message %llu has numbers %llu and %llu",
			 m->cookie, was, seq);
	return seq;
}

static u64 check_metadata(const struct kdbus_msg *m, struct st_rec *r,
			  const struct kdbus_item *i)
{
	unsigned int creds = 0, names = 0;
	u64 seq = 0;

	for (; i; i = item_next(m, i)) {
		if (i->type == KDBUS_ITEM_TIMESTAMP) {
			seq = check_seq(m, r, i);
		} else if (i->type == KDBUS_ITEM_CREDS) {
			check_creds(m, r, i);
			creds++;
		} else if (i->type == KDBUS_ITEM_CONN_NAME) {
			char name[32];

			snprintf(name, sizeof(name), "worker-%u", r->worker);
			st_check(!strcmp(i->str, name),
				 "message %llu is of %s, not %s", m->cookie,
				 i->str, name);
			names++;
		} else if (i->type == KDBUS_ITEM_NAME) {
			check_name(m, r, i);
		} else {
			st_check(false, "message %llu: item %#llx", m->cookie,
				 i->type);
		}
	}
	st_check(seq && creds == 1 && names == 1,
		 "message %llu: metadata is missing", m->cookie);
	return seq;
}

static struct st_rec *rec_of(const struct kdbus_msg *m)
{
	u32 n = __atomic_load_n(&st->n_recs, __ATOMIC_SEQ_CST);

	if (!st_check(m->cookie && m->cookie <= n, "a message %llu of %u",
		      m->cookie, n))
		return NULL;
	return &st->recs[m->cookie - 1];
}

static void check_header(const struct kdbus_msg *m, const struct st_rec *r)
{
	bool asks = r->kind == ST_REQUEST || r->kind == ST_SYNC;

	st_check(m->src_id == r->src && m->dst_id == r->dst,
		 "message %llu is from %llu to %llu, not from %llu to %llu",
		 m->cookie, m->src_id, m->dst_id, r->src, r->dst);
	st_check(m->priority == r->prio && !m->kernel_flags &&
		 m->payload_type == KDBUS_PAYLOAD_DBUS,
		 "message %llu: priority %lld", m->cookie, m->priority);
	st_check(asks ? m->timeout_ns == r->deadline : m->cookie_reply == r->to,
		 "message %llu: deadline or cookie_reply %llu", m->cookie,
		 m->cookie_reply);
	st_check(!!(m->flags & EXPECT) == asks, "message %llu: flags %#llx",
		 m->cookie, m->flags);
}

/* its number, or 0 */
static u64 check_message(const struct kdbus_msg *m, struct st_rec *r,
			 bool files)
{
	check_header(m, r);
	return check_metadata(m, r, check_payload(m, r, files));
}

u32 st_look(const struct kdbus_msg *m, bool files)
{
	struct st_rec *r = rec_of(m);

	if (!r)
		return 0;
	check_message(m, r, files);
	if (files)
		fault_close_files(m);
	return m->cookie;
}

/* ------------------------------------------------------------------------ */
/* Order */

static void rise(u64 *p, u64 value)
{
	if (*p < value)
		*p = value;
}

/* what was started when, of all that must be in order with the message */
static u64 *started_by(struct st_slot *s, const struct st_rec *r)
{
	struct st_from *from = &s->from[st->incs[r->src].slot];

	if (!st_activated(r))
		return s->started;
	/* a sender that has gone may be passed by who came after it */
	if (r->src < from->id)
		return NULL;
	if (r->src > from->id) {
		memset(from, 0, sizeof(*from));
		from->id = r->src;
	}
	return from->started;
}

static void check_started(struct st_slot *s, const struct kdbus_msg *m,
			  const struct st_rec *r, u64 end, bool urgent)
{
	u64 *started = started_by(s, r);
	unsigned int p = st_prio(r), i;

	if (!started)
		return;
	st_check(!end || end >= started[p],
		 "message %llu ended at %llu, and one from %llu came first",
		 m->cookie, end, started[p]);
	for (i = 0; i < ST_PRIOS; i++)
		if (i == p || !urgent)
			rise(&started[i], r->start);
}

/*
 * A name that is taken from its owner leaves messages behind, and when that
 * one has it again and lets go, they go to a receiver of newer ones: there is
 * no order among messages to an activated name, but among those to the steady
 * one.
 */
static void check_order(struct st_slot *s, const struct kdbus_msg *m,
			const struct st_rec *r, u64 seq, bool urgent,
			u64 before)
{
	u64 end = __atomic_load_n(&r->end, __ATOMIC_SEQ_CST);
	unsigned int p = st_prio(r), i;

	if (r->name - 1 == ST_ACTIVATED)
		return;
	check_started(s, m, r, end, urgent);
	if (st_activated(r))
		return;
	st_check(!end || end >= s->urgent[p],
		 "message %llu of priority %d was there at %llu, and a less urgent one came first",
		 m->cookie, r->prio, s->urgent[p]);
	st_check(seq > s->seq[p], "message %llu has number %llu, after %llu",
		 m->cookie, seq, s->seq[p]);
	for (i = 0; i < ST_PRIOS; i++) {
		if (i == p || !urgent)
			rise(&s->seq[i], seq);
		if (i < p && urgent)
			rise(&s->urgent[i], before);
	}
}

/* ------------------------------------------------------------------------ */
/* Receiving */

static void keep(struct st_slot *s, u64 off)
{
	u64 *place = &s->held[st_below(st_me, ST_HELD)];

	if (*place != ~0ULL)
		st_release(s, *place);
	*place = off;
}

void st_release(struct st_slot *s, u64 off)
{
	const struct kdbus_msg *m = conn_msg(&s->c, off);
	struct st_rec *r;

	/* nobody has written there meanwhile; files are closed */
	if (m->src_id) {
		r = rec_of(m);
		if (r && !(r->parts & (ST_MEMFD | ST_FDS)))
			check_message(m, r, true);
	}
	st_check(!conn_free(&s->c, off), "FREE of %llu", off);
}

static void take_note(struct st_slot *s, const struct kdbus_msg *m)
{
	u32 n = __atomic_load_n(&st->n_recs, __ATOMIC_SEQ_CST);
	u64 cookie = m->cookie_reply, replied;
	bool late = m->items[0].type == KDBUS_ITEM_REPLY_TIMEOUT;
	struct st_rec *r;

	if (!st_check(cookie && cookie <= n && m->dst_id == s->c.id &&
		      (is_note(m, KDBUS_ITEM_REPLY_DEAD) ||
		       is_note(m, KDBUS_ITEM_REPLY_TIMEOUT)),
		      "a notification of type %#llx about %llu",
		      m->items[0].type, cookie))
		return;
	r = &st->recs[cookie - 1];
	replied = __atomic_load_n(&r->replied_ns, __ATOMIC_SEQ_CST);
	st_check(r->src == s->c.id && r->kind == ST_REQUEST,
		 "a notification for somebody else, about %llu", cookie);
	st_check(__atomic_add_fetch(late ? &r->timeouts : &r->deaths, 1,
				    __ATOMIC_SEQ_CST) == 1 &&
		 r->timeouts + r->deaths == 1,
		 "a second notification about %llu", cookie);
	if (late) {
		st_check(now_ns() >= r->deadline, "timeout of %llu is early",
			 cookie);
		st_check(!replied || replied >= r->deadline,
			 "timeout of %llu, which was answered", cookie);
	} else {
		st_check(!replied, "%llu was answered, and is dead", cookie);
		st_check(r->dropped || r->name || st->incs[r->dst].closing,
			 "%llu is dead, and its receiver alive", cookie);
	}
}

/* it is this connection that it was sent to */
static void check_me(struct st_slot *s, const struct st_rec *r, u64 cookie)
{
	u32 bit = 1U << s->nr;

	if (r->kind == ST_CAST)
		st_check(!(r->never & bit), "broadcast %llu has no match here",
			 cookie);
	else if (r->dst && !st_activated(r))
		st_check(r->dst == s->c.id,
			 "message %llu to %llu, name %u, is at %llu", cookie,
			 r->dst, r->name, s->c.id);
	if (r->name)
		st_check(st->incs[s->c.id].names & 1U << (r->name - 1),
			 "message %llu was for the owner of %s", cookie,
			 st_names[r->name - 1]);
}

static void count(struct st_slot *s, struct st_rec *r, u64 cookie)
{
	u32 bit = 1U << s->nr, was;

	__atomic_add_fetch(&st->received, 1, __ATOMIC_RELAXED);
	if (r->kind == ST_CAST) {
		was = __atomic_fetch_or(&r->got_by, bit, __ATOMIC_SEQ_CST);
		st_check(!(was & bit), "broadcast %llu came twice", cookie);
		return;
	}
	was = __atomic_fetch_add(&r->got, 1, __ATOMIC_SEQ_CST);
	st_check(!was, "message %llu came twice", cookie);
	if (r->to)
		__atomic_add_fetch(&st->recs[r->to - 1].answers, 1,
				   __ATOMIC_SEQ_CST);
}

static void owe(struct st_slot *s, const struct st_rec *r, u32 cookie)
{
	if (r->kind != ST_REQUEST && r->kind != ST_SYNC)
		return;
	if (st_below(st_me, 3))
		st_send(st_me, s, ST_REPLY, false, cookie);
	else if (st_below(st_me, 3))
		s->owed[st_below(st_me, ST_OWED)] = cookie;
}

static void take(struct st_slot *s, u64 off, bool urgent, u64 before)
{
	const struct kdbus_msg *m = conn_msg(&s->c, off);
	struct st_rec *r;
	u64 seq, cookie = m->cookie;

	if (!m->src_id) {
		take_note(s, m);
		st_check(!conn_free(&s->c, off), "FREE of a notification");
		return;
	}
	r = rec_of(m);
	if (!r)
		return;
	seq = check_message(m, r, true);
	fault_close_files(m);
	check_order(s, m, r, seq, urgent, before);
	check_me(s, r, cookie);
	count(s, r, cookie);
	keep(s, off);
	if (!st->stop)
		owe(s, r, cookie);
}

int st_recv(struct st_slot *s, u64 flags, int64_t priority)
{
	struct kdbus_cmd_recv cmd = { .flags = flags, .priority = priority };
	u64 before = st_tick();
	int ret = kt_cmd(s->c.fd, KDBUS_CMD_MSG_RECV, &cmd);

	st_trace("receive", cmd.offset, flags, ret);
	if (ret) {
		st_check(ret == -EAGAIN || (flags && ret == -ENOMSG),
			 "MSG_RECV: %s", kt_err(ret));
		return ret;
	}
	if (flags)
		st_check(conn_msg(&s->c, cmd.offset)->priority <= priority,
			 "priority %lld instead of %lld",
			 conn_msg(&s->c, cmd.offset)->priority,
			 (long long)priority);
	take(s, cmd.offset, !!flags, before);
	return 0;
}

/* the answer to a synchronous request */
void st_answered(struct st_slot *s, const struct st_rec *request, u64 off)
{
	const struct kdbus_msg *m = conn_msg(&s->c, off);
	struct st_rec *r = rec_of(m);

	if (!r)
		return;
	st_check(&st->recs[r->to - 1] == request,
		 "message %llu is the answer to %u", m->cookie, r->to);
	check_message(m, r, true);
	fault_close_files(m);
	count(s, r, m->cookie);
	keep(s, off);
}

/* look, and throw it away: only this thread receives here */
int st_drop(struct st_slot *s)
{
	const struct kdbus_msg *m;
	struct st_rec *r = NULL;
	u64 off;
	int ret;

	ret = conn_recv_flags(&s->c, KDBUS_RECV_PEEK, &off);
	if (ret)
		return ret;
	m = conn_msg(&s->c, off);
	/* what was sent to a name may move to its activator in between */
	if (m->src_id)
		r = rec_of(m);
	if (!r || r->name)
		return st_recv(s, 0, 0);
	st_check(conn_free(&s->c, off) == -EINVAL, "FREE of a queued message");
	check_order(s, m, r, check_message(m, r, false), false, 0);
	check_me(s, r, m->cookie);
	count(s, r, m->cookie);
	r->dropped = 1;
	ret = conn_recv_flags(&s->c, KDBUS_RECV_DROP, NULL);
	st_trace("drop", off, 0, ret);
	st_check(!ret, "DROP: %s", kt_err(ret));
	return ret;
}

void st_drain(struct st_slot *s)
{
	unsigned int i;

	while (!st_recv(s, 0, 0))
		;
	for (i = 0; i < ST_HELD; i++) {
		if (s->held[i] != ~0ULL)
			st_release(s, s->held[i]);
		s->held[i] = ~0ULL;
	}
}
