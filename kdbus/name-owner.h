/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_NAME_OWNER_H
#define __KDBUS_NAME_OWNER_H

/**
 * DOC: Who owns a name, and who is next
 *
 * When an owner lets go of a name, by releasing it or by disconnecting, the
 * first who waits gets it; else the activator, together with the messages that
 * were sent to this name and not received yet; else the name ceases to exist.
 * When somebody acquires a name from its activator, all messages that have
 * waited there move along.
 *
 * What is given away to a function here, an event or a waiter, was allocated
 * before anything happened: a change is not refused halfway.
 *
 * Locks: called with the mutex of the bus. The owner changes under the lock of
 * the queue of the old one.
 */

#include <linux/types.h>

struct kdbus_bus;
struct kdbus_conn;
struct kdbus_event;
struct kdbus_name_entry;
struct kdbus_name_waiter;

int kdbus_name_create(struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		      u64 flags, struct kdbus_event *event);
void kdbus_name_pass_on(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			u64 flags, struct kdbus_event *event);
int kdbus_name_hand_over(struct kdbus_name_entry *entry, struct kdbus_conn *to,
			 u64 flags, struct kdbus_event *event, u64 name_id);
void kdbus_name_let_go(struct kdbus_bus *bus, struct kdbus_name_entry *entry);

struct kdbus_name_waiter *
kdbus_name_find_waiter(struct kdbus_name_entry *entry,
		       const struct kdbus_conn *conn);
void kdbus_name_wait(struct kdbus_name_waiter *waiter,
		     struct kdbus_name_entry *entry, struct kdbus_conn *conn,
		     u64 flags);
void kdbus_name_stop_waiting(struct kdbus_name_waiter *waiter);

#endif
