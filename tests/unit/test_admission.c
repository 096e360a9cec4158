// SPDX-License-Identifier: GPL-2.0-or-later
#include "policy/admission.h"

#include "test.h"

/* Sets as bit masks of up to 32 CPUs. */
static bool within(unsigned int inner, unsigned int outer, const void *userdata)
{
	const uint32_t *masks = userdata;

	return (masks[inner] & ~masks[outer]) == 0;
}

#define DOMAINS 4

static uint64_t shares_ppm[DOMAINS], sums_ppm[DOMAINS];

/* Each domain may use @share_permille. */
static void scale_domains(struct admission_demand *claims, size_t n, const uint32_t *masks,
                          size_t n_masks, uint32_t cap, uint64_t share_permille)
{
	unsigned int cpus[8];
	struct admission_sets sets = {n_masks, cpus, within, masks};
	struct admission_domains domains = {DOMAINS, shares_ppm, sums_ppm};

	for (size_t i = 0; i < DOMAINS; i++)
		shares_ppm[i] = 1000 * share_permille;

	for (size_t i = 0; i < n_masks; i++)
		cpus[i] = (unsigned int)__builtin_popcount(masks[i]);
	admission_scale(claims, n, &sets, &domains, cap);
}

static void scale(struct admission_demand *claims, size_t n, const uint32_t *masks, size_t n_masks,
                  uint32_t cap)
{
	scale_domains(claims, n, masks, n_masks, cap, 1000000);
}

static void test_what_fits_is_untouched(void)
{
	uint32_t masks[] = {0x3};
	struct admission_demand claims[] = {{0, 0, 200000}, {0, 0, 200000}, {0, 0, 200000}};

	scale(claims, 3, masks, 1, 300);
	for (int i = 0; i < 3; i++)
		CHECK_INT(claims[i].share_ppm, 200000);
}

static void test_scaled_down_alike(void)
{
	uint32_t masks[] = {0x1};
	struct admission_demand claims[] = {{0, 0, 200000}, {0, 0, 200000}, {0, 0, 100000}};

	scale(claims, 3, masks, 1, 250);
	CHECK_INT(claims[0].share_ppm, 100000);
	CHECK_INT(claims[1].share_ppm, 100000);
	CHECK_INT(claims[2].share_ppm, 50000);
}

static void test_pinned_ones_do_not_starve_the_free(void)
{
	uint32_t masks[] = {0x1, 0x3};
	struct admission_demand claims[] = {{0, 0, 200000}, {0, 0, 200000}, {0, 1, 200000}};

	scale(claims, 3, masks, 2, 300);
	CHECK_INT(claims[0].share_ppm, 150000);
	CHECK_INT(claims[2].share_ppm, 200000);
}

static void test_no_cpu_no_share(void)
{
	uint32_t masks[] = {0};
	struct admission_demand claims[] = {{0, 0, 200000}};

	scale(claims, 1, masks, 1, 300);
	CHECK_INT(claims[0].share_ppm, 0);
}

/* A domain's vCPUs promise together what its bucket lets pass; and that is scaled with them. */
static void test_domains(void)
{
	uint32_t masks[] = {0x1, 0x2};
	struct admission_demand many[] = {
	        {0, 0, 200000}, {0, 0, 200000}, {0, 0, 200000}, {1, 0, 200000}};
	struct admission_demand pinned[] = {{0, 0, 200000}, {0, 1, 200000}, {1, 0, 200000}};

	/* 300 and 200 of 250: half of each */
	scale_domains(many, 4, masks, 2, 250, 300);
	CHECK_INT(many[0].share_ppm, 100000);
	CHECK_INT(many[3].share_ppm, 100000);
	CHECK_U64(shares_ppm[0], 150000);
	CHECK_U64(shares_ppm[1], 300000); /* its vCPU alone is less */
	/* one on the CPU of another domain, one elsewhere: there it may use all of its share */
	scale_domains(pinned, 3, masks, 2, 300, 200);
	CHECK_INT(pinned[0].share_ppm, 150000);
	CHECK_INT(pinned[1].share_ppm, 200000);
	CHECK_INT(pinned[2].share_ppm, 150000);
	CHECK_U64(shares_ppm[0], 200000);
}

/* For every set, whatever the order and the numbers: what is given is what there is, at most. */
static void test_never_above_the_cap(void)
{
	uint64_t seed = 42;

	for (int round = 0; round < 2000; round++) {
		uint32_t masks[6];
		struct admission_demand claims[40];
		size_t n = 1 + (size_t)(round % 40);

		for (int i = 0; i < 6; i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			masks[i] = (uint32_t)(seed >> 40) & 0xff;
		}
		for (size_t i = 0; i < n; i++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			claims[i].domain = (unsigned int)(seed >> 20) % DOMAINS;
			claims[i].set = (unsigned int)(seed >> 33) % 6;
			claims[i].share_ppm = (uint32_t)(seed >> 45) % 1000000;
		}
		scale_domains(claims, n, masks, 6, 300, (uint64_t)(round % 7) * 300);
		for (unsigned int set = 0; set < 6; set++) {
			uint64_t sum = 0, sums[DOMAINS] = {0};

			for (size_t i = 0; i < n; i++)
				if (within(claims[i].set, set, masks))
					sums[claims[i].domain] += claims[i].share_ppm;
			for (size_t i = 0; i < DOMAINS; i++)
				sum += MIN(sums[i], shares_ppm[i]);
			CHECK(sum <= 300000u * (unsigned int)__builtin_popcount(masks[set]));
		}
	}
}

TEST_MAIN({"what_fits_is_untouched", test_what_fits_is_untouched},
          {"scaled_down_alike", test_scaled_down_alike},
          {"pinned_ones_do_not_starve_the_free", test_pinned_ones_do_not_starve_the_free},
          {"no_cpu_no_share", test_no_cpu_no_share}, {"domains", test_domains},
          {"never_above_the_cap", test_never_above_the_cap})
