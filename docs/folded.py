"""Fold the API entries of book and lessons: one sees the signature, and the rest opens by a click or by its anchor.

On the pages of the workshop Sphinx's own form stays."""
from sphinx import addnodes
from sphinx.writers.html5 import HTML5Translator

STAYS_OPEN = 'reference/'

def either(name, folded):
    "A visitor that calls `folded`, or Sphinx's own of that name on a page whose entries stay open"
    own = getattr(HTML5Translator, name)
    def visit(translator, node):
        stays = translator.builder.current_docname.startswith(STAYS_OPEN)
        (own if stays else folded)(translator, node)
    return visit

def visit_desc(translator, node): translator.body.append(translator.starttag(node, 'details'))
def depart_desc(translator, node): translator.body.append('</details>\n')

def visit_desc_signature(translator, node):
    translator.body.append(translator.starttag(node, 'summary'))
    translator.protect_literal_text += 1

def depart_desc_signature(translator, node):
    translator.protect_literal_text -= 1
    translator.body.append('</summary>\n')

def visit_desc_content(translator, node): translator.body.append(translator.starttag(node, 'div', CLASS='entry'))
def depart_desc_content(translator, node): translator.body.append('</div>\n')

def setup(app):
    for node, visit, depart in [(addnodes.desc, visit_desc, depart_desc),
                                (addnodes.desc_signature, visit_desc_signature, depart_desc_signature),
                                (addnodes.desc_content, visit_desc_content, depart_desc_content)]:
        visitors = either(visit.__name__, visit), either(depart.__name__, depart)
        app.add_node(node, override=True, html=visitors)
    return {'parallel_read_safe': True, 'parallel_write_safe': True}
