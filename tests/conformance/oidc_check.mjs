// What the OAuth server answers to a client that is none of ours (oidc_client.mjs).
//
//     oidc_check.mjs PORT
//
// Starts oidc.mjs on this port, and keys.mjs, both from its own folder; prints [{"check", "ok", "why"}]. Each check is
// something that the suites count on, so where one fails the counterpart is to blame.

import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

import {
  ask,
  asserted,
  basic,
  basicOf,
  CLIENTS,
  code,
  control,
  CREDENTIALS,
  ec,
  github,
  google,
  JWT_BEARER,
  keys,
  native,
  now,
  origin,
  port,
  post,
  redeem,
  refresh,
  resourceServer,
  rsa,
  SALESFORCE,
  salesforce,
  signed,
  smart,
  TOKEN,
  web,
  whoami,
} from './oidc_client.mjs';

const server = spawn(
  process.execPath,
  [join(import.meta.dirname, 'oidc.mjs'), port, JSON.stringify({ clients: CLIENTS, github })],
  { stdio: ['ignore', 2, 2] },
);
const results = [];

async function check(name, run) {
  try {
    await run();
    results.push({ check: name, ok: true });
  } catch (error) {
    results.push({ check: name, ok: false, why: error.message });
  }
}

function same(found, expected) {
  const [a, b] = [found, expected].map((value) => JSON.stringify(value));
  if (a !== b) {
    throw new Error(`expected ${b}, found ${a}`);
  }
}

const refused = ({ status, body }, expected, error) => same([status, body.error], [expected, error]);

async function clientAuthentication() {
  await check('client_secret_basic with form-encoded halves', async () => {
    const answer = await ask(TOKEN, { headers: basicOf(basic), form: CREDENTIALS });
    same(
      [answer.status, Object.keys(answer.body).sort(), answer.body.token_type],
      [200, ['access_token', 'expires_in', 'scope', 'token_type'], 'Bearer'],
    );
    const { body } = await whoami(answer.body.access_token);
    same([body.client, body.subject, body.scope], [basic.id, null, 'api']);
  });
  await check('client_secret_basic with raw halves is refused', async () => {
    const answer = await ask(TOKEN, { headers: basicOf(basic, (text) => text), form: CREDENTIALS });
    same([answer.status, answer.body.error], [400, 'invalid_request']);
  });
  await check('a wrong secret is invalid_client, and names the scheme', async () => {
    const answer = await ask(TOKEN, { headers: basicOf({ ...basic, secret: 'other' }), form: CREDENTIALS });
    refused(answer, 401, 'invalid_client');
    same(answer.headers.get('www-authenticate').split(' ')[0], 'Basic');
  });
  await check('client_secret_post', async () => {
    const answer = await ask(TOKEN, { form: { ...CREDENTIALS, client_id: post.id, client_secret: post.secret } });
    same(answer.status, 200);
    same((await control('requests')).last.auth, 'client_secret_post');
  });
  await check('a scope that the client may not have is invalid_scope', async () =>
    refused(await ask(TOKEN, { headers: basicOf(basic), form: { ...CREDENTIALS, scope: 'api:write' } }), 400, 'invalid_scope'),
  );
  for (const client of [ec, rsa]) {
    await check(`private_key_jwt with ${client.alg}`, async () => {
      const answer = await asserted(client);
      same([answer.status, answer.body.scope], [200, 'system/*.rs']);
      const { last } = await control('requests');
      same([last.auth, last.assertion.alg, last.assertion.seconds_left >= 298], ['private_key_jwt', client.alg, true]);
    });
    await check(`${client.alg}: with the issuer as audience`, async () =>
      same((await asserted(client, { aud: origin })).status, 200),
    );
    await check(`${client.alg}: another audience is refused`, async () =>
      refused(await asserted(client, { aud: 'https://example.org' }), 401, 'invalid_client'),
    );
    await check(`${client.alg}: a jti that was used before is refused`, async () => {
      const jti = randomUUID();
      same((await asserted(client, { jti })).status, 200);
      refused(await asserted(client, { jti }), 401, 'invalid_client');
    });
    await check(`${client.alg}: an expired assertion is refused`, async () =>
      refused(await asserted(client, { iat: now() - 300, exp: now() - 1 }), 401, 'invalid_client'),
    );
    const stranger = keys[client === ec ? 'ec-stranger' : 'rsa-stranger'];
    await check(`${client.alg}: another key is refused`, async () =>
      refused(await asserted(client, {}, { key: stranger }), 401, 'invalid_client'),
    );
    await check(`${client.alg}: another key under a known kid is refused`, async () =>
      refused(await asserted(client, {}, { key: stranger, kid: client.keys[0].kid }), 401, 'invalid_client'),
    );
  }
  await check('an algorithm that the client is not registered for is refused', async () =>
    refused(await asserted(rsa, {}, { alg: 'RS256' }), 401, 'invalid_client'),
  );
}

async function backendServices() {
  const header = { typ: 'JWT' };
  await check('as SMART: an assertion of five minutes', async () => same((await asserted(smart, {}, header)).status, 200));
  for (const [what, changes, other] of [
    ['typ', {}, {}],
    ['kid', {}, { ...header, kid: '' }],
    ['exp', { exp: now() + 400 }, header],
  ]) {
    await check(`as SMART: a wrong ${what} is refused`, async () => {
      refused(await asserted(smart, changes, other), 401, 'invalid_client');
      same((await control('requests')).last.detail, `not as SMART has it: ${what}`);
    });
  }
}

async function codes() {
  for (const client of [web, native]) {
    let first;
    await check(`${client.auth}: code and PKCE to the end`, async () => {
      const got = await code(client);
      same([got.back.state, got.back.iss, got.came.hops], ['s-1', origin, 2]);
      const answer = await redeem(got, client);
      same(
        [answer.status, Object.keys(answer.body).sort()],
        [200, ['access_token', 'expires_in', 'refresh_token', 'scope', 'token_type']],
      );
      same([(await whoami(answer.body.access_token)).body.subject, answer.body.expires_in], ['operator', 600]);
      first = answer.body;
      refused(await redeem(got, client), 400, 'invalid_grant');
      same((await whoami(first.access_token)).status, 401);
    });
    await check(`${client.auth}: a wrong verifier is refused`, async () =>
      refused(await redeem(await code(client), client, { code_verifier: 'v'.repeat(43) }), 400, 'invalid_grant'),
    );
    await check(`${client.auth}: refresh tokens rotate, and reuse ends the family`, async () => {
      first = (await redeem(await code(client), client)).body;
      const second = (await refresh(first.refresh_token, client)).body;
      same([second.refresh_token === first.refresh_token, (await whoami(second.access_token)).status], [false, 200]);
      refused(await refresh(first.refresh_token, client), 400, 'invalid_grant');
      refused(await refresh(second.refresh_token, client), 400, 'invalid_grant');
      same((await whoami(second.access_token)).status, 401);
    });
  }
  await check('without PKCE there is no code', async () =>
    same((await code(web, { code_challenge: null, code_challenge_method: null })).back.error, 'invalid_request'),
  );
  await check('the person may refuse', async () => {
    const { back } = await code(web, { login_hint: 'refuse' });
    same([back.error, back.state], ['access_denied', 's-1']);
  });
  await check('a redirect that is not registered is not followed', async () => {
    const { came } = await code(web, { redirect_uri: 'http://127.0.0.1:9/elsewhere' });
    same([came.status, came.location], [400, undefined]);
  });
  await check('with openid there is an id token, and with offline_access and consent still a refresh token', async () => {
    const { body } = await redeem(await code(web, { scope: 'openid offline_access api', prompt: 'consent' }), web);
    same([typeof body.id_token, typeof body.refresh_token, body.scope], ['string', 'string', 'openid offline_access api']);
  });
}

async function revocation() {
  const revoke = (token, client, hint) =>
    ask(`${origin}/token/revocation`, { headers: basicOf(client), form: { token, ...(hint && { token_type_hint: hint }) } });
  await check('a revoked access token ends', async () => {
    const { access_token: token } = (await ask(TOKEN, { headers: basicOf(basic), form: CREDENTIALS })).body;
    const answer = await revoke(token, basic, 'access_token');
    same([answer.status, answer.body, (await whoami(token)).status], [200, '', 401]);
    same((await revoke(token, basic)).status, 200);
  });
  await check('a revoked refresh token takes its access tokens with it', async () => {
    const { access_token: access, refresh_token: token } = (await redeem(await code(web), web)).body;
    same([(await revoke(token, web, 'refresh_token')).status, (await whoami(access)).status], [200, 401]);
    refused(await refresh(token, web), 400, 'invalid_grant');
  });
  await check("another client's token is not revoked", async () => {
    const { access_token: token } = (await redeem(await code(web), web)).body;
    refused(await revoke(token, basic), 400, 'invalid_request');
    same((await whoami(token)).status, 200);
  });
  await check('introspection tells what a token is', async () => {
    const introspect = (token) => ask(`${origin}/token/introspection`, { headers: basicOf(resourceServer), form: { token } });
    const { access_token: token } = (await asserted(ec)).body;
    const { body } = await introspect(token);
    same([body.active, body.client_id, body.scope, body.token_type], [true, 'ec', 'system/*.rs', 'Bearer']);
    await control('revoke', { client: 'ec' });
    same([(await introspect(token)).body, (await whoami(token)).status], [{ active: false }, 401]);
  });
}

async function jwtBearer() {
  const assertion = (client, key, changes) =>
    signed({ iss: client.id, aud: SALESFORCE, iat: now(), exp: now() + 180, ...changes }, { key, alg: 'RS256' });
  const exchange = async (jwt, extra) => ask(SALESFORCE, { form: { grant_type: JWT_BEARER, assertion: await jwt, ...extra } });
  const ada = { sub: 'ada@example.org', aud: 'https://login.salesforce.com' };
  await check('as Salesforce: an instance, and no expiry', async () => {
    const answer = await exchange(assertion(salesforce, keys.rsa, ada));
    same([answer.status, Object.keys(answer.body).sort()], [200, ['access_token', 'id', 'instance_url', 'scope', 'token_type']]);
    same((await whoami(answer.body.access_token)).body.subject, 'ada@example.org');
    same((await control('requests')).last.parameters, ['assertion', 'grant_type']);
  });
  for (const [what, changes, key] of [
    ['another user', { ...ada, sub: 'eve@example.org' }],
    ['nobody', { ...ada, sub: undefined }],
    ['another audience', { ...ada, aud: 'https://example.org' }],
    ['an expired assertion', { ...ada, exp: now() - 1 }],
    ['one that lives too long', { ...ada, exp: now() + 3_600 }],
    ['another key', ada, keys['rsa-stranger']],
  ]) {
    await check(`as Salesforce: ${what} is refused`, async () =>
      refused(await exchange(assertion(salesforce, key ?? keys.rsa, changes)), 400, 'invalid_grant'),
    );
  }
  await check('as Google: the scope is a claim', async () => {
    const { status, body } = await exchange(assertion(google, keys['rsa-pkcs1'], { scope: 'api:write', exp: now() + 3_600 }));
    same([status, body.scope, typeof body.expires_in, body.instance_url], [200, 'api:write', 'number', undefined]);
    same((await whoami(body.access_token)).body.subject, google.id);
  });
  await check('as Google: without iat it is refused', async () => {
    refused(await exchange(assertion(google, keys['rsa-pkcs1'], { iat: undefined })), 400, 'invalid_grant');
  });
  await check('as Google: a jti that was used before is refused', async () => {
    const jti = randomUUID();
    same((await exchange(assertion(google, keys['rsa-pkcs1'], { jti }))).status, 200);
    refused(await exchange(assertion(google, keys['rsa-pkcs1'], { jti })), 400, 'invalid_grant');
  });
  const installation = (id, jwt, headers) =>
    ask(`${origin}/app/installations/${id}/access_tokens`, { json: {}, headers: { authorization: `Bearer ${jwt}`, ...headers } });
  const app = (changes) =>
    signed({ iss: github.app, iat: now() - 60, exp: now() + 540, ...changes }, { key: keys.rsa, alg: 'RS256' });
  await check('as GitHub: a token of an installation', async () => {
    const { status, body } = await installation('42', await app());
    same([status, /^ghs_/.test(body.token), Date.parse(body.expires_at) > Date.now()], [201, true, true]);
    same((await whoami(body.token)).body.subject, 'installation:42');
    same((await installation('43', await app())).status, 404);
    same((await installation('42', await app({ exp: now() + 700 }))).status, 401);
    same((await installation('42', await app({ iss: '54321' }))).status, 401);
  });
}

async function disturbances() {
  const token = async () => ask(TOKEN, { headers: basicOf(basic), form: CREDENTIALS });
  await check('tokens of two seconds end', async () => {
    await control('ttl', { access: 2 });
    const { body } = await token();
    await control('ttl', { access: 600 });
    same([body.expires_in, (await whoami(body.access_token)).status], [2, 200]);
    await sleep(2_100);
    same((await whoami(body.access_token)).status, 401);
  });
  await check('answers fail, are late or lost when asked for', async () => {
    await control('reset', {});
    await control('faults', { fail: 1, retry_after: 1 });
    const failed = await token();
    same([failed.status, failed.headers.get('retry-after'), (await token()).status], [503, '1', 200]);
    await control('faults', { delay: 300 });
    const started = Date.now();
    await token();
    same(Date.now() - started >= 300, true);
    await control('faults', { delay: 0, lose: 1 });
    same(await token().catch(() => 'lost'), 'lost');
    await control('faults', { unauthorized: 1 });
    const { body } = await token();
    same([(await whoami(body.access_token)).status, (await whoami(body.access_token)).status], [401, 200]);
    const { counts } = await control('requests');
    same([counts['?']['?'], counts[basic.id].client_credentials], [{ 503: 1 }, { 200: 4 }]);
  });
  await check('a slow answer that is cut off is told', async () => {
    const { body } = await token();
    const cut = new AbortController();
    const asking = fetch(`${origin}/api/slow?ms=5000&drip=50`, {
      headers: { authorization: `Bearer ${body.access_token}` },
      signal: cut.signal,
    });
    same((await asking).status, 200);
    cut.abort();
    await sleep(100);
    same((await control('api')).slow.at(-1).how, 'cut');
  });
  await check('what was sent is echoed', async () => {
    const { body } = await ask(`${origin}/api/echo?a=b`, { json: { x: 1 }, headers: { authorization: 'Bearer t' } });
    same([body.method, body.target, body.authorization, body.body], ['POST', '/api/echo?a=b', 'Bearer t', '{"x":1}']);
  });
  await check('nobody is told 401, and no error', async () =>
    same((await whoami()).headers.get('www-authenticate'), 'Bearer realm="api"'),
  );
  await check('tokens are listed, and their values only when asked for', async () => {
    const listed = await control('tokens');
    const working = listed.filter(({ works }) => works);
    const later = working.filter(({ expires }) => expires > now());
    same([working.length > 10, working.length < listed.length, later.length], [true, true, working.length]);
    same(
      [listed.length > 10, listed.some(({ value }) => value), (await control('tokens?values=1')).every(({ value }) => value)],
      [true, false, true],
    );
  });
  await check('metadata is where RFC 8414, OpenID and SMART have it', async () => {
    for (const [name, member, expected] of [
      ['oauth-authorization-server', 'revocation_endpoint', `${origin}/token/revocation`],
      ['openid-configuration', 'issuer', origin],
      ['smart-configuration', 'token_endpoint', TOKEN],
    ]) {
      same((await ask(`${origin}/.well-known/${name}`)).body[member], expected);
    }
  });
}

try {
  while (!(await fetch(`${origin}/jwks`).catch(() => null))) {
    await sleep(50);
  }
  for (const part of [clientAuthentication, backendServices, codes, revocation, jwtBearer, disturbances]) {
    await part();
  }
} finally {
  server.kill();
}
console.log(JSON.stringify(results));
