// Runs sessions of MCP clients made with the TypeScript SDKs, one after the other.
// Reads what to do as JSON on standard input and writes what the clients saw as JSON on standard output.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

const task = JSON.parse(readFileSync(0, "utf8"));
const load = createRequire(task.modules + "/");

const capabilities = { sampling: {}, elicitation: { form: {} }, roots: {} };
const answers = {
  "sampling/createMessage": () => ({ role: "assistant", model: "m", content: { type: "text", text: "sampled" } }),
  "elicitation/create": () => ({ action: "accept", content: { name: "n" } }),
  "roots/list": () => ({ roots: [{ uri: task.root, name: "root" }] }),
};

// Lists of tools that a client has because it was told that they changed, in the order they came, each taken by one step.
function news() {
  const came = [], waiting = [];
  return {
    listChanged: { tools: { autoRefresh: true, debounceMs: 0, onChanged: (error, tools) => {
      const one = error ? Promise.reject(error) : Promise.resolve({ tools });
      one.catch(() => {});
      waiting.length ? waiting.shift()(one) : came.push(one);
    } } },
    next: () => came.length ? came.shift() : new Promise((resolve) => waiting.push(resolve)),
  };
}

// A client of version 1 and the classes around it.
function first(listChanged) {
  const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const types = load("@modelcontextprotocol/sdk/types.js");
  const client = new Client({ name: "typescript-v1", version: "1" }, { capabilities, listChanged });
  const schemas = {
    "sampling/createMessage": types.CreateMessageRequestSchema, "elicitation/create": types.ElicitRequestSchema,
    "roots/list": types.ListRootsRequestSchema,
  };
  for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(schemas[method], answer);
  return { client, Transport: StreamableHTTPClientTransport };
}

// The same of version 2, which also speaks the revisions without sessions.
function second(revision, listChanged) {
  const { Client, StreamableHTTPClientTransport } = load("@modelcontextprotocol/client");
  const mode = revision === "" ? "auto" : revision >= "2026" ? { pin: revision } : "legacy";
  const client = new Client({ name: "typescript-v2", version: "1" }, { capabilities, listChanged, versionNegotiation: { mode } });
  for (const [method, answer] of Object.entries(answers)) client.setRequestHandler(method, answer);
  return { client, Transport: StreamableHTTPClientTransport };
}

const failure = (error) => ({ failed: String(error.message), code: error.code ?? null });

async function run({ sdk, url, revision, steps }) {
  const { listChanged, next } = news();
  const { client, Transport } = sdk === "v1" ? first(listChanged) : second(revision, listChanged);
  const transport = new Transport(new URL(url));
  // Neither SDK lets a client ask for an old revision, so what it asks for is changed on the way.
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if (message.method === "initialize" && revision) message.params.protocolVersion = revision;
    return send(message, options);
  };
  const saw = { revision: "", outcomes: [], failed: "" };
  try {
    await client.connect(transport);
  } catch (error) {
    saw.failed = String(error.message);
    return saw;
  }
  saw.revision = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? "";
  for (const { method, params, cancel } of steps) {
    let progress = 0;
    const stop = new AbortController();
    const options = { timeout: 20_000, signal: stop.signal };
    if (params?.name && method === "callTool") {
      options.onprogress = () => {
        progress++;
        if (cancel) stop.abort("enough");
      };
    }
    try {
      const result = method === "told" ? await next() : method === "callTool" && sdk === "v1" ?
        await client.callTool(params, undefined, options) :
        params === undefined ? await client[method](undefined, options) : await client[method](params, options);
      saw.outcomes.push({ method, name: params?.name ?? "", progress, result });
    } catch (error) {
      saw.outcomes.push({ method, name: params?.name ?? "", progress, ...failure(error) });
    }
  }
  try {
    await transport.terminateSession?.();
  } catch {
    // A server need not let sessions be ended.
  }
  await client.close();
  return saw;
}

const all = [];
for (const session of task.sessions) all.push(await run(session));
process.stdout.write(JSON.stringify(all), () => process.exit(0));
