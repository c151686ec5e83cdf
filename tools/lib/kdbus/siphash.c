// SPDX-License-Identifier: LGPL-2.1-or-later
/* SipHash-2-4, as its authors describe it. */
#include <endian.h>
#include <string.h>

#include "siphash.h"

struct sip {
	uint64_t v[4];
};

static uint64_t siphash_rotate(uint64_t x, unsigned int n)
{
	return x << n | x >> (64 - n);
}

static uint64_t siphash_load(const uint8_t *p)
{
	uint64_t x;

	memcpy(&x, p, sizeof(x));
	return le64toh(x);
}

static void siphash_rounds(struct sip *s, unsigned int n)
{
	uint64_t *v = s->v;

	while (n-- > 0) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = siphash_rotate(v[1], 13) ^ v[0];
		v[3] = siphash_rotate(v[3], 16) ^ v[2];
		v[0] = siphash_rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = siphash_rotate(v[1], 17) ^ v[2];
		v[3] = siphash_rotate(v[3], 21) ^ v[0];
		v[2] = siphash_rotate(v[2], 32);
	}
}

static void siphash_word(struct sip *s, uint64_t word)
{
	s->v[3] ^= word;
	siphash_rounds(s, 2);
	s->v[0] ^= word;
}

uint64_t kdbi_siphash(const uint8_t key[16], const void *data, size_t size)
{
	uint64_t k0 = siphash_load(key), k1 = siphash_load(key + 8);
	struct sip s = { {
		k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
		k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573,
	} };
	const uint8_t *at = data, *end = at + size / 8 * 8;
	uint8_t last[8] = { 0 };

	for (; at < end; at += 8)
		siphash_word(&s, siphash_load(at));
	memcpy(last, at, size % 8);
	last[7] = size;
	siphash_word(&s, siphash_load(last));

	s.v[2] ^= 0xff;
	siphash_rounds(&s, 4);
	return s.v[0] ^ s.v[1] ^ s.v[2] ^ s.v[3];
}
