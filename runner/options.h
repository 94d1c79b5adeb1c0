/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_OPTIONS_H
#define SG_OPTIONS_H

#include "policy/policy.h"
#include "supervisor/session.h"

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#define SG_MAX_PASSED_FDS 64
#define SG_MAX_ENV_OPTIONS 256

#define SG_BATCH_JOBS_MAX 256
#define SG_MAX_ACCESS_OPTIONS 64
struct sg_option_access {
	char kind; /* 'r': --read, 'w': --write, 'x': --exec, 'n': --net */
	const char *text;
};

/* The command line of sgrun, parsed but not yet checked against the system. Strings point into argv. */
struct sg_options {
	const char *language; /* NULL: from the program's name */
	const char *policy_file;
	const char *learn_file; /* --learn */
	const char *learn_from; /* --from builtin[:NAME] */
	const char *daemon;     /* NULL: one that listens in the usual place, if any */
	const char *verdicts;
	const char *label; /* NULL: none */
	const char *batch; /* a file of jobs, "-"; NULL: one program */
	unsigned jobs;     /* --jobs, 0: not given */
	unsigned not_std;  /* bit N: descriptor N of ours, which is at most 2, is not the program's */
	const char *user;
	const char *chdir;
	int tier;      /* enum sg_tier, 0: the best there is */
	int require;   /* enum sg_tier, 0: none */
	int cancel_fd; /* where cancel: the sandbox ends with its other end */
	bool cancel;   /* --cancel-fd was given */
	bool seccomp;  /* false: --seccomp off */
	bool audit;    /* --mode audit */
	bool stats;
	bool env_all;
	bool solo; /* an option only this program itself can serve */
	bool detach;
	bool keep;           /* --on-supervisor-death keep, or --detach and nothing else said */
	bool death_said;     /* --on-supervisor-death was given */
	bool require_limits; /* the controllers, or nothing */
	bool help, version;
	const char *env[SG_MAX_ENV_OPTIONS];
	int n_env;
	int fds[SG_MAX_PASSED_FDS];
	int n_fds;
	struct sg_option_access access[SG_MAX_ACCESS_OPTIONS];
	int n_access;
	struct sg_limits limits; /* override the policy's; 0: not given */
	char **argv;             /* PROGRAM ARG… NULL */
};

/*
 * Parses argv (argc counted, argv[0] the program's name). Errors: negative errno with what is wrong and what is
 * accepted; o->verdicts is set all the same where it was given.
 */
int sg_options_parse(struct sg_options *o, int argc, char **argv, struct sg_err *err);
/* The value of --tier. Sets *tier: enum sg_tier, 0: auto. */
int sg_options_tier(const char *value, int *tier, struct sg_err *err);
extern const char sg_options_help[];

#endif
