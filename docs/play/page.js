// The reader: every <div class="play"> becomes a pad to draw on and, beside it, what five readers make of the drawing,
// while the pen moves. pad.js draws, nets.js reads; this script shows. What stood in the div is a still picture for
// readers without JavaScript, and for paper.
(() => {
'use strict'
const mnistSteps = window.mnistSteps

const READERS = ['logistic', 'numpy', 'torch', 'cnn', 'drawn']
const NOTES = ['rung 1', 'rung 2', 'rung 3', 'rung 4', 'for drawings']
const COUNTS = {3: 'three', 4: 'four'}
const DIGITS = [...Array(10).keys()]
const START = 'Draw a digit: five readers say what they see while you draw.'
const SITE = document.documentElement.dataset.site || '' // where the pages are: beside this one, or on the web
const SLOW = 40 // ms: a reading that takes longer is followed by a pause as long, so that the pen stays quick

// An element with attributes (null leaves one out) and children
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag)
  for (const [name, value] of Object.entries(attributes)) if (value !== null) element.setAttribute(name, value)
  element.append(...children)
  return element
}

const button = (words, act) => {
  const element = make('button', {type: 'button'}, words)
  element.addEventListener('click', act)
  return element
}

const link = (page, words) => make('a', {href: `${SITE}${page}.html`}, words)

// 'logistic, numpy and cnn'
function listed(names) {
  return names.length < 2 ? names.join() : `${names.slice(0, -1).join(', ')} and ${names.at(-1)}`
}

function best(row) { return row.indexOf(Math.max(...row)) } // [10] probabilities -> the digit

function percent(share) { return share > .995 ? '> 99 %' : `${Math.round(100 * share)} %` }

// {reader: digit} -> one line: who says what; of a large side only the number is said
function agreement(said) {
  const sides = DIGITS.map(digit => [digit, READERS.filter(name => said[name] === digit)])
    .filter(([, names]) => names.length).toSorted(([, a], [, b]) => b.length - a.length)
  if (sides.length === 1) return `All five read ${sides[0][0]}.`
  const lines = sides.map(([digit, names]) => {
    const who = names.length > 2 ? COUNTS[names.length] : listed(names)
    return `${who} ${names.length === 1 ? 'reads' : 'read'} ${digit}`
  })
  return `They disagree: ${lines.join(', ')}.`
}

// Why there is no answer, in words for someone who draws
function excuse(reason) {
  const several = /^(\d+) digits/.exec(reason)
  if (several) return `${several[1]} digits at once: draw one, and clear the pad before the next.`
  if (reason.includes('more than one colour')) return 'More ink than paper: clear the pad, and draw one digit.'
  return `No digit yet: ${reason.replace(/: draw a digit.*/, '')}.`
}

// What a reader says: its name, a large digit, how sure it is; and a bar for each digit
function buildVerdict(name, note) {
  const digit = make('b', {class: 'play-open'}, '–')
  const sure = make('span', {class: 'play-sure'}, '\u00a0')
  const element = make('li', { 'data-reader': name },
    make('span', {class: 'play-name'}, name), make('span', {class: 'play-note'}, note), digit, sure)
  return {element, digit, sure, bars: DIGITS.map(() => make('i'))}
}

function showVerdict(verdict, row) { // row: [10] probabilities, or null where nobody can say anything
  const answer = row && best(row)
  verdict.digit.textContent = row ? answer : '–'
  verdict.digit.classList.toggle('play-open', !row)
  verdict.sure.textContent = row ? percent(row[answer]) : '\u00a0'
  verdict.bars.forEach((bar, digit) => {
    bar.style.transform = `scaleX(${row ? row[digit].toFixed(4) : 0})`
    bar.classList.toggle('play-best', digit === answer)
  })
}

// All bars in rows of one digit and columns of one reader
function buildBars(verdicts) {
  const cells = DIGITS.flatMap(digit => [make('span', {}, digit), ...verdicts.map((verdict, k) =>
    make('span', {class: 'play-track', 'data-reader': READERS[k]}, verdict.bars[digit]))])
  return make('div', {class: 'play-bars', 'aria-hidden': 'true'}, ...cells) // the verdicts say the same in words
}

// The 28 x 28 pixels that the readers see, 784 numbers from 0 to 255, on a canvas of that size
function showSeen(canvas, pixels) {
  const picture = new ImageData(28, 28)
  for (let i = 0; i < 784; i++) {
    const grey = pixels ? pixels[i] : 0
    picture.data.set([grey, grey, grey, 255], 4 * i)
  }
  canvas.getContext('2d').putImageData(picture, 0, 0)
}

// Strokes of height 1, as those of mnist_steps.canvas, in the middle of the pad
function placed(strokes, size = 180 / 280) {
  const points = strokes.flat()
  const middle = [0, 1].map(axis => {
    const values = points.map(point => point[axis])
    return (Math.min(...values) + Math.max(...values)) / 2
  })
  return strokes.map(stroke => stroke.map(point => point.map((value, axis) => .5 + (value - middle[axis]) * size)))
}

const about = () => make('p', {class: 'play-about'},
  'The four rungs solve one problem, each a layer further up: ', link('linear', 'logistic'),
  ' is a linear model, ', link('numpy_net', 'numpy'), ' a net with one hidden layer, ', link('torch_mlp', 'torch'),
  ' the same net in PyTorch, and ', link('cnn', 'cnn'), ' a convolutional net. They have learned from the digits of ',
  'MNIST alone, which were scanned from paper. ', link('drawing', 'drawn'),
  ' is no rung: it is a reader that has learned from drawings, too.')

// The row under the pad
function buildTools(pad) {
  const width = make('input', {
    type: 'range', 'aria-label': 'Pen width', min: 10, max: 40, value: Math.round(pad.pen * 280)})
  width.addEventListener('input', () => pad.setPen(width.value / 280))
  let example = 7 // a seven first, then another digit each time: 4, 1, 8, 5, 2 ...
  const show = button('Show me one', () => {
    pad.show(placed(mnistSteps.strokes[example]), .8)
    example = (example + 7) % 10
  })
  return make('div', {class: 'play-tools'}, button('Undo', () => pad.undo()), button('Clear', () => pad.clear()),
    make('label', {}, 'Pen', width), mnistSteps.strokes ? show : '')
}

function build(element) {
  const verdicts = READERS.map((name, k) => buildVerdict(name, NOTES[k]))
  const answer = make('p', {class: 'play-answer'}, START)
  const heard = make('p', {class: 'play-heard', role: 'status'}) // read aloud, so it changes when the pen is lifted
  const seen = make('canvas', {width: 28, height: 28, role: 'img', 'aria-label': 'What the readers see of it'})
  const board = make('div', {class: 'play-pad'})

  function show(found, words) { // found: the probabilities of each reader, or null
    verdicts.forEach((verdict, k) => showVerdict(verdict, found && found.probabilities[READERS[k]]))
    showSeen(seen, found && found.pixels)
    answer.textContent = words
    if (!pad.isDown && heard.textContent !== words) heard.textContent = words
  }

  function read() {
    if (!pad.strokes.length) return show(null, START)
    const found = mnistSteps.read(pad.picture())
    if (!found.pixels) return show(null, pad.isDown ? 'Go on …' : excuse(found.reason))
    const said = Object.fromEntries(READERS.map(name => [name, best(found.probabilities[name])]))
    show(found, agreement(said))
  }

  // One reading a frame at most, always of the newest drawing
  let asked = 0
  let rested = 0 // when the next reading may begin
  function frame(now) {
    if (now < rested) {
      asked = requestAnimationFrame(frame)
      return
    }
    asked = 0
    const start = performance.now()
    read()
    const took = performance.now() - start
    if (took > SLOW) rested = start + 2 * took
  }
  const onchange = () => { asked = asked || requestAnimationFrame(frame) }

  const pad = mnistSteps.pad(board, {onchange})
  showSeen(seen, null)
  const live = make('div', {class: 'play-live'}, board, buildTools(pad), answer, heard,
    make('ul', {class: 'play-verdicts'}, ...verdicts.map(verdict => verdict.element)), buildBars(verdicts),
    make('figure', {class: 'play-seen'}, seen, make('figcaption', {},
      'All five see these 28 x 28 pixels: your drawing, cropped, scaled, and centred by its ink, ',
      link('drawing', 'as the digits of MNIST are'), '.')),
    about())
  element.append(live)
  Object.assign(element, {pad, isBusy: () => asked !== 0}) // for tests and for the curious
  element.classList.add('play-built')
}

for (const element of document.querySelectorAll('.play')) build(element)
})()
