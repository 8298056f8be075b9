// Softmax with three sliders: logits -> exponentials -> probabilities, and the cross-entropy of the true class
(() => {
'use strict'
const CLASSES = ['3', '5', '8']
const START = [1, 2, 0.5]
const MOST = 6 // the sliders go from -MOST to MOST
const LEFT = {exponentials: 92, probabilities: 238}, WIDE = 76, ROW = 34, TOP = 40
const MINUS = '\u2212'

// The largest logit is subtracted first, as in `log_softmax`: whoever is very sure must not overflow
function logSoftmax(logits) {
  const most = Math.max(...logits)
  const logSum = Math.log(logits.reduce((sum, z) => sum + Math.exp(z - most), 0))
  return logits.map(z => z - most - logSum)
}

function written(number, digits = 3) {
  if (number >= 1e5 || (number > 0 && number < 1e-4)) {
    return number.toExponential(digits - 1).replace('e+', 'e').replace('-', MINUS)
  }
  return number.toLocaleString('en', {maximumSignificantDigits: digits}).replace('-', MINUS)
}
const signed = number => number.toFixed(1).replace('-', MINUS)

// The end of a scale: the next of 1, 2, 5, 10, 20, 50 ... that holds a number
function scaleEnd(number) {
  const power = 10 ** Math.floor(Math.log10(number))
  return [1, 2, 5, 10].map(k => k * power).find(end => end >= number)
}

mnistSteps.figure('softmax', (body, {slider, choice, button, row, svg, draw, change, say, caption, show}) => {
  const drawing = svg(360, TOP + 3 * ROW + 4, 'Exponentials and probabilities of three classes, as bars')
  const header = draw(drawing, 'text', {x: 66, y: 14, 'text-anchor': 'end'}, 'logit')
  draw(drawing, 'text', {x: LEFT.exponentials, y: 14}, 'exponentials')
  draw(drawing, 'text', {x: LEFT.probabilities, y: 14}, 'probabilities')
  const end = draw(drawing, 'text', {x: LEFT.exponentials + WIDE, y: 31, 'text-anchor': 'end', 'font-size': 10})
  draw(drawing, 'text', {x: LEFT.probabilities + WIDE, y: 31, 'text-anchor': 'end', 'font-size': 10}, '1')
  for (const left of Object.values(LEFT)) draw(drawing, 'text', {x: left, y: 31, 'font-size': 10}, '0')
  const bars = CLASSES.map((name, j) => barsOf(name, TOP + j * ROW))

  function barsOf(name, y) {
    draw(drawing, 'text', {x: 4, y: y + 17, 'font-weight': 'bold'}, name)
    const made = {logit: draw(drawing, 'text', {x: 66, y: y + 17, 'text-anchor': 'end'})}
    for (const [kind, left] of Object.entries(LEFT)) {
      draw(drawing, 'rect', {x: left, y, width: WIDE, height: 24, fill: 'var(--raised)', stroke: 'var(--line)'})
      made[kind] = {
        bar: draw(drawing, 'rect', {x: left, y, height: 24}),
        text: draw(drawing, 'text', {x: left + WIDE + 6, y: y + 17})
      }
    }
    return made
  }

  say('') // here

  function fill({bar, text}, share, words, color) {
    change(bar, {width: WIDE * share, fill: color})
    change(text, {}, words)
  }

  const sliders = CLASSES.map((name, j) => slider(
    `logit of ${name}`, {min: -MOST, max: MOST, step: 0.1, value: START[j], text: signed}, update))
  row(...sliders.map(one => one.element))
  const warmth = {min: 0.2, max: 5, step: 0.1, value: 1, text: signed}
  const temperature = slider('temperature', warmth, update)
  const names = Object.fromEntries(CLASSES.map((name, j) => [j, `a ${name}`]))
  const target = choice('the truth:', names, update)
  target.value = 1
  row(temperature.element, target.element)
  const less = button(`${MINUS}1 to all`, () => set(logits().map(z => z - 1)))
  const more = button('+1 to all', () => set(logits().map(z => z + 1)))
  row(less, more, button('Start again', () => {
    temperature.value = 1
    target.value = 1
    set(START)
  }))

  function logits() { return sliders.map(one => one.value) }

  function set(values) {
    sliders.forEach((one, j) => { one.value = values[j] })
    update()
  }

  function update() {
    const z = logits(), t = temperature.value, truth = Number(target.value)
    const scaled = z.map(value => value / t)
    const exponentials = scaled.map(Math.exp), logP = logSoftmax(scaled), probabilities = logP.map(Math.exp)
    const sum = exponentials.reduce((a, b) => a + b), top = scaleEnd(Math.max(...exponentials)), loss = -logP[truth]
    change(end, {}, written(top, 1))
    change(header, {}, t === 1 ? 'logit' : `logit / ${signed(t)}`)
    bars.forEach((made, j) => {
      const color = j === truth ? 'var(--orange)' : 'var(--blue)'
      change(made.logit, {}, scaled[j].toFixed(2).replace('-', MINUS))
      fill(made.exponentials, exponentials[j] / top, written(exponentials[j]), color)
      fill(made.probabilities, probabilities[j], probabilities[j].toFixed(3), color)
    })
    less.disabled = Math.min(...z) - 1 < -MOST
    more.disabled = Math.max(...z) + 1 > MOST
    say(`The exponentials sum to ${written(sum, 4)}. Cross-entropy of the true class, ${CLASSES[truth]}: ` +
        `${MINUS}log ${written(probabilities[truth])} = ${written(loss)}.`)
    show({logits: z, temperature: t, target: truth, exponentials, probabilities, loss})
  }

  caption('Try: add 1 to all three logits, and every exponential grows 2.72 times, but no probability moves. Lower ' +
          'the temperature, and the largest logit takes all. Choose another truth: what is sure and wrong costs most.')
  update()
})
})()
