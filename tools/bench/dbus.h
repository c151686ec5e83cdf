/* SPDX-License-Identifier: GPL-2.0 */
/* The parts of a call through a D-Bus daemon. */
#ifndef BENCH_DBUS_H
#define BENCH_DBUS_H

#include "bench.h"

#define OBJECT		"/org/example/Echo"
#define INTERFACE	"org.example.Echo"
#define METHOD		"Echo"

/* where a daemon listens */
extern char dbus_address[256];

void dbus_daemon_start(struct pair *pair);
void dbus_broker_start(struct pair *pair);

/* Ends the process if @r, which a function of sd-bus returned, is negative. */
int check(int r, const char *what);

/* The server leaves its unique name in the shared page. */
void sd_bus_server(struct pair *pair);
void sd_bus_serve(struct pair *pair);
void sd_bus_client(struct pair *pair);
void sd_bus_echo(struct pair *pair);

void libdbus_server(struct pair *pair);
void libdbus_serve(struct pair *pair);
void libdbus_client(struct pair *pair);
void libdbus_echo(struct pair *pair);

#endif
