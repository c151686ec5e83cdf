// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl introspect
 */
#include <stdio.h>
#include <string.h>

#include "body.h"
#include "introspect.h"

static struct entry *find_property(const struct object *object,
				   const char *interface, const char *name)
{
	size_t i;

	for (i = 0; i < object->entries->len; i++) {
		struct entry *entry = object->entries->pdata[i];

		if (entry->kind == ENTRY_PROPERTY &&
		    strcmp(entry->interface, interface) == 0 &&
		    strcmp(entry->name, name) == 0)
			return entry;
	}
	return NULL;
}

/* Properties that are not in the description are not shown. */
static void take_values(const struct object *object, const char *interface,
			const struct wire *answer)
{
	GVariantIter *iter;
	const char *name;
	GVariant *value;

	if (g_strcmp0(answer->signature, "a{sv}") != 0)
		return;
	g_variant_get(answer->body, "(a{sv})", &iter);
	while (g_variant_iter_next(iter, "{&sv}", &name, &value)) {
		struct entry *entry = find_property(object, interface, name);

		if (entry && !entry->value)
			entry->value = value;
		else
			g_variant_unref(value);
	}
	g_variant_iter_free(iter);
}

static bool has_property(const struct object *object, const char *interface)
{
	size_t i;

	for (i = 0; i < object->entries->len; i++) {
		const struct entry *entry = object->entries->pdata[i];

		if (entry->kind == ENTRY_PROPERTY &&
		    (entry->flags & ENTRY_READABLE) &&
		    strcmp(entry->interface, interface) == 0)
			return true;
	}
	return false;
}

/* Values of properties, where they can be had; where not, that is said. */
static void read_values(struct kdb_conn *conn, const struct object *object,
			const char *destination, const char *path)
{
	size_t i;

	for (i = 0; i < object->entries->len; i++) {
		const struct entry *entry = object->entries->pdata[i];
		struct wire answer;

		if (entry->kind != ENTRY_INTERFACE ||
		    !has_property(object, entry->interface))
			continue;
		if (call_strings(conn, destination, path, PROPERTIES, "GetAll",
				 g_variant_new("(s)", entry->interface), "s",
				 &answer) == 0)
			take_values(object, entry->interface, &answer);
		wire_clear(&answer);
	}
}

static const char *kind_name(const struct entry *entry)
{
	static const char *const names[] = {
		[ENTRY_INTERFACE]	= "interface",
		[ENTRY_METHOD]		= "method",
		[ENTRY_PROPERTY]	= "property",
		[ENTRY_SIGNAL]		= "signal",
	};

	return names[entry->kind];
}

static char *flag_words(const struct entry *entry)
{
	static const char *const names[] = {
		"deprecated", "no-reply", "privileged", "writable", NULL,
		"emits-change", "emits-invalidation", "const",
	};
	GString *words = g_string_new(NULL);
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(names); i++)
		if ((entry->flags & (1U << i)) && names[i])
			g_string_append_printf(words, "%s%s",
					       words->len ? " " : "",
					       names[i]);
	return g_string_free(words, FALSE);
}

static void introspect_table(const struct object *object)
{
	static const char *const heads[] = {
		"NAME", "TYPE", "SIGNATURE", "RESULT/VALUE", "FLAGS", NULL
	};
	struct table *table = table_new(heads);
	size_t i;

	for (i = 0; i < object->entries->len; i++) {
		g_autofree char *flags = NULL;
		g_autofree char *dotted = NULL;
		g_autofree char *value = NULL;
		const struct entry *entry = object->entries->pdata[i];

		flags = flag_words(entry);
		dotted = g_strdup_printf(".%s", entry->name);
		if (entry->value)
			value = body_words(entry->value);
		table_add(table, entry->name ? dotted : entry->interface);
		table_add(table, kind_name(entry));
		table_add(table, entry->in->str);
		table_add(table, value ?: entry->out->str);
		table_add(table, flags);
	}
	table_print(table);
	table_free(table);
}

static void introspect_entry(struct json *json, const struct entry *entry)
{
	g_autofree char *flags = flag_words(entry);

	json_open(json, '{');
	json_key(json, "interface");
	json_string(json, entry->interface);
	json_key(json, "name");
	json_string(json, entry->name);
	json_key(json, "type");
	json_string(json, kind_name(entry));
	json_key(json, "signature");
	json_string(json, entry->in->str);
	json_key(json, "result");
	json_string(json, entry->out->str);
	json_key(json, "value");
	if (entry->value)
		body_json(json, entry->value);
	else
		json_string(json, NULL);
	json_key(json, "flags");
	json_string(json, flags);
	json_close(json, '}');
}

static void introspect_json(const struct object *object)
{
	struct json json;
	size_t i;

	json_begin(&json);
	json_open(&json, '[');
	for (i = 0; i < object->entries->len; i++)
		introspect_entry(&json, object->entries->pdata[i]);
	json_close(&json, ']');
	json_end(&json);
}

static int introspect_run(struct kdb_conn *conn, const char *destination,
			  const char *path)
{
	struct object object = { 0 };
	struct wire answer;
	const char *xml;
	int r;

	r = object_xml(conn, destination, path, &answer, &xml);
	if (r == 0 && ctl.xml) {
		fputs(xml, stdout);
	} else if (r == 0) {
		r = object_parse(&object, path, xml);
		if (r == 0)
			read_values(conn, &object, destination, path);
		if (r == 0 && ctl.json != JSON_OFF)
			introspect_json(&object);
		else if (r == 0)
			introspect_table(&object);
		object_clear(&object);
	}
	wire_clear(&answer);
	return r;
}

/* DEST PATH */
int verb_introspect(int argc, char **argv)
{
	struct kdb_conn *conn;
	int r;

	(void)argc;
	r = call_check(argv[1], argv[2], NULL, NULL) ?: call_open(&conn);
	if (r)
		return r;
	r = introspect_run(conn, argv[1], argv[2]);
	kdb_close(conn);
	return r;
}
