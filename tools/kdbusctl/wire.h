/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Messages of D-Bus as sd-bus of systemd 217 lays them out on kdbus: a header
 * of 16 bytes, the header fields as a GVariant a(yv), zeros up to a multiple of
 * 8, and the arguments as a GVariant struct.
 */
#ifndef KDBUSCTL_WIRE_H
#define KDBUSCTL_WIRE_H

#include "text.h"

enum wire_type {
	WIRE_CALL	= 1,
	WIRE_RETURN	= 2,
	WIRE_ERROR	= 3,
	WIRE_SIGNAL	= 4,
};

enum wire_flags {
	WIRE_NO_REPLY		= 1,
	WIRE_NO_AUTO_START	= 2,
};

/**
 * struct wire - a message of D-Bus
 * @type:	enum wire_type, or a later type
 * @flags:	enum wire_flags
 * @cookie:	Its number, never 0
 * @reply_cookie: Of the call that it answers, or 0
 * @path:	NULL, like all strings that are not there
 * @interface:
 * @member:
 * @error_name:
 * @destination:
 * @sender:
 * @signature:	Types of the arguments
 * @n_fds:	Descriptors that come with it
 * @body:	The arguments as a struct, or NULL if there are none
 * @note:	What was tolerated when @body was read, or NULL
 * @head:	Of a message to be sent: all before the body, see wire_put()
 * @keep:	Of a message that was read: what the strings are in
 *
 * Strings of a message to be sent stay the caller's, @body becomes the
 * message's. wire_clear() ends both kinds.
 */
struct wire {
	guint8 type;
	guint8 flags;
	guint32 cookie;
	guint32 reply_cookie;
	const char *path;
	const char *interface;
	const char *member;
	const char *error_name;
	const char *destination;
	const char *sender;
	const char *signature;
	guint32 n_fds;
	GVariant *body;
	const char *note;
	GByteArray *head;
	GPtrArray *keep;
};

GByteArray *wire_head(const struct wire *wire);
int wire_put(struct kdb_msg *msg, struct wire *wire);
const char *wire_parse(struct wire *wire, const guint8 *data, size_t size);
const char *wire_read(struct wire *wire, struct kdb_view *view);
void wire_clear(struct wire *wire);
const char *wire_type_name(guint8 type);

bool wire_is_signature(const char *signature);
bool wire_is_interface(const char *name);
bool wire_is_member(const char *name);
bool wire_is_destination(const char *name);

/* classic.c */
GByteArray *classic_message(const struct wire *wire);

/* unpadded.c */
GVariant *unpadded_read(const char *type, const guint8 *data, size_t size);

#endif
