// SPDX-License-Identifier: GPL-2.0
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "body.h"

/* As few digits as give the same number again */
static void double_text(char *text, size_t size, double d)
{
	int digits;

	for (digits = 6; digits <= 17; digits++) {
		char format[8];

		g_snprintf(format, sizeof(format), "%%.%dg", digits);
		g_ascii_formatd(text, size, format, d);
		if (g_ascii_strtod(text, NULL) == d)
			return;
	}
}

static void append_quoted(GString *out, const char *string)
{
	g_autofree char *escaped = text_escape(string, strlen(string));
	const char *c;

	g_string_append_c(out, '"');
	for (c = escaped; *c; c++) {
		if (*c == '"')
			g_string_append_c(out, '\\');
		g_string_append_c(out, *c);
	}
	g_string_append_c(out, '"');
}

/* A value of a basic type, without its type */
static void append_basic(GString *out, GVariant *value)
{
	char text[G_ASCII_DTOSTR_BUF_SIZE];

	switch (g_variant_classify(value)) {
	case G_VARIANT_CLASS_BOOLEAN:
		g_string_append(out, g_variant_get_boolean(value) ? "true" :
								    "false");
		break;
	case G_VARIANT_CLASS_BYTE:
		g_string_append_printf(out, "%u", g_variant_get_byte(value));
		break;
	case G_VARIANT_CLASS_INT16:
		g_string_append_printf(out, "%d", g_variant_get_int16(value));
		break;
	case G_VARIANT_CLASS_UINT16:
		g_string_append_printf(out, "%u", g_variant_get_uint16(value));
		break;
	case G_VARIANT_CLASS_INT32:
		g_string_append_printf(out, "%d", g_variant_get_int32(value));
		break;
	case G_VARIANT_CLASS_UINT32:
		g_string_append_printf(out, "%u", g_variant_get_uint32(value));
		break;
	case G_VARIANT_CLASS_HANDLE:
		g_string_append_printf(out, "%d", g_variant_get_handle(value));
		break;
	case G_VARIANT_CLASS_INT64:
		g_string_append_printf(out, "%" PRIi64,
				       (int64_t)g_variant_get_int64(value));
		break;
	case G_VARIANT_CLASS_UINT64:
		g_string_append_printf(out, "%" PRIu64,
				       (uint64_t)g_variant_get_uint64(value));
		break;
	case G_VARIANT_CLASS_DOUBLE:
		double_text(text, sizeof(text), g_variant_get_double(value));
		g_string_append(out, text);
		break;
	default:
		append_quoted(out, g_variant_get_string(value, NULL));
	}
}

static void append_words(GString *out, GVariant *value)
{
	gsize i, n;

	if (!g_variant_is_container(value)) {
		g_string_append_c(out, ' ');
		append_basic(out, value);
		return;
	}
	n = g_variant_n_children(value);
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_ARRAY))
		g_string_append_printf(out, " %zu", n);
	for (i = 0; i < n; i++) {
		GVariant *child = g_variant_get_child_value(value, i);

		if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
			g_string_append_c(out, ' ');
			g_string_append(out, g_variant_get_type_string(child));
		}
		append_words(out, child);
		g_variant_unref(child);
	}
}

/* What busctl prints, and takes as arguments */
char *body_words(GVariant *value)
{
	GString *out = g_string_new(NULL);

	append_words(out, value);
	if (out->len)
		g_string_erase(out, 0, 1);
	return g_string_free(out, FALSE);
}

static const char *type_word(GVariant *value)
{
	switch (g_variant_classify(value)) {
	case G_VARIANT_CLASS_BOOLEAN:		return "BOOLEAN";
	case G_VARIANT_CLASS_BYTE:		return "BYTE";
	case G_VARIANT_CLASS_INT16:		return "INT16";
	case G_VARIANT_CLASS_UINT16:		return "UINT16";
	case G_VARIANT_CLASS_INT32:		return "INT32";
	case G_VARIANT_CLASS_UINT32:		return "UINT32";
	case G_VARIANT_CLASS_HANDLE:		return "UNIX_FD";
	case G_VARIANT_CLASS_INT64:		return "INT64";
	case G_VARIANT_CLASS_UINT64:		return "UINT64";
	case G_VARIANT_CLASS_DOUBLE:		return "DOUBLE";
	case G_VARIANT_CLASS_STRING:		return "STRING";
	case G_VARIANT_CLASS_OBJECT_PATH:	return "OBJECT_PATH";
	case G_VARIANT_CLASS_SIGNATURE:		return "SIGNATURE";
	case G_VARIANT_CLASS_VARIANT:		return "VARIANT";
	case G_VARIANT_CLASS_ARRAY:		return "ARRAY";
	case G_VARIANT_CLASS_DICT_ENTRY:	return "DICT_ENTRY";
	default:				return "STRUCT";
	}
}

static void append_indent(GString *out, unsigned int indent)
{
	g_string_append_printf(out, "%*s", (int)indent, "");
}

/* busctl names what is in a container, not the container. */
static char *type_inside(GVariant *value)
{
	const char *type = g_variant_get_type_string(value);
	GVariant *child;
	char *inside;

	if (g_variant_is_of_type(value, G_VARIANT_TYPE_ARRAY))
		return g_strdup(type + 1);
	if (!g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT))
		return g_strndup(type + 1, strlen(type) - 2);
	child = g_variant_get_variant(value);
	inside = g_strdup(g_variant_get_type_string(child));
	g_variant_unref(child);
	return inside;
}

static void append_lines(GString *out, GVariant *value, unsigned int indent)
{
	g_autofree char *inside = NULL;
	gsize i;

	append_indent(out, indent);
	if (!g_variant_is_container(value)) {
		g_string_append_printf(out, "%s ", type_word(value));
		append_basic(out, value);
		g_string_append(out, ";\n");
		return;
	}
	inside = type_inside(value);
	g_string_append_printf(out, "%s \"%s\" {\n", type_word(value), inside);
	for (i = 0; i < g_variant_n_children(value); i++) {
		GVariant *child = g_variant_get_child_value(value, i);

		append_lines(out, child, indent + 8);
		g_variant_unref(child);
	}
	append_indent(out, indent);
	g_string_append(out, "};\n");
}

/* Arguments of a message, a line for each value */
char *body_lines(GVariant *value, unsigned int indent)
{
	GString *out = g_string_new(NULL);

	append_lines(out, value, indent);
	/* the outermost struct is the message */
	g_string_erase(out, indent, strlen("STRUCT"));
	g_string_insert(out, indent, "MESSAGE");
	return g_string_free(out, FALSE);
}

static void json_basic(struct json *json, GVariant *value)
{
	GString *text;

	switch (g_variant_classify(value)) {
	case G_VARIANT_CLASS_STRING:
	case G_VARIANT_CLASS_OBJECT_PATH:
	case G_VARIANT_CLASS_SIGNATURE:
		json_string(json, g_variant_get_string(value, NULL));
		break;
	case G_VARIANT_CLASS_DOUBLE:
		json_double(json, g_variant_get_double(value));
		break;
	default:
		text = g_string_new(NULL);
		append_basic(text, value);
		json_raw(json, text->str);
		g_string_free(text, TRUE);
	}
}

/* Keys of objects are strings: those that are something else become some. */
static void json_dict(struct json *json, GVariant *value)
{
	gsize i;

	json_open(json, '{');
	for (i = 0; i < g_variant_n_children(value); i++) {
		GVariant *entry = g_variant_get_child_value(value, i);
		GString *text = g_string_new(NULL);
		GVariant *key, *of;

		key = g_variant_get_child_value(entry, 0);
		of = g_variant_get_child_value(entry, 1);
		if (g_variant_type_is_subtype_of(g_variant_get_type(key),
						 G_VARIANT_TYPE_STRING) ||
		    g_variant_is_of_type(key, G_VARIANT_TYPE_OBJECT_PATH) ||
		    g_variant_is_of_type(key, G_VARIANT_TYPE_SIGNATURE))
			g_string_append(text, g_variant_get_string(key, NULL));
		else
			append_basic(text, key);
		json_key(json, text->str);
		body_json(json, of);
		g_string_free(text, TRUE);
		g_variant_unref(key);
		g_variant_unref(of);
		g_variant_unref(entry);
	}
	json_close(json, '}');
}

/* A variant is an object with its type, as in busctl. */
void body_json(struct json *json, GVariant *value)
{
	GVariant *child;
	gsize i;

	if (!g_variant_is_container(value)) {
		json_basic(json, value);
		return;
	}
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_DICTIONARY)) {
		json_dict(json, value);
		return;
	}
	if (g_variant_is_of_type(value, G_VARIANT_TYPE_VARIANT)) {
		child = g_variant_get_variant(value);
		body_json_message(json, g_variant_get_type_string(child),
				  child);
		g_variant_unref(child);
		return;
	}
	json_open(json, '[');
	for (i = 0; i < g_variant_n_children(value); i++) {
		child = g_variant_get_child_value(value, i);
		body_json(json, child);
		g_variant_unref(child);
	}
	json_close(json, ']');
}

/* {"type":"s","data":"text"}; of a message, data has all arguments. */
void body_json_message(struct json *json, const char *signature, GVariant *body)
{
	json_open(json, '{');
	json_key(json, "type");
	json_string(json, signature ?: "");
	json_key(json, "data");
	if (body) {
		body_json(json, body);
	} else {
		json_open(json, '[');
		json_close(json, ']');
	}
	json_close(json, '}');
}

/* What cannot be decoded: offset, 16 bytes, and what of them is ASCII */
void body_hex(const void *data, size_t size)
{
	const guint8 *bytes = data;
	size_t i, j;

	for (i = 0; i < size; i += 16) {
		printf("%08zx ", i);
		for (j = i; j < i + 16; j++)
			if (j < size)
				printf(" %02x", bytes[j]);
			else
				printf("   ");
		printf("  ");
		for (j = i; j < MIN(i + 16, size); j++)
			putchar(g_ascii_isprint(bytes[j]) ? bytes[j] : '.');
		putchar('\n');
	}
}
