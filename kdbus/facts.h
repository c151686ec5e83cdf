/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_FACTS_H
#define __KDBUS_FACTS_H

/**
 * DOC: Facts about the running task
 *
 * One function for each kind of metadata that writes the payload of its item,
 * and one that says whether what was written once still holds. What the second
 * needs to know, the first notes in a &struct kdbus_fact_key.
 *
 * The running task is asked about itself only: its image, its memory and its
 * root cannot go away meanwhile. Command lines are read from user memory, which
 * may take as long as that task likes.
 *
 * Locks: those of the task, briefly; none are held outside.
 */

#include <linux/types.h>

#include "compat/security.h"

struct cred;
struct dentry;
struct file;
struct pid;
struct vfsmount;

/**
 * struct kdbus_fact_key - what facts depend on
 * @cred:	Credentials, with a reference
 * @pid:	The process, with a reference
 * @tid:	The thread, with a reference
 * @maps:	Which maps of ids the user namespace of @cred has
 * @image:	Counts what the task has executed
 * @exe:	The executable; only to be compared
 * @exe_unlinked: Whether it was unlinked
 * @exe_detached: Whether its mount was detached
 * @root_mnt:	The root directory; only to be compared
 * @root_dentry: Likewise
 * @renames:	Counts renames anywhere
 * @looked:	When the executable was looked at, in jiffies
 * @args:	Where the command line is
 * @args_len:	Bytes in it
 * @cgroup:	Id of the control group, 0 for none
 * @secid:	Who the task is to the security modules
 */
struct kdbus_fact_key {
	const struct cred *cred;
	struct pid *pid;
	struct pid *tid;
	unsigned int maps;
	u64 image;
	const struct file *exe;
	bool exe_unlinked;
	bool exe_detached;
	const struct vfsmount *root_mnt;
	const struct dentry *root_dentry;
	unsigned int renames;
	unsigned long looked;
	unsigned long args;
	size_t args_len;
	u64 cgroup;
	struct kdbus_secid secid;
};

/**
 * struct kdbus_fact - a kind of metadata
 * @attach:	KDBUS_ATTACH_* flag
 * @type:	KDBUS_ITEM_* type
 * @max:	Bytes it may take, or 0 to ask @bound
 * @bound:	How many bytes it may take now
 * @gather:	Write the payload, at most @max bytes, and note in the key what
 *		it depends on; returns its size, or a negative errno if there is
 *		nothing to say
 * @holds:	Whether a payload is what @gather would write now
 */
struct kdbus_fact {
	u64 attach;
	u64 type;
	size_t max;
	size_t (*bound)(void);
	int (*gather)(struct kdbus_fact_key *key, void *to, size_t max);
	bool (*holds)(const struct kdbus_fact_key *key, const void *payload,
		      size_t size);
};

#define KDBUS_FACTS	10

/* in the order in which they appear */
extern const struct kdbus_fact kdbus_facts[KDBUS_FACTS];

void kdbus_fact_key_init(struct kdbus_fact_key *key);
void kdbus_fact_key_exit(struct kdbus_fact_key *key);

#endif
