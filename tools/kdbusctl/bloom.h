/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The bloom filter of a broadcast: it reaches connections whose matches it fits
 */
#ifndef KDBUSCTL_BLOOM_H
#define KDBUSCTL_BLOOM_H

#include "wire.h"

int bloom_tell(struct kdb_msg *msg, const struct wire *wire);

#endif
