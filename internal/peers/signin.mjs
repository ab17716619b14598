// Signs in with a client made with one of the TypeScript SDKs and lists the tools it then sees.
// Reads what to do as a line of JSON on standard input; writes the address that a browser has to open, reads the address where
// that ended, each a line, and writes the outcome as JSON.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const line = async () => (await lines.next()).value;
const task = JSON.parse(await line());
const load = createRequire(task.modules + "/");
const v2 = task.sdk === "v2" ? load("@modelcontextprotocol/client") : undefined;
const { Client } = v2 ?? load("@modelcontextprotocol/sdk/client/index.js");
const { StreamableHTTPClientTransport } = v2 ?? load("@modelcontextprotocol/sdk/client/streamableHttp.js");
const { createPrivateKeyJwtAuth, PrivateKeyJwtProvider } = v2 ?? load("@modelcontextprotocol/sdk/client/auth-extensions.js");

// What a program that people use has to remember of its login.
function person() {
  const kept = {};
  let opened;
  const provider = {
    redirectUrl: task.redirect,
    clientMetadata: { client_name: "registered", redirect_uris: [task.redirect] },
    clientMetadataUrl: task.document || undefined,
    state: () => "a state",
    clientInformation: () => kept.client,
    saveClientInformation: (client) => { kept.client = client; },
    tokens: () => kept.tokens,
    saveTokens: (tokens) => { kept.tokens = tokens; },
    codeVerifier: () => kept.verifier,
    saveCodeVerifier: (verifier) => { kept.verifier = verifier; },
    discoveryState: () => kept.discovery,
    saveDiscoveryState: (state) => { kept.discovery = state; },
    redirectToAuthorization: (address) => { opened = address; },
  };
  if (task.key) {
    provider.addClientAuthentication = createPrivateKeyJwtAuth({
      issuer: task.document, subject: task.document, privateKey: task.key, alg: task.key.alg,
    });
  }
  return { provider, kept, opened: () => opened };
}

// A client that acts for itself.
const machine = () => ({
  provider: new PrivateKeyJwtProvider({ clientId: task.machine, privateKey: task.key, algorithm: task.key.alg, expectedIssuer: task.issuer }), kept: {},
});

const who = task.machine ? machine() : person();
const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(task.url), { authProvider: who.provider });
  const client = new Client({ name: "typescript-" + task.sdk, version: "1" });
  return { transport, client, error: await client.connect(transport).then(() => undefined, (error) => error) };
};

const outcome = { failed: "", tools: [], client: "" };
let session = await connect();
if (session.error && who.opened?.()) {
  console.log(String(who.opened()));
  const answer = new URL(await line()).searchParams;
  try {
    await session.transport.finishAuth(v2 ? answer : answer.get("code"));
    session = await connect();
  } catch (error) {
    session.error = error;
  }
}
if (session.error) {
  outcome.failed = String(session.error.message);
} else {
  outcome.tools = (await session.client.listTools()).tools.map((tool) => tool.name).sort();
  outcome.client = who.kept.client?.client_id ?? "";
  await session.client.close();
}
process.stdout.write(JSON.stringify(outcome) + "\n", () => process.exit(0));
