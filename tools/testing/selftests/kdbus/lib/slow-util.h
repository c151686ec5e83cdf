/* SPDX-License-Identifier: GPL-2.0-only */
/* Memory that is filled when a test likes, and sends that read it */
#ifndef KDBUS_TEST_SLOW_UTIL_H
#define KDBUS_TEST_SLOW_UTIL_H

#include "call.h"

#define SLOW_PAGES	4
#define SLOW_LEN	(SLOW_PAGES * KT_PAGE)

struct slow_mem {
	int uffd;
	u8 *area;		/* SLOW_LEN bytes that nobody has filled */
};

/* ends the test if the kernel cannot do this; to be called as root */
void slow_mem_init(struct slow_mem *mem);
/* returns the number of the page somebody waits for */
unsigned int slow_mem_wait(struct slow_mem *mem);
/* 'a' in the first page, 'b' in the second, ... */
void slow_mem_fill(struct slow_mem *mem, unsigned int page);
bool slow_mem_filled(const void *p);

/* a message whose payload is such memory, sent by a thread */
struct slow_send {
	struct slow_mem mem;
	struct conn *c;
	struct blob m;		/* as msg_init() made it */
	int ret;
	bool done;
	pthread_t thread;
};

/* when this returns, the sender is in the middle of sending ->m */
void slow_send_start(struct slow_send *s, struct conn *c);
void slow_send_to(struct slow_send *s, struct conn *c, u64 dst,
		  const char *name);
void slow_send_check_stuck(struct slow_send *s);
int slow_send_end(struct slow_send *s);
int slow_send_fault(struct slow_send *s);	/* its memory goes instead */

/* fn() in a thread of its own must come back though a sender is stuck */
void *must_return(void *(*fn)(void *arg), void *arg, const char *what);

#endif /* KDBUS_TEST_SLOW_UTIL_H */
