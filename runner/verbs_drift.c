/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `sgrun policy drift`: do the built-in policies still fit the runtimes that are installed here? A runtime's update
 * may start using a call that a policy does not list, and the first to notice would be a user whose program is killed.
 */
#include "runner/self.h"
#include "runner/verbs_more.h"

#include "policy/json.h"
#include "policy/policy.h"
#include "supervisor/util.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "policy/in_place.h"

/* Where runtimes are looked for, besides those that --runtime names. */
static const char folders[][16] = {"/usr/local/bin", "/usr/bin", "/bin"};
static const struct {
	char language[12], program[12];
} runtimes[] = {
	{"python", "python3"}, {"python", "pypy3"},  {"javascript", "node"}, {"java", "java"},
	{"ruby", "ruby"},      {"perl", "perl"},     {"php", "php"},         {"lua", "lua5.4"},
	{"lua", "lua5.3"},     {"lua", "lua5.1"},    {"luajit", "luajit"},   {"compile", "gcc"},
	{"compile", "g++"},    {"compile", "clang"}, {"compile", "rustc"},   {"compile", "go"},
};

/* Small programs that end with "ok" as their last line. file: what the code is written to; "": it is given by flag. */
static const struct probe {
	char language[12], only[8], name[16], flag[4], file[12], code[280];
} probes[] = {
	{"python", "", "start", "-c", "", "print('ok')"},
	{"python", "", "threads", "-c", "",
	 "import threading as t\nx=[t.Thread(target=sum,args=(range(9999),)) for _ in range(4)]\n[i.start() for i in "
	 "x]\n"
	 "[i.join() for i in x]\nprint('ok')"},
	{"python", "", "asyncio", "-c", "",
	 "import asyncio\nasync def f():\n await asyncio.sleep(.01)\n await "
	 "asyncio.to_thread(sum,[1])\nasyncio.run(f())\n"
	 "print('ok')"},
	{"python", "", "processes", "-c", "",
	 "import multiprocessing as m\np=m.get_context('fork').Process(target=sum,args=([1],))\np.start()\np.join()\n"
	 "assert p.exitcode==0\nprint('ok')"},
	{"python", "", "files", "-c", "",
	 "import "
	 "tempfile,os,json,shutil\nd=tempfile.mkdtemp(dir='.')\nopen(d+'/a','w').write('x')\nos.rename(d+'/a',d+'/b')\n"
	 "assert os.listdir(d)==['b']\nshutil.rmtree(d)\nprint('ok')"},
	{"python", "", "imports", "-c", "",
	 "import hashlib,zlib,decimal,random,datetime,subprocess,selectors,ctypes,sqlite3\n"
	 "sqlite3.connect(':memory:').execute('select 1')\ntry:\n import readline\nexcept ImportError: "
	 "pass\nprint('ok')"},
	{"javascript", "", "start", "-e", "", "console.log('ok')"},
	{"javascript", "", "timers", "-e", "", "setTimeout(()=>setImmediate(()=>console.log('ok')),5)"},
	{"javascript", "", "worker_threads", "-e", "",
	 "new (require('worker_threads').Worker)('1',{eval:true}).on('exit',()=>console.log('ok'))"},
	{"javascript", "", "files", "-e", "",
	 "const f=require('fs');f.promises.writeFile('a.txt','x').then(()=>f.promises.rename('a.txt','b.txt'))"
	 ".then(()=>{f.readFileSync('b.txt');f.unlinkSync('b.txt');console.log('ok')})"},
	{"javascript", "", "zlib", "-e", "",
	 "const "
	 "z=require('zlib');z.gzip('x',(e,b)=>z.gunzip(b,()=>{require('crypto').randomBytes(8);console.log('ok')}))"},
	{"java", "", "start", "", "Probe.java",
	 "public class Probe { public static void main(String[] a) { System.out.println(\"ok\"); } }"},
	{"java", "", "threads", "", "Probe.java",
	 "import java.util.stream.*; public class Probe { public static void main(String[] a) throws Exception { "
	 "Thread t = "
	 "new Thread(() -> IntStream.range(0, 99999).parallel().sum()); t.start(); t.join(); System.gc(); "
	 "System.out.println(\"ok\"); } }"},
	{"ruby", "", "start", "-e", "", "puts 'ok'"},
	{"ruby", "", "threads", "-e", "", "4.times.map { Thread.new { sleep 0.01 } }.each(&:join); puts 'ok'"},
	{"ruby", "", "files", "-e", "",
	 "File.write('a.txt','x'); File.rename('a.txt','b.txt'); File.unlink('b.txt'); puts 'ok'"},
	{"perl", "", "start", "-e", "", "print \"ok\\n\""},
	{"perl", "", "files", "-e", "",
	 "use File::Temp; my $f=File::Temp->new(DIR=>'.'); print $f 'x'; close $f; opendir(my $d,'.'); readdir $d; "
	 "print "
	 "\"ok\\n\""},
	{"php", "", "start", "-r", "", "echo \"ok\\n\";"},
	{"php", "", "files", "-r", "",
	 "$f=tempnam('.','p');file_put_contents($f,'x');unlink($f);usleep(1000);echo date('Y')>0?\"ok\\n\":'';"},
	{"lua", "", "start", "-e", "", "print('ok')"},
	{"lua", "", "files", "-e", "",
	 "local f=io.open('a.txt','w') f:write('x') f:close() os.remove('a.txt') os.time() print('ok')"},
	{"luajit", "", "start", "-e", "", "local s=0 for i=1,1e6 do s=s+i end print('ok')"},
	{"compile", "gcc", "compile", "-o", "probe.c", "int main(void){return 0;}"},
	{"compile", "clang", "compile", "-o", "probe.c", "int main(void){return 0;}"},
	{"compile", "g++", "compile", "-o", "probe.cpp",
	 "#include <map>\nint main(){std::map<int,int> m;return m.size();}"},
	{"compile", "rustc", "compile", "-o", "probe.rs", "fn main() { std::thread::spawn(|| 1).join().unwrap(); }"},
	{"compile", "go", "compile", "", "probe.go", "package main\nfunc main() { go func() {}() }"},
};

struct state {
	const struct sg_drift *d;
	char dir[64];
	int holds, breaks, skipped, found;
};

static bool ends_with_ok(const struct sg_self_result *r)
{
	size_t n = strlen(r->out);

	return r->status == 0 && r->exit && n >= 3 && !strcmp(r->out + n - 3, "ok\n") &&
	       (n == 3 || r->out[n - 4] == '\n');
}

static bool is_compiler(const struct probe *p)
{
	return !strcmp(p->language, "compile");
}

static bool worked(const struct probe *p, const struct sg_self_result *r)
{
	return is_compiler(p) ? r->status == 0 && r->exit : ends_with_ok(r);
}

static int try_probe(const struct state *s, const struct probe *p, const char *runtime, const char *mode,
		     struct sg_self_result *r)
{
	const char *options[48], *argv[8];
	char env[64];
	struct sg_err err = {0};
	int n = 0, a = 0;

	options[n++] = "--lang";
	options[n++] = p->language;
	options[n++] = "--wall-time";
	options[n++] = "60s";
	options[n++] = "--chdir";
	options[n++] = s->dir;
	options[n++] = "--mode";
	options[n++] = mode;
	if (s->d->tier) {
		options[n++] = "--tier";
		options[n++] = s->d->tier;
	}
	snprintf(env, sizeof(env), "HOME=%s", s->dir);
	options[n++] = "--env";
	options[n++] = env;
	for (int i = 0; s->d->env[i]; i++) { /* at most 16 */
		options[n++] = "--env";
		options[n++] = s->d->env[i];
	}
	options[n] = NULL;
	argv[a++] = runtime;
	if (!strcmp(p->only, "go")) {
		argv[a++] = "build";
		argv[a++] = "-o";
		argv[a++] = "probe";
		argv[a++] = p->file;
	} else if (is_compiler(p)) {
		argv[a++] = "-o";
		argv[a++] = "probe";
		argv[a++] = p->file;
	} else if (*p->file) {
		argv[a++] = p->file;
	} else {
		argv[a++] = p->flag;
		argv[a++] = p->code;
	}
	argv[a] = NULL;
	return sg_self_run(options, argv, r, &err);
}

static int write_code(const struct state *s, const struct probe *p)
{
	char path[128];
	FILE *f;

	if (!*p->file)
		return 0;
	snprintf(path, sizeof(path), "%s/%s", s->dir, p->file);
	f = fopen(path, "we");
	if (!f)
		return -errno;
	fputs(p->code, f);
	return fclose(f) ? -errno : 0;
}

static const char *text(const json_t *o, const char *key)
{
	return json_string_value(json_object_get(o, key)) ?: "";
}

static bool is_object(const json_t *r)
{
	return !strcmp(text(r, "type"), "lsm_violation");
}

/* The call, or what it wanted of which object. */
static void add(json_t *calls, json_t *r)
{
	const json_t *object = json_object_get(r, "object");
	const char *what = text(object, "path");
	char name[PATH_MAX + 80];

	if (!*what)
		what = text(object, "address");
	if (is_object(r))
		snprintf(name, sizeof(name), "%s%s%s", text(r, "right"), *what ? " " : "", what);
	else
		snprintf(name, sizeof(name), "%s", text(r, "syscall"));
	sg_text_plain(name);
	if (!json_object_get(calls, name))
		json_object_set(calls, name, r);
}

/* What a rule about objects answers with an error runtimes mostly do without: it counts as refused. */
static void add_calls(json_t *calls, const struct sg_self_result *audit, bool refused)
{
	json_t *r;
	size_t i;

	json_array_foreach(audit->records, i, r)
	{
		bool errno_rule = is_object(r) || !strcmp(text(json_object_get(r, "rule"), "list"), "errno");

		if ((is_object(r) || !strcmp(text(r, "type"), "syscall_violation")) && errno_rule == refused)
			add(calls, r);
	}
}

/*
 * Every call that the policy kills for, once, from a run in which nothing was stopped. Where none explains it, those
 * that the policy answers with an error: one of them the runtime does not do without.
 */
static json_t *culprits(const struct sg_self_result *audit, const struct sg_self_result *enforced)
{
	json_t *calls = json_object();
	json_t *first = json_object_get(enforced->exit, "violation");

	if (json_is_object(first))
		add(calls, first);
	add_calls(calls, audit, false);
	if (!json_object_size(calls))
		add_calls(calls, audit, true);
	return calls;
}

static void tell(const struct state *s, const struct probe *p, const char *runtime, const char *outcome,
		 const char *got, json_t *calls)
{
	char hint[PATH_MAX + 256];
	const char *call;
	json_t *o, *r;

	if (s->d->json) {
		o = json_pack("{s:s, s:o, s:s, s:s, s:o, s:[]}", "policy", p->language, "runtime",
			      sg_json_text(runtime), "probe", p->name, "outcome", outcome, "got", sg_json_text(got),
			      "calls");
		json_object_foreach(calls, call, r) json_array_append_new(
			json_object_get(o, "calls"),
			json_pack("{s:s, s:s}", is_object(r) ? "object" : "syscall", call, "policy", text(r, "hint")));
		json_dumpf(o, stdout, JSON_COMPACT);
		putchar('\n');
		json_decref(o);
	} else {
		printf("%-7s %-11s %-24s %s: %s\n", outcome, p->language, runtime, p->name, got);
		json_object_foreach(calls, call, r)
		{
			snprintf(hint, sizeof(hint), "%s", text(r, "hint"));
			sg_text_plain(hint);
			printf("        uses %s, which the policy does not allow; to allow it: %s\n", call, hint);
		}
	}
	fflush(stdout);
}

static void judge(struct state *s, const struct probe *p, const char *runtime)
{
	struct sg_self_result enforced, audit;
	json_t *calls = NULL;
	char got[512];

	if (sg_self_stopped)
		return;
	if (write_code(s, p) < 0 || try_probe(s, p, runtime, "enforce", &enforced) < 0) {
		if (sg_self_stopped)
			return;
		s->skipped++;
		tell(s, p, runtime, "skipped", "it could not be started", NULL);
		return;
	}
	(void)sg_self_words(&enforced, got, sizeof(got));
	if (worked(p, &enforced)) {
		s->holds++;
		tell(s, p, runtime, "holds", got, NULL);
		sg_self_release(&enforced);
		return;
	}
	if (!strcmp(text(enforced.exit, "verdict"), "error")) { /* nothing ran, for a reason that is not the policy's */
		s->skipped++;
		tell(s, p, runtime, "skipped", got, NULL);
		sg_self_release(&enforced);
		return;
	}
	/* Without a policy in its way: is it the policy at all, and what else would it stumble over? */
	if (try_probe(s, p, runtime, "audit", &audit) == 0) {
		calls = culprits(&audit, &enforced);
		if (!worked(p, &audit) && !json_object_size(calls)) {
			s->skipped++;
			tell(s, p, runtime, "skipped", "it does not work here without a policy either", NULL);
		} else {
			s->breaks++;
			tell(s, p, runtime, "BREAKS", got, calls);
		}
		json_decref(calls);
		sg_self_release(&audit);
	}
	sg_self_release(&enforced);
}

static void judge_runtime(struct state *s, const char *language, const char *program, const char *path)
{
	s->found++;
	for (size_t i = 0; i < SG_ARRAY_SIZE(probes); i++) {
		if (strcmp(probes[i].language, language) != 0)
			continue;
		if (*probes[i].only && program && strcmp(probes[i].only, program) != 0)
			continue;
		judge(s, &probes[i], path);
	}
}

/* LANGUAGE of LANGUAGE=PATH. */
static void runtime_language(const char *word, char name[48])
{
	snprintf(name, 48, "%.*s", (int)strcspn(word, "="), word);
}

static void judge_given(struct state *s)
{
	for (int i = 0; s->d->runtimes[i]; i++) {
		const char *path = strchr(s->d->runtimes[i], '=') + 1, *slash = strrchr(path, '/');
		char name[48];

		runtime_language(s->d->runtimes[i], name);
		judge_runtime(s, sg_builtin_canonical(name), slash ? slash + 1 : path, path);
	}
}

static void judge_found(struct state *s)
{
	char seen[SG_ARRAY_SIZE(runtimes)][PATH_MAX];
	size_t n = 0;

	for (size_t i = 0; i < SG_ARRAY_SIZE(runtimes); i++) {
		if (s->d->language && strcmp(s->d->language, runtimes[i].language) != 0)
			continue;
		for (size_t f = 0; f < SG_ARRAY_SIZE(folders); f++) {
			char path[128], real[PATH_MAX];
			bool again = false;

			snprintf(path, sizeof(path), "%s/%s", folders[f], runtimes[i].program);
			if (access(path, X_OK) < 0 || !realpath(path, real))
				continue;
			for (size_t k = 0; k < n; k++)
				again |= !strcmp(seen[k], real);
			if (!again && n < SG_ARRAY_SIZE(seen)) {
				snprintf(seen[n++], PATH_MAX, "%s", real);
				judge_runtime(s, runtimes[i].language, runtimes[i].program, path);
			}
			break;
		}
	}
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	(void)remove(path);
	return 0;
}

static void stop(int sig)
{
	sg_self_stopped = sig;
}

/* What is to be ignored (nohup) stays so. */
static void stop_by(int sig)
{
	struct sigaction old;

	if (sigaction(sig, NULL, &old) == 0 && old.sa_handler != SIG_IGN)
		(void)sigaction(sig, &(struct sigaction){.sa_handler = stop}, NULL);
}

/* The directory goes first. */
static void end_by(int sig)
{
	signal(sig, SIG_DFL);
	(void)raise(sig);
}

/* A language, or an alias of one, that there are probes for. NULL: said why not. */
static const char *known_language(const char *option, const char *name)
{
	const char *language = sg_builtin_canonical(name);
	struct sg_policy *p = NULL;
	struct sg_err err = {0};

	for (size_t i = 0; language && i < SG_ARRAY_SIZE(probes); i++)
		if (!strcmp(probes[i].language, language))
			return language;
	/* Which names there are, and which of them is near, is for the policies to say. */
	if (!language && sg_policy_resolve(NULL, name, &p, &err) < 0)
		fprintf(stderr, "%s: %s\n", option, err.message);
	else
		fprintf(stderr, "%s: there are no programs to try the policy \"%s\" with\n", option, name);
	sg_policy_free(p);
	return NULL;
}

int sg_verb_drift(const struct sg_drift *d)
{
	struct sg_drift canonical = *d;
	struct state s = {.d = &canonical};
	static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGPIPE};

	if (d->language) {
		canonical.language = known_language("--lang", d->language);
		if (!canonical.language)
			return 2;
	}
	for (int i = 0; d->runtimes[i]; i++) {
		char name[48];

		if (!strchr(d->runtimes[i], '=')) {
			fprintf(stderr, "--runtime %s: expected LANGUAGE=PATH\n", d->runtimes[i]);
			return 2;
		}
		runtime_language(d->runtimes[i], name);
		if (!known_language("--runtime", name))
			return 2;
	}
	snprintf(s.dir, sizeof(s.dir), "/tmp/sandgate-drift-XXXXXX");
	if (!mkdtemp(s.dir)) {
		fprintf(stderr, "cannot make a directory in /tmp: %s\n", strerror(errno));
		return 2;
	}
	for (size_t i = 0; i < SG_ARRAY_SIZE(ends); i++)
		stop_by(ends[i]);
	if (d->runtimes[0])
		judge_given(&s);
	else
		judge_found(&s);
	(void)nftw(s.dir, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
	if (sg_self_stopped)
		end_by(sg_self_stopped);
	if (!d->json)
		printf("%d runtimes: %d probes hold, %d break, %d skipped\n", s.found, s.holds, s.breaks, s.skipped);
	if (!s.holds && !s.breaks) {
		fprintf(stderr, "no runtime could be tried\n");
		return 2;
	}
	return s.breaks ? 1 : 0;
}
