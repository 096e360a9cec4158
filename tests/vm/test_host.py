# SPDX-License-Identifier: GPL-2.0-or-later
"""What the emulated host is, so that the other tests mean what they say; and the rig's own promises."""

import os
import subprocess

import pytest

from host import GUEST
from rig.host import recipe

RIG = os.path.join(recipe.REPOSITORY, "scripts", "rig")


def test_is_a_kvm_host_with_cgroup_v2(host):
    assert host.run("systemctl is-system-running; true").strip() == "running", host.run("systemctl --failed")
    assert host.run("stat -fc %T /sys/fs/cgroup").strip() == "cgroup2fs"
    assert host.run("uname -r").strip() == host.release()
    assert host.kernel == "newest" or host.release().startswith(f"{host.kernel}.")
    assert host.code("test -c /dev/kvm -a -r /sys/kernel/btf/kvm") == 0
    assert host.code("test -e /sys/fs/cgroup/cpu.rt_runtime_us") != 0


@pytest.mark.any_kernel
def test_run_gives_output_and_exit_status(host):
    argv = [RIG, "run", "--name", host.machine().name]
    done = subprocess.run([*argv, "echo out; echo err >&2; cat; exit 7"], input="in\n", capture_output=True, text=True,
                          check=False, timeout=120)
    assert (done.returncode, done.stdout, done.stderr) == (7, "out\nin\n", "err\n")
    done = subprocess.run([*argv, "printf", "%s|", "two words", "$HOME"], capture_output=True, text=True, check=False,
                          stdin=subprocess.DEVNULL, timeout=120)
    assert (done.returncode, done.stdout) == (0, "two words|$HOME|")


@pytest.mark.any_kernel
def test_copies_files_both_ways(host, tmp_path):
    (tmp_path / "a file").write_text("content\n")
    name = host.machine().name
    subprocess.run([RIG, "copy", "--name", name, str(tmp_path / "a file"), "/root/in side/"], check=True, timeout=120)
    assert host.run("cat '/root/in side/a file'") == "content\n"
    subprocess.run([RIG, "copy", "--name", name, "--from", "/root/in side", str(tmp_path / "back")], check=True,
                   timeout=120)
    assert (tmp_path / "back" / "in side" / "a file").read_text() == "content\n"
    host.run("rm -r '/root/in side'")


def test_runs_linux_under_kvm(guest, host):
    assert sorted(guest) == [0, 1]
    names = host.run(f"cat /proc/$(cat '/run/libvirt/qemu/{GUEST}.pid')/task/*/comm").splitlines()
    assert {"CPU 0/KVM", "CPU 1/KVM"} <= set(names)

