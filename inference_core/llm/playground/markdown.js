// Markdown as elements. Every text becomes a text node, so HTML in an answer is shown and never executed.

const INLINE = /(`+)(.+?)\1|\*\*(\S(?:.*?\S)?)\*\*|\*(\S(?:.*?\S)?)\*|\[([^\]\n]+)\]\((https?:\/\/[^\s()]+)\)/;
const ITEM = /^\s{0,3}(?:[-*+]|(\d{1,9})[.)])\s+(.*)$/;
const FENCE = /^\s{0,3}(`{3,}|~{3,})\s*([\w+-]*)[^`]*$/;
const HEADING = /^(#{1,6})\s+(.*)$/;
// Deeper quotations and emphasis are text, so that no answer exhausts the stack.
const DEEPEST = 5;

function make(name, ...children) {
  const made = document.createElement(name);
  made.append(...children);
  return made;
}

function inline(text, depth = 0) {
  const nodes = [];
  if (depth > DEEPEST) return [text];
  for (let rest = text; rest;) {
    const found = INLINE.exec(rest);
    if (!found) {
      nodes.push(rest);
      break;
    }
    if (found.index) nodes.push(rest.slice(0, found.index));
    const [whole, , code, strong, emphasis, label, address] = found;
    if (code !== undefined) nodes.push(make("code", code));
    else if (strong !== undefined) nodes.push(make("strong", ...inline(strong, depth + 1)));
    else if (emphasis !== undefined) nodes.push(make("em", ...inline(emphasis, depth + 1)));
    else {
      const link = make("a", label);
      link.href = address;
      link.rel = "noopener noreferrer";
      link.target = "_blank";
      nodes.push(link);
    }
    rest = rest.slice(found.index + whole.length);
  }
  return nodes;
}

// The blocks. Each function removes its lines from the front of `lines`, at least one.
function takeCode(lines, fence) {
  const code = [];
  while (lines.length) {
    const line = lines.shift();
    const end = line.trim();
    if (end.startsWith(fence) && end === fence[0].repeat(end.length)) break;
    code.push(line);
  }
  const block = make("pre", make("code", code.join("\n")));
  block.tabIndex = 0;  // wide code scrolls, also with the keyboard
  return block;
}

function takeList(lines) {
  const first = ITEM.exec(lines[0]);
  const list = make(first[1] ? "ol" : "ul");
  if (first[1] && first[1] !== "1") list.start = Number(first[1]);
  while (lines.length) {
    const item = ITEM.exec(lines[0]);
    if (!item || Boolean(item[1]) !== Boolean(first[1])) break;
    lines.shift();
    const words = [item[2]];
    while (lines.length && /^\s+\S/.test(lines[0]) && !ITEM.test(lines[0])) words.push(lines.shift().trim());
    list.append(make("li", ...inline(words.join(" "))));
  }
  return list;
}

function takeWhile(lines, belongs) {
  const taken = [];
  while (lines.length && belongs(lines[0])) taken.push(lines.shift());
  return taken;
}

const isText = (line) => line.trim() && !ITEM.test(line) && !FENCE.test(line) && !HEADING.test(line) && !line.startsWith(">");

function markdown(text, depth = 0) {
  const lines = text.split("\n");
  const blocks = [];
  while (lines.length) {
    const line = lines[0];
    const fence = FENCE.exec(line);
    const heading = HEADING.exec(line);
    if (!line.trim()) lines.shift();
    else if (fence) {
      lines.shift();
      blocks.push(takeCode(lines, fence[1]));
    } else if (heading) {
      lines.shift();
      blocks.push(make(`h${Math.min(4, heading[1].length + 1)}`, ...inline(heading[2])));
    } else if (ITEM.test(line)) blocks.push(takeList(lines));
    else if (line.startsWith(">") && depth < DEEPEST) {
      const quoted = takeWhile(lines, (next) => next.startsWith(">")).map((next) => next.replace(/^>\s?/, ""));
      blocks.push(make("blockquote", ...markdown(quoted.join("\n"), depth + 1)));
    } else blocks.push(make("p", ...inline([lines.shift(), ...takeWhile(lines, isText)].join("\n"))));
  }
  return blocks;
}
