# SPDX-License-Identifier: MIT
"""The parts of set-up and fetching, each by itself: no network is needed or used."""
import os
import pathlib
import subprocess

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
