// SPDX-License-Identifier: LGPL-2.1-or-later
/* Addresses as D-Bus has them. */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "priv.h"

static int address_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Undoes %-escapes of a value; returns its length or a negative errno. */
static int address_value(char *path, size_t room, const char *at, size_t len)
{
	const char *end = at + len;
	size_t n = 0;

	while (at < end) {
		int c = *at++;

		if (n + 1 >= room)
			return -EINVAL;
		if (c == '%') {
			int high = end - at < 2 ? -1 : address_digit(at[0]);
			int low = high < 0 ? -1 : address_digit(at[1]);

			c = high * 16 + low;
			if (low < 0 || !c)
				return -EINVAL;
			at += 2;
		}
		path[n++] = c;
	}
	path[n] = '\0';
	return n;
}

/*
 * Looks for the path in the keys of one address, all of which have to be well
 * formed. Fails if there is none.
 */
static int address_path(char *path, size_t room, const char *at, size_t len)
{
	const char *end = at + len, *next, *value;
	int r = -EINVAL, n;
	char other[PATH_MAX];

	for (; at < end; at = next + 1) {
		next = memchr(at, ',', end - at) ?: end;
		value = memchr(at, '=', next - at);
		if (!value || value == at)
			return -EINVAL;
		value++;
		n = address_value(other, sizeof(other), value, next - value);
		if (n < 0)
			return n;
		if (value - at == 5 && !memcmp(at, "path=", 5)) {
			if (!n || (size_t)n >= room)
				return -EINVAL;
			memcpy(path, other, n + 1);
			r = 0;
		}
	}
	return r;
}

KDB_API int kdb_open_address(struct kdb_conn **conn, const char *address,
			     const struct kdb_options *options)
{
	const char *at = address, *next, *keys;
	int r = -EPROTONOSUPPORT;
	char path[PATH_MAX];

	for (; *at; at = *next ? next + 1 : next) {
		next = strchrnul(at, ';');
		if (next == at)
			continue;
		keys = memchr(at, ':', next - at);
		if (!keys)
			return -EINVAL;
		keys++;
		if (keys - at != 7 || memcmp(at, "kernel:", 7))
			continue;
		r = address_path(path, sizeof(path), keys, next - keys);
		if (r < 0)
			return r;
		r = kdb_open_path(conn, path, options);
		if (r == 0)
			return 0;
	}
	return r;
}

KDB_API int kdb_open_system(struct kdb_conn **conn,
			    const struct kdb_options *options)
{
	const char *address = secure_getenv("DBUS_SYSTEM_BUS_ADDRESS");

	return kdb_open_address(conn, address ?:
				"kernel:path=" KDB_DOMAIN "/0-system/bus",
				options);
}

KDB_API int kdb_open_user(struct kdb_conn **conn,
			  const struct kdb_options *options)
{
	const char *address = secure_getenv("DBUS_SESSION_BUS_ADDRESS");
	char own[64];

	if (!address) {
		snprintf(own, sizeof(own),
			 "kernel:path=" KDB_DOMAIN "/%u-user/bus", getuid());
		address = own;
	}
	return kdb_open_address(conn, address, options);
}
