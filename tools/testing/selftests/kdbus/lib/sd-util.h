/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What sd-bus of systemd v217 does with a bus, in its own words to the kernel:
 * the same commands, items, sizes, orders and flags. For the tests of
 * sd-bus-wire.md.
 */
#ifndef KDBUS_TEST_SD_UTIL_H
#define KDBUS_TEST_SD_UTIL_H

#include "cast.h"

#define SD_POOL		(16 * MIB)
#define SD_BLOOM	64
#define SD_HASHES	8

/* metadata that the various programs ask for */
#define SD_PLAIN	0x8ULL		/* user bus, tools, proxy */
#define SD_SYSTEM	0x20aULL	/* system bus */
#define SD_MONITOR	0x1ffbULL
#define SD_PID1		0x1fffULL	/* activators, policy holders */

/* 25 s, of a coarse clock */
#define SD_TIMEOUT	25000000000ULL

/* flags of the message header */
#define SD_NO_REPLY	1
#define SD_NO_START	2

/* BLOOM_PARAMETER, then MAKE_NAME; a name nobody has if @name is NULL */
int sd_bus_try_make(struct bus *bus, u64 flags, const char *name);
void sd_bus_make(struct bus *bus, u64 flags);

struct sd_hello {
	u64 flags;
	u64 attach;
	const char *conn_name;		/* on the wire; sd-user if NULL */
	const struct kdbus_creds *creds;
	const char *label;
};

int sd_open(const struct bus *bus);
/* HELLO and the mapping, on a descriptor that is open */
int sd_hello_fd(struct conn *c, int fd, const struct sd_hello *h);
int sd_try_connect(struct conn *c, const struct bus *bus,
		   const struct sd_hello *h);
/* with ACCEPT_FD */
void sd_connect(struct conn *c, const struct bus *bus, u64 attach);
void sd_monitor(struct conn *c, const struct bus *bus);

/* what PID 1 has for each .busname unit: never mapped, c->pool is NULL */
struct sd_grant {
	u64 type, id, access;
};

int sd_try_busname(struct conn *c, const struct bus *bus, u64 flags,
		   const char *name, const struct sd_grant *grants,
		   unsigned int n);
void sd_activator(struct conn *c, const struct bus *bus, const char *name);

/* Message format version 2: 16 bytes and the field array, padded */
struct sd_msg {
	u8 raw[16 + 256 + 8];
	size_t size;
	unsigned int n;
	u8 ends[16];
};

void sd_begin(struct sd_msg *h, u8 type, u8 flags, u32 cookie);
void sd_field(struct sd_msg *h, u8 code, char type, const char *value);
void sd_field_u(struct sd_msg *h, u8 code, u32 value);
void sd_end(struct sd_msg *h, u32 body);

/* the message of section 6: com.example.Calc1.Add, without the body */
void sd_call(struct sd_msg *h, u8 flags, u32 cookie, const char *dst);
void sd_return(struct sd_msg *h, u32 cookie, u32 cookie_reply, u64 dst);
void sd_signal(struct sd_msg *h, u32 cookie);
void sd_unique(char *text, u64 id);	/* at least 24 bytes */

/*
 * The kernel's header and the first items; parts of the body, filter, and
 * descriptors may follow. By name if @name is not NULL.
 */
void sd_msg_init(struct blob *b, const struct sd_msg *h, u64 dst,
		 const char *name);
/* the size ends right behind the payload of the last item */
int sd_send(struct conn *c, struct blob *b);
/* complete messages without body */
int sd_send_call(struct conn *c, u8 flags, u32 cookie, u64 dst,
		 const char *name);
int sd_send_return(struct conn *c, u32 cookie, u32 cookie_reply, u64 dst);
int sd_send_signal(struct conn *c, u32 cookie, const u8 *filter);

/*
 * What a receiver demands of the items (4.3): one stream, whose first item has
 * header and fields, and whose length is what the header says. The stream is
 * copied to @buf. How long it is; 0 after a failed check.
 */
size_t sd_read(const struct conn *c, const struct kdbus_msg *m, u8 *buf,
	       size_t size);
/* the next message is the one with this header, and well-formed; freed */
void sd_expect(struct conn *c, const struct sd_msg *h, u64 src, u64 dst);

/* a match rule (section 8) */
struct sd_rule {
	u64 sender;		/* of sender=':1.N' */
	const u8 *mask;		/* one generation */
	const char *name;	/* sender= another name */
	bool notes;		/* could match NameOwnerChanged */
	const char *arg0;	/* a well-known name */
	u64 arg0_id, arg1, arg2; /* :1.N */
};

int sd_add_match(struct conn *c, u64 cookie, const struct sd_rule *r);
int sd_remove_match(struct conn *c, u64 cookie);

int sd_name(struct conn *c, unsigned long nr, const char *name, u64 *flags);
int sd_request_name(struct conn *c, const char *name, u64 flags);
int sd_release_name(struct conn *c, const char *name);

/* CONN_INFO, by name if @name is not NULL; @creator: BUS_CREATOR_INFO */
int sd_info(struct conn *c, u64 id, const char *name, u64 flags, u64 *off);
int sd_creator(struct conn *c, u64 *off);
const struct kdbus_info *sd_info_at(const struct conn *c, u64 off);
const struct kdbus_item *sd_info_item(const struct kdbus_info *i, u64 type,
				      unsigned int nth);

/* what epoll, asked for EPOLLIN only, has to say now */
u32 sd_epoll(int fd);

/*
 * Run this program again, in a child, with @keep as its descriptor 3 and
 * nothing else. It does what @what says and ends with status 0, or an errno:
 * "wait": until nobody has the other end of the pipe that is its input;
 * "drop": MSG_RECV with DROP; "poll": wait for EPOLLIN and nothing else;
 * "grant": ENDPOINT_UPDATE that lets uid SD_SERVICE own SD_NAME
 */
pid_t sd_exec(const char *what, int keep, int *input);

#define SD_NAME		"com.example.Calc"
#define DRIVER		"org.freedesktop.DBus"
#define SD_SERVICE	20201

#endif /* KDBUS_TEST_SD_UTIL_H */
