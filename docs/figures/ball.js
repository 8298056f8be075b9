// A ball on a loss curve: gradient descent on one number w, with learning rate and momentum. The whole path follows the
// sliders; the ball walks along it
(() => {
'use strict'
const STEPS = 40
const LEFT = 16, RIGHT = 344, BOTTOM = 196, HEIGHT = 180, REACH = 3 // the picture shows w from -REACH to REACH
const MOST_RATE = 1.2
const MINUS = '\u2212'

// Loss L, slope L' and curvature L'' at w; where the bottoms are, the loss at the upper edge, and where the ball starts
function parabola(curvature, start) {
  return {
    loss: w => curvature * w ** 2 / 2, slope: w => curvature * w, curvature: () => curvature,
    bottoms: [0], top: 11, start
  }
}
const CURVES = {
  wide: parabola(2, -2.5),
  narrow: parabola(8, -1.4),
  two: {
    loss: w => (w ** 2 - 2) ** 2 / 4 + w / 4 + 0.5, slope: w => w * (w ** 2 - 2) + 0.25, curvature: w => 3 * w ** 2 - 2,
    bottoms: [-1.4730, 1.3470], top: 6, start: 2.3 // where the slope is 0
  }
}
const NAMES = {wide: 'a wide valley', narrow: 'a narrow valley', two: 'two valleys'}

// As `sgd_step`: the velocity is a decaying sum of slopes. Returns [w before each step ..., w at the end], no longer
// than it takes the ball to get lost
function descend(curve, start, rate, momentum) {
  const path = [start]
  let w = start, velocity = 0
  while (path.length <= STEPS && Math.abs(w) < 1e6) {
    velocity = momentum * velocity + curve.slope(w)
    w -= rate * velocity
    path.push(w)
  }
  return path
}

function nearest(curve, w) {
  return curve.bottoms.reduce((best, one) => Math.abs(one - w) < Math.abs(best - w) ? one : best)
}

// What becomes of the ball, in words
function fate(curve, path) {
  const away = path.map(w => Math.abs(w - nearest(curve, w)))
  const landed = away.findLastIndex(distance => distance >= 0.01) + 1
  if (landed < path.length) return `The ball lands: from step ${landed} on it is within 0.01 of a bottom.`
  const end = path.at(-1)
  if (Math.abs(end) > 2 * REACH) return 'The ball diverges: each step throws it further out.'
  const oneWay = path.every((w, k) => k === 0 || (w - path[k - 1]) * (end - path[0]) > 0)
  return oneWay ? `The ball crawls: after ${STEPS} steps it is still on its way.`
    : `The ball swings: after ${STEPS} steps it has not come to rest.`
}

const written = number => {
  const size = Math.abs(number)
  const text = size >= 1e4 ? number.toExponential(1) : size >= 100 ? number.toFixed(0) : number.toFixed(2)
  return text.replace('-', MINUS)
}

mnistSteps.figure('ball', (body, tools) => {
  const {slider, choice, button, row, svg, draw, change, drag, animate, say, caption, show} = tools
  const drawing = svg(360, 276, 'A ball on a loss curve')
  const clip = `touch-clip-${document.querySelectorAll('clipPath').length}`
  draw(draw(drawing, 'clipPath', {id: clip}), 'rect', {x: 4, y: 0, width: 352, height: BOTTOM + 8})
  const plot = draw(drawing, 'g', {'clip-path': `url(#${clip})`})
  const ground = draw(plot, 'rect', {x: 0, y: 0, width: 360, height: BOTTOM + 8, fill: 'transparent'})
  const line = draw(plot, 'polyline', {fill: 'none', stroke: 'var(--soft)', 'stroke-width': 2})
  const trail = draw(plot, 'polyline', {fill: 'none', stroke: 'var(--blue)', 'stroke-width': 1, opacity: 0.6})
  const dots = Array.from({length: STEPS + 1}, () => draw(plot, 'circle', {r: 2.5, fill: 'var(--blue)'}))
  const tangent = draw(plot, 'line', {stroke: 'var(--orange)', 'stroke-width': 2, 'stroke-dasharray': '6 3'})
  const ball = draw(plot, 'circle', {r: 8, fill: 'var(--red)', stroke: 'var(--paper)', 'stroke-width': 2})
  const arrow = draw(plot, 'path', {fill: 'none', stroke: 'var(--green)', 'stroke-width': 2.5})
  arrow.style.pointerEvents = 'none' // it lies on the ball
  draw(drawing, 'text', {x: 4, y: 12}, 'loss')
  draw(drawing, 'text', {x: 356, y: BOTTOM + 20, 'text-anchor': 'end'}, 'w')
  legend(70, 'tangent: the slope', 'var(--orange)', '6 3')
  legend(216, 'arrow: the step', 'var(--green)')
  const lands = draw(drawing, 'rect', {y: 232, height: 8, fill: 'var(--green)'})
  const diverges = draw(drawing, 'rect', {y: 232, height: 8, fill: 'var(--red)'})
  const marker = draw(drawing, 'path', {d: 'M0 232 l-5 -9 h10 z', fill: 'var(--ink)'})
  draw(drawing, 'text', {x: LEFT, y: 254, 'font-size': 11}, 'rates that land')
  const lost = draw(drawing, 'text', {x: RIGHT, y: 254, 'font-size': 11, 'text-anchor': 'end'}, 'that diverge')
  const limit = draw(drawing, 'text', {x: 180, y: 271, 'text-anchor': 'middle'})
  say('')

  function legend(x, text, stroke, dashes) {
    draw(drawing, 'line', {x1: x - 26, x2: x - 4, y1: BOTTOM + 16, y2: BOTTOM + 16, stroke, 'stroke-width': 2.5,
                           'stroke-dasharray': dashes || null})
    draw(drawing, 'text', {x, y: BOTTOM + 20, 'font-size': 11}, text)
  }

  const valley = choice('curve', NAMES, () => restart(CURVES[valley.value].start))
  const rate = slider('learning rate', {min: 0.01, max: MOST_RATE, step: 0.01, value: 0.1, text: written}, update)
  const momentum = slider('momentum', {min: 0, max: 0.95, step: 0.05, value: 0, text: written}, update)
  row(rate.element, momentum.element)
  const play = button('Play', () => run(!walk.running))
  row(valley.element, play, button('One step', () => walkTo(step + 1)), button('Start again', () => restart(start)))

  let start = CURVES.wide.start, step = 0, path = [], between = 0 // 0 to 1: how far the ball is on its way to the next
  const x = w => (LEFT + RIGHT) / 2 + w * (RIGHT - LEFT) / 2 / REACH
  const y = loss => BOTTOM - Math.min(loss / CURVES[valley.value].top, 1e3) * HEIGHT
  const walk = animate(milliseconds => {
    between += milliseconds / 400
    if (between >= 1) {
      between = 0
      step += 1
    }
    if (step < path.length - 1) return update()
    run(false)
    return false
  }, () => walkTo(path.length - 1))

  function run(on) {
    if (on && step >= path.length - 1) step = 0
    if (on) walk.start()
    else walk.stop()
    if (!walk.running) between = 0
    play.textContent = walk.running ? 'Pause' : 'Play'
    update()
  }

  function walkTo(place) {
    step = place
    run(false)
  }

  function restart(w) {
    start = w
    walkTo(0)
  }

  drag(ground, {move: px => restart(toW(px))})
  drag(ball, {
    move: px => restart(toW(px)), keys: (dx, dy) => restart(held(start + (dx - dy) / 10)),
    label: 'where the ball starts', role: 'slider'
  })
  change(ball, {'aria-valuemin': -REACH, 'aria-valuemax': REACH})
  function held(w) { return Math.max(-REACH, Math.min(REACH, Number(w.toFixed(2)))) }
  function toW(px) { return held((px - (LEFT + RIGHT) / 2) * REACH * 2 / (RIGHT - LEFT)) }

  function drawCurve(curve) {
    if (line.dataset.curve === valley.value) return
    line.dataset.curve = valley.value
    const ws = Array.from({length: 141}, (_, k) => (k / 70 - 1) * 1.05 * REACH)
    change(line, {points: ws.map(w => `${x(w).toFixed(1)},${y(curve.loss(w)).toFixed(1)}`).join(' ')})
  }

  function drawPath(curve) {
    const places = path.map(w => [x(Math.max(-99, Math.min(99, w))), y(curve.loss(w))])
    change(trail, {points: places.map(place => place.map(p => p.toFixed(1)).join()).join(' ')})
    dots.forEach((dot, k) => {
      if (k < path.length) change(dot, {cx: places[k][0], cy: places[k][1]})
      change(dot, {visibility: k < path.length ? null : 'hidden', opacity: k <= step ? 1 : 0.35})
    })
  }

  function drawBall(curve, w, next) {
    const here = w + (next - w) * between, slope = curve.slope(w)
    const px = x(here), py = y(curve.loss(here)), reach = 0.9
    change(ball, {cx: px, cy: py, 'aria-valuenow': start, 'aria-valuetext': `w = ${written(start)}`})
    const [x1, x2] = [w - reach, w + reach], rise = reach * slope
    change(tangent, {x1: x(x1), x2: x(x2), y1: yLine(curve.loss(w) - rise), y2: yLine(curve.loss(w) + rise)})
    const from = x(w), to = x(next), height = y(curve.loss(w)), head = 6 * Math.sign(to - from)
    change(arrow, {d: `M${from} ${height} H${to} m${-head} -4 l${head} 4 l${-head} 4`,
                   visibility: Math.abs(to - from) < 3 ? 'hidden' : null})
  }

  function yLine(loss) { return BOTTOM - loss / CURVES[valley.value].top * HEIGHT }

  // The learning rates that land, and those that don't: the limit is 2 / curvature, and momentum moves it outwards
  function drawLimit(threshold, curvature) {
    const place = r => LEFT + Math.min(r / MOST_RATE, 1) * (RIGHT - LEFT)
    change(lands, {x: LEFT, width: place(threshold) - LEFT})
    change(diverges, {x: place(threshold), width: RIGHT - place(threshold)})
    change(lost, {visibility: threshold < MOST_RATE ? null : 'hidden'})
    change(marker, {transform: `translate(${place(rate.value)} 0)`})
    const factor = momentum.value ? `2 x ${(1 + momentum.value).toFixed(2)}` : '2'
    change(limit, {}, `limit at the bottom: ${factor} / curvature ${written(curvature)} = ${written(threshold)}`)
  }

  function update() {
    const curve = CURVES[valley.value]
    path = descend(curve, start, rate.value, momentum.value)
    step = Math.min(step, path.length - 1)
    const w = path[step], next = path[Math.min(step + 1, path.length - 1)]
    const bottom = nearest(curve, Math.max(-REACH, Math.min(REACH, w)))
    const curvature = curve.curvature(bottom), threshold = 2 * (1 + momentum.value) / curvature
    const loss = curve.loss(w), slope = curve.slope(w)
    drawCurve(curve)
    drawPath(curve)
    drawBall(curve, w, next)
    drawLimit(threshold, curvature)
    say(`Step ${step}: w = ${written(w)}, loss ${written(loss)}, slope ${written(slope)}. ${fate(curve, path)}`)
    show({curve: valley.value, rate: rate.value, momentum: momentum.value, start, step, w, loss, slope, path, curvature,
          threshold})
  }

  caption('Try: raise the learning rate slowly, and watch the path: it crawls, lands sooner and sooner, jumps to and ' +
          'fro across the bottom, and past the limit it flies out. Drag the ball to start elsewhere. In the narrow ' +
          'valley the limit is lower. With two valleys, momentum can carry the ball over the hill.')
  update()
})
})()
