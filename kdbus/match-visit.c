// SPDX-License-Identifier: GPL-2.0
#include <linux/rculist.h>
#include <linux/sched.h>

#include "bus.h"
#include "conn.h"
#include "event.h"
#include "item.h"
#include "limits.h"
#include "match.h"
#include "message.h"
#include "names.h"

/*
 * How many matches that do not accept it a broadcast may find; those beyond are
 * filed anew.
 */
#define KDBUS_MATCH_VISIT_VAIN	64

/**
 * struct visit - a look at the matches of a bus
 * @index:	The matches
 * @seq:	Number of the last change that is seen
 * @id:		Its own number
 * @src:	Sender of a broadcast, or NULL
 * @filter:	Its filter
 * @generation:	Generation of that
 * @names:	Names of the sender
 * @n_keys:	How many there are
 * @keys:	Their hashes
 * @event:	A notification, or NULL
 * @vain:	Matches found that do not accept it
 * @effort:	What was looked at to file these anew
 * @fn:		To be called for each receiver
 * @data:	To be passed to @fn
 */
struct visit {
	struct kdbus_match_index *index;
	u64 seq;
	u64 id;
	const struct kdbus_conn *src;
	const u64 *filter;
	u64 generation;
	struct kdbus_name_set *names;
	unsigned int n_keys;
	u32 keys[KDBUS_CONN_MAX_NAMES];
	struct kdbus_event *event;
	unsigned int vain;
	unsigned int effort;
	kdbus_match_fn fn;
	void *data;
};

static bool visit_owns(const struct visit *v, const char *name)
{
	u32 key = kdbus_match_key(v->index, KDBUS_ITEM_NAME, 0, 0, name);
	const struct kdbus_item *item;
	unsigned int i = 0;

	kdbus_name_set_foreach(item, v->names) {
		if (i == v->n_keys)
			break;
		if (key == v->keys[i++] && !strcmp(name, item->name.name))
			return true;
	}

	return false;
}

/* a name that the sender should own, and does not */
static const char *visit_missing_name(const struct visit *v,
				      const struct kdbus_match_rules *rules)
{
	const char *name = rules->names;
	unsigned int i;

	for (i = 0; i < rules->n_names; i++, name += strlen(name) + 1)
		if (!visit_owns(v, name))
			return name;
	return NULL;
}

/* @name: set if it is a name that was missing */
static bool visit_accepts_cast(const struct visit *v,
			       const struct kdbus_match_rules *rules,
			       const char **name)
{
	if (rules->kind == KDBUS_MATCH_ANYTHING)
		return true;
	if (rules->sender != KDBUS_MATCH_ID_ANY &&
	    rules->sender != v->src->id)
		return false;

	if (!kdbus_match_rules_pass(rules, v->filter, v->generation))
		return false;
	*name = visit_missing_name(v, rules);
	return !*name;
}

static bool visit_id_fits(u64 wanted, u64 id)
{
	return wanted == KDBUS_MATCH_ID_ANY || wanted == id;
}

static bool visit_accepts_event(struct kdbus_event *event,
				const struct kdbus_match_rules *rules)
{
	const struct kdbus_item *item = kdbus_event_item(event);

	if (rules->kind == KDBUS_MATCH_ANYTHING)
		return true;
	if (rules->type != item->type)
		return false;
	if (!event->name)
		return visit_id_fits(rules->old_id, item->id_change.id);

	return visit_id_fits(rules->old_id, item->name_change.old_id.id) &&
	       visit_id_fits(rules->new_id, item->name_change.new_id.id) &&
	       (!rules->name || !strcmp(rules->name, event->name));
}

/* whether it was valid when this began */
static bool visit_is_valid(const struct visit *v,
			   const struct kdbus_match_slot *slot)
{
	return slot->since <= v->seq &&
	       v->seq < (u64)atomic64_read(&slot->until);
}

static int visit_found(struct visit *v, struct kdbus_match_owner *owner)
{
	struct kdbus_conn *conn;
	int r;

	atomic64_set(&owner->seen, v->id);

	rcu_read_lock();
	conn = rcu_dereference(owner->conn);
	if (conn && (conn == v->src || !kref_get_unless_zero(&conn->kref)))
		conn = NULL;
	rcu_read_unlock();

	if (!conn)
		return 0;
	r = v->fn(conn, v->data);
	if (r)
		kdbus_conn_put(conn);
	return r;
}

static void visit_in_vain(struct visit *v, struct kdbus_match_slot *slot,
			  const char *name)
{
	if (++v->vain <= KDBUS_MATCH_VISIT_VAIN || !v->src)
		return;
	/* there was no better slot a moment ago */
	if (v->id < (u64)atomic64_read(&slot->match->settled))
		return;
	/* the next broadcast that finds them goes on with the rest */
	if (v->effort < KDBUS_MATCH_VISIT_EFFORT)
		kdbus_match_move(v->index, slot, v->filter, name, v->id,
				 &v->effort);
}

static int visit_slot(struct visit *v, struct kdbus_match_slot *slot)
{
	struct kdbus_match *match = slot->match;
	const char *name = NULL;

	/* mostly no, and without a look at the rules or their owner */
	if (v->src && slot->probe & ~v->filter[slot->probe_at]) {
		visit_in_vain(v, slot, NULL);
		return 0;
	}
	if ((u64)atomic64_read(&match->owner->seen) == v->id)
		return 0;

	/* there can be any number of matches */
	cond_resched();
	if (v->src ? visit_accepts_cast(v, &match->rules, &name) :
		     visit_accepts_event(v->event, &match->rules))
		return visit_found(v, match->owner);

	visit_in_vain(v, slot, name);
	return 0;
}

static int visit_list(struct visit *v, struct hlist_head *list)
{
	struct kdbus_match_slot *slot;
	int r = 0;

	hlist_for_each_entry_srcu(slot, list, link, kdbus_match_is_reading()) {
		if (visit_is_valid(v, slot))
			r = visit_slot(v, slot);
		if (r)
			break;
	}

	return r;
}

static int visit_hash(struct visit *v, u32 key)
{
	struct kdbus_match_slot *slot;
	int r = 0;

	hlist_for_each_entry_srcu(slot, kdbus_match_hash(v->index, key), link,
				  kdbus_match_is_reading()) {
		if (slot->key == key && visit_is_valid(v, slot))
			r = visit_slot(v, slot);
		if (r)
			break;
	}

	return r;
}

static int visit_bits(struct visit *v, enum kdbus_match_generation generation)
{
	struct kdbus_match_bucket *buckets, *b;
	unsigned int word;
	u64 left;
	int r;

	/* pairs with index_need_bits() */
	buckets = smp_load_acquire(&v->index->bits[generation]);
	if (!buckets)
		return 0;

	for (word = 0; word < v->index->n_bits / 64; word++) {
		for (left = v->filter[word]; left; left &= left - 1) {
			b = &buckets[word * 64 + __ffs64(left)];
			/* an increment that is lost does no harm */
			WRITE_ONCE(b->heat, READ_ONCE(b->heat) + 1);
			r = visit_list(v, &b->slots);
			if (r)
				return r;
		}
	}

	return 0;
}

static void visit_begin(struct visit *v, struct kdbus_match_index *index)
{
	v->index = index;
	v->id = atomic64_inc_return(&index->visits);
}

/* names that are owned now */
static void visit_take_names(struct visit *v, struct kdbus_conn *src)
{
	const struct kdbus_item *item;

	v->names = kdbus_name_set_get(&src->names);
	kdbus_name_set_foreach(item, v->names) {
		if (v->n_keys == ARRAY_SIZE(v->keys))
			break;
		v->keys[v->n_keys++] = kdbus_match_key(v->index,
						       KDBUS_ITEM_NAME, 0, 0,
						       item->name.name);
	}
}

static int visit_sender(struct visit *v,
			enum kdbus_match_generation generation)
{
	u64 name = kdbus_match_sender(KDBUS_ITEM_NAME, generation);
	u64 id = kdbus_match_sender(KDBUS_ITEM_ID, generation);
	const struct kdbus_item *item;
	int r;

	r = visit_hash(v, kdbus_match_key(v->index, id, v->src->id, 0, NULL));
	kdbus_name_set_foreach(item, v->names)
		if (r == 0)
			r = visit_hash(v, kdbus_match_key(v->index, name, 0, 0,
							  item->name.name));
	return r;
}

/* matches that have slots for these generations of filters */
static int visit_generation(struct visit *v,
			    enum kdbus_match_generation generation)
{
	int r;

	r = visit_list(v, &v->index->casts_all[generation]);
	if (r == 0)
		r = visit_sender(v, generation);
	if (r == 0)
		r = visit_bits(v, generation);
	return r;
}

static int visit_message(struct visit *v)
{
	struct kdbus_match_index *index = v->index;
	unsigned int own = v->generation ? KDBUS_MATCH_LATER :
					   KDBUS_MATCH_FIRST;
	int r;

	WRITE_ONCE(index->casts, READ_ONCE(index->casts) + 1);
	if (READ_ONCE(index->casts) > KDBUS_MATCH_CASTS_COUNTED)
		kdbus_match_cool(index);

	r = visit_list(v, &index->always);
	if (r == 0)
		r = visit_generation(v, KDBUS_MATCH_ALL);
	/* pairs with index_need_bits(); mostly there are none of these */
	if (r == 0 && smp_load_acquire(&index->bits[own]))
		r = visit_generation(v, own);
	return r;
}

/**
 * kdbus_match_message() - find the receivers of a broadcast
 * @src:	The sender
 * @m:		The broadcast
 * @fn:		Called for each receiver
 * @data:	Passed to @fn
 *
 * Documentation/kdbus.txt, section 16.
 *
 * Context: May sleep.
 *
 * Return: 0, or what @fn returned.
 */
int kdbus_match_message(struct kdbus_conn *src, const struct kdbus_message *m,
			kdbus_match_fn fn, void *data)
{
	struct visit v = {
		.src		= src,
		.filter		= m->bloom->data,
		.generation	= m->bloom->generation,
		.fn		= fn,
		.data		= data,
	};
	int r, srcu;

	visit_begin(&v, src->bus->matches);
	visit_take_names(&v, src);
	srcu = kdbus_match_begin(v.index, &v.seq);
	r = visit_message(&v);
	kdbus_match_end(srcu);

	kdbus_name_set_put(v.names);
	return r;
}

/* under each combination of what it is about and "any" */
static int visit_event(struct visit *v)
{
	const struct kdbus_item *item = kdbus_event_item(v->event);
	const char *name = v->event->name;
	u64 old_id, new_id = KDBUS_MATCH_ID_ANY;
	unsigned int any, n = name ? 8 : 2;
	u32 key;
	int r;

	old_id = name ? item->name_change.old_id.id : item->id_change.id;
	if (name)
		new_id = item->name_change.new_id.id;

	r = visit_list(v, &v->index->always);
	for (any = 0; any < n && r == 0; any++) {
		key = kdbus_match_key(v->index, item->type,
				      any & 1 ? KDBUS_MATCH_ID_ANY : old_id,
				      any & 2 ? KDBUS_MATCH_ID_ANY : new_id,
				      any & 4 ? NULL : name);
		r = visit_hash(v, key);
	}
	return r;
}

/**
 * kdbus_match_event() - find the receivers of a notification
 * @bus:	Where
 * @event:	What it is about
 * @fn:		Called for each receiver
 * @data:	Passed to @fn
 *
 * Context: May sleep.
 *
 * Return: 0, or what @fn returned.
 */
int kdbus_match_event(struct kdbus_bus *bus, struct kdbus_event *event,
		      kdbus_match_fn fn, void *data)
{
	struct visit v = {
		.event	= event,
		.fn	= fn,
		.data	= data,
	};
	int r, srcu;

	visit_begin(&v, bus->matches);
	srcu = kdbus_match_begin(v.index, &v.seq);
	r = visit_event(&v);
	kdbus_match_end(srcu);
	return r;
}
