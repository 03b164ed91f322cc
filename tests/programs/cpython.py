#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Runs CPython's own tests of what lives by sockets (examples/cpython) on Drupe and on Debian's Linux, and writes the table in
docs/programs.md.

usage: cpython.py [--harts N] [--keep FOLDER] RESULT [MODULE...]

The consoles are kept in FOLDER, one for each module and kernel; what is there already is not run again. RESULT gets
"passed failed skipped": a module counts as passed if Drupe passes 99 % of what Linux does. Exit status 1: one does not.
"""
import argparse
import collections
import pathlib
import re
import sys

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parent.parent)]
import example  # noqa: E402
import machine  # noqa: E402

DOC = machine.TOP / "docs/programs.md"
MODULES = re.findall(r'"(test_\w+)"', re.search(r"^MODULES = \[(.*?)\]", (example.FOLDER / "cpython/modules.py").read_text("utf-8"),
                                               re.S | re.M)[1])
LIMIT = 7200
WANTED = 0.99


def console_of(module, harts, linux, folder):
    kept = folder / f"{module}.{'linux' if linux else 'drupe'}.{harts}"
    if not kept.exists():
        kept.write_text(example.boot("cpython", harts, module, linux=linux, limit=LIMIT), encoding="utf-8")
    return kept.read_text(encoding="utf-8", errors="replace")


def outcomes(console):
    """Test -> passed, failed or skipped."""
    assert re.search(r"^COMPLETE$", console, re.M), "the modules did not run to their end:\n" + console[-2000:]
    return dict(line.split()[2:4] for line in console.splitlines() if re.match(r"RESULT \S+ \S+ \w+$", line))


def row(module, drupe, linux):
    count = collections.Counter(drupe.values())
    there = {test for test, outcome in linux.items() if outcome == "passed"}
    lost = sorted(test for test in there if drupe.get(test) != "passed")
    share = 1 - len(lost) / len(there) if there else 1.0
    return f"| {module} | {len(there)} | {count['passed']} | {100 * share:.1f} % |", lost, share


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--harts", type=int, default=4)
    parser.add_argument("--keep", type=pathlib.Path, default=machine.BUILD / "test/cpython")
    parser.add_argument("result", type=pathlib.Path)
    parser.add_argument("modules", nargs="*")
    options = parser.parse_args()
    options.keep.mkdir(parents=True, exist_ok=True)
    rows, good, modules = [], 0, options.modules or MODULES
    for module in modules:
        drupe, linux = (outcomes(console_of(module, options.harts, on_linux, options.keep)) for on_linux in (False, True))
        line, lost, share = row(module, drupe, linux)
        rows.append(line)
        good += share >= WANTED
        print(line)
        for test in lost:
            print(f"    {drupe.get(test, 'not run')}: {test}")
    table = "\n".join(["| module | Linux passes | Drupe passes | of Linux's |", "|---|---:|---:|---:|", *rows])
    text = DOC.read_text(encoding="utf-8")
    DOC.write_text(re.sub(r"(<!-- cpython -->\n).*?(<!-- end -->)", lambda m: f"{m[1]}{table}\n{m[2]}", text, flags=re.S), encoding="utf-8")
    options.result.write_text(f"{good} {len(modules) - good} 0\n", encoding="ascii")
    return good != len(modules)


if __name__ == "__main__":
    sys.exit(main())
