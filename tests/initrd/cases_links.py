# SPDX-License-Identifier: MIT
"""The table's second part: files of several names, what replaces what, and compressed archives. See cases.py."""
import hashlib

from archives import (archive, bzip2, crc, directory, entry, file, fnv, gzipped, lz4_frame, lz4_legacy,
                      lzma_alone, name_of, node, odc, symlink, to_4, xz, zeros, zstd)
from cases import case

_why_time = "a directory's mtime is not given to what took its place"

# ---- files with several names

_three = """
    f 0644 0:0 7 a = body (3 links)
    f 0644 0:0 7 b = body (3 links, as a)
    f 0644 0:0 7 c = body (3 links, as a)"""


def _names(*bodies):
    return archive(*(file(name, body, ino=1, nlink=3) for name, body in zip("abc", bodies)))


case("hard_links_with_the_body_on_the_first_name", _names("body", "", ""), _three)
case("hard_links_with_the_body_on_a_name_between", _names("", "body", ""), _three)
case("hard_links_with_the_body_on_the_last_name", _names("", "", "body"), _three)
case("hard_links_with_the_same_body_on_all_names", _names("body", "body", "body"), _three)
case("hard_links_with_two_bodies_the_later_wins", _names("something longer", "", "body"), _three)
case("hard_links_without_a_body", archive(name_of("a", 1), name_of("b", 1)), """
    f 0644 0:0 7 a =  (2 links)
    f 0644 0:0 7 b =  (2 links, as a)""")

case("hard_links_with_the_attributes_of_the_last_name",
     archive(name_of("a", 1, "x", uid=1, mtime=3), entry("b", "", "file", 0o4711, ino=1, nlink=2, uid=2, mtime=4)), """
    f 4711 2:0 4 a = x (2 links)
    f 4711 2:0 4 b = x (2 links, as a)""")

case("hard_links_are_keyed_by_inode_device_and_type",
     archive(name_of("a", 1, "1"), name_of("b", 2, "2"), name_of("c", 1, "3", major=1), name_of("d", 1, "4", minor=1),
             node("e", "fifo", ino=1, nlink=2), node("f", "char", 5, 1, ino=1, nlink=2), name_of("g", 1)), """
    f 0644 0:0 7 a = 1 (2 links)
    f 0644 0:0 7 b = 2
    f 0644 0:0 7 c = 3
    f 0644 0:0 7 d = 4
    p 0600 0:0 7 e
    c 0600 0:0 7 f 5:1
    f 0644 0:0 7 g = 1 (2 links, as a)""")

case("hard_links_need_a_link_count_of_2", archive(file("a", "1", ino=1), file("b", "2", ino=1),
                                                  file("c", "3", ino=1, nlink=0)), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2
    f 0644 0:0 7 c = 3""")

case("hard_links_end_at_the_trailer", archive(name_of("a", 1, "1")) + archive(name_of("b", 1, "2")), """
    f 0644 0:0 7 a = 1
    f 0644 0:0 7 b = 2""")

case("hard_links_of_inode_0", archive(name_of("a", 0, "x"), name_of("b", 0)), """
    f 0644 0:0 7 a = x (2 links)
    f 0644 0:0 7 b = x (2 links, as a)""")

case("hard_links_in_crc_archives", archive(crc("a", "", ino=1, nlink=2), crc("b", "body", ino=1, nlink=2)), """
    f 0644 0:0 7 a = body (2 links)
    f 0644 0:0 7 b = body (2 links, as a)""")

case("hard_link_into_a_missing_directory", archive(name_of("a", 1, "x"), name_of("d/b", 1)), """
    f 0644 0:0 7 a = x (2 links)
    d 0755 0:0 - d
    f 0644 0:0 7 d/b = x (2 links, as a)""", linux="f 0644 0:0 7 a = x", why="as missing_parents_are_made")

case("hard_link_replaces_a_file", archive(file("b", "old"), name_of("a", 1, "x"), name_of("b", 1)), """
    f 0644 0:0 7 a = x (2 links)
    f 0644 0:0 7 b = x (2 links, as a)""")

case("hard_link_replaces_an_empty_directory", archive(directory("b"), name_of("a", 1, "x"), name_of("b", 1)), """
    f 0644 0:0 7 a = x (2 links)
    f 0644 0:0 7 b = x (2 links, as a)""", linux="""
    f 0644 0:0 9 a = x (2 links)
    f 0644 0:0 9 b = x (2 links, as a)""", why=_why_time)

case("hard_link_in_the_way_of_which_is_a_full_directory",
     archive(directory("b"), file("b/c"), name_of("a", 1, "x"), name_of("b", 1)), """
    f 0644 0:0 7 a = x
    d 0755 0:0 9 b
    f 0644 0:0 7 b/c = """, "warning: directory that is not empty")

case("hard_link_given_twice", archive(name_of("a", 1, "x"), name_of("a", 1, "y"), name_of("b", 1)), """
    f 0644 0:0 7 a = y (2 links)
    f 0644 0:0 7 b = y (2 links, as a)""", linux="",
     why="Linux removes the name before it links it to itself, and loses the file")

case("hard_link_given_twice_as_the_second_name", archive(name_of("a", 1, "x"), name_of("b", 1), name_of("b", 1)), """
    f 0644 0:0 7 a = x (2 links)
    f 0644 0:0 7 b = x (2 links, as a)""")

case("hard_link_to_a_name_that_was_replaced",
     archive(name_of("a", 1, "x"), directory("a"), name_of("b", 1), file("z")), """
    d 0755 0:0 9 a
    f 0644 0:0 7 b = x
    f 0644 0:0 7 z = """, linux="""
    d 0755 0:0 9 a
    f 0644 0:0 7 z = """, why="a link is to the file, not to the name that it had")

case("hard_links_see_a_later_file_of_one_name", archive(name_of("a", 1, "old"), name_of("b", 1), file("a", "new!")), """
    f 0644 0:0 7 a = new! (2 links)
    f 0644 0:0 7 b = new! (2 links, as a)""")

case("symlinks_are_never_linked", archive(symlink("a", "1", ino=1, nlink=2), symlink("b", "2", ino=1, nlink=2)), """
    l 0777 0:0 8 a -> 1
    l 0777 0:0 8 b -> 2""")

case("directories_are_never_linked", archive(directory("a", ino=1), directory("b", ino=1), file("a/x")), """
    d 0755 0:0 9 a
    f 0644 0:0 7 a/x =\x20
    d 0755 0:0 9 b""")

case("special_files_are_linked", archive(*(node(name, kind, 5, 1, ino=ino, nlink=2) for ino, kind in enumerate(
    ("char", "block", "fifo", "socket")) for name in (kind + "1", kind + "2"))), """
    b 0600 0:0 7 block1 5:1 (2 links)
    b 0600 0:0 7 block2 5:1 (2 links, as block1)
    c 0600 0:0 7 char1 5:1 (2 links)
    c 0600 0:0 7 char2 5:1 (2 links, as char1)
    p 0600 0:0 7 fifo1 (2 links)
    p 0600 0:0 7 fifo2 (2 links, as fifo1)
    s 0600 0:0 7 socket1 (2 links)
    s 0600 0:0 7 socket2 (2 links, as socket1)""")

case("special_files_with_the_attributes_of_the_last_name",
     archive(node("a", "fifo", ino=1, nlink=2), node("b", "fifo", ino=1, nlink=2, perm=0o666, uid=3, mtime=4)), """
    p 0666 3:0 4 a (2 links)
    p 0666 3:0 4 b (2 links, as a)""", linux="""
    p 0600 0:0 7 a (2 links)
    p 0600 0:0 7 b (2 links, as a)""", why="as for files: the later entry wins; Linux keeps the first one's")

# ---- what replaces what

case("file_over_file", archive(file("a", "long enough", 0o600, uid=1), file("a", "short", 0o755, uid=2, mtime=3)),
     "f 0755 2:0 3 a = short")

case("empty_file_over_file", archive(file("a", "something"), file("a")), "f 0644 0:0 7 a = ")

case("directory_over_directory_keeps_what_is_in_it",
     archive(directory("d", uid=1), file("d/a"), directory("d", 0o700, uid=2)), """
    d 0700 2:0 9 d
    f 0644 0:0 7 d/a = """)

case("symlink_over_symlink", archive(symlink("l", "old"), symlink("l", "new", mtime=3)), "l 0777 0:0 3 l -> new")

case("file_over_symlink_leaves_its_target", archive(file("t", "target"), symlink("l", "t"), file("l", "file")), """
    f 0644 0:0 7 l = file
    f 0644 0:0 7 t = target""")

case("symlink_over_file", archive(file("a", "file"), symlink("a", "b")), "l 0777 0:0 8 a -> b")

case("symlink_over_empty_directory", archive(directory("a"), symlink("a", "b")), "l 0777 0:0 8 a -> b",
     linux="l 0777 0:0 9 a -> b", why=_why_time)

case("file_over_empty_directory", archive(directory("a"), file("a", "x")), "f 0644 0:0 7 a = x",
     linux="f 0644 0:0 9 a = x", why=_why_time)

case("directory_over_file", archive(file("a", "x"), directory("a"), file("a/b")), """
    d 0755 0:0 9 a
    f 0644 0:0 7 a/b = """)

case("directory_over_symlink", archive(directory("usr"), directory("usr/lib"), symlink("lib", "usr/lib"),
                                       file("lib/old")) + archive(directory("lib"), file("lib/new")), """
    d 0755 0:0 9 lib
    f 0644 0:0 7 lib/new =\x20
    d 0755 0:0 9 usr
    d 0755 0:0 9 usr/lib
    f 0644 0:0 7 usr/lib/old = """, 'note: entry 1 ("lib"), offset 604: this directory takes the place of a symlink')

case("device_over_file", archive(file("a", "x"), node("a", "char", 1, 3)), "c 0600 0:0 7 a 1:3")

case("file_over_device", archive(node("a", "char", 1, 3), file("a", "x")), "f 0644 0:0 7 a = x")

case("fifo_over_fifo", archive(node("a", "fifo"), node("a", "fifo", perm=0o666, uid=3, mtime=4)), "p 0666 3:0 4 a")

case("device_over_device_of_another_number", archive(node("a", "char", 1, 3), node("a", "char", 5, 1, perm=0o666)),
     "c 0666 0:0 7 a 5:1", linux="c 0666 0:0 7 a 1:3", why="the later entry wins; Linux keeps the old numbers")

_full = (directory("d", uid=1), file("d/a", "x"))
_kept = """
    d 0755 1:0 9 d
    f 0644 0:0 7 d/a = x
    f 0644 0:0 7 z = """
_in_the_way = "warning: directory that is not empty is in the way"
_why_kept = "Linux fails to make the thing, then gives its owner and mode to what is there"

case("file_over_full_directory_is_skipped", archive(*_full, file("d", "y", uid=2), file("z")), _kept, _in_the_way)

case("symlink_over_full_directory_is_skipped", archive(*_full, symlink("d", "y", uid=2), file("z")), _kept, _in_the_way,
     linux=_kept.replace("1:0", "2:0"), why=_why_kept)

case("fifo_over_full_directory_is_skipped", archive(*_full, node("d", "fifo", uid=2), file("z")), _kept, _in_the_way,
     linux=_kept.replace("0755 1:0", "0600 2:0"), why=_why_kept)

case("what_was_linked_is_replaced_by_name_only", archive(name_of("a", 1, "x"), name_of("b", 1), symlink("a", "b")), """
    l 0777 0:0 8 a -> b
    f 0644 0:0 7 b = x""")

case("directory_on_the_way_is_replaced_by_a_symlink",
     archive(directory("d"), directory("e"), directory("e/f"), symlink("e/f", "../d"), file("e/f/a", "x")), """
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = x
    d 0755 0:0 9 e
    l 0777 0:0 8 e/f -> ../d""", linux="""
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = x
    d 0755 0:0 9 e
    l 0777 0:0 9 e/f -> ../d""", why=_why_time)

# ---- a root over another: a symlink where an earlier archive made a directory

_over = "this symlink takes the place of an earlier archive's directory"
_why_over = "a root with bin -> usr/bin goes over one with a directory bin, and both keep what they have"

case("symlink_over_an_earlier_archives_directory",
     archive(directory("bin"), file("bin/a", "ours"), directory("bin/d"), file("bin/d/b", "deep"), symlink("bin/l", "a")) +
     archive(symlink("bin", "usr/bin"), directory("usr"), directory("usr/bin", 0o711), file("usr/bin/c", "theirs")), """
    l 0777 0:0 8 bin -> usr/bin
    d 0755 0:0 9 usr
    d 0711 0:0 9 usr/bin
    f 0644 0:0 7 usr/bin/a = ours
    f 0644 0:0 7 usr/bin/c = theirs
    d 0755 0:0 - usr/bin/d
    f 0644 0:0 7 usr/bin/d/b = deep
    l 0777 0:0 8 usr/bin/l -> a""", f'note: entry 1 ("bin"), offset {len(archive(directory("bin"), file("bin/a", "ours"), directory("bin/d"), file("bin/d/b", "deep"), symlink("bin/l", "a")))}: {_over}', linux="""
    d 0755 0:0 - bin
    f 0644 0:0 7 bin/a = ours
    d 0755 0:0 - bin/d
    f 0644 0:0 7 bin/d/b = deep
    l 0777 0:0 8 bin/l -> a
    d 0755 0:0 9 usr
    d 0711 0:0 9 usr/bin
    f 0644 0:0 7 usr/bin/c = theirs""", why=_why_over)

case("symlink_over_an_earlier_archives_directory_joins_what_both_have",
     archive(directory("lib"), file("lib/a", "ours"), directory("lib/d"), file("lib/d/b", "ours"), file("lib/d/c", "ours"),
             directory("lib/e"), file("lib/e/f", "ours"), file("lib/g", "ours"), directory("lib/h"), file("lib/h/i", "ours")) +
     archive(directory("usr"), directory("usr/lib"), file("usr/lib/a", "theirs"), directory("usr/lib/d", 0o700),
             file("usr/lib/d/b", "theirs"), file("usr/lib/e", "theirs"), directory("usr/lib/g"), symlink("usr/lib/h", "d"),
             symlink("lib", "/usr/lib"), file("lib/z", "behind")), """
    l 0777 0:0 8 lib -> /usr/lib
    d 0755 0:0 9 usr
    d 0755 0:0 9 usr/lib
    f 0644 0:0 7 usr/lib/a = theirs
    d 0700 0:0 9 usr/lib/d
    f 0644 0:0 7 usr/lib/d/b = theirs
    f 0644 0:0 7 usr/lib/d/c = ours
    f 0644 0:0 7 usr/lib/d/i = ours
    f 0644 0:0 7 usr/lib/e = theirs
    d 0755 0:0 9 usr/lib/g
    l 0777 0:0 8 usr/lib/h -> d
    f 0644 0:0 7 usr/lib/z = behind""", f"note: {_over}", linux="""
    d 0755 0:0 - lib
    f 0644 0:0 7 lib/a = ours
    d 0755 0:0 - lib/d
    f 0644 0:0 7 lib/d/b = ours
    f 0644 0:0 7 lib/d/c = ours
    d 0755 0:0 - lib/e
    f 0644 0:0 7 lib/e/f = ours
    f 0644 0:0 7 lib/g = ours
    d 0755 0:0 - lib/h
    f 0644 0:0 7 lib/h/i = ours
    f 0644 0:0 7 lib/z = behind
    d 0755 0:0 9 usr
    d 0755 0:0 9 usr/lib
    f 0644 0:0 7 usr/lib/a = theirs
    d 0700 0:0 9 usr/lib/d
    f 0644 0:0 7 usr/lib/d/b = theirs
    f 0644 0:0 7 usr/lib/e = theirs
    d 0755 0:0 9 usr/lib/g
    l 0777 0:0 8 usr/lib/h -> d""", why=_why_over)

case("symlink_over_an_earlier_archives_directory_that_leads_into_it_is_skipped",
     archive(directory("d"), file("d/a", "x"), directory("e"), file("e/b", "y"), file("f", "z")) +
     archive(symlink("d", "d/new"), symlink("e", "f"), symlink("z", "a")), """
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = x
    d 0755 0:0 9 e
    f 0644 0:0 7 e/b = y
    f 0644 0:0 7 f = z
    l 0777 0:0 8 z -> a""", _in_the_way, _in_the_way)

case("symlink_over_an_earlier_archives_directory_that_leads_above_it",
     archive(directory("usr"), file("usr/a", "x"), directory("usr/usr"), file("usr/usr/b", "y"), directory("usr/c"),
             directory("c"), file("usr/c/usr")) + archive(symlink("usr", "./"), file("z")), """
    f 0644 0:0 7 a = x
    d 0755 0:0 - c
    f 0644 0:0 7 c/usr =\x20
    l 0777 0:0 8 usr -> ./
    f 0644 0:0 7 z = """, f"note: {_over}", linux="""
    d 0755 0:0 9 c
    d 0755 0:0 - usr
    f 0644 0:0 7 usr/a = x
    d 0755 0:0 - usr/c
    f 0644 0:0 7 usr/c/usr =\x20
    d 0755 0:0 - usr/usr
    f 0644 0:0 7 usr/usr/b = y
    f 0644 0:0 7 z = """, why=_why_over)

case("symlink_over_an_earlier_archives_directory_keeps_links_to_what_was_in_it",
     archive(directory("d"), name_of("d/a", 1, "x"), name_of("b", 1)) + archive(symlink("d", "new/d"), file("d/c")), """
    f 0644 0:0 7 b = x (2 links)
    l 0777 0:0 8 d -> new/d
    d 0755 0:0 - new
    d 0755 0:0 - new/d
    f 0644 0:0 7 new/d/a = x (2 links, as b)
    f 0644 0:0 7 new/d/c = """, f"note: {_over}", linux="""
    f 0644 0:0 7 b = x (2 links)
    d 0755 0:0 - d
    f 0644 0:0 7 d/a = x (2 links, as b)
    f 0644 0:0 7 d/c = """, why=_why_over)

# ---- compressed

_inner = archive(directory("d"), file("d/a", "hello"), file("large", "0123456789abcdef" * 20000))
_plain = f"""
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = hello
    f 0644 0:0 7 large = {fnv(b"0123456789abcdef" * 20000)}"""

_noise = hashlib.shake_128(b"noise").digest(300)

_no_end = {"linux": _plain, "why": "the format has no end: a next block of impossible size is what is behind it"}

for _name, _compress in {"gzip": gzipped, "zstd": zstd, "lz4_legacy": lz4_legacy, "xz": xz}.items():
    case(_name, _compress(_inner), _plain)
    case(f"{_name}_and_zeros_behind", _compress(_inner) + zeros(1023), _plain)
    case(f"{_name}_and_an_archive_behind", to_4(_compress(_inner)) + archive(file("z")),
         _plain + "\n    f 0644 0:0 7 z = ", **_no_end if _name == "lz4_legacy" else {})
    case(f"{_name}_twice", _compress(_inner) + _compress(archive(file("z"))), _plain + "\n    f 0644 0:0 7 z = ")
    case(f"{_name}_behind_an_archive", archive(file("b")) + _compress(_inner), "\n    f 0644 0:0 7 b = " + _plain)
    case(f"{_name}_of_two_archives", _compress(_inner + zeros(200) + archive(file("z"))),
         _plain + "\n    f 0644 0:0 7 z = ")
    case(f"{_name}_cut_short", archive(file("b")) + _compress(archive(file("a", _noise)))[:30], "f 0644 0:0 7 b = ",
         "error: data at offset 236: ", *["error: archive 2, entry 1: header needs 110 bytes"] * (_name == "gzip"))

case("gzip_cut_short_in_a_body", gzipped(archive(file("a", _noise)), 0)[:15 + 112 + 200], "",
     "error: gzip data at offset 0: ", 'error: entry 1 ("a"): data needs 300 bytes, 200 remain', linux=f"""
    f 0644 0:0 - a = {fnv(_noise[:200] + bytes(100))}""", why="as body_cut_short")

case("lz4_frame", lz4_frame(_inner), _plain, linux="", why="what lz4 writes unless told otherwise; Linux reads -l only")

case("every_compressor_in_one_buffer",
     to_4(gzipped(archive(file("g")))) + to_4(zstd(archive(file("z")))) + archive(file("plain")) +
     to_4(xz(archive(file("x")))) + zeros(512) + lz4_legacy(archive(file("l"))), """
    f 0644 0:0 7 g =\x20
    f 0644 0:0 7 l =\x20
    f 0644 0:0 7 plain =\x20
    f 0644 0:0 7 x =\x20
    f 0644 0:0 7 z = """)

case("compressed_entries_split_over_frames", gzipped(_inner[:300]) + gzipped(_inner[300:]), _plain, linux="""
    d 0755 0:0 9 d
    f 0644 0:0 7 d/a = hello""", why="several frames are one stream, as they are for gzip -d")

case("compressed_without_a_trailer", gzipped(file("a", "x") + file("b")), """
    f 0644 0:0 7 a = x
    f 0644 0:0 7 b = """, "note: without a trailer")

case("compressed_odc_is_refused_by_name", gzipped(odc("a")), "", "error: cpio odc format")

case("compressed_garbage", gzipped(b"no archive at all"), "", "error: no cpio header")

case("compressed_with_a_wrong_sum", gzipped(archive(file("a")))[:-8] + b"\1\2\3\4" + gzipped(b"")[-4:],
     "f 0644 0:0 7 a = ", "error: gzip data")

case("lzma_is_named", lzma_alone(_inner), "", "error: lzma: not built in", linux=_plain,
     why="gzip, zstd, lz4 and xz are what is built in")

case("bzip2_is_named", bzip2(_inner), "", "error: bzip2: not built in", linux=_plain,
     why="gzip, zstd, lz4 and xz are what is built in")

case("compressed_twice_is_not_read", gzipped(gzipped(_inner)), "", "error: gzip")
