"use strict";
const API = "/api/v1";
const by = (id) => document.getElementById(id);
// A reader who has scrolled up further than this is not moved to the newest token.
const NEAR_END_PX = 80;
let token = "";
let session = null;
let running = null;
let lastMessage = "";

const milliseconds = (value) => value < 1000 ? `${value.toFixed(0)} ms` : `${(value / 1000).toFixed(2)} s`;
const headers = () => ({"Content-Type": "application/json", ...(token ? {Authorization: `Bearer ${token}`} : {})});

async function problemOf(answer) {
  const fallback = `The service answered ${answer.status}.`;
  try {
    const problem = await answer.json();
    return problem.detail || problem.title || fallback;
  } catch {
    return fallback;
  }
}

function say(text) {
  by("status").textContent = text;
}

function element(name, text, className) {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function button(text, press) {
  const made = element("button", text);
  made.type = "button";
  made.addEventListener("click", press);
  return made;
}

const isNearEnd = () => by("scroll").scrollHeight - by("scroll").scrollTop - by("scroll").clientHeight < NEAR_END_PX;
const scrollToEnd = () => by("scroll").scrollTo(0, by("scroll").scrollHeight);

class Turn {
  constructor(who, isMine) {
    this.text = "";
    this.drawing = 0;
    this.item = element("li", "", isMine ? "mine" : "");
    this.who = element("p", who, "who");
    this.words = element("div", "", "words");
    this.item.append(this.who, this.words);
    by("log").append(this.item);
    by("empty").hidden = true;
  }

  append(text) {
    this.text += text;
    this.drawing ||= requestAnimationFrame(() => this.draw());
  }

  draw() {
    cancelAnimationFrame(this.drawing);
    this.drawing = 0;
    const follow = isNearEnd();
    this.words.replaceChildren(...markdown(this.text));
    if (follow) scrollToEnd();
  }
}

function showQuestion(text) {
  new Turn("You", true).words.textContent = text;
  scrollToEnd();
}

class Times {
  constructor() {
    this.sent = performance.now();
    this.first = this.last = this.total = this.billed = null;
    this.tokens = 0;
  }

  token() {
    this.last = performance.now() - this.sent;
    this.first ??= this.last;
    this.tokens += 1;
  }

  toString() {
    const parts = [];
    if (this.first !== null) parts.push(`TTFT ${milliseconds(this.first)}`);
    if (this.last > this.first) parts.push(`${(1000 * (this.tokens - 1) / (this.last - this.first)).toFixed(1)} tokens/s`);
    const billed = this.billed === null || this.billed === this.tokens ? "" : ` (usage says ${this.billed})`;
    parts.push(`${this.tokens} ${this.tokens === 1 ? "token" : "tokens"}${billed}`, `total ${milliseconds(this.total)}`);
    return parts.join(" · ");
  }
}

function finish(turn, times, text, problem) {
  const follow = isNearEnd();
  turn.draw();
  const actions = element("span", "", "actions");
  // Only pages of this machine or over HTTPS can write to the clipboard.
  if (turn.text && navigator.clipboard) {
    actions.append(button("Copy", async () => {
      await navigator.clipboard.writeText(turn.text);
      say("Copied as Markdown.");
    }));
  }
  actions.append(button("Retry", () => ask(text)));
  const shown = element("p", String(times), "note times");
  shown.title = "TTFT: from sending to the first token. Tokens/s: the tokens after the first, divided by the time from the "
    + "first to the last. Measured in this page.";
  const below = element("div", "", "below");
  below.append(shown, actions);
  if (problem) turn.item.append(element("p", problem, "error"));
  turn.item.append(below);
  if (follow) scrollToEnd();
}

function useConversation(id) {
  session = id;
  by("session").hidden = !id;
  by("session").textContent = id ? `Conversation ${id}` : "";
}

async function loadState() {
  try {
    const [health, models] = await Promise.all(
      ["health", "models"].map((name) => fetch(`${API}/llm/${name}`, {headers: headers()})));
    if (!health.ok) {
      by("mode").textContent = await problemOf(health);
      if (health.status === 401 || health.status === 403) by("access").open = true;
      return;
    }
    const state = await health.json();
    by("mode").textContent = state.live_calls_possible
      ? "Answers may come from a provider that charges for them." : "No answer costs money here.";
    const names = models.ok ? Object.entries((await models.json()).models) : [];
    const options = names.map(([name, available]) => {
      const option = element("option", available ? name : `${name} (not available)`);
      option.value = name;
      option.disabled = !available;
      return option;
    });
    by("model").replaceChildren(by("model").options[0], ...options);
  } catch {
    by("mode").textContent = "The service does not respond.";
  }
}

async function* eventsOf(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  for (;;) {
    const {value, done} = await reader.read();
    if (done) return;
    const blocks = (rest + value).split("\n\n");
    rest = blocks.pop();
    for (const block of blocks) {
      if (block.startsWith("data: ")) yield JSON.parse(block.slice(6));
    }
  }
}

function requestOf(text) {
  const task = by("task").value;
  const body = task === "explain" ? {question: text} : {user_input: text};
  if (task === "conversation" && session) body.session_id = session;
  if (by("model").value) body.model_name = by("model").value;
  if (by("max-tokens").value) body.max_tokens = Number(by("max-tokens").value);
  return {task, body};
}

async function readAnswer(answer, turn, times) {
  let problem = "The answer broke off.";
  let ended = false;
  for await (const event of eventsOf(answer.body)) {
    if (event.event === "start") {
      turn.who.textContent = event.model + (event.simulated ? ", simulated" : "");
      if (event.session_id) useConversation(event.session_id);
    }
    if (event.event === "token") {
      turn.append(event.content);
      times.token();
    }
    if (event.event === "usage") {
      problem = "";
      times.billed = event.usage.output_tokens;
    }
    if (event.event === "error") problem = event.message;
    ended = ended || event.event === "end";
  }
  return ended ? problem : problem || "The answer had no end.";
}

function setRunning(controller) {
  running = controller;
  by("send").hidden = Boolean(controller);
  by("stop").hidden = !controller;
}

async function ask(text) {
  if (running) return;
  const {task, body} = requestOf(text);
  showQuestion(text);
  const turn = new Turn("Model", false);
  const times = new Times();
  const controller = new AbortController();
  setRunning(controller);
  say("Waiting for the first token.");
  let problem;
  try {
    const answer = await fetch(`${API}/llm/${task}/stream`,
      {method: "POST", headers: headers(), body: JSON.stringify(body), signal: controller.signal});
    if (answer.status === 401 || answer.status === 403) by("access").open = true;
    if (answer.status === 404) useConversation(null);
    problem = answer.ok ? await readAnswer(answer, turn, times) : await problemOf(answer);
  } catch (error) {
    problem = error.name === "AbortError" ? "Stopped." : "The connection broke off.";
  }
  times.total = performance.now() - times.sent;
  finish(turn, times, text, problem);
  say(problem || `Answered: ${times.tokens} tokens.`);
  setRunning(null);
}

function stop() {
  if (running) running.abort();
  by("message").focus();
}

by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = by("message").value.trim();
  if (!text || running) return;
  lastMessage = text;
  by("message").value = "";
  ask(text);
});
by("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    by("ask").requestSubmit();
  }
  if (event.key === "ArrowUp" && !by("message").value && lastMessage) {
    event.preventDefault();
    by("message").value = lastMessage;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running) stop();
});
by("stop").addEventListener("click", stop);
by("fresh").addEventListener("click", () => {
  stop();
  by("log").replaceChildren();
  by("empty").hidden = false;
  useConversation(null);
  say("A new conversation begins.");
});
by("token").addEventListener("input", () => {
  token = by("token").value.trim();
  by("who").textContent = token ? "Access token" : "Not signed in";
});
by("token").addEventListener("change", loadState);
by("login").addEventListener("submit", async (event) => {
  event.preventDefault();
  by("login-error").textContent = "";
  const username = by("username").value;
  if (!username) return;
  try {
    const answer = await fetch(`${API}/auth/login`, {
      method: "POST",
      headers: {"Content-Type": "application/json"},
      body: JSON.stringify({username, password: by("password").value}),
    });
    if (!answer.ok) {
      by("login-error").textContent = await problemOf(answer);
      return;
    }
    token = (await answer.json()).access_token;
    by("token").value = by("password").value = "";
    by("who").textContent = username;
    by("access").open = false;
    useConversation(null);
    loadState();
  } catch {
    by("login-error").textContent = "The service does not respond.";
  }
});
loadState();
