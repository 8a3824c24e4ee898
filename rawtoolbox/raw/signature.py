"""What a file is, by its first bytes: a suffix proves nothing."""

from __future__ import annotations

from pathlib import Path

HEAD_BYTES = 64

# Beginnings of the files that LibRaw recognises by their content (its identify() lists them).
CAMERA_SIGNATURES = {
    b'II*\0': 'TIFF',  # DNG, NEF, ARW, CR2, PEF, KDC ... are TIFF files
    b'MM\0*': 'TIFF',
    b'IIU\0': 'Panasonic RW2',
    b'IIRO': 'Olympus ORF',
    b'IIRS': 'Olympus ORF',
    b'MMOR': 'Olympus ORF',
    b'IIII': 'Phase One',
    b'MMMM': 'Phase One',
    b'II\x1a\0\0\0HEAPCCDR': 'Canon CRW',
    b'FUJIFILMCCD-RAW': 'Fujifilm RAF',
    b'\0MRM': 'Minolta MRW',
    b'FOVb': 'Sigma X3F',
    b'NOKIARAW': 'Nokia raw',
    b'\0\1\0\1\0@': 'Nokia raw',
    b'DSC-Image': 'Rollei raw',
    b'PWAD': 'Sinar raw',
    b'qktk': 'Apple QuickTake',
    b'qktn': 'Apple QuickTake',
    b'PXN': 'Logitech raw',
    b'CI,\0': 'Cine',
    b'BRCM': 'Raspberry Pi raw',
    b'\xff\xd8\xff': 'JPEG',  # a Raspberry Pi hangs its raw data on a JPEG
    b'RIFF': 'RIFF',
}
OTHER_SIGNATURES = {
    b'\x89PNG\r\n\x1a\n': 'PNG',
    b'II+\0': 'BigTIFF',
    b'MM\0+': 'BigTIFF',
    b'GIF8': 'GIF',
    b'BM': 'BMP',
    b'PK\x03\x04': 'zip archive',
    b'\x1f\x8b': 'gzip archive',
    b'%PDF': 'PDF',
    b'\x93NUMPY': 'NumPy array',
    b'<!DOCTYPE': 'web page (a failed download?)',
    b'<html': 'web page (a failed download?)',
    b'version https://git-lfs': 'Git LFS pointer (fetch the file itself with git lfs pull)',
    b'\0\0\0\x0cJXL ': 'JPEG XL',
    b'\xff\x0a': 'JPEG XL',
}
BRANDS = {b'crx ': 'Canon CR3', b'heic': 'HEIC', b'mif1': 'HEIF', b'avif': 'AVIF'}  # ISO base media files


def describe_content(path: str | Path) -> str:
    """The kind of a file: a name from the tables above, ``'empty'``, ``'text'`` or ``'unknown'``."""
    with Path(path).open('rb') as file:
        head = file.read(HEAD_BYTES)
    if not head:
        return 'empty'
    for signature, kind in (CAMERA_SIGNATURES | OTHER_SIGNATURES).items():
        if head.startswith(signature):
            return kind
    if head[4:8] == b'ftyp':
        return BRANDS.get(head[8:12], 'video or other ISO media file')
    if b'ARECOYK' in head[25:32]:
        return 'Contax raw'
    return 'text' if all(byte in b'\t\n\r' or 32 <= byte < 127 for byte in head) else 'unknown'


def may_be_camera_file(kind: str) -> bool:
    """Whether LibRaw would go by the content of such a file (and not guess a camera from its size)."""
    return kind in CAMERA_SIGNATURES.values() or kind in ('Canon CR3', 'Contax raw')
