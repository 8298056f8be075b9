import sys
from pathlib import Path

from nbdev.config import get_config

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE)) # our extensions
cfg = get_config()
project = cfg.title
author = cfg.author
copyright = cfg.copyright
version = release = cfg.version

extensions = ['myst_nb', 'maths', 'folded', 'sphinx_copybutton', 'sphinxext.opengraph']
nb_execution_mode = 'off' # the pages show the outputs that the notebooks keep; nbdev_test checks that they still run
nb_merge_streams = True
nb_render_markdown_format = 'myst'
myst_enable_extensions = ['amsmath', 'colon_fence', 'dollarmath']
myst_heading_anchors = 3
add_module_names = False
toc_object_entries_show_parents = 'hide'

html_theme = 'furo'
html_title = f'{project} {version}'
html_baseurl = cfg.doc_host + cfg.doc_baseurl + '/'
html_math_renderer = 'mathml'
html_favicon = '../nbs/images/icon.svg'
html_static_path = ['_static', '../nbs/images/card.png']
html_css_files = ['site.css']
html_js_files = ['site.js']
html_search_scorer = str(HERE/'scorer.js')
html_copy_source = False
html_scaled_image_link = False # to a picture that `themes.py` replaces

ogp_site_url = html_baseurl
ogp_site_name = project
ogp_image = html_baseurl + '_static/card.png'
ogp_image_alt = 'Four steps: ' + cfg.description
ogp_social_cards = {'enable': False}
