// SPDX-License-Identifier: Apache-2.0
#include "policy/consts.h"

#include <asm/prctl.h>
#include <asm/termbits.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/keyctl.h>
#include <linux/memfd.h>
#include <linux/ptrace.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include "policy/in_place.h"

#define ALL32 0xffffffffULL
#define E(x)                                                                                                           \
	{                                                                                                              \
#x, (uint32_t)(x), ALL32                                                                               \
	} /* one of several values */
#define F(x)                                                                                                           \
	{                                                                                                              \
#x, (uint32_t)(x), (uint32_t)(x)                                                                       \
	} /* a bit, or several that mean something together */
#define M(x, m)                                                                                                        \
	{                                                                                                              \
#x, (uint32_t)(x), (uint32_t)(m)                                                                       \
	} /* a value of a field */

static const struct sg_const c_domain[] = {
	E(AF_UNSPEC),  E(AF_UNIX),   E(AF_LOCAL), E(AF_INET),       E(AF_AX25), E(AF_IPX),   E(AF_APPLETALK),
	E(AF_NETROM),  E(AF_ATMPVC), E(AF_X25),   E(AF_INET6),      E(AF_ROSE), E(AF_KEY),   E(AF_NETLINK),
	E(AF_PACKET),  E(AF_RDS),    E(AF_PPPOX), E(AF_LLC),        E(AF_CAN),  E(AF_TIPC),  E(AF_BLUETOOTH),
	E(AF_RXRPC),   E(AF_PHONET), E(AF_CAIF),  E(AF_ALG),        E(AF_NFC),  E(AF_VSOCK), E(AF_KCM),
	E(AF_QIPCRTR), E(AF_SMC),    E(AF_XDP),   E(AF_IEEE802154),
};
static const struct sg_const c_socktype[] = {
	M(SOCK_STREAM, 0xf), M(SOCK_DGRAM, 0xf),  M(SOCK_RAW, 0xf), M(SOCK_RDM, 0xf), M(SOCK_SEQPACKET, 0xf),
	M(SOCK_DCCP, 0xf),   M(SOCK_PACKET, 0xf), F(SOCK_CLOEXEC),  F(SOCK_NONBLOCK), {"SOCK_TYPE_MASK", 0xf, 0},
};
static const struct sg_const c_ipproto[] = {
	E(IPPROTO_IP),  E(IPPROTO_ICMP), E(IPPROTO_TCP),    E(IPPROTO_UDP), E(IPPROTO_IPV6),
	E(IPPROTO_GRE), E(IPPROTO_SCTP), E(IPPROTO_ICMPV6), E(IPPROTO_RAW),
};
static const struct sg_const c_clone[] = {
	F(CLONE_VM),
	F(CLONE_FS),
	F(CLONE_FILES),
	F(CLONE_SIGHAND),
	F(CLONE_PIDFD),
	F(CLONE_PTRACE),
	F(CLONE_VFORK),
	F(CLONE_PARENT),
	F(CLONE_THREAD),
	F(CLONE_NEWNS),
	F(CLONE_SYSVSEM),
	F(CLONE_SETTLS),
	F(CLONE_PARENT_SETTID),
	F(CLONE_CHILD_CLEARTID),
	F(CLONE_DETACHED),
	F(CLONE_UNTRACED),
	F(CLONE_CHILD_SETTID),
	F(CLONE_NEWCGROUP),
	F(CLONE_NEWUTS),
	F(CLONE_NEWIPC),
	F(CLONE_NEWUSER),
	F(CLONE_NEWPID),
	F(CLONE_NEWNET),
	F(CLONE_IO),
	{"CSIGNAL", 0xff, 0},
	{"CLONE_EFFECTS", SG_CLONE_EFFECTS, 0},
};
static const struct sg_const c_newns[] = {
	F(CLONE_NEWTIME), F(CLONE_NEWNS),  F(CLONE_NEWCGROUP), F(CLONE_NEWUTS), F(CLONE_NEWIPC),
	F(CLONE_NEWUSER), F(CLONE_NEWPID), F(CLONE_NEWNET),    F(CLONE_FS),     F(CLONE_FILES),
	F(CLONE_SYSVSEM), F(CLONE_THREAD), F(CLONE_SIGHAND),   F(CLONE_VM),
};
static const struct sg_const c_open[] = {
	M(O_WRONLY, O_ACCMODE),
	M(O_RDWR, O_ACCMODE),
	M(O_RDONLY, O_ACCMODE),
	F(O_TMPFILE),
	F(O_SYNC),
	F(O_DSYNC),
	F(O_CREAT),
	F(O_EXCL),
	F(O_NOCTTY),
	F(O_TRUNC),
	F(O_APPEND),
	F(O_NONBLOCK),
	F(O_ASYNC),
	F(O_DIRECT),
	F(O_DIRECTORY),
	F(O_NOFOLLOW),
	F(O_NOATIME),
	F(O_CLOEXEC),
	F(O_PATH),
	{"O_LARGEFILE", 0100000, 0100000},
	{"O_ACCMODE", O_ACCMODE, 0},
};
static const struct sg_const c_signal[] = {
	E(SIGHUP),  E(SIGINT),    E(SIGQUIT), E(SIGILL),   E(SIGTRAP), E(SIGABRT), E(SIGBUS),  E(SIGFPE),
	E(SIGKILL), E(SIGUSR1),   E(SIGSEGV), E(SIGUSR2),  E(SIGPIPE), E(SIGALRM), E(SIGTERM), E(SIGSTKFLT),
	E(SIGCHLD), E(SIGCONT),   E(SIGSTOP), E(SIGTSTP),  E(SIGTTIN), E(SIGTTOU), E(SIGURG),  E(SIGXCPU),
	E(SIGXFSZ), E(SIGVTALRM), E(SIGPROF), E(SIGWINCH), E(SIGIO),   E(SIGPWR),  E(SIGSYS),
};
static const struct sg_const c_ioctl[] = {
	E(TCGETS),
	E(TCSETS),
	E(TCSETSW),
	E(TCSETSF),
	E(TCGETS2),
	E(TCSETS2),
	E(TCSETSW2),
	E(TCSETSF2),
	E(TCSBRK),
	E(TCXONC),
	E(TCFLSH),
	E(TIOCEXCL),
	E(TIOCNXCL),
	E(TIOCSCTTY),
	E(TIOCGPGRP),
	E(TIOCSPGRP),
	E(TIOCOUTQ),
	E(TIOCSTI),
	E(TIOCGWINSZ),
	E(TIOCSWINSZ),
	E(TIOCLINUX),
	E(TIOCCONS),
	E(TIOCNOTTY),
	E(TIOCSETD),
	E(TIOCGETD),
	E(TIOCGSID),
	E(TIOCGPTN),
	E(TIOCSPTLCK),
	E(TIOCGPTPEER),
	E(TIOCPKT),
	E(TIOCVHANGUP),
	E(FIONREAD),
	E(FIONBIO),
	E(FIOASYNC),
	E(FIOCLEX),
	E(FIONCLEX),
	E(FIOQSIZE),
	E(SIOCGIFCONF),
	E(SIOCGIFFLAGS),
	E(SIOCSIFFLAGS),
	E(SIOCGIFADDR),
	E(SIOCSIFADDR),
	E(SIOCGIFINDEX),
	E(SIOCETHTOOL),
	{"FICLONE", _IOW(0x94, 9, int), ALL32},
	{"FS_IOC_GETFLAGS", _IOR('f', 1, long), ALL32},
	{"FS_IOC_SETFLAGS", _IOW('f', 2, long), ALL32},
};
static const struct sg_const c_prctl[] = {
	E(PR_SET_PDEATHSIG),
	E(PR_GET_PDEATHSIG),
	E(PR_GET_DUMPABLE),
	E(PR_SET_DUMPABLE),
	E(PR_GET_UNALIGN),
	E(PR_SET_UNALIGN),
	E(PR_GET_KEEPCAPS),
	E(PR_SET_KEEPCAPS),
	E(PR_GET_TIMING),
	E(PR_SET_TIMING),
	E(PR_SET_NAME),
	E(PR_GET_NAME),
	E(PR_GET_SECCOMP),
	E(PR_SET_SECCOMP),
	E(PR_CAPBSET_READ),
	E(PR_CAPBSET_DROP),
	E(PR_GET_TSC),
	E(PR_SET_TSC),
	E(PR_GET_SECUREBITS),
	E(PR_SET_SECUREBITS),
	E(PR_SET_TIMERSLACK),
	E(PR_GET_TIMERSLACK),
	E(PR_SET_MM),
	E(PR_SET_CHILD_SUBREAPER),
	E(PR_GET_CHILD_SUBREAPER),
	E(PR_SET_NO_NEW_PRIVS),
	E(PR_GET_NO_NEW_PRIVS),
	E(PR_GET_TID_ADDRESS),
	E(PR_SET_THP_DISABLE),
	E(PR_GET_THP_DISABLE),
	E(PR_CAP_AMBIENT),
	E(PR_GET_SPECULATION_CTRL),
	E(PR_SET_SPECULATION_CTRL),
	E(PR_SET_IO_FLUSHER),
	E(PR_SET_SYSCALL_USER_DISPATCH),
	E(PR_SET_PTRACER),
	{"PR_SET_VMA", 0x53564d41, ALL32},
};
static const struct sg_const c_prot[] = {
	{"PROT_NONE", 0, ~0ULL}, F(PROT_READ), F(PROT_WRITE), F(PROT_EXEC), F(PROT_GROWSDOWN), F(PROT_GROWSUP),
};
static const struct sg_const c_map[] = {
	M(MAP_SHARED, 0xf),
	M(MAP_PRIVATE, 0xf),
	{"MAP_SHARED_VALIDATE", 3, 0xf},
	F(MAP_FIXED),
	F(MAP_ANONYMOUS),
	F(MAP_GROWSDOWN),
	F(MAP_DENYWRITE),
	F(MAP_EXECUTABLE),
	F(MAP_LOCKED),
	F(MAP_NORESERVE),
	F(MAP_POPULATE),
	F(MAP_NONBLOCK),
	F(MAP_STACK),
	F(MAP_HUGETLB),
	{"MAP_SYNC", 0x80000, 0x80000},
	{"MAP_FIXED_NOREPLACE", 0x100000, 0x100000},
};
static const struct sg_const c_madv[] = {
	E(MADV_NORMAL),
	E(MADV_RANDOM),
	E(MADV_SEQUENTIAL),
	E(MADV_WILLNEED),
	E(MADV_DONTNEED),
	E(MADV_FREE),
	E(MADV_REMOVE),
	E(MADV_DONTFORK),
	E(MADV_DOFORK),
	E(MADV_MERGEABLE),
	E(MADV_UNMERGEABLE),
	E(MADV_HUGEPAGE),
	E(MADV_NOHUGEPAGE),
	E(MADV_DONTDUMP),
	E(MADV_DODUMP),
	E(MADV_WIPEONFORK),
	E(MADV_KEEPONFORK),
	E(MADV_COLD),
	E(MADV_PAGEOUT),
	E(MADV_HWPOISON),
	{"MADV_POPULATE_READ", 22, ALL32},
	{"MADV_POPULATE_WRITE", 23, ALL32},
	{"MADV_DONTNEED_LOCKED", 24, ALL32},
	{"MADV_COLLAPSE", 25, ALL32},
	{"MADV_SOFT_OFFLINE", 101, ALL32},
};
static const struct sg_const c_mount[] = {
	F(MS_RDONLY),   F(MS_NOSUID),      F(MS_NODEV),      F(MS_NOEXEC),     F(MS_SYNCHRONOUS), F(MS_REMOUNT),
	F(MS_MANDLOCK), F(MS_DIRSYNC),     F(MS_NOATIME),    F(MS_NODIRATIME), F(MS_BIND),        F(MS_MOVE),
	F(MS_REC),      F(MS_SILENT),      F(MS_UNBINDABLE), F(MS_PRIVATE),    F(MS_SLAVE),       F(MS_SHARED),
	F(MS_RELATIME), F(MS_STRICTATIME), F(MS_LAZYTIME),
};
static const struct sg_const c_umount[] = {F(MNT_FORCE), F(MNT_DETACH), F(MNT_EXPIRE), F(UMOUNT_NOFOLLOW)};
static const struct sg_const c_ptrace[] = {
	E(PTRACE_TRACEME),
	E(PTRACE_PEEKTEXT),
	E(PTRACE_PEEKDATA),
	E(PTRACE_PEEKUSR),
	E(PTRACE_POKETEXT),
	E(PTRACE_POKEDATA),
	E(PTRACE_POKEUSR),
	E(PTRACE_CONT),
	E(PTRACE_KILL),
	E(PTRACE_SINGLESTEP),
	E(PTRACE_ATTACH),
	E(PTRACE_DETACH),
	E(PTRACE_SYSCALL),
	E(PTRACE_SETOPTIONS),
	E(PTRACE_GETEVENTMSG),
	E(PTRACE_GETSIGINFO),
	E(PTRACE_SETSIGINFO),
	E(PTRACE_GETREGSET),
	E(PTRACE_SETREGSET),
	E(PTRACE_SEIZE),
	E(PTRACE_INTERRUPT),
	E(PTRACE_LISTEN),
	{"PTRACE_GETREGS", 12, ALL32},
	{"PTRACE_SETREGS", 13, ALL32},
};
static const struct sg_const c_personality[] = {
	{"PER_LINUX", 0, ALL32}, {"PER_LINUX32", 8, ALL32}, {"PER_QUERY", 0xffffffff, ALL32},
	F(ADDR_NO_RANDOMIZE),    F(READ_IMPLIES_EXEC),      F(ADDR_COMPAT_LAYOUT),
	F(MMAP_PAGE_ZERO),       F(ADDR_LIMIT_32BIT),
};
static const struct sg_const c_keyctl[] = {
	E(KEYCTL_GET_KEYRING_ID),
	E(KEYCTL_JOIN_SESSION_KEYRING),
	E(KEYCTL_UPDATE),
	E(KEYCTL_REVOKE),
	E(KEYCTL_CHOWN),
	E(KEYCTL_SETPERM),
	E(KEYCTL_DESCRIBE),
	E(KEYCTL_CLEAR),
	E(KEYCTL_LINK),
	E(KEYCTL_UNLINK),
	E(KEYCTL_SEARCH),
	E(KEYCTL_READ),
	E(KEYCTL_INSTANTIATE),
	E(KEYCTL_NEGATE),
	E(KEYCTL_SET_REQKEY_KEYRING),
	E(KEYCTL_SET_TIMEOUT),
	E(KEYCTL_ASSUME_AUTHORITY),
	E(KEYCTL_GET_SECURITY),
	E(KEYCTL_SESSION_TO_PARENT),
	E(KEYCTL_REJECT),
	E(KEYCTL_INVALIDATE),
	E(KEYCTL_GET_PERSISTENT),
};
static const struct sg_const c_bpf[] = {
	E(BPF_MAP_CREATE),       E(BPF_MAP_LOOKUP_ELEM),     E(BPF_MAP_UPDATE_ELEM),  E(BPF_MAP_DELETE_ELEM),
	E(BPF_MAP_GET_NEXT_KEY), E(BPF_PROG_LOAD),           E(BPF_OBJ_PIN),          E(BPF_OBJ_GET),
	E(BPF_PROG_ATTACH),      E(BPF_PROG_DETACH),         E(BPF_PROG_TEST_RUN),    E(BPF_PROG_GET_NEXT_ID),
	E(BPF_MAP_GET_NEXT_ID),  E(BPF_PROG_GET_FD_BY_ID),   E(BPF_MAP_GET_FD_BY_ID), E(BPF_OBJ_GET_INFO_BY_FD),
	E(BPF_PROG_QUERY),       E(BPF_RAW_TRACEPOINT_OPEN), E(BPF_BTF_LOAD),         E(BPF_LINK_CREATE),
};
static const struct sg_const c_fcntl[] = {
	E(F_DUPFD),         E(F_GETFD),      E(F_SETFD),      E(F_GETFL),     E(F_SETFL),
	E(F_GETLK),         E(F_SETLK),      E(F_SETLKW),     E(F_SETOWN),    E(F_GETOWN),
	E(F_SETSIG),        E(F_GETSIG),     E(F_SETOWN_EX),  E(F_GETOWN_EX), E(F_OFD_GETLK),
	E(F_OFD_SETLK),     E(F_OFD_SETLKW), E(F_SETLEASE),   E(F_GETLEASE),  E(F_NOTIFY),
	E(F_DUPFD_CLOEXEC), E(F_SETPIPE_SZ), E(F_GETPIPE_SZ), E(F_ADD_SEALS), E(F_GET_SEALS),
};
static const struct sg_const c_rlimit[] = {
	E(RLIMIT_CPU),      E(RLIMIT_FSIZE), E(RLIMIT_DATA),   E(RLIMIT_STACK),
	E(RLIMIT_CORE),     E(RLIMIT_RSS),   E(RLIMIT_NPROC),  E(RLIMIT_NOFILE),
	E(RLIMIT_MEMLOCK),  E(RLIMIT_AS),    E(RLIMIT_LOCKS),  E(RLIMIT_SIGPENDING),
	E(RLIMIT_MSGQUEUE), E(RLIMIT_NICE),  E(RLIMIT_RTPRIO), E(RLIMIT_RTTIME),
};
static const struct sg_const c_arch_prctl[] = {
	{"ARCH_SET_GS", 0x1001, ALL32},    {"ARCH_SET_FS", 0x1002, ALL32},     {"ARCH_GET_FS", 0x1003, ALL32},
	{"ARCH_GET_GS", 0x1004, ALL32},    {"ARCH_CET_STATUS", 0x3001, ALL32}, {"ARCH_GET_CPUID", 0x1011, ALL32},
	{"ARCH_SET_CPUID", 0x1012, ALL32},
};
static const struct sg_const c_mfd[] = {
	F(MFD_CLOEXEC), F(MFD_ALLOW_SEALING), F(MFD_HUGETLB), {"MFD_NOEXEC_SEAL", 8, 8}, {"MFD_EXEC", 16, 16},
};
static const struct sg_const c_prio[] = {E(PRIO_PROCESS), E(PRIO_PGRP), E(PRIO_USER)};
static const struct sg_const c_idtype[] = {E(P_ALL), E(P_PID), E(P_PGID), {"P_PIDFD", 3, ALL32}};
static const struct sg_const c_msg[] = {
	F(MSG_OOB),     F(MSG_PEEK),     F(MSG_DONTROUTE), F(MSG_TRUNC),        F(MSG_DONTWAIT), F(MSG_EOR),
	F(MSG_WAITALL), F(MSG_NOSIGNAL), F(MSG_MORE),      F(MSG_CMSG_CLOEXEC), F(MSG_FASTOPEN),
};
static const struct sg_const c_mode[] = {
	M(S_IFREG, S_IFMT),
	M(S_IFCHR, S_IFMT),
	M(S_IFBLK, S_IFMT),
	M(S_IFIFO, S_IFMT),
	M(S_IFSOCK, S_IFMT),
	M(S_IFDIR, S_IFMT),
	F(S_ISUID),
	F(S_ISGID),
	F(S_ISVTX),
	{"S_ISUGID", S_ISUID | S_ISGID, 0},
	{"S_IFMT", S_IFMT, 0},
};
static const struct sg_const c_clock[] = {
	E(CLOCK_REALTIME),      E(CLOCK_MONOTONIC),       E(CLOCK_PROCESS_CPUTIME_ID), E(CLOCK_THREAD_CPUTIME_ID),
	E(CLOCK_MONOTONIC_RAW), E(CLOCK_REALTIME_COARSE), E(CLOCK_MONOTONIC_COARSE),   E(CLOCK_BOOTTIME),
};
static const struct sg_const c_seccomp[] = {
	E(SECCOMP_SET_MODE_STRICT),
	E(SECCOMP_SET_MODE_FILTER),
	E(SECCOMP_GET_ACTION_AVAIL),
	E(SECCOMP_GET_NOTIF_SIZES),
};

#define FAMILY(id, table) [id] = {table, sizeof(table) / sizeof((table)[0])}
static const struct {
	const struct sg_const *table;
	size_t n;
} families[SG_FAMILY_COUNT] = {
	FAMILY(SG_FAMILY_DOMAIN, c_domain),
	FAMILY(SG_FAMILY_SOCKTYPE, c_socktype),
	FAMILY(SG_FAMILY_IPPROTO, c_ipproto),
	FAMILY(SG_FAMILY_CLONE, c_clone),
	FAMILY(SG_FAMILY_NEWNS, c_newns),
	FAMILY(SG_FAMILY_OPEN, c_open),
	FAMILY(SG_FAMILY_SIGNAL, c_signal),
	FAMILY(SG_FAMILY_IOCTL, c_ioctl),
	FAMILY(SG_FAMILY_PRCTL, c_prctl),
	FAMILY(SG_FAMILY_PROT, c_prot),
	FAMILY(SG_FAMILY_MAP, c_map),
	FAMILY(SG_FAMILY_MADV, c_madv),
	FAMILY(SG_FAMILY_MOUNT, c_mount),
	FAMILY(SG_FAMILY_UMOUNT, c_umount),
	FAMILY(SG_FAMILY_PTRACE, c_ptrace),
	FAMILY(SG_FAMILY_PERSONALITY, c_personality),
	FAMILY(SG_FAMILY_KEYCTL, c_keyctl),
	FAMILY(SG_FAMILY_BPF, c_bpf),
	FAMILY(SG_FAMILY_FCNTL, c_fcntl),
	FAMILY(SG_FAMILY_RLIMIT, c_rlimit),
	FAMILY(SG_FAMILY_ARCH_PRCTL, c_arch_prctl),
	FAMILY(SG_FAMILY_MFD, c_mfd),
	FAMILY(SG_FAMILY_PRIO, c_prio),
	FAMILY(SG_FAMILY_IDTYPE, c_idtype),
	FAMILY(SG_FAMILY_MSG, c_msg),
	FAMILY(SG_FAMILY_MODE, c_mode),
	FAMILY(SG_FAMILY_CLOCK, c_clock),
	FAMILY(SG_FAMILY_SECCOMP, c_seccomp),
};

const struct sg_const *sg_consts(enum sg_family family, size_t *n)
{
	*n = family < SG_FAMILY_COUNT ? families[family].n : 0;
	return *n ? families[family].table : NULL;
}

static const struct sg_const *find_in(enum sg_family family, const char *name)
{
	size_t i;

	for (i = 0; i < families[family].n; i++)
		if (!strcmp(families[family].table[i].name, name))
			return &families[family].table[i];
	return NULL;
}

const struct sg_const *sg_const_find(enum sg_family family, const char *name)
{
	const struct sg_const *c = family < SG_FAMILY_COUNT ? find_in(family, name) : NULL;
	unsigned f;

	for (f = 0; !c && f < SG_FAMILY_COUNT; f++)
		c = find_in((enum sg_family)f, name);
	return c;
}

/* Appends to buf what fits. */
static void append(char *buf, size_t size, const char *sep, const char *word)
{
	size_t n = strlen(buf);

	if (n < size)
		snprintf(buf + n, size - n, "%s%s", n ? sep : "", word);
}

void sg_const_format(enum sg_family family, uint64_t value, unsigned width, char *buf, size_t size)
{
	uint64_t rest = value & sg_width_mask(width);
	const uint64_t whole = rest;
	char num[32];
	size_t i;

	if (!size)
		return;
	buf[0] = '\0';
	if (family == SG_FAMILY_INT) {
		snprintf(buf, size, "%lld", width == 32 ? (long long)(int32_t)value : (long long)value);
		return;
	}
	if (family == SG_FAMILY_OCTAL) {
		snprintf(buf, size, "%s%llo", rest ? "0" : "", (unsigned long long)rest);
		return;
	}
	for (i = 0; family < SG_FAMILY_COUNT && i < families[family].n; i++) {
		const struct sg_const *c = &families[family].table[i];

		if (!c->mask)
			continue;
		/* A whole-value constant must not be read into the remains of another one. */
		if (c->mask == ALL32 || c->mask == ~0ULL) {
			if (whole != c->value || rest != whole || buf[0])
				continue;
			append(buf, size, "|", c->name);
			return;
		}
		if ((rest & c->mask) != c->value)
			continue;
		if (!c->value && (whole & c->mask))
			continue; /* the field is not zero, another constant has taken it */
		append(buf, size, "|", c->name);
		rest &= ~c->mask;
	}
	if (family == SG_FAMILY_CLONE && (rest & 0xff)) {
		char sig[32];

		sg_const_format(SG_FAMILY_SIGNAL, rest & 0xff, 32, sig, sizeof(sig));
		append(buf, size, "|", sig);
		rest &= ~0xffULL;
	}
	if (rest || !buf[0]) {
		snprintf(num, sizeof(num), rest > 9 ? "0x%llx" : "%llu", (unsigned long long)rest);
		append(buf, size, "|", num);
	}
}
