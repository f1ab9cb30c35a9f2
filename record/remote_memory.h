/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Memory of another process: the one user of process_vm_readv(2). */
#ifndef PYREC_RECORD_REMOTE_MEMORY_H
#define PYREC_RECORD_REMOTE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

/** Read exactly @nr bytes. Return: 0; -ESRCH: gone; -EPERM: CAP_SYS_PTRACE is missing; -EFAULT. */
must_check int remote_read(uint32_t pid, uint64_t address, void *to, size_t nr);

#endif
