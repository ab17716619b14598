// Runs npm's oidc-provider: an authorization server that this project had no hand in. Its settings come as JSON in the
// environment; see oidcprovider.go. Whoever types a name into its sign-in page is that person.
import { readFileSync } from "node:fs";

const settings = JSON.parse(process.env.SETTINGS);
const resources = settings.resources ?? [];
// What is said of a person is read each time, so that a test can change it.
const people = () => (settings.people ? JSON.parse(readFileSync(settings.people, "utf8")) : {});
const { default: Provider } = await import(settings.module);
const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name", ...(settings.profile ?? [])] },
  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: `${sub}@example.com`, email_verified: true, name: sub, ...settings.claims, ...people()[sub] }),
  }),
  extraTokenClaims: () => settings.claims ?? undefined,
  features: {
    backchannelLogout: { enabled: true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: resources.length > 0,
      defaultResource: () => resources[0]?.url,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, url) => {
        const found = resources.find((resource) => resource.url === url);
        if (!found) throw new Error(`no resource ${url}`);
        return { scope: "mcp", audience: url, accessTokenFormat: found.format, accessTokenTTL: settings.ttl };
      },
    },
  },
  // It would send nothing to this computer itself, where the gateway of a test is.
  fetch: (url, { dispatcher, ...options }) => fetch(url, options),
  jwks: { keys: settings.keys },
  pkce: { required: () => true },
  cookies: { keys: ["for tests alone"] },
});
provider.on("server_error", (ctx, error) => console.error(error.stack));
provider.on("backchannel.error", (ctx, error) => console.error("logout token:", error.stack, error.cause));
provider.listen(new URL(settings.issuer).port, "127.0.0.1");
