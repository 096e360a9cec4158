#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The parts of `scripts/test --all`, with commands and results that are made up: argv[1] is the repository."""

import contextlib
import io
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import unittest

REPOSITORY = sys.argv[1]
sys.path.insert(0, os.path.join(REPOSITORY, "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
import parts  # noqa: E402
import targets  # noqa: E402
from rig.checks import run_checks  # noqa: E402

HEAD, BEFORE, LONG_BEFORE = "a" * 40, "b" * 40, "c" * 40


class FakeCheckout:
    def __init__(self, directory):
        self.directory, self.commit, self.dirt = directory, HEAD, ""

    def head(self):
        return self.commit

    def changes(self):
        return self.dirt

    def earlier(self):
        return [BEFORE, LONG_BEFORE]


class Output(io.TextIOWrapper):
    def __init__(self):
        super().__init__(io.BytesIO(), encoding="utf-8", write_through=True)

    def text(self):
        return self.buffer.getvalue().decode()


class World:
    """A results directory and a runner with parts whose commands are lines for the shell."""

    def __init__(self, directory, **commands):
        self.directory = directory
        self.results = parts.Results(f"{directory}/results")
        self.results.writable()
        self.checkout = FakeCheckout(directory)
        self.table = [parts.Part(name, ("sh", "-c", command), 90) for name, command in commands.items()]
        self.runner = self.new_runner()

    def new_runner(self):
        return parts.Runner(self.table, self.checkout, self.results, Output())

    def run(self, name, **kwargs):
        part = next(part for part in self.table if part.name == name)
        self.runner.run(part, **kwargs)
        return self.results.load(HEAD, name)

    def chosen(self, *names):
        return [part.name for part in self.new_runner().chosen(names)]

    def summary(self):
        """(Exit-worthy, lines) of what a new run would say."""
        runner = self.new_runner()
        runner.not_kept = self.runner.not_kept
        good = runner.summary()
        return good, runner.out.text().splitlines()

    def kept(self):
        """Every file below the results directory."""
        return sorted(os.path.relpath(os.path.join(where, name), self.results.directory)
                      for where, _, names in os.walk(self.results.directory) for name in names)


@contextlib.contextmanager
def world(**commands):
    with tempfile.TemporaryDirectory() as directory:
        yield World(directory, **commands)


GOOD = "echo 'skipped t: no KVM'; echo 'left out: vm: only root'; echo 'left out: sim: not asked for (--suite sim)'; " \
       "echo 'unsteady u: slow'; echo 'host: kernel 6.1.0-30'; echo '3 passed, 0 failed, 1 skipped'"


def result(name, commit, passed=3, failed=0, date="2026-01-02T03:04:05+00:00"):
    return {"part": name, "commit": commit, "result": "failed" if failed else "passed", "passed": passed, "failed": failed,
            "skipped": 0, "reason": "", "skips": [], "left_out": [], "ran_on": [], "unsteady": [],
            "seconds": 61, "date": date}


def keep(world, name, commit, **kwargs):
    log = f"{world.directory}/log"
    with open(log, "w", encoding="utf-8"):
        pass
    world.results.keep(result(name, commit, **kwargs), log)


# ---- one part ----

def test_a_result_has_counts_reasons_and_the_whole_log():
    with world(good=GOOD) as it:
        found = it.run("good")
        assert (found["passed"], found["failed"], found["skipped"]) == (3, 0, 1) and found["result"] == "passed"
        assert found["skips"] == ["t: no KVM"] and found["ran_on"] == ["kernel 6.1.0-30"]
        assert found["unsteady"] == ["u: slow"]
        assert found["left_out"] == ["vm: only root"], "that one suite was asked for is no news"
        assert found["commit"] == HEAD and found["date"].endswith("+00:00") and found["machine"]["kernel"]
        assert it.kept() == [f"{HEAD}/good.json", f"{HEAD}/good.log"]
        with open(it.results.path(HEAD, "good", "log"), encoding="utf-8") as file:
            log = file.read()
        assert log.endswith("host: kernel 6.1.0-30\n3 passed, 0 failed, 1 skipped\n")
        assert log in it.runner.out.text(), "the output is shown, too"


def test_what_is_no_pass():
    for command, reason in (("true", "does not say how many"), ("echo '0 passed, 0 failed, 0 skipped'", "ran no test"),
                            ("echo '0 passed, 0 failed, 7 skipped'", "all of its 7 tests were skipped"),
                            ("echo '5 passed, 0 failed, 0 skipped'; exit 3", "ended with 3"),
                            ("echo '5 passed, 0 failed, 0 skipped'; kill -9 $$", "ended with -9"),
                            ("echo 'so 5 passed, 0 failed, 0 skipped'", "does not say how many")):
        with world(bad=command) as it:
            found = it.run("bad")
            assert found["result"] == "failed" and found["failed"] == 1 and reason in found["reason"], (command, found)


def test_failures_are_counted_as_they_are():
    with world(bad="echo '1 passed, 0 failed, 0 skipped'; echo '5 passed, 2 failed, 1 skipped'; exit 1") as it:
        found = it.run("bad")
        assert (found["passed"], found["failed"], found["skipped"]) == (5, 2, 1) and found["result"] == "failed"
        assert it.run("bad")["exit"] == 1


def test_a_command_that_is_not_there_has_failed():
    with world() as it:
        it.table.append(parts.Part("absent", ("scripts/nothing",), 5))
        assert it.run("absent")["failed"] == 1
        with open(it.results.path(HEAD, "absent", "log"), encoding="utf-8") as file:
            assert "scripts/nothing cannot be run: No such file" in file.read()


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_does_not_end_is_ended_and_has_failed():
    # As scripts/test: the job has a process group of its own. It is deaf, too.
    deaf = "set -m; trap '' TERM; (trap '' TERM INT; echo $BASHPID >job; sleep 60; sleep 60) & " \
           "echo '9 passed, 0 failed, 0 skipped'; wait; wait"
    with world() as it:
        it.table.append(parts.Part("deaf", ("bash", "-c", deaf), 3))
        begin = time.monotonic()
        found = it.run("deaf", clean_up_s=1)
        assert time.monotonic() - begin < 10
        assert found["failed"] == 1 and found["passed"] == 0 and "within its 3 s" in found["reason"]
        with open(f"{it.directory}/job", encoding="utf-8") as file:
            assert not alive(int(file.read()))


def test_what_does_not_end_may_clean_up():
    with world() as it:
        it.table.append(parts.Part("slow", ("bash", "-c", "trap 'sleep 0.3; touch cleaned; exit' TERM; sleep 60 & wait"), 5))
        assert it.run("slow", clean_up_s=4)["exit"] is None
        assert os.path.exists(f"{it.directory}/cleaned")


def test_a_background_process_that_keeps_the_output_open_is_not_waited_for():
    with world(left="sleep 30 & echo $! >left; echo '1 passed, 0 failed, 0 skipped'") as it:
        begin = time.monotonic()
        assert it.run("left")["passed"] == 1 and time.monotonic() - begin < 10
        with open(f"{it.directory}/left", encoding="utf-8") as file:
            os.kill(int(file.read()), signal.SIGKILL)


def test_an_interrupted_part_leaves_no_result_and_an_earlier_one_stays():
    with world(good=GOOD, ended=f"kill -INT {os.getpid()}; sleep 60; {GOOD}") as it:
        it.run("good")
        before = it.kept()
        handler = signal.signal(signal.SIGINT, signal.default_int_handler)
        begin = time.monotonic()
        try:
            it.run("ended")
            raise AssertionError("not interrupted")
        except KeyboardInterrupt:
            pass
        finally:
            signal.signal(signal.SIGINT, handler)
        assert it.kept() == before and time.monotonic() - begin < 30


# ---- what is kept ----

def test_of_a_changed_work_tree_nothing_is_kept():
    with world(good=GOOD) as it:
        it.checkout.dirt = "?? new.c\n"
        assert it.run("good") is None and it.kept() == []
        assert "will not be kept" in it.runner.out.text()
        good, lines = it.summary()
        assert not good and lines[-1] == "0 passed, 1 failed, 0 skipped"
        assert any(line.startswith("good is missing") and "changes" in line for line in lines)


def test_a_tree_that_changes_while_a_part_runs_is_noticed():
    for begun, change, value in (("", "dirt", " M file"), ("", "commit", BEFORE), (" M file", "dirt", "")):
        with world(good=GOOD) as it:
            it.checkout.dirt, execute = begun, parts.execute

            def changing(*args):
                setattr(it.checkout, change, value)  # pylint: disable=cell-var-from-loop
                return execute(*args)  # pylint: disable=cell-var-from-loop

            parts.execute = changing
            try:
                it.run("good")
            finally:
                parts.execute = execute
            assert it.kept() == [], (begun, change)


def test_a_result_that_is_damaged_or_of_another_is_missing():
    with world(good=GOOD) as it:
        it.run("good")
        path = it.results.path(HEAD, "good", "json")
        with open(path, encoding="utf-8") as file:
            text = file.read()
        with contextlib.redirect_stdout(io.StringIO()) as said:
            for damaged in (text[:len(text) // 2], "[]", text.replace(HEAD, BEFORE),
                            text.replace('"failed": 0', '"failed": "0"'), text.replace('"part": "good"', '"part": "other"'), text.replace('"skips"', '"skip"')):
                assert damaged != text
                with open(path, "w", encoding="utf-8") as file:
                    file.write(damaged)
                assert it.results.load(HEAD, "good") is None, damaged
                assert it.chosen() == ["good"]
        assert "is not a result" in said.getvalue()


def test_old_results_of_other_commits_are_removed_and_nothing_else():
    with world() as it:
        keep(it, "good", HEAD)
        keep(it, "good", BEFORE)
        keep(it, "good", LONG_BEFORE)
        for name in ("notes", ".tmp-abc.log"):
            with open(f"{it.results.directory}/{name}", "w", encoding="utf-8"):
                pass
        os.mkdir(f"{it.results.directory}/mine")
        now = time.time()
        for where, names, files in os.walk(it.results.directory):
            for name in (*names, *files):
                if BEFORE not in where and name != BEFORE:
                    os.utime(os.path.join(where, name), (now - 31 * 86400,) * 2)
        os.utime(f"{it.results.directory}/{BEFORE}", (now - 31 * 86400,) * 2)
        it.results.prune(HEAD, now)
        assert it.kept() == [f"{HEAD}/good.json", f"{HEAD}/good.log", f"{BEFORE}/good.json", f"{BEFORE}/good.log", "notes"]
        assert os.path.isdir(f"{it.results.directory}/mine")
        it.results.prune(HEAD, now + 29 * 86400)
        assert os.path.isdir(f"{it.results.directory}/{BEFORE}")


def test_a_directory_that_cannot_be_written_is_told():
    with world() as it:
        with open(f"{it.directory}/file", "w", encoding="utf-8"):
            pass
        try:
            parts.Results(f"{it.directory}/file/results").writable()
            raise AssertionError("written")
        except parts.PartsError as error:
            assert f"{it.directory}/file/results" in str(error) and "PVSCHED_TEST_RESULTS" in str(error)


# ---- what is run, what is said ----

def test_what_passed_is_not_run_again_unless_it_is_asked_for():
    with world(good=GOOD, bad=GOOD, new=GOOD) as it:
        keep(it, "good", HEAD)
        keep(it, "bad", HEAD, failed=1)
        keep(it, "new", BEFORE)
        assert it.chosen() == ["bad", "new"]
        assert it.chosen("good") == ["good"]
        assert it.chosen("new", "good", "new") == ["good", "new"], "once each"
        it.checkout.dirt = " M file\n"
        assert it.chosen() == ["good", "bad", "new"], "what passed says nothing of the changes"


def test_summary_adds_up_this_commit_alone():
    with world(good=GOOD, bad=GOOD, old=GOOD, never=GOOD) as it:
        keep(it, "good", HEAD)
        keep(it, "bad", HEAD, passed=4, failed=2)
        keep(it, "old", LONG_BEFORE, passed=900)
        good, lines = it.summary()
        assert not good and lines[-1] == "7 passed, 4 failed, 0 skipped"
        rows = {line.split()[0]: line for line in lines[1:6]}
        assert rows["good"].split() == ["good", "passed", "3", "0", "0", "1:01", HEAD[:9], "2026-01-02", "03:04"]
        assert "passed earlier" in rows["old"] and LONG_BEFORE[:9] in rows["old"]
        assert "missing" in rows["never"]
        keep(it, "old", BEFORE, failed=1)
        assert BEFORE[:9] in it.summary()[1][4], "the nearest"
        for name in ("old", "never"):
            assert f"{name} is missing, so it counts as one failed: scripts/test --all --part {name} runs it" in lines
        assert f"bad failed, see {it.results.path(HEAD, 'bad', 'log')}" in lines


def test_summary_is_good_when_all_are_there_and_says_what_was_skipped():
    with world(good=GOOD, other=GOOD) as it:
        it.run("good")
        assert not it.summary()[0]
        it.run("other")
        good, lines = it.summary()
        assert good and lines[-1] == "6 passed, 0 failed, 2 skipped"
        assert {"good: skipped t: no KVM", "other: left out: vm: only root", "good: ran on kernel 6.1.0-30"} <= set(lines)


# ---- the command ----

def test_table_ends_within_its_limits():
    names = [part.name for part in parts.PARTS]
    assert len(set(names)) == len(names)
    for part in parts.PARTS:
        assert part.limit_s <= 45 * 60
        if "--limit" in part.command:
            limit_s = int(part.command[part.command.index("--limit") + 1])
            assert limit_s + 60 < part.limit_s - parts.CLEAN_UP_S, "a suite that is ended is still counted"


def test_runner_takes_what_the_table_says():
    for part in parts.PARTS:
        command = part.command
        if command[0] == "scripts/debian-root":
            command = command[command.index("--") + 1:]
        known = {"scripts/test": "integration", "scripts/fuzz": "metadata"}[command[0]]
        done = subprocess.run((command[0], "--list", *command[1:]), cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
                              check=False)
        assert done.returncode == 0 and known in done.stdout.split(), (part, done)


def test_every_fuzz_target_has_its_time():
    """Ten minutes each, of the one list; two at a time, so that each part ends before its limit."""
    seconds = {}
    for part in parts.PARTS:
        if part.command[0] != "scripts/fuzz":
            continue
        each = int(part.command[part.command.index("--seconds") + 1])
        jobs = int(part.command[part.command.index("--jobs") + 1])
        names = [word for word in part.command[1:] if not word.startswith("-") and not word.isdecimal()]
        assert jobs == 2 and each * -(-len(names) // jobs) <= part.limit_s - 600, part
        for name in names:
            seconds.setdefault(name, []).append(each)
    corpora = set(os.listdir(os.path.join(REPOSITORY, "tests/fuzz/corpus")))
    assert set(seconds) == corpora == set(targets.names())
    assert all(600 in each for each in seconds.values())
    for name in ("metadata", "statusfile", "domain_xml"):
        assert sum(seconds[name]) >= 3600, name


def test_runner_refuses_a_kernel_of_another_host():
    for arguments in (["--kernel", "6.18"], ["--host", "trixie", "--kernel", "6.1"], ["--host=bookworm", "--kernel=newest"]):
        done = subprocess.run(["scripts/test", "--suite", "vm", *arguments], cwd=REPOSITORY, capture_output=True, text=True,
                              timeout=60, check=False)
        assert done.returncode == 2 and "--host trixie --kernel 6.12|6.18|newest" in done.stderr, done


def test_runner_hands_over():
    done = subprocess.run(["scripts/test", "--all", "--list"], cwd=REPOSITORY, capture_output=True, text=True, timeout=60,
                          check=False)
    assert [line.split()[0] for line in done.stdout.splitlines()] == [part.name for part in parts.PARTS], done
    assert all(line.endswith("45 min") for line in done.stdout.splitlines())
    done = subprocess.run(["scripts/test", "--all", "--part", "nothing"], cwd=REPOSITORY, capture_output=True, text=True,
                          timeout=60, check=False)
    assert done.returncode == 2 and "there are: default vm-bookworm-6.12 " in done.stderr, done


def git(directory, *arguments):
    subprocess.run(["git", "-c", "user.name=t", "-c", "user.email=t@t.invalid", "-C", directory, *arguments], check=True,
                   capture_output=True, timeout=60, env=os.environ | {"GIT_CONFIG_GLOBAL": "/dev/null"})


def test_whole_command_in_a_checkout_of_git():
    if not shutil.which("git"):
        raise unittest.SkipTest("there is no git")
    with tempfile.TemporaryDirectory() as directory:
        checkout, kept = f"{directory}/checkout", f"{directory}/kept"
        for name in ("scripts", "tests"):
            os.makedirs(f"{checkout}/{name}")
        shutil.copy(f"{REPOSITORY}/tests/parts.py", f"{checkout}/tests/")
        os.makedirs(f"{checkout}/tests/fuzz")
        for name in ("targets.py", "meson.build"):
            shutil.copy(f"{REPOSITORY}/tests/fuzz/{name}", f"{checkout}/tests/fuzz/")
        for name in ("test", "fuzz"):
            with open(f"{checkout}/scripts/{name}", "w", encoding="utf-8") as file:
                file.write("#!/bin/sh\necho run >>\"$PVSCHED_TEST_RESULTS/runs\"; echo '2 passed, 0 failed, 0 skipped'\n")
            os.chmod(f"{checkout}/scripts/{name}", 0o755)

        def call(*arguments):
            done = subprocess.run([sys.executable, "-B", f"{checkout}/tests/parts.py", "--all", *arguments], text=True,
                                  capture_output=True, timeout=120, check=False,
                                  env=os.environ | {"PVSCHED_TEST_RESULTS": kept})
            return done.returncode, done.stdout.splitlines(), done.stderr

        code, _, told = call()
        assert code == 1 and "results are kept by commit" in told, told
        git(checkout, "init", "-q")
        git(checkout, "add", ".")
        git(checkout, "commit", "-q", "-m", "one")
        others = len(parts.PARTS) - 1
        assert call("--summary")[1][-1] == f"0 passed, {others + 1} failed, 0 skipped" and not os.path.exists(kept)
        code, lines, _ = call("--part", "default")
        assert code == 1 and lines[-1] == f"2 passed, {others} failed, 0 skipped", lines
        code, lines, _ = call()
        assert lines[-1] == f"{2 * others} passed, 1 failed, 0 skipped", "scripts/debian-root is not there"
        with open(f"{kept}/runs", encoding="utf-8") as file:
            assert len(file.read().split()) == others, "default, which had passed, not again"
        git(checkout, "commit", "-q", "--allow-empty", "-m", "two")
        _, lines, _ = call("--summary")
        assert lines[-1] == f"0 passed, {others + 1} failed, 0 skipped"
        assert sum("passed earlier" in line for line in lines) == others
        with open(f"{checkout}/new", "w", encoding="utf-8"):
            pass
        code, lines, _ = call("--part", "default")
        assert code == 1 and any("passed, not kept" in line for line in lines), lines
        with open(f"{checkout}/scripts/debian-root", "w", encoding="utf-8") as file:
            file.write("#!/bin/sh\necho '1 passed, 0 failed, 0 skipped'\n")
        os.chmod(f"{checkout}/scripts/debian-root", 0o755)
        git(checkout, "add", ".")
        git(checkout, "commit", "-q", "-m", "three")
        code, lines, _ = call()
        assert code == 0 and lines[-1] == f"{2 * others + 1} passed, 0 failed, 0 skipped", lines
        assert call("--summary")[0] == 0
        with open(f"{kept}/{parts.Checkout(checkout).head()}/default.json", encoding="utf-8") as file:
            assert json.load(file)["command"] == ["scripts/test"]


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
