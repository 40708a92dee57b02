// All texts that people read come from one file, so that another language is another file.
let texts = {};

export async function loadTexts() {
  texts = await (await fetch("/texts.json")).json();
  document.documentElement.lang = texts.language;
  for (const element of document.querySelectorAll("[data-text]")) {
    element.textContent = say(element.dataset.text);
  }
}

/// Returns the text of a key, with {names} replaced by values. A word of the line that is newer than the texts stands for itself.
export function say(key, values = {}) {
  const text = texts[key] ?? key.slice(key.indexOf(".") + 1);
  return text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
}

export function number(value) {
  return value == null ? "–" : value.toLocaleString(document.documentElement.lang, { maximumSignificantDigits: 5 });
}

export function count(value) {
  return value == null ? "–" : value.toLocaleString(document.documentElement.lang);
}

export function time(milliseconds) {
  return new Date(milliseconds).toLocaleString(document.documentElement.lang);
}
