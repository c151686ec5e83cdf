// SPDX-License-Identifier: GPL-2.0
#include <string.h>

#include "rule.h"

#define MAX_ARG	63

enum condition_kind {
	RULE_TYPE, RULE_SENDER, RULE_DESTINATION, RULE_INTERFACE, RULE_MEMBER,
	RULE_PATH, RULE_PATH_NAMESPACE, RULE_ARG, RULE_ARG_PATH,
	RULE_ARG_NAMESPACE,
};

struct condition {
	enum condition_kind kind;
	guint64 n;
	char *value;
};

struct rule {
	GArray *conditions;
};

static const char *const plain_keys[] = {
	[RULE_TYPE]		= "type",
	[RULE_SENDER]		= "sender",
	[RULE_DESTINATION]	= "destination",
	[RULE_INTERFACE]	= "interface",
	[RULE_MEMBER]		= "member",
	[RULE_PATH]		= "path",
	[RULE_PATH_NAMESPACE]	= "path_namespace",
};

static void condition_clear(gpointer data)
{
	struct condition *condition = data;

	g_free(condition->value);
}

void rule_free(gpointer data)
{
	struct rule *rule = data;

	g_array_free(rule->conditions, TRUE);
	g_free(rule);
}

/* arg3, arg3path, arg3namespace */
static bool rule_arg_key(const char *key, struct condition *condition)
{
	g_autofree char *number = NULL;
	const char *rest;

	if (!g_str_has_prefix(key, "arg"))
		return false;
	key += strlen("arg");
	rest = key + strspn(key, "0123456789");
	number = g_strndup(key, rest - key);
	if (*rest == '\0')
		condition->kind = RULE_ARG;
	else if (strcmp(rest, "path") == 0)
		condition->kind = RULE_ARG_PATH;
	else if (strcmp(rest, "namespace") == 0)
		condition->kind = RULE_ARG_NAMESPACE;
	else
		return false;
	return (number[0] != '0' || !number[1]) &&
	       g_ascii_string_to_unsigned(number, 10, 0, MAX_ARG,
					  &condition->n, NULL);
}

static bool rule_key(const char *key, struct condition *condition)
{
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(plain_keys); i++) {
		if (strcmp(key, plain_keys[i]) != 0)
			continue;
		condition->kind = i;
		return true;
	}
	return rule_arg_key(key, condition);
}

/* Quotes are left out; a backslash has the next byte taken as it is. */
static const char *rule_value(const char *text, char **value)
{
	GString *out = g_string_new(NULL);
	bool quoted = *text == '\'';

	for (text += quoted; *text; text++) {
		if (*text == '\'' && quoted)
			break;
		if (*text == ',' && !quoted)
			break;
		if (*text == '\\' && text[1])
			text++;
		g_string_append_c(out, *text);
	}
	*value = g_string_free(out, FALSE);
	if (!quoted)
		return text;
	return *text ? text + 1 : NULL;
}

static const char *rule_condition(struct rule *rule, const char *text)
{
	const char *equals = strchr(text, '=');
	g_autofree char *key = NULL;
	struct condition condition = { 0 };
	size_t i;

	if (!equals)
		return NULL;
	key = g_strndup(text, equals - text);
	if (!rule_key(key, &condition))
		return NULL;
	for (i = 0; i < rule->conditions->len; i++) {
		const struct condition *old =
			&g_array_index(rule->conditions, struct condition, i);

		if (old->kind == condition.kind && old->n == condition.n)
			return NULL;
	}
	text = rule_value(equals + 1, &condition.value);
	g_array_append_val(rule->conditions, condition);
	return text;
}

/* Returns NULL, and in why where the text is wrong. */
struct rule *rule_parse(const char *text, char **why)
{
	struct rule *rule = g_new0(struct rule, 1);

	*why = NULL;
	rule->conditions = g_array_new(FALSE, TRUE, sizeof(struct condition));
	g_array_set_clear_func(rule->conditions, condition_clear);
	while (*text) {
		const char *end = rule_condition(rule, text);

		if (!end || (*end && (*end != ',' || !end[1]))) {
			*why = g_strdup(text);
			rule_free(rule);
			return NULL;
		}
		text = *end ? end + 1 : end;
	}
	return rule;
}

/* Whether a begins with b, and b ends there, or at the separator */
static bool is_below(const char *a, const char *b, char separator)
{
	size_t size = strlen(b);

	if (!g_str_has_prefix(a, b))
		return false;
	return a[size] == '\0' || a[size] == separator ||
	       (size && b[size - 1] == separator);
}

static bool rule_sender(const char *value, const struct wire *wire,
			const struct kdb_meta *meta)
{
	const char *name;
	size_t i;

	if (g_strcmp0(value, wire->sender) == 0)
		return true;
	for (i = 0; meta && (name = kdb_meta_name(meta, i, NULL)); i++)
		if (strcmp(value, name) == 0)
			return true;
	return false;
}

/* argNpath also fits what is above the value. */
static bool rule_arg(const struct condition *condition, const char *arg,
		     bool path)
{
	const char *value = condition->value;

	if (condition->kind == RULE_ARG)
		return strcmp(arg, value) == 0 && !path;
	if (condition->kind == RULE_ARG_NAMESPACE)
		return !path && is_below(arg, value, '.');
	return strcmp(arg, value) == 0 ||
	       (g_str_has_suffix(value, "/") && g_str_has_prefix(arg, value)) ||
	       (g_str_has_suffix(arg, "/") && g_str_has_prefix(value, arg));
}

static bool rule_body(const struct condition *condition, GVariant *body)
{
	GVariant *arg;
	bool fits, path;

	if (!body || condition->n >= g_variant_n_children(body))
		return false;
	arg = g_variant_get_child_value(body, condition->n);
	path = g_variant_is_of_type(arg, G_VARIANT_TYPE_OBJECT_PATH);
	fits = (path || g_variant_is_of_type(arg, G_VARIANT_TYPE_STRING)) &&
	       rule_arg(condition, g_variant_get_string(arg, NULL), path);
	g_variant_unref(arg);
	return fits;
}

static bool rule_holds(const struct condition *condition,
		       const struct wire *wire, const struct kdb_meta *meta)
{
	const char *value = condition->value;

	switch (condition->kind) {
	case RULE_TYPE:
		return g_strcmp0(value, wire_type_name(wire->type)) == 0;
	case RULE_SENDER:
		return rule_sender(value, wire, meta);
	case RULE_DESTINATION:
		return g_strcmp0(value, wire->destination) == 0;
	case RULE_INTERFACE:
		return g_strcmp0(value, wire->interface) == 0;
	case RULE_MEMBER:
		return g_strcmp0(value, wire->member) == 0;
	case RULE_PATH:
		return g_strcmp0(value, wire->path) == 0;
	case RULE_PATH_NAMESPACE:
		return wire->path && is_below(wire->path, value, '/');
	default:
		return rule_body(condition, wire->body);
	}
}

/* Whether all conditions hold; meta has names of the sender, or is NULL. */
bool rule_fits(const struct rule *rule, const struct wire *wire,
	       const struct kdb_meta *meta)
{
	size_t i;

	for (i = 0; i < rule->conditions->len; i++)
		if (!rule_holds(&g_array_index(rule->conditions,
					       struct condition, i),
				wire, meta))
			return false;
	return true;
}
