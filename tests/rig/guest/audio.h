/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

/*
 * When an audio device wants its buffers, and which of them came too late. Pure: time is a
 * parameter.
 *
 * The device plays one buffer in each period. At the beginning of period N it asks for the buffer
 * that it plays in period N + 1. The callback for it may begin then, and must have ended when
 * period N + 1 begins. A callback that ends after that is a glitch. So is each whole period that it
 * stood in the way of, since the device had nothing to play in these either. Then the device wants
 * the buffer of the period that goes on.
 */

#include <stdint.h>

#define AUDIO_RATE_MAX    192000
#define AUDIO_FRAMES_MAX  8192
#define AUDIO_SLOW_MAX    20
#define AUDIO_SECONDS_MAX 3600

/** What the device is. Up to the limits above all products fit into 64 bits. */
struct audio {
	int64_t frames; /* of a buffer */
	int64_t rate;   /* frames per second */
	int64_t slow;   /* periods are so many times as long */
	int64_t begin_ns;
};

struct audio_count {
	int64_t periods;  /* that had to be served */
	int64_t glitches; /* of these, missed */
	int64_t gaps;     /* stretches of glitches that follow each other */
	int64_t longest;  /* of them, in periods */
	int64_t now;      /* glitches just before the next period */
};

/** When the callback of that period may begin. Exact: no error adds up. */
static inline int64_t audio_due_ns(const struct audio *audio, int64_t period)
{
	return audio->begin_ns + period * audio->frames * audio->slow * 1000000000 / audio->rate;
}

/** When it must have ended. */
static inline int64_t audio_deadline_ns(const struct audio *audio, int64_t period)
{
	return audio_due_ns(audio, period + 1);
}

/** The first period from @period on whose deadline was not over at @now_ns. */
static inline int64_t audio_open(const struct audio *audio, int64_t period, int64_t now_ns)
{
	int64_t over = (now_ns - audio->begin_ns) / 1000 * audio->rate /
	               (audio->frames * audio->slow * 1000000);

	/* at most one too many: its deadline may be this very moment */
	if (over - 1 > period)
		period = over - 1;
	while (audio_deadline_ns(audio, period) < now_ns)
		period++;
	return period;
}

/** The callback of @period ended at @end_ns: counts; returns which one is next. */
static inline int64_t audio_ended(const struct audio *audio, struct audio_count *count,
                                  int64_t period, int64_t end_ns)
{
	int64_t next = audio_open(audio, period, end_ns), missed = next - period;

	if (!missed) {
		count->periods++;
		count->now = 0;
		return period + 1;
	}
	count->gaps += !count->now;
	count->now += missed;
	count->periods += missed;
	count->glitches += missed;
	if (count->now > count->longest)
		count->longest = count->now;
	return next;
}
