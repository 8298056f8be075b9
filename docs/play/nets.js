// The five readers once more, by hand: a digit goes forward through logistic regression, the net in NumPy, the same net
// in PyTorch, the convolutional net and the reader of drawings. The four rungs of the ladder are implementations of
// their own; this is the fifth, of all their nets at once, and the book explains every line of it.
//
// `mnistSteps.nets` holds a list of layers for each reader, written by docs/play.py: what each layer is, and its
// numbers in base64. Weights come in half precision, 16 bits each: 344,000 of them travel in less than a megabyte.
(() => {
  'use strict'
  const mnistSteps = globalThis.mnistSteps = globalThis.mnistSteps || {}

  // ## From base64 to numbers

  const toBytes = text => Uint8Array.from(atob(text), letter => letter.charCodeAt(0))

  function fromHalf(bits) { // 1 bit of sign, 5 of exponent, 10 of fraction; a weight is never infinite
    const exponent = bits >> 10 & 31
    const size = exponent ? (1 + (bits & 1023)/1024)*2**(exponent - 15) : (bits & 1023)*2**-24
    return bits >> 15 ? -size : size
  }

  function decode(layer) { // text becomes numbers, once
    if (typeof layer.weights !== 'string') return layer
    layer.weights = Float64Array.from(new Uint16Array(toBytes(layer.weights).buffer), fromHalf)
    layer.bias = Float64Array.from(new Float32Array(toBytes(layer.bias).buffer))
    return layer
  }

  // ## Layers

  function relu(x) {
    for (let i = 0; i < x.length; i++) if (x[i] < 0) x[i] = 0
    return x
  }

  function dense(x, {outputs, weights, bias}) { // (inputs) -> (outputs); weights (inputs, outputs)
    const y = bias.slice()
    for (let i = 0; i < x.length; i++) {
      if (x[i] === 0) continue // paper adds nothing
      for (let j = 0; j < outputs; j++) y[j] += x[i]*weights[i*outputs + j]
    }
    return y
  }

  // (side, side, inputs) -> (places, places, outputs); weights (kernel, kernel, inputs, outputs)
  function convolve(x, {side, inputs, outputs, kernel, stride, padding, weights}) {
    const places = Math.floor((side + 2*padding - kernel)/stride) + 1
    const y = new Float64Array(places*places*outputs)
    const sums = new Float64Array(outputs)
    for (let row = 0; row < places; row++) {
      for (let column = 0; column < places; column++) {
        sums.fill(0)
        for (let down = 0; down < kernel; down++) {
          const from = row*stride - padding + down
          if (from < 0 || from >= side) continue // beyond the edge everything is 0
          for (let right = 0; right < kernel; right++) {
            const at = column*stride - padding + right
            if (at < 0 || at >= side) continue
            for (let i = 0; i < inputs; i++) {
              const value = x[(from*side + at)*inputs + i]
              if (value === 0) continue // half of all numbers are, after a ReLU
              const w = ((down*kernel + right)*inputs + i)*outputs
              for (let o = 0; o < outputs; o++) sums[o] += value*weights[w + o]
            }
          }
        }
        y.set(sums, (row*places + column)*outputs)
      }
    }
    return {y, side: places}
  }

  function pool(x, side, channels) { // (side, side, channels) -> (half, half, channels): the largest of each 2 x 2
    const half = side >> 1
    const y = new Float64Array(half*half*channels)
    for (let row = 0; row < half; row++) {
      for (let column = 0; column < half; column++) {
        for (let c = 0; c < channels; c++) {
          const at = (2*row*side + 2*column)*channels + c
          const below = at + side*channels
          y[(row*half + column)*channels + c] = Math.max(x[at], x[at + channels], x[below], x[below + channels])
        }
      }
    }
    return y
  }

  function block(x, layer) { // convolution, pooling, normalisation: docs/play.py put its scale into the weights
    const maps = convolve(x, layer)
    const y = layer.pool ? pool(maps.y, maps.side, layer.outputs) : maps.y
    for (let i = 0; i < y.length; i++) y[i] += layer.bias[i % layer.outputs]
    return y
  }

  function forward(layers, x) { // (784) in [0, 1] -> logits (10)
    for (const layer of layers.map(decode)) {
      x = layer.kernel ? block(x, layer) : dense(x, layer)
      if (layer.relu) relu(x)
    }
    return x
  }

  function softmax(logits) { // less the largest, so that nothing overflows
    const most = Math.max(...logits)
    const powers = Array.from(logits, logit => Math.exp(logit - most))
    const total = powers.reduce((a, b) => a + b)
    return powers.map(power => power/total)
  }

  // ## What a page calls

  mnistSteps.probabilities = pixels => { // 784 bytes -> ten probabilities for each reader
    const x = Float64Array.from(pixels, level => Math.fround(level/255))
    return Object.fromEntries(
      Object.entries(mnistSteps.nets).map(([name, layers]) => [name, softmax(forward(layers, x))]))
  }

  mnistSteps.read = image => { // ImageData -> pixels and probabilities, or the reason why there is no digit
    let pixels
    try {
      pixels = mnistSteps.toMnist(image)
    } catch (error) {
      if (error.name !== 'NoDigit') throw error
      return {pixels: null, reason: error.message, probabilities: null}
    }
    return {pixels, probabilities: mnistSteps.probabilities(pixels)}
  }

  // Decode when the page stands and has nothing else to do, layer by layer, so that the first stroke needn't wait
  const later = globalThis.requestIdleCallback || (task => setTimeout(task, 20))
  function decodeSoon(layers) {
    if (!layers.length) return
    later(() => {
      decode(layers[0])
      decodeSoon(layers.slice(1))
    })
  }
  const start = () => decodeSoon(Object.values(mnistSteps.nets).flat())
  if (document.readyState === 'complete') later(start)
  else addEventListener('load', start)
})()
