// SPDX-License-Identifier: GPL-2.0
#include <linux/cred.h>
#include <linux/err.h>
#include <linux/pid_namespace.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/string.h>

#include "item.h"
#include "memcg.h"
#include "meta.h"
#include "pool/pool.h"

/**
 * struct kdbus_meta - metadata of a task at one moment
 * @kref:	References
 * @have:	Which were asked for, KDBUS_ATTACH_* flags
 * @claimed:	A privileged connection claims them, the kernel knows nothing
 * @key:	What they depend on
 * @pid_ns:	Namespace of process ids, with a reference
 * @at:		Where in @data the item of each kind is
 * @len:	Its bytes with padding, 0 if there is none
 * @size:	Bytes in @data
 * @data:	Items
 */
struct kdbus_meta {
	struct kref kref;
	u64 have;
	bool claimed;
	struct kdbus_meta_key key;
	struct pid_namespace *pid_ns;
	u32 at[KDBUS_META_KINDS];
	u32 len[KDBUS_META_KINDS];
	size_t size;
	u64 data[];
};

static struct kdbus_item *meta_item(const struct kdbus_meta *meta,
				    unsigned int i)
{
	return (void *)meta->data + meta->at[i];
}

static bool meta_item_valid(const struct kdbus_meta *meta, unsigned int i)
{
	const struct kdbus_meta_kind *kind = &kdbus_meta_kinds[i];
	const struct kdbus_item *item = meta_item(meta, i);

	if (!(meta->have & kind->attach))
		return false;
	if (!meta->len[i])
		return kind->valid(&meta->key, NULL, 0);
	return kind->valid(&meta->key, item->data, kdbus_item_payload(item));
}

/* which of the wanted kinds are still what they were */
static u64 meta_still_valid(const struct kdbus_meta *meta, u64 want)
{
	u64 valid = 0;
	unsigned int i;

	for (i = 0; i < KDBUS_META_KINDS && valid != want; i++)
		if (want & kdbus_meta_kinds[i].attach && meta_item_valid(meta, i))
			valid |= kdbus_meta_kinds[i].attach;

	return valid;
}

/* where the next item goes; its payload is @size bytes */
static void meta_add_item(struct kdbus_meta *meta, unsigned int i, size_t size)
{
	struct kdbus_item *item = (void *)meta->data + meta->size;
	size_t padded = KDBUS_ITEM_PADDED(size);

	item->size = KDBUS_ITEM_SIZE(size);
	item->type = kdbus_meta_kinds[i].type;
	memset((void *)item + item->size, 0, padded - item->size);

	meta->at[i] = meta->size;
	meta->len[i] = padded;
	meta->size += padded;
}

static void meta_collect_item(struct kdbus_meta *meta, unsigned int i, size_t max)
{
	struct kdbus_item *item = (void *)meta->data + meta->size;
	int r;

	r = kdbus_meta_kinds[i].collect(&meta->key, item->data, max);
	if (r >= 0)
		meta_add_item(meta, i, r);
}

static void meta_copy_item(struct kdbus_meta *meta, unsigned int i,
			   const struct kdbus_meta *old)
{
	if (!old->len[i])
		return;

	meta->at[i] = meta->size;
	meta->len[i] = old->len[i];
	memcpy((void *)meta->data + meta->size, meta_item(old, i), old->len[i]);
	meta->size += old->len[i];
}

static size_t meta_item_max(unsigned int i)
{
	return kdbus_meta_kinds[i].max ?: kdbus_meta_kinds[i].max_size();
}

/* bytes for everything, as far as one can say */
static size_t meta_data_max(u64 collect, u64 copy, const struct kdbus_meta *old)
{
	size_t size = 0;
	unsigned int i;

	for (i = 0; i < KDBUS_META_KINDS; i++) {
		if (collect & kdbus_meta_kinds[i].attach)
			size += KDBUS_ITEM_PADDED(meta_item_max(i));
		else if (copy & kdbus_meta_kinds[i].attach)
			size += old->len[i];
	}

	return size;
}

static void meta_fill(struct kdbus_meta *meta, u64 collect, u64 copy,
		      const struct kdbus_meta *old)
{
	unsigned int i;

	meta->have = collect | copy;
	for (i = 0; i < KDBUS_META_KINDS; i++) {
		if (collect & kdbus_meta_kinds[i].attach)
			meta_collect_item(meta, i, meta_item_max(i));
		else if (copy & kdbus_meta_kinds[i].attach)
			meta_copy_item(meta, i, old);
	}
}

/*
 * The buffer that metadata is collected in has room for the longest paths. One is
 * kept, as allocating it takes longer than filling it. A task that comes while it
 * is in use, maybe for long, allocates its own.
 */
#define KDBUS_DRAFT_SIZE	SZ_32K

static void *meta_scratch;	/* constant */
static void *meta_scratch_free;	/* the same, or NULL while it is in use */

static void *meta_scratch_get(size_t size)
{
	void *draft = NULL;

	if (size <= KDBUS_DRAFT_SIZE)
		draft = xchg(&meta_scratch_free, NULL);
	return draft ?: kvmalloc(size, KDBUS_GFP_CALLER);
}

static void meta_scratch_put(void *draft)
{
	if (draft == meta_scratch)
		/* pairs with meta_scratch_get() */
		smp_store_release(&meta_scratch_free, draft);
	else
		kvfree(draft);
}

/* most metadata is much shorter than it might be */
static struct kdbus_meta *meta_copy(const struct kdbus_meta *meta)
{
	size_t size = sizeof(*meta) + meta->size;
	struct kdbus_meta *copy;

	copy = kvmalloc(size, KDBUS_GFP_CALLER);
	if (copy)
		memcpy(copy, meta, size);
	return copy;
}

static void meta_own_refs(struct kdbus_meta *meta)
{
	kref_init(&meta->kref);
	meta->pid_ns = get_pid_ns(task_active_pid_ns(current));
}

/* what is copied was found to be still valid, so old->key describes it */
static struct kdbus_meta *meta_collect_new(u64 collect, u64 copy,
					   const struct kdbus_meta *old)
{
	struct kdbus_meta *draft, *meta;

	draft = meta_scratch_get(sizeof(*draft) + meta_data_max(collect, copy, old));
	if (!draft)
		return ERR_PTR(-ENOMEM);

	memset(draft, 0, sizeof(*draft));
	if (copy)
		draft->key = old->key;
	kdbus_meta_key_init(&draft->key);
	meta_fill(draft, collect, copy, old);

	meta = meta_copy(draft);
	if (meta)
		meta_own_refs(meta);
	else
		kdbus_meta_key_exit(&draft->key);
	meta_scratch_put(draft);

	return meta ?: ERR_PTR(-ENOMEM);
}

/**
 * kdbus_meta_new() - collect metadata of the running task
 * @want:	Which: KDBUS_ATTACH_* flags; those that are not about a task are
 *		ignored
 * @old:	What was collected before, of any task, or NULL
 *
 * Documentation/kdbus.txt, section 21.
 *
 * Context: May sleep, for as long as user space likes, if the command line is
 * wanted: no locks may be held.
 *
 * Return: The metadata, with a reference, possibly @old itself; at least what is
 * wanted is among them. -ENOMEM as an error pointer.
 */
struct kdbus_meta *kdbus_meta_new(u64 want, struct kdbus_meta *old)
{
	u64 valid, copy = 0;

	want &= KDBUS_META_TASK;
	valid = old ? meta_still_valid(old, want) : 0;
	if (old && valid == want)
		return kdbus_meta_get(old);

	/* the others may be asked for again */
	if (old)
		copy = valid | meta_still_valid(old, ~want);
	return meta_collect_new(want & ~valid, copy, old);
}

static void meta_add_claim(struct kdbus_meta *meta, unsigned int i,
			   const struct kdbus_item *claim)
{
	struct kdbus_item *item = (void *)meta->data + meta->size;
	size_t size = kdbus_item_payload(claim);

	memcpy(item->data, claim->data, size);
	meta_add_item(meta, i, size);
	meta->have |= kdbus_meta_kinds[i].attach;
}

/**
 * kdbus_meta_new_fake() - make metadata of claimed credentials
 * @creds:	KDBUS_ITEM_CREDS, or NULL
 * @label:	KDBUS_ITEM_SECLABEL, or NULL
 *
 * Nothing is checked, and nothing is translated. The namespaces are those of
 * the running task.
 *
 * Context: May sleep.
 *
 * Return: The metadata, with a reference, or -ENOMEM as an error pointer.
 */
struct kdbus_meta *kdbus_meta_new_fake(const struct kdbus_item *creds,
				       const struct kdbus_item *label)
{
	size_t size = (creds ? KDBUS_ALIGN8(creds->size) : 0) +
		      (label ? KDBUS_ALIGN8(label->size) : 0);
	struct kdbus_meta *meta;
	unsigned int i;

	meta = kvzalloc(sizeof(*meta) + size, KDBUS_GFP_CALLER);
	if (!meta)
		return ERR_PTR(-ENOMEM);

	meta->claimed = true;
	kdbus_meta_key_init(&meta->key);
	meta_own_refs(meta);
	for (i = 0; i < KDBUS_META_KINDS; i++) {
		if (creds && kdbus_meta_kinds[i].type == KDBUS_ITEM_CREDS)
			meta_add_claim(meta, i, creds);
		if (label && kdbus_meta_kinds[i].type == KDBUS_ITEM_SECLABEL)
			meta_add_claim(meta, i, label);
	}

	return meta;
}

/**
 * kdbus_meta_get() - take a reference
 * @meta:	The metadata
 *
 * Return: @meta.
 */
struct kdbus_meta *kdbus_meta_get(struct kdbus_meta *meta)
{
	kref_get(&meta->kref);
	return meta;
}

static void meta_release(struct kref *kref)
{
	struct kdbus_meta *meta = container_of(kref, struct kdbus_meta, kref);

	kdbus_meta_key_exit(&meta->key);
	put_pid_ns(meta->pid_ns);
	kvfree(meta);
}

/**
 * kdbus_meta_put() - drop a reference
 * @meta:	The metadata, or NULL
 *
 * Context: May sleep.
 */
void kdbus_meta_put(struct kdbus_meta *meta)
{
	if (meta)
		kref_put(&meta->kref, meta_release);
}

/**
 * kdbus_meta_same_ns() - is metadata from where the running task is
 * @meta:	The metadata
 *
 * Return: Whether they are from the namespaces of process and user ids that the
 * running task is in.
 */
bool kdbus_meta_same_ns(const struct kdbus_meta *meta)
{
	return meta->key.cred->user_ns == current_user_ns() &&
	       meta->pid_ns == task_active_pid_ns(current);
}

/**
 * kdbus_meta_shares_ns() - are two tasks in the same namespaces
 * @meta:	The metadata
 * @other:	The others
 *
 * Return: Whether they are from the same namespaces of process and user ids.
 */
bool kdbus_meta_shares_ns(const struct kdbus_meta *meta,
			  const struct kdbus_meta *other)
{
	return meta->key.cred->user_ns == other->key.cred->user_ns &&
	       meta->pid_ns == other->pid_ns;
}

/**
 * kdbus_meta_have() - which kinds were asked for
 * @meta:	The metadata
 *
 * Return: KDBUS_ATTACH_* flags.
 */
u64 kdbus_meta_have(const struct kdbus_meta *meta)
{
	return meta->have;
}

/**
 * kdbus_meta_size() - how many bytes the items take
 * @meta:	The metadata, or NULL for none
 * @want:	Which of them: KDBUS_ATTACH_* flags
 *
 * Return: Bytes, a multiple of 8.
 */
size_t kdbus_meta_size(const struct kdbus_meta *meta, u64 want)
{
	size_t size = 0;
	unsigned int i;

	if (!meta)
		return 0;
	if (!(meta->have & ~want))
		return meta->size;

	for (i = 0; i < KDBUS_META_KINDS; i++)
		if (want & kdbus_meta_kinds[i].attach)
			size += meta->len[i];

	return size;
}

static void meta_write_creds(const struct kdbus_item *item, s64 ahead,
			     struct kdbus_cursor *w)
{
	struct kdbus_creds creds = item->creds;

	creds.starttime = kdbus_clock_shift(creds.starttime, ahead);
	kdbus_cursor_add_item(w, KDBUS_ITEM_CREDS, &creds, sizeof(creds));
}

static void meta_write_item(const struct kdbus_meta *meta, unsigned int i,
			    s64 ahead, struct kdbus_cursor *w)
{
	const struct kdbus_item *item = meta_item(meta, i);

	if (ahead && item->type == KDBUS_ITEM_CREDS && !meta->claimed)
		meta_write_creds(item, ahead, w);
	else
		kdbus_cursor_add(w, item, meta->len[i]);
}

/**
 * kdbus_meta_write() - write metadata as items
 * @meta:	The metadata, or NULL for none
 * @want:	Which of them: KDBUS_ATTACH_* flags
 * @ahead:	How far the clock of the reader is ahead, see meta.h
 * @w:		Where to
 *
 * Context: Any.
 */
void kdbus_meta_write(const struct kdbus_meta *meta, u64 want, s64 ahead,
		      struct kdbus_cursor *w)
{
	unsigned int i;

	if (!meta)
		return;
	if (!(meta->have & ~want) && !ahead) {
		kdbus_cursor_add(w, meta->data, meta->size);
		return;
	}

	want &= meta->have;
	for (i = 0; i < KDBUS_META_KINDS && want; i++) {
		if (want & kdbus_meta_kinds[i].attach && meta->len[i])
			meta_write_item(meta, i, ahead, w);
		want &= ~kdbus_meta_kinds[i].attach;
	}
}

/**
 * kdbus_meta_module_init() - prepare for metadata
 *
 * Context: May sleep.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_meta_module_init(void)
{
	meta_scratch = kmalloc(KDBUS_DRAFT_SIZE, GFP_KERNEL);
	meta_scratch_free = meta_scratch;
	return meta_scratch ? 0 : -ENOMEM;
}

/**
 * kdbus_meta_module_exit() - undo kdbus_meta_module_init()
 *
 * Context: May sleep; no task collects any more.
 */
void kdbus_meta_module_exit(void)
{
	kfree(meta_scratch);
}
