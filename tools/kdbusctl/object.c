// SPDX-License-Identifier: GPL-2.0
/*
 * The XML that objects describe themselves by
 */
#include <string.h>

#include "introspect.h"

/* Asks for it; xml is then in the answer. */
int object_xml(struct kdb_conn *conn, const char *destination,
	       const char *path, struct wire *answer, const char **xml)
{
	int r = call_strings(conn, destination, path, INTROSPECTABLE,
			     "Introspect", NULL, NULL, answer);

	if (r)
		return r;
	if (g_strcmp0(answer->signature, "s") != 0)
		return fail_plain("%s: the answer is no string", path);
	g_variant_get(answer->body, "(&s)", xml);
	return 0;
}

/**
 * struct parser - where the reader of the XML is
 * @object:	Where it goes
 * @depth:	Of elements node: the first is the object itself
 * @interface:	Name of the interface that this is in, or NULL
 * @member:	The member that this is in, or the interface, or NULL
 */
struct parser {
	struct object *object;
	unsigned int depth;
	char *interface;
	struct entry *member;
};

static void entry_free(gpointer data)
{
	struct entry *entry = data;

	g_free(entry->interface);
	g_free(entry->name);
	g_string_free(entry->in, TRUE);
	g_string_free(entry->out, TRUE);
	if (entry->value)
		g_variant_unref(entry->value);
	g_free(entry);
}

static const char *attribute(const char **names, const char **values,
			     const char *name)
{
	for (; *names; names++, values++)
		if (strcmp(*names, name) == 0)
			return *values;
	return NULL;
}

static void entry_add(struct parser *parser, enum entry_kind kind,
		      const char *name)
{
	struct entry *entry = g_new0(struct entry, 1);

	entry->kind = kind;
	entry->interface = g_strdup(parser->interface);
	entry->name = g_strdup(name);
	entry->in = g_string_new(NULL);
	entry->out = g_string_new(NULL);
	if (kind == ENTRY_PROPERTY)
		entry->flags = ENTRY_EMITS;
	g_ptr_array_add(parser->object->entries, entry);
	parser->member = entry;
}

static void on_annotation(struct entry *entry, const char *name,
			  const char *value)
{
	static const unsigned int emits = ENTRY_EMITS | ENTRY_CONST |
					  ENTRY_INVALIDATES;
	bool yes = strcmp(value, "true") == 0;

	if (strcmp(name, "org.freedesktop.DBus.Deprecated") == 0 && yes)
		entry->flags |= ENTRY_DEPRECATED;
	if (strcmp(name, "org.freedesktop.DBus.Method.NoReply") == 0 && yes)
		entry->flags |= ENTRY_NO_REPLY;
	if (strcmp(name, "org.freedesktop.systemd1.Privileged") == 0 && yes)
		entry->flags |= ENTRY_PRIVILEGED;
	if (strcmp(name,
		   "org.freedesktop.DBus.Property.EmitsChangedSignal") != 0)
		return;
	entry->flags &= ~emits;
	if (yes)
		entry->flags |= ENTRY_EMITS;
	else if (strcmp(value, "invalidates") == 0)
		entry->flags |= ENTRY_INVALIDATES;
	else if (strcmp(value, "const") == 0)
		entry->flags |= ENTRY_CONST;
}

static void on_arg(struct entry *entry, const char *type, const char *direction)
{
	if (entry->kind == ENTRY_METHOD && g_strcmp0(direction, "out") == 0)
		g_string_append(entry->out, type);
	else
		g_string_append(entry->in, type);
}

static void on_property(struct parser *parser, const char *name,
			const char *type, const char *access)
{
	entry_add(parser, ENTRY_PROPERTY, name);
	g_string_append(parser->member->in, type);
	if (strcmp(access, "write") != 0)
		parser->member->flags |= ENTRY_READABLE;
	if (strcmp(access, "read") != 0)
		parser->member->flags |= ENTRY_WRITABLE;
}

/* In an element of an interface; unknown elements mean nothing. */
static void on_member(struct parser *parser, const char *element,
		      const char **names, const char **values)
{
	const char *name = attribute(names, values, "name");
	const char *type = attribute(names, values, "type");

	if (strcmp(element, "method") == 0 && name)
		entry_add(parser, ENTRY_METHOD, name);
	else if (strcmp(element, "signal") == 0 && name)
		entry_add(parser, ENTRY_SIGNAL, name);
	else if (strcmp(element, "property") == 0 && name && type)
		on_property(parser, name, type,
			    attribute(names, values, "access") ?: "read");
	else if (strcmp(element, "arg") == 0 && type && parser->member)
		on_arg(parser->member, type,
		       attribute(names, values, "direction"));
	else if (strcmp(element, "annotation") == 0 && name && parser->member)
		on_annotation(parser->member, name,
			      attribute(names, values, "value") ?: "");
}

static void on_start(GMarkupParseContext *context, const char *element,
		     const char **names, const char **values, gpointer data,
		     GError **error)
{
	const char *name = attribute(names, values, "name");
	struct parser *parser = data;

	(void)context;
	(void)error;
	if (strcmp(element, "node") == 0) {
		if (parser->depth++ == 1 && name)
			g_ptr_array_add(parser->object->children,
					g_strdup(name));
	} else if (parser->depth == 1 && !parser->interface) {
		if (strcmp(element, "interface") != 0 || !name)
			return;
		parser->interface = g_strdup(name);
		entry_add(parser, ENTRY_INTERFACE, NULL);
	} else if (parser->depth == 1) {
		on_member(parser, element, names, values);
	}
}

static void on_end(GMarkupParseContext *context, const char *element,
		   gpointer data, GError **error)
{
	struct parser *parser = data;

	(void)context;
	(void)error;
	if (strcmp(element, "node") == 0)
		parser->depth--;
	if (strcmp(element, "interface") != 0 || parser->depth != 1)
		return;
	g_free(parser->interface);
	parser->interface = NULL;
	parser->member = NULL;
}

/* object is to be cleared in any case. */
int object_parse(struct object *object, const char *path, const char *xml)
{
	static const GMarkupParser markup = {
		.start_element	= on_start,
		.end_element	= on_end,
	};
	struct parser parser = { .object = object };
	GMarkupParseContext *context;
	GError *error = NULL;
	int r = 0;

	object->entries = g_ptr_array_new_with_free_func(entry_free);
	object->children = g_ptr_array_new_with_free_func(g_free);
	context = g_markup_parse_context_new(&markup, 0, &parser, NULL);
	if (!g_markup_parse_context_parse(context, xml, -1, &error) ||
	    !g_markup_parse_context_end_parse(context, &error)) {
		g_autofree char *text = text_escape(error->message,
						    strlen(error->message));

		r = fail_plain("%s: the description is malformed: %s", path,
			       text);
	}
	g_clear_error(&error);
	g_markup_parse_context_free(context);
	g_free(parser.interface);
	return r;
}

void object_clear(struct object *object)
{
	if (object->entries)
		g_ptr_array_free(object->entries, TRUE);
	if (object->children)
		g_ptr_array_free(object->children, TRUE);
	*object = (struct object){ 0 };
}
