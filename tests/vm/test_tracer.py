# SPDX-License-Identifier: GPL-2.0-or-later
"""What the tracer sees on this kernel, as each clang of this machine compiles it, and as the package has it."""

import hashlib
import json
import os
import subprocess

import pytest

from host import GUEST
from rig.host import recipe


@pytest.fixture(scope="session")
def tracer_objects():
    """The program of tests/tracer, built here: it needs libbpf alone."""
    build = f"{recipe.CACHE}/tools-{hashlib.sha256(recipe.REPOSITORY.encode()).hexdigest()[:12]}"
    if not os.path.exists(f"{build}/build.ninja"):
        subprocess.run(["meson", "setup", build, recipe.REPOSITORY], check=True, stdout=subprocess.DEVNULL)
    # Not by meson compile: it does not see that an older build's description is out of date.
    subprocess.run(["ninja", "-C", build, "tests/tracer/tracer-objects"], check=True, stdout=subprocess.DEVNULL)
    return f"{build}/tests/tracer/tracer-objects"


# What a tracer must lose that lacks something, and that only that is lost; None: all.
LOST = {"lacks_on_rq": {"helpers", "entitlement"}, "lacks_tgid": {"interrupts"}, "lacks_pid": None}


def check_lacking(one):
    if LOST[one["object"]] is None:
        assert "no_such_field" in one["error"], one
        return
    assert one["error"] == "" and {part for part, cause in one["parts"].items() if cause} == LOST[one["object"]], one


def test_tracer_of_each_compiler(host, tracer_objects, figure):
    """The whole of it loads, and a part is lost where it lacks something."""
    host.run("modprobe kvm-amd || modprobe kvm-intel")
    assert host.machine().remote().send([tracer_objects], "/root/") == 0
    lines = host.run("/root/tracer-objects", timeout=300).splitlines()
    objects = [json.loads(line) for line in lines if line.startswith("{\"object")]
    guests = [json.loads(line) for line in lines if line.startswith("{\"guest_object")]
    for one in guests:
        figure(f"guest's tracer compiled by {one['guest_object']}: {one['error'] or 'loaded'}, not traced: "
               f"{', '.join(one['missing']) or 'nothing'}")
        assert one["error"] == "" and not one["missing"], one
    assert {one["guest_object"] for one in guests} > {"guest_clang"}, lines
    assert {one["object"] for one in objects} > {"clang", *LOST}, lines
    for one in objects:
        if one["object"] in LOST:
            check_lacking(one)
            continue
        figure(f"tracer compiled by {one['object']}: {one['error'] or 'loaded'}, parts left out: "
               f"{', '.join(part for part, cause in one['parts'].items() if cause) or 'none'}, tracepoints missing: "
               f"{one['missing'] or 'none'}, handlers told apart: {'yes' if one['handlers'] else 'no'}")
        assert one["error"] == "" and not any(one["parts"].values()), one
        assert one["missing"] == "" and one["handlers"], one


def test_nothing_is_refused(host):
    status = host.ctl("status")
    assert status["sources"]["bpf"]["ok"], status["sources"]
    assert all(part["ok"] for part in status["tracer_parts"]), status["tracer_parts"]


def test_sheet_of_the_kernel(host, figure):
    """What a CPU may have of real time in a second depends on the kernel's net, which debugfs shows."""
    fair_server = host.code("test -d /sys/kernel/debug/sched/fair_server") == 0
    bound = host.ctl("status")["caps"]["sheet_permille"]
    figure(f"real time of a CPU in any second: {bound} permille at most")
    assert bound == (900 if fair_server else 700)


def test_entitlement_is_the_fair_share(host, guest, figure):
    """Of one CPU, which a vCPU shares with three spinners in groups of their own: a quarter, about."""
    host.run("for i in 1 2 3; do systemd-run --unit=vm-fair-$i --slice=vmfair$i.slice -p CPUAffinity=1 "
             "sh -c 'while :; do :; done'; done")
    try:
        host.run(f"virsh vcpupin '{GUEST}' 0 1 && virsh vcpupin '{GUEST}' 1 0")
        host.wait_for(f"[ $(pvschedctl --json show '{GUEST}' | grep -o '\"entitlement_permille\":[0-9]*' | head -n 1 | "
                      "cut -d: -f2) -le 400 ]", "the spinners to count")
        seen = next(vcpu for vcpu in host.vcpus() if vcpu["tid"] == guest[0])["entitlement_permille"]
        figure(f"fair share that the tracer computes beside three spinners: {seen} permille")
        # What else the host does at that moment counts, too.
        assert 80 <= seen <= 400, seen
    finally:
        host.run("systemctl stop vm-fair-1 vm-fair-2 vm-fair-3", check=False)
        host.destroy_guest()
