"""Photos with a colour profile or EXIF's mark of Adobe RGB come out as sRGB."""

import struct

import numpy as np
import pytest
from PIL import Image, ImageCms

from rawtoolbox.files.colour_profile import to_srgb
from rawtoolbox.files.images import read_photo
from rawtoolbox.raw.reader import read_photograph_file

SRGB = np.array([[200, 60, 40], [90, 160, 80], [50, 80, 180], [120, 120, 120], [250, 250, 250]])
ADOBE = np.array([[0.6400, 0.3300], [0.2100, 0.7100], [0.1500, 0.0600]])
P3 = np.array([[0.6800, 0.3200], [0.2650, 0.6900], [0.1500, 0.0600]])
D65 = np.array([0.95047, 1, 1.08883])


def to_xyz(primaries):
    columns = np.stack([[x / y, 1, (1 - x - y) / y] for x, y in primaries], axis=1)
    return columns * np.linalg.solve(columns, D65)


def in_space(primaries, gamma):
    """The same colours with other primaries, (1, 5, 3) uint8."""
    light = np.where(SRGB / 255 <= 0.04045, SRGB / 255 / 12.92, ((SRGB / 255 + 0.055) / 1.055) ** 2.4)
    srgb = to_xyz([[0.64, 0.33], [0.30, 0.60], [0.15, 0.06]])
    other = light @ (np.linalg.inv(to_xyz(primaries)) @ srgb).T
    return (
        np.rint(255 * np.clip(other, 0, 1) ** (1 / gamma)).astype(np.uint8)[None].repeat(16, 0).repeat(16, 1)
    )


def profile(primaries, gamma, name):
    """An ICC profile of matrix and gamma (ICC.1:2001-04)."""
    bradford = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])
    d50 = np.array([0.9642, 1, 0.8249])
    adapt = np.linalg.inv(bradford) @ np.diag((bradford @ d50) / (bradford @ D65)) @ bradford

    def fixed(values):
        return b'XYZ \0\0\0\0' + struct.pack('>3i', *np.rint(65536 * np.asarray(values)).astype(int))

    curve = b'curv\0\0\0\0' + struct.pack('>IH', 1, round(256 * gamma)) + b'\0\0'
    text = name.encode() + b'\0'
    desc = b'desc\0\0\0\0' + struct.pack('>I', len(text)) + text + bytes(78)
    columns = (adapt @ to_xyz(primaries)).T
    tags = {b'desc': desc, b'cprt': b'text\0\0\0\0none\0', b'wtpt': fixed(d50)}
    tags |= {
        letter + b'XYZ': fixed(column) for letter, column in zip((b'r', b'g', b'b'), columns, strict=True)
    }
    tags |= dict.fromkeys((b'rTRC', b'gTRC', b'bTRC'), curve)
    at, table, body = 128 + 4 + 12 * len(tags), struct.pack('>I', len(tags)), b''
    for tag, value in tags.items():
        value += bytes(-len(value) % 4)
        table += tag + struct.pack('>II', at + len(body), len(value))
        body += value
    head = struct.pack('>I4sI4s4s4s', at + len(body), b'none', 0x02400000, b'mntr', b'RGB ', b'XYZ ')
    head += struct.pack('>6H', 2020, 1, 1, 0, 0, 0) + b'acsp' + bytes(28) + fixed(d50)[8:] + bytes(48)
    return head + table + body


def centres(image):
    return image[8, 8::16].astype(int)


@pytest.mark.parametrize(('primaries', 'name'), [(ADOBE, 'Adobe RGB (1998)'), (P3, 'Display P3')])
@pytest.mark.parametrize('suffix', ['.png', '.jpg'])
def test_photos_with_a_profile(tmp_path, primaries, name, suffix):
    path = tmp_path / f'a{suffix}'
    icc = profile(primaries, 2.2, name)
    Image.fromarray(in_space(primaries, 2.2)).save(path, icc_profile=icc, quality=100, subsampling=0)
    for read in (read_photo, read_photograph_file):
        assert np.abs(centres(read(path)) - SRGB).max() <= 4
    assert to_srgb(in_space(primaries, 2.2), path.read_bytes())[1] == name


def test_exif_marks_adobe_rgb(tmp_path):
    exif = Image.Exif()
    exif.get_ifd(0x8769).update({0xA001: 0xFFFF, 0xA005: {1: 'R03'}})
    path = tmp_path / 'a.jpg'
    Image.fromarray(in_space(ADOBE, 563 / 256)).save(path, exif=exif, quality=100, subsampling=0)
    assert np.abs(centres(read_photo(path)) - SRGB).max() <= 4


def test_srgb_stays_as_it_is(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (8, 8, 3), dtype=np.uint8)
    icc = ImageCms.ImageCmsProfile(ImageCms.createProfile('sRGB')).tobytes()
    for name, options in (('a.png', {}), ('b.png', {'icc_profile': icc})):
        Image.fromarray(pixels).save(tmp_path / name, **options)
        assert np.array_equal(read_photo(tmp_path / name), pixels)


def test_a_damaged_profile_is_named(tmp_path):
    path = tmp_path / 'a.png'
    Image.fromarray(np.zeros((8, 8, 3), np.uint8)).save(path, icc_profile=b'no profile')
    with pytest.raises(ValueError, match=r'a\.png.*profile cannot be used'):
        read_photo(path)
