/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/batch.h"
#include "runner/front.h"
#include "runner/launch.h"
#include "runner/learn.h"
#include "runner/monitor.h"
#include "runner/options.h"
#include "runner/plan.h"
#include "runner/program.h"
#include "runner/remote.h"
#include "runner/verbs.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <time.h>

/* Said once, to people, by the program's main: libraries only hand errors up. */
static int fail(const struct sg_err *err, int status)
{
	char text[1200];

	sg_err_format(err, text, sizeof(text));
	fprintf(stderr, "sgrun: %s\n", text);
	return status;
}

/* An engine that reads the stream must not have to read standard error as well. */
static void report_failure(struct sg_session *s, const struct sg_options *o, const struct sg_err *err, int status)
{
	char text[1200];
	struct sg_result r = {.verdict = "error", .exit_code = status, .error = text, .output_bytes = -1};

	if (!o->verdicts)
		return;
	sg_err_format(err, text, sizeof(text));
	sg_session_exit(s, &r);
	(void)sg_stream_flush(&s->stream, 1000);
}

static int open_session(struct sg_session *s, const struct sg_options *o, struct sg_err *err)
{
	char id[64];

	snprintf(id, sizeof(id), "%d-%llx", (int)getpid(), (unsigned long long)sg_clock_ns(CLOCK_BOOTTIME));
	if (sg_session_open(s, id, o->verdicts, err) < 0)
		return -err->code;
	if (o->label && sg_label_usable(o->label))
		memcpy(s->label, o->label, strlen(o->label) + 1);
	return 0;
}

/* The command line makes no sense. */
static int refuse(const struct sg_options *o, const struct sg_err *err)
{
	struct sg_session session;
	struct sg_err unused = {0};

	if (o->verdicts && open_session(&session, o, &unused) == 0) {
		report_failure(&session, o, err, SG_EXIT_FAILED);
		sg_session_close(&session);
	}
	return fail(err, SG_EXIT_FAILED);
}

/* 0: it ran there. 1: it did not, and plan->no_daemon says why where there is one. Else negative errno, nothing ran. */
static int through_daemon(struct sg_plan *plan, struct sg_stream *stream, int *status, struct sg_err *err)
{
	const struct sg_options *o = plan->options;
	SG_CLOSE int fd = -1;
	int rc = 1;

	/* A policy of two phases is kept by sgrun itself. */
	if (plan->then && o->daemon && strcmp(o->daemon, "auto") != 0)
		snprintf(plan->no_daemon, sizeof(plan->no_daemon), "its policy has a second phase (then)");
	if (!plan->then)
		rc = sg_remote_connect(o, &fd, plan->no_daemon, err);

	if (rc == 0)
		rc = sg_remote_run(fd, plan, stream, status, plan->no_daemon, err);
	if (rc == 1)
		*status = SG_EXIT_FAILED;
	if (rc == 1 && o->daemon && strcmp(o->daemon, "auto") && strcmp(o->daemon, "off"))
		return sg_err_set(err, ENOTSUP, "sgd cannot run this: %s", plan->no_daemon);
	if (rc == 1 && (o->detach || o->keep))
		return sg_err_set(err, ENOTSUP, "--detach and --on-supervisor-death keep need sgd%s%s",
				  *plan->no_daemon ? ": " : ", and it does not run here", plan->no_daemon);
	return rc;
}

static int run_batch(const struct sg_options *o)
{
	struct sg_session session;
	struct sg_err err = {0};
	int status;

	if (sg_plan_check_fds(o, &err) < 0)
		return refuse(o, &err);
	if (open_session(&session, o, &err) < 0)
		return fail(&err, SG_EXIT_FAILED);
	status = sg_batch_run(o, &session, &err);
	if (status < 0) {
		status = fail(&err, SG_EXIT_FAILED);
		report_failure(&session, o, &err, status);
	}
	sg_session_close(&session);
	return status;
}

static int resume(const struct sg_options *o)
{
	struct sg_options same = *o;
	struct sg_session session;
	struct sg_err err = {0};
	int status = SG_EXIT_FAILED;
	char stream[16];

	/* Opened once more it may be another file, or a pipe that nobody reads any more. */
	snprintf(stream, sizeof(stream), "fd:%d", sg_front.stream);
	if (sg_front.stream >= 0)
		same.verdicts = stream;
	if (open_session(&session, &same, &err) < 0 || sg_remote_resume(o, &session.stream, &status, &err) < 0) {
		(void)fail(&err, status);
		report_failure(&session, o, &err, status);
	}
	sg_session_close(&session);
	return status;
}

static int run(const struct sg_options *o)
{
	struct sg_session session;
	struct sg_launch launch;
	struct sg_plan plan = {0};
	struct sg_err err = {0};
	int status = SG_EXIT_FAILED, rc;
	bool left;

	/* Before anything of our own is open, and could be taken for the caller's. */
	if (sg_plan_check_fds(o, &err) < 0)
		return refuse(o, &err);
	if (open_session(&session, o, &err) < 0)
		return fail(&err, SG_EXIT_FAILED);
	if (sg_plan_program(&plan, o, &status, &err) < 0 || sg_plan_policy(&plan, &err) < 0)
		goto failed;
	rc = through_daemon(&plan, &session.stream, &status, &err);
	if (rc < 0)
		goto failed;
	if (rc == 0)
		goto out;
	session.language = plan.language;
	session.policy_source = plan.policy_source;
	session.policy_digest = plan.policy_digest;
	session.widen = plan.widen;
	session.widened = plan.widened;
	session.policy = plan.policy;
	session.then = plan.then;
	plan.policy = plan.then = NULL;
	if (sg_launch_start(&launch, &plan, &session, &err) < 0) {
		status = SG_EXIT_FAILED;
		goto failed;
	}
	sg_launch_report(&launch);
	launch.leaving = true;
	/* What a crash left is looked for while the program runs, and removed when nobody waits for an answer of ours
	 * any more. */
	left = launch.cg.dirfd >= 0 && sg_cgroup_any_left(&launch.cg);
	status = sg_monitor(&launch);
	if (launch.exec_errno)
		fprintf(stderr, "sgrun: cannot run %s: %s\n", plan.path, sg_plan_exec_error(&plan, launch.exec_errno));
	if (left)
		(void)sg_cgroup_sweep(launch.cg.base);
	sg_launch_end(&launch);
	if (plan.learn && !launch.exec_errno &&
	    sg_learn_finish(plan.learn, o->learn_file, plan.argv, session.lost_kernel, &err) < 0)
		status = fail(&err, SG_EXIT_FAILED);
	goto out;
failed:
	(void)fail(&err, status);
	report_failure(&session, o, &err, status);
out:
	sg_session_close(&session);
	sg_plan_free(&plan);
	return status;
}

/*
 * A caller may start us with 0, 1 or 2 closed, and whatever is opened next would sit there: an error message would go
 * to the verdict file. Something that can neither be read nor written takes the place, and closes at exec, so that the
 * program finds them as closed as the caller left them.
 */
static void hold_standard_fds(void)
{
	int fd = -1;

	while (fd < 2 && fcntl(fd + 1, F_GETFD) >= 0)
		fd++;
	if (fd == 2)
		return;
	do
		fd = open("/", O_PATH | O_CLOEXEC);
	while (fd >= 0 && fd <= 2);
	if (fd > 2)
		close(fd);
}

/* An answer that did not get out is none. */
static int said(int status)
{
	if (fflush(stdout) == 0 && !ferror(stdout))
		return status;
	if (status != 2)
		fputs("sgrun: the output cannot be written\n", stderr);
	return 2;
}

int main(int argc, char **argv)
{
	struct sg_options o;
	struct sg_err err = {0};

#ifndef SG_OWN_START
	sg_front_try(argc, argv, environ, getauxval(AT_SECURE) ? NULL : (const char *)getauxval(AT_EXECFN));
#endif
	hold_standard_fds();
	if (argc > 1 && sg_verb_known(argv[1])) {
		/* doctor waits for its children, whatever our caller does with its own. */
		(void)sigaction(SIGCHLD, &(struct sigaction){.sa_handler = SIG_DFL}, NULL);
		return said(sg_verb_run(argc - 1, argv + 1));
	}
	if (sg_options_parse(&o, argc, argv, &err) < 0)
		return refuse(&o, &err);
	if (o.help) {
		fputs(sg_options_help, stdout);
		return said(0);
	}
	if (o.version) {
		puts("sgrun " SG_VERSION);
		return said(0);
	}
	return sg_front.runs ? resume(&o) : o.batch ? run_batch(&o) : run(&o);
}
