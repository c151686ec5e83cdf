/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_HANDLE_H
#define __KDBUS_HANDLE_H

/**
 * DOC: Handles
 *
 * A handle is what stands behind an open device node. It begins as what was
 * opened, a control node or an endpoint, and changes once into something that
 * belongs to it: a bus, a domain, an endpoint, or a connection. That object
 * ends when the last descriptor of the handle is closed. Metadata of the task
 * that opens an endpoint is collected at that moment.
 *
 * What commands a handle takes depends on what it is; all of them are rows of
 * one table, see &struct kdbus_cmd_row.
 *
 * Locks: ``handle->lock`` serialises the one change of state; of two threads that
 * try, one wins. The state is read without it, and what belongs to a state is
 * constant once the state is reached.
 */

#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/types.h>

struct kdbus_bus;
struct kdbus_conn;
struct kdbus_domain;
struct kdbus_ep;
struct kdbus_meta;
struct kdbus_node;
struct kdbus_waitq;
struct poll_table_struct;
struct seq_file;

enum kdbus_handle_state {
	KDBUS_HANDLE_CONTROL,
	KDBUS_HANDLE_BUS_OWNER,
	KDBUS_HANDLE_DOMAIN_OWNER,
	KDBUS_HANDLE_ENDPOINT,
	KDBUS_HANDLE_CONNECTED,
	KDBUS_HANDLE_ENDPOINT_OWNER,
};

/**
 * struct kdbus_handle - an open device node
 * @waitq:	Where tasks that poll the file wait, also before it is a
 *		connection; with a reference, constant
 * @lock:	Serialises the change of state
 * @state:	What it is at the moment
 * @node:	What was opened, with a reference, constant
 * @opener:	Metadata of the task that opened it, if it is an endpoint, with a
 *		reference, constant
 * @bus:	The bus it made, with a reference, when KDBUS_HANDLE_BUS_OWNER
 * @domain:	The domain it made, with a reference, when
 *		KDBUS_HANDLE_DOMAIN_OWNER
 * @conn:	Its connection, with a reference, when KDBUS_HANDLE_CONNECTED
 * @ep:		The endpoint it made, with a reference, when
 *		KDBUS_HANDLE_ENDPOINT_OWNER
 */
struct kdbus_handle {
	struct kdbus_waitq *waitq;
	struct mutex lock;	/* change of state */
	enum kdbus_handle_state state;
	struct kdbus_node *node;
	struct kdbus_meta *opener;
	union {
		struct kdbus_bus *bus;
		struct kdbus_domain *domain;
		struct kdbus_conn *conn;
		struct kdbus_ep *ep;
	};
};

/* what belongs to the state is seen as well */
static inline enum kdbus_handle_state
kdbus_handle_state(const struct kdbus_handle *handle)
{
	/* pairs with kdbus_handle_become() */
	return smp_load_acquire(&handle->state);
}

/* in ioctl.c */
extern const struct file_operations kdbus_ioctl_fops;

int kdbus_handle_open(struct inode *inode, struct file *file);
int kdbus_handle_release(struct inode *inode, struct file *file);
__poll_t kdbus_handle_poll(struct file *file, struct poll_table_struct *wait);
int kdbus_handle_mmap(struct file *file, struct vm_area_struct *vma);
void kdbus_handle_show_fdinfo(struct seq_file *m, struct file *file);
void kdbus_handle_become(struct kdbus_handle *handle,
			 enum kdbus_handle_state state);

#endif
