"""Who imports whom: a room imports rooms of lower floors only, also within a function."""

import ast
from collections import Counter
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

import pytest

PACKAGE = Path(__file__).parents[1] / 'rawtoolbox'
LARGEST_SHARE = 0.12  # of the package's lines that one room may have

# From the roof down. Rooms of one floor do not know one another. docs/design.md says what each is for.
FLOORS = (
    ('__main__',),
    ('console',),
    ('apis',),
    ('zoo', 'benchmarks', 'preparation'),
    ('inference',),
    ('deployment',),
    ('engine',),
    ('models', 'datasets', 'metrics'),
    ('aligners', 'simulation'),
    ('backbones', 'flow', 'losses', 'raw'),
    ('layers', 'weights', 'visualization'),
    ('files',),
    ('ops',),
    ('registry',),
    ('compat', 'moved_names'),
)
HEIGHT = {room: height for height, rooms in enumerate(reversed(FLOORS)) for room in rooms}


class Arrow(NamedTuple):
    """One import: where it stands, whose it is, and of which room."""

    place: str
    room: str
    other: str


def room_of(path: Path) -> str:
    """The room of a file: its folder in the package, or the module's own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix('.py')


def imported_rooms(node: ast.AST) -> Iterator[str]:
    """Rooms that an import statement names, in whichever of its forms."""
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.module == PACKAGE.name:
        names = [f'{PACKAGE.name}.{alias.name}' for alias in node.names]
    elif isinstance(node, ast.ImportFrom):
        assert node.level == 0, f'line {node.lineno}: relative imports hide which room is meant'
        names = [node.module]
    else:
        names = []
    for name in names:
        package, _, rest = name.partition('.')
        if package == PACKAGE.name and rest and not rest.startswith('__'):
            yield rest.split('.')[0]


@cache
def find_arrows() -> list[Arrow]:
    """Every import of one room by another."""
    return [
        Arrow(f'{path.relative_to(PACKAGE)}:{node.lineno}', room_of(path), other)
        for path in sorted(PACKAGE.rglob('*.py'))
        if room_of(path) != '__init__'
        for node in ast.walk(ast.parse(path.read_text(encoding='utf-8')))
        for other in imported_rooms(node)
        if other != room_of(path)
    ]


def test_every_room_has_a_floor():
    rooms = {room_of(path) for path in PACKAGE.rglob('*.py')} - {'__init__'}
    assert rooms == HEIGHT.keys()
    assert sum(len(floor) for floor in FLOORS) == len(HEIGHT), 'a room is on two floors'


def test_arrows_run_down():
    arrows = find_arrows()
    assert len(arrows) > 100, 'the imports are not found'
    wrong = [
        f'{arrow.place}: {arrow.room} imports {arrow.other}, which is not below it'
        for arrow in arrows
        if HEIGHT[arrow.room] <= HEIGHT[arrow.other]
    ]
    assert not wrong, '\n'.join(wrong)


def test_no_circle_of_rooms():
    """Independent of the floors: rooms that nobody left imports are taken away until none is left."""
    left = {room: set() for room in HEIGHT}
    for arrow in find_arrows():
        left[arrow.room].add(arrow.other)
    while left:
        top = left.keys() - set().union(*left.values())
        assert top, f'these rooms import one another in a circle: {", ".join(sorted(left))}'
        for room in top:
            del left[room]


def test_no_room_is_too_large():
    lines = Counter()
    for path in PACKAGE.rglob('*.py'):
        lines[room_of(path)] += len(path.read_text(encoding='utf-8').splitlines())
    room, largest = lines.most_common(1)[0]
    share = largest / lines.total()
    assert share <= LARGEST_SHARE, f'{room} has {share:.1%} of the lines: what other purpose is in it?'


@pytest.mark.parametrize(
    ('statement', 'rooms'),
    [
        ('import rawtoolbox.raw.dng', ['raw']),
        ('from rawtoolbox import registry', ['registry']),
        ('from rawtoolbox import __version__', []),
        ('from rawtoolbox.raw import open_raw', ['raw']),
        ('def f():\n    from rawtoolbox.apis.x import y', ['apis']),
        ('import torch', []),
    ],
)
def test_all_forms_of_imports_are_seen(statement, rooms):
    assert [room for node in ast.walk(ast.parse(statement)) for room in imported_rooms(node)] == rooms
