// SPDX-License-Identifier: GPL-2.0-only
/* The calls there are, their words, and the items that belong to them. */

#include <string.h>

#include "fuzz.h"

#define SIZE		{ F_SIZE }
#define FLAGS(m)	{ F_FLAGS, (m) }
#define ZERO		{ F_ZERO }
#define ATTACH		{ F_BITS, _KDBUS_ATTACH_ALL }

const struct item_info item_infos[] = {
	{ "vec", KDBUS_ITEM_PAYLOAD_VEC, 2, .fields = { { F_LEN }, { F_ADDR } } },
	{ "off", KDBUS_ITEM_PAYLOAD_OFF, 2, .fields = { { F_LEN }, { F_OFFSET } } },
	{ "memfd", KDBUS_ITEM_PAYLOAD_MEMFD, 2,
		.fields = { { F_LEN }, { F_FD } } },
	{ "fds", KDBUS_ITEM_FDS, 1, .half = true, .list = true,
		.fields = { { F_FD } } },
	{ "bloom-parameter", KDBUS_ITEM_BLOOM_PARAMETER, 2,
		.fields = { { F_LEN }, { F_SMALL, 4 } } },
	{ "bloom-filter", KDBUS_ITEM_BLOOM_FILTER, 2, .list = true,
		.fields = { { F_SMALL, 3 }, { F_BITS, ~0ULL } } },
	{ "bloom-mask", KDBUS_ITEM_BLOOM_MASK, 1, .list = true,
		.fields = { { F_BITS, ~0ULL } } },
	{ "dst-name", KDBUS_ITEM_DST_NAME, .str = true },
	{ "make-name", KDBUS_ITEM_MAKE_NAME, .str = true },
	{ "attach", KDBUS_ITEM_ATTACH_FLAGS, 1, .fields = { ATTACH } },
	{ "attach-send", KDBUS_ITEM_ATTACH_FLAGS_SEND, 1, .fields = { ATTACH } },
	{ "attach-required", KDBUS_ITEM_ATTACH_FLAGS_REQUIRED, 1,
		.fields = { ATTACH } },
	{ "attach-owner", KDBUS_ITEM_ATTACH_FLAGS_OWNER, 1, .fields = { ATTACH } },
	{ "free", KDBUS_ITEM_FREE, 1, .fields = { { F_OFFSET } } },
	{ "name", KDBUS_ITEM_NAME, .str = true },
	{ "id", KDBUS_ITEM_ID, 1, .fields = { { F_ID } } },
	{ "timestamp", KDBUS_ITEM_TIMESTAMP, 3, .fields = { { F_SMALL, 9 } } },
	{ "creds", KDBUS_ITEM_CREDS, 5,
		.fields = { { F_UID }, { F_UID }, { F_SMALL, 99 }, { F_ZERO } } },
	{ "auxgroups", KDBUS_ITEM_AUXGROUPS, 1, .list = true,
		.fields = { { F_UID } } },
	{ "pid-comm", KDBUS_ITEM_PID_COMM, .str = true },
	{ "exe", KDBUS_ITEM_EXE, .str = true },
	{ "seclabel", KDBUS_ITEM_SECLABEL, .str = true },
	{ "conn-name", KDBUS_ITEM_CONN_NAME, .str = true },
	{ "policy", KDBUS_ITEM_POLICY_ACCESS, 3, .fields = {
		{ F_SMALL, 5 }, { F_SMALL, 4 }, { F_UID } } },
	{ "name-add", KDBUS_ITEM_NAME_ADD, 4, .str = true,
		.fields = { { F_ID }, { F_ZERO }, { F_ID }, { F_ZERO } } },
	{ "name-remove", KDBUS_ITEM_NAME_REMOVE, 4, .str = true,
		.fields = { { F_ID }, { F_ZERO }, { F_ID }, { F_ZERO } } },
	{ "name-change", KDBUS_ITEM_NAME_CHANGE, 4, .str = true,
		.fields = { { F_ID }, { F_ZERO }, { F_ID }, { F_ZERO } } },
	{ "id-add", KDBUS_ITEM_ID_ADD, 2, .fields = { { F_ID }, { F_ZERO } } },
	{ "id-remove", KDBUS_ITEM_ID_REMOVE, 2,
		.fields = { { F_ID }, { F_ZERO } } },
	{ "reply-timeout", KDBUS_ITEM_REPLY_TIMEOUT, 0 },
	{ "reply-dead", KDBUS_ITEM_REPLY_DEAD, 0 },
};

const unsigned int n_item_infos = ARRAY_SIZE(item_infos);

#define MAKE	SIZE, FLAGS(0x3 | KDBUS_EXT_ATTACH), ZERO
#define NAME	SIZE, FLAGS(0x7), ZERO
#define INFO	SIZE, ATTACH, ZERO, { F_ID }, ZERO
#define UPDATE	SIZE, FLAGS(KDBUS_EXT_ATTACH), ZERO

const struct op_info ops[] = {
	{ "open-control", O_OPEN_CONTROL, S_NONE, S_CONTROL, 3, .n = 1,
		.fields = { { F_SMALL, 2 } } },
	{ "open-bus", O_OPEN_BUS, S_NONE, S_ENDPOINT, 12, .n = 1,
		.fields = { { F_SMALL, 4 } } },
	{ "close", O_CLOSE, S_CONN, S_NONE, 3, .moves = true },
	{ "end", O_CLOSE, S_EP_OWNER, S_NONE, 3, .moves = true },
	{ "dup", O_DUP, S_CONN, S_NONE, 1, .n = 1,
		.fields = { { F_SMALL, N_SLOTS } } },
	{ "mmap", O_MMAP, S_CONN, S_NONE, 8, .n = 2,
		.fields = { { F_POOL }, { F_SMALL, 4 } } },
	{ "poll", O_POLL, S_CONN, S_NONE, 4, .n = 1,
		.fields = { { F_SMALL, 4 } } },
	{ "memfd", O_MEMFD, S_NONE, S_FILE, 4, .n = 2,
		.fields = { { F_LEN }, { F_SMALL, 16 } } },
	{ "pipe", O_PIPE, S_NONE, S_FILE, 2 },
	{ "kick", O_KICK, S_NONE, S_NONE, 2, .n = 1,
		.fields = { { F_SMALL, N_THREADS } }, .moves = true },
	{ "scribble", O_SCRIBBLE, S_NONE, S_NONE, 1, .n = 1,
		.fields = { { F_SMALL, 4000 } } },
	{ "unmap", O_UNMAP, S_CONN, S_NONE, 2, .moves = true },
	{ "dontneed", O_DONTNEED, S_CONN, S_NONE, 3, .n = 2,
		.fields = { { F_SMALL, 65536 }, { F_POOL } }, .moves = true },
	{ "fill", O_FILL, S_NONE, S_NONE, 5, .n = 3,
		.fields = { { F_SMALL, N_THREADS }, { F_STALL }, { F_SMALL, 2 } } },
	{ "unfill", O_UNFILL, S_NONE, S_NONE, 2, .n = 2,
		.fields = { { F_SMALL, N_THREADS }, { F_STALL } } },
	{ "pause", O_PAUSE, S_NONE, S_NONE, 1, .n = 1,
		.fields = { { F_SMALL, 2000 } } },
	{ "again", O_AGAIN, S_NONE, S_NONE, 3, .n = 3,
		.fields = { { F_SMALL, 6 }, { F_SMALL, 40 }, { F_SMALL, 2 } } },
	{ "idle", O_IDLE, S_NONE, S_NONE, 1, .n = 1,
		.fields = { { F_SMALL, 2 } } },
	{ "fsuid", O_FSUID, S_NONE, S_NONE, 2, .n = 1,
		.fields = { { F_UID } }, .moves = true },

	{ "bus-make", O_IOCTL, S_CONTROL, S_OWNER, 2, KDBUS_CMD_BUS_MAKE, 3,
		{ MAKE },
		.items = "make-name bloom-parameter attach-required attach-owner" },
	{ "domain-make", O_IOCTL, S_CONTROL, S_OWNER, 2, KDBUS_CMD_DOMAIN_MAKE, 3,
		{ MAKE }, .items = "make-name" },
	{ "endpoint-make", O_IOCTL, S_ENDPOINT, S_EP_OWNER, 3,
		KDBUS_CMD_ENDPOINT_MAKE, 3, { MAKE },
		.items = "make-name name policy" },
	{ "hello", O_IOCTL, S_ENDPOINT, S_CONN, 20, KDBUS_CMD_HELLO, 11,
		{ SIZE, FLAGS(0xf | KDBUS_EXT_ATTACH | KDBUS_HELLO_EXT_RESERVE),
		  ZERO, ATTACH, ZERO, ZERO,
		  { F_POOL }, ZERO, ZERO, ZERO, ZERO }, .id = 5,
		.items = "name policy conn-name creds seclabel attach-send" },
	{ "byebye", O_IOCTL, S_CONN, S_NONE, 2, KDBUS_CMD_BYEBYE,
		.moves = true },
	{ "send", O_IOCTL, S_CONN, S_NONE, 40, KDBUS_CMD_MSG_SEND, 9,
		{ SIZE, FLAGS(0x7), ZERO, { F_PRIORITY }, { F_DST }, ZERO,
		  { F_PAYLOAD }, { F_COOKIE }, { F_TIMEOUT } }, .offset = 8,
		.items = "vec vec vec memfd fds dst-name bloom-filter" },
	{ "recv", O_IOCTL, S_CONN, S_NONE, 24, KDBUS_CMD_MSG_RECV, 4,
		{ FLAGS(0x7), ZERO, { F_PRIORITY }, ZERO }, .offset = 3,
		.moves = true },
	{ "turn", O_IOCTL, S_CONN, S_NONE, 8, KDBUS_CMD_MSG_SEND, 9,
		{ SIZE, FLAGS(0x7 | KDBUS_MSG_EXT_RECV | KDBUS_MSG_EXT_FREE),
		  ZERO, { F_PRIORITY }, { F_DST }, ZERO, { F_PAYLOAD },
		  { F_COOKIE }, { F_TIMEOUT } }, .offset = 8,
		.items = "vec free free dst-name" },
	{ "recv-wait", O_IOCTL, S_CONN, S_NONE, 6, KDBUS_CMD_MSG_RECV, 4,
		{ FLAGS(0x7 | KDBUS_RECV_EXT_WAIT | KDBUS_RECV_EXT_FREE), ZERO,
		  { F_PRIORITY }, { F_OFFSET } }, .offset = 3 },
	{ "cancel", O_IOCTL, S_CONN, S_NONE, 4, KDBUS_CMD_MSG_CANCEL, 2,
		{ { F_COOKIE }, FLAGS(0) }, .moves = true },
	{ "free", O_IOCTL, S_CONN, S_NONE, 14, KDBUS_CMD_FREE, 3,
		{ { F_OFFSET }, FLAGS(0), ZERO }, .moves = true },
	{ "name-acquire", O_IOCTL, S_CONN, S_NONE, 12, KDBUS_CMD_NAME_ACQUIRE, 3,
		{ NAME }, .items = "name", .moves = true },
	{ "name-release", O_IOCTL, S_CONN, S_NONE, 5, KDBUS_CMD_NAME_RELEASE, 3,
		{ NAME }, .items = "name", .moves = true },
	{ "name-list", O_IOCTL, S_CONN, S_NONE, 5, KDBUS_CMD_NAME_LIST, 3,
		{ FLAGS(0xf), ZERO, ZERO }, .offset = 2 },
	{ "conn-info", O_IOCTL, S_CONN, S_NONE, 6, KDBUS_CMD_CONN_INFO, 5,
		{ INFO }, .offset = 4, .items = "name" },
	{ "conn-update", O_IOCTL, S_CONN, S_NONE, 5, KDBUS_CMD_CONN_UPDATE, 3,
		{ UPDATE }, .items = "attach attach-send name policy",
		.moves = true },
	{ "creator-info", O_IOCTL, S_CONN, S_NONE, 2, KDBUS_CMD_BUS_CREATOR_INFO,
		5, { INFO }, .offset = 4, .items = "name" },
	{ "endpoint-update", O_IOCTL, S_EP_OWNER, S_NONE, 4,
		KDBUS_CMD_ENDPOINT_UPDATE, 3, { UPDATE }, .items = "name policy",
		.moves = true },
	{ "match-add", O_IOCTL, S_CONN, S_NONE, 12, KDBUS_CMD_MATCH_ADD, 4,
		{ SIZE, { F_COOKIE }, FLAGS(0x1), ZERO },
		.items = "bloom-mask id name name-add name-remove name-change id-add id-remove" },
	{ "match-remove", O_IOCTL, S_CONN, S_NONE, 4, KDBUS_CMD_MATCH_REMOVE, 4,
		{ SIZE, { F_COOKIE }, FLAGS(0), ZERO }, .moves = true },
	{ "unknown", O_IOCTL, S_CONN, S_NONE, 1,
		_IOWR(KDBUS_IOCTL_MAGIC, 0x40, struct kdbus_cmd_free), 3,
		{ SIZE, FLAGS(0), ZERO } },
};

const unsigned int n_ops = ARRAY_SIZE(ops);

const char *const place_names[N_PLACES] = {
	[P_PLAIN] = "plain",
	[P_GUARD] = "guard",
	[P_CUT] = "cut",
	[P_ODD] = "odd",
	[P_CONST] = "const",
	[P_NULL] = "null",
	[P_SHARED] = "shared",
	[P_STALL] = "stall",
};

const struct item_info *item_info(u64 type)
{
	unsigned int i;

	for (i = 0; i < n_item_infos; i++)
		if (item_infos[i].type == type)
			return &item_infos[i];
	return NULL;
}

const struct item_info *item_info_named(const char *name, size_t len)
{
	unsigned int i;

	for (i = 0; i < n_item_infos; i++)
		if (!strncmp(item_infos[i].name, name, len) &&
		    !item_infos[i].name[len])
			return &item_infos[i];
	return NULL;
}
