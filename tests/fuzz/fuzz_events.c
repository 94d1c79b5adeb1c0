// SPDX-License-Identifier: Apache-2.0
/*
 * Records of any bytes, as if the ring buffer had held them. What passes the check becomes a line of the verdict
 * stream, which must be one JSON object. The first byte says whether the header is made to fit, so that more gets past
 * it.
 */
#include "supervisor/bpf_priv.h"

#include "supervisor/human.h"
#include "supervisor/judge.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SANDBOXES 4
#define LINES_MAX (1U << 20)

static struct sg_session session;
static struct sg_members members;
static int lines = -1;

static void must(bool ok)
{
	if (!ok)
		abort();
}

static void begin(void)
{
	struct sg_err err = {0};
	char target[32];

	lines = memfd_create("lines", MFD_CLOEXEC);
	must(lines >= 0);
	snprintf(target, sizeof(target), "fd:%d", lines);
	must(sg_session_open(&session, "fuzz", target, &err) == 0);
	session.language = "python";
	must(sg_session_policy(&session, &err) != NULL);
	members.supervisor = getpid();
}

/* What an input left behind, so that the next one finds the session new. */
static void reset(void)
{
	json_decref(session.killing);
	session.killing = NULL;
	session.n_kill = session.n_errno = session.n_audit = session.n_limit = 0;
	json_array_clear(session.reasons);
	must(lseek(lines, 0, SEEK_SET) == 0 && ftruncate(lines, 0) == 0);
}

static void check_lines(void)
{
	static char buf[LINES_MAX];
	char *line, *save = NULL;
	ssize_t n;

	sg_stream_pump(&session.stream);
	n = pread(lines, buf, sizeof(buf) - 1, 0);
	must(n >= 0);
	buf[n] = '\0';
	for (line = strtok_r(buf, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		json_error_t why;
		json_t *o = json_loads(line, JSON_REJECT_DUPLICATES, &why);
		char *words;

		must(json_is_object(o) && json_is_string(json_object_get(o, "type")) &&
		     json_is_integer(json_object_get(o, "timestamp")));
		words = sg_human_line(o);
		must(words && !strchr(words, '\n'));
		free(words);
		json_decref(o);
	}
}

/* The header as it must be for a record of this size. */
static size_t fit(unsigned char *rec, size_t size, uint8_t how)
{
	struct sg_event_hdr *h = (struct sg_event_hdr *)rec;
	size_t wanted = how & 1 ? sizeof(struct sg_event_syscall) : sizeof(struct sg_event_proc);

	if (size < wanted)
		return size;
	h->size = (__u16)wanted;
	h->version = SG_ABI_VERSION;
	h->type = how & 1 ? SG_EVENT_SYSCALL : how & 2 ? SG_EVENT_EXEC : SG_EVENT_EXIT;
	h->sandbox %= SANDBOXES;
	h->comm[SG_COMM_LEN - 1] = '\0';
	return wanted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct sg_judge judge = {.session = &session, .members = &members, .forks.timer = -1};
	struct sg_sandbox state = {.killed = 2};
	unsigned char *rec;
	size_t n;

	if (lines < 0)
		begin();
	if (!size)
		return 0;
	n = size - 1;
	rec = malloc(n ? n : 1);
	must(rec != NULL);
	memcpy(rec, data + 1, n);
	if (data[0] & 0x80) {
		unsigned char *cut;

		n = fit(rec, n, data[0]);
		cut = malloc(n ? n : 1);
		must(cut != NULL);
		memcpy(cut, rec, n);
		free(rec);
		rec = cut;
	}
	if (sg_bpf_event_check(rec, n, SANDBOXES) == 0) {
		const struct sg_event_hdr *h = (const struct sg_event_hdr *)rec;

		must(h->size == n && n >= sizeof(*h) && h->sandbox < SANDBOXES);
		(void)sg_judge_event(&judge, h, n);
	}
	/* The record beside the ring buffer is taken as it is. */
	if (n >= sizeof(state.first_kill)) {
		memcpy(&state.first_kill, rec, sizeof(state.first_kill));
		sg_judge_first_kill(&judge, &state);
	}
	free(rec);
	check_lines();
	reset();
	return 0;
}
