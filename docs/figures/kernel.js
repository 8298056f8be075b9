// A kernel slides over a digit, and its map grows. The digit is the first of the test set, or your own drawing
(() => {
'use strict'
const SIDE = 28, WIDE = 168, TOP = 20 // pixels of a digit, then units of a drawing
const PACE = 24 // milliseconds from one window to the next
const MINUS = '\u2212'
const BY_HAND = {
  'lower edges': [[1, 1, 1], [0, 0, 0], [-1, -1, -1]],
  'right edges': [[1, 0, -1], [1, 0, -1], [1, 0, -1]],
  'diagonal edges': [[1, 1, 0], [1, 0, -1], [0, -1, -1]],
  'blur': [[1, 2, 1], [2, 4, 2], [1, 2, 1]].map(row => row.map(weight => weight / 16))
}

// The products in one window: digit (784 pixels, row by row), weights (k x k) -> k * k numbers
function productsAt(digit, weights, row, column) {
  return weights.flatMap((line, u) => line.map((weight, v) => weight * digit[(row + u) * SIDE + column + v]))
}

// As `conv2d` with stride 1 and no padding -> side * side sums, row by row, of side = 28 - k + 1
function convolve(digit, weights) {
  const side = SIDE - weights.length + 1
  return Array.from({length: side * side}, (_, place) =>
    productsAt(digit, weights, Math.floor(place / side), place % side).reduce((sum, product) => sum + product, 0))
}

// A picture of any size, white on black -> 784 numbers from 0 to 1, each the mean of a square
function shrink({data, width}) {
  const square = Math.floor(width / SIDE), pixels = Array(SIDE * SIDE).fill(0)
  for (let y = 0; y < square * SIDE; y++) {
    for (let x = 0; x < square * SIDE; x++) {
      pixels[Math.floor(y / square) * SIDE + Math.floor(x / square)] += data[4 * (y * width + x)]
    }
  }
  return pixels.map(sum => sum / square ** 2 / 255)
}

function largest(numbers) { return numbers.reduce((best, number) => Math.max(best, Math.abs(number)), 0) || 1 }

function written(number) {
  return (Math.abs(number) < 0.005 ? '0' : String(Number(number.toFixed(2)))).replace('-', MINUS)
}

// Red for above zero, blue for below, full per cent of it for a number of the size of limit
function shade(number, limit, full) {
  const share = Math.round(full * Math.min(1, Math.abs(number) / limit))
  return `color-mix(in srgb, var(--${number < 0 ? 'minus' : 'plus'}) ${share}%, var(--paper))`
}

mnistSteps.figure('kernel', (body, tools) => {
  const {choice, button, toggle, row, svg, draw, change, drag, animate, say, caption, show, data} = tools
  const kernels = {...BY_HAND, ...data.learned}
  const stored = data.digit.map(pixel => pixel / 255)
  let digit = stored, weights = BY_HAND['lower edges'], map = [], at = [6, 10], passed = 0
  let seen = new Set() // places of the map that the window has visited

  const digitPanel = panel('the digit'), mapPanel = panel('the map')
  const kernelPanel = panel('the kernel'), productPanel = panel('the products')
  row(digitPanel.drawing, mapPanel.drawing).classList.add('touch-pairs')
  row(kernelPanel.drawing, productPanel.drawing).classList.add('touch-pairs')
  const pixels = cells(digitPanel.drawing, SIDE)
  for (const pixel of pixels) change(pixel, {fill: 'var(--ink)'})
  const layers = [mapPanel, kernelPanel, productPanel].map(one => draw(one.drawing, 'g'))
  const frameStyle = {fill: 'none', stroke: 'var(--accent)', 'stroke-width': 2.5, 'pointer-events': 'none'}
  const frame = draw(digitPanel.drawing, 'rect', frameStyle)
  const spot = draw(mapPanel.drawing, 'rect', {...frameStyle, 'stroke-width': 1.5})
  let mapCells = [], kernelCells = [], productCells = []

  // A drawing with a title and a square for a picture
  function panel(label) {
    const drawing = svg(WIDE + 4, WIDE + TOP + 4, label)
    drawing.style.maxWidth = '14rem' // so that all four fit a screen
    const title = draw(drawing, 'text', {x: 2, y: 13}, label)
    const ground = draw(drawing, 'rect', {x: 2, y: TOP, width: WIDE, height: WIDE, fill: 'var(--raised)',
                                          stroke: 'var(--line)'})
    return {drawing, title, ground}
  }

  // side x side squares, row by row
  function cells(parent, side) {
    const size = WIDE / side
    return Array.from({length: side * side}, (_, place) => draw(parent, 'rect', {
      x: 2 + place % side * size, y: TOP + Math.floor(place / side) * size, width: size, height: size,
      'pointer-events': 'none', 'shape-rendering': 'crispEdges'
    }))
  }

  // side x side squares with a number in each
  function numbers(parent, side) {
    const size = WIDE / side
    return cells(parent, side).map((square, place) => ({
      square, text: draw(parent, 'text', {
        x: 2 + (place % side + 0.5) * size, y: TOP + (Math.floor(place / side) + 0.5) * size + 4,
        'text-anchor': 'middle', 'font-size': side > 3 ? 10 : 13
      })
    }))
  }

  function fill(boxes, values) {
    const limit = largest(values)
    boxes.forEach(({square, text}, place) => {
      change(square, {style: `fill: ${shade(values[place], limit, 60)}`})
      change(text, {}, written(values[place]))
    })
  }

  say('')
  const names = Object.fromEntries(Object.keys(kernels).map(name => [name, name]))
  const which = choice('kernel', names, choose)
  const play = button('Play', () => run(!slide.running))
  row(which.element, play, button('Whole map', fillAll), button('Start again', clear))
  if (mnistSteps.pad) offerPad()

  const slide = animate(milliseconds => {
    passed += milliseconds
    for (; passed >= PACE; passed -= PACE) if (!stepOn()) return run(false)
    update()
    return true
  }, fillAll)

  // To the next window, row by row; false at the end
  function stepOn() {
    const place = at[0] * mapSide() + at[1] + 1
    if (place >= map.length) return false
    at = [Math.floor(place / mapSide()), place % mapSide()]
    seen.add(place)
    return true
  }

  function run(on) {
    passed = 0
    const atEnd = at[0] * mapSide() + at[1] === map.length - 1
    if (on && (atEnd || seen.size === 1)) clear()
    if (on) slide.start()
    else slide.stop()
    play.textContent = slide.running ? 'Pause' : 'Play'
    update()
    return false
  }

  function mapSide() { return SIDE - weights.length + 1 }

  function moveTo(top, left) {
    at = [top, left].map(place => Math.max(0, Math.min(mapSide() - 1, place)))
    run(false)
  }

  function clear() {
    seen = new Set()
    moveTo(0, 0)
  }

  function fillAll() {
    map.forEach((_, place) => seen.add(place))
    run(false)
  }

  function choose(name) {
    weights = kernels[name]
    for (const layer of layers) layer.replaceChildren()
    mapCells = cells(layers[0], mapSide())
    kernelCells = numbers(layers[1], weights.length)
    productCells = numbers(layers[2], weights.length)
    fill(kernelCells, weights.flat())
    seen = new Set()
    recompute()
    moveTo(...at)
  }

  function recompute() {
    digit.forEach((pixel, place) => change(pixels[place], {'fill-opacity': pixel.toFixed(3)}))
    map = convolve(digit, weights)
    update()
  }

  function update() {
    const [top, left] = at, k = weights.length, size = WIDE / SIDE, mapSize = WIDE / mapSide()
    seen.add(top * mapSide() + left)
    const products = productsAt(digit, weights, top, left), sum = products.reduce((total, one) => total + one, 0)
    change(frame, {x: 2 + left * size, y: TOP + top * size, width: k * size, height: k * size})
    change(spot, {x: 2 + left * mapSize, y: TOP + top * mapSize, width: mapSize, height: mapSize})
    fill(productCells, products)
    change(productPanel.title, {}, `products, sum ${written(sum)}`)
    const limit = largest(map)
    mapCells.forEach((square, place) => change(square, {
      style: seen.has(place) ? `fill: ${shade(map[place], limit, 100)}` : 'display: none'
    }))
    say(`Row ${top + 1}, column ${left + 1}: the ${k * k} products sum to ${written(sum)}.`)
    show({kernel: which.value, weights, digit, row: top, column: left, products, sum, map, seen: seen.size})
  }

  function offerPad() {
    const box = Object.assign(document.createElement('div'), {className: 'touch-pad', hidden: true})
    let pad = null
    const own = toggle('Draw your own', false, pressed => {
      box.hidden = !pressed
      if (!pad) pad = mnistSteps.pad(box, {onchange: take})
      take(pad)
    })
    function take(changed) {
      const drawn = own.pressed && changed.strokes.length > 0
      digit = drawn ? shrink(changed.picture()) : stored
      recompute()
      if (drawn) fillAll() // the map grows with the drawing
    }
    play.parentElement.append(own.element)
    body.append(box)
  }

  // Where a window begins whose middle is at this place of the drawing
  function pixelAt(place) { return Math.floor(place / WIDE * SIDE - (weights.length - 1) / 2) }

  drag(digitPanel.ground, {
    move: (x, y) => moveTo(pixelAt(y - TOP), pixelAt(x - 2)),
    keys: (dx, dy) => moveTo(at[0] + dy, at[1] + dx), label: 'the window: arrow keys move it over the digit'
  })
  caption('Try: drag the window over the digit, or press Play. Where the ink under the window looks like the kernel, ' +
          'the sum is large and the map red; where it looks like the opposite, blue. The last four kernels nobody ' +
          'designed: rung 4 learned them.')
  choose(which.value)
})
})()
