// SPDX-License-Identifier: Apache-2.0
/*
 * The programs at work on a real cgroup, with the abilities of the running kernel and forced down to those of older
 * ones: what is recorded must be the same, or what is missing must be said.
 */
#include "supervisor/bpf_priv.h"

#include "policy/policy.h"
#include "policy/seccomp.h"
#include "supervisor/cgroup.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define V(major, minor) ((uint32_t)(major) << 16 | (uint32_t)(minor) << 8)
#define EXPECTED 0x1122334455667788ULL

static struct sg_cgroup cgroup;
static struct sg_policy *policy;

/* Everything that was handed over since the last look. */
struct seen {
	struct sg_event_syscall call[64];
	unsigned calls, execs, exits;
};

static int note(void *ctx, const struct sg_event_hdr *rec, size_t size)
{
	struct seen *s = ctx;

	if (rec->type == SG_EVENT_SYSCALL && s->calls < 64)
		memcpy(&s->call[s->calls++], rec, size);
	s->execs += rec->type == SG_EVENT_EXEC;
	s->exits += rec->type == SG_EVENT_EXIT;
	return 0;
}

static int group_setup(void **state)
{
	static const char yaml[] = "t:\n  unlisted: allow\n  kill: [getpgid]\n  errno: {EPERM: [getsid]}\n"
				   "  audit: [getppid]\n";
	struct sg_err err = {0};
	struct sg_doc *doc;

	if (sg_doc_parse("t", yaml, strlen(yaml), &doc, &err) || sg_policy_resolve(doc, "t", &policy, &err) ||
	    sg_cgroup_create(&cgroup, &err))
		fail_msg("%s", err.message);
	sg_doc_free(doc);
	return 0;
}

static int group_teardown(void **state)
{
	sg_policy_free(policy);
	return sg_cgroup_remove(&cgroup);
}

/* Runs fn in a new process of the cgroup; returns its wait status. */
static int inside(void (*fn)(void))
{
	struct clone_args args = {.flags = CLONE_INTO_CGROUP, .exit_signal = SIGCHLD, .cgroup = (uint64_t)cgroup.dirfd};
	int status = -1;
	long pid = syscall(SYS_clone3, &args, sizeof(args));

	assert_true(pid >= 0);
	if (pid == 0) {
		alarm(20);
		fn();
		_exit(0);
	}
	assert_int_equal(waitpid((pid_t)pid, &status, 0), pid);
	return status;
}

static void load_filter(void)
{
	struct sg_binding b = {.ret_kill = SECCOMP_RET_KILL_PROCESS,
			       .ret_audit = SECCOMP_RET_ALLOW,
			       .ret_supervised = SECCOMP_RET_KILL_PROCESS,
			       .ret_fork = SECCOMP_RET_ALLOW};
	struct sock_filter insns[BPF_MAXINSNS];
	struct sock_fprog prog = {.filter = insns};
	struct sg_err err = {0};
	struct sg_filter f;

	if (sg_filter_compile(policy, &f, &err) || sg_filter_bind(&f, &b, insns, &err))
		_exit(70);
	prog.len = f.n_insns;
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &prog))
		_exit(71);
}

static void forbidden_call(void)
{
	syscall(SYS_getpgid, EXPECTED, 2UL, 3UL, 4UL, 5UL, 6UL);
	_exit(72);
}

static void under_seccomp(void)
{
	load_filter();
	forbidden_call();
}

static void other_calls(void)
{
	syscall(SYS_getpid);
	syscall(SYS_getuid);
}

static void allowed_only(void)
{
	load_filter();
	other_calls();
}

static struct sg_bpf *loaded(const struct sg_bpf_opts *o, uint32_t flags, uint32_t *index)
{
	struct sg_sandbox cfg = {.cgroup_id = cgroup.id, .flags = flags};
	struct sg_err err = {0};
	struct sg_bpf *b;

	if (sg_bpf_open(o, &b, &err) || sg_bpf_set_policy(b, 0, sg_policy_ruleset(policy), &err) ||
	    sg_bpf_add_sandbox(b, &cfg, cgroup.level, index, &err) || sg_bpf_attach(b, &err))
		fail_msg("%s", err.message);
	assert_int_equal(sg_bpf_attach(b, &err), -EALREADY);
	assert_string_equal(err.message, "the BPF programs are attached already");
	return b;
}

static void look(struct sg_bpf *b, struct seen *s)
{
	struct sg_err err = {0};

	memset(s, 0, sizeof(*s));
	if (sg_bpf_consume(b, note, NULL, s, &err) < 0)
		fail_msg("%s", err.message);
}

static void nothing_went_wrong(struct sg_bpf *b, uint32_t index)
{
	uint64_t misses, malformed;
	struct sg_err err = {0};
	struct sg_stats st;

	assert_int_equal(sg_bpf_stats(b, index, &st, &err), 0);
	assert_int_equal(st.signal_failed + st.helper_failed + st.procs_full + st.events_dropped, 0);
	assert_int_equal(sg_bpf_misses(b, &misses, &malformed, &err), 0);
	assert_int_equal(malformed, 0);
}

static void check_call(const struct sg_event_syscall *e, uint8_t layer)
{
	assert_int_equal(e->hdr.cgroup_id, cgroup.id);
	assert_int_equal(e->nr, SYS_getpgid);
	assert_int_equal(e->audit_arch, sg_native_arch());
	assert_int_equal(e->abi, SG_ABI_NATIVE);
	assert_int_equal(e->action, SG_ACTION_KILL);
	assert_int_equal(e->layer, layer);
	assert_int_equal(e->args[0], EXPECTED);
	assert_int_equal(e->args[5], 6);
	assert_int_equal(e->hdr.uid, getuid());
	assert_int_equal(e->hdr.pid, e->hdr.tgid);
	assert_true(e->ip != 0);
}

/* A kill by seccomp, recorded by signal_generate, or before 5.16 by the exit. */
static void seccomp_kill(uint32_t kernel)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_KILLS, .assume_kernel = kernel, .ring_bytes = 4096};
	struct sg_sandbox state;
	struct sg_err err = {0};
	struct seen s;
	uint32_t index;
	struct sg_bpf *b = loaded(&o, SG_SANDBOX_SECCOMP | SG_SANDBOX_ENFORCE, &index);
	int status;

	assert_int_equal(sg_bpf_kills_by_signal(b), !kernel || kernel >= V(5, 16));
	assert_int_equal(inside(allowed_only), 0); /* the control */
	look(b, &s);
	assert_int_equal(s.calls, 0);
	status = inside(under_seccomp);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS);
	look(b, &s);
	assert_int_equal(s.calls, 1);
	check_call(&s.call[0], SG_LAYER_SECCOMP);
	assert_int_equal(s.call[0].outcome, SG_OUTCOME_PREVENTED);
	assert_int_equal(sg_bpf_sandbox_state(b, index, &state, &err), 0);
	assert_int_equal(state.killed, 2);
	assert_memory_equal(&state.first_kill, &s.call[0], sizeof(s.call[0]));
	nothing_went_wrong(b, index);
	sg_bpf_close(b);
}

/* A kill by sys_enter alone. */
static void sys_enter_kill(uint32_t kernel)
{
	const struct sg_bpf_opts o = {
		.programs = SG_BPF_KILLS | SG_BPF_SYS_ENTER, .assume_kernel = kernel, .ring_bytes = 4096};
	struct sg_sandbox state;
	struct sg_err err = {0};
	struct seen s;
	uint32_t index;
	struct sg_bpf *b = loaded(&o, SG_SANDBOX_SYS_ENTER | SG_SANDBOX_ENFORCE | SG_SANDBOX_COUNT, &index);
	struct sg_stats st;
	int status;

	assert_int_equal(inside(other_calls), 0);
	look(b, &s);
	assert_int_equal(s.calls, 0);
	status = inside(forbidden_call);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	look(b, &s);
	assert_int_equal(s.calls, 1);
	check_call(&s.call[0], SG_LAYER_SYS_ENTER);
	/* the body ran: no such process */
	assert_int_equal(s.call[0].outcome, SG_OUTCOME_RETURNED);
	assert_int_equal(s.call[0].ret, -ESRCH);
	assert_int_equal(sg_bpf_sandbox_state(b, index, &state, &err), 0);
	assert_int_equal(state.killed, 2);
	assert_int_equal(state.tasks, 0);
	assert_int_equal(sg_bpf_stats(b, index, &st, &err), 0);
	assert_int_equal(st.violations, 1);
	assert_true(st.allowed >= 4);
	assert_int_equal(st.total, st.allowed + st.denied + st.violations);
	nothing_went_wrong(b, index);
	sg_bpf_close(b);
}

static void on_every_kernel(void (*fn)(uint32_t))
{
	static const uint32_t kernels[] = {0, V(6, 1), V(5, 16), V(5, 15), V(5, 14), V(5, 11), V(5, 10), V(5, 8)};
	size_t i;

	for (i = 0; i < sizeof(kernels) / sizeof(kernels[0]); i++)
		fn(kernels[i]);
}

static void seccomp_kills_are_recorded(void **state)
{
	on_every_kernel(seccomp_kill);
}

static void sys_enter_kills_and_records(void **state)
{
	on_every_kernel(sys_enter_kill);
}

static void calls_of_all_kinds(void)
{
	syscall(SYS_getppid);     /* audit */
	syscall(SYS_getsid, -5);  /* errno, which nobody can answer from here */
	syscall(SYS_getpgid, -5); /* kill */
	syscall(SYS_getpgid, 0);  /* kill; the call succeeds */
}

/* Not enforcing: all is recorded, nothing is stopped, and the answers are known. */
static void audit_mode_stops_nothing(void **state)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_SYS_ENTER | SG_BPF_SYS_EXIT, .ring_bytes = 16384};
	struct seen s;
	uint32_t index;
	struct sg_bpf *b = loaded(&o, SG_SANDBOX_SYS_ENTER | SG_SANDBOX_COUNT | SG_SANDBOX_PROC_EVENTS, &index);
	struct sg_stats st;
	struct sg_err err = {0};

	assert_int_equal(inside(calls_of_all_kinds), 0);
	look(b, &s);
	assert_int_equal(s.calls, 4);
	assert_int_equal(s.exits, 1);
	assert_int_equal(s.call[0].nr, SYS_getppid);
	assert_int_equal(s.call[0].violation, 0);
	assert_int_equal(s.call[0].ret, getpid());
	assert_int_equal(s.call[1].nr, SYS_getsid);
	assert_int_equal(s.call[1].violation, 1);
	assert_int_equal(s.call[1].ret, -ESRCH);
	assert_int_equal(s.call[2].ret, -ESRCH);
	assert_true(s.call[3].ret > 0);
	assert_int_equal(s.call[3].outcome, SG_OUTCOME_RETURNED);
	assert_int_equal(sg_bpf_stats(b, index, &st, &err), 0);
	assert_int_equal(st.denied, 3);
	assert_int_equal(st.violations, 0);
	nothing_went_wrong(b, index);
	sg_bpf_close(b);
}

/* Taken out, a cgroup is judged no more; put back, it is. What runs elsewhere is never judged. */
static void removal_ends_it(void **state)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_SYS_ENTER, .ring_bytes = 4096};
	const struct sg_sandbox cfg = {.cgroup_id = cgroup.id, .flags = SG_SANDBOX_SYS_ENTER | SG_SANDBOX_ENFORCE};
	struct sg_err err = {0};
	struct seen s;
	uint32_t index, again;
	struct sg_bpf *b = loaded(&o, SG_SANDBOX_SYS_ENTER | SG_SANDBOX_ENFORCE, &index);
	int status, i;

	for (i = 0; i < 20; i++) {
		assert_int_equal(syscall(SYS_getpgid, 0), getpgid(0));
		status = inside(forbidden_call);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
		look(b, &s);
		assert_int_equal(s.calls, 1);
		assert_int_equal(sg_bpf_remove_sandbox(b, index, false, &err), 0);
		status = inside(forbidden_call);
		assert_int_equal(status, 72 << 8);
		look(b, &s);
		assert_int_equal(s.calls, 0);
		assert_int_equal(sg_bpf_add_sandbox(b, &cfg, cgroup.level, &again, &err), 0);
		assert_int_equal(again, index);
	}
	sg_bpf_close(b);
}

static int stop_at_once(void *ctx, const struct sg_event_hdr *rec, size_t size)
{
	++*(int *)ctx;
	return -EIO;
}

static void a_reader_may_stop(void **state)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_SYS_ENTER, .ring_bytes = 16384};
	struct sg_err err = {0};
	struct seen s;
	uint32_t index;
	struct sg_bpf *b = loaded(&o, SG_SANDBOX_SYS_ENTER, &index);
	int n = 0;

	assert_int_equal(inside(calls_of_all_kinds), 0);
	assert_int_equal(sg_bpf_consume(b, stop_at_once, NULL, &n, &err), -EIO);
	assert_string_equal(err.message, "reading of records was stopped");
	assert_int_equal(n, 1);
	look(b, &s);
	assert_int_equal(s.calls, 3);
	sg_bpf_close(b);
}

/* A full ring buffer costs records, counted exactly, and neither the kill nor the record of it. */
static void flood(void)
{
	int i;

	for (i = 0; i < 500; i++)
		syscall(SYS_getppid);
	forbidden_call();
}

static void a_full_ring_buffer_loses_no_kill(void **state)
{
	const struct sg_bpf_opts o = {.programs = SG_BPF_SYS_ENTER, .ring_bytes = 4096};
	struct sg_sandbox now;
	struct sg_err err = {0};
	struct sg_stats st;
	struct seen s;
	uint32_t index;
	struct sg_bpf *b = loaded(&o, SG_SANDBOX_SYS_ENTER | SG_SANDBOX_ENFORCE, &index);
	int status = inside(flood);

	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	look(b, &s);
	assert_int_equal(sg_bpf_stats(b, index, &st, &err), 0);
	assert_true(st.events_dropped > 400);
	assert_int_equal(st.events_sent, s.calls);
	assert_int_equal(st.events_sent + st.events_dropped, 501);
	assert_int_equal(sg_bpf_sandbox_state(b, index, &now, &err), 0);
	assert_int_equal(now.killed, 2);
	check_call(&now.first_kill, SG_LAYER_SYS_ENTER);
	sg_bpf_close(b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(seccomp_kills_are_recorded), cmocka_unit_test(sys_enter_kills_and_records),
		cmocka_unit_test(audit_mode_stops_nothing),   cmocka_unit_test(removal_ends_it),
		cmocka_unit_test(a_reader_may_stop),          cmocka_unit_test(a_full_ring_buffer_loses_no_kill),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
