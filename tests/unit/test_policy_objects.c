// SPDX-License-Identifier: Apache-2.0
/* Object rules: what names an object, what the rules decide of it, and that a hint helps. */
#include "policy/access.h"
#include "policy/phases.h"
#include "policy/policy.h"
#include "policy/seccomp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <cmocka.h>

static struct sg_policy *resolve(const char *yaml, const char *language)
{
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};

	if (yaml && sg_doc_parse("mine.yaml", yaml, strlen(yaml), &doc, &err))
		fail_msg("mine.yaml:%u:%u: %s in\n%s", err.line, err.column, err.message, yaml);
	if (sg_policy_resolve(doc, language, &p, &err))
		fail_msg("%s: %s", language, err.message);
	sg_doc_free(doc);
	return p;
}

static struct sg_decision decide(const struct sg_policy *p, const struct sg_access *a)
{
	const struct sg_tree *trees;
	size_t n;

	trees = sg_policy_trees(p, &n);
	return sg_objects_decide(sg_policy_objects(p), trees, n, a);
}

static const char nested[] = "mine:\n"
			     "  files:\n"
			     "    read: [/a, /a/b/c, /f]\n"
			     "    write: [/a/b]\n"
			     "    create: [/a/b]\n"
			     "    delete: [$CWD]\n"
			     "    deny: [/a/b/d]\n"
			     "    otherwise: errno ENOENT\n"
			     "  exec: {allow: [/a/bin, /a/b/d/e], max: 1}\n"
			     "  net: {allow: [netlink, \"unix:/run/x\"]}\n";

static void the_nearest_tree_decides(void **state)
{
	static const struct {
		unsigned cls;
		const char *path;
		unsigned action;
	} cases[] = {
		{SG_CLASS_READ, "/a", SG_ACTION_ALLOW},           {SG_CLASS_READ, "/a/x/y/z", SG_ACTION_ALLOW},
		{SG_CLASS_READ, "/ab", SG_ACTION_ERRNO},          {SG_CLASS_READ, "/", SG_ACTION_ERRNO},
		{SG_CLASS_READ, "/f", SG_ACTION_ALLOW},           {SG_CLASS_READ, "/f/under", SG_ACTION_ALLOW},
		{SG_CLASS_READ, "/a/b/d", SG_ACTION_ERRNO},       {SG_CLASS_READ, "/a/b/d/x", SG_ACTION_ERRNO},
		{SG_CLASS_READ, "/a/b/d/e/x", SG_ACTION_ALLOW}, /* exec allows reading, inside what is denied */
		{SG_CLASS_WRITE, "/a/b/d/e/x", SG_ACTION_ERRNO},  {SG_CLASS_WRITE, "/a/b", SG_ACTION_ALLOW},
		{SG_CLASS_WRITE, "/a/b/c/x", SG_ACTION_ALLOW}, /* /a/b/c says nothing of writing */
		{SG_CLASS_WRITE, "/a/x", SG_ACTION_ERRNO},        {SG_CLASS_CREATE, "/a/b/new", SG_ACTION_ALLOW},
		{SG_CLASS_CREATE, "/a/b", SG_ACTION_ERRNO}, /* it would be made in /a */
		{SG_CLASS_CREATE, "/a/b/d/new", SG_ACTION_ERRNO}, {SG_CLASS_DELETE, "$CWD/x", SG_ACTION_ALLOW},
		{SG_CLASS_DELETE, "/a/b/x", SG_ACTION_ERRNO},     {SG_CLASS_MAP, "/a/bin/x", SG_ACTION_ALLOW},
		{SG_CLASS_MAP, "/a/x", SG_ACTION_ERRNO},          {SG_CLASS_EXEC, "/a/bin/x", SG_ACTION_ALLOW},
		{SG_CLASS_EXEC, "/a/x", SG_ACTION_KILL},          {SG_CLASS_UNIX, "/run/x", SG_ACTION_ALLOW},
		{SG_CLASS_UNIX, "/run/y", SG_ACTION_ERRNO},       {SG_CLASS_UNIX, NULL, SG_ACTION_ERRNO},
	};
	struct sg_policy *p = resolve(nested, "mine");

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct sg_access a = {.cls = cases[i].cls, .path = cases[i].path};

		if (decide(p, &a).action != cases[i].action)
			fail_msg("%s %s: %u, expected %u", sg_class_name(a.cls), a.path, decide(p, &a).action,
				 cases[i].action);
	}
	assert_int_equal(decide(p, &(struct sg_access){.cls = SG_CLASS_READ, .path = "/x"}).err, ENOENT);
	assert_int_equal(decide(p, &(struct sg_access){.cls = SG_CLASS_EXEC, .path = "/a/bin/x", .executed = 1}).action,
			 SG_ACTION_KILL);
	sg_policy_free(p);
}

static void whoever_says_nothing_is_not_confined(void **state)
{
	struct sg_policy *p = resolve("mine: {allow: [read]}\n", "mine");
	static const unsigned killed[] = {SG_CLASS_TRACE,     SG_CLASS_SIGNAL, SG_CLASS_LIMITS,    SG_CLASS_MOUNT,
					  SG_CLASS_NAMESPACE, SG_CLASS_BPF,    SG_CLASS_PERF,      SG_CLASS_KEYS,
					  SG_CLASS_KERNEL,    SG_CLASS_URING,  SG_CLASS_SUPERVISOR};
	unsigned n = 0;

	for (unsigned c = 0; c < SG_CLASS_N; c++) {
		const struct sg_access a = {
			.cls = c, .path = "/x", .executed = 1000, .proto = SG_NET_TCP, .op = SG_NET_CONNECT};
		bool kill = false;

		for (size_t i = 0; i < sizeof(killed) / sizeof(killed[0]); i++)
			kill |= killed[i] == c;
		assert_int_equal(decide(p, &a).action, kill ? SG_ACTION_KILL : SG_ACTION_ALLOW);
		n += kill;
	}
	assert_int_equal(n, sizeof(killed) / sizeof(killed[0]));
	sg_policy_free(p);
}

static struct sg_access address(const char *text, unsigned proto, unsigned op, unsigned port)
{
	struct sg_access a = {.cls = SG_CLASS_NET, .proto = proto, .op = op, .port = port};

	if (inet_pton(AF_INET6, text, a.addr) != 1) {
		a.addr[10] = a.addr[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, text, a.addr + 12), 1);
	}
	return a;
}

static void addresses(void **state)
{
	static const struct {
		const char *rule, *addr;
		unsigned proto, op, port;
		bool allowed;
	} cases[] = {
		{"tcp 192.0.2.0/24:443", "192.0.2.7", SG_NET_TCP, SG_NET_CONNECT, 443, true},
		{"tcp 192.0.2.0/24:443", "192.0.2.7", SG_NET_UDP, SG_NET_CONNECT, 443, false},
		{"tcp 192.0.2.0/24:443", "192.0.2.7", SG_NET_TCP, SG_NET_BIND, 443, false},
		{"tcp 192.0.2.0/24:443", "192.0.2.7", SG_NET_TCP, SG_NET_CONNECT, 444, false},
		{"tcp 192.0.2.0/24:443", "192.0.3.7", SG_NET_TCP, SG_NET_CONNECT, 443, false},
		{"tcp 192.0.2.0/24:443", "::ffff:192.0.2.9", SG_NET_TCP, SG_NET_CONNECT, 443, true},
		{"tcp 192.0.2.0/24:443", "::192.0.2.9", SG_NET_TCP, SG_NET_CONNECT, 443, false},
		{"tcp 0.0.0.0/0", "203.0.113.1", SG_NET_TCP, SG_NET_CONNECT, 1, true},
		{"tcp 0.0.0.0/0", "2001:db8::1", SG_NET_TCP, SG_NET_CONNECT, 1, false},
		{"tcp [2000::]/3", "203.0.113.1", SG_NET_TCP, SG_NET_CONNECT, 1, false},
		{"tcp [2000::]/3", "2001:db8::1", SG_NET_TCP, SG_NET_CONNECT, 1, true},
		{"tcp [::ffff:192.0.2.0]/120", "192.0.2.9", SG_NET_TCP, SG_NET_CONNECT, 1, true},
		{"listen tcp [::]", "::", SG_NET_TCP, SG_NET_BIND, 1, true},
		{"listen tcp [::]", "0.0.0.0", SG_NET_TCP, SG_NET_BIND, 1, false},
		{"tcp *", "2001:db8::1", SG_NET_TCP, SG_NET_CONNECT, 65535, true},
		{"udp [2001:db8::]/33:53", "2001:db8:7fff::1", SG_NET_UDP, SG_NET_CONNECT, 53, true},
		{"udp [2001:db8::]/33:53", "2001:db8:8000::1", SG_NET_UDP, SG_NET_CONNECT, 53, false},
		{"listen tcp 127.0.0.1:8000-8010", "127.0.0.1", SG_NET_TCP, SG_NET_BIND, 8010, true},
		{"listen tcp 127.0.0.1:8000-8010", "127.0.0.1", SG_NET_TCP, SG_NET_BIND, 8011, false},
		{"listen tcp 127.0.0.1:8000-8010", "127.0.0.2", SG_NET_TCP, SG_NET_BIND, 8000, false},
		{"loopback", "127.9.9.9", SG_NET_UDP, SG_NET_BIND, 0, true},
		{"loopback", "::1", SG_NET_TCP, SG_NET_CONNECT, 9, true},
		{"loopback", "::2", SG_NET_TCP, SG_NET_CONNECT, 9, false},
		{"loopback", "128.0.0.1", SG_NET_TCP, SG_NET_CONNECT, 9, false},
		{"unix", "127.0.0.1", SG_NET_TCP, SG_NET_CONNECT, 9, false},
	};
	char yaml[256];

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sg_access a = address(cases[i].addr, cases[i].proto, cases[i].op, cases[i].port);
		struct sg_policy *p;

		snprintf(yaml, sizeof(yaml), "mine: {net: {allow: [\"%s\"]}}", cases[i].rule);
		p = resolve(yaml, "mine");
		if ((decide(p, &a).action == SG_ACTION_ALLOW) != cases[i].allowed)
			fail_msg("%s: %s port %u", cases[i].rule, cases[i].addr, cases[i].port);
		sg_policy_free(p);
	}
}

/* Packets that go where the program says and no rule was asked: only where all may be reached. */
static void unseen_addresses(void **state)
{
	static const struct {
		const char *rule;
		unsigned proto;
		bool allowed;
	} cases[] = {
		{"udp *", SG_NET_UDP, true},          {"udp *", SG_NET_TCP, false},        {"tcp *", SG_NET_TCP, true},
		{"udp *:53", SG_NET_UDP, false},      {"listen udp *", SG_NET_UDP, false}, {"udp *", 0, false},
		{"udp 0.0.0.0/1", SG_NET_UDP, false}, {"loopback", SG_NET_UDP, false},
	};
	char yaml[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct sg_access a = {.cls = SG_CLASS_NET, .proto = cases[i].proto, .anywhere = true};
		struct sg_policy *p;

		snprintf(yaml, sizeof(yaml), "mine: {net: {allow: [\"%s\"]}}", cases[i].rule);
		p = resolve(yaml, "mine");
		if ((decide(p, &a).action == SG_ACTION_ALLOW) != cases[i].allowed)
			fail_msg("%s", cases[i].rule);
		sg_policy_free(p);
	}
}

/* Families: what a rule of addresses implies, and nothing else. */
static void families(void **state)
{
	static const struct {
		const char *rule;
		uint64_t families;
	} cases[] = {{"unix", 1ULL << AF_UNIX},
		     {"unix:/x", 1ULL << AF_UNIX},
		     {"netlink", 1ULL << AF_NETLINK},
		     {"vsock", 1ULL << AF_VSOCK},
		     {"tcp 192.0.2.1", 1ULL << AF_INET | 1ULL << AF_INET6},
		     {"udp [2001:db8::1]", 1ULL << AF_INET6},
		     {"listen udp *:53", 1ULL << AF_INET | 1ULL << AF_INET6},
		     {"loopback", 1ULL << AF_INET | 1ULL << AF_INET6}};
	char why[SG_WHY_SIZE];
	struct sg_net_spec spec;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_int_equal(sg_net_parse(cases[i].rule, &spec, why), 0);
		assert_int_equal(spec.families, cases[i].families);
	}
}

/* Of IPv6 by its looks, and of all of IPv4 besides. */
static void what_holds_ipv4_unsaid_is_refused(void **state)
{
	static const struct {
		const char *rule;
		bool good;
	} cases[] = {{"tcp [::]/0", false},
		     {"udp [::]/0:53", false},
		     {"tcp [::]/80", false},
		     {"tcp [::]/81", true},
		     {"tcp [8000::]/1", true},
		     {"tcp [::]/1", false},
		     {"tcp [::fffe:0:0]/95", false},
		     {"tcp [::ffff:0:0]/96", true},
		     {"tcp [::]", true},
		     {"tcp [::1]", true}};
	char why[SG_WHY_SIZE];
	struct sg_net_spec spec;

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int rc = sg_net_parse(cases[i].rule, &spec, why);

		if (cases[i].good ? rc : !rc || !strstr(why, "IPv4"))
			fail_msg("%s: %d %s", cases[i].rule, rc, rc ? why : "");
	}
}

static void names_go_both_ways(void **state)
{
	const char *name;
	unsigned n;

	for (n = 0; (name = sg_capability_name(n)); n++)
		assert_int_equal(sg_capability_resolve(name), n);
	assert_true(n >= CAP_LAST_CAP + 1);
	assert_int_equal(sg_capability_resolve("CAP_SYS_ADMIN"), CAP_SYS_ADMIN);
	assert_int_equal(sg_capability_resolve("NET_BIND_SERVICE"), CAP_NET_BIND_SERVICE);
	assert_string_equal(sg_family_name(AF_INET6), "inet6");
	assert_null(sg_family_name(0));
	for (n = 0; n < SG_CLASS_N; n++)
		assert_non_null(sg_class_name(n));
	assert_null(sg_class_name(SG_CLASS_N));
}

/* A rule as text, read again, is the same rule. */
static void rules_print_as_they_are_read(void **state)
{
	static const char *const rules[] = {
		"tcp 192.0.2.0/24:443", "udp [2001:db8::]/32:53", "listen tcp 127.0.0.1:8000-8010", "tcp *:80", "udp *",
		"tcp [2001:db8::1]",    "listen udp 0.0.0.0/0"};
	struct sg_net_spec a, b;
	char text[128], why[SG_WHY_SIZE];

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++) {
		assert_int_equal(sg_net_parse(rules[i], &a, why), 0);
		sg_net_rule_text(&a.rules[0], text, sizeof(text));
		assert_string_equal(text, rules[i]);
		assert_int_equal(sg_net_parse(text, &b, why), 0);
		assert_memory_equal(&a.rules[0], &b.rules[0], sizeof(a.rules[0]));
	}
}

/* What is embedded is what the text says: origins too, since records look rules up by them. */
static void embedded_is_what_the_text_says(void **state)
{
	struct sg_tree trees[SG_TREES_MAX];
	struct sg_objects o;
	struct sg_err err = {0};
	size_t i, j, n;

	for (i = 0; i < sg_n_builtins; i++) {
		const struct sg_builtin *b = &sg_builtins[i];

		for (unsigned widen = 0; b->listed && widen < SG_N_VARIANTS; widen++) {
			const struct sg_variant *v = sg_builtin_variant(b, widen);
			const struct sg_tree *said;
			struct sg_filter f, e;
			struct sg_policy *p;

			assert_int_equal(sg_policy_resolve_widened(NULL, b->name, widen, &p, &err), 0);
			said = sg_policy_trees(p, &n);
			assert_int_equal(v->access.n_trees, n);
			sg_builtin_access(&v->access, &o, trees);
			assert_memory_equal(&o, sg_policy_objects(p), sizeof(o));
			for (j = 0; j < n; j++) {
				assert_string_equal(trees[j].path, said[j].path);
				assert_memory_equal(&trees[j].rights, &said[j].rights, sizeof(said[j].rights));
			}
			assert_string_equal(v->digest, sg_policy_digest(p));
			assert_int_equal(sg_filter_compile(p, &f, &err), 0);
			sg_builtin_filter(&v->filter, &e);
			assert_int_equal(e.n_insns, f.n_insns);
			assert_memory_equal(e.insns, f.insns, f.n_insns * sizeof(*f.insns));
			assert_int_equal(e.n_patches, f.n_patches);
			assert_memory_equal(e.patches, f.patches, f.n_patches * sizeof(*f.patches));
			sg_filter_release(&f);
			sg_policy_free(p);
		}
	}
}

/* What the built-in policies promise, whatever else is in them. */
static void built_in_policies_confine(void **state)
{
	static const char *const nobody_reads[] = {
		"/etc/shadow", "/etc/gshadow", "/etc/ssl/private/key", "/root",       "/home",    "/",
		"/etc",        "/proc",        "/proc/1/mem",          "/dev/sda",    "/dev/mem", "/run/x.sock",
		"/var/log/x",  "/boot/x",      "/sys/kernel/debug",    "/etc/sudoers"};
	static const char *const nobody_writes[] = {"/usr/x",         "/etc/x",      "/lib/x",          "/bin/x",
						    "/proc/self/mem", "/proc/sys/x", "/sys/fs/cgroup/x"};
	size_t i, j;
	unsigned n = 0;

	for (i = 0; sg_builtin_name(i); i++) {
		struct sg_policy *p = resolve(NULL, sg_builtin_name(i));
		const bool compile = !strcmp(sg_builtin_name(i), "compile");

		for (j = 0; j < sizeof(nobody_reads) / sizeof(nobody_reads[0]); j++)
			for (unsigned c = SG_CLASS_READ; c <= SG_CLASS_MAP; c++, n++)
				assert_int_not_equal(
					decide(p, &(struct sg_access){.cls = c, .path = nobody_reads[j]}).action,
					SG_ACTION_ALLOW);
		for (j = 0; j < sizeof(nobody_writes) / sizeof(nobody_writes[0]); j++)
			for (unsigned c = SG_CLASS_WRITE; c <= SG_CLASS_DELETE; c++, n++)
				assert_int_equal(
					decide(p, &(struct sg_access){.cls = c, .path = nobody_writes[j]}).action,
					SG_ACTION_ERRNO);
		/* the controls */
		for (unsigned c = SG_CLASS_READ; c <= SG_CLASS_DELETE; c++) {
			assert_int_equal(decide(p, &(struct sg_access){.cls = c, .path = "$CWD/x"}).action,
					 SG_ACTION_ALLOW);
			assert_int_equal(decide(p, &(struct sg_access){.cls = c, .path = "$TMP/x"}).action,
					 SG_ACTION_ALLOW);
		}
		assert_int_equal(decide(p, &(struct sg_access){.cls = SG_CLASS_MAP, .path = "/usr/lib/x.so"}).action,
				 SG_ACTION_ALLOW);
		assert_int_equal(decide(p, &(struct sg_access){.cls = SG_CLASS_MAP, .path = "$CWD/x.so"}).action,
				 compile ? SG_ACTION_ALLOW : SG_ACTION_ERRNO);
		assert_int_equal(decide(p, &(struct sg_access){.cls = SG_CLASS_EXEC, .path = "/usr/bin/x"}).action,
				 compile ? SG_ACTION_ALLOW : SG_ACTION_KILL);
		assert_int_equal(decide(p, &(struct sg_access){.cls = SG_CLASS_TRACE}).action, SG_ACTION_KILL);
		sg_policy_free(p);
	}
	assert_true(n > 1000);
}

/* Everything that the built-in policies refuse: the hint is a policy file that allows it. */
static void hints_are_whole_files(void **state)
{
	struct sg_access list[64];
	static const char *const paths[] = {"/etc/shadow", "/srv/a b/ü\"q\\", "/srv/-x",
					    "/",           "/srv/#x: y",      "/srv/x,y]"};
	struct sg_err err = {0};
	size_t n = 0, checked = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++)
		for (unsigned c = SG_CLASS_READ; c <= SG_CLASS_UNIX; c++)
			list[n++] = (struct sg_access){.cls = c, .path = paths[i]};
	list[n++] = (struct sg_access){.cls = SG_CLASS_UNIX};
	list[n++] = (struct sg_access){.cls = SG_CLASS_EXEC, .path = "/usr/bin/ls", .executed = 7};
	list[n++] = address("192.0.2.1", SG_NET_TCP, SG_NET_CONNECT, 443);
	list[n++] = address("2001:db8::1", SG_NET_UDP, SG_NET_BIND, 0);
	list[n++] = (struct sg_access){.cls = SG_CLASS_NET, .family = AF_NETLINK};
	list[n++] = (struct sg_access){.cls = SG_CLASS_NET, .family = AF_INET};
	list[n++] = (struct sg_access){.cls = SG_CLASS_CAPABILITY, .capability = CAP_NET_ADMIN};
	for (unsigned c = SG_CLASS_TRACE; c < SG_CLASS_SUPERVISOR; c++)
		if (n < sizeof(list) / sizeof(list[0]) && c != SG_CLASS_CAPABILITY)
			list[n++] = (struct sg_access){.cls = c};
	for (size_t l = 0; sg_builtin_name(l); l++) {
		struct sg_policy *p = resolve(NULL, sg_builtin_name(l));

		for (size_t i = 0; i < n; i++) {
			struct sg_policy *q;
			char *hint;

			assert_int_equal(sg_policy_object_hint(p, &list[i], &hint, &err), 0);
			assert_null(strchr(hint, '\n'));
			if (decide(p, &list[i]).action == SG_ACTION_ALLOW) {
				assert_string_equal(hint, "");
				free(hint);
				continue;
			}
			q = resolve(hint, sg_builtin_name(l));
			if (decide(q, &list[i]).action != SG_ACTION_ALLOW)
				fail_msg("the hint does not help: %s", hint);
			sg_policy_free(q);
			free(hint);
			checked++;
		}
		sg_policy_free(p);
	}
	assert_true(checked > 500);
}

static const char own[] = "base: {files: {read: [/b], deny: [/b/denied]}}\n"
			  "mine:\n"
			  "  inherit: base\n"
			  "  files:\n"
			  "    read: [/r]\n"
			  "    deny: [/r/denied]\n"
			  "  exec: {allow: [/bin], max: 2}\n"
			  "  net: {allow: [unix]}\n"
			  "  kernel: {trace: kill}\n";

static void expect(struct sg_access a, const char *wanted)
{
	struct sg_policy *p = resolve(own, "mine");
	struct sg_err err = {0};
	char *hint;

	assert_int_equal(sg_policy_object_hint(p, &a, &hint, &err), 0);
	assert_string_equal(hint, wanted);
	free(hint);
	sg_policy_free(p);
}

/* Of the rule that denies. */
static uint32_t denial(void)
{
	struct sg_policy *p = resolve(own, "mine");
	uint32_t i = 0;

	while (sg_policy_origin(p, i) && strcmp(sg_policy_origin(p, i)->text, "deny: /r/denied") != 0)
		i++;
	assert_non_null(sg_policy_origin(p, i));
	sg_policy_free(p);
	return i;
}

static void hints_say_what_to_change(void **state)
{
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/r/x"}, "");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/x"},
	       "mine: {files: {read: [/x]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_WRITE, .path = "/r/x"},
	       "mine: {files: {write: [/r/x]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_CREATE, .path = "/r/x"},
	       "mine: {files: {create: [/r]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_DELETE, .path = "/r/x"},
	       "mine: {files: {delete: [/r]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/r/denied"},
	       "remove \"deny: /r/denied\" from \"files\" in \"mine\" (mine.yaml:6)");
	expect((struct sg_access){.cls = SG_CLASS_DELETE, .path = "/r", .holds = denial() + 1},
	       "remove \"deny: /r/denied\" from \"files\" in \"mine\" (mine.yaml:6)");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/r/denied/x"},
	       "mine: {files: {read: [/r/denied/x]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/b/denied"},
	       "mine: {files: {read: [/b/denied]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/srv/with\nnewline"},
	       "mine: {files: {read: [/srv]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/srv/not\xff/utf8"},
	       "mine: {files: {read: [/srv]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_READ,
				  .path = "/srv/turned\xe2\x80\xae"
					  "round"},
	       "mine: {files: {read: [/srv]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_READ, .path = "/srv/a b"},
	       "mine: {files: {read: [\"/srv/a b\"]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_EXEC, .path = "/sbin/x"},
	       "mine: {exec: {allow: [/sbin/x]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_EXEC, .path = "/bin/x", .executed = 2},
	       "change \"max: 2\" to \"max: 3\" under \"exec\" in \"mine\" (mine.yaml:7)");
	/* Where one line is not enough, all of them. */
	expect((struct sg_access){.cls = SG_CLASS_EXEC, .path = "/sbin/x", .executed = 2},
	       "change \"max: 2\" to \"max: 3\" under \"exec\" in \"mine\" (mine.yaml:7); then mine: {exec: {allow: "
	       "[/sbin/x]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_WRITE, .path = "/r/denied"},
	       "remove \"deny: /r/denied\" from \"files\" in \"mine\" (mine.yaml:6); then mine: {files: {write: "
	       "[/r/denied]}} # add to mine.yaml");
	/* To allow the directory is of no use where a rule is about the file. */
	expect((struct sg_access){.cls = SG_CLASS_DELETE, .path = "/r/denied"},
	       "remove \"deny: /r/denied\" from \"files\" in \"mine\" (mine.yaml:6); then mine: {files: {delete: "
	       "[/r]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_DELETE, .path = "/b/denied"},
	       "mine: {files: {delete: [/b/denied]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_EXEC}, "no policy can name a file that has no path");
	expect((struct sg_access){.cls = SG_CLASS_UNIX, .path = "/run/x"},
	       "mine: {net: {allow: [\"unix:/run/x\"]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_UNIX}, "mine: {kernel: {unix: allow}} # add to mine.yaml");
	expect(address("192.0.2.1", SG_NET_TCP, SG_NET_CONNECT, 443),
	       "mine: {net: {allow: [\"tcp 192.0.2.1:443\"]}} # add to mine.yaml");
	expect(address("::1", SG_NET_UDP, SG_NET_BIND, 53),
	       "mine: {net: {allow: [\"listen udp [::1]:53\"]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_NET, .anywhere = true, .proto = SG_NET_UDP},
	       "mine: {net: {allow: [\"udp *\"]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_NET, .family = AF_PACKET},
	       "mine: {net: {allow: [\"packet\"]}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_NET, .family = 63}, "no policy can allow sockets of family 63");
	expect((struct sg_access){.cls = SG_CLASS_TRACE},
	       "change \"trace: kill\" to \"trace: allow\" under \"kernel\" in \"mine\" (mine.yaml:9)");
	expect((struct sg_access){.cls = SG_CLASS_MOUNT}, "mine: {kernel: {mount: allow}} # add to mine.yaml");
	expect((struct sg_access){.cls = SG_CLASS_SUPERVISOR},
	       "no policy can allow access to Sandgate's own processes and files");
}

/* What the options of a launch add: in front of the language's own rules, and not in front of what is denied. */
static void widening(void **state)
{
	const unsigned widen = SG_WIDEN_INET | SG_WIDEN_RUN;
	static const char yaml[] = "denied: [accept]\n", free_one[] = "mine: {allow: [read]}\n";
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};
	const uint64_t none[SG_ARGS] = {0}, tcp[SG_ARGS] = {AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0},
		       raw[SG_ARGS] = {AF_INET, SOCK_RAW, 1};

	assert_int_equal(sg_doc_parse("d.yaml", yaml, strlen(yaml), &doc, &err), 0);
	assert_int_equal(sg_policy_resolve_widened(doc, "lua", widen, &p, &err), 0);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_socket, tcp, NULL).action, SG_ACTION_ALLOW);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_socket, raw, NULL).action, SG_ACTION_ERRNO);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_execve, none, NULL).action, SG_ACTION_ALLOW);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_accept, none, NULL).action, SG_ACTION_KILL);
	sg_policy_free(p);
	/* Who is not confined is not confined by being allowed more. */
	sg_doc_free(doc);
	assert_int_equal(sg_doc_parse("d.yaml", free_one, strlen(free_one), &doc, &err), 0);
	assert_int_equal(sg_policy_resolve_widened(doc, "mine", 15, &p, &err), 0);
	for (unsigned c = SG_CLASS_READ; c <= SG_CLASS_NET; c++)
		assert_int_equal(sg_policy_objects(p)->cls[c].mode, SG_MODE_ALLOW);
	sg_policy_free(p);
	assert_int_equal(sg_policy_resolve(doc, "lua", &p, &err), 0);
	assert_int_not_equal(sg_policy_decide(p, sg_native_arch(), __NR_socket, tcp, NULL).action, SG_ACTION_ALLOW);
	sg_policy_free(p);
	sg_doc_free(doc);
}

/* What is added for one launch takes nothing away, whatever the language says of the same calls. */
static void widening_only_adds(void **state)
{
	static const char yaml[] = "threads: {inherit: \"builtin:lua\", allow: [clone]}\n"
				   "open: {unlisted: allow}\n";
	const uint64_t namespace[SG_ARGS] = {CLONE_NEWUSER | SIGCHLD},
		       thread[SG_ARGS] = {CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | CLONE_NEWNET},
		       netlink[SG_ARGS] = {AF_NETLINK, SOCK_RAW, 0};
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};

	assert_int_equal(sg_doc_parse("w.yaml", yaml, strlen(yaml), &doc, &err), 0);
	assert_int_equal(sg_policy_resolve_widened(doc, "threads", SG_WIDEN_RUN, &p, &err), 0);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_clone, namespace, NULL).action, SG_ACTION_ALLOW);
	sg_policy_free(p);
	assert_int_equal(sg_policy_resolve_widened(doc, "open", SG_WIDEN_INET | SG_WIDEN_RUN, &p, &err), 0);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_socket, netlink, NULL).action, SG_ACTION_ALLOW);
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_clone, namespace, NULL).action, SG_ACTION_ALLOW);
	sg_policy_free(p);
	/* And it gives no more than it says: a thread in a namespace of its own stays what it was. */
	for (const char *const *l = (const char *const[]){"lua", "compiled", "python", "compile", NULL}; *l; l++) {
		assert_int_equal(sg_policy_resolve_widened(NULL, *l, SG_WIDEN_RUN, &p, &err), 0);
		assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_clone, thread, NULL).action,
				 SG_ACTION_KILL);
		assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_clone, namespace, NULL).action,
				 SG_ACTION_KILL);
		sg_policy_free(p);
	}
	sg_doc_free(doc);
}

/* What an option adds may be what the language inherits: it is confined as it was. */
static void widening_by_what_is_inherited(void **state)
{
	static const char yaml[] = "mine: {inherit: [\"builtin:unix\", \"builtin:netlink\"], unlisted: allow}\n"
				   "files: {inherit: mine, files: {read: [/usr]}, kernel: {ipc: kill}}\n";
	struct sg_policy *p = NULL, *q = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};

	assert_int_equal(sg_doc_parse("w.yaml", yaml, strlen(yaml), &doc, &err), 0);
	for (const char *const *l = (const char *const[]){"mine", "files", NULL}; *l; l++) {
		assert_int_equal(sg_policy_resolve(doc, *l, &q, &err), 0);
		assert_int_equal(sg_policy_objects(q)->cls[SG_CLASS_NET].mode, SG_MODE_ERRNO);
		for (unsigned widen = 0; widen < 16; widen++) {
			const struct sg_objects *a, *b = sg_policy_objects(q);

			assert_int_equal(sg_policy_resolve_widened(doc, *l, widen, &p, &err), 0);
			a = sg_policy_objects(p);
			assert_int_equal(a->families, b->families);
			for (unsigned c = 0; c < SG_CLASS_N; c++) {
				assert_int_equal(a->cls[c].mode, b->cls[c].mode);
				assert_int_equal(a->cls[c].err, b->cls[c].err);
			}
			sg_policy_free(p);
		}
		sg_policy_free(q);
	}
	sg_doc_free(doc);
}

/* A line that stands elsewhere changes neither what the policy means nor its digest, and a second phase may have it. */
static void order_means_nothing(void **state)
{
	static const char yaml[] =
		"a: {files: {read: [/a, /b]}, net: {allow: [\"tcp *:1\", \"udp 192.0.2.1\", \"tcp [::1]:5\"]}, then: "
		"b}\n"
		"b: {inherit: a, files: {read: [/b]}, net: {allow: [\"tcp [::1]:5\", \"tcp *:1\"]}}\n"
		"c: {net: {allow: [\"tcp [::1]:5\", \"tcp *:1\", \"udp 192.0.2.1\"]}, files: {read: [/b, /a]}}\n";
	struct sg_policy *a = resolve(yaml, "a"), *b = resolve(yaml, "b"), *c = resolve(yaml, "c");
	struct sg_err err = {0};

	assert_string_equal(sg_policy_digest(b), sg_policy_digest(c));
	if (sg_phases_check(a, b, &err))
		fail_msg("%s", err.message);
	sg_policy_free(a);
	sg_policy_free(b);
	sg_policy_free(c);
}

/* The name that a program is known by finds what the file has for it under another of its names. */
static void synonyms(void **state)
{
	static const char one[] = "python3: {inherit: \"builtin:python\", kill: [uname]}\n",
			  two[] = "rust: {allow: [read]}\ncpp: {allow: [write]}\n";
	const uint64_t none[SG_ARGS] = {0};
	struct sg_policy *p = NULL;
	struct sg_doc *doc = NULL;
	struct sg_err err = {0};

	assert_int_equal(sg_doc_parse("s.yaml", one, strlen(one), &doc, &err), 0);
	assert_int_equal(sg_policy_resolve(doc, "python", &p, &err), 0);
	assert_string_equal(sg_policy_name(p), "python3");
	assert_int_equal(sg_policy_decide(p, sg_native_arch(), __NR_uname, none, NULL).action, SG_ACTION_KILL);
	sg_policy_free(p);
	sg_doc_free(doc);
	assert_int_equal(sg_doc_parse("s.yaml", two, strlen(two), &doc, &err), 0);
	assert_int_equal(sg_policy_resolve(doc, "go", &p, &err), 0);
	assert_string_equal(sg_policy_name(p), "compiled");
	sg_policy_free(p);
	assert_int_equal(sg_policy_resolve(doc, "compiled", &p, &err), -EINVAL);
	assert_non_null(strstr(err.message, "say which with --lang"));
	sg_doc_free(doc);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_nearest_tree_decides),
		cmocka_unit_test(whoever_says_nothing_is_not_confined),
		cmocka_unit_test(addresses),
		cmocka_unit_test(unseen_addresses),
		cmocka_unit_test(families),
		cmocka_unit_test(what_holds_ipv4_unsaid_is_refused),
		cmocka_unit_test(names_go_both_ways),
		cmocka_unit_test(rules_print_as_they_are_read),
		cmocka_unit_test(embedded_is_what_the_text_says),
		cmocka_unit_test(built_in_policies_confine),
		cmocka_unit_test(hints_are_whole_files),
		cmocka_unit_test(hints_say_what_to_change),
		cmocka_unit_test(widening),
		cmocka_unit_test(widening_only_adds),
		cmocka_unit_test(widening_by_what_is_inherited),
		cmocka_unit_test(order_means_nothing),
		cmocka_unit_test(synonyms),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
