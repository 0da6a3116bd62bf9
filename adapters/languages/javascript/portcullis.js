// What an adapter in JavaScript needs beside the contract: send a request, read its answer, fail with a code. It says what
// the Rust SDK says, so that callers see the same whatever an adapter was written in. Copy it beside your adapter.

import { open } from 'portcullis:adapter/credentials@0.1.0';
import { send } from 'portcullis:adapter/http@0.1.0';

const encoder = new TextEncoder();

// What is thrown out of an export becomes the contract's `error`.
export class Failure {
  constructor(code, message, { retryable = false, retryAfterMs, details } = {}) {
    this.tag = 'failed';
    this.val = { code, message, retryable, retryAfterMs, details: details && JSON.stringify(details) };
  }
}

// Sends one request and returns its answer, whatever its status. `repeat` says whether it may be sent twice.
export function exchange({ method, url, slots = [], key, json, repeat }) {
  const headers = [header('accept', 'application/json')];
  if (json !== undefined) headers.push(header('content-type', 'application/json'));
  if (key) headers.push(header(...key));
  const body = json === undefined ? undefined : encoder.encode(JSON.stringify(json));
  try {
    return new Answer(send({ method, url, headers, body }, slots.map((slot) => open(slot))));
  } catch (error) {
    throw unsent(error.payload ?? error, repeat);
  }
}

export class Answer {
  constructor({ status, headers, body }) {
    Object.assign(this, { status, headers, body });
  }

  get success() {
    return this.status >= 200 && this.status < 300;
  }

  header(name) {
    const found = this.headers.find((header) => header.name.toLowerCase() === name);
    return found && new TextDecoder().decode(found.value);
  }

  // `Retry-After` in seconds, or as a date beside the answer's own; at most a day.
  get retryAfterMs() {
    const text = this.header('retry-after')?.trim();
    if (!text) return undefined;
    const date = (Date.parse(text) - Date.parse(this.header('date'))) / 1_000;
    const seconds = /^\d+$/.test(text) ? Number(text) : Math.max(date, 0);
    return Number.isNaN(seconds) ? undefined : BigInt(Math.min(Math.ceil(seconds), 86_400)) * 1_000n;
  }

  // The body, read by `shape`, which throws where it is not what was declared.
  read(shape) {
    try {
      // Strict: what is not UTF-8 is not JSON either, and a byte order mark is none of it.
      const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(this.body);
      return shape(text === '' ? null : JSON.parse(text));
    } catch (error) {
      const message = `the answer (${this.status}) is not what the route's response type describes`;
      throw new Failure('http.unexpected-body', error instanceof Mismatch ? `${message}: ${error.expected}` : message);
    }
  }
}

// Shapes: each returns the value it was given, or says what it expected instead.
class Mismatch {
  constructor(expected) {
    this.expected = `expected ${expected}`;
  }
}

function expect(right, value, what) {
  if (!right) throw new Mismatch(what);
  return value;
}

export const boolean = (value) => expect(typeof value === 'boolean', value, 'a boolean');
export const text = (value) => expect(typeof value === 'string' && value.isWellFormed(), value, 'text');
export const unsigned = (value) =>
  expect(Number.isInteger(value) && value >= 0 && value <= 0xffff_ffff, value, 'an id');
export const optional = (shape) => (value) => (value === undefined || value === null ? undefined : shape(value));
export const list = (shape) => (value) => expect(Array.isArray(value), value, 'a list').map((item) => shape(item));
export const object = (fields) => (value) => {
  expect(typeof value === 'object' && value !== null && !Array.isArray(value), value, 'an object');
  return Object.fromEntries(Object.entries(fields).map(([name, shape]) => [name, shape(value[name])]));
};

// What the host said instead of a response.
function unsent({ tag, val }, repeat) {
  const fault = (retryable) => new Failure(`host.${tag}`, val.message, { retryable, details: { origin: val.origin } });
  switch (tag) {
    case 'denied':
      return new Failure('host.denied', val.message, { details: { rule: val.rule, allowWith: val.allowWith ?? null } });
    case 'bound': {
      const [bound, limit] = [val.name, Number(val.limit)];
      return new Failure('host.bound', `the limit \`${bound}\` of ${limit} was reached`, { details: { bound, limit } });
    }
    case 'unavailable': {
      const { origin, reason, retryAfterMs } = val;
      const details = { origin, reason, retryAfterMs: Number(retryAfterMs) };
      return new Failure('host.unavailable', `${origin} is not asked now`, { retryable: true, retryAfterMs, details });
    }
    case 'timeout': {
      const details = { phase: val.phase, limitMs: Number(val.limitMs) };
      const retryable = repeat || val.phase === 'dns' || val.phase === 'connect';
      return new Failure('host.timeout', `no answer within ${details.limitMs} ms (${val.phase})`, { retryable, details });
    }
    case 'dns':
    case 'connect':
      return fault(true);
    case 'tls':
      return fault(false);
    case 'protocol':
      return fault(repeat);
    default: {
      // A credential that cannot be used, when it was opened or when it was to be sent.
      const { tag: reason, val: slot } = tag === 'credential' ? val : { tag, val };
      return new Failure('host.credential', `the credential cannot be used: ${slot}`, { details: { reason } });
    }
  }
}

function header(name, value) {
  return { name, value: encoder.encode(value) };
}
