# SPDX-License-Identifier: MIT
"""What a person sees at the shell of the default root."""
import re

import machine


def test_the_start_names_the_archive_in_one_line(shell_machine):
    lines = [line for line in shell_machine.boot_log.splitlines() if "initrd:" in line]
    assert len(lines) == 1
    assert re.search(r"\d+ entries", lines[0]) and re.search(r"copied", lines[0])


def test_programs_and_their_libraries_are_at_the_known_paths(sh):
    out = sh("ls -l /lib")
    assert "ld-musl-riscv64.so.1" in out and "libc.so" in out


def test_the_shell_is_dynamic_and_shares_the_library(sh):
    out = sh("cat /proc/self/maps")
    assert re.search(r"(ld-musl-riscv64\.so\.1|libc\.so)$", out, re.M)
    assert "/bin/busybox" in out and "[stack]" in out and "[vdso]" in out


def test_ps_shows_init_and_itself(sh):
    out = sh("ps")
    assert re.search(r"^\s*1 ", out, re.M) and re.search(r"\bps$", out, re.M)


def test_top_free_mount_dmesg(sh):
    assert re.search(r"Mem:.*used", sh("top -b -n 1 | head -n 3"))
    assert re.search(r"Mem:\s+\d+\s+\d+", sh("free"))
    assert " /proc " in sh("mount")
    assert "Drupe" in sh("dmesg | head -n 5")


def test_pipes_redirection_and_scripts(sh):
    assert sh("seq 1 1000 | grep 7 | wc -l").strip() == "271"
    assert sh("echo one > /tmp/r; echo two >> /tmp/r; tr a-z A-Z < /tmp/r").split() == ["ONE", "TWO"]
    sh("printf '#!/bin/sh\\nfor i in $*; do echo got $i; done\\nexit 3\\n' > /tmp/s; chmod +x /tmp/s")
    assert sh("/tmp/s a b; echo status $?").split() == ["got", "a", "got", "b", "status", "3"]
    assert sh("cat <<X\nhere\nX").strip().endswith("here")
    assert sh("dd if=/dev/zero bs=1k count=300 2>/dev/null | wc -c").strip() == "307200"
    assert sh("cat <(echo one) <(echo two); echo three | cat /dev/stdin").split() == ["one", "two", "three"]
    assert sh("find /etc -name passwd").strip() == "/etc/passwd"
    assert sh("tar cf - /etc 2>/dev/null | tar tf - | grep -c etc/passwd").strip() == "1"


def test_the_demonstration_runs(sh):
    assert "plugin" in sh("demo")


def test_the_interpreter_named_in_busybox_is_the_archives_loader(sh):
    assert "ld-musl-riscv64.so.1" in sh("strings -n 10 /bin/busybox | grep ld-musl | head -n 1")


def test_line_editing_and_history(shell_machine):
    m = shell_machine
    m.run("stty echo")  # the shell edits lines only where the terminal echoes
    m.send("echo abd\x1b[D\x08c\r")  # left, delete b: "a" "c" "d"
    m.expect(r"[\r\n]acd[\r\n]")
    m.expect(machine.PROMPT)
    m.send("\x1b[A\r")  # up: the same again
    m.expect(r"[\r\n]acd[\r\n]")
    m.expect(machine.PROMPT)
    m.send("ech\ttab\r")
    m.expect(r"[\r\n]tab[\r\n]")
    m.expect(machine.PROMPT)
    m.send("stty -echo\r")
    m.expect(r"stty -echo[\r\n]+" + machine.PROMPT)


def test_control_c_ends_the_foreground_job_only(shell_machine):
    m = shell_machine
    m.send("echo start''ed; sleep 1000; echo not reach''ed\r")
    m.expect("started")
    m.send("\x03")
    assert "not reached" not in m.expect(machine.PROMPT)
    assert m.run("echo alive").strip() == "alive"


def test_control_z_fg_and_background_jobs(shell_machine):
    m = shell_machine
    m.send("echo start''ed; sleep 1000\r")
    m.expect("started")
    m.send("\x1a")
    m.expect("Stopped")
    m.expect(machine.PROMPT)
    assert "sleep 1000" in m.run("jobs")
    m.send("fg; echo back\r")
    m.expect("sleep 1000")
    m.send("\x03")
    m.expect(machine.PROMPT)
    assert "sleep" in m.run("sleep 1000 & jobs")
    m.run("kill %1; wait 2>/dev/null")
    assert "sleep" not in m.run("ps")


def test_vi_edits_a_file(shell_machine):
    m = shell_machine
    m.run("rm -f /tmp/v")
    m.send("vi /tmp/v\r")
    m.expect("- /tmp/v")
    m.send("ihello from vi")
    m.expect("hello from vi")
    m.send("\x1b")  # vi takes what follows at once as part of an escape sequence
    m.expect("- /tmp/v")
    m.send(":wq\r")
    m.expect(machine.PROMPT)
    assert "hello from vi" in m.run("cat /tmp/v")


def test_stty_shows_and_sets_the_window(sh):
    sh("stty rows 30 cols 90")
    assert sh("stty size").strip() == "30 90"


def test_a_fault_prints_one_line_and_delivers_the_signal(sh):
    out = sh("sh -c 'kill -SEGV $$'; echo status $?")
    assert "status 139" in out


def test_a_missing_program_is_127(sh):
    assert "127" in sh("nonesuch; echo $?")


def test_cttyhack_finds_the_consoles_terminal(boot):
    # As in an initramfs of one's own: no init has taken the terminal.
    m = boot(append="rdinit=/bin/sh quiet")
    m.shell()
    assert m.run("mount -t devtmpfs none /dev; setsid cttyhack sh -c 'echo controlling >/dev/tty'").strip() == "controlling"
