"""Draw the diagrams of the book in `nbs/images/diagrams/`, as SVG. Their numbers are computed here, not typed in.

    python docs/diagrams.py           # write them
    python docs/diagrams.py --check   # are they what this script draws?
"""
import math
import sys

import numpy as np

from pages import cfg

FOLDER = cfg.nbs_path/'images'/'diagrams'
# Colours for a file by itself; on the site `diagram.css` sets the same names from the theme of the page
STYLE = """
svg { --ink: #1f2328; --soft: #6b7280; --ground: #fff; --value: #0072b2; --slope: #c04a00 }
@media (prefers-color-scheme: dark) {
  svg { --ink: #e6e8eb; --soft: #9aa1ab; --ground: #16181c; --value: #56b4e9; --slope: #ff9e5e } }
.ground { fill: var(--ground) }
text { font: 15px system-ui, sans-serif; fill: var(--ink); text-anchor: middle; dominant-baseline: central }
.small { font-size: 13px }
.soft { fill: var(--soft) }
.value { fill: var(--value); font-weight: 600 }
.slope { fill: var(--slope); font-weight: 600 }
.line, .back, .box, .node { fill: none; stroke: var(--soft); stroke-width: 1.5 }
.node { fill: var(--ground); stroke: var(--ink) }
.back { stroke: var(--slope); stroke-dasharray: 5 3 }
.frame { fill: none; stroke: var(--slope); stroke-width: 3 }
.tip { fill: var(--soft) }
.backtip { fill: var(--slope) }"""


def number(value):
    "A number as the pages write it: three digits, and a real minus"
    text = f'{value:.3g}'
    return text.replace('-', '−')


def text(x, y, words, kind=''):
    return f'<text x="{x:g}" y="{y:g}" class="{kind}">{words}</text>'


def node(x, y, name, radius=24):
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius}" class="node"/>' + (text(x, y, name) if name else '')


def box(x, y, width, height, name):
    "A box around (x, y)"
    left, top = x - width / 2, y - height / 2
    return (f'<rect x="{left:g}" y="{top:g}" width="{width}" height="{height}" rx="6" class="node"/>'
            + text(x, y, name))


def arrow(start, end, kind='line', gap=24):
    "A line from one node to another that ends at their edges"
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1)
    ux, uy = (x2 - x1) / length, (y2 - y1) / length
    x1, y1, x2, y2 = x1 + ux * gap, y1 + uy * gap, x2 - ux * (gap + 8), y2 - uy * (gap + 8)
    tip = ' '.join(f'{x:.1f},{y:.1f}' for x, y in (
        (x2 + 8 * ux, y2 + 8 * uy), (x2 - 4 * uy, y2 + 4 * ux), (x2 + 4 * uy, y2 - 4 * ux)))
    return (f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{kind}"/>'
            f'<polygon points="{tip}" class="{"backtip" if kind == "back" else "tip"}"/>')


def between(start, end, words, kind='', at=.5, off=0):
    "Words on the line between two nodes, or `off` pixels beside it"
    (x1, y1), (x2, y2) = start, end
    length = math.hypot(x2 - x1, y2 - y1)
    x, y = x1 + at * (x2 - x1), y1 + at * (y2 - y1)
    x, y = x - off * (y2 - y1) / length, y + off * (x2 - x1) / length
    width = 8 * len(words) + 4
    return (f'<rect x="{x - width / 2:g}" y="{y - 9:g}" width="{width}" height="18" class="ground"/>' * (not off)
            + text(x, y, words, kind))


def svg(width, height, title, parts):
    "A picture with a title for those who can't see it"
    inside = '\n'.join(parts)
    return (f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" role="img" '
            f'aria-label="{title}">\n<style>{STYLE}\n</style>\n'
            f'<rect width="{width}" height="{height}" class="ground"/>\n{inside}\n</svg>\n')


def chain():
    "Three steps in a row: values forward, slopes backward"
    w, x, t = 2., 3., 4.
    a, d = w * x, w * x - t
    places = [(50, 80), (180, 80), (310, 80), (440, 80)]
    names = ['w', 'a', 'd', 'L']
    values = [w, a, d, d * d]
    local = [x, 1, 2 * d] # slope of each step
    slopes = np.cumprod(local[::-1])[::-1]
    parts = []
    for start, end, step, slope in zip(places, places[1:], ['times 3', 'minus 4', 'squared'], local):
        parts += [arrow(start, end), between(start, end, step, 'small soft', off=-16),
                  between(start, end, f'× {number(slope)}', 'slope small', off=18)]
    for place, name, value in zip(places, names, values):
        parts += [node(*place, name), text(place[0], 36, number(value), 'value')]
    for place, slope in zip(places, [*slopes, 1]): parts.append(text(place[0], 126, number(slope), 'slope'))
    return svg(490, 150, 'A chain w, a, d, L with values above and slopes below', parts)


def pencil_numbers():
    "The small net of the page on backpropagation: values and derivatives, by name"
    x, w1, w2 = np.array([1., 2]), np.array([[1, -1], [.5, 1]]), np.array([[1, 2], [.5, -.5]])
    b1, b2 = np.array([-1., 1]), np.array([-1., 0])
    h = np.maximum(x @ w1 + b1, 0)
    z = h @ w2 + b2
    p = np.exp(z) / np.exp(z).sum()
    dz = p - np.array([1, 0])
    dh = w2 @ dz
    return dict(x=x, w1=w1, b1=b1, w2=w2, b2=b2, h=h, z=z, p=p, loss=-np.log(p[0]), dz=dz, dh=dh,
                dw1=np.outer(x, dh), dw2=np.outer(h, dz))


XS = [(45, 70), (45, 190)] # places of the nodes of the small net
HS = [(195, 70), (195, 190)]
ZS = [(345, 70), (345, 190)]
LOSS = (455, 130)


def pencil(backward):
    "The small net: its values, or the derivatives of the loss"
    net = pencil_numbers()
    parts = []
    for starts, ends, weights, slopes in ((XS, HS, net['w1'], net['dw1']), (HS, ZS, net['w2'], net['dw2'])):
        for i, start in enumerate(starts):
            for j, end in enumerate(ends):
                parts.append(arrow(end, start, 'back') if backward else arrow(start, end))
                words = number(slopes[i, j]) if backward else number(weights[i, j])
                at = .5 if i == j else .27 # crossing lines keep their numbers apart
                parts.append(between(start, end, words, 'slope small' if backward else 'small', at))
    for place in ZS: parts.append(arrow(LOSS, place, 'back') if backward else arrow(place, LOSS))
    for places, name, values, slopes in ((XS, 'x', net['x'], None), (HS, 'h', net['h'], net['dh']),
                                         (ZS, 'z', net['z'], net['dz'])):
        for k, (x, y) in enumerate(places):
            side = -38 if k == 0 else 38
            parts.append(node(x, y, f'{name}<tspan dy="5" font-size="11">{k + 1}</tspan>'))
            if not backward: parts.append(text(x, y + side, number(values[k]), 'value'))
            if not backward and name in 'hz':
                bias = net['b1' if name == 'h' else 'b2'][k]
                parts.append(text(x + 36, y + side, f'bias {number(bias)}', 'small soft'))
            elif slopes is not None: parts.append(text(x, y + side, number(slopes[k]), 'slope'))
    parts += [node(*LOSS, 'L'), text(LOSS[0], LOSS[1] + 38, '1' if backward else number(net['loss']),
                                     'slope' if backward else 'value')]
    what = 'derivative of the loss by each weight and each unit' if backward else 'weight and the value of each unit'
    return svg(490, 260, f'A net of two inputs, two hidden units and two logits, with the {what}', parts)


def shapes():
    "The whole net as boxes, with the shapes of what passes between them"
    names = ['X', 'H', 'Z', 'L']
    sizes = ['n × 784', 'n × 128', 'n × 10', '1']
    places = [(45, 90), (180, 90), (315, 90), (450, 90)]
    steps = ['W₁ 784 × 128', 'W₂ 128 × 10', 'softmax, log']
    slopes = [None, 'dH', 'dZ', '']
    parts = []
    for start, end, step in zip(places, places[1:], steps):
        parts += [arrow(start, end, gap=30), between(start, end, step, 'small soft', off=-36)]
    for (x, y), name, size, slope in zip(places, names, sizes, slopes):
        parts += [box(x, y, 60, 44, name), text(x, 38, size, 'value small')]
        if slope: parts.append(text(x, 142, f'{slope}  {size}', 'slope small'))
    for end, start in list(zip(places, places[1:]))[1:]:
        low = (end[0], end[1] + 36), (start[0], start[1] + 36)
        parts.append(arrow(low[1], low[0], 'back', gap=30))
    return svg(495, 165, 'The net of rung 2 as boxes X, H, Z and L with the shape of each', parts)


def tape():
    "Four notes in a row, written from left to right and read from right to left"
    notes = [('w', 'given', ''), ('a', 'w × 3', '× 3'), ('d', 'a − 4', '× 1'), ('L', 'd × d', '2 × d')]
    parts = []
    for k, (name, made, rule) in enumerate(notes):
        x = 62 + 122 * k
        parts += [f'<rect x="{x - 54}" y="30" width="108" height="92" rx="6" class="node"/>', text(x, 50, name),
                  text(x, 76, made, 'value small'), text(x, 102, rule, 'slope small')]
        if k: parts.append(arrow((x - 122, 14), (x, 14), gap=30))
        if k: parts.append(arrow((x, 140), (x - 122, 140), 'back', gap=30))
    return svg(490, 156, 'A tape of four notes', parts)


def precision_recall():
    "A small confusion matrix: a column is about precision, a row about recall"
    counts = np.array([[9, 2, 0], [1, 7, 0], [0, 1, 8]])
    right = counts[1, 1]
    left, top, side = 170, 62, 46
    parts = [text(left + 1.5 * side, 16, 'predicted', 'soft small'),
             text(left - 74, top + 1.5 * side, 'true', 'soft small')]
    for i, row in enumerate(counts):
        parts += [text(left + (i + .5) * side, 42, i), text(left - 24, top + (i + .5) * side, i)]
        for j, count in enumerate(row):
            x, y = left + j * side, top + i * side
            parts += [f'<rect x="{x}" y="{y}" width="{side}" height="{side}" class="box"/>',
                      text(x + side / 2, y + side / 2, count, 'value' if i == j == 1 else '')]
    parts += [f'<rect x="{left + side}" y="{top}" width="{side}" height="{3 * side}" class="frame"/>',
              f'<rect x="{left}" y="{top + side}" width="{3 * side}" height="{side}" class="frame"/>',
              text(left + 1.5 * side, top + 3 * side + 24, f'precision {right} of {counts[:, 1].sum()}', 'slope'),
              text(left + 3 * side + 72, top + 1.5 * side, f'recall {right} of {counts[1].sum()}', 'slope')]
    return svg(490, 240, 'Precision is a column of the confusion matrix, recall a row', parts)


DIAGRAMS = {
    'precision_recall.svg': precision_recall,
    'tape.svg': tape,
    'chain.svg': chain,
    'pencil_forward.svg': lambda: pencil(backward=False),
    'pencil_backward.svg': lambda: pencil(backward=True),
    'net_shapes.svg': shapes,
}


def main():
    FOLDER.mkdir(exist_ok=True)
    stale = []
    for name, draw in DIAGRAMS.items():
        path, new = FOLDER/name, draw()
        if '--check' not in sys.argv: path.write_text(new, encoding='utf-8')
        elif not path.exists() or path.read_text(encoding='utf-8') != new: stale.append(name)
    if stale: return f'Run `python docs/diagrams.py` and commit {", ".join(stale)}.'


if __name__ == '__main__': sys.exit(main())
