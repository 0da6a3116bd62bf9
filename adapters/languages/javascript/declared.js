// What the adapter says about itself, as data: what an operator reads and grants, and what sandbox mode answers from.

const schema = JSON.stringify;
const id = { type: 'integer', format: 'uint32', description: 'Its id.', examples: [1] };
const title = { type: 'string', description: 'What is to be done.', examples: ['Water the plants'] };
const done = { type: 'boolean', description: 'Whether it is done.', examples: [false] };

const task = {
  description: 'One task.',
  type: 'object',
  properties: { id: { ...id, minimum: 0 }, title, done },
  required: ['id', 'title', 'done'],
};
const namedTask = schema({ title: 'Task', ...task });

const taskPage = schema({
  title: 'TaskPage',
  description: 'One page of a list, as the server gives it.',
  type: 'object',
  properties: {
    nextPage: {
      type: ['integer', 'null'],
      format: 'uint32',
      minimum: 0,
      description: "The next page's number, if there is one.",
      examples: [null],
    },
    tasks: { description: 'Those on the page.', type: 'array', items: task },
  },
  required: ['tasks'],
});

const newTask = schema({
  title: 'NewTask',
  description: 'A task to add.',
  type: 'object',
  additionalProperties: false,
  properties: {
    title: { ...title, minLength: 1, maxLength: 200 },
    notes: { type: ['string', 'null'], maxLength: 2000, description: 'More about it.' },
  },
  required: ['title'],
});

export const configSchema = schema({
  title: 'Config',
  description: 'Where the server is.',
  type: 'object',
  additionalProperties: false,
  properties: {
    baseUrl: {
      type: 'string',
      format: 'uri',
      minLength: 8,
      maxLength: 2048,
      description: 'What the paths are relative to: scheme, host, maybe port and path.',
    },
  },
  required: ['baseUrl'],
});

export const slots = [{ name: 'token', description: 'An API token of the tasks server.', scheme: { tag: 'bearer' } }];

export const routes = (base) => [
  {
    id: 'get-task',
    description: 'Reads one task.',
    method: 'get',
    url: `${base}/tasks/{id:digits(1..10)}`,
    query: [],
    headers: [],
    slots: ['token'],
    links: [],
    repeat: { tag: 'idempotent' },
    response: namedTask,
  },
  {
    id: 'list-tasks',
    description: 'Reads one page of tasks.',
    method: 'get',
    url: `${base}/tasks`,
    query: [
      { name: 'done', values: { tag: 'one-of', val: ['false', 'true'] } },
      { name: 'page', values: { tag: 'shape', val: 'digits(1..20)' } },
    ],
    headers: [],
    slots: ['token'],
    links: [],
    repeat: { tag: 'idempotent' },
    response: taskPage,
  },
  {
    id: 'add-task',
    description: 'Adds one task.',
    method: 'post',
    url: `${base}/tasks`,
    query: [],
    headers: [],
    slots: ['token'],
    links: [],
    request: { tag: 'json', val: newTask },
    repeat: { tag: 'with-key', val: 'Idempotency-Key' },
    response: namedTask,
  },
];

export const operations = [
  {
    name: 'getTask',
    description: 'Reads one task.',
    effect: 'read',
    input: schema({
      title: 'TaskId',
      description: 'Which task.',
      type: 'object',
      additionalProperties: false,
      properties: { id: { ...id, minimum: 1 } },
      required: ['id'],
    }),
    output: namedTask,
    routes: ['get-task'],
  },
  {
    name: 'listTasks',
    description: 'Lists tasks, page by page, up to as many as are asked for and at most ten pages.',
    effect: 'read',
    input: schema({
      title: 'ListTasks',
      description: 'Which tasks.',
      type: 'object',
      additionalProperties: false,
      properties: {
        done: {
          type: ['boolean', 'null'],
          description: 'Those that are done (true) or are not (false). By default all.',
        },
        most: {
          type: 'integer',
          format: 'uint16',
          minimum: 1,
          maximum: 500,
          description: 'How many at most.',
          examples: [50],
        },
      },
      required: ['most'],
    }),
    output: schema({
      title: 'Tasks',
      description: 'Tasks that were found.',
      type: 'object',
      properties: {
        more: { description: 'Whether there are more.', type: 'boolean' },
        tasks: { description: 'Those that were asked for.', type: 'array', items: task },
      },
      required: ['more', 'tasks'],
    }),
    routes: ['list-tasks'],
  },
  {
    name: 'addTask',
    description: 'Adds one task, once for each idempotency key.',
    effect: 'write',
    input: newTask,
    output: namedTask,
    routes: ['add-task'],
  },
];
