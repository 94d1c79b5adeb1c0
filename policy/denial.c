// SPDX-License-Identifier: Apache-2.0
#include "policy/denial_priv.h"

#include "policy/json.h"
#include "policy/names.h"
#include "policy/seccomp.h"

#include <errno.h>
#include <linux/audit.h>
#include <stdarg.h>
#include <string.h>

#include "policy/in_place.h"

#define X32_BIT 0x40000000U

/* What a call is for, to be read after "tried to". Calls that are not here are named only. */
static const struct {
	char syscall[24], phrase[48];
} phrases[] = {
	{"accept", "take a network connection"},
	{"accept4", "take a network connection"},
	{"acct", "switch process accounting"},
	{"add_key", "put a key into a kernel keyring"},
	{"adjtimex", "change the clock"},
	{"bind", "bind a socket to an address"},
	{"bpf", "use BPF"},
	{"capset", "change its capabilities"},
	{"chmod", "change the permissions of a file"},
	{"chown", "give a file to another user"},
	{"chroot", "change its root directory"},
	{"clock_adjtime", "change the clock"},
	{"clock_settime", "set the clock"},
	{"clone", "start a process or thread"},
	{"clone3", "start a process or thread"},
	{"connect", "connect to an address"},
	{"delete_module", "unload a kernel module"},
	{"execve", "start another program"},
	{"execveat", "start another program"},
	{"fchmod", "change the permissions of a file"},
	{"fchmodat", "change the permissions of a file"},
	{"fchown", "give a file to another user"},
	{"fchownat", "give a file to another user"},
	{"fcntl", "operate on a descriptor"},
	{"finit_module", "load a kernel module"},
	{"fork", "start a process"},
	{"fsconfig", "set up a file system"},
	{"fsmount", "mount a file system"},
	{"fsopen", "open a file system for mounting"},
	{"fspick", "reconfigure a mounted file system"},
	{"init_module", "load a kernel module"},
	{"io_uring_enter", "use io_uring, whose operations pass unseen"},
	{"io_uring_register", "use io_uring, whose operations pass unseen"},
	{"io_uring_setup", "use io_uring, whose operations pass unseen"},
	{"ioctl", "operate on a device or terminal"},
	{"ioperm", "reach hardware ports"},
	{"iopl", "reach hardware ports"},
	{"kcmp", "compare itself with another process"},
	{"kexec_file_load", "load another kernel"},
	{"kexec_load", "load another kernel"},
	{"keyctl", "operate on kernel keyrings"},
	{"kill", "send a signal"},
	{"lchown", "give a file to another user"},
	{"link", "make a hard link"},
	{"linkat", "make a hard link"},
	{"listen", "listen on a socket"},
	{"memfd_create", "create a file in memory"},
	{"memfd_secret", "create secret memory"},
	{"migrate_pages", "move the memory of a process between nodes"},
	{"mkdir", "make a directory"},
	{"mkdirat", "make a directory"},
	{"mknod", "make a device or special file"},
	{"mknodat", "make a device or special file"},
	{"mmap", "map memory"},
	{"modify_ldt", "change its segment table"},
	{"mount", "mount a file system"},
	{"mount_setattr", "change the attributes of a mount"},
	{"move_mount", "move a mount"},
	{"mprotect", "change the protection of memory"},
	{"name_to_handle_at", "ask for a file handle"},
	{"open", "open a file"},
	{"open_by_handle_at", "open a file by its handle, past all paths"},
	{"open_tree", "take hold of a mount"},
	{"openat", "open a file"},
	{"openat2", "open a file"},
	{"perf_event_open", "use performance counters"},
	{"personality", "change its execution domain"},
	{"pidfd_getfd", "take a descriptor from another process"},
	{"pidfd_open", "take hold of a process"},
	{"pidfd_send_signal", "send a signal"},
	{"pivot_root", "change the root of its mounts"},
	{"pkey_mprotect", "change the protection of memory"},
	{"prctl", "change how the kernel treats it"},
	{"prlimit64", "change resource limits"},
	{"process_madvise", "steer the memory of another process"},
	{"process_vm_readv", "read the memory of another process"},
	{"process_vm_writev", "write to the memory of another process"},
	{"ptrace", "trace a process"},
	{"quotactl", "operate on disk quotas"},
	{"quotactl_fd", "operate on disk quotas"},
	{"reboot", "reboot or halt the machine"},
	{"recvfrom", "receive from a socket"},
	{"recvmsg", "receive a message, which may carry descriptors"},
	{"rename", "rename a file"},
	{"renameat", "rename a file"},
	{"renameat2", "rename a file"},
	{"request_key", "ask for a key in a kernel keyring"},
	{"rmdir", "remove a directory"},
	{"rt_sigqueueinfo", "send a signal with a payload"},
	{"rt_tgsigqueueinfo", "send a signal with a payload"},
	{"sched_setaffinity", "change on which processors a process runs"},
	{"seccomp", "load a seccomp filter"},
	{"sendmmsg", "send messages, which may carry descriptors"},
	{"sendmsg", "send a message, which may carry descriptors"},
	{"sendto", "send to a socket"},
	{"setdomainname", "change the host's domain name"},
	{"setfsgid", "change its group"},
	{"setfsuid", "change its user"},
	{"setgid", "change its group"},
	{"setgroups", "change its groups"},
	{"sethostname", "change the host's name"},
	{"setns", "enter another namespace"},
	{"setpriority", "change the priority of a process"},
	{"setregid", "change its group"},
	{"setresgid", "change its group"},
	{"setresuid", "change its user"},
	{"setreuid", "change its user"},
	{"setrlimit", "change resource limits"},
	{"setsid", "start a session"},
	{"settimeofday", "set the clock"},
	{"setuid", "change its user"},
	{"shmat", "attach shared memory"},
	{"shmget", "create shared memory"},
	{"socket", "create a socket"},
	{"socketpair", "create a pair of sockets"},
	{"swapoff", "switch swapping"},
	{"swapon", "switch swapping"},
	{"symlink", "make a symbolic link"},
	{"symlinkat", "make a symbolic link"},
	{"syslog", "read the kernel log"},
	{"tgkill", "send a signal"},
	{"timer_create", "create a timer"},
	{"tkill", "send a signal"},
	{"umount2", "unmount a file system"},
	{"unlink", "remove a file"},
	{"unlinkat", "remove a file"},
	{"unshare", "leave its namespaces"},
	{"uselib", "load a library the old way"},
	{"userfaultfd", "handle page faults itself"},
	{"vfork", "start a process"},
	{"vmsplice", "splice its memory into a pipe"},
};

const char *sg_record_str(const json_t *o, const char *key)
{
	const char *s = json_string_value(json_object_get(o, key));

	return s ? s : "";
}

long long sg_record_num(const json_t *o, const char *key)
{
	return (long long)json_integer_value(json_object_get(o, key));
}

static const char *phrase_of(const char *syscall)
{
	for (size_t i = 0; i < sizeof(phrases) / sizeof(phrases[0]); i++)
		if (!strcmp(phrases[i].syscall, syscall))
			return phrases[i].phrase;
	return NULL;
}

static void say_who(struct sg_text *t, const json_t *r)
{
	sg_text_add(t, "%s (pid %lld)", *sg_record_str(r, "comm") ? sg_record_str(r, "comm") : "a process",
		    sg_record_num(r, "pid"));
}

static void say_call(struct sg_text *t, const json_t *r)
{
	const char *syscall = sg_record_str(r, "syscall"), *abi = sg_record_str(r, "abi");
	/* Calls of another numbering do what their name says there, but it is the numbering that is the matter. */
	const bool foreign = !strcmp(abi, "i386") || !strcmp(abi, "x32") || !strcmp(abi, "arm");
	const char *phrase = foreign ? NULL : phrase_of(syscall);
	json_t *decoded = json_object_get(r, "decoded"), *value;
	const char *key, *sep = "";

	if (phrase)
		sg_text_add(t, "%s (%s", phrase, syscall);
	else if (!strncmp(syscall, "syscall_", 8) && !foreign)
		sg_text_add(t, "make a system call that has no name (number %lld", sg_record_num(r, "syscall_nr"));
	else
		sg_text_add(t, "make the system call %s%s%s (number %lld", syscall,
			    foreign ? " in the numbering of " : "", foreign ? abi : "", sg_record_num(r, "syscall_nr"));
	if (json_object_size(decoded))
		sg_text_add(t, ": ");
	json_object_foreach(decoded, key, value)
	{
		sg_text_add(t, "%s%s %s", sep, key, json_string_value(value) ? json_string_value(value) : "?");
		sep = ", ";
	}
	sg_text_add(t, ")");
}

static void say_rule(struct sg_text *t, const json_t *r)
{
	const json_t *rule = json_object_get(r, "rule");
	const char *list = sg_record_str(rule, "list"), *language = sg_record_str(r, "language"), *says = "forbids";

	if (!strcmp(sg_record_str(r, "class"), "supervisor")) {
		sg_text_add(t, "which no policy allows");
		return;
	}
	if (!json_is_object(rule) || !strcmp(list, "unlisted")) {
		sg_text_add(t, "which the policy \"%s\" does not list", language);
		return;
	}
	/* The list is what a rule says of a call; of an object it says `otherwise: errno EACCES`, or `deny: …`. */
	if (!strcmp(list, "audit") || !strcmp(sg_record_str(r, "type"), "audit"))
		says = "wants recorded";
	else if (!strcmp(list, "errno") || !strcmp(sg_record_str(r, "action"), "errno"))
		says = "refuses";
	sg_text_add(t, "which the rule \"%s\" (%s:%lld) %s", sg_record_str(rule, "text"), sg_record_str(rule, "file"),
		    sg_record_num(rule, "line"), says);
}

static void say_outcome(struct sg_text *t, const json_t *r)
{
	const char *action = sg_record_str(r, "action");
	const bool prevented = json_is_true(json_object_get(r, "prevented"));

	if (!strcmp(action, "kill"))
		sg_text_add(t, prevented ? "it was stopped before it took effect, and the sandbox was killed"
					 : "the sandbox was killed, but the call may have taken effect");
	else if (!strcmp(action, "errno"))
		sg_text_add(t, "it was answered with %s and did not take effect",
			    sg_errno_name((unsigned)json_integer_value(json_object_get(r, "errno"))));
	else if (!strcmp(sg_record_str(r, "type"), "audit"))
		sg_text_add(t, "it was allowed and recorded");
	else
		sg_text_add(t, "it was only recorded, and went through");
}

static void say_exit(struct sg_text *t, const json_t *r)
{
	const char *verdict = sg_record_str(r, "verdict");

	if (!strcmp(verdict, "signal"))
		sg_text_add(t,
			    json_is_true(json_object_get(r, "cancelled")) ? "the sandbox was cancelled"
									  : "the program was ended by signal %lld",
			    sg_record_num(r, "signal"));
	else if (!strcmp(verdict, "error"))
		sg_text_add(t, "nothing ran: %s", sg_record_str(r, "error"));
}

int sg_denial_sentence(const json_t *record, char **out, struct sg_err *err)
{
	const char *type = sg_record_str(record, "type");
	struct sg_text t = {.n = 0};

	if (!json_is_object(record) || !*type)
		return sg_err_set(err, EINVAL, "this is no record of a verdict stream: it has no \"type\"");
	if (!strcmp(type, "syscall_violation") || !strcmp(type, "lsm_violation") || !strcmp(type, "audit")) {
		say_who(&t, record);
		sg_text_add(&t, " tried to ");
		if (*sg_record_str(record, "hook")) /* of a rule about objects: an `audit` record may be, too */
			sg_denial_object(&t, record);
		else
			say_call(&t, record);
		sg_text_add(&t, ", ");
		say_rule(&t, record);
		sg_text_add(&t, "; ");
		say_outcome(&t, record);
		sg_text_add(&t, ".");
	} else if (!strcmp(type, "limit")) {
		sg_text_add(&t, "the sandbox reached the limit %s of %lld.", sg_record_str(record, "limit"),
			    sg_record_num(record, "value"));
	} else if (!strcmp(type, "exit")) {
		say_exit(&t, record);
		if (t.n)
			sg_text_add(&t, ".");
	}
	sg_text_plain(t.buf); /* names and paths are the program's */
	*out = t.n ? strdup(t.buf) : NULL;
	return t.n && !*out ? sg_err_set(err, ENOMEM, "out of memory") : 0;
}

/* Which processes may have been of the sandbox, as far as a record goes. */
struct guess {
	int32_t pid, tgid; /* who made the call was */
	uint32_t self;     /* 0: none that the call names */
	bool others;
};

static bool inside(void *ctx, int32_t pid)
{
	const struct guess *g = (const struct guess *)ctx;

	if (pid == 0 || pid == -1)
		return pid == 0;
	return g->others || pid == g->pid || pid == g->tgid || (uint32_t)pid == g->self;
}

static bool same(const struct sg_decision *a, const struct sg_decision *b)
{
	return a->action == b->action && (a->action != SG_ACTION_ERRNO || a->err == b->err);
}

int sg_denial_decide(const json_t *record, const struct sg_policy *p, struct sg_decision *out,
		     struct sg_decision *other, struct sg_err *err)
{
	struct guess g = {.pid = (int32_t)sg_record_num(record, "pid"), .tgid = (int32_t)sg_record_num(record, "tgid")};
	const json_t *args = json_object_get(record, "args");
	const char *abi = sg_record_str(record, "abi");
	uint64_t regs[SG_ARGS] = {0};
	uint32_t arch, nr = (uint32_t)sg_record_num(record, "syscall_nr");

	if (!json_is_integer(json_object_get(record, "syscall_nr")) || json_array_size(args) != SG_ARGS)
		return sg_err_set(err, EINVAL, "this record names no system call with its arguments");
	for (size_t i = 0; i < SG_ARGS; i++)
		regs[i] = (uint64_t)json_integer_value(json_array_get(args, i));
	if (!strcmp(abi, "x86_64") || !strcmp(abi, "x32"))
		arch = AUDIT_ARCH_X86_64;
	else if (!strcmp(abi, "aarch64"))
		arch = AUDIT_ARCH_AARCH64;
	else
		arch = AUDIT_ARCH_I386;
	if (!strcmp(abi, "x32"))
		nr |= X32_BIT;
	*out = sg_policy_decide(p, arch, nr, regs, &(struct sg_oracle){.in_sandbox = inside, .ctx = &g});
	*other = *out;
	/* Each process that an argument may name, and none of them, as the first one of the sandbox. */
	for (size_t i = 0; i <= SG_ARGS && same(out, other); i++) {
		g.self = i < SG_ARGS && (int32_t)regs[i] > 0 ? (uint32_t)regs[i] : 0;
		g.others = i == SG_ARGS;
		*other = sg_policy_decide(p, arch, nr, regs,
					  &(struct sg_oracle){.self = g.self, .in_sandbox = inside, .ctx = &g});
	}
	if (same(out, other))
		*other = *out;
	return 0;
}
