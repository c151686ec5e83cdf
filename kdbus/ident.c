// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/string.h>

#include "ident.h"
#include "limits.h"

/* isalpha() of the kernel knows Latin-1 */
static bool is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* letters, digits and '_' anywhere, '-' and '.' not at either end */
static bool is_sysname(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (is_alpha(name[i]) || is_digit(name[i]) || name[i] == '_')
			continue;
		if (i > 0 && i < len - 1 && (name[i] == '-' || name[i] == '.'))
			continue;
		return false;
	}

	return len > 0;
}

/**
 * kdbus_sysname_check() - check the syntax of a system name
 * @name:	NUL-terminated string
 *
 * Letters, digits and '_' anywhere, '-' and '.' not at either end, 1 to
 * KDBUS_SYSNAME_MAX_LEN characters. Documentation/kdbus.txt, section 2.3.
 *
 * Return: 0, -ENAMETOOLONG or -EINVAL.
 */
int kdbus_sysname_check(const char *name)
{
	size_t len = strlen(name);

	if (len > KDBUS_SYSNAME_MAX_LEN)
		return -ENAMETOOLONG;
	return is_sysname(name, len) ? 0 : -EINVAL;
}

/**
 * kdbus_match_name_is_valid() - check the syntax of a name in a match
 * @name:	NUL-terminated string
 *
 * Documentation/kdbus.txt, section 16.2.
 *
 * Return: Whether it could be a name.
 */
bool kdbus_match_name_is_valid(const char *name)
{
	return is_sysname(name, strlen(name));
}

/**
 * kdbus_name_is_valid() - check the syntax of a well-known name
 * @name:		NUL-terminated string
 * @allow_wildcard:	Whether the last element may be "*"
 *
 * Two or more elements separated by single dots; each of letters, digits, '_'
 * and '-', not beginning with a digit; KDBUS_NAME_MAX_LEN characters in all.
 * Documentation/kdbus.txt, section 6.1.
 *
 * Return: Whether the name is valid.
 */
bool kdbus_name_is_valid(const char *name, bool allow_wildcard)
{
	bool start = true, dot = false;
	const char *p;

	for (p = name; *p; p++) {
		if (*p == '.') {
			if (start)
				return false;
			start = true;
			dot = true;
			continue;
		}

		if (start && dot && allow_wildcard && *p == '*' && !p[1])
			return p - name < KDBUS_NAME_MAX_LEN;

		if (!is_alpha(*p) && *p != '_' && *p != '-' &&
		    (start || !is_digit(*p)))
			return false;
		start = false;
	}

	return !start && dot && p - name <= KDBUS_NAME_MAX_LEN;
}
