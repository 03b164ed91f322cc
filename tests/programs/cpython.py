#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs CPython's own tests (examples/cpython) on Drupe and on Debian's Linux, and writes their rows of the table in docs/programs.md; those
of others stay.

usage: cpython.py [--harts N,...] [--keep FOLDER] [--limit SECONDS] RESULT [MODULE|GROUP...]

Linux has as many harts as the first N says, 4 if none does. With 4 or 4,1 a whole row goes into the table; with 1 the cells of
one hart do, if the row is there. A machine has SECONDS until it is given up. The consoles are kept in
FOLDER, one for each module or group (or each part of one that starts processes by the hundred) and kernel; what is there already is not
run again. RESULT gets "passed failed skipped": a row counts as passed if Drupe passes 99 % of what Linux does. Exit status 1: one does not.
"""
import pathlib
import re
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent)]
import beside  # noqa: E402
import example  # noqa: E402
import machine  # noqa: E402

DOC = machine.TOP / "docs/programs.md"
sys.path.insert(0, str(example.FOLDER / "cpython"))
import modules as inside  # noqa: E402

ROWS = [*inside.MODULES, *inside.GROUPS, *inside.LETTERS]
PARTS = ["manager", "misc", "processes", "threads"]  # of each that is named for a way to start processes
HEAD = ["| module or group | Linux passes | Drupe passes | of Linux's | with 1 hart | of Linux's |", "|---|---:|---:|---:|---:|---:|"]


def parts(module):
    """What of a row is run in a machine of its own."""
    by_way = module.startswith("test_multiprocessing_") and module != "test_multiprocessing_main_handling"
    return [f"{module}.test_{part}" for part in PARTS] if by_way else [module]


def outcomes_of(module, harts, linux, options):
    """Test -> passed, failed or skipped."""
    found = {}
    for part in parts(module):
        for tests in beside.outcomes(beside.console_of("cpython", part, harts, linux, options)).values():
            found.update(tests)
    return found


def row(module, options):
    """(the cells of the module's row, are all shares as they should be?)"""
    linux = outcomes_of(module, options.harts[0], True, options)
    cells, good = [module, str(beside.passes(linux))], True
    for harts in options.harts:
        drupe = outcomes_of(module, harts, False, options)
        lost, share = beside.compare(drupe, linux)
        cells += [str(beside.passes(drupe)), f"{100 * share:.1f} %"]
        good &= share >= beside.WANTED
        for test in lost:
            print(f"{harts} harts: {drupe.get(test, 'not run')}: {test}")
    return cells, good


def merged(old, new, harts):
    """The cells of a module's row: those that were counted now, and the others as they stand there (a dash: not counted)."""
    if harts == [1]:
        return [*old[:4], *new[2:]] if old else None
    return new if harts == [4, 1] else [*new, *(old[4:] if old else ["–", "–"])]


def write(module, cells, harts):
    """Puts a row into the table, in ROWS' order."""
    text = DOC.read_text(encoding="utf-8")
    table = re.search(r"<!-- cpython -->\n(.*?)<!-- end -->", text, re.S)
    rows = {name: line for line, name in re.findall(r"^(\| ([a-z][\w-]*) .*\d.*)$", table[1], re.M)}
    cells = merged(rows[module].strip("| ").split(" | ") if module in rows else None, cells, harts)
    if cells:
        rows[module] = f"| {' | '.join(cells)} |"
    lines = [*HEAD, *(rows[name] for name in ROWS if name in rows)]
    DOC.write_text(text[:table.start(1)] + "\n".join(lines) + "\n" + text[table.end(1):], encoding="utf-8")


def main():
    options = beside.arguments("cpython", [4, 1], "rows")
    good, rows = 0, options.rows or ROWS
    for module in rows:
        try:
            cells, passed = row(module, options)
        except AssertionError as e:  # of a machine that did not come to its end
            print(f"{module}: {e}", flush=True)
            continue
        good += passed
        print(" | ".join(cells), flush=True)
        if options.harts in ([4], [4, 1], [1]):
            write(module, cells, options.harts)
    options.result.write_text(f"{good} {len(rows) - good} 0\n", encoding="ascii")
    return good != len(rows)


if __name__ == "__main__":
    sys.exit(main())
