/* SPDX-License-Identifier: Apache-2.0 */
#include "daemon/again.h"

#include "daemon/closer.h"
#include "daemon/sgd.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define KNOWN_MAX 128
#define KNOWN_PER_USER 32
#define ASKED_PER_USER 16      /* connections that hold a key, or a note with descriptors */
#define ROUNDS_MAX 64          /* a ruleset that each program adds to */
#define FRESH_NS 20000000ULL   /* for so long what was seen of who asked holds; sgrun takes a hundredth */
#define IDLE_NS 60000000000ULL /* inodes of files that are gone stay on the disk as long */

struct sgd_known {
	struct sgd_known *next;
	uint64_t serial;
	uint64_t used;  /* CLOCK_MONOTONIC */
	unsigned users; /* sandboxes that run by it */
	unsigned left;  /* launches that may still be made by it */
	bool alone;     /* one at a time; for more at a time there are more of the same words */
	bool offered;   /* to a connection, which has not answered yet */
	bool stale;     /* is not to be found any more */
	uid_t uid;
	gid_t gid;
	uint64_t hash;
	size_t key_size, note_size, packet_size;
	char *key, *note, *packet; /* in one allocation behind this */
	int policy, ruleset;       /* -1: none */
	int n_held;
	int held[SG_PROTO_HELD_MAX];
};

struct sgd_asked {
	uint64_t hash;
	uint64_t known; /* serial; 0: it was not */
	uint64_t mounted;
	size_t key_size, note_size;
	char *note; /* owned; NULL: nothing to keep was said */
	int n_held;
	int held[SG_PROTO_HELD_MAX];
	uint64_t inherited; /* CLOCK_MONOTONIC, when the next was looked at; 0: it is not there */
	struct sgd_heritage have;
	char key[];
};

static uint64_t hash_of(uid_t uid, const char *key, size_t size)
{
	uint64_t h = 0xcbf29ce484222325ULL ^ uid;

	for (size_t i = 0; i < size; i++)
		h = (h ^ (unsigned char)key[i]) * 0x100000001b3ULL;
	return h ? h : 1;
}

/* ---- what is known ---- */

static void unlist(struct sgd_again *a, struct sgd_known *k)
{
	struct sgd_known **at = &a->list;

	while (*at != k)
		at = &(*at)->next;
	*at = k->next;
	a->n--;
	for (int i = 0; i < k->n_held; i++)
		sgd_let_go(k->uid, k->held[i]);
	sg_closep(&k->policy);
	sg_closep(&k->ruleset);
	free(k);
}

/* What sandboxes run by stays in the list, and counts, until they have ended. */
static void drop(struct sgd_again *a, struct sgd_known *k)
{
	if (k->users)
		k->stale = true;
	else
		unlist(a, k);
}

void sgd_again_spoil(struct sgd_known *k)
{
	k->stale = true;
}

void sgd_again_put(struct sgd *d, struct sgd_known *k)
{
	if (k && --k->users == 0 && k->stale)
		unlist(&d->again, k);
}

static struct sgd_known *by_serial(const struct sgd_again *a, uint64_t serial)
{
	struct sgd_known *k = a->list;

	while (k && (k->stale || k->serial != serial))
		k = k->next;
	return k;
}

/* One that can be launched now, to the front of the list. */
static struct sgd_known *find(struct sgd_again *a, const struct sgd_conn *c, const struct sgd_asked *q)
{
	struct sgd_known **at = &a->list, *k;

	for (; (k = *at); at = &k->next) {
		if (k->stale || (k->alone && (k->users || k->offered)) || k->uid != c->peer.uid ||
		    k->gid != c->peer.gid || k->hash != q->hash || k->key_size != q->key_size ||
		    memcmp(k->key, q->key, q->key_size) != 0)
			continue;
		*at = k->next;
		k->next = a->list;
		a->list = k;
		return k;
	}
	return NULL;
}

/* For one more of this user: in the place of the one that was not used for longest. False: all are in use. */
static bool make_room(struct sgd_again *a, uid_t uid)
{
	struct sgd_known *last = NULL, *own = NULL;
	unsigned n = 0;

	for (struct sgd_known *k = a->list; k; k = k->next) {
		n += k->uid == uid;
		if (k->users)
			continue;
		last = k;
		own = k->uid == uid ? k : own;
	}
	if (n < KNOWN_PER_USER && a->n < KNOWN_MAX)
		return true;
	last = n ? own : last;
	if (last)
		unlist(a, last);
	return last;
}

void sgd_again_time(struct sgd *d, uint64_t now)
{
	struct sgd_known *next;

	for (struct sgd_known *k = d->again.list; k; k = next) {
		next = k->next;
		if (!k->users && now >= k->used + IDLE_NS)
			unlist(&d->again, k);
		else if (!k->stale)
			sgd_deadline(d, k->users ? now + IDLE_NS : k->used + IDLE_NS);
	}
}

void sgd_again_drop(struct sgd *d)
{
	struct sgd_known *next;

	for (struct sgd_known *k = d->again.list; k; k = next) {
		next = k->next;
		drop(&d->again, k);
	}
}

/*
 * A file system that is mounted anew has its old numbers again, and none of the inodes that rulesets hold: they are let
 * go when it is unmounted, and nothing can tell that from outside. Launches are kept for who has our mounts alone.
 */
static void look_at_mounts(struct sgd *d)
{
	struct sgd_again *a = &d->again;
	struct pollfd p = {.events = POLLPRI};

	if (!a->mounts) {
		a->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
		sgd_high(&a->mounts);
	}
	p.fd = a->mounts;
	if (p.fd >= 0 && poll(&p, 1, 0) == 0)
		return;
	a->mounted++;
	sgd_again_drop(d);
}

/* ---- what a connection asks for ---- */

void sgd_again_forget(struct sgd_conn *c)
{
	struct sgd_asked *q = c->asked;
	struct sgd_known *k;

	if (!q)
		return;
	c->asked = NULL;
	c->user->asked--;
	k = q->known ? by_serial(&c->d->again, q->known) : NULL;
	if (k)
		k->offered = false;
	for (int i = 0; i < q->n_held; i++)
		sgd_let_go(c->peer.uid, q->held[i]);
	free(q->have.groups);
	free(q->note);
	free(q);
}

bool sgd_again_inherit(struct sgd_conn *c, struct sgd_heritage *have)
{
	struct sgd_asked *q = c->asked;

	/* Meanwhile its limits may be others. */
	if (!q || !q->inherited || sg_clock_ns(CLOCK_MONOTONIC) > q->inherited + FRESH_NS)
		return false;
	*have = q->have;
	q->have.groups = NULL;
	q->inherited = 0;
	return true;
}

/* Whether the words were asked for before, as far as is remembered. */
static bool seen(struct sgd_again *a, uint64_t hash)
{
	uint64_t *at = &a->sights[hash % SGD_SIGHTS];
	bool again = *at == hash;

	*at = hash;
	return again;
}

static void answer(struct sgd_conn *c, uint32_t wanted)
{
	(void)sgd_send_text(c, SG_WIRE_UNKNOWN, wanted, "", 0, true);
}

void sgd_again_ask(struct sgd_conn *c, const void *packet, size_t size)
{
	const struct sg_wire_text *m = packet;
	struct sgd_again *a = &c->d->again;
	struct sg_err unused = {0};
	struct sgd_asked *q;
	struct sgd_known *k;

	if (size <= sizeof(*m) || size - sizeof(*m) > SG_PROTO_KEY_MAX || c->asked || c->box) {
		sgd_refuse(c, EPROTO, "a question for a launch that is too long, or comes twice");
		return;
	}
	q = c->user->asked < ASKED_PER_USER ? calloc(1, sizeof(*q) + size - sizeof(*m)) : NULL;
	if (!q) {
		answer(c, 0);
		return;
	}
	look_at_mounts(c->d);
	q->mounted = a->mounted;
	q->key_size = size - sizeof(*m);
	memcpy(q->key, m + 1, q->key_size);
	q->hash = hash_of(c->peer.uid, q->key, q->key_size);
	c->asked = q;
	c->user->asked++;
	k = find(a, c, q);
	if (k) {
		q->known = k->serial;
		k->offered = true;
		/* While it looks at the names we look at it. */
		if (sgd_send_text(c, SG_WIRE_KNOWN, 0, k->note, k->note_size, true))
			q->inherited = sgd_peer_look(&c->peer, c->src.fd, &q->have, &unused) == 0
					       ? sg_clock_ns(CLOCK_MONOTONIC)
					       : 0;
		return;
	}
	if (seen(a, q->hash)) {
		answer(c, 1);
		return;
	}
	sgd_again_forget(c);
	answer(c, 0);
}

void sgd_again_remember(struct sgd_conn *c, const void *packet, size_t size, int *fds, int n_fds)
{
	const struct sg_wire_text *m = packet;
	struct sgd_asked *q = c->asked;

	if (!q || q->note || c->box || size <= sizeof(*m) || size - sizeof(*m) > SG_PROTO_NOTE_MAX ||
	    n_fds > SG_PROTO_HELD_MAX) {
		sgd_refuse(c, EPROTO, "what is to be kept of a launch is too long, or was not asked for");
		return;
	}
	q->note = malloc(size - sizeof(*m));
	if (!q->note)
		return;
	q->note_size = size - sizeof(*m);
	memcpy(q->note, m + 1, q->note_size);
	for (; q->n_held < n_fds; q->n_held++) {
		q->held[q->n_held] = SG_TAKE_FD(fds[q->n_held]);
		sgd_high(&q->held[q->n_held]);
	}
}

static int copy_fd(int fd)
{
	return fd < 0 ? -1 : fcntl(fd, F_DUPFD_CLOEXEC, 3);
}

struct sgd_known *sgd_again_keep(struct sgd_conn *c, const void *packet, size_t size, size_t label_size, int policy,
				 int ruleset)
{
	const uint32_t never = SG_WIRE_DETACH | SG_WIRE_KEEP | SG_WIRE_STRINGS_FD | SG_WIRE_OBJECTS_FD;
	struct sgd_again *a = &c->d->again;
	struct sgd_asked *q = c->asked;
	struct sg_wire_launch *w;
	struct sgd_known *k;

	if (!q || !q->note || (((const struct sg_wire_launch *)packet)->flags & never))
		return NULL;
	look_at_mounts(c->d);
	if (q->mounted != a->mounted)
		return NULL;
	/* What was offered, and is not what is wanted any more; else one that came meanwhile and does for all. */
	k = q->known ? by_serial(a, q->known) : find(a, c, q);
	if (k && (q->known || !k->alone))
		drop(a, k);
	if (!make_room(a, c->peer.uid))
		return NULL;
	size -= label_size;
	k = calloc(1, sizeof(*k) + size + q->key_size + q->note_size);
	if (!k)
		return NULL;
	*k = (struct sgd_known){.serial = ++a->serial,
				.used = sg_clock_ns(CLOCK_MONOTONIC),
				.users = 1,
				.left = ROUNDS_MAX,
				.uid = c->peer.uid,
				.gid = c->peer.gid,
				.hash = q->hash,
				.key_size = q->key_size,
				.note_size = q->note_size,
				.packet_size = size,
				.packet = (char *)(k + 1),
				.policy = copy_fd(policy),
				.ruleset = copy_fd(ruleset)};
	k->key = k->packet + size;
	k->note = k->key + q->key_size;
	memcpy(k->packet, packet, size);
	memcpy(k->key, q->key, q->key_size);
	memcpy(k->note, q->note, q->note_size);
	w = (struct sg_wire_launch *)(void *)k->packet;
	w->flags &= ~SG_WIRE_LABEL;
	/* The program adds itself to the ruleset, and whoever gets that while it runs would see it, too. */
	k->alone = w->own_proc;
	k->n_held = q->n_held;
	memcpy(k->held, q->held, sizeof(k->held));
	q->n_held = 0;
	k->next = a->list;
	a->list = k;
	a->n++;
	if ((policy >= 0 && k->policy < 0) || (ruleset >= 0 && k->ruleset < 0)) {
		unlist(a, k);
		return NULL;
	}
	sgd_high(&k->policy);
	sgd_high(&k->ruleset);
	sgd_deadline(c->d, k->used + IDLE_NS);
	return k;
}

/* ---- once more ---- */

static void launch(struct sgd_conn *c, struct sgd_known *k, const struct sg_wire_go *m, size_t label_size, int *fds,
		   int n_fds)
{
	static char packet[SG_PROTO_PACKET_MAX] __attribute__((aligned(8))); /* one thread */
	struct sg_wire_launch *w = (struct sg_wire_launch *)(void *)packet;
	int all[SG_PROTO_FDS_MAX], n = 0;

	memcpy(packet, k->packet, k->packet_size);
	memcpy(packet + k->packet_size, m + 1, label_size);
	w->mask = m->mask;
	w->flags |= label_size ? SG_WIRE_LABEL : 0;
	w->hdr.size = (uint32_t)(k->packet_size + label_size);
	for (; n < n_fds; n++)
		all[n] = SG_TAKE_FD(fds[n]);
	if (k->policy >= 0)
		all[n++] = copy_fd(k->policy);
	if (k->ruleset >= 0)
		all[n++] = copy_fd(k->ruleset);
	k->users++;
	sgd_launch(c, packet, k->packet_size + label_size, all, n, true);
	if (c->box) {
		c->box->known = k;
		if (c->box->job)
			c->box->job->n_copies = n - n_fds;
		c->d->count.repeated++;
	} else {
		sgd_again_put(c->d, k);
	}
	for (int i = 0; i < n; i++)
		if (all[i] >= 0)
			sgd_let_go(c->peer.uid, all[i]);
}

void sgd_again_go(struct sgd_conn *c, const void *packet, size_t size, int *fds, int n_fds)
{
	const struct sg_wire_go *m = packet;
	struct sgd_asked *q = c->asked;
	const struct sg_wire_launch *w;
	struct sgd_known *k;

	if (size < sizeof(*m) || size - sizeof(*m) > SG_LABEL_MAX || !q || !q->known || c->box) {
		sgd_refuse(c, EPROTO, "no launch was asked for that is known");
		return;
	}
	look_at_mounts(c->d);
	k = by_serial(&c->d->again, q->known);
	/* Between the answer and this it may have made way for another. */
	if (!k) {
		static const char gone[] = "that launch is not known any more";

		(void)sgd_send_text(c, SG_WIRE_FAILED, 0, gone, sizeof(gone) - 1, true);
		sgd_conn_finish(c);
		return;
	}
	w = (const struct sg_wire_launch *)(const void *)k->packet;
	if (n_fds != 1 + (int)w->n_fds || n_fds + 2 > SG_PROTO_FDS_MAX ||
	    k->packet_size + size - sizeof(*m) > SG_PROTO_PACKET_MAX) {
		sgd_refuse(c, EPROTO, "as many descriptors as the launch has, and its label, must fit into a message");
		return;
	}
	k->used = sg_clock_ns(CLOCK_MONOTONIC);
	k->stale = k->alone && !--k->left;
	/* It is kept already. */
	free(q->note);
	q->note = NULL;
	launch(c, k, m, size - sizeof(*m), fds, n_fds);
	sgd_again_forget(c);
}
