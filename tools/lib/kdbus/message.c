// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Messages that are made. Items are put where the kernel will read them; what is
 * only known when a message is sent is put behind them for that command.
 */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "priv.h"

static void message_close_files(struct kdb_msg *msg)
{
	while (msg->n_files > 0)
		close(msg->files[--msg->n_files]);
}

KDB_API void kdb_msg_reset(struct kdb_msg *msg)
{
	if (msg->n_files)
		message_close_files(msg);
	msg->end = sizeof(msg->h);
	msg->vecs = 0;
	msg->items = 0;
	msg->flags = 0;
	msg->chosen = false;
	msg->again = false;
	msg->has_fds = false;
	msg->name[0] = '\0';
	msg->h.priority = 0;
	msg->h.dst_id = KDBUS_DST_ID_NAME;
	msg->h.payload_type = KDB_PAYLOAD_BYTES;
	msg->h.cookie = 0;
}

KDB_API int kdb_msg_new(struct kdb_conn *conn, struct kdb_msg **ret)
{
	struct kdb_msg *msg = calloc(1, sizeof(*msg));

	if (!msg)
		return -ENOMEM;
	msg->conn = conn;
	kdb_msg_reset(msg);
	*ret = msg;
	return 0;
}

KDB_API void kdb_msg_free(struct kdb_msg *msg)
{
	if (!msg)
		return;
	message_close_files(msg);
	free(msg->filter);
	free(msg);
}

KDB_API void kdb_msg_to_id(struct kdb_msg *msg, uint64_t id)
{
	msg->name[0] = '\0';
	msg->h.dst_id = id;
}

KDB_API int kdb_msg_to_name(struct kdb_msg *msg, const char *name)
{
	size_t len = strnlen(name, NAME_MAX_LEN + 1);

	if (len == 0 || len > NAME_MAX_LEN)
		return -EINVAL;
	memcpy(msg->name, name, len + 1);
	msg->h.dst_id = KDBUS_DST_ID_NAME;
	return 0;
}

KDB_API int kdb_msg_set_type(struct kdb_msg *msg, uint64_t type)
{
	if (type == KDBUS_PAYLOAD_KERNEL)
		return -EINVAL;
	msg->h.payload_type = type;
	return 0;
}

KDB_API void kdb_msg_set_priority(struct kdb_msg *msg, int64_t priority)
{
	msg->h.priority = priority;
}

KDB_API void kdb_msg_set_no_start(struct kdb_msg *msg, int no_start)
{
	msg->flags = no_start ? KDBUS_MSG_FLAGS_NO_AUTO_START : 0;
}

KDB_API int kdb_msg_set_cookie(struct kdb_msg *msg, uint64_t cookie)
{
	if (!cookie)
		return -EINVAL;
	msg->h.cookie = cookie;
	msg->chosen = true;
	return 0;
}

KDB_API uint64_t kdb_msg_cookie(const struct kdb_msg *msg)
{
	return msg->h.cookie;
}

KDB_COLD uint64_t kdbi_cookie_search(struct kdb_conn *conn)
{
	do {
		if (++conn->cookie > UINT32_MAX)
			conn->cookie = 1;
	} while (kdbi_slot_find(conn, conn->cookie));
	return conn->cookie;
}

KDB_API uint64_t kdb_cookie(struct kdb_conn *conn)
{
	return kdbi_cookie(conn);
}

/* Returns the next item, or NULL if a message can have no more. */
static struct kdbus_item *message_item(struct kdb_msg *msg, uint64_t type,
				       size_t size)
{
	struct kdbus_item *item = (void *)((uint8_t *)msg->room + msg->end);

	if (msg->items == MSG_MAX_ITEMS)
		return NULL;
	item->size = ITEM_HEADER + size;
	item->type = type;
	msg->end += ITEM_SPACE(size);
	msg->items++;
	return item;
}

/* There is room for as many parts as there may be, and the most descriptors. */
#define MOST_ITEMS							\
	(sizeof(struct kdbus_msg) + MSG_MAX_ITEMS * ITEM_SPACE(16) +	\
	 ITEM_SPACE(MSG_MAX_FDS * sizeof(int)))
static_assert(MOST_ITEMS <= MSG_MAX_SIZE, "parts fit into a message");

static inline int message_vec(struct kdb_msg *msg, uint64_t address, size_t size)
{
	struct kdbus_item *item = (void *)((uint8_t *)msg->room + msg->end);

	if (msg->items == MSG_MAX_ITEMS)
		return -E2BIG;
	msg->items++;
	msg->end += ITEM_SPACE(sizeof(item->vec));
	item->size = ITEM_HEADER + sizeof(item->vec);
	item->type = KDBUS_ITEM_PAYLOAD_VEC;
	item->vec.size = size;
	item->vec.address = address;
	msg->vecs += size;
	return 0;
}

KDB_API int kdb_msg_put_file(struct kdb_msg *msg, int fd, uint64_t size)
{
	struct kdbus_item *item;

	if (!size)
		return -EINVAL;
	if (fd < 0)
		return -EBADF;
	item = message_item(msg, KDBUS_ITEM_PAYLOAD_MEMFD, sizeof(item->memfd));
	if (!item)
		return -E2BIG;
	item->memfd = (struct kdbus_memfd){ .size = size, .fd = fd };
	return 0;
}

/* The file stays with the message. */
static KDB_COLD int message_put_as_file(struct kdb_msg *msg, const void *data,
					size_t size)
{
	int fd, r;

	if (msg->items == MSG_MAX_ITEMS)
		return -E2BIG;
	fd = kdbi_file_of(data, size);
	if (fd < 0)
		return fd;
	r = kdb_msg_put_file(msg, fd, size);
	if (r < 0)
		close(fd);
	else
		msg->files[msg->n_files++] = fd;
	return r;
}

KDB_API int kdb_msg_put(struct kdb_msg *msg, const void *data, size_t size)
{
	if (size > msg->conn->file_size || size > MSG_MAX_VECS - msg->vecs)
		return message_put_as_file(msg, data, size);
	return size ? message_vec(msg, PTR64(data), size) : 0;
}

KDB_API int kdb_msg_put_zeros(struct kdb_msg *msg, size_t size)
{
	if (!size)
		return 0;
	if (size > MSG_MAX_VECS - msg->vecs)
		return -EMSGSIZE;
	return message_vec(msg, 0, size);
}

KDB_API int kdb_msg_put_fds(struct kdb_msg *msg, const int *fds, size_t n)
{
	struct kdbus_item *item;

	if (!n)
		return 0;
	if (msg->has_fds)
		return -EEXIST;
	if (n > MSG_MAX_FDS)
		return -EMFILE;
	item = message_item(msg, KDBUS_ITEM_FDS, n * sizeof(*fds));
	if (!item)
		return -E2BIG;
	memcpy(item->fds, fds, n * sizeof(*fds));
	msg->has_fds = true;
	return 0;
}

/* An item behind the others, for one command only; where it ends, or 0. */
static inline size_t message_last(struct kdb_msg *msg, size_t end,
				  uint64_t type, const void *data, size_t size)
{
	struct kdbus_item *item = (void *)((uint8_t *)msg->room + end);

	if (ITEM_SPACE(size) > sizeof(msg->room) - end)
		return 0;
	item->size = ITEM_HEADER + size;
	item->type = type;
	memcpy(item->data, data, size);
	return end + ITEM_SPACE(size);
}

/* The receiver, or what a broadcast is about: where that ends, or an errno. */
static KDB_COLD ssize_t message_address(struct kdb_msg *msg)
{
	size_t end;

	if (msg->items == MSG_MAX_ITEMS)
		return -EMSGSIZE;
	if (msg->h.dst_id != KDBUS_DST_ID_BROADCAST) {
		end = message_last(msg, msg->end, KDBUS_ITEM_DST_NAME,
				   msg->name, strlen(msg->name) + 1);
	} else {
		/* as the kernel calls a broadcast that is about nothing */
		if (!msg->filter)
			return -EBADMSG;
		end = message_last(msg, msg->end, KDBUS_ITEM_BLOOM_FILTER,
				   msg->filter->data,
				   msg->filter_size - ITEM_HEADER);
	}
	return end ? (ssize_t)end : -EMSGSIZE;
}

/*
 * Sends a message. @word is its deadline, or the number of what it answers. What is
 * at @offset, if that is not KDBUS_OFFSET_NONE, is freed when that has succeeded and
 * KDBUS_MSG_EXT_FREE is in the flags of the header. kdbi_msg_sent() does what is to
 * be done then.
 */
int kdbi_msg_send(struct kdb_msg *msg, uint64_t flags, uint64_t word,
		  uint64_t offset)
{
	struct kdbus_msg *h = &msg->h;
	ssize_t end = msg->end, more;

	if (msg->name[0] || h->dst_id == KDBUS_DST_ID_BROADCAST) {
		end = message_address(msg);
		if (end < 0)
			return end;
	}
	flags |= msg->flags;
	if (offset != KDBUS_OFFSET_NONE && msg->items < MSG_MAX_ITEMS - 1) {
		more = message_last(msg, end, KDBUS_ITEM_FREE, &offset,
				    sizeof(offset));
		if (more) {
			end = more;
			flags |= KDBUS_MSG_EXT_FREE;
		}
	}
	if (!msg->chosen)
		h->cookie = kdbi_cookie(msg->conn);
	h->size = end;
	h->flags = flags;
	h->timeout_ns = word;
	return ioctl(msg->conn->fd, KDBUS_CMD_MSG_SEND, h) < 0 ? -errno : 0;
}

static int message_send(struct kdb_msg *msg, uint64_t word)
{
	int r = kdbi_msg_send(msg, 0, word, msg->conn->parked);

	if (r == 0)
		kdbi_msg_sent(msg);
	return r;
}

KDB_API int kdb_send(struct kdb_msg *msg)
{
	return message_send(msg, 0);
}

KDB_API int kdb_reply(struct kdb_view *view, struct kdb_msg *msg)
{
	if (view->h->src_id == KDBUS_SRC_ID_KERNEL)
		return -EINVAL;
	kdbi_msg_answers(msg, view->h);
	return message_send(msg, view->h->cookie);
}
