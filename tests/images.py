# SPDX-License-Identifier: MIT
"""Makes tars and OCI images, right or wrong. An entry of a tar is (name, {what is not as usual}), see `tar`."""
import gzip
import hashlib
import io
import json
import tarfile

TYPES = {"file": tarfile.REGTYPE, "dir": tarfile.DIRTYPE, "symlink": tarfile.SYMTYPE, "link": tarfile.LNKTYPE, "char": tarfile.CHRTYPE,
         "block": tarfile.BLKTYPE, "fifo": tarfile.FIFOTYPE}


def tar(*entries, form=tarfile.PAX_FORMAT):
    """Of names (a file without content, or a directory where it ends with a slash) and (name, {field: value}), where `body` is
    a file's content, `kind` what it is, `to` where a link leads; and all else is a field of TarInfo."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=form, encoding="utf-8", errors="surrogateescape") as archive:
        for entry in entries:
            name, fields = (entry, {}) if isinstance(entry, str) else entry
            fields = dict(fields)
            info = tarfile.TarInfo(name)
            body = fields.pop("body", b"")
            info.type = TYPES[fields.pop("kind", "dir" if name.endswith("/") else "file")]
            info.mode = 0o755 if info.type == tarfile.DIRTYPE else 0o644
            info.size = len(body)
            info.linkname = fields.pop("to", "")
            for field, value in fields.items():
                setattr(info, field, value)
            archive.addfile(info, io.BytesIO(body) if body else None)
    return out.getvalue()


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def text(value):
    return json.dumps(value).encode()


class Image:
    """An OCI image: parts by path. `layers` are tars; `config` what it says of how it is run."""

    def __init__(self, layers, config=None, architecture="riscv64", compress=lambda layer: layer):
        self.parts = {"oci-layout": text({"imageLayoutVersion": "1.0.0"})}
        self.config = text({"architecture": architecture, "os": "linux", "config": config or {},
                            "rootfs": {"type": "layers", "diff_ids": ["sha256:" + sha256(layer) for layer in layers]}})
        self.architecture = architecture
        self.layers = [compress(layer) for layer in layers]
        self.manifest = text({"schemaVersion": 2, "config": self.blob(self.config), "layers": [self.blob(layer) for layer in self.layers]})
        self.index(self.blob(self.manifest))

    def blob(self, content):
        self.parts["blobs/sha256/" + sha256(content)] = content
        return {"digest": "sha256:" + sha256(content), "size": len(content)}

    def described(self):
        return self.blob(self.manifest) | {"platform": {"architecture": self.architecture, "os": "linux"}}

    def index(self, *described):
        self.parts["index.json"] = text({"schemaVersion": 2, "manifests": list(described)})

    def add(self, other):
        """Another image's blobs."""
        self.parts |= {name: part for name, part in other.parts.items() if name.startswith("blobs/")}
        return other.described()

    def archive(self):
        return tar(*((name, {"body": part}) for name, part in self.parts.items()))

    def write(self, directory):
        for name, part in self.parts.items():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            (directory / name).write_bytes(part)
        return directory


def saved(layers, config=None, compress=lambda layer: layer, links=False, architecture="riscv64", **changes):
    """What `docker save` wrote before it had OCI layouts: a folder for each layer, a symlink for one that was there before."""
    described = text({"architecture": architecture, "config": config or {},
                      "rootfs": {"diff_ids": ["sha256:" + sha256(layer) for layer in layers]}})
    entries, names = [], []
    for i, layer in enumerate(layers):
        name = f"{i}{sha256(layer)[1:]}/layer.tar"
        names.append(name)
        if links and i and layers[i - 1] == layer:
            entries.append((name, {"kind": "symlink", "to": "../" + names[i - 1]}))
        else:
            entries.append((name, {"body": compress(layer)}))
    manifest = {"Config": sha256(described) + ".json", "RepoTags": ["x:latest"], "Layers": names} | changes
    return tar(*entries, (sha256(described) + ".json", {"body": described}), ("manifest.json", {"body": text([manifest])}))


def gz(content):
    return gzip.compress(content, 1, mtime=0)
