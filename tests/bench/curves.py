# SPDX-License-Identifier: GPL-2.0-or-later
"""What gnuplot is told about figures along a line: latency against demand, CPU use against vCPUs."""

from . import wake
from .grid_plot import COLOURS, HEAD, block

_DEMAND_VARIANTS = {"untouched": "vanilla", "interactive": "interactive", "latency": "latency", "static": "static"}
_STATES = {"asleep, observed": "vanilla", "awake, observed": "interactive", "asleep, armed": "static", "awake, armed": "latency"}


def _lines(series):
    """The data and the plot command of {title: (colour, [(x, y)])}."""
    blocks, lines = "", []
    for number, (title, (colour, points)) in enumerate(series.items()):
        blocks += block(f"d{number}", sorted(points))
        lines.append(f"$d{number} with linespoints lw 2 pt 7 ps 0.5 lc rgb '{COLOURS[colour]}' title '{title}'")
    return f"{blocks}plot {', '.join(lines)}\n"


def demand(variants, path):
    """Average and p99 against the demand of periodic work, in per cent of a CPU."""
    duties = [duty for duty, (_, period, _) in wake.DUTIES.items() if period and duty.isdigit()]
    text = HEAD.format(width=840, height=340, path=path)
    text += ("set multiplot layout 1,2\nset logscale y\nset xlabel 'demand, % of a CPU'\nset xrange [0:100]\nset key top left\n")
    for figure, name in (("avg_us", "average"), ("p99_us", "99th percentile")):
        series = {}
        for variant, colour in _DEMAND_VARIANTS.items():
            points = [(int(duty), max(variants[wake.key(variant, duty)][figure], 0.1)) for duty in duties
                      if wake.key(variant, duty) in variants]
            if points:
                series[variant] = (colour, points)
        text += f"set ylabel '{name} latency, us'\n" + _lines(series)
    return text + "unset multiplot\n"


def cpu_use(variants, path):
    """The daemon's CPU time against the number of vCPUs it manages."""
    text = HEAD.format(width=560, height=340, path=path)
    text += "set xlabel 'vCPUs'\nset ylabel 'daemon, permille of one CPU'\nset key top left\n"
    series = {state: (colour, [(one["vcpus"], one["states"][state]["cpu_permille"]) for one in variants.values() if one["states"]])
              for state, colour in _STATES.items()}
    return text + _lines(series)


CURVES = {"wake": ("wake-demand", demand), "scale": ("scale-cpu", cpu_use)}
