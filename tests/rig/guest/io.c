/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * Throughput of a virtio disk and a virtio network card, in the image that has fio, iperf3 and the
 * drivers (guest-image --io):
 *
 *   address ADDRESS/PREFIX              of the first network card, then up: {"ok":true}
 *   fio DEPTH SECONDS                   random reads of 4 KiB from the first disk, DEPTH at once:
 *                                       # start, # end, {"ok":true}
 *   iperf3 ADDRESS SECONDS [reverse]    one TCP stream to the server there, or from it: the same
 *
 * How much they did the host counts.
 */

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "commands.h"

/* fio says itself when it is loaded and begins, and when it is done: on a busy host its fifty
   libraries take longer than the measurement. In parentheses, since it redirects the whole. */
#define MARK(which, text) "--exec_" which "run=(echo '# " text "' >/dev/ttyS1)"

/* Where it fails, that is answered. */
static bool measure(char *const argv[])
{
	int code = run(argv, "/dev/null");

	if (code == 0)
		return true;
	answer("{\"ok\":false,\"error\":\"%s ended with code %d\"}", argv[0], code);
	return false;
}

void do_address(char **words, int n)
{
	char *up[] = {"/bin/busybox", "ip", "link", "set", "eth0", "up", NULL};
	char *add[] = {"/bin/busybox",           "ip",  "address", "add",
	               n == 2 ? words[1] : NULL, "dev", "eth0",    NULL};

	if (n != 2)
		fail("address ADDRESS/PREFIX", EINVAL);
	else if (run(add, "/dev/null") || run(up, "/dev/null"))
		fail("address of eth0", EADDRNOTAVAIL);
	else
		answer("{\"ok\":true}");
}

void do_fio(char **words, int n)
{
	char depth[32], runtime[32];
	long n_requests, seconds;

	if (n != 3 || !number(words[1], 1, 256, &n_requests) ||
	    !number(words[2], 1, 3600, &seconds)) {
		fail("fio DEPTH SECONDS", EINVAL);
		return;
	}
	snprintf(depth, sizeof(depth), "--iodepth=%ld", n_requests);
	snprintf(runtime, sizeof(runtime), "--runtime=%ld", seconds);
	if (measure((char *const[]){"/usr/bin/fio", "--minimal", "--name=disk",
	                            "--filename=/dev/vda", "--readonly", "--rw=randread", "--bs=4k",
	                            "--direct=1", "--ioengine=libaio", "--time_based", "--thread",
	                            "--cpus_allowed=0", MARK("pre", "start"), MARK("post", "end"),
	                            depth, runtime, NULL}))
		answer("{\"ok\":true}");
}

void do_iperf3(char **words, int n)
{
	long seconds;

	if (n < 3 || n > 4 || !number(words[2], 1, 3600, &seconds) ||
	    (n == 4 && strcmp(words[3], "reverse"))) {
		fail("iperf3 ADDRESS SECONDS [reverse]", EINVAL);
		return;
	}
	answer("# start");
	if (!measure((char *const[]){"/usr/bin/iperf3", "--client", words[1], "--affinity", "0",
	                             "--time", words[2], "--interval", "0", "--connect-timeout",
	                             "10000", n == 4 ? "--reverse" : NULL, NULL}))
		return;
	answer("# end");
	answer("{\"ok\":true}");
}
