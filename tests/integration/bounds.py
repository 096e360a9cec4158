# SPDX-License-Identifier: GPL-2.0-or-later
"""Bounds that are stated somewhere, such as in a man page. Performance is never asserted; these are."""


def check_bound(figures, what, bound, margin, measure):
    """measure() gives what must be at most BOUND, times a MARGIN for what is not the daemon's: for its own reasons the
    machine may do other things meanwhile, so there is one retry. The values are shown at the end of the run."""
    values = figures.setdefault(f"{what} (bound {bound:g}, margin {margin:g})", [])
    for _ in range(2):
        values.append(measure())
        if values[-1] <= bound * margin:
            return
    raise AssertionError(f"{what}: {values[-2:]}, and {bound:g} times {margin:g} is the bound")
