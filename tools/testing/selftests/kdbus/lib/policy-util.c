// SPDX-License-Identifier: GPL-2.0-only
/* Policies, custom endpoints, users: see policy-util.h */

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>


#include "policy-util.h"

/* calls of one thread only, unlike those of the library */
#ifdef SYS_setresuid32
#define NR_SETRESUID	SYS_setresuid32
#define NR_SETRESGID	SYS_setresgid32
#define NR_SETGROUPS	SYS_setgroups32
#else
#define NR_SETRESUID	SYS_setresuid
#define NR_SETRESGID	SYS_setresgid
#define NR_SETGROUPS	SYS_setgroups
#endif

/* ------------------------------------------------------------------------ */
/* Policies */

void policy_access(struct blob *b, u64 type, u64 level, u64 id)
{
	struct kdbus_policy_access a = {
		.type = type, .access = level, .id = id,
	};

	blob_add(b, KDBUS_ITEM_POLICY_ACCESS, &a, sizeof(a));
}

static void add_grant(struct blob *b, const char *token)
{
	static const char types[] = "-ugw", levels[] = "sto";
	const char *type = strchr(types, token[0]);
	const char *level = strchr(token, ':') + 1;

	kt_assert(type && *level && strchr(levels, *level) && !level[1],
		  "test bug: grant \"%s\"", token);
	policy_access(b, type - types, strchr(levels, *level) - levels,
		      strtoull(token + 1, NULL, 10));
}

static void add_text(struct blob *b, const char *text)
{
	char copy[8192], *token, *save = NULL;

	kt_assert(strlen(text) < sizeof(copy), "test bug: long policy");
	strcpy(copy, text);
	for (token = strtok_r(copy, " ", &save); token;
	     token = strtok_r(NULL, " ", &save)) {
		if (strchr(token, ':'))
			add_grant(b, token);
		else
			blob_add_str(b, KDBUS_ITEM_NAME, token);
	}
}

#define FORMAT(text, fmt) do {						\
	va_list __ap;							\
									\
	va_start(__ap, fmt);						\
	vsnprintf(text, sizeof(text), fmt, __ap);			\
	va_end(__ap);							\
} while (0)

void policy_text(struct blob *b, const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	add_text(b, text);
}

void policy_update_init(struct blob *b, const char *policy)
{
	blob_init(b, sizeof(struct kdbus_cmd_update));
	add_text(b, policy);
}

static int update(int fd, unsigned long nr, const char *text)
{
	struct blob b;

	policy_update_init(&b, text);
	return kt_cmd(fd, nr, &b);
}

int conn_update(struct conn *c, const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	return update(c->fd, KDBUS_CMD_CONN_UPDATE, text);
}

/* ------------------------------------------------------------------------ */
/* Endpoints */

void ep_paths(struct bus *ep, const struct bus *bus, const char *name)
{
	*ep = *bus;
	ep->fd = -1;
	kt_assert(snprintf(ep->path, sizeof(ep->path), "%s/%.63s", bus->dir,
			   name) < (int)sizeof(ep->path), "test bug: path");
}

static int try_make(struct bus *ep, const struct bus *bus, u64 flags,
		    const char *name, const char *policy)
{
	struct blob b;
	int ret;

	ep_paths(ep, bus, name);
	ep->fd = open_endpoint(bus);
	make_init(&b, flags);
	blob_add_str(&b, KDBUS_ITEM_MAKE_NAME, name);
	add_text(&b, policy);
	ret = kt_cmd(ep->fd, KDBUS_CMD_ENDPOINT_MAKE, &b);
	if (ret)
		bus_close(ep);
	return ret;
}

int ep_try_make(struct bus *ep, const struct bus *bus, u64 flags,
		const char *name, const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	return try_make(ep, bus, flags, name, text);
}

void ep_make(struct bus *ep, const struct bus *bus, const char *fmt, ...)
{
	char text[8192], name[64];

	FORMAT(text, fmt);
	bus_name(name, sizeof(name));
	kt_assert_ret(try_make(ep, bus, KDBUS_MAKE_ACCESS_WORLD, name, text),
		      0, "ENDPOINT_MAKE with \"%s\"", text);
}

int ep_update(const struct bus *ep, const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	return update(ep->fd, KDBUS_CMD_ENDPOINT_UPDATE, text);
}

void ep_set(const struct bus *ep, const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	kt_assert_ret(update(ep->fd, KDBUS_CMD_ENDPOINT_UPDATE, text), 0,
		      "ENDPOINT_UPDATE with \"%s\"", text);
}

/* ------------------------------------------------------------------------ */
/* Policy holders */

static int try_open(struct conn *c, const struct bus *bus, u64 flags,
		    const char *policy)
{
	struct blob b;
	int ret;

	memset(c, 0, sizeof(*c));
	c->fd = open_endpoint(bus);
	hello_init(&b, flags, 16 * KIB);
	add_text(&b, policy);
	ret = kt_cmd(c->fd, KDBUS_CMD_HELLO, &b);
	if (ret) {
		close(c->fd);
		c->fd = -1;
		return ret;
	}
	c->id = b.hello.id;
	c->pool_size = b.hello.pool_size;
	c->pool = mmap(NULL, c->pool_size, PROT_READ, MAP_PRIVATE, c->fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of a pool: %m");
	return 0;
}

int holder_try_open(struct conn *c, const struct bus *bus, u64 type,
		    const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	return try_open(c, bus, type, text);
}

void holder_open(struct conn *c, const struct bus *bus, const char *fmt, ...)
{
	char text[8192];

	FORMAT(text, fmt);
	kt_assert_ret(try_open(c, bus, HOLDER, text), 0, "a holder of \"%s\"",
		      text);
}

unsigned int holders_open(struct conn *c, unsigned int max,
			  const struct bus *bus, const char *policy)
{
	char copy[1024], group[1024] = "", *token, *save = NULL;
	unsigned int n = 0;

	kt_assert(strlen(policy) < sizeof(copy), "test bug: long policy");
	strcpy(copy, policy);
	token = strtok_r(copy, " ", &save);
	while (token) {
		kt_assert(n < max, "test bug: too many names");
		strcpy(group, token);
		while ((token = strtok_r(NULL, " ", &save)) &&
		       strchr(token, ':'))
			strcat(strcat(group, " "), token);
		holder_open(&c[n++], bus, "%s", group);
	}
	return n;
}

/* ------------------------------------------------------------------------ */
/* Users */

struct run {
	const struct subject *s;
	int (*fn)(void *arg);
	void *arg;
	int ret;
};

static void *run_thread(void *arg)
{
	static const cap_value_t owner = CAP_IPC_OWNER;
	struct run *run = arg;
	const struct subject *s = run->s;

	prctl(PR_SET_KEEPCAPS, 1);
	kt_assert(!syscall(NR_SETGROUPS, (long)s->n_groups, s->groups),
		  "setgroups: %m");
	kt_assert(!syscall(NR_SETRESGID, s->gid, s->egid, s->egid),
		  "setresgid: %m");
	kt_assert(!syscall(NR_SETRESUID, s->ruid, s->euid, s->euid),
		  "setresuid: %m");
	kt_set_caps(&owner, s->capable);
	run->ret = run->fn(run->arg);
	return NULL;
}

int subject_run(const struct subject *s, int (*fn)(void *arg), void *arg)
{
	struct run run = { .s = s, .fn = fn, .arg = arg };

	kt_join(kt_thread(run_thread, &run));
	return run.ret;
}

struct opening {
	struct conn *c;
	const struct bus *ep;
};

static int open_fn(void *arg)
{
	struct opening *o = arg;

	conn_open(o->c, o->ep, 64 * KIB);
	return 0;
}

void subject_open(struct conn *c, const struct bus *ep,
		  const struct subject *s)
{
	struct opening o = { .c = c, .ep = ep };

	subject_run(s, open_fn, &o);
}

struct subject plain_user(uid_t uid)
{
	return (struct subject){
		.what = "a user", .ruid = uid, .euid = uid, .gid = uid,
		.egid = uid,
	};
}

void user_open(struct conn *c, const struct bus *ep, uid_t uid)
{
	struct subject s = plain_user(uid);

	subject_open(c, ep, &s);
}

int user_run(uid_t uid, int (*fn)(void *arg), void *arg)
{
	struct subject s = plain_user(uid);

	return subject_run(&s, fn, arg);
}

void bus_of(struct bus *bus, uid_t uid)
{
	kt_become(uid);
	bus_make(bus, KDBUS_MAKE_ACCESS_WORLD);
	kt_become(0);
}

/* ------------------------------------------------------------------------ */
/* What a connection may see and whom it reaches */

static int info(struct conn *c, u64 id, const char *name)
{
	const struct kdbus_info *result;
	struct kdbus_cmd_info *cmd;
	struct blob b;
	int ret;

	blob_init(&b, sizeof(*cmd));
	cmd = (void *)&b;
	cmd->id = id;
	if (name)
		blob_add_str(&b, KDBUS_ITEM_NAME, name);
	ret = kt_cmd(c->fd, KDBUS_CMD_CONN_INFO, &b);
	if (ret)
		return ret;
	kt_assert(cmd->offset < c->pool_size, "offset %llu", cmd->offset);
	result = (const void *)(c->pool + cmd->offset);
	if (id)
		kt_check(result->id == id, "CONN_INFO of %llu is about %llu",
			 id, result->id);
	kt_check_ret(conn_free(c, cmd->offset), 0, "FREE of CONN_INFO");
	return 0;
}

int info_id(struct conn *c, u64 id)
{
	return info(c, id, NULL);
}

int info_name(struct conn *c, const char *name)
{
	return info(c, 0, name);
}

unsigned int list_count(struct conn *c, u64 flags, u64 id, const char *name)
{
	const struct kdbus_name_list *l;
	unsigned int n = 0;
	u64 off, at;

	kt_assert_ret(name_list(c, flags, &off), 0, "NAME_LIST");
	l = (const void *)(c->pool + off);
	for (at = 8; at < l->size;) {
		const struct kdbus_name_info *i = (const void *)
			((const u8 *)l + at);

		kt_assert(i->size >= 32 && i->size <= l->size - at,
			  "record of size %llu", i->size);
		if (i->owner_id == id && i->size == 32)
			n += !name;
		else if (i->owner_id == id && name)
			n += !strcmp(i->items[0].str, name);
		at += ALIGN8(i->size);
	}
	kt_check_ret(conn_free(c, off), 0, "FREE of a list");
	return n;
}

int send_id(struct conn *c, u64 dst)
{
	return conn_send_bytes(c, dst, 1, "x", 1);
}

void check_send(struct conn *from, struct conn *to, int want, const char *what)
{
	unsigned int n;

	kt_check_ret(send_id(from, to->id), want, "%s", what);
	n = conn_drain(to);
	kt_check(n == !want, "%s: %u messages came", what, n);
}

bool can_own(struct conn *c, const char *name)
{
	int ret = name_acquire(c, name, 0);

	if (!ret)
		kt_check_ret(name_release(c, name), 0, "release");
	else
		kt_check_ret(ret, -EPERM, "acquire of %s", name);
	return !ret;
}

bool hears(struct conn *from, struct conn *to)
{
	unsigned int n;

	/* from others, or from before */
	conn_drain(to);
	kt_assert_ret(cast(from, 5), 0, "broadcast");
	n = conn_drain(to);
	kt_check(n <= 1, "a broadcast came %u times", n);
	return n;
}

void match_casts(struct conn *c)
{
	struct blob b;

	match_init(&b, 1, 0);
	rule_id(&b, ANY);
	kt_assert_ret(match_add(c, &b), 0, "MATCH_ADD");
}

/* ------------------------------------------------------------------------ */
/* Two at a time */

struct runner {
	int (*fn)(void *arg);
	void *arg;
	pthread_barrier_t *barrier;
	int ret;
};

static void *pair_thread(void *arg)
{
	struct runner *r = arg;

	pthread_barrier_wait(r->barrier);
	r->ret = r->fn(r->arg);
	return NULL;
}

void pair_run(int (*a)(void *arg), int (*b)(void *arg), void *arg, int ret[2])
{
	pthread_barrier_t barrier;
	struct runner r[2] = {
		{ .fn = a, .arg = arg, .barrier = &barrier },
		{ .fn = b, .arg = arg, .barrier = &barrier },
	};
	pthread_t t[2];
	int i;

	pthread_barrier_init(&barrier, NULL, 2);
	for (i = 0; i < 2; i++)
		t[i] = kt_thread(pair_thread, &r[i]);
	for (i = 0; i < 2; i++)
		kt_join(t[i]);
	pthread_barrier_destroy(&barrier);
	ret[0] = r[0].ret;
	ret[1] = r[1].ret;
}
