import pytest

from rawtoolbox.files.seal import blank, check_seal, seal


@pytest.fixture
def sealed(tmp_path):
    path = tmp_path / 'file.bin'
    path.write_bytes(b'before ' + blank('onnx').encode() + bytes(range(256)))
    size = path.stat().st_size
    seal(path, 'onnx')
    assert path.stat().st_size == size
    return path


def test_a_sealed_file_passes(sealed):
    check_seal(sealed, 'onnx')


@pytest.mark.parametrize('place', [0, 20, 80, -1])
def test_any_flipped_bit_is_noticed(sealed, place):
    content = bytearray(sealed.read_bytes())
    content[place] ^= 1
    sealed.write_bytes(content)
    with pytest.raises(ValueError, match=r'file\.bin is damaged'):
        check_seal(sealed, 'onnx')


def test_a_file_without_a_hash_is_refused(sealed):
    with pytest.raises(ValueError, match='carries no hash'):
        check_seal(sealed, 'xml')


def test_room_for_one_hash_is_needed(tmp_path):
    (tmp_path / 'none').write_bytes(b'nothing')
    with pytest.raises(ValueError, match='found 0'):
        seal(tmp_path / 'none', 'onnx')


@pytest.mark.parametrize('key', [b'\x0a\x08location\x12\x05x.bin', b'\x0a\x88\x80\x00location\x12\x05x.bin'])
def test_tensors_in_other_files_are_refused(tmp_path, key):
    """As protobuf writes the place of an ONNX tensor's values, and as it may be written to hide it."""
    (tmp_path / 'file.onnx').write_bytes(key + blank('onnx').encode())
    seal(tmp_path / 'file.onnx', 'onnx')
    with pytest.raises(ValueError, match='its tensors are in other files'):
        check_seal(tmp_path / 'file.onnx', 'onnx')
