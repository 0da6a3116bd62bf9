// An awkward FHIR vendor: @asymmetrik/node-fhir-server-core with a store in memory, on a loopback port.
//
//     awkward.cjs PORT
//
// All that is awkward is the library's own: the base URL is /4_0_1, a create answers 201 with an empty body and a relative
// Location, answers are application/json, a search answers with whatever the store returns (here as its examples do it, a
// bare array), and JSON that cannot be read is a 500.

const { randomUUID } = require('node:crypto');
const { initialize, ServerError, loggers } = require('@asymmetrik/node-fhir-server-core');

const VERSION = '4_0_1';
const TYPES = ['Patient', 'Observation', 'Appointment', 'Slot'];

function store(type) {
  const kept = new Map();
  const keep = (id, body) => {
    const versionId = String(Number(kept.get(id)?.meta.versionId ?? 0) + 1);
    kept.set(id, { ...body, id, meta: { versionId, lastUpdated: new Date().toISOString() } });
    return { id, resource_version: versionId };
  };
  const refused = (statusCode, code, text) =>
    new ServerError(text, { statusCode, issue: [{ severity: 'error', code, details: { text } }] });
  return {
    search: async (args, { req }) => {
      const { family, identifier, _id } = req.path.endsWith('/_search') ? req.body : req.query;
      const has = (resource) =>
        (!_id || resource.id === _id) &&
        (!family || resource.name?.some((name) => name.family === family)) &&
        (!identifier || resource.identifier?.some(({ system, value }) => identifier === `${system}|${value}` || identifier === value));
      return [...kept.values()].filter(has);
    },
    searchById: async ({ id }) => {
      if (!kept.has(id)) {
        throw refused(404, 'not-found', `${type}/${id} is not here`);
      }
      return kept.get(id);
    },
    create: async (args, { req }) => {
      if (req.body?.resourceType !== type) {
        throw refused(400, 'invalid', `expected a ${type}`);
      }
      return keep(randomUUID(), req.body);
    },
    update: async ({ id }, { req }) => ({ created: !kept.has(id), ...keep(id, req.body) }),
  };
}

const profiles = Object.fromEntries(TYPES.map((type) => [type, { service: store(type), versions: [VERSION] }]));
const port = Number(process.argv[2]);
const server = initialize({ profiles, server: {}, logging: { level: 'error' }, auth: {} });
server.listen(port, '127.0.0.1', () => loggers.get('default').info(`listening on 127.0.0.1:${port}`));
