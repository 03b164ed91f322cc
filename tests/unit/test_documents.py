# SPDX-License-Identifier: MIT
"""The documents name tests that there are."""
import pathlib
import re

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("document", ["docs/compare.md"])
def test_the_tests_a_document_names_are_there(document):
    sources = {}
    for path in (TOP / "tests").glob("*/test_*.py"):
        sources[path.name] = sources.get(path.name, "") + path.read_text()
    named = re.findall(r"`(test_\w+\.py)::(test_\w+)`", (TOP / document).read_text())
    assert len(named) > 20
    missing = [f"{file}::{test}" for file, test in named if f"\ndef {test}(" not in sources.get(file, "")]
    assert not missing
