/* SPDX-License-Identifier: GPL-2.0-only */
/* Policies, custom endpoints, users: what the tests of these share */
#ifndef KDBUS_TEST_POLICY_UTIL_H
#define KDBUS_TEST_POLICY_UTIL_H

#include "cast.h"

#define SEE		KDBUS_POLICY_SEE
#define TALK		KDBUS_POLICY_TALK
#define OWN		KDBUS_POLICY_OWN
#define HOLDER		KDBUS_HELLO_POLICY_HOLDER
#define ACTIVATOR	KDBUS_HELLO_ACTIVATOR
#define MONITOR		KDBUS_HELLO_MONITOR

/*
 * A policy is written as text: names, each followed by what it grants. A grant
 * is w (world), u or g with an id, or - for no known type, then a colon and
 * s, t or o (see, talk, own): "foo.bar w:s u1000:o foo.bar.* g5:t".
 */
#define NO_POLICY	" "

void policy_text(struct blob *b, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));
void policy_access(struct blob *b, u64 type, u64 level, u64 id);

void policy_update_init(struct blob *b, const char *policy);
int conn_update(struct conn *c, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));

/*
 * A custom endpoint is a struct bus of which fd is the descriptor that made it
 * and path its node, so that conn_open() and others work on it.
 */
void ep_paths(struct bus *ep, const struct bus *bus, const char *name);
int ep_try_make(struct bus *ep, const struct bus *bus, u64 flags,
		const char *name, const char *fmt, ...)
	__attribute__((__format__(__printf__, 5, 6)));
/* for everybody, with a name nobody uses */
void ep_make(struct bus *ep, const struct bus *bus, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));
int ep_update(const struct bus *ep, const char *fmt, ...)
	__attribute__((__format__(__printf__, 2, 3)));
void ep_set(const struct bus *ep, const char *fmt, ...)	/* must work */
	__attribute__((__format__(__printf__, 2, 3)));

/* @type: HOLDER or ACTIVATOR */
int holder_try_open(struct conn *c, const struct bus *bus, u64 type,
		    const char *fmt, ...)
	__attribute__((__format__(__printf__, 4, 5)));
void holder_open(struct conn *c, const struct bus *bus, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));
/* one policy holder for each name in @policy: how many */
unsigned int holders_open(struct conn *c, unsigned int max,
			  const struct bus *bus, const char *policy);

/* whose connection it is: what counts is who says HELLO */
struct subject {
	const char *what;
	uid_t ruid, euid;
	gid_t gid, egid;
	gid_t groups[2];
	unsigned int n_groups;
	bool capable;		/* has CAP_IPC_OWNER and nothing else */
};

/* in a thread of its own, so that the caller stays who it is */
int subject_run(const struct subject *s, int (*fn)(void *arg), void *arg);
void subject_open(struct conn *c, const struct bus *ep,
		  const struct subject *s);
/* a user without groups and privileges */
struct subject plain_user(uid_t uid);
void user_open(struct conn *c, const struct bus *ep, uid_t uid);
int user_run(uid_t uid, int (*fn)(void *arg), void *arg);

/* a bus of that user, for everybody */
void bus_of(struct bus *bus, uid_t uid);

/* CONN_INFO; what it returned is looked at and freed */
int info_id(struct conn *c, u64 id);
int info_name(struct conn *c, const char *name);
/* how many records of NAME_LIST are about @id and @name (NULL: no name) */
unsigned int list_count(struct conn *c, u64 flags, u64 id, const char *name);
int send_id(struct conn *c, u64 dst);
/* it is sent and arrives, or is refused with @want and does not */
void check_send(struct conn *from, struct conn *to, int want,
		const char *what);
/* the name is acquired and released, or refused with EPERM */
bool can_own(struct conn *c, const char *name);
/* does a broadcast arrive? */
bool hears(struct conn *from, struct conn *to);
/* all broadcasts of connections, no notifications */
void match_casts(struct conn *c);

/* run two functions at the same time */
void pair_run(int (*a)(void *arg), int (*b)(void *arg), void *arg, int ret[2]);

#endif /* KDBUS_TEST_POLICY_UTIL_H */
