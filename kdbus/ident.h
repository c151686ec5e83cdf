/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_IDENT_H
#define __KDBUS_IDENT_H

/**
 * DOC: Identifiers
 *
 * Two syntaxes are in use: *system names* for what appears in the file system
 * (domains, buses, endpoints) and for the name a connection gives itself, and
 * *well-known names*, which connections own on a bus. Both are ASCII only,
 * whatever the locale of the caller.
 *
 * Pure functions: no locks, any context.
 */

#include <linux/types.h>

int kdbus_sysname_check(const char *name);
bool kdbus_name_is_valid(const char *name, bool allow_wildcard);
bool kdbus_match_name_is_valid(const char *name);

#endif
