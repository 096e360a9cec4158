# SPDX-License-Identifier: GPL-2.0-or-later
"""The reader under the unit with the drop-in that guest pages need, beside a QEMU that makes it hang beyond SIGKILL."""

import json
import os
import subprocess

import pytest

from host import GUEST

UNIT = "/etc/systemd/system/pvschedd.service.d/guest-pages.conf"
DROP_IN = "/etc/pvschedd/pvschedd.d/50-reader.json"
PLACE = "/opt/hanging"
SOURCE = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "integration", "hanging.c")
NAME, UUID = "hanging", "7c9ad91c-60e3-4c1e-9d1c-6f6b3a4d0c53"
STOP_S = 10  # TimeoutStopSec= of the unit: later than that systemd has used SIGKILL
LOOKS = 400


@pytest.fixture
def service(host):
    """The unit with the drop-in, which finds processes that play QEMU."""
    host.run(f"install -Dm644 /usr/share/pvschedd/guest-pages.conf {UNIT} && systemctl daemon-reload")
    host.write(DROP_IN, json.dumps({"version": 1, "host": {"discovery": ["libvirt", "procfs"],
                                                           "qemu_executables": [f"{PLACE}/qemu-*"]}}))
    host.restart()
    yield host
    host.run(f"rm -f {UNIT} {DROP_IN}; systemctl daemon-reload; systemctl stop hanging; systemctl restart pvschedd; "
             f"rm -rf {PLACE}", check=False)


@pytest.fixture
def culprit(service, tmp_path):
    """Plays QEMU, with guest pages; the descriptor of these becomes one of a file whose close no signal ends."""
    host = service
    if host.code("modprobe fuse && test -c /dev/fuse") != 0:
        pytest.skip("this kernel has no FUSE, without which no close hangs")
    binary = str(tmp_path / "qemu-hanging")
    # Static, since the host need not have this machine's C library.
    subprocess.run(["gcc", "-std=gnu17", "-D_GNU_SOURCE", "-O2", "-static", "-pthread", "-o", binary, SOURCE], check=True)
    host.run(f"mkdir -p {PLACE}")
    assert host.machine().remote().send([binary], f"{PLACE}/") == 0
    host.run(f"systemd-run -q --unit hanging --working-directory={PLACE} -E HANGING_WAY=flush "
             f"-p StandardOutput=file:{PLACE}.log {PLACE}/qemu-hanging -name guest={NAME},debug-threads=on -uuid {UUID} "
             "-accel tcg -smp 1 -object memory-backend-memfd,id=pvsched,size=1M,share=on,seal=on")
    wait_carrier(host, "open")
    return host.show("MainPID", unit="hanging")["MainPID"]


def wait_carrier(host, state, seconds=60):
    host.wait_for(f"pvschedctl --json show {UUID} | grep -q '\"carrier\":{{\"state\":\"{state}\"'",
                  f"the carrier to be {state}", seconds)


def reader(host):
    """Its pid."""
    status = json.loads(host.run("pvschedctl --json status"))
    words = status["sources"]["reader"]["detail"].split()
    assert words[0] == "pid", words
    return words[1].rstrip(",;")


def hang(host, culprit):
    """Its descriptor changes all the time; each reload looks at it again, until the look closes the wrong file."""
    host.run(f"kill -USR1 {culprit}")
    host.wait_for(f"grep -q begun {PLACE}.log", "the culprit to begin")
    loop = (f"for i in $(seq {LOOKS}); do grep -q caught {PLACE}.log && echo $i && exit 0; pvschedctl reload >/dev/null; "
            "done; exit 1")
    assert host.code(loop, timeout=240) == 0, f"{LOOKS} looks at the culprit never closed the file that hangs"
    wait_carrier(host, "stuck")


def timed(host, command):
    """Seconds that a command takes inside."""
    text = host.run(f"a=$(date +%s%N); {command} || exit 1; b=$(date +%s%N); echo $((b - a))")
    return int(text.split()[-1]) / 1e9


def threads_in_d(host, pid):
    """How many threads of a process no signal ends now."""
    return int(host.run(f"cat /proc/{pid}/task/*/stat 2>/dev/null | sed 's/.*) //' | grep -c '^D'; true"))


def test_restart_beside_a_reader_that_hangs(guest, service, culprit, figure):
    host = service
    host.calm()
    host.snapshot()
    first = reader(host)
    hang(host, culprit)
    host.boosted(guest)
    took = timed(host, "systemctl restart pvschedd")
    figure(f"systemctl restart beside a reader whose thread hangs in a close: {took:.2f} s (bound {STOP_S})")
    assert took < STOP_S
    # FUSE waits so that a signal interrupts it; after the SIGKILL, until the server answers.
    host.wait_for(f"cat /proc/{first}/task/*/stat | sed 's/.*) //' | grep -q '^D'", "the first reader to be in state D")
    assert host.show("ActiveState", "Result") == {"ActiveState": "active", "Result": "success"}
    host.boosted(guest)
    took = timed(host, "systemctl stop pvschedd")
    figure(f"systemctl stop beside that reader, in state D: {took:.2f} s (bound {STOP_S})")
    assert took < STOP_S
    assert threads_in_d(host, first) == 1
    assert host.show("ActiveState", "Result") == {"ActiveState": "inactive", "Result": "success"}
    assert [d for d in host.differences() if d.get("pid") != int(culprit)] == []
    host.run("systemctl start pvschedd")
    host.wait_for(f"pvschedctl show '{GUEST}' >/dev/null 2>&1", "the guest to be discovered again")
    # The file's server ends with the culprit, and with it the close that hangs.
    host.run("systemctl stop hanging")
    host.wait_for(f"! test -d /proc/{first}", "the first reader to be gone")
