// SPDX-License-Identifier: GPL-2.0-only
/* Requests that wait for their reply: see sync-util.h */

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "sync-util.h"

u64 reply_offset(const struct call *c)
{
	return c->msg->offset_reply;
}

void end_replied(struct call *c, u64 cookie_reply)
{
	const struct kdbus_msg *m;

	kt_assert_ret(call_end(c), 0, "synchronous request");
	m = conn_msg(c->c, reply_offset(c));
	kt_check(m->cookie_reply == cookie_reply, "reply to %llu",
		 m->cookie_reply);
	kt_check(m->cookie == 1000 + cookie_reply, "cookie %llu", m->cookie);
	kt_check_ret(conn_free(c->c, reply_offset(c)), 0, "FREE");
	kt_check_ret(conn_free(c->c, reply_offset(c)), -ENXIO, "FREE again");
}

void end_failed(struct call *c, int err)
{
	struct blob *was = malloc(sizeof(*was));

	*was = c->m;
	kt_check_ret(call_end(c), -err, "synchronous request");
	was->msg.kernel_flags = c->m.msg.kernel_flags;
	kt_check(!memcmp(was->raw, c->m.raw, c->m.size),
		 "the message was changed");
	kt_check(c->m.msg.kernel_flags ==
		 (KT_MASK_MSG_SEND | KDBUS_FLAG_KERNEL), "kernel_flags %#llx",
		 c->m.msg.kernel_flags);
	free(was);
}

/* ------------------------------------------------------------------------ */
/* Files */

int reply_with_files(int p[2])
{
	int memfd = kt_memfd(5000, KT_SEALS, 9);
	struct blob r;

	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	reply_init(&r, a.id, 7);
	msg_memfd(&r, memfd, 5000);
	blob_add(&r, KDBUS_ITEM_FDS, p, 2 * sizeof(int));
	kt_check_ret(conn_send(&b, &r), 0, "reply with files");
	return memfd;
}

static void check_pipe(int rd, int wr)
{
	char c = 0;

	kt_check(write(wr, "y", 1) == 1, "write: %m");
	kt_check(read(rd, &c, 1) == 1 && c == 'y', "read: %m");
}

static void check_cloexec(int fd)
{
	kt_check(fcntl(fd, F_GETFD) == FD_CLOEXEC, "descriptor %d", fd);
}

void check_files(u64 offset)
{
	const struct kdbus_msg *m = conn_msg(&a, offset);
	const struct kdbus_item *f = item_find(m, KDBUS_ITEM_FDS, 0);
	const struct kdbus_item *i = item_find(m, KDBUS_ITEM_PAYLOAD_MEMFD, 0);
	u8 *p;

	kt_assert(f && f->size == HDR + 8, "no FDS item");
	kt_assert(i && i->memfd.size == 5000 && i->memfd.__pad == 0,
		  "no memfd item");
	check_cloexec(f->fds[0]);
	check_cloexec(f->fds[1]);
	check_cloexec(i->memfd.fd);
	kt_check(f->fds[0] < f->fds[1] && f->fds[1] < i->memfd.fd,
		 "order %d, %d, %d", f->fds[0], f->fds[1], i->memfd.fd);
	check_pipe(f->fds[0], f->fds[1]);
	p = mmap(NULL, 5000, PROT_READ, MAP_SHARED, i->memfd.fd, 0);
	kt_assert(p != MAP_FAILED, "mmap of the memfd: %m");
	kt_check(kt_filled(p, 5000, 9), "content of the memfd");
}
