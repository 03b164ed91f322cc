# SPDX-License-Identifier: MIT
"""How old the kernel's headers are is the build machine's. A name that is defined here and that younger headers than Debian 12's define, too, has to stand
under #ifndef, or in a file that does not include the header, or be another name: what has such a name is compiled with Debian 13's."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import machine  # noqa: E402

DEFINED = re.compile(r"^\s*#\s*define\s+(\w+)|^(?:struct|union|enum)\s+(\w+)\s*\{|^\t([A-Z]\w+)\s*(?:=[^,\n]*)?,", re.M)
OWN = re.compile(r"^#define\s+(\w+)|^(?:struct|union|enum)\s+(\w+)\s*\{", re.M)


def names(files, pattern):
    return {name: file for file in files for found in pattern.findall(file.read_text(encoding="utf-8", errors="replace")) for name in found if name}


def sources_of(files):
    """What to compile for these: themselves, and all that includes a header."""
    text = {file: file.read_text(encoding="utf-8") for file in (machine.TOP / "kernel").rglob("*.c")}
    lines = [f'#include "{file.relative_to(machine.TOP / "kernel")}"\n' for file in files if file.suffix == ".h"]
    return sorted(c.relative_to(machine.TOP) for c in text if c in files or any(line in text[c] for line in lines))


def test_names_of_younger_headers_are_not_ours(tmp_path):
    younger = machine.debian_programs("trixie-build") / "usr/include"
    places = {"linux": younger / "linux", "asm-generic": younger / "asm-generic", "asm": younger / "riscv64-linux-gnu/asm"}
    theirs = names([h for place in places.values() for h in place.rglob("*.h")], DEFINED)
    assert "STATMOUNT_SB_BASIC" in theirs and "statmount" in theirs, "these are not the headers of Linux 6.12"
    known = names([h for place in places for h in (machine.BUILD / "include" / place).resolve().rglob("*.h")], DEFINED)
    kernel = [file for file in sorted((machine.TOP / "kernel").rglob("*.[ch]")) if "vdso" not in file.parts and "lwip" not in file.parts]
    ours = names(kernel, OWN)
    sources = sources_of({ours[name] for name in ours.keys() & (theirs.keys() - known.keys())})
    if not sources:
        pytest.skip("the headers of this machine are as young")

    include = tmp_path / "include"
    include.mkdir()
    for entry in (machine.BUILD / "include").iterdir():
        if not entry.name.startswith("."):
            (include / entry.name).symlink_to(places.get(entry.name, entry).resolve())
    (include / ".stamp").touch()
    done = subprocess.run(["make", "-s", "-k", "-C", machine.TOP, f"B={machine.BUILD}", f"KOUT={tmp_path}",
                           *(str(tmp_path / source.with_suffix(".o")) for source in sources)], env={**os.environ, "MAKEFLAGS": ""}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert done.returncode == 0, done.stdout
