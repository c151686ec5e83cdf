// SPDX-License-Identifier: GPL-2.0-only
/* sd-bus-wire.md section 13: descriptors and memfds */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "sd-util.h"

#define PART	(512 * KIB)

static struct bus bus;
static struct conn a, b, none;	/* none does not accept descriptors */
static struct blob m;
static struct sd_msg h;

static void prepare(void)
{
	const struct sd_hello hello = { .attach = SD_PLAIN };

	allow_fds(700);
	sd_bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
	sd_connect(&a, &bus, SD_PLAIN);
	sd_connect(&b, &bus, SD_PLAIN);
	kt_assert_ret(sd_try_connect(&none, &bus, &hello), 0, "HELLO");
	kt_check(none.hello.flags == 0, "flags %#llx", none.hello.flags);
}

/* descriptors, their number as field 9, one FDS item at the end */
static int send_fds(u64 dst, const char *name, const int *fds, unsigned int n)
{
	sd_call(&h, SD_NO_REPLY, n, SD_NAME);
	sd_field(&h, 8, 'g', "ah");
	sd_field_u(&h, 9, n);
	sd_end(&h, 4);
	sd_msg_init(&m, &h, dst, name);
	msg_vec(&m, "\0\0\0", 4);
	msg_fds(&m, fds, n);
	return sd_send(&a, &m);
}

static bool same_file(int x, int y)
{
	struct stat sx, sy;

	return !fstat(x, &sx) && !fstat(y, &sy) && sx.st_ino == sy.st_ino &&
	       sx.st_dev == sy.st_dev;
}

/* what came has these files, close-on-exec, in this order */
static void expect_fds(struct conn *c, const int *fds, unsigned int n)
{
	const struct kdbus_item *item;
	const struct kdbus_msg *msg;
	unsigned int i;
	u64 off;

	msg = conn_recv_msg(c, &off);
	item = item_find(msg, KDBUS_ITEM_FDS, 0);
	kt_assert(item && item->size == HDR + 4 * n, "no FDS of %u", n);
	kt_check(!item_find(msg, KDBUS_ITEM_FDS, 1), "two FDS items");
	for (i = 0; i < n; i++) {
		kt_check(same_file(item->fds[i], fds[i]), "descriptor %u", i);
		kt_check(fcntl(item->fds[i], F_GETFD) == FD_CLOEXEC,
			 "descriptor %u: not close-on-exec", i);
		close(item->fds[i]);
	}
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

START_TEST(descriptors)
{
	int p[2], fds[4], many[254];
	unsigned int i;

	prepare();
	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	fds[0] = p[0];
	fds[1] = kt_memfd(4096, 0, 0);
	fds[2] = p[1];
	fds[3] = fds[1];	/* twice */
	kt_check_ret(send_fds(b.id, NULL, fds, 4), 0, "four");
	expect_fds(&b, fds, 4);
	kt_check_ret(send_fds(b.id, NULL, fds, 1), 0, "one");
	expect_fds(&b, fds, 1);
	for (i = 0; i < ARRAY_SIZE(many); i++)
		many[i] = fds[i % 4];
	kt_check_ret(send_fds(b.id, NULL, many, 253), 0, "253");
	expect_fds(&b, many, 253);
	kt_check_ret(send_fds(b.id, NULL, many, 254), -EMFILE, "254");
	expect_empty(&b);
}
END_TEST

START_TEST(refusals)
{
	int s[2], i, bad[6];

	prepare();
	kt_check_ret(send_fds(none.id, NULL, (int []) { 0 }, 1), -ECOMM,
		     "without ACCEPT_FD");
	kt_assert(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, s),
		  "socketpair: %m");
	bad[0] = s[0];
	bad[1] = a.fd;
	bad[2] = b.fd;
	bad[3] = bus.fd;
	bad[4] = open_control();
	bad[5] = sd_open(&bus);
	for (i = 0; i < 6; i++)
		kt_check_ret(send_fds(b.id, NULL, &bad[i], 1), -EOPNOTSUPP,
			     "descriptor %d", i);
	kt_check_ret(send_fds(b.id, NULL, (int []) { 5000 }, 1), -EBADF,
		     "closed");
	kt_check_ret(send_fds(KDBUS_DST_ID_BROADCAST, NULL, (int []) { 0 }, 1),
		     -ENOTUNIQ, "broadcast");
	expect_empty(&b);
	expect_empty(&none);
}
END_TEST

/* one without ACCEPT_FD gets some nevertheless, from an activator */
START_TEST(from_activator)
{
	struct conn act;
	int fd;

	prepare();
	fd = kt_memfd(4096, 0, 0);
	sd_activator(&act, &bus, SD_NAME);
	kt_check_ret(send_fds(0, SD_NAME, &fd, 1), 0, "to the activator");
	kt_check_ret(sd_request_name(&none, SD_NAME, 0), 1, "take over");
	/* as if it had been sent there */
	expect_empty(&none);
	kt_check_ret(send_fds(0, SD_NAME, &fd, 1), -ECOMM, "to the service");
	conn_close(&none);
	kt_check_ret(send_fds(0, SD_NAME, &fd, 1), 0, "to the activator again");
	kt_check_ret(sd_request_name(&b, SD_NAME, 0), 1, "take over");
	expect_fds(&b, &fd, 1);
}
END_TEST

/* AcceptFileDescriptors=no */
START_TEST(activator_without)
{
	struct conn act;

	prepare();
	kt_assert_ret(sd_try_busname(&act, &bus, KDBUS_HELLO_ACTIVATOR,
				     SD_NAME, NULL, 0), 0, "activator");
	kt_check_ret(send_fds(0, SD_NAME, (int []) { 0 }, 1), -ECOMM, "call");
	kt_check(sd_epoll(act.fd) == 0, "the service would start");
}
END_TEST

static int send_memfd(u64 dst, int fd, size_t size)
{
	sd_call(&h, SD_NO_REPLY, 3, SD_NAME);
	sd_field(&h, 8, 'g', "ay");
	sd_end(&h, size);
	sd_msg_init(&m, &h, dst, NULL);
	msg_memfd(&m, fd, size);
	return sd_send(&a, &m);
}

static void expect_memfd(struct conn *c, size_t size, u32 seed)
{
	const struct kdbus_item *item;
	const struct kdbus_msg *msg;
	void *p;
	u64 off;

	msg = conn_recv_msg(c, &off);
	item = item_find(msg, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	kt_assert(item && item->size == 32 && item->memfd.size == size,
		  "no memfd of %zu bytes", size);
	kt_check(fcntl(item->memfd.fd, F_GETFD) == FD_CLOEXEC, "flags");
	kt_check((fcntl(item->memfd.fd, F_GET_SEALS) & KT_SEALS) == KT_SEALS,
		 "seals");
	/* receivers map them privately, read-only */
	p = mmap(NULL, size, PROT_READ, MAP_PRIVATE, item->memfd.fd, 0);
	kt_assert(p != MAP_FAILED, "mmap: %m");
	kt_check(kt_filled(p, size, seed), "content");
	munmap(p, size);
	close(item->memfd.fd);
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

/* cut to size, sealed with SHRINK, GROW and WRITE: all three */
START_TEST(memfds)
{
	static const size_t sizes[] = { PART + 1, PART + 8, 4 * MIB + 3 };
	unsigned int seals;
	size_t i;
	int fd;

	prepare();
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		fd = kt_memfd(sizes[i], KT_SEALS, 7);
		kt_check_ret(send_memfd(b.id, fd, sizes[i]), 0, "memfd");
		expect_memfd(&b, sizes[i], 7);
		/* ACCEPT_FD is not needed for these */
		kt_check_ret(send_memfd(none.id, fd, sizes[i]), 0, "memfd");
		expect_memfd(&none, sizes[i], 7);
		kt_check_ret(send_memfd(b.id, fd, sizes[i] + 1), -EBADF,
			     "more than there is");
		close(fd);
	}
	for (seals = 0; seals < KT_SEALS; seals += 2) {
		fd = kt_memfd(PART + 1, seals, 0);
		kt_check_ret(send_memfd(b.id, fd, PART + 1), -ETXTBSY,
			     "seals %#x", seals);
		close(fd);
	}
}
END_TEST

/* an own memfd as a string: length = file size, with its NUL */
START_TEST(string_memfd)
{
	static const char text[] = "a string in a memfd";
	const struct kdbus_msg *msg;
	u8 buf[512];
	size_t n;
	u64 off;
	int fd;

	prepare();
	fd = kt_memfd(0, 0, 0);
	kt_assert(write(fd, text, sizeof(text)) == sizeof(text), "write: %m");
	kt_assert(!fcntl(fd, F_ADD_SEALS, KT_SEALS), "F_ADD_SEALS: %m");
	kt_check_ret(send_memfd(b.id, fd, sizeof(text)), 0, "string");
	msg = conn_recv_msg(&b, &off);
	n = sd_read(&b, msg, buf, sizeof(buf));
	kt_check(n == h.size + sizeof(text) &&
		 !memcmp(buf + h.size, text, sizeof(text)), "string");
}
END_TEST

/* a part of 512 KiB is not larger than 512 KiB: a vec */
START_TEST(largest_vec)
{
	const struct kdbus_msg *msg;
	u8 *p = malloc(PART), *buf = malloc(PART + 512);
	u64 off;

	prepare();
	kt_fill(p, PART, 9);
	sd_call(&h, SD_NO_REPLY, 1, SD_NAME);
	sd_end(&h, PART);
	sd_msg_init(&m, &h, b.id, NULL);
	msg_vec(&m, p, PART);
	kt_check_ret(sd_send(&a, &m), 0, "MSG_SEND");
	msg = conn_recv_msg(&b, &off);
	kt_check(sd_read(&b, msg, buf, PART + 512) == h.size + PART &&
		 kt_filled(buf + h.size, PART, 9), "bytes");
	free(p);
	free(buf);
}
END_TEST

KT_SUITE("sd-fds")
{
	kt_test(descriptors);
	kt_test(refusals);
	kt_test(from_activator);
	kt_test(activator_without);
	kt_test(memfds);
	kt_test(string_memfd);
	kt_test(largest_vec);
}
