/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * The control socket: who may do what, what is not accepted, and whose path it is.
 */

#include <dirent.h>
#include <fcntl.h>
#include <grp.h>
#include <sys/wait.h>

#include "control_fixture.h"

#define NOBODY_UID 65534

static int count_fds(void)
{
	DIR *dir = opendir("/proc/self/fd");
	int n = 0;

	while (readdir(dir))
		n++;
	closedir(dir);
	return n;
}

static void send_with_fd(int fd, const char *text)
{
	char control[CMSG_SPACE(sizeof(int))] = {0};
	struct iovec iov = {.iov_base = (char *)text, .iov_len = strlen(text)};
	struct msghdr message = {.msg_iov = &iov,
	                         .msg_iovlen = 1,
	                         .msg_control = control,
	                         .msg_controllen = sizeof(control)};
	struct cmsghdr *header = CMSG_FIRSTHDR(&message);

	header->cmsg_level = SOL_SOCKET;
	header->cmsg_type = SCM_RIGHTS;
	header->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(header), &fd, sizeof(int));
	CHECK(sendmsg(fd, &message, MSG_NOSIGNAL) > 0);
}

static void test_descriptors_are_not_taken(void)
{
	int fd, before;

	setup();
	fd = client_open();
	pump();
	before = count_fds();
	for (int i = 0; i < 100; i++) {
		send_with_fd(fd, "{\"verb\":\"status\"}\n");
		pump();
		CHECK_CONTAINS(client_receive(fd), "\"ok\":true");
	}
	CHECK_INT(count_fds(), before);
	close(fd);
	teardown();
}

/** The child is nobody and tries each verb; exits 0 if it was answered as it should be. */
static int run_as_nobody(void)
{
	static const char *const lines[] = {"{\"verb\":\"disable\"}\n", "{\"verb\":\"reload\"}\n",
	                                    "{\"verb\":\"release\"}\n", "{\"verb\":\"enable\"}\n"};
	int fd;

	if (setgid(NOBODY_UID) < 0 || setuid(NOBODY_UID) < 0)
		return 2;
	fd = client_open();
	fcntl(fd, F_SETFL, 0);
	client_send(fd, "{\"verb\":\"status\"}\n", 18);
	if (!strstr(client_receive(fd), "\"ok\":true"))
		return 3;
	for (size_t i = 0; i < ARRAY_SIZE(lines); i++) {
		client_send(fd, lines[i], strlen(lines[i]));
		if (!strstr(client_receive(fd), "\"code\":\"EPERM\""))
			return 4;
	}
	return 0;
}

static void test_others_change_nothing(void)
{
	int status = -1;
	pid_t child;

	if (geteuid() != 0)
		TEST_SKIP("needs root to become somebody else");
	setup();
	CHECK(chmod(fixture.path, 0666) == 0); /* as if nobody were in the group */
	child = fork();
	CHECK(child >= 0);
	if (child == 0)
		_exit(run_as_nobody());
	while (waitpid(child, &status, WNOHANG) == 0)
		sd_event_run(fixture.event, 10000);
	CHECK(WIFEXITED(status));
	CHECK_INT(WEXITSTATUS(status), 0);
	CHECK_INT(fixture.handled, 1);
	teardown();
}

static void test_group(void)
{
	struct group *group = getgrgid(getgid());
	struct stat st;

	if (!group)
		TEST_SKIP("this user's group has no name");
	setup();
	fixture.server = control_server_free(fixture.server);
	CHECK_INT(control_server_new(&fixture.server, fixture.event, fixture.path, group->gr_name,
	                             &ops),
	          0);
	CHECK(stat(fixture.path, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0660);
	CHECK_INT(st.st_gid, getgid());
	teardown();
}

static void test_access_and_replacing(void)
{
	struct control_server *other = NULL;
	char path[128], longest[200];
	struct stat st;
	int fd;

	setup();
	CHECK(stat(fixture.path, &st) == 0);
	CHECK_INT(st.st_mode & 0777, 0600); /* there is no such group */
	fixture.server = control_server_free(fixture.server);
	snprintf(path, sizeof(path), "%s/file", fixture.directory);
	fd = open(path, O_CREAT | O_WRONLY, 0600);
	CHECK(fd >= 0);
	close(fd);
	CHECK_INT(control_server_new(&other, fixture.event, path, NULL, &ops), -EEXIST);
	CHECK(unlink(path) == 0);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	CHECK_INT(control_server_new(&other, fixture.event, longest, NULL, &ops), -ENAMETOOLONG);
	CHECK_INT(control_server_new(&fixture.server, fixture.event, fixture.path, NULL, &ops), 0);
	/* a second one takes the path over; the first does not remove what is not its own */
	CHECK_INT(control_server_new(&other, fixture.event, fixture.path, NULL, &ops), 0);
	fixture.server = control_server_free(fixture.server);
	CHECK(stat(fixture.path, &st) == 0);
	fixture.server = other;
	CHECK_CONTAINS(ask("{\"verb\":\"status\"}"), "\"ok\":true");
	teardown();
}

TEST_MAIN({"descriptors_are_not_taken", test_descriptors_are_not_taken},
          {"others_change_nothing", test_others_change_nothing}, {"group", test_group},
          {"access_and_replacing", test_access_and_replacing})
