// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl list
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "ctl.h"
#include "text.h"

/* A line: a connection, a name, or a name that a connection waits for */
struct line {
	char *name;
	uint64_t id;
	uint64_t name_flags;
	uint64_t conn_flags;
	bool unique;
	bool activatable;
};

static void line_clear(gpointer data)
{
	struct line *line = data;

	g_free(line->name);
}

/* Connections by number, then names as text */
static int line_compare(gconstpointer a, gconstpointer b)
{
	const struct line *x = a, *y = b;
	int r;

	if (x->unique != y->unique)
		return x->unique ? -1 : 1;
	r = x->unique ? 0 : strcmp(x->name, y->name);
	return r ?: (x->id > y->id) - (x->id < y->id);
}

static void list_add(GArray *lines, const struct kdb_name_entry *entry,
		     bool unique)
{
	struct line line = {
		.id		= entry->id,
		.conn_flags	= entry->conn_flags,
		.unique		= unique,
	};

	if (unique) {
		line.name = g_strdup_printf(":1.%" PRIu64, entry->id);
	} else {
		line.name = g_strdup(entry->name);
		line.name_flags = entry->flags;
		line.activatable = (entry->flags & KDBUS_NAME_ACTIVATOR) ||
			(entry->conn_flags & KDBUS_HELLO_ACTIVATOR);
	}
	g_array_append_val(lines, line);
}

static bool list_wanted(const struct kdb_name_entry *entry)
{
	if (entry->flags & KDBUS_NAME_IN_QUEUE)
		return ctl.queued;
	if ((entry->flags & KDBUS_NAME_ACTIVATOR) ||
	    (entry->conn_flags & KDBUS_HELLO_ACTIVATOR))
		return ctl.activatable;
	return ctl.acquired;
}

/* Records of a connection are next to each other. */
static int list_read(struct kdb_conn *conn, GArray *lines)
{
	struct kdb_name_entry entry;
	struct kdb_names *names;
	uint64_t last = 0;
	int r;

	r = kdb_names_list(conn, KDBUS_NAME_LIST_UNIQUE |
			   KDBUS_NAME_LIST_NAMES | KDBUS_NAME_LIST_QUEUED |
			   KDBUS_NAME_LIST_ACTIVATORS, &names);
	if (r < 0)
		return r;
	while (kdb_names_next(names, &entry)) {
		if (entry.id != last && ctl.unique)
			list_add(lines, &entry, true);
		last = entry.id;
		if (entry.name && list_wanted(&entry))
			list_add(lines, &entry, false);
	}
	kdb_names_release(names);
	g_array_sort(lines, line_compare);
	return 0;
}

/**
 * struct about - what a line says of the connection, as text
 * @meta:	What is known, or nothing
 * @user:	Name of its user, or NULL
 * @unit:	Its unit, or NULL
 * @flags:	Words, or NULL
 * @id:		As a name
 */
struct about {
	const struct kdb_meta *meta;
	char *user;
	char *unit;
	char *flags;
	char id[24];
};

static const struct kdb_meta nothing;

static void about_fill(struct about *about, const struct line *line,
		       const struct kdb_info *info)
{
	const struct kdb_meta *meta = info ? kdb_info_meta(info) : &nothing;

	*about = (struct about){
		.meta	= meta,
		.user	= meta->creds ? peer_user(meta->creds->uid) : NULL,
		.unit	= peer_unit(meta->cgroup),
		.flags	= peer_flags(line->conn_flags, line->name_flags),
	};
	g_snprintf(about->id, sizeof(about->id), ":1.%" PRIu64, line->id);
}

static void about_clear(struct about *about)
{
	g_free(about->user);
	g_free(about->unit);
	g_free(about->flags);
}

static void list_row(struct table *table, const struct line *line,
		     const struct about *about)
{
	table_add(table, line->name);
	if (about->meta->creds)
		table_add_u64(table, about->meta->creds->pid);
	else
		table_add(table, NULL);
	table_add(table, about->meta->pid_comm);
	table_add(table, about->user);
	table_add(table, line->activatable ? "(activatable)" : about->id);
	table_add(table, about->unit);
	table_add(table, about->meta->cgroup);
	table_add(table, about->flags);
	table_add(table, about->meta->conn_name);
}

static void list_object(struct json *json, const struct line *line,
			const struct about *about)
{
	json_open(json, '{');
	json_key(json, "name");
	json_string(json, line->name);
	json_key(json, "pid");
	if (about->meta->creds)
		json_u64(json, about->meta->creds->pid);
	else
		json_string(json, NULL);
	json_key(json, "process");
	json_string(json, about->meta->pid_comm);
	json_key(json, "user");
	json_string(json, about->user);
	json_key(json, "connection");
	json_string(json, about->id);
	json_key(json, "unit");
	json_string(json, about->unit);
	json_key(json, "cgroup");
	json_string(json, about->meta->cgroup);
	json_key(json, "flags");
	json_string(json, about->flags);
	json_key(json, "activatable");
	json_bool(json, line->activatable);
	json_key(json, "description");
	json_string(json, about->meta->conn_name);
	json_close(json, '}');
}

/* A connection may have ended since the list was made: its line goes. */
static int list_print(struct kdb_conn *conn, const GArray *lines)
{
	static const char *const heads[] = {
		"NAME", "PID", "PROCESS", "USER", "CONNECTION", "UNIT",
		"CGROUP", "FLAGS", "DESCRIPTION", NULL
	};
	struct table *table = table_new(heads);
	struct json json;
	size_t i;
	int r = 0;

	json_begin(&json);
	json_open(&json, '[');
	for (i = 0; i < lines->len; i++) {
		const struct line *line = &g_array_index(lines, struct line, i);
		struct kdb_info *info = NULL;
		struct about about;

		r = kdb_info_of_id(conn, line->id, KDBUS_ATTACH_CONN_NAME,
				   &info);
		if (r == -ENXIO)
			continue;
		if (r < 0 && r != -ENOENT)
			break;
		about_fill(&about, line, info);
		list_row(table, line, &about);
		list_object(&json, line, &about);
		about_clear(&about);
		kdb_info_release(info);
	}
	json_close(&json, ']');
	r = i < lines->len ? fail(r, "information about connections") : 0;
	if (r == 0 && ctl.json == JSON_OFF)
		table_print(table);
	if (r == 0 && ctl.json != JSON_OFF)
		json_end(&json);
	else
		g_string_free(json.out, TRUE);
	table_free(table);
	return r;
}

int verb_list(int argc, char **argv)
{
	struct kdb_conn *conn;
	GArray *lines;
	int r;

	(void)argc;
	(void)argv;
	if (!ctl.unique && !ctl.acquired && !ctl.activatable && !ctl.queued) {
		ctl.unique = true;
		ctl.acquired = true;
		ctl.activatable = true;
	}
	r = bus_open(&conn, KDB_OPTIONS(.name = "kdbusctl"));
	if (r)
		return r;
	lines = g_array_new(FALSE, FALSE, sizeof(struct line));
	g_array_set_clear_func(lines, line_clear);
	r = list_read(conn, lines);
	r = r < 0 ? fail(r, "list of names") : list_print(conn, lines);
	g_array_free(lines, TRUE);
	kdb_close(conn);
	return r;
}
