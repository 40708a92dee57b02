// Starts the page: texts, login, tabs, and the messages from the gateway.
import { get, post, session } from "/server.js";
import { loadTexts, say } from "/texts.js";
import { loadParts, showLog, showState, startLive } from "/live.js";
import { load, startReview } from "/review.js";
import { showTaskLine, showTeach, startTeach } from "/teach.js";

/// The gateway sends twice a second; after this time without a message the data are old.
const OLD_MS = 3000;
const of = (id) => document.getElementById(id);
let events = null;
let heard = 0;
let isFull = false;

function showTab(name) {
  for (const tab of document.querySelectorAll(".tab")) tab.hidden = tab.id !== name;
  for (const button of document.querySelectorAll("[data-tab]")) {
    if (button.dataset.tab === name) button.setAttribute("aria-current", "page");
    else button.removeAttribute("aria-current");
  }
  if (name === "review") load();
  showTeach(name === "teach");
  if (name === "log") showLog();
}

function showLogin() {
  events?.close();
  events = null;
  for (const tab of document.querySelectorAll(".tab")) tab.hidden = true;
  of("tabs").hidden = of("who").hidden = of("old").hidden = true;
  of("state").textContent = "";
  of("state").className = "";
  of("login").hidden = false;
  of("login").elements.name.focus();
}

function enter() {
  of("login").hidden = true;
  of("tabs").hidden = of("who").hidden = false;
  of("person").textContent = say("person", { name: session.name, role: say(`role.${session.role}`) });
  for (const element of document.querySelectorAll("[data-role]")) element.hidden = element.dataset.role !== session.role;
  heard = Date.now();
  loadParts();
  listen();
  showTab("live");
}

function listen() {
  if (!session.role) return;
  events?.close();
  events = new EventSource("/api/events");
  events.onmessage = (event) => {
    heard = Date.now();
    isFull = false;
    showAge();
    const state = JSON.parse(event.data);
    showState(state);
    showTaskLine(state);
  };
  // A lost connection is made anew by the browser; a refused one is not.
  events.onerror = () => {
    if (events?.readyState !== EventSource.CLOSED) return;
    events = null;
    // If the session holds, all places are taken.
    get("/api/session").then(() => { isFull = true; }).catch(() => {}).finally(() => setTimeout(() => { if (!events) listen(); }, 2000));
  };
}

function showAge() {
  const age = Date.now() - heard;
  const isOld = session.role !== null && age > OLD_MS;
  if (isOld) of("old").textContent = isFull ? say("error.too_many") : say("old", { seconds: Math.floor(age / 1000) });
  of("old").hidden = !isOld;
  document.body.dataset.old = isOld;
}

of("login").onsubmit = async (event) => {
  event.preventDefault();
  const { role, name, password } = of("login").elements;
  of("login-error").textContent = "";
  try {
    const opened = await post("/api/login", { role: role.value, name: name.value, password: password.value });
    password.value = "";
    Object.assign(session, opened);
    enter();
  } catch (error) {
    of("login-error").textContent = say(`error.${error.word ?? "internal"}`);
  }
};
of("logout").onclick = async () => {
  try {
    await post("/api/logout", {});
  } catch (error) {
    // Whoever comes next would be logged in as this person. After a 401, nobody is.
    if (session.role) alert(say(`error.${error.word ?? "internal"}`));
    return;
  }
  session.role = null;
  document.dispatchEvent(new Event("logged-out"));
};
for (const button of document.querySelectorAll("[data-tab]")) button.onclick = () => showTab(button.dataset.tab);
document.addEventListener("logged-out", showLogin);
setInterval(showAge, 500);

await loadTexts();
of("tabs").setAttribute("aria-label", say("tabs"));
startLive();
startReview();
startTeach();
try {
  Object.assign(session, await get("/api/session"));
  enter();
} catch {
  showLogin();
}
