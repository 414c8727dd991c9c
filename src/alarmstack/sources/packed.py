"""Packed files: the size of a workbook after unpacking, which is counted, not trusted."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path
from typing import BinaryIO
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

from alarmstack.core.errors import SourceError
from alarmstack.sources.limits import MEGABYTE, Limits

LOCAL_HEADER = struct.Struct("<26xHH")
"""Of a local file header: the lengths of name and extra field, before the data (APPNOTE.TXT
4.3.7).
"""
CHUNK = MEGABYTE
RAW_DEFLATE = -zlib.MAX_WBITS
"""Deflated data in a ZIP file has no header of its own."""


def check_unpacked(path: Path, limits: Limits) -> None:
    """Raise SourceError when a ZIP file (xlsx, xlsm) has, or declares, more bytes than the limit.

    A file that is not a ZIP file is left to its reader, which gives a better reason.
    """
    try:
        with path.open("rb") as file, ZipFile(file) as packed:
            members = packed.infolist()
            limits.check_size(path.name, sum(member.file_size for member in members))
            size = 0
            for member in members:
                size += _inflated(path, file, member, limits.unpacked * MEGABYTE - size)
                limits.check_size(path.name, size)
    except (BadZipFile, zlib.error, struct.error):
        return


def _inflated(path: Path, file: BinaryIO, member: ZipInfo, most: int) -> int:
    """Bytes of a member after unpacking, counted to just above `most`."""
    if member.compress_type == ZIP_STORED:
        return member.compress_size
    if member.compress_type != ZIP_DEFLATED:
        raise SourceError(
            f"{path.name} is packed in a way that spreadsheet programs do not use: save it again"
        )
    file.seek(member.header_offset)
    file.seek(sum(LOCAL_HEADER.unpack(file.read(LOCAL_HEADER.size))), 1)
    unpacking, left, size = zlib.decompressobj(RAW_DEFLATE), member.compress_size, 0
    while left > 0 and not unpacking.eof:
        packed = file.read(min(left, CHUNK))
        left -= len(packed) or left
        while packed and size <= most:
            size += len(unpacking.decompress(packed, CHUNK))
            packed = unpacking.unconsumed_tail
        if size > most:
            break
    return size


__all__ = ["check_unpacked"]
