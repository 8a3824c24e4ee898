"""Two sides trained by one backward pass, as if by two."""

import pytest
import torch
from mmengine.registry import DefaultScope

from rawtoolbox.losses import GANLoss
from rawtoolbox.models import GANRestorer

LOSSES = {'gan': {}, 'relativistic': {'relativistic': True, 'form': 'vanilla'}}


@pytest.fixture(params=LOSSES)
def model(request):
    torch.manual_seed(0)
    with DefaultScope.overwrite_default_scope('rawtoolbox'):
        return GANRestorer(
            backbone={'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1},
            losses={'l1': {'type': 'L1Loss'}},
            discriminator={'type': 'PatchDiscriminator', 'width': 4},
            gan_loss={'type': 'GANLoss', 'weight': 0.01, **LOSSES[request.param]},
        )


def batch():
    generator = torch.Generator().manual_seed(0)
    return torch.rand(2, 3, 32, 32, generator=generator), torch.rand(2, 3, 32, 32, generator=generator)


def gradients(module):
    return [p.grad.clone() for p in module.parameters()]


def test_one_pass_has_the_gradients_of_two(model):
    """The oracle: the generator's loss and the discriminator's, each differentiated by itself."""
    (fake, real), gan = batch(), model.gan_loss
    fake.requires_grad_()
    sum(model.judge(fake, real).values()).backward()
    both, image = gradients(model.discriminator), fake.grad.clone()

    fake.grad = None
    gan.generator(model.discriminator(fake), model.discriminator(real)).backward()
    torch.testing.assert_close(image, fake.grad)
    model.discriminator.zero_grad()
    gan.discriminator(model.discriminator(fake.detach()), model.discriminator(real)).backward()
    torch.testing.assert_close(both, gradients(model.discriminator))


def test_nothing_outside_the_mask_reaches_the_discriminator(model):
    from rawtoolbox.aligners import Aligned

    (fake, real), mask = batch(), torch.ones(2, 1, 32, 32)
    mask[..., 16:] = 0
    torn = torch.where(mask.bool(), real, 9)
    model.eval()  # batch statistics stay as they are
    first, second = (model.supervise([fake], Aligned(target, mask)) for target in (real, torn))
    assert all(torch.equal(first[name], second[name]) for name in ('loss_gan', 'loss_discriminator'))


def test_training_gives_all_losses_and_every_parameter_a_gradient(model):
    mosaic = torch.randint(63, 1020, (2, 1, 32, 32)).to(torch.uint16)
    target = torch.randint(0, 256, (2, 3, 32, 32)).to(torch.uint8)
    data = model.data_preprocessor({'inputs': {'mosaic': mosaic}, 'data_samples': {'target': target}})
    losses = model(**data, mode='loss')
    assert set(losses) == {'loss_l1', 'loss_gan', 'loss_discriminator'}
    sum(losses.values()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_the_weight_is_the_papers():
    with DefaultScope.overwrite_default_scope('rawtoolbox'):
        model = GANRestorer(
            backbone={'type': 'LiteISPNet', 'width': 8, 'n_rcab': 1},
            discriminator={'type': 'PatchDiscriminator'},
        )
    assert isinstance(model.gan_loss, GANLoss)
    assert model.gan_loss.weight == 0.01
    assert sum(p.numel() for p in model.discriminator.parameters()) == 2765633
    with torch.no_grad():  # Table C
        assert model.discriminator(torch.zeros(1, 3, 448, 448)).shape[-2:] == (54, 54)
