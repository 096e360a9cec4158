/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/* What an agent is to be answered, as configuration and inventory are now. Reads and decides. */

#include "channel/peer.h"
#include "config/config.h"
#include "daemon/agent_cids.h"
#include "util/base.h"

/** What decides. */
struct agent_rules {
	const struct config_host *host;
	/* whether the hints of a domain's guest are taken; NULL: no one's are */
	bool (*allowed)(void *userdata, const struct inventory_domain *domain);
	void *userdata;
	struct agent_cids cids;
};

struct agent_decision {
	/* PVSCHED_CHANNEL_SERVED: with this policy, if its pages are proven */
	struct channel_verdict verdict;
	const struct inventory_domain *domain; /* NULL: none */
};

/** For a peer that has said hello. */
struct agent_decision agent_decide(const struct agent_rules *rules,
                                   const struct channel_peer *peer);

/** True if what the peer was told, or will be, is what is decided now. */
bool agent_decision_stands(const struct channel_peer *peer, const struct agent_decision *decision);
