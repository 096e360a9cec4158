#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Runs everything in parts and keeps the results: `scripts/test --all`. `scripts/test --help` tells its usage.

A result belongs to one commit and one part: RESULTS/COMMIT/PART.json, with the whole output beside it in PART.log.
"""

import argparse
import collections
import ctypes
import datetime
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "fuzz"))

import targets  # pylint: disable=wrong-import-position  # noqa: E402

RESULTS = "/var/cache/pvschedd/results"
KEEP_S = 30 * 86400
# A part is asked to end so long before its limit, since it has to clean up. scripts/test must end a suite even earlier,
# so that its figures are not lost.
CLEAN_UP_S, COUNT_S = 60, 240
LIMIT_S = 45 * 60

Part = collections.namedtuple("Part", "name command limit_s", defaults=(LIMIT_S,))

LIMITED = ("--limit", str(LIMIT_S - COUNT_S))

# Each fuzz target has ten minutes, and a parser of what others write as XML has an hour. Two processes run at a time.
FUZZ_S, FUZZ_JOBS = 600, 2
FUZZ_GROUP = 6  # targets in a part, at most: half an hour, besides the build
XML_TARGETS = ("metadata", "nova", "statusfile", "domain_xml")


def _vm(host, kernel):
    return Part(f"vm-{host}-{kernel}", ("scripts/test", "--suite", "vm", "--host", host, "--kernel", kernel, *LIMITED))


def _fuzz(name, seconds, names):
    return Part(f"fuzz-{name}", ("scripts/fuzz", "--seconds", str(seconds), "--jobs", str(FUZZ_JOBS), *names))


def _fuzz_parts():
    names = targets.names()
    n = -(-len(names) // FUZZ_GROUP)
    yield from (_fuzz(str(first + 1), FUZZ_S, names[first::n]) for first in range(n))
    yield from (_fuzz(name.replace("_", "-"), 3600 // FUZZ_JOBS, (name,) * FUZZ_JOBS) for name in XML_TARGETS)



# Commands run in the checkout. The last line "N passed, N failed, N skipped" counts, and the exit status. The default
# run has the whole vm suite on bookworm with 6.1. trixie's 6.18 lies between two kernels of this table; it is for finding
# out when something changed.
PARTS = (
    Part("default", ("scripts/test",)),
    _vm("bookworm", "6.12"),
    _vm("trixie", "6.12"),
    _vm("trixie", "newest"),
    Part("vm-preempt-rt", ("scripts/test", "--suite", "vm", "--host", "bookworm", "--kernel", "6.1-rt", "--kernel", "6.12-rt",
                           *LIMITED)),
    # The kernel with every lever.
    Part("vm-kills", ("scripts/test", "--suite", "vm", "--host", "trixie", "--kernel", "newest", *LIMITED, "--",
                      "-k", "test_levers_after_kills", "--times", "34")),
    Part("trixie-build", ("scripts/debian-root", "--suite", "trixie", "--same-pids", "--packages", "build", "test", "--",
                          "scripts/test", "--suite", "unit", "--no-install", "--build-dir", "/tmp/pvschedd-build")),
    Part("sanitized", ("scripts/test", "--sanitize", "address", *LIMITED)),
    Part("sanitized-threads", ("scripts/test", "--sanitize", "thread", *LIMITED)),
    Part("often", ("scripts/test", "--suite", "integration", *LIMITED, "--", "-m", "often", "--times", "100")),
    Part("scale", ("scripts/test", "--suite", "scale", *LIMITED)),
    Part("release", ("scripts/test", "--suite", "release", *LIMITED)),
    *_fuzz_parts(),
)

HEADER = ("part", "result", "passed", "failed", "skipped", "time", "commit", "date (UTC)")
MISSING = [0, 1, 0]
COUNTS = re.compile(r"^(\d+) passed, (\d+) failed, (\d+) skipped$", re.MULTILINE)
SKIPPED = re.compile(r"^skipped (.*)$", re.MULTILINE)
# The suite vm prints which Debian, kernel, QEMU and libvirt its host had.
RAN_ON = re.compile(r"^host: (.*)$", re.MULTILINE)
# Suites that a part does not ask for are no news.
LEFT_OUT = re.compile(r"^left out: (?!\w+: not asked for )(.*)$", re.MULTILINE)
# A test that failed at first, and passed when it was run again.
UNSTEADY = re.compile(r"^unsteady (.*)$", re.MULTILINE)


class PartsError(Exception):
    """Nothing can be run or kept; the text says what to do."""


class Checkout:
    """The commit that results belong to."""

    def __init__(self, directory):
        self.directory = directory

    def _git(self, *arguments):
        # Root may read another user's checkout, and must leave its index alone.
        argv = ["git", "-c", f"safe.directory={self.directory}", "-C", self.directory, *arguments]
        try:
            return subprocess.run(argv, check=True, capture_output=True, text=True, timeout=120,
                                  env=os.environ | {"GIT_OPTIONAL_LOCKS": "0"}).stdout
        except FileNotFoundError:
            raise PartsError("git is missing, and results are kept by commit: run scripts/install-packages test") from None
        except subprocess.CalledProcessError as error:
            raise PartsError(f"{shlex.join(argv)} failed, and results are kept by commit: "
                             f"{error.stderr.strip()}") from None

    def head(self):
        return self._git("rev-parse", "--verify", "HEAD").strip()

    def changes(self):
        """The changes against HEAD, untracked files included; empty if there are none."""
        return self._git("status", "--porcelain", "--untracked-files=normal")

    def earlier(self):
        """The commits before HEAD, the nearest first."""
        return self._git("rev-list", "--max-count=5000", "HEAD").split()[1:]


class Results:
    """The kept results."""

    def __init__(self, directory):
        self.directory = directory

    def path(self, commit, part, suffix):
        return f"{self.directory}/{commit}/{part}.{suffix}"

    def writable(self):
        """Raises PartsError if nothing can be kept here."""
        try:
            os.makedirs(self.directory, exist_ok=True)
            with tempfile.TemporaryFile(dir=self.directory):
                pass
        except OSError as error:
            raise PartsError(f"results cannot be kept in {self.directory}: {error.strerror}; PVSCHED_TEST_RESULTS names "
                             "another directory") from None

    def load(self, commit, part):
        """A kept result, or None."""
        try:
            with open(self.path(commit, part, "json"), encoding="utf-8") as file:
                result = json.load(file)
            counts = [result[key] for key in ("passed", "failed", "skipped", "seconds")]
            if result["commit"] == commit and result["part"] == part and all(type(count) is int for count in counts) \
                    and all(isinstance(result[key], str) for key in ("result", "date", "reason")) \
                    and all(isinstance(result[key], list) for key in ("skips", "left_out", "ran_on", "unsteady")):
                return result
        except FileNotFoundError:
            return None
        except (OSError, ValueError, LookupError, TypeError):
            pass
        print(f"{self.path(commit, part, 'json')} is not a result: it counts as missing")
        return None

    def keep(self, result, log):
        """Moves the file LOG beside the result, which comes last: so a result is always whole."""
        commit, part = result["commit"], result["part"]
        try:
            os.makedirs(f"{self.directory}/{commit}", exist_ok=True)
            with tempfile.NamedTemporaryFile("w", dir=self.directory, prefix=".tmp-", delete=False) as file:
                json.dump(result, file, indent=1)
                file.flush()
                os.fsync(file.fileno())
            for path, suffix in ((log, "log"), (file.name, "json")):
                os.chmod(path, 0o644)
                os.rename(path, self.path(commit, part, suffix))
        except OSError as error:
            raise PartsError(f"the result of {part} cannot be kept in {self.directory}: {error.strerror}; "
                             "PVSCHED_TEST_RESULTS names another directory") from None

    def prune(self, head, now):
        """Removes old results, except HEAD's. Other files than ours may be here."""
        for entry in list(os.scandir(self.directory)):
            if now - _newest(entry) <= KEEP_S:
                continue
            if entry.name.startswith(".tmp-") and entry.is_file(follow_symlinks=False):
                os.unlink(entry)
            elif re.fullmatch("[0-9a-f]{40,64}", entry.name) and entry.name != head and entry.is_dir(follow_symlinks=False):
                shutil.rmtree(entry)


def _newest(entry):
    times = [entry.stat(follow_symlinks=False).st_mtime]
    if entry.is_dir(follow_symlinks=False):
        times += [inner.stat(follow_symlinks=False).st_mtime for inner in os.scandir(entry)]
    return max(times)


# ---- running one ----

def _of_session(session):
    """The processes of a session."""
    for name in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                state, _ppid, _group, own = file.read().rpartition(")")[2].split()[:4]
        except OSError:
            continue
        if int(own) == session and state != "Z":
            yield int(name)


def _end(process, seconds):
    """Asks a command to end, then kills what is left: its jobs have process groups of their own."""
    try:
        os.killpg(process.pid, signal.SIGTERM)
        process.wait(seconds)
    except (ProcessLookupError, subprocess.TimeoutExpired, KeyboardInterrupt):
        pass
    for pid in _of_session(process.pid):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
    process.wait()


def _in_child():
    # If this program is killed, the command ends, and cleans up. It must also be able to interrupt its own commands. A
    # shell that starts this program in the background ignores SIGINT, which would be inherited.
    ctypes.CDLL(None).prctl(1, signal.SIGTERM, 0, 0, 0)  # PR_SET_PDEATHSIG
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def execute(part, directory, log, out, clean_up_s=CLEAN_UP_S):
    """Runs the part's command, with its output to the file LOG and to OUT. Returns its exit status, None if it had to
    be ended.

    A background process that holds the output open does not delay this.
    """
    deadline = time.monotonic() + part.limit_s - clean_up_s
    with open(log, "ab") as file, open(log, "rb") as shown:
        try:
            process = subprocess.Popen(part.command, cwd=directory, stdin=subprocess.DEVNULL, stdout=file,
                                       stderr=subprocess.STDOUT, start_new_session=True, preexec_fn=_in_child)
        except OSError as error:
            file.write(f"test: {part.command[0]} cannot be run: {error.strerror}\n".encode())
            file.flush()
            _show(shown, out)
            return 127
        code = None
        try:
            while code is None and time.monotonic() < deadline:
                try:
                    code = process.wait(0.2)
                except subprocess.TimeoutExpired:
                    pass
                _show(shown, out)
        finally:
            if code is None:
                _end(process, clean_up_s)
        _show(shown, out)
    return code


def _show(shown, out):
    out.buffer.write(shown.read())
    out.flush()


def verdict(code, text, limit_s):
    """The result of a command that ended with CODE, None if it was ended, and printed TEXT."""
    counts = COUNTS.findall(text)
    passed, failed, skipped = (int(count) for count in counts[-1]) if counts and code is not None else (0, 0, 0)
    reason = ""
    if code is None:
        reason = f"it did not end within its {limit_s} s and was ended"
    elif not counts:
        reason = f"it does not say how many tests passed, and ended with {code}"
    elif code != 0 and failed == 0:
        reason = f"it ended with {code}"
    elif passed + failed == 0:
        reason = f"all of its {skipped} tests were skipped" if skipped else "it ran no test"
    if reason and failed == 0:
        failed = 1
    return {"result": "failed" if failed else "passed", "passed": passed, "failed": failed, "skipped": skipped,
            "reason": reason, "exit": code,
            **{key: list(dict.fromkeys(pattern.findall(text)))
               for key, pattern in (("skips", SKIPPED), ("left_out", LEFT_OUT), ("ran_on", RAN_ON),
                                    ("unsteady", UNSTEADY))}}


def _machine():
    """The machine of this program. A part's output says what its tests ran on."""
    try:
        with open("/etc/os-release", encoding="utf-8") as file:
            system = re.search(r'^PRETTY_NAME="?([^"\n]*)', file.read(), re.MULTILINE)[1]
    except (OSError, TypeError):
        system = "unknown"
    return {"system": system, "kernel": os.uname().release, "cpus": os.cpu_count(),
            "memory_mib": os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") >> 20}


class Runner:
    """All parts of one commit."""

    def __init__(self, parts, checkout, results, out=sys.stdout):
        self.parts, self.checkout, self.results, self.out = parts, checkout, results, out
        self.commit = checkout.head()
        self.not_kept = {}  # part: result, of this run

    def say(self, text):
        print(text, file=self.out, flush=True)

    def _as_committed(self):
        return self.checkout.head() == self.commit and not self.checkout.changes()

    def chosen(self, names):
        """The parts to run. A pass on a commit says nothing about changes to it."""
        if names:
            return [part for part in self.parts if part.name in names]
        clean = self._as_committed()
        chosen = []
        for part in self.parts:
            result = self.results.load(self.commit, part.name)
            if clean and result and result["failed"] == 0:
                self.say(f"{part.name} has passed on {self.commit[:9]} already: --part {part.name} runs it again")
            else:
                chosen.append(part)
        return chosen

    def run(self, part, clean_up_s=CLEAN_UP_S):
        """Runs a part, and keeps the result if it is this commit's. If interrupted it leaves none, and an earlier one
        stays."""
        clean = self._as_committed()
        self.say(f"=== part {part.name}: {shlex.join(part.command)}, at most {part.limit_s // 60} min")
        if not clean:
            self.say(f"{part.name}: the work tree has changes to {self.commit[:9]}: the result will not be kept")
        descriptor, log = tempfile.mkstemp(dir=self.results.directory, prefix=".tmp-", suffix=".log")
        os.close(descriptor)
        begin = time.monotonic()
        try:
            code = execute(part, self.checkout.directory, log, self.out, clean_up_s)
            with open(log, encoding="utf-8", errors="replace") as file:
                found = verdict(code, file.read(), part.limit_s)
            now = datetime.datetime.now(datetime.timezone.utc)
            result = {"part": part.name, "commit": self.commit, **found, "seconds": round(time.monotonic() - begin),
                      "date": now.isoformat(timespec="seconds"), "command": list(part.command), "machine": _machine(),
                      "log": f"{part.name}.log"}
            if clean and self._as_committed():
                self.results.keep(result, log)
                self.not_kept.pop(part.name, None)
            else:
                self.not_kept[part.name] = result
        finally:
            if os.path.exists(log):
                os.unlink(log)
        self.say(f"=== part {part.name} {found['result']}")

    # ---- the results ----

    def _nearest(self, name):
        """The result of the nearest commit before HEAD that has one."""
        kept = set(os.listdir(self.results.directory)) if os.path.isdir(self.results.directory) else ()
        for commit in self.checkout.earlier() if kept else ():
            result = self.results.load(commit, name) if commit in kept else None
            if result:
                return result
        return None

    def _status(self, name):
        """A part's row of the table, its notes, and its counts for the sum."""
        short = self.commit[:9]
        fresh = self.not_kept.get(name)
        if fresh:
            return (_row(fresh, f"{fresh['result']}, not kept", f"{short}+"),
                    [f"{name} is missing, so it counts as one failed: its work tree had changes to {short}", *_said(fresh)],
                    MISSING)
        result = self.results.load(self.commit, name)
        if result:
            notes = _said(result)
            if result["failed"]:
                notes.insert(0, f"{name} failed, see {self.results.path(self.commit, name, 'log')}")
            return _row(result, result["result"], short), notes, [result[key] for key in ("passed", "failed", "skipped")]
        notes = [f"{name} is missing, so it counts as one failed: scripts/test --all --part {name} runs it"]
        result = self._nearest(name)
        if result:
            return _row(result, f"{result['result']} earlier", result["commit"][:9]), notes, MISSING
        return (name, "missing", "-", "-", "-", "-", "-", "-"), notes, MISSING

    def summary(self):
        """Prints the table, and last the sum of HEAD's results. Returns whether all are there and none failed."""
        status = [self._status(part.name) for part in self.parts]
        self.say(f"=== all, on {self.commit[:9]}")
        for line in _table([HEADER] + [row for row, _, _ in status]):
            self.say(line)
        for note in (note for _, notes, _ in status for note in notes):
            self.say(note)
        passed, failed, skipped = (sum(counts) for counts in zip(*(counts for _, _, counts in status)))
        self.say(f"{passed} passed, {failed} failed, {skipped} skipped")
        return failed == 0


def _said(result):
    """The notes of a result."""
    texts = [result["reason"]] if result["reason"] else []
    texts += [f"ran on {text}" for text in result["ran_on"]]
    texts += [f"skipped {text}" for text in result["skips"]]
    texts += [f"left out: {text}" for text in result["left_out"]]
    texts += [f"unsteady {text}" for text in result["unsteady"]]
    return [f"{result['part']}: {text}" for text in texts]


def _row(result, word, commit):
    return (result["part"], word, *(str(result[key]) for key in ("passed", "failed", "skipped")),
            "{}:{:02}".format(*divmod(result["seconds"], 60)), commit, result["date"][:16].replace("T", " "))


def _table(rows):
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    return ["  ".join(cell.rjust(width) if 2 <= column <= 5 else cell.ljust(width)
                      for column, (cell, width) in enumerate(zip(row, widths))).rstrip() for row in rows]


def _parse(argv, parts):
    parser = argparse.ArgumentParser(prog="test", allow_abbrev=False, add_help=False, epilog="see scripts/test --help",
                                     usage="test --all [--list | --summary | --part NAME...]")
    parser.add_argument("--all", action="store_true", required=True)
    parser.add_argument("-h", "--help", action="help")
    group = parser.add_mutually_exclusive_group()
    group.add_argument("--list", action="store_true")
    group.add_argument("--summary", action="store_true")
    group.add_argument("--part", action="append", default=[], metavar="NAME")
    args = parser.parse_args(argv)
    names = [part.name for part in parts]
    for name in args.part:
        if name not in names:
            parser.error(f"no part '{name}'; there are: {' '.join(names)}")
    return args


def _interrupt(*_):
    raise KeyboardInterrupt


def main(argv, parts=PARTS, directory=os.path.dirname(HERE), results=None):
    args = _parse(argv, parts)
    if args.list:
        print("\n".join(_table([(part.name, shlex.join(part.command), f"{part.limit_s // 60} min") for part in parts])))
        return 0
    try:
        kept = Results(results or os.environ.get("PVSCHED_TEST_RESULTS") or RESULTS)
        runner = Runner(parts, Checkout(directory), kept)
        if not args.summary:
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
                if signal.getsignal(number) != signal.SIG_IGN:  # nohup
                    signal.signal(number, _interrupt)
            kept.writable()
            kept.prune(runner.commit, time.time())
            for part in runner.chosen(args.part):
                runner.run(part)
        return 0 if runner.summary() else 1
    except (PartsError, OSError) as error:
        print(f"test: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("test: interrupted: the part that ran leaves no result", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
