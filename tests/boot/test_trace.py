# SPDX-License-Identifier: MIT
"""Debian's strace: what it prints of programs, and that they do not notice."""
import os
import re
import subprocess

import machine
import pytest


@pytest.fixture(scope="module")
def shell(tmp_path_factory):
    sysroot = machine.debian_programs("trixie-strace")
    out = tmp_path_factory.mktemp("trace") / "trace.cpio"
    programs = [f"{sysroot}/usr/bin/{name}" for name in ("strace", "bash", "cat", "sleep", "true", "timeout")]
    sysroots = [f"--sysroot={path}" for path in (sysroot, machine.BUILD / "sysroot", machine.BUILD / "rootfs")]
    subprocess.run([str(machine.BUILD / "drupe"), "pack", *sysroots, "--manifest", str(machine.BUILD / "root.manifest"), "-o", str(out), *programs],
                   check=True, cwd=machine.TOP, env=os.environ | {"ROOT": str(machine.BUILD / "rootfs"), "ETC": "rootfs/etc"})
    with machine.Machine(kernel=machine.BUILD / "bare/Image", initrd=out, smp=4) as m:
        m.shell()
        yield m


def trace(shell, options, command):
    """What strace wrote, and what the command did."""
    output = shell.run(f"strace -o /tmp/t {options} {command}; echo status $?")
    return shell.run("cat /tmp/t"), output


def test_a_pipeline_is_traced_with_its_children(shell):
    text, output = trace(shell, "-f", "/usr/bin/bash -c 'echo a | cat'")
    assert output.split()[-3:] == ["a", "status", "0"]
    pids = set(re.findall(r"^(\d+) +execve", text, re.M))
    assert len(pids) == 2 and len(set(re.findall(r"^(\d+) ", text, re.M))) == 3
    assert len(re.findall(r"\+\+\+ exited with 0 \+\+\+", text)) == 3
    assert re.search(r'write\(1, "a\\n", 2', text) and re.search(r"--- SIGCHLD \{si_signo=SIGCHLD, si_code=CLD_EXITED", text)
    assert "syscall_0x" not in text


def test_calls_are_counted(shell):
    text, _ = trace(shell, "-c", "/usr/bin/true")
    assert re.search(r" 1 +execve$", text, re.M) and text.strip().endswith("total")


def test_a_signal_and_its_handler_are_shown(shell):
    text, output = trace(shell, "", "/usr/bin/bash -c 'trap \"echo got\" USR1; kill -USR1 $$; kill -TERM $$'")
    assert "got" in output and output.split()[-1] == "143"
    assert "--- SIGUSR1 {si_signo=SIGUSR1, si_code=SI_USER" in text and "rt_sigreturn" in text
    assert text.strip().endswith("+++ killed by SIGTERM +++")


def test_results_are_put_in_place_of_calls(shell):
    text, output = trace(shell, "-e inject=getuid:retval=77 -e inject=getcwd:error=EACCES", "/usr/bin/bash -c 'echo $UID; pwd -P'")
    assert "77" in output.split() and text.count("(INJECTED)") >= 2 and "Permission denied" in output


def test_a_running_process_is_attached_and_left(shell):
    output = shell.run("sleep 2 & p=$!; timeout 1 strace -o /tmp/t -p $p; grep TracerPid /proc/$p/status; wait $p; echo status $?")
    assert "TracerPid:\t0" in output and "status 0" in output
    assert "nanosleep" in shell.run("cat /tmp/t")
