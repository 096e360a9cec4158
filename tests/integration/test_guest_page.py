# SPDX-License-Identifier: GPL-2.0-or-later
"""Guest pages: found, negotiated, obeyed within the caps, and harmless whatever stands in them."""

import multiprocessing
import os
import signal
import time

import pytest

import attributes
from bounds import check_bound
from rig import proc
from rig.libvirtd import virsh
from rig.pages import PAGE, Region

PIN = "<cputune><vcpupin vcpu='0' cpuset='0'/></cputune>"


def restart(daemon):
    daemon.stop()
    daemon.start()


def carrier(daemon, domain):
    daemon.wait_known(domain)
    return daemon.ctl_json("show", domain.name)["domain"]["carrier"]


def detail(daemon, domain, index=0):
    return daemon.ctl_json("show", domain.name)["domain"]["vcpus"][index]


def wait_carrier(daemon, domain, state, seconds=10):
    return proc.wait_for(lambda: carrier(daemon, domain)["state"] == state and carrier(daemon, domain), seconds,
                         f"the carrier of {domain.name} to be {state}")


def wait_detail(daemon, domain, accept, what, seconds=10):
    last = {}

    def look():
        last["seen"] = detail(daemon, domain)
        return accept(last["seen"]) and last["seen"]

    try:
        return proc.wait_for(look, seconds, what)
    except proc.RigError as error:
        raise proc.RigError(f"{error}; last seen {last}; log {daemon.log()[-2000:]}") from None


@pytest.fixture(params=["memfd", "shmem"])
def page(request):
    return "memfd" if request.param == "memfd" else f"pvsched-it-{os.getpid()}"


@pytest.fixture
def region(request):
    """region(domain): its region, closed at the end."""
    opened = []

    def open_region(domain):
        opened.append(Region(domain.pid))
        return opened[-1]

    yield open_region
    for one in opened:
        one.close()


@pytest.fixture
def spinners():
    """spin(): a fair thread that computes on CPU 0, in the root group; ended at the end."""
    running = []

    def spin(cpu=0):
        pid = os.fork()
        if pid == 0:
            os.sched_setaffinity(0, {cpu})
            signal.alarm(120)
            while True:
                pass
        running.append(pid)

    yield spin
    for pid in running:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


@pytest.mark.sanitized
def test_found_and_negotiated(scene, region, page):
    domain = scene.domain(vcpus=2, page=page)
    daemon = scene.daemon()
    found = wait_carrier(daemon, domain, "open")
    assert found["kind"] == ("memfd" if page == "memfd" else "shmem")
    assert found["sealed"] == (page == "memfd")
    memory = region(domain)
    generation = memory.wait_host()
    assert memory.magic == b"pvschedd" and memory.page_count == 2
    assert [memory.apic_id(0), memory.apic_id(1)] == [0, 1]
    assert int(found["generation"], 16) == generation
    first = memory.page(0)
    assert first.status == "disabled"
    begin = time.monotonic()
    first.negotiate()
    scene.figures.setdefault("hello to enabled, ms", []).append(1000 * (time.monotonic() - begin))
    assert first.host_line()["generation"] == generation
    seen = detail(daemon, domain)["page"]
    assert seen["status"] == "enabled" and seen["request"] == "none"
    assert detail(daemon, domain, 1)["page"]["status"] == "disabled"
    # the guest of an armed vCPU is told so
    daemon.wait_boosted(domain)
    proc.wait_for(lambda: first.boost == 1 and first.host_line()["boosts"] > 0, 10, "the boost in the page")
    daemon.stop()
    assert memory.generation == 0 and first.status == "disabled"


@pytest.mark.parametrize("hello, status", [
    ({"abi": 2}, "abi-mismatch"),
    ({"abi": 1 << 24}, "abi-mismatch"),
    ({"name": b"pvsched-other"}, "unknown-policy"),
    ({"version": 9}, "policy-version-mismatch"),
    ({"protocol": 1}, "protocol-mismatch"),
    ({"apic": 5}, "protocol-mismatch"),
    ({"mode": 3}, "mode-mismatch"),
    ({}, "enabled"),
], ids=lambda value: value if isinstance(value, str) else "-".join(value))
@pytest.mark.sanitized
def test_statuses(scene, region, hello, status):
    domain = scene.domain(page="memfd")
    daemon = scene.daemon()
    memory = region(domain)
    memory.wait_host()
    memory.page().hello(**hello)
    memory.page().wait_status(status)
    assert detail(daemon, domain)["page"]["status"] == status
    # whatever it says, its domain is managed like any other
    daemon.wait_boosted(domain)


def test_an_urgent_guest_that_never_sleeps_is_boosted(scene, region, spinners, page):
    """Without a request it would never be boosted: a boost begins at a halt."""
    domain = scene.domain(busy=1000, idle=0, hz=100, tuning=PIN, page=page)
    daemon = scene.daemon()
    daemon.wait_known(domain)
    spinners()
    mine = region(domain).page()
    mine.negotiate()
    before = detail(daemon, domain)["boosts_total"]

    def renewed():
        mine.urgent()
        seen = detail(daemon, domain)
        return seen["boosts_total"] >= before + 3 and seen

    seen = proc.wait_for(renewed, 10, "an urgent guest to be boosted", step=0.05)
    assert seen["throttles_total"] > 0, "it never stops: its bucket must end it"
    assert seen["page"]["read_by"] == ("tracer")
    assert mine.host_line()["throttles"] > 0
    assert seen["request_to_applied_us"]["count"] >= 3 and seen["request_to_applied_us"]["max"] > 0, seen
    # it does not renew: the request dies
    wait_detail(daemon, domain, lambda v: v["page"]["request"] == "none", "the request to lapse")
    proc.wait_for(lambda: not attributes.boosted(domain.tid), 5, "the boost to end")


def boosted_permille(daemon, domain, seconds, act):
    """(boosted permille of the wall time, of its own run time, the vCPU as it is seen at the end)."""
    first, begin = detail(daemon, domain), time.monotonic_ns()
    while time.monotonic_ns() < begin + seconds * 1e9:
        act()
        time.sleep(0.01)
    last, end = detail(daemon, domain), time.monotonic_ns()
    boosted, ran = (last[name] - first[name] for name in ("boosted_ns", "run_ns"))
    return 1000 * boosted / (end - begin), 1000 * boosted / ran, last


def test_an_ordinary_guest_gives_its_boost_back(scene, region, page):
    domain = scene.domain(hz=100, work=15000, page=page)
    # a bucket that is not emptied, so that only yields make the difference
    daemon = scene.daemon(config={"profiles": {"latency": {"burst_us": 5000, "share_permille": 300}}})
    daemon.wait_boosted(domain)
    mine = region(domain).page()
    mine.negotiate()
    _, silent, _ = boosted_permille(daemon, domain, 2, lambda: None)
    _, ordinary, seen = boosted_permille(daemon, domain, 2, mine.ordinary)
    scene.figures.setdefault("boosted permille of the run time, silent guest", []).append(silent)
    scene.figures.setdefault("boosted permille of the run time, ordinary guest", []).append(ordinary)
    assert seen["yields_total"] > 10, seen
    # how much less depends on how fast this machine reacts, which may take as long as most of its work
    assert ordinary < silent, (silent, ordinary, seen)


def test_a_liar_gets_no_more_than_its_share(scene, region, spinners):
    domain = scene.domain(busy=1000, idle=0, hz=100, tuning=PIN, page="memfd")
    daemon = scene.daemon()
    daemon.wait_known(domain)
    spinners()
    mine = region(domain).page()
    mine.negotiate()
    permille, _, _ = boosted_permille(daemon, domain, 4, mine.urgent)
    scene.figures.setdefault("boosted permille of one that is always urgent (share 200)", []).append(permille)
    assert 0 < permille <= 210, permille


def test_polling_alone(scene, region, spinners):
    domain = scene.domain(busy=1000, idle=0, hz=100, tuning=PIN, page="memfd")
    daemon = scene.daemon(config={"host": {"guest_pages": "poll"}})
    daemon.wait_known(domain)
    spinners()
    mine = region(domain).page()
    mine.negotiate()

    def renewed():
        mine.urgent()
        seen = detail(daemon, domain)
        return seen["boosts_total"] >= 3 and seen

    seen = proc.wait_for(renewed, 10, "an urgent guest to be boosted", step=0.05)
    assert seen["page"]["read_by"] == "polling" and seen["page"]["polls_total"] > 0
    virsh("suspend", domain.name)
    proc.wait_for(lambda: not attributes.boosted(domain.tid), 5, "the boost to end")
    # a guest that sleeps writes nothing, and its page is not looked at
    polls = proc.wait_for(lambda: same_polls(daemon, domain), 5, "polling to end")
    assert detail(daemon, domain)["page"]["polls_total"] == polls


def same_polls(daemon, domain):
    polls = detail(daemon, domain)["page"]["polls_total"]
    time.sleep(0.3)
    return detail(daemon, domain)["page"]["polls_total"] == polls and polls


def test_off(scene):
    domain = scene.domain(page="memfd")
    daemon = scene.daemon(config={"host": {"guest_pages": "off"}})
    daemon.wait_boosted(domain)
    assert carrier(daemon, domain)["state"] == "absent"
    daemon.rewrite({"default_profile": "latency"})
    daemon.ctl("reload")
    wait_carrier(daemon, domain, "open")


def _scribble(path, seed, until):
    generator = __import__("random").Random(seed)
    fd = os.open(path, os.O_RDWR)
    noise = generator.randbytes(1 << 16)
    while time.monotonic() < until:
        begin = generator.randrange(len(noise) - PAGE)
        os.pwrite(fd, noise[begin:begin + generator.randrange(1, PAGE)], generator.randrange(4 * PAGE))
    os._exit(0)


def start_writers(path, seconds):
    until = time.monotonic() + seconds
    writers = [multiprocessing.Process(target=_scribble, args=(path, seed, until)) for seed in range(4)]
    for writer in writers:
        writer.start()
    return writers


def scribble(path, seconds):
    for writer in start_writers(path, seconds):
        writer.join()


def permille_of(daemon, act):
    """Of one CPU, that all threads of the daemon and of its reader took meanwhile; those that have ended do not count."""
    pids = [daemon.process.pid, *proc.children(daemon.process.pid)]
    begin, used = time.monotonic(), sum(proc.process_ns(pid) for pid in pids)
    act()
    return (sum(proc.process_ns(pid) for pid in pids) - used) / (time.monotonic() - begin) / 1e6


@pytest.mark.sanitized
def test_noise_from_four_writers(scene, region, page):
    """Every byte of header and pages, at full speed: it causes a status, counters, a journal line, and nothing else."""
    domain = scene.domain(vcpus=2, page=page)
    daemon = scene.daemon()
    daemon.wait_boosted(domain)
    memory = region(domain)
    memory.wait_host()
    path = f"/proc/self/fd/{memory.fd}"
    writers = start_writers(path, 3)
    answered = 0
    while any(writer.is_alive() for writer in writers):
        assert daemon.status()["vcpus"]
        answered += 1
    for writer in writers:
        writer.join()
    assert answered > 3

    def more_permille():
        """Of one CPU, that daemon and reader take more than without noise."""
        calm = permille_of(daemon, lambda: time.sleep(2))
        return permille_of(daemon, lambda: scribble(path, 2)) - calm

    check_bound(scene.figures, "daemon and reader under noise, more permille of a CPU", 5, 4, more_permille)
    lines = daemon.log().count("guest pages")
    assert lines <= 4, daemon.log()
    # and it can still say hello
    mine = memory.page()
    restart(daemon)
    daemon.wait_known(domain)
    memory.wait_host()
    mine.negotiate()


@pytest.mark.sanitized
def test_words_with_valid_hello_and_noise_behind_it(scene, region):
    """The tracer reads noise in place of requests: it is counted, and the share holds."""
    domain = scene.domain(busy=1, idle=1, hz=1000, page="memfd")
    daemon = scene.daemon()
    daemon.wait_known(domain)
    mine = region(domain).page()
    mine.negotiate()
    random = __import__("random").Random(7)

    def noise():
        for _ in range(200):
            mine._u64(264).value = random.getrandbits(64)
            mine._u64(256).value = random.getrandbits(64)
    permille, _, seen = boosted_permille(daemon, domain, 3, noise)
    assert seen["page"]["invalid_total"] > 0, seen
    assert permille <= 215, permille


def test_cut_off_under_us(scene, region):
    domain = scene.domain(page=f"pvsched-it-{os.getpid()}")
    daemon = scene.daemon()
    memory = region(domain)
    memory.wait_host()
    mine = memory.page()
    mine.negotiate()
    os.truncate(domain.shm_path, 0)
    wait_carrier(daemon, domain, "wrong-size")
    daemon.wait_boosted(domain)
    assert carrier(daemon, domain)["losses_total"] == 1
    os.truncate(domain.shm_path, 1 << 20)


def renegotiate(daemon, domain, memory, generation, scene, what):
    """The guest's half is ours: it says hello whenever it sees another generation."""
    begin = time.monotonic()
    mine, last = memory.page(), generation

    def enabled():
        nonlocal last
        if memory.generation not in (0, last):
            last = memory.generation
            assert mine.status != "enabled", "a stale page was believed"
            mine.hello(generation=last)
        return last != generation and mine.status == "enabled" and mine.host_line()["generation"] == last

    proc.wait_for(enabled, 10, f"a new generation to be negotiated after {what}")
    scene.figures.setdefault(f"renegotiated after {what}, ms", []).append(1000 * (time.monotonic() - begin))
    return last


def test_reset_and_daemon_restart(scene, region, page):
    domain = scene.domain(page=page)
    daemon = scene.daemon()
    memory = region(domain)
    memory.page().negotiate()
    generation = memory.generation
    virsh("reset", domain.name)
    # one reset makes two events
    generation = renegotiate(daemon, domain, memory, generation, scene, "reset")
    daemon.stop()
    assert memory.generation == 0 and memory.page().status == "disabled"
    daemon.start()
    generation = renegotiate(daemon, domain, memory, generation, scene, "daemon restart")
    daemon.kill()
    daemon.reap()
    daemon.start()
    renegotiate(daemon, domain, memory, generation, scene, "kill -9")


def test_save_and_restore(scene, region, tmp_path):
    domain = scene.domain(page="memfd")
    daemon = scene.daemon()
    memory = region(domain)
    mine = memory.page()
    mine.negotiate()
    mine.urgent()
    generation = memory.generation
    saved = str(tmp_path / "saved")
    os.chmod(tmp_path, 0o777)
    virsh("save", domain.name, saved, timeout=60)
    virsh("restore", saved, timeout=60)
    domain.find_process()
    wait_carrier(daemon, domain, "open")
    restored = region(domain)
    assert restored.wait_host() != generation
    # the saved words came back, and were not taken for new ones
    assert restored.page().read(272, "Q") == generation
    assert detail(daemon, domain)["page"]["status"] == "disabled"
    restored.page().negotiate()


def test_destroy_and_start(scene, region):
    domain = scene.domain(page=f"pvsched-it-{os.getpid()}")
    daemon = scene.daemon()
    memory = region(domain)
    memory.page().negotiate()
    generation = memory.generation
    virsh("destroy", domain.name)
    proc.wait_for(lambda: not daemon.names(), 10, "the domain to be gone")
    domain.create()
    daemon.wait_boosted(domain)
    again = region(domain)
    assert again.wait_host() != generation
    assert again.page().status == "disabled"
    again.page().negotiate()


def test_a_vcpu_is_plugged_in(scene, region, page):
    domain = scene.domain(vcpus=1, max_vcpus=3, page=page)
    daemon = scene.daemon()
    memory = region(domain)
    memory.page().negotiate()
    assert memory.page_count == 1
    generation = memory.generation
    for count in (2, 3):
        virsh("setvcpus", domain.uuid, str(count), "--live")
    # the region begins anew, with a page for each; the daemon reads it as it is in the memory
    proc.wait_for(lambda: memory.page_count == 3 and memory.generation not in (0, generation), 10,
                  "the region to have three pages")
    proc.wait_for(lambda: int(carrier(daemon, domain)["generation"], 16) == memory.generation, 10,
                  "the daemon to have the generation that stands in the region")
    memory.page().negotiate()
    daemon.wait_boosted(domain)


def test_resets_in_a_row(scene, region, page):
    """However many searches they cause, the daemon and the region end with one generation."""
    domain = scene.domain(page=page)
    daemon = scene.daemon()
    memory = region(domain)
    memory.page().negotiate()
    generation = memory.generation
    for _ in range(3):
        for _ in range(4):
            virsh("reset", domain.name)
        generation = renegotiate(daemon, domain, memory, generation, scene, "resets in a row")
    proc.wait_for(lambda: int(carrier(daemon, domain)["generation"], 16) == memory.generation, 10,
                  "the daemon to have the generation that stands in the region")


def test_unplugged_and_plugged_in(scene):
    guest = scene.linux()
    daemon = scene.daemon()
    wait_carrier(daemon, guest, "absent")
    for _ in range(2):
        daemon.ctl("attach", guest.name, "--live")
        wait_carrier(daemon, guest, "open")
        with Region(guest.pid) as memory:
            memory.page().negotiate()
        daemon.ctl("detach", guest.name, "--live")
        # the daemon lets go of it, and so of the file
        wait_carrier(daemon, guest, "absent")
