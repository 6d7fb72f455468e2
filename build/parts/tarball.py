"""Archives that are the same bytes for the same files.

Relies on nothing of the machine but its zlib. Promises entries sorted by name, owned by root, dated by the caller, with no name of
a user, and a gzip header without name and time.
"""

import io
import struct
import tarfile
import zlib
from typing import NamedTuple


class Entry(NamedTuple):
    """A regular file, or a folder where there is no data."""

    name: str
    mode: int
    data: bytes | None


def tar(entries: list[Entry], epoch: int) -> bytes:
    """An archive in the format of POSIX (ustar), which every reader of layers knows."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for entry in sorted(entries):
            info = tarfile.TarInfo(entry.name)
            info.mode, info.mtime = entry.mode, epoch
            if entry.data is None:
                info.type = tarfile.DIRTYPE
                archive.addfile(info)
            else:
                info.size = len(entry.data)
                archive.addfile(info, io.BytesIO(entry.data))
    return out.getvalue()


def gz(data: bytes) -> bytes:
    """The same, compressed. The header is written here: Python's own differs from version to version."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    header = b"\x1f\x8b\x08\0\0\0\0\0\x02\xff"
    return header + packer.compress(data) + packer.flush() + struct.pack("<II", zlib.crc32(data), len(data) & 0xFFFFFFFF)
