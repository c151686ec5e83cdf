/* SPDX-License-Identifier: GPL-2.0-only */
/* A bus with a custom endpoint, and connections on either side of it */
#ifndef KDBUS_TEST_EP_WORLD_H
#define KDBUS_TEST_EP_WORLD_H

#include "pair.h"
#include "policy-util.h"

#define OWNER	20230		/* of the bus */

extern struct bus ep;		/* of @bus */
/*
 * in: on the custom endpoint, of root; out: on the default endpoint, of root,
 * owns "a.one" and "a.two"; mute: likewise, owns nothing
 */
extern struct conn in, out, mute;

void ep_world(const char *policy);	/* of the custom endpoint */

#endif /* KDBUS_TEST_EP_WORLD_H */
