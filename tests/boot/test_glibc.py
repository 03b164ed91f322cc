# SPDX-License-Identifier: MIT
"""Unmodified glibc programs: Debian's riscv64 bash, coreutils and grep."""
import os
import subprocess

import machine
import pytest

SYSROOT = machine.BUILD / "trixie"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    machine.debian_programs()
    out = tmp_path_factory.mktemp("glibc") / "glibc.cpio"
    # The default root and Debian's in one: busybox and musl beside bash and glibc.
    programs = [f"{SYSROOT}/usr/bin/{name}" for name in ("bash", "ls", "sort", "head", "cat", "wc", "sleep", "date", "stat", "grep")]
    sysroots = [f"--sysroot={path}" for path in (SYSROOT, machine.BUILD / "sysroot", machine.BUILD / "rootfs")]
    subprocess.run([str(machine.BUILD / "drupe"), "pack", *sysroots, "--manifest", str(machine.BUILD / "root.manifest"),
                    "-o", str(out), *programs], check=True, cwd=machine.TOP,
                   env=os.environ | {"ROOT": str(machine.BUILD / "rootfs"), "ETC": "rootfs/etc"})
    return out


def test_bash_runs_a_pipeline_of_coreutils(boot, archive):
    m = boot(kernel=machine.BUILD / "bare/Image", initrd=archive, smp=4)
    m.shell()
    names = m.run("/usr/bin/bash -c 'ls -l / | sort | head'")
    assert "dev" in names and "usr" in m.run("/usr/bin/ls /")
    assert len(names.strip().splitlines()) == 10
    assert m.run("/usr/bin/bash -c 'set -- a b c; echo ${#@} $((6*7)) ${BASH_VERSION%%.*}'").split()[:2] == ["3", "42"]


def test_grep_empties_its_pipe_by_splice(boot, archive):
    m = boot(kernel=machine.BUILD / "bare/Image", initrd=archive)
    m.shell()
    assert m.run("seq 100000 | /usr/bin/grep 7 >/dev/null; echo status $?").split()[-2:] == ["status", "0"]
    assert m.run("seq 100000 | /usr/bin/grep -c 7").split()[-1] == "40951"


def test_bash_is_a_good_shell_on_the_console(boot, archive):
    m = boot(kernel=machine.BUILD / "bare/Image", initrd=archive)
    m.shell()
    m.send("/usr/bin/bash --norc -i\r")
    m.expect(r"bash-[\d.]+# ")
    m.send("for i in 1 2 3; do echo line$i; done | wc -l\r")
    m.expect(r"3\r*\n")
    m.send("bash -c 'echo start\"\"ed; sleep 100'\r")
    m.expect("started")
    m.send("\x1a")
    m.expect("Stopped")
    m.send("kill %1; wait %1; exit\r")
    m.expect(machine.PROMPT)
