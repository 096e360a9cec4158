#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Rounds that benchmarks keep over several sittings: argv[1] is the repository."""

import contextlib
import io
import json
import os
import sys
import tempfile
import types

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import crowd, host, kernel, kept  # noqa: E402
from rig.checks import run_checks  # noqa: E402
from rig.proc import RigError  # noqa: E402


def options(path, rounds=2, sitting=None, slow=1):
    return types.SimpleNamespace(rounds_file=path, rounds=rounds, sitting=sitting, slow=slow, build="/nowhere", quick=True,
                                 ease=None, booster=None)


@contextlib.contextmanager
def scratch():
    with tempfile.TemporaryDirectory() as directory:
        yield f"{directory}/rounds"


def test_a_later_sitting_goes_on_where_the_last_one_ended():
    with scratch() as path:
        taken = []
        first = kept.Kept(options(path), taken.append, slow=1)
        assert list(first.numbers()) == [0, 1]
        first.add({"of": "disk", "cells": [["latency", "disk-1", {"throughput": 3.0}]]})
        first.add({"of": "disk", "cells": [["latency", "disk-1", {"throughput": 4.0}]]})
        again = []
        second = kept.Kept(options(path, rounds=3), again.append, slow=1)
        assert again == taken and second.known == 2 and list(second.numbers()) == [2, 3, 4]
        (sitting,) = kept.sittings(path)
        assert sitting["rounds"] == 2 and sitting["kernel"] == os.uname().release and sitting["commit"] is None
        assert sitting["work_us"] > 0 and sitting["wakeup_us"] > 0
        assert "2 rounds of an unknown commit" in kept.told([sitting])


def test_no_round_begins_after_a_sitting():
    with scratch() as path:
        assert not list(kept.Kept(options(path, sitting=0), print).numbers())
        assert list(kept.Kept(options(path, sitting=1000), print).numbers()) == [0, 1]


def test_what_an_emulated_host_says_of_itself_stays():
    with scratch() as path:
        one = kept.Kept(options(path), lambda _: None)
        one.add({kept.ABOUT: {"commit": None, "kernel": "6.1.0-x", "work_us": 9000.0}, "cells": []})
        ((about, line),) = kept.lines(path)
        assert about["kernel"] == "6.1.0-x" and about["work_us"] == 9000.0 and about["wakeup_us"] < 9000 and line == {"cells": []}


def refuses(make):
    try:
        make()
    except RigError as error:
        return str(error)
    return None


def test_rounds_of_two_kernels_or_speeds_are_not_pooled():
    with scratch() as path:
        kept.Kept(options(path), lambda _: None, slow=1).add({"cells": []})
        assert "cannot be compared" in refuses(lambda: kept.Kept(options(path), lambda _: None, slow=20).add({"cells": []}))
        assert len(list(kept.lines(path))) == 1, "it was refused before it was kept"
        with open(path, "a", encoding="utf-8") as file:
            file.write(json.dumps({kept.ABOUT: {"kernel": "2.6.32", "slow": 1}, "cells": []}) + "\n")
        assert "2.6.32" in refuses(lambda: kept.Kept(options(path), lambda _: None, slow=1))


def test_half_a_line_is_named():
    with scratch() as path:
        with open(path, "w", encoding="utf-8") as file:
            file.write('{"cells": []}\n{"cells": [[\n')
        assert f"{path}:2:" in refuses(lambda: kept.Kept(options(path), lambda _: None))
        with open(path, "w", encoding="utf-8") as file:
            file.write('[]\n')
        assert f"{path}:1:" in refuses(lambda: kept.Kept(options(path), lambda _: None))


def test_delays_keep_three_digits():
    samples = [1234567, 1234000, 17, 5, 5]
    assert kept.pack(samples) == {"1230000": 2, "17": 1, "5": 2}
    assert sorted(kept.unpack(kept.pack(samples))) == [5, 5, 17, 1230000, 1230000]
    with scratch() as path:
        taken = []
        kept.Kept(options(path), taken.append).add({"cells": [["static", "10", {"samples": samples, "avg_us": 3.0}]]})
        assert taken[0]["cells"][0][2]["samples"] == samples, "those of this sitting are exact"
        ((_, line),) = kept.lines(path)
        assert len(line["cells"][0][2]["samples"]) == 5 and line["cells"][0][:2] == ["static", "10"]


def test_printed_rounds_are_lines_of_json():
    out = io.StringIO()
    with contextlib.redirect_stdout(out):
        kept.Kept(options("-"), lambda _: None).add({"cells": []})
    line = json.loads(out.getvalue())
    assert line["cells"] == [] and line[kept.ABOUT]["kernel"]


def test_rounds_of_host_count_for_each_of_its_parts():
    with scratch() as path:
        found, said = {}, io.StringIO()
        with contextlib.redirect_stderr(said):
            first = host.Rounds(options(path), found)
            first.add("disk, network", {("latency", "disk-1/apart"): {"throughput": 3.0}})
            first.add_line({"of": "disk, network", "cells": [["latency", "disk-1/apart", {"throughput": 4.0}]]}, "emulated host (tcg)")
        again = {}
        second = host.Rounds(options(path), again)
        assert again == found and len(found["latency", "disk-1/apart"]) == 2
        assert list(second.numbers("disk, network")) == [2, 3] and list(second.numbers(host.THREADS)) == [0, 1]
        assert "round 2 of 2" in said.getvalue()


def test_crowd_sums_up_a_file_without_a_thread():
    with scratch() as path:
        kept.Kept(options(path), lambda _: None).add({"cells": [[1, 20, {"simulated": {"avg_us": 1.0}, "measured": {"avg_us": 9.0}}]]})
        rounds = {}
        crowd.measure(None, options(path, sitting=0), rounds)
        assert rounds == {(1, 20): {"measured": [{"avg_us": 9.0}], "simulated": [{"avg_us": 1.0}]}}


def test_the_machine_is_described():
    about = kernel.machine("/nowhere")
    assert about["commit"] is None and about["work_us"] > 0 and about["wakeup_us"] > 0


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
