#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs the tests that come with Debian's packages (examples/ of SUITES) on Drupe and on Debian's Linux, and writes their rows of the table
in docs/programs.md; those of other suites stay.

usage: suites.py [--harts N,...] [--keep FOLDER] [--limit SECONDS] RESULT [EXAMPLE...]

Linux has 4 harts. A machine has SECONDS until it is given up. The consoles are kept in FOLDER, one for each example, kernel and number of harts;
what is there already is not run again. RESULT gets "passed failed skipped": a suite counts as passed if Drupe passes 99 % of what Linux does
with each number of harts, without the tests of what is not there (docs/abi.md says why). Exit status 1: one does not.
"""
import pathlib
import re
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent)]
import beside  # noqa: E402
import machine  # noqa: E402

DOC = machine.TOP / "docs/programs.md"
SUITES = {"busybox": ["busybox", "ash"], "bash": ["bash"], "coreutils": ["coreutils"], "util-linux": ["util-linux"],
          "stress-ng": ["stress-ng"]}  # which example runs which
HARTS = [4, 1]  # the table's columns
HEAD = ["| suite | Linux passes | Drupe passes | missing | with 1 hart | missing |", "|---|---:|---:|---:|---:|---:|"]


def excused(suite):
    """The suite's tests that kernel/sys/absent.def names: of what is not there."""
    text = (machine.TOP / "kernel/sys/absent.def").read_text(encoding="utf-8")
    return [test for tests in re.findall(r'^ABSENT_PART\(.*"([^"]*)"\)$', text, re.M) for part in tests.split("; ")
            if part.startswith(f"{suite}: ") for test in part.removeprefix(f"{suite}: ").split(", ")]


def rows(example, options):
    """Suite -> (number of harts -> [passes, missing], Linux's passes, is it as it should be?)"""
    linux = beside.outcomes(beside.console_of(example, "", 4, True, options))
    found = {suite: ({}, str(beside.passes(linux[suite])), []) for suite in SUITES[example]}
    for harts in options.harts:
        drupe = beside.outcomes(beside.console_of(example, "", harts, False, options))
        for suite, (cells, _, good) in found.items():
            lost, _ = beside.compare(drupe[suite], linux[suite])
            cells[harts] = [str(beside.passes(drupe[suite])), str(len(lost))]
            faults = [test for test in lost if not any(test == name or test.startswith(f"{name}:") for name in excused(suite))]
            good.append(bool(linux[suite]) and len(faults) <= (1 - beside.WANTED) * beside.passes(linux[suite]))
            for test in lost:
                print(f"{suite}, {harts} harts: {drupe[suite].get(test, 'not run')}: {test}")
    return found


def write(suite, cells, linux):
    """Puts a row into the table, in SUITES' order; what was not counted now stays as it is (a dash: never counted). Returns the row."""
    text = DOC.read_text(encoding="utf-8")
    table = re.search(r"<!-- suites -->\n(.*?)<!-- end -->", text, re.S)
    lines = {name: line for line, name in re.findall(r"^(\| ([a-z][\w-]*) .*\d.*)$", table[1], re.M)}
    old = lines[suite].strip("| ").split(" | ")[2:] if suite in lines else ["–"] * 4
    both = [cell for i, harts in enumerate(HARTS) for cell in cells.get(harts, old[2 * i:2 * i + 2])]
    lines[suite] = f"| {' | '.join([suite, linux, *both])} |"
    order = [name for names in SUITES.values() for name in names]
    new = "\n".join([*HEAD, *(lines[name] for name in order if name in lines)]) + "\n"
    DOC.write_text(text[:table.start(1)] + new + text[table.end(1):], encoding="utf-8")
    return lines[suite]


def main():
    options = beside.arguments("suites", HARTS, "examples")
    passed = failed = 0
    print("\n".join(HEAD))
    for example in options.examples or SUITES:
        try:
            found = rows(example, options)
        except AssertionError as e:  # of a machine that did not come to its end
            print(f"{example}: {e}", flush=True)
            failed += len(SUITES[example])
            continue
        for suite, (cells, linux, good) in found.items():
            print(write(suite, cells, linux), flush=True)
            passed, failed = passed + all(good), failed + (not all(good))
    options.result.write_text(f"{passed} {failed} 0\n", encoding="ascii")
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
