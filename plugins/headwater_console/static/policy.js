// A policy is written: while somebody types it is judged, on demand it is tried out, and saved over what was seen only.
const form = document.querySelector("#write");
const field = (name) => form.querySelector(`#${name}`);
const wait = 500;
let asked = 0;
let timer = 0;
let saved = field("text").value;

function show(place, text) {
  const line = document.createElement("p");
  line.className = "none";
  line.textContent = text;
  place.replaceChildren(line);
}

function send(address, body, options) {
  const headers = { "Content-Type": "application/json", ...options?.headers };
  return fetch(address, { method: options?.method ?? "POST", headers, body: JSON.stringify(body) });
}

async function fill(place, address, body) {
  show(place, form.dataset.working);
  try {
    const page = new DOMParser().parseFromString(await (await send(address, body)).text(), "text/html");
    // A page of the whole console is the answer to a request that was refused as such.
    place.replaceChildren(...(page.querySelector("main") ?? page.body).childNodes);
  } catch {
    show(place, form.dataset.failed);
  }
}

function stated() {
  return field("verdict").querySelector("[data-stated]")?.dataset;
}

async function judge() {
  const mine = ++asked;
  const place = document.createElement("div");
  field("save").disabled = true;
  await fill(place, form.dataset.verdict, { text: field("text").value });
  // An older answer that comes later says nothing of what stands there now.
  if (mine !== asked) return;
  field("verdict").replaceChildren(...place.childNodes);
  field("save").disabled = stated()?.good === undefined;
}

function go(line, column) {
  const text = field("text");
  const start = text.value.split("\n").slice(0, line - 1).join("\n").length + (line > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start + column - 1, start + column);
  text.scrollTop = (text.scrollHeight / text.value.split("\n").length) * Math.max(line - 6, 0);
}

function filled(address, { name, first }) {
  return address.replace("POLICY", encodeURIComponent(name)).replace("FIRST", first);
}

async function save(event) {
  event.preventDefault();
  const policy = stated();
  if (policy?.good === undefined) return;
  const isStart = policy.name === form.dataset.name && policy.first === form.dataset.first;
  const tag = isStart ? form.dataset.etag : policy.etag;
  const headers = tag ? { "If-Match": `"${tag}"` } : { "If-None-Match": "*" };
  const body = { text: field("text").value, reason: field("reason").value };
  show(field("saved"), form.dataset.working);
  try {
    const answer = await send(filled(form.dataset.put, policy), body, { method: "PUT", headers });
    if (answer.ok) {
      saved = field("text").value;
      window.location.assign(filled(form.dataset.shown, policy));
    } else {
      const problem = await answer.json();
      show(field("saved"), `${problem.title} ${problem.remedy}`);
      field("saved").firstChild.className = "notice bad";
    }
  } catch {
    show(field("saved"), form.dataset.failed);
  }
}

field("text").addEventListener("input", () => {
  asked += 1;
  field("save").disabled = true;
  window.clearTimeout(timer);
  timer = window.setTimeout(judge, wait);
});
field("verdict").addEventListener("click", (event) => {
  const place = event.target.closest("[data-line]")?.dataset;
  if (place) go(Number(place.line), Number(place.column));
});
field("run").addEventListener("click", () => {
  const body = { text: field("text").value, before: field("before").value || null };
  const days = { from: field("from").value || null, to: field("to").value || null };
  fill(field("preview"), form.dataset.preview, { ...body, ...days });
});
form.addEventListener("submit", save);
window.addEventListener("beforeunload", (event) => {
  if (field("text").value !== saved) event.preventDefault();
});
judge();
