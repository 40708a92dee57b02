// Another threshold, and another bundle: learned from decisions, or taught from photos that the line takes.
import { get, post, session } from "/server.js";
import { number, say, time } from "/texts.js";
import { shownParts } from "/live.js";

/// How often the state of tasks is asked for while it is shown.
const POLL_MS = 1000;
const of = (id) => document.getElementById(id);
let state = null;
let line = { connected: false, accepts: [], products: [], product: "" };
let isShown = false;
let isAsking = false;
/// The photos' elements by their numbers.
let shown = new Map();

export function startTeach() {
  of("task-product").onchange = () => { of("threshold-value").value = ""; show(); };
  of("threshold-value").oninput = showEffect;
  of("threshold-form").onsubmit = (event) => {
    event.preventDefault();
    ask("set_threshold", { value: Number(of("threshold-value").value) });
  };
  of("teach-form").onsubmit = (event) => {
    event.preventDefault();
    ask("take_photos", { parts: Number(of("teach-parts").value) });
  };
  for (const button of document.querySelectorAll("[data-task]")) button.onclick = () => ask(button.dataset.task);
  setInterval(() => { if (isShown && session.role) refresh(); }, POLL_MS);
}

/// Shows or hides the state of tasks.
export function showTeach(on) {
  isShown = on;
  if (on) {
    of("task-said").textContent = "";
    refresh();
  }
}

/// Takes what the line accepts, and its products.
export function showTaskLine(now) {
  line = now;
  const select = of("task-product");
  const wanted = JSON.stringify(now.products);
  if (select.dataset.shown !== wanted) {
    select.dataset.shown = wanted;
    select.replaceChildren(...now.products.map((name, index) => new Option(name, index)));
    select.value = String(Math.max(now.products.indexOf(now.product), 0));
  }
  if (isShown) show();
}

async function refresh() {
  if (isAsking) return;
  isAsking = true;
  try {
    state = await get("/api/tasks");
    of("task-problem").textContent = "";
  } catch (error) {
    state = null;
    of("task-problem").textContent = say(`error.${error.word ?? "internal"}`);
  }
  isAsking = false;
  show();
}

async function ask(task, more = {}) {
  const said = of("task-said");
  said.textContent = say("outcome.asked");
  try {
    const { outcome } = await post("/api/task", { task, product: product(), ...more });
    const isOutside = outcome === "refused" && task === "set_threshold";
    said.textContent = say("outcome.of", { what: say(`task.${task}`), outcome: isOutside ? say("threshold.refused") : say(`outcome.${outcome}`) });
  } catch (error) {
    said.textContent = say(`error.${error.word ?? "internal"}`);
  }
  await refresh();
}

function product() {
  return Number(of("task-product").value || 0);
}

function show() {
  const accepts = (kind) => line.connected && state !== null && line.accepts.includes(kind);
  const running = state?.task?.status === "running";
  const photos = state?.photos?.product === product() ? state.photos : null;
  const can = {
    set_threshold: accepts("threshold"),
    reset_threshold: accepts("threshold") && threshold()?.by != null,
    try_learning: accepts("learn") && !running,
    learn: accepts("learn") && !running && isTried("try_learning"),
    roll_back: ["learn", "teach", "install"].some(accepts) && !running && threshold()?.can_roll_back === true,
    take_photos: accepts("teach") && !running,
    stop: (accepts("learn") || accepts("teach")) && (running || photos?.taking === true),
    try_teaching: accepts("teach") && !running && photos?.taught.length > 0,
    teach: accepts("teach") && !running && isTried("try_teaching"),
    discard_photos: accepts("teach") && !running && photos !== null,
  };
  for (const button of document.querySelectorAll("[data-task], [data-asks]")) button.disabled = !can[button.dataset.task ?? button.dataset.asks];
  showThreshold();
  showPhotos(photos, can.take_photos);
  showTask();
}

function threshold() {
  return state?.thresholds[product()];
}

/// Whether the last task tried this for this product, and would be carried out.
function isTried(task) {
  const last = state?.task;
  return last?.task === task && last.product === product() && last.status === "done" && last.is_current;
}

function showThreshold() {
  const now = threshold();
  const input = of("threshold-value");
  input.disabled = of("threshold-set").disabled;
  if (!now) { of("threshold-now").textContent = ""; return; }
  const values = { used: number(now.used), own: number(now.own), lowest: number(now.lowest), highest: number(now.highest) };
  const moved = now.by == null ? "" : say("threshold.moved", { by: now.by, at: time(Date.parse(now.at)) });
  of("threshold-now").textContent = `${say("threshold.now", values)} ${moved}`.trim();
  input.min = now.lowest;
  input.max = now.highest;
  if (input.value === "" && document.activeElement !== input) input.value = Number(now.used.toPrecision(6));
  showEffect();
}

/// Says how the new threshold would have judged the last parts.
function showEffect() {
  const value = of("threshold-value").valueAsNumber;
  const name = line.products[product()];
  const parts = shownParts().filter((part) => part.score != null && part.product === name);
  const over = (limit) => parts.filter((part) => part.score > limit).length;
  const values = { parts: parts.length, now: threshold() ? over(threshold().used) : 0, then: over(value) };
  of("threshold-effect").textContent = parts.length > 0 && !Number.isNaN(value) ? say("threshold.effect", values) : "";
}

function showPhotos(photos, canChange) {
  of("teach-count").textContent = photos ? say(photos.taking ? "teach.taking" : "teach.count", { count: photos.taught.length, wanted: photos.wanted, out: photos.out.length }) : "";
  of("teach-claim").textContent = photos?.taught.length ? say("teach.claim", { percent: number(Number((100 * photos.claim).toPrecision(2))) }) : "";
  of("teach-problem").textContent = photos?.problem ?? "";
  const numbers = photos ? photos.taught.concat(photos.out).sort((a, b) => a - b) : [];
  const wanted = new Set(numbers);
  for (const [photo, element] of shown) {
    if (!wanted.has(photo)) { element.item.remove(); shown.delete(photo); }
  }
  for (const photo of numbers) if (!shown.has(photo)) addPhoto(photo, photos.folder);
  const out = new Set(photos?.out ?? []);
  const suspects = new Set(["try_teaching", "teach"].includes(state?.task?.task) ? state.task.report?.suspects?.map((name) => Number(/^part-(\d+)\./.exec(name)?.[1])) : []);
  for (const [photo, { button, mark }] of shown) {
    const isOut = out.has(photo);
    button.setAttribute("aria-pressed", String(isOut));
    button.setAttribute("aria-label", say(isOut ? "teach.take_in" : "teach.leave_out", { photo }));
    button.disabled = !canChange;
    button.dataset.suspect = String(suspects.has(photo));
    mark.textContent = isOut ? say("teach.out") : suspects.has(photo) ? say("teach.suspect") : "";
    mark.hidden = mark.textContent === "";
  }
}

function addPhoto(photo, folder) {
  const button = Object.assign(document.createElement("button"), { type: "button" });
  const picture = Object.assign(document.createElement("img"), { loading: "lazy", alt: "" });
  picture.src = `/api/photos/${photo}?of=${encodeURIComponent(folder)}`;
  const mark = Object.assign(document.createElement("span"), { className: "marked" });
  button.append(picture, mark);
  button.onclick = () => ask("leave_out", { photo, out: button.getAttribute("aria-pressed") !== "true" });
  const item = document.createElement("li");
  item.append(button);
  // In the order of their numbers: one that was left out may come in again.
  const after = [...shown].filter(([other]) => other > photo).sort(([a], [b]) => a - b)[0];
  of("photos").insertBefore(item, after ? after[1].item : null);
  shown.set(photo, { item, button, mark });
}

function showTask() {
  const task = state?.task;
  const list = of("task-lines");
  if (!task) { of("task-state").textContent = say("result.none"); list.replaceChildren(); return; }
  const values = { task: say(`task.${task.task}`), product: line.products[task.product] ?? "", by: task.by, at: time(Date.parse(task.at)), status: say(`status.${task.status}`) };
  of("task-state").textContent = say("result.state", values);
  of("task-state").className = ["refused", "failed"].includes(task.status) ? "bad" : "";
  const report = task.report ?? {};
  const lines = [];
  if (report.error) lines.push([report.error, "holds"]);
  for (const why of report.refusals ?? []) lines.push([say("result.refused", { why }), "holds"]);
  if (report.changes) lines.push([say("result.changes", { changes: report.changes }), "none"]);
  if (report.claim) lines.push([report.claim, "none"]);
  if (report.threshold != null) lines.push([say("result.threshold", { after: number(report.threshold), before: number(report.threshold_before) }), "none"]);
  for (const warning of report.warnings ?? []) lines.push([warning, ""]);
  if (report.suspects?.length) lines.push([say("result.suspects", { names: report.suspects.join(", ") }), ""]);
  if (task.in_use) lines.push([say("result.in_use"), "none"]);
  const wanted = JSON.stringify(lines);
  if (list.dataset.shown === wanted) return;
  list.dataset.shown = wanted;
  list.replaceChildren(...lines.map(([text, name]) => Object.assign(document.createElement("li"), { textContent: text, className: name })));
}
