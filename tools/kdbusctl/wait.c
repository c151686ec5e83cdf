// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl wait
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>

#include "ctl.h"

/* Each change is a reason to look at the name again. */
static int wait_changed(struct kdb_conn *conn, const char *name,
			uint64_t old_id, uint64_t new_id, void *arg)
{
	(void)conn;
	(void)name;
	(void)old_id;
	(void)new_id;
	(void)arg;
	return 0;
}

/* An activator that holds a name is no service. Returns 1 with its id in id. */
static int wait_look(struct kdb_conn *conn, const char *name, uint64_t *id)
{
	struct kdb_info *info;
	int r = kdb_info_of_name(conn, name, 0, &info);

	if (r == -ESRCH)
		return 0;
	if (r < 0)
		return r;
	*id = kdb_info_id(info);
	r = !(kdb_info_flags(info) & KDBUS_HELLO_ACTIVATOR);
	kdb_info_release(info);
	return r;
}

static int wait_until(struct kdb_conn *conn, const char *name,
		      uint64_t deadline, uint64_t *id)
{
	int r;

	for (;;) {
		r = wait_look(conn, name, id);
		if (r != 0)
			return r < 0 ? r : 0;
		r = kdb_wait(conn, deadline);
		if (r < 0 && r != -EINTR)
			return r;
		do {
			r = kdb_process(conn);
		} while (r > 0);
		if (r < 0)
			return r;
	}
}

int verb_wait(int argc, char **argv)
{
	uint64_t deadline = KDB_NO_DEADLINE, id = 0;
	struct kdb_conn *conn;
	int r;

	(void)argc;
	if (ctl.timeout_set)
		deadline = kdb_deadline(ctl.timeout);
	r = bus_open(&conn, KDB_OPTIONS(.name = "kdbusctl"));
	if (r)
		return r;
	r = kdb_name_watch(conn, argv[1], wait_changed, NULL, NULL);
	if (r == 0)
		r = wait_until(conn, argv[1], deadline, &id);
	if (r < 0)
		r = fail(r, "%s", argv[1]);
	else if (!ctl.quiet)
		printf(":1.%" PRIu64 "\n", id);
	kdb_close(conn);
	return r;
}
