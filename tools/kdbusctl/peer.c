// SPDX-License-Identifier: GPL-2.0
/*
 * What is known of a peer, in words
 */
#include <inttypes.h>
#include <pwd.h>
#include <string.h>

#include "ctl.h"

/* A user by name, or by number if there is no name */
char *peer_user(uint64_t uid)
{
	const struct passwd *user = uid == (uid_t)uid ? getpwuid(uid) : NULL;

	if (user)
		return g_strdup(user->pw_name);
	return g_strdup_printf("%" PRIu64, uid);
}

static bool peer_is_unit(const char *element)
{
	static const char *const suffixes[] = {
		".service", ".scope", ".socket", ".mount", ".swap", ".busname",
	};
	size_t i;

	for (i = 0; i < G_N_ELEMENTS(suffixes); i++)
		if (g_str_has_suffix(element, suffixes[i]))
			return true;
	return false;
}

/*
 * The unit of systemd whose control group this is, or NULL: the first element
 * below the slices.
 */
char *peer_unit(const char *cgroup)
{
	g_auto(GStrv) elements = g_strsplit(cgroup ?: "", "/", -1);
	size_t i;

	for (i = 0; elements[i]; i++) {
		if (!*elements[i] || g_str_has_suffix(elements[i], ".slice"))
			continue;
		return peer_is_unit(elements[i]) ? g_strdup(elements[i]) : NULL;
	}
	return NULL;
}

/* The innermost slice, or NULL */
char *peer_slice(const char *cgroup)
{
	g_auto(GStrv) elements = g_strsplit(cgroup ?: "", "/", -1);
	const char *slice = NULL;
	size_t i;

	for (i = 0; elements[i]; i++) {
		if (!*elements[i])
			continue;
		if (!g_str_has_suffix(elements[i], ".slice"))
			break;
		slice = elements[i];
	}
	return g_strdup(slice);
}

/* Arguments with spaces between them, or NULL */
char *peer_cmdline(const struct kdb_meta *meta)
{
	char *line;
	size_t i;

	if (!meta->cmdline || !meta->cmdline_size)
		return NULL;
	line = g_malloc(meta->cmdline_size + 1);
	memcpy(line, meta->cmdline, meta->cmdline_size);
	line[meta->cmdline_size] = '\0';
	for (i = 0; i + 1 < meta->cmdline_size; i++)
		if (!line[i])
			line[i] = ' ';
	return line;
}

/* KDBUS_HELLO_* of a connection and KDBUS_NAME_* of a name, or NULL */
char *peer_flags(uint64_t conn_flags, uint64_t name_flags)
{
	GPtrArray *words = g_ptr_array_new();
	char *line;

	if (conn_flags & KDBUS_HELLO_ACCEPT_FD)
		g_ptr_array_add(words, "fds");
	if ((conn_flags & KDBUS_HELLO_ACTIVATOR) ||
	    (name_flags & KDBUS_NAME_ACTIVATOR))
		g_ptr_array_add(words, "activator");
	if (conn_flags & KDBUS_HELLO_POLICY_HOLDER)
		g_ptr_array_add(words, "policy-holder");
	if (conn_flags & KDBUS_HELLO_MONITOR)
		g_ptr_array_add(words, "monitor");
	if (name_flags & KDBUS_NAME_ALLOW_REPLACEMENT)
		g_ptr_array_add(words, "replaceable");
	if (name_flags & KDBUS_NAME_QUEUE)
		g_ptr_array_add(words, "queues");
	if (name_flags & KDBUS_NAME_IN_QUEUE)
		g_ptr_array_add(words, "waiting");
	g_ptr_array_add(words, NULL);
	line = words->len > 1 ? g_strjoinv(",", (char **)words->pdata) : NULL;
	g_ptr_array_free(words, TRUE);
	return line;
}
