// SPDX-License-Identifier: GPL-2.0-only
/* What all test files share: see util.h */

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "util.h"

struct kt_shared *kt;
const char *kt_module = "kdbus";
u32 kt_seed = 1;

/* ------------------------------------------------------------------------ */
/* Reporting */

/* one write() a line, so that children and threads do not mix theirs */
static void say(const char *file, int line, const char *fmt, va_list ap)
{
	char buf[1024];
	int n = 0, m;

	if (file)
		n = snprintf(buf, sizeof(buf), "# %s:%d: ", file, line);
	else
		n = snprintf(buf, sizeof(buf), "# ");
	m = vsnprintf(buf + n, sizeof(buf) - n - 1, fmt, ap);
	n += m;
	if (n > (int)sizeof(buf) - 2)
		n = sizeof(buf) - 2;
	buf[n++] = '\n';
	if (write(STDOUT_FILENO, buf, n) != n)
		_exit(1);
}

#define MAX_SHOWN	20

static unsigned int count_failure(void)
{
	return __atomic_add_fetch(&kt->failures, 1, __ATOMIC_SEQ_CST);
}

void kt_fail_at(const char *file, int line, const char *fmt, ...)
{
	va_list ap;

	if (count_failure() > MAX_SHOWN)
		return;
	va_start(ap, fmt);
	say(file, line, fmt, ap);
	va_end(ap);
}

void kt_die_at(const char *file, int line, const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	count_failure();
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	if (getpid() == kt->pid)
		ck_abort_msg("%s:%d: %s", file, line, buf);
	kt_fail_at(file, line, "%s", buf);
	_exit(1);
}

void kt_skip(const char *fmt, ...)
{
	va_list ap;

	kt->skipped = true;
	va_start(ap, fmt);
	vsnprintf(kt->reason, sizeof(kt->reason), fmt, ap);
	va_end(ap);
	_exit(0);
}

void kt_note(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	say(NULL, 0, fmt, ap);
	va_end(ap);
}

const char *kt_err(int ret)
{
	const char *name;

	if (ret == 0)
		return "0";
	name = ret < 0 ? strerrorname_np(-ret) : NULL;
	return name ?: "?";
}

bool kt_ret_at(const char *file, int line, int ret, int want,
	       const char *fmt, ...)
{
	char buf[512];
	va_list ap;

	if (ret == want)
		return true;
	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	kt_fail_at(file, line, "%s: got %s (%d), expected %s", buf,
		   kt_err(ret), ret, kt_err(want));
	return false;
}

/* ------------------------------------------------------------------------ */
/* Processes, threads, time, chance */

static void become(uid_t uid, gid_t gid)
{
	if (!uid && !gid)
		return;
	kt_assert(!setgroups(0, NULL), "setgroups: %m");
	kt_assert(!setresgid(gid, gid, gid), "setresgid(%u): %m", gid);
	kt_assert(!setresuid(uid, uid, uid), "setresuid(%u): %m", uid);
}

pid_t kt_fork_as(uid_t uid, gid_t gid, int (*fn)(void *arg), void *arg)
{
	pid_t parent = getpid();
	pid_t pid = fork();

	kt_assert(pid >= 0, "fork: %m");
	if (pid)
		return pid;
	become(uid, gid);
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	_exit(fn(arg));
}

int kt_wait(pid_t pid)
{
	int status;

	while (waitpid(pid, &status, 0) < 0)
		kt_assert(errno == EINTR, "waitpid: %m");
	if (WIFSIGNALED(status))
		return 128 + WTERMSIG(status);
	return WEXITSTATUS(status);
}

void kt_run_as(uid_t uid, gid_t gid, int (*fn)(void *arg), void *arg)
{
	int status = kt_wait(kt_fork_as(uid, gid, fn, arg));

	kt_assert(status == 0, "child as uid %u ended with status %d", uid,
		  status);
}

void kt_set_caps(const cap_value_t *values, int n)
{
	cap_t caps = cap_init();

	kt_assert(caps, "cap_init: %m");
	if (n)
		kt_assert(!cap_set_flag(caps, CAP_PERMITTED, n, values,
					CAP_SET) &&
			  !cap_set_flag(caps, CAP_EFFECTIVE, n, values,
					CAP_SET), "cap_set_flag: %m");
	/* of this thread alone */
	kt_assert(!cap_set_proc(caps), "cap_set_proc: %m");
	cap_free(caps);
}

void kt_drop_caps(void)
{
	kt_set_caps(NULL, 0);
}

void kt_become_split(uid_t real, uid_t effective)
{
	/* with a saved uid of 0 there is a way back */
	kt_assert(!setresuid(0, 0, 0), "setresuid(0): %m");
	kt_assert(!setresuid(real, effective, 0), "setresuid(%u, %u): %m",
		  real, effective);
}

void kt_become(uid_t uid)
{
	kt_become_split(uid, uid);
}

pthread_t kt_thread(void *(*fn)(void *arg), void *arg)
{
	pthread_t t;
	int err = pthread_create(&t, NULL, fn, arg);

	kt_assert(!err, "pthread_create: %s", strerror(err));
	return t;
}

void kt_join(pthread_t t)
{
	int err = pthread_join(t, NULL);

	kt_assert(!err, "pthread_join: %s", strerror(err));
}

bool kt_parallel(void)
{
	return sysconf(_SC_NPROCESSORS_ONLN) > 1;
}

pid_t kt_tid(void)
{
	return syscall(SYS_gettid);
}

void kt_wait_asleep(pid_t tid)
{
	u64 end = kt_now_ms() + 20000;
	char path[64], buf[512];
	const char *state;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", tid);
	do {
		kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0,
			  "cannot read %s", path);
		state = strrchr(buf, ')');
		if (state && state[2] == 'S')
			return;
		sched_yield();
	} while (kt_now_ms() < end);
	kt_assert(0, "thread %d does not go to sleep", tid);
}

u64 kt_times_slept(pid_t tid)
{
	static const char key[] = "\nvoluntary_ctxt_switches:";
	char path[64], buf[4096], *at;

	snprintf(path, sizeof(path), "/proc/self/task/%d/status", tid);
	kt_assert(kt_read_file(path, buf, sizeof(buf)) > 0, "no %s", path);
	at = strstr(buf, key);
	kt_assert(at, "no context switches in %s", path);
	return strtoull(at + strlen(key), NULL, 10);
}

bool kt_kernel_is_32bit(void)
{
	struct utsname name;

	return !uname(&name) && name.machine[0] == 'i' &&
	       !strcmp(name.machine + 2, "86");
}

u64 kt_now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000ULL + ts.tv_nsec / 1000000;
}

bool kt_go_on(u64 end, bool seen)
{
	return !kt->failures && kt_now_ms() < (seen ? end : end + 30000);
}

u32 kt_rand(u32 *state)
{
	u32 x = *state ?: 0x9e3779b9;

	x ^= x << 13;
	x ^= x >> 17;
	x ^= x << 5;
	*state = x;
	return x;
}

void kt_spin(u32 *state, u32 most)
{
	volatile u32 n = kt_rand(state) % most;

	while (n)
		n--;
}

static u8 fill_byte(u32 seed, size_t i)
{
	return seed * 131 + i * 7 + (i >> 8) * 13 + 1;
}

void kt_fill(void *p, size_t n, u32 seed)
{
	u8 *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		b[i] = fill_byte(seed, i);
}

bool kt_filled(const void *p, size_t n, u32 seed)
{
	const u8 *b = p;
	size_t i;

	for (i = 0; i < n; i++)
		if (b[i] != fill_byte(seed, i))
			return false;
	return true;
}

bool kt_zero(const void *p, size_t n)
{
	const u8 *b = p;

	while (n--)
		if (*b++)
			return false;
	return true;
}

/* ------------------------------------------------------------------------ */
/* Memory and files */

static void *map_anon(size_t n, int prot)
{
	void *p = mmap(NULL, n, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	kt_assert(p != MAP_FAILED, "mmap of %zu bytes: %m", n);
	return p;
}

void *kt_guard(size_t n)
{
	size_t room = (n + KT_PAGE - 1) & ~(KT_PAGE - 1);
	u8 *p = map_anon(room + KT_PAGE, PROT_READ | PROT_WRITE);

	kt_assert(!mprotect(p + room, KT_PAGE, PROT_NONE), "mprotect: %m");
	return p + room - n;
}

void *kt_guard_copy(const void *p, size_t n)
{
	return memcpy(kt_guard(n), p, n);
}

void *kt_half_ro(const void *p, size_t n, size_t rw)
{
	u8 *pages = map_anon(2 * KT_PAGE, PROT_READ | PROT_WRITE);
	u8 *at = pages + KT_PAGE - rw;

	memcpy(at, p, n);
	kt_assert(!mprotect(pages + KT_PAGE, KT_PAGE, PROT_READ),
		  "mprotect: %m");
	return at;
}

void *kt_unmapped(void)
{
	void *p = map_anon(KT_PAGE, PROT_NONE);

	/* nothing else in this process maps memory meanwhile */
	munmap(p, KT_PAGE);
	return p;
}

void *kt_noread(size_t n)
{
	return map_anon(n, PROT_NONE);
}

int kt_memfd(u64 size, unsigned int seals, u32 seed)
{
	int fd = memfd_create("kdbus-test", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	void *p;

	kt_assert(fd >= 0, "memfd_create: %m");
	kt_assert(!ftruncate(fd, size), "ftruncate: %m");
	if (size && seed) {
		p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
		kt_assert(p != MAP_FAILED, "mmap of a memfd: %m");
		kt_fill(p, size, seed);
		munmap(p, size);
	}
	if (seals)
		kt_assert(!fcntl(fd, F_ADD_SEALS, seals), "F_ADD_SEALS: %m");
	return fd;
}

int kt_read_file(const char *path, char *buf, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t n, sum = 0;

	if (fd < 0)
		return -errno;
	while ((n = read(fd, buf + sum, size - 1 - sum)) > 0)
		sum += n;
	close(fd);
	if (n < 0)
		return -EIO;
	buf[sum] = '\0';
	return sum;
}

bool kt_write_file(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	ssize_t n;

	if (fd < 0)
		return false;
	n = write(fd, text, strlen(text));
	close(fd);
	return n == (ssize_t)strlen(text);
}

unsigned int kt_count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	unsigned int n = 0;

	kt_assert(dir, "/proc/self/fd: %m");
	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

bool kt_booted_with(const char *option)
{
	char line[4096];

	kt_assert(kt_read_file("/proc/cmdline", line, sizeof(line)) > 0,
		  "no /proc/cmdline");
	return strstr(line, option);
}
