import math

import numpy as np
import pytest
import torch

from rawtoolbox.metrics.flow import FlowError, endpoint_error, summarise_error


def test_by_hand():
    flow, truth = torch.zeros(2, 1, 4), torch.zeros(2, 1, 4)
    flow[:, 0, 1] = torch.tensor([3.0, 4.0])
    flow[:, 0, 2] = torch.tensor([0.0, -2.0])
    truth[:, 0, 2] = torch.tensor([0.0, -1.0])
    error = endpoint_error(flow, truth)
    assert error.tolist() == [[0, 5, 1, 0]]
    assert summarise_error(error) == {
        'epe_mean': 1.5,
        'epe_median': 0.5,
        'epe_above_1px': 0.25,  # 1 is not above 1
        'epe_above_3px': 0.25,
    }


def test_against_numpy():
    generator = torch.Generator().manual_seed(0)
    flow, truth = (3 * torch.randn(2, 7, 9, generator=generator) for _ in range(2))
    error = endpoint_error(flow, truth)
    expected = np.hypot(*(flow - truth).numpy())
    np.testing.assert_allclose(error.numpy(), expected, rtol=1e-6)
    found = summarise_error(error, thresholds=[2.5])
    assert found['epe_mean'] == pytest.approx(expected.mean(), rel=1e-6)
    assert found['epe_median'] == pytest.approx(np.median(expected), rel=1e-6)
    assert found['epe_above_2.5px'] == (expected > 2.5).mean()


def test_properties():
    flow = torch.randn(4, 2, 5, 6)
    truth = torch.randn(4, 2, 5, 6)
    error = endpoint_error(flow, truth)
    assert error.shape == (4, 5, 6)
    torch.testing.assert_close(error, endpoint_error(truth, flow))
    torch.testing.assert_close(error, endpoint_error(flow.flip(1), truth.flip(1)))
    assert (endpoint_error(flow, flow) == 0).all()
    assert endpoint_error(flow.bfloat16(), truth.bfloat16()).dtype == torch.float32


def test_only_valid_pixels_count():
    error = torch.tensor([[1.0, 2.0, math.nan, 9.0]])
    valid = torch.tensor([[[1, 1, 0, 0]]])
    assert summarise_error(error, valid)['epe_mean'] == 1.5
    assert summarise_error(error, 0 * valid) == {}
    with pytest.raises(ValueError, match='error: 1 of 4 values are NaN'):
        summarise_error(error)


def test_wrong_shapes():
    flow = torch.zeros(2, 4, 5)
    with pytest.raises(ValueError, match=r'found \(2, 4, 5\) and \(2, 4, 6\)'):
        endpoint_error(flow, torch.zeros(2, 4, 6))
    with pytest.raises(ValueError, match='expected two of one shape'):
        endpoint_error(flow[:1], flow[:1])
    with pytest.raises(ValueError, match=r'valid: expected the shape \(1 4 5\)'):
        summarise_error(endpoint_error(flow, flow), torch.ones(4, 5))


def test_metric_averages_over_images():
    metric, flow = FlowError(), torch.zeros(2, 4, 4)
    truths = [torch.full((2, 4, 4), value) for value in (3.0, 0.0)]
    valid = torch.ones(1, 4, 4)
    metric.process(None, [{'flow': flow, 'true_flow': truth, 'flow_valid': valid} for truth in truths])
    scores = metric.evaluate(2)
    assert scores['flow/epe_mean'] == pytest.approx(math.sqrt(18) / 2)
    assert scores['flow/epe_above_3px'] == 0.5
