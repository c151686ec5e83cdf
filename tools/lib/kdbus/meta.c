// SPDX-License-Identifier: LGPL-2.1-or-later
/* What the kernel says about a peer, and about what has happened. */
#include <errno.h>
#include <string.h>

#include "priv.h"

/* Strings; everything else is told apart by hand. */
static const char **meta_string(struct kdb_meta *meta, uint64_t type,
				uint64_t *bit)
{
	switch (type) {
	case KDBUS_ITEM_TID_COMM:
		*bit = KDBUS_ATTACH_TID_COMM;
		return &meta->tid_comm;
	case KDBUS_ITEM_PID_COMM:
		*bit = KDBUS_ATTACH_PID_COMM;
		return &meta->pid_comm;
	case KDBUS_ITEM_EXE:
		*bit = KDBUS_ATTACH_EXE;
		return &meta->exe;
	case KDBUS_ITEM_CMDLINE:
		*bit = KDBUS_ATTACH_CMDLINE;
		return &meta->cmdline;
	case KDBUS_ITEM_CGROUP:
		*bit = KDBUS_ATTACH_CGROUP;
		return &meta->cgroup;
	case KDBUS_ITEM_SECLABEL:
		*bit = KDBUS_ATTACH_SECLABEL;
		return &meta->seclabel;
	case KDBUS_ITEM_CONN_NAME:
		*bit = KDBUS_ATTACH_CONN_NAME;
		return &meta->conn_name;
	default:
		return NULL;
	}
}

/* Returns the flag of what the item has, or 0. */
static uint64_t meta_item(struct kdb_meta *meta, const struct kdbus_item *item)
{
	size_t size = item->size - ITEM_HEADER;

	switch (item->type) {
	case KDBUS_ITEM_TIMESTAMP:
		meta->timestamp = &item->timestamp;
		return KDBUS_ATTACH_TIMESTAMP;
	case KDBUS_ITEM_CREDS:
		meta->creds = &item->creds;
		return KDBUS_ATTACH_CREDS;
	case KDBUS_ITEM_AUDIT:
		meta->audit = &item->audit;
		return KDBUS_ATTACH_AUDIT;
	case KDBUS_ITEM_AUXGROUPS:
		meta->groups = (const uint64_t *)item->data64;
		meta->n_groups = size / sizeof(uint64_t);
		return KDBUS_ATTACH_AUXGROUPS;
	case KDBUS_ITEM_CAPS:
		meta->caps = &item->caps;
		meta->caps_words = (size - sizeof(uint32_t)) /
				   (4 * sizeof(uint32_t));
		return KDBUS_ATTACH_CAPS;
	case KDBUS_ITEM_NAME:
		if (!meta->n_names++)
			meta->names = item;
		return KDBUS_ATTACH_NAMES;
	default:
		return 0;
	}
}

void kdbi_meta_parse(struct kdb_meta *meta, const struct kdbus_item *items,
		     const void *end)
{
	const struct kdbus_item *item;
	const char **str;
	uint64_t bit;

	memset(meta, 0, sizeof(*meta));
	meta->end = end;
	kdbi_for_each_item(item, items, end) {
		str = meta_string(meta, item->type, &bit);
		if (!str) {
			meta->have |= meta_item(meta, item);
			continue;
		}
		*str = item->str;
		meta->have |= bit;
		if (item->type == KDBUS_ITEM_CMDLINE)
			meta->cmdline_size = item->size - ITEM_HEADER;
	}
}

KDB_API const struct kdb_meta *kdb_view_meta(struct kdb_view *view)
{
	if (!view->has_meta)
		kdbi_meta_parse(&view->meta, view->items_end,
				kdbi_msg_end(view->h));
	view->has_meta = true;
	return &view->meta;
}

KDB_API const char *kdb_meta_name(const struct kdb_meta *meta, size_t n,
				  uint64_t *flags)
{
	const struct kdbus_item *item;

	if (n >= meta->n_names)
		return NULL;
	kdbi_for_each_item(item, meta->names, meta->end)
		if (item->type == KDBUS_ITEM_NAME && n-- == 0)
			break;
	if (flags)
		*flags = item->name.flags;
	return item->name.name;
}

KDB_API int kdb_view_notice(const struct kdb_view *view,
			    struct kdb_notice *notice)
{
	const struct kdbus_item *item = view->items_end;
	const struct kdbus_notify_name_change *change = &item->name_change;

	if (view->h->src_id != KDBUS_SRC_ID_KERNEL)
		return -ENOMSG;
	*notice = (struct kdb_notice){ .type = item->type };
	switch (item->type) {
	case KDBUS_ITEM_NAME_ADD:
	case KDBUS_ITEM_NAME_REMOVE:
	case KDBUS_ITEM_NAME_CHANGE:
		notice->name = change->name;
		notice->old_id = change->old_id.id;
		notice->old_flags = change->old_id.flags;
		notice->new_id = change->new_id.id;
		notice->new_flags = change->new_id.flags;
		break;
	case KDBUS_ITEM_ID_ADD:
		notice->new_id = item->id_change.id;
		notice->new_flags = item->id_change.flags;
		break;
	case KDBUS_ITEM_ID_REMOVE:
		notice->old_id = item->id_change.id;
		notice->old_flags = item->id_change.flags;
		break;
	default:
		notice->cookie = view->h->cookie_reply;
	}
	return 0;
}
