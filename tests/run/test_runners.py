# SPDX-License-Identifier: MIT
"""`drupe run` as what other tools start foreign programs with: CTest, Meson, Cargo, Go. docs/ci.md has the same settings."""
import os
import shutil
import subprocess

import pytest

from conftest import CROSS, LIMIT, machine

DRUPE = machine.BUILD / "drupe"
TESTS = 200

needs = {tool: pytest.mark.skipif(not shutil.which(tool), reason=f"no {tool} here") for tool in ("cmake", "meson", "cargo", "go")}


def do(directory, *command, status=0, **environment):
    done = subprocess.run(list(map(str, command)), cwd=directory, env={**os.environ, **environment}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=2 * LIMIT, check=False)
    assert done.returncode == status, done.stdout.decode()
    return done.stdout.decode()



PROGRAM = """
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
int main(int argc, char **argv) {
    int n = argc > 1 ? atoi(argv[1]) : 0;
    printf("test %d of %s\\n", n, argv[0]);
    return n == 13;
}
"""


@needs["cmake"]
def test_ctest(tmp_path):
    """200 tests, two at a time; the one that fails is said to fail, and no other."""
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "riscv64.cmake").write_text(f"""
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR riscv64)
set(CMAKE_C_COMPILER {CROSS}gcc)
set(CMAKE_CROSSCOMPILING_EMULATOR {DRUPE} run)
""")
    (tmp_path / "CMakeLists.txt").write_text(f"""
cmake_minimum_required(VERSION 3.16)
project(p C)
enable_testing()
add_executable(program program.c)
foreach(n RANGE 1 {TESTS})
    add_test(NAME t${{n}} COMMAND program ${{n}})
endforeach()
""")
    do(tmp_path, "cmake", "-S", ".", "-B", "out", "-DCMAKE_TOOLCHAIN_FILE=riscv64.cmake")
    do(tmp_path, "cmake", "--build", "out")
    told = do(tmp_path / "out", "ctest", "-j2", status=8)
    assert f"1 tests failed out of {TESTS}" in told and "13 - t13 (Failed)" in told, told


@needs["meson"]
def test_meson(tmp_path):
    (tmp_path / "program.c").write_text(PROGRAM)
    (tmp_path / "riscv64.ini").write_text(f"""
[binaries]
c = '{CROSS}gcc'
exe_wrapper = ['{DRUPE}', 'run']
[host_machine]
system = 'linux'
cpu_family = 'riscv64'
cpu = 'riscv64'
endian = 'little'
""")
    (tmp_path / "meson.build").write_text("""
project('p', 'c')
program = executable('program', 'program.c')
test('good', program, args: ['1'])
test('bad', program, args: ['13'], should_fail: true)
""")
    do(tmp_path, "meson", "setup", "out", "--cross-file", "riscv64.ini")
    told = do(tmp_path, "meson", "test", "-C", "out")
    assert "Ok:                 1" in told and "Expected Fail:      1" in told, told


# Cargo calls its runner with the program's path and the arguments, in the package's directory; what the program is does not matter to it. So
# this one does without the target's standard library, which Debian's packages do not have.
CRATE = """
#![feature(no_core, lang_items)]
#![allow(internal_features)]
#![no_core]
#![no_main]
#[lang = "pointee_sized"] pub trait PointeeSized {}
#[lang = "meta_sized"] pub trait MetaSized: PointeeSized {}
#[lang = "sized"] pub trait Sized: MetaSized {}
#[lang = "copy"] pub trait Copy {}
impl Copy for i32 {}
#[no_mangle] pub extern "C" fn main() -> i32 { 7 }
#[link(name = "c")] extern "C" {}
"""


@needs["cargo"]
def test_cargo(tmp_path):
    (tmp_path / "src").mkdir()
    (tmp_path / "src/main.rs").write_text(CRATE)
    (tmp_path / "Cargo.toml").write_text('[package]\nname = "p"\nversion = "0.1.0"\nedition = "2021"\n[profile.dev]\npanic = "abort"\n')
    target = "riscv64gc-unknown-linux-gnu"
    settings = {"CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_RUNNER": f"{DRUPE} run",
                "CARGO_TARGET_RISCV64GC_UNKNOWN_LINUX_GNU_LINKER": f"{CROSS}gcc", "RUSTC_BOOTSTRAP": "1"}
    built = subprocess.run(["cargo", "build", "--offline", "--target", target], cwd=tmp_path, env={**os.environ, **settings},
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=LIMIT, check=False)
    if built.returncode:
        pytest.skip("this cargo does not build a crate without a standard library: " + built.stdout.decode()[-300:])
    do(tmp_path, "cargo", "run", "--offline", "--target", target, "--", "an", "argument", status=7, **settings)


@needs["go"]
def test_go(tmp_path):
    (tmp_path / "go.mod").write_text("module p\n")
    (tmp_path / "p_test.go").write_text("""package p
import (
    "os"
    "runtime"
    "testing"
)
func TestArch(t *testing.T) {
    if runtime.GOARCH != "riscv64" { t.Fatal(runtime.GOARCH) }
}
func TestWrites(t *testing.T) {
    if err := os.WriteFile("written", []byte("x"), 0600); err != nil { t.Fatal(err) }
}
""")
    settings = {"GOOS": "linux", "GOARCH": "riscv64", "GOCACHE": str(tmp_path / "cache"), "GOFLAGS": "-mod=mod", "CGO_ENABLED": "0"}
    told = do(tmp_path, "go", "test", "-exec", f"{DRUPE} run --mem 512M", "-v", ".", **settings)
    assert "--- PASS: TestArch" in told and "--- PASS: TestWrites" in told, told
