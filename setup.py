"Package metadata, all of it read from settings.ini."
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup

config = ConfigParser(delimiters=['='])
config.read('settings.ini', encoding='utf-8')
cfg = config['DEFAULT']

extras = {key.removesuffix('_requirements'): cfg[key].split() for key in cfg if key.endswith('_requirements')}
extras['all'] = sorted(set(sum(extras.values(), [])))
demo = cfg['lib_path'] + '.demo' # the app: the folder demo, inside the installed package

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=cfg['description'],
    long_description=Path('README.md').read_text(encoding='utf-8'),
    long_description_content_type='text/markdown',
    author=cfg['author'],
    author_email=cfg['author_email'],
    license_expression=cfg['license'],
    license_files=cfg['license_files'].split(),
    keywords=cfg['keywords'].split(),
    classifiers=cfg['classifiers'].strip().splitlines(),
    project_urls={
        'Documentation': cfg['doc_host'] + cfg['doc_baseurl'],
        'Source': cfg['git_url'],
        'Changelog': f"{cfg['git_url']}/blob/{cfg['branch']}/CHANGELOG.md",
        'Issues': cfg['git_url'] + '/issues'},
    python_requires='>=' + cfg['min_python'],
    install_requires=cfg['requirements'].split(),
    extras_require=extras,
    packages=[*find_packages(include=[cfg['lib_path'] + '*']), demo],
    package_dir={demo: 'demo'},
    package_data={cfg['lib_path']: cfg['package_data'].split(), demo: cfg['demo_package_data'].split()},
    entry_points={
        'console_scripts': [cfg['console_scripts']],
        'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]})
