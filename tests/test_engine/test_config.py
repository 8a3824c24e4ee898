import textwrap

import pytest
from conftest import ROOT

from rawtoolbox.engine.config import check_arguments, known_keys, load_config, plain_config

MODEL = "model = dict(type='RawRestorer', backbone=dict(type='LiteISPNet', width=8, n_rcab=1))\n"


def write(tmp_path, text, name='config.py'):
    path = tmp_path / name
    path.write_text(textwrap.dedent(text))
    return path


def test_missing_config_names_a_sibling(tmp_path):
    write(tmp_path, MODEL, 'gcm_liteisp_zrr.py')
    with pytest.raises(FileNotFoundError, match=r'No config .*Did you mean gcm_liteisp_zrr.py'):
        load_config(tmp_path / 'gcm_litisp_zrr.py')


@pytest.mark.parametrize(
    ('wrong', 'right'),
    [('trian_cfg', 'train_cfg'), ('optim_wraper', 'optim_wrapper'), ('test_dataloder', 'test_dataloader')],
)
def test_misspelt_top_level_key_names_the_nearest(tmp_path, wrong, right):
    path = write(tmp_path, MODEL + f'{wrong} = dict()\n')
    with pytest.raises(ValueError, match=f"nothing reads the top-level key '{wrong}'.*{right}"):
        load_config(path)


def test_misspelt_key_of_the_command_line_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r'Did you mean work_dir'):
        load_config(write(tmp_path, MODEL), {'workdir': 'x'})


def test_helper_variable_that_the_config_uses_is_allowed(tmp_path):
    path = write(tmp_path, f'width = 8\n_note = 3\n{MODEL.replace("width=8", "width=width")}')
    assert load_config(path).model.backbone.width == 8


def test_plugin_extends_the_known_keys(tmp_path, monkeypatch):
    path = write(tmp_path, MODEL + 'my_key = 1\n')
    with pytest.raises(ValueError, match='my_key'):
        load_config(path)
    monkeypatch.setattr('rawtoolbox.engine.config.known_keys', known_keys | {'my_key'})
    assert load_config(path).my_key == 1


def test_misspelt_argument_names_its_place_and_the_nearest(tmp_path):
    path = write(tmp_path, MODEL.replace('width', 'widht'))
    with pytest.raises(
        ValueError, match=r'model\.backbone\.widht is no argument of LiteISPNet.*Did you mean width'
    ):
        load_config(path)


def test_misspelt_argument_on_the_command_line(tmp_path):
    with pytest.raises(ValueError, match=r'model\.backbon is no argument of RawRestorer.*backbone'):
        load_config(write(tmp_path, MODEL), {'model.backbon.width': 4})


def test_misspelt_type_names_the_nearest(tmp_path):
    from rawtoolbox.registry import BACKBONES

    config = load_config(write(tmp_path, MODEL.replace("'LiteISPNet'", "'LiteISPNett'")))
    with pytest.raises(KeyError, match='Did you mean .*LiteISPNet'):
        BACKBONES.build(config.model.backbone)


def test_data_root_reaches_every_data_set_without_its_own(tmp_path):
    path = write(
        tmp_path,
        MODEL
        + """
        data_root = 'a'
        train_dataloader = dict(dataset=dict(type='ZRRDataset', split='train'))
        test_dataloader = dict(dataset=dict(type='ZRRDataset', split='test', data_root='own'))
        """.replace('        ', ''),
    )
    config = load_config(path, {'data_root': 'b'})
    assert config.train_dataloader.dataset.data_root == 'b'
    assert config.test_dataloader.dataset.data_root == 'own'


def test_arguments_are_not_checked_where_anything_is_taken(tmp_path):
    config = load_config(write(tmp_path, MODEL))
    config.model.backbone = {'type': dict, 'whatever': 1}
    check_arguments(config)


def test_plain_config_names_classes():
    from collections import OrderedDict

    from rawtoolbox.backbones import LiteISPNet

    plain = plain_config({'type': LiteISPNet, 'sizes': (1, 2), 'other': OrderedDict})
    assert plain == {'type': 'LiteISPNet', 'sizes': [1, 2], 'other': 'collections.OrderedDict'}


def test_dumped_config_builds_again(tmp_path):
    """A dumped config names its classes by module, also those of the registries of parts."""
    from rawtoolbox.registry import BACKBONES

    config = load_config(ROOT / 'configs/gcm_liteisp_demo.py', {'model.backbone.width': 4})
    config.dump(tmp_path / 'dumped.py')
    again = load_config(tmp_path / 'dumped.py')
    assert again.model.backbone.type == 'rawtoolbox.backbones.LiteISPNet'
    assert type(BACKBONES.build(again.model.backbone)).__name__ == 'LiteISPNet'
