"README and front page: commands, badges, pictures and citation say what is so; figures follow the theme."
import re
import subprocess
import sys
from configparser import ConfigParser
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
IMAGES = ROOT/'nbs'/'images'
RAW = 'https://raw.githubusercontent.com/mnist-steps/mnist-steps/main/nbs/images/'
DARK_GROUND = np.array([19, 20, 22])

sys.path.insert(0, str(ROOT/'docs'))
themes = pytest.importorskip('themes')


@pytest.fixture(scope='module')
def readme(): return (ROOT/'README.md').read_text(encoding='utf-8')


@pytest.fixture(scope='module')
def settings():
    config = ConfigParser(delimiters=['='])
    config.read(ROOT/'settings.ini', encoding='utf-8')
    return config['DEFAULT']


@pytest.fixture(scope='module')
def citation(): return yaml.safe_load((ROOT/'CITATION.cff').read_text(encoding='utf-8'))


def test_first_two_blocks_are_those_that_ci_runs(readme):
    "Install and climb; then install and test. Other commands stand in blocks of another kind"
    blocks = re.findall(r'^```bash\n(.*?)^```$', readme, re.M | re.S)
    assert blocks[:2] == ['pip install .\nmnist-steps ladder\n', 'pip install -e ".[dev]"\npython tests/gate.py\n']
    for command in ('pip install mnist-steps', 'mnist-steps play', 'mnist-steps demo'):
        assert re.search(rf'^```sh\n(?:.+\n)*{command}\n', readme, re.M), command


def test_a_visitor_reads_in_this_order(readme):
    "The page that never sleeps comes before the app, and what developers need comes last"
    marks = ['badge_python.svg', 'play.gif', '/play.html): the page', '| `cnn` | 99', 'ladder.png', '## Install',
             'mnist-steps play', 'mnist-steps demo', '## Where to go', '## Develop', '## Citation and licence']
    places = [readme.index(mark) for mark in marks]
    assert places == sorted(places)


def test_badges_say_what_settings_say(settings):
    versions = re.findall(r'Python :: (3\.\d+)', settings['classifiers'])
    facts = {'python': f'{versions[0]} to {versions[-1]}', 'code': settings['license'].split()[0]}
    for name, fact in facts.items():
        assert f'aria-label="{name}: {fact}"' in (IMAGES/f'badge_{name}.svg').read_text(encoding='utf-8')


def test_pictures_of_the_readme_are_there(readme):
    names = re.findall(re.escape(RAW) + r'([\w./-]+)', readme)
    assert len(names) > 5
    assert [name for name in names if not (IMAGES/name).exists()] == []
    assert 'img.shields.io' not in readme # a badge asks nobody


@pytest.mark.parametrize('name', ['play', 'play-dark'])
def test_animation(name):
    "It is light, ends, and begins with the finished drawing, which readers see who stop animations"
    assert (IMAGES/f'{name}.gif').stat().st_size <= 1_000_000
    with Image.open(IMAGES/f'{name}.gif') as animation:
        assert animation.n_frames > 20 and animation.info['loop'] > 0
        first = np.asarray(animation.convert('L'), dtype=int)
        animation.seek(1)
        begun = np.asarray(animation.convert('L'), dtype=int)
        animation.seek(animation.n_frames - 1)
        last = np.asarray(animation.convert('L'), dtype=int)
    assert np.abs(first - last).max() < 8
    assert np.abs(first - begun).max() > 200


def test_citation(citation, settings, readme):
    assert citation['cff-version'] == '1.2.0' and {'message', 'title', 'authors'} <= citation.keys()
    assert citation['authors'] == [{'name': settings['author']}]
    assert citation['version'] == settings['version']
    assert citation['license'] == settings['license'].split()[0] # of the code; the data have their own
    assert 'CITATION.cff' in readme


def test_citation_has_the_day_of_the_release(citation):
    "None as long as the version is not released"
    changelog = (ROOT/'CHANGELOG.md').read_text(encoding='utf-8')
    released = re.search(rf'^## \[{re.escape(citation["version"])}\] - (\S+)', changelog, re.M)
    assert str(citation.get('date-released')) == (released[1] if released else 'None')


@pytest.mark.parametrize('notice, title', [
    ('mnist', 'Gradient-based learning applied to document recognition'),
    ('mnist', 'Cold Case: The Lost MNIST Digits'),
    ('weights', 'Pen-Based Recognition of Handwritten Digits')])
def test_citation_names_the_data(citation, notice, title):
    text = ' '.join((ROOT/'mnist_steps'/notice/'NOTICE').read_text(encoding='utf-8').split())
    [reference] = [reference for reference in citation['references'] if reference['title'] == title]
    assert title in text and str(reference['year']) in text
    assert all(author['family-names'] in text for author in reference['authors'])


def figure(size=(200, 300)): return np.full((*size, 3), 255, np.uint8)


def dark(rgb): return np.asarray(themes.dark(Image.fromarray(rgb))).astype(int)


def test_letters_and_lines_turn_and_colours_stay():
    rgb = figure()
    rgb[20:24, 20:280] = 0
    rgb[60:64, 20:280] = 128
    rgb[100:104, 20:280] = [0, 114, 178]
    out = dark(rgb)
    assert np.abs(out[0, 0] - DARK_GROUND).max() <= 1
    assert out[22, 100].min() > 190
    assert 80 < out[62, 100].mean() < 140
    assert np.abs(out[102, 100] - [0, 114, 178]).max() <= 2


def test_white_ink_on_black_stays():
    rgb = figure()
    rgb[40:180, 60:200] = 0
    for k in range(8): rgb[60 + 12 * k:70 + 12 * k, 80 + 9 * k:120 + 9 * k] = 250 # a stroke
    out = dark(rgb)
    assert (out[40:180, 60:200] == rgb[40:180, 60:200]).all()


def test_a_heat_map_keeps_hues_and_order():
    "What is strongest on white is strongest on black, and red stays red"
    rgb = figure()
    reds = np.linspace([247, 247, 247], [178, 24, 43], 10).astype(np.uint8) # weak to strong
    for i in range(10):
        for j in range(10): rgb[20 + 16 * i:36 + 16 * i, 40 + 16 * j:56 + 16 * j] = reds[(i + j) % 10]
    out = dark(rgb)
    row = [out[28, 48 + 16 * j] for j in range(10)]
    distances = [np.abs(color - DARK_GROUND).sum() for color in row]
    assert distances == sorted(distances) and distances[0] < 30
    assert all(red > green and red > blue for red, green, blue in row[2:])


def test_ink_on_white_becomes_ink_on_black():
    rgb = figure()
    rgb[40:180, [60, 199]] = rgb[[40, 179], 60:200] = 200 # a frame
    rgb[60:160, 120:130] = 0
    out = dark(rgb)
    assert out[100, 125].min() > 190 and out[100, 80].max() < 30


def write_site(folder, rgb):
    "A page with one figure"
    (folder/'_images').mkdir()
    Image.fromarray(rgb).save(folder/'_images'/'one.png')
    (folder/'page.html').write_text('<p><img alt="a figure" src="_images/one.png" width="150" /></p>', encoding='utf-8')
    themes.follow_theme(folder)
    return (folder/'page.html').read_text(encoding='utf-8')


def test_a_page_has_both_figures_and_loads_one(tmp_path):
    rgb = figure()
    rgb[20:24, 20:280] = 0
    page = write_site(tmp_path, rgb)
    assert re.findall(r'<img class="only-(\w+)" loading="lazy" alt="a figure" src="_images/([\w.-]+)" width="150" />',
                      page) == [('light', 'one.webp'), ('dark', 'one-dark.webp')]
    assert sorted(path.name for path in (tmp_path/'_images').iterdir()) == ['one-dark.webp', 'one.webp']
    with Image.open(tmp_path/'_images'/'one-dark.webp') as picture:
        assert picture.getpixel((0, 0))[3] == 0 and picture.getpixel((100, 22))[3] == 255


def test_one_picture_serves_both_themes(tmp_path):
    rgb = figure()
    rgb[40:180, 60:200] = 0
    for k in range(8): rgb[60 + 12 * k:70 + 12 * k, 80 + 9 * k:120 + 9 * k] = 255 # white ink stays opaque
    sources = re.findall(r'<img loading="lazy" alt="a figure" src="(.*?)"', write_site(tmp_path, rgb))
    assert sources == ['_images/one.webp']
    with Image.open(tmp_path/'_images'/'one.webp') as picture:
        assert picture.getpixel((0, 0))[3] == 0 and picture.getpixel((100, 65)) == (255, 255, 255, 255)


def test_readme_follows_from_the_notebook():
    assert subprocess.run([sys.executable, 'docs/readme.py', '--check'], cwd=ROOT).returncode == 0
