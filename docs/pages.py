"Notebooks as nbdev publishes them, for the two that render them: `build.py` (the site) and `readme.py`."
import inspect
import re
import warnings
from pathlib import Path

from execnb.nbio import read_nb
from fastcore.docments import DocmentTbl, MarkdownRenderer
from nbdev.config import get_config
from nbdev.doclinks import NbdevLookup, _lineno, _nbpath2html
from nbdev.processors import FilterDefaults, _default_exp

cfg = get_config()
cfg['renderer'] = f'{__name__}.APIEntry'
# nbdev runs each cell that imports something, so such a cell has to do nothing else.
warnings.filterwarnings('error', 'Found cells containing imports and other code')
SITE = cfg.doc_host + cfg.doc_baseurl + '/'

def processed(path):
    "The notebook at `path` after nbdev's processors: `(front matter, module, cells)`"
    nb = read_nb(path)
    name = _default_exp(nb)
    APIEntry.module = module = name and f'{cfg.lib_path.name}.{name}'
    FilterDefaults()(nb)
    cells = [c for c in nb.cells if c.cell_type != 'raw' and not c.source.startswith('<!-- WARNING: THIS FILE')]
    return nb.frontmatter_, module, cells

def options(cell):
    "Quarto's options of a code cell (`#| echo: false`), and its source without them"
    opts = dict(re.findall(r'^#\|\s*([\w-]+):\s*"?(.*?)"?\s*$', cell.source, re.M))
    return opts, re.sub(r'^#\|.*\n?', '', cell.source, flags=re.M)

def page_name(path):
    "Where nbdev puts a notebook on the site, without the suffix: `nbs/lessons/01_why.ipynb` -> `lessons/why`"
    return _nbpath2html(Path(path)).with_suffix('').as_posix()

def link_pages(markdown, target):
    "Point links between notebooks, `(../03_cnn.ipynb#pooling)`, at `target`, a format with `{page}`"
    return re.sub(r'(?<=\]\()(?!\w+:)([^)\s#]+\.ipynb)', lambda m: target.format(page=page_name(m[1])), markdown)

def qualified(name, module):
    "Full name of the symbol that `name` means on the page of `module`: `Digits` -> `mnist_steps.data.Digits`"
    symbols = NbdevLookup().syms
    if f'{module}.{name}' in symbols: return f'{module}.{name}'
    home = symbols[name][1].removesuffix('.py').replace('/', '.')
    return f'{home}.{name.removeprefix(home + ".")}'

class APIEntry(MarkdownRenderer):
    "What `show_doc` shows on the site: a Sphinx object with its signature, docstring, table of parameters and source"
    module = None # of the page in the making

    def _repr_markdown_(self):
        kind = 'class' if inspect.isclass(self.sym) else 'method' if '.' in self.nm else 'function'
        signature = table = ''
        if self.sig: # an exception of ours may have none
            untyped = dict(annotation=inspect.Parameter.empty) # the table has the types
            params = [p.replace(**untyped) for name, p in self.sig.parameters.items() if name != 'self']
            signature, table = inspect.Signature(params), DocmentTbl(self.sym)._repr_markdown_()
        name = qualified(self.nm, self.module)
        _, file, url = NbdevLookup()[name]
        return (f'````{{py:{kind}}} {self.nm}{signature}\n:module: {name.removesuffix("." + self.nm)}\n\n'
                f'{self.docs or ""}\n\n{table}\n\n[source]({url}#L{_lineno(self.nm, file)})\n````')
