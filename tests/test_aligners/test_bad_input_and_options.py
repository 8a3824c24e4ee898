"""What every aligner and flow estimator makes of unusable images, and the options beyond the paper."""

import pytest
import torch
from skimage import data
from torch import nn

from rawtoolbox.aligners import FlowAligner, HomographyAligner, IdentityAligner
from rawtoolbox.flow import RAFT, DISFlow, PWCNet
from rawtoolbox.ops.coord import coord_map
from rawtoolbox.ops.warp import backward_warp

ESTIMATORS = {
    'dis': DISFlow,
    'pwcnet': lambda: PWCNet(weights=None),
    'raft': lambda: RAFT(weights=None, num_updates=1),
}


class Identical(nn.Module):
    """A colour mapper without parameters."""

    def forward(self, source, target, coord):
        return source


@pytest.fixture(scope='module', params=ESTIMATORS)
def estimator(request):
    torch.manual_seed(0)
    return ESTIMATORS[request.param]()


@pytest.fixture(params=['raw', 'mapped', 'fitted', 'homography'])
def aligner(request):
    if request.param == 'homography':
        return HomographyAligner()
    reference = 'raw' if request.param == 'fitted' else request.param
    return FlowAligner(DISFlow('fast'), Identical(), reference, colour_fit=request.param == 'fitted')


@pytest.fixture(scope='module')
def moved():
    """A source in the phone's colours, a target that is moved by (3, -2) of 6 pixels at most, and coordinates."""
    photo = torch.from_numpy(data.astronaut()[100:196, 100:228] / 255).permute(2, 0, 1).float()[None]
    flow = torch.tensor([3.0, -2.0]).view(1, 2, 1, 1).expand(1, 2, 96, 128)
    source = 0.3 * photo**2.2 * torch.tensor([0.45, 1.0, 0.6]).view(3, 1, 1)
    return source, backward_warp(photo, -flow)[0], coord_map(96, 128)[None], flow, photo


def test_estimators_refuse_images_of_different_sizes(estimator):
    with pytest.raises(ValueError, match=r'second: expected the shape \(1 3 64 64\), found \(1 3 64 56\)'):
        estimator(torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 56))


def test_estimators_on_flat_and_narrow_images(estimator):
    """Finite, whatever they find; a size below the network's stride is enlarged or refused."""
    flat = torch.full((1, 3, 24, 40), 0.5)
    with torch.no_grad():
        assert estimator(flat, flat).isfinite().all()
        try:
            assert estimator(flat[..., :9, :9], flat[..., :9, :9]).isfinite().all()
        except ValueError as error:
            assert 'at least' in str(error) and 'use larger crops' in str(error)


def test_estimators_do_not_hide_nan(estimator):
    """An error, or NaN: never a plausible flow."""
    image = torch.rand(1, 3, 64, 64)
    broken = image * torch.nan
    try:
        with torch.no_grad():
            assert estimator(broken, image).isnan().any()
    except ValueError as error:
        assert 'NaN' in str(error)


def test_aligners_refuse_nan(aligner, moved):
    source, target, coord, *_ = moved
    for broken in ((source * torch.nan, target), (source, target.clone().fill_(torch.inf))):
        with pytest.raises(ValueError, match='values are NaN or infinite'):
            aligner(*broken, coord)


def test_aligners_leave_flat_pairs_as_they_are(aligner):
    flat, coord = torch.full((1, 3, 32, 48), 0.2), coord_map(32, 48)[None]
    if isinstance(aligner, HomographyAligner):
        with pytest.warns(UserWarning, match='it is flat, or too small'):
            aligned = aligner(flat, flat, coord)
    else:
        aligned = aligner(flat, flat, coord)
    assert (
        aligned.flow.abs().max() < 0.5
    )  # fitted colours are flat up to rounding, which DIS takes for texture
    torch.testing.assert_close(aligned.target, flat * aligned.mask, atol=1e-3, rtol=0)
    assert aligned.mask[..., 1:-1, 1:-1].all()


def test_aligners_refuse_batches_that_do_not_fit(aligner, moved):
    source, target, coord, *_ = moved
    with pytest.raises(ValueError, match=r'target: expected the shape \(1 3 _ _\)'):
        aligner(source, target.expand(2, -1, -1, -1), coord)
    with pytest.raises(ValueError, match=r'source: expected the shape \(N 3 H W\)'):
        aligner(source[:, :1], target, coord)


def test_identity_takes_anything(moved):
    broken = moved[1] * torch.nan
    assert IdentityAligner()(moved[0], broken).target.isnan().all()  # nothing is computed, nothing is hidden


def test_colour_fit_finds_what_colours_hid(moved):
    """With plain luma, which takes the wrong colours for motion."""
    source, target, coord, flow, _ = moved
    errors = []
    for passes in (0, 1, 2):
        aligner = FlowAligner(DISFlow(window=None), reference='raw', colour_fit=passes)
        aligned = aligner(source, target, coord)
        inside = (aligned.mask[:, 0] > 0) & (target.amin(1) > 0)
        errors.append((aligned.flow - flow).norm(dim=1)[inside].mean())
    assert max(errors[1:]) < 0.6 * errors[0]
    assert aligned.mapped is None and aligner.loss(aligned) == {}


def test_consistency_leaves_out_what_does_not_return(moved):
    """The flow of the second call, back, is wrong in the left half."""
    source, target, coord, flow, _ = moved

    class ThereAndBack(nn.Module):
        calls = 0

        def forward(self, first, second):
            self.calls += 1
            if self.calls == 1:
                return flow
            wrong = -flow.clone()
            wrong[..., :64] = 20
            return wrong

    aligned = FlowAligner(ThereAndBack(), reference='raw', consistency=True)(source, target, coord)
    columns = aligned.mask[0, 0, 2:].mean(0)
    assert (columns[:61] == 0).all() and (columns[61:125] == 1).all() and (columns[125:] == 0).all()
    assert not aligned.target[..., :61].any()


def test_consistency_at_a_larger_target(moved):
    source, target, coord, *_ = moved
    large = torch.nn.functional.interpolate(target, scale_factor=2, mode='bilinear')
    plain, careful = (
        FlowAligner(DISFlow('fast'), reference='raw', consistency=flag)(source, large, coord)
        for flag in (False, True)
    )
    assert careful.mask.shape == large[:, :1].shape and torch.equal(careful.flow, plain.flow)
    assert (careful.mask <= plain.mask).all() and 0.5 < careful.mask.mean() < plain.mask.mean()


def test_options_say_what_is_wrong():
    with pytest.raises(ValueError, match='colour_fit: expected a number of passes of at least 0, found -1'):
        FlowAligner(DISFlow(), reference='raw', colour_fit=-1)
