"Notebooks as nbdev publishes them, for the two that render them: `build.py` (the site) and `readme.py`."
import ast
import inspect
import re
import warnings
from functools import cache
from pathlib import Path

from execnb.nbio import read_nb
from fastcore.docments import DocmentTbl, MarkdownRenderer
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup, patch_name
from nbdev.processors import FilterDefaults

cfg = get_config()
cfg['renderer'] = f'{__name__}.APIEntry'
# nbdev runs each cell that imports something, so such a cell has to do nothing else.
warnings.filterwarnings('error', 'Found cells containing imports and other code')
PACKAGE = cfg.lib_path.name
SITE = cfg.doc_host + cfg.doc_baseurl + '/'
# Every symbol of the package, by module and full name, with its address on the site, its file and its source
MODULES = NbdevLookup().entries[PACKAGE]['syms']
FULL_NAMES = [full for symbols in MODULES.values() for full in symbols]
RUNG = f'{PACKAGE}.estimator.Classifier' # what it can, every rung can

def processed(path):
    "The notebook at `path` after nbdev's processors: `(front matter, module, cells)`"
    nb = read_nb(path)
    exports = re.search(r'^#\|\s*default_exp\s+(\S+)', '\n'.join(cell.source for cell in nb.cells), re.M)
    APIEntry.module = module = exports and f'{PACKAGE}.{exports[1]}'
    # nbdev runs each exported cell: a page is no program; but its signatures name types that only checkers import
    nb.cells = [cell for cell in nb.cells if "if __name__ == '__main__':" not in cell.source]
    for cell in nb.cells:
        if '#| export\n' in cell.source: cell.source = cell.source.replace('if TYPE_CHECKING:', 'if True:')
    FilterDefaults()(nb)
    cells = [c for c in nb.cells if c.cell_type != 'raw' and not c.source.startswith('<!-- WARNING: THIS FILE')]
    return nb.frontmatter_, module, cells

def options(cell):
    "Quarto's options of a code cell (`#| echo: false`), and its source without them"
    opts = dict(re.findall(r'^#\|\s*([\w-]+):\s*"?(.*?)"?\s*$', cell.source, re.M))
    return opts, re.sub(r'^#\|.*\n?', '', cell.source, flags=re.M)

def page_name(path):
    "Where nbdev puts a notebook on the site, without the suffix: `lessons/01_knobs.ipynb` -> `lessons/knobs`"
    path = Path(path)
    return path.with_name(re.sub(r'^\d+[a-zA-Z0-9]*_', '', path.stem.lower())).as_posix()

def link_pages(markdown, target):
    "Point links between notebooks, `(../09_cnn.ipynb#pooling)`, at `target`, a format with `{page}`"
    return re.sub(r'(?<=\]\()(?!\w+:)([^)\s#]+\.ipynb)', lambda m: target.format(page=page_name(m[1])), markdown)

def qualified(name, module):
    """Full name of the symbol that `name` means on the page of `module`: `Digits` -> `mnist_steps.data.Digits`.

    None where that is not sure: it means what every rung can, such as `predict`, or stands in two modules."""
    if f'{module}.{name}' in FULL_NAMES: return f'{module}.{name}'
    if name in FULL_NAMES: return name
    homes = [home for home in MODULES if f'{home}.{name}' in FULL_NAMES]
    return f'{homes[0]}.{name}' if len(homes) == 1 and f'{RUNG}.{name}' not in FULL_NAMES else None

def address(full):
    "Where the site describes a symbol: `mnist_steps.data.Digits` -> `digits.html#mnist_steps.data.Digits`"
    url = next(symbols[full][0] for symbols in MODULES.values() if full in symbols)
    return f'{url.removeprefix(SITE).partition("#")[0]}#{full}'

# A link to a symbol, as nbdev makes it of a word in backticks
SYMBOL = rf'\[`([^`\]]+?)(\(\))?`\]\({re.escape(SITE)}[^)]*\.html#[^)]*\)'

def link_symbols(markdown, module, link):
    "Replace nbdev's links to symbols, on the page of `module`, by `link(text, full name)`, or by the text alone"
    def replace(match):
        name, called = match.groups(default='')
        full = qualified(name, module)
        return link(name + called, full) if full else f'`{name}{called}`'
    no_link_in_a_link = re.sub(rf'(\[[^\[\]]*){SYMBOL}(?=[^\[\]]*\]\()', r'\1`\2\3`', markdown)
    return re.sub(SYMBOL, replace, no_link_in_a_link)

@cache
def lines(module):
    "Line of every class, function and method of a module, by full name"
    found = {}
    path = cfg.config_path/f'{module.replace(".", "/")}.py'
    for node in ast.parse(path.read_text(encoding='utf-8')).body:
        if not isinstance(node, (ast.ClassDef, ast.FunctionDef)): continue
        names = patch_name(node) # a list where a method is patched into several classes
        for name in [names] if isinstance(names, str) else names: found[f'{module}.{name}'] = node.lineno
        for member in node.body if isinstance(node, ast.ClassDef) else []:
            if isinstance(member, ast.FunctionDef): found[f'{module}.{node.name}.{member.name}'] = member.lineno
    return found

def source_url(full):
    "Where the source of a symbol is published, with its line"
    module = next(module for module, symbols in MODULES.items() if full in symbols)
    return f'{MODULES[module][full][2]}#L{lines(module)[full]}'

def source_of(symbol):
    "Its source; empty if Python can't find it, as for what a cell of the page has defined"
    try: return inspect.getsource(symbol.__init__ if inspect.isclass(symbol) else symbol)
    except (OSError, TypeError): return ''

def parameter_table(symbol):
    "Its parameters as a table in Markdown; a type such as `str | None` stays in its column"
    table = DocmentTbl(symbol)
    for name, parameter in inspect.signature(symbol).parameters.items():
        if parameter.kind is not parameter.VAR_KEYWORD: continue
        comment = re.search(rf'^ +\*\*{name}\b.*?# (.*)', source_of(symbol), re.M) # fastcore finds none there
        if comment: table.dm[name]['docment'] = comment[1]
    for row in table.dm.values():
        for column, content in row.items():
            if '|' in str(content): row[column] = str(content).replace('|', r'\|')
    return table._repr_markdown_()

class APIEntry(MarkdownRenderer):
    "What `show_doc` shows on the site: a Sphinx object with its signature, docstring, table of parameters and source"
    module = None # of the page in the making

    def _repr_markdown_(self):
        kind = 'class' if inspect.isclass(self.sym) else 'method' if '.' in self.nm else 'function'
        signature = table = ''
        if self.sig: # an exception of ours may have none
            untyped = dict(annotation=inspect.Parameter.empty) # the table has the types
            params = [p.replace(**untyped) for name, p in self.sig.parameters.items() if name != 'self']
            signature, table = inspect.Signature(params), parameter_table(self.sym)
        full = qualified(self.nm, self.module)
        entry = (f'````{{py:{kind}}} {self.nm}{signature}\n:module: {full.removesuffix("." + self.nm)}\n\n'
                 f'{self.docs or ""}\n\n{table}\n\n[source]({source_url(full)})\n````')
        entry = re.sub(r"<class '([\w.]+)'>", r'\1', entry) # a default by its name
        return re.sub(r'<(?:function|built-in method) (\w+)[^>]* at 0x[0-9a-f]+>', r'\1', entry)
