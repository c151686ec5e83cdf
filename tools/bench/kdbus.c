// SPDX-License-Identifier: GPL-2.0
#include <err.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kdbus.h"

char bus_path[128];

/* One bus for the process and those that it starts. */
void bus_make(void)
{
	struct {
		struct kdbus_cmd_make cmd;
		struct {
			uint64_t size, type;
			struct kdbus_bloom_parameter is;
		} bloom;
		struct {
			uint64_t size, type;
			char is[64];
		} name;
	} make = {
		.bloom = {
			.size	= sizeof(make.bloom),
			.type	= KDBUS_ITEM_BLOOM_PARAMETER,
			.is	= { .size = BLOOM_SIZE, .n_hash = 8 },
		},
		.name.type = KDBUS_ITEM_MAKE_NAME,
	};
	char path[64];
	int fd;

	if (bus_path[0])
		return;

	snprintf(path, sizeof(path), "/dev/%s/control", options->module);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		not_offered("not offered: %s: %s", path, strerror(errno));

	snprintf(make.name.is, sizeof(make.name.is), "%u-bench-%u", geteuid(),
		 getpid());
	make.name.size = ITEM_SIZE(strlen(make.name.is) + 1);
	make.cmd.size = offsetof(typeof(make), name) + make.name.size;
	must(ioctl(fd, KDBUS_CMD_BUS_MAKE, &make.cmd));
	snprintf(bus_path, sizeof(bus_path), "/dev/%s/%s/bus", options->module,
		 make.name.is);
}

void bus_connect(struct conn *conn, size_t pool_size, uint64_t flags,
		 uint64_t attach)
{
	struct kdbus_cmd_hello hello = {
		.size		= sizeof(hello),
		.flags		= flags,
		.attach_flags	= attach,
		.pool_size	= pool_size,
	};

	conn->fd = must(open(bus_path, O_RDWR | O_CLOEXEC));
	must(ioctl(conn->fd, KDBUS_CMD_HELLO, &hello));
	conn->id = hello.id;
	conn->pool_size = pool_size;
	conn->pool = mmap(NULL, pool_size, PROT_READ, MAP_SHARED, conn->fd, 0);
	if (conn->pool == MAP_FAILED)
		err(1, "mmap of the pool");
}

void bus_leave(struct conn *conn)
{
	munmap((void *)conn->pool, conn->pool_size);
	close(conn->fd);
}

static void letter_begin(struct letter *letter, uint64_t type)
{
	*letter = (struct letter){
		.msg.size		= offsetof(struct letter, second),
		.msg.payload_type	= KDBUS_PAYLOAD_DBUS,
		.size			= ITEM_SIZE(16),
		.type			= type,
	};
}

void letter_vec(struct letter *letter, const void *data, size_t size)
{
	letter_begin(letter, KDBUS_ITEM_PAYLOAD_VEC);
	letter->vec.size = size;
	letter->vec.address = (uintptr_t)data;
}

void letter_memfd(struct letter *letter, int fd, size_t size)
{
	letter_begin(letter, KDBUS_ITEM_PAYLOAD_MEMFD);
	letter->memfd.size = size;
	letter->memfd.fd = fd;
}

/* With @size bytes in it. */
void letter_second(struct letter *letter, uint64_t type, size_t size)
{
	letter->second.size = ITEM_SIZE(size);
	letter->second.type = type;
	letter->msg.size = offsetof(struct letter, second) + letter->second.size;
}

/* Free that as well, when it is sent. */
void letter_free(struct letter *letter, uint64_t offset)
{
	letter_second(letter, KDBUS_ITEM_FREE, sizeof(offset));
	letter->msg.flags |= KDBUS_MSG_EXT_FREE;
	letter->second.offset = offset;
}

int memfd_sealed(const void *data, size_t size)
{
	int fd = must(memfd_create("payload", MFD_CLOEXEC | MFD_ALLOW_SEALING));
	size_t done;

	for (done = 0; done < size;)
		done += must(write(fd, (const uint8_t *)data + done,
				   size - done));
	must(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE |
				    F_SEAL_SEAL));
	return fd;
}

const struct kdbus_item *item_of(const struct kdbus_msg *msg, uint64_t type)
{
	const uint8_t *at = (const uint8_t *)msg->items;
	const uint8_t *end = (const uint8_t *)msg + msg->size;
	const struct kdbus_item *item;

	for (; at < end; at += (item->size + 7) & ~7ULL) {
		item = (const struct kdbus_item *)at;
		if (item->type == type)
			return item;
	}
	errx(1, "no item %#llx in a message", (unsigned long long)type);
}
