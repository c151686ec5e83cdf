// SPDX-License-Identifier: GPL-2.0-only
/* Uploads of policies: what is refused, and how much may be in one */

#include <stdio.h>
#include <string.h>

#include "policy-util.h"

#define OWNER	20205
#define A	20201
#define B	20202
#define UA	"u20201"

/* the users are on the endpoint, and capable: only its policy counts */
static struct bus bus, ep;
static struct conn user_a, user_b;

static void prepare(void)
{
	struct subject a = plain_user(A), b = plain_user(B);

	a.capable = true;
	b.capable = true;
	bus_of(&bus, OWNER);
	ep_make(&ep, &bus, NO_POLICY);
	subject_open(&user_a, &ep, &a);
	subject_open(&user_b, &ep, &b);
}

static const struct {
	const char *name;
	int err;
} names[] = {
	{ "a.b" }, { "a.*" }, { "a.b.*" }, { "a-b.c_d.*" }, { "-.*" },
	{ "", EINVAL }, { "a", EINVAL }, { "*", EINVAL }, { ".*", EINVAL },
	{ "a*", EINVAL }, { "a.b*", EINVAL }, { "a.*.b", EINVAL },
	{ "*.a", EINVAL }, { "a.**", EINVAL }, { "a.*b", EINVAL },
	{ "a.*.*", EINVAL }, { "a..*", EINVAL }, { ".a.*", EINVAL },
	{ "1.a", EINVAL }, { "a.1", EINVAL }, { "1a.*", EINVAL },
	{ "a.b.", EINVAL }, { "a..b", EINVAL }, { ".a.b", EINVAL },
	{ "a.b c", EINVAL }, { "a.\xe4", EINVAL }, { "a.b:c", EINVAL },
};

static int put_name(struct blob *b, const char *name)
{
	policy_update_init(b, "first.name w:o");
	blob_add_str(b, KDBUS_ITEM_NAME, name);
	policy_access(b, KDBUS_POLICY_ACCESS_WORLD, OWN, 0);
	return kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, b);
}

START_TEST(bad_names)
{
	struct blob b;
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(names); i++)
		kt_check_ret(put_name(&b, names[i].name), -names[i].err,
			     "name \"%s\"", names[i].name);
}
END_TEST

START_TEST(name_length)
{
	char name[258];
	struct blob b;
	int len;

	prepare();
	for (len = 250; len <= 257; len++) {
		memset(name, 'x', len);
		name[3] = '.';
		name[len] = '\0';
		kt_check_ret(put_name(&b, name), len > 255 ? -EINVAL : 0,
			     "length %d", len);
	}
	/* the longest there is takes effect */
	name[255] = '\0';
	kt_check_ret(put_name(&b, name), 0, "255");
	kt_check_ret(name_acquire(&user_a, name, 0), 0, "255");
}
END_TEST

struct access {
	u64 type, level, id;
	int err;
};

static const struct access accesses[] = {
	{ 1, 0, 0, 0 }, { 1, 1, 0, 0 }, { 1, 2, 0, 0 }, { 2, 2, 0, 0 },
	{ 3, 2, 0, 0 }, { 3, 0, ~0ULL, 0 }, { 3, 1, 1ULL << 32, 0 },
	{ 0, 0, 0, EINVAL }, { 4, 0, 0, EINVAL }, { 256, 0, 0, EINVAL },
	{ 257, 0, 0, EINVAL }, { 259, 0, 0, EINVAL }, { ~0ULL, 0, 0, EINVAL },
	{ (1ULL << 32) + 3, 0, 0, EINVAL }, { 1ULL << 63, 1, 0, EINVAL },
	{ 3, 3, 0, EINVAL }, { 3, 256, 0, EINVAL }, { 3, 258, 0, EINVAL },
	{ 3, ~0ULL, 0, EINVAL }, { 3, 1ULL << 32, 0, EINVAL },
	{ 1, 3, 0, EINVAL }, { 2, 4, 0, EINVAL },
	/* ids are 32 bits wide, and the last one is nobody */
	{ 1, 0, 0xfffffffe, 0 }, { 2, 0, 0xfffffffe, 0 },
	{ 1, 0, 0xffffffff, EINVAL }, { 2, 0, 0xffffffff, EINVAL },
	{ 1, 0, 1ULL << 32, EINVAL }, { 2, 0, 1ULL << 32, EINVAL },
	{ 1, 0, (1ULL << 32) + A, EINVAL }, { 2, 0, ~0ULL, EINVAL },
};

START_TEST(bad_access)
{
	struct conn h;
	struct blob b;
	size_t i;

	prepare();
	holder_open(&h, &bus, "foo.bar");
	for (i = 0; i < ARRAY_SIZE(accesses); i++) {
		const struct access *a = &accesses[i];

		policy_update_init(&b, "foo.bar w:s");
		policy_access(&b, a->type, a->level, a->id);
		kt_check_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b),
			     -a->err, "endpoint: type %#llx, level %#llx, id %#llx",
			     a->type, a->level, a->id);
		kt_check_ret(kt_cmd(h.fd, KDBUS_CMD_CONN_UPDATE, &b), -a->err,
			     "holder: type %#llx, level %#llx, id %#llx",
			     a->type, a->level, a->id);
	}
}
END_TEST

static const struct {
	const char *policy;
	int err;
} uploads[] = {
	{ "a.b w:o a.b.* w:o a.b.c w:o" },
	{ "a.b a.b.* a.*" },
	{ "w:o", EINVAL },
	{ "w:o a.b w:o", EINVAL },
	{ "u0:s a.b", EINVAL },
	{ "a.b a.b", EEXIST },
	{ "a.b w:o c.d w:o a.b w:t", EEXIST },
	{ "a.b.* w:o a.b a.b.* w:o", EEXIST },
	{ "a.* a.*", EEXIST },
	{ "a.b -:o", EINVAL },
	{ "a.b w:o c.d -:o", EINVAL },
};

START_TEST(sequences)
{
	size_t i;

	prepare();
	for (i = 0; i < ARRAY_SIZE(uploads); i++)
		kt_check_ret(ep_update(&ep, "%s", uploads[i].policy),
			     -uploads[i].err, "\"%s\"", uploads[i].policy);
}
END_TEST

/* names of 5 bytes take 24, one in 255 with a grant 40 more */
START_TEST(many_names)
{
	unsigned int n, i;
	char name[16];
	struct blob b;
	int ret;

	prepare();
	policy_update_init(&b, NO_POLICY);
	for (n = 0; b.size + 24 + 40 <= 32768; n++) {
		snprintf(name, sizeof(name), "a.%c%c%c%c", 'a' + n % 26,
			 'a' + n / 26 % 26, 'a' + n / 676, 'a' + n % 7);
		blob_add_str(&b, KDBUS_ITEM_NAME, name);
		if (n % 255 == 254)
			policy_access(&b, KDBUS_POLICY_ACCESS_WORLD, OWN, 0);
	}
	kt_assert(n > 1200, "test bug: %u names", n);
	kt_assert_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), 0,
		      "%u names", n);
	for (i = 0; i < n; i++) {
		snprintf(name, sizeof(name), "a.%c%c%c%c", 'a' + i % 26,
			 'a' + i / 26 % 26, 'a' + i / 676, 'a' + i % 7);
		ret = name_acquire(&user_a, name, 0);
		kt_check_ret(ret, i % 255 == 254 ? 0 : -EPERM, "name %u, %s",
			     i, name);
	}
	ep_set(&ep, NO_POLICY);
	kt_check_ret(name_acquire(&user_a, "a.aaaa", 0), -EPERM,
		     "cleared");
}
END_TEST

/* one name with as many grants as fit: the last one counts as well */
START_TEST(many_grants)
{
	struct blob b;
	u64 n;

	prepare();
	policy_update_init(&b, "foo.bar");
	for (n = 0; b.size + 2 * 40 <= 32768; n++)
		policy_access(&b, KDBUS_POLICY_ACCESS_USER, OWN, 100000 + n);
	policy_text(&b, UA ":o");
	kt_assert_ret(kt_cmd(ep.fd, KDBUS_CMD_ENDPOINT_UPDATE, &b), 0,
		      "%llu grants", n + 1);
	kt_check_ret(name_acquire(&user_b, "foo.bar", 0), -EPERM,
		     "user B");
	kt_check_ret(name_acquire(&user_a, "foo.bar", 0), 0,
		     "user A");
}
END_TEST

KT_SUITE("policy-upload")
{
	kt_test(bad_names);
	kt_test(name_length);
	kt_test(bad_access);
	kt_test(sequences);
	kt_test(many_names);
	kt_test(many_grants);
}
