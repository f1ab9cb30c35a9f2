/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/out_stream.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

/* The shell's status for a command that is no program (126) or is not there (127). */
enum { PAGER_NOT_RUN = 126 };

void out_stream_init(struct out_stream *out, int fd)
{
	out->fd = fd;
	out->error = 0;
	out->wants_pager = false;
	out->pager_pid = 0;
	out->pager_status = 0;
	out->nr = 0;
}

static bool program_exists(const char *name)
{
	const char *folder = getenv("PATH");

	while (folder && *folder) {
		size_t nr = strcspn(folder, ":");
		auto_free char *path = NULL;

		if (asprintf(&path, "%.*s/%s", (int)nr, folder, name) < 0)
			path = NULL;
		if (path && access(path, X_OK) == 0)
			return true;
		folder += nr + (folder[nr] == ':');
	}
	return false;
}

/* NULL: none. A pager that the user names is run even if it does not exist: he shall know. */
static const char *pager_command(void)
{
	const char *command = getenv("PYREC_PAGER");

	if (!command)
		command = getenv("PAGER");
	if (!command)
		return program_exists("less") ? "less" : NULL;
	return command[0] == '\0' || strcmp(command, "cat") == 0 ? NULL : command;
}

static void pager_run(const char *command, int fd)
{
	dup2(fd, STDIN_FILENO);
	close(fd);
	signal(SIGPIPE, SIG_DFL);
	setenv("LESS", "FRSX", 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(PAGER_NOT_RUN);
}

/* Without a pager the terminal itself is good enough, so no failure is reported. */
static void out_stream_start_pager(struct out_stream *out)
{
	const char *command = pager_command();
	int ends[2];

	out->wants_pager = false;
	if (!command || pipe(ends))
		return;
	out->pager_pid = fork();
	if (out->pager_pid == 0) {
		close(ends[1]);
		pager_run(command, ends[0]);
	}
	close(ends[0]);
	if (out->pager_pid < 0) {
		close(ends[1]);
		out->pager_pid = 0;
		return;
	}
	out->fd = ends[1];
}

void out_stream_init_stdout(struct out_stream *out, bool with_pager)
{
	out_stream_init(out, STDOUT_FILENO);
	signal(SIGPIPE, SIG_IGN);
	out->wants_pager = with_pager && isatty(STDOUT_FILENO);
}

static void out_write_all(struct out_stream *out, const char *bytes, size_t nr)
{
	while (nr && !out->error) {
		ssize_t written = write(out->fd, bytes, nr);

		if (written >= 0) {
			bytes += written;
			nr -= (size_t)written;
		} else if (errno != EINTR) {
			out->error = -errno;
		}
	}
}

static void out_flush(struct out_stream *out)
{
	if (out->wants_pager && out->nr)
		out_stream_start_pager(out);
	out_write_all(out, out->bytes, out->nr);
	out->nr = 0;
}

int out_stream_finish(struct out_stream *out)
{
	out_flush(out);
	if (out->pager_pid <= 0)
		return out->error;
	close(out->fd);
	while (waitpid(out->pager_pid, &out->pager_status, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(out->pager_status) && WEXITSTATUS(out->pager_status) >= PAGER_NOT_RUN)
		return -ENOENT;
	return out->error == -EPIPE ? 0 : out->error;
}

void out_write_on(struct out_stream *out, const void *bytes, size_t nr)
{
	if (out->error)
		return;
	if (nr > sizeof(out->bytes) - out->nr)
		out_flush(out);
	if (nr <= sizeof(out->bytes)) {
		memcpy(out->bytes + out->nr, bytes, nr);
		out->nr += nr;
		return;
	}
	if (out->wants_pager)
		out_stream_start_pager(out);
	out_write_all(out, bytes, nr);
}

void out_text(struct out_stream *out, const char *text)
{
	out_write(out, text, strlen(text));
}

void out_char(struct out_stream *out, char c)
{
	out_write(out, &c, 1);
}

enum { NUMBER_BYTES_MAX = 64 };

void out_decimal(struct out_stream *out, uint64_t value, size_t width, char fill)
{
	char text[NUMBER_BYTES_MAX];
	size_t at = sizeof(text);

	do {
		text[--at] = (char)('0' + value % 10);
		value /= 10;
	} while (value);
	while (sizeof(text) - at < width && at)
		text[--at] = fill;
	out_write(out, text + at, sizeof(text) - at);
}

void out_spaces(struct out_stream *out, size_t nr)
{
	while (nr--)
		out_char(out, ' ');
}

void out_format(struct out_stream *out, const char *format, ...)
{
	auto_free char *text = NULL;
	va_list arguments;
	int nr;

	va_start(arguments, format);
	nr = vasprintf(&text, format, arguments);
	va_end(arguments);
	if (nr < 0) {
		text = NULL;
		out->error = out->error ? out->error : -ENOMEM;
		return;
	}
	out_write(out, text, (size_t)nr);
}
