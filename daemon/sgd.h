/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_SGD_H
#define SG_SGD_H

#include "daemon/again.h"
#include "daemon/discover.h"
#include "daemon/loop.h"
#include "daemon/peer.h"
#include "daemon/policies.h"
#include "daemon/state.h"
#include "daemon/stats.h"
#include "daemon/users.h"
#include "daemon/vlog.h"
#include "runner/monitor.h"
#include "runner/spawn.h"
#include "supervisor/proto.h"

#include <sys/stat.h>

/*
 * The daemon: one BPF object, many sandboxes, one thread. Nothing here may wait for a client, a sandbox or a file
 * system that is not the kernel's: what could is done in the child, or by another thread (closer.h), or not at all.
 */
struct sgd_conn;
struct sgd_box;
struct sgd_opener;

struct sgd_options {
	const char *socket, *group, *state, *bpffs, *cgroup, *log, *policy, *config;
	const char *metrics_address;
	uint16_t metrics_port; /* 0: none */
	bool metrics_asked;    /* the port was asked for: to do without it will not do */
	uint64_t log_max;
	unsigned max_sandboxes;
	struct sgd_rule rules[SGD_DISCOVER_RULES]; /* --discover */
	unsigned n_rules;
	bool fresh; /* take nothing over from a daemon before */
};

/* Command line and configuration file. Errors: with what is accepted, or the place in the file. */
int sgd_options_parse(struct sgd_options *o, int argc, char **argv, struct sg_err *err);

struct sgd {
	const struct sgd_options *o;
	struct sgd_stats stats;
	struct sgd_loop loop;
	struct sg_bpf *bpf;
	bool lsm;                /* its LSM programs are attached, and act */
	char no_lsm[512];        /* why not */
	struct sg_cgroup parent; /* of launched sandboxes */
	int claim;               /* it is locked: nobody else's as long as we live */
	struct sgd_vlog log;
	struct sgd_policies policies;
	struct sgd_discover *discover; /* NULL: no rules */
	struct sgd_state state;
	uint64_t logged, skip; /* place in the ring buffer up to which the log has it; what is to be passed over */
	struct sgd_source listener, signals, ring;
	int listen_fd;       /* the listener's, also while it rests; -1: none yet */
	uint64_t rest_until; /* CLOCK_MONOTONIC; 0: the listener does not rest */
	uint64_t rest_said;  /* when that was last said */
	struct sgd_conn *conns;
	unsigned n_conns;
	struct sgd_user *users; /* those who have connections */
	struct sgd_again again;
	struct sgd_opener *openers;
	struct sgd_box *boxes;                      /* all of them */
	struct sgd_box *by_index[SG_MAX_SANDBOXES]; /* by number in the BPF tables */
	unsigned n_boxes;
	unsigned sys_enter_users;
	uint64_t next_deadline; /* CLOCK_MONOTONIC; 0: none. Never later than the earliest */
	uint64_t serial;
	uint64_t started; /* when this daemon started: part of the ids */
	bool stopping;
	int oom_score_adj;
	bool bounded; /* no capability is in our bounding set */
	int self;     /* our own pidfd; see sgd_common_fds() */
	bool keyless; /* our session keyring is our own, and empty */
	pid_t keeper; /* 0: none */
	bool failed;  /* to start or to go on: leave everything as it is */
	struct {
		uint64_t launches, repeated /* of them: by one that was kept */, failed, attaches, adopted, reloads,
			reloads_failed, refused, orphans;
	} count;
};

/* The loop is to turn at that time at the latest. 0: whenever. */
static inline void sgd_deadline(struct sgd *d, uint64_t at)
{
	if (at && (!d->next_deadline || at < d->next_deadline))
		d->next_deadline = at;
}

/* ---- box.c: one sandbox ---- */

enum sgd_phase {
	SGD_STARTING, /* the child sets itself up */
	SGD_RUNNING,
	SGD_ENDING, /* its first process ended, others may be left */
	SGD_GONE,   /* waits to be freed */
};

/* What is needed until the child has executed, and not after. */
struct sgd_job {
	struct sg_spawn spawn;
	struct sg_heir heir;
	int oom_score_adj; /* the client's */
	char *strings;
	size_t strings_size;
	size_t args_size; /* of argv and env, where it counts (request.c) */
	bool mapped;      /* strings are a mapping */
	int fds[SG_PROTO_FDS_MAX];
	int n_fds;
	int n_copies; /* the last of them: of what stays open, so that to close them cannot wait */
	char **argv, **env;
	gid_t *groups;
};

struct sgd_box {
	struct sgd_box *next, *prev;
	struct sgd *d;
	enum sgd_phase phase;
	bool attached;   /* an existing cgroup; else launched */
	bool discovered; /* attached by a rule of --discover */
	bool human, quiet, keep, detached, ready;
	bool watches_exec;  /* the end of the report is waited for */
	bool killed;        /* its last record is written */
	bool adopted;       /* from a daemon before this one */
	bool own_policy;    /* a text of its own, not the daemon's policies: a reload does not replace it */
	uid_t uid;          /* whose it is */
	uint64_t pid_start; /* of the first process, where the next daemon may have to know it again; 0: it need not */
	char container[128];
	char language[64], digest[80]; /* of an adopted one whose policy is not known any more */
	struct sg_options options;
	struct sg_plan plan;
	struct sg_session session;
	struct sg_launch launch;
	struct sg_watch watch;
	struct sgd_policy *policy;
	int slot_raw; /* the same of an adopted one, as it was found and until a reload; -1: none */
	int slot;     /* of the policy in the BPF tables, -1: none */
	struct sgd_job *job;
	struct sgd_conn *conn;
	struct sgd_source src[SG_WATCH_N];
	struct sgd_source events; /* cgroup.events */
	uint64_t deadline;        /* next look, CLOCK_MONOTONIC; 0: none */
	uint64_t ending_ns;       /* since when it is */
	uint32_t pending;         /* signals that came too early, bit N */
	unsigned removals;        /* attempts to remove the cgroup */
	bool stuck;               /* it cannot be removed for now, which was said; it is its user's until then */
	struct sg_stats counted;  /* of the BPF side, as far as they are in the metrics */
	__u64 dropped_counted;
	int places;                /* holds what its object rules name; -1: nothing */
	struct sgd_opener *opener; /* attached: what they name is being opened; NULL: it is not */
	json_t *view;              /* attached: what whoever attached it says of its program; NULL: nothing */
	pid_t view_pid;            /* attached: the process that it was named by; 0: none */
	struct sgd_known *known;   /* it was launched by this, or is kept as this; NULL: neither */
	uint64_t violation_ns;     /* when what killed was attempted, CLOCK_REALTIME; 0: nothing did */
};

struct sgd_box *sgd_box_new(struct sgd *d);
void sgd_box_free(struct sgd_box *b);
/* Whether --max-sandboxes lets one more be registered. What is taken over is not asked. -ENOSPC */
int sgd_box_place(const struct sgd *d, struct sg_err *err);
/* Watches what the sandbox now waits for. */
void sgd_box_sync(struct sgd_box *b);
/* Passes a signal on to the first process, as soon as that is one of the program. */
void sgd_box_signal(struct sgd_box *b, int sig);
/* Removes its cgroup, now or as soon as that can be done; its place is its user's until then. */
void sgd_box_remove(struct sgd_box *b);
/* Kills every process. */
void sgd_box_kill(struct sgd_box *b);
/* This daemon ends and the sandbox does not. */
void sgd_box_leave(struct sgd_box *b);
/* What ended it may be told after it is gone. */
void sgd_box_time(struct sgd_box *b, uint64_t now);
/* Takes a started sandbox over from launch.c. */
void sgd_box_started(struct sgd_box *b);
/* The same for one that ran already. */
void sgd_box_adopted(struct sgd_box *b);
/* Ends an attached sandbox: the record, the BPF side. */
void sgd_box_detach(struct sgd_box *b, const char *why);
void sgd_box_deadline(struct sgd_box *b, uint64_t at);
/* Gives up the place in the BPF tables that came with an adopted one: it has another now, or needs none. */
void sgd_box_raw_slot_put(struct sgd_box *b);
/* Its policy, parsed, for explaining. */
void sgd_box_need_policy(struct sgd_box *b);
/* Reads all that is in the ring buffer by now; one pass of it, for a caller that comes again while more is there. */
void sgd_drain(struct sgd *d);
void sgd_drain_some(struct sgd *d);
/* The sys_enter programs are attached while somebody needs them. */
int sgd_sys_enter_get(struct sgd *d, struct sg_err *err);
void sgd_sys_enter_put(struct sgd *d);

/* ---- request.c: a launch ---- */

/* Who reads a hole of a memory file fills it, and pays: a client would have its memory from us. */
static inline bool sgd_has_holes(const struct stat *st)
{
	return st->st_blocks * 512 < st->st_size;
}

/*
 * size bytes of packet, n_fds descriptors which are taken over. Answers on the connection. again: what the packet says
 * was said for a launch before; ignored signals and umask are the client's of now.
 */
void sgd_launch(struct sgd_conn *c, const void *packet, size_t size, int *fds, int n_fds, bool again);

/* ---- objects.c: the lsm tier ---- */

/* Loads the LSM programs where they can act; else d->no_lsm says why not. Before sandboxes are taken over. */
void sgd_lsm_open(struct sgd *d, const struct sg_bpf_opts *opts);
/* Attaches them, in the place of those of a daemon before. */
void sgd_lsm_attach(struct sgd *d);
/*
 * The object rules of a registered sandbox. rules: struct sg_wire_objects in a sealed memory file, places: the socket.
 * Every number of it is the client's word, and concerns the client's own program. Errors: -EPROTO, of
 * sg_bpf_places_receive() and sg_bpf_set_trees().
 */
int sgd_objects_take(struct sgd_box *b, int rules, int places, struct sg_err *err);

/* ---- keeper.c: what outlives the daemon and cannot be pinned ---- */

/* Starts the process that keeps places open, in the place of one before. After all are taken over. */
int sgd_keeper_start(struct sgd *d, struct sg_err *err);
/* The descriptor that an earlier daemon wrote down in e; -1: it is not there any more. */
int sgd_keeper_fetch(struct sgd *d, const struct sgd_entry *e);
/* Nothing is left to be kept. */
void sgd_keeper_stop(struct sgd *d);

/* ---- opener.c: what the object rules of attached sandboxes name ---- */

/*
 * Opens it as the processes of the cgroup see it; sgd_attach_opened() is called when that is done. In the place of one
 * that is at it. c (may be NULL): who waits for the answer. root: a directory that is, or is going to be, the root of
 * the program to come; -1: that of a process there. Errors: of fork(2), of the policy's text.
 */
int sgd_opener_start(struct sgd_box *b, struct sgd_conn *c, int root, struct sg_err *err);
/* Nobody wants it any more: the sandbox ends; the client is gone, and so is what it asked for. */
void sgd_opener_cancel(struct sgd_box *b);
void sgd_opener_forget(struct sgd_conn *c);
/* Ends those that take too long (now 0: none), frees those that are done. */
void sgd_openers_time(struct sgd *d, uint64_t now);

/* ---- attach.c ---- */

/* *later: the answer follows when the sandbox is in force; *out is set then, too. */
int sgd_attach(struct sgd_conn *c, const json_t *request, int *fds, int n_fds, struct sgd_box **out, bool *later,
	       struct sg_err *err);
/* The other half: fds are the rules and the socket with their places; NULL: there are none, and err says why. */
void sgd_attach_opened(struct sgd_box *b, struct sgd_conn *c, const int *fds, const json_t *degraded,
		       struct sg_err *err);
/* Opens what the object rules name once more, for another policy or where nothing kept it. */
void sgd_attach_reopen(struct sgd_box *b);
/* The same for a cgroup that a rule of --discover names. -EEXIST: it is attached already, or overlaps one that is. */
int sgd_attach_found(struct sgd *d, int fd, bool audit, struct sg_err *err);
int sgd_reload(struct sgd *d, const char *text, size_t size, const char *name, json_t **changed, struct sg_err *err);

/* ---- commands.c: JSON requests ---- */

/* To every client that wants records and may see this sandbox. Never waits: what finds no room is counted. */
void sgd_publish(struct sgd_box *b, const char *json);
void sgd_command(struct sgd_conn *c, const char *line, size_t size, int *fds, int n_fds);
/* The answer to an attach that was not answered at once. rc: as from a request. */
void sgd_answer_attach(struct sgd_conn *c, struct sgd_box *b, int rc, const struct sg_err *err);

/* ---- conn.c ---- */

struct sgd_packet {
	struct sgd_packet *next;
	size_t size;
	char data[];
};

struct sgd_conn {
	struct sgd_conn *next, *prev;
	struct sgd *d;
	struct sgd_source src;
	struct sgd_peer peer;
	struct sgd_user *user;
	struct sgd_box *box;       /* the sandbox launched on it */
	struct sgd_asked *asked;   /* which launch it asked for, owned; NULL: none */
	struct sgd_opener *opener; /* it waits for the answer to an attach: nothing else is read from it */
	struct sgd_packet *first, *last;
	size_t queued;
	uint64_t dropped;
	uint64_t since;
	bool closing;  /* when everything is sent */
	bool held;     /* not read from: too many descriptors of its user's are not closed yet */
	bool tail;     /* is sent every record that is for its eyes */
	uint64_t lost; /* of those, since it was last told */
};

/* Before anything of another daemon's is touched: none answers at our socket, or -EADDRINUSE. */
int sgd_alone(const struct sgd *d, struct sg_err *err);
int sgd_listen(struct sgd *d, struct sg_err *err);
/* Queues a packet made of two parts. essential: has a reserve. False: it was dropped. */
bool sgd_send(struct sgd_conn *c, const void *head, size_t head_size, const void *text, size_t text_size,
	      bool essential);
bool sgd_send_json(struct sgd_conn *c, json_t *o); /* takes o over */
/* One of many that an answer can do without. False: there was no room for it. Takes o over. */
bool sgd_send_part(struct sgd_conn *c, json_t *o);
/* Reads on, after the answer that it waited for. */
void sgd_conn_resume(struct sgd_conn *c);
/* Sends a text message of the launch protocol. */
bool sgd_send_text(struct sgd_conn *c, uint16_t type, uint32_t number, const char *text, size_t size, bool essential);
/* Says why not, and hangs up. code: errno. */
void sgd_refuse(struct sgd_conn *c, int code, const char *text);
/* Closes when all is sent, at the latest in a while. */
void sgd_conn_finish(struct sgd_conn *c);
void sgd_conn_free(struct sgd_conn *c);
/* Ends those that have not said anything in time. */
void sgd_conns_time(struct sgd *d, uint64_t now);

#endif
