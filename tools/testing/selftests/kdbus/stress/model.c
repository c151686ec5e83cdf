// SPDX-License-Identifier: GPL-2.0-only
/* Stress: did everything arrive that had to, and nothing else? See stress.h */

#include "stress.h"

enum fate { SENT, MAYBE, NOT };

/* a request may be there although waiting for the answer failed */
static enum fate fate_of(const struct st_rec *r)
{
	if (!r->ret)
		return SENT;
	if (r->kind != ST_SYNC)
		return NOT;
	switch (-r->ret) {
	case EPIPE:
	case ECANCELED:
		return SENT;
	case ETIMEDOUT:		/* perhaps before it was sent */
	case ENOBUFS:
	case EXFULL:
		return MAYBE;
	default:
		return NOT;
	}
}

/*
 * May be lost: the connection that had it in its queue was closed; or it has
 * descriptors, and the activator that took it handed it over to a connection that
 * does not accept any. A requester is told, see judge_request().
 */
static bool excused(const struct st_rec *r)
{
	if (r->name && r->parts & ST_FDS)
		return true;
	if (r->name)
		return r->start < st->death[r->name - 1];
	return st->incs[r->dst].end == ST_CLOSED;
}

static void judge_unicast(const struct st_rec *r, u32 cookie, enum fate fate)
{
	if (fate == NOT)
		st_check(!r->got, "message %u failed with %s and arrived",
			 cookie, kt_err(r->ret));
	if (fate == SENT && !r->got)
		st_check(excused(r),
			 "message %u (kind %u, to %llu, name %u, parts %#x) was lost",
			 cookie, r->kind, r->dst, r->name, r->parts);
}

static struct st_inc *who_was(unsigned int slot, const struct st_rec *r)
{
	u32 i;

	for (i = 1; i < ST_CONNS; i++) {
		struct st_inc *inc = &st->incs[i];

		if (inc->opened && inc->slot == slot &&
		    inc->opened < r->start &&
		    (!inc->closed || inc->closed > r->start))
			return inc;
	}
	return NULL;
}

static void judge_cast(const struct st_rec *r, u32 cookie)
{
	u32 missing = r->must & ~r->got_by;
	unsigned int i;

	st_check(!(r->never & r->got_by),
		 "broadcast %u got to slots %#x, of which %#x have no match",
		 cookie, r->got_by, r->never & r->got_by);
	for (i = 0; i < ST_SLOTS; i++)
		if (missing & 1U << i) {
			struct st_inc *inc = who_was(i, r);

			if (st_check(inc, "broadcast %u: who was slot %u?",
				     cookie, i))
				inc->missing++;
		}
}

/* an answer, or word that there is none */
static void judge_request(const struct st_rec *r, enum fate fate)
{
	if (r->kind == ST_REQUEST && fate == SENT && !r->answers &&
	    !r->timeouts && !r->deaths)
		st->incs[r->src].missing++;
}

static bool judge_copy(const struct st_rec *r, u32 cookie, enum fate fate)
{
	if (r->kind == ST_CAST)
		fate = NOT;
	if (fate == NOT)
		st_check(!r->seen, "the monitor saw %u, which was not sent",
			 cookie);
	st_check(r->seen <= 1, "the monitor saw %u %u times", cookie, r->seen);
	return fate == SENT && !r->seen;
}

static void judge_connections(void)
{
	u32 i;

	for (i = 1; i < ST_CONNS; i++) {
		const struct st_inc *inc = &st->incs[i];

		if (inc->opened && inc->end != ST_CLOSED)
			st_check(inc->missing <= inc->lost,
				 "connection %u misses %llu messages, %llu did not fit",
				 i, inc->missing, inc->lost);
	}
}

void st_verdict(bool watched, u64 monitor_lost)
{
	u64 missing = 0;
	u32 i;

	for (i = 0; i < st->n_recs; i++) {
		const struct st_rec *r = &st->recs[i];
		enum fate fate = fate_of(r);

		if (!r->end)
			continue;
		if (r->kind == ST_CAST)
			judge_cast(r, i + 1);
		else
			judge_unicast(r, i + 1, fate);
		/* who ended did not wait for word */
		if (st->incs[r->src].end == ST_ALIVE)
			judge_request(r, fate);
		missing += judge_copy(r, i + 1, fate);
	}
	judge_connections();
	st_check(!watched || missing <= monitor_lost,
		 "the monitor misses %llu messages, %llu did not fit", missing,
		 monitor_lost);
}
