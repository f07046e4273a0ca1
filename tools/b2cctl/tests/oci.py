"""Stand-ins for what builds and pushes images: `oci.py archive TEXT FILE`, and `oci.py skopeo ...` as skopeo is called.

The registry is a folder, $REGISTRY, with a file per name and per digest, which holds the manifest.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import sys
import tarfile
from pathlib import Path

Descriptor = dict[str, object]


def digest_of(content: bytes) -> str:
    return "sha256:" + hashlib.sha256(content).hexdigest()


def archive(text: str, file: Path) -> None:
    """Write an OCI archive of an image whose only content is a text."""
    config = json.dumps({"config": text}).encode()
    manifest = json.dumps({"schemaVersion": 2, "config": _descriptor(config, "config"), "layers": []}).encode()
    index = json.dumps({"schemaVersion": 2, "manifests": [_descriptor(manifest, "manifest")]}).encode()
    blobs = {f"blobs/sha256/{digest_of(each)[7:]}": each for each in (config, manifest)}
    with tarfile.open(file, "w") as tar:
        for name, content in ({"index.json": index, "oci-layout": b'{"imageLayoutVersion": "1.0.0"}'} | blobs).items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))


def _descriptor(content: bytes, kind: str) -> Descriptor:
    media_type = f"application/vnd.oci.image.{kind}.v1+json"
    return {"mediaType": media_type, "digest": digest_of(content), "size": len(content)}


def unpack(file: Path, layout: Path, name: str) -> None:
    """Add an archive's image to a layout, under a name."""
    before = json.loads((layout / "index.json").read_text())["manifests"] if layout.exists() else []
    layout.mkdir(exist_ok=True)
    with tarfile.open(file) as tar:
        tar.extractall(layout, filter="data")
    index = json.loads((layout / "index.json").read_text())
    added = [{**each, "annotations": {"org.opencontainers.image.ref.name": name}} for each in index["manifests"]]
    (layout / "index.json").write_text(json.dumps(index | {"manifests": before + added}))


def push(layout: Path, reference: str) -> None:
    (described,) = json.loads((layout / "index.json").read_text())["manifests"]
    content = (layout / "blobs/sha256" / described["digest"][7:]).read_bytes()
    assert digest_of(content) == described["digest"]
    assert "@" not in reference or reference.endswith("@" + described["digest"])
    place(reference).write_bytes(content)


def place(reference: str) -> Path:
    return Path(os.environ["REGISTRY"], reference.replace("/", "+"))


def skopeo(command: str, *arguments: str) -> None:
    names = [each for each in arguments if not each.startswith("-")]
    source, *target = (each.split(":", 1)[1].removeprefix("//") for each in names)
    if not Path(os.environ["REGISTRY"]).is_dir():
        raise SystemExit("dial tcp: connection refused")
    if command == "inspect" and not place(source).exists():
        raise SystemExit("reading manifest: manifest unknown")
    if command == "inspect":
        sys.stdout.buffer.write(place(source).read_bytes())
    elif names[0].startswith("oci-archive:"):
        layout, _, name = target[0].rpartition(":")
        unpack(Path(source), Path(layout), name)
    else:
        push(Path(source), target[0])


if __name__ == "__main__":
    if sys.argv[1] == "archive":
        archive(sys.argv[2], Path(sys.argv[3]))
    else:
        skopeo(*sys.argv[2:])
