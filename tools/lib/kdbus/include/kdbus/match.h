/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_MATCH_H
#define KDBUS_MATCH_H

/**
 * DOC: Asking for broadcasts and notifications
 *
 * A connection gets the broadcasts and notifications that it has a match for. A
 * match is a list of conditions that must all hold; without any it fits all of
 * them. It is made, kdb_match_add() tells the kernel, and then it can be made
 * anew or freed. Section 16.1 of the manual.
 *
 * Strings are compared by bloom filters, so a few broadcasts come that do not tell
 * them: a receiver looks at each again. What comes is handled like any message;
 * which match it came by, nothing says.
 */

#include <kdbus/connection.h>

#ifdef __cplusplus
extern "C" {
#endif

struct kdb_match;

/**
 * kdb_match_new() - make a match
 * @conn:	The connection that it is for
 * @match:	Where to put it
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -ENOMEM.
 */
int kdb_match_new(struct kdb_conn *conn, struct kdb_match **match);

/**
 * kdb_match_free() - give a match back
 * @match:	The match, or NULL. What it was added as stays
 *
 * Context: The thread of the connection, which may have been closed.
 */
void kdb_match_free(struct kdb_match *match);

/**
 * kdb_match_reset() - make a match as new
 * @match:	The match
 *
 * Context: The thread of the connection.
 */
void kdb_match_reset(struct kdb_match *match);

/**
 * kdb_match_string() - broadcasts that tell this
 * @match:	The match
 * @string:	What has to be among what kdb_msg_tell() was given
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EOPNOTSUPP if the bus has filters with more hash functions than
 * there are hashes.
 */
int kdb_match_string(struct kdb_match *match, const char *string);

/**
 * kdb_match_from_id() - broadcasts of this connection
 * @match:	The match
 * @id:		Its id, or KDBUS_MATCH_ID_ANY
 *
 * Context: The thread of the connection.
 */
void kdb_match_from_id(struct kdb_match *match, uint64_t id);

/**
 * kdb_match_from_name() - broadcasts of the owner of this name
 * @match:	The match
 * @name:	The name
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EINVAL if @name is empty or longer than 255 characters.
 */
int kdb_match_from_name(struct kdb_match *match, const char *name);

/**
 * kdb_match_on_name() - a name changes hands
 * @match:	The match
 * @type:	KDBUS_ITEM_NAME_ADD, KDBUS_ITEM_NAME_REMOVE or
 *		KDBUS_ITEM_NAME_CHANGE. One that an activator held is changed, not
 *		added
 * @name:	The name, or NULL for all
 * @old_id:	Who had it, or KDBUS_MATCH_ID_ANY
 * @new_id:	Who has it, or KDBUS_MATCH_ID_ANY
 *
 * kdb_name_watch() is made of these.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -EINVAL for other types, or if @name is longer than 255 characters.
 */
int kdb_match_on_name(struct kdb_match *match, uint64_t type, const char *name,
		      uint64_t old_id, uint64_t new_id);

/**
 * kdb_match_on_id() - a connection comes or goes
 * @match:	The match
 * @type:	KDBUS_ITEM_ID_ADD or KDBUS_ITEM_ID_REMOVE
 * @id:		Which, or KDBUS_MATCH_ID_ANY
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or -EINVAL for other types.
 */
int kdb_match_on_id(struct kdb_match *match, uint64_t type, uint64_t id);

/**
 * kdb_match_add() - ask for what a match fits
 * @match:	The match
 * @cookie:	Where the number is by which it is removed. 0 is replaced by a new
 *		number; else it is one more match with that number, and what fits
 *		either comes. NULL: a new number, for a match that stays
 *
 * Context: The thread of the connection.
 *
 * Return: 0, or
 * -ENOMEM also if conditions could not be added before,
 * -EINVAL if a sender's name has characters that no name has,
 * -EMFILE if the connection or its user has too many matches,
 * -EMSGSIZE if there are too many conditions,
 * -EOPNOTSUPP if the connection receives nothing.
 */
int kdb_match_add(struct kdb_match *match, uint64_t *cookie);

/**
 * kdb_match_replace() - ask for this instead
 * @match:	The match
 * @cookie:	Number of the matches that it takes the place of, in one step
 *
 * Context: The thread of the connection.
 *
 * Return: as kdb_match_add().
 */
int kdb_match_replace(struct kdb_match *match, uint64_t cookie);

/**
 * kdb_match_remove() - do not ask any more
 * @conn:	The connection
 * @cookie:	Number of the matches
 *
 * What is in the queue stays there.
 *
 * Context: The thread of the connection.
 *
 * Return: 0, -ENOENT if there is none, -EOPNOTSUPP as above.
 */
int kdb_match_remove(struct kdb_conn *conn, uint64_t cookie);

#ifdef __cplusplus
}
#endif

#endif
