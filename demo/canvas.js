// The pad of the site's pages as a part of the app: pad.js stands before this text, in the same script.
// What the visitor drew goes to the server as {strokes, pen}, at once when the pen is lifted, and not before:
// points in the unit of the pad's side, the pen's width in pixels of SIDE.

const SIDE = 280
const FINE = 1000 // points are rounded to a thousandth of the side, a third of a pixel

const rounded = stroke => stroke
  .map(point => point.map(x => Math.round(x * FINE) / FINE))
  .filter(([x, y], k, all) => k === 0 || x !== all[k - 1][0] || y !== all[k - 1][1])

function start(root, { strokes, pen }) {
  const [surface, undo, clear, slider] = ['.surface', '.undo', '.clear', '.pen'].map(name => root.querySelector(name))
  let sent = JSON.stringify({ strokes, pen })
  let sliding = false
  function onchange(pad) {
    clear.disabled = !pad.strokes.length
    undo.disabled &&= clear.disabled // it brings back what was cleared, too
    if (pad.isDown || sliding) return
    const drawing = { strokes: pad.strokes.map(rounded), pen: Math.round(pad.pen * SIDE) }
    const text = JSON.stringify(drawing)
    if (text === sent) return
    sent = text
    root.send('drawing', drawing)
  }
  function slide(goesOn) {
    sliding = goesOn
    pad.setPen(slider.value / SIDE)
  }
  const pad = window.mnistSteps.pad(surface, { pen: pen / SIDE, onchange })
  pad.show(strokes)
  slider.value = pen
  slider.addEventListener('input', () => slide(true))
  slider.addEventListener('change', () => slide(false))
  undo.addEventListener('click', () => pad.undo())
  clear.addEventListener('click', () => pad.clear())
}

// Streamlit calls this when the pad comes onto the page, and again with every answer
export default function ({ parentElement, data, setStateValue }) {
  const root = parentElement.querySelector('.drawing')
  root.send = setStateValue
  if (!root.hasAttribute('data-started')) start(root, data)
  root.setAttribute('data-started', '')
}
