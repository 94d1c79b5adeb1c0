/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Linked to an honest C or C++ program, it makes that a hostile one: at the program's end it makes one call that the
 * program never made, harmless where it succeeds. -DATTACK=NAME chooses which.
 */
#include <linux/sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#define ATTACK_execve                                                                                                  \
	syscall(SYS_execve, "/bin/echo", (char *[]){(char *)"echo", (char *)"ATTACKED", NULL}, (char *[]){NULL})
#define ATTACK_socket syscall(SYS_socket, AF_UNIX, SOCK_DGRAM, 0)
#define ATTACK_ptrace syscall(SYS_ptrace, 0, 0, 0, 0)
#define ATTACK_personality syscall(SYS_personality, ADDR_NO_RANDOMIZE)
#define ATTACK_mmap syscall(SYS_mmap, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0)
#define CALL2(name) ATTACK_##name
#define CALL(name) CALL2(name)

__attribute__((destructor)) static void attack(void)
{
	if (CALL(ATTACK) != -1)
		(void)!write(1, "ATTACKED\n", 9);
}
