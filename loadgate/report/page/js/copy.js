// Buttons that copy a text to the clipboard.

const copiedMs = 2000;

async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // A page that was not loaded over HTTPS has no clipboard.
    const box = element("textarea");
    box.value = text;
    document.body.append(box);
    box.select();
    document.execCommand("copy");
    box.remove();
  }
}

/** Return a text as one word of a shell. */
const shellQuoted = (text) => (/^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'"'"'`)}'`);

/** Return a button that copies a text and says so for a moment. */
function copyButton(label, text) {
  const button = element("button", "copy", label);
  button.type = "button";
  button.setAttribute("aria-live", "polite");
  button.addEventListener("click", async () => {
    await copyText(text);
    button.textContent = "Copied";
    setTimeout(() => {
      button.textContent = label;
    }, copiedMs);
  });
  return button;
}
