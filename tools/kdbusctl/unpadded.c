// SPDX-License-Identifier: GPL-2.0
/*
 * Arguments as sd-bus of systemd 217 writes them
 *
 * GVariant rounds the size of a struct whose members are all of fixed size up
 * to its alignment. That version leaves the zeros at the end out, and GLib then
 * reads other values than were written. Here they are absent everywhere.
 */
#include <string.h>

#include "wire.h"

#define DEPTH_MAX	128

static GVariant *unpadded_get(const GVariantType *type, const guint8 *data,
			      size_t size, unsigned int depth);

static size_t round_up(size_t n, size_t align)
{
	return (n + align - 1) & ~(align - 1);
}

static size_t align_of(const GVariantType *type)
{
	const GVariantType *member;
	size_t align = 1;

	switch (*g_variant_type_peek_string(type)) {
	case 'n':
	case 'q':
		return 2;
	case 'i':
	case 'u':
	case 'h':
		return 4;
	case 'x':
	case 't':
	case 'd':
	case 'v':
		return 8;
	case 'a':
		return align_of(g_variant_type_element(type));
	case '(':
	case '{':
		for (member = g_variant_type_first(type); member;
		     member = g_variant_type_next(member))
			align = MAX(align, align_of(member));
	}
	return align;
}

/* Size without padding at the end, or 0 if it is not fixed */
static size_t size_of(const GVariantType *type)
{
	const GVariantType *member;
	size_t end = 0, size;

	switch (*g_variant_type_peek_string(type)) {
	case 'y':
	case 'b':
		return 1;
	case '(':
	case '{':
		for (member = g_variant_type_first(type); member;
		     member = g_variant_type_next(member)) {
			size = size_of(member);
			if (!size)
				return 0;
			end = round_up(end, align_of(member)) + size;
		}
		return end;
	case 'a':
	case 'v':
	case 's':
	case 'o':
	case 'g':
		return 0;
	default:
		return align_of(type);
	}
}

static size_t offset_width(size_t size)
{
	return size <= G_MAXUINT8 ? 1 : size <= G_MAXUINT16 ? 2 : 4;
}

/* Offset n of a container, counted from its end; SIZE_MAX if it is none */
static size_t offset_at(const guint8 *data, size_t size, size_t n)
{
	size_t width = offset_width(size);
	guint32 le = 0;

	if ((n + 1) * width > size)
		return SIZE_MAX;
	memcpy(&le, data + size - (n + 1) * width, width);
	return GUINT32_FROM_LE(le);
}

static GVariant *unpadded_struct(const GVariantType *type, const guint8 *data,
				 size_t size, unsigned int depth)
{
	const GVariantType *member = g_variant_type_first(type);
	size_t start = 0, end, offsets = 0, limit = size;
	GVariantBuilder members;
	GVariant *value;

	g_variant_builder_init(&members, type);
	for (; member; member = g_variant_type_next(member)) {
		start = round_up(start, align_of(member));
		if (size_of(member))
			end = start + size_of(member);
		else if (g_variant_type_next(member))
			end = offset_at(data, size, offsets++);
		else
			end = size - offsets * offset_width(size);
		limit = size - offsets * offset_width(size);
		if (end == SIZE_MAX || start > end || end > limit)
			break;
		value = unpadded_get(member, data + start, end - start, depth);
		if (!value)
			break;
		g_variant_builder_add_value(&members, value);
		start = end;
	}
	if (!member && start == limit)
		return g_variant_builder_end(&members);
	g_variant_builder_clear(&members);
	return NULL;
}

/* How many elements of variable size there are; the first offset tells. */
static bool count_variable(const guint8 *data, size_t size, size_t *n)
{
	size_t table = size ? offset_at(data, size, 0) : 0;
	size_t width = offset_width(size);

	if (table > size || (size - table) % width || (size && table == size))
		return false;
	*n = (size - table) / width;
	return true;
}

static bool count_fixed(size_t size, size_t stride, size_t raw, size_t *n)
{
	*n = (size + stride - raw) / stride;
	return !size || (*n && (*n - 1) * stride + raw == size);
}

static GVariant *unpadded_array(const GVariantType *type, const guint8 *data,
				size_t size, unsigned int depth)
{
	const GVariantType *element = g_variant_type_element(type);
	size_t align = align_of(element), raw = size_of(element);
	size_t i, n, start = 0, end = 0;
	GVariantBuilder array;
	GVariant *value;

	if (raw ? !count_fixed(size, round_up(raw, align), raw, &n) :
		  !count_variable(data, size, &n))
		return NULL;
	g_variant_builder_init(&array, type);
	for (i = 0; i < n; i++) {
		start = round_up(end, align);
		end = raw ? start + raw : offset_at(data, size, n - 1 - i);
		if (start > end ||
		    end > size - (raw ? 0 : n * offset_width(size)))
			break;
		value = unpadded_get(element, data + start, end - start, depth);
		if (!value)
			break;
		g_variant_builder_add_value(&array, value);
	}
	if (i == n)
		return g_variant_builder_end(&array);
	g_variant_builder_clear(&array);
	return NULL;
}

static GVariant *unpadded_variant(const guint8 *data, size_t size,
				  unsigned int depth)
{
	g_autofree char *type = NULL;
	const guint8 *nul = memrchr(data, '\0', size);
	GVariant *value;

	if (!nul)
		return NULL;
	type = g_strndup((const char *)nul + 1, data + size - nul - 1);
	if (!wire_is_signature(type) || !g_variant_type_string_is_valid(type))
		return NULL;
	value = unpadded_get(G_VARIANT_TYPE(type), data, nul - data, depth);
	return value ? g_variant_new_variant(value) : NULL;
}

static GVariant *unpadded_basic(const GVariantType *type, const guint8 *data,
				size_t size)
{
	GBytes *bytes = g_bytes_new(data, size);
	GVariant *value = g_variant_new_from_bytes(type, bytes, FALSE);

	g_bytes_unref(bytes);
	if (g_variant_is_normal_form(value))
		return value;
	g_variant_unref(g_variant_ref_sink(value));
	return NULL;
}

static GVariant *unpadded_get(const GVariantType *type, const guint8 *data,
			      size_t size, unsigned int depth)
{
	if (depth++ > DEPTH_MAX)
		return NULL;
	switch (*g_variant_type_peek_string(type)) {
	case 'a':
		return unpadded_array(type, data, size, depth);
	case '(':
	case '{':
		return unpadded_struct(type, data, size, depth);
	case 'v':
		return unpadded_variant(data, size, depth);
	default:
		return unpadded_basic(type, data, size);
	}
}

/* Returns NULL if it cannot be read in this way either. */
GVariant *unpadded_read(const char *type, const guint8 *data, size_t size)
{
	GVariant *value = unpadded_get(G_VARIANT_TYPE(type), data, size, 0);

	return value ? g_variant_ref_sink(value) : NULL;
}
