/* SPDX-License-Identifier: GPL-2.0-only */
/* What the tests of the library share */
#ifndef KDBUS_LIB_TEST_H
#define KDBUS_LIB_TEST_H

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <kdbus/kdbus.h>

#include "util.h"

#define NAME_A	"com.example.a"
#define NAME_B	"com.example.b"
#define POOL	(256 * KIB)

/* as long as a broken test may wait */
#define LONG_NS	20000000000ULL
#define SHORT_NS	1000000ULL

extern struct bus bus;		/* of root, for everybody */

/* KDB_OPEN_V1 in the second of the two runs of a test */
extern u64 how;

/*
 * A test that is run with the extensions of the kernel and without:
 *
 *	KL_TEST(name)
 *	{
 *	}
 *	KT_SUITE("suite")
 *	{
 *		kl_test(name);
 *	}
 */
#define KL_TEST(name)							\
	static void name(void);						\
	START_TEST(name##_turns)					\
	{								\
		how = 0;						\
		name();							\
	}								\
	END_TEST							\
	START_TEST(name##_v1)						\
	{								\
		how = KDB_OPEN_V1;					\
		name();							\
	}								\
	END_TEST							\
	static void name(void)

#define kl_test(name) do {						\
	kt_test(name##_turns);						\
	kt_test(name##_v1);						\
} while (0)

/*
 * A function of the library fails as its description says. check-errors looks for
 * these: kl_fails(EINVAL, kdb_send(msg)).
 */
#define kl_fails(error, call)						\
	kt_check_ret(call, -(error), "%s", #call)
#define kl_ok(call)							\
	kt_assert_ret(call, 0, "%s", #call)

void kl_bus(void);
struct kdb_conn *kl_open_with(u64 flags, size_t pool);
struct kdb_conn *kl_open(void);
struct kdb_conn *kl_open_fds(void);
/* everything was released */
void kl_close(struct kdb_conn *conn);

struct kdb_msg *kl_msg(struct kdb_conn *conn);
struct kdb_msg *kl_msg_to(struct kdb_conn *conn, const struct kdb_conn *to,
			  const char *text);
void kl_send(struct kdb_conn *conn, const struct kdb_conn *to, const char *text);
/* receive what must be there, and look at it */
struct kdb_view *kl_recv(struct kdb_conn *conn);
bool kl_is(struct kdb_view *view, const char *text);
void kl_got(struct kdb_conn *conn, const char *text);
/* how much of the pool is taken, without what is parked */
u64 kl_used(struct kdb_conn *conn);

/*
 * From now on no descriptor can be had, or again all. Fails where that cannot be: with
 * valgrind, which has that limit for itself.
 */
bool kl_no_descriptors(bool yes);
bool kl_valgrind(void);

/* A handler that answers with what it was sent; *arg counts. */
int kl_echo(struct kdb_conn *conn, struct kdb_view *view, struct kdb_msg *reply,
	    void *arg);

/* Run @fn in a thread with a connection, which serves until it is stopped. */
struct kl_server {
	struct kdb_conn *conn;
	pthread_t thread;
	int result;
};

void kl_serve(struct kl_server *server, kdb_message_fn fn, void *arg);
/* by a message "stop", which kl_echo() understands */
void kl_serve_end(struct kl_server *server, struct kdb_conn *from);

/*
 * The program's own ioctl(), which can play an older kernel: one that does not know
 * these flags; which counts, and keeps the argument of the last command with items.
 */
extern u64 kl_unknown_flags;
extern unsigned int kl_ioctls;
extern union kl_arg {
	struct kdbus_msg msg;
	struct kdbus_cmd_match match;
	u8 raw[8192];
} kl_arg;

/* malloc(), calloc() and realloc(): those made, and the one that fails, from 1 on */
extern unsigned int kl_allocs;
extern unsigned int kl_alloc_fails;

#endif
