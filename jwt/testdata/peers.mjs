// The other side of TestNode: signs and verifies with jsonwebtoken and jose what the test asks for on stdin, one
// JSON object, and answers with one on stdout. PEERS is the folder that the packages are imported from.
import { createRequire } from 'node:module';
import { createPrivateKey, createPublicKey, createSecretKey } from 'node:crypto';
import { pathToFileURL } from 'node:url';

const require = createRequire(process.env.PEERS + '/');
const jsonwebtoken = require('jsonwebtoken');
const jose = await import(pathToFileURL(require.resolve('jose')).href);

let input = '';
for await (const chunk of process.stdin) input += chunk;
const { keys, tokens, claims } = JSON.parse(input);
const signed = [], verified = [];

for (const { alg, secret, pem } of keys) {
  const key = secret ? createSecretKey(Buffer.from(secret, 'base64')) : createPrivateKey(pem);
  const jwtLib = !alg.startsWith('Ed'); // jsonwebtoken has no EdDSA
  if (jwtLib) {
    signed.push({ by: 'jsonwebtoken', alg, token: jsonwebtoken.sign(claims, key, { algorithm: alg, keyid: 'k-' + alg }) });
  }
  signed.push({ by: 'jose', alg, token: await new jose.SignJWT(claims).setProtectedHeader({ alg, typ: 'JWT', kid: 'k-' + alg }).sign(key) });
}

for (const { alg, token, jwk } of tokens) {
  const expect = { issuer: claims.iss, audience: 'https://api.example' };
  for (const lib of ['jsonwebtoken', 'jose']) {
    if (lib === 'jsonwebtoken' && alg.startsWith('Ed')) continue;
    try {
      const json = JSON.parse(jwk);
      const key = json.kty === 'oct' ? createSecretKey(Buffer.from(json.k, 'base64url')) : createPublicKey({ key: json, format: 'jwk' });
      const payload = lib === 'jose'
        ? (await jose.jwtVerify(token, await jose.importJWK(json, alg), { ...expect, algorithms: [alg], typ: 'JWT', requiredClaims: ['exp', 'sub'] })).payload
        : jsonwebtoken.verify(token, key, { ...expect, algorithms: [alg] });
      verified.push({ by: lib, alg, payload, thumbprint: json.kty === 'oct' ? '' : await jose.calculateJwkThumbprint(json) });
    } catch (err) {
      verified.push({ by: lib, alg, error: String(err) });
    }
  }
}
process.stdout.write(JSON.stringify({ signed, verified }));
