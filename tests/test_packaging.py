"What pip installs: the wheel, what it says of itself, and that it works far from the source tree."
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import zipfile
from importlib.metadata import Distribution
from pathlib import Path

import pytest

from mnist_steps import __version__
from mnist_steps.data import load_mnist
from mnist_steps.idx import write_idx

ROOT = Path(__file__).resolve().parents[1]
NOT_OURS = ['.*_cache', '.git', '.hypothesis', '.ipynb_checkpoints', '.venv', '__pycache__', '*.egg-info', '_docs',
            '_proc', 'build', 'dist', 'jupyter_execute']

pytestmark = pytest.mark.packaging

def run(*command, **options):
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding='utf-8', **options).stdout

def python(*arguments, **options): return run(sys.executable, *arguments, **options)

def files(folder):
    "Files below a folder of the project that belong to it, relative to the root"
    return {p.relative_to(ROOT).as_posix() for p in (ROOT/folder).rglob('*')
            if p.is_file() and not {'__pycache__', '.ipynb_checkpoints'} & set(p.parts)}

def build(folder, copy=shutil.copy2, umask=-1, **env):
    "The sdist of the project, and the wheel that is built from that sdist alone; nothing is written beside the sources"
    source, built = folder/'source', folder/'dist'
    shutil.copytree(ROOT, source, ignore=shutil.ignore_patterns(*NOT_OURS), copy_function=copy)
    python('-m', 'build', '--no-isolation', '--outdir', built, source, cwd=folder, umask=umask, env=os.environ | env)
    return next(built.glob('*.tar.gz')), next(built.glob('*.whl'))

@pytest.fixture(scope='module')
def archives(tmp_path_factory):
    "The sdist and the wheel"
    return build(tmp_path_factory.mktemp('archives'))

@pytest.fixture(scope='module')
def site(archives, tmp_path_factory):
    "A folder with the wheel installed in it, without the dependencies"
    folder = tmp_path_factory.mktemp('site')
    python('-m', 'pip', 'install', '--quiet', '--no-index', '--no-deps', '--target', folder, archives[1])
    return folder

@pytest.fixture
def away(site, tmp_path):
    "Options for `run`: another folder, where `import mnist_steps` finds the installed wheel"
    return {'cwd': tmp_path, 'env': os.environ | {'PYTHONPATH': str(site)}}

@pytest.fixture
def small_data(tmp_path):
    "A folder with a few hundred digits in MNIST's own files"
    folder = tmp_path/'small'
    folder.mkdir()
    for name, digits in zip(['train', 't10k'], load_mnist()):
        write_idx(folder/f'{name}-images-idx3-ubyte.gz', digits.images[:500])
        write_idx(folder/f'{name}-labels-idx1-ubyte.gz', digits.labels[:500].astype('uint8'))
    return folder

def test_wheel_is_the_package_and_nothing_else(archives):
    names = set(zipfile.ZipFile(archives[1]).namelist())
    about = {name for name in names if name.split('/')[0] == f'mnist_steps-{__version__}.dist-info'}
    assert names - about == files('mnist_steps') | {f'mnist_steps/{name}' for name in files('demo')}

def test_wheel_has_the_app_and_its_settings(archives):
    app = {'__init__.py', 'app.py', 'app.css', 'pad.js', 'canvas.js', 'requirements.txt', '.streamlit/config.toml'}
    assert {f'mnist_steps/demo/{name}' for name in app} <= set(zipfile.ZipFile(archives[1]).namelist())

def test_wheel_tells_type_checkers_to_look(archives):
    assert 'mnist_steps/py.typed' in zipfile.ZipFile(archives[1]).namelist()

def test_sdist_has_what_the_gate_needs(archives):
    names = {name.partition('/')[2] for name in tarfile.open(archives[0]).getnames()}
    wanted = {'LICENSE', 'README.md', 'CHANGELOG.md', 'CITATION.cff', 'settings.ini', 'setup.py', 'pyproject.toml'}
    folders = ['mnist_steps', 'nbs', 'tests', 'docs', 'demo', 'requirements']
    assert wanted.union(*map(files, folders)) <= names

def copy_as_stranger(source, target):
    "Copy a file, but neither its time nor its mode"
    shutil.copyfile(source, target)
    os.utime(target, (10**9, 10**9))
    os.chmod(target, 0o600)

def test_archives_depend_on_nothing_but_the_files(archives, tmp_path):
    elsewhere = tmp_path/'elsewhere'
    elsewhere.mkdir()
    again = build(tmp_path, copy_as_stranger, umask=0o077, TMPDIR=str(elsewhere))
    for first, second in zip(archives, again):
        assert first.read_bytes() == second.read_bytes(), first.name

def test_archives_have_the_time_that_is_asked_for(tmp_path):
    sdist, wheel = build(tmp_path, SOURCE_DATE_EPOCH='1700000000') # 2023-11-14 22:13:20
    assert {member.mtime for member in tarfile.open(sdist).getmembers()} == {1700000000}
    assert {entry.date_time for entry in zipfile.ZipFile(wheel).infolist()} == {(2023, 11, 14, 22, 13, 20)}

def test_metadata(site):
    about = Distribution.at(site/f'mnist_steps-{__version__}.dist-info')
    assert about.version == __version__
    assert about.metadata['License-Expression'] == (
        'Apache-2.0 AND CC-BY-SA-3.0 AND CC-BY-4.0 AND BSD-3-Clause')
    assert about.metadata.get_all('License-File') == [
        'LICENSE', 'mnist_steps/mnist/NOTICE', 'mnist_steps/weights/NOTICE']
    assert set(about.metadata.get_all('Provides-Extra')) == {'bench', 'demo', 'dev', 'all'}
    assert {f'Programming Language :: Python :: 3.{minor}' for minor in range(10, 15)} <= set(
        about.metadata.get_all('Classifier'))
    assert [(e.name, e.value) for e in about.entry_points.select(group='console_scripts')] == [
        ('mnist-steps', 'mnist_steps.cli:main')]

def needs(site, extra=None):
    "Names of what pip installs with the package, or in addition for an extra"
    about = Distribution.at(site/f'mnist_steps-{__version__}.dist-info')
    requirements = [requirement for requirement in about.requires
                    if (f'extra == "{extra}"' in requirement if extra else 'extra ==' not in requirement)]
    return {re.match(r'[\w-]+', requirement)[0] for requirement in requirements}

def test_a_plain_install_brings_no_development_tools(site):
    assert needs(site) == {'numpy', 'scipy', 'scikit-learn', 'torch', 'fastcore', 'matplotlib', 'safetensors',
                           'threadpoolctl', 'tqdm', 'pillow'}

def test_extras(site):
    assert needs(site, 'bench') == {'torchvision'}
    assert needs(site, 'demo') == {'streamlit', 'streamlit-drawable-canvas', 'pandas'}
    assert needs(site, 'dev') == needs(site, 'all') > needs(site, 'bench') | needs(site, 'demo')

def test_twine_check(archives): python('-m', 'twine', 'check', '--strict', *archives)

def test_data_comes_with_the_wheel(site, away):
    code = ('import json, mnist_steps.data as data; train, test = data.load_mnist();'
            'print(json.dumps([data.__file__, len(train), len(test), len({*train.writers}), len({*test.writers})]))')
    file, *numbers = json.loads(python('-c', code, **away))
    assert Path(file).resolve() == (site/'mnist_steps'/'data.py').resolve()
    assert numbers == [60_000, 10_000, 539, 297]

def test_every_file_of_the_digits_has_its_notice(site):
    notice = (site/'mnist_steps'/'mnist'/'NOTICE').read_text(encoding='utf-8')
    assert all(name in notice for name in ('LeCun', 'CC BY-SA 3.0', 'Yadav', 'Redistributions in binary form must'))
    kinds = {path.name.partition('-')[2] for path in (site/'mnist_steps'/'mnist').glob('*.gz')}
    assert len(kinds) == 3 and all(f'*-{kind}' in notice for kind in kinds)

@pytest.mark.parametrize('module, brings', [
    ('mnist_steps', set()), ('mnist_steps.data', set()), ('mnist_steps.metrics', set()), ('mnist_steps.cli', set()),
    ('mnist_steps.convolution', set()),
    ('mnist_steps.numpy_net', {'sklearn', 'scipy'})]) # a rung is one of scikit-learn's estimators
def test_import_is_light(module, brings, away):
    code = f'import sys, {module}; print(*sys.modules.keys() & {{"torch", "sklearn", "scipy", "matplotlib"}})'
    assert set(python('-c', code, **away).split()) == brings

def test_app_is_found(site, away):
    code = ('from mnist_steps.cli import find_app; import mnist_steps.demo as demo;'
            'print(find_app(), demo.__file__, sep="\\n")')
    assert [Path(p).resolve() for p in python('-c', code, **away).split('\n')[:2]] == [
        (site/'mnist_steps'/'demo'/name).resolve() for name in ('app.py', '__init__.py')]

def test_training_in_the_background(away, small_data):
    code = ('import sys; from mnist_steps.background import Training\n'
            'with Training("numpy", data=sys.argv[1], epochs=2) as t: t.wait(); print(t.error, len(t.history["loss"]))')
    assert python('-c', code, small_data, **away).split() == ['None', '2']

def test_command(site, away, small_data):
    command = shutil.which('mnist-steps', path=site/'bin')
    report = json.loads(run(command, 'ladder', '--rungs', 'logistic', '--data', small_data, '--json', **away))
    [rung] = report['rungs']
    low, high = rung['interval']
    assert rung['name'] == 'logistic'
    assert 0.6 < low < rung['accuracy'] < high < 1
    assert sum(map(sum, rung['confusion_matrix'])) == 500
