"""The hook that has a tested network run by a backend."""

from __future__ import annotations

from mmengine.hooks import Hook
from mmengine.model import is_model_wrapper
from mmengine.runner import Runner

from rawtoolbox.registry import HOOKS


@HOOKS.register_module()
class BackendHook(Hook):
    """Has the tested network run by a backend, and logs which it was.

    Args:
        backend: See :func:`~rawtoolbox.deployment.backends.make_network`.
    """

    def __init__(self, backend: str = 'auto') -> None:
        self.backend = backend

    def before_test(self, runner: Runner) -> None:
        from rawtoolbox.deployment.backends import make_network

        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        device = next(model.parameters()).device
        model.backbone = make_network(model.backbone, self.backend, device)

    def after_test(self, runner: Runner) -> None:
        model = runner.model.module if is_model_wrapper(runner.model) else runner.model
        choice = getattr(model.backbone, 'choice', None)
        runner.logger.info(f'The network was run by {choice or self.backend}.')
