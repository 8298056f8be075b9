// A drawing becomes 28 x 28 pixels as MNIST has them: what `to_mnist` in mnist_steps/canvas.py does, step by step and
// with the same rounding, so that the pictures are equal byte for byte. The page "Your own digits" explains the steps.
//
// A picture is {data, width, height}: one byte a pixel, row after row. A map is the same with other numbers.
(() => {
  'use strict'
  const mnistSteps = globalThis.mnistSteps = globalThis.mnistSteps || {}
  const {fround} = Math // NumPy computes with 32 bits where this stands
  const LONGEST = 800 // pixels of the longest side; a larger drawing is reduced first

  const noDigit = reason => Object.assign(new Error(reason), {name: 'NoDigit'})

  const sum = numbers => numbers.reduce((total, number) => total + number, 0)

  function largest(numbers) { // Math.max takes only so many arguments
    let best = -Infinity
    for (const number of numbers) if (number > best) best = number
    return best
  }

  function roundEven(x) { // a half goes to the even neighbour, as in NumPy and Python
    const rounded = Math.round(x)
    return Math.abs(x % 1) === 0.5 && rounded % 2 !== 0 ? rounded - 1 : rounded
  }

  // ## From colours to grey

  const RED = fround(0.299)
  const GREEN = fround(0.587)
  const BLUE = fround(0.114)

  function reduced({data, width, height}) { // RGBA -> mean of each block, as numbers from 0 to 255
    const block = Math.ceil(Math.max(width, height)/LONGEST)
    if (block === 1) return {data, width, height}
    const columns = Math.ceil(width/block)
    const rows = Math.ceil(height/block)
    const totals = new Float32Array(4*columns*rows)
    const counts = new Float32Array(columns*rows)
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const to = Math.floor(y/block)*columns + Math.floor(x/block)
        for (let c = 0; c < 4; c++) totals[4*to + c] += data[4*(y*width + x) + c]
        counts[to]++
      }
    }
    return {data: totals.map((total, i) => total/counts[i >> 2]), width: columns, height: rows}
  }

  // RGBA -> brightness in [0, 1]. NumPy leaves these sums to a library that takes green first and rounds once for a
  // product and a sum; it matters where a colour, or the mean of a block, lies half-way between two levels.
  function grey(data) {
    const out = new Float32Array(data.length/4)
    for (let i = 0, j = 0; i < out.length; i++, j += 4) {
      const red = fround(data[j]/255)
      const green = fround(data[j + 1]/255)
      const blue = fround(data[j + 2]/255)
      out[i] = fround(fround(green*GREEN) + red*RED) + blue*BLUE
    }
    return out
  }

  function median(values) {
    const sorted = Float32Array.from(values).toSorted()
    const middle = sorted.length >> 1
    return sorted.length % 2 ? sorted[middle] : fround(fround(sorted[middle - 1] + sorted[middle])/2)
  }

  function deviation(values) { // standard deviation
    const mean = sum(values)/values.length
    return Math.sqrt(sum(values.map(value => (value - mean)**2))/values.length)
  }

  // What colours and alpha show together, in [0, 1]. Where more than half of the picture is transparent, or all that
  // shows has one brightness, the ink is in the alpha.
  function brightness(data) {
    const alpha = new Float32Array(data.length/4)
    let opaque = true
    let thin = 0
    for (let i = 0; i < alpha.length; i++) {
      alpha[i] = data[4*i + 3]/255
      if (alpha[i] <= fround(0.999)) opaque = false
      if (alpha[i] < 0.5) thin++
    }
    if (thin > 0.5*alpha.length) return alpha
    const colors = grey(data)
    if (opaque) return colors
    const shown = colors.filter((_, i) => alpha[i] > 0)
    if (deviation(shown) < fround(0.1)) return alpha
    const ground = median(shown)
    return colors.map((value, i) => Math.min(1, fround(value*alpha[i]) + fround(ground*fround(1 - alpha[i]))))
  }

  function isPlain(data) { // RGBA: opaque, and grey already?
    for (let j = 0; j < data.length; j += 4) {
      if (data[j + 3] !== 255 || data[j] !== data[j + 1] || data[j] !== data[j + 2]) return false
    }
    return true
  }

  function toLevels(image) { // ImageData -> picture of brightness
    const {data, width, height} = reduced(image)
    const levels = new Uint8Array(width*height)
    if (data instanceof Uint8ClampedArray && isPlain(data)) {
      for (let i = 0; i < levels.length; i++) levels[i] = data[4*i]
      return {data: levels, width, height}
    }
    const bright = brightness(data)
    for (let i = 0; i < levels.length; i++) levels[i] = roundEven(fround(bright[i]*255))
    return {data: levels, width, height}
  }

  // ## From grey to ink

  function countLevels(data) { // how often each brightness occurs
    const counts = new Uint32Array(256)
    for (let i = 0; i < data.length; i++) counts[data[i]]++
    return counts
  }

  function frame({data, width, height}) { // the pixels at the edge; a corner belongs to two sides
    const out = []
    for (let x = 0; x < width; x++) out.push(data[x], data[(height - 1)*width + x])
    for (let y = 0; y < height; y++) out.push(data[y*width], data[(y + 1)*width - 1])
    return out
  }

  function inkOfLevels(levels) { // how much ink each of the 256 levels is, in [0, 1]: its distance from the paper
    const edge = countLevels(frame(levels))
    const paper = edge.indexOf(largest(edge))
    const counts = countLevels(levels.data)
    if (counts[paper]/levels.data.length < 0.4) {
      throw noDigit('the paper has more than one colour, as in a photo: draw with one pen on plain paper')
    }
    const ink = new Float32Array(256).map((_, level) => Math.abs(level - paper)/255)
    const most = largest(ink.filter((_, level) => counts[level] > 0))
    if (most < 0.06) throw noDigit('the picture is blank: draw a digit')
    return most > 0.9 ? ink : ink.map(value => value/most) // a pale pen counts as a white one
  }

  // ## From ink to one digit

  function boxOf({data, width, height}, isInk) { // top, bottom, left, right of the pixels whose level is ink
    let [top, bottom, left, right] = [height, 0, width, 0]
    for (let y = 0; y < height; y++) {
      let first = y*width
      let last = first + width - 1
      while (first <= last && !isInk[data[first]]) first++
      if (first > last) continue // nothing in this row
      while (!isInk[data[last]]) last--
      if (top === height) top = y
      bottom = y + 1
      left = Math.min(left, first - y*width)
      right = Math.max(right, last - y*width + 1)
    }
    return {top, bottom, left, right}
  }

  const SAME = Uint8Array.from({length: 256}, (_, level) => level)

  function cut({data, width}, {top, bottom, left, right}, table) { // the pixels in a box, each as the table has it
    const out = {data: new Uint8Array((right - left)*(bottom - top)), width: right - left, height: bottom - top}
    for (let y = top, i = 0; y < bottom; y++) {
      for (let at = y*width + left; at < y*width + right; at++, i++) out.data[i] = table[data[at]]
    }
    return out
  }

  function padded({data, width, height}, margin) { // zeros on every side
    const out = {width: width + 2*margin, height: height + 2*margin}
    out.data = new Uint8Array(out.width*out.height)
    for (let y = 0; y < height; y++) {
      out.data.set(data.subarray(y*width, (y + 1)*width), (y + margin)*out.width + margin)
    }
    return out
  }

  // Numbers what hangs together: a mask whose outermost pixels are 0 -> the number of each pixel's piece, and the
  // pieces: number, area and box. It walks from pixel to pixel, always by one of the `ways`.
  function label({data, width}, ways) {
    const labels = new Int32Array(data.length)
    const open = new Int32Array(data.length) // pixels whose neighbours are still to be seen
    const pieces = []
    for (let start = 0; start < data.length; start++) {
      if (!data[start] || labels[start]) continue
      const piece = {label: pieces.length + 1, area: 0, top: Infinity, bottom: 0, left: Infinity, right: 0}
      let n = 0
      open[n++] = start
      labels[start] = piece.label
      while (n) {
        const at = open[--n]
        const y = at/width | 0
        const x = at - y*width
        piece.area++
        if (y < piece.top) piece.top = y
        if (y >= piece.bottom) piece.bottom = y + 1
        if (x < piece.left) piece.left = x
        if (x >= piece.right) piece.right = x + 1
        for (let i = 0; i < ways.length; i++) {
          const next = at + ways[i]
          if (!data[next] || labels[next]) continue
          labels[next] = piece.label
          open[n++] = next
        }
      }
      pieces.push(piece)
    }
    return {labels, pieces}
  }

  const straight = width => [-width, -1, 1, width] // ways to the four neighbours
  const around = width => [...straight(width), -width - 1, -width + 1, width - 1, width + 1] // to all eight

  const heightOf = piece => piece.bottom - piece.top
  const widthOf = piece => piece.right - piece.left

  function countRim({data, width}) { // ink with paper above, below, to the left or to the right
    let n = 0
    for (let i = width; i < data.length - width; i++) {
      if (data[i] && !(data[i - 1] && data[i + 1] && data[i - width] && data[i + width])) n++
    }
    return n
  }

  function countHoles(mask) { // areas of paper that hang together
    const within = {top: 1, bottom: mask.height - 1, left: 1, right: mask.width - 1}
    const paper = padded(cut(mask, within, [1, 0]), 1)
    return label(paper, straight(paper.width)).pieces.length
  }

  function findPieces(mask) { // mask with a margin of 1 -> number of each pixel's piece; the pieces that are no specks
    const {labels, pieces} = label(mask, around(mask.width))
    const areas = pieces.map(piece => piece.area)
    const most = largest(areas)
    const pen = 2*sum(areas)/Math.max(countRim(mask), 1)
    const scattered = pieces.length > 60 && most < 0.5*sum(areas)
    if (scattered || pen < 4 && countHoles(mask) > 60) throw noDigit('nothing but noise: draw a digit')
    const isSpeck = piece => piece.area < 0.02*most ||
      piece.area < 0.2*most && Math.max(heightOf(piece), widthOf(piece)) < 1.6*pen
    return {labels, n: pieces.length, pieces: pieces.filter(piece => !isSpeck(piece))}
  }

  function distance(a, b) { // pixels between the boxes of two pieces
    const down = Math.max(a.top - b.bottom, b.top - a.bottom, 0)
    const aside = Math.max(a.left - b.right, b.left - a.right, 0)
    return Math.sqrt(down**2 + aside**2)
  }

  function overlap(a, b) { // shared columns, as a part of the narrower box
    return (Math.min(a.right, b.right) - Math.max(a.left, b.left))/Math.min(widthOf(a), widthOf(b))
  }

  const isNearer = (a, b) => a[0] < b[0] || a[0] === b[0] && a[1] < b[1]

  function nearest(piece, group) { // distance to the nearest piece of a group, and minus the columns shared with it
    return group.map(other => [distance(piece, other), -overlap(piece, other)])
      .reduce((best, next) => isNearer(next, best) ? next : best)
  }

  function groupPieces(pieces) { // lists of pieces, one a digit
    const tallest = largest(pieces.map(heightOf))
    const isTall = piece => heightOf(piece) >= 0.6*tallest
    const groups = []
    for (const piece of pieces.filter(isTall).toSorted((a, b) => a.left - b.left)) {
      const home = groups.find(group => group.some(other => overlap(piece, other) >= 0.5))
      if (home) home.push(piece)
      else groups.push([piece])
    }
    for (const piece of pieces.filter(one => !isTall(one))) {
      const home = groups.reduce((best, next) => isNearer(nearest(piece, next), nearest(piece, best)) ? next : best)
      if (nearest(piece, home)[0] <= 0.5*tallest) home.push(piece)
    }
    return groups
  }

  function boxAround(pieces) {
    return {
      top: Math.min(...pieces.map(piece => piece.top)), bottom: largest(pieces.map(piece => piece.bottom)),
      left: Math.min(...pieces.map(piece => piece.left)), right: largest(pieces.map(piece => piece.right))}
  }

  function cropDigit(levels) { // picture of brightness -> the ink of its one digit, 255 where the pen was
    const ink = inkOfLevels(levels)
    const toByte = Uint8Array.from(ink, value => roundEven(fround(value*255)))
    const isMask = Uint8Array.from(ink, value => value > 0.25)
    const inked = boxOf(levels, Uint8Array.from(ink, value => value > 0))
    const isMnist = Math.max(heightOf(inked), widthOf(inked)) === 20
    if (isMnist) return cut(levels, inked, toByte)
    const box = boxOf(levels, isMask)
    const bytes = cut(levels, box, toByte)
    const {labels, pieces, n} = findPieces(padded(cut(levels, box, isMask), 1))
    if (n === 1) return bytes
    const groups = groupPieces(pieces)
    if (groups.length > 1) throw noDigit(`${groups.length} digits in the picture: draw one, or use find_digits`)
    return onlyNear(bytes, labels, groups[0])
  }

  function onlyNear(bytes, labels, group) { // the ink of a group's pieces, and of their paler edges
    const wanted = new Set(group.map(piece => piece.label))
    const ground = padded(bytes, 1)
    const near = [0, ...around(ground.width)]
    const isNear = at => near.some(way => wanted.has(labels[at + way]))
    return cut({...ground, data: ground.data.map((byte, at) => byte && isNear(at) ? byte : 0)}, boxAround(group), SAME)
  }

  // ## Antialiased scaling, as `resize` with BILINEAR does it in Pillow 13: each new pixel is a weighted mean of all
  // old ones that it covers, first along the rows, then along the columns, unless the height shrinks by more than
  // twice as many pixels as the width; weights are whole numbers, 2**22 to one

  function weightsOf(before, after) { // pixels of a side -> for each new pixel the first old one, and weights
    const scale = before/after
    const reach = Math.max(scale, 1)
    const out = []
    for (let i = 0; i < after; i++) {
      const centre = (i + 0.5)*scale
      const first = Math.max(Math.trunc(centre - reach + 0.5), 0)
      const last = Math.min(Math.trunc(centre + reach + 0.5), before)
      const weights = []
      for (let x = first; x < last; x++) weights.push(Math.max(1 - Math.abs((x - centre + 0.5)*(1/reach)), 0))
      const total = sum(weights)
      out.push({first, weights: Int32Array.from(weights, weight => Math.trunc(0.5 + weight/total*2**22))})
    }
    return out
  }

  function pass({data, width, height}, after, down) { // rows, or columns if `down`, become `after` pixels long
    const out = down ? {width, height: after} : {width: after, height}
    out.data = new Uint8Array(out.width*out.height)
    const step = down ? width : 1
    weightsOf(down ? height : width, after).forEach(({first, weights}, at) => {
      for (let line = 0; line < (down ? width : height); line++) {
        let from = down ? first*width + line : line*width + first
        let total = 2**21 // a half, for the rounding
        for (let i = 0; i < weights.length; i++, from += step) total += weights[i]*data[from]
        out.data[down ? at*width + line : line*after + at] = total >> 22
      }
    })
    return out
  }

  function resize(picture, width, height) {
    const shrinks = picture.height - height
    if (shrinks > 0 && shrinks > 2*(picture.width - width)) return pass(pass(picture, height, true), width, false)
    return pass(pass(picture, width, false), height, true)
  }

  function scaleToBox(picture, size) { // so that the longest side is `size` pixels
    const scale = size/Math.max(picture.width, picture.height)
    if (scale === 1) return picture
    return resize(picture, ...[picture.width, picture.height].map(side => Math.max(1, roundEven(side*scale))))
  }

  // ## An ordinary pen

  // Distances to the nearest 0, squared, exact (Felzenszwalb and Huttenlocher, "Distance transforms of sampled
  // functions"): on each of n numbers, `step` apart, stands a parabola; the lowest of them at each place replaces it
  function lower(numbers, start, step, n) {
    const heights = new Float64Array(n)
    for (let x = 0; x < n; x++) heights[x] = numbers[start + x*step]
    const feet = new Int32Array(n) // where those stand that are the lowest somewhere
    const starts = new Float64Array(n) // and from where on each is
    starts[0] = -Infinity
    let last = 0
    for (let x = 1; x < n; x++) {
      let meets = crossing(heights, feet[last], x)
      while (meets <= starts[last]) meets = crossing(heights, feet[--last], x)
      feet[++last] = x
      starts[last] = meets
    }
    for (let x = 0, k = 0; x < n; x++) {
      while (k < last && starts[k + 1] < x) k++
      numbers[start + x*step] = heights[feet[k]] + (x - feet[k])*(x - feet[k])
    }
  }

  function crossing(heights, a, b) { // where the parabolas on a and b meet
    return (heights[b] + b*b - heights[a] - a*a)/(2*(b - a))
  }

  function distances({data, width, height}) { // mask -> distance of each pixel to the nearest 0
    const out = new Float64Array(data.length)
    for (let i = 0; i < out.length; i++) out[i] = data[i] ? 1e9 : 0
    for (let x = 0; x < width; x++) lower(out, x, width, height)
    for (let y = 0; y < height; y++) lower(out, y*width, 1, width)
    for (let i = 0; i < out.length; i++) out[i] = Math.sqrt(out[i])
    return out
  }

  function ridge(inside, width) { // distances that no neighbour exceeds: along the middle of a stroke
    const ways = around(width)
    return inside.filter((value, at) => value > 0 && ways.every(way => inside[at + way] <= value))
  }

  const PEN = [1.8, 2.6] // the width of a stroke in MNIST, in pixels of the 20-pixel box
  const FINE = 4 // pixels of the fine grid to one of the box

  function even(ink) { // the same with an ordinary pen, on the fine grid
    const size = 20*FINE
    const fine = padded(scaleToBox(ink, size), 3*FINE)
    const half = largest(fine.data)/2
    const inside = distances({...fine, data: fine.data.map(value => value > half)})
    const outside = distances({...fine, data: fine.data.map(value => value <= half)})
    const middle = ridge(inside, fine.width)
    const width = 2*sum(middle)/middle.length - 1
    if (PEN[0]*FINE <= width && width <= PEN[1]*FINE) return ink
    const pen = Math.min(Math.max(width/FINE, PEN[0]), PEN[1])
    const grow = (pen*size - 20*width)/(2*(20 - pen))
    const out = inside.map((value, i) => Math.min(Math.max(value - outside[i] + grow, -0.5), 0.5) + 0.5)
    const box = boxOf({...fine, data: new Uint8Array(out.map(value => value > 0.5))}, [0, 1])
    return cut({...fine, data: new Uint8Array(out.map(value => roundEven(value*255)))}, box, SAME)
  }

  function isDot(ink) { // a filled patch?
    const {width, height} = ink
    const mask = padded({...ink, data: ink.data.map(value => value > 127)}, 1)
    const short = Math.min(width, height)
    if (short < 0.5*Math.max(width, height) || sum(mask.data)/(width*height) <= 0.7) return false
    return 2*largest(distances(mask)) - 1 > 0.8*short
  }

  // ## Into the middle

  function centreByMass({data, width, height}) { // at most 28 pixels a side -> 28 x 28 bytes
    let [total, row, column] = [0, 0, 0]
    for (let i = 0; i < data.length; i++) {
      total += data[i]
      row += data[i]*Math.floor(i/width)
      column += data[i]*(i % width)
    }
    const top = Math.min(Math.max(roundEven(14 - row/total), 0), 28 - height)
    const left = Math.min(Math.max(roundEven(14 - column/total), 0), 28 - width)
    const ground = new Uint8Array(28*28)
    for (let y = 0; y < height; y++) ground.set(data.subarray(y*width, (y + 1)*width), (top + y)*28 + left)
    return ground
  }

  mnistSteps.toMnist = image => { // ImageData -> 784 bytes, white ink on black; throws a NoDigit in words
    const ink = cropDigit(toLevels(image))
    const scaled = scaleToBox(ink, 20)
    if (isDot(scaled)) throw noDigit('only a dot or a filled patch: draw a digit')
    return centreByMass(Math.max(ink.width, ink.height) === 20 ? scaled : scaleToBox(even(ink), 20))
  }
})()
