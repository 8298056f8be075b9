"""Put the page that reads drawings together: its scripts, and the weights of the readers that come with the package.

    python docs/play.py          # write mnist_steps/play.html, one file for everything
    python docs/play.py --check  # exit 1 when it is out of date
"""
import base64
import json
import re
import shutil
import sys
from pathlib import Path

import numpy as np
from nbdev.config import get_config

from mnist_steps.canvas import STROKES
from mnist_steps.cnn import block_shapes
from mnist_steps.rungs import PRETRAINED, load_pretrained

cfg = get_config()
SITE = cfg.doc_host + cfg.doc_baseurl + '/'
PLAY = Path(__file__).with_name('play')
PAGE = Path(__file__).parents[1]/'mnist_steps'/'play.html'
SCRIPTS = 'canvas.js', 'nets.js', 'pad.js', 'page.js' # the weights come after the second
LEAST_VARIANCE = 1e-5 # what PyTorch's batch normalisation adds to a variance

def text(name):
    "A file of docs/play"
    return (PLAY/name).read_text(encoding='utf-8')

def in_base64(array, dtype):
    "Numbers as text, the lowest byte of each first"
    return base64.b64encode(np.ascontiguousarray(array, dtype)).decode()

def layer(weights, bias, **facts):
    "What the scripts know about a layer. `weights`: inputs before outputs; half precision is enough for them."
    if abs(weights).max() >= np.finfo(np.float16).max: raise ValueError('a weight is too large for half precision')
    return {**facts, 'outputs': len(bias), 'weights': in_base64(weights, '<f2'), 'bias': in_base64(bias, '<f4')}

def dense_layers(*pairs):
    "Layers of a dense net from (weights, bias), with a ReLU after each but the last"
    return [layer(weights, bias, relu=i < len(pairs)) for i, (weights, bias) in enumerate(pairs, 1)]

def conv_block(state, prefix, shape, side):
    "A block of a convolutional net on maps of side x side, its normalisation put into weights and bias"
    kernels = state[f'{prefix}.0.weight'].astype(float) # (outputs, inputs, kernel, kernel)
    gain, shift, mean, variance = (state[f'{prefix}.2.{name}'].astype(float)
                                   for name in ('weight', 'bias', 'running_mean', 'running_var'))
    if gain.min() <= 0: raise ValueError('a scale that is not positive has no place before the pooling')
    scale = gain/np.sqrt(variance + LEAST_VARIANCE)
    kernels *= scale[:, None, None, None]
    return layer(kernels.transpose(2, 3, 1, 0), shift - mean*scale, relu=True, side=side, inputs=kernels.shape[1],
                 kernel=shape['kernel_size'], stride=shape['stride'], padding=shape['padding'], pool=shape['pool'])

def conv_layers(state, channels, lean, side=28):
    "Layers of a convolutional net"
    layers = []
    for i, shape in enumerate(block_shapes(len(channels), lean)):
        layers.append(conv_block(state, f'blocks.{i}', shape, side))
        side = (side + 2*shape['padding'] - shape['kernel_size'])//shape['stride'] + 1
        if shape['pool']: side //= 2
    weights = state['output.2.weight'] # (outputs, channels * side * side); the scripts keep the channels last
    by_place = weights.reshape(len(weights), channels[-1], side, side).transpose(2, 3, 1, 0)
    return [*layers, *dense_layers((by_place.reshape(-1, len(weights)), state['output.2.bias']))]

def net(name):
    "The layers of a reader that comes with the package"
    model = load_pretrained(name)
    params = model.get_params()
    state = model.get_state()
    if list(model.classes_) != list(range(10)): raise ValueError(f'{name} reads other classes than the ten digits')
    if params.get('test_shifts') or params.get('activation', 'relu') != 'relu':
        raise ValueError(f'{name} needs what the scripts cannot do: test_shifts, or another activation than ReLU')
    if 'coef' in state: return dense_layers((state['coef'].T, state['intercept']))
    if 'w1' in state: return dense_layers((state['w1'], state['b1']), (state['w2'], state['b2']))
    if 'hidden.weight' in state:
        return dense_layers(*((state[f'{part}.weight'].T, state[f'{part}.bias']) for part in ('hidden', 'output')))
    return conv_layers(state, params['channels'], params['lean'])

def strokes():
    "A drawing of each digit, for visitors who want to see one"
    return [[[[round(x, 3), round(y, 3)] for x, y in stroke] for stroke in STROKES[digit]] for digit in range(10)]

def script():
    "All scripts and weights as one script, for a page of the site"
    nets = {name: net(name) for name in PRETRAINED}
    parts = [text(name) for name in SCRIPTS if (PLAY/name).exists()]
    parts.insert(2, f'mnistSteps.nets = {json.dumps(nets)}\nmnistSteps.strokes = {json.dumps(strokes())}')
    return '\n;\n'.join(map(str.strip, parts)) + '\n' # the semicolons keep a script from calling the one before it

def page(
    script, # what stands in its script element
):
    "A page of its own for the reader"
    icon = np.fromfile(cfg.nbs_path/'images'/'icon.svg', np.uint8)
    facts = {'SITE': SITE, 'VERSION': cfg.version, 'ICON': f'data:image/svg+xml;base64,{in_base64(icon, np.uint8)}',
             '/* STYLE */': text('play.css'), '/* SCRIPT */': script}
    return re.sub('|'.join(map(re.escape, facts)), lambda name: facts[name[0]], text('play.html'))

def player():
    "The reader for the front page of the site: the still picture of the one file, and the script that takes its place"
    still = re.search(r'<div class="play">.*</div>(?=\n</main>)', text('play.html'), re.S)[0]
    alone = '<p>This reader also has <a href="play.html">a page of its own</a>, which works offline, too.</p>'
    return '\n'.join(['<link rel="stylesheet" href="_static/play.css">', still, alone,
                      '<script defer src="_static/play.js"></script>'])

def write_site(folder):
    "Write what the front page loads, and the page of its own, into the folder of the site: both load one script"
    (folder/'_static'/'play.js').write_text(script(), encoding='utf-8')
    shutil.copy(PLAY/'play.css', folder/'_static')
    one_file = f'<a href="{cfg.git_url}/raw/{cfg.branch}/mnist_steps/{PAGE.name}">As one file</a> you can mail it, too.'
    loads = page('').replace('<script>\n\n</script>', '<script src="_static/play.js"></script>')
    loads = loads.replace('It is one file, runs in your browser alone, and sends nothing to anyone.',
                          f'It runs in your browser alone, and sends nothing to anyone. {one_file}')
    (folder/'play.html').write_text(loads, encoding='utf-8')

def main():
    new = page(script())
    if '--check' not in sys.argv: return PAGE.write_text(new, encoding='utf-8', newline='\n') and None
    if PAGE.exists() and PAGE.read_text(encoding='utf-8') == new: return None
    return (f'mnist_steps/{PAGE.name} is not what docs/play and the weights make: '
            f'run `python docs/play.py` and commit it.')

if __name__ == '__main__': sys.exit(main())
