"""From folders of photographs to a data set: what is kept, what is written, and what happens when it is interrupted."""

import hashlib
import importlib.util
import json
import shutil

import numpy as np
import pytest
from conftest import ROOT
from pair_frames import take, write

from rawtoolbox.datasets import ZRRDataset
from rawtoolbox.files.images import read_photo
from rawtoolbox.preparation.pairs import PairSettings, find_pairs, one_pair, prepare, prepare_pairs
from rawtoolbox.preparation.pairs.homography import project

SETTINGS = PairSettings(patch_size=96, search=8, test_share=0.3)


@pytest.fixture(scope='module')
def photographs(tmp_path_factory):
    """Three pairs of frames as files, and what is true of them."""
    folder = tmp_path_factory.mktemp('photographs')
    frames = {
        'a 1': take('china', 0.6, parallax=5),
        'b&<2>': take('motorcycle_left', 0.5, degrees=-92, scale=1.5, parallax=30),
        'c3': take('coffee', 0.6, degrees=1),
    }
    for name, frame in frames.items():
        write(folder, name, frame)
    return folder, frames


@pytest.fixture(scope='module')
def made(photographs, tmp_path_factory):
    """The data set of them, and what came of each."""
    root = tmp_path_factory.mktemp('made') / 'own'
    return root, prepare_pairs(pairs_of(photographs[0]), root, SETTINGS, jobs=1, progress=False)


def pairs_of(folder):
    return find_pairs(folder / 'raw', folder / 'photo')[0]


def hashes(root):
    return {
        str(file.relative_to(root)): hashlib.sha256(file.read_bytes()).hexdigest()
        for file in root.rglob('*')
        if file.is_file()
    }


def test_patches_that_are_kept_are_where_the_manifest_says(photographs, made):
    off, kept = [], []
    for record in made[1].records:
        frames = photographs[1][record['name']]
        for patch in record['patches'].values():
            (row, column), side = patch['origin'], SETTINGS.patch_size
            y, x = np.mgrid[row : row + side : 4, column : column + side : 4]
            pixels = np.stack([x.ravel(), y.ravel()], axis=1) + patch['shift']
            apart = project(np.array(record['homography']), pixels) - frames.truth(x, y)
            off.append(np.hypot(*apart.T).mean() * frames.mosaic.shape[0] / frames.photo.shape[0])
            kept.append(not patch['rejected'])
    off, kept = np.array(off), np.array(kept)
    assert len(off) >= 12
    assert kept[off < 2].mean() >= 0.9
    assert (off > 5).any() and not kept[off > 5].any()
    assert np.median(off[kept]) < 0.5


def test_zurich_reader_takes_the_data_set_with_its_places(photographs, made):
    root, result = made
    splits = {record['name']: record['split'] for record in result.records}
    assert sorted(splits.values()) == ['test', 'train', 'train']
    for split in ('train', 'test'):
        dataset = ZRRDataset(root, split, patch_size=96, check_headers='all')
        assert len(dataset) == result.count(split)
        for item in dataset:
            name = item['data_samples']['meta']['name']
            row, column = item['data_samples']['meta']['origin'].tolist()
            frame = photographs[1][name.rpartition('_')[0].rpartition('_')[0]].mosaic
            assert item['data_samples']['meta']['frame_size'].tolist() == list(frame.shape)
            assert np.array_equal(item['inputs']['mosaic'][0], frame[row : row + 96, column : column + 96])
    assert result.bit_depth == 10 and result.levels == ([63.0] * 4, 1020.0)


def test_manifest_says_where_a_patch_is_from(made):
    root, _ = made
    manifest = json.loads((root / 'train' / 'manifest.json').read_text())
    entry = next(iter(manifest['patches'].values()))
    assert {'raw', 'photo', 'origin', 'frame_size', 'homography', 'shift', 'score', 'gains'} <= entry.keys()
    assert entry['score'] >= 0.9 and np.array(entry['homography']).shape == (3, 3)
    assert manifest['config']['min_correlation'] == 0.9


def test_photo_patches_look_like_the_raw_and_nothing_is_left_over(made):
    root, result = made
    for record in result.records:
        folder = root / record['split'] / 'canon'
        kept = {name for name, patch in record['patches'].items() if not patch['rejected']}
        assert kept <= {file.stem for file in folder.iterdir()}
        assert all(read_photo(folder / f'{name}.png').std() > 5 for name in kept)
    assert not list(root.rglob('*partial*'))


def test_interrupted_and_started_again_it_is_the_same(photographs, made, tmp_path, monkeypatch):
    root, pairs = tmp_path / 'own', pairs_of(photographs[0])
    original, calls = one_pair.write_png, []

    def interrupted(path, image):
        calls.append(path)
        if len(calls) == 8:
            raise KeyboardInterrupt
        original(path, image)

    monkeypatch.setattr(one_pair, 'write_png', interrupted)
    with pytest.raises(KeyboardInterrupt):
        prepare_pairs(pairs, root, SETTINGS, jobs=1, progress=False)
    done = {file.stem for file in (root / 'records').iterdir()}
    (root / 'train' / 'canon').mkdir(parents=True, exist_ok=True)
    (root / 'train' / 'canon' / '.x.1.partial.png').write_bytes(b'half')
    (root / 'train' / 'canon' / 'stranger.png').write_bytes(b'left by photographs that are gone')
    monkeypatch.setattr(one_pair, 'write_png', original)
    worked, make = [], prepare.make_patches
    monkeypatch.setattr(
        prepare, 'make_patches', lambda pair, *rest: worked.append(pair.name) or make(pair, *rest)
    )
    prepare_pairs(pairs, root, SETTINGS, jobs=2, progress=False)
    assert len(done) >= 1 and done.isdisjoint(worked) and len(worked) == 3 - len(done)
    assert hashes(root) == hashes(made[0])


def test_page_shows_what_was_rejected_and_why(made):
    root, result = made
    page = (root / 'report' / 'index.html').read_text()
    patches = {name: patch for record in result.records for name, patch in record['patches'].items()}
    assert page.count('<figure') == len(patches)
    assert page.count('class="rejected"') == sum(bool(patch['rejected']) for patch in patches.values())
    assert 'b&amp;&lt;2&gt;' in page and '<2>' not in page
    assert {file.stem for file in (root / 'report' / 'patches').iterdir()} == set(patches)


def test_other_settings_and_other_folders_are_refused(photographs, made, tmp_path):
    pairs = pairs_of(photographs[0])
    with pytest.raises(ValueError, match=r'same settings, found min_correlation = 0.9 \(not 0.8\)'):
        prepare_pairs(pairs, made[0], PairSettings(96, search=8, test_share=0.3, min_correlation=0.8))
    (tmp_path / 'thesis.tex').write_text('mine')
    with pytest.raises(ValueError, match='found other files'):
        prepare_pairs(pairs, tmp_path, SETTINGS)
    with pytest.raises(ValueError, match='patch_size: expected an even number'):
        PairSettings(patch_size=97)
    with pytest.raises(ValueError, match='search: expected 0 to a quarter'):
        PairSettings(patch_size=64, search=32)


def test_tool_makes_what_it_can_and_says_what_not(photographs, tmp_path, capsys):
    spec = importlib.util.spec_from_file_location('pairs_tool', ROOT / 'tools' / 'prepare_data' / 'pairs.py')
    tool = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(tool)
    folder = tmp_path / 'mine'
    for kind in ('raw', 'photo'):
        (folder / kind).mkdir(parents=True)
    shutil.copy(photographs[0] / 'raw' / 'c3.dng', folder / 'raw' / 'one.dng')
    shutil.copy(photographs[0] / 'photo' / 'c3.png', folder / 'photo' / 'ONE.png')
    shutil.copy(photographs[0] / 'raw' / 'a 1.dng', folder / 'raw' / 'two.dng')
    shutil.copy(photographs[0] / 'photo' / 'c3.png', folder / 'photo' / 'two.png')
    (folder / 'raw' / 'three.dng').write_bytes(b'II*\0 nothing more')
    (folder / 'photo' / 'three.png').write_bytes(b'nothing')
    (folder / 'photo' / 'four.png').write_bytes(b'nothing')
    arguments = [str(folder / 'raw'), str(folder / 'photo'), str(tmp_path / 'out'), '--jobs', '1']
    assert tool.main([*arguments, '--patch-size', '96', '--search', '8', '--test-share', '0']) == 1
    said = capsys.readouterr()
    assert 'no partner' in said.err and 'four.png' in said.err
    assert 'not read: three: ' in said.err
    assert 'two: not matched: only' in said.err
    assert 'black_level=63, white_level=1020, bit_depth=10' in said.out
    assert len(ZRRDataset(tmp_path / 'out', 'train', patch_size=96)) > 3
    assert not (tmp_path / 'out' / 'test').exists()


def test_files_that_do_not_pair(tmp_path):
    for kind, names in (('raw', ('a.dng', 'b.dng')), ('photo', ('x.jpg', 'y2.jpg', 'y10.jpg'))):
        (tmp_path / kind).mkdir()
        for name in names:
            (tmp_path / kind / name).write_bytes(b'')
    with pytest.raises(ValueError, match='files of the same name, found none'):
        find_pairs(tmp_path / 'raw', tmp_path / 'photo')
    with pytest.raises(ValueError, match='as many raws as photos .* found 2 and 3'):
        find_pairs(tmp_path / 'raw', tmp_path / 'photo', 'order')
    (tmp_path / 'raw' / 'c.dng').write_bytes(b'')
    pairs, alone = find_pairs(tmp_path / 'raw', tmp_path / 'photo', 'order')
    assert [pair.photo.name for pair in pairs] == ['x.jpg', 'y2.jpg', 'y10.jpg'] and not alone
    (tmp_path / 'raw' / 'c.arw').write_bytes(b'')
    with pytest.raises(ValueError, match='one file a name'):
        find_pairs(tmp_path / 'raw', tmp_path / 'photo')
    with pytest.raises(FileNotFoundError, match='expected a folder of photographs'):
        find_pairs(tmp_path / 'nowhere', tmp_path / 'photo')
