// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl status
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"
#include "text.h"

/* Lines KEY=VALUE, or the members of an object */
static void put(struct json *json, const char *key, const char *value)
{
	if (!value)
		return;
	if (ctl.json == JSON_OFF) {
		g_autofree char *text = text_escape(value, strlen(value));

		printf("%s=%s\n", key, text);
		return;
	}
	json_key(json, key);
	json_string(json, value);
}

static void put_u64(struct json *json, const char *key, uint64_t n)
{
	if (ctl.json == JSON_OFF) {
		printf("%s=%" PRIu64 "\n", key, n);
		return;
	}
	json_key(json, key);
	json_u64(json, n);
}

/* For strings that were made for this */
static void put_new(struct json *json, const char *key, char *value)
{
	put(json, key, value);
	g_free(value);
}

static char *status_groups(const struct kdb_meta *meta)
{
	GString *line = g_string_new(NULL);
	size_t i;

	for (i = 0; i < meta->n_groups; i++)
		g_string_append_printf(line, "%s%" PRIu64, i ? " " : "",
				       (uint64_t)meta->groups[i]);
	return g_string_free(line, FALSE);
}

/* The sets are inheritable, permitted, effective, bounding. */
static void put_caps(struct json *json, const struct kdb_meta *meta)
{
	static const char *const keys[] = {
		"InheritableCapabilities", "PermittedCapabilities",
		"EffectiveCapabilities", "BoundingCapabilities",
	};
	size_t set, word;

	for (set = 0; meta->caps && set < G_N_ELEMENTS(keys); set++) {
		const uint32_t *words = meta->caps->caps +
					set * meta->caps_words;
		GString *hex = g_string_new("0x");

		for (word = meta->caps_words; word > 0; word--)
			g_string_append_printf(hex, "%08x", words[word - 1]);
		put_new(json, keys[set], g_string_free(hex, FALSE));
	}
}

static void put_creds(struct json *json, const struct kdbus_creds *creds)
{
	if (!creds)
		return;
	put_u64(json, "PID", creds->pid);
	put_u64(json, "TID", creds->tid);
	put_u64(json, "StartTime", creds->starttime);
	put_u64(json, "UID", creds->uid);
	put_new(json, "User", peer_user(creds->uid));
	put_u64(json, "GID", creds->gid);
}

static void put_meta(struct json *json, const struct kdb_meta *meta)
{
	put_creds(json, meta->creds);
	if (meta->have & KDBUS_ATTACH_AUXGROUPS)
		put_new(json, "SupplementaryGIDs", status_groups(meta));
	put(json, "Comm", meta->pid_comm);
	put(json, "TIDComm", meta->tid_comm);
	put(json, "Exe", meta->exe);
	put_new(json, "CommandLine", peer_cmdline(meta));
	put(json, "CGroup", meta->cgroup);
	put_new(json, "Unit", peer_unit(meta->cgroup));
	put_new(json, "Slice", peer_slice(meta->cgroup));
	put_caps(json, meta);
	put(json, "Label", meta->seclabel);
	if (meta->audit) {
		put_u64(json, "AuditSessionID", meta->audit->sessionid);
		put_u64(json, "AuditLoginUID", meta->audit->loginuid);
	}
}

static void put_names(struct json *json, const struct kdb_meta *meta)
{
	const char *name;
	size_t i;

	if (ctl.json == JSON_OFF) {
		for (i = 0; (name = kdb_meta_name(meta, i, NULL)); i++)
			put(json, "Name", name);
		return;
	}
	json_key(json, "Names");
	json_open(json, '[');
	for (i = 0; (name = kdb_meta_name(meta, i, NULL)); i++)
		json_string(json, name);
	json_close(json, ']');
}

static void status_peer(struct json *json, const struct kdb_info *info)
{
	const struct kdb_meta *meta = kdb_info_meta(info);

	put_new(json, "UniqueName",
		g_strdup_printf(":1.%" PRIu64, kdb_info_id(info)));
	put_names(json, meta);
	put_new(json, "Flags", peer_flags(kdb_info_flags(info), 0));
	put(json, "Description", meta->conn_name);
	put_meta(json, meta);
}

static char *status_bus_id(struct kdb_conn *conn)
{
	GString *hex = g_string_new(NULL);
	size_t i;

	for (i = 0; i < 16; i++)
		g_string_append_printf(hex, "%02x", kdb_bus_id(conn)[i]);
	return g_string_free(hex, FALSE);
}

/* info is NULL where the bus was made in other namespaces. */
static void status_bus(struct json *json, struct kdb_conn *conn,
		       const struct kdb_info *info)
{
	put(json, "BusAddress", ctl.address);
	put_new(json, "BusName", bus_name());
	put_new(json, "BusID", status_bus_id(conn));
	put_u64(json, "BloomSize", kdb_bloom(conn)->size);
	put_u64(json, "BloomHashes", kdb_bloom(conn)->n_hash);
	if (!info)
		return;
	if (kdb_info_flags(info) & KDBUS_MAKE_ACCESS_WORLD)
		put(json, "Access", "world");
	else if (kdb_info_flags(info) & KDBUS_MAKE_ACCESS_GROUP)
		put(json, "Access", "group");
	else
		put(json, "Access", "user");
	put_meta(json, kdb_info_meta(info));
}

static int status_run(struct kdb_conn *conn, const char *peer)
{
	struct kdb_info *info = NULL;
	struct json json;
	int r;

	if (peer)
		r = bus_info(conn, peer, KDBUS_ATTACH_NAMES |
			     KDBUS_ATTACH_CONN_NAME, &info);
	else
		r = kdb_info_of_bus(conn, &info);
	if (r < 0 && peer)
		return bus_fail_peer(r, peer);
	if (r < 0 && r != -EPERM)
		return fail(r, "maker of the bus");
	json_begin(&json);
	json_open(&json, '{');
	if (peer)
		status_peer(&json, info);
	else
		status_bus(&json, conn, info);
	json_close(&json, '}');
	if (ctl.json != JSON_OFF)
		json_end(&json);
	else
		g_string_free(json.out, TRUE);
	kdb_info_release(info);
	return 0;
}

int verb_status(int argc, char **argv)
{
	struct kdb_conn *conn;
	int r;

	r = bus_open(&conn, KDB_OPTIONS(.name = "kdbusctl"));
	if (r)
		return r;
	r = status_run(conn, argc > 1 ? argv[1] : NULL);
	kdb_close(conn);
	return r;
}
