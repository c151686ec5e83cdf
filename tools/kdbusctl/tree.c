// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl tree
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "introspect.h"

/* An object can say that it has children without end. */
#define MAX_DEPTH	32
#define MAX_NODES	10000

/**
 * struct tree - what is being walked
 * @conn:	The connection
 * @service:	Whose objects these are
 * @nodes:	How many were seen
 * @json:	Where paths go if that is how they are printed
 */
struct tree {
	struct kdb_conn *conn;
	const char *service;
	unsigned int nodes;
	struct json *json;
};

static int tree_walk(struct tree *tree, const char *path, const char *indent,
		     unsigned int depth);

static void tree_path(const struct tree *tree, const char *path)
{
	if (ctl.json != JSON_OFF)
		json_string(tree->json, path);
	else if (ctl.paths)
		puts(path);
}

static bool tree_is_text(void)
{
	return ctl.json == JSON_OFF && !ctl.paths;
}

/* A name may be a path of several elements. */
static char *tree_child(const char *path, const char *name)
{
	char *child = g_strdup_printf("%s/%s", path[1] ? path : "", name);

	if (g_variant_is_object_path(child))
		return child;
	g_free(child);
	return NULL;
}

static int tree_children(struct tree *tree, const struct object *object,
			 const char *path, const char *indent,
			 unsigned int depth)
{
	bool utf8 = g_get_charset(NULL);
	size_t i, n = object->children->len;
	int r = 0;

	for (i = 0; r == 0 && i < n; i++) {
		g_autofree char *child = tree_child(path,
						    object->children->pdata[i]);
		g_autofree char *deeper = NULL;
		bool last = i + 1 == n;

		if (!child) {
			r = fail_plain("%s: a child of %s has no valid name",
				       tree->service, path);
			break;
		}
		if (tree_is_text() && utf8)
			printf("%s%s%s\n", indent, last ? "└─" : "├─",
			       child);
		else if (tree_is_text())
			printf("%s%s%s\n", indent, last ? "`-" : "|-", child);
		deeper = g_strdup_printf("%s%s", indent, last ? "  " :
					 utf8 ? "│ " : "| ");
		r = tree_walk(tree, child, deeper, depth + 1);
	}
	return r;
}

static int tree_walk(struct tree *tree, const char *path, const char *indent,
		     unsigned int depth)
{
	struct object object = { 0 };
	struct wire answer;
	const char *xml;
	int r;

	if (depth > MAX_DEPTH || ++tree->nodes > MAX_NODES)
		return fail(-ELOOP, "%s: too many objects", tree->service);
	tree_path(tree, path);
	r = object_xml(tree->conn, tree->service, path, &answer, &xml);
	if (r == 0)
		r = object_parse(&object, path, xml);
	wire_clear(&answer);
	if (r == 0)
		r = tree_children(tree, &object, path, indent, depth);
	object_clear(&object);
	return r;
}

static int tree_service(struct kdb_conn *conn, const char *service,
			bool heading, struct json *json)
{
	struct tree tree = { .conn = conn, .service = service, .json = json };
	int r;

	call_begin();
	if (heading && ctl.json == JSON_OFF)
		printf("Service %s:\n", service);
	json_key(json, service);
	json_open(json, '[');
	if (tree_is_text())
		puts("/");
	r = tree_walk(&tree, "/", "", 0);
	json_close(json, ']');
	return r;
}

static GPtrArray *tree_services(struct kdb_conn *conn)
{
	GPtrArray *services = g_ptr_array_new_with_free_func(g_free);
	struct kdb_name_entry entry;
	struct kdb_names *names;

	if (kdb_names_list(conn, KDBUS_NAME_LIST_NAMES, &names) < 0)
		return services;
	while (kdb_names_next(names, &entry))
		if (entry.name && !(entry.flags & KDBUS_NAME_ACTIVATOR))
			g_ptr_array_add(services, g_strdup(entry.name));
	kdb_names_release(names);
	return services;
}

/* [SERVICE]...; without, all that are running, but for those that fail */
int verb_tree(int argc, char **argv)
{
	GPtrArray *services = NULL;
	struct kdb_conn *conn;
	struct json json;
	int i, r = 0;

	for (i = 1; r == 0 && i < argc; i++)
		r = call_check(argv[i], NULL, NULL, NULL);
	if (r == 0)
		r = call_open(&conn);
	if (r)
		return r;
	json_begin(&json);
	json_open(&json, '{');
	if (argc == 1) {
		services = tree_services(conn);
		for (i = 0; i < (int)services->len; i++)
			tree_service(conn, services->pdata[i], true, &json);
		g_ptr_array_free(services, TRUE);
	}
	for (i = 1; i < argc; i++)
		r = tree_service(conn, argv[i], argc > 2, &json) ?: r;
	json_close(&json, '}');
	if (ctl.json != JSON_OFF)
		json_end(&json);
	else
		g_string_free(json.out, TRUE);
	kdb_close(conn);
	return r;
}
