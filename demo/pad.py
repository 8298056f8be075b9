"The canvas: the pad of the site's pages as a component of Streamlit, and a well-known other one as the fallback."
from pathlib import Path

import streamlit as st

from mnist_steps.canvas import draw

HERE = Path(__file__).parent
SIDE, PEN, THINNEST, THICKEST = 280, 20, 6, 40 # pixels
MOST_POINTS = 20_000 # of a drawing; a patient hand makes a few hundred
HTML = f"""<div class="drawing"><div class="surface"></div>
<div class="tools"><button type="button" class="undo" disabled>Undo</button>
<button type="button" class="clear" disabled>Clear</button>
<label>Pen width<input type="range" class="pen" min="{THINNEST}" max="{THICKEST}"></label></div></div>"""


SCRIPT, GLUE, STYLE = [(HERE/name).read_text(encoding='utf-8') for name in ('pad.js', 'canvas.js', 'canvas.css')]
COMPONENT = st.components.v2.component( # no shadow root: the pad asks the document who has the focus
    'mnist_steps_pad', html=HTML, css=STYLE, js=f'{SCRIPT}\n{GLUE}', isolate_styles=False)


def pad(key):
    "A pad that keeps its drawing when the visitor leaves the page and comes back: {'strokes': ..., 'pen': ...}."
    kept = f'{key}_kept'
    if key not in st.session_state: # the pad comes onto the page
        st.session_state[f'{key}_start'] = st.session_state.get(kept) or {'strokes': [], 'pen': PEN}
    start = st.session_state[f'{key}_start']
    result = COMPONENT(key=key, data=start, default={'drawing': start}, on_drawing_change=lambda: None)
    st.session_state[kept] = result.drawing
    return result.drawing


def fabric_strokes(objects):
    "The paths that streamlit-drawable-canvas sends, as strokes in the unit of its side."
    return [[[number / SIDE for number in step[-2:]] for step in path['path'] if len(step) > 2] for path in objects]


def other_pad(key):
    "The same by streamlit-drawable-canvas: slower by its 200 ms, and deaf in its upper right corner."
    from streamlit_drawable_canvas import st_canvas
    state = st.session_state.setdefault(f'{key}_other', {'version': 0, 'start': None})
    pen = st.slider('Pen width', THINNEST, THICKEST, PEN, key=f'{key}_pen', format='%d px')
    drawn = st_canvas(stroke_width=pen, stroke_color='#ffffff', background_color='#000000', height=SIDE, width=SIDE,
                      initial_drawing=state['start'], key=f'{key}_{state["version"]}')
    paths = (drawn.json_data or {}).get('objects', [])
    def start_again(objects):
        state['version'] += 1
        state['start'] = {**drawn.json_data, 'objects': objects} if objects else None
    with st.container(horizontal=True):
        st.button('Undo', on_click=start_again, args=(paths[:-1],), key=f'{key}_undo', disabled=not paths)
        st.button('Clear', on_click=start_again, args=([],), key=f'{key}_clear', disabled=not paths)
    return {'strokes': fabric_strokes(paths), 'pen': pen}


def picture(drawing):
    "What was drawn, as (280, 280, 4) uint8, white on black; None where there is nothing, or nothing that a pad sends."
    try:
        strokes = [[(float(x), float(y)) for x, y in stroke] for stroke in drawing['strokes']]
        pen = min(max(float(drawing['pen']), THINNEST), THICKEST)
    except (KeyError, TypeError, ValueError): return None
    points = [point for stroke in strokes for point in stroke]
    if not points or len(points) > MOST_POINTS or not all(-9 < x < 9 for point in points for x in point): return None
    return draw([stroke for stroke in strokes if stroke], size=SIDE, pen=pen, at=(0, 0), shape=(SIDE, SIDE))
