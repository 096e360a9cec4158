# SPDX-License-Identifier: GPL-2.0-or-later
"""Throughput of a guest's disk and network while its vCPUs are boosted: what they need are the helpers that they may hold up."""

import contextlib
import itertools
import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile

from rig import proc
from rig.deadman import Deadman
from rig.guest import guest_image
from rig.proc import RigError

from . import figures
from .guest_variants import FOLLOW, ONE_GROUP, SLICE, STATIC
from .host_guest import UNTOUCHED, Contended, add_counts

DISK, NETWORK = SCENES = ("disk", "network")
# row: (its scene, command of the guest, unit, how much that is). Small reads, one at a time and several: the first waits
# for each.
ROWS = {
    "disk-1": (DISK, "fio 1 {seconds}", "IOPS", 1),
    "disk-8": (DISK, "fio 8 {seconds}", "IOPS", 1),
    "network-out": (NETWORK, "iperf3 HOST {seconds}", "Mbit/s", 1e6),
    "network-in": (NETWORK, "iperf3 HOST {seconds} reverse", "Mbit/s", 1e6),
}
# Where the guest's helpers run: on the CPU of the vCPU that they work for, or on another one if there is one.
LAYOUTS = TOGETHER, APART = ("together", "apart")
VCPUS = 2
VARIANTS = (UNTOUCHED, ONE_GROUP, SLICE, "interactive", "latency", FOLLOW, STATIC)
_ON_REQUEST = ("interactive",)
_NO_BOOST = (UNTOUCHED, ONE_GROUP)
# What is asked of profiles that boost, against the more of untouched and the fair share; of reads one at a time, where the
# helper has the vCPU's CPU, against the fair share; of a helper's waits behind its own vCPU, 99 of 100.
KEPT = {"together": 0.98, "apart": 1.0}
ONE_AT_A_TIME, MORE = "disk-1", 1.3
BEHIND_US = 100
_JUDGED = ("latency", FOLLOW)
_BLOCK_KIB = 4
_DISK_MIB = 64
_HOST, _GUEST, _PREFIX = "192.0.2.1", "192.0.2.2", 24  # of the addresses for documentation, which no network has
_PORT = 5201
_ESTABLISHED, _LISTENS = "01", "0A"

# CPU time is compared, not the host's disk: the file is in memory, and nothing waits for storage.
_DISK_XML = """    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='unsafe' io='threads' iothread='1'/>
      <source file='{path}'/>
      <target dev='vda' bus='virtio'/>
    </disk>
"""
_NETWORK_XML = """    <interface type='ethernet'>
      <target dev='{tap}' managed='no'/>
      <model type='virtio'/>
    </interface>
"""


class Disk:
    """Context manager: a file for the guest's disk, in memory."""

    def __init__(self, deadman):
        self._deadman = deadman
        self._directory = self._key = self.xml = None

    def __enter__(self):
        self._directory = tempfile.mkdtemp(prefix="pvsched-disk-", dir="/dev/shm")
        self._key = self._deadman.add(argv=["rm", "-rf", self._directory])
        os.chmod(self._directory, 0o755)  # QEMU has a user of its own
        path = f"{self._directory}/disk"
        with open(path, "wb") as file:
            for _ in range(_DISK_MIB):
                file.write(b"\x5a" * (1 << 20))  # holes would be read without any memory
        self.xml = _DISK_XML.format(path=path)
        return self

    def __exit__(self, *_):
        shutil.rmtree(self._directory)
        self._deadman.remove(self._key)


class Network:
    """Context manager: a tap device for the guest, and an iperf3 server in a network namespace of its own.

    libvirt opens the device in the namespace where it runs, and there it is down and without an address; attach()
    takes it into the server's. The namespace, and the device in it, end with the server.
    """

    def __init__(self, deadman):
        self._deadman = deadman
        self._tap = f"pvsched{os.getpid()}"
        self._server, self._keys = None, []
        self.xml = _NETWORK_XML.format(tap=self._tap)

    def __enter__(self):
        self._server = subprocess.Popen(["unshare", "--net", "iperf3", "--server", "--version4", "--port", str(_PORT)],
                                        stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, preexec_fn=proc.die_with_parent)
        try:
            self._keys.append(self._deadman.add(pid=self._server.pid))
            proc.run("ip", "tuntap", "add", "dev", self._tap, "mode", "tap", "vnet_hdr")
            self._keys.append(self._deadman.add(argv=["ip", "link", "delete", self._tap]))
            with contextlib.suppress(FileNotFoundError), open(f"/proc/sys/net/ipv6/conf/{self._tap}/disable_ipv6", "w",
                                                              encoding="ascii") as file:
                file.write("1")
            proc.wait_for(lambda: self._sockets(_LISTENS), 10, "iperf3 on the host to listen")
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        proc.run("ip", "link", "delete", self._tap, check=False)  # it is not there any more after attach()
        self._server.kill()
        self._server.wait()
        for key in self._keys:
            self._deadman.remove(key)

    def _sockets(self, state):
        """True if a socket of the server is in this state (see include/net/tcp_states.h of the kernel)."""
        if self._server.poll() is not None:
            raise RigError(f"iperf3 on the host ended with {self._server.returncode}: does this kernel have network namespaces?")
        rows = (line.split() for line in proc.read(f"/proc/{self._server.pid}/net/tcp").splitlines()[1:])
        return any(row[1].endswith(f":{_PORT:04X}") and row[3] == state for row in rows)

    def wait_connected(self):
        """Waits until the guest's iperf3 is connected."""
        proc.wait_for(lambda: self._sockets(_ESTABLISHED), 20, "the guest's iperf3 to connect", step=0.002)

    def attach(self, guest):
        """To be called when the guest runs: then its card and the server see each other, and nothing else."""
        pid = str(self._server.pid)
        proc.run("ip", "link", "set", self._tap, "netns", pid)
        for words in (("address", "add", f"{_HOST}/{_PREFIX}", "dev", self._tap), ("link", "set", self._tap, "up")):
            proc.run("nsenter", "--target", pid, "--net", "ip", *words)
        guest.command(f"address {_GUEST}/{_PREFIX}")

    def pids(self):
        return [self._server.pid]

    def bits(self, guest_sends):
        """Bits that the guest's card sent or received so far, as counted by the tap device, which is its other end."""
        for line in proc.read(f"/proc/{self._server.pid}/net/dev").splitlines():
            name, _, counters = line.partition(":")
            if name.strip() == self._tap:
                return 8 * int(counters.split()[0 if guest_sends else 8])
        raise RigError(f"the device {self._tap} is not in the server's network namespace any more")


def vhost(guest):
    """True if a kernel thread carries its packets; else QEMU's main thread does."""
    name = f"vhost-{guest.pid}"
    return bool(proc.pids_by_name(name)) or name in proc.threads(guest.pid).values()


def reads(pid):
    """Of whole blocks, by the threads of a QEMU for its guest: what it reads of eventfds and pipes is little against that."""
    return int(dict(line.split(": ") for line in proc.read(f"/proc/{pid}/io").splitlines())["rchar"]) // (_BLOCK_KIB * 1024)


def _work(row, contended, network):
    """A function that says how much of what ROW is about has been done."""
    if ROWS[row][0] == DISK:
        return lambda: reads(contended.guest.pid)
    return lambda: network.bits(guest_sends=row == "network-out")


def measure_one(contended, row, layout, seconds, order, network):
    """{variant: figures} of one row; NETWORK is its Network, None for a disk's."""
    scene, command, _, unit = ROWS[row]
    servers, begun = (network.pids(), network.wait_connected) if scene == NETWORK else ((), lambda: None)
    contended.place(layout == APART, servers)
    found = contended.take_turns(command.replace("HOST", _HOST), seconds, _work(row, contended, network), order, servers, begun)
    return {variant: one | {"throughput": one.pop("work_per_s") / unit} for variant, one in found.items()}


def rows_of(scenes, layouts=LAYOUTS):
    """[(row, layout)]."""
    return [(row, layout) for row, (scene, *_) in ROWS.items() if scene in scenes for layout in layouts]


def wanted(options):
    """Variants. Untouched and the fair share are what all are compared with."""
    return [name for name in VARIANTS if name in _NO_BOOST or name in (options.variant or VARIANTS) and (
        options.variant or name not in _ON_REQUEST)]


def name_of(scenes):
    """Of the rounds of these scenes in a --rounds-file."""
    return ", ".join(scenes)


def measure(scenes, options, kept):
    """Rounds, {(variant, "row/layout"): figures}, to KEPT; the variants take turns within."""
    numbers = kept.numbers(name_of(scenes))
    first = next(numbers, None)
    if first is not None:
        _measure(scenes, options, itertools.chain([first], numbers), lambda one: kept.add(name_of(scenes), one))


def _measure(scenes, options, numbers, add):
    seconds = seconds_of(options)
    image = options.guest_image or guest_image(io=True)  # says what has to be installed
    with contextlib.ExitStack() as undo:
        deadman = undo.enter_context(Deadman())
        disk = undo.enter_context(Disk(deadman)) if DISK in scenes else None
        network = undo.enter_context(Network(deadman)) if NETWORK in scenes else None
        contended = undo.enter_context(Contended(
            options, vcpus=VCPUS, wanted=wanted(options), watched=True, type=options.guest_type, memory_mib=768, image=image,
            iothreads=1 if disk else 0, devices="".join(device.xml for device in (disk, network) if device)))
        if network:
            network.attach(contended.guest)
        common = {"vhost": bool(network) and vhost(contended.guest), "vcpus": VCPUS, "left_out": contended.left_out}
        layouts = LAYOUTS if len(os.sched_getaffinity(0)) > 1 else LAYOUTS[:1]
        for variant, why in contended.left_out.items():
            print(f"bench: host: {variant} is left out: {why}", file=sys.stderr)
        for number in numbers:
            order = random.Random(number)
            add({(variant, f"{row}/{layout}"): common | one for row, layout in rows_of(scenes, layouts)
                 for variant, one in measure_one(contended, row, layout, seconds, order, network).items()})


def seconds_of(options):
    """Of one row in one round, all variants. Fewer than that are no whole turn, where --seconds are others' as well."""
    least, usual = (round(each * len(wanted(options))) for each in ((7, 10) if options.rig else (1.5, 2.5)))
    return max(least, int(options.seconds or (least if options.quick else usual)))


def p99_behind(ones):
    """(us, how many): 99 of 100 waits of helpers behind a vCPU of their domain were no longer; None without any."""
    counts = {}
    for one in ones:
        counts = add_counts(counts, one.get("helper_behind", {}))
    total, seen = sum(counts.values()), 0
    for bound, count in counts.items():
        seen += count
        if seen * 100 >= 99 * total > 0:
            return float(bound), total
    return None


def _summary(ones, bases, unit):
    """BASES: {name: figures of the same rounds}."""
    def middle(name):
        return round(statistics.median(one[name] for one in ones), 2)

    def compared(value, others):
        return figures.ratio([value(one) for one in ones], others) if len(others) == len(ones) else None

    throughput = {name: [one["throughput"] for one in found] for name, found in bases.items()}
    best = [max(both) for both in zip(*throughput.values())] if all(throughput.values()) else []
    behind = p99_behind(ones)
    return {"throughput": middle("throughput"), "unit": unit, "rounds": len(ones),
            "vs_untouched": compared(lambda one: one["throughput"], throughput[UNTOUCHED]),
            "vs_fair": compared(lambda one: one["throughput"], throughput[ONE_GROUP]),
            "vs_more": compared(lambda one: one["throughput"], best),
            "per_cpu_time_vs_untouched": compared(lambda one: one["throughput"] / one["guest_permille"],
                                                  [one["throughput"] / one["guest_permille"] for one in bases[UNTOUCHED]]),
            **{name: middle(name) for name in ("boosted_permille", "guest_permille", "load_permille", "helper_sheds_per_s",
                                               "foreign_permille")},
            "helper_behind_max_us": max(one["helper_behind_max_us"] for one in ones),
            "helper_behind_p99_us": behind and behind[0], "helper_behind_waits": behind and behind[1],
            "machine": ones[0].get("machine", "itself"), "left_out": ones[0].get("left_out", {}),
            **{name: ones[0][name] for name in ("guest_type", "vcpus", "vhost")}}


def _targets(row, layout, variant, one):
    """[[target, measured, verdict]] of a row."""
    if variant in _NO_BOOST:
        return []
    where, found = f"{row}, {layout}, {variant}", []
    against, name = ("vs_more", "the more of untouched and the fair share") if one["vs_more"] else ("vs_untouched", UNTOUCHED)
    found.append([f"{where}: throughput >= {KEPT[layout]} of {name}", one[against],
                  figures.target(one[against], KEPT[layout], at_most=False)])
    if row == ONE_AT_A_TIME and layout == TOGETHER and variant in _JUDGED and one["vs_fair"]:
        found.append([f"{where}: one request at a time >= {MORE} of the fair share", one["vs_fair"],
                      figures.target(one["vs_fair"], MORE, at_most=False)])
    if variant in _JUDGED and one["helper_behind_p99_us"] is not None:
        met = one["helper_behind_p99_us"] <= BEHIND_US
        found.append([f"{where}: a helper's wait behind its own vCPU, p99 <= {BEHIND_US} us", one["helper_behind_p99_us"],
                      "cannot tell" if one["rounds"] < figures.ROUNDS_FOR_VERDICT else "met" if met else "missed"])
    return found


def report(rounds):
    """({"variant/row/layout": figures}, [text], targets)."""
    found, rows, targets = {}, [], []
    for row, layout in rows_of(SCENES):
        name = f"{row}/{layout}"
        bases = {base: rounds.get((base, name), []) for base in _NO_BOOST}
        for variant in VARIANTS:
            ones = rounds.get((variant, name))
            if not ones:
                continue
            found[f"{variant}/{name}"] = one = _summary(ones, bases, ROWS[row][2])
            rows.append([row, layout, variant, *(one[key] for key in (
                "rounds", "throughput", "unit", "boosted_permille", "guest_permille", "load_permille", "helper_sheds_per_s",
                "helper_behind_p99_us", "helper_behind_max_us", "vs_untouched", "vs_fair", "per_cpu_time_vs_untouched")),
                         "-" if variant == UNTOUCHED else figures.verdict(one["vs_untouched"], less_is_better=False)])
            targets += _targets(row, layout, variant, one)
    if not rows:
        return {}, [], []
    one = next(iter(found.values()))
    carries = "vhost" if any(each["vhost"] for each in found.values()) else "QEMU's main thread"
    foreign = statistics.mean(each["foreign_permille"] for each in found.values())
    where = "" if one["machine"] == "itself" else f" in an {one['machine']}"
    text = (f"disk and network of a guest ({one['guest_type']}, {one['vcpus']} vCPUs){where}: reads of {_BLOCK_KIB} KiB from memory by an "
            f"iothread, one TCP stream by {carries}; foreign CPU use {foreign:.0f} permille of one CPU")
    head = ["disk, network", "helpers", "variant", "rounds", "median", "unit", "boosted permille", "guest's CPU time", "load's",
            "boosts that ended for a helper / s", "a helper's wait behind its own vCPU us, p99", "of that behind boosts, longest",
            "throughput, of untouched", "of the fair share", "the same for a CPU second of the guest", "verdict"]
    left_out = [f"{variant} is left out: {why}" for variant, why in one["left_out"].items()]
    return found, [text, *left_out, figures.table(head, rows)], targets
