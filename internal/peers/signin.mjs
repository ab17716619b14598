// Signs in with a client made with one of the TypeScript SDKs, lists the tools it then sees, and may call one until it has a new token.
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
const { createPrivateKeyJwtAuth, PrivateKeyJwtProvider, ClientCredentialsProvider } = v2 ?? load("@modelcontextprotocol/sdk/client/auth-extensions.js");

// What a program that people use has to remember of its login.
function person() {
  const kept = {};
  if (task.client) kept.client = { client_id: task.client, client_secret: task.secret, issuer: task.issuer };
  const opened = [];
  const provider = {
    redirectUrl: task.redirect,
    clientMetadata: { client_name: "registered", redirect_uris: [task.redirect], token_endpoint_auth_method: task.clientAuth },
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
    redirectToAuthorization: (address) => { opened.push(address); },
  };
  if (task.key) {
    provider.addClientAuthentication = createPrivateKeyJwtAuth({
      issuer: task.document, subject: task.document, privateKey: task.key, alg: task.key.alg,
    });
  }
  return { provider, kept, opened };
}

// A client that acts for itself.
const machine = () => ({
  provider: task.key
    ? new PrivateKeyJwtProvider({ clientId: task.machine, privateKey: task.key, algorithm: task.key.alg, expectedIssuer: task.issuer })
    : new ClientCredentialsProvider({ clientId: task.machine, clientSecret: task.secret, expectedIssuer: task.issuer }),
  kept: {}, opened: [],
});

const who = task.machine ? machine() : person();
const connect = async () => {
  const transport = new StreamableHTTPClientTransport(new URL(task.url), { authProvider: who.provider });
  const client = new Client({ name: "typescript-" + task.sdk, version: "1" });
  return { transport, client, error: await client.connect(transport).then(() => undefined, (error) => error) };
};

const outcome = { failed: "", tools: [], client: "", clientAuth: "", answers: [], opened: 0 };
let session = await connect();
if (session.error && who.opened.length) {
  console.log(String(who.opened[0]));
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
  outcome.clientAuth = who.kept.client?.token_endpoint_auth_method ?? "";
  const answers = new Set();
  const first = who.kept.tokens?.access_token;
  while (task.call && who.kept.tokens.access_token === first) {
    const answer = await session.client.callTool({ name: task.call, arguments: task.arguments }).catch((error) => error);
    answers.add(answer instanceof Error ? String(answer) : answer.content.map((part) => part.text).join());
    if (answer instanceof Error) break;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  outcome.answers = [...answers];
  await session.client.close();
}
outcome.opened = who.opened.length;
process.stdout.write(JSON.stringify(outcome) + "\n", () => process.exit(0));
