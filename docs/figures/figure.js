// The frame that all small interactive figures share. A page holds <figure class="touch" data-figure="NAME"> with a
// still picture in it; where this script runs, the living figure takes the picture's place (in print, the picture
// comes back). No dependencies, no requests, works from file://.
//
// mnistSteps.figure(NAME, build) calls build(body, tools) for every such figure. `body` is an empty <div>; tools are
//
//   slider(label, {min, max, step, value, text}, onchange)   a range input with its label, and what text(value) says of
//                          it: {element, input, value}; setting .value moves it without a call of onchange. A label
//                          stays on one line: keep it short
//   choice(label, {value: text, ...}, onchange)   a menu of texts: {element, input, value}, likewise; values are texts
//   button(text, onclick)  a button: the element
//   toggle(text, pressed, onclick)   a button that stays down: {element, pressed}; calls onclick(pressed)
//   row(...elements)       appends a line of elements to the body, which wraps on a phone; returns it
//   svg(width, height, label, parent)   appends a drawing to `parent` (if none is given, to the body): an <svg> with
//                          that viewBox; `label` says what it is. Draw for a phone, about 350 wide, in letters of 12:
//                          it shrinks with the page, and grows to one and a half times its size
//   draw(parent, tag, attributes, text)   appends a piece: draw(svg, 'circle', {r: 3, fill: 'var(--blue)'})
//   change(element, attributes, text)     changes its attributes (null takes one away), and its text where one is given
//   point(svg, event)      where in the drawing a pointer is: [x, y] in units of its viewBox
//   drag(element, {move(x, y, phase), keys(dx, dy), label, role})   lets a piece of a drawing be dragged, in phases
//                          'down', 'move', 'up', and moved by the arrow keys: dx and dy are -1, 0 or 1, with Shift 10
//                          times that. Give the role 'slider' only if you keep aria-valuenow up to date
//   animate(frame, atOnce) {start(), stop(), running}: calls frame(milliseconds since the last call) until it returns
//                          false; pauses out of view. For readers who want less motion it calls atOnce() instead, or,
//                          where there is none, frame four times a second
//   say(text)              a line where it is first called; read aloud once it has stayed the same for a second
//   caption(text)          what to try, under the figure
//   color(name)            a colour of the theme as text, for a canvas: name is a variable of figures.css without '--',
//                          such as ink, paper, line, blue. In drawings 'var(--blue)' follows the theme by itself
//   ontheme(redraw)        calls redraw() when the theme changes
//   show(state)            adds numbers and arrays to figure.state, for tests and for the curious:
//                          document.querySelector('[data-figure=ball]').state
//   data                   what the builder has put into mnistSteps.data[NAME] (see docs/touch.py)
//   figure                 the <figure> itself; it has the attribute data-built once build has returned
//
// A build that throws leaves the still picture where it is. A script of a figure is an IIFE that calls
// mnistSteps.figure; docs/touch.py puts the scripts of this folder, this one first, into one file.
(() => {
'use strict'
const mnistSteps = window.mnistSteps = window.mnistSteps || {}
const SVG = 'http://www.w3.org/2000/svg'
const ARROWS = {ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1]}
const dark = matchMedia('(prefers-color-scheme: dark)')
const calm = matchMedia('(prefers-reduced-motion: reduce)')
const redraws = [] // functions to call when the theme changes
let ids = 0

// An element with properties and children
function make(tag, properties = {}, ...children) {
  const element = Object.assign(document.createElement(tag), properties)
  element.append(...children)
  return element
}

function change(element, attributes, text) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null) element.removeAttribute(name)
    else element.setAttribute(name, value)
  }
  if (text !== undefined) element.textContent = text
  return element
}

function draw(parent, tag, attributes = {}, text) {
  return parent.appendChild(change(document.createElementNS(SVG, tag), attributes, text))
}

function point(svg, event) {
  const place = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse())
  return [place.x, place.y]
}

// A labelled control. Its value can be read and, without a call of onchange, set
function control(input, label, read, write) {
  input.id = `touch-${ids += 1}`
  const name = make('label', {htmlFor: input.id, textContent: label})
  const element = make('div', {className: 'touch-control'}, name, input)
  return {element, input, get value() { return read() }, set value(value) { write(value) }}
}

function slider(label, {min, max, step, value, text = String}, onchange) {
  const input = make('input', {type: 'range'})
  const shown = make('output')
  shown.setAttribute('aria-live', 'off') // the slider itself says its value
  const tell = () => {
    shown.textContent = text(input.valueAsNumber)
    input.setAttribute('aria-valuetext', shown.textContent)
  }
  const write = number => {
    input.value = number
    tell()
  }
  const made = control(input, label, () => input.valueAsNumber, write)
  Object.assign(input, {min, max, step})
  write(value)
  input.addEventListener('input', () => {
    tell()
    onchange(input.valueAsNumber)
  })
  made.element.classList.add('touch-slider')
  made.element.append(shown)
  return made
}

function choice(label, texts, onchange) {
  const options = Object.entries(texts).map(([value, text]) => new Option(text, value))
  const input = make('select', {}, ...options)
  input.addEventListener('change', () => onchange(input.value))
  return control(input, label, () => input.value, value => { input.value = value })
}

function button(text, onclick) {
  const element = make('button', {type: 'button', textContent: text})
  element.addEventListener('click', onclick)
  return element
}

function toggle(text, pressed, onclick) {
  const made = {
    element: button(text, () => onclick(made.pressed = !made.pressed)),
    get pressed() { return this.element.getAttribute('aria-pressed') === 'true' },
    set pressed(value) { this.element.setAttribute('aria-pressed', value) }
  }
  made.pressed = pressed
  return made
}

function drag(element, {move, keys, label, role = 'application'}) {
  const svg = element.ownerSVGElement
  const tell = (event, phase) => move(...point(svg, event), phase)
  element.style.touchAction = 'none' // a finger drags instead of scrolling the page
  element.classList.add('touch-drag')
  element.addEventListener('pointerdown', event => {
    if (event.button) return
    element.setPointerCapture(event.pointerId)
    tell(event, 'down')
  })
  element.addEventListener('pointermove', event => element.hasPointerCapture(event.pointerId) && tell(event, 'move'))
  for (const end of ['pointerup', 'pointercancel']) {
    element.addEventListener(end, event => element.hasPointerCapture(event.pointerId) && tell(event, 'up'))
  }
  if (!keys) return
  change(element, {tabindex: 0, role, 'aria-label': label})
  element.addEventListener('keydown', event => {
    if (!ARROWS[event.key] || event.altKey || event.ctrlKey || event.metaKey) return
    event.preventDefault()
    keys(...ARROWS[event.key].map(way => way * (event.shiftKey ? 10 : 1)))
  })
}

// What moves by itself: only while it can be seen, and not at all for whoever asked for less motion
function animate(figure, frame, atOnce) {
  let running = false, visible = true, last = 0, waiting = 0
  function next() {
    if (running && visible && !waiting) waiting = requestAnimationFrame(tick)
  }
  function tick(now) {
    waiting = 0
    if (!running || !visible) return
    const passed = last ? now - last : 0
    if (!calm.matches || passed === 0 || passed >= 250) {
      last = now
      if (frame(Math.min(passed, 250)) === false) running = false
    }
    next()
  }
  new IntersectionObserver(entries => {
    visible = entries.at(-1).isIntersecting
    last = 0
    next()
  }).observe(figure)
  return {
    get running() { return running },
    start() {
      if (calm.matches && atOnce) return atOnce()
      running = true
      last = 0
      next()
    },
    stop() { running = false }
  }
}

// A line of text. A screen reader hears it from a hidden copy, once it has not changed for a second
function speaker(body) {
  const line = make('p', {className: 'touch-say'}), heard = make('p', {className: 'touch-heard'})
  heard.setAttribute('aria-live', 'polite')
  let timer = 0
  body.append(line, heard)
  return text => {
    if (line.textContent === text) return
    const first = !line.textContent
    line.textContent = text
    clearTimeout(timer)
    if (!first) timer = setTimeout(() => { heard.textContent = text }, 1000)
  }
}

function toolsOf(figure, body) {
  let say = null
  return {
    slider, choice, button, toggle, draw, change, point, drag, figure,
    data: (mnistSteps.data || {})[figure.dataset.figure],
    row: (...elements) => body.appendChild(make('div', {className: 'touch-row'}, ...elements)),
    svg(width, height, label, parent = body) {
      const svg = draw(parent, 'svg', {viewBox: `0 0 ${width} ${height}`, role: 'group', 'aria-label': label})
      svg.style.maxWidth = `${1.5 * width}px`
      return svg
    },
    animate: (frame, atOnce) => animate(figure, frame, atOnce),
    say(text) {
      say = say || speaker(body)
      say(text)
    },
    caption: text => figure.append(make('figcaption', {textContent: text})),
    color: name => getComputedStyle(figure).getPropertyValue(`--${name}`).trim(),
    ontheme: redraw => redraws.push(redraw),
    show: state => { figure.state = Object.assign(figure.state || {}, state) }
  }
}

function live(figure, build) {
  if (figure.dataset.built !== undefined) return
  const still = [...figure.childNodes]
  const body = make('div', {className: 'touch-body'})
  figure.append(body)
  try { build(body, toolsOf(figure, body)) }
  catch (error) { // the still picture stays
    figure.replaceChildren(...still)
    throw error
  }
  figure.dataset.built = ''
}

mnistSteps.figure = (name, build) => {
  const start = () => {
    for (const figure of document.querySelectorAll(`figure.touch[data-figure="${name}"]`)) live(figure, build)
  }
  if (document.readyState === 'loading') document.addEventListener('DOMContentLoaded', start)
  else start()
}

// The theme changes by furo's button, which writes body[data-theme], or by the system
function themed() { for (const redraw of redraws) redraw() }
dark.addEventListener('change', themed)
const watch = () => new MutationObserver(themed).observe(document.body, {attributeFilter: ['data-theme']})
if (document.body) watch()
else document.addEventListener('DOMContentLoaded', watch)
})()
