// SPDX-License-Identifier: GPL-2.0-only
/* What the tests of the library share: see kl.h */
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "kl.h"

struct bus bus;
u64 how;

void kl_bus(void)
{
	bus_make(&bus, KDBUS_MAKE_ACCESS_WORLD);
}

struct kdb_conn *kl_open_with(u64 flags, size_t pool)
{
	struct kdb_conn *conn = NULL;

	kl_ok(kdb_open_path(&conn, bus.path,
			    KDB_OPTIONS(.flags = flags | how,
					.pool_size = pool)));
	return conn;
}

struct kdb_conn *kl_open(void)
{
	return kl_open_with(0, POOL);
}

struct kdb_conn *kl_open_fds(void)
{
	return kl_open_with(KDB_OPEN_FDS, POOL);
}

void kl_close(struct kdb_conn *conn)
{
	int held = kdb_close(conn);

	kt_check(held == 0, "%d views were not released", held);
}

struct kdb_msg *kl_msg(struct kdb_conn *conn)
{
	struct kdb_msg *msg = NULL;

	kl_ok(kdb_msg_new(conn, &msg));
	return msg;
}

struct kdb_msg *kl_msg_to(struct kdb_conn *conn, const struct kdb_conn *to,
			  const char *text)
{
	struct kdb_msg *msg = kl_msg(conn);

	kdb_msg_to_id(msg, kdb_id(to));
	kl_ok(kdb_msg_put(msg, text, strlen(text)));
	return msg;
}

void kl_send(struct kdb_conn *conn, const struct kdb_conn *to, const char *text)
{
	struct kdb_msg *msg = kl_msg_to(conn, to, text);

	kl_ok(kdb_send(msg));
	kdb_msg_free(msg);
}

struct kdb_view *kl_recv(struct kdb_conn *conn)
{
	struct kdb_view *view = NULL;

	kl_ok(kdb_recv(conn, &view));
	return view;
}

bool kl_is(struct kdb_view *view, const char *text)
{
	const void *data;
	size_t size;

	return kdb_view_data(view, &data, &size) == 0 && size == strlen(text) &&
	       kdb_view_size(view) == size && (!size || !memcmp(data, text, size));
}

void kl_got(struct kdb_conn *conn, const char *text)
{
	struct kdb_view *view = kl_recv(conn);

	kt_check(kl_is(view, text), "it is not '%s'", text);
	kl_ok(kdb_view_release(view));
}

u64 kl_used(struct kdb_conn *conn)
{
	struct kdb_usage usage;
	struct kdb_view *view;

	/* with nothing to receive, it frees what was parked */
	kt_check_ret(kdb_recv(conn, &view), -EAGAIN, "something is there");
	kl_ok(kdb_get_usage(conn, &usage));
	return usage.pool_used;
}

bool kl_valgrind(void)
{
	const char *preload = getenv("LD_PRELOAD");

	return preload && strstr(preload, "vgpreload");
}

bool kl_no_descriptors(bool yes)
{
	struct rlimit limit;

	if (kl_valgrind()) {
		kt_note("valgrind does not let RLIMIT_NOFILE be");
		return false;
	}
	kt_assert(!getrlimit(RLIMIT_NOFILE, &limit), "getrlimit: %m");
	limit.rlim_cur = yes ? 3 : limit.rlim_max;
	kt_assert(!setrlimit(RLIMIT_NOFILE, &limit), "setrlimit: %m");
	return true;
}

int kl_echo(struct kdb_conn *conn, struct kdb_view *view, struct kdb_msg *reply,
	    void *arg)
{
	const void *data;
	size_t size;

	if (arg)
		++*(unsigned int *)arg;
	if (kl_is(view, "stop"))
		kdb_stop(conn);
	kl_ok(kdb_view_data(view, &data, &size));
	kl_ok(kdb_msg_put(reply, data, size));
	return KDB_REPLY;
}

static void *serve(void *arg)
{
	struct kl_server *server = arg;

	server->result = kdb_serve(server->conn);
	return NULL;
}

void kl_serve(struct kl_server *server, kdb_message_fn fn, void *arg)
{
	server->conn = kl_open_fds();
	kdb_set_handler(server->conn, fn, arg);
	server->thread = kt_thread(serve, server);
}

void kl_serve_end(struct kl_server *server, struct kdb_conn *from)
{
	kl_send(from, server->conn, "stop");
	kt_join(server->thread);
	kt_check_ret(server->result, 0, "kdb_serve");
	kl_close(server->conn);
}

u64 kl_unknown_flags;
unsigned int kl_ioctls;
union kl_arg kl_arg;

static const struct kt_cmd *command(unsigned long nr)
{
	unsigned int i;

	for (i = 0; i < kt_n_cmds; i++)
		if (kt_cmds[i].nr == nr)
			return &kt_cmds[i];
	return NULL;
}

int ioctl(int fd, unsigned long nr, ...)
{
	const struct kt_cmd *cmd = command(nr);
	u64 *arg, unknown = kl_unknown_flags;
	va_list ap;
	int r;

	va_start(ap, nr);
	arg = va_arg(ap, void *);
	va_end(ap);
	__atomic_add_fetch(&kl_ioctls, 1, __ATOMIC_RELAXED);
	if (cmd && cmd->max && arg[0] <= sizeof(kl_arg))
		memcpy(&kl_arg, arg, arg[0]);
	if (!unknown || !cmd || !cmd->kernel_flags)
		return syscall(SYS_ioctl, fd, nr, arg);
	if (arg[cmd->flags / 8] & unknown) {
		arg[cmd->kernel_flags / 8] = (cmd->mask & ~unknown) |
					     KDBUS_FLAG_KERNEL;
		errno = EINVAL;
		return -1;
	}
	r = syscall(SYS_ioctl, fd, nr, arg);
	arg[cmd->kernel_flags / 8] &= ~unknown;
	return r;
}

unsigned int kl_allocs, kl_alloc_fails;

static bool alloc_fails(void)
{
	if (!kl_alloc_fails || --kl_alloc_fails) {
		__atomic_add_fetch(&kl_allocs, 1, __ATOMIC_RELAXED);
		return false;
	}
	errno = ENOMEM;
	return true;
}

/* Where the library is in the program the linker does it; else these come first. */
#ifdef KL_WRAP
#define OURS(name)	__wrap_##name
#define THEIRS(name)	__real_##name
#else
#define OURS(name)	name
#define THEIRS(name)	__libc_##name
#endif

void *THEIRS(malloc)(size_t size);
void *THEIRS(calloc)(size_t n, size_t size);
void *THEIRS(realloc)(void *p, size_t size);
void *OURS(malloc)(size_t size);
void *OURS(calloc)(size_t n, size_t size);
void *OURS(realloc)(void *p, size_t size);

void *OURS(malloc)(size_t size)
{
	return alloc_fails() ? NULL : THEIRS(malloc)(size);
}

void *OURS(calloc)(size_t n, size_t size)
{
	return alloc_fails() ? NULL : THEIRS(calloc)(n, size);
}

void *OURS(realloc)(void *p, size_t size)
{
	return alloc_fails() ? NULL : THEIRS(realloc)(p, size);
}
