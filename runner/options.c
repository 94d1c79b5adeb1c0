/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/options.h"

#include "policy/names.h"
#include "supervisor/util.h"

#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#define DIGITS_OF(n) #n
#define DIGITS(n) DIGITS_OF(n) /* of a macro's value */

const char sg_options_help[] =
	"usage: sgrun [options] -- PROGRAM [ARG...]\n"
	"       sgrun policy check|explain|diff ...      what a policy means\n"
	"       sgrun doctor [--json]                    what this host offers, proved by trying\n"
	"\n"
	"what is allowed\n"
	"  --lang NAME           policy for this language (default: from the program's name)\n"
	"  --policy FILE         a policy file; languages it does not define are the built-in ones\n"
	"  --read PATH           may be read, with everything below it (this and the next three: repeatable)\n"
	"  --write PATH          may be read and changed: files below it written, made and removed\n"
	"  --exec PATH           programs below it may be executed, libraries loaded\n"
	"  --net RULE            loopback, unix, unix:PATH, \"[listen] tcp|udp ADDRESS[/PREFIX][:PORT[-PORT]]\", "
	"netlink\n"
	"  --mode enforce|audit  kill on a violation (default), or only record it\n"
	"  --learn FILE          let everything through and write the policy it would need; merges into FILE\n"
	"  --from builtin[:NAME] learn only what that policy does not allow\n"
	"how it is enforced\n"
	"  --tier auto|lsm|bpf|unprivileged   use this tier (default: the best this host offers)\n"
	"  --require TIER        refuse to run on less (exit 125)\n"
	"  --seccomp on|off      off: only the sys_enter program decides; calls may take effect before the kill\n"
	"what the program gets\n"
	"  --user USER|UID[:GID] run as this user (as root only; under sudo: the calling user)\n"
	"  --env NAME[=VALUE]    add to the minimal environment (repeatable); --env-all: pass everything\n"
	"  --fd N                pass this open descriptor besides 0, 1 and 2 (repeatable)\n"
	"  --chdir DIR           start in this directory\n"
	"  --cancel-fd N         a pipe or socket: end the sandbox when its other end is closed\n"
	"limits\n"
	"  --wall-time T  --cpu-time T          10, 500ms, 2s, 1m (a bare number is seconds)\n"
	"  --memory SIZE  --output SIZE  --file-size SIZE  --stack SIZE     64, 64K, 10M, 1G\n"
	"  --pids N  --open-files N  --cpus N     processors, also a fraction: 0.5\n"
	"  --require-limits      refuse to run where a limit's cgroup controller is missing (exit 125)\n"
	"many programs\n"
	"  --batch FILE|-        run the programs that the lines of FILE name, each in a sandbox of its own (through "
	"sgd)\n"
	"  --jobs N              as many at a time (default: as there are processors)\n"
	"who supervises\n"
	"  --daemon auto|PATH|off  use sgd: where it listens, if it does (default); at this socket; not at all\n"
	"  --detach              print the sandbox's id and end; sgctl list, show, kill (through sgd only)\n"
	"  --on-supervisor-death kill|keep   what becomes of the sandbox when sgd dies (default: kill; with --detach: "
	"keep)\n"
	"what is reported\n"
	"  --verdicts fd:N|FILE|-  where the JSON lines go (default: standard error)\n"
	"  --label TEXT          in every record, to tell whose they are\n"
	"  --stats               count system calls (attaches a program to every call on the host)\n"
	"  --help  --version\n"
	"\n"
	"exit status: the program's own; 128+N killed by signal N; 159 violation; 124 time limit; 137 memory limit;\n"
	"             125 sgrun failed and nothing ran; 126 not executable; 127 not found\n";

enum {
	OPT_LANG = 256,
	OPT_POLICY,
	OPT_READ,
	OPT_WRITE,
	OPT_EXEC,
	OPT_NET,
	OPT_MODE,
	OPT_LEARN,
	OPT_FROM,
	OPT_TIER,
	OPT_REQUIRE,
	OPT_SECCOMP,
	OPT_USER,
	OPT_ENV,
	OPT_ENV_ALL,
	OPT_FD,
	OPT_CHDIR,
	OPT_CANCEL_FD,
	OPT_WALL,
	OPT_CPU,
	OPT_PIDS,
	OPT_FILES,
	OPT_FSIZE,
	OPT_STACK,
	OPT_MEMORY,
	OPT_OUTPUT,
	OPT_CPUS,
	OPT_REQUIRE_LIMITS,
	OPT_VERDICTS,
	OPT_LABEL,
	OPT_BATCH,
	OPT_JOBS,
	OPT_STATS,
	OPT_DAEMON,
	OPT_DETACH,
	OPT_DEATH,
	OPT_HELP,
	OPT_VERSION,
};

static const struct option long_options[] = {
	{"lang", required_argument, NULL, OPT_LANG},
	{"policy", required_argument, NULL, OPT_POLICY},
	{"read", required_argument, NULL, OPT_READ},
	{"write", required_argument, NULL, OPT_WRITE},
	{"exec", required_argument, NULL, OPT_EXEC},
	{"net", required_argument, NULL, OPT_NET},
	{"mode", required_argument, NULL, OPT_MODE},
	{"learn", required_argument, NULL, OPT_LEARN},
	{"from", required_argument, NULL, OPT_FROM},
	{"tier", required_argument, NULL, OPT_TIER},
	{"require", required_argument, NULL, OPT_REQUIRE},
	{"seccomp", required_argument, NULL, OPT_SECCOMP},
	{"user", required_argument, NULL, OPT_USER},
	{"env", required_argument, NULL, OPT_ENV},
	{"env-all", no_argument, NULL, OPT_ENV_ALL},
	{"fd", required_argument, NULL, OPT_FD},
	{"chdir", required_argument, NULL, OPT_CHDIR},
	{"cancel-fd", required_argument, NULL, OPT_CANCEL_FD},
	{"wall-time", required_argument, NULL, OPT_WALL},
	{"cpu-time", required_argument, NULL, OPT_CPU},
	{"pids", required_argument, NULL, OPT_PIDS},
	{"open-files", required_argument, NULL, OPT_FILES},
	{"file-size", required_argument, NULL, OPT_FSIZE},
	{"stack", required_argument, NULL, OPT_STACK},
	{"memory", required_argument, NULL, OPT_MEMORY},
	{"output", required_argument, NULL, OPT_OUTPUT},
	{"cpus", required_argument, NULL, OPT_CPUS},
	{"require-limits", no_argument, NULL, OPT_REQUIRE_LIMITS},
	{"verdicts", required_argument, NULL, OPT_VERDICTS},
	{"label", required_argument, NULL, OPT_LABEL},
	{"batch", required_argument, NULL, OPT_BATCH},
	{"jobs", required_argument, NULL, OPT_JOBS},
	{"stats", no_argument, NULL, OPT_STATS},
	{"daemon", required_argument, NULL, OPT_DAEMON},
	{"detach", no_argument, NULL, OPT_DETACH},
	{"on-supervisor-death", required_argument, NULL, OPT_DEATH},
	{"help", no_argument, NULL, OPT_HELP},
	{"version", no_argument, NULL, OPT_VERSION},
	{0},
};

static int parse_tier(const char *text)
{
	if (!strcmp(text, "lsm"))
		return SG_TIER_LSM;
	if (!strcmp(text, "bpf"))
		return SG_TIER_BPF;
	if (!strcmp(text, "unprivileged"))
		return SG_TIER_UNPRIVILEGED;
	return 0;
}

int sg_options_tier(const char *value, int *tier, struct sg_err *err)
{
	*tier = parse_tier(value);
	if (!*tier && strcmp(value, "auto") != 0)
		return sg_err_set(err, EINVAL, "--tier %s: expected auto, lsm, bpf or unprivileged", value);
	return 0;
}

static int choice(const char *option, const char *value, const char *yes, const char *no, bool *out, struct sg_err *err)
{
	if (!strcmp(value, yes))
		*out = true;
	else if (!strcmp(value, no))
		*out = false;
	else
		return sg_err_set(err, EINVAL, "%s %s: expected %s or %s", option, value, yes, no);
	return 0;
}

static const char *name_of(int opt)
{
	const struct option *l = long_options;

	while (l->name && l->val != opt)
		l++;
	return l->name;
}

static int quantity(int opt, const char *value, struct sg_limits *l, struct sg_err *err)
{
	int rc;

	switch (opt) {
	case OPT_WALL:
		rc = sg_parse_time(value, &l->wall_time);
		break;
	case OPT_CPU:
		rc = sg_parse_time(value, &l->cpu_time);
		break;
	case OPT_PIDS:
		rc = sg_parse_u64(value, SG_LIMIT_PIDS_MAX, &l->pids);
		break;
	case OPT_FILES:
		rc = sg_parse_u64(value, SG_LIMIT_FILES_MAX, &l->open_files);
		break;
	case OPT_FSIZE:
		rc = sg_parse_size(value, &l->file_size);
		break;
	case OPT_MEMORY:
		rc = sg_parse_size(value, &l->memory);
		break;
	case OPT_OUTPUT:
		rc = sg_parse_size(value, &l->output);
		break;
	case OPT_CPUS:
		rc = sg_parse_cpus(value, &l->cpus);
		break;
	default:
		rc = sg_parse_size(value, &l->stack);
		break;
	}
	/* 0 would read as "no limit" further on; nobody who writes it means that. */
	if (!rc && strspn(value, "0.KMGTiBshm") == strlen(value))
		rc = -EINVAL;
	if (rc)
		return sg_err_set(err, EINVAL, "--%s %s %s; expected %s", name_of(opt), value,
				  rc == -ERANGE ? "is out of range" : "is no usable limit",
				  opt == OPT_WALL || opt == OPT_CPU ? "a time such as 10, 500ms, 2s, 1m"
				  : opt == OPT_PIDS                 ? "a number from 1 to " DIGITS(SG_LIMIT_PIDS_MAX)
				  : opt == OPT_FILES                ? "a number from 1 to " DIGITS(SG_LIMIT_FILES_MAX)
				  : opt == OPT_CPUS                 ? "a number of processors such as 2 or 0.5"
								    : "a size such as 65536, 64K, 10M, 1G");
	return 0;
}

static int one(struct sg_options *o, int opt, const char *value, struct sg_err *err)
{
	uint64_t n;

	switch (opt) {
	case OPT_LANG:
		o->language = value;
		return 0;
	case OPT_POLICY:
		o->policy_file = value;
		return 0;
	case OPT_READ:
	case OPT_WRITE:
	case OPT_EXEC:
	case OPT_NET:
		if (o->n_access == SG_MAX_ACCESS_OPTIONS)
			return sg_err_set(err, E2BIG, "more than %d --read, --write, --exec and --net options",
					  SG_MAX_ACCESS_OPTIONS);
		o->access[o->n_access++] = (struct sg_option_access){"rwxn"[opt - OPT_READ], value};
		return 0;
	case OPT_MODE:
		return choice("--mode", value, "audit", "enforce", &o->audit, err);
	case OPT_SECCOMP:
		return choice("--seccomp", value, "on", "off", &o->seccomp, err);
	case OPT_LEARN:
		o->learn_file = value;
		return 0;
	case OPT_FROM:
		o->learn_from = value;
		if (strcmp(value, "builtin") != 0 && strncmp(value, "builtin:", 8) != 0)
			return sg_err_set(err, EINVAL, "--from %s: expected builtin or builtin:NAME", value);
		return 0;
	case OPT_TIER:
		return sg_options_tier(value, &o->tier, err);
	case OPT_REQUIRE:
		o->require = parse_tier(value);
		if (!o->require)
			return sg_err_set(err, EINVAL, "--require %s: expected lsm, bpf or unprivileged", value);
		return 0;
	case OPT_USER:
		o->user = value;
		return 0;
	case OPT_ENV:
		if (!*value || *value == '=')
			return sg_err_set(err, EINVAL, "--env '%s': expected NAME or NAME=VALUE", value);
		if (o->n_env == SG_MAX_ENV_OPTIONS)
			return sg_err_set(err, E2BIG, "more than %d --env options", SG_MAX_ENV_OPTIONS);
		o->env[o->n_env++] = value;
		return 0;
	case OPT_ENV_ALL:
		o->env_all = true;
		return 0;
	case OPT_FD:
		if (sg_parse_u64(value, INT_MAX, &n) < 0)
			return sg_err_set(err, EINVAL, "--fd %s: expected a descriptor number", value);
		if (o->n_fds == SG_MAX_PASSED_FDS)
			return sg_err_set(err, E2BIG, "more than %d --fd options", SG_MAX_PASSED_FDS);
		o->fds[o->n_fds++] = (int)n;
		return 0;
	case OPT_CANCEL_FD:
		if (sg_parse_u64(value, INT_MAX, &n) < 0)
			return sg_err_set(err, EINVAL, "--cancel-fd %s: expected a descriptor number", value);
		o->cancel = true;
		o->cancel_fd = (int)n;
		return 0;
	case OPT_CHDIR:
		o->chdir = value;
		return 0;
	case OPT_VERDICTS:
		o->verdicts = value;
		return 0;
	case OPT_LABEL:
		o->label = value;
		if (!sg_label_usable(value))
			return sg_err_set(
				err, EINVAL,
				"--label: expected 1 to %d bytes of UTF-8 without control and invisible characters",
				SG_LABEL_MAX);
		return 0;
	case OPT_BATCH:
		o->batch = value;
		return 0;
	case OPT_JOBS:
		if (sg_parse_u64(value, SG_BATCH_JOBS_MAX, &n) < 0 || !n)
			return sg_err_set(err, EINVAL, "--jobs %s: expected a number from 1 to %d", value,
					  SG_BATCH_JOBS_MAX);
		o->jobs = (unsigned)n;
		return 0;
	case OPT_STATS:
		o->stats = true;
		return 0;
	case OPT_REQUIRE_LIMITS:
		o->require_limits = true;
		return 0;
	case OPT_DAEMON:
		o->daemon = value;
		return 0;
	case OPT_DETACH:
		o->detach = true;
		return 0;
	case OPT_DEATH:
		o->death_said = true;
		return choice("--on-supervisor-death", value, "keep", "kill", &o->keep, err);
	case OPT_HELP:
		o->help = true;
		return 0;
	case OPT_VERSION:
		o->version = true;
		return 0;
	default:
		return quantity(opt, value, &o->limits, err);
	}
}

/* Where getopt knows no option: whether the word is the beginning of two, or near to one. */
static int unknown(const char *word, struct sg_err *err)
{
	size_t n = strcspn(word, "=");
	const char *one_of = NULL;
	struct sg_suggest near;
	char name[32];

	if (n <= 2 || n - 2 >= sizeof(name) || strncmp(word, "--", 2) != 0)
		return sg_err_set(err, EINVAL, "unknown option %s; see sgrun --help", word);
	snprintf(name, sizeof(name), "%.*s", (int)n - 2, word + 2);
	sg_suggest_init(&near, name);
	for (const struct option *l = long_options; l->name; l++) {
		bool begins = !strncmp(l->name, name, n - 2);

		if (begins && one_of)
			return sg_err_set(err, EINVAL, "option --%s could be --%s or --%s; see sgrun --help", name,
					  one_of, l->name);
		one_of = begins ? l->name : one_of;
		sg_suggest_offer(&near, l->name);
	}
	return near.best ? sg_err_set(err, EINVAL, "unknown option --%s; did you mean --%s?", name, near.best)
			 : sg_err_set(err, EINVAL, "unknown option --%s; see sgrun --help", name);
}

/* What a batch saves is saved through the daemon. */
static int check_batch(const struct sg_options *o, struct sg_err *err)
{
	bool standard = o->batch && !strcmp(o->batch, "-");
	const char *other = o->learn_file      ? "--learn"
			    : o->detach        ? "--detach"
			    : o->keep          ? "--on-supervisor-death keep"
			    : o->label         ? "--label (each job has its own)"
			    : o->limits.output ? "--output, which sgd does not keep: --file-size bounds files"
			    : o->tier == SG_TIER_UNPRIVILEGED        ? "--tier unprivileged: it runs through sgd"
			    : o->daemon && !strcmp(o->daemon, "off") ? "--daemon off: it runs through sgd"
			    : o->policy_file && !strcmp(o->policy_file, "-") ? "--policy -"
			    : standard && o->cancel && !o->cancel_fd         ? "--cancel-fd 0: the jobs come from there"
									     : NULL;

	if (o->batch && other)
		return sg_err_set(err, EINVAL, "--batch cannot be combined with %s", other);
	if (o->jobs && !o->batch)
		return sg_err_set(err, EINVAL,
				  "--jobs says how many of --batch FILE run at a time, and there is no --batch");
	return 0;
}

int sg_options_parse(struct sg_options *o, int argc, char **argv, struct sg_err *err)
{
	int opt, at = 1, rc = 0;

	memset(o, 0, sizeof(*o));
	o->seccomp = true;
	optind = 1;
	opterr = 0;
	/* "+": options end at the first word that is none, so the program's own options are never taken for ours. */
	while ((opt = getopt_long(argc, argv, "+:", long_options, NULL)) != -1) {
		const char *word = argv[at];

		/* The first error is the one that is told; what comes after may still say where to. */
		if (opt == ':')
			rc = sg_err_set(err, EINVAL, "%s needs a value; see sgrun --help", word);
		else if (opt == '?' && optopt >= OPT_LANG)
			rc = sg_err_set(err, EINVAL, "%s: --%s takes no value", word, name_of(optopt));
		else if (opt == '?')
			rc = unknown(word, err);
		else if (one(o, opt, optarg, err) < 0)
			rc = -EINVAL;
		else if (optarg && !*optarg)
			rc = sg_err_set(err, EINVAL, "--%s: the value is empty", name_of(opt));
		at = optind;
	}
	if (rc)
		return rc;
	if (o->learn_from && !o->learn_file)
		return sg_err_set(err, EINVAL, "--from says where --learn FILE starts, and there is no --learn");
	if (o->learn_file && (o->policy_file || o->audit || !o->seccomp))
		return sg_err_set(err, EINVAL,
				  "--learn lets everything through: it cannot be combined with --policy, "
				  "--mode audit or --seccomp off");
	if (check_batch(o, err) < 0)
		return -err->code;
	/* Nobody waits for what is detached: who says nothing else has it outlive the daemon. */
	o->keep |= o->detach && !o->death_said;
	/* The daemon keeps no notes. */
	o->solo |= o->learn_file != NULL;
	o->argv = argv + optind;
	if (!o->help && !o->version && !o->batch && !*o->argv)
		return sg_err_set(err, EINVAL, "no program given; usage: sgrun [options] -- PROGRAM [ARG...]");
	return 0;
}
