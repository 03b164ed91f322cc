# SPDX-License-Identifier: MIT
"""Programs that live by UNIX sockets: Debian's riscv64 python3 and node, unmodified, laid over the default root."""
import subprocess

import machine
import pytest


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    root = machine.debian_programs("trixie-sockets")
    out = tmp_path_factory.mktemp("sockets") / "sockets.cpio"
    subprocess.run([str(machine.BUILD / "drupe"), "pack", "-o", str(out), str(root), f"/t={machine.TOP}/tests/boot/sockets",
                    f"/t/processes.py={machine.TOP}/examples/python/processes.py"], check=True, stderr=subprocess.DEVNULL)
    return out


@pytest.fixture(scope="module")
def shell(archive):
    with machine.Machine(initrd=archive, smp=4, memory="1G") as m:
        m.shell()
        yield m


@pytest.mark.parametrize("command", ["python3 /t/streams.py", "python3 /t/processes.py fork", "python3 /t/processes.py spawn",
                                     "python3 /t/processes.py forkserver", "node /t/children.js"])
def test_program(shell, command):
    assert "all is well" in shell.run(command)
