# SPDX-License-Identifier: MIT
"""The table: every rule of unpacking, as a buffer and the tree it has to become. docs/initrd.md tells the rules.

Three runners read it: test_host.py (the kernel's lib/ and a model file system), test_drupe.py (our kernel in QEMU)
and test_linux.py (Debian's Linux in QEMU: `make test-linux`). A tree is one line an object, sorted by name,

    type mode uid:gid mtime name [= content | -> target | major:minor] [(n links, as FIRST NAME)]

with type one of f d l c b p s. An mtime of `-` stands for any. The root is `.` and is compared only where a case
has a line for it. Linux has to make the same tree, or the one in `linux`, and then `why` says why ours differs, and
docs/initrd.md has the case's name.
"""
import dataclasses
import textwrap

from archives import (TRAILER, archive, crc, directory, entry, file, fnv, name_of, node, odc, padded, parents,
                      symlink, zeros)


@dataclasses.dataclass
class Case:
    name: str
    data: bytes
    tree: list
    says: tuple   # of each report that is made, in order: what it begins with (note, warning, error) and a part of it
    linux: list   # the tree that Linux makes
    why: str      # why it is another

    @property
    def breaks_off(self):
        """Whether the rest of the buffer is not used."""
        return any(kind == "error" for kind, _ in self.says)


CASES = {}


def lines(text):
    return textwrap.dedent(text).strip("\n").split("\n") if text.strip() else []


def case(name, data, tree, *says, linux=None, why=""):
    assert name not in CASES and (linux is None) == (not why), name
    reports = tuple(tuple(sentence.split(": ", 1)) for sentence in says)
    CASES[name] = Case(name, data, lines(tree), reports, lines(tree if linux is None else linux), why)


# ---- formats and their structure

case("newc", archive(file("a", "hello")), "f 0644 0:0 7 a = hello")

case("crc_sum_is_verified", archive(crc("a", "hello"), crc("b", "x" * 40)), """
    f 0644 0:0 7 a = hello
    f 0644 0:0 7 b = xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx""")

case("crc_sum_is_wrong", archive(file("before"), crc("a", "hello", check=1), file("behind")), """
    f 0644 0:0 7 before = """, 'error: entry 2 ("a"): checksum', linux="""
    f 0644 0:0 - a = hello
    f 0644 0:0 7 before = """, why="a body known to be wrong is not given to a program")

case("crc_and_newc_are_mixed_by_entry", archive(file("a", "1"), crc("b", "2"), file("c", "3"), directory("d")), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2
    f 0644 0:0 7 c = 3
    d 0755 0:0 9 d""")

case("newc_check_field_is_not_looked_at", archive(file("a", "hello", check=1)), "f 0644 0:0 7 a = hello")

case("crc_sum_of_a_directory_or_symlink_is_not_looked_at",
     archive(directory("d", magic=b"070702", check=1), symlink("s", "d", magic=b"070702", check=1)), """
    d 0755 0:0 9 d
    l 0777 0:0 8 s -> d""")

case("crc_sum_of_a_name_without_body_is_not_looked_at",
     archive(crc("a", "", ino=5, nlink=2, check=120), crc("b", "x", ino=5, nlink=2)), """
    f 0644 0:0 7 a = x (2 links)
    f 0644 0:0 7 b = x (2 links, as a)""", linux="""
    f 0644 0:0 7 a = """, why="some archivers write the file's sum into each of its names")

case("digits_of_either_case", archive(file("a", uid=0xabcdef, digits={"gid": b"00aBcDeF"})),
     "f 0644 11259375:11259375 7 a = ")

case("odc_is_refused_by_name", odc("a", "hello"), "", "error: cpio odc format at offset 0: only newc and crc are read")

case("odc_in_the_middle", archive(file("a")) + odc("b"), "f 0644 0:0 7 a = ", "error: cpio odc format")

case("unknown_magic", archive(file("a"), file("b", magic=b"070709"), file("c")), "f 0644 0:0 7 a = ",
     "error: entry 2: no cpio header")

case("missing_trailer", file("a", "hello") + file("b"), """
    f 0644 0:0 7 a = hello
    f 0644 0:0 7 b = """, "note: archive 1 ends behind entry 2 without a trailer")

case("missing_trailer_and_padding", file("a") + file("b", "hello")[:-3], """
    f 0644 0:0 7 a =\x20
    f 0644 0:0 7 b = hello""", "note: without a trailer")

case("zeros_between_entries", file("a") + zeros(512) + file("b", "2") + zeros(4) + archive(file("c")), """
    f 0644 0:0 7 a =\x20
    f 0644 0:0 7 b = 2
    f 0644 0:0 7 c = """)

case("zeros_between_entries_that_break_alignment", file("a") + zeros(3) + archive(file("b")), "f 0644 0:0 7 a = ",
     "error: entry 2: broken padding")

case("archives_one_after_the_other", archive(file("a", "1")) + archive(file("a", "2"), file("b")) + zeros(400) +
     archive(file("c")), """
    f 0644 0:0 7 a = 2
    f 0644 0:0 7 b =\x20
    f 0644 0:0 7 c = """)

case("zeros_before_and_behind", zeros(1024) + archive(file("a")) + zeros(1022), "f 0644 0:0 7 a = ")

case("nothing_but_zeros", zeros(64), "")

case("archive_without_entries", archive() + archive(file("a")), "f 0644 0:0 7 a = ")

case("archive_at_any_offset", archive(file("a", "12345")) + zeros(3) + archive(file("b", "12345"), file("c")), """
    f 0644 0:0 7 a = 12345
    f 0644 0:0 7 b = 12345
    f 0644 0:0 7 c = """, linux="f 0644 0:0 7 a = 12345",
     why="alignment is measured from each archive's start, which is all that cat of files can promise")

case("garbage_behind_an_archive", archive(file("a")) + b"garbage." * 20, "f 0644 0:0 7 a = ", "error: no cpio header")

case("metadata_is_attributes_of_the_entry_before", archive(file("a", "1"), file("METADATA!!!", "00000012\1\1user.b\0" + "1"), file("b")), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = """, linux="""
    f 0644 0:0 7 METADATA!!! = 18 bytes, FNV d1cbee7c
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = """, why="Linux has no place for extended attributes in its archives")

def _names(first):
    """Records of attributes without a value whose names are 13 bytes each, 65,000 of the 65,536 that a file may have."""
    return "".join(f"00000017\1\1user.{n:07}\0" for n in range(first, first + 5000))


_many, _more = _names(0), _names(5000)

case("attributes_by_several_names_are_not_more_than_a_file_may_have",
     archive(name_of("a", 1, "1"), file("METADATA!!!", _many), name_of("b", 1), file("METADATA!!!", _more), file("c")), """
    f 0644 0:0 7 a = 1 (2 links)
    f 0644 0:0 7 b = 1 (2 links, as a)
    f 0644 0:0 7 c = """, 'warning: ("METADATA!!!"), offset', linux=f"""
    f 0644 0:0 7 METADATA!!! = {fnv(_more.encode())}
    f 0644 0:0 7 a = 1 (2 links)
    f 0644 0:0 7 b = 1 (2 links, as a)
    f 0644 0:0 7 c = """, why="Linux has no place for extended attributes in its archives")

case("trailer_in_a_directory_is_a_file", archive(directory("d"), file("d/TRAILER!!!", "x"), file("e")), """
    d 0755 0:0 9 d
    f 0644 0:0 7 d/TRAILER!!! = x
    f 0644 0:0 7 e = """)

case("trailer_behind_a_dot_is_a_file", archive(name_of("a", 1, "1"), file("./TRAILER!!!", "x"), name_of("b", 1)), """
    f 0644 0:0 7 TRAILER!!! = x
    f 0644 0:0 7 a = 1 (2 links)
    f 0644 0:0 7 b = 1 (2 links, as a)""")

case("trailer_with_early_nul", archive(name_of("a", 1, "1")) + entry(b"TRAILER!!!\0junk\0", kind="none") +
     archive(name_of("b", 1, "2")), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2""")

# ---- cut short and broken

_cut = archive(file("a", "kept"), file("b", "0123456789" * 50), file("c"))
_b = len(file("a", "kept"))

case("header_cut_short", _cut[:_b + 50], "f 0644 0:0 7 a = kept", "error: entry 2: header needs 110 bytes, 50 remain")

case("name_cut_short", file("a", "kept") + file("quite/a/long/name")[:116], "f 0644 0:0 7 a = kept",
     "error: entry 2: name needs 18 bytes, 6 remain")

case("body_cut_short", _cut[:_b + 312], "f 0644 0:0 7 a = kept",
     'error: entry 2 ("b"): data needs 500 bytes, 200 remain; archive truncated?', linux=f"""
    f 0644 0:0 7 a = kept
    f 0644 0:0 - b = {fnv(b"0123456789" * 20 + bytes(300))}""",
     why="a file that is half zeros is worse than none: the message says which, where, and what is missing")

_rest = padded(b"hello") + file("c", "x" * 100) + TRAILER

case("size_past_the_end", archive(file("a", "kept"), file("b", "hello", size=1 << 20), file("c", "x" * 100)),
     "f 0644 0:0 7 a = kept", 'error: entry 2 ("b"): data needs 1048576 bytes', linux=f"""
    f 0644 0:0 7 a = kept
    f 0644 0:0 - b = {fnv(_rest + bytes((1 << 20) - len(_rest)))}""", why="as body_cut_short")

case("symlink_cut_short", file("a", "kept") + symlink("s", "a" * 100)[:180], "f 0644 0:0 7 a = kept",
     'error: entry 2 ("s"): data needs 100 bytes, 68 remain')

case("digits_that_are_none", archive(file("a", "kept"), file("b", uid=1, digits={"gid": b"0000000g"}), file("c")),
     "f 0644 0:0 7 a = kept", "error: entry 2: gid has a byte that is no hex digit", linux="""
    f 0644 0:0 7 a = kept
    f 0644 1:0 7 b =\x20
    f 0644 0:0 7 c = """, why="a header that is no header: Linux takes the digits before it")

case("digits_with_a_prefix", archive(file("a", "kept"), file("b", digits={"uid": b"0x000005"}), file("c")),
     "f 0644 0:0 7 a = kept", "error: entry 2: uid has a byte that is no hex digit", linux="""
    f 0644 0:0 7 a = kept
    f 0644 5:0 7 b =\x20
    f 0644 0:0 7 c = """, why="as digits_that_are_none")

case("name_without_nul", archive(file("a", "kept"), file(b"bcde", "x"), file("c")), "f 0644 0:0 7 a = kept",
     "error: entry 2 (\"bcde\"): name of 4 bytes")

# ---- names

case("early_nul_ends_a_name", archive(file(b"a\0junk\0", "x")), "f 0644 0:0 7 a = x")

case("name_padded_with_nul", archive(file(b"a" + bytes(100), "x"), file("b")), """
    f 0644 0:0 7 a = x
    f 0644 0:0 7 b = """)

case("name_size_of_0_is_skipped", archive(file("a"), file(b"", "body"), file("c", "3")), """
    f 0644 0:0 7 a =\x20
    f 0644 0:0 7 c = 3""", "warning: entry 2: name size is 0")

_longest = "/".join(["d" * 255] * 15 + ["e" * 255])
_all = "\n".join(f"d 0755 0:0 9 {'/'.join(['d' * 255] * n)}" for n in range(1, 16))

case("name_size_of_path_max", archive(parents(_longest), file(_longest, "x"), file("z")),
     f"{_all}\nf 0644 0:0 7 {_longest} = x\nf 0644 0:0 7 z = ")

case("name_size_above_path_max_is_skipped", archive(parents(_longest), file(_longest + "/", "x"), file("z", "3")),
     f"{_all}\nf 0644 0:0 7 z = 3", "warning: entry 16: name size is 4097, 1 to 4096 is allowed")

case("name_size_above_path_max_is_skipped_with_early_nul", archive(file(b"a" + bytes(4096), "x"), file("z", "3")),
     "f 0644 0:0 7 z = 3", "warning: entry 1: name size is 4097")

case("component_of_255_bytes", archive(file("n" * 255, "x")), f"f 0644 0:0 7 {'n' * 255} = x")

case("component_of_256_bytes_is_skipped", archive(file("n" * 256, "x"), file("z")), "f 0644 0:0 7 z = ",
     "warning: too long")

case("empty_name_is_skipped", archive(file("", "x"), directory("", 0o700), file("z"), directory(".", 0o711)), """
    d 0711 0:0 9 .
    f 0644 0:0 7 z = """, 'warning: entry 1 ("")', 'warning: entry 2 ("")')

case("leading_slashes", archive(directory("/d"), file("/d/a", "1"), file("//b", "2")), """
    f 0644 0:0 7 b = 2
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = 1""")

case("doubled_slashes_and_dots", archive(directory("./d"), file("./d//a", "1"), file("d/./b", "2"),
                                         file("./././c", "3")), """
    f 0644 0:0 7 c = 3
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = 1
    f 0644 0:0 7 d/b = 2""")

case("dot_dot_inside_the_root", archive(directory("d"), directory("d/e"), file("d/e/../a", "1"), file("d/../b", "2")),
     """
    f 0644 0:0 7 b = 2
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = 1
    d 0755 0:0 9 d/e""")

case("dot_dot_out_of_the_root_is_skipped", archive(directory("d"), file("../a", "1"), file("d/../../b", "2"),
                                                   file("c", "3")), """
    f 0644 0:0 7 c = 3
    d 0755 0:0 9 d""", "warning: climbs out of the root", "warning: climbs out of the root", linux="""
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2
    f 0644 0:0 7 c = 3
    d 0755 0:0 9 d""", why="whoever made such a name meant a place that is not there")

case("trailing_slash_of_a_directory", archive(directory("d/"), file("d/a", "1")), """
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = 1""")

case("trailing_slash_of_a_file", archive(file("a/", "1"), file("b", "2")), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2""", linux="f 0644 0:0 7 b = 2", why="the entry's type tells what it is; Linux drops it silently")

case("trailing_slash_of_a_symlink_or_fifo", archive(symlink("l/", "x"), node("p/", "fifo"), file("z")), """
    l 0777 0:0 8 l -> x
    p 0600 0:0 7 p
    f 0644 0:0 7 z = """, linux="f 0644 0:0 7 z = ", why="as trailing_slash_of_a_file")

case("trailing_slash_follows_a_symlink_to_a_directory",
     archive(directory("usr"), symlink("lib", "usr"), directory("lib/", 0o711, uid=3), file("lib/a", "1")), """
    l 0777 0:0 8 lib -> usr
    d 0711 3:0 9 usr
    f 0644 0:0 7 usr/a = 1""")

case("dot_behind_a_symlink_is_its_directory",
     archive(directory("usr"), symlink("lib", "usr"), directory("lib/.", 0o711, uid=3)), """
    l 0777 0:0 8 lib -> usr
    d 0711 3:0 9 usr""")

case("any_byte_is_a_name", archive(file("ä b\t\"'\\|", "1"), file("-", "2")), """
    f 0644 0:0 7 - = 2
    f 0644 0:0 7 ä b\t"'\\| = 1""")

case("dot_is_the_root", archive(directory(".", 0o750, uid=3, gid=4, mtime=5), file("a")), """
    d 0750 3:4 5 .
    f 0644 0:0 7 a = """)

case("slash_is_the_root", archive(directory("/", 0o711, uid=1), file("a")), """
    d 0711 1:0 9 .
    f 0644 0:0 7 a = """)

case("dot_with_slash_is_the_root", archive(directory("./", 0o1777), file("a")), """
    d 1777 0:0 9 .
    f 0644 0:0 7 a = """)

case("dot_dot_to_the_root", archive(directory("d"), directory("d/..", 0o711)), """
    d 0711 0:0 9 .
    d 0755 0:0 9 d""")

case("dot_as_a_file_is_skipped", archive(directory(".", 0o711), file(".", "x"), symlink(".", "x"), node(".", "fifo"),
                                         file("z")), """
    d 0711 0:0 9 .
    f 0644 0:0 7 z = """, *["warning: directory"] * 3, linux="""
    d 0600 0:0 9 .
    f 0644 0:0 7 z = """,
     why="Linux fails to make the thing, then gives its owner and mode to what is there")

case("symlinks_on_the_way", archive(directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib"),
                                    symlink("usr/up", ".."), symlink("abs", "/usr"), file("lib/a", "1"),
                                    file("usr/up/b", "2"), file("abs/lib/c", "3")), """
    l 0777 0:0 8 abs -> /usr
    f 0644 0:0 7 b = 2
    l 0777 0:0 8 lib -> usr/lib
    d 0755 0:0 9 usr
    d 0755 0:0 9 usr/lib
    f 0644 0:0 7 usr/lib/a = 1
    f 0644 0:0 7 usr/lib/c = 3
    l 0777 0:0 8 usr/up -> ..""")

case("symlinks_on_the_way_stay_inside_the_root", archive(directory("d"), symlink("d/s", "../../../d"),
                                                        file("d/s/a", "1")), """
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = 1
    l 0777 0:0 8 d/s -> ../../../d""")

case("symlink_to_the_root_on_the_way", archive(symlink("s", "/"), file("s/a", "1"), file("s/s/b", "2")), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2
    l 0777 0:0 8 s -> /""")

case("symlinks_in_a_circle_on_the_way", archive(symlink("a", "b"), symlink("b", "a"), file("a/x"), file("z")), """
    l 0777 0:0 8 a -> b
    l 0777 0:0 8 b -> a
    f 0644 0:0 7 z = """, 'warning: entry 3 ("a/x")')

case("file_on_the_way_is_no_directory", archive(file("f", "1"), file("f/x", "2"), file("z")), """
    f 0644 0:0 7 f = 1
    f 0644 0:0 7 z = """, 'warning: entry 2 ("f/x"), offset 116: something on its way is not a directory')

case("missing_parents_are_made", archive(file("a/b/c", "1"), file("z"), directory("a", 0o700)), """
    d 0700 0:0 9 a
    d 0755 0:0 - a/b
    f 0644 0:0 7 a/b/c = 1
    f 0644 0:0 7 z = """, linux="""
    d 0700 0:0 9 a
    f 0644 0:0 7 z = """, why="Linux drops the file without a word; here the directories are made and counted")

case("missing_parents_behind_a_dangling_symlink_are_made", archive(symlink("s", "t/u"), file("s/a", "1")), """
    l 0777 0:0 8 s -> t/u
    d 0755 0:0 - t
    d 0755 0:0 - t/u
    f 0644 0:0 7 t/u/a = 1""", linux="l 0777 0:0 8 s -> t/u", why="as missing_parents_are_made")

_deep = "/".join(f"{n}" for n in range(45))

case("directories_45_deep", archive(parents(_deep), file(_deep, "x"), file(_deep + "b", "y")),
     "\n".join(f"d 0755 0:0 9 {'/'.join(str(i) for i in range(n))}" for n in range(1, 45)) +
     f"\nf 0644 0:0 7 {_deep} = x\nf 0644 0:0 7 {_deep}b = y")

# ---- types and what they carry

case("every_type", archive(file("f", "text"), directory("d", 0o2775), symlink("l", "f"), node("c", "char", 5, 1),
                           node("b", "block", 8, 17), node("p", "fifo"), node("s", "socket")), """
    b 0600 0:0 7 b 8:17
    c 0600 0:0 7 c 5:1
    d 2775 0:0 9 d
    f 0644 0:0 7 f = text
    l 0777 0:0 8 l -> f
    p 0600 0:0 7 p
    s 0600 0:0 7 s""")

case("large_device_numbers", archive(node("b", "block", 259, 0xfffff), node("c", "char", 4095, 256)), """
    b 0600 0:0 7 b 259:1048575
    c 0600 0:0 7 c 4095:256""")

case("owner_comes_before_mode", archive(file("a", "x", 0o4755, uid=5, gid=6), file("b", "", 0o6711, uid=1000),
                                        directory("d", 0o3777, gid=7)), """
    f 4755 5:6 7 a = x
    f 6711 1000:0 7 b =\x20
    d 3777 0:7 9 d""")

case("owner_of_a_symlink", archive(symlink("l", "nowhere", uid=5, gid=6)), "l 0777 5:6 8 l -> nowhere")

case("large_owner", archive(file("a", uid=0xfffffffe, gid=0xfffffffd)), "f 0644 4294967294:4294967293 7 a = ")

case("owner_of_all_ones_is_none", archive(file("a", uid=0xffffffff, gid=5), directory("d", uid=5, gid=0xffffffff)), """
    f 0644 0:5 7 a =\x20
    d 0755 5:0 9 d""")

case("mode_is_of_16_bits", archive(file("a", mode=0xabc081a4), directory("d", mode=0x000141ed)), """
    f 0644 0:0 7 a =\x20
    d 0755 0:0 9 d""")

case("mode_of_0", archive(file("a", "x", 0), directory("d", 0), file("d/b")), """
    f 0000 0:0 7 a = x
    d 0000 0:0 9 d
    f 0644 0:0 7 d/b = """)

case("mtimes", archive(file("a", mtime=0), file("b", mtime=1), file("c", mtime=0x7fffffff), file("d", mtime=0x80000000),
                       file("e", mtime=0xffffffff)), """
    f 0644 0:0 0 a =\x20
    f 0644 0:0 1 b =\x20
    f 0644 0:0 2147483647 c =\x20
    f 0644 0:0 2147483648 d =\x20
    f 0644 0:0 4294967295 e = """)

case("mtimes_of_directories_come_last", archive(directory(".", mtime=1), directory("d", mtime=2),
                                                directory("d/e", mtime=3), file("d/e/a"), symlink("d/e/l", "x"),
                                                file("d/b"), file("c")), """
    d 0755 0:0 1 .
    f 0644 0:0 7 c =\x20
    d 0755 0:0 2 d
    f 0644 0:0 7 d/b =\x20
    d 0755 0:0 3 d/e
    f 0644 0:0 7 d/e/a =\x20
    l 0777 0:0 8 d/e/l -> x""")

case("mtimes_of_directories_come_last_over_archives", archive(directory("d", mtime=2), file("d/a")) +
     archive(file("d/b")), """
    d 0755 0:0 2 d
    f 0644 0:0 7 d/a =\x20
    f 0644 0:0 7 d/b = """)

case("mtimes_of_a_directory_given_twice", archive(directory("d", mtime=2), file("d/a"), directory("d", mtime=3)), """
    d 0755 0:0 3 d
    f 0644 0:0 7 d/a = """, linux="""
    d 0755 0:0 2 d
    f 0644 0:0 7 d/a = """, why="the later entry wins, as in all else; Linux goes through its list from behind")

case("large_file", archive(file("a", "0123456789abcdef" * 40000), file("b")), f"""
    f 0644 0:0 7 a = {fnv(b"0123456789abcdef" * 40000)}
    f 0644 0:0 7 b = """)

case("body_of_a_directory_or_device_is_skipped",
     archive(entry("d", "body", "dir", 0o755), entry("c", "body", "char", 0o600), file("z", "x")), "f 0644 0:0 7 z = x",
     "warning: data, but neither", "warning: data, but neither")

case("unknown_type_is_skipped", archive(file("a", "x"), entry("b", kind="none"), entry("a", kind="none"), file("z")),
     """
    f 0644 0:0 7 a = x
    f 0644 0:0 7 z = """, "warning: its type is none", "warning: its type is none", linux="f 0644 0:0 7 z = ",
     why="an entry that makes nothing does not remove what has its name")

case("symlink_target_ends_at_nul", archive(symlink("l", b"to\0junk"), symlink("m", b"to\0")), """
    l 0777 0:0 8 l -> to
    l 0777 0:0 8 m -> to""")

case("symlink_of_the_longest_target", archive(symlink("l", "t" * 4095)), f"l 0777 0:0 8 l -> {'t' * 4095}")

case("symlink_without_target_is_skipped", archive(symlink("l", ""), file("z")), "f 0644 0:0 7 z = ",
     "warning: a symlink without a target", linux="""
    l 0777 0:0 8 l ->\x20
    f 0644 0:0 7 z = """, why="no program could make it: symlink() refuses it")

case("symlink_of_too_long_a_target_is_skipped", archive(symlink("l", "t" * 4096), symlink("m", "t" * 4097), file("z")),
     "f 0644 0:0 7 z = ", "warning: longer than 4095", "warning: longer than 4095")
