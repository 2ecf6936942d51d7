"use strict";

// One picture, the words for it, and what the server found. Least scores are applied here: the server
// is asked for everything down to a low score once.
const leastAsked = 0.01;
const state = {
  model: null, file: null, url: null, result: null, request: 0, words: null, timer: null,
  stream: null, lit: null,
};
const $ = (id) => document.getElementById(id);
const svg = (name, attributes = {}) => {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
};
const html = (name, text = "", className = "") => {
  const element = document.createElement(name);
  element.textContent = text;
  if (className) element.className = className;
  return element;
};

// Scores crowd below 1, where the decision falls: the slider gives them most of its way.
const toScore = (place) => 1 - (1 - place / 1000) ** 3;
const toPlace = (score) => Math.round(1000 * (1 - (1 - score) ** (1 / 3)));
const shown = (score) => score > 0.99 && score < 1 ? score.toFixed(4) : score.toFixed(2);

function say(text) { $("status").textContent = text; }
function fail(text) {
  $("error").textContent = text;
  $("error").hidden = !text;
}

// Words

function wordList() {
  const seen = new Set();
  return $("words").value.split(/[,\n]/).map((word) => word.trim()).filter((word) => {
    const key = word.toLowerCase();
    return word && !seen.has(key) && seen.add(key);
  });
}
function trained(word) {
  const found = state.model.classes.find((entry) => entry.name.toLowerCase() === word.toLowerCase());
  if (!state.model.classes.some((entry) => entry.trained !== null)) return null;
  return found ? found.trained === true : false;
}
function color(name) {
  const names = state.words || [];
  const place = Math.max(0, names.indexOf(name));
  // Of one lightness to the eye, so that dark letters can be read on all of them.
  return `oklch(${place % 2 ? 0.82 : 0.74} 0.15 ${(place * 137.5 + 165) % 360})`;
}
function mark(name, withColor) {
  const known = trained(name);
  const element = html("span", "", known === null ? "mark" : known ? "mark trained" : "mark untrained");
  if (withColor) {
    element.style.borderColor = color(name);
    if (known !== false) element.style.background = color(name);
  }
  return element;
}
function showChips() {
  const chips = $("chips");
  chips.replaceChildren();
  if (!state.model) return;
  for (const word of wordList()) {
    const known = trained(word);
    const chip = html("span");
    chip.append(mark(word), document.createTextNode(word));
    chip.title = known === null ? "nobody knows whether training had boxes of it"
      : known ? "training had boxes of it" : "training had no box of it: it is known by its name alone";
    chips.append(chip);
  }
}
function setWords(words) {
  $("words").value = words.join(", ");
  wordsChanged(0);
}
function wordsChanged(delay) {
  showChips();
  clearTimeout(state.timer);
  state.timer = setTimeout(() => { if (state.file) detect(); }, delay);
}

// Pictures

function usePicture(file, label) {
  fail("");
  if (!file) return;
  if (file.type && !file.type.startsWith("image/")) {
    fail(`${file.name || "What was dropped"} is no picture (${file.type}).`);
    return;
  }
  const limit = state.model ? state.model.limits.body_bytes : Infinity;
  if (file.size > limit) {
    fail(`The picture has ${(file.size / 1e6).toFixed(1)} MB, more than the ${(limit / 1e6).toFixed(0)} MB that the server takes.`);
    return;
  }
  stopCamera();
  if (state.url) URL.revokeObjectURL(state.url);
  state.file = file;
  state.result = null;
  state.url = URL.createObjectURL(file);
  for (const button of $("sceneList").children) {
    button.classList.toggle("chosen", button.dataset.name === label);
  }
  const picture = $("picture");
  picture.onload = () => {
    // Small pictures are enlarged, so that boxes and tags leave something to see.
    const side = Math.max(picture.naturalWidth, picture.naturalHeight);
    const room = Math.min(640, 0.68 * window.innerHeight);
    picture.classList.toggle("tiny", side < 256);
    $("frame").classList.toggle("small", side < room);
    $("frame").style.width = side < room ? `${Math.round(room * picture.naturalWidth / side)}px` : "";
    draw();
  };
  picture.onerror = () => { picture.removeAttribute("src"); };
  picture.src = state.url;
  picture.alt = label || file.name || "the picture";
  $("empty").hidden = true;
  $("frame").hidden = false;
  $("again").hidden = false;
  draw();
  detect();
}
function startOver() {
  stopCamera();
  $("frame").hidden = true;
  $("again").hidden = true;
  $("empty").hidden = false;
  state.file = null;
  state.result = null;
  state.request += 1;
  busy(false);
  say("");
  fail("");
  list();
}
async function startCamera() {
  fail("");
  if (!navigator.mediaDevices || !navigator.mediaDevices.getUserMedia) {
    // Without encryption browsers give the camera only as a file.
    $("file").setAttribute("capture", "environment");
    $("file").click();
    return;
  }
  try {
    state.stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "environment" } });
  } catch (error) {
    fail(`The camera cannot be used: ${error.message}`);
    return;
  }
  const video = $("video");
  video.srcObject = state.stream;
  video.hidden = false;
  $("empty").hidden = true;
  $("frame").hidden = true;
  $("again").hidden = false;
  $("snap").hidden = false;
  await video.play();
}
function stopCamera() {
  if (state.stream) for (const track of state.stream.getTracks()) track.stop();
  state.stream = null;
  $("video").hidden = true;
  $("snap").hidden = true;
}
function snap() {
  const video = $("video");
  const canvas = document.createElement("canvas");
  canvas.width = video.videoWidth;
  canvas.height = video.videoHeight;
  canvas.getContext("2d").drawImage(video, 0, 0);
  canvas.toBlob((blob) => usePicture(blob, "from the camera"), "image/jpeg", 0.92);
}

// Asking

function busy(is) { $("busy").hidden = !is; }

async function detect() {
  const words = wordList();
  const number = ++state.request;
  const form = new FormData();
  form.append("picture", state.file, "picture");
  if (words.length) form.append("words", words.join(","));
  form.append("threshold", leastAsked);
  form.append("limit", Math.min(300, state.model ? state.model.limits.objects : 300));
  form.append("next", 5);
  if (!$("others").checked) form.append("only", "true");
  if (!$("single").checked) form.append("overlapping", "true");
  busy(true);
  const began = performance.now();
  try {
    const answer = await fetch("detect", { method: "POST", body: form });
    const result = await answer.json();
    if (number !== state.request) return;
    if (!answer.ok) throw new Error(result.error || answer.statusText);
    fail("");
    state.result = result;
    state.words = result.words.map((word) => word.name);
    const seconds = (performance.now() - began) / 1000;
    say(`${result.picture.width} × ${result.picture.height} pixels, answered in ${seconds.toFixed(2)} s`
      + (result.seen ? ": the picture was known, only the words were compared" : ""));
  } catch (error) {
    if (number !== state.request) return;
    state.result = null;
    say("");
    fail(error instanceof TypeError
      ? "The server does not answer. Is “baron serve” still running?"
      : error.message);
  }
  busy(false);
  draw();
}

// Showing

// Words that training had boxes of have a least score of their own, as the scores of the two kinds do
// not compare.
function leastScores() {
  // Where a slider was not moved, the run's own score to the last digit.
  const read = (id, own) => {
    const place = Number($(id).value);
    return own !== undefined && place === toPlace(own) ? own : toScore(place);
  };
  const own = state.model?.thresholds;
  return { trained: read("threshold", own?.trained), others: read("untrained", own?.others) };
}
function objects() {
  if (!state.result) return [];
  const least = leastScores();
  return state.result.objects.filter((object) => object.score >= (object.trained ? least.trained : least.others));
}
function draw() {
  const least = leastScores();
  $("value").value = least.trained.toFixed(3);
  $("untrainedValue").value = least.others.toFixed(3);
  const picture = $("picture");
  const boxes = $("boxes");
  boxes.replaceChildren();
  tip(null);
  const found = objects();
  if (state.result) {
    const size = state.result.picture;
    boxes.setAttribute("viewBox", `0 0 ${size.width} ${size.height}`);
    boxes.setAttribute("preserveAspectRatio", "none");
    const scale = size.width / (picture.clientWidth || size.width);
    // Large ones first, so that small ones can be pointed at.
    const area = (object) => (object.box[2] - object.box[0]) * (object.box[3] - object.box[1]);
    const order = found.map((_, index) => index).sort((a, b) => area(found[b]) - area(found[a]));
    const tags = [];
    for (const index of order) boxes.append(boxGroup(found[index], index, scale, size, tags));
  }
  drawMasks(found);
  list(found);
}
// Where a tag goes: above its box, below it or inside, whatever is first free and in the picture.
function tagPlace(box, width, height, size, tags) {
  const x = Math.max(0, Math.min(box[0], size.width - width));
  const free = [box[1] - height, box[3], box[1], box[3] - height].filter((y) =>
    y >= 0 && y + height <= size.height && tags.every((other) =>
      x + width <= other.x || other.x + other.width <= x || y + height <= other.y || other.y + other.height <= y));
  const y = free.length ? free[0] : Math.max(0, Math.min(box[1] - height, size.height - height));
  tags.push({ x, y, width, height });
  return { x, y };
}
function boxGroup(object, index, scale, size, tags) {
  const [x1, y1, x2, y2] = object.box;
  const group = svg("g", { tabindex: 0, role: "img", "aria-label": `${object.name} ${shown(object.score)}` });
  if (object.trained === false) group.classList.add("untrained");
  group.dataset.index = index;
  const place = { x: x1, y: y1, width: x2 - x1, height: y2 - y1 };
  group.append(svg("rect", { ...place, class: "halo" }));
  const rect = svg("rect", { ...place, class: "box" });
  rect.style.stroke = color(object.name);
  group.append(rect);
  const label = svg("g", {});
  const text = `${object.name} ${shown(object.score)}`;
  const width = 7.4 * text.length + 10;
  const { x, y } = tagPlace(object.box, width * scale, 19 * scale, size, tags);
  label.setAttribute("transform", `translate(${x} ${y}) scale(${scale})`);
  const tag = svg("rect", { class: "tag", width, height: 18, rx: 4 });
  tag.style.fill = color(object.name);
  const words = svg("text", { x: 5, y: 13.5, fill: "#101214", textLength: width - 10, lengthAdjust: "spacingAndGlyphs" });
  words.textContent = text;
  label.append(tag, words);
  group.append(label);
  group.addEventListener("pointerenter", () => light(index, object));
  group.addEventListener("pointerleave", () => light(null));
  group.addEventListener("focus", () => light(index, object));
  group.addEventListener("blur", () => light(null));
  return group;
}
function light(index, object) {
  for (const group of $("boxes").children) {
    group.classList.toggle("lit", index !== null && group.dataset.index === String(index));
    group.classList.toggle("dim", index !== null && group.dataset.index !== String(index));
  }
  for (const row of $("list").children) {
    row.classList.toggle("lit", index !== null && row.dataset.index === String(index));
  }
  tip(index === null ? null : object);
}
function tip(object) {
  const element = $("tip");
  element.hidden = !object;
  if (!object) return;
  element.replaceChildren();
  element.append(html("b", object.trained === false ? `${object.name}: known by its name alone` : object.name));
  const rows = [{ name: object.name, score: object.score }, ...(object.next || [])];
  for (const row of rows) {
    const line = html("div");
    line.append(html("span", row.name), html("span", row.score < 0.01 ? row.score.toExponential(1) : shown(row.score)));
    const bar = html("i");
    bar.style.width = `${100 * row.score}%`;
    line.append(bar);
    element.append(line);
  }
  const stage = $("stage").getBoundingClientRect();
  const picture = $("picture").getBoundingClientRect();
  const scale = picture.width / state.result.picture.width;
  const right = picture.left - stage.left + object.box[2] * scale + 10;
  const left = picture.left - stage.left + object.box[0] * scale - element.offsetWidth - 10;
  const x = right + element.offsetWidth <= stage.width - 4 ? right : Math.max(4, left);
  const y = picture.top - stage.top + object.box[1] * scale;
  element.style.left = `${x}px`;
  element.style.top = `${Math.max(4, Math.min(y, stage.height - element.offsetHeight - 4))}px`;
}
function list(found = []) {
  const element = $("list");
  element.replaceChildren();
  const count = found.length;
  $("count").textContent = !state.result ? "Objects" : count === 1 ? "1 object" : `${count} objects`;
  $("copy").disabled = !state.result;
  if (state.result && !count) {
    const best = state.result.objects[0];
    element.append(html("li", best
      ? `Nothing from this score on; the best is “${best.name}” with ${shown(best.score)}.`
      : "Nothing of these words.", "none"));
  }
  found.forEach((object, index) => {
    const row = html("li");
    row.dataset.index = index;
    row.append(mark(object.name, true), html("span", object.name), html("output", shown(object.score)));
    row.addEventListener("pointerenter", () => light(index, object));
    row.addEventListener("pointerleave", () => light(null));
    element.append(row);
  });
}

// Masks come as COCO's run lengths: columns from top to bottom, outside first.
function runs(text) {
  const counts = [];
  for (let place = 0; place < text.length;) {
    let value = 0, shift = 0, code;
    do {
      code = text.charCodeAt(place++) - 48;
      value |= (code & 31) << shift;
      shift += 5;
    } while (code & 32);
    if (code & 16) value |= -1 << shift;
    counts.push(counts.length > 2 ? value + counts[counts.length - 2] : value);
  }
  return counts;
}
function drawMasks(found) {
  const canvas = $("masks");
  const masks = found.filter((object) => object.segmentation);
  canvas.hidden = !masks.length;
  if (!masks.length) return;
  const { width, height } = state.result.picture;
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  for (const object of masks) {
    context.fillStyle = color(object.name);
    let place = 0, inside = false;
    for (const count of runs(object.segmentation.counts)) {
      for (let rest = inside ? count : 0, at = place; rest > 0;) {
        const length = Math.min(rest, height - at % height);
        context.fillRect(Math.floor(at / height), at % height, 1, length);
        rest -= length;
        at += length;
      }
      place += count;
      inside = !inside;
    }
  }
}

async function copy() {
  const text = JSON.stringify({ picture: state.result.picture, words: state.result.words,
    thresholds: leastScores(), objects: objects() }, null, 2);
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Where the clipboard is closed to pages, as over plain HTTP.
    const area = html("textarea", text);
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  state.copied = text;
  $("copy").textContent = "Copied";
  setTimeout(() => { $("copy").textContent = "Copy as JSON"; }, 1500);
}

// Starting

async function start() {
  const model = await (await fetch("model")).json();
  state.model = model;
  const groups = [true, false].map((kind) => model.classes.filter((entry) => entry.trained === kind).length);
  $("model").textContent = `${model.name}` + (model.iteration ? `, ${model.iteration} iterations` : "")
    + (groups[0] + groups[1] ? `: ${groups[0]} words trained with boxes, ${groups[1]} by name alone` : "");
  $("legend").hidden = !(groups[0] + groups[1]);
  $("novel").hidden = !groups[1];
  $("own").hidden = !model.words.length;
  document.title = `Baron – ${model.name}`;
  for (const kind of $("form").querySelectorAll(".trainedOnly")) kind.hidden = !(groups[0] + groups[1]);
  $("threshold").value = toPlace(model.thresholds.trained);
  $("untrained").value = toPlace(model.thresholds.others);
  if (!$("words").value) setWords(model.words.slice(0, 80));
  draw();
  const scenes = await (await fetch("scenes")).json();
  $("scenes").hidden = !scenes.length;
  for (const name of scenes) {
    const button = html("button");
    button.type = "button";
    button.dataset.name = name;
    button.title = name;
    const image = new Image();
    image.src = `scenes/${encodeURIComponent(name)}`;
    image.alt = `scene ${name}`;
    button.append(image);
    button.addEventListener("click", async () => {
      const data = await (await fetch(image.src)).blob();
      usePicture(data, name);
    });
    $("sceneList").append(button);
  }
}

$("choose").addEventListener("click", () => { $("file").removeAttribute("capture"); $("file").click(); });
$("file").addEventListener("change", () => { usePicture($("file").files[0]); $("file").value = ""; });
$("camera").addEventListener("click", startCamera);
$("snap").addEventListener("click", snap);
$("other").addEventListener("click", startOver);
$("copy").addEventListener("click", copy);
$("words").addEventListener("input", () => wordsChanged(450));
$("words").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey) { event.preventDefault(); wordsChanged(0); }
});
$("form").addEventListener("submit", (event) => event.preventDefault());
$("own").addEventListener("click", () => setWords(state.model.words));
$("novel").addEventListener("click", () =>
  setWords(state.model.classes.filter((entry) => entry.trained === false).map((entry) => entry.name)));
for (const id of ["others", "single"]) $(id).addEventListener("change", () => wordsChanged(0));
for (const id of ["threshold", "untrained"]) $(id).addEventListener("input", draw);
window.addEventListener("resize", () => draw());
for (const type of ["dragenter", "dragover"]) {
  document.addEventListener(type, (event) => { event.preventDefault(); $("stage").classList.add("over"); });
}
document.addEventListener("dragleave", (event) => {
  if (!event.relatedTarget) $("stage").classList.remove("over");
});
document.addEventListener("drop", (event) => {
  event.preventDefault();
  $("stage").classList.remove("over");
  const file = event.dataTransfer.files[0];
  if (file) usePicture(file);
  else fail("What was dropped is no file: save the picture first, or copy and paste it.");
});
document.addEventListener("paste", (event) => {
  const item = [...event.clipboardData.items].find((entry) => entry.type.startsWith("image/"));
  if (item) { event.preventDefault(); usePicture(item.getAsFile(), "pasted"); }
});
start().catch(() => {
  $("model").textContent = "";
  fail("The server does not answer. Is “baron serve” still running?");
});
