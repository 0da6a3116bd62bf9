// Verifies JWTs with npm's jose: a second implementation for what the vault signs.
//
//     verify_jwt.mjs [FILE]
//
// Reads lines of JSON from standard input, {"jwt", "jwk", "algorithm", "audience", "issuer"} (the last two may be missing;
// "now" is a time, for JWTs that were made at another one), and writes a line for each: {"ok": true, "header", "payload"} or
// {"ok": false, "error"}. With a file it reads an array of them from there, and writes an array.
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { importJWK, jwtVerify } from 'jose';

async function judged({ jwt, jwk, algorithm, audience, issuer, now }) {
  try {
    const key = await importJWK(jwk, algorithm);
    const options = { algorithms: [algorithm] };
    if (audience !== undefined) options.audience = audience;
    if (issuer !== undefined) options.issuer = issuer;
    if (now !== undefined) options.currentDate = new Date(now);
    const { protectedHeader, payload } = await jwtVerify(jwt, key, options);
    return { ok: true, header: protectedHeader, payload };
  } catch (error) {
    return { ok: false, error: `${error.code ?? error.name}: ${error.message}` };
  }
}

const [, , file] = process.argv;
if (file) {
  const all = [];
  for (const one of JSON.parse(readFileSync(file, 'utf8'))) all.push(await judged(one));
  console.log(JSON.stringify(all));
} else {
  for await (const line of createInterface({ input: process.stdin })) {
    if (line.trim() !== '') process.stdout.write(`${JSON.stringify(await judged(JSON.parse(line)))}\n`);
  }
}
