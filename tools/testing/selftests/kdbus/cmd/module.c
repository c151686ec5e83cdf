// SPDX-License-Identifier: GPL-2.0-only
/* What keeps the module, and for how long */

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "util.h"

#define POOL	(64 * KIB)

static int references(void)
{
	char path[128], buf[32];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", kt_module);
	if (kt_read_file(path, buf, sizeof(buf)) <= 0)
		kt_skip("no %s: this kernel unloads no modules", path);
	return atoi(buf);
}

/* a descriptor of the pool's file that is no open file of it: only a path */
static int pool_path(const struct conn *c)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx",
		 (unsigned long)c->pool, (unsigned long)c->pool + POOL);
	fd = open(path, O_PATH | O_CLOEXEC);
	kt_assert(fd >= 0, "open %s: %m", path);
	return fd;
}

START_TEST(mapping)
{
	int was = references();
	struct bus bus;
	struct conn c;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	bus_close(&bus);
	close(c.fd);
	kt_check(references() > was, "the module is not kept by a mapping");
	munmap(c.pool, POOL);
	kt_check(references() == was, "%d references, there were %d",
		 references(), was);
}
END_TEST

/*
 * The last reference to the file of a pool does not end everything: its inode
 * and the file system that it is on go after that. A path keeps them for as long
 * as one likes; the moment between the last munmap() and the end of it is the
 * same, but short.
 */
START_TEST(path)
{
	int was = references(), fd;
	struct bus bus;
	struct conn c;

	bus_make(&bus, 0);
	conn_open(&c, &bus, POOL);
	fd = pool_path(&c);
	bus_close(&bus);
	conn_close(&c);
	kt_check(references() > was,
		 "the module could be unloaded under the file system of its pools");
	close(fd);
	kt_check(references() == was, "%d references, there were %d",
		 references(), was);
}
END_TEST

static void *connects(void *arg)
{
	struct bus *bus = arg;
	struct conn c;
	int i;

	for (i = 0; i < 30; i++) {
		conn_open(&c, bus, POOL);
		kt_check(c.pool[i] == 0, "the pool is not new");
		conn_close(&c);
	}
	return NULL;
}

/* there is no pool, one, or there are two: what they share comes and goes */
START_TEST(first_and_last_pool)
{
	int was = references();
	struct bus bus;
	pthread_t t;

	bus_make(&bus, 0);
	t = kt_thread(connects, &bus);
	connects(&bus);
	kt_join(t);
	bus_close(&bus);
	kt_check(references() == was, "%d references, there were %d",
		 references(), was);
}
END_TEST

KT_SUITE("module")
{
	kt_test(mapping);
	kt_test(path);
	kt_test(first_and_last_pool);
}
