/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_META_H
#define __KDBUS_META_H

/**
 * DOC: What the kernel knows about a task
 *
 * Metadata about the running task, as items: its identity, what it may do, what it
 * runs, where it belongs. A &struct kdbus_meta holds some of them, as they were
 * at one moment, and never changes. It is what a message says about its sender,
 * what an endpoint remembers about its opener, and a bus about its maker.
 * Or it holds what a privileged connection claims about another task.
 *
 * Nothing is collected that is not asked for, and nothing twice: the caller passes
 * what it got the last time, and items that are still valid are copied from there.
 * An item is valid if:
 *
 * - credentials, groups, capabilities: current->cred is the same object, and its
 *   user namespace has got no other map of ids;
 * - security label: the same, and the security module gives the same number;
 * - executable: same process, same image, same root directory; nothing was
 *   renamed anywhere since, the file was not unlinked, its mount not detached,
 *   and it was looked at less than a second ago, as mounts can move without a
 *   trace;
 * - control group: the same id, in the unified hierarchy; in legacy ones it is
 *   looked at each time;
 * - the rest is compared with what it is.
 *
 * An item that cannot be had, for whatever reason, is left out. Only lack of
 * memory fails.
 *
 * The start of a process is kept in the kernel's own time, and written in that of
 * its reader, see below. What is claimed is written as it is.
 *
 * Ids are as the task itself sees them. They mean something only to those in
 * the same namespaces, and the caller must give them to no others:
 * kdbus_meta_same_ns() and kdbus_meta_shares_ns() tell.
 *
 * Locks: none; it has a reference count.
 */

#include <linux/kref.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/nsproxy.h>
#include <linux/overflow.h>
#include <linux/path.h>
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/time_namespace.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

#include "compat/security.h"

struct cred;
struct file;
struct kdbus_conn_names;
struct kdbus_meta;
struct kdbus_name_set;
struct kdbus_cursor;
struct pid;

/* what can be known about a task */
#define KDBUS_META_TASK		(_KDBUS_ATTACH_ALL &			\
				 ~(KDBUS_ATTACH_TIMESTAMP |		\
				   KDBUS_ATTACH_NAMES |			\
				   KDBUS_ATTACH_CONN_NAME))

/* what is remembered of the opener of an endpoint or the maker of a bus */
#define KDBUS_META_SNAPSHOT	(KDBUS_META_TASK & ~KDBUS_ATTACH_AUXGROUPS)

/* what comes before the names in a message; the rest comes behind */
#define KDBUS_META_FIRST	(KDBUS_ATTACH_CREDS | KDBUS_ATTACH_AUXGROUPS)

struct kdbus_meta *kdbus_meta_new(u64 want, struct kdbus_meta *old);
struct kdbus_meta *kdbus_meta_new_fake(const struct kdbus_item *creds,
				       const struct kdbus_item *label);
struct kdbus_meta *kdbus_meta_get(struct kdbus_meta *meta);
void kdbus_meta_put(struct kdbus_meta *meta);
bool kdbus_meta_same_ns(const struct kdbus_meta *meta);
bool kdbus_meta_shares_ns(const struct kdbus_meta *meta,
			  const struct kdbus_meta *other);
u64 kdbus_meta_have(const struct kdbus_meta *meta);
size_t kdbus_meta_size(const struct kdbus_meta *meta, u64 want);
void kdbus_meta_write(const struct kdbus_meta *meta, u64 want, s64 ahead,
		      struct kdbus_cursor *w);

int kdbus_meta_module_init(void);
void kdbus_meta_module_exit(void);

/**
 * DOC: Metadata of the running task
 *
 * One function for each kind of metadata that writes the payload of its item,
 * and one that says whether a payload is still valid. What the second needs to
 * know, the first notes in a &struct kdbus_meta_key.
 *
 * The running task is asked about itself only: its image, its memory and its
 * root cannot go away meanwhile. Command lines are read from user memory, which
 * may take as long as that task likes.
 *
 * Locks: those of the task, briefly; called with none.
 */

/**
 * struct kdbus_meta_key - what the validity of items depends on
 * @cred:	Credentials, with a reference
 * @pid:	The process, with a reference
 * @tid:	The thread, with a reference
 * @maps:	Which maps of ids the user namespace of @cred has
 * @image:	Counts what the task has executed
 * @exe:	The executable; only to be compared
 * @exe_unlinked: Whether it was unlinked
 * @exe_detached: Whether its mount was detached
 * @root:	The root directory; only to be compared
 * @renames:	Counts renames anywhere
 * @looked:	When the executable was looked at, in jiffies
 * @args:	Where the command line is
 * @args_len:	Bytes in it
 * @cgroup:	Id of the control group, 0 for none
 * @secid:	Number of the task's label at the security modules
 */
struct kdbus_meta_key {
	const struct cred *cred;
	struct pid *pid;
	struct pid *tid;
	unsigned int maps;
	u64 image;
	const struct file *exe;
	bool exe_unlinked;
	bool exe_detached;
	struct path root;
	unsigned int renames;
	unsigned long looked;
	unsigned long args;
	size_t args_len;
	u64 cgroup;
	struct kdbus_secid secid;
};

/**
 * struct kdbus_meta_kind - a kind of metadata
 * @attach:	KDBUS_ATTACH_* flag
 * @type:	KDBUS_ITEM_* type
 * @max:	Bytes it may take, or 0 to ask @max_size
 * @max_size:	How many bytes it may take now
 * @collect:	Write the payload, at most @max bytes, and note in the key what
 *		it depends on; returns its size, or a negative errno if there is
 *		nothing to say
 * @valid:	Whether a payload is what @collect would write now
 */
struct kdbus_meta_kind {
	u64 attach;
	u64 type;
	size_t max;
	size_t (*max_size)(void);
	int (*collect)(struct kdbus_meta_key *key, void *to, size_t max);
	bool (*valid)(const struct kdbus_meta_key *key, const void *payload,
		      size_t size);
};

#define KDBUS_META_KINDS	10

/* in the order in which they appear */
extern const struct kdbus_meta_kind kdbus_meta_kinds[KDBUS_META_KINDS];

void kdbus_meta_key_init(struct kdbus_meta_key *key);
void kdbus_meta_key_exit(struct kdbus_meta_key *key);

/**
 * DOC: What is attached to messages
 *
 * A receiver says which metadata it wants, a sender what it allows; what both
 * agree on comes with a message: metadata of the sending task, names and
 * description of the connection, the time. It comes at all only if the sender
 * is in the namespaces from which the receiver opened its endpoint; nothing is
 * translated.
 *
 * Metadata is collected once for each message, for all of its receivers together,
 * and does not change. Each receiver then gets exactly what it may have. The
 * metadata of the last message is kept, to copy what is still valid.
 *
 * Times are those of the receiver's clock as it was at its HELLO, see below.
 *
 * A connection that a privileged task made on behalf of another one always
 * carries what was claimed at HELLO, and never anything about the real task.
 *
 * Locks: ``self->lock`` of an identity is a spinlock that guards what is kept; masks
 * are read and written without it. A &struct kdbus_msg_meta lives on the stack of
 * the command that sends a message.
 */

/**
 * struct kdbus_identity - what a connection tells and wants to be told
 * @snapshot:	Metadata of the opener of the endpoint, or what was claimed, with a
 *		reference
 * @faked:	@snapshot was claimed
 * @name:	Description it gave itself, or NULL; constant
 * @ahead:	How far the clock of the task that said HELLO is ahead, constant
 * @wanted:	KDBUS_ATTACH_* it wants to be told about senders
 * @allowed:	KDBUS_ATTACH_* it lets others be told
 * @lock:	Guards @last
 * @last:	Metadata of the last message sent, or NULL
 */
struct kdbus_identity {
	struct kdbus_meta *snapshot;
	bool faked;
	char *name;
	s64 ahead;
	u64 wanted;
	u64 allowed;
	spinlock_t lock;	/* last */
	struct kdbus_meta *last;
};

/**
 * struct kdbus_msg_meta - metadata of one message
 * @have:	What was collected: KDBUS_ATTACH_* flags
 * @meta:	About the task, or NULL
 * @names:	Names of the sender, or NULL
 * @conn_name:	Description of the sender, or NULL
 * @monotonic_ns: When it was sent, by the kernel's clock, 0 if not read yet
 * @realtime_ns: Likewise
 */
struct kdbus_msg_meta {
	u64 have;
	struct kdbus_meta *meta;
	struct kdbus_name_set *names;
	const char *conn_name;
	u64 monotonic_ns;
	u64 realtime_ns;
};

int kdbus_attach_mask(u64 *mask);
int kdbus_identity_init(struct kdbus_identity *self, struct kdbus_meta *meta,
			const char *name);
void kdbus_identity_exit(struct kdbus_identity *self);

u64 kdbus_msg_meta_want(const struct kdbus_identity *src,
			const struct kdbus_identity *dst);
int kdbus_msg_meta_collect(struct kdbus_msg_meta *a, struct kdbus_identity *self,
			   const struct kdbus_conn_names *names, u64 want);
void kdbus_msg_meta_release(struct kdbus_msg_meta *a);
size_t kdbus_msg_meta_size(const struct kdbus_msg_meta *a, u64 want);
size_t kdbus_msg_meta_write(const struct kdbus_msg_meta *a, u64 want, s64 ahead,
			    struct kdbus_cursor *w);

/**
 * DOC: Clocks of time namespaces
 *
 * CLOCK_MONOTONIC of a time namespace is ahead of the kernel's own by a constant
 * number of nanoseconds, which may be negative. A task cannot enter a time
 * namespace before that number is final, so a copy of it stays right.
 *
 * The module keeps the kernel's own time. What comes from user space is
 * translated from the clock of the running task; what goes to a receiver is
 * translated to the clock that its connection had at HELLO. CLOCK_REALTIME is
 * the same everywhere.
 *
 * Locks: none.
 */

/**
 * kdbus_clock_ahead() - how far the clock of the running task is ahead
 *
 * Context: A task that is not exiting.
 *
 * Return: Nanoseconds by which its CLOCK_MONOTONIC is ahead of the kernel's.
 */
static inline s64 kdbus_clock_ahead(void)
{
#ifdef CONFIG_TIME_NS
	/* for each request: timens_add_monotonic() also normalises a sum */
	return timespec64_to_ns(&current->nsproxy->time_ns->offsets.monotonic);
#else
	return 0;
#endif
}

/**
 * kdbus_clock_shift() - say when a moment is on another clock
 * @ns:		The moment, in nanoseconds of one clock
 * @ahead:	How far the other is ahead of it
 *
 * Return: Nanoseconds of the other clock. A moment that never comes never comes
 * on any clock: KTIME_MAX and more stay as they are. One that was before the
 * other clock began is 1, as 0 means that there is none.
 */
static inline u64 kdbus_clock_shift(u64 ns, s64 ahead)
{
	s64 t;

	if (likely(!ahead) || ns >= KTIME_MAX)
		return ns;
	if (check_add_overflow((s64)ns, ahead, &t))
		return KTIME_MAX;
	return max_t(s64, t, 1);
}

#endif
