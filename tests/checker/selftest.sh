#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Does sched-snapshot see what it is for? Changes a process of its own and looks. Needs root for some.
# Usage: selftest.sh PATH-TO-SCHED-SNAPSHOT
set -u

snapshot=${1:?usage: selftest.sh PATH-TO-SCHED-SNAPSHOT}
dir=$(mktemp -d) || exit 2
passed=0 failed=0 skipped=0
sleep 600 &
pid=$!
renice -n 0 -p "$pid" >/dev/null # whatever this was started with
extra=
group= # made here
parent= # made here too
cleanup() {
	kill "$pid" $extra 2>/dev/null
	[ -n "$group" ] && rmdir "$group"
	[ -n "$parent" ] && rmdir "$parent"
	rm -rf "$dir"
}
trap cleanup EXIT
trap 'exit 2' INT TERM
sleep 0.2 # the exec is over

ok() {
	passed=$((passed + 1))
	echo "ok $1"
}

not_ok() {
	failed=$((failed + 1))
	echo "not ok $1"
	sed 's/^/  /' "$dir/out"
}

skip() {
	skipped=$((skipped + 1))
	echo "skipped $1: $2"
}

save() {
	"$snapshot" save "$dir/file" --pid "$pid" || exit 2
}

# sees NAME PATTERN [OPTION...]: compare finds exactly this difference
sees() {
	name=$1 pattern=$2
	shift 2
	"$snapshot" compare "$dir/file" "$@" >"$dir/out" 2>&1
	status=$?
	if [ $status -eq 1 ] && grep -q -- "$pattern" "$dir/out"; then
		ok "$name"
	else
		not_ok "$name (status $status, wanted: $pattern)"
	fi
}

# quiet NAME [OPTION...]: compare finds nothing
quiet() {
	name=$1
	shift
	"$snapshot" compare "$dir/file" "$@" >"$dir/out" 2>&1
	status=$?
	if [ $status -eq 0 ]; then ok "$name"; else not_ok "$name (status $status)"; fi
}

save
quiet "nothing changed" --pid "$pid"

renice -n 5 -p "$pid" >/dev/null
sees "nice" "thread $pid (sleep).*: nice was 0, is 5" --pid "$pid"
quiet "--except" --pid "$pid" --except "$pid"
sees "--json" '"what": "nice", "before": "0", "after": "5"' --pid "$pid" --json
if "$snapshot" compare "$dir/file" --pid "$pid" --json |
	python3 -c 'import json,sys; assert json.load(sys.stdin)["differences"][0]["after"] == "5"'; then
	ok "--json is JSON"
else
	not_ok "--json is JSON"
fi

save
chrt -b -p 0 "$pid"
sees "policy" "policy was OTHER, is BATCH" --pid "$pid"

save
taskset -pc 0 "$pid" >/dev/null
if [ "$(nproc)" -gt 1 ]; then
	sees "affinity" "affinity was .*, is 0" --pid "$pid"
else
	skip "affinity" "one CPU"
fi

if chrt -f 1 true 2>/dev/null; then
	chrt -o -p 0 "$pid"
	echo 7777 >"/proc/$pid/timerslack_ns"
	save
	chrt -f -R -p 1 "$pid"
	sees "class" "policy was OTHER, is FIFO" --pid "$pid"
	sees "priority" "priority was 0, is 1" --pid "$pid"
	sees "reset on fork" "flags was 0x0, is 0x1" --pid "$pid"
	chrt -o -p 0 "$pid"
	sees "slack is lost by the way back" "timerslack_ns was 7777, is" --pid "$pid"
	echo 7777 >"/proc/$pid/timerslack_ns"
	renice -n 5 -p "$pid" >/dev/null
	quiet "put back" --pid "$pid"

	# a new real-time thread: of a QEMU, and of another program
	"$snapshot" save "$dir/file" || exit 2
	cp "$(command -v sleep)" "$dir/qemu-system-fake"
	chrt -f 1 sleep 600 &
	other=$!
	chrt -f 1 "$dir/qemu-system-fake" 600 &
	extra="$other $!"
	sleep 0.3
	sees "new RT thread of a QEMU" "thread $! (qemu-system-fak).*existence was none, is FIFO 1"
	if grep -q "thread $other " "$dir/out"; then
		not_ok "new RT thread of another program is not reported"
	else
		ok "new RT thread of another program is not reported"
	fi
	"$snapshot" compare "$dir/file" --ignore-new >"$dir/out"
	if grep -q existence "$dir/out"; then not_ok "--ignore-new"; else ok "--ignore-new"; fi
else
	skip "real-time classes" "not permitted"
fi

# another slice counts for a process, not for a kernel thread
slice_in_file() {
	awk -F'\t' -v OFS='\t' -v tid="$1" '$1 == "T" && $2 == tid { $11 = 12345; found = 1 } 1; END { exit !found }' \
		"$dir/file" >"$dir/other" && mv "$dir/other" "$dir/file"
}
save
if slice_in_file "$pid"; then sees "slice" "runtime was 12345, is" --pid "$pid"; else not_ok "slice"; fi
"$snapshot" save "$dir/file" --pid 2 || exit 2
if [ "$(cat /proc/2/comm)" = kthreadd ] && slice_in_file 2; then
	quiet "slice of a kernel thread" --pid 2
else
	skip "slice of a kernel thread" "none is seen from here"
fi

# values of a virtual machine's cgroup
for root in /sys/fs/cgroup/cpu /sys/fs/cgroup/cpu,cpuacct /sys/fs/cgroup; do
	[ -w "$root" ] || continue
	# "machine" may be libvirt's: only what was made here is removed
	mkdir "$root/machine" 2>/dev/null && parent="$root/machine"
	if mkdir "$root/machine/snapshot selftest $$" 2>/dev/null; then
		group="$root/machine/snapshot selftest $$"
		break
	fi
	[ -n "$parent" ] && rmdir "$parent"
	parent=
done
knob= before= after=
if [ -w "$group/cpu.shares" ]; then knob=cpu.shares before=1024 after=2048; fi
if [ -w "$group/cpu.weight" ]; then knob=cpu.weight before=100 after=200; fi
if [ -n "$knob" ]; then
	save
	echo $after >"$group/$knob"
	sees "value of a cgroup" "machine/snapshot selftest $$/$knob was $before, is $after" --pid "$pid"
	echo $before >"$group/$knob"
	quiet "value of a cgroup put back" --pid "$pid"
else
	skip "value of a cgroup" "no cgroup with a cpu controller can be made"
fi

# the whole machine at rest gives no false alarm: three times, since it is never quite at rest
"$snapshot" save "$dir/file" || exit 2
for i in 1 2 3; do
	sleep 0.5
	if "$snapshot" compare "$dir/file" --ignore-new >"$dir/out" 2>&1; then break; fi
done
if [ -s "$dir/out" ]; then
	skip "no false alarm" "other programs change threads here: $(head -n 1 "$dir/out")"
else
	ok "no false alarm"
fi

echo rubbish >"$dir/file"
"$snapshot" compare "$dir/file" >"$dir/out" 2>&1
if [ $? -eq 2 ]; then ok "a damaged file is refused"; else not_ok "a damaged file is refused"; fi

echo "$passed passed, $failed failed, $skipped skipped"
[ $failed -eq 0 ]
