/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/remote_memory.h"

#include <errno.h>
#include <sys/uio.h>

int remote_read(uint32_t pid, uint64_t address, void *to, size_t nr)
{
	struct iovec local = {.iov_base = to, .iov_len = nr};
	struct iovec remote = {.iov_base = (void *)(uintptr_t)address, .iov_len = nr};
	ssize_t got = process_vm_readv((pid_t)pid, &local, 1, &remote, 1, 0);

	if (got < 0)
		return -errno;
	return (size_t)got == nr ? 0 : -EFAULT;
}
