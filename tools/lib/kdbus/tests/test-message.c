// SPDX-License-Identifier: GPL-2.0-only
/* Making messages, sending them, what arrives */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "kl.h"

static struct kdb_conn *a, *b;
static struct kdb_msg *msg;

static void open_pair(size_t pool)
{
	kl_bus();
	a = kl_open_with(KDB_OPEN_FDS, pool);
	b = kl_open_with(KDB_OPEN_FDS, pool);
	msg = kl_msg(a);
	kdb_msg_to_id(msg, kdb_id(b));
}

static void close_pair(void)
{
	kdb_msg_free(msg);
	kl_close(a);
	kl_close(b);
}

KL_TEST(header)
{
	const struct kdbus_msg *h;
	struct kdb_view *view;

	open_pair(POOL);
	kt_check(kdb_msg_cookie(msg) == 0, "sent before it was");
	kdb_msg_set_priority(msg, -7);
	kl_ok(kdb_send(msg));
	kt_check(kdb_msg_cookie(msg) == 1, "the first cookie");
	view = kl_recv(b);
	h = kdb_view_header(view);
	kt_check(h->src_id == kdb_id(a) && h->dst_id == kdb_id(b) &&
		 h->cookie == 1 && h->cookie_reply == 0 && h->flags == 0 &&
		 h->priority == -7 && h->payload_type == KDB_PAYLOAD_BYTES,
		 "header");
	kt_check(kdb_view_size(view) == 0 && kdb_view_parts(view) == 0 &&
		 kl_is(view, ""), "an empty message");
	kl_ok(kdb_view_release(view));

	kl_fails(EINVAL, kdb_msg_set_type(msg, 0));
	kl_fails(EINVAL, kdb_msg_set_cookie(msg, 0));
	kl_ok(kdb_msg_set_type(msg, KDBUS_PAYLOAD_DBUS));
	kl_ok(kdb_msg_set_cookie(msg, 77));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	h = kdb_view_header(view);
	kt_check(h->cookie == 77 && h->payload_type == KDBUS_PAYLOAD_DBUS,
		 "what was set");
	kl_ok(kdb_view_release(view));
	/* for one message only */
	kl_ok(kdb_send(msg));
	kt_check(kdb_msg_cookie(msg) == 2 && kdb_cookie(a) == 3,
		 "the next cookie");
	kdb_msg_reset(msg);
	kl_fails(EDESTADDRREQ, kdb_send(msg));
	kdb_drop(b);
	close_pair();
}

KL_TEST(cookies_have_32_bits)
{
	open_pair(POOL);
	kl_ok(kdb_msg_set_cookie(msg, 1ULL << 40));
	kl_ok(kdb_send(msg));
	/* one that the caller chose does not count */
	kt_check(kdb_cookie(a) == 1, "counting goes on");
	kl_ok(kdb_drop(b));
	close_pair();
}

KL_TEST(payload)
{
	static const char text[] = "one two three";
	u8 filled[5000], got[6000];
	struct kdb_part part;
	struct kdb_view *view;
	const void *data;
	size_t size;

	open_pair(POOL);
	kt_fill(filled, sizeof(filled), 1);
	kl_ok(kdb_msg_put(msg, NULL, 0));
	kl_ok(kdb_msg_put(msg, text, 4));
	kl_ok(kdb_msg_put(msg, text + 4, 4));
	kl_ok(kdb_msg_put(msg, filled, sizeof(filled)));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	/* parts that were copied are one piece */
	kl_ok(kdb_view_data(view, &data, &size));
	kt_check(size == 5008 && kdb_view_size(view) == size &&
		 !memcmp(data, text, 8) && kt_filled(data + 8, 5000, 1),
		 "%zu bytes", size);
	kt_check(kdb_view_parts(view) == 3, "parts");
	kl_ok(kdb_view_part(view, 1, &part));
	kt_check(part.kind == KDB_PART_BYTES && part.size == 4 &&
		 part.fd == -1 && !memcmp(part.data, "two ", 4), "a part");
	kl_fails(ENOENT, kdb_view_part(view, 3, &part));
	kl_fails(EMSGSIZE, kdb_view_copy(view, got, 5007));
	kl_ok(kdb_view_copy(view, got, sizeof(got)));
	kt_check(!memcmp(got, data, 5008), "copy");
	kl_ok(kdb_view_release(view));
	kt_check(kl_used(b) == 0, "not freed");
	close_pair();
}

KL_TEST(zeros)
{
	struct kdb_part part;
	struct kdb_view *view;
	const void *data;
	size_t size;
	u8 got[20];

	open_pair(POOL);
	kl_ok(kdb_msg_put_zeros(msg, 0));
	kl_ok(kdb_msg_put(msg, "ab", 2));
	kl_ok(kdb_msg_put_zeros(msg, 15));
	kl_ok(kdb_msg_put(msg, "cd", 2));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kl_fails(EMULTIHOP, kdb_view_data(view, &data, &size));
	kt_check(kdb_view_size(view) == 19 && kdb_view_parts(view) == 3,
		 "size");
	kl_ok(kdb_view_part(view, 1, &part));
	kt_check(part.kind == KDB_PART_ZEROS && part.size == 15 && !part.data &&
		 part.fd == -1, "zeros");
	memset(got, 1, sizeof(got));
	kl_ok(kdb_view_copy(view, got, sizeof(got)));
	kt_check(!memcmp(got, "ab\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0cd\1", 20),
		 "copy");
	kl_ok(kdb_view_release(view));
	kl_fails(EMSGSIZE, kdb_msg_put_zeros(msg, 2 * MIB));
	close_pair();
}

/* Memory that the process may have mapped when it maps more */
static void limit_memory(rlim_t most)
{
	struct rlimit limit;

	kt_assert(!getrlimit(RLIMIT_AS, &limit), "getrlimit: %m");
	limit.rlim_cur = most;
	kt_assert(!setrlimit(RLIMIT_AS, &limit), "setrlimit: %m");
}

/* Payload that becomes a file, and is one only once */
KL_TEST(large)
{
	size_t size = 3 * MIB, n;
	struct kdb_part part;
	struct kdb_view *view;
	u8 *filled = malloc(size);
	unsigned int fds, i;
	const void *data;
	int fd;

	open_pair(POOL);
	kt_fill(filled, size, 2);
	fds = kt_count_fds();
	kl_ok(kdb_msg_put(msg, filled, size));
	kt_check(kt_count_fds() == fds + 1, "files were made");
	/* it was read */
	memset(filled, 0, size);
	for (i = 0; i < 3; i++) {
		kl_ok(kdb_send(msg));
		kt_check(kt_count_fds() == fds + 1, "files were made");
		view = kl_recv(b);
		limit_memory(1 << 20);
		kl_fails(ENOMEM, kdb_view_data(view, &data, &n));
		limit_memory(RLIM_INFINITY);
		kl_ok(kdb_view_data(view, &data, &n));
		kt_check(n == size && kt_filled(data, n, 2), "content");
		kl_ok(kdb_view_data(view, &data, &n));
		kl_ok(kdb_view_release(view));
		kt_check(kt_count_fds() == fds + 1, "the file was kept");
	}
	kl_ok(kdb_send(msg));
	kdb_msg_reset(msg);
	kt_check(kt_count_fds() == fds, "files stay");

	/* it can be taken, and sent as it is */
	view = kl_recv(b);
	kl_ok(kdb_view_part(view, 0, &part));
	kt_check(part.kind == KDB_PART_FILE && part.size == size && !part.data,
		 "a file");
	kl_fails(ENOENT, kdb_view_take_file(view, 1));
	fd = kdb_view_take_file(view, 0);
	kt_check(fd == part.fd, "taken %d, not %d", fd, part.fd);
	kl_fails(EALREADY, kdb_view_take_file(view, 0));
	kl_ok(kdb_view_release(view));
	kdb_msg_to_id(msg, kdb_id(b));
	kl_ok(kdb_msg_put_file(msg, fd, 5));
	kl_ok(kdb_send(msg));
	close(fd);
	view = kl_recv(b);
	kl_ok(kdb_view_copy(view, filled, size));
	kt_check(kdb_view_size(view) == 5 && kt_filled(filled, 5, 2),
		 "a part of it");
	kl_ok(kdb_view_release(view));
	close_pair();
	free(filled);
}

KL_TEST(file_size)
{
	struct kdb_view *view;
	struct kdb_part part;
	const void *data;
	u8 big[2000];
	size_t size;

	open_pair(4 * MIB);
	kt_fill(big, sizeof(big), 3);
	kdb_set_file_size(a, 1000);
	kl_ok(kdb_msg_put(msg, big, 1000));
	kl_ok(kdb_msg_put(msg, big, 1001));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kl_ok(kdb_view_part(view, 0, &part));
	kt_check(part.kind == KDB_PART_BYTES, "small");
	kl_ok(kdb_view_part(view, 1, &part));
	kt_check(part.kind == KDB_PART_FILE, "large");
	kl_fails(EMULTIHOP, kdb_view_data(view, &data, &size));
	kl_fails(EMEDIUMTYPE, kdb_view_take_file(view, 0));
	kl_ok(kdb_view_release(view));
	close_pair();
}

/* Vecs up to 2 MiB in all, files beyond */
KL_TEST(vecs_of_2_mib)
{
	struct kdb_view *view;
	u8 *big = calloc(1, 2 * MIB);

	open_pair(16 * MIB);
	kl_ok(kdb_msg_put(msg, big, 2 * MIB - 10));
	kl_ok(kdb_msg_put(msg, "0123456789", 10));
	kl_ok(kdb_msg_put(msg, "x", 1));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kt_check(kdb_view_size(view) == 2 * MIB + 1, "size");
	kl_fails(EMEDIUMTYPE, kdb_view_take_file(view, 1));
	close(kdb_view_take_file(view, 2));
	kl_ok(kdb_view_release(view));
	close_pair();
	free(big);
}

KL_TEST(in_place)
{
	unsigned int fds;
	struct kdb_view *view;
	void *data, *other;
	int fd;

	open_pair(POOL);
	fds = kt_count_fds();
	kl_fails(EINVAL, kdb_file_make(0, &data));
	kl_fails(ENOMEM, kdb_file_make(SIZE_MAX - 4095, &data));
	kt_check(kt_count_fds() == fds, "descriptors leak");
	fd = kdb_file_make(6, &data);
	kt_assert(fd >= 0, "file: %s", kt_err(fd));
	memcpy(data, "filled", 6);
	kl_ok(kdb_msg_put_file(msg, fd, 6));
	kl_fails(ETXTBSY, kdb_send(msg));
	other = mmap(NULL, 6, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	kl_fails(EINVAL, kdb_file_seal(fd, data + 1, 6));
	kl_fails(EBUSY, kdb_file_seal(fd, data, 6));
	kl_ok(kdb_file_seal(fd, other, 6));
	other = mmap(NULL, 6, PROT_READ, MAP_SHARED, fd, 0);
	kl_fails(EPERM, kdb_file_seal(fd, other, 6));
	other = mmap(NULL, 6, PROT_READ, MAP_SHARED, fd, 0);
	kl_fails(EBADF, kdb_file_seal(-1, other, 6));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kt_check(kl_is(view, "filled"), "content");
	kl_ok(kdb_view_release(view));

	kdb_msg_reset(msg);
	kl_fails(EINVAL, kdb_msg_put_file(msg, fd, 0));
	kl_fails(EBADF, kdb_msg_put_file(msg, -1, 1));
	close(fd);
	if (kl_no_descriptors(true)) {
		kl_fails(EMFILE, kdb_file_make(1, &data));
		kdb_set_file_size(a, 0);
		kl_fails(EMFILE, kdb_msg_put(msg, "x", 1));
		kl_no_descriptors(false);
	}
	close_pair();
}

KL_TEST(descriptors)
{
	int pipes[2], fds[254], fd, i;
	struct kdb_view *view;
	unsigned int n;
	char c;

	open_pair(POOL);
	kt_assert(!pipe(pipes), "pipe: %m");
	for (i = 0; i < 254; i++)
		fds[i] = pipes[1];
	kl_ok(kdb_msg_put_fds(msg, NULL, 0));
	kl_fails(EMFILE, kdb_msg_put_fds(msg, fds, 254));
	kl_ok(kdb_msg_put_fds(msg, pipes, 2));
	kl_fails(EEXIST, kdb_msg_put_fds(msg, pipes, 1));
	kl_ok(kdb_msg_put(msg, "text", 4));
	kl_ok(kdb_send(msg));
	close(pipes[0]);
	close(pipes[1]);
	n = kt_count_fds();
	view = kl_recv(b);
	kt_check(kt_count_fds() == n + 2, "received");
	kt_check(kdb_view_fds(view) == 2 && kl_is(view, "text"), "message");
	kt_check(kdb_view_fd(view, 1) >= 0, "a descriptor");
	kl_fails(ENOENT, kdb_view_fd(view, 2));
	kl_fails(ENOENT, kdb_view_take_fd(view, 2));
	fd = kdb_view_take_fd(view, 0);
	kl_fails(EALREADY, kdb_view_take_fd(view, 0));
	kl_fails(EALREADY, kdb_view_fd(view, 0));
	kt_check(write(kdb_view_fd(view, 1), "x", 1) == 1 &&
		 read(fd, &c, 1) == 1 && c == 'x', "it is that pipe");
	kl_ok(kdb_view_release(view));
	/* the other one was closed */
	kt_check(kt_count_fds() == n + 1 && read(fd, &c, 1) == 0, "closed");
	close(fd);
	close_pair();
}

KL_TEST(most_descriptors)
{
	int fds[253], i;
	struct kdb_view *view;
	unsigned int n;

	open_pair(POOL);
	n = kt_count_fds();
	for (i = 0; i < 253; i++)
		fds[i] = 0;
	kl_ok(kdb_msg_put_fds(msg, fds, 253));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kt_check(kdb_view_fds(view) == 253 && kdb_view_fd(view, 252) > 0,
		 "descriptors");
	kt_check(kdb_view_take_fd(view, 252) > 0, "take the last");
	kl_ok(kdb_view_release(view));
	kt_check(kt_count_fds() == n + 1, "closed");
	close_pair();
}

KL_TEST(refused_files)
{
	struct kdb_conn *no_fds;
	int fd = kt_memfd(4096, KT_SEALS, 1), null, sock[2];

	open_pair(POOL);
	no_fds = kl_open();
	null = open("/dev/null", O_RDWR | O_CLOEXEC);
	kt_assert(!socketpair(AF_UNIX, SOCK_STREAM, 0, sock), "socketpair: %m");
	kl_ok(kdb_msg_put_file(msg, fd, 5000));
	kl_fails(EBADF, kdb_send(msg));
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(no_fds));
	kl_ok(kdb_msg_put_file(msg, null, 1));
	kl_fails(EMEDIUMTYPE, kdb_send(msg));
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(no_fds));
	kl_ok(kdb_msg_put_fds(msg, &null, 1));
	kl_fails(ECOMM, kdb_send(msg));
	kl_ok(kdb_msg_to_all(msg));
	kl_fails(ENOTUNIQ, kdb_send(msg));
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(b));
	kl_ok(kdb_msg_put_fds(msg, sock, 1));
	kl_fails(EOPNOTSUPP, kdb_send(msg));
	kl_close(no_fds);
	close_pair();
}

KL_TEST(unreachable)
{
	char big[4096] = "";
	unsigned int i;
	int r = 0;

	open_pair(4096);
	kdb_msg_to_id(msg, 1000);
	kl_fails(ENXIO, kdb_send(msg));
	kl_ok(kdb_msg_to_name(msg, NAME_A));
	kl_fails(ESRCH, kdb_send(msg));
	kl_ok(kdb_msg_to_name(msg, "no name"));
	kl_fails(EINVAL, kdb_send(msg));
	kl_fails(EINVAL, kdb_msg_to_name(msg, ""));
	memset(big, 'a', 256);
	kl_fails(EINVAL, kdb_msg_to_name(msg, big));
	kdb_msg_to_id(msg, KDBUS_DST_ID_BROADCAST);
	kl_fails(EBADMSG, kdb_send(msg));
	kl_fails(EDESTADDRREQ, kdb_msg_tell(msg, "x"));
	/* it stays in the pool: half of it is taken */
	kdb_msg_to_id(msg, kdb_id(b));
	kl_ok(kdb_msg_put(msg, big, 1900));
	kl_ok(kdb_send(msg));
	kl_fails(EXFULL, kdb_send(msg));
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(b));
	kl_ok(kdb_msg_put(msg, big, 4000));
	kl_fails(ENOBUFS, kdb_send(msg));
	kdb_msg_reset(msg);
	kdb_msg_to_id(msg, kdb_id(b));
	for (i = 0; i < 300 && r == 0; i++)
		r = kdb_send(msg);
	kt_check_ret(r, -EXFULL, "with a little room");
	close_pair();
}

KL_TEST(parts)
{
	unsigned int i;
	struct kdb_view *view;

	open_pair(POOL);
	for (i = 0; i < 128; i++)
		kl_ok(kdb_msg_put(msg, &"0123456789"[i % 10], 1));
	kl_fails(E2BIG, kdb_msg_put(msg, "x", 1));
	kl_fails(E2BIG, kdb_msg_put_zeros(msg, 1));
	kl_fails(E2BIG, kdb_msg_put_file(msg, 0, 1));
	kl_fails(E2BIG, kdb_msg_put_fds(msg, &(int){ 0 }, 1));
	kdb_set_file_size(a, 0);
	kl_fails(E2BIG, kdb_msg_put(msg, "x", 1));
	/* with something to free, which does not fit any more */
	kl_send(b, a, "x");
	kl_got(a, "x");
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kt_check(kdb_view_parts(view) == 128 && kdb_view_size(view) == 128,
		 "parts");
	kl_ok(kdb_view_release(view));
	kt_check(kl_used(a) == 0, "not freed");
	kl_ok(kdb_name_acquire(b, NAME_B, 0));
	kl_ok(kdb_msg_to_name(msg, NAME_B));
	kl_fails(EMSGSIZE, kdb_send(msg));
	close_pair();
}

KL_TEST(names)
{
	struct kdb_view *view;
	struct kdb_conn *c;

	open_pair(POOL);
	c = kl_open();
	kl_ok(kdb_name_acquire(b, NAME_B, 0));
	kl_ok(kdb_msg_to_name(msg, NAME_B));
	kl_ok(kdb_msg_put(msg, "by name", 7));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kt_check(kl_is(view, "by name") && kdb_view_name(view) &&
		 !strcmp(kdb_view_name(view), NAME_B), "what it was sent to");
	kl_ok(kdb_view_release(view));
	/* the same to another one */
	kdb_msg_to_id(msg, kdb_id(c));
	kl_ok(kdb_send(msg));
	view = kl_recv(c);
	kt_check(kl_is(view, "by name") && !kdb_view_name(view), "to an id");
	kl_ok(kdb_view_release(view));
	kl_close(c);
	close_pair();
}

KL_TEST(activation)
{
	struct kdb_conn *activator, *service, *holder;
	struct kdb_view *view;

	open_pair(POOL);
	kl_ok(kdb_open_path(&activator, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_ACTIVATOR | how, .holds = NAME_A,
			.pool_size = POOL)));
	kl_ok(kdb_msg_to_name(msg, NAME_A));
	kl_ok(kdb_msg_put(msg, "start", 5));
	kdb_msg_set_no_start(msg, 1);
	kl_fails(EADDRNOTAVAIL, kdb_send(msg));
	kl_fails(EAGAIN, kdb_peek(activator, &view));
	kl_fails(EAGAIN, kdb_drop(activator));
	kdb_msg_set_no_start(msg, 0);
	kl_ok(kdb_send(msg));
	kl_ok(kdb_send(msg));
	kl_fails(EOPNOTSUPP, kdb_recv(activator, &view));
	kl_ok(kdb_open_path(&holder, bus.path, KDB_OPTIONS(
			.flags = KDB_OPEN_POLICY_HOLDER, .holds = NAME_B)));
	kl_fails(EOPNOTSUPP, kdb_peek(holder, &view));
	kl_fails(EOPNOTSUPP, kdb_drop(holder));
	kl_close(holder);
	kl_ok(kdb_wait(activator, KDB_NO_DEADLINE));
	kl_ok(kdb_drop(activator));
	kl_ok(kdb_peek(activator, &view));
	kt_check(kl_is(view, "start"), "it is another one");
	kl_ok(kdb_view_release(view));
	service = kl_open();
	kl_ok(kdb_name_acquire(service, NAME_A, 0));
	kl_got(service, "start");
	kl_close(service);
	kl_close(activator);
	close_pair();
}


KL_TEST(replies)
{
	struct kdb_msg *reply;
	struct kdb_view *view, *answer;

	open_pair(POOL);
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	reply = kl_msg(b);
	kl_ok(kdb_msg_put(reply, "pong", 4));
	kl_ok(kdb_reply(view, reply));
	kl_ok(kdb_view_release(view));
	answer = kl_recv(a);
	kt_check(kdb_view_header(answer)->cookie_reply == kdb_msg_cookie(msg) &&
		 kl_is(answer, "pong"), "answer");
	kl_ok(kdb_view_release(answer));
	kl_ok(kdb_send(msg));
	view = kl_recv(b);
	kdb_msg_free(msg);
	kl_close(a);
	kl_fails(ENXIO, kdb_reply(view, reply));
	kl_ok(kdb_view_release(view));
	kdb_msg_free(reply);
	kl_close(b);
}

KT_SUITE("lib-message")
{
	kl_test(header);
	kl_test(cookies_have_32_bits);
	kl_test(payload);
	kl_test(zeros);
	kl_test(large);
	kl_test(file_size);
	kl_test(vecs_of_2_mib);
	kl_test(in_place);
	kl_test(descriptors);
	kl_test(most_descriptors);
	kl_test(refused_files);
	kl_test(unreachable);
	kl_test(parts);
	kl_test(names);
	kl_test(activation);
	kl_test(replies);
}
