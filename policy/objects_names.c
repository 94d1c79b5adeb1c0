// SPDX-License-Identifier: Apache-2.0
#include "policy/access.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "policy/in_place.h"

int sg_why_not(char *why, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(why, SG_WHY_SIZE, fmt, ap);
	va_end(ap);
	return -EINVAL;
}

const char *sg_class_name(unsigned cls)
{
	static const char names[][12] = {"read",      "write",      "create", "delete", "exec",   "map",
					 "unix",      "net",        "trace",  "signal", "limits", "mount",
					 "namespace", "capability", "setid",  "bpf",    "perf",   "keys",
					 "kernel",    "ipc",        "uring",  "wx",     "fdpass", "supervisor"};

	_Static_assert(sizeof(names) / sizeof(names[0]) == SG_CLASS_N, "one name for each class");
	return cls < SG_CLASS_N ? names[cls] : NULL;
}

const char *sg_right_name(uint32_t right)
{
	return right == SG_RIGHT_CONNECT ? "connect"
	       : right & SG_RIGHTS       ? sg_class_name((unsigned)__builtin_ctz(right))
					 : NULL;
}

const char *sg_rights_text(uint32_t rights, char *buf, size_t size)
{
	size_t n = 0;

	buf[0] = '\0';
	for (unsigned i = 0; i < SG_N_RIGHTS && n < size; i++)
		if (rights & (1U << i))
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? "," : "", sg_right_name(1U << i));
	return buf;
}

/* linux/capability.h, in order. */
static const char capabilities[][20] = {"CHOWN",
					"DAC_OVERRIDE",
					"DAC_READ_SEARCH",
					"FOWNER",
					"FSETID",
					"KILL",
					"SETGID",
					"SETUID",
					"SETPCAP",
					"LINUX_IMMUTABLE",
					"NET_BIND_SERVICE",
					"NET_BROADCAST",
					"NET_ADMIN",
					"NET_RAW",
					"IPC_LOCK",
					"IPC_OWNER",
					"SYS_MODULE",
					"SYS_RAWIO",
					"SYS_CHROOT",
					"SYS_PTRACE",
					"SYS_PACCT",
					"SYS_ADMIN",
					"SYS_BOOT",
					"SYS_NICE",
					"SYS_RESOURCE",
					"SYS_TIME",
					"SYS_TTY_CONFIG",
					"MKNOD",
					"LEASE",
					"AUDIT_WRITE",
					"AUDIT_CONTROL",
					"SETFCAP",
					"MAC_OVERRIDE",
					"MAC_ADMIN",
					"SYSLOG",
					"WAKE_ALARM",
					"BLOCK_SUSPEND",
					"AUDIT_READ",
					"PERFMON",
					"BPF",
					"CHECKPOINT_RESTORE"};
#define N_CAPABILITIES (sizeof(capabilities) / sizeof(capabilities[0]))

const char *sg_capability_name(unsigned number)
{
	return number < N_CAPABILITIES ? capabilities[number] : NULL;
}

int sg_capability_resolve(const char *name)
{
	if (!strncmp(name, "CAP_", 4))
		name += 4;
	for (size_t i = 0; i < N_CAPABILITIES; i++)
		if (!strcmp(capabilities[i], name))
			return (int)i;
	return -1;
}

static const struct {
	char name[12];
	unsigned number;
} families[] = {{"unix", AF_UNIX},
		{"inet", AF_INET},
		{"ax25", AF_AX25},
		{"ipx", AF_IPX},
		{"appletalk", AF_APPLETALK},
		{"netrom", AF_NETROM},
		{"atmpvc", AF_ATMPVC},
		{"x25", AF_X25},
		{"inet6", AF_INET6},
		{"rose", AF_ROSE},
		{"key", AF_KEY},
		{"netlink", AF_NETLINK},
		{"packet", AF_PACKET},
		{"rds", AF_RDS},
		{"pppox", AF_PPPOX},
		{"llc", AF_LLC},
		{"can", AF_CAN},
		{"tipc", AF_TIPC},
		{"bluetooth", AF_BLUETOOTH},
		{"rxrpc", AF_RXRPC},
		{"phonet", AF_PHONET},
		{"caif", AF_CAIF},
		{"alg", AF_ALG},
		{"nfc", AF_NFC},
		{"vsock", AF_VSOCK},
		{"kcm", AF_KCM},
		{"qipcrtr", AF_QIPCRTR},
		{"smc", AF_SMC},
		{"xdp", AF_XDP},
		{"ieee802154", AF_IEEE802154}};

const char *sg_family_at(size_t index, unsigned *number)
{
	if (index >= sizeof(families) / sizeof(families[0]))
		return NULL;
	*number = families[index].number;
	return families[index].name;
}

const char *sg_family_name(unsigned family)
{
	const char *name;
	unsigned number;

	for (size_t i = 0; (name = sg_family_at(i, &number)); i++)
		if (number == family)
			return name;
	return NULL;
}
