/* SPDX-License-Identifier: GPL-2.0-only */
/* Matches, broadcasts and descriptors: what the tests of these share */
#ifndef KDBUS_TEST_CAST_H
#define KDBUS_TEST_CAST_H

#include "call.h"

#define ANY	KDBUS_MATCH_ID_ANY

void match_init(struct blob *b, u64 cookie, u64 flags);
int match_add(struct conn *c, struct blob *b);
int match_remove(struct conn *c, u64 cookie);
void match_all(struct conn *c);		/* an entry without rules, cookie 0 */

void rule_id(struct blob *b, u64 id);
void rule_name(struct blob *b, const char *name);
/* requires bit @bit of the first block, all others are zero */
void rule_bit(struct blob *b, size_t size, unsigned int bit);
void rule_id_change(struct blob *b, u64 type, u64 id);
/* any name if @name is NULL */
void rule_name_change(struct blob *b, u64 type, u64 old_id, u64 new_id,
		      const char *name);

/* a broadcast with a filter of KT_BLOOM_SIZE zeroes */
void cast_init(struct blob *b, u64 cookie);
void cast_set(struct blob *b, unsigned int bit);	/* in that filter */
int cast(struct conn *c, u64 cookie);
/* send a broadcast with one bit in its filter; does it arrive? */
bool hears_bit(struct conn *from, struct conn *to, unsigned int bit);
/* the next message is a broadcast of @from with this cookie; it is freed */
void expect_cast(struct conn *c, u64 from, u64 cookie);

/* the next message is this notification, exactly; it is freed */
void expect_id_note(struct conn *c, u64 type, u64 id, u64 flags);
void expect_name_note(struct conn *c, u64 type, u64 old_id, u64 old_flags,
		      u64 new_id, u64 new_flags, const char *name);

void msg_fds(struct blob *b, const int *fds, unsigned int n);
/* the limit of descriptors is at least @n */
void allow_fds(unsigned int n);

#endif /* KDBUS_TEST_CAST_H */
