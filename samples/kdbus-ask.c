// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-ask - a client that does not wait for one answer before the next question
 *
 *   kdbus-ask BUS NAME TEXT [N]	ask the owner of NAME, N times at once
 */
#include "sample.h"

static int print(struct kdb_conn *conn, int error, struct kdb_view *view, void *left)
{
	/* without an answer there is the reason, and no message */
	if (error < 0)
		fprintf(stderr, "no answer: %s\n", strerror(-error));
	else
		print_payload(view);
	if (--*(long *)left == 0)
		kdb_stop(conn);
	return error < 0 ? error : KDB_DONE;
}

int main(int argc, char **argv)
{
	struct kdb_conn *conn;
	struct kdb_msg *msg;
	long left, i;

	if (argc != 4 && argc != 5)
		errx(2, "usage: kdbus-ask BUS NAME TEXT [N]");
	left = argc == 5 ? atol(argv[4]) : 1;
	if (left < 1)
		errx(2, "%s: not a number of times", argv[4]);
	conn = connect_to(argv[1]);
	msg = message_to(conn, argv[2], argv[3]);
	for (i = left; i > 0; i--)
		must(kdb_call_async(msg, kdb_deadline(PATIENCE_NS), print, &left,
				    NULL), argv[2]);
	must(kdb_serve(conn), argv[2]);
	kdb_msg_free(msg);
	kdb_close(conn);
	return 0;
}
