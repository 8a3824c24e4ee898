"""The U-Net over timm's encoders."""

import sys

import pytest
import torch

from rawtoolbox.backbones.timm_unet import TimmUNet, create_encoder

# resnet and mobilenet give five sizes; convnext four, the finest a quarter of the input's
ENCODERS = ['resnet18', 'mobilenetv3_small_050', 'convnext_atto']


@pytest.mark.parametrize('encoder', ENCODERS)
def test_any_encoder_and_any_size(encoder):
    torch.manual_seed(0)
    network = TimmUNet(encoder, width=8)
    image = network(torch.rand(2, 4, 37, 50))
    image.square().mean().backward()

    assert image.shape == (2, 3, 74, 100)
    assert image.isfinite().all()
    assert [name for name, p in network.named_parameters() if p.grad is None] == []


def test_padding_does_not_change_a_size_that_fits():
    torch.manual_seed(0)
    network = TimmUNet('mobilenetv3_small_050', width=8).eval()
    raw = torch.rand(1, 4, 32, 64)
    with torch.no_grad():
        whole, cut = network(raw), network(raw[..., :50])
    assert whole.shape == (1, 3, 64, 128)
    assert cut.shape == (1, 3, 64, 100)
    repeated = torch.cat([raw[..., :50], raw[..., 49:50].expand(-1, -1, -1, 14)], -1)
    with torch.no_grad():
        assert torch.equal(network(repeated)[..., :100], cut)


def test_unknown_encoder_is_answered_with_the_nearest():
    with pytest.raises(ValueError, match=r"timm knows no model 'resnett18'\. Did you mean .*resnet18"):
        TimmUNet('resnett18')


def test_encoder_of_one_size_is_refused():
    with pytest.raises(ValueError, match=r'vit_tiny_patch16_224 are reduced by \[16, 16, 16\]: choose'):
        create_encoder('vit_tiny_patch16_224')


def test_missing_timm_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, 'timm', None)
    with pytest.raises(ImportError, match='TimmUNet needs timm: pip install timm'):
        TimmUNet()
