/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Metadata: what the tests of it share
 *
 * meta-util.c	reading it, commands about it
 * meta-facts.c	what it should be, by what /proc and the C library say
 * meta-proc.c	senders that are other programs, or in other namespaces
 */
#ifndef KDBUS_TEST_META_UTIL_H
#define KDBUS_TEST_META_UTIL_H

#include "cast.h"

#define ALL		((u64)_KDBUS_ATTACH_ALL)
#define STAMP		((u64)KDBUS_ATTACH_TIMESTAMP)
#define CREDS		((u64)KDBUS_ATTACH_CREDS)
#define AUXGROUPS	((u64)KDBUS_ATTACH_AUXGROUPS)
#define NAMES		((u64)KDBUS_ATTACH_NAMES)
#define TID_COMM	((u64)KDBUS_ATTACH_TID_COMM)
#define PID_COMM	((u64)KDBUS_ATTACH_PID_COMM)
#define EXE		((u64)KDBUS_ATTACH_EXE)
#define CMDLINE		((u64)KDBUS_ATTACH_CMDLINE)
#define CGROUP		((u64)KDBUS_ATTACH_CGROUP)
#define CAPS		((u64)KDBUS_ATTACH_CAPS)
#define SECLABEL	((u64)KDBUS_ATTACH_SECLABEL)
#define AUDIT		((u64)KDBUS_ATTACH_AUDIT)
#define CONN_NAME	((u64)KDBUS_ATTACH_CONN_NAME)
#define N_ATTACH	13

/* about a task; what is recorded of one that opens a node */
#define TASK		(CREDS | AUXGROUPS | TID_COMM | PID_COMM | EXE | \
			 CMDLINE | CGROUP | CAPS | SECLABEL | AUDIT)
#define RECORD		(TASK & ~AUXGROUPS)

#define ACT		KDBUS_HELLO_ACTIVATOR
#define HOLDER		KDBUS_HELLO_POLICY_HOLDER
#define MON		KDBUS_HELLO_MONITOR

extern const u64 meta_types[N_ATTACH];	/* by number of the flag */

/* ------------------------------------------------------------------------ */
/* The items of a message or of an info, checked for form */

struct meta {
	const struct kdbus_item *items[160];
	unsigned int n;
};

void meta_of_msg(struct meta *m, const struct kdbus_msg *msg);
void meta_of_info(struct meta *m, const struct kdbus_info *info);
const struct kdbus_item *meta_find(const struct meta *m, u64 type,
				   unsigned int nth);
u64 meta_bits(const struct meta *m);	/* which kinds there are */
void meta_expect_bits(const struct meta *m, u64 bits, const char *what);
/* names and their flags, in this order, and no other; NULL ends */
void meta_expect_names(const struct meta *m, const char *const *names,
		       const u64 *flags);
void meta_expect_str(const struct meta *m, u64 type, const char *str);
const struct kdbus_creds *meta_creds(const struct meta *m);
const struct kdbus_timestamp *meta_stamp(const struct meta *m);

/* the next message has this cookie; not freed: @m points into it */
const struct kdbus_msg *meta_recv(struct conn *c, u64 cookie, struct meta *m);
/* the same, and it has exactly this; it is freed */
void meta_recv_bits(struct conn *c, u64 cookie, u64 bits);
/* the same, and it is the byte 'x' and nothing else */
void meta_recv_bare(struct conn *c, u64 cookie);

/* ------------------------------------------------------------------------ */
/* Commands */

/* HELLO on @fd, or an opened node if that is -1, with what @b says */
int conn_try_hello(struct conn *c, const struct bus *bus, int fd,
		   struct blob *b);
void conn_hello(struct conn *c, const struct bus *bus, struct blob *b);
/* a connection with this attach mask, named if @name is not NULL */
void meta_open(struct conn *c, const struct bus *bus, u64 mask,
	       const char *name);
void meta_special(struct conn *c, const struct bus *bus, u64 flags, u64 mask,
		  const char *name);
void send_ok(struct conn *from, struct conn *to, u64 cookie);
/* from now on, free memory of the pool of @to is not zero */
void meta_dirty(struct conn *from, struct conn *to);

void update_init(struct blob *b, u64 flags);
void update_add_mask(struct blob *b, u64 mask);
int update(struct conn *c, struct blob *b);
void update_mask(struct conn *c, u64 mask);	/* which must work */

void info_init(struct blob *b, u64 id, const char *name, u64 flags);
/* CONN_INFO or BUS_CREATOR_INFO with what @b says */
int info_cmd(struct conn *c, unsigned long nr, struct blob *b,
	     const struct kdbus_info **info);
int conn_info(struct conn *c, u64 id, const char *name, u64 flags,
	      const struct kdbus_info **info);
/* must work; @m stays valid because nothing is freed */
const struct kdbus_info *conn_info_meta(struct conn *c, u64 id, u64 flags,
					struct meta *m);
const struct kdbus_info *creator_info_meta(struct conn *c, u64 flags,
					   struct meta *m);
int info_free(struct conn *c, const struct kdbus_info *info);

/* a custom endpoint of @bus; with @name, everybody has @access to that */
int endpoint_make(struct bus *ep, const struct bus *bus, const char *name,
		  u64 access);

/* ------------------------------------------------------------------------ */
/* What is to be told about a task */

#define MAX_GROUPS	65536

struct facts {
	struct kdbus_creds creds;
	u64 groups[MAX_GROUPS];
	unsigned int n_groups;
	char tid_comm[32], pid_comm[32];
	char exe[4096], cgroup[4096], label[4096];
	u8 cmdline[4096];
	size_t cmdline_len;
	u32 caps[9];
	struct kdbus_audit audit;
	bool has_audit;
};

struct facts *facts_new(void);		/* in memory that children share */
/* whether it knows the legacy hierarchies without a controller */
bool kernel_tells_cgroup(void);
void facts_now(struct facts *f);	/* about the calling thread */
u64 facts_bits(const struct facts *f);	/* of TASK */
/* the kinds in @bits are there and right, as far as @f has them */
void facts_check(const struct facts *f, const struct meta *m, u64 bits,
		 const char *what);
/* exactly those of @bits that @f has, right; names and others in @more */
void facts_expect(const struct facts *f, const struct meta *m, u64 bits,
		  u64 more, const char *what);
/* the next message of @c; it is freed */
void facts_recv(const struct facts *f, struct conn *c, u64 cookie, u64 bits,
		u64 more);
u64 stat_field(unsigned int n);		/* of /proc/self/stat, from 1 */
u64 read_number(const char *path, u64 otherwise);

/* ------------------------------------------------------------------------ */
/* Other programs, other namespaces */

/*
 * Programs made of this one: they send a message, having done before what is
 * asked for, and end with its error.
 */
struct prog {
	const char *path;	/* /proc/self/exe if NULL */
	char *const *argv;	/* something if NULL */
	const char *unlink;	/* first remove this file */
	const char *chroot;	/* first make this the root directory */
	const char *then;	/* "rename A B", "unlink A", "chroot A", or, of
				 * a mount, "move A B", "detach A", between two
				 * messages, the second with the next cookie;
				 * before the facts
				 */
	struct facts *facts;	/* shared: filled by the program */
};

void prog_exec(const struct prog *p, struct conn *from, u64 dst, u64 cookie)
	__attribute__((__noreturn__));
void prog_run(const struct prog *p, struct conn *from, u64 dst, u64 cookie);
void prog_copy(const char *path);	/* of this program */

/* the argument area is these bytes */
void set_args(void *p, size_t n);

/*
 * Run @fn in a child in new namespaces (CLONE_NEW*), which shares our
 * descriptors. With CLONE_NEWUSER, uid and gid become @as there, -1 for no
 * mapping. What @fn returns must be less than 256.
 */
int ns_run(unsigned long ns, int as, int (*fn)(void *arg), void *arg);
int ns_open(unsigned long ns, const struct bus *bus);	/* the node */
/* its node is opened there, HELLO is ours */
void ns_conn_open(struct conn *c, const struct bus *bus, unsigned long ns,
		  u64 flags, u64 mask, const char *name);
/* the other way round */
void ns_hello(struct conn *c, const struct bus *bus, unsigned long ns,
	      struct blob *h);
void ns_send(unsigned long ns, struct conn *from, u64 dst, u64 cookie);

#endif /* KDBUS_TEST_META_UTIL_H */
