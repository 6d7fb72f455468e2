"""Packs the chart of a release: the archive that Helm made, with the same bytes each time, and the same as an OCI artefact.

    chart.py ARCHIVE OUT.tgz OUT.oci.tar --epoch SECONDS

Relies on `helm package`, which has checked the chart and writes the time of day into its archive. The media types are those of
`helm push`, so that `helm pull oci://…` takes what was copied from the layout.
"""

import argparse
import re
import tarfile
from datetime import UTC, datetime
from pathlib import Path

from layout import MANIFEST, Layout
from tarball import Entry, gz, tar

CONFIG = "application/vnd.cncf.helm.config.v1+json"
CONTENT = "application/vnd.cncf.helm.chart.content.v1.tar+gzip"


def entries(archive: Path) -> list[Entry]:
    """The files that Helm packed; it packs no folders."""
    with tarfile.open(archive) as opened:
        members = [(info, opened.extractfile(info)) for info in opened.getmembers()]
        return [Entry(info.name, 0o644, file.read()) for info, file in members if file]


def metadata(text: str) -> dict[str, str]:
    """Chart.yaml as Helm writes it: names with texts, which may go on in the next line, and nothing that is nested."""
    pairs: dict[str, str] = {}
    for line in re.sub(r"\n  (?=\w)", " ", text).splitlines():
        name, colon, value = line.partition(": ")
        if not colon or not name.isalnum() or value[:1] in "|>[{&*!":
            raise SystemExit(f"build/parts/chart.py: Chart.yaml has a line that is no plain text: {line}")
        pairs[name] = value.strip("'\"")
    return pairs


def main() -> None:
    """Packs both."""
    parser = argparse.ArgumentParser()
    parser.add_argument("archive", type=Path)
    parser.add_argument("tgz", type=Path)
    parser.add_argument("oci", type=Path)
    parser.add_argument("--epoch", type=int, required=True)
    asked = parser.parse_args()
    files = entries(asked.archive)
    described = next(file.data for file in files if file.name.count("/") == 1 and file.name.endswith("/Chart.yaml"))
    chart = metadata(described.decode())
    packed = gz(tar(files, asked.epoch))
    asked.tgz.write_bytes(packed)

    layout = Layout()
    created = datetime.fromtimestamp(asked.epoch, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    manifest = {
        "config": layout.json(CONFIG, chart),
        "layers": [layout.blob(CONTENT, packed)],
        "annotations": {
            "org.opencontainers.image.created": created,
            "org.opencontainers.image.description": chart["description"],
            "org.opencontainers.image.title": chart["name"],
            "org.opencontainers.image.version": chart["version"],
        },
    }
    layout.root(layout.manifest(MANIFEST, manifest), chart["version"])
    layout.write(asked.oci, asked.epoch)


main()
