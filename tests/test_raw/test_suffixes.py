from rawtoolbox.raw import suffixes


def test_suffixes_are_lower_case_and_begin_with_a_point():
    lists = {name: value for name, value in vars(suffixes).items() if name.endswith('_SUFFIXES')}
    assert len(lists) == 5
    for name, values in lists.items():
        assert all(value.startswith('.') and value == value.lower() for value in values), name


def test_nothing_that_may_be_a_raw_is_passed_over():
    raws = suffixes.CAMERA_SUFFIXES | suffixes.MOSAIC_SUFFIXES
    assert not raws & suffixes.NOT_RAW_SUFFIXES
