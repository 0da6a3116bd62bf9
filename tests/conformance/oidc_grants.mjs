// A signed JWT in exchange for a token (RFC 7523, section 2.1), which oidc-provider does not have: for clients that say whether
// they are to be treated as by Salesforce or as by Google.
//
// Both send no `client_id`: who asks is the assertion's issuer. They ask at /services/oauth2/token.

import { createLocalJWKSet, decodeJwt, jwtVerify } from 'jose';
import { errors } from 'oidc-provider';

export const JWT_BEARER = 'urn:ietf:params:oauth:grant-type:jwt-bearer';
const PATH = '/services/oauth2/token';
// Google takes an hour at most, Salesforce a few minutes.
const LONGEST = { google: 3_600, salesforce: 300 };

/** Puts in the client that the assertion names, and hands on to /token. */
export async function namesClient(ctx, next) {
  if (ctx.method === 'POST' && ctx.path === PATH) {
    const chunks = [];
    for await (const chunk of ctx.req) {
      chunks.push(chunk);
    }
    const body = Object.fromEntries(new URLSearchParams(Buffer.concat(chunks).toString()));
    ctx.state.sent = Object.keys(body);
    ctx.req.body = { ...body, client_id: issuerOf(body.assertion) };
    ctx.path = '/token';
  }
  return next();
}

function issuerOf(assertion) {
  try {
    return decodeJwt(assertion).iss ?? '';
  } catch {
    return '';
  }
}

/** The grant. */
export function jwtBearer(provider, issuer, settings) {
  return async (ctx) => {
    const { client, params } = ctx.oidc;
    const known = settings.clients.find(({ id }) => id === client.clientId);
    const like = known.like ?? 'google';
    const now = Math.floor(Date.now() / 1000);
    const refuse = (why) => {
      throw new errors.InvalidGrant(why);
    };
    if (!params.assertion) {
      throw new errors.InvalidRequest('missing required parameter assertion');
    }
    const audience = [known.audience ?? `http://${ctx.host}${PATH}`, `http://${ctx.host}/token`, issuer];
    const asked = {
      issuer: client.clientId,
      audience,
      algorithms: ['RS256'],
      clockTolerance: settings.tolerance ?? 0,
      requiredClaims: ['exp'],
    };
    const verified = await jwtVerify(params.assertion, createLocalJWKSet({ keys: known.keys }), asked).catch((error) =>
      refuse(`${error.code}: ${error.message}`),
    );
    const { payload } = verified;
    if (payload.exp > now + LONGEST[like]) {
      refuse(`expires later than in ${LONGEST[like]} seconds`);
    }
    if (like === 'google' && !payload.iat) {
      refuse('iat is missing');
    }
    if (like === 'salesforce' && (!payload.sub || (known.user && payload.sub !== known.user))) {
      refuse("user hasn't approved this consumer");
    }
    if (payload.jti && !(await provider.ReplayDetection.unique(payload.iss, payload.jti, payload.exp))) {
      refuse('the assertion was used before');
    }
    const scope = params.scope ?? payload.scope ?? client.scope;
    const accountId = payload.sub ?? payload.iss;
    const grant = new provider.Grant({ accountId, clientId: client.clientId });
    grant.addOIDCScope(scope ?? 'api');
    const token = new provider.AccessToken({
      accountId,
      client,
      grantId: await grant.save(),
      gty: 'jwt_bearer',
      scope: scope ?? 'api',
    });
    const answer = { access_token: await token.save(), token_type: 'Bearer', scope: token.scope };
    // Salesforce does not say how long it lives.
    ctx.body =
      like === 'salesforce'
        ? { ...answer, instance_url: known.instance ?? issuer, id: `${issuer}/id/00D/005` }
        : { ...answer, expires_in: token.expiration };
  };
}
