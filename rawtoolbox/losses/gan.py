"""Adversarial losses on a discriminator's logits: one number an image, or a map of patches."""

from __future__ import annotations

from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from rawtoolbox.ops.masked import at_least_float32
from rawtoolbox.registry import LOSSES

Form = Literal['lsgan', 'vanilla', 'wgan']


def adversarial(logits: Tensor, real: bool, form: Form = 'lsgan') -> Tensor:
    """How far logits are from calling images real, or fake; the mean over images and patches.

    Args:
        logits: Any shape.
        real: What the logits should say.
        form: ``'lsgan'``: squared distance to 1 or 0 (Mao et al., ICCV 2017);
            ``'vanilla'``: cross entropy (Goodfellow et al., 2014); ``'wgan'``: the mean, or minus it.

    Returns:
        A scalar.

    Raises:
        ValueError: ``form`` is none of these.
    """
    logits = at_least_float32(logits)
    goal = torch.full_like(logits, float(real))
    if form == 'lsgan':
        return F.mse_loss(logits, goal)
    if form == 'vanilla':
        return F.binary_cross_entropy_with_logits(logits, goal)
    if form == 'wgan':
        return -logits.mean() if real else logits.mean()
    raise ValueError(f"form: expected 'lsgan', 'vanilla' or 'wgan', found {form!r}.")


def generator_loss(fake: Tensor, form: Form = 'lsgan') -> Tensor:
    """What a generator minimises: that the logits of its images say real."""
    return adversarial(fake, True, form)


def discriminator_loss(fake: Tensor, real: Tensor, form: Form = 'lsgan') -> Tensor:
    """What a discriminator minimises: half the sum for its logits of made images and of photographs."""
    return (adversarial(fake, False, form) + adversarial(real, True, form)) / 2


def relativistic_average(fake: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
    """Logits of how much more real an image looks than the other kind on average.

    From Jolicoeur-Martineau, ICLR 2019, as in ESRGAN (Wang et al., ECCVW 2018).

    Returns:
        ``fake - mean(real)`` and ``real - mean(fake)``.
    """
    fake, real = at_least_float32(fake), at_least_float32(real)
    return fake - real.mean(), real - fake.mean()


@LOSSES.register_module()
class GANLoss(nn.Module):
    """Both sides of an adversarial training; unlike other losses it is given logits, not images.

    Args:
        weight: Factor of the generator's loss. The official code of the paper has 0.01; its Eq. 8 and 10 have
            the same and another half, which is 0.005 here.
        form: See ``adversarial``.
        relativistic: Whether logits are compared with the mean of the other kind; ESRGAN and SPSR do, with
            ``form='vanilla'``.
        spatial_mean: Whether a map of patches is averaged before it is compared, as MW-ISPNet does
            (cszhilu1998/MW-ISPNet), instead of afterwards.

    Raises:
        ValueError: ``form`` is not known.
    """

    def __init__(
        self,
        weight: float = 1.0,
        form: Form = 'lsgan',
        relativistic: bool = False,
        spatial_mean: bool = False,
    ) -> None:
        super().__init__()
        adversarial(torch.zeros(1), True, form)  # a wrong form is found now, not after the first epoch
        self.weight, self.form = weight, form
        self.relativistic, self.spatial_mean = relativistic, spatial_mean

    def generator(self, fake: Tensor, real: Tensor | None = None) -> Tensor:
        """The generator's loss, times ``weight``.

        Args:
            fake: Logits of made images, (N, ...).
            real: Logits of photographs; needed, and taken as constant, if ``relativistic``.

        Raises:
            ValueError: ``real`` is needed and absent.
        """
        if not self.relativistic:
            return self.weight * generator_loss(self._pool(fake), self.form)
        if real is None:
            raise ValueError(
                'real: a relativistic loss compares with the logits of photographs; pass them too.'
            )
        fake, real = relativistic_average(self._pool(fake), self._pool(real.detach()))
        return self.weight * discriminator_loss(real, fake, self.form)  # the roles are swapped

    def discriminator(self, fake: Tensor, real: Tensor) -> Tensor:
        """The discriminator's loss, without ``weight``.

        Args:
            fake: Logits of made images, which should not depend on the generator here (detach them).
            real: Logits of photographs.
        """
        fake, real = self._pool(fake), self._pool(real)
        if self.relativistic:
            fake, real = relativistic_average(fake, real)
        return discriminator_loss(fake, real, self.form)

    def _pool(self, logits: Tensor) -> Tensor:
        return at_least_float32(logits).flatten(1).mean(1) if self.spatial_mean else logits
