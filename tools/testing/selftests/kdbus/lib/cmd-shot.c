// SPDX-License-Identifier: GPL-2.0-only
/* Every command once, with an argument with which it succeeds */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cast.h"
#include "cmd-shot.h"

#define POOL		(64 * KIB)
#define GARBAGE		0xa5a5a5a5a5a5a5a5ULL
#define COOKIE		7
#define NAME		"com.example.shot"

void put64(void *p, size_t at, u64 value)
{
	memcpy((u8 *)p + at, &value, 8);
}

u64 get64(const void *p, size_t at)
{
	u64 value;

	memcpy(&value, (const u8 *)p + at, 8);
	return value;
}

/* ------------------------------------------------------------------------ */
/* What makes each of them succeed, and what makes it fail late */

static void late(struct shot *s, int err)
{
	s->late = s->good;
	s->late_err = err;
}

static void load_bus_make(struct shot *s)
{
	char name[64];

	s->fd = open_control();
	bus_name(name, sizeof(name));
	make_std(&s->good, 0, name);
	make_std(&s->late, 0, "no-uid");
	s->late_err = EINVAL;
}

static void load_domain_make(struct shot *s)
{
	char name[64];

	s->fd = open_control();
	bus_name(name, sizeof(name));
	make_init(&s->good, 0);
	late(s, EBADMSG);
	blob_add_str(&s->good, KDBUS_ITEM_MAKE_NAME, name);
}

static void endpoint_make_init(struct blob *b)
{
	char name[64];

	bus_name(name, sizeof(name));
	make_init(b, 0);
	blob_add_str(b, KDBUS_ITEM_MAKE_NAME, name);
}

static void load_endpoint_make(struct shot *s)
{
	s->fd = open_endpoint(&s->bus);
	endpoint_make_init(&s->good);
	make_init(&s->late, 0);
	blob_add_str(&s->late, KDBUS_ITEM_MAKE_NAME, "bus");
	s->late_err = EEXIST;
}

static void load_endpoint_update(struct shot *s)
{
	struct kdbus_policy_access access = {
		.type = KDBUS_POLICY_ACCESS_WORLD, .access = KDBUS_POLICY_TALK,
	};
	struct blob b;

	s->fd = open_endpoint(&s->bus);
	endpoint_make_init(&b);
	kt_assert_ret(kt_cmd(s->fd, KDBUS_CMD_ENDPOINT_MAKE, &b), 0,
		      "ENDPOINT_MAKE");
	blob_init(&s->good, sizeof(struct kdbus_cmd_update));
	late(s, EINVAL);
	/* access to what? */
	blob_add(&s->late, KDBUS_ITEM_POLICY_ACCESS, &access, sizeof(access));
	blob_add_str(&s->good, KDBUS_ITEM_NAME, NAME);
	blob_add(&s->good, KDBUS_ITEM_POLICY_ACCESS, &access, sizeof(access));
}

static void load_hello(struct shot *s)
{
	s->fd = open_endpoint(&s->bus);
	hello_init(&s->good, 0, POOL);
	late(s, EFAULT);
	s->late.hello.pool_size = 17;
}

static void connect_shot(struct shot *s)
{
	conn_open(&s->conn, &s->bus, POOL);
	s->fd = s->conn.fd;
}

static void load_send(struct shot *s)
{
	connect_shot(s);
	msg_init(&s->good, s->conn.id, 1);
	msg_vec(&s->good, "hello", 5);
	late(s, ENXIO);
	s->late.msg.dst_id = 1 << 20;
}

static void load_recv(struct shot *s)
{
	connect_shot(s);
	kt_assert_ret(conn_send_bytes(&s->conn, s->conn.id, 1, "x", 1), 0,
		      "send");
	memset(&s->good, 0, sizeof(struct kdbus_cmd_recv));
	late(s, EINVAL);
	put64(&s->late, offsetof(struct kdbus_cmd_recv, offset), 8);
}

static void load_cancel(struct shot *s)
{
	connect_shot(s);
	conn_open(&s->peer, &s->bus, POOL);
	call_start(&s->call, &s->conn, s->peer.id, COOKIE, NEVER);
	memset(&s->good, 0, sizeof(struct kdbus_cmd_cancel));
	put64(&s->good, 0, COOKIE);
	late(s, ENOENT);
	put64(&s->late, 0, COOKIE + 1);
}

static void load_free(struct shot *s)
{
	u64 off;

	load_recv(s);
	conn_recv_msg(&s->conn, &off);
	memset(&s->good, 0, sizeof(struct kdbus_cmd_free));
	put64(&s->good, 0, off);
	late(s, ENXIO);
	put64(&s->late, 0, off + 4);
}

static void load_name_acquire(struct shot *s)
{
	connect_shot(s);
	blob_init(&s->good, sizeof(struct kdbus_cmd_name));
	late(s, EINVAL);
	blob_add_str(&s->good, KDBUS_ITEM_NAME, NAME);
	blob_add_str(&s->late, KDBUS_ITEM_NAME, "com.example.*");
}

static void load_name_release(struct shot *s)
{
	load_name_acquire(s);
	kt_assert_ret(name_acquire(&s->conn, NAME, 0), 0, "NAME_ACQUIRE");
}

static void load_name_list(struct shot *s)
{
	connect_shot(s);
	memset(&s->good, 0, sizeof(struct kdbus_cmd_name_list));
	put64(&s->good, 0, KDBUS_NAME_LIST_UNIQUE);
}

static void load_creator_info(struct shot *s)
{
	connect_shot(s);
	blob_init(&s->good, sizeof(struct kdbus_cmd_info));
}

static void load_conn_info(struct shot *s)
{
	load_creator_info(s);
	put64(&s->good, offsetof(struct kdbus_cmd_info, id), s->conn.id);
	late(s, ENXIO);
	put64(&s->late, offsetof(struct kdbus_cmd_info, id), 1 << 20);
}

static void load_conn_update(struct shot *s)
{
	u64 attach = KDBUS_ATTACH_TIMESTAMP;

	connect_shot(s);
	blob_init(&s->good, sizeof(struct kdbus_cmd_update));
	blob_add(&s->good, KDBUS_ITEM_ATTACH_FLAGS, &attach, sizeof(attach));
	late(s, EOPNOTSUPP);
	blob_add_str(&s->late, KDBUS_ITEM_NAME, NAME);
}

static void load_match_add(struct shot *s)
{
	connect_shot(s);
	match_init(&s->good, COOKIE, 0);
	late(s, EDOM);
	rule_id(&s->good, ANY);
	rule_bit(&s->late, KT_BLOOM_SIZE - 8, 0);
}

static void load_match_remove(struct shot *s)
{
	connect_shot(s);
	match_init(&s->good, COOKIE, 0);
	kt_assert_ret(match_add(&s->conn, &s->good), 0, "MATCH_ADD");
	match_init(&s->late, COOKIE + 1, 0);
	s->late_err = ENOENT;
}

static const struct {
	unsigned long nr;
	void (*load)(struct shot *s);
} loaders[] = {
	{ KDBUS_CMD_BUS_MAKE, load_bus_make },
	{ KDBUS_CMD_DOMAIN_MAKE, load_domain_make },
	{ KDBUS_CMD_ENDPOINT_MAKE, load_endpoint_make },
	{ KDBUS_CMD_ENDPOINT_UPDATE, load_endpoint_update },
	{ KDBUS_CMD_HELLO, load_hello },
	{ KDBUS_CMD_MSG_SEND, load_send },
	{ KDBUS_CMD_MSG_RECV, load_recv },
	{ KDBUS_CMD_MSG_CANCEL, load_cancel },
	{ KDBUS_CMD_FREE, load_free },
	{ KDBUS_CMD_NAME_ACQUIRE, load_name_acquire },
	{ KDBUS_CMD_NAME_RELEASE, load_name_release },
	{ KDBUS_CMD_NAME_LIST, load_name_list },
	{ KDBUS_CMD_CONN_INFO, load_conn_info },
	{ KDBUS_CMD_BUS_CREATOR_INFO, load_creator_info },
	{ KDBUS_CMD_CONN_UPDATE, load_conn_update },
	{ KDBUS_CMD_MATCH_ADD, load_match_add },
	{ KDBUS_CMD_MATCH_REMOVE, load_match_remove },
};

void shot_load(struct shot *s, const struct kt_cmd *cmd)
{
	size_t i = 0;

	while (loaders[i].nr != cmd->nr)
		kt_assert(++i < ARRAY_SIZE(loaders), "test bug: no loader of %s",
			  cmd->name);
	s->cmd = cmd;
	s->conn.pool = NULL;
	s->late_err = 0;
	loaders[i].load(s);
	s->len = cmd->max ? s->good.size : cmd->min;
	if (cmd->kernel_flags) {
		put64(&s->good, cmd->kernel_flags, GARBAGE);
		put64(&s->late, cmd->kernel_flags, GARBAGE);
	}
}

void shot_unload(struct shot *s)
{
	if (s->cmd->nr == KDBUS_CMD_MSG_CANCEL) {
		cancel(&s->conn, COOKIE);
		kt_check_ret(call_end(&s->call), -ECANCELED, "the request");
		conn_close(&s->peer);
	}
	if (s->conn.pool)
		conn_close(&s->conn);
	else
		close(s->fd);
}

int shot_fire(struct shot *s, const void *arg)
{
	return kt_cmd(s->fd, s->cmd->nr, arg);
}

/* ------------------------------------------------------------------------ */
/* The traces that a call leaves */

static void check_no_timestamp(struct shot *s, const char *what)
{
	const struct kdbus_msg *m;
	u64 off;

	kt_assert_ret(conn_send_bytes(&s->conn, s->conn.id, 1, "x", 1), 0,
		      "send");
	m = conn_recv_msg(&s->conn, &off);
	kt_check(!item_find(m, KDBUS_ITEM_TIMESTAMP, 0),
		 "CONN_UPDATE: %s: had an effect", what);
	kt_assert_ret(conn_free(&s->conn, off), 0, "FREE");
}

static void check_no_trace(struct shot *s, const char *what)
{
	const char *name = s->cmd->name;

	switch (s->cmd->nr) {
	case KDBUS_CMD_MSG_SEND:
		kt_check_ret(conn_recv(&s->conn, NULL), -EAGAIN,
			     "%s: %s queued a message all the same", name,
			     what);
		break;
	case KDBUS_CMD_MATCH_ADD:
		kt_check_ret(match_remove(&s->conn, COOKIE), -ENOENT,
			     "%s: %s added one all the same", name, what);
		break;
	case KDBUS_CMD_NAME_LIST:
	case KDBUS_CMD_CONN_INFO:
	case KDBUS_CMD_BUS_CREATOR_INFO:
		kt_check(!pool_used(&s->conn), "%s: %s left something", name,
			 what);
		break;
	case KDBUS_CMD_CONN_UPDATE:
		check_no_timestamp(s, what);
		break;
	}
}

void shot_check_good(struct shot *s, const char *what)
{
	const char *name = s->cmd->name;

	/* most of the others cannot succeed twice */
	check_no_trace(s, what);
	kt_check_ret(shot_fire(s, &s->good), 0, "%s: afterwards (%s)", name,
		     what);
	if (s->cmd->nr == KDBUS_CMD_MSG_SEND)
		kt_check(conn_drain(&s->conn) == 1, "%s: stray messages (%s)",
			 name, what);
}

void shot_each(void (*fn)(struct shot *s))
{
	struct shot *s = calloc(1, sizeof(*s));
	unsigned int i;

	bus_make(&s->bus, 0);
	for (i = 0; i < kt_n_cmds; i++) {
		shot_load(s, &kt_cmds[i]);
		fn(s);
		shot_unload(s);
	}
	free(s);
}
