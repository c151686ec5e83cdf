// SPDX-License-Identifier: GPL-2.0-only
/* What the kernel complains of, and whether the module is still in use. */

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

static int log_fd = -1;

/* vm-run judges the whole log later; this finds out which program it was */
static const char *const complaints[] = {
	"WARNING:", "BUG:", "KASAN:", "KCSAN:", "UBSAN:", "ODEBUG:", "Oops",
	"INFO: possible", "INFO: trying", "possible circular", "possible recursive",
	"inconsistent lock", "bad unlock", "held lock freed", "suspicious RCU",
	"sleeping function", "refcount_t:", "corruption", "general protection",
	"page allocation failure", "Bad page", "Bad rss", "unable to handle",
};

void watch_init(void)
{
	log_fd = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (log_fd >= 0)
		lseek(log_fd, 0, SEEK_END);
}

static bool is_complaint(const char *line)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(complaints); i++)
		if (strstr(line, complaints[i]))
			return true;
	return false;
}

bool watch_complaint(void)
{
	char line[8192];
	bool found = false;
	ssize_t n;

	for (;;) {
		n = read(log_fd, line, sizeof(line) - 1);
		if (n < 0 && errno == EPIPE)
			continue;	/* some were lost */
		if (n <= 0)
			return found;
		line[n] = 0;
		found |= is_complaint(line);
		if (found)
			printf("# %s", line);
	}
}

/* files of processes that were killed may be closed a moment later */
bool watch_idle(void)
{
	struct timespec moment = { 0, 2000000 };
	char path[64], text[16];
	unsigned int i;
	int fd, n;

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	for (i = 0; i < 1500; i++) {
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			return true;	/* built in */
		n = read(fd, text, sizeof(text));
		close(fd);
		/* an open device counts twice */
		if (n > 1 && text[0] <= '2' && text[1] == '\n')
			return true;
		nanosleep(&moment, NULL);
	}
	return false;
}
