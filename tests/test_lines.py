"Every line that somebody reads fits a window of 120 columns, and no statement ends in a semicolon."
import io
import json
import tokenize
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
KINDS = ['mnist_steps/*.py', 'mnist_steps/*.pyi', 'demo/*.py', 'docs/*.py', 'docs/_static/*.css', 'docs/_static/*.js',
         'tests/*.py', 'requirements/*.py', '*.py', '*.toml', '*.ini', '.*.yaml', '.github/**/*.y*ml', '.ci/*',
         'CHANGELOG.md', 'CONTRIBUTING.md', 'SECURITY.md']
FILES = sorted({path for kind in KINDS for path in ROOT.glob(kind)} - {ROOT/'mnist_steps'/'_modidx.py'})
NOTEBOOKS = sorted(path for path in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in path.parts)


def code_cells():
    "Where it is and what it says, for every code cell of every notebook"
    for path in NOTEBOOKS:
        for cell in json.loads(path.read_text(encoding='utf-8'))['cells']:
            if cell['cell_type'] == 'code': yield f'{path.name}#{cell["id"]}', ''.join(cell['source'])


def semicolons(source):
    "Lines in which a semicolon ends a statement"
    python = '\n'.join('' if line.startswith(('%', '!')) else line for line in source.splitlines())
    tokens = tokenize.generate_tokens(io.StringIO(python).readline)
    return [token.line.strip() for token in tokens if token.type == tokenize.OP and token.string == ';']


def test_width():
    texts = [(path.relative_to(ROOT).as_posix(), path.read_text(encoding='utf-8')) for path in FILES]
    assert len(texts) > 60
    too_long = [f'{where}: {len(line)} columns: {line}' for where, text in [*texts, *code_cells()]
                for line in text.splitlines() if len(line) > 120]
    assert too_long == []


def test_no_semicolons(): # ruff allows a cell one at its end: write `ax = plot(...)` instead
    assert [f'{where}: {line}' for where, source in code_cells() for line in semicolons(source)] == []
