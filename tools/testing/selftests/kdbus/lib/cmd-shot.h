/* SPDX-License-Identifier: GPL-2.0-only */
/* Every command once, with an argument with which it succeeds */
#ifndef KDBUS_TEST_CMD_SHOT_H
#define KDBUS_TEST_CMD_SHOT_H

#include "call.h"

/*
 * One command about to be issued: a handle and an argument with which it
 * succeeds. Whatever the test does to the argument first, a refused call must
 * leave a state in which the untouched argument still succeeds.
 */
struct shot {
	const struct kt_cmd *cmd;
	struct bus bus;
	struct conn conn, peer;
	struct call call;	/* that MSG_CANCEL ends */
	int fd;
	size_t len;
	struct blob good;
	struct blob late;	/* refused after the negotiation */
	int late_err;		/* by this error; 0: there is no such argument */
};

void put64(void *p, size_t at, u64 value);
u64 get64(const void *p, size_t at);

/* the bus must be there */
void shot_load(struct shot *s, const struct kt_cmd *cmd);
void shot_unload(struct shot *s);
int shot_fire(struct shot *s, const void *arg);
/* the refused call had no effect: the good one succeeds, and only that */
void shot_check_good(struct shot *s, const char *what);
void shot_each(void (*fn)(struct shot *s));

#endif /* KDBUS_TEST_CMD_SHOT_H */
