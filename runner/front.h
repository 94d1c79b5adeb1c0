/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_FRONT_H
#define SG_FRONT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/*
 * A launch that sgd has seen before. Most of what an sgrun costs is to become a process with a libc, to read a policy
 * and to open what that names; none of it is needed where the same words were said in the same place a moment ago and
 * all names still lead to the same objects. So before anything else sgrun tells sgd its words (the key), sgd answers
 * with what is to be looked at (the note, written by sg_again_note()), and if nothing has changed the launch is the
 * one that sgd kept. What is seen to be otherwise than usual is left to the rest of the program, at any time.
 *
 * This runs before libc is there, in the first pages of the program: no function of libc may be called, nothing that
 * needs a relocation be read.
 */

/* What became of it, for the rest of the program. */
struct sg_front {
	bool asked;  /* fd is a connection to sgd on which nothing was launched */
	bool wanted; /* sgd would keep what is prepared for it */
	bool runs;   /* fd is a connection on which a sandbox runs, with signals held back and read from signals */
	int fd, signals;
	int stream;   /* with runs: the file of records, as it was opened; -1: none was */
	char *packet; /* with runs: the message of sgd that came last; size bytes, 0: none. Its text has a line feed
		       * behind it; done bytes of that are written */
	size_t size, done;
};
extern struct sg_front sg_front __attribute__((visibility("hidden")));

/*
 * file: what was executed (AT_EXECFN). Returns where the launch is not known, or cannot be ended here; else the
 * process exits with the program's status.
 */
void sg_front_try(int argc, char **argv, char **env, const char *file);

/* ---- the note ---- */

#define SG_NOTE_MAGIC 0x31454e53U /* its form. Which sgrun wrote it is told by the file that was executed */

struct sg_note {
	uint32_t magic;
	uint32_t n_fds;   /* numbers of descriptors behind 0, 1 and 2 */
	uint32_t n_names; /* of struct sg_note_name behind the numbers, each padded to 8 bytes */
	uint32_t chdir;   /* which of the names is the working directory */
};

struct sg_note_name {
	uint64_t dev, ino;
	int64_t ctime_s;
	uint32_t ctime_ns;
	uint16_t exact;  /* the ctime counts: its contents matter */
	uint16_t error;  /* errno: it is not there. dev … are 0 */
	uint32_t size;   /* of the path, with its end */
	uint32_t covers; /* a directory: as long as it is unchanged, so are as many of the names that follow */
	char path[];
};

#endif
