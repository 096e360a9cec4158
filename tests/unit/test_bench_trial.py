#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Which trials `tests/bench/run trial` still has to do, and what it sums up: argv[1] is the repository."""

import json
import os
import sys
import tempfile
import types

sys.path.insert(0, os.path.join(sys.argv[1], "tests"))
sys.dont_write_bytecode = True

# pylint: disable=wrong-import-position
from bench import trial  # noqa: E402
from rig.checks import run_checks  # noqa: E402


def options(path=None, rounds=trial.QUICK_ROUNDS, case=None, sitting=None):
    return types.SimpleNamespace(rounds=rounds, rounds_file=path, case=case, sitting=sitting)


def said(advice, state="clear", wrong=False, left_as_found=True):
    interval = {"value": 500, "low": 400, "high": 600}
    return {"advice": advice, "state": state, "wrong": wrong, "left_as_found": left_as_found, "elapsed_ms": 30_000,
            "off": {"p99_us": interval}, "on": {"p99_us": interval}, "price": {"worst": "threads", "threads": interval}}


def test_each_case_is_repeated_as_often_as_promised():
    todo = trial.missing(options(), {})
    assert len(todo) == len(set(todo)) >= 24
    assert all(sum(name == case for _, name in todo) >= 4 for case in trial.CASES)
    orders = {tuple(name for number, name in todo if number == one) for one in range(trial.QUICK_ROUNDS)}
    assert len(orders) > 1, "no case always runs after the same other one"


def test_a_sitting_goes_on_where_the_last_one_ended():
    have = {"busy": [said("recommend")] * 3, "hog": [said("not-worth-it")]}
    todo = trial.missing(options(rounds=2), have)
    assert not [one for one in todo if one[1] == "busy"] and (1, "hog") in todo and (0, "hog") not in todo
    assert len(todo) == 2 * len(trial.CASES) - 3
    assert trial.missing(options(case=["hog"]), have) == [(number, "hog") for number in range(1, trial.QUICK_ROUNDS)]


def test_all_lines_of_the_file_are_summed_up_and_nothing_is_started():
    with tempfile.NamedTemporaryFile("w", suffix=".rounds") as file:
        lines = [{"busy": said("recommend")}, {"hog": said("recommend", wrong=True)},
                 {"busy": said("recommend", left_as_found=False)}]
        file.write("".join(f"{json.dumps(line)}\n" for line in lines))
        file.flush()
        rounds = {}
        trial.measure(None, options(file.name, sitting=0), rounds)
    found, text = trial.report(rounds, None)
    assert (found["repeats"], found["wrong"], found["not_left_as_found"]) == (3, 1, 1)
    assert found["cases"]["busy"]["repeats"] == 2 and found["cases"]["hog"]["wrong"] == 1
    assert text.endswith("3 trials, 1 wrong, 1 not left as found")


def test_what_is_wrong_of_a_case():
    def wrong(case, advice, state="clear", reason=None):
        return trial.CASES[case].is_wrong({"advice": advice, "state": state, "reason": reason})
    assert not wrong("busy", "recommend") and wrong("busy", "cannot-tell")
    assert not wrong("hog", "price-too-high", "neighbours") and wrong("hog", "recommend")
    assert not wrong("changes", "cannot-tell", "time") and wrong("changes", "not-worth-it")
    assert not wrong("quota", "cannot-tell", "held", "quota") and wrong("quota", "cannot-tell", "held", "disabled")
    assert wrong("quota", "cannot-tell", "time"), "it could be tried"


if __name__ == "__main__":
    sys.exit(run_checks(globals()))
