// SPDX-License-Identifier: GPL-2.0
#include <linux/bitops.h>
#include <linux/jhash.h>
#include <linux/random.h>
#include <linux/rculist.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/wait.h>

#include "limits.h"
#include "match.h"
#include "memcg.h"
#include "user.h"

/* readers of all indexes of matches */
DEFINE_STATIC_SRCU(kdbus_match_srcu);

static struct workqueue_struct *kdbus_match_wq;

/**
 * kdbus_match_key() - a hash
 * @index:	The index
 * @type:	Type of the item that asks for it, see kdbus_match_sender()
 * @a:		First id
 * @b:		Second id
 * @name:	A name, or NULL
 *
 * Return: The hash, which user space does not know.
 */
u32 kdbus_match_key(const struct kdbus_match_index *index, u64 type, u64 a,
		    u64 b, const char *name)
{
	const u64 words[] = { type, a, b };
	u32 key = jhash(words, sizeof(words), index->seed);

	return name ? jhash(name, strlen(name), key) : key;
}

static struct hlist_head *index_slot_list(struct kdbus_match_index *index,
					  const struct kdbus_match_slot *slot)
{
	switch (slot->where) {
	case KDBUS_MATCH_ALWAYS:
		return &index->always;
	case KDBUS_MATCH_CASTS:
		return &index->casts_all[slot->generation];
	case KDBUS_MATCH_HASHED:
		return kdbus_match_hash(index, slot->key);
	default:
		return &index->bits[slot->generation][slot->key].slots;
	}
}

static void index_slot_link(struct kdbus_match_index *index,
			    struct kdbus_match_slot *slot)
{
	lockdep_assert_held(&index->lock);

	slot->since = atomic64_read(&index->seq) + 1;
	atomic64_set(&slot->until, KDBUS_MATCH_EVER);
	slot->last = false;
	if (slot->where == KDBUS_MATCH_BITS)
		index->bits[slot->generation][slot->key].count++;
	hlist_add_head_rcu(&slot->link, index_slot_list(index, slot));
}

/* it stays where it is, for visits that began before */
static void index_slot_retire(struct kdbus_match_index *index,
			      struct kdbus_match_slot *slot)
{
	lockdep_assert_held(&index->lock);

	atomic64_set(&slot->until, atomic64_read(&index->seq) + 1);
	if (slot->where == KDBUS_MATCH_BITS)
		index->bits[slot->generation][slot->key].count--;
	slot->next = NULL;
	*index->stale_end = slot;
	index->stale_end = &slot->next;
}

static bool index_slot_is_valid(const struct kdbus_match_slot *slot)
{
	return slot->where != KDBUS_MATCH_NOWHERE &&
	       atomic64_read(&slot->until) == KDBUS_MATCH_EVER;
}

/**
 * kdbus_match_index_commit() - make changes visible, all at once
 * @index:	The index
 *
 * Context: Any; ``index->lock`` is held since the first of them.
 */
void kdbus_match_index_commit(struct kdbus_match_index *index)
{
	lockdep_assert_held(&index->lock);

	/* pairs with kdbus_match_begin() */
	atomic64_set_release(&index->seq, atomic64_read(&index->seq) + 1);
	if (!index->stale)
		return;

	kref_get(&index->kref);
	if (!queue_work(kdbus_match_wq, &index->reap))
		kdbus_match_index_put(index);
}

/* how often broadcasts come by, as far as is known */
static unsigned int index_slot_heat(const struct kdbus_match_index *index,
				    const struct kdbus_match_slot *slot)
{
	switch (slot->where) {
	case KDBUS_MATCH_BITS:
		return READ_ONCE(index->bits[slot->generation]
					    [slot->key].heat);
	case KDBUS_MATCH_HASHED:
		/* a guess: one broadcast in eight is from this sender */
		return (READ_ONCE(index->casts) + 7) / 8;
	default:
		return UINT_MAX;
	}
}

static const u64 *index_rules_bits(const struct kdbus_match_rules *rules,
				   enum kdbus_match_generation generation)
{
	if (!rules->n_blocks)
		return NULL;
	return generation == KDBUS_MATCH_LATER ? rules->later : rules->mask;
}

/*
 * The two coldest bits of a mask that @filter lacks, where there are as many.
 * Adds to @effort how many words and bits were looked at.
 */
static unsigned int index_find_cold(const struct kdbus_match_bucket *buckets,
				    const struct kdbus_match_rules *rules,
				    const u64 *bits, const u64 *filter,
				    unsigned int cold[2], unsigned int *effort)
{
	const struct kdbus_match_bucket *b, *best[2] = {};
	unsigned int i, bit;
	u64 left;

	for (i = 0; i < rules->words; i++) {
		left = filter ? bits[i] & ~filter[i] : bits[i];
		*effort += 1 + hweight64(left);
		for (; left; left &= left - 1) {
			bit = i * 64 + __ffs64(left);
			b = &buckets[bit];
			if (!best[0] || kdbus_match_is_colder(b, best[0])) {
				best[1] = best[0];
				best[0] = b;
			} else if (!best[1] ||
				   kdbus_match_is_colder(b, best[1])) {
				best[1] = b;
			}
		}
	}

	for (i = 0; i < 2 && best[i]; i++)
		cold[i] = best[i] - buckets;
	return i;
}

static void index_slot_probe(struct kdbus_match_slot *slot, const u64 *bits,
			     unsigned int bit)
{
	slot->probe_at = bit / 64;
	slot->probe = bits[bit / 64];
}

/*
 * The best slot for a match about broadcasts. One with @filter must not come by
 * there; if it is filed by name, then by @name, unless that is NULL.
 */
static void index_slot_cast(struct kdbus_match_index *index,
			    struct kdbus_match_slot *slot, const u64 *filter,
		       const char *name, unsigned int *effort)
{
	const struct kdbus_match_rules *rules = &slot->match->rules;
	const u64 *bits = index_rules_bits(rules, slot->generation);
	u64 by_name = kdbus_match_sender(KDBUS_ITEM_NAME, slot->generation);
	u64 id = kdbus_match_sender(KDBUS_ITEM_ID, slot->generation);
	struct kdbus_match_bucket *buckets;
	unsigned int cold[2], n;

	lockdep_assert_held(&index->lock);

	slot->where = KDBUS_MATCH_CASTS;
	slot->probe = 0;
	if (rules->sender != KDBUS_MATCH_ID_ANY) {
		slot->where = KDBUS_MATCH_HASHED;
		slot->key = kdbus_match_key(index, id, rules->sender, 0, NULL);
	} else if (rules->n_names) {
		slot->where = KDBUS_MATCH_HASHED;
		slot->key = kdbus_match_key(index, by_name, 0, 0,
					    name ?: rules->names);
	}

	if (!bits)
		return;
	buckets = index->bits[slot->generation];
	n = index_find_cold(buckets, rules, bits, filter, cold, effort);
	if (n == 0)
		return;
	if (READ_ONCE(buckets[cold[0]].heat) >= index_slot_heat(index, slot)) {
		index_slot_probe(slot, bits, cold[0]);
		return;
	}

	slot->where = KDBUS_MATCH_BITS;
	slot->key = cold[0];
	if (n > 1)
		index_slot_probe(slot, bits, cold[1]);
}

static void index_slot_event(struct kdbus_match_index *index,
			     struct kdbus_match_slot *slot)
{
	const struct kdbus_match_rules *rules = &slot->match->rules;

	lockdep_assert_held(&index->lock);

	slot->where = KDBUS_MATCH_HASHED;
	slot->key = kdbus_match_key(index, rules->type, rules->old_id,
				    rules->new_id, rules->name);
	slot->probe = 0;
}

/**
 * kdbus_match_file() - put a match into the index
 * @index:	The index, prepared
 * @match:	The match
 *
 * Context: Any; ``index->lock`` is held until it is committed.
 */
void kdbus_match_file(struct kdbus_match_index *index,
		      struct kdbus_match *match)
{
	struct kdbus_match_slot *slot = match->slots;
	unsigned int effort = 0;

	lockdep_assert_held(&index->lock);

	switch (match->rules.kind) {
	case KDBUS_MATCH_ANYTHING:
		slot->where = KDBUS_MATCH_ALWAYS;
		break;
	case KDBUS_MATCH_EVENT:
		index_slot_event(index, slot);
		break;
	case KDBUS_MATCH_CAST:
		index_slot_cast(index, slot, NULL, NULL, &effort);
		if (!kdbus_match_is_split(match))
			break;
		index_slot_cast(index, slot + 2, NULL, NULL, &effort);
		index_slot_link(index, slot + 2);
		break;
	case KDBUS_MATCH_NOTHING:
		return;
	}

	index_slot_link(index, slot);
}

/**
 * kdbus_match_unfile() - take a match out of the index
 * @index:	The index
 * @match:	The match
 *
 * Context: Any; ``index->lock`` is held until it is committed.
 *
 * Return: True if the index frees it, false if it is the caller's.
 */
bool kdbus_match_unfile(struct kdbus_match_index *index,
			struct kdbus_match *match)
{
	struct kdbus_match_slot *slot, *last = NULL;
	unsigned int i;

	lockdep_assert_held(&index->lock);

	for (i = 0; i < kdbus_match_n_slots(match); i++) {
		slot = &match->slots[i];
		if (!index_slot_is_valid(slot))
			continue;
		index_slot_retire(index, slot);
		last = slot;
	}

	if (last)
		last->last = true;
	return last;
}

/* false if there is no better slot; true also if it is too early to say */
static bool index_move_locked(struct kdbus_match_index *index,
			      struct kdbus_match_slot *slot, const u64 *filter,
			      const char *name, unsigned int *effort)
{
	struct kdbus_match *match = slot->match;
	struct kdbus_match_slot *to;

	lockdep_assert_held(&index->lock);

	to = &match->slots[(slot - match->slots) ^ 1];
	/* a slot can be used again as soon as no reader can be at it */
	if (!index_slot_is_valid(slot) || to->where != KDBUS_MATCH_NOWHERE)
		return true;

	index_slot_cast(index, to, filter, name, effort);
	if ((to->where == slot->where && to->key == slot->key) ||
	    (!name && index_slot_heat(index, to) * 2 >=
		       index_slot_heat(index, slot))) {
		to->where = KDBUS_MATCH_NOWHERE;
		return false;
	}

	index_slot_link(index, to);
	index_slot_retire(index, slot);
	kdbus_match_index_commit(index);
	return true;
}

/**
 * kdbus_match_move() - file a match anew that was in the way
 * @index:	The index
 * @slot:	Where it was found; kept by the caller
 * @filter:	Filter of the broadcast that found it
 * @name:	A name that it asks for and that was missing, or NULL
 * @visit:	Number of the visit that found it
 * @effort:	What the visit has looked at for this so far, as
 *		KDBUS_MATCH_VISIT_EFFORT counts it; added to
 *
 * If there is no better slot, @settled of the match says until which visit not
 * to ask again.
 *
 * Context: May sleep.
 */
void kdbus_match_move(struct kdbus_match_index *index,
		      struct kdbus_match_slot *slot, const u64 *filter,
		      const char *name, u64 visit, unsigned int *effort)
{
	*effort += KDBUS_MATCH_MOVE_EFFORT;

	mutex_lock(&index->lock);
	if (!index_move_locked(index, slot, filter, name, effort))
		atomic64_set(&slot->match->settled, visit + KDBUS_MATCH_SETTLED);
	mutex_unlock(&index->lock);
}

/**
 * kdbus_match_cool() - broadcasts of the past count half
 * @index:	The index
 *
 * Context: Any.
 */
void kdbus_match_cool(struct kdbus_match_index *index)
{
	struct kdbus_match_bucket *b;
	unsigned int i, g;

	if (!mutex_trylock(&index->lock))
		return;

	for (g = 0; g < KDBUS_MATCH_N_GENERATIONS; g++) {
		if (!index->bits[g])
			continue;
		for (i = 0; i < index->n_bits; i++) {
			b = &index->bits[g][i];
			WRITE_ONCE(b->heat, READ_ONCE(b->heat) / 2);
		}
	}
	WRITE_ONCE(index->casts, READ_ONCE(index->casts) / 2);
	mutex_unlock(&index->lock);
}

/**
 * kdbus_match_begin() - begin to look at an index
 * @index:	The index
 * @seq:	Set to the number of the last change that is to be seen
 *
 * Context: May sleep.
 *
 * Return: What kdbus_match_end() wants.
 */
int kdbus_match_begin(const struct kdbus_match_index *index, u64 *seq)
	__acquires(&kdbus_match_srcu)
{
	int srcu = srcu_read_lock(&kdbus_match_srcu);

	/* pairs with kdbus_match_index_commit() */
	*seq = atomic64_read_acquire(&index->seq);
	return srcu;
}

/**
 * kdbus_match_end() - be done with that
 * @srcu:	What kdbus_match_begin() returned
 */
void kdbus_match_end(int srcu)
	__releases(&kdbus_match_srcu)
{
	srcu_read_unlock(&kdbus_match_srcu, srcu);
}

/**
 * kdbus_match_is_reading() - between these two, for lockdep
 *
 * Return: Whether the running task is.
 */
bool kdbus_match_is_reading(void)
{
	return srcu_read_lock_held(&kdbus_match_srcu);
}

static void match_owner_free(struct kref *kref)
{
	struct kdbus_match_owner *owner =
		container_of(kref, struct kdbus_match_owner, kref);

	kdbus_leftover_put(owner->leftover);
	kfree(owner);
}

/**
 * kdbus_match_owner_put() - drop a reference
 * @owner:	The owner, or NULL
 *
 * Context: Any.
 */
void kdbus_match_owner_put(struct kdbus_match_owner *owner)
{
	if (owner)
		kref_put(&owner->kref, match_owner_free);
}

static void match_left(struct kdbus_leftover *leftover, size_t size)
{
	/* one that was filed nowhere is freed under index->lock */
	might_lock(&leftover->wait.lock);
	atomic_dec(&leftover->matches);
	atomic_long_sub(size, &leftover->bytes);
	if (wq_has_sleeper(&leftover->wait))
		wake_up_all(&leftover->wait);
}

/**
 * kdbus_match_free() - free a match
 * @match:	The match, in no index
 *
 * Context: May sleep.
 */
void kdbus_match_free(struct kdbus_match *match)
{
	struct kdbus_match_owner *owner = match->owner;
	bool removed = match->removed;
	size_t size = match->size;

	kvfree(match);
	if (removed)
		match_left(owner->leftover, size);
	kdbus_match_owner_put(owner);
}

static struct kdbus_match_slot *index_take_stale(struct kdbus_match_index *index)
{
	struct kdbus_match_slot *stale;

	mutex_lock(&index->lock);
	stale = index->stale;
	index->stale = NULL;
	index->stale_end = &index->stale;
	mutex_unlock(&index->lock);

	return stale;
}

static void index_unlink_stale(struct kdbus_match_index *index,
			       struct kdbus_match_slot *slot)
{
	for (; slot; slot = slot->next) {
		mutex_lock(&index->lock);
		hlist_del_rcu(&slot->link);
		mutex_unlock(&index->lock);
		cond_resched();
	}
}

static void index_free_stale(struct kdbus_match_index *index,
			     struct kdbus_match_slot *slot)
{
	struct kdbus_match_slot *next;
	bool last;

	for (; slot; slot = next) {
		next = slot->next;
		last = slot->last;
		mutex_lock(&index->lock);
		slot->where = KDBUS_MATCH_NOWHERE;
		mutex_unlock(&index->lock);
		/* its other slots came before */
		if (last)
			kdbus_match_free(slot->match);
		cond_resched();
	}
}

static void index_reap(struct work_struct *work)
{
	struct kdbus_match_index *index =
		container_of(work, struct kdbus_match_index, reap);
	struct kdbus_match_slot *stale;

	while ((stale = index_take_stale(index))) {
		/* readers wait for it in kdbus_match_move(), and this waits for readers */
		lockdep_assert_not_held(&index->lock);
		/* no reader sees them as valid after this */
		synchronize_srcu(&kdbus_match_srcu);
		index_unlink_stale(index, stale);
		/* and no reader is at one of them after this */
		synchronize_srcu(&kdbus_match_srcu);
		index_free_stale(index, stale);
	}

	kdbus_match_index_put(index);
}

/**
 * kdbus_match_index_new() - make an index
 * @n_bits:	Bits in a filter of the bus
 *
 * Context: May sleep.
 *
 * Return: The index, with a reference, or NULL.
 */
struct kdbus_match_index *kdbus_match_index_new(unsigned int n_bits)
{
	struct kdbus_match_index *index;

	index = kzalloc(sizeof(*index), GFP_KERNEL_ACCOUNT);
	if (!index)
		return NULL;

	kref_init(&index->kref);
	mutex_init(&index->lock);
	index->seed = get_random_u32();
	index->n_bits = n_bits;
	index->stale_end = &index->stale;
	INIT_WORK(&index->reap, index_reap);
	return index;
}

static void index_free(struct kref *kref)
{
	struct kdbus_match_index *index =
		container_of(kref, struct kdbus_match_index, kref);
	unsigned int g;

	for (g = 0; g < KDBUS_MATCH_N_GENERATIONS; g++)
		kvfree(index->bits[g]);
	kfree(index);
}

/**
 * kdbus_match_index_put() - drop a reference
 * @index:	The index, or NULL; no match is added any more if it is that of
 *		the bus
 *
 * Context: May sleep, but only with the last reference.
 */
void kdbus_match_index_put(struct kdbus_match_index *index)
{
	if (index)
		kref_put(&index->kref, index_free);
}

static int index_need_bits(struct kdbus_match_index *index,
			   enum kdbus_match_generation generation)
{
	struct kdbus_match_bucket *buckets;

	if (READ_ONCE(index->bits[generation]))
		return 0;

	/* outside the lock, as it may take its time */
	buckets = kvcalloc(index->n_bits, sizeof(*buckets), KDBUS_GFP_CALLER);
	if (!buckets)
		return -ENOMEM;

	mutex_lock(&index->lock);
	if (!index->bits[generation]) {
		/* pairs with visit_bits() */
		smp_store_release(&index->bits[generation], buckets);
		buckets = NULL;
	}
	mutex_unlock(&index->lock);

	kvfree(buckets);
	return 0;
}

/**
 * kdbus_match_index_prepare() - make sure that a match can be filed
 * @index:	The index
 * @match:	The match
 *
 * Context: May sleep; no locks may be held.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_match_index_prepare(struct kdbus_match_index *index,
			      const struct kdbus_match *match)
{
	int r;

	if (!match->rules.n_blocks)
		return 0;
	if (!kdbus_match_is_split(match))
		return index_need_bits(index, KDBUS_MATCH_ALL);

	r = index_need_bits(index, KDBUS_MATCH_FIRST);
	return r < 0 ? r : index_need_bits(index, KDBUS_MATCH_LATER);
}

/**
 * kdbus_match_module_init() - prepare for matches
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_match_module_init(void)
{
	kdbus_match_wq = alloc_workqueue(KBUILD_MODNAME "_match", WQ_UNBOUND,
					 0);
	return kdbus_match_wq ? 0 : -ENOMEM;
}

/**
 * kdbus_match_module_exit() - undo kdbus_match_module_init()
 *
 * Context: May sleep; no bus is left.
 */
void kdbus_match_module_exit(void)
{
	/* waits until all matches of the past are freed */
	destroy_workqueue(kdbus_match_wq);
}
