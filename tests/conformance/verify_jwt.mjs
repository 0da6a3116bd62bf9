// Verifies JWTs with npm's jose: a second implementation for what the vault signs. Reads lines of JSON from standard input,
// {"jwt", "jwk", "algorithm", "audience", "issuer"} (the last two may be missing; "now" is a time, for JWTs that were made
// at another one), and writes a line for each: {"ok": true, "header", "payload"} or {"ok": false, "error"}.
import { createInterface } from 'node:readline';
import { importJWK, jwtVerify } from 'jose';

for await (const line of createInterface({ input: process.stdin })) {
  if (line.trim() === '') continue;
  let answer;
  try {
    const { jwt, jwk, algorithm, audience, issuer, now } = JSON.parse(line);
    const key = await importJWK(jwk, algorithm);
    const options = { algorithms: [algorithm] };
    if (audience !== undefined) options.audience = audience;
    if (issuer !== undefined) options.issuer = issuer;
    if (now !== undefined) options.currentDate = new Date(now);
    const { protectedHeader, payload } = await jwtVerify(jwt, key, options);
    answer = { ok: true, header: protectedHeader, payload };
  } catch (error) {
    answer = { ok: false, error: `${error.code ?? error.name}: ${error.message}` };
  }
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}
