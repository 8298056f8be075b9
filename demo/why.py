"Why a reader says what it says: what matters, how the votes add up, what would change it, and who looks alike."
import threading
from contextlib import contextmanager

import numpy as np
import streamlit as st

from parts import digits, gallery, heat, show

QUESTIONS = ['What matters?', 'How do the votes add up?', 'What would make it another digit?',
             'Which digits look like it?', 'How does a net look at it?']
MATTERS = """Where it is red, the ink supports the digit that the model reads: without it, the model would be less sure.
Where it is blue, the ink speaks against that digit. A patch of 5 x 5 pixels is blanked, at every second place, and the
model is asked again."""
VOTES = """Rung 1 is the one model whose answer you can add up. Each pixel votes by itself, red for the digit and blue
against it; the sum of all votes and a constant of the digit is its score. The digit with the highest score wins, and
the scores become probabilities."""
CHANGE = """Each change inks or blanks one patch of 3 x 3 pixels on your drawing or beside it, always the one that helps
the **{digit}** most. Red is where ink was added, blue is where it was taken away. The result need not look like that
digit to you: that is what you learn about the model."""
NEAREST = """The training digits of MNIST that are most like yours, pixel by pixel. No model looks them up; each has
only what it learned from them. But they are evidence of their own: of the {count} nearest, {labels}."""
HOW = """This is not why, but how: what the model looks for first in a drawing."""
MAPS = """The first block makes a picture of every feature that it looks for, such as an edge in one direction. Here are
16 of them: red is where the feature was found."""
UNITS = """The hidden units that speak loudest for this digit. Red and blue show where a unit wants ink and where it
wants none, and the number is its vote."""
PIXELS = """Rung 1 looks at nothing but the {count} pixels, each by itself."""
NEIGHBOURS = 50 # nearest digits that are counted; six of them are shown
MOST_CHANGES = 12 # patches
TURN = threading.Lock() # reasons take turns, over all visitors, so that answers needn't wait for them


@contextmanager
def in_turn():
    "Wait for a turn; a new stroke ends the waiting, because a look into the session lets Streamlit start again."
    while not TURN.acquire(timeout=.05): st.session_state.get('waiting')
    try: yield
    finally: TURN.release()


def over(picture, values):
    "A heat map as a tint over the drawing, dark on light: (28, 28) uint8 and (28, 28) numbers -> RGB."
    paper = 255 - picture * .6
    return (heat(values) * (paper / 255)[..., None]).astype(np.uint8)


def falls(model, picture):
    """By how much the log-odds of the answer fall where a patch is blanked: `occlusion_map` at every second place, so
    that twenty visitors can have it after each stroke; (28, 28)."""
    from mnist_steps.explain import log_odds
    centres = [(y, x) for y in range(0, 28, 2) for x in range(0, 28, 2)]
    spots = [np.s_[max(0, y - 2):y + 3, max(0, x - 2):x + 3] for y, x in centres]
    pictures = picture[None].repeat(1 + len(spots), axis=0)
    for one, spot in zip(pictures[1:], spots): one[spot] = 0
    changed = np.flatnonzero((pictures != picture).any(axis=(1, 2))) # blanking paper changes nothing
    probabilities = model.predict_proba(pictures[[0, *changed]]).astype(np.float64)
    odds = log_odds(probabilities, probabilities[0].argmax())
    coarse = np.zeros(1 + len(spots))
    coarse[changed] = odds[0] - odds[1:]
    return coarse[1:].reshape(14, 14).repeat(2, axis=0).repeat(2, axis=1)


def matters(models, picture, readings):
    "The occlusion map of every reader over the drawing."
    st.markdown(MATTERS)
    captions = [f'{name} reads {reading.digit}' for name, reading in readings.items()]
    gallery([over(picture, falls(model, picture)) for model in models.values()], captions, 168)


def scores(model, picture):
    """For each class of a logistic regression: votes of the pixels (k, 28, 28), and rows of sums that add up: votes
    for, votes against, constant, score."""
    from mnist_steps.explain import template_votes
    votes = template_votes(model, picture)
    constant = model.get_state()['intercept']
    constant = constant - constant.mean()
    for_it = votes.clip(min=0).sum(axis=(1, 2))
    against = votes.clip(max=0).sum(axis=(1, 2))
    return votes, np.stack([for_it, against, constant, for_it + against + constant], axis=1)


def votes(model, picture, reading):
    "How each pixel votes for the four most probable digits, and a sum that anyone can check."
    st.markdown(VOTES)
    by_pixel, sums = scores(model, picture)
    best = reading.probabilities.argsort()[::-1][:4]
    gallery([heat(by_pixel[c]) for c in best], [f'votes for {model.classes_[c]}' for c in best], 140)
    signs = '| digit | for it | against it | constant | score | probability |\n|:-:|--:|--:|--:|--:|--:|\n'
    rows = [f'| **{model.classes_[c]}** | ' + ' | '.join(f'{number:+.2f}' for number in sums[c])
            + f' | {reading.probabilities[c]:.1%} |' for c in best]
    st.markdown(signs + '\n'.join(rows))


def changed(model, picture, column, most=MOST_CHANGES):
    """The drawing with the fewest changes, found one by one, that make `model` answer the class in `column`: the
    changed drawing (28, 28), how many patches, and its probabilities (k,)."""
    from mnist_steps.explain import log_odds
    spots = [(np.s_[y:y + 3, x:x + 3], ink) for y in range(1, 25) for x in range(1, 25) for ink in (0, 255)
             if picture[y - 1:y + 4, x - 1:x + 4].any()]
    def tried(picture, spots): # each change by itself
        pictures = picture[None].repeat(len(spots), axis=0)
        for one, (spot, ink) in zip(pictures, spots): one[spot] = ink
        return pictures
    picture = picture.copy()
    for count in range(most):
        pictures = tried(picture, spots)
        probabilities = model.predict_proba(pictures)
        odds = log_odds(probabilities.astype(np.float64), column)
        ranked = (-odds).argsort(kind='stable')
        picture, p = pictures[ranked[0]], probabilities[ranked[0]]
        if p.argmax() == column: break
        if count == 0: spots = [spots[i] for i in ranked[:60]] # the others are of little help
    return picture, count + 1, p


def another(models, picture, readings):
    "What would make it another digit, for one reader; the digit that it finds second most probable at first."
    left, right = st.columns([3, 2])
    name = left.segmented_control('For which model?', list(models), default='drawn', required=True, wrap=True)
    model, reading = models[name], readings[name]
    ranked = reading.probabilities.argsort()[::-1]
    others = [reading.classes[c] for c in ranked[1:]]
    digit = right.selectbox('Which digit?', others, key=f'other_than_{name}_{reading.digit}_{others[0]}')
    column = reading.classes.index(digit)
    new, count, p = changed(model, picture, column)
    changes = f'{count} {"change" if count == 1 else "changes"}'
    if p.argmax() == column: st.markdown(f'After {changes}, **{name}** reads **{digit}** ({p[column]:.0%}).')
    else: st.markdown(f'Even after {changes}, **{name}** reads **{reading.classes[p.argmax()]}**, not **{digit}** '
                      f'({p[column]:.1%}).')
    st.markdown(CHANGE.format(digit=digit))
    change = new.astype(float) - picture
    gallery([picture, over(picture, change), new], ['your drawing', 'the changes', 'afterwards'], 168)


def alike(picture):
    "The training digits that look most like the drawing, and what they are."
    from mnist_steps.explain import nearest
    train = digits()[0]
    found = nearest(picture, train, NEIGHBOURS)
    names, counts = np.unique(train.labels[found], return_counts=True)
    most, *others = counts.argsort(kind='stable')[::-1]
    labels = [f'{counts[most]} carry the label **{names[most]}**']
    labels += [f'{counts[i]} the label **{names[i]}**' for i in others]
    st.markdown(NEAREST.format(count=NEIGHBOURS, labels=', '.join(labels)))
    gallery([train.images[i] for i in found[:6]], [f'label {train.labels[i]}' for i in found[:6]])


def first_maps(model, picture):
    "What the first 16 kernels find, in two rows."
    from mnist_steps.explain import feature_maps
    st.markdown(MAPS)
    maps = feature_maps(model, picture)[:16]
    maps = maps / maps.max(axis=(1, 2), keepdims=True).clip(1e-6)
    framed = np.pad(maps, ((0, 0), (1, 1), (1, 1)))
    rows = [np.concatenate(list(row), axis=1) for row in (framed[:8], framed[8:])]
    show(heat(np.concatenate(rows), 6), width=768, alt='sixteen feature maps')


def loudest_units(model, picture):
    "The hidden units that decide, with their weights."
    from mnist_steps.explain import hidden_votes
    st.markdown(UNITS)
    units = hidden_votes(model, picture)
    gallery([heat(unit.weights) for unit in units], [f'unit {unit.unit}: {unit.vote:+.1f}' for unit in units])


def how(models, picture):
    "What a net makes of the drawing first."
    st.markdown(HOW)
    name = st.segmented_control('Which net?', list(models), default='cnn', required=True, wrap=True)
    if hasattr(models[name], 'feature_maps'): first_maps(models[name], picture)
    elif hasattr(models[name], 'predict_proba') and 'coef' in models[name].get_state():
        st.markdown(PIXELS.format(count=picture.size))
    else: loudest_units(models[name], picture)


def why(models, readings):
    "The answer to a question of the visitor's choice."
    asked = st.segmented_control('Ask', QUESTIONS, default=QUESTIONS[0], required=True, wrap=True,
                                 label_visibility='collapsed')
    picture = next(iter(readings.values())).pixels
    with in_turn():
        if asked == QUESTIONS[0]: matters(models, picture, readings)
        elif asked == QUESTIONS[1]: votes(models['logistic'], picture, readings['logistic'])
        elif asked == QUESTIONS[2]: another(models, picture, readings)
        elif asked == QUESTIONS[3]: alike(picture)
        else: how(models, picture)
