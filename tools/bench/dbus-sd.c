// SPDX-License-Identifier: GPL-2.0
/* sd-bus. What it returns is a negative errno. */
#include <errno.h>
#include <string.h>

#include <systemd/sd-bus.h>

#include "dbus.h"

#define PATIENCE_US	(300 * 1000000ULL)

static sd_bus *bus;

int check(int r, const char *what)
{
	if (r < 0) {
		errno = -r;
		must_be(-1, what);
	}
	return r;
}

static void join(void)
{
	check(sd_bus_new(&bus), "sd_bus_new");
	check(sd_bus_set_address(bus, dbus_address), "sd_bus_set_address");
	check(sd_bus_set_bus_client(bus, 1), "sd_bus_set_bus_client");
	check(sd_bus_start(bus), "sd_bus_start");
}

void sd_bus_server(struct pair *pair)
{
	const char *name;

	join();
	check(sd_bus_get_unique_name(bus, &name), "sd_bus_get_unique_name");
	strcpy(pair->shared, name);
}

static void look(sd_bus_message *m)
{
	const void *data;
	size_t size;

	check(sd_bus_message_read_array(m, 'y', &data, &size),
	      "sd_bus_message_read_array");
	touch(data, size);
}

static void answer(struct pair *pair, sd_bus_message *m)
{
	sd_bus_message *reply;

	look(m);
	check(sd_bus_message_new_method_return(m, &reply),
	      "sd_bus_message_new_method_return");
	check(sd_bus_message_append_array(reply, 'y', pair->out, pair->size),
	      "sd_bus_message_append_array");
	check(sd_bus_send(bus, reply, NULL), "sd_bus_send");
	sd_bus_message_unref(reply);
}

void sd_bus_serve(struct pair *pair)
{
	sd_bus_message *m = NULL;
	int r;

	r = check(sd_bus_process(bus, &m), "sd_bus_process");
	if (m && sd_bus_message_is_method_call(m, INTERFACE, METHOD) > 0)
		answer(pair, m);
	sd_bus_message_unref(m);
	if (r == 0)
		check(sd_bus_wait(bus, UINT64_MAX), "sd_bus_wait");
}

void sd_bus_client(struct pair *pair)
{
	(void)pair;
	join();
}

void sd_bus_echo(struct pair *pair)
{
	sd_bus_message *m, *reply;

	check(sd_bus_message_new_method_call(bus, &m, pair->shared, OBJECT,
					     INTERFACE, METHOD),
	      "sd_bus_message_new_method_call");
	check(sd_bus_message_append_array(m, 'y', pair->out, pair->size),
	      "sd_bus_message_append_array");
	check(sd_bus_call(bus, m, PATIENCE_US, NULL, &reply), "sd_bus_call");
	look(reply);
	sd_bus_message_unref(reply);
	sd_bus_message_unref(m);
}
