// What stands behind the tokens of the OAuth server. Glue of ours; whether a token is valid is oidc-provider's to say.
//
//     any  /api/whoami            200 {"client", "subject", "scope", "expires"} for a valid bearer, else 401 (RFC 6750)
//     any  /api/slow?ms=N&drip=M  the same after N ms; with `drip` its header at once, and a space every M ms
//     any  /api/echo              200 {"method", "target", "authorization", "headers", "body"}, whoever asks
//     GET  /.well-known/smart-configuration
//     POST /app/installations/ID/access_tokens   as GitHub: an RS256 JWT as bearer, 201 {"token", "expires_at", …}

import { randomBytes } from 'node:crypto';

import { importJWK, jwtVerify } from 'jose';

import { body, json } from './oidc_control.mjs';

export class Resources {
  constructor(provider, settings, control, scopes) {
    Object.assign(this, { provider, settings, control, scopes, installations: new Map() });
  }

  routes = async (ctx, next) => {
    const [, installation] = /^\/app\/installations\/([^/]+)\/access_tokens$/.exec(ctx.path) ?? [];
    const handler = {
      '/api/whoami': this.whoami,
      '/api/slow': this.slow,
      '/api/echo': this.echo,
      '/.well-known/smart-configuration': this.smart,
    }[ctx.path];
    if (installation && ctx.method === 'POST') {
      return this.github(ctx, installation);
    }
    return handler ? handler(ctx) : next();
  };

  /** Who the bearer is; or null, after an answer that says why it is nobody. */
  async bearer(ctx) {
    const [, token] = /^Bearer ([\w.~+/=-]+)$/i.exec(ctx.get('authorization')) ?? [];
    const who = token && (await this.valid(token));
    const spoiled = this.control.faults.unauthorized > 0;
    if (who && !spoiled) {
      this.control.api.ok += 1;
      return who;
    }
    this.control.faults.unauthorized -= spoiled ? 1 : 0;
    this.control.api.unauthorized += 1;
    ctx.status = 401;
    const realm = 'Bearer realm="api"';
    ctx.set('WWW-Authenticate', token ? `${realm}, error="invalid_token", error_description="The token does not work"` : realm);
    ctx.body = token ? { error: 'invalid_token' } : { error: 'unauthorized' };
    return null;
  }

  async valid(token) {
    const { provider } = this;
    const installed = this.installations.get(token);
    if (installed && installed.expires * 1000 > Date.now()) {
      return installed;
    }
    const found = (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    if (!found || (found.grantId && !(await provider.Grant.find(found.grantId)))) {
      return undefined;
    }
    return { client: found.clientId, subject: found.accountId ?? null, scope: found.scope ?? null, expires: found.exp };
  }

  whoami = async (ctx) => {
    const who = await this.bearer(ctx);
    if (who) {
      ctx.status = 200;
      ctx.body = who;
    }
  };

  slow = async (ctx) => {
    const who = await this.bearer(ctx);
    if (!who) {
      return;
    }
    const { ms = '1000', drip } = ctx.query;
    const { res } = ctx;
    const entry = { started: Date.now(), ended: null, how: 'open' };
    this.control.api.slow.push(entry);
    ctx.respond = false;
    // What Koa has before anybody answers is 404.
    res.statusCode = 200;
    res.setHeader('Content-Type', 'application/json');
    const dripping = drip && setInterval(() => res.write(' '), Number(drip));
    if (drip) {
      res.writeHead(200);
      res.write(' ');
    }
    const answering = setTimeout(() => res.end(JSON.stringify(who)), Number(ms));
    res.on('close', () => {
      clearTimeout(answering);
      clearInterval(dripping);
      Object.assign(entry, { ended: Date.now(), how: res.writableFinished ? 'answered' : 'cut' });
    });
  };

  echo = async (ctx) => {
    ctx.status = 200;
    ctx.body = {
      method: ctx.method,
      target: ctx.originalUrl,
      authorization: ctx.get('authorization') || null,
      headers: ctx.headers,
      body: await body(ctx),
    };
  };

  // HL7 SMART App Launch 2.2, for Backend Services alone.
  smart = async (ctx) => {
    const origin = `http://${ctx.host}`;
    ctx.status = 200;
    ctx.body = {
      token_endpoint: `${origin}/token`,
      token_endpoint_auth_methods_supported: ['private_key_jwt'],
      token_endpoint_auth_signing_alg_values_supported: ['RS384', 'ES384'],
      grant_types_supported: ['client_credentials'],
      scopes_supported: this.scopes.filter((scope) => scope.startsWith('system/')),
      introspection_endpoint: `${origin}/token/introspection`,
      revocation_endpoint: `${origin}/token/revocation`,
      code_challenge_methods_supported: ['S256'],
      capabilities: ['client-confidential-asymmetric', 'permission-v2'],
    };
  };

  // As GitHub's documentation has it: RS256, `iss` is the app, no longer than ten minutes, made in the past; and a User-Agent.
  async github(ctx, installation) {
    const { app, keys, installation: known } = this.settings.github ?? {};
    const refuse = (status, message) => {
      ctx.status = status;
      ctx.body = { message, documentation_url: 'https://docs.github.com/rest' };
    };
    const asked = await json(ctx);
    if (!ctx.get('user-agent')) {
      return refuse(403, 'Request forbidden by administrative rules. Please make sure your request has a User-Agent header');
    }
    const [, jwt] = /^Bearer (.+)$/i.exec(ctx.get('authorization')) ?? [];
    if (!jwt || !keys) {
      return refuse(401, 'A JSON web token could not be decoded');
    }
    const now = Math.floor(Date.now() / 1000);
    let claims;
    try {
      const clockTolerance = this.settings.tolerance ?? 0;
      const wanted = { algorithms: ['RS256'], clockTolerance, requiredClaims: ['exp', 'iat', 'iss'] };
      // The app is known by `iss`: a `kid` is not asked for, nor looked at.
      const verify = async (key) => jwtVerify(jwt, await importJWK(key, 'RS256'), wanted);
      ({ payload: claims } = await Promise.any(keys.map(verify)));
    } catch (error) {
      return refuse(401, `A JSON web token could not be decoded: ${error.errors[0].code}`);
    }
    if (String(claims.iss) !== app) {
      return refuse(401, "'Issuer' claim ('iss') must be an Integer");
    }
    if (claims.exp > now + 600) {
      return refuse(401, "'Expiration time' claim ('exp') is too far in the future");
    }
    if (claims.iat > now) {
      return refuse(401, "'Issued at' claim ('iat') must be an Integer representing the time that the assertion was issued");
    }
    if (installation !== known) {
      return refuse(404, 'Not Found');
    }
    const token = `ghs_${randomBytes(18).toString('hex')}`;
    const expires = now + this.control.ttl.access;
    this.installations.set(token, { client: `app:${app}`, subject: `installation:${installation}`, scope: null, expires });
    const forget = () => this.installations.delete(token);
    const kept = { clientId: `app:${app}`, gty: 'installation', exp: expires, forget };
    this.control.issued('InstallationToken', token, kept);
    ctx.status = 201;
    ctx.body = {
      token,
      expires_at: new Date(expires * 1000).toISOString().replace('.000Z', 'Z'),
      permissions: asked.permissions ?? { contents: 'read', metadata: 'read' },
      repository_selection: asked.repositories ? 'selected' : 'all',
    };
  }
}
