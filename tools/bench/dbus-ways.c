// SPDX-License-Identifier: GPL-2.0
/*
 * Calls through a daemon, by unique name, of a method that takes and returns an
 * array of bytes. The libraries make a new message for each, as they are used.
 *
 * What is called after the daemon alone is with sd-bus, the cheaper of the two.
 */
#include "dbus.h"

#define WAY(_name, _start, _library, _max) {				\
	.name = _name, .max = _max, .prepare = _start,			\
	.server = _library ## _server, .serve = _library ## _serve,	\
	.client = _library ## _client, .call = _library ## _echo }

const struct way dbus_ways[] = {
	WAY("dbus-broker.call", dbus_broker_start, sd_bus, 512 * KIB),
	WAY("dbus-daemon.call", dbus_daemon_start, sd_bus, 512 * KIB),
	WAY("dbus-broker.libdbus.call", dbus_broker_start, libdbus, 8 * KIB),
	WAY("dbus-daemon.libdbus.call", dbus_daemon_start, libdbus, 8 * KIB),
	{ 0 }
};
