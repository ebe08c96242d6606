// The chat page: one conversation with the model behind this server. Text from the model only ever becomes text nodes.
"use strict";

const $ = (id) => document.getElementById(id);
const log = $("log"), text = $("text"), status = $("status");

let model = "";
let needsKey = false;  // whether the server answers those with a key alone
let turns = [];       // {role, text, pictures: [data URL], element}
let waiting = [];     // pictures of the next message, as data URLs
let running = null;   // AbortController of the answer that is being written

const sizeMax = 15 * 1024 * 1024;
const picturesMax = 16;

// ---- what is said ------------------------------------------------------------------------------------------------

// Code blocks and `code`; everything else as it is.
function fill(body, said) {
  body.replaceChildren();
  said.split("```").forEach((part, i) => {
    if (i % 2 === 1) {
      const newline = part.indexOf("\n");
      const pre = document.createElement("pre");
      const code = document.createElement("code");
      code.textContent = newline < 0 ? part : part.slice(newline + 1).replace(/\n$/, "");
      pre.append(code);
      body.append(pre);
      return;
    }
    const trimmed = i === 0 ? part : part.replace(/^\n+/, "");
    trimmed.split(/(`[^`\n]+`)/).forEach((piece) => {
      if (/^`[^`\n]+`$/.test(piece)) {
        const code = document.createElement("code");
        code.textContent = piece.slice(1, -1);
        body.append(code);
      } else if (piece) {
        body.append(piece);
      }
    });
  });
}

function button(label, act) {
  const made = document.createElement("button");
  made.type = "button";
  made.textContent = label;
  made.addEventListener("click", act);
  return made;
}

function show(turn) {
  const article = document.createElement("article");
  article.className = turn.role;
  article.setAttribute("aria-label", turn.role === "user" ? "You" : "Model");
  for (const url of turn.pictures) {
    const image = document.createElement("img");
    image.src = url;
    image.alt = "Picture of the message";
    article.append(image);
  }
  const body = document.createElement("div");
  body.className = "body";
  fill(body, turn.text);
  article.append(body);
  turn.element = article;
  turn.body = body;
  $("hello").hidden = true;
  log.append(article);
  log.scrollTop = log.scrollHeight;
  return turn;
}

function finish(turn, note) {
  turn.element.classList.remove("busy");
  const footer = document.createElement("footer");
  const copy = button("Copy", async () => {
    try {
      await navigator.clipboard.writeText(turn.text);
      copy.textContent = "Copied";
    } catch {
      copy.textContent = "Cannot copy";
    }
    setTimeout(() => { copy.textContent = "Copy"; }, 1500);
  });
  footer.append(copy, button("Again", regenerate));
  if (note) footer.append(note);
  turn.element.append(footer);
}

// ---- asking ------------------------------------------------------------------------------------------------------

function request() {
  const messages = [];
  const system = $("system").value.trim();
  if (system) messages.push({ role: "system", content: system });
  for (const turn of turns) {
    const content = turn.pictures.length === 0 ? turn.text : [
      ...turn.pictures.map((url) => ({ type: "image_url", image_url: { url } })),
      { type: "text", text: turn.text },
    ];
    messages.push({ role: turn.role, content });
  }
  const body = { model, messages, stream: true, stream_options: { include_usage: true } };
  for (const name of ["temperature", "top_p", "top_k", "max_tokens", "seed"]) {
    const value = $(name).value;
    if (value !== "") body[name] = Number(value);
  }
  return body;
}

function headers() {
  const key = $("key").value.trim();  // kept here alone
  return key ? { "Content-Type": "application/json", Authorization: "Bearer " + key }
             : { "Content-Type": "application/json" };
}

// The events of a stream: calls take(data) with each one's JSON, note(comment) with comments.
async function events(response, take, note) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  let held = "";
  for (;;) {
    const { value, done } = await reader.read();
    if (done) return;
    held += value;
    for (let end; (end = held.indexOf("\n\n")) >= 0; held = held.slice(end + 2)) {
      for (const line of held.slice(0, end).split("\n")) {
        if (line.startsWith(": ")) note(line.slice(2));
        if (line.startsWith("data: ") && line !== "data: [DONE]") take(JSON.parse(line.slice(6)));
      }
    }
  }
}

async function problemOf(response) {
  try {
    return (await response.json()).error.message;
  } catch {
    return "the server answered " + response.status;
  }
}

async function answer() {
  const turn = { role: "assistant", text: "", pictures: [] };
  const body = request();
  show(turn);
  turn.element.classList.add("busy");
  running = new AbortController();
  $("send").hidden = true;
  $("stop").hidden = false;
  status.textContent = "Reading…";
  let first = 0, usage = null, note = "", failed = "";
  const follow = () => log.scrollHeight - log.scrollTop - log.clientHeight < 80;
  try {
    const response = await fetch("/v1/chat/completions",
      { method: "POST", headers: headers(), body: JSON.stringify(body), signal: running.signal });
    if (!response.ok) throw new Error(await problemOf(response));
    await events(response, (data) => {
      if (data.error) throw new Error(data.error.message);
      if (data.usage) usage = data.usage;
      const choice = data.choices[0];
      if (!choice) return;
      if (choice.finish_reason === "length") note = " · cut off by the limit of tokens";
      if (!choice.delta.content) return;
      if (!first) {
        first = performance.now();
        status.textContent = "Writing…";
      }
      const stick = follow();
      turn.text += choice.delta.content;
      fill(turn.body, turn.text);
      if (stick) log.scrollTop = log.scrollHeight;
    }, (comment) => {
      if (comment.startsWith("prompt ")) status.textContent = "Reading " + comment.slice(7) + " tokens…";
    });
  } catch (error) {
    if (error.name === "AbortError") note = " · stopped";
    else failed = error.message;
  }
  const seconds = first ? (performance.now() - first) / 1000 : 0;
  running = null;
  $("send").hidden = false;
  $("stop").hidden = true;
  if (failed) {
    turn.element.remove();
    status.textContent = "";
    const wrong = document.createElement("span");
    wrong.className = "wrong";
    wrong.textContent = failed + (turns.length > 0 ? " " : "");
    status.append(wrong, button("Try again", regenerate));
    if (/API key/.test(failed)) openSettings(true);
  } else {
    turns.push(turn);
    let speed = "";
    if (usage) {
      speed = usage.completion_tokens + " tokens";
      if (usage.completion_tokens > 1 && seconds > 0)
        speed += " · " + ((usage.completion_tokens - 1) / seconds).toFixed(1) + " tokens/s";
    }
    finish(turn, (speed + note).replace(/^ · /, ""));
    status.textContent = "";
    log.scrollTop = log.scrollHeight;
  }
  text.focus();
}

function send() {
  const said = text.value.trim();
  if (running || (!said && waiting.length === 0)) return;
  turns.push(show({ role: "user", text: said, pictures: waiting }));
  waiting = [];
  showWaiting();
  text.value = "";
  grow();
  answer();
}

function regenerate() {
  if (running) return;
  while (turns.length > 0 && turns[turns.length - 1].role === "assistant") turns.pop().element.remove();
  if (turns.length > 0) answer();
}

// ---- pictures ----------------------------------------------------------------------------------------------------

function showWaiting() {
  $("pictures").replaceChildren(...waiting.map((url, i) => {
    const item = document.createElement("li");
    const image = document.createElement("img");
    image.src = url;
    image.alt = "Picture " + (i + 1);
    const remove = button("×", () => {
      waiting.splice(i, 1);
      showWaiting();
      text.focus();
    });
    remove.setAttribute("aria-label", "Remove picture " + (i + 1));
    item.append(image, remove);
    return item;
  }));
}

function take(files) {
  for (const file of files) {
    if (!file.type.startsWith("image/")) continue;
    if (file.size > sizeMax || waiting.length >= picturesMax) {
      status.textContent = file.size > sizeMax ? file.name + " is larger than 15 MiB." : "16 pictures are the limit.";
      continue;
    }
    const reader = new FileReader();
    reader.addEventListener("load", () => {
      waiting.push(reader.result);
      showWaiting();
    });
    reader.readAsDataURL(file);
  }
}

// ---- the page ----------------------------------------------------------------------------------------------------

function grow() {
  text.style.height = "auto";
  text.style.height = text.scrollHeight + 2 + "px";
}

function openSettings(open) {
  $("settings").hidden = !open;
  $("toggle").setAttribute("aria-expanded", String(open));
}

async function greet() {
  try {
    const response = await fetch("/version");
    if (!response.ok) throw new Error(await problemOf(response));
    ({ model, needs_key: needsKey } = await response.json());
    $("model").textContent = model;
    await offerAdapters();
  } catch (error) {
    $("model").textContent = "no answer from the server: " + error.message;
  }
}

// A choice where the server has adapters of its model; those who may not ask see the model's name alone, and do not.
async function offerAdapters() {
  if (needsKey && !$("key").value.trim()) return;
  let names = [];
  try {
    const response = await fetch("/v1/models", { headers: headers() });
    if (response.ok) names = (await response.json()).data.map((each) => each.id);
  } catch {
    return;  // greet() says what is wrong with the server
  }
  if (names.length === 0) return;
  if (!names.includes(model)) model = names[0];  // it has gone
  if (names.length < 2) return $("model").replaceChildren(model);
  const choice = document.createElement("select");
  choice.setAttribute("aria-label", "Model");
  for (const name of names) choice.append(new Option(name, name, false, name === model));
  choice.addEventListener("change", () => { model = choice.value; });
  $("model").replaceChildren(choice);
}

$("say").addEventListener("submit", (event) => {
  event.preventDefault();
  send();
});
text.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    send();
  }
});
text.addEventListener("input", grow);
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape" && running) running.abort();
});
$("stop").addEventListener("click", () => running && running.abort());
$("new").addEventListener("click", () => {
  if (running) running.abort();
  for (const turn of turns) turn.element.remove();
  turns = [];
  $("hello").hidden = false;
  status.textContent = "";
  text.focus();
});
$("key").addEventListener("change", offerAdapters);
$("toggle").addEventListener("click", () => openSettings($("settings").hidden));
$("settings").addEventListener("submit", (event) => event.preventDefault());
$("attach").addEventListener("click", () => $("file").click());
$("file").addEventListener("change", () => {
  take($("file").files);
  $("file").value = "";
});
document.addEventListener("paste", (event) => {
  const files = [...event.clipboardData.files];
  if (files.length > 0) {
    event.preventDefault();
    take(files);
  }
});
document.addEventListener("dragover", (event) => {
  event.preventDefault();
  document.body.classList.add("dropping");
});
document.addEventListener("dragleave", () => document.body.classList.remove("dropping"));
document.addEventListener("drop", (event) => {
  event.preventDefault();
  document.body.classList.remove("dropping");
  take(event.dataTransfer.files);
});
greet();
