// SPDX-License-Identifier: GPL-2.0
#include <linux/err.h>
#include <linux/kernel.h>
#include <linux/pagemap.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "bus.h"
#include "cmd.h"
#include "conn.h"
#include "files.h"
#include "item.h"
#include "limits.h"
#include "memcg.h"
#include "message.h"
#include "pool/pool.h"

/**
 * kdbus_message_check() - what is checked before flags are negotiated
 * @cmd:	KDBUS_CMD_MSG_SEND
 *
 * Return: 0, or -EINVAL if the message claims to be from the kernel.
 */
int kdbus_message_check(const struct kdbus_cmd *cmd)
{
	const struct kdbus_msg *msg = cmd->data;

	return msg->payload_type == KDBUS_PAYLOAD_KERNEL ? -EINVAL : 0;
}

static int message_check_flags(const struct kdbus_msg *msg)
{
	bool expect = msg->flags & KDBUS_MSG_FLAGS_EXPECT_REPLY;

	if (expect && msg->timeout_ns == 0)
		return -EINVAL;
	if (expect && msg->dst_id == KDBUS_DST_ID_BROADCAST)
		return -ENOTUNIQ;
	if (msg->flags & KDBUS_MSG_FLAGS_SYNC_REPLY && !expect)
		return -EINVAL;
	return 0;
}

static int message_take_vec(struct kdbus_message *m, const struct kdbus_vec *vec)
{
	if (vec->size > KDBUS_MSG_MAX_PAYLOAD_VEC_SIZE - m->vec_total)
		return -EMSGSIZE;

	m->vec_total += vec->size;
	m->data_size += vec->address ? vec->size : vec->size % 8;
	m->items_size += KDBUS_ITEM_PADDED(sizeof(struct kdbus_vec));
	return 0;
}

/* how many files the message can have from this item on */
static unsigned int message_count_files(const struct kdbus_message *m,
					const struct kdbus_item *first)
{
	size_t left = (const u8 *)m->items + m->items_len - (const u8 *)first;
	const struct kdbus_item *item;
	unsigned int n = 0;

	kdbus_items_foreach(item, first, left) {
		if (item->type == KDBUS_ITEM_PAYLOAD_MEMFD)
			n++;
		else if (item->type == KDBUS_ITEM_FDS)
			n += min_t(size_t, kdbus_item_payload(item) /
				   sizeof(int), KDBUS_MSG_MAX_FDS);
	}

	return n;
}

static int message_add_file(struct kdbus_message *m, struct file *file)
{
	if (IS_ERR(file))
		return PTR_ERR(file);

	m->files->slots[m->files->n++].file = file;
	return 0;
}

static int message_need_files(struct kdbus_message *m, const struct kdbus_item *item)
{
	if (!m->files)
		m->files = kdbus_files_new(message_count_files(m, item));
	return m->files ? 0 : -ENOMEM;
}

static int message_take_memfd(struct kdbus_message *m, const struct kdbus_item *item)
{
	int r;

	r = message_need_files(m, item);
	if (r < 0)
		return r;

	m->items_size += KDBUS_ITEM_PADDED(sizeof(struct kdbus_memfd));
	return message_add_file(m, kdbus_memfd_get(item->memfd.fd, item->memfd.size));
}

static int message_take_fds(struct kdbus_message *m, const struct kdbus_item *item)
{
	size_t i, n = kdbus_item_payload(item) / sizeof(int);
	int r;

	if (m->fds)
		return -EEXIST;
	if (kdbus_message_is_broadcast(m))
		return -ENOTUNIQ;
	if (n > KDBUS_MSG_MAX_FDS)
		return -EMFILE;

	r = message_need_files(m, item);
	if (r < 0)
		return r;

	m->fds = item;
	m->items_size += KDBUS_ITEM_PADDED(n * sizeof(int));
	m->files->first_fd = m->files->n;
	for (i = 0; i < n && r == 0; i++)
		r = message_add_file(m, kdbus_passable_get(item->fds[i]));
	m->files->n_fds = n;
	return r;
}

static int message_take_bloom(struct kdbus_message *m, const struct kdbus_item *item,
			      const struct kdbus_bus *bus)
{
	size_t size = kdbus_item_payload(item) - sizeof(*m->bloom);

	if (m->bloom)
		return -EEXIST;
	if (!kdbus_message_is_broadcast(m))
		return -EBADMSG;
	if (!IS_ALIGNED(size, 8))
		return -EFAULT;
	if (size != bus->bloom.size)
		return -EDOM;

	m->bloom = &item->bloom_filter;
	return 0;
}

static int message_take_dst_name(struct kdbus_message *m, const char *name)
{
	if (m->dst_name)
		return -EEXIST;
	if (!kdbus_name_is_valid(name, false))
		return -EINVAL;

	m->dst_name = name;
	return 0;
}

static int message_take_item(struct kdbus_message *m, const struct kdbus_item *item,
			     const struct kdbus_bus *bus)
{
	switch (item->type) {
	case KDBUS_ITEM_PAYLOAD_VEC:
		return message_take_vec(m, &item->vec);
	case KDBUS_ITEM_PAYLOAD_MEMFD:
		return message_take_memfd(m, item);
	case KDBUS_ITEM_FDS:
		return message_take_fds(m, item);
	case KDBUS_ITEM_BLOOM_FILTER:
		return message_take_bloom(m, item, bus);
	case KDBUS_ITEM_DST_NAME:
		return message_take_dst_name(m, item->str);
	default:
		/* counts, but is not received: metadata cannot be forged */
		return 0;
	}
}

static int message_take_items(struct kdbus_message *m, const struct kdbus_bus *bus)
{
	const struct kdbus_item *item;
	unsigned int n = 0;
	int r;

	kdbus_items_foreach(item, m->items, m->items_len) {
		if (++n > KDBUS_MSG_MAX_ITEMS)
			return -E2BIG;
		r = message_take_item(m, item, bus);
		if (r < 0)
			return r;
	}

	return 0;
}

static int message_check_destination(const struct kdbus_message *m)
{
	const struct kdbus_msg *msg = m->msg;

	if (msg->dst_id == KDBUS_DST_ID_NAME && !m->dst_name)
		return -EDESTADDRREQ;

	if (kdbus_message_is_broadcast(m)) {
		if (m->dst_name || !m->bloom)
			return -EBADMSG;
		if (msg->cookie_reply != 0)
			return -ENOTUNIQ;
	}

	if (msg->src_id != 0 && msg->src_id != m->src->id)
		return -EINVAL;
	return 0;
}

/* a call that goes on waiting sends nothing, its files are in flight already */
static bool message_comes_back(const struct kdbus_message *m)
{
	return m->msg->flags & KDBUS_MSG_FLAGS_SYNC_REPLY &&
	       kdbus_reply_is_interrupted(m->src, m->msg->cookie);
}

/**
 * kdbus_message_init() - make a message of a command
 * @m:		The message, uninitialised
 * @cmd:	KDBUS_CMD_MSG_SEND, kept until kdbus_message_release()
 * @src:	The sender
 *
 * Documentation/kdbus.txt, section 10.
 *
 * Context: May sleep.
 *
 * Return: 0, or the errno of the first thing that is wrong; then nothing has to
 * be released.
 */
int kdbus_message_init(struct kdbus_message *m, const struct kdbus_cmd *cmd,
		       struct kdbus_conn *src)
{
	int r;

	*m = (struct kdbus_message){
		.msg		= cmd->data,
		.items		= kdbus_cmd_items(cmd),
		.items_len	= kdbus_cmd_items_len(cmd),
		.src		= src,
	};

	r = message_check_flags(m->msg);
	if (r == 0)
		r = message_take_items(m, src->bus);
	if (r == 0)
		r = message_check_destination(m);
	if (r == 0 && m->files && !message_comes_back(m))
		r = kdbus_files_charge(m->files, src->real_user);
	if (r < 0)
		kdbus_message_release(m);
	return r;
}

/**
 * kdbus_message_release() - let go of the files of a message
 * @m:		The message; releasing it twice does no harm
 *
 * Context: May sleep.
 */
void kdbus_message_release(struct kdbus_message *m)
{
	kdbus_files_free(m->files);
	m->files = NULL;
	kdbus_msg_meta_release(&m->attach);
	kvfree(m->data);
	m->data = NULL;
}

static size_t message_dst_name_size(const struct kdbus_message *m)
{
	return m->dst_name ? KDBUS_ITEM_PADDED(strlen(m->dst_name) + 1) : 0;
}

/* header, items and metadata, as received */
static size_t message_head_size(const struct kdbus_message *m, u64 want)
{
	return sizeof(*m->msg) + message_dst_name_size(m) + m->items_size +
	       kdbus_msg_meta_size(&m->attach, want);
}

/**
 * kdbus_message_size() - bytes a message takes in a pool
 * @m:		The message
 * @want:	Metadata that the receiver may have: KDBUS_ATTACH_* flags
 *
 * Return: The number of bytes, not a multiple of 8.
 */
size_t kdbus_message_size(const struct kdbus_message *m, u64 want)
{
	return message_head_size(m, want) + m->data_size;
}

static void message_write_header(const struct kdbus_message *m, struct kdbus_cursor *w,
				 s64 ahead, size_t size)
{
	struct kdbus_msg msg = *m->msg;

	msg.size = size;
	/* the receiver is not told how it was sent */
	msg.flags &= ~(KDBUS_MSG_EXT_RECV | KDBUS_MSG_EXT_FREE);
	msg.kernel_flags = 0;
	msg.src_id = m->src->id;
	if (kdbus_message_is_request(m))
		msg.timeout_ns = kdbus_clock_shift(msg.timeout_ns,
						   ahead - kdbus_clock_ahead());
	kdbus_cursor_add(w, &msg, sizeof(msg));

	if (m->dst_name)
		kdbus_cursor_add_item(w, KDBUS_ITEM_DST_NAME, m->dst_name,
				      strlen(m->dst_name) + 1);
}

static void message_write_vec(struct kdbus_cursor *w, const struct kdbus_vec *vec,
			      size_t *data)
{
	struct kdbus_vec off = {
		.size	= vec->size,
		.offset	= vec->address ? *data : ~0ULL,
	};

	kdbus_cursor_add_item(w, KDBUS_ITEM_PAYLOAD_OFF, &off, sizeof(off));
	*data += vec->address ? vec->size : vec->size % 8;
}

static size_t message_write_memfd(struct kdbus_cursor *w, u64 size)
{
	struct kdbus_memfd memfd = { .size = size, .fd = -1 };

	return kdbus_cursor_add_item(w, KDBUS_ITEM_PAYLOAD_MEMFD, &memfd,
				     sizeof(memfd)) +
	       offsetof(struct kdbus_memfd, fd);
}

static void message_write_fds(struct kdbus_message *m, struct kdbus_cursor *w)
{
	/* the receiver is not told the numbers of the sender */
	static const int none[] = { [0 ... KDBUS_MSG_MAX_FDS - 1] = -1 };
	unsigned int i, n = m->files->n_fds;
	size_t at;

	at = kdbus_cursor_add_item(w, KDBUS_ITEM_FDS, none, n * sizeof(int));
	for (i = 0; i < n; i++)
		kdbus_files_slot(m->files, i)->at = at + i * sizeof(int);
}

/* writes header and items, and notes where numbers of files will go */
static size_t message_write_head(struct kdbus_message *m, struct kdbus_slice *slice,
				 u64 want, s64 ahead, size_t data)
{
	unsigned int n = m->files ? m->files->n_fds : 0;
	const struct kdbus_item *item;
	struct kdbus_cursor w;

	kdbus_cursor_init(&w, slice);
	message_write_header(m, &w, ahead, data);

	kdbus_items_foreach(item, m->items, m->items_len) {
		if (item->type == KDBUS_ITEM_PAYLOAD_VEC)
			message_write_vec(&w, &item->vec, &data);
		else if (item->type == KDBUS_ITEM_PAYLOAD_MEMFD)
			kdbus_files_slot(m->files, n++)->at =
				message_write_memfd(&w, item->memfd.size);
	}

	if (m->fds)
		message_write_fds(m, &w);

	return kdbus_msg_meta_write(&m->attach, want, ahead, &w);
}

/* the one copy of the payload */
static int message_write_data(const struct kdbus_message *m, struct kdbus_slice *slice,
			      size_t data)
{
	static const u8 zeros[8];
	const struct kdbus_item *item;
	int r;

	if (m->data) {
		kdbus_slice_write(slice, data, m->data, m->data_size);
		return 0;
	}

	kdbus_items_foreach(item, m->items, m->items_len) {
		if (item->type != KDBUS_ITEM_PAYLOAD_VEC)
			continue;

		if (!item->vec.address) {
			kdbus_slice_write(slice, data, zeros,
					  item->vec.size % 8);
			data += item->vec.size % 8;
			continue;
		}

		r = kdbus_slice_write_user(slice, data,
					   u64_to_user_ptr(item->vec.address),
					   item->vec.size);
		if (r < 0)
			return r;
		data += item->vec.size;
	}

	return 0;
}

/**
 * kdbus_message_snapshot() - read the payload once, for several receivers
 * @m:		The message
 *
 * All of them get the same bytes, whatever the sender does meanwhile.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, -ENOMEM, or -EFAULT if payload cannot be read.
 */
int kdbus_message_snapshot(struct kdbus_message *m)
{
	const struct kdbus_item *item;
	u8 *data, *pos;

	if (m->data || !m->data_size)
		return 0;

	/* NUL vecs leave zeros behind */
	data = kvzalloc(m->data_size, KDBUS_GFP_CALLER);
	if (!data)
		return -ENOMEM;

	pos = data;
	kdbus_items_foreach(item, m->items, m->items_len) {
		if (item->type != KDBUS_ITEM_PAYLOAD_VEC)
			continue;
		if (!item->vec.address) {
			pos += item->vec.size % 8;
			continue;
		}
		if (copy_from_user(pos, u64_to_user_ptr(item->vec.address),
				   item->vec.size))
			goto err_fault;
		pos += item->vec.size;
	}

	m->data = data;
	return 0;

err_fault:
	/* m->data stays NULL, so that a second try fails as well */
	kvfree(data);
	return -EFAULT;
}

/**
 * kdbus_message_collect() - collect the metadata of a message
 * @m:		The message
 * @want:	What is wanted: KDBUS_ATTACH_* flags
 *
 * What was collected before stays.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0 or -ENOMEM.
 */
int kdbus_message_collect(struct kdbus_message *m, u64 want)
{
	return kdbus_msg_meta_collect(&m->attach, &m->src->self, &m->src->names,
				      want);
}

/**
 * kdbus_message_fault_in() - wait until the payload can be read
 * @m:		The message
 *
 * Context: May sleep, for as long as user space likes: no locks may be held.
 *
 * Return: 0, or -EFAULT if it never can.
 */
int kdbus_message_fault_in(const struct kdbus_message *m)
{
	const struct kdbus_item *item;

	if (m->data)
		return 0;

	kdbus_items_foreach(item, m->items, m->items_len)
		if (item->type == KDBUS_ITEM_PAYLOAD_VEC && item->vec.address &&
		    fault_in_readable(u64_to_user_ptr(item->vec.address),
				      item->vec.size))
			return -EFAULT;

	return 0;
}

/**
 * kdbus_message_write() - write a message into a slice
 * @m:		The message
 * @slice:	At least kdbus_message_size() bytes, owned by the caller
 * @want:	Metadata that the receiver may have: KDBUS_ATTACH_* flags
 * @ahead:	How far the clock of the receiver is ahead, see meta.h
 * @stamp:	Set to where in the slice the number of the message goes, or 0
 *
 * Documentation/kdbus.txt, section 11.3.
 *
 * Context: May sleep, for as long as user space likes: no locks may be held. With
 * page faults disabled it does not, and payload that is not there is -EFAULT.
 *
 * Return: 0, or -EFAULT if payload cannot be read.
 */
int kdbus_message_write(struct kdbus_message *m, struct kdbus_slice *slice,
			u64 want, s64 ahead, size_t *stamp)
{
	size_t data = message_head_size(m, want);

	*stamp = message_write_head(m, slice, want, ahead, data);
	return message_write_data(m, slice, data);
}
