/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include "agent/agent.h"

/** Prints the report of the agent that listens at @path: as it is, or for people. */
enum agent_exit status_show(const char *path, bool json);
