/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What an object says it has
 */
#ifndef KDBUSCTL_INTROSPECT_H
#define KDBUSCTL_INTROSPECT_H

#include "call.h"

enum entry_kind {
	ENTRY_INTERFACE,
	ENTRY_METHOD,
	ENTRY_PROPERTY,
	ENTRY_SIGNAL,
};

enum entry_flags {
	ENTRY_DEPRECATED	= 1 << 0,
	ENTRY_NO_REPLY		= 1 << 1,
	ENTRY_PRIVILEGED	= 1 << 2,
	ENTRY_WRITABLE		= 1 << 3,
	ENTRY_READABLE		= 1 << 4,
	ENTRY_EMITS		= 1 << 5,
	ENTRY_INVALIDATES	= 1 << 6,
	ENTRY_CONST		= 1 << 7,
};

/**
 * struct entry - an interface, or a member of one
 * @kind:	Which of these
 * @flags:	enum entry_flags
 * @interface:	Name of the interface
 * @name:	Name of the member, NULL for an interface
 * @in:		Signature: what a method takes, what a property or signal is
 * @out:	Signature: what a method answers
 * @value:	Of a property, or NULL
 */
struct entry {
	enum entry_kind kind;
	unsigned int flags;
	char *interface;
	char *name;
	GString *in;
	GString *out;
	GVariant *value;
};

/**
 * struct object - what an object has
 * @entries:	struct entry, each interface followed by its members
 * @children:	Names of the nodes below it
 */
struct object {
	GPtrArray *entries;
	GPtrArray *children;
};

int object_xml(struct kdb_conn *conn, const char *destination,
	       const char *path, struct wire *answer, const char **xml);
int object_parse(struct object *object, const char *path, const char *xml);
void object_clear(struct object *object);

#endif
