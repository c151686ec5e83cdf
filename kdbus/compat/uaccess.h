/* SPDX-License-Identifier: GPL-2.0 */
#ifndef __KDBUS_COMPAT_UACCESS_H
#define __KDBUS_COMPAT_UACCESS_H

#include <linux/uaccess.h>

/*
 * Copy to where the caller knows that there is room: hardening has nothing to
 * look up. Since 6.12, machines that copy inline have only the copy that does.
 */
static inline unsigned long __must_check
kdbus_copy_from_user(void *to, const void __user *from, unsigned long n)
{
#ifdef INLINE_COPY_FROM_USER
	return copy_from_user(to, from, n);
#else
	return _copy_from_user(to, from, n);
#endif
}

#endif
