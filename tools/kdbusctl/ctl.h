/* SPDX-License-Identifier: GPL-2.0 */
/*
 * kdbusctl - look at a bus, and talk to what is on it
 *
 * main.c reads the command line into ctl and runs one verb. A verb is a
 * function that gets its arguments, argv[0] is its name, and returns the status
 * the program exits with: 0, EXIT_FAILURE, or EXIT_USAGE. It has then said on
 * stderr what went wrong.
 */
#ifndef KDBUSCTL_CTL_H
#define KDBUSCTL_CTL_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include <glib.h>
#include <kdbus/kdbus.h>

#define EXIT_USAGE	2

#define NSEC_PER_SEC	1000000000ULL

enum ctl_json {
	JSON_OFF,
	JSON_SHORT,
	JSON_PRETTY,
};

/**
 * struct ctl_options - the command line
 * @address:		Where the bus is, as kdb_open_address() has it
 * @domain:		Directory of the domain
 * @json:		How to print what is meant for programs
 * @timeout:		Nanoseconds to wait for a peer
 * @timeout_set:	Whether the user has chosen @timeout
 * @verbose:		Print a line for each value of an answer
 * @quiet:		Print nothing but errors
 * @no_legend:		Print no headings
 * @access:		KDBUS_MAKE_* flags of what is made
 * @unique:		list: connections
 * @acquired:		list, tree: names that have an owner
 * @activatable:	list: names that a service would be started for
 * @queued:		list: connections that wait for a name
 * @no_reply:		call: send, and do not wait for an answer
 * @no_start:		call: fail rather than have the service started
 * @xml:		introspect: print the XML as it came
 * @paths:		tree: print paths instead of a tree
 * @destination:	emit: send to this name only
 * @matches:		monitor, capture: match rules
 * @buffer:		monitor, capture: bytes for messages that wait, or 0
 * @limit:		monitor, capture: stop after so many, or never if 0
 */
struct ctl_options {
	const char *address;
	const char *domain;
	enum ctl_json json;
	uint64_t timeout;
	bool timeout_set;
	bool verbose;
	bool quiet;
	bool no_legend;
	uint64_t access;
	bool unique;
	bool acquired;
	bool activatable;
	bool queued;
	bool no_reply;
	bool no_start;
	bool xml;
	bool paths;
	const char *destination;
	GPtrArray *matches;
	uint64_t buffer;
	uint64_t limit;
};

extern struct ctl_options ctl;

/* main.c */
int fail(int error, const char *format, ...) G_GNUC_PRINTF(2, 3);
int fail_plain(const char *format, ...) G_GNUC_PRINTF(1, 2);
int usage(const char *format, ...) G_GNUC_PRINTF(1, 2);

/* bus.c */
int bus_open(struct kdb_conn **conn, const struct kdb_options *options);
char *bus_path(void);
char *bus_name(void);
bool bus_unique_id(const char *name, uint64_t *id);
int bus_info(struct kdb_conn *conn, const char *peer, uint64_t attach,
	     struct kdb_info **info);
int bus_fail_peer(int error, const char *peer);
int bus_hold(const char *path);

/* peer.c */
char *peer_user(uint64_t uid);
char *peer_unit(const char *cgroup);
char *peer_slice(const char *cgroup);
char *peer_cmdline(const struct kdb_meta *meta);
char *peer_flags(uint64_t conn_flags, uint64_t name_flags);

/* verbs */
int verb_list(int argc, char **argv);
int verb_status(int argc, char **argv);
int verb_quota(int argc, char **argv);
int verb_wait(int argc, char **argv);
int verb_make_bus(int argc, char **argv);
int verb_make_endpoint(int argc, char **argv);
int verb_call(int argc, char **argv);
int verb_emit(int argc, char **argv);
int verb_get_property(int argc, char **argv);
int verb_set_property(int argc, char **argv);
int verb_introspect(int argc, char **argv);
int verb_tree(int argc, char **argv);
int verb_monitor(int argc, char **argv);
int verb_capture(int argc, char **argv);

#endif
