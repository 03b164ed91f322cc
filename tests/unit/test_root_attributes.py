# SPDX-License-Identifier: MIT
"""Extended attributes of whole roots: those of directories, tars and layers are kept, and what an archive may hold is bounded."""
import os
import pathlib
import sys
import time

import pytest

from images import Image, tar
from packing import drupe
from test_roots import FORMS, cache, made, put  # noqa: F401 (fixtures, too)

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent / "initrd"))
from archives import archive, file, name_of, node  # noqa: E402


def attributes(tree):
    return {path: x["attributes"] for path, x in tree.items() if "attributes" in x}


def attributed(name, **more):
    return name, {"body": more.pop("body", b""), "pax_headers": {f"SCHILY.xattr.{k.replace('_', '.')}": v for k, v in more.items()}}


def test_attributes_that_no_machine_has_are_told_of(put, out):
    data = tar(("a", {"body": b"x", "pax_headers": {"SCHILY.xattr.security.selinux": "value"}}), ("b", {"pax_headers": {"SCHILY.xattr.user.b": "value"}}))
    error = drupe("pack", "--root", put(data), "-o", out)[1]
    assert "1 files have ACLs, labels" in error and "left out" in error
    assert out.read_bytes().count(b"METADATA!!!\0") == 1 and b"00000016\x01\x01user.b\0value" in out.read_bytes()


def test_attributes_of_a_directory_are_kept(root, out):
    (root.path / "b").hardlink_to(root.file("a", "x"))
    root.file("d/plain")
    os.symlink("a", root / "link")
    for name, attribute, value in ("a", "user.two", b"\0\xff"), ("a", "user.one", b""), ("d", "user.d", b"v" * 3000), (".", "user.root", b"r"):
        os.setxattr(root / name, attribute, value)
    both = {"user.one": "", "user.two": "00ff"}
    assert attributes(made(root, out)) == {".": {"user.root": "72"}, "a": both, "b": both, "d": {"user.d": "76" * 3000}}
    os.setxattr(root / "d/plain", "user.new", b"n")  # and the kept one is out of date
    assert attributes(made(root, out))["d/plain"] == {"user.new": "6e"}


@pytest.mark.parametrize("form", FORMS)
def test_attributes_of_layers(put, out, form):
    """What a later layer has takes the place of all that was there, and a hard link is the file."""
    lower = tar(attributed("d/", user_d="1", user_old="2"), attributed("d/f", user_f="1"), attributed("g", user_g="7", security_capability="cap"),
                attributed("gone", user_x="1"))
    upper = tar(attributed("d/", user_d="3"), attributed("d/f", body=b"new"), ("h", {"kind": "link", "to": "g"}), ".wh.gone")
    both = {"security.capability": b"cap".hex(), "user.g": "37"}
    assert attributes(made(put(FORMS[form](Image([lower, upper]))), out)) == {"d": {"user.d": "33"}, "g": both, "h": both}


def test_a_file_has_no_more_attributes_than_one_may_have(put):
    """However many names of it bring more; and to find that out takes no time that grows with their square."""
    def record(name):
        return b"%08x\1\1%s\0" % (11 + len(name), name)
    many = [b"".join(record(b"user.%05d" % n) for n in range(at, at + 5000)) for at in range(0, 100000, 5000)]
    names = [entry for n, x in enumerate(many) for entry in (name_of(f"f{n}", 3, nlink=len(many)), file("METADATA!!!", x))]
    began = time.monotonic()
    error = drupe("check", put(archive(*names)), status=1)[1]
    assert "error 7" in error and time.monotonic() - began < 30


@pytest.mark.parametrize("before, name", [(file("f"), b"other.x"), (file("f"), b"user."), (node("p", "fifo"), b"user.x")])
def test_attributes_that_the_kernel_refuses_are_told(put, before, name):
    data = put(archive(before, file("METADATA!!!", b"%08x\1\1%s\0" % (11 + len(name), name))))
    assert "the file system refuses it" in drupe("check", data, status=1)[1]
