// SPDX-License-Identifier: GPL-2.0-only
/* Opening and closing connections */
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mount.h>

#include "kl.h"

static struct kdb_conn *conn, *other;

/* it is connected to the bus, and works */
static void check_works(struct kdb_conn *c)
{
	kl_send(c, c, "self");
	kl_got(c, "self");
	kl_close(c);
}

KL_TEST(by_path)
{
	kl_bus();
	conn = kl_open();
	other = kl_open();
	kt_check(kdb_id(conn) == 1 && kdb_id(other) == 2, "ids %llu and %llu",
		 (u64)kdb_id(conn), (u64)kdb_id(other));
	kt_check(!memcmp(kdb_bus_id(conn), kdb_bus_id(other), 16) &&
		 !kt_zero(kdb_bus_id(conn), 16), "id of the bus");
	kt_check(kdb_bloom(conn)->size == KT_BLOOM_SIZE &&
		 kdb_bloom(conn)->n_hash == KT_BLOOM_HASH, "bloom");
	kt_check(kdb_features(conn) == (how ? 0 : KDB_FEATURE_TURN |
					KDB_FEATURE_ATTACH),
		 "features %x", kdb_features(conn));
	kt_check(kdb_events(conn) == POLLIN, "events");
	kt_check(fcntl(kdb_fd(conn), F_GETFD) == FD_CLOEXEC, "close-on-exec");
	check_works(conn);
	check_works(other);
	kt_check_ret(kdb_close(NULL), 0, "close nothing");
}

KL_TEST(by_default)
{
	struct kdb_usage usage;

	kl_bus();
	kl_ok(kdb_open_path(&conn, bus.path, NULL));
	kl_ok(kdb_get_usage(conn, &usage));
	kt_check(usage.pool_size == 16 * MIB, "pool of %llu",
		 (u64)usage.pool_size);
	kl_close(conn);
	/* a program that knows no more of the structure */
	kl_ok(kdb_open_path(&conn, bus.path, &(struct kdb_options){
			    .size = offsetof(struct kdb_options, attach),
			    .pool_size = 1 }));
	kl_close(conn);
	kl_ok(kdb_open_path(&conn, bus.path,
			    KDB_OPTIONS(.flags = KDB_OPEN_RESERVE | how,
					.pool_size = POOL)));
	kl_ok(kdb_get_usage(conn, &usage));
	kt_check(usage.pool_resident >= POOL, "%llu bytes reserved",
		 (u64)usage.pool_resident);
	kl_close(conn);
}

KL_TEST(by_name)
{
	char domain[64];

	kl_bus();
	snprintf(domain, sizeof(domain), "/dev/%s", kt_module);
	kl_ok(kdb_open_bus(&conn, domain, bus.name, NULL, NULL));
	check_works(conn);
	kl_ok(kdb_open_bus(&conn, domain, bus.name, "bus", NULL));
	check_works(conn);
	kl_fails(ENOENT, kdb_open_bus(&conn, domain, "0-nothing", NULL, NULL));
	kl_fails(EINVAL, kdb_open_bus(&conn, domain, "", NULL, NULL));
	kl_fails(EINVAL, kdb_open_bus(&conn, domain, "..", bus.name, NULL));
	kl_fails(EINVAL, kdb_open_bus(&conn, domain, bus.name, "../bus", NULL));
	if (!strcmp(kt_module, "kdbus")) {
		kl_ok(kdb_open_bus(&conn, NULL, bus.name, NULL, NULL));
		check_works(conn);
	}
}

KL_TEST(too_long)
{
	char name[5000];

	memset(name, 'a', sizeof(name) - 1);
	name[sizeof(name) - 1] = '\0';
	kl_fails(ENAMETOOLONG, kdb_open_bus(&conn, NULL, name, NULL, NULL));
	kl_bus();
	name[64] = '\0';
	kl_fails(ENAMETOOLONG, kdb_open_path(&conn, bus.path,
					     KDB_OPTIONS(.name = name)));
	name[63] = '\0';
	kl_ok(kdb_open_path(&conn, bus.path, KDB_OPTIONS(.name = name)));
	kl_close(conn);
}

KL_TEST(by_address)
{
	char address[1024];
	unsigned int fds;

	kl_bus();
	fds = kt_count_fds();
	snprintf(address, sizeof(address), "kernel:path=%s", bus.path);
	kl_ok(kdb_open_address(&conn, address, NULL));
	check_works(conn);
	/* others are skipped, errors of the kernel as well */
	snprintf(address, sizeof(address),
		 "unix:path=/x;;kernel:path=/dev/nothing;kernel:guid=1,path=%s;",
		 bus.path);
	kl_ok(kdb_open_address(&conn, address, NULL));
	check_works(conn);
	snprintf(address, sizeof(address), "kernel:path=%%2Fdev%%2f%s",
		 bus.path + 5);
	kl_ok(kdb_open_address(&conn, address, NULL));
	check_works(conn);
	kl_fails(ENOENT, kdb_open_address(&conn, "kernel:path=/dev/nothing;x:",
					  NULL));
	kl_fails(EPROTONOSUPPORT, kdb_open_address(&conn, "", NULL));
	kl_fails(EPROTONOSUPPORT,
		 kdb_open_address(&conn, "unix:path=/x;tcp:host=a", NULL));
	kt_check(kt_count_fds() == fds, "descriptors leak");
}

KL_TEST(malformed_address)
{
	static const char *const addresses[] = {
		"kernel", "unix:path=/x;kernel", "kernel:", "kernel:guid=1",
		"kernel:path", "kernel:path=", "kernel:=/dev/x",
		"kernel:path=/dev/x,guid", "kernel:path=%2", "kernel:path=%",
		"kernel:path=%zz", "kernel:path=%00", "kernel:path=a%0",
		"kernel:path=/dev/x,,",
	};
	char address[5000];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(addresses); i++)
		kt_check_ret(kdb_open_address(&conn, addresses[i], NULL),
			     -EINVAL, "%s", addresses[i]);
	memset(address, 'a', sizeof(address) - 1);
	address[sizeof(address) - 1] = '\0';
	memcpy(address, "kernel:path=", 12);
	kl_fails(EINVAL, kdb_open_address(&conn, address, NULL));
}

KL_TEST(well_known_buses)
{
	char address[256];

	kl_bus();
	snprintf(address, sizeof(address), "kernel:path=%s", bus.path);
	setenv("DBUS_SYSTEM_BUS_ADDRESS", address, 1);
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	kl_ok(kdb_open_system(&conn, NULL));
	check_works(conn);
	kl_fails(ENOENT, kdb_open_user(&conn, NULL));

	setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
	kl_ok(kdb_open_user(&conn, NULL));
	check_works(conn);
	kl_fails(ENOENT, kdb_open_system(&conn, NULL));
}

KL_TEST(default_buses)
{
	int system, user;

	if (strcmp(kt_module, "kdbus"))
		kt_skip("those are buses of kdbus, not of %s", kt_module);
	unsetenv("DBUS_SESSION_BUS_ADDRESS");
	unsetenv("DBUS_SYSTEM_BUS_ADDRESS");
	system = kdb_bus_make(NULL, "0-system", NULL);
	user = kdb_bus_make(NULL, "0-user", NULL);
	kt_assert(system >= 0 && user >= 0, "buses: %d, %d", system, user);
	kl_ok(kdb_open_user(&conn, NULL));
	kl_ok(kdb_open_system(&other, NULL));
	kt_check(memcmp(kdb_bus_id(conn), kdb_bus_id(other), 16),
		 "it is one bus");
	check_works(conn);
	check_works(other);
	close(system);
	close(user);
}

KL_TEST(by_descriptor)
{
	int fd;

	kl_bus();
	fd = open_endpoint(&bus);
	kl_fails(EINVAL, kdb_open_fd(&conn, fd, KDB_OPTIONS(.name = "a b")));
	/* it was not closed */
	kl_ok(kdb_open_fd(&conn, fd, NULL));
	check_works(conn);
	kt_check(fcntl(fd, F_GETFD) < 0, "not closed");
	kl_fails(EBADF, kdb_open_fd(&conn, fd, NULL));
	fd = open_endpoint(&bus);
	bus_close(&bus);
	kl_fails(ESHUTDOWN, kdb_open_fd(&conn, fd, NULL));
	close(fd);
}

KL_TEST(bad_options)
{
	const struct kdb_options *bad[] = {
		&(const struct kdb_options){ .size = 0 },
		&(const struct kdb_options){ .size = 1000 },
		KDB_OPTIONS(.flags = 1 << 7),
		KDB_OPTIONS(.flags = KDB_OPEN_MONITOR | KDB_OPEN_ACTIVATOR,
			    .holds = NAME_A),
		KDB_OPTIONS(.flags = KDB_OPEN_ACTIVATOR),
		KDB_OPTIONS(.flags = KDB_OPEN_ACTIVATOR, .holds = "a"),
		KDB_OPTIONS(.holds = NAME_A),
		KDB_OPTIONS(.name = ""),
		KDB_OPTIONS(.pool_size = 4097),
	};
	unsigned int fds;
	size_t i;

	kl_bus();
	fds = kt_count_fds();
	for (i = 0; i < ARRAY_SIZE(bad); i++)
		kl_fails(EINVAL, kdb_open_path(&conn, bus.path, bad[i]));
	kl_fails(ENOENT, kdb_open_path(&conn, "/dev/nothing", NULL));
	kl_fails(ENOTTY, kdb_open_path(&conn, "/dev/null", NULL));
	kt_check(kt_count_fds() == fds, "descriptors leak");
}

static int as_user(void *arg)
{
	struct bus *closed = arg;
	struct kdb_conn *many[257];
	int i, r = 0;

	kl_fails(EACCES, kdb_open_path(&conn, closed->path, NULL));
	kl_fails(EPERM, kdb_open_path(&conn, bus.path,
				      KDB_OPTIONS(.flags = KDB_OPEN_MONITOR)));
	for (i = 0; i < 257 && r == 0; i++)
		r = kdb_open_path(&many[i], bus.path,
				  KDB_OPTIONS(.pool_size = 4096));
	kt_check(i == 257, "%d connections", i - 1);
	kl_fails(EMFILE, kdb_open_path(&conn, bus.path, NULL));
	for (i = 0; i < 256; i++)
		kl_close(many[i]);
	return 0;
}

KL_TEST(other_users)
{
	struct bus closed;

	kl_bus();
	bus_make(&closed, 0);
	kt_run_as(1000, 1000, as_user, &closed);
}

KL_TEST(no_descriptors)
{

	kl_bus();
	if (kl_no_descriptors(true)) {
		kl_fails(EMFILE, kdb_open_path(&conn, bus.path, NULL));
		kl_no_descriptors(false);
	}
}

KL_TEST(what_a_bus_demands)
{
	char name[64];
	int fd;

	bus_name(name, sizeof(name));
	strcpy(bus.name, name);
	bus_paths(&bus);
	fd = kdb_bus_make(strncmp(bus.dir, "/dev/kdbus/", 11) ? bus.dir : NULL,
			  name, &(struct kdb_bus_options){
			.size = sizeof(struct kdb_bus_options),
			.flags = KDBUS_EXT_ATTACH,
			.attach_required = KDBUS_ATTACH_CREDS,
			.attach_owner = ~0ULL,
		});
	kt_assert(fd >= 0, "bus: %s", kt_err(fd));
	kl_fails(ECONNREFUSED, kdb_open_path(&conn, bus.path,
			KDB_OPTIONS(.flags = KDB_OPEN_ATTACH_SEND,
				    .attach_send = KDBUS_ATTACH_NAMES)));
	kl_ok(kdb_open_path(&conn, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ATTACH_SEND | how,
			.attach_send = KDBUS_ATTACH_CREDS)));
	if (how) {
		kl_fails(EOPNOTSUPP, kdb_set_attach_send(conn, 0));
	} else {
		kl_ok(kdb_set_attach_send(conn, ~0ULL));
		kl_fails(EINVAL, kdb_set_attach_send(conn, 0));
	}
	kl_close(conn);
	close(fd);
}

KL_TEST(kinds)
{
	const char *name = NAME_A;

	kl_bus();
	kl_ok(kdb_open_path(&conn, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ACTIVATOR | how, .holds = name)));
	kl_fails(EOPNOTSUPP, kdb_bye(conn));
	kl_fails(EOPNOTSUPP, kdb_set_attach(conn, 0));
	kl_fails(EOPNOTSUPP, kdb_process(conn));
	kl_close(conn);
	kl_ok(kdb_open_path(&conn, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_POLICY_HOLDER | how, .holds = name)));
	kl_close(conn);
	kl_ok(kdb_open_path(&conn, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_MONITOR | how)));
	kl_ok(kdb_set_attach(conn, 0));
	kl_close(conn);
}

KL_TEST(bye)
{
	kl_bus();
	conn = kl_open();
	other = kl_open();
	kl_send(other, conn, "x");
	kl_fails(EBUSY, kdb_bye(conn));
	kl_got(conn, "x");
	kl_ok(kdb_bye(conn));
	kl_fails(EALREADY, kdb_bye(conn));
	kt_check_ret(kdb_process(conn), -ECONNRESET, "process");
	kt_check_ret(kdb_wait(conn, 0), 0, "wait: the next command tells");
	kl_close(conn);
	kl_close(other);
}

KL_TEST(held_views)
{
	unsigned int fds, i;
	struct kdb_view *view;

	kl_bus();
	fds = kt_count_fds();
	conn = kl_open();
	for (i = 0; i < 10; i++) {
		kl_send(conn, conn, "x");
		view = kl_recv(conn);
	}
	kl_ok(kdb_view_release(view));
	kt_check_ret(kdb_close(conn), 9, "views held");
	kt_check(kt_count_fds() == fds, "descriptors leak");
}

/* A kernel that lacks any of the flags has version 1, as far as we care. */
START_TEST(older_kernels)
{
	static const u64 flags[] = {
		KDBUS_MSG_EXT_RECV, KDBUS_MSG_EXT_FREE,
		KDBUS_MSG_EXT_RECV | KDBUS_MSG_EXT_FREE,
	};
	size_t i;

	how = 0;
	kl_bus();
	/* these are the bits of MSG_RECV and HELLO as well */
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		kl_unknown_flags = flags[i];
		conn = kl_open();
		kt_check(!(kdb_features(conn) & KDB_FEATURE_TURN),
			 "flags %llx are not there", flags[i]);
		check_works(conn);
	}
	kl_unknown_flags = KDBUS_EXT_ATTACH | KDBUS_HELLO_EXT_RESERVE;
	conn = kl_open();
	kt_check(!kdb_features(conn), "features %x", kdb_features(conn));
	kl_fails(EOPNOTSUPP, kdb_set_attach_send(conn, 0));
	kl_close(conn);
	kl_fails(EOPNOTSUPP, kdb_open_path(&conn, bus.path,
				KDB_OPTIONS(.flags = KDB_OPEN_RESERVE)));
	kl_fails(EOPNOTSUPP, kdb_open_path(&conn, bus.path,
				KDB_OPTIONS(.flags = KDB_OPEN_ATTACH_SEND)));
	/* what is wrong otherwise is still called so */
	kl_fails(EINVAL, kdb_open_path(&conn, bus.path,
				       KDB_OPTIONS(.name = "a b")));
	kl_fails(EOPNOTSUPP, kdb_bus_make(NULL, "0-x", &(struct kdb_bus_options){
			.size = sizeof(struct kdb_bus_options),
			.flags = KDBUS_EXT_ATTACH }));
}
END_TEST

KL_TEST(usage)
{
	struct kdb_usage usage;

	kl_bus();
	conn = kl_open();
	other = kl_open();
	kl_send(other, conn, "12345678");
	kl_send(other, conn, "12345678");
	kl_ok(kdb_get_usage(conn, &usage));
	kt_check(usage.pool_size == POOL && usage.queued == 2 &&
		 usage.arrivals == 2 && usage.copied == 16 && !usage.lost &&
		 usage.pool_used > 16 && usage.pool_resident >= 4096,
		 "usage is wrong");
	kl_got(conn, "12345678");
	kl_got(conn, "12345678");
	kt_check(kl_used(conn) == 0, "not freed");
	kl_close(conn);
	kl_close(other);
}

START_TEST(no_proc)
{
	struct kdb_usage usage;

	kl_bus();
	conn = kl_open();
	kt_assert(!unshare(CLONE_NEWNS) &&
		  !mount("none", "/", "none", MS_REC | MS_PRIVATE, NULL) &&
		  !umount2("/proc", MNT_DETACH), "umount of /proc: %m");
	kl_fails(ENOENT, kdb_get_usage(conn, &usage));
	/* who looks for leaks wants it back */
	kt_assert(!mount("proc", "/proc", "proc", 0, ""), "mount: %m");
	kl_close(conn);
}
END_TEST

START_TEST(deadlines)
{
	u64 before = kdb_deadline(0), after = kdb_deadline(LONG_NS);

	kt_check(after >= before + LONG_NS, "not later");
	kt_check(kdb_deadline(~0ULL) == KDB_NO_DEADLINE, "never");
	kt_check(kdb_deadline(~0ULL - 1) == KDB_NO_DEADLINE, "saturates");
}
END_TEST

KT_SUITE("lib-open")
{
	kl_test(by_path);
	kl_test(by_default);
	kl_test(by_name);
	kl_test(too_long);
	kl_test(by_address);
	kl_test(malformed_address);
	kl_test(well_known_buses);
	kl_test(default_buses);
	kl_test(by_descriptor);
	kl_test(bad_options);
	kl_test(other_users);
	kl_test(no_descriptors);
	kl_test(what_a_bus_demands);
	kl_test(kinds);
	kl_test(bye);
	kl_test(held_views);
	kt_test(older_kernels);
	kl_test(usage);
	kt_test(no_proc);
	kt_test(deadlines);
}
