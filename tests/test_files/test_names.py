from rawtoolbox.files.names import natural_key


def test_numbers_in_names_sort_by_value():
    assert sorted(['b2', 'a10', 'a9'], key=natural_key) == ['a9', 'a10', 'b2']
