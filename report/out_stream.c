/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/out_stream.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <sys/wait.h>

void out_stream_init(struct out_stream *out, int fd)
{
	out->fd = fd;
	out->error = 0;
	out->pager_pid = 0;
	out->nr = 0;
}

static const char *pager_command(void)
{
	const char *command = getenv("PYREC_PAGER");

	if (!command)
		command = getenv("PAGER");
	return command ? command : "less";
}

static void pager_run(const char *command, int fd)
{
	dup2(fd, STDIN_FILENO);
	close(fd);
	signal(SIGPIPE, SIG_DFL);
	setenv("LESS", "FRSX", 0);
	execl("/bin/sh", "sh", "-c", command, (char *)NULL);
	_exit(127);
}

/* Without a pager the terminal itself is good enough, so no failure is reported. */
static void out_stream_start_pager(struct out_stream *out)
{
	const char *command = pager_command();
	int ends[2];

	if (command[0] == '\0' || strcmp(command, "cat") == 0 || pipe(ends))
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
	if (with_pager && isatty(STDOUT_FILENO))
		out_stream_start_pager(out);
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
	out_write_all(out, out->bytes, out->nr);
	out->nr = 0;
}

int out_stream_finish(struct out_stream *out)
{
	bool has_pager = out->pager_pid > 0;

	out_flush(out);
	if (has_pager) {
		close(out->fd);
		while (waitpid(out->pager_pid, NULL, 0) < 0 && errno == EINTR)
			;
		out->pager_pid = 0;
	}
	return has_pager && out->error == -EPIPE ? 0 : out->error;
}

void out_write(struct out_stream *out, const void *bytes, size_t nr)
{
	if (out->error)
		return;
	if (nr > sizeof(out->bytes) - out->nr)
		out_flush(out);
	if (nr > sizeof(out->bytes)) {
		out_write_all(out, bytes, nr);
		return;
	}
	memcpy(out->bytes + out->nr, bytes, nr);
	out->nr += nr;
}

void out_text(struct out_stream *out, const char *text)
{
	out_write(out, text, strlen(text));
}

void out_char(struct out_stream *out, char c)
{
	out_write(out, &c, 1);
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
