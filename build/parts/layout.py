"""An OCI image layout in memory: blobs under their digests, manifests, and the index that leads to them.

Relies on version 1.1 of the OCI image specification, which has `subject` and `artifactType`. Promises canonical JSON: the same
content has the same digest.
"""

import hashlib
import json
from pathlib import Path

from tarball import Entry, tar

INDEX = "application/vnd.oci.image.index.v1+json"
MANIFEST = "application/vnd.oci.image.manifest.v1+json"
CONFIG = "application/vnd.oci.image.config.v1+json"
LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"
EMPTY = "application/vnd.oci.empty.v1+json"
REFERENCE = "org.opencontainers.image.ref.name"


def digest_of(data: bytes) -> str:
    """How OCI names content."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def canonical(value: object) -> bytes:
    """JSON with sorted keys and without spaces."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


class Layout:
    """What is added is kept once."""

    def __init__(self) -> None:
        self.blobs: dict[str, bytes] = {}
        self.roots: list[dict] = []

    def blob(self, media_type: str, data: bytes) -> dict:
        """Keeps content; gives its descriptor."""
        digest = digest_of(data)
        self.blobs[digest] = data
        return {"mediaType": media_type, "digest": digest, "size": len(data)}

    def json(self, media_type: str, content: object) -> dict:
        """Keeps a value; gives its descriptor."""
        return self.blob(media_type, canonical(content))

    def manifest(self, media_type: str, content: dict) -> dict:
        """Keeps a manifest or an index; gives its descriptor."""
        return self.json(media_type, {"schemaVersion": 2, "mediaType": media_type, **content})

    def artifact(self, kind: str, data: bytes, subject: dict, annotations: dict) -> dict:
        """Keeps content as an artefact that refers to a manifest; gives its descriptor."""
        layer = self.blob(kind, data)
        content = {
            "artifactType": kind,
            "config": self.blob(EMPTY, b"{}"),
            "layers": [layer],
            "subject": {name: subject[name] for name in ("mediaType", "digest", "size")},
            "annotations": annotations,
        }
        return {**self.manifest(MANIFEST, content), "artifactType": kind}

    def root(self, descriptor: dict, reference: str = "") -> None:
        """Lists a manifest in `index.json`, by a reference where it is to be found by one."""
        named = {"annotations": {REFERENCE: reference}} if reference else {}
        self.roots.append({**descriptor, **named})

    def write(self, path: Path, epoch: int) -> None:
        """Writes it as an archive, which tools call `oci-archive` or read with `--from-oci-layout`."""
        index = {"schemaVersion": 2, "mediaType": INDEX, "manifests": self.roots}
        files = {
            "oci-layout": canonical({"imageLayoutVersion": "1.0.0"}),
            "index.json": canonical(index),
            **{f"blobs/{digest.replace(':', '/')}": data for digest, data in self.blobs.items()},
        }
        entries = [Entry(name, 0o644, data) for name, data in files.items()]
        entries += [Entry(name, 0o755, None) for name in ("blobs", "blobs/sha256")]
        path.write_bytes(tar(entries, epoch))
