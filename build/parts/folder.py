"""Packs the files of a folder, with the same bytes each time.

    folder.py FOLDER OUT.tar.gz --epoch SECONDS

Relies on a folder of regular files alone. Promises an archive in which programs may be run and nothing else differs by machine.
"""

import argparse
from pathlib import Path

from tarball import Entry, gz, tar


def main() -> None:
    """Packs them."""
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--epoch", type=int, required=True)
    asked = parser.parse_args()
    files = [(path, 0o755 if path.stat().st_mode & 0o100 else 0o644) for path in asked.folder.iterdir()]
    asked.out.write_bytes(gz(tar([Entry(path.name, mode, path.read_bytes()) for path, mode in files], asked.epoch)))


main()
