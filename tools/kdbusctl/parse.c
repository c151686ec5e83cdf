// SPDX-License-Identifier: GPL-2.0
/*
 * Words of a command line as arguments of a message, as busctl has them:
 * numbers and strings as they are, arrays with the number of elements in front,
 * variants with their signature in front, the members of structs one after the
 * other.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "body.h"
#include "wire.h"

#define MAX_DEPTH	64

/**
 * struct words - where the reader is
 * @next:	The next word; the last one is followed by NULL
 * @fds:	Descriptors that were named
 * @n_fds:	How many, at most 253
 * @depth:	Containers that it is in, at most 64, as in D-Bus
 * @why:	What is wrong, once something is
 */
struct words {
	char **next;
	int *fds;
	size_t n_fds;
	unsigned int depth;
	char *why;
};

static GVariant *parse_value(struct words *words, const GVariantType *type);

static GVariant *parse_fail(struct words *words, const char *word,
			    const char *what)
{
	if (!words->why)
		words->why = g_strdup_printf("'%s': not %s", word, what);
	return NULL;
}

static const char *parse_word(struct words *words, const GVariantType *type)
{
	if (*words->next)
		return *words->next++;
	if (!words->why)
		words->why = g_strdup_printf("an argument of type %c is missing",
					     *g_variant_type_peek_string(type));
	return NULL;
}

static bool parse_signed(const char *word, int64_t min, int64_t max, int64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoll(word, &end, 0);
	return !errno && end != word && !*end && *n >= min && *n <= max;
}

/* strtoull() takes -1 for a large number. */
static bool parse_unsigned(const char *word, uint64_t max, uint64_t *n)
{
	char *end;

	errno = 0;
	*n = strtoull(word, &end, 0);
	return !errno && end != word && !*end && !strchr(word, '-') &&
	       *n <= max;
}

static GVariant *parse_signed_type(struct words *words, const char *word,
				   char type)
{
	int64_t n;

	switch (type) {
	case 'n':
		if (!parse_signed(word, INT16_MIN, INT16_MAX, &n))
			return parse_fail(words, word, "a number of type n");
		return g_variant_new_int16(n);
	case 'i':
		if (!parse_signed(word, INT32_MIN, INT32_MAX, &n))
			return parse_fail(words, word, "a number of type i");
		return g_variant_new_int32(n);
	default:
		if (!parse_signed(word, INT64_MIN, INT64_MAX, &n))
			return parse_fail(words, word, "a number of type x");
		return g_variant_new_int64(n);
	}
}

static GVariant *parse_unsigned_type(struct words *words, const char *word,
				     char type)
{
	uint64_t n;

	switch (type) {
	case 'y':
		if (!parse_unsigned(word, UINT8_MAX, &n))
			return parse_fail(words, word, "a number of type y");
		return g_variant_new_byte(n);
	case 'q':
		if (!parse_unsigned(word, UINT16_MAX, &n))
			return parse_fail(words, word, "a number of type q");
		return g_variant_new_uint16(n);
	case 'u':
		if (!parse_unsigned(word, UINT32_MAX, &n))
			return parse_fail(words, word, "a number of type u");
		return g_variant_new_uint32(n);
	default:
		if (!parse_unsigned(word, UINT64_MAX, &n))
			return parse_fail(words, word, "a number of type t");
		return g_variant_new_uint64(n);
	}
}

static GVariant *parse_bool(struct words *words, const char *word)
{
	static const char *const yes[] = {
		"1", "yes", "y", "true", "t", "on", NULL
	};
	static const char *const no[] = {
		"0", "no", "n", "false", "f", "off", NULL
	};

	if (g_strv_contains(yes, word))
		return g_variant_new_boolean(TRUE);
	if (g_strv_contains(no, word))
		return g_variant_new_boolean(FALSE);
	return parse_fail(words, word, "a boolean");
}

static GVariant *parse_double(struct words *words, const char *word)
{
	char *end;
	double d = g_ascii_strtod(word, &end);

	if (end == word || *end)
		return parse_fail(words, word, "a number of type d");
	return g_variant_new_double(d);
}

/* A descriptor that this program has; the message tells its index. */
static GVariant *parse_fd(struct words *words, const char *word)
{
	uint64_t fd;

	if (!parse_unsigned(word, INT32_MAX, &fd))
		return parse_fail(words, word, "a descriptor");
	if (words->n_fds == 253)
		return parse_fail(words, word, "one of 253 descriptors");
	words->fds[words->n_fds] = fd;
	return g_variant_new_handle(words->n_fds++);
}

static GVariant *parse_string(struct words *words, const char *word, char type)
{
	if (type == 's' && g_utf8_validate(word, -1, NULL))
		return g_variant_new_string(word);
	if (type == 'o' && g_variant_is_object_path(word))
		return g_variant_new_object_path(word);
	if (type == 'g' && wire_is_signature(word))
		return g_variant_new_signature(word);
	if (type == 's')
		return parse_fail(words, word, "UTF-8");
	return parse_fail(words, word, type == 'o' ? "a path" : "a signature");
}

static GVariant *parse_basic(struct words *words, const GVariantType *type)
{
	const char *word = parse_word(words, type);
	char c = *g_variant_type_peek_string(type);

	if (!word)
		return NULL;
	switch (c) {
	case 'y':
	case 'q':
	case 'u':
	case 't':
		return parse_unsigned_type(words, word, c);
	case 'n':
	case 'i':
	case 'x':
		return parse_signed_type(words, word, c);
	case 'b':
		return parse_bool(words, word);
	case 'd':
		return parse_double(words, word);
	case 'h':
		return parse_fd(words, word);
	default:
		return parse_string(words, word, c);
	}
}

static GVariant *parse_variant(struct words *words, const GVariantType *type)
{
	const char *word = parse_word(words, type);
	GVariant *value;

	if (!word)
		return NULL;
	if (!wire_is_signature(word) || !g_variant_type_string_is_valid(word))
		return parse_fail(words, word, "the signature of one value");
	value = parse_value(words, G_VARIANT_TYPE(word));
	return value ? g_variant_new_variant(value) : NULL;
}

static GVariant *parse_array(struct words *words, const GVariantType *type)
{
	const char *word = parse_word(words, type);
	GVariantBuilder array;
	uint64_t n;

	if (!word)
		return NULL;
	if (!parse_unsigned(word, UINT32_MAX, &n))
		return parse_fail(words, word, "a number of elements");
	g_variant_builder_init(&array, type);
	for (; n; n--) {
		GVariant *value = parse_value(words,
					      g_variant_type_element(type));

		if (!value) {
			g_variant_builder_clear(&array);
			return NULL;
		}
		g_variant_builder_add_value(&array, value);
	}
	return g_variant_builder_end(&array);
}

static GVariant *parse_struct(struct words *words, const GVariantType *type)
{
	const GVariantType *member = g_variant_type_first(type);
	GVariantBuilder members;

	g_variant_builder_init(&members, type);
	for (; member; member = g_variant_type_next(member)) {
		GVariant *value = parse_value(words, member);

		if (!value) {
			g_variant_builder_clear(&members);
			return NULL;
		}
		g_variant_builder_add_value(&members, value);
	}
	return g_variant_builder_end(&members);
}

static GVariant *parse_container(struct words *words, const GVariantType *type)
{
	switch (*g_variant_type_peek_string(type)) {
	case 'a':
		return parse_array(words, type);
	case 'v':
		return parse_variant(words, type);
	default:
		return parse_struct(words, type);
	}
}

static GVariant *parse_value(struct words *words, const GVariantType *type)
{
	GVariant *value;

	if (g_variant_type_is_basic(type))
		return parse_basic(words, type);
	if (words->depth == MAX_DEPTH)
		return parse_fail(words, *words->next ?: "",
				  "for so many containers");
	words->depth++;
	value = parse_container(words, type);
	words->depth--;
	return value;
}

/*
 * Returns the arguments as a struct, or NULL and in why what is wrong. fds has
 * room for 253 descriptors; n_fds tells how many the arguments name.
 */
GVariant *body_parse(const char *signature, char **args, int *fds,
		     size_t *n_fds, char **why)
{
	g_autofree char *type = g_strdup_printf("(%s)", signature);
	struct words words = { .next = args, .fds = fds };
	GVariant *value;

	*why = NULL;
	if (!wire_is_signature(signature)) {
		*why = g_strdup_printf("'%s': not a signature", signature);
		return NULL;
	}
	value = parse_struct(&words, G_VARIANT_TYPE(type));
	if (value && *words.next) {
		words.why = g_strdup_printf("'%s': more than '%s' has arguments",
					    *words.next, signature);
		g_variant_unref(g_variant_ref_sink(value));
		value = NULL;
	}
	*why = words.why;
	*n_fds = words.n_fds;
	return value ? g_variant_ref_sink(value) : NULL;
}
