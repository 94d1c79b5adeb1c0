// SPDX-License-Identifier: Apache-2.0
/*
 * The only writer of the LSM programs' rules. What a place is to the kernel, the kernel is made to tell: the supervisor
 * sends itself the descriptors, and the program on file_receive notes each one's inode as it arrives.
 */
#include "supervisor/bpf_priv.h"
#include "supervisor/places.h"
#include "supervisor/util.h"
#include "bpf/sg_lsm.skel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define BATCH 200      /* descriptors in one message, of SG_SCM_FDS_MAX at most */
#define SCM_OF_PIDFD 4 /* SCM_PIDFD, 6.5 */

union control {
	char buf[CMSG_SPACE(sizeof(int) * BATCH)];
	struct cmsghdr align;
};

static int batch_send(int sock, const int *fds, size_t n)
{
	union control c = {};
	char byte = 0;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = CMSG_SPACE(sizeof(int) * n)};
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int) * n);
	memcpy(CMSG_DATA(h), fds, sizeof(int) * n);
	return sendmsg(sock, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

/* Somebody else's descriptors: kept open by a socket, and how those are closed that are not kept. */
struct foreign {
	int keep;
	uid_t of;
	sg_bpf_let_go let_go;
};

/* Those that are O_PATH know neither flush nor release: their closing waits for nobody. */
static bool all_paths(const int *fds, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!(fcntl(fds[i], F_GETFL) & O_PATH))
			return false;
	return true;
}

/*
 * How many arrived; foreign ones are passed on, and closed again. The other end may be anybody's, who may ask the
 * kernel for more than descriptors in a message: nothing of it may stay behind.
 */
static int batch_receive(int sock, const struct foreign *f)
{
	union {
		char buf[CMSG_SPACE(sizeof(int) * SG_SCM_FDS_MAX) + 256];
		struct cmsghdr align;
	} c = {};
	char byte;
	struct iovec iov = {.iov_base = &byte, .iov_len = 1};
	struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof(c.buf)};
	int fds[sizeof(c.buf) / sizeof(int)], rc;
	bool paths;
	size_t n = 0;

	errno = 0;
	if (recvmsg(sock, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != 1)
		return errno ? -errno : -EPROTO;
	for (struct cmsghdr *h = CMSG_FIRSTHDR(&msg); h; h = CMSG_NXTHDR(&msg, h)) {
		size_t count = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		int fd;

		if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_RIGHTS) {
			memcpy(fds + n, CMSG_DATA(h), count * sizeof(int));
			n += count;
		} else if (h->cmsg_level == SOL_SOCKET && h->cmsg_type == SCM_OF_PIDFD && count) {
			memcpy(&fd, CMSG_DATA(h), sizeof(fd));
			close(fd);
		}
	}
	/* Cut short is also what a refused one is: of our own that is an answer. */
	paths = !f || all_paths(fds, n);
	rc = (f && (msg.msg_flags & MSG_CTRUNC)) || n > BATCH || !paths ? -EPROTO : (int)n;
	if (rc > 0 && f) {
		int sent = batch_send(f->keep, fds, n);

		rc = sent ? sent : rc;
	}
	for (size_t i = 0; i < n; i++) {
		if (paths)
			close(fds[i]);
		else
			f->let_go(f->of, fds[i]);
	}
	return rc;
}

/* Takes one message, and has the program note what comes with it. */
static int receive_learning(struct sg_bpf *b, int sock, const struct foreign *f, uint32_t refuse)
{
	struct sg_lsm_bpf_skel *s = b->lsm->skel;
	int rc;

	s->bss->sg_n_learned = 0;
	s->bss->sg_learner_refuse = refuse;
	__atomic_store_n(&s->bss->sg_learner, s->bss->sg_caller, __ATOMIC_RELEASE);
	rc = batch_receive(sock, f);
	__atomic_store_n(&s->bss->sg_learner, 0, __ATOMIC_RELEASE);
	s->bss->sg_learner_refuse = 0;
	return rc;
}

/* Returns how many descriptors came through; what the program noted of each stands in the skeleton's bss. */
static int pass(struct sg_bpf *b, const int *fds, size_t n, uint32_t refuse, struct sg_err *err)
{
	int sock[2], rc;

	if (socketpair(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0, sock))
		return sg_err_set(err, errno, "cannot create a socket pair: %s", strerror(errno));
	rc = batch_send(sock[0], fds, n);
	if (!rc)
		rc = receive_learning(b, sock[1], NULL, refuse);
	close(sock[0]);
	close(sock[1]);
	return rc < 0 ? sg_err_set(err, -rc, "cannot pass descriptors to ourselves: %s", strerror(-rc)) : rc;
}

int sg_bpf_objects_prove(struct sg_bpf *b, struct sg_err *err)
{
	int fd = open("/", O_PATH | O_CLOEXEC), rc;

	if (fd < 0)
		return sg_err_set(err, errno, "cannot open the root directory: %s", strerror(errno));
	rc = pass(b, &fd, 1, 0, err);
	if (rc >= 0 && (rc != 1 || b->lsm->skel->bss->sg_n_learned != 1))
		rc = sg_err_set(
			err, ENOTSUP,
			"LSM programs load and attach here, but the kernel does not call them: bpf is not in its "
			"list of active LSMs");
	if (rc >= 0)
		rc = pass(b, &fd, 1, 1, err);
	if (rc > 0)
		rc = sg_err_set(err, ENOTSUP, "LSM programs are called here, but their refusal does not count");
	close(fd);
	return rc < 0 ? rc : 0;
}

/* What the kernel has behind each descriptor. */
static int learn(struct sg_bpf *b, const int *fds, size_t n, struct sg_learned *out, struct sg_err *err)
{
	const struct sg_lsm_bpf_skel *s = b->lsm->skel;

	while (n) {
		size_t now = n < BATCH ? n : BATCH;
		int rc = pass(b, fds, now, 0, err);

		if (rc < 0)
			return rc;
		if ((size_t)rc != now || s->bss->sg_n_learned != now)
			return sg_err_set(err, EIO, "the kernel told of %u of %zu descriptors", s->bss->sg_n_learned,
					  now);
		memcpy(out, s->bss->sg_learned, now * sizeof(*out));
		out += now;
		fds += now;
		n -= now;
	}
	return 0;
}

int sg_bpf_places_send(int sock, const struct sg_places *p)
{
	int fds[BATCH], rc = 0;

	for (size_t at = 0, n; !rc && at < p->n; at += n) {
		n = p->n - at < BATCH ? p->n - at : BATCH;
		for (size_t i = 0; i < n; i++)
			fds[i] = p->list[at + i].fd;
		rc = batch_send(sock, fds, n);
	}
	return rc;
}

int sg_bpf_places_receive(struct sg_bpf *b, int sock, size_t n, struct sg_learned *out, int *keep, uid_t of,
			  sg_bpf_let_go let_go, struct sg_err *err)
{
	const struct sg_lsm_bpf_skel *s = b->lsm->skel;
	struct foreign f = {.of = of, .let_go = let_go};
	int pair[2], rc = 0;
	size_t have = 0;

	/* What was sent and not received is open, and takes no place in our table of descriptors. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair))
		return sg_err_set(err, errno, "cannot create a socket pair: %s", strerror(errno));
	f.keep = pair[0];
	while (!rc && have < n) {
		int got = receive_learning(b, sock, &f, 0);

		if (got <= 0)
			rc = sg_err_set(err, got ? -got : EPROTO, "cannot receive the places of the rules: %s",
					got ? strerror(-got) : "a message without descriptors");
		else if ((size_t)got > n - have || s->bss->sg_n_learned != (uint32_t)got)
			rc = sg_err_set(err, EPROTO, "%d descriptors came where %zu were missing, and %u were learned",
					got, n - have, s->bss->sg_n_learned);
		if (rc)
			break;
		memcpy(out + have, s->bss->sg_learned, (size_t)got * sizeof(*out));
		have += (size_t)got;
	}
	close(pair[0]);
	if (rc)
		close(pair[1]);
	else
		*keep = pair[1];
	return rc;
}

static void set_forget(struct sg_bpf *b, struct sg_lsm_set *set)
{
	for (size_t i = 0; i < set->n; i++) {
		struct sg_tree_key key = {.set = set->set, .inode = set->inodes[i]};

		bpf_map__delete_elem(b->lsm->skel->maps.sg_trees, &key, sizeof(key), 0);
	}
	free(set->inodes);
	memset(set, 0, sizeof(*set));
}

void sg_bpf_objects_drop(struct sg_bpf *b, uint32_t index)
{
	set_forget(b, &b->lsm->sets[index]);
	memset(&b->lsm->rules[index], 0, sizeof(b->lsm->rules[index]));
}

/* Two places that are one object to the kernel (hard links, bind mounts): what one denies stays denied. */
static void rights_merge(struct sg_tree_rights *into, const struct sg_tree_rights *more)
{
	if (more->deny & ~into->deny)
		into->origin = more->origin;
	into->deny |= more->deny;
	into->allow = (into->allow | more->allow) & ~into->deny;
}

static int trees_write(struct sg_bpf *b, struct sg_lsm_set *set, struct sg_lsm *rules,
		       const struct sg_tree_rights *says, const struct sg_learned *learned, size_t n,
		       struct sg_err *err)
{
	const struct bpf_map *map = b->lsm->skel->maps.sg_trees;

	for (size_t i = 0; i < n; i++) {
		struct sg_tree_key key = {.set = set->set, .inode = learned[i].inode};
		struct sg_tree_rights rights = says[i], have;
		uint32_t bit = sg_filter_bit(learned[i].inode - learned[i].sb);

		if (bpf_map__lookup_elem(map, &key, sizeof(key), &have, sizeof(have), 0) == 0)
			rights_merge(&rights, &have);
		else
			set->inodes[set->n++] = key.inode;
		rules->filter[bit / 64] |= 1ULL << (bit % 64);
		if (bpf_map__update_elem(map, &key, sizeof(key), &rights, sizeof(rights), BPF_ANY))
			return sg_err_set(err, errno, "cannot hand a tree to the kernel: %s", strerror(errno));
	}
	return 0;
}

int sg_bpf_set_trees(struct sg_bpf *b, uint32_t index, const struct sg_objects *o, const struct sg_tree_rights *self,
		     const struct sg_tree_rights *says, const struct sg_learned *at, size_t n, struct sg_err *err)
{
	struct sg_lsm_set set = {};
	struct sg_lsm rules = {}, *live;
	int rc;

	if (!b->lsm)
		return sg_err_set(err, EINVAL, "the LSM programs are not loaded");
	if (o->size != sizeof(*o) || o->version != SG_OBJECTS_VERSION || o->n_net > SG_NET_MAX)
		return sg_err_set(err, EINVAL, "compiled object rules of another version (size %u, version %u)",
				  o->size, o->version);
	if (index >= b->max_sandboxes || !b->used[index])
		return sg_err_set(err, ENOENT, "no sandbox has the number %u", index);
	set.set = ++b->lsm->next_set;
	set.inodes = calloc(n + 1, sizeof(*set.inodes));
	if (!set.inodes)
		return sg_err_set(err, ENOMEM, "out of memory");
	rules.objects = *o;
	rules.set = set.set;
	rules.self = *self;
	rules.level = b->level[index];
	rules.generation = b->lsm->generation;
	for (uint32_t i = 0; i < SG_N_RIGHTS; i++)
		if (o->cls[i].mode != SG_MODE_ALLOW)
			rules.confined |= 1U << i;
	rules.unix_outside = o->cls[SG_CLASS_UNIX].mode == SG_MODE_ALLOW;
	for (size_t i = 0; i < n; i++)
		rules.unix_outside |= !!(says[i].allow & SG_RIGHT_CONNECT);
	rc = trees_write(b, &set, &rules, says, at, n, err);
	if (!rc) {
		live = &b->lsm->rules[index];
		rules.execs = __atomic_load_n(&live->execs, __ATOMIC_RELAXED);
		rules.starting = __atomic_load_n(&live->starting, __ATOMIC_RELAXED);
		*live = rules;
		set_forget(b, &b->lsm->sets[index]);
		b->lsm->sets[index] = set;
		set = (struct sg_lsm_set){};
		__atomic_or_fetch(&b->sandboxes[index].flags, SG_SANDBOX_LSM, __ATOMIC_RELEASE);
	}
	set_forget(b, &set);
	return rc;
}

int sg_bpf_set_objects(struct sg_bpf *b, uint32_t index, const struct sg_objects *o, const struct sg_places *p,
		       struct sg_err *err)
{
	struct sg_learned *learned = calloc(p->n + 1, sizeof(*learned));
	struct sg_tree_rights *says = calloc(p->n + 1, sizeof(*says));
	int *fds = calloc(p->n + 1, sizeof(*fds)), rc;

	if (!b->lsm) {
		rc = sg_err_set(err, EINVAL, "the LSM programs are not loaded");
	} else if (!learned || !says || !fds) {
		rc = sg_err_set(err, ENOMEM, "out of memory");
	} else {
		for (size_t i = 0; i < p->n; i++) {
			fds[i] = p->list[i].fd;
			says[i] = p->list[i].rights;
		}
		rc = learn(b, fds, p->n, learned, err);
		if (!rc)
			rc = sg_bpf_set_trees(b, index, o, &p->self, says, learned, p->n, err);
	}
	free(learned);
	free(says);
	free(fds);
	return rc;
}

int sg_bpf_protect(struct sg_bpf *b, uint32_t kind, uint64_t id, struct sg_err *err)
{
	struct sg_protected_key key = {.kind = kind, .id = id};
	uint32_t whose;

	if (!b->lsm)
		return sg_err_set(err, EINVAL, "the LSM programs are not loaded");
	whose = b->lsm->session;
	if (bpf_map__update_elem(b->lsm->skel->maps.sg_protected, &key, sizeof(key), &whose, sizeof(whose), BPF_ANY))
		return sg_err_set(err, errno, "cannot protect what is the supervisor's own: %s", strerror(errno));
	return 0;
}

int sg_bpf_protect_fd(struct sg_bpf *b, int fd, struct sg_err *err)
{
	struct sg_learned learned;
	int rc;

	if (!b->lsm)
		return sg_err_set(err, EINVAL, "the LSM programs are not loaded");
	rc = learn(b, &fd, 1, &learned, err);
	return rc ? rc : sg_bpf_protect(b, SG_PROTECTED_INODE, learned.inode, err);
}

void sg_bpf_protect_prune(struct sg_bpf *b)
{
	const struct bpf_map *map = b->lsm->skel->maps.sg_protected;
	struct sg_protected_key key, next, *prev = NULL;
	bool remove = false;
	uint32_t whose;

	while (bpf_map__get_next_key(map, prev, &next, sizeof(next)) == 0) {
		if (remove)
			bpf_map__delete_elem(map, &key, sizeof(key), 0);
		key = next;
		prev = &key;
		remove = bpf_map__lookup_elem(map, &key, sizeof(key), &whose, sizeof(whose), 0) == 0 &&
			 whose != b->lsm->session;
	}
	if (remove)
		bpf_map__delete_elem(map, &key, sizeof(key), 0);
}

static struct sg_lsm_set *set_find(struct sg_bpf *b, uint32_t number)
{
	for (uint32_t i = 0; i < b->max_sandboxes; i++)
		if (b->lsm->sets[i].set == number)
			return &b->lsm->sets[i];
	return NULL;
}

int sg_bpf_objects_adopt(struct sg_bpf *b, struct sg_err *err)
{
	const struct bpf_map *map = b->lsm->skel->maps.sg_trees;
	struct sg_tree_key key, next, *prev = NULL;
	bool remove = false;
	int rc = 0;

	for (uint32_t i = 0; i < b->max_sandboxes; i++) {
		if (b->lsm->rules[i].set > b->lsm->next_set)
			b->lsm->next_set = b->lsm->rules[i].set;
		if (b->used[i])
			b->lsm->sets[i].set = b->lsm->rules[i].set;
		else
			memset(&b->lsm->rules[i], 0, sizeof(b->lsm->rules[i]));
	}
	while (!rc && bpf_map__get_next_key(map, prev, &next, sizeof(next)) == 0) {
		struct sg_lsm_set *set = next.set ? set_find(b, next.set) : NULL;
		uint64_t *more;

		if (remove)
			bpf_map__delete_elem(map, &key, sizeof(key), 0);
		key = next;
		prev = &key;
		remove = !set;
		if (key.set > b->lsm->next_set)
			b->lsm->next_set = key.set; /* of a sandbox that never came to be */
		if (!set)
			continue;
		more = realloc(set->inodes, (set->n + 1) * sizeof(*set->inodes));
		if (!more) {
			rc = sg_err_set(err, ENOMEM, "out of memory");
			break;
		}
		set->inodes = more;
		set->inodes[set->n++] = key.inode;
	}
	if (remove)
		bpf_map__delete_elem(map, &key, sizeof(key), 0);
	return rc;
}
