/* SPDX-License-Identifier: Apache-2.0 */
#include "runner/front.h"

#include "runner/arch.h"
#include "runner/child.h"
#include "supervisor/proto.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/limits.h>
#include <linux/stat.h>
#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

struct sg_front sg_front;

static char packet[SG_PROTO_PACKET_MAX + 1] __attribute__((aligned(8)));

static inline long sys(long nr, long a, long b, long c, long d, long e)
{
	return sg_raw_syscall(nr, a, b, c, d, e);
}

static inline size_t length(const char *s)
{
	size_t n = 0;

	while (s[n])
		n++;
	return n;
}

/* What follows head in s; NULL: s does not begin so. */
static inline const char *behind(const char *s, const char *head)
{
	while (*head)
		if (*s++ != *head++)
			return NULL;
	return s;
}

static inline bool same(const char *a, const char *b)
{
	const char *rest = behind(a, b);

	return rest && !*rest;
}

/* ---- the words ---- */

struct words {
	const char *socket; /* NULL: the usual one */
	const char *label;  /* NULL: none */
	char **label_at;    /* the first of the words that say so */
	int label_words;
	int verdicts;     /* a descriptor; -1: a file */
	const char *file; /* the same */
	bool whole_env;   /* more of the environment than usual decides what the program gets */
};

/* Options with a value, each with its end. What is not here is for the rest of the program; so is what is misspelt. */
static const char valued[] = "lang\0policy\0read\0write\0exec\0net\0mode\0tier\0require\0seccomp\0env\0fd\0chdir\0"
			     "wall-time\0cpu-time\0memory\0pids\0open-files\0file-size\0stack\0cpus\0verdicts\0label\0"
			     "daemon\0";
static const char plain[] = "env-all\0require-limits\0stats\0";

/* Whether name, up to its end or to '=', is one of the list. *value: what follows '=', NULL: nothing does. */
static bool listed(const char *list, const char *name, const char **value)
{
	for (; *list; list += length(list) + 1) {
		const char *rest = behind(name, list);

		if (rest && (!*rest || *rest == '=')) {
			*value = *rest ? rest + 1 : NULL;
			return true;
		}
	}
	return false;
}

static bool is_open(long fd)
{
	long flags = sys(SYS_fcntl, fd, F_GETFL, 0, 0, 0);

	return flags >= 0 && !(flags & O_PATH);
}

/* The number of an open descriptor, -1 for anything else. */
static int open_number(const char *text)
{
	long n = 0;

	for (const char *c = text; *c; c++) {
		if (*c < '0' || *c > '9' || n > 65535)
			return -1;
		n = n * 10 + (*c - '0');
	}
	return *text && is_open(n) ? (int)n : -1;
}

static bool has(const char *s, char c)
{
	while (*s && *s != c)
		s++;
	return *s;
}

static bool take(struct words *w, const char *name, const char *value)
{
	const char *rest;

	switch (*name) {
	case 'd': /* daemon */
		w->socket = same(value, "auto") ? NULL : value;
		return !same(value, "off");
	case 'e': /* env, exec */
		w->whole_env |= name[1] == 'n' && !has(value, '=');
		return true;
	case 'f': /* fd, file-size */
		return name[1] != 'd' || open_number(value) >= 0;
	case 'p': /* policy, pids */
		return name[1] != 'o' || !same(value, "-");
	case 't': /* tier */
		return same(value, "auto") || same(value, "bpf");
	case 'v': /* verdicts */
		rest = behind(value, "fd:");
		w->file = rest || same(value, "-") ? NULL : value;
		w->verdicts = w->file ? -1 : rest ? open_number(rest) : 1;
		return w->file || w->verdicts >= 0;
	default:
		return true;
	}
}

/* False: what these words ask for is not for here. */
static bool understand(struct words *w, char **argv)
{
	char **a = argv + 1;

	*w = (struct words){.verdicts = 2};
	for (; *a && (*a)[0] == '-' && (*a)[1] == '-' && (*a)[2]; a++) {
		char **option = a;
		const char *name = *a + 2, *value;

		if (listed(plain, name, &value)) {
			if (value)
				return false;
			w->whole_env |= same(name, "env-all");
			continue;
		}
		if (!listed(valued, name, &value))
			return false;
		if (!value)
			value = *++a;
		if (!value)
			return false;
		if (*name != 'l' || name[2] == 'n') {
			if (!take(w, name, value))
				return false;
			continue;
		}
		if (w->label || !*value)
			return false;
		w->label = value;
		w->label_at = option;
		w->label_words = (int)(a - option) + 1;
	}
	/* A program, or what ends the options. */
	return *a && (**a != '-' || (same(*a, "--") && a[1]));
}

/* ---- the key ---- */

#define GROUPS_MAX 256 /* who has more is left to the rest of the program */

struct key {
	char *at, *end; /* at == end: it is too long */
};

static void add(struct key *k, const char *text)
{
	do {
		if (k->at == k->end)
			return;
		*k->at++ = *text;
	} while (*text++);
}

/* Of the environment what sgrun or the program gets to see. */
static bool counts(const char *entry)
{
	return behind(entry, "HOME=") || behind(entry, "TERM=") || behind(entry, "SUDO_UID=") ||
	       behind(entry, "SUDO_GID=");
}

/* Its size in bytes; 0: there is none. */
static size_t make_key(char *to, const struct words *w, int argc, char **argv, char **env, const char *file)
{
	struct key k = {to + 2 * sizeof(uint32_t), to + SG_PROTO_KEY_MAX};
	const char *cwd = k.at;
	long n = sys(SYS_getcwd, (long)k.at, PATH_MAX, 0, 0, 0), groups;

	/* "(unreachable)": outside our root directory. */
	if (n <= 0 || *cwd != '/')
		return 0;
	k.at += n;
	/* What may be executed is found by them. */
	groups = sys(SYS_getgroups, GROUPS_MAX, (long)k.at, 0, 0, 0);
	if (groups < 0)
		return 0;
	k.at += groups * (long)sizeof(gid_t);
	((uint32_t *)(void *)to)[1] = (uint32_t)groups;
	/* How many words: the environment's entries come behind them. */
	*(uint32_t *)(void *)to = (uint32_t)(argc - w->label_words);
	add(&k, file);
	for (char **a = argv; *a; a++) {
		if (a == w->label_at)
			a += w->label_words - 1;
		else
			add(&k, *a);
	}
	for (; *env; env++)
		if (w->whole_env || counts(*env))
			add(&k, *env);
	return k.at < k.end ? (size_t)(k.at - to) : 0;
}

/* ---- what the descriptors are ---- */

static bool look(int dir, const char *path, int flags, struct statx *st, long *error)
{
	*error = sys(SYS_statx, dir, (long)path, flags, STATX_TYPE | STATX_INO | STATX_CTIME, (long)st);
	return !*error;
}

enum kind { CLOSED, PIPE, NOTHING, SOCKET, FILE_, OTHER };

static enum kind kind_of(int fd, long *flags)
{
	struct statx st;
	long error;

	*flags = sys(SYS_fcntl, fd, F_GETFL, 0, 0, 0);
	/* O_PATH: it only names something. For a launch it is closed. */
	if (*flags < 0 || *flags & O_PATH || !look(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, &st, &error))
		return CLOSED;
	switch (st.stx_mode & S_IFMT) {
	case S_IFIFO:
		return PIPE;
	case S_IFSOCK:
		return SOCKET;
	case S_IFREG:
		return FILE_;
	case S_IFCHR: /* /dev/null */
		return st.stx_rdev_major == 1 && st.stx_rdev_minor == 3 ? NOTHING : OTHER;
	default:
		return OTHER;
	}
}

/* Where records go. */
struct sink {
	int fd;    /* negative: nowhere that is for here */
	bool file; /* opened here */
	bool pipe;
};

/* A stream of records to a terminal is text, and what is sent to a socket may break in the middle. */
static bool takes_records(struct sink *s, enum kind kind, long flags)
{
	s->pipe = kind == PIPE;
	return (kind == PIPE || kind == NOTHING || kind == FILE_) && (flags & O_ACCMODE) != O_RDONLY;
}

/* Files and terminals may be opened again by the program: they are in the rules, and no two launches have the same. */
static bool usual_fds(const struct words *w, struct sink *s)
{
	bool takes = w->verdicts < 0;
	enum kind kind;
	long flags;

	*s = (struct sink){.fd = w->verdicts};
	for (int fd = 0; fd <= 2; fd++) {
		kind = kind_of(fd, &flags);
		if (kind != PIPE && kind != NOTHING && kind != SOCKET)
			return false;
		if (fd == w->verdicts)
			takes = takes_records(s, kind, flags);
	}
	if (w->verdicts > 2) {
		kind = kind_of(w->verdicts, &flags);
		takes = takes_records(s, kind, flags);
	}
	return takes;
}

/* As sg_stream_open() does. */
static void open_sink(struct sink *s, const char *file)
{
	const int how = O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
	enum kind kind;
	long flags;

	s->fd = (int)sys(SYS_openat, AT_FDCWD, (long)file, how, 0644, 0);
	s->file = s->fd >= 0;
	if (!s->file)
		return;
	kind = kind_of(s->fd, &flags);
	if (takes_records(s, kind, flags))
		return;
	sys(SYS_close, s->fd, 0, 0, 0, 0);
	s->fd = -1;
}

/* ---- what sgd knows ---- */

/* A connection; negative: none. */
static int dial(const char *path)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	long fd;

	path = path ? path : SG_PROTO_SOCKET;
	for (size_t i = 0; (at.sun_path[i] = path[i]); i++)
		if (i + 2 > sizeof(at.sun_path))
			return -1;
	fd = sys(SYS_socket, AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, 0, 0);
	if (fd >= 0 && sys(SYS_connect, fd, (long)&at, sizeof(at), 0, 0) < 0) {
		sys(SYS_close, fd, 0, 0, 0, 0);
		return -1;
	}
	return (int)fd;
}

/* The next message of sgd: its size, 0 where none comes any more. */
static size_t receive(int fd)
{
	long n;

	do
		n = sys(SYS_read, fd, (long)packet, SG_PROTO_PACKET_MAX, 0, 0);
	while (n == -EINTR);
	return n > 0 ? (size_t)n : 0;
}

static const struct sg_wire_text *message(size_t n)
{
	const struct sg_wire_text *m = (const struct sg_wire_text *)(const void *)packet;

	return n >= sizeof(*m) && m->hdr.magic == SG_PROTO_MAGIC && m->hdr.size == n ? m : NULL;
}

/* Whether a name still leads to what it led to. */
static bool unchanged(const struct sg_note_name *n)
{
	struct statx st;
	long error;

	/* Who reads a file asks its server whether it is the same, too. */
	if (!look(AT_FDCWD, n->path, n->exact ? 0 : AT_STATX_DONT_SYNC, &st, &error))
		return n->error && error == -n->error;
	return !n->error && st.stx_ino == n->ino && ((uint64_t)st.stx_dev_major << 32 | st.stx_dev_minor) == n->dev &&
	       (!n->exact || (st.stx_ctime.tv_sec == n->ctime_s && st.stx_ctime.tv_nsec == n->ctime_ns));
}

struct known {
	const uint32_t *fds;
	uint32_t n_fds;
	const char *chdir;
};

/* Reads a note of size bytes, which lies in packet. False: it is none, or something is otherwise now. */
static bool holds(const char *text, size_t size, struct known *k)
{
	const struct sg_note *note = (const struct sg_note *)(const void *)text;
	size_t at = sizeof(*note);
	uint32_t covered = 0;

	*k = (struct known){0};
	if (size < at || note->magic != SG_NOTE_MAGIC || note->n_fds > SG_HEIR_FDS - 3)
		return false;
	k->fds = (const uint32_t *)(const void *)(text + at);
	k->n_fds = note->n_fds;
	at += (note->n_fds * sizeof(uint32_t) + 7) & ~(size_t)7;
	for (uint32_t i = 0; i < note->n_names; i++) {
		const struct sg_note_name *n = (const struct sg_note_name *)(const void *)(text + at);

		if (at > size || size - at < sizeof(*n) || !n->size || n->size > size - at - sizeof(*n) ||
		    n->path[n->size - 1])
			return false;
		if (covered)
			covered--;
		else if (n->covers)
			covered = unchanged(n) ? n->covers : 0;
		else if (!unchanged(n))
			return false;
		if (i == note->chdir)
			k->chdir = n->path;
		at += (sizeof(*n) + n->size + 7) & ~(size_t)7;
	}
	return k->chdir;
}

/* ---- signals, as sg_signals_take() has them ---- */

struct action {
	unsigned long handler, flags, restorer, mask; /* the kernel's struct sigaction */
};
#define IGNORED 1UL /* SIG_IGN, as a number */
/* What is written to may break, or be bounded: that is seen by the write, and a signal held back ends nobody. */
#define OF_WRITES (SG_BIT_OF(SIGPIPE) | SG_BIT_OF(SIGXFSZ))

struct signals {
	uint64_t mask; /* as it was */
	long fd;
};

/* All of them. Which are ignored is asked only when one comes; for the program sgd asks the kernel. */
static bool hold_signals(struct signals *s)
{
	const uint64_t held = SG_PASSED_SIGNALS | OF_WRITES, passed = SG_PASSED_SIGNALS;

	sys(SYS_rt_sigprocmask, SIG_BLOCK, (long)&held, (long)&s->mask, sizeof(uint64_t), 0);
	s->fd = sys(SYS_signalfd4, -1, (long)&passed, sizeof(uint64_t), SFD_CLOEXEC | SFD_NONBLOCK, 0);
	return s->fd >= 0;
}

static void give_signals_back(const struct signals *s)
{
	if (s->fd >= 0)
		sys(SYS_close, s->fd, 0, 0, 0, 0);
	sys(SYS_rt_sigprocmask, SIG_SETMASK, (long)&s->mask, 0, sizeof(uint64_t), 0);
}

/* For the rest of the program: as it has them while a program runs. What is ignored (nohup) is not meant for us. */
static void settle_signals(const struct signals *s)
{
	const struct action ignore = {.handler = IGNORED};
	uint64_t held = SG_PASSED_SIGNALS, loose = OF_WRITES;
	struct action have;

	for (int sig = 1; sig < 32; sig++) {
		const uint64_t bit = SG_BIT_OF(sig);

		if (!((SG_PASSED_SIGNALS | OF_WRITES) & bit))
			continue;
		if (SG_PASSED_SIGNALS & bit) {
			if (sys(SYS_rt_sigaction, sig, 0, (long)&have, sizeof(uint64_t), 0) < 0 ||
			    have.handler != IGNORED)
				continue;
			held &= ~bit;
			loose |= bit;
		}
		/* One that came already is forgotten by that. */
		sys(SYS_rt_sigaction, sig, (long)&ignore, 0, sizeof(uint64_t), 0);
	}
	loose &= ~s->mask;
	sys(SYS_signalfd4, s->fd, (long)&held, sizeof(uint64_t), SFD_CLOEXEC | SFD_NONBLOCK, 0);
	sys(SYS_rt_sigprocmask, SIG_UNBLOCK, (long)&loose, 0, sizeof(uint64_t), 0);
}

/* ---- the launch ---- */

static bool go(int fd, const struct known *k, const struct signals *s, const char *label)
{
	union {
		struct cmsghdr head;
		char buf[CMSG_SPACE(sizeof(int) * (1 + SG_HEIR_FDS))];
	} control;
	int *fds = (int *)(void *)(control.buf + CMSG_LEN(0));
	struct sg_wire_go m = {.hdr = {.magic = SG_PROTO_MAGIC, .version = SG_PROTO_VERSION, .type = SG_WIRE_GO},
			       .mask = s->mask};
	struct iovec iov[2] = {{&m, sizeof(m)}, {(char *)label, label ? length(label) : 0}};
	struct msghdr msg;
	size_t n = 0;
	long cwd = sys(SYS_openat, AT_FDCWD, (long)k->chdir, O_PATH | O_DIRECTORY | O_CLOEXEC, 0, 0), sent;

	if (cwd < 0)
		return false;
	fds[n++] = (int)cwd;
	for (int i = 0; i <= 2; i++)
		fds[n++] = i;
	for (uint32_t i = 0; i < k->n_fds; i++)
		fds[n++] = (int)k->fds[i];
	m.hdr.size = (uint32_t)(sizeof(m) + iov[1].iov_len);
	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(n * sizeof(int));
	msg.msg_name = NULL;
	msg.msg_namelen = 0;
	msg.msg_iov = iov;
	msg.msg_iovlen = label ? 2 : 1;
	msg.msg_control = &control;
	msg.msg_controllen = CMSG_SPACE(n * sizeof(int));
	msg.msg_flags = 0;
	do
		sent = sys(SYS_sendmsg, fd, (long)&msg, MSG_NOSIGNAL, 0, 0);
	while (sent == -EINTR);
	sys(SYS_close, cwd, 0, 0, 0, 0);
	return sent >= 0;
}

/* Writes a record and its line feed where that cannot wait. Returns how much of it. */
static size_t put(int fd, bool pipe, char *text, size_t size)
{
	struct pollfd p = {.fd = fd, .events = POLLOUT};
	const struct timespec none = {0, 0};
	struct iovec iov = {text, size + 1};
	long n = -EOPNOTSUPP;

	text[size++] = '\n';
	/* From Linux 6.4 on. */
	if (pipe)
		n = sg_raw_syscall6(SYS_pwritev2, fd, (long)&iov, 1, -1, -1, RWF_NOWAIT);
	/* Before, a pipe that polls writable takes this much, unless somebody else is faster. */
	if (n == -EOPNOTSUPP && pipe &&
	    (size > PIPE_BUF || sys(SYS_ppoll, (long)&p, 1, (long)&none, 0, 0) != 1 || p.revents != POLLOUT))
		return 0;
	if (n == -EOPNOTSUPP)
		n = sys(SYS_write, fd, (long)text, (long)size, 0, 0);
	return n > 0 ? (size_t)n : 0;
}

/* Until the sandbox has ended, or something comes that is not for here. False: nothing ran. */
static bool watch(int fd, const struct signals *s, const struct sink *to)
{
	for (bool first = true;;) {
		struct pollfd p[2] = {{.fd = fd, .events = POLLIN}, {.fd = (int)s->fd, .events = POLLIN}};
		const struct sg_wire_text *m;
		size_t n, size, done = 0;

		/* What comes first says whether anything runs that a signal could be for. */
		if (!first && sys(SYS_ppoll, (long)p, 2, 0, 0, 0) < 0)
			continue;
		n = p[1].revents ? 0 : receive(fd);
		m = message(n);
		if (first && n && (!m || m->hdr.type == SG_WIRE_FAILED))
			return false;
		if (m && m->hdr.type == SG_WIRE_RESULT && n == sizeof(*m))
			sys(SYS_exit_group, (long)m->number, 0, 0, 0, 0);
		first = false;
		size = n - sizeof(*m);
		if (m && m->hdr.type == SG_WIRE_RECORD)
			done = put(to->fd, to->pipe, packet + sizeof(*m), size);
		if (m && m->hdr.type == SG_WIRE_RECORD && done == size + 1)
			continue;
		settle_signals(s);
		sg_front.runs = true;
		sg_front.fd = fd;
		sg_front.signals = (int)s->fd;
		sg_front.stream = to->file ? to->fd : -1;
		sg_front.packet = packet;
		sg_front.size = n;
		sg_front.done = done;
		return true;
	}
}

static bool send_key(int fd, size_t size)
{
	struct sg_wire_text *m = (struct sg_wire_text *)(void *)packet;

	m->hdr = (struct sg_wire_hdr){.magic = SG_PROTO_MAGIC,
				      .version = SG_PROTO_VERSION,
				      .type = SG_WIRE_AGAIN,
				      .size = (uint32_t)(sizeof(*m) + size)};
	m->number = m->pad = 0;
	return sys(SYS_sendto, fd, (long)packet, m->hdr.size, MSG_NOSIGNAL, 0) >= 0;
}

void sg_front_try(int argc, char **argv, char **env, const char *file)
{
	const struct sg_wire_text *m;
	struct signals s;
	struct words w;
	struct known k;
	struct sink to;
	size_t n;
	int fd;

	if (argc < 2 || argv[1][0] != '-' || !file || !understand(&w, argv) || !usual_fds(&w, &to))
		return;
	n = make_key(packet + sizeof(*m), &w, argc, argv, env, file);
	fd = n ? dial(w.socket) : -1;
	if (fd < 0)
		return;
	n = send_key(fd, n) ? receive(fd) : 0;
	m = message(n);
	/* An sgd that does not know the question says so and hangs up. */
	if (!m || (m->hdr.type != SG_WIRE_KNOWN && m->hdr.type != SG_WIRE_UNKNOWN))
		goto none;
	if (m->hdr.type == SG_WIRE_UNKNOWN || !holds(packet + sizeof(*m), n - sizeof(*m), &k)) {
		sg_front.asked = true;
		sg_front.wanted = m->hdr.type == SG_WIRE_KNOWN || m->number;
		sg_front.fd = fd;
		return;
	}
	if (w.file)
		open_sink(&to, w.file);
	if (to.fd < 0)
		goto none;
	if (hold_signals(&s) && go(fd, &k, &s, w.label) && watch(fd, &s, &to))
		return;
	give_signals_back(&s);
	if (to.file)
		sys(SYS_close, to.fd, 0, 0, 0, 0);
none:
	sys(SYS_close, fd, 0, 0, 0, 0);
}
