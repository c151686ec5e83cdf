// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/string.h>

#include "item.h"
#include "limits.h"

/* one NUL, and that at the very end */
static bool item_is_string(const char *str, size_t size)
{
	return size > 0 && strnlen(str, size) == size - 1;
}

static int item_check_vec(const struct kdbus_item *item)
{
	if (kdbus_item_payload(item) != sizeof(item->vec))
		return -EINVAL;
	if (item->vec.size == 0 || item->vec.size > SIZE_MAX)
		return -EINVAL;
	return 0;
}

static int item_check_memfd(const struct kdbus_item *item)
{
	if (kdbus_item_payload(item) != sizeof(item->memfd))
		return -EINVAL;
	if (item->memfd.size == 0)
		return -EINVAL;
	if (item->memfd.fd < 0)
		return -EBADF;
	return 0;
}

static int item_check_sysname(const struct kdbus_item *item)
{
	if (item->size < KDBUS_ITEM_SIZE(2))
		return -EINVAL;
	if (item->size > KDBUS_ITEM_SIZE(KDBUS_SYSNAME_MAX_LEN + 1))
		return -ENAMETOOLONG;
	if (!item_is_string(item->str, kdbus_item_payload(item)))
		return -EINVAL;
	return kdbus_sysname_check(item->str);
}

static int item_check_name_change(const struct kdbus_item *item)
{
	size_t fixed = sizeof(item->name_change);
	size_t payload = kdbus_item_payload(item);

	if (payload < fixed)
		return -EINVAL;
	if (payload > fixed && !item_is_string(item->name_change.name,
					       payload - fixed))
		return -EINVAL;
	return 0;
}

/* what a payload of a fixed size has to measure, 0 if that is not the rule */
static size_t item_fixed_payload(u64 type)
{
	switch (type) {
	case KDBUS_ITEM_BLOOM_PARAMETER:
		return sizeof(struct kdbus_bloom_parameter);
	case KDBUS_ITEM_ATTACH_FLAGS:
	case KDBUS_ITEM_ID:
		return sizeof(u64);
	case KDBUS_ITEM_TIMESTAMP:
		return sizeof(struct kdbus_timestamp);
	case KDBUS_ITEM_CREDS:
		return sizeof(struct kdbus_creds);
	case KDBUS_ITEM_AUDIT:
		return sizeof(struct kdbus_audit);
	case KDBUS_ITEM_POLICY_ACCESS:
		return sizeof(struct kdbus_policy_access);
	case KDBUS_ITEM_ID_ADD:
	case KDBUS_ITEM_ID_REMOVE:
		return sizeof(struct kdbus_notify_id_change);
	default:
		return 0;
	}
}

static int item_check_payload(const struct kdbus_item *item)
{
	size_t payload = kdbus_item_payload(item);

	switch (item->type) {
	case KDBUS_ITEM_PAYLOAD_VEC:
	case KDBUS_ITEM_PAYLOAD_OFF:
		return item_check_vec(item);
	case KDBUS_ITEM_PAYLOAD_MEMFD:
		return item_check_memfd(item);
	case KDBUS_ITEM_MAKE_NAME:
	case KDBUS_ITEM_CONN_NAME:
		return item_check_sysname(item);
	case KDBUS_ITEM_NAME_ADD:
	case KDBUS_ITEM_NAME_REMOVE:
	case KDBUS_ITEM_NAME_CHANGE:
		return item_check_name_change(item);
	case KDBUS_ITEM_FDS:
		return payload % sizeof(int) ? -EINVAL : 0;
	case KDBUS_ITEM_AUXGROUPS:
		return payload % sizeof(u64) ? -EINVAL : 0;
	case KDBUS_ITEM_BLOOM_FILTER:
		return payload < sizeof(struct kdbus_bloom_filter) ? -EINVAL : 0;
	case KDBUS_ITEM_NAME:
	case KDBUS_ITEM_DST_NAME:
	case KDBUS_ITEM_PID_COMM:
	case KDBUS_ITEM_TID_COMM:
	case KDBUS_ITEM_EXE:
	case KDBUS_ITEM_CMDLINE:
	case KDBUS_ITEM_CGROUP:
	case KDBUS_ITEM_SECLABEL:
		return item_is_string(item->str, payload) ? 0 : -EINVAL;
	case KDBUS_ITEM_REPLY_TIMEOUT:
	case KDBUS_ITEM_REPLY_DEAD:
		/* would have to be empty, which no item may be */
		return -EINVAL;
	default:
		if (item_fixed_payload(item->type) &&
		    item_fixed_payload(item->type) != payload)
			return -EINVAL;
		return 0;
	}
}

/**
 * kdbus_items_check() - check a list of items from user space
 * @items:	The kernel's copy of the list, aligned to 8
 * @len:	Bytes in the list; the last item may lack its padding
 *
 * Checks framing and payload shape in list order; the first bad item decides.
 * Unknown types pass. Documentation/kdbus.txt, section 4.3.
 *
 * Return: 0, or the errno of the first bad item: -EINVAL, -ENAMETOOLONG or
 * -EBADF.
 */
int kdbus_items_check(const struct kdbus_item *items, size_t len)
{
	const struct kdbus_item *item;
	size_t pos = 0;
	int r;

	while (pos < len) {
		item = (const void *)items + pos;

		/* compare with what is left, sums could wrap */
		if (len - pos < KDBUS_ITEM_HEADER_SIZE)
			return -EINVAL;
		if (item->size <= KDBUS_ITEM_HEADER_SIZE ||
		    item->size > len - pos)
			return -EINVAL;

		r = item_check_payload(item);
		if (r < 0)
			return r;

		pos += KDBUS_ALIGN8(item->size);
	}

	return 0;
}

/* isalpha() of the kernel knows Latin-1 */
static bool item_is_alpha(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

static bool item_is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* letters, digits and '_' anywhere, '-' and '.' not at either end */
static bool item_is_sysname(const char *name, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (item_is_alpha(name[i]) || item_is_digit(name[i]) || name[i] == '_')
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
	return item_is_sysname(name, len) ? 0 : -EINVAL;
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
	return item_is_sysname(name, strlen(name));
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

		if (!item_is_alpha(*p) && *p != '_' && *p != '-' &&
		    (start || !item_is_digit(*p)))
			return false;
		start = false;
	}

	return !start && dot && p - name <= KDBUS_NAME_MAX_LEN;
}
