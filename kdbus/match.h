/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_MATCH_H
#define __KDBUS_MATCH_H

/**
 * DOC: Matches
 *
 * A connection receives those broadcasts, of others or of the kernel, that one
 * of its matches accepts. A match is a list of rules, all of which must hold;
 * a match without rules accepts everything.
 *
 * A broadcast does not ask every connection. The bus files each match where
 * only a broadcast that it may accept comes by:
 *
 * - about the kernel: by type of notification, and by the id or the name, if
 *   it asks for one;
 * - else by the id of the sender, or by a name of the sender, if it asks for
 *   one;
 * - else under one of the bits of its bloom mask, the one with the fewest other
 *   matches. A broadcast must have all bits of a mask, so it is enough if it
 *   visits those of its own bits.
 *
 * What remains, matches that ask for nothing of this kind, is visited always.
 *
 * The rules of a match are the items of the command, as they were checked.
 *
 * Locks: the mutex of the bus guards all of it.
 */

#include <linux/list.h>
#include <linux/types.h>
#include <uapi/linux/kdbus.h>

struct kdbus_bus;
struct kdbus_cmd;
struct kdbus_conn;
struct kdbus_event;
struct kdbus_message;

#define KDBUS_MATCH_HASH_BITS	8

/**
 * struct kdbus_match_bucket - matches under one bit
 * @matches:	The matches
 * @count:	How many there are
 */
struct kdbus_match_bucket {
	struct hlist_head matches;
	unsigned int count;
};

/**
 * struct kdbus_match_index - the matches of a bus
 * @always:	To be visited by every broadcast of a connection
 * @events:	To be visited by every notification about connections or names
 * @hash:	By id or name, of senders and in notifications
 * @bits:	By bit of the bloom mask; NULL as long as there are none
 * @visit:	Number of the last visit, to visit each connection once
 */
struct kdbus_match_index {
	struct hlist_head always;
	struct hlist_head events;
	struct hlist_head hash[1 << KDBUS_MATCH_HASH_BITS];
	struct kdbus_match_bucket *bits;
	u64 visit;
};

/**
 * struct kdbus_matches - the matches of a connection
 * @list:	In order of addition
 * @count:	How many there are
 * @visited:	Visit that found the connection to be a receiver
 */
struct kdbus_matches {
	struct list_head list;
	unsigned int count;
	u64 visited;
};

/* called for each receiver, once; a return value that is not 0 ends the visit */
typedef int (*kdbus_match_fn)(struct kdbus_conn *conn, void *data);

void kdbus_match_index_exit(struct kdbus_match_index *index);
void kdbus_matches_init(struct kdbus_matches *matches);
void kdbus_matches_drop(struct kdbus_conn *conn);
int kdbus_match_add(struct kdbus_conn *conn, const struct kdbus_cmd *cmd);
int kdbus_match_remove(struct kdbus_conn *conn, const struct kdbus_cmd *cmd);
int kdbus_match_message(struct kdbus_conn *src, const struct kdbus_message *m,
			kdbus_match_fn fn, void *data);
int kdbus_match_event(struct kdbus_bus *bus, struct kdbus_event *event,
		      kdbus_match_fn fn, void *data);

#endif
