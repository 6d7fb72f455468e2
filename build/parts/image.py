"""Packs the image for both processors as one OCI layout, and prints the digest of its index.

    image.py OUT --version V --commit C --epoch SECONDS --root amd64=FOLDER … --bill amd64=FILE …

Relies on folders as build/image-root lays them out, on bills of build/sbom, and on the Dockerfile for what is no file. Each bill
is an artefact that refers to the image of its processor, where registries list it.
"""

import argparse
import os
from datetime import UTC, datetime
from pathlib import Path

import dockerfile
from layout import CONFIG, INDEX, LAYER, MANIFEST, Layout, digest_of
from tarball import Entry, gz, tar

BILL = "application/vnd.cyclonedx+json"


def layers(root: Path) -> list[list[Entry]]:
    """The files below `etc`, which change seldom and are the same for all processors; then the program."""
    files = sorted(path for path in root.rglob("*") if path.is_file())
    shared = [path for path in files if path.parent != root]
    folders = {folder for path in shared for folder in path.relative_to(root).parents if folder.name}
    below = [Entry(str(folder), 0o755, None) for folder in folders]
    return [below + [entry(root, path) for path in shared], [entry(root, path) for path in files if path.parent == root]]


def entry(root: Path, path: Path) -> Entry:
    """A file with its mode."""
    return Entry(str(path.relative_to(root)), path.stat().st_mode & 0o777, path.read_bytes())


def pair(text: str) -> tuple[str, Path]:
    """A processor, and what belongs to it."""
    name, _, path = text.partition("=")
    return name, Path(path)


def main() -> None:
    """Packs it."""
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--version", required=True)
    parser.add_argument("--commit", required=True)
    parser.add_argument("--epoch", type=int, required=True)
    parser.add_argument("--root", type=pair, action="append", required=True)
    parser.add_argument("--bill", type=pair, action="append", required=True)
    asked = parser.parse_args()
    created = datetime.fromtimestamp(asked.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    arguments = {"VERSION": asked.version, "COMMIT": asked.commit, "CREATED": created}
    config = dockerfile.configuration(Path(os.path.dirname(__file__), "../../Dockerfile"), arguments)
    labels = config["Labels"]

    layout, manifests, bills = Layout(), [], []
    for processor, root in asked.root:
        tars = [tar(entries, asked.epoch) for entries in layers(root)]
        content = {
            "architecture": processor,
            "os": "linux",
            "created": created,
            "config": config,
            "rootfs": {"type": "layers", "diff_ids": [digest_of(data) for data in tars]},
            "history": [{"created": created, "created_by": f"build/release {asked.version}"} for _ in tars],
        }
        manifest = {
            "config": layout.json(CONFIG, content),
            "layers": [layout.blob(LAYER, gz(data)) for data in tars],
            "annotations": labels,
        }
        of_processor = layout.manifest(MANIFEST, manifest)
        manifests.append({**of_processor, "platform": {"architecture": processor, "os": "linux"}})
        bill = dict(asked.bill)[processor].read_bytes()
        title = f"Bill of materials of {labels['org.opencontainers.image.title']} {asked.version} for {processor}"
        about = {"org.opencontainers.image.created": created, "org.opencontainers.image.title": title}
        bills.append(layout.artifact(BILL, bill, of_processor, about))
    index = layout.manifest(INDEX, {"manifests": manifests, "annotations": labels})
    layout.root(index, asked.version)
    for bill in bills:
        layout.root(bill)
    layout.write(asked.out, asked.epoch)
    print(index["digest"])


main()
