// SPDX-License-Identifier: GPL-2.0-only
/* Asking about connections and the bus */
#include <sched.h>

#include "kl.h"

static struct kdb_conn *a, *b;

static void open_pair(void)
{
	kl_bus();
	kl_ok(kdb_open_path(&a, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_FDS | how, .name = "its_name",
			.pool_size = POOL)));
	b = kl_open();
}

static void close_pair(void)
{
	kl_close(a);
	kl_close(b);
}

KL_TEST(connections)
{
	const struct kdb_meta *meta;
	struct kdb_info *info;

	open_pair();
	kl_ok(kdb_name_acquire(a, NAME_A, KDBUS_NAME_ALLOW_REPLACEMENT));
	kl_ok(kdb_info_of_id(b, kdb_id(a), 0, &info));
	meta = kdb_info_meta(info);
	kt_check(kdb_info_id(info) == kdb_id(a) &&
		 kdb_info_flags(info) == KDBUS_HELLO_ACCEPT_FD, "whom");
	kt_check((meta->have & KDBUS_ATTACH_CREDS) &&
		 meta->creds->pid == (u64)getpid() && meta->exe[0] == '/',
		 "metadata");
	kt_check(!(meta->have & (KDBUS_ATTACH_NAMES | KDBUS_ATTACH_CONN_NAME)) &&
		 !meta->conn_name && !meta->n_names, "not asked for");
	kdb_info_release(info);
	kdb_info_release(NULL);

	kl_ok(kdb_info_of_name(b, NAME_A, KDBUS_ATTACH_NAMES |
			       KDBUS_ATTACH_CONN_NAME, &info));
	meta = kdb_info_meta(info);
	kt_check(kdb_info_id(info) == kdb_id(a), "whom");
	kt_check(meta->n_names == 1 &&
		 !strcmp(kdb_meta_name(meta, 0, NULL), NAME_A) &&
		 !strcmp(meta->conn_name, "its_name"), "asked for");
	kdb_info_release(info);
	kt_check(kl_used(b) == 0, "not freed");

	kl_fails(ENXIO, kdb_info_of_id(b, 1000, 0, &info));
	kl_fails(ENXIO, kdb_info_of_id(b, 0, 0, &info));
	kl_fails(EINVAL, kdb_info_of_id(b, kdb_id(a), 1 << 13, &info));
	kl_fails(ESRCH, kdb_info_of_name(b, NAME_B, 0, &info));
	kl_fails(EINVAL, kdb_info_of_name(b, "no name", 0, &info));
	close_pair();
}

KL_TEST(of_the_bus)
{
	struct kdb_info *info;

	open_pair();
	kl_ok(kdb_info_of_bus(b, &info));
	kt_check(kdb_info_flags(info) == KDBUS_MAKE_ACCESS_WORLD &&
		 kdb_info_meta(info)->creds->uid == 0 &&
		 kdb_info_meta(info)->creds->pid == (u64)getpid(), "the bus");
	kdb_info_release(info);
	kt_check(kl_used(b) == 0, "not freed");
	close_pair();
}

KL_TEST(no_room)
{
	struct kdb_info *infos[64], *info;
	unsigned int n = 0;

	kl_bus();
	a = kl_open_with(0, 4096);
	b = kl_open();
	while (n < 64 && kdb_info_of_id(a, kdb_id(b), 0, &infos[n]) == 0)
		n++;
	kt_check(n > 2, "%u answers fit", n);
	kl_fails(ENOBUFS, kdb_info_of_id(a, kdb_id(b), 0, &info));
	kl_fails(ENOBUFS, kdb_info_of_bus(a, &info));
	while (n-- > 0)
		kdb_info_release(infos[n]);
	close_pair();
}

/* An activator cannot free what it asked for, and can ask all the same. */
KL_TEST(by_activators)
{
	struct kdb_conn *activator;
	struct kdb_info *info;
	unsigned int i;
	uint64_t id;

	kl_bus();
	kl_ok(kdb_open_path(&activator, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ACTIVATOR | how, .holds = NAME_A,
			.pool_size = 4096)));
	for (i = 0; i < 50; i++) {
		kl_ok(kdb_name_owner(activator, NAME_A, &id));
		kl_ok(kdb_info_of_id(activator, id, 0, &info));
		kt_check(id == kdb_id(activator) &&
			 kdb_info_flags(info) == KDBUS_HELLO_ACTIVATOR, "whom");
		kdb_info_release(info);
	}
	kl_close(activator);
}

KL_TEST(from_elsewhere)
{
	struct kdb_info *info;

	kl_bus();
	if (unshare(CLONE_NEWUSER))
		kt_skip("no user namespaces: %s", strerror(errno));
	a = kl_open();
	kl_fails(EPERM, kdb_info_of_bus(a, &info));
	kl_close(a);
}

KT_SUITE("lib-info")
{
	kl_test(connections);
	kl_test(of_the_bus);
	kl_test(no_room);
	kl_test(by_activators);
	kl_test(from_elsewhere);
}
