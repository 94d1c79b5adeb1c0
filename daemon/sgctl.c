/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/sgctl.h"

#include "policy/json.h"
#include "supervisor/client.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>

static const char help[] =
	"usage: sgctl [--socket PATH] [--json] COMMAND\n"
	"\n"
	"  list                                   the sandboxes of this host that are yours; root: all\n"
	"  show ID | --container-id ID            one of them, with counts and the violation that killed\n"
	"  kill ID | --container-id ID [--signal N]   end it; with a signal: pass that to its first process\n"
	"  attach --cgroup PATH | --pid N --lang NAME [--mode audit|enforce] [--container-id ID] [--stats]\n"
	"         [--cwd DIR] [--home DIR]        put an existing cgroup under a policy (root)\n"
	"  detach ID | --container-id ID          take an attached one out again (root)\n"
	"  reload FILE                            replace sgd's policies, also under running sandboxes (root)\n"
	"  status                                 what sgd has done so far\n"
	"  policy check|explain|diff|list …       what a policy means (as sgrun policy)\n"
	"  doctor [--json]                        what this host offers, proved by trying\n"
	"  tail [ID] [--type TYPE] [--lang NAME]  records as they come; on a terminal in sentences\n"
	"  top [--once]                           a live table; q ends it\n"
	"  oci-hook                               for OCI runtimes: container state on standard input "
	"(docs/containers.md)\n"
	"\n"
	"  --help  --version\n";

static int fail(const struct sg_err *err)
{
	char text[1200];

	sg_err_format(err, text, sizeof(text));
	sg_text_plain(text);
	fprintf(stderr, "sgctl: %s\n", text);
	return 1;
}

void sgctl_print_json(const json_t *o)
{
	SG_FREE char *line = json_dumps(o, JSON_COMPACT | JSON_REAL_PRECISION(9));

	if (line)
		puts(line);
}

const char *sgctl_text(const json_t *o, const char *key)
{
	const char *text = json_string_value(json_object_get(o, key));

	return text ? text : "-";
}

long long sgctl_number(const json_t *o, const char *key)
{
	return json_integer_value(json_object_get(o, key));
}

static void print_row(const json_t *b)
{
	const json_t *counts = json_object_get(b, "counts");
	double age = (double)sgctl_number(b, "age_ms") / 1000;

	printf("%-18s %-9s %-11s %-8s %6lld %5lld %5lld %9.1f\n", sgctl_text(b, "id"),
	       json_is_true(json_object_get(b, "attached")) ? "attached" : sgctl_text(b, "state"),
	       sgctl_text(b, "language"), sgctl_text(b, "mode"), sgctl_number(b, "uid"), sgctl_number(b, "tasks"),
	       sgctl_number(counts, "kill"), age);
}

static int each(void *ctx, json_t *part)
{
	const struct sgctl *s = ctx;
	json_t *b = json_object_get(part, "sandbox");

	if (s->json)
		sgctl_print_json(b);
	else
		print_row(b);
	return 0;
}

/* key: value, one a line; objects in one line of JSON. */
static void print_object(json_t *o)
{
	const char *key;
	json_t *value;

	json_object_foreach(o, key, value)
	{
		SG_FREE char *text = json_is_string(value) ? strdup(json_string_value(value))
							   : json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT);

		if (text)
			sg_text_plain(text); /* the names of cgroups and files are other people's */
		if (strcmp(key, "ok") && strcmp(key, "v"))
			printf("%-20s %s\n", key, text ? text : "");
	}
}

int sgctl_ask(const struct sgctl *s, json_t *request, const int *fds, size_t n_fds, int (*fn)(void *ctx, json_t *part),
	      void *ctx, json_t **answer, struct sg_err *err)
{
	SG_CLOSE int fd = -1;
	int rc = sg_client_connect(s->socket, &fd, err);

	if (!rc)
		rc = sg_client_request(fd, request, fds, n_fds, fn, ctx, answer, err);
	json_decref(request);
	return rc;
}

static int ask(const struct sgctl *s, json_t *request, const int *fds, size_t n_fds, json_t **answer,
	       struct sg_err *err)
{
	return sgctl_ask(s, request, fds, n_fds, each, (void *)s, answer, err);
}

static void name_it(json_t *request, const struct sgctl *s)
{
	if (s->id)
		json_object_set_new(request, "id", json_string(s->id));
	if (s->container)
		json_object_set_new(request, "container_id", json_string(s->container));
}

static int finish(const struct sgctl *s, json_t *answer, bool quiet)
{
	json_t *b = json_object_get(answer, "sandbox");

	if (s->json)
		sgctl_print_json(answer);
	else if (!quiet)
		print_object(b ? b : answer);
	json_decref(answer);
	return 0;
}

static int simple(const struct sgctl *s, const char *op, bool quiet, struct sg_err *err)
{
	json_t *request, *answer;
	uint64_t n;

	if (strcmp(op, "status") != 0 && !s->id == !s->container)
		return sg_err_set(err, EINVAL,
				  "%s needs the ID of a sandbox (sgctl list has them), or --container-id ID", op);
	request = json_pack("{s:s}", "op", op);
	name_it(request, s);
	if (s->signal && sg_parse_u64(s->signal, 31, &n) == 0)
		json_object_set_new(request, "signal", json_integer((json_int_t)n));
	else if (s->signal) {
		json_decref(request);
		return sg_err_set(err, EINVAL, "--signal %s: a number from 1 to 31", s->signal);
	}
	if (ask(s, request, NULL, 0, &answer, err) < 0)
		return -err->code;
	return finish(s, answer, quiet);
}

static int list(const struct sgctl *s, struct sg_err *err)
{
	json_t *answer;

	if (!s->json)
		printf("%-18s %-9s %-11s %-8s %6s %5s %5s %9s\n", "ID", "STATE", "LANGUAGE", "MODE", "UID", "PROCS",
		       "KILLS", "AGE/s");
	if (ask(s, json_pack("{s:s}", "op", "list"), NULL, 0, &answer, err) < 0)
		return -err->code;
	if (sgctl_number(answer, "left_out"))
		fprintf(stderr, "sgctl: %lld more sandboxes are not shown: sgd had no room for them in its answer\n",
			sgctl_number(answer, "left_out"));
	json_decref(answer);
	return 0;
}

static int attach(const struct sgctl *s, struct sg_err *err)
{
	json_t *request, *answer;
	SG_CLOSE int fd = -1;
	uint64_t pid;

	if (!s->cgroup == !s->pid || !s->language)
		return sg_err_set(err, EINVAL, "attach needs --lang, and either --cgroup or --pid");
	if (s->cgroup) {
		fd = open(s->cgroup, O_PATH | O_DIRECTORY | O_CLOEXEC);
	} else {
		if (sg_parse_u64(s->pid, INT_MAX, &pid) < 0)
			return sg_err_set(err, EINVAL, "--pid %s: a number", s->pid);
		fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
	}
	if (fd < 0)
		return sg_err_set(err, errno, "%s: %s", s->cgroup ? s->cgroup : s->pid, strerror(errno));
	request = json_pack("{s:s, s:s, s:s, s:b}", "op", "attach", "by", s->cgroup ? "cgroup" : "pidfd", "language",
			    s->language, "stats", s->stats);
	if (s->mode)
		json_object_set_new(request, "mode", json_string(s->mode));
	if (s->cwd || s->home)
		json_object_set_new(request, "view", json_pack("{s:s*, s:s*}", "cwd", s->cwd, "home", s->home));
	name_it(request, s);
	if (ask(s, request, &fd, 1, &answer, err) < 0)
		return -err->code;
	return finish(s, answer, false);
}

static int reload(const struct sgctl *s, struct sg_err *err)
{
	SG_CLOSE int fd = -1, memory = -1;
	SG_FREE char *text = NULL;
	struct iovec iov;
	json_t *answer;
	struct stat st;

	fd = s->id ? open(s->id, O_RDONLY | O_CLOEXEC) : -1;
	if (!s->id)
		return sg_err_set(err, EINVAL, "reload needs the file of policies");
	if (fd < 0 || fstat(fd, &st) < 0)
		return sg_err_set(err, errno, "%s: %s", s->id, strerror(errno));
	if (!S_ISREG(st.st_mode) || st.st_size > SG_POLICY_MAX_BYTES)
		return sg_err_set(err, EINVAL, "%s: no regular file of at most %u bytes", s->id, SG_POLICY_MAX_BYTES);
	text = malloc((size_t)st.st_size + 1);
	if (!text || read(fd, text, (size_t)st.st_size) != st.st_size)
		return sg_err_set(err, EIO, "cannot read %s", s->id);
	iov = (struct iovec){.iov_base = text, .iov_len = (size_t)st.st_size};
	memory = sg_client_memory("sandgate-policy", &iov, 1);
	if (memory < 0)
		return sg_err_set(err, -memory, "cannot create a memory file: %s", strerror(-memory));
	if (ask(s, json_pack("{s:s, s:s}", "op", "reload", "name", s->id), &memory, 1, &answer, err) < 0)
		return -err->code;
	return finish(s, answer, false);
}

/* What stands behind a command that takes nothing was meant for another one. A runtime may tell its hook what it is. */
static int too_many(const char *command, char **args, struct sg_err *err)
{
	static const char *const without[] = {"list", "attach", "status", "top"};
	bool none = false;

	for (size_t i = 0; i < SG_ARRAY_SIZE(without); i++)
		none |= !strcmp(command, without[i]);
	if (!args[0] || (!none && !args[1]))
		return 0;
	return sg_err_set(err, EINVAL, "%s: one argument too many; see sgctl --help", args[!none]);
}

static int parse(struct sgctl *s, int argc, char **argv, const char **command, struct sg_err *err)
{
	enum {
		SOCKET = 256,
		JSON,
		CONTAINER,
		CGROUP,
		PID,
		LANG,
		MODE,
		CWD,
		HOME,
		SIGNAL,
		STATS,
		TYPE,
		ONCE,
		HELP,
		VERSION
	};
	static const struct option options[] = {{"socket", required_argument, NULL, SOCKET},
						{"json", no_argument, NULL, JSON},
						{"container-id", required_argument, NULL, CONTAINER},
						{"cgroup", required_argument, NULL, CGROUP},
						{"pid", required_argument, NULL, PID},
						{"lang", required_argument, NULL, LANG},
						{"mode", required_argument, NULL, MODE},
						{"cwd", required_argument, NULL, CWD},
						{"home", required_argument, NULL, HOME},
						{"signal", required_argument, NULL, SIGNAL},
						{"stats", no_argument, NULL, STATS},
						{"type", required_argument, NULL, TYPE},
						{"once", no_argument, NULL, ONCE},
						{"help", no_argument, NULL, HELP},
						{"version", no_argument, NULL, VERSION},
						{0}};
	int opt;

	opterr = 0;
	while ((opt = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (opt) {
		case SOCKET:
			s->socket = optarg;
			break;
		case JSON:
			s->json = true;
			break;
		case CONTAINER:
			s->container = optarg;
			break;
		case CGROUP:
			s->cgroup = optarg;
			break;
		case PID:
			s->pid = optarg;
			break;
		case LANG:
			s->language = optarg;
			break;
		case MODE:
			s->mode = optarg;
			break;
		case CWD:
			s->cwd = optarg;
			break;
		case HOME:
			s->home = optarg;
			break;
		case SIGNAL:
			s->signal = optarg;
			break;
		case STATS:
			s->stats = true;
			break;
		case TYPE:
			s->type = optarg;
			break;
		case ONCE:
			s->once = true;
			break;
		case HELP:
			fputs(help, stdout);
			exit(0);
		case VERSION:
			puts("sgctl " SG_VERSION);
			exit(0);
		default:
			return sg_err_set(err, EINVAL, "%s %s; see sgctl --help",
					  opt == ':' ? "a value is missing for" : "unknown option", argv[optind - 1]);
		}
	}
	*command = argv[optind];
	if (!*command)
		return sg_err_set(err, EINVAL, "no command; see sgctl --help");
	s->id = argv[optind + 1];
	return too_many(*command, argv + optind + 1, err);
}

/*
 * Questions that need no daemon are answered by sgrun, which lies beside us. argv: our name, and the question, which is
 * one word or, of policies, two; json: to be answered as JSON, said before it.
 */
static int offline(int argc, char **argv, bool json, struct sg_err *err)
{
	static const char *const beside[] = {"sgrun", "../bin/sgrun", "../runner/sgrun"};
	char **args = calloc((size_t)argc + 2, sizeof(*args));
	char self[PATH_MAX], path[PATH_MAX + 32];
	ssize_t n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	int words = !strcmp(argv[1], "policy") && argc > 2 ? 3 : 2, rc;
	char *slash;

	if (!args)
		return sg_err_set(err, ENOMEM, "out of memory");
	for (int i = 0; i < argc; i++)
		args[i + (json && i >= words)] = argv[i];
	if (json)
		args[words] = (char *)"--json";
	self[n > 0 ? n : 0] = '\0';
	slash = strrchr(self, '/');
	for (size_t i = 0; slash && i < SG_ARRAY_SIZE(beside); i++) {
		snprintf(path, sizeof(path), "%.*s/%s", (int)(slash - self), self, beside[i]);
		execv(path, args);
	}
	execvp("sgrun", args);
	rc = sg_err_set(err, errno, "cannot run sgrun, which answers that: %s", strerror(errno));
	free(args);
	return rc;
}

int main(int argc, char **argv)
{
	struct sgctl s = {0};
	struct sg_err err = {0};
	const char *command = NULL;
	bool json = false;
	int rc, first = 1;

	/* What asks no daemon takes no socket; its own options stand behind it. */
	for (; first < argc; first += !strcmp(argv[first], "--socket") ? 2 : 1) {
		if (strncmp(argv[first], "--socket", 8) != 0 && strcmp(argv[first], "--json") != 0)
			break;
		json |= !strcmp(argv[first], "--json");
	}
	if (first < argc && (!strcmp(argv[first], "policy") || !strcmp(argv[first], "doctor"))) {
		argv[first - 1] = argv[0];
		(void)offline(argc - first + 1, argv + first - 1, json, &err);
		return fail(&err);
	}
	if (parse(&s, argc, argv, &command, &err) < 0)
		return fail(&err);
	if (!strcmp(command, "list"))
		rc = list(&s, &err);
	else if (!strcmp(command, "attach"))
		rc = attach(&s, &err);
	else if (!strcmp(command, "reload"))
		rc = reload(&s, &err);
	else if (!strcmp(command, "tail"))
		rc = sgctl_tail(&s, &err);
	else if (!strcmp(command, "top"))
		rc = sgctl_top(&s, &err);
	else if (!strcmp(command, "oci-hook"))
		rc = sgctl_oci_hook(&s, &err);
	else if (!strcmp(command, "show") || !strcmp(command, "status"))
		rc = simple(&s, command, false, &err);
	else if (!strcmp(command, "kill") || !strcmp(command, "detach"))
		rc = simple(&s, command, true, &err);
	else
		rc = sg_err_set(&err, EINVAL, "unknown command %s; see sgctl --help", command);
	/* An answer that did not get out is none. */
	if (rc >= 0 && (fflush(stdout) != 0 || ferror(stdout)))
		rc = sg_err_set(&err, EIO, "the output cannot be written");
	return rc < 0 ? fail(&err) : 0;
}
