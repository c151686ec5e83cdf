// SPDX-License-Identifier: GPL-2.0
#include <linux/errno.h>
#include <linux/string.h>

#include "ident.h"
#include "item.h"
#include "limits.h"

/* one NUL, and that at the very end */
static bool is_string(const char *str, size_t size)
{
	return size > 0 && strnlen(str, size) == size - 1;
}

static int check_vec(const struct kdbus_item *item)
{
	if (kdbus_item_payload(item) != sizeof(item->vec))
		return -EINVAL;
	if (item->vec.size == 0 || item->vec.size > SIZE_MAX)
		return -EINVAL;
	return 0;
}

static int check_memfd(const struct kdbus_item *item)
{
	if (kdbus_item_payload(item) != sizeof(item->memfd))
		return -EINVAL;
	if (item->memfd.size == 0)
		return -EINVAL;
	if (item->memfd.fd < 0)
		return -EBADF;
	return 0;
}

static int check_sysname(const struct kdbus_item *item)
{
	if (item->size < KDBUS_ITEM_SIZE(2))
		return -EINVAL;
	if (item->size > KDBUS_ITEM_SIZE(KDBUS_SYSNAME_MAX_LEN + 1))
		return -ENAMETOOLONG;
	if (!is_string(item->str, kdbus_item_payload(item)))
		return -EINVAL;
	return kdbus_sysname_check(item->str);
}

static int check_name_change(const struct kdbus_item *item)
{
	size_t fixed = sizeof(item->name_change);
	size_t payload = kdbus_item_payload(item);

	if (payload < fixed)
		return -EINVAL;
	if (payload > fixed && !is_string(item->name_change.name,
					  payload - fixed))
		return -EINVAL;
	return 0;
}

/* what a payload of a fixed size has to measure, 0 if that is not the rule */
static size_t fixed_payload(u64 type)
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

static int check_payload(const struct kdbus_item *item)
{
	size_t payload = kdbus_item_payload(item);

	switch (item->type) {
	case KDBUS_ITEM_PAYLOAD_VEC:
	case KDBUS_ITEM_PAYLOAD_OFF:
		return check_vec(item);
	case KDBUS_ITEM_PAYLOAD_MEMFD:
		return check_memfd(item);
	case KDBUS_ITEM_MAKE_NAME:
	case KDBUS_ITEM_CONN_NAME:
		return check_sysname(item);
	case KDBUS_ITEM_NAME_ADD:
	case KDBUS_ITEM_NAME_REMOVE:
	case KDBUS_ITEM_NAME_CHANGE:
		return check_name_change(item);
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
		return is_string(item->str, payload) ? 0 : -EINVAL;
	case KDBUS_ITEM_REPLY_TIMEOUT:
	case KDBUS_ITEM_REPLY_DEAD:
		/* would have to be empty, which no item may be */
		return -EINVAL;
	default:
		if (fixed_payload(item->type) &&
		    fixed_payload(item->type) != payload)
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

		r = check_payload(item);
		if (r < 0)
			return r;

		pos += KDBUS_ALIGN8(item->size);
	}

	return 0;
}
