/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The rules of policies over plain structures. It knows nothing about the
 * driver, and takes the long way wherever there is one.
 */
#ifndef KDBUS_TEST_POLICY_MODEL_H
#define KDBUS_TEST_POLICY_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#define M_GRANTS	3
#define M_NAMES		4	/* the first of the entries, the ones owned */
#define M_ENTRIES	7

struct m_grant {
	enum { M_USER = 'u', M_GROUP = 'g', M_WORLD = 'w' } type;
	int level;		/* 0 see, 1 talk, 2 own */
	unsigned int id;
};

struct m_entry {
	bool there;
	unsigned int n;
	struct m_grant grants[M_GRANTS];
};

struct m_db {
	struct m_entry entries[M_ENTRIES];
};

struct m_peer {
	uid_t ruid, fsuid;
	gid_t gid, groups[2];
	unsigned int n_groups;
	bool privileged;
	const struct m_db *ep;	/* NULL on the default endpoint */
	unsigned int names;	/* a bit for each that it owns */
};

extern const char * const m_entry_names[M_ENTRIES];

bool m_sees(const struct m_peer *p, int name);
/* these two: 0 or -ERRNO */
int m_own(const struct m_db *bus, const struct m_peer *p, int name);
int m_talk(const struct m_db *bus, const struct m_peer *s,
	   const struct m_peer *d);
int m_info(const struct m_peer *asks, const struct m_peer *about);
bool m_hears(const struct m_db *bus, const struct m_peer *s,
	     const struct m_peer *d);

#endif /* KDBUS_TEST_POLICY_MODEL_H */
