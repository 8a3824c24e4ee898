import golden_tools
import pytest
import torch
import torch.nn.functional as F

from rawtoolbox.losses import CharbonnierLoss, L1Loss, charbonnier, masked_l1
from rawtoolbox.losses.pixel import masked_mean
from rawtoolbox.registry import LOSSES

GOLDEN = golden_tools.load('losses')
CASES = {case['id']: case for case in GOLDEN.meta['cases']}


def images(seed=0, shape=(2, 3, 6, 8)):
    generator = torch.Generator().manual_seed(seed)
    pred, target = (torch.rand(shape, generator=generator, dtype=torch.float64) for _ in range(2))
    mask = (torch.rand(shape[0], 1, *shape[2:], generator=generator) > 0.3).double()
    return pred, target, mask


@pytest.mark.parametrize('case', CASES)
def test_official_values(case):
    pred, target, mask = golden_tools.inputs(GOLDEN, case).values()
    values = CASES[case]['values_f64']
    assert masked_l1(pred, target).item() == pytest.approx(values['plain']['l1'], rel=1e-6)
    assert masked_l1(pred, target, mask).item() == pytest.approx(values['masked']['l1'], rel=1e-6)


def test_official_gradient():
    pred, target, _ = golden_tools.inputs(GOLDEN, 'c0').values()
    L1Loss()(pred.requires_grad_(), target).backward()
    golden_tools.assert_close(pred.grad, torch.from_numpy(GOLDEN.arrays['c0.grad.l1']))


def test_masked_mean_is_the_mean_over_valid_pixels():
    pred, target, mask = images()
    valid = mask.bool().expand_as(pred)
    expected = F.l1_loss(pred[valid], target[valid])
    assert masked_l1(pred, target, mask, form='masked_mean').item() == pytest.approx(expected.item())
    official = masked_l1(pred, target, mask).item()
    assert official == pytest.approx(expected.item() * mask.mean().item())


@pytest.mark.parametrize('form', ['official', 'masked_mean'])
@pytest.mark.parametrize('loss', [L1Loss, CharbonnierLoss])
def test_what_the_mask_hides_has_no_gradient(loss, form):
    pred, target, mask = images()
    loss(form=form)(pred.requires_grad_(), target, mask).backward()
    hidden = (mask == 0).expand_as(pred)
    assert (pred.grad[hidden] == 0).all()
    assert (pred.grad[~hidden] != 0).all()


def test_a_full_mask_changes_nothing():
    pred, target, mask = images()
    for form in ('official', 'masked_mean'):
        masked = masked_l1(pred, target, torch.ones_like(mask), form)
        torch.testing.assert_close(masked, masked_l1(pred, target))


def test_an_empty_mask_gives_zero():
    pred, target, mask = images()
    assert masked_l1(pred, target, 0 * mask, 'masked_mean') == 0
    assert charbonnier(pred, target, 0 * mask) == 0


def test_charbonnier():
    pred, target, _ = images()
    difference = (pred - target).numpy()
    expected = ((difference**2 + 1e-6) ** 0.5).mean()
    assert charbonnier(pred, target).item() == pytest.approx(expected)
    assert charbonnier(pred, pred, eps=0.01).item() == pytest.approx(0.01)
    pred = pred.requires_grad_()
    charbonnier(pred, pred.detach()).backward()
    assert torch.isfinite(pred.grad).all()


def test_half_precision_is_summed_in_float32():
    pred, target = torch.full((1, 3, 64, 64), 0.5).bfloat16(), torch.zeros(1, 3, 64, 64).bfloat16()
    loss = L1Loss()(pred, target, torch.ones(1, 1, 64, 64).bfloat16())
    assert loss.dtype == torch.float32
    assert loss.item() == 0.5


@pytest.mark.parametrize('kind', ['L1Loss', 'CharbonnierLoss'])
def test_weight_and_registry(kind):
    pred, target, mask = images()
    one, three = (LOSSES.build({'type': kind, 'weight': weight}) for weight in (1.0, 3.0))
    torch.testing.assert_close(three(pred, target, mask), 3 * one(pred, target, mask))


def test_wrong_arguments():
    pred, target, mask = images()
    with pytest.raises(ValueError, match=r'target: expected the shape \(2 3 6 8\), found \(2 3 6 7\)'):
        masked_l1(pred, target[..., :-1])
    with pytest.raises(ValueError, match=r'mask: expected the shape \(2 1 6 8\)'):
        masked_l1(pred, target, mask.expand_as(pred))
    with pytest.raises(ValueError, match="expected 'official' or 'masked_mean', found 'mean'"):
        masked_mean(pred, mask, form='mean')
