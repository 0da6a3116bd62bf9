// Builds a JavaScript adapter into a component: `node build.mjs SOURCE.js WIT-FOLDER OUTPUT.wasm`.
//
// `fetch` is left out: an adapter sends through the contract. Clock, random numbers and console stay, and are the host's.

import { componentize } from '@bytecodealliance/componentize-js';
import { writeFile } from 'node:fs/promises';

const [sourcePath, witPath, output] = process.argv.slice(2);
if (!output) throw new Error('usage: node build.mjs SOURCE.js WIT-FOLDER OUTPUT.wasm');
const disableFeatures = ['http', 'fetch-event'];
const { component } = await componentize({ sourcePath, witPath, worldName: 'adapter', disableFeatures });
await writeFile(output, component);
