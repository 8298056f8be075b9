"""Formulas as MathML, made while the site is built: a page with formulas needs no script.

latex2mathml translates, and `mend` adds the spaces that TeX puts between symbols and MathML doesn't. A formula that
can't be translated stops the build, as every warning does.
"""
import re
from xml.etree import ElementTree

from docutils.nodes import SkipNode
from latex2mathml.converter import convert
from sphinx.util import logging

FUNCTIONS = ('log', 'ln', 'exp', 'max', 'min', 'argmax', 'softmax')
BARS = ('|', '‖')
PLAIN = ('/', '∂', '∞', '…', '′', '″', '‴') # operators to MathML, ordinary symbols to TeX: no space around them
BINARY = ('±', '∓') # and the other way round
SIGNS = ('+', '·', '⋅', '×', '=')
CLOSING = (')', ']', '}', '⌋', *BARS)
CHILDREN = {'mfrac': 2, 'mroot': 2, 'msub': 2, 'msup': 2, 'munder': 2, 'mover': 2, 'msubsup': 3, 'munderover': 3}
THIN = '0.167em'

logger = logging.getLogger(__name__)

def mend_row(row):
    "Signs and names of functions, whose spaces depend on their neighbours in `row`"
    for before, element, after in zip([None, *row], list(row), [*row[1:], None]):
        follows = before is not None and (before.tag not in ('mo', 'mspace') or before.text in CLOSING)
        if element.text in BINARY: element.tag = 'mo'
        if element.text == '−' and not follows: element.set('form', 'prefix')
        if element.text in SIGNS and follows: element.set('form', 'infix') # also between texts, which count as blanks
        if element.text in FUNCTIONS:
            opens = after is None or after.text in ('(', '[')
            element.tag = 'mo'
            element.attrib |= {'lspace': THIN if follows else '0em', 'rspace': '0em' if opens else THIN}

def mend(math):
    "Give the symbols of a formula the spaces that TeX gives them"
    bars = [element for element in math.iter('mo') if element.text in BARS]
    for number, bar in enumerate(bars): bar.set('form', 'postfix' if number % 2 else 'prefix')
    for element in math.iter():
        if element.text in PLAIN: element.tag = 'mi'
        mend_row(element)

def mathml(tex, display):
    "A formula as MathML, `display` is 'inline' or 'block'; raises ValueError where that can't be done"
    try:
        text = convert(tex, display=display)
        math = ElementTree.fromstring(re.sub(r'<mi>(?=&#x000[4-7])', '<mi mathvariant="normal">', text)) # \mathrm{i}
    except Exception as error: raise ValueError(f'no MathML for the formula {tex!r}: {error!r}') from error
    for element in math.iter():
        element.tag = element.tag.rpartition('}')[2]
        if (element.text or '').startswith('\\'): raise ValueError(f'unknown {element.text} in the formula {tex!r}')
        if len(element) != CHILDREN.get(element.tag, len(element)): raise ValueError(f'a part is missing in {tex!r}')
    mend(math)
    return ElementTree.tostring(math, encoding='unicode')

def visit(tag, display):
    "What Sphinx calls for a formula: it writes it, or warns"
    def write(translator, node):
        try: formula = mathml(node.astext(), display)
        except ValueError as error: logger.warning('%s: use other commands', error, location=node)
        else: translator.body.append(f'<{tag} class="math">{formula}</{tag}>')
        raise SkipNode
    return write

def setup(app):
    renderers = {'inline_renderers': (visit('span', 'inline'), None), 'block_renderers': (visit('div', 'block'), None)}
    app.add_html_math_renderer('mathml', **renderers)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
