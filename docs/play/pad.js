// The pad that one draws on: white on a black square, with a finger, a pen, a mouse or the arrow keys.
// A drawing is a list of strokes, a stroke a list of [x, y] from 0 to 1, so that it fits a pad of any size, is sharp on
// any screen, and is read at 280 x 280 pixels everywhere. Points outside 0..1 are where a stroke left the pad.
(() => {
'use strict'
const mnistSteps = window.mnistSteps = window.mnistSteps || {}

const SIDE = 280 // pixels of the picture that is read, as on the canvas of the app
const STEP = 1 / 24 // how far an arrow key moves the pen; with Shift a quarter of it
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}
const KEYS = 'Arrow keys move the pen, Space lowers and lifts it, Ctrl+Z takes a stroke back, Delete clears.'
const STILL = matchMedia('(prefers-reduced-motion: reduce)')

// Paint the strokes on a square of `side` pixels; `pen` is the width of the line as a share of the side
function paint(context, side, strokes, pen) {
  context.fillStyle = '#000'
  context.fillRect(0, 0, side, side)
  context.fillStyle = context.strokeStyle = '#fff'
  context.lineCap = context.lineJoin = 'round'
  context.lineWidth = pen * side
  for (const stroke of strokes) {
    context.beginPath()
    if (stroke.length === 1) { // a dot: not every browser draws a line without length
      context.arc(stroke[0][0] * side, stroke[0][1] * side, pen * side / 2, 0, 2 * Math.PI)
      context.fill()
      continue
    }
    for (const [x, y] of stroke) context.lineTo(x * side, y * side)
    context.stroke()
  }
}

// A ring where the keys have moved the pen; full while it is down
function paintCursor(context, side, cursor, pen) {
  context.beginPath()
  context.arc(cursor.x * side, cursor.y * side, pen * side / 2, 0, 2 * Math.PI)
  context.lineWidth = Math.max(2, side / 120)
  context.strokeStyle = context.fillStyle = '#56b4e9'
  context.stroke()
  if (cursor.down) context.fill()
}

// The canvas and the words on it; what has to hold for a pad stands here, what may look otherwise in a style sheet
function build(element, hint) {
  const canvas = document.createElement('canvas')
  canvas.tabIndex = 0
  canvas.setAttribute('role', 'application') // its keys are its own
  canvas.setAttribute('aria-label', `Pad: ${hint}. ${KEYS}`)
  Object.assign(canvas.style, {
    display: 'block', width: '100%', aspectRatio: '1', background: '#000', cursor: 'crosshair', touchAction: 'none',
    userSelect: 'none', webkitUserSelect: 'none', webkitTouchCallout: 'none' })
  const words = document.createElement('span')
  words.className = 'pad-hint'
  words.setAttribute('aria-hidden', 'true') // the label says it
  words.textContent = hint
  Object.assign(words.style, {
    position: 'absolute', inset: '0', display: 'grid', placeItems: 'center', padding: '10%', textAlign: 'center',
    color: '#bbb', pointerEvents: 'none' })
  element.style.position = 'relative'
  element.replaceChildren(canvas, words)
  return {canvas, words}
}

// Turn an element into a pad. options: `pen`, the width of the line as a share of the side; `hint`, the words on the
// empty pad; `onchange(pad)`, called after every change, also while the pen is down
mnistSteps.pad = (element, options = {}) => {
  const {hint = 'draw a digit', onchange = () => {}} = options
  const {canvas, words} = build(element, hint)
  const context = canvas.getContext('2d')
  const strokes = []
  const cursor = {x: .5, y: .5, down: false} // the pen of the keys
  let pen = options.pen || 20 / SIDE
  let dropped = [] // the drawing before the last clear or show, for undo
  let pointer = null // id of the pointer that draws; all others are ignored
  let byKeys = false // did the focus come by the keyboard? Then arrow keys draw, and don't scroll the page
  let asked = 0 // the frame that will paint
  let showing = 0 // the frame in which a drawing goes on to draw itself
  let reading = null // the canvas of SIDE x SIDE pixels that is read

  function refresh() {
    asked = 0
    const side = Math.round(canvas.clientWidth * devicePixelRatio)
    if (canvas.width !== side) canvas.width = canvas.height = side
    paint(context, side, strokes, pen)
    const keyed = byKeys && document.activeElement === canvas
    if (keyed) paintCursor(context, side, cursor, pen)
    words.textContent = keyed ? KEYS : hint
    words.style.visibility = strokes.length || cursor.down ? 'hidden' : 'visible'
  }

  const soon = () => { asked = asked || requestAnimationFrame(refresh) }
  function change() {
    soon()
    onchange(pad)
  }

  function stopShowing() {
    cancelAnimationFrame(showing)
    showing = 0
  }

  // Both pens: lower starts a stroke, move goes on with it, lift ends it
  function lower(point) {
    strokes.push([point])
    change()
  }
  function move(points) {
    strokes.at(-1).push(...points)
    change()
  }
  function lift() {
    pointer = null
    cursor.down = false
    change()
  }

  function pointOf(event) {
    const box = canvas.getBoundingClientRect()
    return [(event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height]
  }

  canvas.addEventListener('pointerdown', event => {
    if (event.button !== 0 || pointer !== null) return
    event.preventDefault()
    if (cursor.down) lift()
    canvas.focus({preventScroll: true})
    byKeys = false
    if (showing) replace([])
    pointer = event.pointerId
    lower(pointOf(event))
    canvas.setPointerCapture(pointer) // the stroke is ours until the pen is lifted, wherever that happens
  })
  canvas.addEventListener('pointermove', event => {
    if (event.pointerId !== pointer) return
    if (!event.buttons) return lift() // lifted where nobody told us
    const events = event.getCoalescedEvents ? event.getCoalescedEvents() : [] // all points since the last frame
    move((events.length ? events : [event]).map(pointOf))
  })
  for (const name of ['pointerup', 'pointercancel', 'lostpointercapture']) {
    canvas.addEventListener(name, event => { if (event.pointerId === pointer) lift() })
  }
  // iOS would show its magnifying glass, others a menu
  canvas.addEventListener('touchstart', event => event.preventDefault(), {passive: false})
  canvas.addEventListener('contextmenu', event => event.preventDefault())

  function moveCursor([dx, dy], event) {
    const step = event.shiftKey ? STEP / 4 : STEP
    cursor.x = Math.min(1, Math.max(0, cursor.x + dx * step))
    cursor.y = Math.min(1, Math.max(0, cursor.y + dy * step))
    if (cursor.down) move([[cursor.x, cursor.y]])
    else soon()
  }
  function toggle() {
    if (cursor.down) return lift()
    if (showing) replace([])
    byKeys = cursor.down = true
    lower([cursor.x, cursor.y])
  }
  function act(event) { // does a key mean anything to the pad?
    if (event.key === 'z' && (event.ctrlKey || event.metaKey)) pad.undo()
    else if (event.ctrlKey || event.metaKey || event.altKey) return false
    else if (['Delete', 'Backspace', 'Escape'].includes(event.key)) pad.clear()
    else if ([' ', 'Enter'].includes(event.key)) { if (!event.repeat && pointer === null) toggle() }
    else if (ARROWS[event.key] && byKeys) moveCursor(ARROWS[event.key], event)
    else return false
    return true
  }
  canvas.addEventListener('keydown', event => { if (act(event)) event.preventDefault() })
  canvas.addEventListener('focus', () => { // if it comes by a pointer, the line after `focus` corrects this
    byKeys = true
    soon()
  })
  canvas.addEventListener('blur', () => {
    if (cursor.down) lift()
    soon()
  })
  new ResizeObserver(refresh).observe(canvas)

  function replace(drawing) {
    stopShowing()
    if (strokes.length) dropped = strokes.slice()
    strokes.splice(0, strokes.length, ...drawing)
    pointer = null
    cursor.down = false
    change()
  }

  // Draw these strokes as a hand would, point by point
  function showSlowly(drawing, seconds) {
    const points = drawing.flatMap((stroke, k) => stroke.map(point => [k, point]))
    const start = performance.now()
    let done = 0
    replace([])
    const grow = now => {
      const due = Math.min(points.length, Math.ceil(points.length * (now - start) / 1000 / seconds))
      for (; done < due; done++) {
        const [k, point] = points[done]
        if (k === strokes.length) strokes.push([])
        strokes[k].push(point)
      }
      showing = done < points.length ? requestAnimationFrame(grow) : 0
      change()
    }
    showing = requestAnimationFrame(grow)
  }

  const pad = {
    canvas,
    strokes, // the drawing, to look at; always the same list
    get isDown() { return pointer !== null || cursor.down || showing !== 0 },
    get pen() { return pen },
    setPen(width) { // the whole drawing gets it
      pen = width
      change()
    },
    undo() { // takes the last stroke away; on an empty pad, brings back what was cleared
      if (!strokes.length) return replace(dropped)
      stopShowing()
      strokes.pop()
      lift()
    },
    clear() { replace([]) },
    show(drawing, seconds = 0) { // instead of what is there; in so many seconds, unless motion is unwelcome
      if (seconds && !STILL.matches) showSlowly(drawing, seconds)
      else replace(drawing.map(stroke => stroke.slice()))
    },
    picture() { // ImageData, SIDE x SIDE, white on black: what `mnistSteps.read` reads
      if (!reading) {
        const hidden = Object.assign(document.createElement('canvas'), {width: SIDE, height: SIDE})
        reading = hidden.getContext('2d', {willReadFrequently: true})
      }
      paint(reading, SIDE, strokes, pen)
      return reading.getImageData(0, 0, SIDE, SIDE)
    },
  }
  refresh()
  return pad
}
})()
