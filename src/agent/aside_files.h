/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * What the kernel lets be moved by files: interrupts, and unbound work. And irqbalance, which would
 * move the interrupts back.
 */

#include "agent/aside_places.h"
#include "agent/aside_record.h"

/**
 * Adds entries for what may run on @avoided, and changes those that there are. Returns 0, or
 * -ENOMEM.
 */
int aside_files_plan(const struct aside_places *places, const struct cpu_set_bits *avoided,
                     struct aside_record *record);

/**
 * Makes them as their entries say; @back as aside_slices_apply() has it. An interrupt that the
 * kernel does not let be moved is gone. Returns how many are.
 */
unsigned int aside_files_apply(const struct aside_places *places, struct aside_record *record,
                               bool back);

/** Of an interrupt of this name, or the others: its file and whether that has a list. */
bool aside_file_of(const struct aside_places *places, const struct aside_entry *entry, char *path,
                   size_t size);
