/* SPDX-License-Identifier: Apache-2.0 */
/* sg-real: libs="-ldl" */
#include <dlfcn.h>
#include <iconv.h>
#include <langinfo.h>
#include <locale.h>
#include <pwd.h>
#include <regex.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <wchar.h>

int main(void)
{
	void *m = dlopen("libm.so.6", RTLD_NOW);
	double (*fn)(double) = m ? (double (*)(double))dlsym(m, "cos") : NULL;
	char in[] = "\xc3\xa9t\xc3\xa9", out[16] = "", *pi = in, *po = out;
	size_t ni = strlen(in), no = sizeof(out) - 1;
	struct utsname u;
	regmatch_t match[2];
	regex_t re;
	iconv_t cd;

	printf("%.3f %s\n", fn ? fn(0) : -1, dlopen("libnothing.so", RTLD_NOW) ? "found" : "not found");
	cd = iconv_open("ISO-8859-1", "UTF-8");
	printf("%zu ", iconv(cd, &pi, &ni, &po, &no));
	printf("%zu\n", sizeof(out) - 1 - no);
	iconv_close(cd);
	setlocale(LC_ALL, "C.UTF-8");
	printf("%s %d\n", nl_langinfo(CODESET), wcwidth(L'x'));
	regcomp(&re, "([a-z]+)@", REG_EXTENDED);
	printf("%d ", regexec(&re, "me: user@host", 2, match, 0));
	printf("%d\n", (int)match[1].rm_so);
	regfree(&re);
	printf("%s %s\n", getpwuid(0)->pw_name, getpwnam("no-such-user") ? "?" : "none");
	if (uname(&u))
		return 1;
	printf("%s %s %zd\n", u.sysname, u.machine, getrandom(out, 8, 0));
	printf("%d %d %d\n", getuid() == geteuid(), getpid() > 0, sysconf(_SC_NPROCESSORS_ONLN) > 0);
	printf("%ls %d\n", L"w\u00efde", dlclose(m));
	return 0;
}
