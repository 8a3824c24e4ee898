"""From the parameter names of the compared networks' official repositories to ours.

Each ``<network>_key`` gives our name of an official one, None for what ours does not keep (wavelet taps, gradient
kernels, a module that is listed twice), and names it does not know as they are, for the check that follows to
report. ``OFFICIAL_BACKBONES`` and ``OFFICIAL_DISCRIMINATORS`` say which network a file belongs to and what it is called
where it is published.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from torch import Tensor

from rawtoolbox.registry import BACKBONES, MODELS
from rawtoolbox.weights.official import RCAB_RULES, Official, key_map


def _shift(template: str, *offsets: int) -> Callable[[re.Match], str]:
    """Fills a template with the numbers that a pattern found, each moved by an offset."""
    return lambda match: template.format(
        *(int(group) + offset for group, offset in zip(match.groups(), offsets, strict=True))
    )


mwispnet_key = key_map(  # cszhilu1998/MW-ISPNet, MWRCAN: the wavelets are modules of its sequences
    (r'^(head|down2\.0|down3\.0|up1\.2|up2\.3|tail\.0)\.weight$', None),
    (r'^(down[23])\.(\d)\.', lambda match: f'{match[1]}.{int(match[2]) - 1}.'),
    (r'^up1\.(\d)\.', _shift('middle.{}.', 2)),
    (r'^up3\.', 'up1.'),
    (r'^tail\.1\.', 'tail.0.'),
    *RCAB_RULES,
)

pynet_key = key_map(  # aiff22/PyNET-PyTorch
    (r'^conv_l(\d)_out\.conv2d\.', r'to_rgb.\1.'),
    (r'^conv_l0_d1\.conv2d\.', 'to_rgb.0.'),
    (r'^conv_l(\d)_d1\.', _shift('encoder.{}.', -1)),
    (r'^conv_l5_d(\d)\.', _shift('level5.{}.', -2)),
    (r'^conv_l4_d([45])\.', _shift('level4.residual.{}.', -4)),
    (r'^conv_l3_d([345])\.', _shift('level3.residual.{}.', -3)),
    (r'^conv_l2_d([567])\.', _shift('level2.residual.{}.', -5)),
    (r'^conv_l1_d([56])\.', _shift('level1.widen.{}.', -5)),
    (r'^conv_l1_d([789])\.', _shift('level1.residual.{}.', -7)),
    (r'^conv_l([124])_d3\.', r'level\1.merge.'),
    (r'^conv_(l1_d10|l2_d8|l3_d6|l4_d6)\.', lambda match: f'level{match[1][1]}.refine.'),
    (r'^conv_(l1_d12|l2_d10)\.', lambda match: f'level{match[1][1]}.narrow.'),
    (r'^conv_(l1_d14|l2_d12|l3_d8|l4_d8)\.', lambda match: f'level{match[1][1]}.fuse.'),
    (r'^conv_t0\.conv2d\.', 'level0.1.'),
    (r'^conv_t(\d)([ab])\.conv2d\.', r'level\1.up_\2.1.'),
    (r'\.conv_([3579])([ab])\.', lambda match: f'.branches.{int(match[1]) // 2 - 1}.{"ab".index(match[2])}.'),
    (r'\.conv2d\.', '.0.'),
    (r'\.instance\.', '.1.'),
)

_AWNET_RULES = (  # Charlie0215/AWNet-Attentive-Wavelet-Network-for-Image-ISP, both networks
    (r'^conv1\.', 'head.'),
    (r'^layer(\d)\.\d+\.(?=stem|conv1x1|conv_down)', _shift('downs.{}.', -1)),
    (r'^layer(\d)\.(\d+)\.', _shift('encoder.{}.{}.', -1, 1)),
    (r'^layer(\d)_up\.', _shift('ups.{}.', -1)),
    (r'^se(\d)\.', _shift('encoder.{}.0.', -1)),
    (r'^sc_x(\d)\.', _shift('skips.{}.', -1)),
    (r'^(skips\.\d)\.conv1\.', r'\1.0.'),
    (r'^(skips\.\d)\.conv2\.', r'\1.2.'),
    (r'^(skips\.\d)\.se\.', r'\1.4.'),
    (r'^(downs\.\d)\.conv1x1\.', r'\1.mean.'),
    (r'\.residual_dense_layers\.', '.dense.'),
    (r'\.norm_layer\.', '.norm.'),
    (r'\.conv_1x1\.', '.reduce.'),
    (r'\.final_att\.conv_mask\.', '.context.attention.'),
    (r'\.final_att\.channel_add_conv\.', '.context.transform.'),
    (r'^last\.pre_enhance\.', 'tail.shuffle.1.'),
    (r'^last\.enhance\.', 'tail.pyramid.'),
    (r'^last\.post_conv\.', 'tail.image.0.'),
    (r'^last\.se\.', 'tail.image.1.'),
    (r'^last\.final\.', 'tail.image.2.'),
    (r'\.conv_in\.', '.gate.1.'),
    (r'\.conv_mid\.', '.gate.3.'),
    (r'\.conv_out\.', '.gate.5.'),
    (r'\.x_red\.', '.value.'),
    (r'\.bottleneck\.', '.merge.'),
)

awnet_raw_key = key_map(
    (r'^scale_(\d)\.', _shift('heads.{}.', -1)),
    *_AWNET_RULES,
    (r'\.pre_conv_stem\.', '.expand.'),
    (r'\.pre_conv\.', '.bands.'),
    (r'\.post_conv\.', '.wavelet.'),
    (r'\.last_conv\.', '.merge.'),
)

awnet_demosaicked_key = key_map(
    (r'^scale_(\d)\.', _shift('heads.{}.', -2)),
    (r'^enhance\.', 'tail.0.'),
    (r'^final_conv\.', 'tail.1.'),
    *_AWNET_RULES,
    (r'\.pre_conv\.', '.bands.0.'),
    (r'\.prelu\.', '.bands.1.'),
    (r'^(ups\.\d)\.conv1x1\.', r'\1.wavelet.'),
)

srresnet_key = key_map(  # cszhilu1998/RAW-to-sRGB, models/srrawjoint_model.py
    (r'^input_stage\.', 'head.'),
    (r'^resblock_output\.(\d)\.', _shift('body.{}.', 16)),
    (r'^resblock_(\d+)\.', _shift('body.{}.body.', -1)),
    (r'\.conv_1\.', '.1.'),
    (r'\.BatchNorm\.', '.2.'),
    (r'\.Prelu\.', '.3.'),
    (r'\.conv_2\.', '.4.'),
    (r'\.BatchNorm_1\.', '.5.'),
    (r'^deconv_stage(\d)\.', _shift('up.{}.', -1)),
    (r'^deconv_output_stage\.', 'tail.'),
)

msrresnet_key = key_map(  # XPixelGroup/BasicSR, MSRResNet
    (r'^conv_first\.', 'head.'),
    (r'^upconv(\d)\.', _shift('up.{}.0.', -1)),
    (r'^conv_hr\.', 'tail.0.'),
    (r'^conv_last\.', 'tail.2.'),
)

_DENSE_BLOCK_RULE = (r'\.RDB(\d)\.', r'.rdb\1.')

rrdbnet_key = key_map(  # xinntao/ESRGAN and RealSR; BasicSR's names are ours and pass unchanged
    (r'^RRDB_trunk\.', 'body.'),
    (r'^trunk_conv\.', 'conv_body.'),
    (r'^upconv(\d)\.', r'conv_up\1.'),
    (r'^HRconv\.', 'conv_hr.'),
    _DENSE_BLOCK_RULE,
)

spsr_key = key_map(  # Maclory/SPSR, SPSRNet
    (r'^get_g_nopadding\.', None),
    (r'^HR_conv0_new\.', None),  # the same module as model.8, listed under both names
    (r'^model\.0\.', 'trunk.conv_first.'),
    (r'^model\.1\.sub\.(\d+)\.(weight|bias)', r'trunk.conv_body.\2'),
    (r'^model\.1\.sub\.', 'trunk.body.'),
    (r'^model\.3\.', 'trunk.enlarge.conv_up1.'),
    (r'^model\.6\.', 'trunk.enlarge.conv_up2.'),
    (r'^model\.8\.', 'trunk.enlarge.conv_hr1.'),
    (r'^HR_conv1_new\.0\.', 'trunk.enlarge.conv_hr2.'),
    (r'^b_fea_conv\.0\.', 'branch.conv_first.'),
    (r'^b_block_(\d)\.', _shift('branch.blocks.{}.', -1)),
    (r'^b_concat_(\d)\.0\.', _shift('branch.reduce.{}.', -1)),
    (r'^b_LR_conv\.0\.', 'branch.conv_body.'),
    (r'^b_module\.1\.', 'branch.enlarge.conv_up1.'),
    (r'^b_module\.4\.', 'branch.enlarge.conv_up2.'),
    (r'^b_module\.6\.', 'branch.enlarge.conv_hr1.'),
    (r'^b_module\.8\.', 'branch.enlarge.conv_hr2.'),
    (r'^conv_w\.0\.', 'gradient_tail.'),
    (r'^f_block\.', 'fusion.0.'),
    (r'^f_concat\.0\.', 'fusion.1.'),
    (r'^f_HR_conv0\.0\.', 'tail.0.'),
    (r'^f_HR_conv1\.0\.', 'tail.2.'),
    _DENSE_BLOCK_RULE,
    (r'\.(conv\d)\.0\.', r'.\1.'),
)

vgg_discriminator_key = key_map(  # XPixelGroup/BasicSR, VGGStyleDiscriminator
    (r'^conv(\d)_(\d)\.', r'features.\1.\2.0.'),
    (r'^bn(\d)_(\d)\.', r'features.\1.\2.1.'),
    (r'^linear1\.', 'classifier.1.'),
    (r'^linear2\.', 'classifier.3.'),
)


def _count(state: Mapping[str, Tensor], pattern: str) -> int:
    """How many different things a pattern finds at the start of our names."""
    return len({match[0] for name in state if (match := re.match(pattern, name))})


def _pynet_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {'type': 'PyNET', 'norm_level1': 'level1.refine.branches.0.0.1.weight' in state}


def _awnet_config(kind: str) -> Callable[[Mapping[str, Tensor]], dict[str, Any]]:
    def config(state: Mapping[str, Tensor]) -> dict[str, Any]:
        blocks = tuple(_count(state, rf'encoder\.{stage}\.\d+\.dense') for stage in range(5))
        return {'type': kind, 'blocks': blocks}

    return config


def _srresnet_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {'type': 'SRResNet', 'scale': {1: 1, 2: 2}.get(_count(state, r'up\.\d'), 4)}


def _msrresnet_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    if 'up.0.0.weight' not in state or 'up.1.0.weight' in state:
        return {'type': 'MSRResNet', 'scale': 4}
    channels, width = state['up.0.0.weight'].shape[:2]
    return {'type': 'MSRResNet', 'scale': 3 if channels == 9 * width else 2}


def _rrdbnet_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    first = state.get('conv_first.weight')
    scale = 4 if first is None else {12: 2, 48: 1}.get(first.shape[1], 4)
    return {'type': 'RRDBNet', 'scale': scale, 'blocks': _count(state, r'body\.\d+')}


def _vgg_discriminator_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {'type': 'VGGDiscriminator', 'size': 256 if _count(state, r'features\.\d') == 6 else 128}


def _spsr_config(state: Mapping[str, Tensor]) -> dict[str, Any]:
    return {'type': 'SPSR', 'blocks': max(20, _count(state, r'trunk\.body\.\d+'))}


OFFICIAL_BACKBONES = {
    'mwispnet': Official(
        BACKBONES,
        lambda state: {'type': 'MWISPNet'},
        mwispnet_key,
        ('mwispnet.safetensors', 'mwcnnvggssim4_epoch_60.pth', 'G_epoch_46.pth'),
        'mwcnnvggssim4_epoch_60.pth (fidelity) or G_epoch_46.pth (perceptual) of cszhilu1998/MW-ISPNet',
    ),
    'pynet': Official(
        BACKBONES,
        _pynet_config,
        pynet_key,
        ('pynet.safetensors', 'pynet_level_0.pth'),
        'pynet_level_0.pth of aiff22/PyNET-PyTorch',
    ),
    'awnet_raw': Official(
        BACKBONES,
        _awnet_config('AWNetRaw'),
        awnet_raw_key,
        ('awnet_raw.safetensors', 'weight_4channel_best.pkl'),
        'weight_4channel_best.pkl of Charlie0215/AWNet-Attentive-Wavelet-Network-for-Image-ISP',
    ),
    'awnet_demosaicked': Official(
        BACKBONES,
        _awnet_config('AWNetDemosaicked'),
        awnet_demosaicked_key,
        ('awnet_demosaicked.safetensors', 'weight_3channel_best.pkl'),
        'weight_3channel_best.pkl of Charlie0215/AWNet-Attentive-Wavelet-Network-for-Image-ISP',
    ),
    'srresnet': Official(
        BACKBONES,
        _srresnet_config,
        srresnet_key,
        ('srresnet.safetensors',),
        'the SRResNet of an SR-RAW model of cszhilu1998/RAW-to-sRGB',
    ),
    'msrresnet': Official(
        BACKBONES,
        _msrresnet_config,
        msrresnet_key,
        ('msrresnet.safetensors',),
        'net_g_400000.pth of 004_MSRGAN_x4_f64b16_DIV2K_400k_B16G1_wandb of XPixelGroup/BasicSR',
    ),
    'rrdbnet': Official(
        BACKBONES,
        _rrdbnet_config,
        rrdbnet_key,
        ('rrdbnet.safetensors', 'RRDB_ESRGAN_x4.pth', 'ESRGAN_SRx4_DF2KOST_official-ff704c30.pth'),
        'RRDB_ESRGAN_x4.pth of xinntao/ESRGAN, or a model of jixiaozhong/RealSR',
    ),
    'spsr': Official(
        BACKBONES,
        _spsr_config,
        spsr_key,
        ('spsr.safetensors', 'spsr.pth'),
        'spsr.pth of Maclory/SPSR',
    ),
}

OFFICIAL_DISCRIMINATORS = {
    'patchgan': Official(
        MODELS,
        lambda state: {'type': 'PatchDiscriminator'},
        key_map(),  # its names are ours
        ('patchgan.safetensors', 'Discriminator_model_80.pth'),
        'the Discriminator of a LiteISPGAN run of cszhilu1998/RAW-to-sRGB, or that of MW-ISPNet or RealSR',
    ),
    'vgg_discriminator': Official(
        MODELS,
        _vgg_discriminator_config,
        vgg_discriminator_key,
        ('vgg_discriminator.safetensors', 'net_d_400000.pth'),
        'net_d_400000.pth of an ESRGAN or SRGAN run of XPixelGroup/BasicSR',
    ),
}
