// Runs npm's oidc-provider: an authorization server that this project had no hand in. Its settings come as JSON in the
// environment; see oidcprovider.go. Whoever types a name into its sign-in page is that person.
const settings = JSON.parse(process.env.SETTINGS);
const { default: Provider } = await import(settings.module);
const provider = new Provider(settings.issuer, {
  clients: settings.clients,
  claims: { openid: ["sub"], email: ["email", "email_verified"], profile: ["name"] },
  findAccount: (ctx, sub) => ({
    accountId: sub,
    claims: () => ({ sub, email: `${sub}@example.com`, email_verified: true, name: sub, ...settings.claims }),
  }),
  extraTokenClaims: () => settings.claims,
  features: {
    clientCredentials: { enabled: true },
    introspection: { enabled: true, allowedPolicy: () => true },
    revocation: { enabled: true, allowedPolicy: () => true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => settings.resources[0].url,
      useGrantedResource: () => true,
      getResourceServerInfo: (ctx, url) => {
        const found = settings.resources.find((resource) => resource.url === url);
        if (!found) throw new Error(`no resource ${url}`);
        return { scope: "mcp", audience: url, accessTokenFormat: found.format, accessTokenTTL: settings.ttl };
      },
    },
  },
  jwks: { keys: settings.keys },
  pkce: { required: () => true },
  cookies: { keys: ["for tests alone"] },
});
provider.listen(new URL(settings.issuer).port, "127.0.0.1");
