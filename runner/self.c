/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/self.h"

#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#define MAX_WORDS 64
#define MAX_STREAM (4U << 20) /* of verdicts: more is a program that is recorded without end */

volatile sig_atomic_t sg_self_stopped;

static void child(int out, int verdicts, char **words)
{
	char option[32];
	int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	/* The stream sits at a number that is no standard descriptor and survives the exec. */
	verdicts = fcntl(verdicts, F_DUPFD, 10);
	snprintf(option, sizeof(option), "fd:%d", verdicts);
	words[2] = option;
	if (null < 0 || verdicts < 0 || dup2(null, 0) < 0 || dup2(out, 1) < 0 || dup2(out, 2) < 0)
		_exit(125);
	execv("/proc/self/exe", words);
	_exit(125);
}

static int append(char **buf, size_t *len, const char *data, size_t n)
{
	char *bigger;

	if (*len + n > MAX_STREAM)
		return 0;
	bigger = realloc(*buf, *len + n + 1);
	if (!bigger)
		return -ENOMEM;
	*buf = bigger;
	memcpy(bigger + *len, data, n);
	*len += n;
	bigger[*len] = '\0';
	return 0;
}

/* Reads both pipes to their ends. */
static int collect(int out, int verdicts, struct sg_self_result *r, char **stream)
{
	struct pollfd p[] = {{.fd = out, .events = POLLIN}, {.fd = verdicts, .events = POLLIN}};
	size_t n_out = 0, n_stream = 0;
	char data[16384];

	while (p[0].fd >= 0 || p[1].fd >= 0) {
		if (poll(p, 2, -1) < 0) {
			if (errno != EINTR || sg_self_stopped)
				return -errno;
			continue; /* stopped, and continued */
		}
		for (int i = 0; i < 2; i++) {
			ssize_t n;

			if (p[i].fd < 0 || !p[i].revents)
				continue;
			n = read(p[i].fd, data, sizeof(data));
			if (n <= 0) {
				p[i].fd = -1;
				continue;
			}
			if (i == 1) {
				if (append(stream, &n_stream, data, (size_t)n) < 0)
					return -ENOMEM;
				continue;
			}
			if ((size_t)n > sizeof(r->out) - 1 - n_out)
				n = (ssize_t)(sizeof(r->out) - 1 - n_out);
			memcpy(r->out + n_out, data, (size_t)n);
			n_out += (size_t)n;
		}
	}
	return 0;
}

static void parse_stream(struct sg_self_result *r, char *stream)
{
	char *save = NULL;
	json_t *last;

	r->records = json_array();
	for (char *line = stream ? strtok_r(stream, "\n", &save) : NULL; line; line = strtok_r(NULL, "\n", &save)) {
		json_t *o = json_loads(line, 0, NULL);

		if (json_is_object(o))
			json_array_append(r->records, o);
		json_decref(o);
	}
	last = json_array_get(r->records, json_array_size(r->records) - 1);
	if (last && !strcmp(json_string_value(json_object_get(last, "type")) ?: "", "exit"))
		r->exit = last;
}

int sg_self_run(const char *const *options, const char *const *argv, struct sg_self_result *r, struct sg_err *err)
{
	SG_CLOSE int out_r = -1, out_w = -1, verdicts_r = -1, verdicts_w = -1;
	SG_FREE char *stream = NULL;
	const char *words[MAX_WORDS] = {"sgrun", "--verdicts", ""};
	int n = 3, fds[2], status = 0, rc;
	pid_t pid;

	memset(r, 0, sizeof(*r));
	for (int i = 0; options[i]; i++)
		if (n < MAX_WORDS - 2)
			words[n++] = options[i];
	words[n++] = "--";
	for (int i = 0; argv[i]; i++)
		if (n < MAX_WORDS - 1)
			words[n++] = argv[i];
	if (n >= MAX_WORDS - 1)
		return sg_err_set(err, E2BIG, "more than %d words of a command line", MAX_WORDS);
	if (pipe2(fds, O_CLOEXEC) < 0)
		return sg_err_set(err, errno, "cannot create a pipe: %s", strerror(errno));
	out_r = fds[0];
	out_w = fds[1];
	if (pipe2(fds, O_CLOEXEC) < 0)
		return sg_err_set(err, errno, "cannot create a pipe: %s", strerror(errno));
	verdicts_r = fds[0];
	verdicts_w = fds[1];
	pid = fork();
	if (pid < 0)
		return sg_err_set(err, errno, "cannot start a process: %s", strerror(errno));
	if (pid == 0)
		child(out_w, verdicts_w, (char **)words);
	close(SG_TAKE_FD(out_w));
	close(SG_TAKE_FD(verdicts_w));
	rc = collect(out_r, verdicts_r, r, &stream);
	if (rc)
		(void)kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	r->status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
	if (rc)
		return sg_err_set(err, -rc, "cannot read from sgrun: %s", strerror(-rc));
	parse_stream(r, stream);
	return 0;
}

void sg_self_release(struct sg_self_result *r)
{
	json_decref(r->records);
	r->records = r->exit = NULL;
}

const char *sg_self_words(const struct sg_self_result *r, char *buf, size_t size)
{
	const char *verdict = json_string_value(json_object_get(r->exit, "verdict"));
	const char *call = json_string_value(json_object_get(json_object_get(r->exit, "violation"), "syscall"));
	const char *error = json_string_value(json_object_get(r->exit, "error"));

	if (!verdict)
		snprintf(buf, size, "nothing ran: %.*s", (int)strcspn(r->out, "\n"), r->out);
	else if (!strcmp(verdict, "violation"))
		snprintf(buf, size, "violation by %s", call ? call : "an object rule");
	else if (!strcmp(verdict, "signal"))
		snprintf(buf, size, "signal %lld", (long long)json_integer_value(json_object_get(r->exit, "signal")));
	else if (!strcmp(verdict, "ok"))
		snprintf(buf, size, "ok, exit status %d", r->status);
	else
		snprintf(buf, size, "%s%s%s", verdict, error ? ": " : "", error ? error : "");
	return buf;
}
