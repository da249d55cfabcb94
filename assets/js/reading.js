// What was read, beside the pad: updated in place, so nothing flickers and nothing moves.
import { contextOf, find, findAll, html } from "./elements.js";
import { followSheet } from "./latest.js";
import { percent } from "./percent.js";

/** @import { Answer, DrawingUpdate, ReadDigit, Services } from "./types.js" */

const REST = 600; // milliseconds without a change before the answer is read out

/** @type {(node: Element, name: string, value: string) => void} */
function set(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

/** @type {(node: Element, text: string) => void} */
function write(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// One short line. While the pen is down nothing is called wrong.
/** @type {(answer: Omit<Answer, "reader">, drawing: boolean) => string} */
function sentence({ digits, left_out }, drawing) {
  if (!digits.length) return "Draw a digit and watch it being read.";
  if (drawing) return "";
  if (left_out) return left_out;
  const lines = numbers(digits);
  if (lines.length > 1) return `${lines.length} lines: ${lines.join(" and ")}.`;
  const unsure = digits.filter((digit) => digit.digit === null);
  if (digits.length > 1)
    return unsure.length ? `Not sure of ${unsure.length} of ${digits.length} digits.` : `${digits.length} digits.`;
  const [{ reason, guess }] = digits;
  if (!reason || guess === null) return reason ?? "";
  return `${reason.replace(/\.$/, "")} — closest is ${guess}.`;
}

// What one digit is read as, aloud.
/** @param {ReadDigit} digit */
function aloud({ digit, guess, probabilities }) {
  if (digit !== null) return `${digit}, ${percent(probabilities[digit])} sure`;
  return guess === null ? "no digit" : `perhaps ${guess}`;
}

// A digit below the one before begins another line of writing.
/** @type {(digits: ReadDigit[], i: number) => boolean} */
const beginsLine = (digits, i) => i > 0 && digits[i].box[1] > digits[i - 1].box[3];

// What is read in each line of writing.
/** @param {ReadDigit[]} digits */
function numbers(digits) {
  const lines = [""];
  digits.forEach(({ digit }, i) => {
    if (beginsLine(digits, i)) lines.push("");
    lines[lines.length - 1] += digit ?? "?";
  });
  return lines;
}

/**
 * @param {HTMLElement} element holds the markup of `reading.html`
 * @param {Services<string | null>} services their value names the weights that read
 */
export function mount(element, services) {
  const { sheet, chosen } = services;
  const prediction = find(element, "#prediction", HTMLElement);
  const verdict = find(element, ".verdict", HTMLElement);
  const rows = findAll(element, "#probabilities li", HTMLElement);
  const pixels = contextOf(find(element, "#model-input", HTMLCanvasElement));
  const reader = find(element, ".reader", HTMLElement);
  const said = find(element, ".said", HTMLElement);

  /** @type {Omit<Answer, "reader">} */
  let answer = { number: 0, digits: [], left_out: null };
  let blankSince = 0; // answers to drawings up to this number came too late
  let resting = 0; // the timer that will read the answer out

  // One digit is text; of several, each is a button that brings its bars.
  /** @param {ReadDigit[]} digits */
  function showFigures(digits) {
    const kind = digits.length > 1 ? "BUTTON" : "SPAN";
    const count = Math.max(1, digits.length);
    const figures = [...prediction.children];
    if (figures.length !== count || figures[0].tagName !== kind) {
      prediction.replaceChildren(...Array.from({ length: count }, (_, i) => figure(kind, i)));
    }
    const gaps = digits.filter((_, i) => beginsLine(digits, i)).length;
    prediction.style.setProperty("--figures", String(count + gaps));
    [...prediction.children].forEach((node, i) => {
      const digit = digits[i];
      write(node, String(digit?.guess ?? "?"));
      node.className = !digit ? "blank" : digit.digit === null ? "unsure" : "sure";
      node.classList.toggle("begins-line", Boolean(digit) && beginsLine(digits, i));
      set(node, "aria-hidden", String(!digit));
      if (kind === "BUTTON") set(node, "aria-pressed", String(i === chosen.digit()));
    });
  }

  /** @type {(kind: "BUTTON" | "SPAN", index: number) => HTMLElement} */
  function figure(kind, index) {
    if (kind === "SPAN") return html("span");
    const button = html("button", { type: "button" });
    button.onclick = () => chosen.choose(index);
    return button;
  }

  /** @param {ReadDigit | undefined} digit undefined: nothing is drawn */
  function showBars(digit) {
    rows.forEach((row, i) => {
      const part = digit ? digit.probabilities[i] : 0;
      set(row, "data-probability", String(digit ? part : 0.1));
      row.style.setProperty("--part", String(part));
      row.classList.toggle("best", i === digit?.guess);
      write(find(row, ".percent", HTMLElement), digit ? percent(part) : "");
    });
  }

  /** @param {ReadDigit | undefined} digit */
  function showInput(digit) {
    const seen = digit ? Uint8Array.from(atob(digit.input), (letter) => letter.charCodeAt(0)) : new Uint8Array(784);
    const image = pixels.createImageData(28, 28);
    for (const [i, level] of seen.entries()) image.data.set([level, level, level, 255], 4 * i);
    pixels.putImageData(image, 0, 0);
  }

  function show() {
    const digits = answer.digits;
    const drawing = sheet.drawing();
    const number = digits.every((digit) => digit.digit !== null) ? digits.map((digit) => digit.digit).join("") : "";
    set(prediction, "data-digit", number.length === 1 ? number : "");
    set(prediction, "data-number", number.length > 1 ? number : "");
    set(prediction, "data-update", String(answer.number));
    showFigures(digits);
    showBars(digits[chosen.digit()]);
    showInput(digits[chosen.digit()]);
    write(verdict, sentence(answer, drawing));
    sheet.mark(
      answer.number,
      digits.length > 1
        ? digits.map(({ box, guess }, i) => ({ box, name: String(guess ?? "?"), chosen: i === chosen.digit() }))
        : [],
    );
    clearTimeout(resting);
    if (!drawing) resting = setTimeout(announce, REST);
  }

  function announce() {
    const digits = answer.digits;
    if (!digits.length) return write(said, "The pad is empty.");
    write(said, `Read as ${digits.map(aloud).join("; ")}. ${sentence(answer, false)}`);
  }

  /** @param {Answer} latest */
  function load(latest) {
    write(reader, latest.reader);
    if (latest.number < answer.number || latest.number <= blankSince) return;
    const same = latest.digits.length === answer.digits.length;
    answer = latest;
    if (!same) chosen.choose(0);
    show();
  }

  // A cleared sheet needs no server to be known as empty.
  sheet.onChange(() => {
    if (!sheet.empty()) return;
    blankSince = sheet.begun();
    answer = { number: blankSince, digits: [], left_out: null };
    show();
  });

  show();
  chosen.onChange(show);
  const ask = (/** @type {DrawingUpdate} */ drawing) => services.read({ weights: services.value || null, drawing });
  const changed = followSheet(element, sheet, ask, load);
  services.watch("value", changed);
}
