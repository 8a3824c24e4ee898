"""Alignment with a flow estimator that knows the answer."""

import pytest
import torch
from golden_tools import assert_close32, expected32, fill, inputs, load
from skimage import data
from torch import nn

from rawtoolbox.aligners import GCM, FlowAligner, IdentityAligner
from rawtoolbox.flow import DISFlow, PWCNet
from rawtoolbox.losses.pixel import masked_l1
from rawtoolbox.ops.colour import gamma_encode
from rawtoolbox.registry import ALIGNERS
from rawtoolbox.weights.official import pwcnet_key


class ConstantFlow(nn.Module):
    """A flow that is the same everywhere, and a record of what it was shown."""

    def __init__(self, x=0, y=0):
        super().__init__()
        self.vector = nn.Parameter(torch.tensor([float(x), float(y)]))

    def forward(self, first, second):
        self.seen = first, second
        assert not torch.is_grad_enabled() and not torch.is_autocast_enabled(first.device.type)
        return self.vector.view(1, 2, 1, 1).expand(len(first), 2, *first.shape[-2:]).to(first)


class Darker(nn.Module):
    """A colour mapper with one parameter."""

    def __init__(self):
        super().__init__()
        self.gain = nn.Parameter(torch.tensor(0.5))

    def forward(self, source, target, coord):
        return source * self.gain


@pytest.fixture
def pair():
    """Source, target and coordinates; the target is the encoded source, moved by (2, -1), and darker."""
    torch.manual_seed(0)
    encoded = torch.rand(2, 3, 12, 16) * 0.9 + 0.1
    return encoded**2.2, 0.5 * encoded.roll((-1, 2), (2, 3)), torch.zeros(2, 2, 12, 16)


def test_aligned_target_lies_on_the_source(pair):
    source, target, coord = pair
    aligned = FlowAligner(ConstantFlow(2, -1), Darker())(source, target, coord)
    assert aligned.mask[:, :, 1:, :-2].all() and not aligned.mask[:, :, 0].any()
    assert not aligned.mask[..., -2:].any() and aligned.mask.shape == (2, 1, 12, 16)
    torch.testing.assert_close(aligned.target, 0.5 * gamma_encode(source) * aligned.mask)
    torch.testing.assert_close(aligned.mapped, 0.5 * gamma_encode(source))
    assert aligned.flow[0, :, 5, 5].tolist() == [2, -1]


def test_only_the_colour_mapper_learns(pair):
    source, target, coord = (tensor.clone().requires_grad_() for tensor in pair)
    prediction = torch.rand_like(target).requires_grad_()
    flow = ConstantFlow(2, -1)
    aligner = FlowAligner(flow, Darker())
    aligned = aligner(source, target, coord, prediction)
    assert (
        not aligned.target.requires_grad and not aligned.mask.requires_grad and not aligned.flow.requires_grad
    )
    sum(aligner.loss(aligned).values()).backward()
    assert aligner.colour_mapper.gain.grad is not None
    assert all(tensor.grad is None for tensor in (source, target, prediction, flow.vector))
    assert [name for name, _ in aligner.named_parameters()] == ['colour_mapper.gain']
    assert list(aligner.state_dict()) == ['colour_mapper.gain']
    aligner.train()
    assert not flow.training


@pytest.mark.parametrize('form', ['official', 'masked_mean'])
def test_loss_is_eq_5(pair, form):
    source, target, coord = pair
    aligner = FlowAligner(ConstantFlow(2, -1), Darker(), loss_form=form)
    aligner.colour_mapper.gain.data.fill_(0.8)
    aligned = aligner(source, target, coord)
    (loss,) = aligner.loss(aligned).values()
    difference = 0.3 * gamma_encode(source) * aligned.mask
    count = difference.numel() if form == 'official' else 3 * aligned.mask.sum()
    torch.testing.assert_close(loss, difference.sum() / count)


def test_what_the_flow_starts_from(pair):
    source, target, coord = pair
    encoded, prediction = gamma_encode(source), torch.rand(2, 3, 12, 16) * 2 - 0.5
    expected = {
        'mapped': 0.5 * encoded,
        'raw': encoded * target.mean((1, 2, 3), keepdim=True) / encoded.mean((1, 2, 3), keepdim=True),
        'output': prediction.clamp(0, 1),
    }
    for reference, image in expected.items():
        flow = ConstantFlow()
        aligned = FlowAligner(flow, Darker(), reference=reference)(source, target, coord, prediction)
        torch.testing.assert_close(flow.seen[0], image)
        assert torch.equal(flow.seen[1], target) and aligned.mapped is not None


def test_without_a_colour_mapper(pair):
    aligner = FlowAligner(ConstantFlow(), reference='raw')
    aligned = aligner(*pair)
    assert aligned.mapped is None and aligner.loss(aligned) == {}


def test_larger_target_is_warped_at_its_own_size():
    """Supplement E: the flow is found at the source's size and enlarged."""
    torch.manual_seed(0)
    target = torch.rand(1, 3, 32, 48)
    source, coord = torch.rand(1, 3, 8, 12), torch.zeros(1, 2, 8, 12)
    flow = ConstantFlow(1, -2)
    aligner = FlowAligner(flow, Darker())
    aligned = aligner(source, target, coord)
    assert flow.seen[1].shape == (1, 3, 8, 12)
    assert aligned.flow.shape == (1, 2, 8, 12) and aligned.mapped.shape == (1, 3, 8, 12)
    torch.testing.assert_close(aligned.target[..., 8:, :-4], target[..., :-8, 4:])
    assert aligned.mask[..., 8:, :-4].all() and aligned.mask.sum() == 24 * 44
    loss = aligner.loss(aligned)['loss_gcm']
    assert loss.isfinite() and loss > 0


def test_loss_of_a_larger_target_looks_at_whole_pixels_only():
    aligner = FlowAligner(ConstantFlow(0.5, 0), Darker())
    aligner.colour_mapper.gain.data.fill_(1.0)
    grey = torch.full((1, 3, 8, 12), 0.25)
    aligned = aligner(grey, gamma_encode(torch.full((1, 3, 16, 24), 0.25)), torch.zeros(1, 2, 8, 12))
    assert aligner.loss(aligned)['loss_gcm'] < 1e-6  # not pulled down by the zeros outside the mask


def test_scaling_and_eps_reach_the_warp(pair):
    source, target, coord = pair
    results = [
        FlowAligner(ConstantFlow(1.25, 0), Darker(), **options)(source, target, coord)
        for options in ({}, {'scaling': 'official'}, {'eps': 0.3})
    ]
    assert not torch.equal(results[0].target, results[1].target)
    assert [int(result.mask[0].sum()) for result in results] == [12 * 14, 12 * 14, 12 * 15]


def test_equals_the_official_alignment():
    """Official flow, warp and mask behind one call (BaseModel.get_backwarp)."""
    golden = load('flow_wrapper')
    network = fill(PWCNet(None), golden, pwcnet_key)
    first, second = inputs(golden, 'c1', torch.float32).values()
    aligner = FlowAligner(network, reference='output', scaling='official')
    aligned = aligner(torch.zeros_like(first), second, None, first)
    expected = expected32(golden, 'c1')
    assert_close32(aligned.flow, expected['flow'])
    assert torch.equal(aligned.mask, expected['mask'])
    assert_close32(aligned.target, expected['warped'])


def test_from_a_config_on_a_photograph():
    """DIS finds a known shift through the GCM and the target is put back."""
    photograph = torch.from_numpy(data.chelsea()[100:196, 100:228] / 255).permute(2, 0, 1).float()[None]
    config = {
        'type': 'FlowAligner',
        'flow_estimator': {'type': 'DISFlow'},
        'colour_mapper': {'type': 'GCM', 'width': 8, 'coord': False},
    }
    aligner = ALIGNERS.build(config)
    assert isinstance(aligner.flow_estimator.estimator, DISFlow) and isinstance(aligner.colour_mapper, GCM)
    nn.init.zeros_(aligner.colour_mapper.tail.weight)
    nn.init.zeros_(aligner.colour_mapper.tail.bias)
    target = photograph.roll((3, -4), (2, 3))
    aligned = aligner(photograph**2.2, target, None)
    inside = aligned.mask.clone()
    inside[..., :6, :], inside[..., -6:, :], inside[..., :6], inside[..., -6:] = 0, 0, 0, 0
    before, after = masked_l1(target, photograph, inside), masked_l1(aligned.target, photograph, inside)
    assert after < 0.1 * before


def test_half_precision_training_keeps_flow_and_warp_exact(pair):
    source, target, coord = pair
    aligner = FlowAligner(ConstantFlow(2, -1), GCM(8))
    exact = aligner(source, target, coord)
    with torch.autocast('cpu', torch.bfloat16):
        half = aligner(source, target, coord)
    assert torch.equal(half.target, exact.target) and torch.equal(half.flow, exact.flow)
    assert not torch.equal(half.mapped, exact.mapped)
    assert aligner.loss(half)['loss_gcm'].dtype == torch.float32


def test_identity_changes_nothing(pair):
    source, target, coord = pair
    aligner = IdentityAligner()
    aligned = aligner(source, target.requires_grad_(), coord)
    assert torch.equal(aligned.target, target) and not aligned.target.requires_grad
    assert aligned.mask.shape == (2, 1, 12, 16) and aligned.mask.all()
    assert aligned.flow is None and aligned.mapped is None and aligner.loss(aligned) == {}


def test_says_what_is_wrong(pair):
    with pytest.raises(ValueError, match="expected one of mapped, raw, output, found 'gcm'"):
        FlowAligner(ConstantFlow(), reference='gcm')
    with pytest.raises(ValueError, match='needs a colour_mapper'):
        FlowAligner(ConstantFlow())
    with pytest.raises(ValueError, match="reference='output' needs the prediction"):
        FlowAligner(ConstantFlow(), reference='output')(*pair)
    with pytest.raises(ValueError, match=r'target: expected the shape \(2 3 _ _\)'):
        FlowAligner(ConstantFlow(), reference='raw')(pair[0], pair[1][:1], pair[2])


@pytest.mark.parametrize(('precision', 'dtype'), [('float32', torch.float32), ('bfloat16', torch.bfloat16)])
@pytest.mark.parametrize('amp', [False, True])
def test_flow_is_estimated_in_the_precision_asked_for_and_given_in_full(precision, dtype, amp):
    seen = []

    class Estimator(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = torch.nn.Conv2d(3, 2, 1)

        def forward(self, first, second):
            flow = self.layer(first)
            seen.append(flow.dtype)
            return flow

    aligner = FlowAligner(Estimator(), reference='raw', flow_precision=precision)
    images = torch.rand(2, 1, 3, 16, 16)
    with torch.autocast('cpu', torch.bfloat16, enabled=amp):
        aligned = aligner(*images, torch.zeros(1, 2, 16, 16))
    assert seen == [dtype]
    assert aligned.flow.dtype == aligned.target.dtype == torch.float32


def test_other_precisions_are_refused():
    with pytest.raises(ValueError, match="flow_precision: expected 'float32' or 'bfloat16', found 'float16'"):
        FlowAligner(torch.nn.Identity(), reference='raw', flow_precision='float16')


@pytest.mark.parametrize('clamp', [True, False])
def test_the_flow_is_shown_what_the_mapper_made_or_that_within_the_range(pair, clamp):
    source, target, coord = pair
    flow, bright = ConstantFlow(), Darker()
    bright.gain.data.fill_(2.0)
    FlowAligner(flow, bright, clamp=clamp)(source, target, coord)
    expected = 2 * gamma_encode(source)
    torch.testing.assert_close(flow.seen[0], expected.clamp(0, 1) if clamp else expected)


def test_official_resizing_reaches_flow_images_and_masks(pair):
    """As cszhilu1998/RAW-to-sRGB trains on SR-RAW: aligned corners, no filter, a soft mask."""
    source, _, coord = pair
    flow = ConstantFlow(0.5, 0)
    aligner = FlowAligner(flow, Darker(), resize='official')
    large = torch.rand(2, 3, 48, 64)
    aligned = aligner(source, large, coord)

    def resized(image):
        return torch.nn.functional.interpolate(image, (12, 16), mode='bilinear', align_corners=True)

    torch.testing.assert_close(flow.seen[1], resized(large))
    expected = (aligned.mapped * resized(aligned.mask) - resized(aligned.target)).abs().mean()
    torch.testing.assert_close(aligner.loss(aligned)['loss_gcm'], expected)
    with pytest.raises(ValueError, match="resize: expected 'antialiased' or 'official', found 'nearest'"):
        FlowAligner(flow, Darker(), resize='nearest')
