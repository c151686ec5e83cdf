// SPDX-License-Identifier: GPL-2.0
#include <errno.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <sys/signalfd.h>

#include "rule.h"
#include "watch.h"

#define DBUS_NAME	"org.freedesktop.DBus"
#define DBUS_PATH	"/org/freedesktop/DBus"
#define NO_REPLY	"org.freedesktop.DBus.Error.NoReply"

static void unique_name(char *name, size_t size, uint64_t id)
{
	if (id)
		g_snprintf(name, size, ":1.%" PRIu64, id);
	else
		*name = '\0';
}

/* For D-Bus, an activator owns nothing, nor does a queued connection. */
static uint64_t notice_id(uint64_t id, uint64_t flags)
{
	if (flags & (KDBUS_NAME_ACTIVATOR | KDBUS_NAME_IN_QUEUE))
		return 0;
	return id;
}

static void seen_owner(struct wire *wire, const struct kdb_notice *notice)
{
	bool name = notice->type == KDBUS_ITEM_NAME_ADD ||
		    notice->type == KDBUS_ITEM_NAME_REMOVE ||
		    notice->type == KDBUS_ITEM_NAME_CHANGE;
	char old_id[32], new_id[32];
	const char *about;

	unique_name(old_id, sizeof(old_id), name ?
		    notice_id(notice->old_id, notice->old_flags) :
		    notice->old_id);
	unique_name(new_id, sizeof(new_id), name ?
		    notice_id(notice->new_id, notice->new_flags) :
		    notice->new_id);
	about = name ? notice->name : *old_id ? old_id : new_id;
	wire->type = WIRE_SIGNAL;
	wire->path = DBUS_PATH;
	wire->interface = DBUS_NAME;
	wire->member = "NameOwnerChanged";
	wire->signature = "sss";
	wire->body = g_variant_ref_sink(g_variant_new("(sss)", about, old_id,
						      new_id));
}

static void seen_no_reply(struct wire *wire, const struct kdb_notice *notice)
{
	const char *text = "The peer that owed an answer is gone";

	if (notice->type == KDBUS_ITEM_REPLY_TIMEOUT)
		text = "There was no answer in time";
	wire->type = WIRE_ERROR;
	wire->error_name = NO_REPLY;
	wire->reply_cookie = notice->cookie;
	wire->signature = "s";
	wire->body = g_variant_ref_sink(g_variant_new("(s)", text));
}

/* What sd-bus makes of it */
static void seen_notice(struct seen *seen, const struct kdb_notice *notice)
{
	struct wire *wire = &seen->wire;

	seen->notice = true;
	wire->cookie = UINT32_MAX;
	wire->flags = WIRE_NO_REPLY;
	if (notice->type == KDBUS_ITEM_REPLY_TIMEOUT ||
	    notice->type == KDBUS_ITEM_REPLY_DEAD)
		seen_no_reply(wire, notice);
	else
		seen_owner(wire, notice);
}

static uint64_t seen_time(const struct kdb_meta *meta)
{
	struct timespec now;

	if (meta->timestamp)
		return meta->timestamp->realtime_ns;
	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * NSEC_PER_SEC + now.tv_nsec;
}

/* Sender and destination are those of the kernel, not of the message. */
static void seen_fill(struct seen *seen, struct kdb_view *view)
{
	const struct kdbus_msg *header = kdb_view_header(view);
	struct kdb_notice notice;

	*seen = (struct seen){ .view = view, .meta = kdb_view_meta(view) };
	seen->realtime = seen_time(seen->meta);
	if (kdb_view_notice(view, &notice) == 0) {
		seen_notice(seen, &notice);
	} else {
		seen->why = wire_read(&seen->wire, view);
		if (seen->why)
			wire_clear(&seen->wire);
	}
	unique_name(seen->sender, sizeof(seen->sender), header->src_id);
	unique_name(seen->destination, sizeof(seen->destination),
		    header->dst_id);
	seen->wire.sender = seen->notice ? DBUS_NAME : seen->sender;
	seen->wire.destination = NULL;
	if (header->dst_id != KDBUS_DST_ID_BROADCAST)
		seen->wire.destination = kdb_view_name(view) ?:
					 seen->destination;
}

static bool watch_wants(const GPtrArray *rules, const struct seen *seen)
{
	size_t i;

	for (i = 0; i < rules->len; i++)
		if (rule_fits(rules->pdata[i], &seen->wire, seen->meta))
			return true;
	return !rules->len;
}

static bool watch_full(const struct watch *watch)
{
	return ctl.limit && watch->shown >= ctl.limit;
}

/* Messages that are there. Returns 0 when there are no more. */
static int watch_drain(struct watch *watch, struct kdb_conn *conn,
		       const GPtrArray *rules)
{
	struct kdb_view *view;
	struct seen seen;
	int r = 0;

	while (!watch_full(watch)) {
		r = kdb_recv(conn, &view);
		if (r < 0)
			break;
		seen_fill(&seen, view);
		if (watch_wants(rules, &seen)) {
			watch->show(&seen, watch->arg);
			watch->shown++;
		}
		wire_clear(&seen.wire);
		kdb_view_release(view);
	}
	return r == -EAGAIN ? 0 : r;
}

static void watch_losses(struct watch *watch, const struct kdb_conn *conn)
{
	struct kdb_usage usage;

	if (kdb_get_usage(conn, &usage) < 0 || usage.lost == watch->lost)
		return;
	g_printerr("kdbusctl: %" PRIu64 " messages were lost\n",
		   (uint64_t)(usage.lost - watch->lost));
	watch->lost = usage.lost;
}

static int watch_left(uint64_t deadline)
{
	uint64_t now = kdb_deadline(0);

	if (deadline == KDB_NO_DEADLINE)
		return -1;
	if (now >= deadline)
		return 0;
	return MIN((deadline - now) / 1000000 + 1, G_MAXINT);
}

/* Until a signal comes, the time is over, or there are enough messages */
static int watch_loop(struct watch *watch, struct kdb_conn *conn,
		      const GPtrArray *rules, int signals)
{
	uint64_t deadline = KDB_NO_DEADLINE;
	struct pollfd fds[] = {
		{ .fd = kdb_fd(conn), .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};
	int r;

	if (ctl.timeout_set)
		deadline = kdb_deadline(ctl.timeout);
	for (;;) {
		r = watch_drain(watch, conn, rules);
		watch->flush(watch->arg);
		watch_losses(watch, conn);
		if (r < 0 || watch_full(watch) || ferror(stdout))
			return r;
		r = poll(fds, G_N_ELEMENTS(fds), watch_left(deadline));
		if (r < 0 && errno != EINTR)
			return -errno;
		/* what came before the signal is still shown */
		if (r == 0 || fds[1].revents)
			return watch_drain(watch, conn, rules);
	}
}

static int watch_rule(GPtrArray *rules, const char *text)
{
	g_autofree char *why = NULL;
	struct rule *rule = rule_parse(text, &why);

	if (!rule)
		return usage("--match=%s: not a match rule from '%s' on", text,
			     why);
	g_ptr_array_add(rules, rule);
	return 0;
}

/* Names are of senders or destinations. */
static int watch_rules(GPtrArray *rules, int argc, char **argv)
{
	size_t i;
	int j, r = 0;

	for (i = 0; r == 0 && i < ctl.matches->len; i++)
		r = watch_rule(rules, ctl.matches->pdata[i]);
	for (j = 1; r == 0 && j < argc; j++) {
		g_autofree char *from = g_strdup_printf("sender=%s", argv[j]);
		g_autofree char *to = g_strdup_printf("destination=%s",
						      argv[j]);

		if (!wire_is_destination(argv[j]))
			return usage("%s: not the name of a peer", argv[j]);
		r = watch_rule(rules, from) ?: watch_rule(rules, to);
	}
	return r;
}

static int watch_open(struct kdb_conn **conn)
{
	struct kdb_match *match;
	uint64_t cookie = 0;
	int r;

	r = bus_open(conn, KDB_OPTIONS(.flags = KDB_OPEN_MONITOR |
						KDB_OPEN_FDS,
				       .attach = KDBUS_ATTACH_TIMESTAMP |
						 KDBUS_ATTACH_CREDS |
						 KDBUS_ATTACH_NAMES |
						 KDBUS_ATTACH_PID_COMM,
				       .pool_size = ctl.buffer,
				       .name = "kdbusctl"));
	if (r)
		return r;
	/* broadcasts and notifications: all, as rules are looked at here */
	r = kdb_match_new(*conn, &match);
	if (r == 0) {
		r = kdb_match_add(match, &cookie);
		kdb_match_free(match);
	}
	if (r == 0)
		return 0;
	kdb_close(*conn);
	return fail(r, "match");
}

int watch_run(struct watch *watch, int argc, char **argv)
{
	GPtrArray *rules = g_ptr_array_new_with_free_func(rule_free);
	struct kdb_conn *conn;
	sigset_t set;
	int r, signals;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigprocmask(SIG_BLOCK, &set, NULL);
	signals = signalfd(-1, &set, SFD_CLOEXEC);
	r = watch_rules(rules, argc, argv) ?: watch_open(&conn);
	if (r == 0) {
		watch->begun = true;
		if (watch->begin)
			watch->begin();
		if (!ctl.quiet)
			g_printerr("Monitoring bus message stream.\n");
		r = watch_loop(watch, conn, rules, signals);
		watch_losses(watch, conn);
		if (r < 0)
			r = fail(r, "%s", ctl.address);
		kdb_close(conn);
	}
	close(signals);
	g_ptr_array_free(rules, TRUE);
	return r;
}
