// Walks through forms in a real browser as a person would, and takes a picture of every page on the way.
// Reads what to do as JSON on standard input and writes what it saw as JSON on standard output.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(task.modules + "/")("playwright-core");

const browser = await chromium.launch({
  executablePath: task.executable,
  // The browser's own errands on the network are none of a test's business.
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const seen = { pages: [], complaints: [], end: "" };
try {
  const context = await browser.newContext({
    viewport: { width: task.width, height: task.height },
    isMobile: task.mobile, hasTouch: task.mobile, deviceScaleFactor: 2,
    colorScheme: task.dark ? "dark" : "light", javaScriptEnabled: task.script,
  });
  const page = await context.newPage();
  page.setDefaultTimeout(60_000);
  page.on("console", (message) => {
    if (["error", "warning"].includes(message.type())) seen.complaints.push(message.text());
  });
  page.on("pageerror", (error) => seen.complaints.push(String(error)));

  await page.goto(task.url);
  for (let step = 1; step <= 12 && !page.url().startsWith(task.until); step++) {
    const picture = `${task.pictures}-${step}.png`;
    const press = task.presses && page.locator(task.presses[step - 1] ?? "nothing").first();
    if (press && (await press.count()) && !(await press.isVisible())) {
      const folded = page.locator("details:not([open]) > summary");
      while (await folded.count()) await folded.first().click();
    }
    for (const [name, value] of Object.entries(task.answers)) {
      const field = page.locator(`input[name="${name}"]:not([type=hidden]):not([type=submit])`);
      if (await field.count()) await field.first().fill(value);
    }
    for (const selector of task.ticks ?? []) {
      const box = page.locator(selector).first();
      if ((await box.count()) && (await box.isVisible())) await box.check();
    }
    await page.screenshot({ path: picture, fullPage: true });
    seen.pages.push({
      url: page.url(), title: await page.title(), text: await page.locator("body").innerText(), picture,
      ...(await page.evaluate(() => ({
        language: document.documentElement.lang,
        overflow: document.documentElement.scrollWidth - window.innerWidth,
        unlabelled: [...document.querySelectorAll("input:not([type=hidden]), select")].filter((i) => !i.labels.length && !i.ariaLabel).map((i) => i.name),
      }))),
    });
    const wanted = task.answers.decision;
    let button = press ?? page.locator(`button[name="decision"][value="${wanted}"]`);
    if (!press && !(await button.count())) button = page.locator("form button, form input[type=submit]");
    if (!(await button.count())) break;
    await Promise.all([page.waitForEvent("framenavigated"), button.first().click()]);
    await page.waitForLoadState();
  }
  seen.end = page.url();
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(seen));
