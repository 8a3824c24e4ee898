"""The joint model with an adversarial loss: LiteISPGAN, and MW-ISPNet's perceptual track."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from torch.func import functional_call

from rawtoolbox.aligners import Aligned
from rawtoolbox.models.restorer import RawRestorer
from rawtoolbox.registry import LOSSES, MODELS, build_component


@MODELS.register_module()
class GANRestorer(RawRestorer):
    """A restorer whose images must also convince a discriminator (Zhang et al., ICCV 2021, Eqs. 8 to 10).

    The discriminator sees the prediction and the aligned target, both zero outside the mask, so that it cannot
    tell them apart by the border of the warp. Its loss and the generator's come from one forward pass and are
    differentiated together: the discriminator's on detached predictions, the generator's through a
    discriminator with constant weights. Each is therefore taken before the other's step, as in MW-ISPNet's code.
    Train it by :class:`rawtoolbox.engine.GANOptimWrapperConstructor`, one optimiser for each.

    Args:
        discriminator: Config of the judge, from images (N, 3, H, W) to logits; used in training only.
        gan_loss: Config of both sides' loss, whose weight is the generator's.
        **kwargs: As for :class:`RawRestorer`.
    """

    def __init__(
        self, discriminator: dict[str, Any], gan_loss: dict[str, Any] | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.discriminator = build_component(discriminator, MODELS)
        self.gan_loss = LOSSES.build(gan_loss or {'type': 'GANLoss', 'weight': 0.01})

    def supervise(self, images: list[Tensor], aligned: Aligned) -> dict[str, Tensor]:
        """The restorer's losses, ``loss_gan`` of the generator and ``loss_discriminator``."""
        losses = super().supervise(images, aligned)
        return losses | self.judge(images[0] * aligned.mask, aligned.target * aligned.mask)

    def judge(self, fake: Tensor, real: Tensor) -> dict[str, Tensor]:
        """Both sides' losses; neither has a gradient in the other's parameters.

        Args:
            fake: Predictions, (N, 3, H, W).
            real: Targets, (N, 3, H, W).
        """
        real_logits = self.discriminator(real)
        discriminator = self.gan_loss.discriminator(self.discriminator(fake.detach()), real_logits)
        constant = {name: value.detach() for name, value in self.discriminator.named_parameters()}
        generator = self.gan_loss.generator(
            functional_call(self.discriminator, constant, (fake,)), real_logits
        )
        return {'loss_gan': generator, 'loss_discriminator': discriminator}
