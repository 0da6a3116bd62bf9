// /control of the OAuth server: what a test counts, revokes and disturbs. Glue of ours, no part of OAuth.
//
//     GET  /control/requests            {"total", "counts": {CLIENT: {GRANT: {STATUS: n}}}, "last": …, "assertions"}
//     GET  /control/tokens[?values=1]   every token that was issued, and whether it works; its value only when asked for
//     GET  /control/api                 what the protected resources answered, and what became of slow answers
//     POST /control/revoke   {"client": …} | {"token": …} | {"all": true}     what one who runs the server would do
//     POST /control/ttl      {"access": 2, "refresh": 60}                      for tokens that are issued from now on
//     POST /control/faults   {"delay": ms, "fail": n, "status": 503, "retry_after": s, "lose": n, "unauthorized": n}
//     POST /control/browser  {"url": …}  follows redirects with cookies until one leaves this server: {"location", "hops"}
//     POST /control/reset               forgets counts and faults; tokens stay

import { createHash } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';

import { decodeJwt, decodeProtectedHeader } from 'jose';

const KINDS = ['AccessToken', 'ClientCredentials', 'RefreshToken'];
const HOPS = 10;

export class Control {
  constructor(provider, ttl) {
    Object.assign(this, { provider, ttl, tokens: [] });
    this.reset();
    for (const event of ['access_token.saved', 'client_credentials.saved', 'refresh_token.saved']) {
      provider.on(event, (token) => this.issued(token.kind, token.jti, token));
    }
  }

  reset() {
    this.requests = [];
    this.faults = { delay: 0, fail: 0, status: 503, retry_after: null, lose: 0, unauthorized: 0 };
    this.api = { ok: 0, unauthorized: 0, slow: [] };
  }

  /** A token that is out, of whatever kind. */
  issued(kind, value, { clientId, gty, exp, expiration, grantId, forget }) {
    const expires = exp ?? Math.floor(Date.now() / 1000) + expiration;
    this.tokens.push({ kind, value, client: clientId, grant: gty ?? null, expires, grantId, forget });
  }

  routes = async (ctx, next) => {
    const [, name] = /^\/control\/([a-z]+)$/.exec(ctx.path) ?? [];
    if (!name) {
      return next();
    }
    const handler = { GET: this.gets, POST: this.posts }[ctx.method]?.[name];
    if (!handler) {
      ctx.status = 404;
      ctx.body = { error: `there is no ${ctx.method} ${ctx.path}` };
      return;
    }
    ctx.status = 200;
    ctx.body = await handler(ctx.method === 'POST' ? await json(ctx) : ctx.query, ctx);
  };

  gets = {
    requests: () => {
      const counts = {};
      for (const { client, grant, status } of this.requests) {
        const of = ((counts[client ?? '?'] ??= {})[grant ?? '?'] ??= {});
        of[status] = (of[status] ?? 0) + 1;
      }
      const assertions = this.requests.map(({ assertion }) => assertion).filter(Boolean);
      const distinct = new Set(assertions.map(({ jti }) => jti)).size;
      return {
        total: this.requests.length,
        counts,
        last: this.requests.at(-1) ?? null,
        assertions: { seen: assertions.length, distinct },
      };
    },
    tokens: async ({ values }) => Promise.all(this.tokens.map((token) => this.told(token, values === '1'))),
    api: () => this.api,
  };

  posts = {
    revoke: async ({ client, token, all }) => {
      const meant = this.tokens.filter((one) => all || one.client === client || one.value === token);
      const grants = new Set(meant.map(({ grantId }) => grantId).filter(Boolean));
      for (const one of meant) {
        await this.forget(one);
      }
      for (const grantId of token ? [] : grants) {
        await (await this.provider.Grant.find(grantId))?.destroy();
      }
      return { revoked: meant.length };
    },
    ttl: (changes) => Object.assign(this.ttl, changes),
    faults: (changes) => Object.assign(this.faults, changes),
    reset: () => {
      this.reset();
      return {};
    },
    browser: ({ url }) => this.browse(url),
  };

  async find({ kind, value }) {
    return KINDS.includes(kind) ? this.provider[kind].find(value) : undefined;
  }

  async forget(token) {
    token.forget?.();
    token.forgotten = true;
    await (await this.find(token))?.destroy();
  }

  async told(token, values) {
    const { kind, value, client, grant, expires } = token;
    const found = await this.find(token);
    const works = token.forget ? expires * 1000 > Date.now() && !token.forgotten : Boolean(found && !found.consumed);
    const id = createHash('sha256').update(value).digest('hex').slice(0, 16);
    return { id, kind, client, grant, expires, works, ...(values && { value }) };
  }

  /** What a browser does, without one. */
  async browse(url) {
    const cookies = new Map();
    const { origin } = new URL(url);
    for (let hops = 0; hops < HOPS; hops += 1) {
      const jar = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ');
      const answer = await fetch(url, { redirect: 'manual', headers: jar ? { cookie: jar } : {} });
      for (const line of answer.headers.getSetCookie()) {
        const [pair] = line.split(';');
        cookies.set(pair.slice(0, pair.indexOf('=')), pair.slice(pair.indexOf('=') + 1));
      }
      const location = answer.headers.get('location');
      if (!location) {
        return { status: answer.status, body: await answer.text(), hops };
      }
      url = new URL(location, url).href;
      if (new URL(url).origin !== origin) {
        return { location: url, hops };
      }
    }
    return { error: `more than ${HOPS} redirects` };
  }

  /** Counts what comes to the token endpoint, and disturbs its answers. */
  watchTokens = async (ctx, next) => {
    if (ctx.method !== 'POST' || ctx.path !== '/token') {
      return next();
    }
    const { faults } = this;
    if (faults.fail > 0) {
      faults.fail -= 1;
      ctx.req.resume();
      this.requests.push({ at: Date.now(), client: null, grant: null, status: faults.status });
      ctx.status = faults.status;
      if (faults.retry_after !== null) {
        ctx.set('Retry-After', String(faults.retry_after));
      }
      ctx.type = 'text/html';
      ctx.body = '<html><body>The service is unavailable.</body></html>';
      return;
    }
    await next();
    this.requests.push(seen(ctx));
    if (faults.delay > 0) {
      await sleep(faults.delay);
    }
    if (faults.lose > 0) {
      faults.lose -= 1;
      ctx.respond = false;
      ctx.req.socket.destroy();
    }
  };
}

// Names and sizes, never values.
function seen(ctx) {
  const sent = ctx.oidc?.body ?? {};
  return {
    at: Date.now(),
    client: ctx.oidc?.client?.clientId ?? null,
    grant: typeof sent.grant_type === 'string' ? sent.grant_type : null,
    auth: authentication(ctx, sent),
    status: ctx.status,
    error: ctx.body?.error ?? null,
    detail: ctx.state.detail ?? null,
    type: ctx.get('content-type'),
    accept: ctx.get('accept'),
    parameters: (ctx.state.sent ?? Object.keys(sent)).sort(),
    answered: Object.keys(ctx.body ?? {}).sort(),
    assertion: assertion(sent.client_assertion ?? sent.assertion),
  };
}

// oidc-provider takes a secret in the header or in the body, whichever of the two a client is registered for.
function authentication(ctx, sent) {
  const ways = [];
  if (ctx.headers.authorization) {
    ways.push(ctx.headers.authorization.split(' ')[0].toLowerCase() === 'basic' ? 'client_secret_basic' : 'other');
  }
  if (sent.client_secret !== undefined) {
    ways.push('client_secret_post');
  }
  if (sent.client_assertion !== undefined) {
    ways.push('private_key_jwt');
  }
  return ways.join(' and ') || 'none';
}

function assertion(jwt) {
  try {
    const [header, claims] = [decodeProtectedHeader(jwt), decodeJwt(jwt)];
    const now = Math.floor(Date.now() / 1000);
    return {
      header: Object.keys(header).sort(),
      alg: header.alg,
      kid: header.kid ?? null,
      typ: header.typ ?? null,
      claims: Object.keys(claims).sort(),
      aud: claims.aud,
      seconds_left: claims.exp === undefined ? null : claims.exp - now,
      seconds_old: claims.iat === undefined ? null : now - claims.iat,
      jti: claims.jti ? createHash('sha256').update(claims.jti).digest('hex').slice(0, 16) : null,
    };
  } catch {
    return null;
  }
}

/** A request's body as JSON. */
export async function json(ctx) {
  const text = await body(ctx);
  return text ? JSON.parse(text) : {};
}

/** A request's body. */
export async function body(ctx) {
  const chunks = [];
  for await (const chunk of ctx.req) {
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString();
}
