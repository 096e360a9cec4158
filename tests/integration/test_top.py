# SPDX-License-Identifier: GPL-2.0-or-later
"""top on a terminal, top as text, watch: rates of real domains, and a terminal that is as it was afterwards."""

import json
import signal
import time

import pytest

from terminal import ROWS, Terminal

ENTER, LEAVE = "\033[?1049h", "\033[?1049l"


@pytest.fixture
def two(scene):
    first, second = scene.domain("pvsched-it-a", hz=200), scene.domain("pvsched-it-b", vcpus=2, hz=100)
    daemon = scene.daemon()
    for domain in (first, second):
        daemon.wait_boosted(domain)
    return first, second, daemon


@pytest.fixture
def terminals():
    made = []

    def begin(daemon, *words):
        made.append(Terminal(daemon, *words))
        return made[-1]
    yield begin
    for terminal in made:
        terminal.close()


def screens(text):
    """Each thing that was shown, as lines."""
    return [screen.split("\r\n") for screen in text.split("\033[H")[1:]]


def test_on_a_terminal(two, terminals):
    first, second, daemon = two
    terminal = terminals(daemon, "top", "-d", "0.3")
    terminal.wait(ENTER)
    shown = terminal.wait("last 0.")
    assert first.name in shown and second.name in shown and "2 domains, by wait" in shown
    for screen in screens(shown):
        assert len(screen) <= ROWS
    terminal.type("b")
    terminal.wait("by boost")
    terminal.type("?")
    terminal.wait("choose a row")
    terminal.type("?")
    terminal.wait("BOOST/s")
    terminal.type("d")
    terminal.wait("by denied")
    terminal.type("\033[B\r")
    assert "VCPU " in terminal.wait("vCPUs, by")
    terminal.type("\033")
    terminal.wait("2 domains")
    terminal.type("q")
    assert terminal.end() == 0
    assert LEAVE in terminal.text and terminal.is_as_before()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGSEGV])
def test_ended_by_a_signal(two, terminals, number):
    terminal = terminals(two[2], "top")
    terminal.wait("domains, by")
    terminal.process.send_signal(number)
    assert terminal.end() == -number
    assert LEAVE in terminal.text and terminal.is_as_before()


def test_the_daemon_ends_meanwhile(two, terminals):
    daemon = two[2]
    terminal = terminals(daemon, "top", "-d", "0.2")
    terminal.wait("last 0.")
    assert daemon.stop() == 0
    assert terminal.end() == 3
    assert "no daemon answers" in terminal.text.partition(LEAVE)[2] and terminal.is_as_before()


def test_as_text(two):
    first, second, daemon = two
    done = daemon.call("top", "-n", "2", "-d", "0.2", "--limit", "1", "--sort", "boost")
    assert done.returncode == 0 and "\033" not in done.stdout
    assert done.stdout.count("DOMAIN") == 2 and done.stdout.count("and 1 more") == 2
    done = daemon.call("top", second.name, "-b", "-n", "1", "-d", "0.2")
    assert done.stdout.count(second.name) == 2 and first.name not in done.stdout
    assert daemon.call("top", "nobody").returncode == 5


def test_watch(two):
    """Its rates are those of the daemon's own totals in that time."""
    first, _, daemon = two
    before, begin = daemon.vcpu(first), time.monotonic()
    done = daemon.call("watch", "-n", "3", "-d", "1")
    after, took = daemon.vcpu(first), time.monotonic() - begin
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert done.returncode == 0 and len(lines) == 3
    rows = [next(row for row in line["rows"] if row["uuid"] == first.uuid) for line in lines]
    for line, row in zip(lines, rows):
        assert 0.9 < line["seconds"] < 3
        assert 0 <= row["boosted_permille"] <= row["run_permille"] <= 1000
        waits = row["windows"]["now"]["wait_us"]
        assert waits["p50"] <= waits["p99"] <= waits["max"]
    seen_ns = sum(1e6 * row["run_permille"] * line["seconds"] for line, row in zip(lines, rows))
    really_ns = after["run_ns"] - before["run_ns"]
    # the daemon's totals are of a somewhat longer time
    assert seen_ns <= really_ns + 3 * 1e6 * took and seen_ns >= really_ns * 0.3, (seen_ns, really_ns)
