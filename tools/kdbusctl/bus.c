// SPDX-License-Identifier: GPL-2.0
/*
 * Where the bus is, and the peers on it
 */
#include <errno.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "ctl.h"

static const char scheme[] = "kernel:path=";

/* Path of the node of the first kernel address, or NULL if there is none */
char *bus_path(void)
{
	g_auto(GStrv) all = g_strsplit(ctl.address, ";", -1);
	g_auto(GStrv) pairs = NULL;
	size_t i;

	for (i = 0; all[i]; i++)
		if (g_str_has_prefix(all[i], "kernel:"))
			break;
	if (!all[i])
		return NULL;
	pairs = g_strsplit(all[i] + strlen("kernel:"), ",", -1);
	for (i = 0; pairs[i]; i++)
		if (g_str_has_prefix(pairs[i], "path="))
			return g_uri_unescape_string(pairs[i] + strlen("path="),
						     NULL);
	return NULL;
}

/* Name of the bus, which is that of the directory its nodes are in, or NULL */
char *bus_name(void)
{
	g_autofree char *path = bus_path();
	g_autofree char *dir = path ? g_path_get_dirname(path) : NULL;

	return dir ? g_path_get_basename(dir) : NULL;
}

int bus_open(struct kdb_conn **conn, const struct kdb_options *options)
{
	int r = kdb_open_address(conn, ctl.address, options);
	const char *path = ctl.address;

	if (r == 0)
		return 0;
	if (g_str_has_prefix(path, scheme) && !strpbrk(path, ";,%"))
		path += strlen(scheme);
	return fail(r, "%s", path);
}

/* :1.7 is what D-Bus calls connection 7. */
bool bus_unique_id(const char *name, uint64_t *id)
{
	if (!g_str_has_prefix(name, ":1."))
		return false;
	return g_ascii_string_to_unsigned(name + 3, 10, 1, UINT64_MAX - 1, id,
					  NULL);
}

/* About a peer by :1.ID, by ID or by a well-known name */
int bus_info(struct kdb_conn *conn, const char *peer, uint64_t attach,
	     struct kdb_info **info)
{
	uint64_t id;

	if (bus_unique_id(peer, &id) ||
	    g_ascii_string_to_unsigned(peer, 10, 1, UINT64_MAX - 1, &id, NULL))
		return kdb_info_of_id(conn, id, attach, info);
	return kdb_info_of_name(conn, peer, attach, info);
}

/* Says why a peer could not be reached. */
int bus_fail_peer(int error, const char *peer)
{
	if (error == -ESRCH)
		return fail(error, "%s: nobody owns this name", peer);
	if (error == -ENXIO)
		return fail(error, "%s: there is no such connection", peer);
	if (error == -EADDRNOTAVAIL)
		return fail(error, "%s: the service is not running", peer);
	return fail(error, "%s", peer);
}

/*
 * What is made lasts until the user ends it. The signals are blocked before the
 * path is printed: one that is sent by a reader of it ends this in order.
 */
int bus_hold(const char *path)
{
	sigset_t set;
	int got;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigprocmask(SIG_BLOCK, &set, NULL);
	if (!ctl.quiet)
		puts(path);
	fflush(stdout);
	return sigwait(&set, &got) ? EXIT_FAILURE : 0;
}
