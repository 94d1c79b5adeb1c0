/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/confine.h"

#include "policy/access.h"
#include "policy/net_filter.h"
#include "supervisor/util.h"

#include <errno.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#define OUTSIDE 0x7ffffff0 /* a pid that is nobody's */

/* Whether the seccomp filter lets a call through, as far as its registers tell. */
static bool may(const struct sg_launch *l, uint32_t nr, uint64_t a0, uint64_t a1, uint64_t a2)
{
	const struct sg_filter *f = &l->plan->filter;
	uint64_t args[SG_ARGS] = {a0, a1, a2};
	uint32_t r;

	if (!l->filter)
		return true;
	r = sg_filter_simulate(f->insns, f->n_insns, sg_native_arch(), nr, args);
	return r == SECCOMP_RET_ALLOW || r == SG_RET_AUDIT || r == SG_RET_FORK || r == SG_RET_FORK_AUDIT;
}

static bool may_fork(const struct sg_launch *l)
{
	return may(l, SYS_clone, SIGCHLD, 0, 0) || may(l, SYS_fork, 0, 0, 0) || may(l, SYS_vfork, 0, 0, 0) ||
	       may(l, SYS_clone3, 0, 88, 0);
}

bool sg_launch_may_unmark(const struct sg_launch *l)
{
	return may(l, SYS_setrlimit, RLIMIT_MSGQUEUE, 1, 0) || may(l, SYS_prlimit64, 0, RLIMIT_MSGQUEUE, 1);
}

/* ---- what neither Landlock nor seccomp enforces ---- */

static bool confined(const struct sg_launch *l, enum sg_class class)
{
	uint16_t mode = l->plan->objects.cls[class].mode;

	return mode == SG_MODE_ERRNO || mode == SG_MODE_KILL;
}

static void miss(struct sg_launch *l, const char *text)
{
	json_array_append_new(l->not_enforced, sg_json_text(text));
}

/* Classes that only BPF LSM judges. Where seccomp refuses the calls by which they can be broken, nothing is missing. */
static void list_missing(struct sg_launch *l)
{
	const uint64_t rwx = PROT_READ | PROT_WRITE | PROT_EXEC;

	if ((l->cg.dirfd >= 0 || l->tier == SG_TIER_BPF) && may(l, SYS_clone3, 0, 88, 0))
		miss(l,
		     "cgroup: a child can be started in another one (clone3), where the user may add processes to it");
	if (l->plan->objects.exec_max != SG_EXEC_UNBOUNDED && may(l, SYS_execve, 1, 0, 0))
		miss(l, "exec: how many programs are executed is not counted");
	if (confined(l, SG_CLASS_LIMITS) && may(l, SYS_prlimit64, OUTSIDE, 0, 1))
		miss(l, "limits: those of the user's other processes can be changed");
	if (confined(l, SG_CLASS_NAMESPACE) && may(l, SYS_unshare, CLONE_NEWUSER, 0, 0))
		miss(l, "namespace: user namespaces can be made");
	if (confined(l, SG_CLASS_KEYS) && may(l, SYS_add_key, 0, 0, 0))
		miss(l, "keys: the user's keyrings can be used");
	if (confined(l, SG_CLASS_PERF) && may(l, SYS_perf_event_open, 0, 0, 0))
		miss(l, "perf: events can be opened, as far as the kernel allows every user");
	if (confined(l, SG_CLASS_BPF) && may(l, SYS_bpf, 0, 0, 0))
		miss(l, "bpf: can be used, as far as the kernel allows every user");
	if (confined(l, SG_CLASS_URING) && may(l, SYS_io_uring_setup, 0, 0, 0))
		miss(l, "uring: rings can be set up");
	if (confined(l, SG_CLASS_IPC) && (may(l, SYS_shmget, 0, 0, 0) || may(l, SYS_msgget, 0, 0, 0) ||
					  may(l, SYS_semget, 0, 0, 0) || may(l, SYS_mq_open, 0, 0, 0)))
		miss(l, "ipc: System V and POSIX IPC objects made outside can be used");
	if (confined(l, SG_CLASS_WX)) {
		if (may(l, SYS_mmap, 0, 4096, rwx) || may(l, SYS_mprotect, 0, 4096, rwx) ||
		    may(l, SYS_personality, READ_IMPLIES_EXEC, 0, 0))
			miss(l, "wx: memory can be written and executed");
		else
			miss(l, "wx: a memfd or a file can be written, and mapped executable or executed");
	}
	if (confined(l, SG_CLASS_FDPASS) && may(l, SYS_recvmsg, 0, 0, 0))
		miss(l, "fdpass: descriptors can come and go over unix sockets");
	if (confined(l, SG_CLASS_NET) && may(l, SYS_socket, 16 /* AF_NETLINK */, 3, 0))
		miss(l, "net: sockets of any family can be made");
}

/* Of a network that is open to some extent, what only registers tell. */
static void refuse_net(struct sg_launch *l)
{
	bool unix_too = may(l, SYS_socket, AF_UNIX, SOCK_STREAM, 0);

	if (!confined(l, SG_CLASS_NET) ||
	    (!may(l, SYS_socket, AF_INET, SOCK_STREAM, 0) && !may(l, SYS_socket, AF_INET6, SOCK_STREAM, 0) &&
	     !may(l, SYS_socket, AF_INET, SOCK_DGRAM, 0) && !may(l, SYS_socket, AF_INET6, SOCK_DGRAM, 0)))
		return;
	if (!l->filter) {
		sg_launch_degrade(l, "net: without seccomp UDP, listen(2) and MSG_FASTOPEN reach every address");
		return;
	}
	l->net_refused = sg_net_refused(&l->plan->objects, unix_too);
	if (!(l->net_refused & SG_NET_REFUSE_LISTEN) && may(l, SYS_listen, 0, 0, 0))
		sg_launch_degrade(l, "net: a socket that listens without bind(2) gets a port that nobody checks");
}

/* A class that is to be recorded is let through, and nobody sees it. */
static void list_unseen(struct sg_launch *l)
{
	for (unsigned i = 0; i < SG_CLASS_N; i++)
		if (l->plan->objects.cls[i].mode == SG_MODE_AUDIT)
			sg_launch_degrade(l, "audit of %s: only BPF LSM sees it", sg_class_name(i));
}

static bool has_file_rules(const struct sg_plan *plan)
{
	uint32_t denied = 0;

	for (size_t i = 0; i < plan->n_trees; i++)
		denied |= plan->trees[i].rights.deny;
	for (unsigned i = 0; i < SG_N_RIGHTS; i++)
		if (plan->objects.cls[i].mode == SG_MODE_ERRNO || plan->objects.cls[i].mode == SG_MODE_KILL)
			return true;
	return denied;
}

void sg_launch_missing_hooks(struct sg_launch *l)
{
	const struct sg_missing_hook *m;

	for (m = sg_bpf_missing_hooks(l->bpf); m->hook; m++)
		if (confined(l, m->cls) && (m->cls != SG_CLASS_URING || may(l, SYS_io_uring_setup, 0, 0, 0)) &&
		    (m->cls != SG_CLASS_NAMESPACE || may(l, SYS_unshare, CLONE_NEWUSER, 0, 0)) &&
		    (m->cls != SG_CLASS_WX || may(l, SYS_userfaultfd, 0, 0, 0)))
			miss(l, m->text);
	if (l->filter && confined(l, SG_CLASS_WX) && may(l, SYS_personality, READ_IMPLIES_EXEC, 0, 0))
		miss(l, "wx: after personality(READ_IMPLIES_EXEC) what brk(2) gives can be written and executed");
}

/*
 * BPF LSM enforces the whole of the object rules, and protects Sandgate itself. No Landlock domain beside it: the
 * kernel asks Landlock first, and an attempt that it refuses would leave no record and kill nobody.
 */
static int confine_by_lsm(struct sg_launch *l, struct sg_err *err)
{
	int rc = sg_places_open(&l->places, l->plan->trees, l->plan->n_trees, &l->plan->vars, err);

	if (!rc)
		rc = sg_bpf_set_objects(l->bpf, l->sandbox, &l->plan->objects, &l->places, err);
	if (!rc)
		sg_launch_missing_hooks(l);
	return rc;
}

/* What is missing now, and may be there the next time, is no reason to run with less. */
static bool is_passing(int code)
{
	return code == EMFILE || code == ENFILE || code == ENOMEM;
}

int sg_launch_confine(struct sg_launch *l, struct sg_err *err)
{
	struct sg_landlock_rules rules = {.cgroup_dir = l->cg.dirfd >= 0 ? l->cg.path : ""};
	bool ours = !l->plan->options->audit, files = ours && has_file_rules(l->plan);
	struct sg_place_vars vars = l->plan->vars;
	struct sg_err why = {0};
	int rc;

	if (l->tier == SG_TIER_LSM)
		return confine_by_lsm(l, err);
	if (ours) {
		rules.objects = &l->plan->objects;
		rules.forks = may_fork(l);
		rules.sockets = may(l, SYS_connect, 0, 0, 0) || may(l, SYS_sendto, 0, 0, 0);
		rules.no_udp = l->filter && l->plan->objects.n_net &&
			       (sg_net_refused(&l->plan->objects, false) & SG_NET_REFUSE_UDP);
		rules.metadata = may(l, SYS_fchmodat, 0, 0, 0600) || may(l, SYS_utimensat, 0, 0, 0) ||
				 may(l, SYS_setxattr, 0, 0, 0);
	}
	if (files) {
		vars.no_mounts = true;
		rc = sg_places_open(&l->places, l->plan->trees, l->plan->n_trees, &vars, err);
		if (rc)
			return rc;
		rules.places = &l->places;
	}
	if (sg_landlock_build(&l->landlock, &rules, &why) < 0) {
		if (is_passing(why.code))
			return sg_err_set(err, why.code, "no Landlock domain: %s%s", why.message,
					  why.code == ENOMEM ? "" : "; raise the limit of open files (ulimit -n)");
		sg_launch_degrade(
			l,
			"no Landlock: %s; a program with the right user id can write to kernel file systems and trace "
			"processes outside%s",
			why.message, files ? ", and the policy's rules about files are not enforced" : "");
	}
	for (unsigned i = 0; i < l->landlock.n_gaps; i++) {
		if (l->landlock.gaps[i].asked)
			sg_launch_degrade(l, "%s", l->landlock.gaps[i].text);
		else
			miss(l, l->landlock.gaps[i].text);
	}
	if (ours) {
		refuse_net(l);
		list_missing(l);
		list_unseen(l);
	}
	return 0;
}
