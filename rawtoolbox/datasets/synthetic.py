"""Simulated pairs with known displacement, made on first use."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from mmengine.dist import barrier, is_main_process

from rawtoolbox.datasets.zrr import ZRRDataset
from rawtoolbox.registry import DATASETS
from rawtoolbox.simulation.cameras import SimulationConfig
from rawtoolbox.simulation.zrr import simulate_dataset


@DATASETS.register_module()
class SimulatedZRRDataset(ZRRDataset):
    """Pairs laid out as Zurich RAW to RGB, simulated from photographs that come inside the wheels.

    They are made when ``data_root`` is not there, both splits at once, and kept: see
    :func:`rawtoolbox.simulation.zrr.simulate_dataset`. In distributed training the first process makes them and the
    others wait. Processes that know nothing of each other may each make them; the first to finish wins.

    Args:
        data_root: Folder of the data set, which need not exist.
        split: ``'train'`` or ``'test'``; from different photographs.
        num_train: Patches of the training split.
        num_test: Patches of the test split.
        simulation: Arguments of :class:`rawtoolbox.simulation.cameras.SimulationConfig` that are not to be the default.
        with_truth: Whether ``aligned``, ``flow`` and ``flow_valid`` are delivered as well.
        **kwargs: Further arguments of :class:`ZRRDataset`. ``patch_size`` and ``bit_depth`` are the simulation's.

    Raises:
        ValueError: ``data_root`` holds something else, or the simulation's arguments make no sense.
        FileNotFoundError: A photograph is missing.
    """

    def __init__(
        self,
        data_root: str | Path,
        split: Literal['train', 'test'] = 'train',
        num_train: int = 120,
        num_test: int = 24,
        simulation: dict[str, Any] | None = None,
        with_truth: bool = True,
        **kwargs: Any,
    ) -> None:
        config = SimulationConfig(**(simulation or {}))
        data_root = Path(data_root).expanduser()
        if is_main_process():
            try:
                simulate_dataset(data_root, config, num_train, num_test)
            finally:  # also when it fails, or the others would wait for ever
                barrier()
        else:
            barrier()
            # finds it made, or fails likewise
            simulate_dataset(data_root, config, num_train, num_test)
        super().__init__(
            data_root, split, config.patch_size, with_truth=with_truth, bit_depth=config.bit_depth, **kwargs
        )
