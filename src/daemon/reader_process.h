/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * Starts the reader (reader/reader.h), and starts it again when it dies. Carries the requests of
 * the main thread to it, and its replies back. Nothing here waits.
 */

#include <systemd/sd-event.h>

#include "reader/board.h"
#include "reader/wire.h"
#include "util/base.h"
#include "virt/vm_conf.h"

struct reader_process;

/** Those of the main thread that send requests: each gets the replies to its own. */
enum reader_user {
	READER_USER_CARRIERS,
	READER_USER_AGENTS,
	_READER_USER_MAX,
};

/** The ids of a user's requests begin here, and the user is read off them. */
#define READER_ID_SHIFT 56

/** What it tells upwards. */
struct reader_news {
	void (*replied)(void *userdata, const struct reader_reply *reply);
	/** A reader is gone, with the carriers that it had; requests without a reply have none. */
	void (*lost)(void *userdata);
	/** Another one runs. */
	void (*renewed)(void *userdata);
	void *userdata;
};

/**
 * Makes the board, and starts a reader, before any thread exists. Where that fails, the journal
 * says so, and it is tried again once there is a loop. Returns 0 and *ret, or -errno.
 * @pve_dir  where Proxmox's configurations of VMs are; it must stay
 */
int reader_process_new(struct reader_process **ret, const char *pve_dir);

/** Ends the reader, without waiting for it. Takes NULL; returns NULL. */
struct reader_process *reader_process_free(struct reader_process *reader);

/** Ties it to the loop. Returns 0, or -errno. */
int reader_process_attach(struct reader_process *reader, sd_event *event);

/** Where its news for @user go; NULL: nowhere. */
void reader_process_report_to(struct reader_process *reader, enum reader_user user,
                              const struct reader_news *news);

/** Returns 0; -EAGAIN: no reader takes it now, or there is no room; -errno. */
int reader_process_send(struct reader_process *reader, const struct reader_request *request);

/** A descriptor that becomes readable with replies; for waiting at the end. -1: no reader. */
int reader_process_fd(const struct reader_process *reader);

/** Handles the replies that are there. */
void reader_process_receive(struct reader_process *reader);

/**
 * It did not begin a job in time: it is ended, and another one is started. Its threads that hang in
 * the kernel stay behind, and hold nothing of the daemon's.
 */
void reader_process_distrust(struct reader_process *reader);

/** How sources of domains ask it for command lines. */
struct cmdline_reader reader_process_cmdlines(const struct reader_process *reader);

/** How they ask it for Proxmox's configurations of VMs. */
struct vm_conf_reader reader_process_confs(const struct reader_process *reader);

struct board *reader_process_board(const struct reader_process *reader);

struct reader_process_view {
	pid_t pid; /* 0: none runs */
	uint64_t starts_total;
	unsigned int stuck; /* QEMUs that hold up one of its threads */
	pid_t stuck_pids[8];
};

void reader_process_read(const struct reader_process *reader, struct reader_process_view *ret);

/** How it fares, for people. Returns false where something is amiss. */
bool reader_process_describe(const struct reader_process *reader, char *text, size_t size);
