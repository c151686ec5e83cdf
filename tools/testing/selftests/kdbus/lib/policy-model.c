// SPDX-License-Identifier: GPL-2.0-only
/* The rules of policies: see policy-model.h */

#include <errno.h>
#include <string.h>

#include "policy-model.h"

const char * const m_entry_names[M_ENTRIES] = {
	"foo.bar.x", "foo.bar.y", "foo.qux.x", "foo.bar",
	"foo.bar.*", "foo.qux.*", "foo.*",
};

static bool covers(const char *wildcard, const char *name)
{
	size_t n = strlen(wildcard);

	if (wildcard[n - 1] != '*')
		return false;
	/* up to and including the dot; then one element */
	return !strncmp(wildcard, name, n - 1) && name[n - 1] &&
	       !strchr(name + n - 1, '.');
}

static const struct m_entry *lookup(const struct m_db *db, const char *name)
{
	int i;

	for (i = 0; i < M_ENTRIES; i++)
		if (db->entries[i].there && !strcmp(m_entry_names[i], name))
			return &db->entries[i];
	for (i = 0; i < M_ENTRIES; i++)
		if (db->entries[i].there && covers(m_entry_names[i], name))
			return &db->entries[i];
	return NULL;
}

static bool is_in(const struct m_peer *p, gid_t gid)
{
	unsigned int i;

	for (i = 0; i < p->n_groups; i++)
		if (p->groups[i] == gid)
			return true;
	return p->gid == gid;
}

static bool grants(const struct m_db *db, const struct m_peer *p, int name,
		   int level)
{
	const struct m_entry *e = lookup(db, m_entry_names[name]);
	unsigned int i;

	for (i = 0; e && i < e->n; i++) {
		const struct m_grant *g = &e->grants[i];

		if (g->level < level)
			continue;
		if (g->type == M_WORLD ||
		    (g->type == M_USER && g->id == p->ruid) ||
		    (g->type == M_GROUP && is_in(p, g->id)))
			return true;
	}
	return false;
}

/* for at least one of the names that @owner owns */
static bool grants_any(const struct m_db *db, const struct m_peer *p,
		       const struct m_peer *owner, int level)
{
	int name;

	for (name = 0; name < M_NAMES; name++)
		if ((owner->names & (1U << name)) &&
		    grants(db, p, name, level))
			return true;
	return false;
}

bool m_sees(const struct m_peer *p, int name)
{
	return !p->ep || grants(p->ep, p, name, 0);
}

int m_own(const struct m_db *bus, const struct m_peer *p, int name)
{
	if (p->ep && !grants(p->ep, p, name, 2))
		return -EPERM;
	if (p->privileged)
		return 0;
	return grants(bus, p, name, 2) ? 0 : -EPERM;
}

int m_talk(const struct m_db *bus, const struct m_peer *s,
	   const struct m_peer *d)
{
	if (s->ep && !grants_any(s->ep, s, d, 1))
		return -ENOENT;
	if (s->privileged)
		return 0;
	if (s->fsuid == d->ruid)
		return 0;
	return grants_any(bus, s, d, 1) ? 0 : -EPERM;
}

int m_info(const struct m_peer *asks, const struct m_peer *about)
{
	if (!asks->ep)
		return 0;
	return grants_any(asks->ep, asks, about, 0) ? 0 : -ENOENT;
}

bool m_hears(const struct m_db *bus, const struct m_peer *s,
	     const struct m_peer *d)
{
	/* may it be sent */
	if (d->ep && !grants_any(d->ep, s, d, 1))
		return false;
	if (!s->privileged && s->fsuid != d->ruid &&
	    !(s->names && !d->names) && !grants_any(bus, s, d, 1))
		return false;
	/* may its source be seen */
	return !d->ep || grants_any(d->ep, d, s, 0);
}
