/* SPDX-License-Identifier: Apache-2.0 */
#ifndef SG_PLACES_H
#define SG_PLACES_H

#include "policy/policy.h"

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/*
 * The trees of a policy as this host has them: opened, so that what is meant is the object and not its name. Landlock
 * takes the descriptors as they are; for BPF LSM the kernel's own number of each inode is learned through them. They
 * stay open as long as the sandbox runs, so that no inode number is given to another file meanwhile; but see
 * sg_places_settle().
 */
struct sg_place {
	int fd;                       /* O_PATH | O_CLOEXEC; owned; -1: see sg_places_settle() */
	bool is_dir;                  /* else a file: nothing lies below it */
	dev_t dev;                    /* of its file system */
	const char *path;             /* absolute, variables filled in; owned by the list */
	struct sg_tree_rights rights; /* of all trees that lead to the same object, put together; a denial wins */
};

struct sg_places {
	struct sg_place *list;
	size_t n;
	/* What trees at or below /proc/self and /proc/thread-self say (also by links, as /dev/fd), put together: it is
	 * about each process of the sandbox itself, and its directory is not there yet, so there is nothing to open.
	 * All 0: no such tree. */
	struct sg_tree_rights self;
	void *owned; /* storage behind the paths */
};

/*
 * Another root directory than our own: a container's. Links are followed as its own processes would follow them, so
 * nothing that an image says leads out of it.
 */
struct sg_place_root {
	int fd;     /* the directory, or what will be the root once the runtime has made it so */
	int own;    /* the root of a process in whose mount namespace that is */
	int mounts; /* and its mountinfo, open for reading: the process may be gone by now */
};

/* What the variables stand for; NULL: trees that name it are left out. Absolute paths, as seen from the root. */
struct sg_place_vars {
	const char *cwd;     /* $CWD: where the program starts */
	const char *tmp;     /* $TMP: TMPDIR of the program's environment, else /tmp */
	const char *home;    /* $HOME */
	const char *program; /* $PROGRAM: the file that is executed, links followed */
	const char *runtime; /* $RUNTIME: the tree an interpreter outside /usr was installed in */
	bool no_mounts;      /* leave out what is mounted below a tree: Landlock's rules reach across mounts */
	const struct sg_place_root *root; /* NULL: our own */
};

/*
 * What stands for the first *len bytes of a tree's text: *value; "" for no bytes of an absolute path. Returns 1; 0 for
 * a variable that stands for nothing here; -EINVAL where there is neither.
 */
int sg_place_value(const struct sg_place_vars *vars, const char *text, const char **value, size_t *len);

/*
 * Opens every tree. A path that does not exist is left out (there is nothing to be reached by it; rules are about
 * objects, so one that is created later is not covered: it lies in the tree around it). Symbolic links are followed.
 * A whole file system mounted below a tree (not a bind mount of a part of one) is in it: its root is added as a place
 * of its own with the rights that hold there; so is each directory on the way to what is denied that could be renamed,
 * with SG_TREE_HOLDS (both not with no_mounts). $VAR/sub/path works for every variable. In another root a link that
 * makes a tree of all of it is left out, and one into /proc/self gives no more than reading. Errors: -EINVAL for a path
 * that is neither absolute nor begins with a known variable, -EMFILE …, -ENOMEM; -EACCES where a tree that a rule
 * *denies* cannot be opened (a denial is never dropped silently).
 */
int sg_places_open(struct sg_places *p, const struct sg_tree *trees, size_t n, const struct sg_place_vars *vars,
		   struct sg_err *err);
/* Whether fd lies on a file system where an inode that is held is the one that its name leads to, always. */
bool sg_places_keep_inodes(int fd);
/*
 * For places that a Landlock ruleset in force holds, too: closes those that it is enough for: on file systems that keep
 * inodes. (In procfs and others the kernel may make it anew.)
 */
void sg_places_settle(struct sg_places *p);
void sg_places_close(struct sg_places *p); /* zeroed is fine */

#endif
