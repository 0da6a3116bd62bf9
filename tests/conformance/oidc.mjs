// An OAuth 2.0 and OpenID Connect server in memory: oidc-provider on a loopback port.
//
//     oidc.mjs PORT SETTINGS
//
// SETTINGS is JSON, or the name of a file with it:
//
//     {"ttl": {"access": 600, "refresh": 86400, "code": 60},     seconds; /control/ttl changes them
//      "tolerance": 0,                                           seconds by which clocks may differ
//      "clients": [{"id": "…", "auth": "client_secret_basic", "secret": "…", "alg": "ES384", "keys": [JWK], "grants": ["…"],
//                   "scope": "…", "redirects": ["…"], "like": "smart" | "salesforce" | "google", "audience": "…", "instance": "…", "user": "…"}],
//      "scopes": ["…"],                                          more than those in SCOPES
//      "github": {"app": "…", "installation": "…", "keys": [JWK]}}
//
// oidc-provider's own: client authentication, the grants client_credentials, refresh_token and authorization_code with PKCE,
// rotation and what happens on reuse, replays, revocation, introspection and its metadata. Of a client that is `like` "smart" it
// wants what SMART Backend Services wants beyond RFC 7523.
// Glue of ours: the JWT bearer grant (oidc_grants.mjs), what stands behind the tokens (oidc_resources.mjs), what a person
// would do in a browser, and /control, by which a test counts, revokes and disturbs (oidc_control.mjs).

import { generateKeyPairSync, randomBytes } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';

import Provider, { errors } from 'oidc-provider';

import { Control } from './oidc_control.mjs';
import { JWT_BEARER, jwtBearer, namesClient } from './oidc_grants.mjs';
import { Resources } from './oidc_resources.mjs';

const SCOPES = ['openid', 'offline_access', 'api', 'api:write', 'system/*.rs', 'system/*.cruds', 'system/Patient.rs'];
const ASSERTIONS = ['RS256', 'RS384', 'ES256', 'ES384', 'PS256', 'PS384'];

const [, , port, given] = process.argv;
const settings = JSON.parse(existsSync(given) ? readFileSync(given, 'utf8') : given);
const issuer = `http://127.0.0.1:${port}`;
const scopes = [...SCOPES, ...(settings.scopes ?? [])];
const ttl = { access: 600, refresh: 86_400, code: 60, ...settings.ttl };

const provider = new Provider(issuer, {
  clients: settings.clients.map(metadata),
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'private_key_jwt', 'none'],
  enabledJWA: { clientAuthSigningAlgValues: ASSERTIONS },
  // Its own default lets an assertion or a token live 15 seconds longer than it says.
  clockTolerance: settings.tolerance ?? 0,
  assertJwtClientAuthClaimsAndHeader: smart,
  cookies: { keys: [randomBytes(32).toString('base64url')] },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    introspection: { enabled: true, allowedPolicy: (ctx, client) => client.clientAuthMethod !== 'none' },
    resourceIndicators: { enabled: false },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: false },
  },
  scopes,
  responseTypes: ['code'],
  pkce: { required: () => true },
  // Refresh tokens also where nobody asked for `offline_access`, as most providers that are no OpenID providers do it.
  issueRefreshToken: async (ctx, client) => client.grantTypeAllowed('refresh_token'),
  expiresWithSession: async () => false,
  // Its own default rotates those of confidential clients only when they are about to expire.
  rotateRefreshToken: () => true,
  ttl: {
    AccessToken: () => ttl.access,
    ClientCredentials: () => ttl.access,
    RefreshToken: () => ttl.refresh,
    AuthorizationCode: () => ttl.code,
    Grant: 14 * 86_400,
    IdToken: 600,
    Interaction: 600,
    Session: 14 * 86_400,
  },
  jwks: { keys: [signingKey()] },
  findAccount: async (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  interactions: { url: async (ctx, interaction) => `/interaction/${interaction.uid}` },
  renderError: async (ctx, out) => {
    ctx.body = out;
  },
});

// What a client of RFC 7591 is called there.
function metadata(client) {
  const grants = client.grants ?? [];
  const coded = grants.includes('authorization_code');
  return {
    client_id: client.id,
    client_secret: client.secret,
    token_endpoint_auth_method: client.auth,
    ...(client.alg && { token_endpoint_auth_signing_alg: client.alg }),
    ...(client.keys && { jwks: { keys: client.keys } }),
    grant_types: grants,
    response_types: coded ? ['code'] : [],
    redirect_uris: client.redirects ?? [],
    ...(client.scope && { scope: client.scope }),
  };
}

// HL7 SMART App Launch 2.2, "Authenticating to the Token endpoint".
async function smart(ctx, claims, header, client) {
  if (settings.clients.find(({ id }) => id === client.clientId)?.like !== 'smart') {
    return;
  }
  const wrong = {
    alg: !['RS384', 'ES384'].includes(header.alg),
    kid: !header.kid,
    typ: header.typ !== 'JWT',
    exp: claims.exp > Math.floor(Date.now() / 1000) + 300,
    sub: claims.sub !== client.clientId,
  };
  const names = Object.keys(wrong).filter((name) => wrong[name]);
  if (names.length > 0) {
    throw new errors.InvalidClientAuth(`not as SMART has it: ${names.join(', ')}`);
  }
}

function signingKey() {
  const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'RS256', kid: 'server-1' };
}

// The person in the browser: signs in as `login_hint`, or as `operator`, and agrees to all; `refuse` does not.
async function person(ctx, next) {
  if (ctx.method !== 'GET' || !ctx.path.startsWith('/interaction/')) {
    return next();
  }
  const { params } = await provider.interactionDetails(ctx.req, ctx.res);
  const accountId = params.login_hint ?? 'operator';
  let result = { error: 'access_denied', error_description: 'the person did not agree' };
  if (accountId !== 'refuse') {
    const grant = new provider.Grant({ accountId, clientId: params.client_id });
    grant.addOIDCScope(params.scope ?? '');
    result = { login: { accountId }, consent: { grantId: await grant.save() } };
  }
  ctx.respond = false;
  await provider.interactionFinished(ctx.req, ctx.res, result, { mergeWithLastSubmission: false });
}

const control = new Control(provider, ttl);
const resources = new Resources(provider, settings, control, scopes);
provider.registerGrantType(JWT_BEARER, jwtBearer(provider, issuer, settings), ['assertion', 'scope']);
provider.use(control.routes);
provider.use(resources.routes);
provider.use(person);
provider.use(namesClient);
provider.use(control.watchTokens);
provider.on('server_error', (ctx, error) => console.error(error));
// The client is told no more than that it failed.
provider.on('grant.error', (ctx, error) => {
  ctx.state.detail = error.error_detail ?? error.message;
});

createServer(provider.callback()).listen(Number(port), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${port}`));
