// Elements are made here, and text only ever becomes text.
const SVG = "http://www.w3.org/2000/svg";

export const byId = (id) => document.getElementById(id);

export function make(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

export function makeSvg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

// Writes text only when it differs, so that nothing flickers and no screen reader speaks twice.
export function write(element, text) {
  if (element.textContent === text) return false;
  element.textContent = text;
  return true;
}

// As `write`, and colours the new number for a moment.
export function writeNumber(element, text) {
  const before = element.textContent;
  if (!write(element, text) || before === "") return;
  element.classList.remove("changed");
  void element.offsetWidth; // starts the animation again
  element.classList.add("changed");
}
