# SPDX-License-Identifier: MIT
"""The parts of set-up and fetching, each by itself: no network is needed or used."""
import os
import pathlib
import subprocess
import sys

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
NOWHERE = "Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\nComponents: main\n"


def call(*line, **environment):
    return subprocess.run([str(word) for word in line], cwd=TOP, env={**os.environ, **environment}, check=False,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120)


def translate(text, path, suite="bookworm", kind="deb-src"):
    path.write_text(text, encoding="ascii")
    done = call("sh", "-c", f'. deps/apt.sh && apt_translate {suite} {kind} "$0"', path)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def offline(tmp_path):
    """An environment with an empty cache and with apt sources that lead nowhere."""
    sources = tmp_path / "nowhere.sources"
    sources.write_text(NOWHERE, encoding="ascii")
    return {"DRUPE_APT_SOURCES": str(sources), "DRUPE_CACHE": str(tmp_path / "cache")}


def test_sources_without_debian_are_named(tmp_path):
    empty = tmp_path / "empty.sources"
    empty.write_text("", encoding="ascii")
    done = call("deps/fetch.sh", "musl", DRUPE_APT_SOURCES=str(empty), DRUPE_CACHE=str(tmp_path))
    assert done.returncode == 1
    assert "no Debian archive" in done.stderr and str(empty) in done.stderr


def test_a_changed_file_in_the_cache_is_not_used(offline):
    store = pathlib.Path(offline["DRUPE_CACHE"]) / "source"
    store.mkdir(parents=True)
    (store / "musl_1.2.3-1.dsc").write_text("not what was pinned\n", encoding="ascii")
    done = call("deps/fetch.sh", "musl", **offline)
    assert done.returncode == 1 and done.stdout == ""


def test_an_unknown_part_is_misuse():
    done = call("deps/fetch.sh", "nonesuch")
    assert done.returncode == 2 and "musl" in done.stderr


def test_one_line_sources_are_understood(tmp_path):
    out = translate("# a comment\n"
                    "deb [arch=amd64 signed-by=/keys/a.gpg] http://host/debian trixie main contrib # words\n"
                    "deb-src http://host/debian trixie main\n"
                    "deb http://host/debian-security trixie-security main\n"
                    "deb https://other/apt stable everything\n", tmp_path / "a.list")
    assert out == ("Types: deb-src\nURIs: http://host/debian\nSuites: bookworm\nComponents: main\n"
                   "Signed-By: /keys/a.gpg\n\n"
                   "Types: deb-src\nURIs: http://host/debian\nSuites: bookworm\nComponents: main\n\n")


def test_deb822_sources_are_understood(tmp_path):
    out = translate("Types: deb\nURIs: http://host/debian\nSuites: trixie trixie-updates\nComponents: main\n"
                    "Trusted: yes\nSigned-By:\n -----BEGIN KEY-----\n .\n abc\n\n"
                    "Types: deb\nEnabled: no\nURIs: http://off/debian\nSuites: trixie\nComponents: main\n\n"
                    "Types: deb\nURIs: http://sec/debian\nSuites: trixie-security\nComponents: main\n",
                    tmp_path / "a.sources", suite="trixie", kind="deb")
    assert out == ("Types: deb\nURIs: http://host/debian\nSuites: trixie\nComponents: main\n"
                   "Signed-By:\n -----BEGIN KEY-----\n .\n abc\n\n")


def path_with(directory, *programs):
    """A directory to be PATH, with these programs of the machine only."""
    directory.mkdir()
    for name in programs:
        found = subprocess.run(["which", name], check=True, stdout=subprocess.PIPE, text=True).stdout.strip()
        (directory / name).symlink_to(found)
    return directory


def test_set_up_without_sudo_gives_the_exact_command(tmp_path):
    path = path_with(tmp_path / "bin", "sh", "cat", "sed", "tr", "grep", "apt-get", "apt-cache")
    for name, says in (("id", "1000"), ("dpkg-query", "")):
        (path / name).write_text(f"#!/bin/sh\necho {says}\n", encoding="ascii")
        (path / name).chmod(0o755)
    done = call("tools/setup.sh", "build", PATH=str(path))
    assert done.returncode == 1
    assert "apt-get update && apt-get install -y" in done.stderr and "gcc-riscv64-linux-gnu" in done.stderr


def test_a_suite_that_does_not_report_is_a_failure(tmp_path):
    (tmp_path / "one.result").write_text("3 0 1\n", encoding="ascii")
    done = call("tools/test-summary", tmp_path, "test-one")
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "3 passed, 0 failed, 1 skipped"
    done = call("tools/test-summary", tmp_path, "test-one", "test-two")
    assert done.returncode == 1 and done.stdout.splitlines()[-1] == "3 passed, 1 failed, 1 skipped"


def test_a_linux_that_cannot_be_had_is_told_apart_from_an_error(tmp_path):
    done = call("deps/linux.sh", tmp_path / "linux", DRUPE_APT_SOURCES="/dev/null", DRUPE_CACHE=str(tmp_path / "cache"))
    assert done.returncode == 75 and not (tmp_path / "linux").exists()
    assert "Debian 13's Linux for riscv64 cannot be had: no Debian archive in the apt sources" in done.stderr
    assert "DRUPE_CACHE=DIR" in done.stderr


@pytest.fixture
def small_suite(tmp_path):
    """A folder of tests of which two are skipped, each in its own way."""
    folder = tmp_path / "small"
    folder.mkdir()
    (folder / "test_small.py").write_text(
        "import pytest\n"
        "def test_one(): pytest.skip('no  such\\n tool')\n"
        "@pytest.mark.skipif(True, reason='never here')\ndef test_two(): pass\n"
        "def test_three(): pass\n", encoding="ascii")
    return folder


def test_skipped_tests_are_named_with_their_reasons_at_the_end(small_suite, tmp_path):
    assert call(sys.executable, "tests/pytest-suite", tmp_path / "small.result", small_suite).returncode == 0
    done = call("tools/test-summary", tmp_path, "test-small")
    assert done.stdout.splitlines()[-5:] == ["skipped:", "  test_small.py::test_one: no such tool",
                                             "  test_small.py::test_two: never here", "", "1 passed, 0 failed, 2 skipped"]


def test_no_pseudo_terminals_is_one_line(small_suite, tmp_path):
    # With /dev/pts gone there are none: in a mount namespace of its own, where that may be had.
    hidden = call("unshare", "--user", "--map-root-user", "--mount", "sh", "-c", "mount -t tmpfs none /dev/pts && exec \"$@\"", "sh",
                  sys.executable, "tests/pytest-suite", "--terminals", tmp_path / "small.result", small_suite)
    if "unshare" in hidden.stderr or "mount:" in hidden.stderr:
        pytest.skip("no mount namespace can be had here: " + hidden.stderr)
    assert hidden.returncode == 1 and "mount -t devpts" in hidden.stdout and len(hidden.stdout.splitlines()) == 1
    assert (tmp_path / "small.result").read_text(encoding="ascii") == "0 1 0\n"


def test_a_header_is_where_the_compiler_finds_it(tmp_path):
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange/mine.h").touch()
    done = call("deps/header.sh", f"gcc -I{tmp_path}", "strange/mine.h")
    assert done.stdout == f"{tmp_path}/strange/mine.h\n"
    done = call("deps/header.sh", "gcc", "strange/mine.h")
    assert done.returncode == 1 and "gcc does not find <strange/mine.h>" in done.stderr


def test_a_long_step_says_that_it_goes_on(tmp_path):
    done = call("tools/progress", "step", tmp_path / "log", "sh", "-c", "echo begun; sleep 6; exit 3")
    assert done.returncode == 3 and done.stdout == "step: 5 s: begun\n"


def test_make_run_ends_with_its_input(tmp_path):
    # A machine that prompts for lines, and ends at Ctrl-D.
    (tmp_path / "machine").write_text(f"#!{sys.executable}\nimport sys\nline = b''\n"
                                      "print('# ', end='', flush=True)\n"
                                      "while (c := sys.stdin.buffer.raw.read(1)) != b'\\4':\n"
                                      "    line += c\n"
                                      "    if c == b'\\n':\n"
                                      "        print('got', line.decode(), end='# ', flush=True)\n"
                                      "        line = b''\n", encoding="ascii")
    (tmp_path / "machine").chmod(0o755)
    done = subprocess.run(["tools/run", "quiet", str(tmp_path / "machine")], cwd=TOP, input="one\ntwo", stdout=subprocess.PIPE, text=True,
                          timeout=60, check=False)
    assert (done.returncode, done.stdout) == (0, "# got one\n# got two\n# ")
