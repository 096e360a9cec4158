#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-or-later
# Usage: find-bpftool.sh LIBDIR [BPFTOOL]
#
# Prints the first bpftool that runs: BPFTOOL, else one of Ubuntu's kernels below LIBDIR, the newest first; if none does,
# a name that no program has. Ubuntu's /usr/sbin/bpftool is a script that calls the bpftool of the running kernel, which
# is not there in a container or on a builder.
libdir=$1
shift
for tool in "$@" $(printf '%s\n' "$libdir"/linux-tools*/bpftool "$libdir"/linux-tools/*/bpftool | sort -V -r); do
	if "$tool" version >/dev/null 2>&1; then
		echo "$tool"
		exit 0
	fi
done
echo bpftool-that-runs
