// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "bloom.h"

#define MAX_ARGS	64

static int tell(struct kdb_msg *msg, const char *key, const char *value,
		size_t size)
{
	g_autofree char *string = NULL;

	if (!value)
		return 0;
	string = g_strdup_printf("%s:%.*s", key, (int)size, value);
	return kdb_msg_tell(msg, string);
}

static int tell_all(struct kdb_msg *msg, const char *key, const char *value)
{
	return tell(msg, key, value, value ? strlen(value) : 0);
}

/* What a value begins with, up to each separator; not when that is all of it */
static int tell_cuts(struct kdb_msg *msg, const char *key, const char *value,
		     char separator)
{
	const char *c;
	int r = 0;

	for (c = value; r == 0 && *c; c++)
		if (*c == separator && c != value)
			r = tell(msg, key, value, c - value);
	return r;
}

/*
 * Beside what sd-bus tells, the whole argument, and each cut with its slash: a
 * rule with argNnamespace or argNpath asks for them.
 */
static int tell_arg(struct kdb_msg *msg, unsigned int n, const char *value)
{
	g_autofree char *all = g_strdup_printf("arg%u", n);
	g_autofree char *dot = g_strdup_printf("arg%u-dot-prefix", n);
	g_autofree char *slash = g_strdup_printf("arg%u-slash-prefix", n);
	const char *c;
	int r;

	r = tell_all(msg, all, value);
	if (r == 0)
		r = tell_all(msg, dot, value);
	if (r == 0)
		r = tell_cuts(msg, dot, value, '.');
	if (r == 0)
		r = tell_all(msg, slash, value);
	if (r == 0)
		r = tell_cuts(msg, slash, value, '/');
	for (c = value; r == 0 && *c; c++)
		if (*c == '/')
			r = tell(msg, slash, value, c + 1 - value);
	return r;
}

/* Only strings that come first count. */
static int tell_args(struct kdb_msg *msg, GVariant *body)
{
	size_t i, n = body ? MIN(g_variant_n_children(body), MAX_ARGS) : 0;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		GVariant *arg = g_variant_get_child_value(body, i);
		bool string = strchr("sog", *g_variant_get_type_string(arg));

		if (string)
			r = tell_arg(msg, i, g_variant_get_string(arg, NULL));
		g_variant_unref(arg);
		if (!string)
			break;
	}
	return r;
}

int bloom_tell(struct kdb_msg *msg, const struct wire *wire)
{
	int r;

	r = tell_all(msg, "message-type", wire_type_name(wire->type));
	if (r == 0)
		r = tell_all(msg, "interface", wire->interface);
	if (r == 0)
		r = tell_all(msg, "member", wire->member);
	if (r == 0)
		r = tell_all(msg, "path", wire->path);
	if (r == 0)
		r = tell_all(msg, "path-slash-prefix", wire->path);
	if (r == 0)
		r = tell_cuts(msg, "path-slash-prefix", wire->path, '/');
	return r ?: tell_args(msg, wire->body);
}
