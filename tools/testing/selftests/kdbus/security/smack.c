// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files that the security module does not let a receiver have
 *
 * Smack is the one that is told by a label alone, without a policy: whoever has
 * the label of the whole system may not read what has another, unless it is
 * privileged. Run with lsm=yama,smack on the command line.
 */

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "cast.h"

#define POOL		(256 * KIB)
#define SECRET		"kt-secret"
#define SECURITYFS	"/sys/kernel/security"

static struct bus bus;
static struct conn a, b;	/* only b takes descriptors */

static void need_smack(void)
{
	char modules[256];

	mount("securityfs", SECURITYFS, "securityfs", 0, NULL);
	if (kt_read_file(SECURITYFS "/lsm", modules, sizeof(modules)) <= 0 ||
	    !strstr(modules, "smack"))
		kt_skip("Smack does not run");
}

static void prepare(void)
{
	need_smack();
	bus_make(&bus, 0);
	conn_open(&a, &bus, POOL);
	kt_assert_ret(conn_try_open(&b, &bus, KDBUS_HELLO_ACCEPT_FD, POOL), 0,
		      "HELLO");
}

static int label(int fd, const char *xattr)
{
	kt_assert(fd >= 0, "no file: %m");
	kt_assert(!fsetxattr(fd, xattr, SECRET, strlen(SECRET), 0),
		  "set %s: %m", xattr);
	return fd;
}

static int secret_file(void)
{
	char path[] = "/tmp/kt-smack-XXXXXX";
	int fd = mkostemp(path, O_CLOEXEC);

	unlink(path);
	return label(fd, "security.SMACK64");
}

static int secret_memfd(void)
{
	return label(kt_memfd(100, KT_SEALS, 1), "security.SMACK64");
}

static int secret_socket(void)
{
	return label(socket(AF_INET, SOCK_DGRAM, 0), "security.SMACK64IPOUT");
}

static ino_t inode_of(int fd)
{
	struct stat st;

	kt_assert(!fstat(fd, &st), "fstat %d: %m", fd);
	return st.st_ino;
}

/* ------------------------------------------------------------------------ */
/* Over a socket: what is compared with */

static void socket_send(int sock, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { "x", 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *c = CMSG_FIRSTHDR(&m);

	c->cmsg_level = SOL_SOCKET;
	c->cmsg_type = SCM_RIGHTS;
	c->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(c), &fd, sizeof(int));
	kt_assert(sendmsg(sock, &m, 0) == 1, "sendmsg: %m");
}

static bool socket_receives(int sock)
{
	char control[CMSG_SPACE(sizeof(int))] = { 0 };
	char x;
	struct iovec iov = { &x, 1 };
	struct msghdr m = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};

	kt_assert(recvmsg(sock, &m, 0) == 1, "recvmsg: %m");
	return !(m.msg_flags & MSG_CTRUNC);
}

/* ------------------------------------------------------------------------ */

/* a thread of its own gives its privileges up, and takes what there is */
struct taken {
	const struct kdbus_msg *m;
	u64 off;
	int sock;
	bool by_socket;
};

static void *take_plain(void *arg)
{
	struct taken *t = arg;

	kt_drop_caps();
	t->by_socket = socket_receives(t->sock);
	t->m = conn_recv_msg(&b, &t->off);
	return NULL;
}

static void check_one(int fd, bool plain, const char *what)
{
	const struct kdbus_item *item;
	struct taken t;
	struct blob s;
	int p[2];

	kt_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), "socketpair: %m");
	socket_send(p[1], fd);
	msg_init(&s, b.id, 1);
	msg_fds(&s, &fd, 1);
	kt_assert_ret(conn_send(&a, &s), 0, "%s: send", what);
	t.sock = p[0];
	kt_join(kt_thread(take_plain, &t));
	kt_check(t.by_socket == plain, "%s: socket %s it", what,
		 t.by_socket ? "passes" : "refuses");
	item = item_find(t.m, KDBUS_ITEM_FDS, 0);
	kt_check((item->fds[0] >= 0) == plain, "%s: arrives as %d", what,
		 item->fds[0]);
	kt_assert_ret(conn_free(&b, t.off), 0, "free");
	expect_empty(&b);
}

/* the same is refused as over a socket */
START_TEST(as_over_a_socket)
{
	prepare();
	check_one(open("/dev/null", O_RDWR | O_CLOEXEC), true, "/dev/null");
	check_one(secret_file(), false, "a file with another label");
	check_one(secret_socket(), false, "a socket with another label");
}
END_TEST

/* ------------------------------------------------------------------------ */

/* what may be had is had, in its place; nothing is left behind */
START_TEST(others_arrive)
{
	int fds[4] = { 0, -1, 1, -1 }, memfds[2];
	const struct kdbus_item *item;
	unsigned int before;
	struct taken t;
	struct blob s;
	int p[2];

	prepare();
	fds[1] = secret_file();
	fds[3] = secret_socket();
	memfds[0] = secret_memfd();
	memfds[1] = kt_memfd(100, KT_SEALS, 2);
	kt_assert(!socketpair(AF_UNIX, SOCK_SEQPACKET, 0, p), "socketpair: %m");
	socket_send(p[1], 0);
	msg_init(&s, b.id, 1);
	msg_memfd(&s, memfds[0], 100);
	msg_memfd(&s, memfds[1], 100);
	msg_fds(&s, fds, 4);
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	kt_assert_ret(conn_send_bytes(&a, b.id, 2, "x", 1), 0, "send");
	before = kt_count_fds();
	t.sock = p[0];
	kt_join(kt_thread(take_plain, &t));

	item = item_find(t.m, KDBUS_ITEM_FDS, 0);
	kt_check(inode_of(item->fds[0]) == inode_of(0), "the first");
	kt_check(item->fds[1] == -1, "the second is %d", item->fds[1]);
	kt_check(inode_of(item->fds[2]) == inode_of(1), "the third");
	kt_check(item->fds[3] == -1, "the fourth is %d", item->fds[3]);
	kt_check(fcntl(item->fds[2], F_GETFD) == FD_CLOEXEC, "close-on-exec");
	item = item_find(t.m, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	kt_check(item->memfd.fd == -1, "the first memfd is %d", item->memfd.fd);
	item = item_find(t.m, KDBUS_ITEM_PAYLOAD_MEMFD, 1);
	kt_check(inode_of(item->memfd.fd) == inode_of(memfds[1]),
		 "the second memfd");
	/* and one over the socket */
	kt_check(kt_count_fds() == before + 4, "%u descriptors, not %u",
		 kt_count_fds(), before + 4);
	kt_assert_ret(conn_free(&b, t.off), 0, "free");
	expect_msg(&b, 2, 0);
}
END_TEST

/* privileged receivers may have anything */
START_TEST(privileged)
{
	const struct kdbus_msg *m;
	int fd;
	struct blob s;

	prepare();
	fd = secret_file();
	msg_init(&s, b.id, 1);
	msg_fds(&s, &fd, 1);
	kt_assert_ret(conn_send(&a, &s), 0, "send");
	m = conn_recv_msg(&b, NULL);
	kt_check(inode_of(item_find(m, KDBUS_ITEM_FDS, 0)->fds[0]) ==
		 inode_of(fd), "another file");
}
END_TEST

static void *ask_plain(void *arg)
{
	kt_drop_caps();
	kt_assert_ret(conn_send(&b, arg), 0, "call");
	return NULL;
}

/* an answer comes without being received */
START_TEST(answers)
{
	const struct kdbus_item *item;
	int fds[2] = { 0, -1 };
	pthread_t thread;
	struct blob q, s;

	prepare();
	fds[1] = secret_file();
	request_init(&q, a.id, NULL, 5, NEVER);
	q.msg.flags = SYNC;
	thread = kt_thread(ask_plain, &q);
	wait_readable(&a);
	expect_msg(&a, 5, 0);
	reply_init(&s, b.id, 5);
	msg_fds(&s, fds, 2);
	kt_assert_ret(conn_send(&a, &s), 0, "reply");
	kt_join(thread);
	item = item_find(conn_msg(&b, q.msg.offset_reply), KDBUS_ITEM_FDS, 0);
	kt_check(inode_of(item->fds[0]) == inode_of(0), "the first");
	kt_check(item->fds[1] == -1, "the second is %d", item->fds[1]);
}
END_TEST

KT_SUITE("smack")
{
	kt_test(as_over_a_socket);
	kt_test(others_arrive);
	kt_test(privileged);
	kt_test(answers);
}
