// SPDX-License-Identifier: GPL-2.0-only
/* Other programs, other namespaces: see meta-util.h */

#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "meta-util.h"

/* ------------------------------------------------------------------------ */
/* This program as another one */

static struct kt_shared alone;

/* see meta-util.h */
static int change(const char *what)
{
	char verb[16], from[128], to[128] = "";

	if (sscanf(what, "%15s %127s %127s", verb, from, to) < 2)
		return -1;
	if (!strcmp(verb, "rename"))
		return rename(from, to);
	/* what is not noticed at once is after a second */
	if (!strcmp(verb, "move"))
		return mount(from, to, NULL, MS_MOVE, NULL) || usleep(1200000);
	if (!strcmp(verb, "detach"))
		return umount2(from, MNT_DETACH);
	if (!strcmp(verb, "chroot"))
		return chroot(from);
	return unlink(from);
}

/*
 * Before main(), so that arguments may be anything. What to do is in the
 * environment: descriptor, destination, cookie; descriptor of the facts.
 */
__attribute__((__constructor__)) static void prog_main(void)
{
	const char *todo = getenv("KT_PROG"), *facts = getenv("KT_FACTS");
	const char *file = getenv("KT_UNLINK"), *root = getenv("KT_CHROOT");
	const char *then = getenv("KT_THEN");
	unsigned long long dst, cookie;
	struct conn c = { .fd = -1 };
	struct facts *f = NULL;

	if (!todo || sscanf(todo, "%d %llu %llu", &c.fd, &dst, &cookie) != 3)
		return;
	kt = &alone;
	if (file && unlink(file))
		_exit(101);
	if (facts) {
		f = mmap(NULL, sizeof(*f), PROT_READ | PROT_WRITE, MAP_SHARED,
			 atoi(facts), 0);
		if (f == MAP_FAILED)
			_exit(102);
		facts_now(f);
	}
	if (root && (chroot(root) || chdir("/")))
		_exit(103);
	if (then && (conn_send_bytes(&c, dst, cookie++, NULL, 0) ||
		     change(then)))
		_exit(104);
	if (then && f)
		facts_now(f);
	_exit(-conn_send_bytes(&c, dst, cookie, NULL, 0));
}

static void set_num(const char *var, unsigned int n)
{
	char buf[16];

	snprintf(buf, sizeof(buf), "%u", n);
	setenv(var, buf, 1);
}

void prog_exec(const struct prog *p, struct conn *from, u64 dst, u64 cookie)
{
	char *const argv[] = { "kt-prog", "of", "a test", NULL };
	char todo[96];

	snprintf(todo, sizeof(todo), "%d %llu %llu", from->fd,
		 (unsigned long long)dst, (unsigned long long)cookie);
	setenv("KT_PROG", todo, 1);
	if (p->unlink)
		setenv("KT_UNLINK", p->unlink, 1);
	if (p->chroot)
		setenv("KT_CHROOT", p->chroot, 1);
	if (p->then)
		setenv("KT_THEN", p->then, 1);
	fcntl(from->fd, F_SETFD, 0);
	execv(p->path ?: "/proc/self/exe", p->argv ?: argv);
	kt_assert(0, "execv %s: %m", p->path ?: "itself");
}

void prog_run(const struct prog *p, struct conn *from, u64 dst, u64 cookie)
{
	int fd = -1, status;
	pid_t pid;

	if (p->facts) {
		fd = memfd_create("facts", 0);
		kt_assert(fd >= 0 && !ftruncate(fd, sizeof(*p->facts)),
			  "memfd: %m");
	}
	pid = fork();
	kt_assert(pid >= 0, "fork: %m");
	if (!pid) {
		if (fd >= 0)
			set_num("KT_FACTS", fd);
		prog_exec(p, from, dst, cookie);
	}
	status = kt_wait(pid);
	kt_check(status == 0, "program %s ended with %d (%s)",
		 p->path ?: "itself", status, kt_err(-status));
	if (fd >= 0) {
		kt_assert(pread(fd, p->facts, sizeof(*p->facts), 0) ==
			  sizeof(*p->facts), "pread: %m");
		close(fd);
	}
}

void prog_copy(const char *path)
{
	int in = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	int out = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
	static char buf[64 * KIB];
	ssize_t n;

	kt_assert(in >= 0 && out >= 0, "copy to %s: %m", path);
	while ((n = read(in, buf, sizeof(buf))) > 0)
		kt_assert(write(out, buf, n) == n, "write to %s: %m", path);
	kt_assert(n == 0, "read of this program: %m");
	close(in);
	close(out);
}

static int set_mm(int what, u64 value)
{
	return prctl(PR_SET_MM, what, value, 0, 0);
}

/* the start may at no time be behind the end */
void set_args(void *p, size_t n)
{
	u64 start = PTR64(p);

	if (set_mm(PR_SET_MM_ARG_START, start))
		kt_assert(!set_mm(PR_SET_MM_ARG_END, start + n),
			  "PR_SET_MM_ARG_END: %m");
	kt_assert(!set_mm(PR_SET_MM_ARG_START, start),
		  "PR_SET_MM_ARG_START: %m");
	kt_assert(!set_mm(PR_SET_MM_ARG_END, start + n),
		  "PR_SET_MM_ARG_END: %m");
	kt_assert(stat_field(48) == start && stat_field(49) == start + n,
		  "the argument area did not move");
}

/* ------------------------------------------------------------------------ */
/* Namespaces */

static void map_ids(uid_t uid, gid_t gid, int as)
{
	char line[64];

	if (as < 0)
		return;
	snprintf(line, sizeof(line), "%d %u 1", as, uid);
	kt_assert(kt_write_file("/proc/self/uid_map", line), "uid_map: %m");
	kt_assert(kt_write_file("/proc/self/setgroups", "deny"),
		  "setgroups: %m");
	snprintf(line, sizeof(line), "%d %u 1", as, gid);
	kt_assert(kt_write_file("/proc/self/gid_map", line), "gid_map: %m");
}

int ns_run(unsigned long ns, int as, int (*fn)(void *arg), void *arg)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	pid_t pid;

	/* files in /proc are those of root otherwise */
	prctl(PR_SET_DUMPABLE, 1);
	pid = syscall(SYS_clone, ns | CLONE_FILES | SIGCHLD, NULL, NULL, NULL,
		      NULL);
	if (pid < 0)
		kt_skip("no namespaces %#lx: %s", ns, strerrorname_np(errno));
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ns & CLONE_NEWUSER)
			map_ids(uid, gid, as);
		_exit(fn(arg));
	}
	return kt_wait(pid);
}

static int open_fn(void *arg)
{
	return open_endpoint(arg);
}

int ns_open(unsigned long ns, const struct bus *bus)
{
	int fd = ns_run(ns, -1, open_fn, (void *)bus);

	kt_assert(fd > 2 && fcntl(fd, F_GETFD) >= 0, "child returned %d", fd);
	return fd;
}

struct ns_message {
	struct conn *from;
	u64 dst, cookie;
};

static int send_fn(void *arg)
{
	struct ns_message *m = arg;

	return -conn_send_bytes(m->from, m->dst, m->cookie, "x", 1);
}

void ns_send(unsigned long ns, struct conn *from, u64 dst, u64 cookie)
{
	struct ns_message m = { from, dst, cookie };
	int ret = ns_run(ns, -1, send_fn, &m);

	kt_check_ret(-ret, 0, "send from namespaces %#lx", ns);
}

void ns_conn_open(struct conn *c, const struct bus *bus, unsigned long ns,
		  u64 flags, u64 mask, const char *name)
{
	struct blob h;

	hello_init(&h, flags, 256 * KIB);
	h.hello.attach_flags = mask;
	if (name)
		blob_add_str(&h, KDBUS_ITEM_NAME, name);
	blob_add_str(&h, KDBUS_ITEM_CONN_NAME, "inner");
	kt_assert_ret(conn_try_hello(c, bus, ns_open(ns, bus), &h), 0,
		      "HELLO on a node opened in %#lx", ns);
}

struct remote {
	int fd;
	struct blob h;
};

static int hello_fn(void *arg)
{
	struct remote *r = arg;

	return -kt_cmd(r->fd, KDBUS_CMD_HELLO, &r->h);
}

void ns_hello(struct conn *c, const struct bus *bus, unsigned long ns,
	      struct blob *h)
{
	struct remote *r = mmap(NULL, sizeof(*r), PROT_READ | PROT_WRITE,
				MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	kt_assert(r != MAP_FAILED, "mmap: %m");
	r->fd = open_endpoint(bus);
	r->h = *h;
	kt_assert_ret(-ns_run(ns, -1, hello_fn, r), 0, "HELLO in %#lx", ns);
	c->fd = r->fd;
	c->id = r->h.hello.id;
	c->pool_size = h->hello.pool_size;
	c->pool = mmap(NULL, c->pool_size, PROT_READ, MAP_PRIVATE, c->fd, 0);
	kt_assert(c->pool != MAP_FAILED, "mmap of a pool: %m");
	munmap(r, sizeof(*r));
}
