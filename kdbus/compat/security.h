/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_SECURITY_H
#define __KDBUS_COMPAT_SECURITY_H

#include <linux/security.h>
#include <linux/string.h>
#include <linux/version.h>

/**
 * struct kdbus_secid - what the running task is to the security modules
 * @id:	Their word for it
 *
 * Two of the same kernel can be compared with memcmp().
 */
struct kdbus_secid {
	/* 6.14 let several modules have a label each */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
	u32 id;
#else
	struct lsm_prop id;
#endif
};

static inline void kdbus_current_secid(struct kdbus_secid *secid)
{
	memset(secid, 0, sizeof(*secid));
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
	security_current_getsecid_subj(&secid->id);
#else
	security_current_getlsmprop_subj(&secid->id);
#endif
}

/*
 * Copy the label, at most @max bytes of it. Returns its length or a negative
 * errno.
 */
static inline int kdbus_secid_to_label(struct kdbus_secid *secid, char *to,
				       size_t max)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 14, 0)
	char *label;
	u32 len;
	int r;

	r = security_secid_to_secctx(secid->id, &label, &len);
	if (r < 0)
		return r;
	if (len <= max)
		memcpy(to, label, len);
	security_release_secctx(label, len);
	return len <= max ? len : -ENAMETOOLONG;
#else
	struct lsm_context context;
	int r;

	r = security_lsmprop_to_secctx(&secid->id, &context, LSM_ID_UNDEF);
	if (r < 0)
		return r;
	r = -ENAMETOOLONG;
	if (context.len <= max) {
		memcpy(to, context.context, context.len);
		r = context.len;
	}
	security_release_secctx(&context);
	return r;
#endif
}

#endif
