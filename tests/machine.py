# SPDX-License-Identifier: MIT
"""A Drupe machine in QEMU, for tests: start it, talk to its console, wait for its end.

Nothing here waits for a time to pass: every wait is for text on the console or for QEMU's exit, with LIMIT as
the point where a test gives up (generous: machines are shared, and the guest is emulated).
"""
import fcntl
import os
import pathlib
import signal
import subprocess

import pexpect
import pytest

TOP = pathlib.Path(__file__).resolve().parent.parent
BUILD = pathlib.Path(os.environ.get("DRUPE_BUILD", TOP / "build")).resolve()
KERNEL = pathlib.Path(os.environ.get("DRUPE_KERNEL", BUILD / "Image"))
LIMIT = int(os.environ.get("DRUPE_TEST_LIMIT", "120"))  # seconds
PROMPT = "drupe-test[#] "


def command(kernel=None, initrd=None, append="", smp=1, memory="512M", extra=()):
    """The QEMU command line, as a list."""
    line = ["qemu-system-riscv64", "-machine", "virt", "-m", memory, "-smp", str(smp), "-nographic", "-no-reboot",
            "-kernel", str(kernel or KERNEL)]
    if initrd:
        line += ["-initrd", str(initrd)]
    if append:
        line += ["-append", append]
    return line + list(extra)


def end(child):
    """Kills what pexpect has spawned and waits for its end, however long that takes on a busy machine; pexpect itself gives it 0.1 s."""
    if child.isalive():
        child.kill(signal.SIGKILL)
        child.wait()
    child.close()


class Machine:
    """One run of QEMU with its console on a pseudo-terminal. `log` is all that it printed so far."""

    def __init__(self, **options):
        line = command(**options)
        self.child = pexpect.spawn(line[0], line[1:], timeout=LIMIT, encoding="utf-8", codec_errors="replace",
                                   dimensions=(24, 100), echo=False)
        self.log = ""

    def expect(self, *patterns):
        """Waits for the first of the patterns (regular expressions); returns the text before it and the match."""
        try:
            self.child.expect(list(patterns))
        except (pexpect.TIMEOUT, pexpect.EOF) as e:
            self.log += self.child.before or ""
            raise AssertionError(f"{type(e).__name__} while waiting for {patterns}; console:\n{self.log}") from None
        self.log += self.child.before + self.child.after
        return self.child.before + self.child.after

    def send(self, text):
        self.child.send(text)

    def shell(self):
        """Waits for the shell's first prompt and gives it one that tests can tell apart. Returns the log so far."""
        before = self.expect(r"[#$] $", r"[#$] \x1b\[6n")
        self.send("PS1='drupe-test''# '; stty -echo\r")
        self.expect(PROMPT)
        return before

    def run(self, line):
        """Runs a shell command; returns its output."""
        self.send(line + "\r")
        out = self.expect(PROMPT)
        return out[:out.rindex("drupe-test")].replace("\r", "")

    def wait(self):
        """Waits until QEMU ends; returns its exit status."""
        try:
            self.child.expect(pexpect.EOF)
        except pexpect.TIMEOUT:
            raise AssertionError(f"QEMU did not end; console:\n{self.log}{self.child.before}") from None
        self.log += self.child.before
        self.child.close()
        return self.child.exitstatus

    def close(self):
        end(self.child)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()


def run(limit=LIMIT, **options):
    """Runs a machine without input to its end. Returns (exit status, console text)."""
    done = subprocess.run(command(**options), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=limit, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace")


def debian_programs(name="trixie"):
    """A sysroot with Debian 13's riscv64 bash, coreutils and grep (or another that deps.mk makes); the test is skipped where they cannot be had."""
    sysroot = BUILD / name
    with open(BUILD / f"{name}.lock", "w", encoding="ascii") as lock:  # suites run beside each other
        fcntl.flock(lock, fcntl.LOCK_EX)
        made = subprocess.run(["make", "-s", "-C", str(TOP), f"B={BUILD}", f"{BUILD}/{name}.stamp"], check=False, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True)
    if made.returncode or not (sysroot / "usr/bin").exists():
        pytest.skip("Debian's riscv64 packages cannot be had here: " + made.stdout.split("deps: what to try")[0].strip()[-500:])
    return sysroot
