# SPDX-License-Identifier: MIT
"""Where libraries are looked for: the loader that goes in decides, and every file that steers it goes in with it."""
import pathlib
import struct

import pytest

from packing import GLIBC, MUSL, Root, drupe, names

CROSS_ROOT = pathlib.Path("/usr/riscv64-linux-gnu/lib")


def strings(*texts):
    return "".join(f'const char s{i}[] = "{text}";' for i, text in enumerate(texts))


def glibc_root(root, *directories, at="lib/ld-linux-riscv64-lp64d.so.1", cache="/etc/ld.so.cache", libc="lib/libc.so.6"):
    """A root with a loader that has these as its system_dirs."""
    text = "\\0".join(f"{d}/" for d in directories)
    root.elf(at, soname="ld-linux-riscv64-lp64d.so.1", versions="GLIBC_2.27 { start; }; GLIBC_PRIVATE { s*; };",
             source=strings(text, "glibc-hwcaps/", cache, "/proc/self/fd/") + "void start(void) {}")
    root.elf(libc, soname="libc.so.6")
    return root


@pytest.fixture
def plain(root):
    """A loader that looks in /lib and /usr/lib only."""
    return glibc_root(root, "/lib", "/usr/lib")


def listed(root, program, *options, status=0):
    """What the loader loads, by name: the path it is opened under."""
    out, error = drupe("deps", "--list", *options, "-s", root, root / program, status=status)
    return dict(line.strip().split(" => ") for line in out.decode().splitlines() if " => " in line), error


def missing(root, program, name, *options):
    found, error = listed(root, program, *options, status=1)
    assert found[name] == "not found"
    return error


# ---- the loader's own directories ----

@pytest.mark.parametrize("directory, found", [("usr/lib", True), ("usr/lib64", False), ("lib64/lp64d", False),
                                              ("usr/lib/riscv64-linux-gnu", False), ("nix/store/x-glibc/lib", False)])
def test_only_the_directories_of_this_loader_count(plain, directory, found):
    plain.elf(f"{directory}/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1", "libc.so.6"], GLIBC)
    if found:
        assert listed(plain, "bin/prog")[0]["libv.so.1"] == f"/{directory}/libv.so.1"
    else:
        assert "searched   /usr/lib\n" in missing(plain, "bin/prog", "libv.so.1")


def test_the_directories_of_another_loader_count_for_its_programs(root):
    loader = "/nix/store/x-glibc/lib/ld-linux-riscv64-lp64d.so.1"
    glibc_root(root, "/nix/store/x-glibc/lib", at=loader[1:], cache="/nix/store/x-glibc/etc/ld.so.cache", libc="nix/store/x-glibc/lib/libc.so.6")
    root.elf("usr/lib/libv.so.1", soname="libv.so.1")
    root.elf("bin/prog", ["libc.so.6"], loader)
    root.elf("bin/other", ["libc.so.6", "libv.so.1"], loader)
    assert listed(root, "bin/prog")[0]["libc.so.6"] == "/nix/store/x-glibc/lib/libc.so.6"
    assert "searched   /nix/store/x-glibc/lib\n" in missing(root, "bin/other", "libv.so.1")


def test_lib_is_what_the_loader_takes_it_for(root):
    glibc_root(root, "/lib64/lp64d", "/usr/lib64/lp64d", libc="lib64/lp64d/libc.so.6")
    root.elf("opt/lp64d/libv.so.1", soname="libv.so.1")
    root.elf("bin/prog", ["libv.so.1"], GLIBC, runpath="/opt/${LIB}")
    assert listed(root, "bin/prog")[0]["libv.so.1"] == "/opt/lp64d/libv.so.1"


def test_nodefaultlib_keeps_out_of_the_default_directories(plain):
    plain.elf("usr/lib/libv.so.1", soname="libv.so.1")
    plain.elf("opt/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC, flags=["-Wl,-z,nodefaultlib"])
    missing(plain, "bin/prog", "libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC, runpath="/opt", flags=["-Wl,-z,nodefaultlib"])
    assert listed(plain, "bin/prog")[0]["libv.so.1"] == "/opt/libv.so.1"


def test_a_library_with_another_float_abi_is_passed_over(plain):
    soft = plain.elf("lib/libv.so.1", soname="libv.so.1")
    data = bytearray(soft.read_bytes())
    struct.pack_into("<I", data, 48, struct.unpack_from("<I", data, 48)[0] & ~6)
    soft.write_bytes(data)
    plain.elf("usr/lib/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC)
    assert listed(plain, "bin/prog")[0]["libv.so.1"] == "/usr/lib/libv.so.1"


def test_glibc_passes_over_foreign_files_and_stops_at_what_is_no_elf(plain):
    plain.elf("lib/libv.so.1", soname="libv.so.1", machine=62)
    plain.elf("usr/lib/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC)
    assert listed(plain, "bin/prog")[0]["libv.so.1"] == "/usr/lib/libv.so.1"
    plain.file("lib/libv.so.1", "INPUT(libv.so.2)")
    assert "/lib/libv.so.1" in missing(plain, "bin/prog", "libv.so.1")


# ---- musl ----

def musl_root(root, at="lib", defaults="/lib:/usr/local/lib:/usr/lib"):
    root.elf(f"{at}/libc.so", soname="libc.so", source=strings("/usr/local/bin:/bin:/usr/bin", defaults, "%.*s/etc/ld-musl-riscv64.path") + "void start(void) {}")
    root.link(f"{at}/ld-musl-riscv64.so.1", "libc.so")
    return root


def test_the_path_file_of_a_musl_in_a_prefix(root, out):
    musl_root(root, "opt/m/lib")
    root.file("opt/m/etc/ld-musl-riscv64.path", "/opt/m/lib\n/opt/x\n")
    root.elf("opt/x/libv.so")
    root.elf("usr/lib/libw.so")
    root.elf("bin/prog", ["libv.so", "libc.so"], "/opt/m/lib/ld-musl-riscv64.so.1")
    assert listed(root, "bin/prog")[0] == {"libv.so": "/opt/x/libv.so"}
    drupe("pack", "-s", root, root / "bin/prog", "-o", out)
    assert "opt/m/etc/ld-musl-riscv64.path" in names(out)
    root.elf("bin/prog", ["libw.so"], "/opt/m/lib/ld-musl-riscv64.so.1")
    missing(root, "bin/prog", "libw.so")


def test_the_defaults_of_this_musl_count(root):
    musl_root(root, defaults="/lib:/usr/lib64:/usr/lib")
    root.elf("usr/local/lib/libv.so")
    root.elf("usr/lib64/libw.so")
    root.elf("bin/prog", ["libv.so", "libw.so"], MUSL)
    found, _ = listed(root, "bin/prog", status=1)
    assert found == {"libv.so": "not found", "libw.so": "/usr/lib64/libw.so"}


def test_musl_takes_the_first_file_whatever_it_is(root):
    musl_root(root)
    root.elf("lib/libv.so", machine=62)
    root.elf("usr/lib/libv.so")
    root.elf("bin/prog", ["libv.so"], MUSL)
    assert "is for x86-64" in missing(root, "bin/prog", "libv.so")


def test_musls_own_names_never_lead_to_a_file(root):
    musl_root(root)
    root.elf("opt/libm.so.6")
    root.elf("bin/prog", ["libm.so.6", "libc.musl-riscv64.so.1"], MUSL, runpath="/opt")
    assert listed(root, "bin/prog")[0] == {}


def test_a_list_with_a_token_that_musl_does_not_know_is_void(root):
    musl_root(root)
    root.elf("opt/libv.so")
    root.elf("bin/prog", ["libv.so"], MUSL, runpath="/opt:/$LIB")
    missing(root, "bin/prog", "libv.so")


# ---- LD_LIBRARY_PATH ----

@pytest.mark.parametrize("kind, first", [("rpath", "/rp"), ("runpath", "/l")])
def test_glibc_looks_in_ld_library_path_behind_rpath_and_before_runpath(plain, kind, first):
    for directory in ("rp", "l", "usr/lib"):
        plain.elf(f"{directory}/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC, **{kind: "/rp"})
    assert listed(plain, "bin/prog", "-L", "/none:/l")[0]["libv.so.1"] == f"{first}/libv.so.1"


def test_musl_looks_in_ld_library_path_first(root):
    musl_root(root)
    for directory in ("rp", "l"):
        root.elf(f"{directory}/libv.so")
    root.elf("bin/prog", ["libv.so"], MUSL, rpath="/rp")
    assert listed(root, "bin/prog", "--library-path", "/l")[0]["libv.so"] == "/l/libv.so"


def test_pack_and_check_take_a_library_path(plain, out):
    plain.elf("opt/l/libv.so.1", soname="libv.so.1")
    plain.elf("init", ["libv.so.1", "libc.so.6"], GLIBC)
    drupe("pack", "-s", plain, plain / "init", "-o", out, status=1)
    drupe("pack", "-s", plain, plain / "init", "-L", "/opt/l", "-o", out)
    assert "opt/l/libv.so.1" in names(out)
    drupe("check", out, status=1)
    drupe("check", "-L", "/opt/l", out)


def test_it_is_said_which_path_would_help(plain, out):
    library = plain.elf("other/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC)
    _, error = drupe("pack", "-s", plain, plain / "bin/prog", f"/opt/l/libv.so.1={library}", "-o", out, status=1)
    assert "it is there as /opt/l/libv.so.1" in error and "add --library-path /opt/l\n" in error
    assert drupe("pack", "-s", plain, plain / "bin/prog", f"/opt/l/libv.so.1={library}", "-L", "/opt/l", "-o", out)


# ---- ld.so.cache ----

def cache(*entries, flags=0x1003, old=False, order=2):
    """A cache as ldconfig writes it; sorted by whoever calls."""
    head, text = [], b""
    start = 48 + 24 * len(entries)
    for name, path in entries:
        key = start + len(text)
        text += name.encode() + b"\0"
        head.append(struct.pack("<IIIIQ", flags, key, start + len(text), 0, 0))
        text += path.encode() + b"\0"
    new = b"glibc-ld.so.cache1.1" + struct.pack("<IIB3xI12x", len(entries), len(text), order, 0) + b"".join(head) + text
    return b"ld.so-1.7.0\0" + struct.pack("<I", 1) + bytes(12) + bytes(4) + new if old else new


def read_cache(data):
    count, = struct.unpack_from("<I", data, 20)
    text = lambda at: data[at:data.index(b"\0", at)].decode()  # noqa: E731
    return [(text(key), text(value)) for _, key, value, _, _ in struct.iter_unpack("<IIIIQ", data[48:48 + 24 * count])]


@pytest.fixture
def vendor(plain):
    plain.elf("opt/v/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1", "libc.so.6"], GLIBC)
    return plain


@pytest.mark.parametrize("old", [False, True])
def test_what_the_cache_lists_is_found_and_a_cache_goes_in(vendor, out, old):
    vendor.file("etc/ld.so.cache", cache(("libv.so.1", "/opt/v/libv.so.1"), ("libgone.so", "/opt/v/libgone.so"), ("libc.so.6", "/lib/libc.so.6"), old=old))
    assert listed(vendor, "bin/prog")[0]["libv.so.1"] == "/opt/v/libv.so.1"
    drupe("pack", "-s", vendor, vendor / "bin/prog", "-o", out)
    drupe("check", "--init", "/bin/prog", out)
    assert read_cache(packed_bytes(out, "etc/ld.so.cache")) == [("libv.so.1", "/opt/v/libv.so.1"), ("libc.so.6", "/lib/libc.so.6")]


def packed_bytes(archive, name):
    data = archive.read_bytes()
    from packing import entries
    for entry, fields, at in entries(archive):
        if entry == name:
            return data[at:at + fields[6]]
    raise AssertionError(f"{name} is not in the archive")


@pytest.mark.parametrize("text", [cache(("libv.so.1", "/opt/v/libv.so.1"), flags=0x0f03), cache(("libv.so.1", "/opt/v/libv.so.1"), order=3),
                                  cache(("libv.so.1", "/opt/v/libv.so.1"))[:60], b"rubbish", b"", cache()])
def test_a_cache_for_others_or_damaged_finds_nothing(vendor, text):
    vendor.file("etc/ld.so.cache", text)
    missing(vendor, "bin/prog", "libv.so.1")


def test_a_cache_that_is_packed_counts_as_it_stands(vendor, out):
    vendor.file("etc/ld.so.conf", "/opt/v\n")
    vendor.file("etc/ld.so.cache", cache())
    _, error = drupe("pack", "-s", vendor, vendor / "bin/prog", vendor / "etc/ld.so.cache", "-o", out, status=1)
    assert "searched   /etc/ld.so.cache, which does not list it\n" in error
    vendor.file("etc/ld.so.cache", cache(("libv.so.1", "/opt/v/libv.so.1")))
    drupe("pack", "-s", vendor, vendor / "bin/prog", vendor / "etc/ld.so.cache", "-o", out)
    assert packed_bytes(out, "etc/ld.so.cache") == (vendor / "etc/ld.so.cache").read_bytes()


@pytest.mark.parametrize("stale", [None, cache(), cache(("libv.so.1", "/opt/old/libv.so.1"))])
def test_a_directory_of_ld_so_conf_is_put_into_a_cache(vendor, out, stale):
    vendor.file("etc/ld.so.conf", "include ld.so.conf.d/*.conf\n")
    vendor.file("etc/ld.so.conf.d/v.conf", "/opt/v/\n")
    vendor.elf("opt/v/libplugin.so", soname="libplugin.so")
    vendor.elf("opt/v/ugly.so")
    if stale is not None:
        vendor.file("etc/ld.so.cache", stale)
    drupe("pack", "-s", vendor, vendor / "bin/prog", "--also", "/opt/v/*.so", "-o", out)
    assert read_cache(packed_bytes(out, "etc/ld.so.cache")) == [("libv.so.1", "/opt/v/libv.so.1"), ("libplugin.so", "/opt/v/libplugin.so")]
    drupe("check", "--init", "/bin/prog", out)


def test_ld_so_conf_alone_is_nothing_to_check(vendor, tmp_path, out):
    vendor.file("etc/ld.so.conf", "/opt/v\n")
    drupe("pack", vendor, "-o", out)
    assert "etc/ld.so.cache" in names(out)
    here = Root(tmp_path / "plain")
    here.file("manifest", f"file /opt/v/libv.so.1 {vendor}/opt/v/libv.so.1 755 0 0\nfile /etc/ld.so.conf {vendor}/etc/ld.so.conf 644 0 0\n")
    drupe("pack", "-s", vendor, "-m", here / "manifest", vendor / "bin/prog", "-o", out)
    assert "etc/ld.so.cache" in names(out)


def test_no_cache_goes_in_where_it_would_change_nothing(plain, out):
    plain.file("etc/ld.so.conf", "/opt/v\n/usr/lib\n")
    plain.elf("usr/lib/libv.so.1", soname="libv.so.1")
    plain.elf("bin/prog", ["libv.so.1"], GLIBC)
    drupe("pack", "-s", plain, plain / "bin/prog", "-o", out)
    assert "etc/ld.so.cache" not in names(out)


def test_the_cache_comes_before_the_default_directories(plain, out):
    for directory in ("lib", "usr/lib"):
        plain.elf(f"{directory}/libv.so.1", soname="libv.so.1")
    plain.file("etc/ld.so.cache", cache(("libv.so.1", "/usr/lib/libv.so.1")))
    plain.elf("bin/prog", ["libv.so.1"], GLIBC)
    assert listed(plain, "bin/prog")[0]["libv.so.1"] == "/usr/lib/libv.so.1"
    drupe("pack", "-s", plain, plain / "bin/prog", "-o", out)
    assert read_cache(packed_bytes(out, "etc/ld.so.cache"))[0] == ("libv.so.1", "/usr/lib/libv.so.1")


# ---- names with slashes, tokens, places ----

@pytest.mark.parametrize("need, where", [("./libv.so", "libv.so"), ("sub/libv.so", "sub/libv.so"), ("$ORIGIN/libv.so", "opt/app/libv.so"),
                                         ("${ORIGIN}/../libv.so", "opt/libv.so"), ("/opt/$LIB/libv.so", "opt/lib/libv.so")])
def test_needed_with_a_slash(plain, need, where):
    plain.elf(where)
    plain.elf("opt/app/prog", [need], GLIBC)
    drupe("deps", "-s", plain, plain / "opt/app/prog")
    (plain / where).unlink()
    assert f"needs {need}" in drupe("deps", "-s", plain, plain / "opt/app/prog", status=1)[1]


def test_origin_at_the_root(plain, out):
    plain.elf("libv.so")
    plain.elf("lib2/libw.so")
    plain.elf("prog", ["libv.so", "libw.so"], GLIBC, runpath="$ORIGIN:$ORIGIN/lib2")
    drupe("pack", "-s", plain, plain / "prog", "-o", out)
    assert {"libv.so", "lib2/libw.so"} <= set(names(out))


def test_tokens_without_a_meaning_stay_and_those_without_a_value_void_the_element(plain):
    plain.elf("opt/$FOO/libv.so")
    plain.elf("opt/$ORIGINAL/libw.so")
    plain.elf("opt/libx.so")
    plain.elf("bin/prog", ["libv.so", "libw.so", "libx.so"], GLIBC, runpath="/opt/$FOO:/opt/$ORIGINAL:/opt/$PLATFORM/..")
    found, _ = listed(plain, "bin/prog", status=1)
    assert found["libv.so"] == "/opt/$FOO/libv.so" and found["libw.so"] == "/opt/$ORIGINAL/libw.so" and found["libx.so"] == "not found"


def test_symlinks_are_followed_before_dot_dot(plain):
    plain.elf("real/deep/bin/prog", ["libv.so"], GLIBC, runpath="/short/../lib2")
    plain.elf("real/lib2/libv.so", ["libw.so"], runpath="$ORIGIN/../lib3")
    plain.elf("real/lib3/libw.so")
    plain.elf("lib2/libv.so", ["wrong.so"])
    plain.link("short", "real/deep")
    found, _ = listed(plain, "real/deep/bin/prog")
    assert found == {"libv.so": "/short/../lib2/libv.so", "libw.so": "/short/../lib2/../lib3/libw.so"}


def test_a_directory_that_is_left_by_dot_dot_goes_in(plain, out):
    plain.elf("opt/y/libv.so")
    (plain / "opt/x/deep").mkdir(parents=True)
    plain.elf("bin/prog", ["libv.so"], GLIBC, runpath="/opt/x/deep/../../y")
    drupe("pack", "-s", plain, plain / "bin/prog", "-o", out)
    assert {"opt/x/deep", "opt/y/libv.so"} <= set(names(out))
    drupe("check", "--init", "/bin/prog", out)


def test_an_empty_element_is_where_the_program_is_started(plain):
    plain.elf("libv.so")
    plain.elf("bin/prog", ["libv.so"], GLIBC)
    missing(plain, "bin/prog", "libv.so")
    assert "\tlibv.so\n" in drupe("deps", "--list", "-L", "/none:", "-s", plain, plain / "bin/prog")[0].decode()


# ---- what else a loader opens ----

@pytest.mark.parametrize("flag", ["-F", "-f"])
def test_filters(plain, out, flag):
    plain.elf("usr/lib/libv.so.1", soname="libv.so.1", flags=[f"-Wl,{flag},libreal.so.1"])
    plain.elf("bin/prog", ["libv.so.1"], GLIBC)
    drupe("pack", "-s", plain, plain / "bin/prog", "-o", out, status=1 if flag == "-F" else 0)
    plain.elf("usr/lib/libreal.so.1", soname="libreal.so.1")
    drupe("pack", "-s", plain, plain / "bin/prog", "-o", out)
    assert "usr/lib/libreal.so.1" in names(out)
    assert b"libreal.so.1 => /usr/lib/libreal.so.1 (filter)" in drupe("deps", "-s", plain, plain / "bin/prog")[0]


@pytest.mark.parametrize("flag", ["--audit", "--depaudit"])
def test_audit_modules_go_in_and_a_missing_one_is_noted(plain, out, flag):
    plain.elf("bin/prog", ["libc.so.6"], GLIBC, flags=[f"-Wl,{flag},libaudit1.so:libaudit2.so"])
    plain.elf("usr/lib/libaudit1.so")
    _, error = drupe("pack", "-s", plain, plain / "bin/prog", "-o", out)
    assert "usr/lib/libaudit1.so" in names(out) and "DT_AUDIT names libaudit2.so" in error and "libaudit1" not in error
    assert "libaudit1.so" not in listed(plain, "bin/prog")[0]


def test_ld_so_preload_goes_in_with_what_it_names(plain, out):
    plain.file("etc/ld.so.preload", "# for all\n/opt/libpre.so:libq.so \nlibgone.so\n")
    plain.elf("opt/libpre.so", ["libdeep.so"])
    plain.elf("usr/lib/libdeep.so")
    plain.elf("usr/lib/libq.so")
    plain.elf("bin/prog", ["libc.so.6"], GLIBC)
    _, error = drupe("pack", "-s", plain, plain / "bin/prog", "-o", out)
    assert {"etc/ld.so.preload", "opt/libpre.so", "usr/lib/libdeep.so", "usr/lib/libq.so"} <= set(names(out))
    assert "/etc/ld.so.preload names libgone.so" in error and "goes on" in error
    assert "/etc/ld.so.preload names libgone.so" in drupe("check", "--init", "/bin/prog", out)[1]


def test_ld_so_preload_means_nothing_to_musl(root, out):
    musl_root(root)
    root.file("etc/ld.so.preload", "libgone.so")
    root.elf("bin/prog", ["libc.so"], MUSL)
    assert drupe("pack", "-s", root, root / "bin/prog", "-o", out)[1] == "" and "etc/ld.so.preload" not in names(out)


# ---- an init before /proc ----

def test_an_init_that_needs_its_origin_is_told_of(plain, tmp_path, out):
    plain.elf("opt/app/lib/libv.so.1", soname="libv.so.1")
    plain.elf("opt/app/bin/prog", ["libv.so.1", "libc.so.6"], GLIBC, runpath="$ORIGIN/../lib")
    manifest = tmp_path / "manifest"
    manifest.write_text("slink /init opt/app/bin/prog 777 0 0\n")
    _, error = drupe("pack", "-s", plain, "-m", manifest, plain / "opt/app/bin/prog", "-o", out)
    assert "note: /init (/opt/app/bin/prog) finds libv.so.1 by $ORIGIN" in error
    assert "finds libv.so.1 by $ORIGIN, for which the loader asks /proc/self/exe" in drupe("check", out, status=1)[1]
    drupe("pack", "-s", plain, plain / "opt/app/bin/prog", "-o", out)
    assert drupe("check", "--init", "/opt/app/bin/prog", out, status=1)


def test_an_init_whose_libraries_alone_use_origin_is_not(plain, out):
    plain.elf("opt/liba.so", ["libb.so"], runpath="$ORIGIN/b")
    plain.elf("opt/b/libb.so")
    plain.elf("init", ["liba.so"], GLIBC, runpath="/opt")
    assert drupe("pack", "-s", plain, plain / "init", "-o", out)[1] == ""
    assert drupe("check", out)[1] == ""


# ---- from this machine ----

def test_a_library_beside_the_program_comes_along(plain, tmp_path, out):
    here = Root(tmp_path / "here")
    here.elf("lib/libv.so.1", ["libw.so"], soname="libv.so.1", runpath="$ORIGIN")
    here.elf("lib/libw.so")
    here.elf("bin/libx.so", machine=62)
    here.elf("bin/prog", ["libv.so.1", "./libr.so"], GLIBC, runpath="$ORIGIN/../lib:$ORIGIN")
    here.elf("libr.so")
    drupe("pack", "-s", plain, "/opt/app/bin/prog=bin/prog", "-o", out, cwd=here.path)
    assert {"opt/app/lib/libv.so.1", "opt/app/lib/libw.so", "libr.so"} <= set(names(out))


def test_it_is_said_how_to_bring_what_is_beside_the_program(plain, tmp_path, out):
    here = Root(tmp_path / "here")
    here.elf("libv.so.1", soname="libv.so.1")
    here.elf("prog", ["libv.so.1"], GLIBC)
    _, error = drupe("pack", "-s", plain, here / "prog", "-o", out, status=1)
    option = f"/usr/lib/libv.so.1={here}/libv.so.1"
    assert f"it is here: add {option}\n" in error
    drupe("pack", "-s", plain, here / "prog", option, "-o", out)


def test_what_is_missing_ends_with_what_to_type(plain, out):
    plain.elf("bin/prog", ["libgone.so"], GLIBC)
    _, error = drupe("pack", "-s", plain, plain / "bin/prog", "-o", out, status=1)
    assert "    try: drupe pack --sysroot DIR ..., with DIR/usr/lib/libgone.so, or /usr/lib/libgone.so=HOST/libgone.so\n" in error


def test_a_linkers_script_does_not_hide_a_library(root, tmp_path, out):
    scripts = Root(tmp_path / "scripts")
    scripts.file("lib/libc.so", "GROUP ( /lib/libc.so.6 )")
    scripts.file("lib/libonly.so", "INPUT ( libonly.so.1 )")
    musl_root(root)
    root.elf("bin/prog", ["libc.so"], MUSL)
    drupe("pack", "-s", scripts, "-s", root, "/bin/prog=" + str(root / "bin/prog"), scripts / "lib/libonly.so", "-o", out)
    assert {"lib/libc.so", "lib/libonly.so"} <= set(names(out)) and packed_bytes(out, "lib/libc.so")[:4] == b"\x7fELF"


@pytest.mark.skipif(not CROSS_ROOT.is_dir(), reason="no libraries of a cross compiler (libc6-riscv64-cross)")
def test_the_cross_compilers_root_counts_where_nothing_else_has_the_loader(root, tmp_path, out):
    prog = root.elf("prog", ["libc.so.6"], GLIBC)
    assert drupe("pack", prog, "-o", out)[1] == "" and "lib/libc.so.6" in names(out)
    assert b"libc.so.6 => /lib/libc.so.6" in drupe("deps", prog)[0]
    glibc_root(root, "/lib", "/usr/lib")
    drupe("pack", root, "-o", out)
    assert packed_bytes(out, "lib/libc.so.6") == (root / "lib/libc.so.6").read_bytes() and "lib/libm.so.6" not in names(out)


# ---- carriage returns ----

def test_a_carriage_return_is_a_part_of_the_interpreters_name(root, out):
    musl_root(root)
    root.elf("bin/sh", ["libc.so"], MUSL).chmod(0o755)
    script = root.file("init", "#!/bin/sh\r\necho hi\r\n", 0o755)
    for command in (["pack", "-s", root, script, "-o", out], ["deps", "-s", root, script]):
        _, error = drupe(*command, status=1)
        assert r"needs /bin/sh\x0d" in error and "end with CR and LF" in error and f"sed -i 's/\\r$//' {script}" in error
    root.elf("bin/sh\r", ["libc.so"], MUSL).chmod(0o755)
    drupe("pack", "-s", root, script, "-o", out)
    assert "bin/sh\\x0d" in names(out)


def test_what_is_beside_a_program_for_musl_in_the_root_goes_where_it_is_found(root, tmp_path, out):
    musl_root(root)
    here = Root(tmp_path / "here")
    here.elf("libv.so")
    here.elf("prog", ["libv.so"], MUSL, runpath="$ORIGIN")
    drupe("pack", "-s", root, here / "prog", "-o", out)
    assert "usr/lib/libv.so" in names(out) and "libv.so" not in names(out)
    drupe("check", "--init", "/prog", out)


def test_a_carriage_return_behind_an_argument_is_noted(root, out):
    musl_root(root)
    root.elf("bin/sh", ["libc.so"], MUSL).chmod(0o755)
    _, error = drupe("pack", "-s", root, root.file("init", "#!/bin/sh -e\r\n", 0o755), "-o", out)
    assert r"note: the script /init starts /bin/sh with the argument -e\x0d" in error and "end with CR and LF" in error


def test_an_interpreter_that_is_not_executable_is_none(root, out):
    root.file("bin/sh", "text", 0o644)
    assert "needs /bin/sh" in drupe("pack", "-s", root, root.file("init", "#!/bin/sh\n", 0o755), "-o", out, status=1)[1]


def test_two_libcs_are_not_mixed(plain, tmp_path, out):
    other = musl_root(Root(tmp_path / "musl"))
    other.elf("usr/lib/libz.so.1", ["libc.so"], soname="libz.so.1")
    plain.elf("bin/prog", ["libz.so.1", "libc.so.6"], GLIBC)
    _, error = drupe("pack", "-s", plain, "-s", other, plain / "bin/prog", "-o", out, status=1)
    assert "/usr/lib/libz.so.1 is for musl, and /bin/prog, which needs it, is for glibc" in error


@pytest.mark.skipif(not CROSS_ROOT.is_dir(), reason="no libraries of a cross compiler (libc6-riscv64-cross)")
def test_the_cross_compilers_root_counts_for_a_library_by_itself(root):
    assert b"libc.so.6 => /lib/libc.so.6" in drupe("deps", root.elf("libv.so", ["libc.so.6"]))[0]


def test_symlinks_are_followed_before_dot_dot_in_what_is_named(plain, out):
    plain.elf("real/tool", ["libc.so.6"], GLIBC)
    (plain / "real/deep").mkdir()
    plain.link("short", "real/deep")
    drupe("pack", "-s", plain, f"{plain}/short/../tool", "-o", out)
    assert {"real/tool", "short"} <= set(names(out)) and "tool" not in names(out)
    drupe("pack", "-s", plain, plain / "real/deep", f"/short/../copy={plain}/real/tool", f"/short={plain}/short", "-o", out)


def test_a_list_of_an_init_for_musl_is_void_before_proc(root, out):
    musl_root(root)
    root.elf("opt/libv.so")
    root.elf("init", ["libv.so"], MUSL, runpath="/opt:$ORIGIN/lib")
    assert "note: /init (/init) finds libv.so by $ORIGIN" in drupe("pack", "-s", root, root / "init", "-o", out)[1]
    root.elf("init", ["libv.so"], MUSL, runpath="/opt")
    assert drupe("pack", "-s", root, root / "init", "-o", out)[1] == ""
