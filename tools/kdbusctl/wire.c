// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <string.h>

#include "wire.h"

#define HEADER_SIZE	16
#define ALIGN8(n)	(((n) + 7) & ~(size_t)7)
#define ORDER		(G_BYTE_ORDER == G_LITTLE_ENDIAN ? 'l' : 'B')
#define VERSION		2
#define LOCAL		"org.freedesktop.DBus.Local"
#define LOCAL_PATH	"/org/freedesktop/DBus/Local"

/* Codes of header fields */
enum {
	FIELD_PATH = 1, FIELD_INTERFACE, FIELD_MEMBER, FIELD_ERROR_NAME,
	FIELD_REPLY_COOKIE, FIELD_DESTINATION, FIELD_SENDER, FIELD_SIGNATURE,
	FIELD_N_FDS, FIELD_MAX = FIELD_N_FDS,
};

const char *wire_type_name(guint8 type)
{
	static const char *const names[] = {
		[WIRE_CALL]	= "method_call",
		[WIRE_RETURN]	= "method_return",
		[WIRE_ERROR]	= "error",
		[WIRE_SIGNAL]	= "signal",
	};

	return type < G_N_ELEMENTS(names) ? names[type] : NULL;
}

/* Elements between dots; more than one of them, if dots is true */
static bool wire_is_dotted(const char *name, bool dots, const char *more,
			   bool digits)
{
	const char *c, *element = name;
	size_t n = 1;

	for (c = name; *c; c++) {
		if (*c == '.' && dots) {
			if (c == element)
				return false;
			element = c + 1;
			n++;
		} else if (g_ascii_isdigit(*c)) {
			if (c == element && !digits)
				return false;
		} else if (!g_ascii_isalpha(*c) && !strchr(more, *c)) {
			return false;
		}
	}
	return c != element && c - name <= 255 && (!dots || n > 1);
}

/* Also names of errors */
bool wire_is_interface(const char *name)
{
	return wire_is_dotted(name, true, "_", false);
}

bool wire_is_member(const char *name)
{
	return wire_is_dotted(name, false, "_", false);
}

bool wire_is_destination(const char *name)
{
	if (*name == ':')
		return wire_is_dotted(name + 1, true, "_-", true);
	return wire_is_dotted(name, true, "_-", false);
}

/* GVariant has types that D-Bus has not, and the other way round none. */
bool wire_is_signature(const char *signature)
{
	return strlen(signature) <= 255 && g_variant_is_signature(signature) &&
	       !strstr(signature, "()");
}

/*
 * Sending
 */

static void field(GVariantBuilder *fields, guint8 code, GVariant *value)
{
	g_variant_builder_add(fields, "(yv)", code, value);
}

static void field_string(GVariantBuilder *fields, guint8 code,
			 const char *string)
{
	if (string)
		field(fields, code, g_variant_new_string(string));
}

/* In the order of sd-bus, which readers do not depend on */
static GVariant *wire_fields(const struct wire *wire)
{
	GVariantBuilder fields;

	g_variant_builder_init(&fields, G_VARIANT_TYPE("a(yv)"));
	if (wire->path)
		field(&fields, FIELD_PATH,
		      g_variant_new_object_path(wire->path));
	if (wire->type == WIRE_SIGNAL)
		field_string(&fields, FIELD_INTERFACE, wire->interface);
	field_string(&fields, FIELD_MEMBER, wire->member);
	if (wire->type != WIRE_SIGNAL)
		field_string(&fields, FIELD_INTERFACE, wire->interface);
	if (wire->reply_cookie)
		field(&fields, FIELD_REPLY_COOKIE,
		      g_variant_new_uint32(wire->reply_cookie));
	field_string(&fields, FIELD_DESTINATION, wire->destination);
	field_string(&fields, FIELD_ERROR_NAME, wire->error_name);
	if (wire->body)
		field(&fields, FIELD_SIGNATURE,
		      g_variant_new_signature(wire->signature));
	if (wire->n_fds)
		field(&fields, FIELD_N_FDS, g_variant_new_uint32(wire->n_fds));
	return g_variant_ref_sink(g_variant_builder_end(&fields));
}

/* All that comes before the body */
GByteArray *wire_head(const struct wire *wire)
{
	GVariant *fields = wire_fields(wire);
	guint32 words[3] = {
		wire->body ? g_variant_get_size(wire->body) : 0,
		wire->cookie, g_variant_get_size(fields)
	};
	guint8 bytes[4] = { ORDER, wire->type, wire->flags, VERSION };
	static const guint8 zeros[8];
	GByteArray *head;

	head = g_byte_array_new();
	g_byte_array_append(head, bytes, sizeof(bytes));
	g_byte_array_append(head, (const guint8 *)words, sizeof(words));
	g_byte_array_append(head, g_variant_get_data(fields), words[2]);
	g_byte_array_append(head, zeros, ALIGN8(head->len) - head->len);
	g_variant_unref(fields);
	return head;
}

/*
 * Puts a message into msg, which is addressed otherwise. What it consists of
 * belongs to wire, and is read when msg is sent. wire_put() can be called for
 * another msg after that.
 */
int wire_put(struct kdb_msg *msg, struct wire *wire)
{
	int r;

	if (wire->body && g_variant_get_size(wire->body) > G_MAXUINT32)
		return -EMSGSIZE;
	if (wire->head)
		g_byte_array_free(wire->head, TRUE);
	wire->head = wire_head(wire);
	r = kdb_msg_set_type(msg, KDBUS_PAYLOAD_DBUS);
	if (r == 0)
		r = kdb_msg_set_cookie(msg, wire->cookie);
	if (r == 0)
		r = kdb_msg_put(msg, wire->head->data, wire->head->len);
	if (r == 0 && wire->body)
		r = kdb_msg_put(msg, g_variant_get_data(wire->body),
				g_variant_get_size(wire->body));
	return r;
}

void wire_clear(struct wire *wire)
{
	if (wire->body)
		g_variant_unref(wire->body);
	if (wire->head)
		g_byte_array_free(wire->head, TRUE);
	if (wire->keep)
		g_ptr_array_free(wire->keep, TRUE);
	*wire = (struct wire){ 0 };
}

/*
 * Receiving
 */

/* Where a field goes, and what its type is: that of its value in memory */
static const struct {
	const char *type;
	size_t offset;
} field_table[FIELD_MAX + 1] = {
	[FIELD_PATH]		= { "o", offsetof(struct wire, path) },
	[FIELD_INTERFACE]	= { "s", offsetof(struct wire, interface) },
	[FIELD_MEMBER]		= { "s", offsetof(struct wire, member) },
	[FIELD_ERROR_NAME]	= { "s", offsetof(struct wire, error_name) },
	[FIELD_REPLY_COOKIE]	= { "u", offsetof(struct wire, reply_cookie) },
	[FIELD_DESTINATION]	= { "s", offsetof(struct wire, destination) },
	[FIELD_SENDER]		= { "s", offsetof(struct wire, sender) },
	[FIELD_SIGNATURE]	= { "g", offsetof(struct wire, signature) },
	[FIELD_N_FDS]		= { "u", offsetof(struct wire, n_fds) },
};

static const char *wire_field(struct wire *wire, guint8 code, GVariant *value)
{
	void *where = (char *)wire + field_table[code].offset;

	if (!g_variant_is_of_type(value,
				  G_VARIANT_TYPE(field_table[code].type)))
		return "a header field is of a wrong type";
	if (*field_table[code].type == 'u')
		*(guint32 *)where = g_variant_get_uint32(value);
	else
		*(const char **)where = g_variant_get_string(value, NULL);
	return NULL;
}

static const char *wire_parse_fields(struct wire *wire, GVariant *fields)
{
	guint8 code, seen[FIELD_MAX + 1] = { 0 };
	const char *why = NULL;
	GVariantIter iter;
	GVariant *value;

	if (!g_variant_is_normal_form(fields))
		return "the header fields are malformed";
	g_variant_iter_init(&iter, fields);
	while (!why && g_variant_iter_next(&iter, "(yv)", &code, &value)) {
		g_ptr_array_add(wire->keep, value);
		if (!code)
			return "a header field has code 0";
		if (code > FIELD_MAX)
			continue;
		if (seen[code]++)
			return "a header field is repeated";
		why = wire_field(wire, code, value);
	}
	return why;
}

/* What has to be there in which message */
static const char *wire_check_fields(const struct wire *wire)
{
	if (!wire->cookie)
		return "the cookie is 0";
	if ((wire->type == WIRE_CALL || wire->type == WIRE_SIGNAL) &&
	    !(wire->path && wire->member))
		return "path or member is missing";
	if (wire->type == WIRE_SIGNAL && !wire->interface)
		return "the interface is missing";
	if ((wire->type == WIRE_RETURN || wire->type == WIRE_ERROR) &&
	    !wire->reply_cookie)
		return "the reply cookie is missing";
	if (wire->type == WIRE_ERROR && !wire->error_name)
		return "the name of the error is missing";
	if ((wire->interface && !wire_is_interface(wire->interface)) ||
	    (wire->member && !wire_is_member(wire->member)) ||
	    (wire->error_name && !wire_is_interface(wire->error_name)) ||
	    (wire->destination && !wire_is_destination(wire->destination)))
		return "a name in the header is not valid";
	if (wire->signature && !wire_is_signature(wire->signature))
		return "the signature is not valid";
	if (g_strcmp0(wire->path, LOCAL_PATH) == 0 ||
	    g_strcmp0(wire->interface, LOCAL) == 0 ||
	    g_strcmp0(wire->sender, LOCAL) == 0)
		return "only a library may tell itself what this tells";
	return NULL;
}

static const char *wire_parse_body(struct wire *wire, const guint8 *data,
				   size_t size)
{
	g_autofree char *type = g_strdup_printf("(%s)", wire->signature ?: "");
	GBytes *bytes;

	/* the value of the empty struct is one byte, and left out by most */
	if (!wire->signature || !*wire->signature)
		return size > 1 ? "there is a body without signature" : NULL;
	bytes = g_bytes_new(data, size);
	wire->body = g_variant_new_from_bytes(G_VARIANT_TYPE(type), bytes,
					      FALSE);
	g_variant_ref_sink(wire->body);
	g_bytes_unref(bytes);
	if (g_variant_is_normal_form(wire->body))
		return NULL;
	g_variant_unref(wire->body);
	wire->body = unpadded_read(type, data, size);
	if (!wire->body)
		return "the body is malformed";
	wire->note = "structs lack padding";
	return NULL;
}

/*
 * Reads a message, whose bytes are needed no more afterwards. Returns NULL, or
 * why this is none; wire_clear() is to be called in both cases.
 */
const char *wire_parse(struct wire *wire, const guint8 *data, size_t size)
{
	guint32 words[3];
	const char *why;
	GVariant *fields;
	GBytes *bytes;

	*wire = (struct wire){ 0 };
	if (size < HEADER_SIZE)
		return "it is shorter than a header";
	memcpy(words, data + 4, sizeof(words));
	if (data[0] != ORDER)
		return "it is not in the byte order of this machine";
	if (data[3] != VERSION)
		return "it is not of version 2";
	if (!words[2])
		return "it is in the layout of systemd 219 and later";
	if (ALIGN8((size_t)words[2]) + words[0] != size - HEADER_SIZE)
		return "its sizes do not add up";
	wire->type = data[1];
	wire->flags = data[2];
	wire->cookie = words[1];
	wire->keep = g_ptr_array_new_with_free_func((GDestroyNotify)
						    g_variant_unref);
	bytes = g_bytes_new(data + HEADER_SIZE, words[2]);
	fields = g_variant_new_from_bytes(G_VARIANT_TYPE("a(yv)"), bytes,
					  FALSE);
	g_ptr_array_add(wire->keep, g_variant_ref_sink(fields));
	g_bytes_unref(bytes);
	if (!wire->type)
		return "its type is 0";
	why = wire_parse_fields(wire, fields) ?: wire_check_fields(wire);
	return why ?: wire_parse_body(wire, data + size - words[0], words[0]);
}

/* The same with a message that was received */
const char *wire_read(struct wire *wire, struct kdb_view *view)
{
	size_t size = kdb_view_size(view);
	g_autofree guint8 *data = NULL;
	struct kdb_part part;
	const char *why;
	guint32 fields;

	*wire = (struct wire){ 0 };
	if (kdb_view_header(view)->payload_type != KDBUS_PAYLOAD_DBUS)
		return "its payload is not of D-Bus";
	if (kdb_view_part(view, 0, &part) < 0 || part.kind != KDB_PART_BYTES)
		return "it does not begin with bytes";
	data = g_try_malloc(size);
	if (!data || kdb_view_copy(view, data, size) < 0)
		return "its payload cannot be read";
	why = wire_parse(wire, data, size);
	if (why)
		return why;
	memcpy(&fields, data + HEADER_SIZE - sizeof(fields), sizeof(fields));
	if (part.size < HEADER_SIZE + (uint64_t)fields)
		return "its header is in several pieces";
	if (wire->n_fds != kdb_view_fds(view))
		return "it tells another number of descriptors than there are";
	if (wire->cookie != kdb_view_header(view)->cookie)
		return "the kernel knows it by another cookie";
	return NULL;
}
