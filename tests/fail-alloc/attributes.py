# SPDX-License-Identifier: MIT
"""A tar of files and a directory with extended attributes, small and large, to standard output."""
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).parent.parent))
from images import tar  # noqa: E402

FILES = [(f"attributed/{n}", {"body": b"x", "pax_headers": {f"SCHILY.xattr.user.{size}": "v" * size for size in (1, 500, 5000, 60000)}})
         for n in range(4)]
sys.stdout.buffer.write(tar(("attributed/", {"pax_headers": {"SCHILY.xattr.trusted.d": "d"}}), *FILES, ("linked", {"kind": "link", "to": FILES[0][0]}),
                            *FILES[1:2]))
