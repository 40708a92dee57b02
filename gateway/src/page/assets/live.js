// The line as it is now.
import { Refused, get, post, session } from "/server.js";
import { count, number, say, time } from "/texts.js";
import { draw } from "/plot.js";

const KEPT = 600;
const HOLDING = ["not_ready", "blind", "output_failed", "line_lost"];
const of = (id) => document.getElementById(id);
let parts = [];
let shownRecord = null;
let askedRecord = 0;

export function startLive() {
  of("acknowledge").onclick = () => command({ command: "acknowledge" });
  of("challenge").onclick = () => command({ command: "challenge" });
  of("product").onchange = () => command({ command: "product", index: Number(of("product").value) });
}

/// Fetches the parts that came before the page was opened.
export async function loadParts() {
  parts = await get("/api/parts").catch(() => parts);
  redraw();
  askedRecord = 0;
  showRecord();
}

/// Returns the parts of the plot, oldest first.
export function shownParts() {
  return parts;
}

export function showState(state) {
  of("line").textContent = state.line ?? "Nominal";
  document.title = `${state.line ?? "Nominal"} – ${say(stateWord(state))}`;
  of("state").textContent = say(stateWord(state));
  of("state").className = stateWord(state).split(".")[1];
  showAlarms(state);
  showCounts(state);
  showActions(state);
  const rejected = addParts(state.parts);
  showLastPart();
  if (rejected) showRecord();
}

function stateWord(state) {
  if (!state.connected) return "state.lost";
  return state.status?.held ? "state.held" : "state.running";
}

function showAlarms(state) {
  const items = state.alarms.map((alarm) => [say(`alarm.${alarm}`), HOLDING.includes(alarm) ? "holds" : ""]);
  if (state.connected) items.push(...state.problems.filter(Boolean).map((problem) => [problem, ""]));
  if (items.length === 0) items.push([say("alarms.none"), "none"]);
  const list = of("alarms");
  const wanted = JSON.stringify(items);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...items.map(([text, name]) => Object.assign(document.createElement("li"), { textContent: text, className: name })));
}

function showCounts(state) {
  const status = state.status ?? {};
  const minute = state.minute;
  const rows = [
    ["counts.product", state.product || "–"],
    ["counts.passed", count(status.passed)],
    ["counts.rejected", count(status.rejected)],
    ["counts.faults", count(status.faults)],
    ["counts.missing", count(status.missing)],
    ["counts.rate", count(minute.parts)],
    ["counts.reject_rate", minute.parts ? `${((100 * minute.rejected) / minute.parts).toFixed(1)} %` : "–"],
    ["counts.camera", status.camera ? say(`camera.${status.camera}`) : "–"],
    ["counts.infer", state.infer_p99_ms == null ? "–" : `${number(state.infer_p99_ms)} ms`],
    ["counts.challenge", count(status.challenge_left)],
  ];
  const list = of("counts");
  if (list.children.length !== rows.length) {
    list.replaceChildren(...rows.map(([key]) => {
      const row = document.createElement("div");
      row.append(Object.assign(document.createElement("dt"), { textContent: say(key) }), document.createElement("dd"));
      return row;
    }));
  }
  rows.forEach(([, value], index) => { list.children[index].lastChild.textContent = value; });
}

function showActions(state) {
  for (const id of ["acknowledge", "challenge"]) of(id).disabled = !state.connected || !state.accepts.includes(id);
  const select = of("product");
  select.disabled = !state.connected || !state.accepts.includes("product");
  const wanted = JSON.stringify(state.products);
  if (select.dataset.shown !== wanted) {
    select.dataset.shown = wanted;
    select.replaceChildren(...state.products.map((name, index) => new Option(name, index)));
  }
  if (document.activeElement !== select) select.value = String(state.products.indexOf(state.product));
}

/// Adds parts that are new and says whether one of them was rejected.
function addParts(newest) {
  const last = parts.at(-1);
  // A line that was started anew may count from 1 again.
  const isLast = (part) => part.run === last?.run && part.part === last.part && part.at_unix_ms === last.at_unix_ms;
  const later = newest.slice(newest.findLastIndex(isLast) + 1);
  if (later.length === 0) return false;
  parts = parts.concat(later).slice(-KEPT);
  redraw();
  return later.some((part) => part.disposition === "reject");
}

function redraw() {
  draw(of("plot"), parts);
  const scored = parts.filter((part) => part.score != null);
  const rejected = scored.filter((part) => part.disposition === "reject").length;
  of("plot").setAttribute("aria-label", say("plot.label", { parts: scored.length, rejected }));
}

function showLastPart() {
  const part = parts.at(-1);
  if (!part) return;
  const word = Object.assign(document.createElement("span"), { className: part.disposition, textContent: say(`verdict.${part.disposition}`) });
  const values = { part: part.part, score: number(part.score), threshold: number(part.threshold), reason: say(`reason.${part.reason}`) };
  of("last-part").replaceChildren(word, ` ${say("last.part", values)}`);
}

/// Shows the newest record, which is written a moment after its part has passed the gate.
async function showRecord() {
  if (Date.now() - askedRecord < 1000) return;
  askedRecord = Date.now();
  try {
    const { records } = await get("/api/records?place=rejected&count=1");
    const record = records[0];
    if (!record || record.name === shownRecord) {
      if (record) setTimeout(() => { if (Date.now() - askedRecord >= 1000) showRecord(); }, 1500);
      return;
    }
    shownRecord = record.name;
    of("last-picture").src = `/api/records/${record.name}/overlay`;
    of("last-picture").alt = say("review.alt", { name: record.name });
    of("last-caption").textContent = say("last.record", { record: describe(record) });
    of("last-record").hidden = false;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
  }
}

/// Describes a record in a sentence.
export function describe(record) {
  const region = record.region ? say("review.region", record.region) : "";
  const values = { name: record.name, product: record.product, verdict: say(`verdict.${record.part_verdict ?? record.verdict}`), score: number(record.score), threshold: number(record.threshold) };
  return `${say("review.facts", values)} ${region} ${record.fault ?? ""}`.trim();
}

async function command(body) {
  const said = of("outcome");
  said.textContent = say("outcome.asked");
  try {
    const { outcome } = await post("/api/command", body);
    said.textContent = say("outcome.of", { what: say(`command.${body.command}`), outcome: say(`outcome.${outcome}`) });
  } catch (error) {
    said.textContent = say(`error.${error.word ?? "internal"}`);
  }
}

/// Shows the log of changes.
export async function showLog() {
  if (session.role !== "engineer") return;
  const entries = await get("/api/log").catch(() => []);
  of("entries").replaceChildren(...entries.map((entry) => {
    const row = document.createElement("tr");
    const details = Object.entries(entry.details ?? {}).filter(([, value]) => value !== "").map(([key, value]) => `${key}: ${value}`).join(", ");
    for (const text of [time(entry.at_unix_ms), entry.who, entry.from, say(`what.${entry.what}`), details]) {
      row.append(Object.assign(document.createElement("td"), { textContent: text }));
    }
    return row;
  }));
}
