// SPDX-License-Identifier: GPL-2.0
/* libdbus */
#include <err.h>
#include <string.h>

#include <dbus/dbus.h>

#include "dbus.h"

#define PATIENCE_MS	300000

static DBusConnection *bus;

static void join(void)
{
	DBusError error = DBUS_ERROR_INIT;

	bus = dbus_connection_open_private(dbus_address, &error);
	if (!bus || !dbus_bus_register(bus, &error))
		errx(1, "libdbus: %s", error.message);
}

void libdbus_server(struct pair *pair)
{
	join();
	strcpy(pair->shared, dbus_bus_get_unique_name(bus));
}

static void fill(struct pair *pair, DBusMessage *m)
{
	if (!m || !dbus_message_append_args(m, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE,
					    &pair->out, (int)pair->size,
					    DBUS_TYPE_INVALID))
		errx(1, "libdbus: no memory");
}

static void look(DBusMessage *m)
{
	DBusError error = DBUS_ERROR_INIT;
	const uint8_t *data;
	int size;

	if (!dbus_message_get_args(m, &error, DBUS_TYPE_ARRAY, DBUS_TYPE_BYTE,
				   &data, &size, DBUS_TYPE_INVALID))
		errx(1, "libdbus: %s", error.message);
	touch(data, size);
}

static void answer(struct pair *pair, DBusMessage *m)
{
	DBusMessage *reply = dbus_message_new_method_return(m);

	look(m);
	fill(pair, reply);
	if (!dbus_connection_send(bus, reply, NULL))
		errx(1, "libdbus: no memory");
	dbus_connection_flush(bus);
	dbus_message_unref(reply);
}

void libdbus_serve(struct pair *pair)
{
	DBusMessage *m;

	if (!dbus_connection_read_write(bus, -1))
		errx(1, "libdbus: the daemon has gone");
	while ((m = dbus_connection_pop_message(bus))) {
		if (dbus_message_is_method_call(m, INTERFACE, METHOD))
			answer(pair, m);
		dbus_message_unref(m);
	}
}

void libdbus_client(struct pair *pair)
{
	(void)pair;
	join();
}

void libdbus_echo(struct pair *pair)
{
	DBusError error = DBUS_ERROR_INIT;
	DBusMessage *m, *reply;

	m = dbus_message_new_method_call(pair->shared, OBJECT, INTERFACE,
					 METHOD);
	fill(pair, m);
	reply = dbus_connection_send_with_reply_and_block(bus, m, PATIENCE_MS,
							  &error);
	if (!reply)
		errx(1, "libdbus: %s", error.message);
	look(reply);
	dbus_message_unref(reply);
	dbus_message_unref(m);
}
