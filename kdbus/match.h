/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_MATCH_H
#define __KDBUS_MATCH_H

/**
 * DOC: Rules of a match
 *
 * All rules of a match must hold. However many there are, together they ask for
 * one sender at most, one set of bits for each generation of filters, some
 * names, or for one notification. That is what is kept; a match with rules that
 * contradict each other, two senders say, accepts nothing. So a long match costs
 * a broadcast no more than a short one.
 *
 * Locks: none, rules do not change.
 */

#include <linux/atomic.h>
#include <linux/hash.h>
#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/types.h>
#include <linux/workqueue.h>
#include <uapi/linux/kdbus.h>

struct kdbus_bus;
struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_event;
struct kdbus_leftover;
struct kdbus_match;
struct kdbus_matches;
struct kdbus_message;

/**
 * enum kdbus_match_kind - what a match is about
 * @KDBUS_MATCH_ANYTHING:	It has no rules
 * @KDBUS_MATCH_CAST:		Broadcasts of connections
 * @KDBUS_MATCH_EVENT:		Notifications
 * @KDBUS_MATCH_NOTHING:	Its rules contradict each other
 */
enum kdbus_match_kind {
	KDBUS_MATCH_ANYTHING,
	KDBUS_MATCH_CAST,
	KDBUS_MATCH_EVENT,
	KDBUS_MATCH_NOTHING,
};

/**
 * struct kdbus_match_rules - what a match asks for
 * @kind:	What it is about
 * @words:	Words in a filter of the bus
 * @sender:	Id of the sender, or KDBUS_MATCH_ID_ANY
 * @n_blocks:	Generations in @mask, 0 if it asks for no bits
 * @mask:	Bits of each generation
 * @later:	What all blocks of @mask but the first have in common, if there are
 *		several
 * @n_names:	How many names the sender must own
 * @names:	These, each with its NUL, one behind the other
 * @type:	KDBUS_ITEM_* of the notification
 * @old_id:	Old owner of the name, or the id it is about, or KDBUS_MATCH_ID_ANY
 * @new_id:	New owner of the name, or KDBUS_MATCH_ID_ANY
 * @name:	The name it is about, or NULL for any
 */
struct kdbus_match_rules {
	enum kdbus_match_kind kind;
	unsigned int words;

	u64 sender;
	u64 n_blocks;
	u64 *mask;
	u64 *later;
	unsigned int n_names;
	char *names;

	u64 type;
	u64 old_id;
	u64 new_id;
	const char *name;
};

int kdbus_match_rules_check(const struct kdbus_bus *bus,
			    const struct kdbus_cmd *cmd);
size_t kdbus_match_rules_size(const struct kdbus_bus *bus,
			      const struct kdbus_cmd *cmd, u64 *n_blocks);
void kdbus_match_rules_init(struct kdbus_match_rules *rules, void *space,
			    const struct kdbus_bus *bus,
			    const struct kdbus_cmd *cmd);
bool kdbus_match_rules_pass(const struct kdbus_match_rules *rules,
			    const u64 *filter, u64 generation);

/**
 * DOC: Index of matches
 *
 * The matches of a bus are filed so that what a broadcast costs depends on its
 * receivers, and hardly on how many matches do not accept it. Each is filed
 * under one thing that it asks for:
 *
 * - about the kernel: by type, ids and name of the notification, as far as it
 *   asks for them. A notification looks under each combination of what it is
 *   about and "any", and all that it finds accept it;
 * - else by the id of the sender, or by a name that the sender owns;
 * - else by one of the bits of its mask. A broadcast must have all of them, so it
 *   is enough if it looks under those bits that it has. The bit is one that few
 *   broadcasts have had lately: the index counts. A mask of several generations
 *   is filed twice, for the first generation and for all others.
 *
 * What remains, matches that ask for nothing of this kind, is visited always.
 *
 * A broadcast that finds many matches which do not accept it files them anew,
 * by what it lacked itself or by the bit that is rarest now. So masks that look
 * as if everything passed, but for one bit, are in the way once. How much one
 * broadcast does about this is limited (KDBUS_MATCH_VISIT_EFFORT): a user that
 * adds matches may also broadcast, and so decide which bits are rare. Each
 * match also says which bits of one word of the filter it needs besides, so
 * that most are passed over without a look at their rules.
 *
 * No task waits for a broadcast that looks at matches: that takes no lock. It
 * sees what was there when it began, whatever is added, removed or filed anew
 * meanwhile, as changes are numbered, and a slot in the index says from which
 * number on it is valid, and up to which one. A slot that is not valid any more
 * is unlinked by a work item when no reader can see it, and used again or freed
 * when no reader can be at it. Both wait for the readers of one SRCU domain.
 * Matches keep no connection: they share an owner, which forgets the connection
 * when that disconnects.
 *
 * A match that is removed stops counting for its user at once, so that another one
 * may come in its place. It is there until it is freed, though. A user of which as
 * much is left as may count waits for that before it adds more.
 *
 * Locks: ``index->lock`` serialises changes. Each is short. Numbers of 64 bits that
 * change and are read without it are atomic64_t: a 32-bit kernel reads others
 * in halves.
 */

#define KDBUS_MATCH_HASH_BITS	8

/* as good as never: changes do not get there */
#define KDBUS_MATCH_EVER	S64_MAX

/**
 * struct kdbus_match_bucket - matches under one bit
 * @slots:	The matches
 * @count:	How many there are
 * @heat:	How many of the last broadcasts have had the bit
 */
struct kdbus_match_bucket {
	struct hlist_head slots;
	unsigned int count;
	unsigned int heat;
};

/**
 * enum kdbus_match_generation - which generations of filters a slot is for
 * @KDBUS_MATCH_ALL:	All
 * @KDBUS_MATCH_FIRST:	The first
 * @KDBUS_MATCH_LATER:	All others
 * @KDBUS_MATCH_N_GENERATIONS: How many of these there are
 */
enum kdbus_match_generation {
	KDBUS_MATCH_ALL,
	KDBUS_MATCH_FIRST,
	KDBUS_MATCH_LATER,
	KDBUS_MATCH_N_GENERATIONS,
};

/**
 * enum kdbus_match_where - kinds of slots
 * @KDBUS_MATCH_NOWHERE:	Not in the index
 * @KDBUS_MATCH_ALWAYS:		Visited by everything
 * @KDBUS_MATCH_CASTS:		Visited by every broadcast of a connection
 * @KDBUS_MATCH_HASHED:		By id or name, of a sender or in a notification
 * @KDBUS_MATCH_BITS:		By a bit
 */
enum kdbus_match_where {
	KDBUS_MATCH_NOWHERE,
	KDBUS_MATCH_ALWAYS,
	KDBUS_MATCH_CASTS,
	KDBUS_MATCH_HASHED,
	KDBUS_MATCH_BITS,
};

/**
 * struct kdbus_match_slot - where a match is filed in the index
 * @link:	In a list of the index
 * @match:	The match
 * @since:	Number of the change that made it valid
 * @until:	Number of the change that ended that, or KDBUS_MATCH_EVER
 * @next:	Next one that is not valid any more
 * @probe:	Bits of a word of the filter that are needed as well
 * @key:	Hash, or number of the bit
 * @probe_at:	Which word
 * @where:	What kind of slot; KDBUS_MATCH_NOWHERE if it is free
 * @generation:	Which generations of filters it is for
 * @last:	The match is freed with it
 */
struct kdbus_match_slot {
	struct hlist_node link;
	struct kdbus_match *match;
	u64 since;
	atomic64_t until;
	struct kdbus_match_slot *next;
	u64 probe;
	u32 key;
	u16 probe_at;
	u8 where;
	u8 generation : 2;
	u8 last : 1;
};

/**
 * struct kdbus_match_owner - the connection that matches belong to
 * @kref:	References: of the connection and of each match
 * @conn:	The connection, NULL when it is gone
 * @leftover:	Counts matches until they are freed, with a reference
 * @seen:	Last visit that found it to be a receiver
 */
struct kdbus_match_owner {
	struct kref kref;
	struct kdbus_conn __rcu *conn;
	struct kdbus_leftover *leftover;
	atomic64_t seen;
};

/**
 * struct kdbus_match - a match
 * @owner:	The owner, with a reference
 * @cookie:	To remove it by
 * @conn_link:	Link in the matches of the connection
 * @size:	Bytes that count
 * @removed:	It counts as a leftover
 * @settled:	Visit before which no better slot for it is looked for
 * @rules:	What it asks for
 * @slots:	Two for a mask of one generation, of which one is in use; two more
 *		if there are several
 */
struct kdbus_match {
	struct kdbus_match_owner *owner;
	u64 cookie;
	struct list_head conn_link;
	size_t size;
	bool removed;
	atomic64_t settled;
	struct kdbus_match_rules rules;
	struct kdbus_match_slot slots[];
};

/**
 * struct kdbus_matches - the matches of a connection
 * @list:	In order of addition
 * @count:	How many there are
 * @owner:	What they have instead of a reference to the connection, NULL as
 *		long as there were none
 */
struct kdbus_matches {
	struct list_head list;
	unsigned int count;
	struct kdbus_match_owner *owner;
};

/**
 * struct kdbus_match_index - the matches of a bus
 * @kref:	References: of the bus, and of @reap when it is due
 * @lock:	Serialises changes
 * @seed:	For hashes
 * @n_bits:	Bits in a filter
 * @seq:	Number of the last change
 * @visits:	Number of the last visit
 * @casts:	Broadcasts that heat counts
 * @always:	Slots of KDBUS_MATCH_ALWAYS
 * @casts_all:	Those of KDBUS_MATCH_CASTS, by generations
 * @hash:	Those of KDBUS_MATCH_HASHED
 * @bits:	Those of KDBUS_MATCH_BITS, by generations; NULL as long as there are
 *		none
 * @stale:	Slots that are not valid any more, in this order
 * @stale_end:	End of this list
 * @reap:	Unlinks and frees these
 */
struct kdbus_match_index {
	struct kref kref;
	struct mutex lock;	/* changes */
	u32 seed;
	unsigned int n_bits;
	atomic64_t seq;
	atomic64_t visits;
	unsigned int casts;
	struct hlist_head always;
	struct hlist_head casts_all[KDBUS_MATCH_N_GENERATIONS];
	struct hlist_head hash[1 << KDBUS_MATCH_HASH_BITS];
	struct kdbus_match_bucket *bits[KDBUS_MATCH_N_GENERATIONS];
	struct kdbus_match_slot *stale;
	struct kdbus_match_slot **stale_end;
	struct work_struct reap;
};

/*
 * Called for each receiver with a reference, which is passed on if it returns 0.
 * Else the visit ends. A receiver may be found twice.
 */
typedef int (*kdbus_match_fn)(struct kdbus_conn *conn, void *data);

struct kdbus_match_index *kdbus_match_index_new(unsigned int n_bits);
void kdbus_match_index_put(struct kdbus_match_index *index);
int kdbus_match_index_prepare(struct kdbus_match_index *index,
			      const struct kdbus_match *match);
void kdbus_match_file(struct kdbus_match_index *index,
		      struct kdbus_match *match);
bool kdbus_match_unfile(struct kdbus_match_index *index,
			struct kdbus_match *match);
void kdbus_match_index_commit(struct kdbus_match_index *index);
void kdbus_match_free(struct kdbus_match *match);
void kdbus_match_owner_put(struct kdbus_match_owner *owner);

int kdbus_match_message(struct kdbus_conn *src, const struct kdbus_message *m,
			kdbus_match_fn fn, void *data);
int kdbus_match_event(struct kdbus_bus *bus, struct kdbus_event *event,
		      kdbus_match_fn fn, void *data);

int kdbus_match_module_init(void);
void kdbus_match_module_exit(void);

/* what match-index.c and match-visit.c share */

/* heat counts the last broadcasts, between half of this and all of it */
#define KDBUS_MATCH_CASTS_COUNTED	1024

/* visits until another slot is looked for, if there was none */
#define KDBUS_MATCH_SETTLED		32

/*
 * How many words and bits of masks one visit looks at to find better slots. A
 * mask of the largest size may have a quarter of that; of those that programs
 * use, thousands can be filed anew. Filing one is worth KDBUS_MATCH_MOVE_EFFORT
 * in itself.
 */
#define KDBUS_MATCH_VISIT_EFFORT	131072
#define KDBUS_MATCH_MOVE_EFFORT		8

u32 kdbus_match_key(const struct kdbus_match_index *index, u64 type, u64 a,
		    u64 b, const char *name);
int kdbus_match_begin(const struct kdbus_match_index *index, u64 *seq);
void kdbus_match_end(int srcu);
bool kdbus_match_is_reading(void);
void kdbus_match_move(struct kdbus_match_index *index,
		      struct kdbus_match_slot *slot, const u64 *filter,
		      const char *name, u64 visit, unsigned int *effort);
void kdbus_match_cool(struct kdbus_match_index *index);

static inline struct hlist_head *kdbus_match_hash(struct kdbus_match_index *index,
						  u32 key)
{
	return &index->hash[hash_32(key, KDBUS_MATCH_HASH_BITS)];
}

/* what stands for the id or the name of a sender in kdbus_match_key() */
static inline u64 kdbus_match_sender(u64 type, unsigned int generation)
{
	return type | (u64)generation << 32;
}

/* whether the first generation of filters has a slot of its own */
static inline bool kdbus_match_is_split(const struct kdbus_match *match)
{
	return match->rules.n_blocks > 1;
}

static inline unsigned int kdbus_match_n_slots(const struct kdbus_match *match)
{
	return kdbus_match_is_split(match) ? 4 : 2;
}

/* the bit that fewer broadcasts have had; if that is no help, fewer matches */
static inline bool kdbus_match_is_colder(const struct kdbus_match_bucket *a,
					 const struct kdbus_match_bucket *b)
{
	unsigned int heat_a = READ_ONCE(a->heat), heat_b = READ_ONCE(b->heat);

	return heat_a < heat_b || (heat_a == heat_b && a->count < b->count);
}

/**
 * DOC: Matches
 *
 * A connection receives those broadcasts, of others or of the kernel, that one
 * of its matches accepts. A match is a list of rules, all of which must hold;
 * a match without rules accepts everything. What the rules of a match ask for
 * together is found out once, when it is added.
 *
 * A broadcast does not ask every connection. The bus files each match where
 * only a broadcast that it may accept comes by.
 *
 * A match counts for the user of its connection, with its memory, until it is
 * removed.
 *
 * Locks: ``index->lock`` guards the matches of connections. Broadcasts look at
 * them without a lock.
 */

void kdbus_matches_init(struct kdbus_matches *matches);
void kdbus_matches_drop(struct kdbus_conn *conn);
int kdbus_match_add(struct kdbus_conn *conn, struct kdbus_cmd *cmd);
int kdbus_match_remove(struct kdbus_conn *conn, struct kdbus_cmd *cmd);

#endif
