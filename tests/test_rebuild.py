"The empty file of rung 2: what is written, what is asked of each function, and what is said."
import re
import warnings

import pytest

from mnist_steps import rebuild as r

BODIES = {
    'relu': 'return np.maximum(z, 0)',
    'log_softmax': '''shifted = logits - logits.max(axis=1, keepdims=True)
    return shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))''',
    'cross_entropy': 'return -(targets * log_softmax(logits)).sum() / len(targets)',
    'init_params': '''sizes = {'w1': (n_features, n_hidden), 'w2': (n_hidden, n_classes)}
    weights = {name: rng.standard_normal(size) * (2 / size[0])**.5 for name, size in sizes.items()}
    return weights | {'b1': np.zeros(n_hidden), 'b2': np.zeros(n_classes)}''',
    'forward': '''hidden = relu(x @ params['w1'] + params['b1'])
    return hidden @ params['w2'] + params['b2'], hidden''',
    'backward': '''dz = (dlogits @ params['w2'].T) * (hidden > 0)
    return {'w1': x.T @ dz, 'b1': dz.sum(0), 'w2': hidden.T @ dlogits, 'b2': dlogits.sum(0)}''',
    'sgd_step': 'for name in params: params[name] -= learning_rate * grads[name]',
    'train': '''for _ in range(epochs):
        for rows in np.array_split(rng.permutation(len(x)), -(-len(x) // batch_size)):
            logits, hidden = forward(params, x[rows])
            dlogits = (np.exp(log_softmax(logits)) - targets[rows]) / len(rows)
            sgd_step(params, backward(params, x[rows], hidden, dlogits), learning_rate)'''}
FAULTS = [ # a function, a body that is wrong, and what is said of it
    ('relu', 'return abs(z)', 'is off by up to'), ('relu', 'return z[0]', 'has shape'),
    ('relu', 'z[z < 0] = 0; return z', 'it changes an array'),
    ('log_softmax', 'return logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))', 'not finite'),
    ('cross_entropy', 'return -(targets * log_softmax(logits)).sum()', 'is off by up to'),
    ('init_params', "return {'w1': np.zeros((784, 128))}", 'found the shapes'),
    ('init_params', BODIES['init_params'].replace('np.zeros(n_hidden)', 'np.ones(n_hidden)'), 'b1 is off'),
    ('init_params', BODIES['init_params'].replace('**.5', ''), 'He et al. ask for'),
    ('forward', BODIES['forward'].replace(" + params['b1']", ''), 'hidden is off'),
    ('backward', BODIES['backward'].replace(' * (hidden > 0)', ''), 'the slope by w1'),
    ('backward', 'return {}', 'found slopes for []'),
    ('sgd_step', BODIES['sgd_step'].replace('-=', '+='), 'the parameter after the step'),
    ('sgd_step', 'for name in params: params[name] = params[name] - learning_rate * grads[name]', 'a new array'),
    ('train', 'return', 'of the test digits after two epochs'), ('relu', 'raise SystemExit', 'SystemExit')]


def filled(bodies):
    text = r.TEMPLATE
    for name, body in bodies.items():
        empty = rf'(def {name}\(.*?\n    ".*?"\n)    raise NotImplementedError'
        text = re.sub(empty, lambda m: f'{m[1]}    {body}', text)
    return text


@pytest.fixture
def check(tmp_path):
    "What is said of a file with these functions, and whether all pass"
    def check(bodies):
        (tmp_path/'my_net.py').write_text(filled(bodies))
        lines = []
        with warnings.catch_warnings():
            warnings.simplefilter('ignore') # what overflows in a wrong function
            return r.rebuild(tmp_path/'my_net.py', lines.append), lines
    return check


def test_an_empty_file_is_written_once(tmp_path, capsys):
    path = tmp_path/'my_net.py'
    assert not r.rebuild(path) and 'is written' in capsys.readouterr().out
    assert not r.rebuild(path) and capsys.readouterr().out.startswith('relu: still empty')
    with pytest.raises(FileExistsError, match='choose another name'): r.write_template(path)


def test_a_right_file_passes(check):
    done, lines = check(BODIES)
    assert done and lines[:-1] == [f'{name}: right' for name in r.CHECKS]


@pytest.mark.parametrize('name, body, said', FAULTS, ids=[f'{name}-{said[:12]}' for name, _, said in FAULTS])
def test_the_wrong_function_is_blamed(check, name, body, said):
    done, lines = check(BODIES | {name: body})
    assert not done and lines[-2].startswith(f'{name}: not yet') and said in lines[-2]
    assert lines[-1].strip().startswith('The book: https://')


@pytest.mark.parametrize('text', ['1 / 0', 'def', 'import sys; sys.exit(0)'])
def test_a_file_that_does_not_run(tmp_path, text):
    (tmp_path/'my_net.py').write_text(text)
    with pytest.raises(ValueError, match='does not run'): r.rebuild(tmp_path/'my_net.py')


def test_what_is_no_python_file(tmp_path):
    (tmp_path/'notes.txt').write_text('')
    with pytest.raises(ValueError, match='found no Python file'): r.open_module(tmp_path/'notes.txt')
    with pytest.raises(FileNotFoundError, match='no such file'): r.open_module(tmp_path/'nothing.py')
