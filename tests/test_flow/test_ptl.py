"""Networks of ptlflow behind the adapter, with random weights: sizes, order of channels, and finite flows."""

import sys

import pytest
import torch

from rawtoolbox.flow import PtlFlow

NAMES = (
    *(
        'dip',
        'fastflownet',
        'flow1d',
        'flownetc',
        'flownets',
        'gma',
        'gmflow',
        'gmflownet',
        'irr_pwc',
        'lcv_raft',
    ),
    *('liteflownet', 'liteflownet2', 'neuflow', 'neuflow2', 'pwcnet', 'raft', 'raft_small', 'rapidflow'),
    *('rapidflow_it1', 'rpknet', 'scopeflow', 'sea_raft_s', 'skflow'),
)


def installed():
    try:
        import ptlflow
    except (ImportError, RuntimeError):  # RuntimeError: torchvision of another torch
        return None
    return ptlflow


@pytest.fixture(scope='module')
def ptlflow():
    return installed() or pytest.skip('ptlflow is not installed, or not what it needs')


@pytest.fixture(scope='module')
def images():
    return torch.rand(2, 1, 3, 66, 100, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize('name', NAMES)
def test_gives_a_flow_of_the_images_size(name, ptlflow, images):
    if name not in ptlflow.get_model_names():
        pytest.skip(f'this ptlflow has no {name}')
    torch.manual_seed(0)
    flow = PtlFlow(name, None).eval()(*images)
    assert flow.shape == (1, 2, 66, 100)
    assert flow.isfinite().all()


def test_the_network_sees_bgr(ptlflow, images):
    torch.manual_seed(0)
    estimator = PtlFlow('raft_small', None).eval()
    seen = []
    estimator.network.register_forward_pre_hook(lambda module, inputs: seen.append(inputs[0]['images']))
    estimator(*images)
    assert torch.equal(seen[0][0, 1, :, :66, :100], images[1, 0].flip(0))


def test_weights_come_from_a_local_file(ptlflow, images, tmp_path):
    torch.manual_seed(0)
    saved = PtlFlow('raft_small', None).eval()
    torch.save({'state_dict': saved.network.state_dict()}, tmp_path / 'raft_small.ckpt')
    loaded = PtlFlow('raft_small', tmp_path / 'raft_small.ckpt').eval()
    torch.testing.assert_close(loaded(*images), saved(*images))
    with pytest.raises(FileNotFoundError, match='expected a checkpoint of raft_small'):
        PtlFlow('raft_small', tmp_path / 'none.ckpt')
    with pytest.raises(ValueError, match='The weights in'):
        PtlFlow('raft', tmp_path / 'raft_small.ckpt')
    with pytest.raises(ValueError, match="found 'raft_tiny'"):
        PtlFlow('raft_tiny', None)


def test_says_how_to_install_it(monkeypatch):
    monkeypatch.setitem(sys.modules, 'ptlflow', None)
    with pytest.raises(ImportError, match='pip install --no-deps ptlflow'):
        PtlFlow('raft', None)
