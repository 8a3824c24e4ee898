"""The README's commands are those that are run, and its links lead somewhere."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]


def command(which):
    text = (ROOT / 'README.md').read_text()
    return re.search(rf'<!-- {which} command -->\n```bash\n(.+?)\n```', text, re.DOTALL).group(1)


def test_ci_runs_the_readmes_commands():
    lines = (ROOT / '.ci' / 'run').read_text().splitlines()
    assert command('test') in lines
    assert command('demo') in lines


def test_links_lead_somewhere():
    pages = [ROOT / 'README.md', *(ROOT / 'docs').glob('*.md')]
    dead = [
        f'{page.name}: {target}'
        for page in pages
        for target in re.findall(r'\]\(([^)#]+)[^)]*\)', page.read_text())
        if not target.startswith('http') and not (page.parent / target).exists()
    ]
    assert dead == []


def test_tools_of_the_readme_exist():
    named = set(re.findall(r'(tools/[\w/]+\.(?:py|sh)|configs/\w+\.py)', (ROOT / 'README.md').read_text()))
    assert len(named) >= 6
    assert [name for name in named if not (ROOT / name).is_file()] == []
