# SPDX-License-Identifier: MIT
"""Harts that come to the image though nobody asked for them: the first one boots, the others go back and are started as all are."""
import os
import subprocess

import pytest

import machine

# Between the firmware and the image (which lies at 0x80200000): starts all harts there. Those that are not the first wait for DELAY ticks.
SHIM = """
	.globl	_start
_start:	mv	s0, a0
	mv	s1, a1
	li	s2, 0
1:	beq	s2, s0, 2f
	mv	a0, s2
	la	a1, further
	mv	a2, s1
	li	a6, 0			# hart_start
	li	a7, 0x48534d		# of HSM
	ecall
2:	addi	s2, s2, 1
	li	t0, 4
	bltu	s2, t0, 1b
	mv	a0, s0
	mv	a1, s1
image:	li	t0, 0x80200000
	jr	t0

further: rdtime	t0
	li	t1, DELAY
	add	t0, t0, t1
3:	rdtime	t1
	bltu	t1, t0, 3b
	j	image
"""


@pytest.mark.parametrize("delay", [0, 2000000], ids=["at once", "while they are being started"])
def test_a_hart_that_comes_unasked_goes_back_and_is_started(boot, tmp_path, delay):
    shim = tmp_path / "shim"
    subprocess.run([os.environ.get("CROSS", "riscv64-linux-gnu-") + "gcc", "-nostdlib", "-static", "-Wl,-n,-Ttext=0x90000000,--build-id=none,--no-warn-rwx-segments",
                    f"-DDELAY={delay}", "-x", "assembler-with-cpp", "-", "-o", shim], input=SHIM.encode(), check=True)
    m = boot(kernel=shim, smp=4, extra=["-device", f"loader,file={machine.BUILD / 'Image'},addr=0x80200000,force-raw=on"])
    log = m.shell()
    assert log.count("entered at rdtime") == 1 and "cannot be started" not in log
    assert m.run("nproc").strip() == "4"
