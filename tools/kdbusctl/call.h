/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls to a peer. All calls since call_begin() together wait as long as
 * ctl.timeout says, however many peers do not answer; call_open() begins.
 */
#ifndef KDBUSCTL_CALL_H
#define KDBUSCTL_CALL_H

#include "wire.h"

#define PROPERTIES	"org.freedesktop.DBus.Properties"
#define INTROSPECTABLE	"org.freedesktop.DBus.Introspectable"

void call_begin(void);
int call_open(struct kdb_conn **conn);
int call_address(struct kdb_msg *msg, const char *destination);
int call_run(struct kdb_conn *conn, struct wire *call, const int *fds,
	     struct wire *answer);
int call_strings(struct kdb_conn *conn, const char *destination,
		 const char *path, const char *interface, const char *member,
		 GVariant *body, const char *signature, struct wire *answer);
int call_check(const char *destination, const char *path,
	       const char *interface, const char *member);
void call_print(const char *signature, GVariant *body);

#endif
