// The conversation of the README's picture, in headless Chromium. HERD_URL, HERD_KEY, CHROMIUM, PICTURE,
// QUESTION and OUT say what.
import { chromium } from "playwright-core";

const { HERD_URL: url, HERD_KEY: key, CHROMIUM: program, PICTURE: picture, QUESTION: question, OUT: out } = process.env;
const browser = await chromium.launch({ executablePath: program });
const page = await (await browser.newContext({ viewport: { width: 860, height: 640 } })).newPage();
await page.goto(url);
await page.locator("#model", { hasText: "cria" }).waitFor();
await page.click("#toggle");
await page.fill("#key", key);
await page.fill("#temperature", "0");
await page.click("#toggle");

let answers = 0;
async function say(text) {
  await page.fill("#text", text);
  await page.press("#text", "Enter");
  await page.locator("article.assistant footer").nth(answers++).waitFor();
}
await say("What is your name?");
await page.setInputFiles("#file", picture);
await say(question);
await page.screenshot({ path: out });
await browser.close();
