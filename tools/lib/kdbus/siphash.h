/* SPDX-License-Identifier: LGPL-2.1-or-later */
#ifndef KDBUS_SIPHASH_H
#define KDBUS_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t kdbi_siphash(const uint8_t key[16], const void *data, size_t size);

#endif
