// SPDX-License-Identifier: GPL-2.0-only
/* Everybody against everybody: see policy-compare.h */

#include <stdio.h>
#include <string.h>

#include "policy-compare.h"
#include "policy-util.h"

static const struct subject subjects[N_SUBJECTS] = {
	{ "user A, group A", A, A, GA, GA },
	{ "user B, group B", B, B, GB, GB },
	{ "real A, effective B", A, B, 7, 7 },
	{ "real group B, effective A", 20263, 20263, GB, GA },
	{ "supplementary A", 20264, 20264, 8, 8, { 9, GA }, 2 },
	{ "user B, supplementary A", B, B, 8, 8, { GA }, 1 },
	{ "root without capabilities", 0, 0, 0, 0 },
	{ "user A, capable", A, A, 7, 7, .capable = true },
	{ "bus owner", OWNER, OWNER, GB, GB },
};


/* the second half of the peers is on the custom endpoint */
static struct bus bus, ep;
static struct conn conns[N], holders[M_ENTRIES];
static struct m_peer peers[N];
struct m_db bus_db, ep_db;
unsigned int decisions;

static const char *who(int i)
{
	static __thread char text[2][80];
	static __thread int turn;

	turn = !turn;
	snprintf(text[turn], sizeof(text[0]), "%s%s",
		 subjects[i % N_SUBJECTS].what,
		 i < N_SUBJECTS ? "" : " (custom)");
	return text[turn];
}

static int entry_text(char *text, size_t size, const struct m_entry *e,
		      const char *name)
{
	int n = snprintf(text, size, "%s", name);
	unsigned int i;

	for (i = 0; i < e->n; i++)
		n += snprintf(text + n, size - n, " %c%u:%c",
			      e->grants[i].type, e->grants[i].id,
			      "sto"[e->grants[i].level]);
	return n;
}

static void db_text(char *text, size_t size, const struct m_db *db)
{
	int i, n = snprintf(text, size, " ");

	for (i = 0; i < M_ENTRIES; i++) {
		if (!db->entries[i].there)
			continue;
		n += entry_text(text + n, size - n, &db->entries[i],
				m_entry_names[i]);
		n += snprintf(text + n, size - n, " ");
	}
}

/* the policies, once, when something is wrong */
static void explain(void)
{
	static bool done;
	char text[1024];

	if (done)
		return;
	done = true;
	db_text(text, sizeof(text), &bus_db);
	kt_note("bus: %s", text);
	db_text(text, sizeof(text), &ep_db);
	kt_note("endpoint: %s", text);
}

#define compare(cond, ...) do {						\
	decisions++;							\
	if (!kt_check(cond, __VA_ARGS__))				\
		explain();						\
} while (0)

void upload(void)
{
	char text[1024];
	int i;

	for (i = 0; i < M_ENTRIES; i++) {
		struct m_entry none = { .there = false };
		char unused[16];

		snprintf(unused, sizeof(unused), "un.used.n%d", i);
		if (bus_db.entries[i].there)
			entry_text(text, sizeof(text), &bus_db.entries[i],
				   m_entry_names[i]);
		else
			entry_text(text, sizeof(text), &none, unused);
		kt_assert_ret(conn_update(&holders[i], "%s", text), 0,
			      "\"%s\"", text);
	}
	db_text(text, sizeof(text), &ep_db);
	ep_set(&ep, "%s", text);
}

void grant(struct m_entry *e, int type, int level, unsigned int id)
{
	kt_assert(e->n < M_GRANTS, "test bug: too many grants");
	e->there = true;
	e->grants[e->n++] = (struct m_grant){
		.type = type, .level = level, .id = id,
	};
}

void open_db(struct m_db *db)
{
	int i;

	memset(db, 0, sizeof(*db));
	for (i = 0; i < M_ENTRIES; i++)
		grant(&db->entries[i], M_WORLD, OWN, 0);
}

void peers_open(void)
{
	int i;

	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	for (i = 0; i < M_ENTRIES; i++)
		holder_open(&holders[i], &bus, "un.used.n%d", i);
	for (i = 0; i < N; i++) {
		const struct subject *s = &subjects[i % N_SUBJECTS];
		bool custom = i >= N_SUBJECTS;

		subject_open(&conns[i], custom ? &ep : &bus, s);
		match_casts(&conns[i]);
		peers[i] = (struct m_peer){
			.ruid = s->ruid, .fsuid = s->euid, .gid = s->gid,
			.groups = { s->groups[0], s->groups[1] },
			.n_groups = s->n_groups,
			.privileged = s->capable || s->euid == OWNER,
			.ep = custom ? &ep_db : NULL,
		};
	}
}

void place_names(const int *owners)
{
	int i, name;

	open_db(&bus_db);
	open_db(&ep_db);
	upload();
	for (name = 0; name < M_NAMES; name++) {
		for (i = 0; i < N; i++) {
			if (!(peers[i].names & (1U << name)))
				continue;
			kt_assert_ret(name_release(&conns[i],
						   m_entry_names[name]), 0,
				      "release");
			peers[i].names &= ~(1U << name);
		}
		i = owners[name];
		if (i == NOBODY)
			continue;
		kt_assert_ret(name_acquire(&conns[i], m_entry_names[name], 0),
			      0, "%s takes %s", who(i), m_entry_names[name]);
		peers[i].names |= 1U << name;
	}
}

static int owner_of(int name)
{
	int i;

	for (i = 0; i < N; i++)
		if (peers[i].names & (1U << name))
			return i;
	return NOBODY;
}

/* ------------------------------------------------------------------------ */
/* What is compared */

int third = ALL;

static bool takes_part(int i)
{
	return peers[i].names || third == ALL || (i + third) % 3 == 0;
}

void compare_own(void)
{
	int i, name, want, ret;

	for (i = 0; i < N; i++) {
		for (name = 0; name < M_NAMES; name++) {
			int owner = owner_of(name);

			want = m_own(&bus_db, &peers[i], name);
			if (!want && owner != NOBODY)
				want = owner == i ? -EALREADY : -EEXIST;
			ret = name_acquire(&conns[i], m_entry_names[name], 0);
			if (!ret)
				name_release(&conns[i], m_entry_names[name]);
			compare(ret == want, "%s acquires %s: %s, not %s",
				who(i), m_entry_names[name], kt_err(ret),
				kt_err(want));
		}
	}
}

void compare_talk(void)
{
	int s, d, want, ret;

	for (s = 0; s < N; s++) {
		for (d = 0; d < N; d++) {
			if (!takes_part(d))
				continue;
			want = m_talk(&bus_db, &peers[s], &peers[d]);
			ret = send_id(&conns[s], conns[d].id);
			compare(ret == want, "%s to %s, names %#x: %s, not %s",
				who(s), who(d), peers[d].names, kt_err(ret),
				kt_err(want));
			if (!ret)
				ret = conn_recv_flags(&conns[d],
						      KDBUS_RECV_DROP, NULL);
			else
				continue;
			kt_check_ret(ret, 0, "receive");
		}
	}
}

void compare_cast(void)
{
	int s, d;

	for (s = 0; s < N; s++) {
		if (!takes_part(s))
			continue;
		kt_check_ret(cast(&conns[s], 1), 0, "broadcast");
		for (d = 0; d < N; d++) {
			bool want = d != s && m_hears(&bus_db, &peers[s],
						      &peers[d]);
			bool got = !conn_recv_flags(&conns[d],
						    KDBUS_RECV_DROP, NULL);

			compare(got == want,
				"%s, names %#x, broadcasts to %s, names %#x: %d, not %d",
				who(s), peers[s].names, who(d),
				peers[d].names, got, want);
		}
	}
}

/* the whole list: names that are seen, and peers of which none is */
static void compare_list(int i)
{
	unsigned int want[M_NAMES + 1] = { 0 }, got[M_NAMES + 1] = { 0 };
	const struct kdbus_name_list *l;
	u64 off, at, size;
	int d, name;

	for (d = 0; d < N; d++) {
		bool any = false;

		for (name = 0; name < M_NAMES; name++) {
			if (!(peers[d].names & (1U << name)) ||
			    !m_sees(&peers[i], name))
				continue;
			want[name] += conns[d].id;
			any = true;
		}
		if (!any)
			want[M_NAMES] += conns[d].id;
	}
	kt_assert_ret(name_list(&conns[i], KDBUS_NAME_LIST_UNIQUE |
					   KDBUS_NAME_LIST_NAMES, &off), 0,
		      "NAME_LIST");
	l = (const void *)(conns[i].pool + off);
	for (at = 8; at < l->size; at += ALIGN8(size)) {
		const struct kdbus_name_info *r = (const void *)
			((const u8 *)l + at);

		size = r->size;
		for (name = 0; size > 32 && name < M_NAMES; name++)
			if (!strcmp(r->items[0].str, m_entry_names[name]))
				got[name] += r->owner_id;
		/* the holders have records, too, all the time */
		if (size == 32 && r->conn_flags != HOLDER)
			got[M_NAMES] += r->owner_id;
	}
	kt_check_ret(conn_free(&conns[i], off), 0, "FREE");
	for (name = 0; name < M_NAMES; name++)
		compare(got[name] == want[name], "%s lists %s: %u, not %u",
			who(i), m_entry_names[name], got[name], want[name]);
	compare(got[M_NAMES] == want[M_NAMES],
		"%s lists unique records: sum %u, not %u", who(i),
		got[M_NAMES], want[M_NAMES]);
}

static void compare_name(int i, int name)
{
	bool sees = m_sees(&peers[i], name), own = owner_of(name) == i;
	const char *str = m_entry_names[name];
	int want, ret;

	want = !sees ? -ENOENT : owner_of(name) == NOBODY ? -ESRCH : 0;
	ret = info_name(&conns[i], str);
	compare(ret == want, "%s asks about %s: %s, not %s", who(i), str,
		kt_err(ret), kt_err(want));
	if (own)
		return;
	ret = name_release(&conns[i], str);
	want = want ?: -EADDRINUSE;
	compare(ret == want, "%s releases %s: %s, not %s", who(i), str,
		kt_err(ret), kt_err(want));
}

void compare_see(void)
{
	int i, d, name, want, ret;

	for (i = 0; i < N; i++) {
		compare_list(i);
		for (name = 0; name < M_NAMES; name++)
			compare_name(i, name);
		for (d = 0; d < N; d++) {
			want = m_info(&peers[i], &peers[d]);
			ret = info_id(&conns[i], conns[d].id);
			compare(ret == want,
				"%s asks about %s, names %#x: %s, not %s",
				who(i), who(d), peers[d].names, kt_err(ret),
				kt_err(want));
		}
	}
}
