import pytest
import torch
from torch import nn

from rawtoolbox.backbones.raw_input import RawInput
from rawtoolbox.models import RawRestorer
from rawtoolbox.ops.bayer import bayer_mosaic

SIZE = 32


class Shifted(nn.Module):
    """A flow estimator that always answers one pixel to the right."""

    def forward(self, first, second):
        return (
            torch.tensor([1.0, 0.0], device=first.device)
            .view(1, 2, 1, 1)
            .expand(len(first), 2, *first.shape[-2:])
        )


def restorer(reference='mapped', **arguments):
    torch.manual_seed(0)
    aligner = {'type': 'FlowAligner', 'flow_estimator': Shifted(), 'reference': reference}
    if reference == 'mapped':
        aligner['colour_mapper'] = {'type': 'GCM', 'width': 8}
    return RawRestorer(
        **{
            'backbone': {'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1},
            'aligner': aligner,
            'losses': {'l1': {'type': 'L1Loss', 'weight': 2.0}, 'none': None},
            **arguments,
        }
    )


def batch(truth=False):
    torch.manual_seed(1)
    scene = torch.rand(2, 3, SIZE, SIZE)
    samples = {'target': (scene * 255).round().to(torch.uint8)}
    samples['meta'] = {
        'name': ['a', 'b'],
        'origin': [torch.zeros(2)] * 2,
        'frame_size': [torch.full((2,), SIZE)] * 2,
    }
    if truth:
        samples |= {'aligned': samples['target'], 'flow': torch.zeros(2, 2, SIZE, SIZE)}
        samples['flow_valid'] = torch.ones(2, 1, SIZE, SIZE)
    return {
        'inputs': {'mosaic': (bayer_mosaic(scene) * 957 + 63).round().to(torch.uint16)},
        'data_samples': samples,
    }


def run(model, mode, **kwargs):
    return model(**model.data_preprocessor(batch(**kwargs)), mode=mode)


def test_tensor_is_the_backbones_image():
    model = restorer()
    data = model.data_preprocessor(batch())
    image = model(**data, mode='tensor')
    assert image.shape == (2, 3, SIZE, SIZE)
    assert torch.equal(image, model.backbone(data['inputs']['raw'], data['inputs']['coord']))


def test_loss_compares_with_the_target_where_the_flow_found_it():
    """The aligned target is the target moved by one pixel; the last column is masked and counts as zero."""
    model = restorer('raw')
    data = model.data_preprocessor(batch())
    losses = model(**data, mode='loss')
    pred, target = model(**data, mode='tensor'), data['data_samples']['target']
    expected = (pred[..., :-1] - target[..., 1:]).abs().sum() / pred.numel() * 2
    assert losses.keys() == {'loss_l1'}
    assert torch.allclose(losses['loss_l1'], expected)


def test_both_networks_learn_and_the_flow_estimator_does_not():
    model = restorer()
    losses = run(model, 'loss')
    assert losses.keys() == {'loss_l1', 'loss_gcm'}
    sum(losses.values()).backward()
    without = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum() > 0]
    assert [name for name in without if not name.endswith('bias')] == []
    assert not any('flow_estimator' in name for name in model.state_dict())


def test_colour_mappers_loss_leaves_the_backbone_alone():
    model = restorer()
    run(model, 'loss')['loss_gcm'].backward()
    assert all(p.grad is None for p in model.backbone.parameters())


def test_without_an_aligner_the_target_is_taken_as_it_is():
    model = restorer(aligner=None)
    data = model.data_preprocessor(batch())
    expected = 2 * (model(**data, mode='tensor') - data['data_samples']['target']).abs().mean()
    assert torch.allclose(model(**data, mode='loss')['loss_l1'], expected)


def test_prediction_carries_what_is_compared_and_drawn():
    outputs = run(restorer().eval(), 'predict', truth=True)
    assert [output['name'] for output in outputs] == ['a', 'b']
    images = {'pred', 'baseline', 'target', 'aligned_target', 'mapped', 'exact_target'}
    for output in outputs:
        assert all(output[key].shape == (3, SIZE, SIZE) for key in images)
        assert output['pred'].min() >= 0 and output['pred'].max() <= 1
        assert (
            output['flow'].shape == output['true_flow'].shape == output['flow_raw'].shape == (2, SIZE, SIZE)
        )
        assert output['aligned_mask'].shape == output['flow_valid'].shape == (1, SIZE, SIZE)


def test_prediction_needs_no_target():
    model = restorer().eval()
    data = model.data_preprocessor({'inputs': batch()['inputs']})
    output = model(**data, mode='predict')[1]
    assert output['name'] == '1'
    assert output['pred'].shape == (3, SIZE, SIZE)


@pytest.mark.parametrize('reference', ['output', None])
def test_nothing_counts_as_aligned_with_the_raw_when_nothing_was(reference):
    aligner = {'aligner': {'type': 'IdentityAligner'}} if reference is None else {}
    output = run(restorer(reference or 'raw', **aligner).eval(), 'predict')[0]
    assert 'aligned_target' not in output
    assert 'target' in output


def test_untrained_aligner_of_a_published_backbone_is_not_used():
    model = restorer().eval()
    model.note_loaded({'backbone.head.weight'}, 'published')
    assert 'aligned_target' not in run(model, 'predict')[0]
    run(model, 'loss')  # fine-tuning from it trains the aligner
    assert 'aligned_target' in run(model, 'predict')[0]
    model.note_loaded({'backbone.head.weight', 'aligner.colour_mapper.tail.weight'}, 'epoch_1.pth sha256:1')
    output = run(model, 'predict')[0]
    assert 'aligned_target' in output
    assert output['aligner'] == 'epoch_1.pth sha256:1'


def test_ensemble_of_a_pointwise_network_is_the_network():
    """A network that treats every pixel alike gives the same image from every flip."""

    class Pointwise(nn.Module):
        raw_input = RawInput()

        def forward(self, raw, coord=None):
            return nn.functional.interpolate(raw[:, [2, 1, 0]], scale_factor=2)

    plain = restorer(backbone=Pointwise()).eval()
    turned = restorer(backbone=Pointwise(), tta=True).eval()
    first, second = run(plain, 'predict')[0]['pred'], run(turned, 'predict')[0]['pred']
    assert not torch.equal(first, second)  # planes are half a pixel off after a flip, by construction
    assert torch.allclose(first.mean(), second.mean(), atol=2e-2)


def test_ensemble_of_a_demosaicker_is_the_demosaicker():
    """Bilinear demosaicking commutes with the flips, away from the row and column that they lose."""
    from rawtoolbox.ops.bayer import unpack_mosaic
    from rawtoolbox.ops.demosaic import demosaic_bilinear

    class Demosaicker(nn.Module):
        def forward(self, raw, coord=None):
            return demosaic_bilinear(unpack_mosaic(raw))

    first = run(restorer(backbone=Demosaicker()).eval(), 'predict')[0]['pred']
    second = run(restorer(backbone=Demosaicker(), tta=True).eval(), 'predict')[0]['pred']
    inner = (slice(None), slice(2, -3), slice(2, -3))
    assert torch.allclose(first[inner], second[inner], atol=1e-5)


def test_ensemble_needs_a_packed_backbone():
    class Other(nn.Module):
        raw_input = RawInput(layout='plane_resized', scale=1)

        def forward(self, raw, coord=None):
            return raw

    with pytest.raises(ValueError, match='x8 ensemble needs'):
        run(restorer(backbone=Other(), tta=True).eval(), 'predict')


def test_another_mode_is_refused():
    with pytest.raises(ValueError, match="mode is 'tensor', 'loss' or 'predict'"):
        run(restorer(), 'train')


def test_plugin_without_a_declared_input_gets_the_default():
    model = restorer(backbone=nn.Sequential(nn.Conv2d(4, 12, 1), nn.PixelShuffle(2)))
    assert model.data_preprocessor.raw_input == RawInput()
