// A browser without a screen: follows redirects, keeps cookies, and sends the forms that it meets.
//
// Usage: node browser.mjs URL [yes|no]      no: declines where a form asks
// Prints the status and the text of the page where it ends.

import http from 'node:http';
import https from 'node:https';

const [start, decision = 'yes'] = process.argv.slice(2);
const jars = new Map();

const ask = (url, form) =>
  new Promise((resolve, reject) => {
    const client = url.protocol === 'https:' ? https : http;
    const jar = jars.get(url.host) ?? new Map();
    jars.set(url.host, jar);
    const headers = { cookie: [...jar].map(([name, value]) => `${name}=${value}`).join('; ') };
    if (form) {
      headers['content-type'] = 'application/x-www-form-urlencoded';
    }
    const method = form ? 'POST' : 'GET';
    const request = client.request(url, { headers, method, rejectUnauthorized: false }, (response) => {
      for (const cookie of response.headers['set-cookie'] ?? []) {
        const [name, value] = cookie.split(';')[0].split(/=(.*)/s);
        jar.set(name, value);
      }
      let text = '';
      response.on('data', (part) => {
        text += part;
      });
      response.on('end', () => resolve({ location: response.headers.location, status: response.statusCode, text }));
    });
    request.on('error', reject);
    request.end(form?.toString());
  });

const fields = (text) => {
  const form = new URLSearchParams();
  for (const [input] of text.matchAll(/<input[^>]*>/g)) {
    const name = input.match(/name="([^"]*)"/)?.[1];
    if (name) {
      form.set(name, input.match(/value="([^"]*)"/)?.[1] ?? '');
    }
  }
  form.set(decision === 'yes' ? 'confirm' : 'abort', 'yes');
  return form;
};

let url = new URL(start);
let form;
for (let step = 0; step < 20; step += 1) {
  const { location, status, text } = await ask(url, form);
  const action = text.match(/<form[^>]*action="([^"]*)"/)?.[1];
  if (location) {
    url = new URL(location, url);
    form = undefined;
  } else if (action && !form) {
    url = new URL(action, url);
    form = fields(text);
  } else {
    console.log(status, text);
    process.exit(0);
  }
}
process.exit(1);
