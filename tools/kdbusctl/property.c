// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl get-property, set-property
 */
#include <stdio.h>

#include "body.h"
#include "call.h"

static int property_get(struct kdb_conn *conn, char **argv, const char *name)
{
	struct wire answer;
	GVariant *value;
	int r;

	r = call_strings(conn, argv[1], argv[2], PROPERTIES, "Get",
			 g_variant_new("(ss)", argv[3], name), "ss", &answer);
	if (r == 0 && g_strcmp0(answer.signature, "v") != 0) {
		r = fail_plain("%s: the answer is no variant", name);
	} else if (r == 0) {
		g_variant_get(answer.body, "(v)", &value);
		call_print(g_variant_get_type_string(value), value);
		g_variant_unref(value);
	}
	wire_clear(&answer);
	return r;
}

/* DEST PATH IFACE PROPERTY... */
int verb_get_property(int argc, char **argv)
{
	struct kdb_conn *conn;
	int i, r;

	r = call_check(argv[1], argv[2], argv[3], NULL);
	for (i = 4; r == 0 && i < argc; i++)
		r = call_check(NULL, NULL, NULL, argv[i]);
	if (r == 0)
		r = call_open(&conn);
	if (r)
		return r;
	for (i = 4; r == 0 && i < argc; i++)
		r = property_get(conn, argv, argv[i]);
	kdb_close(conn);
	return r;
}

/* DEST PATH IFACE PROPERTY SIGNATURE ARGUMENT... */
int verb_set_property(int argc, char **argv)
{
	g_autofree char *why = NULL;
	GVariant *value, *body;
	struct kdb_conn *conn;
	struct wire answer;
	size_t n_fds;
	int fds[253];
	int r;

	(void)argc;
	r = call_check(argv[1], argv[2], argv[3], argv[4]);
	if (r)
		return r;
	if (!g_variant_type_string_is_valid(argv[5]))
		return usage("'%s': not the signature of one value", argv[5]);
	value = body_parse(argv[5], argv + 6, fds, &n_fds, &why);
	if (!value)
		return usage("%s: %s", argv[4], why);
	if (n_fds) {
		g_variant_unref(value);
		return usage("%s: no descriptors in properties", argv[4]);
	}
	body = g_variant_get_child_value(value, 0);
	g_variant_unref(value);
	value = g_variant_new("(ssv)", argv[3], argv[4], body);
	g_variant_unref(body);
	r = call_open(&conn);
	if (r) {
		g_variant_unref(g_variant_ref_sink(value));
		return r;
	}
	r = call_strings(conn, argv[1], argv[2], PROPERTIES, "Set", value,
			 "ssv", &answer);
	wire_clear(&answer);
	kdb_close(conn);
	return r;
}
