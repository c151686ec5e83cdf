// SPDX-License-Identifier: LGPL-2.1-or-later
/* What fdinfo tells. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "priv.h"

static void usage_line(struct kdb_usage *usage, const char *line)
{
	static const struct {
		const char *key;
		size_t at;
	} keys[] = {
		{ "pool-size:", offsetof(struct kdb_usage, pool_size) },
		{ "pool-used:", offsetof(struct kdb_usage, pool_used) },
		{ "pool-resident:", offsetof(struct kdb_usage, pool_resident) },
		{ "copied:", offsetof(struct kdb_usage, copied) },
		{ "queued:", offsetof(struct kdb_usage, queued) },
		{ "arrivals:", offsetof(struct kdb_usage, arrivals) },
		{ "lost:", offsetof(struct kdb_usage, lost) },
	};
	uint64_t value;
	size_t i, len;

	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		len = strlen(keys[i].key);
		if (strncmp(line, keys[i].key, len))
			continue;
		value = strtoull(line + len, NULL, 10);
		memcpy((uint8_t *)usage + keys[i].at, &value, sizeof(value));
	}
}

KDB_API int kdb_get_usage(const struct kdb_conn *conn, struct kdb_usage *usage)
{
	char path[64], text[4096], *at, *end;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", conn->fd);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n < 0)
		return -EIO;
	text[n] = '\0';
	memset(usage, 0, sizeof(*usage));
	for (at = text; (end = strchr(at, '\n')); at = end + 1)
		usage_line(usage, at);
	return 0;
}
