# SPDX-License-Identifier: MIT
"""Which libraries get into the machine of `drupe run`, and what is said of those that do not."""
import pathlib
import subprocess

import pytest

import machine
from conftest import CROSS, CROSS_ROOT

CALLS = "int own(void); int main(void) { return own(); }"


@pytest.fixture
def library(compiled, tmp_path):
    """library(NAME, VALUE): one whose own() gives a value."""
    def make(name, value=23):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return compiled(f"int own(void) {{ return {value}; }}", "-shared", "-fPIC", "-Wl,-soname,libown.so", name=path)
    return make


@pytest.fixture
def program(compiled, library):
    return compiled(CALLS, library("stub/libown.so"))


def test_the_environments_library_path_counts(run, library, program):
    library("here/libown.so")
    done = run("--env", "LD_LIBRARY_PATH=/none:/opt/l", "--file", "here/libown.so:/opt/l/libown.so", program)
    assert (done.status, done.err) == (23, "")


def test_a_library_path_is_the_programs_too(run, library, program):
    library("here/libown.so")
    assert run("-L", "/opt/l", "--file", "here:/opt/l", program).status == 23


def test_a_library_path_that_a_wrapper_sets(run, library, program, tmp_path):
    library("here/libown.so")
    (tmp_path / "wrapper").write_text("#!/bin/sh\nLD_LIBRARY_PATH=/opt/l exec /opt/program\n")
    (tmp_path / "wrapper").chmod(0o755)
    done = run("--file", "here:/opt/l", "--file", f"{program}:/opt/program", "./wrapper")
    assert (done.status, done.err) == (23, "")


def test_it_is_said_what_to_type(run, library, program):
    library("here/libown.so")
    done = run("--file", "here/libown.so:/opt/l/libown.so", program)
    assert done.status == 125 and "if the program runs with LD_LIBRARY_PATH=/opt/l, add --library-path /opt/l\n" in done.err


@pytest.mark.parametrize("runpath, place", [("$ORIGIN/lib", "lib/libown.so"), ("$ORIGIN", "libown.so")])
def test_a_library_beside_the_program_is_brought(run, compiled, library, runpath, place):
    made = library(place)
    assert run(compiled(CALLS, f"-Wl,-rpath,{runpath}", made)).status == 23


def test_a_needed_path_is_brought(run, compiled, tmp_path):
    compiled("int own(void) { return 23; }", "-shared", "-fPIC", name="libown.so")
    subprocess.run([machine.BUILD / "sysroot/bin/musl-gcc", "-x", "c", "-", "-x", "none", "./libown.so", "-o", "program"],
                   input=CALLS.encode(), cwd=tmp_path, check=True)
    assert run("./program").status == 23


def test_a_linkers_script_is_passed_over(run, tmp_path):
    (tmp_path / "sysroot/lib").mkdir(parents=True)
    (tmp_path / "sysroot/lib/libc.so").write_text("/* GNU ld script */ GROUP ( /lib/libc.so.6 )\n")
    assert run("--sysroot", "sysroot", "sh", "-c", "echo hi").text == "hi\n"


def test_what_the_program_does_not_need_may_be_foreign_or_incomplete(run, compiled, library, program, tmp_path):
    (tmp_path / "data").mkdir()
    program.rename(tmp_path / "data/incomplete")
    (tmp_path / "data/foreign").write_bytes(pathlib.Path("/bin/true").read_bytes())
    (tmp_path / "data/script").write_text("#!/bin/nothing\n")
    (tmp_path / "data/script").chmod(0o755)
    done = run("--file", "data:/data", "ls", "/data")
    assert (done.status, done.text, done.err) == (0, "foreign\nincomplete\nscript\n", "")
    plan = run("--dry-run", "--file", "data:/data", "ls", "/data")
    assert plan.status == 0 and "note: /data/incomplete needs libown.so" in plan.err
    assert "note: /data/foreign" in plan.err and "note: the script /data/script needs /bin/nothing" in plan.err
    done = run("--file", "data:/data", "/data/incomplete")
    assert done.status == 125 and "drupe: /data/incomplete needs libown.so" in done.err and "foreign" not in done.err


@pytest.mark.skipif(not (CROSS_ROOT / "lib/libc.so.6").exists(), reason="no libc6-riscv64-cross here")
def test_a_file_for_glibc_beside_a_program_of_the_kernels_root(run, compiled):
    program = compiled("int puts(const char *); void exit(int); void start(void) { puts(\"by glibc\"); exit(3); }", "-nostdlib", "-fPIE",
                       "-pie", "-fno-builtin", "-Wl,-e,start", "-Wl,--no-relax", "-Wl,--dynamic-linker=/lib/ld-linux-riscv64-lp64d.so.1",
                       CROSS_ROOT / "lib/libc.so.6", compiler=CROSS + "gcc")
    done = run("--file", f"{program}:/bin/tool", "sh", "-c", "tool")
    assert (done.status, done.text, done.err) == (3, "by glibc\n", "")
    assert run("--sysroot", CROSS_ROOT, "--file", f"{program}:/bin/tool", "sh", "-c", "tool").status == 3
