# SPDX-License-Identifier: MIT
"""A whole root that the loader brings, over the default one: Debian's bash and coreutils in a merged /usr, as every
distribution has it (`bin -> usr/bin`)."""
import shutil
import subprocess

import machine
import pytest

LIB = "usr/lib/riscv64-linux-gnu"
INIT = """#!/bin/bash
exec < /dev/console > /dev/console 2>&1
echo "their init is $$ $0, bash ${BASH_VERSION%%.*}"
/usr/bin/ls -d /bin /sbin /lib -l | while read -r line; do echo "${line##*root root}"; done
/bin/ls /usr/bin | /bin/sort | /bin/grep -c '^busybox$'
/bin/busybox poweroff -f
"""


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    sysroot = machine.debian_programs()
    root = tmp_path_factory.mktemp("merged")
    for directory in ("usr/bin", "usr/sbin", LIB):
        (root / directory).mkdir(parents=True)
    for name in ("bin", "sbin", "lib"):
        (root / name).symlink_to(f"usr/{name}")
    for name in ("bash", "ls", "sort"):
        shutil.copy(sysroot / "usr/bin" / name, root / "usr/bin")
    for library in (sysroot / LIB).glob("*.so*"):
        shutil.copy(library, root / LIB)
    loader = "ld-linux-riscv64-lp64d.so.1"
    (root / "usr/lib" / loader).symlink_to(f"riscv64-linux-gnu/{loader}")
    return root


def archive(root, out, **more):
    """The archive of the directory, with the files `more` = {name: content}; `last`: with what is deepest in front, so that
    `bin` comes behind what is in usr/bin."""
    last = more.pop("last", False)
    tree = out.with_suffix(".d")
    shutil.copytree(root, tree, symlinks=True)
    for name, content in more.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(content, encoding="ascii")
        (tree / name).chmod(0o755)
    names = sorted((str(p.relative_to(tree)) for p in tree.rglob("*")), reverse=last)
    with open(out, "wb") as f:
        subprocess.run(["cpio", "--quiet", "-o", "-H", "newc", "-R", "0:0"], cwd=tree, input="\n".join(names).encode(), stdout=f, check=True)
    return out


@pytest.mark.parametrize("last", [False, True])
def test_their_init_runs_over_our_root(root, tmp_path, last):
    status, text = machine.run(initrd=archive(root, tmp_path / "a.cpio", last=last, **{"usr/sbin/init": INIT}), append="quiet")
    text = text.replace("\r", "")
    assert "the loader's archive brings /sbin/init and no /init: /sbin/init runs" in text and "rdinit=/init" in text, text
    assert "their init is 1 /sbin/init, bash 5" in text, text
    assert all(f"/{name} -> usr/{name}" in text for name in ("bin", "sbin", "lib")), text
    assert text.count("\n1\n") == 1, text  # our busybox is in /usr/bin, once
    assert status == 0


def test_the_command_line_decides(root, tmp_path):
    initrd = archive(root, tmp_path / "a.cpio", **{"usr/sbin/init": INIT, "usr/sbin/other": INIT.replace("their", "another")})
    _, text = machine.run(initrd=initrd, append="init=/sbin/other")
    assert "another init is 1 /sbin/other" in text and "/sbin/other runs, not the /init" in text, text
    _, text = machine.run(initrd=initrd, append="rdinit=/sbin/other")
    assert "another init is 1 /sbin/other" in text and "the loader's archive brings" not in text, text


def test_their_init_named_init_runs(root, tmp_path):
    _, text = machine.run(initrd=archive(root, tmp_path / "a.cpio", **{"usr/sbin/init": INIT, "init": INIT.replace("their", "another")}))
    assert "another init is 1 /init" in text and "the loader's archive brings" not in text, text


def test_an_init_that_cannot_run_is_said(boot, root, tmp_path):
    m = boot(initrd=archive(root, tmp_path / "a.cpio", **{"usr/sbin/init": "#!/bin/none\n"}), append="quiet")
    m.expect(r"Failed to execute /sbin/init \(error -2\).*/bin/none")
    assert "/sbin/init exists" not in m.shell()


def test_a_root_without_an_init_goes_on_with_ours(boot, root, tmp_path):
    m = boot(initrd=archive(root, tmp_path / "a.cpio"))
    log = m.shell()
    assert "the loader's archive brings" not in log
    assert m.run("for i in bin sbin lib; do readlink /$i; done").split() == ["usr/bin", "usr/sbin", "usr/lib"]
    assert m.run("/bin/bash -c 'set -- a b c; echo $# $((6*7)); ls -d /usr/bin | sort'").split() == ["3", "42", "/usr/bin"]
    assert m.run("ls -i /bin/busybox /usr/bin/busybox | cut -d/ -f1 | uniq | wc -l").strip() == "1"
    assert m.run("dmesg | grep -c 'an earlier archive'").strip() == "3"
