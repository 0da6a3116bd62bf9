// Tasks: the example that is written in three languages, here in JavaScript. It is no product. Its twins in Rust and Python
// declare the same and send the same bytes; `cargo xtask languages` holds them to that.

import { Failure, boolean, exchange, list, object, optional, text, unsigned } from './portcullis.js';
import { configSchema, operations as declared, routes, slots } from './declared.js';

// Most pages of one call.
const MAX_PAGES = 10;

const task = object({ id: unsigned, title: text, done: boolean });
const taskPage = object({ tasks: list(task), nextPage: optional(unsigned) });

const run = {
  getTask: (cx, { id }) => cx.get(`/tasks/${id}`, task),

  listTasks(cx, { done, most }) {
    const filter = done === undefined || done === null ? '' : `done=${done}&`;
    const tasks = [];
    let next = 1;
    for (let pages = 0; pages < MAX_PAGES && next !== undefined && tasks.length < most; pages += 1) {
      const answer = cx.get(`/tasks?${filter}page=${next}`, taskPage);
      if (answer.nextPage <= next) {
        throw new Failure('tasks.paging', `the server says that the page after ${next} is one before it`);
      }
      tasks.push(...answer.tasks);
      next = answer.nextPage;
    }
    return { more: tasks.length > most || next !== undefined, tasks: tasks.slice(0, most) };
  },

  addTask: (cx, { title, notes }) => cx.post('/tasks', { title, notes: notes ?? undefined }, task),
};

// What an answer that is no success means. Nothing of its body: it may repeat what was sent.
function refused({ status, retryAfterMs }) {
  const details = { status };
  if (status === 404) return new Failure('tasks.not-found', 'there is no such task', { retryAfterMs, details });
  if (status === 429) {
    const message = 'the server wants fewer requests';
    return new Failure('tasks.rate-limited', message, { retryable: true, retryAfterMs, details });
  }
  if (status >= 500) {
    const message = 'the server cannot answer now';
    return new Failure('tasks.unavailable', message, { retryable: true, retryAfterMs, details });
  }
  return new Failure('tasks.refused', 'the server refused the request', { retryAfterMs, details });
}

class Context {
  constructor(call) {
    this.base = baseOf(call.config);
    // Without a key of the caller's the call's id makes the request one that can be told from others.
    this.key = call.idempotencyKey ?? call.id;
  }

  get(path, shape) {
    return this.send({ method: 'get', url: this.base + path, repeat: true }, shape);
  }

  post(path, json, shape) {
    return this.send({ method: 'post', url: this.base + path, json, key: ['Idempotency-Key', this.key], repeat: true }, shape);
  }

  send(request, shape) {
    const answer = exchange({ slots: ['token'], ...request });
    if (!answer.success) throw refused(answer);
    return answer.read(shape);
  }
}

function baseOf(config) {
  return JSON.parse(config).baseUrl.replace(/\/+$/, '');
}

export const operations = {
  configSchema: () => configSchema,

  describe(config) {
    return {
      name: 'tasks',
      version: '0.1.0',
      description: 'Reads, lists and adds tasks of a small REST server: an example, written in three languages.',
      slots,
      routes: routes(baseOf(config)),
      operations: declared,
    };
  },

  invoke(call) {
    const operation = run[call.operation];
    if (!operation) throw { tag: 'unknown-operation', val: call.operation };
    return JSON.stringify(operation(new Context(call), JSON.parse(call.input)));
  },
};
