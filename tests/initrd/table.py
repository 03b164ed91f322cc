# SPDX-License-Identifier: MIT
"""The whole table, and how a tree that came out is compared with one of it."""
import cases_links  # noqa: F401  its cases join the table
from cases import CASES

ALL = list(CASES.values())


def seen(tree, expected):
    """The lines of a tree that came out, as `expected` would have them: mtimes of no interest as `-`, the root only
    where a line is there for it."""
    any_time = {line.split(" ", 4)[4] for line in expected if line.split(" ", 4)[3] == "-"}
    has_root = any(line.endswith(" .") for line in expected)
    result = []
    for line in tree:
        kind, mode, owner, mtime, rest = line.split(" ", 4)
        if rest != "." or has_root:
            result.append(" ".join((kind, mode, owner, "-" if rest in any_time else mtime, rest)))
    return result


def says_what_it_should(reports, expected):
    """Whether the reports, (kind, sentence), are the expected ones."""
    return len(reports) == len(expected) and all(
        kind == wanted and part in sentence for (kind, sentence), (wanted, part) in zip(reports, expected))
