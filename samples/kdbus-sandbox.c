// SPDX-License-Identifier: GPL-2.0
/*
 * kdbus-sandbox - an endpoint through which a program sees one service only
 *
 *   kdbus-sandbox BUS NAME PROGRAM [ARG]...
 *
 * Makes an endpoint of the caller's own bus, /dev/kdbus/BUS/sandbox-PID, with a policy
 * that lets its users talk to the owner of NAME, see nothing else, and own no name.
 * Runs PROGRAM with the address of it in DBUS_SESSION_BUS_ADDRESS. A real sandbox
 * also hides the other nodes of /dev/kdbus from it. The endpoint ends with the program.
 */
#include <errno.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sample.h"

static int make_endpoint(const char *bus, const char *endpoint, const char *name)
{
	struct kdb_policy *policy;
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "%s/%s/bus", KDB_DOMAIN, bus);
	must(kdb_policy_new(&policy), "policy");
	must(kdb_policy_name(policy, name), name);
	must(kdb_policy_grant(policy, KDBUS_POLICY_ACCESS_WORLD, 0,
			      KDBUS_POLICY_TALK), name);
	fd = must(kdb_endpoint_make(path, endpoint, KDBUS_MAKE_ACCESS_WORLD, policy),
		  endpoint);
	kdb_policy_free(policy);
	return fd;
}

int main(int argc, char **argv)
{
	char endpoint[32], address[160];
	int fd, status;
	pid_t pid;

	if (argc < 4)
		errx(2, "usage: kdbus-sandbox BUS NAME PROGRAM [ARG]...");
	snprintf(endpoint, sizeof(endpoint), "sandbox-%d", getpid());
	fd = make_endpoint(argv[1], endpoint, argv[2]);
	snprintf(address, sizeof(address), "kernel:path=%s/%s/%s", KDB_DOMAIN, argv[1],
		 endpoint);
	setenv("DBUS_SESSION_BUS_ADDRESS", address, 1);

	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid == 0) {
		execvp(argv[3], argv + 3);
		err(127, "%s", argv[3]);
	}
	while (waitpid(pid, &status, 0) < 0)
		if (errno != EINTR)
			err(1, "waitpid");
	close(fd);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
