// SPDX-License-Identifier: GPL-2.0-or-later
#include "copier.h"

#include <errno.h>
#include <stdlib.h>

#include "util/clock.h"
#include "util/thread.h"

struct copier {
	struct board *board;
	struct guest_page_file file;
};

static void serve(const struct copier *copier, unsigned int slot, const struct board_ask *ask)
{
	struct board_copy copy = {
	        .generation = ask->generation, .index = ask->index, .writes = ask->writes};

	if (!board_is_written(copier->board, slot, ask) &&
	    guest_page_publish(&copier->file, &ask->snapshot) == 0)
		guest_page_answer(&copier->file, (enum pvsched_status)ask->status);
	copy.read_ns = clock_now_ns();
	copy.result = guest_page_read(&copier->file, &copy.words);
	board_put(copier->board, slot, &copy);
}

static void *run(void *userdata)
{
	const struct copier *copier = userdata;

	for (;;) {
		uint32_t calls = board_lane_calls(copier->board, 0);
		unsigned int from = 0, slot;
		struct board_ask ask;

		while (board_next_ask(copier->board, 0, &from, &slot, &ask))
			serve(copier, slot, &ask);
		board_lane_sleep(copier->board, 0, calls);
	}
	return NULL;
}

int copier_start(struct board *board, const struct guest_page_file *file)
{
	struct copier *copier = malloc(sizeof(*copier));
	pthread_t thread;

	if (!copier)
		return -ENOMEM;
	*copier = (struct copier){board, *file};
	return thread_begin(&thread, 0, run, copier);
}
