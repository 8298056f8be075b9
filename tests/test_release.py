"What stands between the repository and those who install from it: pinned actions, a hashed lock, one package index."
import re
from configparser import ConfigParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
GITHUB = sorted((ROOT/'.github').rglob('*.y*ml'))
PYTHONS = ['3.10', '3.11', '3.12', '3.13', '3.14']
LINUX = {'sys_platform': 'linux', 'platform_system': 'Linux', 'os_name': 'posix', 'platform_machine': 'x86_64',
         'implementation_name': 'cpython', 'platform_python_implementation': 'CPython'}


def text(name): return (ROOT/name).read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def settings():
    config = ConfigParser(delimiters=['='])
    config.read_string(text('settings.ini'))
    return config['DEFAULT']


def locked(python):
    "name -> the release that the lock has for a version of Python on Linux"
    where = LINUX | {'python_version': python, 'python_full_version': python + '.9'}
    requirements = [Requirement(line.rstrip('\\ ')) for line in text('requirements/ci.txt').splitlines()
                    if re.match(r'\w', line)]
    here = [r for r in requirements if not r.marker or r.marker.evaluate(where)]
    assert len({r.name for r in here}) == len(here)
    return {r.name: Version(str(r.specifier).removeprefix('==')) for r in here}


def test_every_action_is_pinned_by_its_commit():
    uses = [use for path in GITHUB for use in re.findall(r'uses:\s*(.+)', path.read_text(encoding='utf-8'))]
    from_elsewhere = [use for use in uses if not use.startswith('./')]
    assert len(from_elsewhere) > 10
    assert [use for use in from_elsewhere if not re.fullmatch(r'[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+', use)] == []
    assert len({use.split('@')[0] for use in from_elsewhere}) == len(set(from_elsewhere)) # one commit for each


def test_ours_are_there():
    uses = {use for path in GITHUB for use in re.findall(r'uses:\s*\./(\S+)', path.read_text(encoding='utf-8'))}
    assert uses and all((ROOT/use/'action.yaml').is_file() for use in uses)


@pytest.mark.parametrize('path', [*GITHUB, *ROOT.glob('*/*.txt')], ids=lambda path: path.name)
def test_no_index_beside_pypi(path):
    content = path.read_text(encoding='utf-8')
    assert not re.search(r'extra.index|find.links', content, re.I)
    for line in content.splitlines():
        if 'index-url' in line: # PyTorch's own, for PyTorch alone
            assert re.search(r'pip install --no-deps -r (requirements/)?torch\.txt --index-url', line)


def test_lock_has_a_hash_for_everything_and_names_no_host():
    lock = text('requirements/ci.txt')
    blocks = re.split(r'^(?=\w)', lock, flags=re.M)[1:]
    assert len(blocks) > 100
    assert [block for block in blocks if not re.search(r'--hash=sha256:[0-9a-f]{64}', block)] == []
    assert '://' not in lock and 'index' not in re.sub(r'^\w.*', '', lock, flags=re.M) and '@' not in lock


@pytest.mark.parametrize('python', PYTHONS)
def test_lock_has_what_dev_needs(settings, python):
    needed = ' '.join(settings[f'{kind}requirements'] for kind in ('', 'bench_', 'demo_', 'dev_')).split()
    torch = dict(line.split('==') for line in text('requirements/torch.txt').split('\n') if '==' in line)
    releases = locked(python) | {name: Version(version) for name, version in torch.items()}
    unmet = [need for need in map(Requirement, needed)
             if (not need.marker or need.marker.evaluate({'python_version': python}))
             and releases.get(need.name.lower(), Version('0')) not in need.specifier]
    assert unmet == []


def test_lock_leaves_pytorch_to_its_own_index():
    assert [name for name in locked('3.12') if re.match('torch|nvidia|cuda|triton', name)] == []


def test_hook_and_gate_have_the_same_ruff():
    [rev] = re.findall(r'ruff-pre-commit\n\s+rev: v(\S+)', text('.pre-commit-config.yaml'))
    assert Version(rev) == locked('3.12')['ruff']


def test_workflow_has_every_python_that_we_name(settings):
    named = re.findall(r'Python :: (3\.\d+)', settings['classifiers'])
    matrix = re.search(r'python: (\[.*\])', text('.github/workflows/test.yaml'))[1]
    assert named == PYTHONS == re.findall(r'3\.\d+', matrix)
    assert settings['min_python'] == PYTHONS[0]


def test_both_nbdevs_are_told_the_same(settings):
    table = re.search(r'^\[tool\.nbdev\].*\n((?:.+\n)*)', text('pyproject.toml'), re.M)[1]
    told = dict(re.findall(r'^(\w+) = "?(.*?)"?$', table, re.M))
    assert told == {'branch': settings['branch'], 'tst_flags': settings['tst_flags'], 'update_pyproject': 'false'}


def test_width_of_what_is_not_python():
    kinds = ['*.md', '*.toml', '*.ini', '*.in', '*.cff', '.*.yaml', '.ci/*', '.github/**/*.y*ml',
             'requirements/torch.txt', 'demo/*.txt', 'demo/*.js', 'demo/*.css', 'docs/_static/*.css',
             'docs/_static/*.js']
    paths = {path for kind in kinds for path in ROOT.glob(kind)} - {ROOT/'README.md'} # rendered from index.ipynb
    assert len(paths) > 15
    assert [(path.name, line) for path in sorted(paths) for line in path.read_text(encoding='utf-8').splitlines()
            if len(line) > 120] == []
