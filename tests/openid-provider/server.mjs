// A certified OpenID provider, `oidc-provider`, with the clients that tests need. It does as the file
// of its folder `conduct.json` says, which is read at every request.
//
// Usage: node server.mjs FOLDER MODULES
// FOLDER/setup.json: { certificate, key (PEM, both absent for plain http), secret, jwks }
// Prints its issuer once it listens, and appends a line for each request to FOLDER/requests.

import { generateKeyPairSync } from 'node:crypto';
import { appendFileSync, readFileSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';

const [folder, modules] = process.argv.slice(2);
const read = (name) => JSON.parse(readFileSync(path.join(folder, name), 'utf8'));
const { default: Provider } = await import(
  pathToFileURL(path.join(modules, 'node_modules/oidc-provider/lib/index.js'))
);

const setup = read('setup.json');
// { user, realm, consent, lifetime (s), refresh, delay (ms), revoked (a counter) }
const conduct = () => read('conduct.json');

let answer;
const listener = (request, response) => answer(request, response);
const server = setup.key
  ? https.createServer({ cert: setup.certificate, key: setup.key }, listener)
  : http.createServer(listener);
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address();
const issuer = setup.key ? `https://localhost:${port}` : `http://127.0.0.1:${port}`;

const signing = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: 'ztoken',
      application_type: 'native',
      grant_types: [
        'authorization_code',
        'refresh_token',
        'urn:ietf:params:oauth:grant-type:device_code',
      ],
      redirect_uris: ['http://127.0.0.1', 'http://localhost/callback'],
      response_types: ['code'],
      token_endpoint_auth_method: 'none',
    },
    {
      client_id: 'robot',
      client_secret: setup.secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_basic',
    },
    {
      client_id: 'robot-post',
      client_secret: setup.secret,
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'client_secret_post',
    },
    {
      client_id: 'service-account',
      grant_types: ['client_credentials'],
      jwks: setup.jwks,
      redirect_uris: [],
      response_types: [],
      token_endpoint_auth_method: 'private_key_jwt',
      token_endpoint_auth_signing_alg: 'ES256',
    },
  ],
  claims: { openid: ['sub'], profile: ['preferred_username'] },
  cookies: { keys: [signing.export({ format: 'jwk' }).d] },
  extraTokenClaims: (ctx, token) =>
    token.accountId
      ? { preferred_username: token.accountId, realm: conduct().realm }
      : { realm: '/services' },
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    deviceFlow: {
      enabled: true,
      userCodeConfirmSource: (ctx, form) => {
        ctx.body = form;
      },
      userCodeInputSource: (ctx, form) => {
        ctx.body = form;
      },
      successSource: (ctx) => {
        ctx.body = 'done';
      },
    },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        accessTokenFormat: 'jwt',
        accessTokenTTL: conduct().lifetime,
        audience: 'postgres',
        jwt: { sign: { alg: 'RS256' } },
        scope: 'db',
      }),
      useGrantedResource: () => true,
    },
    revocation: { enabled: true },
    rpInitiatedLogout: { enabled: false },
  },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, preferred_username: id }),
  }),
  interactions: { url: (ctx, interaction) => `/interaction/${interaction.uid}` },
  issueRefreshToken: (ctx, client) => conduct().refresh && client.grantTypeAllowed('refresh_token'),
  jwks: { keys: [{ ...signing.export({ format: 'jwk' }), alg: 'RS256', use: 'sig' }] },
  scopes: ['openid', 'offline_access', 'profile'],
  ttl: {
    AccessToken: () => conduct().lifetime,
    ClientCredentials: () => conduct().lifetime,
    Grant: 86400,
    Interaction: 600,
    RefreshToken: 86400,
    Session: 600,
  },
});

// Whoever administers the provider takes all logins back.
const grants = new Set();
let revoked = conduct().revoked;
provider.on('refresh_token.saved', (token) => grants.add(token.grantId));
const revokeAll = async () => {
  for (const grant of grants) {
    await provider.RefreshToken.revokeByGrantId(grant);
    await provider.AccessToken.revokeByGrantId(grant);
  }
  grants.clear();
};

// The person who sits at the browser: she logs in and consents, or not.
const interact = async (request, response) => {
  const { user, consent } = conduct();
  const details = await provider.interactionDetails(request, response);
  if (!consent) {
    const result = { error: 'access_denied', error_description: 'End-User aborted interaction' };
    return provider.interactionFinished(request, response, result);
  }
  const { client_id: clientId, resource } = details.params;
  const grant = new provider.Grant({ accountId: user, clientId });
  grant.addOIDCScope('openid offline_access profile');
  if (resource) {
    grant.addResourceScope(resource, 'db');
  }
  const result = { login: { accountId: user }, consent: { grantId: await grant.save() } };
  return provider.interactionFinished(request, response, result);
};

const protocol = provider.callback();
answer = async (request, response) => {
  const { pathname } = new URL(request.url, issuer);
  appendFileSync(path.join(folder, 'requests'), `${request.method} ${pathname}\n`);
  const { delay, revoked: wanted } = conduct();
  if (wanted !== revoked) {
    revoked = wanted;
    await revokeAll();
  }
  if (pathname === '/token') {
    await sleep(delay);
  }
  return pathname.startsWith('/interaction/') ? interact(request, response) : protocol(request, response);
};

console.log(issuer);
