/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Marks as the tracer makes them, and the windows that the daemon reads out of them. Needs
 * src/daemon/windows.c alone.
 */
#include "daemon/windows.h"

#include "test.h"

#define MS 1000000ULL
#define S  1000000000ULL

static struct pvs_windows windows;
static struct pvs_vcpu_account vcpu;
static __u64 now;

static void begin(void)
{
	windows = (struct pvs_windows){};
	vcpu = (struct pvs_vcpu_account){};
	now = 1000 * S;
}

/* It waits for @wait_us, runs for a millisecond, and sleeps for the rest of @period_ns. */
static void wake(__u64 wait_us, __u64 period_ns)
{
	__u64 in_ns = now + wait_us * 1000;

	vcpu.wakeups++;
	vcpu.boosts += 2;
	vcpu.denied += 3;
	for (__u32 i = 0; i < PVS_WINDOWS; i++)
		pvs_window_update(&windows.windows[i], i, &vcpu, in_ns);
	vcpu.wait_counts[pvs_wait_bucket(wait_us * 1000)]++;
	vcpu.wait_ns += wait_us * 1000;
	vcpu.wakeups_boosted++;
	vcpu.run_ns += MS;
	vcpu.used_ns += MS / 2;
	vcpu.out_ns = in_ns + MS;
	now += period_ns;
}

static struct window_view view(unsigned int window)
{
	struct window_view ret;

	CHECK(window_read(&windows, window, &vcpu, now, &ret));
	return ret;
}

static __u64 waits(const struct window_view *view)
{
	__u64 n = 0;

	for (unsigned int i = 0; i < PVS_WAIT_BUCKETS; i++)
		n += view->wait_counts[i];
	return n;
}

static void test_nothing_yet(void)
{
	struct window_view ret;

	begin();
	for (unsigned int i = 0; i < PVS_WINDOWS; i++)
		CHECK(!window_read(&windows, i, &vcpu, now, &ret));
}

/* Ten times a second: each window has its own length's worth, whatever was before. */
static void test_steady(void)
{
	static const __u64 lengths[PVS_WINDOWS] = {10, 60, 600};

	begin();
	for (unsigned int i = 0; i < 20000; i++)
		wake(i < 12000 ? 5000 : 50, 100 * MS);
	for (unsigned int i = 0; i < PVS_WINDOWS; i++) {
		struct window_view seen = view(i);
		__u64 length_ns = now - seen.since_ns, n = length_ns / (100 * MS);

		/* a mark may be half a window older */
		CHECK_GE(length_ns, lengths[i] * S);
		CHECK_LE(length_ns, lengths[i] * S * 3 / 2 + 200 * MS);
		CHECK_GE(waits(&seen), n - 1);
		CHECK_LE(waits(&seen), n + 2);
		CHECK_U64(waits(&seen), seen.wait_counts[pvs_wait_bucket(50 * 1000)]);
		CHECK_U64(seen.run_ns, waits(&seen) * MS);
		CHECK_U64(seen.boosted_ns, waits(&seen) * MS / 2);
		CHECK_U64(seen.wait_ns, waits(&seen) * 50 * 1000);
		/* the wake-up at the mark is counted before it */
		CHECK_U64(seen.wakeups, waits(&seen) - 1);
		CHECK_U64(seen.wakeups_boosted, seen.wakeups);
		CHECK_U64(seen.boosts, 2 * seen.wakeups);
		CHECK_U64(seen.denied, 3 * seen.wakeups);
	}
}

/* For five minutes it sleeps: what was before is not in the last ten seconds. */
static void test_idle_between(void)
{
	struct window_view seen;

	begin();
	for (unsigned int i = 0; i < 100; i++)
		wake(5000, 10 * MS);
	now += 300 * S;
	seen = view(0);
	CHECK_U64(waits(&seen), 0);
	CHECK_U64(now - seen.since_ns, 10 * S);
	wake(70, 4 * S);
	seen = view(0);
	CHECK_U64(waits(&seen), 1);
	CHECK_U64(seen.wait_counts[pvs_wait_bucket(70 * 1000)], 1);
	CHECK_U64(now - seen.since_ns, 10 * S);
	seen = view(2);
	CHECK_U64(waits(&seen), 101);
}

static void test_since_it_was_seen(void)
{
	struct window_view seen;

	begin();
	for (unsigned int i = 0; i < 30; i++)
		wake(100, 100 * MS);
	for (unsigned int i = 0; i < PVS_WINDOWS; i++) {
		seen = view(i);
		CHECK_U64(waits(&seen), 30);
		CHECK_GE(seen.since_ns, 1000 * S);
		CHECK_LE(seen.since_ns, 1000 * S + MS);
	}
}

/* The slot is another vCPU's now, or a mark is just being made: neither is taken for one. */
static void test_marks_that_do_not_count(void)
{
	struct window_view ret;

	begin();
	for (unsigned int i = 0; i < 100; i++)
		wake(100, 100 * MS);
	for (unsigned int i = 0; i < PVS_WINDOW_MARKS; i++)
		windows.windows[0].marks[i].until_ns = 0;
	CHECK(!window_read(&windows, 0, &vcpu, now, &ret));
	vcpu = (struct pvs_vcpu_account){.out_ns = now, .run_ns = 1};
	CHECK(!window_read(&windows, 1, &vcpu, now, &ret) || ret.run_ns <= 1);
	/* a number that nothing wrote */
	windows.windows[2] = (struct pvs_window){.latest = ~0ULL - 7};
	pvs_window_update(&windows.windows[2], 2, &vcpu, now);
	CHECK_U64(windows.windows[2].latest, 0);
}

TEST_MAIN(TEST(test_nothing_yet), TEST(test_steady), TEST(test_idle_between),
          TEST(test_since_it_was_seen), TEST(test_marks_that_do_not_count))
