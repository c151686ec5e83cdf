// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/timekeeping.h>
#include <uapi/linux/kdbus.h>

#include "item.h"
#include "meta.h"
#include "names.h"
#include "pool/pool.h"

/* metadata larger than this is not worth keeping */
#define KEEP_MAX	8192

/**
 * kdbus_attach_mask() - check a mask that an extension passes
 * @mask:	KDBUS_ATTACH_* flags, or ~0, which becomes all that are known
 *
 * Return: 0, or -EINVAL if there is something unknown.
 */
int kdbus_attach_mask(u64 *mask)
{
	if (*mask == ~0ULL)
		*mask = _KDBUS_ATTACH_ALL;
	return *mask & ~_KDBUS_ATTACH_ALL ? -EINVAL : 0;
}

/**
 * kdbus_identity_init() - initialise the identity of a connection
 * @self:	The identity, zeroed
 * @meta:	Its identity; a reference is taken
 * @name:	Its description, copied, or NULL
 *
 * Context: May sleep; the task that says HELLO.
 *
 * Return: 0 or -ENOMEM; kdbus_identity_exit() is due in any case.
 */
int kdbus_identity_init(struct kdbus_identity *self, struct kdbus_meta *meta,
			const char *name)
{
	spin_lock_init(&self->lock);
	self->snapshot = kdbus_meta_get(meta);
	self->ahead = kdbus_clock_ahead();
	self->allowed = _KDBUS_ATTACH_ALL;
	if (!name)
		return 0;

	self->name = kstrdup(name, GFP_KERNEL_ACCOUNT);
	return self->name ? 0 : -ENOMEM;
}

/**
 * kdbus_identity_exit() - get rid of an identity
 * @self:	The identity
 *
 * Context: May sleep.
 */
void kdbus_identity_exit(struct kdbus_identity *self)
{
	kdbus_meta_put(self->last);
	kdbus_meta_put(self->snapshot);
	kfree(self->name);
}

/**
 * kdbus_msg_meta_want() - what one connection is told about another
 * @src:	The identity of the sender, which is the running task
 * @dst:	The identity of the receiver
 *
 * Documentation/kdbus.txt, section 21.
 *
 * Context: Any.
 *
 * Return: KDBUS_ATTACH_* flags.
 */
u64 kdbus_msg_meta_want(const struct kdbus_identity *src,
			const struct kdbus_identity *dst)
{
	/* a 32-bit kernel reads halves, of which only the lower one has flags */
	u64 wanted = READ_ONCE(dst->wanted);
	u64 allowed = READ_ONCE(src->allowed);

	if (!src->faked) {
		if (!(wanted & allowed) ||
		    !kdbus_meta_same_ns(dst->snapshot))
			return 0;
		return wanted & allowed;
	}

	if (!kdbus_meta_shares_ns(src->snapshot, dst->snapshot))
		return 0;
	wanted &= KDBUS_ATTACH_NAMES | KDBUS_ATTACH_CONN_NAME;
	return (wanted | kdbus_meta_have(src->snapshot)) & allowed;
}

static struct kdbus_meta *meta_last_get(struct kdbus_identity *self)
{
	struct kdbus_meta *last;

	spin_lock(&self->lock);
	last = self->last ? kdbus_meta_get(self->last) : NULL;
	spin_unlock(&self->lock);

	return last;
}

static void meta_last_set(struct kdbus_identity *self, struct kdbus_meta *meta)
{
	if (kdbus_meta_size(meta, KDBUS_META_TASK) > KEEP_MAX)
		return;

	kdbus_meta_get(meta);
	spin_lock(&self->lock);
	swap(self->last, meta);
	spin_unlock(&self->lock);
	kdbus_meta_put(meta);
}

static struct kdbus_meta *meta_collect_task(struct kdbus_identity *self, u64 want)
{
	struct kdbus_meta *last, *meta;

	if (self->faked)
		return kdbus_meta_get(self->snapshot);

	last = meta_last_get(self);
	meta = kdbus_meta_new(want, last);
	if (!IS_ERR(meta) && meta != last)
		meta_last_set(self, meta);
	kdbus_meta_put(last);
	return meta;
}

/**
 * kdbus_msg_meta_collect() - collect the metadata of a message
 * @a:		The metadata, zeroed, or collected before
 * @self:	The identity of its sender, which is the running task
 * @names:	The names of its sender
 * @want:	What is wanted: KDBUS_ATTACH_* flags
 *
 * What was collected before stays.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_msg_meta_collect(struct kdbus_msg_meta *a, struct kdbus_identity *self,
			   const struct kdbus_conn_names *names, u64 want)
{
	struct kdbus_meta *meta;

	want &= ~a->have;
	if (want & KDBUS_META_TASK) {
		meta = meta_collect_task(self, want | a->have);
		if (IS_ERR(meta))
			return PTR_ERR(meta);
		kdbus_meta_put(a->meta);
		a->meta = meta;
	}

	if (want & KDBUS_ATTACH_TIMESTAMP) {
		a->monotonic_ns = ktime_get_ns();
		a->realtime_ns = ktime_get_real_ns();
	}
	if (want & KDBUS_ATTACH_NAMES)
		a->names = kdbus_name_set_get(names);
	if (want & KDBUS_ATTACH_CONN_NAME)
		a->conn_name = self->name;

	a->have |= want;
	return 0;
}

/**
 * kdbus_msg_meta_release() - drop what was collected
 * @a:		The metadata; releasing it twice does no harm
 *
 * Context: May sleep.
 */
void kdbus_msg_meta_release(struct kdbus_msg_meta *a)
{
	if (!a->have)
		return;

	kdbus_meta_put(a->meta);
	a->meta = NULL;
	kdbus_name_set_put(a->names);
	a->names = NULL;
}

/**
 * kdbus_msg_meta_size() - how much room metadata takes at a receiver
 * @a:		The metadata
 * @want:	What the receiver may have; what was not collected is left out
 *
 * Return: Bytes, a multiple of 8.
 */
size_t kdbus_msg_meta_size(const struct kdbus_msg_meta *a, u64 want)
{
	size_t size;

	want &= a->have;
	if (!want)
		return 0;

	size = kdbus_meta_size(a->meta, want);
	if (want & KDBUS_ATTACH_TIMESTAMP)
		size += KDBUS_ITEM_PADDED(sizeof(struct kdbus_timestamp));
	if (want & KDBUS_ATTACH_NAMES && a->names)
		size += a->names->size;
	if (want & KDBUS_ATTACH_CONN_NAME && a->conn_name)
		size += KDBUS_ITEM_PADDED(strlen(a->conn_name) + 1);
	return size;
}

static size_t meta_write_timestamp(const struct kdbus_msg_meta *a, s64 ahead,
				   struct kdbus_cursor *w)
{
	struct kdbus_timestamp stamp = {
		.monotonic_ns	= kdbus_clock_shift(a->monotonic_ns, ahead),
		.realtime_ns	= a->realtime_ns,
	};

	return kdbus_cursor_add_item(w, KDBUS_ITEM_TIMESTAMP, &stamp,
				     sizeof(stamp)) +
	       offsetof(struct kdbus_timestamp, seqnum);
}

/**
 * kdbus_msg_meta_write() - write metadata for a receiver
 * @a:		The metadata
 * @want:	What the receiver may have
 * @ahead:	How far the clock of the receiver is ahead, see meta.h
 * @w:		Where to
 *
 * The number of the message is not known yet.
 *
 * Return: Where in the slice it will have to go; 0 for nowhere.
 */
size_t kdbus_msg_meta_write(const struct kdbus_msg_meta *a, u64 want, s64 ahead,
			    struct kdbus_cursor *w)
{
	size_t at = 0;

	want &= a->have;
	if (!want)
		return 0;

	if (want & KDBUS_ATTACH_TIMESTAMP)
		at = meta_write_timestamp(a, ahead, w);
	kdbus_meta_write(a->meta, want & KDBUS_META_FIRST, ahead, w);
	if (want & KDBUS_ATTACH_NAMES && a->names)
		kdbus_cursor_add(w, a->names->items, a->names->size);
	kdbus_meta_write(a->meta, want & ~KDBUS_META_FIRST, ahead, w);
	if (want & KDBUS_ATTACH_CONN_NAME && a->conn_name)
		kdbus_cursor_add_item(w, KDBUS_ITEM_CONN_NAME, a->conn_name,
				      strlen(a->conn_name) + 1);
	return at;
}
