/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What a broadcast says about itself, so that only those receive it who have
 * asked for that
 */
#ifndef KDBUSCTL_BLOOM_H
#define KDBUSCTL_BLOOM_H

#include "wire.h"

int bloom_tell(struct kdb_msg *msg, const struct wire *wire);

#endif
