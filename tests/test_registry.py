import pytest
from mmengine.utils import get_object_from_string
from torch import nn

from rawtoolbox.engine import LevelHook, PlainCheckpointHook
from rawtoolbox.moved_names import MOVED, present_name
from rawtoolbox.registry import BACKBONES, HOOKS, LOSSES, MODELS, build_component, suggest


def test_names_resolve_without_any_import():
    assert BACKBONES.get('LiteISPNet').__name__ == 'LiteISPNet'
    assert LOSSES.get('L1Loss').__name__ == 'L1Loss'


@pytest.mark.parametrize('name', ['LiteISPnet', 'LiteIspNet', 'LightISPNet', 'LiteISPNett'])
def test_wrong_name_says_which_was_meant(name):
    with pytest.raises(KeyError, match='Did you mean .*LiteISPNet'):
        BACKBONES.build({'type': name})


def test_wrong_model_name_says_which_was_meant():
    with pytest.raises(KeyError, match='Did you mean RawRestorer'):
        MODELS.get('RawRestorr')


def test_dotted_name_that_cannot_be_imported_is_unknown():
    with pytest.raises(KeyError, match='not known'):
        BACKBONES.get('no.such.module.Network')


def test_membership_does_not_raise():
    assert 'LiteISPNet' in BACKBONES
    assert 'NoSuchNet' not in BACKBONES


def test_part_needs_a_type():
    with pytest.raises(TypeError, match='backbone needs a "type"'):
        build_component({'width': 8}, BACKBONES)


def test_wrong_argument_names_the_class():
    with pytest.raises(TypeError, match=r'backbone LiteISPNet: .*widht'):
        BACKBONES.build({'type': 'LiteISPNet', 'widht': 8})


def test_built_objects_are_kept():
    module = nn.Identity()
    assert build_component(module, BACKBONES) is module


def test_config_wins_over_defaults():
    assert build_component({'type': dict, 'a': 1}, BACKBONES, a=2, b=3) == {'a': 1, 'b': 3}


def test_suggestion_ignores_case_and_lists_few():
    assert suggest('pynet', ['LiteISPNet', 'PyNET']) == ' Did you mean PyNET?'
    assert suggest('zzz', ['a', 'b']) == ' Known: a, b.'


@pytest.mark.parametrize('old, new', MOVED.items())
def test_old_dotted_names_are_found(old, new):
    assert present_name(old) == new
    assert present_name(f'{old}.part') == f'{new}.part'
    assert get_object_from_string(new) is not None


def test_a_config_of_an_older_run_builds():
    assert HOOKS.get('rawtoolbox.engine.levels.LevelHook') is LevelHook
    assert HOOKS.get('rawtoolbox.engine.checkpoint.PlainCheckpointHook') is PlainCheckpointHook


def test_hooks_of_both_rooms_are_found_by_name():
    assert HOOKS.get('SeedHook').__module__ == 'rawtoolbox.engine.hooks'
    assert HOOKS.get('BackendHook').__module__ == 'rawtoolbox.deployment.hook'
