// SPDX-License-Identifier: GPL-2.0
/*
 * Messages in the format of D-Bus on sockets, protocol version 1
 */
#include <string.h>

#include "wire.h"

#define ORDER	(G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B')

static void put_value(GByteArray *out, GVariant *value);

static void put_align(GByteArray *out, size_t align)
{
	static const guint8 zeros[8];

	g_byte_array_append(out, zeros, -out->len & (align - 1));
}

static void put_bytes(GByteArray *out, const void *bytes, size_t size)
{
	g_byte_array_append(out, bytes, size);
}

static void put_u32(GByteArray *out, guint32 n)
{
	put_align(out, sizeof(n));
	put_bytes(out, &n, sizeof(n));
}

static void put_string(GByteArray *out, const char *string)
{
	put_u32(out, strlen(string));
	put_bytes(out, string, strlen(string) + 1);
}

static void put_signature(GByteArray *out, const char *signature)
{
	guint8 size = strlen(signature);

	put_bytes(out, &size, sizeof(size));
	put_bytes(out, signature, size + 1);
}

/* Alignment of a type, by its first letter */
static size_t align_of(char type)
{
	switch (type) {
	case 'y':
	case 'g':
	case 'v':
		return 1;
	case 'n':
	case 'q':
		return 2;
	case 'x':
	case 't':
	case 'd':
	case '(':
	case '{':
		return 8;
	default:
		return 4;
	}
}

static void put_children(GByteArray *out, GVariant *value)
{
	gsize i;

	for (i = 0; i < g_variant_n_children(value); i++) {
		GVariant *child = g_variant_get_child_value(value, i);

		put_value(out, child);
		g_variant_unref(child);
	}
}

/* The length does not count what aligns the first element. */
static void put_array(GByteArray *out, GVariant *value)
{
	guint32 length;
	size_t at, start;

	put_u32(out, 0);
	at = out->len - sizeof(length);
	put_align(out, align_of(g_variant_get_type_string(value)[1]));
	start = out->len;
	put_children(out, value);
	length = out->len - start;
	memcpy(out->data + at, &length, sizeof(length));
}

static void put_variant(GByteArray *out, GVariant *value)
{
	GVariant *child = g_variant_get_variant(value);

	put_signature(out, g_variant_get_type_string(child));
	put_value(out, child);
	g_variant_unref(child);
}

/* Numbers are the same in both formats, but for booleans. */
static void put_number(GByteArray *out, GVariant *value)
{
	put_align(out, align_of(*g_variant_get_type_string(value)));
	put_bytes(out, g_variant_get_data(value), g_variant_get_size(value));
}

static void put_value(GByteArray *out, GVariant *value)
{
	switch (*g_variant_get_type_string(value)) {
	case 's':
	case 'o':
		put_string(out, g_variant_get_string(value, NULL));
		break;
	case 'g':
		put_signature(out, g_variant_get_string(value, NULL));
		break;
	case 'b':
		put_u32(out, g_variant_get_boolean(value));
		break;
	case 'v':
		put_variant(out, value);
		break;
	case 'a':
		put_array(out, value);
		break;
	case '(':
	case '{':
		put_align(out, 8);
		put_children(out, value);
		break;
	default:
		put_number(out, value);
	}
}

static void put_field(GByteArray *out, guint8 code, const char *type,
		      const char *string)
{
	if (!string)
		return;
	put_align(out, 8);
	put_bytes(out, &code, sizeof(code));
	put_signature(out, type);
	if (*type == 'g')
		put_signature(out, string);
	else
		put_string(out, string);
}

static void put_field_u32(GByteArray *out, guint8 code, guint32 n)
{
	if (!n)
		return;
	put_align(out, 8);
	put_bytes(out, &code, sizeof(code));
	put_signature(out, "u");
	put_u32(out, n);
}

static void put_fields(GByteArray *out, const struct wire *wire)
{
	put_field(out, 1, "o", wire->path);
	put_field(out, 2, "s", wire->interface);
	put_field(out, 3, "s", wire->member);
	put_field(out, 4, "s", wire->error_name);
	put_field_u32(out, 5, wire->reply_cookie);
	put_field(out, 6, "s", wire->destination);
	put_field(out, 7, "s", wire->sender);
	put_field(out, 8, "g", wire->body ? wire->signature : NULL);
	put_field_u32(out, 9, wire->n_fds);
}

/* Returns the same message, as it would be on a socket. */
GByteArray *classic_message(const struct wire *wire)
{
	const guint8 bytes[4] = { ORDER, wire->type, wire->flags, 1 };
	GByteArray *body = g_byte_array_new();
	GByteArray *out = g_byte_array_new();
	guint32 length;

	/* the body begins at a multiple of 8 */
	if (wire->body)
		put_children(body, wire->body);
	put_bytes(out, bytes, sizeof(bytes));
	put_u32(out, body->len);
	put_u32(out, wire->cookie);
	put_u32(out, 0);
	put_fields(out, wire);
	length = out->len - 16;
	memcpy(out->data + 12, &length, sizeof(length));
	put_align(out, 8);
	put_bytes(out, body->data, body->len);
	g_byte_array_free(body, TRUE);
	return out;
}
