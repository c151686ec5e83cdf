// SPDX-License-Identifier: GPL-2.0
/*
 * kdbusctl call, emit
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "bloom.h"
#include "body.h"
#include "call.h"

#define MAX_FDS	253

static uint64_t call_deadline;

void call_begin(void)
{
	call_deadline = kdb_deadline(ctl.timeout);
}

int call_open(struct kdb_conn **conn)
{
	call_begin();
	return bus_open(conn, KDB_OPTIONS(.flags = KDB_OPEN_FDS,
					  .name = "kdbusctl"));
}

/* To a well-known name, or to a connection as :1.7 */
int call_address(struct kdb_msg *msg, const char *destination)
{
	uint64_t id;

	if (!bus_unique_id(destination, &id))
		return kdb_msg_to_name(msg, destination);
	kdb_msg_to_id(msg, id);
	return 0;
}

/* Says what is wrong with words of the command line, which may be NULL. */
int call_check(const char *destination, const char *path,
	       const char *interface, const char *member)
{
	if (destination && !wire_is_destination(destination))
		return usage("%s: not the name of a peer", destination);
	if (path && !g_variant_is_object_path(path))
		return usage("%s: not the path of an object", path);
	if (interface && !wire_is_interface(interface))
		return usage("%s: not the name of an interface", interface);
	if (member && !wire_is_member(member))
		return usage("%s: not the name of a member", member);
	return 0;
}

/* The message is shown as it came, and why it is not shown otherwise. */
static int call_foreign(const struct wire *call, struct kdb_view *view,
			const char *why)
{
	size_t size = kdb_view_size(view);
	guint8 *data = g_try_malloc(size);

	if (!ctl.quiet && data && kdb_view_copy(view, data, size) == 0)
		body_hex(data, size);
	g_free(data);
	return fail_plain("%s: what %s has answered is no message of D-Bus: %s",
			  call->member, call->destination, why);
}

static int call_error(const struct wire *call, const struct wire *answer)
{
	g_autofree char *text = NULL;
	GVariant *first = NULL;
	int r;

	if (answer->body)
		first = g_variant_get_child_value(answer->body, 0);
	if (first && g_variant_is_of_type(first, G_VARIANT_TYPE_STRING)) {
		const char *raw = g_variant_get_string(first, NULL);

		text = text_escape(raw, strlen(raw));
	}
	r = fail_plain("%s: %s%s%s", call->member, answer->error_name,
		       text ? ": " : "", text ?: "");
	if (first)
		g_variant_unref(first);
	return r;
}

static int call_answered(const struct wire *call, struct kdb_view *view,
			 struct wire *answer)
{
	const char *why = wire_read(answer, view);

	if (!why && answer->type != WIRE_RETURN && answer->type != WIRE_ERROR)
		why = "it is of another type than an answer";
	if (!why && answer->reply_cookie != call->cookie)
		why = "it answers something else";
	if (why)
		return call_foreign(call, view, why);
	if (answer->type == WIRE_ERROR)
		return call_error(call, answer);
	if (answer->note && !ctl.quiet)
		g_printerr("kdbusctl: %s: %s in the answer\n", call->member,
			   answer->note);
	return 0;
}

static int call_failed(int error, const struct wire *call)
{
	if (error == -EPIPE)
		return fail(error, "%s: %s is gone, or does not want it",
			    call->member, call->destination);
	if (error == -ETIMEDOUT)
		return fail(error, "%s: no answer from %s", call->member,
			    call->destination);
	return bus_fail_peer(error, call->destination);
}

static int call_exchange(struct kdb_msg *msg, const struct wire *call,
			 struct wire *answer)
{
	struct kdb_view *view;
	int r;

	if (!answer) {
		r = kdb_send(msg);
		return r < 0 ? call_failed(r, call) : 0;
	}
	r = kdb_call(msg, call_deadline, &view);
	if (r < 0)
		return call_failed(r, call);
	r = call_answered(call, view, answer);
	kdb_view_release(view);
	return r;
}

/*
 * Sends a call that has all but its cookie. answer is NULL if there is to be
 * none, and is cleared by the caller in any case.
 */
int call_run(struct kdb_conn *conn, struct wire *call, const int *fds,
	     struct wire *answer)
{
	struct kdb_msg *msg;
	int r;

	if (answer)
		*answer = (struct wire){ 0 };
	r = kdb_msg_new(conn, &msg);
	if (r < 0)
		return fail(r, "message");
	call->type = WIRE_CALL;
	call->cookie = kdb_cookie(conn);
	call->flags = (answer ? 0 : WIRE_NO_REPLY) |
		      (ctl.no_start ? WIRE_NO_AUTO_START : 0);
	kdb_msg_set_no_start(msg, ctl.no_start);
	r = call_address(msg, call->destination);
	if (r == 0)
		r = wire_put(msg, call);
	if (r == 0 && call->n_fds)
		r = kdb_msg_put_fds(msg, fds, call->n_fds);
	if (r < 0)
		r = fail(r, "%s", call->destination);
	else
		r = call_exchange(msg, call, answer);
	kdb_msg_free(msg);
	return r;
}

/* The same for a call of this program's own; body may be floating. */
int call_strings(struct kdb_conn *conn, const char *destination,
		 const char *path, const char *interface, const char *member,
		 GVariant *body, const char *signature, struct wire *answer)
{
	struct wire call = {
		.destination	= destination,
		.path		= path,
		.interface	= interface,
		.member		= member,
		.signature	= signature,
		.body		= body ? g_variant_ref_sink(body) : NULL,
	};
	int r = call_run(conn, &call, NULL, answer);

	wire_clear(&call);
	return r;
}

/* Arguments, as call and get-property print them: s "text" */
void call_print(const char *signature, GVariant *body)
{
	g_autofree char *words = NULL;
	struct json json;

	if (ctl.quiet)
		return;
	if (ctl.json != JSON_OFF) {
		json_begin(&json);
		body_json_message(&json, signature, body);
		json_end(&json);
		return;
	}
	if (!body)
		return;
	words = ctl.verbose ? body_lines(body, 0) : body_words(body);
	if (ctl.verbose)
		fputs(words, stdout);
	else
		printf("%s %s\n", signature, words);
}

/* Arguments from the command line; nothing if there is no signature */
static int call_arguments(struct wire *call, char **argv, int *fds)
{
	g_autofree char *why = NULL;
	size_t n_fds = 0;

	if (!argv[0] || !*argv[0])
		return argv[0] && argv[1] ?
			usage("'%s': there is no signature", argv[1]) : 0;
	call->signature = argv[0];
	call->body = body_parse(argv[0], argv + 1, fds, &n_fds, &why);
	call->n_fds = n_fds;
	return call->body ? 0 : usage("%s: %s", call->member, why);
}

/* DEST PATH IFACE METHOD [SIGNATURE [ARGUMENT]...] */
int verb_call(int argc, char **argv)
{
	struct wire answer = { 0 }, call = {
		.destination	= argv[1],
		.path		= argv[2],
		.interface	= argv[3],
		.member		= argv[4],
	};
	struct kdb_conn *conn;
	int fds[MAX_FDS];
	int r;

	(void)argc;
	r = call_check(argv[1], argv[2], argv[3], argv[4]) ?:
	    call_arguments(&call, argv + 5, fds) ?: call_open(&conn);
	if (r == 0) {
		r = call_run(conn, &call, fds, ctl.no_reply ? NULL : &answer);
		if (r == 0 && !ctl.no_reply)
			call_print(answer.signature, answer.body);
		kdb_close(conn);
	}
	wire_clear(&answer);
	wire_clear(&call);
	return r;
}

/* A broadcast, or a signal to one peer */
static int emit_send(struct kdb_conn *conn, struct wire *signal,
		     const int *fds)
{
	struct kdb_msg *msg;
	int r;

	r = kdb_msg_new(conn, &msg);
	if (r < 0)
		return fail(r, "message");
	signal->cookie = kdb_cookie(conn);
	if (signal->destination)
		r = call_address(msg, signal->destination);
	else
		r = kdb_msg_to_all(msg) ?: bloom_tell(msg, signal);
	if (r == 0)
		r = wire_put(msg, signal);
	if (r == 0 && signal->n_fds)
		r = kdb_msg_put_fds(msg, fds, signal->n_fds);
	if (r == 0)
		r = kdb_send(msg);
	if (r < 0 && signal->destination)
		r = bus_fail_peer(r, signal->destination);
	else if (r < 0)
		r = fail(r, "%s", signal->member);
	kdb_msg_free(msg);
	return r;
}

/* PATH IFACE SIGNAL [SIGNATURE [ARGUMENT]...] */
int verb_emit(int argc, char **argv)
{
	struct wire signal = {
		.type		= WIRE_SIGNAL,
		.flags		= WIRE_NO_REPLY,
		.destination	= ctl.destination,
		.path		= argv[1],
		.interface	= argv[2],
		.member		= argv[3],
	};
	struct kdb_conn *conn;
	int fds[MAX_FDS];
	int r;

	(void)argc;
	r = call_check(ctl.destination, argv[1], argv[2], argv[3]) ?:
	    call_arguments(&signal, argv + 4, fds) ?: call_open(&conn);
	if (r == 0) {
		r = emit_send(conn, &signal, fds);
		kdb_close(conn);
	}
	wire_clear(&signal);
	return r;
}
