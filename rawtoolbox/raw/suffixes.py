"""Suffixes of raws and photos, in lower case: a folder is searched by them, and a file read by its content."""

from __future__ import annotations

CAMERA_SUFFIXES = frozenset(
    ('.3fr', '.arw', '.cr2', '.cr3', '.crw', '.dcr', '.dng', '.erf', '.fff', '.iiq', '.kdc', '.mef', '.mos')
    + ('.mrw', '.nef', '.nrw', '.orf', '.pef', '.raf', '.raw', '.rw2', '.rwl', '.sr2', '.srf', '.srw')
)
HEADLESS_SUFFIXES = frozenset(('.raw', '.bin', '.dat', '.bayer'))  # sensor values and nothing else
MOSAIC_SUFFIXES = HEADLESS_SUFFIXES | {
    '.png',
    '.tif',
    '.tiff',
}  # need the pattern and the levels as arguments
PHOTO_SUFFIXES = frozenset(('.jpg', '.jpeg', '.png', '.tif', '.tiff', '.bmp', '.webp'))
# What lies beside raws and is none. PNG and TIFF are not here: they may hold mosaics.
NOT_RAW_SUFFIXES = frozenset(
    (
        '.jpg',
        '.jpeg',
        '.bmp',
        '.webp',
        '.xmp',
        '.txt',
        '.json',
        '.csv',
        '.pp3',
        '.mp4',
        '.mov',
        '.zip',
        '.html',
    )
)
