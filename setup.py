"Package metadata, read from settings.ini, and archives that depend on nothing but the files in them."
import gzip
import os
import tarfile
from configparser import ConfigParser
from pathlib import Path

from setuptools import find_packages, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.sdist import sdist

# The time that every file in an archive gets: https://reproducible-builds.org/specs/source-date-epoch/
EPOCH = int(os.environ.setdefault('SOURCE_DATE_EPOCH', '1577836800')) # 2020-01-01, where nobody says otherwise


class Wheel(bdist_wheel):
    "A wheel whose files have the same modes under every umask; setuptools itself sorts them and sets their times"
    def write_wheelfile(self, *args, **kwargs):
        super().write_wheelfile(*args, **kwargs)
        for path in Path(self.bdist_dir).rglob('*'):
            path.chmod(0o755 if path.is_dir() else 0o644)


class Sdist(sdist):
    "A source archive with its files in order, all of them nobody's, with the same time and modes"
    def make_archive(self, base_name, format, root_dir=None, base_dir=None, **owner):
        if format != 'gztar':
            return super().make_archive(base_name, format, root_dir, base_dir, **owner)
        path = base_name + '.tar.gz'
        with (open(path, 'wb') as file, gzip.GzipFile('', 'wb', mtime=EPOCH, fileobj=file) as packed,
              tarfile.open(fileobj=packed, mode='w') as archive):
            for name in sorted(Path(base_dir).rglob('*')):
                archive.add(name, name.as_posix(), recursive=False, filter=plain)
        return path


def plain(member):
    "A member of a tar archive without what differs from machine to machine"
    member.mtime = EPOCH
    member.mode = 0o755 if member.isdir() else 0o644
    member.uid = member.gid = 0
    member.uname = member.gname = ''
    return member


config = ConfigParser(delimiters=['='])
config.read('settings.ini', encoding='utf-8')
cfg = config['DEFAULT']

extras = {key.removesuffix('_requirements'): cfg[key].split() for key in cfg if key.endswith('_requirements')}
extras['dev'] += extras['bench'] + extras['demo']
extras['all'] = sorted(set(sum(extras.values(), [])))
demo = cfg['lib_path'] + '.demo' # the app: the folder demo, inside the installed package
weights = cfg['lib_path'] + '.weights' # the trained rungs: files alone, so no package that setuptools would find

setup(
    name=cfg['lib_name'],
    version=cfg['version'],
    description=' '.join(cfg['description'].split()),
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
    packages=[*find_packages(include=[cfg['lib_path'] + '*']), demo, weights],
    package_dir={demo: 'demo'},
    package_data={cfg['lib_path']: cfg['package_data'].split(), demo: cfg['demo_package_data'].split()},
    entry_points={
        'console_scripts': [cfg['console_scripts']],
        'nbdev': [f"{cfg['lib_path']}={cfg['lib_path']}._modidx:d"]},
    cmdclass={'bdist_wheel': Wheel, 'sdist': Sdist})
