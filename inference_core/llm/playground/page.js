"use strict";
const API = "/api/v1";
const by = (id) => document.getElementById(id);
let token = "";
let session = null;
let running = null;

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

function addTurn(who, text, mine) {
  const item = element("li", "", mine ? "mine" : "");
  const words = element("p", text);
  item.append(element("p", who, "who"), words);
  by("log").append(item);
  item.scrollIntoView({block: "nearest"});
  return {item, words};
}

function forgetConversation() {
  session = null;
  by("session").textContent = "The next message starts a conversation.";
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

class Times {
  constructor() {
    this.sent = performance.now();
    this.first = this.last = null;
    this.tokens = 0;
    for (const id of ["ttft", "rate", "count", "total"]) by(id).textContent = "–";
  }

  token() {
    this.last = performance.now() - this.sent;
    this.tokens += 1;
    if (this.first === null) {
      this.first = this.last;
      by("ttft").textContent = milliseconds(this.first);
    }
    by("count").textContent = String(this.tokens);
    if (this.last > this.first) {
      by("rate").textContent = (1000 * (this.tokens - 1) / (this.last - this.first)).toFixed(1);
    }
  }

  end() {
    by("total").textContent = milliseconds(performance.now() - this.sent);
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

function takeStart(event, turn) {
  turn.item.firstChild.textContent = event.model + (event.simulated ? ", simulated" : "");
  if (event.session_id) {
    session = event.session_id;
    by("session").textContent = `Conversation ${session}`;
  }
}

async function readAnswer(answer, turn, times) {
  let problem = "The answer broke off.";
  let ended = false;
  for await (const event of eventsOf(answer.body)) {
    if (event.event === "start") takeStart(event, turn);
    if (event.event === "token") {
      turn.words.append(event.content);
      times.token();
    }
    if (event.event === "usage") {
      problem = "";
      if (event.usage.output_tokens !== times.tokens) by("count").textContent += ` (usage says ${event.usage.output_tokens})`;
    }
    if (event.event === "error") problem = event.message;
    ended = ended || event.event === "end";
  }
  times.end();
  return ended ? problem : problem || "The answer had no end.";
}

async function ask(text) {
  const {task, body} = requestOf(text);
  addTurn("You", text, true);
  const turn = addTurn("Model", "", false);
  const times = new Times();
  running = new AbortController();
  by("send").disabled = true;
  by("stop").disabled = false;
  say("Waiting for the first token.");
  let problem;
  try {
    const answer = await fetch(`${API}/llm/${task}/stream`,
      {method: "POST", headers: headers(), body: JSON.stringify(body), signal: running.signal});
    if (!answer.ok && (answer.status === 401 || answer.status === 403)) by("access").open = true;
    if (answer.status === 404) forgetConversation();
    problem = answer.ok ? await readAnswer(answer, turn, times) : await problemOf(answer);
  } catch (error) {
    problem = error.name === "AbortError" ? "Stopped." : "The connection broke off.";
    times.end();
  }
  if (problem) turn.item.append(element("p", problem, "error"));
  say(problem || `Answered: ${times.tokens} tokens.`);
  running = null;
  by("send").disabled = false;
  by("stop").disabled = true;
  turn.item.scrollIntoView({block: "nearest"});
}

by("ask").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = by("message").value.trim();
  if (!text || running) return;
  by("message").value = "";
  ask(text);
});
by("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    by("ask").requestSubmit();
  }
});
by("stop").addEventListener("click", () => {
  if (running) running.abort();
  by("message").focus();
});
by("fresh").addEventListener("click", () => {
  if (running) running.abort();
  by("log").replaceChildren();
  forgetConversation();
  say("A new conversation begins.");
  by("message").focus();
});
by("token").addEventListener("input", () => {
  token = by("token").value.trim();
  by("who").textContent = token ? "with a token" : "without an account";
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
    forgetConversation();
    loadState();
  } catch {
    by("login-error").textContent = "The service does not respond.";
  }
});
loadState();
