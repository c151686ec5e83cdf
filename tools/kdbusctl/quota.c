// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl quota
 *
 * How much a connection uses is only told in /proc/PID/fdinfo, section 23 of
 * the manual: of the processes that the caller may look into.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <sys/stat.h>

#include "ctl.h"
#include "text.h"

/* Lines of fdinfo, in the order in which they are printed */
static const char *const keys[] = {
	"kdbus-id", "pool-size", "pool-used", "pool-resident", "copied",
	"queued", "arrivals", "lost",
};

enum { QUOTA_ID };

struct quota_row {
	uint64_t value[G_N_ELEMENTS(keys)];
	uint64_t pid;
	char *process;
	char *user;
};

static void quota_clear(gpointer data)
{
	struct quota_row *row = data;

	g_free(row->process);
	g_free(row->user);
}

static bool quota_parse(const char *text, uint64_t *value)
{
	g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
	size_t i, k, found = 0;

	for (i = 0; lines[i]; i++) {
		char *colon = strstr(lines[i], ":\t");

		if (!colon)
			continue;
		*colon = '\0';
		for (k = 0; k < G_N_ELEMENTS(keys); k++) {
			if (strcmp(lines[i], keys[k]) != 0)
				continue;
			value[k] = g_ascii_strtoull(colon + 2, NULL, 10);
			found++;
		}
	}
	return found == G_N_ELEMENTS(keys);
}

/* A connection that several processes have is shown with the first of them. */
static bool quota_known(const GArray *rows, uint64_t id)
{
	size_t i;

	for (i = 0; i < rows->len; i++)
		if (g_array_index(rows, struct quota_row, i).value[QUOTA_ID] ==
		    id)
			return true;
	return false;
}

/* Reads a file of /proc, or returns NULL if it is gone by now. */
static char *quota_read(const char *pid, const char *name)
{
	g_autofree char *path = g_build_filename("/proc", pid, name, NULL);
	char *text;

	return g_file_get_contents(path, &text, NULL, NULL) ? text : NULL;
}

static void quota_look(GArray *rows, const char *pid, const char *fd)
{
	g_autofree char *name = g_build_filename("fdinfo", fd, NULL);
	g_autofree char *text = quota_read(pid, name);
	g_autofree char *dir = g_build_filename("/proc", pid, NULL);
	struct quota_row row = { .pid = g_ascii_strtoull(pid, NULL, 10) };
	struct stat st;

	if (!text || !quota_parse(text, row.value) ||
	    quota_known(rows, row.value[QUOTA_ID]) || stat(dir, &st) < 0)
		return;
	row.user = peer_user(st.st_uid);
	row.process = quota_read(pid, "comm");
	if (row.process)
		g_strchomp(row.process);
	g_array_append_val(rows, row);
}

/* Nodes of the bus and of its custom endpoints are in one directory. */
static bool quota_on_bus(const char *pid, const char *fd, const char *bus)
{
	g_autofree char *link = g_build_filename("/proc", pid, "fd", fd, NULL);
	g_autofree char *target = g_file_read_link(link, NULL);
	g_autofree char *dir = target ? g_path_get_dirname(target) : NULL;

	return dir && strcmp(dir, bus) == 0;
}

/* Returns false if the process may not be looked into. */
static bool quota_process(GArray *rows, const char *pid, const char *bus)
{
	g_autofree char *path = g_build_filename("/proc", pid, "fd", NULL);
	GDir *dir = g_dir_open(path, 0, NULL);
	const char *fd;

	if (!dir)
		return errno != EACCES;
	while ((fd = g_dir_read_name(dir)))
		if (quota_on_bus(pid, fd, bus))
			quota_look(rows, pid, fd);
	g_dir_close(dir);
	return true;
}

static int quota_compare(gconstpointer a, gconstpointer b)
{
	const struct quota_row *x = a, *y = b;

	return (x->value[QUOTA_ID] > y->value[QUOTA_ID]) -
	       (x->value[QUOTA_ID] < y->value[QUOTA_ID]);
}

static void quota_table(const GArray *rows)
{
	static const char *const heads[] = {
		"CONNECTION", "POOL", "USED", "RESIDENT", "COPIED", "QUEUED",
		"ARRIVALS", "LOST", "PID", "USER", "PROCESS", NULL
	};
	struct table *table = table_new(heads);
	size_t i, k;

	for (i = 0; i < rows->len; i++) {
		const struct quota_row *row =
			&g_array_index(rows, struct quota_row, i);
		g_autofree char *id = g_strdup_printf(":1.%" PRIu64,
						      row->value[QUOTA_ID]);

		table_add(table, id);
		for (k = 1; k < G_N_ELEMENTS(keys); k++)
			table_add_u64(table, row->value[k]);
		table_add_u64(table, row->pid);
		table_add(table, row->user);
		table_add(table, row->process);
	}
	table_print(table);
	table_free(table);
}

static void quota_json(const GArray *rows)
{
	struct json json;
	size_t i, k;

	json_begin(&json);
	json_open(&json, '[');
	for (i = 0; i < rows->len; i++) {
		const struct quota_row *row =
			&g_array_index(rows, struct quota_row, i);
		g_autofree char *id = g_strdup_printf(":1.%" PRIu64,
						      row->value[QUOTA_ID]);

		json_open(&json, '{');
		json_key(&json, "connection");
		json_string(&json, id);
		for (k = 1; k < G_N_ELEMENTS(keys); k++) {
			json_key(&json, keys[k]);
			json_u64(&json, row->value[k]);
		}
		json_key(&json, "pid");
		json_u64(&json, row->pid);
		json_key(&json, "user");
		json_string(&json, row->user);
		json_key(&json, "process");
		json_string(&json, row->process);
		json_close(&json, '}');
	}
	json_close(&json, ']');
	json_end(&json);
}

int verb_quota(int argc, char **argv)
{
	g_autofree char *path = bus_path();
	g_autofree char *bus = path ? g_path_get_dirname(path) : NULL;
	unsigned int hidden = 0;
	const char *pid;
	GArray *rows;
	GDir *proc;

	(void)argc;
	(void)argv;
	if (!bus)
		return fail(-EPROTONOSUPPORT, "%s", ctl.address);
	if (access(path, F_OK) < 0)
		return fail(-errno, "%s", path);
	proc = g_dir_open("/proc", 0, NULL);
	if (!proc)
		return fail(-ENOENT, "/proc");
	rows = g_array_new(FALSE, TRUE, sizeof(struct quota_row));
	g_array_set_clear_func(rows, quota_clear);
	while ((pid = g_dir_read_name(proc)))
		if (g_ascii_isdigit(*pid) && !quota_process(rows, pid, bus))
			hidden++;
	g_dir_close(proc);
	g_array_sort(rows, quota_compare);
	if (ctl.json == JSON_OFF)
		quota_table(rows);
	else
		quota_json(rows);
	g_array_free(rows, TRUE);
	if (hidden && !ctl.quiet)
		g_printerr("kdbusctl: %u processes may not be looked into\n",
			   hidden);
	return 0;
}
