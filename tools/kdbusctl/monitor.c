// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl monitor
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "body.h"
#include "watch.h"

static void put(const char *key, const char *value)
{
	g_autofree char *text = NULL;

	if (!value)
		return;
	text = text_escape(value, strlen(value));
	printf("  %s=%s", key, text);
}

static void monitor_time(uint64_t realtime)
{
	g_autofree char *text = NULL;
	GDateTime *time;

	time = g_date_time_new_from_unix_local(realtime / NSEC_PER_SEC);
	if (!time)
		return;
	text = g_date_time_format(time, "%a %Y-%m-%d %H:%M:%S");
	printf("  Timestamp=\"%s.%06" PRIu64 "\"", text,
	       (uint64_t)(realtime % NSEC_PER_SEC / 1000));
	g_date_time_unref(time);
}

/* Its kind and numbers */
static void monitor_first(const struct seen *seen)
{
	const struct kdbus_msg *header = kdb_view_header(seen->view);
	const char *mark = g_get_charset(NULL) ? "‣" : ">";
	const struct wire *wire = &seen->wire;

	if (seen->why)
		printf("%s Type=foreign  PayloadType=0x%" PRIx64
		       "  Cookie=%" PRIu64, mark,
		       (uint64_t)header->payload_type,
		       (uint64_t)header->cookie);
	else
		printf("%s Type=%s  Flags=%u  Version=2  Cookie=%u",
		       mark, wire_type_name(wire->type) ?: "unknown",
		       wire->flags, wire->cookie);
	if (wire->reply_cookie)
		printf("  ReplyCookie=%u", wire->reply_cookie);
	if (header->priority)
		printf("  Priority=%" PRIi64, (int64_t)header->priority);
	monitor_time(seen->realtime);
	putchar('\n');
}

static void monitor_sender(const struct kdb_meta *meta)
{
	const char *name;
	size_t i;

	if (!meta->have)
		return;
	for (i = 0; (name = kdb_meta_name(meta, i, NULL)); i++)
		put("Name", name);
	put("Comm", meta->pid_comm);
	if (meta->creds)
		printf("  PID=%" PRIu64 "  UID=%" PRIu64,
		       (uint64_t)meta->creds->pid, (uint64_t)meta->creds->uid);
	putchar('\n');
}

static guint8 *monitor_payload(const struct seen *seen, size_t *size)
{
	guint8 *data;

	*size = kdb_view_size(seen->view);
	data = g_try_malloc(*size);
	if (data && kdb_view_copy(seen->view, data, *size) == 0)
		return data;
	g_free(data);
	return NULL;
}

static void monitor_raw(const struct seen *seen)
{
	g_autofree guint8 *data = NULL;
	size_t size;

	data = monitor_payload(seen, &size);
	printf("  Not decoded: %s\n", seen->why);
	if (data)
		body_hex(data, size);
}

static void monitor_text(const struct seen *seen)
{
	const struct wire *wire = &seen->wire;
	g_autofree char *lines = NULL;

	monitor_first(seen);
	put("Sender", wire->sender);
	put("Destination", wire->destination);
	put("Path", wire->path);
	put("Interface", wire->interface);
	put("Member", wire->member);
	put("ErrorName", wire->error_name);
	putchar('\n');
	monitor_sender(seen->meta);
	if (wire->note)
		printf("  Tolerated: %s\n", wire->note);
	if (wire->body) {
		lines = body_lines(wire->body, 2);
		fputs(lines, stdout);
	}
	if (seen->why)
		monitor_raw(seen);
	putchar('\n');
}

static void member(struct json *json, const char *key, const char *value)
{
	if (!value)
		return;
	json_key(json, key);
	json_string(json, value);
}

static void member_u64(struct json *json, const char *key, uint64_t n)
{
	json_key(json, key);
	json_u64(json, n);
}

static void json_payload(struct json *json, const struct seen *seen)
{
	g_autofree guint8 *data = NULL;
	size_t i, size;
	GString *hex;

	if (!seen->why) {
		json_key(json, "payload");
		body_json_message(json, seen->wire.body ? seen->wire.signature :
							  NULL,
				  seen->wire.body);
		return;
	}
	member(json, "why", seen->why);
	data = monitor_payload(seen, &size);
	if (!data)
		return;
	hex = g_string_new(NULL);
	for (i = 0; i < size; i++)
		g_string_append_printf(hex, "%02x", data[i]);
	member(json, "raw", hex->str);
	g_string_free(hex, TRUE);
}

static void json_header(struct json *json, const struct seen *seen)
{
	const struct kdbus_msg *header = kdb_view_header(seen->view);
	const struct wire *wire = &seen->wire;

	member(json, "type", seen->why ? "foreign" :
	       wire_type_name(wire->type) ?: "unknown");
	if (!seen->why)
		member_u64(json, "flags", wire->flags);
	else
		member_u64(json, "payload-type", header->payload_type);
	member_u64(json, "cookie", seen->why ? header->cookie : wire->cookie);
	if (wire->reply_cookie)
		member_u64(json, "reply_cookie", wire->reply_cookie);
	member_u64(json, "timestamp-realtime-ns", seen->realtime);
}

static void monitor_json(const struct seen *seen)
{
	const struct kdbus_creds *creds = seen->meta->creds;
	const struct wire *wire = &seen->wire;
	struct json json;

	json_begin(&json);
	json_open(&json, '{');
	json_header(&json, seen);
	member(&json, "sender", wire->sender);
	member(&json, "destination", wire->destination);
	member(&json, "path", wire->path);
	member(&json, "interface", wire->interface);
	member(&json, "member", wire->member);
	member(&json, "error_name", wire->error_name);
	if (creds) {
		member_u64(&json, "pid", creds->pid);
		member_u64(&json, "uid", creds->uid);
	}
	member(&json, "comm", seen->meta->pid_comm);
	member(&json, "tolerated", wire->note);
	json_payload(&json, seen);
	json_close(&json, '}');
	json_end(&json);
}

static void monitor_show(const struct seen *seen, void *arg)
{
	(void)arg;
	if (ctl.json != JSON_OFF)
		monitor_json(seen);
	else
		monitor_text(seen);
}

static void monitor_flush(void *arg)
{
	(void)arg;
	fflush(stdout);
}

/* [NAME]... */
int verb_monitor(int argc, char **argv)
{
	struct watch watch = {
		.show	= monitor_show,
		.flush	= monitor_flush,
	};

	return watch_run(&watch, argc, argv);
}
