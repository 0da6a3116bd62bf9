// Makes keys for tests: RSA of 2048 bits and EC on P-384, each in the forms in which operators have them.
//
//     keys.mjs
//
// Prints {NAME: {"kid", "kty", "pem", "public": JWK, "private": JWK}}. `rsa` and `ec` are PKCS #8, `rsa-pkcs1` is PKCS #1,
// `ec-sec1` is SEC 1; `rsa-stranger` and `ec-stranger` are keys that nobody registered. All are new with each run.

import { generateKeyPairSync, createHash } from 'node:crypto';

const MADE = [
  ['rsa', 'rsa', 'pkcs8'],
  ['rsa-pkcs1', 'rsa', 'pkcs1'],
  ['rsa-stranger', 'rsa', 'pkcs8'],
  ['ec', 'ec', 'pkcs8'],
  ['ec-sec1', 'ec', 'sec1'],
  ['ec-stranger', 'ec', 'pkcs8'],
];

function made(kind, type) {
  const options = kind === 'rsa' ? { modulusLength: 2048 } : { namedCurve: 'P-384' };
  const { publicKey, privateKey } = generateKeyPairSync(kind, options);
  const open = publicKey.export({ format: 'jwk' });
  const kid = thumbprint(open);
  const named = { kid, use: 'sig', alg: kind === 'rsa' ? undefined : 'ES384' };
  return {
    kid,
    kty: open.kty,
    pem: privateKey.export({ format: 'pem', type }),
    public: { ...open, ...named },
    private: { ...privateKey.export({ format: 'jwk' }), ...named },
  };
}

// RFC 7638.
function thumbprint(jwk) {
  const members = jwk.kty === 'RSA' ? ['e', 'kty', 'n'] : ['crv', 'kty', 'x', 'y'];
  const text = JSON.stringify(Object.fromEntries(members.map((name) => [name, jwk[name]])));
  return createHash('sha256').update(text).digest('base64url');
}

const keys = Object.fromEntries(MADE.map(([name, kind, type]) => [name, made(kind, type)]));
console.log(JSON.stringify(keys));
