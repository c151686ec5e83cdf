// SPDX-License-Identifier: GPL-2.0
#include <linux/bitmap.h>
#include <linux/hash.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/stringhash.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "ident.h"
#include "item.h"
#include "limits.h"
#include "match.h"
#include "memcg.h"
#include "message.h"
#include "notify.h"

/**
 * struct match - a match
 * @conn:	Whose
 * @cookie:	To remove it by
 * @entry:	Place among the matches of @conn
 * @filed:	Place in the index, if it can match anything
 * @bucket:	Counted there, or NULL
 * @probe:	If so, a word of its mask: most filters lack a bit of it
 * @probe_at:	Which word
 * @len:	Bytes in @rules
 * @rules:	Items
 */
struct match {
	struct kdbus_conn *conn;
	u64 cookie;
	struct list_head entry;
	struct hlist_node filed;
	struct kdbus_match_bucket *bucket;
	u64 probe;
	unsigned int probe_at;
	size_t len;
	struct kdbus_item rules[];
};

static bool is_event_rule(const struct kdbus_item *rule)
{
	return rule->type >= KDBUS_ITEM_NAME_ADD &&
	       rule->type <= KDBUS_ITEM_ID_REMOVE;
}

static bool is_message_rule(const struct kdbus_item *rule)
{
	return rule->type == KDBUS_ITEM_BLOOM_MASK ||
	       rule->type == KDBUS_ITEM_ID || rule->type == KDBUS_ITEM_NAME;
}

/* the name in a rule about names, NULL for any */
static const char *rule_name(const struct kdbus_item *rule)
{
	if (kdbus_item_payload(rule) == sizeof(rule->name_change))
		return NULL;
	return rule->name_change.name;
}

static struct hlist_head *hash_id(struct kdbus_match_index *index, u64 id)
{
	return &index->hash[hash_64(id, KDBUS_MATCH_HASH_BITS)];
}

static struct hlist_head *hash_name(struct kdbus_match_index *index,
				    const char *name)
{
	return &index->hash[hash_32(full_name_hash(NULL, name, strlen(name)),
				    KDBUS_MATCH_HASH_BITS)];
}

static unsigned int bloom_bits(const struct kdbus_bus *bus)
{
	return bus->bloom.size * 8;
}

/* all bits of @mask, and perhaps others */
static bool bloom_covers(const u64 *filter, const u64 *mask, size_t words)
{
	size_t i;

	for (i = 0; i < words; i++)
		if (mask[i] & ~filter[i])
			return false;
	return true;
}

static const u64 *bloom_block(const struct kdbus_bus *bus,
			      const struct kdbus_item *rule, u64 generation)
{
	u64 blocks = kdbus_item_payload(rule) / bus->bloom.size;

	return rule->data64 + min(generation, blocks - 1) *
			      (bus->bloom.size / sizeof(u64));
}

static bool owns_name(const struct kdbus_conn *conn, const char *name)
{
	const struct kdbus_name_entry *entry;

	list_for_each_entry(entry, &conn->names.owned, owned)
		if (!strcmp(entry->name, name))
			return true;
	return false;
}

static bool rule_accepts_message(const struct kdbus_item *rule,
				 const struct kdbus_conn *src,
				 const struct kdbus_message *m)
{
	const struct kdbus_bus *bus = src->bus;

	switch (rule->type) {
	case KDBUS_ITEM_BLOOM_MASK:
		return bloom_covers(m->bloom->data,
				    bloom_block(bus, rule,
						m->bloom->generation),
				    bus->bloom.size / sizeof(u64));
	case KDBUS_ITEM_ID:
		return rule->id == KDBUS_MATCH_ID_ANY || rule->id == src->id;
	case KDBUS_ITEM_NAME:
		return owns_name(src, rule->str);
	default:
		return !is_event_rule(rule);
	}
}

static bool id_fits(u64 wanted, u64 id)
{
	return wanted == KDBUS_MATCH_ID_ANY || wanted == id;
}

static bool rule_accepts_event(const struct kdbus_item *rule,
			       struct kdbus_event *event)
{
	const struct kdbus_item *item = kdbus_event_item(event);
	const char *name;

	if (is_message_rule(rule))
		return false;
	if (!is_event_rule(rule))
		return true;
	if (rule->type != item->type)
		return false;
	if (!event->name)
		return id_fits(rule->id_change.id, item->id_change.id);

	name = rule_name(rule);
	return id_fits(rule->name_change.old_id.id,
		       item->name_change.old_id.id) &&
	       id_fits(rule->name_change.new_id.id,
		       item->name_change.new_id.id) &&
	       (!name || !strcmp(name, event->name));
}

static bool accepts_message(const struct match *match,
			    const struct kdbus_conn *src,
			    const struct kdbus_message *m)
{
	const struct kdbus_item *rule;

	kdbus_items_foreach(rule, match->rules, match->len)
		if (!rule_accepts_message(rule, src, m))
			return false;
	return true;
}

static bool accepts_event(const struct match *match, struct kdbus_event *event)
{
	const struct kdbus_item *rule;

	kdbus_items_foreach(rule, match->rules, match->len)
		if (!rule_accepts_event(rule, event))
			return false;
	return true;
}

/* the emptiest bucket of the bits of a mask, NULL if it has no bits */
static struct kdbus_match_bucket *choose_bucket(struct kdbus_bus *bus,
						const struct kdbus_item *rule)
{
	struct kdbus_match_bucket *best = NULL, *bucket;
	unsigned int i, bits = bloom_bits(bus);

	for (i = 0; i < bits; i++) {
		if (!(rule->data64[i / 64] >> (i % 64) & 1))
			continue;
		bucket = &bus->matches.bits[i];
		if (!best || bucket->count < best->count)
			best = bucket;
	}

	return best;
}

/* the word of a mask that has most bits */
static void choose_probe(struct match *match, const struct kdbus_item *rule)
{
	size_t i, words = kdbus_item_payload(rule) / sizeof(u64);

	for (i = 0; i < words; i++) {
		if (hweight64(rule->data64[i]) <= hweight64(match->probe))
			continue;
		match->probe = rule->data64[i];
		match->probe_at = i;
	}
}

static struct hlist_head *place_event(struct kdbus_match_index *index,
				      const struct kdbus_item *rule)
{
	const char *name;

	if (rule->type == KDBUS_ITEM_ID_ADD ||
	    rule->type == KDBUS_ITEM_ID_REMOVE)
		return rule->id_change.id == KDBUS_MATCH_ID_ANY ?
		       &index->events : hash_id(index, rule->id_change.id);

	name = rule_name(rule);
	return name ? hash_name(index, name) : &index->events;
}

/* the rule that narrows a match most */
static const struct kdbus_item *key_rule(const struct kdbus_bus *bus,
					 const struct match *match)
{
	const struct kdbus_item *rule, *key = NULL;

	kdbus_items_foreach(rule, match->rules, match->len) {
		if (is_event_rule(rule))
			return rule;
		if (rule->type == KDBUS_ITEM_NAME ||
		    (rule->type == KDBUS_ITEM_ID &&
		     rule->id != KDBUS_MATCH_ID_ANY))
			key = rule;
		/* with several generations, which bits count is not known */
		else if (!key && rule->type == KDBUS_ITEM_BLOOM_MASK &&
			 kdbus_item_payload(rule) == bus->bloom.size)
			key = rule;
	}

	return key;
}

static void file_match(struct kdbus_bus *bus, struct match *match)
{
	const struct kdbus_item *key = key_rule(bus, match);
	struct kdbus_match_index *index = &bus->matches;
	struct hlist_head *place = &index->always;

	lockdep_assert_held(&bus->lock);

	if (key && is_event_rule(key)) {
		place = place_event(index, key);
	} else if (key && key->type == KDBUS_ITEM_ID) {
		place = hash_id(index, key->id);
	} else if (key && key->type == KDBUS_ITEM_NAME) {
		place = hash_name(index, key->str);
	} else if (key) {
		match->bucket = choose_bucket(bus, key);
		if (match->bucket) {
			match->bucket->count++;
			place = &match->bucket->matches;
			choose_probe(match, key);
		}
	}

	hlist_add_head(&match->filed, place);
}

static void unfile_match(struct match *match)
{
	hlist_del(&match->filed);
	if (match->bucket)
		match->bucket->count--;
}

static void free_match(struct match *match)
{
	list_del(&match->entry);
	match->conn->matches.count--;
	unfile_match(match);
	kvfree(match);
}

/* one list of candidates */
struct visit {
	struct kdbus_match_index *index;
	struct kdbus_conn *src;
	const struct kdbus_message *m;
	const u64 *filter;
	struct kdbus_event *event;
	kdbus_match_fn fn;
	void *data;
};

/* mostly no, and without a look at the rules or their owner */
static bool may_accept(const struct visit *v, const struct match *match)
{
	return !v->filter || !(match->probe & ~v->filter[match->probe_at]);
}

static int visit_list(struct visit *v, struct hlist_head *head)
{
	struct match *match;
	int r;

	hlist_for_each_entry(match, head, filed) {
		struct kdbus_conn *conn = match->conn;

		if (!may_accept(v, match))
			continue;
		if (conn == v->src || conn->matches.visited == v->index->visit)
			continue;

		/* there can be any number of matches, each with many rules */
		cond_resched();
		if (v->event ? !accepts_event(match, v->event) :
			       !accepts_message(match, v->src, v->m))
			continue;

		conn->matches.visited = v->index->visit;
		r = v->fn(conn, v->data);
		if (r)
			return r;
	}

	return 0;
}

static int visit_bits(struct visit *v, const struct kdbus_bus *bus)
{
	unsigned int word, words = bus->bloom.size / sizeof(u64);
	u64 left;
	int r;

	for (word = 0; v->index->bits && word < words; word++) {
		for (left = v->filter[word]; left; left &= left - 1) {
			r = visit_list(v, &v->index->bits[word * 64 +
							  __ffs64(left)].matches);
			if (r)
				return r;
		}
	}

	return 0;
}

/**
 * kdbus_match_message() - who receives a broadcast
 * @src:	Who sends it
 * @m:		The broadcast
 * @fn:		Called for each receiver
 * @data:	Passed to @fn
 *
 * Documentation/kdbus.txt, section 16.
 *
 * Context: Any that @fn allows; the mutex of the bus is held.
 *
 * Return: 0, or what @fn returned.
 */
int kdbus_match_message(struct kdbus_conn *src, const struct kdbus_message *m,
			kdbus_match_fn fn, void *data)
{
	struct kdbus_match_index *index = &src->bus->matches;
	struct visit v = {
		.index	= index,
		.src	= src,
		.m	= m,
		.filter	= m->bloom->data,
		.fn	= fn,
		.data	= data,
	};
	const struct kdbus_name_entry *entry;
	int r;

	lockdep_assert_held(&src->bus->lock);

	index->visit++;
	r = visit_list(&v, &index->always);
	if (r == 0)
		r = visit_list(&v, hash_id(index, src->id));
	list_for_each_entry(entry, &src->names.owned, owned)
		if (r == 0)
			r = visit_list(&v, hash_name(index, entry->name));
	if (r == 0)
		r = visit_bits(&v, src->bus);
	return r;
}

/**
 * kdbus_match_event() - who receives a notification
 * @bus:	Where
 * @event:	What it is about
 * @fn:		Called for each receiver
 * @data:	Passed to @fn
 *
 * Context: Any that @fn allows; the mutex of the bus is held.
 *
 * Return: 0, or what @fn returned.
 */
int kdbus_match_event(struct kdbus_bus *bus, struct kdbus_event *event,
		      kdbus_match_fn fn, void *data)
{
	struct kdbus_match_index *index = &bus->matches;
	struct visit v = {
		.index	= index,
		.event	= event,
		.fn	= fn,
		.data	= data,
	};
	struct hlist_head *hash;
	int r;

	lockdep_assert_held(&bus->lock);

	hash = event->name ? hash_name(index, event->name) :
	       hash_id(index, kdbus_event_item(event)->id_change.id);

	index->visit++;
	r = visit_list(&v, &index->always);
	if (r == 0)
		r = visit_list(&v, &index->events);
	if (r == 0)
		r = visit_list(&v, hash);
	return r;
}

static int check_rules(const struct kdbus_bus *bus, const struct kdbus_cmd *cmd)
{
	const struct kdbus_item *rule;
	size_t payload;

	kdbus_items_foreach(rule, kdbus_cmd_items(cmd),
			    kdbus_cmd_items_len(cmd)) {
		payload = kdbus_item_payload(rule);
		if (rule->type == KDBUS_ITEM_BLOOM_MASK &&
		    (payload < bus->bloom.size || payload % bus->bloom.size))
			return -EDOM;
		if (rule->type == KDBUS_ITEM_NAME &&
		    payload > KDBUS_NAME_MAX_LEN + 1)
			return -ENAMETOOLONG;
		if (rule->type == KDBUS_ITEM_NAME &&
		    !kdbus_match_name_is_valid(rule->str))
			return -EINVAL;
	}

	return 0;
}

static struct match *new_match(struct kdbus_conn *conn,
			       const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_match *arg = cmd->data;
	size_t len = kdbus_cmd_items_len(cmd);
	struct match *match;

	match = kvzalloc(struct_size(match, rules, 0) + KDBUS_ALIGN8(len),
			 KDBUS_GFP_CALLER);
	if (match) {
		match->conn = conn;
		match->cookie = arg->cookie;
		match->len = len;
		memcpy(match->rules, kdbus_cmd_items(cmd), len);
	}

	return match;
}

static int need_bits(struct kdbus_bus *bus)
{
	lockdep_assert_held(&bus->lock);

	if (!bus->matches.bits)
		bus->matches.bits = kvcalloc(bloom_bits(bus),
					     sizeof(*bus->matches.bits),
					     KDBUS_GFP_CALLER);
	return bus->matches.bits ? 0 : -ENOMEM;
}

/* returns how many there were */
static unsigned int remove_cookie(struct kdbus_conn *conn, u64 cookie)
{
	struct match *match, *tmp;
	unsigned int n = 0;

	lockdep_assert_held(&conn->bus->lock);

	list_for_each_entry_safe(match, tmp, &conn->matches.list, entry) {
		if (match->cookie != cookie)
			continue;
		free_match(match);
		n++;
	}

	return n;
}

static unsigned int count_cookie(const struct kdbus_conn *conn, u64 cookie)
{
	const struct match *match;
	unsigned int n = 0;

	list_for_each_entry(match, &conn->matches.list, entry)
		n += match->cookie == cookie;
	return n;
}

static int add_match(struct kdbus_conn *conn, struct match *match, bool replace)
{
	unsigned int replaced = 0;
	int r;

	lockdep_assert_held(&conn->bus->lock);

	if (!kdbus_conn_is_alive(conn))
		return -ECONNRESET;
	if (replace)
		replaced = count_cookie(conn, match->cookie);
	if (conn->matches.count - replaced >= KDBUS_MATCH_MAX)
		return -EMFILE;
	r = need_bits(conn->bus);
	if (r < 0)
		return r;

	if (replaced)
		remove_cookie(conn, match->cookie);
	file_match(conn->bus, match);
	list_add_tail(&match->entry, &conn->matches.list);
	conn->matches.count++;
	return 0;
}

/**
 * kdbus_match_add() - KDBUS_CMD_MATCH_ADD
 * @conn:	Whose match
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 16.2.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0 or a negative errno; then nothing has changed.
 */
int kdbus_match_add(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_match *arg = cmd->data;
	struct match *match;
	int r;

	r = check_rules(conn->bus, cmd);
	if (r < 0)
		return r;

	match = new_match(conn, cmd);
	if (!match)
		return -ENOMEM;

	mutex_lock(&conn->bus->lock);
	r = add_match(conn, match, arg->flags & KDBUS_MATCH_REPLACE);
	mutex_unlock(&conn->bus->lock);

	if (r < 0)
		kvfree(match);
	return r;
}

/**
 * kdbus_match_remove() - KDBUS_CMD_MATCH_REMOVE
 * @conn:	Whose match
 * @cmd:	The command
 *
 * Documentation/kdbus.txt, section 16.3.
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0, or -ENOENT if there is no such match.
 */
int kdbus_match_remove(struct kdbus_conn *conn, const struct kdbus_cmd *cmd)
{
	const struct kdbus_cmd_match *arg = cmd->data;
	unsigned int n;

	mutex_lock(&conn->bus->lock);
	n = remove_cookie(conn, arg->cookie);
	mutex_unlock(&conn->bus->lock);

	return n ? 0 : -ENOENT;
}

/**
 * kdbus_matches_init() - no matches yet
 * @matches:	The matches of a connection
 */
void kdbus_matches_init(struct kdbus_matches *matches)
{
	INIT_LIST_HEAD(&matches->list);
}

/**
 * kdbus_matches_drop() - remove all matches
 * @conn:	A connection that is closed
 *
 * Context: May sleep; no locks may be held.
 */
void kdbus_matches_drop(struct kdbus_conn *conn)
{
	mutex_lock(&conn->bus->lock);
	while (!list_empty(&conn->matches.list))
		free_match(list_first_entry(&conn->matches.list, struct match,
					    entry));
	mutex_unlock(&conn->bus->lock);
}

/**
 * kdbus_match_index_exit() - get rid of an index
 * @index:	The index, without matches
 *
 * Context: May sleep.
 */
void kdbus_match_index_exit(struct kdbus_match_index *index)
{
	kvfree(index->bits);
}
