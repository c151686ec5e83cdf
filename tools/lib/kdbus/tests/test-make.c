// SPDX-License-Identifier: GPL-2.0-only
/* Making buses, domains, endpoints; policies */
#include <fcntl.h>
#include <stdio.h>

#include "kl.h"

static char domain[64], name[64];
static struct kdb_policy *policy;

static void paths(void)
{
	snprintf(domain, sizeof(domain), "/dev/%s", kt_module);
	bus_name(name, sizeof(name));
}

static char *long_name(size_t n)
{
	static char text[400];

	snprintf(text, sizeof(text), "%u-", getuid());
	memset(text + strlen(text), 'a', n - strlen(text));
	text[n] = '\0';
	return text;
}

/* "what" grants @access on a name to who */
static void grant(const char *what, u64 who, u64 id, u64 access)
{
	if (!policy)
		kl_ok(kdb_policy_new(&policy));
	kl_ok(kdb_policy_name(policy, what));
	kl_ok(kdb_policy_grant(policy, who, id, access));
}

START_TEST(buses)
{
	struct kdb_bus_options options = { .size = sizeof(options) };
	struct kdb_conn *conn;
	int fd;

	paths();
	fd = kdb_bus_make(domain, name, NULL);
	kt_assert(fd >= 0, "make: %s", kt_err(fd));
	kt_check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "close-on-exec");
	kl_ok(kdb_open_bus(&conn, domain, name, NULL, NULL));
	kt_check(kdb_bloom(conn)->size == 64 && kdb_bloom(conn)->n_hash == 8,
		 "bloom");
	kl_close(conn);
	kl_fails(EEXIST, kdb_bus_make(domain, name, NULL));
	close(fd);
	kl_fails(ENOENT, kdb_open_bus(&conn, domain, name, NULL, NULL));
	options.bloom = (struct kdbus_bloom_parameter){ 8, 1 };
	options.flags = KDBUS_MAKE_ACCESS_WORLD;
	fd = kdb_bus_make(domain, name, &options);
	kl_ok(kdb_open_bus(&conn, domain, name, NULL, NULL));
	kt_check(kdb_bloom(conn)->size == 8, "bloom");
	kl_close(conn);
	close(fd);

	options.bloom.size = 9;
	kl_fails(EINVAL, kdb_bus_make(domain, name, &options));
	options.size = 1;
	kl_fails(EINVAL, kdb_bus_make(domain, name, &options));
	options.size = sizeof(options) + 1;
	kl_fails(EINVAL, kdb_bus_make(domain, name, &options));
	kl_fails(EINVAL, kdb_bus_make(domain, "1-x", NULL));
	kl_fails(EINVAL, kdb_bus_make(domain, "0-a b", NULL));
	kl_fails(ENAMETOOLONG, kdb_bus_make(domain, long_name(64), NULL));
	kl_fails(ENAMETOOLONG, kdb_bus_make(long_name(300), name, NULL));
	kl_fails(ENOENT, kdb_bus_make("/dev/nothing", name, NULL));
}
END_TEST

static int many_buses(void *arg)
{
	char own[64];
	int i, fd = 0;

	(void)arg;
	for (i = 0; fd >= 0 && i < 17; i++) {
		snprintf(own, sizeof(own), "1000-lib%d-%d", getpid(), i);
		fd = kdb_bus_make(domain, own, NULL);
	}
	kt_check(i == 17, "%d buses", i - 1);
	kl_fails(EMFILE, kdb_bus_make(domain, own, NULL));
	kl_fails(EPERM, kdb_domain_make(domain, "x", 0));
	return 0;
}

START_TEST(buses_of_users)
{
	paths();
	kt_run_as(1000, 1000, many_buses, NULL);
}
END_TEST

static int in_closed_domain(void *arg)
{
	const char *dir = arg;

	kl_fails(EACCES, kdb_bus_make(dir, "1000-x", NULL));
	kl_fails(EACCES, kdb_domain_make(dir, "x", 0));
	return 0;
}

START_TEST(domains)
{
	char inner[32], dir[128];
	struct kdb_conn *conn;
	int fd, bus_fd;

	paths();
	snprintf(inner, sizeof(inner), "lib%d", getpid());
	fd = kdb_domain_make(domain, inner, 0);
	kt_assert(fd >= 0, "make: %s", kt_err(fd));
	kl_fails(EEXIST, kdb_domain_make(domain, inner, 0));
	snprintf(dir, sizeof(dir), "%s/domain/%s", domain, inner);
	bus_fd = kdb_bus_make(dir, "0-inside", NULL);
	kl_ok(kdb_open_bus(&conn, dir, "0-inside", NULL, NULL));
	kl_close(conn);
	kt_run_as(1000, 1000, in_closed_domain, dir);
	close(bus_fd);
	close(fd);
	kl_fails(ENOENT, kdb_domain_make(dir, "x", 0));
	kl_fails(EINVAL, kdb_domain_make(domain, "a b", 0));
	kl_fails(ENAMETOOLONG, kdb_domain_make(domain, long_name(64), 0));
	if (!strcmp(kt_module, "kdbus")) {
		fd = kdb_domain_make(NULL, inner, KDBUS_MAKE_ACCESS_WORLD);
		kt_check(fd >= 0, "make: %s", kt_err(fd));
		close(fd);
	}
}
END_TEST

START_TEST(policies)
{
	char text[300];

	memset(text, 'a', sizeof(text));
	text[256] = '\0';
	kl_ok(kdb_policy_new(&policy));
	kdb_policy_free(NULL);
	kl_fails(EINVAL, kdb_policy_grant(policy, KDBUS_POLICY_ACCESS_WORLD, 0,
					  KDBUS_POLICY_SEE));
	kl_fails(EINVAL, kdb_policy_name(policy, ""));
	kl_fails(EINVAL, kdb_policy_name(policy, text));
	kl_ok(kdb_policy_name(policy, NAME_A));
	kl_fails(EINVAL, kdb_policy_grant(policy, 0, 0, KDBUS_POLICY_SEE));
	kl_fails(EINVAL, kdb_policy_grant(policy, 4, 0, KDBUS_POLICY_SEE));
	kl_fails(EINVAL, kdb_policy_grant(policy, KDBUS_POLICY_ACCESS_WORLD, 0,
					  3));
	kdb_policy_free(policy);
}
END_TEST

static int others(void *arg)
{
	struct kdb_conn *conn = kl_open();
	const struct kdb_conn *service = arg;
	struct kdb_msg *msg = kl_msg(conn);

	kl_fails(EACCES, kdb_endpoint_make("/dev/kmsg", "x", 0, NULL));
	kl_fails(EPERM, kdb_endpoint_make(bus.path, "x", 0, NULL));
	kl_fails(EPERM, kdb_name_acquire(conn, NAME_B, 0));
	kdb_msg_to_id(msg, kdb_id(service));
	kl_fails(EPERM, kdb_send(msg));
	kl_ok(kdb_name_acquire(conn, NAME_A, 0));
	kdb_msg_free(msg);
	kl_close(conn);
	return 0;
}

KL_TEST(holders)
{
	struct kdb_conn *holder, *second, *service;

	kl_bus();
	service = kl_open();
	grant(NAME_A, KDBUS_POLICY_ACCESS_USER, 1000, KDBUS_POLICY_OWN);
	kl_ok(kdb_open_path(&holder, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_POLICY_HOLDER | how,
			.policy = policy)));
	kl_fails(EEXIST, kdb_open_path(&second, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_POLICY_HOLDER, .policy = policy)));
	kl_ok(kdb_open_path(&second, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_POLICY_HOLDER, .holds = NAME_B)));
	kt_run_as(1000, 1000, others, service);
	kl_fails(EEXIST, kdb_policy_update(second, policy));
	kl_fails(EOPNOTSUPP, kdb_policy_update(service, policy));
	kl_ok(kdb_policy_update(holder, policy));
	grant(NAME_B, KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_SEE);
	kl_fails(E2BIG, kdb_policy_update(holder, policy));
	kdb_policy_free(policy);
	policy = NULL;
	grant("not a name", KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_SEE);
	kl_fails(EINVAL, kdb_policy_update(holder, policy));
	kdb_policy_free(policy);
	kl_close(holder);
	kl_close(second);
	kl_close(service);
}

/* A sandbox: what its policy grants can be seen and talked to, and nothing else. */
KL_TEST(endpoints)
{
	struct kdb_conn *inside, *service, *hidden;
	char path[256];
	struct kdb_info *info;
	struct kdb_msg *msg;
	uint64_t id;
	int fd;

	kl_bus();
	service = kl_open();
	hidden = kl_open();
	kl_ok(kdb_name_acquire(service, NAME_A, 0));
	kl_ok(kdb_name_acquire(hidden, NAME_B, 0));
	fd = kdb_endpoint_make(bus.path, "box", KDBUS_MAKE_ACCESS_WORLD, NULL);
	kt_assert(fd >= 0, "make: %s", kt_err(fd));
	snprintf(path, sizeof(path), "%s/box", bus.dir);
	kl_ok(kdb_open_path(&inside, path, KDB_OPTIONS(.flags = how)));
	msg = kl_msg(inside);
	kl_ok(kdb_msg_to_name(msg, NAME_A));
	kl_fails(ENOENT, kdb_send(msg));
	kl_fails(ENOENT, kdb_name_owner(inside, NAME_A, &id));
	kl_fails(ENOENT, kdb_info_of_id(inside, kdb_id(service), 0, &info));

	grant(NAME_A, KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_TALK);
	kl_ok(kdb_endpoint_update(fd, policy));
	kl_ok(kdb_send(msg));
	kl_ok(kdb_name_owner(inside, NAME_A, &id));
	kl_ok(kdb_msg_to_name(msg, NAME_B));
	kl_fails(ENOENT, kdb_send(msg));
	kl_got(service, "");
	kl_ok(kdb_endpoint_update(fd, NULL));
	kl_fails(ENOENT, kdb_name_owner(inside, NAME_A, &id));

	kl_fails(EEXIST, kdb_endpoint_make(bus.path, "box", 0, NULL));
	grant(NAME_A, KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_SEE);
	kl_fails(EEXIST, kdb_endpoint_make(bus.path, "two", 0, policy));
	kl_fails(EEXIST, kdb_endpoint_update(fd, policy));
	grant("not a name", KDBUS_POLICY_ACCESS_WORLD, 0, KDBUS_POLICY_SEE);
	kl_fails(EINVAL, kdb_endpoint_update(fd, policy));
	kl_fails(EINVAL, kdb_endpoint_make(bus.path, "a b", 0, NULL));
	kl_fails(EINVAL, kdb_endpoint_make(bus.path, "two", 1ULL << 5, NULL));
	kl_fails(ENAMETOOLONG, kdb_endpoint_make(bus.path, long_name(64), 0,
						 NULL));
	kl_fails(ENOTTY, kdb_endpoint_make("/dev/null", "x", 0, NULL));
	kl_fails(ENOENT, kdb_endpoint_make("/dev/nothing", "x", 0, NULL));
	kl_fails(ENOTTY, kdb_endpoint_update(kdb_fd(service), NULL));
	kl_fails(EBADF, kdb_endpoint_update(-1, NULL));
	if (kl_no_descriptors(true)) {
		kl_fails(EMFILE, kdb_endpoint_make(bus.path, "x", 0, NULL));
		kl_no_descriptors(false);
	}
	kdb_policy_free(policy);
	kdb_msg_free(msg);
	kl_close(inside);
	kl_close(service);
	kl_close(hidden);
	close(fd);
}

KT_SUITE("lib-make")
{
	kt_test(buses);
	kt_test(buses_of_users);
	kt_test(domains);
	kt_test(policies);
	kl_test(holders);
	kl_test(endpoints);
}
