// A net small enough for a pencil: two inputs, two hidden units with ReLU, two outputs, softmax and cross-entropy.
// Its weights can be dragged; values follow from left to right and derivatives from right to left. The functions are
// those of the page, written for one example instead of a batch: a vector is a list of 2 numbers, a matrix a list of
// 2 rows, and w[i][j] leads from unit i to unit j, as in x @ w.
//
// figure.state: {params: {w1, b1, w2, b2}, x, target, z1, hidden, logits, p, loss, grads, chosen, nudged}; `grads` and
// `params` have the same shapes, `chosen` is [name, ...indices] of the weight that Nudge moves, and `nudged` what came
// of it: {h, before, after, slope, derivative}
(() => {
'use strict'
const X = [1, 2]
const TARGET = [1, 0] // the first class is the true one
// With these weights all numbers are short: the hidden units give 1 and 2, both logits are 1, both probabilities 1/2
const START = {w1: [[1, -1], [0.5, 1]], b1: [-1, 1], w2: [[1, 2], [0.5, -0.5]], b2: [-1, 0]}
const LIMIT = 3 // a dragged weight stays between -3 and 3
const SMALL = '₁₂'
const CHOSEN = {stroke: 'var(--accent)', 'stroke-width': 2.5}, OTHER = {stroke: 'var(--line)', 'stroke-width': 1}
const SILENT = {'stroke-dasharray': '4 4', fill: 'var(--paper)'}
const AWAKE = {'stroke-dasharray': null, fill: 'var(--raised)'}
const COLUMNS = [34, 156, 278], ROWS = [92, 272], RADIUS = 31, BOX = [58, 54]

function dot(a, b) { return a.reduce((sum, value, i) => sum + value * b[i], 0) }

function outer(a, b) { return a.map(value => b.map(other => value * other)) } // a.T @ b of two rows: (2, 2)

function linear(x, w, b) { return b.map((bias, j) => bias + dot(x, w.map(row => row[j]))) } // x @ w + b

function relu(z) { return z.map(value => Math.max(value, 0)) }

function logSoftmax(logits) {
  const most = Math.max(...logits)
  const log = most + Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0))
  return logits.map(z => z - log)
}

function forward(params) {
  const z1 = linear(X, params.w1, params.b1)
  const hidden = relu(z1)
  const logits = linear(hidden, params.w2, params.b2)
  const logP = logSoftmax(logits)
  return {z1, hidden, logits, p: logP.map(Math.exp), loss: -dot(TARGET, logP)}
}

// The derivative of the loss by each weight, in the shape of the weights
function backward(params, {hidden, p}) {
  const dlogits = p.map((value, j) => value - TARGET[j])
  const dhidden = params.w2.map(row => dot(dlogits, row)) // dlogits @ w2.T
  const dz1 = dhidden.map((value, i) => hidden[i] > 0 ? value : 0)
  return {w1: outer(X, dz1), b1: dz1, w2: outer(hidden, dlogits), b2: dlogits}
}

function copy(params) { return JSON.parse(JSON.stringify(params)) }

function read(params, [name, ...indices]) { return indices.reduce((values, i) => values[i], params[name]) }

function write(params, [name, ...indices], value) {
  const last = indices.pop()
  indices.reduce((values, i) => values[i], params[name])[last] = value
}

// Every weight and bias as a path: ['w1', 0, 1] leads from the first input to the second hidden unit
const PATHS = Object.entries(START).flatMap(([name, values]) => values.flatMap(
  (value, i) => Array.isArray(value) ? value.map((_, j) => [name, i, j]) : [[name, i]]))

// Short enough for a pencil: two decimals where nothing else is said, three below 0.1, and no zeros at the end
function short(value, decimals = Math.abs(value) < 0.1 ? 3 : 2) {
  return String(Number(value.toFixed(decimals)) || 0).replace('-', '−')
}

function nameOf([name, i, j]) {
  const [from, to] = name.endsWith('1') ? ['x', 'h'] : ['h', 'z']
  return j === undefined ? `the bias of ${to}${SMALL[i]}` : `the weight from ${from}${SMALL[i]} to ${to}${SMALL[j]}`
}

// Where the label of a weight stands: that of a level edge in its middle, that of a crossing one after a third, so that
// all are equally far apart; a bias stands above or below its unit
function placeOf([name, i, j]) {
  const column = name.endsWith('1') ? 0 : 1
  if (j === undefined) return [COLUMNS[column + 1], i ? ROWS[1] + 62 : ROWS[0] - 62]
  const share = i === j ? 1 / 2 : 1 / 3
  return [COLUMNS, ROWS].map(([...places], axis) => axis
    ? places[i] + share * (places[j] - places[i])
    : places[column] + share * (places[column + 1] - places[column]))
}

function build(body, tools) {
  const {draw, change} = tools
  let params = copy(START), chosen = PATHS[0], values, grads, grip

  const svg = tools.svg(400, 364, 'The net: two inputs, two hidden units, two outputs. Drag a weight up or down.')
  svg.style.maxWidth = '34rem'
  const edges = PATHS.map(drawEdge), units = [0, 1, 2].map(column => [0, 1].map(row => drawUnit(column, row)))
  const labels = PATHS.map(drawLabel)
  const chances = ROWS.map(y => draw(svg, 'text', {x: 316, y: y - 2, 'font-size': 14}))
  const targets = ROWS.map(y => draw(svg, 'text', {x: 316, y: y + 16, 'font-size': 12}))
  draw(svg, 'text', {x: 316, y: 170, 'font-size': 15}, 'loss')
  const loss = draw(svg, 'text', {x: 316, y: 190, 'font-size': 15, 'font-weight': 700})

  function drawEdge([name, i, j]) {
    const column = name.endsWith('1') ? 0 : 1
    const ends = j === undefined
      ? {x1: COLUMNS[column + 1], y1: ROWS[i], x2: COLUMNS[column + 1], y2: placeOf([name, i])[1]}
      : {x1: COLUMNS[column], y1: ROWS[i], x2: COLUMNS[column + 1], y2: ROWS[j]}
    return draw(svg, 'line', {...ends, stroke: 'var(--edge)'})
  }

  function drawUnit(column, row) {
    const [x, y] = [COLUMNS[column], ROWS[row]]
    const circle = draw(svg, 'circle', {cx: x, cy: y, r: RADIUS, fill: 'var(--raised)', stroke: 'var(--edge)'})
    const middle = {x, 'text-anchor': 'middle'}
    draw(svg, 'text', {...middle, y: y - 14, 'font-size': 12}, 'xhz'[column] + SMALL[row])
    const value = draw(svg, 'text', {...middle, y: y + (column ? 2 : 6), 'font-size': 15, 'font-weight': 700})
    const slope = draw(svg, 'text', {...middle, y: y + 18, 'font-size': 11.5, style: 'fill: var(--accent)'})
    return {circle, value, slope}
  }

  function drawLabel(path) {
    const [x, y] = placeOf(path)
    const [width, height] = BOX
    const group = draw(svg, 'g', {'aria-valuemin': -LIMIT, 'aria-valuemax': LIMIT})
    draw(group, 'rect', {x: x - width / 2, y: y - height / 2, width, height, fill: 'transparent'}) // for the finger
    const box = draw(group, 'rect', {x: x - 28, y: y - 19, width: 56, height: 38, rx: 7, fill: 'var(--paper)'})
    const middle = {x, 'text-anchor': 'middle'}
    const value = draw(group, 'text', {...middle, y: y - 2, 'font-size': 15})
    const slope = draw(group, 'text', {...middle, y: y + 14, 'font-size': 12, style: 'fill: var(--accent)'})
    group.addEventListener('focus', () => choose(path))
    tools.drag(group, {
      role: 'slider',
      label: nameOf(path),
      move(_, place, phase) {
        if (phase === 'down') {
          group.focus()
          grip = {place, value: read(params, path)}
        }
        move(path, grip.value + Math.round((grip.place - place) / 6) / 10)
      },
      keys: (dx, dy) => move(path, read(params, path) + (dx - dy) / 10)
    })
    return {group, box, value, slope}
  }

  function choose(path) {
    chosen = path
    show()
  }

  function move(path, value) {
    write(params, path, Number(Math.min(LIMIT, Math.max(-LIMIT, value)).toFixed(10))) // 0.1 + 0.2 is 0.3 to a pencil
    show()
    tell(`${nameOf(path)} is ${short(read(params, path))}, its derivative ${short(read(grads, path))}, the loss ` +
      short(values.loss, 3))
  }

  // A sentence, and one for each hidden unit that is silent
  function tell(text) {
    const sentences = [text[0].toUpperCase() + text.slice(1) + '.']
    values.z1.forEach((z, i) => {
      if (z > 0) return
      sentences.push(`h${SMALL[i]} is silent: its sum is ${short(z)}, ReLU gives 0, and no derivative comes through.`)
    })
    tools.say(sentences.join(' '))
  }

  function slopes(value) { return slopesShown.pressed ? `d\u2009${short(value)}` : '' }

  function show() {
    values = forward(params)
    grads = backward(params, values)
    PATHS.forEach((path, n) => {
      const [value, slope] = [read(params, path), read(grads, path)]
      change(edges[n], {'stroke-width': 1 + 1.5 * Math.abs(value)})
      change(labels[n].value, {}, short(value))
      change(labels[n].slope, {}, slopes(slope))
      change(labels[n].box, path === chosen ? CHOSEN : OTHER)
      change(labels[n].group, {
        'aria-valuenow': short(value).replace('−', '-'),
        'aria-valuetext': `${short(value)}, derivative ${short(slope)}`})
    })
    const columns = [X, values.hidden, values.logits], derivatives = [[], grads.b1, grads.b2]
    columns.forEach((column, c) => column.forEach((value, row) => {
      const silent = c === 1 && value === 0
      change(units[c][row].circle, silent ? SILENT : AWAKE)
      change(units[c][row].value, {}, short(value, 2))
      change(units[c][row].slope, {}, c ? slopes(derivatives[c][row]) : '')
    }))
    values.p.forEach((p, i) => {
      change(chances[i], {}, `p${SMALL[i]} = ${short(p, 3)}`)
      change(targets[i], {}, `target ${TARGET[i]}`)
    })
    change(loss, {}, short(values.loss, 3))
    tools.show({...values, params, grads, x: X, target: TARGET, chosen, nudged: null})
  }

  function step() {
    const before = values.loss
    for (const path of PATHS) write(params, path, read(params, path) - rate.value * read(grads, path))
    show()
    tell(`each weight has moved against its derivative, by ${short(rate.value)} times as much: the loss was ` +
      `${short(before, 3)} and is ${short(values.loss, 3)}`)
  }

  // The definition of a derivative: move one weight a little, and see by how much the loss changes
  function nudge() {
    const h = Number(by.value), moved = copy(params)
    write(moved, chosen, read(params, chosen) + h)
    const before = values.loss, after = forward(moved).loss
    const slope = (after - before) / h, derivative = read(grads, chosen)
    tools.show({nudged: {h, before, after, slope, derivative}})
    tell(`${nameOf(chosen)}, ${h} larger, changes the loss from ${short(before, 6)} to ${short(after, 6)}: ` +
      `slope ${short(slope, 4)}. Its derivative is ${short(derivative, 4)}`)
  }

  function reset() {
    params = copy(START)
    show()
    tell('the weights are back where they began')
  }

  const rate = tools.slider('learning rate', {min: 0.05, max: 1, step: 0.05, value: 0.1, text: short}, () => {})
  rate.element.style.minWidth = '17rem' // a line of its own on a phone
  const by = tools.choice('by', {0.1: '0.1', 0.01: '0.01', 0.001: '0.001'}, () => {})
  by.value = '0.01'
  const slopesShown = tools.toggle('Derivatives', true, show)
  tools.row(tools.button('One step', step), rate.element)
  tools.row(tools.button('Nudge', nudge), by.element, slopesShown.element, tools.button('Reset', reset))
  show()
  tell('drag a weight up or down, or choose one and press the arrow keys')
  tools.caption('Bold: what a unit gives. After d: the derivative of the loss with respect to the number above it, ' +
    'in a hidden unit with respect to its sum. The numbers above and below the units are biases. Can you silence h₁?')
}

window.mnistSteps.figure('pencil', build)
})()
