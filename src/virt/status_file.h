/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * libvirt's status file of a running domain, RUN/libvirt/qemu/NAME.xml: the only place where
 * libvirt writes down which thread is which vCPU. It is not a public interface. So a missing part
 * is "not known", and never an error of the domain. Parts of the file (title, metadata) come from
 * users that may define the domain.
 */

#include "model/domain.h"
#include "util/base.h"
#include "virt/xml.h"

/** A file larger than this is refused; real ones have 10 to 200 KiB. */
#define STATUS_FILE_MAX (4 * 1024 * 1024)

struct status_vcpu {
	unsigned int index;
	pid_t tid;
};

struct status_file {
	char uuid[DOMAIN_UUID_LEN]; /* "" if the file does not say */
	pid_t qemu;                 /* 0 if the file does not say */
	struct domain_cids cids;    /* of <vsock>: those that are plugged in now */
	size_t n_vcpus;
	struct status_vcpu *vcpus; /* the first DOMAIN_VCPUS_MAX */
};

/**
 * Parses a status file within the bounds of virt/xml.h. Document types, and with them entities, are
 * refused; nothing is fetched.
 * Returns 0 and *ret; -EBADMSG with the reason in *error when it is not a status file; -ENOMEM.
 */
int status_file_parse(const char *text, size_t size, struct status_file **ret,
                      struct xml_error *error);

/**
 * Reads and parses the file at @path, a regular file. Returns like status_file_parse(), or -errno
 * with an empty reason; -EFBIG when it is larger than STATUS_FILE_MAX.
 */
int status_file_read(const char *path, struct status_file **ret, struct xml_error *error);

/** Frees it; takes NULL; returns NULL. */
struct status_file *status_file_free(struct status_file *status);

/** For CLEANUP(). */
void status_file_cleanup(struct status_file **status);
