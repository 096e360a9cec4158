/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "ctl/render_interrupts.h"

#include <inttypes.h>

#include "ctl/value.h"
#include "util/cleanup.h"

/* Adds a cell with @part as a percentage of @all, such as "99.5 %"; "-" if @all is 0. */
static void cell_part(struct table *table, int64_t part, int64_t all)
{
	int64_t permille;

	if (part < 0 || all <= 0 || part > all) {
		table_add(table, "-");
		return;
	}
	permille = (int64_t)((double)part * 1000 / (double)all);
	table_addf(table, "%" PRId64 ".%" PRId64 " %%", permille / 10, permille % 10);
}

/* Waits for another vCPU that was known. */
static int64_t helps_known(const struct json_value *help)
{
	return value_number(help, "named") + value_number(help, "sent") +
	       value_number(help, "pending");
}

static void cell_helps(struct table *table, const struct json_value *help)
{
	if (help)
		table_addf(table, "%" PRId64, helps_known(help) + value_number(help, "relaxed"));
	else
		table_add(table, "-");
}

void render_interrupts(const struct json_value *vcpus, FILE *out)
{
	static const struct table_column columns[] = {
	        {"VCPU", true},      {"IRQS", true},   {"SEEN", true},   {"DELIVERED", true},
	        {"OWN", true},       {"WAITED", true}, {"BOOSTS", true}, {"SPINS", true},
	        {"UNBOOSTED", true}, {"HELPS", true},  {"PULSES", true},
	};
	CLEANUP(table_cleanup) struct table *table = table_new(columns, ARRAY_SIZE(columns));
	bool any = false;

	JSON_FOREACH(vcpu, vcpus)
	{
		const struct json_value *paths = json_member(vcpu, "interrupt_paths");
		const struct json_value *help = json_member(vcpu, "help");
		int64_t injected = value_number(paths, "injected");
		int64_t unseen = value_number(paths, "injected_unseen");

		any = any || injected > 0 || value_number(paths, "delivered") > 0 ||
		      value_number(vcpu, "spin_signs") > 0;
		cell_number(table, vcpu, "vcpu");
		cell_number(table, paths, "injected");
		cell_part(table, injected - unseen, injected);
		cell_number(table, paths, "delivered");
		cell_number(table, paths, "delivered_own");
		cell_number(table, paths, "delivered_waiting");
		cell_number(table, vcpu, "interrupt_boosts_total");
		cell_number(table, vcpu, "spin_signs");
		cell_number(table, vcpu, "spins_total");
		cell_helps(table, help);
		cell_number(table, help, "pulses");
	}
	if (!any)
		return;
	fputs("\n", out);
	table_print(table, out);
}

void render_signs(const struct json_value *vcpu, FILE *out)
{
	int64_t boosts = value_number(vcpu, "interrupt_boosts_total");
	int64_t spins = value_number(vcpu, "spins_total");
	int64_t pushed = value_number(vcpu, "pushed_total");

	if (boosts > 0)
		fprintf(out, "  boosted for interrupts that came while it waited: %" PRId64 "\n",
		        boosts);
	if (spins > 0)
		fprintf(out, "  unboosted because its guest spun: %" PRId64 "\n", spins);
	if (pushed > 0)
		fprintf(out,
		        "  pushed from a CPU that had used up its share to another CPU: %" PRId64
		        "\n",
		        pushed);
}

void render_help(const struct json_value *vcpu, FILE *out)
{
	const struct json_value *help = json_member(vcpu, "help");
	int64_t known = helps_known(help);
	int64_t guessed = value_number(help, "relaxed"), none = value_number(help, "none");

	if (!help)
		return;
	if (known + guessed + none > 0)
		fprintf(out,
		        "  waited for another vCPU: %" PRId64 " known, %" PRId64
		        " guessed, %" PRId64 " not found; could not be helped: %" PRId64 "\n",
		        known, guessed, none, value_number(help, "no_pulse"));
	if (value_number(help, "pulses") > 0)
		fprintf(out, "  boosted for another vCPU that waited for it: %" PRId64 "\n",
		        value_number(help, "pulses"));
	if (value_number(help, "holds") > 0)
		fprintf(out, "  held because its guest spun: %" PRId64 "\n",
		        value_number(help, "holds"));
}

void render_interrupt_counts(const struct json_value *events, FILE *out)
{
	int64_t permille = value_number(events, "injections_seen_permille");

	if (value_number(events, "deliveries") <= 0 && permille < 0)
		return;
	fprintf(out,
	        "Interrupts: %" PRId64 " delivered to managed vCPUs (%" PRId64
	        " by themselves), %" PRId64 " to others, %" PRId64
	        " by interrupt handlers, %" PRId64 " left to the hardware",
	        value_number(events, "deliveries"), value_number(events, "deliveries_own"),
	        value_number(events, "deliveries_unattributed"),
	        value_number(events, "deliveries_in_handler"),
	        value_number(events, "deliveries_by_hardware"));
	if (permille >= 0)
		fprintf(out,
		        "; %" PRId64 ".%" PRId64
		        " %% of those that KVM injected were seen at delivery",
		        permille / 10, permille % 10);
	fputs("\n", out);
}
