/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What all test files share.
 *
 * Reporting: kt_check() records a failure and goes on, so that one test can
 * report every bad row of its table; kt_assert() ends the test. Both may be
 * used in threads and in children of a test. kt_skip() ends a test whose
 * environment lacks something.
 *
 * Talking to the driver: all wrappers return 0 or a negative errno.
 */
#ifndef KDBUS_TEST_UTIL_H
#define KDBUS_TEST_UTIL_H

#include <check.h>
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/capability.h>
#include <sys/types.h>

#include <linux/kdbus.h>

typedef __u8 u8;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))
#define ALIGN8(x)		(((x) + 7ULL) & ~7ULL)
#define PTR64(p)		((u64)(uintptr_t)(p))
#define KT_PAGE			4096UL
#define KIB			1024UL
#define MIB			(1024UL * 1024UL)

/* ------------------------------------------------------------------------ */
/*
 * What the driver offers: adjust here when a mask grows. Flags that are not in
 * these masks are expected to be refused.
 */

#ifndef KT_MASK_BUS_MAKE
#define KT_MASK_BUS_MAKE	(0x3ULL | KDBUS_EXT_ATTACH)
#endif
#ifndef KT_MASK_MAKE		/* domains and endpoints */
#define KT_MASK_MAKE		0x3ULL
#endif
#ifndef KT_MASK_HELLO
#define KT_MASK_HELLO		(0xfULL | KDBUS_HELLO_EXT_RESERVE | \
				 KDBUS_EXT_ATTACH)
#endif
#ifndef KT_MASK_CONN_UPDATE
#define KT_MASK_CONN_UPDATE	(0x0ULL | KDBUS_EXT_ATTACH)
#endif
#ifndef KT_MASK_NAME_ACQUIRE
#define KT_MASK_NAME_ACQUIRE	0x7ULL
#endif
#ifndef KT_MASK_NAME_LIST
#define KT_MASK_NAME_LIST	0xfULL
#endif
#ifndef KT_MASK_INFO
#define KT_MASK_INFO		0x1fffULL
#endif
#ifndef KT_MASK_MATCH_ADD
#define KT_MASK_MATCH_ADD	0x1ULL
#endif
#ifndef KT_MASK_MSG_SEND
#define KT_MASK_MSG_SEND	(0x7ULL | KDBUS_MSG_EXT_RECV | \
				 KDBUS_MSG_EXT_FREE)
#endif
#ifndef KT_MASK_MSG_RECV
#define KT_MASK_MSG_RECV	(0x7ULL | KDBUS_RECV_EXT_WAIT | \
				 KDBUS_RECV_EXT_FREE)
#endif
#ifndef KT_MASK_FREE
#define KT_MASK_FREE		0x0ULL
#endif

#define KT_MAKE_MAX_SIZE	32768
#define KT_HELLO_MAX_SIZE	32768
#define KT_UPDATE_MAX_SIZE	32768
#define KT_MATCH_MAX_SIZE	32768
#define KT_NAME_MAX_SIZE	(24 + 16 + 256)
#define KT_INFO_MAX_SIZE	(40 + 16 + 256)
#define KT_MSG_MAX_SIZE		8192
#define KT_MSG_MAX_ITEMS	128
#define KT_VEC_MAX_SIZE		(2 * MIB)
#define KT_BLOOM_SIZE		64
#define KT_BLOOM_HASH		3

#define HDR			16	/* of an item */

/* ------------------------------------------------------------------------ */
/* Reporting */

struct kt_shared {
	pid_t pid;		/* of the test that runs */
	unsigned int failures;	/* kt_check() that failed */
	bool skipped;
	char reason[256];
};

extern struct kt_shared *kt;	/* shared by runner, test, and its children */
extern const char *kt_module;
extern u32 kt_seed;

void kt_fail_at(const char *file, int line, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4)));
void kt_die_at(const char *file, int line, const char *fmt, ...)
	__attribute__((__format__(__printf__, 3, 4), __noreturn__));
void kt_skip(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2), __noreturn__));
void kt_note(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2)));
const char *kt_err(int ret);	/* "ENXIO" of -ENXIO; for messages only */

#define kt_check(cond, ...) ({						\
	bool __ok = !!(cond);						\
	if (!__ok)							\
		kt_fail_at(__FILE__, __LINE__, __VA_ARGS__);		\
	__ok;								\
})

#define kt_assert(cond, ...) do {					\
	if (!(cond))							\
		kt_die_at(__FILE__, __LINE__, __VA_ARGS__);		\
} while (0)

bool kt_ret_at(const char *file, int line, int ret, int want,
	       const char *fmt, ...)
	__attribute__((__format__(__printf__, 5, 6)));

/* a wrapper returned what it should: 0 or -ERRNO */
#define kt_check_ret(ret, want, ...) \
	kt_ret_at(__FILE__, __LINE__, ret, want, __VA_ARGS__)

#define kt_assert_ret(ret, want, ...) do {				\
	int __ret = (ret), __want = (want);				\
	if (__ret != __want) {						\
		kt_ret_at(__FILE__, __LINE__, __ret, __want, __VA_ARGS__);	\
		kt_die_at(__FILE__, __LINE__, "cannot go on");		\
	}								\
} while (0)

/* ------------------------------------------------------------------------ */
/*
 * Registration. A file with tests ends with
 *
 *	KT_SUITE("send")
 *	{
 *		kt_test(size);
 *		kt_test_slow(everything, 180);	(seconds; else 60)
 *	}
 *
 * and is run because it is there. Suites run in the order of the paths of their
 * files; several files may share a suite. KT_SUITE_LATE: after all others, for
 * what does much at a time. The kernel reports a fault of memory or of locks once,
 * and the narrowest test that meets one tells most.
 */

struct kt_suite {
	const char *name;
	const char *file;
	bool late;
	void (*add_tests)(void);
};

#define KT_SUITE(name)			KT_SUITE_AT(name, false)
#define KT_SUITE_LATE(name)		KT_SUITE_AT(name, true)
#define KT_SUITE_AT(name, late)						\
	static void kt_add_tests(void);					\
	static const struct kt_suite kt_this_suite = {			\
		name, __FILE__, late, kt_add_tests,			\
	};								\
	static const struct kt_suite *const kt_this_suite_entry		\
		__attribute__((__used__, __section__("kt_suites"))) =	\
		&kt_this_suite;						\
	static void kt_add_tests(void)

void kt_add(const TTest *test, unsigned int timeout);
#define kt_test(test)			kt_add(test, 60)
#define kt_test_slow(test, secs)	kt_add(test, secs)

/* ------------------------------------------------------------------------ */
/* Processes, threads, time, chance */

/*
 * Run @fn in a child process as @uid and @gid (without groups, without
 * capabilities if @uid is not 0). The value it returns is its exit status.
 */
pid_t kt_fork_as(uid_t uid, gid_t gid, int (*fn)(void *arg), void *arg);
int kt_wait(pid_t pid);		/* exit status, or 128 + signal */
void kt_run_as(uid_t uid, gid_t gid, int (*fn)(void *arg), void *arg);
/* of the calling thread, which keeps its uid */
void kt_drop_caps(void);
void kt_set_caps(const cap_value_t *values, int n);	/* these and no other */
/* be another user, without capabilities, until kt_become(0) */
void kt_become(uid_t uid);
void kt_become_split(uid_t real, uid_t effective);

pthread_t kt_thread(void *(*fn)(void *arg), void *arg);
void kt_join(pthread_t t);
void kt_wait_asleep(pid_t tid);	/* until that thread of ours sleeps */
u64 kt_times_slept(pid_t tid);	/* without waking it */
pid_t kt_tid(void);
bool kt_parallel(void);		/* there is more than one processor */
bool kt_kernel_is_32bit(void);	/* whatever this program is */

u64 kt_now_ms(void);
/*
 * For races that chance decides: until @end, and as long after it as a busy
 * machine may need to get to what has to be seen.
 */
bool kt_go_on(u64 end, bool seen);
u32 kt_rand(u32 *state);
void kt_spin(u32 *state, u32 most);	/* for a while, at random */
void kt_fill(void *p, size_t n, u32 seed);
bool kt_filled(const void *p, size_t n, u32 seed);
bool kt_zero(const void *p, size_t n);

/* ------------------------------------------------------------------------ */
/* Memory and files */

/* @n bytes that end where an inaccessible page begins */
void *kt_guard(size_t n);
void *kt_guard_copy(const void *p, size_t n);
/* @n bytes of which all but the first @rw are in a read-only page */
void *kt_half_ro(const void *p, size_t n, size_t rw);
void *kt_unmapped(void);	/* an address, page aligned, with nothing there */
void *kt_noread(size_t n);	/* PROT_NONE memory */

#define KT_SEALS	(0x0002 | 0x0004 | 0x0008) /* shrink, grow, write */
int kt_memfd(u64 size, unsigned int seals, u32 seed);

int kt_read_file(const char *path, char *buf, size_t size);
bool kt_write_file(const char *path, const char *text);
unsigned int kt_count_fds(void);	/* to be compared with another count */
bool kt_booted_with(const char *option);	/* of the kernel */

/* ------------------------------------------------------------------------ */
/* Command structures with items */

struct blob {
	union {
		u64 size;
		u64 mem[36 * 1024 / 8];
		u8 raw[36 * 1024];
		struct kdbus_cmd_make make;
		struct kdbus_cmd_hello hello;
		struct kdbus_msg msg;
	};
};

void blob_init(struct blob *b, size_t fixed);
/* append an item; @data may be NULL for zeroes; size then covers the padding */
struct kdbus_item *blob_add(struct blob *b, u64 type, const void *data,
			    size_t len);
struct kdbus_item *blob_add_str(struct blob *b, u64 type, const char *str);
/* append an item of an ignored type so that size becomes exactly @size */
void blob_fill_to(struct blob *b, size_t size);

#define KT_ITEM_IGNORED		0x7777	/* no command knows this type */

/* ------------------------------------------------------------------------ */
/* Commands */

int kt_cmd(int fd, unsigned long nr, const void *arg);

struct bus {
	int fd;
	char name[64];
	char dir[160];
	char path[176];
};

int open_control(void);
void bus_name(char *name, size_t size);
void bus_paths(struct bus *bus);
void make_init(struct blob *b, u64 flags);
void make_add_bloom(struct blob *b, u64 size, u64 n_hash);
/* flags, bloom parameters and @name */
void make_std(struct blob *b, u64 flags, const char *name);
int bus_try_make(int control, u64 flags, const char *name);
void bus_make(struct bus *bus, u64 flags);
void bus_close(struct bus *bus);
bool path_exists(const char *path);

struct conn {
	int fd;
	u64 id;
	u64 pool_size;
	u8 *pool;
	struct kdbus_cmd_hello hello;
};

int open_endpoint(const struct bus *bus);
void hello_init(struct blob *b, u64 flags, u64 pool_size);
int hello(int fd, u64 flags, u64 pool_size);
int conn_try_open(struct conn *c, const struct bus *bus, u64 flags,
		  u64 pool_size);
void conn_open(struct conn *c, const struct bus *bus, u64 pool_size);
void conn_close(struct conn *c);
int conn_byebye(struct conn *c);

void msg_init(struct blob *b, u64 dst, u64 cookie);
struct kdbus_item *msg_vec(struct blob *b, const void *p, u64 size);
struct kdbus_item *msg_vec_at(struct blob *b, u64 address, u64 size);
struct kdbus_item *msg_memfd(struct blob *b, int fd, u64 size);
void msg_bloom(struct blob *b, size_t data_size);
int conn_send(struct conn *c, struct blob *b);
int conn_send_bytes(struct conn *c, u64 dst, u64 cookie, const void *p,
		    size_t n);
/* a message that takes @want bytes of a pool, with @p as its bytes */
int conn_send_want(struct conn *c, u64 dst, const void *p, size_t want);

int conn_recv_flags(struct conn *c, u64 flags, u64 *offset);
int conn_recv(struct conn *c, u64 *offset);
const struct kdbus_msg *conn_msg(const struct conn *c, u64 offset);
/* receive what must be there */
const struct kdbus_msg *conn_recv_msg(struct conn *c, u64 *offset);
int conn_free(struct conn *c, u64 offset);
/* receive and free everything; how many messages there were */
unsigned int conn_drain(struct conn *c);
/* a message of half the pool, the most an empty pool takes, fits */
void conn_check_pool_empty(struct conn *sender, struct conn *c);
int fd_poll(int fd, int timeout_ms);	/* revents */

/* items of a message in a pool */
const struct kdbus_item *item_first(const struct kdbus_msg *m);
const struct kdbus_item *item_next(const struct kdbus_msg *m,
				   const struct kdbus_item *item);
#define for_each_item(item, m) \
	for (item = item_first(m); item; item = item_next(m, item))
const struct kdbus_item *item_find(const struct kdbus_msg *m, u64 type,
				   unsigned int nth);

/*
 * The commands of the interface and the rules all of them obey. Tests of the
 * conventions run over this table; a later command is a row to add.
 */
enum kt_handle {
	KT_CONTROL,
	KT_ENDPOINT,
	KT_ENDPOINT_OWNER,
	KT_CONNECTED,
};

#define KT_WORD(at)	(1U << (at) / 8)

struct kt_cmd {
	const char *name;
	unsigned long nr;
	enum kt_handle on;
	size_t min, max;	/* size member; max 0: the structure has none */
	int too_small;
	int no_items;		/* how it fails if there is not a single item */
	bool items_first;	/* are judged before the flags */
	u64 mask;		/* flags it knows */
	size_t flags;		/* where in the structure */
	size_t kernel_flags;	/* 0: the structure has none */
	u32 results;		/* KT_WORD() of each other word it writes */
};

extern const struct kt_cmd kt_cmds[];
extern const unsigned int kt_n_cmds;

#endif /* KDBUS_TEST_UTIL_H */
