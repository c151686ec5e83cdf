// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <uapi/linux/kdbus.h>

#include "conn.h"
#include "copy.h"
#include "files.h"
#include "message.h"
#include "pool.h"
#include "queue.h"

/**
 * kdbus_copy_user() - whom to count a message for
 * @src:	Who sends it
 *
 * Return: The user, or NULL if limits do not apply.
 */
struct kdbus_user *kdbus_copy_user(const struct kdbus_conn *src)
{
	return src->capable ? NULL : src->user;
}

/**
 * kdbus_copy_check() - what can be said without touching a pool
 * @m:		The message
 * @dst:	Who would receive it
 *
 * Documentation/kdbus.txt, section 11.1.
 *
 * Return: 0, -ENOBUFS, -ECONNRESET or -ECOMM.
 */
int kdbus_copy_check(const struct kdbus_message *m,
		     const struct kdbus_conn *dst)
{
	if (kdbus_queue_is_full(&dst->queue) && !m->src->capable)
		return -ENOBUFS;
	if (!kdbus_conn_is_alive(dst))
		return -ECONNRESET;
	if (m->fds && !(dst->flags & KDBUS_HELLO_ACCEPT_FD))
		return -ECOMM;
	return 0;
}

static struct kdbus_slice *write_slice(struct kdbus_message *m,
				       struct kdbus_conn *dst, u64 want,
				       size_t promised, size_t *stamp)
{
	struct kdbus_slice *slice;
	int r;

	slice = kdbus_pool_alloc_promised(dst->pool, kdbus_message_size(m, want),
					  promised);
	if (IS_ERR(slice))
		return slice;

	r = kdbus_message_write(m, slice, want, stamp);
	if (r < 0) {
		kdbus_slice_free(slice);
		return ERR_PTR(r);
	}

	return slice;
}

/**
 * kdbus_copy_slice() - write a message into a pool
 * @m:		The message
 * @dst:	The receiver
 * @want:	Metadata that the receiver may have: KDBUS_ATTACH_* flags
 * @stamp:	Set to where in the slice the number of the message goes, or 0
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: The slice, or an error pointer. Only what the sender did wrong is
 * -EFAULT.
 */
struct kdbus_slice *kdbus_copy_slice(struct kdbus_message *m,
				     struct kdbus_conn *dst, u64 want,
				     size_t *stamp)
{
	return write_slice(m, dst, want, 0, stamp);
}

/* an entry that owns the slice, and files of its own */
static struct kdbus_queue_entry *make_entry(const struct kdbus_message *m,
					    struct kdbus_conn *dst,
					    struct kdbus_slice *slice)
{
	struct kdbus_queue_entry *entry;
	struct kdbus_files *files = NULL;

	/* where their numbers go is known now */
	if (m->files) {
		files = kdbus_files_clone(m->files);
		if (!files)
			return NULL;
	}

	entry = kdbus_queue_entry_new(&dst->queue, slice, files,
				      m->msg->priority);
	if (!entry)
		kdbus_files_free(files);
	return entry;
}

static int claim(const struct kdbus_message *m, struct kdbus_conn *dst,
		 struct kdbus_user *user, u64 want, struct kdbus_claim *claim,
		 size_t *promised)
{
	claim->bytes = kdbus_message_size(m, want);
	claim->fds = m->files ? m->files->n_fds : 0;

	return kdbus_quota_claim(&dst->queue.quota, user, dst->pool, claim,
				 promised);
}

/**
 * kdbus_copy_new() - write a message into the pool of a receiver
 * @m:		The message; keeps its files
 * @dst:	The receiver
 * @user:	Whom to count it for, NULL if limits do not apply
 * @want:	Metadata that the receiver may have: KDBUS_ATTACH_* flags
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: An entry for the queue, or an error pointer.
 */
struct kdbus_queue_entry *kdbus_copy_new(struct kdbus_message *m,
					 struct kdbus_conn *dst,
					 struct kdbus_user *user, u64 want)
{
	struct kdbus_queue_entry *entry;
	struct kdbus_claim c;
	struct kdbus_slice *slice;
	size_t promised, stamp;
	int r;

	r = claim(m, dst, user, want, &c, &promised);
	if (r < 0)
		return ERR_PTR(r);

	slice = write_slice(m, dst, want, promised, &stamp);
	if (IS_ERR(slice)) {
		r = PTR_ERR(slice);
		goto err;
	}

	entry = make_entry(m, dst, slice);
	if (!entry) {
		kdbus_slice_free(slice);
		r = -ENOBUFS;
		goto err;
	}

	entry->claim = c;
	entry->stamp = stamp;
	return entry;

err:
	kdbus_quota_release(&dst->queue.quota, &c);
	return ERR_PTR(r);
}

/**
 * kdbus_copy_undo() - throw away what was written and not queued
 * @dst:	The receiver
 * @entry:	The message
 *
 * Context: May sleep.
 */
void kdbus_copy_undo(struct kdbus_conn *dst, struct kdbus_queue_entry *entry)
{
	kdbus_quota_release(&dst->queue.quota, &entry->claim);
	kdbus_queue_entry_free(&dst->queue, entry);
}

/**
 * kdbus_copy_new_kernel() - the same for a message of the kernel
 * @msg:	The message
 * @dst:	The receiver
 *
 * Context: May sleep.
 *
 * Return: An entry for the queue, or an error pointer.
 */
struct kdbus_queue_entry *kdbus_copy_new_kernel(const struct kdbus_msg *msg,
						struct kdbus_conn *dst)
{
	struct kdbus_queue_entry *entry;
	struct kdbus_slice *slice;

	slice = kdbus_pool_alloc(dst->pool, msg->size, true);
	if (IS_ERR(slice))
		return ERR_CAST(slice);
	kdbus_slice_write(slice, 0, msg, msg->size);

	entry = kdbus_queue_entry_new(&dst->queue, slice, NULL, 0);
	if (!entry) {
		kdbus_slice_free(slice);
		return ERR_PTR(-ENOBUFS);
	}

	return entry;
}
