import pickle
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.hooks import EMAHook
from mmengine.logging import HistoryBuffer
from torch import nn

from rawtoolbox.aligners import GCM
from rawtoolbox.engine.checkpoint_hook import restore_history, to_plain
from rawtoolbox.weights.carried import load_aligner
from rawtoolbox.weights.checkpoint import (
    TENSORS_HASH,
    check_fits,
    latest_checkpoint,
    load_local,
    load_published,
    provenance,
    publish,
    tensors_hash,
)


def test_plain_values_load_without_unpickling(tmp_path):
    buffer = HistoryBuffer([1.0, 2.5], [1, 4])
    content = {
        'hub': {'loss': buffer},
        'numpy': np.float64(0.5),
        'array': np.arange(3),
        'nested': [(1, 'a'), {'t': torch.ones(2)}],
        'method': buffer.mean,
    }
    torch.save(to_plain(content), tmp_path / 'plain.pth')
    loaded = torch.load(tmp_path / 'plain.pth', weights_only=True)
    assert loaded['numpy'] == 0.5
    assert loaded['array'].tolist() == [0, 1, 2]
    assert loaded['nested'][0] == (1, 'a')
    assert 'method' not in loaded
    restored = restore_history(loaded['hub'])['loss']
    assert restored.mean() == buffer.mean()
    assert restored.data[1].tolist() == [1, 4]


def test_raw_state_dict_is_wrapped(tmp_path):
    torch.save({'backbone.weight': torch.ones(1)}, tmp_path / 'state.pth')
    assert load_local(tmp_path / 'state.pth')['state_dict'].keys() == {'backbone.weight'}


@pytest.mark.parametrize(
    ('content', 'message'),
    [
        (b'', 'damaged or no checkpoint'),
        (b'not a checkpoint at all', 'refused|damaged'),
        (pickle.dumps(print), 'refused'),
        (pickle.dumps([1, 2]), 'holds a list|refused|damaged'),
    ],
)
def test_what_is_no_checkpoint_is_named(tmp_path, content, message):
    path = tmp_path / 'file.pth'
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        load_local(path)
    assert 'file.pth' in str(error.value)


def test_missing_checkpoint_says_where_to_look(tmp_path):
    with pytest.raises(FileNotFoundError, match=r'No checkpoint .*Look in the work folder'):
        load_local(tmp_path / 'none.pth')


def test_damaged_safetensors_is_named(tmp_path):
    (tmp_path / 'a.safetensors').write_bytes(b'\xff' * 64)
    with pytest.raises(ValueError, match=r'a\.safetensors is damaged'):
        load_local(tmp_path / 'a.safetensors')


def test_publishing_keeps_the_backbone_alone_with_its_config(tmp_path):
    state = {'backbone.conv.weight': torch.rand(2, 2).t(), 'aligner.gcm.weight': torch.rand(3)}
    torch.save({'state_dict': state, 'meta': {}}, tmp_path / 'epoch.pth')
    digest = publish(
        tmp_path / 'epoch.pth', tmp_path / 'out.safetensors', {'type': 'Net', 'width': 3}, {'x': [1]}
    )
    assert len(digest) == 64
    tensors, meta = load_published(tmp_path / 'out.safetensors')
    assert tensors.keys() == {'conv.weight'}
    assert torch.equal(tensors['conv.weight'], state['backbone.conv.weight'])
    assert meta == {'config': {'type': 'Net', 'width': 3}, 'x': [1]}
    assert load_local(tmp_path / 'out.safetensors')['state_dict'].keys() == {'backbone.conv.weight'}


def test_averaged_weights_are_taken_where_there_are_some(tmp_path):
    """As mmengine's hook leaves them: it exchanges the two, so that ``state_dict`` holds the averages."""
    model = nn.Module()
    model.backbone = nn.Linear(1, 1)
    runner = SimpleNamespace(model=model, _resume=False, iter=0, epoch=0)
    hook = EMAHook(momentum=0.5)
    hook.before_run(runner)
    before = model.backbone.weight.item()
    for _ in range(2):  # the first step of the average takes the weights as they are
        with torch.no_grad():
            model.backbone.weight += 1
        hook.after_train_iter(runner, 0)
    checkpoint = {'state_dict': dict(model.state_dict()), 'meta': {}}
    hook.before_save_checkpoint(runner, checkpoint)
    torch.save(checkpoint, tmp_path / 'epoch.pth')
    publish(tmp_path / 'epoch.pth', tmp_path / 'out.safetensors', {}, {})
    published = load_published(tmp_path / 'out.safetensors')[0]['weight'].item()
    assert published == pytest.approx(before + 1.5)
    assert model.backbone.weight.item() == pytest.approx(before + 2)


def test_publishing_twice_gives_the_same_bytes(tmp_path):
    torch.save(
        {'state_dict': {'backbone.w': torch.ones(3), 'backbone.b': torch.zeros(1)}}, tmp_path / 'a.pth'
    )
    extra = {f'key{number}': 'wörd' for number in range(12)}
    digests = {publish(tmp_path / 'a.pth', tmp_path / f'{n}.safetensors', {}, extra) for n in range(6)}
    assert len(digests) == 1
    tensors, meta = load_published(tmp_path / '0.safetensors')
    assert tensors['w'].tolist() == [1, 1, 1] and meta['key3'] == 'wörd'


def test_another_part_is_published_in_half_precision(tmp_path):
    state = {'flow_estimator.w': torch.full((2,), 0.1), 'flow_estimator.steps': torch.tensor(70_000)}
    torch.save({'state_dict': {**state, 'loss.w': torch.ones(1)}, 'meta': {}}, tmp_path / 'iter.pth')
    out = tmp_path / 'flow.safetensors'
    publish(tmp_path / 'iter.pth', out, {'type': 'Flow'}, {}, 'flow_estimator', torch.float16)
    tensors, meta = load_published(out)
    assert meta == {'config': {'type': 'Flow'}}
    assert tensors['w'].dtype == torch.float16
    assert tensors['steps'].item() == 70_000
    with pytest.raises(ValueError, match=r'no weights named backbone\.\*'):
        publish(tmp_path / 'iter.pth', out, {}, {})


def test_provenance_is_what_the_run_wrote_down(tmp_path):
    meta = {'cfg': 'model = 1', 'seed': 3, 'iter': 40, 'epoch': 0}
    torch.save({'state_dict': {}, 'meta': meta}, tmp_path / 'iter.pth')
    expected = {'config': 'model = 1', 'seed': 3, 'iterations': 40, 'epochs': 0, 'torch': torch.__version__}
    assert provenance(tmp_path / 'iter.pth') == expected


def test_differences_are_counted_and_named():
    model = nn.ModuleDict({'backbone': nn.Linear(2, 3)})
    state = {'backbone.weight': torch.zeros(4, 2), 'backbone.scale': torch.zeros(1)}
    with pytest.raises(ValueError, match='belong to another network') as error:
        check_fits(state, model, 'backbone.', 'The weights')
    text = str(error.value)
    assert '1 missing (backbone.bias)' in text
    assert '1 unexpected (backbone.scale)' in text
    assert '(4, 2) instead of (3, 2)' in text
    check_fits(model.state_dict(), model, 'backbone.', 'The weights')


def write_checkpoint(path, value=1.0):
    content = {
        'state_dict': {'w': torch.full((64,), value)},
        'optimizer': {'state': [torch.ones(2)]},
        'meta': {},
    }
    content['meta'][TENSORS_HASH] = tensors_hash(content)
    torch.save(content, path)
    return path


def test_latest_checkpoint_is_found_where_the_folder_is_now(tmp_path):
    assert latest_checkpoint(tmp_path) is None
    for name in ('epoch_1.pth', 'epoch_2.pth'):
        write_checkpoint(tmp_path / name)
    (tmp_path / 'last_checkpoint').write_text('/somewhere/else/epoch_1.pth')
    assert latest_checkpoint(tmp_path) == tmp_path / 'epoch_1.pth'
    (tmp_path / 'last_checkpoint').write_text('/somewhere/else/epoch_9.pth')
    assert latest_checkpoint(tmp_path).name in ('epoch_1.pth', 'epoch_2.pth')


@pytest.mark.parametrize('damage', ['cut', 'empty', 'flipped'])
def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path, damage):
    old = write_checkpoint(tmp_path / 'epoch_1.pth')
    new = write_checkpoint(tmp_path / 'epoch_2.pth', 0.1)
    (tmp_path / 'last_checkpoint').write_text(str(new))
    assert latest_checkpoint(tmp_path) == new
    content = bytearray(new.read_bytes())
    content[content.index(torch.tensor(0.1).numpy().tobytes()) + 1] ^= 4
    new.write_bytes({'cut': content[:300], 'empty': b'', 'flipped': content}[damage])
    with pytest.warns(UserWarning, match=r'epoch_2\.pth is (damaged|refused)'):
        assert latest_checkpoint(tmp_path) == old


def test_a_flipped_bit_of_an_optimiser_changes_the_hash():
    checkpoint = {'state_dict': {'w': torch.ones(2)}, 'optimizer': {'state': {0: torch.zeros(3)}}}
    before = tensors_hash(checkpoint)
    checkpoint['optimizer']['state'][0][1] = 1e-30
    assert tensors_hash(checkpoint) != before
    assert tensors_hash({**checkpoint, 'meta': {'anything': torch.ones(1)}}) == tensors_hash(checkpoint)


def test_aligner_is_loaded_without_the_weights_that_it_started_from(tmp_path):
    mapper = {'type': 'GCM', 'width': 8, 'weights': 'long_gone.safetensors'}
    config = {'type': 'FlowAligner', 'flow_estimator': {'type': 'DISFlow'}, 'colour_mapper': mapper}
    trained = GCM(width=8)
    state = {f'aligner.colour_mapper.{name}': value for name, value in trained.state_dict().items()}
    torch.save({'state_dict': state, 'meta': {'model': {'aligner': config}}}, tmp_path / 'epoch.pth')
    loaded = load_aligner(tmp_path / 'epoch.pth').colour_mapper
    assert torch.equal(loaded.tail.weight, trained.tail.weight)


@pytest.mark.parametrize(
    ('value', 'dtype'), [(float('nan'), None), (float('inf'), None), (1e6, torch.float16)]
)
def test_weights_that_are_no_numbers_are_not_published(tmp_path, value, dtype):
    state = {'backbone.head.weight': torch.ones(2), 'backbone.tail.bias': torch.tensor([1.0, value])}
    torch.save({'state_dict': state, 'meta': {}}, tmp_path / 'epoch.pth')
    with pytest.raises(ValueError, match=r'epoch\.pth: weights of tail\.bias are NaN or infinite in float'):
        publish(tmp_path / 'epoch.pth', tmp_path / 'out.safetensors', {}, {}, dtype=dtype)
    assert not (tmp_path / 'out.safetensors').exists()
