// SPDX-License-Identifier: GPL-2.0-only
/* Names, information, and processes, as sd-bus has them: see sd-util.h */

#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "sd-util.h"

int sd_name(struct conn *c, unsigned long nr, const char *name, u64 *flags)
{
	struct kdbus_cmd_name *cmd;
	struct blob b;
	int ret;

	blob_init(&b, sizeof(*cmd));
	cmd = (void *)&b;
	cmd->flags = *flags;
	blob_add_str(&b, KDBUS_ITEM_NAME, name);
	ret = kt_cmd(c->fd, nr, &b);
	*flags = cmd->flags;
	return ret;
}

int sd_request_name(struct conn *c, const char *name, u64 flags)
{
	int ret = sd_name(c, KDBUS_CMD_NAME_ACQUIRE, name, &flags);

	if (ret)
		return ret;
	return flags & KDBUS_NAME_IN_QUEUE ? 0 : 1;
}

int sd_release_name(struct conn *c, const char *name)
{
	u64 flags = 0;

	return sd_name(c, KDBUS_CMD_NAME_RELEASE, name, &flags);
}

int sd_info(struct conn *c, u64 id, const char *name, u64 flags, u64 *off)
{
	struct kdbus_cmd_info *cmd;
	struct blob b;
	int ret;

	blob_init(&b, sizeof(*cmd));
	cmd = (void *)&b;
	cmd->flags = flags;
	cmd->id = id;
	if (name)
		blob_add_str(&b, KDBUS_ITEM_NAME, name);
	ret = kt_cmd(c->fd, KDBUS_CMD_CONN_INFO, &b);
	kt_check(cmd->flags == flags && cmd->id == id, "inputs changed");
	*off = cmd->offset;
	return ret;
}

int sd_creator(struct conn *c, u64 *off)
{
	struct kdbus_cmd_info cmd = { .size = sizeof(cmd) };
	int ret = kt_cmd(c->fd, KDBUS_CMD_BUS_CREATOR_INFO, &cmd);

	*off = cmd.offset;
	return ret;
}

const struct kdbus_info *sd_info_at(const struct conn *c, u64 off)
{
	const struct kdbus_info *i = (const void *)(c->pool + off);

	kt_assert(!(off & 7) && off < c->pool_size, "offset %llu", off);
	kt_assert(i->size >= sizeof(*i) && i->size <= c->pool_size - off,
		  "size %llu", i->size);
	return i;
}

const struct kdbus_item *sd_info_item(const struct kdbus_info *i, u64 type,
				      unsigned int nth)
{
	const struct kdbus_item *item;
	size_t at;

	for (at = sizeof(*i); at < i->size; at += ALIGN8(item->size)) {
		item = (const void *)((const u8 *)i + at);
		kt_assert(item->size >= HDR && item->size <= i->size - at,
			  "item of size %llu at %zu of %llu", item->size, at,
			  i->size);
		if (item->type == type && !nth--)
			return item;
	}
	return NULL;
}

static u32 epoll_in(int fd, int timeout)
{
	struct epoll_event e = { .events = EPOLLIN };
	int ep = epoll_create1(EPOLL_CLOEXEC);
	u32 got = 0;

	if (ep < 0 || epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e))
		return ~0U;
	if (epoll_wait(ep, &e, 1, timeout) == 1)
		got = e.events;
	close(ep);
	return got;
}

u32 sd_epoll(int fd)
{
	return epoll_in(fd, 0);
}

/* ------------------------------------------------------------------------ */
/* A second life of this program; nothing of the test environment is there */

#define ENV	"KDBUS_TEST_SD"
#define KEPT	3

static int again_wait(void)
{
	char c;

	return read(0, &c, 1) ? EIO : 0;
}

static int again_drop(void)
{
	struct kdbus_cmd_recv r = { .flags = KDBUS_RECV_DROP };

	return ioctl(KEPT, KDBUS_CMD_MSG_RECV, &r) ? errno : 0;
}

static int again_poll(void)
{
	return epoll_in(KEPT, 20000) == EPOLLIN ? 0 : EIO;
}

static int again_grant(void)
{
	const struct kdbus_policy_access p = {
		.type = KDBUS_POLICY_ACCESS_USER, .id = SD_SERVICE,
		.access = KDBUS_POLICY_OWN,
	};
	static struct {
		struct kdbus_cmd_update cmd;
		u64 size, type;
		char name[24];
		u64 size2, type2;
		struct kdbus_policy_access p;
	} u;

	u.cmd.size = sizeof(u);
	u.size = HDR + sizeof(SD_NAME);
	u.type = KDBUS_ITEM_NAME;
	strcpy(u.name, SD_NAME);
	u.size2 = HDR + sizeof(p);
	u.type2 = KDBUS_ITEM_POLICY_ACCESS;
	u.p = p;
	return ioctl(KEPT, KDBUS_CMD_ENDPOINT_UPDATE, &u) ? errno : 0;
}

static const struct {
	const char *what;
	int (*fn)(void);
} lives[] = {
	{ "wait", again_wait }, { "drop", again_drop },
	{ "poll", again_poll }, { "grant", again_grant },
};

static void __attribute__((__constructor__)) again(void)
{
	const char *what = getenv(ENV);
	size_t i;

	for (i = 0; what && i < ARRAY_SIZE(lives); i++)
		if (!strcmp(what, lives[i].what))
			_exit(lives[i].fn());
}

static void run_again(const char *what, int keep, int in)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	/* dup2() clears close-on-exec */
	if (in == KEPT)
		in = dup(in);
	if (keep == KEPT)
		fcntl(keep, F_SETFD, 0);
	else
		dup2(keep, KEPT);
	dup2(in, 0);
	close_range(KEPT + 1, ~0U, 0);
	setenv(ENV, what, 1);
	execl("/proc/self/exe", "kdbus-test", NULL);
	_exit(127);
}

pid_t sd_exec(const char *what, int keep, int *input)
{
	int p[2];
	pid_t pid;

	kt_assert(!pipe2(p, O_CLOEXEC), "pipe: %m");
	pid = fork();
	kt_assert(pid >= 0, "fork: %m");
	if (!pid)
		run_again(what, keep, p[0]);
	close(p[0]);
	if (input)
		*input = p[1];
	else
		close(p[1]);
	return pid;
}
