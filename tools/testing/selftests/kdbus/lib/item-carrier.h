/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands that carry items */
#ifndef KDBUS_TEST_ITEM_CARRIER_H
#define KDBUS_TEST_ITEM_CARRIER_H

#include "util.h"

/* A command that carries items. begin() makes one that would succeed. */
struct carrier {
	const char *name;
	size_t fixed, max;
	void (*begin)(struct blob *b);
	int (*fire)(struct blob *b);
	/* result if all the items are well formed, of which one has @type */
	int (*accept)(u64 type);
};

extern const struct carrier carriers[];
extern const unsigned int n_carriers;

#define for_each_carrier(c) \
	for (c = carriers; c < carriers + n_carriers; c++)

/* a bus and a connection that they use */
void carriers_prepare(void);
void carriers_check_pool_empty(void);

#endif /* KDBUS_TEST_ITEM_CARRIER_H */
