
"use strict";
const form = document.getElementById("form");
const outcome = document.getElementById("outcome");

// The fragment never leaves the browser; older mails have the token in the query.
const fragment = location.hash;
const parts = [fragment, location.search].map((part) => new URLSearchParams(part.slice(1)).get("token"));
const token = parts.find((part) => part);
// Out of the address bar and of the history.
history.replaceState(null, "", location.pathname);

function say(text, isOver) {
  outcome.textContent = text;
  form.hidden = isOver;
}

// The link of an invitation names its email.
const email = new URLSearchParams(fragment.slice(1)).get("email");
if (email && form.elements.email) {
  form.elements.email.value = email;
}

if (!token && "fromMail" in form.dataset) {
  say("This link is not complete. Open the link in the mail again.", true);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  const button = form.querySelector("button");
  const fields = Object.fromEntries(new FormData(form));
  button.disabled = true;
  try {
    const answer = await fetch(form.dataset.action, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ [form.dataset.token ?? "token"]: token, ...fields }),
    });
    const body = await answer.json();
    const isInvalid = body.code === "invalid_token";
    say(answer.ok ? body.message ?? form.dataset.done : body.errors?.[0]?.msg ?? body.detail, answer.ok || isInvalid);
  } catch {
    say("The service does not respond. Try again.", false);
  } finally {
    button.disabled = false;
  }
});
