"""The toolbox as functions for programs."""

from rawtoolbox.apis.complexity import count_macs, count_parameters
from rawtoolbox.apis.model_zoo import get_model, list_models

__all__ = ['count_macs', 'count_parameters', 'get_model', 'list_models']
