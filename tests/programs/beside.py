# SPDX-License-Identifier: MIT
"""Tests of others, run on Drupe and on Linux: what a console says of them, and what passes on one and not on the other."""
import argparse
import collections
import pathlib
import re

import example
import machine

WANTED = 0.99


def arguments(name, harts, what):
    """The command line of such a test, whose consoles are kept in build/test/NAME: how many harts, the result's file, and which of `what`."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--harts", type=lambda text: [int(n) for n in text.split(",")], default=harts)
    parser.add_argument("--keep", type=pathlib.Path, default=machine.BUILD / "test" / name)
    parser.add_argument("--limit", type=int, default=7200)
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument(what, nargs="*")
    found = parser.parse_args()
    found.keep.mkdir(parents=True, exist_ok=True)
    return found


def console_of(name, part, harts, linux, options):
    """The console of examples/NAME with PART as its argument; kept in options.keep, and not run again if it is there."""
    kept = options.keep / f"{part or name}.{'linux' if linux else 'drupe'}.{harts}"
    if not kept.exists():
        kept.write_text(example.boot(name, harts, *([part] if part else []), linux=linux, limit=options.limit), encoding="utf-8")
    return kept.read_text(encoding="utf-8", errors="replace")


def outcomes(console):
    """Suite -> test -> passed, failed or skipped."""
    assert re.search(r"^COMPLETE$", console, re.M), "the tests did not run to their end:\n" + console[-2000:]
    found = collections.defaultdict(dict)
    for suite, test, outcome in re.findall(r"^RESULT (\S+) (\S+) (\w+)$", console, re.M):
        found[suite][test] = outcome
    return found


def passes(outcomes_there):
    return sum(outcome == "passed" for outcome in outcomes_there.values())


def compare(drupe, linux):
    """(the tests that pass on Linux alone, the share of those that do not)"""
    there = {test for test, outcome in linux.items() if outcome == "passed"}
    lost = sorted(test for test in there if drupe.get(test) != "passed")
    return lost, 1 - len(lost) / len(there) if there else 1.0
