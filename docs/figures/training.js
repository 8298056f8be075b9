// The net of the page, with 64 hidden units, learns 1,700 digits before your eyes and is tested on 300 others. The
// digits travel with the page (docs/small_mnist.py); a worker computes, so that the page stays as quick as it was.
// `learner` is `mnist_steps.numpy_net` once more: init_params, forward, backward, sgd_step and train without momentum,
// weight decay, dropout. A matrix (n, k) is a Float32Array of n * k numbers, row by row.
//
// figure.state: {phase: 'loading', 'ready', 'running', 'paused' or 'finished'; step; steps of a whole training; rate,
// the learning rate of the last step; losses, one a step; heldOut, the accuracy on the held-out digits before the first
// step and after each; silent, the hidden units that are 0 on every held-out digit; diverged; batch, the numbers of the
// digits of the last step; params: {w1, b1, w2, b2}}
/* oxlint-disable unicorn/consistent-function-scoping -- the worker's program is one function, handed over as text */
/* oxlint-disable unicorn/require-post-message-target-origin -- a worker has no origin to name */
(() => {
'use strict'
const UNITS = 64, SIDE = 28
const PACE = 36 // steps a second, so that one can watch: a whole training takes a quarter of a minute
const RATES = [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10]
const STRONG = 0.2 // a weight of this size has its full colour
const WIDTH = 340, HEIGHT = 140, LEFT = 48, RIGHT = 332, TOP = 24, BOTTOM = 118 // of a diagram

// The program of the worker. It uses nothing that is defined outside
function learner(report) {
  const nPixels = 784, nHidden = 64, nClasses = 10, nFitted = 1700, batchSize = 64, epochs = 20
  const batchesPerEpoch = Math.ceil(nFitted / batchSize), nSteps = epochs * batchesPerEpoch
  let pixels, labels // (2000, 784) between 0 and 1, and 2000 numbers from 0 to 9
  let params, random, order, done // params as `init_params` makes them; `done` counts steps

  async function unpack({images, labels: digits, levels}) {
    const bytes = Uint8Array.from(atob(images), letter => letter.charCodeAt(0))
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'))
    const pairs = new Uint8Array(await new Response(stream).arrayBuffer()) // (2000, 14, 28): two rows in one
    pixels = new Float32Array(2 * pairs.length)
    pairs.forEach((pair, i) => {
      const upper = i % 28 + 56 * Math.floor(i / 28)
      pixels[upper] = Math.floor(pair / levels) / (levels - 1)
      pixels[upper + 28] = pair % levels / (levels - 1)
    })
    labels = Array.from(digits, Number)
  }

  // Random numbers between 0 and 1 that a seed decides (mulberry32)
  function generator(seed) {
    return () => {
      seed = seed + 0x6D2B79F5 | 0
      let t = Math.imul(seed ^ seed >>> 15, 1 | seed)
      t = t + Math.imul(t ^ t >>> 7, 61 | t) ^ t
      return ((t ^ t >>> 14) >>> 0) / 4294967296
    }
  }

  // From the normal distribution, by Box and Muller
  function normal() { return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random()) }

  function he(nIn, nOut) { return Float32Array.from({length: nIn * nOut}, () => normal() * Math.sqrt(2 / nIn)) }

  function initParams() {
    return {
      w1: he(nPixels, nHidden), b1: new Float32Array(nHidden),
      w2: he(nHidden, nClasses), b2: new Float32Array(nClasses)}
  }

  // x @ w + b for x (n, d), w (d, k), b (k,): (n, k). Four of five pixels are 0 and have nothing to add
  function linear(x, w, b) {
    const k = b.length, d = w.length / k, z = new Float32Array(x.length / d * k)
    for (let i = 0; i * d < x.length; i += 1) {
      z.set(b, i * k)
      for (let j = 0; j < d; j += 1) {
        const value = x[i * d + j]
        if (value === 0) continue
        for (let l = 0; l < k; l += 1) z[i * k + l] += value * w[j * k + l]
      }
    }
    return z
  }

  function forward(x) {
    const hidden = linear(x, params.w1, params.b1).map(z => Math.max(z, 0)) // ReLU
    return {hidden, logits: linear(hidden, params.w2, params.b2)}
  }

  function logSoftmax(logits) {
    const logP = new Float32Array(logits.length)
    for (let i = 0; i < logits.length; i += nClasses) {
      const row = logits.subarray(i, i + nClasses), most = Math.max(...row)
      const log = Math.log(row.reduce((sum, z) => sum + Math.exp(z - most), 0))
      row.forEach((z, j) => { logP[i + j] = z - most - log })
    }
    return logP
  }

  // x.T @ dz for x (n, d), dz (n, k): (d, k)
  function weightGradient(x, dz, k) {
    const n = dz.length / k, d = x.length / n, dw = new Float32Array(d * k)
    for (let i = 0; i < n; i += 1) {
      for (let j = 0; j < d; j += 1) {
        const value = x[i * d + j]
        if (value === 0) continue
        for (let l = 0; l < k; l += 1) dw[j * k + l] += value * dz[i * k + l]
      }
    }
    return dw
  }

  // dz.sum(axis=0) for dz (n, k): (k,)
  function biasGradient(dz, k) {
    const db = new Float32Array(k)
    dz.forEach((value, i) => { db[i % k] += value })
    return db
  }

  // dlogits @ w2.T, times the slope of ReLU: (n, hidden)
  function throughRelu(hidden, dlogits) {
    return hidden.map((h, at) => {
      if (h === 0) return 0
      const i = Math.floor(at / nHidden), unit = at % nHidden
      let sum = 0
      for (let j = 0; j < nClasses; j += 1) sum += dlogits[i * nClasses + j] * params.w2[unit * nClasses + j]
      return sum
    })
  }

  function backward(x, hidden, dlogits) {
    const dz1 = throughRelu(hidden, dlogits)
    return {
      w1: weightGradient(x, dz1, nHidden), b1: biasGradient(dz1, nHidden),
      w2: weightGradient(hidden, dlogits, nClasses), b2: biasGradient(dlogits, nClasses)}
  }

  // The numbers of the next 64 digits; each epoch has an order of its own (Fisher and Yates)
  function nextBatch() {
    const at = done % batchesPerEpoch * batchSize
    if (at === 0) {
      for (let i = nFitted - 1; i > 0; i -= 1) {
        const j = Math.floor(random() * (i + 1)), other = order[j]
        order[j] = order[i]
        order[i] = other
      }
    }
    return order.slice(at, at + batchSize)
  }

  // One step of gradient descent
  function step(learningRate) {
    const batch = nextBatch(), n = batch.length, x = new Float32Array(n * nPixels)
    batch.forEach((digit, i) => x.set(pixels.subarray(digit * nPixels, (digit + 1) * nPixels), i * nPixels))
    const {hidden, logits} = forward(x), logP = logSoftmax(logits)
    const dlogits = logP.map(p => Math.exp(p) / n) // (P - T) / n
    let loss = 0
    batch.forEach((digit, i) => {
      dlogits[i * nClasses + labels[digit]] -= 1 / n
      loss -= logP[i * nClasses + labels[digit]] / n
    })
    const grads = backward(x, hidden, dlogits), rate = learningRate * (1 - done / nSteps) // falls linearly to 0
    for (const [name, p] of Object.entries(params)) grads[name].forEach((slope, i) => { p[i] -= rate * slope })
    done += 1
    return {batch, loss, rate}
  }

  // What share of the digits that the net has not seen is right, and which units say nothing about any of them?
  function examine() {
    const {hidden, logits} = forward(pixels.subarray(nFitted * nPixels))
    const truth = labels.slice(nFitted)
    const right = truth.filter((label, i) => {
      const row = logits.subarray(i * nClasses, (i + 1) * nClasses)
      return row.every(z => z <= row[label])
    })
    const speaks = new Uint8Array(nHidden)
    hidden.forEach((h, i) => { if (h > 0) speaks[i % nHidden] = 1 })
    const silent = Array.from(speaks.keys()).filter(unit => !speaks[unit])
    return {accuracy: right.length / truth.length, silent}
  }

  function begin() {
    random = generator(0)
    order = Array.from({length: nFitted}, (_, i) => i)
    params = initParams()
    done = 0
    const {accuracy, silent} = examine()
    report({step: 0, steps: nSteps, silent, losses: [], accuracies: [accuracy], params})
  }

  function train(count, learningRate) {
    const losses = [], accuracies = []
    let last = {}, seen = examine()
    while (losses.length < count && done < nSteps) {
      last = step(learningRate)
      seen = examine()
      losses.push(last.loss)
      accuracies.push(seen.accuracy)
    }
    report({step: done, steps: nSteps, ...last, silent: seen.silent, losses, accuracies, params})
  }

  return async ({data, count, learningRate}) => {
    if (data) await unpack(data)
    if (count) train(count, learningRate)
    else begin()
  }
}

function build(body, tools) {
  let phase = 'loading', losses = [], heldOut = []
  let step = 0, steps = 1, rate = 0, silent = [], batch = [], params = null // what the worker reported last
  let first = null // w1 before the first step
  let before = {losses, heldOut} // the training before, for comparison
  let waiting = 1, due = 0 // questions to the worker without an answer; steps that time has brought

  const worker = new Worker(URL.createObjectURL(new Blob(
    [`const answer = (${learner})(message => postMessage(message))\nonmessage = event => answer(event.data)`],
    {type: 'text/javascript'})))
  worker.addEventListener('error', () => tools.say('This browser cannot train in the background.'))
  worker.addEventListener('message', event => learn(event.data))

  const start = tools.button('Start', () => phase === 'running' ? pause() : run())
  const one = tools.button('One step', () => {
    pause()
    ask(1)
  })
  const scale = {min: 0, max: RATES.length - 1, step: 1, value: 5, text: i => String(RATES[i])}
  const speed = tools.slider('learning rate', scale, () => {})
  const whole = tools.toggle('Whole weights', false, paint)
  tools.row(start, one, tools.button('Reset', reset), speed.element)

  const layout = body.appendChild(document.createElement('div'))
  layout.style = 'display: grid; gap: 1em; grid-template: auto / repeat(auto-fit, minmax(min(17rem, 100%), 1fr))'
  const pictures = document.createElement('canvas')
  pictures.width = pictures.height = 8 * (SIDE + 1) - 1
  pictures.style.cssText = 'width: 100%; image-rendering: pixelated; touch-action: auto'
  pictures.setAttribute('role', 'img')
  pictures.setAttribute('aria-label', 'The 64 hidden units as pictures of their weights: red excites, blue silences')
  const half = layout.appendChild(document.createElement('div'))
  half.append(pictures, tools.row(whole.element))
  const curves = layout.appendChild(document.createElement('div'))
  const drawLoss = diagram(tools, curves, 'loss of each batch', 3, '3')
  const drawAccuracy = diagram(tools, curves, 'held-out digits read right', 1, '100 %')

  tools.ontheme(paint)
  const motion = tools.animate(passed => {
    due = Math.min(due + passed / 1000 * PACE, 12)
    if (waiting || due < 1) return
    ask(Math.floor(due))
    due %= 1
  })

  function ask(count) {
    waiting += 1
    worker.postMessage({count, learningRate: RATES[speed.value]})
  }

  function run() {
    if (phase === 'finished') reset()
    phase = 'running'
    motion.start()
    show()
  }

  function pause() {
    motion.stop()
    if (phase === 'running') phase = 'paused'
    show()
  }

  function reset() {
    pause()
    if (losses.length) before = {losses, heldOut}
    ask(0)
  }

  // What the worker reports: the start of a training or some steps more
  function learn(report) {
    waiting -= 1
    if (report.step === 0) {
      losses = []
      heldOut = []
      first = report.params.w1
      if (phase !== 'running') phase = 'ready'
    }
    losses = losses.concat(report.losses)
    heldOut = heldOut.concat(report.accuracies)
    ;({step, steps, silent, params, batch = [], rate = 0} = report)
    if (phase === 'ready' && step) phase = 'paused'
    if (step === steps) {
      motion.stop()
      phase = 'finished'
    }
    show()
  }

  function show() {
    const diverged = losses.some(loss => !(loss < 2 * Math.log(10)))
    start.textContent = phase === 'running' ? 'Pause' : 'Start'
    for (const element of [start, one]) element.disabled = phase === 'loading'
    one.disabled ||= phase === 'finished'
    tools.show({phase, step, steps, rate, losses, heldOut, silent, diverged, batch, params})
    if (!params) return
    drawLoss(numbered(losses, 1), numbered(before.losses, 1), steps)
    drawAccuracy(numbered(heldOut, 0), numbered(before.heldOut, 0), steps)
    paint()
    tools.say(sentence(diverged))
  }

  function sentence(diverged) {
    const right = `${(100 * heldOut.at(-1)).toFixed(1)}\u00a0% of the 300 held-out digits are right`
    if (step === 0) return `The weights are random: ${right}.`
    if (diverged) {
      const highest = Math.max(...losses.filter(Number.isFinite))
      return `The learning rate is too high: the loss has jumped to ${highest.toFixed(highest < 10 ? 1 : 0)}, and ` +
        `${silent.length} of 64 units are silent on every held-out digit. After step ${step}, ${right}.`
    }
    const when = phase === 'finished' ? 'Trained' : `Step ${step} of ${steps}`
    return `${when}: a loss of ${losses.at(-1).toFixed(2)}, and ${right}.`
  }

  // 64 pictures of weights, or of what the steps have added to them: red above 0, blue below, pale in a silent unit
  function paint() {
    if (!params) return
    const context = pictures.getContext('2d'), image = context.createImageData(pictures.width, pictures.height)
    const [plain, red, blue] = ['raised', 'plus', 'minus'].map(name => channels(context, tools.color(name)))
    params.w1.forEach((weight, i) => {
      const unit = i % UNITS, pixel = Math.floor(i / UNITS), value = whole.pressed ? weight : weight - first[i]
      const x = unit % 8 * (SIDE + 1) + pixel % SIDE, y = Math.floor(unit / 8) * (SIDE + 1) + Math.floor(pixel / SIDE)
      const share = Math.min(Math.abs(value) / STRONG, 1) * (silent.includes(unit) ? 0.4 : 1)
      const color = value > 0 ? red : blue, at = 4 * (y * pictures.width + x)
      for (let c = 0; c < 3; c += 1) image.data[at + c] = plain[c] + share * (color[c] - plain[c])
      image.data[at + 3] = 255
    })
    context.putImageData(image, 0, 0)
  }

  worker.postMessage({data: tools.data})
  show()
  tools.caption('Each small picture is a hidden unit: what the steps have added to its weights since the random ' +
    'start, red where a pixel excites it, blue where it silences it; Whole weights shows start and steps together. ' +
    'A pale line is the training before. Try a learning rate ten times as low, and one ten times as high. The digits ' +
    'are the first 2,000 of MNIST by LeCun, Cortes and Burges (CC BY-SA 3.0), with eight levels of grey.')
}

// Values with the numbers of their steps
function numbered(values, first) { return values.map((value, i) => [first + i, value]) }

// [red, green, blue] of a colour in any notation
function channels(context, color) {
  context.fillStyle = color
  return [1, 3, 5].map(i => parseInt(context.fillStyle.slice(i, i + 2), 16))
}

// A diagram of what happens at each step, up to `top`: a line for now, and a pale one for the training before
function diagram(tools, parent, title, top, topText) {
  const {draw, change} = tools
  const svg = parent.appendChild(tools.svg(WIDTH, HEIGHT, title))
  svg.style.cssText = 'display: block; width: 100%; font: 13px system-ui, sans-serif'
  draw(svg, 'text', {x: LEFT, y: 14, 'font-weight': 700}, title)
  draw(svg, 'path', {d: `M${LEFT} ${TOP}V${BOTTOM}H${RIGHT}`, fill: 'none', stroke: 'var(--edge)'})
  draw(svg, 'text', {x: LEFT - 6, y: TOP + 9, 'text-anchor': 'end', 'font-size': 12}, topText)
  draw(svg, 'text', {x: LEFT - 6, y: BOTTOM, 'text-anchor': 'end', 'font-size': 12}, '0')
  draw(svg, 'text', {x: LEFT, y: BOTTOM + 17, 'font-size': 12}, 'step 0')
  const end = draw(svg, 'text', {x: RIGHT, y: BOTTOM + 17, 'text-anchor': 'end', 'font-size': 12})
  const line = {fill: 'none', 'stroke-width': 1.6, 'stroke-linejoin': 'round'}
  const old = draw(svg, 'polyline', {...line, stroke: 'var(--edge)', opacity: 0.5})
  const now = draw(svg, 'polyline', {...line, stroke: 'var(--accent)'})
  function place(points, steps) {
    return points.map(([step, value]) => {
      const share = value < top ? value / top : 1.05 // what is too large, or no number, leaves the diagram at the top
      return `${(LEFT + step / steps * (RIGHT - LEFT)).toFixed(1)},${(BOTTOM - share * (BOTTOM - TOP)).toFixed(1)}`
    }).join(' ')
  }
  return (points, older, steps) => {
    change(end, {}, String(steps))
    change(now, {points: place(points, steps)})
    change(old, {points: place(older, steps)})
  }
}

window.mnistSteps.figure('training', build)
})()
