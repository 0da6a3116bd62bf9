// A client of the OAuth server that is none of ours: `fetch`, and `jose` for signatures. With it the clients, the keys and the
// settings of oidc_check.mjs.

import { execFileSync } from 'node:child_process';
import { createHash, createPrivateKey, randomBytes, randomUUID } from 'node:crypto';
import { join } from 'node:path';

import { SignJWT } from 'jose';

export const [, , port] = process.argv;
export const origin = `http://127.0.0.1:${port}`;
export const TOKEN = `${origin}/token`;
export const SALESFORCE = `${origin}/services/oauth2/token`;
export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const CALLBACK = 'http://127.0.0.1:9/callback';
export const keys = JSON.parse(execFileSync(process.execPath, [join(import.meta.dirname, 'keys.mjs')], { encoding: 'utf8' }));
const open = (name) => [keys[name].public];
const person = { grants: ['authorization_code', 'refresh_token'], redirects: [CALLBACK], scope: 'openid offline_access api' };
const machine = { grants: ['client_credentials'], scope: 'api' };
export const CLIENTS = [
  { id: 'basic:client %+/&=', auth: 'client_secret_basic', secret: 'p:a%s+s w/o=r&d"~', ...machine },
  { id: 'post client', auth: 'client_secret_post', secret: 'p&s=t%+ ;', ...machine },
  { id: 'ec', auth: 'private_key_jwt', alg: 'ES384', keys: open('ec'), ...machine, scope: 'system/*.rs' },
  { id: 'rsa', auth: 'private_key_jwt', alg: 'RS384', keys: open('rsa'), ...machine, scope: 'system/*.rs' },
  { id: 'smart', auth: 'private_key_jwt', alg: 'ES384', keys: open('ec-sec1'), ...machine, scope: 'system/*.rs', like: 'smart' },
  { id: 'web', auth: 'client_secret_basic', secret: 'web-secret', ...person },
  { id: 'native', auth: 'none', ...person },
  { id: 'resource-server', auth: 'client_secret_basic', secret: 'resource-secret' },
  {
    id: '3MVG9.salesforce',
    auth: 'none',
    grants: [JWT_BEARER],
    keys: open('rsa'),
    scope: 'api',
    like: 'salesforce',
    user: 'ada@example.org',
    audience: 'https://login.salesforce.com',
    instance: `${origin}/instance`,
  },
  {
    id: 'robot@p.iam.gserviceaccount.com',
    auth: 'none',
    grants: [JWT_BEARER],
    keys: open('rsa-pkcs1'),
    scope: 'api api:write',
    like: 'google',
  },
];
export const github = { app: '12345', installation: '42', keys: open('rsa') };
export const [basic, post, ec, rsa, smart, web, native, resourceServer, salesforce, google] = CLIENTS;

export async function ask(url, { headers, form, json } = {}) {
  const body = form ? new URLSearchParams(form) : json && JSON.stringify(json);
  const type = json ? { 'content-type': 'application/json' } : {};
  const answer = await fetch(url, { method: body === undefined ? 'GET' : 'POST', headers: { ...type, ...headers }, body });
  const text = await answer.text();
  let read = text;
  try {
    read = JSON.parse(text);
  } catch {}
  return { status: answer.status, body: read, headers: answer.headers };
}

const encoded = (text) => new URLSearchParams({ '': text }).toString().slice(1);
export const basicOf = ({ id, secret }, code = encoded) => ({
  authorization: `Basic ${Buffer.from(`${code(id)}:${code(secret)}`).toString('base64')}`,
});
export const control = async (name, json) => (await ask(`${origin}/control/${name}`, { json })).body;
export const whoami = (token) => ask(`${origin}/api/whoami`, { headers: token ? { authorization: `Bearer ${token}` } : {} });

export function signed(claims, { key, alg, kid, ...header }) {
  return new SignJWT(claims)
    .setProtectedHeader({ alg, kid: kid === undefined ? key.kid : kid || undefined, ...header })
    .sign(createPrivateKey(key.pem));
}

export const now = () => Math.floor(Date.now() / 1000);
const claimsOf = (client, changes) => ({
  iss: client.id,
  sub: client.id,
  aud: TOKEN,
  iat: now(),
  exp: now() + 300,
  jti: randomUUID(),
  ...changes,
});
const form = (assertion, scope = 'system/*.rs') => ({
  grant_type: 'client_credentials',
  scope,
  client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
  client_assertion: assertion,
});
const keyOf = (client) => Object.values(keys).find(({ kid }) => kid === client.keys[0].kid);
export async function asserted(client, changes, { key = keyOf(client), alg = client.alg, ...header } = {}) {
  return ask(TOKEN, { form: form(await signed(claimsOf(client, changes), { key, alg, ...header })) });
}

export async function code(client, extra = {}) {
  const verifier = randomBytes(32).toString('base64url');
  const challenge = createHash('sha256').update(verifier).digest('base64url');
  const asked = {
    client_id: client.id,
    response_type: 'code',
    redirect_uri: CALLBACK,
    scope: 'api',
    state: 's-1',
    code_challenge: challenge,
    code_challenge_method: 'S256',
    ...extra,
  };
  const query = new URLSearchParams(Object.entries(asked).filter(([, value]) => value !== null));
  const came = await control('browser', { url: `${origin}/auth?${query}` });
  return { came, back: Object.fromEntries(new URL(came.location ?? 'none:').searchParams), verifier };
}

export const redeem = ({ back, verifier }, client, changes) =>
  ask(TOKEN, {
    headers: client.secret ? basicOf(client) : {},
    form: {
      grant_type: 'authorization_code',
      code: back.code,
      redirect_uri: CALLBACK,
      code_verifier: verifier,
      ...(client.secret ? {} : { client_id: client.id }),
      ...changes,
    },
  });
export const refresh = (token, client) =>
  ask(TOKEN, {
    headers: client.secret ? basicOf(client) : {},
    form: { grant_type: 'refresh_token', refresh_token: token, ...(client.secret ? {} : { client_id: client.id }) },
  });
export const CREDENTIALS = { grant_type: 'client_credentials', scope: 'api' };
