/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_META_H
#define __KDBUS_META_H

/**
 * DOC: What the kernel knows about a task
 *
 * Metadata about the running task, as items: who it is, what it may do, what it
 * runs, where it belongs. A &struct kdbus_meta holds some of them, as they were
 * at one moment, and never changes. It is what a message says about its sender,
 * what an endpoint remembers about who opened it, and a bus about who made it.
 * Or it holds what somebody privileged claims about somebody else.
 *
 * Nothing is gathered that is not asked for, and nothing twice: whoever gathers
 * again hands in what it got the last time, and what is still true is taken
 * from there. That is known without asking anew:
 *
 * - credentials, groups, capabilities: the kernel's credentials are the same
 *   object, and their user namespace has got no other map of ids;
 * - security label: the same, and the security module gives the same number;
 * - executable: same process, same image, same root directory; nothing was
 *   renamed anywhere since, the file was not unlinked, its mount not detached,
 *   and it was looked at less than a second ago, as mounts can move without a
 *   trace;
 * - control group: the same id, in the unified hierarchy; in legacy ones it is
 *   looked at each time;
 * - the rest is compared with what it is.
 *
 * A fact that cannot be had, for whatever reason, is left out. Only lack of
 * memory fails.
 *
 * Ids are as the task itself sees them. They mean something only to those in
 * the same namespaces, and it is up to the caller to give them to nobody else:
 * kdbus_meta_same_ns() and kdbus_meta_shares_ns() tell.
 *
 * Locks: none; it is counted.
 */

#include <linux/kref.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct kdbus_meta;
struct kdbus_writer;

/* what can be known about a task */
#define KDBUS_META_TASK		(_KDBUS_ATTACH_ALL &			\
				 ~(KDBUS_ATTACH_TIMESTAMP |		\
				   KDBUS_ATTACH_NAMES |			\
				   KDBUS_ATTACH_CONN_NAME))

/* what is remembered of whoever opens an endpoint or makes a bus */
#define KDBUS_META_RECORD	(KDBUS_META_TASK & ~KDBUS_ATTACH_AUXGROUPS)

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
void kdbus_meta_write(const struct kdbus_meta *meta, u64 want,
		      struct kdbus_writer *w);

int kdbus_meta_module_init(void);
void kdbus_meta_module_exit(void);

#endif
