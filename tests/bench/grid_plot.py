# SPDX-License-Identifier: GPL-2.0-or-later
"""Plots of `grid`, by gnuplot: small SVG files."""

import os
import shutil
import subprocess

from rig.proc import RigError

COLOURS = {"vanilla": "#888888", "interactive": "#e69f00", "latency": "#0072b2", "static": "#009e73"}
_OTHER = "#cc79a7"
_POINTS_MAX = 60
HEAD = """set terminal svg size {width},{height} font 'sans-serif,11' background '#ffffff'
set output '{path}'
set grid lc rgb '#dddddd'
set border 3 lc rgb '#666666'
set tics nomirror
set key top right samplen 2
"""


def _exceeding(delays):
    """(us, share of wake-ups that waited longer) along a curve of few points."""
    points, seen = [], 0
    for us in sorted(delays.histogram):
        seen += delays.histogram[us]
        points.append((us, 1 - seen / delays.count if delays.count else 0))
    points = [point for point in points if point[1] > 0]
    step = max(1, len(points) // _POINTS_MAX)
    return [*points[::step], *points[-1:]]


def block(name, lines):
    return f"${name} << EOD\n" + "\n".join(" ".join(f"{value:.6g}" for value in line) for line in lines) + "\nEOD\n"


def _curve(report, path):
    """Complementary distribution of wake-to-run, one panel per interval, of the busiest load."""
    load = "busy" if any(place[0] == "busy" for place in report.places) else report.places[-1][0]
    places = [place for place in report.places if place[0] == load]
    text = HEAD.format(width=420 * len(places), height=340, path=path)
    text += (f"set multiplot layout 1,{len(places)}\nset logscale xy\nset format y '10^{{%T}}'\nset yrange [1e-4:1]\n"
             "set xlabel 'wake-to-run, us'\nset key bottom left\nset ylabel 'share of wake-ups that wait longer'\n")
    for place in places:
        blocks, curves = "", []
        for number, variant in enumerate(report.variants):
            if (*place, variant) in report.cells:
                blocks += block(f"d{number}", _exceeding(report.pooled((*place, variant), "wake_to_run")))
                curves.append(f"$d{number} with lines lw 2 lc rgb '{COLOURS.get(variant, _OTHER)}' title '{variant}'")
        text += f"{blocks}set title '{load}, {place[1]} us'\nplot {', '.join(curves)}\n"
    return text + "unset multiplot\n"


def _loads(report, path):
    """p99 of wake-to-run against spinners per CPU, one panel per interval."""
    spinners = {"idle": 0, "busy-1": 1, "busy-2": 2, "busy": 3}
    intervals = sorted({place[1] for place in report.places})
    text = HEAD.format(width=420 * len(intervals), height=340, path=path)
    text += (f"set multiplot layout 1,{len(intervals)}\nset logscale y\nset xrange [-0.2:3.2]\nset xtics 1\n"
             "set xlabel 'spinners per CPU'\nset ylabel 'wake-to-run p99, us'\nset key top left\n")
    for interval_us in intervals:
        blocks, curves = "", []
        for number, variant in enumerate(report.variants):
            points = [(spinners[load], report.pooled((load, interval_us, variant), "wake_to_run").percentile(990))
                      for load in spinners if (load, interval_us, variant) in report.cells]
            blocks += block(f"d{number}", sorted(points))
            curves.append(f"$d{number} with linespoints lw 2 pt 7 ps 0.5 lc rgb '{COLOURS.get(variant, _OTHER)}' "
                          f"title '{variant}'")
        text += f"{blocks}set title '{interval_us} us'\nplot {', '.join(curves)}\n"
    return text + "unset multiplot\n"


def draw(script):
    """Lets gnuplot do what the script says."""
    if not shutil.which("gnuplot"):
        raise RigError("no plots without gnuplot: scripts/install-packages plot")
    done = subprocess.run(["gnuplot"], input=script, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        raise RigError(f"gnuplot failed: {done.stderr.strip()}")


def plot(report, directory):
    """Writes the plots into the directory; their paths."""
    os.makedirs(directory, exist_ok=True)
    paths = []
    several = len({load for load, _ in report.places}) > 1
    for name, make in (("grid-wake-to-run", _curve), *([("grid-load", _loads)] if several else [])):
        path = os.path.join(directory, f"{name}.svg")
        draw(make(report, path))
        paths.append(path)
    return paths
