#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""The direction of includes: the table of ARCHITECTURE.md, enforced.

Each room may include itself, what the table allows, and the libraries it owns. The table is read from
ARCHITECTURE.md, so that picture and rule can't drift apart. Within a room includes have one direction, too: no
file includes the header of a file that needs its own. And the length of files.
"""

import pathlib
import re
import sys

LIBRARIES = {  # header prefix -> the only places that may include it
    "libvirt/": ("src/virt/",),
    "expat.h": ("src/virt/xml.c",),
    "libxml/": ("src/virt/domain_tree",),
    "netlink/": ("src/virt/",),
    "bpf/": ("src/trace/", "src/agent/guest_tracer.", "bpf/"),
    "liburing": ("src/boost/wait_uring.c",),
    "libsmartcols": ("src/ctl/table.c",),
    "cjson/": ("src/util/json", "src/control/", "src/daemon/", "src/ctl/"),
}
# Files that are the only ones of their room with a kind of system call.
CALLS = {
    r"\bSYS_(sched_(set|get)|setpriority|ioprio_set)|\bsched_(set|get)(affinity|attr|scheduler|param)\("
    r"|\bsetpriority\(|\bnice\(|\bpthread_(attr_)?(set|get)(sched|affinity)":
        # of other threads, of processes that only a probe has, and affinities in a guest
        ("src/boost/sched.c", "src/ctl/fair_order.c", "src/agent/aside_tasks.c"),
    r"\b(clock_gettime|clock_now_ns|time|gettimeofday)\(": (),  # none in the policy, see below
}
# A clock that may be set, or that goes at another rate than the tracer's.
SET_CLOCK = r"\bCLOCK_(REALTIME|TAI)\w*|\bgettimeofday\(|(?<![\w>.])time\((NULL|&)"
# What is kept on disk over many boots has its days by the calendar; metrics tell other machines when they were read.
# resume.c never reads the clock: a timer on it is cancelled when the machine wakes up.
CALENDAR = ("src/daemon/state.c", "src/util/wall_clock.h", "src/agent/resume.c")
PURE = "src/policy/"
LINES_MAX = 500  # of a file: one that is longer does more than one thing


def table(architecture):
    rooms = {}
    for line in architecture.read_text(encoding="utf-8").splitlines():
        match = re.match(r"\| `([^`]+)` \|[^|]*\| ([^|]*) \|$", line)
        if match:
            rooms[match.group(1)] = [word.strip("` ") for word in match.group(2).split(",")]
    return rooms


def room_of(path, rooms):
    return max((room for room in rooms if path.startswith(room)), key=len, default=None)


def include_of(line):
    """The delimiter and the name of an include, or None."""
    match = re.match(r'\s*#\s*include\s*([<"])([^>"]+)[>"]', line)
    return match.groups() if match else None


def target_of(name, room):
    """The path of a header of ours, or None where its name does not say which."""
    if name.startswith("pvsched/"):
        return f"include/{name}"
    if "/" in name:
        return f"src/{name}"
    return f"bpf/{name}" if room == "bpf/" else None


def check_include(path, number, line, rooms, errors):
    include = include_of(line)
    if not include:
        return
    kind, name = include
    for prefix, owners in LIBRARIES.items():
        if kind == "<" and name.startswith(prefix) and not path.startswith(owners):
            errors.append(f"{path}:{number}: <{name}> belongs to {', '.join(owners)}")
    if kind == "<" or name.endswith(".skel.h"):
        return
    room = room_of(path, rooms)
    target = target_of(name, room)
    if target is None:
        errors.append(f"{path}:{number}: \"{name}\" is not qualified by its room")
        return
    allowed = rooms[room]
    if target.startswith(room) or "everything" in allowed:
        return
    if not any(target.startswith(prefix) for prefix in allowed):
        errors.append(f"{path}:{number}: {room} may not include {target} (allowed: {', '.join(allowed)})")


def check_calls(path, number, line, errors):
    if re.search(SET_CLOCK, line) and path.startswith(("src/", "bpf/")) and path not in CALENDAR:
        errors.append(f"{path}:{number}: a clock that may be set: use CLOCK_MONOTONIC")
    for pattern, owners in CALLS.items():
        if not re.search(pattern, line) or line.lstrip().startswith(("*", "/*", "//")):
            continue
        if owners and path not in owners:
            errors.append(f"{path}:{number}: scheduling calls are {', '.join(owners)}'s alone")
        if not owners and path.startswith(PURE):
            errors.append(f"{path}:{number}: the policy has no clock")


def note_need(path, line, rooms, needs):
    """Adds an include within a room to @needs: room, then file, then the files that it needs. A source and its
    header are one file here."""
    include = include_of(line)
    room = room_of(path, rooms)
    if not include or include[0] == "<":
        return
    target = target_of(include[1], room)
    file, needed = path.rsplit(".", 1)[0], (target or "").rsplit(".", 1)[0]
    if needed.startswith(room) and needed != file:
        needs.setdefault(room, {}).setdefault(file, set()).add(needed)


def circles(needs):
    """The shortest way from a file back to itself, for each circle of files once."""
    found = {}
    for start in sorted(needs):
        ways, seen = [[start]], set()
        while ways:
            way = ways.pop(0)
            reached = needs.get(way[-1], set())
            if start in reached:
                found.setdefault(frozenset(way), way + [start])
                break
            ways += [way + [file] for file in sorted(reached - seen)]
            seen |= reached
    return list(found.values())


def check_circles(needs, errors):
    for room, files in sorted(needs.items()):
        for circle in circles(files):
            errors.append(f"{room}: files need each other: {' -> '.join(circle)}")


def check_self_circles(rooms):
    """That a circle is found, also through headers, and nothing else is."""
    straight = [("a.c", "a.h"), ("a.c", "b.h"), ("b.h", "c.h"), ("b.c", "b.h"), ("a.h", "c.h")]
    found = []
    for extra in ((), [("c.c", "a.h")], [("c.h", "b.h")]):
        needs, errors = {}, []
        for file, header in (*straight, *extra):
            note_need(f"{PURE}{file}", f'#include "policy/{header}"', rooms, needs)
        check_circles(needs, errors)
        found.append(len(errors))
    return found[0] == 0 and found[1] > 0 and found[2] > 0


def check_self(rooms):
    """That the check can fail: an upward include and a foreign library must be found."""
    errors = []
    check_include("src/policy/x.c", 1, '#include "boost/booster.h"', rooms, errors)
    check_include("src/boost/x.c", 1, "#include <libvirt/libvirt.h>", rooms, errors)
    check_calls("src/policy/x.c", 1, "now = clock_now_ns();", errors)
    check_calls("src/boost/x.c", 1, "syscall(SYS_sched_setattr, 0);", errors)
    check_calls("src/daemon/x.c", 1, "syscall(SYS_sched_getaffinity, 0);", errors)
    check_calls("src/daemon/x.c", 1, "syscall(SYS_sched_setscheduler, 0);", errors)
    check_calls("src/util/x.c", 1, "pthread_setschedparam(thread, SCHED_FIFO, &param);", errors)
    check_calls("src/daemon/x.c", 1, "clock_gettime(CLOCK_REALTIME, &ts);", errors)
    check_calls("src/daemon/x.c", 1, "now = time(NULL);", errors)
    return len(errors) == 9 and check_self_circles(rooms)


def check_lengths(root, errors):
    for folder in ("src", "include", "bpf", "tests"):
        for file in sorted((root / folder).rglob("*")):
            if file.suffix in (".c", ".h", ".py"):
                lines = file.read_text(encoding="utf-8").count("\n")
                if lines > LINES_MAX:
                    errors.append(f"{file.relative_to(root)}: {lines} lines, {LINES_MAX} are the limit")


def main():
    root = pathlib.Path(sys.argv[1])
    rooms = table(root / "ARCHITECTURE.md")
    errors, needs, files = [], {}, 0
    if not check_self(rooms):
        errors.append("the check itself finds nothing")
    for folder in ("src", "include", "bpf"):
        for file in sorted((root / folder).rglob("*.[ch]")):
            path = file.relative_to(root).as_posix()
            if room_of(path, rooms) is None:
                errors.append(f"{path}: in no room of ARCHITECTURE.md")
                continue
            files += 1
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                check_include(path, number, line, rooms, errors)
                check_calls(path, number, line, errors)
                note_need(path, line, rooms, needs)
    check_circles(needs, errors)
    check_lengths(root, errors)
    for error in errors:
        print(error)
    print(f"{files} files, {len(rooms)} rooms")
    print(f"{0 if errors else 1} passed, {1 if errors else 0} failed, 0 skipped")
    return 1 if errors or files < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
