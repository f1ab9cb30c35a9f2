/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "common/strbuf.h"

static void child_exec(char **command, int go_fd, int error_fd)
{
	sigset_t none;
	char go;
	int error;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(go_fd, &go, 1) != 1) /* the recorder gave up */
		_exit(0);
	execvp(command[0], command);
	error = errno;
	if (write(error_fd, &error, sizeof(error)) != sizeof(error))
		_exit(126);
	_exit(127);
}

/* Would execvp(3) find it? Asked before anything is written for a command that cannot run. */
static int command_find(const char *name)
{
	const char *path = getenv("PATH");
	auto_free char *folders = NULL;
	char *folder, *rest;
	int error = -ENOENT;

	if (strchr(name, '/'))
		return access(name, X_OK) ? -errno : 0;
	rest = folders = strdup(path ? path : "/bin:/usr/bin");
	if (!folders)
		return -ENOMEM;
	while (error && (folder = strsep(&rest, ":")) != NULL) {
		auto_strbuf struct strbuf whole = {0};

		strbuf_append_format(&whole, "%s/%s", folder[0] ? folder : ".", name);
		if (access(strbuf_text(&whole), X_OK) == 0)
			error = 0;
		else if (errno == EACCES)
			error = -EACCES;
	}
	return error;
}

int child_create(char **command, struct child *ret)
{
	int go[2];
	int failed[2];
	int error = command_find(command[0]);

	if (error)
		return error;
	if (pipe2(go, O_CLOEXEC))
		return -errno;
	if (pipe2(failed, O_CLOEXEC)) {
		error = -errno;
		close(go[0]);
		close(go[1]);
		return error;
	}
	*ret = (struct child){.pid = fork(), .go_fd = go[1], .error_fd = failed[0]};
	error = ret->pid < 0 ? -errno : 0;
	if (ret->pid == 0) {
		close(go[1]);
		child_exec(command, go[0], failed[1]);
	}
	close(go[0]);
	close(failed[1]);
	if (error) {
		close(go[1]);
		close(failed[0]);
	}
	return error;
}

int child_start(struct child *child)
{
	const char go = 1;
	int error = 0;

	if (write(child->go_fd, &go, 1) != 1)
		return -errno;
	close(child->go_fd);
	child->go_fd = -1;
	/* Ends without data when exec closes the other end. */
	if (read(child->error_fd, &error, sizeof(error)) != sizeof(error))
		error = 0;
	close(child->error_fd);
	child->error_fd = -1;
	return -error;
}

bool child_poll(struct child *child)
{
	if (!child->is_ended && waitpid(child->pid, &child->status, WNOHANG) == child->pid)
		child->is_ended = true;
	return child->is_ended;
}

void child_finish(struct child *child)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000 * 1000};

	if (child->pid <= 0)
		return;
	if (child->go_fd >= 0)
		close(child->go_fd);
	if (child->error_fd >= 0)
		close(child->error_fd);
	child->go_fd = child->error_fd = -1;
	if (child_poll(child))
		return;
	kill(child->pid, SIGTERM);
	for (int i = 0; i < 250 && !child_poll(child); i++)
		nanosleep(&pause, NULL);
	if (!child->is_ended) {
		kill(child->pid, SIGKILL);
		if (waitpid(child->pid, &child->status, 0) == child->pid)
			child->is_ended = true;
	}
}

int child_exit_status(const struct child *child)
{
	if (WIFSIGNALED(child->status))
		return 128 + WTERMSIG(child->status);
	return WEXITSTATUS(child->status);
}
