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

// What a client of version 1 does with tasks (revision 2025-11-25, "Tasks"). A step that names no task is about the one
// that was created last.
function tasksOf(client, types) {
  const { CreateTaskResultSchema, ResultSchema, TaskStatusNotificationSchema } = types;
  const told = [], waiting = [];
  client.setNotificationHandler(TaskStatusNotificationSchema, ({ params }) => {
    told.push(params);
    for (const look of waiting.splice(0)) look();
  });
  let last;
  const at = ({ taskId = last }) => ({ taskId });
  return {
    createTask: async (params) => {
      const created = await client.request({ method: "tools/call", params }, CreateTaskResultSchema, { task: {} });
      last = created.task.taskId;
      return created;
    },
    taskUntil: async (params) => {
      for (;;) {
        const task = await client.getTask(at(params));
        if (task.status === params.status) return task;
        await new Promise((resolve) => setTimeout(resolve, 100));
      }
    },
    taskTold: async (params) => {
      const { taskId } = at(params);
      for (;;) {
        const found = told.find((task) => task.taskId === taskId && task.status === params.status);
        if (found) return found;
        await new Promise((resolve) => waiting.push(resolve));
      }
    },
    getTask: (params) => client.getTask(at(params)),
    getTaskResult: (params) => client.getTaskResult(at(params), ResultSchema),
    cancelTask: (params) => client.cancelTask(at(params)),
    runTask: async (params) => {
      for await (const message of client.experimental.tasks.callToolStream(params)) {
        if (message.type === "error") throw message.error;
        if (message.type === "result") return message.result;
      }
    },
  };
}

// What a client that runs tasks itself answers to a server that asks for one: its task, which is done by then.
async function asTask(answer, { taskStore, taskRequestedTtl }) {
  const { taskId } = await taskStore.createTask({ ttl: taskRequestedTtl });
  await taskStore.storeTaskResult(taskId, "completed", answer());
  return { task: await taskStore.getTask(taskId) };
}

// A client of version 1 and the classes around it.
function first(listChanged, runsTasks) {
  const { Client } = load("@modelcontextprotocol/sdk/client/index.js");
  const { StreamableHTTPClientTransport } = load("@modelcontextprotocol/sdk/client/streamableHttp.js");
  const types = load("@modelcontextprotocol/sdk/types.js");
  const { InMemoryTaskStore } = load("@modelcontextprotocol/sdk/experimental/tasks");
  const client = new Client({ name: "typescript-v1", version: "1" }, runsTasks ? {
    listChanged, taskStore: new InMemoryTaskStore(),
    capabilities: { ...capabilities, tasks: { requests: { elicitation: { create: {} }, sampling: { createMessage: {} } } } },
  } : { capabilities, listChanged });
  const schemas = {
    "sampling/createMessage": types.CreateMessageRequestSchema, "elicitation/create": types.ElicitRequestSchema,
    "roots/list": types.ListRootsRequestSchema,
  };
  for (const [method, answer] of Object.entries(answers)) {
    client.setRequestHandler(schemas[method], ({ params }, extra) => params?.task ? asTask(answer, extra) : answer());
  }
  return { client, Transport: StreamableHTTPClientTransport, tasks: tasksOf(client, types) };
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

async function run({ sdk, url, token, revision, tasks: runsTasks, resume, keep, steps }) {
  const { listChanged, next } = news();
  const { client, Transport, tasks = {} } = sdk === "v1" ? first(listChanged, runsTasks) : second(revision, listChanged);
  const transport = new Transport(new URL(url), {
    sessionId: resume || undefined, requestInit: token ? { headers: { Authorization: `Bearer ${token}` } } : undefined,
  });
  if (resume) transport.setProtocolVersion(revision);
  // Neither SDK lets a client ask for an old revision, so what it asks for is changed on the way.
  const send = transport.send.bind(transport);
  transport.send = (message, options) => {
    if (message.method === "initialize" && revision) message.params.protocolVersion = revision;
    return send(message, options);
  };
  const saw = { revision: "", session: "", outcomes: [], failed: "" };
  try {
    await client.connect(transport);
  } catch (error) {
    saw.failed = String(error.message);
    return saw;
  }
  saw.revision = client.getNegotiatedProtocolVersion?.() ?? transport.protocolVersion ?? "";
  saw.session = transport.sessionId ?? "";
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
      const result = method === "told" ? await next() : tasks[method] ? await tasks[method](params ?? {}) : method === "callTool" && sdk === "v1" ?
        await client.callTool(params, undefined, options) :
        params === undefined ? await client[method](undefined, options) : await client[method](params, options);
      saw.outcomes.push({ method, name: params?.name ?? "", progress, result });
    } catch (error) {
      saw.outcomes.push({ method, name: params?.name ?? "", progress, ...failure(error) });
    }
  }
  try {
    if (!keep) await transport.terminateSession?.();
  } catch {
    // A server need not let sessions be ended.
  }
  await client.close();
  return saw;
}

const all = [];
for (const session of task.sessions) all.push(await run(session));
process.stdout.write(JSON.stringify(all), () => process.exit(0));
