"""Losses on several images of several sizes against one target."""

import pytest
import torch
import torch.nn.functional as F
from mmengine.registry import DefaultScope
from torch import nn

from rawtoolbox.models import RawRestorer
from rawtoolbox.models.supervision import fit_references, fit_target
from rawtoolbox.registry import BACKBONES

L1 = {'l1': {'type': 'L1Loss'}}


class Pyramid(nn.Module):
    """Gives the demosaicked green at three sizes, times a weight."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.ones(()))

    def forward(self, raw, coord=None):
        return self.forward_heads(raw)[0]

    def forward_heads(self, raw):
        image = self.gain * F.interpolate(raw[:, 1:2].expand(-1, 3, -1, -1), scale_factor=2)
        return [image, F.avg_pool2d(image, 2), F.avg_pool2d(image, 8)]


@pytest.fixture(autouse=True)
def known_backbone():
    BACKBONES.register_module(name='Pyramid', module=Pyramid, force=True)
    with DefaultScope.overwrite_default_scope('rawtoolbox'):
        yield
    BACKBONES.module_dict.pop('Pyramid')


def batch():
    generator = torch.Generator().manual_seed(0)
    mosaic = torch.randint(63, 1020, (2, 1, 32, 32), generator=generator).to(torch.uint16)
    target = torch.randint(0, 256, (2, 3, 32, 32), generator=generator).to(torch.uint8)
    return {'inputs': {'mosaic': mosaic}, 'data_samples': {'target': target}}


def losses_of(**arguments):
    model = RawRestorer(backbone={'type': 'Pyramid'}, losses=L1, **arguments)
    data = model.data_preprocessor(batch())
    return model, data, model(**data, mode='loss')


def test_every_head_has_its_losses_and_its_own_target():
    model, data, losses = losses_of(
        head_losses=[L1, {'mse': {'type': 'MSELoss', 'weight': 2.0}}], target_resize='nearest'
    )
    images, target = model.backbone.forward_heads(data['inputs']['raw']), data['data_samples']['target']
    expected = {
        'loss_l1': F.l1_loss(images[0], target),
        'loss_l1_1': F.l1_loss(images[1], target[..., ::2, ::2]),
        'loss_mse_2': 2 * F.mse_loss(images[2], target[..., ::8, ::8]),
    }
    assert losses.keys() == expected.keys()
    assert all(torch.equal(losses[name], expected[name]) for name in expected)


def test_without_head_losses_the_heads_are_not_run():
    assert set(losses_of()[2]) == {'loss_l1'}


def test_as_many_losses_as_heads_are_asked_for():
    with pytest.raises(ValueError, match='each of the 2 further images of Pyramid, found 1'):
        losses_of(head_losses=[L1])


def test_head_losses_need_a_backbone_with_heads():
    with pytest.raises(ValueError, match='head_losses: LiteISPNet gives one image only'):
        RawRestorer(backbone={'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1}, head_losses=[L1])


def test_bilinear_targets_are_low_pass_filtered_and_valid_where_all_of_them_is():
    target = torch.rand(1, 3, 16, 16)
    mask = torch.ones(1, 1, 16, 16)
    mask[..., :7] = 0
    small, valid = fit_target(target, mask, (4, 4))
    assert torch.allclose(small, F.interpolate(target, (4, 4), mode='bilinear', antialias=True))
    assert valid[0, 0, 0].tolist() == [0, 0, 0, 1]  # the filter reaches two pixels beyond a cell
    assert fit_target(target, mask, (16, 16)) == (target, mask)


def test_official_targets_are_resized_between_aligned_corners():
    target, mask = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    small, _ = fit_target(target, mask, (4, 4), 'official')
    assert torch.allclose(small, F.interpolate(target, (4, 4), mode='bilinear', align_corners=True))


def test_a_small_prediction_is_scored_at_its_size():
    target, mask = torch.rand(1, 3, 16, 16), torch.ones(1, 1, 16, 16)
    whole = {
        'target': target,
        'aligned_target': target,
        'aligned_mask': mask,
        'exact_target': None,
        'flow': mask,
    }
    small = fit_references(whole, (8, 8))
    assert small['target'].shape == small['aligned_target'].shape == (1, 3, 8, 8)
    assert small['aligned_mask'].eq(1).all()
    assert small['exact_target'] is None
    assert small['flow'] is mask
    assert fit_references(whole, (16, 16)) is whole
