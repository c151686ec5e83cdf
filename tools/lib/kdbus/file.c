// SPDX-License-Identifier: LGPL-2.1-or-later
/* Memory files, as payload. */
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "priv.h"

#define SEALS	(F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL)

static int file_new(void)
{
	int fd = memfd_create("kdbus", MFD_CLOEXEC | MFD_ALLOW_SEALING);

	return fd < 0 ? -errno : fd;
}

static int file_fail(int fd, int error)
{
	close(fd);
	return error;
}

/* A sealed file with these bytes. */
int kdbi_file_of(const void *data, size_t size)
{
	const uint8_t *at = data;
	int fd = file_new();
	ssize_t n;

	if (fd < 0)
		return fd;
	for (; size > 0; size -= n, at += n) {
		n = write(fd, at, size);
		if (n < 0)
			return file_fail(fd, -errno);
	}
	if (fcntl(fd, F_ADD_SEALS, SEALS) < 0)
		return file_fail(fd, -errno);
	return fd;
}

KDB_API int kdb_file_make(size_t size, void **data)
{
	void *map;
	int fd;

	if (!size)
		return -EINVAL;
	fd = file_new();
	if (fd < 0)
		return fd;
	if (ftruncate(fd, size) < 0)
		return file_fail(fd, -ENOMEM);
	map = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (map == MAP_FAILED)
		return file_fail(fd, -ENOMEM);
	*data = map;
	return fd;
}

KDB_API int kdb_file_seal(int fd, void *data, size_t size)
{
	/* a file that can be written to somewhere cannot be sealed */
	if (munmap(data, size) < 0)
		return -errno;
	return fcntl(fd, F_ADD_SEALS, SEALS) < 0 ? -errno : 0;
}
