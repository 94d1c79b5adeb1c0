// SPDX-License-Identifier: Apache-2.0
/* What is taken from a control socket whose other end closes. */
#include "supervisor/client.h"

#include "supervisor/util.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cmocka.h>

static int ends, interrupts; /* how often the kernel says so before it looks */

/* In place of the C library's, as the kernel's own answer at the wrong moment comes once in thousands of launches. */
ssize_t recvmsg(int fd, struct msghdr *msg, int flags)
{
	if (interrupts) {
		interrupts--;
		errno = EINTR;
		return -1;
	}
	if (ends) {
		ends--;
		msg->msg_controllen = 0; /* which it does, too */
		msg->msg_flags = 0;
		return 0;
	}
	return syscall(SYS_recvmsg, fd, msg, flags);
}

static void pair(int sv[2])
{
	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, sv), 0);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static void heard(int fd, int flags, const char *text)
{
	char buf[64];
	ssize_t n = sg_client_receive(fd, buf, sizeof(buf), flags);

	assert_int_equal(n, strlen(text));
	assert_memory_equal(buf, text, strlen(text));
}

static void the_end_seen_too_early_loses_nothing(void **state)
{
	(void)state;
	for (int flags = 0; flags <= MSG_DONTWAIT; flags += MSG_DONTWAIT) {
		int sv[2];
		char c;

		pair(sv);
		say(sv[1], "record");
		say(sv[1], "result");
		close(sv[1]);
		ends = 1;
		heard(sv[0], flags, "record");
		ends = 1;
		heard(sv[0], flags, "result");
		assert_int_equal(sg_client_receive(sv[0], &c, 1, flags), 0);
		close(sv[0]);
	}
}

static void nor_does_a_reset(void **state)
{
	int sv[2];
	char c;

	(void)state;
	pair(sv);
	say(sv[0], "signal"); /* never read */
	say(sv[1], "result");
	close(sv[1]);
	ends = 1;
	heard(sv[0], 0, "result");
	assert_int_equal(sg_client_receive(sv[0], &c, 1, 0), 0);
	close(sv[0]);
}

static void descriptors_come_with_a_second_look(void **state)
{
	union {
		char buf[CMSG_SPACE(sizeof(int))];
		struct cmsghdr head;
	} out = {.head = {.cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS, .cmsg_len = CMSG_LEN(sizeof(int))}}, in;
	char c = 'x';
	struct iovec iov = {.iov_base = &c, .iov_len = 1};
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = out.buf, .msg_controllen = sizeof(out.buf)};
	int sv[2], fd = -1;

	(void)state;
	pair(sv);
	memcpy(CMSG_DATA(&out.head), &(int){STDERR_FILENO}, sizeof(int));
	assert_int_equal(sendmsg(sv[1], &msg, 0), 1);
	close(sv[1]);
	msg.msg_control = in.buf;
	ends = 1;
	interrupts = 2;
	assert_int_equal(sg_receive_packet(sv[0], &msg, MSG_CMSG_CLOEXEC), 1);
	assert_int_equal(msg.msg_controllen, sizeof(in.buf));
	memcpy(&fd, CMSG_DATA(&in.head), sizeof(int));
	assert_true(fd > STDERR_FILENO);
	close(fd);
	close(sv[0]);
}

static void what_is_not_there_is_told_from_the_end(void **state)
{
	int sv[2];
	char c;

	(void)state;
	pair(sv);
	assert_int_equal(sg_client_receive(sv[0], &c, 1, MSG_DONTWAIT), -EAGAIN);
	say(sv[1], "longer");
	assert_int_equal(sg_client_receive(sv[0], &c, 1, 0), -EMSGSIZE);
	close(sv[1]);
	assert_int_equal(sg_client_receive(sv[0], &c, 1, MSG_DONTWAIT), 0);
	assert_int_equal(sg_client_receive(-1, &c, 1, 0), -EBADF);
	close(sv[0]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_end_seen_too_early_loses_nothing),
		cmocka_unit_test(nor_does_a_reset),
		cmocka_unit_test(descriptors_come_with_a_second_look),
		cmocka_unit_test(what_is_not_there_is_told_from_the_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
