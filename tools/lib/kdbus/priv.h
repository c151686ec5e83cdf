/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * What the files of the library share, and nobody else sees: names begin with
 * kdbi_, which the library does not export.
 *
 * Reading order: connection.c, message.c, view.c, receive.c, call.c, serve.c; the
 * others by subject.
 */
#ifndef KDBUS_PRIV_H
#define KDBUS_PRIV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <kdbus/kdbus.h>

#define KDB_API		__attribute__((__visibility__("default")))

/* What is out of the way of most messages, and must not make that longer */
#define KDB_COLD	__attribute__((__cold__, __noinline__))

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define ALIGN8(x)	(((x) + 7) & ~(size_t)7)
#define ITEM_HEADER	offsetof(struct kdbus_item, data)
#define ITEM_SPACE(s)	ALIGN8(ITEM_HEADER + (s))
#define PTR64(p)	((uint64_t)(uintptr_t)(p))

/* section 5.5 of the manual */
#define MSG_MAX_SIZE	8192
#define MSG_MAX_ITEMS	128
#define MSG_MAX_FDS	253
#define MSG_MAX_VECS	(2UL << 20)
#define NAME_MAX_LEN	255
#define MAX_PENDING	128

/*
 * A released message of at most this size is left for the next command to free. A
 * larger one would keep others out of the pool if no command came.
 */
#define PARK_MAX	(64U << 10)

/**
 * struct kdbi_slot - an asynchronous call that is not over
 * @cookie:	Its number, 0: the slot is free
 * @dst:	Id of who owes the answer, 0 if it was called by name
 * @deadline:	When it is over
 * @fn:		What to call then, NULL if nobody waits any more
 * @arg:	For @fn
 */
struct kdbi_slot {
	uint64_t cookie;
	uint64_t dst;
	uint64_t deadline;
	kdb_answer_fn fn;
	void *arg;
};

/**
 * struct kdbi_watch - a name that is watched
 * @next:	The next one, in the order in which they were made
 * @cookie:	Number of its matches
 * @fn:		What to call, NULL if the watch has ended
 * @arg:	For @fn
 * @name:	The name, empty for all
 */
struct kdbi_watch {
	struct kdbi_watch *next;
	uint64_t cookie;
	kdb_name_fn fn;
	void *arg;
	char name[];
};

/**
 * struct kdb_conn - a connection
 * @fd:		The descriptor
 * @features:	KDB_FEATURE_*
 * @handling:	A handler is running
 * @stop:	kdb_serve() is to return
 * @id:		Its id
 * @pool:	The pool, mapped
 * @pool_size:	Bytes there
 * @park_max:	Messages of at most this size are parked, 0: none
 * @parked:	Offset of a message that the next command frees, or
 *		KDBUS_OFFSET_NONE
 * @cookie:	Number of the last message
 * @match:	Number of the last match
 * @file_size:	Payload of more than this many bytes becomes a file
 * @bloom:	Shape of filters
 * @bus_id:	Id of the bus
 * @handler:	Who handles messages
 * @handler_arg: For @handler
 * @reply:	What the handler fills
 * @watches:	Watched names
 * @views:	All views there are
 * @idle:	Those that show nothing, the one that was released first in front
 * @idle_end:	Where the next one goes
 * @pending:	How many slots are taken
 * @slots:	Asynchronous calls
 */
struct kdb_conn {
	int fd;
	unsigned int features;
	bool handling;
	bool stop;
	uint64_t id;
	const uint8_t *pool;
	size_t pool_size;
	size_t park_max;
	uint64_t parked;
	uint64_t cookie;
	uint64_t match;
	size_t file_size;
	struct kdbus_bloom_parameter bloom;
	uint8_t bus_id[16];
	kdb_message_fn handler;
	void *handler_arg;
	struct kdb_msg *reply;
	struct kdbi_watch *watches;
	struct kdb_view *views;
	struct kdb_view *idle;
	struct kdb_view **idle_end;
	unsigned int pending;
	struct kdbi_slot slots[MAX_PENDING];
};

/**
 * struct kdb_msg - a message that is being made
 * @conn:	Who sends it
 * @end:	Bytes of header and items, without what is added when it is sent
 * @vecs:	Bytes of payload that the kernel is to copy
 * @items:	How many items
 * @flags:	KDBUS_MSG_FLAGS_* that it has in any case
 * @chosen:	The number in the header is to be used
 * @again:	That is because a call was interrupted
 * @has_fds:	It has descriptors
 * @filter:	For a broadcast: the filter, as a whole item
 * @filter_size: Bytes of @filter, 0 until it was needed
 * @n_files:	How many memory files were made for it
 * @files:	These
 * @name:	Receiver, if it has a name
 * @h:		The header
 * @room:	Items
 */
struct kdb_msg {
	struct kdb_conn *conn;
	size_t end;
	size_t vecs;
	unsigned int items;
	uint64_t flags;
	bool chosen;
	bool again;
	bool has_fds;
	struct kdbus_item *filter;
	size_t filter_size;
	unsigned int n_files;
	int files[MSG_MAX_ITEMS];
	char name[NAME_MAX_LEN + 1];
	union {
		struct kdbus_msg h;
		uint64_t room[MSG_MAX_SIZE / 8];
	};
};

enum kdbi_view_state {
	VIEW_IDLE,
	VIEW_PEEKED,
	VIEW_OURS,
};

/* descriptors first, then parts of the payload */
#define TAKEN_PARTS	256

/**
 * struct kdb_view - a received message
 * @conn:	Who has received it
 * @next:	The next one of all
 * @idle:	The next one that shows nothing
 * @state:	What it shows, and whether that is to be freed
 * @h:		The message
 * @offset:	Where it is in the pool
 * @name:	The name that it was sent to, or NULL
 * @first:	The first item of the payload
 * @items_end:	Where items that are neither payload nor descriptors begin
 * @data:	Payload in the pool, which is in one piece
 * @in_pool:	How many bytes that is
 * @size:	How many bytes the payload has
 * @parts:	How many parts
 * @zeros:	How many of these are zeros
 * @files:	How many are files
 * @n_fds:	How many descriptors
 * @fds:	These
 * @map:	The file, mapped, if it is all of the payload; or NULL
 * @taken:	What is not to be closed
 * @has_meta:	@meta is filled in
 * @meta:	Metadata
 */
struct kdb_view {
	struct kdb_conn *conn;
	struct kdb_view *next;
	struct kdb_view *idle;
	enum kdbi_view_state state;
	const struct kdbus_msg *h;
	uint64_t offset;
	const char *name;
	const struct kdbus_item *first;
	const struct kdbus_item *items_end;
	const void *data;
	uint64_t in_pool;
	uint64_t size;
	unsigned int parts;
	unsigned int zeros;
	unsigned int files;
	unsigned int n_fds;
	const int *fds;
	void *map;
	uint64_t taken[(TAKEN_PARTS + MSG_MAX_ITEMS) / 64];
	bool has_meta;
	struct kdb_meta meta;
};

/**
 * struct kdbi_cmd - the argument of a command, with items
 * @buf:	The argument
 * @size:	Bytes of it, so far
 * @room:	Bytes there
 * @error:	What went wrong while it was made
 * @small:	Enough for most; the kernel wants it aligned, also for 32 bits
 */
struct kdbi_cmd {
	void *buf;
	size_t size;
	size_t room;
	int error;
	uint64_t small[48] __attribute__((__aligned__(8)));
};

/* connection.c */
int kdbi_ioctl(int fd, unsigned long cmd, void *arg);
int kdbi_free(struct kdb_conn *conn, uint64_t offset);
uint64_t kdbi_now(void);
int kdbi_wait(const struct kdb_conn *conn, uint64_t deadline);

/* cmd.c */
void kdbi_cmd_init(struct kdbi_cmd *cmd, size_t fixed);
void kdbi_cmd_add(struct kdbi_cmd *cmd, uint64_t type, const void *data,
		  size_t size);
void kdbi_cmd_string(struct kdbi_cmd *cmd, uint64_t type, const char *str);
void kdbi_cmd_append(struct kdbi_cmd *cmd, const void *items, size_t size);
int kdbi_cmd_run(struct kdbi_cmd *cmd, int fd, unsigned long nr);
void kdbi_cmd_free(struct kdbi_cmd *cmd);

/* message.c */
uint64_t kdbi_cookie_search(struct kdb_conn *conn);
int kdbi_msg_send(struct kdb_msg *msg, uint64_t flags, uint64_t word,
		  uint64_t offset);

/* bloom.c */
bool kdbi_bloom_usable(const struct kdbus_bloom_parameter *bloom);
void kdbi_bloom_add(uint64_t *filter, const struct kdbus_bloom_parameter *bloom,
		    const char *string);

/* file.c */
int kdbi_file_of(const void *data, size_t size);

/* view.c */
struct kdb_view *kdbi_view_make(struct kdb_conn *conn);
void kdbi_view_show(struct kdb_view *view, uint64_t offset, bool ours);
void kdbi_view_strip(struct kdb_view *view);
int kdbi_views_end(struct kdb_conn *conn);

/* match.c */
void kdbi_cmd_name_change(struct kdbi_cmd *cmd, uint64_t type, const char *name,
			  uint64_t old_id, uint64_t new_id);

/* meta.c */
void kdbi_meta_parse(struct kdb_meta *meta, const struct kdbus_item *items,
		     const void *end);

/* call.c */
struct kdbi_slot *kdbi_slot_find(struct kdb_conn *conn, uint64_t cookie);
struct kdbi_slot *kdbi_slot_late(struct kdb_conn *conn);

/* policy.c */
void kdbi_cmd_policy(struct kdbi_cmd *cmd, const struct kdb_policy *policy);

/* receive.c */
int kdbi_recv(struct kdb_conn *conn, struct kdb_view **view, uint64_t flags);

/* name.c */
int kdbi_watch_notice(struct kdb_conn *conn, const struct kdb_notice *notice);
void kdbi_watches_end(struct kdb_conn *conn);

static inline const struct kdbus_item *
kdbi_item_next(const struct kdbus_item *item)
{
	return (const void *)((const uint8_t *)item + ALIGN8(item->size));
}

static inline const void *kdbi_msg_end(const struct kdbus_msg *h)
{
	return (const uint8_t *)h + h->size;
}

/* The number of the next message, which none has that waits for an answer */
static inline uint64_t kdbi_cookie(struct kdb_conn *conn)
{
	if (conn->pending || conn->cookie >= UINT32_MAX)
		return kdbi_cookie_search(conn);
	return ++conn->cookie;
}

/* A message was sent, and with it what was parked may have been freed. */
static inline void kdbi_msg_sent(struct kdb_msg *msg)
{
	msg->chosen = false;
	if (msg->h.flags & KDBUS_MSG_EXT_FREE)
		msg->conn->parked = KDBUS_OFFSET_NONE;
}

/*
 * Views are used again, the one first that was released first: who releases one
 * twice is likely to be told so, and not to release another message.
 */

/* A view that shows nothing yet; NULL if there is no memory. */
static inline struct kdb_view *kdbi_view_get(struct kdb_conn *conn)
{
	struct kdb_view *view = conn->idle;

	if (!view)
		return kdbi_view_make(conn);
	conn->idle = view->idle;
	if (!conn->idle)
		conn->idle_end = &conn->idle;
	return view;
}

/* Takes back a view that shows nothing. */
static inline void kdbi_view_forget(struct kdb_view *view)
{
	struct kdb_conn *conn = view->conn;

	view->idle = NULL;
	*conn->idle_end = view;
	conn->idle_end = &view->idle;
}

/* Lets go of all but the message itself, which is freed by other means. */
static inline void kdbi_view_put(struct kdb_view *view)
{
	if (view->files || view->n_fds)
		kdbi_view_strip(view);
	view->state = VIEW_IDLE;
	kdbi_view_forget(view);
}

static inline void kdbi_msg_answers(struct kdb_msg *msg,
				    const struct kdbus_msg *h)
{
	msg->name[0] = '\0';
	msg->h.dst_id = h->src_id;
	msg->flags = 0;
}

#define kdbi_for_each_item(_item, _first, _end)				\
	for (_item = (_first); (const void *)_item < (const void *)(_end); \
	     _item = kdbi_item_next(_item))

#endif
