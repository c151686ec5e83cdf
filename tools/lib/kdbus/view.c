// SPDX-License-Identifier: LGPL-2.1-or-later
/* Received messages. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "priv.h"

/* One more view, which shows nothing yet; NULL if there is no memory. */
KDB_COLD struct kdb_view *kdbi_view_make(struct kdb_conn *conn)
{
	struct kdb_view *view = calloc(1, sizeof(*view));

	if (!view)
		return NULL;
	view->conn = conn;
	view->next = conn->views;
	conn->views = view;
	return view;
}

static void view_read_one(struct kdb_view *view, const struct kdbus_item *item)
{
	switch (item->type) {
	case KDBUS_ITEM_PAYLOAD_OFF:
		view->parts++;
		view->size += item->vec.size;
		if (item->vec.offset == KDBUS_OFFSET_NONE) {
			view->zeros++;
			return;
		}
		if (!view->in_pool)
			view->data = (const uint8_t *)view->h +
				     item->vec.offset;
		view->in_pool += item->vec.size;
		return;
	case KDBUS_ITEM_PAYLOAD_MEMFD:
		view->parts++;
		view->files++;
		view->size += item->memfd.size;
		return;
	case KDBUS_ITEM_FDS:
		view->fds = item->fds;
		view->n_fds = (item->size - ITEM_HEADER) / sizeof(int);
	}
}

/*
 * The name that it was addressed to comes first, then payload, then descriptors, then
 * what is looked at on demand: metadata, or a notification.
 */
static KDB_COLD void view_read(struct kdb_view *view, const struct kdbus_item *item)
{
	const void *end = kdbi_msg_end(view->h);

	if ((const void *)item < end && item->type == KDBUS_ITEM_DST_NAME) {
		view->name = item->str;
		item = kdbi_item_next(item);
	}
	view->first = item;
	kdbi_for_each_item(item, view->first, end) {
		if (item->type >= _KDBUS_ITEM_ATTACH_BASE)
			break;
		view_read_one(view, item);
	}
	view->items_end = item;
	if (view->files || view->n_fds)
		memset(view->taken, 0, sizeof(view->taken));
}

/* @ours: it is the caller's to free. */
void kdbi_view_show(struct kdb_view *view, uint64_t offset, bool ours)
{
	const struct kdbus_msg *h = (const void *)(view->conn->pool + offset);
	const struct kdbus_item *item = h->items;

	view->state = ours ? VIEW_OURS : VIEW_PEEKED;
	view->has_meta = false;
	view->h = h;
	view->offset = offset;
	view->name = NULL;
	view->parts = 0;
	view->zeros = 0;
	view->files = 0;
	view->n_fds = 0;
	/* as most are: some bytes, and nothing else */
	if (h->size == sizeof(*h) + ITEM_SPACE(sizeof(item->vec)) &&
	    item->type == KDBUS_ITEM_PAYLOAD_OFF &&
	    item->vec.offset != KDBUS_OFFSET_NONE) {
		view->first = item;
		view->items_end = kdbi_msg_end(h);
		view->data = (const uint8_t *)h + item->vec.offset;
		view->in_pool = item->vec.size;
		view->size = item->vec.size;
		view->parts = 1;
		return;
	}
	view->data = NULL;
	view->in_pool = 0;
	view->size = 0;
	view_read(view, item);
}

static bool view_taken(const struct kdb_view *view, unsigned int n)
{
	return view->taken[n / 64] & 1ULL << n % 64;
}

static void view_take(struct kdb_view *view, unsigned int n)
{
	view->taken[n / 64] |= 1ULL << n % 64;
}

static void view_close(const struct kdb_view *view, unsigned int n, int fd)
{
	if (fd >= 0 && !view_taken(view, n))
		close(fd);
}

static void view_close_all(struct kdb_view *view)
{
	const struct kdbus_item *item;
	unsigned int i, part = 0;

	for (i = 0; i < view->n_fds; i++)
		view_close(view, i, view->fds[i]);
	if (!view->files)
		return;
	kdbi_for_each_item(item, view->first, view->items_end) {
		if (item->type == KDBUS_ITEM_PAYLOAD_MEMFD)
			view_close(view, TAKEN_PARTS + part, item->memfd.fd);
		part++;
	}
}

/* Files of a message, open or mapped */
KDB_COLD void kdbi_view_strip(struct kdb_view *view)
{
	if (view->map)
		munmap(view->map, view->size);
	view->map = NULL;
	if (view->state == VIEW_OURS)
		view_close_all(view);
}

/* A small message is left for the next command to free; park_max says how small. */
static inline void view_free(struct kdb_conn *conn, uint64_t offset,
			     uint64_t size)
{
	uint64_t other = conn->parked;

	if (size <= conn->park_max) {
		conn->parked = offset;
		offset = other;
	}
	if (offset != KDBUS_OFFSET_NONE)
		kdbi_free(conn, offset);
}

KDB_API int kdb_view_release(struct kdb_view *view)
{
	enum kdbi_view_state state;

	if (!view)
		return 0;
	state = view->state;
	if (state == VIEW_IDLE)
		return -EALREADY;
	kdbi_view_put(view);
	if (state == VIEW_OURS)
		view_free(view->conn, view->offset,
			  view->h->size + view->in_pool);
	return 0;
}

/* Frees all views, and returns how many of them showed something. */
int kdbi_views_end(struct kdb_conn *conn)
{
	struct kdb_view *view, *next;
	int held = 0;

	for (view = conn->views; view; view = view->next) {
		if (view->state == VIEW_IDLE)
			continue;
		kdbi_view_put(view);
		held++;
	}
	for (view = conn->views; view; view = next) {
		next = view->next;
		free(view);
	}
	return held;
}

KDB_API const struct kdbus_msg *kdb_view_header(const struct kdb_view *view)
{
	return view->h;
}

KDB_API const char *kdb_view_name(const struct kdb_view *view)
{
	return view->name;
}

KDB_API uint64_t kdb_view_size(const struct kdb_view *view)
{
	return view->size;
}

KDB_API unsigned int kdb_view_parts(const struct kdb_view *view)
{
	return view->parts;
}

KDB_API unsigned int kdb_view_fds(const struct kdb_view *view)
{
	return view->n_fds;
}

static const struct kdbus_item *view_part(const struct kdb_view *view,
					  unsigned int n)
{
	const struct kdbus_item *item = view->first;

	if (n >= view->parts)
		return NULL;
	while (n-- > 0)
		item = kdbi_item_next(item);
	return item;
}

KDB_API int kdb_view_part(const struct kdb_view *view, unsigned int n,
			  struct kdb_part *part)
{
	const struct kdbus_item *item = view_part(view, n);

	if (!item)
		return -ENOENT;
	*part = (struct kdb_part){ .fd = -1 };
	if (item->type == KDBUS_ITEM_PAYLOAD_MEMFD) {
		part->kind = KDB_PART_FILE;
		part->fd = item->memfd.fd;
		part->size = item->memfd.size;
		return 0;
	}
	part->size = item->vec.size;
	if (item->vec.offset == KDBUS_OFFSET_NONE) {
		part->kind = KDB_PART_ZEROS;
	} else {
		part->kind = KDB_PART_BYTES;
		part->data = (const uint8_t *)view->h + item->vec.offset;
	}
	return 0;
}

/* The file that is all of the payload. */
static int view_map(struct kdb_view *view)
{
	const struct kdbus_memfd *memfd = &view->first->memfd;
	void *map;

	if (view->map)
		return 0;
	if (memfd->fd < 0)
		return -EBADF;
	map = mmap(NULL, view->size, PROT_READ, MAP_PRIVATE, memfd->fd, 0);
	if (map == MAP_FAILED)
		return -errno;
	view->map = map;
	return 0;
}

KDB_API int kdb_view_data(struct kdb_view *view, const void **data,
			  size_t *size)
{
	int r;

	if (view->in_pool == view->size) {
		*data = view->data;
		*size = view->size;
		return 0;
	}
	if (view->parts > 1 || view->zeros)
		return -EMULTIHOP;
	r = view_map(view);
	if (r < 0)
		return r;
	*data = view->map;
	*size = view->size;
	return 0;
}

static int view_copy_file(int fd, uint8_t *to, uint64_t size)
{
	uint64_t done = 0;
	ssize_t n;

	if (fd < 0)
		return -EBADF;
	while (done < size) {
		n = pread(fd, to + done, size - done, done);
		if (n <= 0)
			return n < 0 ? -errno : -EIO;
		done += n;
	}
	return 0;
}

KDB_API int kdb_view_copy(const struct kdb_view *view, void *buf, size_t size)
{
	uint8_t *to = buf;
	struct kdb_part part;
	unsigned int i;
	int r;

	if (size < view->size)
		return -EMSGSIZE;
	for (i = 0; i < view->parts; i++, to += part.size) {
		kdb_view_part(view, i, &part);
		if (part.kind == KDB_PART_BYTES) {
			memcpy(to, part.data, part.size);
		} else if (part.kind == KDB_PART_ZEROS) {
			memset(to, 0, part.size);
		} else {
			r = view_copy_file(part.fd, to, part.size);
			if (r < 0)
				return r;
		}
	}
	return 0;
}

KDB_API int kdb_view_fd(const struct kdb_view *view, unsigned int n)
{
	if (n >= view->n_fds)
		return -ENOENT;
	if (view_taken(view, n))
		return -EALREADY;
	return view->fds[n] < 0 ? -EBADF : view->fds[n];
}

KDB_API int kdb_view_take_fd(struct kdb_view *view, unsigned int n)
{
	int fd = kdb_view_fd(view, n);

	if (fd >= 0)
		view_take(view, n);
	return fd;
}

KDB_API int kdb_view_take_file(struct kdb_view *view, unsigned int n)
{
	const struct kdbus_item *item = view_part(view, n);

	if (!item)
		return -ENOENT;
	if (item->type != KDBUS_ITEM_PAYLOAD_MEMFD)
		return -EMEDIUMTYPE;
	if (view_taken(view, TAKEN_PARTS + n))
		return -EALREADY;
	if (item->memfd.fd < 0)
		return -EBADF;
	view_take(view, TAKEN_PARTS + n);
	return item->memfd.fd;
}
