/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is fuzzed: programs. A program is a list of calls that a few threads
 * make: three of a privileged process, one of an unprivileged process and one of
 * a process that is root in a user namespace, each process with descriptors of
 * its own in numbered slots. Calls know what they are about: the words of an
 * argument can stand for the id of a connection, a descriptor, an offset in a
 * pool or an address, whatever that is when the call is made.
 *
 * A program has one spelling as text (text.c), a call to a line:
 *
 *	ordered
 *	0 open-bus s1 0
 *	0 hello s1 = 1 0 1fff 0 0 10000 0 0 0 0
 *	0 mmap s1 10000 1
 *	3 send s2 @guard fail=4 = 0 0 0 @1 0 1 7 0 {vec 64 &0} {fds #3}
 *
 * Thread, what to do, the slot, where the argument lies and which allocation or
 * access in it fails, then words in hexadecimal, and items:
 *
 *	=	size of it all		@S	id of slot S, any process's
 *	&N	address N of a buffer	#S	descriptor in slot S
 *	%S	last offset of slot S	+N	N ns from now
 *	?S	an earlier offset of S	^N	N and the number of the lap
 *	*S	where the last message of slot S is mapped
 *	$N	address N of memory that stalls
 *
 *	{TYPE*REPEAT/DELTA WORD... "string"~LENGTH!}
 *
 * DELTA is added to the item's size, LENGTH makes a long string of a short one,
 * "!" leaves its NUL out.
 *
 * In an ordered program a call waits until those above it were made, though not
 * for one that does not return; else threads go their own ways.
 *
 * Each thread has STALL_PAGES of memory that stalls: an access to a page waits
 * until a call "fill" names the thread and the page, or for as long as
 * STALL_LONGEST_NS says. A call that waits so is overtaken, in an ordered program
 * as well: this is how other things happen while its payload, or its argument
 * (at "@stall"), is copied. "unfill" makes a page stall again. What follows a
 * "fill" waits for the call that goes on, unless its third word is not 0.
 *
 * "idle 1" lets a thread run only while processors have nothing else to do: what
 * it holds when others begin to "pause", which takes a processor, it keeps.
 *
 * "again N TIMES" repeats the N calls of the thread before it; others do not wait
 * for it if a third word is not 0.
 *
 * Lines that begin with "#" say what a program is for.
 */
#ifndef KDBUS_FUZZ_H
#define KDBUS_FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <linux/kdbus.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef int32_t s32;
typedef uint64_t u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))

#define N_THREADS	5
#define N_PROCS		3
#define N_SLOTS		10	/* 0 is the bus, in the first process */
#define N_CALLS		48
#define N_WORDS		12
#define N_ITEMS		6
#define N_ITEM_WORDS	10
#define N_STR		24
#define TEXT_MAX	(128 * 1024)

/* of the unprivileged process, and of that in a user namespace */
#define T_USER		3
#define T_NAMESPACE	4

static inline unsigned int proc_of(unsigned int thread)
{
	return thread < T_USER ? 0 : thread - T_USER + 1;
}

/* the thread that a process begins with */
static inline unsigned int first_of(unsigned int proc)
{
	return proc ? proc + T_USER - 1 : 0;
}

/* memory of one thread that stalls: pages of payload, then its arguments */
#define STALL_PAYLOAD	8
#define STALL_PAGES	(STALL_PAYLOAD + 17)
#define STALL_LONGEST_NS 250000000ULL

enum word_kind {
	W_LITERAL,
	W_SIZE,			/* = */
	W_ID,			/* @ */
	W_ADDR,			/* & */
	W_FD,			/* # */
	W_OFFSET,		/* % */
	W_SOON,			/* + */
	W_OLD,			/* ? */
	W_LAP,			/* ^ */
	W_POOL,			/* * */
	W_STALL,		/* $ */
	N_WORD_KINDS,
};

/* does the value of such a word name a slot? */
static inline bool is_slot_word(u8 kind)
{
	return kind == W_ID || kind == W_FD || kind == W_OFFSET ||
	       kind == W_OLD || kind == W_POOL;
}

struct word {
	u8 kind;
	u64 value;
};

struct item {
	u64 type;
	s32 delta;
	u16 repeat;
	u8 n;
	bool has_str;
	bool no_nul;
	u16 length;		/* of the string, if longer than it is */
	char str[N_STR];
	struct word words[N_ITEM_WORDS];
};

/* where the argument of an ioctl lies */
enum place {
	P_PLAIN,
	P_GUARD,		/* ends where nothing is mapped */
	P_CUT,			/* its last word is not mapped */
	P_ODD,			/* not aligned */
	P_CONST,		/* read-only */
	P_NULL,
	P_SHARED,		/* where another thread scribbles */
	P_STALL,		/* a read of it waits */
	N_PLACES,
};

struct call {
	u8 thread;
	u8 op;			/* index of ops[] */
	u8 slot;
	u8 place;
	u8 fail;		/* nth fault, 0 for none */
	u8 n_words;
	u8 n_items;
	struct word words[N_WORDS];
	struct item items[N_ITEMS];
};

struct prog {
	bool ordered;
	u8 n;
	struct call calls[N_CALLS];
};

/* ------------------------------------------------------------------------ */
/* What there is to call: table.c */

enum slot_kind {
	S_NONE,
	S_CONTROL,
	S_ENDPOINT,
	S_CONN,
	S_FILE,			/* something else: memfd, pipe */
	S_OWNER,		/* made a domain or bus */
	S_EP_OWNER,
	N_SLOT_KINDS,
};

enum field_kind {
	F_SIZE,
	F_FLAGS,		/* of @mask */
	F_ZERO,			/* the kernel's to write */
	F_ID,
	F_DST,
	F_COOKIE,
	F_PRIORITY,
	F_OFFSET,
	F_PAYLOAD,
	F_TIMEOUT,
	F_POOL,
	F_SMALL,		/* below @mask */
	F_LEN,
	F_ADDR,
	F_FD,
	F_BITS,
	F_UID,
	F_STALL,		/* a page that stalls */
};

struct field {
	u8 kind;
	u64 mask;
};

struct item_info {
	const char *name;
	u64 type;
	u8 n;
	bool str;
	bool half;		/* words have 32 bits */
	bool list;		/* any number of words */
	struct field fields[4];
};

enum op_kind {
	O_IOCTL,
	O_OPEN_CONTROL,
	O_OPEN_BUS,
	O_CLOSE,
	O_DUP,
	O_MMAP,
	O_POLL,
	O_MEMFD,
	O_PIPE,
	O_KICK,
	O_SCRIBBLE,
	O_UNMAP,
	O_DONTNEED,
	O_FILL,
	O_UNFILL,
	O_PAUSE,
	O_AGAIN,
	O_FSUID,
	O_IDLE,
};

struct op_info {
	const char *name;
	u8 kind;
	u8 on;			/* which kind of slot it is for */
	u8 makes;		/* what the slot is afterwards, S_NONE: no change */
	u8 weight;
	unsigned long nr;
	u8 n;
	struct field fields[N_WORDS];
	s32 id;			/* which word the kernel writes an id to, or 0 */
	s32 offset;		/* or an offset */
	const char *items;	/* names of those that belong there */
	bool moves;		/* changes what calls under way rely on */
};

extern const struct op_info ops[];
extern const unsigned int n_ops;
extern const struct item_info item_infos[];
extern const unsigned int n_item_infos;
extern const char *const place_names[N_PLACES];

const struct item_info *item_info(u64 type);
const struct item_info *item_info_named(const char *name, size_t len);

/* ------------------------------------------------------------------------ */
/* text.c */

size_t prog_print(const struct prog *p, char *buf, size_t size);
/* 0, or the number of the line that is not understood */
unsigned int prog_parse(struct prog *p, const char *text);

/* ------------------------------------------------------------------------ */
/* gen.c, mutate.c */

extern u64 rng;

u32 rnd(u32 below);
static inline bool chance(u32 percent) { return rnd(100) < percent; }
void prog_generate(struct prog *p);
struct word gen_word(const struct field *f);
void gen_item(struct item *item, const struct item_info *info);
const struct item_info *gen_item_for(const struct op_info *op);
void gen_call(struct call *c, const struct prog *p, unsigned int at);
void prog_mutate(struct prog *p, const struct prog *other);
unsigned int op_of(unsigned long nr, u8 kind);
/* One that changes what a call that stalls relies on. */
void gen_move(struct call *c, const struct prog *p, unsigned int at);

/* ------------------------------------------------------------------------ */
/* cover.c */

#define COVER_WORDS	(64 * 1024)

extern bool cover_there;	/* the kernel tells */

void cover_init(void);
void cover_start(unsigned int thread);
void cover_reset(void);
/* Note how a call went: part of what counts as new. */
void cover_result(unsigned int op, int err, bool failed);
/* How much of what was seen since the reset had not been seen before. */
unsigned int cover_new(void);
unsigned int cover_total(void);

/* ------------------------------------------------------------------------ */
/* state.c, exec.c, pool.c */

struct result {
	s32 err[N_CALLS];	/* 0, errno, or -1: not made */
	bool failed[N_CALLS];	/* a fault was injected */
	char broken[256];	/* what was wrong, if anything */
};

extern const char *module;
extern const struct result *result;

u64 now(void);			/* ns of CLOCK_MONOTONIC */

void exec_init(void);
void exec_exit(void);		/* nothing runs, nothing is open */
/* False if the processes had to be killed. */
bool exec_prog(const struct prog *p);
void exec_broken(const char *fmt, ...)
	__attribute__((__format__(__printf__, 1, 2)));

/* Look at what the kernel put into a pool; complains with exec_broken(). */
void pool_check_msg(const u8 *pool, size_t size, u64 offset);
void pool_check_info(const u8 *pool, size_t size, u64 offset);
void pool_check_list(const u8 *pool, size_t size, u64 offset);

/* ------------------------------------------------------------------------ */
/* watch.c: what the kernel says */

void watch_init(void);
/* Print what it complained of since; false if it did not. */
bool watch_complaint(void);
bool watch_idle(void);		/* nothing but the bus is open */

#endif /* KDBUS_FUZZ_H */
