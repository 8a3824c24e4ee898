"""A packed file in place of the files: the same items, and a refusal of everything that is not."""

import json
import multiprocessing
import pickle
import runpy

import numpy as np
import pytest
import torch
from conftest import ROOT, SIDE
from torch.utils.data import DataLoader

from rawtoolbox.datasets import ResplitZRRDataset, ZRRDataset
from rawtoolbox.datasets.packed import PAGE, PackedItems, write_pack


@pytest.fixture(scope='module')
def files(demo_data):
    return ZRRDataset(demo_data, 'train', SIDE, with_truth=True)


@pytest.fixture(scope='module')
def packed(files, demo_data, tmp_path_factory):
    folder = tmp_path_factory.mktemp('packed')
    write_pack(folder / 'train.pack', files, workers=2, progress=False)
    write_pack(folder / 'test.pack', ZRRDataset(demo_data, 'test', SIDE), progress=False)
    return folder


def build(demo_data, packed, split='train', **arguments):
    return ZRRDataset(demo_data, split, **{'patch_size': SIDE, 'packed': packed, **arguments})


def assert_equal(first, second):
    if isinstance(first, dict):
        assert list(first) == list(second)
        for key in first:
            assert_equal(first[key], second[key])
    elif isinstance(first, torch.Tensor):
        assert first.dtype == second.dtype
        assert torch.equal(first, second)
    else:
        assert first == second


def damaged(packed, tmp_path, place, count=1):
    """A copy of the training split with some bytes changed."""
    data = bytearray((packed / 'train.pack').read_bytes())
    for index in range(count):
        data[place + index] ^= 0xFF
    (tmp_path / 'train.pack').write_bytes(data)
    return tmp_path


def test_items_are_those_of_the_files_bit_by_bit(files, demo_data, packed):
    same = build(demo_data, packed, with_truth=True)
    assert len(same) == len(files) == 8
    for index in range(len(files)):
        assert_equal(same[index], files[index])


def test_truth_is_left_out_unless_wanted(demo_data, packed):
    assert_equal(build(demo_data, packed)[3], ZRRDataset(demo_data, 'train', SIDE)[3])
    with pytest.raises(ValueError, match='packed without the truth'):
        build(demo_data, packed, 'test', with_truth=True)


def test_files_need_not_exist_any_more(files, packed, tmp_path):
    assert_equal(build(tmp_path / 'gone', packed, with_truth=True)[1], files[1])


def test_names_and_counts(demo_data, packed):
    assert build(demo_data, packed, names=['5', '2']).names == ['5', '2']
    assert build(demo_data, packed, names=['5', '2'])[1]['data_samples']['meta']['name'] == '2'
    with pytest.raises(ValueError, match='expected 46839 pairs, found 8'):
        build(demo_data, packed, expected_count=46839)


def test_resplit_takes_both_packed_splits(demo_data, packed):
    arguments = {'data_root': demo_data, 'patch_size': SIDE}
    plain, same = ResplitZRRDataset(**arguments), ResplitZRRDataset(**arguments, packed=packed)
    assert_equal(same[0], plain[0])


def test_an_item_may_be_written_to(demo_data, packed):
    dataset = build(demo_data, packed)
    before = dataset[0]['inputs']['mosaic'].clone()
    dataset[0]['inputs']['mosaic'].zero_()
    assert torch.equal(dataset[0]['inputs']['mosaic'], before)


def test_forked_workers_share_the_map(files, demo_data, packed):
    dataset = build(demo_data, packed, with_truth=True)
    dataset[0]  # the map is open when the workers start
    forked = multiprocessing.get_context('fork')
    loader = DataLoader(dataset, batch_size=4, num_workers=1, multiprocessing_context=forked)
    for first, second in zip(loader, DataLoader(files, batch_size=4), strict=True):
        assert_equal(first, second)


def test_a_pickle_as_spawned_workers_get_it_holds_no_data(demo_data, packed):
    dataset = build(demo_data, packed)
    item, text = dataset[2], pickle.dumps(dataset)
    assert len(text) < SIDE * SIDE  # less than one plane of one item
    assert_equal(pickle.loads(text)[2], item)


def test_nothing_half_written_is_left_when_packing_fails(files, tmp_path):
    class Torn:
        pack_settings, source_sizes = files.pack_settings, files.source_sizes

        def __len__(self):
            return len(files)

        def __getitem__(self, index):
            if index == 6:
                raise ValueError('6.png is cut off')
            return files[index]

    with pytest.raises(ValueError, match='cut off'):
        write_pack(tmp_path / 'train.pack', Torn(), progress=False)
    assert list(tmp_path.iterdir()) == []


def test_items_of_other_arrays_are_refused(files, tmp_path):
    class Mixed(ZRRDataset):
        def __getitem__(self, index):
            item = super().__getitem__(index)
            if index:
                item['inputs']['mosaic'] = item['inputs']['mosaic'].to(torch.int32)
            return item

    dataset = Mixed(files.pairs.raws['0'].parents[2], 'train', SIDE)
    with pytest.raises(ValueError, match='1: expected the arrays .*inputs.mosaic.*found others'):
        write_pack(tmp_path / 'train.pack', dataset, progress=False)


# --- files that are not as they should be -------------------------------------------------------------------


def test_no_such_file(demo_data, tmp_path):
    with pytest.raises(FileNotFoundError, match=r'train.pack: expected a packed data set.*pack.py'):
        build(demo_data, tmp_path)


@pytest.mark.parametrize('cut', [0, 100, PAGE + 1000, -1])
def test_cut_off(demo_data, packed, tmp_path, cut):
    (tmp_path / 'train.pack').write_bytes((packed / 'train.pack').read_bytes()[:cut])
    with pytest.raises(ValueError, match='something else|head is damaged|cut off'):
        build(demo_data, tmp_path)


def test_damaged_head_and_index(demo_data, packed, tmp_path):
    head = PackedItems(packed / 'train.pack').head
    for place, message in (
        (0, 'something else'),
        (20, 'head is damaged'),
        (head['index_start'] + 9, 'index is damaged'),
    ):
        with pytest.raises(ValueError, match=message):
            build(demo_data, damaged(packed, tmp_path, place))


def test_damaged_items_are_found_by_verifying(packed, tmp_path):
    PackedItems(packed / 'train.pack').verify(progress=False)
    items = PackedItems(damaged(packed, tmp_path, PAGE + 5000) / 'train.pack')
    with pytest.raises(ValueError, match='not those that were written'):
        items.verify(progress=False)


def test_another_format_is_named(demo_data, packed, tmp_path):
    data = (packed / 'train.pack').read_bytes().replace(b'"format": 1', b'"format": 9', 1)
    (tmp_path / 'train.pack').write_bytes(data)
    with pytest.raises(ValueError, match='expected the format 1, found 9'):
        build(demo_data, tmp_path)


@pytest.mark.parametrize(
    ('arguments', 'message'),
    [
        ({'bit_depth': 12}, "packed with .*'bit_depth': 10.*config has .*'bit_depth': 12"),
        ({'target_dir': None}, "packed with .*'target_dir': 'canon'"),
        ({'patch_size': 448}, f'expected mosaics of 448x448 pixels, found {SIDE}x{SIDE}'),
    ],
)
def test_other_arguments(demo_data, packed, arguments, message):
    with pytest.raises(ValueError, match=message):
        build(demo_data, packed, **arguments)


@pytest.fixture
def own(files, tmp_path):
    """Links to the demo's files, which can be changed, and their packed file."""
    for kind, paths in (('huawei_raw', files.pairs.raws), ('canon', files.pairs.targets)):
        (tmp_path / 'own/train' / kind).mkdir(parents=True)
        for path in paths.values():
            (tmp_path / 'own/train' / kind / path.name).write_bytes(path.read_bytes())
    write_pack(tmp_path / 'train.pack', ZRRDataset(tmp_path / 'own', 'train', SIDE), progress=False)
    return tmp_path


def test_files_that_changed_since(own):
    build(own / 'own', own)
    path = own / 'own/train/canon/0.jpg'
    path.write_bytes(path.read_bytes() + b'\0')
    with pytest.raises(
        ValueError, match=r'packed from other files than there are now in .*canon \(such as 0\)'
    ):
        build(own / 'own', own)


@pytest.mark.parametrize('name', ['7', '8'])
def test_files_that_were_removed_or_added_since(own, name):
    path = own / f'own/train/huawei_raw/{name}.png'
    path.unlink() if path.is_file() else path.write_bytes(b'new')
    with pytest.raises(ValueError, match=rf'packed from other files .*such as {name}'):
        build(own / 'own', own)


def test_some_pairs_alone_may_be_packed(own):
    write_pack(own / 'some' / 'train.pack', ZRRDataset(own / 'own', 'train', SIDE, names=3), progress=False)
    assert len(build(own / 'own', own / 'some')) == 3


# --- the tool -----------------------------------------------------------------------------------------------


def test_tool_packs_once_and_verifies(demo_data, tmp_path, monkeypatch, capsys):
    tool = runpy.run_path(str(ROOT / 'tools/prepare_data/pack.py'))
    options = ['--cfg-options', f'data_root={demo_data}', *(
        f'{loader}_dataloader.dataset.patch_size={SIDE}' for loader in ('train', 'val', 'test')
    )]  # fmt: skip
    command = ['pack.py', str(ROOT / 'configs/gcm_liteisp_zrr.py'), str(tmp_path)]
    monkeypatch.setattr('sys.argv', [*command, *options])
    tool['main']()
    assert 'train_dataloader.dataset.packed=' in capsys.readouterr().out
    written = (tmp_path / 'train.pack').stat().st_mtime_ns
    monkeypatch.setattr('sys.argv', [*command, '--verify', *options])
    tool['main']()
    assert (tmp_path / 'train.pack').stat().st_mtime_ns == written
    damaged(tmp_path, tmp_path, PAGE + 5)
    with pytest.raises(ValueError, match='not those that were written'):
        tool['main']()


def test_index_is_readable_without_this_package(packed):
    """The layout as the module's first lines tell it."""
    data = (packed / 'train.pack').read_bytes()
    head = json.loads(data[16:PAGE])
    index = json.loads(data[head['index_start'] :])
    entry = index['entries'][4]
    mosaic = np.frombuffer(data, index['types']['inputs.mosaic'], SIDE * SIDE, entry['start'])
    stored = PackedItems(packed / 'train.pack').item(entry['meta']['name'])['inputs']['mosaic']
    np.testing.assert_array_equal(mosaic, stored.numpy().ravel())
