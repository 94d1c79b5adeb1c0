/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_CHILD_H
#define SG_CHILD_H

#include "runner/plan.h"
#include "supervisor/landlock.h"

#include <signal.h>
#include <sys/socket.h>

/* What the child is doing, for the report when it fails. */
enum sg_step {
	SG_STEP_READY = 0, /* not a failure: the filter is loaded, the listener (if any) is attached to the message */
	SG_STEP_SESSION,
	SG_STEP_PARENT,
	SG_STEP_OUTPUT,
	SG_STEP_FDS,
	SG_STEP_CHDIR,
	SG_STEP_RLIMIT,
	SG_STEP_IDS,
	SG_STEP_CAPS,
	SG_STEP_NO_NEW_PRIVS,
	SG_STEP_LANDLOCK,
	SG_STEP_WAIT,
	SG_STEP_SECCOMP,
	SG_STEP_EXEC,
};
const char *sg_step_name(uint32_t step);

struct sg_report {
	uint32_t step; /* enum sg_step */
	int32_t err;   /* positive errno */
};

/*
 * A page at a secret random address: the path given to execve and the message header given to sendmsg are taken from
 * here, and the filter lets exactly these two pointers through. After the exec nobody in the sandbox knows the address
 * and a wrong guess (1 in 2^47) is killed, so the exception cannot be used again.
 */
struct sg_secret {
	struct msghdr *msg;
	struct iovec *iov;
	struct sg_report *report;
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr align;
	} * control;
	char *path; /* room for PATH_MAX bytes */
	void *page;
	size_t size;
	unsigned rounds; /* how often the memory served before */
};
/* below: bytes of memory, a multiple of the page size, that lie at s->page, before all that is secret. Errors: -ENOMEM,
 * or what getrandom/mmap said. */
int sg_secret_map(struct sg_secret *s, const char *path, size_t below, struct sg_err *err);
void sg_secret_unmap(struct sg_secret *s);

/*
 * For a child of the daemon: what it takes from the client it works for, which is not its parent. Descriptors are the
 * daemon's; numbers are the program's.
 */
#define SG_HEIR_FDS (SG_MAX_PASSED_FDS + 3)
/* A daemon keeps what it has for long at this number and above: children leave that behind without looking at it. */
#define SG_FDS_LOW 512
/*
 * Better: below this number a daemon has nothing but what any child may copy and close (the kernel copies as many at
 * least), and each child fetches by itself what it is to get. A copy of what another client sent would be closed by a
 * child that has nothing to do with it, and each close asks the file system, which may never answer.
 */
#define SG_FDS_COMMON 64
struct sg_heir {
	int daemon;            /* its pidfd, to fetch by, below SG_FDS_COMMON; -1: all below SG_FDS_LOW is copied */
	int cwd;               /* directory */
	int n_fds;             /* descriptor from[i] gets the number to[i]; those of 0 to 2 not named are closed */
	int from[SG_HEIR_FDS]; /* valid until the child has executed */
	int to[SG_HEIR_FDS];
	uint64_t ignored; /* signals, bit N - 1 */
	mode_t umask;
	int nice;
	size_t n_groups;
	const gid_t *groups;
	struct rlimit rlimits[RLIM_NLIMITS];
	uint32_t same_rlimits; /* bit N: the parent has the same of resource N */
	size_t cpus_size;      /* bytes of cpus; 0: as the daemon's */
	unsigned long cpus[1024 / (8 * sizeof(long))];
};

/* What sgrun takes for itself of the signals that a caller may ignore, and the program gets back. */
#define SG_BIT_OF(sig) (1ULL << ((sig)-1))
/* Those that are passed on to the program while it runs. */
#define SG_PASSED_SIGNALS                                                                                              \
	(SG_BIT_OF(SIGINT) | SG_BIT_OF(SIGTERM) | SG_BIT_OF(SIGHUP) | SG_BIT_OF(SIGQUIT) | SG_BIT_OF(SIGUSR1) |        \
	 SG_BIT_OF(SIGUSR2) | SG_BIT_OF(SIGALRM) | SG_BIT_OF(SIGCONT) | SG_BIT_OF(SIGTSTP) | SG_BIT_OF(SIGWINCH))
/* Those that the program ignores where the caller does, besides those kept. */
#define SG_IGNORED_SIGNALS                                                                                             \
	(SG_BIT_OF(SIGHUP) | SG_BIT_OF(SIGINT) | SG_BIT_OF(SIGQUIT) | SG_BIT_OF(SIGUSR1) | SG_BIT_OF(SIGUSR2) |        \
	 SG_BIT_OF(SIGALRM) | SG_BIT_OF(SIGTERM) | SG_BIT_OF(SIGTSTP) | SG_BIT_OF(SIGTTIN))
/* Those that sgrun sets for itself: what its caller did with them is in sg_signals.kept alone. */
#define SG_KEPT_SIGNALS 4
static const int sg_kept_signals[SG_KEPT_SIGNALS] = {SIGPIPE, SIGCHLD, SIGTTOU, SIGXFSZ};

struct sg_child {
	const struct sg_plan *plan;
	struct sg_secret *secret;
	struct sock_filter *insns;     /* bound but for SELF, which the child fills in; NULL: no seccomp */
	const struct sock_filter *net; /* a second filter, loaded first: sg_net_filter(); n_net 0: none */
	unsigned short n_net;
	bool listener;                      /* the filter needs one */
	int report;                         /* socket to the supervisor, SOCK_SEQPACKET */
	int wait;                           /* read end: go on when a byte comes, die at end of file; -1: do not wait */
	const struct sg_landlock *landlock; /* NULL: none */
	int std[3];                         /* what takes the place of its 0, 1 and 2 in the end; -1: nothing */
	pid_t supervisor;
	bool shares_fds;            /* our table of descriptors is the parent's until we say that we are ready */
	bool shares_memory;         /* with its parent, which goes on with the dumpable flag of prctl(2) at 0 */
	const uint32_t *gate;       /* NULL: none. Else our descriptors are the parent's, and landlock and insns are not
				     * there, until this is not 0, which FUTEX_WAKE tells */
	bool bounded;               /* the bounding set of capabilities is empty already */
	bool keyless;               /* the program cannot get at the session's keyring */
	bool outlives;              /* not tied to the supervisor's life */
	const struct sg_heir *heir; /* NULL: everything is inherited from the parent */
	int cwd;                    /* the child's own: where heir->cwd went */
	int landlock_fd;            /* the same of landlock->fd */
	sigset_t mask;              /* to restore */
	struct sigaction kept[SG_KEPT_SIGNALS]; /* what the caller had for sg_kept_signals */
	uint64_t
		marker; /* RLIMIT_MSGQUEUE value that marks the sandbox's processes where there is no cgroup; 0: none */
};

/*
 * The child's side of a launch: sets itself up, loads the filter last, executes. Never returns. Safe in a child that
 * shares the memory of its parent (CLONE_VM), even of one that goes on meanwhile: it allocates nothing, leaves no lock
 * behind and does not touch errno. *c, the plan and the secret page must stay until it has executed or died.
 */
_Noreturn void sg_child_run(const struct sg_child *c);

#endif
