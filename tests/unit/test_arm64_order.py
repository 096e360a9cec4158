#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""
The tracer for arm64, whose CPUs reorder loads: a flag is read so that the time which belongs to it is read after it. What
the compiler makes of it is looked at, since no such CPU is here.
"""

import pathlib
import re
import shutil
import subprocess
import sys

ROOT, MULTIARCH = pathlib.Path(sys.argv[1]), sys.argv[2]

PROBE = """
#include "core/account.h"
__u32 flags_then_time(struct pvs_vcpu_account *vcpu);
__u32 flags_then_time(struct pvs_vcpu_account *vcpu)
{
	return PVS_READ_ACQUIRE(vcpu->flags) & PVS_FLAG_BOOSTED ? 0 : (__u32)vcpu->unboosted_at_ns;
}
"""


def assembly(arch, source, name):
    done = subprocess.run(["clang", "-O2", "-g", "-target", "bpf", "-mcpu=v3", f"-D__TARGET_ARCH_{arch}", f"-I/usr/include/{MULTIARCH}",
                           f"-I{ROOT}/include", f"-I{ROOT}/src", f"-I{ROOT}/bpf", "-S", "-o", "-", "-x", "c", name],
                          input=source, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def count(text):
    return len(re.findall(r"atomic_fetch_(?:add|or)\(\(u32 \*\)", text))


def main():
    if not shutil.which("clang"):
        print("skipped: no clang here\n0 passed, 0 failed, 1 skipped")
        return
    assert count(assembly("arm64", PROBE, "-")) == 1, "a plain load of the flags"
    assert count(assembly("x86", PROBE, "-")) == 0, "x86 orders loads by itself"
    print("ok probe")
    tracer = str(ROOT / "bpf/tracer.bpf.c")
    arm64, x86 = (count(assembly(arch, None, tracer)) for arch in ("arm64", "x86"))
    # the deadline, the switch-in, the wake-up, and what a run is charged
    assert arm64 - x86 >= 4, (arm64, x86)
    print("ok tracer\n2 passed, 0 failed, 0 skipped")


main()
