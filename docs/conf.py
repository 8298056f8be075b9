from importlib.util import find_spec
from pathlib import Path

from nbdev.config import get_config

cfg = get_config()
project = cfg.title
author = cfg.author
copyright = cfg.copyright
version = cfg.version

extensions = ['myst_nb', 'sphinx.ext.mathjax', 'sphinx_copybutton', 'sphinxext.opengraph']
nb_execution_mode = 'off' # the pages show the outputs that the notebooks keep; nbdev_test checks that they still run
nb_merge_streams = True
nb_render_markdown_format = 'myst'
myst_enable_extensions = ['amsmath', 'colon_fence', 'dollarmath']
myst_heading_anchors = 3
add_module_names = False
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = project
html_baseurl = cfg.doc_host + cfg.doc_baseurl + '/'
mathjax = Path(find_spec('sphinx-mathjax-offline').origin).parent/'static'/'mathjax'/'tex-svg.js'
mathjax_path = mathjax.name # one self-contained file: maths without the network
html_favicon = '../nbs/images/icon.svg'
html_static_path = ['_static', '../nbs/images/card.png', str(mathjax)]
html_css_files = ['site.css']
html_js_files = ['site.js']
html_copy_source = False

ogp_site_url = html_baseurl
ogp_image = html_baseurl + '_static/card.png'
ogp_image_alt = 'Four steps: ' + cfg.description
ogp_social_cards = {'enable': False}
