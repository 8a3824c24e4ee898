import golden_tools
import pytest
import torch
import torch.nn.functional as F

from rawtoolbox.losses import GANLoss, adversarial, discriminator_loss, generator_loss
from rawtoolbox.registry import LOSSES

GOLDEN = golden_tools.load('losses')
FAKE, REAL = (torch.from_numpy(GOLDEN.arrays[f'gan.in.pred_{kind}']).double() for kind in ('fake', 'real'))
FORMS = {'lsgan': 'lsgan', 'vanilla': 'vanilla', 'wgan': 'wgangp'}


@pytest.mark.parametrize('form', FORMS)
def test_official_values(form):
    expected = GOLDEN.meta['gan']['values'][FORMS[form]]
    found = {
        'fake_as_fake': adversarial(FAKE, False, form),
        'fake_as_real': generator_loss(FAKE, form),
        'real_as_real': adversarial(REAL, True, form),
        'real_as_fake': adversarial(REAL, False, form),
        'total_D': discriminator_loss(FAKE, REAL, form),
    }
    # stored from a float32 run
    assert {key: value.item() for key, value in found.items()} == pytest.approx(expected, rel=1e-6)


@pytest.mark.parametrize('form', FORMS)
def test_class_is_the_functions(form):
    loss = LOSSES.build({'type': 'GANLoss', 'weight': 0.01, 'form': form})
    torch.testing.assert_close(loss.generator(FAKE), 0.01 * generator_loss(FAKE, form))
    torch.testing.assert_close(loss.discriminator(FAKE, REAL), discriminator_loss(FAKE, REAL, form))


def test_best_logits():
    ones, zeros = torch.ones(2, 1, 3, 3), torch.zeros(2, 1, 3, 3)
    assert generator_loss(ones) == 0
    assert discriminator_loss(zeros, ones) == 0
    assert generator_loss(zeros) == 1


def test_relativistic_average():
    loss = GANLoss(form='vanilla', relativistic=True)
    more_fake, more_real = FAKE - REAL.mean(), REAL - FAKE.mean()
    one, zero = torch.ones_like(FAKE), torch.zeros_like(FAKE)
    bce = F.binary_cross_entropy_with_logits
    generator = (bce(more_real, zero) + bce(more_fake, one)) / 2
    discriminator = (bce(more_real, one) + bce(more_fake, zero)) / 2
    torch.testing.assert_close(loss.generator(FAKE, REAL), generator)
    torch.testing.assert_close(loss.discriminator(FAKE, REAL), discriminator)


def test_only_differences_matter_to_a_relativistic_loss():
    loss = GANLoss(form='vanilla', relativistic=True)
    torch.testing.assert_close(loss.discriminator(FAKE + 5, REAL + 5), loss.discriminator(FAKE, REAL))


def test_the_generator_leaves_the_photographs_alone():
    real = REAL.clone().requires_grad_()
    fake = FAKE.clone().requires_grad_()
    GANLoss(form='vanilla', relativistic=True).generator(fake, real).backward()
    assert real.grad is None
    assert fake.grad.abs().sum() > 0


def test_spatial_mean():
    loss = GANLoss(spatial_mean=True)
    pooled = FAKE.mean(dim=(1, 2, 3))
    torch.testing.assert_close(loss.generator(FAKE), ((pooled - 1) ** 2).mean())
    assert loss.generator(FAKE) < GANLoss().generator(FAKE)  # the variance within an image is not punished


def test_half_precision():
    assert generator_loss(FAKE.bfloat16()).dtype == torch.float32


def test_wrong_arguments():
    with pytest.raises(ValueError, match="expected 'lsgan', 'vanilla' or 'wgan', found 'hinge'"):
        GANLoss(form='hinge')
    with pytest.raises(ValueError, match='real: a relativistic loss compares'):
        GANLoss(relativistic=True).generator(FAKE)
