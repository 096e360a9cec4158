/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "agent/agent.h"

/** Runs until SIGTERM. Logs what happens. Returns an exit code. */
enum agent_exit agent_run(const struct agent_options *options, const struct settings *settings);
