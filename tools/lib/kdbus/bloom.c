// SPDX-License-Identifier: LGPL-2.1-or-later
/*
 * Bloom filters, as sd-bus makes them: the sender of a broadcast and its receivers
 * have to agree on which bits stand for a string.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "priv.h"
#include "siphash.h"

static const uint8_t bloom_keys[8][16] = {
	{ 0xb9, 0x66, 0x0b, 0xf0, 0x46, 0x70, 0x47, 0xc1,
	  0x88, 0x75, 0xc4, 0x9c, 0x54, 0xb9, 0xbd, 0x15 },
	{ 0xaa, 0xa1, 0x54, 0xa2, 0xe0, 0x71, 0x4b, 0x39,
	  0xbf, 0xe1, 0xdd, 0x2e, 0x9f, 0xc5, 0x4a, 0x3b },
	{ 0x63, 0xfd, 0xae, 0xbe, 0xcd, 0x82, 0x48, 0x12,
	  0xa1, 0x6e, 0x41, 0x26, 0xcb, 0xfa, 0xa0, 0xc8 },
	{ 0x23, 0xbe, 0x45, 0x29, 0x32, 0xd2, 0x46, 0x2d,
	  0x82, 0x03, 0x52, 0x28, 0xfe, 0x37, 0x17, 0xf5 },
	{ 0x56, 0x3b, 0xbf, 0xee, 0x5a, 0x4f, 0x43, 0x39,
	  0xaf, 0xaa, 0x94, 0x08, 0xdf, 0xf0, 0xfc, 0x10 },
	{ 0x31, 0x80, 0xc8, 0x73, 0xc7, 0xea, 0x46, 0xd3,
	  0xaa, 0x25, 0x75, 0x0f, 0x9e, 0x4c, 0x09, 0x29 },
	{ 0x7d, 0xf7, 0x18, 0x4b, 0x7b, 0xa4, 0x44, 0xd5,
	  0x85, 0x3c, 0x06, 0xe0, 0x65, 0x53, 0x96, 0x6d },
	{ 0xf2, 0x77, 0xe9, 0x6f, 0x93, 0xb5, 0x4e, 0x71,
	  0x9a, 0x0c, 0x34, 0x88, 0x39, 0x25, 0xbf, 0x35 },
};

static unsigned int bloom_log2(uint64_t x)
{
	return 63 - __builtin_clzll(x);
}

/* Bytes of hash for one bit: as many as its number may need. */
static unsigned int bloom_width(const struct kdbus_bloom_parameter *bloom)
{
	return (bloom_log2(8 * bloom->size) + 7) / 8;
}

/* There are only so many bytes of hash. */
bool kdbi_bloom_usable(const struct kdbus_bloom_parameter *bloom)
{
	return bloom->n_hash <= 8 * ARRAY_SIZE(bloom_keys) / bloom_width(bloom);
}

void kdbi_bloom_add(uint64_t *filter, const struct kdbus_bloom_parameter *bloom,
		    const char *string)
{
	unsigned int width = bloom_width(bloom), used = 8, key = 0, i, j;
	uint64_t bits = 8 * bloom->size, hash = 0, bit;

	for (i = 0; i < bloom->n_hash; i++) {
		bit = 0;
		for (j = 0; j < width; j++) {
			if (used == 8) {
				hash = kdbi_siphash(bloom_keys[key++], string,
						    strlen(string));
				used = 0;
			}
			bit = bit << 8 | (uint8_t)(hash >> 8 * used++);
		}
		bit %= bits;
		filter[bit / 64] |= 1ULL << bit % 64;
	}
}

KDB_API int kdb_msg_to_all(struct kdb_msg *msg)
{
	const struct kdbus_bloom_parameter *bloom = &msg->conn->bloom;
	size_t size = ITEM_HEADER + sizeof(struct kdbus_bloom_filter) +
		      bloom->size;

	if (!msg->filter) {
		msg->filter = malloc(size);
		if (!msg->filter)
			return -ENOMEM;
		msg->filter_size = size;
	}
	memset(msg->filter, 0, size);
	msg->name[0] = '\0';
	msg->h.dst_id = KDBUS_DST_ID_BROADCAST;
	return 0;
}

KDB_API int kdb_msg_tell(struct kdb_msg *msg, const char *string)
{
	if (msg->h.dst_id != KDBUS_DST_ID_BROADCAST || !msg->filter)
		return -EDESTADDRREQ;
	if (!kdbi_bloom_usable(&msg->conn->bloom))
		return -EOPNOTSUPP;
	kdbi_bloom_add((uint64_t *)msg->filter->bloom_filter.data,
		       &msg->conn->bloom, string);
	return 0;
}
