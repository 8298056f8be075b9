"""What the code of a cell depends on, found by reading it: a digest that changes when what it computes may change.

Nothing is executed. From the names that a cell uses, `reached` walks over the cells above it and over the modules of
the package, definition by definition. What only words something (comments, docstrings, annotations, error texts, how an
object shows itself) has no part in a digest. Where it isn't clear what a name means, all that it may mean is taken.
Two things it can't see: an object that a function of another cell changes in place, and a name made by `getattr`.
"""
import ast
import dis
import hashlib
import json
import re
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

EAGER = '<module>', '<listcomp>', '<setcomp>', '<dictcomp>', '<genexpr>' # code that runs where it stands
SHOWN = re.compile(r'_repr_\w+|__repr__|__str__') # methods that say how an object looks
FUNCTIONS = ast.FunctionDef, ast.AsyncFunctionDef, ast.Lambda

class Bare(ast.NodeTransformer):
    "Leaves of a program what computes"
    def visit_Expr(self, node):
        return None if isinstance(node.value, ast.Constant) else self.generic_visit(node)

    def visit_Raise(self, node):
        error = node.exc.func if isinstance(node.exc, ast.Call) else node.exc
        return ast.Raise(exc=error, cause=None)

    def visit_Assert(self, node):
        node.msg = None
        return self.generic_visit(node)

    def visit_Call(self, node):
        if 'warn' in (getattr(node.func, 'attr', None), getattr(node.func, 'id', None)): node.args = node.keywords = []
        return self.generic_visit(node)

    def visit_arg(self, node): return ast.arg(arg=node.arg)

    def visit_AnnAssign(self, node):
        node.annotation = ast.Constant(None) # the fields of a class need one
        return self.generic_visit(node)

    def visit_FunctionDef(self, node):
        if SHOWN.fullmatch(node.name): return None
        node.returns = None
        return self.generic_visit(node)

    def generic_visit(self, node):
        super().generic_visit(node)
        if getattr(node, 'body', None) == [] and not isinstance(node, ast.Module): node.body = [ast.Pass()]
        return node

def shape(node):
    "A syntax tree as text, the same in every version of Python and wherever it stands"
    if isinstance(node, list): return f'[{" ".join(map(shape, node))}]'
    if not isinstance(node, ast.AST): return ascii(node)
    fields = [(name, value) for name, value in ast.iter_fields(node) if value is not None and value != []
              and name not in ('ctx', 'kind', 'type_comment', 'type_params')]
    return f'{type(node).__name__}({" ".join(f"{name}={shape(value)}" for name, value in fields)})'

def bound(alias):
    "The name that an import binds"
    return alias.asname or alias.name.partition('.')[0]

def at_once(node):
    "The nodes of a statement that are evaluated when it is: not what stands in a function"
    yield node
    for child in () if isinstance(node, FUNCTIONS) else ast.iter_child_nodes(node): yield from at_once(child)

def names(nodes, context):
    "Names that are read (`ast.Load`) or bound (`ast.Store`) anywhere in syntax trees"
    return {part.id for node in nodes for part in ast.walk(node)
            if isinstance(part, ast.Name) and isinstance(part.ctx, context)}

def reads(statements, bound):
    "Names that statements read before they have certainly bound them; `bound` are those bound already"
    found = set()
    for node in statements:
        if isinstance(node, (ast.For, ast.While, ast.If, ast.With, ast.Try)):
            header = [child for child in ast.iter_child_nodes(node) if isinstance(child, (ast.expr, ast.withitem))]
            found |= names(header, ast.Load) - bound
            blocks = [getattr(part, kind, []) for part in [node, *getattr(node, 'handlers', [])]
                      for kind in ('body', 'orelse', 'finalbody')]
            for block in blocks: found |= reads(block, bound | names(header, ast.Store))
        else:
            found |= names([node], ast.Load) - bound
            if isinstance(node, ast.AugAssign): found |= names([node.target], ast.Store) - bound
            bound = bound | names([node], ast.Store)
    return found

class Names(NamedTuple):
    "Global names of a statement"
    stored: set
    now: set # read when it runs
    later: set # read by the functions that it defines

def global_names(code, now=True):
    "As Python's compiler sees them"
    names = Names(set(), set(), set())
    is_class = '__module__' in code.co_names and '__qualname__' in code.co_names # its names aren't global
    now = now and (is_class or code.co_name in EAGER)
    for op in dis.get_instructions(code):
        if op.opname in ('STORE_NAME', 'STORE_GLOBAL'):
            if now and not is_class: names.stored.add(op.argval)
        elif op.opname.startswith('LOAD_') and op.opname.endswith(('_NAME', '_GLOBAL', '_GLOBALS')):
            (names.now if now else names.later).add(op.argval)
    for inner in code.co_consts:
        if hasattr(inner, 'co_code'):
            for mine, theirs in zip(names, global_names(inner, now)): mine.update(theirs)
    return names

class Statement:
    "A statement of a module or a cell, on its first level"
    def __init__(self, node, cell=None):
        self.cell = cell
        read = reads([node], set())
        self.patches = patched_classes(node)
        tops = [part for part in at_once(node) if isinstance(part, (ast.Import, ast.ImportFrom))]
        self.imports = [(part, alias) for part in tops for alias in part.names]
        self.inner_imports = [(part, alias) for part in ast.walk(node) if isinstance(part, (ast.Import, ast.ImportFrom))
                              and part not in tops for alias in part.names]
        self.is_import = isinstance(node, (ast.Import, ast.ImportFrom))
        bare = Bare().visit(ast.Module([node], []))
        self.shape = shape(bare)
        self.names = global_names(compile(ast.fix_missing_locations(bare), '<statement>', 'exec'))
        self.names.now.intersection_update(read)
        self.stored = self.names.stored - {bound(alias) for _, alias in self.imports} | set(self.patches)
        self.rebinds = isinstance(node, (ast.Assign, ast.AnnAssign, ast.FunctionDef, ast.ClassDef)) and not self.patches
        self.changed = changed_names(node) - self.stored
        nodes = list(ast.walk(bare))
        self.texts = {part.value for part in nodes if isinstance(part, ast.Constant) and isinstance(part.value, str)}
        self.attributes = {} # of each name: {'np': {'load', 'zeros'}}
        for part in nodes:
            if isinstance(part, ast.Attribute) and isinstance(part.value, ast.Name):
                self.attributes.setdefault(part.value.id, set()).add(part.attr)

def patched_classes(node):
    "Classes that get `node`, a function under fastcore's @patch, as a method"
    if not isinstance(node, ast.FunctionDef) or 'patch' not in map(ast.unparse, node.decorator_list): return []
    return [part.id for part in ast.walk(node.args.args[0].annotation) if isinstance(part, ast.Name)]

def changed_names(node):
    "Names of objects that a statement changes without binding them: `x[0] = 1`, `net.rate = 1`, `net.fit(x)`"
    targets = [part for part in at_once(node) if isinstance(part, (ast.Attribute, ast.Subscript))
               and isinstance(part.ctx, (ast.Store, ast.Del))]
    targets += [part.value.func for part in at_once(node) if isinstance(part, ast.Expr)
                and isinstance(part.value, ast.Call) and isinstance(part.value.func, ast.Attribute)]
    names = set()
    for target in targets:
        while isinstance(target, (ast.Attribute, ast.Subscript)): target = target.value
        if isinstance(target, ast.Name): names.add(target.id)
    return names

class Space:
    "Statements that share their names: a module, or the cells of a notebook, which run from top to bottom"
    def __init__(self, statements, ordered=False):
        self.statements, self.ordered = statements, ordered
        self.makers = {} # name -> what may have made it: `(index, import or None, is it all that the name is?)`
        for i, statement in enumerate(statements):
            for name in statement.stored | statement.changed:
                self.makers.setdefault(name, []).append((i, None, statement.rebinds and name in statement.stored))
            for node, alias in statement.imports:
                rebinds = statement.is_import and alias.name != '*'
                self.makers.setdefault(bound(alias), []).append((i, (node, alias), rebinds))

    def meanings(self, name, before):
        "Statements (their indices) and imports that may have made what `name` is when statement `before` runs"
        makers = self.makers.get(name, []) + self.makers.get('*', [])
        for i, imported, rebinds in sorted(makers, key=lambda maker: -maker[0]):
            if self.ordered and i >= before: continue
            yield imported or i
            if self.ordered and rebinds: return

class Package:
    "A package on disk, read module by module"
    def __init__(self, folder):
        self.folder = Path(folder)
        self.modules = {}

    def module(self, name):
        "The statements of a module, such as `mnist_steps.data`; None for one of another package"
        if name not in self.modules:
            path = self.folder.parent.joinpath(*name.split('.'))
            path = path/'__init__.py' if path.is_dir() else path.with_suffix('.py')
            inside = name.partition('.')[0] == self.folder.name and path.exists()
            tree = ast.parse(path.read_text(encoding='utf-8')) if inside else None
            self.modules[name] = tree and Space([Statement(node) for node in tree.body])
        return self.modules[name]

    @cached_property
    def patches(self):
        "Class -> modules and statements that give it a method"
        found = {}
        for path in sorted(self.folder.glob('*.py')):
            name = f'{self.folder.name}.{path.stem}'
            for i, statement in enumerate(self.module(name).statements):
                for kind in statement.patches: found.setdefault(kind, []).append((self.module(name), i))
        return found

    def attribute(self, module, name, attributes=()):
        "Statements behind `from module import name`, and behind its `attributes` where that is a module itself"
        space = self.module(module)
        if space is None: return
        submodule = self.module(f'{module}.{name}')
        if submodule is None: yield from self.meanings(space, name, 0)
        elif attributes: yield from (found for attr in attributes for found in self.meanings(submodule, attr, 0))
        else: yield from ((submodule, i) for i in range(len(submodule.statements)))

    def imported(self, node, alias, name, attributes=()):
        "Statements behind `name`, which an import binds; text for one from elsewhere"
        package = self.folder.name
        if isinstance(node, ast.Import):
            if alias.name.partition('.')[0] != package: return [f'{alias.name} as {name}']
            if alias.name == package: return [f for attr in attributes for f in self.attribute(package, attr)]
            return list(self.attribute(package, alias.name.partition('.')[2]))
        module = '.'.join(filter(None, [package if node.level else '', node.module]))
        if self.module(module) is None: return [f'{module}.{alias.name}']
        return list(self.attribute(module, name if alias.name == '*' else alias.name, attributes))

    def meanings(self, space, name, before, attributes=()):
        "Statements, of whatever module, behind `name` in `space`"
        if name == '__version__': return
        for found in space.meanings(name, before):
            if isinstance(found, tuple): yield from self.imported(*found, name, attributes)
            else: yield space, found
        yield from self.patches.get(name, [])

    def named(self, statement):
        "Statements behind texts: a module's name beside the name of something in it, or a small program"
        for text in statement.texts:
            if text.startswith(f'{self.folder.name}.') and self.module(text):
                yield from (found for name in statement.texts for found in self.attribute(text, name))
            for module, names in re.findall(rf'from ({self.folder.name}[\w.]*) import ([\w, ]+)', text):
                yield from (found for name in re.findall(r'\w+', names) for found in self.attribute(module, name))

    def reached(self, space, start):
        "What the statements `start` of `space` depend on: `(statements, imports from elsewhere as text)`"
        todo = [(space, i, i) for i in start] # the third: which statement runs when functions of it are called
        seen, outside = set(todo), set()
        while todo:
            home, i, caller = todo.pop()
            statement = home.statements[i]
            uses = [(name, when) for name in statement.names.now for when in {i, caller}]
            uses += [(name, caller) for name in statement.names.later]
            found = [(f, when) for name, when in uses
                     for f in self.meanings(home, name, when, statement.attributes.get(name, ()))]
            found += [(f, 0) for f in self.named(statement)]
            found += [(f, 0) for part, alias in statement.inner_imports
                      for f in self.imported(part, alias, bound(alias))]
            for target, when in found:
                if isinstance(target, str): outside.add(target)
                else:
                    state = (*target, when if target[0] is space else 0)
                    if state not in seen:
                        seen.add(state)
                        todo.append(state)
        return {home.statements[i] for home, i, _ in seen}, outside

class Page:
    "A notebook: its cells, which of them are slow, and what each depends on"
    def __init__(self, path, package):
        self.path, self.package = Path(path), package
        cells = json.loads(self.path.read_text(encoding='utf-8'))['cells']
        code = {cell['id']: ''.join(cell['source']) for cell in cells if cell['cell_type'] == 'code'}
        self.sources = {key: text for key, text in code.items()
                        if 'nbdev_export()' not in text and not re.search(r'^#\| *(eval: *false|notest)', text, re.M)}
        self.slow = [key for key, text in self.sources.items() if re.search(r'^#\| *slow\b', text, re.M)]
        self.space = Space([Statement(node, key) for key, text in self.sources.items()
                            for node in ast.parse(re.sub(r'^(\s*)[%!]', r'\1pass #', text, flags=re.M)).body], True)

    def reached(self, *cells):
        start = [i for i, statement in enumerate(self.space.statements) if statement.cell in cells]
        return self.package.reached(self.space, start)

    def digest(self, *cells):
        "Of all that the cells compute, and of what they need for it"
        statements, outside = self.reached(*cells)
        parts = sorted({statement.shape for statement in statements if not statement.is_import} | outside)
        return hashlib.sha256('\n'.join(parts).encode()).hexdigest()[:16]

    def cells_behind(self, cell):
        "The cells that make what `cell` uses, itself among them"
        return {statement.cell for statement in self.reached(cell)[0]} - {None}

    def mentions(self, cell, word):
        "Does `cell`, or something it depends on, have the text `word` in it?"
        return any(word in text for statement in self.reached(cell)[0] for text in statement.texts)

    @property
    def quick(self): return [key for key in self.sources if key not in self.slow]
