/* SPDX-License-Identifier: GPL-2.0 */
/*
 * A monitor of the bus: each message that fits the rules is shown to a function
 */
#ifndef KDBUSCTL_WATCH_H
#define KDBUSCTL_WATCH_H

#include "wire.h"

/**
 * struct seen - a message
 * @view:	As it was received
 * @meta:	What the kernel says of the sender
 * @wire:	The message; of a notification, what D-Bus makes of it. Its
 *		sender and destination are those that the kernel tells
 * @why:	Why @wire could not be read: then it has only these two; or NULL
 * @notice:	It is a notification of the kernel
 * @realtime:	When it was sent, or was received where that is not known, in
 *		nanoseconds since 1970
 * @sender:	Room for a name
 * @destination: Likewise
 */
struct seen {
	struct kdb_view *view;
	const struct kdb_meta *meta;
	struct wire wire;
	const char *why;
	bool notice;
	uint64_t realtime;
	char sender[32];
	char destination[32];
};

/**
 * struct watch - what to do with messages
 * @begin:	Called when the monitor is there, or NULL
 * @show:	Called for each
 * @flush:	Called when there are none for now
 * @arg:	For both
 * @begun:	Whether the monitor was there
 * @shown:	How many there were
 * @lost:	How many did not fit into the queue of this program
 */
struct watch {
	void (*begin)(void);
	void (*show)(const struct seen *seen, void *arg);
	void (*flush)(void *arg);
	void *arg;
	bool begun;
	uint64_t shown;
	uint64_t lost;
};

int watch_run(struct watch *watch, int argc, char **argv);

#endif
