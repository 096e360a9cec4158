# SPDX-License-Identifier: GPL-2.0-or-later
"""No room in /run, no memory: no boost without a record, and everything is given back whatever the daemon does."""

import mmap
import os
import random
import struct
import subprocess

import pytest

import attributes
from rig import proc

# allocations of the daemon's start that are made to fail, of all that there are
STARTS = 24


class Tmpfs:
    """A small file system on a directory."""

    def __init__(self, path, size, deadman):
        self._path, self._deadman = path, deadman
        self._key = deadman.add(argv=["umount", "--lazy", path])
        subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size},mode=755", "tmpfs", path], check=True)

    def fill(self):
        with open(f"{self._path}/filler", "ab", buffering=0) as file:
            for piece in (1 << 16, 1 << 12):
                try:
                    while file.write(b"x" * piece) == piece:
                        pass
                except OSError:
                    pass

    def close(self):
        subprocess.run(["umount", "--lazy", self._path], check=True)  # a guardian may still have the ledger
        self._deadman.remove(self._key)


@pytest.fixture
def small(scene):
    """small(path, size): made, and gone at the end, after the daemon."""
    made = []

    def make(path, size):
        made.append(Tmpfs(path, size, scene.deadman))
        return made[-1]

    yield make
    for daemon in scene._daemons:
        daemon.stop()
    for one in made:
        one.close()


def test_no_room_for_the_ledger(scene, small):
    """It does not start, says why, and has changed nothing."""
    domain = scene.domain()
    before = attributes.read(domain.tid)
    daemon = scene.daemon(start=False)
    small(daemon.runtime_dir, "64k")
    with pytest.raises(proc.RigError, match="No space left on device"):
        daemon.start()
    assert daemon.reap() == 1
    assert attributes.read(domain.tid) == before
    scene.assert_pristine()


def test_room_runs_out(scene, small):
    """The ledger has its room from the start: boosts go on, and are given back by daemon, guardian and --restore.
    What cannot be kept is refused."""
    domain = scene.domain()
    daemon = scene.daemon(start=False)
    full = small(daemon.runtime_dir, "16m"), small(daemon.state_dir, "64k")
    daemon.start()
    daemon.wait_boosted(domain)
    for one in full:
        one.fill()
    for _ in range(3):
        assert daemon.call("release", domain.name).returncode == 0
        scene.assert_given_back()
        assert daemon.call("policy", "set", domain.name, "latency").returncode == 0
        daemon.wait_boosted(domain)
    done = daemon.call("policy", "set", domain.name, "interactive", "--persist")
    assert done.returncode == 1 and "No space left on device" in done.stderr, done
    daemon.wait_boosted(domain)
    daemon.kill()
    daemon.reap()
    proc.wait_for(lambda: not scene.left(), 2, "all threads and groups to be as they were")
    daemon.start()
    daemon.wait_boosted(domain)
    daemon.kill_both()
    assert attributes.boosted(domain.tid)
    done = daemon.restore()
    assert done.returncode == 0, done.stderr
    scene.assert_pristine()


class Memory:
    """What the daemon with no-memory.so preloaded counts, and which of its own allocations fails."""

    def __init__(self, scene, directory):
        self.path = f"{directory}/no-memory"
        with open(self.path, "wb") as file:
            file.write(bytes(24))
        with open(self.path, "r+b") as file:
            self._words = mmap.mmap(file.fileno(), 24)
        self.env = {"LD_PRELOAD": f"{scene.build_dir}/tests/integration/no-memory.so", "NO_MEMORY": self.path}

    def fail(self, number):
        """The NUMBERth from now on; 0: none."""
        self._words[:24] = struct.pack("QQQ", 0, number, 0)

    @property
    def count(self):
        return struct.unpack_from("Q", self._words, 0)[0]

    @property
    def failed(self):
        return struct.unpack_from("Q", self._words, 16)[0]


def try_start(daemon, memory, domain, number):
    """It ends with a message, or goes on, whatever it lacks then; not by a signal."""
    memory.fail(number)
    begin = len(daemon.log())
    try:
        daemon.start()
    except proc.RigError:
        pass

    def said():
        return f"allocation {number}: {daemon.process.poll()}: {daemon.log()[begin:]}"

    def come_so_far():
        return memory.failed or daemon.process.poll() is not None or f'"{domain.name}"' in daemon.call("list", "--json").stdout

    proc.wait_for(come_so_far, 10, f"the allocation to be asked for: {said()}")
    if daemon.process.poll() is None:
        # the one that failed may be this one's
        assert 0 in [daemon.call("list").returncode for _ in range(2)], said()
        assert daemon.stop() == 0, said()
        return "went on"
    assert daemon.reap() == 1 and len(daemon.log()) > begin, said()
    return "ended"


def test_an_allocation_fails_at_the_start(scene, tmp_path):
    domain = scene.domain()
    memory = Memory(scene, tmp_path)
    daemon = scene.daemon(env=memory.env)
    daemon.wait_boosted(domain)
    total = memory.count
    assert daemon.stop() == 0
    assert total > 50, "the allocations are not counted"
    step = max(1, total // STARTS)
    numbers = range(random.randrange(step) + 1, total + 1, step)
    outcomes = []
    for number in numbers:
        outcomes.append(try_start(daemon, memory, domain, number))
        assert not scene.left(), f"allocation {number}: {scene.left()}"
    scene.figures.setdefault(f"starts with one allocation of {total} that failed", []).append(len(outcomes))
    scene.figures.setdefault("of these, daemons that went on", []).append(outcomes.count("went on"))
    memory.fail(0)
    daemon.start()
    daemon.wait_boosted(domain)


VERBS = (("status",), ("show", "DOMAIN"), ("explain", "DOMAIN"), ("doctor",), ("policy", "set", "DOMAIN", "observe"),
         ("policy", "set", "DOMAIN", "latency"), ("reload",), ("release", "DOMAIN"), ("policy", "set", "DOMAIN", "latency"))


def test_an_allocation_fails_later(scene, tmp_path):
    """Each of those that a command causes, one after the other, in a daemon that boosts: it answers afterwards."""
    domain = scene.domain(hz=1000)
    memory = Memory(scene, tmp_path)
    daemon = scene.daemon(env=memory.env)
    daemon.wait_boosted(domain)
    tried = 0
    for verb in VERBS:
        words = [domain.name if word == "DOMAIN" else word for word in verb]
        number = 0
        while True:
            number += 1
            memory.fail(number)
            daemon.call(*words, "--json")
            if not memory.failed:
                break
            tried += 1
            memory.fail(0)
            assert daemon.process.poll() is None, f"{words}, allocation {number}: {daemon.log()[-2000:]}"
        memory.fail(0)
        assert daemon.call("list").returncode == 0
    scene.figures.setdefault("allocations for commands that failed, one at a time", []).append(tried)
    assert tried > 50
    daemon.wait_boosted(domain)
    assert daemon.status()["guardian_acts"] == 0
    assert daemon.stop() == 0
    scene.assert_pristine()
