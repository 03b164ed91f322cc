# SPDX-License-Identifier: MIT
"""The loaders decide: what `drupe deps --list` says of a program, its packed loader says too, asked with --list in the machine.

250 programs in one boot: 200 of Debian, some of them with their libraries moved (rewritten by patchelf, or found by ld.so.cache or LD_LIBRARY_PATH), and 50 for musl.
Each layout is a root of its own, packed by `drupe pack`, and a directory of the machine's archive.
"""
import os
import pathlib
import random
import re
import shutil
import struct
import subprocess
import zlib

import pytest

import machine
import odd

TOP, BUILD = machine.TOP, machine.BUILD
DRUPE = BUILD / "drupe"
MUSL_GCC = BUILD / "sysroot/bin/musl-gcc"
GLIBC_LOADER, MUSL_LOADER = "/lib/ld-linux-riscv64-lp64d.so.1", "/lib/ld-musl-riscv64.so.1"
GLIBC_OWN = ("libc.so.", "ld-linux", "libm.so.", "libpthread.so.", "libdl.so.", "librt.so.", "libresolv.so.", "libutil.so.")
MOVED = 20  # programs in each of Debian's layouts that are rewritten
DEBIAN = 200 - 5 * MOVED  # and as they are
MUSL = 50


def run(*command, **more):
    return subprocess.run([str(word) for word in command], check=True, stdout=subprocess.PIPE, text=True, **more).stdout


def patchelf(*arguments):
    subprocess.run(["patchelf", *map(str, arguments)], check=True)


class Layout:
    """A sysroot, the programs that are packed from it, and how they are started."""

    def __init__(self, name, path, loader, library_path=""):
        self.name, self.path, self.loader, self.library_path = name, path, loader, library_path
        self.programs = []  # guest paths

    def of(self, programs):
        self.programs = programs
        return self

    def options(self):
        return ["--sysroot", self.path, *(["--library-path", self.library_path] if self.library_path else [])]

    def pack(self, out):
        subprocess.run([DRUPE, "pack", *self.options(), "-o", out, *(f"{self.path}{p}" for p in self.programs)], check=True,
                       stderr=subprocess.DEVNULL)

    def expected(self):
        """By program: the lines of deps --list."""
        text = run(DRUPE, "deps", "--list", *self.options(), *(f"{self.path}{p}" for p in self.programs), stderr=subprocess.DEVNULL)
        return by_program(text.splitlines(), lambda line: line if line.startswith("/") else None)


def by_program(lines, title):
    found, current = {}, None
    for line in lines:
        name = title(line)
        if name:
            current = found.setdefault(name, [])
        elif current is not None and line.strip():
            current.append(line.strip())
    return found


def libraries(lines):
    """What is loaded, as (name, path); without the kernel's and the loader itself."""
    pairs = [tuple(line.split(" => ")) if " => " in line else (line, line) for line in lines if not line.startswith("ERROR: ld.so: object")]
    return sorted(pair for pair in pairs if "vdso" not in pair[0] and not re.fullmatch(r".*/(ld-[^/ ]*|libc\.so)", pair[1]))


# ---- Debian ----

def debian_root():
    """The root, and None; or why there is none."""
    made = subprocess.run(["make", "-s", "-C", str(TOP), f"B={BUILD}", f"{BUILD}/truth/debian.stamp"], check=False, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True)
    root = BUILD / "truth/debian"
    if made.returncode or not (root / "usr/bin").is_dir():
        return None, "Debian's riscv64 packages cannot be had here: " + made.stdout.split("deps: what to try")[0].strip()[-500:]
    return root, None


def programs_of(root):
    """Its programs for glibc, in an order that is always the same and mixes packages."""
    found = []
    for path in root.glob("usr/**/*"):
        if path.is_symlink() or not path.is_file() or not os.access(path, os.X_OK):
            continue
        with path.open("rb") as f:
            head = f.read(4096)
        if head.startswith(b"\x7fELF") and GLIBC_LOADER.encode() + b"\0" in head:
            found.append("/" + str(path.relative_to(root)))
    return sorted(found, key=lambda name: zlib.crc32(name.encode()))


def complete(root, names):
    """Those of which nothing is missing: alternatives that packages' scripts would have made are not there."""
    done = subprocess.run([DRUPE, "deps", "--list", "-s", root, *(f"{root}{n}" for n in names)], stdout=subprocess.PIPE,
                          stderr=subprocess.DEVNULL, text=True, check=False).stdout
    lists = by_program(done.splitlines(), lambda line: line if line.startswith("/") else None)
    return {name: lines for name, lines in lists.items() if not any("not found" in line for line in lines)}


def moved(debian, path, name, programs, place, library_path="", change=None):
    """A copy of programs and their libraries, these in directories that place() tells, glibc's own where they were."""
    root = path / name
    layout = Layout(name, root, GLIBC_LOADER, library_path)
    root.mkdir()
    for link in ("bin", "lib", "sbin"):
        (root / "usr" / link).mkdir(parents=True)
        (root / link).symlink_to(f"usr/{link}")
    copied = {}
    for program, lines in programs.items():
        for line in [f"x => {program}", *lines]:
            need, _, at = line.partition(" => ")
            at = at or need
            real = "/" + str((debian / at[1:]).resolve().relative_to(debian.resolve()))
            keep = at == program or pathlib.Path(at).name.startswith(GLIBC_OWN)
            target = root / (at[1:] if keep else f"{place(need)}/{need}")
            if str(target) in copied:
                continue
            target.parent.mkdir(parents=True, exist_ok=True)
            copied[str(target)] = keep
            shutil.copy(f"{debian}{real}", target)
            if change and (not keep or at == program):
                change(target, at == program, root)
        layout.programs.append(program)
    return layout


def with_runpath(path, is_program, _):
    patchelf("--set-rpath", "/none:/opt/x/${LIB}/../../../y" if is_program else "$ORIGIN:$ORIGIN/../../usr/local/lib:/opt/y", path)


def with_rpath(path, is_program, root):
    if is_program:
        patchelf("--force-rpath", "--set-rpath", f"$ORIGIN/{os.path.relpath(root, path.parent)}/opt/x/lib:/usr/local/lib", path)
    else:
        patchelf("--remove-rpath", path)


def without_path(path, *_):
    patchelf("--remove-rpath", path)


def cache(names):
    """An ld.so.cache; names must not hold digits that differ in length where they are compared."""
    entries, text = b"", b""
    start = 48 + 24 * len(names)
    for name in sorted(names, key=sort_key, reverse=True):
        key = start + len(text)
        text += name.encode() + b"\0"
        entries += struct.pack("<IIIIQ", 0x1003, key, start + len(text), 0, 0)
        text += names[name].encode() + b"\0"
    return b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(names), len(text), 2, 0) + entries + text


def sort_key(name):
    """glibc's order: digits as numbers, and behind all else."""
    key, at = [], 0
    while at < len(name):
        end = at
        while end < len(name) and name[end].isdigit():
            end += 1
        key.append((1, int(name[at:end])) if end > at else (0, ord(name[at])))
        at = max(end, at + 1)
    return key


def debian_layouts(debian, work):
    names = programs_of(debian)
    lists = complete(debian, names)
    assert len(lists) >= 200, "fewer programs than expected"
    rich = sorted(lists, key=lambda name: -len(lists[name]))  # those with most libraries are among those that are moved
    used = iter(rich[5:5 * MOVED + 5])
    parts = [{name: lists[name] for _, name in zip(range(MOVED), used)} for _ in range(5)]
    half = lambda need: "opt/x/lib" if zlib.crc32(need.encode()) & 1 else "usr/local/lib"  # noqa: E731
    as_it_is = Layout("as-it-is", debian, GLIBC_LOADER)
    taken = {name for part in parts for name in part}
    as_it_is.programs = [name for name in lists if name not in taken][:DEBIAN]
    conf = moved(debian, work, "conf", parts[2], half, change=without_path)
    (conf.path / "etc").mkdir()
    (conf.path / "etc/ld.so.conf").write_text("/usr/local/lib\n/opt/x/lib\n")
    cached = moved(debian, work, "cache", parts[3], half, change=without_path)
    (cached.path / "etc").mkdir()
    (cached.path / "etc/ld.so.cache").write_bytes(cache({p.name: "/" + str(p.relative_to(cached.path))
                                                         for d in ("opt/x/lib", "usr/local/lib") for p in (cached.path / d).iterdir()}))
    rules, in_cache = odd.glibc(work / "rules", debian, GLIBC_LOADER)
    (work / "rules/etc").mkdir()
    (work / "rules/etc/ld.so.cache").write_bytes(cache(in_cache))
    environment = odd.glibc_environment(work / "environment", debian, GLIBC_LOADER)
    runpath = moved(debian, work, "runpath", parts[0], lambda need: "opt/y", change=with_runpath)
    (runpath.path / "opt/x/lib/riscv64-linux-gnu").mkdir(parents=True)
    return [as_it_is, conf, cached, runpath,
            Layout("rules", work / "rules", GLIBC_LOADER).of(rules.programs),
            Layout("environment", work / "environment", GLIBC_LOADER, "/none;opt/a::$ORIGIN/../opt/only").of(environment.programs),
            moved(debian, work, "rpath", parts[1], half, change=with_rpath),
            moved(debian, work, "library-path", parts[4], half, "/opt/x/lib:/usr/local/lib", change=without_path)]


# ---- musl ----

def compile_musl(out, source, *flags):
    out.parent.mkdir(parents=True, exist_ok=True)
    return subprocess.Popen([MUSL_GCC, "-O1", "-x", "c", "-", "-o", out, "-x", "none", "-Wl,--no-as-needed", *map(str, flags)],
                            stdin=subprocess.PIPE, text=True), source


def finish(started):
    for child, source in started:
        child.communicate(source)
        assert child.returncode == 0


PLACES = {"lib": None, "usr/lib": None, "usr/local/lib": None, "opt/x/lib": "/opt/x/lib", "opt/deep/er": "$ORIGIN/../deep/er"}


def musl_root(root, interpreter=MUSL_LOADER):
    """50 programs and 24 libraries that need each other, in places that each of them finds in its way."""
    chance = random.Random(13)
    libraries_made = []
    for i in range(24):
        place = list(PLACES)[i % len(PLACES)]
        needs = chance.sample(libraries_made, min(len(libraries_made), chance.randrange(4)))
        path = root / place / f"lib{i}.so"
        finish([compile_musl(path, f"int v{i};", "-shared", "-fPIC", f"-Wl,-soname,lib{i}.so", *needs, "-Wl,--allow-shlib-undefined",
                             f"-Wl,-rpath,{chance.choice(['/opt/x/lib', '$ORIGIN/../x/lib:/opt/deep/er', '/none'])}")])
        libraries_made.append(path)
    started, names = [], []
    for i in range(MUSL):
        name = f"/opt/{chance.choice(['bin', 'sbin'])}/prog{i}"
        needs = chance.sample(libraries_made, chance.randrange(1, 6))
        started.append(compile_musl(root / name[1:], "int main(void) { return 0; }", *needs, "-Wl,--allow-shlib-undefined",
                                    "-Wl,-rpath,/opt/x/lib:${ORIGIN}/../deep/er", f"-Wl,--dynamic-linker={interpreter}",
                                    *(["-Wl,--disable-new-dtags"] if i % 2 else [])))
        names.append(name)
    finish(started)
    (root / "lib").mkdir(exist_ok=True)
    at = root / interpreter[1:]
    at.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(BUILD / "sysroot/lib/libc.so", at)
    return names


def musl_layouts(work):
    plain = Layout("musl", work / "plain", MUSL_LOADER)
    plain.programs = musl_root(plain.path)
    loader = "/opt/m/lib/ld-musl-riscv64.so.1"
    prefix = Layout("musl-prefix", work / "prefix", loader)
    shutil.copytree(plain.path, prefix.path)
    (prefix.path / "opt/m/lib").mkdir(parents=True)
    (prefix.path / "lib/ld-musl-riscv64.so.1").rename(prefix.path / loader[1:])
    (prefix.path / "usr/lib").rename(prefix.path / "opt/m/usrlib")
    (prefix.path / "opt/m/etc").mkdir()
    (prefix.path / "opt/m/etc/ld-musl-riscv64.path").write_text("/lib:/opt/m/usrlib\n/usr/local/lib\n")
    prefix.programs = plain.programs[:20]
    for program in prefix.programs:
        patchelf("--set-interpreter", loader, prefix.path / program[1:])
    by_path = Layout("musl-library-path", work / "by-path", MUSL_LOADER, "/opt/l")
    shutil.copytree(plain.path, by_path.path)
    (by_path.path / "opt/l").mkdir()
    for path in [*(by_path.path / "usr/local/lib").iterdir(), *(by_path.path / "usr/lib").iterdir()]:
        path.rename(by_path.path / "opt/l" / path.name)
    by_path.programs = plain.programs[20:]
    rules = odd.musl(work / "rules", BUILD / "sysroot/lib/libc.so", MUSL_LOADER)
    environment = odd.musl(work / "environment", BUILD / "sysroot/lib/libc.so", MUSL_LOADER)
    return [plain, prefix, by_path,
            Layout("musl-rules", work / "rules", MUSL_LOADER).of(rules.programs),
            Layout("musl-environment", work / "environment", MUSL_LOADER, "/none::/opt/a:opt/b").of(environment.programs)]


# ---- the machine ----

def entries(data):
    at = 0
    while data[at:at + 6] == b"070701":
        fields = [int(data[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        name = data[at + 110:at + 110 + fields[11] - 1]
        body = (at + 110 + fields[11] + 3) & ~3
        if name == b"TRAILER!!!":
            return
        yield fields, name, data[body:body + fields[6]]
        at = (body + fields[6] + 3) & ~3


def entry(fields, name, body):
    fields[11] = len(name) + 1
    head = b"070701" + b"".join(b"%08x" % n for n in fields) + name + b"\0"
    return head + bytes(-len(head) % 4) + body + bytes(-len(body) % 4)


def write_root(layouts, out, work):
    """One archive: the layouts' archives, each in a directory, /init and /list."""
    lister = work / "lister"
    finish([compile_musl(lister, (pathlib.Path(__file__).parent / "lister.c").read_text(), "-static")])
    lines = "".join(f"/{l.name}\t{l.loader}\t{l.library_path}\t{p}\n" for l in layouts for p in l.programs)
    with out.open("wb") as f:
        plain = [0, 0o100755, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0]
        for name, body in ((b"init", lister.read_bytes()), (b"list", lines.encode())):
            f.write(entry([*plain[:6], len(body), *plain[7:]], name, body))
        f.write(entry([0, 0o40755, 0, 0, 2, *plain[5:]], b"dev", b""))
        f.write(entry([0, 0o20600, 0, 0, 1, 0, 0, 0, 0, 5, 1, 0, 0], b"dev/console", b""))
        for i, layout in enumerate(layouts):
            layout.pack(work / "part.cpio")
            f.write(entry([0, 0o40755, 0, 0, 2, *plain[5:]], layout.name.encode(), b""))
            for fields, name, body in entries((work / "part.cpio").read_bytes()):
                fields[0] += i << 24
                longer = f"{layout.name}/".encode() + name  # the NULs behind it bring the data to a page; no name has more than 4096 in all
                f.write(entry(fields, longer if len(longer) < 4096 else longer.rstrip(b"\0"), body))
        f.write(entry(list(plain[:1]) + [0, 0, 0, 1] + plain[5:], b"TRAILER!!!", b""))


@pytest.fixture(scope="session")
def answers(tmp_path_factory):
    """Debian's layouts, or why there are none; musl's; and what the loaders said: by layout and program, the lines."""
    if not shutil.which("patchelf"):
        pytest.skip("no patchelf; make setup-test installs it")
    work = tmp_path_factory.mktemp("machine")
    debian, why_not = debian_root()
    glibc = debian_layouts(debian, tmp_path_factory.mktemp("debian")) if debian else []
    musl = musl_layouts(tmp_path_factory.mktemp("musl"))
    layouts = [*glibc, *musl]
    write_root(layouts, work / "root.cpio", work)
    status, text = machine.run(kernel=BUILD / "bare/Image", initrd=work / "root.cpio", append="loglevel=5", memory="2G")
    (work / "root.cpio").unlink()
    lines = text.replace("\r", "").split("\n")
    assert not [line for line in lines if "initrd:" in line], "the machine had something to say about the archive"
    assert "END" in lines and status == 0, text[-2000:]
    found = by_program(lines[lines.index("BEGIN"):lines.index("END")], lambda line: line[3:] if line.startswith("== ") else None)
    return glibc or why_not, musl, found


def compare(layouts, found):
    """What the loaders and drupe say of each program is the same; gives the number of programs."""
    differences, asked = [], 0
    for layout in layouts:
        for program, lines in layout.expected().items():
            said = found[f"/{layout.name} {program}"]
            asked += 1
            if libraries(lines) != libraries(said):
                differences.append(f"{layout.name} {program}: only the loader: {sorted(set(libraries(said)) - set(libraries(lines)))}; "
                                   f"only drupe: {sorted(set(libraries(lines)) - set(libraries(said)))}")
    assert not differences, "\n".join(differences[:20])
    assert asked == sum(len(layout.programs) for layout in layouts)
    return asked


def directories(found, layout):
    return {os.path.dirname(path) for name, lines in found.items() if name.split()[0] == layout for _, path in libraries(lines)}


def test_glibcs_loader_finds_what_drupe_packs(answers):
    layouts, _, found = answers
    if isinstance(layouts, str):
        pytest.skip(layouts)
    assert compare(layouts, found) >= 200
    # The layouts are what they claim to be: else all would be found by the loader's own directories.
    assert "/opt/x/lib/riscv64-linux-gnu/../../../y" in directories(found, "/runpath")
    for name in ("/conf", "/cache", "/library-path"):
        assert directories(found, name) >= {"/opt/x/lib", "/usr/local/lib"}, name
    assert "/usr/local/lib" in directories(found, "/rpath") and any(p.endswith("/../../opt/x/lib") for p in directories(found, "/rpath"))


def test_musls_loader_finds_what_drupe_packs(answers):
    _, layouts, found = answers
    assert compare(layouts, found) >= MUSL
    assert directories(found, "/musl") >= {"/lib", "/usr/lib", "/usr/local/lib", "/opt/x/lib", "/opt/bin/../deep/er"}
    assert "/opt/m/usrlib" in directories(found, "/musl-prefix") and "/opt/l" in directories(found, "/musl-library-path")
