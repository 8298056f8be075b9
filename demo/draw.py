"Page 1: draw a digit, see what each rung reads, and why."
import numpy as np
import streamlit as st
from parts import canvas, digits, enlarged, gallery, heat, pen_rung, rungs, show, squared, verdicts

from mnist_steps.canvas import NoDigit, SeveralDigits, find_digits, steps
from mnist_steps.explain import feature_maps, hidden_votes, nearest, occlusion_map, template_votes


def drawing():
    "What the visitor drew, uploaded or photographed; or None."
    how = st.segmented_control('Input', ['Draw', 'Upload', 'Camera', 'Surprise me'], default='Draw', required=True, wrap=True)
    if how == 'Draw': return canvas('canvas')
    if how == 'Upload': return st.file_uploader('A picture of a digit', ['png', 'jpg', 'jpeg', 'webp', 'gif', 'bmp', 'tif', 'tiff'])
    if how == 'Camera': return st.camera_input('Hold a digit in front of the camera')
    if st.button('Another digit', icon=':material/casino:') or 'surprise' not in st.session_state:
        st.session_state.surprise = np.random.default_rng().integers(len(digits()[1]))
    show(enlarged(digits()[1].images[st.session_state.surprise], 10), f'Test digit {st.session_state.surprise:,}, drawn by a stranger', alt='a digit of the test set')
    return digits()[1].images[st.session_state.surprise]


def agreement(read):
    "One line: who says what."
    if len(set(read.values())) == 1: return f'All four rungs read **{next(iter(read.values()))}**.'
    by_digit = {digit: [name for name in read if read[name] == digit] for digit in read.values()}
    return 'They disagree: ' + ', '.join(f'{" and ".join(names)} read{"s" * (len(names) == 1)} **{digit}**' for digit, names in by_digit.items()) + '.'


def why(models, picture):
    "What decided, for the rung of the visitor's choice."
    name = st.segmented_control('Why does it read that?', [*models, 'patch by patch', 'nearest digits'], default='cnn', required=True, wrap=True)
    if name == 'nearest digits':
        st.markdown('The training digits that are most like yours, pixel by pixel. No rung looks them up: each has only what it learned from them.')
        train = digits()[0]
        near = nearest(picture, train, 6)
        return gallery([enlarged(train.images[i]) for i in near], [f'{train.labels[i]}' for i in near])
    if name == 'patch by patch':
        st.markdown('What happens when a patch is blanked? Where it is red, what is there supports the digit; where it is blue, it speaks against it.')
        return gallery([heat(occlusion_map(model, picture), 6) for model in models.values()], list(models), 168)
    model = models[name]
    order = model.predict_proba(picture[None])[0].argsort()[::-1]
    if name == 'logistic':
        st.markdown('Each pixel votes by itself: red for the digit, blue against it. The digit with the most votes wins.')
        votes = template_votes(model, picture)
        gallery([heat(votes[c]) for c in order[:4]], [f'votes for {model.classes_[c]}' for c in order[:4]])
    elif name == 'cnn':
        st.markdown('The first block makes a picture of every feature that it looks for, such as an edge in one direction. Here are 16 of them: red is where the feature was found.')
        maps = feature_maps(model, picture)
        tiles = np.pad(maps[:16] / maps[:16].max(axis=(1, 2), keepdims=True).clip(1e-6), ((0, 0), (1, 1), (1, 1)))
        show(heat(np.concatenate([np.concatenate(row, axis=1) for row in (tiles[:8], tiles[8:])]), 6), width=768, alt='sixteen feature maps')
    else:
        st.markdown('The hidden units that speak loudest for this digit. Red and blue show where a unit wants ink and where it wants none.')
        units = hidden_votes(model, picture)
        gallery([heat(u.weights) for u in units], [f'unit {u.unit}: {u.vote:+.1f}' for u in units])


left, right = st.columns([1, 2.6], gap='medium')
with left:
    st.markdown('### Draw a digit')
    image = drawing()
    learned = st.toggle('cnn trained on pen strokes, too', help='Rung 4 as it stands has seen the digits of MNIST only, which were scanned from paper. This one has also seen digits that 30 people drew on a tablet.')
models = rungs() | ({'cnn': pen_rung()} if learned else {})
with right:
    try: stages = None if image is None else steps(image)
    except SeveralDigits:
        found = [picture for _, picture in find_digits(image)]
        st.markdown(f'### {len(found)} digits, from left to right')
        for name, model in models.items(): st.markdown(f'**{name}** reads **{"".join(map(str, model.predict(np.stack(found))))}**')
        gallery([enlarged(picture) for picture in found], [f'{models["cnn"].predict(picture[None])[0]}' for picture in found])
        st.stop()
    except NoDigit as e:
        st.info(f'No digit yet: {e}.', icon=':material/draw:')
        st.stop()
    except ValueError as e:
        st.error(f'That picture can not be read: {e}', icon=':material/error:')
        st.stop()
    if stages is None:
        st.info('Draw one digit, anywhere, in any size. All four rungs read it as soon as you lift the pen.', icon=':material/draw:')
        st.stop()
    picture = stages['centred']
    headline = st.empty()
    headline.markdown('### ' + agreement(verdicts(models, picture)))
st.markdown('### What the models see')
st.markdown('Not your drawing, but 28 x 28 pixels of it: cropped, scaled to 20 pixels, and moved so that the centre of its ink lies in the middle.')
gallery(map(squared, stages.values()), ['grey', 'ink on black', 'cropped', 'scaled', 'centred by mass'], 140)
st.markdown('### Why')
why(models, picture)
