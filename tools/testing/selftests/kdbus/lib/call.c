// SPDX-License-Identifier: GPL-2.0-only
/* Requests, replies and names: see call.h */

#include <poll.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "call.h"

u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

u64 in_ms(u64 ms)
{
	return now_ns() + ms * 1000000;
}

/* ------------------------------------------------------------------------ */
/* Requests and replies */

void request_init(struct blob *m, u64 dst, const char *name, u64 cookie,
		  u64 deadline)
{
	msg_init(m, dst, cookie);
	m->msg.flags = EXPECT;
	m->msg.timeout_ns = deadline;
	if (name)
		blob_add_str(m, KDBUS_ITEM_DST_NAME, name);
}

int request(struct conn *c, u64 dst, u64 cookie, u64 deadline)
{
	struct blob m;

	request_init(&m, dst, NULL, cookie, deadline);
	return conn_send(c, &m);
}

int request_name(struct conn *c, const char *name, u64 cookie, u64 deadline)
{
	struct blob m;

	request_init(&m, KDBUS_DST_ID_NAME, name, cookie, deadline);
	return conn_send(c, &m);
}

void reply_init(struct blob *m, u64 dst, u64 cookie_reply)
{
	msg_init(m, dst, cookie_reply + 1000);
	m->msg.cookie_reply = cookie_reply;
}

int reply(struct conn *c, u64 dst, u64 cookie_reply)
{
	struct blob m;

	reply_init(&m, dst, cookie_reply);
	return conn_send(c, &m);
}

int reply_as(uid_t uid, struct conn *c, u64 dst, u64 cookie_reply)
{
	int ret;

	kt_become(uid);
	ret = reply(c, dst, cookie_reply);
	kt_become(0);
	return ret;
}

int send_name(struct conn *c, const char *name, u64 cookie)
{
	struct blob m;

	msg_init(&m, KDBUS_DST_ID_NAME, cookie);
	blob_add_str(&m, KDBUS_ITEM_DST_NAME, name);
	return conn_send(c, &m);
}

bool is_note(const struct kdbus_msg *m, u64 type)
{
	return m->src_id == KDBUS_SRC_ID_KERNEL &&
	       m->size == sizeof(*m) + HDR && m->items[0].type == type;
}

void wait_readable(struct conn *c)
{
	struct pollfd p = { .fd = c->fd, .events = POLLIN };

	kt_assert(poll(&p, 1, 20000) == 1, "no message comes");
	kt_assert(p.revents & POLLIN, "poll: %#x", p.revents);
}

static void check_note(struct conn *c, const struct kdbus_msg *m, u64 type,
		       u64 cookie)
{
	kt_assert(m->size == 88, "size %llu, src %llu, cookie %llu", m->size,
		  m->src_id, m->cookie);
	kt_check(m->flags == 0 && m->kernel_flags == 0, "flags %#llx, %#llx",
		 m->flags, m->kernel_flags);
	kt_check(m->priority == 0, "priority %lld", m->priority);
	kt_check(m->dst_id == c->id && m->src_id == 0, "from %llu to %llu",
		 m->src_id, m->dst_id);
	kt_check(m->payload_type == KDBUS_PAYLOAD_KERNEL, "payload type %#llx",
		 m->payload_type);
	kt_check(m->cookie == 0, "cookie %llu", m->cookie);
	kt_check(m->cookie_reply == cookie, "reply to %llu, not %llu",
		 m->cookie_reply, cookie);
	kt_check(m->items[0].size == HDR && m->items[0].type == type,
		 "item of size %llu, type %#llx instead of %#llx",
		 m->items[0].size, m->items[0].type, type);
}

void expect_note(struct conn *c, u64 type, u64 cookie)
{
	u64 off;

	wait_readable(c);
	check_note(c, conn_recv_msg(c, &off), type, cookie);
	kt_check_ret(conn_free(c, off), 0, "FREE of a notification");
}

void expect_msg(struct conn *c, u64 cookie, u64 cookie_reply)
{
	const struct kdbus_msg *m;
	u64 off;

	m = conn_recv_msg(c, &off);
	kt_check(m->cookie == cookie, "cookie %llu, not %llu", m->cookie,
		 cookie);
	if (!(m->flags & EXPECT))
		kt_check(m->cookie_reply == cookie_reply,
			 "cookie %llu: reply to %llu, not %llu", cookie,
			 m->cookie_reply, cookie_reply);
	kt_check_ret(conn_free(c, off), 0, "FREE");
}

void expect_empty(struct conn *c)
{
	const struct kdbus_msg *m;
	u64 off;
	int ret = conn_recv(c, &off);

	if (ret) {
		kt_check_ret(ret, -EAGAIN, "empty queue");
		return;
	}
	m = conn_msg(c, off);
	kt_check(false, "stray message from %llu, cookies %llu, %llu",
		 m->src_id, m->cookie, m->cookie_reply);
}

u64 fdinfo(const struct conn *c, const char *key)
{
	char path[64], buf[1024];
	const char *line;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", c->fd);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "no %s", path);
	line = strstr(buf, key);
	kt_assert(line, "no %s in %s", key, path);
	return strtoull(line + strlen(key), NULL, 10);
}

u64 pool_used(const struct conn *c)
{
	return fdinfo(c, "pool-used:");
}

/* ------------------------------------------------------------------------ */
/* Synchronous requests */

void call_init(struct call *call, struct conn *c, u64 dst, u64 cookie,
	       u64 deadline)
{
	memset(call, 0, sizeof(*call));
	call->c = c;
	msg_init(&call->m, dst, cookie);
	call->m.msg.flags = SYNC;
	call->m.msg.timeout_ns = deadline;
}

static void *call_thread(void *arg)
{
	struct call *call = arg;

	__atomic_store_n(&call->tid, kt_tid(), __ATOMIC_SEQ_CST);
	call->ret = kt_cmd(call->c->fd, KDBUS_CMD_MSG_SEND, call->msg);
	call->end = now_ns();
	__atomic_store_n(&call->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

void call_run_now(struct call *call)
{
	if (!call->msg)
		call->msg = &call->m.msg;
	call->tid = 0;
	call->done = false;
	call->thread = kt_thread(call_thread, call);
	while (!__atomic_load_n(&call->tid, __ATOMIC_SEQ_CST))
		sched_yield();
}

void call_run(struct call *call)
{
	call_run_now(call);
	kt_wait_asleep(call->tid);
}

void call_start(struct call *call, struct conn *c, u64 dst, u64 cookie,
		u64 deadline)
{
	call_init(call, c, dst, cookie, deadline);
	call_run(call);
}

int call_end(struct call *call)
{
	kt_join(call->thread);
	return call->ret;
}

int cancel(struct conn *c, u64 cookie)
{
	struct kdbus_cmd_cancel cmd = { .cookie = cookie };

	return kt_cmd(c->fd, KDBUS_CMD_MSG_CANCEL, &cmd);
}

/* ------------------------------------------------------------------------ */
/* Names */

int name_cmd(struct conn *c, unsigned long nr, const char *name, u64 *flags)
{
	struct blob b;
	struct kdbus_cmd_name *cmd = (void *)&b;
	int ret;

	blob_init(&b, sizeof(*cmd));
	cmd->flags = *flags;
	b.size = sizeof(*cmd) + HDR + strlen(name) + 1;
	kt_assert(b.size < sizeof(b) - 8, "test bug: long name");
	cmd->items[0].size = HDR + strlen(name) + 1;
	cmd->items[0].type = KDBUS_ITEM_NAME;
	strcpy(cmd->items[0].str, name);
	ret = kt_cmd(c->fd, nr, &b);
	*flags = cmd->flags;
	return ret;
}

int name_acquire(struct conn *c, const char *name, u64 flags)
{
	return name_cmd(c, KDBUS_CMD_NAME_ACQUIRE, name, &flags);
}

int name_release(struct conn *c, const char *name)
{
	u64 flags = 0;

	return name_cmd(c, KDBUS_CMD_NAME_RELEASE, name, &flags);
}

int name_list(struct conn *c, u64 flags, u64 *offset)
{
	struct kdbus_cmd_name_list cmd = {
		.flags = flags, .kernel_flags = 77, .offset = 99,
	};
	int ret = kt_cmd(c->fd, KDBUS_CMD_NAME_LIST, &cmd);

	*offset = cmd.offset;
	return ret;
}

u64 name_owner(struct conn *c, const char *name, u64 *flags)
{
	const struct kdbus_name_list *l;
	u64 off, at, id = 0, as = 0;

	kt_assert_ret(name_list(c, KDBUS_NAME_LIST_NAMES |
				   KDBUS_NAME_LIST_ACTIVATORS, &off), 0,
		      "NAME_LIST");
	l = (const void *)(c->pool + off);
	for (at = 8; at < l->size;) {
		const struct kdbus_name_info *i = (const void *)
			((const u8 *)l + at);

		kt_assert(i->size >= 32 && i->size <= l->size - at,
			  "record of size %llu at %llu of %llu", i->size, at,
			  l->size);
		if (i->size > 32 && !strcmp(i->items[0].str, name)) {
			bool other = i->flags != KDBUS_NAME_ACTIVATOR;

			/* an activator is listed beside the owner */
			kt_check(!id || other != (as != KDBUS_NAME_ACTIVATOR),
				 "%s is listed twice", name);
			if (!id || other) {
				id = i->owner_id;
				as = i->flags;
			}
		}
		at += ALIGN8(i->size);
	}
	if (flags)
		*flags = as;
	kt_check_ret(conn_free(c, off), 0, "FREE of a list");
	return id;
}

static int special_hello(struct conn *c, const struct bus *bus, struct blob *b)
{
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = open_endpoint(bus);
	ret = kt_cmd(c->fd, KDBUS_CMD_HELLO, b);
	if (ret) {
		close(c->fd);
		c->fd = -1;
		return ret;
	}
	c->id = b->hello.id;
	c->pool_size = b->hello.pool_size;
	c->pool = mmap(NULL, c->pool_size, PROT_READ, MAP_PRIVATE, c->fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of a special pool: %m");
	return 0;
}

int special_try_open(struct conn *c, const struct bus *bus, u64 flags,
		     const char *name, u64 pool_size)
{
	struct blob b;

	hello_init(&b, flags, pool_size);
	if (name)
		blob_add_str(&b, KDBUS_ITEM_NAME, name);
	return special_hello(c, bus, &b);
}

void activator_open(struct conn *c, const struct bus *bus, u64 flags,
		    const char *name, u64 pool_size)
{
	kt_assert_ret(special_try_open(c, bus, flags | KDBUS_HELLO_ACTIVATOR,
				       name, pool_size), 0,
		      "HELLO of an activator of %s", name);
}
