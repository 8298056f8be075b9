"How the code is written: line lengths, one statement a line, and a word on every parameter of a public function."
import ast
import importlib
import inspect
import io
import json
import pkgutil
import tokenize
from pathlib import Path

import pytest
from fastcore.docments import docments

import mnist_steps

ROOT = Path(__file__).resolve().parents[1]
PYTHON = [p for folder in ('mnist_steps', 'demo', 'docs', 'tests') for p in sorted((ROOT/folder).glob('*.py'))
          if p.name != '_modidx.py'] + [ROOT/'setup.py']
NOTEBOOKS = sorted(p for p in (ROOT/'nbs').rglob('*.ipynb') if '.ipynb_checkpoints' not in p.parts)
MODULES = [m.name for m in pkgutil.iter_modules(mnist_steps.__path__) if m.name not in ('_modidx', 'demo', 'mnist')]


def code_cells(path):
    cells = json.loads(path.read_text(encoding='utf-8'))['cells']
    return [''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code']


@pytest.mark.parametrize('path', PYTHON + NOTEBOOKS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_lines_have_at_most_120_columns(path):
    texts = code_cells(path) if path.suffix == '.ipynb' else [path.read_text(encoding='utf-8')]
    free = '#| fig-alt', '__all__ = ' # a text that can't be broken; a list that nbdev breaks ten columns too late
    lines = [line for text in texts for line in text.splitlines() if not line.startswith(free)]
    assert [line for line in lines if len(line) > 120] == []


def semicolons(source):
    "Lines with a semicolon that is no part of a text or a comment"
    return [token.line for token in tokenize.generate_tokens(io.StringIO(source).readline) if token.string == ';']


@pytest.mark.parametrize('path', PYTHON + NOTEBOOKS, ids=lambda p: p.relative_to(ROOT).as_posix())
def test_one_statement_a_line(path):
    texts = code_cells(path) if path.suffix == '.ipynb' else [path.read_text(encoding='utf-8')]
    texts = [text for text in texts if 'nbdev_export()' not in text and not text.lstrip().startswith(('%', '!'))]
    assert [line for text in texts for line in semicolons(text)] == []


def public(module):
    "Public functions and classes of a module, with the public methods that its classes define themselves."
    for name in module.__all__:
        thing = getattr(module, name)
        if not (inspect.isfunction(thing) or inspect.isclass(thing)) or thing.__module__ != module.__name__: continue
        yield name, thing
        if not inspect.isclass(thing): continue
        for method, value in vars(thing).items():
            function = getattr(value, '__func__', value)
            if inspect.isfunction(function) and not method.startswith('_'): yield f'{name}.{method}', function


def many(function, name):
    "Does `name` stand for any number of arguments? docments has no place for their comment."
    kind = inspect.signature(function).parameters[name].kind
    return kind in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)


def returns_a_value(function):
    tree = ast.parse(inspect.cleandoc('\n' + inspect.getsource(function)) if inspect.getsource(function)[:1] == ' '
                     else inspect.getsource(function))
    outer = tree.body[0]
    inner = {id(n) for node in ast.walk(outer) if node is not outer and isinstance(node, (ast.FunctionDef, ast.Lambda))
             for n in ast.walk(node)}
    return any(isinstance(node, ast.Return) and node.value is not None and id(node) not in inner
               for node in ast.walk(outer))


@pytest.mark.parametrize('name', MODULES)
def test_public_functions_say_what_they_take_and_return(name):
    module = importlib.import_module(f'mnist_steps.{name}')
    silent = []
    for full_name, thing in public(module):
        if not thing.__doc__: silent.append(f'{full_name}: no docstring')
        if inspect.isclass(thing) and '__init__' not in vars(thing): continue
        comments = docments(thing, full=True)
        for parameter, facts in comments.items():
            if parameter in ('self', 'cls', 'return') or many(thing, parameter): continue
            if not facts.docment: silent.append(f'{full_name}({parameter}): no comment')
        if inspect.isfunction(thing) and returns_a_value(thing):
            described = comments.get('return')
            annotated = thing.__annotations__.get('return') is not None
            if not annotated and not (described and described.docment):
                silent.append(f'{full_name}: returns something, but does not say what')
    assert silent == []
