// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-demo - a service and two clients talk over a bus, and what happened
 *
 *   kdbus-demo [-m MODULE]
 *
 * MODULE is the name of the module if it was built with another than kdbus.
 * Everything printed was measured or received in the run. Fails if a message
 * was lost or a byte of one was wrong.
 */
#include <dirent.h>
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if __has_include("cpuid.h")
#include <cpuid.h>
#endif

#include "kdbus-demo.h"

/* after this the run has failed */
#define DEADLINE_S	120

/* owns the second bus; any user but root */
#define OTHER_UID	1000

#define N_CLIENTS	(N_ROLES - 1)

static const size_t sizes[] = { 64, 8 * KIB, 64 * KIB, 512 * KIB, 4 * MIB };

static const char *const role_names[N_ROLES] = {
	[SERVICE]	= "service",
	[CLIENT_A]	= "client A",
	[CLIENT_B]	= "client B",
};

static struct shared *shared;
static struct sockets sockets;
static char bus_path[128];

int must(int r, const char *what)
{
	if (r < 0)
		errx(1, "%s: %s", what, strerror(-r));
	return r;
}

/*
 * Content
 */

static __u64 next_word(__u64 word)
{
	word ^= word << 13;
	word ^= word >> 7;
	word ^= word << 17;
	return word;
}

/* no two messages have the same content */
static __u64 first_word(__u64 src, __u64 cookie)
{
	return next_word(src << 32 | cookie);
}

static void fill(__u64 *data, size_t size, __u64 src, __u64 cookie)
{
	__u64 word = first_word(src, cookie);
	size_t i;

	for (i = 0; i < size / 8; i++) {
		data[i] = word;
		word = next_word(word);
	}
}

static bool is_right(const void *payload, size_t size, __u64 src,
		     __u64 cookie)
{
	__u64 word = first_word(src, cookie);
	const __u64 *data = payload;
	size_t i;

	for (i = 0; i < size / 8; i++) {
		if (data[i] != word)
			return false;
		word = next_word(word);
	}
	return true;
}

/*
 * The conversation
 */

/* Fills what @msg is addressed to, or an answer to @request, and sends it. */
static void say(struct kdb_conn *conn, struct kdb_msg *msg,
		struct kdb_view *request, __u64 cookie, size_t size)
{
	__u64 *data = malloc(size);

	if (!data)
		err(1, "malloc");
	fill(data, size, kdb_id(conn), cookie);

	/* what is too large to be copied becomes a memory file */
	must(kdb_msg_put(msg, data, size), "payload");
	must(kdb_msg_set_cookie(msg, cookie), "cookie");
	if (request)
		must(kdb_reply(request, msg), "reply");
	else
		must(kdb_send(msg), "send");

	atomic_fetch_add(&shared->sent, 1);
	free(data);
}

struct kdb_view *next_message(struct kdb_conn *conn)
{
	struct kdb_view *view;

	must(kdb_wait(conn, kdb_deadline(PATIENCE_NS)), "waiting for a message");
	must(kdb_recv(conn, &view), "receive");
	return view;
}

/* Receives a message, notes it, and looks at every byte. */
static struct seen hear(struct kdb_conn *conn, struct kdb_view **view)
{
	const struct kdbus_msg *msg;
	struct kdb_part part;
	struct seen seen;
	const void *data;
	unsigned int i;
	size_t size;

	*view = next_message(conn);
	msg = kdb_view_header(*view);
	must(kdb_view_data(*view, &data, &size), "payload");
	must(kdb_view_part(*view, 0, &part), "payload");
	seen = (struct seen) {
		.src		= msg->src_id,
		.dst		= msg->dst_id,
		.cookie		= msg->cookie,
		.cookie_reply	= msg->cookie_reply,
		.size		= size,
		.memfd		= part.kind == KDB_PART_FILE,
		.right		= is_right(data, size, msg->src_id, msg->cookie),
	};

	if (!seen.right)
		atomic_fetch_add(&shared->wrong, 1);
	i = atomic_fetch_add(&shared->n_seen, 1);
	if (i < ARRAY_SIZE(shared->seen))
		shared->seen[i] = seen;
	return seen;
}

/* With the commands of version 1, as the notes below say. */
static struct kdb_conn *connect_as(enum role role)
{
	struct kdb_conn *conn;

	must(kdb_open_path(&conn, bus_path,
			   KDB_OPTIONS(.flags = KDB_OPEN_V1,
				       .pool_size = POOL_SIZE)), bus_path);
	shared->pid[role] = getpid();
	shared->fd[role] = kdb_fd(conn);
	shared->id[role] = kdb_id(conn);
	return conn;
}

/* Tells the parent that a part is over. */
static void report(int fd)
{
	if (write(fd, "", 1) != 1)
		err(1, "write");
}

static void await(int fd)
{
	char c;

	if (read(fd, &c, 1) != 1)
		errx(1, "another process has failed");
}

static void serve(int done, int go)
{
	struct kdb_conn *conn = connect_as(SERVICE);
	struct kdb_view *view;
	struct kdb_msg *msg;
	struct seen seen;
	size_t n;

	must(kdb_msg_new(conn, &msg), "message");
	report(done);

	for (n = 1; n <= N_CLIENTS * ARRAY_SIZE(sizes); n++) {
		seen = hear(conn, &view);
		kdb_msg_reset(msg);
		say(conn, msg, view, 1000 + n, seen.size);
		kdb_view_release(view);
	}

	await(go);
	measure_serve(conn, shared, &sockets);
	kdb_msg_free(msg);
	kdb_close(conn);
}

static void ask(enum role role, int done, int go)
{
	struct kdb_conn *conn = connect_as(role);
	struct kdb_view *view;
	struct kdb_msg *msg;
	struct seen seen;
	size_t i;

	must(kdb_msg_new(conn, &msg), "message");
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		kdb_msg_reset(msg);
		kdb_msg_to_id(msg, shared->id[SERVICE]);
		say(conn, msg, NULL, i + 1, sizes[i]);
		seen = hear(conn, &view);
		kdb_view_release(view);
		if (seen.cookie_reply != i + 1 || seen.size != sizes[i])
			errx(1, "this does not answer what was asked");
	}
	/* its file is not to be seen while others are measured */
	kdb_msg_reset(msg);

	report(done);
	await(go);
	if (role == CLIENT_A)
		measure(conn, shared, &sockets);
	kdb_msg_free(msg);
	kdb_close(conn);
}

/*
 * What there is to see
 */

static void print_node(const char *path, const char *name, int depth)
{
	struct stat st;
	char type;

	if (lstat(path, &st) < 0)
		err(1, "%s", path);

	type = S_ISDIR(st.st_mode) ? 'd' : S_ISCHR(st.st_mode) ? 'c' : '?';
	printf("  %c %04o  %5u:%-5u  %*s%s%s\n", type, st.st_mode & 07777,
	       st.st_uid, st.st_gid, 2 * depth, "", name,
	       type == 'd' ? "/" : "");
}

static int visible(const struct dirent *entry)
{
	return entry->d_name[0] != '.';
}

static void print_tree(const char *path, const char *name, int depth)
{
	struct dirent **entries;
	char below[512];
	int i, n;

	print_node(path, name, depth);
	n = scandir(path, &entries, visible, alphasort);
	for (i = 0; i < n; i++) {
		snprintf(below, sizeof(below), "%s/%s", path,
			 entries[i]->d_name);
		if (entries[i]->d_type == DT_DIR)
			print_tree(below, entries[i]->d_name, depth + 1);
		else
			print_node(below, entries[i]->d_name, depth + 1);
		free(entries[i]);
	}
	if (n >= 0)
		free(entries);
}

static void print_peer(__u64 id)
{
	int role;

	for (role = 0; role < N_ROLES; role++)
		if (shared->id[role] == id)
			printf("%2llu %-9s", id, role_names[role]);
}

static void print_conversation(void)
{
	const struct seen *seen = shared->seen;

	printf("\nWho sent what to whom, in the order of reception:\n\n");
	printf("  from            to           cookie  answers     bytes  as     content\n");
	for (; seen < shared->seen + shared->n_seen; seen++) {
		printf("  ");
		print_peer(seen->src);
		printf(" -> ");
		print_peer(seen->dst);
		printf(" %6llu", seen->cookie);
		if (seen->cookie_reply)
			printf("  %7llu", seen->cookie_reply);
		else
			printf("        -");
		printf("  %8llu  %-5s  %s\n", seen->size,
		       seen->memfd ? "memfd" : "vec",
		       seen->right ? "right" : "WRONG");
	}
}

/* A line of /proc/PID/fdinfo/FD as a number, or -1. */
static __s64 fdinfo_number(int pid, int fd, const char *key)
{
	size_t len = strlen(key);
	char path[64], line[128];
	__s64 value = -1;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/fdinfo/%d", pid, fd);
	f = fopen(path, "re");
	if (!f)
		return -1;

	while (fgets(line, sizeof(line), f))
		if (strncmp(line, key, len) == 0 && line[len] == ':')
			value = strtoll(line + len + 1, NULL, 10);
	fclose(f);
	return value;
}

static void print_peers(void)
{
	static const char *const keys[] = {
		"kdbus-id", "arrivals", "queued", "copied", "pool-size",
		"pool-used", "pool-resident",
	};
	size_t i;
	int role;

	printf("\nThe connections then, from /proc/PID/fdinfo/FD:\n\n           ");
	for (i = 0; i < ARRAY_SIZE(keys); i++)
		printf(" %*s", i < 3 ? 8 : 11, keys[i]);
	printf("\n");

	for (role = 0; role < N_ROLES; role++) {
		printf("  %-9s", role_names[role]);
		for (i = 0; i < ARRAY_SIZE(keys); i++)
			printf(" %*lld", i < 3 ? 8 : 11,
			       fdinfo_number(shared->pid[role],
					     shared->fd[role], keys[i]));
		printf("\n");
	}
}

/* what the processor says it is: a real one, or one that is emulated */
static const char *machine(void)
{
#if __has_include("cpuid.h")
	unsigned int a, b, c, d;
	char name[13] = "";

	__cpuid(1, a, b, c, d);
	if (!(c & (1U << 31)))
		return "hardware, no hypervisor";

	__cpuid(0x40000000, a, b, c, d);
	memcpy(name, &b, 4);
	memcpy(name + 4, &c, 4);
	memcpy(name + 8, &d, 4);
	if (!strcmp(name, "TCGTCGTCGTCG"))
		return "QEMU TCG, every instruction emulated";
	if (!strcmp(name, "KVMKVMKVM"))
		return "KVM guest, runs on hardware";
	return "guest of some other hypervisor";
#else
	return "not known";
#endif
}

static void print_clock(void)
{
	char source[32] = "?";
	struct utsname uts;
	FILE *f;

	f = fopen("/sys/devices/system/clocksource/clocksource0/current_clocksource",
		  "re");
	if (f) {
		if (fscanf(f, "%31s", source) != 1)
			strcpy(source, "?");
		fclose(f);
	}

	uname(&uts);
	printf("\nWhat a message costs, when client A and the service answer each other:\n");
	printf("Clock: CLOCK_MONOTONIC from %s. Linux %s, %ld processors.\n",
	       source, uts.release, sysconf(_SC_NPROCESSORS_ONLN));
	printf("Machine: %s.\n\n", machine());
}

static void print_notes(void)
{
	printf("\n"
	       "Per message, that is per half of a round trip. copied: bytes of payload copied into\n"
	       "pools, as their fdinfo counts them. switches: context switches of both processes.\n"
	       "time: best of five runs, both processes on one processor, the receiver reading from\n"
	       "every page. A message costs kdbus MSG_SEND, poll, MSG_RECV and FREE, a socket send and\n"
	       "a blocking recv. Sockets have buffers of default size; what does not fit takes a\n"
	       "STREAM. A memfd is filled and sealed before the clock runs, and mapped by each\n"
	       "receiver; SCM_RIGHTS passes the same file.\n"
	       "Under emulation, system calls, switches and copies have other prices than on\n"
	       "hardware: there a ratio may be on the other side of 1.\n");
}

/*
 * Running it
 */

static pid_t start(enum role role, int done, int go)
{
	pid_t pid = fork();

	if (pid < 0)
		err(1, "fork");
	if (pid > 0)
		return pid;

	/* no child survives a parent that failed */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	alarm(DEADLINE_S);
	if (role == SERVICE)
		serve(done, go);
	else
		ask(role, done, go);
	exit(0);
}

static void tell(int fd, int n)
{
	while (n-- > 0)
		report(fd);
}

/* a child that fails would leave us waiting */
static void child_ended(int sig)
{
	int status;

	(void)sig;
	while (waitpid(-1, &status, WNOHANG) > 0)
		if (status != 0)
			_exit(1);
}

static void talk(void)
{
	pid_t pids[N_ROLES];
	int done[2], go[2], role, status;

	if (pipe(done) < 0 || pipe(go) < 0)
		err(1, "pipe");
	signal(SIGCHLD, child_ended);

	pids[SERVICE] = start(SERVICE, done[1], go[0]);
	await(done[0]);
	pids[CLIENT_A] = start(CLIENT_A, done[1], go[0]);
	pids[CLIENT_B] = start(CLIENT_B, done[1], go[0]);
	await(done[0]);
	await(done[0]);

	print_conversation();
	print_peers();
	print_clock();
	fflush(stdout);

	tell(go[1], N_ROLES);
	for (role = 0; role < N_ROLES; role++)
		waitpid(pids[role], &status, 0);
	print_notes();
}

static void make_bus(const char *dir, const char *name, __u64 flags)
{
	const struct kdb_bus_options options = {
		.size	= sizeof(options),
		.flags	= flags,
	};

	/* until the process ends */
	must(kdb_bus_make(dir, name, &options), name);
}

static void make_other_bus(const char *dir)
{
	char name[32];

	snprintf(name, sizeof(name), "%u-demo", OTHER_UID);
	if (seteuid(OTHER_UID) < 0)
		err(1, "seteuid");
	make_bus(dir, name, 0);
	if (seteuid(0) < 0)
		err(1, "seteuid");
}

static int verdict(void)
{
	unsigned int lost = shared->sent - shared->n_seen;

	printf("\n%u messages in the conversation, %lu while measuring: ",
	       shared->n_seen, shared->measured);
	printf("%u lost, %u with wrong content\n", lost, shared->wrong);
	return lost || shared->wrong || shared->n_seen == 0;
}

int main(int argc, char **argv)
{
	const char *module = "kdbus";
	char dir[64], name[32];

	if (argc == 3 && strcmp(argv[1], "-m") == 0)
		module = argv[2];
	else if (argc != 1)
		errx(2, "usage: kdbus-demo [-m MODULE]");

	alarm(DEADLINE_S);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (shared == MAP_FAILED)
		err(1, "mmap");
	measure_open(&sockets);

	snprintf(dir, sizeof(dir), "/dev/%s", module);
	snprintf(name, sizeof(name), "%u-demo", geteuid());
	snprintf(bus_path, sizeof(bus_path), "%s/%s/bus", dir, name);
	make_bus(dir, name, KDBUS_MAKE_ACCESS_WORLD);
	if (geteuid() == 0)
		make_other_bus(dir);

	printf("The nodes, after user %u has made a bus for everybody", geteuid());
	if (geteuid() == 0)
		printf(", and user %u one for itself", OTHER_UID);
	printf(":\n\n    mode   uid:gid\n");
	print_tree(dir, dir, 0);
	fflush(stdout);

	talk();
	return verdict();
}
