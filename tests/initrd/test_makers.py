# SPDX-License-Identifier: MIT
"""Archives of the tools that people have, booted: what a program sees is what the tool was given. And the other way round: what
`drupe pack` makes is read by them (tests/unit/test_pack.py has GNU cpio and bsdcpio) and booted by Linux (test_linux.py)."""
import os
import pathlib
import re
import shutil
import stat
import subprocess

import archives
import boots
import machine
import pytest

KERNEL = machine.BUILD / "bare/Image"
DRUPE = machine.BUILD / "drupe"
PATH = os.environ["PATH"] + ":/usr/sbin:/sbin"


class Made:
    """An archive as a case of the table."""

    def __init__(self, name, data):
        self.name, self.data = name, data


def content(path, size):
    data = path.read_bytes()
    text = size < 64 and all(32 <= byte < 127 for byte in data)
    return f" = {data.decode()}" if text else f" = {archives.fnv(data)}"


def tree_of(folder):
    """What lies in a folder, in the table's form without owners and times."""
    lines = []
    for path in sorted(pathlib.Path(folder).rglob("*")):
        st, name = path.lstat(), path.relative_to(folder)
        kind = {stat.S_IFREG: "f", stat.S_IFDIR: "d", stat.S_IFLNK: "l", stat.S_IFCHR: "c", stat.S_IFBLK: "b", stat.S_IFIFO: "p",
                stat.S_IFSOCK: "s"}[stat.S_IFMT(st.st_mode)]
        rest = ""
        if kind == "f":
            rest = content(path, st.st_size)
        elif kind == "l":
            rest = f" -> {os.readlink(path)}"
        elif kind in "cb":
            rest = f" {os.major(st.st_rdev)}:{os.minor(st.st_rdev)}"
        lines.append(f"{kind} {stat.S_IMODE(st.st_mode):04o} {name}{rest}")
    return sorted(lines)


def unpacked(data, tmp_path):
    """The tree that GNU cpio makes of one compressed archive."""
    folder = tmp_path / "unpacked"
    folder.mkdir()
    for magic, tool in ((b"\x28\xb5\x2f\xfd", "zstd"), (b"\x1f\x8b", "gzip"), (b"\xfd7zXZ", "xz")):
        if data.startswith(magic):
            data = subprocess.run([tool, "-dc"], input=data, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["cpio", "-idm", "--quiet", "--no-absolute-filenames"], input=data, cwd=folder, check=True)
    return tree_of(folder)


def booted(data, tmp_path):
    """The tree that a program sees, without owners and times; what the kernel said of the archive."""
    tree, log = boots.boot(Made("made", data), tmp_path, KERNEL, "512M")
    lines = []
    for line in tree:
        kind, mode, _, _, rest = line.split(" ", 4)
        rest = re.sub(r" \(\d+ links(, as .*)?\)$", "", rest)
        lines.append(f"{kind} {mode} {rest}")
    return sorted(lines), [line for line in log if "initrd: external archive: " in line]


def interesting(lines):
    """Without what the walker leaves out: the root itself, and what a kernel makes without an archive, too."""
    return [line for line in lines if not re.match(r". \d+ (\.|(dev|root)(/\S*)?)( \d+:\d+)?$", line)]


def is_same(data, tmp_path, expected=None):
    wanted = interesting(expected or unpacked(data, tmp_path))
    assert len(wanted) > 5
    seen, said = booted(data, tmp_path)
    assert interesting(seen) == wanted, said
    assert len(said) == 1 and " 0 warnings" in said[0]


@pytest.fixture
def sample(tmp_path):
    """A folder with one of each, as the kernel's default root has them."""
    folder = tmp_path / "sample"
    for name, data in (("bin/prog", bytes(range(256)) * 300), ("etc/conf", b"text"), ("etc/empty", b""), ("with space", b"\n")):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    (folder / "bin/prog").chmod(0o4755)
    (folder / "bin/same").hardlink_to(folder / "bin/prog")
    (folder / "bin/link").symlink_to("../etc/conf")
    os.mkfifo(folder / "fifo", 0o600)
    return folder


@pytest.mark.parametrize("command", [
    "find . -mindepth 1 | cpio -o -H newc --quiet", "find . -mindepth 1 | cpio -o -H crc --quiet", "find . -mindepth 1 | bsdcpio -o -H newc --quiet",
    "bsdtar -cf - --format newc *", "find . -mindepth 1 | cpio -o -H newc --quiet | zstd -q", "find . -mindepth 1 | cpio -o -H newc --quiet | xz --check=crc32",
], ids=["cpio", "cpio-crc", "bsdcpio", "bsdtar", "cpio-zstd", "cpio-xz"])
def test_an_archive_of_a_host_tool(sample, tmp_path, command):
    data = subprocess.run(["sh", "-c", command], cwd=sample, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True).stdout
    is_same(data, tmp_path, tree_of(sample))


def test_an_archive_of_busybox(sample, tmp_path):
    """Made in a machine of ours by busybox's cpio, which also reads what drupe pack makes."""
    done = subprocess.run([DRUPE, "run", "--file", f"{sample}:/sample", "sh", "-c", "cd /sample; find . -mindepth 1 | cpio -o -H newc"],
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=True)
    is_same(done.stdout, tmp_path, tree_of(sample))
    subprocess.run([DRUPE, "pack", sample, "-o", tmp_path / "ours"], check=True)
    script = "mkdir /out; cd /out; cpio -idm </ours; cd ..; find out | sort; md5sum out/bin/same; stat -c '%a %h' out/bin/same"
    done = subprocess.run([DRUPE, "run", "--file", tmp_path / "ours", "sh", "-c", script], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, check=True)
    wanted = sorted(["out"] + [f"out/{path.relative_to(sample)}" for path in sample.rglob("*")])
    lines = done.stdout.decode().splitlines()
    assert lines[:-2] == wanted and lines[-1] == "4755 2"


def needs(tool, package):
    if not shutil.which(tool, path=PATH):
        pytest.skip(f"no {tool} here: Debian has it in {package}")


def test_an_archive_of_mkinitramfs(tmp_path):
    """Debian's own: of this machine's programs, which do not matter here."""
    needs("mkinitramfs", "initramfs-tools-core")
    conf, boot, modules, out = (tmp_path / name for name in ("conf", "boot", "modules", "initrd.img"))
    shutil.copytree("/etc/initramfs-tools", conf)
    (conf / "initramfs.conf").write_text("MODULES=list\nBUSYBOX=n\nCOMPRESS=zstd\n")
    (conf / "modules").write_text("")
    boot.mkdir()
    (boot / "config-0-none").write_text("CONFIG_RD_ZSTD=y\n")
    (modules / "0-none").mkdir(parents=True)
    # For a kernel that is not installed: its places are here.
    script = pathlib.Path(shutil.which("mkinitramfs", path=PATH)).read_text(encoding="utf-8")
    script = re.sub(r"/boot/|(/usr)?/lib/modules/", lambda m: f"{boot if 'boot' in m[0] else modules}/", script)
    done = subprocess.run(["sh", "-s", "--", "-d", conf, "-o", out, "0-none"], input=script.encode(), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, check=False, env=os.environ | {"PATH": PATH})
    assert done.returncode == 0, done.stdout.decode()
    data = out.read_bytes()
    assert data.startswith(b"\x28\xb5\x2f\xfd"), "with an early archive in front: not expected here"
    is_same(data, tmp_path)


def test_an_archive_of_dracut(tmp_path):
    needs("dracut", "dracut-core")
    out = tmp_path / "initrd.img"
    done = subprocess.run(["dracut", "--no-kernel", "--no-hostonly", "--no-hostonly-cmdline", "--no-early-microcode", "--gzip", "--tmpdir",
                           tmp_path, "-m", "base", "--force", out, "0-none"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    assert done.returncode == 0, done.stdout.decode()
    is_same(out.read_bytes(), tmp_path)


@pytest.mark.parametrize("compressor", ["none", "gzip", "zstd", "lz4", "xz"])
def test_lsinitramfs_lists_what_is_made_here(sample, tmp_path, compressor):
    needs("lsinitramfs", "initramfs-tools-core")
    subprocess.run([DRUPE, "pack", "--compress", compressor, sample, "-o", tmp_path / "ours"], check=True)
    done = subprocess.run(["lsinitramfs", tmp_path / "ours"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, check=False)
    if compressor == "none":  # it looks for a second archive behind any that is not compressed
        assert done.stderr == b"cpio: premature end of archive\n"
    else:
        assert done.returncode == 0 and done.stderr == b"", done.stderr
    assert sorted(done.stdout.decode().splitlines()) == sorted(str(path.relative_to(sample)) for path in sample.rglob("*"))
