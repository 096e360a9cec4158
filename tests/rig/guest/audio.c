/* SPDX-License-Identifier: GPL-2.0-or-later */

/*
 * A thread as audio servers have one: SCHED_FIFO, woken once per buffer, with work to do until the
 * next.
 *
 *   audio speed            how fast this CPU works, to be asked on an idle host:
 *                          {"ok":true,"loops_per_ms":N}
 *   audio FRAMES RATE SLOW SECONDS LOOPS
 *                          buffers of FRAMES at RATE, in periods SLOW times as long, with so many
 *                          LOOPS of work for each: # start, # end, {"ok":true,"periods":N,
 *                          "glitches":N,"gaps":N,"longest":N,"late_max_us":N}: see audio.h; late is
 *                          the beginning of a callback
 *
 * The work is loops, not time: a vCPU that loses its CPU amid a callback has all of it left to do.
 */

#include <errno.h>
#include <sched.h>
#include <sys/mman.h>

#include "audio.h"
#include "commands.h"

#define AUDIO_PRIORITY 80
#define SPEED_ATTEMPTS 40
#define SPEED_LEAST_NS 1000000
#define LOOPS_MAX      100000000000
#define MS_NS          1000000

static void work(int64_t loops)
{
	for (int64_t i = 0; i < loops; i++)
		__asm__ volatile("" : "+r"(i));
}

static int64_t work_ns(int64_t loops)
{
	int64_t begin_ns = now_ns();

	work(loops);
	return now_ns() - begin_ns;
}

/* 0 or -errno */
static int realtime_begin(void)
{
	if (sched_setscheduler(0, SCHED_FIFO, &(struct sched_param){AUDIO_PRIORITY}) < 0)
		return -errno;
	mlockall(MCL_CURRENT);
	return 0;
}

static void realtime_end(void)
{
	sched_setscheduler(0, SCHED_OTHER, &(struct sched_param){0});
	munlockall();
}

/* The best of some attempts: in it nothing else ran on the CPU. */
static long loops_per_ms(void)
{
	int64_t loops = 1024, best_ns = work_ns(loops);

	while (best_ns < SPEED_LEAST_NS && loops < LOOPS_MAX)
		best_ns = work_ns(loops *= 2);
	for (int i = 0; i < SPEED_ATTEMPTS; i++) {
		int64_t ns = work_ns(loops);

		if (ns < best_ns)
			best_ns = ns;
	}
	return best_ns > 0 ? loops * MS_NS / best_ns : 0;
}

/* Returns the latest beginning of a callback, in ns. */
static int64_t play(const struct audio *audio, struct audio_count *count, int64_t seconds,
                    int64_t loops)
{
	int64_t end_ns = audio->begin_ns + seconds * 1000 * MS_NS, now = audio->begin_ns;
	int64_t late_max_ns = 0;

	for (int64_t period = 0; now < end_ns;) {
		int64_t due_ns = audio_due_ns(audio, period);

		if (now < due_ns) {
			sleep_until(due_ns);
			now = now_ns();
			if (now - due_ns > late_max_ns)
				late_max_ns = now - due_ns;
		}
		work(loops);
		now = now_ns();
		period = audio_ended(audio, count, period, now);
	}
	return late_max_ns;
}

static void do_speed(void)
{
	int r = realtime_begin();
	long loops;

	if (r < 0) {
		fail("audio", -r);
		return;
	}
	loops = loops_per_ms();
	realtime_end();
	answer("{\"ok\":true,\"loops_per_ms\":%ld}", loops);
}

void do_audio(char **words, int n)
{
	struct audio_count count = {0};
	long frames, rate, slow, seconds, loops;
	struct audio audio;
	int64_t late_ns = 0;
	int r;

	if (n == 2 && words[1][0] == 's') {
		do_speed();
		return;
	}
	if (n != 6 || !number(words[1], 1, AUDIO_FRAMES_MAX, &frames) ||
	    !number(words[2], 8000, AUDIO_RATE_MAX, &rate) ||
	    !number(words[3], 1, AUDIO_SLOW_MAX, &slow) ||
	    !number(words[4], 1, AUDIO_SECONDS_MAX, &seconds) ||
	    !number(words[5], 1, LOOPS_MAX, &loops)) {
		fail("audio speed, or FRAMES RATE SLOW SECONDS LOOPS", EINVAL);
		return;
	}
	answer("# start");
	r = realtime_begin();
	if (r == 0) {
		audio = (struct audio){frames, rate, slow, now_ns()};
		late_ns = play(&audio, &count, seconds, loops);
		realtime_end();
	}
	answer("# end");
	if (r < 0)
		fail("audio", -r);
	else
		answer("{\"ok\":true,\"periods\":%lld,\"glitches\":%lld,\"gaps\":%lld,"
		       "\"longest\":%lld,\"late_max_us\":%lld}",
		       (long long)count.periods, (long long)count.glitches, (long long)count.gaps,
		       (long long)count.longest, (long long)(late_ns / 1000));
}
