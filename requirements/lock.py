"""Write `requirements/ci.txt`: what the extra `dev` needs, each release with its hashes, for every Python and system.

    pip install uv
    python requirements/lock.py

PyTorch stays out. `requirements/torch.txt` names its releases, and the lock has what these need, but CUDA.
"""
import re
import subprocess
from pathlib import Path

HERE = Path(__file__).resolve().parent
APART = re.compile(r'(torch|torchvision|triton|nvidia-[\w-]+|cuda-[\w-]+)==')
HEADER = '# Made by `python requirements/lock.py` from settings.ini and requirements/torch.txt.\n'

def main():
    command = ['uv', 'pip', 'compile', '--quiet', '--no-config', '--universal', '--python-version', '3.10',
               '--generate-hashes', '--no-header', '--no-annotate', '--extra', 'dev', '--constraint',
               str(HERE/'torch.txt'), str(HERE.parent/'pyproject.toml')]
    lock = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, encoding='utf-8').stdout
    releases = [release for release in re.split(r'^(?=\S)', lock, flags=re.M) if not APART.match(release)]
    (HERE/'ci.txt').write_text(HEADER + ''.join(releases), encoding='utf-8', newline='\n')

if __name__ == '__main__': main()
