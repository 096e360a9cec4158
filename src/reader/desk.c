// SPDX-License-Identifier: GPL-2.0-or-later
#include "reader/desk.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>

#include "util/thread.h"
#include "virt/vm_conf.h"

#define STACK_BYTES (256 * 1024)

/* One at a time: it is written before its thread begins, and again only after @busy was cleared. */
static struct {
	atomic_bool busy;
	const char *dir;
	struct reader_request request;
	int socket;
} desk;

static struct reader_reply reply_to(const struct reader_request *request)
{
	return (struct reader_reply){.id = request->id, .job = request->job};
}

static void *desk_main(void *userdata)
{
	struct reader_reply reply = reply_to(&desk.request);
	int socket = desk.socket;

	(void)userdata;
	reply.result = vm_conf_read(desk.dir, desk.request.vmid, &reply.labels);
	atomic_store(&desk.busy, false); /* before the reply: the next request may follow from it */
	reader_reply_send(socket, &reply);
	return NULL;
}

static int begin(const char *dir, const struct reader_request *request, int socket)
{
	pthread_t thread;

	if (atomic_exchange(&desk.busy, true))
		return -EBUSY;
	desk.dir = dir;
	desk.request = *request;
	desk.socket = socket;
	if (thread_begin(&thread, STACK_BYTES, desk_main, NULL) < 0) {
		atomic_store(&desk.busy, false);
		return -EAGAIN;
	}
	pthread_detach(thread);
	return 0;
}

void desk_serve(const char *dir, const struct reader_request *request, int socket)
{
	struct reader_reply reply = reply_to(request);

	reply.result = begin(dir, request, socket);
	if (reply.result < 0)
		reader_reply_send(socket, &reply);
}
