# SPDX-License-Identifier: MIT
"""`run`, `pack`, `deps` and `check` find a program's libraries in the same places, and how the two roots of a machine are joined."""
import subprocess

import pytest

import machine
from conftest import CROSS, CROSS_ROOT, DRUPE

CALLS = "int own(void); int main(void) { return own(); }"


@pytest.fixture
def drupe(tmp_path):
    def start(*arguments):
        return subprocess.run([DRUPE, *map(str, arguments)], cwd=tmp_path, capture_output=True, text=True, check=False)
    return start


def paths(text):
    """Of /a/b/c each of the names: a, a/b, a/b/c."""
    return {line.split(" ")[0].strip("/") for line in text.splitlines() if line}


def make_musl(compiled, tmp_path):
    compiled("int main(void) { return 23; }")
    return []


def make_empty_sysroot(compiled, tmp_path):
    compiled("int main(void) { return 23; }")
    (tmp_path / "sysroot").mkdir()
    return ["--sysroot", "sysroot"]


def make_own_sysroot(compiled, tmp_path):
    compiled("int own(void) { return 23; }", "-shared", "-fPIC", "-Wl,-soname,libown.so", name="libown.so")
    compiled(CALLS, tmp_path / "libown.so")
    (tmp_path / "sysroot/usr/lib").mkdir(parents=True)
    (tmp_path / "libown.so").rename(tmp_path / "sysroot/usr/lib/libown.so")
    (tmp_path / "sysroot/lib").symlink_to("usr/lib")
    return ["--sysroot", "sysroot"]


def make_origin(compiled, tmp_path):
    (tmp_path / "lib").mkdir()
    compiled("int own(void) { return 23; }", "-shared", "-fPIC", "-Wl,-soname,libown.so", name="lib/libown.so")
    compiled(CALLS, tmp_path / "lib/libown.so", "-Wl,-rpath,$ORIGIN/lib")
    return []


def make_of_kernels_root(compiled, tmp_path):
    """libdemo.so is in the kernel's own root."""
    compiled("int main(void) { return 23; }", "-Wl,--no-as-needed", machine.BUILD / "rootfs/usr/lib/libdemo.so")
    return []


def make_missing(compiled, tmp_path):
    compiled("int own(void) { return 23; }", "-shared", "-fPIC", "-Wl,-soname,libown.so", name="libown.so")
    compiled(CALLS, tmp_path / "libown.so")
    (tmp_path / "libown.so").unlink()
    return []


def make_glibc(compiled, tmp_path):
    if not (CROSS_ROOT / "lib/libc.so").exists():
        pytest.skip("no libc6-dev-riscv64-cross; make setup-test installs it")
    compiled("int main(void) { return 23; }", compiler=CROSS + "gcc")
    return []


def make_script(compiled, tmp_path):
    (tmp_path / "program").write_text("#!/bin/sh\nexit 23\n")
    (tmp_path / "program").chmod(0o755)
    return []


MAKERS = [make_musl, make_empty_sysroot, make_own_sysroot, make_origin, make_of_kernels_root, make_missing, make_glibc, make_script]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("options", [[], ["--bare"]])
def test_all_find_the_same(drupe, compiled, tmp_path, make, options):
    options = options + make(compiled, tmp_path)
    deps = drupe("deps", *options, "./program")
    plan = drupe("run", "--dry-run", *options, "./program")
    pack = drupe("pack", *options, "-o", "out.cpio", "./program")
    told = [{line.split(" needs ")[1].split(",")[0] for line in done.stderr.splitlines() if " needs " in line and "note" not in line}
            for done in (deps, plan, pack)]
    assert told[0] == told[1] == told[2]
    assert (deps.returncode != 0) == (plan.returncode != 0) == (pack.returncode != 0) == bool(told[0])
    if told[0]:
        return
    packed = paths(subprocess.run(f"{DRUPE} ls -l out.cpio | grep -v ^d | sed 's/.*:.. //'", shell=True, cwd=tmp_path, text=True,
                                  capture_output=True, check=True).stdout)
    assert packed == {line.split(" ")[0].strip("/") for line in plan.stdout.splitlines()[:-1]}
    assert {line.split("=> ")[-1].strip().split(" (")[0].strip("/") for line in deps.stdout.splitlines()} <= packed
    done = drupe("run", *options, "./program")
    assert (done.returncode, done.stderr) == (23, "")
    check = drupe("check", "--init", "/program", "out.cpio")
    assert (check.returncode, check.stderr) == (0, "") or "$ORIGIN" in check.stderr


def test_what_is_taken_of_the_kernels_root_is_told_of(drupe, compiled):
    compiled("int main(void) { return 23; }")
    done = drupe("pack", "-o", "out.cpio", "./program")
    assert done.returncode == 0 and f"note: /lib/libc.so is of the kernel's own root ({machine.BUILD}/Image)" in done.stderr
    done = drupe("pack", "--bare", "-o", "out.cpio", "./program")
    assert done.returncode == 1 and "/program needs /lib/ld-musl-riscv64.so.1" in done.stderr


# ---- how the roots are joined

@pytest.fixture
def sysroot(tmp_path):
    """With bin -> usr/bin, and a shell in it, as distributions have them."""
    (tmp_path / "sysroot/usr/bin").mkdir(parents=True)
    (tmp_path / "sysroot/bin").symlink_to("usr/bin")
    (tmp_path / "sysroot/usr/bin/which-root").write_text("#!/bin/sh\nreadlink /bin; ls -d /usr/bin/ls /usr/bin/demo\n")
    (tmp_path / "sysroot/usr/bin/which-root").chmod(0o755)
    return tmp_path / "sysroot"


def test_a_symlink_of_a_sysroot_takes_the_kernels_directory_along(run, sysroot):
    done = run("--sysroot", sysroot, "which-root")
    assert (done.text, done.err) == ("usr/bin\n/usr/bin/demo\n/usr/bin/ls\n", "")


def test_a_symlink_to_elsewhere_takes_it_along_too(run, sysroot):
    (sysroot / "usr/share").mkdir()
    (sysroot / "etc").symlink_to("usr/share/etc")
    done = run("--sysroot", sysroot, "sh", "-c", "readlink /etc; grep -c root /usr/share/etc/passwd")
    assert (done.text, done.err) == ("usr/share/etc\n1\n", "")


def test_a_file_in_the_place_of_the_kernels_directory_is_told_before(run, tmp_path):
    (tmp_path / "file").write_text("x\n")
    done = run("--file", "file:/etc", "true")
    assert done.status == 125 and '("etc"), offset' in done.err and "a directory that is not empty is in the way" in done.err
    assert "nothing was run; --bare leaves the kernel's own root out\n" in done.err


def test_a_file_in_the_place_of_the_kernels_is_the_one_that_is_there(run, tmp_path):
    (tmp_path / "file").write_text("mine\n")
    assert run("--file", "file:/etc/passwd", "--file", "file:/bin/cat", "sh", "-c", "grep . /etc/passwd /bin/cat; ls -d /bin/ls").text == \
        "/etc/passwd:mine\n/bin/cat:mine\n/bin/ls\n"
