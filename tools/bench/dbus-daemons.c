// SPDX-License-Identifier: GPL-2.0
/*
 * dbus-daemon and dbus-broker, which die with the process that starts them.
 * dbus-broker expects a program that tells it where to listen and what to allow,
 * over a connection of its own: here that is us, and everything is allowed.
 */
#include <err.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <systemd/sd-bus.h>

#include "dbus.h"

#define CONFIG		"/lib/dbus-bench.conf"
#define PLENTY		"1073741824"

/* What dbus-broker 33 calls a policy. */
#define BATCH		"bta(btbs)a(btssssuutt)a(btssssuutt)"
#define POLICY		"a(u(" BATCH "))a(buu(" BATCH "))a(ss)bs"

char dbus_address[256];

static void start(char **argv)
{
	pid_t pid = must(fork());

	if (pid)
		return;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	execvp(argv[0], argv);
	err(1, "%s", argv[0]);
}

static void need(const char *program)
{
	if (access(program, X_OK) < 0)
		not_offered("not offered: no %s", program);
}

void dbus_daemon_start(struct pair *pair)
{
	int fds[2], n;
	char number[16];
	char *argv[] = { "/usr/bin/dbus-daemon", "--config-file=" CONFIG,
			 "--nofork", "--nopidfile", "--print-address", number,
			 NULL };

	(void)pair;
	need(argv[0]);
	must(pipe(fds));
	snprintf(number, sizeof(number), "%d", fds[1]);
	start(argv);
	close(fds[1]);
	n = must(read(fds[0], dbus_address, sizeof(dbus_address) - 1));
	dbus_address[n] = '\0';
	dbus_address[strcspn(dbus_address, "\n")] = '\0';
}

/* connect, own names, send and receive: all of it for everybody */
static void append_policy(sd_bus_message *m)
{
	check(sd_bus_message_open_container(m, 'v', "(" POLICY ")"), "policy");
	check(sd_bus_message_open_container(m, 'r', POLICY), "policy");
	check(sd_bus_message_append(m, "a(u(" BATCH "))", 1, (uint32_t)-1,
				    1, (uint64_t)1,
				    1, 1, (uint64_t)1, 1, "",
				    1, 1, (uint64_t)1, "", "", "", "", 0, 0,
				    (uint64_t)0, (uint64_t)0,
				    1, 1, (uint64_t)1, "", "", "", "", 0, 0,
				    (uint64_t)0, (uint64_t)0),
	      "policy of users");
	check(sd_bus_message_append(m, "a(buu(" BATCH "))a(ss)bs", 0, 0, 0,
				    "session"), "policy");
	check(sd_bus_message_close_container(m), "policy");
	check(sd_bus_message_close_container(m), "policy");
}

static void add_listener(int controller, int listener)
{
	sd_bus_error error = SD_BUS_ERROR_NULL;
	sd_bus_message *m;
	sd_bus *bus;

	check(sd_bus_new(&bus), "sd_bus_new");
	check(sd_bus_set_fd(bus, controller, controller), "sd_bus_set_fd");
	check(sd_bus_start(bus), "sd_bus_start");
	check(sd_bus_message_new_method_call(bus, &m, NULL,
					     "/org/bus1/DBus/Broker",
					     "org.bus1.DBus.Broker",
					     "AddListener"), "AddListener");
	check(sd_bus_message_append(m, "oh", "/org/bus1/DBus/Listener/0",
				    listener), "AddListener");
	append_policy(m);
	if (sd_bus_call(bus, m, 0, &error, NULL) < 0)
		errx(1, "dbus-broker: %s: %s", error.name, error.message);
	/* the connection has to stay */
}

void dbus_broker_start(struct pair *pair)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int pairs[2], listener;
	char number[16];
	char *argv[] = { "/usr/bin/dbus-broker", "--controller", number,
			 "--machine-id", "0123456789abcdef0123456789abcdef",
			 "--max-bytes", PLENTY, "--max-fds", "4096",
			 "--max-matches", "4096", "--max-objects", "4096",
			 NULL };

	(void)pair;
	need(argv[0]);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "/tmp/dbus-%u", getpid());
	snprintf(dbus_address, sizeof(dbus_address), "unix:path=%s",
		 addr.sun_path);
	listener = must(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC |
			       SOCK_NONBLOCK, 0));
	must(bind(listener, (struct sockaddr *)&addr, sizeof(addr)));
	must(listen(listener, 16));
	must(socketpair(AF_UNIX, SOCK_STREAM, 0, pairs));
	snprintf(number, sizeof(number), "%d", pairs[1]);
	start(argv);
	close(pairs[1]);
	add_listener(pairs[0], listener);
}
