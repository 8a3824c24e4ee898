"""Discriminators for training with an adversarial loss."""

from __future__ import annotations

from torch import Tensor, nn

from rawtoolbox.ops.checks import check_shape
from rawtoolbox.registry import MODELS


@MODELS.register_module()
class PatchDiscriminator(nn.Module):
    """PatchGAN (Isola et al., CVPR 2017): judges overlapping patches, of 70x70 pixels with three layers.

    The discriminator of LiteISPGAN, of MW-ISPNet's perceptual track and of RealSR's phone model; 2,765,633
    parameters. Facts from cszhilu1998/RAW-to-sRGB, ``models/zrrganjoint_model.py``, whose parameter names it keeps.

    Args:
        width: Channels of the first layer, doubled by each further one up to eight times as many.
        layers: Number of halvings.
        in_channels: Channels of the image.
    """

    def __init__(self, width: int = 64, layers: int = 3, in_channels: int = 3) -> None:
        super().__init__()
        widths = [width * min(2**i, 8) for i in range(layers + 1)]
        model = [nn.Conv2d(in_channels, width, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        for i in range(layers):
            stride = 2 if i < layers - 1 else 1
            model += [
                nn.Conv2d(widths[i], widths[i + 1], 4, stride, padding=1, bias=False),
                nn.BatchNorm2d(widths[i + 1]),
                nn.LeakyReLU(0.2),
            ]
        self.in_channels = in_channels
        self.model = nn.Sequential(*model, nn.Conv2d(widths[-1], 1, 4, padding=1))

    def forward(self, image: Tensor) -> Tensor:
        """Maps images (N, 3, H, W) in [0, 1] to one logit per patch, (N, 1, ~H/8, ~W/8).

        Raises:
            ValueError: ``image`` has another shape.
        """
        check_shape(image, f'N {self.in_channels} H W', 'image')
        return self.model(image)


@MODELS.register_module()
class VGGDiscriminator(nn.Module):
    """Judges a whole crop of fixed size by convolutions in the style of VGG (SRGAN, Ledig et al., CVPR 2017).

    The discriminator of ESRGAN; 14,499,401 parameters for 128 pixels and 21,055,049 for 256. Facts from
    XPixelGroup/BasicSR, ``basicsr/archs/discriminator_arch.py``.

    Args:
        size: Height and width of the crops, 128 or 256.
        width: Channels of the first layer, doubled by each further one up to eight times as many.
        in_channels: Channels of the image.

    Raises:
        ValueError: ``size`` is neither.
    """

    def __init__(self, size: int = 128, width: int = 64, in_channels: int = 3) -> None:
        super().__init__()
        halvings = {128: 5, 256: 6}.get(size)
        if halvings is None:
            raise ValueError(f'size: expected 128 or 256 pixels, found {size}.')
        self.size, self.in_channels = size, in_channels
        widths = [in_channels, *(width * min(2**i, 8) for i in range(halvings))]
        self.features = nn.Sequential(*(_stage(widths[i], widths[i + 1], i > 0) for i in range(halvings)))
        self.classifier = nn.Sequential(
            nn.Flatten(), nn.Linear(widths[-1] * 4 * 4, 100), nn.LeakyReLU(0.2), nn.Linear(100, 1)
        )

    def forward(self, image: Tensor) -> Tensor:
        """Maps images (N, 3, size, size) in [0, 1] to one logit each, (N, 1).

        Raises:
            ValueError: ``image`` has another shape.
        """
        check_shape(image, f'N {self.in_channels} {self.size} {self.size}', 'image')
        return self.classifier(self.features(image))


def _stage(in_channels: int, channels: int, first_norm: bool) -> nn.Sequential:
    """A convolution that widens and one that halves the size; the network's very first is not normalised."""
    widen = nn.Conv2d(in_channels, channels, 3, padding=1, bias=not first_norm)
    halve = nn.Conv2d(channels, channels, 4, stride=2, padding=1, bias=False)
    norm = [nn.BatchNorm2d(channels)] if first_norm else []
    return nn.Sequential(
        nn.Sequential(widen, *norm, nn.LeakyReLU(0.2)),
        nn.Sequential(halve, nn.BatchNorm2d(channels), nn.LeakyReLU(0.2)),
    )
