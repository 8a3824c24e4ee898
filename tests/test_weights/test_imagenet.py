import hashlib
import os
import re

import pytest
import torch
from safetensors.torch import save_file

from rawtoolbox.weights import imagenet

FEATURES = {'features.0.weight': torch.rand(2, 3, 3, 3), 'features.0.bias': torch.rand(2)}


@pytest.fixture(autouse=True)
def nowhere(tmp_path, monkeypatch):
    """No weights in any place, and no download."""
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'home'))
    monkeypatch.setenv('RAWTOOLBOX_OFFLINE', '1')
    monkeypatch.delenv('RAWTOOLBOX_WEIGHTS', raising=False)


def test_files_are_torchvisions():
    import torchvision  # after rawtoolbox, which mends it on a CPU-only torch

    weights = torchvision.models
    official = {
        'alexnet': weights.AlexNet_Weights.IMAGENET1K_V1,
        'vgg16': weights.VGG16_Weights.IMAGENET1K_V1,
        'vgg19': weights.VGG19_Weights.IMAGENET1K_V1,
    }
    assert {name: entry.url for name, entry in official.items()} == {
        name: imagenet.URL + file for name, file in imagenet.OFFICIAL_FILES.items()
    }


def test_official_file_in_a_named_folder(tmp_path, monkeypatch):
    folder = tmp_path / 'mine'
    folder.mkdir()
    torch.save(FEATURES | {'classifier.0.weight': torch.rand(2)}, folder / 'vgg19-dcbb9e9d.pth')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', os.pathsep.join([str(tmp_path / 'absent'), str(folder)]))
    assert imagenet.find_weights('vgg19') == folder / 'vgg19-dcbb9e9d.pth'
    loaded = imagenet.load_weights('vgg19')
    assert loaded.keys() == FEATURES.keys()
    assert torch.equal(loaded['features.0.weight'], FEATURES['features.0.weight'])


def test_half_precision_features(tmp_path, monkeypatch):
    save_file(
        {key: value.half() for key, value in FEATURES.items()}, tmp_path / 'vgg16_features_fp16.safetensors'
    )
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    loaded = imagenet.load_weights('vgg16')
    assert all(value.dtype == torch.float32 for value in loaded.values())
    with pytest.raises(FileNotFoundError):
        imagenet.find_weights('vgg19')


def test_hub_cache(tmp_path):
    folder = tmp_path / 'home' / 'hub' / 'checkpoints'
    folder.mkdir(parents=True)
    torch.save(FEATURES, folder / 'alexnet-owt-7be5be79.pth')
    assert imagenet.find_weights('alexnet') == folder / 'alexnet-owt-7be5be79.pth'


def test_message_says_what_to_put_where(tmp_path):
    with pytest.raises(FileNotFoundError) as caught:
        imagenet.find_weights('vgg19')
    message = str(caught.value)
    assert '\n' not in message
    for part in (
        'vgg19-dcbb9e9d.pth',
        imagenet.URL,
        '$RAWTOOLBOX_WEIGHTS',
        str(tmp_path / 'home'),
        'RAWTOOLBOX_OFFLINE',
    ):
        assert part in message


@pytest.mark.parametrize('variable', ['RAWTOOLBOX_OFFLINE', 'HF_HUB_OFFLINE'])
def test_either_variable_forbids_the_download(variable, monkeypatch):
    monkeypatch.delenv('RAWTOOLBOX_OFFLINE')
    monkeypatch.delenv('HF_HUB_OFFLINE', raising=False)
    monkeypatch.setenv(variable, '1')
    monkeypatch.setattr(imagenet, 'download', lambda *_: pytest.fail('tried to download'))
    with pytest.raises(FileNotFoundError, match=variable):
        imagenet.find_weights('vgg16')


def test_no_connection(monkeypatch):
    monkeypatch.delenv('RAWTOOLBOX_OFFLINE')
    monkeypatch.delenv('HF_HUB_OFFLINE', raising=False)
    monkeypatch.setattr(imagenet, 'URL', 'http://127.0.0.1:9/')
    with pytest.raises(FileNotFoundError, match='download failed'):
        imagenet.find_weights('vgg16')


def test_unknown_name():
    with pytest.raises(KeyError, match='Known: alexnet, vgg16, vgg19'):
        imagenet.find_weights('vgg11')


def test_download_checks_the_hash(tmp_path):
    content = os.urandom(3000)
    right = tmp_path / f'net-{hashlib.sha256(content).hexdigest()[:8]}.pth'
    wrong = tmp_path / 'net-00000000.pth'
    for source in (right, wrong):
        source.write_bytes(content)
    goal = tmp_path / 'cache' / 'net.pth'
    imagenet.download(right.as_uri(), goal)
    assert goal.read_bytes() == content
    goal.unlink()
    with pytest.raises(ValueError, match='starts with 00000000'):
        imagenet.download(wrong.as_uri(), goal)
    assert list(goal.parent.iterdir()) == []


@pytest.mark.parametrize('file', ['vgg16-397923af.pth', 'vgg16_features.safetensors'])
def test_damaged_file(file, tmp_path, monkeypatch):
    (tmp_path / file).write_bytes(b'not weights')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    with pytest.raises(ValueError, match=re.escape(f'{tmp_path / file} cannot be read')):
        imagenet.load_weights('vgg16')


def test_foreign_keys(tmp_path, monkeypatch):
    save_file({'conv1.weight': torch.rand(2)}, tmp_path / 'vgg16_features.safetensors')
    monkeypatch.setenv('RAWTOOLBOX_WEIGHTS', str(tmp_path))
    with pytest.raises(ValueError, match=r'expected torchvision.s keys'):
        imagenet.load_weights('vgg16')
