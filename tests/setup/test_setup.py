# SPDX-License-Identifier: MIT
"""What set-up and the fetching of outside parts say when they cannot go on."""
import os
import pathlib
import shutil
import subprocess

import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
PLAIN_TOOLS = ("sh bash env cat echo sed grep tr awk id dirname basename mkdir rm mv cp ls printf test sort head tail cut "
               "sha256sum flock touch find").split()


def run(*command, **environment):
    env = {**os.environ, **environment}
    done = subprocess.run(command, cwd=TOP, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    return done.returncode, done.stdout


@pytest.fixture
def other_machine(tmp_path):
    """A PATH as on a machine that is not like Debian: ordinary tools, no apt-get, no dpkg."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for tool in PLAIN_TOOLS:
        found = shutil.which(tool)
        if found:
            (folder / tool).symlink_to(found)
    return str(folder)


def test_a_machine_unlike_debian_gets_the_list_of_what_to_install(other_machine):
    status, text = run("tools/setup.sh", "build", PATH=other_machine)
    assert status == 1
    assert "gcc-riscv64-linux-gnu" in text and "cross compiler" in text and "qemu" in text.lower()
    assert "pytest" not in text  # that is for tests


def test_the_list_for_tests_names_the_test_tools(other_machine):
    status, text = run("tools/setup.sh", "build", "test", PATH=other_machine)
    assert status == 1 and "python3-pexpect" in text


def test_the_list_for_examples_names_what_looks_into_their_roots(other_machine):
    status, text = run("tools/setup.sh", "build", "example", PATH=other_machine)
    assert status == 1 and "cpio" in text and "pytest" not in text


def test_set_up_is_silent_where_all_is_there():
    assert run("tools/setup.sh", "--check", "build", "example", "test") == (0, "")


def test_a_download_that_fails_says_what_failed_and_what_to_try(tmp_path):
    sources = tmp_path / "empty.sources"
    sources.write_text("", encoding="ascii")
    status, text = run("deps/fetch.sh", "musl", DRUPE_CACHE=str(tmp_path / "cache"), DRUPE_APT_SOURCES=str(sources))
    assert status != 0
    assert "apt" in text and "DRUPE_APT_SOURCES" in text or "sources" in text


def test_a_mirror_that_does_not_answer_is_named_with_the_package(tmp_path):
    sources = tmp_path / "dead.sources"
    sources.write_text("Types: deb\nURIs: http://127.0.0.1:9/debian\nSuites: bookworm\nComponents: main\n"
                       "Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n", encoding="ascii")
    status, text = run("deps/fetch.sh", "musl", DRUPE_CACHE=str(tmp_path / "cache"), DRUPE_APT_SOURCES=str(sources))
    assert status != 0
    assert "musl" in text and "127.0.0.1" in text


def test_riscv64_packages_that_cannot_be_had_end_with_status_75(tmp_path):
    sources = tmp_path / "empty.sources"
    sources.write_text("", encoding="ascii")
    status, text = run("deps/trixie.sh", str(tmp_path / "root"), "bash", DRUPE_CACHE=str(tmp_path / "cache"),
                       DRUPE_APT_SOURCES=str(sources))
    assert status == 75
    assert "riscv64 packages cannot be had" in text


def test_help_lists_the_targets():
    status, text = run("make", "-s", "help")
    assert status == 0
    for target in ("run", "test", "gdb", "check", "bench", "fuzz", "clean"):
        assert f"{target} " in text, target
