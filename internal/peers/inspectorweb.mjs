// Uses the browser UI of npm's MCP Inspector as a person would: connects to the one server it was started for, signs in on the pages that
// come, lists the tools and runs one of them.
// Reads what to do as JSON on standard input and writes what it saw as JSON on standard output.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0, "utf8"));
const { chromium } = createRequire(task.modules + "/")("playwright-core");

const browser = await chromium.launch({
  executablePath: task.executable,
  args: ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync"],
});
const seen = { client: "", tools: [], answer: "" };
let page;
try {
  page = await browser.newPage({ viewport: { width: 1280, height: 900 } });
  page.setDefaultTimeout(60_000);
  // It asks for fonts from elsewhere.
  await page.route((url) => !["localhost", "127.0.0.1"].includes(url.hostname), (route) => route.abort());
  const home = new URL(task.address).origin + "/";
  await page.goto(task.address);
  await page.getByRole("switch", { name: "Connect or disconnect" }).click({ force: true });
  await page.waitForURL((url) => !url.href.startsWith(home));
  seen.client = new URL(page.url()).searchParams.get("client_id") ?? "";
  for (let step = 1; step <= 6 && !page.url().startsWith(home); step++) {
    for (const [name, value] of Object.entries(task.answers)) {
      const field = page.locator(`input[name="${name}"]:not([type=hidden]):not([type=submit])`);
      if (await field.count()) await field.first().fill(value);
    }
    let button = page.locator(`button[name="decision"][value="${task.answers.decision}"]`);
    if (!(await button.count())) button = page.locator("form button");
    await Promise.all([page.waitForEvent("framenavigated"), button.first().click()]);
    await page.waitForLoadState();
  }
  await page.getByText("Connected", { exact: true }).waitFor();
  await page.locator("label").filter({ hasText: /^Tools$/ }).click();
  const tool = page.locator("button.list-item").filter({ hasText: task.tool });
  await tool.waitFor();
  // Where a tool has a title, its name stands below that.
  seen.tools = (await page.locator("button.list-item").allInnerTexts()).map((entry) => entry.trim().split("\n").at(-1)).sort();
  await tool.click();
  for (const [name, value] of Object.entries(task.arguments)) {
    await page.getByRole("textbox", { name: new RegExp("^" + name) }).fill(value);
  }
  await page.getByRole("button", { name: "Execute Tool" }).click();
  const answer = page.getByText(new RegExp(task.answer)).first();
  await answer.waitFor();
  seen.answer = await answer.innerText();
} catch (error) {
  console.error(page && (await page.locator("body").innerText()));
  throw error;
} finally {
  await browser.close();
}
process.stdout.write(JSON.stringify(seen));
