// Records in a grid. One key each decides: the next record follows by itself.
import { get, post, session } from "/server.js";
import { say, time } from "/texts.js";
import { describe } from "/live.js";

const COUNT = 60;
const PAUSE_MS = 300;
const STORED = "nominal-kinds";
const of = (id) => document.getElementById(id);
/// Cards in the order of the grid: a record, its button, and whether a decision is on its way.
let cards = [];
let selected = -1;
let isLoading = false;
let sending = Promise.resolve();
let decided = 0;
/// The cards that were decided on, the last one last.
let undo = [];

export function startReview() {
  of("kinds").value = localStorage.getItem(STORED) ?? "";
  of("kinds").onchange = () => { localStorage.setItem(STORED, of("kinds").value); showKeys(); };
  of("place").onchange = of("reload").onclick = () => load();
  of("more").onclick = () => load(cards.at(-1)?.record.name);
  of("close").onclick = () => of("record").close();
  of("record").onclose = () => focus(selected);
  of("grid").onkeydown = of("record").onkeydown = press;
  for (const button of document.querySelectorAll("[data-decision]")) button.onclick = () => decide(button.dataset.decision, "", false);
  of("take-back").onclick = takeBack;
  document.addEventListener("logged-out", () => { undo = []; });
  showKeys();
}

function kinds() {
  return of("kinds").value.split(",").map((kind) => kind.trim()).filter(Boolean).slice(0, 9);
}

function showKeys() {
  const named = kinds().map((kind, index) => `${index + 1}: ${kind}`).join(", ");
  of("keys").textContent = `${say("review.keys")} ${named ? say("review.kind_keys", { kinds: named }) : say("review.no_kinds")}`;
  // For panels without keys.
  of("kind-buttons").replaceChildren(...kinds().map((kind) => {
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: say("review.kind", { kind }) });
    button.onclick = () => decide("defect", kind, false);
    return button;
  }));
}

/// Loads the newest records, or those older than `before`.
export async function load(before) {
  const older = before ? `&before=${before}` : "";
  let listed;
  isLoading = true;
  try {
    listed = await get(`/api/records?place=${of("place").value}&count=${COUNT}${older}`);
  } catch (error) {
    of("said").textContent = say(`error.${error.word ?? "internal"}`);
    return;
  } finally {
    isLoading = false;
  }
  if (!before) { cards = []; of("grid").replaceChildren(); of("said").textContent = ""; }
  const first = cards.length;
  for (const record of listed.records) add(record);
  of("more").hidden = !listed.has_more;
  if (cards.length === 0) of("said").textContent = say("review.empty");
  if (cards.length > first) select(first);
}

function add(record) {
  const button = document.createElement("button");
  button.type = "button";
  button.dataset.name = record.name;
  const picture = Object.assign(document.createElement("img"), { loading: "lazy", alt: say("review.alt", { name: record.name }) });
  picture.src = `/api/records/${record.name}/overlay`;
  const text = Object.assign(document.createElement("span"), { textContent: describe(record) });
  const marked = Object.assign(document.createElement("span"), { className: "marked" });
  button.append(picture, text, marked);
  const card = { record, button, marked };
  const index = cards.push(card) - 1;
  button.onclick = () => { select(index); open(); };
  button.onfocus = () => { selected = index; };
  show(card);
  const item = document.createElement("li");
  item.append(button);
  of("grid").append(item);
}

function show(card) {
  const decision = card.record.decision;
  card.marked.hidden = !decision;
  if (decision) card.marked.textContent = say("review.marked", { decision: say(`decision.${decision.decision}`), kind: decision.kind ?? "", by: decision.by });
}

function select(index) {
  if (index < 0 || index >= cards.length) return;
  selected = index;
  if (of("record").open) open();
  else focus(index);
}

function focus(index) {
  cards[index]?.button.focus();
  cards[index]?.button.scrollIntoView({ block: "nearest" });
}

function open() {
  const { record } = cards[selected];
  of("record-title").textContent = record.name;
  of("record-facts").textContent = describe(record);
  for (const picture of ["overlay", "frame"]) {
    const image = of(`record-${picture}`);
    image.src = `/api/records/${record.name}/${picture}`;
    image.alt = say(picture === "frame" ? "review.alt_frame" : "review.alt_overlay");
    image.hidden = false;
    // The line may not keep frames.
    image.onerror = () => { image.hidden = true; };
  }
  if (!of("record").open) of("record").showModal();
}

function press(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || selected < 0) return;
  const columns = Math.max(1, cards.findIndex((card) => card.button.offsetTop > cards[0].button.offsetTop + 4));
  const moves = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns };
  const key = event.key.toLowerCase();
  // A key that is held down decides once.
  if (event.repeat && !(event.key in moves)) {
    event.preventDefault();
    return;
  }
  const digit = /^Digit([1-9])$/.exec(event.code);
  const kind = digit && kinds()[digit[1] - 1];
  if (event.key in moves) select(selected + moves[event.key]);
  else if (key === "f") decide("false-alarm", "", event.shiftKey);
  else if (key === "d") decide("defect", "", event.shiftKey);
  else if (key === "u") decide("unsure", "", event.shiftKey);
  else if (kind) decide("defect", kind, event.shiftKey);
  else if (key === "z" || event.key === "Backspace") takeBack();
  else return;
  event.preventDefault();
}

/// Takes the last decision of this page back and returns to its record.
function takeBack() {
  const card = undo.pop() ?? cards[selected];
  if (!card) return;
  select(cards.indexOf(card));
  send(card, "undecided", "", false);
}

function decide(decision, kind, replace) {
  const card = cards[selected];
  // Whoever is fast must not decide on the last one of these twice.
  if (!card || isLoading) return;
  undo.push(card);
  send(card, decision, kind, replace && session.role === "engineer");
  if (selected + 1 < cards.length) select(selected + 1);
  else if (!of("more").hidden) load(card.record.name);
}

/// Sends one decision after the other. The grid doesn't wait for the answer; if the line refuses it, the grid says so.
function send(card, decision, kind, replace) {
  const { record } = card;
  const before = record.decision;
  record.decision = decision === "undecided" ? null : { decision, kind, by: session.name };
  card.button.dataset.state = "sending";
  show(card);
  sending = sending.then(async () => {
    let outcome;
    try {
      ({ outcome } = await patiently(() => post("/api/decide", { record: record.name, decision, kind, replace })));
    } catch (error) {
      outcome = null;
      of("said").textContent = say("review.failed", { name: record.name, why: say(`error.${error.word ?? "internal"}`) });
    }
    delete card.button.dataset.state;
    if (outcome === "done") {
      decided += decision === "undecided" ? -1 : 1;
      of("said").textContent = say("review.count", { count: Math.max(decided, 0), at: time(Date.now()) });
      return;
    }
    // Nothing was decided, so there is nothing to take back.
    undo = undo.filter((other) => other !== card);
    record.decision = before;
    show(card);
    if (outcome) of("said").textContent = say("review.failed", { name: record.name, why: say(`outcome.${outcome}`) });
  });
}

/// Asks again while the gateway says that this is too fast: what was decided must not be lost.
async function patiently(request) {
  for (;;) {
    try {
      return await request();
    } catch (error) {
      if (error.word !== "too_fast") throw error;
      await new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
    }
  }
}
