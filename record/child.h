/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command that is recorded: started, held back until the sampler is ready, waited for. */
#ifndef PYREC_RECORD_CHILD_H
#define PYREC_RECORD_CHILD_H

#include <stdbool.h>
#include <sys/types.h>

#include "common/cleanup.h"

struct child {
	pid_t pid;
	int go_fd;    /* write end: closing it without a byte makes the child give up */
	int error_fd; /* read end: errno of a failed exec */
	bool is_ended;
	int status; /* of waitpid(2), once ended */
};

/** Fork; the child waits. Return: 0, -ENOENT or -EACCES when there is no such command, -errno. */
must_check int child_create(char **command, struct child *ret);
/** Let it exec. Return: 0 or -errno of its exec. */
must_check int child_start(struct child *child);
/** Has it ended? Does not wait. */
bool child_poll(struct child *child);
/** End it if it still runs (SIGTERM, after 5 s SIGKILL) and wait. NULL pid (0) is fine. */
void child_finish(struct child *child);
/** Exit status as a shell tells it. */
int child_exit_status(const struct child *child);

#endif
