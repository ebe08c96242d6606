// The chat page in headless Chromium, as people use it: HERD_URL and HERD_KEY say where, CHROMIUM which browser.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

const { HERD_URL: url, HERD_KEY: key, CHROMIUM: program } = process.env;
const dot = "iVBORw0KGgoAAAANSUhEUgAAAAUAAAAFCAYAAACNbyblAAAAHElEQVQI12P4//8/w38GIAXDIBKE0DHxgljNBAAO9TXL0Y4OHwAAAABJRU5ErkJggg==";

// A page that is watched: what it asks of others, what breaks, what its rules forbid.
async function open(browser, options = {}) {
  const context = await browser.newContext({ permissions: ["clipboard-read", "clipboard-write"], ...options });
  const page = await context.newPage();
  const watched = { foreign: [], wrong: [], asked: [] };
  page.on("request", (request) => {
    if (!request.url().startsWith(url) && !request.url().startsWith("data:")) watched.foreign.push(request.url());
    if (request.method() === "POST") watched.asked.push(request.postDataJSON());
  });
  page.on("pageerror", (error) => watched.wrong.push(String(error)));
  page.on("console", (message) => { if (message.type() === "error") watched.wrong.push(message.text()); });
  await page.addInitScript(() => {
    document.addEventListener("securitypolicyviolation", (event) => console.error("forbidden: " + event.violatedDirective));
  });
  await page.goto(url);
  await page.locator("#model", { hasText: "cria" }).waitFor();
  return { page, watched, close: () => context.close() };
}

async function set(page, values) {
  if (await page.locator("#settings").isHidden()) await page.click("#toggle");
  for (const [id, value] of Object.entries({ key, ...values })) await page.fill("#" + id, String(value));
}

const answers = (page) => page.locator("article.assistant");
const done = (page, count = 1) => page.locator("article.assistant footer").nth(count - 1).waitFor();

async function say(page, text, count = 1) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await done(page, count);
}

// Answers that do not end by themselves, for what takes time.
const endless = (page) => page.route("**/v1/chat/completions", (route) => {
  route.continue({ postData: JSON.stringify({ ...route.request().postDataJSON(), ignore_eos: true }) });
});

// A line that carries about 200 tokens a second, whatever the server's speed: an answer of thousands takes long enough
// to be looked at and left.
async function slowLine(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Network.emulateNetworkConditions",
    { offline: false, latency: 0, uploadThroughput: -1, downloadThroughput: 50_000 });
}

// A server's answer of the test's own.
const pretend = (page, text) => page.route("**/v1/chat/completions", (route) => route.fulfill({
  contentType: "text/event-stream",
  body: `data: ${JSON.stringify({ choices: [{ index: 0, delta: { role: "assistant", content: text }, finish_reason: null }] })}\n\n`
    + `data: ${JSON.stringify({ choices: [{ index: 0, delta: {}, finish_reason: "stop" }] })}\n\ndata: [DONE]\n\n`,
}));

const checks = {
  async "streams an answer piece by piece"({ page }) {
    await set(page, { temperature: 0, max_tokens: 400 });
    await endless(page);
    await slowLine(page);
    await page.evaluate(() => {
      window.sizes = new Set();
      new MutationObserver(() => window.sizes.add(document.querySelector("article.assistant .body")?.textContent.length))
        .observe(document.getElementById("log"), { childList: true, subtree: true, characterData: true });
    });
    await say(page, "Hello");
    assert.ok(await page.evaluate(() => window.sizes.size) > 3, "the text grew in steps");
    assert.match(await page.locator("article.assistant footer").innerText(), /400 tokens .* tokens\/s .* cut off/s);
  },

  async "stops with Esc and goes on"({ page }) {
    await set(page, { temperature: 0, max_tokens: 3000 });
    await endless(page);
    await slowLine(page);
    await page.fill("#text", "Tell me a story.");
    await page.press("#text", "Enter");
    await page.waitForFunction(() => document.querySelector("article.assistant .body")?.textContent.length > 20);
    assert.ok(await page.locator("#stop").isVisible());
    await page.keyboard.press("Escape");
    await done(page);
    assert.match(await page.locator("article.assistant footer").innerText(), /stopped/);
    assert.ok(await page.locator("#send").isVisible());
    await page.unroute("**/v1/chat/completions");
    await set(page, { max_tokens: 8 });
    await say(page, "And now?", 2);
  },

  async "writes the last answer again"({ page, watched }) {
    await set(page, { max_tokens: 8, temperature: 0 });
    await say(page, "Hello");
    const first = await answers(page).innerText();
    await page.fill("#temperature", "2");
    await page.fill("#seed", "12345");
    await page.getByRole("button", { name: "Again" }).click();
    await done(page);
    assert.equal(await answers(page).count(), 1);
    assert.notEqual(await answers(page).innerText(), first);
    assert.equal(watched.asked.length, 2);
    assert.deepEqual(watched.asked[1].messages, watched.asked[0].messages);
  },

  async "takes pictures by drop, paste and choice"({ page, watched }) {
    await set(page, { max_tokens: 4 });
    const bytes = Buffer.from(dot, "base64");
    const give = (kind) => page.evaluate(([kind, text]) => {
      const data = new DataTransfer();
      data.items.add(new File([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], "dot.png", { type: "image/png" }));
      document.dispatchEvent(kind === "drop" ? new DragEvent("drop", { dataTransfer: data, bubbles: true, cancelable: true })
        : new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    }, [kind, dot]);
    await give("drop");
    await give("paste");
    await page.setInputFiles("#file", { name: "dot.png", mimeType: "image/png", buffer: bytes });
    await page.locator("#pictures img").nth(2).waitFor();
    await page.getByRole("button", { name: "Remove picture 3" }).click();
    assert.equal(await page.locator("#pictures img").count(), 2);
    await say(page, "What is this?");
    assert.equal(await page.locator("article.user img").count(), 2);
    assert.deepEqual(watched.asked[0].messages[0].content.map((part) => part.type), ["image_url", "image_url", "text"]);
    assert.equal(watched.asked[0].messages[0].content[0].image_url.url, "data:image/png;base64," + dot);
  },

  async "copies an answer"({ page }) {
    await set(page, { max_tokens: 12, temperature: 0 });
    await say(page, "Hello");
    await page.getByRole("button", { name: "Copy" }).click();
    await page.getByRole("button", { name: "Copied" }).waitFor();
    assert.equal(await page.evaluate(() => navigator.clipboard.readText()), await page.locator("article.assistant .body").textContent());
  },

  async "sends its settings"({ page, watched }) {
    await set(page, { system: "Be short.", temperature: 0.5, top_p: 0.9, top_k: 40, max_tokens: 3, seed: 7 });
    await say(page, "Hello");
    const { messages, model, stream, ...rest } = watched.asked[0];
    assert.deepEqual(messages, [{ role: "system", content: "Be short." }, { role: "user", content: "Hello" }]);
    assert.equal(model, "cria");
    assert.equal(stream, true);
    for (const [name, value] of Object.entries({ temperature: 0.5, top_p: 0.9, top_k: 40, max_tokens: 3, seed: 7 }))
      assert.equal(rest[name], value, name);
    await page.click("#new");
    assert.equal(await page.locator("article").count(), 0);
  },

  async "says what is wrong and tries again"({ page, watched }) {
    await page.fill("#text", "Hello");
    await page.press("#text", "Enter");
    await page.locator("#status .wrong", { hasText: "API key" }).waitFor();
    assert.ok(await page.locator("#settings").isVisible(), "where the key is wanted");
    await set(page, { max_tokens: 4 });
    await page.getByRole("button", { name: "Try again" }).click();
    await done(page);
    watched.wrong = watched.wrong.filter((text) => !text.includes("401"));
  },

  async "is usable by keyboard alone"({ page }) {
    const focus = () => page.evaluate(() => document.activeElement.id);
    assert.equal(await focus(), "text");
    for (let i = 0; i < 10 && await focus() !== "toggle"; ++i) await page.keyboard.press("Shift+Tab");
    assert.equal(await focus(), "toggle");
    assert.notEqual(await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle), "none");
    await page.keyboard.press("Enter");
    assert.equal(await page.getAttribute("#toggle", "aria-expanded"), "true");
    for (let i = 0; i < 10 && await focus() !== "max_tokens"; ++i) await page.keyboard.press("Tab");
    await page.keyboard.type("4");
    for (let i = 0; i < 10 && await focus() !== "key"; ++i) await page.keyboard.press("Tab");
    await page.keyboard.type(key);
    for (let i = 0; i < 10 && await focus() !== "text"; ++i) await page.keyboard.press("Tab");
    await page.keyboard.type("One");
    await page.keyboard.press("Shift+Enter");
    await page.keyboard.type("two");
    await page.keyboard.press("Enter");
    await done(page);
    assert.equal(await page.locator("article.user .body").textContent(), "One\ntwo");
    assert.equal(await focus(), "text");
    for (const element of await page.locator("button:visible, input:visible, textarea:visible").all()) {
      const named = await element.evaluate((e) => e.getAttribute("aria-label") || e.textContent.trim() || e.labels?.[0]?.textContent.trim());
      assert.ok(named, await element.evaluate((e) => e.outerHTML));
    }
  },

  // D11: what a model writes is text, whatever it writes.
  async "never takes an answer for a page"({ page }) {
    const nasty = "<img src=x onerror=alert(1)> ![p](http://evil.example/x.png) <script>alert(2)</script> [a](javascript:alert(3))\n```html\n<iframe src=//evil.example></iframe>\n```";
    await pretend(page, nasty);
    page.on("dialog", () => assert.fail("a script ran"));
    await say(page, "Hello");
    assert.equal(await page.locator("article.assistant").locator("img, script, iframe, a").count(), 0);
    assert.ok((await page.locator("article.assistant .body").textContent()).includes("<img src=x onerror=alert(1)>"));
    assert.equal(await page.locator("article.assistant pre code").count(), 1);
  },
};

// The contrast of text and background as WCAG 2 computes it.
const contrast = (page) => page.evaluate(() => {
  const luminance = (text) => {
    const [r, g, b] = text.match(/[\d.]+/g).slice(0, 3).map((v) => v / 255)
      .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const style = getComputedStyle(document.body);
  const background = style.backgroundColor === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.documentElement).backgroundColor : style.backgroundColor;
  const [light, dark] = [luminance(style.color), luminance(background)].sort((a, b) => b - a);
  return { background, ratio: (light + 0.05) / (dark + 0.05) };
});

const browser = await chromium.launch({ executablePath: program, args: process.getuid() === 0 ? ["--no-sandbox"] : [] });
try {
  for (const [name, check] of Object.entries(checks)) {
    const opened = await open(browser);
    await check(opened);
    assert.deepEqual(opened.watched.foreign, [], name + ": asks nobody else");
    assert.deepEqual(opened.watched.wrong, [], name + ": nothing breaks and no rule is violated");
    await opened.close();
    console.log("ok  ", name);
  }
  const seen = [];
  for (const colorScheme of ["light", "dark"]) {
    const { page, watched, close } = await open(browser, { colorScheme });
    seen.push(await contrast(page));
    assert.deepEqual(watched.wrong, []);
    await close();
  }
  assert.notEqual(seen[0].background, seen[1].background);
  for (const { ratio } of seen) assert.ok(ratio >= 7, `contrast ${ratio}`);
  console.log("ok   is readable in light and in dark");
} finally {
  await browser.close();
}
