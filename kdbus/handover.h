/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_HANDOVER_H
#define __KDBUS_HANDOVER_H

/**
 * DOC: Hand-over
 *
 * When a name goes from its activator to a service, or back, messages that wait
 * go along: they are copied from one pool to the other, in order, and nothing
 * of them is lost, seen twice, or left behind, whatever else happens meanwhile.
 *
 * Either all of them fit into the new pool, or nothing happens. While they are
 * on the way the name has no owner, and whoever sends to it waits.
 *
 * Locks: called with the mutex of the bus; takes the one for broadcasts inside,
 * and the locks of both queues, one after the other.
 */

#include <linux/types.h>

struct kdbus_conn;
struct kdbus_name_entry;

int kdbus_handover(struct kdbus_name_entry *entry, struct kdbus_conn *to,
		   u64 name_id);

#endif
