// A digit drawn on a report's page is prepared as digitron predict prepares a picture, and read by
// the network that draw_part.cpp describes: all here in the page.
"use strict";

// As in prepare_digit.cpp, to the last bit: where it rounds to float, Math.fround does.
const SIDE = 28, DIGIT_SIDE = 20, MIN_CONTRAST = 16;
const INK_LEVEL = Math.fround(0.2), ROUNDING = 1e-4;

function borderMedian({width, height, pixels}) {
  const lastRow = (height - 1) * width;
  const border = [];
  for (let x = 0; x < width; ++x) border.push(pixels[x], pixels[lastRow + x]);
  for (let row = 0; row <= lastRow; row += width) border.push(pixels[row], pixels[row + width - 1]);
  return border.sort((a, b) => a - b)[Math.floor(border.length / 2)];
}

// The mean of value(i) over the n-th step of [0, size); the steps' ends may lie inside an i.
function meanOf(n, step, size, value) {
  const begin = n * step, end = Math.min((n + 1) * step, size);
  let sum = 0;
  for (let i = Math.floor(begin); i < end; ++i)
    sum += (Math.min(end, i + 1) - Math.max(begin, i)) * value(i);
  return Math.fround(sum / (end - begin));
}

// The smallest box that holds all ink.
function inkBox(ink, {width, height}) {
  let left = width, right = -1, top = height, bottom = -1;
  for (let y = 0; y < height; ++y)
    for (let x = 0; x < width; ++x) {
      if (ink(y, x) === 0) continue;
      left = Math.min(left, x), right = Math.max(right, x);
      top = Math.min(top, y), bottom = Math.max(bottom, y);
    }
  return {left, top, width: right - left + 1, height: bottom - top + 1};
}

// Each new pixel is the mean of the area that it covers, first along rows, then columns.
function resize(ink, {left, top, width: oldWidth, height: oldHeight}, width, height) {
  const rows = new Float32Array(oldHeight * width).map((_, i) => meanOf(
    i % width, oldWidth / width, oldWidth, (x) => ink(top + Math.floor(i / width), left + x)));
  return new Float32Array(height * width).map((_, i) => meanOf(
    Math.floor(i / width), oldHeight / height, oldHeight, (y) => rows[y * width + i % width]));
}

// With its centre of mass in the middle, and its strongest pixel white.
function place(picture, width) {
  let mass = 0, massX = 0, massY = 0;
  picture.forEach((ink, i) => {
    mass += ink, massX += ink * (i % width + 0.5), massY += ink * (Math.floor(i / width) + 0.5);
  });
  const corner = (centre, size) =>
    Math.min(Math.max(Math.ceil(SIDE / 2 - centre - ROUNDING), 0), SIDE - size);
  const left = corner(massX / mass, width), top = corner(massY / mass, picture.length / width);
  const scale = Math.fround(255 / picture.reduce((a, b) => Math.max(a, b)));
  const digit = new Uint8Array(SIDE * SIDE);
  picture.forEach((ink, i) => digit[(top + Math.floor(i / width)) * SIDE + left + i % width] =
    Math.round(Math.fround(ink * scale)));
  return digit;
}

// {width, height, pixels}, grey -> 28x28, white ink on black ground; null when nothing is drawn.
function prepareDigit(image) {
  const {width, height, pixels} = image;
  let darkest = 255, lightest = 0;
  for (const pixel of pixels)
    darkest = Math.min(darkest, pixel), lightest = Math.max(lightest, pixel);
  if (lightest - darkest < MIN_CONTRAST) return null;
  const ground = borderMedian(image);
  const lightGround = ground - darkest > lightest - ground;
  if (width === SIDE && height === SIDE)  // it is prepared
    return Uint8Array.from(pixels, (pixel) => lightGround ? 255 - pixel : pixel);
  const strongest = (lightGround ? darkest : lightest) - ground;
  const ink = (y, x) => {
    const value = Math.fround((pixels[y * width + x] - ground) / strongest);
    return value < INK_LEVEL ? 0 : value;
  };
  const box = inkBox(ink, image);
  const scale = DIGIT_SIDE / Math.max(box.width, box.height);
  const scaled = (side) => Math.max(1, Math.round(side * scale));
  return place(resize(ink, box, scaled(box.width), scaled(box.height)), scaled(box.width));
}

// What `value` makes of each output's channel and its window's top left corner.
function slide({out: [channels, height, width], stride, padding = 0}, value) {
  return new Float64Array(channels * height * width).map((_, i) => value(
    Math.floor(i / (height * width)),
    Math.floor(i / width) % height * stride - padding, i % width * stride - padding));
}

// Joins to `y` what is in channel c's window, and inside the image.
function fold(x, {in: [, height, width], kernel}, c, top, left, y, join) {
  for (let row = Math.max(top, 0); row < Math.min(top + kernel, height); ++row)
    for (let column = Math.max(left, 0); column < Math.min(left + kernel, width); ++column)
      y = join(y, x[(c * height + row) * width + column], (row - top) * kernel + column - left);
  return y;
}

// Of x (channels, height, width), flat, each makes the next one's; weights are as in PyTorch.
const LAYERS = {
  conv: (x, layer) => slide(layer, (out, top, left) => {
    const channels = layer.in[0], size = layer.kernel ** 2;
    let y = layer.bias[out];
    for (let c = 0; c < channels; ++c)
      y = fold(x, layer, c, top, left, y,
               (sum, value, i) => sum + value * layer.weight[(out * channels + c) * size + i]);
    return y;
  }),
  maxpool: (x, layer) => slide(layer, (c, top, left) =>
    fold(x, layer, c, top, left, -Infinity, (largest, value) => Math.max(largest, value))),
  avgpool: (x, layer) => slide(layer, (c, top, left) =>
    fold(x, layer, c, top, left, 0, (sum, value) => sum + value) / layer.kernel ** 2),
  fc: (x, {weight, bias}) => Float64Array.from(
    bias, (b, out) => x.reduce((sum, value, i) => sum + weight[out * x.length + i] * value, b)),
  relu: (x) => x.map((value) => Math.max(value, 0)),
  bn: (x, {in: [, height, width], weight, bias, mean, variance, epsilon}) => x.map((value, i) => {
    const c = Math.floor(i / (height * width));
    return (value - mean[c]) / Math.sqrt(variance[c] + epsilon) * weight[c] + bias[c];
  }),
};

function readNetwork(json) {
  const network = JSON.parse(json);
  const bytes = Uint8Array.from(atob(network.floats), (byte) => byte.charCodeAt(0));
  const floats = new Float32Array(bytes.buffer);  // both sides are little-endian
  for (const layer of network.layers)
    for (const name of ["weight", "bias", "mean", "variance"])
      if (name in layer) layer[name] = floats.subarray(...layer[name]);
  return network;
}

// 28x28 of 0 to 255 -> a number for each class: the mean of several views, as in host/core/views.h.
function logitsOf({views, layers, mean, deviation}, digit) {
  const logits = views.map(([right, down]) => {
    const seen = Float64Array.from(digit, (_, i) => {
      const column = i % SIDE - right, inside = column >= 0 && column < SIDE;
      return ((inside && digit[i - SIDE * down - right] || 0) / 255 - mean) / deviation;
    });
    return layers.reduce((values, layer) => LAYERS[layer.kind](values, layer), seen);
  });
  return logits[0].map((_, c) => logits.reduce((sum, each) => sum + each[c], 0) / views.length);
}

function softmax(logits) {
  const powers = Array.from(logits, (logit) => Math.exp(logit - Math.max(...logits)));
  return powers.map((power) => power / powers.reduce((sum, each) => sum + each));
}

function setUp(part) {
  const network = readNetwork(part.querySelector("script").textContent);
  const [pad, seen] = part.querySelectorAll("canvas");
  const rows = part.querySelectorAll("tbody tr");
  const answer = part.querySelector("[role=status]");
  const invitation = answer.textContent;
  const ink = pad.getContext("2d", {willReadFrequently: true});
  let last = null, frame = 0;

  const show = (digit) => {
    const grey = new ImageData(SIDE, SIDE);
    grey.data.forEach((_, i, data) => data[i] = i % 4 === 3 ? 255 : digit?.[i >> 2]);
    seen.getContext("2d").putImageData(grey, 0, 0);
    const probabilities = digit ? softmax(logitsOf(network, digit)) : [];
    const best = probabilities.indexOf(Math.max(...probabilities));
    rows.forEach((row, i) => {
      row.style.setProperty("--probability", digit ? probabilities[i] : 0);
      row.lastElementChild.textContent = digit ? `${(100 * probabilities[i]).toFixed(1)}%` : "\u2013";
      row.classList.toggle("best", i === best);
    });
    const text = digit ? `The network reads ${best}.` : invitation;
    if (answer.textContent !== text) answer.textContent = text;  // it is read out when it changes
  };
  const look = () => {
    const {width, height, data} = ink.getImageData(0, 0, pad.width, pad.height);
    const pixels = new Uint8Array(width * height).map((_, i) => data[4 * i + 3]);  // how opaque
    show(prepareDigit({width, height, pixels}));
  };
  const lineTo = (event) => {
    const box = pad.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * pad.width;
    const y = (event.clientY - box.top) / box.height * pad.height;
    ink.stroke(new Path2D(`M ${last ?? [x, y]} L ${x} ${y + 0.01}`));  // not of no length
    last = [x, y];
    cancelAnimationFrame(frame);
    frame = requestAnimationFrame(look);  // once for all that comes before the screen is drawn
  };
  Object.assign(ink, {lineWidth: pad.width / 12, lineCap: "round"});
  pad.addEventListener("pointerdown", (event) => {
    if (!event.isPrimary || event.button !== 0) return;
    pad.setPointerCapture(event.pointerId);
    lineTo(event);
  });
  pad.addEventListener("pointermove", (event) => last && event.isPrimary && lineTo(event));
  pad.addEventListener("lostpointercapture", () => last = null);
  part.querySelector("button").addEventListener(
    "click", () => (ink.clearRect(0, 0, pad.width, pad.height), look()));
  show(null);
}

document.querySelectorAll(".draw").forEach(setUp);
