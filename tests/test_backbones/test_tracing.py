"""Backbones under torch's tracers: what deployment tools and mmengine's counter stand on."""

import warnings

import pytest
import torch
from mmengine.analysis import get_model_complexity_info
from test_all_backbones import NAMES, SMALL, make_inputs

from rawtoolbox.deployment.complexity import count_macs
from rawtoolbox.registry import BACKBONES

SLOW = {'AWNetDemosaicked', 'AWNetRaw', 'PyNET', 'RRDBNet', 'SPSR', 'TimmUNet'}  # seconds for each to capture
QUICK = [name for name in NAMES if name in SMALL and name not in SLOW]


def build(name):
    torch.manual_seed(0)
    network = BACKBONES.build({'type': name, **SMALL[name]}).eval()
    return network, make_inputs(network)


@pytest.mark.parametrize('name', [name for name in NAMES if name in SMALL and name not in {'PyNET', 'SPSR'}])
def test_a_trace_gives_the_same_image(name):
    network, inputs = build(name)
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter(
            'ignore', torch.jit.TracerWarning
        )  # the checks of multiples, which hold for this size
        warnings.simplefilter('ignore', DeprecationWarning)
        traced = torch.jit.trace(network, inputs, check_trace=False)
        torch.testing.assert_close(traced(*inputs), network(*inputs))


@pytest.mark.parametrize('name', QUICK)
def test_compiles_into_one_graph(name):
    network, inputs = build(name)
    torch._dynamo.reset()
    with torch.no_grad():
        image = torch.compile(network, backend='eager', fullgraph=True)(*inputs)  # raises at a graph break
        torch.testing.assert_close(image, network(*inputs))


@pytest.mark.parametrize('name', QUICK)
def test_is_exported_whole(name):
    network, inputs = build(name)
    with torch.no_grad():
        program = torch.export.export(network, inputs)
        torch.testing.assert_close(program.module()(*inputs), network(*inputs))


def test_mmengine_counts_the_same_operations():
    network, inputs = build('MSRResNet')
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        found = get_model_complexity_info(network, inputs=inputs, show_table=False, show_arch=False)
    assert found['params'] == sum(parameter.numel() for parameter in network.parameters())
    assert found['flops'] == pytest.approx(count_macs(network, *inputs), rel=0.02)
