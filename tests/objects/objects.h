/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_TESTS_OBJECTS_H
#define SG_TESTS_OBJECTS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

/*
 * Attacks on objects that a policy puts out of reach: files, addresses, other processes, the kernel. They run where
 * every system call is allowed, so that it is the object rules that must stop them. Whether one took effect is for the
 * driver to see from outside; all are harmless when they do. The layout below the base directory is the driver's:
 *
 *   cwd/      the working directory: the program's own, f in it
 *   tmp/      its temporary directory
 *   bin/      programs that may be executed
 *   outside/  what it must not touch: secret, target, dir/, tool (a copy of this program), sock, dgram
 *   home/     somebody else's, with a secret in it
 */
struct target {
	const char *base;
	const char *token; /* what the driver looks for; also in every secret */
	pid_t victim;      /* a process outside, of the same user */
	pid_t supervisor;  /* what to take for the sandbox's supervisor; 0: the parent */
	unsigned long addr;
	int fd; /* passed by the driver, -1: none */
	int tcp4, tcp6, udp4, udp6;
	int key, id; /* of System V objects of the driver's */
	const char *name;
	const char *cgroup; /* mount point of cgroup2 */
};
extern struct target target;

struct attack {
	const char *name;
	int (*run)(void); /* 0, or negative errno of what was refused */
};
extern const struct attack sg_objects_read[], sg_objects_write[], sg_objects_exec[], sg_objects_memory[],
	sg_objects_net[], sg_objects_route[], sg_objects_procs[], sg_objects_kernel[];

/* From a call's return value to an attack's. */
static inline int outcome(long ret)
{
	return ret < 0 ? -errno : 0;
}

/* A path below the base; valid until eight more are asked for. */
const char *at(const char *name);
/* The attack cannot be made here: says what failed, and ends. */
_Noreturn void give_up(const char *what);
/* Writes what the descriptor holds to standard output, and closes it. Takes an open's result, negative or not. */
int leak(int fd);
int leak_path(const char *path);
/* Puts a copy of this program, or a file of the given bytes, at path. */
void copy_self(const char *path);
int copy_self_to(int fd);
void make_file(const char *path, const void *bytes, size_t n);
/* Lets the driver look at this process before it goes on. */
void hold(void);
/* hold(), and 0: for what the driver sees by looking. */
int shown(void);
/* Writes a word that tells the driver of an effect that nobody else can see, where rc is 0. Returns rc. */
int seen(int rc, const char *what);
/* Runs code that returns SG_CODE_VALUE, and says what it returned. */
#define SG_CODE_VALUE 0x5ca1ab1e
extern const unsigned char sg_code[6];
int run_code(void *at);
/* The same as a child's business: a refusal that kills the child is told from one that does not by the driver. */
int in_child(int (*run)(void));
/*
 * A user namespace of its own, with what else flags say. Nobody is mapped: mapping uid 0 needs a capability, and all
 * capabilities over the new namespaces are there without.
 */
int enter_userns(int flags);

/* One io_uring operation, start to end. Negative errno. */
struct io_uring_sqe;
int uring_one(const struct io_uring_sqe *sqe, unsigned setup_flags);
/* Two of one ring, and something else between them. The result is the second one's. */
int uring_two(const struct io_uring_sqe *sqes, void (*between)(void));

#endif
